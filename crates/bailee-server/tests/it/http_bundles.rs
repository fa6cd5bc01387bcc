//! How many bundles somebody may ask for: a limit with a name, for a person and not for a login.

use bailee_core::party::{Channel, ChannelKind, Role, Who};
use bailee_core::{Action, By};
use bailee_server::api::words::TokenScope;
use bailee_server::{Clock, Config, House};

use crate::common::{ORIGIN, act, letter, letter_with, on_disk, party, people, start, take};
use crate::http::{Served, token};

/// A house whose parties may have so many bundles an hour.
fn with_limit(dir: &std::path::Path, text: &str) -> House {
    drop(on_disk(dir));
    let path = dir.join("bailee.toml");
    let settings = std::fs::read_to_string(&path).unwrap() + text;
    std::fs::write(&path, settings).unwrap();
    House::open(dir, Clock::told(start())).unwrap()
}

#[test]
fn a_person_has_so_many_bundles_an_hour_and_is_told_when_to_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let house = with_limit(dir.path(), "\n[bundles]\nper_hour = 3\nat_once = 1\n");
    let staff = people(&house).ada;
    take(&house, &letter(1)).unwrap();
    take(&house, &letter_with(2, "Keep the other one.\r\n")).unwrap();
    let sender = |n| house.with_state(|s| s.party_at(&format!("requester-{n}@law.example")));
    let (one, two) = (sender(1).unwrap().unwrap(), sender(2).unwrap().unwrap());
    let alias = house.with_state(|s| s.parties.next()).unwrap();
    let address = "requester-1@home.example".to_owned();
    let channels = vec![Channel { kind: ChannelKind::Email, address }];
    let who = Who { name: "Requester 1".into(), channels };
    let roles = vec![Role::Requester];
    let second = Action::RegisterParty { who, roles, same_person_as: Some(one) };
    act(&house, By::System, second).unwrap();
    let of = |party| token(&house, party, TokenScope::Reader);
    let (first, again, other, of_staff) = (of(one), of(alias), of(two), of(staff));
    let clock = house.clock().clone();
    let served = Served::start(house);
    let receipt = |token: &str| served.get("/v1/demands/D-1/receipt", token);

    assert_eq!(receipt(&first).status, 200);
    clock.tell(start().plus_seconds(600));
    // That nothing is there for whoever asks counts like anything else, and says nothing.
    assert_eq!(served.get("/v1/matters/M-9/bundle", &first).code(), "nothing_to_see");
    assert_eq!(receipt(&again).status, 200, "the other login of the same person");
    for token in [&first, &again] {
        let no = receipt(token);
        assert_eq!((no.status, no.code().as_str()), (429, "too_many_bundles"));
        assert_eq!(no.header("retry-after"), "3000");
        assert!(no.text().contains("3 bundles within an hour"), "{}", no.text());
        assert!(no.text().contains("come again in 3000 seconds"), "{}", no.text());
        let no = served.get("/v1/matters/M-9/bundle", token);
        assert_eq!((no.status, no.code().as_str()), (429, "too_many_bundles"));
    }
    // Another person, the house, and what is no bundle are not touched by it.
    assert_eq!(served.get("/v1/demands/D-2/receipt", &other).status, 200);
    for _ in 0..5 {
        assert_eq!(receipt(&of_staff).status, 200);
    }
    assert_eq!(served.get("/v1/mine", &first).status, 200);
    clock.tell(start().plus_seconds(3_600));
    assert_eq!(receipt(&first).status, 200, "who was refused has lost nothing");
    assert_eq!(receipt(&first).code(), "too_many_bundles");
}

#[test]
fn a_letter_sent_again_is_never_refused_and_brings_no_more_receipts_than_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let house = with_limit(dir.path(), "\n[bundles]\nper_hour = 2\n");
    people(&house);
    let sender = party(&house, "Rae", Role::Requester);
    let intake = token(&house, sender, TokenScope::Intake);
    let served = Served::start(house);
    let accept = [("accept", "application/zip"), ("content-type", "message/rfc822")];
    let send = || served.post_with("/v1/intake", &intake, &accept, &letter(1));
    let answers: Vec<_> = (0..4).map(|_| send()).collect();
    let told = answers.iter().map(|answer| (answer.status, answer.header("content-type")));
    let (zip, json) = ("application/zip", "application/json");
    assert_eq!(told.collect::<Vec<_>>(), [(201, zip), (200, zip), (200, zip), (200, json)]);
    assert_eq!(answers[3].json()["demand"], "D-1");
    assert_eq!(answers[3].header("location"), "/v1/demands/d-1");
    // A new one has its receipt whatever was before.
    let new = served.post_with("/v1/intake", &intake, &accept, &letter(2));
    assert_eq!((new.status, new.header("content-type")), (201, zip));
}

#[test]
fn limits_that_let_nobody_through_are_refused_by_name() {
    for text in ["[bundles]\nper_hour = 0\n", "[bundles]\nat_once = 0\n"] {
        let wrong = Config::for_origin(ORIGIN).to_text() + "\n" + text;
        let error = Config::parse(&wrong).unwrap_err();
        assert!(error.contains("[bundles]"), "{error}");
    }
    let mut config = Config::for_origin(ORIGIN);
    assert!(!config.to_text().contains("[bundles]"), "the usual is not written");
    config.bundles.per_hour = 7;
    assert_eq!(Config::parse(&config.to_text()).unwrap(), config);
}
