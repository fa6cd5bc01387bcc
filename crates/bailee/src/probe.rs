//! `bailee probe`: what keeps the vault's packs, put to the test.
//!
//! Invariant: exit code 1 if something was promised and does not hold; what is not promised is
//! shown and no alarm, because nothing rests on it.

use bailee_server::probing;
use bailee_server::store::s3::{Finding, Outcome};
use serde_json::{Value, json};

use crate::cli::Reach;
use crate::door::Door;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// Tries it out and tells.
pub(crate) fn probe(reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = Door::open(reach)?;
    let found = probing::probe(&door.here("`probe`")?.house)?;
    let word = |outcome| match outcome {
        Outcome::Holds => "holds",
        Outcome::Absent => "absent",
        Outcome::Broken => "BROKEN",
    };
    let item = |f: &Finding| json!({ "what": f.what, "outcome": word(f.outcome), "saw": f.saw });
    let items: Vec<Value> = found.iter().map(item).collect();
    print::list(&json!({ "items": items }), style)?;
    let broken = found.iter().any(|f| f.outcome == Outcome::Broken);
    if broken { Err(Trouble::Said(1)) } else { Ok(()) }
}
