//! Text in the one form in which it is cut into words: what looks the same is the same.
//!
//! Why: a letter that names a server freezes it, however its writer's machine spells: in composed
//! or decomposed letters, full width, with soft hyphens and marks that nobody sees, or within a
//! script that writes no spaces.
//!
//! Invariants
//! 1. ASCII stays as it is. A text and its plain form have one plain form.
//! 2. Compatible letters are one (Unicode NFKC). What is no letter does not become one: `Acme™` is
//!    `Acme`, and a footnote's number belongs to no name.
//! 3. What is invisible (Unicode's default ignorables) is not there.
//! 4. In scripts that put no spaces between words each character is a word: a label stands in a
//!    sentence there, and a serial number between two of them, as it does between spaces.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// A space that takes no room: where it stands two words may end, or one word may go on.
pub(crate) const ZERO_WIDTH_SPACE: char = '\u{200b}';

/// The plain form of a text.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    for c in compatible(text) {
        if is_spaceless(c) {
            out.extend([' ', c, ' ']);
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// Compatible characters as one, without spaces between any.
pub(crate) fn compatible(text: &str) -> impl Iterator<Item = char> {
    let seen = text.chars().filter(|c| !is_invisible(*c));
    seen.map(|c| if is_sign(c) { ' ' } else { c }).nfkc()
}

/// Lower case in which upper case, and all ways to write a letter at the end of a word, are one.
pub(crate) fn folded(c: char) -> impl Iterator<Item = char> {
    let twice = if c == 'ß' || c == 'ẞ' { Some('s') } else { None };
    let first = match c {
        'ß' | 'ẞ' => 's',
        'ς' => 'σ',
        other => other,
    };
    first.to_lowercase().chain(twice)
}

/// What is written for a hyphen: mail programs make another of it.
pub(crate) fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}')
}

/// Default_Ignorable_Code_Point of the Unicode Character Database, in the form of its file.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// What NFKC would make letters or digits of although it is none, and numbers of footnotes.
fn is_sign(c: char) -> bool {
    let footnote = matches!(c, '²' | '³' | '¹' | '\u{2070}'..='\u{2079}' | '\u{2080}'..='\u{2089}');
    let made = || std::iter::once(c).nfkc().any(char::is_alphanumeric);
    footnote || !c.is_ascii() && !c.is_alphanumeric() && made()
}

/// Letters of Thai, Lao, Tibetan, Burmese, Khmer, Chinese, Japanese, Korean and Yi.
fn is_spaceless(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{fff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}'
        | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{2fdf}' | '\u{3040}'..='\u{318f}'
        | '\u{31a0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{1aff0}'..='\u{1b16f}'
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_the_same_is_the_same() {
        for (text, wanted) in [
            ("Müller", "Müller"),
            ("Mu\u{308}ller", "Müller"),
            ("Mega\u{ad}up\u{200b}load\u{feff}", "Megaupload"),
            ("Ｍｅｇａ－１", "Mega-1"),
            ("ﬁle Ⅳ", "file IV"),
            ("Acme™ and Acme℠", "Acme  and Acme "),
            ("Acme²", "Acme "),
            ("保留srv-13的", " 保  留 srv-13 的 "),
            ("plain ASCII", "plain ASCII"),
        ] {
            assert_eq!(plain(text), wanted, "{text:?}");
            assert_eq!(
                plain(&plain(text)).split_whitespace().collect::<Vec<_>>(),
                plain(text).split_whitespace().collect::<Vec<_>>(),
                "{text:?} twice"
            );
        }
    }

    #[test]
    fn upper_case_and_the_ends_of_words_are_one() {
        let fold = |text: &str| text.chars().flat_map(folded).collect::<String>();
        assert_eq!(fold("STRASSE"), fold("Straße"));
        assert_eq!(fold("ΟΔΟΣ"), fold("οδος"));
        assert_eq!(fold("Wd"), "wd");
    }
}
