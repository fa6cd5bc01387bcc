//! Every byte of a bundle flipped, and the steps of `VERIFY.md` on it.
//!
//! All the steps are some two hundred processes: an hour for all bytes. So one shell runs, on the
//! good bundle, what stands before the first step that reads the file; then for each byte a fork
//! of that shell runs what follows, down to the last step that reads it. What is left out has not
//! read the byte: it says of the damaged bundle what it says of the good one. What the lists catch
//! is one process a byte then, and tried in whole. What comes to the steps about signatures, leaves
//! and proofs still costs dozens of processes a byte, minutes in all. Of that a share is tried each
//! day, so that every byte is tried in [`SHARES`] days; a test that fails says its byte, and
//! `BAILEE_SHARE=all` tries all of them, `BAILEE_SHARE=7` that share.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use super::answer::{Answer, Whose};
use super::bag::Bag;
use super::by_hand;
use super::cases::Case;
use super::flips;
use super::log::{ENTRY, PROOF, witnessed};

/// In how many days every byte of the dear files has been tried.
const SHARES: u64 = 32;

/// Lines of the steps at which a file is read first, or is read no more.
const POLICY: &str = "is_text \"$policy\"";
const NOTE: &str = "note bundle.note";
const TAGS: &str = "test \"$(sha256sum < tagmanifest-sha256.txt)\"";
const BAGIT: &str = "printf 'BagIt-Version";
const SECTIONS: &str = "opened=0";
const EXHIBITS: &str = "for file in data/exhibits/*";
const CHECKPOINT: &str = "note data/checkpoint";
const PROOFS: &str = "entries=0";
const WITNESSES: &str = ": > \"$work/seen\"";
const STAMPS: &str = "stamped=0";
const END: &str = "echo \"all steps hold\"";
/// Where a list's files are hashed, of the payload's list and of the other.
const PAYLOAD_HASHED: &str = "sha256sum --quiet --strict -c manifest-sha256.txt";
const TAGS_HASHED: &str = "sha256sum --quiet --strict -c tagmanifest-sha256.txt";

/// The steps, with the loop over the two lists written out, so that it can be entered between.
fn steps() -> String {
    let steps = by_hand::steps();
    let head = "for list in tagmanifest-sha256.txt manifest-sha256.txt; do\n";
    let (before, rest) = steps.split_once(head).expect("the steps loop over two lists");
    let (body, after) = rest.split_once("\ndone\n").unwrap();
    let of = |list: &str| {
        let lines = body.lines().map(|line| line.trim_start().replace("$list", list) + "\n");
        lines.collect::<String>()
    };
    [before, &of("tagmanifest-sha256.txt"), &of("manifest-sha256.txt"), after].concat()
}

/// Where the one line begins that starts so.
fn place(steps: &str, mark: &str) -> usize {
    let starts = steps.match_indices(mark).map(|(at, _)| at);
    let mut lines = starts.filter(|at| *at == 0 || steps.as_bytes()[at - 1] == b'\n');
    let at = lines.next().unwrap_or_else(|| panic!("no step starts with {mark}"));
    assert_eq!(lines.next(), None, "two steps start with {mark}");
    at
}

/// Flipped bytes that are first read at one step, and read no more from another on.
struct Stretch {
    from: &'static str,
    to: &'static str,
    cases: Vec<Case>,
    /// What of a case's files is put in place: the lists too, or only what the steps read.
    only: Option<Vec<&'static str>>,
}

/// One shell in a directory with the good bag, which has run the steps before.
struct Shell {
    child: Child,
    go: ChildStdin,
    said: BufReader<ChildStdout>,
    directory: tempfile::TempDir,
    /// What the steps before have written for those that follow.
    work: Bag,
    /// What the steps say before, and after.
    around: [String; 2],
}

