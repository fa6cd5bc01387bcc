//! Tokens of real authorities over what was recorded: when, under which names, and what happens
//! with authorities that are down, broken, or lie.

use std::sync::Arc;
use std::time::Duration;

use bailee_core::party::Role;
use bailee_core::{Action, By, Time};
use bailee_ledger::hash::sha256;
use bailee_ledger::report::ClaimState;
use bailee_ledger::timestamp::{Roots, verify_series};
use bailee_server::attest::{Attested, Witnesses};
use bailee_server::house::Parts;
use bailee_server::{Clock, House, HouseError, api};
use bailee_store::{
    Fault, FaultPlan, FaultyObjects, Journal, MemoryJournal, MemoryObjects, Objects,
};

use crate::authority::{Authority, ISSUES, Issue, Key};
use crate::common::{act, demand, letter, load, parts, party, receipt_of, start, take, verified};
use crate::tsa::{Mode, Tsa};

/// Far longer than anything takes: a test that waits so long has failed.
const LONG: Duration = Duration::from_secs(120);

/// Stores that outlive a house.
#[derive(Clone)]
struct Stores {
    journal: MemoryJournal,
    objects: MemoryObjects,
}

impl Stores {
    fn new() -> Stores {
        Stores { journal: MemoryJournal::new(), objects: MemoryObjects::new() }
    }

    fn parts(&self, clock: &Clock, authorities: &[&Tsa]) -> Parts {
        let journal: Arc<dyn Journal> = Arc::new(self.journal.clone());
        let objects: Arc<dyn Objects> = Arc::new(self.objects.clone());
        let mut parts = Parts { clock: clock.clone(), ..parts(None, journal, objects) };
        parts.config.timestamp = authorities.iter().map(|tsa| tsa.section()).collect();
        parts.config.stamping.pause_s = 0;
        parts
    }

    fn house(&self, clock: &Clock, authorities: &[&Tsa]) -> House {
        let house = House::of(self.parts(clock, authorities)).unwrap();
        load(&house).unwrap();
        house
    }

    fn tokens(&self) -> Vec<String> {
        let names = self.objects.list("attested/").unwrap();
        names.into_iter().filter(|name| name.ends_with(".tsr")).collect()
    }
}

/// An authority that lives by the told clock.
fn told_tsa(clock: &Clock, signer: &'static str) -> Tsa {
    let authority = Authority::new();
    authority.issue("tsa", &Issue::default());
    let tsa = Tsa::of("tsa", authority);
    tsa.set(Mode::Told(clock.clone(), signer));
    tsa
}

/// The attested checkpoint over everything up to the letter, stamped.
fn stamped(house: &House, n: usize) -> Attested {
    let (_, position) = demand(take(house, &letter(n)).unwrap());
    assert_eq!(house.stamp(LONG), [""; 0]);
    house.attested_over(position + 1, LONG).unwrap()
}

fn hold(attested: &Attested, pem: &[u8], name: &str) -> usize {
    let stamp = attested.stamps.iter().find(|stamp| stamp.authority == name).unwrap();
    let imprint = sha256(attested.note.to_string().as_bytes());
    let roots = Roots::from_pem(pem).unwrap();
    verify_series(&stamp.tokens, &imprint, &roots, 0).unwrap().len()
}

#[test]
fn a_letter_is_stamped_by_every_authority_over_the_very_bytes_of_the_checkpoint() {
    let (one, two) = (Tsa::start("tsa-a", Key::Rsa(2048)), Tsa::start("tsa-b", Key::P256));
    let stores = Stores::new();
    let house = stores.house(&Clock::Wall, &[&one, &two]);
    let attested = stamped(&house, 1);
    for (tsa, name) in [(&one, "tsa-a"), (&two, "tsa-b")] {
        assert_eq!(hold(&attested, &tsa.authority().pem(&["root"]), name), 1);
    }
    let size = format!("{:020}", attested.size);
    for file in ["note", "tsa-a/0.tsr", "tsa-a/roots.pem", "tsa-b/0.tsr", "tsa-b/roots.pem"] {
        let name = format!("attested/{size}/{file}");
        assert!(stores.objects.get(&name).is_ok(), "{name}");
    }
    let note = stores.objects.get(&format!("attested/{size}/note")).unwrap();
    assert_eq!(note, attested.note.to_string().into_bytes());
    let (id, _) = demand(take(&house, &letter(1)).unwrap());
    let receipt = verified(&house, &receipt_of(&house, id));
    assert_eq!(receipt.claims[3].state, ClaimState::Proven, "{receipt}");
    let named: Vec<&str> = receipt.stamps.iter().map(|stamp| stamp.name.as_str()).collect();
    assert_eq!(named, ["tsa-a", "tsa-b"]);
    let report = api::check(&house, &mut |_| ()).unwrap();
    assert!(report.good && report.timestamps >= 2 && report.missing.is_empty(), "{report:?}");
}

