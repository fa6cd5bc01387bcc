//! Checking Merkle proofs, without a tree (RFC 9162 2.1.3.2 and 2.1.4.2).
//!
//! Invariant: a proof has exactly the length its index and sizes demand; spare hashes are an error,
//! so a proof has one encoding. Work is bounded by 64 hashes whatever the input says.

use crate::error::Error;
use crate::hash::{EMPTY_ROOT, Hash, node_hash};

/// Does `path` lead from leaf hash `leaf` at `index` to `root` of a tree of `size` leaves?
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), Error> {
    const WHAT: &str = "inclusion";
    if index >= size {
        return Err(Error::OutOfRange { what: "index", got: index, size });
    }
    let wanted = inclusion_length(index, size);
    if path.len() != wanted {
        return Err(Error::ProofLength { what: WHAT, got: path.len(), wanted });
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if hash == *root { Ok(()) } else { Err(Error::RootMismatch { what: WHAT }) }
}

/// Is the tree of `old_size` leaves under `old_root` a prefix of the one of `new_size` leaves
/// under `new_root`?
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    path: &[Hash],
) -> Result<(), Error> {
    const WHAT: &str = "consistency";
    let mismatch = || Error::RootMismatch { what: WHAT };
    let expect = |ok: bool| if ok { Ok(()) } else { Err(mismatch()) };
    if old_size > new_size {
        return Err(Error::OutOfRange { what: "old size", got: old_size, size: new_size });
    }
    let wanted = consistency_length(old_size, new_size);
    if path.len() != wanted {
        return Err(Error::ProofLength { what: WHAT, got: path.len(), wanted });
    }
    if new_size == 0 || old_size == 0 {
        let new_is_right = new_size != 0 || *new_root == EMPTY_ROOT;
        return expect(*old_root == EMPTY_ROOT && new_is_right);
    }
    if old_size == new_size {
        return expect(old_root == new_root);
    }
    let (mut node, mut last) = (old_size - 1, new_size - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (seed, rest) = if old_size.is_power_of_two() {
        (*old_root, path)
    } else {
        let (first, rest) = path.split_first().ok_or_else(mismatch)?;
        (*first, rest)
    };
    let (mut old, mut new) = (seed, seed);
    for sibling in rest {
        if node & 1 == 1 || node == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    expect(old == *old_root && new == *new_root)
}

/// Hashes in the inclusion proof of `index` in a tree of `size` leaves (`index < size`).
fn inclusion_length(index: u64, size: u64) -> usize {
    let last = size - 1;
    let inner = 64 - (index ^ last).leading_zeros();
    let border = index.checked_shr(inner).unwrap_or(0).count_ones();
    (inner + border) as usize
}

/// Hashes in the consistency proof between `old` and `new` leaves (`old <= new`).
fn consistency_length(old: u64, new: u64) -> usize {
    if old == 0 || old == new {
        return 0;
    }
    let shift = old.trailing_zeros();
    let walked = inclusion_length((old - 1) >> shift, ((new - 1) >> shift) + 1);
    walked + usize::from(!old.is_power_of_two())
}
