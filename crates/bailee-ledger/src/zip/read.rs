//! Reading the canonical ZIP from `Read + Seek`; memory is bounded by the directory.
//!
//! Invariant: after [`Archive::open`] every byte outside the contents has been compared with the
//! only encoding there is, and contents cover the rest without gap. A content is accepted only
//! when its CRC fits; who needs more than accidents covered compares SHA-256 too.

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom, Write};

use sha2::{Digest, Sha256};

use super::header::{CENTRAL_LENGTH, END_64_LENGTH, END_LENGTH, End, Header, MAX_EXTRA};
use super::{DIRECTORY, Fit, MAX_MEMBERS, MAX_NAME, Measure, ZipError, check_name};

const END_NAME: &str = "(end of archive)";
const BUFFER: u64 = 64 << 10;

/// A member of an opened archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Name, checked.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// CRC-32 the content must have.
    pub crc: u32,
    /// Position of the local header.
    offset: u64,
    /// Position of the content.
    pub(super) start: u64,
}

/// An archive whose headers are all canonical.
#[derive(Debug)]
pub struct Archive<R> {
    inner: R,
    members: Vec<Member>,
}

impl<R: Read + Seek> Archive<R> {
    /// Checks everything but the contents.
    pub fn open(inner: R) -> Result<Self, ZipError> {
        Self::open_with(inner, Fit::ZIP)
    }

    pub(crate) fn open_with(mut inner: R, fit: Fit) -> Result<Self, ZipError> {
        let end = read_end(&mut inner, fit)?;
        // `read_end` has bounded the directory by the number of members.
        let directory = read_at(&mut inner, DIRECTORY, end.offset, end.size as usize)?;
        let members = parse_directory(&directory, &end, fit)?;
        for member in &members {
            let wanted = member.header().local(fit);
            if read_at(&mut inner, &member.name, member.offset, wanted.len())? != wanted {
                return Err(ZipError::altered(&member.name, "its header differs"));
            }
        }
        Ok(Self { inner, members })
    }

    /// Members in name order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member called `name`.
    pub fn member(&self, name: &str) -> Option<&Member> {
        let found = self.members.binary_search_by(|member| member.name.as_str().cmp(name));
        found.ok().map(|index| &self.members[index])
    }

    /// Whole content of a member of at most `limit` bytes.
    pub fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, ZipError> {
        let size = self.member(name).ok_or_else(|| ZipError::Missing(name.to_owned()))?.size;
        if size > limit {
            return Err(ZipError::TooLarge(name.to_owned()));
        }
        // What the directory promises was held against the size of the whole file.
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        self.copy(name, &mut bytes)?;
        Ok(bytes)
    }

    /// Streams a content to `out`; what came out counts only when this returns `Ok`.
    pub fn copy(&mut self, name: &str, out: &mut dyn Write) -> Result<Measure, ZipError> {
        let member = self.member(name).ok_or_else(|| ZipError::Missing(name.to_owned()))?;
        let (start, size, wanted_crc) = (member.start, member.size, member.crc);
        let failed = |source| ZipError::io(name, source);
        self.inner.seek(SeekFrom::Start(start)).map_err(failed)?;
        let mut left = size;
        let mut buffer = vec![0u8; BUFFER.min(left) as usize];
        let (mut crc, mut sha) = (crc32fast::Hasher::new(), Sha256::new());
        while left > 0 {
            let wanted = BUFFER.min(left) as usize;
            let bytes = &mut buffer[..wanted];
            self.inner.read_exact(bytes).map_err(failed)?;
            crc.update(bytes);
            sha.update(&*bytes);
            out.write_all(bytes).map_err(failed)?;
            left -= wanted as u64;
        }
        if crc.finalize() != wanted_crc {
            return Err(ZipError::altered(name, "its content does not have the CRC it should"));
        }
        Ok(Measure { size, crc: wanted_crc, sha256: sha.finalize().into() })
    }
}

impl Member {
    fn header(&self) -> Header<'_> {
        Header { name: &self.name, size: self.size, crc: self.crc, offset: self.offset }
    }
}

