//! An issuer who signs whatever they like: the signed list excuses nothing, and each lie costs the
//! claim it touches and no other.

use std::io::Cursor;

use bailee_ledger::bundle::{BAG_INFO, BAGIT, Kind, List, NOTE, Statement};
use bailee_ledger::hash::sha256;
use bailee_ledger::report::ClaimState::{Failed, NotShown, Proven};
use bailee_ledger::verify::VerifyError;
use bailee_ledger::zip::{Input, write};
use bailee_ledger::{Checkpoint, Note, Report, Signer, TlogProof, Trust, to_hex, verify_bundle};

use crate::common::{ORIGIN, checkpoint, leaf, log_signer, plain_policy, receipt, sections, tree};
use crate::issuer::{self, Members, relisted, sealed, set};

fn members() -> Members {
    issuer::members(&receipt())
}

fn verified(bundle: &[u8]) -> Result<Report, VerifyError> {
    verify_bundle(Cursor::new(bundle), &Trust::pinned(plain_policy()))
}

/// Signs and verifies members whose lists are as they are.
fn signed(members: Members) -> Result<Report, VerifyError> {
    verified(&sealed(members))
}

/// Lists the members, signs, and verifies.
fn issued(members: Members) -> Report {
    signed(relisted(members)).unwrap()
}

/// States of the first three claims, and the members with problems.
fn answer(report: &Report) -> ([bailee_ledger::report::ClaimState; 3], Vec<&str>) {
    let [documents, log, witnesses, _] = &report.claims;
    let problems = report.problems.iter().map(|problem| problem.member.as_str()).collect();
    ([documents.state, log.state, witnesses.state], problems)
}

const DIR: &str = "bag/data/entries/000000002";

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
        assert!(problems[0].starts_with("bag/data/entries/000000002/opened/what."), "{report}");
    }
    let mut members = members();
    members.retain(|(name, _)| !name.ends_with("what.salt"));
    let report = issued(members);
    assert_eq!(answer(&report).0[0], Failed, "{report}");
}

#[test]
fn an_exhibit_that_no_papers_name() {
    let late = b"written afterwards".to_vec();
    let name = format!("bag/data/exhibits/{}", to_hex(&sha256(&late)));
    let mut with_exhibit = members();
    set(&mut with_exhibit, &name, late.clone());
    let report = issued(with_exhibit);
    assert_eq!(answer(&report), ([Failed, Proven, NotShown], vec![name.as_str()]));
    assert!(!report.exhibits.contains(&sha256(&late)));

    let mut with_certificate = members();
    set(&mut with_certificate, "bag/data/certificate.json", late.clone());
    let report = issued(with_certificate);
    assert_eq!(answer(&report), ([Failed, Proven, NotShown], vec!["bag/data/certificate.json"]));

    // Under the name of the exhibit that the papers do name.
    let mut swapped = members();
    let named =
        swapped.iter().find(|(name, _)| name.starts_with("bag/data/exhibits/")).unwrap().0.clone();
    set(&mut swapped, &named, late);
    let report = issued(swapped);
    assert_eq!(answer(&report).0, [Failed, Proven, NotShown], "{report}");
    assert!(answer(&report).1.contains(&named.as_str()), "{report}");
}

