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
//! 4. The file is there before the first entry is: a new house puts a signed checkpoint of the
//!    empty tree there when it is opened, before anything can be appended. So a journal with
//!    entries, or with a cell, and no file is one whose file was taken away: nothing is signed.
//! 5. What a crash left in the cell alone is held against the tree, and was not handed out: it is
//!    signed again and goes to the file before others get it.
//!
//! | a crash after …         | leaves, and the next opening                               |
//! |-------------------------|------------------------------------------------------------|
//! | settings written        | no journal: it is made; the file before its first entry    |
//! | journal made            | no entry, no cell, no file: the file is written            |
//! | file written aside      | the same; the leftover is written over                     |
//! | file named              | no entry under a checkpoint of the empty tree: it fits     |
//! | first entry appended    | entries under the empty tree: it fits, all is signed then  |
//! | first cell swapped      | a cell over more than the file: invariant 5                |
//!
//! What answers after that is the file itself: it is replaced, never removed. A journal that was
//! taken away together with the file is out of scope, as is a copy of the whole directory.
//!
//! Out of scope: a restored copy of the whole directory. Only witnesses and receipts in others'
//! hands can show that (docs/threat-model.md).

use std::path::Path;
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
    if slot.is_some() && file.is_none() {
        in_place(false, projection, cell.as_deref())?;
    }
    let mut published = Published { cell: cell.clone(), ..Published::default() };
    let both = [(Where::Journal, &cell), (Where::File, &file)];
    for (at, bytes) in both.into_iter().filter_map(|(at, one)| Some((at, one.as_ref()?))) {
        let own = keys.own(&projection.state.ring, bytes);
        match own.map_err(|e| at.unfit(&e.to_string()))? {
            // Under a name that the log had: it binds the entries, and the next one is signed anew.
            Own::Before(checkpoint) => fits(projection, &checkpoint)?,
            Own::Now(checkpoint, note) => {
                fits(projection, &checkpoint)?;
                // What is in the cell alone was not handed out, and is not before the file has it.
                if checkpoint.size > 0 && at.is_last(slot) {
                    (published.size, published.note) = (checkpoint.size, Some(note));
                }
            }
        }
    }
    Ok(published)
}

/// Where a signed checkpoint was read.
#[derive(Clone, Copy)]
enum Where {
    Journal,
    File,
}

impl Where {
    /// What is here was handed out.
    fn is_last(self, slot: Option<&dyn Slot>) -> bool {
        match self {
            Where::Journal => slot.is_none(),
            Where::File => true,
        }
    }

    fn unfit(self, detail: &str) -> HouseError {
        let detail = detail.to_owned();
        match self {
            Where::Journal => HouseError::BadCell { detail },
            Where::File => HouseError::BadCheckpoint { detail },
        }
    }
}

/// A journal in which something was recorded or signed has its file beside it.
pub(crate) fn in_place(
    there: bool,
    projection: &Projection,
    cell: Option<&[u8]>,
) -> Result<(), HouseError> {
    let have = projection.tree.size();
    match there || (have == 0 && cell.is_none()) {
        true => Ok(()),
        false => Err(HouseError::NoCheckpoint { have }),
    }
}

/// Before the first entry of a new house: its file, over the empty tree.
pub(crate) fn begin(
    slot: Option<&dyn Slot>,
    dir: Option<&Path>,
    origin: &str,
    projection: &Projection,
    keys: &Keys,
) -> Result<(), HouseError> {
    let Some(slot) = slot.filter(|_| projection.tree.size() == 0) else { return Ok(()) };
    if slot.read()?.is_some() {
        return Ok(());
    }
    let empty = Checkpoint::of(origin, &projection.tree);
    let note = keys.sign(dir, &empty, &projection.state.ring)?;
    Ok(slot.replace(note.to_string().as_bytes())?)
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
