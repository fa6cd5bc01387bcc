//! Owners: the names under which a letter finds their accounts, beside the accounts' own labels.
//!
//! Why: an authority knows a customer by name and address, not by what the host calls the account.
//!
//! Invariants: the name and every mail address of each login of a person stand for all accounts of
//! that person, former ones too, for letters use what their writers know; what is erased stands for
//! nothing.

use crate::id::{AccountId, PartyId};
use crate::matching::words;
use crate::party::{ChannelKind, Party, Who, person};
use crate::state::State;

/// Fewest letters of a name of one word: a shorter one stands in too many letters by chance.
const SHORTEST_NAME: usize = 5;

/// What somebody is called in letters: by name, if it tells one from others, and by mail address.
pub(crate) fn names(who: &Who) -> impl Iterator<Item = &str> {
    let telling = |name: &&str| {
        let words = words(name);
        words.contains(' ') || words.chars().filter(|c| c.is_alphabetic()).count() >= SHORTEST_NAME
    };
    let mail = who.channels.iter().filter(|channel| channel.kind == ChannelKind::Email);
    Some(who.name.as_str())
        .into_iter()
        .filter(telling)
        .chain(mail.map(|channel| channel.address.as_str()))
}

/// What a party is called in letters, and was.
pub(crate) fn all_names(party: &Party) -> impl Iterator<Item = &str> {
    party.who.iter().chain(&party.before).flat_map(names)
}

/// Every login of the person who has this one, in order.
pub(crate) fn logins(s: &State, party: PartyId) -> impl Iterator<Item = (PartyId, &Party)> {
    let first = person(&s.parties, party);
    let more = s.parties.get(first).map_or(&[][..], |party| &party.logins);
    let all = std::iter::once(first).chain(more.iter().copied());
    all.filter_map(|id| Some((id, s.parties.get(id)?)))
}

/// Every account of the person who has this login, in order.
pub(crate) fn accounts(s: &State, party: PartyId) -> Vec<AccountId> {
    let mut all: Vec<AccountId> =
        logins(s, party).flat_map(|(_, login)| login.accounts.iter().copied()).collect();
    all.sort_unstable();
    all
}
