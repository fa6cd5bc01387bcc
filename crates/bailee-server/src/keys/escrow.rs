//! Escrow: a key encrypted to a public key of counsel, in the format of age
//! (age-encryption.org/v1).
//!
//! Only what is needed to write one X25519 recipient and one short payload: whoever has the private
//! key decrypts with `age`, and nothing here reads what strangers wrote.
//!
//! Invariants: the file key and the ephemeral key are drawn anew for each copy, so each key of a
//! cipher is used once; a recipient with a wrong letter is refused by its checksum; a public key of
//! low order, which would make the secret guessable, is refused by the agreement.
//!
//! Why not the crate `age`: docs/decisions/0025.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::error::KeyError;
use super::protected::draw;

const VERSION: &str = "age-encryption.org/v1";
/// Longest payload: one chunk of the format, which is 64 KiB.
const LONGEST: usize = 65_536;
const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// Letters of a recipient after `age1`: 32 bytes and the checksum.
const LENGTH: usize = 58;

/// A public key of age: `age1…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient([u8; 32]);

/// The text is no recipient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecipient {
    /// It does not look like one.
    #[error("a recipient is `age1` and {LENGTH} letters and digits, in lower case")]
    Form,
    /// A letter is wrong.
    #[error("its checksum does not fit: a letter is wrong, copy it again")]
    Checksum,
    /// The secret half was given.
    #[error("this is a secret key, not a public one: it stays with counsel")]
    Secret,
}

impl Recipient {
    /// Reads `age1…` (BIP 173 with the prefix `age`).
    ///
    /// # Errors
    /// [`BadRecipient`]; the text is not repeated in it.
    pub fn parse(text: &str) -> Result<Recipient, BadRecipient> {
        if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
            return Err(BadRecipient::Secret);
        }
        let letters = text.strip_prefix("age1").ok_or(BadRecipient::Form)?.as_bytes();
        let value = |letter: &u8| LETTERS.iter().position(|known| known == letter);
        let values: Option<Vec<usize>> = letters.iter().map(value).collect();
        let values = values.filter(|v| v.len() == LENGTH).ok_or(BadRecipient::Form)?;
        let prefix = b"age".iter().map(|c| usize::from(c >> 5));
        let prefix = prefix.chain([0]).chain(b"age".iter().map(|c| usize::from(c & 31)));
        if prefix.chain(values.iter().copied()).fold(1, checksum) != 1 {
            return Err(BadRecipient::Checksum);
        }
        let mut key = [0; 32];
        for (bit, place) in (0..).zip(values[..LENGTH - 6].iter().flat_map(|v| bits(*v))) {
            match key.get_mut(bit / 8) {
                Some(byte) => *byte |= place << (7 - bit % 8),
                None if place == 0 => {}
                None => return Err(BadRecipient::Form),
            }
        }
        Ok(Recipient(key))
    }

    /// `plain`, of 64 KiB at most, as a file of age that only the holder of the private key opens.
    ///
    /// # Errors
    /// [`KeyError::Io`] if there is no randomness, or the public key is none.
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        if plain.len() > LONGEST {
            return Err(KeyError::io("encrypt a copy for counsel", "it is longer than 64 KiB"));
        }
        let mut file_key = Zeroizing::new([0; 16]);
        draw(&mut *file_key)?;
        let (share, body) = self.wrap(&file_key)?;
        let (share, body) = (STANDARD_NO_PAD.encode(share), STANDARD_NO_PAD.encode(body));
        let header = format!("{VERSION}\n-> X25519 {share}\n{body}\n---");
        let mac = hmac::Key::new(hmac::HMAC_SHA256, &*derive(&*file_key, &[], b"header")?);
        let mac = STANDARD_NO_PAD.encode(hmac::sign(&mac, header.as_bytes()));
        let mut salt = [0; 16];
        draw(&mut salt)?;
        // The only chunk of the stream is its last: counter 0, then 1.
        let mut nonce = [0; 12];
        nonce[11] = 1;
        let sealed = encrypt(&*derive(&*file_key, &salt, b"payload")?, nonce, plain)?;
        Ok([header.as_bytes(), b" ", mac.as_bytes(), b"\n", &salt, &sealed].concat())
    }

    /// The ephemeral share, and the file key wrapped for this recipient.
    fn wrap(&self, file_key: &[u8; 16]) -> Result<([u8; 32], Vec<u8>), KeyError> {
        let refused = || KeyError::io("agree with counsel's public key", "it is no good key");
        let own = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new());
        let own = own.map_err(|_| KeyError::io("draw a key for one use", "no randomness"))?;
        let public = own.compute_public_key().map_err(|_| refused())?;
        let share: [u8; 32] = public.as_ref().try_into().map_err(|_| refused())?;
        let salt = [share, self.0].concat();
        let theirs = UnparsedPublicKey::new(&X25519, &self.0);
        let body = agree_ephemeral(own, theirs, refused(), |secret| {
            encrypt(&*derive(secret, &salt, b"age-encryption.org/v1/X25519")?, [0; 12], file_key)
        })?;
        Ok((share, body))
    }
}

