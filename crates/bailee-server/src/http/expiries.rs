//! From another machine: a snapshot expires, space comes back, what is due is done.
//!
//! Invariants: an expiry is under a clearance like every other end, and all of it happens in this
//! process, which has the vault. A client that goes away stops nothing; whoever repeats an expiry
//! gets what the first one came to, from its certificate. Expiring and pruning take the one place
//! of upkeep, because both go through a vault's index: a second is `busy`.

use bailee_vault::Sweep;

use crate::api::Problem;
use crate::api::expired::{Expire, Expired, Prune, pruned};
use crate::api::upkeep::name_unrecorded;
use crate::documents;
use crate::http::handlers::{Ask, Shared};
use crate::http::reply::Reply;
use crate::http::upkeep::{person, place};
use crate::letting_go;
use crate::{keeping, pruning, settling};

pub(crate) fn expire(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let (by, Expire { disposition, asset }) = (person(ask)?, ask.json()?);
    let bad = |e: bailee_core::id::BadId| Problem::bad_request("the body", e.to_string());
    let (of, what) = (disposition.parse().map_err(bad)?, asset.parse().map_err(bad)?);
    let _place = place(shared)?;
    let (clearance, report) = letting_go::expire(&shared.house, of, what, by, &mut || ())?;
    let at = format!("/v1/clearances/{clearance}/certificate");
    Ok(Reply::json(201, &Expired::of(asset, clearance, &report))?.with("location", at))
}

pub(crate) fn prune(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let Prune { dry_run } = ask.json()?;
    let how = if dry_run { Sweep::Rehearse } else { Sweep::Now };
    let _place = place(shared)?;
    let unnamed = documents::sweep(&shared.house, how)?;
    let all = pruning::prune(&shared.house, how, &mut |_, _, _| ())?;
    let mut value = pruned(dry_run, unnamed, &all);
    name_unrecorded(&mut value, &keeping::unrecorded(&shared.house)?);
    Reply::json(200, &value)
}

pub(crate) fn settle(shared: &Shared, _: &Ask) -> Result<Reply, Problem> {
    Reply::json(200, &settling::settle(&shared.house))
}
