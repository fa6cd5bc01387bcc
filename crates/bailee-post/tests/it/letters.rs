//! What must be read out of each letter in `fixtures/mail`.

use bailee_post::Letter;

use crate::{fixture, fixtures};

/// Reads a fixture and checks sender and the exact problems (by a part of each).
fn check(name: &str, from: &str, problems: &[&str]) -> Letter {
    let letter = Letter::read(&fixture(name));
    let senders: Vec<&str> = letter.from.iter().map(|address| address.email.as_str()).collect();
    assert_eq!(senders, [from], "{name}");
    assert_eq!(letter.problems.len(), problems.len(), "{name}: {:?}", letter.problems);
    for (found, wanted) in letter.problems.iter().zip(problems) {
        assert!(found.contains(wanted), "{name}: {found:?} should say {wanted:?}");
    }
    let told = letter.is_broken || letter.has_unread;
    assert_eq!(told, !letter.problems.is_empty(), "{name}: {:?}", letter.problems);
    letter
}

#[test]
fn counsel_asks_to_keep_everything() {
    let letter = check("counsel-2012-03-01.eml", "counsel@lawfirm.example", &[]);
    assert_eq!(letter.from[0].name.as_deref(), Some("R. Counsel"));
    assert_eq!(letter.to[0].name.as_deref(), Some("Host B.V., Legal"));
    assert_eq!(letter.to[0].email, "legal@host.example");
    assert_eq!(letter.cc[0].email, "associate@lawfirm.example");
    assert_eq!(letter.message_id.as_deref(), Some("20120301.154155.7@lawfirm.example"));
    assert_eq!(letter.date_unix, Some(1_330_616_515));
    assert_eq!(letter.subject, "Megaupload \u{2013} request to preserve all data");
    assert!(letter.text.contains("on these servers, customer number MU-2005-0630, until"));
    assert!(letter.attachments.is_empty() && !letter.is_automatic);
}

#[test]
fn the_request_for_one_user_reads_once_though_it_comes_twice() {
    let letter = check("eff-2012-04-03.eml", "attorney@foundation.example", &[]);
    assert_eq!(letter.to[0].email, "legal@us.host.example");
    assert_eq!(letter.date_unix, Some(1_333_487_100));
    assert_eq!(letter.text.matches("MU-2005-0630").count(), 1, "{}", letter.text);
}

#[test]
fn an_order_s_form_is_kept_and_named_as_unread() {
    let unread = "attachment \"EPOC-PR_2026_771.pdf\" (application/pdf) with";
    let from = "registro@juzgado.example";
    let letter = check("epoc-pr-2026-09-14.eml", from, &[unread]);
    assert!(letter.has_unread && !letter.is_broken, "a whole letter with a whole enclosure");
    assert_eq!(letter.from[0].name.as_deref(), Some("Juzgado de Instrucción nº 3"));
    assert_eq!(letter.subject, "Orden europea de conservación EPOC-PR 2026/771");
    assert!(letter.text.contains("la conservación de los datos de la cuenta anna.k@files"));
    assert!(letter.text.contains("anna.k@files.example,bkt-7731"), "text attachments count");
    assert!(!letter.text.contains("several parts"), "the preamble is not the letter");
    let names: Vec<_> = letter.attachments.iter().map(|a| a.name.as_deref()).collect();
    assert_eq!(names, [Some("accounts.csv"), Some("EPOC-PR_2026_771.pdf")]);
    assert!(letter.attachments[1].bytes.starts_with(b"%PDF-1.4\n"));
    assert!(letter.attachments[1].bytes.ends_with(b"%%EOF\n"));
}

#[test]
fn a_plain_request_without_mime() {
    let letter = check("2703f-2026-02-11.eml", "t.rowe@agency.example", &[]);
    assert_eq!(letter.date_unix, Some(1_770_849_000));
    assert!(letter.text.contains("volumes\nvol-0a1b2c and vol-0a1b2d, as of"));
}

#[test]
fn a_header_in_raw_latin_1_is_legible_and_its_subject_counts_as_doubtful() {
    let raw = b"From: Ren\xe9e M\xfcller <renee@client.example>\r\nTo: legal@host.example\r\n\
        Subject: Daten von B\xe4cker \x80 5\r\n\r\nhello\r\n";
    let letter = Letter::read(raw);
    assert_eq!(letter.from[0].name.as_deref(), Some("Ren\u{e9}e M\u{fc}ller"));
    assert_eq!(letter.from[0].email, "renee@client.example");
    assert_eq!(letter.subject, "Daten von B\u{e4}cker \u{20ac} 5");
    assert_eq!(letter.problems, ["the subject does not say its charset; read as Latin-1"]);
    assert!(letter.is_broken);

    // A name alone freezes nothing wider; UTF-8 beside it stays what it is.
    let raw = b"From: Ren\xe9e <renee@client.example>\r\nSubject: \xc3\xa4pfel\r\n\r\nhello\r\n";
    let letter = Letter::read(raw);
    assert_eq!(
        (letter.from[0].name.as_deref(), &*letter.subject),
        (Some("Ren\u{e9}e"), "\u{e4}pfel")
    );
    assert!(letter.problems.is_empty(), "{:?}", letter.problems);

    let raw = b"Subject: out\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
        Content-Type: message/rfc822\r\n\r\nFrom: a@x.example\r\nSubject: caf\xe9\r\n\r\nhi\r\n\
        --b\r\nContent-Type: application/pdf; name=\"caf\xe9.pdf\"\r\n\r\n%PDF\r\n--b--\r\n";
    let letter = Letter::read(raw);
    assert!(letter.text.contains("Subject: caf\u{e9}"), "{}", letter.text);
    assert_eq!(letter.attachments[0].name.as_deref(), Some("caf\u{e9}.pdf"));
}

