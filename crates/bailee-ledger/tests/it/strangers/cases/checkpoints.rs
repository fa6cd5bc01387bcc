//! The checkpoint file and the statement about the bundle, signed by whom and over what.

use bailee_ledger::{Checkpoint, Note, Signer, TlogProof};

use super::{CHECKPOINT, Case, POLICY, issued, named};
use crate::common::{ORIGIN, checkpoint, log_signer, tree, witness};
use crate::strangers::bag::Bag;
use crate::strangers::log::{PROOF, SEEN, cosignature, cosigned, forged, forged_by, witnessed};

const OTHER: &str = "log.example/other";

/// Another checkpoint file, in its own place and behind the path of the proof.
fn under(note: impl Into<Vec<u8>>) -> Bag {
    let (bag, note) = (witnessed(), note.into());
    let proof = bag.get(PROOF).to_vec();
    let head = proof.windows(2).position(|pair| pair == b"\n\n").unwrap() + 2;
    let proof = [&proof[..head], &note].concat();
    issued(bag.set(CHECKPOINT, note).set(PROOF, proof))
}

pub(super) fn cosigned_otherwise() -> Vec<Case> {
    let note = cosigned().to_string();
    let text = cosigned().text().to_owned();
    let own = checkpoint().to_string();
    let signatures: Vec<&str> = note.lines().skip(4).collect();
    let cut = |from: usize| {
        let line = signatures[from];
        let at = line.len() - 8;
        let other = if &line[at..=at] == "A" { "B" } else { "A" };
        format!("{}{other}{}\n", &line[..at], &line[at + 1..])
    };
    let more = |more: &str| under(note.clone() + more);
    let signed = |sign: fn(Note) -> Note| under(sign(checkpoint()).to_string());
    let late = cosignature(1, 0, &text) + &cosignature(2, 5, &text);
    let long = format!("— {} AAAAAAAA\n", "é".repeat(128));
    named(vec![
        ("checkpoint: quorum not reached", signed(|note| note.sign(&witness(1), 1))),
        ("checkpoint: nobody cosigned", under(own.clone())),
        (
            "checkpoint: one witness twice",
            signed(|note| note.sign(&witness(1), 1).sign(&witness(1), 2)),
        ),
        ("checkpoint: one line twice", more(&format!("{}\n", signatures[2]))),
        ("checkpoint: unknown witnesses only", signed(|note| note.sign(&witness(7), 1))),
        ("checkpoint: an unknown signature more", more("— someone AAAAAAAA\n")),
        ("checkpoint: an empty signature more", more("— someone AAAAAA==\n")),
        ("checkpoint: a signature that is no base64", more("— someone AAAAAA*=\n")),
        ("checkpoint: a signature with spare bits", more("— someone AAAAAAB=\n")),
        ("checkpoint: a signer without name", more("—  AAAAAAAA\n")),
        ("checkpoint: a signer with a plus", more("— a+b AAAAAAAA\n")),
        ("checkpoint: a signer of 256 bytes", more(&long)),
        ("checkpoint: U+2003 in a signer's name", more("— a\u{2003}b AAAAAAAA\n")),
        ("checkpoint: a hyphen for a dash", more("- someone AAAAAAAA\n")),
        ("checkpoint: an empty line at the end", more("\n")),
        (
            "checkpoint: a cosignature that fails",
            under(note.replace(signatures[2], cut(2).trim_end())),
        ),
        ("checkpoint: a second cosignature that fails", more(&cut(2))),
        ("checkpoint: a second signature of the log that fails", more(&cut(0))),
        ("checkpoint: a hundred signatures", more(&"— someone AAAAAAAA\n".repeat(97))),
        ("checkpoint: a hundred and one", more(&"— someone AAAAAAAA\n".repeat(98))),
        ("checkpoint: a time past the end", more(&cosignature(2, 1 << 63, &text))),
        ("checkpoint: a time of zero", under(own + &late)),
    ])
}

