//! Figures of the ledger: `name<TAB>value<TAB>unit<TAB>target` per line.
//!
//! Wall-clock medians on the machine at hand; targets are those of the design for two cores.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::hint::black_box;
use std::io::Cursor;
use std::time::{Duration, Instant};

use bailee_ledger::bundle::{BundleBuilder, Kind, Opened};
use bailee_ledger::hash::{leaf_hash, sha256};
use bailee_ledger::proof::{verify_consistency, verify_inclusion};
use bailee_ledger::{Checkpoint, Leaf, Policy, PqSigner, Signer, Tree, Trust, verify_bundle};

const LEAVES: u64 = 1_000_000;
const ORIGIN: &str = "bench.example/log";

fn line(name: &str, value: f64, unit: &str, target: &str) {
    println!("{name}\t{value:.3}\t{unit}\t{target}");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn timed(runs: u64, mut run: impl FnMut(u64)) -> Duration {
    let once = |number| {
        let start = Instant::now();
        run(number);
        start.elapsed()
    };
    median((0..runs).map(once).collect())
}

fn leaf(number: u64) -> Vec<u8> {
    let mut commitment = [0u8; 32];
    commitment[..8].copy_from_slice(&number.to_be_bytes());
    let commitments = [Some(commitment), Some(commitment), Some(commitment)];
    Leaf { type_code: 1, hours: 498_588, commitments }.encode()
}

fn main() {
    let leaves: Vec<Vec<u8>> = (0..LEAVES).map(leaf).collect();
    let mut tree = Tree::new();
    let start = Instant::now();
    for leaf in &leaves {
        tree.push(leaf);
        black_box(tree.root());
    }
    line("append_and_root", LEAVES as f64 / start.elapsed().as_secs_f64(), "leaves/s", "");

    let start = Instant::now();
    let mut again = Tree::new();
    for bytes in &leaves {
        black_box(Leaf::decode(bytes).unwrap());
        again.push(bytes);
    }
    assert_eq!(again.root(), tree.root());
    let speed = LEAVES as f64 / start.elapsed().as_secs_f64();
    line("reverify_leaves", speed, "leaves/s", ">=500000");

    let spread = |run: u64| run.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (LEAVES - 1);
    let build = timed(10_001, |run| drop(black_box(tree.inclusion(spread(run), LEAVES - 1))));
    line("inclusion_proof_at_1M", build.as_secs_f64() * 1e3, "ms", "<=1");
    let build = timed(10_001, |run| drop(black_box(tree.consistency(spread(run), LEAVES - 1))));
    line("consistency_proof_at_1M", build.as_secs_f64() * 1e3, "ms", "<=1");

    let (index, root) = (123_456, tree.root());
    let (path, hash) = (tree.inclusion(index, LEAVES).unwrap(), leaf_hash(&leaf(index)));
    let check = timed(10_001, |_| verify_inclusion(&hash, index, LEAVES, &path, &root).unwrap());
    line("inclusion_verify", check.as_secs_f64() * 1e6, "us", "<=1000");
    let (old_root, path) = (tree.root_at(index).unwrap(), tree.consistency(index, LEAVES).unwrap());
    let check = timed(10_001, |_| {
        verify_consistency(index, &old_root, LEAVES, &root, &path).unwrap();
    });
    line("consistency_verify", check.as_secs_f64() * 1e6, "us", "<=1000");
    signatures(&tree);
    bundles(&mut tree);
}

fn signatures(tree: &Tree) {
    let signer = Signer::from_seed(ORIGIN, &[7; 32]).unwrap();
    let pq = PqSigner::from_seed("bench.example/pq", &[8; 32]).unwrap();
    let checkpoint = Checkpoint::of(ORIGIN, tree);
    let mut note = checkpoint.sign(&signer).unwrap();
    let time = timed(1_001, |_| drop(black_box(checkpoint.sign(&signer).unwrap())));
    line("checkpoint_sign_ed25519", time.as_secs_f64() * 1e6, "us", "");
    let time = timed(201, |now| {
        note = {
            let mut note = checkpoint.sign(&signer).unwrap();
            note.add_signatures([pq.cosign(&checkpoint, now).unwrap()]);
            note
        }
    });
    line("checkpoint_sign_both", time.as_secs_f64() * 1e6, "us", "");
    let keys = [signer.verifier().clone(), pq.verifier().clone()];
    let time = timed(201, |_| assert_eq!(note.verify(&keys).unwrap().len(), 2));
    line("checkpoint_verify_both", time.as_secs_f64() * 1e6, "us", "");
}

fn bundles(tree: &mut Tree) {
    let signer = Signer::from_seed(ORIGIN, &[7; 32]).unwrap();
    let policy = Policy::for_log(signer.verifier().clone()).unwrap();
    for (name, size) in [("receipt_4KiB", 4 << 10), ("receipt_64MiB", 64 << 20)] {
        let exhibit = vec![0x5a; size];
        let (papers, salt) = (sha256(&exhibit).to_vec(), [3; 32]);
        let leaf = Leaf::commit(1, 0, [None, None, Some((&papers, &salt))]).encode();
        let index = tree.push(&leaf);
        let note = Checkpoint::of(ORIGIN, tree).sign(&signer).unwrap();
        let mut bytes = Vec::new();
        let start = Instant::now();
        BundleBuilder::new(Kind::Receipt, &note, &policy)
            .unwrap()
            .entry_of(tree, index, &leaf, [None, None, Some(Opened { bytes: papers, salt })])
            .unwrap()
            .exhibit(exhibit)
            .write(&signer, &mut bytes)
            .unwrap();
        line(&format!("{name}_build"), start.elapsed().as_secs_f64() * 1e3, "ms", "");
        let trust = Trust::pinned(policy.clone());
        let runs = if size < 1 << 20 { 201 } else { 5 };
        let check = timed(runs, |_| {
            assert!(!verify_bundle(Cursor::new(&bytes), &trust).unwrap().failed());
        });
        let target = if size < 1 << 20 { "<=1 plus signatures" } else { "" };
        line(&format!("{name}_verify"), check.as_secs_f64() * 1e3, "ms", target);
    }
}
