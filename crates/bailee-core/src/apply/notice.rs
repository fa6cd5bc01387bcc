//! Applies notices, their evidence, and objections.

use super::{Applied, file_papers, push, row};
use crate::custody;
use crate::disposition::Objection;
use crate::event::{Event, Record};
use crate::id::{HoldId, NoticeId};
use crate::notice::{About, Attempt, Evidence, Notice};
use crate::plan::Intent;
use crate::state::{Due, State};

pub(super) fn apply(s: &mut State, r: &Record) -> Applied {
    match &r.fact.event {
        Event::NoticeQueued { notice, to, about } => {
            let rests_on = match about {
                About::Disposition(_) => None,
                About::Decision(id) => row(&mut s.demands, *id)?.decided,
                About::Objection(id) => row(&mut s.objections, *id)?.decided,
            };
            let new = Notice {
                to: *to,
                about: *about,
                rests_on,
                attempts: Vec::new(),
                proven: None,
                escalated: false,
            };
            push(&mut s.notices, *notice, new)?;
            if let About::Disposition(id) = about {
                let told = s.dispositions.get(*id).map(|found| custody::coming_with(s, found, *to));
                let found = row(&mut s.dispositions, *id)?;
                found.notices.push(*notice);
                let new = |hold: &HoldId| !found.told.contains(hold);
                let told: Vec<HoldId> = told.into_iter().flatten().filter(new).collect();
                found.told.extend(told);
            }
            attempt(s, r, *notice, 0)
        }
        Event::NoticeRetried { notice, channel } => attempt(s, r, *notice, *channel),
        Event::NoticeSent { notice, attempt } => {
            attempt_mut(s, *notice, *attempt)?.sent = true;
            s.pending.remove(&Intent::SendNotice(*notice, *attempt));
            Ok(())
        }
        Event::NoticeEvidence { notice, attempt, evidence } => {
            attempt_mut(s, *notice, *attempt)?.evidence.push((r.at, *evidence));
            // A delivery report names the recipient: it goes when the recipient's details go.
            let to = row(&mut s.notices, *notice)?.to;
            file_papers(s, r, to)?;
            settle(s, r, *notice, *attempt, *evidence)
        }
        Event::NoticeEscalated { notice } => {
            row(&mut s.notices, *notice)?.escalated = true;
            Ok(())
        }
        Event::ObjectionFiled { objection, disposition, by } => {
            let new = Objection { disposition: *disposition, by: *by, upheld: None, decided: None };
            push(&mut s.objections, *objection, new)?;
            row(&mut s.dispositions, *disposition)?.objections.push(*objection);
            row(&mut s.parties, *by)?.papers.push(r.seq);
            Ok(())
        }
        Event::ObjectionDecided { objection, upheld } => {
            let found = row(&mut s.objections, *objection)?;
            found.upheld = Some(*upheld);
            found.decided = Some(r.seq);
            let by = found.by;
            file_papers(s, r, by)
        }
        other => Err(format!("{} is not of notices", other.name())),
    }
}

fn attempt_mut(s: &mut State, notice: NoticeId, n: u8) -> Result<&mut Attempt, String> {
    let attempts = &mut row(&mut s.notices, notice)?.attempts;
    attempts.get_mut(usize::from(n)).ok_or(format!("{notice} has no attempt {n}"))
}

/// A new attempt, and the day on which silence ends it.
fn attempt(s: &mut State, r: &Record, id: NoticeId, channel: u8) -> Applied {
    let due = r.at.plus_days(s.policy.silence_days);
    let attempts = &mut row(&mut s.notices, id)?.attempts;
    let n = u8::try_from(attempts.len()).map_err(|_| format!("{id} has too many attempts"))?;
    attempts.push(Attempt { channel, at: r.at, due, sent: false, evidence: Vec::new() });
    s.pending.insert(Intent::SendNotice(id, n));
    s.agenda.insert((due, Due::Notice(id, n)));
    Ok(())
}

/// Proof or failure ends the wait for this attempt.
fn settle(s: &mut State, r: &Record, id: NoticeId, n: u8, evidence: Evidence) -> Applied {
    if !evidence.proves() && !evidence.fails() {
        return Ok(());
    }
    let due = attempt_mut(s, id, n)?.due;
    s.agenda.remove(&(due, Due::Notice(id, n)));
    let notice = row(&mut s.notices, id)?;
    if evidence.proves() {
        notice.proven = notice.proven.or(Some((r.at, evidence)));
    } else if notice.rests_on_report(n) {
        notice.proven = None;
    }
    Ok(())
}
