//! Assets: anything that holds data and can be destroyed.
//!
//! Invariants: an asset is known by hard identifiers, which are compared in a normal form and are
//! unique; place and lifecycle say where it is and decide nothing; lineage only grows, until a
//! certified sanitization ends it.

use sha2::{Digest as _, Sha256};

use crate::demand::Digest;
use crate::id::{AccountId, AssetId, ClearanceId, EntityId, HoldId, PartyId, SnapshotId};
use crate::plain::{compatible, folded};
use crate::time::Time;
use crate::volume::Shelved;

/// What kind of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum AssetKind {
    /// A server as a whole.
    #[n(0)]
    Server,
    /// A disk, SSD or other medium.
    #[n(1)]
    Drive,
    /// A logical volume.
    #[n(2)]
    Volume,
    /// An object-store bucket.
    #[n(3)]
    Bucket,
    /// A mailbox.
    #[n(4)]
    Mailbox,
    /// A dataset or directory.
    #[n(5)]
    Dataset,
    /// A sealed archive volume.
    #[n(6)]
    Archive,
    /// A snapshot in the vault.
    #[n(7)]
    Snapshot,
}

/// Where it is in its hardware life. Never decides anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Lifecycle {
    /// Racked and running.
    #[n(0)]
    Racked,
    /// Taken out and stored.
    #[n(1)]
    Stored,
    /// On its way.
    #[n(2)]
    Moved,
    /// Out of use.
    #[n(3)]
    Retired,
}

/// Which identifier it is. Equality never depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum IdentifierKind {
    /// Serial number.
    #[n(0)]
    Serial,
    /// World wide name, EUI-64 or NGUID.
    #[n(1)]
    Wwn,
    /// UUID.
    #[n(2)]
    Uuid,
    /// Bucket or mailbox name.
    #[n(3)]
    Name,
    /// SHA-256 of the device identity an agent read.
    #[n(4)]
    Identity,
    /// Digest of what stays of a device when its size or window changes: what shares one with it
    /// is the same bytes. Binds nothing, and only ever refuses.
    #[n(5)]
    Medium,
}

/// A hard identifier.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Identifier {
    /// Which.
    #[n(0)]
    pub kind: IdentifierKind,
    /// As written.
    #[n(1)]
    pub value: String,
}

impl Identifier {
    /// The form it is compared in.
    pub fn normal(&self) -> String {
        normal(&self.value)
    }
}

/// What stands in front of a WWN, EUI-64, NGUID or UUID, by who writes it: udev, the kernel or a
/// person. A sticker has nothing there.
const SPELT_BEFORE: [&str; 6] = ["0x", "naa", "eui", "uuid", "wwn", "nvme"];

/// Digits that such a name has: an extended one or a UUID has 32.
const NAME_DIGITS: [usize; 2] = [16, 32];

/// The form in which identifiers are compared: letters and digits only, lower case, and of a WWN
/// its hex digits. `WD-12:ab` and `wd12AB` are one identifier, and so are `wwn-0x5000c500a1b2c3d4`,
/// `naa.5000c500a1b2c3d4` and `50:00:C5:00:A1:B2:C3:D4`. The form of a form is itself.
pub fn normal(text: &str) -> String {
    let mut form = squeezed(text);
    form.drain(..spelt_before(&form));
    form
}

/// The form of a WWN that is spelt with something in front; `None` for everything else.
pub(crate) fn bare_name(text: &str) -> Option<String> {
    let mut form = (text.len() > NAME_DIGITS[0]).then(|| squeezed(text))?;
    let before = spelt_before(&form);
    form.drain(..before);
    (before > 0).then_some(form)
}

/// Bytes in front of the hex digits of a WWN; 0 if it is none.
fn spelt_before(form: &str) -> usize {
    let mut name = form;
    while let Some(rest) = SPELT_BEFORE.iter().find_map(|before| name.strip_prefix(before)) {
        name = rest;
    }
    let is_name =
        NAME_DIGITS.contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_name { form.len() - name.len() } else { 0 }
}

fn squeezed(text: &str) -> String {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return text.to_ascii_lowercase();
    }
    if text.is_ascii() {
        let kept = text.chars().filter(char::is_ascii_alphanumeric);
        return kept.map(|c| c.to_ascii_lowercase()).collect();
    }
    compatible(text).filter(|c| c.is_alphanumeric()).flat_map(folded).collect()
}

/// The subject of a clearance to hand over what no agent reads: SHA-256 over an identifier in the
/// form it is compared in. Who stands before the thing reads it there (docs/format.md).
pub fn identifier_subject(value: &str) -> Digest {
    Sha256::digest(format!("bailee/asset-identifier/v1\n{}\n", normal(value))).into()
}

/// What became of an asset's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Kept.
    Kept,
    /// A clearance was begun and neither finished nor aborted: nobody knows.
    Unknown(ClearanceId),
    /// An agent stopped in the middle: some ranges are gone.
    Partial(ClearanceId),
    /// Destroyed, with a certificate.
    Destroyed(ClearanceId),
    /// In somebody else's custody.
    HandedOver(ClearanceId, PartyId),
}

impl Fate {
    /// True while the provider still has something to let go of.
    pub fn is_here(&self) -> bool {
        matches!(self, Fate::Kept | Fate::Unknown(_) | Fate::Partial(_))
    }
}

