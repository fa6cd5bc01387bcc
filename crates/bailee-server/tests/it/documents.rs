//! Large documents: streamed in ahead of the entry that names them, through faults, erasure, sweep,
//! check and bundle.
//!
//! | arrow                     | call that fails | leaves |
//! |---------------------------|-----------------|--------|
//! | bytes -> object           | `put_stream`    | nothing, or an object that nobody names |
//! | object -> look            | `size`          | the same |
//! | look -> entry             | `append`        | the same, or the entry with its document |
//! | sweep                     | `list`, `delete` | what is left for the next sweep |

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use bailee_core::id::{MatterId, PartyId};
use bailee_core::party::Role;
use bailee_core::{Action, By};
use bailee_server::api::parts::{Reason, Upload};
use bailee_server::api::words::TokenScope;
use bailee_server::api::{Problem, Request, perform};
use bailee_server::documents::{self, DocumentError};
use bailee_server::{Clock, House, matter};
use bailee_store::{Fault, FaultPlan, FaultyJournal, FaultyObjects, MemoryJournal, MemoryObjects};
use bailee_store::{Objects, digest};
use bailee_vault::Sweep;
use serde_json::json;

use crate::common::{act, judge, load, on_disk, parts, party, people, verified};
use crate::http::{Served, checked, head, token};

const WORDS: &str = "xylographic-quokka";

/// A document larger than what rides in a commit, that tells itself apart.
fn document(n: usize) -> Vec<u8> {
    format!("{n} {WORDS} and more of it. ").into_bytes().repeat(20_000)
}

fn name(bytes: &[u8]) -> String {
    let hex = bailee_ledger::to_hex(&digest(bytes));
    format!("exhibits/{}/{hex}", &hex[..2])
}

/// A letter of the sender, filed in M-1, with a document that was handed in.
fn filing(sender: PartyId, bytes: &[u8]) -> Request {
    let upload = Upload::handed_in("scan.tif", "image/tiff", &digest(bytes), bytes.len() as u64);
    let reason = Reason { note: String::new(), exhibits: vec![upload] };
    let (matter, from) = ("M-1".to_owned(), sender.to_string());
    Request::FileCorrespondence { matter, from, reason }
}

/// A matter M-1 and a sender in it.
fn furnished(house: &House) -> (PartyId, PartyId) {
    let ada = people(house).ada;
    let sender = party(house, "Zebediah", Role::Requester);
    let open = Action::OpenMatter { title: "Z v. Host".into() };
    act(house, By::Party(ada), open).unwrap();
    (ada, sender)
}

fn hand_in(house: &House, by: PartyId, bytes: &[u8]) -> Result<u64, DocumentError> {
    documents::hand_in(house, by, &digest(bytes), &mut &*bytes)
}

fn filed(house: &House) -> usize {
    house.with_state(|s| s.matters.get(MatterId(1)).unwrap().correspondence.len()).unwrap()
}

fn code<T: std::fmt::Debug>(answer: Result<T, Problem>) -> String {
    answer.unwrap_err().code
}

#[test]
fn a_document_is_named_only_by_who_handed_it_in_and_only_as_what_it_is() {
    let objects = Arc::new(MemoryObjects::new());
    let house = House::of(parts(None, Arc::new(MemoryJournal::new()), objects.clone())).unwrap();
    load(&house).unwrap();
    let (ada, sender) = furnished(&house);
    let ben = house.with_state(|s| s.parties.iter().nth(1).unwrap().0).unwrap();
    let bytes = document(1);
    let file = |by: PartyId, request: Request| perform(&house, request, By::Party(by));
    assert_eq!(code(file(ada, filing(sender, &bytes))), "document_missing");
    assert_eq!(hand_in(&house, ada, &bytes).unwrap(), bytes.len() as u64);
    assert_eq!(code(file(ben, filing(sender, &bytes))), "document_missing", "it is not his");
    let mut short = filing(sender, &bytes);
    if let Request::FileCorrespondence { reason, .. } = &mut short {
        reason.exhibits[0].size = Some(7);
    }
    assert_eq!(code(file(ada, short)), "document_missing");
    let mut both = filing(sender, &bytes);
    if let Request::FileCorrespondence { reason, .. } = &mut both {
        reason.exhibits[0].base64 = Some("aGk=".into());
    }
    assert_eq!(code(file(ada, both)), "bad_request");
    assert_eq!(filed(&house), 0);
    file(ada, filing(sender, &bytes)).unwrap();
    assert_eq!((filed(&house), house.exhibit(&digest(&bytes)).unwrap()), (1, Some(bytes.clone())));
    // A day later it would have to be handed in again, which reads it again.
    house.clock().tell(house.clock().now().plus_days(2));
    assert_eq!(code(file(ada, filing(sender, &bytes))), "document_missing");
    assert_eq!(hand_in(&house, ada, &bytes).unwrap(), bytes.len() as u64);
    file(ada, filing(sender, &bytes)).unwrap();
}

