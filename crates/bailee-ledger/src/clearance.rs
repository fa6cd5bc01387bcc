//! Clearance tokens: signed, short-lived permissions to let go of one thing.
//!
//! Invariant: a [`Clearance`] can only be built by [`verify`], and is consumed by value by whoever
//! destroys. (Single use is enforced by the gate's begin; this file proves authenticity, object
//! and freshness.) PLACEHOLDER: the ledger's author completes signing and verification.

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Overwrite a device (vault copies stay).
    Sanitize,
    /// Expire or cryptographically erase a snapshot.
    Expire,
    /// Give the asset back to its owner.
    Return,
    /// Hand custody to a transferee.
    Transfer,
}

/// The terms a clearance is signed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Log origin that granted it.
    pub origin: String,
    /// `C-n`.
    pub clearance: u32,
    /// `X-n`, the disposition carried out.
    pub disposition: u32,
    /// `A-n`, the asset.
    pub asset: u32,
    /// What may be done.
    pub act: Act,
    /// SHA-256 of the identity of the thing itself (device identity, snapshot manifest root).
    pub subject: [u8; 32],
    /// Log position of the reservation.
    pub position: u64,
    /// Unix seconds after which the token is void.
    pub not_after: i64,
}

/// A verified permission. No public constructor but [`verify`].
#[derive(Debug)]
pub struct Clearance {
    terms: Terms,
}

impl Clearance {
    /// The terms it was granted under.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }
}