#[test]
fn other_entries_are_stamped_within_the_hour_and_nothing_twice() {
    let clock = Clock::told(start());
    let tsa = told_tsa(&clock, "tsa");
    let house = Stores::new().house(&clock, &[&tsa]);
    assert_eq!(house.stamp(LONG), [""; 0]);
    party(&house, "Ada", Role::Staff);
    let size = house.with_state(|s| s.head).unwrap();
    house.checkpoint_over(size).unwrap();
    let asked = tsa.asked();
    assert_eq!(house.stamp(LONG), [""; 0]);
    assert!(house.timestamp_authorities()[0].stamped_to < size, "an hour is not over");
    assert_eq!(tsa.asked(), asked);
    clock.tell(clock.now().plus_seconds(3_600));
    assert_eq!(house.stamp(LONG), [""; 0]);
    assert_eq!(house.timestamp_authorities()[0].stamped_to, size);
    clock.tell(clock.now().plus_seconds(36_000));
    assert_eq!(house.stamp(LONG), [""; 0]);
    assert_eq!(tsa.asked(), asked + 1, "a log that stands still is not stamped again");
}

#[test]
fn an_authority_that_fails_is_named_and_asked_again() {
    let (good, bad) = (Tsa::start("tsa-a", Key::P256), Tsa::start("tsa-b", Key::P256));
    bad.set(Mode::Status(503));
    let house = Stores::new().house(&Clock::Wall, &[&good, &bad]);
    let (_, position) = demand(take(&house, &letter(1)).unwrap());
    let left = house.stamp(LONG);
    assert!(left.iter().any(|line| line.contains("tsa-b") && line.contains("503")), "{left:?}");
    let attested = house.attested_over(position + 1, LONG).unwrap();
    assert_eq!(attested.stamps.len(), 1, "the other one's token is not held up");
    let report = api::check(&house, &mut |_| ()).unwrap();
    assert!(report.good, "an absent token is no fault: {report:?}");
    assert!(report.missing.iter().any(|line| line.contains("tsa-b")), "{report:?}");
    let shown = api::show(&house, "timestamps").unwrap();
    assert_eq!(shown["authorities"][1]["trouble"], "answered with HTTP status 503");
    assert!(shown["missing"].to_string().contains("tsa-b has not stamped"), "{shown}");

    bad.set(Mode::Honest);
    while !house.stamp(LONG).is_empty() {
        std::thread::sleep(Duration::from_millis(50));
    }
    let attested = house.attested_over(position + 1, LONG).unwrap();
    assert_eq!(attested.stamps.len(), 2, "over the same checkpoint");
    assert!(house.timestamp_authorities()[1].failures > 0);
    let shown = api::show(&house, "timestamps?limit=1").unwrap();
    assert_eq!(shown["items"][0]["state"], "good");
    assert_eq!(shown["missing"], serde_json::json!([]));
}

#[test]
fn nothing_is_kept_that_does_not_hold() {
    let tsa = Tsa::start("tsa", Key::P256);
    let stranger = Tsa::start("tsa", Key::P256);
    let stores = Stores::new();
    let clock = Clock::told(start());
    let answer = |mode: Mode| {
        // First: a house that is opened over an entry not yet stamped asks at once.
        tsa.set(mode);
        let house = stores.house(&clock, &[&tsa]);
        take(&house, &letter(1)).unwrap();
        house.stamp(LONG).join("; ")
    };
    let expired = Authority::new();
    expired.issue("tsa", &Issue { until: "20260801000000Z", ..Issue::default() });
    for (mode, wanted) in [
        (Mode::Bytes(b"<html>captive portal</html>".to_vec()), "malformed"),
        (Mode::Bytes(vec![0x30; 10 << 20]), "more than"),
        (Mode::Bytes(Vec::new()), "malformed"),
        (Mode::Status(200), "malformed"),
        (Mode::Honest, "set the clock"),
        (Mode::Stale, "nonce"),
    ] {
        let told = answer(mode);
        assert!(told.contains(wanted), "{wanted} in {told}");
    }
    // An authority whose certificates lead to other roots than those in the settings.
    let mut parts = stores.parts(&Clock::Wall, &[&stranger]);
    parts.config.timestamp[0].roots = tsa.authority().path("root.pem");
    let house = House::of(parts).unwrap();
    let told = house.stamp(LONG).join("; ");
    assert!(told.contains("no chain of certificates"), "{told}");
    let dead = Tsa::of("tsa", expired);
    dead.set(Mode::Told(clock.clone(), "tsa"));
    let house = stores.house(&clock, &[&dead]);
    let told = house.stamp(LONG).join("; ");
    assert!(told.contains("expired at 2026-08-01T00:00:00Z"), "{told}");
    assert_eq!(stores.tokens(), [""; 0]);
}

