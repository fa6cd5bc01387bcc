//! Publish: signs a checkpoint over what is durable, and never over anything else.
//!
//! Invariants
//! 1. A checkpoint is signed only after its entries are durable.
//! 2. Order: sign in memory -> swap the journal's `checkpoint` cell (compare-and-swap: of two
//!    processes only one wins each size) -> replace the `checkpoint` file, fsync of file and
//!    directory -> hand it out. A crash between any two leaves an older checkpoint of the same
//!    tree; the next start signs again, and a tree of one size has one root.
//! 3. The file lies outside the database: a restored old database is recognised by it, and a log
//!    that would fork refuses to sign.
//!
//! Out of scope: a restored copy of the whole directory. Only witnesses and receipts in others'
//! hands can show that (docs/threat-model.md).

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use bailee_ledger::{Checkpoint, Note, Verifier};
use bailee_store::JournalError;

use crate::house::{HouseError, Inner};
use crate::projection::Projection;

/// Name of the cell and of the file.
const CHECKPOINT: &str = "checkpoint";

/// The newest checkpoint that was handed out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Published {
    /// Tree size it covers.
    pub(crate) size: u64,
    /// The signed note; `None` before the first.
    pub(crate) note: Option<Note>,
    /// Why the last attempt to sign failed; `None` after one that did not.
    pub(crate) stopped: Option<String>,
    /// Attempts that failed.
    pub(crate) failures: u64,
    /// The cell's bytes, as last seen.
    cell: Option<Vec<u8>>,
}

/// Reads what was published before and holds it against the journal.
pub(crate) fn resume(
    house_dir: Option<&Path>,
    journal: &dyn bailee_store::Journal,
    projection: &Projection,
    key: &Verifier,
) -> Result<Published, HouseError> {
    let cell = journal.cell(CHECKPOINT)?;
    let file = match house_dir.map(|dir| fs::read(dir.join(CHECKPOINT))) {
        None => None,
        Some(Ok(bytes)) => Some(bytes),
        Some(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
        Some(Err(error)) => return Err(HouseError::io("read the published checkpoint", &error)),
    };
    let mut published = Published { cell: cell.clone(), ..Published::default() };
    for bytes in cell.iter().chain(&file) {
        let (checkpoint, note) =
            Checkpoint::open(bytes, key).map_err(|e| HouseError::Published(e.to_string()))?;
        fits(projection, &checkpoint)?;
        if checkpoint.size >= published.size {
            (published.size, published.note) = (checkpoint.size, Some(note));
        }
    }
    Ok(published)
}

/// The journal must still contain what was signed.
fn fits(projection: &Projection, checkpoint: &Checkpoint) -> Result<(), HouseError> {
    let have = projection.tree.size();
    match projection.tree.root_at(checkpoint.size) {
        Err(_) => Err(HouseError::Restored { have, signed: checkpoint.size }),
        Ok(root) if root != checkpoint.root => Err(HouseError::Forked { size: checkpoint.size }),
        Ok(_) => Ok(()),
    }
}

/// Signs whenever the journal has grown, until the house closes.
pub(crate) fn run(house: &Arc<Inner>) {
    while house.wait_for_growth() {
        // A failure is told to those who wait, and tried again at the next growth or demand.
        if let Err(error) = publish(house) {
            let mut published = house.published.lock().unwrap_or_else(PoisonError::into_inner);
            published.stopped = Some(error.to_string());
            published.failures += 1;
            house.published_more.notify_all();
        }
    }
}

/// Signs and publishes the tree as it is now, if it has grown.
fn publish(house: &Inner) -> Result<(), HouseError> {
    // `read` gives a durable state only: after a failed append, the journal's own.
    let checkpoint = house.read(|p| Checkpoint::of(&house.config.origin, &p.tree))?;
    let before = house.published.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if checkpoint.size <= before.size {
        return Ok(());
    }
    let sign = |e: bailee_ledger::Error| HouseError::Published(e.to_string());
    let note = checkpoint.sign(&house.keys.log).map_err(sign)?;
    let bytes = note.to_string().into_bytes();
    match house.journal.swap_cell(CHECKPOINT, before.cell.as_deref(), &bytes) {
        Ok(()) => hand_out(house, checkpoint.size, note, bytes),
        Err(JournalError::CellConflict { .. }) => adopt(house),
        Err(error) => Err(error.into()),
    }
}

/// The file first, then those who wait.
fn hand_out(house: &Inner, size: u64, note: Note, bytes: Vec<u8>) -> Result<(), HouseError> {
    if let Some(dir) = &house.dir {
        replace(dir, &bytes).map_err(|e| HouseError::io("publish the checkpoint", &e))?;
    }
    let mut published = house.published.lock().unwrap_or_else(PoisonError::into_inner);
    (published.size, published.note, published.cell) = (size, Some(note), Some(bytes));
    published.stopped = None;
    house.published_more.notify_all();
    house.attesting.look();
    Ok(())
}

/// Another process, or an attempt of ours whose answer was lost, swapped the cell: take it over if
/// it is of this very tree; the next growth signs on top of it.
fn adopt(house: &Inner) -> Result<(), HouseError> {
    let Some(bytes) = house.journal.cell(CHECKPOINT)? else {
        house.published.lock().unwrap_or_else(PoisonError::into_inner).cell = None;
        house.appended();
        return Ok(());
    };
    let (checkpoint, note) = Checkpoint::open(&bytes, house.keys.log.verifier())
        .map_err(|e| HouseError::Published(e.to_string()))?;
    let behind = house.read(|p| p.tree.size() < checkpoint.size)?;
    if behind {
        // The other process has appended more than this one has read.
        house.set_stale();
    }
    house.read(|projection| fits(projection, &checkpoint))??;
    let newer = {
        let mut published = house.published.lock().unwrap_or_else(PoisonError::into_inner);
        published.cell = Some(bytes.clone());
        checkpoint.size > published.size
    };
    if newer {
        hand_out(house, checkpoint.size, note, bytes)?;
    }
    house.appended();
    Ok(())
}

/// Replaces the file: written aside, synced, renamed, directory synced.
fn replace(dir: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let aside = dir.join("checkpoint.new");
    let mut file = File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, dir.join(CHECKPOINT))?;
    File::open(dir)?.sync_all()
}
