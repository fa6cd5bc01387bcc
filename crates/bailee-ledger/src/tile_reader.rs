//! Consistency proofs out of tiles: for whoever has the files of a log and not its tree.
//!
//! Invariants: a tile is asked for at most once per proof, at the width it has in a tree of `size`
//! leaves; its bytes are believed only as far as the proof made from them verifies. At most 64
//! subtrees are looked at, whatever the sizes.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::hash::{Hash, node_hash};
use crate::tile::{TILE_HEIGHT, TILE_WIDTH, TileId, TileKind};
use crate::tree::split;

/// Reads tiles of a tree of `size` leaves.
pub struct TileReader<F> {
    size: u64,
    fetch: F,
    read: BTreeMap<TileId, Vec<u8>>,
}

impl<E: From<Error>, F: FnMut(&TileId) -> Result<Vec<u8>, E>> TileReader<F> {
    /// `fetch` gives the bytes of a tile.
    pub fn new(size: u64, fetch: F) -> Self {
        Self { size, fetch, read: BTreeMap::new() }
    }

    /// Consistency proof from the tree of `old` leaves to the one of all (RFC 6962 2.1.2). Errors:
    /// those of `fetch`, a tile of another length, `old` beyond the tree.
    pub fn consistency(&mut self, old: u64) -> Result<Vec<Hash>, E> {
        if old > self.size {
            return Err(Error::OutOfRange { what: "old size", got: old, size: self.size }.into());
        }
        if old == 0 || old == self.size {
            return Ok(Vec::new());
        }
        let (mut low, mut high, mut path) = (0, self.size, Vec::new());
        while high != old {
            let middle = low + split(high - low);
            if old <= middle {
                path.push(self.range(middle, high)?);
                high = middle;
            } else {
                path.push(self.range(low, middle)?);
                low = middle;
            }
        }
        if low != 0 {
            path.push(self.range(low, high)?);
        }
        path.reverse();
        Ok(path)
    }

    /// Hash of the leaves from `low` to `high`; `low` starts a node, as in every proof.
    fn range(&mut self, low: u64, high: u64) -> Result<Hash, E> {
        let length = high - low;
        if length.is_power_of_two() {
            return self.subtree(length.trailing_zeros(), low);
        }
        let middle = low + split(length);
        Ok(node_hash(&self.range(low, middle)?, &self.range(middle, high)?))
    }

    /// Hash of the perfect subtree of 2^`height` leaves from `low` on: part of one tile.
    fn subtree(&mut self, height: u32, low: u64) -> Result<Hash, E> {
        let level = height / TILE_HEIGHT;
        let first = low >> (level * TILE_HEIGHT);
        let count = 1usize << (height % TILE_HEIGHT);
        let tile = self.tile(level, first / u64::from(TILE_WIDTH));
        let bytes = self.bytes(&tile)?;
        let from = (first % u64::from(TILE_WIDTH)) as usize * 32;
        let hashes = bytes.get(from..from + count * 32).unwrap_or_default();
        let mut row: Vec<Hash> = hashes.as_chunks::<32>().0.to_vec();
        while row.len() > 1 {
            row = row.chunks(2).map(|pair| node_hash(&pair[0], &pair[pair.len() - 1])).collect();
        }
        let short = || Error::malformed("tile", "it is shorter than the tree is wide");
        Ok(*row.first().ok_or_else(short)?)
    }

    fn tile(&self, level: u32, index: u64) -> TileId {
        let wide = u64::from(TILE_WIDTH);
        let width = (self.size >> (level * TILE_HEIGHT)).saturating_sub(index * wide).min(wide);
        TileId { kind: TileKind::Hashes { level: level as u8 }, index, width: width as u16 }
    }

    fn bytes(&mut self, tile: &TileId) -> Result<&[u8], E> {
        if !self.read.contains_key(tile) {
            let bytes = (self.fetch)(tile)?;
            if bytes.len() != usize::from(tile.width) * 32 {
                return Err(Error::malformed("tile", "it has not 32 bytes for each hash").into());
            }
            self.read.insert(*tile, bytes);
        }
        Ok(self.read.get(tile).map(Vec::as_slice).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::hash_tile;
    use crate::tree::Tree;

    #[test]
    fn a_proof_out_of_tiles_is_the_proof_of_the_tree() {
        let mut tree = Tree::new();
        let sizes = [1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 65_537, 66_000];
        for n in 0..66_000u64 {
            tree.push(&n.to_be_bytes());
        }
        for new in sizes {
            for old in sizes.into_iter().filter(|old| *old <= new) {
                let mut asked = 0;
                let mut reader = TileReader::new(new, |tile: &TileId| {
                    asked += 1;
                    hash_tile(&tree, tile)
                });
                let proof = reader.consistency(old);
                assert_eq!(proof, tree.consistency(old, new), "{old} {new}");
                assert!(asked <= 8, "{asked} tiles");
            }
        }
        let short = |tile: &TileId| Ok::<_, Error>(vec![0; usize::from(tile.width) * 32 - 1]);
        assert!(TileReader::new(9, short).consistency(5).is_err());
        assert!(TileReader::new(9, short).consistency(10).is_err());
    }
}
