//! `bailee prune`: space of the vault that nothing needs any more comes back.
//!
//! Invariants: nothing here lets go of a snapshot; a unit that is refused keeps no other waiting
//! and is said by name. Exit code 0: every unit was pruned, and no kept snapshot lacks anything.

use bailee_server::api::expired::pruned;
use bailee_server::api::upkeep::name_unrecorded;
use bailee_server::core::counted;
use bailee_server::vault::Sweep;
use bailee_server::{House, documents, keeping, pruning};
use serde_json::{Value, json};

use crate::cli::Reach;
use crate::cli::keep::PruneArgs;
use crate::door::Door;
use crate::print::progress::Bar;
use crate::print::{self, Style};
use crate::scrub::tell_unrecorded;
use crate::trouble::Trouble;

/// Prunes, or says what that would free.
pub(crate) fn prune(args: &PruneArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let value: Value = match Door::open(reach)? {
        Door::Here(here) => here_and_now(args, &here.house)?,
        Door::There(client) => client.wait("/v1/prunes", &json!({ "dry_run": args.dry_run }))?,
    };
    let number = |name: &str| value[name].as_u64();
    if style == Style::Json {
        print::json(&value)?;
    } else {
        let items = value["items"].as_array().cloned().unwrap_or_default();
        print::table(&items)?;
        let verb = if args.dry_run { "would be freed at most" } else { "freed" };
        let (packs, freed) = (number("packs"), number("freed_bytes"));
        let (packs, freed) = (packs.unwrap_or_default(), freed.unwrap_or_default());
        print::out(&format!("{} in {} {verb}\n", print::bytes(freed), counted(packs, "pack")))?;
        if let Some(unnamed @ 1..) = number("unnamed_documents") {
            print::out(&format!("{} that no entry names\n", counted(unnamed, "document")))?;
        }
        for one in items.iter().filter(|one| one.get("refused").is_some()) {
            let text = |name: &str| print::safe(one[name].as_str().unwrap_or_default());
            print::remark(&format!("refused: {}: {}", text("of"), text("refused")));
        }
    }
    tell_unrecorded(&value);
    // Anything but two zeros is no answer that says "good".
    let good = number("refused") == Some(0) && number("lost_chunks") == Some(0);
    if good { Ok(()) } else { Err(Trouble::Said(1)) }
}

fn here_and_now(args: &PruneArgs, house: &House) -> Result<Value, Trouble> {
    let how = if args.dry_run { Sweep::Rehearse } else { Sweep::Now };
    let mut bar = Bar::new();
    let mut told = |tenant: &str, done: usize, many: usize| {
        bar.count(&format!("pruning units of {}", print::safe(tenant)), done as u64, many as u64);
    };
    let unnamed = documents::sweep(house, how)?;
    let all = pruning::prune(house, how, &mut told)?;
    drop(bar);
    let mut value = pruned(args.dry_run, unnamed, &all);
    name_unrecorded(&mut value, &keeping::unrecorded(house)?);
    Ok(value)
}
