//! A paper as PDF: own layout on `pdf-writer`, with one font inside (decision 0045).
//!
//! Invariants: text is text (it can be searched, copied and read out, each glyph with its
//! character); the same document gives the same bytes: no clock, no random id. Everything that an
//! archive asks of a file is inside of it; no conformance is claimed, because nothing here checks
//! one. Tags for screen readers are not written: the HTML of the same paper has them.

mod face;
mod layout;

use bailee_ledger::hash::sha256;
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use super::Document;
use face::Face;
use layout::{MARGIN, PAGE, Sheet, lay_out};

/// Effort of compression.
const PACKED: u8 = 6;
const FONT: Name<'static> = Name(b"F");
const FOOT: f32 = 7.0;

/// The document as PDF.
pub(crate) fn pdf(document: &Document) -> Vec<u8> {
    let mut face = Face::new();
    let sheets = lay_out(document, &face);
    let mut next = 1;
    let mut id = || {
        next += 1;
        Ref::new(next - 1)
    };
    let (catalog, tree, info) = (id(), id(), id());
    let font = [id(), id(), id(), id(), id()];
    let mut pdf = Pdf::new();
    let mut pages = Vec::with_capacity(sheets.len());
    let foot = foot_text(document, &face);
    for (n, sheet) in sheets.iter().enumerate() {
        let (page, content) = (id(), id());
        let foot = format!("{foot}  ·  page {} of {}", n + 1, sheets.len());
        let drawn = draw(sheet, &foot, &mut face);
        let packed = miniz_oxide::deflate::compress_to_vec_zlib(&drawn, PACKED);
        pdf.stream(content, &packed).filter(Filter::FlateDecode);
        let mut written = pdf.page(page);
        written.parent(tree).media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).contents(content);
        written.resources().fonts().pair(FONT, font[0]);
        written.finish();
        pages.push(page);
    }
    let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(pages).count(count);
    face.embed(&mut pdf, font);
    let mut root = pdf.catalog(catalog);
    root.pages(tree).lang(TextStr("en"));
    root.viewer_preferences().display_doc_title(true);
    root.finish();
    pdf.document_info(info).title(TextStr(&document.title)).producer(TextStr("bailee"));
    let digest = sha256(format!("{document:?}").as_bytes());
    pdf.set_file_id((digest[..16].to_vec(), digest[..16].to_vec()));
    pdf.finish()
}

/// The foot without what the font does not have.
fn foot_text(document: &Document, face: &Face) -> String {
    super::visible::Notes::default().visible(&document.foot, |c| face.has(c)).replace('\n', " ")
}

/// The page's drawing instructions.
fn draw(sheet: &Sheet, foot: &str, face: &mut Face) -> Vec<u8> {
    let mut content = Content::new();
    content.set_line_width(0.4);
    for ((x, y), (to_x, to_y)) in &sheet.rules {
        content.move_to(*x, *y).line_to(*to_x, *to_y).stroke();
    }
    content.begin_text();
    for placed in &sheet.texts {
        let glyphs = face.glyphs(&placed.text);
        content.set_font(FONT, placed.size);
        content.set_text_matrix([1.0, 0.0, 0.0, 1.0, placed.x, placed.y]);
        content.show(Str(&glyphs));
    }
    let glyphs = face.glyphs(foot);
    content.set_font(FONT, FOOT);
    content.set_text_matrix([1.0, 0.0, 0.0, 1.0, MARGIN, 34.0]);
    content.show(Str(&glyphs));
    content.end_text();
    content.finish().to_vec()
}
