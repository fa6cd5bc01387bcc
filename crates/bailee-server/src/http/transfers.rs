//! Data into the vault and out of it, while the service runs.
//!
//! Invariants: one source is preserved at a time, and so many snapshots, or files of one, are given
//! out; one more is `busy`, before a byte of it came or left. A source that does not come to its
//! end, whatever the reason, is recorded nowhere. What leaves is authentic; an answer that is cut
//! has no end frame, and whoever reads it knows. Who takes data out is written into the log of the
//! service.

use std::io::{BufWriter, Write};

use bailee_core::id::{AssetId, SnapshotId};
use bailee_vault::{Input, Pattern, Plain, PlainWriter, Source, SourceKind, Unchanged, VaultError};

use crate::api::{Problem, kept, listing};
use crate::http::handlers::{Ask, Shared};
use crate::http::incoming::Incoming;
use crate::http::places::Place;
use crate::http::reply::{BYTES, JSON, Reply};
use crate::http::stream::Stream;
use crate::http::upkeep::person;
use crate::keeping::{self, KeepError};
use crate::span::{self, Halt, Span};

/// Snapshots that are given out at a time: each keeps all processors busy.
pub(crate) const GIVEN: usize = 4;

/// The one place for a source that is preserved. One that panicked is over, and made no snapshot.
fn place(shared: &Shared) -> Result<Place, Problem> {
    shared.preserving.take().ok_or_else(|| {
        let detail = "preserves another source now, one at a time";
        Problem::new(503, "busy", "the service", detail, "ask again when that is kept")
    })
}

pub(crate) fn preserve(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let (asset, by) = (ask.id::<AssetId>()?, person(ask)?);
    let said = |name| ask.all_said(name).next();
    let unchanged = match said("rehash").as_deref() {
        None | Some("false") => Unchanged::Skip,
        Some("true") => Unchanged::Rehash,
        Some(_) => return Err(Problem::bad_request("rehash", "is neither true nor false")),
    };
    let kind = said("kind").unwrap_or_default();
    let name = said("name").ok_or_else(|| Problem::bad_request("name", "is missing"))?;
    let _place = place(shared)?;
    let missing = || Problem::failure("house_failed", "the request", "came in without a body");
    let incoming = ask.flow.take().ok_or_else(missing)?.reader();
    let source = source(&kind, name, incoming.clone())?;
    match keeping::preserve(&shared.house, asset, source, unchanged, by, &mut ()) {
        Ok(done) => Reply::json(201, &kept::kept(&done)),
        Err(error) => Err(incoming.refused(error)),
    }
}

/// What is sent, of a kind that somebody said.
fn source(kind: &str, name: String, incoming: Incoming) -> Result<Source, Problem> {
    let sent = |kind, name, incoming| Source::Sent(kind, Input::new(name, incoming));
    Ok(match kind {
        "tree" => sent(SourceKind::Tree, name, incoming),
        "file" => sent(SourceKind::File, name, incoming),
        "device" => sent(SourceKind::Device, name, incoming),
        "stream" => Source::Stream(Input::new(name.clone(), Plain::new(incoming, &name))),
        "tar" => Source::Tar(Input::new(name.clone(), Plain::new(incoming, &name))),
        _ => {
            let detail = format!("{kind:?} is none of tree, file, device, stream, tar");
            return Err(Problem::bad_request("kind", detail));
        }
    })
}

/// The file that is asked about, as its manifest names it.
fn path(ask: &Ask) -> Result<Vec<u8>, Problem> {
    ask.bytes_said("path").ok_or_else(|| Problem::bad_request("path", "is missing"))
}

/// What the medium gave of one file, and what not.
pub(crate) fn map(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let (snapshot, path) = (ask.id::<SnapshotId>()?, path(ask)?);
    let _place = giving(shared)?;
    let file = keeping::open_file(&shared.house, snapshot, &path)?;
    let name = String::from_utf8_lossy(&path);
    Reply::json(200, &kept::map(&snapshot.to_string(), &name, file.content()))
}

/// What is in a snapshot, written while it leaves.
pub(crate) fn files(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let (snapshot, only) = (ask.id::<SnapshotId>()?, only(ask)?);
    let place = giving(shared)?;
    let entries = keeping::entries(&shared.house, snapshot)?;
    let stream = Stream::begin(move |out| {
        let _place = place;
        let written = listing::write(&snapshot.to_string(), &entries, only.as_ref(), out);
        written.map_err(|e| lost(&e))
    })?;
    Ok(Reply::stream(JSON, stream))
}