#[test]
fn an_owner_s_latin_1_answer() {
    let letter = check("owner-2026-03-02.eml", "joerg.mueller@kunde.example", &[]);
    assert_eq!(letter.subject, "Bitte nicht löschen - Kundennummer K-88231");
    assert!(letter.text.contains("bitte löschen Sie meine Daten auf srv-ams-0417 noch nicht"));
    assert_eq!(letter.in_reply_to, ["notice-204@host.example"]);
}

#[test]
fn undeclared_bytes_are_read_and_named() {
    let problems =
        ["the subject does not say its charset", "a part (text/plain) is not in the charset"];
    let letter = check("latin1-undeclared.eml", "renee@client.example", &problems);
    assert_eq!(letter.from[0].name.as_deref(), Some("Renée d\u{2019}Arc"));
    assert!(letter.text.contains("les données du compte C-100 jusqu'à l'été"));
    assert!(letter.subject.contains("compte C-100"));
}

#[test]
fn html_is_read_without_its_scripts() {
    let letter = check("html-only.eml", "consumer@mail.example", &[]);
    assert!(letter.text.contains("Please keep bucket family-photos-9."), "{}", letter.text);
    assert!(letter.text.contains("Ärger & Sorge"));
    assert!(!letter.text.contains("alert") && !letter.text.contains("color"));
    assert_eq!(letter.attachments[0].media_type, "image/png");
}

#[test]
fn html_that_says_more_than_the_text_beside_it_counts() {
    let letter = check("html-says-more.eml", "consumer@mail.example", &[]);
    assert!(letter.text.contains("Please keep bucket one.\n"));
    assert!(letter.text.contains("bucket one and bucket two."));
}

#[test]
fn forwarded_letters_count() {
    let letter = check("nested.eml", "manager@host.example", &[]);
    for words in [
        "Two letters for you.",
        "Forwarded letter from a@one.example\nSubject: keep srv-0001",
        "Please keep srv-0001.",
        "Subject: keep srv-0002",
        "Forwarded letter from c@three.example",
        "Please keep srv-0003, also Ärger.",
    ] {
        assert!(letter.text.contains(words), "{words:?} in {}", letter.text);
    }
}

#[test]
fn a_letter_cut_off_says_so() {
    let problems = ["cut off", "base64 with errors", "is not text and was not read"];
    let letter = check("truncated.eml", "registro@juzgado.example", &problems);
    assert!(letter.has_unread && letter.is_broken);
    assert!(letter.text.contains("198.51.100.23"));
    assert_eq!(letter.attachments[1].bytes, b"%PDF-1.4\n% a fo");
}

#[test]
fn bare_newlines_are_a_letter_too() {
    let letter = check("bare-newlines.eml", "old@system.example", &[]);
    assert_eq!(letter.text, "Please keep volume vol-77.");
    assert_eq!(letter.date_unix, Some(1_772_938_800));
}

#[test]
fn a_signature_says_nothing_more_but_is_kept() {
    let letter = check("signed.eml", "clerk@court.example", &[]);
    assert_eq!(letter.text, "The data of account X-9 are to be kept until further order.");
    assert_eq!(letter.attachments[0].name.as_deref(), Some("smime.p7s"));
}

#[test]
fn an_encrypted_letter_is_named() {
    let problems = ["encrypted part", "application/pgp-encrypted", "encrypted.asc"];
    let letter = check("encrypted.eml", "source@mail.example", &problems);
    assert_eq!(letter.text, "");
}

#[test]
fn a_report_is_also_a_letter_written_by_a_program() {
    let letter = check("dsn-bounce.eml", "MAILER-DAEMON@mx.example.net", &[]);
    assert!(letter.is_automatic);
    assert!(letter.text.contains("no such"), "the status is readable");
}

#[test]
fn a_forwarded_report_is_read_as_a_letter() {
    let letter = check("dsn-forwarded.eml", "manager@host.example", &[]);
    assert!(letter.text.contains("Look at this bounce.") && !letter.is_automatic);
    assert!(letter.text.contains("Subject: Notice N-204"));
}

/// Every fixture is named in these tests; the list cannot fall behind.
#[test]
fn no_fixture_is_without_a_test() {
    let tests = [include_str!("letters.rs"), include_str!("reports.rs")].concat();
    let mut found = 0;
    for file in std::fs::read_dir(fixtures()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".eml") {
            assert!(tests.contains(&format!("\"{name}\"")), "{name} is in no test");
            found += 1;
        }
    }
    assert!(found >= 18, "{found} letters");
}
