//! A test that asserts nothing passes whatever the code does. Every `#[test]` function must hold
//! an assertion, or call a function whose name promises one (`check…`, `expect…`, `assert…`,
//! `conformance…`), or be `#[should_panic]`.

use super::Finding;
use super::scan::{Function, functions, is_word, line_of};
use super::source::Source;

const PROMISES: &[&str] = &["assert", "prop_assert", "check", "expect", "conformance", "insta"];

/// Findings in one file.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let functions = functions(&source.code);
    let mut findings = Vec::new();
    for marker in ["#[test]", "#[tokio::test"] {
        for (at, _) in source.code.match_indices(marker) {
            let Some(function) = functions.iter().find(|function| function.start > at) else {
                continue;
            };
            let header = &source.code[at..function.start];
            if !header.contains("#[should_panic") && !asserts(&source.code, function) {
                findings.push(Finding::new(
                    &source.path,
                    line_of(&source.code, function.start),
                    format!("test `{}` asserts nothing", function.name),
                    "state what must hold with `assert!`, or call a helper named check…, expect…",
                ));
            }
        }
    }
    findings
}

fn asserts(code: &str, function: &Function) -> bool {
    let body = &code[function.open..function.close];
    let bytes = body.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !is_word(bytes[at]) {
            at += 1;
            continue;
        }
        let length = bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
        let (word, after) = (&body[at..at + length], body[at + length..].trim_start());
        let method = at > 0 && bytes[at - 1] == b'.';
        let called = after.starts_with(['!', '(']) || after.starts_with("::");
        if called && !(method && word == "expect") && PROMISES.iter().any(|p| word.starts_with(p)) {
            return true;
        }
        at += length;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tests_without_assertion_are_found() {
        let text = "#[test]\nfn empty() { let x = f().expect(\"never fails\"); }\n\
                    #[test]\nfn good() { assert_eq!(1, 1); }\n\
                    #[test]\nfn helper() { check(1, \"x\"); }\n\
                    #[test]\n#[should_panic]\nfn panics() { f(); }\n\
                    proptest! { #[test] fn random(x in 0..3u8) { f(x); } }\n\
                    #[tokio::test(flavor = \"x\")]\nasync fn late() { prop_assert!(true); }\n\
                    #[test]\nfn commented() { /* assert!(true) */ }\n";
        let findings = check(&Source::new("crates/x/src/lib.rs", text));
        let found: Vec<(usize, &str)> =
            findings.iter().map(|finding| (finding.line, finding.what.as_str())).collect();
        assert_eq!(
            found,
            [
                (2, "test `empty` asserts nothing"),
                (10, "test `random` asserts nothing"),
                (14, "test `commented` asserts nothing"),
            ]
        );
    }
}
