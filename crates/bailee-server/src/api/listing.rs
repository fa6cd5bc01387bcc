//! What is in a snapshot: its files and whatever else its manifest names, in tree order.
//!
//! Invariants: the same members from a directory and over HTTP; a path that is no UTF-8 is there
//! twice, readable and percent-encoded, so that no two files look alike to a program. The manifest
//! is in memory, the listing is not.

use std::io::{self, Write};

use bailee_core::Time;
use bailee_ledger::to_hex;
use bailee_store::https;
use bailee_vault::{Content, Entry, Node, Pattern};
use serde_json::{Map, Value, json};

/// Writes the entries that `only` matches as one JSON document: `snapshot`, and `items`.
///
/// # Errors
/// The writer's.
pub fn write(
    snapshot: &str,
    entries: &[Entry],
    only: Option<&Pattern>,
    out: &mut dyn Write,
) -> io::Result<()> {
    write!(out, "{{\"snapshot\":{},\"items\":[", json!(snapshot))?;
    let chosen = entries.iter().filter(|e| only.is_none_or(|only| only.matches(&e.path)));
    for (n, entry) in chosen.filter(|e| !e.path.is_empty()).enumerate() {
        let comma = if n == 0 { "" } else { "," };
        write!(out, "{comma}\n{}", item(entry))?;
    }
    out.write_all(b"]}\n")
}

/// One entry: what it is, where, and what is known of it.
fn item(entry: &Entry) -> Value {
    let mut item = Map::new();
    let mut say = |name: &str, value: Value| drop(item.insert(name.to_owned(), value));
    say("kind", json!(entry.node.kind()));
    path("path", &entry.path, &mut say);
    if let Some(meta) = entry.meta() {
        say("mode", json!(format!("{:04o}", meta.mode)));
        say("uid", json!(meta.uid));
        say("gid", json!(meta.gid));
        say("modified", json!(Time(meta.mtime.0.saturating_mul(1_000_000)).to_string()));
    }
    match &entry.node {
        Node::File { content, .. } => file(content, &mut say),
        Node::Symlink { target, .. } | Node::HardLink { target } => {
            path("target", target, &mut say);
        }
        Node::Unreadable { reason } => say("reason", json!(reason)),
        _ => {}
    }
    Value::Object(item)
}

fn file(content: &Content, say: &mut dyn FnMut(&str, Value)) {
    say("size", json!(content.size));
    say("sha256", json!(to_hex(&content.sha256)));
    if content.changed {
        say("changed", json!(true));
    }
    if !content.unreadable.is_empty() {
        let bytes: u64 = content.unreadable.iter().map(|(_, length)| length).sum();
        say("never_read", json!(bytes));
    }
}

fn path(name: &str, bytes: &[u8], say: &mut dyn FnMut(&str, Value)) {
    say(name, json!(String::from_utf8_lossy(bytes)));
    if std::str::from_utf8(bytes).is_err() {
        say(&format!("{name}_percent"), json!(https::encoded(bytes, b"/-._")));
    }
}

#[cfg(test)]
mod tests {
    use bailee_vault::Meta;

    use super::*;

    #[test]
    fn paths_that_are_no_text_are_told_apart() {
        let entry = |path: &[u8]| Entry {
            path: path.to_vec(),
            node: Node::HardLink { target: b"a%b \xfe".to_vec() },
        };
        let [one, two] = [b"x\xfe", b"x\xff"].map(|path| item(&entry(path)));
        assert_eq!(one["path"], two["path"]);
        assert_eq!([&one["path_percent"], &two["path_percent"]], ["x%FE", "x%FF"]);
        assert_eq!(one["target_percent"], "a%25b%20%FE");
    }

    #[test]
    fn a_listing_is_one_document_and_says_what_is_wrong_with_a_file() {
        let node = |content| Node::File { meta: Meta::default(), content };
        let flawed =
            Content { size: 9, changed: true, unreadable: vec![(2, 3)], ..Content::default() };
        let entries = [
            Entry { path: Vec::new(), node: Node::Directory { meta: Meta::default() } },
            Entry { path: b"a".to_vec(), node: node(Content::default()) },
            Entry { path: b"b".to_vec(), node: node(flawed) },
        ];
        let listed = |only: Option<&str>| -> Value {
            let (mut out, only) = (Vec::new(), only.map(|only| Pattern::new(only).unwrap()));
            write("S-1", &entries, only.as_ref(), &mut out).unwrap();
            serde_json::from_slice(&out).unwrap()
        };
        let all = listed(None);
        let items = all["items"].as_array().unwrap();
        assert_eq!((items.len(), &items[0]["path"]), (2, &json!("a")), "the root has no name");
        assert!(items[0].get("changed").is_none());
        assert_eq!((&items[1]["changed"], &items[1]["never_read"]), (&json!(true), &json!(3)));
        assert_eq!(items[1]["modified"], "1970-01-01T00:00:00Z");
        assert_eq!(listed(Some("b"))["items"].as_array().unwrap().len(), 1);
        assert_eq!(listed(Some("c")), json!({ "snapshot": "S-1", "items": [] }));
    }
}
