//! `verify.py`, in the environment that `cargo xtask setup` makes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::answer::{Answer, Whose};
use super::{run, said, stranger, target};

/// Many bundles in one process: the program's own class, one line each.
const MANY: &str = r#"
import sys
sys.path.insert(0, sys.argv[1])
import verify
policy = verify.given_policy(sys.argv[2] or None)
for name in sys.stdin.read().split():
    try:
        bundle = verify.Bundle(name, policy)
        states = [bundle.claims[claim] for claim in ("documents", "log", "witnesses", "timestamp")]
        print(*(state.replace(" ", "-") for state in states), "false" if bundle.problems else "true")
    except Exception:
        print("refused")
"#;

fn interpreter() -> PathBuf {
    let python = target().join("tools/python/bin/python");
    assert!(python.exists(), "no {}: run `cargo xtask setup`", python.display());
    python
}

fn python() -> Command {
    let mut command = Command::new(interpreter());
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1");
    command
}

/// The program as a person runs it.
pub(super) fn verify(directory: &Path, arguments: &[&str]) -> Output {
    run(python().arg(stranger("verify.py")).args(arguments).current_dir(directory))
}

/// One answer for each of these files.
pub(super) fn answers(directory: &Path, names: &[String], whose: Whose) -> Vec<Answer> {
    let given = match whose {
        Whose::Bundle => "",
        Whose::Key(vkey) => vkey,
        Whose::Policy(text) => {
            std::fs::write(directory.join("python.policy"), text).unwrap();
            "python.policy"
        }
    };
    std::fs::write(directory.join("python.list"), names.join("\n")).unwrap();
    let list = std::fs::File::open(directory.join("python.list")).unwrap();
    let mut command = python();
    command.args(["-c", MANY]).arg(stranger("")).arg(given).stdin(list).current_dir(directory);
    let output = run(&mut command);
    assert!(output.status.success(), "{}", said(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Answer> = lines.lines().map(Answer::parse).collect();
    assert_eq!(answers.len(), names.len());
    answers
}
