//! Tiles (c2sp.org/tlog-tiles): the tree and its leaves as static files.
//!
//! Invariants: a path has one spelling and a width of 1 to 256 (256 without suffix), so a hostile
//! path is an error before anything is looked up; a tile's bytes are copies of stored subtree
//! hashes, so a full tile never changes. Layout is `tile/<L>/<N>[.p/<W>]` and
//! `tile/entries/<N>[.p/<W>]`, not the older Go sumdb one (`tile/8/0/..`).
//!
//! Out of scope: serving and storing. Partial tiles are computed on request, never kept.

use std::fmt;

use crate::encoding::decimal;
use crate::error::Error;
use crate::tree::Tree;

const WHAT: &str = "tile path";
const BUNDLE: &str = "entry bundle";
/// Hashes in a full tile.
pub const TILE_WIDTH: u16 = 256;
/// log2 of [`TILE_WIDTH`].
pub const TILE_HEIGHT: u32 = 8;
/// Highest level a path may name.
pub const MAX_LEVEL: u8 = 63;
/// Longest entry in a bundle, in bytes.
pub const MAX_ENTRY: usize = 65_535;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TileKind {
    /// Hashes of subtrees of 256^level leaves.
    Hashes {
        /// 0 for leaf hashes.
        level: u8,
    },
    /// The leaves themselves.
    Entries,
}

/// A tile's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TileId {
    /// Hashes at a level, or entries.
    pub kind: TileKind,
    /// Index of the tile in its level.
    pub index: u64,
    /// 1 to 256; 256 is a full tile.
    pub width: u16,
}

impl TileId {
    /// Parses a path without leading slash.
    pub fn parse(path: &str) -> Result<Self, Error> {
        let bad = |why| Error::malformed(WHAT, why);
        let rest = path.strip_prefix("tile/").ok_or(bad("it does not start with tile/"))?;
        let (level, rest) = rest.split_once('/').ok_or(bad("it has no index"))?;
        let kind = match level {
            "entries" => TileKind::Entries,
            level => {
                let level = decimal(level).and_then(|level| u8::try_from(level).ok());
                let level = level.filter(|level| *level <= MAX_LEVEL);
                TileKind::Hashes { level: level.ok_or(bad("the level is not 0 to 63"))? }
            }
        };
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, TILE_WIDTH),
            Some((index, width)) => {
                let width = decimal(width).and_then(|width| u16::try_from(width).ok());
                let partial = width.filter(|width| (1..TILE_WIDTH).contains(width));
                (index, partial.ok_or(bad("the width is not 1 to 255"))?)
            }
        };
        let index = parse_index(index).ok_or(bad("the index is not in groups of three digits"))?;
        Ok(Self { kind, index, width })
    }

    /// The tiles to publish when the tree grows from `old` to `new` leaves: every level's tiles
    /// that have hashes past `old`, full ones and the last partial one, and the entry bundles.
    pub fn grown(old: u64, new: u64) -> Vec<TileId> {
        let mut tiles = Vec::new();
        for level in 0..=(63 / TILE_HEIGHT) {
            let (from, to) = (old >> (level * TILE_HEIGHT), new >> (level * TILE_HEIGHT));
            let kind = TileKind::Hashes { level: level as u8 };
            let mut hashes: Vec<TileId> = tiles_between(kind, from, to).collect();
            if level == 0 {
                tiles.extend(tiles_between(TileKind::Entries, from, to));
            }
            tiles.append(&mut hashes);
        }
        tiles
    }

    /// First position of the tile in its level, and one past its last.
    pub fn range(&self) -> Option<std::ops::Range<u64>> {
        let start = self.index.checked_mul(u64::from(TILE_WIDTH))?;
        Some(start..start.checked_add(u64::from(self.width))?)
    }
}

fn tiles_between(kind: TileKind, from: u64, to: u64) -> impl Iterator<Item = TileId> {
    let wide = u64::from(TILE_WIDTH);
    let tiles = if from < to { from / wide..to.div_ceil(wide) } else { 0..0 };
    tiles.map(move |index| {
        let width = (to - index * wide).min(wide) as u16;
        TileId { kind, index, width }
    })
}

fn parse_index(text: &str) -> Option<u64> {
    let mut index: u64 = 0;
    let mut groups = text.split('/').peekable();
    let mut first = true;
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let padded = first && groups.peek().is_some() && digits == "000";
        if padded {
            return None;
        }
        first = false;
        index = index.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?;
    }
    Some(index)
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}/")?,
            TileKind::Entries => write!(f, "tile/entries/")?,
        }
        let mut groups = vec![self.index % 1_000];
        let mut rest = self.index / 1_000;
        while rest > 0 {
            groups.push(rest % 1_000);
            rest /= 1_000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if self.width < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// The bytes of a hash tile: `width` hashes of 32 bytes. Errors: an entries address, or hashes the
/// tree does not have yet.
pub fn hash_tile(tree: &Tree, tile: &TileId) -> Result<Vec<u8>, Error> {
    let TileKind::Hashes { level } = tile.kind else {
        return Err(Error::malformed(WHAT, "entries are not part of the tree"));
    };
    let size = tree.size();
    let missing = || Error::OutOfRange { what: "tile", got: tile.index, size };
    let range = tile.range().ok_or_else(missing)?;
    let mut bytes = Vec::with_capacity(usize::from(tile.width) * 32);
    for position in range {
        let hash = tree.subtree(u32::from(level) * TILE_HEIGHT, position).ok_or_else(missing)?;
        bytes.extend_from_slice(&hash);
    }
    Ok(bytes)
}

/// An entry bundle: each entry with a big-endian u16 length before it. Error: an entry above
/// 65,535 bytes.
pub fn encode_entries<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| {
            let (limit, got) = (MAX_ENTRY as u64, entry.len() as u64);
            Error::TooLarge { what: BUNDLE, limit, got }
        })?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// The entries of a bundle; there must be exactly `width` and nothing after them.
pub fn decode_entries(mut bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, Error> {
    let short = Error::malformed(BUNDLE, "it ends inside an entry");
    let mut entries = Vec::with_capacity(usize::from(width));
    for _ in 0..width {
        let (length, rest) = bytes.split_first_chunk::<2>().ok_or(short.clone())?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(short.clone())?;
        entries.push(entry);
        bytes = rest;
    }
    if bytes.is_empty() {
        Ok(entries)
    } else {
        Err(Error::malformed(BUNDLE, "it has bytes after its last entry"))
    }
}
