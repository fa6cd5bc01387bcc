//! The tools that are run on the same data: ours, restic, borg, rustic.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is asked of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Init,
    /// Keep the corpus as it is now.
    Keep,
    /// Give the last copy back.
    Restore,
    /// Read everything and compare.
    Check,
    /// Forget the last copy, and give the room back.
    LetGo,
}

/// One tool with a repository of its own.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) store: PathBuf,
    scratch: PathBuf,
}

fn answers(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// Installs what Debian has, visibly, when we are root.
pub(crate) fn install() {
    let missing: Vec<&str> = [("restic", "restic"), ("borg", "borgbackup")]
        .into_iter()
        .filter(|(program, _)| !answers(program))
        .map(|(_, package)| package)
        .collect();
    if missing.is_empty() {
        return;
    }
    println!("$ apt-get install -y {}", missing.join(" "));
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-q", "--no-install-recommends"]).args(&missing);
    let done = install.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()).status();
    if !done.is_ok_and(|status| status.success()) {
        println!("not measured beside us: {} (install them to compare)", missing.join(", "));
    }
}

impl Tool {
    /// Ours, and every peer that is installed.
    pub(crate) fn all(dir: &Path) -> Vec<Self> {
        let there = |name: &&str| *name == "bailee" || answers(name);
        let tools = ["bailee", "restic", "borg", "rustic"].into_iter().filter(there);
        tools
            .map(|name| {
                let scratch = dir.join(format!("{name}-scratch"));
                std::fs::create_dir_all(&scratch).unwrap();
                std::fs::write(scratch.join("password"), "a benchmark has no secrets").unwrap();
                Self { name, store: dir.join(name), scratch }
            })
            .collect()
    }

    /// The command that does it. `corpus` is preserved from, `back` is restored into.
    pub(crate) fn command(&self, act: Act, corpus: &Path, back: &Path) -> Command {
        let mut command = match self.name {
            "bailee" => self.ours(act, corpus, back),
            "borg" => self.borg(act, corpus, back),
            _ => self.restic(act, corpus, back),
        };
        command.stderr(Stdio::null()).env("HOME", &self.scratch);
        command
    }

    fn ours(&self, act: Act, corpus: &Path, back: &Path) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--act").arg(format!("{act:?}")).arg(&self.store).arg(corpus).arg(back);
        command
    }

    fn restic(&self, act: Act, corpus: &Path, back: &Path) -> Command {
        let mut command = Command::new(self.name);
        command.arg("-r").arg(&self.store).arg("--password-file");
        command.arg(self.scratch.join("password"));
        command.env("XDG_CACHE_HOME", &self.scratch);
        match act {
            Act::Init => command.arg("init"),
            Act::Keep => command.arg("backup").arg(corpus),
            Act::Restore if self.name == "rustic" => command.args(["restore", "latest"]).arg(back),
            Act::Restore => command.args(["restore", "latest", "--target"]).arg(back),
            Act::Check => command.args(["check", "--read-data"]),
            Act::LetGo => command.args(["forget", "--prune", "latest"]),
        };
        command
    }

    fn borg(&self, act: Act, corpus: &Path, back: &Path) -> Command {
        let mut command = Command::new("borg");
        command.env("BORG_BASE_DIR", &self.scratch).env("BORG_PASSPHRASE", "no secret");
        let store = self.store.display();
        match act {
            Act::Init => command.args(["init", "-e", "repokey-blake2"]).arg(&self.store),
            Act::Keep => {
                let archive = format!("{store}::{{now:%s%f}}");
                command.args(["create", "-C", "zstd,1"]).arg(archive).arg(corpus)
            }
            Act::Restore => {
                std::fs::create_dir_all(back).unwrap();
                let script = "exec borg extract \"$1::$(borg list --short --last 1 \"$1\")\"";
                let mut shell = Command::new("sh");
                shell.args(["-c", script, "sh"]).arg(&self.store).current_dir(back);
                shell.env("BORG_BASE_DIR", &self.scratch).env("BORG_PASSPHRASE", "no secret");
                return shell;
            }
            Act::Check => command.args(["check", "--verify-data"]).arg(&self.store),
            Act::LetGo => {
                let script = "borg delete \"$1::$(borg list --short --last 1 \"$1\")\" && \
                              exec borg compact \"$1\"";
                let mut shell = Command::new("sh");
                shell.args(["-c", script, "sh"]).arg(&self.store);
                shell.env("BORG_BASE_DIR", &self.scratch).env("BORG_PASSPHRASE", "no secret");
                return shell;
            }
        };
        command
    }
}
