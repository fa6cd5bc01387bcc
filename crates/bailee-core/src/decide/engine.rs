//! What an engine was seen to do.
//!
//! Invariants: a finding is refused if it is not one that a probe makes, so that no entry is
//! without bound; a duty is raised in the same append as what is worse than before, and once; a
//! copy that lost something satisfies no hold from the same append on, and clearances that rested
//! on it end.

use std::collections::BTreeSet;

use super::Decision;
use super::snapshot::not_intact;
use crate::engine::{Canaries, MOST_LOST, Trial, worse};
use crate::event::{Event, Fact};
use crate::policy::DutyKind;
use crate::refusal::{Code, Refusal};
use crate::state::State;

/// Most things tried in one probe.
const MOST_TRIALS: usize = 64;
/// Longest name of an engine or an object, bytes.
const LONGEST_NAME: usize = 2048;
/// Longest text of a trial, bytes.
const LONGEST_TEXT: usize = 1024;

pub(super) fn probed(s: &State, engine: &str, trials: &[Trial], canaries: &Canaries) -> Decision {
    if let Some(fault) = fault(engine, trials, canaries) {
        return Err(Refusal::new(Code::BadValue, "the finding", fault));
    }
    for lost in &canaries.lost {
        super::find(&s.snapshots, lost.snapshot)?;
    }
    let worse = worse(s.engines.get(engine), trials, &canaries.lost);
    let duty = (!worse.is_empty()).then(|| {
        let kind = DutyKind::InspectEngine(s.head);
        Fact::of(Event::DutyRaised { duty: s.duties.next(), kind })
    });
    let (engine, trials) = (engine.to_owned(), trials.to_vec());
    let found = Event::EngineProbed { engine, trials, canaries: canaries.clone(), worse };
    let mut facts: Vec<Fact> = [found.into()].into_iter().chain(duty).collect();
    let harmed: BTreeSet<_> = canaries.lost.iter().map(|lost| lost.snapshot).collect();
    for snapshot in harmed {
        if s.snapshots.get(snapshot).is_some_and(|found| found.verified.is_some()) {
            let duties = facts.iter().filter(|f| matches!(f.event, Event::DutyRaised { .. }));
            // One clearance may rest on two copies; it is revoked once.
            for fact in not_intact(s, snapshot, duties.count()) {
                if !facts.iter().any(|known| revoke_the_same(known, &fact)) {
                    facts.push(fact);
                }
            }
        }
    }
    Ok(facts)
}

/// Whether both revoke one clearance, for whatever hold.
fn revoke_the_same(a: &Fact, b: &Fact) -> bool {
    let revoked = |fact: &Fact| match fact.event {
        Event::ClearanceRevoked { clearance, .. } => Some(clearance),
        _ => None,
    };
    revoked(a).is_some() && revoked(a) == revoked(b)
}

fn fault(engine: &str, trials: &[Trial], canaries: &Canaries) -> Option<&'static str> {
    let name = |text: &str| !text.trim().is_empty() && text.len() <= LONGEST_NAME;
    if !name(engine) {
        return Some("names no engine");
    }
    if trials.is_empty() || trials.len() > MOST_TRIALS {
        return Some("has nothing that was tried, or too much");
    }
    let text = |trial: &Trial| {
        !trial.what.is_empty() && trial.what.len().max(trial.saw.len()) <= LONGEST_TEXT
    };
    if !trials.iter().all(text) {
        return Some("has a trial without a name, or with too long a text");
    }
    let names: BTreeSet<&str> = trials.iter().map(|trial| trial.what.as_str()).collect();
    if names.len() != trials.len() {
        return Some("has one thing tried twice");
    }
    let lost = &canaries.lost;
    if lost.len() > MOST_LOST || lost.len() > canaries.objects as usize {
        return Some("has more lost than was read back");
    }
    (!lost.iter().all(|lost| name(&lost.object))).then_some("has a lost object without a name")
}
