//! An agent on another machine: gate, clearance, certificate; and a demand that arrives between.

use bailee_core::Action;
use bailee_core::asset::{Identifier, IdentifierKind};
use bailee_core::disposition::DispositionKind;
use bailee_core::id::{AccountId, AssetId, DispositionId};
use bailee_ledger::clearance::{self, Act, Expect, Terms};
use bailee_ledger::{Trust, Verifier, verify_bundle};
use bailee_sanitize::{
    Achieved, Certificate, Identity, IoPath, Kind, Level, Outcome, Particulars, Readback, Record,
    Spans, Verified,
};
use bailee_server::api::words::TokenScope;
use serde_json::json;

use crate::common::{
    because, drive, letter_with, make_ready, on_disk, pass_days, people, register_account, yes,
};
use crate::http::{Served, checked, token};

struct Stage {
    served: Served,
    agent: String,
    operator: String,
    clock: bailee_server::Clock,
    trust: Trust,
    key: Verifier,
    dir: tempfile::TempDir,
}

/// The drive, as it describes itself.
fn identity() -> Identity {
    Identity {
        kind: Kind::Block,
        size: 4096,
        model: Some("M 1".into()),
        serial: Some("WD-1".into()),
        wwn: None,
        uuid: None,
        backing: None,
        attachment: None,
    }
}

/// A run that wrote and read back all of it, under these terms.
pub(crate) fn record(terms: Terms, identity: Identity) -> Record {
    let whole = Spans::whole(identity.size);
    Record {
        terms,
        identity,
        requested: Level::Clear,
        achieved: Achieved::Clear,
        verified: Verified::Whole,
        outcome: Outcome::Complete,
        written: whole.clone(),
        synced: whole.clone(),
        unwritable: Spans::new(),
        readback: Some(Readback { matching: whole, ..Readback::default() }),
        lease_lost_reading: None,
        io_path: IoPath::Direct,
        seed: [7; 32],
        started: 1_800_000_000,
        finished: 1_800_000_060,
        log_sha256: [2; 32],
        host: "rack14".into(),
        agent: "another".into(),
        limits: Vec::new(),
    }
}

fn certificate(record: &Record) -> String {
    Certificate::issue(record, Particulars::default()).to_json()
}

/// A house whose drive `A-1` may be sanitized under `X-1`, served.
fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    register_account(&house, &people);
    let identity = bailee_ledger::to_hex(&identity().digest());
    let identity = Identifier { kind: IdentifierKind::Identity, value: identity };
    let drive = drive(1, vec![AccountId(1)], vec![identity]);
    yes(&house, people.ada, Action::RegisterAsset(drive));
    yes(&house, people.ada, Action::TerminateAccount { account: AccountId(1) });
    pass_days(&house, 2);
    let (assets, kind) = (vec![AssetId(1)], DispositionKind::Sanitize);
    let propose = Action::ProposeDisposition { kind, assets, to: None, reason: because() };
    yes(&house, people.ada, propose);
    make_ready(&house, &people, DispositionId(1));
    let agent = token(&house, people.ada, TokenScope::Agent);
    let operator = token(&house, people.ben, TokenScope::Operator);
    let clock = house.clock().clone();
    let trust = Trust::pinned_key(&house.log_key().unwrap().to_vkey()).unwrap();
    let key = house.keys().clearance.verifier().clone();
    Stage { served: Served::start(house), agent, operator, clock, trust, key, dir }
}

impl Stage {
    fn step(&self, path: &str, body: serde_json::Value) -> crate::http::Answered {
        self.served.post(path, &self.agent, body.to_string().as_bytes())
    }

    /// What the token says, for whoever has the key of clearances.
    fn terms(&self, token: &str) -> Terms {
        let expect = Expect { asset: 1, act: Act::Sanitize, subject: identity().digest() };
        let now = self.clock.now().unix();
        clearance::verify(token.as_bytes(), &self.key, &expect, now).unwrap().terms().clone()
    }

