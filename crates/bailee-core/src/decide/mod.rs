//! Decide: a command against the state gives facts, or a named refusal. Pure.
//!
//! Invariants: the state is not touched; the same state, command and time give the same answer;
//! ids in the facts are the next ones of their tables; facts of one decision are appended together
//! or not at all. One file per noun, each function one command.

mod access;
mod answer;
mod clearance;
mod cost;
mod demand;
mod disposition;
mod duty;
mod engine;
mod erasure;
mod hold;
mod ids;
mod late;
mod matter;
mod medium;
mod notice;
mod owed;
mod party;
mod permission;
mod reason;
mod refused;
mod registry;
mod rotation;
mod scope;
mod snapshot;
mod subject;
mod tick;
mod volume;

pub use answer::{Answered, answers};
pub use clearance::verb;
pub use disposition::radius;
pub use owed::{owed, unnotified};
pub use reason::{LONGEST_EXHIBIT_NAME, LONGEST_NOTE, MOST_EXHIBITS};
pub use scope::names_something;

use crate::command::{Action, Command, Reason};
use crate::demand::Papers;
use crate::event::{By, Fact};
use crate::id::{Id, PartyId};
use crate::refusal::{Code, Refusal};
use crate::state::State;
use crate::table::Table;
use crate::time::Time;

/// Facts to append together, or a named no.
pub type Decision = Result<Vec<Fact>, Refusal>;

/// Decides a command. `now` before the last record's time counts as that time.
pub fn decide(state: &State, command: &Command, now: Time) -> Decision {
    permission::may(state, command.by, &command.action)?;
    reason::bounded(&command.action)?;
    clearance::clock_runs(state, &command.action, now)?;
    let mut facts = decide_on(state, command, state.now(now))?;
    facts.extend(late::rethought(state, &facts));
    Ok(facts)
}

/// The first half of the table: what is here, who asks, what is held.
fn decide_on(s: &State, command: &Command, now: Time) -> Decision {
    let by = command.by;
    match &command.action {
        Action::SetPolicy(policy) => registry::set_policy(policy),
        Action::LoadInstruments(catalogue) => registry::load_instruments(catalogue),
        Action::RegisterParty { who, roles, same_person_as } => {
            party::register_party(s, who, roles, *same_person_as)
        }
        Action::ChangeParty { party, who } => party::change_party(s, *party, who),
        Action::EraseDetails { party } => erasure::erase(s, *party),
        Action::RegisterEntity { name, country } => registry::register_entity(s, name, country),
        Action::RegisterAccount { owner, entity, label, law, retention_days } => {
            registry::register_account(s, *owner, *entity, label, law, *retention_days)
        }
        Action::TerminateAccount { account } => registry::terminate_account(s, *account),
        Action::RegisterAsset(asset) => registry::register_asset(s, asset),
        Action::MoveAsset { asset, lifecycle, place } => {
            registry::move_asset(s, *asset, *lifecycle, place)
        }
        Action::RelabelAsset { asset, label, identifiers, bytes } => {
            registry::relabel_asset(s, *asset, label, identifiers, *bytes)
        }
        Action::AssignAsset { asset, account } => registry::assign_asset(s, *asset, *account),
        Action::CopyAsset { asset, source } => registry::copy_asset(s, *asset, *source),
        Action::ReceiveDemand(demand) => demand::receive(s, demand, now),
        Action::MatchDemand { demand, scope } => demand::match_to(s, *demand, scope),
        Action::CorrectMedium { demand, medium, reason } => {
            medium::correct(s, *demand, *medium, reason)
        }
        Action::DecideDemand { demand, triage, reason } => {
            demand::triage(s, *demand, *triage, reason, now)
        }
        Action::ReceiptSent { demand } => demand::receipt_sent(s, *demand),
        Action::OpenMatter { title } => matter::open(s, title),
        Action::CloseMatter { matter } => matter::close(s, *matter),
        Action::FileCorrespondence { matter, from, reason } => {
            matter::file(s, *matter, *from, reason)
        }
        Action::PlaceHold { scope, instrument, matter, silent, reason } => {
            hold::place(s, scope, instrument, (*matter, *silent), reason, now)
        }
        Action::AddBasis { hold, instrument, reason } => {
            hold::add_basis(s, *hold, instrument, reason, now)
        }
        Action::ExtendBasis { hold, basis, reason } => hold::extend(s, *hold, *basis, reason, now),
        Action::EndBasis { hold, basis, reason } => hold::end_basis(s, *hold, *basis, reason, now),
        Action::AllowCopy { hold, reason } => hold::allow_copy(s, *hold, reason),
        Action::SetGag { hold, until, reason } => hold::set_gag(s, *hold, *until, reason, now),
        Action::ProposeRelease { hold, reason } => hold::propose_release(s, *hold, reason),
        Action::ApproveRelease { hold } => hold::approve_release(s, *hold, actor(by)?, now),
        _ => decide_letting_go(s, command, now),
    }
}

