//! Where chunks end: a keyed, position-local, content-defined cut.
//!
//! Invariants
//! 1. A cut after byte `p` depends on AES-128 under the unit's cut key of the 16 bytes before it
//!    and on the length so far, on nothing else: no state, no table an observer could solve for.
//! 2. Every implementation gives the same cuts, bit for bit (tests compare them; golden vectors
//!    in `fixtures/formats/v1/vault/cuts.txt` freeze them).
//! 3. Every chunk has 1 to [`MAX`] bytes; all but the last of a run have at least [`MIN`].
//!
//! Why AES and not a gear table: chunk lengths are visible to whoever stores the packs, and keyed
//! gear and polynomial chunkers leak their key through them (eprint 2025/532, 2025/558).
//! Out of scope: zero runs and unreadable ranges (`split.rs`).

#[cfg(test)]
mod golden;
mod soft;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)] // one call into code compiled for features that were just detected
mod vaes;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)] // the same
mod ymm;

/// No content-defined cut before this many bytes.
pub(crate) const MIN: usize = 128 * 1024;
/// Cuts are 16 times rarer before, and commoner after this many bytes.
pub(crate) const NORMAL: usize = 256 * 1024;
/// A cut at the latest after this many bytes.
pub(crate) const MAX: usize = 1024 * 1024;
/// Bytes that decide a cut.
const WINDOW: usize = 16;
/// Low 20 bits zero: once in 1 MiB.
const STRICT: u64 = (1 << 20) - 1;
/// Low 16 bits zero: once in 64 KiB.
const LOOSE: u64 = (1 << 16) - 1;

/// Finds cuts under one key.
pub(crate) struct Cutter {
    soft: soft::Soft,
    #[cfg(target_arch = "x86_64")]
    fast: Option<vaes::Vaes>,
    #[cfg(target_arch = "x86_64")]
    middling: Option<ymm::Ymm>,
}

impl Cutter {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        Self {
            soft: soft::Soft::new(key),
            #[cfg(target_arch = "x86_64")]
            fast: vaes::Vaes::new(key),
            #[cfg(target_arch = "x86_64")]
            middling: ymm::Ymm::new(key),
        }
    }

    /// Length of the first chunk of `run`, which is the rest of the run or at least [`MAX`] of it.
    pub(crate) fn cut(&self, run: &[u8]) -> usize {
        let end = run.len().min(MAX);
        let middle = end.min(NORMAL);
        if end <= MIN {
            return end;
        }
        self.find(run, MIN, middle, STRICT)
            .or_else(|| self.find(run, middle, end, LOOSE))
            .unwrap_or(end)
    }

    /// The first `p` in `from..to` where the 16 bytes before `p` encrypt to a block whose first
    /// eight bytes, little-endian, have no bit of `mask`. `from` is at least [`WINDOW`].
    fn find(&self, data: &[u8], from: usize, to: usize, mask: u64) -> Option<usize> {
        #[cfg(target_arch = "x86_64")]
        {
            let fast = self.fast.as_ref().map(|fast| fast.find(data, from, to, mask));
            let middling = || self.middling.as_ref().map(|m| m.find(data, from, to, mask));
            match fast.or_else(middling) {
                Some(Ok(found)) => return found,
                Some(Err(rest)) => return self.soft.find(data, rest, to, mask),
                None => {}
            }
        }
        self.soft.find(data, from, to, mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fixed pseudo-random stream that anyone can make again: BLAKE3 XOF of `seed`.
    pub(super) fn stream(seed: &str, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut out);
        out
    }

    pub(super) fn cuts(cutter: &Cutter, mut data: &[u8]) -> Vec<usize> {
        let mut out = Vec::new();
        while !data.is_empty() {
            let n = cutter.cut(data);
            out.push(n);
            data = &data[n..];
        }
        out
    }

    #[test]
    fn all_implementations_agree_at_every_start() {
        let key = [7; 16];
        let cutter = Cutter::new(&key);
        let data = stream("agree", 300_000);
        for from in [16, 17, 31, 63, 64, 65, 1000] {
            for (to, mask) in [(data.len(), 0xffff), (data.len() - 5, 0xfff), (from + 70, 0x3f)] {
                let slow = cutter.soft.find(&data, from, to, mask);
                let agrees = |found: Result<Option<usize>, usize>, by: &str| {
                    let found = found.unwrap_or_else(|at| cutter.soft.find(&data, at, to, mask));
                    assert_eq!(found, slow, "{by}, {from}..{to} {mask:x}");
                };
                agrees(Ok(cutter.find(&data, from, to, mask)), "the one chosen");
                #[cfg(target_arch = "x86_64")]
                {
                    let fast = cutter.fast.as_ref().map(|c| c.find(&data, from, to, mask));
                    let middling = cutter.middling.as_ref().map(|c| c.find(&data, from, to, mask));
                    fast.into_iter().for_each(|found| agrees(found, "AVX-512"));
                    middling.into_iter().for_each(|found| agrees(found, "AVX2"));
                }
            }
        }
    }

    #[test]
    fn the_rule_is_plain_aes() {
        use aes::cipher::{BlockCipherEncrypt, KeyInit};
        let key = [3; 16];
        let data = stream("plain", 60_000);
        let aes = aes::Aes128::new(&key.into());
        let first = (16..data.len()).find(|&p| {
            let mut block = aes::Block::try_from(&data[p - 16..p]).unwrap();
            aes.encrypt_block(&mut block);
            u64::from_le_bytes(block[..8].try_into().unwrap()) & 0x3ff == 0
        });
        assert!(first.is_some());
        assert_eq!(Cutter::new(&key).find(&data, 16, data.len(), 0x3ff), first);
    }

    #[test]
    fn lengths_keep_their_bounds_and_an_insertion_moves_few_cuts() {
        let cutter = Cutter::new(&[5; 16]);
        let data = stream("bounds", 8 << 20);
        let before = cuts(&cutter, &data);
        let (last, rest) = before.split_last().unwrap();
        assert!(*last <= MAX && rest.iter().all(|n| (MIN..=MAX).contains(n)));
        let mut shifted = b"inserted".to_vec();
        shifted.extend_from_slice(&data);
        let after = cuts(&cutter, &shifted);
        assert!(after.ends_with(&before[before.len() / 2..]), "cuts come back into step");
    }
}
