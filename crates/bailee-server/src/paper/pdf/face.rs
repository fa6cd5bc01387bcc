//! The face: one font, carried in the program, of which a document takes the glyphs it uses.
//!
//! Invariant: a character is set only if the font has a glyph for it; the caller replaces all
//! others before (they are not in any script that needs shaping: the font has Latin, Greek and
//! Cyrillic). Noto Sans is under the SIL Open Font License, which stands beside it.

use std::collections::BTreeMap;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Filter, Finish, Name, Pdf, Rect, Ref, Str};
use ttf_parser::GlyphId;

const NOTO_SANS: &[u8] = include_bytes!("../font/NotoSans-Regular.ttf");
const NAME: &[u8] = b"BAILEE+NotoSans-Regular";
/// Widths in a PDF are in thousandths of the font size.
const PER_EM: f32 = 1000.0;

const SYSTEM: SystemInfo<'static> =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// The font, and which of its glyphs were used.
pub(super) struct Face {
    font: ttf_parser::Face<'static>,
    used: BTreeMap<u16, char>,
}

impl Face {
    pub(super) fn new() -> Face {
        let font = ttf_parser::Face::parse(NOTO_SANS, 0);
        let font = font.expect("the font that is compiled in is one");
        Face { font, used: BTreeMap::new() }
    }

    pub(super) fn has(&self, c: char) -> bool {
        self.font.glyph_index(c).is_some()
    }

    /// Width of a text at size 1.
    pub(super) fn width(&self, text: &str) -> f32 {
        let advance = |c: char| {
            let glyph = self.font.glyph_index(c).unwrap_or_default();
            f32::from(self.font.glyph_hor_advance(glyph).unwrap_or_default())
        };
        text.chars().map(advance).sum::<f32>() / f32::from(self.font.units_per_em())
    }

    /// The text as glyph numbers, which are marked as used.
    pub(super) fn glyphs(&mut self, text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() * 2);
        for c in text.chars() {
            let GlyphId(glyph) = self.font.glyph_index(c).unwrap_or_default();
            self.used.entry(glyph).or_insert(c);
            out.extend_from_slice(&glyph.to_be_bytes());
        }
        out
    }

    fn scaled(&self, units: i16) -> f32 {
        f32::from(units) * PER_EM / f32::from(self.font.units_per_em())
    }

    /// Writes the font with the glyphs used; `ids` are five references in a row.
    pub(super) fn embed(&self, pdf: &mut Pdf, ids: [Ref; 5]) {
        let [type0, cid, descriptor, file, unicode] = ids;
        let (name, base) = (Name(NAME), Name(b"Identity-H"));
        pdf.type0_font(type0)
            .base_font(name)
            .encoding_predefined(base)
            .descendant_font(cid)
            .to_unicode(unicode);
        let mut font = pdf.cid_font(cid);
        font.subtype(CidFontType::Type2)
            .base_font(name)
            .system_info(SYSTEM)
            .font_descriptor(descriptor)
            .default_width(0.0)
            .cid_to_gid_map_predefined(Name(b"Identity"));
        let mut widths = font.widths();
        for glyph in self.used.keys() {
            let advance = self.font.glyph_hor_advance(GlyphId(*glyph)).unwrap_or_default();
            let advance = f32::from(advance) * PER_EM / f32::from(self.font.units_per_em());
            widths.consecutive(*glyph, [advance]);
        }
        widths.finish();
        font.finish();
        self.describe(pdf, descriptor, file);
        let mut map = UnicodeCmap::new(Name(b"Adobe-Identity-UCS"), SYSTEM);
        for (glyph, c) in &self.used {
            map.pair(*glyph, *c);
        }
        pdf.cmap(unicode, &map.finish());
    }

    fn describe(&self, pdf: &mut Pdf, descriptor: Ref, file: Ref) {
        let bounds = self.font.global_bounding_box();
        let bounds = Rect::new(
            self.scaled(bounds.x_min),
            self.scaled(bounds.y_min),
            self.scaled(bounds.x_max),
            self.scaled(bounds.y_max),
        );
        pdf.font_descriptor(descriptor)
            .name(Name(NAME))
            .flags(FontFlags::NON_SYMBOLIC)
            .bbox(bounds)
            .italic_angle(0.0)
            .ascent(self.scaled(self.font.ascender()))
            .descent(self.scaled(self.font.descender()))
            .cap_height(self.scaled(self.font.capital_height().unwrap_or_default()))
            .stem_v(80.0)
            .font_file2(file);
        let glyphs: Vec<u16> = self.used.keys().copied().collect();
        let subset = subsetter::subset(NOTO_SANS, 0, subsetter::Profile::pdf(&glyphs));
        // A subset that cannot be made is the whole font: larger, and as good.
        let program = subset.unwrap_or_else(|_| NOTO_SANS.to_vec());
        let packed = miniz_oxide::deflate::compress_to_vec_zlib(&program, super::PACKED);
        let mut stream = pdf.stream(file, &packed);
        stream.filter(Filter::FlateDecode);
        stream.pair(Name(b"Length1"), i32::try_from(program.len()).unwrap_or(i32::MAX));
    }
}