/// The second half of the table: keep, let go, account for.
fn decide_letting_go(s: &State, command: &Command, now: Time) -> Decision {
    let by = command.by;
    match &command.action {
        Action::RecordSnapshot { source, root, vault_id, bytes, unreadable, changed, taken } => {
            let gaps = (*unreadable, *changed);
            snapshot::record(s, (*source, *root, vault_id, *bytes, *taken), gaps, now)
        }
        Action::VerifySnapshot { snapshot, intact } => snapshot::verify(s, *snapshot, *intact),
        Action::ProposeDisposition { kind, assets, to, reason } => {
            disposition::propose(s, *kind, assets, *to, reason)
        }
        Action::QueueNotices { disposition } => owed::queue(s, *disposition),
        Action::ApproveDisposition { disposition } => {
            disposition::approve(s, *disposition, actor(by)?)
        }
        Action::CancelDisposition { disposition, reason } => {
            disposition::cancel(s, *disposition, reason)
        }
        Action::AcceptHold { disposition, hold } => {
            disposition::accept_hold(s, *disposition, *hold, actor(by)?)
        }
        Action::NoticeSent { notice, attempt } => notice::sent(s, *notice, *attempt),
        Action::RecordEvidence { notice, attempt, evidence, reason } => {
            notice::evidence(s, *notice, *attempt, *evidence, reason)
        }
        Action::FileObjection { disposition, by, reason } => {
            notice::object(s, *disposition, *by, reason)
        }
        Action::DecideObjection { objection, upheld, reason } => {
            notice::decide_objection(s, *objection, *upheld, reason)
        }
        Action::Reserve { disposition, asset, subject } => {
            clearance::reserve(s, *disposition, *asset, *subject, now)
        }
        Action::ReserveDevice { disposition, asset, subject, media } => {
            let facts = clearance::reserve(s, *disposition, *asset, *subject, now)?;
            registry::check_device(s, *asset, media)?;
            Ok(facts)
        }
        Action::Begin { clearance } => clearance::begin(s, *clearance, now),
        Action::Renew { clearance } => clearance::renew(s, *clearance, by, now),
        Action::Finish { clearance, verified, reason } => {
            clearance::finish(s, (*clearance, by), *verified, reason, now)
        }
        Action::Abort { clearance, gone, reason } => {
            clearance::abort(s, *clearance, by, *gone, reason)
        }
        Action::RequestAccess { owner, asset, reason } => {
            access::request(s, *owner, *asset, reason)
        }
        Action::DecideAccess { access, granted, reason } => {
            access::decide_on(s, *access, *granted, reason)
        }
        Action::FulfilAccess { access, reason } => access::fulfil(s, *access, reason),
        Action::StartMeter { matter, what, units, daily, currency } => {
            cost::start(s, *matter, what, *units, *daily, currency)
        }
        Action::StopMeter { meter } => cost::stop(s, *meter, now),
        Action::BookCost { matter, what, milli_units, amount, currency } => {
            cost::book(s, *matter, what, *milli_units, *amount, currency)
        }
        Action::DutyPaged { duty } => duty::paged(s, *duty),
        Action::DischargeDuty { duty, reason } => duty::discharge(s, *duty, reason),
        Action::IssueToken { party, scope, hash } => duty::issue_token(s, *party, *scope, *hash),
        Action::RevokeToken { token } => duty::revoke_token(s, *token),
        Action::Tick => tick::tick(s, now),
        _ => decide_keys(s, command, now),
    }
}

/// The rest of it: the log's own keys, and what keeps the packs.
fn decide_keys(s: &State, command: &Command, now: Time) -> Decision {
    let by = command.by;
    match &command.action {
        Action::ProposeRotation { from, to, overlap_days, reason } => {
            rotation::propose(s, from, to, *overlap_days, reason)
        }
        Action::ApproveRotation { rotation } => rotation::approve(s, *rotation, actor(by)?, now),
        Action::EndRotation { rotation, why, reason } => {
            rotation::end(s, *rotation, *why, reason, now)
        }
        Action::CancelRotation { rotation, reason } => rotation::cancel(s, *rotation, reason),
        Action::ContinueLog { to, reason } => rotation::go_on(s, to, reason),
        Action::RecordProbe { engine, trials, canaries } => {
            engine::probed(s, engine, trials, canaries)
        }
        Action::RecordVolumes { snapshot, set, volumes } => {
            volume::written(s, *snapshot, *set, volumes)
        }
        Action::RecordRefusal { by, refused, holds } => {
            refused::record(s, *by, refused, holds, now)
        }
        _ => unreachable!("the other two parts of the table handle all other actions"),
    }
}

/// The row of an id, or `not_found` by name.
fn find<I: Id, T>(table: &Table<I, T>, id: I) -> Result<&T, Refusal> {
    table.get(id).ok_or_else(|| Refusal::not_found(id))
}

/// The party who acts; some commands need a person.
fn actor(by: By) -> Result<PartyId, Refusal> {
    match by {
        By::Party(party) => Ok(party),
        By::System => {
            let refusal =
                Refusal::new(Code::NotPermitted, "the system", "cannot decide for a person");
            Err(refusal.with_change("let a person ask for it, by name"))
        }
    }
}

/// A reason as papers; `None` if there is nothing in it.
fn papers(reason: &Reason) -> Option<Papers> {
    let Reason { note, exhibits } = reason;
    let empty = note.is_empty() && exhibits.is_empty();
    (!empty).then(|| Papers {
        exhibits: exhibits.clone(),
        note: note.clone(),
        words: String::new(),
    })
}

/// True if a reason gives one: words, or a document with something in it.
fn says(reason: &Reason) -> bool {
    !reason.note.trim().is_empty() || shows(reason)
}

/// True if there is a document with something in it.
fn shows(reason: &Reason) -> bool {
    reason.exhibits.iter().any(|paper| paper.size > 0)
}

/// A fact with its reason.
fn reasoned(event: crate::event::Event, reason: &Reason) -> Fact {
    Fact { event, who: None, papers: papers(reason) }
}
