//! A ZIP that anyone can open and that has exactly one encoding.
//!
//! Invariants: members are stored uncompressed, sorted by name, laid end to end from byte 0, with
//! fixed versions, flags, time and attributes and no extra fields or comments. The reader rebuilds
//! every header from name, size, CRC and position and compares bytes, so there is no byte in the
//! file that can change unnoticed. Names are relative and plain ASCII; nothing is ever extracted to
//! a path here.
//!
//! Out of scope: compression, encryption, ZIP64 (members and archives stay below 4 GiB).

mod crc;
mod read;
mod write;

pub use crc::Crc32;
pub use read::{Archive, Member};
pub use write::{Input, Measure, measure, write};

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const LOCAL_LENGTH: usize = 30;
const CENTRAL_LENGTH: usize = 46;
const END_LENGTH: usize = 22;
/// "1.0": stored files need nothing newer.
const VERSION: u16 = 10;
/// 1980-01-01, the first day MS-DOS knows: a bundle says when in its contents, not in its headers.
const DATE: u16 = 0x0021;
/// What errors call the central directory.
const DIRECTORY: &str = "(directory)";
/// Longest member name in bytes.
pub const MAX_NAME: usize = 255;
/// Most members in an archive.
pub const MAX_MEMBERS: usize = 65_534;
/// Largest archive and member, in bytes.
pub const MAX_SIZE: u64 = 0xffff_fffe;

/// Why an archive was not written or not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ZipError {
    /// A member name that could leave its directory or that programs disagree about.
    #[error("member name {name:?} is refused: {why}")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two members with one name (letter case does not tell them apart).
    #[error("member {0} is there twice")]
    Duplicate(String),
    /// At or above 4 GiB, or too many members.
    #[error("{0} is too large for a bundle (4 GiB, 65,534 members); split it")]
    TooLarge(String),
    /// Bytes differ from the only encoding there is.
    #[error("{member}: {why}; the file was altered or cut, ask for it again")]
    NotCanonical {
        /// Member name, or the part of the archive in brackets.
        member: String,
        /// What differs.
        why: &'static str,
    },
    /// Asked for a member that is not there.
    #[error("member {0} is missing")]
    Missing(String),
    /// The caller's content is not what was measured before.
    #[error("{0} changed while the bundle was written; measure it again")]
    Changed(String),
    /// Reading or writing failed.
    #[error("{member}: {source}")]
    Io {
        /// Member name, or the part of the archive in brackets.
        member: String,
        /// The cause.
        source: std::io::Error,
    },
}

impl ZipError {
    /// The member (or bracketed part of the archive) the error is about.
    pub fn member(&self) -> &str {
        match self {
            ZipError::BadName { name, .. } if name.is_empty() => DIRECTORY,
            ZipError::BadName { name, .. } => name,
            ZipError::Duplicate(name)
            | ZipError::TooLarge(name)
            | ZipError::Missing(name)
            | ZipError::Changed(name) => name,
            ZipError::NotCanonical { member, .. } | ZipError::Io { member, .. } => member,
        }
    }

    fn altered(member: &str, why: &'static str) -> Self {
        ZipError::NotCanonical { member: member.to_owned(), why }
    }

    fn io(member: &str, source: std::io::Error) -> Self {
        ZipError::Io { member: member.to_owned(), source }
    }
}

/// Accepts relative names of plain ASCII without empty, `.` or `..` parts.
pub fn check_name(name: &str) -> Result<(), ZipError> {
    let refuse = |why| Err(ZipError::BadName { name: name.to_owned(), why });
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME {
        return refuse("it is empty or longer than 255 bytes");
    }
    if !name.bytes().all(plain) {
        return refuse("only letters, digits, dot, dash, underscore and slash are allowed");
    }
    if name.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return refuse("it is absolute, a directory, or climbs out of the bundle");
    }
    Ok(())
}

/// What determines a member's headers.
struct Header<'a> {
    name: &'a str,
    size: u32,
    crc: u32,
    offset: u32,
}

impl Header<'_> {
    fn local(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(LOCAL_LENGTH + self.name.len());
        out.extend_from_slice(&LOCAL.to_le_bytes());
        self.common(&mut out);
        out.extend_from_slice(self.name.as_bytes());
        out
    }

    fn central(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(CENTRAL_LENGTH + self.name.len());
        out.extend_from_slice(&CENTRAL.to_le_bytes());
        out.extend_from_slice(&VERSION.to_le_bytes());
        self.common(&mut out);
        // comment length, disk, internal attributes: u16 each; external attributes: u32
        out.extend_from_slice(&[0u8; 10]);
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(self.name.as_bytes());
        out
    }

    fn common(&self, out: &mut Vec<u8>) {
        // version needed, flags, method (stored), time, date
        for field in [VERSION, 0, 0, 0, DATE] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        for field in [self.crc, self.size, self.size] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        // name length (checked to be at most 255), extra length
        out.extend_from_slice(&(self.name.len() as u16).to_le_bytes());
        out.extend_from_slice(&0u16.to_le_bytes());
    }

    fn length(&self) -> u64 {
        (LOCAL_LENGTH + self.name.len()) as u64 + u64::from(self.size)
    }
}

/// The end record; `members` is at most [`MAX_MEMBERS`].
fn end_record(members: usize, directory_size: u32, directory_offset: u32) -> [u8; END_LENGTH] {
    let mut out = [0u8; END_LENGTH];
    let count = (members as u16).to_le_bytes();
    out[0..4].copy_from_slice(&END.to_le_bytes());
    out[8..10].copy_from_slice(&count);
    out[10..12].copy_from_slice(&count);
    out[12..16].copy_from_slice(&directory_size.to_le_bytes());
    out[16..20].copy_from_slice(&directory_offset.to_le_bytes());
    out
}
