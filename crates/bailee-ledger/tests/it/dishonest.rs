//! An issuer who signs whatever they like: the signed list excuses nothing, and each lie costs the
//! claim it touches and no other.

use std::io::Cursor;

use bailee_ledger::bundle::{Kind, Listed, Listing};
use bailee_ledger::hash::sha256;
use bailee_ledger::report::ClaimState::{Failed, NotShown, Proven};
use bailee_ledger::zip::{Archive, Input, write};
use bailee_ledger::{Checkpoint, Note, Report, Signer, TlogProof, Trust, to_hex, verify_bundle};

use crate::common::{ORIGIN, checkpoint, leaf, log_signer, plain_policy, receipt, sections, tree};

type Members = Vec<(String, Vec<u8>)>;

fn members() -> Members {
    let mut archive = Archive::open(Cursor::new(receipt())).unwrap();
    let names: Vec<String> = archive.members().iter().map(|m| m.name.clone()).collect();
    let others = names.into_iter().filter(|name| name != "bundle.note");
    others.map(|name| (name.clone(), archive.read(&name, 1 << 20).unwrap())).collect()
}

fn set(members: &mut Members, name: &str, bytes: Vec<u8>) {
    members.retain(|(other, _)| other != name);
    members.push((name.to_owned(), bytes));
}

/// Lists the members, signs the list with the true log key, and verifies.
fn issued(mut members: Members) -> Report {
    members.sort();
    let listed = members.iter().map(|(name, bytes)| Listed {
        sha256: sha256(bytes),
        size: bytes.len() as u64,
        name: name.clone(),
    });
    let listing =
        Listing { kind: Kind::Receipt, origin: ORIGIN.to_owned(), members: listed.collect() };
    let note = Note::new(listing.to_text()).unwrap().sign(&log_signer(), 0).to_string();
    members.push(("bundle.note".to_owned(), note.into_bytes()));
    let inputs = members.iter().map(|(name, bytes)| Input::from_bytes(name, bytes.clone()));
    let mut out = Vec::new();
    write(&mut out, inputs.collect()).unwrap();
    verify_bundle(Cursor::new(out), &Trust::Pinned(plain_policy())).unwrap()
}

/// States of the first three claims, and the members with problems.
fn answer(report: &Report) -> ([bailee_ledger::report::ClaimState; 3], Vec<&str>) {
    let [documents, log, witnesses, _] = &report.claims;
    let problems = report.problems.iter().map(|problem| problem.member.as_str()).collect();
    ([documents.state, log.state, witnesses.state], problems)
}

const DIR: &str = "entries/000000002";

#[test]
fn the_honest_one_passes_here_too() {
    assert_eq!(answer(&issued(members())), ([Proven, Proven, NotShown], vec![]));
}

#[test]
fn a_section_that_its_leaf_does_not_commit_to() {
    for (file, bytes) in
        [("what.cbor", vec![0x80]), ("what.salt", vec![9; 32]), ("what.salt", vec![9; 31])]
    {
        let mut members = members();
        set(&mut members, &format!("{DIR}/opened/{file}"), bytes);
        let report = issued(members);
        let (states, problems) = answer(&report);
        assert_eq!(states, [Failed, Proven, NotShown], "{report}");
        assert!(problems[0].starts_with("entries/000000002/opened/what."), "{report}");
    }
    let mut members = members();
    members.retain(|(name, _)| !name.ends_with("what.salt"));
    let report = issued(members);
    assert_eq!(answer(&report).0[0], Failed, "{report}");
}

#[test]
fn an_exhibit_that_no_papers_name() {
    let late = b"written afterwards".to_vec();
    let name = format!("exhibits/{}", to_hex(&sha256(&late)));
    let mut with_exhibit = members();
    set(&mut with_exhibit, &name, late.clone());
    let report = issued(with_exhibit);
    assert_eq!(answer(&report), ([Failed, Proven, NotShown], vec![name.as_str()]));
    assert!(!report.exhibits.contains(&sha256(&late)));

    let mut with_certificate = members();
    set(&mut with_certificate, "certificate.json", late.clone());
    let report = issued(with_certificate);
    assert_eq!(answer(&report), ([Failed, Proven, NotShown], vec!["certificate.json"]));

    // Under the name of the exhibit that the papers do name.
    let mut swapped = members();
    let named = swapped.iter().find(|(name, _)| name.starts_with("exhibits/")).unwrap().0.clone();
    set(&mut swapped, &named, late);
    let report = issued(swapped);
    assert_eq!(answer(&report).0, [Failed, Proven, NotShown], "{report}");
    assert!(answer(&report).1.contains(&named.as_str()), "{report}");
}

