//! `bailee export`: a snapshot in a form that needs no vault to be read.
//!
//! Invariants: the key of volumes comes from a file, never from an argument; what has no place in
//! the form is said by name. An archive on standard output is all that goes there.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use bailee_server::core::id::SnapshotId;
use bailee_server::vault::{ExportReport, Kek, VaultError};
use bailee_server::{keeping, volumes};
use serde_json::{Value, json};

use crate::cli::Reach;
use crate::cli::keep::{ExportArgs, Form};
use crate::door::{Door, read_id};
use crate::print::progress::Bar;
use crate::print::{self, Style};
use crate::trouble::Trouble;
use crate::volumes::volume;

/// Writes a snapshot out.
pub(crate) fn export(args: &ExportArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = Door::open(reach)?;
    let here = door.here("`export`")?;
    let snapshot: SnapshotId = read_id(&args.snapshot)?;
    let (tenant, id) = keeping::locate(&here.house, snapshot)?;
    let vault = keeping::vault(&here.house)?;
    let origin = here.house.config().origin.as_str();
    let vault_says = |e: VaultError| Trouble::from(keeping::KeepError::from(e));
    let mut bar = Bar::new();
    let (report, set) = match args.form {
        Form::Tar => {
            let (mut out, file) = output(&args.to)?;
            let written = vault.export_tar(&tenant, &id, &mut out, &mut bar).map_err(vault_says);
            drop(bar);
            let Some(file) = file else {
                left_out(&written?).for_each(|line| print::remark(&line.to_string()));
                return Ok(());
            };
            (durable(&args.to, &file, written)?, None)
        }
        Form::Bag => {
            let bag = vault.export_bag(&tenant, &id, (origin, &args.to), &mut bar);
            drop(bar);
            (bag.map_err(vault_says)?, None)
        }
        Form::Volumes => {
            let key = key(args.key.as_deref()).map_err(vault_says)?;
            let (what, to) = ((snapshot, here.speaker()?), (&*args.to, args.size));
            let set = volumes::export(&here.house, what, &key, to, &mut bar);
            drop(bar);
            let set = set?;
            here.settle();
            (set.export.clone(), Some(set))
        }
    };
    let mut value = json!({
        "snapshot": args.snapshot,
        "to": args.to,
        "files": report.files,
        "bytes": report.bytes,
        "left_out": left_out(&report).collect::<Vec<_>>(),
        "by_chunks": report.by_chunks,
    });
    if let Some(set) = set {
        value["set"] = json!(set.set.to_string());
        value["volumes"] = set.volumes.iter().map(volume).collect();
    }
    print::thing(&value, style)
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
fn durable(
    path: &Path,
    file: &File,
    written: Result<ExportReport, Trouble>,
) -> Result<ExportReport, Trouble> {
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

fn left_out(report: &ExportReport) -> impl Iterator<Item = Value> {
    report.left_out.iter().map(|p| json!({ "path": p.path, "what": p.what }))
}
