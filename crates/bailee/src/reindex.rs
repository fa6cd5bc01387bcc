//! `bailee reindex`: the vault's index, made again from the packs' own directories.
//!
//! Invariants: nothing but a damaged index object is ever taken away, and that only when the packs
//! it could have named are indexed. Exit code 0: every pack is in an index that can be read. Out of
//! scope: damage of packs (`scrub`), and which files it hits (`snapshot verify`).

use bailee_server::keeping;
use serde_json::{Value, json};

use crate::cli::Reach;
use crate::door::Door;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// Indexes what no readable index names.
pub(crate) fn reindex(reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = Door::open_here(reach, "`reindex`")?;
    let report = keeping::reindex(&door.here("`reindex`")?.house)?;
    let problems: Vec<Value> = report
        .problems
        .iter()
        .map(|p| json!({ "object": p.path.display().to_string(), "what": p.what }))
        .collect();
    let sound = problems.is_empty();
    print::thing(&json!({ "packs": report.packs, "problems": problems }), style)?;
    if sound { Ok(()) } else { Err(Trouble::Said(1)) }
}
