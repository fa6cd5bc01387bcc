//! Sources: where a log key or the vault's key lives, as the settings name it.
//!
//! `file` (in `keys/`), `agent:SHA256:…` (an ssh-agent, the key by its fingerprint) or `pkcs11:…`
//! (RFC 7512: `token`, `serial`, `object`, `id`, and `module-path`, `pin-source`). Secrets are not
//! settings: a URI with a `pin-value` is refused.
//!
//! Invariant: a source is written back as it was read, to the byte.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The settings of the log's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeySettings {
    /// Where the key is that signs the log.
    pub log: Source,
    /// Where the key is that takes over, while a rotation is prepared and runs.
    pub next: Source,
    /// What opens the file of the vault's next key: `file` for none but its passphrase, or a token.
    pub vault: Source,
}

impl KeySettings {
    /// Error: why they cannot be meant.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.vault {
            Source::Agent(_) => Err("keys.vault: an agent signs and opens nothing".to_owned()),
            Source::File | Source::Token(_) => Ok(()),
        }
    }
}

/// Where a log key lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// In a file in `keys/`, plain or under a passphrase.
    #[default]
    File,
    /// In an ssh-agent: fingerprint of the key, `SHA256:` and base64 without padding.
    Agent(String),
    /// In a token.
    Token(Box<TokenUri>),
}

/// A key in a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUri {
    text: String,
    /// The module (a shared library) that speaks to the token.
    pub module: PathBuf,
    /// Label of the token.
    pub token: Option<String>,
    /// Serial number of the token.
    pub serial: Option<String>,
    /// Label of the key.
    pub object: Option<String>,
    /// Id of the key.
    pub id: Option<Vec<u8>>,
    /// File with the PIN; otherwise the PIN is asked for.
    pub pin: Option<PathBuf>,
}

/// The text names no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no source of a key: {why}")]
pub struct BadSource {
    text: String,
    why: String,
}

impl FromStr for Source {
    type Err = BadSource;

    fn from_str(text: &str) -> Result<Source, BadSource> {
        let bad = |why: &str| BadSource { text: hidden(text), why: why.to_owned() };
        if text == "file" {
            return Ok(Source::File);
        }
        if let Some(fingerprint) = text.strip_prefix("agent:") {
            let digest = fingerprint.strip_prefix("SHA256:").unwrap_or_default();
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
            return match digest.len() == 43 && digest.chars().all(fits) {
                true => Ok(Source::Agent(fingerprint.to_owned())),
                false => Err(bad("an agent's key is agent:SHA256: and 43 more, see `ssh-add -l`")),
            };
        }
        match text.strip_prefix("pkcs11:") {
            Some(rest) => Ok(Source::Token(Box::new(token(text, rest).map_err(|e| bad(&e))?))),
            None => Err(bad("it is not `file`, `agent:SHA256:…` or `pkcs11:…`")),
        }
    }
}

/// A URI without the value of its PIN, if somebody wrote one.
fn hidden(text: &str) -> String {
    match text.split_once("pin-value=") {
        Some((before, _)) => format!("{before}pin-value=…"),
        None => text.to_owned(),
    }
}

fn token(text: &str, rest: &str) -> Result<TokenUri, String> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut uri = TokenUri {
        text: text.to_owned(),
        module: PathBuf::new(),
        token: None,
        serial: None,
        object: None,
        id: None,
        pin: None,
    };
    for (name, value) in pairs(path, ';').chain(pairs(query, '&')) {
        let bytes = unescaped(value).ok_or_else(|| format!("{name} is not percent-encoded"))?;
        if name == "id" {
            uri.id = Some(bytes);
            continue;
        }
        let value = String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8"))?;
        match name {
            "token" => uri.token = Some(value),
            "serial" => uri.serial = Some(value),
            "object" => uri.object = Some(value),
            "type" if value == "private" => {}
            "module-path" => uri.module = value.into(),
            "pin-source" => uri.pin = Some(value.strip_prefix("file:").unwrap_or(&value).into()),
            "pin-value" => return Err("a PIN is no setting: name a file in pin-source".into()),
            _ => return Err(format!("{name} is not understood here")),
        }
    }
    match (&uri.object, &uri.id) {
        _ if uri.module.as_os_str().is_empty() => Err("it has no module-path".into()),
        (None, None) => Err("it names the key neither by object nor by id".into()),
        _ => Ok(uri),
    }
}

fn pairs(text: &str, between: char) -> impl Iterator<Item = (&str, &str)> {
    let parts = text.split(between).filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        out.push((digit()? * 16 + digit()?) as u8);
    }
    Some(out)
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File => f.write_str("file"),
            Source::Agent(fingerprint) => write!(f, "agent:{fingerprint}"),
            Source::Token(uri) => f.write_str(&uri.text),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = BadSource;

    fn try_from(text: String) -> Result<Source, BadSource> {
        text.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> String {
        source.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_written_back_as_it_was_read() {
        let agent = format!("agent:SHA256:{}", "k".repeat(43));
        let token = "pkcs11:token=my%20hsm;object=log;id=%01%ff;type=private?module-path=/x/y.so\
                     &pin-source=file:/etc/pin";
        for text in ["file", &agent, token] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        let Ok(Source::Token(uri)) = token.parse() else { panic!("{token}") };
        assert_eq!(uri.token.as_deref(), Some("my hsm"));
        assert_eq!((uri.object.as_deref(), uri.id), (Some("log"), Some(vec![1, 255])));
        assert_eq!((uri.module, uri.pin), ("/x/y.so".into(), Some("/etc/pin".into())));
    }

    #[test]
    fn what_names_no_key_is_refused_by_name() {
        let no = |text: &str| text.parse::<Source>().unwrap_err().to_string();
        assert!(no("vault").contains("is not `file`"));
        assert!(no("agent:MD5:00").contains("ssh-add -l"));
        assert!(no("pkcs11:object=x").contains("module-path"));
        assert!(no("pkcs11:token=x?module-path=/m.so").contains("neither by object nor by id"));
        assert!(no("pkcs11:object=x;slot=1?module-path=/m.so").contains("slot"));
        assert!(no("pkcs11:object=%zz?module-path=/m.so").contains("percent"));
        let secret = no("pkcs11:object=x?module-path=/m.so&pin-value=123456");
        assert!(secret.contains("no setting") && !secret.contains("123456"), "{secret}");
    }
}
