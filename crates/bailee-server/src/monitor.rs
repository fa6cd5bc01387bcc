//! A monitor: follows somebody's log over HTTP and raises an alarm on what a log must not do.
//! Counsel or an NGO runs one from the same binary, apart from every house.
//!
//! Order of a look: witnesses' checkpoints -> the log's checkpoint -> compared with the tree seen
//! before -> entries and tiles from there on, down to the root it signed -> each witness's tree
//! proven to be part of it -> the new tree replaces the one seen (state.rs). The witnesses come
//! first, so that none of them can be ahead of an honest log.
//!
//! Invariants: what was seen is only replaced by a tree that extends it (bailee-ledger `monitor`
//! decides); nothing that is served is believed beyond what was recomputed from it; both halves of
//! a fork are kept as proof. A log that cannot be reached is a failure, and an alarm only after the
//! silence that was asked for. Entries that a log has let go of (410) are followed by their hashes,
//! which is enough to know that it only grew; what is not read is told at each look.
//!
//! Out of scope: whom to tell (the binary runs a command), what entries mean.

mod fetch;
mod state;

pub use state::Seen;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bailee_ledger::frontier::Frontier;
use bailee_ledger::hash::sha256;
use bailee_ledger::monitor::{self as judge, Alarm, Growing, Step};
use bailee_ledger::policy::PolicyWitness;
use bailee_ledger::proof::verify_consistency;
use bailee_ledger::tile_reader::TileReader;
use bailee_ledger::{Checkpoint, Note, Policy, TileId, to_hex};

use crate::monitor::fetch::Log;
use crate::web::Web;

/// Why a look could not be finished. It says nothing about the log's honesty.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The log does not answer, or not with what was asked for.
    #[error("{url}: {detail}")]
    Log {
        /// What was asked for.
        url: String,
        /// What came.
        detail: String,
    },
    /// The state is damaged, or of another log.
    #[error("{path}: {detail}")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The file system says no.
    #[error("could not {doing}: {detail}")]
    Io {
        /// The operation.
        doing: String,
        /// The system's words.
        detail: String,
    },
    /// The policy does not say which log this is.
    #[error("the policy names {0} logs; a monitor follows exactly one: give its key")]
    WhichLog(usize),
    /// Something read does not parse.
    #[error(transparent)]
    Ledger(#[from] bailee_ledger::Error),
}

/// What a monitor is told.
pub struct Watch {
    /// Prefix of the log: `/checkpoint` and `/tile/…` are below it.
    pub url: String,
    /// The log's key, and the witnesses and quorum that are asked for.
    pub policy: Policy,
    /// Where its state is kept.
    pub dir: PathBuf,
    /// Seconds without a new checkpoint that raise an alarm; `None`: never.
    pub silence: Option<u64>,
    /// Longest wait for one answer.
    pub patience: Duration,
}

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Leaves of the tree seen now; of the last good one, if there is an alarm.
    pub size: u64,
    /// Leaves before.
    pub before: u64,
    /// Of the leaves between: those whose entries the log serves no more. That they extend the log
    /// is proven by their hashes; what they say was not seen.
    pub unread: u64,
    /// Witnesses whose own checkpoint was compared.
    pub compared: usize,
    /// What is wrong, worst first.
    pub alarms: Vec<Alarm>,
}

/// A monitor with its state.
pub struct Monitor {
    watch: Watch,
    log: Log,
    seen: Seen,
}

/// A witness's own checkpoint of the log.
struct View {
    witness: String,
    note: Note,
    tree: Checkpoint,
}

impl Monitor {
    /// A monitor that goes on from what its directory has seen.
    ///
    /// # Errors
    /// The state is damaged or of another log, or the policy names not exactly one log.
    pub fn open(watch: Watch, web: Web, now: u64) -> Result<Monitor, MonitorError> {
        let origins: std::collections::BTreeSet<&str> =
            watch.policy.logs().iter().map(|log| log.key.name()).collect();
        let (1, Some(origin)) = (origins.len(), origins.first()) else {
            return Err(MonitorError::WhichLog(origins.len()));
        };
        let seen = Seen::read(&watch.dir, origin, now)?;
        let log = Log::new(web, &watch.url, watch.patience);
        Ok(Monitor { watch, log, seen })
    }

    /// What has been seen so far.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Where the state is.
    pub fn dir(&self) -> &Path {
        &self.watch.dir
    }

