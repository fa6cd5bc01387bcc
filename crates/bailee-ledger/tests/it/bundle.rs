//! What bundles say: the four claims, and what a builder refuses to issue.

use std::io::Cursor;

use bailee_ledger::bundle::{BundleBuilder, BundleError, Kind, Opened, VERIFY_MD};
use bailee_ledger::hash::sha256;
use bailee_ledger::report::{ClaimState, Source};
use bailee_ledger::verify::VerifyError;
use bailee_ledger::zip::{Archive, Input, ZipError, measure, write};
use bailee_ledger::{Checkpoint, Policy, PqSigner, Report, Signer, Trust, to_hex, verify_bundle};

use crate::common::{
    EXHIBIT, ORIGIN, builder, checkpoint, leaf, log_signer, plain_policy, receipt, receipt_under,
    sections, tree, witness, witness_policy,
};

fn report(bytes: &[u8], trust: &Trust) -> Report {
    verify_bundle(Cursor::new(bytes), trust).unwrap()
}

fn states(report: &Report) -> [ClaimState; 4] {
    report.claims.each_ref().map(|claim| claim.state)
}

#[test]
fn a_receipt_proves_documents_and_log_and_says_what_it_does_not() {
    use ClaimState::{NotShown, Proven};
    let bytes = receipt();
    let report = report(&bytes, &Trust::pinned(plain_policy()));
    assert_eq!(states(&report), [Proven, Proven, NotShown, NotShown], "{report}");
    assert!(!report.failed());
    assert_eq!((report.kind, report.origin.as_str()), (Kind::Receipt, ORIGIN));
    assert_eq!(report.key_source, Source::Pinned);
    assert_eq!(report.key_id, log_signer().verifier().id());
    assert_eq!(report.tree, Some((7, tree().root())));
    assert_eq!(report.exhibits, [sha256(EXHIBIT)]);
    let [entry] = report.entries.as_slice() else { panic!("{report}") };
    assert_eq!((entry.index, entry.type_code, entry.included), (2, Some(3), true));
    assert_eq!(entry.opened, [true, false, true]);
    assert!(report.to_string().contains("recorded in the hour from 2026-11-17T14:00:00Z"));
}

#[test]
fn a_key_out_of_the_bundle_is_called_that() {
    let report = report(&receipt(), &Trust::from_bundle());
    assert!(!report.failed());
    assert_eq!(report.key_source, Source::Bundle);
    assert!(report.claims[1].text.contains("came out of this bundle"), "{report}");
    assert!(report.to_string().contains("NOT pinned"), "{report}");
}

#[test]
fn another_pinned_key_refuses_the_bundle() {
    let stranger = Signer::from_seed(ORIGIN, &[9; 32]).unwrap();
    let trust = Trust::pinned_key(&stranger.verifier().to_vkey()).unwrap();
    let refused = verify_bundle(Cursor::new(receipt()), &trust).unwrap_err();
    assert!(matches!(refused, VerifyError::Member { member: "bag/bundle.note", .. }), "{refused}");
}

#[test]
fn the_pinned_quorum_counts_not_the_one_in_the_bundle() {
    let note = checkpoint().sign(&witness(1), 1_800_000_000).sign(&witness(3), 1_800_000_060);
    let bytes = receipt_under(&note, &witness_policy());
    for trust in [Trust::pinned(witness_policy()), Trust::from_bundle()] {
        let report = report(&bytes, &trust);
        assert_eq!(report.claims[2].state, ClaimState::Proven, "{report}");
        assert!(report.claims[2].text.contains("quorum two saw this tree by 2027-01-15T08:01:00Z"));
    }
    // The reader asks for witnesses; a bundle that carries none cannot lower that.
    let report = report(&receipt(), &Trust::pinned(witness_policy()));
    assert_eq!(report.claims[2].state, ClaimState::Failed, "{report}");
    assert_eq!(report.claims[1].state, ClaimState::Proven, "{report}");
    assert!(report.failed());
    assert_eq!(report.problems[0].member, "bag/data/checkpoint");
}

#[test]
fn a_quorum_that_is_not_reached_yet_is_missing_not_hidden() {
    let note = checkpoint().sign(&witness(2), 1_800_000_000);
    let bytes = receipt_under(&note, &witness_policy());
    let own = report(&bytes, &Trust::from_bundle());
    assert_eq!(own.claims[2].state, ClaimState::NotShown, "{own}");
    let text = "quorum two, which the policy in this bundle asks for, is not reached (1 of its";
    assert!(own.claims[2].text.starts_with(text), "{own}");
    assert!(!own.failed(), "{own}");
    // Who asks for it on their own does not get less.
    let pinned = report(&bytes, &Trust::pinned(witness_policy()));
    assert_eq!(pinned.claims[2].state, ClaimState::Failed, "{pinned}");
    assert!(pinned.failed(), "{pinned}");
    assert_eq!(pinned.claims[1].state, ClaimState::Proven, "{pinned}");
}

