//! A matter of 10,000 exhibits and 20 GB: measured, written and verified, and how much memory the
//! whole of it takes. What is written lies in memory without its zeros: no disk is in the figures.
//! Lines are `name<TAB>value<TAB>unit<TAB>target`.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a program that prints, and may stop

use std::io::{Cursor, Read};
use std::time::Instant;

use bailee_ledger::bundle::{BundleBuilder, Kind, Opened};
use bailee_ledger::zip::measure;
use bailee_ledger::{Checkpoint, Leaf, Policy, Signer, Tree, Trust, verify_bundle};

#[allow(dead_code)] // tests save and patch what is written
#[path = "../tests/it/holes.rs"]
mod holes;

use holes::Holes;

const ORIGIN: &str = "bench.example/log";
const EXHIBITS: u64 = 10_000;
/// Bytes of each, 2 MB in whole buffers, which are holes, and the number that makes it another.
const SIZE: u64 = 31 << 16;

fn exhibit(number: u64) -> impl Read {
    std::io::repeat(0).take(SIZE).chain(Cursor::new(number.to_le_bytes()))
}

fn rate(name: &str, begun: Instant) {
    let speed = (EXHIBITS * SIZE) as f64 / begun.elapsed().as_secs_f64() / 1e6;
    println!("{name}\t{speed:.0}\tMB/s\t");
}

/// Most memory this process has had, MB.
fn highest() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e3
}

fn main() {
    let begun = Instant::now();
    let measures: Vec<_> = (0..EXHIBITS).map(|n| measure(exhibit(n)).unwrap()).collect();
    rate("10,000 exhibits, 20 GB, measured", begun);
    let papers: Vec<u8> = measures.iter().flat_map(|measure| measure.sha256).collect();
    let leaf = Leaf::commit(1, 0, [None, None, Some((&papers, &[3; 32]))]).encode();
    let mut tree = Tree::new();
    let index = tree.push(&leaf);
    let signer = Signer::from_seed(ORIGIN, &[7; 32]).unwrap();
    let note = Checkpoint::of(ORIGIN, &tree).sign(&signer).unwrap();
    let policy = Policy::for_log(signer.verifier().clone()).unwrap();
    let mut builder = BundleBuilder::new(Kind::Matter, &note, &policy)
        .unwrap()
        .entry_of(&tree, index, &leaf, [None, None, Some(Opened { bytes: papers, salt: [3; 32] })])
        .unwrap();
    for (number, measure) in measures.into_iter().enumerate() {
        builder = builder.exhibit_opened(measure, move || Ok(exhibit(number as u64)));
    }
    let begun = Instant::now();
    let mut bundle = Holes::default();
    builder.write(&signer, &mut bundle).unwrap();
    rate("  written", begun);
    let begun = Instant::now();
    let report = verify_bundle(bundle, &Trust::pinned(policy)).unwrap();
    assert!(!report.failed() && report.exhibits.len() as u64 == EXHIBITS, "{report}");
    rate("  verified", begun);
    println!("  memory at its highest\t{:.0}\tMB\t<= 100", highest());
}
