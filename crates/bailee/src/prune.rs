//! `bailee prune`: space of the vault that nothing needs any more comes back.
//!
//! Invariants: nothing here lets go of a snapshot; a unit that is refused keeps no other waiting
//! and is said by name. Exit code 0: every unit was pruned, and no kept snapshot lacks anything.

use bailee_server::pruning::{self, Pruned};
use bailee_server::vault::Sweep;
use serde_json::{Value, json};

use crate::cli::Reach;
use crate::cli::keep::PruneArgs;
use crate::door::Door;
use crate::print::progress::Bar;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// Prunes, or says what that would free.
pub(crate) fn prune(args: &PruneArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let how = if args.dry_run { Sweep::Rehearse } else { Sweep::Now };
    let door = Door::open(reach)?;
    let mut bar = Bar::new();
    let mut told = |tenant: &str, done: usize, many: usize| {
        bar.count(&format!("pruning units of {}", print::safe(tenant)), done as u64, many as u64);
    };
    let all = pruning::prune(&door.here("`prune`")?.house, how, &mut told)?;
    drop(bar);
    let items: Vec<Value> = all.iter().map(row).collect();
    let sum = |of: &str| items.iter().filter_map(|row| row[of].as_u64()).sum::<u64>();
    let (packs, freed, lost) = (sum("packs"), sum("freed_bytes"), sum("lost_chunks"));
    let refused = items.iter().filter(|row| row.get("refused").is_some()).count();
    if style == Style::Json {
        print::json(&json!({
            "dry_run": args.dry_run,
            "units": items.len(),
            "packs": packs,
            "freed_bytes": freed,
            "refused": refused,
            "items": items,
        }))?;
    } else {
        print::table(&items)?;
        let verb = if args.dry_run { "would be freed at most" } else { "freed" };
        print::out(&format!("{} in {packs} packs {verb}\n", print::bytes(freed)))?;
        for one in &all {
            if let Err(error) = &one.swept.outcome {
                print::remark(&format!("refused: {}: {error}", one.tenant));
            }
        }
    }
    if refused == 0 && lost == 0 { Ok(()) } else { Err(Trouble::Said(1)) }
}

fn row(Pruned { tenant, swept }: &Pruned) -> Value {
    let mut row = json!({ "unit": swept.unit, "of": tenant });
    match &swept.outcome {
        Ok(report) => {
            row["packs"] = report.packs.into();
            row["freed_bytes"] = report.freed_bytes.into();
            row["moved_bytes"] = report.moved_bytes.into();
            row["waiting"] = report.waiting.into();
            row["lost_chunks"] = report.lost.into();
        }
        Err(error) => row["refused"] = error.to_string().into(),
    }
    row
}
