//! Documents that name what no longer exists are worse than none. In the root's, each README.md
//! and docs/**/*.md, everything in backticks that looks like a path of this tree, a crate of ours
//! or a command of xtask must exist, and every relative link must lead somewhere.
//!
//! Out of scope: fenced code blocks (except xtask commands), other people's crates, and names
//! with placeholders (`<n>`, `*`, `…`), of which only the part before is checked.

use super::Finding;
use crate::COMMANDS;
use crate::tree::Tree;
use anyhow::Result;
use std::collections::BTreeSet;

/// First segments that make a word in backticks a path of this tree.
const TOPS: &[&str] = &[
    "crates",
    "docs",
    "xtask",
    "fuzz",
    "scenarios",
    "fixtures",
    "verifiers",
    "bench",
    ".ci",
    ".cargo",
];

/// Findings in all documents.
pub(crate) fn check(
    tree: &Tree,
    paths: &[String],
    crates: &BTreeSet<String>,
) -> Result<Vec<Finding>> {
    let known = Known { paths, crates };
    let mut findings = Vec::new();
    for path in paths.iter().filter(|path| is_document(path)) {
        if let Some(text) = tree.text(path)? {
            findings.extend(known.check(path, &text));
        }
    }
    Ok(findings)
}

fn is_document(path: &str) -> bool {
    let prose = path.starts_with("docs/") || !path.contains('/') || path.ends_with("/README.md");
    // The changelog speaks of the past, in which other things existed.
    prose && path.ends_with(".md") && path != "CHANGELOG.md"
}

struct Known<'a> {
    paths: &'a [String],
    crates: &'a BTreeSet<String>,
}

impl Known<'_> {
    fn check(&self, document: &str, text: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut report = |line: usize, what: String, instead: &str| {
            findings.push(Finding::new(document, line, what, instead));
        };
        let mut fenced = false;
        for (number, line) in text.lines().enumerate() {
            let number = number + 1;
            for command in xtask_commands(line) {
                if !COMMANDS.contains(&command) {
                    let instead = format!("one of {}", COMMANDS.join(", "));
                    report(number, format!("no command `cargo xtask {command}`"), &instead);
                }
            }
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            if fenced {
                continue;
            }
            for word in line.split('`').skip(1).step_by(2) {
                if self.is_unknown_crate(word) {
                    report(number, format!("no crate `{word}`"), "a crate of this workspace");
                }
                if looks_like_path(word) && !self.exists("", word) {
                    report(number, format!("no file `{word}`"), "a path that exists");
                }
            }
            for link in links(line) {
                let directory = document.rsplit_once('/').map_or("", |(directory, _)| directory);
                if !self.exists(directory, link) {
                    report(number, format!("dead link `{link}`"), "a path that exists");
                }
            }
        }
        findings
    }

    fn is_unknown_crate(&self, word: &str) -> bool {
        let Some(rest) = word.strip_prefix("bailee-") else { return false };
        let named = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase());
        named && !self.crates.contains(word)
    }

    /// Whether a path, or what is before its first placeholder, exists from `directory`.
    fn exists(&self, directory: &str, word: &str) -> bool {
        let word = word.split(['#', ':']).next().unwrap_or_default();
        let mut place: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
        for part in word.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if part.contains(['*', '<', '{', '[', '…', '?']) {
                break;
            }
            match part {
                ".." if place.pop().is_none() => return false,
                ".." => {}
                _ => place.push(part),
            }
        }
        let place = place.join("/");
        let inside = format!("{place}/");
        place.is_empty()
            || place.contains("target")
            || self.paths.iter().any(|path| *path == place || path.starts_with(&inside))
    }
}

fn looks_like_path(word: &str) -> bool {
    let top = word.split('/').next().unwrap_or_default();
    word.contains('/') && TOPS.contains(&top) && !word.contains(' ')
}

/// Commands named after `cargo xtask`.
fn xtask_commands(line: &str) -> Vec<&str> {
    let rest = line.split("cargo xtask ").skip(1);
    rest.filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
    .collect()
}

/// Targets of relative Markdown links.
fn links(line: &str) -> Vec<&str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://") && !link.starts_with(['#', '<']))
        .filter(|link| !link.starts_with("mailto:") && !link.is_empty() && !link.contains('`'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(document: &str, text: &str) -> Vec<(usize, String)> {
        let paths = ["README.md", "crates/bailee-core/src/lib.rs", "docs/format.md"];
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let crates = BTreeSet::from(["bailee-core".to_owned()]);
        let known = Known { paths: &paths, crates: &crates };
        let findings = known.check(document, text);
        findings.into_iter().map(|finding| (finding.line, finding.what)).collect()
    }

    #[test]
    fn what_exists_passes() {
        let text = "`bailee-core` in `crates/bailee-core/`, `crates/bailee-core/src/*.rs`,\n\
                    `docs/format.md`, `bailee serve`, [f](format.md#a), [r](../README.md),\n\
                    ```\ncrates/gone.rs\n```\n`cargo xtask test`, [w](https://example.org/x)\n";
        assert_eq!(found("docs/a.md", text), []);
    }

    #[test]
    fn what_is_gone_is_found() {
        let text = "`bailee-gone`\n`crates/bailee-core/src/gone.rs`\n[x](gone.md)\n\
                    `cargo xtask polish`\n";
        assert_eq!(
            found("docs/a.md", text),
            [
                (1, "no crate `bailee-gone`".to_owned()),
                (2, "no file `crates/bailee-core/src/gone.rs`".to_owned()),
                (3, "dead link `gone.md`".to_owned()),
                (4, "no command `cargo xtask polish`".to_owned()),
            ]
        );
    }
}
