//! Show: what is so now, as JSON. One thing in full, or a list a page at a time.
//!
//! Invariants: read from memory, durable to its last entry; `position` says up to which entry; a
//! list is in id order and a page ends with the id to go on after; nothing secret (token hashes,
//! salts, keys) and no words of letters are in any of it. Why the house placed a hold is read from
//! its entry, for that hold alone: what was erased is not shown. These are the house's own views:
//! who may ask is the door's question. A data owner's view is [`mine`], which silent holds never
//! reach.

mod ask;
mod engine;
mod house;
mod keep;
mod let_go;
mod owned;
mod registry;

use std::fmt::Display;
use std::str::FromStr;

use bailee_core::coverage;
use bailee_core::id::{BadId, Id, PartyId};
use bailee_core::table::Table;
use bailee_core::{State, Time, gate as core_gate, view};
use serde_json::{Value, json};

use crate::api::problem::Problem;
use crate::api::words;
use crate::house::House;
use crate::receipt;
use crate::stamping;
pub use engine::finding;

/// Rows of a list if nothing else is asked for.
const PAGE: u32 = 100;
/// Most rows of a list.
const LONGEST_PAGE: u32 = 1000;

/// Shows one thing by its id (`A-12`), or a list by its name (`assets?after=A-12&limit=50`).
///
/// Lists: `parties entities accounts assets matters demands holds notices objections dispositions
/// clearances snapshots accesses meters duties tokens`, each `{items, next, position}`; and
/// `timestamps` (after a number of entries), `engines`, `instruments`, `policy`, `status`, `keys`.
///
/// # Errors
/// `not_found` for an id that is free; `bad_request` for a name or parameter that is none.
pub fn show(house: &House, what: &str) -> Result<Value, Problem> {
    let (name, query) = what.split_once('?').unwrap_or((what, ""));
    let page = Page::parse(query)?;
    if page.open && name != "duties" {
        return Err(Problem::bad_request("open", "is read for duties only"));
    }
    match name {
        "status" => return house::status(house),
        "timestamps" => return timestamps(house, &page),
        "keys" => return crate::keys::show::show(house),
        "engines" => return engine::list(house, &page),
        _ => {}
    }
    let found = house.with_state(|s| list(s, name, &page).or_else(|| one(s, name)))?;
    let mut shown = found.unwrap_or_else(|| {
        let detail = format!("{name:?} is neither an id like A-12 nor the name of a list");
        Err(Problem::bad_request("what to show", detail))
    })?;
    if let Some(position) = shown.get("position_placed").and_then(Value::as_u64) {
        shown["note"] = json!(note(house, position)?);
    }
    if let Some(position) = shown.get("position_report").and_then(Value::as_u64) {
        shown["report"] = report(house, position)?;
    }
    Ok(shown)
}

/// The words of the act at that place in the log, if there are any.
fn note(house: &House, position: u64) -> Result<Option<String>, Problem> {
    let papers = receipt::record(house, position)?.and_then(|record| record.fact.papers);
    Ok(papers.map(|papers| papers.note).filter(|note| !note.is_empty()))
}

/// What was said when a clearance was given back: in words, and with which documents. Nothing, once
/// that is erased.
fn report(house: &House, position: u64) -> Result<Value, Problem> {
    let papers = receipt::record(house, position)?.and_then(|record| record.fact.papers);
    let said =
        papers.map(|papers| json!({ "note": papers.note, "exhibits": ask::exhibits(&papers) }));
    Ok(said.unwrap_or_default())
}

/// What is stamped by which authority until when, and what is missing.
fn timestamps(house: &House, page: &Page) -> Result<Value, Problem> {
    let after = page
        .after
        .as_deref()
        .map_or(Ok(0), str::parse)
        .map_err(|_| Problem::bad_request("after", "is no number of entries".to_owned()))?;
    Ok(stamping::list(house, after, page.limit as usize)?)
}

