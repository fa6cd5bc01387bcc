//! The certificate: what a person gets, keeps and shows.
//!
//! Invariants
//! 1. The JSON is deterministic: members in the order of the structs, two-space indent, one LF at
//!    the end. Its SHA-256 may be committed in a log.
//! 2. What nobody recorded is `null` *and* named in `not_recorded`; an empty field is never taken
//!    for a statement.
//! 3. The title of the text says what was reached; an unsuccessful run has no certificate title.
//!
//! Fields follow the sample certificate of NIST SP 800-88; ours add the clearance, the position up
//! to which holds were checked, the evidence of identity and what was not reached.
//!
//! Out of scope: signing (the log does, by committing to these bytes), and *validation*, which is
//! a person's acceptance: `validating` names who it was, the program never fills it in.

use bailee_ledger::clearance::Terms;
use bailee_ledger::to_hex;
use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::record::{Outcome, Readback, Record};
use crate::run::TOOL;
use crate::span::{Span, Spans};

mod claim;
mod erasure;
mod text;

pub use claim::{Claim, Unfit};
pub use erasure::{Erased, ErasureCertificate, GoneCopy, GoneKey, ShelvedSet};

/// Format line of the JSON.
const FORMAT: &str = "bailee/certificate/v1";

/// Somebody who stands for the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Full name.
    pub name: String,
    /// Function.
    pub title: Option<String>,
    /// Date of the act, ISO 8601.
    pub date: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// Telephone or e-mail.
    pub contact: Option<String>,
    /// Signature, or where it is kept.
    pub signature: Option<String>,
}

/// What the device does not say and a person may know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Particulars {
    /// Maker of the device.
    pub manufacturer: Option<String>,
    /// The organisation's own number.
    pub property_number: Option<String>,
    /// Kind of medium (magnetic disk, flash, …).
    pub media_type: Option<String>,
    /// Machine and user it comes from.
    pub media_source: Option<String>,
    /// Confidentiality of what was on it.
    pub confidentiality: Option<String>,
    /// Where the proof lies that the clearance's reservation is in the log.
    pub inclusion_proof: Option<String>,
    /// Who carried out and verified.
    pub verifying: Option<Person>,
    /// Who accepts the result.
    pub validating: Option<Person>,
}

/// The device, as it described itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceLines {
    kind: String,
    capacity_bytes: u64,
    model: Option<String>,
    serial: Option<String>,
    wwn: Option<String>,
    uuid: Option<String>,
    identity: Vec<String>,
    identity_sha256: String,
}

/// On whose word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Authority {
    origin: String,
    clearance: String,
    disposition: String,
    asset: String,
    holds_checked_at_position: u64,
    clearance_not_after: i64,
}

/// What was asked for, reached and verified: three answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Method {
    requested: String,
    achieved: String,
    verified: String,
    technique: String,
    pattern_seed: String,
    verification_method: String,
    io_path: String,
    tool: String,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ending {
    outcome: String,
    stop_code: Option<String>,
    stop_reason: Option<String>,
    lease_lost_while_reading: Option<String>,
    started_unix: i64,
    finished_unix: i64,
    written: Vec<Span>,
    unwritable: Vec<Span>,
    mismatched: Vec<Span>,
    unreadable: Vec<Span>,
    log_sha256: String,
    host: String,
    agent: String,
}

/// A certificate of sanitization (or the record of a failed one). Build with
/// [`Certificate::issue`], read with [`Certificate::from_json`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    format: String,
    device: DeviceLines,
    authority: Authority,
    method: Method,
    result: Ending,
    particulars: Particulars,
    not_reached: Vec<String>,
    not_recorded: Vec<String>,
}

impl Certificate {
    /// Fills a certificate from a record and what people add.
    pub fn issue(record: &Record, particulars: Particulars) -> Certificate {
        let device = device_lines(&record.identity);
        let not_recorded = not_recorded(&device, &particulars, record);
        Certificate {
            format: FORMAT.into(),
            device,
            authority: authority(&record.terms),
            method: method(record),
            result: result(record),
            particulars,
            not_reached: record.limits.clone(),
            not_recorded,
        }
    }

    /// The canonical JSON.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self)
            .expect("strings, numbers and lists always have a JSON form");
        json.push('\n');
        json
    }

    /// Reads canonical JSON. Errors: not JSON, other members, another format, another spelling.
    pub fn from_json(json: &str) -> Result<Certificate, String> {
        let read: Certificate = serde_json::from_str(json).map_err(|e| e.to_string())?;
        if read.format != FORMAT {
            return Err(format!("format is {}, this program reads {FORMAT}", read.format));
        }
        match read.to_json() == json {
            true => Ok(read),
            false => Err("not the canonical spelling of a certificate".into()),
        }
    }

    /// Under which clearance, `C-n`.
    pub fn clearance(&self) -> &str {
        &self.authority.clearance
    }

    /// For which disposition, `X-n`.
    pub fn disposition(&self) -> &str {
        &self.authority.disposition
    }

    /// Of which asset, `A-n`.
    pub fn asset(&self) -> &str {
        &self.authority.asset
    }

    /// SHA-256 of the device's identity, hex.
    pub fn subject(&self) -> &str {
        &self.device.identity_sha256
    }

    /// What nobody recorded, by field.
    pub fn not_recorded(&self) -> &[String] {
        &self.not_recorded
    }

    /// Whether clear was achieved *and* all of the medium was read back.
    pub fn is_verified_clear(&self) -> bool {
        self.method.achieved == "clear" && self.method.verified == "whole"
    }

    /// The form for people.
    pub fn to_text(&self) -> String {
        text::write(self)
    }
}