#[test]
fn the_logs_second_key_is_told_of_under_the_log() {
    let pq = PqSigner::from_seed(ORIGIN, &[42; 32]).unwrap();
    let (log, own) = (log_signer().verifier().to_vkey(), pq.verifier().to_vkey());
    let text = format!("log {log}\nwitness second {own}\nquorum none\n");
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let trust = Trust::pinned(policy.clone());
    let tree = Checkpoint::of(ORIGIN, &tree());
    let mut both = checkpoint();
    both.add_signatures([pq.cosign(&tree, 60).unwrap()]);
    let mut bad = both.signatures()[1].clone();
    bad.bytes[100] ^= 1;
    let mut forged = checkpoint();
    forged.add_signatures([bad]);
    for (note, trust, state, words) in [
        (&both, &trust, ClaimState::Proven, "pinned; also signed with ML-DSA-44"),
        (&checkpoint(), &trust, ClaimState::Proven, "; NOT signed with the ML-DSA-44 key"),
        (&both, &Trust::pinned(plain_policy()), ClaimState::Proven, "no such key is listed"),
        (&forged, &trust, ClaimState::Failed, "signature or a proof does not hold"),
    ] {
        // A builder would not issue the forged one under this policy.
        let report = report(&receipt_under(note, &plain_policy()), trust);
        assert_eq!(report.claims[1].state, state, "{report}");
        assert!(report.claims[1].text.contains(words), "{words}: {report}");
        assert!(!report.claims[2].text.contains("second"), "{report}");
        assert_eq!(report.failed(), state == ClaimState::Failed, "{report}");
    }
    assert!(BundleBuilder::new(Kind::Receipt, &forged, &policy).is_err());
}

#[test]
fn a_bundle_that_opens_nothing_shows_no_document() {
    let mut bytes = Vec::new();
    BundleBuilder::new(Kind::Matter, &checkpoint(), &plain_policy())
        .unwrap()
        .entry_of(&tree(), 0, &leaf(0).encode(), [None, None, None])
        .unwrap()
        .entry_of(&tree(), 6, &leaf(6).encode(), [None, None, None])
        .unwrap()
        .write(&log_signer(), &mut bytes)
        .unwrap();
    let report = report(&bytes, &Trust::pinned(plain_policy()));
    assert_eq!(states(&report)[..2], [ClaimState::NotShown, ClaimState::Proven], "{report}");
    assert!(!report.failed());
    assert_eq!(report.entries.len(), 2);
    assert!(report.claims[1].text.starts_with("entries 0, 6 are in the tree of 7"), "{report}");
}

#[test]
fn certificates_and_streamed_exhibits_ride_along() {
    let certificate = br#"{"method":"clear"}"#.to_vec();
    let mut papers = sha256(&certificate).to_vec();
    papers.extend_from_slice(&sha256(EXHIBIT));
    let salt = [5; 32];
    let leaf = bailee_ledger::Leaf::commit(40, 0, [None, None, Some((&papers, &salt))]);
    let mut tree = tree();
    let index = tree.push(&leaf.encode());
    let note = Checkpoint::of(ORIGIN, &tree).sign(&log_signer()).unwrap();
    let mut bytes = Vec::new();
    let opened = [None, None, Some(Opened { bytes: papers, salt })];
    BundleBuilder::new(Kind::Certificate, &note, &plain_policy())
        .unwrap()
        .entry_of(&tree, index, &leaf.encode(), opened)
        .unwrap()
        .exhibit_from(measure(EXHIBIT).unwrap(), EXHIBIT)
        .certificate(certificate.clone())
        .text("receipt.txt", b"for people".to_vec())
        .unwrap()
        .write(&log_signer(), &mut bytes)
        .unwrap();
    let report = report(&bytes, &Trust::from_bundle());
    assert!(!report.failed(), "{report}");
    assert_eq!(report.kind, Kind::Certificate);
    assert_eq!(report.exhibits.len(), 2);
    let mut archive = Archive::open(Cursor::new(&bytes)).unwrap();
    assert_eq!(archive.read("bag/data/certificate.json", 100).unwrap(), certificate);
    assert_eq!(archive.read("bag/data/receipt.txt", 100).unwrap(), b"for people");
    assert!(matches!(archive.read("bag/data/receipt.txt", 9), Err(ZipError::TooLarge(_))));
    assert!(matches!(archive.read("bag/data/receipt.md", 9), Err(ZipError::Missing(_))));
}

