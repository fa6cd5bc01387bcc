//! Erasing a custody unit from another machine: one request, under the rules of every clearance.
//!
//! Invariants (rule 5): the whole of it happens in this process, which has the vault; an answer
//! that does not arrive says nothing, and asking again finishes what was begun or is refused by
//! name.

use bailee_core::By;
use bailee_core::id::BadId;

use crate::api::Problem;
use crate::api::erased::{Erase, Erased};
use crate::http::handlers::{Ask, Shared};
use crate::http::reply::Reply;
use crate::letting_go;

pub(crate) fn erase(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let Erase { disposition, asset } = ask.json()?;
    let bad = |e: BadId| Problem::bad_request("the body", e.to_string());
    let (disposition, asset) = (disposition.parse().map_err(bad)?, asset.parse().map_err(bad)?);
    let missing = || Problem::failure("house_failed", "the request", "came in without a caller");
    let By::Party(by) = ask.by() else { return Err(missing()) };
    let done = letting_go::erase(&shared.house, disposition, asset, by, &mut |_| ())?;
    let place = format!("/v1/clearances/{}/certificate", done.clearance);
    Ok(Reply::json(201, &Erased::from(&done))?.with("location", place))
}
