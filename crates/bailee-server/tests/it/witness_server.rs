//! The witness itself: the document's statuses over HTTP, two requests at once, and what is left
//! when its records fail. Never two trees.

use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use bailee_ledger::hash::sha256;
use bailee_ledger::witness::AddCheckpoint;
use bailee_ledger::{Checkpoint, Note, Signer, Tree, to_hex};
use bailee_server::witness::{Cosigner, Init, NotCosigned, Witness};
use bailee_store::{Fault, FaultPlan, FaultyJournal, Journal, MemoryJournal};

use crate::common::{ORIGIN, log_signer, log_verifier};
use crate::http::{Answered, head, send};
use crate::standing::Standing;

/// Another history of the same log.
pub(crate) fn tree(size: u64, leaf: &str) -> Tree {
    let mut tree = Tree::new();
    (0..size).for_each(|_| _ = tree.push(leaf.as_bytes()));
    tree
}

/// What the log sends about a tree, with a proof from `old`.
pub(crate) fn request(tree: &Tree, old: u64) -> String {
    let note = Checkpoint::of(ORIGIN, tree).sign(&log_signer()).unwrap();
    let proof = tree.consistency(old, tree.size()).unwrap_or_default();
    AddCheckpoint { old, proof, note }.to_string()
}

fn post(standing: &Standing, body: &str) -> Answered {
    let length = body.len().to_string();
    let head = head("POST", "/add-checkpoint", "", &[("content-length", length.as_str())]);
    send(standing.address, &head, body.as_bytes())
}

fn get(standing: &Standing, path: &str) -> Answered {
    send(standing.address, &head("GET", path, "", &[]), b"")
}

#[test]
fn the_document_s_statuses_over_http() {
    let mut standing = Standing::new("w.example", Init::WithMlDsa);
    let hash = to_hex(&sha256(ORIGIN.as_bytes()));
    assert_eq!(get(&standing, &format!("/{hash}/checkpoint")).status, 404, "nothing cosigned yet");
    let (five, nine) = (tree(5, "a"), tree(9, "a"));

    let first = post(&standing, &request(&five, 0));
    assert_eq!(first.status, 200, "{}", first.text());
    let lines = Note::parse_signature_lines(&first.text()).unwrap();
    let mut note = Note::new(Checkpoint::of(ORIGIN, &five).to_text().unwrap()).unwrap();
    note.add_signatures(lines);
    let witness_keys: Vec<_> = standing.open().keys().into_iter().cloned().collect();
    let verified = note.verify(&witness_keys).unwrap();
    assert_eq!(verified.len(), 2, "Ed25519 and ML-DSA-44");
    assert!(verified.iter().all(|found| found.time.is_some_and(|time| time > 1_700_000_000)));

    let stale = post(&standing, &request(&nine, 0));
    assert_eq!((stale.status, stale.text().as_str()), (409, "5\n"));
    assert_eq!(stale.header("content-type"), "text/x.tlog.size");
    for (what, body, status, code) in [
        ("another tree of that size", request(&tree(5, "b"), 5), 409, "forked"),
        ("a tree that does not extend it", request(&tree(9, "b"), 5), 422, "bad_proof"),
        ("an old size beyond", request(&nine, 10), 400, "backwards"),
        ("no request", "old 5\n".to_owned(), 400, "malformed"),
        ("another log", request(&nine, 5).replace(ORIGIN, "other.example/log"), 404, "unknown_log"),
    ] {
        let answered = post(&standing, &body);
        assert_eq!((answered.status, answered.code().as_str()), (status, code), "{what}");
    }
    let unsigned = {
        let stranger = Signer::from_seed(ORIGIN, &[9; 32]).unwrap();
        let note = Checkpoint::of(ORIGIN, &nine).sign(&stranger).unwrap();
        let proof = nine.consistency(5, 9).unwrap();
        post(&standing, &AddCheckpoint { old: 5, proof, note }.to_string())
    };
    assert_eq!((unsigned.status, unsigned.code().as_str()), (403, "not_signed"));
    let large = post(&standing, &"x".repeat(400 << 10));
    assert_eq!(large.status, 413);
    assert_eq!(get(&standing, "/add-checkpoint").status, 405);
    assert_eq!(get(&standing, "/elsewhere").status, 404);

    // It goes on all the same, also after a restart, and gives what it cosigned last.
    standing.end();
    standing.begin();
    assert_eq!(post(&standing, &request(&nine, 5)).status, 200);
    assert_eq!(post(&standing, &request(&nine, 9)).status, 200, "the same tree again");
    let shown = get(&standing, &format!("/{hash}/checkpoint"));
    let (checkpoint, _) = Checkpoint::open(&shown.body, &log_verifier()).unwrap();
    assert_eq!(checkpoint, Checkpoint::of(ORIGIN, &nine));
    assert_eq!(get(&standing, "/livez").text(), "alive\n");
    assert_eq!(get(&standing, "/readyz").text(), format!("ready\n{ORIGIN} HAS FORKED\n"));
    let about = get(&standing, "/").text();
    assert!(about.contains(&witness_keys[0].to_vkey()) && about.contains(ORIGIN), "{about}");
    let metrics = get(&standing, "/metrics").text();
    for line in [
        "bailee_witness_answers_total{status=\"200\"} 2",
        "bailee_witness_log_size{log=\"log.example.org/2026\"} 9",
        "bailee_witness_log_forked{log=\"log.example.org/2026\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    // Both checkpoints are kept, each signed by the log: that is the proof.
    let fork = standing.open().on_record(ORIGIN).unwrap().fork.unwrap();
    for tree in [five, tree(5, "b")] {
        assert!(fork.contains(&Checkpoint::of(ORIGIN, &tree).to_text().unwrap()), "{fork}");
    }
}

#[test]
fn of_many_trees_offered_at_once_one_is_cosigned() {
    for round in 0..8 {
        let standing = Standing::new("w.example", Init::Ed25519);
        let start = Barrier::new(8);
        let answers: Vec<(usize, Answered)> = thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|n| {
                    let (standing, start) = (&standing, &start);
                    scope.spawn(move || {
                        // The same size with other leaves, or another size.
                        let body = request(&tree(5 + n as u64 % 2, &format!("leaf {n}")), 0);
                        start.wait();
                        (n, post(standing, &body))
                    })
                })
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let (cosigned, refused): (Vec<_>, Vec<_>) =
            answers.iter().partition(|(_, answer)| answer.status == 200);
        assert_eq!(cosigned.len(), 1, "round {round}");
        assert!(refused.iter().all(|(_, answer)| answer.status == 409), "{refused:?}");
        let n = cosigned[0].0;
        let record = standing.open().on_record(ORIGIN).unwrap();
        let on_record = Checkpoint::parse(record.note.unwrap().text()).unwrap();
        assert_eq!(
            on_record,
            Checkpoint::of(ORIGIN, &tree(5 + n as u64 % 2, &format!("leaf {n}")))
        );
    }
}