/// A reader that breaks off.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.0.read(room)? {
            0 => Err(io::Error::other("the line was cut")),
            n => Ok(n),
        }
    }
}

#[test]
fn what_is_another_document_or_breaks_off_or_is_too_large_leaves_nothing() {
    let objects = Arc::new(MemoryObjects::new());
    let mut parts = parts(None, Arc::new(MemoryJournal::new()), objects.clone());
    parts.config.documents.largest_bytes = 600_000;
    let house = House::of(parts).unwrap();
    load(&house).unwrap();
    let (ada, sender) = furnished(&house);
    let bytes = document(1);
    assert!(bytes.len() > 600_000);
    let other = documents::hand_in(&house, ada, &digest(&bytes), &mut &bytes[..9_000]);
    assert!(matches!(other, Err(DocumentError::Other(_))), "{other:?}");
    let cut = documents::hand_in(&house, ada, &digest(&bytes), &mut Broken(&bytes[..9_000]));
    assert!(matches!(cut, Err(DocumentError::Unread(_))), "{cut:?}");
    let large = hand_in(&house, ada, &bytes);
    assert!(matches!(large, Err(DocumentError::TooLarge(600_000))), "{large:?}");
    assert_eq!(objects.list("exhibits/").unwrap(), Vec::<String>::new());
    let refused = perform(&house, filing(sender, &bytes), By::Party(ada));
    assert_eq!(code(refused), "document_missing");
    // One that is there already has to be shown whole all the same.
    let small = document(2)[..300_000].to_vec();
    hand_in(&house, ada, &small).unwrap();
    let lie = documents::hand_in(&house, PartyId(2), &digest(&small), &mut &small[1..]);
    assert!(matches!(lie, Err(DocumentError::Other(_))), "{lie:?}");
    assert_eq!(objects.list("exhibits/").unwrap(), [name(&small)]);
}

/// Bytes that, before they come to their end, are named by a command.
struct Named<'a> {
    bytes: &'a [u8],
    name: &'a mut dyn FnMut(),
}

impl Read for Named<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        (self.name)();
        self.bytes.read(room)
    }
}

#[test]
fn a_document_of_somebody_else_is_not_named_by_who_only_began_to_hand_it_in() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let (ada, sender) = furnished(&house);
    let (bytes, other) = (document(1), PartyId(2));
    // Ben's paper lies there; Ada has read its digest, and has not a byte of it.
    hand_in(&house, other, &bytes).unwrap();
    let mut answers = Vec::new();
    let mut name = || {
        let named = perform(&house, filing(sender, &bytes), By::Party(ada));
        answers.push(code(named.map(drop)));
    };
    let mut coming = Named { bytes: &[], name: &mut name };
    let refused = documents::hand_in(&house, ada, &digest(&bytes), &mut coming);
    assert!(matches!(refused, Err(DocumentError::Other(_))), "{refused:?}");
    assert_eq!(answers, ["document_missing"]);
    assert_eq!(filed(&house), 0);
    // Whoever has it whole keeps it, whatever becomes of the next attempt.
    hand_in(&house, ada, &bytes).unwrap();
    let again = documents::hand_in(&house, ada, &digest(&bytes), &mut Broken(&bytes[..9_000]));
    assert!(again.is_err());
    perform(&house, filing(sender, &bytes), By::Party(ada)).unwrap();
    assert_eq!(filed(&house), 1);
}

