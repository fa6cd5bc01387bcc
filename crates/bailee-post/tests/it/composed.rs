//! Letters we write: read back by our own reader, the same twice, and closed to injection.

use bailee_post::{Attachment, ComposeError, Head, Letter, Mailbox, notice, receipt};
use proptest::prelude::*;

fn mailbox(name: Option<&str>, email: &str) -> Mailbox {
    Mailbox { name: name.map(str::to_owned), email: email.to_owned() }
}

fn head() -> Head {
    Head {
        date_unix: 1_330_616_600,
        message_id: "r-1.9f3b@host.example".to_owned(),
        from: mailbox(Some("Host B.V., Legal"), "legal@host.example"),
        reply_to: Some(mailbox(None, "holds@host.example")),
        to: vec![
            mailbox(Some("R. \"Bob\" Counsel"), "counsel@lawfirm.example"),
            mailbox(Some("Jörg Müller – Žižek 株式会社"), "j@kunde.example"),
        ],
        subject: "Receipt for D-1 – „Megaupload“".to_owned(),
        in_reply_to: Some("20120301.154155.7@lawfirm.example".to_owned()),
    }
}

/// Every rule for the bytes of a letter that leaves.
fn check_wire(raw: &[u8]) {
    assert!(raw.is_ascii() && !raw.contains(&0));
    let text = String::from_utf8_lossy(raw);
    for line in text.split("\r\n") {
        assert!(line.len() <= 998, "a line of {} bytes", line.len());
        assert!(!line.contains(['\r', '\n']), "a bare line break: {line:?}");
    }
    assert!(text.ends_with("\r\n"));
}

#[test]
fn a_receipt_reads_back() {
    let bytes: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    let text =
        "We have received your letter.\n\n.\nFrom now on the data is frozen: 630 servers – é.\n";
    let raw = receipt(&head(), text, "receipt-D-1.bailee", &bytes).unwrap();
    assert_eq!(raw, receipt(&head(), text, "receipt-D-1.bailee", &bytes).unwrap());
    check_wire(&raw);
    let letter = Letter::read(&raw);
    assert_eq!(letter.message_id.as_deref(), Some("r-1.9f3b@host.example"));
    assert_eq!(letter.in_reply_to, ["20120301.154155.7@lawfirm.example"]);
    assert_eq!(letter.date_unix, Some(1_330_616_600));
    assert_eq!(letter.subject, head().subject);
    for (read, written) in letter.to.iter().zip(&head().to) {
        assert_eq!((&read.name, &read.email), (&written.name, &written.email));
    }
    assert_eq!(letter.from[0].name.as_deref(), Some("Host B.V., Legal"));
    assert_eq!(letter.text, text.trim_end());
    assert_eq!(letter.attachments[0].name.as_deref(), Some("receipt-D-1.bailee"));
    assert_eq!(letter.attachments[0].media_type, "application/octet-stream");
    assert!(letter.attachments[0].bytes == bytes);
    assert!(letter.is_automatic);
    assert_eq!(letter.problems.len(), 1, "only the attachment: {:?}", letter.problems);
}

#[test]
fn a_notice_is_plain_text() {
    let raw = notice(&head(), "Dear counsel,\r\nfrom 1 February …", &[]).unwrap();
    check_wire(&raw);
    let text = String::from_utf8(raw.clone()).unwrap();
    assert!(text.contains("Auto-Submitted: auto-generated\r\n"), "{text}");
    assert!(text.contains("Date: Thu, 1 Mar 2012 15:43:20 +0000\r\n"), "{text}");
    assert!(text.contains("Reply-To: <holds@host.example>\r\n"), "{text}");
    let letter = Letter::read(&raw);
    assert_eq!(letter.text, "Dear counsel,\nfrom 1 February …");
    assert!(letter.problems.is_empty() && letter.attachments.is_empty());
}

