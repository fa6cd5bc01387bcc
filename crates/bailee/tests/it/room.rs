//! A room with a house in it, and the binary to type at.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The binary under test.
pub(crate) const BAILEE: &str = env!("CARGO_BIN_EXE_bailee");

/// A letter that asks for an account's data to be kept.
pub(crate) const LETTER: &str = "From: Counsel for Vos <counsel@example.com>\r\n\
    To: custody@example.org\r\nSubject: Preserve the data of Vos Photography\r\n\
    Date: Tue, 18 Aug 2026 09:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\r\n\
    Please preserve any and all data of Vos Photography.\r\n";

/// A directory of its own; gone when dropped.
pub(crate) struct Room {
    dir: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Said {
        Said {
            code: output.status.code().expect("the program ends by itself"),
            out: String::from_utf8(output.stdout).expect("answers are text"),
            err: String::from_utf8(output.stderr).expect("remarks are text"),
        }
    }

    /// It worked; standard output.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Room {
    /// A room without a house.
    pub(crate) fn empty() -> Room {
        Room { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    /// A room with a house: E-1, counsel P-1 Cora, staff P-2 Ada and P-3 Ben.
    pub(crate) fn with_house() -> Room {
        let room = Room::empty();
        room.init();
        room
    }

    /// Makes that house.
    pub(crate) fn init(&self) {
        self.run(&[
            "init",
            "--origin",
            "log.example.org/2026",
            "--entity",
            "Example Host B.V.",
            "--country",
            "NL",
            "--counsel",
            "Cora Maas <cora@example.org>",
            "--staff",
            "Ada Smit <ada@example.org>",
            "--staff",
            "Ben Kok <ben@example.org>",
        ])
        .ok();
    }

    /// A path in the room.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The house's directory.
    pub(crate) fn house(&self) -> PathBuf {
        self.path("house")
    }

    /// Writes a file into the room.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("the room can be written");
        path
    }

    /// The binary, in this room, with nothing of the caller's environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BAILEE);
        command.args(args).current_dir(self.dir.path()).env_clear();
        command.env("BAILEE_DIR", self.house());
        command
    }

    /// Types a line.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        Said::of(self.command(args).stdin(Stdio::null()).output().expect("the binary starts"))
    }

    /// Types a line as somebody.
    pub(crate) fn run_as(&self, party: &str, args: &[&str]) -> Said {
        let all: Vec<&str> = ["--as", party].iter().chain(args).copied().collect();
        self.run(&all)
    }

    /// Types a line and pipes `input` into it.
    pub(crate) fn pipe(&self, args: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        child.stdin.take().expect("piped").write_all(input).expect("it reads its input");
        child.wait_with_output().expect("it ends")
    }

    /// Registers owner P-4, account AC-1 and asset A-1 of it.
    pub(crate) fn furnish(&self) {
        let ada = |args: &[&str]| self.run_as("P-2", args).ok();
        ada(&["party", "add", "Dana Vos", "--role", "owner", "--email", "dana@example.com"]);
        ada(&[
            "account",
            "add",
            "Vos Photography",
            "--owner",
            "P-4",
            "--entity",
            "E-1",
            "--law",
            "NL",
        ]);
        ada(&[
            "asset",
            "add",
            "srv-12",
            "--kind",
            "server",
            "--account",
            "AC-1",
            "--serial",
            "WX42-9",
        ]);
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("temporary directories have plain names")
}
