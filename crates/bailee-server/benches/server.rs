//! How fast the runner is on this machine: letters to durable demands, one letter to its receipt,
//! without witnesses and with two beside it, a restart, proofs, and the verifier. Lines are
//! `name<TAB>value<TAB>unit<TAB>target`.
//!
//! The directory is in `BAILEE_BENCH_DIR` (here by default), so that the disk that counts is
//! measured. Shapes: 64 senders, each with one letter on its way at a time.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a program that prints, and may stop

use std::io::Cursor;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use bailee_core::By;
use bailee_ledger::{Tree, Trust, verify_bundle};
use bailee_server::attest::Witnesses;
use bailee_server::http::Stop;
use bailee_server::intake::{self, Cover, Taken};
use bailee_server::witness::{Init, Witness, serve_until};
use bailee_server::{Clock, Config, House, Projection, receipt};
use bailee_store::SqliteJournal;

/// Letters on their way at once.
const SENDERS: usize = 64;
/// Letters of the throughput measurement.
const LETTERS: usize = 20_000;
/// Letters measured one by one.
const SINGLE: usize = 300;
/// Leaves of the large tree.
const LEAVES: u64 = 1_000_000;

fn print(name: &str, value: f64, unit: &str, target: &str) {
    println!("{name}\t{value:.2}\t{unit}\t{target}");
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100].as_secs_f64() * 1e3
}

fn letter(n: usize) -> Vec<u8> {
    format!(
        "From: Requester {n} <requester-{n}@law.example>\r\nTo: legal@host.example\r\n\
         Subject: Demand {n} to preserve\r\nMessage-ID: <{n}@law.example>\r\n\r\n\
         Dear host,\r\n\r\nplease keep all data of the account of client {n}, all copies and all \
         logs, until the\r\ncourt has decided. This is a formal demand to preserve evidence.\r\n"
    )
    .into_bytes()
}

fn take(house: &House, raw: Vec<u8>) -> (bailee_core::id::DemandId, u64) {
    match intake::take(house, raw, Cover::default(), By::System).unwrap() {
        Taken::Demand { demand, position, .. } => (demand, position),
        Taken::Report { .. } | Taken::Page { .. } => unreachable!("the letters are no reports"),
    }
}

fn main() {
    let root = std::env::var("BAILEE_BENCH_DIR").unwrap_or(".".into());
    let dir = tempfile::tempdir_in(root).unwrap();
    let config = Config::for_origin("bench.example/1");
    let house = House::create(&dir.path().join("house"), &config, Clock::Wall).unwrap();
    single(&house);
    throughput(&house);
    drop(house);
    reopen(&dir.path().join("house"));
    witnessed(dir.path());
    proofs();
}

/// One letter at a time until its receipt is in hand, with the cosignatures of two witnesses that
/// serve over HTTP from directories on the same disk.
fn witnessed(root: &Path) {
    let dir = root.join("witnessed");
    let mut config = Config::for_origin("bench.example/2");
    let key = House::create(&dir, &config, Clock::Wall).unwrap().log_key().unwrap().to_vkey();
    let stops = [Stop::default(), Stop::default()];
    let mut policy = String::new();
    for (n, stop) in stops.iter().enumerate() {
        let (at, name) = (root.join(format!("witness-{n}")), format!("w{n}.example"));
        let made = Witness::init(&at, &name, Init::Ed25519).unwrap();
        let vkey = made.keys()[0].to_vkey();
        Witness::watch(&at, &key).unwrap();
        let (tell, told) = channel();
        let (witness, until) = (Witness::open(&at).unwrap(), stop.clone());
        let listen = "127.0.0.1:0".parse().unwrap();
        thread::spawn(move || serve_until(witness, listen, &until, |at| tell.send(at).unwrap()));
        policy += &format!("witness {name} {vkey} http://{}\n", told.recv().unwrap());
    }
    policy += "group both all w0.example w1.example\nquorum both\n";
    std::fs::write(dir.join("witnesses.tlog-policy"), policy).unwrap();
    let timeout_ms = 1_000;
    config.witnesses = Some(Witnesses { policy: "witnesses.tlog-policy".into(), timeout_ms });
    std::fs::write(dir.join("bailee.toml"), config.to_text()).unwrap();
    let house = House::open(&dir, Clock::Wall).unwrap();
    let mut receipted = Vec::new();
    for n in 0..SINGLE {
        let begun = Instant::now();
        let (demand, position) = take(&house, letter(20_000_000 + n));
        receipt::demand(&house, demand, &mut Vec::new()).unwrap();
        receipted.push(begun.elapsed());
        let attested = house.attested_over(position + 1, Duration::ZERO).unwrap();
        assert!(attested.missing(&house.policy().unwrap()).is_empty(), "{:?}", house.watched());
    }
    receipted.sort_unstable();
    print("receipt with 2 witnesses, p50", percentile(&receipted, 50), "ms", "<= 1500");
    print("receipt with 2 witnesses, p99", percentile(&receipted, 99), "ms", "<= 1500");
    stops.iter().for_each(Stop::now);
}

