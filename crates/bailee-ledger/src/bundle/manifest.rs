//! Manifests of a bag (RFC 8493 2.1.3, 2.2.1): `<hex sha256>  <path>` per line, as `sha256sum -c`
//! reads it.
//!
//! Invariants: paths stand in strict byte order, so each is there once and a list has one
//! spelling; a payload manifest lists only the payload, a tag manifest only tag files.

use crate::encoding::{hash_from_hex, to_hex};
use crate::error::Error;
use crate::hash::Hash;
use crate::zip::{MAX_NAME, check_name};

use super::{NOTE, path_in_bag};

/// Longest line of a manifest, in bytes.
const MAX_LINE: usize = 64 + 2 + MAX_NAME + 1;

/// The two manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `manifest-sha256.txt`: every file below `data/`.
    Payload,
    /// `tagmanifest-sha256.txt`: every other file but itself and `bundle.note`.
    Tags,
}

impl List {
    /// Its member name.
    pub fn member(self) -> &'static str {
        match self {
            List::Payload => "bag/manifest-sha256.txt",
            List::Tags => "bag/tagmanifest-sha256.txt",
        }
    }

    /// Its path in the bag.
    pub(crate) fn path(self) -> &'static str {
        path_in_bag(self.member())
    }

    /// Longest list of that many files, in bytes.
    pub(crate) fn limit(files: usize) -> u64 {
        (files * MAX_LINE) as u64
    }

    fn takes(self, path: &str) -> bool {
        match self {
            List::Payload => path.starts_with("data/"),
            List::Tags => !path.contains('/') && path != self.path() && path != path_in_bag(NOTE),
        }
    }
}

/// A file as a manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Path in the bag: the member name without `bag/`.
    pub path: String,
    /// SHA-256 of the content.
    pub sha256: Hash,
}

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    list: List,
    files: Vec<Listed>,
}

impl Manifest {
    /// A manifest of files in any order. Error: a path twice, or one that has no place here.
    pub fn new(list: List, mut files: Vec<Listed>) -> Result<Self, Error> {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let manifest = Self { list, files: Vec::new() };
        files.into_iter().enumerate().try_fold(manifest, |mut manifest, (number, file)| {
            manifest.push(number + 1, file)?;
            Ok(manifest)
        })
    }

    /// Parses a manifest; strict.
    pub fn parse(list: List, bytes: &[u8]) -> Result<Self, Error> {
        let bad = |why| Error::malformed(list.path(), why);
        let text = std::str::from_utf8(bytes).map_err(|_| bad("it is not UTF-8"))?;
        let body = text.strip_suffix('\n').ok_or(bad("it does not end in a newline"))?;
        let mut manifest = Self { list, files: Vec::new() };
        for (number, line) in body.split('\n').enumerate() {
            let file = parse_line(line).ok_or(Error::Line {
                what: list.path(),
                line: number + 1,
                why: "not `<sha256 in hex>  <path>`",
            })?;
            manifest.push(number + 1, file)?;
        }
        Ok(manifest)
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let lines =
            self.files.iter().map(|file| format!("{}  {}\n", to_hex(&file.sha256), file.path));
        lines.collect()
    }

    /// Files by path.
    pub fn files(&self) -> &[Listed] {
        &self.files
    }

    /// The SHA-256 listed for a path.
    pub fn get(&self, path: &str) -> Option<&Hash> {
        let found = self.files.binary_search_by(|file| file.path.as_str().cmp(path));
        found.ok().map(|index| &self.files[index].sha256)
    }

    fn push(&mut self, line: usize, file: Listed) -> Result<(), Error> {
        let at = |why| Err(Error::Line { what: self.list.path(), line, why });
        if check_name(&file.path).is_err() || !self.list.takes(&file.path) {
            return at("this list has no place for such a file");
        }
        if self.files.last().is_some_and(|before| before.path >= file.path) {
            return at("the files are not in order");
        }
        self.files.push(file);
        Ok(())
    }
}

fn parse_line(line: &str) -> Option<Listed> {
    let (sha256, path) = line.split_once("  ")?;
    Some(Listed { sha256: hash_from_hex(sha256)?, path: path.to_owned() })
}
