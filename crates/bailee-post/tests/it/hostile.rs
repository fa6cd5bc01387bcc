//! Input that was made to hurt: it is read within the limits, and what is left out is named.

use bailee_post::{Letter, Report, letter};
use proptest::prelude::*;

use crate::{fixture, fixtures};

fn problems(raw: &[u8]) -> String {
    let _ = Report::read(raw);
    Letter::read(raw).problems.join("; ")
}

#[test]
fn nothing_at_all() {
    for raw in [&b""[..], b"\r\n", b"\n\n\n", b"\0", b":", b"From", &[0xff; 1000]] {
        assert!(problems(raw).contains("names no sender") || problems(raw).contains("no header"));
    }
}

#[test]
fn a_letter_of_100_mb_is_read_in_part() {
    let mut raw = b"From: a@b.example\r\nSubject: large\r\n\r\nkeep srv-1\r\n".to_vec();
    raw.resize(100 << 20, b'x');
    let letter = Letter::read(&raw);
    assert_eq!(letter.subject, "large");
    assert!(letter.text.starts_with("keep srv-1\nxxx"));
    assert!(letter.text.len() <= letter::MAX_TEXT);
    assert!(letter.problems[0].contains("104857600 bytes"), "{:?}", letter.problems);
    assert!(letter.problems[1].contains("the text is longer"), "{:?}", letter.problems);
}

#[test]
fn forwarded_letters_without_end() {
    let one = "Content-Type: message/rfc822\n\n";
    assert!(problems(one.repeat(200_000).as_bytes()).contains("nested deeper than 20"));
}

/// Hidden in base64, where counting header lines before parsing would not see them.
#[test]
fn forwarded_letters_without_end_in_base64() {
    let inner = "Content-Type: message/rfc822\n\n".repeat(50_000);
    let mut raw = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n".to_vec();
    raw.extend_from_slice(base64(inner.as_bytes()).as_bytes());
    assert!(problems(&raw).contains("nested deeper than 20"));
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    assert!(bytes.len().is_multiple_of(3), "no padding needed");
    let word = |three: &[u8]| {
        let bits = three.iter().fold(0usize, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[bits >> shift & 63]))
    };
    bytes.chunks_exact(3).flat_map(word).collect()
}

#[test]
fn multiparts_without_end() {
    let mut raw = String::from("From: a@b.example\n");
    for level in 0..10_000 {
        raw += &format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n");
    }
    assert!(problems(raw.as_bytes()).contains("nested deeper than 20"));
}

#[test]
fn parts_without_number() {
    let raw = "Content-Type: multipart/mixed; boundary=b\n\n".to_owned()
        + &"--b\n\nkeep this\n".repeat(500_000)
        + "--b--\n";
    let letter = Letter::read(raw.as_bytes());
    assert!(letter.problems.iter().any(|text| text.contains("only the first 1000 parts")));
    assert_eq!(letter.text.matches("keep this").count(), 1_000);
}

#[test]
fn headers_without_measure() {
    let long = format!("From: a@b.example\nSubject: {}\n\ntext\n", "x".repeat(3 << 20));
    assert!(problems(long.as_bytes()).contains("a header has"));
    let many = "From: a@b.example\n".repeat(10_000) + "\ntext\n";
    assert!(problems(many.as_bytes()).contains("10000 fields From"));
    let crowd = format!("From: a@b.example\nTo: {}\n\nx", "c@d.example, ".repeat(10_000));
    let letter = Letter::read(crowd.as_bytes());
    assert_eq!(letter.to.len(), letter::MAX_ADDRESSES);
    assert!(letter.problems[0].contains("To has 9000 entries"), "{:?}", letter.problems);
    let quoted = format!("From: {}\n\nx", "(".repeat(200_000));
    assert!(problems(quoted.as_bytes()).contains("names no sender"));
}

#[test]
fn two_senders_are_named() {
    let raw = b"From: a@b.example\r\nFrom: c@d.example\r\n\r\nx";
    assert!(problems(raw).contains("2 fields From"));
}

#[test]
fn broken_structure_is_read_as_text() {
    for (raw, wanted) in [
        ("Content-Type: multipart/mixed\n\n--b\n\nkeep me\n", "without a boundary"),
        ("Content-Type: multipart/mixed; boundary=q\n\n--b\n\nkeep me\n", "without its boundary"),
        ("Content-Type: text/plain\nContent-Transfer-Encoding: x-rot\n\nkeep me", "x-rot"),
        ("Content-Type: text/html\n\n<!-- keep me -->", "shows no text"),
        ("Subject: x\nkeep me", "ends within its header"),
    ] {
        let letter = Letter::read(raw.as_bytes());
        let all = letter.problems.join("; ");
        assert!(all.contains(wanted), "{raw:?}: {all}");
        let is_shown = wanted.contains("boundary") || wanted == "x-rot";
        assert_eq!(letter.text.contains("keep me"), is_shown, "{raw:?}: {}", letter.text);
    }
}

#[test]
fn every_cut_of_every_fixture_is_read() {
    let mut cuts = 0;
    for file in std::fs::read_dir(fixtures()).unwrap() {
        let raw = std::fs::read(file.unwrap().path()).unwrap();
        for cut in 0..raw.len() {
            let letter = Letter::read(&raw[..cut]);
            assert!(letter.text.len() <= letter::MAX_TEXT);
            let _ = Report::read(&raw[..cut]);
            cuts += 1;
        }
    }
    assert!(cuts > 10_000);
}

/// A letter is cut within a multipart: never without a problem.
#[test]
fn a_cut_multipart_is_always_named() {
    let raw = fixture("nested.eml");
    let end = raw.windows(9).rposition(|part| part == b"--outer--").unwrap();
    for cut in 0..end + 8 {
        assert!(!Letter::read(&raw[..cut]).problems.is_empty(), "cut at {cut}");
    }
}

/// Pieces that mean something to a parser, in any order.
fn any_raw() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "From: ", "To: ", "Subject: ", "Date: ", "Message-ID: <", ">", "Content-Type: ",
            "multipart/mixed; boundary=b", "multipart/digest; boundary=\"b\"", "message/rfc822",
            "text/plain; charset=", "utf-7", "utf-16", "iso-2022-jp", "text/html", "message/",
            "delivery-status", "Content-Transfer-Encoding: ", "base64", "quoted-printable",
            "\r\n", "\n", "\r\n\r\n", "\n\n", "--b", "--b--", "=?utf-8?B?", "=?iso-8859-1?Q?", "?=",
            "=", "=E9", "a@b.example", "<", "\"", "(", ")", "\\", ";", ",", ":", "&#x", "<p>",
            "</head>",
            "Action: failed\n", "Final-Recipient: rfc822;", "filename*0*=", "name*=utf-8''%",
            " ", "\t",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
        1 => "[ -~]{0,20}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read(raw in any_raw()) {
        let letter = Letter::read(&raw);
        prop_assert!(!letter.subject.contains(['\r', '\n', '\x1b']));
        prop_assert!(!letter.text.contains(['\r', '\x1b', '\0']));
        for address in letter.from.iter().chain(&letter.to) {
            prop_assert!(!address.email.contains(char::is_control));
        }
        if let Some(report) = Report::read(&raw) {
            let named = report.recipients.iter().all(|status| !status.recipient.is_empty());
            prop_assert!(named && (!report.recipients.is_empty() || !report.problems.is_empty()));
        }
    }
}
