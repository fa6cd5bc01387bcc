//! Hostile and broken input: every letter is a demand, every lie is one too, nothing is lost.

use std::collections::BTreeMap;

use bailee_core::demand::Flag;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::{AccountId, DispositionId, EntityId, NoticeId};
use bailee_core::notice::Evidence;
use bailee_core::{Action, NewAsset};
use bailee_server::House;
use bailee_server::intake::{LARGEST_MESSAGE, Taken};

use crate::common::{
    because, demand, in_memory, judge, letter, next_asset, on_disk, party, people, receipt_of,
    reopened, sqlite, start, take, verified, yes,
};

/// A delivery report as RFC 3464 has it.
pub(crate) fn delivery_report(id: &str, to: &str, action: &str) -> Vec<u8> {
    let status = if action == "failed" { "5.1.1" } else { "2.0.0" };
    format!(
        "From: MAILER-DAEMON@mx.example\r\nTo: custody@log.example.org\r\nSubject: report\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; \
         boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nReport.\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
         Final-Recipient: rfc822; {to}\r\nAction: {action}\r\nStatus: {status}\r\n\r\n--b\r\n\
         Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: {id}\r\n\r\n--b--\r\n"
    )
    .into_bytes()
}

/// Letters in parts in letters, `depth` deep.
fn nested(depth: usize) -> Vec<u8> {
    let mut raw = String::from("From: deep@law.example\r\nSubject: deep\r\nMIME-Version: 1.0\r\n");
    for n in 0..depth {
        raw.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=\"b{n}\"\r\n\r\n--b{n}\r\n"
        ));
    }
    raw.push_str("Content-Type: text/plain\r\n\r\nkeep it\r\n");
    raw.into_bytes()
}

/// Nearly every order comes as an enclosure: a flag for it must not be the one for what is broken.
#[test]
fn an_enclosure_that_is_no_text_is_told_from_a_letter_that_is_broken() {
    let house = in_memory();
    let mail = |end: &str| {
        format!(
            "From: court@law.example\r\nSubject: order\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n\
             Content-Type: text/plain\r\n\r\nAs enclosed.\r\n--b\r\n\
             Content-Type: application/pdf; name=\"order.pdf\"\r\n\r\n%PDF-1.7\r\n{end}"
        )
    };
    let flags = |raw: String| {
        let id = demand(take(&house, raw.as_bytes()).unwrap()).0;
        house.with_state(|s| s.demands.get(id).unwrap().flags.clone()).unwrap()
    };
    let whole = flags(mail("--b--\r\n"));
    assert!(whole.contains(&Flag::AttachmentUnread), "{whole:?}");
    assert!(whole.contains(&Flag::ScopeUnreadable) && !whole.contains(&Flag::Damaged), "{whole:?}");
    let cut = flags(mail(""));
    assert!(cut.contains(&Flag::AttachmentUnread) && cut.contains(&Flag::Damaged), "{cut:?}");
}

#[test]
fn whatever_arrives_is_a_demand_with_its_exact_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let whole = letter(1);
    let mut letters: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0],
        vec![0xff; 4096],
        b"\r\n\r\n".to_vec(),
        b"From:\r\nSubject:\r\n\r\n".to_vec(),
        b"From: \xff\xfe <\xc0\xaf@x>\r\nSubject: \xed\xa0\x80\r\n\r\n\xf5\xf5".to_vec(),
        format!("From: {}@x.example\r\n\r\nkeep", "a".repeat(100_000)).into_bytes(),
        format!("Subject: {}\r\n\r\nkeep", "Ω".repeat(50_000)).into_bytes(),
        b"From: a@x.example\r\nContent-Type: text/plain; charset=utf-7\r\n\r\n+AGs-".to_vec(),
        nested(500),
        nested(5_000),
        vec![b'\n'; 300_000],
        (0..=255u8).cycle().take(400_000).collect(),
    ];
    letters.extend((1..whole.len()).step_by(9).map(|cut| whole[..cut].to_vec()));
    let mut acknowledged = BTreeMap::new();
    for raw in letters {
        let (_, position) = demand(take(&house, &raw).unwrap());
        acknowledged.insert(raw, position);
    }
    assert!(house.settle().is_empty());
    judge(&house, &*sqlite(dir.path()), &acknowledged);
    let at = house.clock().now();
    drop(house);
    let house = reopened(dir.path(), at).unwrap();
    judge(&house, &*sqlite(dir.path()), &acknowledged);
}

#[test]
fn a_hundred_megabytes_are_one_demand_and_one_receipt() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let mut raw = b"From: big@law.example\r\nSubject: keep all\r\n\r\nsrv\r\n".to_vec();
    raw.resize(100_000_000, b'x');
    let (id, position) = demand(take(&house, &raw).unwrap());
    let (again, same) = demand(take(&house, &raw).unwrap());
    assert_eq!((again, same), (id, position));
    assert!(house.exhibit(&bailee_store::digest(&raw)).unwrap().as_ref() == Some(&raw));
    verified(&house, &receipt_of(&house, id));
    let error = take(&house, &vec![b'x'; LARGEST_MESSAGE + 1]).unwrap_err().to_string();
    assert!(error.contains("split it"), "{error}");
}

