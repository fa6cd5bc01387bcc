//! The flat SHA-256 of a file (FIPS 180-4), and waypoints on the way to it.
//!
//! SHA-256 is one chain from a file's first byte to its last, so one core alone can check a large
//! file. A waypoint is the state of the chain after so many bytes: whoever has two of them checks
//! what lies between. If that holds for each stretch, from the beginning over all waypoints to the
//! digest, the whole chain was walked, as by one core (`segment.rs`). A wrong waypoint makes a
//! good file fail; it can make no bad one pass.
//!
//! Invariants: however the bytes come in pieces, the digest is that of all of them; a hash that
//! goes on from a waypoint gives what the one that left it would have given; two that go side by
//! side (`abreast.rs`) give what each gives alone.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)] // one call into code compiled for features that were just detected
mod abreast;

use sha2::block_api::compress256;

/// Bytes that SHA-256 takes at a time.
pub(crate) const BLOCK: usize = 64;
/// Where every chain begins: FIPS 180-4, 5.3.3.
const BEGIN: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
/// Zeros at hand: a hole is hashed as the zeros it reads as.
static ZEROS: [[u8; BLOCK]; 1024] = [[0; BLOCK]; 1024];

/// A SHA-256 over a file, as its bytes come.
pub(crate) struct Flat {
    state: [u32; 8],
    /// What has come of the block that is not full, and zeros.
    block: [u8; BLOCK],
    len: u64,
}

impl Default for Flat {
    fn default() -> Self {
        Self { state: BEGIN, block: [0; BLOCK], len: 0 }
    }
}

/// The state of a hash between two bytes of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waypoint {
    /// The chain after all whole blocks.
    pub(crate) state: [u32; 8],
    /// The bytes behind them: fewer than a block.
    pub(crate) tail: Vec<u8>,
}

impl Waypoint {
    /// Whether it can lie behind so many bytes of a file.
    pub(crate) fn fits(&self, len: u64) -> bool {
        self.tail.len() as u64 == len % BLOCK as u64
    }
}

impl Flat {
    /// Goes on from a waypoint that lies behind `len` bytes. One that does not fit there gives a
    /// digest of nothing.
    pub(crate) fn from(waypoint: &Waypoint, len: u64) -> Self {
        let mut block = [0; BLOCK];
        for (to, byte) in block.iter_mut().zip(&waypoint.tail) {
            *to = *byte;
        }
        Self { state: waypoint.state, block, len }
    }

    /// Bytes of the block that is not full.
    fn filled(&self) -> usize {
        usize::try_from(self.len % BLOCK as u64).unwrap_or(0)
    }

    /// Where it is.
    pub(crate) fn waypoint(&self) -> Waypoint {
        Waypoint { state: self.state, tail: self.block[..self.filled()].to_vec() }
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        let filled = self.filled();
        self.len += bytes.len() as u64;
        if filled > 0 {
            let (head, rest) = bytes.split_at(bytes.len().min(BLOCK - filled));
            self.block[filled..][..head.len()].copy_from_slice(head);
            if filled + head.len() < BLOCK {
                return;
            }
            compress256(&mut self.state, &[self.block]);
            bytes = rest;
        }
        let (blocks, rest) = bytes.as_chunks();
        compress256(&mut self.state, blocks);
        self.block[..rest.len()].copy_from_slice(rest);
    }

    /// Two chains side by side, as far as both have bytes: less than a block is left of one.
    pub(crate) fn abreast(one: (&mut Self, &mut &[u8]), other: (&mut Self, &mut &[u8])) {
        let ((one, bytes), (other, more)) = (one, other);
        one.fill(bytes);
        other.fill(more);
        let n = bytes.len().min(more.len()) / BLOCK;
        let (blocks, behind) = bytes.split_at(n * BLOCK);
        let (others, behind_others) = more.split_at(n * BLOCK);
        let chunks = [blocks.as_chunks().0, others.as_chunks().0];
        compress_both([&mut one.state, &mut other.state], chunks);
        one.len += (n * BLOCK) as u64;
        other.len += (n * BLOCK) as u64;
        (*bytes, *more) = (behind, behind_others);
    }

    /// Takes what the block that has begun lacks.
    fn fill(&mut self, bytes: &mut &[u8]) {
        let lacks = (BLOCK - self.filled()) % BLOCK;
        let (head, rest) = bytes.split_at(lacks.min(bytes.len()));
        self.update(head);
        *bytes = rest;
    }

    /// The same with `n` zeros.
    pub(crate) fn zeros(&mut self, mut n: u64) {
        let zeros = ZEROS.as_flattened();
        while n > 0 {
            let step = n.min(zeros.len() as u64);
            self.update(&zeros[..usize::try_from(step).unwrap_or(0)]);
            n -= step;
        }
    }

    /// The digest with these last bytes.
    fn end(mut self, bytes: &[u8]) -> [u8; 32] {
        self.update(bytes);
        self.finish()
    }

    /// The digest: FIPS 180-4, 5.1.1 and 6.2.
    pub(crate) fn finish(mut self) -> [u8; 32] {
        let bits = self.len.wrapping_mul(8);
        let filled = self.filled();
        self.block[filled] = 0x80;
        self.block[filled + 1..].fill(0);
        if filled >= BLOCK - 8 {
            compress256(&mut self.state, &[self.block]);
            self.block.fill(0);
        }
        self.block[BLOCK - 8..].copy_from_slice(&bits.to_be_bytes());
        compress256(&mut self.state, &[self.block]);
        let mut digest = [0; 32];
        for (to, word) in digest.chunks_exact_mut(4).zip(self.state) {
            to.copy_from_slice(&word.to_be_bytes());
        }
        digest
    }
}