/// Asks the gate about an asset. Not an error if it is blocked: `clear` is false then.
///
/// # Errors
/// `not_found` if there is no such asset, `bad_request` if that is no asset id.
pub fn gate(house: &House, asset: &str, verb: words::Verb) -> Result<Value, Problem> {
    let id = asset.parse().map_err(|e: BadId| Problem::bad_request("asset", e.to_string()))?;
    let now = house.clock().now();
    let verdict = house.with_state(|s| core_gate::verdict(s, id, verb.into(), s.now(now), None))?;
    let verdict = verdict.ok_or_else(|| Problem::not_found(asset))?;
    let reasons = verdict.reasons.iter().map(|reason| {
        let documents = reason.rests_on.iter().map(|digest| bailee_ledger::to_hex(digest));
        json!({
            "code": reason.code.as_str(),
            "about": reason.about,
            "through": reason.through.to_string(),
            "text": reason.text,
            "rests_on": documents.collect::<Vec<_>>(),
            "change": reason.change,
        })
    });
    let satisfied = verdict.satisfied.iter();
    let satisfied =
        satisfied.map(|(hold, copy)| json!({ "hold": id_text(hold), "by": id_text(copy) }));
    Ok(json!({
        "asset": asset,
        "verb": verb.word(),
        "clear": verdict.is_clear(),
        "reasons": reasons.collect::<Vec<_>>(),
        "satisfied": satisfied.collect::<Vec<_>>(),
        "position": verdict.position,
    }))
}

/// What a data owner may see: its accounts, assets with their parts and preserved copies, the holds
/// it may know of, its notices. `held` speaks of those holds only: without one it is `false`, also
/// where a silent one is.
///
/// # Errors
/// `not_found` if there is no such party.
pub fn mine(house: &House, party: PartyId) -> Result<Value, Problem> {
    house.with_state(|s| {
        let found = s.parties.get(party).ok_or_else(|| Problem::not_found(party.to_string()))?;
        let view = view::owner(s, party);
        Ok(json!({
            "party": party.to_string(),
            "name": found.name(),
            "accounts": ids(&view.accounts),
            "assets": owned::assets(s, &view, &view.assets),
            "parts": owned::assets(s, &view, &view.parts),
            "copies": owned::copies(s, &view),
            "holds": ids(&view.holds),
            "notices": ids(&view.notices),
            "transfers": let_go::coming_to(s, party),
        }))
    })?
}

/// Which rows of a list.
struct Page {
    after: Option<String>,
    limit: u32,
    /// Of duties: only those that nobody has discharged.
    open: bool,
}

impl Page {
    fn parse(query: &str) -> Result<Page, Problem> {
        let mut page = Page { after: None, limit: PAGE, open: false };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("after", id)) => page.after = Some(id.to_owned()),
                Some(("limit", number)) => {
                    let most = number.parse().ok().filter(|n| (1..=LONGEST_PAGE).contains(n));
                    page.limit = most.ok_or_else(|| {
                        let detail = format!("{number:?} is not a number from 1 to {LONGEST_PAGE}");
                        Problem::bad_request("limit", detail)
                    })?;
                }
                Some(("open", said)) => {
                    page.open = said.parse().map_err(|_| {
                        let detail = format!("{said:?} is neither true nor false");
                        Problem::bad_request("open", detail)
                    })?;
                }
                _ => {
                    let detail = format!("{pair:?} is none of after=, limit= and open=");
                    return Err(Problem::bad_request("query", detail));
                }
            }
        }
        Ok(page)
    }
}

/// The list of that name, if it is one.
fn list(s: &State, name: &str, page: &Page) -> Option<Result<Value, Problem>> {
    Some(match name {
        "parties" => rows(s, &s.parties, page, registry::party),
        "entities" => rows(s, &s.entities, page, registry::entity),
        "accounts" => rows(s, &s.accounts, page, registry::account),
        "assets" => rows(s, &s.assets, page, keep::asset),
        "snapshots" => rows(s, &s.snapshots, page, keep::snapshot),
        "accesses" => rows(s, &s.accesses, page, keep::access),
        "demands" => rows(s, &s.demands, page, ask::demand),
        "matters" => rows(s, &s.matters, page, ask::matter),
        "holds" => rows(s, &s.holds, page, ask::hold),
        "notices" => rows(s, &s.notices, page, let_go::notice),
        "objections" => rows(s, &s.objections, page, let_go::objection),
        "dispositions" => rows(s, &s.dispositions, page, let_go::disposition),
        "clearances" => rows(s, &s.clearances, page, let_go::clearance),
        "meters" => rows(s, &s.meters, page, registry::meter),
        "duties" => {
            rows_if(s, &s.duties, page, registry::duty, |duty| !page.open || !duty.discharged)
        }
        "tokens" => rows(s, &s.tokens, page, registry::token),
        "policy" => Ok(house::policy(s)),
        "instruments" => Ok(house::instruments(s)),
        _ => return None,
    })
}

