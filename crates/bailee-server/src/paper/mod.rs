//! Papers: documents for people, laid out once and written as HTML, PDF and plain text.
//!
//! Invariants: the three say the same; no character of a text is dropped: one that cannot be shown
//! is replaced visibly and listed by its code point; nothing that comes in a text (markup, control
//! characters, marks that turn the direction of writing) does anything. The same document gives
//! the same bytes.
//!
//! Out of scope: proof. A paper explains a bundle; what proves lies beside it.

pub(crate) mod form;
mod html;
mod pdf;
mod text;
pub(crate) mod timeline;
mod visible;

pub(crate) use html::html;
pub(crate) use pdf::pdf;
pub(crate) use text::text;

/// A document.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Document {
    /// What it is.
    pub(crate) title: String,
    /// Stands at the foot of each page, beside its number.
    pub(crate) foot: String,
    pub(crate) blocks: Vec<Block>,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Block {
    Heading(String),
    Paragraph(String),
    /// Names and values.
    Fields(Vec<(String, String)>),
    /// Something to be ticked by hand.
    Tick(String),
    /// Something to be filled in by hand.
    Blank(String),
    Table(Table),
}

/// Rows under a head; a line end in a cell is a new line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    pub(crate) caption: String,
    pub(crate) head: Vec<&'static str>,
    /// Shares of the width, in percent.
    pub(crate) widths: Vec<u8>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Document {
    pub(crate) fn heading(&mut self, text: &str) {
        self.blocks.push(Block::Heading(text.to_owned()));
    }

    pub(crate) fn paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    pub(crate) fn tick(&mut self, text: &str) {
        self.blocks.push(Block::Tick(text.to_owned()));
    }

    pub(crate) fn blank(&mut self, label: &str) {
        self.blocks.push(Block::Blank(label.to_owned()));
    }
}

#[cfg(test)]
mod tests;
