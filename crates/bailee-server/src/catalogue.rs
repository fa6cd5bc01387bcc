//! The catalogue of instruments as a TOML file: the shipped one, or a deployment's own.

use bailee_core::instrument::{Catalogue, Ends, Instrument, Privacy};
use bailee_core::{DayRule, Until, Weekend};
use serde::Deserialize;

/// The shipped file.
pub const STANDARD: &str = include_str!("../../bailee-core/instruments.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: String,
    instrument: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    code: String,
    title: String,
    citation: String,
    days: Option<u32>,
    extension_days: Option<u32>,
    #[serde(default)]
    max_extensions: u8,
    gag_days: Option<u32>,
    keeps: Option<bool>,
    #[serde(default)]
    ends: RowEnds,
    #[serde(default)]
    privacy: RowPrivacy,
    #[serde(default = "utc")]
    zone: String,
    #[serde(default)]
    until: RowUntil,
    #[serde(default)]
    weekend: RowWeekend,
    duties: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RowEnds {
    #[default]
    Floor,
    Ceiling,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RowPrivacy {
    #[default]
    Open,
    Silent,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RowUntil {
    #[default]
    SameTime,
    EndOfDay,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RowWeekend {
    #[default]
    Counts,
    RollsToMonday,
}

fn utc() -> String {
    "UTC".into()
}

/// Parses a catalogue. Error: what is wrong, with its line.
pub fn parse(text: &str) -> Result<Catalogue, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let instruments = file.instrument.into_iter().map(Instrument::from).collect();
    let catalogue = Catalogue { version: file.version, instruments };
    match catalogue.fault() {
        Some(fault) => Err(fault),
        None => Ok(catalogue),
    }
}

/// The shipped catalogue.
pub fn standard() -> Catalogue {
    match parse(STANDARD) {
        Ok(catalogue) => catalogue,
        Err(error) => unreachable!("a test parses the shipped catalogue: {error}"),
    }
}

impl From<Row> for Instrument {
    fn from(row: Row) -> Instrument {
        let ends = match row.ends {
            RowEnds::Floor => Ends::Floor,
            RowEnds::Ceiling => Ends::Ceiling,
        };
        let privacy = match row.privacy {
            RowPrivacy::Open => Privacy::Open,
            RowPrivacy::Silent => Privacy::Silent,
        };
        let until = match row.until {
            RowUntil::SameTime => Until::SameTime,
            RowUntil::EndOfDay => Until::EndOfDay,
        };
        let weekend = match row.weekend {
            RowWeekend::Counts => Weekend::Counts,
            RowWeekend::RollsToMonday => Weekend::RollsToMonday,
        };
        Instrument {
            code: row.code,
            title: row.title,
            citation: row.citation,
            days: row.days,
            extension_days: row.extension_days,
            max_extensions: row.max_extensions,
            gag_days: row.gag_days,
            keeps: row.keeps,
            ends,
            privacy,
            rule: DayRule { zone: row.zone, until, weekend },
            duties: row.duties,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_catalogue_is_good() {
        let standard = standard();
        let epoc_pr = standard.get("epoc-pr").unwrap();
        assert_eq!((epoc_pr.days, epoc_pr.extension_days), (Some(60), Some(30)));
        assert_eq!((epoc_pr.ends, epoc_pr.privacy), (Ends::Ceiling, Privacy::Silent));
        let gag = standard.get("us-2705").unwrap();
        assert_eq!((gag.gag_days, gag.privacy, gag.days), (Some(90), Privacy::Silent, None));
        let no_ground = standard.instruments.iter().filter(|i| i.keeps == Some(false));
        let codes: Vec<&str> = no_ground.map(|i| i.code.as_str()).collect();
        assert_eq!(codes, ["us-2705", "us-2706"]);
        assert!(standard.instruments.iter().all(|i| !i.citation.is_empty()));
    }

    #[test]
    fn an_unknown_zone_or_key_or_a_missing_letter_is_named() {
        assert!(
            parse(&STANDARD.replace("Europe/Brussels", "Mars/X")).unwrap_err().contains("Mars")
        );
        assert!(parse(&STANDARD.replace("duties", "dutys")).is_err());
        let open = STANDARD.replace("\"silent\"\ngag_days", "\"open\"\ngag_days");
        assert!(parse(&open).unwrap_err().contains("clock of silence"));
        assert!(parse(&STANDARD.replace("\"letter\"", "\"note\"")).unwrap_err().contains("letter"));
    }
}