#[test]
fn a_builder_issues_only_what_holds() {
    let new = || BundleBuilder::new(Kind::Receipt, &checkpoint(), &plain_policy()).unwrap();
    let bytes = leaf(2).encode();
    let none = || [None, None, None];
    let [mut what, _, _] = sections(2);
    what.bytes.push(0);
    let refused = new().entry_of(&tree(), 2, &bytes, [Some(what), None, None]).err().unwrap();
    assert!(matches!(refused, BundleError::NotOpening { index: 2, section: "what" }));
    assert!(new().entry_of(&tree(), 3, &bytes, none()).is_err(), "another leaf's place");
    assert!(new().entry_of(&tree(), 7, &bytes, none()).is_err(), "outside the tree");
    assert!(new().entry_of(&tree(), 2, &bytes[1..], none()).is_err(), "not a leaf");
    let twice = new().entry_of(&tree(), 2, &bytes, none()).unwrap();
    assert!(matches!(twice.entry_of(&tree(), 2, &bytes, none()), Err(BundleError::EntryTwice(2))));
    for name in
        ["VERIFY.md", "Verify.HTML", "checkpoint", "a/b.txt", "evil.exe", "../x.txt", "ä.txt"]
    {
        assert!(matches!(new().text(name, Vec::new()), Err(BundleError::TextName(_))), "{name}");
    }
    let unnamed = builder(&checkpoint(), &plain_policy()).exhibit(b"another".to_vec());
    let refused = unnamed.write(&log_signer(), &mut Vec::new()).unwrap_err();
    assert!(matches!(refused, BundleError::NotInPapers(digest) if digest == sha256(b"another")));
    let stranger = Signer::from_seed(ORIGIN, &[9; 32]).unwrap();
    let refused = new().write(&stranger, &mut Vec::new()).unwrap_err();
    assert!(matches!(refused, BundleError::WrongSigner { .. }));
    let stranger = Checkpoint::of(ORIGIN, &tree()).sign(&stranger).unwrap();
    assert!(BundleBuilder::new(Kind::Receipt, &stranger, &plain_policy()).is_err());
    let measured = measure(EXHIBIT).unwrap();
    let changed = new()
        .entry_of(&tree(), 2, &bytes, [None, None, Some(sections(2)[2].clone())])
        .unwrap()
        .exhibit_from(measured, &b"From: somebody else"[..])
        .write(&log_signer(), &mut Vec::new());
    assert!(matches!(changed, Err(BundleError::Zip(ZipError::Changed(_)))));
}

#[test]
fn archives_refuse_names_that_could_leave_or_collide() {
    let refused = |names: &[&str]| {
        let inputs = names.iter().map(|name| Input::from_bytes(name, vec![1])).collect();
        write(&mut Vec::new(), inputs).unwrap_err()
    };
    let long = "a".repeat(256);
    for name in
        ["", "/a", "a/", "a//b", "..", "../a", "a/../b", "./a", "a\\b", "c:a", "ä", "a b", &long]
    {
        assert!(matches!(refused(&[name]), ZipError::BadName { .. }), "{name:?}");
    }
    assert!(matches!(refused(&["a", "a"]), ZipError::Duplicate(_)));
    assert!(matches!(refused(&["a", "A"]), ZipError::Duplicate(_)));
}

#[test]
fn content_that_does_not_fit_its_crc_is_not_handed_out() {
    let mut bytes = Vec::new();
    write(&mut bytes, vec![Input::from_bytes("a.txt", b"content")]).unwrap();
    bytes[30 + "a.txt".len()] ^= 1;
    let mut archive = Archive::open(Cursor::new(bytes)).unwrap();
    let refused = archive.read("a.txt", 100).unwrap_err();
    assert!(matches!(&refused, ZipError::NotCanonical { member, .. } if member == "a.txt"));
}

#[test]
fn the_guide_is_in_the_bundle_and_exhibits_keep_their_bytes() {
    let mut archive = Archive::open(Cursor::new(receipt())).unwrap();
    assert_eq!(archive.read("bag/VERIFY.md", 1 << 20).unwrap(), VERIFY_MD.as_bytes());
    let name = format!("bag/data/exhibits/{}", to_hex(&sha256(EXHIBIT)));
    assert_eq!(archive.read(&name, 1 << 20).unwrap(), EXHIBIT);
    let names: Vec<&str> = archive.members().iter().map(|m| m.name.as_str()).collect();
    let sorted = names.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(sorted, "{names:?}");
    assert!(names.contains(&"bag/data/entries/000000002/opened/papers.salt"), "{names:?}");
}
