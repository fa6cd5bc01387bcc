//! A packer: whether and how a chunk is compressed. What is stored of it is `pack.rs`'s.
//!
//! Invariant: what it gives is the chunk, or one zstd frame of it that saves at least 3 %.
//!
//! Why chunks of large files are judged apart: films and small files come to a worker in turns, and
//! that a small one shrank says nothing of a film.

use zstd::zstd_safe::CParameter;

use crate::chunker::MAX as MAX_PLAIN;
use crate::error::VaultError;
use crate::pack::{RAW, ZSTD};

/// Bytes from the middle of a chunk that are tried before all of it, once a chunk did not shrink.
const SAMPLE: usize = 16 * 1024;
/// Chunks below this size are stored as they are: of 13,088 chunks of sources these took 1.6 % of
/// the compressor's time to save 0.1 % of what it saved.
const TINY: usize = 512;
/// The level for whoever is waited for. Its matches are longer and its table smaller than zstd
/// would have them: 7 % less time for 2 % more stored of sources, see decision 78.
const QUICK: i32 = 1;

/// What a chunk is cut from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Small,
    /// A file that several work on.
    Large,
}

/// The reusable compressor of one thread.
pub(crate) struct Packer {
    zstd: zstd::bulk::Compressor<'static>,
    level: i32,
    buffer: Vec<u8>,
    origin: Origin,
    /// The last chunk of such an origin did not shrink: what follows a film is mostly more of the
    /// film.
    in_vain: [bool; 2],
}

impl Packer {
    pub(crate) fn new() -> Result<Self, VaultError> {
        let mut zstd = zstd::bulk::Compressor::default();
        set(&mut zstd, QUICK)?;
        Ok(Self {
            zstd,
            level: QUICK,
            buffer: vec![0; zstd::zstd_safe::compress_bound(MAX_PLAIN)],
            origin: Origin::Small,
            in_vain: [false; 2],
        })
    }

    /// Where the chunks that follow come from.
    pub(crate) fn turn_to(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// How a chunk is stored, and as what.
    pub(crate) fn shrink<'a>(
        &'a mut self,
        plain: &'a [u8],
        level: i32,
    ) -> Result<(u8, &'a [u8]), VaultError> {
        if plain.len() < TINY {
            return Ok((RAW, plain));
        }
        if level != self.level {
            set(&mut self.zstd, level)?;
            self.level = level;
        }
        let origin = self.origin as usize;
        if self.in_vain[origin] && plain.len() > 4 * SAMPLE {
            let sample = &plain[plain.len() / 2..][..SAMPLE];
            if self.try_on(sample)?.is_none() {
                return Ok((RAW, plain));
            }
        }
        let shrunk = self.try_on(plain)?;
        self.in_vain[origin] = shrunk.is_none();
        Ok(shrunk.map_or((RAW, plain), |n| (ZSTD, &self.buffer[..n])))
    }

    /// The length it shrinks to, in the buffer; none if that is not worth a decompression.
    fn try_on(&mut self, plain: &[u8]) -> Result<Option<usize>, VaultError> {
        let n = self
            .zstd
            .compress_to_buffer(plain, &mut self.buffer)
            .map_err(|_| VaultError::Crypto { doing: "compress a chunk" })?;
        Ok((n.saturating_mul(100) < plain.len().saturating_mul(97)).then_some(n))
    }
}

/// Sets a level up.
fn set(zstd: &mut zstd::bulk::Compressor<'_>, level: i32) -> Result<(), VaultError> {
    // Zero is what the level says.
    let (least, table) = if level == QUICK { (7, 12) } else { (0, 0) };
    zstd.set_compression_level(level)
        .and_then(|()| zstd.set_parameter(CParameter::MinMatch(least)))
        .and_then(|()| zstd.set_parameter(CParameter::HashLog(table)))
        .map_err(|_| VaultError::Crypto { doing: "set up the compressor" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        blake3::Hasher::new().finalize_xof().fill(&mut out);
        out
    }

    fn codec(packer: &mut Packer, origin: Origin, plain: &[u8]) -> u8 {
        packer.turn_to(origin);
        packer.shrink(plain, QUICK).unwrap().0
    }

    #[test]
    fn a_small_file_that_shrinks_says_nothing_of_a_film() {
        let (film, text) = (noise(300_000), vec![7; 100_000]);
        let ends = [vec![7; 120_000], noise(60_000), vec![7; 120_000]].concat();
        let mut packer = Packer::new().unwrap();
        assert_eq!(codec(&mut packer, Origin::Large, &ends), ZSTD, "nothing was in vain");
        assert_eq!(codec(&mut packer, Origin::Large, &film), RAW);
        assert_eq!(codec(&mut packer, Origin::Small, &text), ZSTD);
        assert_eq!(codec(&mut packer, Origin::Small, &ends), ZSTD);
        assert_eq!(codec(&mut packer, Origin::Large, &ends), RAW, "its middle is more of the film");
        assert_eq!(codec(&mut packer, Origin::Large, &text), ZSTD, "its middle is not");
        assert_eq!(codec(&mut packer, Origin::Large, &ends), ZSTD);
    }

    #[test]
    fn what_is_tiny_or_does_not_shrink_is_stored_as_it_is() {
        let mut packer = Packer::new().unwrap();
        for level in [QUICK, 2, 7, QUICK] {
            for (plain, wanted) in [
                (vec![7; TINY - 1], RAW),
                (vec![7; TINY], ZSTD),
                (noise(TINY), RAW),
                (noise(MAX_PLAIN), RAW),
                (vec![7; MAX_PLAIN], ZSTD),
            ] {
                packer.turn_to(Origin::Small);
                let (codec, stored) = packer.shrink(&plain, level).unwrap();
                assert_eq!(codec, wanted, "{} bytes on level {level}", plain.len());
                let back = match codec {
                    RAW => stored.to_vec(),
                    _ => zstd::bulk::decompress(stored, plain.len()).unwrap(),
                };
                assert!(back == plain, "{} bytes on level {level}", plain.len());
            }
        }
    }
}
