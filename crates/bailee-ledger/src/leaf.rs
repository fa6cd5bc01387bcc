//! Leaves: what the log commits to about one event, without saying anything about it.
//!
//! Invariants: a leaf holds no name, address, file name or plain hash; each section (what, who,
//! papers) is HMAC-SHA-256 under its own 32-byte salt, so a section can be shown or its salt
//! destroyed without touching the others or any proof. Encoding is deterministic CBOR (RFC 8949
//! 4.2) and decoding accepts only bytes that re-encode to themselves.
//!
//! `[1, type u16, hours u32, [what, who, papers]]`, commitment = 32 bytes or null,
//! HMAC(salt, section number 0..=2 || bytes). Verify stored bytes; never re-encode a section.

use std::convert::Infallible;

use hmac::{Hmac, KeyInit, Mac};
use minicbor::{Decoder, Encoder};
use sha2::Sha256;

use crate::error::Error;
use crate::hash::{Hash, leaf_hash};

const WHAT: &str = "leaf";
const SCHEMA: u8 = 1;
/// Sections of a leaf.
pub const SECTIONS: usize = 3;
/// File names of the sections, in order.
pub const SECTION_NAMES: [&str; SECTIONS] = ["what", "who", "papers"];
/// Longest encoded leaf in bytes.
pub const MAX_LEAF: usize = 1 + 1 + 3 + 5 + 1 + SECTIONS * 34;

/// One section to commit to: its exact bytes and the salt drawn for it.
pub type Section<'a> = (&'a [u8], &'a [u8; 32]);

/// A leaf of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Event type code, from core's wire table.
    pub type_code: u16,
    /// Unix time in whole hours: coarse on purpose.
    pub hours: u32,
    /// Commitments to what, who, papers; `None` where the event has no such section.
    pub commitments: [Option<Hash>; SECTIONS],
}

impl Leaf {
    /// Commits to an event. `unix_seconds` is cut to whole hours (and to the u32 range).
    pub fn commit(
        type_code: u16,
        unix_seconds: i64,
        sections: [Option<Section<'_>>; SECTIONS],
    ) -> Self {
        let hours = (unix_seconds / 3_600).clamp(0, i64::from(u32::MAX)) as u32;
        let mut commitments = [None; SECTIONS];
        for (number, section) in sections.into_iter().enumerate() {
            commitments[number] = section.map(|(bytes, salt)| commitment(number, bytes, salt));
        }
        Self { type_code, hours, commitments }
    }

    /// The leaf bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(MAX_LEAF);
        let written: Result<(), minicbor::encode::Error<Infallible>> = self.write(&mut out);
        written.expect("writing CBOR to a Vec cannot fail");
        out
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), minicbor::encode::Error<Infallible>> {
        let mut cbor = Encoder::new(out);
        cbor.array(4)?.u8(SCHEMA)?.u16(self.type_code)?.u32(self.hours)?.array(SECTIONS as u64)?;
        for commitment in &self.commitments {
            match commitment {
                Some(hash) => cbor.bytes(hash)?,
                None => cbor.null()?,
            };
        }
        Ok(())
    }

    /// Parses leaf bytes; only the one canonical encoding is accepted.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_LEAF {
            let (limit, got) = (MAX_LEAF as u64, bytes.len() as u64);
            return Err(Error::TooLarge { what: WHAT, limit, got });
        }
        let leaf = Self::read(bytes).ok_or(Error::malformed(WHAT, "not a leaf of schema 1"))?;
        if leaf.encode() != bytes {
            return Err(Error::malformed(WHAT, "not the canonical encoding"));
        }
        Ok(leaf)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut cbor = Decoder::new(bytes);
        let header = cbor.array().ok()? == Some(4) && cbor.u8().ok()? == SCHEMA;
        let type_code = cbor.u16().ok()?;
        let hours = cbor.u32().ok()?;
        if !header || cbor.array().ok()? != Some(SECTIONS as u64) {
            return None;
        }
        let mut commitments = [None; SECTIONS];
        for slot in &mut commitments {
            if cbor.datatype().ok()? == minicbor::data::Type::Null {
                cbor.null().ok()?;
            } else {
                *slot = Some(cbor.bytes().ok()?.try_into().ok()?);
            }
        }
        Some(Self { type_code, hours, commitments })
    }

    /// The RFC 6962 hash of the leaf bytes.
    pub fn hash(&self) -> Hash {
        leaf_hash(&self.encode())
    }

    /// Are `bytes` with `salt` what section `section` (0 what, 1 who, 2 papers) committed to?
    pub fn opens(&self, section: usize, bytes: &[u8], salt: &[u8; 32]) -> bool {
        let committed = self.commitments.get(section).copied().flatten();
        committed.is_some_and(|hash| hash == commitment(section, bytes, salt))
    }
}

/// HMAC-SHA-256(salt, section || bytes).
fn commitment(section: usize, bytes: &[u8], salt: &[u8; 32]) -> Hash {
    let mut mac = Hmac::<Sha256>::new_from_slice(salt).expect("HMAC takes keys of every length");
    mac.update(&[section as u8]);
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}
