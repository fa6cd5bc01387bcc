//! Reading tar archives: ustar, pax and GNU, one stream, once, in constant memory.
//!
//! Invariants
//! 1. An archive is whole or refused: no end marker, a header whose sum is wrong, a member cut
//!    short, or bytes after the end are a [`Flaw`] that says where and what.
//! 2. What cannot be kept as the archive means it (a type, an ACL in text form) is a flaw too;
//!    nothing is skipped in silence.
//! 3. Metadata of one member takes at most [`FOREIGN`]`.header` bytes, a map of a sparse file at
//!    most [`sparse::MOST_PIECES`] pieces.
//! 4. Holes cost no bytes to write and each a turn of the hash to read: all of an archive together
//!    have at most [`FOREIGN`]`.holes` bytes, refused before the first of the member is read.
//! 5. Names that an archive says were never read cost no member each: all together take at most
//!    [`FOREIGN`]`.missing` bytes, and each is said by its directory's own record.
//! 6. An archive that this program wrote, and whose bytes are authentic, has the limits of what is
//!    kept: whatever the way out writes is read ([`Archive::authentic`]).
//!
//! Out of scope: whether the members make a tree, see `preserve/archive.rs`.

mod body;
mod flaw;
mod header;
mod limits;
mod pax;
mod sparse;

use std::io::Read;
use std::path::PathBuf;

pub(crate) use body::Body;
pub(crate) use flaw::{Flaw, unread};
use header::{BLOCK, Block, Header};
use limits::{AUTHENTIC, ENTRY, FOREIGN, Limits};
use pax::{Records, missing};
pub(crate) use sparse::MOST_PIECES;

use crate::error::VaultError;
use crate::manifest::{Content, DeviceKind, Meta, Node};
use crate::preserve::path_of;

/// The most zeros that an archive without a member may be.
const MOST_NOTHING: u64 = 64 << 20;
/// The most bytes of records that count for all members.
const MOST_GLOBAL: u64 = 64 * 1024;

/// Bytes of names and attributes that are asked for at once: a damaged header gets no more memory
/// than there are bytes behind it.
const STEP: u64 = 1 << 20;

/// What an archive contains: names as it has them, and sizes. Nothing of it is kept.
///
/// # Errors
/// [`VaultError::Archive`] if it is not whole, or has what the vault cannot keep;
/// [`VaultError::Source`] if it cannot be read.
pub fn tar_members(name: &str, from: &mut dyn Read) -> Result<Vec<(PathBuf, u64)>, VaultError> {
    let (mut archive, mut out) = (Archive::new(from), Vec::new());
    while let Some(member) = archive.next().map_err(|flaw| flaw.of(name))? {
        out.push((path_of(&member.path), member.body.size));
    }
    Ok(out)
}

/// One member.
#[derive(Debug)]
pub(crate) struct Member {
    /// As the archive has it.
    pub(crate) path: Vec<u8>,
    /// What it is; hard links name another member, as the archive has it. Of a file's content the
    /// size, and what archives of this program say of it: whether it changed, what was never read.
    pub(crate) node: Node,
    /// Its content, if it is a file.
    pub(crate) body: Body,
    /// What its writer says its content gives: archives of this program have it.
    pub(crate) sha256: Option<[u8; 32]>,
    /// Names in it that were never read, and why, if it is a directory.
    pub(crate) missing: Vec<(Vec<u8>, String)>,
}

/// An archive that is being read.
pub(crate) struct Archive<R> {
    from: R,
    /// Bytes read.
    at: u64,
    /// Bytes of the current member that were not read, and what pads them.
    left: u64,
    padding: u64,
    /// Bytes of holes in the members so far.
    holes: u64,
    /// Bytes that names never read took so far.
    missing: u64,
    limits: Limits,
    global: Records,
}

impl<R: Read> Archive<R> {
    /// Anybody's archive.
    pub(crate) fn new(from: R) -> Self {
        Self::within(from, FOREIGN)
    }

    /// An archive that this program wrote, from bytes that are authentic.
    pub(crate) fn authentic(from: R) -> Self {
        Self::within(from, AUTHENTIC)
    }

    fn within(from: R, limits: Limits) -> Self {
        let global = Records::default();
        Self { from, at: 0, left: 0, padding: 0, holes: 0, missing: 0, limits, global }
    }

    pub(crate) fn flaw(&self, what: impl Into<String>) -> Flaw {
        Flaw::Archive { at: self.at, what: what.into() }
    }

