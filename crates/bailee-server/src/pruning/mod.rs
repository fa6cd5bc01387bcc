//! Pruning: space that nothing needs comes back, in every custody unit of the house's vault.
//!
//! It finishes what a kill left: packs of a preservation that never came to its snapshot, of an
//! expiry that was cut short, of an erased unit. `bailee prune` does it, and the service each day.
//!
//! Invariant: the log arbitrates. What it has as kept must be in the store, by name, or the vault
//! lets go of nothing in that unit; a store that does not list a thing has not lost it. Out of
//! scope: snapshots that the vault has and the log does not: they are kept, and cost their space.

mod pruner;

use std::fmt::Write as _;
use std::ops::ControlFlow;

use bailee_core::asset::Fate;
use bailee_core::hold::Hold;
use bailee_core::id::AssetId;
use bailee_core::{State, Time, coverage};
use bailee_vault::{Living, Sweep, Swept, Vault, VaultError};

use crate::house::{House, HouseError};
use crate::keeping::{self, KeepError, tenant};
pub(crate) use pruner::Pruner;

/// What became of one custody unit.
#[derive(Debug)]
pub struct Pruned {
    /// Whose: an account, or the house itself.
    pub tenant: String,
    /// Which, and what was let go.
    pub swept: Swept,
}

/// What pruning all units came to, the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// When it ended.
    pub at: Time,
    /// Packs deleted.
    pub packs: u64,
    /// Bytes of them.
    pub freed_bytes: u64,
    /// Units in which nothing, or not all, could be let go.
    pub refused: u64,
}

impl Totals {
    fn at(at: Time) -> Totals {
        Totals { at, packs: 0, freed_bytes: 0, refused: 0 }
    }

    fn add(&mut self, swept: &Swept) {
        match &swept.outcome {
            Ok(report) => {
                self.packs += report.packs;
                self.freed_bytes += report.freed_bytes;
            }
            Err(_) => self.refused += 1,
        }
    }
}

/// Prunes every custody unit, or says what that would free. `told` is called after each unit of a
/// tenant, with how many of them are done and how many there are.
///
/// # Errors
/// A house in memory; keys and units cannot be listed. What is the matter with a single unit is in
/// its own outcome.
pub fn prune(
    house: &House,
    how: Sweep,
    told: &mut dyn FnMut(&str, usize, usize),
) -> Result<Vec<Pruned>, KeepError> {
    let Some(vault) = keeping::vault_or_nothing_kept(house)? else { return Ok(Vec::new()) };
    let (catalogue, mut all) = (catalogue(house), Vec::new());
    for tenant in vault.tenants()? {
        let mut done = 0;
        let swept = sweep(&vault, &tenant, how, &catalogue, &mut |swept, many| {
            done += 1;
            told(&tenant, done, many);
            all.push(Pruned { tenant: tenant.clone(), swept });
            ControlFlow::Continue(())
        });
        swept?;
    }
    if how == Sweep::Now {
        let mut totals = Totals::at(house.clock().now());
        all.iter().for_each(|one| totals.add(&one.swept));
        house.inner.set_pruned(totals);
    }
    Ok(all)
}

/// The units of one tenant.
fn sweep(
    vault: &Vault,
    tenant: &str,
    how: Sweep,
    catalogue: &bailee_vault::Catalogue<'_>,
    told: &mut dyn FnMut(Swept, usize) -> ControlFlow<()>,
) -> Result<(), VaultError> {
    match vault.sweep(tenant, how, catalogue, told) {
        Err(VaultError::UnknownTenant { .. }) => Ok(()), // its key went meanwhile
        swept => swept,
    }
}

/// What the log has as kept in a custody unit, for the vault.
pub fn catalogue(house: &House) -> impl Fn(&str, &str) -> Result<Living, String> + '_ {
    move |tenant: &str, unit: &str| match house.with_state(|s| living(s, tenant, unit)) {
        Ok(living) => living,
        Err(failure) => Err(failure.to_string()),
    }
}

fn living(s: &State, owner: &str, unit: &str) -> Result<Living, String> {
    let mut living = Living::default();
    let Some((source, number)) = keeping::source_of(unit) else { return Ok(living) };
    let taken = s.assets.get(source).map_or(&[][..], |source| &source.snapshots[..]);
    for taken in taken.iter().filter_map(|id| s.snapshots.get(*id)) {
        if taken.unit != number || tenant(s, taken.asset) != owner {
            continue;
        }
        let id = taken.vault_id.parse().map_err(|e: VaultError| e.to_string())?;
        match s.assets.get(taken.asset).map(|copy| &copy.fate) {
            Some(Fate::Kept) | None => living.kept.insert(id),
            // Somebody wants what may be left of it, or what a copy of the store brings back.
            Some(Fate::Unknown(_) | Fate::Partial(_)) if is_held(s, taken.asset) => {
                living.kept.insert(id)
            }
            Some(Fate::Unknown(_) | Fate::Partial(_) | Fate::HandedOver(..)) => {
                living.unsure.insert(id)
            }
            // A copy of the store may bring it back; wanted by somebody, it stays.
            Some(Fate::Destroyed(_)) if !is_held(s, taken.asset) => living.gone.insert(id),
            Some(Fate::Destroyed(_)) => false,
        };
    }
    Ok(living)
}

fn is_held(s: &State, asset: AssetId) -> bool {
    let mut holds = coverage::holds(s, asset).into_keys();
    holds.any(|id| s.holds.get(id).is_some_and(Hold::in_force))
}

/// Gauges of the last time, since the service began.
pub(crate) fn write_metrics(house: &House, out: &mut String) -> Result<(), HouseError> {
    let Some(last) = house.inner.pruned() else { return Ok(()) };
    let at = u64::try_from(last.at.unix()).unwrap_or(0);
    for (name, help, value) in [
        ("time_seconds", "When all units were last pruned, seconds since 1970", at),
        ("packs", "Packs that were deleted then", last.packs),
        ("freed_bytes", "Bytes of them", last.freed_bytes),
        ("refused_units", "Custody units in which it was refused", last.refused),
    ] {
        let name = format!("bailee_prune_{name}");
        _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    }
    Ok(())
}
