//! The projection: state and tree, both functions of the journal. Deleting and rebuilding it is
//! how Bailee starts, and how it recovers from anything it did not expect.
//!
//! Invariants: a section is believed only if it opens what its leaf commits to, and a leaf only if
//! it has the event's type; a section that is gone must be named by an erasure. So bytes changed,
//! swapped or taken out behind the log's back are an error with their place, never a state. (That
//! the leaves are those that were signed is held against the checkpoint, in publish.rs.)

use std::collections::BTreeSet;

use bailee_core::{Event, Misfit, State, apply, wire};
use bailee_ledger::leaf::SECTION_NAMES;
use bailee_ledger::{Leaf, Tree};
use bailee_store::{Entry, Journal, JournalError};

/// State and tree after the same entries.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    /// What decisions are made on.
    pub state: State,
    /// What proofs are made from.
    pub tree: Tree,
    /// Sections that are committed to and gone, and that no erasure has named so far.
    gone: BTreeSet<(u64, usize)>,
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
    /// The leaf bytes are none.
    #[error("entry {seq}: {source}")]
    Leaf {
        /// Log position.
        seq: u64,
        /// What is wrong with them.
        source: bailee_ledger::Error,
    },
    /// Stored bytes are not those that the leaf commits to.
    #[error("entry {seq}: {what} is not what its leaf commits to: restore the journal from a copy")]
    NotCommitted {
        /// Log position.
        seq: u64,
        /// The section, or the type.
        what: &'static str,
    },
    /// A section is gone and nobody erased it.
    #[error(
        "entry {seq}: its {what} is gone, and no erasure names it: restore the journal from a copy"
    )]
    Gone {
        /// Log position.
        seq: u64,
        /// The section.
        what: &'static str,
    },
}

/// Entries read at once.
const PAGE: usize = 4096;
/// Number of the section with a party's details.
pub(crate) const WHO: usize = 1;
/// Number of the section with documents.
pub(crate) const PAPERS: usize = 2;

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
                return self.all_there();
            }
        }
    }

    fn all_there(&self) -> Result<(), ReplayError> {
        match self.gone.first() {
            None => Ok(()),
            Some((seq, n)) => Err(ReplayError::Gone { seq: *seq, what: SECTION_NAMES[*n] }),
        }
    }

    fn take(&mut self, entry: &Entry) -> Result<(), ReplayError> {
        let seq = self.state.head;
        let leaf = Leaf::decode(&entry.leaf).map_err(|source| ReplayError::Leaf { seq, source })?;
        for (n, section) in entry.sections.iter().enumerate() {
            match (section, leaf.commitments[n]) {
                (None, None) => {}
                (None, Some(_)) => _ = self.gone.insert((seq, n)),
                (Some(section), _) if leaf.opens(n, &section.bytes, &section.salt) => {}
                (Some(_), _) => {
                    return Err(ReplayError::NotCommitted { seq, what: SECTION_NAMES[n] });
                }
            }
        }
        let sections = [0, 1, 2].map(|n: usize| entry.sections[n].as_ref());
        let sections = sections.map(|section| section.map(|section| section.bytes.as_slice()));
        let record = wire::decode(seq, sections)?;
        if record.fact.event.code() != leaf.type_code {
            return Err(ReplayError::NotCommitted { seq, what: "type" });
        }
        if let Event::DetailsErased { positions, papers, .. } = &record.fact.event {
            for seq in positions {
                self.gone.remove(&(*seq, WHO));
            }
            for seq in papers {
                self.gone.remove(&(*seq, PAPERS));
            }
        }
        apply(&mut self.state, &record)?;
        self.tree.push(&entry.leaf);
        Ok(())
    }
}
