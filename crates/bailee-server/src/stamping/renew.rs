//! Which tokens end soon: each is read back once after a start, a few at a time, oldest first.
//!
//! Invariants: a token is renewed by the authority that gave it, over its response file, before any
//! certificate of its chain ends; what cannot be read or does not hold is named and left alone. A
//! renewal that lasts no longer than what it renews is not kept, and its authority is asked again a
//! day later: it has no newer certificate yet.

use std::collections::{BTreeMap, BTreeSet};

use bailee_ledger::Hash;
use bailee_ledger::hash::sha256;
use bailee_ledger::timestamp::{Roots, TimestampError, Token, verify_series};

use crate::attest::{Attested, Stamp};
use crate::house::Inner;

/// Checkpoints read back between two looks at what is more urgent.
const AT_ONCE: usize = 32;
/// Seconds until an authority without a newer certificate is asked again.
const WORN_REST: u64 = 86_400;
const DAY: u64 = 86_400;

/// When the tokens of each checkpoint end.
#[derive(Default)]
pub(super) struct Renewals {
    /// Not read back yet: size and authority.
    unread: BTreeSet<(u64, usize)>,
    /// Last second of the newest token's chain, size, authority -> its number.
    ends: BTreeMap<(u64, u64, usize), usize>,
    /// Authority -> not to be asked before, Unix seconds.
    worn: BTreeMap<usize, u64>,
}

/// A token over the last one.
pub(super) struct Renewal {
    pub(super) size: u64,
    pub(super) desk: usize,
    /// Number of the new token.
    pub(super) number: usize,
    /// What it is to cover.
    pub(super) imprint: Hash,
    /// End of what it renews.
    pub(super) until: u64,
}

/// Tokens and renewals of one authority, verified: each at the time of the next, the last at its
/// own time.
pub(super) fn series(attested: &Attested, stamp: &Stamp) -> Result<Vec<Token>, TimestampError> {
    let imprint = sha256(attested.note.to_string().as_bytes());
    verify_series(&stamp.tokens, &imprint, &Roots::from_pem(&stamp.roots)?, 0)
}

/// What a renewal of this token is to cover.
fn imprint(house: &Inner, size: u64, name: &str, number: usize) -> Result<Hash, String> {
    let attested = house.attesting.kept(size).map_err(|e| e.to_string())?;
    let stamp = attested.stamps.iter().find(|stamp| stamp.authority == *name);
    let token = stamp.and_then(|stamp| stamp.tokens.get(number));
    token.map(|token| sha256(token)).ok_or_else(|| "the token is gone".to_owned())
}

impl Renewals {
    /// There are tokens of this authority over this checkpoint.
    pub(super) fn note(&mut self, size: u64, desk: usize) {
        self.unread.insert((size, desk));
    }

    /// A token was kept.
    pub(super) fn kept(&mut self, size: u64, desk: usize, number: usize, token: &Token) {
        self.ends.insert((token.chain_expires, size, desk), number);
    }

    /// Reads some tokens back. True: there were some.
    pub(super) fn read_some(&mut self, house: &Inner) -> bool {
        let some: Vec<(u64, usize)> = self.unread.iter().take(AT_ONCE).copied().collect();
        for (size, desk) in &some {
            self.unread.remove(&(*size, *desk));
            let name = &house.stamping.desks[*desk].name;
            match self.read(house, *size, *desk, name) {
                Ok(()) => {}
                Err(error) => tracing::error!(size, authority = name, error, "unfit timestamp"),
            }
        }
        !some.is_empty()
    }

    fn read(&mut self, house: &Inner, size: u64, desk: usize, name: &str) -> Result<(), String> {
        let attested = house.attesting.kept(size).map_err(|e| e.to_string())?;
        let stamp = attested.stamps.iter().find(|stamp| stamp.authority == *name);
        let Some(stamp) = stamp else { return Ok(()) };
        let tokens = series(&attested, stamp).map_err(|e| e.to_string())?;
        if let Some(last) = tokens.last() {
            self.kept(size, desk, tokens.len() - 1, last);
        }
        Ok(())
    }

    /// The next renewal of this authority, if one is due. One that has ended already is not: a
    /// later token cannot show any more that it was good.
    pub(super) fn next(&mut self, house: &Inner, desk: usize, now: u64) -> Option<Renewal> {
        if self.worn.get(&desk).is_some_and(|until| *until > now) {
            return None;
        }
        let soon = now.saturating_add(house.stamping.pace.renew_days.saturating_mul(DAY));
        loop {
            let ending = self.ends.range((now, 0, 0)..(soon.max(now), 0, 0));
            let mut own = ending.filter(|((_, _, of), _)| *of == desk);
            let (&(until, size, _), &number) = own.next()?;
            let name = &house.stamping.desks[desk].name;
            match imprint(house, size, name, number) {
                Ok(imprint) => {
                    return Some(Renewal { size, desk, number: number + 1, imprint, until });
                }
                Err(error) => {
                    tracing::error!(size, authority = name, error, "not renewed");
                    self.ends.remove(&(until, size, desk));
                }
            }
        }
    }

    /// A renewal was kept: what it renews needs no other.
    pub(super) fn renewed(&mut self, renewal: &Renewal) {
        self.ends.remove(&(renewal.until, renewal.size, renewal.desk));
    }

    /// This authority has nothing that lasts longer.
    pub(super) fn is_worn(&mut self, desk: usize, now: u64) {
        self.worn.insert(desk, now.saturating_add(WORN_REST));
    }
}