    /// Remembers which alarms are told now, by their words, and gives those that were not told at
    /// the last look.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn tell(&mut self, words: &[String]) -> Result<Vec<String>, MonitorError> {
        let fresh = words.iter().filter(|word| !self.seen.told.contains(word)).cloned().collect();
        if self.seen.told != words {
            self.seen.told = words.to_vec();
            self.seen.write(&self.watch.dir)?;
        }
        Ok(fresh)
    }

    /// Looks once. `now`: Unix seconds.
    ///
    /// # Errors
    /// The log cannot be read, or the state not written. Silence, if it is one, is told even then:
    /// by [`Monitor::silent`].
    pub fn look(&mut self, now: u64) -> Result<Look, MonitorError> {
        let (before, mut unread) = (self.seen.edge.size(), 0);
        let mut alarms = Vec::new();
        let views = self.views(&mut alarms);
        let shown = self.log.checkpoint()?;
        match judge::open(&shown, &self.watch.policy) {
            Err(alarm) => alarms.push(alarm),
            Ok((note, tree)) => {
                match self.follow(&note, &tree, now)? {
                    Err(alarm) => alarms.push(alarm),
                    Ok(denied) => {
                        unread = denied;
                        self.compare(&views, &mut alarms)?;
                    }
                }
                alarms.extend(judge::quorum(&note, tree.size, &self.watch.policy).err());
            }
        }
        alarms.extend(self.silent(now));
        self.seen.write(&self.watch.dir)?;
        let (size, compared) = (self.seen.edge.size(), views.len());
        Ok(Look { size, before, unread, compared, alarms })
    }

    /// Is it longer than allowed that the log has shown anything new?
    pub fn silent(&self, now: u64) -> Option<Alarm> {
        let seconds = now.saturating_sub(self.seen.grown_at);
        self.watch.silence.filter(|most| seconds > *most).map(|_| Alarm::Silence { seconds })
    }

    /// Goes from the tree seen before to the one that is shown; the number of leaves on the way
    /// whose entries are served no more.
    fn follow(
        &mut self,
        note: &Note,
        shown: &Checkpoint,
        now: u64,
    ) -> Result<Result<u64, Alarm>, MonitorError> {
        let edge = match judge::compare(&self.seen.edge, shown) {
            Err(alarm) => {
                self.keep_proof(&alarm, note)?;
                return Ok(Err(alarm));
            }
            Ok(Step::Same) => return Ok(Ok(0)),
            Ok(Step::Grown) => self.grown(shown)?,
        };
        match edge {
            Err(alarm) => {
                self.keep_proof(&alarm, note)?;
                Ok(Err(alarm))
            }
            Ok((edge, unread)) => {
                (self.seen.edge, self.seen.note) = (edge, Some(note.clone()));
                self.seen.grown_at = now;
                Ok(Ok(unread))
            }
        }
    }

    /// The tree seen before, grown by what the log serves.
    fn grown(&self, shown: &Checkpoint) -> Result<Result<(Frontier, u64), Alarm>, MonitorError> {
        let mut growing = Growing::new(&self.seen.edge);
        let unread = match self.log.entries(&mut growing, shown.size)? {
            Ok(unread) => unread,
            Err(alarm) => return Ok(Err(alarm)),
        };
        let above = growing.above().to_vec();
        Ok(match growing.finish(shown) {
            Err(alarm) => Err(alarm),
            Ok(edge) => self.log.above(&above, shown.size)?.map(|()| (edge, unread)),
        })
    }

    /// The witnesses' own checkpoints, of those that give them.
    fn views(&self, alarms: &mut Vec<Alarm>) -> Vec<View> {
        let Some(log) = self.watch.policy.logs().first() else { return Vec::new() };
        let hash = to_hex(&sha256(log.key.name().as_bytes()));
        let mut views = Vec::new();
        for witness in self.watch.policy.witnesses() {
            let Some(url) = &witness.url else { continue };
            let url = format!("{}/{hash}/checkpoint", url.trim_end_matches('/'));
            // Not every witness gives it, and one that is away is the log's to miss.
            let Some(bytes) = self.log.other(&url) else { continue };
            match view(&bytes, witness, &self.watch.policy) {
                Ok(view) => views.push(view),
                Err(error) => alarms.push(Alarm::Signature(error)),
            }
        }
        views
    }

    /// Is each witness's tree part of the one seen now?
    fn compare(&mut self, views: &[View], alarms: &mut Vec<Alarm>) -> Result<(), MonitorError> {
        let shown = self.seen.edge.size();
        for View { witness, note, tree } in views {
            let (witness, size) = (witness.clone(), tree.size);
            if size > shown {
                // Once may be a matter of moments: a checkpoint goes out when all witnesses have
                // had their time. Twice is a log that hides what a witness has seen.
                if self.seen.ahead.insert(witness.clone(), size).is_some_and(|was| was > shown) {
                    alarms.push(Alarm::Behind { witness, size, shown });
                }
                continue;
            }
            self.seen.ahead.remove(&witness);
            if !self.contains(tree)? {
                let alarm = Alarm::SplitView { witness, size };
                self.keep_proof(&alarm, note)?;
                alarms.push(alarm);
            }
        }
        Ok(())
    }

    /// Is this tree a beginning of the one seen now? The proof is made of tiles, and verified.
    fn contains(&self, tree: &Checkpoint) -> Result<bool, MonitorError> {
        let (size, root) = (self.seen.edge.size(), self.seen.edge.root());
        let mut tiles = TileReader::new(size, |tile: &TileId| self.log.tile(tile));
        let proof = tiles.consistency(tree.size)?;
        Ok(verify_consistency(tree.size, &tree.root, size, &root, &proof).is_ok())
    }

    /// Keeps both checkpoints: the one seen before and the one that contradicts it.
    fn keep_proof(&self, alarm: &Alarm, note: &Note) -> Result<(), MonitorError> {
        let before = self.seen.note.as_ref().map(Note::to_string).unwrap_or_default();
        let text = format!("{alarm}\n\nseen before:\n\n{before}\nshown now:\n\n{note}");
        state::keep_proof(&self.watch.dir, alarm.word(), text.as_bytes())
    }
}

/// A witness's checkpoint: signed by the log, and by the witness itself.
fn view(
    bytes: &[u8],
    witness: &PolicyWitness,
    policy: &Policy,
) -> Result<View, bailee_ledger::Error> {
    let note = bailee_ledger::checkpoint::parse_note(bytes)?;
    let (_, tree) = policy.open_log(&note)?;
    note.verify(std::slice::from_ref(&witness.key))?;
    Ok(View { witness: witness.name.clone(), note, tree })
}