#[test]
fn every_arrow_with_every_fault_names_only_what_is_there() {
    // Calls of the objects (hand in: 0, look: 1) and of the journal (append: 0).
    let cells = [("objects", 0), ("objects", 1), ("journal", 0)];
    for fault in [Fault::Fail, Fault::FailButPersisted, Fault::Crash] {
        for (store, nth) in cells {
            let what = format!("{store} {nth} {fault:?}");
            let (journal, objects) = (Arc::new(MemoryJournal::new()), MemoryObjects::new());
            let (of_objects, of_journal) = (FaultPlan::new(), FaultPlan::new());
            let faulty = Arc::new(FaultyObjects::new(objects.clone(), of_objects.clone()));
            let logged = Arc::new(FaultyJournal::new((*journal).clone(), of_journal.clone()));
            let house = House::of(parts(None, logged, faulty)).unwrap();
            load(&house).unwrap();
            let (ada, sender) = furnished(&house);
            let head = house.with_state(|s| s.head).unwrap();
            house.checkpoint_over(head).unwrap();
            let bytes = document(1);
            let plan = if store == "objects" { &of_objects } else { &of_journal };
            if store == "objects" && nth == 0 {
                plan.next(fault);
            }
            let taken = hand_in(&house, ada, &bytes);
            assert_eq!(taken.is_err(), (store, nth) == ("objects", 0), "{what}: {taken:?}");
            if (store, nth) != ("objects", 0) {
                plan.next(fault);
            }
            let first = perform(&house, filing(sender, &bytes), By::Party(ada));
            assert!(first.is_err(), "{what}: {first:?}");
            drop(house);
            // Another process: what is named is there, and it can be handed in and named again.
            let objects = Arc::new(objects);
            let house = House::of(parts(None, journal.clone(), objects.clone())).unwrap();
            let there = objects.list("exhibits/").unwrap().len();
            assert!(filed(&house) <= there, "{what}: an entry names what is not there");
            let unnamed = documents::sweep(&house, Sweep::Rehearse).unwrap();
            assert_eq!(unnamed as usize, there - filed(&house), "{what}");
            assert_eq!(documents::sweep(&house, Sweep::Now).unwrap(), unnamed, "{what}");
            assert_eq!(objects.list("exhibits/").unwrap().len(), filed(&house), "{what}");
            hand_in(&house, ada, &bytes).unwrap();
            perform(&house, filing(sender, &bytes), By::Party(ada)).unwrap();
            let report = bailee_server::api::check(&house, &mut |_| ()).unwrap();
            assert!(report.findings.is_empty(), "{what}: {report:?}");
            judge(&house, &*journal, &Default::default());
        }
    }
}

#[test]
fn a_sweep_takes_what_nobody_names_and_nothing_else() {
    for fault in [None, Some(Fault::Fail), Some(Fault::FailButPersisted), Some(Fault::Crash)] {
        let (journal, objects) = (Arc::new(MemoryJournal::new()), MemoryObjects::new());
        let plan = FaultPlan::new();
        let faulty = Arc::new(FaultyObjects::new(objects.clone(), plan.clone()));
        let house = House::of(parts(None, journal, faulty)).unwrap();
        load(&house).unwrap();
        let (ada, sender) = furnished(&house);
        let (named, waiting, orphan) = (document(1), document(2), document(3));
        hand_in(&house, ada, &named).unwrap();
        perform(&house, filing(sender, &named), By::Party(ada)).unwrap();
        hand_in(&house, ada, &orphan).unwrap();
        house.clock().tell(house.clock().now().plus_days(2));
        hand_in(&house, ada, &waiting).unwrap();
        for call in 0..2 {
            if let Some(fault) = fault {
                plan.add(plan.calls() + call, fault);
                assert!(documents::sweep(&house, Sweep::Now).is_err(), "{fault:?} {call}");
                plan.revive();
            }
        }
        documents::sweep(&house, Sweep::Now).unwrap();
        let mut left = [name(&named), name(&waiting)];
        left.sort();
        assert_eq!(objects.list("exhibits/").unwrap(), left, "{fault:?}");
        perform(&house, filing(sender, &waiting), By::Party(ada)).unwrap();
        assert_eq!(house.exhibit(&digest(&named)).unwrap(), Some(named));
    }
}

