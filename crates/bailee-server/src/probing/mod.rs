//! Probing: what keeps the packs is made to show what it really does, and gives some of what is
//! held back; what was seen is an entry of the log.
//!
//! Order: a job is made from state and settings (job.rs) -> it is carried out, without the house,
//! so that an engine that does not answer keeps nobody waiting -> the finding is recorded. A crash
//! before the record leaves a few bytes under `probe/` or `~probe/`, and the job is made again.
//!
//! Invariants: put-once and pins rest on no outcome; what is written is a few bytes under a name of
//! its own, and taken away. Out of scope: whether a disk tells the truth about `fsync`, which only
//! a cut of its power shows.

mod canaries;
mod job;
mod prober;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bailee_core::engine::{Finding, Outcome, Trial};
use bailee_core::id::{AssetId, SnapshotId};
use bailee_core::{Action, Command};
use bailee_store::s3::{self, S3Error};
use bailee_store::{ObjectError, Objects, Put};

use crate::house::{House, HouseError};
use crate::http::metrics::label;
use crate::keeping::{self, KeepError};
use job::{Asked, Job, Seen};
pub(crate) use prober::Prober;

/// Longest text of a trial, bytes.
const LONGEST_TEXT: usize = 1000;

/// Asked by a person: tries out the bucket, or the data directory's objects if there is none, reads
/// some of what is held back, and records what was seen. Gives the engine's place and the finding.
///
/// # Errors
/// A house in memory; the log cannot be written. What the engine does wrong, that it does not
/// answer, and what keeps this house from asking it, is in the finding.
pub fn probe(house: &House) -> Result<(String, Finding), KeepError> {
    let seen = Job::of(house, Asked::ByPerson)?.carry_out();
    let lost = !seen.canaries.lost.is_empty();
    let recorded = record(house, seen)?;
    if lost {
        look_beside(house, &recorded.1)?;
    }
    Ok(recorded)
}

/// What one copy has lost, others of its custody unit may have lost with it: those are looked at,
/// and what they are wanting counts against them.
fn look_beside(house: &House, found: &Finding) -> Result<(), KeepError> {
    let beside = house.with_state(|s| {
        let lost: BTreeSet<SnapshotId> = found.canaries.lost.iter().map(|l| l.snapshot).collect();
        let units = lost.iter().filter_map(|id| s.snapshots.get(*id));
        let units: BTreeSet<(AssetId, u32)> = units.map(|one| (one.source, one.unit)).collect();
        let all = s.snapshots.iter().filter(|(id, one)| {
            let counts = one.verified.is_some() && !lost.contains(id);
            counts && units.contains(&(one.source, one.unit))
        });
        all.map(|(id, _)| id).collect::<Vec<_>>()
    })?;
    for why in keeping::look_at(house, beside.into_iter())? {
        tracing::warn!("{why}");
    }
    Ok(())
}

/// Records what was seen, and gives it as the log has it.
fn record(house: &House, seen: Seen) -> Result<(String, Finding), KeepError> {
    let Seen { engine, trials, mut canaries } = seen;
    house.with_state(|s| canaries::still_held(s, &mut canaries))?;
    let action = Action::RecordProbe { engine: engine.clone(), trials, canaries };
    house.submit(Command::system(action), Vec::new())?;
    let found = house.with_state(|s| s.engines.get(&engine).cloned())?;
    let found = found.ok_or_else(|| KeepError::NotFound(format!("the finding about {engine}")))?;
    Ok((engine, found))
}

/// What was last seen of the engine that keeps the packs now; `None`: nothing yet.
///
/// # Errors
/// The house does not answer.
pub fn last(house: &House) -> Result<Option<(String, Finding)>, HouseError> {
    let engine = house.config().vault.place();
    Ok(house.with_state(|s| s.engines.get(&engine).cloned())?.map(|found| (engine, found)))
}

/// What a person has to know of the engine now, one line each.
pub(crate) fn bad(house: &House) -> Result<Vec<String>, HouseError> {
    let Some((engine, found)) = last(house)? else { return Ok(Vec::new()) };
    let line = |line| format!("entry {}: {engine}: {line}", found.position);
    Ok(found.bad().into_iter().map(line).collect())
}

/// Gauges of what was last seen of the engine that keeps the packs now: one that was left behind
/// would be an alarm for ever.
pub(crate) fn write_metrics(house: &House, out: &mut String) -> Result<(), HouseError> {
    let Some((engine, found)) = last(house)? else { return Ok(()) };
    let engine = label(&engine);
    type Value = fn(&Finding) -> u64;
    let gauges: [(&str, &str, Value); 6] = [
        ("time_seconds", "When it was last probed, seconds since 1970", |f| {
            u64::try_from(f.at.unix()).unwrap_or(0)
        }),
        ("broken", "Promises it did not keep", |f| f.count(Outcome::Broken) as u64),
        ("silent", "Trials that it did not answer", |f| f.count(Outcome::Silent) as u64),
        ("worse", "What was better, or not seen, the time before", |f| f.worse.len() as u64),
        ("canaries", "Objects under hold that were read back", |f| f.canaries.objects.into()),
        ("canaries_lost", "Of them, missing or damaged", |f| f.canaries.lost.len() as u64),
    ];
    for (name, help, value) in gauges {
        let (name, value) = (format!("bailee_engine_probe_{name}"), value(&found));
        _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
        _ = writeln!(out, "{name}{{engine=\"{engine}\"}} {value}");
    }
    Ok(())
}

fn trial(what: &str, outcome: Outcome, saw: &str) -> Trial {
    let end = saw.floor_char_boundary(LONGEST_TEXT);
    Trial { what: what.to_owned(), outcome, saw: saw[..end].to_owned() }
}

/// What a bucket showed.
fn of_bucket(found: Result<Vec<s3::Finding>, S3Error>) -> Vec<Trial> {
    let one = |f: s3::Finding| {
        let outcome = match f.outcome {
            s3::Outcome::Holds => Outcome::Holds,
            s3::Outcome::Absent => Outcome::Absent,
            s3::Outcome::Broken => Outcome::Broken,
        };
        trial(f.what, outcome, &f.saw)
    };
    match found {
        Ok(found) => found.into_iter().map(one).collect(),
        Err(error) => vec![silent(&error.to_string())],
    }
}

/// It did not answer, or not as an engine does.
fn silent(saw: &str) -> Trial {
    trial("answers", Outcome::Silent, saw)
}

/// What a directory showed.
fn of_disk(objects: &dyn Objects, name: &str) -> Vec<Trial> {
    disk(objects, name).unwrap_or_else(|error| vec![silent(&error.to_string())])
}

fn disk(objects: &dyn Objects, name: &str) -> Result<Vec<Trial>, ObjectError> {
    let finding = |what, holds: bool, saw: &str, else_saw: &str| match holds {
        true => trial(what, Outcome::Holds, saw),
        false => trial(what, Outcome::Broken, else_saw),
    };
    let first = objects.put(name, b"first")?;
    let read = objects.get(name)? == b"first" && first == Put::Stored;
    let listed = objects.list(name)? == [name];
    let once = objects.put(name, b"second")? == Put::AlreadyThere && objects.get(name)? == b"first";
    objects.delete(name)?;
    let gone = matches!(objects.get(name), Err(ObjectError::NotFound { .. }));
    Ok(vec![
        finding("read after write", read, "the very bytes", "other bytes"),
        finding("list after write", listed, "it is listed", "it is not listed"),
        finding("put once", once, "kept the first", "wrote over the first"),
        finding("delete", gone, "it is gone", "it is still there"),
    ])
}
