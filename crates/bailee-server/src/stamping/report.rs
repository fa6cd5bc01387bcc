//! What is stamped by whom, until when, and what is missing: for people, metrics, `bailee check`.
//!
//! Invariant: what is shown is read from what is kept and verified again each time; a fault is a
//! line, never an abort.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use bailee_core::Time;
use serde_json::{Value, json};

use super::renew::series;
use super::{Stand, State};
use crate::attest::{Attested, Stamp};
use crate::house::{House, HouseError};

const DAY: u64 = 86_400;
/// Longest wait for what is being stamped just now.
const GLANCE: Duration = Duration::from_secs(2);

fn at(unix: u64) -> String {
    let micros = i64::try_from(unix).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    Time(micros).to_string()
}

fn now(house: &House) -> u64 {
    u64::try_from(house.clock().now().unix()).unwrap_or_default()
}

/// Stamped checkpoints over more than `after` entries, at most `limit`; how the authorities stand,
/// and what is missing.
pub(crate) fn list(house: &House, after: u64, limit: usize) -> Result<Value, HouseError> {
    let stamping = &house.inner.stamping;
    stamping.wait_done(GLANCE);
    let sizes: BTreeSet<u64> =
        house.inner.attesting.stamped()?.into_iter().map(|it| it.0).collect();
    let mut found = sizes.range(after.saturating_add(1)..);
    let shown: Vec<u64> = found.by_ref().take(limit).copied().collect();
    let mut items = Vec::new();
    for size in &shown {
        let attested = house.inner.attesting.kept(*size)?;
        items.extend(attested.stamps.iter().map(|stamp| row(house, &attested, stamp)));
    }
    let next = found.next().and(shown.last()).map(u64::to_string);
    let state = stamping.state();
    let authorities = state.stands.iter().zip(&stamping.desks).map(|(stand, desk)| {
        json!({
            "name": stand.name,
            "url": desk.url,
            "stamped_to": stand.stamped_to,
            "last": stand.last.map(at),
            "failures": stand.failures,
            "trouble": stand.trouble.as_ref().map(ToString::to_string),
        })
    });
    let authorities: Vec<Value> = authorities.collect();
    Ok(json!({
        "items": items,
        "authorities": authorities,
        "missing": missing(&state),
        "next": next,
    }))
}

fn row(house: &House, attested: &Attested, stamp: &Stamp) -> Value {
    let pace = &house.inner.stamping.pace;
    let (stamped, until, state) = match series(attested, stamp) {
        Err(error) => (None, None, format!("does not hold: {error}")),
        Ok(tokens) => {
            let until = tokens.last().map(|last| last.chain_expires);
            let soon = now(house).saturating_add(pace.renew_days.saturating_mul(DAY));
            let state = match until {
                Some(until) if until < now(house) => "ended",
                Some(until) if until < soon => "to be renewed",
                _ => "good",
            };
            (tokens.first().map(|first| first.time), until, state.to_owned())
        }
    };
    json!({
        "position": attested.size,
        "authority": stamp.authority,
        "stamped": stamped.map(at),
        "until": until.map(at),
        "renewals": stamp.tokens.len() - 1,
        "state": state,
    })
}

fn missing(state: &State) -> Vec<String> {
    if !state.resumed && !state.stands.is_empty() {
        return vec!["what is missing is not known yet: ask again".to_owned()];
    }
    let troubles = state.stands.iter().flat_map(|stand| {
        let both = stand.trouble.iter().chain(&stand.worn);
        both.map(|lapse| stand.told(lapse))
    });
    let last = state.owed().saturating_sub(1);
    let behind = state.behind().map(|stand| {
        format!("{} has not stamped the entries from {} to {last}", stand.name, stand.stamped_to)
    });
    troubles.chain(behind).collect()
}

/// Looks at every token. How many hold; what is wrong goes to `find`, what is missing to `remark`.
pub(crate) fn find_faults(
    house: &House,
    find: &mut dyn FnMut(String),
    remark: &mut dyn FnMut(String),
) -> Result<u64, HouseError> {
    house.inner.stamping.wait_done(GLANCE);
    let mut good = 0;
    let sizes: BTreeSet<u64> =
        house.inner.attesting.stamped()?.into_iter().map(|it| it.0).collect();
    for size in sizes {
        let attested = match house.inner.attesting.kept(size) {
            Ok(attested) => attested,
            Err(error) => {
                find(format!("timestamps over {size} entries: {error}"));
                continue;
            }
        };
        for stamp in &attested.stamps {
            let about = format!("timestamp of {} over {size} entries", stamp.authority);
            match series(&attested, stamp) {
                Err(error) => find(format!("{about}: {error}")),
                Ok(tokens) => {
                    good += tokens.len() as u64;
                    let until = tokens.last().map_or(0, |last| last.chain_expires);
                    if until < now(house) {
                        remark(format!("{about} ended at {} and was not renewed", at(until)));
                    }
                }
            }
        }
    }
    missing(&house.inner.stamping.state()).into_iter().for_each(remark);
    Ok(good)
}

/// Numbers for Prometheus; the label is the authority's name in the settings.
pub(crate) fn write_metrics(house: &House, out: &mut String) {
    let stands = house.timestamp_authorities();
    if stands.is_empty() {
        return;
    }
    type Number = fn(&Stand) -> u64;
    let told: [(&str, &str, &str, Number); 5] = [
        ("bailee_timestamp_stamped", "gauge", "Entries under a token", |s| s.stamped_to),
        ("bailee_timestamp_last_seconds", "gauge", "Unix time of the last token", |s| {
            s.last.unwrap_or_default()
        }),
        ("bailee_timestamp_failing", "gauge", "1 if the last question gave no token", |s| {
            u64::from(s.trouble.is_some())
        }),
        ("bailee_timestamp_tokens_total", "counter", "Tokens kept", |s| s.tokens),
        ("bailee_timestamp_failures_total", "counter", "Questions without a token", |s| s.failures),
    ];
    for (name, kind, help, number) in told {
        _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for stand in &stands {
            _ = writeln!(out, "{name}{{authority=\"{}\"}} {}", stand.name, number(stand));
        }
    }
}
