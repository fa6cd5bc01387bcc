//! Into the vault and out of it, of a house on this machine or of a service.
//!
//! Invariant: what could not be read, or did not come back whole, is said by name, and the exit
//! code is 1 then, though the rest is done.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use bailee_server::api::{kept, upkeep};
use bailee_server::core::id::{AssetId, SnapshotId};
use bailee_server::keeping;
use bailee_server::vault::{Input, Pattern, Source, Unchanged, VaultError, rescue_map};
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
    let value = match &door {
        Door::Here(here) => {
            let by = here.speaker()?;
            let asset: AssetId = read_id(&args.asset)?;
            let source = source(args)?;
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
            transfer::preserve(client, args, (source(args)?, name))?
        }
    };
    print::thing(&value, style)?;
    let whole = value["problems"].as_array().is_some_and(Vec::is_empty);
    if whole { Ok(()) } else { Err(Trouble::Said(1)) }
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
    Ok(match (args.device, meta.is_dir(), meta.is_file()) {
        (true, true, _) => {
            let change = "leave --device out for a directory";
            return Err(Trouble::usage(path.display(), "is a directory, not a device", change));
        }
        (true, ..) => Source::Device(path),
        (false, true, _) => Source::Tree(path),
        (false, _, true) => Source::File(path),
        (false, ..) => Source::Device(path),
    })
}

/// What comes on standard input.
fn piped(args: &PreserveArgs) -> Result<Source, Trouble> {
    let stdin = std::io::stdin();
    if args.device || stdin.is_terminal() {
        let change = "pipe a file's bytes in, or an archive with --tar";
        return Err(Trouble::usage("-", "is neither a device nor a terminal to type at", change));
    }
    let own = stdin.as_fd().try_clone_to_owned();
    let file = own.map_err(|e| Trouble::io("read standard input".to_owned(), &e))?;
    let input = Input::new(args.stdin_name.as_str(), std::fs::File::from(file));
    Ok(if args.tar { Source::Tar(input) } else { Source::Stream(input) })
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
    print::thing(&kept::restored(&args.snapshot, &args.into, &report), style)?;
    if report.files == 0 && report.is_complete() {
        print::remark("no file of the snapshot was asked for");
    }
    if report.is_complete() { Ok(()) } else { Err(Trouble::Said(1)) }
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
        SnapshotVerb::Verify { snapshot } => snapshot,
    };
    let value: Value = match Door::open(reach)? {
        Door::Here(here) => {
            let snapshot = read_id(&id)?;
            let report = keeping::verify(&here.house, snapshot, here.speaker()?)?;
            here.settle();
            upkeep::read_back(snapshot, &report)
        }
        Door::There(client) => {
            client.wait(&format!("/v1/snapshots/{}/verify", encoded(&id)), &json!({}))?
        }
    };
    print::thing(&value, style)?;
    if value["intact"] == Value::Bool(true) { Ok(()) } else { Err(Trouble::Said(1)) }
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
    print::out(&rescue_map(&content))
}
