//! Sentences about letting go: dispositions, notices, objections, clearances; and the post.
//!
//! `the post goes out` reports every intent that is pending, in the order of the plan, as executors
//! would after doing it.

use super::super::form::{Form, Meaning::Act, Scene, Step, Unclear, one};
use super::super::names::{expand, id, stand_in, subject};
use super::super::slot::Slots;
use super::{actor, exhibit, reason};
use crate::command::{Action, Command, Reason};
use crate::disposition::DispositionKind;
use crate::id::{AssetId, ClearanceId, DispositionId, NoticeId};
use crate::notice::Evidence;
use crate::plan::Intent;

pub(super) const FORMS: &[Form] = &[
    Form {
        pattern: "the post goes out",
        example: "2012-03-01 09:15 the post goes out",
        meaning: Act(|scene, _| {
            Ok(scene.state.pending.iter().filter_map(|intent| report(*intent)).collect())
        }),
    },
    Form {
        pattern: "the post sends {names}",
        example: "the post sends D-1, N-1 and N-2",
        meaning: Act(sends),
    },
    Form {
        pattern: "{who} proposes to {kind=sanitize/expire/erase/return/transfer} {names} \
                  [to {to:name}] [{text}]",
        example: "Ada proposes to sanitize srv-1..630: \"Needed for the next customer.\"",
        meaning: Act(propose),
    },
    Form {
        pattern: "{who} queues the notices of {disposition:name}",
        example: "Ada queues the notices of X-1",
        meaning: Act(|scene, slots| {
            let disposition = disposition(slots)?;
            one(actor(scene, slots)?, Action::QueueNotices { disposition })
        }),
    },
    Form {
        pattern: "{who} approves {disposition:name}",
        example: "Cora approves X-1",
        meaning: Act(|scene, slots| {
            let disposition = disposition(slots)?;
            one(actor(scene, slots)?, Action::ApproveDisposition { disposition })
        }),
    },
    Form {
        pattern: "{who} cancels {disposition:name} [{text}]",
        example: "Ada cancels X-1: \"Counsel asked us to wait.\"",
        meaning: Act(|scene, slots| {
            let (disposition, reason) = (disposition(slots)?, reason(slots));
            one(actor(scene, slots)?, Action::CancelDisposition { disposition, reason })
        }),
    },
    Form {
        pattern: "{who} accepts {hold:name} in {disposition:name}",
        example: "Buyer accepts H-1 in X-1",
        meaning: Act(|scene, slots| {
            let hold = id(slots.name("hold"), "a hold like H-1")?;
            let disposition = disposition(slots)?;
            one(actor(scene, slots)?, Action::AcceptHold { disposition, hold })
        }),
    },
    Form {
        pattern: "notice {names} {be=was/were} \
                  {evidence=relayed/delivered/opened/acknowledged/served/bounced} \
                  [at attempt {attempt:number}]",
        example: "notice N-1 was bounced",
        meaning: Act(evidence),
    },
    Form {
        pattern: "{who} objects to {disposition:name} [{text}]",
        example: "EFF objects to X-1: \"One user has not got his files back.\"",
        meaning: Act(|scene, slots| {
            let by = scene.names.party(slots.name("who"))?;
            let (disposition, reason) = (disposition(slots)?, reason(slots));
            one(actor(scene, slots)?, Action::FileObjection { disposition, by, reason })
        }),
    },
    Form {
        pattern: "{who} {decision=upholds/rejects} {objection:name} [{text}]",
        example: "Cora rejects O-1: \"The vault keeps a verified copy of everything.\"",
        meaning: Act(|scene, slots| {
            let objection = id(slots.name("objection"), "an objection like O-1")?;
            let (upheld, reason) = (slots.name("decision") == "upholds", reason(slots));
            one(actor(scene, slots)?, Action::DecideObjection { objection, upheld, reason })
        }),
    },
    Form {
        pattern: "{who} reserves {names} under {disposition:name} [for another {other=device}]",
        example: "Ada reserves srv-1 under X-1",
        meaning: Act(|scene, slots| {
            let by = actor(scene, slots)?;
            let reserve =
                |asset| Ok(Step(vec![Command { by, action: reserve(scene, slots, asset)? }]));
            scene
                .names
                .assets(scene.state, slots.names("names"))?
                .into_iter()
                .map(reserve)
                .collect()
        }),
    },
    Form {
        pattern: "{who} {act=begins/renews} {names}",
        example: "Ada begins C-1",
        meaning: Act(|scene, slots| {
            each(scene, slots, |clearance| match slots.name("act") {
                "begins" => Action::Begin { clearance },
                _ => Action::Renew { clearance },
            })
        }),
    },
    Form {
        pattern: "{who} finishes {names} [{unverified=unverified}] [without {bare=certificate}]",
        example: "Ada finishes C-1",
        meaning: Act(|scene, slots| each(scene, slots, |clearance| finish(slots, clearance))),
    },
    Form {
        pattern: "{who} aborts {names} with {size} gone [{text}]",
        example: "Ada aborts C-1 with 1 TB gone: \"Stopped at the lease.\"",
        meaning: Act(|scene, slots| {
            let gone = slots.number("size").unwrap_or_default();
            each(scene, slots, |clearance| Action::Abort { clearance, gone, reason: reason(slots) })
        }),
    },
    Form {
        pattern: "{who} carries out {disposition:name} on {names}",
        example: "Ada carries out X-1 on srv-2..630",
        meaning: Act(carry_out),
    },
];

