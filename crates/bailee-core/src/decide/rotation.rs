//! Rotations of the log's keys, and the log that goes on under another name.
//!
//! Invariants (rule 7): proposer and approver are two persons, one of them counsel; an old pair
//! ends as planned only after the days that readers were given, and at once only when it is said to
//! be stolen; one rotation at a time.

use super::{Decision, find, reasoned, says};
use crate::command::{Continue, Reason};
use crate::counted;
use crate::event::Event;
use crate::id::{PartyId, RotationId};
use crate::party::{Role, person};
use crate::refusal::{Code, Refusal};
use crate::rotation::{KeyEnd, LogKeys, Rotation, RotationStatus};
use crate::state::State;
use crate::time::Time;

/// Longest overlap, days.
const LONGEST_OVERLAP: u32 = 3_650;
/// Longest name of a log, bytes.
const LONGEST_ORIGIN: usize = 255;

pub(super) fn propose(
    s: &State,
    from: &LogKeys,
    to: &LogKeys,
    overlap_days: u32,
    reason: &Reason,
) -> Decision {
    if let Some((open, _)) = s.ring.open() {
        return Err(Refusal::new(Code::RotationOpen, open, "is not over"));
    }
    if s.ring.current().is_some_and(|current| current != from) {
        let text = "are not those that sign the log now";
        return Err(Refusal::new(Code::BadValue, "the old keys", text));
    }
    if from.ed25519 == to.ed25519 || s.ring.knows(&to.ed25519) {
        let text = "was named in a rotation before; a key never comes back";
        return Err(Refusal::new(Code::BadValue, "the new key", text));
    }
    if !(1..=LONGEST_OVERLAP).contains(&overlap_days) {
        let text = format!("lasts 1 to {LONGEST_OVERLAP} days");
        return Err(Refusal::new(Code::BadValue, "an overlap", text));
    }
    if !says(reason) {
        return Err(Refusal::new(Code::BadValue, "the rotation", "needs a reason in words"));
    }
    let (from, to) = (from.clone(), to.clone());
    let event =
        Event::RotationProposed { rotation: s.ring.rotations.next(), from, to, overlap_days };
    Ok(vec![reasoned(event, reason)])
}

pub(super) fn approve(s: &State, rotation: RotationId, by: PartyId, now: Time) -> Decision {
    let found = open(s, rotation)?;
    if found.status != RotationStatus::Proposed {
        return Err(Refusal::new(Code::AlreadyDone, rotation, "is approved, and both pairs sign"));
    }
    if person(&s.parties, by) == person(&s.parties, found.proposer) {
        let text = format!("was proposed by the same person as {by}");
        return Err(Refusal::new(Code::ApproverIsProposer, rotation, text));
    }
    if let Some(at) = s.parties.get(found.proposer).and_then(|party| party.erased) {
        let text = format!("was proposed by {}, who was erased at {at}", found.proposer);
        let change = "cancel it, and let somebody who is here propose it anew";
        return Err(Refusal::new(Code::NotProposed, rotation, text).with_change(change));
    }
    let counsel = |id| s.parties.get(id).is_some_and(|party| party.is(Role::Counsel));
    if !counsel(by) && !counsel(found.proposer) {
        let text = "has counsel neither as proposer nor as approver";
        return Err(Refusal::new(Code::CounselMissing, rotation, text));
    }
    let until = now.plus_days(found.overlap_days);
    Ok(vec![Event::RotationBegun { rotation, until }.into()])
}

pub(super) fn end(
    s: &State,
    rotation: RotationId,
    why: KeyEnd,
    reason: &Reason,
    now: Time,
) -> Decision {
    let RotationStatus::Overlap { until, .. } = open(s, rotation)?.status else {
        let text = "is proposed by one person, and nobody has approved it";
        return Err(Refusal::new(Code::RotationNotBegun, rotation, text));
    };
    match why {
        KeyEnd::Retired if now < until => {
            let text = format!("gives readers until {until} to take the new key");
            return Err(Refusal::new(Code::OverlapRunning, rotation, text));
        }
        KeyEnd::Stolen if !says(reason) => {
            let text = "ends at once only with what is known of the theft, in words";
            return Err(Refusal::new(Code::BadValue, rotation, text));
        }
        _ => {}
    }
    Ok(vec![reasoned(Event::RotationEnded { rotation, why }, reason)])
}

pub(super) fn cancel(s: &State, rotation: RotationId, reason: &Reason) -> Decision {
    open(s, rotation)?;
    if !says(reason) {
        return Err(Refusal::new(Code::BadValue, rotation, "is not cancelled without a reason"));
    }
    Ok(vec![reasoned(Event::RotationCancelled { rotation }, reason)])
}

/// The key is lost; the entries are not. That the checkpoint is one of this tree is for the shell
/// to prove, which has the tree.
pub(super) fn go_on(s: &State, to: &Continue, reason: &Reason) -> Decision {
    let Continue { origin, keys, before, key, size, root, note } = to;
    let unfit = |name: &str| {
        let unfit = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        name.is_empty() || name.len() > LONGEST_ORIGIN || name.contains(unfit)
    };
    if unfit(origin) || unfit(before) {
        let text = "is 1 to 255 bytes without spaces and plus signs";
        return Err(Refusal::new(Code::BadValue, "the name of a log", text));
    }
    let used = |c: &crate::rotation::Continuation| c.origin == *origin || c.before == *origin;
    if origin == before || s.ring.continued.iter().any(used) {
        let text = "was the name of this log before; two logs of one name would be a fork";
        return Err(Refusal::new(Code::BadValue, origin, text));
    }
    if s.ring.origin().is_some_and(|now| now != before) {
        return Err(Refusal::new(Code::BadValue, before, "is not the name of this log"));
    }
    if *size > s.head {
        let text = format!("covers {} of {}", counted(*size, "entry"), s.head);
        return Err(Refusal::new(Code::BadValue, "the checkpoint", text));
    }
    if *key == *keys.ed25519 || s.ring.knows(&keys.ed25519) {
        let text = "was a key of this log before";
        return Err(Refusal::new(Code::BadValue, "the new key", text));
    }
    let event = Event::LogContinued {
        origin: origin.clone(),
        keys: keys.clone(),
        before: before.clone(),
        key: (*key).into(),
        size: *size,
        root: (*root).into(),
        note: (*note).into(),
    };
    Ok(vec![reasoned(event, reason)])
}

/// The rotation, if it can still go on.
fn open(s: &State, rotation: RotationId) -> Result<&Rotation, Refusal> {
    let found = find(&s.ring.rotations, rotation)?;
    match found.status {
        RotationStatus::Proposed | RotationStatus::Overlap { .. } => Ok(found),
        RotationStatus::Ended { .. } => {
            Err(Refusal::new(Code::RotationClosed, rotation, "has ended"))
        }
        RotationStatus::Cancelled => {
            Err(Refusal::new(Code::RotationClosed, rotation, "was cancelled"))
        }
    }
}
