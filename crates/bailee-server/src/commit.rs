//! Commit: what a decided fact looks like in the journal.
//!
//! Invariants: section bytes are encoded once, here; each section gets a fresh 32-byte salt from
//! the operating system, so that a commitment reveals nothing guessable; the leaf commits to all.

use bailee_core::{Record, wire};
use bailee_ledger::Leaf;
use bailee_store::{Entry, SECTIONS, Section};

/// Salts for a group of entries, drawn in one call.
pub(crate) struct Salts {
    bytes: Vec<u8>,
    used: usize,
}

impl Salts {
    /// Draws salts for `entries` entries. Error: the operating system has no randomness to give.
    pub(crate) fn draw(entries: usize) -> Result<Salts, getrandom::Error> {
        let mut bytes = vec![0; entries * SECTIONS * 32];
        getrandom::fill(&mut bytes)?;
        Ok(Salts { bytes, used: 0 })
    }

    fn next(&mut self) -> [u8; 32] {
        let mut salt = [0; 32];
        salt.copy_from_slice(&self.bytes[self.used..self.used + 32]);
        self.used += 32;
        salt
    }
}

/// The journal entry of a record.
pub(crate) fn entry(record: &Record, salts: &mut Salts) -> Entry {
    let sections = wire::encode(record.at, record.by, &record.fact);
    let sections = sections.map(|bytes| bytes.map(|bytes| Section { salt: salts.next(), bytes }));
    let committed = [0, 1, 2].map(|n: usize| {
        let section = sections[n].as_ref();
        section.map(|section| (section.bytes.as_slice(), &section.salt))
    });
    let leaf = Leaf::commit(record.fact.event.code(), record.at.unix(), committed);
    Entry { leaf: leaf.encode(), sections }
}
