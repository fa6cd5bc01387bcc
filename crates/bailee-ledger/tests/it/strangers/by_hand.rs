//! `VERIFY.md`: its indented blocks, exactly as they stand, in one shell.

use std::path::Path;
use std::process::{Command, Output};

use bailee_ledger::bundle::VERIFY_MD;

use super::answer::{Answer, State, Verdict, Whose};
use super::bag::Bag;
use super::{run, said};

/// The steps.
pub(super) fn steps() -> String {
    let code = VERIFY_MD.lines().filter_map(|line| line.strip_prefix("    "));
    code.fold(String::new(), |text, line| text + line + "\n")
}

/// Runs the steps on an unpacked bundle.
pub(super) fn run_steps(bag: &Bag, whose: Whose) -> Output {
    let directory = tempfile::tempdir().unwrap();
    bag.unpack(directory.path());
    steps_in(directory.path(), whose)
}

/// Runs the steps in a directory with a bag, under the reader's own roots of timestamps.
pub(super) fn steps_under(directory: &Path, roots: &[u8]) -> Output {
    std::fs::write(directory.join("own.pem"), roots).unwrap();
    run(Command::new("sh")
        .arg("-c")
        .arg(steps())
        .env("ROOTS", "../own.pem")
        .current_dir(directory.join("bag")))
}

fn steps_in(directory: &Path, whose: Whose) -> Output {
    let mut command = Command::new("sh");
    command.arg("-c").arg(steps()).current_dir(directory.join("bag"));
    let policy = match whose {
        Whose::Bundle => None,
        Whose::Key(vkey) => Some(format!("log {vkey}\nquorum none\n")),
        Whose::Policy(text) => Some(text.to_owned()),
    };
    if let Some(policy) = policy {
        std::fs::write(directory.join("own.tlog-policy"), policy).unwrap();
        command.env("POLICY", "../own.tlog-policy");
    }
    run(&mut command)
}

/// What the steps say.
pub(super) fn answer(bag: &Bag, whose: Whose) -> Answer {
    let output = run_steps(bag, whose);
    read(&String::from_utf8_lossy(&output.stdout), output.status.success(), &said(&output))
}

/// The steps stop at the first thing that does not hold: claims after that are not checked, and
/// when they stop before the first claim there is nothing to believe.
pub(super) fn read(text: &str, holds: bool, said: &str) -> Answer {
    let mut states = [State::NotChecked; 4];
    let claims = text.lines().filter_map(|line| line.strip_prefix("CLAIM "));
    for claim in claims.clone() {
        let (name, rest) = claim.split_once(": ").unwrap();
        let names = ["documents", "log", "witnesses", "timestamp"];
        let place = names.iter().position(|known| *known == name).unwrap();
        let words: String = rest.chars().take_while(|c| c.is_alphabetic() || *c == ' ').collect();
        states[place] = State::parse(&words.trim_end().replace(' ', "-"));
    }
    assert_eq!(holds, text.ends_with("all steps hold\n"), "{said}");
    assert!(!holds || claims.count() == 4, "{said}");
    match (holds, states) {
        (true, states) => Answer::Claims(states, Verdict::Holds),
        (false, [State::NotChecked, ..]) => Answer::Refused,
        (false, states) => Answer::Claims(states, Verdict::Contradicted),
    }
}
