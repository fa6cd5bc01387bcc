//! Blocks within a text that are no text: what programs wrote into letters before there was MIME,
//! and what only its reader can open.
//!
//! Invariant (rule 1): whoever reads the text alone has not read the letter, so each is named.

/// What stands at the beginning of a line, and what it begins.
const MARKS: [(&str, &str); 5] = [
    ("-----BEGIN PGP MESSAGE", "an encrypted block (OpenPGP)"),
    ("-----BEGIN CMS", "an encrypted block (CMS)"),
    ("-----BEGIN PKCS7", "an encrypted block (PKCS #7)"),
    ("=ybegin ", "an enclosed file (yEnc)"),
    ("{\\rtf", "rich text (RTF)"),
];

/// The first such block of a text.
pub(crate) fn unread(text: &str) -> Option<&'static str> {
    text.lines().find_map(|line| {
        let line = line.trim_start_matches(['>', ' ', '\t']).trim_end();
        let marked = MARKS.iter().find(|(mark, _)| line.starts_with(mark)).map(|(_, what)| *what);
        marked.or_else(|| begins_uuencoded(line).then_some("an enclosed file (uuencode)"))
    })
}

/// `begin 644 list.txt`, as POSIX `uuencode` writes it, also with `-m`.
fn begins_uuencoded(line: &str) -> bool {
    let rest = line.strip_prefix("begin ").or_else(|| line.strip_prefix("begin-base64 "));
    let Some((mode, name)) = rest.and_then(|rest| rest.split_once(' ')) else { return false };
    let mode = mode.strip_prefix('0').unwrap_or(mode);
    let is_mode = mode.len() == 3 && mode.bytes().all(|c| matches!(c, b'0'..=b'7'));
    is_mode && !name.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_named_and_words_are_not() {
        for (text, what) in [
            ("keep srv-1 and:\nbegin 644 list.txt\n+<W)V+3(*\n`\nend\n", "uuencode"),
            ("begin-base64 0755 a b\n====", "uuencode"),
            ("see\n> -----BEGIN PGP MESSAGE-----\n\nhQEM", "OpenPGP"),
            ("=ybegin line=128 size=123 name=list.txt", "yEnc"),
            ("{\\rtf1\\ansi keep srv\\'2d5}", "RTF"),
        ] {
            assert!(unread(text).is_some_and(|found| found.contains(what)), "{text}");
        }
        for text in [
            "we begin 644 days later",
            "begin 2026 with this",
            "begin 900 years ago",
            "begin now",
            "-----BEGIN PGP SIGNED MESSAGE-----\nkeep srv-1\n-----BEGIN PGP SIGNATURE-----",
            "",
        ] {
            assert_eq!(unread(text), None, "{text}");
        }
    }
}
