//! Rule 9 at the door: with and without a silent hold on its data, an owner gets the same bytes.
//!
//! Two houses differ in whose data a silent order is on, and in nothing else. Nothing is timed:
//! what is compared is every byte of every answer, the letters, and the sizes of what is in a
//! bundle, which is all that an answer's time could be measured by from outside but for the work
//! itself; that is the core's (`what_an_owner_can_count_is_the_same_with_a_silent_hold`).

use std::collections::BTreeMap;
use std::io::Cursor;

use bailee_core::asset::AssetKind;
use bailee_core::demand::Scope;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::{AccountId, AssetId, EntityId, MatterId, NoticeId, PartyId};
use bailee_core::party::Role;
use bailee_core::{Action, By, NewAsset, Triage};
use bailee_ledger::zip::Archive;
use bailee_server::House;
use bailee_server::api::words::TokenScope;
use bailee_server::intake::{self, Cover};
use serde_json::json;

use crate::common::{act, because, demand, drive, letter_with, on_disk, party, people, take, yes};
use crate::http::{Served, token};

/// A house of two owners, Otto's and Bea's drives, a matter over both, a silent order over one of
/// them, and a proposal to wipe each.
fn house(dir: &std::path::Path, secret: AccountId) -> (House, PartyId) {
    let house = on_disk(dir);
    let people = people(&house);
    // Whoever orders was known before the owners: its number is the smaller one.
    let authority = party(&house, "Authority", Role::Authority);
    yes(&house, people.ada, Action::RegisterEntity { name: "Host".into(), country: "NL".into() });
    for (n, name) in [(1, "Otto"), (2, "Bea")] {
        let owner = party(&house, name, Role::Owner);
        let (entity, label, law) = (EntityId(1), format!("{name} store"), "NL".into());
        let account = Action::RegisterAccount { owner, entity, label, law, retention_days: 1 };
        yes(&house, people.ada, account);
        let drive = drive(n, vec![AccountId(n)], Vec::new());
        yes(&house, people.ada, Action::RegisterAsset(drive));
    }
    for n in [1, 2] {
        let volume = NewAsset {
            kind: AssetKind::Volume,
            label: format!("volume {n}"),
            part_of: Some(AssetId(n)),
            ..drive(n, Vec::new(), Vec::new())
        };
        yes(&house, people.ada, Action::RegisterAsset(volume));
    }
    yes(&house, people.cora, Action::OpenMatter { title: "Requester against both".into() });
    let both = letter_with(1, "Keep everything of Otto store and Bea store.\r\n");
    let open = demand(take(&house, &both).unwrap()).0;
    let order = "From: authority@people.example\r\nSubject: order\r\n\r\nAs in the form.\r\n";
    let hold = house.with_state(|s| s.demands.get(open).unwrap().hold).unwrap();
    yes(&house, people.cora, Action::AllowCopy { hold, reason: because() });
    for asset in [AssetId(1), AssetId(2)] {
        copy(&house, asset);
    }
    let cover = Cover {
        instrument: Some("epoc-pr".into()),
        silent: Some(true),
        scope: Scope { accounts: vec![secret], ..Scope::default() },
        ..Cover::default()
    };
    let taken = intake::take(&house, order.as_bytes().to_vec(), cover, By::System).unwrap();
    let silent = demand(taken).0;
    assert_eq!(house.with_state(|s| s.demands.get(silent).unwrap().from).unwrap(), authority);
    for demand in [open, silent] {
        let triage = Triage::Accept(Some(MatterId(1)));
        let decide = Action::DecideDemand { demand, triage, reason: because() };
        yes(&house, people.cora, decide);
    }
    // Silent ones on a part and on a copy as well, and a copy that is taken because of them.
    for asset in [AssetId(2 + secret.0), AssetId(4 + secret.0)] {
        let scope = Scope { assets: vec![asset], ..Scope::default() };
        let (instrument, reason) = ("epoc-pr".into(), because());
        let (matter, silent) = (None, Some(true));
        yes(&house, people.cora, Action::PlaceHold { scope, instrument, matter, silent, reason });
    }
    copy(&house, AssetId(2 + secret.0));
    for asset in [AssetId(1), AssetId(2)] {
        let (kind, assets) = (DispositionKind::Sanitize, vec![asset]);
        yes(
            &house,
            people.ada,
            Action::ProposeDisposition { kind, assets, to: None, reason: because() },
        );
    }
    assert!(house.settle().is_empty());
    let otto = house.with_state(|s| s.party_at("otto@people.example")).unwrap().unwrap();
    (house, otto)
}

/// A verified copy, as the vault states it.
fn copy(house: &House, source: AssetId) {
    let (snapshot, taken) =
        house.with_state(|s| (s.snapshots.next(), s.now(house.clock().now()))).unwrap();
    let record = Action::RecordSnapshot {
        source,
        root: [snapshot.0 as u8; 32],
        vault_id: format!("v{}", snapshot.0),
        bytes: 4096,
        unreadable: 0,
        changed: 0,
        taken,
    };
    act(house, By::System, record).unwrap();
    act(house, By::System, Action::VerifySnapshot { snapshot, intact: true }).unwrap();
}

