//! Scenarios: stories of custody in a line language that a lawyer can read, played against the core
//! or against any house that runs on it. The transcript is the expectation.
//!
//! Invariants: a line that is not understood is a named error, never skipped; the same story
//! against the same rules gives the same transcript; every clock that falls due before a line's
//! date runs first, in order; the last act of every play is `check`, written or not. The language
//! decides nothing: it turns sentences into commands and compares answers.
//!
//! Out of scope: files (the caller reads them) and cryptography: letters, devices and manifests are
//! stood in for by digests that prove nothing.
//!
//! ```
//! use bailee_core::instrument::Catalogue;
//! use bailee_core::scenario::{InMemory, parse, play};
//!
//! let story = parse("2026-01-01 entity \"Example Host B.V.\" in NL\nstaff Ada\n").unwrap();
//! let told = play(&story, &mut InMemory::default(), &Catalogue::default()).unwrap();
//! assert!(told.to_string().ends_with("every rule holds\n"));
//! ```

mod form;
mod forms;
mod names;
mod play;
mod question;
mod slot;
mod tell;
mod token;

pub(crate) use tell::told;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::command::Command;
use crate::event::Record;
use crate::refusal::{Code, Refusal};
use crate::state::State;
use crate::time::Time;
use form::{Form, Furthest, Item, Reading};
use slot::Slots;
use token::Token;

pub use play::play;
pub use question::Question;

/// Something that takes commands and lets its state be looked at.
pub trait House {
    /// Decides the command and, unless it is refused, makes it so; durably, if the house is.
    fn submit(&mut self, command: &Command, now: Time) -> Result<Vec<Record>, Refusal>;

    /// Looks at the state, which may be behind a lock.
    fn with_state<R>(&self, look: impl FnOnce(&State) -> R) -> R;

    /// Hears what a line asks, with the answer read from the state. A house that has a door is
    /// asked there too.
    ///
    /// # Errors
    /// What was answered at the door, if that is something else.
    fn asked(&mut self, question: &Question, now: Time) -> Result<(), String> {
        _ = (question, now);
        Ok(())
    }
}

/// A house without walls: the core alone.
#[derive(Clone, Debug, Default)]
pub struct InMemory {
    /// What it knows.
    pub state: State,
}

impl House for InMemory {
    fn submit(&mut self, command: &Command, now: Time) -> Result<Vec<Record>, Refusal> {
        crate::run(&mut self.state, command, now)
    }

    fn with_state<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.state)
    }
}

/// A story, understood.
#[derive(Clone, Debug)]
pub struct Scenario {
    parts: Vec<Part>,
}

/// A part of a story.
#[derive(Clone, Debug)]
enum Part {
    /// Prose and empty lines; copied into the transcript.
    Prose(String),
    /// A sentence.
    Line(Line),
}

/// A sentence of a story.
#[derive(Clone, Debug)]
struct Line {
    /// Number of its first line, from 1.
    number: usize,
    /// As written, on one line.
    text: String,
    /// When.
    at: Time,
    form: &'static Form,
    slots: Slots,
    refused: Option<Refused>,
}

/// A refusal that is meant.
#[derive(Clone, Copy, Debug)]
struct Refused {
    code: Code,
    /// Steps that go through before it; `None`: every step is refused.
    after: Option<u64>,
}

/// The text is not a story.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ScenarioError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is not understood, and what would be.
    pub what: String,
}

/// The play came out differently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected}; got {got}")]
pub struct ScenarioFailure {
    /// Number of the line, from 1.
    pub line: usize,
    /// What the story says.
    pub expected: String,
    /// What happened.
    pub got: String,
    /// What was played before.
    pub transcript: Transcript,
}

/// What was played: each sentence, and below it what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// Lines without line ends.
    pub lines: Vec<String>,
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Every sentence that is understood, as (pattern, example).
pub fn sentences() -> impl Iterator<Item = (&'static str, &'static str)> {
    forms::all().map(|form| (form.pattern, form.example))
}

/// Reads a story.
///
/// Lines that begin with `#` are prose; a line that begins with a space continues the one before.
/// A sentence may begin with a date, `2012-03-01` or `2012-03-01 09:14[:30]` (UTC); without one it
/// happens at the instant of the sentence before.
pub fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    let grammar: Vec<(&'static Form, Vec<Item>)> =
        forms::all().map(|form| (form, form::items(form.pattern))).collect();
    let mut clock = None;
    let mut parts = Vec::new();
    // Some editors begin a file with a mark that nobody sees.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, text) in joined(text)? {
        if text.is_empty() || text.starts_with('#') {
            parts.push(Part::Prose(text));
        } else {
            let fail = |what| ScenarioError { line: number, what };
            let line = sentence(&grammar, number, text, clock).map_err(fail)?;
            clock = Some(line.at);
            parts.push(Part::Line(line));
        }
    }
    Ok(Scenario { parts })
}

