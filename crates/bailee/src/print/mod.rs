//! Printing: answers for people, or JSON for programs, on standard output.
//!
//! Invariants: standard output has answers only, remarks and progress go to standard error, so that
//! pipes work, and with `--json` each remark is a line of JSON; a secret that was made is alone on
//! standard output; control characters that came in with a letter never reach a terminal. What a
//! command answers, its exit code says too, so [`out`] goes on without a reader; a [`Product`] that
//! was not taken whole is a failure.

mod money;
mod product;
pub(crate) mod progress;
mod table;
mod thing;

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use bailee_server::api::Answer;
use serde_json::{Value, json};

use crate::trouble::Trouble;

pub(crate) use product::Product;

/// How answers are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// For people.
    Words,
    /// For programs.
    Json,
}

/// Writes an answer, or a part of one, to standard output. If nobody reads it, the exit code is
/// what is left of it, and that is not worked out here.
pub(crate) fn out(text: &str) -> Result<(), Trouble> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Trouble::io("write the answer", &e)),
        _ => Ok(()),
    }
}

/// Writes what was asked for itself to standard output: all of it, or it is a failure.
pub(crate) fn product(text: &str) -> Result<(), Trouble> {
    let mut out = Product::open();
    out.put(text.as_bytes())?;
    out.end()
}

/// Whether remarks are for programs, as answers are.
static FOR_PROGRAMS: AtomicBool = AtomicBool::new(false);

/// From here on a remark is one line of JSON: what a program reads there is JSON, or nothing.
pub(crate) fn remark_in_json() {
    FOR_PROGRAMS.store(true, Ordering::Relaxed);
}

/// Writes a remark to standard error.
pub(crate) fn remark(text: &str) {
    if FOR_PROGRAMS.load(Ordering::Relaxed) {
        return aside(&json!({ "remark": text }).to_string());
    }
    aside(text);
}

/// Writes what is in its form already to standard error.
pub(crate) fn aside(text: &str) {
    // A closed standard error takes no remarks; the answer and the exit code say what counts.
    _ = writeln!(io::stderr(), "{text}");
}

/// Says of a label that it is too short for letters to name anything by it.
pub(crate) fn short_label(label: &str) {
    if !bailee_server::core::matching::is_found(label) {
        let label = safe(label);
        remark(&format!(
            "WARNING: letters that name {label:?} are not matched: it has fewer than three letters \
             and digits. Give it a longer label"
        ));
    }
}

/// What there is to say of a swap area that holds memory in clear.
pub(crate) fn swap(area: &str) -> String {
    let area = safe(area);
    format!(
        "WARNING: swap area {area} is not seen to be encrypted: keys and plain bytes can come to \
         lie there. Encrypt it, or turn it off (swapoff {area})"
    )
}

/// A value as JSON, in lines.
pub(crate) fn json(value: &Value) -> Result<(), Trouble> {
    out(&format!("{value:#}\n"))
}

/// One thing, or whatever it is.
pub(crate) fn thing(value: &Value, style: Style) -> Result<(), Trouble> {
    match style {
        Style::Json => json(value),
        Style::Words => out(&thing::lines(&money::readable(value))),
    }
}

/// A page of a list.
pub(crate) fn list(value: &Value, style: Style) -> Result<(), Trouble> {
    let Some(items) = value.get("items").and_then(Value::as_array) else {
        return thing(value, style);
    };
    if style == Style::Json {
        return json(value);
    }
    let items: Vec<Value> = items.iter().map(money::readable).collect();
    out(&table::table(&items))?;
    if let Some(next) = value.get("next").and_then(Value::as_str) {
        remark(&format!("more: --after {next}"));
    }
    Ok(())
}

/// Rows.
pub(crate) fn table(items: &[Value]) -> Result<(), Trouble> {
    out(&table::table(items))
}

/// What a request led to. A token is alone on standard output.
pub(crate) fn answer(answer: &Answer, style: Style) -> Result<(), Trouble> {
    if style == Style::Json {
        let value = serde_json::to_value(answer).unwrap_or(Value::Null);
        return match answer.token {
            None => json(&value),
            Some(_) => product(&format!("{value:#}\n")),
        };
    }
    let mut lines = String::new();
    for entry in &answer.entries {
        let (position, event, about) = (entry.position, &entry.event, entry.about.join(" "));
        lines.push_str(&format!("entry {position:<6} {event:<22} {about}\n"));
    }
    if answer.entries.is_empty() && answer.new.is_empty() && answer.token.is_none() {
        lines.push_str("nothing to record: it is so already\n");
    }
    if !answer.new.is_empty() {
        lines.push_str(&format!("new          {}\n", answer.new.join(" ")));
    }
    match &answer.token {
        None => out(&lines),
        Some(token) => {
            aside(lines.trim_end());
            product(&format!("{}\n", token.trim_end()))
        }
    }
}

/// A number of bytes for people: `4.0 TB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut scaled = count as f64;
    let mut unit = 0;
    while scaled >= 1000.0 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{count} B"),
        _ => format!("{scaled:.1} {}", UNITS[unit]),
    }
}

/// One line without control characters, and without the marks that turn the direction of writing.
pub(crate) fn safe(text: &str) -> String {
    let hidden = |c: &char| {
        let marks = ['\u{200e}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2066}'..='\u{2069}'];
        c.is_control() || marks.iter().any(|range| range.contains(c))
    };
    text.chars().map(|c| if hidden(&c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{bytes, safe};

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(4_000_000_000_000), "4.0 TB");
        assert_eq!(bytes(u64::MAX), "18446.7 PB");
    }

    #[test]
    fn a_letter_cannot_move_the_cursor_or_turn_the_line() {
        assert_eq!(safe("a\u{1b}[2Jb\r\n\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}c");
        assert_eq!(safe("Vös & Söhne"), "Vös & Söhne");
    }
}
