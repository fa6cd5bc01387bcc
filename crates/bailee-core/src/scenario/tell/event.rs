//! Events in words. One line each; ids as they are cited.

use super::{bytes, duty, flag};
use crate::counted;
use crate::demand::{AccessStatus, Medium, Scope};
use crate::disposition::Radius;
use crate::engine::Outcome;
use crate::event::{Event, Fact};
use crate::hold::EndReason;
use crate::money;
use crate::notice::{About, Evidence};
use crate::time::Time;

/// A fact in words.
pub(crate) fn told(fact: &Fact) -> String {
    let name = fact.who.as_ref().map_or("", |who| who.name.as_str());
    match &fact.event {
        Event::PolicySet { policy: p } => format!(
            "policy: waiting {}, cooling {}, silence {}; {} a day, {} per owner",
            counted(p.waiting_days, "day"),
            p.cooling_days,
            p.silence_days,
            counted(p.daily_limit, "asset"),
            p.daily_limit_per_owner
        ),
        Event::InstrumentsLoaded { catalogue } => {
            format!("instruments {} loaded: {}", catalogue.version, catalogue.instruments.len())
        }
        Event::PartyRegistered { party, same_person_as, .. } => match same_person_as {
            None => format!("{party} is {name}"),
            Some(other) => format!("{party} is {name}, the same person as {other}"),
        },
        Event::PartyChanged { party } => format!("{party} {name} has new details"),
        Event::DetailsErased { party, positions, papers } => {
            let (entries, papers) = (positions.len(), papers.len());
            format!("{party} erased: {}, {}", counted(entries, "entry"), counted(papers, "paper"))
        }
        Event::EntityRegistered { entity, name, country } => {
            format!("{entity} is {name}, {country}")
        }
        Event::AccountRegistered { account, owner, law, retention_days, .. } => {
            format!("{account} is {name} of {owner}, {law} law, kept {retention_days} days after")
        }
        Event::AccountTerminated { account } => format!("{account} ended"),
        Event::AssetRegistered { asset, kind, label, .. } => {
            format!("{asset} is the {} {label}", lower(kind))
        }
        Event::AssetMoved { asset, place, .. } => format!("{asset} moved to {place}"),
        Event::AssetRelabelled { asset, label, .. } => format!("{asset} is called {label}"),
        Event::AssetAssigned { asset, account } => format!("{asset} has data of {account}"),
        Event::AssetCopied { asset, source } => format!("{asset} has a copy of {source}"),
        _ => told_of_asking(fact),
    }
}

fn came_by(medium: Medium) -> &'static str {
    match medium {
        Medium::Email => "electronic mail",
        Medium::Post => "post",
        Medium::Portal => "portal",
        Medium::Oral => "word of mouth",
        Medium::Fax => "fax",
    }
}

fn told_of_asking(fact: &Fact) -> String {
    match &fact.event {
        Event::DemandReceived { demand, from, instrument, flags, .. } => {
            let flags: Vec<&str> = flags.iter().map(|one| flag(*one)).collect();
            let flags = match flags.is_empty() {
                true => String::new(),
                false => format!(", flagged {}", flags.join(", ")),
            };
            format!("{demand} received from {from} ({instrument}){flags}")
        }
        Event::DemandMatched { demand, more } => format!("{demand} also means {}", scope(more)),
        Event::HoldMatched { hold, more } => format!("{hold} also means {}", scope(more)),
        Event::MediumCorrected { demand, medium } => {
            format!("{demand} came by {}: what was recorded is corrected", came_by(*medium))
        }
        Event::DemandDecided { demand, status, .. } => {
            format!("{demand} {}", lower(status))
        }
        Event::ReceiptSent { demand } => format!("receipt of {demand} left"),
        Event::MatterOpened { matter, title } => format!("{matter} opened: {title}"),
        Event::MatterClosed { matter } => format!("{matter} closed"),
        Event::CorrespondenceFiled { matter, from } => {
            format!("letter of {from} filed in {matter}")
        }
        Event::HoldPlaced { hold, provisional, scope: of, instrument, due, silent, .. } => {
            let sort = if *provisional { "provisional" } else { "active" };
            let quiet = if *silent { ", silent" } else { "" };
            let due = until(*due);
            format!("{hold} placed, {sort}{quiet}: {} ({instrument}{due})", scope(of))
        }
        Event::BasisAdded { hold, instrument, due, .. } => {
            format!("{hold} rests on {instrument} too{}", until(*due))
        }
        Event::BasisExtended { hold, basis, due } => {
            format!("basis {basis} of {hold} extended to {due}")
        }
        Event::BasisEnded { hold, basis, reason } => match reason {
            EndReason::Lapsed => format!("basis {basis} of {hold} lapsed; {hold} still blocks"),
            EndReason::Withdrawn => format!("basis {basis} of {hold} withdrawn"),
        },
        Event::CopyAllowed { hold } => format!("a verified copy satisfies {hold}"),
        Event::ReleaseProposed { hold } => format!("release of {hold} proposed"),
        Event::ReleaseApproved { hold, radius } => {
            format!("release of {hold} approved for {}", blast(radius))
        }
        Event::HoldCooling { hold, until } => format!("{hold} cools until {until}"),
        Event::HoldReleased { hold } => format!("{hold} released"),
        Event::GagEnded { hold } => format!("{hold} is no longer silent"),
        _ => told_of_letting_go(fact),
    }
}

