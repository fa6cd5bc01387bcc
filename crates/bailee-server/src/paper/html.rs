//! A paper as one HTML file: no script, nothing from the network, readable by a screen reader and
//! on paper.
//!
//! Invariants: every text is escaped, and the policy in the head forbids whatever escaping might
//! have missed; each cell finds the direction of its own text (`dir="auto"`), so that a name in
//! one script does not turn the words around it.

use std::fmt::Write as _;

use super::visible::Notes;
use super::{Block, Document, Table};

const STYLE: &str = include_str!("paper.css");

/// The document as HTML.
pub(crate) fn html(document: &Document) -> String {
    let mut page = Page { out: String::new(), notes: Notes::default() };
    let (title, foot) = (page.shown(&document.title), page.shown(&document.foot));
    _ = write!(
        page.out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1 dir=\"auto\">{title}</h1>\n"
    );
    for block in &document.blocks {
        page.block(block);
    }
    let notes: Vec<String> = page.notes.lines().collect();
    if !notes.is_empty() {
        page.out.push_str("<h2>Characters that are not shown</h2>\n<ul>\n");
        for note in notes {
            _ = writeln!(page.out, "<li>{note}</li>");
        }
        page.out.push_str("</ul>\n");
    }
    _ = write!(
        page.out,
        "</main>\n<footer><p dir=\"auto\">{foot}</p></footer>\n</body>\n</html>\n"
    );
    page.out
}

struct Page {
    out: String,
    notes: Notes,
}

impl Page {
    /// The text, visible and escaped; line ends become breaks.
    fn shown(&mut self, text: &str) -> String {
        let text = self.notes.visible(text, |_| true);
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                '\n' => out.push_str("<br>"),
                c => out.push(c),
            }
        }
        out
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Heading(text) => {
                let text = self.shown(text);
                _ = writeln!(self.out, "<h2 dir=\"auto\">{text}</h2>");
            }
            Block::Paragraph(text) => {
                let text = self.shown(text);
                _ = writeln!(self.out, "<p dir=\"auto\">{text}</p>");
            }
            Block::Fields(fields) => {
                self.out.push_str("<dl>\n");
                for (name, value) in fields {
                    let (name, value) = (self.shown(name), self.shown(value));
                    _ = writeln!(self.out, "<dt>{name}</dt><dd dir=\"auto\">{value}</dd>");
                }
                self.out.push_str("</dl>\n");
            }
            Block::Tick(text) => {
                let text = self.shown(text);
                _ = writeln!(self.out, "<p class=\"tick\" dir=\"auto\">{text}</p>");
            }
            Block::Blank(label) => {
                let label = self.shown(label);
                _ = writeln!(self.out, "<p class=\"blank\"><span>{label}</span></p>");
            }
            Block::Table(table) => self.table(table),
        }
    }

    fn table(&mut self, table: &Table) {
        let caption = self.shown(&table.caption);
        _ = write!(self.out, "<table>\n<caption>{caption}</caption>\n<colgroup>");
        for width in &table.widths {
            _ = write!(self.out, "<col style=\"width:{width}%\">");
        }
        self.out.push_str("</colgroup>\n<thead><tr>");
        for name in &table.head {
            _ = write!(self.out, "<th scope=\"col\">{name}</th>");
        }
        self.out.push_str("</tr></thead>\n<tbody>\n");
        for row in &table.rows {
            self.out.push_str("<tr>");
            for (n, cell) in row.iter().enumerate() {
                let cell = self.shown(cell);
                _ = match n {
                    0 => write!(self.out, "<th scope=\"row\">{cell}</th>"),
                    _ => write!(self.out, "<td dir=\"auto\">{cell}</td>"),
                };
            }
            self.out.push_str("</tr>\n");
        }
        self.out.push_str("</tbody>\n</table>\n");
    }
}
