//! The way out as a tar archive (POSIX.1-2001, "pax"): one stream that any tar reads.
//!
//! Invariants
//! 1. The manifest is authentic and checked before the first byte leaves; each chunk is, before its
//!    bytes leave; a file whose SHA-256 does not come out ends the archive with an error and
//!    without its end marker, so that no reader takes it for whole.
//! 2. What a field cannot hold (long or odd names, large sizes, nanoseconds, attributes) stands in
//!    a pax record before it; nothing is cut short or rounded in silence.
//! 3. What tar has no form for (sockets), and what was unreadable when it was preserved or changed
//!    meanwhile, is in the report; ranges of a file that the medium never gave, and that it
//!    changed, stand in records of this program before it, for they look like any zeros.
//! 4. A hole takes no room: a file that has some is a sparse member as GNU tar writes it. Of a file
//!    that is nearly all holes the SHA-256 is not computed again; the report names it.

mod header;
mod holes;

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use crate::chunk::Desk;
use crate::damage::read_out;
use crate::error::VaultError;
use crate::index::Table;
use crate::manifest::{Content, DeviceKind, Entry, Meta, Node, Stored, parent, unreadable};
use crate::names::SnapshotId;
use crate::preserve::path_of;
use crate::progress::Progress;
use crate::proof::Proof;
use crate::read::{Bytes, Fetch, TOGETHER};
use crate::unit::Unit;
use crate::vault::{Absent, Tenant, Vault};
use crate::verify::Problem;
use header::{BLOCK, Header, Sparse};
pub(crate) use header::{CHANGED, MISSING, SHA256, UNREADABLE, XATTR, attribute_of};
use holes::Map;

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
    /// What is not in it, or not as it was, and why.
    pub left_out: Vec<Problem>,
    /// Bytes that the medium never gave when they were preserved: zeros stand for them, and each
    /// range is named in `left_out`.
    pub never_read: u64,
    /// Names that could not be read when they were preserved: each is in `left_out`.
    pub unreadable: u64,
    /// Files that are nearly all holes: each chunk and the map of the holes were authenticated,
    /// their SHA-256 was not computed again.
    pub by_chunks: Vec<PathBuf>,
}

impl ExportReport {
    /// Everything was read when it was preserved, and every file has all of its content.
    pub fn is_complete(&self) -> bool {
        self.never_read == 0 && self.unreadable == 0
    }

    /// Counts a file that was written, and names what is not in it.
    pub(crate) fn file(&mut self, path: &[u8], content: &Content) {
        self.files += 1;
        self.bytes += content.size;
        self.never_read += content.never_read();
        let named = content.flaws().map(|what| Problem { path: path_of(path), what });
        self.left_out.extend(named);
    }
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
        progress: &mut dyn Progress,
    ) -> Result<ExportReport, VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (mut out, mut report) = (Plain(out), ExportReport::default());
        progress.begin("writing the archive", self.snapshot(&tenant, id)?.1.info.bytes);
        self.export_members(&tenant, id, b"", (&mut out, &mut report, progress))?;
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
        (out, report, progress): (&mut dyn Take, &mut ExportReport, &mut dyn Progress),
    ) -> Result<(), VaultError> {
        let (unit, snapshot) = self.snapshot(tenant, id)?;
        let _stay = unit.enter();
        members(&unit, &unit.manifest(&snapshot)?, prefix, (out, report, progress))
    }
}

/// Writes the members that `entries` of a unit are.
pub(crate) fn members(
    unit: &Unit,
    entries: &[Stored],
    prefix: &[u8],
    (out, report, progress): (&mut dyn Take, &mut ExportReport, &mut dyn Progress),
) -> Result<(), VaultError> {
    let (table, mut desk) = (unit.table(), Desk::default());
    let missing = missing(entries);
    let mut archive = Archive { out, prefix, missing, report, progress };
    for stored in entries {
        let Some(map) = archive.head(stored)? else { continue };
        let Some(content) = stored.entry.content() else { continue };
        archive.file((unit, &table), (stored, content), map.as_ref(), &mut desk)?;
    }
    Ok(())
}

