//! Budgets as ratchets: lines of a file without its tests, lines of a function, columns.
//!
//! What is over budget today is listed in `xtask/budgets.txt` with its figure. It may not grow,
//! nothing may join the list, and when it shrinks the list must follow (`tidy --shrink` does it;
//! it never writes a larger figure or a new entry).

use super::scan::{functions, line_of};
use super::source::Source;
use super::{Finding, Ratchet};
use crate::tree::Tree;
use anyhow::{Context, Result};
use std::collections::BTreeMap;

const BUDGETS: &str = "xtask/budgets.txt";
const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;
const COLUMNS: usize = 100;

const HEAD: &str = "\
# What is over budget, and by how much: `file <path> <lines>` (400 without tests),
# `function <path>::<name> <lines>` (70 without comments), `columns <path> <lines over 100>`.
# Figures may only shrink and entries only go; `cargo xtask tidy --shrink` follows them down.
";

/// What exceeds a budget: its kind and name.
type Key = (&'static str, String);

struct Excess {
    size: usize,
    path: String,
    line: usize,
}

/// Findings in the whole tree; with [`Ratchet::Shrink`] the list is written first.
pub(crate) fn check(tree: &Tree, sources: &[Source], ratchet: Ratchet) -> Result<Vec<Finding>> {
    let measured = measure(sources);
    let file = tree.root.join(BUDGETS);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).context(format!("read {BUDGETS}")),
    };
    let (mut allowed, mut findings) = parse(&text);
    if ratchet == Ratchet::Shrink {
        allowed = shrink(&allowed, &measured);
        std::fs::write(&file, format(&allowed)).with_context(|| format!("write {BUDGETS}"))?;
    }
    findings.extend(compare(&allowed, &measured));
    Ok(findings)
}

fn measure(sources: &[Source]) -> BTreeMap<Key, Excess> {
    let mut measured = BTreeMap::new();
    let mut note = |kind, name: String, path: &str, line, size, budget| {
        if size > budget {
            let key: Key = (kind, name);
            let excess = Excess { size, path: path.to_owned(), line };
            // Two functions of one name share an entry: the longer one counts.
            let entry = measured.entry(key).or_insert_with(|| Excess { size: 0, ..excess });
            entry.size = entry.size.max(size);
        }
    };
    for source in sources {
        let path = source.path.as_str();
        let count = source.text.lines().count();
        let lines = (1..=count).filter(|line| !source.is_test_line(*line)).count();
        note("file", path.to_owned(), path, 0, lines, FILE_LINES);
        for function in functions(&source.code) {
            let body = &source.code[function.start..function.close];
            let lines = body.lines().filter(|line| !line.trim().is_empty()).count() + 1;
            let line = line_of(&source.code, function.start);
            note(
                "function",
                format!("{path}::{}", function.name),
                path,
                line,
                lines,
                FUNCTION_LINES,
            );
        }
        let wide = |line: &&str| line.chars().count() > COLUMNS && !line.contains("://");
        let first = source.text.lines().position(|line| wide(&line)).map_or(0, |at| at + 1);
        let lines = source.text.lines().filter(wide).count();
        note("columns", path.to_owned(), path, first, lines, 0);
    }
    measured
}

fn parse(text: &str) -> (BTreeMap<Key, usize>, Vec<Finding>) {
    let (mut allowed, mut findings) = (BTreeMap::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let kinds = ["file", "function", "columns"];
        let parsed = match words.as_slice() {
            [kind, name, size] => kinds
                .iter()
                .find(|known| *known == kind)
                .and_then(|kind| Some(((*kind, (*name).to_owned()), size.parse().ok()?))),
            _ => None,
        };
        match parsed {
            Some((key, size)) => drop(allowed.insert(key, size)),
            None => findings.push(Finding::new(
                BUDGETS,
                number + 1,
                format!("not a budget: {line}"),
                "file|function|columns, name, figure",
            )),
        }
    }
    (allowed, findings)
}

fn shrink(
    allowed: &BTreeMap<Key, usize>,
    measured: &BTreeMap<Key, Excess>,
) -> BTreeMap<Key, usize> {
    let smaller = |(key, size): (&Key, &usize)| {
        let now = measured.get(key)?.size;
        Some((key.clone(), now.min(*size)))
    };
    allowed.iter().filter_map(smaller).collect()
}

