//! The decision of a witness, as a table: each line of the document, one answer each.

use bailee_ledger::hash::EMPTY_ROOT;
use bailee_ledger::witness::{
    AddCheckpoint, MAX_LINES, MAX_REQUEST, Record, Refusal, decide, origin, parse_size,
};
use bailee_ledger::{Checkpoint, Error, Note, Signer, Tree, Verifier};

const ORIGIN: &str = "log.example.org/2026";

fn log() -> Signer {
    Signer::from_seed(ORIGIN, &[1; 32]).unwrap()
}

/// A key that the log has taken since, under the same name.
fn rotated() -> Signer {
    Signer::from_seed(ORIGIN, &[2; 32]).unwrap()
}

fn keys() -> Vec<Verifier> {
    let other = Signer::from_seed("other.example/log", &[3; 32]).unwrap();
    vec![other.verifier().clone(), log().verifier().clone(), rotated().verifier().clone()]
}

/// A tree whose leaves from `from` on are of another history.
fn tree(size: u64, from: u64) -> Tree {
    let mut tree = Tree::new();
    (0..size).for_each(|n| _ = tree.push(if n < from { b"leaf" } else { b"fork" }));
    tree
}

fn good(size: u64) -> Tree {
    tree(size, u64::MAX)
}

fn record(size: u64) -> Record {
    Record { size, root: good(size).root() }
}

fn signed(tree: &Tree) -> Note {
    Checkpoint::of(ORIGIN, tree).sign(&log()).unwrap()
}

/// What an honest log sends: `tree`, with a proof from `old`.
fn request(tree: &Tree, old: u64) -> AddCheckpoint {
    let proof = tree.consistency(old, tree.size()).unwrap_or_default();
    AddCheckpoint { old, proof, note: signed(tree) }
}

#[test]
fn what_extends_the_record_is_cosigned() {
    for (last, size) in [(0, 0), (0, 1), (0, 9), (1, 1), (1, 2), (5, 9), (8, 9), (9, 9)] {
        let decided = decide(&keys(), &record(last), &request(&good(size), last)).unwrap();
        assert_eq!(decided, Checkpoint::of(ORIGIN, &good(size)), "{last} {size}");
    }
    assert_eq!(Record::default(), Record { size: 0, root: EMPTY_ROOT });
    // Either key of the log will do; signatures of strangers are not looked at.
    let mut later = request(&good(9), 5);
    let stranger = Signer::from_seed(ORIGIN, &[9; 32]).unwrap();
    later.note = Checkpoint::of(ORIGIN, &good(9)).sign(&rotated()).unwrap().sign(&stranger, 0);
    assert!(decide(&keys(), &record(5), &later).is_ok());
}

#[test]
fn everything_else_has_its_one_answer() {
    let unsigned = |tree: &Tree, signer: &Signer| {
        let text = Checkpoint::of(ORIGIN, tree).to_text().unwrap();
        Note::new(text).unwrap().sign(signer, 0)
    };
    let stranger = Signer::from_seed(ORIGIN, &[9; 32]).unwrap();
    // (what, record, request, status)
    let with = |mut request: AddCheckpoint, change: &dyn Fn(&mut AddCheckpoint)| {
        change(&mut request);
        request
    };
    let honest = || request(&good(9), 5);
    let elsewhere = |r: &mut AddCheckpoint| {
        let signer = Signer::from_seed("nobody.example", &[4; 32]).unwrap();
        r.note = Checkpoint::of("nobody.example", &good(9)).sign(&signer).unwrap();
    };
    let broken = |r: &mut AddCheckpoint| {
        // The log's own signature, on another text.
        let text = Checkpoint::of(ORIGIN, &good(8)).to_text().unwrap();
        let signatures = r.note.signatures().to_vec();
        r.note = Note::new(text).unwrap();
        r.note.add_signatures(signatures);
    };
    let no_tree = |r: &mut AddCheckpoint| {
        r.note = Note::new(format!("{ORIGIN}\nnine\n")).unwrap().sign(&log(), 0);
    };
    let table = [
        ("another log", 5, with(honest(), &elsewhere), 404),
        ("unsigned", 5, with(honest(), &|r| r.note = unsigned(&good(9), &stranger)), 403),
        ("broken signature", 5, with(honest(), &broken), 403),
        ("no checkpoint", 5, with(honest(), &no_tree), 400),
        ("backwards", 5, with(honest(), &|r| r.old = 10), 400),
        ("backwards, and not the record either", 7, with(honest(), &|r| r.old = 10), 400),
        ("the record is elsewhere", 7, honest(), 409),
        ("nothing on record", 0, honest(), 409),
        ("the record is ahead", 12, honest(), 409),
        ("another tree of that size", 9, request(&tree(9, 8), 9), 409),
        (
            "an empty tree that is none",
            0,
            with(request(&good(0), 0), &|r| {
                let bad = Checkpoint { root: [7; 32], ..Checkpoint::of(ORIGIN, &good(0)) };
                r.note = bad.sign(&log()).unwrap();
            }),
            409,
        ),
        ("another history", 5, request(&tree(9, 4), 5), 422),
        ("no proof", 5, with(honest(), &|r| r.proof.clear()), 422),
        ("a hash too many", 5, with(honest(), &|r| r.proof.push([0; 32])), 422),
        ("a wrong hash", 5, with(honest(), &|r| r.proof[0][0] ^= 1), 422),
        ("a proof from nothing", 0, with(request(&good(9), 0), &|r| r.proof.push([0; 32])), 422),
        ("a proof to itself", 9, with(request(&good(9), 9), &|r| r.proof.push([0; 32])), 422),
    ];
    for (what, last, request, status) in table {
        let refusal = decide(&keys(), &record(last), &request).unwrap_err();
        assert_eq!(refusal.status(), status, "{what}: {refusal}");
        if let Refusal::Stale { last: told } = refusal {
            assert_eq!(told, last, "{what}");
        }
        // A fork is a fork, not a matter of sizes.
        let forked = matches!(refusal, Refusal::Forked { .. });
        assert_eq!(forked, what.contains("of that size") || what.contains("empty"), "{what}");
    }
}

