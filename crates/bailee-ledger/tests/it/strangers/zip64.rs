//! ZIP64: bundles of more than 4 GiB and of more than 65,534 files get one answer from everybody,
//! and records that lie are refused by everybody.
//!
//! Lies are found before any content is read, so that a file of 4 GiB, all hole, costs nothing.

use std::io::Read;
use std::path::Path;
use std::process::Command;

use bailee_ledger::verify::VerifyError;
use bailee_ledger::zip::Archive;
use bailee_ledger::{Trust, verify_bundle};
use serde_json::json;

use super::answer::{Answer, Verdict, Whose};
use super::bag::Bag;
use super::lies;
use super::matrix::ALL;
use super::{by_hand, go, log, page, python, run, said};
use crate::common::log_signer;
use crate::holes::{Holes, LARGE, large};
use crate::large::builder;

fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A bundle with an exhibit of more than 4 GiB: its size, and the places of what follows, are wide.
fn wide() -> Holes {
    let mut out = Holes::default();
    let length = builder(&[large().sha256])
        .exhibit_from(large(), std::io::repeat(0).take(LARGE))
        .write(&log_signer(), &mut out)
        .unwrap();
    assert!(length > LARGE && out.length == length);
    out
}

/// Files named by their number in `lies`, which every other program refuses.
fn refused_by_all<T>(directory: &Path, lies: &[(String, T)]) {
    let names: Vec<String> = (0..lies.len()).map(|number| number.to_string()).collect();
    for (program, verifier) in ALL {
        let said = verifier(directory, &names, Whose::Bundle);
        let taken = lies.iter().zip(&said).filter(|(_, said)| **said != Answer::Refused);
        let taken: Vec<_> = taken.map(|((what, _), said)| format!("{what}: {said:?}")).collect();
        assert!(taken.is_empty(), "{program}: {taken:#?}");
    }
}

#[test]
fn more_than_four_gigabytes_get_one_answer_and_lies_about_them_too() {
    let (bundle, directory) = (wide(), directory());
    let path = directory.path().join("wide");
    bundle.save(&path);
    let ours = Answer::of(bundle.clone(), &Trust::from_bundle());
    assert_eq!(ours, Answer::parse("proven proven not-shown not-shown true"));

    // The others read it whole in `cargo bench -p bailee-ledger --bench strangers`: the page hashes
    // so much in minutes. Here they look at all of its headers, and find what lies behind.
    let mut browser = page::with(&[path.to_string_lossy().into_owned()]);
    let read = "Archive.open(cases.files[0]).then(async archive => [archive.members.size, \
                Math.max(...[...archive.members.values()].map(({ size }) => size)), \
                decode(await archive.read('bag/manifest-sha256.txt')).includes('data/exhibits/')])";
    let members = Archive::open(bundle.clone()).unwrap().members().len();
    assert_eq!(browser.evaluate(read), json!([members, LARGE, true]));
    assert_eq!(python::opened(&path, &large()), format!("{members} {LARGE} True\n"));

    let lies = lies::about_large(&bundle);
    assert!(lies.len() > 90, "{}", lies.len());
    for (number, (what, lie)) in lies.iter().enumerate() {
        lie.save(&directory.path().join(number.to_string()));
        let refused = verify_bundle(lie.clone(), &Trust::from_bundle());
        assert!(matches!(refused, Err(VerifyError::Zip(_))), "{what}: {refused:?}");
    }
    refused_by_all(directory.path(), &lies);
}

/// A file more than a count of two bytes can say, most of them texts.
#[test]
fn more_than_65534_files_get_one_answer() {
    const TEXTS: usize = 65_535;
    let mut bag = log::witnessed();
    for number in 0..TEXTS {
        bag = bag.set(&format!("data/{number:05}.txt"), "x");
    }
    let bag = bag.listed().signed();
    let (bytes, directory) = (bag.pack(), directory());
    assert!(bytes[bytes.len() - 42..].starts_with(b"PK\x06\x07"));
    std::fs::write(directory.path().join("many"), &bytes).unwrap();
    let ours = Answer::ours(&bytes, &Trust::from_bundle());
    assert_eq!(ours, Answer::parse("proven proven proven not-shown true"));
    let names = ["many".to_owned()];
    for (program, verifier) in ALL {
        let started = std::time::Instant::now();
        let said = verifier(directory.path(), &names, Whose::Bundle);
        eprintln!("{program}: {TEXTS} files in {:.1?}", started.elapsed());
        assert!(ours.agrees(&said[0]), "{program}: {said:?}");
    }
}

#[test]
fn records_that_lie_or_contradict_each_other_are_refused_everywhere() {
    let (bag, directory) = (log::witnessed(), directory());
    let lies = lies::about_small(&bag);
    for (number, (what, lie)) in lies.iter().enumerate() {
        std::fs::write(directory.path().join(number.to_string()), lie).unwrap();
        let refused = verify_bundle(std::io::Cursor::new(lie), &Trust::from_bundle());
        assert!(matches!(refused, Err(VerifyError::Zip(_))), "{what}: {refused:?}");
    }
    refused_by_all(directory.path(), &lies);
    let named = |said: String, by: &str| {
        let words = ["header", "directory", "central", "zip", "archive", "name of a file"];
        assert!(words.iter().any(|word| said.to_lowercase().contains(word)), "{by}: {said}");
    };
    let mut browser = page::with(&[directory.path().join("0").to_string_lossy().into_owned()]);
    let refused = browser.evaluate("verifyBundle(cases.files[0]).then(found => found.refused)");
    named(refused.as_str().unwrap().to_owned(), "page");
    named(said(&python::verify(directory.path(), &["0"])), "python");
    named(said(&go::go(directory.path(), &["bundle", "0"])), "go");
}

/// A zip program may see a lie or not: what it unpacks is the bag, or does not pass the steps.
#[test]
fn what_comes_out_of_an_archive_that_lies_is_the_bag_or_does_not_hold() {
    let (bag, directory) = (log::witnessed(), directory());
    let mut outcomes = Vec::new();
    for (number, (what, lie)) in lies::about_small(&bag).iter().enumerate() {
        let file = directory.path().join(format!("{number}.zip"));
        std::fs::write(&file, lie).unwrap();
        for (program, unpack) in [("python", PYTHON), ("unzip", UNZIP)] {
            let into = directory.path().join(format!("{program}{number}"));
            std::fs::create_dir(&into).unwrap();
            let line = format!("{unpack} </dev/null >/dev/null 2>&1");
            let mut command = Command::new("sh");
            run(command.args(["-c", &line, "sh"]).arg(&file).arg(&into));
            let found = Bag::unpacked(&into);
            let same = found.0 == bag.0;
            outcomes.push((program, same));
            if !same && !found.0.is_empty() {
                let said = by_hand::answer(&found, Whose::Bundle);
                let holds = matches!(said, Answer::Claims(_, Verdict::Holds));
                assert!(!holds, "{what}, by {program}: {said:?}");
            }
        }
    }
    for same in [true, false] {
        assert!(outcomes.contains(&("python", same)), "{outcomes:?}");
    }
    if !outcomes.contains(&("unzip", true)) {
        eprintln!("DID NOT RUN: unzip is not installed here");
    }
}

const PYTHON: &str = "python3 -m zipfile -e \"$1\" \"$2\"";
const UNZIP: &str = "unzip -q \"$1\" -d \"$2\"";
