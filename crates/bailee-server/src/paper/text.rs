//! A paper as plain text, for whoever has nothing else, and for filling in with a typewriter.

use std::fmt::Write as _;

use super::visible::Notes;
use super::{Block, Document};

/// Columns of a line.
const WIDTH: usize = 90;

/// The document as text.
pub(crate) fn text(document: &Document) -> String {
    let mut notes = Notes::default();
    let mut out = String::new();
    let mut show = |text: &str| notes.visible(text, |_| true);
    let title = show(&document.title);
    _ = writeln!(out, "{title}\n{}\n", "=".repeat(title.chars().count()));
    for block in &document.blocks {
        match block {
            Block::Heading(text) => {
                let text = show(text);
                _ = writeln!(out, "\n{text}\n{}\n", "-".repeat(text.chars().count()));
            }
            Block::Paragraph(text) => _ = writeln!(out, "{}\n", filled(&show(text), WIDTH, "")),
            Block::Fields(fields) => {
                for (name, value) in fields {
                    _ = writeln!(out, "{}:\n    {}", show(name), show(value));
                }
                out.push('\n');
            }
            Block::Tick(text) => {
                _ = writeln!(out, "[ ] {}\n", filled(&show(text), WIDTH - 4, "    "));
            }
            Block::Blank(label) => {
                let label = show(label);
                _ = writeln!(out, "{label}:\n\n    {}\n", "_".repeat(WIDTH - 30));
            }
            Block::Table(table) => {
                _ = writeln!(out, "{}\n", show(&table.caption));
                for row in &table.rows {
                    let cells: Vec<String> = row.iter().map(|cell| show(cell)).collect();
                    _ = writeln!(out, "{}", cells.join("  ").replace('\n', "; "));
                }
                out.push('\n');
            }
        }
    }
    if !notes.is_empty() {
        out.push_str("Characters that could not be shown:\n");
        for line in notes.lines() {
            _ = writeln!(out, "{line}");
        }
    }
    out
}

/// Words in lines of at most `width` characters, the second and later ones indented.
fn filled(text: &str, width: usize, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let longer = line.chars().count() + 1 + word.chars().count() > width;
            if !line.is_empty() && longer {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join(&format!("\n{indent}"))
}
