//! Trouble: every way in which the answer is not yes, with its exit code and its words.
//!
//! Invariants: 1 is a no (refused, blocked, not verified), 2 wrong use, 3 a failure; each says what
//! happened, to which thing, and what to do next. With `--json` the same goes out as RFC 9457
//! problem details. A reader that went away never makes a no a 0: an answer keeps its own exit
//! code, read or not, and what is itself the product (data, receipts, tokens) was not handed over,
//! which is a failure. That one is quiet, because `| head` is no mistake.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use bailee_server::api::Problem;
use clap::error::ErrorKind as ClapError;

use crate::print;

/// Why the answer is not yes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// A named no or a named failure.
    #[error(transparent)]
    Problem(Box<Problem>),
    /// It was said already; this is the exit code.
    #[error("exit code {0}")]
    Said(u8),
    /// The reader left before all that was asked for was written.
    #[error("the reader left before the end")]
    Unread,
}

impl Trouble {
    /// A no that is found here and not in the house.
    pub(crate) fn refused(
        code: &str,
        about: impl Display,
        detail: impl Display,
        change: &str,
    ) -> Trouble {
        Problem::new(409, code, about.to_string(), detail.to_string(), change).into()
    }

    /// Wrong use.
    pub(crate) fn usage(about: impl Display, detail: impl Display, change: &str) -> Trouble {
        Problem::new(400, "wrong_use", about.to_string(), detail.to_string(), change).into()
    }

    /// A failure.
    pub(crate) fn failed(
        code: &str,
        about: impl Display,
        detail: impl Display,
        change: &str,
    ) -> Trouble {
        Problem::new(500, code, about.to_string(), detail.to_string(), change).into()
    }

    /// The system says no to a file.
    pub(crate) fn io(doing: impl Display, error: &io::Error) -> Trouble {
        let detail = format!("could not {doing}: {error}");
        let change = "look at path, permissions and free space, and try again";
        Trouble::failed("io_failed", "this machine", detail, change)
    }

    /// A device cannot be identified or overwritten.
    pub(crate) fn device(
        path: impl Display,
        error: &bailee_server::sanitize::SanitizeError,
    ) -> Trouble {
        let change = "remove the cause and try again; nothing was written";
        Trouble::refused(error.code(), path, error, change)
    }

    /// Writing a product failed: quietly, if its reader left.
    pub(crate) fn unread(error: &io::Error) -> Trouble {
        match error.kind() {
            ErrorKind::BrokenPipe => Trouble::Unread,
            _ => Trouble::io("write the answer", error),
        }
    }

    /// For what has no way through a server: a house in use has to be left first.
    pub(crate) fn only_here(self, what: &str) -> Trouble {
        match self {
            Trouble::Problem(problem) if problem.code == "house_in_use" => {
                let change = format!(
                    "stop it (or wait, if it is a command), and give this command again: {what} \
                     works on the data directory itself and not through --server"
                );
                Trouble::Problem(Box::new(Problem { change, ..*problem }))
            }
            other => other,
        }
    }

    /// True if what was typed, or given, is not what the command takes.
    pub(crate) fn is_wrong_use(&self) -> bool {
        matches!(self, Trouble::Problem(problem) if problem.exit_code() == 2)
    }

    /// Says it on standard error and gives the exit code.
    pub(crate) fn tell(&self, json: bool) -> ExitCode {
        let problem = match self {
            Trouble::Unread => return ExitCode::from(3),
            Trouble::Said(code) => return ExitCode::from(*code),
            Trouble::Problem(problem) => problem,
        };
        let text = match json {
            true => serde_json::to_string(problem).unwrap_or_else(|_| problem.to_string()),
            false => in_words(problem),
        };
        // If standard error is closed too, the exit code is all that is left.
        _ = writeln!(io::stderr(), "{text}");
        ExitCode::from(problem.exit_code())
    }
}

/// What was typed is not understood, or is a question about how to type. With `--json` among it,
/// the error is a problem like every other.
pub(crate) fn misread(error: &clap::Error) -> ExitCode {
    let mut typed = std::env::args_os().skip(1).take_while(|argument| argument != "--");
    if !error.use_stderr() || !typed.any(|argument| argument == "--json") {
        error.exit();
    }
    let text = error.to_string();
    let detail = match error.kind() {
        ClapError::DisplayHelpOnMissingArgumentOrSubcommand => "does not say what to do",
        _ => text.trim_start_matches("error: ").split("\n\nUsage:").next().unwrap_or_default(),
    };
    let words: Vec<&str> = detail.split_whitespace().collect();
    let change = "put --help behind the command: it shows what can be typed there";
    Trouble::usage("the command line", words.join(" "), change).tell(true)
}

/// What happened, to which thing, what to do next.
fn in_words(problem: &Problem) -> String {
    let Problem { about, detail, code, change, .. } = problem;
    let kind = match problem.exit_code() {
        1 => "refused",
        2 => "not understood",
        _ => "failed",
    };
    let text = format!("{kind}: {about}: {detail} ({code})\nnext:    {change}");
    // Names of files, and what a service says, are of others.
    let lines: Vec<String> = text.split('\n').map(print::safe).collect();
    lines.join("\n")
}

impl<P: Into<Problem>> From<P> for Trouble {
    fn from(problem: P) -> Trouble {
        Trouble::Problem(Box::new(typed(problem.into())))
    }
}

/// What to type instead, where the problem speaks to programs that send requests.
fn typed(problem: Problem) -> Problem {
    if problem.code == "not_found"
        && let Some((letters, _)) = problem.about.split_once('-')
        && let Some(list) = listed(letters)
    {
        return Problem { change: format!("check the id (bailee {list})"), ..problem };
    }
    if problem.detail.contains("as an exhibit") {
        let change = "give the document with it: --exhibit FILE (it may be repeated)".to_owned();
        return Problem { change, ..problem };
    }
    if problem.code != "bad_request" {
        return problem;
    }
    let like = problem.detail.rsplit_once(" is not an id like ").map(|(_, like)| like);
    let change = match like.and_then(|like| Some((like, listed(like.strip_suffix("-1")?)?))) {
        Some((like, list)) => format!("write an id like {like} (bailee {list})"),
        None => "correct it; put --help behind the command: it shows what can be typed".to_owned(),
    };
    Problem { change, ..problem }
}

/// The command that lists what has ids of these letters.
fn listed(letters: &str) -> Option<&'static str> {
    Some(match letters {
        "P" => "party list",
        "E" => "entity list",
        "AC" => "account list",
        "A" => "asset list",
        "M" => "matter list",
        "D" => "demand list",
        "H" => "hold list",
        "N" => "notice list",
        "O" => "objection list",
        "X" => "disposition list",
        "C" => "clearance list",
        "S" => "snapshot list",
        "Y" => "duty list",
        "T" => "token list",
        "R" => "keys show",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_wrote_does_not_steer_the_terminal() {
        let problem = Problem::new(500, "vault_failed", "the vault", "a\u{1b}[2Jb\nc\r", "ask");
        assert_eq!(
            in_words(&problem),
            "failed: the vault: a\u{fffd}[2Jb\nc\u{fffd} (vault_failed)\nnext:    ask"
        );
    }
}