/// The part of a snapshot that is asked for.
fn only(ask: &Ask) -> Result<Option<Pattern>, Problem> {
    let only = ask.all_said("only").next().map(|text| Pattern::new(&text)).transpose();
    only.map_err(|e| Problem::bad_request("only", e.to_string()))
}

/// What a snapshot is given as.
#[derive(Clone, Copy)]
enum Form {
    Tree,
    Tar,
}

fn form(ask: &Ask) -> Result<Form, Problem> {
    match ask.all_said("form").next().as_deref() {
        None | Some("tree") => Ok(Form::Tree),
        Some("tar") => Ok(Form::Tar),
        Some(other) => {
            Err(Problem::bad_request("form", format!("{other:?} is neither tree nor tar")))
        }
    }
}

/// One of the places for what leaves: whoever has it may have a whole manifest in memory.
fn giving(shared: &Shared) -> Result<Place, Problem> {
    shared.giving.take().ok_or_else(|| {
        let detail = format!("gives out {GIVEN} snapshots now, as many as it does at a time");
        Problem::new(503, "busy", "the service", detail, "ask again when one of them has left")
    })
}

pub(crate) fn content(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let (snapshot, by, only) = (ask.id::<SnapshotId>()?, person(ask)?, only(ask)?);
    let form = form(ask)?;
    if let (Form::Tar, Some(_)) = (form, &only) {
        return Err(Problem::bad_request("only", "is for a tree; an archive is of all"));
    }
    let (tenant, id) = keeping::locate(&shared.house, snapshot)?;
    let vault = keeping::vault(&shared.house)?;
    let place = giving(shared)?;
    let house = shared.house.clone();
    let give = move |out: &mut dyn Write| match form {
        Form::Tree => {
            let origin = house.config().origin.as_str();
            vault.give(&tenant, &id, only.as_ref(), (origin, out)).map_err(problem)
        }
        Form::Tar => {
            let plain = PlainWriter::new(out);
            let mut plain = BufWriter::with_capacity(1 << 18, plain);
            let said = match vault.export_tar(&tenant, &id, &mut plain, &mut ()) {
                Ok(report) => kept::exported(&report).to_string().into_bytes(),
                // The archive has no end then; who asked hears of the file and its bytes.
                Err(error @ VaultError::Lost { .. }) => told(&problem(error))?,
                Err(error) => return Err(problem(error)),
            };
            let plain = plain.into_inner().map_err(|e| lost(&e.into_error()))?;
            plain.end(&said).map_err(|e| lost(&e))
        }
    };
    let stream = Stream::begin(move |out| {
        let (_place, given) = (place, give(out));
        tracing::info!(%snapshot, %by, whole = given.is_ok(), "content of a snapshot was taken");
        given
    })?;
    Ok(Reply::stream(BYTES, stream))
}

/// One file, or a span of its bytes. What ends it in its middle stands in the report behind it, as
/// the problem that a directory would state.
pub(crate) fn file(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let (snapshot, by, path) = (ask.id::<SnapshotId>()?, person(ask)?, path(ask)?);
    let wrong = |detail| Problem::bad_request("range", detail);
    let span = ask.all_said("range").next().map(|text| text.parse()).transpose();
    let span = span.map_err(wrong)?.unwrap_or(Span::WHOLE);
    let place = giving(shared)?;
    let mut file = keeping::open_file(&shared.house, snapshot, &path)?;
    let range = span.within(file.content().size).map_err(wrong)?;
    let house = shared.house.clone();
    let stream = Stream::begin(move |out| {
        // The house stays open, and with it its lock, as long as its vault is read.
        let (_place, _house, mut plain) = (place, house, PlainWriter::new(out));
        let written = span::write(&mut file, range, &mut plain);
        tracing::info!(%snapshot, %by, whole = written.is_ok(), "a file of a snapshot was taken");
        let report = match written {
            Ok(()) => Vec::new(),
            Err(Halt::Vault(error)) => told(&problem(error))?,
            Err(Halt::Out(error)) => return Err(lost(&error)),
        };
        plain.end(&report).map_err(|e| lost(&e))
    })?;
    Ok(Reply::stream(BYTES, stream))
}

/// A problem as the report of a transfer.
fn told(problem: &Problem) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(problem).map_err(|e| lost(&e.into()))
}

fn problem(error: VaultError) -> Problem {
    KeepError::from(error).into()
}

fn lost(error: &std::io::Error) -> Problem {
    Problem::failure("answer_failed", "the answer", format!("stopped: {error}"))
}
