//! Sealed objects: one 128-byte header, then records under AES-256-GCM.
//!
//! Invariants
//! 1. Each object has a random 32-byte salt, hence a key of its own; a record's nonce is its
//!    ordinal, used once. No (key, nonce) pair can repeat.
//! 2. The key derivation binds kind, tenant, unit, object id and vault; the additional data binds
//!    the whole header again, and ordinal, chunk id, lengths and codec of the record. A record
//!    moved to another place, object, unit, tenant or vault does not open.
//! 3. The commitment in the header is checked before any record: no ciphertext opens under two
//!    keys.
//! 4. Nothing leaves this file unauthenticated.
//!
//! Out of scope: what the records mean; compression (`pack.rs`).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::error::VaultError;
use crate::key::{ObjectKeys, Secret, random};
use crate::wire::{Reader, Writer};

/// Length of a header.
pub(crate) const HEADER: usize = 128;
/// Length of a GCM tag, which follows each record.
pub(crate) const TAG: usize = 16;
/// Format version written and read.
pub(crate) const VERSION: u16 = 1;
const MAGIC: &[u8; 8] = b"BAILVLT1";

/// What a sealed object is. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Config = 0,
    TenantKey = 1,
    UnitKey = 2,
    DataPack = 3,
    MetaPack = 4,
    Index = 5,
    Snapshot = 6,
    Tombstone = 7,
    Draft = 8,
    Sorted = 9,
}

/// Which object: bound into its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) vault: [u8; 16],
    pub(crate) tenant: [u8; 16],
    pub(crate) unit: [u8; 16],
    pub(crate) object: [u8; 16],
}

impl Place {
    /// The first 64 bytes of the header.
    fn prefix(&self) -> [u8; 64] {
        let mut w = Writer::default();
        w.raw(MAGIC);
        w.u16(VERSION);
        w.u8(self.kind as u8);
        w.raw(&[0; 5]);
        w.raw(&self.tenant);
        w.raw(&self.unit);
        w.raw(&self.object);
        w.0.try_into().expect("8+2+1+5+16+16+16 = 64")
    }

    fn keys(&self, master: &Secret, salt: &[u8; 32]) -> ObjectKeys {
        let info: [&[u8]; 3] = [b"bailee/vault/v1 object", &self.prefix(), &self.vault];
        ObjectKeys::derive(master, salt, &info)
    }
}

/// What is bound to a record besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordInfo {
    pub(crate) ordinal: u64,
    pub(crate) id: [u8; 24],
    pub(crate) plain_len: u32,
    /// Ciphertext without tag; equals the compressed length.
    pub(crate) stored_len: u32,
    pub(crate) codec: u8,
}

/// The key of one object, ready to seal or open its records.
pub(crate) struct Seal {
    pub(crate) header: [u8; HEADER],
    key: LessSafeKey,
}

impl Seal {
    /// A new object with a fresh salt.
    pub(crate) fn create(master: &Secret, place: &Place) -> Result<Self, VaultError> {
        Self::with_salt(master, place, random()?)
    }

    pub(crate) fn with_salt(
        master: &Secret,
        place: &Place,
        salt: [u8; 32],
    ) -> Result<Self, VaultError> {
        let keys = place.keys(master, &salt);
        let mut header = [0; HEADER];
        header[..64].copy_from_slice(&place.prefix());
        header[64..96].copy_from_slice(&salt);
        header[96..].copy_from_slice(&keys.commitment);
        Ok(Self { header, key: cipher(&keys.cipher)? })
    }

    /// Opens an object: its header must say it is at `place` and commit to `master`.
    pub(crate) fn open(
        master: &Secret,
        place: &Place,
        name: &str,
        object: &[u8],
    ) -> Result<Self, VaultError> {
        let header: &[u8; HEADER] = object
            .first_chunk()
            .ok_or_else(|| VaultError::damaged(name, "it is shorter than a header"))?;
        if header[..8] != MAGIC[..] {
            return Err(VaultError::damaged(name, "it does not start as a vault object"));
        }
        let version = Reader(&header[8..10]).u16().unwrap_or(0);
        if version != VERSION {
            return Err(VaultError::UnknownFormat { object: name.to_owned(), version });
        }
        if header[..64] != place.prefix() {
            return Err(VaultError::damaged(name, "its header belongs to another object"));
        }
        let mut salt = [0; 32];
        salt.copy_from_slice(&header[64..96]);
        let keys = place.keys(master, &salt);
        if header[96..] != keys.commitment {
            return Err(VaultError::damaged(name, "its header was not made with this key"));
        }
        Ok(Self { header: *header, key: cipher(&keys.cipher)? })
    }

    fn aad(&self, extra: &[u8], info: &RecordInfo) -> Vec<u8> {
        let mut w = Writer(Vec::with_capacity(HEADER + 41 + extra.len()));
        w.raw(&self.header);
        w.u64(info.ordinal);
        w.raw(&info.id);
        w.u32(info.plain_len);
        w.u32(info.stored_len);
        w.u8(info.codec);
        w.raw(extra);
        w.0
    }

