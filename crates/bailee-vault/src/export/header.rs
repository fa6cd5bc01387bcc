//! What stands before a member: a ustar block, and pax records for what the block cannot hold.
//!
//! Invariant: nothing is cut short or rounded without a record that has it whole.

use crate::manifest::{Content, Meta};
use bailee_ledger::to_hex;

pub(super) const BLOCK: usize = 512;
/// What eleven octal digits hold.
const MOST_SIZE: u64 = (1 << 33) - 1;
/// What seven octal digits hold.
const MOST_ID: u32 = (1 << 21) - 1;
/// What a comment begins with that has a file's SHA-256. Every tar passes over comments.
pub(crate) const SHA256: &str = "SHA-256 ";
/// The record of what the medium never gave: offset and length of each range, all apart by commas.
pub(crate) const UNREADABLE: &str = "BAILEE.unreadable";
/// The record, `1`, of a file that moved while it was read.
pub(crate) const CHANGED: &str = "BAILEE.changed";
/// The record of a directory in which names could not be read: each name, and why, a NUL behind
/// each.
pub(crate) const MISSING: &str = "BAILEE.missing";
/// What the name of a record with an extended attribute begins with.
pub(crate) const XATTR: &[u8] = b"SCHILY.xattr.";

/// What a member is, in the fields of its block and the records before it.
pub(super) struct Header<'a> {
    pub(super) kind: u8,
    pub(super) name: &'a [u8],
    pub(super) link: &'a [u8],
    /// Bytes that follow in the archive.
    pub(super) size: u64,
    pub(super) meta: &'a Meta,
    pub(super) device: (u32, u32),
    pub(super) sparse: Option<Sparse>,
    /// What was read of a file, holes and all.
    pub(super) content: Option<&'a Content>,
    /// The value of [`MISSING`], if it is a directory that has one.
    pub(super) missing: &'a [u8],
}

/// A file with holes.
#[derive(Clone, Copy)]
pub(super) struct Sparse {
    /// Its size with them.
    pub(super) whole: u64,
}

impl<'a> Header<'a> {
    /// The header of `size` bytes of records.
    pub(super) fn of_records(size: u64, meta: &'a Meta) -> Self {
        let (device, sparse, content, missing) = ((0, 0), None, None, &b""[..]);
        Self { kind: b'x', name: b"pax", link: b"", size, meta, device, sparse, content, missing }
    }

    /// What the fields of the block cannot hold.
    pub(super) fn records(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut add = |key: &[u8], value: &[u8]| out.extend(record(key, value));
        if let Some(Sparse { whole }) = self.sparse {
            add(b"GNU.sparse.major", b"1");
            add(b"GNU.sparse.minor", b"0");
            add(b"GNU.sparse.name", self.name);
            add(b"GNU.sparse.realsize", whole.to_string().as_bytes());
        } else if self.name.len() > 100 {
            add(b"path", self.name);
        }
        if self.link.len() > 100 {
            add(b"linkpath", self.link);
        }
        if self.size > MOST_SIZE && self.sparse.is_none() {
            add(b"size", self.size.to_string().as_bytes());
        }
        for (key, id) in [(&b"uid"[..], self.meta.uid), (b"gid", self.meta.gid)] {
            if id > MOST_ID {
                add(key, id.to_string().as_bytes());
            }
        }
        let (seconds, nanos) = self.meta.mtime;
        if nanos != 0 || !(0..=MOST_SIZE.cast_signed()).contains(&seconds) {
            add(b"mtime", decimal(seconds, nanos).as_bytes());
        }
        for (name, value) in &self.meta.xattrs {
            add(&[XATTR, &keyword(name)].concat(), value);
        }
        if let Some(content) = self.content {
            add(b"comment", format!("{SHA256}{}", to_hex(&content.sha256)).as_bytes());
            if !content.unreadable.is_empty() {
                add(UNREADABLE.as_bytes(), numbers(&content.unreadable).as_bytes());
            }
            if content.changed {
                add(CHANGED.as_bytes(), b"1");
            }
        }
        if !self.missing.is_empty() {
            add(MISSING.as_bytes(), self.missing);
        }
        out
    }

