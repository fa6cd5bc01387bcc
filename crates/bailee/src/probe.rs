//! `bailee probe`: what keeps the vault's packs, put to the test, with the finding on record.
//!
//! Invariant: exit code 1 if something was promised and does not hold, if held data is missing or
//! damaged, or if nothing answers; what is not promised is shown and no alarm.

use bailee_server::{api, probing};

use crate::cli::Reach;
use crate::door::Door;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// Tries it out and tells.
pub(crate) fn probe(reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = Door::open(reach)?;
    let (engine, found) = probing::probe(&door.here("`probe`")?.house)?;
    let mut value = api::finding(&engine, &found);
    value["items"] = value["trials"].take();
    print::list(&value, style)?;
    if style == Style::Words {
        let (entry, canaries) = (found.position, &found.canaries);
        let (objects, bytes) = (canaries.objects, print::bytes(canaries.bytes));
        print::out(&format!("entry {entry}: {objects} objects under hold read back, {bytes}\n"))?;
        for lost in &canaries.lost {
            let (object, of, harm) = (&lost.object, lost.snapshot, lost.harm.word());
            print::out(&format!("LOST: {} of {of} is {harm}\n", print::safe(object)))?;
        }
    }
    if found.bad().is_empty() { Ok(()) } else { Err(Trouble::Said(1)) }
}
