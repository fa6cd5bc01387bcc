//! The runner: the one loop. command -> decide -> append -> apply -> answer.
//!
//! Invariants
//! 1. One thread decides. Nobody sees a state that is not durable: it holds the projection's write
//!    lock from the first decision of a group to the end of its append.
//! 2. Answers leave after the append, refusals too: they may rest on commands of the same group.
//! 3. A failed append leaves no guess behind: the projection counts as stale from the first
//!    decision until the append is durable, and a stale one is rebuilt from the journal before
//!    anybody looks.
//!
//! | a crash after …        | leaves                                                          |
//! |------------------------|-----------------------------------------------------------------|
//! | decide, apply          | nothing: the state dies with the process                        |
//! | append                 | the entry, no answer: the sender asks again and is recognised   |
//! | answer                 | the entry; its receipt is an intent and is sent at the next start |
//! | checkpoint signed      | the same tree signed again at the next start (publish.rs)       |
//! | intent carried out     | the intent again, with the same idempotency key                 |

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::sync::{Arc, PoisonError};

use bailee_core::{Command, Record, Refusal, apply, decide, record};
use bailee_ledger::hash::leaf_hash;
use bailee_store::{Batch, Exhibit, JournalError, Unwritable};

use crate::commit::{Salts, entry};
use crate::house::Inner;
use crate::projection::Projection;
use crate::stamping::is_stamped_at_once;

/// Most commands in one group commit.
const GROUP: usize = 256;
/// Most exhibit bytes in one group commit.
const GROUP_BYTES: usize = 16 << 20;
/// How often a command is decided again after somebody else appended first.
const RETRIES: usize = 16;

/// What was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// The records, durable, in log order; empty if there was nothing to do.
    pub records: Vec<Record>,
}

impl Done {
    /// Log position after the last record.
    pub fn head(&self) -> u64 {
        self.records.last().map_or(0, |record| record.seq + 1)
    }
}

/// Why a command was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The domain says no, by name.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The journal could not say whether it was recorded. Ask again: commands are idempotent or
    /// refused the second time.
    #[error("the log could not be written ({0}); whether it was recorded is unknown: ask again")]
    Unknown(String),
    /// Nothing was recorded.
    #[error("not recorded: {0}")]
    Unavailable(String),
    /// A copy that this would rest on could not be looked for.
    #[error("not recorded: {0}")]
    Unseen(String),
    /// The medium takes no more.
    #[error("not recorded: {1}")]
    Unwritable(Unwritable, String),
}

/// One command on its way.
pub(crate) struct Ask {
    pub(crate) command: Command,
    pub(crate) exhibits: Vec<Exhibit>,
    pub(crate) reply: SyncSender<Result<Done, Failure>>,
}

/// Runs until every sender is gone.
pub(crate) fn run(house: &Arc<Inner>, queue: &Receiver<Ask>) {
    while let Ok(first) = queue.recv() {
        let group = gather(first, queue);
        let answers = commit_group(house, &group);
        house.appended();
        for (ask, answer) in group.into_iter().zip(answers) {
            // A sender that went away has its entry; nobody is left to tell.
            _ = ask.reply.send(answer);
        }
    }
}

fn gather(first: Ask, queue: &Receiver<Ask>) -> Vec<Ask> {
    let mut bytes = size(&first);
    let mut group = vec![first];
    while group.len() < GROUP && bytes < GROUP_BYTES {
        match queue.try_recv() {
            Ok(ask) => {
                bytes += size(&ask);
                group.push(ask);
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    group
}

fn size(ask: &Ask) -> usize {
    ask.exhibits.iter().map(|exhibit| exhibit.bytes.len()).sum()
}

/// Decides, appends, and answers every command of the group, or none.
fn commit_group(house: &Inner, group: &[Ask]) -> Vec<Result<Done, Failure>> {
    let mut projection = house.projection.write().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..RETRIES {
        if let Err(error) = recover(house, &mut projection) {
            return refuse_all(group, &Failure::Unavailable(error));
        }
        let head = projection.state.head;
        house.set_stale();
        let answers = decide_group(house, &mut projection, group);
        let batch = match batch(group, &answers) {
            Ok(batch) => batch,
            Err(error) => return refuse_all(group, &Failure::Unavailable(error.to_string())),
        };
        if batch.entries.is_empty() {
            house.set_fresh();
            return answers;
        }
        match house.journal.append(head, &batch) {
            Ok(_) => {
                for entry in &batch.entries {
                    projection.tree.push_hash(leaf_hash(&entry.leaf));
                }
                house.set_fresh();
                house.room.appended();
                cover(house, &answers);
                return answers;
            }
            Err(JournalError::Conflict { .. }) => {}
            Err(error) => {
                let (why, words) = (error.unwritable(), error.to_string());
                house.room.failed(&words, why);
                let failure = match why {
                    Some(why) => Failure::Unwritable(why, words),
                    None => Failure::Unknown(words),
                };
                return refuse_all(group, &failure);
            }
        }
    }
    refuse_all(group, &Failure::Unavailable("others append faster than we can decide".into()))
}

/// Rebuilds the projection if an append failed since it was last known to be the journal's.
fn recover(house: &Inner, projection: &mut Projection) -> Result<(), String> {
    if house.is_stale() {
        *projection = Projection::replay(&*house.journal).map_err(|error| error.to_string())?;
        house.set_fresh();
    }
    Ok(())
}

/// Decides each command on the state that those before it leave.
fn decide_group(
    house: &Inner,
    projection: &mut Projection,
    group: &[Ask],
) -> Vec<Result<Done, Failure>> {
    let now = house.clock.now();
    let state = &mut projection.state;
    let mut answers = Vec::with_capacity(group.len());
    for ask in group {
        let facts = match decide(state, &ask.command, now) {
            Ok(facts) => facts,
            Err(refusal) => {
                answers.push(Err(refusal.into()));
                continue;
            }
        };
        let mut records = Vec::with_capacity(facts.len());
        for fact in facts {
            let record = record(state, &ask.command, now, fact);
            if let Err(misfit) = apply(state, &record) {
                unreachable!("decide and apply agree: {misfit}");
            }
            records.push(record);
        }
        answers.push(Ok(Done { records }));
    }
    answers
}

/// Tells which of the entries are to be stamped as soon as they are signed.
fn cover(house: &Inner, answers: &[Result<Done, Failure>]) {
    let records = answers.iter().flatten().flat_map(|done| &done.records);
    let at_once = records.filter(|record| is_stamped_at_once(record.fact.event.code()));
    if let Some(last) = at_once.map(|record| record.seq).max() {
        house.stamping.cover(last + 1);
    }
}

/// Entries and exhibits of what was decided.
fn batch(group: &[Ask], answers: &[Result<Done, Failure>]) -> Result<Batch, getrandom::Error> {
    let count = answers.iter().flatten().map(|done| done.records.len()).sum();
    let mut salts = Salts::draw(count)?;
    let mut batch = Batch::default();
    for (ask, answer) in group.iter().zip(answers) {
        let Ok(done) = answer else { continue };
        batch.entries.extend(done.records.iter().map(|record| entry(record, &mut salts)));
        batch.exhibits.extend(ask.exhibits.iter().cloned());
    }
    Ok(batch)
}

fn refuse_all(group: &[Ask], failure: &Failure) -> Vec<Result<Done, Failure>> {
    group.iter().map(|_| Err(failure.clone())).collect()
}
