//! Layout: blocks become lines with their places on pages of A4.
//!
//! Invariants: nothing is drawn outside of the margins; a word wider than its column is broken, so
//! that a digest never runs off the page; a table's head stands again on each page it goes on to.

use super::super::visible::Notes;
use super::super::{Block, Document, Table};
use super::face::Face;

/// A4 in points.
pub(super) const PAGE: (f32, f32) = (595.0, 842.0);
pub(super) const MARGIN: f32 = 48.0;
/// Where the last line may stand, from below.
const BOTTOM: f32 = 60.0;
const BODY: f32 = 9.0;
const SMALL: f32 = 7.5;
const LEADING: f32 = 1.35;
const WIDTH: f32 = PAGE.0 - 2.0 * MARGIN;
/// Space between two columns.
const GUTTER: f32 = 8.0;

/// A line of text in its place; `y` is its baseline, from below.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) size: f32,
    pub(super) text: String,
}

/// A drawn line: from, to.
pub(super) type Rule = ((f32, f32), (f32, f32));

/// What stands on a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sheet {
    pub(super) texts: Vec<Placed>,
    pub(super) rules: Vec<Rule>,
}

/// Lays a document out.
pub(super) fn lay_out(document: &Document, face: &Face) -> Vec<Sheet> {
    let mut flow = Flow { face, notes: Notes::default(), sheets: Vec::new(), y: 0.0 };
    flow.turn();
    flow.lines(&document.title, MARGIN, WIDTH, 16.0);
    flow.y -= 6.0;
    for block in &document.blocks {
        flow.block(block);
    }
    let notes: Vec<String> = flow.notes.lines().collect();
    if !notes.is_empty() {
        flow.block(&Block::Heading("Characters that this font does not have".into()));
        flow.block(&Block::Paragraph(
            "Where a mark with a number stands, these characters were written, in this order \
             (Unicode code points). The same paper in HTML shows them."
                .into(),
        ));
        for note in notes {
            flow.lines(&note, MARGIN, WIDTH, SMALL);
        }
    }
    flow.sheets
}

struct Flow<'a> {
    face: &'a Face,
    notes: Notes,
    sheets: Vec<Sheet>,
    /// Top of what is free on the last page, from below.
    y: f32,
}

