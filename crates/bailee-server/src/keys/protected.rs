//! Protected key files: a seed under a passphrase. The format is in docs/format.md, section 9.
//!
//! Invariants: the key of the cipher costs 64 MiB and three passes to try one passphrase; nonces
//! are drawn anew each time; the header, with what the key is for, is authenticated, so that the
//! vault's file is not taken for the log's; a reader bounds what it computes for a stranger's file.
//!
//! Out of scope: passphrases that are easy to guess. Why not `age`: decisions/0044.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::error::KeyError;

/// First line.
pub(crate) const HEADER: &str = "bailee/key/v1";
/// Longest file read, bytes; every real one is shorter than 300.
pub(crate) const LONGEST: u64 = 4096;
const SALT: usize = 16;
const NONCE: usize = 12;
/// What is written: RFC 9106's choice for machines with little memory to spare.
const COST: Cost = Cost { memory: 64 * 1024, passes: 3, lanes: 4 };
/// What is computed for a file at most: a gigabyte, for a while.
const MOST: Cost = Cost { memory: 1024 * 1024, passes: 16, lanes: 16 };

/// A seed.
pub(crate) type Seed = Zeroizing<[u8; 32]>;

/// What trying one passphrase costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    /// KiB.
    memory: u32,
    passes: u32,
    lanes: u32,
}

/// A key made from a passphrase: opens and seals any number of files of one salt.
pub(crate) struct Lock {
    cost: Cost,
    salt: [u8; SALT],
    key: Zeroizing<[u8; 32]>,
}

impl Lock {
    /// A lock with a new salt.
    pub(crate) fn new(passphrase: &[u8]) -> Result<Lock, KeyError> {
        let mut salt = [0; SALT];
        draw(&mut salt)?;
        Lock::of(passphrase, COST, salt)
    }

    fn of(passphrase: &[u8], cost: Cost, salt: [u8; SALT]) -> Result<Lock, KeyError> {
        let derive = |e: argon2::Error| KeyError::io("derive a key from the passphrase", e);
        let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(32)).map_err(derive)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase, &salt, &mut *key)
            .map_err(derive)?;
        Ok(Lock { cost, salt, key })
    }

    /// The text of a file that keeps `seed` for `purpose`.
    pub(crate) fn seal(&self, purpose: &str, seed: &Seed) -> Result<String, KeyError> {
        let Cost { memory, passes, lanes } = self.cost;
        let salt = STANDARD.encode(self.salt);
        let header = format!("{HEADER}\n{purpose}\nargon2id {memory} {passes} {lanes} {salt}\n");
        let mut nonce = [0; NONCE];
        draw(&mut nonce)?;
        let mut sealed = Zeroizing::new(seed.to_vec());
        let tag = self
            .cipher()?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(header.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| KeyError::io("seal a key", "the cipher refused"))?;
        let body = [nonce.as_slice(), sealed.as_slice(), tag.as_ref()].concat();
        Ok(format!("{header}aes-256-gcm {}\n", STANDARD.encode(body)))
    }

    fn cipher(&self) -> Result<LessSafeKey, KeyError> {
        let key = UnboundKey::new(&AES_256_GCM, self.key.as_slice());
        Ok(LessSafeKey::new(key.map_err(|_| KeyError::io("make a cipher", "unfit key"))?))
    }

    /// Is it the one that `file` was sealed with, as far as salt and cost tell?
    pub(crate) fn fits(&self, file: &Protected) -> bool {
        (self.cost, self.salt) == (file.cost, file.salt)
    }
}

/// A protected file, parsed and not yet opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Protected {
    header: String,
    purpose: String,
    cost: Cost,
    salt: [u8; SALT],
    /// Nonce, ciphertext, tag.
    body: Vec<u8>,
}

