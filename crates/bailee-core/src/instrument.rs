//! Instruments: the legal forms a demand can take, and the clock each brings. Data, not code.
//!
//! The shipped catalogue is `instruments.toml`, with citations; a deployment's counsel may load
//! another version. Loading is an event, so a replay knows which version ruled when.
//! Invariant: the catalogue always has the instrument `letter`, which has no clock: what is not
//! recognised is treated as a letter, and a letter blocks. Codes are compared in one plain form.

use crate::plain::{compatible, folded, is_dash};
use crate::time::{DayRule, Time};

/// Code of the instrument that everything unrecognised falls back to.
pub const LETTER: &str = "letter";

/// One legal form.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Instrument {
    /// Short stable code, e.g. `epoc-pr`.
    #[n(0)]
    pub code: String,
    /// Name in words.
    #[n(1)]
    pub title: String,
    /// The clause it rests on.
    #[n(2)]
    pub citation: String,
    /// Length of the clock in days; `None`: no clock, ends only by decision.
    #[n(3)]
    pub days: Option<u32>,
    /// Length of one extension, days.
    #[n(4)]
    pub extension_days: Option<u32>,
    /// How often it may be extended.
    #[n(5)]
    pub max_extensions: u8,
    /// What the end of the clock means for keeping on.
    #[n(6)]
    pub ends: Ends,
    /// Who may know.
    #[n(7)]
    pub privacy: Privacy,
    /// How its days are counted.
    #[n(8)]
    pub rule: DayRule,
    /// What the provider has to do, in words.
    #[n(9)]
    pub duties: String,
    /// Days after which the owner may learn of it: the silence's own clock, if it has one; counsel
    /// lengthens it hold by hold.
    #[n(10)]
    pub gag_days: Option<u32>,
    /// `Some(false)`: no ground to keep data by itself. It freezes as any other; but where nothing
    /// else stands, no basis is left. `None`, as in catalogues of before: it is one.
    #[n(11)]
    pub keeps: Option<bool>,
}

impl Instrument {
    /// When the silence of a hold that rests on it ends by itself.
    pub fn gag_until(&self, silent: bool, now: Time) -> Option<Time> {
        self.gag_days.filter(|_| silent).and_then(|days| self.rule.due(now, days))
    }
}

/// What the end of a clock means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Ends {
    /// Keeping on is allowed; a person reviews.
    #[n(0)]
    Floor,
    /// Keeping on without another basis is a breach: a duty is raised.
    #[n(1)]
    Ceiling,
}

/// Whether the owner may learn of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Privacy {
    /// The owner may see it.
    #[n(0)]
    Open,
    /// Invisible to the owner in every view, notice, error and timing.
    #[n(1)]
    Silent,
}

/// All instruments of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Default, minicbor::Encode, minicbor::Decode)]
pub struct Catalogue {
    /// Version, as its maintainers name it.
    #[n(0)]
    pub version: String,
    /// The instruments, by code.
    #[n(1)]
    pub instruments: Vec<Instrument>,
}

impl Catalogue {
    /// The instrument of that code, however people write it: `EPOC_PR` and `epoc pr` are `epoc-pr`.
    /// What is not recognised counts as a letter, and its confidentiality would be lost.
    pub fn get(&self, code: &str) -> Option<&Instrument> {
        let form = plain_code(code);
        let exact = self.instruments.iter().find(|i| i.code == code);
        exact.or_else(|| self.instruments.iter().find(|i| plain_code(&i.code) == form))
    }

    /// True if that instrument is a ground to keep data by itself, or nobody knows it.
    pub fn keeps(&self, code: &str) -> bool {
        self.get(code).is_none_or(|instrument| instrument.keeps != Some(false))
    }

    /// What is wrong with it, in words; `None` if it can be used.
    pub fn fault(&self) -> Option<String> {
        if self.get(LETTER).is_none_or(|letter| letter.days.is_some()) {
            return Some(format!("it needs an instrument {LETTER:?} without a clock"));
        }
        for (i, one) in self.instruments.iter().enumerate() {
            let form = plain_code(&one.code);
            if self.instruments[..i].iter().any(|earlier| plain_code(&earlier.code) == form) {
                return Some(format!("{:?} is there twice", one.code));
            }
            if one.rule.due(Default::default(), 1).is_none() {
                return Some(format!("{:?} names the unknown zone {:?}", one.code, one.rule.zone));
            }
            if one.gag_days.is_some() && one.privacy == Privacy::Open {
                return Some(format!("{:?} is open and has a clock of silence", one.code));
            }
            if one.citation.is_empty() {
                return Some(format!("{:?} has no citation", one.code));
            }
        }
        None
    }
}

/// Lower case, with one hyphen for each run of spaces, underscores and dashes between its words.
fn plain_code(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut parted = false;
    for c in compatible(code) {
        if c.is_whitespace() || is_dash(c) || c == '_' {
            parted = true;
            continue;
        }
        if parted && !out.is_empty() {
            out.push('-');
        }
        parted = false;
        out.extend(folded(c));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_one_however_it_is_written() {
        for written in [
            "EPOC-PR",
            " Epoc_PR ",
            "epoc pr",
            "epoc\u{2011}pr",
            "epoc \u{2013} pr",
            "ＥＰＯＣ－ＰＲ",
        ] {
            assert_eq!(plain_code(written), "epoc-pr", "{written:?}");
        }
        assert_ne!(plain_code("epocpr"), "epoc-pr");
        assert_eq!(plain_code("us-2703f"), "us-2703f");
    }
}