fn told_of_letting_go(fact: &Fact) -> String {
    match &fact.event {
        Event::DispositionProposed { disposition, kind, assets, .. } => {
            let kind = lower(kind);
            format!("{disposition} proposed: {kind} {}", counted(assets.len(), "asset"))
        }
        Event::DispositionApproved { disposition, radius } => {
            format!("{disposition} approved for {}", blast(radius))
        }
        Event::DispositionCancelled { disposition } => format!("{disposition} cancelled"),
        Event::HoldAccepted { disposition, hold } => {
            format!("{hold} accepted by the transferee of {disposition}")
        }
        Event::NoticeQueued { notice, to, about } => {
            let about = match about {
                About::Disposition(id) => id.to_string(),
                About::Decision(id) => format!("the decision on {id}"),
                About::Objection(id) => format!("the decision on {id}"),
            };
            format!("{notice} to {to} about {about}")
        }
        Event::NoticeRetried { notice, channel } => {
            format!("{notice} is tried by channel {}", u16::from(*channel) + 1)
        }
        Event::NoticeSent { notice, attempt } => {
            format!("{notice} left, attempt {}", u16::from(*attempt) + 1)
        }
        Event::NoticeEvidence { notice, attempt, evidence: found } => {
            format!("{notice} {}, attempt {}", evidence(*found), u16::from(*attempt) + 1)
        }
        Event::NoticeEscalated { notice } => format!("{notice} reached nobody by any channel"),
        Event::ObjectionFiled { objection, disposition, by } => {
            format!("{objection} of {by} against {disposition}")
        }
        Event::ObjectionDecided { objection, upheld } => {
            format!("{objection} {}", if *upheld { "upheld" } else { "rejected" })
        }
        Event::ClearanceReserved { clearance, asset, expires, .. } => {
            format!("{clearance} reserved for {asset} until {expires}")
        }
        Event::ClearanceBegun { clearance, lease } => {
            format!("{clearance} begun, lease to {lease}")
        }
        Event::ClearanceRenewed { clearance, lease } => format!("{clearance} renewed to {lease}"),
        Event::ClearanceFinished { clearance, .. } => format!("{clearance} finished, certified"),
        Event::ClearanceAborted { clearance, gone } => {
            format!("{clearance} aborted, {} gone", bytes(*gone))
        }
        Event::ClearanceRevoked { clearance, hold } => format!("{clearance} revoked by {hold}"),
        Event::ClearanceExpired { clearance } => format!("{clearance} expired"),
        Event::ClearanceLost { clearance } => {
            format!("{clearance} lost: nobody knows what is gone")
        }
        _ => told_of_keeping(fact),
    }
}

fn told_of_keeping(fact: &Fact) -> String {
    match &fact.event {
        Event::SnapshotRecorded { snapshot, asset, source, unreadable, changed, .. } => {
            let gaps = match unreadable {
                0 => String::new(),
                n => format!(", {n} unreadable"),
            };
            let moved = changed.map_or_else(String::new, |n| format!(", {n} changed meanwhile"));
            format!("{snapshot} taken of {source}, kept as {asset}{gaps}{moved}")
        }
        Event::SnapshotVerified { snapshot, intact } => {
            format!("{snapshot} read back: {}", if *intact { "intact" } else { "damaged" })
        }
        Event::AccessRequested { access, owner, asset } => {
            format!("{access}: {owner} asks for the data on {asset}")
        }
        Event::AccessDecided { access, status } => {
            let status = match status {
                AccessStatus::Open => "open",
                AccessStatus::Granted => "granted",
                AccessStatus::Denied => "denied",
                AccessStatus::Fulfilled => "fulfilled",
            };
            format!("{access} {status}")
        }
        Event::MeterStarted { meter, matter, what, units, daily, currency } => {
            let price = money(*daily, currency);
            format!("{meter} runs in {matter}: {units} {what} at {price} a day")
        }
        Event::MeterStopped { meter } => format!("{meter} stopped"),
        Event::CostAccrued { meter, days, until } => {
            format!("{meter} booked {} until {until}", counted(*days, "day"))
        }
        Event::CostBooked { matter, what, amount, currency, .. } => {
            format!("{} booked in {matter} for {what}", money(*amount, currency))
        }
        Event::TimePassed {} => "a day passed".to_owned(),
        Event::DutyRaised { duty: id, kind } => format!("{id} for a human: {}", duty(*kind)),
        Event::DutyPaged { duty } => format!("{duty} paged"),
        Event::DutyDischarged { duty } => format!("{duty} discharged"),
        other => told_of_keys(other),
    }
}

