//! Configuration of a house: `bailee.toml` in its directory. Unknown keys are errors.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::attest::Witnesses;
use crate::documents::Documents;
use crate::house::HouseError;
use crate::http::{Bundles, Serving};
use crate::keys::{KeySettings, Source};
use crate::packs::Packs;
use crate::remains;
use crate::stamping::{Authority, Pace};

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the log, like `log.example.org/2026`: in every checkpoint, for ever.
    pub origin: String,
    /// Sender of receipts and notices.
    pub mail_from: String,
    /// Where humans are paged.
    pub operations: String,
    /// Address a letter is sent to -> the legal entity (`E-2`) it is addressed to.
    #[serde(default)]
    pub entities: BTreeMap<String, String>,
    /// Where the log's keys are.
    #[serde(default)]
    pub keys: KeySettings,
    /// Who is asked to cosign checkpoints.
    #[serde(default)]
    pub witnesses: Option<Witnesses>,
    /// What is served of the log.
    #[serde(default)]
    pub serving: Serving,
    /// Who is asked for timestamps.
    #[serde(default)]
    pub timestamp: Vec<Authority>,
    /// How often, and for how long.
    #[serde(default)]
    pub stamping: Pace,
    /// Where the packs of the vault are.
    #[serde(default)]
    pub vault: Packs,
    /// Documents that are handed in by themselves.
    #[serde(default)]
    pub documents: Documents,
    /// How many bundles somebody may ask for.
    #[serde(default)]
    pub bundles: Bundles,
}

impl Config {
    /// Name of the file.
    pub(crate) const FILE: &str = "bailee.toml";

    /// Settings for a log of that name.
    pub fn for_origin(origin: &str) -> Config {
        let host = origin.split('/').next().unwrap_or(origin);
        Config {
            origin: origin.to_owned(),
            mail_from: format!("custody@{host}"),
            operations: format!("operations@{host}"),
            entities: BTreeMap::new(),
            keys: KeySettings::default(),
            witnesses: None,
            serving: Serving::default(),
            timestamp: Vec::new(),
            stamping: Pace::default(),
            vault: Packs::default(),
            documents: Documents::default(),
            bundles: Bundles::default(),
        }
    }

    /// Reads the settings of the house in `dir`.
    pub(crate) fn read(dir: &Path) -> Result<Config, HouseError> {
        let path = dir.join(Config::FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(remains::of(dir).unwrap_or(HouseError::NotAHouse(dir.to_owned())));
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(HouseError::Config { path, detail: "is not UTF-8 text".to_owned() });
            }
            Err(error) => {
                let detail = error.to_string();
                return Err(HouseError::UnreadableSettings { path, detail });
            }
            Ok(text) => text,
        };
        Config::parse(&text).map_err(|detail| HouseError::Config { path, detail })
    }

    /// Parses the file. Error: what is wrong, with its line.
    pub fn parse(text: &str) -> Result<Config, String> {
        let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
        config.keys.check()?;
        config.vault.check()?;
        config.bundles.check()?;
        Ok(config)
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "# Settings of this house. The origin is in every checkpoint and never changes.\n\
             origin = {}\nmail_from = {}\noperations = {}\n\n\
             # Address a letter is sent to = the legal entity it is addressed to.\n[entities]\n",
            quoted(&self.origin),
            quoted(&self.mail_from),
            quoted(&self.operations)
        );
        for (address, entity) in &self.entities {
            text.push_str(&format!("{} = {}\n", quoted(address), quoted(entity)));
        }
        if self.keys != KeySettings::default() {
            let KeySettings { log, next, vault } = &self.keys;
            let (log, next) = (quoted(&log.to_string()), quoted(&next.to_string()));
            text.push_str(&format!("\n[keys]\nlog = {log}\nnext = {next}\n"));
            if *vault != Source::File {
                text.push_str(&format!("vault = {}\n", quoted(&vault.to_string())));
            }
        }
        text.extend(self.witnesses.iter().map(Witnesses::to_text));
        text.push_str(&self.serving.to_text());
        text.push_str(&self.stamping.to_text());
        text.extend(self.timestamp.iter().map(Authority::to_text));
        text.push_str(&self.vault.to_text());
        text.push_str(&self.documents.to_text());
        text.push_str(&self.bundles.to_text());
        text
    }
}

/// A string as TOML writes it: as JSON does, but for the one control character that JSON leaves.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_any_characters_survive_their_file() {
        let nasty = "a\u{7f}\u{200b}\u{0}\u{1b}\n\r\t\"'\\#=[]{}\u{e9}\u{1f600}\u{feff}";
        let nasty = nasty.to_owned();
        let mut config = Config::for_origin(&nasty);
        config.entities.insert(nasty.clone(), nasty.clone());
        config.witnesses = Some(Witnesses { policy: nasty.clone().into(), timeout_ms: 1 });
        config.timestamp.push(Authority {
            name: nasty.clone(),
            url: nasty.clone(),
            roots: nasty.clone().into(),
            policy: Some(nasty.clone()),
        });
        config.vault.objects = crate::packs::Engine::S3;
        config.vault.endpoint = Some("https://s3.example.org".into());
        config.vault.bucket = Some("kept".into());
        config.vault.credentials = Some(nasty.into());
        assert_eq!(Config::parse(&config.to_text()), Ok(config));
    }

    #[test]
    fn settings_survive_their_file() {
        let mut config = Config::for_origin("log.example.org/2026");
        config.entities.insert("us@example.org".into(), "E-2".into());
        let token = "pkcs11:token=t;object=log?module-path=/m.so".parse().unwrap();
        config.keys.next = token;
        config.keys.vault = "pkcs11:id=%02?module-path=/m.so&pin-source=/pin".parse().unwrap();
        let policy = "witnesses.tlog-policy".into();
        config.witnesses = Some(Witnesses { policy, timeout_ms: 700 });
        config.serving.entries_days = Some(3650);
        config.serving.stalled_s = std::num::NonZeroU32::new(5);
        config.documents.largest_bytes = 1 << 40;
        assert_eq!(Config::parse(&config.to_text()).as_ref(), Ok(&config));
        config.stamping.every_s = 60;
        for policy in [None, Some("2.999.1".to_owned())] {
            let (name, url) = ("tsa-a".to_owned(), "http://tsa.example/".to_owned());
            let roots = "tsa-a.pem".into();
            config.timestamp.push(Authority { name, url, roots, policy });
        }
        assert_eq!(Config::parse(&config.to_text()), Ok(config));
    }

    #[test]
    fn an_agent_cannot_keep_the_vaults_key() {
        let agent = format!("[keys]\nvault = \"agent:SHA256:{}\"\n", "a".repeat(43));
        let text = Config::for_origin("a.example").to_text() + &agent;
        assert!(Config::parse(&text).unwrap_err().contains("keys.vault"));
    }

    #[test]
    fn no_patience_at_all_is_no_setting() {
        let text = Config::for_origin("a.example").to_text() + "\n[serving]\nstalled_s = 0\n";
        assert!(Config::parse(&text).unwrap_err().contains("stalled_s"));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let text = Config::for_origin("a.example").to_text() + "\n[more]\nx = 1\n";
        assert!(Config::parse(&text).unwrap_err().contains("more"));
    }
}
