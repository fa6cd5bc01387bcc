//! Questions: what the gate says, what stands where, who sees what. A wrong answer ends the play.

use std::collections::BTreeSet;

use super::super::form::{Answer, Form, Meaning::Ask, Scene, Unclear};
use super::super::names::{Thing, expand, id};
use super::super::question::Question;
use super::super::slot::Slots;
use super::super::tell;
use super::ask::last_basis;
use super::status;
use crate::counted;
use crate::coverage;
use crate::gate::{self, Verb};
use crate::hold::EndReason;
use crate::id::{DemandId, DispositionId, HoldId, NoticeId, PartyId};
use crate::money;
use crate::party::ChannelKind;
use crate::view;

pub(super) const FORMS: &[Form] = &[
    Form {
        pattern: "gate {names} clear [for {verb=transfer}]",
        example: "gate srv-1..630: clear",
        meaning: Ask(gate),
    },
    Form {
        pattern: "gate {names} blocked [for {verb=transfer}] by {reasons}",
        example: "gate srv-1..630: blocked by hold_provisional H-1, account_active Megaupload",
        meaning: Ask(gate),
    },
    Form {
        pattern: "expect {names} {be=is/are} {status:name}",
        example: "expect H-1 and H-2 are provisional",
        meaning: Ask(statuses),
    },
    Form {
        pattern: "expect {hold:name} {reach=reaches/misses} {names}",
        example: "expect H-1 reaches srv-1..630",
        meaning: Ask(reaches),
    },
    Form {
        pattern: "expect {demand:name} flagged {names}",
        example: "expect D-2 flagged wrong_entity",
        meaning: Ask(flags),
    },
    Form {
        pattern: "expect {demand:name} has no flags",
        example: "expect D-1 has no flags",
        meaning: Ask(flags),
    },
    Form {
        pattern: "expect {count:number} \
                  {table=parties/accounts/assets/matters/demands/holds/notices/dispositions/\
                  clearances/snapshots/duties/objections}",
        example: "expect 2 demands",
        meaning: Ask(count),
    },
    Form {
        pattern: "expect receipt of {demand:name} within {seconds:number} seconds",
        example: "expect receipt of D-1 within 60 seconds",
        meaning: Ask(receipt),
    },
    Form {
        pattern: "expect notices of {disposition:name} go to {names}",
        example: "expect notices of X-1 go to \"Megaupload Ltd\", EFF",
        meaning: Ask(told),
    },
    Form {
        pattern: "expect notice {notice:name} tried by {names}",
        example: "expect notice N-1 tried by email, post",
        meaning: Ask(tried),
    },
    Form {
        pattern: "expect duty {duty:name} about {thing:name}",
        example: "expect duty triage about D-1",
        meaning: Ask(duty),
    },
    Form {
        pattern: "expect no duty {duty:name} about {thing:name}",
        example: "expect no duty no_basis_left about H-1",
        meaning: Ask(no_duty),
    },
    Form {
        pattern: "expect basis {instrument:name} of {hold:name} {state=stands/lapsed/withdrawn}",
        example: "expect basis epoc-pr of H-1 lapsed",
        meaning: Ask(basis),
    },
    Form {
        pattern: "expect basis {instrument:name} of {hold:name} due {time}",
        example: "expect basis epoc-pr of H-1 due 2026-10-31T23:00:00Z",
        meaning: Ask(due),
    },
    Form {
        pattern: "expect costs of matter {matter:name} are {money}",
        example: "expect costs of matter \"Megaupload\" are EUR 598.50",
        meaning: Ask(costs),
    },
    Form {
        pattern: "expect {count:number} {word=letter/letters} in matter {matter:name}",
        example: "expect 1 letter in matter \"Megaupload\"",
        meaning: Ask(|scene, slots| {
            let matter = scene.state.matters.get(scene.names.matter(slots.name("matter"))?);
            let letters = matter.map_or(0, |matter| matter.correspondence.len());
            let wanted = slots.number("count").unwrap_or_default();
            Ok(Answer::of(counted(wanted, "letter"), counted(letters, "letter")))
        }),
    },
    Form {
        pattern: "remember what {owner:name} sees",
        example: "remember what \"Megaupload Ltd\" sees",
        meaning: Ask(remember),
    },
    Form {
        pattern: "expect {owner:name} sees the same as before",
        example: "expect \"Megaupload Ltd\" sees the same as before",
        meaning: Ask(|scene, slots| {
            let owner = scene.names.party(slots.name("owner"))?;
            let missing = || Unclear::new("a line `remember what … sees` before", "none");
            let before = scene.memory.views.get(&owner).ok_or_else(missing)?;
            let now = view::owner(scene.state, owner);
            let answer = Answer::of(tell::view(before), tell::view(&now));
            Ok(Answer { asked: vec![Question::Owner(owner, now)], ..answer })
        }),
    },
    Form {
        pattern: "expect {owner:name} sees {names}",
        example: "expect \"Megaupload Ltd\" sees H-1",
        meaning: Ask(sees),
    },
    Form {
        pattern: "expect {owner:name} sees no holds",
        example: "expect \"Megaupload Ltd\" sees no holds",
        meaning: Ask(sees),
    },
    Form { pattern: "check", example: "check", meaning: Ask(|scene, _| Ok(check(scene.state))) },
];

