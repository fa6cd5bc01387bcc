//! Notices and objections: told, proven, answered.
//!
//! Invariants (rule 6): an attempt that fails leads to the next channel, and the last one to a
//! human; evidence is only ever added, and what proves delivery comes with the document that says
//! so (the delivery report, the answer, the proof of service); an objection stops the disposition
//! until it is decided in writing, and an upheld one ends it; who objected is told the decision.

use super::{Decision, duty, find, papers, reasoned, says, shows};
use crate::command::Reason;
use crate::event::{Event, Fact};
use crate::id::{DispositionId, NoticeId, ObjectionId, PartyId};
use crate::notice::{About, Attempt, Evidence, Notice};
use crate::party::Party;
use crate::policy::DutyKind;
use crate::refusal::{Code, Refusal};
use crate::state::State;

fn attempt(id: NoticeId, notice: &Notice, n: u8) -> Result<&Attempt, Refusal> {
    let missing = || Refusal::not_found(format!("attempt {n} of {id}"));
    notice.attempts.get(usize::from(n)).ok_or_else(missing)
}

pub(super) fn sent(s: &State, notice: NoticeId, n: u8) -> Decision {
    if attempt(notice, find(&s.notices, notice)?, n)?.sent {
        return Err(Refusal::new(Code::AlreadyDone, notice, format!("attempt {n} has left")));
    }
    Ok(vec![Event::NoticeSent { notice, attempt: n }.into()])
}

pub(super) fn evidence(
    s: &State,
    id: NoticeId,
    n: u8,
    evidence: Evidence,
    reason: &Reason,
) -> Decision {
    let notice = find(&s.notices, id)?;
    let tried = attempt(id, notice, n)?;
    if evidence.proves() && !shows(reason) {
        let text = "needs the document that proves it as an exhibit";
        return Err(Refusal::new(Code::BadValue, id, text));
    }
    if tried.evidence.iter().any(|(_, known)| *known == evidence) && papers(reason).is_none() {
        return Err(Refusal::new(Code::AlreadyDone, id, "has this evidence"));
    }
    let event = Event::NoticeEvidence { notice: id, attempt: n, evidence };
    let mut facts = vec![reasoned(event, reason)];
    let last = notice.attempts.len() == usize::from(n) + 1;
    let withdrawn = evidence.fails() && notice.rests_on_report(n);
    if evidence.fails() && last && (notice.proven.is_none() || withdrawn && !notice.escalated) {
        facts.extend(next_channel(s, id, notice, 0));
    } else if withdrawn {
        let (duty, kind) = (s.duties.next(), DutyKind::ReachParty(id));
        facts.push(Event::DutyRaised { duty, kind }.into());
    }
    if evidence.proves() {
        facts.extend(duty::done(s, |kind| kind == DutyKind::ReachParty(id)));
    }
    Ok(facts)
}

/// The next channel of the recipient, or a human when there is none. `ahead`: duties already
/// decided in this decision.
pub(super) fn next_channel(s: &State, id: NoticeId, notice: &Notice, ahead: usize) -> Vec<Fact> {
    if notice.escalated {
        return Vec::new();
    }
    let channels = s.parties.get(notice.to).map_or(0, |party: &Party| party.channels().len());
    let next = u8::try_from(notice.attempts.len()).unwrap_or(u8::MAX);
    if usize::from(next) < channels && next < u8::MAX {
        return vec![Event::NoticeRetried { notice: id, channel: next }.into()];
    }
    let (duty, kind) = (s.duties.next_after(ahead), DutyKind::ReachParty(id));
    vec![Event::NoticeEscalated { notice: id }.into(), Event::DutyRaised { duty, kind }.into()]
}

pub(super) fn object(
    s: &State,
    disposition: DispositionId,
    by: PartyId,
    reason: &Reason,
) -> Decision {
    let found = super::disposition::open(s, disposition)?;
    find(&s.parties, by)?;
    if !super::owed(s, found).contains(&by) {
        let text = format!("is not owed a notice of {disposition}");
        return Err(Refusal::new(Code::NotOwed, by, text));
    }
    if !says(reason) {
        return Err(Refusal::new(Code::BadValue, "the objection", "gives no reasons"));
    }
    let objection = s.objections.next();
    Ok(vec![reasoned(Event::ObjectionFiled { objection, disposition, by }, reason)])
}

pub(super) fn decide_objection(
    s: &State,
    objection: ObjectionId,
    upheld: bool,
    reason: &Reason,
) -> Decision {
    let found = find(&s.objections, objection)?;
    if found.upheld.is_some() {
        return Err(Refusal::new(Code::AlreadyDone, objection, "is decided"));
    }
    if !says(reason) {
        let text = "is decided in writing, with reasons";
        return Err(Refusal::new(Code::BadValue, objection, text));
    }
    let mut facts = vec![reasoned(Event::ObjectionDecided { objection, upheld }, reason)];
    if upheld && !find(&s.dispositions, found.disposition)?.cancelled {
        let disposition = found.disposition;
        facts.push(Event::DispositionCancelled { disposition }.into());
    }
    // Decided in writing: who objected gets it, through its channels and with proof.
    let (notice, to, about) = (s.notices.next(), found.by, About::Objection(objection));
    facts.push(Event::NoticeQueued { notice, to, about }.into());
    Ok(facts)
}
