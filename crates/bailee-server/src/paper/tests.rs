//! Papers: nothing is dropped, nothing does anything, and the three ways of writing agree.

use super::visible::STAND_IN;
use super::{Block, Document, Table, html, pdf, text};

fn document(name: &str) -> Document {
    let row = vec!["P-4".to_owned(), name.to_owned()];
    let table = Table {
        caption: "Who is who".into(),
        head: vec!["Id", "Name"],
        widths: vec![20, 80],
        rows: vec![row],
    };
    Document {
        title: "A paper".into(),
        foot: "M-1 for P-4".into(),
        blocks: vec![
            Block::Heading("People".into()),
            Block::Table(table),
            Block::Blank("Signature".into()),
        ],
    }
}

#[test]
fn html_shows_every_script_and_runs_nothing() {
    let page = html(&document("<script>alert(1)</script> 張三 \"'& علي\u{202e}"));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; 張三 &quot;&#39;&amp; علي"));
    assert!(!page.contains("<script") && !page.contains('\u{202e}'), "{page}");
    assert!(page.contains("(1) U+202E"), "{page}");
    assert!(page.contains("default-src 'none'") && page.contains("scope=\"col\""));
}

#[test]
fn text_has_everything_and_room_for_a_signature() {
    let page = text(&document("Ångström"));
    assert!(page.contains("P-4  Ångström") && page.contains("Signature:\n\n    ____"));
}

#[test]
fn a_pdf_has_the_same_bytes_each_time_and_as_many_pages_as_it_needs() {
    let one = document("Dvořák");
    assert_eq!(pdf(&one), pdf(&one));
    let mut long = one.clone();
    let pages = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let count = text.split("/Count ").nth(1).unwrap();
        count.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(pages(&pdf(&one)), 1);
    for n in 0..500 {
        long.paragraph(format!("Paragraph {n} {}", "word ".repeat(40)));
    }
    assert!(pages(&pdf(&long)) > 20);
}

#[test]
fn the_stand_in_is_in_the_font() {
    // Else what cannot be shown would be nothing at all.
    let shown = pdf(&document("張"));
    let plain = pdf(&document("x"));
    assert!(shown.len() > plain.len(), "{STAND_IN} and its note are written");
}