#[test]
fn an_exhibit_under_the_name_of_another() {
    let name = format!("bag/data/exhibits/{}", "0".repeat(64));
    let mut members = members();
    for (member, _) in &mut members {
        if member.starts_with("bag/data/exhibits/") {
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
    assert!(problems.contains(&"bag/data/entries/000000002/proof.tlog-proof"), "{report}");
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
    set(&mut with_forged, "bag/data/checkpoint", forged.to_string().into_bytes());
    let report = issued(with_forged);
    assert_eq!(answer(&report).0[1..], [Failed, Failed], "{report}");
    assert!(answer(&report).1.contains(&"bag/data/checkpoint"), "{report}");
    assert_eq!(report.tree, None);

    let mut without = members();
    without.retain(|(name, _)| name != "bag/data/checkpoint");
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
    for name in [
        "bag/data/run-me.exe",
        "bag/data/texts/a.txt",
        "bag/data/entries/000000002/more",
        "bag/data/exhibits/a.pdf",
        "bag/fetch.txt",
        "bag/receipt.txt",
    ] {
        let mut members = members();
        set(&mut members, name, b"x".to_vec());
        let report = issued(members);
        assert_eq!(answer(&report), ([Proven, Proven, NotShown], vec![name]), "{report}");
        assert!(report.failed());
    }
}

#[test]
fn a_statement_about_another_log() {
    let (kind, origin) = (Kind::Receipt, "other.example".to_owned());
    let text = Statement { kind, origin, tagmanifest: [0; 32] }.to_text();
    let note = Note::new(text).unwrap().sign(&log_signer(), 0).to_string();
    let mut out = Vec::new();
    write(&mut out, vec![Input::from_bytes(NOTE, note)]).unwrap();
    let refused = verify_bundle(Cursor::new(out), &Trust::pinned(plain_policy())).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("bag/bundle.note: this is about log other.example, not about {ORIGIN}")
    );
}

#[test]
fn a_bag_that_is_none() {
    let info = |from: &str, to: &str| {
        let mut members = relisted(members());
        let (_, bytes) = members.iter_mut().find(|(name, _)| name == BAG_INFO).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        *bytes = text.replace(from, to).into_bytes();
        members
    };
    let mut undeclared = relisted(members());
    set(&mut undeclared, BAGIT, b"BagIt-Version: 0.97\n".to_vec());
    for (bag, member, why) in [
        (undeclared, BAGIT, "does not declare a bag of version 1.0"),
        (info(ORIGIN, "other.example"), BAG_INFO, "it names other.example, not log.example/bailee"),
        (info("Payload-Oxum: ", "Payload-Oxum: 1"), BAG_INFO, "Payload-Oxum says 1"),
        (info("Payload-Oxum: ", "Payload-Oxum: 0"), BAG_INFO, "Payload-Oxum is not"),
        (info("Bag-Software-Agent: b\n", ""), BAG_INFO, "does not have four lines"),
        (info("External-Identifier", "external-identifier"), BAG_INFO, "another label"),
        (info("External-Identifier: a", "External-Identifier:  a"), BAG_INFO, "a value is empty"),
    ] {
        let report = signed(bag).unwrap();
        assert_eq!(answer(&report), ([Proven, Proven, NotShown], vec![member]), "{report}");
        assert!(report.problems[0].what.contains(why), "{why}: {report}");
    }
    let mut bare = relisted(members());
    bare.retain(|(name, _)| name != BAGIT && name != BAG_INFO);
    assert_eq!(answer(&signed(bare).unwrap()).1, [BAG_INFO, BAGIT]);
}

#[test]
fn lists_with_another_spelling() {
    let good = relisted(members());
    let list = List::Payload.member();
    let text = good.iter().find(|(name, _)| name == list).unwrap().1.clone();
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (first, second) = (lines[0], lines[1]);
    for (bad, why) in [
        (text.replacen(first, &format!("{first}\n{first}"), 1), "line 2: the files are not in"),
        (text.replacen(first, &format!("{second}\n{first}"), 1), "line 2: the files are not in"),
        (text.replacen("  ", " ", 1), "line 1: not `<sha256 in hex>  <path>`"),
        (text.replacen("  ", " *", 1), "line 1: not `<sha256 in hex>  <path>`"),
        (text.replacen("  data/", "   data/", 1), "line 1: this list has no place"),
        (text.replacen("  data/", "  ./data/", 1), "line 1: this list has no place"),
        (text.replacen("  data/", "  data/../", 1), "line 1: this list has no place"),
        (text.replacen("  data/", "  ", 1), "line 1: this list has no place"),
        (text.replacen(&first[..64], &first[..64].to_uppercase(), 1), "line 1: not `<sha256"),
        (text.replace('\n', "\r\n"), "line 1: this list has no place"),
        (format!("{text}\n"), "not `<sha256"),
        (text.trim_end().to_owned(), "does not end in a newline"),
        (String::new(), "does not end in a newline"),
    ] {
        let mut members = good.clone();
        set(&mut members, list, bad.into_bytes());
        let refused = signed(members).unwrap_err();
        assert_eq!(refused.member(), list);
        assert!(refused.to_string().contains(why), "{why}: {refused}");
    }
    let mut unlisted = good.clone();
    unlisted.retain(|(name, _)| name != list);
    let refused = signed(unlisted).unwrap_err().to_string();
    assert!(refused.contains("it lists no manifest-sha256.txt"), "{refused}");
}

#[test]
fn a_file_that_only_one_of_bundle_and_list_has() {
    let listed_only = "bag/data/exhibits/gone.txt";
    let mut members = relisted([members(), vec![(listed_only.to_owned(), vec![1])]].concat());
    members.retain(|(name, _)| name != listed_only);
    let report = signed(members).unwrap();
    assert!(answer(&report).1.contains(&listed_only), "{report}");

    let there_only = "bag/data/more.txt";
    let mut unlisted = relisted(self::members());
    unlisted.push((there_only.to_owned(), b"x".to_vec()));
    let report = signed(unlisted).unwrap();
    assert_eq!(answer(&report).1, [BAG_INFO, there_only], "{report}");
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
