//! How a volume is laid out, and its cipher.
//!
//! Invariants
//! 1. A volume's key is derived from the key file, a random salt and its whole header: a header
//!    changed in any bit (set, ordinal, origin, sizes) gives another key and is refused.
//! 2. Frame 0 is the description, data frames count from 1, the end has the last number; the
//!    number is the nonce. No (key, nonce) pair repeats.
//! 3. All data frames but the last have one length, so a damaged frame hides no other.
//!
//! Out of scope: what the stream means (a pax archive).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::error::VaultError;
use crate::key::{Kek, ObjectKeys, random};
use crate::seal::TAG;
use crate::wire::{Malformed, Reader, Writer};

pub(super) const MAGIC: &[u8; 8] = b"BAILVOL1";
/// Format version written and read.
pub(super) const VERSION: u16 = 1;
/// Plain bytes of a data frame: where the first member starts, then the stream.
pub(super) const FRAME: usize = 256 << 10;
/// Says that no member starts in the frame.
pub(super) const NONE_STARTS: u32 = u32::MAX;
/// Length of the end's plain bytes.
pub(super) const END: usize = 25;
/// Number of the end frame.
pub(super) const END_FRAME: u64 = u64::MAX;
/// Header without origin and commitment.
pub(super) const FIXED: usize = 88;
const COMMITMENT: usize = 32;
/// Most volumes of a set: six digits, as in their names. Whatever is missing is named one by one,
/// so no header may claim that there are four billion.
pub(super) const MOST_VOLUMES: u32 = 999_999;
const MOST_ORIGIN: usize = 256;
const MOST_DESCRIPTION: u32 = 1 << 20;

/// The part of a header that says what the volume is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) set: [u8; 16],
    /// From 1.
    pub(super) ordinal: u32,
    pub(super) frame: u32,
    pub(super) key: [u8; 16],
    pub(super) salt: [u8; 32],
    pub(super) description: u32,
    pub(super) origin: String,
}

impl Head {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.raw(MAGIC);
        w.u16(VERSION);
        w.u16(u16::try_from(self.origin.len()).unwrap_or(u16::MAX));
        w.u32(self.description);
        w.raw(&self.set);
        w.u32(self.ordinal);
        w.u32(self.frame);
        w.raw(&self.key);
        w.raw(&self.salt);
        w.raw(self.origin.as_bytes());
        w.0
    }

    /// Reads header and commitment; also how long they are together.
    pub(super) fn parse(start: &[u8]) -> Result<(Self, [u8; COMMITMENT], usize), Malformed> {
        let mut r = Reader(start);
        if r.array::<8>()? != *MAGIC {
            return Err("it does not start as an archive volume");
        }
        if r.u16()? != VERSION {
            return Err("its format version is not 1: update this program");
        }
        let (origin, description) = (usize::from(r.u16()?), r.u32()?);
        let (set, ordinal, frame) = (r.array()?, r.u32()?, r.u32()?);
        let (key, salt) = (r.array()?, r.array()?);
        let counted = (1..=MOST_VOLUMES).contains(&ordinal);
        if origin > MOST_ORIGIN || description > MOST_DESCRIPTION || !counted {
            return Err("its header has a length or ordinal that cannot be");
        }
        if frame < 8 || frame as usize > FRAME {
            return Err("its frames have a length that cannot be");
        }
        let text = r.raw(origin)?.to_vec();
        let origin = String::from_utf8(text).map_err(|_| "its origin is not UTF-8")?;
        let commitment = r.array()?;
        let len = FIXED + origin.len() + COMMITMENT;
        Ok((Self { set, ordinal, frame, key, salt, description, origin }, commitment, len))
    }

    /// Whether these bytes are all of a file, and it ends before header and commitment do.
    pub(super) fn is_begun(all: &[u8]) -> bool {
        let origin =
            all.get(10..12).map_or(0, |len| usize::from(len[0]) << 8 | usize::from(len[1]));
        let len = FIXED + origin.min(MOST_ORIGIN) + COMMITMENT;
        all.len() < len && MAGIC.iter().zip(all).all(|(wanted, byte)| wanted == byte)
    }

    /// The longest a header can be, with its commitment.
    pub(super) const MOST: usize = FIXED + MOST_ORIGIN + COMMITMENT;
}

