//! The pattern written: AES-128-CTR keystream, seekable by byte.
//!
//! Invariant: byte `n` of the pattern depends on the seed and `n` only, so any part can be made
//! again, in any order, on any machine, years later. Layout: the seed's first 16 bytes are the AES
//! key, the last 16 the initial big-endian counter block (NIST SP 800-38A, CTR; 128-bit counter).
//!
//! The seed is no secret: it goes into the certificate so that a stranger can read the medium back.
//! It must therefore be random and used for nothing else.

use aes::Aes128;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};

/// A reproducible stream of bytes that no earlier content resembles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    seed: [u8; 32],
}

impl Pattern {
    /// The pattern of `seed` (32 random bytes).
    pub fn from_seed(seed: [u8; 32]) -> Pattern {
        Pattern { seed }
    }

    /// The seed.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// Overwrites `out` with the pattern's bytes from `offset` on.
    pub fn fill(&self, offset: u64, out: &mut [u8]) {
        let (key, iv) = self.seed.split_at(16);
        let mut cipher = Ctr128BE::<Aes128>::new_from_slices(key, iv)
            .expect("a 32-byte seed splits into a 16-byte key and a 16-byte counter");
        cipher.seek(offset);
        cipher.write_keystream(out);
    }
}

#[cfg(test)]
mod tests {
    use aes::cipher::{BlockCipherEncrypt, KeyInit};
    use proptest::prelude::*;

    use super::Pattern;

    fn seed() -> [u8; 32] {
        std::array::from_fn(|i| (i * 7 + 3) as u8)
    }

    /// NIST SP 800-38A, F.5.1: plaintext xor ciphertext of the first two blocks.
    #[test]
    fn agrees_with_the_published_vector() {
        let key = "2b7e151628aed2a6abf7158809cf4f3c";
        let counter = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
        let seed: Vec<u8> = format!("{key}{counter}")
            .as_bytes()
            .chunks(2)
            .map(|c| u8::from_str_radix(std::str::from_utf8(c).unwrap(), 16).unwrap())
            .collect();
        let mut out = [0u8; 32];
        Pattern::from_seed(seed.try_into().unwrap()).fill(0, &mut out);
        let hex: String = out.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae");
    }

    /// Block n is AES(key, counter + n), also beyond 4 GiB and across a carry of the low half.
    #[test]
    fn far_offsets_are_the_cipher_of_the_counter() {
        let mut seed = seed();
        seed[24..].fill(0xff);
        let key: [u8; 16] = seed[..16].try_into().unwrap();
        let start = u128::from_be_bytes(seed[16..].try_into().unwrap());
        for block in [0u64, 1, 5, 1 << 28, (1 << 40) + 9] {
            let counter = start.wrapping_add(u128::from(block)).to_be_bytes();
            let mut expected = counter.into();
            aes::Aes128::new(&key.into()).encrypt_block(&mut expected);
            let mut out = [0u8; 16];
            Pattern::from_seed(seed).fill(block * 16, &mut out);
            assert_eq!(out[..], expected[..], "block {block}");
        }
    }

    proptest! {
        #[test]
        fn any_part_equals_the_same_part_of_the_whole(from in 0usize..5000, len in 0usize..3000) {
            let mut whole = vec![0u8; 8000];
            Pattern::from_seed(seed()).fill(0, &mut whole);
            let mut part = vec![0xAAu8; len];
            Pattern::from_seed(seed()).fill(from as u64, &mut part);
            prop_assert_eq!(&part[..], &whole[from..from + len]);
        }
    }
}
