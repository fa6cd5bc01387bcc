//! Perform: one request through the one loop.
//!
//! Invariants: the command line on this machine and the API of a server come through here and
//! nowhere else; the answer is made from what was recorded. Follow-ups (receipts, notices, clocks)
//! are `House::settle`, which the server calls by itself and the command line after each command.

use bailee_core::disposition::DispositionKind;
use bailee_core::{Action, By, Command, Event, decide};

use crate::api::answer::Answer;
use crate::api::certified;
use crate::api::problem::Problem;
use crate::api::request::Request;
use crate::binding;
use crate::documents;
use crate::house::House;
use crate::keys::rotate;
use crate::letting_go;

/// Does what is asked, durable on return.
///
/// # Errors
/// The core's refusal by its code; `bad_request` for a field that does not read; `unavailable` or
/// `outcome_unknown` if the log could not be written.
pub fn perform(house: &House, request: Request, by: By) -> Result<Answer, Problem> {
    let (command, desk) = request.read(by)?;
    if let Action::ApproveRotation { rotation } | Action::EndRotation { rotation, .. } =
        &command.action
    {
        rotate::ready(house, *rotation)?;
    }
    not_the_vaults(house, &command.action)?;
    not_the_house(house, &command)?;
    // From the look at what was handed in until the entry is durable, none of it is destroyed.
    let adding = (!desk.stored.is_empty()).then(|| house.adding());
    documents::there(house, by, &desk.stored)?;
    if matches!(command.action, Action::Finish { .. }) && adding.is_some() {
        let detail = "of a finish is sent with it, not by its SHA-256";
        return Err(Problem::bad_request("the document", detail));
    }
    if let Some(record) = certified::check(house, &command, &desk.exhibits)? {
        return Ok(Answer::of(&[record]));
    }
    let done = house.submit_while(adding, command, desk.exhibits)?;
    let mut answer = Answer::of(&done.records);
    answer.token = desk.token;
    let reserved = done.records.iter().find_map(|record| match record.fact.event {
        Event::ClearanceReserved { clearance, .. } => Some(clearance),
        _ => None,
    });
    if let Some(clearance) = reserved {
        answer.token = Some(letting_go::token(house, clearance)?);
    }
    Ok(answer)
}

/// Refuses a device that is of the data directory, or carries it, as far as this machine has it:
/// what is bound will be overwritten one day, and the keys and packs with it.
fn not_the_house(house: &House, command: &Command) -> Result<(), Problem> {
    let Some((dir, keys)) = house.dir().zip(binding::keys(&command.action)) else {
        return Ok(());
    };
    // Whoever is told no anyway does not make this machine look through its files.
    let now = house.clock().now();
    if house.with_state(|s| decide(s, command, now).is_err())? {
        return Ok(());
    }
    keys.keep_apart(dir).map_err(|error| {
        let change = "bind the asset to another device, or move the house to another place first";
        Problem::new(409, error.code(), "the device", error.to_string(), change)
    })
}

/// Refuses what only the machine that has the vault can state: what is in it, and single steps of a
/// clearance over that.
fn not_the_vaults(house: &House, action: &Action) -> Result<(), Problem> {
    let stated = match action {
        Action::RecordSnapshot { source, .. } => Some((source.to_string(), "`bailee preserve`")),
        Action::VerifySnapshot { snapshot, .. } => {
            Some((snapshot.to_string(), "`bailee snapshot verify`"))
        }
        _ => None,
    };
    if let Some((about, change)) = stated {
        let detail = "is said to be in the vault, which only the server that has it can see";
        let change = format!("use {change}, which does the work and records what that showed");
        return Err(Problem::new(403, "done_by_the_vault", about, detail, &change));
    }
    let (kind, about) = house.with_state(|s| match action {
        Action::Reserve { disposition, .. } | Action::ReserveDevice { disposition, .. } => {
            (s.dispositions.get(*disposition).map(|found| found.kind), disposition.to_string())
        }
        Action::Begin { clearance }
        | Action::Renew { clearance }
        | Action::Finish { clearance, .. }
        | Action::Abort { clearance, .. } => {
            let disposition = s.clearances.get(*clearance).map(|found| found.disposition);
            let found = disposition.and_then(|id| s.dispositions.get(id));
            (found.map(|found| found.kind), clearance.to_string())
        }
        _ => (None, String::new()),
    })?;
    let (what, change) = match kind {
        Some(DispositionKind::Expire) => ("expires a snapshot", "`bailee expire`"),
        Some(DispositionKind::Erase) => ("erases a custody unit", "`bailee erase`"),
        _ => return Ok(()),
    };
    let detail = format!("{what}, which only the server that has the vault can see done");
    let change = format!("use {change}, which does all steps and the work itself");
    Err(Problem::new(403, "done_by_the_vault", about, detail, &change))
}
