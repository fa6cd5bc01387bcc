//! What was refused is in the log: who wanted what destroyed or freed, and every reason why not.

use bailee_core::disposition::DispositionKind;
use bailee_core::id::{AccountId, AssetId, ClearanceId, DispositionId, HoldId, PartyId};
use bailee_core::refused::Asked;
use bailee_core::{Action, By, Event, check};
use bailee_server::api::words::TokenScope;
use bailee_server::api::{Request, perform};
use bailee_server::{House, api};

use crate::common::{
    because, drive, letter_with, no, on_disk, people, register_account, reopened, take, yes,
};
use crate::http::{Served, token};

/// What is recorded of refusals from a position on.
fn refused(house: &House, from: u64) -> Vec<Event> {
    let entries = house.entries(from, 1000).unwrap();
    let events = entries.iter().enumerate().filter_map(|(n, entry)| {
        let sections = [0, 1, 2].map(|k: usize| entry.sections[k].as_ref().map(|s| &s.bytes[..]));
        let record = bailee_core::wire::decode(from + n as u64, sections).unwrap();
        matches!(record.fact.event, Event::RequestRefused { .. }).then_some(record.fact.event)
    });
    events.collect()
}

/// Who wanted what.
fn asked(events: &[Event]) -> Vec<(PartyId, Asked)> {
    let all = events.iter().filter_map(|event| match event {
        Event::RequestRefused { by, asked, .. } => Some((*by, *asked)),
        _ => None,
    });
    all.collect()
}

#[test]
fn what_was_refused_is_in_the_log_once_a_day_with_every_reason() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    register_account(&house, &people);
    let owner = house.with_state(|s| s.party_at("otto@people.example")).unwrap().unwrap();
    let drive = drive(1, vec![AccountId(1)], Vec::new());
    yes(&house, people.ada, Action::RegisterAsset(drive));
    take(&house, &letter_with(1, "Keep everything of otto store.\r\n")).unwrap();
    let (kind, assets) = (DispositionKind::Sanitize, vec![AssetId(1)]);
    let propose = Action::ProposeDisposition { kind, assets, to: None, reason: because() };
    yes(&house, people.ada, propose);

    let head = || house.with_state(|s| s.head).unwrap();
    let began = head();
    api::gate(&house, "A-1", api::words::Verb::LetGo).unwrap();
    assert_eq!(head(), began, "asking keeps nothing");
    let (disposition, asset, subject) = (DispositionId(1), AssetId(1), [7; 32]);
    let wipe = || Action::Reserve { disposition, asset, subject };
    for _ in 0..3 {
        assert_eq!(no(&house, people.ada, wipe()), "hold_provisional");
    }
    let first = Event::RequestRefused {
        by: people.ada,
        asked: Asked::Reserve,
        asset: Some(asset),
        disposition: Some(disposition),
        hold: None,
        codes: vec!["hold_provisional".into(), "account_active".into()],
        holds: vec![HoldId(1)],
        last: false,
        thing: None,
    };
    assert_eq!(refused(&house, began), [first], "three times, kept once");
    assert_eq!(head(), began + 1);
    // Another person, another day, another act, and one without any right: each is kept.
    assert_eq!(no(&house, people.ben, wipe()), "hold_provisional");
    house.clock().tell(house.clock().now().plus_days(1));
    assert_eq!(no(&house, people.ada, wipe()), "hold_provisional");
    assert_eq!(no(&house, owner, Action::ApproveRelease { hold: HoldId(1) }), "not_permitted");
    let kept = asked(&refused(&house, began));
    let (ada, ben) = ((people.ada, Asked::Reserve), (people.ben, Asked::Reserve));
    assert_eq!(kept, [ada, ben, ada, (owner, Asked::ApproveRelease)]);
    // The log grows alike for what is not here, if one has no right to ask.
    assert_eq!(no(&house, owner, Action::ApproveRelease { hold: HoldId(7) }), "not_permitted");
    let (size, clearance) = (head(), ClearanceId(7));
    assert_eq!(no(&house, owner, Action::Begin { clearance }), "not_permitted");
    assert_eq!(head(), size + 1);
    let gone = Action::Reserve { disposition: DispositionId(9), asset, subject };
    assert_eq!(no(&house, people.ada, gone), "not_found", "and nothing that was refused");
    assert_eq!(refused(&house, began).len(), 6);
    assert_eq!(house.with_state(check).unwrap(), []);

    let (now, before) = (house.clock().now(), house.with_state(|s| s.refusals.clone()).unwrap());
    drop(house);
    let house = reopened(dir.path(), now).unwrap();
    assert_eq!(house.with_state(|s| s.refusals.clone()).unwrap(), before);
    assert_eq!(no(&house, people.ada, wipe()), "hold_provisional");
    assert_eq!(refused(&house, began).len(), 6, "known after a start, too");
}

#[test]
fn who_is_known_and_not_let_in_is_in_the_log_and_a_stranger_only_counted() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    register_account(&house, &people);
    let owner = house.with_state(|s| s.party_at("otto@people.example")).unwrap().unwrap();
    let of_owner = token(&house, owner, TokenScope::Reader);
    let of_agent = token(&house, people.ada, TokenScope::Agent);
    let of_staff = token(&house, people.ada, TokenScope::Reader);
    let void = token(&house, people.ben, TokenScope::Operator);
    let revoke = Request::RevokeToken { token: "T-4".into() };
    perform(&house, revoke, By::Party(people.cora)).unwrap();
    let began = house.with_state(|s| s.head).unwrap();
    let served = Served::start(house);
    let unknown = "bailee_".to_owned() + &"A".repeat(43);
    for _ in 0..3 {
        // Nobody, somebody unknown, and who was known once: one answer, and no way to write.
        assert_eq!(served.get("/v1/mine", "").code(), "token_missing");
        assert_eq!(served.get("/v1/mine", &unknown).code(), "token_unknown");
        assert_eq!(served.get("/v1/mine", &void).code(), "token_unknown");
        assert_eq!(served.get("/v1/holds", &of_owner).code(), "not_permitted");
        assert_eq!(served.get("/v1/status", &of_owner).code(), "not_permitted");
        assert_eq!(served.get("/v1/mine", &of_agent).code(), "scope_missing");
    }
    let metrics = served.get("/metrics", &of_staff).text();
    for (code, count) in
        [("token_missing", 3), ("token_unknown", 6), ("scope_missing", 3), ("not_permitted", 6)]
    {
        let line = format!("bailee_http_not_admitted_total{{code=\"{code}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    served.end();
    let house = reopened(dir.path(), crate::common::start()).unwrap();
    let kept: Vec<(PartyId, Asked, String)> = refused(&house, began)
        .into_iter()
        .map(|event| match event {
            Event::RequestRefused { by, asked, codes, .. } => (by, asked, codes.join(" ")),
            other => panic!("{other:?}"),
        })
        .collect();
    let door = |by, code: &str| (by, Asked::Door, code.to_owned());
    let expected = [
        door(people.ben, "token_revoked"),
        door(owner, "not_permitted"),
        door(people.ada, "scope_missing"),
    ];
    assert_eq!(kept, expected, "three times, kept once");
    assert_eq!(house.with_state(|s| s.head).unwrap(), began + 3);
}
