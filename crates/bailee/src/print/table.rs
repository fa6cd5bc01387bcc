//! Tables: one row a thing, one column a member, empty columns left out.
//!
//! Invariants: a column is as wide as its widest cell; ids come first; what is too long for a row
//! is cut with `…`, and `--json` has it whole.

use serde_json::Value;

use super::thing::scalar;

/// Longest cell, characters: a SHA-256 fits.
const WIDEST: usize = 64;

/// Members that come first, in this order.
const FIRST: &[&str] = &[
    "id", "code", "position", "status", "kind", "what", "about", "label", "name", "title", "owner",
    "from", "to", "party",
];

/// Rows with a heading; `none` without rows.
pub(super) fn table(items: &[Value]) -> String {
    let columns = columns(items);
    if columns.is_empty() {
        return match items.is_empty() {
            true => "none\n".to_owned(),
            false => items.iter().map(|item| format!("{}\n", cell(item))).collect(),
        };
    }
    let mut rows: Vec<Vec<String>> = vec![columns.iter().map(|name| heading(name)).collect()];
    for item in items {
        rows.push(
            columns.iter().map(|name| cell(item.get(name).unwrap_or(&Value::Null))).collect(),
        );
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

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Array(items) if items.iter().any(Value::is_object) => format!("{}", items.len()),
        Value::Object(members) => {
            let pairs = members.iter().filter(|(_, value)| !is_empty(value));
            let pairs = pairs.map(|(name, value)| format!("{name} {}", scalar(value)));
            pairs.collect::<Vec<_>>().join(", ")
        }
        other => scalar(other),
    };
    match text.char_indices().nth(WIDEST) {
        None => text,
        Some(_) => text.chars().take(WIDEST - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::table;
    use serde_json::json;

    #[test]
    fn ids_come_first_and_empty_columns_are_left_out() {
        let items =
            [json!({ "account": null, "id": "A-1", "zone": [] }), json!({ "id": "A-12", "b": 7 })];
        assert_eq!(table(&items), "ID    B\nA-1\nA-12  7\n");
        assert_eq!(table(&[]), "none\n");
    }

    #[test]
    fn a_long_cell_is_cut_between_characters() {
        let text = table(&[json!({ "name": "ö".repeat(100) })]);
        assert_eq!(text.lines().nth(1).unwrap().chars().count(), 64);
        assert!(text.ends_with("…\n"));
    }
}
