//! A key file that only a token opens: the seed is in it, under an AES-256 key that never leaves
//! the token (`CKM_AES_GCM`, docs/decisions/0033).
//!
//! ```text
//! bailee/key-in-token/v1
//! for vault
//! token pkcs11:token=custody;object=vault?module-path=/usr/lib/pkcs11.so
//! iv 00112233445566778899aabb
//! sealed 32 bytes and a tag of 16, in hexadecimal digits
//! ```
//!
//! Invariants: one spelling; the first two lines are authenticated, so that a key for something
//! else does not pass; a key that can leave its token is refused; no PIN is in the file. Where the
//! module and the PIN are may be corrected by hand in the third line.

use std::path::Path;
use std::str::FromStr;

use bailee_ledger::{SignError, from_hex, to_hex};
use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use zeroize::Zeroizing;

use super::error::KeyError;
use super::protected::{Seed, draw};
use super::secrets::Secret;
use super::source::{Source, TokenUri};
use super::token::{name, session, text, told};

/// First line of the file.
pub(super) const HEADER: &str = "bailee/key-in-token/v1\n";
/// Bytes of the nonce.
const IV: usize = 12;
/// Bytes of the seed and of the tag behind it.
const SEALED: usize = 32 + 16;

/// What is in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InToken {
    purpose: String,
    pub(super) uri: TokenUri,
    iv: [u8; IV],
    sealed: [u8; SEALED],
}

impl InToken {
    /// Reads the file's text. Error: what is wrong.
    pub(super) fn parse(file: &str) -> Result<InToken, &'static str> {
        let mut lines = file.strip_prefix(HEADER).ok_or("its first line is unknown")?.lines();
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let purpose = field("for").ok_or("it does not say what it is for")?.to_owned();
        let uri = field("token").and_then(|uri| Source::from_str(uri).ok());
        let Some(Source::Token(uri)) = uri else { return Err("it names no token") };
        let iv = field("iv").and_then(from_hex).ok_or("its nonce does not read")?;
        let sealed = field("sealed").and_then(from_hex).ok_or("the sealed key does not read")?;
        let read = InToken { purpose, uri: *uri, iv, sealed };
        match read.to_text() == file {
            true => Ok(read),
            false => Err("it is not in its one spelling"),
        }
    }

    fn to_text(&self) -> String {
        let InToken { purpose, uri, iv, sealed } = self;
        let (token, iv, sealed) =
            (Source::Token(Box::new(uri.clone())), to_hex(iv), to_hex(sealed));
        format!("{HEADER}for {purpose}\ntoken {token}\niv {iv}\nsealed {sealed}\n")
    }

    /// What the key in it is for.
    pub(super) fn purpose(&self) -> &str {
        &self.purpose
    }

    /// The seed, as the token opens it.
    pub(super) fn open(&self, pin: &Secret, path: &Path) -> Result<Seed, KeyError> {
        let (session, key) = key(&self.uri, pin)?;
        let (mut iv, bound) = (self.iv, bound(&self.purpose));
        let params = params(&self.uri, &mut iv, &bound)?;
        let plain = session.decrypt(&Mechanism::AesGcm(params), key, &self.sealed);
        let wrong = |holder, detail| {
            let path = path.to_owned();
            KeyError::WrongTokenKey { path, holder, detail }
        };
        let plain = plain.map(Zeroizing::new).map_err(|error| match told(&self.uri, &error) {
            SignError::Refused { holder, detail } => wrong(holder, detail),
            other => other.into(),
        })?;
        let seed = <&[u8; 32]>::try_from(plain.as_slice());
        let seed = seed.map_err(|_| wrong(name(&self.uri), "another length".to_owned()))?;
        Ok(Zeroizing::new(*seed))
    }
}

