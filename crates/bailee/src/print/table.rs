//! Tables: one row a thing, one column a member, empty columns left out.
//!
//! Invariants: every table reads in one order: the id, what it is called, how it stands, when that
//! was, the rest, and at last why; a column is as wide as its widest cell, and words that make a
//! long cell come last, where they push nothing aside. What is wrong with which thing is never cut;
//! any other cell is cut with `…` at the width of the terminal, and nowhere in a file or a pipe.

use std::io::IsTerminal;

use serde_json::Value;

use super::thing::scalar;

/// Longest cell that others stand behind, characters: a SHA-256 fits.
const LONG: usize = 64;

/// Members that are never cut: they say what is wrong with which thing, and what to do.
const WHOLE: &[&str] = &["what", "object", "path", "volume", "detail", "change", "bytes"];

/// Members that come first, in this order: which thing, what it is called, how it stands.
const FIRST: &[&str] = &[
    "id", "code", "position", "label", "name", "title", "what", "about", "kind", "status", "fate",
    "held",
];

/// Members that come after the times, before the rest: who.
const WHO: &[&str] = &["owner", "from", "to", "party"];

/// Members that come last: why.
const LAST: &[&str] = &["reason", "reasons", "note", "terms", "text", "detail", "change"];

/// Rows with a heading, as wide as whoever reads them lets them be; `none` without rows.
pub(super) fn table(items: &[Value]) -> String {
    let stdout = std::io::stdout();
    let size = if stdout.is_terminal() { rustix::termios::tcgetwinsize(stdout).ok() } else { None };
    let columns = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    table_within(items, columns.unwrap_or(usize::MAX))
}

/// The same; no cell that may be cut is wider than `most`.
fn table_within(items: &[Value], most: usize) -> String {
    let cell = |item: &Value, name: &str| {
        let text = cell(item.get(name).unwrap_or(&Value::Null));
        if WHOLE.contains(&name) { text } else { cut(text, most) }
    };
    let mut columns = columns(items);
    columns.sort_by_key(|name| items.iter().any(|item| is_long(&cell(item, name))));
    if columns.is_empty() {
        return match items.is_empty() {
            true => "none\n".to_owned(),
            false => items.iter().map(|item| format!("{}\n", scalar(item))).collect(),
        };
    }
    let mut rows: Vec<Vec<String>> = vec![columns.iter().map(|name| heading(name)).collect()];
    for item in items {
        rows.push(columns.iter().map(|name| cell(item, name)).collect());
    }
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Members that some item has something in.
fn columns(items: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for item in items.iter().filter_map(Value::as_object) {
        for (name, value) in item {
            if !is_empty(value) && !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    names.sort_by_key(|name| rank(items, name));
    names
}

/// The place of a column: (part of the row, place in it). Columns of one place stay as they are.
fn rank(items: &[Value], name: &str) -> (u8, usize) {
    let place = |names: &[&str]| names.iter().position(|known| *known == name);
    match (place(FIRST), place(WHO), place(LAST)) {
        (Some(at), ..) => (0, at),
        (None, Some(at), _) => (2, at),
        (None, None, Some(at)) => (4, at),
        (None, None, None) if is_time(items, name) => (1, 0),
        (None, None, None) => (3, 0),
    }
}

/// True for a column of times, as far as it has cells.
fn is_time(items: &[Value], name: &str) -> bool {
    let time = |text: &str| {
        let sign = |at: usize| text.as_bytes().get(at).copied();
        text.ends_with('Z') && (sign(4), sign(10)) == (Some(b'-'), Some(b'T'))
    };
    let mut cells = items.iter().filter_map(|item| item.get(name)).filter(|cell| !is_empty(cell));
    cells.all(|cell| cell.as_str().is_some_and(time))
}

fn heading(name: &str) -> String {
    name.replace('_', " ").to_uppercase()
}

/// Nothing to show in a row.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_long(text: &str) -> bool {
    text.chars().nth(LONG).is_some()
}

fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text,
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Array(items) if items.iter().any(Value::is_object) => format!("{}", items.len()),
        Value::Object(members) => {
            let pairs = members.iter().filter(|(_, value)| !is_empty(value));
            let pairs = pairs.map(|(name, value)| format!("{name} {}", scalar(value)));
            pairs.collect::<Vec<_>>().join(", ")
        }
        other => scalar(other),
    }
}

#[cfg(test)]
mod tests {
    use super::{table, table_within};
    use serde_json::json;

    #[test]
    fn ids_come_first_and_empty_columns_are_left_out() {
        let items =
            [json!({ "account": null, "id": "A-1", "zone": [] }), json!({ "id": "A-12", "b": 7 })];
        assert_eq!(table(&items), "ID    B\nA-1\nA-12  7\n");
        assert_eq!(table(&[]), "none\n");
    }

    #[test]
    fn every_table_reads_in_one_order() {
        let day = "2026-03-01T09:00:00Z";
        let items = [json!({
            "detail": "why", "bytes": 7, "due": day, "status": "active", "name": "disk",
            "at": day, "id": "A-1", "change": "do", "kind": "drive", "held": true, "to": "P-1",
        })];
        let heading = table(&items);
        let heading: Vec<&str> = heading.lines().next().unwrap().split_whitespace().collect();
        let order =
            "ID NAME KIND STATUS HELD AT DUE TO BYTES DETAIL CHANGE".split(' ').collect::<Vec<_>>();
        assert_eq!(heading, order);
        let times = [json!({ "a": 1, "b": day }), json!({ "b": null })];
        assert!(table(&times).starts_with("B "), "{}", table(&times));
        let mixed = [json!({ "a": 1, "b": day }), json!({ "b": "never" })];
        assert!(table(&mixed).starts_with("A "), "{}", table(&mixed));
    }

    #[test]
    fn a_long_cell_is_cut_between_characters_and_only_by_a_terminal() {
        let items = [json!({ "name": "ö".repeat(100) })];
        let text = table_within(&items, 80);
        assert_eq!(text.lines().nth(1).unwrap().chars().count(), 80);
        assert!(text.ends_with("…\n"));
        assert!(table(&items).ends_with("ö\n"), "this is no terminal");
    }

    #[test]
    fn what_is_wrong_with_which_thing_is_whole_and_last() {
        let (what, path) = ("is damaged ".repeat(20), "deep/".repeat(30));
        let items = [json!({ "what": what, "path": "a", "files": 1 }), json!({ "path": path })];
        let text = table_within(&items, 80);
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[0].starts_with("FILES  WHAT") && rows[0].ends_with("PATH"), "{text}");
        assert!(text.contains(what.trim_end()) && text.contains(&path), "{text}");
    }
}