/// An answer without places in the log: the service's own clocks and post write between two
/// questions, sooner or later. The core's test counts them.
fn without_places(answer: &str) -> String {
    let mut parts = answer.split("\"position\":");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// What Otto asks for in his own name, about one thing.
fn ask(what: &str, (whose, about): (&str, &str), id: &str) -> String {
    let mut body = json!({ "do": what, "reason": { "note": "x" } });
    (body[whose], body[about]) = (json!("P-5"), json!(id));
    body.to_string()
}

/// Everything Otto gets: answers to the byte, letters, and what is in his bundle.
fn all(secret: AccountId) -> BTreeMap<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let (house, otto) = house(dir.path(), secret);
    let mut found = BTreeMap::new();
    let notices: Vec<NoticeId> = house
        .with_state(|s| s.notices.iter().filter(|(_, n)| n.to == otto).map(|(id, _)| id).collect())
        .unwrap();
    for id in notices {
        let letter = std::fs::read(dir.path().join(format!("outbox/notice-{id}-0.eml"))).unwrap();
        let letter = String::from_utf8(letter).unwrap();
        // The end of a message id is a keyed hash, and each house has its own key.
        let lines = letter.lines().map(|line| match line.split_once("<notice") {
            Some((before, after)) => format!("{before}<notice {} bytes", after.len()),
            None => line.to_owned(),
        });
        found.insert(format!("letter {id}"), lines.collect::<Vec<_>>().join("\n"));
    }
    let reader = token(&house, otto, TokenScope::Reader);
    let operator = token(&house, otto, TokenScope::Operator);
    let served = Served::start(house);
    for path in [
        "/v1/mine",
        "/v1/matters/M-2/bundle",
        "/v1/matters/M-1/bundle?for=P-4",
        "/v1/demands/D-1/receipt",
        "/v1/demands/D-2/receipt",
        "/v1/demands/D-9/receipt",
        "/v1/holds",
        "/v1/gate/A-1",
        "/v1/H-2",
    ] {
        found.insert(path.to_owned(), served.get(path, &reader).raw());
    }
    for body in [
        ask("request-access", ("owner", "asset"), "A-1"),
        ask("request-access", ("owner", "asset"), "A-2"),
        ask("request-access", ("owner", "asset"), "A-9"),
        ask("file-objection", ("by", "disposition"), "X-1"),
        ask("file-objection", ("by", "disposition"), "X-2"),
        json!({ "do": "approve-release", "hold": "H-2" }).to_string(),
    ] {
        let answer = served.post("/v1/commands", &operator, body.as_bytes());
        assert_ne!(answer.status, 400, "{}", answer.text());
        found.insert(body, without_places(&answer.raw()));
    }
    let bundle = served.get("/v1/matters/M-1/bundle", &reader);
    assert_eq!(bundle.status, 200, "{}", bundle.text());
    let mut archive = Archive::open(Cursor::new(crate::matter::dechunked(&bundle))).unwrap();
    let names: Vec<String> = archive.members().iter().map(|member| member.name.clone()).collect();
    for name in names {
        // Digests in a PDF are packed, and pack differently; a proof is as long as the tree is high
        // that happened to be signed last.
        let size = match name.ends_with(".pdf") || name.ends_with(".tlog-proof") {
            true => 0,
            false => archive.read(&name, 1 << 24).unwrap().len(),
        };
        found.insert(format!("in the bundle: {name}"), size.to_string());
    }
    found
}

#[test]
fn an_owner_gets_the_same_bytes_with_and_without_a_silent_hold() {
    let (with, without) = (all(AccountId(1)), all(AccountId(2)));
    for (what, answer) in &with {
        assert_eq!(Some(answer), without.get(what), "{what}");
    }
    assert_eq!(with.len(), without.len());
    assert!(with.len() > 40, "{:?}", with.keys());
    let mine = &with["/v1/mine"];
    for told in ["A-1", "A-3", "S-1", "H-1", "\"held\":true"] {
        assert!(mine.contains(told), "{told}: {mine}");
    }
    for silent in ["H-2", "H-3", "H-4", "S-2", "S-3"] {
        assert!(!mine.contains(silent), "{silent}: {mine}");
    }
    assert_eq!(with.keys().filter(|what| what.starts_with("letter")).count(), 1);
}

/// Over HTTP and from a file: an order in capitals is as secret as it says, and one that nobody
/// knows is secret until counsel opens it.
#[test]
fn an_order_in_another_spelling_or_of_no_known_kind_is_not_shown_to_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(&dir.path().join("house"));
    let staff = people(&house);
    crate::common::register_account(&house, &staff);
    let owner = house.with_state(|s| s.party_at("otto@people.example")).unwrap().unwrap();
    let (own, operator) =
        (token(&house, owner, TokenScope::Reader), token(&house, staff.ada, TokenScope::Operator));
    let unknown = Cover { instrument: Some("papal-bull".into()), ..Cover::default() };
    let raw = letter_with(1, "Keep otto store. Tell nobody.\r\n");
    let known = demand(intake::take(&house, raw, unknown, By::System).unwrap()).0;
    assert!(house.settle().is_empty());
    let page = dir.path().join("house/outbox/page-Y-1.eml");
    let page = bailee_post::Letter::read(&std::fs::read(page).unwrap()).text;
    for words in ["not in the catalogue", "bailee hold gag H-1 --note"] {
        assert!(page.contains(words), "{words:?} is not in {page}");
    }
    let served = Served::start(house);
    let order = [("content-type", "message/rfc822"), ("bailee-instrument", "Epoc_PR")];
    let raw = letter_with(2, "Keep otto store, too. Tell nobody.\r\n");
    let taken = served.post_with("/v1/intake", &operator, &order, &raw);
    assert_eq!(taken.status, 201, "{}", taken.text());
    let shown = served.get("/v1/D-2", &operator).json();
    assert_eq!(shown["instrument"], "epoc-pr");
    let mine = served.get("/v1/mine", &own);
    assert_eq!((mine.status, &mine.json()["holds"]), (200, &json!([])), "{}", mine.text());
    let silent = |id: &str| served.get(&format!("/v1/{id}"), &operator).json()["silent"].take();
    assert_eq!((silent("H-1"), silent("H-2"), known.0), (true.into(), true.into(), 1));
}
