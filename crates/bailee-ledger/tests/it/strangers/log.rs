//! Bundles of the log in `common`: with witnesses, with ML-DSA-44, with timestamps; and signatures
//! over text that no honest log would sign.

use bailee_ledger::bundle::{BundleBuilder, Kind};
use bailee_ledger::hash::sha256;
use bailee_ledger::timestamp::Request;
use bailee_ledger::{Checkpoint, Note, Policy, PqSigner};
use ed25519_dalek::{Signer as _, SigningKey};

use super::bag::Bag;
use crate::authority::{Authority, Key, Stamping};
use crate::common::{
    EXHIBIT, ORIGIN, checkpoint, leaf, log_signer, receipt, receipt_under, sections, tree, witness,
    witness_policy,
};

/// Directory of the one entry.
pub(super) const ENTRY: &str = "data/entries/000000002";
pub(super) const PROOF: &str = "data/entries/000000002/proof.tlog-proof";
/// 2026-11-17T12:53:20Z.
pub(super) const SEEN: u64 = 1_794_920_000;

/// Nobody is asked to cosign.
pub(super) fn plain() -> Bag {
    Bag::of(&receipt()).without_guides()
}

/// Two of three witnesses have cosigned.
pub(super) fn witnessed() -> Bag {
    Bag::of(&receipt_under(&cosigned(), &witness_policy())).without_guides()
}

/// A checkpoint that two of three witnesses have cosigned.
pub(super) fn cosigned() -> Note {
    checkpoint().sign(&witness(1), SEEN).sign(&witness(3), SEEN + 60)
}

/// The log has signed with ML-DSA-44 too, and one of the two witnesses that count.
pub(super) fn post_quantum() -> Bag {
    let own = PqSigner::from_seed(ORIGIN, &[7; 32]).unwrap();
    let other = PqSigner::from_seed("witness4.example/w", &[8; 32]).unwrap();
    let policy = format!(
        "log {}\nwitness own {}\nwitness w1 {}\nwitness w4 {}\ngroup both all w1 w4\nquorum both\n",
        log_signer().verifier().to_vkey(),
        own.verifier().to_vkey(),
        witness(1).verifier().to_vkey(),
        other.verifier().to_vkey(),
    );
    let tree = Checkpoint::of(ORIGIN, &tree());
    let mut note = checkpoint().sign(&witness(1), SEEN);
    note.add_signatures([own.cosign(&tree, 0).unwrap(), other.cosign(&tree, SEEN + 5).unwrap()]);
    let policy = Policy::parse(policy.as_bytes()).unwrap();
    Bag::of(&receipt_under(&note, &policy)).without_guides()
}

/// A receipt without entry, or without an opened section.
pub(super) fn closed(entries: u64) -> Bag {
    let mut builder = BundleBuilder::new(Kind::Matter, &cosigned(), &witness_policy()).unwrap();
    for index in 0..entries {
        let bytes = leaf(index as u8).encode();
        builder = builder.entry_of(&tree(), index, &bytes, [None, None, None]).unwrap();
    }
    let mut out = Vec::new();
    builder.write(&log_signer(), &mut out).unwrap();
    Bag::of(&out).without_guides()
}

/// A whole bundle, verifiers for people included, with a token and its renewal by `openssl ts`.
/// The tokens carry the signer's certificate and these.
pub(super) fn stamped(authority: &Authority, certs: &[&str]) -> Vec<u8> {
    let note = cosigned();
    let stamp = |file: &[u8]| {
        let how = Stamping { certs, ..Stamping::default() };
        authority.stamp(&Request::new(sha256(file), 7).to_der(), &how)
    };
    let first = stamp(note.to_string().as_bytes());
    let renewal = stamp(&first);
    let [what, _, papers] = sections(2);
    let mut out = Vec::new();
    BundleBuilder::new(Kind::Receipt, &note, &witness_policy())
        .unwrap()
        .entry_of(&tree(), 2, &leaf(2).encode(), [Some(what), None, Some(papers)])
        .unwrap()
        .exhibit(EXHIBIT.to_vec())
        .stamp("tsa.example", authority.pem(&["root"]), vec![first, renewal])
        .unwrap()
        .write(&log_signer(), &mut out)
        .unwrap();
    out
}

pub(super) fn authority() -> Authority {
    Authority::with_signer(Key::P256)
}

/// A note over any bytes, by the log of `common`.
pub(super) fn forged(text: &[u8]) -> Vec<u8> {
    forged_by(ORIGIN, 1, &[1; 32], text)
}

/// A note over any bytes by a key of this name, type and seed.
pub(super) fn forged_by(name: &str, kind: u8, seed: &[u8; 32], text: &[u8]) -> Vec<u8> {
    let key = SigningKey::from_bytes(seed);
    let signature = key.sign(text).to_bytes();
    let mut note = text.to_vec();
    note.extend_from_slice(b"\n");
    note.extend_from_slice(line(name, kind, &key, &signature).as_bytes());
    note
}

/// A cosignature that states this time, as a line.
pub(super) fn cosignature(number: u8, time: u64, text: &str) -> String {
    let key = SigningKey::from_bytes(&[100 + number; 32]);
    let message = format!("cosignature/v1\ntime {time}\n{text}");
    let mut bytes = time.to_be_bytes().to_vec();
    bytes.extend_from_slice(&key.sign(message.as_bytes()).to_bytes());
    line(&format!("witness{number}.example/w"), 4, &key, &bytes)
}

fn line(name: &str, kind: u8, key: &SigningKey, signature: &[u8]) -> String {
    use base64::Engine as _;
    let public = key.verifying_key().to_bytes();
    let id = sha256(&[name.as_bytes(), b"\n", &[kind], &public].concat());
    let bytes = [&id[..4], signature].concat();
    format!("\u{2014} {name} {}\n", base64::engine::general_purpose::STANDARD.encode(bytes))
}

#[test]
fn forged_notes_are_signed_as_real_ones_are() {
    let note = cosigned();
    let text = note.text();
    let forged = String::from_utf8(forged(text.as_bytes())).unwrap();
    let cosignatures = [cosignature(1, SEEN, text), cosignature(3, SEEN + 60, text)].concat();
    assert_eq!(forged + &cosignatures, note.to_string());
}
