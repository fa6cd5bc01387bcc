//! The Merkle vectors of transparency-dev, good and bad: the same answer to each.

use bailee_ledger::Hash;
use bailee_ledger::hash::EMPTY_ROOT;
use bailee_ledger::proof::{verify_consistency, verify_inclusion};
use base64::Engine as _;
use serde_json::Value;

const VECTORS: &str = include_str!("../../../../fixtures/vectors/merkle.jsonl");

fn hash(value: &Value) -> Option<Hash> {
    let text = value.as_str().unwrap_or_default();
    base64::prelude::BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}

/// `None`: something in it is no hash, which every reader of ours refuses before this.
fn path(vector: &Value) -> Option<Vec<Hash>> {
    vector["proof"].as_array().map_or(Some(Vec::new()), |path| path.iter().map(hash).collect())
}

fn holds(vector: &Value) -> bool {
    let number = |name: &str| vector[name].as_u64().unwrap();
    let Some(path) = path(vector) else { return false };
    if vector["kind"] == "inclusion" {
        let (Some(leaf), Some(root)) = (hash(&vector["leafHash"]), hash(&vector["root"])) else {
            return false;
        };
        return verify_inclusion(&leaf, number("leafIdx"), number("treeSize"), &path, &root)
            .is_ok();
    }
    let (Some(old), Some(new)) = (hash(&vector["root1"]), hash(&vector["root2"])) else {
        return false;
    };
    verify_consistency(number("size1"), &old, number("size2"), &new, &path).is_ok()
}

#[test]
fn every_upstream_vector_gets_its_answer() {
    let (mut seen, mut no_roots) = (0, 0);
    for line in VECTORS.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        seen += 1;
        let good = vector["wantErr"] == false;
        // Upstream compares two equal strings as the roots of two equal trees without looking at
        // them; here a root has 32 bytes.
        let roots = ["root", "root1", "root2"].map(|name| &vector[name]);
        if good && roots.into_iter().any(|root| root.is_string() && hash(root).is_none()) {
            no_roots += 1;
            assert!(!holds(&vector), "{}", vector["name"]);
            continue;
        }
        assert_eq!(holds(&vector), good, "{}", vector["name"]);
    }
    assert_eq!((seen, no_roots), (195, 2));
}

#[test]
fn nothing_is_a_prefix_of_everything_but_of_no_other_root_than_its_own() {
    // Upstream calls a proof from the empty tree useless; a witness asks for just that the first
    // time (c2sp.org/tlog-witness: old size 0, no hashes). It holds for the empty root alone.
    let root = [1; 32];
    assert!(verify_consistency(0, &EMPTY_ROOT, 5, &root, &[]).is_ok());
    assert!(verify_consistency(0, &root, 5, &root, &[]).is_err());
    assert!(verify_consistency(0, &EMPTY_ROOT, 5, &root, &[root]).is_err());
}
