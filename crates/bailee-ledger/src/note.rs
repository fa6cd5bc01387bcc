//! Signed notes (c2sp.org/signed-note): text, a blank line, signature lines.
//!
//! Invariants: LF only and no other control character (DEL and U+0080 to U+009F included, which the
//! format would allow: they steer terminals); the *last* blank line separates text from
//! signatures, so a signature block embedded earlier is text and counts for nothing; signatures by
//! unknown keys are ignored; a known key that fails rejects the whole note; a note is only worth
//! something after [`Note::verify`]. Parsing and formatting are exact inverses.
//!
//! Out of scope: what the text means (checkpoint.rs, clearance.rs, bundle).

use std::fmt;

use crate::encoding::{from_base64, to_base64};
use crate::error::Error;
use crate::key::{KeyKind, Signer, Verifier, check_name};
use crate::sign::{Sign, SignError};

const WHAT: &str = "signed note";
const DASH: &str = "\u{2014} ";
/// Largest note read, in bytes.
pub const MAX_NOTE: usize = 16 << 20;
/// Most signatures read on one note.
pub const MAX_SIGNATURES: usize = 100;

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Key name.
    pub name: String,
    /// Key id.
    pub key_id: u32,
    /// Bytes after the key id; never empty.
    pub bytes: Vec<u8>,
}

/// A parsed note: text and signatures, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A signature that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The key, as an index into the keys given to [`Note::verify`].
    pub key: usize,
    /// Unix seconds a cosignature states; `None` for plain note signatures and cosignatures
    /// without a time.
    pub time: Option<u64>,
}

impl Note {
    /// A note without signatures, to be signed. Errors: text that is empty, does not end in LF,
    /// holds control characters, or itself embeds a signature block.
    pub fn new(text: String) -> Result<Self, Error> {
        check_text(&text)?;
        if text.contains(&format!("\n\n{DASH}")) {
            return Err(Error::malformed(WHAT, "the text embeds a signature block"));
        }
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Parses a note; strict, without verifying anything.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_NOTE {
            let (limit, got) = (MAX_NOTE as u64, bytes.len() as u64);
            return Err(Error::TooLarge { what: WHAT, limit, got });
        }
        let note =
            std::str::from_utf8(bytes).map_err(|_| Error::malformed(WHAT, "it is not UTF-8"))?;
        let split =
            note.rfind("\n\n").ok_or(Error::malformed(WHAT, "no blank line before signatures"))?;
        let (text, rest) = (&note[..=split], &note[split + 2..]);
        check_text(text)?;
        let lines = rest
            .strip_suffix('\n')
            .ok_or(Error::malformed(WHAT, "the signatures do not end in a newline"))?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return Err(Error::malformed(WHAT, "more than 100 signatures"));
            }
            signatures.push(parse_signature(line)?);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The signed text, ending in LF. Worth nothing before [`Note::verify`].
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines in order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature; `time` (Unix seconds) is what a witness key states, others ignore it.
    pub fn sign(mut self, signer: &Signer, time: u64) -> Self {
        let verifier = signer.verifier();
        self.signatures.push(NoteSignature {
            name: verifier.name().to_owned(),
            key_id: verifier.id(),
            bytes: signer.sign_text(&self.text, time),
        });
        self
    }

    /// Adds a plain note signature by a key that may live elsewhere, once it verifies. Errors: the
    /// key is no note key; its holder did not sign.
    pub fn sign_by(mut self, signer: &dyn Sign) -> Result<Self, Error> {
        let verifier = signer.verifier();
        let (name, key_id) = (verifier.name().to_owned(), verifier.id());
        if verifier.kind() != KeyKind::Note {
            return Err(Error::UnknownKeyType { name, kind: verifier.kind().byte() });
        }
        let bytes = signer.sign(self.text.as_bytes())?.to_vec();
        if verifier.verify(&self.text, &bytes).is_err() {
            return Err(
                SignError::WrongSignature { holder: format!("the holder of {name}") }.into()
            );
        }
        self.signatures.push(NoteSignature { name, key_id, bytes });
        Ok(self)
    }

    /// Adds signature lines made elsewhere (a witness's answer), skipping ones already there.
    pub fn add_signatures(&mut self, more: impl IntoIterator<Item = NoteSignature>) {
        for signature in more {
            if !self.signatures.contains(&signature) {
                self.signatures.push(signature);
            }
        }
    }

    /// Signatures by `keys` that verify, at most one per key. Errors: a known key's signature that
    /// fails; no signature by any of the keys.
    pub fn verify(&self, keys: &[Verifier]) -> Result<Vec<Verified>, Error> {
        let mut found: Vec<Verified> = Vec::new();
        for signature in &self.signatures {
            let known =
                |key: &Verifier| key.id() == signature.key_id && key.name() == signature.name;
            let Some(key) = keys.iter().position(known) else { continue };
            let time = keys[key].verify(&self.text, &signature.bytes)?;
            if found.iter().all(|other| other.key != key) {
                found.push(Verified { key, time });
            }
        }
        if found.is_empty() {
            let names: Vec<&str> = keys.iter().map(Verifier::name).collect();
            return Err(Error::NoKnownSignature { wanted: names.join(", ") });
        }
        Ok(found)
    }

    /// The signature lines alone, as a witness answers them.
    pub fn signature_lines(&self) -> String {
        self.signatures.iter().map(ToString::to_string).collect()
    }

    /// Parses signature lines alone, as a witness answers them.
    pub fn parse_signature_lines(text: &str) -> Result<Vec<NoteSignature>, Error> {
        let lines =
            text.strip_suffix('\n').ok_or(Error::malformed(WHAT, "no newline at the end"))?;
        lines.split('\n').take(MAX_SIGNATURES).map(parse_signature).collect()
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

impl fmt::Display for NoteSignature {
    /// One line, with its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.key_id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        writeln!(f, "{DASH}{} {}", self.name, to_base64(&bytes))
    }
}

fn check_text(text: &str) -> Result<(), Error> {
    if !text.ends_with('\n') {
        return Err(Error::malformed(WHAT, "the text does not end in a newline"));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(Error::malformed(WHAT, "it holds a control character other than newline"));
    }
    Ok(())
}

fn parse_signature(line: &str) -> Result<NoteSignature, Error> {
    let rest = line
        .strip_prefix(DASH)
        .ok_or(Error::malformed(WHAT, "a signature line does not start with an em dash"))?;
    let (name, encoded) =
        rest.split_once(' ').ok_or(Error::malformed(WHAT, "a signature line has no key name"))?;
    check_name(name)?;
    let bytes = from_base64(encoded).ok_or(Error::malformed(WHAT, "a signature is not base64"))?;
    let (id, bytes) = bytes
        .split_first_chunk::<4>()
        .filter(|(_, bytes)| !bytes.is_empty())
        .ok_or(Error::malformed(WHAT, "a signature is empty"))?;
    let key_id = u32::from_be_bytes(*id);
    Ok(NoteSignature { name: name.to_owned(), key_id, bytes: bytes.to_vec() })
}
