//! Perform: one request through the one loop.
//!
//! Invariants: the command line on this machine and the API of a server come through here and
//! nowhere else; the answer is made from what was recorded. Follow-ups (receipts, notices, clocks)
//! are `House::settle`, which the server calls by itself and the command line after each command.

use bailee_core::{Action, By, Event};

use crate::api::answer::Answer;
use crate::api::problem::Problem;
use crate::api::request::Request;
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
    let done = house.submit(command, desk.exhibits)?;
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