/// Takes two chains on by as many blocks.
fn compress_both(states: [&mut [u32; 8]; 2], blocks: [&[[u8; BLOCK]]; 2]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(abreast) = abreast::Abreast::new() {
        return abreast.compress(states, blocks);
    }
    for (state, blocks) in states.into_iter().zip(blocks) {
        compress256(state, blocks);
    }
}

/// The digests of several, two at a time, the longest first: so none is left to go alone for long.
pub(crate) fn digests(several: &[&[u8]]) -> Vec<[u8; 32]> {
    let mut digests = vec![[0; 32]; several.len()];
    let mut order: Vec<usize> = (0..several.len()).collect();
    order.sort_unstable_by_key(|i| std::cmp::Reverse(several[*i].len()));
    let mut under_way: Option<(usize, Flat, &[u8])> = None;
    for i in order {
        let (mut next, mut bytes) = (Flat::default(), several[i]);
        let Some((j, mut flat, mut rest)) = under_way.take() else {
            under_way = Some((i, next, bytes));
            continue;
        };
        Flat::abreast((&mut flat, &mut rest), (&mut next, &mut bytes));
        let (done, goes_on) = if rest.len() < bytes.len() {
            ((j, flat, rest), (i, next, bytes))
        } else {
            ((i, next, bytes), (j, flat, rest))
        };
        digests[done.0] = done.1.end(done.2);
        under_way = Some(goes_on);
    }
    if let Some((i, flat, rest)) = under_way {
        digests[i] = flat.end(rest);
    }
    digests
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::sha256;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
    }

    fn of(pieces: &[&[u8]]) -> [u8; 32] {
        let mut flat = Flat::default();
        pieces.iter().for_each(|piece| flat.update(piece));
        flat.finish()
    }

    #[test]
    fn it_is_sha_256_at_every_length_and_in_all_pieces() {
        let all = bytes(400);
        for len in 0..all.len() {
            let wanted = sha256(&[&all[..len]]);
            assert_eq!(of(&[&all[..len]]), wanted, "{len}");
            for cut in [0, 1, 55, 63, 64, 65, 128, 200] {
                let (a, b) = all[..len].split_at(cut.min(len));
                assert_eq!(of(&[a, b]), wanted, "{len} in two at {cut}");
                assert_eq!(of(&[a, &[], &b[..b.len() / 2], &b[b.len() / 2..]]), wanted, "{len}");
            }
        }
    }

    #[test]
    fn zeros_are_bytes() {
        for (before, n) in [(0, 0), (3, 1), (64, 65_536), (7, 200_001)] {
            let mut flat = Flat::default();
            flat.update(&bytes(before));
            flat.zeros(n);
            let wanted = sha256(&[&bytes(before), &vec![0; usize::try_from(n).unwrap()]]);
            assert_eq!(flat.finish(), wanted, "{n} behind {before}");
        }
    }

    #[test]
    fn who_goes_on_from_a_waypoint_comes_to_the_same() {
        let all = bytes(1000);
        for at in [0, 1, 63, 64, 65, 128, 700, 1000] {
            let mut first = Flat::default();
            first.update(&all[..at]);
            let waypoint = first.waypoint();
            assert!(waypoint.fits(at as u64) && !waypoint.fits(at as u64 + 1), "{at}");
            let mut second = Flat::from(&waypoint, at as u64);
            second.update(&all[at..]);
            assert_eq!(second.finish(), sha256(&[&all]), "{at}");
            first.update(b"other bytes");
            assert_ne!(first.waypoint(), waypoint, "{at}");
        }
    }

    #[test]
    fn two_side_by_side_give_what_each_gives_alone() {
        let all = bytes(700);
        for (lead, begun) in [(0, 0), (0, 5), (63, 64), (1, 130)] {
            for (a, b) in [(0, 0), (0, 300), (63, 64), (200, 199), (128, 570), (64, 64)] {
                let (mut one, mut other) = (Flat::default(), Flat::default());
                one.update(&all[..lead]);
                other.update(&all[..begun]);
                let (mut x, mut y) = (&all[lead..lead + a], &all[begun..begun + b]);
                Flat::abreast((&mut one, &mut x), (&mut other, &mut y));
                assert!(x.len().min(y.len()) < BLOCK, "{a} and {b} bytes");
                assert_eq!(one.end(x), sha256(&[&all[..lead + a]]), "{lead} and {a} bytes");
                assert_eq!(other.end(y), sha256(&[&all[..begun + b]]), "{begun} and {b} bytes");
            }
        }
    }

    #[test]
    fn digests_are_those_of_each() {
        let all = bytes(5000);
        let lengths = [3, 64, 0, 4999, 63, 65, 1000, 1000, 128, 2000, 1];
        for n in 0..=lengths.len() {
            let several: Vec<&[u8]> = lengths[..n].iter().map(|len| &all[..*len]).collect();
            let wanted: Vec<[u8; 32]> = several.iter().map(|bytes| sha256(&[bytes])).collect();
            assert_eq!(digests(&several), wanted, "{n}");
        }
    }
}
