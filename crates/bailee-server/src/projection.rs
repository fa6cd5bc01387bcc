//! The projection: state and tree, both functions of the journal. Deleting and rebuilding it is
//! how Bailee starts, and how it recovers from anything it did not expect. (A large house starts
//! from an image of it instead: image.rs.)
//!
//! A whole journal is replayed by three threads: one reads pages, one holds them against their
//! leaves and decodes them, one applies; the first error in log order is the one that is told.
//!
//! Invariants: a section is believed only if it opens what its leaf commits to, and a leaf only if
//! it has the event's type; a section that is gone must be named by an erasure. So bytes changed,
//! swapped or taken out behind the log's back are an error with their place, never a state. (That
//! the leaves are those that were signed is held against the checkpoint, in publish.rs.)

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use bailee_core::{Event, Misfit, Record, Replay, State, apply, wire};
use bailee_ledger::hash::leaf_hash;
use bailee_ledger::leaf::SECTION_NAMES;
use bailee_ledger::{Hash, Leaf, Tree};
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

/// Pages that one thread may be ahead of the next.
const AHEAD: usize = 4;

/// An entry that is what its leaf commits to.
struct Read {
    record: Record,
    leaf: Hash,
    /// Sections that are committed to and gone.
    gone: [bool; 3],
}

type Page<T> = Result<Vec<T>, ReplayError>;

impl Projection {
    /// State and tree of one moment, every section of which is accounted for.
    pub(crate) fn of(state: State, tree: Tree) -> Projection {
        Projection { state, tree, gone: BTreeSet::new() }
    }

    /// Rebuilds everything from the journal.
    pub fn replay(journal: &dyn Journal) -> Result<Projection, ReplayError> {
        let (to_reader, pages) = sync_channel(AHEAD);
        let (to_applier, read) = sync_channel(AHEAD);
        thread::scope(|scope| {
            scope.spawn(move || read_pages(journal, &to_reader));
            scope.spawn(move || hold_against_leaves(&pages, &to_applier));
            apply_all(read)
        })
    }

    /// Applies what the journal has beyond this projection.
    pub fn catch_up(&mut self, journal: &dyn Journal) -> Result<(), ReplayError> {
        loop {
            let page = journal.read(self.state.head, PAGE)?;
            for entry in &page {
                let read = read(self.state.head, entry)?;
                account(&mut self.gone, &read);
                apply(&mut self.state, &read.record)?;
                self.tree.push_hash(read.leaf);
            }
            if page.len() < PAGE {
                return all_there(&self.gone);
            }
        }
    }
}

/// Reads pages until the journal ends, cannot be read, or nobody listens any more.
fn read_pages(journal: &dyn Journal, to: &SyncSender<Page<Entry>>) {
    let mut from = 0;
    loop {
        let page = journal.read(from, PAGE).map_err(ReplayError::from);
        let length = page.as_ref().map_or(0, Vec::len);
        from += length as u64;
        if to.send(page).is_err() || length < PAGE {
            return;
        }
    }
}

fn hold_against_leaves(pages: &Receiver<Page<Entry>>, to: &SyncSender<Page<Read>>) {
    let mut seq = 0;
    for page in pages {
        let page = page.and_then(|page| {
            let entries = page.iter().enumerate();
            entries.map(|(n, entry)| read(seq + n as u64, entry)).collect::<Page<Read>>()
        });
        seq += page.as_ref().map_or(0, Vec::len) as u64;
        if to.send(page).is_err() {
            return;
        }
    }
}

/// Takes the receiver: when this ends early, the threads that send to it have to.
fn apply_all(pages: Receiver<Page<Read>>) -> Result<Projection, ReplayError> {
    let (mut replay, mut tree, mut gone) = (Replay::new(), Tree::new(), BTreeSet::new());
    for page in pages {
        for read in page? {
            account(&mut gone, &read);
            tree.push_hash(read.leaf);
            replay.apply(read.record)?;
        }
    }
    all_there(&gone)?;
    let state = replay.finish_with(|names, letters| {
        thread::scope(|scope| {
            scope.spawn(names);
            letters();
        });
    });
    Ok(Projection { state, tree, gone })
}

/// Reads an entry: its sections open its leaf, and its event has the leaf's type.
fn read(seq: u64, entry: &Entry) -> Result<Read, ReplayError> {
    let leaf = Leaf::decode(&entry.leaf).map_err(|source| ReplayError::Leaf { seq, source })?;
    let mut gone = [false; 3];
    for (n, section) in entry.sections.iter().enumerate() {
        match (section, leaf.commitments[n]) {
            (None, committed) => gone[n] = committed.is_some(),
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
    Ok(Read { record, leaf: leaf_hash(&entry.leaf), gone })
}

/// Notes what is gone, and strikes what an erasure names.
fn account(gone: &mut BTreeSet<(u64, usize)>, read: &Read) {
    let missing = (0..3).filter(|n| read.gone[*n]);
    gone.extend(missing.map(|n| (read.record.seq, n)));
    if let Event::DetailsErased { positions, papers, .. } = &read.record.fact.event {
        for seq in positions {
            gone.remove(&(*seq, WHO));
        }
        for seq in papers {
            gone.remove(&(*seq, PAPERS));
        }
    }
}

fn all_there(gone: &BTreeSet<(u64, usize)>) -> Result<(), ReplayError> {
    match gone.first() {
        None => Ok(()),
        Some((seq, n)) => Err(ReplayError::Gone { seq: *seq, what: SECTION_NAMES[*n] }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use bailee_store::{Batch, Digest};

    use super::*;

    /// Far more pages than the threads may be ahead, and not one entry that is any.
    struct Broken;

    impl Journal for Broken {
        fn head(&self) -> Result<u64, JournalError> {
            Ok(32 * PAGE as u64)
        }
        fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
            let entry = Entry { leaf: b"no leaf".to_vec(), sections: [None, None, None] };
            let count = usize::try_from(self.head()? - from).unwrap().min(limit);
            Ok(vec![entry; count])
        }
        fn append(&self, _: u64, _: &Batch) -> Result<u64, JournalError> {
            unreachable!("it is only read")
        }
        fn erase(&self, _: &[(u64, usize)], _: &[Digest]) -> Result<(), JournalError> {
            unreachable!("it is only read")
        }
        fn exhibit(&self, _: &Digest) -> Result<Option<Vec<u8>>, JournalError> {
            unreachable!("it is only read")
        }
        fn cell(&self, _: &str) -> Result<Option<Vec<u8>>, JournalError> {
            unreachable!("it is only read")
        }
        fn swap_cell(&self, _: &str, _: Option<&[u8]>, _: &[u8]) -> Result<(), JournalError> {
            unreachable!("it is only read")
        }
    }

    /// The threads that are ahead wait for nobody: a damaged journal is told, and told at once.
    #[test]
    fn the_first_error_ends_the_replay_of_a_long_journal() {
        let (done, told) = channel();
        let journal = Arc::new(Broken);
        thread::spawn(move || done.send(Projection::replay(&*journal).map(drop)));
        let ended = told.recv_timeout(Duration::from_secs(300)).expect("it ends");
        assert!(matches!(ended, Err(ReplayError::Leaf { seq: 0, .. })), "{ended:?}");
    }
}
