//! Writing the canonical ZIP, streaming.
//!
//! Order of writes: every name, size and count is checked before the first byte goes out; then
//! local header and content of each member in name order, the directory, the end record. Content
//! that no longer has the size, CRC or SHA-256 it was measured with stops the writing with
//! [`ZipError::Changed`]: what was written so far is not a valid archive.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use sha2::{Digest, Sha256};

use super::{
    CENTRAL_LENGTH, Crc32, DIRECTORY, END_LENGTH, Header, MAX_MEMBERS, MAX_SIZE, ZipError,
    check_name, end_record,
};
use crate::hash::Hash;

const BUFFER: usize = 64 << 10;

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

/// A member to be written.
pub struct Input<'a> {
    /// Member name.
    pub name: String,
    /// What the content measured.
    pub measure: Measure,
    content: Box<dyn Read + 'a>,
}

impl<'a> Input<'a> {
    /// A member held in memory.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Self {
        let mut crc = Crc32::default();
        crc.update(&bytes);
        let sha256 = Sha256::digest(&bytes).into();
        let measure = Measure { size: bytes.len() as u64, crc: crc.value(), sha256 };
        Self { name: name.to_owned(), measure, content: Box::new(std::io::Cursor::new(bytes)) }
    }

    /// A member streamed from `content`, which must still be what was measured.
    pub fn from_reader(name: &str, measure: Measure, content: impl Read + 'a) -> Self {
        Self { name: name.to_owned(), measure, content: Box::new(content) }
    }
}

/// Writes the archive; returns its length in bytes.
pub fn write(out: &mut dyn Write, mut members: Vec<Input<'_>>) -> Result<u64, ZipError> {
    members.sort_by(|a, b| a.name.cmp(&b.name));
    check_all(&members)?;
    let mut offset: u64 = 0;
    let mut directory = Vec::new();
    for member in &mut members {
        let Measure { size, crc, .. } = member.measure;
        // `check_all` has established that sizes and offsets fit u32.
        let header = Header { name: &member.name, size: size as u32, crc, offset: offset as u32 };
        let failed = |source| ZipError::io(&member.name, source);
        out.write_all(&header.local()).map_err(failed)?;
        let written = copy(&mut member.content, out, size).map_err(failed)?;
        if written != member.measure {
            return Err(ZipError::Changed(member.name.clone()));
        }
        directory.extend_from_slice(&header.central());
        offset += header.length();
    }
    let end = end_record(members.len(), directory.len() as u32, offset as u32);
    let failed = |source| ZipError::io(DIRECTORY, source);
    out.write_all(&directory).map_err(failed)?;
    out.write_all(&end).map_err(failed)?;
    Ok(offset + (directory.len() + end.len()) as u64)
}

fn check_all(members: &[Input<'_>]) -> Result<(), ZipError> {
    if members.len() > MAX_MEMBERS {
        return Err(ZipError::TooLarge(DIRECTORY.to_owned()));
    }
    let mut seen = BTreeSet::new();
    let mut total = END_LENGTH as u64;
    for member in members {
        check_name(&member.name)?;
        if !seen.insert(member.name.to_ascii_lowercase()) {
            return Err(ZipError::Duplicate(member.name.clone()));
        }
        let headers = 2 * member.name.len() + super::LOCAL_LENGTH + CENTRAL_LENGTH;
        total = total.saturating_add(member.measure.size).saturating_add(headers as u64);
        if total > MAX_SIZE {
            return Err(ZipError::TooLarge(member.name.clone()));
        }
    }
    Ok(())
}

/// Copies at most one byte more than `limit` (to notice growth) and measures what went through.
fn copy(from: &mut dyn Read, to: &mut dyn Write, limit: u64) -> std::io::Result<Measure> {
    let mut buffer = vec![0u8; BUFFER];
    let (mut size, mut crc, mut sha) = (0u64, Crc32::default(), Sha256::new());
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
    Ok(Measure { size, crc: crc.value(), sha256: sha.finalize().into() })
}