    /// Encrypts `bytes` in place and returns the tag.
    pub(crate) fn seal(
        &self,
        info: &RecordInfo,
        extra: &[u8],
        bytes: &mut [u8],
    ) -> Result<[u8; TAG], VaultError> {
        let aad = Aad::from(self.aad(extra, info));
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(info.ordinal), aad, bytes)
            .map_err(|_| VaultError::Crypto { doing: "encrypt a record" })?;
        tag.as_ref().try_into().map_err(|_| VaultError::Crypto { doing: "encrypt a record" })
    }

    /// Decrypts ciphertext and tag in place; the plaintext is the returned part of `bytes`.
    pub(crate) fn unseal<'a>(
        &self,
        name: &str,
        info: &RecordInfo,
        extra: &[u8],
        bytes: &'a mut [u8],
    ) -> Result<&'a mut [u8], VaultError> {
        let aad = Aad::from(self.aad(extra, info));
        self.key.open_in_place(nonce(info.ordinal), aad, bytes).map_err(|_| {
            VaultError::damaged(name, format!("record {} is not authentic", info.ordinal))
        })
    }
}

fn cipher(key: &Secret) -> Result<LessSafeKey, VaultError> {
    let key = UnboundKey::new(&AES_256_GCM, key.expose())
        .map_err(|_| VaultError::Crypto { doing: "set up the cipher" })?;
    Ok(LessSafeKey::new(key))
}

fn nonce(ordinal: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&ordinal.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// A small object of a single record: keys, snapshot headers, tombstones.
pub(crate) fn seal_whole(
    master: &Secret,
    place: &Place,
    plain: &[u8],
) -> Result<Vec<u8>, VaultError> {
    seal_body(&Seal::create(master, place)?, &[], plain)
}

/// Header, `open` part in clear, sealed `plain`, tag.
pub(crate) fn seal_body(seal: &Seal, open: &[u8], plain: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut out = Vec::with_capacity(HEADER + open.len() + plain.len() + TAG);
    out.extend_from_slice(&seal.header);
    out.extend_from_slice(open);
    let start = out.len();
    out.extend_from_slice(plain);
    let tag = seal.seal(&whole(plain.len())?, open, &mut out[start..])?;
    out.extend_from_slice(&tag);
    Ok(out)
}

/// Opens what [`seal_whole`] made.
pub(crate) fn open_whole(
    master: &Secret,
    place: &Place,
    name: &str,
    mut object: Vec<u8>,
) -> Result<Vec<u8>, VaultError> {
    let seal = Seal::open(master, place, name, &object)?;
    Ok(open_body(&seal, name, &[], &mut object[HEADER..])?.to_vec())
}

/// Opens the sealed part of [`seal_body`].
pub(crate) fn open_body<'a>(
    seal: &Seal,
    name: &str,
    open: &[u8],
    sealed: &'a mut [u8],
) -> Result<&'a mut [u8], VaultError> {
    let len = sealed
        .len()
        .checked_sub(TAG)
        .ok_or_else(|| VaultError::damaged(name, "it ends before its tag"))?;
    let info = whole(len).map_err(|_| VaultError::damaged(name, "it is too long"))?;
    seal.unseal(name, &info, open, sealed)
}

fn whole(len: usize) -> Result<RecordInfo, VaultError> {
    let len = u32::try_from(len).map_err(|_| VaultError::Crypto { doing: "seal over 4 GiB" })?;
    Ok(RecordInfo { ordinal: 0, id: [0; 24], plain_len: len, stored_len: len, codec: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            kind: Kind::Snapshot,
            vault: [1; 16],
            tenant: [2; 16],
            unit: [3; 16],
            object: [4; 16],
        }
    }

    #[test]
    fn every_bit_and_every_place_is_bound() {
        let master = Secret::new([9; 32]);
        let whole = seal_whole(&master, &place(), b"kept").unwrap();
        let open = |m: &Secret, p: &Place, o: Vec<u8>| open_whole(m, p, "x", o);
        assert_eq!(open(&master, &place(), whole.clone()).unwrap(), b"kept");
        for i in 0..whole.len() {
            let mut bad = whole.clone();
            bad[i] ^= 1;
            assert!(open(&master, &place(), bad).is_err(), "byte {i}");
            assert!(open(&master, &place(), whole[..i].to_vec()).is_err(), "cut at {i}");
        }
        for other in [
            Place { vault: [0; 16], ..place() },
            Place { tenant: [0; 16], ..place() },
            Place { unit: [0; 16], ..place() },
            Place { object: [0; 16], ..place() },
            Place { kind: Kind::Index, ..place() },
        ] {
            assert!(open(&master, &other, whole.clone()).is_err(), "{other:?}");
        }
        assert!(open(&Secret::new([8; 32]), &place(), whole).is_err());
    }
}
