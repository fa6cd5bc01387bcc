//! Commands as requests of the API: what a program would send for a line of a story.
//!
//! Documents have bytes here: the digest that stands for one in the story, in words.

use bailee_core as core;
use bailee_core::{Action, Triage};
use bailee_ledger::to_hex;
use bailee_server::api::parts::{Channel, Identifier, Policy, Reason, Scope, Upload, Who};
use bailee_server::api::{Request, words};

pub(crate) fn who(who: &core::party::Who) -> Who {
    let channel = |channel: &core::party::Channel| Channel {
        kind: channel.kind.into(),
        address: channel.address.clone(),
    };
    Who { name: who.name.clone(), channels: who.channels.iter().map(channel).collect() }
}

pub(crate) fn reason(reason: &core::Reason) -> Reason {
    let upload = |paper: &core::demand::Exhibit| {
        let text = format!("This stands for {} {}.\n", paper.name, to_hex(&paper.digest));
        Upload::of(paper.name.clone(), paper.media.clone(), text.as_bytes())
    };
    Reason { note: reason.note.clone(), exhibits: reason.exhibits.iter().map(upload).collect() }
}

fn texts<I: ToString>(ids: &[I]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn text<I: ToString>(id: &Option<I>) -> Option<String> {
    id.as_ref().map(ToString::to_string)
}

fn scope(scope: &core::demand::Scope) -> Scope {
    Scope {
        accounts: texts(&scope.accounts),
        assets: texts(&scope.assets),
        identifiers: scope.identifiers.clone(),
        categories: scope.categories.clone(),
        from: text(&scope.from),
        to: text(&scope.to),
    }
}

fn identifiers(all: &[core::asset::Identifier]) -> Vec<Identifier> {
    let one = |one: &core::asset::Identifier| Identifier {
        kind: one.kind.into(),
        value: one.value.clone(),
    };
    all.iter().map(one).collect()
}

/// The request for what a story can ask for; `None` for what is not asked for at this door.
pub(crate) fn of(action: &Action) -> Option<Request> {
    registry(action).or_else(|| ask(action)).or_else(|| keep(action)).or_else(|| let_go(action))
}

fn registry(action: &Action) -> Option<Request> {
    Some(match action {
        Action::SetPolicy(policy) => Request::SetPolicy { policy: Policy::from(policy) },
        Action::RegisterParty { who: new, roles, same_person_as } => Request::RegisterParty {
            who: who(new),
            roles: roles.iter().map(|role| words::Role::from(*role)).collect(),
            same_person_as: text(same_person_as),
        },
        Action::ChangeParty { party, who: new } => {
            Request::ChangeParty { party: party.to_string(), who: who(new) }
        }
        Action::EraseDetails { party } => Request::EraseDetails { party: party.to_string() },
        Action::RegisterEntity { name, country } => {
            Request::RegisterEntity { name: name.clone(), country: country.clone() }
        }
        Action::RegisterAccount { owner, entity, label, law, retention_days } => {
            Request::RegisterAccount {
                owner: owner.to_string(),
                entity: entity.to_string(),
                label: label.clone(),
                law: law.clone(),
                retention_days: *retention_days,
            }
        }
        Action::TerminateAccount { account } => {
            Request::TerminateAccount { account: account.to_string() }
        }
        Action::RegisterAsset(new) => Request::RegisterAsset {
            kind: new.kind.into(),
            label: new.label.clone(),
            accounts: texts(&new.accounts),
            identifiers: identifiers(&new.identifiers),
            part_of: text(&new.part_of),
            copy_of: texts(&new.copy_of),
            place: new.place.clone(),
            bytes: new.bytes,
        },
        Action::MoveAsset { asset, lifecycle, place } => Request::MoveAsset {
            asset: asset.to_string(),
            lifecycle: (*lifecycle).into(),
            place: place.clone(),
        },
        Action::RelabelAsset { asset, label, identifiers: new, bytes } => Request::RelabelAsset {
            asset: asset.to_string(),
            label: label.clone(),
            identifiers: identifiers(new),
            bytes: *bytes,
        },
        Action::AssignAsset { asset, account } => {
            Request::AssignAsset { asset: asset.to_string(), account: account.to_string() }
        }
        Action::CopyAsset { asset, source } => {
            Request::CopyAsset { asset: asset.to_string(), source: source.to_string() }
        }
        _ => return None,
    })
}

fn ask(action: &Action) -> Option<Request> {
    Some(match action {
        Action::CorrectMedium { demand, medium, reason: why } => Request::CorrectMedium {
            demand: demand.to_string(),
            medium: (*medium).into(),
            reason: reason(why),
        },
        Action::MatchDemand { demand, scope: more } => {
            Request::MatchDemand { demand: demand.to_string(), scope: scope(more) }
        }
        Action::DecideDemand { demand, triage, reason: why } => {
            let (triage, matter) = match triage {
                Triage::Accept(matter) => (words::Triage::Accept, text(matter)),
                Triage::Clarify => (words::Triage::Clarify, None),
                Triage::Refuse => (words::Triage::Refuse, None),
            };
            Request::DecideDemand {
                demand: demand.to_string(),
                triage,
                matter,
                reason: reason(why),
            }
        }
        Action::OpenMatter { title } => Request::OpenMatter { title: title.clone() },
        Action::CloseMatter { matter } => Request::CloseMatter { matter: matter.to_string() },
        Action::FileCorrespondence { matter, from, reason: why } => Request::FileCorrespondence {
            matter: matter.to_string(),
            from: from.to_string(),
            reason: reason(why),
        },
        Action::PlaceHold { scope: wanted, instrument, matter, silent, reason: why } => {
            Request::PlaceHold {
                scope: scope(wanted),
                instrument: instrument.clone(),
                matter: text(matter),
                silent: *silent,
                reason: reason(why),
            }
        }
        Action::AddBasis { hold, instrument, reason: why } => Request::AddBasis {
            hold: hold.to_string(),
            instrument: instrument.clone(),
            reason: reason(why),
        },
        Action::ExtendBasis { hold, basis, reason: why } => {
            Request::ExtendBasis { hold: hold.to_string(), basis: *basis, reason: reason(why) }
        }
        Action::EndBasis { hold, basis, reason: why } => {
            Request::EndBasis { hold: hold.to_string(), basis: *basis, reason: reason(why) }
        }
        Action::AllowCopy { hold, reason: why } => {
            Request::AllowCopy { hold: hold.to_string(), reason: reason(why) }
        }
        Action::ProposeRelease { hold, reason: why } => {
            Request::ProposeRelease { hold: hold.to_string(), reason: reason(why) }
        }
        Action::ApproveRelease { hold } => Request::ApproveRelease { hold: hold.to_string() },
        Action::DischargeDuty { duty, reason: why } => {
            Request::DischargeDuty { duty: duty.to_string(), reason: reason(why) }
        }
        _ => return None,
    })
}

fn keep(action: &Action) -> Option<Request> {
    Some(match action {
        Action::RecordSnapshot { source, root, vault_id, bytes, unreadable, changed, taken } => {
            Request::RecordSnapshot {
                source: source.to_string(),
                root: to_hex(root),
                vault_id: vault_id.clone(),
                bytes: *bytes,
                unreadable: *unreadable,
                changed: *changed,
                taken: taken.to_string(),
            }
        }
        Action::VerifySnapshot { snapshot, intact } => {
            Request::VerifySnapshot { snapshot: snapshot.to_string(), intact: *intact }
        }
        Action::RequestAccess { owner, asset, reason: why } => Request::RequestAccess {
            owner: owner.to_string(),
            asset: asset.to_string(),
            reason: reason(why),
        },
        Action::DecideAccess { access, granted, reason: why } => Request::DecideAccess {
            access: access.to_string(),
            granted: *granted,
            reason: reason(why),
        },
        Action::FulfilAccess { access, reason: why } => {
            Request::FulfilAccess { access: access.to_string(), reason: reason(why) }
        }
        Action::StartMeter { matter, what, units, daily, currency } => Request::StartMeter {
            matter: matter.to_string(),
            what: what.clone(),
            units: *units,
            daily: *daily,
            currency: currency.clone(),
        },
        Action::StopMeter { meter } => Request::StopMeter { meter: meter.to_string() },
        Action::BookCost { matter, what, milli_units, amount, currency } => Request::BookCost {
            matter: matter.to_string(),
            what: what.clone(),
            milli_units: *milli_units,
            amount: *amount,
            currency: currency.clone(),
        },
        _ => return None,
    })
}

fn let_go(action: &Action) -> Option<Request> {
    Some(match action {
        Action::ProposeDisposition { kind, assets, to, reason: why } => {
            Request::ProposeDisposition {
                kind: (*kind).into(),
                assets: texts(assets),
                to: text(to),
                reason: reason(why),
            }
        }
        Action::QueueNotices { disposition } => {
            Request::QueueNotices { disposition: disposition.to_string() }
        }
        Action::ApproveDisposition { disposition } => {
            Request::ApproveDisposition { disposition: disposition.to_string() }
        }
        Action::CancelDisposition { disposition, reason: why } => {
            Request::CancelDisposition { disposition: disposition.to_string(), reason: reason(why) }
        }
        Action::AcceptHold { disposition, hold } => {
            Request::AcceptHold { disposition: disposition.to_string(), hold: hold.to_string() }
        }
        Action::RecordEvidence { notice, attempt, evidence, reason: why } => {
            Request::RecordEvidence {
                notice: notice.to_string(),
                attempt: *attempt,
                evidence: (*evidence).into(),
                reason: reason(why),
            }
        }
        Action::FileObjection { disposition, by, reason: why } => Request::FileObjection {
            disposition: disposition.to_string(),
            by: by.to_string(),
            reason: reason(why),
        },
        Action::DecideObjection { objection, upheld, reason: why } => Request::DecideObjection {
            objection: objection.to_string(),
            upheld: *upheld,
            reason: reason(why),
        },
        Action::Finish { clearance, verified, reason: why } => Request::Finish {
            clearance: clearance.to_string(),
            verified: *verified,
            reason: reason(why),
        },
        _ => return None,
    })
}