/// Reads and checks everything behind the directory.
fn read_end(inner: &mut (impl Read + Seek), fit: Fit) -> Result<End, ZipError> {
    let altered = |why| ZipError::altered(END_NAME, why);
    let length = inner.seek(SeekFrom::End(0)).map_err(|source| ZipError::io(END_NAME, source))?;
    if length < END_LENGTH as u64 {
        return Err(altered("it is cut off"));
    }
    let tail_length = length.min(END_64_LENGTH as u64);
    let tail = read_at(inner, END_NAME, length - tail_length, tail_length as usize)?;
    let classic = &tail[tail.len() - END_LENGTH..];
    let (members, size, offset) = (le16(classic, 10), le32(classic, 12), le32(classic, 16));
    let wide = members == u16::MAX || size == u32::MAX || offset == u32::MAX;
    let end = if wide && tail.len() == END_64_LENGTH {
        End { members: le64(&tail, 32), size: le64(&tail, 40), offset: le64(&tail, 48) }
    } else {
        End { members: members.into(), size: size.into(), offset: offset.into() }
    };
    let encoded = end.encode(fit);
    if !tail.ends_with(&encoded) {
        return Err(altered("not the end of a bundle"));
    }
    let ends_at = end.offset.checked_add(end.size);
    if ends_at.and_then(|at| at.checked_add(encoded.len() as u64)) != Some(length) {
        return Err(altered("the directory does not end where it should"));
    }
    if end.members > MAX_MEMBERS as u64 {
        return Err(ZipError::TooMany(end.members));
    }
    if end.size > end.members * (CENTRAL_LENGTH + MAX_NAME + MAX_EXTRA) as u64 {
        return Err(altered("the directory is larger than its members allow"));
    }
    Ok(end)
}

fn parse_directory(bytes: &[u8], end: &End, fit: Fit) -> Result<Vec<Member>, ZipError> {
    let altered = |why| ZipError::altered(DIRECTORY, why);
    let mut rest = bytes;
    let mut members: Vec<Member> = Vec::new();
    let mut lower = BTreeSet::new();
    let mut offset: u64 = 0;
    for _ in 0..end.members {
        let (record, name, extra) = split_record(rest).ok_or(altered("it is cut off"))?;
        let name =
            std::str::from_utf8(name).map_err(|_| altered("a member name is not plain text"))?;
        check_name(name)?;
        if members.last().is_some_and(|before| before.name.as_str() >= name) {
            return Err(ZipError::altered(name, "members are not in order"));
        }
        if !lower.insert(name.to_ascii_lowercase()) {
            return Err(ZipError::Duplicate(name.to_owned()));
        }
        let (crc, classic) = (le32(record, 16), le32(record, 24));
        let size = match extra.get(4..12) {
            Some(wide) if classic == u32::MAX => le64(wide, 0),
            _ => u64::from(classic),
        };
        let header = Header { name, size, crc, offset };
        if record != header.central(fit) {
            return Err(ZipError::altered(name, "its directory record differs"));
        }
        let start = offset + header.local(fit).len() as u64;
        let next = start.checked_add(size).filter(|next| *next <= end.offset);
        let next = next.ok_or(ZipError::altered(name, "it reaches into the directory"))?;
        members.push(Member { name: name.to_owned(), size, crc, offset, start });
        offset = next;
        rest = &rest[record.len()..];
    }
    if !rest.is_empty() || offset != end.offset {
        return Err(altered("it does not cover the file"));
    }
    Ok(members)
}

/// The first record of `bytes` by the lengths it states, its name, its extra field.
fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let fixed = bytes.get(..CENTRAL_LENGTH)?;
    let name_end = CENTRAL_LENGTH + usize::from(le16(fixed, 28));
    let record = bytes.get(..name_end + usize::from(le16(fixed, 30)))?;
    Some((record, &record[CENTRAL_LENGTH..name_end], &record[name_end..]))
}

fn read_at(
    inner: &mut (impl Read + Seek),
    part: &str,
    at: u64,
    length: usize,
) -> Result<Vec<u8>, ZipError> {
    let failed = |source| ZipError::io(part, source);
    let mut bytes = vec![0u8; length];
    inner.seek(SeekFrom::Start(at)).map_err(failed)?;
    inner.read_exact(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The little-endian number at `at`, which every caller has checked to be inside.
fn le<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|n| bytes[at + n])
}

fn le16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(le(bytes, at))
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(le(bytes, at))
}

fn le64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(le(bytes, at))
}
