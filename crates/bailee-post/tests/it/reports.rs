//! What must be read out of each delivery report in `fixtures/mail`.

use bailee_post::{Action, RecipientStatus, Report};

use crate::fixture;

fn report(name: &str) -> Report {
    Report::read(&fixture(name)).unwrap_or_else(|| panic!("{name} is a report"))
}

#[test]
fn a_bounce() {
    let report = report("dsn-bounce.eml");
    assert_eq!(report.envelope_id.as_deref(), Some("N-204.1.5f0c9a"));
    assert_eq!(report.original_message_id.as_deref(), Some("n-204.1.5f0c9a@host.example"));
    assert_eq!(report.reporter.as_deref(), Some("mx.example.net"));
    assert_eq!(report.problems, [] as [&str; 0]);
    let wanted = RecipientStatus {
        recipient: "counsel@lawfirm.example".to_owned(),
        original_recipient: Some("counsel@lawfirm.example".to_owned()),
        action: Action::Failed,
        status: Some("5.1.1".to_owned()),
        diagnostic: Some("550 5.1.1 <counsel@lawfirm.example>: no such mailbox here".to_owned()),
        remote: Some("mx.lawfirm.example".to_owned()),
    };
    assert_eq!(report.recipients, [wanted]);
}

#[test]
fn what_a_report_says_to_people_is_neither_its_status_nor_the_letter_returned() {
    let raw = b"From: <>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; \
        report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n\
        <p>Keep <b>srv-1</b></p>\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
        Reporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; a@b.example\r\n\
        Action: failed\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nand srv-2.\r\n--b\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nsrv-3\r\n--b--\r\n";
    let said = Report::read(raw).unwrap().said;
    assert!(said.contains("Keep srv-1") && said.contains("and srv-2."), "{said}");
    for other in ["srv-3", "Action", "Reporting", "Subject"] {
        assert!(!said.contains(other), "{said}");
    }
}

#[test]
fn a_delivery() {
    let report = report("dsn-delivered.eml");
    assert_eq!(report.recipients[0].action, Action::Delivered);
    assert_eq!(report.recipients[0].recipient, "Counsel@lawfirm.example");
    assert_eq!(report.recipients[0].status.as_deref(), Some("2.0.0"));
    assert_eq!(report.original_message_id.as_deref(), Some("n-204.1.5f0c9a@host.example"));
}

#[test]
fn a_relay_is_no_delivery() {
    let report = report("dsn-relayed.eml");
    assert_eq!(report.recipients[0].action, Action::Relayed);
    assert_eq!(report.envelope_id, None);
    assert_eq!(report.recipients[0].remote.as_deref(), Some("old.foundation.example"));
}

#[test]
fn several_recipients_and_an_odd_one() {
    let report = report("dsn-mixed.eml");
    let actions: Vec<Action> = report.recipients.iter().map(|status| status.action).collect();
    assert_eq!(actions, [Action::Delayed, Action::Expanded, Action::Unknown]);
    assert_eq!(report.recipients[2].status, None, "`fine` is no status code");
    assert_eq!(report.problems, ["a recipient's entry names no address"]);
}

#[test]
fn what_is_no_report_is_none() {
    for name in ["counsel-2012-03-01.eml", "dsn-forwarded.eml", "nested.eml", "truncated.eml"] {
        assert_eq!(Report::read(&fixture(name)), None, "{name}");
    }
    assert_eq!(Report::read(b""), None);
}

#[test]
fn a_report_without_recipients_says_so() {
    let raw = b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n";
    let report = Report::read(raw).unwrap();
    assert!(report.recipients.is_empty());
    assert_eq!(report.problems, ["the report names no recipient"]);
}
