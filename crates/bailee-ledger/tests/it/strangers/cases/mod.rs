//! Damage of every kind: each case has a name, and is a bundle in the one encoding of its archive,
//! listed and signed by the log as far as the case says. What the answer should be is ours to say
//! (`bundle.rs`, `dishonest.rs`, `hostile.rs`); here others have to say the same.

mod checkpoints;
mod entries;
mod lists;
mod policies;

use super::bag::Bag;
use super::log::{closed, plain, post_quantum, witnessed};
use crate::common::{EXHIBIT, receipt};

/// A damaged bundle, and what was done to it.
pub(super) type Case = (String, Bag);

const CHECKPOINT: &str = "data/checkpoint";
const POLICY: &str = "data/policy.tlog-policy";

/// All cases but the flipped bytes.
pub(super) fn all() -> Vec<Case> {
    let groups = [
        valid(),
        entries::proofs(),
        entries::sections(),
        checkpoints::cosigned_otherwise(),
        checkpoints::other_trees(),
        checkpoints::other_texts(),
        checkpoints::statements(),
        policies::texts(),
        policies::quorums(),
        policies::keys(),
        lists::payload(),
        lists::tags(),
        lists::names(),
        lengths(),
    ];
    groups.into_iter().flatten().collect()
}

fn named(cases: Vec<(&str, Bag)>) -> Vec<Case> {
    cases.into_iter().map(|(name, bag)| (name.to_owned(), bag)).collect()
}

/// Listed and signed as it is now.
fn issued(bag: Bag) -> Bag {
    bag.listed().signed()
}

fn valid() -> Vec<Case> {
    named(vec![
        ("valid, nobody asked to cosign", plain()),
        ("valid, two of three witnesses", witnessed()),
        ("valid, ML-DSA-44 by the log and a witness", post_quantum()),
        ("valid, no entry", closed(0)),
        ("valid, all seven entries, none opened", closed(7)),
        ("valid, a text for people", issued(witnessed().set("data/notes.txt", "read me"))),
        ("valid, with the verifiers for people", Bag::of(&receipt())),
        (
            "valid, the exhibit as certificate too",
            issued(witnessed().set("data/certificate.json", EXHIBIT)),
        ),
    ])
}

/// Every file cut by a byte, longer by a byte, emptied, and gone, listed and signed again.
fn lengths() -> Vec<Case> {
    let bag = witnessed();
    let mut cases = Vec::new();
    for (name, bytes) in &bag.0 {
        let path = &name["bag/".len()..];
        let again = |bag: Bag| match path {
            "bundle.note" | "tagmanifest-sha256.txt" => bag,
            path if path.starts_with("data/") => issued(bag),
            _ => bag.signed(),
        };
        let cut = bytes[..bytes.len() - 1].to_vec();
        let longer = [&bytes[..], b"\n"].concat();
        for (what, changed) in [("cut", cut), ("longer", longer), ("emptied", Vec::new())] {
            cases.push((format!("{path}: {what}"), again(bag.clone().set(path, changed))));
        }
        cases.push((format!("{path}: gone"), again(bag.clone().remove(path))));
    }
    cases
}
