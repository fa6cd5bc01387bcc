//! Configuration of a house: `bailee.toml` in its directory. Unknown keys are errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::attest::Witnesses;
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
    /// Who is asked to cosign checkpoints.
    #[serde(default)]
    pub witnesses: Option<Witnesses>,
    /// Who is asked for timestamps.
    #[serde(default)]
    pub timestamp: Vec<Authority>,
    /// How often, and for how long.
    #[serde(default)]
    pub stamping: Pace,
}

impl Config {
    /// Settings for a log of that name.
    pub fn for_origin(origin: &str) -> Config {
        let host = origin.split('/').next().unwrap_or(origin);
        Config {
            origin: origin.to_owned(),
            mail_from: format!("custody@{host}"),
            operations: format!("operations@{host}"),
            entities: BTreeMap::new(),
            witnesses: None,
            timestamp: Vec::new(),
            stamping: Pace::default(),
        }
    }

    /// Parses the file. Error: what is wrong, with its line.
    pub fn parse(text: &str) -> Result<Config, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "# Settings of this house. The origin is in every checkpoint and never changes.\n\
             origin = {:?}\nmail_from = {:?}\noperations = {:?}\n\n\
             # Address a letter is sent to = the legal entity it is addressed to.\n[entities]\n",
            self.origin, self.mail_from, self.operations
        );
        for (address, entity) in &self.entities {
            text.push_str(&format!("{address:?} = {entity:?}\n"));
        }
        text.extend(self.witnesses.iter().map(Witnesses::to_text));
        text.push_str(&self.stamping.to_text());
        text.extend(self.timestamp.iter().map(Authority::to_text));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_their_file() {
        let mut config = Config::for_origin("log.example.org/2026");
        config.entities.insert("us@example.org".into(), "E-2".into());
        let policy = "witnesses.tlog-policy".into();
        config.witnesses = Some(Witnesses { policy, timeout_ms: 700 });
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
    fn an_unknown_key_is_named() {
        let text = Config::for_origin("a.example").to_text() + "\n[more]\nx = 1\n";
        assert!(Config::parse(&text).unwrap_err().contains("more"));
    }
}
