//! Answers: what was recorded, and the ids of what is new.
//!
//! Invariant: an answer leaves only after its entries are durable; `new` holds ids a record
//! creates, in log order. A secret is in an answer once, when it is made, and nowhere afterwards.

use std::fmt;

use bailee_core::{Event, Record};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::words::Evidence;
use crate::intake::Taken;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recorded {
    /// Log position, from 0.
    pub position: u64,
    /// When, RFC 3339.
    pub at: String,
    /// Name of the event, e.g. `HoldPlaced`.
    pub event: String,
    /// Ids of everything it is about.
    pub about: Vec<String>,
}

/// What a request led to.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Answer {
    /// Entries recorded; empty if it was so already.
    pub entries: Vec<Recorded>,
    /// Ids of what was made, in log order.
    pub new: Vec<String>,
    /// An access token or clearance token that was made: shown once, kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "(hidden)");
        let mut out = f.debug_struct("Answer");
        out.field("entries", &self.entries).field("new", &self.new).field("token", &token).finish()
    }
}

impl Answer {
    /// The answer for these records.
    pub(crate) fn of(records: &[Record]) -> Answer {
        let entries = records.iter().map(Recorded::from).collect();
        let new = records.iter().flat_map(|record| made(&record.fact.event)).collect();
        Answer { entries, new, token: None }
    }
}

impl From<&Vec<Record>> for Answer {
    fn from(records: &Vec<Record>) -> Answer {
        Answer::of(records)
    }
}

impl From<&Record> for Recorded {
    fn from(record: &Record) -> Recorded {
        Recorded {
            position: record.seq,
            at: record.at.to_string(),
            event: record.fact.event.name().to_owned(),
            about: record.fact.event.mentions(),
        }
    }
}

/// Ids of the things that an event makes.
fn made(event: &Event) -> Vec<String> {
    match event {
        Event::PartyRegistered { party, .. } => vec![party.to_string()],
        Event::EntityRegistered { entity, .. } => vec![entity.to_string()],
        Event::AccountRegistered { account, .. } => vec![account.to_string()],
        Event::AssetRegistered { asset, .. } => vec![asset.to_string()],
        Event::DemandReceived { demand, .. } => vec![demand.to_string()],
        Event::MatterOpened { matter, .. } => vec![matter.to_string()],
        Event::HoldPlaced { hold, .. } => vec![hold.to_string()],
        Event::SnapshotRecorded { snapshot, asset, .. } => {
            vec![snapshot.to_string(), asset.to_string()]
        }
        Event::DispositionProposed { disposition, .. } => vec![disposition.to_string()],
        Event::NoticeQueued { notice, .. } => vec![notice.to_string()],
        Event::ObjectionFiled { objection, .. } => vec![objection.to_string()],
        Event::ClearanceReserved { clearance, .. } => vec![clearance.to_string()],
        Event::AccessRequested { access, .. } => vec![access.to_string()],
        Event::MeterStarted { meter, .. } => vec![meter.to_string()],
        Event::DutyRaised { duty, .. } => vec![duty.to_string()],
        Event::TokenIssued { token, .. } => vec![token.to_string()],
        Event::RotationProposed { rotation, .. } => vec![rotation.to_string()],
        _ => Vec::new(),
    }
}

/// What became of a letter that was handed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "taken", rename_all = "kebab-case")]
pub enum Received {
    /// It is a demand; whatever it asks to keep is frozen.
    Demand {
        /// `D-n`.
        demand: String,
        /// Log position of its entry.
        position: u64,
        /// True if this very letter was received before.
        again: bool,
        /// Where its receipt is, on this server.
        receipt: String,
    },
    /// It is a mail system's report about a notice.
    Report {
        /// `N-n`.
        notice: String,
        /// What it is evidence of.
        evidence: Evidence,
    },
    /// It is a mail system's report about a page to operations; nothing is recorded.
    Page {
        /// `Y-n`.
        duty: String,
    },
}

impl From<&Taken> for Received {
    fn from(taken: &Taken) -> Received {
        match taken {
            Taken::Demand { demand, position, again } => Received::Demand {
                demand: demand.to_string(),
                position: *position,
                again: *again,
                receipt: format!("/v1/demands/{demand}/receipt"),
            },
            Taken::Report { notice, evidence } => {
                Received::Report { notice: notice.to_string(), evidence: (*evidence).into() }
            }
            Taken::Page { duty } => Received::Page { duty: duty.to_string() },
        }
    }
}
