//! What a page to operations says: what happened, what is frozen, which commands decide it.
//!
//! Invariants: a page names ids and nobody: it outlives the people it is for, and is not erased
//! with them; every kind of duty has words of its own, and says how it is discharged.
//!
//! Out of scope: whom it goes to, and when (steward.rs).

use bailee_core::demand::Flag;
use bailee_core::id::{ClearanceId, DemandId, DutyId, HoldId, NoticeId, SnapshotId};
use bailee_core::{Answered, Duty, DutyKind, State, answers, custody};

/// A page in words.
pub(crate) struct Said {
    pub(crate) subject: String,
    pub(crate) text: String,
}

/// What has to be done: in a few words, and what happened with the commands that decide it.
struct Asked {
    ask: String,
    body: String,
}

/// What the page of a duty says.
pub(crate) fn say(s: &State, id: DutyId, duty: &Duty) -> Said {
    let Asked { ask, body } = match duty.kind {
        DutyKind::Triage(demand) => triage(s, demand),
        DutyKind::Unmatched(demand) => unmatched(s, demand),
        DutyKind::NoBasisLeft(hold) => no_basis_left(hold),
        DutyKind::ReviewHold(hold) => review(hold),
        DutyKind::ReachParty(notice) => reach(notice),
        DutyKind::InspectAsset(clearance) => inspect(s, clearance),
        DutyKind::ExplainLoss(clearance) => explain(s, clearance),
        DutyKind::RepairSnapshot(snapshot) => repair(snapshot),
        DutyKind::InspectEngine(position) => engine(position),
        DutyKind::CheckClock(position) => check_clock(position),
    };
    let end = if duty.discharged {
        format!("{id} is discharged already: nothing is left to do.")
    } else if is_done_here(duty.kind) {
        format!(
            "That discharges {id}. If there is nothing to do, say why:\n  \
             bailee duty discharge {id} --note '...'"
        )
    } else {
        format!("Then say what was done:\n  bailee duty discharge {id} --note '...'")
    };
    let text = format!("{body}\n\n{end}\n\nFor: staff and counsel\n");
    Said { subject: format!("{id}: {ask}"), text }
}

/// True if the act that the duty asks for is recorded here, and discharges it.
fn is_done_here(kind: DutyKind) -> bool {
    matches!(kind, DutyKind::Triage(_) | DutyKind::Unmatched(_) | DutyKind::ReachParty(_))
}

fn triage(s: &State, demand: DemandId) -> Asked {
    let body = format!(
        "A letter came in and is {demand}. {}\n\nRead it, and decide (counsel, to refuse):\n  \
         bailee demand show {demand}\n  bailee demand accept {demand} --matter M-1\n  \
         bailee demand clarify {demand} --note '...'\n  \
         bailee demand refuse {demand} --note '...'{}{}{}{}",
        frozen(s, demand),
        answered(s, demand),
        nobodys_instrument(s, demand),
        being_transferred(s, demand),
        nameless(s, demand)
    );
    Asked { ask: format!("decide on {demand}"), body }
}

fn unmatched(s: &State, demand: DemandId) -> Asked {
    let body = format!(
        "A letter came in, is {demand}, and names nothing that is known here. {}\n\n\
         Find out what it means and say so, or ask its sender, or refuse it (counsel):\n  \
         bailee demand show {demand}\n  bailee demand match {demand} --account AC-1\n  \
         bailee demand clarify {demand} --note '...'\n  \
         bailee demand refuse {demand} --note '...'{}{}",
        frozen(s, demand),
        nobodys_instrument(s, demand),
        nameless(s, demand)
    );
    Asked { ask: format!("find out what {demand} means"), body }
}

fn no_basis_left(hold: HoldId) -> Asked {
    let body = format!(
        "The time limit of {hold} ran out and nothing else supports it: to go on keeping may be a \
         breach. All that it reaches stays frozen until it is released.\n\n\
         Give it another basis, or release it:\n  bailee hold show {hold}\n  \
         bailee hold add-basis {hold} --instrument letter --note '...'\n  \
         bailee hold propose-release {hold} --note '...'"
    );
    Asked { ask: format!("{hold} has no basis left"), body }
}

fn review(hold: HoldId) -> Asked {
    let body = format!(
        "The last time limit of {hold} ran out, or something became known here that it means \
         while it was on its way to be released. All that it reaches stays frozen: no clock \
         releases it.\n\nLook whether it is still needed:\n  bailee hold show {hold}\n  \
         bailee hold add-basis {hold} --instrument letter --note '...'\n  \
         bailee hold propose-release {hold} --note '...'"
    );
    Asked { ask: format!("review {hold}"), body }
}

