//! ML-DSA-44 cosignatures (tlog-cosignature, signature type 0x06; FIPS 204).
//!
//! Why: records kept for decades should outlive Ed25519. The log cosigns its own checkpoints with
//! such a key beside its Ed25519 signature, and witnesses may; a reader lists it as a `witness`.
//!
//! Invariants: what is signed is origin, size, root, time and the cosigner's name, *not* extension
//! lines; it is a checkpoint (start 0), never another subtree; signing is deterministic, with an
//! empty context; a [`PqSigner`] keeps only its seed, wipes it when dropped and prints its name.
//!
//! Out of scope: ML-DSA as the only signature of a log; subtrees.

use std::fmt;

use ml_dsa::signature::Keypair as _;
use ml_dsa::{MlDsa44, Signature, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::key::{KeyKind, Verifier, encode_key, parse_seed};
use crate::note::NoteSignature;

const LABEL: &[u8; 12] = b"subtree/v1\n\0";
/// Bytes of an ML-DSA-44 public key.
pub const PUBLIC_LENGTH: usize = 1_312;
/// Bytes of an ML-DSA-44 signature.
pub const SIGNATURE_LENGTH: usize = 2_420;

/// A private ML-DSA-44 cosigning key.
pub struct PqSigner {
    verifier: Verifier,
    seed: Zeroizing<[u8; 32]>,
}

impl PqSigner {
    /// A key from 32 bytes of the caller's randomness, not used for anything else.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, Error> {
        let public = signing_key(seed).verifying_key().encode();
        let verifier = Verifier::new(name, KeyKind::MlDsa44, &public)?;
        Ok(Self { verifier, seed: Zeroizing::new(*seed) })
    }

    /// Parses `PRIVATE+KEY+name+hash+base64(0x06 || seed)`.
    pub fn parse(skey: &str) -> Result<Self, Error> {
        let (name, id, kind, seed) = parse_seed(skey)?;
        if kind != KeyKind::MlDsa44 {
            return Err(Error::UnknownKeyType { name: name.to_owned(), kind: kind.byte() });
        }
        let signer = Self::from_seed(name, &seed)?;
        signer.verifier.check_id(id)?;
        Ok(signer)
    }

    /// The private encoding, to be stored where only its owner can read it.
    pub fn to_skey(&self) -> Zeroizing<String> {
        let (name, id) = (self.verifier.name(), self.verifier.id());
        let encoded = encode_key(name, id, KeyKind::MlDsa44, self.seed.as_slice());
        Zeroizing::new(format!("PRIVATE+KEY+{}", encoded.as_str()))
    }

    /// The public half.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Cosigns a checkpoint, stating `time` (Unix seconds); add it with
    /// [`crate::Note::add_signatures`]. Error: an unfit checkpoint.
    pub fn cosign(&self, checkpoint: &Checkpoint, time: u64) -> Result<NoteSignature, Error> {
        checkpoint.to_text()?;
        let time = time.min(i64::MAX as u64);
        let message = cosigned_message(self.verifier.name(), checkpoint, time);
        let signature = signing_key(&self.seed)
            .expanded_key()
            .sign_deterministic(&message, &[])
            .expect("an empty context is never too long");
        let mut bytes = time.to_be_bytes().to_vec();
        bytes.extend_from_slice(&signature.encode());
        let name = self.verifier.name().to_owned();
        Ok(NoteSignature { name, key_id: self.verifier.id(), bytes })
    }
}

impl fmt::Debug for PqSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PqSigner({})", self.verifier.name())
    }
}

/// Checks `signature` by the key `public` (of the right length) named `name` over the checkpoint in
/// `text`.
pub(crate) fn verify(
    name: &str,
    public: &[u8],
    text: &str,
    time: u64,
    signature: &[u8],
) -> Option<()> {
    let checkpoint = Checkpoint::parse(text).ok()?;
    let key = VerifyingKey::<MlDsa44>::decode(public.try_into().ok()?);
    let signature = Signature::<MlDsa44>::try_from(signature).ok()?;
    let message = cosigned_message(name, &checkpoint, time);
    key.verify_with_context(&message, &[], &signature).then_some(())
}

/// The `cosigned_message` structure; names and origins are at most 255 bytes (`check_name`).
fn cosigned_message(name: &str, checkpoint: &Checkpoint, time: u64) -> Vec<u8> {
    let Checkpoint { origin, size, root, .. } = checkpoint;
    let mut out = LABEL.to_vec();
    out.push(name.len() as u8);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&time.to_be_bytes());
    out.push(origin.len() as u8);
    out.extend_from_slice(origin.as_bytes());
    out.extend_from_slice(&0u64.to_be_bytes());
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(root);
    out
}

fn signing_key(seed: &[u8; 32]) -> SigningKey<MlDsa44> {
    SigningKey::from_seed(&(*seed).into())
}