/// One letter at a time: until it is durable, and until its signed receipt is in hand.
fn single(house: &House) {
    let (mut durable, mut receipted) = (Vec::new(), Vec::new());
    let mut bundle = Vec::new();
    for n in 0..SINGLE {
        let raw = letter(10_000_000 + n);
        let begun = Instant::now();
        let (demand, _) = take(house, raw);
        durable.push(begun.elapsed());
        bundle.clear();
        receipt::demand(house, demand, &mut bundle).unwrap();
        receipted.push(begun.elapsed());
    }
    durable.sort_unstable();
    receipted.sort_unstable();
    print("intake to durable, p50", percentile(&durable, 50), "ms", "");
    print("intake to durable, p99", percentile(&durable, 99), "ms", "");
    print("intake to receipt, p50", percentile(&receipted, 50), "ms", "<= 50");
    print("intake to receipt, p99", percentile(&receipted, 99), "ms", "<= 50");
    let trust = Trust::pinned_key(&house.log_key().unwrap().to_vkey()).unwrap();
    let begun = Instant::now();
    for _ in 0..1_000 {
        assert!(!verify_bundle(Cursor::new(&bundle), &trust).unwrap().failed());
    }
    print("verify a receipt", begun.elapsed().as_secs_f64(), "ms", "");
}

/// 64 senders, each waits for its answer before the next letter.
fn throughput(house: &House) {
    let next = AtomicUsize::new(0);
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                while let n @ 0..LETTERS = next.fetch_add(1, Ordering::Relaxed) {
                    take(house, letter(n));
                }
            });
        }
    });
    let rate = LETTERS as f64 / begun.elapsed().as_secs_f64();
    print("durable demands, 64 senders", rate, "/s", ">= 3000");
}

/// What a restart costs.
fn reopen(dir: &Path) {
    let journal = SqliteJournal::open(&dir.join("journal.sqlite")).unwrap();
    let begun = Instant::now();
    let projection = Projection::replay(&journal).unwrap();
    let rate = projection.state.head as f64 / begun.elapsed().as_secs_f64();
    print("replay from SQLite", rate, "events/s", "");
}

/// Inclusion proofs in a large tree.
fn proofs() {
    let mut tree = Tree::default();
    let begun = Instant::now();
    for n in 0..LEAVES {
        tree.push(&n.to_be_bytes());
    }
    print("tree of 1M leaves built", begun.elapsed().as_secs_f64() * 1e3, "ms", "");
    let begun = Instant::now();
    let mut hashes = 0;
    for n in 0..10_000 {
        hashes += tree.inclusion(n * 97 % LEAVES, LEAVES).unwrap().len();
    }
    assert!(hashes >= 10_000 * 19);
    let each = begun.elapsed().as_secs_f64() * 1e6 / 10_000.0;
    print("inclusion proof at 1M leaves", each, "us", "");
}
