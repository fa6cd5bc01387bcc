//! Extended header records: what the fields of a header block cannot hold.
//!
//! Invariants: names and values are raw bytes and may hold anything, line ends too; a record whose
//! length is wrong is refused; of two with one name the later counts.

use bailee_ledger::hash_from_hex;
use std::collections::BTreeMap;

use super::header::Header;
use super::limits::Limits;
use crate::export::{CHANGED, MISSING, SHA256, UNREADABLE, XATTR, attribute_of};
use crate::manifest::{Content, Meta, check_path};

/// Records by name. Attributes have names of any bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    all: BTreeMap<Vec<u8>, Vec<u8>>,
    /// GNU.sparse.offset and .numbytes of format 0.0, which repeat.
    pub(super) repeated: Vec<(u64, u64)>,
    offset: Option<u64>,
}

impl Records {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.repeated.is_empty()
    }

    /// Adds the records of one extended header, within limits.
    pub(super) fn add(&mut self, mut bytes: &[u8], limits: Limits) -> Result<(), String> {
        let bad = || "an extended header record is malformed".to_owned();
        while let Some(at) = bytes.iter().position(|byte| *byte == b' ') {
            let len = decimal(&bytes[..at]).ok_or_else(bad)?;
            let len = usize::try_from(len).map_err(|_| bad())?;
            if len > bytes.len() || len < at + 2 || bytes[len - 1] != b'\n' {
                return Err(bad());
            }
            let record = &bytes[at + 1..len - 1];
            bytes = &bytes[len..];
            let eq = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
            let (name, value) = (&record[..eq], &record[eq + 1..]);
            match name {
                b"GNU.sparse.offset" => self.offset = Some(decimal(value).ok_or_else(bad)?),
                b"GNU.sparse.numbytes" => {
                    let offset = self.offset.take().ok_or_else(bad)?;
                    self.repeated.push((offset, decimal(value).ok_or_else(bad)?));
                }
                _ => drop(self.all.insert(name.to_vec(), value.to_vec())),
            }
        }
        // Names never read have a limit of their own, with those of other members.
        let counted = self.all.iter().filter(|(name, _)| name.as_slice() != MISSING.as_bytes());
        let size: usize = counted.map(|(name, value)| name.len() + value.len()).sum();
        match (bytes.iter().all(|byte| *byte == 0), size as u64 <= limits.records) {
            (true, true) => Ok(()),
            (true, false) => {
                Err(format!("extended header records of more than {} bytes", limits.records))
            }
            (false, _) => Err(bad()),
        }
    }

    pub(super) fn put(&mut self, name: &str, value: Option<Vec<u8>>) {
        if let Some(value) = value {
            self.all.insert(name.as_bytes().to_vec(), value);
        }
    }

    pub(super) fn extend(&mut self, over: Self) {
        self.all.extend(over.all);
        self.repeated = over.repeated;
    }

    /// A value; an empty one takes a global record back.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.all.get(name.as_bytes()).map(Vec::as_slice).filter(|value| !value.is_empty())
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let bad = || format!("record {name} is no number");
        self.get(name).map(|value| decimal(value).ok_or_else(bad)).transpose()
    }

    /// The member's name; that of a sparse file stands in a record of its own.
    pub(super) fn path(&self) -> Option<&[u8]> {
        self.get("GNU.sparse.name").or_else(|| self.get("path"))
    }

    /// What a comment of this program's archives says.
    pub(super) fn sha256(&self) -> Option<[u8; 32]> {
        let said = self.get("comment")?.strip_prefix(SHA256.as_bytes())?;
        hash_from_hex(std::str::from_utf8(said).ok()?)
    }

    /// What is said of a file's content of `size` bytes by archives of this program.
    pub(super) fn content(&self, size: u64) -> Result<Content, &'static str> {
        let bad = "has a record of bytes never read that is malformed, or leaves the file";
        let said = self.get(UNREADABLE).unwrap_or_default().split(|byte| *byte == b',');
        let numbers = said.filter(|number| !number.is_empty()).map(decimal);
        let numbers: Vec<u64> = numbers.collect::<Option<_>>().ok_or(bad)?;
        let pairs = numbers.chunks_exact(2);
        let even = pairs.remainder().is_empty();
        let unreadable: Vec<(u64, u64)> = pairs.map(|pair| (pair[0], pair[1])).collect();
        let changed = self.get(CHANGED).is_some();
        let content = Content { size, changed, unreadable, ..Content::default() };
        let none = |(_, len): &(u64, u64)| *len == 0;
        let fits = even && content.ranges_fit() && !content.unreadable.iter().any(none);
        if fits { Ok(content) } else { Err(bad) }
    }

    /// What archives of this program say of names in a directory that were never read; nothing is
    /// left of it here.
    pub(super) fn take_missing(&mut self) -> Vec<u8> {
        self.all.remove(MISSING.as_bytes()).unwrap_or_default()
    }

    /// Owner, mode, times, attributes.
    pub(super) fn meta(&self, header: &Header) -> Result<Meta, String> {
        let id = |name, field| {
            let n = self.number(name)?.unwrap_or(field);
            u32::try_from(n).map_err(|_| format!("has {name} {n}, which is none"))
        };
        let time = |name| match self.get(name) {
            Some(value) => {
                let time = seconds(value).ok_or_else(|| format!("has a {name} that is none"));
                time.map(Some)
            }
            None => Ok(None),
        };
        let mut xattrs = Vec::new();
        for (name, value) in &self.all {
            if let Some(name) = name.strip_prefix(XATTR) {
                xattrs.push((attribute_of(name), value.clone()));
            } else if name == b"RHT.security.selinux" {
                xattrs.push((b"security.selinux".to_vec(), [value.as_slice(), b"\0"].concat()));
            } else if name.starts_with(b"SCHILY.acl.") {
                return Err(format!(
                    "has an access list as text ({}), which cannot be kept: make the archive \
                     without --acls, or preserve the directory itself",
                    String::from_utf8_lossy(name)
                ));
            }
        }
        xattrs.sort_unstable();
        xattrs.dedup_by(|a, b| a.0 == b.0);
        Ok(Meta {
            mode: header.mode,
            uid: id("uid", header.uid)?,
            gid: id("gid", header.gid)?,
            mtime: time("mtime")?.unwrap_or((header.mtime, 0)),
            ctime: time("ctime")?.unwrap_or((0, 0)),
            xattrs,
        })
    }
}

