//! The projection: state and tree, both functions of the journal. Deleting and rebuilding it is
//! how Bailee starts, and how it recovers from anything it did not expect.

use bailee_core::{Misfit, State, apply, wire};
use bailee_ledger::Tree;
use bailee_store::{Entry, Journal, JournalError};

/// State and tree after the same entries.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    /// What decisions are made on.
    pub state: State,
    /// What proofs are made from.
    pub tree: Tree,
}

/// Why the journal cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An entry cannot be decoded.
    #[error(transparent)]
    Entry(#[from] wire::BadEntry),
    /// An entry does not follow from those before it.
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

/// Entries read at once.
const PAGE: usize = 4096;

impl Projection {
    /// Rebuilds everything from the journal.
    pub fn replay(journal: &dyn Journal) -> Result<Projection, ReplayError> {
        let mut projection = Projection::default();
        projection.catch_up(journal)?;
        Ok(projection)
    }

    /// Applies what the journal has beyond this projection.
    pub fn catch_up(&mut self, journal: &dyn Journal) -> Result<(), ReplayError> {
        loop {
            let page = journal.read(self.state.head, PAGE)?;
            for entry in &page {
                self.take(entry)?;
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn take(&mut self, entry: &Entry) -> Result<(), ReplayError> {
        let sections = [0, 1, 2].map(|n: usize| entry.sections[n].as_ref());
        let sections = sections.map(|section| section.map(|section| section.bytes.as_slice()));
        let record = wire::decode(self.state.head, sections)?;
        apply(&mut self.state, &record)?;
        self.tree.push(&entry.leaf);
        Ok(())
    }
}