fn reach(notice: NoticeId) -> Asked {
    let body = format!(
        "No address of its recipient proved delivery of {notice}. What waits for that proof goes \
         on waiting.\n\nDeliver it in person or by registered post, and record the proof:\n  \
         bailee notice show {notice}\n  \
         bailee notice evidence {notice} --is served --exhibit proof.pdf"
    );
    Asked { ask: format!("deliver {notice}"), body }
}

fn inspect(s: &State, clearance: ClearanceId) -> Asked {
    let body = format!(
        "An agent began under {clearance} and was never heard of again. Nobody knows what is left \
         of {}.\n\nLook at it:\n  bailee clearance show {clearance}",
        asset(s, clearance)
    );
    Asked { ask: format!("inspect the asset of {clearance}"), body }
}

fn explain(s: &State, clearance: ClearanceId) -> Asked {
    let body = format!(
        "A demand came while an agent was at work under {clearance}. What is left of {} is frozen; \
         some of it may be gone.\n\nTell the sender of the demand what is gone:\n  \
         bailee clearance show {clearance}",
        asset(s, clearance)
    );
    Asked { ask: format!("explain what is gone under {clearance}"), body }
}

fn repair(snapshot: SnapshotId) -> Asked {
    let body = format!(
        "{snapshot} was read back and is not what was recorded of it: it satisfies no hold.\n\n\
         Put its packs right from a copy, or preserve its source again:\n  \
         bailee snapshot show {snapshot}\n  bailee scrub --repair-from DIR\n  \
         bailee snapshot verify {snapshot}"
    );
    Asked { ask: format!("repair {snapshot}"), body }
}

fn engine(position: u64) -> Asked {
    let body = format!(
        "What keeps the packs broke a promise or lost something: entry {position} of the log. \
         Nothing more is frozen for it.\n\nLook at it, and try it out again:\n  bailee status\n  \
         bailee probe"
    );
    Asked { ask: "look at what keeps the packs".into(), body }
}

fn check_clock(position: u64) -> Asked {
    let body = format!(
        "The clock leapt: between entry {position} of the log and the one before it are days that \
         nobody watched. No wait, cooling period, silence or basis of a hold ends by that leap \
         until the clock was seen running for two days.\n\nIf the clock is wrong, put it right at \
         once. If it is right (nothing served the house meanwhile), keep it served:\n  date\n  \
         bailee status\n  bailee serve"
    );
    Asked { ask: "look at the clock".into(), body }
}

/// What the demand froze, by ids.
fn frozen(s: &State, demand: DemandId) -> String {
    let held = s.demands.get(demand).and_then(|found| Some((found.hold, s.holds.get(found.hold)?)));
    let Some((id, hold)) = held else { return "Its hold is not on record.".into() };
    if !hold.in_force() {
        return format!("Its hold {id} is over and freezes nothing.");
    }
    let accounts = hold.scope.accounts.iter().map(ToString::to_string);
    let assets = hold.scope.assets.iter().map(ToString::to_string);
    let named: Vec<String> = accounts.chain(assets).collect();
    match named.is_empty() {
        true => format!("Its hold {id} stands and freezes nothing that is here yet."),
        false => format!("Frozen by its hold {id}: {}.", named.join(", ")),
    }
}

/// That it answers a notice of a proposal, and what that makes of it.
fn answered(s: &State, demand: DemandId) -> String {
    let said = |answer: Answered| {
        let Answered { disposition: x, notice, objection } = answer;
        let answers =
            notice.map_or_else(|| format!("names {x}"), |n| format!("answers {n} of {x}"));
        let from = s.demands.get(demand).map(|found| found.from.to_string()).unwrap_or_default();
        match objection {
            Some(objection) => format!(
                "\n\nIt {answers}, and is on record as {objection}: {x} stops until counsel has \
                 decided that in writing:\n  bailee objection show {objection}\n  \
                 bailee objection uphold {objection} --note '...'\n  \
                 bailee objection dismiss {objection} --note '...'"
            ),
            None => format!(
                "\n\nIt {answers}, which is open, and its sender has no objection on record. If it \
                 objects, file that:\n  bailee objection file {x} --by {from} --note '...'"
            ),
        }
    };
    answers(s, demand).into_iter().map(said).collect()
}