impl Shell {
    fn new(bag: &Bag, stretch: &Stretch) -> Shell {
        let steps = steps();
        let [from, to] = [stretch.from, stretch.to].map(|mark| place(&steps, mark));
        let (before, rest, after) = (&steps[..from], &steps[from..to], &steps[to..]);
        // `set -e` counts in a subshell as long as nobody looks at how that ends.
        let script = format!(
            "{before}exec 3>&1\necho \"are before\"\nwhile read -r go; do\nset +e\n(set -e\n{rest})\
             </dev/null >../said 2>../errors\necho $? >&3\nset -e\ndone\n{rest}\
             echo \"are in it\"\n{after}"
        );
        let directory = in_memory();
        bag.unpack(directory.path());
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .current_dir(directory.path().join("bag"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (go, mut said) =
            (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let before = until(&mut said, "are before\n");
        let work = Bag::unpacked(&directory.path().join("check"));
        Shell { child, go, said, directory, work, around: [before, String::new()] }
    }

    /// What the steps say when these files are in place of the good ones.
    fn ask(&mut self, good: &Bag, files: &BTreeMap<String, Vec<u8>>) -> (bool, String) {
        put(self.directory.path(), files);
        self.go.write_all(b"go\n").unwrap();
        let mut code = String::new();
        self.said.read_line(&mut code).unwrap();
        let said = std::fs::read_to_string(self.directory.path().join("said")).unwrap();
        let again = files.keys().map(|name| (name.clone(), good.0[name].clone())).collect();
        put(self.directory.path(), &again);
        put(&self.directory.path().join("check"), &self.work.0);
        (code == "0\n", said)
    }

    /// Runs to the end on the good bag, for what the steps after say of it.
    fn end(mut self) -> [String; 2] {
        drop(self.go);
        until(&mut self.said, "are in it\n");
        self.around[1] = until(&mut self.said, "all steps hold\n") + "all steps hold\n";
        assert!(self.child.wait().unwrap().success());
        self.around
    }
}

/// A directory for thousands of small files, where no disk has to take them.
pub(super) fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn put(directory: &Path, files: &BTreeMap<String, Vec<u8>>) {
    for (name, bytes) in files {
        std::fs::write(directory.join(name), bytes).unwrap();
    }
}

/// What is said before a line.
fn until(said: &mut impl BufRead, mark: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(mark) {
        assert!(said.read_line(&mut text).unwrap() > 0, "the steps stop on the good bag: {text}");
    }
    text.truncate(text.len() - mark.len());
    text
}

/// What the steps say differently from ours.
fn differences(stretch: &Stretch) -> Vec<String> {
    let (good, whose) = (witnessed(), Whose::Bundle);
    let mut shell = Shell::new(&good, stretch);
    let mut answers = Vec::new();
    for (_, bag) in &stretch.cases {
        let mut files = bag.0.clone();
        files.retain(|name, bytes| {
            let read = |only: &Vec<&str>| only.iter().any(|path| *path == &name["bag/".len()..]);
            good.0[name] != *bytes && stretch.only.as_ref().is_none_or(read)
        });
        assert!(!files.is_empty(), "nothing is put in place");
        answers.push(shell.ask(&good, &files));
    }
    let [before, after] = shell.end();
    let mut different = Vec::new();
    for ((what, bag), (holds, said)) in stretch.cases.iter().zip(answers) {
        let text =
            if holds { [&before[..], &said, &after].concat() } else { before.clone() + &said };
        let theirs = by_hand::read(&text, holds, what);
        let ours = Answer::ours(&bag.pack(), &whose.trust());
        if !ours.agrees(&theirs) {
            different.push(format!("{what}: {theirs:?}, ours {ours:?}"));
        }
    }
    different
}

/// Of what is dear: today's share.
fn share<T>(cases: Vec<T>) -> Vec<T> {
    one_of(SHARES, cases)
}

/// Today's of so many shares.
pub(super) fn one_of<T>(shares: u64, cases: Vec<T>) -> Vec<T> {
    let today = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let share = match std::env::var("BAILEE_SHARE") {
        Ok(all) if all == "all" => return cases,
        Ok(number) => number.parse().unwrap(),
        Err(_) => today(),
    };
    let mine = |at: usize| at as u64 % shares == share % shares;
    cases.into_iter().enumerate().filter(|(at, _)| mine(*at)).map(|(_, case)| case).collect()
}

/// Only the byte has changed.
fn found() -> Vec<Stretch> {
    let of = |path: &str| {
        let cases = flips::found_in(path);
        let (from, cases) = match path {
            "data/policy.tlog-policy" => (POLICY, share(cases)),
            "bundle.note" => (NOTE, share(cases)),
            "tagmanifest-sha256.txt" => (TAGS, cases),
            path if path.starts_with("data/") => (PAYLOAD_HASHED, cases),
            _ => (TAGS_HASHED, cases),
        };
        Stretch { from, to: END, cases, only: None }
    };
    flips::paths(&witnessed()).iter().map(|path| of(path)).collect()
}

/// Listed and signed again. The steps that compare lists and files have nothing to find, and are
/// run where the file is one that they read.
fn issued() -> Vec<Stretch> {
    let both = flips::checkpoint_issued();
    let stretch = |from, to, cases, only: &[&'static str]| Stretch {
        from,
        to,
        cases,
        only: Some(only.to_vec()),
    };
    // What they cost is dozens of processes a byte.
    let dear = |path: &str| share(flips::issued_in(path));
    let mut stretches = vec![
        stretch(CHECKPOINT, STAMPS, share(both), &["data/checkpoint", PROOF]),
        stretch(CHECKPOINT, STAMPS, dear("data/checkpoint"), &["data/checkpoint"]),
        stretch(PROOFS, WITNESSES, dear(PROOF), &[PROOF]),
    ];
    for path in flips::paths(&witnessed()) {
        let path: &'static str = path.leak();
        let cases = || flips::issued_in(path);
        let found = match path {
            path if path.ends_with("/leaf.bin") => {
                stretch(SECTIONS, WITNESSES, dear(path), &[path])
            }
            path if path.starts_with(ENTRY) && path != PROOF => {
                stretch(SECTIONS, CHECKPOINT, dear(path), &[path])
            }
            path if path.starts_with("data/exhibits/") => {
                stretch(EXHIBITS, CHECKPOINT, cases(), &[path])
            }
            "data/policy.tlog-policy" => {
                Stretch { from: POLICY, to: STAMPS, cases: dear(path), only: None }
            }
            "manifest-sha256.txt" => {
                Stretch { from: NOTE, to: SECTIONS, cases: dear(path), only: None }
            }
            "bag-info.txt" => stretch(BAGIT, SECTIONS, dear(path), &[path]),
            "bagit.txt" => stretch(BAGIT, SECTIONS, cases(), &[path]),
            // What nothing reads once it is listed, or is listed nowhere, is no case.
            "data/checkpoint" | PROOF | "data/README.txt" => continue,
            "bundle.note" | "tagmanifest-sha256.txt" => continue,
            path => panic!("which steps read {path}?"),
        };
        stretches.push(found);
    }
    stretches
}

fn expect_none(stretches: &[Stretch], at_least: usize) {
    let (mut different, mut bytes) = (Vec::new(), 0);
    for stretch in stretches.iter().filter(|stretch| !stretch.cases.is_empty()) {
        let started = std::time::Instant::now();
        different.extend(differences(stretch));
        let (count, what) = (stretch.cases.len(), &stretch.cases[0].0);
        eprintln!("{count} bytes from {what} in {:.1?}", started.elapsed());
        bytes += count;
    }
    assert!(bytes >= at_least, "{bytes}");
    let shown: Vec<&str> = different.iter().take(40).map(String::as_str).collect();
    assert!(different.is_empty(), "{} differences\n{}", different.len(), shown.join("\n"));
}

#[test]
fn the_steps_by_hand_see_every_byte_that_has_changed() {
    expect_none(&found(), 3_000);
}

#[test]
fn the_steps_by_hand_judge_every_byte_that_a_dishonest_log_lists() {
    expect_none(&issued(), 200);
}

/// Cut short as above, the steps say of the same damage what they say in whole.
#[test]
fn steps_that_have_not_read_a_byte_say_what_they_say_of_the_good_bundle() {
    let mut tried = 0;
    let stretches = found().into_iter().chain(issued());
    for mut stretch in stretches.filter(|stretch| !stretch.cases.is_empty()) {
        let case = stretch.cases.swap_remove(stretch.cases.len() / 2);
        let whole = by_hand::answer(&case.1, Whose::Bundle);
        let ours = Answer::ours(&case.1.pack(), &Whose::Bundle.trust());
        assert!(ours.agrees(&whole), "{}: {whole:?}, ours {ours:?}", case.0);
        tried += 1;
    }
    assert!(tried > 20, "{tried}");
}