    /// The next member; `None` after the end of a whole archive.
    ///
    /// # Errors
    /// The archive's first flaw.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, Flaw> {
        self.skip()?;
        let mut records = Records::default();
        let (mut name, mut link) = (None, None);
        loop {
            let Some(block) = self.block()? else {
                return Err(self.flaw("it ends without its end marker"));
            };
            if block == [0; BLOCK] {
                if name.is_some() || link.is_some() || !records.is_empty() {
                    return Err(self.flaw("a member is missing after its names"));
                }
                return self.end().map(|()| None);
            }
            let header = Header::read(&block).map_err(|what| self.flaw(what))?;
            match header.kind {
                b'x' | b'X' => records
                    .add(&self.meta(&header, self.limits.header)?, self.limits)
                    .map_err(|what| self.flaw(what))?,
                b'g' => {
                    let all = self.meta(&header, MOST_GLOBAL)?;
                    let limits = Limits { records: MOST_GLOBAL, ..self.limits };
                    self.global.add(&all, limits).map_err(|what| self.flaw(what))?;
                }
                b'L' => name = Some(text(&self.meta(&header, self.limits.records)?)),
                b'K' => link = Some(text(&self.meta(&header, self.limits.records)?)),
                b'V' => drop(self.meta(&header, self.limits.records)?), // the archive's own name
                _ => {
                    let missing = records.take_missing();
                    let mut all = self.global.clone();
                    all.put("path", name.take());
                    all.put("linkpath", link.take());
                    all.extend(records);
                    let member = self.member(&header, &block, &all)?;
                    return self.lacking(member, &missing).map(Some);
                }
            }
        }
    }

    fn member(
        &mut self,
        header: &Header,
        block: &Block,
        records: &Records,
    ) -> Result<Member, Flaw> {
        let fail = |at, what: String| Flaw::Archive { at, what };
        let at = self.at;
        let stored = match records.number("size").map_err(|what| fail(at, what))? {
            Some(size) => size,
            None => header.size,
        };
        let path = records.path().unwrap_or(&header.name).to_vec();
        let named = |what: &str| format!("{:?} {what}", String::from_utf8_lossy(&path));
        let meta = records.meta(header).map_err(|what| fail(at, named(&what)))?;
        let mut node =
            node(header, (records, &path), meta).map_err(|what| fail(at, named(what)))?;
        let content = if matches!(node, Node::File { .. }) { stored } else { 0 };
        if content == 0 && !matches!(header.kind, b'1' | b'2') && stored > 0 {
            return Err(fail(at, named("has content although it is no file")));
        }
        // Some writers say how long the linked file is; no content follows.
        self.left = content;
        self.padding = padding(content);
        let pieces = if header.kind == b'S' {
            Some(sparse::gnu(self, block)?)
        } else if matches!(node, Node::File { .. }) {
            sparse::pax(self, records)?
        } else {
            None
        };
        let body = match pieces {
            None => Body::whole(content),
            Some(map) => Body::sparse(map, self.left).map_err(|what| self.flaw(named(what)))?,
        };
        if let Node::File { content, .. } = &mut node {
            *content = records.content(body.size).map_err(|what| self.flaw(named(what)))?;
        }
        self.holes = self.holes.saturating_add(body.holes());
        if self.holes > self.limits.holes {
            let most = self.limits.holes >> 40;
            let what = format!("has holes that make more than {most} TiB, with those before it");
            return Err(self.flaw(named(&what)));
        }
        Ok(Member { path, node, body, sha256: records.sha256(), missing: Vec::new() })
    }

    /// The member with the names in it that were never read, if it is a directory. How much they
    /// take is known before they take it.
    fn lacking(&mut self, mut member: Member, said: &[u8]) -> Result<Member, Flaw> {
        if !matches!(member.node, Node::Directory { .. }) {
            return Ok(member);
        }
        let named = |what: &str| format!("{:?} {what}", String::from_utf8_lossy(&member.path));
        let many = said.iter().filter(|byte| **byte == 0).count() as u64 / 2;
        let each = ENTRY + member.path.len() as u64;
        let taken = many.saturating_mul(each).saturating_add(said.len() as u64 - 2 * many);
        self.missing = self.missing.saturating_add(taken);
        if self.missing > self.limits.missing {
            let most = self.limits.missing >> 20;
            let what =
                format!("names never read that take more than {most} MiB, with those before");
            return Err(self.flaw(named(&format!("has {what}"))));
        }
        member.missing = missing(said).map_err(|what| self.flaw(named(what)))?;
        Ok(member)
    }

    /// Reads what follows a header that is not a member.
    fn meta(&mut self, header: &Header, most: u64) -> Result<Vec<u8>, Flaw> {
        if header.size > most {
            return Err(self.flaw(format!("names of {} bytes", header.size)));
        }
        (self.left, self.padding) = (header.size, padding(header.size));
        let mut bytes = Vec::new();
        while self.left > 0 {
            let start = bytes.len();
            bytes.resize(start + usize::try_from(self.left.min(STEP)).unwrap_or(0), 0);
            self.content(&mut bytes[start..])?;
        }
        self.skip()?;
        Ok(bytes)
    }

    /// Fills `room` from the current member's stored bytes.
    pub(crate) fn content(&mut self, room: &mut [u8]) -> Result<(), Flaw> {
        if room.len() as u64 > self.left {
            return Err(self.flaw("a member is shorter than it says"));
        }
        let n = self.fill(room)?;
        self.left -= n as u64;
        if n == room.len() { Ok(()) } else { Err(self.flaw("it ends within a member")) }
    }

    /// Passes over what is left of the current member.
    pub(crate) fn skip(&mut self) -> Result<(), Flaw> {
        let mut room = [0; 8 * BLOCK];
        while self.left + self.padding > 0 {
            let n = usize::try_from(self.left + self.padding).unwrap_or(room.len());
            let n = n.min(room.len());
            if self.fill(&mut room[..n])? < n {
                return Err(self.flaw("it ends within a member"));
            }
            let content = self.left.min(n as u64);
            self.left -= content;
            self.padding -= n as u64 - content;
        }
        Ok(())
    }

    /// The next block; `None` at the end of the stream.
    fn block(&mut self) -> Result<Option<Block>, Flaw> {
        let (mut block, first) = ([0; BLOCK], self.at == 0);
        match self.fill(&mut block)? {
            0 => Ok(None),
            _ if first && let Some(how) = compressed(&block) => {
                self.at = 0;
                Err(self.flaw(format!("it is compressed ({how}), and no tar archive")))
            }
            BLOCK => Ok(Some(block)),
            _ => Err(self.flaw("it ends within a header")),
        }
    }

    /// After the first block of the end marker: the second, and nothing but zeros.
    fn end(&mut self) -> Result<(), Flaw> {
        if self.block()? != Some([0; BLOCK]) {
            return Err(self.flaw("its end marker is cut short"));
        }
        let mut room = vec![0; 128 * BLOCK];
        // What has no member may have no end either.
        let empty = self.at == 2 * BLOCK as u64;
        loop {
            if empty && self.at > MOST_NOTHING {
                return Err(self.flaw("it is nothing but zeros"));
            }
            let n = self.fill(&mut room)?;
            if room[..n].iter().any(|byte| *byte != 0) {
                return Err(self.flaw("something follows its end"));
            }
            if n < room.len() {
                return Ok(());
            }
        }
    }

    fn fill(&mut self, room: &mut [u8]) -> Result<usize, Flaw> {
        let n = fill(&mut self.from, room).map_err(Flaw::Read)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// What a stream is compressed with, by its first bytes.
fn compressed(block: &Block) -> Option<&'static str> {
    let known: [(&[u8], &str); 5] = [
        (&[0x1f, 0x8b], "gzip"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
        (b"BZh", "bzip2"),
        (b"PK\x03\x04", "zip"),
    ];
    let found = known.iter().find(|(magic, _)| block.starts_with(magic));
    // A member may be called so: then its header is one.
    found.filter(|_| Header::read(block).is_err()).map(|(_, how)| *how)
}

/// Reads until `room` is full or there is no more.
pub(crate) fn fill(from: &mut impl Read, room: &mut [u8]) -> std::io::Result<usize> {
    let mut n = 0;
    while n < room.len() {
        match from.read(&mut room[n..]) {
            Ok(0) => break,
            Ok(more) => n += more,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(n)
}

fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

/// A GNU long name: up to its NUL.
fn text(bytes: &[u8]) -> Vec<u8> {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// What a member is; `path` is its whole name, of which the block may have the beginning only.
fn node(
    header: &Header,
    (records, path): (&Records, &[u8]),
    meta: Meta,
) -> Result<Node, &'static str> {
    let device = |meta, kind| {
        let (major, minor) = header.device?;
        Ok(Node::Device { meta, kind, major, minor })
    };
    let target = || records.get("linkpath").unwrap_or(&header.link).to_vec();
    Ok(match header.kind {
        // Before POSIX a directory was a file whose name ends in a slash.
        b'0' | 0 if path.ends_with(b"/") => Node::Directory { meta },
        b'0' | 0 | b'7' | b'S' => Node::File { meta, content: Content::default() },
        b'1' => Node::HardLink { target: target() },
        b'2' => Node::Symlink { meta, target: target() },
        b'3' => device(meta, DeviceKind::Character)?,
        b'4' => device(meta, DeviceKind::Block)?,
        b'5' => Node::Directory { meta },
        b'6' => Node::Fifo { meta },
        b'M' => return Err("goes on from another volume: give the archive in one piece"),
        _ => return Err("is of a type the vault does not know"),
    })
}