/// That it says to be something that nobody here knows, and its owner does not learn of it.
fn nobodys_instrument(s: &State, demand: DemandId) -> String {
    let found = s.demands.get(demand);
    let unknown = found.filter(|found| found.flags.contains(&Flag::UnknownInstrument));
    let hold = unknown.and_then(|found| Some((found.hold, s.holds.get(found.hold)?)));
    match hold {
        Some((id, hold)) if hold.silent && hold.in_force() => format!(
            "\n\nIt names an instrument that is not in the catalogue. Until somebody knows what it \
             is, {id} counts as a letter in silence: the owner of the data sees nothing of it. \
             Give it the basis that it has, and, if the owner may know, let counsel end the \
             silence:\n  bailee instruments list\n  \
             bailee hold add-basis {id} --instrument letter --note '...'\n  \
             bailee hold gag {id} --note '...'"
        ),
        _ => String::new(),
    }
}

/// That what it asks to keep is about to change hands, and who has to be told.
fn being_transferred(s: &State, demand: DemandId) -> String {
    let Some(hold) = s.demands.get(demand).map(|found| found.hold) else { return String::new() };
    let open = s.dispositions.iter().filter(|(_, found)| !found.cancelled);
    let late = open.filter(|(_, found)| custody::untold(s, found).contains(&hold));
    let told = |(id, _)| {
        format!(
            "\n\n{id} is to hand over what it reaches, and who takes it was told before {hold} \
             came. Nothing is handed over until they are told and accept it. Tell them, and \
             whoever else is owed a notice now, or take the proposal back:\n  \
             bailee disposition notify {id}\n  bailee disposition cancel {id} --note '...'"
        )
    };
    late.map(told).collect()
}

/// What to do first about a sender whom nothing reaches: a scan, a note of a call.
fn nameless(s: &State, demand: DemandId) -> String {
    let from = s.demands.get(demand).map(|found| found.from);
    match from.and_then(|id| Some((id, s.parties.get(id)?))) {
        Some((id, party)) if party.channels().is_empty() && party.erased.is_none() => format!(
            "\n\nIts sender is {id} and left no address that a program could read. Say who it is, \
             so that it can be answered:\n  \
             bailee party change {id} NAME --email ADDRESS --post ADDRESS"
        ),
        _ => String::new(),
    }
}

fn asset(s: &State, clearance: ClearanceId) -> String {
    let found = s.clearances.get(clearance);
    found.map_or_else(|| "its asset".to_owned(), |found| found.asset.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_says_what_happened_what_to_type_and_how_it_ends() {
        let kinds = [
            (DutyKind::Triage(DemandId(7)), "decide on D-7", "demand accept D-7"),
            (DutyKind::Unmatched(DemandId(7)), "find out what D-7 means", "demand match D-7"),
            (DutyKind::NoBasisLeft(HoldId(7)), "H-7 has no basis left", "hold add-basis H-7"),
            (DutyKind::ReviewHold(HoldId(7)), "review H-7", "hold propose-release H-7"),
            (DutyKind::ReachParty(NoticeId(7)), "deliver N-7", "notice evidence N-7"),
            (DutyKind::InspectAsset(ClearanceId(7)), "inspect the asset", "clearance show C-7"),
            (DutyKind::ExplainLoss(ClearanceId(7)), "explain what is gone", "clearance show C-7"),
            (DutyKind::RepairSnapshot(SnapshotId(7)), "repair S-7", "snapshot verify S-7"),
            (DutyKind::InspectEngine(7), "look at what keeps the packs", "bailee probe"),
            (DutyKind::CheckClock(7), "look at the clock", "bailee status"),
        ];
        for (kind, ask, command) in kinds {
            let open = Duty { kind, paged: false, discharged: false };
            let said = say(&State::default(), DutyId(1), &open);
            assert!(said.subject.starts_with(&format!("Y-1: {ask}")), "{}", said.subject);
            assert!(said.text.contains(command), "{}", said.text);
            assert!(said.text.contains("bailee duty discharge Y-1 --note"), "{}", said.text);
            // Words, and not how a program writes its values.
            assert!(!said.text.contains("Id("), "{}", said.text);
            let done = say(&State::default(), DutyId(1), &Duty { discharged: true, ..open });
            assert!(done.text.contains("Y-1 is discharged already"), "{}", done.text);
        }
    }
}
