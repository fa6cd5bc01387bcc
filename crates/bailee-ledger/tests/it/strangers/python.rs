//! `verify.py`, in the environment that `cargo xtask setup` makes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bailee_ledger::zip::Measure;

use super::answer::{Answer, Whose};
use super::{run, said, stranger, target};

/// Many bundles in one process: the program's own class, one line each.
const MANY: &str = r#"
import sys
sys.path.insert(0, sys.argv[1])
import verify
policy = verify.Policy(open(sys.argv[2], "rb").read()) if sys.argv[2] else None
for name in sys.stdin.read().split():
    bundle = verify.Bundle(name, policy)
    states = [bundle.claims[claim].replace(" ", "-") for claim in verify.CLAIMS if bundle.claims]
    print(*(states or ["refused"]), *(["false" if bundle.problems else "true"] if states else []))
"#;

/// The archive's headers and directory, all of them, but not the CRC of one very large file.
const OPEN: &str = r#"
import sys
sys.path.insert(0, sys.argv[1])
import verify
crc32, size, crc = verify.zlib.crc32, int(sys.argv[3]), int(sys.argv[4])
verify.zlib.crc32 = lambda data: crc if len(data) == size else crc32(data)
files = verify.open_archive(sys.argv[2])
listed = bytes(files["manifest-sha256.txt"])
print(len(files), max(map(len, files.values())), b"data/exhibits/" in listed)
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

/// Opens an archive with one very large file, whose content is not read.
pub(super) fn opened(archive: &Path, large: &Measure) -> String {
    let mut command = python();
    command.args(["-c", OPEN]).arg(stranger("")).arg(archive);
    let output = run(command.arg(large.size.to_string()).arg(large.crc.to_string()));
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// One answer for each of these files.
pub(super) fn answers(directory: &Path, names: &[String], whose: Whose) -> Vec<Answer> {
    let policy = match whose {
        Whose::Bundle => None,
        Whose::Key(vkey) => Some(format!("log {vkey}\nquorum none\n")),
        Whose::Policy(text) => Some(text.to_owned()),
    };
    let given = if policy.is_some() { "python.policy" } else { "" };
    std::fs::write(directory.join("python.policy"), policy.unwrap_or_default()).unwrap();
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