pub(super) fn other_trees() -> Vec<Case> {
    let stranger = Signer::from_seed(ORIGIN, &[9; 32]).unwrap();
    let unknown = Checkpoint::of(ORIGIN, &tree()).sign(&stranger).unwrap().to_string();
    let old = |size: u64| {
        let root = tree().root_at(size).unwrap();
        let old = Checkpoint { origin: ORIGIN.to_owned(), size, root, extensions: vec![] };
        old.sign(&log_signer()).unwrap().sign(&witness(1), SEEN).sign(&witness(2), SEEN)
    };
    let replayed = TlogProof::of(&tree(), 2, &old(5)).unwrap().to_string();
    let replayed = witnessed().set(CHECKPOINT, old(5).to_string()).set(PROOF, replayed);
    let held = TlogProof::of(&tree(), 2, &checkpoint()).unwrap().to_string();
    named(vec![
        ("checkpoint: unknown keys only", under(unknown)),
        ("checkpoint: replayed, old, with the new proof", under(old(5).to_string())),
        ("checkpoint: replayed, old, with its proof", issued(replayed)),
        ("checkpoint: older than the leaf", under(old(2).to_string())),
        ("checkpoint: of the empty tree", under(old(0).to_string())),
        (
            "checkpoint: other than in the proof",
            issued(witnessed().set(CHECKPOINT, checkpoint().to_string())),
        ),
        ("proof: holds another checkpoint", issued(witnessed().set(PROOF, held))),
    ])
}

pub(super) fn other_texts() -> Vec<Case> {
    let text = cosigned().text().to_owned();
    let root = text.lines().nth(2).unwrap().to_owned();
    let forge = |text: &str| under(forged(text.as_bytes()));
    let other = text.replace(ORIGIN, OTHER);
    named(vec![
        ("checkpoint: an extension line", forge(&format!("{text}more\n"))),
        ("checkpoint: an empty extension line", forge(&format!("{text}\nmore\n"))),
        ("checkpoint: size with a zero", forge(&text.replace("\n7\n", "\n07\n"))),
        ("checkpoint: size with a sign", forge(&text.replace("\n7\n", "\n+7\n"))),
        ("checkpoint: root with spare bits", forge(&text.replace(&root, &spare(&root)))),
        ("checkpoint: without root", forge(&text.replace(&format!("{root}\n"), ""))),
        ("checkpoint: a tab in it", forge(&format!("{text}a\tb\n"))),
        ("checkpoint: U+0085 in it", forge(&format!("{text}a\u{85}b\n"))),
        ("checkpoint: DEL in it", forge(&format!("{text}a\u{7f}b\n"))),
        ("checkpoint: no UTF-8", under(forged(&[text.as_bytes(), b"\xff\n"].concat()))),
        ("checkpoint: another origin, by the log", forge(&other)),
        (
            "checkpoint: another origin, by its log",
            under(forged_by(OTHER, 1, &[5; 32], other.as_bytes())),
        ),
    ])
}

/// The same bytes in base64 with a spare bit set, which is another spelling.
fn spare(hash: &str) -> String {
    let mut text = hash.to_owned().into_bytes();
    let at = text.len() - 2;
    text[at] += 1;
    String::from_utf8(text).unwrap()
}

pub(super) fn statements() -> Vec<Case> {
    let bag = witnessed;
    let note = bag().text("bundle.note");
    let (text, signature) = note.split_once("\n\n").unwrap();
    let other = Signer::from_seed(OTHER, &[5; 32]).unwrap();
    let with = |bytes: Vec<u8>| bag().set("bundle.note", bytes);
    let forge = |from: &str, to: &str| with(forged(note_text(text, from, to).as_bytes()));
    let two = format!("log {}\n", other.verifier().to_vkey());
    let lists_two = || bag().set(POLICY, two.clone() + &bag().text(POLICY));
    named(vec![
        ("note: two signatures", with(format!("{note}{signature}").into_bytes())),
        (
            "note: an unknown signature more",
            with(format!("{note}— someone AAAAAAAA\n").into_bytes()),
        ),
        (
            "note: unknown keys only",
            with(forged_by(ORIGIN, 1, &[9; 32], format!("{text}\n").as_bytes())),
        ),
        ("note: another kind", forge("receipt", "invoice")),
        ("note: matter", forge("receipt", "matter")),
        ("note: another version", forge("/v1", "/v2")),
        ("note: another origin", forge(ORIGIN, OTHER)),
        ("note: a line more", with(forged(format!("{text}\nmore\n").as_bytes()))),
        ("note: CR LF", with(note.replace('\n', "\r\n").into_bytes())),
        ("note: by another log that the policy lists", lists_two().listed().signed_by(&other)),
        ("note: by the log, another log listed too", issued(lists_two())),
    ])
}

fn note_text(text: &str, from: &str, to: &str) -> String {
    text.replace(from, to) + "\n"
}