/// Every rule of custody holds.
pub(super) fn check(state: &crate::State) -> Answer {
    let broken: Vec<String> = crate::check(state).iter().map(ToString::to_string).collect();
    let got = match broken.is_empty() {
        true => "every rule holds".to_owned(),
        false => broken.join("; "),
    };
    Answer::of("every rule holds", got)
}

/// Each name with what is so of it, against one expectation for all.
fn same(names: &[String], expected: String, got: Vec<String>) -> Answer {
    let wrong = names.iter().zip(&got).find(|(_, got)| **got != expected);
    let shown = tell::grouped(names, &got);
    match wrong {
        None => Answer { got: expected.clone(), expected, shown, ..Answer::default() },
        Some((name, got)) => {
            Answer { expected, got: format!("{name}: {got}"), shown, ..Answer::default() }
        }
    }
}

fn gate(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let names = expand(slots.names("names"))?;
    let verb = if slots.has("verb") { Verb::Transfer } else { Verb::LetGo };
    let wanted: Vec<String> = slots
        .reasons("reasons")
        .iter()
        .map(|(code, about)| format!("{} {}", code.as_str(), scene.names.about(about)))
        .collect();
    let (mut short, mut long, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    for name in &names {
        let asset = scene.names.asset(scene.state, name)?;
        let verdict = gate::verdict(scene.state, asset, verb, scene.now, None);
        let verdict = verdict.ok_or_else(|| Unclear::new("an asset", format!("{name:?}")))?;
        let given = verdict.reasons.iter().map(|r| format!("{} {}", r.code.as_str(), r.about));
        short.push(tell::blocked(&given.collect::<Vec<_>>()));
        long.push(tell::verdict(&verdict));
        asked.push(Question::Gate(verb, verdict));
    }
    let shown = tell::grouped(&names, &long);
    Ok(Answer { shown, asked, ..same(&names, tell::blocked(&wanted), short) })
}

fn statuses(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let names = expand(slots.names("names"))?;
    let wanted = slots.name("status");
    let (mut got, mut asked) = (Vec::new(), Vec::new());
    for name in &names {
        let thing = match scene.names.thing(name)? {
            // A snapshot that left is an asset that left; its words are both.
            Thing::Snapshot(_) if matches!(wanted, "kept" | "destroyed" | "handed-over") => {
                Thing::Asset(scene.names.asset(scene.state, name)?)
            }
            thing => thing,
        };
        let words = status::of(scene, thing)?;
        let fits = words.contains(&wanted);
        got.push(if fits { wanted.to_owned() } else { words.join(", ") });
        asked.push(Question::Thing(thing.id(), words));
    }
    Ok(Answer { asked, ..same(&names, wanted.to_owned(), got) })
}

fn reaches(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let hold: HoldId = id(slots.name("hold"), "a hold like H-1")?;
    let names = expand(slots.names("names"))?;
    let mut got = Vec::new();
    for name in &names {
        let asset = scene.names.asset(scene.state, name)?;
        let reached = coverage::reaches(scene.state, hold, asset);
        got.push(if reached { "reaches".to_owned() } else { "misses".to_owned() });
    }
    Ok(same(&names, slots.name("reach").to_owned(), got))
}

fn flags(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let id: DemandId = id(slots.name("demand"), "a demand like D-1")?;
    let found = scene.state.demands.get(id);
    let found = found.ok_or_else(|| Unclear::new("a demand that exists", id.to_string()))?;
    let got: Vec<&str> = found.flags.iter().map(|flag| tell::flag(*flag)).collect();
    let said = |flags: String| match flags.is_empty() {
        true => "no flags".to_owned(),
        false => format!("flagged {flags}"),
    };
    Ok(Answer::of(said(slots.names("names").join(", ")), said(got.join(", "))))
}

fn count(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let s = scene.state;
    let table = slots.name("table");
    let found = match table {
        "parties" => s.parties.len(),
        "accounts" => s.accounts.len(),
        "assets" => s.assets.len(),
        "matters" => s.matters.len(),
        "demands" => s.demands.len(),
        "holds" => s.holds.len(),
        "notices" => s.notices.len(),
        "dispositions" => s.dispositions.len(),
        "clearances" => s.clearances.len(),
        "snapshots" => s.snapshots.len(),
        "objections" => s.objections.len(),
        _ => s.duties.len(),
    };
    let wanted = slots.number("count").unwrap_or_default();
    let answer = Answer::of(format!("{wanted} {table}"), format!("{found} {table}"));
    Ok(Answer { asked: vec![Question::Count(table.to_owned(), found)], ..answer })
}

fn receipt(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let id: DemandId = id(slots.name("demand"), "a demand like D-1")?;
    let demand = scene.state.demands.get(id);
    let received = demand.ok_or_else(|| Unclear::new("a demand that exists", id.to_string()))?;
    let seconds = slots.small("seconds").unwrap_or_default();
    let expected = format!("{id} receipted within {seconds} seconds");
    Ok(match scene.memory.receipts.get(&id) {
        None => Answer::of(expected, format!("{id} has no receipt")),
        Some(at) if *at <= received.received.plus_seconds(seconds) => {
            Answer::of(expected.clone(), expected)
        }
        Some(at) => {
            let took = at.unix() - received.received.unix();
            Answer::of(expected, format!("{id} receipted after {took} seconds"))
        }
    })
}

fn told(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let id: DispositionId = id(slots.name("disposition"), "a disposition like X-1")?;
    let notices = scene.state.dispositions.get(id).map_or(&[][..], |found| &found.notices);
    let to = notices.iter().filter_map(|id| Some(scene.state.notices.get(*id)?.to));
    let got: BTreeSet<PartyId> = to.collect();
    let wanted = slots.names("names").iter().map(|name| scene.names.party(name));
    let wanted: BTreeSet<PartyId> = wanted.collect::<Result<_, _>>()?;
    let said = |parties: &BTreeSet<PartyId>| {
        let name = |id: &PartyId| {
            let name = scene.state.parties.get(*id).map_or("", |party| party.name());
            format!("{id} {name}")
        };
        parties.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    Ok(Answer::of(said(&wanted), said(&got)))
}

fn tried(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let id: NoticeId = id(slots.name("notice"), "a notice like N-1")?;
    let notice = scene.state.notices.get(id);
    let notice = notice.ok_or_else(|| Unclear::new("a notice that exists", id.to_string()))?;
    let channels = scene.state.parties.get(notice.to).map_or(&[][..], |party| party.channels());
    let kind = |channel: u8| match channels.get(usize::from(channel)).map(|c| c.kind) {
        Some(ChannelKind::Email) => "email",
        Some(ChannelKind::Post) => "post",
        Some(ChannelKind::Portal) => "portal",
        Some(ChannelKind::Service) => "service",
        Some(ChannelKind::Phone) => "phone",
        None => "nothing",
    };
    let got: Vec<&str> = notice.attempts.iter().map(|attempt| kind(attempt.channel)).collect();
    Ok(Answer::of(slots.names("names").join(", "), got.join(", ")))
}

fn open_duties(scene: &Scene<'_>) -> Vec<String> {
    let open = scene.state.open_duties().filter_map(|duty| scene.state.duties.get(duty));
    open.map(|duty| tell::duty(duty.kind)).collect()
}

fn duty(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let wanted = format!("{} {}", slots.name("duty"), slots.name("thing"));
    let open = open_duties(scene);
    match open.contains(&wanted) {
        true => Ok(Answer::of(wanted.clone(), wanted)),
        false => Ok(Answer::of(wanted, format!("open duties: {}", open.join(", ")))),
    }
}

fn no_duty(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let kind = slots.name("duty");
    if !tell::DUTIES.contains(&kind) {
        return Err(Unclear::new(format!("one of {}", tell::DUTIES.join(", ")), kind));
    }
    let unwanted = format!("{kind} {}", slots.name("thing"));
    let expected = format!("no duty {unwanted}");
    match open_duties(scene).contains(&unwanted) {
        true => Ok(Answer::of(expected, unwanted)),
        false => Ok(Answer::of(expected.clone(), expected)),
    }
}

fn basis(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let (basis, said) = find_basis(scene, slots)?;
    let got = match basis.ended {
        None => "stands",
        Some((_, EndReason::Lapsed)) => "lapsed",
        Some((_, EndReason::Withdrawn)) => "withdrawn",
    };
    Ok(Answer::of(format!("{said} {}", slots.name("state")), format!("{said} {got}")))
}

fn due(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let (basis, said) = find_basis(scene, slots)?;
    let shown = |time: Option<crate::Time>| match time {
        None => format!("{said} has no clock"),
        Some(time) => format!("{said} due {time}"),
    };
    Ok(Answer::of(shown(slots.time("time")), shown(basis.due)))
}

fn find_basis<'a>(
    scene: &Scene<'a>,
    slots: &Slots,
) -> Result<(&'a crate::hold::Basis, String), Unclear> {
    let hold: HoldId = id(slots.name("hold"), "a hold like H-1")?;
    let instrument = slots.name("instrument");
    let n = last_basis(scene, Thing::Hold(hold), instrument)?;
    let basis = scene.state.holds.get(hold).and_then(|hold| hold.bases.get(n));
    let missing = || Unclear::new("a basis that exists", instrument);
    Ok((basis.ok_or_else(missing)?, format!("basis {instrument} of {hold}")))
}

fn costs(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let matter = scene.names.matter(slots.name("matter"))?;
    let (amount, currency) = slots.money("money");
    let items = scene.state.matters.get(matter).map_or(&[][..], |matter| &matter.costs);
    let of_currency = items.iter().filter(|item| item.currency == currency);
    let total = of_currency.fold(0u64, |sum, item| sum.saturating_add(item.amount));
    Ok(Answer::of(money(amount, &currency), money(total, &currency)))
}

fn remember(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let owner = scene.names.party(slots.name("owner"))?;
    let view = view::owner(scene.state, owner);
    let said = tell::view(&view);
    let asked = vec![Question::Owner(owner, view.clone())];
    Ok(Answer { remember: Some((owner, view)), asked, ..Answer::of(said.clone(), said) })
}

fn sees(scene: &Scene<'_>, slots: &Slots) -> Result<Answer, Unclear> {
    let owner = scene.names.party(slots.name("owner"))?;
    let view = view::owner(scene.state, owner);
    let got: Vec<String> = view.holds.iter().map(ToString::to_string).collect();
    let said = |holds: &[String]| match holds.is_empty() {
        true => "no holds".to_owned(),
        false => holds.join(", "),
    };
    let answer = Answer::of(said(&expand(slots.names("names"))?), said(&got));
    Ok(Answer { asked: vec![Question::Owner(owner, view)], ..answer })
}
