//! The golden vectors, on every path that cuts: each that this processor has, and those of
//! processors that lack what this one has, under an emulator.

use std::process::Command;

use super::tests::{cuts, stream};
use super::*;

const WANTED: &str = include_str!("../../../../fixtures/formats/v1/vault/cuts.txt");
const KEY: &[u8; 16] = b"bailee cut key 1";

/// A path by its name; `None` where this processor cannot go it.
type Way = (&'static str, Option<Cutter>);

#[cfg(target_arch = "x86_64")]
fn ways() -> Vec<Way> {
    let portable = || Cutter { soft: soft::Soft::new(KEY), fast: None, middling: None };
    let fast = vaes::Vaes::new(KEY).map(|fast| Cutter { fast: Some(fast), ..portable() });
    let middling = ymm::Ymm::new(KEY).map(|ymm| Cutter { middling: Some(ymm), ..portable() });
    // Crate `aes` chooses by the same bit.
    let by_instruction = is_x86_feature_detected!("aes");
    vec![
        ("AVX-512", fast),
        ("AVX2", middling),
        ("AES-NI", by_instruction.then(portable)),
        ("software AES", (!by_instruction).then(portable)),
    ]
}

#[cfg(not(target_arch = "x86_64"))]
fn ways() -> Vec<Way> {
    vec![("portable", Some(Cutter::new(KEY)))]
}

/// How much of the vectors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    /// The first cut of two of them: a late one and an early one.
    Short,
}

/// Runs vectors on each path there is, and says aloud which.
#[allow(clippy::print_stderr, reason = "which path did not run must not be silent")]
fn check_vectors(part: Part) {
    let mut ran = 0;
    for (name, cutter) in ways() {
        let Some(cutter) = cutter else {
            eprintln!("{name}: NOT RUN, this processor cannot");
            continue;
        };
        for line in WANTED.lines() {
            let (what, lens) = line.split_once(": ").unwrap();
            let (seed, len) = what.split_once(' ').unwrap();
            let lens: Vec<usize> = lens.split(' ').map(|n| n.parse().unwrap()).collect();
            let got = match part {
                Part::All => cuts(&cutter, &stream(seed, len.parse().unwrap())),
                Part::Short if !["b", "d"].contains(&seed) => continue,
                Part::Short => vec![cutter.cut(&stream(seed, MAX))],
            };
            let wanted = if part == Part::All { &lens[..] } else { &lens[..1] };
            assert_eq!(got, wanted, "{name}, {what}");
            ran += 1;
        }
        eprintln!("{name}: ran");
    }
    assert!(ran > 0, "no vector was compared");
}

#[test]
fn every_path_of_this_processor_gives_the_golden_vectors() {
    check_vectors(Part::All);
}

/// What the emulator is told to run, too; it is slow.
#[test]
fn short_vectors() {
    check_vectors(Part::Short);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn processors_that_lack_instructions_give_the_golden_vectors() {
    let me = std::env::current_exe().unwrap();
    for (processor, runs, lacks) in
        [("Nehalem", "software AES", "AES-NI"), ("Westmere", "AES-NI", "AVX2")]
    {
        let mut emulated = Command::new("qemu-x86_64");
        emulated.args(["-cpu", processor]).arg(&me);
        emulated.args(["--exact", "chunker::golden::short_vectors", "--nocapture"]);
        let done = emulated.output().unwrap_or_else(|e| {
            panic!("qemu-x86_64 does not start ({e}): sudo apt-get install -y qemu-user")
        });
        let (said, out) =
            (String::from_utf8_lossy(&done.stderr), String::from_utf8_lossy(&done.stdout));
        assert!(done.status.success(), "{processor}: {said}{out}");
        assert!(said.contains(&format!("{runs}: ran")), "{processor}: {said}");
        assert!(said.contains(&format!("{lacks}: NOT RUN")), "{processor}: {said}");
        assert!(out.contains("1 passed"), "{processor}: {out}");
    }
}
