//! What asks for a snapshot to expire, for space to come back, or for what is due to be done, and
//! what is answered.
//!
//! Invariant: the same members on a directory and over HTTP; of an expiry no more than its
//! certificate says.

use bailee_core::id::ClearanceId;
use bailee_vault::ExpireReport;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::pruning::Pruned;

/// Asks for a snapshot to expire.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Expire {
    /// `X-n`, the disposition it carries out.
    pub disposition: String,
    /// `A-n`, the snapshot as an asset.
    pub asset: String,
}

/// A snapshot that expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Expired {
    /// `A-n`.
    pub asset: String,
    /// `C-n`, under which it expired; its certificate is a bundle of its own.
    pub clearance: String,
    /// Always true.
    pub finished: bool,
    /// Snapshots that went.
    pub snapshots: u64,
    /// Packs that were deleted.
    pub packs: u64,
    /// Bytes of them.
    pub freed_bytes: u64,
    /// Chunks that kept snapshots need and no pack has.
    pub lost_chunks: u64,
}

impl Expired {
    /// What became of this asset.
    pub fn of(asset: impl ToString, clearance: ClearanceId, report: &ExpireReport) -> Expired {
        Expired {
            asset: asset.to_string(),
            clearance: clearance.to_string(),
            finished: true,
            snapshots: report.snapshots,
            packs: report.packs,
            freed_bytes: report.freed_bytes,
            lost_chunks: report.lost,
        }
    }
}

/// Asks for space that nothing needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Prune {
    /// Say what would be freed, at most, and change nothing.
    pub dry_run: bool,
}

/// What pruning showed, unit by unit, and how many documents no entry names.
pub fn pruned(dry_run: impl Into<Value>, documents: u64, all: &[Pruned]) -> Value {
    let items: Vec<Value> = all.iter().map(unit).collect();
    let sum = |of: &str| items.iter().filter_map(|row| row[of].as_u64()).sum::<u64>();
    json!({
        "dry_run": dry_run.into(),
        "units": items.len(),
        "packs": sum("packs"),
        "freed_bytes": sum("freed_bytes"),
        "lost_chunks": sum("lost_chunks"),
        "refused": items.iter().filter(|row| row.get("refused").is_some()).count(),
        "unnamed_documents": documents,
        "items": items,
    })
}

fn unit(Pruned { tenant, swept }: &Pruned) -> Value {
    let mut row = json!({ "unit": swept.unit, "of": tenant });
    match &swept.outcome {
        Ok(report) => {
            row["packs"] = report.packs.into();
            row["freed_bytes"] = report.freed_bytes.into();
            row["moved_bytes"] = report.moved_bytes.into();
            row["waiting"] = report.waiting.into();
            row["lost_chunks"] = report.lost.into();
        }
        Err(error) => row["refused"] = error.to_string().into(),
    }
    row
}

/// What is left after everything due was carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Settled {
    /// How much could not be done; it stays pending.
    pub still_pending: usize,
    /// Why, one line each.
    pub remarks: Vec<String>,
}
