//! `bailee export`: a snapshot in a form that needs no vault to be read.
//!
//! Invariants: the key of volumes comes from a file, never from an argument; what has no place in
//! the form, or was never read, is said by name, and bytes and names that were never read are a no,
//! as for `restore`. An archive in a file has its name only when it is whole and on disk. One on
//! standard output is all that goes there, and a reader that leaves before its end has no archive:
//! 3, quietly.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use bailee_server::api::kept;
use bailee_server::core::id::SnapshotId;
use bailee_server::keeping::KeepError;
use bailee_server::vault::{Kek, VaultError};
use bailee_server::{keeping, volumes};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
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
    let mut value = match args.form {
        Form::Tar => archive(args, &door)?,
        Form::Bag => bag(args, &door)?,
        Form::Volumes => sealed(args, &door)?,
    };
    if args.form == Form::Tar && args.to == Path::new("-") {
        let left_out = value["left_out"].as_array().into_iter().flatten();
        let word = |line: &Value, member| print::safe(line[member].as_str().unwrap_or_default());
        left_out.for_each(|line| {
            print::remark(&format!("{}: {}", word(line, "path"), word(line, "what")));
        });
    } else {
        value["snapshot"] = json!(args.snapshot);
        value["to"] = json!(args.to);
        print::thing(&value, style)?;
    }
    // A service of before did not say.
    if value["complete"].as_bool().unwrap_or(true) { Ok(()) } else { Err(Trouble::Said(1)) }
}

fn vault_says(e: VaultError) -> Trouble {
    KeepError::from(e).into()
}

/// An archive.
fn archive(args: &ExportArgs, door: &Door) -> Result<Value, Trouble> {
    if args.to == Path::new("-") {
        let mut out = Product::open();
        let written = pack(args, door, &mut out);
        if out.left() {
            return Err(Trouble::Unread);
        }
        let value = written?;
        out.end()?;
        return Ok(value);
    }
    if args.to.symlink_metadata().is_ok() {
        return Err(occupied(&args.to, "name a new file"));
    }
    let mut name = args.to.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = args.to.with_file_name(name);
    let file = File::create_new(&part).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => {
            let change = "if no export is writing it, one was cut off there: remove it";
            occupied(&part, change)
        }
        _ => Trouble::io(format!("create {}", part.display()), &e),
    })?;
    let written = pack(args, door, &mut &file);
    durable((&part, &args.to), &file, written)
}

fn occupied(path: &Path, change: &str) -> Trouble {
    Trouble::usage(path.display(), "is there already", change)
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

/// An archive is on disk, with its name, or it is not there at all: what is cut off reads as an
/// archive to whoever does not look for its end.
fn durable(
    (part, path): (&Path, &Path),
    file: &File,
    written: Result<Value, Trouble>,
) -> Result<Value, Trouble> {
    let above = path.parent().filter(|above| *above != Path::new("")).unwrap_or(Path::new("."));
    let failed = |e| Trouble::io(format!("write {}", path.display()), &e);
    let named = written.and_then(|report| {
        file.sync_all().map_err(failed)?;
        match rename_new(part, path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                Err(occupied(path, "somebody made it meanwhile: name a new file"))
            }
            renamed => renamed.map(|()| report).map_err(failed),
        }
    });
    let kept = named.inspect_err(|_| drop(std::fs::remove_file(part)))?;
    File::open(above).and_then(|directory| directory.sync_all()).map_err(failed)?;
    Ok(kept)
}

/// Gives a file its name, if nothing has it.
fn rename_new(part: &Path, path: &Path) -> io::Result<()> {
    match renameat_with(CWD, part, CWD, path, RenameFlags::NOREPLACE) {
        // A file system that cannot promise it: that nothing was there was seen before.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => std::fs::rename(part, path),
        renamed => Ok(renamed?),
    }
}

/// The key in a file, made if there is none.
fn key(path: Option<&Path>) -> Result<Kek, VaultError> {
    let path = path.unwrap_or_else(|| Path::new(""));
    if path.exists() { Kek::from_file(path) } else { Kek::generate_file(path) }
}