/// Of each directory in which names could not be read, the value of its record.
fn missing(entries: &[Stored]) -> HashMap<&[u8], Vec<u8>> {
    let mut missing = HashMap::<&[u8], Vec<u8>>::new();
    for Entry { path, node } in entries.iter().map(|stored| &stored.entry) {
        if let (Node::Unreadable { reason }, Some(above)) = (node, parent(path)) {
            let name = path.strip_prefix(above).unwrap_or(path);
            let name = name.strip_prefix(b"/").unwrap_or(name);
            missing
                .entry(above)
                .or_default()
                .extend([name, b"\0", reason.as_bytes(), b"\0"].concat());
        }
    }
    missing
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
    /// See [`missing`].
    missing: HashMap<&'a [u8], Vec<u8>>,
    report: &'a mut ExportReport,
    progress: &'a mut dyn Progress,
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

    /// Writes a file's content, without its holes if it has a map.
    fn file(
        &mut self,
        (unit, table): (&Unit, &Table),
        (stored, content): (&Stored, &Content),
        map: Option<&Map>,
        desk: &mut Desk,
    ) -> Result<(), VaultError> {
        let threads = 2 * std::thread::available_parallelism().map_or(2, usize::from);
        let large = content.size > TOGETHER;
        let fetch = if large { Fetch::Together(threads) } else { Fetch::Alone };
        let proof = Proof::of(&stored.extents);
        let mut at = 0;
        let mut take = |bytes: Bytes<'_>| {
            match bytes {
                Bytes::Data(data) => {
                    at += data.len() as u64;
                    self.write(data)?;
                }
                Bytes::Gap(n) => {
                    if map.is_none_or(|map| map.covers(at)) {
                        self.zeros(n)?;
                    }
                    at += n;
                }
            }
            self.progress.advance(self.report.files, self.report.bytes + at);
            Ok(())
        };
        read_out((unit, table), (stored, content, proof), (fetch, desk), &mut take)?;
        self.pad(map.map_or(content.size, Map::data))?;
        if proof == Proof::Chunks {
            self.report.by_chunks.push(path_of(&stored.entry.path));
        }
        self.report.file(&stored.entry.path, content);
        Ok(())
    }

    fn pad(&mut self, size: u64) -> Result<(), VaultError> {
        self.zeros(size.next_multiple_of(BLOCK as u64) - size)
    }

    /// Writes what comes before the content, and gives the map of its holes if it has any. `None`:
    /// it is not in the archive.
    fn head(&mut self, stored: &Stored) -> Result<Option<Option<Map>>, VaultError> {
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
                leave_out(&unreadable(reason))?;
                self.report.unreadable += 1;
                return Ok(None);
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
        let content = stored.entry.content();
        let map = Map::of(&stored.extents).filter(|_| content.is_some());
        let whole = content.map_or(0, |content| content.size);
        let table = map.as_ref().map(Map::table).unwrap_or_default();
        let size = map.as_ref().map_or(whole, |map| table.len() as u64 + map.data());
        let meta = stored.entry.meta().unwrap_or(&nobody);
        let sparse = map.as_ref().map(|_| Sparse { whole });
        let missing = self.missing.get(path.as_slice()).cloned().unwrap_or_default();
        let missing = missing.as_slice();
        let header =
            Header { kind, name: &name, link, size, meta, device, sparse, content, missing };
        self.header(&header)?;
        self.write(&table)?;
        Ok(Some(map))
    }

    fn header(&mut self, header: &Header<'_>) -> Result<(), VaultError> {
        let records = header.records();
        self.out.member()?;
        if !records.is_empty() {
            let (size, meta) = (records.len() as u64, Meta::default());
            self.write(&Header::of_records(size, &meta).block())?;
            self.write(&records)?;
            self.pad(size)?;
        }
        self.write(&header.block())
    }
}
