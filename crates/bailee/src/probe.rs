//! `bailee probe`: what keeps the vault's packs, put to the test, with the finding on record.
//!
//! Invariant: exit code 1 if something was promised and does not hold, if held data is missing or
//! damaged, or if nothing answers; what is not promised is shown and no alarm.

use bailee_server::{api, probing};
use serde_json::{Value, json};

use crate::cli::Reach;
use crate::door::Door;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// Tries it out and tells.
pub(crate) fn probe(reach: &Reach, style: Style) -> Result<(), Trouble> {
    let mut value: Value = match Door::open(reach)? {
        Door::Here(here) => {
            let (engine, found) = probing::probe(&here.house)?;
            api::finding(&engine, &found)
        }
        Door::There(client) => client.wait("/v1/probes", &json!({}))?,
    };
    // Anything but an empty list is no answer that says "good".
    let good = value["bad"].as_array().is_some_and(Vec::is_empty);
    value["items"] = value["trials"].take();
    print::list(&value, style)?;
    if style == Style::Words {
        let bytes = print::bytes(value["bytes_read_back"].as_u64().unwrap_or_default());
        let (entry, objects) = (&value["entry"], &value["read_back"]);
        print::out(&format!("entry {entry}: {objects} objects under hold read back, {bytes}\n"))?;
        for lost in value["lost"].as_array().into_iter().flatten() {
            let [object, of, harm] = ["object", "snapshot", "harm"]
                .map(|name| print::safe(lost[name].as_str().unwrap_or_default()));
            print::out(&format!("LOST: {object} of {of} is {harm}\n"))?;
        }
    }
    if good { Ok(()) } else { Err(Trouble::Said(1)) }
}
