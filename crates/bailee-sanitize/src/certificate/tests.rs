//! The certificate's frozen form, and what it must not hide.

use super::{Certificate, Particulars, Person};
use crate::carry_out::tests::{identity, terms};
use crate::lease::Stop;
use crate::record::{Achieved, IoPath, Level, Outcome, Readback, Record, Verified};
use crate::run::TOOL;
use crate::span::{Span, Spans};

pub(crate) fn record() -> Record {
    Record {
        terms: terms(),
        identity: identity(4096),
        requested: Level::Clear,
        achieved: Achieved::Clear,
        verified: Verified::Whole,
        outcome: Outcome::Complete,
        written: Spans::whole(4096),
        synced: Spans::whole(4096),
        unwritable: Spans::new(),
        readback: Some(Readback { matching: Spans::whole(4096), ..Readback::default() }),
        lease_lost_reading: None,
        io_path: IoPath::Direct,
        seed: [7; 32],
        started: 1_800_000_000,
        finished: 1_800_000_060,
        log_sha256: [2; 32],
        host: "rack14-u3".into(),
        agent: "agent-1".into(),
        limits: vec!["spare flash was not reached".into()],
    }
}

pub(crate) fn particulars() -> Particulars {
    let person = |name: &str| Person {
        name: name.into(),
        title: Some("technician".into()),
        date: Some("2027-01-15".into()),
        location: None,
        contact: None,
        signature: None,
    };
    Particulars {
        manufacturer: Some("Example".into()),
        verifying: Some(person("A. Visser")),
        ..Particulars::default()
    }
}

#[test]
fn form_is_frozen() {
    let certificate = Certificate::issue(&record(), particulars());
    let now = |frozen: &str| frozen.replace("bailee-sanitize 0.1.0", TOOL);
    let json = include_str!("../../tests/fixtures/certificate-v1.json");
    assert_eq!(certificate.to_json(), now(json));
    let text = include_str!("../../tests/fixtures/certificate-v1.txt");
    assert_eq!(certificate.to_text(), now(text));
    assert_eq!(Certificate::from_json(json).unwrap().to_json(), json, "old tools stay readable");
}

#[test]
fn another_spelling_is_not_a_certificate() {
    let json = Certificate::issue(&record(), particulars()).to_json();
    let compact: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(Certificate::from_json(&compact.to_string()).is_err());
    assert!(Certificate::from_json(&json.replace("certificate/v1", "certificate/v2")).is_err());
    assert!(Certificate::from_json(&json.replace("\"device\"", "\"devise\"")).is_err());
    assert!(Certificate::from_json("").is_err());
}

#[test]
fn every_empty_field_is_named() {
    let certificate = Certificate::issue(&record(), particulars());
    for name in [
        "device.wwn",
        "particulars.validating",
        "particulars.verifying.signature",
        "capacity of hidden areas (HPA, DCO, AMAC)",
    ] {
        assert!(certificate.not_recorded().iter().any(|n| n == name), "{name}");
    }
    assert!(!certificate.not_recorded().iter().any(|n| n == "device.serial"));
    // Three nulls say that something did not happen (stop code, stop reason, lost lease); three
    // names are facts without a field.
    let nulls = certificate.to_json().matches(": null").count();
    assert_eq!(certificate.not_recorded().len() - 3, nulls - 3);
}

#[test]
fn a_stopped_run_gets_no_certificate_title_and_never_the_word_purge() {
    let written = vec![Span { start: 0, end: 512 }];
    let stopped = Record {
        achieved: Achieved::Nothing,
        verified: Verified::NotDone,
        outcome: Outcome::Stopped { written, reason: Stop::Expired },
        readback: None,
        ..record()
    };
    let certificate = Certificate::issue(&stopped, Particulars::default());
    assert!(!certificate.is_verified_clear());
    let text = certificate.to_text();
    assert!(text.starts_with("RECORD OF A SANITIZATION THAT DID NOT SUCCEED\n"), "{text}");
    assert!(text.contains("lease_expired") && text.contains("the lease ran out"));
    let good = Certificate::issue(&record(), Particulars::default());
    assert!(good.is_verified_clear());
    for page in [text, good.to_text(), good.to_json()] {
        assert!(!page.to_lowercase().contains("purge"), "{page}");
    }
}

#[test]
fn a_value_cannot_forge_a_line() {
    let mut forged = record();
    forged.host = "h\nAchieved                   purge".into();
    let text = Certificate::issue(&forged, Particulars::default()).to_text();
    assert!(!text.lines().any(|l| l.starts_with("Achieved") && l.ends_with("purge")), "{text}");
}
