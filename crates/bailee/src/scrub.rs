//! `bailee scrub`: are the vault's packs still what was put? A part of them at a time, without a
//! key; and what is not, put right from a second copy.
//!
//! Invariants: nothing is changed unless a copy was named; a copy is only read. Exit code 0: every
//! pack looked at is whole, or was put right. Out of scope: which files are hit without a repair
//! (`snapshot verify` says it), and packs that no index names any more.

use bailee_server::api::upkeep;
use bailee_server::keeping::{self, Scrubbed};
use serde_json::{Value, json};

use crate::cli::Reach;
use crate::cli::keep::ScrubArgs;
use crate::door::Door;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// Checks as much as was asked for, and repairs if there is a copy.
pub(crate) fn scrub(args: &ScrubArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = Door::open(reach)?;
    let (value, left) = match (&door, args.repair_from.as_deref()) {
        (Door::There(client), None) => {
            let order = json!({ "budget": args.budget.to_string() });
            let value: Value = client.wait("/v1/scrubs", &order)?;
            // Anything but an empty list is no answer that says "whole".
            let whole = value["problems"].as_array().is_some_and(Vec::is_empty);
            (value, usize::from(!whole))
        }
        (door, copy) => {
            let house = &door.here("`scrub --repair-from`")?.house;
            let scrubbed = keeping::scrub(house, args.budget.0)?;
            let Scrubbed { run, forgotten, .. } = &scrubbed;
            if let Some(why) = forgotten {
                print::remark(&format!("the next scrub begins where this one did: {why}"));
            }
            let (mut value, mut left) = (upkeep::scrubbed(&scrubbed), run.report.problems.len());
            if let Some(copy) = copy {
                let repair = keeping::repair(house, copy, &run.report.problems)?;
                left = repair.problems.len();
                value["repaired"] = upkeep::repaired(copy, &repair, &keeping::called(house)?);
            }
            (value, left)
        }
    };
    print::thing(&value, style)?;
    tell_unrecorded(&value);
    if left == 0 { Ok(()) } else { Err(Trouble::Said(1)) }
}

/// Says what the vault has and the log does not.
pub(crate) fn tell_unrecorded(value: &Value) {
    let names = value["unrecorded"].as_array().map_or(&[][..], Vec::as_slice);
    for name in names.iter().filter_map(Value::as_str) {
        print::remark(&format!(
            "the vault has a snapshot {} that the log does not know, or not yet: `bailee snapshot \
             adopt A-1`, for what it was taken of, records it; then it is expired as any other",
            print::safe(name)
        ));
    }
}
