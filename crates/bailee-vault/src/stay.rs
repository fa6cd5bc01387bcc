//! Who is in a unit, and which packs are still being written there.
//!
//! Invariants
//! 1. Whoever reads chunks or deduplicates against them **stays**: it holds a [`Stay`] from before
//!    it takes the unit's table until it looks into no pack of that table any more.
//! 2. After [`Stays::turn`], [`Stays::earlier_left`] says whether all stays from before it have
//!    ended. It counts stays, it does not look at clocks.
//! 3. A pack is **fresh** from before its put until the session that wrote it has ended: a prune
//!    keeps it, whether a snapshot names it yet or not.
//!
//! All of this is in memory: one process has the vault to itself (`vault.rs`, invariant 3), and
//! when it starts nobody stays and nothing is fresh.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLockReadGuard, Weak};

use crate::names::Tag;

/// Held by whoever reads from or writes into a unit.
pub(crate) struct Stay<'a> {
    pub(crate) _gate: RwLockReadGuard<'a, ()>,
    pub(crate) _turn: Arc<()>,
}

#[derive(Default)]
pub(crate) struct Stays {
    now: Mutex<Arc<()>>,
    earlier: Mutex<Vec<Weak<()>>>,
    sessions: Mutex<Vec<Weak<()>>>,
    fresh: Mutex<Vec<(Tag, Weak<()>)>>,
}

impl Stays {
    pub(crate) fn enter(&self) -> Arc<()> {
        Arc::clone(&lock(&self.now))
    }

    /// Divides those who stay now from those who come.
    pub(crate) fn turn(&self) {
        let before = std::mem::take(&mut *lock(&self.now));
        lock(&self.earlier).push(Arc::downgrade(&before));
    }

    /// Whether everybody who came before the last turn has left.
    pub(crate) fn earlier_left(&self) -> bool {
        let mut earlier = lock(&self.earlier);
        earlier.retain(|turn| turn.strong_count() > 0);
        earlier.is_empty()
    }

    /// A session that writes, for as long as the answer lives.
    pub(crate) fn session(&self) -> Arc<()> {
        let session = Arc::new(());
        lock(&self.sessions).push(Arc::downgrade(&session));
        session
    }

    /// Sessions that have not ended.
    pub(crate) fn writers(&self) -> usize {
        let mut sessions = lock(&self.sessions);
        sessions.retain(|session| session.strong_count() > 0);
        sessions.len()
    }

    /// Says that `session` is about to put a pack.
    pub(crate) fn writes(&self, pack: Tag, session: &Arc<()>) {
        lock(&self.fresh).push((pack, Arc::downgrade(session)));
    }

    /// The packs of sessions that have not ended.
    pub(crate) fn fresh(&self) -> HashSet<Tag> {
        let mut fresh = lock(&self.fresh);
        fresh.retain(|(_, session)| session.strong_count() > 0);
        fresh.iter().map(|(pack, _)| *pack).collect()
    }
}

/// A lock whose holder may have panicked: what it guards is replaced whole, never half-written.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_waits_for_those_before_it_and_for_nobody_else() {
        let stays = Stays::default();
        let early = stays.enter();
        stays.turn();
        let late = stays.enter();
        assert!(!stays.earlier_left());
        stays.turn();
        drop(early);
        assert!(!stays.earlier_left(), "the second turn made `late` early");
        drop(late);
        assert!(stays.earlier_left());
        let _stranger = stays.enter();
        assert!(stays.earlier_left(), "who comes after the turn is not waited for");
    }

    #[test]
    fn a_pack_is_fresh_as_long_as_its_session() {
        let (stays, one, two) = (Stays::default(), Arc::new(()), Arc::new(()));
        stays.writes([1; 16], &one);
        stays.writes([2; 16], &two);
        drop(one);
        assert_eq!(stays.fresh(), HashSet::from([[2; 16]]));
        drop(two);
        assert!(stays.fresh().is_empty());
    }
}
