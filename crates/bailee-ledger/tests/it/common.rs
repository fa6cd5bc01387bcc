//! A small log with fixed seeds and salts: everything it makes is the same on every run.

use bailee_ledger::bundle::{BundleBuilder, Kind, Opened};
use bailee_ledger::hash::sha256;
use bailee_ledger::{Checkpoint, Leaf, Note, Policy, Signer, Tree};

pub(crate) const ORIGIN: &str = "log.example/bailee";
pub(crate) const EXHIBIT: &[u8] =
    b"From: counsel@example.org\r\nSubject: keep rack 14\r\n\r\nPlease.\r\n";
pub(crate) const NOON: i64 = 1_794_916_800; // 2026-11-17T12:00:00Z

pub(crate) fn log_signer() -> Signer {
    Signer::from_seed(ORIGIN, &[1; 32]).unwrap()
}

pub(crate) fn witness(number: u8) -> Signer {
    Signer::witness_from_seed(&format!("witness{number}.example/w"), &[100 + number; 32]).unwrap()
}

/// What, who, papers of event `n`; papers of event 2 name the exhibit.
pub(crate) fn sections(n: u8) -> [Opened; 3] {
    let papers = if n == 2 {
        let mut bytes = vec![0x81, 0x58, 0x20];
        bytes.extend_from_slice(&sha256(EXHIBIT));
        bytes
    } else {
        vec![0x80]
    };
    let contents = [vec![0x82, 0x01, n], vec![0x81, 0x61, b'a' + n], papers];
    let mut section = 0;
    contents.map(|bytes| {
        section += 1;
        Opened { bytes, salt: [n * 3 + section; 32] }
    })
}

pub(crate) fn leaf(n: u8) -> Leaf {
    let [what, who, papers] = sections(n);
    Leaf::commit(
        u16::from(n) + 1,
        NOON + i64::from(n) * 3_600,
        [
            Some((&what.bytes, &what.salt)),
            Some((&who.bytes, &who.salt)),
            Some((&papers.bytes, &papers.salt)),
        ],
    )
}

/// Seven leaves: no power of two, so that proofs take every branch.
pub(crate) fn tree() -> Tree {
    let mut tree = Tree::new();
    for n in 0..7 {
        tree.push(&leaf(n).encode());
    }
    tree
}

pub(crate) fn checkpoint() -> Note {
    Checkpoint::of(ORIGIN, &tree()).sign(&log_signer()).unwrap()
}

/// The log's key, no witness.
pub(crate) fn plain_policy() -> Policy {
    Policy::for_log(log_signer().verifier().clone()).unwrap()
}

/// The log's key and two of three witnesses.
pub(crate) fn witness_policy() -> Policy {
    let mut text = format!("log {}\n", log_signer().verifier().to_vkey());
    for n in 1..=3 {
        text.push_str(&format!("witness w{n} {}\n", witness(n).verifier().to_vkey()));
    }
    text.push_str("group two 2 w1 w2 w3\nquorum two\n");
    Policy::parse(text.as_bytes()).unwrap()
}

pub(crate) fn builder(checkpoint: &Note, policy: &Policy) -> BundleBuilder<'static> {
    let [what, _, papers] = sections(2);
    BundleBuilder::new(Kind::Receipt, checkpoint, policy)
        .unwrap()
        .entry_of(&tree(), 2, &leaf(2).encode(), [Some(what), None, Some(papers)])
        .unwrap()
        .exhibit(EXHIBIT.to_vec())
}

pub(crate) fn receipt_under(checkpoint: &Note, policy: &Policy) -> Vec<u8> {
    let mut out = Vec::new();
    let length = builder(checkpoint, policy).write(&log_signer(), &mut out).unwrap();
    assert_eq!(length, out.len() as u64);
    out
}

pub(crate) fn receipt() -> Vec<u8> {
    receipt_under(&checkpoint(), &plain_policy())
}