    /// The ustar block. Fields that are too small hold what fits; a record says the rest.
    pub(super) fn block(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let name = match self.sparse {
            Some(_) => &stored_name(self.name),
            None => self.name,
        };
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        let octal = |n: u64, digits: usize| format!("{n:0digits$o}").into_bytes();
        put(0, &name[..name.len().min(100)]);
        put(100, &octal(u64::from(self.meta.mode & 0o7777), 7));
        put(108, &octal(u64::from(self.meta.uid.min(MOST_ID)), 7));
        put(116, &octal(u64::from(self.meta.gid.min(MOST_ID)), 7));
        put(124, &self.length());
        let seconds = u64::try_from(self.meta.mtime.0).unwrap_or(0);
        put(136, &octal(seconds.min(MOST_SIZE), 11));
        put(148, b"        ");
        put(156, &[self.kind]);
        put(157, &self.link[..self.link.len().min(100)]);
        put(257, b"ustar\x0000");
        for (at, number) in [(329, self.device.0), (337, self.device.1)] {
            if number > MOST_ID {
                // In GNU's binary form: there is no record for it.
                put(at, &(1 << 63 | u64::from(number)).to_be_bytes());
            } else {
                put(at, &octal(u64::from(number), 7));
            }
        }
        let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
        block[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        block[154] = 0;
        block
    }

    /// How much follows. Of a sparse member GNU's binary form, for there are readers that take a
    /// record `size` for the size of the file.
    fn length(&self) -> Vec<u8> {
        if self.sparse.is_some() && self.size > MOST_SIZE {
            return [&[0x80, 0, 0, 0][..], &self.size.to_be_bytes()].concat();
        }
        format!("{:011o}", self.size.min(MOST_SIZE)).into_bytes()
    }
}

/// What a reader that knows nothing of holes calls a sparse member.
fn stored_name(name: &[u8]) -> Vec<u8> {
    let at = name.iter().rposition(|c| *c == b'/').map_or(0, |slash| slash + 1);
    [&name[..at], b"GNUSparseFile.0/", &name[at..]].concat()
}

/// The name of an attribute in a record's name, which ends at the first `=`: as GNU tar has it.
fn keyword(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'%' => out.extend_from_slice(b"%25"),
            b'=' => out.extend_from_slice(b"%3D"),
            byte => out.push(*byte),
        }
    }
    out
}

/// The name that such a part of a record's name says. Other `%` stand for themselves.
pub(crate) fn attribute_of(mut keyword: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(keyword.len());
    while let Some((byte, rest)) = keyword.split_first() {
        let (said, left) = match (byte, rest) {
            (b'%', [b'2', b'5', left @ ..]) => (b'%', left),
            (b'%', [b'3', b'D', left @ ..]) => (b'=', left),
            _ => (*byte, rest),
        };
        out.push(said);
        keyword = left;
    }
    out
}

/// `offset,length` of each range, one after the other.
fn numbers(ranges: &[(u64, u64)]) -> String {
    let pairs = ranges.iter().map(|(offset, len)| format!("{offset},{len}"));
    pairs.collect::<Vec<_>>().join(",")
}

/// `length key=value\n`, where the length counts itself.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    [len.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

/// Seconds with their fraction, also before 1970.
fn decimal(seconds: i64, nanos: u32) -> String {
    if seconds >= 0 || nanos == 0 {
        return format!("{seconds}.{nanos:09}");
    }
    format!("-{}.{:09}", -(seconds + 1), 1_000_000_000 - nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_s_length_counts_itself() {
        assert_eq!(record(b"path", b"x"), b"9 path=x\n");
        for len in [0, 1, 80, 90, 91, 92, 980, 990, 1000] {
            let record = record(b"path", &vec![b'x'; len]);
            let said = std::str::from_utf8(record.split(|b| *b == b' ').next().unwrap()).unwrap();
            assert_eq!(said.parse(), Ok(record.len()));
        }
    }

    #[test]
    fn names_of_attributes_have_no_equals_sign_in_records() {
        for (name, said) in [
            (&b"user.a=b"[..], &b"user.a%3Db"[..]),
            (b"user.%3D", b"user.%253D"),
            (b"%%25=\xff", b"%25%2525%3D\xff"),
            (b"", b""),
        ] {
            assert_eq!(keyword(name), said);
            assert_eq!(attribute_of(said), name);
        }
        assert_eq!(attribute_of(b"100%, %2, %3d, %"), b"100%, %2, %3d, %");
    }

    #[test]
    fn times_before_1970_are_not_a_second_off() {
        assert_eq!(decimal(7, 8), "7.000000008");
        assert_eq!(decimal(-5, 0), "-5.000000000");
        assert_eq!(decimal(-5, 999_999_999), "-4.000000001");
        assert_eq!(decimal(-1, 500_000_000), "-0.500000000");
    }
}