#[test]
fn a_start_carries_on_where_a_crash_left_off() {
    let tsa = Tsa::start("tsa", Key::P256);
    let stores = Stores::new();
    let house = stores.house(&Clock::Wall, &[&tsa]);
    let attested = stamped(&house, 1);
    drop(house);
    let asked = tsa.asked();
    let house = stores.house(&Clock::Wall, &[&tsa]);
    assert_eq!(house.stamp(LONG), [""; 0]);
    assert_eq!(house.attested_at(attested.size).unwrap(), attested);
    // What the letter led to was recorded after it; only that may be asked about.
    assert!(tsa.asked() <= asked + 1);
    drop(house);

    // After the roots and before the token; after the note and before the roots.
    let dir = format!("attested/{:020}/tsa", attested.size);
    for gone in [&["0.tsr"][..], &["0.tsr", "roots.pem"]] {
        for file in gone {
            stores.objects.delete(&format!("{dir}/{file}")).unwrap();
        }
        let (asked, house) = (tsa.asked(), stores.house(&Clock::Wall, &[&tsa]));
        take(&house, &letter(2 + gone.len())).unwrap();
        assert_eq!(house.stamp(LONG), [""; 0]);
        assert!(tsa.asked() > asked);
        let newest = stores.tokens().pop().unwrap();
        let size: u64 = newest.split('/').nth(1).unwrap().parse().unwrap();
        assert_eq!(
            hold(&house.attested_at(size).unwrap(), &tsa.authority().pem(&["root"]), "tsa"),
            1
        );
    }
}

#[test]
fn a_crash_between_note_and_token_leaves_a_note_that_the_next_start_has_stamped() {
    let tsa = Tsa::start("tsa", Key::P256);
    tsa.set(Mode::Status(500));
    let stores = Stores::new();
    let house = stores.house(&Clock::Wall, &[&tsa]);
    let (_, position) = demand(take(&house, &letter(1)).unwrap());
    assert!(!house.stamp(LONG).is_empty());
    drop(house);
    assert_eq!(stores.tokens(), [""; 0]);
    tsa.set(Mode::Honest);
    let house = stores.house(&Clock::Wall, &[&tsa]);
    assert_eq!(house.stamp(LONG), [""; 0]);
    let attested = house.attested_over(position + 1, LONG).unwrap();
    assert_eq!(hold(&attested, &tsa.authority().pem(&["root"]), "tsa"), 1);
}

#[test]
fn tokens_are_renewed_before_their_certificates_end() {
    let clock = Clock::told(start());
    let authority = Authority::new();
    authority.issue("first", &Issue { until: "20261201000000Z", ..Issue::default() });
    authority.issue("second", &Issue { until: "20290101000000Z", ..Issue::default() });
    let old_root = authority.pem(&["root"]);
    let tsa = Tsa::of("tsa", authority);
    tsa.set(Mode::Told(clock.clone(), "first"));
    let stores = Stores::new();
    let mut parts = stores.parts(&clock, &[&tsa]);
    parts.config.stamping.renew_days = 30;
    let again = parts.config.clone();
    let house = House::of(parts).unwrap();
    load(&house).unwrap();
    let size = stamped(&house, 1).size;
    let tokens = |house: &House| house.attested_at(size).unwrap().stamps[0].tokens.len();
    assert_eq!(tokens(&house), 1, "three months before the end");

    clock.tell(Time::parse("2026-11-10").unwrap());
    assert_eq!(house.stamp(LONG), [""; 0]);
    let told = api::show(&house, "timestamps").unwrap()["missing"].to_string();
    assert!(told.contains("no newer one yet") && told.contains("2026-12-01"), "{told}");
    assert_eq!(tokens(&house), 1, "what lasts no longer is not kept");
    tsa.set(Mode::Told(clock.clone(), "second"));
    let asked = tsa.asked();
    assert_eq!(house.stamp(LONG), [""; 0]);
    assert_eq!(tsa.asked(), asked, "it is not asked again at once");
    clock.tell(Time::parse("2026-11-12").unwrap());
    assert_eq!(house.stamp(LONG), [""; 0]);
    assert_eq!(tokens(&house), 2);
    let told = api::show(&house, "timestamps").unwrap()["missing"].to_string();
    assert_eq!(told, "[]");
    let attested = house.attested_at(size).unwrap();
    let imprint = sha256(attested.note.to_string().as_bytes());
    let roots = Roots::from_pem(&old_root).unwrap();
    let in_2028 = 1_830_000_000;
    let series = verify_series(&attested.stamps[0].tokens, &imprint, &roots, in_2028).unwrap();
    assert_eq!(series[0].expires, 1_796_083_200);
    assert!(series[1].chain_expires > in_2028);
    drop(house);

    // The authority comes under another root; the settings follow, and so do the kept files.
    let young = Authority::new();
    young.issue("third", &Issue { until: "20350101000000Z", ..Issue::default() });
    let third = Tsa::of("tsa", young);
    third.set(Mode::Told(clock.clone(), "third"));
    clock.tell(Time::parse("2028-12-20").unwrap());
    let mut parts = stores.parts(&clock, &[&third]);
    parts.config.stamping = again.stamping;
    let house = House::of(parts).unwrap();
    assert_eq!(house.stamp(LONG), [""; 0]);
    let attested = house.attested_at(size).unwrap();
    assert_eq!(hold(&attested, &attested.stamps[0].roots, "tsa"), 3);
    assert!(stores.objects.get(&format!("attested/{size:020}/tsa/2.pem")).is_ok());
    let shown = api::show(&house, "timestamps").unwrap();
    assert_eq!(shown["items"][0]["renewals"], 2);
    assert_eq!(shown["items"][0]["until"], "2035-01-01T00:00:00Z");
}

