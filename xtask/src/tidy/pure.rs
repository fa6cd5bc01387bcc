//! Core decides and ledger proves without touching the world: no files, network, clock,
//! randomness, runtime or iteration order that differs between two runs. Then a replay gives the
//! same state, and a verifier's answer depends on nothing but the bytes it was handed.

use super::Finding;
use super::scan::{closing, find_words};
use super::source::Source;

const PURE: &[&str] = &["crates/bailee-core/src/", "crates/bailee-ledger/src/"];

/// What a pure crate must not say outside its tests, and what it does instead.
const FORBIDDEN: &[(&str, &str)] = &[
    ("tokio", "a plain function; the server brings the runtime"),
    ("std::fs", "take bytes or a reader; the caller opens files"),
    ("std::net", "take bytes; the caller speaks to the network"),
    ("std::env", "take the value as an argument"),
    ("std::process", "return a named error or an intent"),
    ("std::thread", "a plain function; the caller brings threads"),
    ("SystemTime", "take `now` as an argument"),
    ("Instant::now", "take `now` as an argument"),
    ("Timestamp::now", "take `now` as an argument"),
    ("Zoned::now", "take `now` as an argument"),
    ("thread_rng", "take the random bytes as an argument"),
    ("getrandom", "take the random bytes as an argument"),
    ("OsRng", "take the random bytes as an argument"),
    ("HashMap", "`BTreeMap`: its order is the same in every run"),
    ("HashSet", "`BTreeSet`: its order is the same in every run"),
];

/// Modules of `std` that `use std::{...}` must not name either.
const STD: &[&str] = &["fs", "net", "env", "process", "thread"];

/// Findings in one file; none for files of other crates.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    if !PURE.iter().any(|place| source.path.starts_with(place)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut report = |at: usize, word: &str, instead: &str| {
        if !source.is_test(at) {
            let line = super::scan::line_of(&source.code, at);
            let what = format!("`{word}` in a pure crate");
            findings.push(Finding::new(&source.path, line, what, instead));
        }
    };
    for (word, instead) in FORBIDDEN {
        for at in find_words(&source.code, word) {
            report(at, word, instead);
        }
    }
    for at in find_words(&source.code, "std::{") {
        let end = closing(&source.code, at + "std::".len());
        let group = &source.code[at..end];
        for module in STD {
            for inside in find_words(group, module) {
                report(at + inside, &format!("std::{module}"), "take its result as an argument");
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<(usize, String)> {
        let findings = check(&Source::new(path, text));
        findings.into_iter().map(|finding| (finding.line, finding.what)).collect()
    }

    #[test]
    fn the_world_is_found_in_pure_crates_only() {
        let text = "use std::collections::HashMap;\n// std::fs is fine here\nuse std::{io, fs};\n\
                    #[cfg(test)]\nmod tests { use std::fs; }\n";
        let found = lines("crates/bailee-core/src/lib.rs", text);
        assert_eq!(
            found,
            [(1, "`HashMap` in a pure crate".into()), (3, "`std::fs` in a pure crate".into())]
        );
        assert_eq!(lines("crates/bailee-server/src/lib.rs", text), []);
    }
}
