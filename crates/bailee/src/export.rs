//! `bailee export`: a snapshot in a form that needs no vault to be read.
//!
//! Invariants: the key of volumes comes from a file, never from an argument; what has no place in
//! the form is said by name. An archive on standard output is all that goes there, and a reader
//! that leaves before its end has no archive: 3, quietly.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;

use bailee_server::api::kept;
use bailee_server::core::id::SnapshotId;
use bailee_server::keeping::KeepError;
use bailee_server::vault::{Kek, VaultError};
use bailee_server::{keeping, volumes};
use serde_json::{Value, json};

use crate::cli::Reach;
use crate::cli::keep::{ExportArgs, Form};
use crate::door::{Door, read_id};
use crate::print::progress::Bar;
use crate::print::{self, Product, Style};
use crate::transfer;
use crate::trouble::Trouble;
use crate::volumes::volume;

/// Writes a snapshot out.
pub(crate) fn export(args: &ExportArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = match args.form {
        Form::Volumes => Door::open_here(reach, "`export --form volumes`")?,
        Form::Tar | Form::Bag => Door::open(reach)?,
    };
    let written = match args.form {
        Form::Tar => archive(args, &door)?,
        Form::Bag => Some(bag(args, &door)?),
        Form::Volumes => Some(sealed(args, &door)?),
    };
    let Some(mut value) = written else { return Ok(()) };
    value["snapshot"] = json!(args.snapshot);
    value["to"] = json!(args.to);
    print::thing(&value, style)
}

fn vault_says(e: VaultError) -> Trouble {
    KeepError::from(e).into()
}

/// An archive; nothing to print if it went to standard output.
fn archive(args: &ExportArgs, door: &Door) -> Result<Option<Value>, Trouble> {
    if args.to == Path::new("-") {
        let mut out = Product::open();
        let written = pack(args, door, &mut out);
        if out.left() {
            return Err(Trouble::Unread);
        }
        let value = written?;
        out.end()?;
        let left_out = value["left_out"].as_array().into_iter().flatten();
        left_out.for_each(|line| print::remark(&line.to_string()));
        return Ok(None);
    }
    let file = File::create_new(&args.to).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => {
            Trouble::usage(args.to.display(), "is there already", "name a new file")
        }
        _ => Trouble::io(format!("create {}", args.to.display()), &e),
    })?;
    let written = pack(args, door, &mut &file);
    durable(&args.to, &file, written).map(Some)
}

/// Writes the archive; what is in it.
fn pack(args: &ExportArgs, door: &Door, out: &mut dyn Write) -> Result<Value, Trouble> {
    let mut bar = Bar::new();
    match door {
        Door::Here(here) => {
            let (tenant, id) = keeping::locate(&here.house, read_id(&args.snapshot)?)?;
            let vault = keeping::vault(&here.house)?;
            let report = vault.export_tar(&tenant, &id, out, &mut bar);
            report.map(|report| kept::exported(&report)).map_err(vault_says)
        }
        Door::There(client) => transfer::tar(client, &args.snapshot, out, &mut bar),
    }
}

fn bag(args: &ExportArgs, door: &Door) -> Result<Value, Trouble> {
    let mut bar = Bar::new();
    match door {
        Door::Here(here) => {
            let (tenant, id) = keeping::locate(&here.house, read_id(&args.snapshot)?)?;
            let origin = here.house.config().origin.as_str();
            let vault = keeping::vault(&here.house)?;
            let report = vault.export_bag(&tenant, &id, (origin, &args.to), &mut bar);
            Ok(kept::exported(&report.map_err(vault_says)?))
        }
        Door::There(client) => transfer::bag(client, args, &mut bar),
    }
}

/// Sealed volumes, whose key stays on the machine that seals them: it has no way through a server.
fn sealed(args: &ExportArgs, door: &Door) -> Result<Value, Trouble> {
    let here = door.here("`export --form volumes`")?;
    let snapshot: SnapshotId = read_id(&args.snapshot)?;
    let key = key(args.key.as_deref()).map_err(vault_says)?;
    let (what, to) = ((snapshot, here.speaker()?), (&*args.to, args.size));
    let mut bar = Bar::new();
    let set = volumes::export(&here.house, what, &key, to, &mut bar)?;
    drop(bar);
    here.settle();
    let mut value = kept::exported(&set.export);
    value["set"] = json!(set.set.to_string());
    value["volumes"] = set.volumes.iter().map(volume).collect();
    Ok(value)
}

/// An archive is on disk, with its name, or it is not there at all.
fn durable(path: &Path, file: &File, written: Result<Value, Trouble>) -> Result<Value, Trouble> {
    let above = path.parent().filter(|above| *above != Path::new("")).unwrap_or(Path::new("."));
    let sync = || file.sync_all().and_then(|()| File::open(above)?.sync_all());
    let kept = written.and_then(|report| {
        sync().map_err(|e| Trouble::io(format!("sync {}", path.display()), &e))?;
        Ok(report)
    });
    if kept.is_err() {
        // What is cut off reads as an archive to whoever does not look for its end.
        drop(std::fs::remove_file(path));
    }
    kept
}

/// The key in a file, made if there is none.
fn key(path: Option<&Path>) -> Result<Kek, VaultError> {
    let path = path.unwrap_or_else(|| Path::new(""));
    if path.exists() { Kek::from_file(path) } else { Kek::generate_file(path) }
}
