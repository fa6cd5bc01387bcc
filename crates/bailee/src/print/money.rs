//! Money for people: JSON has integers of the currency's minor unit, under names that end in
//! `_minor`; people read `EUR 12.50`.
//!
//! Invariant: nothing is rounded, and nothing is left out: a matter that cost nothing says so.

use bailee_server::core::money;
use serde_json::{Map, Value};

/// End of the names of amounts.
const MINOR: &str = "_minor";

/// A value with every amount as people read it, under its name without the unit.
pub(super) fn readable(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(readable).collect(),
        Value::Object(members) => Value::Object(of_members(members)),
        other => other.clone(),
    }
}

fn of_members(members: &Map<String, Value>) -> Map<String, Value> {
    let currency = members.get("currency").and_then(Value::as_str);
    let mut shown = Map::new();
    let mut said = false;
    for (name, value) in members {
        let amount = name.strip_suffix(MINOR).and_then(|name| Some((name, read(value, currency)?)));
        match amount {
            Some((name, amount)) => {
                said |= value.is_u64();
                shown.insert(name.to_owned(), amount);
            }
            None => {
                shown.insert(name.clone(), readable(value));
            }
        }
    }
    if said {
        shown.remove("currency");
    }
    shown
}

/// One amount of the currency beside it, or one of each currency.
fn read(value: &Value, currency: Option<&str>) -> Option<Value> {
    match value {
        Value::Number(minor) => Some(money(minor.as_u64()?, currency?).into()),
        Value::Object(each) if each.is_empty() => Some("none".into()),
        Value::Object(each) => {
            let each = each.iter().map(|(currency, minor)| Some(money(minor.as_u64()?, currency)));
            each.map(|one| one.map(Value::String)).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::readable;
    use serde_json::json;

    #[test]
    fn amounts_are_shown_under_their_names_and_all_else_as_it_is() {
        let item = json!({ "what": "media", "amount_minor": 1_990, "currency": "EUR" });
        assert_eq!(readable(&item), json!({ "what": "media", "amount": "EUR 19.90" }));
        let matter = json!({ "costs_minor": { "EUR": 1_990, "USD": 5 }, "cost_items": [item] });
        let shown = json!({
            "costs": ["EUR 19.90", "USD 0.05"],
            "cost_items": [{ "what": "media", "amount": "EUR 19.90" }],
        });
        assert_eq!(readable(&matter), shown);
        assert_eq!(readable(&json!({ "costs_minor": {} })), json!({ "costs": "none" }));
        let other = json!({ "asia_minor": "x", "currency": "EUR", "bytes": 5 });
        assert_eq!(readable(&other), other);
    }
}