/// The thing with that id, if it is one.
fn one(s: &State, id: &str) -> Option<Result<Value, Problem>> {
    let (letters, _) = id.split_once('-')?;
    Some(match letters {
        "P" => row(s, &s.parties, id, registry::party),
        "E" => row(s, &s.entities, id, registry::entity),
        "AC" => row(s, &s.accounts, id, registry::account),
        "A" => row(s, &s.assets, id, keep::asset_in_full),
        "S" => row(s, &s.snapshots, id, keep::snapshot_in_full),
        "Q" => row(s, &s.accesses, id, keep::access),
        "D" => row(s, &s.demands, id, ask::demand),
        "M" => row(s, &s.matters, id, ask::matter_in_full),
        "H" => row(s, &s.holds, id, ask::hold),
        "N" => row(s, &s.notices, id, let_go::notice),
        "O" => row(s, &s.objections, id, let_go::objection),
        "X" => row(s, &s.dispositions, id, let_go::disposition_in_full),
        "C" => row(s, &s.clearances, id, let_go::clearance),
        "K" => row(s, &s.meters, id, registry::meter),
        "Y" => row(s, &s.duties, id, registry::duty),
        "T" => row(s, &s.tokens, id, registry::token),
        _ => return None,
    })
}

fn bad_id(error: &BadId) -> Problem {
    Problem::bad_request("id", error.to_string())
}

fn row<I: Id + FromStr<Err = BadId>, T>(
    s: &State,
    table: &Table<I, T>,
    id: &str,
    show: fn(&State, I, &T) -> Value,
) -> Result<Value, Problem> {
    let id: I = id.parse().map_err(|e| bad_id(&e))?;
    let found = table.get(id).ok_or_else(|| Problem::not_found(id.to_string()))?;
    let mut value = show(s, id, found);
    value["position"] = json!(s.head);
    Ok(value)
}

fn rows<I: Id + FromStr<Err = BadId>, T>(
    s: &State,
    table: &Table<I, T>,
    page: &Page,
    show: fn(&State, I, &T) -> Value,
) -> Result<Value, Problem> {
    rows_if(s, table, page, show, |_| true)
}

/// The rows that are `wanted`, as many as a page has.
fn rows_if<I: Id + FromStr<Err = BadId>, T>(
    s: &State,
    table: &Table<I, T>,
    page: &Page,
    show: fn(&State, I, &T) -> Value,
    wanted: impl Fn(&T) -> bool,
) -> Result<Value, Problem> {
    let after: Option<I> =
        page.after.as_deref().map(str::parse).transpose().map_err(|e| bad_id(&e))?;
    let first = after.map_or(0, Id::number).saturating_add(1);
    let all =
        (first..=u32::MAX).map_while(|number| Some((I::nth(number), table.get(I::nth(number))?)));
    let mut all = all.filter(|(_, row)| wanted(row));
    let found: Vec<(I, &T)> = all.by_ref().take(page.limit as usize).collect();
    let more = found.last().map(|(id, _)| *id).filter(|_| all.next().is_some());
    let items: Vec<Value> = found.into_iter().map(|(id, one)| show(s, id, one)).collect();
    Ok(json!({ "items": items, "next": more.map(|id| id.to_string()), "position": s.head }))
}

/// Ids as people write them.
fn ids<'a, I: Display + 'a>(all: impl IntoIterator<Item = &'a I>) -> Vec<String> {
    all.into_iter().map(ToString::to_string).collect()
}

fn id_text(id: &impl Display) -> String {
    id.to_string()
}

/// An id or a time that may be absent.
fn maybe(value: Option<impl Display>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn at(time: Time) -> String {
    time.to_string()
}

/// Holds in force that reach an asset, with what they reach it through.
fn reached(s: &State, asset: bailee_core::id::AssetId) -> Vec<Value> {
    let holds = coverage::holds(s, asset).into_iter();
    let in_force = holds.filter_map(|(id, through)| {
        let hold = s.holds.get(id).filter(|hold| hold.in_force())?;
        Some(json!({
            "hold": id.to_string(),
            "through": through.to_string(),
            "status": ask::hold_status(hold),
        }))
    });
    in_force.collect()
}
