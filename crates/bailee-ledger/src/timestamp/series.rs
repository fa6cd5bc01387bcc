//! A token and its renewals: each covers the response file before it.
//!
//! Why: a signing certificate ends, and with it what a signature is worth. A later token over the
//! earlier response shows that the earlier one existed while its certificate was good; so each is
//! checked at the time that the next one states, and only the last one at a moment of the reader's.
//!
//! Invariant: times do not run backwards; one bad token makes the series bad, for what it should
//! have carried over is then not shown.

use super::error::TimestampError;
use super::roots::Roots;
use super::{Token, verify};
use crate::hash::{Hash, sha256};

/// Checks a series of responses, the first over what has the SHA-256 `imprint`, each further one
/// over the response before it. The last chain must be valid `at` Unix seconds (0: at the time it
/// states itself). An empty series is in order.
///
/// Errors: [`TimestampError::InSeries`] with the number of the first bad one from the end;
/// [`TimestampError::Backwards`].
pub fn verify_series<T: AsRef<[u8]>>(
    responses: &[T],
    imprint: &Hash,
    roots: &Roots,
    at: u64,
) -> Result<Vec<Token>, TimestampError> {
    let mut tokens: Vec<Token> = Vec::with_capacity(responses.len());
    let mut at = at;
    for (number, response) in responses.iter().enumerate().rev() {
        let covered = match number.checked_sub(1) {
            None => *imprint,
            Some(before) => sha256(responses[before].as_ref()),
        };
        let token = verify(response.as_ref(), &covered, roots, at)
            .map_err(|error| TimestampError::InSeries { number, error: Box::new(error) })?;
        if tokens.last().is_some_and(|next| next.time < token.time) {
            return Err(TimestampError::Backwards(number + 1));
        }
        at = token.time;
        tokens.push(token);
    }
    tokens.reverse();
    Ok(tokens)
}
