//! Claim 4 by others: tokens of a real authority (`openssl ts`), under the bundle's roots.

use std::path::Path;

use super::answer::{Answer, Verdict, Whose};
use super::bag::Bag;
use super::{by_hand, log, page, python};
use crate::authority::{Authority, Key};

const DIR: &str = "data/timestamps/tsa.example";

/// What is done to the tokens.
fn cases(authority: &Authority) -> Vec<(&'static str, Bag)> {
    let good = Bag::of(&log::stamped(authority, &[])).without_guides();
    let bag = || good.clone();
    let issued = |bag: Bag| bag.listed().signed();
    let file = |name: &str| format!("{DIR}/{name}");
    let flip = |name: &str, from_end: usize| {
        let at = bag().get(&file(name)).len() - from_end;
        issued(bag().flip(&file(name), at, 1))
    };
    let renewal = bag().get(&file("1.tsr")).to_vec();
    let others = Authority::with_signer(Key::P256);
    vec![
        ("valid, with a renewal", bag()),
        // OpenSSL puts the certificates of a token in no order, which is no DER.
        (
            "valid, the root carried too",
            Bag::of(&log::stamped(authority, &["root"])).without_guides(),
        ),
        ("without the renewal", issued(bag().remove(&file("1.tsr")))),
        ("without the first", issued(bag().remove(&file("0.tsr")))),
        ("without roots", issued(bag().remove(&file("roots.pem")))),
        ("roots alone", issued(bag().remove(&file("0.tsr")).remove(&file("1.tsr")))),
        ("roots of another", issued(bag().set(&file("roots.pem"), others.pem(&["root"])))),
        ("roots that are none", issued(bag().set(&file("roots.pem"), "none"))),
        ("the renewal as the first", issued(bag().set(&file("0.tsr"), renewal))),
        ("a signature altered", flip("0.tsr", 1)),
        ("a renewal's signature altered", flip("1.tsr", 1)),
        ("over another checkpoint", under_another(bag())),
        ("cut", issued(bag().set(&file("0.tsr"), bag().get(&file("0.tsr"))[..900].to_vec()))),
        ("longer", issued(bag().set(&file("1.tsr"), [bag().get(&file("1.tsr")), b"\0"].concat()))),
        ("empty", issued(bag().set(&file("0.tsr"), ""))),
    ]
}

/// The same tokens beside a checkpoint with one cosignature less.
fn under_another(bag: Bag) -> Bag {
    let note = crate::common::checkpoint().sign(&crate::common::witness(1), log::SEEN).to_string();
    let proof = bag.text(log::PROOF);
    let head = proof.find("\n\n").unwrap() + 2;
    let proof = format!("{}{note}", &proof[..head]);
    bag.set("data/checkpoint", note).set(log::PROOF, proof).listed().signed()
}

#[test]
fn timestamps_are_checked_by_three_others() {
    let authority = log::authority();
    let directory = tempfile::tempdir().unwrap();
    let cases = cases(&authority);
    let names: Vec<String> = (0..cases.len()).map(|number| number.to_string()).collect();
    for (name, (_, bag)) in names.iter().zip(&cases) {
        std::fs::write(directory.path().join(name), bag.pack()).unwrap();
    }
    let ours: Vec<Answer> =
        cases.iter().map(|(_, bag)| Answer::ours(&bag.pack(), &Whose::Bundle.trust())).collect();
    let all = Answer::parse("proven proven proven proven true");
    assert_eq!(ours.iter().filter(|ours| **ours == all).count(), 3, "{ours:?}");
    let python = python::answers(directory.path(), &names, Whose::Bundle);
    let page = page::answers(directory.path(), &names, Whose::Bundle);
    for (at, (what, bag)) in cases.iter().enumerate() {
        let hand = by_hand::answer(bag, Whose::Bundle);
        for (who, theirs) in [("python", &python[at]), ("page", &page[at]), ("by hand", &hand)] {
            assert!(ours[at].agrees(theirs), "{who}, {what}: {theirs:?}, ours {:?}", ours[at]);
        }
    }
}

/// No octet of a token can change without everybody noticing.
#[test]
fn every_byte_of_a_token_counts() {
    let authority = log::authority();
    let bag = Bag::of(&log::stamped(&authority, &[])).without_guides();
    let bag = bag.remove(&format!("{DIR}/1.tsr")).listed().signed();
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let token = format!("{DIR}/0.tsr");
    let (mut names, mut ours) = (Vec::new(), Vec::new());
    for at in 0..bag.get(&token).len() {
        let bytes = bag.clone().flip(&token, at, 1).listed().signed().pack();
        ours.push(Answer::ours(&bytes, &Whose::Bundle.trust()));
        std::fs::write(directory.path().join(at.to_string()), bytes).unwrap();
        names.push(at.to_string());
    }
    let holds = |answer: &Answer| matches!(answer, Answer::Claims(_, Verdict::Holds));
    assert!(!ours.iter().any(holds), "{ours:?}");
    let different = |theirs: &[Answer]| -> Vec<usize> {
        (0..theirs.len()).filter(|at| !ours[*at].agrees(&theirs[*at])).collect()
    };
    assert_eq!(different(&page::answers(directory.path(), &names, Whose::Bundle)), [0; 0]);
    // `rfc3161-client` leaves it to OpenSSL to look at version numbers and at the name of the
    // signature's algorithm, and OpenSSL does not: some bytes that change nothing in what is said.
    let python = different(&python::answers(directory.path(), &names, Whose::Bundle));
    assert!(python.len() <= 16, "{python:?} of {}", names.len());
}

/// The page and Python take the reader's own roots.
#[test]
fn roots_of_the_reader_count() {
    let authority = log::authority();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("b.zip"), log::stamped(&authority, &["root"])).unwrap();
    let say = |roots: &Authority, path: &Path| {
        std::fs::write(path.join("roots.pem"), roots.pem(&["root"])).unwrap();
        let output = python::verify(path, &["--roots", "roots.pem", "b.zip"]);
        assert_eq!(output.status.code(), Some(0), "{}", super::said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(say(&authority, directory.path()).contains("PROVEN      timestamp"));
    let stranger = Authority::with_signer(Key::P256);
    assert!(say(&stranger, directory.path()).contains("NOT SHOWN   timestamp"));
}
