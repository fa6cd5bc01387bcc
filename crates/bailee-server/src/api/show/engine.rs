//! What keeps or kept the packs, as it was last seen.

use bailee_core::engine::Finding;
use serde_json::{Value, json};

use super::{Page, at};
use crate::api::problem::Problem;
use crate::house::House;

/// Every engine there was, by its place.
pub(super) fn list(house: &House, page: &Page) -> Result<Value, Problem> {
    let after = page.after.clone().unwrap_or_default();
    Ok(house.with_state(|s| {
        let rest = s.engines.iter().filter(|(place, _)| **place > after);
        let items: Vec<_> = rest.take(page.limit as usize).collect();
        let last = items.last().map(|(place, _)| (*place).clone());
        let more = last.filter(|last| s.engines.keys().next_back() > Some(last));
        let items: Vec<Value> = items.into_iter().map(|(place, f)| finding(place, f)).collect();
        json!({ "items": items, "next": more, "position": s.head })
    })?)
}

/// A finding in full.
pub fn finding(place: &str, found: &Finding) -> Value {
    let trials = found.trials.iter().map(
        |trial| json!({ "what": trial.what, "outcome": trial.outcome.word(), "saw": trial.saw }),
    );
    let lost = found.canaries.lost.iter().map(|lost| {
        let snapshot = lost.snapshot.to_string();
        json!({ "snapshot": snapshot, "object": lost.object, "harm": lost.harm.word() })
    });
    json!({
        "engine": place,
        "entry": found.position,
        "at": at(found.at),
        "bad": found.bad(),
        "worse": found.worse,
        "read_back": found.canaries.objects,
        "bytes_read_back": found.canaries.bytes,
        "lost": lost.collect::<Vec<_>>(),
        "trials": trials.collect::<Vec<_>>(),
    })
}
