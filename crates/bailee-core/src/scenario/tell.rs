//! Telling: records, verdicts and views in words, and long runs in few lines.
//!
//! Invariants: the words are a function of what is told, nothing else; a run is shortened only if
//! its first and last line still stand there, with the number of those between.

use crate::demand::Flag;
use crate::event::Record;
use crate::gate::Verdict;
use crate::policy::DutyKind;
use crate::time::Time;
use crate::view::OwnerView;

mod event;

pub(crate) use event::told;

/// Longest run that is told in full.
const IN_FULL: usize = 3;

/// Kinds of duties.
pub(super) const DUTIES: &[&str] = &[
    "triage",
    "unmatched",
    "no_basis_left",
    "review_hold",
    "reach_party",
    "inspect_asset",
    "explain_loss",
    "repair_snapshot",
    "inspect_engine",
    "check_clock",
];

/// A duty's kind and what it is about.
pub(super) fn duty(kind: DutyKind) -> String {
    match kind {
        DutyKind::Triage(demand) => format!("triage {demand}"),
        DutyKind::Unmatched(demand) => format!("unmatched {demand}"),
        DutyKind::NoBasisLeft(hold) => format!("no_basis_left {hold}"),
        DutyKind::ReviewHold(hold) => format!("review_hold {hold}"),
        DutyKind::ReachParty(notice) => format!("reach_party {notice}"),
        DutyKind::InspectAsset(clearance) => format!("inspect_asset {clearance}"),
        DutyKind::ExplainLoss(clearance) => format!("explain_loss {clearance}"),
        DutyKind::RepairSnapshot(snapshot) => format!("repair_snapshot {snapshot}"),
        DutyKind::InspectEngine(position) => format!("inspect_engine {position}"),
        DutyKind::CheckClock(position) => format!("check_clock {position}"),
    }
}

/// A flag's word.
pub(super) fn flag(flag: Flag) -> &'static str {
    match flag {
        Flag::WrongEntity => "wrong_entity",
        Flag::ScopeUnreadable => "scope_unreadable",
        Flag::Unmatched => "unmatched",
        Flag::UnknownInstrument => "unknown_instrument",
        Flag::Damaged => "damaged",
        Flag::AttachmentUnread => "attachment_unread",
    }
}

/// In the largest unit that leaves no remainder.
fn bytes(bytes: u64) -> String {
    let units = [("PB", 15), ("TB", 12), ("GB", 9), ("MB", 6), ("KB", 3)];
    let whole = |(_, power): &(&str, u32)| bytes > 0 && bytes.is_multiple_of(10u64.pow(*power));
    match units.into_iter().find(whole) {
        Some((unit, power)) => format!("{} {unit}", bytes / 10u64.pow(power)),
        None => format!("{bytes} B"),
    }
}

/// What an owner sees.
pub(super) fn view(view: &OwnerView) -> String {
    fn list<I: std::fmt::Display>(ids: &[I]) -> String {
        match ids {
            [] => "none".to_owned(),
            [first, .., last] if ids.len() > IN_FULL => {
                format!("{first} … {last} ({})", ids.len())
            }
            _ => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        }
    }
    let OwnerView { accounts, assets, parts, copies, holds, notices } = view;
    let (accounts, assets) = (list(accounts), list(assets));
    let more = |what: &str, none: bool, ids: String| match none {
        true => String::new(),
        false => format!("; {what} {ids}"),
    };
    let parts = more("parts", parts.is_empty(), list(parts));
    let copies = more("copies", copies.is_empty(), list(copies));
    format!(
        "accounts {accounts}; assets {assets}{parts}{copies}; holds {}; notices {}",
        list(holds),
        list(notices)
    )
}

/// The gate's answer in short.
pub(super) fn blocked(reasons: &[String]) -> String {
    match reasons.is_empty() {
        true => "clear".to_owned(),
        false => format!("blocked by {}", reasons.join(", ")),
    }
}

/// The gate's answer with every reason and what would change it; lines joined by line ends.
pub(super) fn verdict(verdict: &Verdict) -> String {
    let mut lines = Vec::new();
    for reason in &verdict.reasons {
        let through = match reason.through == verdict.asset {
            true => String::new(),
            false => format!(", through {}", reason.through),
        };
        let (code, about, text) = (reason.code.as_str(), &reason.about, &reason.text);
        lines.push(format!("{code}: {about} {text}{through}; {}", reason.change));
    }
    let satisfied: Vec<String> =
        verdict.satisfied.iter().map(|(hold, _)| format!("{hold} by a verified copy")).collect();
    if !satisfied.is_empty() {
        lines.push(format!("satisfied: {}", satisfied.join(", ")));
    }
    let word = if verdict.is_clear() { "clear" } else { "blocked" };
    lines.insert(0, word.to_owned());
    lines.join("\n")
}

/// Names with what is so of each; neighbours of which the same is so share their lines.
pub(super) fn grouped(names: &[String], said: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut start = 0;
    while let Some(first) = said.get(start) {
        let same = said[start..].iter().take_while(|other| *other == first).count();
        let who = match same {
            1..=IN_FULL => names[start..start + same].join(", "),
            n => format!("{} … {} ({n})", names[start], names[start + n - 1]),
        };
        let mut parts = first.split('\n');
        lines.push(format!("{who}: {}", parts.next().unwrap_or_default()));
        lines.extend(parts.map(|part| format!("  {part}")));
        start += same;
    }
    lines
}

/// Records of one step, in words; runs of one event are shortened.
pub(super) fn records(records: &[Record]) -> Vec<String> {
    let kinds: Vec<u16> = records.iter().map(|record| record.fact.event.code()).collect();
    let told: Vec<Vec<String>> =
        records.iter().map(|record| vec![event::told(&record.fact)]).collect();
    shortened(&kinds, &told)
}

/// Steps of one sentence; runs of steps with events of the same kinds are shortened.
pub(super) fn steps(told: &[Vec<String>]) -> Vec<String> {
    let shapes: Vec<String> = told.iter().map(|lines| shape(lines)).collect();
    shortened(&shapes, told)
}

/// Ticks with their times; runs of ticks at which the same kind of thing fell due are shortened.
pub(super) fn ticks(told: &[(Time, Vec<String>)]) -> Vec<String> {
    let shapes: Vec<String> = told.iter().map(|(_, lines)| shape(lines)).collect();
    let timed: Vec<Vec<String>> = told
        .iter()
        .map(|(at, lines)| lines.iter().map(|line| format!("{at} {line}")).collect())
        .collect();
    shortened(&shapes, &timed)
}

/// The lines without their numbers.
fn shape(lines: &[String]) -> String {
    lines.join("\n").chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn shortened<K: PartialEq>(kinds: &[K], told: &[Vec<String>]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut start = 0;
    while let Some(first) = kinds.get(start) {
        let run = kinds[start..].iter().take_while(|kind| *kind == first).count();
        let group = &told[start..start + run];
        match group {
            [head, middle @ .., tail] if run > IN_FULL => {
                lines.extend(head.iter().cloned());
                lines.push(format!("… {} more likewise …", middle.len()));
                lines.extend(tail.iter().cloned());
            }
            _ => lines.extend(group.iter().flatten().cloned()),
        }
        start += run;
    }
    lines
}
