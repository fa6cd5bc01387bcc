//! What shows that a file's content is what was kept.

use crate::manifest::Extent;

/// Above this many bytes of gaps, a file may be proven by its chunks.
const MANY: u64 = 4 << 30;
/// Gaps to each byte of data from which on hashing the gaps would be what takes the time.
const TIMES: u64 = 4;

/// How content is checked as it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Each chunk is authentic, and all bytes give the SHA-256 of the file.
    Sha256,
    /// Each chunk is authentic, and so is the map that says where chunks and gaps lie. The
    /// SHA-256 of a terabyte of zeros takes ten minutes and says nothing of the bytes that leave.
    Chunks,
}

impl Proof {
    /// What is due for a file: [`Proof::Chunks`] only if it is nearly all gaps.
    pub(crate) fn of(extents: &[Extent]) -> Self {
        let (mut gaps, mut data) = (0u64, 0u64);
        for extent in extents {
            match extent {
                Extent::Zeros(n) | Extent::Unreadable(n) => gaps = gaps.saturating_add(*n),
                _ => data = data.saturating_add(extent.len()),
            }
        }
        Self::of_lengths(gaps, data)
    }

    /// The same from the bytes of gaps and of data.
    pub(crate) fn of_lengths(gaps: u64, data: u64) -> Self {
        let many = gaps > MANY && gaps / TIMES > data;
        if many { Self::Chunks } else { Self::Sha256 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_nearly_all_holes_is_proven_by_chunks() {
        let gib = |n: u64| Extent::Zeros(n << 30);
        const DATA: Extent = Extent::Data([0; 24], 1 << 20);
        assert_eq!(Proof::of(&[DATA, gib(4), DATA]), Proof::Sha256);
        assert_eq!(Proof::of(&[DATA, gib(3), DATA, gib(2)]), Proof::Chunks);
        assert_eq!(Proof::of_lengths(40 << 30, 11 << 30), Proof::Sha256);
        assert_eq!(Proof::of(&[Extent::Unreadable(5 << 30)]), Proof::Chunks);
    }
}