#[test]
fn a_missing_quorum_is_waited_for_before_a_token_goes_without() {
    let clock = Clock::told(start());
    let tsa = told_tsa(&clock, "tsa");
    let witness = bailee_ledger::Signer::witness_from_seed("w.example", &[9; 32]).unwrap();
    let vkey = witness.verifier().to_vkey();
    let dir = tempfile::tempdir().unwrap();
    let policy = dir.path().join("policy");
    // Nobody listens there.
    let text = format!("witness w {vkey} http://127.0.0.1:9/\nquorum w\n");
    std::fs::write(&policy, text).unwrap();
    let stores = Stores::new();
    let with_patience = |quorum_s| {
        let mut parts = stores.parts(&clock, &[&tsa]);
        parts.config.witnesses = Some(Witnesses { policy: policy.clone(), timeout_ms: 50 });
        parts.config.stamping.quorum_s = quorum_s;
        let house = House::of(parts).unwrap();
        load(&house).unwrap();
        take(&house, &letter(1)).unwrap();
        house.stamp(LONG).join("; ")
    };
    let told = with_patience(600);
    assert!(told.contains("is not stamped by tsa yet"), "{told}");
    assert_eq!(stores.tokens(), [""; 0]);
    assert_eq!(with_patience(0), "");
    assert_eq!(stores.tokens().len(), 1);
}

#[test]
fn a_house_that_closes_waits_for_no_authority() {
    let tsa = Tsa::start("tsa", Key::P256);
    tsa.set(Mode::Silent);
    let stores = Stores::new();
    let mut parts = stores.parts(&Clock::Wall, &[&tsa]);
    parts.config.stamping.timeout_ms = 3_600_000;
    let house = House::of(parts).unwrap();
    load(&house).unwrap();
    take(&house, &letter(1)).unwrap();
    while tsa.asked() == 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    // A house that waited would be joined in an hour.
    drop(house);
    assert_eq!(stores.tokens(), [""; 0]);
}

#[test]
fn an_altered_token_is_found_by_check() {
    let tsa = Tsa::start("tsa", Key::P256);
    let stores = Stores::new();
    let house = stores.house(&Clock::Wall, &[&tsa]);
    let attested = stamped(&house, 1);
    let name = format!("attested/{:020}/tsa/0.tsr", attested.size);
    let mut token = stores.objects.get(&name).unwrap();
    let last = token.len() - 1;
    token[last] ^= 1;
    stores.objects.delete(&name).unwrap();
    stores.objects.put(&name, &token).unwrap();
    let report = api::check(&house, &mut |_| ()).unwrap();
    let found = report.findings.iter().any(|line| line.contains("timestamp of tsa over"));
    assert!(!report.good && found, "{report:?}");
    let shown = api::show(&house, "timestamps").unwrap();
    assert!(shown.to_string().contains("does not hold"), "{shown}");
}

