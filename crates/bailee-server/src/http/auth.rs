//! Who asks: bearer tokens, their scopes, and whether the party belongs to the house.
//!
//! Invariants: a token is looked up by its SHA-256 (api/secret.rs says why that gives nothing
//! away); every request looks again, so a revoked token is void at once; unknown, revoked and
//! malformed tokens get one and the same answer. Scope and belonging come from the route's row in
//! the table and from nothing else. What the party may do with a command is the core's question.
//! A no to somebody who is known, by this token or by one that was revoked, is an entry of the log,
//! once a day for a person and code; a no to anybody else is counted, and never written down.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use bailee_core::id::PartyId;
use bailee_core::party::{Party, person};
use bailee_core::{State, TokenScope};

use crate::api::{Problem, secret, words};
use crate::house::House;
use crate::http::routes::Need;

/// Who asks, proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The party whose token it is.
    pub(crate) party: PartyId,
    /// What the token is for.
    pub(crate) scope: TokenScope,
    /// Staff or counsel.
    pub(crate) of_house: bool,
}

/// Lets through who has what the route needs; `None` for a route that needs nothing.
pub(crate) fn admit(
    house: &House,
    need: Need,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Problem> {
    let scopes = match need {
        Need::Nothing => return Ok(None),
        Need::Party(scopes) | Need::House(scopes) => scopes,
    };
    let caller = caller(house, headers)?;
    let opened = open(caller, need, scopes);
    opened.inspect_err(|no| house.not_admitted(caller.party, &no.code))?;
    Ok(Some(caller))
}

/// Refuses a caller whose token is not for this route.
fn open(caller: Caller, need: Need, scopes: &[TokenScope]) -> Result<(), Problem> {
    if !scopes.contains(&caller.scope) {
        let scope = words::TokenScope::from(caller.scope);
        let detail = format!("is for {scope}, which does not allow this");
        let change = "use a token with another scope";
        return Err(Problem::new(403, "scope_missing", "the token", detail, change));
    }
    if matches!(need, Need::House(_)) && !caller.of_house {
        let detail = "is neither staff nor counsel";
        let change = "ask somebody with the role; what is your own is at /v1/mine";
        let about = caller.party.to_string();
        return Err(Problem::new(403, "not_permitted", about, detail, change));
    }
    Ok(())
}

fn caller(house: &House, headers: &HeaderMap) -> Result<Caller, Problem> {
    let change = "send `Authorization: Bearer bailee_…`; `bailee token issue` makes one";
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Err(Problem::new(401, "token_missing", "the request", "has no token", change));
    };
    let unknown = || Problem::new(401, "token_unknown", "the token", "is not known here", change);
    let text = header.to_str().map_err(|_| unknown())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(unknown)?;
    let hash = secret::hash(token.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer"));
    let hash = hash.ok_or_else(unknown)?;
    let (found, void) = house.with_state(|s| (found(s, &hash), s.void_token(&hash)))?;
    if let Some(party) = void {
        // The answer is that of an unknown one.
        house.not_admitted(party, "token_revoked");
    }
    found.ok_or_else(unknown)
}

fn found(s: &State, hash: &[u8; 32]) -> Option<Caller> {
    let token = s.token(hash)?;
    let of_house = |id| s.parties.get(id).is_some_and(Party::in_office);
    Some(Caller { party: token.party, scope: token.scope, of_house: of_house(token.party) })
}

/// True if the party is the caller, or another login of the same person.
pub(crate) fn is_own(house: &House, caller: Caller, whose: PartyId) -> Result<bool, Problem> {
    let same = house.with_state(|s| person(&s.parties, caller.party) == person(&s.parties, whose));
    Ok(same?)
}
