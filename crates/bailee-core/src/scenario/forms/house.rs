//! Sentences about the house: rules, people, entities, accounts, assets.
//!
//! An asset is bound to its device when it is registered, as an agent would do it, unless the line
//! says otherwise.

use super::super::form::{Form, Meaning::Act, Scene, Step, Unclear, one};
use super::super::names::{expand, hex, stand_in};
use super::super::slot::Slots;
use super::actor;
use crate::asset::{AssetKind, Identifier, IdentifierKind, Lifecycle};
use crate::command::{Action, Command, NewAsset};
use crate::event::By;
use crate::party::{Role, Who};
use crate::policy::Policy;

/// Most assets one line registers.
const MOST: u64 = 100_000;

pub(super) const FORMS: &[Form] = &[
    Form {
        pattern: "instruments standard",
        example: "2012-01-01 instruments standard",
        meaning: Act(|scene, _| one(By::System, Action::LoadInstruments(scene.standard.clone()))),
    },
    Form {
        pattern: "{who} sets policy [waiting {waiting:number} days] \
                  [cooling {cooling:number} days] [silence {silence:number} days] \
                  [daily limit {daily:number}] \
                  [limit per owner {owner:number}] [reservation {reservation:number} seconds] \
                  [lease {lease:number} seconds]",
        example: "Cora sets policy: waiting 30 days, daily limit 630, limit per owner 630",
        meaning: Act(policy),
    },
    Form {
        pattern: "{role=staff/counsel/owner/authority/requester/transferee} {names} [{channels}]",
        example: "staff Ada and Ben",
        meaning: Act(parties),
    },
    Form {
        pattern: "{role=staff/counsel/owner/authority/requester/transferee} {name} [{channels}] \
                  is the same person as {other:name}",
        example: "counsel \"Cora on the night shift\" is the same person as Cora",
        meaning: Act(same_person),
    },
    Form {
        pattern: "{who} records that {party:name} is reached at {channels}",
        example: "Ada records that \"Counsel for Megaupload\" is reached at <service: Hoofdweg 1>",
        meaning: Act(change_party),
    },
    Form {
        pattern: "{who} erases the details of {party:name}",
        example: "Cora erases the details of \"Jo Smit\"",
        meaning: Act(|scene, slots| {
            let party = scene.names.party(slots.name("party"))?;
            one(actor(scene, slots)?, Action::EraseDetails { party })
        }),
    },
    Form {
        pattern: "entity {name} in {country:name}",
        example: "entity \"Host B.V.\" in NL",
        meaning: Act(|_, slots| {
            let (name, country) = (slots.name("name").into(), slots.name("country").into());
            one(By::System, Action::RegisterEntity { name, country })
        }),
    },
    Form {
        pattern: "{who} registers account {label:name} of {owner:name} with {entity:name} \
                  under {law:name} law retention {days:number} days",
        example: "Ada registers account Megaupload of \"Megaupload Ltd\" with \"Host B.V.\" \
                  under NL law, retention 30 days",
        meaning: Act(account),
    },
    Form {
        pattern: "{who} ends account {account:name}",
        example: "Ada ends account Megaupload",
        meaning: Act(|scene, slots| {
            let account = scene.names.account(slots.name("account"))?;
            one(actor(scene, slots)?, Action::TerminateAccount { account })
        }),
    },
    Form {
        pattern: "{who} registers {count:number} \
                  {kind=servers/drives/volumes/buckets/mailboxes/datasets/archives} {label:text} \
                  [on account {account:name}] [{size} each]",
        example: "Ada registers 630 servers \"srv-{n}\" on account Megaupload, 4 TB each",
        meaning: Act(assets),
    },
    Form {
        pattern: "{who} registers {kind=server/drive/volume/bucket/mailbox/dataset/archive} \
                  {label:name} [on account {account:name}] [part of {parent:name}] \
                  [copy of {source:name}] [serial {serial:name}] [{size}] [without {bare=device}]",
        example: "Ada registers drive sda on account Shop, part of srv-1, serial WD-1234, 4 TB",
        meaning: Act(asset),
    },
    Form {
        pattern: "{who} moves {names} to {place=rack/storage/transit/retirement}",
        example: "Ada moves srv-1..630 to storage",
        meaning: Act(moves),
    },
    Form {
        pattern: "{who} relabels {asset:name} as {label:name} [with serial {serial:name}]",
        example: "Ada relabels srv-1 as spare-7",
        meaning: Act(relabel),
    },
    Form {
        pattern: "{who} assigns {asset:name} to account {account:name}",
        example: "Ada assigns srv-1 to account Shop",
        meaning: Act(|scene, slots| {
            let asset = scene.names.asset(scene.state, slots.name("asset"))?;
            let account = scene.names.account(slots.name("account"))?;
            one(actor(scene, slots)?, Action::AssignAsset { asset, account })
        }),
    },
    Form {
        pattern: "{who} records that {asset:name} has a copy of {source:name}",
        example: "Ada records that tape-1 has a copy of srv-1",
        meaning: Act(|scene, slots| {
            let asset = scene.names.asset(scene.state, slots.name("asset"))?;
            let source = scene.names.asset(scene.state, slots.name("source"))?;
            one(actor(scene, slots)?, Action::CopyAsset { asset, source })
        }),
    },
    Form {
        pattern: "time passes",
        example: "2012-04-01 time passes",
        // The clocks up to the sentence's date have run before it.
        meaning: Act(|_, _| Ok(Vec::new())),
    },
];