fn format(allowed: &BTreeMap<Key, usize>) -> String {
    let lines = allowed.iter().map(|((kind, name), size)| format!("{kind} {name} {size}\n"));
    std::iter::once(HEAD.to_owned()).chain(lines).collect()
}

fn compare(allowed: &BTreeMap<Key, usize>, measured: &BTreeMap<Key, Excess>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ((kind, name), excess) in measured {
        let listed = allowed.get(&(*kind, name.clone())).copied();
        let (budget, what, instead) = match *kind {
            "file" => (FILE_LINES, "lines without tests", "split the file by concept"),
            "function" => (FUNCTION_LINES, "lines", "name its parts"),
            _ => (0, "lines over 100 columns", "break them"),
        };
        if excess.size > listed.unwrap_or(budget) {
            let limit = listed.unwrap_or(budget);
            let what = format!("{kind} {name}: {} {what}, allowed {limit}", excess.size);
            findings.push(Finding::new(&excess.path, excess.line, what, instead));
        }
    }
    for ((kind, name), listed) in allowed {
        let now = measured.get(&(*kind, name.clone())).map_or(0, |excess| excess.size);
        if now < *listed {
            let what = format!("{kind} {name} is listed with {listed}, and is smaller now");
            findings.push(Finding::new(BUDGETS, 0, what, "cargo xtask tidy --shrink"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "crates/x/src/lib.rs";

    fn long_function(lines: usize) -> Source {
        let body = "    a();\n".repeat(lines - 2);
        Source::new(PATH, &format!("//! Head.\nfn long() {{\n// words\n\n{body}}}\n"))
    }

    fn findings(allowed: &str, source: Source) -> Vec<String> {
        let (allowed, bad) = parse(allowed);
        let found = compare(&allowed, &measure(&[source]));
        bad.into_iter().chain(found).map(|finding| finding.what).collect()
    }

    #[test]
    fn a_function_over_budget_is_found_unless_listed() {
        let found = |allowed, lines| findings(allowed, long_function(lines));
        let long = "function crates/x/src/lib.rs::long: 71 lines, allowed 70";
        let listed = "function crates/x/src/lib.rs::long 71";
        assert_eq!(found("", 70), [""; 0]);
        assert_eq!(found("", 71), [long]);
        assert_eq!(found(listed, 71), [""; 0]);
        assert_eq!(found(listed, 72), [long.replace("71", "72").replace("70", "71")]);
        let smaller = "function crates/x/src/lib.rs::long is listed with 71, and is smaller now";
        assert_eq!(found(listed, 60), [smaller]);
    }

    #[test]
    fn a_long_file_counts_without_its_tests() {
        let code = "//! Head.\n".repeat(400);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(300));
        assert_eq!(findings("", Source::new(PATH, &format!("{code}{tests}"))), [""; 0]);
        let over = findings("", Source::new(PATH, &format!("//!\n{code}{tests}")));
        assert_eq!(over, ["file crates/x/src/lib.rs: 401 lines without tests, allowed 400"]);
    }

    #[test]
    fn wide_lines_are_counted_unless_they_hold_an_address() {
        let wide = "x".repeat(101);
        let text = format!("//! Head.\n// {wide}\n// https://{wide}\n");
        let found = findings("", Source::new(PATH, &text));
        assert_eq!(found, ["columns crates/x/src/lib.rs: 1 lines over 100 columns, allowed 0"]);
    }

    #[test]
    fn shrinking_never_grows_and_never_adds() {
        let (allowed, _) = parse("function crates/x/src/lib.rs::long 80\nfile gone.rs 500\n");
        let down = shrink(&allowed, &measure(&[long_function(75)]));
        assert_eq!(format(&down), format!("{HEAD}function crates/x/src/lib.rs::long 75\n"));
        let up = shrink(&allowed, &measure(&[long_function(90)]));
        assert_eq!(format(&up), format!("{HEAD}function crates/x/src/lib.rs::long 80\n"));
    }

    #[test]
    fn a_line_that_is_no_budget_is_found() {
        assert_eq!(findings("file x\n", Source::new(PATH, "//!\n")), ["not a budget: file x"]);
    }
}
