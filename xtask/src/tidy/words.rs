//! Words that must not be in the tree: unfinished work, tests that never run, panics without a
//! stated invariant, names of somebody's machine; and the one that must: a file head.

use super::Finding;
use super::scan::{find_words, line_of};
use super::source::Source;

/// Work left for later. Words here are written apart, so that no search finds them.
const LATER: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Directories of one machine. The last is everybody's, but a test that uses it by name collides.
const PLACES: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a path relative to the checkout"),
    (concat!("/ro", "ot/"), "a path relative to the checkout, or an invented one under /srv"),
    (concat!("/tm", "p/"), "`tempfile` in code, an invented path under /srv or /mnt in samples"),
];

/// Code that is refused everywhere.
const NEVER: &[(&str, &str)] = &[
    (concat!("#[", "ignore"), "start what the test needs, or print plainly that it did not run"),
    (concat!("to", "do!"), "finish it, or return a named error that says what to use"),
    (concat!("unimple", "mented!"), "finish it, or return a named error that says what to use"),
    ("use crate::*", "name what is used"),
];

/// Findings in a Rust file.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !source.text.starts_with("//!") {
        let instead = "open with `//!`: invariants, order of writes, why it is safe, out of scope";
        findings.push(Finding::new(&source.path, 1, "no file head", instead));
    }
    for word in LATER {
        for at in find_words(&source.text, word) {
            let line = line_of(&source.text, at);
            let instead = "do it, or say in docs/ that it is not done";
            findings.push(Finding::new(&source.path, line, format!("`{word}`"), instead));
        }
    }
    for (word, instead) in NEVER {
        for at in find_words(&source.code, word) {
            let line = line_of(&source.code, at);
            findings.push(Finding::new(&source.path, line, format!("`{word}`"), *instead));
        }
    }
    findings.extend(check_panics(source));
    findings
}

/// `unwrap` outside tests, and `expect` with a message that states no invariant.
fn check_panics(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let instead = "return a named error, or `expect` with the invariant in words";
    for at in find_words(&source.code, ".unwrap()") {
        if !source.is_test(at) {
            let line = line_of(&source.code, at);
            findings.push(Finding::new(&source.path, line, "`unwrap()`", instead));
        }
    }
    let opening = ".expect(\"";
    for at in find_words(&source.code, opening) {
        let message = &source.text[at + opening.len()..];
        let message = message.split('"').next().unwrap_or_default();
        if !source.is_test(at) && message.split_whitespace().count() < 3 {
            let line = line_of(&source.code, at);
            let what = format!("`expect({message:?})` states no invariant");
            findings.push(Finding::new(&source.path, line, what, instead));
        }
    }
    findings
}

/// Whether the machine's paths are looked for in this file.
pub(crate) fn carries_prose(path: &str) -> bool {
    let ends = [".rs", ".md", ".toml", ".txt", ".sh", ".out", ".ci/run"];
    ends.iter().any(|end| path.ends_with(end))
}

/// Findings in any text file: paths that exist on one machine only.
pub(crate) fn check_places(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, instead) in PLACES {
        for (at, _) in text.match_indices(place) {
            // `docs/x/` inside a longer relative path is not the machine's.
            let before = text[..at].chars().next_back();
            if before.is_none_or(|c| !(c.is_alphanumeric() || "._-})".contains(c))) {
                let line = line_of(text, at);
                findings.push(Finding::new(path, line, format!("`{place}…`"), *instead));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_found(text: &str, expected: &[(usize, &str)]) {
        let findings = check(&Source::new("crates/x/src/lib.rs", text));
        let found: Vec<(usize, &str)> =
            findings.iter().map(|finding| (finding.line, finding.what.as_str())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn each_bad_word_is_found_at_its_line() {
        check_found("fn a() {}\n", &[(1, "no file head")]);
        let later = LATER[0];
        let named = format!("`{later}`");
        check_found(&format!("//! Head.\n// {later}: more\n"), &[(2, &named)]);
        for (word, _) in NEVER {
            let named = format!("`{word}`");
            check_found(&format!("//! Head.\nfn a() {{ {word} }}\n"), &[(2, &named)]);
        }
    }

    #[test]
    fn panics_need_an_invariant_outside_tests() {
        check_found("//! H\nfn a() { b().unwrap(); }\n", &[(2, "`unwrap()`")]);
        check_found("//! H\nfn a() { b().unwrap_or(1); \"x.unwrap()\"; }\n", &[]);
        check_found("//! H\n#[cfg(test)]\nmod t { fn a() { b().unwrap(); } }\n", &[]);
        let short = "`expect(\"never\")` states no invariant";
        check_found("//! H\nfn a() { b().expect(\"never\"); }\n", &[(2, short)]);
        check_found("//! H\nfn a() { b().expect(\"a digest has 32 bytes\"); }\n", &[]);
    }

    #[test]
    fn places_of_one_machine_are_found() {
        let place = PLACES[0].0;
        let text = format!("see docs{place}a\nopen {place}b\n`{place}c`\n");
        let lines: Vec<usize> =
            check_places("docs/a.md", &text).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [2, 3]);
    }
}