fn policy(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let old = scene.state.policy.clone();
    let policy = Policy {
        waiting_days: slots.small("waiting").unwrap_or(old.waiting_days),
        cooling_days: slots.small("cooling").unwrap_or(old.cooling_days),
        silence_days: slots.small("silence").unwrap_or(old.silence_days),
        daily_limit: slots.small("daily").unwrap_or(old.daily_limit),
        daily_limit_per_owner: slots.small("owner").unwrap_or(old.daily_limit_per_owner),
        reservation_seconds: slots.small("reservation").unwrap_or(old.reservation_seconds),
        lease_seconds: slots.small("lease").unwrap_or(old.lease_seconds),
    };
    one(actor(scene, slots)?, Action::SetPolicy(policy))
}

fn role(slots: &Slots) -> Role {
    match slots.name("role") {
        "staff" => Role::Staff,
        "counsel" => Role::Counsel,
        "owner" => Role::Owner,
        "authority" => Role::Authority,
        "transferee" => Role::Transferee,
        _ => Role::Requester,
    }
}

fn parties(_: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let names = expand(slots.names("names"))?;
    let channels = slots.channels("channels");
    if names.len() > 1 && !channels.is_empty() {
        return Err(Unclear::new("one name for an address", names.join(", ")));
    }
    let register = |name: String| {
        let who = Who { name, channels: channels.clone() };
        let roles = vec![role(slots)];
        let action = Action::RegisterParty { who, roles, same_person_as: None };
        Step(vec![Command::system(action)])
    };
    Ok(names.into_iter().map(register).collect())
}

fn same_person(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let same_person_as = Some(scene.names.party(slots.name("other"))?);
    let who = Who { name: slots.name("name").into(), channels: slots.channels("channels") };
    let roles = vec![role(slots)];
    one(By::System, Action::RegisterParty { who, roles, same_person_as })
}

fn change_party(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let party = scene.names.party(slots.name("party"))?;
    let name = scene.state.parties.get(party).map_or("", |party| party.name()).to_owned();
    let who = Who { name, channels: slots.channels("channels") };
    one(actor(scene, slots)?, Action::ChangeParty { party, who })
}

fn account(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let action = Action::RegisterAccount {
        owner: scene.names.party(slots.name("owner"))?,
        entity: scene.names.entity(slots.name("entity"))?,
        label: slots.name("label").into(),
        law: slots.name("law").into(),
        retention_days: slots.small("days").unwrap_or_default(),
    };
    one(actor(scene, slots)?, action)
}

fn kind(slots: &Slots) -> AssetKind {
    match slots.name("kind").trim_end_matches('s') {
        "server" => AssetKind::Server,
        "drive" => AssetKind::Drive,
        "volume" => AssetKind::Volume,
        "bucket" => AssetKind::Bucket,
        "mailbox" | "mailboxe" => AssetKind::Mailbox,
        "archive" => AssetKind::Archive,
        _ => AssetKind::Dataset,
    }
}

fn device(label: &str) -> Identifier {
    let value = hex(&stand_in(&format!("the device of {label}")));
    Identifier { kind: IdentifierKind::Identity, value }
}

fn serial(slots: &Slots) -> Option<Identifier> {
    let value = slots.name("serial").to_owned();
    (!value.is_empty()).then_some(Identifier { kind: IdentifierKind::Serial, value })
}

fn assets(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let count = slots.number("count").unwrap_or_default();
    let template = slots.name("label");
    if !template.contains("{n}") || !(1..=MOST).contains(&count) {
        let got = format!("{count} of {template:?}");
        return Err(Unclear::new(format!("1 to {MOST} labels with {{n}} in them"), got));
    }
    let by = actor(scene, slots)?;
    let accounts = match slots.has("account") {
        true => vec![scene.names.account(slots.name("account"))?],
        false => Vec::new(),
    };
    let register = |n: u64| {
        let label = template.replace("{n}", &n.to_string());
        let action = Action::RegisterAsset(NewAsset {
            kind: kind(slots),
            identifiers: vec![device(&label)],
            label,
            accounts: accounts.clone(),
            part_of: None,
            copy_of: Vec::new(),
            place: String::new(),
            bytes: slots.number("size").unwrap_or_default(),
        });
        Step(vec![Command { by, action }])
    };
    Ok((1..=count).map(register).collect())
}

fn asset(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let label = slots.name("label").to_owned();
    let find = |key| match slots.has(key) {
        true => scene.names.asset(scene.state, slots.name(key)).map(Some),
        false => Ok(None),
    };
    let accounts = match slots.has("account") {
        true => vec![scene.names.account(slots.name("account"))?],
        false => Vec::new(),
    };
    let bound = (!slots.has("bare")).then(|| device(&label));
    let action = Action::RegisterAsset(NewAsset {
        kind: kind(slots),
        accounts,
        identifiers: serial(slots).into_iter().chain(bound).collect(),
        label,
        part_of: find("parent")?,
        copy_of: find("source")?.into_iter().collect(),
        place: String::new(),
        bytes: slots.number("size").unwrap_or_default(),
    });
    one(actor(scene, slots)?, action)
}

fn moves(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let by = actor(scene, slots)?;
    let place = slots.name("place");
    let lifecycle = match place {
        "rack" => Lifecycle::Racked,
        "storage" => Lifecycle::Stored,
        "transit" => Lifecycle::Moved,
        _ => Lifecycle::Retired,
    };
    let moved = |asset| {
        let action = Action::MoveAsset { asset, lifecycle, place: place.to_owned() };
        Step(vec![Command { by, action }])
    };
    Ok(scene.names.assets(scene.state, slots.names("names"))?.into_iter().map(moved).collect())
}

fn relabel(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let asset = scene.names.asset(scene.state, slots.name("asset"))?;
    let label = slots.name("label").to_owned();
    let identifiers = serial(slots).into_iter().collect();
    one(actor(scene, slots)?, Action::RelabelAsset { asset, label, identifiers, bytes: None })
}
