//! Registering parties, and changing what is known of them.
//!
//! Invariants: an address is one person's, and one that a colleague had makes nobody a second
//! person (rule 7); an erased party stays erased (rule 10).

use super::disposition::ANEW;
use super::registry::check_name;
use super::{Decision, find, late};
use crate::event::{Event, Fact};
use crate::id::PartyId;
use crate::party::{ChannelKind, Role, Who, person};
use crate::refusal::{Code, Refusal};
use crate::state::State;

pub(super) fn register_party(
    s: &State,
    who: &Who,
    roles: &[Role],
    same_person_as: Option<PartyId>,
) -> Decision {
    check_name("the party", &who.name)?;
    if roles.is_empty() {
        return Err(Refusal::new(Code::BadValue, "the party", "has no role"));
    }
    if let Some(earlier) = same_person_as {
        find(&s.parties, earlier)?;
    }
    check_channels(s, who, same_person_as)?;
    let party = s.parties.next();
    let roles = roles.to_vec();
    let event = Event::PartyRegistered { party, roles, same_person_as };
    let mut facts = vec![Fact::of(event).with_who(who.clone())];
    facts.extend(same_person_as.into_iter().flat_map(|earlier| late::named(s, earlier, who)));
    Ok(facts)
}

/// An address belongs to one person: a second login through it is the same person.
fn check_channels(s: &State, who: &Who, same: Option<PartyId>) -> Result<(), Refusal> {
    for channel in &who.channels {
        check_name("the address", &channel.address)?;
        if channel.kind == ChannelKind::Email && !is_mail_address(&channel.address) {
            let text = format!("{:?} is no mail address: name@host", channel.address);
            return Err(Refusal::new(Code::BadValue, "the address", text));
        }
        let other = |holder: &PartyId| {
            same.is_none_or(|same| person(&s.parties, same) != person(&s.parties, *holder))
        };
        let Some(holder) = s.party_at(&channel.address) else {
            let mut once = s.parties_once_at(&channel.address).filter(other);
            once.find_map(|holder| once_a_colleague_s(s, holder)).map_or(Ok(()), Err)?;
            continue;
        };
        if other(&holder) {
            let text = "is another party's address";
            return Err(Refusal::new(Code::ChannelTaken, holder, text));
        }
    }
    Ok(())
}

/// Whose address it was works here on: who has it now may be that very person, whose eyes would
/// count twice (rule 7).
fn once_a_colleague_s(s: &State, holder: PartyId) -> Option<Refusal> {
    s.parties.get(holder).filter(|party| party.in_office())?;
    let text = "had this address before, and is a colleague still";
    let change = "register as the same person; or, if the address is somebody else's now, let \
                  counsel erase that login first (`bailee party erase`)";
    Some(Refusal::new(Code::ChannelTaken, holder, text).with_change(change))
}

/// Enough of one that a typing error is not taken for it: nothing could be delivered, and nobody
/// would notice before a notice is due.
fn is_mail_address(address: &str) -> bool {
    let address = address.trim();
    let strange = |c: char| c.is_whitespace() || c.is_control() || "<>,;:\"()[]\\".contains(c);
    address.split_once('@').is_some_and(|(name, host)| {
        let dotted = host.split('.').all(|label| !label.is_empty());
        !name.is_empty() && dotted && !host.contains('@') && !address.contains(strange)
    })
}

pub(super) fn change_party(s: &State, party: PartyId, who: &Who) -> Decision {
    check_known(s, party)?;
    check_name("the party", &who.name)?;
    check_channels(s, who, Some(party))?;
    let mut facts = vec![Fact::of(Event::PartyChanged { party }).with_who(who.clone())];
    facts.extend(late::named(s, party, who));
    Ok(facts)
}

/// An erased party stays erased: nothing of it is written down again.
pub(super) fn check_known(s: &State, party: PartyId) -> Result<(), Refusal> {
    match find(&s.parties, party)?.erased {
        None => Ok(()),
        Some(at) => {
            let refusal = Refusal::new(Code::AlreadyGone, party, format!("was erased at {at}"));
            Err(refusal.with_change(ANEW))
        }
    }
}
