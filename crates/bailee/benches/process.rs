//! What a stranger waits for: `bailee verify` as a whole process, from its start to its exit code,
//! beside `true` in the same run, which is what a process costs on this machine in itself.
//! Lines are `name<TAB>value<TAB>unit<TAB>target`; values are medians, and the least, which a busy
//! machine disturbs less. The processes take turns, so that a slow minute is slow for all of them.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a program that prints, and may stop

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bailee_ledger::bundle::{BundleBuilder, Kind, Opened};
use bailee_ledger::hash::sha256;
use bailee_ledger::{Checkpoint, Leaf, Note, Policy, PqSigner, Signer, Tree};

const ORIGIN: &str = "bench.example/log";
/// Witnesses that have cosigned; with the log's two keys that is ten signatures.
const WITNESSES: u8 = 8;
/// Letters of the matter.
const LETTERS: u64 = 200;
/// Processes of each kind.
const RUNS: usize = 201;

fn print(name: &str, value: f64, unit: &str, target: &str) {
    println!("{name}\t{value:.2}\t{unit}\t{target}");
}

/// One entry with its letter.
struct Entry {
    index: u64,
    leaf: Vec<u8>,
    papers: Vec<u8>,
    letter: Vec<u8>,
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let (mut tree, mut entries) = (Tree::new(), Vec::new());
    for n in 0..LETTERS {
        let letter = format!("Letter {n}. Please keep everything.\r\n").repeat(100).into_bytes();
        let papers = sha256(&letter).to_vec();
        let leaf = Leaf::commit(1, 0, [None, None, Some((&papers, &[3; 32]))]).encode();
        entries.push(Entry { index: tree.push(&leaf), leaf, papers, letter });
    }
    let (note, policy) = cosigned(&tree);
    let own = dir.path().join("own.tlog-policy");
    std::fs::write(&own, policy.to_string()).unwrap();
    let (receipt, matter) = (dir.path().join("receipt.zip"), dir.path().join("matter.zip"));
    write(Kind::Receipt, &tree, &entries[7..8], (&note, &policy), &receipt);
    write(Kind::Matter, &tree, &entries, (&note, &policy), &matter);
    let bailee = |bundle: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bailee"));
        command.arg("verify").arg("--policy").arg(&own).arg(bundle);
        command
    };
    let [nothing, one, all] = timed([Command::new("true"), bailee(&receipt), bailee(&matter)]);
    row("a process that does nothing (true)", &nothing, &nothing, "");
    row("verify a receipt, 10 signatures, process", &one, &nothing, "<= 5");
    let name = format!("verify a matter of {LETTERS} letters, process");
    row(&name, &all, &nothing, "<= 100");
}

/// Times in order.
fn row(name: &str, times: &[Duration], nothing: &[Duration], target: &str) {
    print(name, milliseconds(times[RUNS / 2]), "ms", target);
    print("  at least", milliseconds(times[0]), "ms", "");
    let multiple = times[RUNS / 2].as_secs_f64() / nothing[RUNS / 2].as_secs_f64();
    print("  as a multiple of true", multiple, "x", "");
}

fn log() -> Signer {
    Signer::from_seed(ORIGIN, &[7; 32]).unwrap()
}

/// The tree's checkpoint with ten signatures, and the policy that asks for all of them.
fn cosigned(tree: &Tree) -> (Note, Policy) {
    let checkpoint = Checkpoint::of(ORIGIN, tree);
    let mut note = checkpoint.sign(&log()).unwrap();
    let pq = PqSigner::from_seed(ORIGIN, &[8; 32]).unwrap();
    note.add_signatures([pq.cosign(&checkpoint, 0).unwrap()]);
    let mut policy = format!("log {}\n", log().verifier().to_vkey());
    policy += &format!("witness own {}\n", pq.verifier().to_vkey());
    let mut names = Vec::new();
    for n in 0..WITNESSES {
        let name = format!("w{n}.example");
        let witness = Signer::witness_from_seed(&name, &[100 + n; 32]).unwrap();
        note = note.sign(&witness, 1_794_920_000);
        policy += &format!("witness w{n} {}\n", witness.verifier().to_vkey());
        names.push(format!("w{n}"));
    }
    policy += &format!("group every all {}\nquorum every\n", names.join(" "));
    assert_eq!(note.signatures().len(), 10);
    (note, Policy::parse(policy.as_bytes()).unwrap())
}

fn write(kind: Kind, tree: &Tree, entries: &[Entry], of: (&Note, &Policy), to: &Path) {
    let mut builder = BundleBuilder::new(kind, of.0, of.1).unwrap();
    for entry in entries {
        let papers = Opened { bytes: entry.papers.clone(), salt: [3; 32] };
        let opened = [None, None, Some(papers)];
        builder = builder.entry_of(tree, entry.index, &entry.leaf, opened).unwrap();
        builder = builder.exhibit(entry.letter.clone());
    }
    builder.write(&log(), &mut std::fs::File::create(to).unwrap()).unwrap();
}

/// How long processes take that end well, in order, one of each after the other.
fn timed<const N: usize>(mut commands: [Command; N]) -> [Vec<Duration>; N] {
    let mut times = [const { Vec::new() }; N];
    for _ in 0..RUNS {
        for (command, times) in commands.iter_mut().zip(&mut times) {
            command.stdin(Stdio::null()).stdout(Stdio::null());
            let begun = Instant::now();
            let status = command.status().unwrap();
            assert!(status.success(), "{status}");
            times.push(begun.elapsed());
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    times
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