/// The five bits of a letter, the highest first.
fn bits(value: usize) -> impl Iterator<Item = u8> {
    (0..5).rev().map(move |bit| (value >> bit & 1) as u8)
}

/// One step of the checksum of BIP 173.
fn checksum(sum: usize, value: usize) -> usize {
    let generators = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let next = (sum & 0x01ff_ffff) << 5 ^ value;
    let taken = (0..5).filter(|bit| sum >> (25 + bit) & 1 == 1).map(|bit| generators[bit]);
    taken.fold(next, |sum, generator| sum ^ generator)
}

fn derive(key: &[u8], salt: &[u8], info: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut out = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(key)
        .expand(&[info], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut *out))
        .map_err(|_| KeyError::io("derive a key", "the library refused"))?;
    Ok(out)
}

fn encrypt(key: &[u8; 32], nonce: [u8; 12], plain: &[u8]) -> Result<Vec<u8>, KeyError> {
    let refused = |_| KeyError::io("encrypt a copy for counsel", "the cipher refused");
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).map_err(refused)?);
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
        .map_err(refused)?;
    Ok(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// A pair made by `age-keygen`: the path of the private half, and the public one.
    fn pair(dir: &std::path::Path) -> (std::path::PathBuf, String) {
        let path = dir.join("counsel.key");
        let made = Command::new("age-keygen").arg("-o").arg(&path).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let said = Command::new("age-keygen").arg("-y").arg(&path).output().unwrap();
        (path, String::from_utf8(said.stdout).unwrap().trim().to_owned())
    }

    #[test]
    fn age_opens_what_is_sealed_and_no_other_key_does() {
        let dir = tempfile::tempdir().unwrap();
        let (secret, public) = pair(dir.path());
        let other = dir.path().join("other");
        std::fs::create_dir(&other).unwrap();
        let (stranger, _) = pair(&other);
        for plain in [vec![], vec![7; 32], (0..LONGEST).map(|i| i as u8).collect()] {
            let path = dir.path().join("sealed.age");
            let sealed = Recipient::parse(&public).unwrap().seal(&plain).unwrap();
            std::fs::write(&path, &sealed).unwrap();
            let open = |key: &std::path::Path| {
                Command::new("age").arg("-d").arg("-i").arg(key).arg(&path).output().unwrap()
            };
            let opened = open(&secret);
            assert!(opened.status.success(), "{opened:?}");
            assert_eq!(opened.stdout, plain);
            assert!(!open(&stranger).status.success());
            for at in [30, sealed.len() / 2, sealed.len() - 1] {
                let mut bad = sealed.clone();
                bad[at] ^= 1;
                std::fs::write(&path, bad).unwrap();
                assert!(!open(&secret).status.success(), "byte {at}");
            }
        }
        let long = Recipient::parse(&public).unwrap().seal(&vec![0; LONGEST + 1]);
        assert!(long.is_err());
    }

    #[test]
    fn a_recipient_with_a_wrong_letter_is_refused_and_a_secret_is_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let (secret, public) = pair(dir.path());
        for at in 4..public.len() {
            let mut bad = public.clone().into_bytes();
            bad[at] = if bad[at] == b'q' { b'p' } else { b'q' };
            let bad = String::from_utf8(bad).unwrap();
            assert_eq!(Recipient::parse(&bad), Err(BadRecipient::Checksum), "{at}");
            assert_eq!(Recipient::parse(&public[..at]), Err(BadRecipient::Form), "{at}");
        }
        for bad in ["", "age1", &public.to_uppercase(), &format!("{public}q"), "age1é"] {
            assert_eq!(Recipient::parse(bad), Err(BadRecipient::Form), "{bad}");
        }
        let text = std::fs::read_to_string(secret).unwrap();
        let line = text.lines().find(|line| line.starts_with("AGE-SECRET")).unwrap();
        let refused = Recipient::parse(line).unwrap_err();
        assert_eq!(refused, BadRecipient::Secret);
        assert!(!refused.to_string().contains(line));
    }

    #[test]
    fn a_public_key_of_low_order_is_refused() {
        assert!(Recipient([0; 32]).seal(b"secret").is_err());
    }
}