/// What all volumes of a set say, sealed: frame 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Description {
    /// Where in the stream the volume starts.
    pub(super) start: u64,
    pub(super) tenant: String,
    pub(super) unit: String,
    pub(super) snapshots: Vec<[u8; 16]>,
}

impl Description {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.u64(self.start);
        w.bytes(self.tenant.as_bytes());
        w.bytes(self.unit.as_bytes());
        w.count(self.snapshots.len());
        self.snapshots.iter().for_each(|id| w.raw(id));
        w.0
    }

    pub(super) fn parse(plain: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader(plain);
        let (start, tenant, unit) = (r.u64()?, r.text()?, r.text()?);
        let snapshots = (0..r.count(16)?).map(|_| r.array()).collect::<Result<_, _>>()?;
        r.end()?;
        Ok(Self { start, tenant, unit, snapshots })
    }
}

/// Whether volumes follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    More,
    Nothing,
}

/// The end of a volume, sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) follows: Follows,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) frames: u64,
}

impl Ending {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.u8(u8::from(self.follows == Follows::Nothing));
        w.u64(self.start);
        w.u64(self.end);
        w.u64(self.frames);
        w.0
    }

    pub(super) fn parse(plain: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader(plain);
        let follows = match r.u8()? {
            0 => Follows::More,
            1 => Follows::Nothing,
            _ => return Err("its end has an unknown kind"),
        };
        let (start, end, frames) = (r.u64()?, r.u64()?, r.u64()?);
        r.end()?;
        Ok(Self { follows, start, end, frames })
    }
}

/// The cipher of one volume.
pub(super) struct Cipher(LessSafeKey);

impl Cipher {
    /// Cipher and commitment for a header.
    pub(super) fn of(key: &Kek, head: &Head) -> Result<(Self, [u8; COMMITMENT]), VaultError> {
        let info: [&[u8]; 2] = [b"bailee/volume/v1", &head.encode()];
        let keys = ObjectKeys::derive(key.secret(), &head.salt, &info);
        let cipher = UnboundKey::new(&AES_256_GCM, keys.cipher.expose())
            .map_err(|_| VaultError::Crypto { doing: "set up the cipher" })?;
        Ok((Self(LessSafeKey::new(cipher)), keys.commitment))
    }

    /// Encrypts and appends the tag.
    pub(super) fn seal(&self, frame: u64, plain: &mut Vec<u8>) -> Result<(), VaultError> {
        self.0
            .seal_in_place_append_tag(nonce(frame), Aad::empty(), plain)
            .map_err(|_| VaultError::Crypto { doing: "encrypt a frame" })
    }

    /// The plain bytes, or `None`.
    pub(super) fn open<'a>(&self, frame: u64, sealed: &'a mut [u8]) -> Option<&'a [u8]> {
        if sealed.len() < TAG {
            return None;
        }
        self.0.open_in_place(nonce(frame), Aad::empty(), sealed).ok().map(|plain| &*plain)
    }
}

fn nonce(frame: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&frame.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// A salt for one volume.
pub(super) fn salt() -> Result<[u8; 32], VaultError> {
    random()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_written_and_bound_to_its_key() {
        let head = Head {
            set: [1; 16],
            ordinal: 7,
            frame: 4096,
            key: [2; 16],
            salt: [3; 32],
            description: 9,
            origin: "example.org/log".to_owned(),
        };
        let key = Kek::from_bytes([5; 32]);
        let (_, commitment) = Cipher::of(&key, &head).unwrap();
        let whole = [head.encode(), commitment.to_vec()].concat();
        assert_eq!(Head::parse(&whole), Ok((head, commitment, whole.len())));
        for at in 0..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 1;
            if let Ok((head, said, _)) = Head::parse(&bad) {
                assert_ne!(Cipher::of(&key, &head).unwrap().1, said, "byte {at}");
            }
            assert!(Head::parse(&whole[..at]).is_err(), "cut at {at}");
        }
        for (ordinal, read) in [(0, false), (MOST_VOLUMES, true), (MOST_VOLUMES + 1, false)] {
            let mut other = whole.clone();
            other[32..36].copy_from_slice(&ordinal.to_be_bytes());
            assert_eq!(Head::parse(&other).is_ok(), read, "{ordinal}");
        }
    }
}
