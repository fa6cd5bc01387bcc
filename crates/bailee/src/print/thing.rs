//! One thing, member by member, for people.

use serde_json::{Map, Value};

use super::safe;
use super::table::{is_empty, table};

/// Members that come first.
const FIRST: &[&str] = &["id", "origin", "kind", "status", "label", "name", "title"];

/// Longest list of words that stays on one line, characters.
const WIDEST: usize = 72;

/// Members with their values, one a line; a long list has lines of its own. Members without
/// anything are left out.
pub(super) fn lines(value: &Value) -> String {
    match value {
        Value::Object(members) => object(members),
        Value::Array(items) => table(items),
        other => format!("{}\n", scalar(other)),
    }
}

fn object(members: &Map<String, Value>) -> String {
    let mut shown: Vec<(&String, &Value)> =
        members.iter().filter(|(_, value)| !is_empty(value)).collect();
    let rank = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    shown.sort_by_key(|(name, value)| (nested(value), rank(name)));
    let width = shown.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in shown {
        let name = name.replace('_', " ");
        if !nested(value) {
            text.push_str(&format!("{name:<width$}  {}\n", scalar(value)));
            continue;
        }
        text.push_str(&format!("{name}\n"));
        let words = value.as_array().filter(|items| items.iter().all(|item| !nested(item)));
        let inner: String = match words {
            Some(items) => items.iter().map(|item| format!("{}\n", scalar(item))).collect(),
            None => lines(value),
        };
        for line in inner.lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

/// True for what takes lines of its own.
fn nested(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(items) => {
            let deep = items.iter().any(|item| item.is_object() || item.is_array());
            deep || items.len() > 1 && scalar(value).chars().count() > WIDEST
        }
        _ => false,
    }
}

/// A value on one line.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => safe(text),
        Value::Array(items) => items.iter().map(scalar).collect::<Vec<_>>().join(", "),
        other => safe(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::lines;
    use serde_json::json;

    #[test]
    fn a_long_list_has_a_line_for_each() {
        let object = "objects/vault/t/00aa/k/11bb/22cc";
        let value = json!({ "ids": ["A-1", "A-2"], "destroyed": [object, object, object] });
        let each = format!("  {object}\n").repeat(3);
        assert_eq!(lines(&value), format!("ids        A-1, A-2\ndestroyed\n{each}"));
    }

    #[test]
    fn members_stand_below_each_other_and_nested_ones_come_last() {
        let value = json!({ "bases": [{ "code": "letter" }], "id": "H-1", "copy_allowed": false });
        assert_eq!(lines(&value), "id            H-1\ncopy allowed  no\nbases\n  CODE\n  letter\n");
    }
}
