//! The certificate as a page of text.
//!
//! Invariant: every member of the JSON is on the page, or is named under "not recorded".
//! Out of scope: layout for paper.

use jiff::Timestamp;

use super::{Certificate, Person};
use crate::span::Span;

const WIDTH: usize = 26;

/// The page, LF after each line.
pub(super) fn write(certificate: &Certificate) -> String {
    let mut page = Page(String::new());
    page.0.push_str(title(certificate));
    page.0.push_str("\n\n");
    device(&mut page, certificate);
    method(&mut page, certificate);
    result(&mut page, certificate);
    people(&mut page, certificate);
    page.list("Not reached", &certificate.not_reached);
    page.list("Not recorded", &certificate.not_recorded);
    page.0
}

fn title(certificate: &Certificate) -> &'static str {
    match (certificate.method.achieved.as_str(), certificate.method.verified.as_str()) {
        ("clear", "whole") => "CERTIFICATE OF SANITIZATION: clear, verified",
        ("clear", _) => "CERTIFICATE OF SANITIZATION: clear, NOT VERIFIED",
        _ => "RECORD OF A SANITIZATION THAT DID NOT SUCCEED",
    }
}

fn device(page: &mut Page, certificate: &Certificate) {
    let (device, p) = (&certificate.device, &certificate.particulars);
    page.field("Kind of device", &device.kind);
    page.field("Capacity, bytes", &device.capacity_bytes.to_string());
    page.maybe("Manufacturer", &p.manufacturer);
    page.maybe("Model", &device.model);
    page.maybe("Serial number", &device.serial);
    page.maybe("World wide name", &device.wwn);
    page.maybe("UUID", &device.uuid);
    page.maybe("Property number", &p.property_number);
    page.maybe("Media type", &p.media_type);
    page.maybe("Media source", &p.media_source);
    page.maybe("Confidentiality", &p.confidentiality);
    page.field("Identity, SHA-256", &device.identity_sha256);
    for line in &device.identity {
        page.field("", line);
    }
    page.0.push('\n');
    let authority = &certificate.authority;
    page.field("Clearance", &authority.clearance);
    page.field("Disposition", &authority.disposition);
    page.field("Asset", &authority.asset);
    page.field("Granted by log", &authority.origin);
    page.field("Holds checked at position", &authority.holds_checked_at_position.to_string());
    page.field("Clearance valid until", &date(authority.clearance_not_after));
    page.maybe("Inclusion proof", &p.inclusion_proof);
}

fn method(page: &mut Page, certificate: &Certificate) {
    let method = &certificate.method;
    page.0.push('\n');
    page.field("Requested", &method.requested);
    page.field("Achieved", &method.achieved);
    page.field("Verified", &method.verified);
    page.field("Technique", &method.technique);
    page.field("Pattern seed", &method.pattern_seed);
    page.field("Verification", &method.verification_method);
    page.field("Transfers", &method.io_path);
    page.field("Tool", &method.tool);
}

fn result(page: &mut Page, certificate: &Certificate) {
    let result = &certificate.result;
    page.0.push('\n');
    page.field("Outcome", &result.outcome);
    page.maybe("Stopped because", &result.stop_reason);
    page.maybe("Code", &result.stop_code);
    page.maybe("Lease lost while reading", &result.lease_lost_while_reading);
    page.field("Started", &date(result.started_unix));
    page.field("Finished", &date(result.finished_unix));
    page.spans("Bytes overwritten", &result.written);
    page.spans("Bytes unwritable", &result.unwritable);
    page.spans("Bytes that differ", &result.mismatched);
    page.spans("Bytes unreadable", &result.unreadable);
    page.field("Log, SHA-256", &result.log_sha256);
    page.field("Host", &result.host);
    page.field("Agent", &result.agent);
}

fn people(page: &mut Page, certificate: &Certificate) {
    let p = &certificate.particulars;
    for (role, person) in [("Verified by", &p.verifying), ("Validated by", &p.validating)] {
        let Some(Person { name, title, date, location, contact, signature }) = person else {
            continue;
        };
        page.0.push('\n');
        page.field(role, name);
        page.maybe("Title", title);
        page.maybe("Date", date);
        page.maybe("Location", location);
        page.maybe("Contact", contact);
        page.maybe("Signature", signature);
    }
}

/// ISO 8601 in UTC; the bare number if it is no date.
fn date(unix: i64) -> String {
    match Timestamp::from_second(unix) {
        Ok(moment) => moment.to_string(),
        Err(_) => unix.to_string(),
    }
}

struct Page(String);

impl Page {
    /// One line; control characters in values cannot start another.
    fn field(&mut self, name: &str, value: &str) {
        let value: String =
            value.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let line = format!("{name:WIDTH$} {value}");
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    fn maybe(&mut self, name: &str, value: &Option<String>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    fn spans(&mut self, name: &str, spans: &[Span]) {
        let total: u64 = spans.iter().map(Span::len).sum();
        self.field(name, &total.to_string());
        for span in spans {
            self.field("", &span.to_string());
        }
    }

    fn list(&mut self, name: &str, lines: &[String]) {
        self.0.push_str(&format!("\n{name}:\n"));
        for line in lines {
            self.field("", line);
        }
    }
}
