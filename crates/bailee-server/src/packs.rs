//! `[vault]` of `bailee.toml`: where the packs of the vault are, in the house's own objects or in a
//! bucket of an S3 engine.
//!
//! Invariants: wrapped keys stay among the house's own objects, whatever keeps the packs, so that
//! destroying one does not rest on an engine that may keep old versions; settings that contradict
//! themselves are refused when the house opens; the engine itself is asked only by what needs
//! packs, so that a demand is taken and the gate answers while it is away. A secret is read from a
//! file that nobody else can read, or from the environment, and from nowhere else.
//!
//! One process works in a bucket: the lock of the data directory keeps a second one of this house
//! away, and another house's vault is not created where one is (`Vault::create_with_keys`).

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bailee_store::Objects;
use bailee_store::s3::{Credentials, S3Objects, S3Settings};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::config::{Config, quoted};
use crate::house::HouseError;

/// What keeps the packs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// `objects/` in the data directory.
    #[default]
    Disk,
    /// A bucket.
    S3,
}

/// The `[vault]` section: all of it may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Packs {
    /// What keeps them.
    pub objects: Engine,
    /// `https://host` of the engine.
    pub endpoint: Option<String>,
    /// A bucket that is there.
    pub bucket: Option<String>,
    /// What signatures name; `us-east-1` if absent.
    pub region: Option<String>,
    /// What all keys begin with; nothing if absent.
    pub prefix: Option<String>,
    /// File with the access key, relative to the data directory; the environment if absent.
    pub credentials: Option<PathBuf>,
    /// Certificates (PEM) to trust instead of the public ones, relative to the data directory.
    pub roots: Option<PathBuf>,
}

/// A file of credentials.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.secret_access_key.zeroize();
        self.session_token.zeroize();
    }
}

/// Region that engines of one's own are content with.
const REGION: &str = "us-east-1";

impl Packs {
    /// The section as it stands in the file; nothing if it says nothing.
    pub(crate) fn to_text(&self) -> String {
        if *self == Packs::default() {
            return String::new();
        }
        let engine = if self.objects == Engine::S3 { "s3" } else { "disk" };
        let mut text = format!("\n[vault]\nobjects = {engine:?}\n");
        let path = |path: &Option<PathBuf>| path.as_ref().map(|p| p.display().to_string());
        let lines = [
            ("endpoint", self.endpoint.clone()),
            ("bucket", self.bucket.clone()),
            ("region", self.region.clone()),
            ("prefix", self.prefix.clone()),
            ("credentials", path(&self.credentials)),
            ("roots", path(&self.roots)),
        ];
        for (name, value) in lines {
            text.extend(value.map(|value| format!("{name} = {}\n", quoted(&value))));
        }
        text
    }

    /// Where the packs are, as the log calls it: `disk`, or the bucket's address and prefix.
    pub(crate) fn place(&self) -> String {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let (endpoint, bucket, prefix) =
            (text(&self.endpoint), text(&self.bucket), text(&self.prefix));
        match self.objects {
            Engine::Disk => "disk".to_owned(),
            Engine::S3 => {
                let place = format!("{}/{bucket}/{prefix}", endpoint.trim_end_matches('/'));
                place.trim_end_matches('/').to_owned()
            }
        }
    }

    /// What contradicts itself, or is missing, by name.
    pub(crate) fn check(&self) -> Result<(), String> {
        let set = [
            ("endpoint", self.endpoint.is_some()),
            ("bucket", self.bucket.is_some()),
            ("region", self.region.is_some()),
            ("prefix", self.prefix.is_some()),
            ("credentials", self.credentials.is_some()),
            ("roots", self.roots.is_some()),
        ];
        match self.objects {
            Engine::Disk => match set.iter().find(|(_, set)| *set) {
                Some((name, _)) => Err(format!("[vault] {name} is for objects = \"s3\" only")),
                None => Ok(()),
            },
            Engine::S3 => match set.iter().take(2).find(|(_, set)| !*set) {
                Some((name, _)) => Err(format!("[vault] objects = \"s3\" needs {name}")),
                // With credentials of any kind, the rest is looked at.
                None => self.settings(Credentials::new("id", "secret", None), None).map(drop),
            },
        }
    }

    fn settings(&self, who: Credentials, roots: Option<Vec<u8>>) -> Result<S3Settings, String> {
        let settings = S3Settings {
            endpoint: self.endpoint.clone().unwrap_or_default(),
            bucket: self.bucket.clone().unwrap_or_default(),
            region: self.region.clone().unwrap_or_else(|| REGION.to_owned()),
            prefix: self.prefix.clone().unwrap_or_default(),
            credentials: who,
            roots,
            patience: None,
        };
        settings.check().map_err(|error| format!("[vault]: {error}"))?;
        Ok(settings)
    }

    /// Opens the bucket; `None`: packs are among the house's own objects.
    ///
    /// # Errors
    /// Credentials or certificates that cannot be read; the engine's own words.
    pub(crate) fn open(&self, dir: &Path) -> Result<Option<S3Objects>, HouseError> {
        if self.objects == Engine::Disk {
            return Ok(None);
        }
        let bad = |detail| HouseError::Config { path: dir.join(Config::FILE), detail };
        let who = self.credentials(dir)?;
        let read = |path: &PathBuf| {
            let path = dir.join(path);
            let doing = format!("read certificates in {}", path.display());
            fs::read(&path).map_err(|e| HouseError::io(doing, &e))
        };
        let roots = self.roots.as_ref().map(read).transpose()?;
        let settings = self.settings(who, roots).map_err(bad)?;
        let address = self.endpoint.as_deref().unwrap_or_default();
        S3Objects::open(&settings)
            .map(Some)
            .map_err(|e| HouseError::Engine { detail: format!("{address}: {e}") })
    }

