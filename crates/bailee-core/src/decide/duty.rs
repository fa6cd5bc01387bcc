//! Duties of humans, and the tokens of programs.
//!
//! Invariant: only the hash of a token is ever recorded.

use super::{Decision, find, papers, reasoned};
use crate::command::Reason;
use crate::demand::Digest;
use crate::event::Event;
use crate::id::{DutyId, PartyId, TokenId};
use crate::policy::TokenScope;
use crate::refusal::{Code, Refusal};
use crate::state::State;

pub(super) fn paged(s: &State, duty: DutyId) -> Decision {
    if find(&s.duties, duty)?.paged {
        return Err(Refusal::new(Code::AlreadyDone, duty, "was paged"));
    }
    Ok(vec![Event::DutyPaged { duty }.into()])
}

pub(super) fn discharge(s: &State, duty: DutyId, reason: &Reason) -> Decision {
    if find(&s.duties, duty)?.discharged {
        return Err(Refusal::new(Code::AlreadyDone, duty, "is discharged"));
    }
    if papers(reason).is_none() {
        return Err(Refusal::new(Code::BadValue, duty, "needs words for what was done"));
    }
    Ok(vec![reasoned(Event::DutyDischarged { duty }, reason)])
}

pub(super) fn issue_token(s: &State, party: PartyId, scope: TokenScope, hash: Digest) -> Decision {
    find(&s.parties, party)?;
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