#[test]
fn what_would_add_a_line_is_refused_by_name() {
    type Spoil = fn(&mut Head);
    let spoiled: [(&str, Spoil); 12] = [
        ("the subject", |head| head.subject.push_str("\r\nBcc: evil@x.example")),
        ("the subject", |head| head.subject.push('\n')),
        ("the subject", |head| head.subject = "x".repeat(901)),
        ("the name", |head| head.to[0].name = Some("a\rb".to_owned())),
        ("the name", |head| head.from.name = Some("a\u{85}b".to_owned())),
        ("the address", |head| head.to[1].email = "a@b.example\r\nRCPT".to_owned()),
        ("the address", |head| head.to[1].email = "a@b.example, c@d.example".to_owned()),
        ("the address", |head| head.to[1].email = "<a@b.example>".to_owned()),
        ("the address", |head| head.from.email = "müller@b.example".to_owned()),
        ("the address", |head| head.reply_to = Some(mailbox(None, "a@b@c"))),
        ("the Message-ID", |head| head.message_id = "no-domain".to_owned()),
        ("the Message-ID", |head| head.in_reply_to = Some("a@b>\r\nX: y".to_owned())),
    ];
    for (wanted, spoil) in spoiled {
        let mut head = head();
        spoil(&mut head);
        match notice(&head, "text", &[]) {
            Err(ComposeError::BadField { field, .. }) => assert_eq!(field, wanted),
            other => panic!("{head:?}: {other:?}"),
        }
    }
}

#[test]
fn letters_need_a_recipient_and_a_date() {
    let nobody = Head { to: Vec::new(), ..head() };
    assert_eq!(notice(&nobody, "", &[]), Err(ComposeError::NoRecipient));
    for date_unix in [-1, 32_503_680_000, i64::MIN, i64::MAX] {
        assert!(notice(&Head { date_unix, ..head() }, "", &[]).is_err(), "{date_unix}");
    }
    for date_unix in [0, 32_503_679_999] {
        let raw = notice(&Head { date_unix, ..head() }, "", &[]).unwrap();
        assert_eq!(Letter::read(&raw).date_unix, Some(date_unix));
    }
}

#[test]
fn attachments_cannot_pretend() {
    let attachment = |name: &str, media_type: &str| Attachment {
        name: Some(name.to_owned()),
        media_type: media_type.to_owned(),
        bytes: b"x".to_vec(),
    };
    for (name, media_type) in [
        ("a\r\nb", "text/plain"),
        ("a", "text/plain\r\nX: y"),
        ("a", "multipart/mixed"),
        ("a", "text"),
        ("a", "text/plain; x=y"),
    ] {
        let refused = notice(&head(), "", &[attachment(name, media_type)]);
        assert!(matches!(refused, Err(ComposeError::BadField { .. })), "{name:?} {media_type:?}");
    }
}

/// The text quotes the delimiter: it becomes another one.
#[test]
fn text_cannot_end_the_letter() {
    let text = "=_r.1.9f3b.host.example\n--=_r.1.9f3b.host.example--\n=_r.1.9f3b.host.example_";
    let raw = receipt(&head(), text, "r", b"receipt").unwrap();
    let letter = Letter::read(&raw);
    assert_eq!(letter.text, text);
    assert_eq!(letter.attachments[0].bytes, b"receipt");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_reads_back(
        subject in "[^\\pC]{0,120}", name in "[^\\pC]{1,60}", file in "[^\\pC]{1,60}",
        text in "([^\\pC]|\n|--=_r){0,300}", bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let to = vec![mailbox(Some(&name), "a@b.example")];
        let head = Head { to, subject: subject.clone(), ..head() };
        let raw = receipt(&head, &text, &file, &bytes).unwrap();
        check_wire(&raw);
        let letter = Letter::read(&raw);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(words(&letter.subject), words(&subject));
        prop_assert_eq!(letter.to.len(), 1);
        prop_assert_eq!(&letter.to[0].email, "a@b.example");
        prop_assert_eq!(words(letter.to[0].name.as_deref().unwrap_or("")), words(&name));
        prop_assert_eq!(words(&letter.text), words(&text));
        prop_assert_eq!(letter.attachments.len(), 1);
        prop_assert_eq!(&letter.attachments[0].bytes, &bytes);
        let read = letter.attachments[0].name.as_deref().unwrap_or("");
        prop_assert_eq!(words(read), words(&file));
    }
}
