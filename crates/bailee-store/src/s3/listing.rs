//! What engines answer in XML: a page of a listing, and the code of an error.
//!
//! Invariants: at most [`MOST_KEYS`] keys are taken of a page; a page that is cut off or of another
//! kind is an error, never an empty listing, since a caller would take it for "nothing is kept";
//! text of an engine is shown to people only as printable ASCII, and not much of it.
//!
//! Out of scope: XML in general. Elements are looked for by name, in documents whose shape the
//! protocol fixes; comments, CDATA and namespaced prefixes are refused or not found.

/// Keys a page may have (the protocol's own limit is 1000).
const MOST_KEYS: usize = 10_000;
/// Bytes of an engine's words that are shown.
const MOST_WORDS: usize = 200;

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Keys, as listed.
    pub keys: Vec<String>,
    /// Whether more follow.
    pub more: bool,
}

/// Reads a page of `ListObjectsV2`. Error: what is wrong with it.
pub fn read_page(xml: &[u8]) -> Result<Page, &'static str> {
    let text = std::str::from_utf8(xml).map_err(|_| "the listing is not UTF-8")?;
    if text.contains("<![CDATA[") || text.contains("<!--") || text.contains("<!DOCTYPE") {
        return Err("the listing has XML that no listing has");
    }
    let inside = element(text, "ListBucketResult").ok_or("the answer is not a whole listing")?;
    let more = match element(inside.0, "IsTruncated").map(|(value, _)| value.trim()) {
        Some("true") => true,
        Some("false") => false,
        _ => return Err("the listing does not say whether it is whole"),
    };
    let (mut keys, mut rest) = (Vec::new(), inside.0);
    while let Some((contents, after)) = element(rest, "Contents") {
        let (key, _) = element(contents, "Key").ok_or("an item of the listing has no key")?;
        keys.push(unescape(key).ok_or("a key of the listing is not written as XML is")?);
        if keys.len() > MOST_KEYS {
            return Err("the listing has more keys than a page may have");
        }
        rest = after;
    }
    if rest.contains("<Contents") {
        return Err("the listing is cut off");
    }
    if more && keys.is_empty() {
        return Err("the listing says that more follows, and has nothing");
    }
    Ok(Page { keys, more })
}

/// Code and message of an error document; empty if it is none.
pub fn read_error(xml: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(xml);
    let field = |name| {
        let found = element(&text, name).and_then(|(value, _)| unescape(value));
        let shown = found.unwrap_or_default();
        shown.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(MOST_WORDS).collect()
    };
    (field("Code"), field("Message"))
}

/// What stands between the first `<name …>` and its `</name>`, and what follows. Elements of these
/// names never nest.
pub(super) fn element<'t>(text: &'t str, name: &str) -> Option<(&'t str, &'t str)> {
    let mut rest = text;
    loop {
        let at = rest.find('<')?;
        rest = rest.get(at + 1..)?;
        let Some(after) = rest.strip_prefix(name) else { continue };
        if !after.starts_with(['>', ' ', '\t', '\r', '\n']) {
            continue;
        }
        let (head, inside) = after.split_once('>')?;
        if head.ends_with('/') {
            return Some(("", inside));
        }
        return inside.split_once(&format!("</{name}>"));
    }
}

/// Text of an element with its five entities and character references resolved.
fn unescape(text: &str) -> Option<String> {
    if text.contains('<') {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (entity, after) = after.split_once(';')?;
        out.push_str(before);
        out.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let number = number.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
        });
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3/\">";

    #[test]
    fn a_page_is_read() {
        let item = |key: &str| format!("<Contents><Key>{key}</Key><Size>3</Size></Contents>");
        let page = format!(
            "{HEAD}<Name>b</Name><KeyCount>3</KeyCount><IsTruncated>true</IsTruncated>{}{}{}\
             </ListBucketResult>",
            item("a/b"),
            item("x&amp;y&#x27;&#33;"),
            item("c")
        );
        let keys = ["a/b", "x&y'!", "c"].map(str::to_owned).to_vec();
        assert_eq!(read_page(page.as_bytes()), Ok(Page { keys, more: true }));
        let none = format!("{HEAD}<IsTruncated>false</IsTruncated></ListBucketResult>");
        assert_eq!(read_page(none.as_bytes()), Ok(Page { keys: Vec::new(), more: false }));
    }

    #[test]
    fn a_page_that_is_no_whole_page_is_never_an_empty_one() {
        let whole = format!(
            "{HEAD}<IsTruncated>false</IsTruncated><Contents><Key>a&amp;b</Key></Contents>\
             <Contents><Key>c</Key></Contents></ListBucketResult>"
        );
        assert!(read_page(whole.as_bytes()).is_ok());
        for cut in 0..whole.len() {
            assert!(read_page(&whole.as_bytes()[..cut]).is_err(), "cut at {cut}");
        }
        for (from, to) in [
            ("false", "maybe"),
            ("<Key>c</Key>", ""),
            ("&amp;", "&what;"),
            ("&amp;", "&#x110000;"),
            ("<Contents><Key>c", "<!-- --><Contents><Key>c"),
            ("ListBucketResult", "Error"),
        ] {
            assert!(read_page(whole.replace(from, to).as_bytes()).is_err(), "{from} -> {to}");
        }
    }

    #[test]
    fn an_error_is_short_and_printable() {
        let (code, message) =
            read_error(b"<Error><Code>NoSuchKey</Code><Message>n\x1b[1m</Message>");
        assert_eq!((code.as_str(), message.as_str()), ("NoSuchKey", "n[1m"));
        assert_eq!(read_error(b"<html>"), (String::new(), String::new()));
        let long = format!("<Error><Code>{}</Code></Error>", "x".repeat(9_000));
        assert_eq!(read_error(long.as_bytes()).0.len(), MOST_WORDS);
    }
}