    fn reserve(&self) -> String {
        let subject = bailee_ledger::to_hex(&identity().digest());
        let body = json!({ "disposition": "X-1", "asset": "A-1", "subject": subject });
        let answer = self.step("/v1/clearances", body);
        assert_eq!((answer.status, answer.header("location")), (201, "/v1/clearances/c-1"));
        answer.json()["token"].as_str().unwrap().to_owned()
    }
}

#[test]
fn from_the_gate_to_the_certificate() {
    let stage = stage();
    let gate = stage.served.get("/v1/gate/A-1", &stage.agent);
    assert_eq!((gate.status, gate.json()["clear"].as_bool()), (200, Some(true)), "{}", gate.text());
    let signed = stage.reserve();
    let again = stage.served.get("/v1/clearances/C-1/token", &stage.agent).json();
    assert_eq!(again["token"].as_str(), Some(signed.as_str()));
    let blocked = stage.served.get("/v1/gate/A-1?verb=transfer", &stage.agent).json();
    assert_eq!(blocked["reasons"][0]["code"], "clearance_outstanding");

    let early = stage.step("/v1/clearances/C-1/renew", json!({}));
    assert_eq!((early.status, early.code().as_str()), (409, "clearance_not_begun"));
    let forged = signed.replace("A-1", "A-2").replacen("asset 1", "asset 2", 1) + " ";
    let forged = stage.step("/v1/clearances/C-1/begin", json!({ "token": forged }));
    assert_eq!((forged.status, forged.code().as_str()), (403, "token_refused"));
    let begun = stage.step("/v1/clearances/C-1/begin", json!({ "token": signed }));
    assert_eq!((begun.status, begun.json()["lease_seconds"].as_u64()), (200, Some(60)));
    let twice = stage.step("/v1/clearances/C-1/begin", json!({ "token": signed }));
    assert_eq!((twice.status, twice.code().as_str()), (409, "clearance_used"));
    assert_eq!(stage.step("/v1/clearances/C-1/renew", json!({})).status, 200);

    let missing = stage.served.get("/v1/clearances/C-1/certificate", &stage.agent);
    assert_eq!((missing.status, missing.code().as_str()), (409, "no_certificate"));
    let text = certificate(&record(stage.terms(&signed), identity()));
    let unverified = json!({ "verified": false, "certificate": text });
    let unverified = stage.step("/v1/clearances/C-1/finish", unverified);
    assert_eq!((unverified.status, unverified.code().as_str()), (422, "not_verified"));
    let done =
        stage.step("/v1/clearances/C-1/finish", json!({ "verified": true, "certificate": text }));
    assert_eq!(done.status, 200, "{}", done.text());

    let bundle = stage.served.get("/v1/clearances/C-1/certificate", &stage.agent);
    assert_eq!(bundle.status, 200);
    let report = verify_bundle(std::io::Cursor::new(&bundle.body), &stage.trust).unwrap();
    assert!(!report.failed(), "{report}");
    let held = bundle.body.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(held, "the certificate's exact bytes are not in the bundle");
    let asset = stage.served.get("/v1/A-1", &stage.operator).json();
    let fate = &asset["fate"];
    assert_eq!((&fate["is"], &fate["under"]), (&json!("destroyed"), &json!("C-1")), "{fate}");
    assert!(fate["at"].is_string(), "{fate}");
    stage.served.end();
    checked(stage.dir.path(), stage.clock);
}

