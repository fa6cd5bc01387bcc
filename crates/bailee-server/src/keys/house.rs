//! What a house says about its keys to those who sign, verify and offer policies.
//!
//! Invariant: each answer is of the moment: keys change while a house is open.

use std::sync::{Arc, PoisonError};

use bailee_core::rotation::Ring;
use bailee_ledger::{Checkpoint, Note, Policy, Sign, Verifier};

use super::Own;
use crate::house::{House, HouseError};

impl House {
    /// The policy offered with receipts: the keys of this log that count now, its witnesses, groups
    /// and quorum, without the addresses that only the house needs.
    pub fn policy(&self) -> Result<Policy, HouseError> {
        let others = self.inner.others.clone().without_urls();
        Ok(self.inner.keys.policy(&self.ring()?, others)?)
    }

    /// The Ed25519 keys that sign this log now; the one that signs bundles first.
    pub fn log_keys(&self) -> Result<Vec<Verifier>, HouseError> {
        Ok(self.inner.keys.verifiers(&self.ring()?)?)
    }

    /// The public half of the key that signs bundles.
    pub fn log_key(&self) -> Result<Verifier, HouseError> {
        Ok(self.log_keys()?.swap_remove(0))
    }

    /// The key that signs bundles.
    pub fn signer(&self) -> Result<Arc<dyn Sign>, HouseError> {
        Ok(self.inner.keys.signer(&self.ring()?)?)
    }

    /// Reads a checkpoint that this house signed.
    pub(crate) fn own_checkpoint(&self, note: &Note) -> Result<Checkpoint, HouseError> {
        match self.inner.keys.own(&self.ring()?, note.to_string().as_bytes())? {
            Own::Now(checkpoint, _) | Own::Before(checkpoint) => Ok(checkpoint),
        }
    }

    /// What the log tells of its own keys.
    pub(crate) fn ring(&self) -> Result<Ring, HouseError> {
        Ok(self.with_state(|s| s.ring.clone())?)
    }

    /// Did the last attempt to sign succeed, with every key that must?
    pub fn signs(&self) -> bool {
        let published = self.inner.published.lock().unwrap_or_else(PoisonError::into_inner);
        published.stopped.is_none() && self.inner.keys.ring.missing().is_empty()
    }
}
