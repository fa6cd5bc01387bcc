//! Engines: what keeps the vault's packs, and what each was last seen to do.
//!
//! Invariants: an engine is known by where it is, so a house that moves to another one begins anew;
//! a finding says what was seen and nothing rests on it, the gate least of all; what was lost stays
//! lost until it is read back, because whoever looks again looks for it first, or until its copy is
//! verified whole; what was not read is in no finding of the log, and harms nothing again; a person
//! is called for what is new, not each day again for what is known.
//!
//! Out of scope: how it is tried, and which packs are read back: that is the shell's.

use std::collections::BTreeMap;

use crate::asset::Fate;
use crate::coverage;
use crate::id::SnapshotId;
use crate::state::State;
use crate::time::Time;

/// Seconds until an engine is looked at again.
const DAY: u32 = 86_400;
/// Seconds until one that did not answer is asked again, and the least between two starts.
const HOUR: u32 = 3_600;
/// Most objects named as lost.
pub(crate) const MOST_LOST: usize = 1000;

/// How an engine did at one thing, from good to bad.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, minicbor::Encode, minicbor::Decode,
)]
#[cbor(index_only)]
pub enum Outcome {
    /// It does it.
    #[n(0)]
    Holds,
    /// It does not say that it does.
    #[n(1)]
    Absent,
    /// It did not answer.
    #[n(2)]
    Silent,
    /// It said so, and does not.
    #[n(3)]
    Broken,
}

impl Outcome {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Holds => "holds",
            Outcome::Absent => "absent",
            Outcome::Silent => "silent",
            Outcome::Broken => "broken",
        }
    }

    /// True if a person has to know of it.
    pub fn is_bad(self) -> bool {
        matches!(self, Outcome::Silent | Outcome::Broken)
    }
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Trial {
    /// What.
    #[n(0)]
    pub what: String,
    /// How it went.
    #[n(1)]
    pub outcome: Outcome,
    /// What was seen.
    #[n(2)]
    pub saw: String,
}

/// What is wrong with an object that a snapshot under hold needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Harm {
    /// It is not there.
    #[n(0)]
    Missing,
    /// Its bytes are not those that were put.
    #[n(1)]
    Damaged,
}

impl Harm {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Harm::Missing => "missing",
            Harm::Damaged => "damaged",
        }
    }
}

/// An object that a snapshot under hold needs, and that could not be given back.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Lost {
    /// Of what.
    #[n(0)]
    pub snapshot: SnapshotId,
    /// Its name in the store, which tells nobody what is in it.
    #[n(1)]
    pub object: String,
    /// What is wrong with it.
    #[n(2)]
    pub harm: Harm,
}

/// What reading back some of what is held showed.
#[derive(Clone, Debug, Default, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Canaries {
    /// Objects that were read back.
    #[n(0)]
    pub objects: u32,
    /// Their bytes.
    #[n(1)]
    pub bytes: u64,
    /// Those that were not what was put.
    #[n(2)]
    pub lost: Vec<Lost>,
}

/// What an engine was last seen to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Log position of its entry.
    pub position: u64,
    /// When it was recorded.
    pub at: Time,
    /// What was tried.
    pub trials: Vec<Trial>,
    /// What of the held data was read back. What was lost before is here too, beside what was read,
    /// while it could not be looked at.
    pub canaries: Canaries,
    /// What was better, or not seen, the time before.
    pub worse: Vec<String>,
    /// How each thing went when it was last answered, now or before.
    pub(crate) known: BTreeMap<String, Outcome>,
}

impl Finding {
    /// What a person has to know, one line each; empty is good.
    pub fn bad(&self) -> Vec<String> {
        let trials = self.trials.iter().filter(|trial| trial.outcome.is_bad());
        let trials = trials.map(|t| format!("{} {}: {}", t.what, t.outcome.word(), t.saw));
        let lost = self.canaries.lost.iter();
        let lost = lost.map(|l| format!("{} of {} is {}", l.object, l.snapshot, l.harm.word()));
        trials.chain(lost).collect()
    }

    /// Number of trials with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.trials.iter().filter(|trial| trial.outcome == outcome).count()
    }

    /// When it is to be looked at again by a house that stays open.
    pub fn next(&self) -> Time {
        let silent = self.count(Outcome::Silent) > 0;
        self.at.plus_seconds(if silent { HOUR } else { DAY })
    }

    /// When it is to be looked at again by a house that has just been opened: at once, but that one
    /// which is opened again and again does not fill the log.
    pub fn next_at_start(&self) -> Time {
        self.at.plus_seconds(HOUR)
    }

    /// As it is at a position, after what was seen before of the same engine.
    pub(crate) fn after(
        s: &State,
        before: Option<&Finding>,
        (position, at): (u64, Time),
        (trials, mut canaries, worse): (Vec<Trial>, Canaries, Vec<String>),
    ) -> Finding {
        if trials.iter().any(|trial| trial.outcome == Outcome::Silent) {
            keep_lost(s, before, &mut canaries.lost);
        }
        let mut known = before.map(|before| before.known.clone()).unwrap_or_default();
        let answered = trials.iter().filter(|trial| trial.outcome != Outcome::Silent);
        known.extend(answered.map(|trial| (trial.what.clone(), trial.outcome)));
        Finding { position, at, trials, canaries, worse, known }
    }
}

/// Not everything could be looked at: what was lost before stays lost, if a hold still reaches it
/// and its copy was not verified whole since.
fn keep_lost(s: &State, before: Option<&Finding>, lost: &mut Vec<Lost>) {
    let mut lasting = BTreeMap::<SnapshotId, bool>::new();
    for known in before.iter().flat_map(|before| &before.canaries.lost) {
        let lasts = || {
            let found = s.snapshots.get(known.snapshot);
            found.is_some_and(|found| found.verified.is_none()) && is_held(s, known.snapshot)
        };
        let lasts = *lasting.entry(known.snapshot).or_insert_with(lasts);
        let same = |l: &Lost| (l.snapshot, &l.object) == (known.snapshot, &known.object);
        if lasts && lost.len() < MOST_LOST && !lost.iter().any(same) {
            lost.push(known.clone());
        }
    }
}

/// True for a copy that is here and that a hold in force reaches.
pub fn is_held(s: &State, id: SnapshotId) -> bool {
    let Some(found) = s.snapshots.get(id) else { return false };
    let here = s.assets.get(found.asset).is_some_and(|asset| asset.fate == Fate::Kept);
    let in_force = |hold| s.holds.get(hold).is_some_and(|hold| hold.in_force());
    here && coverage::holds(s, found.asset).into_keys().any(in_force)
}

/// What of this is worse than what was seen before. The first time, all that is bad is. Silence is
/// compared with the finding before; whatever was answered, with the last answer there was.
pub(crate) fn worse(before: Option<&Finding>, trials: &[Trial], lost: &[Lost]) -> Vec<String> {
    let silent = |what: &str| {
        let same = |t: &Trial| t.what == what && t.outcome == Outcome::Silent;
        before.is_some_and(|before| before.trials.iter().any(same))
    };
    let worse = trials.iter().filter(|now| match now.outcome {
        Outcome::Silent => !silent(&now.what),
        outcome => match before.and_then(|before| before.known.get(&now.what)) {
            Some(was) => outcome > *was,
            None => outcome.is_bad(),
        },
    });
    let known = |object: &str| {
        before.is_some_and(|b| b.canaries.lost.iter().any(|lost| lost.object == object))
    };
    let lost = lost.iter().filter(|lost| !known(&lost.object)).map(|lost| lost.object.clone());
    worse.map(|trial| trial.what.clone()).chain(lost).collect()
}
