//! Bytes of the archive that are no file's content, for who unpacks it and goes the steps by hand.
//!
//! The four programs look at each of them and refuse. A program that unpacks does not read all:
//! times, attributes, versions. What it makes of a damaged archive is the bag, byte for byte, so
//! that the steps say of it what is true of the bag; or something else, and then they stop.

use std::process::Command;

use super::answer::{Answer, Verdict, Whose};
use super::bag::Bag;
use super::byte_by_hand::{in_memory, one_of};
use super::log::witnessed;
use super::{by_hand, flips, run, said};

/// Unpacks each archive that it is given into a directory beside it.
const PYTHON: &str = "import sys, zipfile\nfor name in sys.argv[1:]:\n    try:\n        \
    zipfile.ZipFile(name).extractall(name + '.python')\n    except Exception as error:\n        \
    print(name, error)";
const UNZIP: &str = "for name; do unzip -q \"$name\" -d \"$name.unzip\" </dev/null; done; true";

#[test]
fn what_is_unpacked_of_a_damaged_archive_is_the_bag_or_does_not_hold() {
    let bag = witnessed();
    let directory = in_memory();
    let cases = flips::container();
    assert!(cases.len() > 2_000, "{}", cases.len());
    let mut names = Vec::new();
    for (number, (_, bytes)) in cases.iter().enumerate() {
        let refused = Answer::ours(bytes, &Whose::Bundle.trust());
        assert_eq!(refused, Answer::Refused, "{}", cases[number].0);
        std::fs::write(directory.path().join(number.to_string()), bytes).unwrap();
        names.push(number.to_string());
    }
    let unpack = |program: &str, arguments: &[&str], names: &[String]| {
        let mut command = Command::new(program);
        let output = run(command.args(arguments).args(names).current_dir(directory.path()));
        assert!(output.status.success(), "{}", said(&output));
    };
    unpack("python3", &["-c", PYTHON], &names);
    // A process an archive, so that it is today's share.
    unpack("sh", &["-c", UNZIP, "sh"], &one_of(32, names.clone()));
    let (mut same, mut others) = ([0, 0], Vec::new());
    for (name, (what, _)) in names.iter().zip(&cases) {
        for (place, program) in ["python", "unzip"].into_iter().enumerate() {
            let path = directory.path().join(format!("{name}.{program}"));
            if !path.exists() {
                continue;
            }
            let found = Bag::unpacked(&path);
            if found.0 == bag.0 {
                same[place] += 1;
            } else if !found.0.is_empty() {
                others.push((format!("{what}, by {program}"), found));
            }
        }
    }
    eprintln!("the bag: {same:?}, others: {}, of {}", others.len(), cases.len());
    assert!(same[0] > 500, "{same:?}");
    if same[1] == 0 {
        eprintln!("DID NOT RUN: unzip is not installed here");
    }
    // Most of these are files of other names, so that a few a day will do.
    for (what, found) in one_of(256, others) {
        let holds =
            matches!(by_hand::answer(&found, Whose::Bundle), Answer::Claims(_, Verdict::Holds));
        assert!(!holds, "{what}");
    }
}
