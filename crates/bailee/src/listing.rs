//! What is in a snapshot: its files and whatever else its manifest names.
//!
//! Invariant: the same from a directory and from a service; an answer that is cut is no listing.

use std::io;

use bailee_server::api::listing;
use bailee_server::core::counted;
use bailee_server::keeping::{self, KeepError};
use bailee_server::vault::Pattern;
use serde_json::Value;

use crate::cli::Reach;
use crate::client::{Client, encoded};
use crate::door::{Door, read_id};
use crate::keep::nothing_matched;
use crate::print::{self, Style, safe};
use crate::trouble::Trouble;

/// Lists what `only` matches; refused if that is nothing.
pub(crate) fn files(
    snapshot: &str,
    only: Option<&str>,
    reach: &Reach,
    style: Style,
) -> Result<(), Trouble> {
    let listed = match Door::open(reach)? {
        Door::Here(here) => {
            let only = only.map(Pattern::new).transpose().map_err(KeepError::from)?;
            let entries = keeping::entries(&here.house, read_id(snapshot)?)?;
            let mut document = Vec::new();
            listing::write(snapshot, &entries, only.as_ref(), &mut document)
                .map_err(|e| Trouble::io("write the listing", &e))?;
            read(&document[..])
        }
        Door::There(client) => read(there(&client, snapshot, only)?),
    }?;
    let items = listed["items"].as_array().map_or(&[][..], Vec::as_slice);
    match only {
        Some(only) if items.is_empty() => Err(nothing_matched(only)),
        _ if style == Style::Json => print::product(&format!("{listed:#}\n")),
        _ => print::product(&items.iter().map(line).collect::<String>()),
    }
}

fn there(
    client: &Client,
    snapshot: &str,
    only: Option<&str>,
) -> Result<impl io::Read + use<>, Trouble> {
    let mut path = format!("/v1/snapshots/{}/files", encoded(snapshot));
    if let Some(only) = only {
        path.push_str(&format!("?only={}", encoded(only)));
    }
    client.take(&path)
}

fn read(document: impl io::Read) -> Result<Value, Trouble> {
    let read = serde_json::from_reader(io::BufReader::new(document));
    read.map_err(|e| {
        let change = "ask again; what is printed is all there is, or nothing";
        Trouble::failed("answer_cut", "the listing", format!("is not whole: {e}"), change)
    })
}

/// Kind, mode, size, time, path, and what there is to say of it.
fn line(item: &Value) -> String {
    let text = |name: &str| item[name].as_str().map(safe).unwrap_or_default();
    let size = item["size"].as_u64().map(|size| size.to_string()).unwrap_or_default();
    let mut line = format!(
        "{:<16} {:>4} {size:>14} {:>20}  {}",
        text("kind"),
        text("mode"),
        text("modified"),
        text("path")
    );
    for (name, before) in [("target", " -> "), ("reason", ": ")] {
        if item[name].is_string() {
            line += &format!("{before}{}", text(name));
        }
    }
    if item["changed"] == true {
        line += "  (changed while it was read)";
    }
    if let Some(bytes) = item["never_read"].as_u64() {
        line += &format!("  (never read: {})", counted(bytes, "byte"));
    }
    line + "\n"
}
