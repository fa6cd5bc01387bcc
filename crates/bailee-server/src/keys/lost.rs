//! A lost log key: the entries stay, the log goes on under another name.
//!
//! The first entry under the new name commits to the last checkpoint of the old log that others
//! have seen: its name, key, size, root and digest, with the signed checkpoint as its paper. The
//! entries before are the same leaves, so that the old tree is a prefix of the new one and every
//! old receipt leads, by a consistency proof, to the new root.
//!
//! | a crash after …        | leaves                                                             |
//! |------------------------|--------------------------------------------------------------------|
//! | new key files made     | the house as it was: it does not open; begin again                 |
//! | old files put aside    | the same                                                           |
//! | `LogContinued`         | a log that goes on: the next start writes the name to the settings |
//! | settings written       | nothing: the next checkpoint is under the new name                 |
//!
//! Invariants: nothing goes on that does not contain what was signed; the old checkpoint verifies
//! under a key that the house or the operator knew before; one command refused changes nothing.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use bailee_core::demand::Exhibit as Paper;
use bailee_core::id::PartyId;
use bailee_core::rotation::Ring;
use bailee_core::{Action, Command, Continue, Reason, Record, decide, record};
use bailee_ledger::checkpoint::parse_note;
use bailee_ledger::{Checkpoint, Note, Policy, Verifier};
use bailee_store::{Batch, DirLock, Exhibit, Journal as _, SqliteJournal, digest};

use super::error::KeyError;
use super::file::{KeyDir, KeyFile, rename, sync_dir};
use super::secrets::Secrets;
use super::{DIR, policies, ring, rotate};
use crate::clock::Clock;
use crate::commit::{Salts, entry};
use crate::config::Config;
use crate::house::HouseError;
use crate::projection::Projection;
use crate::publish;
use crate::runner::Failure;

/// How a log goes on.
#[derive(Debug)]
pub struct GoOn<'a> {
    /// The new name.
    pub origin: &'a str,
    /// The last checkpoint of the old log that others have seen, signed.
    pub checkpoint: &'a [u8],
    /// The old key, if the house does not know it.
    pub key: Option<Verifier>,
    /// Who says so; counsel.
    pub by: PartyId,
    /// Why.
    pub reason: Reason,
    /// Documents that the reason names.
    pub exhibits: Vec<Exhibit>,
}

/// Lets the log of the house in `dir` go on under another name and other keys. Durable on return;
/// opening the house does the rest.
///
/// # Errors
/// A checkpoint that no known key signed, or that the journal does not contain; the core's refusal.
pub fn go_on(
    dir: &Path,
    to: GoOn<'_>,
    clock: &Clock,
    secrets: &Secrets,
) -> Result<Vec<Record>, HouseError> {
    let config = Config::read(dir)?;
    let _lock = DirLock::acquire(dir)?;
    let journal = SqliteJournal::open(&dir.join("journal.sqlite"))?;
    let projection = Projection::replay(&journal)?;
    let (state, log) = (&projection.state, &projection.state.ring);
    if log.origin().is_some_and(|now| now != config.origin) {
        return Err(HouseError::Published("the log goes on already: open the house".into()));
    }
    let (before, key) = last(dir, &config.origin, log, &to)?;
    publish::fits(&projection, &before)?;
    let there = dir.join(publish::CHECKPOINT).exists();
    publish::in_place(there, &projection, journal.cell(publish::CHECKPOINT)?.as_deref())?;
    let files = KeyDir::new(&dir.join(DIR), secrets, None);
    // Asked before anything is made, so that new files are protected like old ones.
    let clearance = files.find(KeyFile::Clearance)?;
    let keys = rotate::public(&rotate::make(&files, to.origin, &config.keys.next)?);
    let (signed, paper) = paper(to.checkpoint);
    let mut exhibits = to.exhibits;
    exhibits.push(signed);
    let note = paper.digest;
    let mut reason = to.reason;
    reason.exhibits.push(paper);
    let origin = to.origin.to_owned();
    let Checkpoint { origin: before, size, root, .. } = before;
    let next = Continue { origin, keys, before, key, size, root, note };
    let command = Command::by(to.by, Action::ContinueLog { to: next, reason });
    let now = clock.now();
    let facts = decide(state, &command, now).map_err(Failure::from)?;
    for (file, aside) in [(KeyFile::Log, "log.lost"), (KeyFile::Second, "log-ml-dsa.lost")] {
        if files.path(file).exists() {
            rename(&files.path(file), &files.dir().join(aside))?;
        }
    }
    if clearance.is_none() {
        files.create(KeyFile::Clearance)?;
    }
    sync_dir(files.dir())?;
    let records: Vec<Record> =
        facts.into_iter().map(|fact| record(state, &command, now, fact)).collect();
    let drawn = |e: getrandom::Error| KeyError::io("draw salts", e);
    let mut salts = Salts::draw(records.len()).map_err(drawn)?;
    let entries = records.iter().map(|record| entry(record, &mut salts)).collect();
    journal.append(state.head, &Batch { entries, exhibits })?;
    Ok(records)
}

