//! `bailee volumes`: read sealed archive volumes back, from their files and their key alone.
//!
//! Invariants: no data directory is needed, and none is opened but for `--log`; the key comes from
//! a file. What is wrong is said by volume and by file, and the exit code is 1 then, though the
//! rest is done.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bailee_server::api::kept;
use bailee_server::keeping::KeepError;
use bailee_server::vault::{
    Given, Ignored, Kek, Pattern, Problem, SetId, Shelf, VaultError, VolumeFacts, VolumeProblem,
    check_volumes, restore_volumes,
};
use bailee_server::volumes::{differences, logged};
use serde_json::{Value, json};

use crate::cli::Reach;
use crate::cli::volumes::{CheckArgs, RestoreArgs, VolumesVerb};
use crate::door::Door;
use crate::keep::matched;
use crate::print::progress::Bar;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// What volumes start with.
const MAGIC: [u8; 8] = *b"BAILVOL1";

/// Checks or restores.
pub(crate) fn volumes(verb: &VolumesVerb, reach: &Reach, style: Style) -> Result<(), Trouble> {
    match verb {
        VolumesVerb::Check(args) => check(args, reach, style),
        VolumesVerb::Restore(args) => restore(args, style),
    }
}

fn check(args: &CheckArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let paths = find(&args.paths)?;
    let key = args.key.as_deref().map(key).transpose()?;
    let mut bar = Bar::new();
    let shelf = Shelf { paths: &paths, set: set(args.set.as_deref())? };
    let given = check_volumes(shelf, key.as_ref(), &mut bar).map_err(trouble)?;
    drop(bar);
    let mut value = told(&given);
    value["authentic"] = json!(key.is_some() && given.volumes.problems.is_empty());
    let log = args.log.then(|| compare(&given, reach)).transpose()?;
    let known = log.as_ref().is_none_or(|(_, good)| *good);
    value["log"] = log.map_or(Value::Null, |(said, _)| said);
    print::thing(&value, style)?;
    if key.is_none() {
        print::remark("without a key nothing is authentic: these are what the headers say");
    }
    if known { done(&given) } else { Err(Trouble::Said(1)) }
}

/// What the log says of these volumes, and whether it is what was read.
fn compare(given: &Given, reach: &Reach) -> Result<(Value, bool), Trouble> {
    let door = Door::open_here(reach, "`volumes check --log`")?;
    let house = &door.here("`volumes check --log`")?.house;
    let set = given.volumes.set;
    let Some(logged) = set.map(|set| logged(house, set)).transpose()?.flatten() else {
        let what = "the log does not know this set: is it another house's, or was a write cut off?";
        return Ok((json!({ "differences": [what] }), false));
    };
    let differences = differences(&logged, &given.volumes);
    let good = differences.is_empty();
    let value = json!({
        "entry": logged.position,
        "snapshot": logged.snapshot.to_string(),
        "volumes": logged.volumes.len(),
        "differences": differences,
    });
    Ok((value, good))
}

fn restore(args: &RestoreArgs, style: Style) -> Result<(), Trouble> {
    let only = args.only.as_deref().map(Pattern::new).transpose().map_err(|e: VaultError| {
        Trouble::usage("--only", e, "write a pattern like 'photos/**' or '*.pdf'")
    })?;
    let (paths, key) = (find(&args.paths)?, key(&args.key)?);
    let mut bar = Bar::new();
    let to = (&*args.into, only.as_ref());
    let shelf = Shelf { paths: &paths, set: set(args.set.as_deref())? };
    let given = restore_volumes(shelf, &key, to, &mut bar).map_err(trouble)?;
    drop(bar);
    if given.is_complete() {
        matched(args.only.as_deref(), &args.into)?;
    }
    let mut value = kept::with_missed(told(&given), &given.missed);
    value["into"] = json!(args.into);
    print::thing(&value, style)?;
    done(&given)
}

fn done(given: &Given) -> Result<(), Trouble> {
    if given.is_complete() { Ok(()) } else { Err(Trouble::Said(1)) }
}

fn trouble(e: VaultError) -> Trouble {
    KeepError::from(e).into()
}

fn set(text: Option<&str>) -> Result<Option<SetId>, Trouble> {
    let change = "write it as `volumes check` and the names of its files have it";
    let told = |e: VaultError| Trouble::usage("--set", e, change);
    text.map(|text| text.parse().map_err(told)).transpose()
}

fn key(path: &Path) -> Result<Kek, Trouble> {
    Kek::from_file(path).map_err(trouble)
}

/// The files that were named, and the volumes in the directories that were.
fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Trouble> {
    let mut all = Vec::new();
    for path in paths {
        if !path.exists() {
            let change = "name the volumes, or the directory that has them";
            return Err(Trouble::failed("not_there", path.display(), "is not there", change));
        }
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let failed = |e| Trouble::io(format!("list {}", path.display()), &e);
        let before = all.len();
        for item in std::fs::read_dir(path).map_err(failed)? {
            let file = item.map_err(failed)?.path();
            if file.is_file() && is_volume(&file) {
                all.push(file);
            }
        }
        if all.len() == before {
            let change = "name the directory that has the volumes, or the files themselves";
            return Err(Trouble::usage(path.display(), "has no archive volume in it", change));
        }
    }
    all.sort();
    Ok(all)
}

/// By its name or its first bytes: either may be what is left of it.
fn is_volume(path: &Path) -> bool {
    let mut start = [0; 8];
    let named = path.extension().is_some_and(|kind| kind == "bvol");
    named || File::open(path).and_then(|mut f| f.read_exact(&mut start)).is_ok() && start == MAGIC
}

fn told(given: &Given) -> Value {
    let report = &given.volumes;
    let one = |p: &VolumeProblem| json!({ "volume": p.volume(), "what": p.to_string() });
    json!({
        "set": report.set.map(|set| set.to_string()),
        "origin": report.origin,
        "account": report.tenant,
        "unit": report.unit,
        "snapshots": report.snapshots.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "volumes": report.volumes.iter().map(volume).collect::<Vec<_>>(),
        "files": given.files,
        "bytes": given.bytes,
        "complete": given.is_complete(),
        "never_read": given.never_read,
        "unreadable": given.unreadable,
        "problems": report.problems.iter().map(one).collect::<Vec<_>>(),
        "ignored": report.ignored.iter().map(ignored).collect::<Vec<_>>(),
        "damaged": problems(&given.damaged),
        "not_restored": problems(&given.not_restored),
        "by_frames": given.by_frames,
    })
}

fn ignored(one: &Ignored) -> Value {
    let set = one.set.map(|set| set.to_string());
    json!({ "set": set, "volumes": one.volumes, "what": one.what })
}

fn problems(all: &[Problem]) -> Value {
    let one = |p: &Problem| {
        let path = p.path.display().to_string();
        json!({ "path": path, "what": p.what })
    };
    all.iter().map(one).collect()
}

/// One volume, as it stands in answers.
pub(crate) fn volume(facts: &VolumeFacts) -> Value {
    json!({
        "file": facts.path,
        "ordinal": facts.ordinal,
        "size": facts.size,
        "sha256": bailee_ledger::to_hex(&facts.sha256),
    })
}
