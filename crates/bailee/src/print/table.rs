//! Tables: one row a thing, one column a member, empty columns left out.
//!
//! Invariants: a column is as wide as its widest cell; ids come first, and words that make a long
//! cell last, where they push nothing aside. What is wrong with which thing is never cut; any other
//! cell is cut with `…` at the width of the terminal, and nowhere in a file or a pipe.

use std::io::IsTerminal;

use serde_json::Value;

use super::thing::scalar;

/// Longest cell that others stand behind, characters: a SHA-256 fits.
const LONG: usize = 64;

/// Members that are never cut: they say what is wrong with which thing, and what to do.
const WHOLE: &[&str] = &["what", "object", "path", "volume", "detail", "change", "bytes"];

/// Members that come first, in this order.
const FIRST: &[&str] = &[
    "id", "code", "position", "status", "kind", "what", "about", "label", "name", "title", "owner",
    "from", "to", "party",
];

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
    let rank = |name: &&str| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len());
    names.sort_by_key(rank);
    names
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
