//! Vault: keeps other people's data in encrypted, deduplicated packs, proves it by reading it back,
//! gives it back byte for byte, and lets go of it only under a clearance.
//!
//! Absences: it knows no holds (it asks a function whether a snapshot is pinned), no log (it gives
//! a 32-byte root to whoever keeps one), no network. It does not decide who may read.
//!
//! Formats: docs/vault-format.md. Decisions: docs/decisions/0010 to 0019.

mod bag;
mod browse;
mod buried;
mod canary;
mod chunk;
mod chunker;
mod compact;
mod damage;
mod doubt;
mod erasure;
mod error;
mod expire;
mod export;
mod flat;
mod forward;
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod key;
mod living;
mod manifest;
mod names;
mod open;
mod pack;
mod packer;
mod pattern;
#[doc(hidden)]
pub mod planted;
mod presence;
mod preserve;
mod progress;
mod proof;
mod prune;
mod read;
mod reindex;
mod repair;
mod rescue;
mod restore;
mod rewrap;
mod root;
mod scrub;
mod seal;
mod sealed;
mod segment;
mod snapshot;
mod sorted;
mod split;
mod stay;
mod survey;
mod sweep;
mod tar;
mod transfer;
mod unit;
mod vault;
mod verify;
mod volume;
mod wanting;
mod wire;

pub use bag::receive_bag;
pub use browse::{Contents, OpenFile};
pub use canary::{Canary, Draw, Harm};
pub use damage::Damage;
pub use erasure::{DestroyedKey, Erasure};
pub use error::VaultError;
pub use expire::{ExpireReport, Pins};
pub use export::ExportReport;
pub use key::Kek;
pub use living::{Catalogue, Living, no_catalogue};
pub use manifest::{Content, DeviceKind, Entry, Meta, Node, tree_order};
pub use names::{SnapshotId, is_key, is_sealed};
pub use open::FileReader;
pub use pattern::Pattern;
pub use presence::Closely;
pub use preserve::{Costs, Input, Oddities, SnapshotReport, Source, Stage, Unchanged, send};
pub use progress::Progress;
pub use reindex::ReindexReport;
pub use repair::{Loss, RepairReport, repair_packs};
pub use rescue::rescue_map;
pub use restore::{Missed, RestoreReport, receive};
pub use rewrap::RewrapReport;
pub use scrub::{Budget, ScrubRun, scrub_some};
pub use sealed::{SealedRepair, repair_sealed, unopened};
pub use snapshot::{SnapshotInfo, SourceKind};
pub use sweep::{Sweep, Swept};
pub use tar::tar_members;
pub use transfer::{Plain, PlainWriter};
pub use vault::Vault;
pub use verify::{Problem, ScrubReport, VerifyReport, scrub_packs};
pub use volume::{
    Given, Ignored, SetId, SetReport, Shelf, VolumeFacts, VolumeProblem, VolumesReport,
    check_volumes, read_volumes, restore_volumes,
};
pub use wanting::{Census, Wanting};
