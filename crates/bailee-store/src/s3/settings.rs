//! Where an S3 store is, and who asks.
//!
//! Invariants: the secret is in memory only, wiped when dropped, in no `Debug` output and no error;
//! what cannot be a host, bucket or prefix is refused before anything is sent.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use super::S3Error;
use crate::check_name;

/// How long one step of a question may take, unless the settings say otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An access key of an engine.
#[derive(Clone)]
pub struct Credentials {
    id: String,
    secret: Zeroizing<String>,
    token: Option<Zeroizing<String>>,
}

impl Credentials {
    /// From an access key's id, its secret, and a session token if the key is a temporary one.
    pub fn new(id: &str, secret: &str, token: Option<&str>) -> Credentials {
        let secret = Zeroizing::new(secret.to_owned());
        let token = token.map(|token| Zeroizing::new(token.to_owned()));
        Credentials { id: id.to_owned(), secret, token }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.as_str())
    }

    /// All of them can stand in a header.
    fn check(&self) -> Result<(), S3Error> {
        let fit = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        match fit(&self.id) && fit(&self.secret) && self.token().is_none_or(fit) {
            true => Ok(()),
            false => Err(S3Error::Settings { what: "credentials", why: "are empty or not ASCII" }),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A place for objects on an engine.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// `https://host` or `http://host:port`; the bucket is not part of it.
    pub endpoint: String,
    /// The bucket, which is there already.
    pub bucket: String,
    /// The region that signatures name; engines of one's own have `us-east-1` or any word.
    pub region: String,
    /// What all keys begin with, without a slash at its end; empty for none.
    pub prefix: String,
    /// Who asks.
    pub credentials: Credentials,
    /// Certificates (PEM) to trust instead of the public ones.
    pub roots: Option<Vec<u8>>,
    /// How long a connection, a request or an answer may each take; `None`: a minute.
    pub patience: Option<Duration>,
}

impl S3Settings {
    /// Scheme and authority of the endpoint, if all settings are fit.
    ///
    /// # Errors
    /// [`S3Error::Settings`] names the first that is not.
    pub fn check(&self) -> Result<(&str, &str), S3Error> {
        let bad = |what, why| Err(S3Error::Settings { what, why });
        let Some((scheme, host)) = self.endpoint.split_once("://") else {
            return bad("endpoint", "is not like https://s3.example.org");
        };
        let host = host.strip_suffix('/').unwrap_or(host);
        if !matches!(scheme, "http" | "https") {
            return bad("endpoint", "does not begin with https:// or http://");
        }
        let fit = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:[]".contains(&b);
        if host.is_empty() || !host.bytes().all(fit) {
            return bad("endpoint", "has more or less than a host in small letters and a port");
        }
        let fit = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        if !(3..=63).contains(&self.bucket.len()) || !self.bucket.bytes().all(fit) {
            return bad("bucket", "is not 3 to 63 of a-z, 0-9, `.`, `-` and `_`");
        }
        let fit = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
        if self.region.is_empty() || !self.region.bytes().all(fit) {
            return bad("region", "is not of letters, digits, `-` and `_`");
        }
        if !self.prefix.is_empty() && check_name(&self.prefix).is_err() {
            return bad("prefix", "is not a name of objects, such as `house-1`");
        }
        self.credentials.check()?;
        Ok((scheme, host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> S3Settings {
        S3Settings {
            endpoint: "https://s3.example.org".into(),
            bucket: "kept".into(),
            region: "us-east-1".into(),
            prefix: "house-1".into(),
            credentials: Credentials::new(
                "an-id",
                "the secret of it".replace(' ', "-").as_str(),
                None,
            ),
            roots: None,
            patience: None,
        }
    }

    #[test]
    fn what_is_unfit_is_named() {
        assert_eq!(settings().check().unwrap(), ("https", "s3.example.org"));
        type Change = fn(&mut S3Settings);
        let changes: [(&str, Change); 9] = [
            ("endpoint", |s| s.endpoint = "s3.example.org".into()),
            ("endpoint", |s| s.endpoint = "ftp://s3.example.org".into()),
            ("endpoint", |s| s.endpoint = "https://s3.example.org/kept".into()),
            ("endpoint", |s| s.endpoint = "https://id:secret@s3.example.org".into()),
            ("bucket", |s| s.bucket = "a/b".into()),
            ("bucket", |s| s.bucket = "Kept".into()),
            ("region", |s| s.region = String::new()),
            ("prefix", |s| s.prefix = "../x".into()),
            ("credentials", |s| s.credentials = Credentials::new("id", "a\nb", None)),
        ];
        for (named, change) in changes {
            let mut settings = settings();
            change(&mut settings);
            let refused = settings.check().unwrap_err().to_string();
            assert!(refused.contains(named), "{refused}");
        }
    }

    #[test]
    fn the_secret_is_not_in_debug_output() {
        let mut settings = settings();
        settings.credentials = Credentials::new("an-id", "the-secret", Some("the-token"));
        let shown = format!("{settings:?}");
        assert!(shown.contains("an-id") && !shown.contains("the-"), "{shown}");
    }
}
