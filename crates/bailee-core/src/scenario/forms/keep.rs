//! Sentences about keeping: snapshots, access of owners, costs, duties.

use super::super::form::{Form, Meaning::Act, Scene, Step, Unclear, one};
use super::super::names::{expand, id, stand_in};
use super::super::slot::Slots;
use super::{actor, reason};
use crate::command::{Action, Command};
use crate::event::By;
use crate::id::{AccessId, SnapshotId};

pub(super) const FORMS: &[Form] = &[
    Form {
        pattern: "the vault keeps {names} [leaving {unreadable:number} unreadable]",
        example: "the vault keeps srv-1..630",
        meaning: Act(keep),
    },
    Form {
        pattern: "the vault finds {names} {result=intact/damaged}",
        example: "the vault finds S-1..630 intact",
        meaning: Act(verify),
    },
    Form {
        pattern: "{who} asks for the data on {asset:name} [{text}]",
        example: "\"Jo Smit\" asks for the data on files-jo: \"My wedding photographs.\"",
        meaning: Act(|scene, slots| {
            let asset = scene.names.asset(scene.state, slots.name("asset"))?;
            let owner = scene.names.party(slots.name("who"))?;
            let reason = reason(slots);
            one(By::Party(owner), Action::RequestAccess { owner, asset, reason })
        }),
    },
    Form {
        pattern: "{who} {decision=grants/denies} {access:name} [{text}]",
        example: "Cora grants Q-1: \"A copy of the customer's own files, to the customer only.\"",
        meaning: Act(|scene, slots| {
            let (access, reason) = (access(slots)?, reason(slots));
            let granted = slots.name("decision") == "grants";
            one(actor(scene, slots)?, Action::DecideAccess { access, granted, reason })
        }),
    },
    Form {
        pattern: "{who} hands the files of {access:name} over [{text}]",
        example: "Ada hands the files of Q-1 over: \"By encrypted archive.\"",
        meaning: Act(|scene, slots| {
            let (access, reason) = (access(slots)?, reason(slots));
            one(actor(scene, slots)?, Action::FulfilAccess { access, reason })
        }),
    },
    Form {
        pattern: "{who} starts a meter in matter {matter:name} {units:number} {what:text} \
                  at {money} a day",
        example: "Ada starts a meter in matter \"Megaupload\": 630 \"server-days\" \
                  at EUR 0.95 a day",
        meaning: Act(meter),
    },
    Form {
        pattern: "{who} stops meter {meter:name}",
        example: "Ada stops meter K-1",
        meaning: Act(|scene, slots| {
            let meter = id(slots.name("meter"), "a meter like K-1")?;
            one(actor(scene, slots)?, Action::StopMeter { meter })
        }),
    },
    Form {
        pattern: "{who} books {money} in matter {matter:name} for {units:number} {what:text}",
        example: "Ada books EUR 48000.00 in matter \"Megaupload\" for 1200 \"tapes\"",
        meaning: Act(book),
    },
    Form {
        pattern: "{who} discharges {duty:name} [{text}]",
        example: "Ada discharges Y-1: \"The drive was looked at: nothing is gone.\"",
        meaning: Act(|scene, slots| {
            let duty = id(slots.name("duty"), "a duty like Y-1")?;
            let reason = reason(slots);
            one(actor(scene, slots)?, Action::DischargeDuty { duty, reason })
        }),
    },
];

fn keep(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let unreadable = slots.small("unreadable").unwrap_or_default();
    let sources = scene.names.assets(scene.state, slots.names("names"))?;
    let record = |(n, source)| {
        let asset = scene.state.assets.get(source);
        let vault_id = format!("{}", scene.state.snapshots.next_after(n));
        let action = Action::RecordSnapshot {
            source,
            root: stand_in(&format!("the manifest root of {vault_id}")),
            vault_id,
            bytes: asset.map_or(1, |asset| asset.bytes.max(1)),
            unreadable,
            changed: 0,
            taken: scene.now,
        };
        Step(vec![Command::system(action)])
    };
    Ok(sources.into_iter().enumerate().map(record).collect())
}

fn verify(_: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let intact = slots.name("result") == "intact";
    let verify = |name: &String| {
        let snapshot: SnapshotId = id(name, "a snapshot like S-1")?;
        Ok(Step(vec![Command::system(Action::VerifySnapshot { snapshot, intact })]))
    };
    expand(slots.names("names"))?.iter().map(verify).collect()
}

fn access(slots: &Slots) -> Result<AccessId, Unclear> {
    id(slots.name("access"), "a request for access like Q-1")
}

fn meter(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let (daily, currency) = slots.money("money");
    let action = Action::StartMeter {
        matter: scene.names.matter(slots.name("matter"))?,
        what: slots.name("what").to_owned(),
        units: slots.small("units").unwrap_or_default(),
        daily,
        currency,
    };
    one(actor(scene, slots)?, action)
}

fn book(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let (amount, currency) = slots.money("money");
    let action = Action::BookCost {
        matter: scene.names.matter(slots.name("matter"))?,
        what: slots.name("what").to_owned(),
        milli_units: slots.number("units").unwrap_or_default().saturating_mul(1000),
        amount,
        currency,
    };
    one(actor(scene, slots)?, action)
}
