//! Applying what the log tells about its own keys.
//!
//! Invariant: the pair that signs changes in the entry that says so and in no other.

use super::{Applied, person, push, row};
use crate::event::{Event, Record};
use crate::rotation::{Continuation, Rotation, RotationStatus};
use crate::state::State;

pub(super) fn apply(s: &mut State, r: &Record) -> Applied {
    let ring = &mut s.ring;
    match &r.fact.event {
        Event::RotationProposed { rotation, from, to, overlap_days } => {
            let new = Rotation {
                from: from.clone(),
                to: to.clone(),
                overlap_days: *overlap_days,
                proposer: person(r)?,
                approver: None,
                status: RotationStatus::Proposed,
            };
            push(&mut ring.rotations, *rotation, new)
        }
        Event::RotationBegun { rotation, until } => {
            let found = row(&mut ring.rotations, *rotation)?;
            found.approver = Some(person(r)?);
            found.status = RotationStatus::Overlap { since: r.seq, until: *until };
            ring.current.get_or_insert((r.seq, found.from.clone()));
            Ok(())
        }
        Event::RotationEnded { rotation, why } => {
            let found = row(&mut ring.rotations, *rotation)?;
            found.status = RotationStatus::Ended { since: r.seq, why: *why };
            ring.current = Some((r.seq, found.to.clone()));
            Ok(())
        }
        Event::RotationCancelled { rotation } => {
            row(&mut ring.rotations, *rotation)?.status = RotationStatus::Cancelled;
            Ok(())
        }
        _ => continued(s, r),
    }
}

fn continued(s: &mut State, r: &Record) -> Applied {
    let Event::LogContinued { origin, keys, before, key, size, root, note } = &r.fact.event else {
        return Err(format!("{} is not about the log's keys", r.fact.event.name()));
    };
    // What was being rotated is lost with the old key.
    for rotation in s.ring.rotations.iter_mut() {
        if matches!(rotation.status, RotationStatus::Proposed | RotationStatus::Overlap { .. }) {
            rotation.status = RotationStatus::Cancelled;
        }
    }
    s.ring.current = Some((r.seq, keys.clone()));
    s.ring.continued.push(Continuation {
        position: r.seq,
        origin: origin.clone(),
        keys: keys.clone(),
        before: before.clone(),
        key: **key,
        size: *size,
        root: **root,
        note: **note,
    });
    Ok(())
}