/// Anything that holds data and can be destroyed.
#[derive(Clone, Debug, PartialEq)]
pub struct Asset {
    /// What kind.
    pub kind: AssetKind,
    /// What people call it.
    pub label: Box<str>,
    /// Every account whose data may be on it.
    pub accounts: Vec<AccountId>,
    /// Hard identifiers.
    pub identifiers: Vec<Identifier>,
    /// The asset it is a part of.
    pub part_of: Option<AssetId>,
    /// Its parts.
    pub parts: Vec<AssetId>,
    /// Assets whose data it holds a copy of.
    pub copy_of: Vec<AssetId>,
    /// Where in its life.
    pub lifecycle: Lifecycle,
    /// Where in the world.
    pub place: Box<str>,
    /// Bytes of data, as far as known.
    pub bytes: u64,
    /// What became of its data.
    pub fate: Fate,
    /// Snapshots taken of it.
    pub snapshots: Vec<SnapshotId>,
    /// The snapshot it is, if it is one.
    pub snapshot: Option<SnapshotId>,
    /// Holds that name it (not those that cover it otherwise).
    pub holds: Vec<HoldId>,
    /// The clearance that is reserved or begun on it.
    pub clearance: Option<ClearanceId>,
    /// When it was registered, or data of others or a part was last added to it or to a part of it:
    /// a copy taken before does not have that.
    pub grown: Option<Time>,
    /// When data of another account, or of another asset, was last added to itself: it may be on
    /// any of its parts.
    pub joined: Option<Time>,
    /// Place in the log where it was registered, or where it last came to an account or a lineage:
    /// approvals given before were not of it.
    pub came: u64,
    /// Place in the log where it was bound to a device, or what is bound to none got another
    /// identifier, if that came later: approvals given before are of another thing.
    pub bound: Option<u64>,
}

impl Asset {
    /// The identity of the device that it is bound to. One that grew has a new identity; those
    /// before are what it was.
    pub fn device(&self) -> Option<&Identifier> {
        self.identifiers.iter().rfind(|identifier| identifier.kind == IdentifierKind::Identity)
    }
}

/// A customer relationship.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Whose.
    pub owner: PartyId,
    /// Contract partner on the provider's side.
    pub entity: EntityId,
    /// What it is called; `None` once erased.
    pub label: Option<String>,
    /// Governing law, e.g. `NL`.
    pub law: String,
    /// Days its data is kept after termination.
    pub retention_days: u32,
    /// When it ended.
    pub terminated: Option<Time>,
    /// Holds that name it.
    pub holds: Vec<HoldId>,
}

/// A legal entity of the provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// Registered name.
    pub name: String,
    /// Country, e.g. `NL`.
    pub country: String,
}

/// A preserved copy in the vault.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// What it was taken of.
    pub source: AssetId,
    /// The asset it is, so that holds follow it.
    pub asset: AssetId,
    /// Manifest root (RFC 6962 tree over the manifest's entries).
    pub root: [u8; 32],
    /// The vault's name for it.
    pub vault_id: String,
    /// Bytes of data.
    pub bytes: u64,
    /// Files and ranges that could not be read; in entries without the next field, files that
    /// changed while they were read were counted among them.
    pub unreadable: u32,
    /// Files that changed while they were read: the copy may mix states of them.
    pub changed: u32,
    /// When it was begun: data written later is not in it.
    pub taken: Time,
    /// When it was last read back whole and found equal to its manifest.
    pub verified: Option<Time>,
    /// Which custody unit of its source and account it is in: 0 is the first, and the next begins
    /// when a key was, or may have been, destroyed.
    pub unit: u32,
    /// Log position that records it.
    pub position: u64,
    /// The sets of archive volumes in which it left, oldest first.
    pub shelved: Vec<Shelved>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_a_world_wide_name_are_one() {
        for spelt in [
            "0x5000c500a1b2c3d4",
            "0X5000C500A1B2C3D4",
            "5000C500A1B2C3D4",
            "50:00:c5:00:a1:b2:c3:d4",
            "naa.5000c500a1b2c3d4",
            "eui.5000c500a1b2c3d4",
            "wwn-0x5000c500a1b2c3d4",
            "WWN: 5000 C500 A1B2 C3D4",
            "nvme-eui.5000c500a1b2c3d4",
            "ｎａａ．５０００c500a1b2c3d4",
        ] {
            assert_eq!(normal(spelt), "5000c500a1b2c3d4", "{spelt}");
            let bare = bare_name(spelt);
            let with = !spelt.starts_with('5');
            assert_eq!(bare.as_deref(), with.then_some("5000c500a1b2c3d4"), "{spelt}");
        }
        let uuid = "uuid.6ba7b810-9dad-11d1-80b4-00c04fd430c8";
        assert_eq!(normal(uuid), normal(&uuid[5..]));
    }

    #[test]
    fn what_is_not_all_of_a_world_wide_name_stays_as_it_is() {
        for (spelt, form) in [
            ("naa.5000c5", "naa5000c5"),
            ("0x5000c500a1b2c3d", "0x5000c500a1b2c3d"),
            ("0x5000c500a1b2c3d45", "0x5000c500a1b2c3d45"),
            ("naa.5000c500a1b2c3dg", "naa5000c500a1b2c3dg"),
            ("t10.ATA WDC 5000c500a1b2c3d4", "t10atawdc5000c500a1b2c3d4"),
            ("naa", "naa"),
            ("", ""),
        ] {
            assert_eq!((normal(spelt).as_str(), bare_name(spelt)), (form, None));
        }
        let digest = "0e".repeat(32);
        assert_eq!(normal(&digest), digest);
    }
}