/// The old log's last checkpoint, under a key that is known, and that key.
fn last(
    dir: &Path,
    origin: &str,
    log: &Ring,
    to: &GoOn<'_>,
) -> Result<(Checkpoint, [u8; 32]), HouseError> {
    let recorded = policies::first(dir, origin)?;
    let mut policy = Policy::default();
    // Earlier keys too: what it says is held against the tree, so that none of them can lie.
    let named = ring::named(origin, log, recorded.as_ref());
    for key in named.into_iter().chain(to.key.clone()) {
        // Only one that is in it already is refused.
        _ = policy.add_log(key, None);
    }
    if policy.logs().is_empty() {
        let why = "nothing here says which key the log had: give it with --key".to_owned();
        return Err(HouseError::Published(why));
    }
    let note: Note = parse_note(to.checkpoint).map_err(KeyError::from)?;
    let (by, checkpoint) = policy.open_log(&note).map_err(KeyError::from)?;
    if checkpoint.origin != origin {
        let why = format!("is about {}, and this log is {origin}", checkpoint.origin);
        return Err(HouseError::Published(why));
    }
    let mut key = [0; 32];
    key.copy_from_slice(policy.logs()[by].key.public());
    Ok((checkpoint, key))
}

fn paper(bytes: &[u8]) -> (Exhibit, Paper) {
    let (digest, size) = (digest(bytes), bytes.len() as u64);
    let (media, name) = ("text/plain".to_owned(), "checkpoint".to_owned());
    (Exhibit { digest, bytes: bytes.to_vec() }, Paper { digest, size, media, name })
}

/// Writes the name under which the log goes on into the settings, if they have the old one.
pub(crate) fn settle(dir: &Path, config: Config, ring: &Ring) -> Result<Config, HouseError> {
    let Some(last) = ring.continued.last().filter(|last| last.origin != config.origin) else {
        return Ok(config);
    };
    if last.before != config.origin {
        let detail =
            format!("origin: the log goes on under {}, not {}", last.origin, config.origin);
        return Err(HouseError::Config { path: dir.join(Config::FILE), detail });
    }
    let path = dir.join(Config::FILE);
    let io = |e| HouseError::io("write the settings", &e);
    let old = fs::read_to_string(&path).map_err(io)?;
    let renamed = |line: &str| match line.split_once('=') {
        Some((name, _)) if name.trim() == "origin" => format!("origin = {:?}\n", last.origin),
        _ => format!("{line}\n"),
    };
    let text: String = old.lines().map(renamed).collect();
    let wanted = Config { origin: last.origin.clone(), ..config };
    if Config::parse(&text).as_ref() != Ok(&wanted) {
        let detail = format!("write origin = {:?} into it; it was not understood", last.origin);
        return Err(HouseError::Config { path, detail });
    }
    let aside = path.with_extension("toml.part");
    let mut file = File::create(&aside).map_err(io)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&aside, &path).map_err(io)?;
    sync_dir(dir)?;
    Ok(wanted)
}