fn told_of_keys(event: &Event) -> String {
    match event {
        Event::RotationProposed { rotation, overlap_days, .. } => {
            let days = counted(*overlap_days, "day");
            format!("{rotation}: new keys for the log, beside the old ones for {days}")
        }
        Event::RotationBegun { rotation, until } => {
            format!("{rotation} begun: both pairs of keys sign, until {until} at least")
        }
        Event::RotationEnded { rotation, why } => {
            format!("{rotation} ended, the old keys are {}: only the new ones sign", lower(why))
        }
        Event::RotationCancelled { rotation } => format!("{rotation} cancelled"),
        Event::LogContinued { origin, before, size, .. } => {
            format!("{origin} goes on where {before} ended, seen by others up to entry {size}")
        }
        Event::EngineProbed { engine, trials, canaries, worse } => {
            let holds = trials.iter().filter(|trial| trial.outcome == Outcome::Holds).count();
            let (tried, read) = (trials.len(), counted(canaries.objects, "object"));
            let lost = canaries.lost.len();
            let worse = match worse.is_empty() {
                true => String::new(),
                false => format!("; WORSE than before: {}", worse.join(", ")),
            };
            format!(
                "{engine} probed: {holds} of {tried} hold; {read} under hold read back, {lost} \
                 lost{worse}"
            )
        }
        Event::RequestRefused {
            by, asset, disposition, hold, thing: thing_else, codes, ..
        } => {
            let thing = asset.map(|id| id.to_string());
            let thing = thing.or_else(|| hold.map(|id| id.to_string()));
            let thing = thing.or_else(|| disposition.map(|id| id.to_string()));
            let thing = thing.or_else(|| thing_else.map(|id| id.to_string()));
            let thing = thing.unwrap_or_else(|| "nothing".into());
            format!("{by} was refused {thing}: {}", codes.join(", "))
        }
        Event::VolumesWritten { snapshot, first, volumes, .. } => {
            let size = volumes.iter().map(|volume| volume.size).sum();
            let count = counted(volumes.len() as u64, "volume");
            format!("{snapshot} left in {count} from number {first} on, {}", bytes(size))
        }
        other => other.name().to_owned(),
    }
}

/// A word of the domain as it is written in a sentence.
fn lower(word: impl std::fmt::Debug) -> String {
    format!("{word:?}").to_lowercase()
}

fn until(due: Option<Time>) -> String {
    due.map(|due| format!(" until {due}")).unwrap_or_default()
}

fn scope(scope: &Scope) -> String {
    let mut parts: Vec<String> = scope.accounts.iter().map(ToString::to_string).collect();
    match &scope.assets[..] {
        [first, .., last] if scope.assets.len() > 3 => {
            parts.push(format!("{first} … {last} ({})", scope.assets.len()));
        }
        few => parts.extend(few.iter().map(ToString::to_string)),
    }
    parts.extend(scope.identifiers.iter().map(|identifier| format!("identifier {identifier}")));
    match parts.is_empty() {
        true => "nothing known here yet".to_owned(),
        false => parts.join(", "),
    }
}

fn blast(radius: &Radius) -> String {
    let parts = [
        counted(radius.assets, "asset"),
        bytes(radius.bytes),
        counted(radius.owners.len(), "owner"),
        counted(radius.holds.len(), "hold"),
        counted(radius.copies.len(), "verified copy"),
    ];
    parts.join(", ")
}

fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Relayed => "relayed (proves nothing)",
        Evidence::Delivered => "delivered",
        Evidence::Opened => "opened",
        Evidence::Acknowledged => "acknowledged",
        Evidence::Served => "served",
        Evidence::Bounced => "bounced",
        Evidence::Silence => "met silence",
    }
}