#[test]
fn an_exhibit_under_the_name_of_another() {
    let name = format!("exhibits/{}", "0".repeat(64));
    let mut members = members();
    for (member, _) in &mut members {
        if member.starts_with("exhibits/") {
            member.clone_from(&name);
        }
    }
    let report = issued(members);
    assert_eq!(answer(&report), ([Failed, Proven, NotShown], vec![name.as_str()]), "{report}");
}

#[test]
fn papers_of_a_leaf_that_is_not_in_the_tree_tie_nothing() {
    let mut members = members();
    let invented = bailee_ledger::Leaf { hours: 1, ..leaf(2) };
    set(&mut members, &format!("{DIR}/leaf.bin"), invented.encode());
    let report = issued(members);
    let (states, problems) = answer(&report);
    assert_eq!(states, [Failed, Failed, NotShown], "{report}");
    assert!(problems.contains(&"entries/000000002/proof.tlog-proof"), "{report}");
    assert!(report.exhibits.is_empty() && !report.entries[0].included, "{report}");
}

#[test]
fn a_leaf_at_another_place() {
    let proof = format!("{DIR}/proof.tlog-proof");
    let elsewhere = TlogProof::of(&tree(), 3, &checkpoint()).unwrap().to_string();
    let mut members = members();
    set(&mut members, &proof, elsewhere.into_bytes());
    let report = issued(members);
    assert_eq!(answer(&report).0[1], Failed, "{report}");
    assert!(answer(&report).1.contains(&proof.as_str()), "{report}");
}

#[test]
fn a_proof_to_another_checkpoint() {
    let proof = format!("{DIR}/proof.tlog-proof");
    let mut longer = tree();
    longer.push(b"one more");
    let other = Checkpoint::of(ORIGIN, &longer).sign(&log_signer()).unwrap();
    let text = TlogProof::of(&longer, 2, &other).unwrap().to_string();
    let mut members = members();
    set(&mut members, &proof, text.into_bytes());
    let report = issued(members);
    assert_eq!(answer(&report).0[1], Failed, "{report}");
    assert!(report.problems[0].what.contains("another checkpoint"), "{report}");
}

#[test]
fn a_checkpoint_by_a_stranger_or_of_another_log() {
    let stranger = Signer::from_seed(ORIGIN, &[9; 32]).unwrap();
    let forged = Checkpoint::of(ORIGIN, &tree()).sign(&stranger).unwrap();
    let mut with_forged = members();
    set(&mut with_forged, "checkpoint", forged.to_string().into_bytes());
    let report = issued(with_forged);
    assert_eq!(answer(&report).0[1..], [Failed, Failed], "{report}");
    assert!(answer(&report).1.contains(&"checkpoint"), "{report}");
    assert_eq!(report.tree, None);

    let mut without = members();
    without.retain(|(name, _)| name != "checkpoint");
    let report = issued(without);
    assert_eq!(answer(&report).0[1..], [Failed, Failed], "{report}");
}

#[test]
fn an_entry_without_leaf_or_proof() {
    for file in ["leaf.bin", "proof.tlog-proof"] {
        let mut members = members();
        members.retain(|(name, _)| !name.ends_with(file));
        let report = issued(members);
        assert_eq!(answer(&report).0[1], Failed, "{report}");
        assert!(answer(&report).1.iter().any(|member| member.ends_with(file)), "{report}");
    }
}

#[test]
fn a_listed_file_that_has_no_place_in_a_bundle() {
    for name in ["run-me.exe", "texts/a.txt", "entries/000000002/more", "exhibits/a.pdf"] {
        let mut members = members();
        set(&mut members, name, b"x".to_vec());
        let report = issued(members);
        assert_eq!(answer(&report), ([Proven, Proven, NotShown], vec![name]), "{report}");
        assert!(report.failed());
    }
}

#[test]
fn the_list_of_another_log() {
    let text = Listing { kind: Kind::Receipt, origin: "other.example".to_owned(), members: vec![] };
    let note = Note::new(text.to_text()).unwrap().sign(&log_signer(), 0).to_string();
    let mut out = Vec::new();
    write(&mut out, vec![Input::from_bytes("bundle.note", note.into_bytes())]).unwrap();
    let refused = verify_bundle(Cursor::new(out), &Trust::Pinned(plain_policy())).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("bundle.note: this is about log other.example, not about {ORIGIN}")
    );
}

#[test]
fn opened_sections_are_what_they_were() {
    let [what, _, papers] = sections(2);
    let members = members();
    let content = |file: &str| {
        let name = format!("{DIR}/opened/{file}");
        members.iter().find(|(other, _)| *other == name).unwrap().1.clone()
    };
    assert_eq!(content("what.cbor"), what.bytes);
    assert_eq!(content("papers.salt"), papers.salt);
}
