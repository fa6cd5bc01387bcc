//! Into the vault and out of it, of a house on this machine or of a service.
//!
//! Invariant: what could not be read, or did not come back whole, is said by name, and the exit
//! code is 1 then, though the rest is done.

use std::ffi::OsStr;
use std::io::{Cursor, IsTerminal, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use bailee_ledger::to_hex;
use bailee_server::api::{kept, upkeep};
use bailee_server::core::id::{AssetId, SnapshotId};
use bailee_server::sanitize::{Identity, written_to};
use bailee_server::vault::{Input, Pattern, Source, Unchanged, VaultError, rescue_map};
use bailee_server::{Failure, keeping};
use serde_json::{Value, json};

use crate::act::ordinary;
use crate::cli::Reach;
use crate::cli::ask::Ask;
use crate::cli::keep::{PreserveArgs, RestoreArgs, SnapshotVerb};
use crate::client::encoded;
use crate::door::{Door, read_id};
use crate::listing;
use crate::print::progress::Bar;
use crate::print::{self, Style};
use crate::transfer;
use crate::trouble::Trouble;

/// Preserves, reads back, records.
pub(crate) fn preserve(args: &PreserveArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = Door::open(reach)?;
    let source = source(args)?;
    if let Source::Device(path) | Source::LiveDevice(path) = &source {
        check_bound(&door, &args.asset, path)?;
    }
    let value = match &door {
        Door::Here(here) => {
            let by = here.speaker()?;
            let asset: AssetId = read_id(&args.asset)?;
            let mut bar = Bar::new();
            let unchanged = if args.rehash { Unchanged::Rehash } else { Unchanged::Skip };
            let done = keeping::preserve(&here.house, asset, source, unchanged, by, &mut bar)?;
            drop(bar);
            here.settle();
            kept::kept(&done)
        }
        Door::There(client) => {
            let piped = args.path.as_os_str() == "-";
            let path = args.path.to_string_lossy();
            let name = if piped { args.stdin_name.as_str() } else { &path };
            transfer::preserve(client, args, (source, name))?
        }
    };
    print::thing(&value, style)?;
    if let Some(files) = value["read_again_files"].as_u64().filter(|files| *files > 0) {
        print::remark(&format!(
            "{files} files look unchanged and were read all the same: their file system does not \
             keep the time of the last change as the vault needs it"
        ));
    }
    if value["verified"] == json!(false) {
        print::remark(
            "it does not come back whole: give the same command again, and what lies in a damaged \
             pack is stored anew",
        );
    }
    let whole = value["problems"].as_array().is_some_and(Vec::is_empty);
    if whole { Ok(()) } else { Err(Trouble::Said(1)) }
}

/// A copy of a device speaks for the asset: it has to be the asset's, if one is bound, and not a
/// window on it or another size of it.
fn check_bound(door: &Door, asset: &str, path: &Path) -> Result<(), Trouble> {
    let known = door.show(asset)?;
    let identifiers = known["identifiers"].as_array().into_iter().flatten();
    let bound = identifiers.filter(|identifier| identifier["kind"] == "identity");
    // The last: one that grew has a new identity.
    let Some(bound) = bound.filter_map(|identity| identity["value"].as_str()).next_back() else {
        return Ok(());
    };
    let identity = Identity::of_path(path).map_err(|e| Trouble::device(path.display(), &e))?;
    if bound == to_hex(&identity.digest()) {
        return Ok(());
    }
    let detail = format!("is not the device that {asset} is bound to, or not as it was then");
    let change = "give the asset's own device; bind one that grew again (`bailee asset relabel`, \
                  with --device); register another as an asset of its own";
    Err(Trouble::refused("wrong_subject", path.display(), detail, change))
}

/// What kind of source a path is.
fn source(args: &PreserveArgs) -> Result<Source, Trouble> {
    let path = args.path.clone();
    if path.as_os_str() == "-" {
        return piped(args);
    }
    let failed = |e| Trouble::io(format!("read {}", path.display()), &e);
    if args.tar {
        let file = std::fs::File::open(&path).map_err(failed)?;
        return Ok(Source::Tar(Input::new(path.display().to_string(), file)));
    }
    let meta = std::fs::metadata(&path).map_err(failed)?;
    let kind = meta.file_type();
    if kind.is_fifo() || kind.is_socket() {
        let what = if kind.is_fifo() { "is a pipe" } else { "is a socket" };
        let detail = format!("{what}, and neither directory, file nor device");
        let change = "pipe what comes out of it: bailee preserve A-1 - --stdin-name NAME < PIPE";
        return Err(Trouble::usage(path.display(), detail, change));
    }
    if args.while_mounted && (meta.is_dir() || meta.is_file() && !args.device) {
        let change = "leave --while-mounted out";
        return Err(Trouble::usage(path.display(), "is no device", change));
    }
    Ok(match (args.device, meta.is_dir(), meta.is_file()) {
        (true, true, _) => {
            let change = "leave --device out for a directory";
            return Err(Trouble::usage(path.display(), "is a directory, not a device", change));
        }
        (true, ..) => return device(args, path),
        (false, true, _) => Source::Tree(path),
        (false, _, true) => return file(path),
        (false, ..) => return device(args, path),
    })
}

/// A file, unless it is the image of a file system that is mounted writable.
fn file(path: PathBuf) -> Result<Source, Trouble> {
    match written_to(&path) {
        Ok(Some(what)) => {
            let detail = format!("{what}: a copy of it would mix states");
            let change = "unmount it, or mount it read-only; --device --while-mounted keeps it as \
                          one that changed, which counts for no hold";
            Err(Trouble::refused("device_mounted", path.display(), detail, change))
        }
        // What cannot be told of a file is no reason not to keep it.
        Ok(None) | Err(_) => Ok(Source::File(path)),
    }
}

/// A device at rest, or one that somebody knows to be written to meanwhile.
fn device(args: &PreserveArgs, path: PathBuf) -> Result<Source, Trouble> {
    let written = written_to(&path).map_err(|e| {
        let change = "find out what is mounted; --while-mounted keeps it as one that changed";
        Trouble::refused(e.code(), path.display(), &e, change)
    });
    match (written, args.while_mounted) {
        (Ok(None), _) => Ok(Source::Device(path)),
        (_, true) => Ok(Source::LiveDevice(path)),
        (Err(trouble), false) => Err(trouble),
        (Ok(Some(what)), false) => {
            let detail = format!("{what}: a copy of it would mix states");
            let change = "unmount it (or swapoff), mount it read-only, or keep a snapshot of it; \
                          --while-mounted keeps it as one that changed, which counts for no hold";
            Err(Trouble::refused("device_mounted", path.display(), detail, change))
        }
    }
}

/// What comes on standard input.
fn piped(args: &PreserveArgs) -> Result<Source, Trouble> {
    let stdin = std::io::stdin();
    if args.device || args.while_mounted || stdin.is_terminal() {
        let change = "pipe a file's bytes in, or an archive with --tar";
        return Err(Trouble::usage("-", "is neither a device nor a terminal to type at", change));
    }
    let own = stdin.as_fd().try_clone_to_owned();
    let failed = |e| Trouble::io("read standard input".to_owned(), &e);
    let mut file = std::fs::File::from(own.map_err(failed)?);
    let name = args.stdin_name.as_str();
    if args.tar {
        return Ok(Source::Tar(Input::new(name, file)));
    }
    // A dump whose program never started is an empty stream, and nobody means to keep that.
    let mut first = Vec::new();
    Read::by_ref(&mut file).take(1).read_to_end(&mut first).map_err(failed)?;
    if first.is_empty() && !args.allow_empty {
        let change = "look whether what writes it ran; --allow-empty keeps it as it is";
        let detail = "ended before its first byte; nothing was kept";
        return Err(Trouble::refused("empty_stream", name, detail, change));
    }
    Ok(Source::Stream(Input::new(name, Cursor::new(first).chain(file))))
}

/// Gives data back.
pub(crate) fn restore(args: &RestoreArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = Door::open(reach)?;
    let only = args.only.as_deref().map(Pattern::new).transpose().map_err(|e: VaultError| {
        Trouble::usage("--only", e, "write a pattern like 'photos/**' or '*.pdf'")
    })?;
    let mut bar = Bar::new();
    let report = match &door {
        Door::Here(here) => {
            let snapshot: SnapshotId = read_id(&args.snapshot)?;
            keeping::restore(&here.house, snapshot, &args.into, only.as_ref(), &mut bar)?
        }
        Door::There(client) => {
            let only = args.only.as_deref().zip(only.as_ref());
            transfer::restore(client, (&args.snapshot, only), &args.into, &mut bar)?
        }
    };
    drop(bar);
    if report.is_complete() {
        matched(args.only.as_deref(), &args.into)?;
    }
    print::thing(&kept::restored(&args.snapshot, &args.into, &report), style)?;
    if report.is_complete() { Ok(()) } else { Err(Trouble::Said(1)) }
}

/// A pattern that nothing has matched is a no: what was asked for is not there.
pub(crate) fn matched(only: Option<&str>, into: &Path) -> Result<(), Trouble> {
    let Some(only) = only else { return Ok(()) };
    let failed = |e| Trouble::io(format!("list {}", into.display()), &e);
    if std::fs::read_dir(into).map_err(failed)?.next().is_some() {
        return Ok(());
    }
    Err(nothing_matched(only))
}

/// The no to a pattern.
pub(crate) fn nothing_matched(only: &str) -> Trouble {
    let change =
        "write it as the paths begin: 'photos/**' for a directory, '**/*.pdf' at any depth";
    let detail = "matches nothing that is kept there";
    Trouble::refused("nothing_matched", format!("--only {only}"), detail, change)
}

/// Shows snapshots, or reads one back.
pub(crate) fn snapshot(verb: SnapshotVerb, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let id = match verb {
        SnapshotVerb::List(part) => return ordinary(Ask::List("snapshots", part), reach, style),
        SnapshotVerb::Show { snapshot } => return ordinary(Ask::Show(snapshot), reach, style),
        SnapshotVerb::Files { snapshot, only } => {
            return listing::files(&snapshot, only.as_deref(), reach, style);
        }
        SnapshotVerb::Map { snapshot, path } => return map(&snapshot, &path, reach, style),
        SnapshotVerb::Adopt { asset } => return adopt(&asset, reach, style),
        SnapshotVerb::Verify { snapshot } => snapshot,
    };
    let value: Value = match Door::open(reach)? {
        Door::Here(here) => {
            let snapshot = read_id(&id)?;
            let (report, recorded) = keeping::look(&here.house, snapshot, here.speaker()?)?;
            match recorded {
                Err(failure @ Failure::Unwritable(..)) => print::remark(&failure.to_string()),
                recorded => {
                    recorded?;
                    here.settle();
                }
            }
            upkeep::read_back(snapshot, &report)
        }
        Door::There(client) => {
            client.wait(&format!("/v1/snapshots/{}/verify", encoded(&id)), &json!({}))?
        }
    };
    print::thing(&value, style)?;
    if value["half_erased"] == Value::Bool(true) {
        print::remark(
            "its custody unit is half erased: an erasure was cut off; `bailee prune` takes the \
             tombstone back, or `bailee erase` under a clearance goes on",
        );
        return Err(Trouble::Said(1));
    }
    if value["intact"] == Value::Bool(true) { Ok(()) } else { Err(Trouble::Said(1)) }
}

/// Records what the vault has and the log does not.
fn adopt(asset: &str, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = Door::open(reach)?;
    let here = door.here("`snapshot adopt`")?;
    let adopted = keeping::adopt(&here.house, read_id(asset)?, here.speaker()?)?;
    here.settle();
    let row = |one: &keeping::Adopted| {
        json!({
            "snapshot": one.snapshot.to_string(),
            "vault_id": one.vault_id.to_string(),
            "bytes": one.bytes,
            "taken": one.taken.to_string(),
            "intact": one.intact,
        })
    };
    let rows: Vec<Value> = adopted.iter().map(row).collect();
    match style {
        Style::Json => print::json(&json!({ "items": rows }))?,
        Style::Words => print::table(&rows)?,
    }
    if adopted.is_empty() {
        print::remark("the vault has nothing of it that the log does not know");
    }
    let whole = adopted.iter().all(|one| one.intact);
    if whole { Ok(()) } else { Err(Trouble::Said(1)) }
}

/// What the medium gave of one file.
fn map(snapshot: &str, path: &OsStr, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let value = match Door::open(reach)? {
        Door::Here(here) => {
            let file = keeping::open_file(&here.house, read_id(snapshot)?, path.as_bytes())?;
            kept::map(snapshot, &path.to_string_lossy(), file.content())
        }
        Door::There(client) => transfer::map(&client, snapshot, path.as_bytes())?,
    };
    if style == Style::Json {
        return print::json(&value);
    }
    let content = kept::mapped(&value).ok_or_else(|| {
        let (about, change) = ("the map", "update both sides");
        Trouble::failed("strange_answer", about, "is not what is read here", change)
    })?;
    print::product(&rescue_map(&content))
}
