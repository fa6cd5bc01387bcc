//! Access tokens: 256 random bits, written `bailee_<base64url>`; the log keeps their SHA-256.
//!
//! Why it is safe: a token is found by its hash in an ordered map. The time of that lookup depends
//! on the hash of what was presented, and who does not know the token cannot choose that hash bit
//! by bit; so nothing about a stored hash, and nothing about a token, can be learned from it.
//! 256 random bits need no slow hash. The text is shown once and kept nowhere.

use bailee_ledger::hash::sha256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::api::problem::Problem;

/// What every token begins with, so that scanners for leaked secrets can find one.
pub const PREFIX: &str = "bailee_";

/// Characters of a token.
pub const LENGTH: usize = PREFIX.len() + 43;

/// A fresh token and its hash.
pub(crate) fn make() -> Result<(String, [u8; 32]), Problem> {
    let mut bits = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bits)
        .map_err(|e| Problem::failure("no_randomness", "the machine", e.to_string()))?;
    let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bits.as_slice()));
    let hash = sha256(text.as_bytes());
    Ok((text, hash))
}

/// The hash a token is known by; `None` if the text cannot be a token.
pub fn hash(text: &str) -> Option<[u8; 32]> {
    let fits = text.len() == LENGTH && text.starts_with(PREFIX);
    fits.then(|| sha256(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (one, hash_of_one) = make().unwrap();
        let (other, _) = make().unwrap();
        assert_ne!(one, other);
        assert_eq!((one.len(), hash(&one)), (LENGTH, Some(hash_of_one)));
        assert_eq!(hash("bailee_short"), None);
        assert_eq!(hash(&one.replace("bailee_", "Bailee_")), None);
    }
}
