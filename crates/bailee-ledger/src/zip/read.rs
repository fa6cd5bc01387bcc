//! Reading the canonical ZIP from `Read + Seek`; memory is bounded by the directory.
//!
//! Invariant: after [`Archive::open`] every byte outside the contents has been compared with the
//! only encoding there is, and contents cover the rest without gap. A content is accepted only
//! when its CRC fits; who needs more than accidents covered compares SHA-256 too.

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom, Write};

use sha2::{Digest, Sha256};

use super::{
    CENTRAL_LENGTH, Crc32, DIRECTORY, END_LENGTH, Header, LOCAL_LENGTH, MAX_MEMBERS, MAX_NAME,
    MAX_SIZE, Measure, ZipError, check_name, end_record,
};

const END_NAME: &str = "(end of archive)";

/// A member of an opened archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Name, checked.
    pub name: String,
    /// Bytes.
    pub size: u32,
    /// CRC-32 the content must have.
    pub crc: u32,
    /// Position of the local header.
    offset: u32,
}

/// An archive whose headers are all canonical.
#[derive(Debug)]
pub struct Archive<R> {
    inner: R,
    members: Vec<Member>,
}

impl<R: Read + Seek> Archive<R> {
    /// Checks everything but the contents.
    pub fn open(mut inner: R) -> Result<Self, ZipError> {
        let length =
            inner.seek(SeekFrom::End(0)).map_err(|source| ZipError::io(END_NAME, source))?;
        if length > MAX_SIZE {
            return Err(ZipError::TooLarge("(archive)".to_owned()));
        }
        let altered_end = |why| ZipError::altered(END_NAME, why);
        let end_at = length.checked_sub(END_LENGTH as u64).ok_or(altered_end("it is cut off"))?;
        let end = read_at(&mut inner, END_NAME, end_at, END_LENGTH)?;
        let (size, offset) = (le32(&end, 12), le32(&end, 16));
        let count = usize::from(u16::from_le_bytes([end[10], end[11]]));
        if end != end_record(count, size, offset) || count > MAX_MEMBERS {
            return Err(altered_end("not the end record of a bundle"));
        }
        if u64::from(offset) + u64::from(size) != end_at {
            return Err(altered_end("the directory does not end where it should"));
        }
        if size as usize > count * (CENTRAL_LENGTH + MAX_NAME) {
            return Err(altered_end("the directory is larger than its members allow"));
        }
        let directory = read_at(&mut inner, DIRECTORY, u64::from(offset), size as usize)?;
        let members = parse_directory(&directory, count, offset)?;
        for member in &members {
            let wanted = member.header().local();
            let at = u64::from(member.offset);
            if read_at(&mut inner, &member.name, at, wanted.len())? != wanted {
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
        if u64::from(size) > limit {
            return Err(ZipError::TooLarge(name.to_owned()));
        }
        let mut bytes = Vec::new();
        self.copy(name, &mut bytes)?;
        Ok(bytes)
    }

    /// Streams a content to `out`; what came out counts only when this returns `Ok`.
    pub fn copy(&mut self, name: &str, out: &mut dyn Write) -> Result<Measure, ZipError> {
        let member = self.member(name).ok_or_else(|| ZipError::Missing(name.to_owned()))?.clone();
        let failed = |source| ZipError::io(name, source);
        let start = u64::from(member.offset) + (LOCAL_LENGTH + name.len()) as u64;
        self.inner.seek(SeekFrom::Start(start)).map_err(failed)?;
        let mut left = u64::from(member.size);
        let mut buffer = vec![0u8; (64 << 10).min(left as usize)];
        let (mut crc, mut sha) = (Crc32::default(), Sha256::new());
        while left > 0 {
            let wanted = buffer.len().min(left as usize);
            let bytes = &mut buffer[..wanted];
            self.inner.read_exact(bytes).map_err(failed)?;
            crc.update(bytes);
            sha.update(&*bytes);
            out.write_all(bytes).map_err(failed)?;
            left -= wanted as u64;
        }
        if crc.value() != member.crc {
            return Err(ZipError::altered(name, "its content does not have the CRC it should"));
        }
        let (size, crc) = (u64::from(member.size), member.crc);
        Ok(Measure { size, crc, sha256: sha.finalize().into() })
    }
}

impl Member {
    fn header(&self) -> Header<'_> {
        Header { name: &self.name, size: self.size, crc: self.crc, offset: self.offset }
    }
}

fn parse_directory(bytes: &[u8], count: usize, end: u32) -> Result<Vec<Member>, ZipError> {
    let altered = |why| ZipError::altered(DIRECTORY, why);
    let mut rest = bytes;
    let mut members: Vec<Member> = Vec::with_capacity(count);
    let mut lower = BTreeSet::new();
    let mut offset: u64 = 0;
    for _ in 0..count {
        let fixed = rest.get(..CENTRAL_LENGTH).ok_or(altered("it is cut off"))?;
        let name_length = usize::from(u16::from_le_bytes([fixed[28], fixed[29]]));
        let length = CENTRAL_LENGTH + name_length;
        let record = rest.get(..length).ok_or(altered("it is cut off"))?;
        let name = std::str::from_utf8(&record[CENTRAL_LENGTH..])
            .map_err(|_| altered("a member name is not plain text"))?;
        check_name(name)?;
        if members.last().is_some_and(|before| before.name.as_str() >= name) {
            return Err(ZipError::altered(name, "members are not in order"));
        }
        if !lower.insert(name.to_ascii_lowercase()) {
            return Err(ZipError::Duplicate(name.to_owned()));
        }
        let (crc, size) = (le32(record, 16), le32(record, 20));
        let at = u32::try_from(offset).map_err(|_| altered("members overlap the directory"))?;
        let member = Member { name: name.to_owned(), size, crc, offset: at };
        if record != member.header().central() {
            return Err(ZipError::altered(name, "its directory record differs"));
        }
        offset += member.header().length();
        members.push(member);
        rest = &rest[length..];
    }
    if !rest.is_empty() || offset != u64::from(end) {
        return Err(altered("it does not cover the file"));
    }
    Ok(members)
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

/// The little-endian u32 at `at`, which every caller has checked to be inside.
fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