/// Decimal digits.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    text.parse().ok()
}

/// Names in a directory that could not be read when it was kept, and why.
pub(super) fn missing(said: &[u8]) -> Result<Vec<(Vec<u8>, String)>, &'static str> {
    let bad = "has a record of names never read that is malformed";
    if said.is_empty() {
        return Ok(Vec::new());
    }
    let fields: Vec<&[u8]> = said.strip_suffix(b"\0").ok_or(bad)?.split(|b| *b == 0).collect();
    let pairs = fields.chunks_exact(2);
    let a_name = |name: &[u8]| !name.contains(&b'/') && check_path(name).is_ok();
    if !pairs.remainder().is_empty() || !pairs.clone().all(|pair| a_name(pair[0])) {
        return Err(bad);
    }
    let text = |reason| String::from_utf8_lossy(reason).into_owned();
    Ok(pairs.map(|pair| (pair[0].to_vec(), text(pair[1]))).collect())
}

/// Seconds with a fraction, also before 1970. More than nanoseconds is more than is kept.
fn seconds(value: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(value).ok()?;
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = i128::from(decimal(whole.as_bytes())?);
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let digits = format!("{fraction:0<9}");
    let nanos: u32 = digits.get(..9)?.parse().ok()?;
    let (whole, nanos) = match (negative, nanos) {
        (false, _) => (whole, nanos),
        (true, 0) => (-whole, 0),
        (true, _) => (-whole - 1, 1_000_000_000 - nanos),
    };
    Some((i64::try_from(whole).ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use super::super::limits::FOREIGN as WIDE;
    use super::*;

    #[test]
    fn times_before_1970_and_short_fractions() {
        assert_eq!(seconds(b"7"), Some((7, 0)));
        assert_eq!(seconds(b"7.5"), Some((7, 500_000_000)));
        assert_eq!(seconds(b"-4.000000001"), Some((-5, 999_999_999)));
        assert_eq!(seconds(b"-5"), Some((-5, 0)));
        assert_eq!(seconds(b"-9223372036854775808.000000000"), Some((i64::MIN, 0)));
        assert_eq!(seconds(b"9223372036854775808"), None);
        assert_eq!(seconds(b"1.x"), None);
        assert_eq!(seconds(b"--1"), None);
    }

    #[test]
    fn ranges_never_read_lie_in_the_file_and_in_order() {
        let read = |value: &str| {
            let mut records = Records::default();
            records.put(UNREADABLE, Some(value.as_bytes().to_vec()));
            records.content(100).map(|content| content.unreadable)
        };
        assert_eq!(read(""), Ok(vec![]));
        assert_eq!(read("0,1,90,10"), Ok(vec![(0, 1), (90, 10)]));
        let most = u64::MAX;
        for bad in ["1", "1,2,3", "90,11", "5,1,5,1", "5,0", "x,1", "+1,1", &format!("1,{most}")] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_never_read_are_names_and_each_has_its_reason() {
        let read = missing;
        let of = |name: &[u8], why: &str| (name.to_vec(), why.to_owned());
        assert_eq!(read(b""), Ok(vec![]));
        assert_eq!(read(b"a\0b\0\xff=\n\0\0"), Ok(vec![of(b"a", "b"), of(b"\xff=\n", "")]));
        let long = [&[b'x'; 256][..], b"\0why\0"].concat();
        for bad in [
            &b"a"[..],
            b"a\0",
            b"a\0b",
            b"a\0b\0c\0",
            b"\0why\0",
            b"..\0why\0",
            b".\0why\0",
            b"a/b\0why\0",
            b"../a\0why\0",
            &long,
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn values_hold_anything_and_lengths_must_fit() {
        let mut records = Records::default();
        records.add(b"27 SCHILY.xattr.user.a=\n=\0\n9 path=x\n", WIDE).unwrap();
        assert_eq!(records.get("SCHILY.xattr.user.a"), Some(&b"\n=\0"[..]));
        assert_eq!(records.path(), Some(&b"x"[..]));
        records.add(b"22 SCHILY.xattr.\xff\xfe\0=v\n", WIDE).unwrap();
        assert_eq!(records.all[&b"SCHILY.xattr.\xff\xfe\0"[..]], b"v");
        for bad in [&b"9 path=xy"[..], b"99 path=x\n", b"2 \n", b"x path=x\n", b"9 pathxx\n", b"9"]
        {
            assert!(Records::default().add(bad, WIDE).is_err(), "{bad:?}");
        }
    }
}
