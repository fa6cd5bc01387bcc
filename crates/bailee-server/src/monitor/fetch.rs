//! What a monitor fetches: the checkpoint, entry bundles, hash tiles (c2sp.org/tlog-tiles).
//!
//! Invariants: every answer is bounded by what it can be at most; an entry bundle holds exactly the
//! entries its width says; at most one bundle and one tile of a level are in memory at a time;
//! a size, however large it is said to be, costs nothing before its entries are there.

use std::collections::BTreeMap;
use std::time::Duration;

use bailee_ledger::TileId;
use bailee_ledger::checkpoint::MAX_CHECKPOINT;
use bailee_ledger::hash::{Hash, leaf_hash};
use bailee_ledger::monitor::{Alarm, Growing};
use bailee_ledger::tile::{MAX_ENTRY, TILE_HEIGHT, TILE_WIDTH, TileKind, decode_entries};

use crate::monitor::MonitorError;
use crate::web::{Answer, Web};

/// Hashes of a full tile.
const WIDE: u64 = TILE_WIDTH as u64;
/// Largest entry bundle: 256 entries of the largest size.
const BUNDLE: u64 = (MAX_ENTRY as u64 + 2) * WIDE;
/// Largest hash tile.
const TILE: u64 = WIDE * 32;

/// The status of what is served no more.
const GONE: u16 = 410;

/// Somebody's log.
pub(super) struct Log {
    web: Web,
    url: String,
    patience: Duration,
}

impl Log {
    pub(super) fn new(web: Web, url: &str, patience: Duration) -> Log {
        Log { web, url: url.trim_end_matches('/').to_owned(), patience }
    }

    pub(super) fn checkpoint(&self) -> Result<Vec<u8>, MonitorError> {
        self.file("checkpoint", MAX_CHECKPOINT as u64)
    }

    /// A hash tile.
    pub(super) fn tile(&self, tile: &TileId) -> Result<Vec<u8>, MonitorError> {
        self.file(&tile.to_string(), TILE)
    }

    /// Something elsewhere, if it is there.
    pub(super) fn other(&self, url: &str) -> Option<Vec<u8>> {
        let answer = self.web.get(url, MAX_CHECKPOINT as u64, self.patience).ok()?;
        (answer.status == 200).then_some(answer.body)
    }

    fn file(&self, name: &str, most: u64) -> Result<Vec<u8>, MonitorError> {
        let gone = || MonitorError::Log {
            url: format!("{}/{name}", self.url),
            detail: format!("status {GONE}"),
        };
        self.file_or_gone(name, most)?.ok_or_else(gone)
    }

    /// `None`: it was there, and is served no more.
    fn file_or_gone(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, MonitorError> {
        let url = format!("{}/{name}", self.url);
        let failed = |detail: String| MonitorError::Log { url: url.clone(), detail };
        match self.web.get(&url, most, self.patience).map_err(|e| failed(e.to_string()))? {
            Answer { status: 200, body, .. } => Ok(Some(body)),
            Answer { status: GONE, .. } => Ok(None),
            Answer { status, .. } => Err(failed(format!("status {status}"))),
        }
    }

    /// Pushes the entries from where the tree ends up to `size`, each beside the hash that is
    /// served for it; the number of those whose entries are served no more, and whose hashes stand
    /// in for them. A log lets go of its oldest entries first, or of none.
    pub(super) fn entries(
        &self,
        growing: &mut Growing,
        size: u64,
    ) -> Result<Result<u64, Alarm>, MonitorError> {
        let (start, mut unread) = (growing.size(), 0);
        while growing.size() < size {
            let from = growing.size();
            let tile = tile_at(TileKind::Entries, from, size);
            let hashes = TileId { kind: TileKind::Hashes { level: 0 }, ..tile };
            let bundle = self.file_or_gone(&tile.to_string(), BUNDLE)?;
            let hashes = self.tile(&hashes)?;
            let Some(bundle) = bundle else {
                let hashes = hashes.as_chunks::<32>().0;
                let new = hashes.iter().skip((from % WIDE) as usize);
                if hashes.len() != usize::from(tile.width) {
                    return Ok(Err(Alarm::Files(format!("the hash tile of {tile} is cut short"))));
                }
                if from != start + unread {
                    let text = format!("entries from {from} on are denied, and older ones served");
                    return Ok(Err(Alarm::Files(text)));
                }
                new.for_each(|hash| growing.push(*hash, *hash));
                unread += growing.size() - from;
                continue;
            };
            let Ok(entries) = decode_entries(&bundle, tile.width) else {
                return Ok(Err(Alarm::Files(format!("{tile} is no entry bundle of its width"))));
            };
            let hashes = hashes.as_chunks::<32>().0;
            if hashes.len() != entries.len() {
                return Ok(Err(Alarm::Files(format!("the hash tile of {tile} has another width"))));
            }
            let new = entries.iter().zip(hashes).skip((from % WIDE) as usize);
            new.for_each(|(entry, hash)| growing.push(leaf_hash(entry), *hash));
        }
        Ok(Ok(unread))
    }

    /// Compares hashes above the leaves with the tiles that a tree of `size` leaves has.
    pub(super) fn above(
        &self,
        above: &[(u8, u64, Hash)],
        size: u64,
    ) -> Result<Result<(), Alarm>, MonitorError> {
        let mut read: BTreeMap<TileId, Vec<u8>> = BTreeMap::new();
        for (level, position, hash) in above {
            let hashes = size >> (TILE_HEIGHT * u32::from(*level));
            let tile = tile_at(TileKind::Hashes { level: *level }, *position, hashes);
            if !read.contains_key(&tile) {
                // Positions ascend, so a full tile is not needed again: one a level is kept.
                read.retain(|other, _| other.kind != tile.kind);
                read.insert(tile, self.tile(&tile)?);
            }
            let offset = (position % WIDE) as usize * 32;
            let found = read.get(&tile).and_then(|bytes| bytes.get(offset..offset + 32));
            if found != Some(hash.as_slice()) {
                return Ok(Err(Alarm::Files(format!("{tile} is not of the signed tree"))));
            }
        }
        Ok(Ok(()))
    }
}

/// The tile with this position, as wide as it is when its level has `end` hashes.
fn tile_at(kind: TileKind, position: u64, end: u64) -> TileId {
    let index = position / WIDE;
    TileId { kind, index, width: (end - index * WIDE).min(WIDE) as u16 }
}
