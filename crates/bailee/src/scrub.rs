//! `bailee scrub`: are the vault's packs still what was put? A part of them at a time, without a
//! key; and what is not, put right from a second copy.
//!
//! Invariants: nothing is changed unless a copy was named; a copy is only read. Exit code 0: every
//! pack looked at is whole, or was put right. Out of scope: which files are hit (`snapshot
//! verify` says it), and packs that no index names any more.

use std::path::Path;
use std::str::FromStr;

use bailee_server::keeping;
use bailee_server::vault::{Budget, Problem, RepairReport, ScrubRun};
use serde_json::{Value, json};

use crate::cli::Reach;
use crate::cli::keep::ScrubArgs;
use crate::door::Door;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// How much of the packs: `all`, `10%`, or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share(pub(crate) Budget);

impl FromStr for Share {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Share, &'static str> {
        let budget = match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().filter(|p| (1..=100).contains(p)),
            None if text == "all" => return Ok(Share(Budget::Everything)),
            None => return text.parse().map(Budget::Bytes).map(Share).map_err(|_| WORDS),
        };
        budget.map(|percent| Share(Budget::Percent(percent))).ok_or(WORDS)
    }
}

const WORDS: &str = "say all, a share such as 10%, or a number of bytes";

/// Checks as much as was asked for, and repairs if there is a copy.
pub(crate) fn scrub(args: &ScrubArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = Door::open(reach)?;
    let house = &door.here("`scrub`")?.house;
    let run = keeping::scrub(house, args.budget.0)?;
    let repaired = match args.repair_from.as_deref() {
        Some(copy) => Some(keeping::repair(house, copy, &run.report.problems)?),
        None => None,
    };
    print::thing(&told(&run, repaired.as_ref(), args.repair_from.as_deref()), style)?;
    let left = repaired.map_or(run.report.problems.len(), |repair| repair.problems.len());
    if left == 0 { Ok(()) } else { Err(Trouble::Said(1)) }
}

fn told(run: &ScrubRun, repaired: Option<&RepairReport>, copy: Option<&Path>) -> Value {
    let mut value = json!({
        "packs": run.report.packs,
        "bytes": run.report.bytes,
        "of_bytes": run.of_bytes,
        "round_ended": run.rounds_ended > 0,
        "problems": problems(&run.report.problems),
    });
    if let Some(repair) = repaired {
        value["repaired"] = json!({
            "from": copy,
            "packs": repair.packs,
            "bytes": repair.bytes,
            "problems": problems(&repair.problems),
        });
    }
    value
}

fn problems(all: &[Problem]) -> Vec<Value> {
    let one = |p: &Problem| json!({ "object": p.path.display().to_string(), "what": p.what });
    all.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_all_a_share_or_bytes() {
        let read = |text: &str| text.parse::<Share>().ok().map(|share| share.0);
        assert_eq!(read("all"), Some(Budget::Everything));
        assert_eq!(read("10%"), Some(Budget::Percent(10)));
        assert_eq!(read("1000000"), Some(Budget::Bytes(1_000_000)));
        for bad in ["", "%", "0%", "101%", "1.5%", "-1", "10 %", "some"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
