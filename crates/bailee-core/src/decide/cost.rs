//! Costs of keeping, per matter: booked singly, or by the clock.
//!
//! Invariant: a meter books whole days, each once, however often or seldom the clock ticks.

use super::{Decision, find};
use crate::demand::Meter;
use crate::event::{Event, Fact};
use crate::id::{MatterId, MeterId};
use crate::refusal::{Code, Refusal};
use crate::state::State;
use crate::time::Time;

fn check_money(what: &str, currency: &str) -> Result<(), Refusal> {
    if what.trim().is_empty() || what.len() > 256 {
        return Err(Refusal::new(Code::BadValue, "the cost", "needs words for what it is"));
    }
    if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
        let text = "is not an ISO 4217 code like EUR";
        return Err(Refusal::new(Code::BadValue, format!("{currency:?}"), text));
    }
    Ok(())
}

pub(super) fn start(
    s: &State,
    matter: MatterId,
    what: &str,
    units: u32,
    daily: u64,
    currency: &str,
) -> Decision {
    find(&s.matters, matter)?;
    check_money(what, currency)?;
    let meter = s.meters.next();
    let (what, currency) = (what.to_owned(), currency.to_owned());
    Ok(vec![Event::MeterStarted { meter, matter, what, units, daily, currency }.into()])
}

pub(super) fn stop(s: &State, id: MeterId, now: Time) -> Decision {
    let meter = find(&s.meters, id)?;
    if !meter.running {
        return Err(Refusal::new(Code::AlreadyDone, id, "is stopped"));
    }
    let mut facts: Vec<Fact> = accrued(id, meter, now).into_iter().collect();
    facts.push(Event::MeterStopped { meter: id }.into());
    Ok(facts)
}

/// Whole days since the meter was last booked.
pub(super) fn accrued(id: MeterId, meter: &Meter, now: Time) -> Option<Fact> {
    let days =
        u32::try_from(now.0.saturating_sub(meter.until.0).div_euclid(86_400_000_000)).unwrap_or(0);
    let until = meter.until.plus_days(days);
    (days > 0).then(|| Event::CostAccrued { meter: id, days, until }.into())
}

pub(super) fn book(
    s: &State,
    matter: MatterId,
    what: &str,
    milli_units: u64,
    amount: u64,
    currency: &str,
) -> Decision {
    find(&s.matters, matter)?;
    check_money(what, currency)?;
    let (what, currency) = (what.to_owned(), currency.to_owned());
    Ok(vec![Event::CostBooked { matter, what, milli_units, amount, currency }.into()])
}
