//! The damage matrix: every verifier, on every damaged bundle, says what ours says.
//!
//! Go, Python and the page check all cases in one process each, at the same time; the steps by
//! hand, which start some hundred programs a bundle, every kind of damage; bytes by hand are in
//! `byte_by_hand`.

use std::path::Path;
use std::time::Instant;

use bailee_ledger::Signer;

use super::answer::{Answer, State, Verdict, Whose};
use super::cases::{self, Case};
use super::{by_hand, flips, go, log, page, python};
use crate::common::{ORIGIN, log_signer, witness_policy};

/// Bundles as files, with what was done to each, and what ours says.
struct Files {
    directory: tempfile::TempDir,
    names: Vec<String>,
    what: Vec<String>,
    ours: Vec<Answer>,
}

impl Files {
    fn of(bundles: impl IntoIterator<Item = (String, Vec<u8>)>, whose: Whose) -> Files {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let trust = whose.trust();
        let (mut names, mut what, mut ours) = (Vec::new(), Vec::new(), Vec::new());
        for (number, (case, bytes)) in bundles.into_iter().enumerate() {
            let name = number.to_string();
            std::fs::write(directory.path().join(&name), &bytes).unwrap();
            names.push(name);
            what.push(case);
            ours.push(Answer::ours(&bytes, &trust));
        }
        Files { directory, names, what, ours }
    }

    fn packed(cases: Vec<Case>, whose: Whose) -> Files {
        Files::of(cases.into_iter().map(|(what, bag)| (what, bag.pack())), whose)
    }

    fn holding(&self) -> usize {
        let holds = |ours: &&Answer| matches!(ours, Answer::Claims(_, Verdict::Holds));
        self.ours.iter().filter(holds).count()
    }

    /// What a verifier says differently.
    fn differences(&self, verifier: &str, theirs: &[Answer]) -> Vec<String> {
        let all = self.what.iter().zip(self.ours.iter().zip(theirs));
        let differs = all.filter(|(_, (ours, theirs))| !ours.agrees(theirs));
        let told = |(what, (ours, theirs)): (&String, (&Answer, &Answer))| {
            format!("{verifier}: {what}: {theirs:?}, ours {ours:?}")
        };
        differs.map(told).collect()
    }

    /// Asks programs at once: what they say differently.
    fn ask(&self, programs: &[Program], whose: Whose) -> Vec<String> {
        std::thread::scope(|scope| {
            let ask = |(name, verifier): Program| {
                let started = Instant::now();
                let theirs = verifier(self.directory.path(), &self.names, whose);
                eprintln!("{name}: {} bundles in {:.1?}", theirs.len(), started.elapsed());
                self.differences(name, &theirs)
            };
            let asked: Vec<_> =
                programs.iter().map(|program| scope.spawn(move || ask(*program))).collect();
            asked.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        })
    }
}