    fn credentials(&self, dir: &Path) -> Result<Credentials, HouseError> {
        let Some(path) = &self.credentials else {
            return from_environment().ok_or_else(|| HouseError::Config {
                path: dir.join(Config::FILE),
                detail: "[vault] names no file of credentials, and AWS_ACCESS_KEY_ID and \
                         AWS_SECRET_ACCESS_KEY are not in the environment"
                    .to_owned(),
            });
        };
        let path = dir.join(path);
        let doing = || format!("read credentials in {}", path.display());
        let mode = fs::metadata(&path).map_err(|e| HouseError::io(doing(), &e))?.permissions();
        let bad =
            |detail: &str| HouseError::Config { path: path.clone(), detail: detail.to_owned() };
        if mode.mode() & 0o077 != 0 {
            return Err(bad("others can read it; close it with chmod 600"));
        }
        let text = fs::read_to_string(&path).map_err(|e| HouseError::io(doing(), &e))?;
        let text = Zeroizing::new(text);
        // The parser's own words would quote the file.
        let read: Secrets = toml::from_str(&text).map_err(|_| {
            bad("it is not two lines access_key_id = \"…\" and secret_access_key = \"…\"")
        })?;
        let token = read.session_token.as_deref();
        Ok(Credentials::new(&read.access_key_id, &read.secret_access_key, token))
    }
}

fn from_environment() -> Option<Credentials> {
    let told =
        |name: &str| env::var(name).ok().filter(|value| !value.is_empty()).map(Zeroizing::new);
    let (id, secret) = (told("AWS_ACCESS_KEY_ID")?, told("AWS_SECRET_ACCESS_KEY")?);
    let token = told("AWS_SESSION_TOKEN");
    Some(Credentials::new(&id, &secret, token.as_ref().map(|token| token.as_str())))
}

/// Packs that lie in `own` although a bucket is to keep them would be out of sight.
///
/// # Errors
/// [`HouseError::Engine`] names the first.
pub(crate) fn none_left_behind(own: &Arc<dyn Objects>) -> Result<(), HouseError> {
    let of_packs = |name: &String| name.contains("/data/") || name.contains("/s/");
    match own.list("vault/t/")?.into_iter().find(of_packs) {
        None => Ok(()),
        Some(name) => Err(HouseError::Engine {
            detail: format!(
                "objects/{name} lies in the data directory while bailee.toml names a bucket: move \
                 what is not key/ or erased/ below objects/vault/t into the bucket, under the same \
                 names, or take [vault] out"
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(section: &str) -> Result<Config, String> {
        Config::parse(&(Config::for_origin("a.example").to_text() + section))
    }

    #[test]
    fn the_section_survives_its_file() {
        let section = "[vault]\nobjects = \"s3\"\nendpoint = \"https://s3.example.org\"\n\
                       bucket = \"kept\"\nregion = \"garage\"\nprefix = \"house-1\"\n\
                       credentials = \"keys/s3.toml\"\nroots = \"ca.pem\"\n";
        let read = config(section).unwrap();
        assert_eq!(read.vault.region.as_deref(), Some("garage"));
        assert!(read.to_text().ends_with(section));
        assert_eq!(Config::parse(&read.to_text()), Ok(read));
    }

    #[test]
    fn what_is_unfit_is_named() {
        let s3 = "[vault]\nobjects = \"s3\"\nendpoint = \"https://s3.example.org\"\n";
        for (section, named) in [
            ("[vault]\nobjects = \"tape\"\n", "tape"),
            ("[vault]\nobjects = \"s3\"\nbuckets = \"b\"\n", "buckets"),
            ("[vault]\nobjects = \"s3\"\n", "needs endpoint"),
            (s3, "needs bucket"),
            ("[vault]\nbucket = \"kept\"\n", "bucket is for objects = \"s3\" only"),
            (&format!("{s3}bucket = \"A/b\"\n"), "bucket"),
            (&format!("{s3}bucket = \"kept\"\nprefix = \"/\"\n"), "prefix"),
            (&format!("{s3}bucket = \"kept\"\nregion = \"\"\n"), "region"),
            ("[vault]\nobjects = \"s3\"\nendpoint = \"s3:9\"\nbucket = \"kept\"\n", "endpoint"),
        ] {
            let refused = config(section).unwrap_err();
            assert!(refused.contains(named), "{section}: {refused}");
        }
    }

    #[test]
    fn credentials_that_others_can_read_are_refused_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let packs = Packs { credentials: Some("c".into()), ..Packs::default() };
        let path = dir.path().join("c");
        let read = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            packs.credentials(dir.path())
        };
        let good = "access_key_id = \"an-id\"\nsecret_access_key = \"the-secret\"\n";
        assert!(format!("{:?}", read(good, 0o600).unwrap()).contains("an-id"));
        for (text, mode) in
            [(good, 0o640), (good, 0o604), ("secret_access_key = \"the-secret\"", 0o600)]
        {
            let refused = read(text, mode).unwrap_err().to_string();
            assert!(!refused.contains("the-secret"), "{refused}");
        }
        fs::remove_file(&path).unwrap();
        assert!(packs.credentials(dir.path()).is_err());
    }
}
