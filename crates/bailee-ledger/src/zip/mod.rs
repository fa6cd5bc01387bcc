//! A ZIP that anyone can open and that has exactly one encoding.
//!
//! Invariants: members are stored uncompressed, sorted by name, laid end to end from byte 0, with
//! fixed versions, flags, time and attributes, no comments, and no extra fields but ZIP64's where
//! a value does not fit. The reader rebuilds every header from name, size, CRC and position and
//! compares bytes, so there is no byte in the file that can change unnoticed. Names are relative
//! and plain ASCII; nothing is ever extracted to a path here.
//!
//! Memory: contents are streamed, the directory is held. Out of scope: compression, encryption.

mod header;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use header::Fit;
pub use read::{Archive, Member};
pub use write::{Input, Measure, measure, write};

/// What errors call the central directory.
const DIRECTORY: &str = "(directory)";
/// Longest member name in bytes.
pub const MAX_NAME: usize = 255;
/// Most members in an archive: their directory is held in memory.
pub const MAX_MEMBERS: usize = 1 << 20;

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
    /// More than [`MAX_MEMBERS`].
    #[error("{0} members are more than the 1,048,576 of a bundle; split it")]
    TooMany(u64),
    /// Larger than its caller reads into memory, or than any file can be.
    #[error("{0} is larger than anything of its kind; nobody should have made it")]
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
            ZipError::TooMany(_) => DIRECTORY,
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
