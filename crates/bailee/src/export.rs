//! `bailee export`: a snapshot in a form that needs no vault to be read.
//!
//! Invariants: the key of volumes comes from a file, never from an argument; what has no place in
//! the form is said by name. An archive on standard output is all that goes there.

use std::fs::File;
use std::io::Write;
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
use crate::print::{self, Style};
use crate::transfer;
use crate::trouble::Trouble;
use crate::volumes::volume;

/// Writes a snapshot out.
pub(crate) fn export(args: &ExportArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = Door::open(reach)?;
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
    let (mut out, file) = output(&args.to)?;
    let mut bar = Bar::new();
    let written = match door {
        Door::Here(here) => {
            let (tenant, id) = keeping::locate(&here.house, read_id(&args.snapshot)?)?;
            let vault = keeping::vault(&here.house)?;
            let report = vault.export_tar(&tenant, &id, &mut out, &mut bar);
            report.map(|report| kept::exported(&report)).map_err(vault_says)
        }
        Door::There(client) => transfer::tar(client, &args.snapshot, &mut out, &mut bar),
    };
    drop(bar);
    let Some(file) = file else {
        let value = written?;
        let left_out = value["left_out"].as_array().into_iter().flatten();
        left_out.for_each(|line| print::remark(&line.to_string()));
        return Ok(None);
    };
    durable(&args.to, &file, written).map(Some)
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

/// Sealed volumes, whose key stays on the machine that seals them.
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

/// Where an archive goes; the file, if it is one.
fn output(to: &Path) -> Result<(Box<dyn Write>, Option<File>), Trouble> {
    if to == Path::new("-") {
        return Ok((Box::new(std::io::stdout().lock()), None));
    }
    let fail = |e| Trouble::io(format!("create {}", to.display()), &e);
    let file = File::create_new(to).map_err(fail)?;
    Ok((Box::new(file.try_clone().map_err(fail)?), Some(file)))
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