/// What an executor reports when it has done it; an erasure reports nothing.
fn report(intent: Intent) -> Option<Step> {
    let action = match intent {
        Intent::Erase(_) => return None,
        Intent::SendReceipt(demand) => Action::ReceiptSent { demand },
        Intent::SendNotice(notice, attempt) => Action::NoticeSent { notice, attempt },
        Intent::PageHuman(duty) => Action::DutyPaged { duty },
    };
    Some(Step(vec![Command::system(action)]))
}

fn sends(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let send = |name: &String| {
        if let Ok(demand) = name.parse() {
            return Ok(Step(vec![Command::system(Action::ReceiptSent { demand })]));
        }
        let notice = id(name, "a demand like D-1 or a notice like N-1")?;
        let attempt = last_attempt(scene, notice)?;
        Ok(Step(vec![Command::system(Action::NoticeSent { notice, attempt })]))
    };
    expand(slots.names("names"))?.iter().map(send).collect()
}

fn last_attempt(scene: &Scene<'_>, notice: NoticeId) -> Result<u8, Unclear> {
    let missing = || Unclear::new("a notice that exists", notice.to_string());
    let attempts = &scene.state.notices.get(notice).ok_or_else(missing)?.attempts;
    u8::try_from(attempts.len().saturating_sub(1)).map_err(|_| missing())
}

fn disposition(slots: &Slots) -> Result<DispositionId, Unclear> {
    id(slots.name("disposition"), "a disposition like X-1")
}

fn propose(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let kind = match slots.name("kind") {
        "sanitize" => DispositionKind::Sanitize,
        "expire" => DispositionKind::Expire,
        "erase" => DispositionKind::Erase,
        "return" => DispositionKind::Return,
        _ => DispositionKind::Transfer,
    };
    let to = match slots.has("to") {
        true => Some(scene.names.party(slots.name("to"))?),
        false => None,
    };
    let assets = scene.names.assets(scene.state, slots.names("names"))?;
    let reason = reason(slots);
    one(actor(scene, slots)?, Action::ProposeDisposition { kind, assets, to, reason })
}

fn evidence(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let evidence = match slots.name("evidence") {
        "relayed" => Evidence::Relayed,
        "delivered" => Evidence::Delivered,
        "opened" => Evidence::Opened,
        "acknowledged" => Evidence::Acknowledged,
        "served" => Evidence::Served,
        _ => Evidence::Bounced,
    };
    let record = |name: &String| {
        let notice = id(name, "a notice like N-1")?;
        let attempt = match slots.number("attempt") {
            Some(nth) => u8::try_from(nth.saturating_sub(1))
                .map_err(|_| Unclear::new("an attempt from 1 to 256", nth.to_string()))?,
            None => last_attempt(scene, notice)?,
        };
        let proof = evidence.proves().then(|| exhibit("proof of delivery", name));
        let reason = Reason { note: String::new(), exhibits: proof.into_iter().collect() };
        let action = Action::RecordEvidence { notice, attempt, evidence, reason };
        Ok(Step(vec![Command::system(action)]))
    };
    expand(slots.names("names"))?.iter().map(record).collect()
}

fn reserve(scene: &Scene<'_>, slots: &Slots, asset: AssetId) -> Result<Action, Unclear> {
    let subject = match slots.has("other") {
        true => stand_in("another device"),
        false => subject(scene.state, asset),
    };
    Ok(Action::Reserve { disposition: disposition(slots)?, asset, subject })
}

fn each(
    scene: &Scene<'_>,
    slots: &Slots,
    action: impl Fn(ClearanceId) -> Action,
) -> Result<Vec<Step>, Unclear> {
    let by = actor(scene, slots)?;
    let step = |name: &String| {
        let clearance = id(name, "a clearance like C-1")?;
        Ok(Step(vec![Command { by, action: action(clearance) }]))
    };
    expand(slots.names("names"))?.iter().map(step).collect()
}

fn finish(slots: &Slots, clearance: ClearanceId) -> Action {
    let certificate = exhibit("certificate of sanitization", &clearance.to_string());
    let exhibits = if slots.has("bare") { Vec::new() } else { vec![certificate] };
    let reason = Reason { note: String::new(), exhibits };
    Action::Finish { clearance, verified: !slots.has("unverified"), reason }
}

/// Reserve, begin and finish, asset by asset, as an agent would.
fn carry_out(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let by = actor(scene, slots)?;
    let assets = scene.names.assets(scene.state, slots.names("names"))?;
    let step = |(n, asset)| {
        let clearance = scene.state.clearances.next_after(n);
        let begin = Action::Begin { clearance };
        let actions = [reserve(scene, slots, asset)?, begin, finish(slots, clearance)];
        Ok(Step(actions.map(|action| Command { by, action }).into()))
    };
    assets.into_iter().enumerate().map(step).collect()
}
