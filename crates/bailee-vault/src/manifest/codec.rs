//! Bytes of a manifest: evidence records (the leaves) and extents, one after the other.
//!
//! Invariants: one encoding per entry (fields fixed, attributes sorted), so a leaf can be computed
//! again by anyone; decoding takes no more memory than the input justifies.
//!
//! ```text
//! manifest = entries u32, per entry: evidence (length u32, bytes), extents (length u32, bytes)
//! evidence = kind u8, path (length u32, bytes), then by kind:
//!   1 file      meta, size u64, SHA-256 32, changed u8, ranges u32 × (offset u64, length u64)
//!   2 directory meta          3 symlink  meta, target        4 hard link  target
//!   5 fifo      meta          6 socket   meta                7/8 char/block device meta, u32, u32
//!   9 unreadable  reason
//! meta = mode u32, uid u32, gid u32, mtime (i64, u32), ctime (i64, u32),
//!        xattrs u32 × (name, value)
//! extent = 0, chunk id 24, length u32  |  1, zeros u64  |  2, unreadable u64
//!        | 3, device u64, inode u64  |  4, SHA-256 state 8 × u32, rest (length u32, bytes)
//! ```

use super::{Content, DeviceKind, Entry, Extent, Meta, Node, Stored};
use crate::flat::Waypoint;
use crate::wire::{Malformed, Reader, Writer};

/// The leaf of one entry.
pub(crate) fn evidence(entry: &Entry) -> Vec<u8> {
    let mut w = Writer::default();
    let kind = match &entry.node {
        Node::File { .. } => 1,
        Node::Directory { .. } => 2,
        Node::Symlink { .. } => 3,
        Node::HardLink { .. } => 4,
        Node::Fifo { .. } => 5,
        Node::Socket { .. } => 6,
        Node::Device { kind: DeviceKind::Character, .. } => 7,
        Node::Device { kind: DeviceKind::Block, .. } => 8,
        Node::Unreadable { .. } => 9,
    };
    w.u8(kind);
    w.bytes(&entry.path);
    if let Some(meta) = entry.meta() {
        write_meta(&mut w, meta);
    }
    match &entry.node {
        Node::File { content, .. } => write_content(&mut w, content),
        Node::Symlink { target, .. } | Node::HardLink { target } => w.bytes(target),
        Node::Device { major, minor, .. } => {
            w.u32(*major);
            w.u32(*minor);
        }
        Node::Unreadable { reason } => w.bytes(reason.as_bytes()),
        Node::Directory { .. } | Node::Fifo { .. } | Node::Socket { .. } => {}
    }
    w.0
}

fn write_meta(w: &mut Writer, meta: &Meta) {
    w.u32(meta.mode);
    w.u32(meta.uid);
    w.u32(meta.gid);
    for (seconds, nanos) in [meta.mtime, meta.ctime] {
        w.i64(seconds);
        w.u32(nanos);
    }
    w.count(meta.xattrs.len());
    for (name, value) in &meta.xattrs {
        w.bytes(name);
        w.bytes(value);
    }
}

fn write_content(w: &mut Writer, content: &Content) {
    w.u64(content.size);
    w.raw(&content.sha256);
    w.u8(u8::from(content.changed));
    w.count(content.unreadable.len());
    for (offset, len) in &content.unreadable {
        w.u64(*offset);
        w.u64(*len);
    }
}

/// The entry of a leaf.
pub(crate) fn read_evidence(bytes: &[u8]) -> Result<Entry, Malformed> {
    let mut r = Reader(bytes);
    let kind = r.u8()?;
    let path = r.bytes()?.to_vec();
    let node = match kind {
        1 => Node::File { meta: read_meta(&mut r)?, content: read_content(&mut r)? },
        2 => Node::Directory { meta: read_meta(&mut r)? },
        3 => Node::Symlink { meta: read_meta(&mut r)?, target: r.bytes()?.to_vec() },
        4 => Node::HardLink { target: r.bytes()?.to_vec() },
        5 => Node::Fifo { meta: read_meta(&mut r)? },
        6 => Node::Socket { meta: read_meta(&mut r)? },
        7 | 8 => {
            let kind = if kind == 7 { DeviceKind::Character } else { DeviceKind::Block };
            Node::Device { meta: read_meta(&mut r)?, kind, major: r.u32()?, minor: r.u32()? }
        }
        9 => Node::Unreadable { reason: r.text()? },
        _ => return Err("an entry has an unknown kind"),
    };
    r.end()?;
    Ok(Entry { path, node })
}

fn read_meta(r: &mut Reader<'_>) -> Result<Meta, Malformed> {
    let (mode, uid, gid) = (r.u32()?, r.u32()?, r.u32()?);
    let (mtime, ctime) = ((r.i64()?, r.u32()?), (r.i64()?, r.u32()?));
    let count = r.count(8)?;
    let pair = |_| Ok((r.bytes()?.to_vec(), r.bytes()?.to_vec()));
    let xattrs = (0..count).map(pair).collect::<Result<Vec<_>, Malformed>>()?;
    if !xattrs.is_sorted_by(|a, b| a.0 < b.0) {
        return Err("attributes are out of order");
    }
    Ok(Meta { mode, uid, gid, mtime, ctime, xattrs })
}

