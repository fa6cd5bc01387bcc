//! A Rust file as the rules see it: the text, the same text with comments and literals blanked
//! out, and which lines are tests.
//!
//! Invariant: `code` has as many bytes as `text` and the same line breaks, so that an offset in
//! one is an offset in the other. A literal keeps its quotes; what is inside becomes spaces.
//! Own scanner instead of a parser: macro bodies (`proptest!`) and files that do not parse yet
//! are seen like any other.

use super::scan::{body_or_end, closing, find_words, is_word, line_of};

/// One file.
pub(crate) struct Source {
    /// Relative path.
    pub(crate) path: String,
    /// As it is on disk.
    pub(crate) text: String,
    /// Comments and the inside of literals blanked.
    pub(crate) code: String,
    /// Per line: whether it exists only for tests.
    test_lines: Vec<bool>,
    /// Names of modules declared as `#[cfg(test)] mod name;`.
    test_modules: Vec<String>,
}

impl Source {
    /// Scans a file.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = mask(text);
        let mut source = Self {
            path: path.to_owned(),
            text: text.to_owned(),
            test_lines: vec![false; text.lines().count() + 1],
            test_modules: Vec::new(),
            code,
        };
        let outside = path.split('/').any(|part| part == "tests" || part == "benches");
        if outside || source.code.contains("#![cfg(test)]") {
            source.test_lines.fill(true);
        } else {
            source.mark_test_items();
        }
        source
    }

    /// Whether a line (from 1) is there for tests only.
    pub(crate) fn is_test_line(&self, line: usize) -> bool {
        self.test_lines.get(line - 1).copied().unwrap_or(false)
    }

    /// Whether an offset lies on such a line.
    pub(crate) fn is_test(&self, at: usize) -> bool {
        self.is_test_line(line_of(&self.code, at))
    }

    fn mark_test_items(&mut self) {
        for start in find_words(&self.code, "#[cfg(") {
            let end = closing(&self.code, start + 1);
            let condition = &self.code[start..end.min(self.code.len())];
            let negated = condition.contains("not(test");
            if negated || find_words(condition, "test").is_empty() {
                continue;
            }
            self.mark_item(start, end + 1);
        }
    }

    /// Marks the item whose attribute stands at `start` and ends before `from`.
    fn mark_item(&mut self, start: usize, from: usize) {
        let mut from = from;
        while self.code[from.min(self.code.len())..].trim_start().starts_with("#[") {
            let Some(next) = self.code[from..].find('[') else { break };
            from = closing(&self.code, from + next) + 1;
        }
        let Some(body) = body_or_end(&self.code, from) else { return };
        let end = if self.code.as_bytes()[body] == b'{' { closing(&self.code, body) } else { body };
        let item: Vec<&str> = self.code[from..body].split_whitespace().collect();
        if let [.., "mod", name] = item.as_slice()
            && end == body
        {
            self.test_modules.push((*name).to_owned());
        }
        let last = line_of(&self.code, end.min(self.code.len()));
        for line in line_of(&self.code, start)..=last {
            if let Some(mark) = self.test_lines.get_mut(line - 1) {
                *mark = true;
            }
        }
    }
}

