//! The log for everybody: checkpoint and tiles (c2sp.org/tlog-tiles), computed, never stored.
//!
//! Invariants: only what the published checkpoint covers is served, so a reader never gets a hash
//! that was not signed; with witnesses, the checkpoint goes out with what they said of it; a path
//! has one spelling (bailee-ledger says which), anything else is not found; a tile's bytes never
//! change, so everyone may keep them for ever. The checkpoint changes and is never cached. Entries
//! older than `[serving] entries_days` are denied by name; their hashes are not, so no proof
//! breaks. Nothing is deleted for that: what is served less is not erased. Nothing here tells more
//! than the leaves do: a type code, an hour, and commitments.

use std::num::NonZeroU32;
use std::time::Duration;

use bailee_core::counted;
use bailee_ledger::tile::{TileKind, encode_entries, hash_tile};
use bailee_ledger::{Checkpoint, Leaf, TileId};
use bailee_store::Entry;
use serde::{Deserialize, Serialize};

use crate::api::Problem;
use crate::house::House;
use crate::http::handlers::{Ask, Shared};
use crate::http::listen;
use crate::http::reply::{BYTES, Reply, TEXT};

pub(crate) fn checkpoint(shared: &Shared, _: &Ask) -> Result<Reply, Problem> {
    let note = shared.house.public_checkpoint().ok_or_else(nothing_signed)?;
    Ok(Reply::bytes(TEXT, note.to_string().into_bytes()))
}

pub(crate) fn tile(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let path = ask.path.trim_start_matches('/');
    let tile = TileId::parse(path).map_err(|error| {
        let detail = format!("is not the path of a tile: {error}");
        Problem::new(404, "not_found", "this path", detail, "see c2sp.org/tlog-tiles")
    })?;
    let signed = signed_size(&shared.house)?;
    if !covered(&tile, signed) {
        return Err(Problem::not_found(path));
    }
    let missing = |_| Problem::not_found(path);
    let bytes = match tile.kind {
        TileKind::Hashes { .. } => {
            let house = &shared.house;
            house
                .with_projection(|projection| hash_tile(&projection.tree, &tile))?
                .map_err(missing)?
        }
        TileKind::Entries => {
            let range = tile.range().ok_or_else(|| Problem::not_found(path))?;
            let entries = shared.house.entries(range.start, usize::from(tile.width))?;
            if entries.len() != usize::from(tile.width) {
                return Err(Problem::not_found(path));
            }
            keep_back(&shared.house, &entries)?;
            let leaves = entries.iter().map(|entry| entry.leaf.as_slice());
            encode_entries(leaves).map_err(missing)?
        }
    };
    Ok(Reply::bytes(BYTES, bytes).forever())
}

/// What is served of the log, and how patiently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serving {
    /// Days for which entries are served; `None`: for ever.
    #[serde(default)]
    pub entries_days: Option<u32>,
    /// Seconds for which a client may take nothing of an answer; `None`: two minutes.
    #[serde(default)]
    pub stalled_s: Option<NonZeroU32>,
}

impl Serving {
    /// The section of the settings.
    pub(crate) fn to_text(self) -> String {
        if self == Serving::default() {
            return String::new();
        }
        let days = self.entries_days.map(|days| format!("entries_days = {days}\n"));
        let stalled = self.stalled_s.map(|seconds| format!("stalled_s = {seconds}\n"));
        format!("\n[serving]\n{}{}", days.unwrap_or_default(), stalled.unwrap_or_default())
    }

    /// How long a client may take nothing.
    pub(crate) fn patience(self) -> Duration {
        let seconds = self.stalled_s.map(|seconds| Duration::from_secs(seconds.get().into()));
        seconds.unwrap_or(listen::PATIENCE)
    }
}

/// Denies a bundle whose newest entry is older than what is served.
fn keep_back(house: &House, entries: &[Entry]) -> Result<(), Problem> {
    let (Some(days), Some(newest)) = (house.config().serving.entries_days, entries.last()) else {
        return Ok(());
    };
    let leaf = Leaf::decode(&newest.leaf);
    let leaf = leaf.map_err(|e| Problem::failure("house_failed", "an entry", e.to_string()))?;
    let until = i64::from(leaf.hours) * 3_600 + i64::from(days) * 86_400;
    if house.clock().now().unix() <= until {
        return Ok(());
    }
    let detail = format!("are older than {}, for which entries are served", counted(days, "day"));
    let change = "prove with hash tiles and receipts; ask the operator for older entries";
    Err(Problem::new(410, "pruned", "these entries", detail, change))
}

fn nothing_signed() -> Problem {
    let change = "ask again; if it stays so, look into the log of the service";
    Problem::new(503, "nothing_signed", "the log", "has no signed checkpoint yet", change)
}

fn signed_size(house: &House) -> Result<u64, Problem> {
    let note = house.checkpoint().ok_or_else(nothing_signed)?;
    let checkpoint = Checkpoint::parse(note.text());
    let failed =
        |e: bailee_ledger::Error| Problem::failure("house_failed", "the checkpoint", e.to_string());
    Ok(checkpoint.map_err(failed)?.size)
}

/// True if every leaf under the tile is below `size`.
fn covered(tile: &TileId, size: u64) -> bool {
    let level = match tile.kind {
        TileKind::Hashes { level } => u32::from(level),
        TileKind::Entries => 0,
    };
    // Level 8 would be subtrees of 2^64 leaves: no tree has one.
    let Some(leaves) = 1u64.checked_shl(8 * level) else { return false };
    let end = tile.range().and_then(|range| range.end.checked_mul(leaves));
    end.is_some_and(|end| end <= size)
}
