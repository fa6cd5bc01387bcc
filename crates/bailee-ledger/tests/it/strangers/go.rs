//! The Go program in `verifiers/go`, built from source with Debian's packages and nothing else.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use super::answer::{Answer, Whose};
use super::{run, said, target};

/// The program, built once a process; Go's own cache makes the next time short.
fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../verifiers/go");
        let program = target().join("tools/verify-go");
        let mut build = Command::new("go");
        build.args(["build", "-o"]).arg(&program).arg(".").current_dir(source);
        // Nothing is fetched: golang.org/x/mod is where `replace` says.
        build.env("GOFLAGS", "-mod=mod").env("GOPROXY", "off").env("GOTOOLCHAIN", "local");
        build
            .env("GOCACHE", target().join("tools/go-cache"))
            .env("GOPATH", target().join("tools/go"));
        let output = run(&mut build);
        assert!(output.status.success(), "go build: {}; try `cargo xtask setup`", said(&output));
        program
    })
}

/// Runs the program with arguments.
pub(super) fn go(directory: &Path, arguments: &[&str]) -> Output {
    run(Command::new(program()).args(arguments).current_dir(directory))
}

/// One answer for each of these files.
pub(super) fn answers(directory: &Path, names: &[String], whose: Whose) -> Vec<Answer> {
    let mut arguments = vec!["bundle", "-brief"];
    match whose {
        Whose::Bundle => {}
        Whose::Key(vkey) => arguments.extend(["-key", vkey]),
        Whose::Policy(text) => {
            std::fs::write(directory.join("go.policy"), text).unwrap();
            arguments.extend(["-policy", "go.policy"]);
        }
    }
    arguments.extend(names.iter().map(String::as_str));
    let output = go(directory, &arguments);
    let lines = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Answer> = lines
        .lines()
        .zip(names)
        .map(|(line, name)| Answer::parse(line.strip_prefix(&format!("{name} ")).unwrap()))
        .collect();
    assert_eq!(answers.len(), names.len(), "{}", String::from_utf8_lossy(&output.stderr));
    answers
}