#[test]
fn only_the_certificate_of_this_very_run_makes_a_device_destroyed() {
    let stage = stage();
    let signed = stage.reserve();
    let terms = stage.terms(&signed);
    let begun = stage.step("/v1/clearances/C-1/begin", json!({ "token": signed }));
    assert_eq!(begun.status, 200);
    let good = record(terms.clone(), identity());
    let finish = |text: &str| {
        stage.step("/v1/clearances/C-1/finish", json!({ "verified": true, "certificate": text }))
    };
    for text in ["", "nonsense"] {
        let said = finish(text);
        assert_eq!((said.status, said.code().as_str()), (400, "bad_request"), "{text}");
    }
    for text in ["{\"serial\": \"WD-1\",  \"passes\": 1}\n", "{}", "null"] {
        let said = finish(text);
        assert_eq!((said.status, said.code().as_str()), (422, "bad_certificate"), "{text}");
    }
    let other = |change: &dyn Fn(&mut Record)| {
        let mut other = good.clone();
        change(&mut other);
        certificate(&other)
    };
    let others = [
        other(&|r| r.terms.origin = "log.example.com/other".into()),
        other(&|r| r.terms.clearance = 2),
        other(&|r| r.terms.disposition = 2),
        other(&|r| r.terms.asset = 2),
        other(&|r| r.terms.position += 1),
        other(&|r| r.identity.serial = Some("WD-2".into())),
        certificate(&good).replace("\"serial\": \"WD-1\"", "\"serial\": \"WD-2\""),
        other(&|r| r.written = Spans::new()),
    ];
    for text in others {
        let said = finish(&text);
        assert_eq!((said.status, said.code().as_str()), (422, "wrong_certificate"), "{text}");
    }
    let fewer = [
        other(&|r| r.verified = Verified::NotDone),
        other(&|r| r.verified = Verified::Failed),
        other(&|r| r.achieved = Achieved::Nothing),
        other(&|r| r.outcome = Outcome::Incomplete),
    ];
    for text in fewer {
        let said = finish(&text);
        assert_eq!((said.status, said.code().as_str()), (422, "not_verified"), "{text}");
    }
    let asset = stage.served.get("/v1/A-1", &stage.operator).json();
    assert_ne!(asset["fate"]["is"], "destroyed");

    // Heard once, told twice: recorded once, and answered alike.
    let text = certificate(&good);
    let (first, again) = (finish(&text), finish(&text));
    assert_eq!((first.status, again.status), (200, 200), "{} {}", first.text(), again.text());
    assert_eq!(first.json()["entries"], again.json()["entries"]);
    let another = finish(&other(&|r| r.host = "rack15".into()));
    assert_eq!((another.status, another.code().as_str()), (409, "clearance_used"));
    stage.served.end();
    checked(stage.dir.path(), stage.clock);
}

#[test]
fn a_demand_that_arrives_between_stops_the_agent() {
    let stage = stage();
    let signed = stage.reserve();
    let terms = stage.terms(&signed);
    let begun = stage.step("/v1/clearances/C-1/begin", json!({ "token": signed }));
    assert_eq!(begun.status, 200);
    let letter = letter_with(1, "Keep everything of account otto store.\r\n");
    assert_eq!(stage.served.post("/v1/intake", &stage.operator, &letter).status, 201);
    let renewed = stage.step("/v1/clearances/C-1/renew", json!({}));
    assert_eq!((renewed.status, renewed.code().as_str()), (409, "clearance_revoked"));
    let mut stopped = record(terms, identity());
    stopped.outcome = Outcome::Incomplete;
    let run = certificate(&stopped);
    let abort = json!({ "gone": 512, "note": "told to", "record": run });
    let aborted = stage.step("/v1/clearances/C-1/abort", abort);
    assert_eq!(aborted.status, 200, "{}", aborted.text());
    let asset = stage.served.get("/v1/A-1", &stage.operator).json();
    assert_eq!(
        (asset["fate"]["is"].as_str(), asset["clearance"].as_str()),
        (Some("partial"), None)
    );
    let gate = stage.served.get("/v1/gate/A-1", &stage.agent).json();
    assert_eq!(
        (gate["clear"].as_bool(), gate["reasons"][0]["code"].as_str()),
        (Some(false), Some("hold_provisional"))
    );
    let digest = bailee_ledger::to_hex(&bailee_store::digest(&letter));
    assert_eq!(gate["reasons"][0]["rests_on"], json!([digest]));
    stage.served.end();
    checked(stage.dir.path(), stage.clock);
}
