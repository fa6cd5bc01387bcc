//! Permission: which roles may ask for what. A plain table, never the gate.
//!
//! Invariant: nothing here can make a demand not block or an asset clear: intake is open to
//! everyone, and the gate does not look at roles. Who is erased has no role any more.

use crate::command::{Action, Triage};
use crate::event::By;
use crate::id::PartyId;
use crate::owner;
use crate::party::{Role, person};
use crate::refusal::{Code, Refusal};
use crate::state::State;

/// Who may ask for an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// Anybody, known or not.
    Anyone,
    /// Staff, counsel, or Bailee itself.
    House,
    /// Staff or counsel: a person of the provider.
    Person,
    /// Counsel.
    Counsel,
    /// Any registered party that acts for itself.
    Party,
    /// This party for itself, or the house on its behalf.
    Own(PartyId),
    /// Counsel, the installation, or the colleague for itself if there is one already.
    Appointment(Option<PartyId>),
}

/// Refuses what `by` may not ask for.
pub(super) fn may(state: &State, by: By, action: &Action) -> Result<(), Refusal> {
    let need = need(state, action);
    let roles: &[Role] = match by {
        By::System => match need {
            Need::Anyone | Need::House | Need::Appointment(_) => return Ok(()),
            Need::Person | Need::Counsel | Need::Party | Need::Own(_) => &[],
        },
        By::Party(id) => match super::find(&state.parties, id)? {
            gone if gone.erased.is_some() => &[],
            party => &party.roles,
        },
    };
    let house = roles.contains(&Role::Staff) || roles.contains(&Role::Counsel);
    let allowed = match need {
        Need::Anyone => true,
        Need::House | Need::Person => house,
        Need::Counsel => roles.contains(&Role::Counsel),
        Need::Party => !roles.is_empty(),
        Need::Own(whose) => house || acts_as(state, by, whose),
        Need::Appointment(whose) => {
            roles.contains(&Role::Counsel) || whose.is_some_and(|own| acts_as(state, by, own))
        }
    };
    if allowed {
        return Ok(());
    }
    let about = match by {
        By::System => "the system".to_owned(),
        By::Party(id) => id.to_string(),
    };
    let text = match need {
        Need::Counsel => "is not counsel",
        Need::House | Need::Person => "is neither staff nor counsel",
        Need::Anyone | Need::Party => "is not a party here",
        Need::Own(_) => "acts for somebody else",
        Need::Appointment(_) => "is not counsel, who alone appoints staff",
    };
    Err(Refusal::new(Code::NotPermitted, about, text))
}

/// True if both are logins of one person.
fn acts_as(state: &State, by: By, whose: PartyId) -> bool {
    let own = person(&state.parties, whose);
    matches!(by, By::Party(id) if person(&state.parties, id) == own)
}

fn is_house(roles: &[Role]) -> bool {
    roles.contains(&Role::Staff) || roles.contains(&Role::Counsel)
}

/// True if any login of that person is in office: what is done by one of them counts for all.
fn is_colleague(state: &State, party: PartyId) -> bool {
    owner::logins(state, party).any(|(_, login)| login.in_office())
}

fn need(state: &State, action: &Action) -> Need {
    match action {
        Action::ReceiveDemand(_) | Action::Tick => Need::Anyone,
        Action::FileObjection { by: whose, .. } | Action::RequestAccess { owner: whose, .. } => {
            Need::Own(*whose)
        }
        Action::AcceptHold { .. } => Need::Party,
        Action::AllowCopy { .. } | Action::SetGag { .. } => Need::Counsel,
        Action::EraseDetails { .. } | Action::ContinueLog { .. } => Need::Counsel,
        Action::DecideObjection { .. } => Need::Counsel,
        Action::DecideDemand { triage: Triage::Refuse, .. } => Need::Counsel,
        // Nobody makes colleagues, or logins in their names, alone: four eyes would be one pair.
        Action::RegisterParty { roles, .. } if is_house(roles) => Need::Appointment(None),
        Action::RegisterParty { same_person_as: Some(party), .. }
            if is_colleague(state, *party) =>
        {
            Need::Appointment(Some(*party))
        }
        Action::IssueToken { party, .. } if is_colleague(state, *party) => {
            Need::Appointment(Some(*party))
        }
        // The first policy, catalogue and people come from the installation.
        Action::SetPolicy(_) | Action::LoadInstruments(_) if state.parties.is_empty() => {
            Need::House
        }
        Action::SetPolicy(_) | Action::LoadInstruments(_) => Need::Counsel,
        Action::DecideDemand { .. }
        | Action::CorrectMedium { .. }
        | Action::EndBasis { .. }
        | Action::ProposeRelease { .. }
        | Action::ApproveRelease { .. }
        | Action::ProposeDisposition { .. }
        | Action::ApproveDisposition { .. }
        | Action::CancelDisposition { .. }
        | Action::DecideAccess { .. }
        | Action::ProposeRotation { .. }
        | Action::ApproveRotation { .. }
        | Action::EndRotation { .. }
        | Action::CancelRotation { .. } => Need::Person,
        _ => Need::House,
    }
}
