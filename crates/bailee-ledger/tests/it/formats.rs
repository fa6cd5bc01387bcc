//! Every ledger format ever written, as files in `fixtures/formats/v1/ledger`: they must be read
//! for ever, and what is deterministic must still be written byte for byte.
//!
//! Files are only ever added; that each has its reader is a test of all formats together
//! (`bailee-vault`, tests/it/format.rs). `BAILEE_ADD_FIXTURES=1` writes the missing ones, never a
//! present one.

use std::io::Cursor;
use std::path::PathBuf;

use bailee_ledger::{
    Checkpoint, Leaf, Policy, PqSigner, TlogProof, Trust, clearance, verify_bundle,
};

use crate::clearance::{signer, terms};
use crate::common::{
    ORIGIN, checkpoint, leaf, log_signer, receipt_under, tree, witness, witness_policy,
};

fn dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/v1/ledger")
}

fn cosigned() -> bailee_ledger::Note {
    checkpoint().sign(&witness(1), 1_794_920_000).sign(&witness(2), 1_794_920_001)
}

fn fixture(name: &str, made: &[u8]) -> Vec<u8> {
    let path = dir().join(name);
    if !path.exists() && std::env::var_os("BAILEE_ADD_FIXTURES").is_some() {
        std::fs::create_dir_all(dir()).unwrap();
        std::fs::write(&path, made).unwrap();
    }
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn leaf_v1() {
    let stored = fixture("leaf.bin", &leaf(2).encode());
    assert_eq!(stored, leaf(2).encode());
    assert_eq!(Leaf::decode(&stored).unwrap(), leaf(2));
}

#[test]
fn checkpoint_v1() {
    let stored = fixture("checkpoint", cosigned().to_string().as_bytes());
    assert_eq!(stored, cosigned().to_string().as_bytes());
    let (parsed, _) = Checkpoint::open(&stored, log_signer().verifier()).unwrap();
    assert_eq!(parsed, Checkpoint::of(ORIGIN, &tree()));
}

#[test]
fn checkpoint_with_ml_dsa_v1() {
    let signer = PqSigner::from_seed("log.example/pq", &[42; 32]).unwrap();
    let tree = Checkpoint::of(ORIGIN, &tree());
    let mut note = checkpoint();
    note.add_signatures([signer.cosign(&tree, 1_794_920_000).unwrap()]);
    let stored = fixture("checkpoint-ml-dsa", note.to_string().as_bytes());
    assert_eq!(stored, note.to_string().as_bytes());
    let (parsed, note) = Checkpoint::open(&stored, log_signer().verifier()).unwrap();
    assert_eq!(parsed, tree);
    let seen = note.verify(&[signer.verifier().clone()]).unwrap();
    assert_eq!(seen[0].time, Some(1_794_920_000));
}

#[test]
fn policy_v1() {
    let stored = fixture("policy.tlog-policy", witness_policy().to_string().as_bytes());
    let policy = Policy::parse(&stored).unwrap();
    assert_eq!(policy.to_string().as_bytes(), stored);
    assert_eq!(policy.evaluate(&cosigned()).unwrap().cosigned.len(), 2);
}

#[test]
fn proof_v1() {
    let made = TlogProof::of(&tree(), 2, &cosigned()).unwrap().to_string();
    let stored = fixture("proof.tlog-proof", made.as_bytes());
    assert_eq!(stored, made.as_bytes());
    let seen = TlogProof::parse(&stored).unwrap().verify(&leaf(2).hash(), &witness_policy());
    assert_eq!(seen.unwrap().checkpoint.size, 7);
}

#[test]
fn clearance_v1() {
    let made = clearance::sign(&terms(), &signer()).unwrap();
    let stored = fixture("clearance", made.as_bytes());
    assert_eq!(stored, made.as_bytes());
    assert_eq!(clearance::open(&stored, signer().verifier()).unwrap(), terms());
}

/// Texts for people may change, so the stored bundle is read, not made again.
#[test]
fn receipt_v1() {
    let stored = fixture("receipt.bailee.zip", &receipt_under(&cosigned(), &witness_policy()));
    let report = verify_bundle(Cursor::new(stored), &Trust::pinned(witness_policy())).unwrap();
    assert!(!report.failed(), "{report}");
    let said = fixture("receipt.report.txt", report.to_string().as_bytes());
    assert_eq!(report.to_string().as_bytes(), said);
}
