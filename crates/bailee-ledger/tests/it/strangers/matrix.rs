//! The damage matrix: every verifier, on every damaged bundle, says what ours says.

use std::path::Path;
use std::time::Instant;

use super::answer::{Answer, Whose};
use super::bag::Bag;
use super::{by_hand, cases, go, log, page, python};

/// Bundles as files, with what was done to each.
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

    /// What a verifier says differently.
    fn differences(&self, verifier: &str, theirs: &[Answer]) -> Vec<String> {
        let all = self.what.iter().zip(self.ours.iter().zip(theirs));
        let differs = all.filter(|(_, (ours, theirs))| !ours.agrees(theirs));
        differs
            .map(|(what, (ours, theirs))| format!("{verifier}: {what}: {theirs:?}, ours {ours:?}"))
            .collect()
    }
}

type Verifier = fn(&Path, &[String], Whose) -> Vec<Answer>;

/// Those that check many bundles in one process.
const PROGRAMS: [(&str, Verifier); 3] =
    [("go", go::answers), ("python", python::answers), ("page", page::answers)];

/// Asks all programs at once; answers what they say differently.
fn differences(files: &Files, whose: Whose) -> Vec<String> {
    std::thread::scope(|scope| {
        let ask = |(name, verifier): (&'static str, Verifier)| {
            let started = Instant::now();
            let theirs = verifier(files.directory.path(), &files.names, whose);
            eprintln!("{name}: {} bundles in {:.1?}", theirs.len(), started.elapsed());
            files.differences(name, &theirs)
        };
        let asked: Vec<_> = PROGRAMS.map(|program| scope.spawn(move || ask(program))).into();
        asked.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn expect_agreement(files: &Files, whose: Whose) {
    let different = differences(files, whose);
    let shown: Vec<&str> = different.iter().take(40).map(String::as_str).collect();
    assert!(different.is_empty(), "{} differences\n{}", different.len(), shown.join("\n"));
}

fn packed(cases: Vec<(String, Bag)>) -> impl Iterator<Item = (String, Vec<u8>)> {
    cases.into_iter().map(|(what, bag)| (what, bag.pack()))
}

#[test]
fn every_kind_of_damage_gets_the_same_answer_everywhere() {
    let files = Files::of(packed(cases::all()), Whose::Bundle);
    let holding = files.ours.iter().filter(|ours| matches!(ours, Answer::Claims(_, v) if *v == super::answer::Verdict::Holds));
    assert!(holding.count() >= 15, "{:?}", files.ours);
    expect_agreement(&files, Whose::Bundle);
}

#[test]
fn the_steps_by_hand_stop_where_ours_say_so() {
    let mut different = Vec::new();
    for (what, bag) in cases::all() {
        let ours = Answer::ours(&bag.pack(), &Whose::Bundle.trust());
        let theirs = by_hand::answer(&bag, Whose::Bundle);
        if !ours.agrees(&theirs) {
            different.push(format!("{what}: {theirs:?}, ours {ours:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
