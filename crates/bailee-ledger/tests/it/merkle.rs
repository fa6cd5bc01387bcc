//! The tree against a published crate and against tampering.

use bailee_ledger::Tree;
use bailee_ledger::hash::{EMPTY_ROOT, leaf_hash, sha256};
use bailee_ledger::proof::{verify_consistency, verify_inclusion};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;

fn leaf(number: u64) -> Vec<u8> {
    number.to_be_bytes().repeat((number % 5) as usize)
}

fn tree(size: u64) -> Tree {
    let mut tree = Tree::new();
    for number in 0..size {
        assert_eq!(tree.push(&leaf(number)), number);
    }
    tree
}

/// RFC 6962 2.1 written down as it stands there.
fn by_definition(leaves: &[Vec<u8>]) -> [u8; 32] {
    match leaves.len() {
        0 => sha256(b""),
        1 => leaf_hash(&leaves[0]),
        length => {
            let (left, right) = leaves.split_at(length.next_power_of_two() / 2);
            let mut node = vec![1];
            node.extend_from_slice(&by_definition(left));
            node.extend_from_slice(&by_definition(right));
            sha256(&node)
        }
    }
}

#[test]
fn roots_follow_the_definition_at_every_size() {
    let tree = tree(70);
    let leaves: Vec<Vec<u8>> = (0..70).map(leaf).collect();
    assert_eq!(Tree::new().root(), EMPTY_ROOT);
    for size in 0..=70 {
        assert_eq!(tree.root_at(size).unwrap(), by_definition(&leaves[..size as usize]), "{size}");
    }
    assert!(tree.root_at(71).is_err());
    assert!(tree.inclusion(3, 71).is_err());
    assert!(tree.inclusion(3, 3).is_err());
    assert!(tree.consistency(5, 4).is_err());
}

#[test]
fn a_published_crate_agrees_on_roots_and_proofs() {
    for size in [1u64, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 100, 255, 256, 257] {
        let ours = tree(size);
        let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        (0..size).for_each(|number| theirs.push(leaf(number)));
        assert_eq!(ours.root()[..], theirs.root().as_bytes()[..], "root of {size}");
        for index in 0..size {
            let proof = ours.inclusion(index, size).unwrap().concat();
            assert_eq!(proof, theirs.prove_inclusion(index as usize).as_bytes(), "{index}/{size}");
        }
        for old in 1..size {
            let proof = ours.consistency(old, size).unwrap().concat();
            let other = theirs.prove_consistency((size - old) as usize);
            assert_eq!(proof, other.as_bytes(), "{old}->{size}");
        }
    }
}

#[test]
fn every_proof_verifies_and_only_for_its_own_place() {
    let tree = tree(40);
    for size in 1..=40u64 {
        let root = tree.root_at(size).unwrap();
        for index in 0..size {
            let path = tree.inclusion(index, size).unwrap();
            let hash = leaf_hash(&leaf(index));
            verify_inclusion(&hash, index, size, &path, &root).unwrap();
            for wrong in (0..size).filter(|wrong| *wrong != index) {
                assert!(verify_inclusion(&hash, wrong, size, &path, &root).is_err());
            }
        }
        for old in 0..=size {
            let old_root = tree.root_at(old).unwrap();
            let path = tree.consistency(old, size).unwrap();
            verify_consistency(old, &old_root, size, &root, &path).unwrap();
            let mut longer = path.clone();
            longer.push([0; 32]);
            assert!(verify_consistency(old, &old_root, size, &root, &longer).is_err());
            let other = [7; 32];
            assert!(verify_consistency(old, &other, size, &root, &path).is_err());
            if old > 0 {
                assert!(verify_consistency(old, &old_root, size, &other, &path).is_err());
            }
        }
    }
}

#[test]
fn empty_trees_are_consistent_only_as_empty() {
    let root = tree(3).root();
    verify_consistency(0, &EMPTY_ROOT, 3, &root, &[]).unwrap();
    verify_consistency(0, &EMPTY_ROOT, 0, &EMPTY_ROOT, &[]).unwrap();
    assert!(verify_consistency(0, &root, 3, &root, &[]).is_err());
    assert!(verify_consistency(0, &EMPTY_ROOT, 0, &root, &[]).is_err());
    assert!(verify_consistency(4, &root, 3, &root, &[]).is_err());
}

proptest! {
    #[test]
    fn no_flipped_proof_verifies(
        size in 2u64..3_000, pick: prop::sample::Index, old: prop::sample::Index,
        place: prop::sample::Index, bit in 0u8..8,
    ) {
        let tree = tree(size);
        let root = tree.root();
        let index = pick.index(size as usize) as u64;
        let mut path = tree.inclusion(index, size).unwrap();
        let hash = leaf_hash(&leaf(index));
        prop_assert!(verify_inclusion(&hash, index, size, &path, &root).is_ok());
        let at = place.index(path.len() * 32);
        path[at / 32][at % 32] ^= 1 << bit;
        prop_assert!(verify_inclusion(&hash, index, size, &path, &root).is_err());

        let old = 1 + old.index(size as usize - 1) as u64;
        let old_root = tree.root_at(old).unwrap();
        let mut path = tree.consistency(old, size).unwrap();
        prop_assert!(verify_consistency(old, &old_root, size, &root, &path).is_ok());
        let at = place.index(path.len() * 32);
        path[at / 32][at % 32] ^= 1 << bit;
        prop_assert!(verify_consistency(old, &old_root, size, &root, &path).is_err());
    }

    #[test]
    fn verifiers_survive_any_numbers(
        index: u64, size: u64, new: u64, path in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let root = [9; 32];
        prop_assert!(verify_inclusion(&[0; 32], index, size, &path, &root).is_err());
        prop_assert!(verify_consistency(size, &[0; 32], new, &root, &path).is_err());
    }
}
