//! Bundles beyond what the classic ZIP can say: more than 65,534 members, more than 4 GiB; and what
//! is held while they are written.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use bailee_ledger::bundle::{BundleBuilder, Kind, Opened};
use bailee_ledger::hash::sha256;
use bailee_ledger::report::ClaimState;
use bailee_ledger::zip::{Archive, Input, MAX_MEMBERS, Measure, ZipError, measure, write};
use bailee_ledger::{Checkpoint, Leaf, Tree, Trust, hash_from_hex, verify_bundle};

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

/// Bytes of the large exhibit: zeros, five more than a field of four bytes can count.
const LARGE: u64 = (4 << 30) + 5;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// What [`LARGE`] zeros measure. Writing measures them again, so a slip here would be found.
fn large() -> Measure {
    let sha256 = "709fc0b74f7c916cedccb212d681c035f36ffbb31ebfe806eb40c31592744eb5";
    Measure { size: LARGE, crc: 0xb1c2_a1a3, sha256: hash_from_hex(sha256).unwrap() }
}

/// A file in memory that takes no room for zeros written in large pieces.
#[derive(Default)]
struct Holes {
    /// What is not a hole, by position.
    pieces: BTreeMap<u64, Vec<u8>>,
    length: u64,
    position: u64,
}

impl Holes {
    /// The same as a sparse file.
    fn save(&self, path: &Path) {
        let mut file = File::create(path).unwrap();
        for (position, piece) in &self.pieces {
            file.seek(SeekFrom::Start(*position)).unwrap();
            file.write_all(piece).unwrap();
        }
        file.set_len(self.length).unwrap();
    }
}

impl Write for Holes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() < ZEROS.len() || ZEROS != bytes {
            self.pieces.insert(self.length, bytes.to_vec());
        }
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Read for Holes {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let before = self.pieces.range(..=self.position).next_back();
        let inside =
            before.and_then(|(start, piece)| piece.get((self.position - start) as usize..));
        let read = match inside.filter(|rest| !rest.is_empty()) {
            Some(mut rest) => rest.read(buffer)?,
            None => {
                let next = self.pieces.range(self.position..).next();
                let end = next.map_or(self.length, |(start, _)| *start);
                let size = buffer.len().min((end - self.position) as usize);
                buffer[..size].fill(0);
                size
            }
        };
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Holes {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.position = match to {
            SeekFrom::Start(position) => position,
            SeekFrom::End(back) => self.length.saturating_add_signed(back),
            SeekFrom::Current(step) => self.position.saturating_add_signed(step),
        };
        Ok(self.position)
    }
}

/// A tree with one more leaf, whose papers name these digests, and how to open it.
fn named_in_papers(digests: &[[u8; 32]]) -> (Tree, u64, Vec<u8>, [Option<Opened>; 3]) {
    let (papers, salt) = (digests.concat(), [5; 32]);
    let leaf = Leaf::commit(40, 0, [None, None, Some((&papers, &salt))]).encode();
    let mut tree = tree();
    let index = tree.push(&leaf);
    (tree, index, leaf, [None, None, Some(Opened { bytes: papers, salt })])
}

fn builder<'a>(digests: &[[u8; 32]]) -> BundleBuilder<'a> {
    let (tree, index, leaf, opened) = named_in_papers(digests);
    let note = Checkpoint::of(ORIGIN, &tree).sign(&log_signer()).unwrap();
    let builder = BundleBuilder::new(Kind::Matter, &note, &plain_policy()).unwrap();
    builder.entry_of(&tree, index, &leaf, opened).unwrap()
}

#[test]
fn an_exhibit_of_more_than_four_gigabytes_streams_through() {
    let mut out = Holes::default();
    let length = builder(&[large().sha256])
        .exhibit_from(large(), std::io::repeat(0).take(LARGE))
        .write(&log_signer(), &mut out)
        .unwrap();
    assert!(length > LARGE && out.length == length);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.bailee.zip");
    out.save(&path);
    let report = verify_bundle(out, &Trust::pinned(plain_policy())).unwrap();
    assert!(!report.failed(), "{report}");
    assert_eq!(report.claims[0].state, ClaimState::Proven, "{report}");
    assert_eq!(report.exhibits, [large().sha256]);
    let script = "print(max(i.file_size for i in z.infolist()), \
                  max(i.header_offset for i in z.infolist()) > 1 << 32, \
                  z.read('bag/bagit.txt').decode().split()[1])";
    assert_eq!(python(script, &path), "4294967301 True 1.0\n");
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
