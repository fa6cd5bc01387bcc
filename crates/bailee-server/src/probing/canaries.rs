//! Which of the held snapshots are looked at today, and what reading them back showed.
//!
//! Invariants: only what a hold in force reaches is drawn, whoever may know of the hold; what lost
//! something before comes first; the state is looked at for a bounded time.

use std::collections::{BTreeMap, BTreeSet};

use bailee_core::State;
use bailee_core::engine::{self, Canaries, Finding, Lost, is_held};
use bailee_core::id::{Id, SnapshotId};
use bailee_vault::{Draw, Harm, SnapshotId as VaultId, Vault, VaultError};

use crate::keeping::tenant;

/// Snapshots looked at in one probe, beside those that lost something before.
const SNAPSHOTS: usize = 4;
/// Packs drawn of each: up to 16 MiB a pack.
const PACKS: usize = 2;
/// Most snapshots that are looked at for one that is held.
const SOUGHT: usize = 10_000;
/// Most lost objects that are named in one finding.
const MOST_LOST: usize = 1000;

/// One snapshot to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pick {
    snapshot: SnapshotId,
    tenant: String,
    vault: VaultId,
    /// Objects of it that were lost before.
    again: Vec<String>,
}

/// Snapshots under hold: those that lost something, then some from place `from` on.
pub(super) fn pick(s: &State, before: Option<&Finding>, from: u64) -> Vec<Pick> {
    let mut again = BTreeMap::<SnapshotId, Vec<String>>::new();
    for lost in before.iter().flat_map(|before| &before.canaries.lost) {
        again.entry(lost.snapshot).or_default().push(lost.object.clone());
    }
    let count = s.snapshots.len() as u64;
    let nth = |n: u64| u32::try_from((from.wrapping_add(n)) % count.max(1) + 1).map(Id::nth);
    let drawn = (0..count).take(SOUGHT).filter_map(|n| nth(n).ok());
    let drawn = drawn.filter(|id| !again.contains_key(id) && is_held(s, *id)).take(SNAPSHOTS);
    let all: Vec<SnapshotId> =
        again.keys().copied().filter(|id| is_held(s, *id)).chain(drawn).collect();
    let one = |snapshot: SnapshotId| {
        let found = s.snapshots.get(snapshot)?;
        let again = again.get(&snapshot).cloned().unwrap_or_default();
        let (tenant, vault) = (tenant(s, found.asset), found.vault_id.parse().ok()?);
        Some(Pick { snapshot, tenant, vault, again })
    };
    all.into_iter().filter_map(one).collect()
}

/// What `pick` would not choose any more is not lost but let go of.
pub(super) fn still_held(s: &State, canaries: &mut Canaries) {
    canaries.lost.retain(|lost| is_held(s, lost.snapshot));
}

/// None of them can be read, for this is missing.
pub(super) fn all_lost(picks: &[Pick], missing: &str) -> Canaries {
    let lost = |pick: &Pick| Lost {
        snapshot: pick.snapshot,
        object: missing.to_owned(),
        harm: engine::Harm::Missing,
    };
    let lost: Vec<Lost> = picks.iter().take(MOST_LOST).map(lost).collect();
    Canaries { objects: u32::try_from(lost.len()).unwrap_or(u32::MAX), bytes: 0, lost }
}

/// Reads them back. What cannot be read because the store does not answer is an error.
pub(super) fn read_back(
    vault: &Vault,
    picks: &[Pick],
    seed: [u8; 32],
) -> (Canaries, Option<VaultError>) {
    let mut all = Canaries::default();
    let mut named = BTreeSet::new();
    for pick in picks {
        let draw = Draw { seed, packs: PACKS, again: pick.again.clone() };
        let seen = match vault.canaries(&pick.tenant, &pick.vault, &draw) {
            Ok(seen) => seen,
            Err(error) => return (all, Some(error)),
        };
        for canary in seen {
            all.objects = all.objects.saturating_add(1);
            all.bytes = all.bytes.saturating_add(canary.bytes);
            let Some(harm) = canary.harm else { continue };
            let harm = match harm {
                Harm::Missing => engine::Harm::Missing,
                Harm::Damaged => engine::Harm::Damaged,
            };
            let lost = Lost { snapshot: pick.snapshot, object: canary.object, harm };
            if all.lost.len() < MOST_LOST && named.insert((lost.snapshot, lost.object.clone())) {
                all.lost.push(lost);
            }
        }
    }
    (all, None)
}