/// A file's text with the seed in it, as the token seals it.
pub(super) fn seal(
    purpose: &str,
    seed: &Seed,
    uri: &TokenUri,
    pin: &Secret,
) -> Result<String, KeyError> {
    let (session, key) = key(uri, pin)?;
    stays(uri, &session, key)?;
    let (mut iv, bound) = ([0; IV], bound(purpose));
    draw(&mut iv)?;
    let params = params(uri, &mut iv, &bound)?;
    let sealed = session.encrypt(&Mechanism::AesGcm(params), key, &seed[..]);
    let sealed = sealed.map_err(|e| refusing(told(uri, &e)))?;
    let sealed = sealed.try_into().map_err(|_| KeyError::TokenRefuses {
        holder: name(uri),
        detail: "what it sealed has another length".to_owned(),
    })?;
    // Tokens that draw the nonce themselves have put it in place of ours.
    Ok(InToken { purpose: purpose.to_owned(), uri: uri.clone(), iv, sealed }.to_text())
}

fn bound(purpose: &str) -> Vec<u8> {
    format!("{HEADER}for {purpose}\n").into_bytes()
}

fn params<'a>(
    uri: &TokenUri,
    iv: &'a mut [u8],
    bound: &'a [u8],
) -> Result<GcmParams<'a>, KeyError> {
    GcmParams::new(iv, bound, 128.into()).map_err(|e| refusing(told(uri, &e)))
}

/// The one AES key that the URI names, in a session of its own.
fn key(uri: &TokenUri, pin: &Secret) -> Result<(Session, ObjectHandle), KeyError> {
    let session = session(uri, &text(pin)?).map_err(refusing)?;
    let mut template =
        vec![Attribute::Class(ObjectClass::SECRET_KEY), Attribute::KeyType(KeyType::AES)];
    template.extend(uri.object.iter().map(|label| Attribute::Label(label.clone().into_bytes())));
    template.extend(uri.id.iter().map(|id| Attribute::Id(id.clone())));
    let found = session.find_objects(&template).map_err(|e| refusing(told(uri, &e)))?;
    match found.as_slice() {
        [] => Err(SignError::KeyGone { holder: name(uri) }.into()),
        [key] => Ok((session, *key)),
        several => {
            let detail = format!("{} AES keys fit; name its id too", several.len());
            Err(KeyError::TokenRefuses { holder: name(uri), detail })
        }
    }
}

/// A key that can be taken out of its token protects nothing.
fn stays(uri: &TokenUri, session: &Session, key: ObjectHandle) -> Result<(), KeyError> {
    let wanted = [AttributeType::Extractable, AttributeType::Sensitive];
    let told = |e: Error| refusing(told(uri, &e));
    let found = session.get_attributes(key, &wanted).map_err(told)?;
    match found.contains(&Attribute::Extractable(false))
        && found.contains(&Attribute::Sensitive(true))
    {
        true => Ok(()),
        false => {
            let detail = "the key can leave it: make one that is sensitive and not extractable";
            Err(KeyError::TokenRefuses { holder: name(uri), detail: detail.to_owned() })
        }
    }
}

/// Nothing is signed here.
fn refusing(error: SignError) -> KeyError {
    match error {
        SignError::Refused { holder, detail } => KeyError::TokenRefuses { holder, detail },
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frozen_file_is_read_and_no_other_spelling_is() {
        let text = include_str!("../../../../fixtures/formats/v1/keys/in-token.key");
        let read = InToken::parse(text).unwrap();
        assert_eq!((read.purpose(), read.iv[11], read.sealed[47]), ("vault", 0xbb, 0x2f));
        assert_eq!(read.uri.object.as_deref(), Some("vault"));
        for n in 0..text.len() {
            assert!(InToken::parse(&text[..n]).is_err(), "cut at {n}");
        }
        for other in [
            text.replace("v1", "v2"),
            text.replace("for ", "for  "),
            text.replace("aabb", "AABB"),
            text.replace("aabb", "aab"),
            text.replace("pkcs11:", "agent:"),
            format!("{text}\n"),
        ] {
            assert_ne!(other, text);
            let same = InToken::parse(&other).is_ok_and(|read| read.purpose() == "vault");
            assert!(!same, "{other}");
        }
    }
}