impl Flow<'_> {
    /// Goes on on a new page.
    fn turn(&mut self) {
        self.sheets.push(Sheet::default());
        self.y = PAGE.1 - MARGIN;
    }

    /// Makes room for something of this height.
    fn room(&mut self, height: f32) {
        if self.y - height < BOTTOM {
            self.turn();
        }
    }

    fn sheet(&mut self) -> &mut Sheet {
        if self.sheets.is_empty() {
            self.turn();
        }
        let last = self.sheets.len() - 1;
        &mut self.sheets[last]
    }

    fn place(&mut self, x: f32, size: f32, text: String) {
        let y = self.y - size;
        self.sheet().texts.push(Placed { x, y, size, text });
    }

    fn rule(&mut self, from: f32, to: f32) {
        let y = self.y;
        self.sheet().rules.push(((from, y), (to, y)));
    }

    /// Lines of a text, one under the other.
    fn lines(&mut self, text: &str, x: f32, width: f32, size: f32) {
        for line in self.wrapped(text, width, size) {
            self.room(size * LEADING);
            self.place(x, size, line);
            self.y -= size * LEADING;
        }
    }

    fn wrapped(&mut self, text: &str, width: f32, size: f32) -> Vec<String> {
        let face = self.face;
        let text = self.notes.visible(text, |c| face.has(c));
        wrap(face, &text, width / size)
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Heading(text) => {
                // A heading does not stand alone at the end of a page.
                self.room(60.0);
                self.y -= 10.0;
                self.lines(text, MARGIN, WIDTH, 11.5);
                self.y -= 3.0;
            }
            Block::Paragraph(text) => {
                self.lines(text, MARGIN, WIDTH, BODY);
                self.y -= 5.0;
            }
            Block::Fields(fields) => {
                for (name, value) in fields {
                    self.row(
                        &[(MARGIN, 130.0), (MARGIN + 138.0, WIDTH - 138.0)],
                        BODY,
                        &[name, value],
                    );
                }
                self.y -= 5.0;
            }
            Block::Tick(text) => {
                self.room(3.0 * BODY * LEADING);
                self.square();
                self.lines(text, MARGIN + 18.0, WIDTH - 18.0, BODY);
                self.y -= 5.0;
            }
            Block::Blank(label) => {
                self.room(46.0);
                self.y -= 30.0;
                self.rule(MARGIN, MARGIN + 0.7 * WIDTH);
                self.y -= 2.0;
                self.lines(label, MARGIN, WIDTH, SMALL);
                self.y -= 6.0;
            }
            Block::Table(table) => self.table(table),
        }
    }

    /// A box to be ticked, as four rules beside the next line.
    fn square(&mut self) {
        let (left, right, top, low) = (MARGIN, MARGIN + 9.0, self.y - 1.0, self.y - 10.0);
        let corners = [(left, top), (right, top), (right, low), (left, low)];
        for n in 0..4 {
            self.sheet().rules.push((corners[n], corners[(n + 1) % 4]));
        }
    }

    fn table(&mut self, table: &Table) {
        let total: u32 = table.widths.iter().map(|width| u32::from(*width)).sum();
        let mut columns = Vec::new();
        let mut x = MARGIN;
        for width in &table.widths {
            let width = WIDTH * f32::from(*width) / total.max(1) as f32;
            columns.push((x, width - GUTTER));
            x += width;
        }
        self.room(70.0);
        self.lines(&table.caption, MARGIN, WIDTH, BODY);
        self.y -= 3.0;
        self.head(table, &columns);
        for row in &table.rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            let lines = self.cells(&columns, SMALL, &cells);
            for n in 0..lines.iter().map(Vec::len).max().unwrap_or(0) {
                if self.y - SMALL * LEADING < BOTTOM {
                    self.turn();
                    self.head(table, &columns);
                }
                self.line_of(&columns, SMALL, &lines, n);
            }
            self.y -= 2.5;
            self.rule(MARGIN, MARGIN + WIDTH);
            self.y -= 2.5;
        }
        self.y -= 6.0;
    }

    fn head(&mut self, table: &Table, columns: &[(f32, f32)]) {
        self.row(columns, SMALL, &table.head);
        self.rule(MARGIN, MARGIN + WIDTH);
        self.y -= 3.0;
    }

    /// One row that may go on to the next page.
    fn row(&mut self, columns: &[(f32, f32)], size: f32, cells: &[&str]) {
        let lines = self.cells(columns, size, cells);
        for n in 0..lines.iter().map(Vec::len).max().unwrap_or(0) {
            self.room(size * LEADING);
            self.line_of(columns, size, &lines, n);
        }
    }

    fn cells(&mut self, columns: &[(f32, f32)], size: f32, cells: &[&str]) -> Vec<Vec<String>> {
        let pairs = columns.iter().zip(cells);
        pairs.map(|((_, width), cell)| self.wrapped(cell, *width, size)).collect()
    }

    /// The `n`-th line of each cell, side by side.
    fn line_of(&mut self, columns: &[(f32, f32)], size: f32, cells: &[Vec<String>], n: usize) {
        for ((x, _), lines) in columns.iter().zip(cells) {
            if let Some(line) = lines.get(n) {
                self.place(*x, size, line.clone());
            }
        }
        self.y -= size * LEADING;
    }
}

/// Lines of at most `width` (at size 1), broken at spaces, and inside of a word only if it must.
fn wrap(face: &Face, text: &str, width: f32) -> Vec<String> {
    let mut lines = Vec::new();
    let space = face.width(" ");
    for paragraph in text.split('\n') {
        let (mut line, mut used) = (String::new(), 0.0);
        for word in paragraph.split(' ') {
            let mut word = word;
            let mut wide = face.width(word);
            if !line.is_empty() && used + space + wide > width {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
            }
            while wide > width {
                let fits = fitting(face, word, width);
                lines.push(word[..fits].to_owned());
                word = &word[fits..];
                wide = face.width(word);
            }
            if !line.is_empty() {
                line.push(' ');
                used += space;
            }
            line.push_str(word);
            used += wide;
        }
        lines.push(line);
    }
    lines
}

/// Bytes of the longest beginning of a word that fits; at least one character.
fn fitting(face: &Face, word: &str, width: f32) -> usize {
    let (mut used, mut end) = (0.0, 0);
    for (at, c) in word.char_indices() {
        used += face.width(c.encode_utf8(&mut [0; 4]));
        if used > width && at > 0 {
            break;
        }
        end = at + c.len_utf8();
    }
    end
}