/// Files below a directory in which the words stand.
fn found(dir: &std::path::Path) -> Vec<String> {
    let mut places = Vec::new();
    let mut below = vec![dir.to_owned()];
    while let Some(dir) = below.pop() {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            if entry.metadata().unwrap().is_dir() {
                below.push(entry.path());
                continue;
            }
            let bytes = std::fs::read(entry.path()).unwrap();
            if bytes.windows(WORDS.len()).any(|window| window == WORDS.as_bytes()) {
                places.push(entry.path().display().to_string());
            }
        }
    }
    places
}

#[test]
fn over_http_it_streams_in_rides_in_the_bundle_is_checked_and_is_erased() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let (ada, sender) = furnished(&house);
    let cora = house.with_state(|s| s.parties.iter().nth(2).unwrap().0).unwrap();
    let operator = token(&house, ada, TokenScope::Operator);
    let own = token(&house, sender, TokenScope::Operator);
    let clock = house.clock().clone();
    let served = Served::start(house);
    let bytes = document(1);
    let hex = bailee_ledger::to_hex(&digest(&bytes));
    let path = format!("/v1/exhibits/{hex}");

    let outside = served.post(&path, &own, &bytes);
    assert_eq!((outside.status, outside.code().as_str()), (403, "not_permitted"));
    let wrong = served.post(&path, &operator, &bytes[1..]);
    assert_eq!((wrong.status, wrong.code().as_str()), (422, "wrong_digest"));
    let unread = served.post("/v1/exhibits/00ff", &operator, &bytes);
    assert_eq!((unread.status, unread.code().as_str()), (400, "bad_request"));
    // Announced whole and cut short: nothing is left of it.
    let length = bytes.len().to_string();
    let cut = head("POST", &path, &operator, &[("content-length", length.as_str())]);
    let mut stream = std::net::TcpStream::connect(served.address).unwrap();
    io::Write::write_all(&mut stream, &[cut.as_bytes(), &bytes[..50_000]].concat()).unwrap();
    drop(stream);
    let huge = head("POST", &path, &operator, &[("content-length", "5000000000")]);
    let huge = crate::http::send(served.address, &huge, b"");
    assert_eq!((huge.status, huge.code().as_str()), (413, "body_too_large"));

    let taken = served.post(&path, &operator, &bytes);
    assert_eq!((taken.status, taken.json()["size"].as_u64()), (201, Some(bytes.len() as u64)));
    let again = served.post(&path, &operator, &bytes);
    assert_eq!(again.status, 201, "{}", again.text());
    let file = |token: &str| {
        let body = json!(filing(sender, &bytes)).to_string();
        served.post("/v1/commands", token, body.as_bytes())
    };
    assert_eq!(file(&operator).status, 200);
    let checks = served.post("/v1/checks", &operator, b"{}").json();
    assert_eq!((&checks["good"], &checks["exhibits"]), (&json!(true), &json!(1)), "{checks}");
    served.end();

    let house = checked(dir.path(), clock.clone());
    let mut bundle = Cursor::new(Vec::new());
    let audience = bailee_core::disclosure::Audience::Counsel;
    matter::bundle(&house, MatterId(1), audience, &mut bundle).unwrap();
    let report = verified(&house, &bundle.into_inner());
    assert_eq!(report.exhibits, [digest(&bytes)]);
    assert!(!found(dir.path()).is_empty(), "the test looks in the wrong place");

    // A byte of it turns: the check says so.
    let object = dir.path().join("objects").join(name(&bytes));
    let mut turned = bytes.clone();
    turned[400_000] ^= 1;
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, &turned).unwrap();
    let report = bailee_server::api::check(&house, &mut |_| ()).unwrap();
    assert!(report.findings.iter().any(|line| line.contains(&hex)), "{report:?}");
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, &bytes).unwrap();

    act(&house, By::Party(cora), Action::EraseDetails { party: sender }).unwrap();
    assert!(house.settle().is_empty());
    assert_eq!(found(dir.path()), Vec::<String>::new());
    drop(house);
    drop(checked(dir.path(), Clock::told(clock.now())));
    assert_eq!(found(dir.path()), Vec::<String>::new());
}
