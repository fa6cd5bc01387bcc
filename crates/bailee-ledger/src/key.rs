//! Keys of signed notes: Ed25519 of logs (type 0x01) and witnesses (0x04); public keys of ML-DSA-44
//! cosigners (0x06), whose mathematics is in pq.rs.
//!
//! Invariants: a key id is the first 4 bytes of SHA-256(name, LF, type, public key) and is checked
//! when a key is parsed; verification is strict (no small-order keys, no malleable signatures); a
//! [`Signer`] is built from a seed its caller drew, wipes it when dropped, and shows only its name.
//!
//! Encodings: `name+hash+base64(type || key)` (vkey), and for private keys
//! `PRIVATE+KEY+name+hash+base64(type || seed)`.
//! Out of scope: drawing randomness; key storage.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::encoding::{from_base64, to_base64, u32_from_hex};
use crate::error::Error;
use crate::hash::sha256;
use crate::pq;
use crate::sign::{Sign, SignError};

const VKEY: &str = "verifier key";
const SKEY: &str = "signer key";
/// Longest key name read, in bytes.
pub const MAX_NAME: usize = 255;

/// What a key signs (the signature type byte of signed-note).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// Plain Ed25519 over the note text.
    Note,
    /// Timestamped Ed25519 cosignature (tlog-cosignature).
    Cosignature,
    /// Timestamped ML-DSA-44 cosignature (tlog-cosignature).
    MlDsa44,
}

impl KeyKind {
    /// The signature type byte.
    pub fn byte(self) -> u8 {
        match self {
            KeyKind::Note => 0x01,
            KeyKind::Cosignature => 0x04,
            KeyKind::MlDsa44 => 0x06,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(KeyKind::Note),
            0x04 => Some(KeyKind::Cosignature),
            0x06 => Some(KeyKind::MlDsa44),
            _ => None,
        }
    }
}

/// A public key with its name: what a reader pins.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    kind: KeyKind,
    id: u32,
    key: PublicKey,
}

#[derive(Clone, PartialEq, Eq)]
enum PublicKey {
    Ed25519(VerifyingKey),
    MlDsa44(Box<[u8]>),
}

impl Verifier {
    /// A key from its parts. Error: an unfit name, or bytes that are no key of this kind (32 bytes
    /// for Ed25519, 1312 for ML-DSA-44).
    pub fn new(name: &str, kind: KeyKind, public: &[u8]) -> Result<Self, Error> {
        check_name(name)?;
        let key = match kind {
            KeyKind::Note | KeyKind::Cosignature => PublicKey::Ed25519(ed25519_key(public)?),
            KeyKind::MlDsa44 if public.len() == pq::PUBLIC_LENGTH => {
                PublicKey::MlDsa44(public.into())
            }
            KeyKind::MlDsa44 => {
                return Err(Error::malformed(VKEY, "an ML-DSA-44 key has 1312 bytes"));
            }
        };
        Ok(Self { name: name.to_owned(), kind, id: key_id(name, kind, public), key })
    }

    /// Parses `name+hash+base64(type || key)`.
    pub fn parse(vkey: &str) -> Result<Self, Error> {
        let (name, id, kind, bytes) = split_key(VKEY, vkey)?;
        let parsed = Self::new(name, kind, &bytes)?;
        parsed.check_id(id)?;
        Ok(parsed)
    }

    /// Is `found`, written beside the key, the id its bytes give?
    pub(crate) fn check_id(&self, found: u32) -> Result<(), Error> {
        if self.id == found {
            return Ok(());
        }
        Err(Error::KeyIdMismatch { name: self.name.clone(), found, computed: self.id })
    }

    /// The vkey encoding, one line without newline.
    pub fn to_vkey(&self) -> String {
        encode_key(&self.name, self.id, self.kind, self.public()).to_string()
    }

    /// Key name; for a log key the origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Key id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What the key signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Raw public key: 32 bytes, or 1312 for ML-DSA-44.
    pub fn public(&self) -> &[u8] {
        match &self.key {
            PublicKey::Ed25519(key) => key.as_bytes(),
            PublicKey::MlDsa44(key) => key,
        }
    }

    /// Checks the bytes of a note signature (after the key id) over `text`. For a cosignature the
    /// answer is the time it states, in Unix seconds; `None` if it states none.
    pub fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<u64>, Error> {
        self.checked(text, signature).ok_or_else(|| Error::BadSignature { name: self.name.clone() })
    }

    /// `None`: does not verify. `Some(None)`: verifies and states no time.
    fn checked(&self, text: &str, signature: &[u8]) -> Option<Option<u64>> {
        if self.kind == KeyKind::Note {
            self.verify_ed25519(text.as_bytes(), signature)?;
            return Some(None);
        }
        let (stamp, rest) = signature.split_first_chunk::<8>()?;
        let time = u64::from_be_bytes(*stamp);
        i64::try_from(time).ok()?;
        if let PublicKey::MlDsa44(key) = &self.key {
            pq::verify(&self.name, key, text, time, rest)?;
            return Some(Some(time).filter(|time| *time != 0));
        }
        self.verify_ed25519(cosigned_message(text, time).as_bytes(), rest)?;
        Some(Some(time))
    }

    fn verify_ed25519(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        let PublicKey::Ed25519(key) = &self.key else { return None };
        let signature = Signature::from_slice(signature).ok()?;
        key.verify_strict(message, &signature).ok()
    }
}

fn ed25519_key(public: &[u8]) -> Result<VerifyingKey, Error> {
    let key = <&[u8; 32]>::try_from(public).ok().and_then(|b| VerifyingKey::from_bytes(b).ok());
    let key = key.ok_or(Error::malformed(VKEY, "the bytes are not an Ed25519 public key"))?;
    if key.is_weak() {
        return Err(Error::malformed(VKEY, "a small-order key verifies anything"));
    }
    Ok(key)
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({})", self.to_vkey())
    }
}