/// Marks the files of modules that are declared `#[cfg(test)] mod name;` in another file.
pub(crate) fn mark_test_files(sources: &mut [Source]) {
    let mut places = Vec::new();
    for source in sources.iter() {
        let (directory, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
        let base = match file {
            "lib.rs" | "main.rs" | "mod.rs" => directory.to_owned(),
            _ => format!("{directory}/{}", file.trim_end_matches(".rs")),
        };
        places.extend(source.test_modules.iter().map(|name| format!("{base}/{name}")));
    }
    for source in sources {
        let inside = |place: &String| {
            source
                .path
                .strip_prefix(place.as_str())
                .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        if places.iter().any(inside) {
            source.test_lines.fill(true);
        }
    }
}

/// Blanks comments and the inside of literals.
fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut masked = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let Some((inside, end)) = token(bytes, at) else {
            at += 1;
            continue;
        };
        for byte in &mut masked[inside.0..inside.1] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(masked).expect("whole comments and literals are blanked, never half a char")
}

/// The blank-worthy inside and the end of the comment or literal that starts at `at`, if any.
fn token(bytes: &[u8], at: usize) -> Option<((usize, usize), usize)> {
    let rest = &bytes[at..];
    let whole = |end: usize| Some(((at, end), end));
    let quoted = |open: usize, close: usize| {
        let end = (close + 1).min(bytes.len());
        Some(((open + 1, close.min(bytes.len())), end))
    };
    match rest[0] {
        b'/' if rest.get(1) == Some(&b'/') => {
            whole(rest.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end))
        }
        b'/' if rest.get(1) == Some(&b'*') => whole(block_comment_end(bytes, at)),
        b'"' => quoted(at, string_end(bytes, at + 1)),
        b'\'' => char_end(bytes, at).and_then(|end| quoted(at, end)),
        b'r' | b'b' | b'c' if at == 0 || !is_word(bytes[at - 1]) => raw_string(bytes, at),
        _ => None,
    }
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at + 1 < bytes.len() {
        match (bytes[at], bytes[at + 1]) {
            (b'/', b'*') => depth += 1,
            (b'*', b'/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

/// Offset of the closing quote of a string whose inside starts at `from`.
fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// Offset of the closing quote of a character literal; `None` for a lifetime.
fn char_end(bytes: &[u8], open: usize) -> Option<usize> {
    let first = *bytes.get(open + 1)?;
    if first == b'\\' {
        let found = bytes.get(open + 3..)?.iter().position(|byte| *byte == b'\'')?;
        return Some(open + 3 + found);
    }
    let width = match first {
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    (bytes.get(open + 1 + width) == Some(&b'\'')).then_some(open + 1 + width)
}

/// `r"…"`, `r#"…"#`, `br"…"`, `cr"…"`. (`b"…"`, `c"…"` and `b'…'` are found at their quote.)
fn raw_string(bytes: &[u8], start: usize) -> Option<((usize, usize), usize)> {
    let mut at = start;
    if bytes[at] != b'r' {
        at += 1;
    }
    if bytes.get(at) != Some(&b'r') {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'"'];
    end.resize(1 + hashes, b'#');
    let inside = &bytes[open + 1..];
    let length = inside.windows(end.len()).position(|window| window == end);
    let close = length.map_or(bytes.len(), |length| open + 1 + length);
    Some(((open + 1, close), (close + end.len()).min(bytes.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lengths_kept() {
        for (text, expected) in [
            ("a // x{ ü\nb", "a         \nb"),
            ("a /* { /* } */ */ b", "a                 b"),
            ("f(\"{\\\"\", 'x', '\\'', '{')", "f(\"   \", ' ', '  ', ' ')"),
            ("r#\"a\"{\"# b\"{\" b'{'", "r#\"   \"# b\" \" b' '"),
            ("fn f<'a>(x: &'a u8) {}", "fn f<'a>(x: &'a u8) {}"),
            ("for x in \"ü\" {}", "for x in \"  \" {}"),
        ] {
            assert_eq!(mask(text), expected, "{text}");
        }
    }

    #[test]
    fn an_unfinished_literal_does_not_overrun() {
        for text in ["\"abc", "\"\\", "r#\"x\"", "/* x", "'", "b", "r", "'\\", "br#"] {
            assert_eq!(mask(text).len(), text.len(), "{text}");
        }
    }

    #[test]
    fn test_items_are_marked() {
        let text = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n";
        let source = Source::new("crates/x/src/lib.rs", text);
        let marks: Vec<bool> = (1..=7).map(|line| source.is_test_line(line)).collect();
        assert_eq!(marks, [false, true, true, true, true, true, false]);
        let source = Source::new("crates/x/src/lib.rs", "#[cfg(not(test))]\nfn a() {}\n");
        assert!(!source.is_test_line(2));
        assert!(Source::new("crates/x/tests/it/main.rs", "fn a() {}\n").is_test_line(1));
    }

    #[test]
    fn files_of_test_modules_are_tests() {
        let mut sources = vec![
            Source::new("crates/x/src/lib.rs", "#[cfg(test)]\nmod samples;\n"),
            Source::new("crates/x/src/samples.rs", "fn a() {}\n"),
            Source::new("crates/x/src/tree.rs", "#[cfg(test)] pub(crate) mod checks;\n"),
            Source::new("crates/x/src/tree/checks.rs", "fn a() {}\n"),
            Source::new("crates/x/src/checks.rs", "fn a() {}\n"),
        ];
        mark_test_files(&mut sources);
        let marks: Vec<bool> = sources.iter().map(|source| source.is_test_line(1)).collect();
        assert_eq!(marks, [true, true, true, true, false]);
    }
}
