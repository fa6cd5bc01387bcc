//! Bytes flipped: every one of what proves, as found and as a dishonest log would list and sign it
//! again; every one of the archive's own bytes; samples of the rest.

use super::bag::Bag;
use super::cases::Case;
use super::log::{PROOF, post_quantum, witnessed};

/// Which bits of a byte change, by its place: in text that is a neighbour, the other case, no UTF-8
/// any more, and another letter.
const MASKS: [u8; 4] = [0x01, 0x20, 0x80, 0x04];

fn mask(at: usize) -> u8 {
    MASKS[at % MASKS.len()]
}

pub(super) fn paths(bag: &Bag) -> Vec<String> {
    bag.0.keys().map(|name| name["bag/".len()..].to_owned()).collect()
}

fn each(bag: &Bag, path: &str, step: usize, change: impl Fn(Bag) -> Bag) -> Vec<Case> {
    let places = (0..bag.get(path).len()).step_by(step);
    let case = |at: usize| {
        let what = format!("{path}: byte {at} ^ {:#04x}", mask(at));
        (what, change(bag.clone().flip(path, at, mask(at))))
    };
    places.map(case).collect()
}

/// Only the byte has changed: lists and signatures are those of the good bundle.
pub(super) fn found() -> Vec<Case> {
    paths(&witnessed()).iter().flat_map(|path| found_in(path)).collect()
}

/// Each byte of a file.
pub(super) fn found_in(path: &str) -> Vec<Case> {
    each(&witnessed(), path, 1, |bag| bag)
}

/// What lists the file is made to fit, and signed with the log's key.
pub(super) fn issued() -> Vec<Case> {
    paths(&witnessed()).iter().flat_map(|path| issued_in(path)).collect()
}

/// Each byte of a file, but of what is one case anyway.
pub(super) fn issued_in(path: &str) -> Vec<Case> {
    let bag = witnessed();
    match path {
        "bundle.note" | "tagmanifest-sha256.txt" => Vec::new(),
        "manifest-sha256.txt" | "bag-info.txt" | "bagit.txt" => each(&bag, path, 1, Bag::signed),
        "data/README.txt" => each(&bag, path, 97, |bag| bag.listed().signed()),
        // The checkpoint in the proof must be the file, so that most of these are one case.
        PROOF => {
            let checkpoint = bag.text(PROOF).find("\n\n").unwrap() + 8;
            let all = each(&bag, PROOF, 1, |bag| bag.listed().signed()).into_iter().enumerate();
            let kept = all.filter(|(at, _)| *at < checkpoint || at.is_multiple_of(16));
            kept.map(|(_, case)| case).collect()
        }
        path => each(&bag, path, 1, |bag| bag.listed().signed()),
    }
}

/// A checkpoint with ML-DSA-44, changed in the proof too, so that each signature is looked at;
/// every `step`th byte, and of the policy.
pub(super) fn post_quantum_issued(step: usize) -> Vec<Case> {
    let bag = post_quantum();
    let start = bag.text(PROOF).find("\n\n").unwrap() + 2;
    let both = |at: usize| {
        let flipped =
            bag.clone().flip("data/checkpoint", at, mask(at)).flip(PROOF, start + at, mask(at));
        (format!("ML-DSA-44, checkpoint: byte {at} ^ {:#04x}", mask(at)), flipped.listed().signed())
    };
    let length = bag.get("data/checkpoint").len();
    let mut cases: Vec<Case> = (0..length).step_by(step).map(both).collect();
    cases.extend(each(&bag, "data/policy.tlog-policy", step, |bag| bag.listed().signed()));
    cases
}

/// The checkpoint changed in both places.
pub(super) fn checkpoint_issued() -> Vec<Case> {
    let bag = witnessed();
    let start = bag.text(PROOF).find("\n\n").unwrap() + 2;
    let both = |at: usize| {
        let flipped =
            bag.clone().flip("data/checkpoint", at, mask(at)).flip(PROOF, start + at, mask(at));
        (
            format!("checkpoint, also in the proof: byte {at} ^ {:#04x}", mask(at)),
            flipped.listed().signed(),
        )
    };
    (0..bag.get("data/checkpoint").len()).map(both).collect()
}

/// The archive's own bytes: every one that is no file's content.
pub(super) fn container() -> Vec<(String, Vec<u8>)> {
    let (archive, content) = archive();
    (0..archive.len()).filter(|at| !content[*at]).map(|at| flipped(&archive, at)).collect()
}

/// The archive itself: every byte that is no content, every 16th that is; cut and lengthened.
pub(super) fn raw() -> Vec<(String, Vec<u8>)> {
    let (archive, content) = archive();
    let mut cases = container();
    let sampled = (0..archive.len()).step_by(16).filter(|at| content[*at]);
    cases.extend(sampled.map(|at| flipped(&archive, at)));
    for length in (0..archive.len()).step_by(101) {
        cases.push((format!("archive: cut to {length}"), archive[..length].to_vec()));
    }
    for more in [&b"\0"[..], b"PK\x05\x06", &archive] {
        cases.push((format!("archive: {} bytes more", more.len()), [&archive[..], more].concat()));
        cases.push((format!("archive: {} bytes before", more.len()), [more, &archive].concat()));
    }
    cases
}

fn flipped(archive: &[u8], at: usize) -> (String, Vec<u8>) {
    let mut bytes = archive.to_vec();
    bytes[at] ^= mask(at);
    (format!("archive: byte {at} ^ {:#04x}", mask(at)), bytes)
}

/// An archive, and which of its bytes are content of files.
fn archive() -> (Vec<u8>, Vec<bool>) {
    let bag = witnessed();
    let archive = bag.pack();
    let mut content = vec![false; archive.len()];
    let mut at = 0;
    for (name, bytes) in &bag.0 {
        at += 30 + name.len();
        content[at..at + bytes.len()].fill(true);
        at += bytes.len();
    }
    (archive, content)
}
