//! The timeline as a paper: what was known, to whom, when; and the documents it rests on.
//!
//! Invariant: it is made of lines (which are made of opened sections) and of what every reader of
//! the bundle sees anyway: log, checkpoint, digests.

use std::collections::BTreeMap;

use bailee_core::timeline::{How, Line, Openness, Paper, When, Whom};
use bailee_ledger::to_hex;

use super::{Block, Document, Table};

/// What the paper is about.
pub(crate) struct About {
    /// `M-1`.
    pub(crate) matter: String,
    /// Whom it is for, in words.
    pub(crate) reader: String,
    /// Name of the log.
    pub(crate) origin: String,
    /// Entries in the log when it was made.
    pub(crate) size: u64,
    /// Names of ids that stand in it, as far as the reader may read them.
    pub(crate) people: BTreeMap<String, String>,
}

/// The paper.
pub(crate) fn timeline(about: &About, lines: &[Line]) -> Document {
    let title = format!("Matter {}: what was known, to whom, when", about.matter);
    let foot = format!("{} for {}  ·  log {}", about.matter, about.reader, about.origin);
    let mut document = Document { title, foot, blocks: Vec::new() };
    document.blocks.push(Block::Fields(vec![
        ("Matter".into(), about.matter.clone()),
        ("Made for".into(), about.reader.clone()),
        ("Log".into(), about.origin.clone()),
        ("Entries in the log".into(), about.size.to_string()),
        ("Entries in this paper".into(), entries(lines).to_string()),
    ]));
    document.heading("How to read this");
    document.paragraph(
        "Each line is an entry of the log. The number is its place: open entries/ of this bundle \
         under that number to check it. Times are the house's own clock; an entry whose time is \
         not shown is placed in its hour. People of the house are named by number. \"Known\" is \
         said of whoever recorded, acted or wrote, and of a recipient only when delivery is \
         proven; what was sent and not proven is said to be so.",
    );
    document.paragraph(
        "This paper is made of the sections that the bundle opens, and proves nothing by itself. \
         That something does not stand here does not mean that it did not happen: the bundle \
         shows its reader the reader's own part.",
    );
    if !about.people.is_empty() {
        let rows = about.people.iter().map(|(id, name)| vec![id.clone(), name.clone()]);
        document.blocks.push(Block::Table(Table {
            caption: "Who is who".into(),
            head: vec!["Id", "Name"],
            widths: vec![15, 85],
            rows: rows.collect(),
        }));
    }
    document.heading("Timeline");
    document.blocks.push(Block::Table(Table {
        caption: format!("Entries shown: {}, in the order of the log", entries(lines)),
        head: vec!["When (UTC)", "Entry", "What was recorded", "Known to"],
        widths: vec![20, 10, 42, 28],
        rows: lines.iter().map(row).collect(),
    }));
    documents(&mut document, lines);
    document
}

fn entries(lines: &[Line]) -> u64 {
    lines.iter().map(|line| line.count).sum()
}

fn row(line: &Line) -> Vec<String> {
    let (at, until) = (when(line.at), when(line.until));
    let at = if line.count == 1 { at } else { format!("{at}\nto {until}") };
    let place = match line.count {
        1 => line.first.to_string(),
        n => format!("{} … {} ({n} entries)", line.first, line.last),
    };
    let mut said = line.said.clone();
    if line.count > 1 {
        said = format!("{said}, the first of {} such entries", line.count);
    }
    if !line.note.is_empty() {
        said.push_str(&format!("\n“{}”", line.note));
    }
    for paper in &line.papers {
        let Paper { digest, name, .. } = paper;
        said.push_str(&format!("\n{name}: SHA-256 {}", to_hex(digest)));
    }
    let mut known: Vec<String> = line.knew.iter().map(|(whom, how)| knew(*whom, *how)).collect();
    if line.openness == Openness::Closed {
        known.push("closed to the reader of this paper".into());
    }
    vec![at, place, said, known.join("\n")]
}

fn when(when: When) -> String {
    match when {
        When::At(time) => time.to_string(),
        When::InHour(hour) => format!("in the hour from {hour}"),
    }
}

fn knew(whom: Whom, how: How) -> String {
    match whom {
        Whom::House => format!("the house: {}", how.words()),
        Whom::Party(party) => format!("{party}: {}", how.words()),
    }
}

/// Every document once, with the entries that rest on it.
fn documents(document: &mut Document, lines: &[Line]) {
    let mut found: BTreeMap<[u8; 32], (&Paper, Vec<String>)> = BTreeMap::new();
    for line in lines {
        for paper in &line.papers {
            let (_, places) = found.entry(paper.digest).or_insert((paper, Vec::new()));
            places.push(line.first.to_string());
        }
    }
    if found.is_empty() {
        return;
    }
    document.heading("Documents");
    let row = |(paper, places): &(&Paper, Vec<String>)| {
        let size = format!("{} bytes", paper.size);
        vec![to_hex(&paper.digest), paper.name.clone(), size, places.join(", ")]
    };
    document.blocks.push(Block::Table(Table {
        caption: format!(
            "Documents that the entries rest on: {}. Each lies in exhibits/ under its SHA-256; \
             names are as their senders gave them",
            found.len()
        ),
        head: vec!["SHA-256", "Name", "Size", "Entries"],
        widths: vec![40, 30, 15, 15],
        rows: found.values().map(row).collect(),
    }));
}