impl Protected {
    /// Parses the text; strict.
    pub(crate) fn parse(text: &str) -> Result<Protected, &'static str> {
        let lines: Vec<&str> =
            text.strip_suffix('\n').ok_or("no newline at the end")?.split('\n').collect();
        let &[first, purpose, derivation, cipher] = lines.as_slice() else {
            return Err("it does not have four lines");
        };
        if first != HEADER {
            return Err("it is of a version that this program does not know");
        }
        let words: Vec<&str> = derivation.split(' ').collect();
        let &["argon2id", memory, passes, lanes, salt] = words.as_slice() else {
            return Err("the third line is not `argon2id memory passes lanes salt`");
        };
        let bounded = |word: &str, most: u32| word.parse().ok().filter(|n| (1..=most).contains(n));
        let cost = Cost {
            memory: bounded(memory, MOST.memory).ok_or("it asks for too much memory")?,
            passes: bounded(passes, MOST.passes).ok_or("it asks for too many passes")?,
            lanes: bounded(lanes, MOST.lanes).ok_or("it asks for too many lanes")?,
        };
        let salt = STANDARD.decode(salt).ok().and_then(|salt| salt.try_into().ok());
        let body = cipher.strip_prefix("aes-256-gcm ").and_then(|body| STANDARD.decode(body).ok());
        let header = format!("{first}\n{purpose}\n{derivation}\n");
        let parsed = Protected {
            header,
            purpose: purpose.to_owned(),
            cost,
            salt: salt.ok_or("the salt is not base64 of 16 bytes")?,
            body: body
                .filter(|body| body.len() == NONCE + 32 + AES_256_GCM.tag_len())
                .ok_or("the fourth line is not `aes-256-gcm` and base64 of 60 bytes")?,
        };
        Ok(parsed)
    }

    /// What the key in it is for.
    pub(crate) fn purpose(&self) -> &str {
        &self.purpose
    }

    /// The lock that a passphrase gives for it.
    pub(crate) fn lock(&self, passphrase: &[u8]) -> Result<Lock, KeyError> {
        Lock::of(passphrase, self.cost, self.salt)
    }

    /// The seed. Error: another lock, or altered bytes; nobody can tell which.
    pub(crate) fn open(&self, lock: &Lock, path: &Path) -> Result<Seed, KeyError> {
        let wrong = || KeyError::WrongPassphrase(path.to_owned());
        let (nonce, sealed) = self.body.split_first_chunk::<NONCE>().ok_or_else(wrong)?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let aad = Aad::from(self.header.as_bytes());
        let opened = lock
            .cipher()?
            .open_in_place(Nonce::from(nonce), aad, &mut sealed)
            .map_err(|_| wrong())?;
        let mut seed = Seed::default();
        seed.copy_from_slice(opened.get(..32).ok_or_else(wrong)?);
        Ok(seed)
    }
}

/// Fills with the operating system's randomness.
pub(crate) fn draw(bytes: &mut [u8]) -> Result<(), KeyError> {
    getrandom::fill(bytes).map_err(|e| KeyError::io("draw randomness", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cheap: the tests try it often.
    fn lock(passphrase: &[u8]) -> Lock {
        Lock::of(passphrase, Cost { memory: 8, passes: 1, lanes: 1 }, [3; SALT]).unwrap()
    }

    fn opened(text: &str, passphrase: &[u8]) -> Result<Seed, String> {
        let file = Protected::parse(text)?;
        let lock = file.lock(passphrase).map_err(|e| e.to_string())?;
        file.open(&lock, Path::new("log.key")).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_sealed_opens_with_its_passphrase_and_no_other() {
        let seed = Zeroizing::new([7; 32]);
        let text = lock(b"correct").seal("log", &seed).unwrap();
        assert_eq!(opened(&text, b"correct").as_deref(), Ok(&[7; 32]));
        let wrong = opened(&text, b"wrong").unwrap_err();
        assert!(wrong.contains("log.key") && wrong.contains("passphrase is wrong"), "{wrong}");
        assert_ne!(text, lock(b"correct").seal("log", &seed).unwrap(), "nonces are drawn anew");
    }

    #[test]
    fn no_byte_of_it_can_change() {
        let text = lock(b"x").seal("log", &Zeroizing::new([7; 32])).unwrap();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(altered) = String::from_utf8(bytes) else { continue };
            assert!(opened(&altered, b"x").is_err(), "byte {at}");
        }
        for upto in 0..text.len() {
            assert!(Protected::parse(&text[..upto]).is_err());
        }
    }

    #[test]
    fn a_strangers_file_does_not_make_us_compute_for_ever() {
        let text = lock(b"x").seal("log", &Zeroizing::new([7; 32])).unwrap();
        for (cheap, dear) in [("argon2id 8 1 1", "argon2id 1048577 1 1"), ("8 1 1", "8 17 1")] {
            assert!(Protected::parse(&text.replace(cheap, dear)).is_err(), "{dear}");
        }
        assert!(Protected::parse(&text.replace("/v1", "/v2")).unwrap_err().contains("version"));
    }

    #[test]
    fn the_first_file_ever_written_still_opens() {
        let text = include_str!("../../../../fixtures/formats/v1/keys/protected.key");
        assert_eq!(opened(text, b"correct horse battery staple").as_deref(), Ok(&[0x42; 32]));
        assert_eq!(Protected::parse(text).unwrap().purpose(), "log");
    }
}
