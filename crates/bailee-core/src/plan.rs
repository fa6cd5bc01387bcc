//! Plan: what the shell has to do now, as intents that leave it no choice.
//!
//! Invariants: an intent carries every id; doing it twice is harmless (its key is the idempotency
//! key); it stays pending until the command that reports it is applied, so a crash between doing
//! and reporting repeats it.

use std::fmt;

use crate::id::{DemandId, DutyId, NoticeId};
use crate::state::State;

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intent {
    /// Destroy what the erasure at this log position names, in the store. Reported by nothing:
    /// it is repeated at every start, which is cheap and idempotent.
    Erase(u64),
    /// Send the receipt of a demand; reported by `ReceiptSent`.
    SendReceipt(DemandId),
    /// Send one attempt of a notice; reported by `NoticeSent`.
    SendNotice(NoticeId, u8),
    /// Tell a human; reported by `DutyPaged`.
    PageHuman(DutyId),
}

impl fmt::Display for Intent {
    /// The idempotency key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Intent::Erase(seq) => write!(f, "erase-{seq}"),
            Intent::SendReceipt(demand) => write!(f, "receipt-{demand}"),
            Intent::SendNotice(notice, attempt) => write!(f, "notice-{notice}-{attempt}"),
            Intent::PageHuman(duty) => write!(f, "page-{duty}"),
        }
    }
}

/// Up to `most` intents that are pending, in a fixed order.
pub fn plan(state: &State, most: usize) -> Vec<Intent> {
    state.pending.iter().take(most).copied().collect()
}