/// A house with a notice that has left: the text of the letter in the outbox.
fn with_notice(dir: &std::path::Path) -> (House, NoticeId, String) {
    let house = on_disk(dir);
    let people = people(&house);
    let owner = party(&house, "Otto", bailee_core::party::Role::Owner);
    yes(&house, people.ada, Action::RegisterEntity { name: "Host".into(), country: "NL".into() });
    let (entity, label, law) = (EntityId(1), "Otto's".into(), "NL".into());
    let account = Action::RegisterAccount { owner, entity, label, law, retention_days: 1 };
    yes(&house, people.ada, account);
    let asset = next_asset(&house);
    let new = NewAsset {
        kind: bailee_core::asset::AssetKind::Server,
        label: "srv-1".into(),
        accounts: vec![AccountId(1)],
        identifiers: Vec::new(),
        part_of: None,
        copy_of: Vec::new(),
        place: "rack".into(),
        bytes: 1,
    };
    yes(&house, people.ada, Action::RegisterAsset(new));
    let (kind, assets, reason) = (DispositionKind::Sanitize, vec![asset], because());
    yes(&house, people.ada, Action::ProposeDisposition { kind, assets, to: None, reason });
    assert!(house.settle().is_empty());
    let notice =
        house.with_state(|s| s.dispositions.get(DispositionId(1)).unwrap().notices[0]).unwrap();
    let sent = std::fs::read_to_string(dir.join(format!("outbox/notice-{notice}-0.eml"))).unwrap();
    let id = sent.lines().find_map(|line| line.strip_prefix("Message-ID:")).unwrap();
    (house, notice, id.trim().to_owned())
}

#[test]
fn only_a_report_that_knows_the_secret_is_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let (house, notice, id) = with_notice(dir.path());
    let proven = || house.with_state(|s| s.notices.get(notice).unwrap().proven.is_some()).unwrap();
    let (key, rest) = id.split_once('.').unwrap();
    let (mac, host) = rest.split_once('@').unwrap();
    let flipped: String = mac.chars().rev().collect();
    let forged = [
        format!("{key}@{host}"),
        format!("{key}.@{host}"),
        format!("{key}.{flipped}@{host}"),
        format!("{key}.{}@{host}", "0".repeat(32)),
        id.replace("-0.", "-1."),
        id.replace(&notice.to_string(), "N-99"),
        format!("<{notice}>"),
    ];
    for wrong in forged {
        assert_ne!(wrong, id);
        let taken = take(&house, &delivery_report(&wrong, "otto@people.example", "delivered"));
        assert!(matches!(taken, Ok(Taken::Demand { .. })), "{wrong}: {taken:?}");
        assert!(!proven(), "{wrong} proved a delivery");
    }
    // Ours, relayed only: evidence, and no proof. Then delivered: proof, as often as it comes.
    let relayed = take(&house, &delivery_report(&id, "otto@people.example", "relayed")).unwrap();
    assert_eq!(relayed, Taken::Report { notice, evidence: Evidence::Relayed });
    assert!(!proven());
    for _ in 0..2 {
        let raw = delivery_report(&id, "otto@people.example", "delivered");
        let taken = take(&house, &raw).unwrap();
        assert_eq!(taken, Taken::Report { notice, evidence: Evidence::Delivered });
        assert!(proven());
    }
    // A report that says nothing readable about delivery is kept as a demand.
    let unclear = take(&house, &delivery_report(&id, "otto@people.example", "pondered")).unwrap();
    assert!(matches!(unclear, Taken::Demand { .. }), "{unclear:?}");
    judge(&house, &*sqlite(dir.path()), &BTreeMap::new());
}

#[test]
fn an_unreadable_letter_is_flagged_for_a_human() {
    let house = in_memory();
    let (id, _) = demand(take(&house, &[0xff, 0xfe, 0x00]).unwrap());
    let flags = house.with_state(|s| s.demands.get(id).unwrap().flags.clone()).unwrap();
    assert!(flags.contains(&Flag::Unmatched), "{flags:?}");
    let pages = house.with_state(|s| bailee_core::plan(s, 9)).unwrap();
    assert!(pages.iter().any(|i| matches!(i, bailee_core::Intent::PageHuman(_))), "{pages:?}");
}

#[test]
fn a_file_that_is_no_journal_is_named() {
    let dir = tempfile::tempdir().unwrap();
    drop(on_disk(dir.path()));
    std::fs::write(dir.path().join("journal.sqlite"), vec![0x5a; 8192]).unwrap();
    let error = reopened(dir.path(), start()).err().unwrap().to_string();
    assert!(error.contains("journal.sqlite"), "{error}");
    std::fs::write(dir.path().join("bailee.toml"), "origin = 7").unwrap();
    let error = reopened(dir.path(), start()).err().unwrap().to_string();
    assert!(error.contains("bailee.toml"), "{error}");
}
