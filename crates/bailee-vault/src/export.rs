//! The way out as a tar archive (POSIX.1-2001, "pax"): one stream that any tar reads.
//!
//! Invariants
//! 1. The manifest is authentic and checked before the first byte leaves; each chunk is, before its
//!    bytes leave; a file whose SHA-256 does not come out ends the archive with an error and
//!    without its end marker, so that no reader takes it for whole.
//! 2. What a field cannot hold (long or odd names, large sizes, nanoseconds, attributes) stands in
//!    a pax record before it; nothing is cut short or rounded in silence.
//! 3. What tar has no form for (sockets), and what was unreadable when it was preserved, is in the
//!    report.
//!
//! Out of scope: holes. They come out as zeros, which any tar reads.

use std::io::Write;

use crate::error::VaultError;
use crate::manifest::{DeviceKind, Meta, Node, Stored};
use crate::names::SnapshotId;
use crate::preserve::path_of;
use crate::read::{Bytes, Fetch, TOGETHER, read_file};
use crate::unit::Desk;
use crate::vault::{Absent, Tenant, Vault};
use crate::verify::Problem;

const BLOCK: usize = 512;
/// What eleven octal digits hold.
const MOST_SIZE: u64 = (1 << 33) - 1;
/// What seven octal digits hold.
const MOST_ID: u32 = (1 << 21) - 1;
/// What ends an archive.
pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
static ZEROS: [u8; 65536] = [0; 65536];

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// Files written with their full content.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is not in the archive, and why.
    pub left_out: Vec<Problem>,
}

impl Vault {
    /// Writes a snapshot to `out` as a pax archive, in tree order.
    ///
    /// # Errors
    /// [`VaultError::UnknownSnapshot`]; damage, after which the archive has no end;
    /// [`VaultError::Destination`] if `out` does not take it; store failures.
    pub fn export_tar(
        &self,
        tenant: &str,
        id: &SnapshotId,
        out: &mut dyn Write,
    ) -> Result<ExportReport, VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (mut out, mut report) = (Plain(out), ExportReport::default());
        self.export_members(&tenant, id, b"", (&mut out, &mut report))?;
        out.write(&END)?;
        out.0.flush().map_err(failed)?;
        Ok(report)
    }

    /// Writes the members of one snapshot, each name after `prefix`, and no end.
    pub(crate) fn export_members(
        &self,
        tenant: &Tenant,
        id: &SnapshotId,
        prefix: &[u8],
        (out, report): (&mut dyn Take, &mut ExportReport),
    ) -> Result<(), VaultError> {
        let (unit, snapshot) = self.snapshot(tenant, id)?;
        let _stay = unit.enter();
        let (entries, table) = (unit.manifest(&snapshot)?, unit.table());
        let mut archive = Archive { out, prefix, report };
        let mut desk = Desk::default();
        let threads = 2 * std::thread::available_parallelism().map_or(2, usize::from);
        for stored in &entries {
            let Some(size) = archive.head(stored)? else { continue };
            let Some(content) = stored.entry.content() else { continue };
            let fetch = if size > TOGETHER { Fetch::Together(threads) } else { Fetch::Alone };
            let mut take = |bytes: Bytes<'_>| archive.content(&bytes);
            read_file(&unit, &table, stored, content, (fetch, &mut desk), &mut take)?;
            archive.pad(size)?;
            archive.report.files += 1;
            archive.report.bytes += size;
        }
        Ok(())
    }
}

/// Where an archive goes.
pub(crate) trait Take {
    /// Takes the next bytes.
    fn write(&mut self, bytes: &[u8]) -> Result<(), VaultError>;
    /// Says that what comes next is the start of a member.
    ///
    /// # Errors
    /// As [`Take::write`].
    fn member(&mut self) -> Result<(), VaultError>;
}

struct Plain<'a>(&'a mut dyn Write);

impl Take for Plain<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), VaultError> {
        self.0.write_all(bytes).map_err(failed)
    }
    fn member(&mut self) -> Result<(), VaultError> {
        Ok(())
    }
}

fn failed(e: std::io::Error) -> VaultError {
    let (path, detail) = ("(archive)".to_owned(), e.to_string());
    VaultError::Destination { path, doing: "write it", detail }
}

struct Archive<'a> {
    out: &'a mut dyn Take,
    prefix: &'a [u8],
    report: &'a mut ExportReport,
}

