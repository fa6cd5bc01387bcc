//! Bundles of very many members, and what is held while they are written. (More than 4 GiB: with
//! the other verifiers, in `strangers/zip64.rs`.)

use std::cell::Cell;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;
use std::process::Command;

use bailee_ledger::bundle::{BundleBuilder, Kind, Opened};
use bailee_ledger::hash::sha256;
use bailee_ledger::zip::{Archive, Input, MAX_MEMBERS, ZipError, measure, write};
use bailee_ledger::{Checkpoint, Leaf, Tree, Trust, verify_bundle};

use crate::common::{ORIGIN, log_signer, plain_policy, tree};

/// What Python's own reader makes of an archive.
fn python(script: &str, archive: &Path) -> String {
    let script = format!("import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n{script}");
    let output = Command::new("python3").args(["-c", &script]).arg(archive).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn seventy_thousand_members_are_read_back_by_us_and_by_others() {
    const MEMBERS: usize = 70_000;
    let name = |number: usize| format!("bag/data/{number:05}.txt");
    let content = |number: usize| number.to_string().into_bytes();
    let inputs =
        (0..MEMBERS).map(|number| Input::from_maker(&name(number), move || content(number)));
    let mut bytes = Vec::new();
    write(&mut bytes, inputs.collect()).unwrap();
    let mut archive = Archive::open(Cursor::new(&bytes)).unwrap();
    assert_eq!(archive.members().len(), MEMBERS);
    assert_eq!(archive.read(&name(69_999), 10).unwrap(), b"69999");
    let end = bytes.len() - 22;
    assert_eq!(bytes[end + 8..end + 12], [0xff; 4], "the count does not fit");
    assert_ne!(bytes[end + 12..end + 16], [0xff; 4], "the directory's length does");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("many.zip");
    std::fs::write(&path, &bytes).unwrap();
    let script = "print(len(z.infolist()), z.read('bag/data/69999.txt').decode())";
    assert_eq!(python(script, &path), "70000 69999\n");
    // One fewer than the count's largest value is the last that fits.
    for (members, wide) in [(65_534, false), (65_535, true)] {
        let inputs = (0..members).map(|number| Input::from_bytes(&name(number), b""));
        let mut bytes = Vec::new();
        write(&mut bytes, inputs.collect()).unwrap();
        assert_eq!(Archive::open(Cursor::new(&bytes)).unwrap().members().len(), members);
        assert_eq!(bytes[bytes.len() - 42..].starts_with(b"PK\x06\x07"), wide, "{members}");
    }
}

#[test]
fn more_members_than_a_directory_in_memory_allows_are_a_named_error() {
    let inputs = (0..=MAX_MEMBERS).map(|number| Input::from_bytes(&number.to_string(), b""));
    let refused = write(&mut std::io::sink(), inputs.collect()).unwrap_err();
    assert!(matches!(refused, ZipError::TooMany(_)), "{refused}");
    assert!(refused.to_string().contains("split it"), "{refused}");
}

/// A tree with one more leaf, whose papers name these digests, and how to open it.
fn named_in_papers(digests: &[[u8; 32]]) -> (Tree, u64, Vec<u8>, [Option<Opened>; 3]) {
    let (papers, salt) = (digests.concat(), [5; 32]);
    let leaf = Leaf::commit(40, 0, [None, None, Some((&papers, &salt))]).encode();
    let mut tree = tree();
    let index = tree.push(&leaf);
    (tree, index, leaf, [None, None, Some(Opened { bytes: papers, salt })])
}

pub(crate) fn builder<'a>(digests: &[[u8; 32]]) -> BundleBuilder<'a> {
    let (tree, index, leaf, opened) = named_in_papers(digests);
    let note = Checkpoint::of(ORIGIN, &tree).sign(&log_signer()).unwrap();
    let builder = BundleBuilder::new(Kind::Matter, &note, &plain_policy()).unwrap();
    builder.entry_of(&tree, index, &leaf, opened).unwrap()
}

/// Counts how many are open.
struct Counted<'c>(&'c Cell<usize>, Cursor<Vec<u8>>);

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1.read(buffer)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[test]
fn exhibits_are_opened_one_after_the_other() {
    let contents: Vec<Vec<u8>> = (0..300u32).map(|n| n.to_le_bytes().to_vec()).collect();
    let digests: Vec<[u8; 32]> = contents.iter().map(|bytes| sha256(bytes)).collect();
    let (open, most) = (Cell::new(0), Cell::new(0));
    let mut builder = builder(&digests);
    for bytes in &contents {
        let (open, most) = (&open, &most);
        builder = builder.exhibit_opened(measure(bytes.as_slice()).unwrap(), move || {
            open.set(open.get() + 1);
            most.set(most.get().max(open.get()));
            Ok(Counted(open, Cursor::new(bytes.clone())))
        });
    }
    let mut out = Vec::new();
    builder.write(&log_signer(), &mut out).unwrap();
    assert_eq!((open.get(), most.get()), (0, 1));
    let report = verify_bundle(Cursor::new(out), &Trust::pinned(plain_policy())).unwrap();
    assert!(!report.failed() && report.exhibits.len() == 300, "{report}");
}

#[test]
fn an_exhibit_that_cannot_be_opened_stops_the_writing_by_name() {
    let digest = sha256(b"gone");
    let gone = || Err::<File, _>(std::io::Error::from(std::io::ErrorKind::NotFound));
    let refused = builder(&[digest])
        .exhibit_opened(measure(&b"gone"[..]).unwrap(), gone)
        .write(&log_signer(), &mut Vec::new())
        .unwrap_err();
    let name = format!("bag/data/exhibits/{}", bailee_ledger::to_hex(&digest));
    assert!(refused.to_string().contains(&name), "{refused}");
}
