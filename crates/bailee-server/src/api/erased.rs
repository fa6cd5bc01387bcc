//! What asks for a custody unit to be erased, and what is answered.
//!
//! Invariant: the answer says no more than the certificate does.

use bailee_core::Time;
use bailee_sanitize::ShelvedSet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::letting_go::ErasedUnit;

/// Asks for a custody unit to be erased.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Erase {
    /// `X-n`, the disposition it carries out.
    pub disposition: String,
    /// `A-n`, the snapshot that the disposition names.
    pub asset: String,
}

/// A copy of a key that is no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DestroyedKey {
    /// The object's name in the key store.
    pub object: String,
    /// SHA-256 of the wrapped bytes, hex.
    pub sha256: String,
}

/// An erased custody unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Erased {
    /// `C-n`, under which it was erased; its certificate is a bundle of its own.
    pub clearance: String,
    /// The tenant in the vault.
    pub tenant: String,
    /// The unit.
    pub unit: String,
    /// `S-n`, every snapshot of the log that went.
    pub snapshots: Vec<String>,
    /// Every copy of the unit's key that was destroyed.
    pub keys_destroyed: Vec<DestroyedKey>,
    /// Bytes of packs that were deleted.
    pub freed_bytes: u64,
    /// What is beyond reach.
    pub not_reached: Vec<String>,
    /// Every set of archive volumes with data of the unit that the log knows: the key of volumes is
    /// not the unit's, and they can be read as before.
    pub volumes_not_reached: Vec<VolumesLeft>,
}

/// A set of archive volumes that left before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct VolumesLeft {
    /// The set's name, hex, as its volumes bear it.
    pub set: String,
    /// `S-n`, what left in it.
    pub snapshot: String,
    /// The first entry of the log about it.
    pub entry: u64,
    /// When the log heard of it.
    pub at: String,
    /// How many volumes it has.
    pub volumes: u32,
    /// Their bytes.
    pub bytes: u64,
}

impl From<&ShelvedSet> for VolumesLeft {
    fn from(left: &ShelvedSet) -> VolumesLeft {
        VolumesLeft {
            set: left.set.clone(),
            snapshot: left.snapshot.clone(),
            entry: left.position,
            at: Time::from_unix(left.logged_unix).to_string(),
            volumes: left.volumes,
            bytes: left.bytes,
        }
    }
}

impl From<&ErasedUnit> for Erased {
    fn from(done: &ErasedUnit) -> Erased {
        let ErasedUnit { clearance, erasure, certificate } = done;
        let key = |key: &bailee_sanitize::GoneKey| DestroyedKey {
            object: key.object.clone(),
            sha256: key.sha256.clone(),
        };
        Erased {
            clearance: clearance.to_string(),
            tenant: erasure.tenant.clone(),
            unit: erasure.unit.clone(),
            snapshots: certificate.copies().iter().map(|copy| copy.snapshot.clone()).collect(),
            keys_destroyed: certificate.keys_destroyed().iter().map(key).collect(),
            freed_bytes: erasure.let_go.freed_bytes,
            not_reached: certificate.not_reached().to_vec(),
            volumes_not_reached: certificate.shelved().iter().map(VolumesLeft::from).collect(),
        }
    }
}
