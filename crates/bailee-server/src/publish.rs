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

use std::sync::{Arc, PoisonError};

use bailee_ledger::{Checkpoint, Note};
use bailee_store::{JournalError, Slot};

use crate::house::{House, HouseError, Inner};
use crate::keys::{Keys, Own};
use crate::projection::Projection;

/// Name of the cell and of the file.
pub(crate) const CHECKPOINT: &str = "checkpoint";

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
    slot: Option<&dyn Slot>,
    journal: &dyn bailee_store::Journal,
    projection: &Projection,
    keys: &Keys,
) -> Result<Published, HouseError> {
    let cell = journal.cell(CHECKPOINT)?;
    let file = slot.map(Slot::read).transpose()?.flatten();
    let mut published = Published { cell: cell.clone(), ..Published::default() };
    for bytes in cell.iter().chain(&file) {
        let own = keys.own(&projection.state.ring, bytes);
        match own.map_err(|e| HouseError::Published(e.to_string()))? {
            // Under a name that the log had: it binds the entries, and the next one is signed anew.
            Own::Before(checkpoint) => fits(projection, &checkpoint)?,
            Own::Now(checkpoint, note) => {
                fits(projection, &checkpoint)?;
                if checkpoint.size >= published.size {
                    (published.size, published.note) = (checkpoint.size, Some(note));
                }
            }
        }
    }
    Ok(published)
}

/// The journal must still contain what was signed.
pub(crate) fn fits(projection: &Projection, checkpoint: &Checkpoint) -> Result<(), HouseError> {
    let have = projection.tree.size();
    match projection.tree.root_at(checkpoint.size) {
        Err(_) => Err(HouseError::Restored { have, signed: checkpoint.size }),
        Ok(root) if root != checkpoint.root => Err(HouseError::Forked { size: checkpoint.size }),
        Ok(_) => Ok(()),
    }
}

impl House {
    /// The newest signed checkpoint, if there is one.
    pub fn checkpoint(&self) -> Option<Note> {
        let published = self.inner.published.lock().unwrap_or_else(PoisonError::into_inner);
        published.note.clone()
    }

    /// Waits until a signed checkpoint covers the first `size` entries, and gives it. An attempt
    /// to sign that failed before is made again; one that fails while this waits is the error.
    pub fn checkpoint_over(&self, size: u64) -> Result<(u64, Note), HouseError> {
        let have = self.with_projection(|projection| projection.tree.size())?;
        if size > have {
            let why = format!("the log has {have} entries, not {size}: nothing to sign over");
            return Err(HouseError::Published(why));
        }
        let mut published = self.inner.published.lock().unwrap_or_else(PoisonError::into_inner);
        let failed_before = published.failures;
        if published.size < size {
            self.inner.appended();
        }
        loop {
            if let Some(note) = published.note.as_ref().filter(|_| published.size >= size) {
                return Ok((published.size, note.clone()));
            }
            let failed = published.failures > failed_before;
            if let Some(why) = published.stopped.as_ref().filter(|_| failed) {
                return Err(HouseError::Published(why.clone()));
            }
            let more = self.inner.published_more.wait(published);
            published = more.unwrap_or_else(PoisonError::into_inner);
        }
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
    let of = |p: &Projection| Checkpoint::of(&house.config.origin, &p.tree);
    let (checkpoint, ring) = house.read(|p| (of(p), p.state.ring.clone()))?;
    let before = house.published.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if checkpoint.size <= before.size {
        return Ok(());
    }
    let note = house.keys.sign(house.dir.as_deref(), &checkpoint, &ring)?;
    let bytes = note.to_string().into_bytes();
    match house.journal.swap_cell(CHECKPOINT, before.cell.as_deref(), &bytes) {
        Ok(()) => hand_out(house, checkpoint.size, note, bytes),
        Err(JournalError::CellConflict { .. }) => adopt(house),
        Err(error) => Err(error.into()),
    }
}

/// The file first, then those who wait.
fn hand_out(house: &Inner, size: u64, note: Note, bytes: Vec<u8>) -> Result<(), HouseError> {
    if let Some(slot) = &house.slot {
        slot.replace(&bytes)?;
    }
    let mut published = house.published.lock().unwrap_or_else(PoisonError::into_inner);
    (published.size, published.note, published.cell) = (size, Some(note), Some(bytes));
    published.stopped = None;
    house.published_more.notify_all();
    house.attesting.look();
    house.stamping.look();
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
    let ring = house.read(|p| p.state.ring.clone())?;
    let Own::Now(checkpoint, note) = house.keys.own(&ring, &bytes)? else {
        let why = "another process signs under a name that this log had";
        return Err(HouseError::Published(why.into()));
    };
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
