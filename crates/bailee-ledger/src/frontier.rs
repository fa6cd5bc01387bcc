//! The right edge of a Merkle tree: what somebody keeps who follows a log without storing it.
//!
//! Invariants: `peaks` are the hashes of the perfect subtrees that the tree of `size` leaves falls
//! into (RFC 6962), from the largest on the left to the smallest, one for each bit of `size`; so a
//! tree of any size is at most 64 hashes. Whoever goes from one root to a later one by pushing
//! leaves has shown that the later tree extends the earlier: no consistency proof is needed.
//!
//! Out of scope: proofs, which need the inside of the tree (tree.rs).

use crate::error::Error;
use crate::hash::{EMPTY_ROOT, Hash, node_hash};
use crate::tile::TILE_HEIGHT;

/// A tree reduced to its right edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The edge that was kept. Error: not one hash for each bit of the size.
    pub fn of(size: u64, peaks: Vec<Hash>) -> Result<Self, Error> {
        if peaks.len() != size.count_ones() as usize {
            return Err(Error::malformed(
                "frontier",
                "it has not one hash for each bit of its size",
            ));
        }
        Ok(Self { size, peaks })
    }

    /// Leaves of the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Hashes of the perfect subtrees, largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Root of the tree.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return EMPTY_ROOT };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }

    /// Adds a leaf by its RFC 6962 leaf hash; tells `tiled` of each hash that comes to stand in a
    /// tile by it: the tile's level, the position in that level, the hash.
    pub fn push(&mut self, leaf: Hash, mut tiled: impl FnMut(u8, u64, &Hash)) {
        let (mut carried, mut level) = (leaf, 0u32);
        tiled(0, self.size, &leaf);
        // Each trailing one of the size is a subtree as large as the one carried.
        while self.size >> level & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            carried = node_hash(&left, &carried);
            level += 1;
            if level.is_multiple_of(TILE_HEIGHT) {
                tiled((level / TILE_HEIGHT) as u8, self.size >> level, &carried);
            }
        }
        self.peaks.push(carried);
        self.size += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;
    use crate::tile::{TileId, TileKind, hash_tile};
    use crate::tree::Tree;
    use std::collections::BTreeMap;

    #[test]
    fn an_edge_has_the_root_of_the_tree_at_every_size() {
        let (mut edge, mut tree) = (Frontier::default(), Tree::new());
        assert_eq!(edge.root(), tree.root());
        for n in 0..600u64 {
            let hash = leaf_hash(&n.to_be_bytes());
            edge.push(hash, |_, _, _| ());
            tree.push_hash(hash);
            assert_eq!((edge.size(), edge.root()), (n + 1, tree.root()));
            let kept = Frontier::of(edge.size(), edge.peaks().to_vec());
            assert_eq!(kept.as_ref(), Ok(&edge));
        }
        assert!(Frontier::of(3, vec![[0; 32]]).is_err());
    }

    #[test]
    fn every_hash_of_every_tile_is_told_once() {
        let (mut edge, mut tree, mut told) = (Frontier::default(), Tree::new(), Vec::new());
        let size = 256 * 256 + 300;
        for n in 0..size as u64 {
            let hash = leaf_hash(&n.to_be_bytes());
            edge.push(hash, |level, position, hash| told.push((level, position, *hash)));
            tree.push_hash(hash);
        }
        assert_eq!(told.len(), size + 257 + 1);
        let (mut hashes, mut checked) = (BTreeMap::new(), 0);
        told.iter().for_each(|(level, at, hash)| _ = hashes.insert((*level, *at), *hash));
        for tile in TileId::grown(0, size as u64) {
            let TileKind::Hashes { level } = tile.kind else { continue };
            let bytes = hash_tile(&tree, &tile).unwrap();
            for (at, hash) in tile.range().unwrap().zip(bytes.as_chunks::<32>().0) {
                assert_eq!(hashes.get(&(level, at)), Some(hash), "{tile}");
                checked += 1;
            }
        }
        assert_eq!(checked, told.len());
    }
}