/// A private Ed25519 key. Never shown, wiped when dropped.
pub struct Signer {
    /// Of kind [`KeyKind::Note`] or [`KeyKind::Cosignature`].
    verifier: Verifier,
    key: SigningKey,
}

impl Signer {
    /// A log or clearance key from 32 bytes of the caller's randomness.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, Error> {
        Self::with_kind(name, KeyKind::Note, seed)
    }

    /// A witness key from 32 bytes of the caller's randomness.
    pub fn witness_from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, Error> {
        Self::with_kind(name, KeyKind::Cosignature, seed)
    }

    fn with_kind(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, Error> {
        let key = SigningKey::from_bytes(seed);
        let verifier = Verifier::new(name, kind, key.verifying_key().as_bytes())?;
        Ok(Self { verifier, key })
    }

    /// Parses `PRIVATE+KEY+name+hash+base64(type || seed)`.
    pub fn parse(skey: &str) -> Result<Self, Error> {
        let (name, id, kind, seed) = parse_seed(skey)?;
        if kind == KeyKind::MlDsa44 {
            return Err(Error::UnknownKeyType { name: name.to_owned(), kind: kind.byte() });
        }
        let signer = Self::with_kind(name, kind, &seed)?;
        signer.verifier.check_id(id)?;
        Ok(signer)
    }

    /// The private encoding, to be stored where only the log can read it.
    pub fn to_skey(&self) -> Zeroizing<String> {
        let Verifier { name, id, kind, .. } = &self.verifier;
        let encoded = encode_key(name, *id, *kind, self.key.as_bytes());
        Zeroizing::new(format!("PRIVATE+KEY+{}", encoded.as_str()))
    }

    /// Key name.
    pub fn name(&self) -> &str {
        &self.verifier.name
    }

    /// The public half.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Signature bytes (without key id) over `text`. `time` is what a witness states, in Unix
    /// seconds; a plain note key does not use it.
    pub(crate) fn sign_text(&self, text: &str, time: u64) -> Vec<u8> {
        if self.verifier.kind == KeyKind::Note {
            return self.key.sign(text.as_bytes()).to_bytes().to_vec();
        }
        let time = time.min(i64::MAX as u64);
        let mut out = time.to_be_bytes().to_vec();
        let message = cosigned_message(text, time);
        out.extend_from_slice(&self.key.sign(message.as_bytes()).to_bytes());
        out
    }
}

impl Sign for Signer {
    fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.key.sign(message).to_bytes())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.verifier.name)
    }
}

/// Key names are what separates fields in notes and vkeys: no spaces, no plus, no controls.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    const WHAT: &str = "key name";
    if name.is_empty() {
        return Err(Error::malformed(WHAT, "it is empty"));
    }
    if name.len() > MAX_NAME {
        let (limit, got) = (MAX_NAME as u64, name.len() as u64);
        return Err(Error::TooLarge { what: WHAT, limit, got });
    }
    if name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+') {
        return Err(Error::malformed(WHAT, "it holds a space, a control character or a plus"));
    }
    Ok(())
}

fn cosigned_message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

fn key_id(name: &str, kind: KeyKind, public: &[u8]) -> u32 {
    let mut bytes = Vec::with_capacity(name.len() + 2 + public.len());
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(&[b'\n', kind.byte()]);
    bytes.extend_from_slice(public);
    let [a, b, c, d, ..] = sha256(&bytes);
    u32::from_be_bytes([a, b, c, d])
}

/// `name+hash+base64(type || key)`; wiped, because the key may be a seed.
pub(crate) fn encode_key(name: &str, id: u32, kind: KeyKind, key: &[u8]) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(1 + key.len()));
    bytes.push(kind.byte());
    bytes.extend_from_slice(key);
    let encoded = Zeroizing::new(to_base64(&bytes));
    Zeroizing::new(format!("{name}+{id:08x}+{}", encoded.as_str()))
}

type Seed<'a> = (&'a str, u32, KeyKind, Zeroizing<[u8; 32]>);

/// Splits a private key into name, id, kind and seed; the id is not checked yet.
pub(crate) fn parse_seed(skey: &str) -> Result<Seed<'_>, Error> {
    let rest = skey
        .strip_prefix("PRIVATE+KEY+")
        .ok_or(Error::malformed(SKEY, "it does not start with PRIVATE+KEY+"))?;
    let (name, id, kind, bytes) = split_key(SKEY, rest)?;
    let seed = <[u8; 32]>::try_from(bytes.as_slice())
        .map_err(|_| Error::malformed(SKEY, "the seed does not have 32 bytes"))?;
    Ok((name, id, kind, Zeroizing::new(seed)))
}

type KeyParts<'a> = (&'a str, u32, KeyKind, Zeroizing<Vec<u8>>);

fn split_key<'a>(what: &'static str, text: &'a str) -> Result<KeyParts<'a>, Error> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Error::malformed(what, "it is not name+hash+key"));
    };
    let id = u32_from_hex(id).ok_or(Error::malformed(what, "the id is not 8 hex digits"))?;
    let bytes = from_base64(key).ok_or(Error::malformed(what, "the key is not base64"))?;
    let bytes = Zeroizing::new(bytes);
    let (first, rest) = bytes.split_first().ok_or(Error::malformed(what, "the key is empty"))?;
    let kind = KeyKind::from_byte(*first)
        .ok_or_else(|| Error::UnknownKeyType { name: name.to_owned(), kind: *first })?;
    Ok((name, id, kind, Zeroizing::new(rest.to_vec())))
}
