//! Data between this machine and the service of another: in, to be kept, and out again.
//!
//! Invariants: a source is read on a thread of its own and sent while it is read, so that a few
//! pieces of it are in memory; if it fails, that is the answer, and what was sent has no end, so
//! that nothing is recorded. What the service says of a source counts before the broken pipe that
//! follows from it.

use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use bailee_server::api::{Problem, kept};
use bailee_server::keeping::KeepError;
use bailee_server::span::Span;
use bailee_server::vault::{Pattern, Plain, Source, SourceKind, VaultError, receive, receive_bag};
use bailee_server::vault::{RestoreReport, send};
use serde_json::Value;

use crate::cli::keep::{ExportArgs, PreserveArgs};
use crate::client::{Client, encoded};
use crate::print::progress::Bar;
use crate::trouble::Trouble;

/// How long a source that is refused may take to say that it failed by itself.
const WHY: Duration = Duration::from_secs(1);

/// Sends a source, which is of this kind and called so; what was kept of it.
pub(crate) fn preserve(
    client: &Client,
    args: &PreserveArgs,
    (source, name): (Source, &str),
) -> Result<Value, Trouble> {
    let path = format!(
        "/v1/assets/{}/snapshots?kind={}&name={}&rehash={}",
        encoded(&args.asset),
        kind(&source),
        encoded(name),
        args.rehash
    );
    let pipe = io::pipe().map_err(|e| Trouble::io("make a pipe", &e))?;
    let (reader, mut writer) = pipe;
    let (told, failed) = channel();
    let sending = move || {
        let sent = send(&source, &mut writer, &mut Bar::new());
        // Nobody listens if the service has answered already.
        _ = told.send(sent);
    };
    let started = thread::Builder::new().name("source".into()).spawn(sending);
    started.map_err(|e| Trouble::io("start a thread", &e))?;
    let answer = client.deliver(&path, reader);
    match (answer, failed.recv_timeout(WHY)) {
        (answer, Ok(Ok(()) | Err(VaultError::Destination { .. })) | Err(_)) => answer,
        (_, Ok(Err(error))) => Err(KeepError::from(error).into()),
    }
}

fn kind(source: &Source) -> &'static str {
    match source {
        Source::Tree(_) | Source::Sent(SourceKind::Tree, _) => "tree",
        Source::File(_) | Source::Sent(SourceKind::File, _) => "file",
        Source::Device(_) | Source::LiveDevice(_) | Source::Sent(SourceKind::Device, _) => "device",
        Source::Stream(_) | Source::Sent(SourceKind::Stream, _) => "stream",
        Source::Tar(_) | Source::Sent(SourceKind::Tar, _) => "tar",
    }
}

/// Restores a snapshot of the service, or what `only` matches, into a directory here.
pub(crate) fn restore(
    client: &Client,
    (snapshot, only): (&str, Option<(&str, &Pattern)>),
    into: &Path,
    bar: &mut Bar,
) -> Result<RestoreReport, Trouble> {
    let mut path = format!("/v1/snapshots/{}/content", encoded(snapshot));
    if let Some((text, _)) = only {
        path.push_str(&format!("?only={}", encoded(text)));
    }
    let mut from = client.take(&path)?;
    let from = (&mut from as &mut (dyn Read + Send), client.base());
    let report = receive(from, into, only.map(|(_, pattern)| pattern), bar);
    Ok(report.map_err(KeepError::from)?)
}

/// Makes a bag of a snapshot of the service.
pub(crate) fn bag(client: &Client, args: &ExportArgs, bar: &mut Bar) -> Result<Value, Trouble> {
    let path = format!("/v1/snapshots/{}/content", encoded(&args.snapshot));
    let mut from = client.take(&path)?;
    let from = (&mut from as &mut (dyn Read + Send), client.base());
    let report = receive_bag(from, &args.to, bar).map_err(KeepError::from)?;
    Ok(kept::exported(&report))
}

/// Writes the archive that the service makes of a snapshot; what is in it.
pub(crate) fn tar(
    client: &Client,
    snapshot: &str,
    out: &mut dyn io::Write,
    bar: &mut Bar,
) -> Result<Value, Trouble> {
    let path = format!("/v1/snapshots/{}/content?form=tar", encoded(snapshot));
    let report = plain(client, &path, out, &mut |done| {
        bar.bytes("writing the archive", done, 0);
    })?;
    let said: Value = serde_json::from_slice(&report).map_err(|e| not_ours(client, &e))?;
    if said["code"].is_null() {
        return Ok(said);
    }
    let problem: Problem = serde_json::from_value(said).map_err(|e| not_ours(client, &e))?;
    Err(problem.into())
}

/// Writes what a span of a file of the service has.
pub(crate) fn cat(
    client: &Client,
    (snapshot, file, span): (&str, &[u8], Span),
    out: &mut dyn io::Write,
) -> Result<(), Trouble> {
    let (snapshot, file) = (encoded(snapshot), encoded(file));
    let path = format!("/v1/snapshots/{snapshot}/file?path={file}&range={span}");
    let report = plain(client, &path, out, &mut |_| ())?;
    if report.is_empty() {
        return Ok(());
    }
    let problem: Problem = serde_json::from_slice(&report).map_err(|e| not_ours(client, &e))?;
    Err(problem.into())
}

/// Writes the bytes that a transfer carries, saying how many it has; what is said behind them.
fn plain(
    client: &Client,
    path: &str,
    out: &mut dyn io::Write,
    far: &mut dyn FnMut(u64),
) -> Result<Vec<u8>, Trouble> {
    let mut plain = Plain::new(client.take(path)?, client.base());
    let (mut room, mut done) = (vec![0; 1 << 20], 0);
    loop {
        let n = plain.read(&mut room).map_err(|e| match e.downcast::<VaultError>() {
            Ok(error) => KeepError::from(error).into(),
            Err(e) => Trouble::io("read the answer", &e),
        })?;
        if n == 0 {
            break;
        }
        out.write_all(&room[..n]).map_err(|e| Trouble::unread(&e))?;
        done += n as u64;
        far(done);
    }
    out.flush().map_err(|e| Trouble::unread(&e))?;
    Ok(plain.report().map_err(KeepError::from)?)
}

fn not_ours(client: &Client, error: &serde_json::Error) -> Trouble {
    Trouble::failed("strange_answer", client.base(), error, "update both sides")
}

/// What the medium gave of a file of the service, and what not.
pub(crate) fn map(client: &Client, snapshot: &str, path: &[u8]) -> Result<Value, Trouble> {
    client.get(&format!("/v1/snapshots/{}/map?path={}", encoded(snapshot), encoded(path)))
}
