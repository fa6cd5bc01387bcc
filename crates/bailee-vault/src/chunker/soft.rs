//! Cuts on any processor, by the `aes` crate (AES-NI or ARMv8 where it finds them).
//!
//! Invariant: the reference. The other implementations must agree with it.

use aes::Aes128;
use aes::Block;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

use super::WINDOW;

const BATCH: usize = 64;

pub(super) struct Soft(Aes128);

impl Soft {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        Self(Aes128::new(&(*key).into()))
    }

    pub(super) fn find(&self, data: &[u8], from: usize, to: usize, mask: u64) -> Option<usize> {
        let mut blocks = [Block::default(); BATCH];
        let mut at = from;
        while at < to {
            let n = BATCH.min(to - at);
            let windows = data[at - WINDOW..].windows(WINDOW);
            for (block, window) in blocks[..n].iter_mut().zip(windows) {
                block.copy_from_slice(window);
            }
            self.0.encrypt_blocks(&mut blocks[..n]);
            let hit = blocks[..n].iter().position(|b| first_word(b) & mask == 0);
            if let Some(i) = hit {
                return Some(at + i);
            }
            at += n;
        }
        None
    }
}

fn first_word(block: &Block) -> u64 {
    block[..8].iter().rev().fold(0, |word, b| word << 8 | u64::from(*b))
}
