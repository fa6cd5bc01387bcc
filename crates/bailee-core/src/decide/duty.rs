//! Duties of humans, and the tokens of programs.
//!
//! Invariants: only the hash of a token is ever recorded; a duty whose act is recorded here (a
//! decision, a match, a proof of delivery) is discharged with that act, any other by words.

use super::disposition::ANEW;
use super::{Decision, find, reasoned, says};
use crate::command::Reason;
use crate::demand::Digest;
use crate::event::{Event, Fact};
use crate::id::{DutyId, PartyId, TokenId};
use crate::policy::{DutyKind, TokenScope};
use crate::refusal::{Code, Refusal};
use crate::state::State;

pub(super) fn paged(s: &State, duty: DutyId) -> Decision {
    if find(&s.duties, duty)?.paged {
        return Err(Refusal::new(Code::AlreadyDone, duty, "was paged"));
    }
    Ok(vec![Event::DutyPaged { duty }.into()])
}

/// The act that a duty asks for discharges it, in the same append: who did that act has done it.
pub(super) fn done(s: &State, by_act: impl Fn(DutyKind) -> bool) -> impl Iterator<Item = Fact> {
    let asked = move |duty: &DutyId| s.duties.get(*duty).is_some_and(|open| by_act(open.kind));
    s.open_duties().filter(asked).map(|duty| Event::DutyDischarged { duty }.into())
}

pub(super) fn discharge(s: &State, duty: DutyId, reason: &Reason) -> Decision {
    if find(&s.duties, duty)?.discharged {
        return Err(Refusal::new(Code::AlreadyDone, duty, "is discharged"));
    }
    if !says(reason) {
        return Err(Refusal::new(Code::BadValue, duty, "needs words for what was done"));
    }
    Ok(vec![reasoned(Event::DutyDischarged { duty }, reason)])
}

pub(super) fn issue_token(s: &State, party: PartyId, scope: TokenScope, hash: Digest) -> Decision {
    if let Some(at) = find(&s.parties, party)?.erased {
        let refusal = Refusal::new(Code::AlreadyGone, party, format!("was erased at {at}"));
        return Err(refusal.with_change(ANEW));
    }
    if s.token_hashes.contains_key(&hash) {
        return Err(Refusal::new(Code::AlreadyDone, "the token", "is issued"));
    }
    let token = s.tokens.next();
    Ok(vec![Event::TokenIssued { token, party, scope, hash: hash.into() }.into()])
}

pub(super) fn revoke_token(s: &State, token: TokenId) -> Decision {
    if find(&s.tokens, token)?.revoked {
        return Err(Refusal::new(Code::AlreadyDone, token, "is revoked"));
    }
    Ok(vec![Event::TokenRevoked { token }.into()])
}
