//! Bundles: how many a person may ask the service for. Each reads the whole log and packs it anew.
//!
//! Invariants: logins of one person count together; who is refused has no less later, and is told
//! when to come again; a place is held until the last byte has left or the client is gone. The
//! house's own people, who make bundles for others, have no number an hour, but no more at once.
//! Whether a bundle has anything in it counts for nothing: the answer would tell.
//!
//! Kept in memory: after a start everybody begins anew. A letter is never refused for this: the
//! receipt of one that was here before stays away, and the answer says where it is. Out of scope:
//! the receipt of a new letter, and commands on the directory itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailee_core::counted;
use bailee_core::id::PartyId;
use bailee_core::party::person;
use serde::{Deserialize, Serialize};

use crate::api::Problem;
use crate::house::House;
use crate::http::auth::Caller;

const HOUR: i64 = 3_600;
/// Seconds after which one that is under way may have come to its end.
const SOON: u32 = 10;

/// `[bundles]` of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bundles {
    /// Bundles a person who is not of the house may have in an hour.
    pub per_hour: u32,
    /// Bundles anybody may have under way at once.
    pub at_once: u32,
}

impl Default for Bundles {
    fn default() -> Bundles {
        Bundles { per_hour: 20, at_once: 2 }
    }
}

impl Bundles {
    /// As in `bailee.toml`; nothing if it is the usual.
    pub(crate) fn to_text(self) -> String {
        let Bundles { per_hour, at_once } = self;
        match self == Bundles::default() {
            true => String::new(),
            false => format!("\n[bundles]\nper_hour = {per_hour}\nat_once = {at_once}\n"),
        }
    }

    /// Error: nobody would ever get a bundle.
    pub(crate) fn check(self) -> Result<(), String> {
        match self.per_hour > 0 && self.at_once > 0 {
            true => Ok(()),
            false => Err("[bundles] per_hour and at_once are at least 1".into()),
        }
    }
}

/// Who has asked, by person.
#[derive(Debug, Default)]
pub(crate) struct Askers {
    known: Mutex<BTreeMap<PartyId, Had>>,
}

/// What a person has had.
#[derive(Debug, Default)]
struct Had {
    /// When, in Unix seconds, within the last hour.
    times: VecDeque<i64>,
    under_way: u32,
}

/// A place for one bundle; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    askers: Arc<Askers>,
    person: PartyId,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(had) = self.askers.known().get_mut(&self.person) {
            had.under_way = had.under_way.saturating_sub(1);
        }
    }
}

impl Askers {
    /// A place for one more bundle of this caller.
    pub(crate) fn turn(
        self: &Arc<Askers>,
        house: &House,
        caller: Option<Caller>,
    ) -> Result<Turn, Problem> {
        let missing =
            || Problem::failure("house_failed", "the request", "came in without a caller");
        let caller = caller.ok_or_else(missing)?;
        let person = house.with_state(|s| person(&s.parties, caller.party))?;
        let Bundles { per_hour, at_once } = house.config().bundles;
        let most = Bundles { per_hour: if caller.of_house { u32::MAX } else { per_hour }, at_once };
        let entered = self.enter(person, most, house.clock().now().unix());
        entered.map_err(|(detail, seconds)| later(caller.party, &detail, seconds))?;
        Ok(Turn { askers: self.clone(), person })
    }

    /// Error: what is so, and in how many seconds it may be otherwise.
    fn enter(&self, person: PartyId, most: Bundles, now: i64) -> Result<(), (String, u32)> {
        let mut known = self.known();
        known.retain(|_, had| {
            had.times.retain(|time| now - time < HOUR);
            had.under_way > 0 || !had.times.is_empty()
        });
        let had = known.entry(person).or_default();
        if had.under_way >= most.at_once {
            let text =
                format!("has {} under way, and no more at once", counted(had.under_way, "bundle"));
            return Err((text, SOON));
        }
        if had.times.len() >= most.per_hour as usize {
            let first = had.times.front().copied().unwrap_or(now);
            let text = format!(
                "has had {} within an hour, and no more",
                counted(had.times.len(), "bundle")
            );
            let seconds = u32::try_from(first + HOUR - now).unwrap_or(0).max(1);
            return Err((text, seconds));
        }
        had.times.push_back(now);
        had.under_way += 1;
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<PartyId, Had>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn later(party: PartyId, detail: &str, seconds: u32) -> Problem {
    let change =
        format!("come again in {}; a bundle that you have stays good", counted(seconds, "second"));
    let problem = Problem::new(429, "too_many_bundles", party.to_string(), detail, &change);
    Problem { after: Some(seconds), ..problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: PartyId = PartyId(1);

    #[test]
    fn a_place_is_held_until_it_is_given_back() {
        let (askers, most) = (Arc::<Askers>::default(), Bundles { per_hour: 9, at_once: 2 });
        let turn = || {
            let entered = askers.enter(ONE, most, 7);
            entered.map(|()| Turn { askers: askers.clone(), person: ONE })
        };
        let (first, _second) = (turn().unwrap(), turn().unwrap());
        let (text, seconds) = turn().unwrap_err();
        assert_eq!((text.as_str(), seconds), ("has 2 bundles under way, and no more at once", 10));
        assert!(askers.enter(PartyId(2), most, 7).is_ok(), "another person");
        drop(first);
        drop(turn().unwrap());
    }

    #[test]
    fn nobody_is_remembered_for_longer_than_needed() {
        let (askers, most) = (Askers::default(), Bundles::default());
        for n in 0..500 {
            askers.enter(PartyId(n), most, i64::from(n)).unwrap();
            askers.known().get_mut(&PartyId(n)).unwrap().under_way = 0;
        }
        askers.enter(ONE, most, 600 + HOUR).unwrap();
        assert_eq!(askers.known().len(), 1);
    }
}
