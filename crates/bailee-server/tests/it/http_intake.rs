//! Letters over HTTP: receipts that verify, repeats, many at once, silence.

use std::collections::BTreeSet;
use std::io::Cursor;

use bailee_core::id::DemandId;
use bailee_core::party::Role;
use bailee_core::{Action, By};
use bailee_ledger::{Trust, verify_bundle};
use bailee_server::api::words::TokenScope;

use crate::common::{act, letter, letter_with, on_disk, party, people, register_account};
use crate::http::{Served, checked, token};

#[test]
fn a_letter_is_answered_with_a_receipt_that_a_stranger_can_verify() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let (sender, clock) = (party(&house, "Rae", Role::Requester), house.clock().clone());
    let (intake, staff) = (token(&house, sender, TokenScope::Intake), people(&house).ada);
    let operator = token(&house, staff, TokenScope::Operator);
    let trust = Trust::pinned_key(&house.log_key().unwrap().to_vkey()).unwrap();
    let served = Served::start(house);

    let first = served.post("/v1/intake", &intake, &letter(1));
    assert_eq!((first.status, first.header("location")), (201, "/v1/demands/d-1"));
    let told = first.json();
    assert_eq!((told["taken"].as_str(), told["demand"].as_str()), (Some("demand"), Some("D-1")));
    assert_eq!(told["again"], false);

    let zip = [("accept", "application/zip")];
    let again = served.post_with("/v1/intake", &intake, &zip, &letter(1));
    assert_eq!((again.status, again.header("content-type")), (200, "application/zip"));
    assert_eq!(again.header("bailee-demand"), "d-1");
    let report = verify_bundle(Cursor::new(&again.body), &trust).unwrap();
    assert!(!report.failed(), "{report}");
    assert_eq!(report.exhibits, [bailee_store::digest(&letter(1))]);

    let fetched = served.get("/v1/demands/D-1/receipt", &operator);
    assert_eq!(fetched.status, 200);
    assert!(!verify_bundle(Cursor::new(&fetched.body), &trust).unwrap().failed());
    let report = verify_bundle(Cursor::new(&again.body[..again.body.len() - 1]), &trust);
    assert!(report.is_err(), "a cut receipt verifies");

    let empty = served.post("/v1/intake", &intake, b"");
    assert_eq!((empty.status, empty.code().as_str()), (400, "bad_request"));
    served.end();
    let house = checked(dir.path(), clock);
    assert_eq!(house.with_state(|s| s.demands.len()).unwrap(), 1);
    assert!(house.with_state(|s| s.demands.get(DemandId(1)).unwrap().receipted).unwrap());
}

/// The client hands a letter in, and again for its receipt: that must be one demand.
#[test]
fn what_cannot_be_read_at_all_is_one_demand_when_it_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let staff = people(&house).ada;
    let operator = token(&house, staff, TokenScope::Operator);
    let served = Served::start(house);
    let scan = b"%PDF-1.7 a scan of a letter, handed in as if it were mail";
    let media = [("content-type", "message/rfc822")];
    let first = served.post_with("/v1/intake", &operator, &media, scan);
    assert_eq!((first.status, first.json()["demand"].as_str()), (201, Some("D-1")));
    let zip = [media[0], ("accept", "application/zip")];
    let again = served.post_with("/v1/intake", &operator, &zip, scan);
    assert_eq!((again.status, again.header("bailee-demand")), (200, "d-1"), "{}", again.text());
    let other = served.post_with("/v1/intake", &operator, &media, b"%PDF-1.7 another one");
    assert_eq!((other.status, other.json()["demand"].as_str()), (201, Some("D-2")));
}

