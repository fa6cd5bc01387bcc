//! Scanning masked Rust: words, matching brackets, function bodies. Everything works on byte
//! offsets, which masking keeps equal to those of the original text.

/// Whether a byte can be part of an identifier.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Offsets where `needle` stands in `code` without an identifier character touching its ends
/// (only ends that are identifier characters themselves are guarded).
pub(crate) fn find_words(code: &str, needle: &str) -> Vec<usize> {
    let (bytes, sought) = (code.as_bytes(), needle.as_bytes());
    let guarded = |edge: Option<&u8>| edge.is_some_and(|byte| is_word(*byte));
    code.match_indices(needle)
        .map(|(at, _)| at)
        .filter(|&at| {
            let before = at > 0 && is_word(bytes[at - 1]);
            let after = bytes.get(at + sought.len()).is_some_and(|byte| is_word(*byte));
            !(guarded(sought.first()) && before || guarded(sought.last()) && after)
        })
        .collect()
}

/// Line number, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Offset of the bracket that closes the one at `open`, or the end of the text.
pub(crate) fn closing(code: &str, open: usize) -> usize {
    let bytes = code.as_bytes();
    let mut depth = 0_usize;
    for (offset, byte) in bytes[open..].iter().enumerate() {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return open + offset;
        }
    }
    bytes.len()
}

/// The first of `{` and `;` at `from` or after that no other bracket encloses.
pub(crate) fn body_or_end(code: &str, from: usize) -> Option<usize> {
    let bytes = code.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b';' => return Some(at),
            b'(' | b'[' => at = closing(code, at) + 1,
            _ => at += 1,
        }
    }
    None
}

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name, without its type's.
    pub(crate) name: String,
    /// Offset of `fn`.
    pub(crate) start: usize,
    /// Offset of the body's `{`.
    pub(crate) open: usize,
    /// Offset of the body's `}`.
    pub(crate) close: usize,
}

/// All functions with bodies, in order, nested ones too.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    for start in find_words(code, "fn") {
        let Some(skipped) = bytes[start + 2..].iter().position(|byte| !byte.is_ascii_whitespace())
        else {
            continue;
        };
        let from = start + 2 + skipped;
        let length = bytes[from..].iter().take_while(|byte| is_word(**byte)).count();
        if length == 0 {
            continue;
        }
        match body_or_end(code, from + length) {
            Some(open) if bytes[open] == b'{' => found.push(Function {
                name: code[from..from + length].to_owned(),
                start,
                open,
                close: closing(code, open),
            }),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_where_identifiers_end() {
        assert_eq!(find_words("HashMap MyHashMap HashMapx", "HashMap"), [0]);
        assert_eq!(find_words("a.unwrap() b.unwrap_or()", ".unwrap()"), [1]);
    }

    #[test]
    fn functions_are_found_with_their_bodies() {
        let code =
            "trait T { fn a(&self); fn b(x: [u8; 3]) -> [u8; { 3 }] { if x { } } }\nfn c() {}";
        let found = functions(code);
        let names: Vec<&str> = found.iter().map(|function| function.name.as_str()).collect();
        assert_eq!(names, ["b", "c"]);
        assert_eq!(&code[found[0].open..=found[0].close], "{ if x { } }");
        assert_eq!(line_of(code, found[1].start), 2);
    }

    #[test]
    fn a_function_pointer_is_no_function() {
        assert_eq!(functions("type F = fn(u8) -> u8; struct S { f: fn () }"), []);
    }
}
