//! What timestamp authorities say about the checkpoint: each authority's tokens, first over the
//! file `checkpoint`, then each over the one before.
//!
//! Invariants: an authority counts when all its tokens hold; tokens that lead to none of the roots
//! a reader pinned are not shown; anything else that is wrong with a token contradicts the bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

use super::Check;
use crate::bundle::{CHECKPOINT, Part, TimestampFile, roots_name, token_name};
use crate::encoding::utc;
use crate::report::{Claim, ClaimState, Source, StampReport, timestamped};
use crate::timestamp::{MAX_RESPONSE, MAX_ROOTS, Roots, TimestampError, Token, verify_series};

/// Members that claim 4 rests on.
const TIMESTAMPS: fn(Part) -> bool = |part| matches!(part, Part::Timestamp);

impl<R: Read + Seek> Check<'_, R> {
    /// Claim 4.
    pub(super) fn timestamps(&mut self, checkpoint_holds: bool) -> (Vec<StampReport>, Claim) {
        let mut stamps = Vec::new();
        for (name, tokens) in self.authorities() {
            stamps.push(self.stamp(name, &tokens));
        }
        let unfounded = !checkpoint_holds && !stamps.is_empty();
        let broken = unfounded || self.problem_in(TIMESTAMPS);
        let claim = timestamped(&stamps, self.roots_source(), broken);
        (stamps, claim)
    }

    /// Authorities that have a file in the bundle, and the numbers of their tokens.
    fn authorities(&self) -> BTreeMap<String, BTreeSet<usize>> {
        let mut found: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for member in self.archive.members() {
            match TimestampFile::of(&member.name) {
                Some(TimestampFile::Token(authority, number)) => {
                    found.entry(authority.to_owned()).or_default().insert(number);
                }
                Some(TimestampFile::Roots(authority)) => {
                    found.entry(authority.to_owned()).or_default();
                }
                None => {}
            }
        }
        found
    }

    fn stamp(&mut self, name: String, numbers: &BTreeSet<usize>) -> StampReport {
        let failed = format!("{name}'s tokens do not hold");
        let (state, text, tokens) = match self.series(&name, numbers) {
            None => (ClaimState::Failed, failed, Vec::new()),
            Some(Ok(tokens)) => (ClaimState::Proven, self.words(&tokens), tokens),
            Some(Err(error)) if self.roots_source() == Source::Pinned && no_chain(&error) => {
                let text = format!("{name}'s tokens lead to none of the roots you pinned");
                (ClaimState::NotShown, text, Vec::new())
            }
            Some(Err(error)) => {
                self.problem(&token_name(&name, number(&error)), error);
                (ClaimState::Failed, failed, Vec::new())
            }
        };
        StampReport { name, state, text, tokens }
    }

    /// `None`: a file is missing or unreadable, which is a problem noted here.
    fn series(
        &mut self,
        name: &str,
        numbers: &BTreeSet<usize>,
    ) -> Option<Result<Vec<Token>, TimestampError>> {
        let offered = self.offered_roots(name);
        let count = numbers.last().map_or(1, |last| last + 1);
        let mut responses = Vec::new();
        for number in 0..count {
            responses.push(self.read(&token_name(name, number), MAX_RESPONSE as u64));
        }
        let responses: Vec<Vec<u8>> = responses.into_iter().collect::<Option<_>>()?;
        let imprint = *self.digests.get(CHECKPOINT)?;
        let roots = self.trust.roots.as_ref().or(offered.as_ref())?;
        // Each at the time it states: an expired certificate is told of, not held against it.
        Some(verify_series(&responses, &imprint, roots, 0))
    }

    /// The bundle's own roots, which must be readable whether or not they count.
    fn offered_roots(&mut self, name: &str) -> Option<Roots> {
        let member = roots_name(name);
        let pem = self.read(&member, MAX_ROOTS as u64)?;
        Roots::from_pem(&pem).map_err(|error| self.problem(&member, error)).ok()
    }

    fn roots_source(&self) -> Source {
        if self.trust.roots.is_some() { Source::Pinned } else { Source::Bundle }
    }

    fn words(&self, tokens: &[Token]) -> String {
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
            return String::new();
        };
        let (authority, time) = (&first.authority, utc(first.time));
        let mut text = format!("{authority} says that the checkpoint existed at {time}");
        if let Some(micros) = first.accuracy_micros.filter(|micros| *micros > 0) {
            text.push_str(&format!(" (within {} s)", micros.div_ceil(1_000_000)));
        }
        if tokens.len() > 1 {
            let (times, time) = (tokens.len() - 1, utc(last.time));
            text.push_str(&format!(", renewals: {times}, the last at {time}"));
        }
        if self.trust.now.is_some_and(|now| now > last.expires) {
            let expired = utc(last.expires);
            text.push_str(&format!(
                ", with a certificate that expired at {expired}: ask for a renewed bundle"
            ));
        }
        text
    }
}

/// Does a chain lead to no root?
fn no_chain(error: &TimestampError) -> bool {
    match error {
        TimestampError::InSeries { error, .. } => no_chain(error),
        error => matches!(error, TimestampError::NoChain { .. }),
    }
}

/// Which token an error is about.
fn number(error: &TimestampError) -> usize {
    match error {
        TimestampError::InSeries { number, .. } | TimestampError::Backwards(number) => *number,
        _ => 0,
    }
}
