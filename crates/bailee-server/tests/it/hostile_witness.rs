//! Witnesses that answer wrongly. Each is named by what it did; nothing of it reaches the note; the
//! house goes on. One that contradicts the log stays named.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use bailee_ledger::witness::{AddCheckpoint, SIZE_MEDIA};
use bailee_ledger::{Checkpoint, Note, Signer};
use bailee_server::attest::{Lapse, Watched};
use bailee_server::{Clock, House};
use bailee_store::{MemoryJournal, MemoryObjects};

use crate::common::{demand, letter, load, take};
use crate::standing::{False, all_of, reply, witnessed};

fn key() -> Signer {
    Signer::witness_from_seed("w.example", &[7; 32]).unwrap()
}

/// What is known of a witness that answers so, and the signatures on the note.
fn asked(clock: Clock, answer: impl Fn(&mut TcpStream, &str) + Send + Sync + 'static) -> Watched {
    let hostile = False::new(answer);
    let room = tempfile::tempdir().unwrap();
    let policy = all_of(&[hostile.line("w", &key())], "w");
    let (journal, objects) = (Arc::new(MemoryJournal::new()), Arc::new(MemoryObjects::new()));
    let mut parts = witnessed(room.path(), &policy, 2_000, journal, objects);
    parts.clock = clock;
    let house = House::of(parts).unwrap();
    load(&house).unwrap();
    let (_, position) = demand(take(&house, &letter(1)).unwrap());
    let attested = house.attested_over(position + 1, Duration::from_secs(600)).unwrap();
    assert_eq!(attested.note.signatures().len(), 1, "something of it is on the note");
    assert_eq!(attested.missing(&house.policy().unwrap()), ["w"]);
    assert!(house.settle().is_empty());
    house.watched().remove(0)
}

fn told() -> Clock {
    Clock::told(crate::common::start())
}

/// Its signature lines over a text.
fn lines(text: &str, signer: &Signer, time: u64) -> String {
    Note::new(text.to_owned()).unwrap().sign(signer, time).signatures()[0].to_string()
}

fn text_of(body: &str) -> String {
    AddCheckpoint::parse(body.as_bytes()).unwrap().note.text().to_owned()
}

#[track_caller]
fn check_wrong(watched: &Watched, part: &str) {
    match &watched.lapse {
        Some(Lapse::Wrong(why)) => assert!(why.contains(part), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_signature_that_fails_or_is_another_s() {
    let flipped = |stream: &mut TcpStream, body: &str| {
        let mut note = Note::new(text_of(body)).unwrap().sign(&key(), 5);
        let mut line = note.signatures()[0].clone();
        line.bytes[20] ^= 1;
        note = Note::new(text_of(body)).unwrap();
        note.add_signatures([line]);
        reply(stream, 200, "text/plain", &note.signature_lines());
    };
    check_wrong(&asked(told(), flipped), "does not verify");
    let other_text = |stream: &mut TcpStream, body: &str| {
        let mut tree = Checkpoint::parse(&text_of(body)).unwrap();
        tree.root[0] ^= 1;
        reply(stream, 200, "text/plain", &lines(&tree.to_text().unwrap(), &key(), 5));
    };
    check_wrong(&asked(told(), other_text), "does not verify");
    let other_key = |stream: &mut TcpStream, body: &str| {
        let other = Signer::witness_from_seed("w.example", &[8; 32]).unwrap();
        reply(stream, 200, "text/plain", &lines(&text_of(body), &other, 5));
    };
    check_wrong(&asked(told(), other_key), "no signature by its key");
    let other_kind = |stream: &mut TcpStream, body: &str| {
        let plain = Signer::from_seed("w.example", &[7; 32]).unwrap();
        reply(stream, 200, "text/plain", &lines(&text_of(body), &plain, 0));
    };
    check_wrong(&asked(told(), other_kind), "no signature by its key");
}

#[test]
fn a_time_that_is_absurd() {
    let at = |time: u64| {
        move |stream: &mut TcpStream, body: &str| {
            reply(stream, 200, "text/plain", &lines(&text_of(body), &key(), time));
        }
    };
    check_wrong(&asked(told(), at(0)), "states the time 0");
    // Years ago by the machine's clock: a quorum would claim to have seen the tree then.
    check_wrong(&asked(Clock::Wall, at(1_000_000_000)), "more than a day");
    check_wrong(&asked(Clock::Wall, at(i64::MAX as u64)), "more than a day");
}

#[test]
fn an_answer_that_is_none() {
    let garbage = |stream: &mut TcpStream, _: &str| reply(stream, 200, "text/plain", "OK\n");
    check_wrong(&asked(told(), garbage), "not signature lines");
    let huge = |stream: &mut TcpStream, _: &str| {
        reply(stream, 200, "text/plain", &"— w AAAAAAAAAAAA\n".repeat(10_000));
    };
    check_wrong(&asked(told(), huge), "more than");
    let endless = |stream: &mut TcpStream, _: &str| {
        _ = stream.write_all(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n");
        while stream.write_all(b"5\r\n\xe2\x80\x94 w\r\n").is_ok() {}
    };
    check_wrong(&asked(told(), endless), "more than");
    let no_size = |stream: &mut TcpStream, _: &str| reply(stream, 409, SIZE_MEDIA, "many\n");
    check_wrong(&asked(told(), no_size), "without a size");
    // Each time another size: it is not followed for ever.
    let count = std::sync::atomic::AtomicU64::new(0);
    let dance = move |stream: &mut TcpStream, _: &str| {
        let size = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 2;
        reply(stream, 409, SIZE_MEDIA, &format!("{}\n", 1 - size));
    };
    check_wrong(&asked(told(), dance), "proof");
    let hung_up = |_: &mut TcpStream, _: &str| {};
    let watched = asked(told(), hung_up);
    assert!(matches!(watched.lapse, Some(Lapse::Unreachable(_))), "{watched:?}");
    let moved = |stream: &mut TcpStream, _: &str| reply(stream, 307, "text/plain", "");
    let watched = asked(told(), moved);
    assert!(matches!(watched.lapse, Some(Lapse::Refused { status: 307, .. })), "{watched:?}");
}

#[test]
fn one_that_refuses_is_named_by_its_status() {
    for status in [400, 403, 404, 429, 500, 503] {
        let refuse = move |stream: &mut TcpStream, _: &str| reply(stream, status, "text/plain", "");
        let watched = asked(told(), refuse);
        let named = matches!(watched.lapse, Some(Lapse::Refused { status: s, .. }) if s == status);
        assert!(named && !watched.contradicts(), "{watched:?}");
    }
}

#[test]
fn one_that_has_seen_another_tree_stays_named() {
    let larger = |stream: &mut TcpStream, _: &str| reply(stream, 409, SIZE_MEDIA, "999\n");
    let other_root = |stream: &mut TcpStream, _: &str| reply(stream, 409, "text/plain", "forked");
    let no_proof = |stream: &mut TcpStream, _: &str| reply(stream, 422, "text/plain", "");
    let all: [(&str, Box<dyn Fn(&mut TcpStream, &str) + Send + Sync>); 3] = [
        ("999", Box::new(larger)),
        ("another tree", Box::new(other_root)),
        ("does not extend", Box::new(no_proof)),
    ];
    for (part, answer) in all {
        let watched = asked(told(), answer);
        assert!(watched.contradicts(), "{watched:?}");
        assert!(watched.to_string().contains(part), "{watched}");
    }
}