#[test]
fn the_checks_come_in_the_order_of_the_document() {
    // Everything is wrong with it: the log is unknown first, then unsigned, then backwards, …
    let mut request = request(&tree(9, 4), 5);
    request.old = 20;
    request.proof.clear();
    let status = |keys: &[Verifier], request: &AddCheckpoint| {
        decide(keys, &record(7), request).unwrap_err().status()
    };
    assert_eq!(status(&[], &request), 404);
    assert_eq!(status(&[rotated().verifier().clone()], &request), 403);
    assert_eq!(status(&keys(), &request), 400);
    request.old = 5;
    assert_eq!(status(&keys(), &request), 409);
    request.old = 7;
    assert_eq!(status(&keys(), &request), 422);
}

#[test]
fn a_request_reads_back_as_itself_and_has_one_spelling() {
    for (size, old) in [(1, 0), (9, 5), (300, 257), (9, 9)] {
        let request = request(&good(size), old);
        let text = request.to_string();
        assert_eq!(AddCheckpoint::parse(text.as_bytes()), Ok(request.clone()));
        assert_eq!(origin(&request), ORIGIN);
    }
    let text = request(&good(9), 5).to_string();
    let (head, note) = text.split_once("\n\n").unwrap();
    let lines: Vec<&str> = head.split('\n').collect();
    let too_many = format!("old 5\n{}\n{note}", format!("{}\n", lines[1]).repeat(MAX_LINES + 1));
    for bad in [
        String::new(),
        "\n\n".to_owned(),
        format!("\n{note}"),
        head.to_owned(),
        format!("{head}\n{note}"),
        format!("old 5\r\n\r\n{note}"),
        format!("old 05\n\n{note}"),
        format!("old -5\n\n{note}"),
        format!("old  5\n\n{note}"),
        format!("Old 5\n\n{note}"),
        format!("old 18446744073709551616\n\n{note}"),
        format!("old 5\nAA==\n\n{note}"),
        format!("old 5\n{}=\n\n{note}", lines[1]),
        format!("old 5\n {}\n\n{note}", lines[1]),
        too_many,
    ] {
        let refused = AddCheckpoint::parse(bad.as_bytes());
        assert!(matches!(refused, Err(Error::Malformed { .. })), "{bad:?}: {refused:?}");
    }
    let most = format!("old 5\n{}\n{note}", format!("{}\n", lines[1]).repeat(MAX_LINES));
    assert_eq!(AddCheckpoint::parse(most.as_bytes()).unwrap().proof.len(), MAX_LINES);
    assert!(AddCheckpoint::parse(&[0xff, b'\n', b'\n']).is_err());
    let large = vec![b'a'; MAX_REQUEST + 1];
    assert!(matches!(AddCheckpoint::parse(&large), Err(Error::TooLarge { .. })));
}

#[test]
fn a_size_is_a_decimal_and_a_newline() {
    assert_eq!(parse_size(b"0\n"), Some(0));
    assert_eq!(parse_size(b"18446744073709551615\n"), Some(u64::MAX));
    for bad in [&b""[..], b"\n", b"7", b"07\n", b"7\n\n", b"7\r\n", b"+7\n", b"\xff\n"] {
        assert_eq!(parse_size(bad), None, "{bad:?}");
    }
}
