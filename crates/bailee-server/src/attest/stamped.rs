//! What stamping needs of attested checkpoints: one that stays as it is, and its tokens.
//!
//! Invariant: a token is asked for over bytes that are kept already, so that it can never be over
//! anything else than what is shown with it.

use std::collections::BTreeSet;

use bailee_ledger::Note;
use bailee_store::Put;

use crate::attest::round::Gathered;
use crate::attest::{Attested, Attesting};
use crate::house::HouseError;
use crate::stamping::Desk;

/// Whether a checkpoint may be fixed without its quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quorum {
    /// It may not.
    Needed,
    /// It was waited for long enough.
    Waived,
}

impl Attesting {
    /// Fixes what is stamped: the newest checkpoint, over `size` leaves or more, kept as it is with
    /// the cosignatures there are. `None`: its quorum is not there yet, and is needed.
    pub(crate) fn fix(
        &self,
        size: u64,
        note: Note,
        quorum: Quorum,
    ) -> Result<Option<Attested>, HouseError> {
        let (mut size, mut note) = (size, note);
        if let Some(timeout) = self.timeout {
            self.wait(size, timeout.saturating_mul(2));
            if let Some(gathered) = self.gathered(size) {
                let newest = Attested::of(gathered)?;
                (size, note) = (newest.size, newest.note);
            }
            let reached = Gathered::of(note.clone(), &self.policy)?.satisfies(&self.policy);
            if !reached && quorum == Quorum::Needed {
                return Ok(None);
            }
        }
        self.kept.put(size, &note).map(Some)
    }

    /// The attested checkpoint of exactly this size.
    pub(crate) fn kept(&self, size: u64) -> Result<Attested, HouseError> {
        self.kept.load(size)
    }

    /// Every size and authority with a token, ascending.
    pub(crate) fn stamped(&self) -> Result<BTreeSet<(u64, String)>, HouseError> {
        self.kept.stamped()
    }

    /// Keeps token `n` of an authority, with its roots.
    pub(crate) fn put_token(
        &self,
        size: u64,
        desk: &Desk,
        n: usize,
        token: &[u8],
    ) -> Result<Put, HouseError> {
        self.kept.put_stamp(size, desk, n, token)
    }
}