impl Archive<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), VaultError> {
        self.out.write(bytes)
    }

    fn zeros(&mut self, mut n: u64) -> Result<(), VaultError> {
        while n > 0 {
            let step = n.min(ZEROS.len() as u64);
            self.write(&ZEROS[..usize::try_from(step).unwrap_or(0)])?;
            n -= step;
        }
        Ok(())
    }

    fn content(&mut self, bytes: &Bytes<'_>) -> Result<(), VaultError> {
        match bytes {
            Bytes::Data(data) => self.write(data),
            Bytes::Gap(n) => self.zeros(*n),
        }
    }

    fn pad(&mut self, size: u64) -> Result<(), VaultError> {
        self.zeros(size.next_multiple_of(BLOCK as u64) - size)
    }

    /// Writes what comes before the content. `None`: it is not in the archive.
    fn head(&mut self, stored: &Stored) -> Result<Option<u64>, VaultError> {
        let path = &stored.entry.path;
        let mut leave_out = |what: &str| {
            self.report.left_out.push(Problem { path: path_of(path), what: what.to_owned() });
            Ok(None)
        };
        let nobody = Meta::default();
        let (kind, link, device): (u8, &[u8], (u32, u32)) = match &stored.entry.node {
            Node::File { .. } => (b'0', b"", (0, 0)),
            Node::HardLink { target } => (b'1', target, (0, 0)),
            Node::Symlink { target, .. } => (b'2', target, (0, 0)),
            Node::Device { kind: DeviceKind::Character, major, minor, .. } => {
                (b'3', b"", (*major, *minor))
            }
            Node::Device { kind: DeviceKind::Block, major, minor, .. } => {
                (b'4', b"", (*major, *minor))
            }
            Node::Directory { .. } => (b'5', b"", (0, 0)),
            Node::Fifo { .. } => (b'6', b"", (0, 0)),
            Node::Socket { .. } => return leave_out("tar has no form for a socket"),
            Node::Unreadable { reason } => {
                return leave_out(&format!("it was unreadable when preserved: {reason}"));
            }
        };
        let mut name = [self.prefix, path].concat();
        let link = if kind == b'1' { &[self.prefix, link].concat() } else { link };
        if kind == b'5' {
            name.extend_from_slice(match name.last() {
                None => b"./",
                Some(b'/') => b"",
                Some(_) => b"/",
            });
        }
        let size = stored.entry.content().map_or(0, |content| content.size);
        let meta = stored.entry.meta().unwrap_or(&nobody);
        let header = Header { kind, name: &name, link, size, meta, device };
        let records = header.records();
        self.out.member()?;
        if !records.is_empty() {
            let size = records.len() as u64;
            let (name, meta) = (b"pax", &nobody);
            let pax = Header { kind: b'x', name, link: b"", size, meta, device: (0, 0) };
            self.write(&pax.block())?;
            self.write(&records)?;
            self.pad(size)?;
        }
        self.write(&header.block())?;
        Ok(Some(size))
    }
}

struct Header<'a> {
    kind: u8,
    name: &'a [u8],
    link: &'a [u8],
    size: u64,
    meta: &'a Meta,
    device: (u32, u32),
}

impl Header<'_> {
    /// What the fields of the block cannot hold.
    fn records(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut add = |key: &[u8], value: &[u8]| out.extend(record(key, value));
        if self.name.len() > 100 {
            add(b"path", self.name);
        }
        if self.link.len() > 100 {
            add(b"linkpath", self.link);
        }
        if self.size > MOST_SIZE {
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
            add(&[b"SCHILY.xattr.", name.as_slice()].concat(), value);
        }
        out
    }

    /// The ustar block. Fields that are too small hold what fits; a record says the rest.
    fn block(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        let octal = |n: u64, digits: usize| format!("{n:0digits$o}").into_bytes();
        put(0, &self.name[..self.name.len().min(100)]);
        put(100, &octal(u64::from(self.meta.mode & 0o7777), 7));
        put(108, &octal(u64::from(self.meta.uid.min(MOST_ID)), 7));
        put(116, &octal(u64::from(self.meta.gid.min(MOST_ID)), 7));
        put(124, &octal(self.size.min(MOST_SIZE), 11));
        let seconds = u64::try_from(self.meta.mtime.0).unwrap_or(0);
        put(136, &octal(seconds.min(MOST_SIZE), 11));
        put(148, b"        ");
        put(156, &[self.kind]);
        put(157, &self.link[..self.link.len().min(100)]);
        put(257, b"ustar\x0000");
        put(329, &octal(u64::from(self.device.0.min(MOST_ID)), 7));
        put(337, &octal(u64::from(self.device.1.min(MOST_ID)), 7));
        let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
        block[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        block[154] = 0;
        block
    }
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
    fn times_before_1970_are_not_a_second_off() {
        assert_eq!(decimal(7, 8), "7.000000008");
        assert_eq!(decimal(-5, 0), "-5.000000000");
        assert_eq!(decimal(-5, 999_999_999), "-4.000000001");
        assert_eq!(decimal(-1, 500_000_000), "-0.500000000");
    }
}
