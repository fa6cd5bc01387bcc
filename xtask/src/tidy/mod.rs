//! The written style, enforced: what the architecture forbids, what the budgets allow, and
//! whether the documents still name things that exist.
//!
//! Invariants
//! 1. Every finding says where, what, and what to use instead.
//! 2. Rules read masked source (`source`), so that a word in a comment or a string is not code.
//! 3. A rule knows no file by name: exceptions live in `xtask/budgets.txt` and can only shrink.
//!
//! Out of scope: what rustfmt, clippy and rustc already say.

mod arrows;
mod budgets;
mod documents;
mod manifests;
mod pure;
mod scan;
mod source;
mod tests_assert;
mod words;

use crate::tree::Tree;
use anyhow::{Result, bail};
use source::Source;
use std::collections::BTreeSet;

/// What to do with a budget that is larger than it need be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ratchet {
    /// Report it.
    Hold,
    /// Write the smaller figure.
    Shrink,
}

/// Something to put right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Relative path.
    pub(crate) path: String,
    /// From 1; 0 means the whole file.
    pub(crate) line: usize,
    /// What was found.
    pub(crate) what: String,
    /// What to do or use.
    pub(crate) instead: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into(), instead: instead.into() }
    }
}

/// Checks the tree, prints all findings, and fails if there is one.
pub(crate) fn run(tree: &Tree, ratchet: Ratchet) -> Result<()> {
    let findings = check(tree, ratchet)?;
    for finding in &findings {
        let Finding { path, line, what, instead } = finding;
        println!("{path}:{line}: {what}; instead: {instead}");
    }
    match findings.len() {
        0 => println!("tidy: nothing to put right"),
        count => bail!("tidy: {count} to put right"),
    }
    Ok(())
}

/// All findings, sorted by place.
fn check(tree: &Tree, ratchet: Ratchet) -> Result<Vec<Finding>> {
    let paths = tree.files()?;
    let sources = read_sources(tree, &paths)?;
    let mut findings = Vec::new();
    for source in &sources {
        findings.extend(words::check(source));
        findings.extend(pure::check(source));
        findings.extend(tests_assert::check(source));
    }
    for path in &paths {
        findings.extend(manifests::check_test_binaries(path));
        if words::carries_prose(path)
            && let Some(text) = tree.text(path)?
        {
            findings.extend(words::check_places(path, &text));
        }
        if manifests::is_manifest(path)
            && let Some(text) = tree.text(path)?
        {
            findings.extend(manifests::check(path, &text));
        }
    }
    let metadata = tree.metadata()?;
    findings.extend(arrows::check(&metadata));
    let crates: BTreeSet<String> = arrows::names(&metadata).into_iter().collect();
    findings.extend(documents::check(tree, &paths, &crates)?);
    findings.extend(budgets::check(tree, &sources, ratchet)?);
    findings.sort();
    findings.dedup();
    Ok(findings)
}

fn read_sources(tree: &Tree, paths: &[String]) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths.iter().filter(|path| path.ends_with(".rs")) {
        if let Some(text) = tree.text(path)? {
            sources.push(Source::new(path, &text));
        }
    }
    source::mark_test_files(&mut sources);
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree_of(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let tree = Tree { root: directory.path().to_path_buf() };
        (directory, tree)
    }

    const MEMBER: &str = "[package]\nname = \"bailee-core\"\nedition = \"2024\"\n";

    #[test]
    fn a_small_good_tree_has_no_finding_and_a_bad_one_has_each() {
        let root = "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n";
        let good = "//! Head.\n\n/// Adds.\npub fn add(a: u8) -> u8 {\n    a\n}\n";
        let mut files = vec![
            ("Cargo.toml", root),
            ("crates/bailee-core/Cargo.toml", MEMBER),
            ("crates/bailee-core/src/lib.rs", good),
            ("README.md", "`bailee-core` lives in `crates/bailee-core/src/lib.rs`.\n"),
        ];
        let (_directory, tree) = tree_of(&files);
        assert_eq!(check(&tree, Ratchet::Hold).unwrap(), []);

        files.push(("crates/bailee-core/src/bad.rs", "pub fn f() { std::fs::read(\"x\"); }\n"));
        files.push(("docs/a.md", "see `crates/bailee-core/src/gone.rs` and `bailee-gone`\n"));
        let (_directory, tree) = tree_of(&files);
        let findings = check(&tree, Ratchet::Hold).unwrap();
        let places: Vec<(&str, usize)> =
            findings.iter().map(|finding| (finding.path.as_str(), finding.line)).collect();
        let bad = "crates/bailee-core/src/bad.rs";
        assert_eq!(places, [(bad, 1), (bad, 1), ("docs/a.md", 1), ("docs/a.md", 1)]);
        assert!(run(&tree, Ratchet::Hold).is_err());
    }

    #[test]
    fn this_very_tree_is_readable_by_every_rule() {
        let tree = Tree::find().unwrap();
        let paths = tree.files().unwrap();
        let sources = read_sources(&tree, &paths).unwrap();
        let own = sources.iter().find(|source| source.path == "xtask/src/tidy/mod.rs").unwrap();
        assert_eq!(words::check(own), []);
        assert_eq!(tests_assert::check(own), []);
    }
}
