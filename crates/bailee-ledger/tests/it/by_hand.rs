//! Bundles in the hands of people without this program: VERIFY.md is run exactly as it stands,
//! with sh, openssl, sha256sum and base64, and other ZIP programs must open the archive.

use std::io::Cursor;
use std::path::Path;
use std::process::{Command, Output};

use bailee_ledger::bundle::VERIFY_MD;
use bailee_ledger::zip::Archive;

use crate::common::{checkpoint, receipt, receipt_under, tree, witness, witness_policy};

/// The indented blocks of VERIFY.md, in order.
fn steps() -> String {
    let code = VERIFY_MD.lines().filter_map(|line| line.strip_prefix("    "));
    code.fold(String::new(), |text, line| text + line + "\n")
}

fn available(program: &str, argument: &str) -> bool {
    let found = Command::new(program).arg(argument).output().is_ok_and(|o| o.status.success());
    if !found {
        eprintln!("DID NOT RUN: {program} is not installed here");
    }
    found
}

fn unpack(bytes: &[u8], into: &Path) {
    let mut archive = Archive::open(Cursor::new(bytes)).unwrap();
    let names: Vec<String> = archive.members().iter().map(|m| m.name.clone()).collect();
    for name in names {
        let path = into.join(&name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, archive.read(&name, 1 << 20).unwrap()).unwrap();
    }
}

fn run_steps(dir: &Path) -> Output {
    Command::new("sh").arg("-c").arg(steps()).current_dir(dir.join("bag")).output().unwrap()
}

#[test]
fn the_steps_hold_for_a_good_bundle() {
    if !available("openssl", "version") {
        return;
    }
    let note = checkpoint().sign(&witness(1), 1).sign(&witness(2), 2);
    for bytes in [receipt(), receipt_under(&note, &witness_policy())] {
        let dir = tempfile::tempdir().unwrap();
        unpack(&bytes, dir.path());
        let output = run_steps(dir.path());
        let (said, complained) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}\n{complained}");
        for step in [
            "leaf 2 is in the tree of 7 leaves",
            "data/entries/000000002/opened/what.cbor is what the leaf committed to",
            "data/entries/000000002/opened/papers.cbor is what the leaf committed to",
            "is committed to",
            "all steps hold",
        ] {
            assert!(said.contains(step), "{step}: {said}\n{complained}");
        }
        assert_eq!(said.matches("Signature Verified Successfully").count(), 2, "{said}");
    }
}

#[test]
fn the_steps_stop_at_each_kind_of_damage() {
    if !available("openssl", "version") {
        return;
    }
    let digest = bailee_ledger::to_hex(&bailee_ledger::hash::sha256(crate::common::EXHIBIT));
    // File, and the step that must stop when one of its bytes changes and the list is re-made to
    // fit (so that later steps are reached), or not.
    let damage = [
        ("data/README.txt".to_owned(), "a file differs from the list"),
        (format!("data/exhibits/{digest}"), "a file differs from the list"),
        ("data/entries/000000002/leaf.bin".to_owned(), "a file differs from the list"),
        ("data/checkpoint".to_owned(), "signature of data/checkpoint"),
        ("bundle.note".to_owned(), "signature of bundle.note"),
    ];
    for (file, step) in damage {
        let dir = tempfile::tempdir().unwrap();
        unpack(&receipt(), dir.path());
        let path = dir.path().join("bag").join(&file);
        let mut bytes = std::fs::read(&path).unwrap();
        // The last byte of the third line of a note; the middle of anything else.
        let third = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(2);
        let at = match third {
            Some((end, _)) if file == "data/checkpoint" => end - 3,
            Some((end, _)) if file == "bundle.note" => end + 3,
            _ => bytes.len() / 2,
        };
        bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
        std::fs::write(&path, bytes).unwrap();
        let output = run_steps(dir.path());
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{file}");
        assert!(complained.contains(step), "{file}: {complained}");
    }
}

#[test]
fn the_proof_and_commitment_steps_can_fail() {
    if !available("openssl", "version") {
        return;
    }
    // Without steps 2 and 3, so that 4 to 6 have to notice by themselves.
    let text = steps();
    let from = text.find("for file in bundle.note data/checkpoint").unwrap();
    let to = text.find("size=$(sed").unwrap();
    let late = format!("{}{}", &text[..from], &text[to..]);
    let root = tree().root();
    assert_ne!(root, [0; 32]);
    for (file, step) in [
        ("data/entries/000000002/leaf.bin", "is not in the tree"),
        ("data/entries/000000002/proof.tlog-proof", "is not in the tree"),
        ("data/entries/000000002/opened/what.cbor", "what.cbor is not in its leaf"),
        ("data/entries/000000002/opened/papers.salt", "papers.cbor is not in its leaf"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        unpack(&receipt(), dir.path());
        let path = dir.path().join("bag").join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = if file.ends_with("tlog-proof") { 40 } else { bytes.len() - 1 };
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        std::fs::write(&path, bytes).unwrap();
        let output =
            Command::new("sh").arg("-c").arg(&late).current_dir(dir.path().join("bag")).output();
        let complained = String::from_utf8_lossy(&output.as_ref().unwrap().stderr).into_owned();
        assert!(!output.unwrap().status.success(), "{file}");
        assert!(complained.contains(step), "{file}: {complained}");
    }
}

#[test]
fn other_zip_programs_open_the_archive() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipt.bailee.zip");
    std::fs::write(&path, receipt()).unwrap();
    if available("python3", "--version") {
        let output = Command::new("python3").args(["-m", "zipfile", "-t"]).arg(&path).output();
        let said = String::from_utf8_lossy(&output.as_ref().unwrap().stdout).into_owned();
        assert!(output.unwrap().status.success() && said.contains("Done testing"), "{said}");
    }
    if available("unzip", "-v") {
        let output = Command::new("unzip").arg("-t").arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