fn read_content(r: &mut Reader<'_>) -> Result<Content, Malformed> {
    let (size, sha256) = (r.u64()?, r.array()?);
    let changed = match r.u8()? {
        0 => false,
        1 => true,
        _ => return Err("a flag is neither 0 nor 1"),
    };
    let count = r.count(16)?;
    let pair = |_| Ok((r.u64()?, r.u64()?));
    let unreadable = (0..count).map(pair).collect::<Result<Vec<_>, Malformed>>()?;
    Ok(Content { size, sha256, changed, unreadable })
}

/// All entries.
pub(crate) fn write_all(entries: &[Stored]) -> Vec<u8> {
    let mut w = Writer::default();
    w.count(entries.len());
    for Stored { entry, extents } in entries {
        w.bytes(&evidence(entry));
        let mut e = Writer::default();
        for extent in extents {
            match extent {
                Extent::Data(id, len) => {
                    e.u8(0);
                    e.raw(id);
                    e.u32(*len);
                }
                Extent::Zeros(len) => {
                    e.u8(1);
                    e.u64(*len);
                }
                Extent::Unreadable(len) => {
                    e.u8(2);
                    e.u64(*len);
                }
                Extent::Identity(device, inode) => {
                    e.u8(3);
                    e.u64(*device);
                    e.u64(*inode);
                }
                Extent::Waypoint(waypoint) => {
                    e.u8(4);
                    waypoint.state.iter().for_each(|word| e.u32(*word));
                    e.bytes(&waypoint.tail);
                }
            }
        }
        w.bytes(&e.0);
    }
    w.0
}

/// Reads what [`write_all`] wrote, and only that.
pub(crate) fn read_all(bytes: &[u8]) -> Result<Vec<Stored>, Malformed> {
    let mut r = Reader(bytes);
    let count = r.count(13)?;
    let one = |_| {
        let entry = read_evidence(r.bytes()?)?;
        Ok(Stored { entry, extents: read_extents(r.bytes()?)? })
    };
    let entries = (0..count).map(one).collect::<Result<Vec<_>, Malformed>>()?;
    r.end()?;
    Ok(entries)
}

fn read_extents(bytes: &[u8]) -> Result<Vec<Extent>, Malformed> {
    let (mut r, mut extents) = (Reader(bytes), Vec::new());
    while !r.0.is_empty() {
        extents.push(match r.u8()? {
            0 => Extent::Data(r.array()?, r.u32()?),
            1 => Extent::Zeros(r.u64()?),
            2 => Extent::Unreadable(r.u64()?),
            3 => Extent::Identity(r.u64()?, r.u64()?),
            4 => Extent::Waypoint(read_waypoint(&mut r)?.into()),
            _ => return Err("an extent has an unknown kind"),
        });
    }
    Ok(extents)
}

fn read_waypoint(r: &mut Reader<'_>) -> Result<Waypoint, Malformed> {
    let mut state = [0; 8];
    for word in &mut state {
        *word = r.u32()?;
    }
    Ok(Waypoint { state, tail: r.bytes()?.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Stored> {
        let meta = Meta {
            mode: 0o4755,
            uid: 1,
            gid: 2,
            mtime: (-5, 999_999_999),
            ctime: (7, 8),
            xattrs: vec![(b"user.a".to_vec(), vec![0, 255])],
        };
        let content =
            Content { size: 30, sha256: [3; 32], changed: true, unreadable: vec![(10, 20)] };
        let node = |node| Entry { path: vec![0xff, b'/', b'x'], node };
        let entries = [
            node(Node::File { meta: meta.clone(), content }),
            node(Node::Directory { meta: meta.clone() }),
            node(Node::Symlink { meta: meta.clone(), target: vec![0xfe] }),
            node(Node::HardLink { target: b"t".to_vec() }),
            node(Node::Fifo { meta: meta.clone() }),
            node(Node::Socket { meta: meta.clone() }),
            node(Node::Device { meta, kind: DeviceKind::Block, major: 8, minor: 1 }),
            node(Node::Unreadable { reason: "permission denied".into() }),
        ];
        let mut extents = vec![Extent::Identity(5, 6), Extent::Data([4; 24], 10)];
        extents.extend([Extent::Unreadable(20), Extent::Zeros(0)]);
        let state = std::array::from_fn(|i| i as u32);
        extents.push(Extent::Waypoint(Waypoint { state, tail: vec![1, 2] }.into()));
        entries.map(|entry| Stored { entry, extents: extents.clone() }).to_vec()
    }

    #[test]
    fn every_kind_comes_back() {
        assert_eq!(read_all(&write_all(&sample())).unwrap(), sample());
    }

    #[test]
    fn no_cut_and_no_flip_panics_and_every_cut_is_refused() {
        let bytes = write_all(&sample());
        for i in 0..bytes.len() {
            assert!(read_all(&bytes[..i]).is_err(), "cut at {i}");
            let mut bad = bytes.clone();
            bad[i] ^= 0x80;
            if let Ok(other) = read_all(&bad) {
                assert_ne!(other, sample(), "byte {i} says nothing");
            }
        }
    }
}