/// A witness whose records fail as planned; they outlive it.
fn failing(store: &MemoryJournal, plan: &FaultPlan) -> Witness {
    let key = Signer::witness_from_seed("w.example", &[7; 32]).unwrap();
    let records = Arc::new(FaultyJournal::new(store.clone(), plan.clone()));
    Witness::of(Cosigner { key, pq: None }, vec![log_verifier()], records)
}

/// The trees that ever left it cosigned must all be of one history.
fn one_history(cosigned: &Mutex<Vec<Tree>>) {
    let cosigned = cosigned.lock().unwrap();
    let largest = cosigned.iter().max_by_key(|tree| tree.size()).unwrap();
    for tree in cosigned.iter() {
        assert_eq!(largest.root_at(tree.size()).unwrap(), tree.root(), "two trees were cosigned");
    }
}

/// The fault matrix of the witness: each call of the records x {fails, fails but persisted, crash}.
/// After each the log asks again, and somebody with the log's key offers another tree.
#[test]
fn whatever_the_records_do_one_history_is_cosigned() {
    for fault in [Fault::Fail, Fault::FailButPersisted, Fault::Crash] {
        for nth in 0..6 {
            let (store, plan) = (MemoryJournal::new(), FaultPlan::one(nth, fault));
            let cosigned = Mutex::new(Vec::new());
            let mut failed = 0;
            let mut witness = failing(&store, &plan);
            let mut offer = |witness: &Witness, tree: &Tree| {
                // As a log does: from what the witness says it has.
                for _ in 0..3 {
                    let old = witness.on_record(ORIGIN).map_or(0, |record| record.size);
                    match witness.add_checkpoint(request(tree, old).as_bytes(), 9) {
                        Ok(_) => return cosigned.lock().unwrap().push(tree.clone()),
                        Err(NotCosigned::Failed(_)) => failed += 1,
                        Err(_) => return,
                    }
                }
            };
            for (size, leaf) in [(3, "a"), (3, "b"), (5, "a"), (5, "b"), (9, "a")] {
                offer(&witness, &tree(size, leaf));
                if plan.crashed() {
                    plan.revive();
                    witness = failing(&store, &plan);
                    offer(&witness, &tree(size, leaf));
                }
            }
            one_history(&cosigned);
            let planned = plan.calls() > nth;
            assert!(planned, "call {nth} was never made");
            let last = witness.on_record(ORIGIN).unwrap();
            let reached = cosigned.lock().unwrap().iter().map(Tree::size).max().unwrap();
            assert_eq!(last.size, reached, "{fault:?} at {nth}: recorded and not cosigned");
        }
    }
}

#[test]
fn a_damaged_record_cosigns_nothing_more() {
    let (store, plan) = (MemoryJournal::new(), FaultPlan::new());
    let witness = failing(&store, &plan);
    witness.add_checkpoint(request(&tree(3, "a"), 0).as_bytes(), 9).unwrap();
    let name = format!("witness/{ORIGIN}");
    let good = store.cell(&name).unwrap().unwrap();
    for damage in [&b""[..], b"nonsense", &good[..good.len() - 1]] {
        let now = store.cell(&name).unwrap();
        store.swap_cell(&name, now.as_deref(), damage).unwrap();
        let refused = witness.add_checkpoint(request(&tree(5, "a"), 3).as_bytes(), 9).unwrap_err();
        assert!(refused.to_string().contains("damaged"), "{refused}");
    }
    // A record that somebody without the key made.
    let forged = Checkpoint::of(ORIGIN, &tree(1, "b")).sign(&log_signer()).unwrap().to_string();
    let now = store.cell(&name).unwrap();
    store.swap_cell(&name, now.as_deref(), forged.as_bytes()).unwrap();
    assert!(witness.add_checkpoint(request(&tree(5, "b"), 1).as_bytes(), 9).is_err());
}

#[test]
fn a_clock_that_was_set_back_states_no_earlier_time() {
    let witness = failing(&MemoryJournal::new(), &FaultPlan::new());
    let times = [(3, 100), (5, 50), (9, 200)].map(|(size, now)| {
        let old = witness.on_record(ORIGIN).unwrap().size;
        witness.add_checkpoint(request(&tree(size, "a"), old).as_bytes(), now).unwrap();
        witness.on_record(ORIGIN).unwrap().time
    });
    assert_eq!(times, [100, 100, 200]);
}