/// Witnesses may have cosigned a long time before anybody was asked for a timestamp.
#[test]
fn a_stamped_checkpoint_is_found_behind_many_that_are_not() {
    let tsa = Tsa::start("tsa", Key::P256);
    let stores = Stores::new();
    let house = stores.house(&Clock::Wall, &[]);
    let (_, position) = demand(take(&house, &letter(0)).unwrap());
    for n in 1..50 {
        let (_, last) = demand(take(&house, &letter(n)).unwrap());
        let attested = house.attested_over(last + 1, LONG).unwrap();
        house.keep(&attested).unwrap();
    }
    drop(house);
    assert!(house_sizes(&stores) > 40);
    let house = stores.house(&Clock::Wall, &[&tsa]);
    assert_eq!(house.stamp(LONG), [""; 0]);
    let attested = house.attested_over(position + 1, LONG).unwrap();
    assert_eq!(attested.stamps.len(), 1, "{:?} {} {position}", stores.tokens(), attested.size);
    assert_eq!(hold(&attested, &tsa.authority().pem(&["root"]), "tsa"), 1);
}

fn house_sizes(stores: &Stores) -> usize {
    let names = stores.objects.list("attested/").unwrap();
    names.iter().filter(|name| name.ends_with("/note")).count()
}

#[test]
fn settings_that_cannot_work_keep_the_house_shut() {
    let tsa = Tsa::start("tsa", Key::P256);
    let mut parts = Stores::new().parts(&Clock::Wall, &[&tsa, &tsa]);
    let refused = House::of(parts).map(drop).unwrap_err();
    assert!(matches!(refused, HouseError::Config { .. }), "{refused}");
    parts = Stores::new().parts(&Clock::Wall, &[&tsa]);
    parts.config.timestamp[0].roots = tsa.authority().path("tsa.key");
    let refused = House::of(parts).map(drop).unwrap_err().to_string();
    assert!(refused.contains("self-signed"), "{refused}");
}

#[test]
fn an_intermediate_that_the_authority_does_not_send_may_stand_in_the_roots_file() {
    let authority = Authority::new();
    authority.issue("ca", &Issue { extensions: ISSUES, ..Issue::default() });
    authority.issue("tsa", &Issue { issuer: "ca", ..Issue::default() });
    let both = authority.pem(&["root", "ca"]);
    authority.write("root.pem", &both);
    let tsa = Tsa::of("tsa", authority);
    let house = Stores::new().house(&Clock::Wall, &[&tsa]);
    let attested = stamped(&house, 1);
    assert_eq!(attested.stamps[0].roots, both);
    act(&house, By::System, Action::Tick).unwrap();
    assert_eq!(hold(&attested, &both, "tsa"), 1);
}

/// Each call to the objects x {failed, failed but persisted, crash}: afterwards every token that is
/// there holds over the note that is there, and the letter is covered.
#[test]
fn whatever_the_objects_do_the_letter_is_stamped_in_the_end_and_nothing_is_replaced() {
    let tsa = Tsa::start("tsa", Key::P256);
    let pem = tsa.authority().pem(&["root"]);
    let run = |fault: Option<(u64, Fault)>| {
        let stores = Stores::new();
        let plan = fault.map_or_else(FaultPlan::new, |(call, fault)| FaultPlan::one(call, fault));
        let faulty = FaultyObjects::new(stores.objects.clone(), plan.clone());
        let mut parts = stores.parts(&Clock::Wall, &[&tsa]);
        parts.objects = Arc::new(faulty);
        let house = House::of(parts).unwrap();
        load(&house).unwrap();
        let (_, position) = demand(take(&house, &letter(1)).unwrap());
        let mut left = house.stamp(LONG);
        let house = match plan.crashed() {
            false => house,
            true => {
                drop(house);
                left = vec!["crashed".to_owned()];
                stores.house(&Clock::Wall, &[&tsa])
            }
        };
        while !left.is_empty() {
            std::thread::sleep(Duration::from_millis(20));
            left = house.stamp(LONG);
        }
        let calls = plan.calls();
        drop(house);
        let house = stores.house(&Clock::Wall, &[&tsa]);
        assert_eq!(house.stamp(LONG), [""; 0], "{fault:?}");
        let attested = house.attested_over(position + 1, LONG).unwrap();
        assert_eq!(hold(&attested, &pem, "tsa"), 1, "{fault:?}");
        let report = api::check(&house, &mut |_| ()).unwrap();
        assert!(report.good && report.timestamps > 0, "{fault:?}: {report:?}");
        calls
    };
    let calls = run(None);
    assert!(calls >= 8, "{calls}: list, note, roots and token, put and read");
    for call in 0..calls {
        for fault in [Fault::Fail, Fault::FailButPersisted, Fault::Crash] {
            run(Some((call, fault)));
        }
    }
}
