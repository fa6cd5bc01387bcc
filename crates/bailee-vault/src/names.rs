//! Names: what things are called in the object store, and how people call snapshots.
//!
//! Invariants: a tenant's or unit's own name never appears in the store in clear; its tag is
//! keyed, so a store cannot guess names. Every name is built here, from tags and ids only, so
//! nothing a tenant chooses can reach a path.

use crate::error::VaultError;
use crate::key::Secret;
use crate::seal::Kind;
use bailee_ledger::{from_hex, to_hex};

/// 16 bytes that stand for a tenant, a unit or an object.
pub(crate) type Tag = [u8; 16];

/// A snapshot, by the first 16 bytes of its manifest root, in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId(pub(crate) Tag);

impl SnapshotId {
    /// The id that belongs to a manifest root.
    pub fn of_root(root: &[u8; 32]) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&root[..16]);
        Self(id)
    }
}

impl std::fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl std::fmt::Debug for SnapshotId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SnapshotId({self})")
    }
}

impl std::str::FromStr for SnapshotId {
    type Err = VaultError;
    fn from_str(text: &str) -> Result<Self, VaultError> {
        from_hex(text).map(Self).ok_or_else(|| VaultError::BadName {
            what: "snapshot id",
            name: text.to_owned(),
            detail: "it has 32 lower-case hexadecimal digits",
        })
    }
}

/// The keyed tag of a tenant's or unit's name.
pub(crate) fn tag(key: &Secret, label: &[u8], name: &str) -> Tag {
    let mut out = [0; 16];
    let full = key.derive(b"bailee/vault/v1 tag", &[label, &[0], name.as_bytes()]);
    out.copy_from_slice(&full.expose()[..16]);
    out
}

/// Refuses names that could not be shown or compared safely: 1 to 256 bytes, no control characters.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), VaultError> {
    let bad = |detail| VaultError::BadName { what, name: name.to_owned(), detail };
    if name.is_empty() || name.len() > 256 {
        return Err(bad("it has 1 to 256 bytes"));
    }
    if name.chars().any(char::is_control) {
        return Err(bad("it has no control characters"));
    }
    Ok(())
}

pub(crate) const ROOT: &str = "vault/";
pub(crate) const KEKS: &str = "vault/kek/";
pub(crate) const TENANTS: &str = "vault/t/";

/// The folder of a unit's doubts.
pub(crate) const DOUBT: &str = "doubt";
/// The folder of its packs that a repair has put together.
const MENDED: &str = "mended";

pub(crate) fn config(kek: &Tag) -> String {
    format!("{KEKS}{}", to_hex(kek))
}
pub(crate) fn tenant(tenant: &Tag) -> String {
    format!("{TENANTS}{}/", to_hex(tenant))
}
pub(crate) fn tenant_key(tenant: &Tag, kek: &Tag) -> String {
    format!("{TENANTS}{}/key/{}", to_hex(tenant), to_hex(kek))
}
pub(crate) fn tenant_keys(tenant: &Tag) -> String {
    format!("{TENANTS}{}/key/", to_hex(tenant))
}
pub(crate) fn snapshots(tenant: &Tag) -> String {
    format!("{TENANTS}{}/s/", to_hex(tenant))
}
pub(crate) fn snapshot(tenant: &Tag, id: &SnapshotId) -> String {
    format!("{TENANTS}{}/s/{id}", to_hex(tenant))
}
pub(crate) fn units(tenant: &Tag) -> String {
    format!("{TENANTS}{}/u/", to_hex(tenant))
}
pub(crate) fn unit(tenant: &Tag, unit: &Tag) -> String {
    format!("{}{}/", units(tenant), to_hex(unit))
}
/// The prefix of a unit's objects of one kind.
pub(crate) fn of_kind(tenant: &Tag, unit_tag: &Tag, kind: Kind) -> String {
    let folder = match kind {
        Kind::DataPack => "data",
        Kind::MetaPack => "meta",
        Kind::Index => "index",
        Kind::UnitKey => "key",
        Kind::Tombstone => "erased",
        Kind::Draft => "draft",
        Kind::Sorted => "sorted",
        Kind::Config | Kind::TenantKey | Kind::Snapshot => "other",
    };
    format!("{}{folder}/", unit(tenant, unit_tag))
}
pub(crate) fn object(tenant: &Tag, unit: &Tag, kind: Kind, id: &Tag) -> String {
    format!("{}{}", of_kind(tenant, unit, kind), to_hex(id))
}

/// The prefix of a unit's doubts.
pub(crate) fn doubts(tenant: &Tag, unit_tag: &Tag) -> String {
    format!("{}{DOUBT}/", unit(tenant, unit_tag))
}
pub(crate) fn is_doubt(name: &str) -> bool {
    name.rsplit('/').nth(1) == Some(DOUBT)
}

/// The prefix of a unit's packs that a repair has put together and not yet in their place.
pub(crate) fn all_mended(tenant: &Tag, unit_tag: &Tag) -> String {
    format!("{}{MENDED}/", unit(tenant, unit_tag))
}
pub(crate) fn is_mended(name: &str) -> bool {
    name.rsplit('/').nth(1) == Some(MENDED)
}
/// Where a repair puts the pack of this name before it is in its place.
pub(crate) fn mended(pack: &str) -> String {
    let mut parts = pack.rsplitn(3, '/');
    let (id, _, unit) = (parts.next(), parts.next(), parts.next());
    format!("{}/{MENDED}/{}", unit.unwrap_or_default(), id.unwrap_or_default())
}
/// The packs that may belong there.
pub(crate) fn packs_beside(mended: &str) -> [String; 2] {
    ["data", "meta"].map(|folder| mended.replace(&format!("/{MENDED}/"), &format!("/{folder}/")))
}
pub(crate) fn is_pack(name: &str) -> bool {
    matches!(name.rsplit('/').nth(1), Some("data" | "meta"))
}

/// True of a key object's name: of the vault, a tenant or a unit.
pub fn is_key(name: &str) -> bool {
    name.starts_with(KEKS) || name.rsplit('/').nth(1) == Some("key")
}

/// True of a key's or a snapshot's name.
pub fn is_sealed(name: &str) -> bool {
    is_key(name) || name.rsplit('/').nth(1) == Some("s")
}

/// The id at the end of an object's name.
pub(crate) fn last_id(name: &str) -> Option<Tag> {
    name.rsplit('/').next().and_then(from_hex)
}
