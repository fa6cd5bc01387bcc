//! Where the data of a file with holes lies: the map of GNU tar's sparse format 1.0.
//!
//! Invariants
//! 1. Pieces are in order and apart; whatever is outside of them is zeros or was never read.
//! 2. A file that ends in a hole has an empty piece at its end: that is where readers end it.
//! 3. A map has no more pieces than a reader of archives here takes: of a file in more, the
//!    smallest holes are written as zeros.

use super::header::BLOCK;
use crate::manifest::Extent;
use crate::tar::MOST_PIECES;

/// `(offset, length)` of each piece of data.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Map(Vec<(u64, u64)>);

impl Map {
    /// The map of a file that has holes.
    pub(super) fn of(extents: &[Extent]) -> Option<Self> {
        Self::within(extents, MOST_PIECES)
    }

    fn within(extents: &[Extent], most: usize) -> Option<Self> {
        let gap = |e: &Extent| matches!(e, Extent::Zeros(n) | Extent::Unreadable(n) if *n > 0);
        if !extents.iter().any(gap) {
            return None;
        }
        let mut least = 1;
        loop {
            let map = Self::without(extents, least);
            if map.0.len() <= most.max(2) {
                return Some(map);
            }
            least *= 2;
        }
    }

    /// Only holes of `least` bytes and more.
    fn without(extents: &[Extent], least: u64) -> Self {
        let (mut pieces, mut at): (Vec<(u64, u64)>, u64) = (Vec::new(), 0);
        for extent in extents {
            let next = at + extent.len();
            if let Extent::Data(..) = extent {
                match pieces.last_mut() {
                    Some((offset, len)) if at - (*offset + *len) < least => *len = next - *offset,
                    _ => pieces.push((at, next - at)),
                }
            }
            at = next;
        }
        if pieces.last().is_none_or(|(offset, len)| offset + len < at) {
            pieces.push((at, 0));
        }
        Self(pieces)
    }

    /// Whether what lies at `at` is in a piece.
    pub(super) fn covers(&self, at: u64) -> bool {
        let after = self.0.partition_point(|(offset, _)| *offset <= at);
        after > 0 && at - self.0[after - 1].0 < self.0[after - 1].1
    }

    /// Bytes in all pieces.
    pub(super) fn data(&self) -> u64 {
        self.0.iter().map(|(_, len)| len).sum()
    }

    /// The map as it stands before the data: a number to a line, in whole blocks.
    pub(super) fn table(&self) -> Vec<u8> {
        let mut out = format!("{}\n", self.0.len()).into_bytes();
        for (offset, len) in &self.0 {
            out.extend_from_slice(format!("{offset}\n{len}\n").as_bytes());
        }
        out.resize(out.len().next_multiple_of(BLOCK), 0);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: Extent = Extent::Data([0; 24], 10);

    #[test]
    fn a_map_has_the_data_and_where_the_file_ends() {
        assert_eq!(Map::of(&[DATA, DATA]), None);
        assert_eq!(Map::of(&[]), None);
        let holes = |n| Extent::Zeros(n);
        assert_eq!(Map::of(&[holes(7)]), Some(Map(vec![(7, 0)])));
        let lost = Extent::Unreadable(5);
        let map = Map::of(&[Extent::Identity(1, 2), DATA, DATA, holes(100), lost, DATA, holes(1)]);
        let map = map.unwrap();
        assert_eq!(map, Map(vec![(0, 20), (125, 10), (136, 0)]));
        assert_eq!(map.data(), 30);
        let covered: Vec<u64> = (0..140).filter(|at| map.covers(*at)).collect();
        assert_eq!(covered, (0..20).chain(125..135).collect::<Vec<u64>>());
        let table = map.table();
        assert_eq!(table.len(), BLOCK);
        assert!(table.starts_with(b"3\n0\n20\n125\n10\n136\n0\n\0"));
    }

    #[test]
    fn of_too_many_pieces_the_smallest_holes_are_written() {
        let mut extents = Vec::new();
        for n in 0..8 {
            extents.extend([DATA, Extent::Zeros(if n == 3 { 5_000 } else { 30 + n })]);
        }
        let map = Map::within(&extents, 4).unwrap();
        assert_eq!(map.0.len(), 3, "{map:?}");
        assert!(map.covers(15), "a small hole is written");
        assert!(!map.covers(1_000), "the large one is not");
        assert_eq!(map.0[2].0, extents.iter().map(Extent::len).sum::<u64>());
    }
}