fn device_lines(identity: &Identity) -> DeviceLines {
    DeviceLines {
        kind: identity.kind.word().into(),
        capacity_bytes: identity.size,
        model: identity.model.clone(),
        serial: identity.serial.clone(),
        wwn: identity.wwn.clone(),
        uuid: identity.uuid.clone(),
        identity: identity.canonical().lines().map(Into::into).collect(),
        identity_sha256: to_hex(&identity.digest()),
    }
}

fn authority(terms: &Terms) -> Authority {
    Authority {
        origin: terms.origin.clone(),
        clearance: format!("C-{}", terms.clearance),
        disposition: format!("X-{}", terms.disposition),
        asset: format!("A-{}", terms.asset),
        holds_checked_at_position: terms.position,
        clearance_not_after: terms.not_after,
    }
}

fn method(record: &Record) -> Method {
    let verification = match record.readback {
        Some(_) => "every byte read and compared with the pattern made anew",
        None => "none",
    };
    Method {
        requested: record.requested.word().into(),
        achieved: record.achieved.word().into(),
        verified: record.verified.word().into(),
        technique: "host overwrite of all addressable bytes, one pass, AES-128-CTR keystream"
            .into(),
        pattern_seed: to_hex(&record.seed),
        verification_method: verification.into(),
        io_path: record.io_path.to_string(),
        tool: TOOL.into(),
    }
}

fn result(record: &Record) -> Ending {
    let stop = match &record.outcome {
        Outcome::Stopped { reason, .. } => Some(reason),
        Outcome::Complete | Outcome::Incomplete => None,
    };
    let list = |spans: &Spans| spans.as_slice().to_vec();
    let found = |pick: fn(&Readback) -> &Spans| {
        record.readback.as_ref().map(|r| list(pick(r))).unwrap_or_default()
    };
    Ending {
        outcome: record.outcome.word().into(),
        stop_code: stop.map(|s| s.code().into()),
        stop_reason: stop.map(ToString::to_string),
        lease_lost_while_reading: record.lease_lost_reading.as_ref().map(ToString::to_string),
        started_unix: record.started,
        finished_unix: record.finished,
        written: list(&record.written),
        unwritable: list(&record.unwritable),
        mismatched: found(|r| &r.mismatched),
        unreadable: found(|r| &r.unreadable),
        log_sha256: to_hex(&record.log_sha256),
        host: record.host.clone(),
        agent: record.agent.clone(),
    }
}

/// Names every field that is empty, and the facts this program cannot find out at all.
fn not_recorded(device: &DeviceLines, p: &Particulars, record: &Record) -> Vec<String> {
    let fields = [
        ("device.model", device.model.is_none()),
        ("device.serial", device.serial.is_none()),
        ("device.wwn", device.wwn.is_none()),
        ("device.uuid", device.uuid.is_none()),
        ("particulars.manufacturer", p.manufacturer.is_none()),
        ("particulars.property_number", p.property_number.is_none()),
        ("particulars.media_type", p.media_type.is_none()),
        ("particulars.media_source", p.media_source.is_none()),
        ("particulars.confidentiality", p.confidentiality.is_none()),
        ("particulars.inclusion_proof", p.inclusion_proof.is_none()),
        ("particulars.verifying", p.verifying.is_none()),
        ("particulars.validating", p.validating.is_none()),
        ("result.host", record.host.is_empty()),
        ("result.agent", record.agent.is_empty()),
        ("result.mismatched", record.readback.is_none()),
        ("result.unreadable", record.readback.is_none()),
    ];
    let mut names: Vec<String> =
        fields.iter().filter(|(_, empty)| *empty).map(|(name, _)| (*name).into()).collect();
    for (role, person) in [("verifying", &p.verifying), ("validating", &p.validating)] {
        let Some(person) = person else { continue };
        let parts = [
            ("title", &person.title),
            ("date", &person.date),
            ("location", &person.location),
            ("contact", &person.contact),
            ("signature", &person.signature),
        ];
        let empty = parts.iter().filter(|(_, value)| value.is_none());
        names.extend(empty.map(|(name, _)| format!("particulars.{role}.{name}")));
    }
    names.extend(
        ["capacity of hidden areas (HPA, DCO, AMAC)", "firmware revision", "media health"]
            .map(String::from),
    );
    names
}

#[cfg(test)]
pub(crate) mod tests;