/// Checks many bundles in one process.
pub(super) type Program = (&'static str, fn(&Path, &[String], Whose) -> Vec<Answer>);

const GO: Program = ("go", go::answers);
const PYTHON: Program = ("python", python::answers);
const PAGE: Program = ("page", page::answers);
pub(super) const ALL: [Program; 3] = [GO, PYTHON, PAGE];

fn expect_none(different: &[String]) {
    let shown: Vec<&str> = different.iter().take(40).map(String::as_str).collect();
    assert!(different.is_empty(), "{} differences\n{}", different.len(), shown.join("\n"));
}

#[test]
fn every_kind_of_damage_gets_the_same_answer_everywhere() {
    let files = Files::packed(cases::all(), Whose::Bundle);
    // Neither does everything hold nor nothing.
    assert!(files.holding() >= 20 && files.names.len() > 4 * files.holding(), "{:?}", files.ours);
    expect_none(&files.ask(&ALL, Whose::Bundle));
}

#[test]
fn every_flipped_byte_gets_the_same_answer_everywhere() {
    let mut cases = flips::found();
    let unlisted = cases.len();
    cases.extend(flips::issued());
    cases.extend(flips::checkpoint_issued());
    let files = Files::packed(cases, Whose::Bundle);
    let holds = |ours: &Answer| matches!(ours, Answer::Claims(_, Verdict::Holds));
    assert!(!files.ours[..unlisted].iter().any(holds), "a byte changed unnoticed");
    assert!(files.holding() > 0 && files.names.len() > 5_000, "{}", files.names.len());
    expect_none(&files.ask(&ALL, Whose::Bundle));
}

#[test]
fn every_byte_of_the_archive_itself_counts_everywhere() {
    let files = Files::of(flips::raw(), Whose::Bundle);
    assert_eq!(files.holding(), 0);
    expect_none(&files.ask(&ALL, Whose::Bundle));
}

#[test]
fn ml_dsa_counts_where_it_can_be_checked() {
    let good = Files::packed(vec![("valid".to_owned(), log::post_quantum())], Whose::Bundle);
    assert_eq!(good.ours, [Answer::parse("proven proven proven not-shown true")]);
    for (name, verifier) in [PYTHON, PAGE] {
        let said = verifier(good.directory.path(), &good.names, Whose::Bundle);
        assert_eq!(said, good.ours, "{name}");
    }
    let unchecked = [Answer::parse("proven proven not-checked not-shown true")];
    assert_eq!(go::answers(good.directory.path(), &good.names, Whose::Bundle), unchecked);
    assert_eq!([by_hand::answer(&log::post_quantum(), Whose::Bundle)], unchecked);

    let files = Files::packed(flips::post_quantum_issued(13), Whose::Bundle);
    let broken = |ours: &&Answer| matches!(ours, Answer::Claims([_, _, State::Failed, _], _));
    assert!(files.ours.iter().filter(broken).count() > 100, "{:?}", files.ours);
    expect_none(&files.ask(&[PYTHON, PAGE], Whose::Bundle));
}

#[test]
fn what_the_reader_brings_counts_and_not_the_bundle() {
    let stranger = Signer::from_seed(ORIGIN, &[9; 32]).unwrap().verifier().to_vkey();
    let own = log_signer().verifier().to_vkey();
    let policy = witness_policy().to_string();
    for whose in [Whose::Key(&own), Whose::Key(&stranger), Whose::Policy(&policy)] {
        let bags: Vec<Case> = cases::all().into_iter().filter(|(what, _)| pinned(what)).collect();
        for (what, bag) in &bags {
            let ours = Answer::ours(&bag.pack(), &whose.trust());
            let theirs = by_hand::answer(bag, whose);
            assert!(ours.agrees(&theirs), "{whose:?}, {what}: {theirs:?}, ours {ours:?}");
        }
        let files = Files::packed(bags, whose);
        let wanted = if whose == Whose::Key(&stranger) { 0 } else { 2 };
        assert!(files.holding() >= wanted && files.holding() <= 6, "{:?}", files.ours);
        expect_none(&files.ask(&ALL, whose));
    }
}

/// Cases whose answer depends on whose policy counts.
fn pinned(what: &str) -> bool {
    [
        "valid, nobody asked to cosign",
        "valid, two of three witnesses",
        "checkpoint: quorum not reached",
        "checkpoint: a cosignature that fails",
        "policy: quorum none",
        "policy: without the log",
        "note: by another log that the policy lists",
    ]
    .contains(&what)
}

/// Kinds of damage that everybody thinks of first: never left to a sample.
const NAMED: [&str; 18] = [
    "valid, two of three witnesses",
    "data/checkpoint: cut",
    "data/policy.tlog-policy: cut",
    "bundle.note: cut",
    "data/entries/000000002/proof.tlog-proof: cut",
    "proof: one hash more",
    "proof: one hash less",
    "proof: wrong index",
    "proof: index out of the tree",
    "checkpoint: another origin, by the log",
    "checkpoint: another origin, by its log",
    "note: another origin",
    "checkpoint: replayed, old, with the new proof",
    "checkpoint: replayed, old, with its proof",
    "checkpoint: unknown keys only",
    "note: unknown keys only",
    "checkpoint: one witness twice",
    "checkpoint: one line twice",
];

#[test]
fn the_steps_by_hand_stop_where_ours_say_so() {
    // Of the other kinds of damage every third, so that all of it ends in a minute; each byte is
    // in `byte_by_hand`.
    // A shell looks at bytes: white space beyond ASCII in a stranger's name is a name to it. The
    // steps stand in the bag: what was unpacked beside it is not theirs to see.
    let unseen = |what: &str| what.contains("U+2003") || what.contains("outside of the bag");
    let all = cases::all();
    let found: Vec<&str> = all.iter().map(|(what, _)| what.as_str()).collect();
    let lost: Vec<_> = NAMED.iter().filter(|name| !found.contains(name)).collect();
    assert!(lost.is_empty(), "no such case any more: {lost:?}");
    let seen = all.into_iter().filter(|(what, _)| !what.contains("U+2003")).enumerate();
    let kinds = seen.filter(|(n, (what, _))| n % 3 == 0 || NAMED.contains(&what.as_str()));
    let kinds = kinds.map(|(_, case)| case).filter(|(what, _)| !unseen(what));
    let cases: Vec<Case> = kinds.collect();
    let (first, second) = cases.split_at(cases.len() / 2);
    let check = |cases: &[Case]| {
        let differs = |(what, bag): &Case| {
            let ours = Answer::ours(&bag.pack(), &Whose::Bundle.trust());
            let theirs = by_hand::answer(bag, Whose::Bundle);
            (!ours.agrees(&theirs)).then(|| format!("{what}: {theirs:?}, ours {ours:?}"))
        };
        cases.iter().filter_map(differs).collect::<Vec<String>>()
    };
    let different = std::thread::scope(|scope| {
        let other = scope.spawn(|| check(second));
        [check(first), other.join().unwrap()].concat()
    });
    expect_none(&different);
}
