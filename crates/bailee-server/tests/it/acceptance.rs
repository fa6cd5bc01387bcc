//! The note and the documents of an acceptance stay in the house: in no byte of what its requester
//! takes away, whether it is packed, drawn or said over HTTP.

use std::io::Cursor;
use std::process::Command;

use bailee_core::demand::Exhibit as Paper;
use bailee_core::disclosure::Audience;
use bailee_core::id::{DemandId, MatterId, PartyId};
use bailee_core::{Action, Command as Order, Reason, Triage};
use bailee_ledger::zip::Archive;
use bailee_server::{House, matter};
use bailee_store::{Exhibit, digest};

use crate::common::{letter_with, on_disk, people, register_account, take, verified, yes};

const NOTE: &str = "Weak order, accepted for the quiet of it";
const MEMO: &[u8] = b"Memo of counsel: we doubt that this is binding.";
const ASKED: &str = "Which of the two drives is meant?";

/// A decision on a demand, with a document if there is one.
fn decide(house: &House, by: PartyId, demand: u32, triage: Triage, note: &str, memo: &[u8]) {
    let exhibit = Exhibit { digest: digest(memo), bytes: memo.to_vec() };
    let paper = Paper {
        digest: exhibit.digest,
        size: memo.len() as u64,
        media: "text/plain".into(),
        name: "memo.txt".into(),
    };
    let (exhibits, documents) = match memo.is_empty() {
        true => (Vec::new(), Vec::new()),
        false => (vec![paper], vec![exhibit]),
    };
    let reason = Reason { note: note.into(), exhibits };
    let action = Action::DecideDemand { demand: DemandId(demand), triage, reason };
    house.submit(Order::by(by, action), documents).unwrap();
}

/// Every member by name, and of papers the text that somebody else's program reads in them.
fn files(dir: &std::path::Path, bundle: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = Archive::open(Cursor::new(bundle)).unwrap();
    let names: Vec<String> = archive.members().iter().map(|member| member.name.clone()).collect();
    let mut files = Vec::new();
    for name in names {
        let bytes = archive.read(&name, 1 << 24).unwrap();
        if name.ends_with(".pdf") {
            let path = dir.join("paper.pdf");
            std::fs::write(&path, &bytes).unwrap();
            let output = Command::new("pdftotext").arg(&path).arg("-").output();
            let output = output.expect("pdftotext is there (`cargo xtask setup` installs it)");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            files.push((format!("{name} in words"), output.stdout));
        }
        files.push((name, bytes));
    }
    files
}

/// The files that have it: as it is, or broken over lines.
fn with<'f>(files: &'f [(String, Vec<u8>)], needle: &str) -> Vec<&'f str> {
    let one_line = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let has = |file: &&(String, Vec<u8>)| one_line(&file.1).contains(needle);
    files.iter().filter(has).map(|(name, _)| name.as_str()).collect()
}

#[test]
fn what_the_house_noted_at_an_acceptance_is_in_no_file_of_the_requester() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(&dir.path().join("house"));
    let people = people(&house);
    register_account(&house, &people);
    yes(&house, people.cora, Action::OpenMatter { title: "Requester against Otto".into() });
    take(&house, &letter_with(1, "Keep everything of account otto store.\r\n")).unwrap();
    let requester = house.with_state(|s| s.demands.get(DemandId(1)).unwrap().from).unwrap();
    decide(&house, people.ada, 1, Triage::Clarify, ASKED, b"");
    decide(&house, people.cora, 1, Triage::Accept(Some(MatterId(1))), NOTE, MEMO);
    assert!(house.settle().is_empty());

    let bundle = |audience| {
        let mut out = Vec::new();
        matter::bundle(&house, MatterId(1), audience, &mut out).unwrap();
        let report = verified(&house, &out);
        (files(dir.path(), &out), report.exhibits)
    };
    let (own, exhibits) = bundle(Audience::Party(requester));
    let hex = bailee_ledger::to_hex(&digest(MEMO));
    for needle in [NOTE, "Memo of counsel", "memo.txt", &hex] {
        assert_eq!(with(&own, needle), [""; 0], "{needle:?} is shown to the requester");
    }
    assert_eq!(exhibits, [digest(&letter_with(1, "Keep everything of account otto store.\r\n"))]);
    // That it was accepted is shown, and so is what was written for the requester.
    for needle in ["accepted", ASKED] {
        let found = with(&own, needle);
        assert!(found.len() >= 2, "{needle:?} is only in {found:?}");
    }
    let (whole, _) = bundle(Audience::Counsel);
    for needle in [NOTE, "Memo of counsel", "memo.txt"] {
        assert!(!with(&whole, needle).is_empty(), "counsel lacks {needle:?}");
    }
}