/// Lines with their numbers, continuations joined to what they continue.
fn joined(text: &str) -> Result<Vec<(usize, String)>, ScenarioError> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let bare = line.trim();
        if bare.is_empty() || !line.starts_with([' ', '\t']) {
            lines.push((index + 1, bare.to_owned()));
            continue;
        }
        match lines.last_mut().filter(|(_, text)| !text.is_empty() && !text.starts_with('#')) {
            Some((_, text)) => {
                text.push(' ');
                text.push_str(bare);
            }
            None => {
                let what = "begins with a space and continues nothing".to_owned();
                return Err(ScenarioError { line: index + 1, what });
            }
        }
    }
    Ok(lines)
}

fn sentence(
    grammar: &[(&'static Form, Vec<Item>)],
    number: usize,
    text: String,
    clock: Option<Time>,
) -> Result<Line, String> {
    let (dated, rest) = date(&text)?;
    let at = dated.or(clock).ok_or("the first sentence needs a date like 2012-03-01")?;
    if clock.is_some_and(|clock| at < clock) {
        return Err(format!("{at} is before the sentence above it"));
    }
    let tokens = token::tokens(rest)?;
    let (tokens, refused) = refusal(&tokens)?;
    let (form, slots) = understood(grammar, tokens)?;
    Ok(Line { number, text, at, form, slots, refused })
}

/// The date in front of the sentence, and the sentence.
fn date(text: &str) -> Result<(Option<Time>, &str), String> {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    if !first.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok((None, text));
    }
    let (second, after) = rest.split_once(' ').unwrap_or((rest, ""));
    let clock = second.contains(':') && second.starts_with(|c: char| c.is_ascii_digit());
    let (stamp, rest) = match clock {
        true => (format!("{first} {second}"), after),
        false => (first.to_owned(), rest),
    };
    match Time::parse(&stamp) {
        Some(at) => Ok((Some(at), rest)),
        None => Err(format!("{stamp:?} is not a date like 2012-03-01 or 2012-03-01 09:14")),
    }
}

/// What stands after the arrow: `-> refused code [after N]`.
fn refusal(tokens: &[Token]) -> Result<(&[Token], Option<Refused>), String> {
    let Some(arrow) = tokens.iter().position(|token| *token == Token::Arrow) else {
        return Ok((tokens, None));
    };
    let words: Vec<String> = tokens[arrow + 1..].iter().map(Token::shown).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (code, after) = match words[..] {
        ["refused", code] => (code, None),
        ["refused", code, "after", count] => {
            let count = count.parse().map_err(|_| format!("{count:?} is not a number"))?;
            (code, Some(count))
        }
        _ => return Err("wanted `-> refused hold_in_force` after the sentence".to_owned()),
    };
    let code = slot::code(code).ok_or_else(|| format!("{code:?} is not the code of a refusal"))?;
    Ok((&tokens[..arrow], Some(Refused { code, after })))
}

fn understood(
    grammar: &[(&'static Form, Vec<Item>)],
    tokens: &[Token],
) -> Result<(&'static Form, Slots), String> {
    let mut furthest = Furthest::default();
    for (form, items) in grammar {
        let mut reading =
            Reading { tokens, example: form.example, slots: Vec::new(), furthest: &mut furthest };
        if reading.takes(items, &[], 0) {
            return Ok((form, Slots(reading.slots)));
        }
    }
    let near = match tokens.get(furthest.at) {
        None => "the sentence ends too early".to_owned(),
        Some(token) => format!("{} is not understood", token.shown()),
    };
    let before: Vec<String> =
        tokens.iter().take(furthest.at).rev().take(4).map(Token::shown).collect();
    let before: Vec<&str> = before.iter().rev().map(String::as_str).collect();
    let place = match before.is_empty() {
        true => String::new(),
        false => format!(" after `{}`", before.join(" ")),
    };
    let mut wanted: Vec<&str> = furthest.wanted.iter().map(|(one, _)| one.as_str()).collect();
    wanted.sort_unstable();
    let example = furthest.wanted.first().map_or("", |(_, example)| example);
    let wanted = wanted.join(", ");
    Err(format!("{near}{place}; understood there: {wanted}; for example: {example}"))
}