#[test]
fn sixty_four_senders_at_once_each_get_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let (sender, clock) = (party(&house, "Rae", Role::Requester), house.clock().clone());
    let intake = token(&house, sender, TokenScope::Intake);
    let served = Served::start(house);
    let told: Vec<(String, u64)> = std::thread::scope(|scope| {
        let send = |n: usize| {
            let (served, intake) = (&served, &intake);
            scope.spawn(move || {
                let answer = served.post("/v1/intake", intake, &letter(n));
                assert_eq!(answer.status, 201, "{}", answer.text());
                let told = answer.json();
                (told["demand"].as_str().unwrap().to_owned(), told["position"].as_u64().unwrap())
            })
        };
        let senders: Vec<_> = (0..64).map(send).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    let demands: BTreeSet<&String> = told.iter().map(|(demand, _)| demand).collect();
    let positions: BTreeSet<u64> = told.iter().map(|(_, position)| *position).collect();
    assert_eq!((demands.len(), positions.len()), (64, 64));
    served.end();
    let house = checked(dir.path(), clock);
    for (demand, position) in &told {
        let id: DemandId = demand.parse().unwrap();
        assert_eq!(house.with_state(|s| s.demands.get(id).unwrap().position).unwrap(), *position);
    }
}

#[test]
fn a_form_names_what_the_document_cannot_say() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    register_account(&house, &people);
    let operator = token(&house, people.ada, TokenScope::Operator);
    let served = Served::start(house);
    let form = [("content-type", "application/pdf")];
    let post = |query: &str| {
        served.post_with(&format!("/v1/intake?{query}"), &operator, &form, b"%PDF-1.7 a form")
    };
    for (wrong, field) in [
        ("account=otto", "account"),
        ("asset=AC-1", "asset"),
        ("from=yesterday", "from"),
        ("to=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z", "to"),
        ("acount=AC-1", "acount"),
        ("account=AC-1&silnt=true", "silnt"),
        ("account=AC-1&silent", "silent"),
        ("account=AC-1&silent=true&silent=false", "silent"),
    ] {
        let refused = post(wrong);
        assert_eq!((refused.status, refused.code().as_str()), (400, "bad_request"), "{wrong}");
        assert!(refused.json()["about"].as_str().unwrap().contains(field), "{}", refused.text());
    }
    let misspelt = [("content-type", "application/pdf"), ("bailee-silnt", "true")];
    let refused = served.post_with("/v1/intake?account=AC-1", &operator, &misspelt, b"%PDF-1.7");
    assert_eq!((refused.status, refused.code().as_str()), (400, "bad_request"));
    assert_eq!(refused.json()["about"], "bailee-silnt", "{}", refused.text());
    assert_eq!(served.get("/v1/demands", &operator).json()["items"], serde_json::json!([]));
    let elsewhere = served.get("/v1/matters/M-1/bundle?fro=P-1", &operator);
    assert_eq!((elsewhere.status, elsewhere.code().as_str()), (400, "bad_request"));
    let said = "account=AC-1&identifier=WD%2077-A&identifier=naa.5000c5&category=photos&\
                category=mail%26chat&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z";
    assert_eq!(post(said).status, 201);
    let hold = &served.get("/v1/holds", &operator).json()["items"][0];
    let scope = &hold["scope"];
    assert_eq!(scope["accounts"], serde_json::json!(["AC-1"]), "{hold}");
    assert_eq!(scope["identifiers"].as_array().unwrap().len(), 2, "{hold}");
    assert_eq!(scope["categories"], serde_json::json!(["photos", "mail&chat"]), "{hold}");
    assert!(scope["from"].as_str().unwrap().starts_with("2026-01-01"), "{hold}");
    assert!(scope["to"].as_str().unwrap().starts_with("2026-02-01"), "{hold}");
}

#[test]
fn an_owner_sees_an_open_hold_and_no_trace_of_a_silent_one() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let staff = people(&house).ada;
    let owner = party(&house, "Otto", Role::Owner);
    let entity = Action::RegisterEntity { name: "Host".into(), country: "NL".into() };
    act(&house, By::Party(staff), entity).unwrap();
    let account = Action::RegisterAccount {
        owner,
        entity: bailee_core::id::EntityId(1),
        label: "otto store".into(),
        law: "NL".into(),
        retention_days: 1,
    };
    act(&house, By::Party(staff), account).unwrap();
    let operator = token(&house, staff, TokenScope::Operator);
    let own = token(&house, owner, TokenScope::Reader);
    let served = Served::start(house);
    let before = served.get("/v1/mine", &own);
    assert_eq!((before.status, before.json()["accounts"][0].as_str()), (200, Some("AC-1")));

    let silent = letter_with(1, "Keep everything of account otto store.\r\n");
    let path = "/v1/intake?instrument=epoc-pr&silent=true";
    assert_eq!(served.post(path, &operator, &silent).status, 201);
    let by_word =
        served.post("/v1/intake?medium=pigeon", &operator, &letter_with(2, "Keep it.\r\n"));
    assert_eq!((by_word.status, by_word.code().as_str()), (400, "bad_request"));
    let holds = served.get("/v1/holds", &operator).json();
    assert_eq!((holds["items"][0]["silent"].as_bool(), holds["next"].as_str()), (Some(true), None));
    assert_eq!(holds["items"][0]["scope"]["accounts"][0], "AC-1");
    assert_eq!(served.get("/v1/mine", &own).body, before.body, "the silent hold shows");
    for path in ["/v1/holds", "/v1/H-1", "/v1/demands", "/v1/status", "/metrics"] {
        assert_eq!(served.get(path, &own).code(), "not_permitted", "{path}");
    }
    assert_eq!(served.get("/v1/demands/D-1/receipt", &own).code(), "not_found");

    let open = letter_with(2, "Keep everything of account otto store.\r\n");
    assert_eq!(served.post("/v1/intake", &operator, &open).status, 201);
    let after = served.get("/v1/mine", &own).json();
    assert_eq!(after["holds"].as_array().unwrap().len(), 1, "{after}");
}
