//! Writing the canonical ZIP, streaming.
//!
//! Order of writes: every name, size and count is checked before the first byte goes out; then
//! local header and content of each member in name order, the directory, the end. A content is
//! opened when its turn comes and closed after it, so any number of files can be named. Content
//! that no longer has the size, CRC or SHA-256 it was measured with stops the writing with
//! [`ZipError::Changed`]: what was written so far is not a valid archive.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use sha2::{Digest, Sha256};

use super::header::{END_64_LENGTH, End, Header};
use super::{DIRECTORY, Fit, MAX_MEMBERS, ZipError, check_name};
use crate::hash::Hash;

const BUFFER: u64 = 64 << 10;
/// What errors call the whole.
const ARCHIVE: &str = "(archive)";

/// Size, CRC-32 and SHA-256 of a content, found in a first pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Bytes.
    pub size: u64,
    /// CRC-32 (ISO-HDLC).
    pub crc: u32,
    /// SHA-256.
    pub sha256: Hash,
}

/// Reads to the end and measures.
pub fn measure(mut reader: impl Read) -> std::io::Result<Measure> {
    copy(&mut reader, &mut std::io::sink(), u64::MAX)
}

/// Measures bytes in memory.
fn measure_bytes(bytes: &[u8]) -> Measure {
    let (size, crc) = (bytes.len() as u64, crc32fast::hash(bytes));
    Measure { size, crc, sha256: Sha256::digest(bytes).into() }
}

type Content<'a> = Box<dyn FnOnce() -> std::io::Result<Box<dyn Read + 'a>> + 'a>;

/// A member to be written.
pub struct Input<'a> {
    /// Member name.
    pub name: String,
    /// What the content measured.
    pub measure: Measure,
    content: Content<'a>,
}

impl<'a> Input<'a> {
    /// A member held in memory.
    pub fn from_bytes(name: &str, bytes: impl AsRef<[u8]> + 'a) -> Self {
        let measure = measure_bytes(bytes.as_ref());
        Self::from_reader(name, measure, std::io::Cursor::new(bytes))
    }

    /// A member made anew when its turn comes, so that it takes no memory until then.
    pub fn from_maker(name: &str, make: impl Fn() -> Vec<u8> + 'a) -> Self {
        let measure = measure_bytes(&make());
        Self::from_opener(name, measure, move || Ok(std::io::Cursor::new(make())))
    }

    /// A member streamed from `content`, which must still be what was measured.
    pub fn from_reader(name: &str, measure: Measure, content: impl Read + 'a) -> Self {
        Self::from_opener(name, measure, move || Ok(content))
    }

    /// A member opened when its turn comes; it must still be what was measured.
    pub fn from_opener<R: Read + 'a>(
        name: &str,
        measure: Measure,
        open: impl FnOnce() -> std::io::Result<R> + 'a,
    ) -> Self {
        let content: Content<'a> = Box::new(move || Ok(Box::new(open()?)));
        Self { name: name.to_owned(), measure, content }
    }
}

/// Writes the archive; returns its length in bytes.
pub fn write(out: &mut dyn Write, members: Vec<Input<'_>>) -> Result<u64, ZipError> {
    write_with(out, members, Fit::ZIP)
}

pub(crate) fn write_with(
    out: &mut dyn Write,
    mut members: Vec<Input<'_>>,
    fit: Fit,
) -> Result<u64, ZipError> {
    members.sort_by(|a, b| a.name.cmp(&b.name));
    check_all(&members)?;
    let (mut offset, mut directory) = (0u64, Vec::new());
    let count = members.len() as u64;
    for Input { name, measure, content } in members {
        let header = Header { name: &name, size: measure.size, crc: measure.crc, offset };
        let failed = |source| ZipError::io(&name, source);
        let local = header.local(fit);
        out.write_all(&local).map_err(failed)?;
        let mut content = content().map_err(failed)?;
        let written = copy(&mut content, out, measure.size).map_err(failed)?;
        if written != measure {
            return Err(ZipError::Changed(name));
        }
        directory.extend_from_slice(&header.central(fit));
        // `check_all` has established that the sum fits.
        offset += local.len() as u64 + measure.size;
    }
    let end = End { members: count, size: directory.len() as u64, offset }.encode(fit);
    let failed = |source| ZipError::io(DIRECTORY, source);
    out.write_all(&directory).map_err(failed)?;
    out.write_all(&end).map_err(failed)?;
    Ok(offset + (directory.len() + end.len()) as u64)
}

fn check_all(members: &[Input<'_>]) -> Result<(), ZipError> {
    if members.len() > MAX_MEMBERS {
        return Err(ZipError::TooMany(members.len() as u64));
    }
    let mut seen = BTreeSet::new();
    // More than all headers can take, so that offsets need no check where they are summed up.
    let mut total = (END_64_LENGTH + members.len() * 1024) as u64;
    for member in members {
        check_name(&member.name)?;
        if !seen.insert(member.name.to_ascii_lowercase()) {
            return Err(ZipError::Duplicate(member.name.clone()));
        }
        total = total
            .checked_add(member.measure.size)
            .ok_or_else(|| ZipError::TooLarge(ARCHIVE.to_owned()))?;
    }
    Ok(())
}

/// Copies at most one buffer more than `limit` (to notice growth) and measures what went through.
fn copy(from: &mut dyn Read, to: &mut dyn Write, limit: u64) -> std::io::Result<Measure> {
    let mut buffer = vec![0u8; BUFFER.min(limit.saturating_add(1)) as usize];
    let (mut size, mut crc, mut sha) = (0u64, crc32fast::Hasher::new(), Sha256::new());
    while size <= limit {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = &buffer[..read];
        size += read as u64;
        crc.update(bytes);
        sha.update(bytes);
        to.write_all(bytes)?;
    }
    Ok(Measure { size, crc: crc.finalize(), sha256: sha.finalize().into() })
}
