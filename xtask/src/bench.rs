//! Benchmarks of all crates in one table, beside their targets and the machine they ran on.
//!
//! A benchmark is a program in `benches/` that prints `name<TAB>value<TAB>unit<TAB>target` lines;
//! everything else it prints is passed through. A target is `>= n`, `<= n`, or `-`. A number that
//! falls short is marked and changes nothing: machines differ, and a failing build on a busy
//! afternoon teaches people to ignore it. Only a benchmark that does not run is an error.

use crate::machine;
use crate::tree::Tree;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    value: String,
    unit: String,
    target: String,
    verdict: &'static str,
}

/// Runs the benchmarks of all crates, or of the one named (with or without `bailee-`).
/// Further words go to the benchmark of the crate's own name, which alone is run then.
pub(crate) fn run(tree: &Tree, only: Option<&str>, words: &[&str]) -> Result<()> {
    let mut crates = crates(tree)?;
    let wanted = |name: &String| {
        only.is_none_or(|only| name == only || name.strip_prefix("bailee-") == Some(only))
    };
    crates.retain(wanted);
    if crates.is_empty() {
        bail!("no crate with benchmarks is named {}", only.unwrap_or("anything"));
    }
    let (mut rows, mut broken) = (Vec::new(), Vec::new());
    for name in &crates {
        match bench(tree, name, words) {
            Ok(measured) => rows.extend(measured),
            Err(error) => broken.push(format!("{error:#}")),
        }
    }
    println!("\n{}", table(&rows));
    println!("machine: {}", machine::line(&tree.target()?)?);
    match broken.is_empty() {
        true => Ok(()),
        false => bail!("did not run:\n{}", broken.join("\n")),
    }
}

/// Crates that have a `benches` directory, by directory name.
fn crates(tree: &Tree) -> Result<Vec<String>> {
    let name = |path: &String| {
        let (name, inside) = path.strip_prefix("crates/")?.split_once('/')?;
        inside.starts_with("benches/").then(|| name.to_owned())
    };
    let mut names: Vec<String> = tree.files()?.iter().filter_map(name).collect();
    names.dedup();
    Ok(names)
}

/// What cargo is told, to run a crate's benchmarks, or its main one with these words.
fn told<'a>(name: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    let main = name.strip_prefix("bailee-").unwrap_or(name);
    let which = if words.is_empty() { vec!["--benches"] } else { vec!["--bench", main, "--"] };
    [&["bench", "-p", name][..], &which, words].concat()
}

fn bench(tree: &Tree, name: &str, words: &[&str]) -> Result<Vec<Row>> {
    let told = told(name, words);
    println!("$ cargo {}", told.join(" "));
    let mut child = Command::new("cargo")
        .args(&told)
        .current_dir(&tree.root)
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo does not start")?;
    let output = child.stdout.take().context("standard output was asked for")?;
    let mut rows = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line.with_context(|| format!("read the output of {name}'s benchmarks"))?;
        match row(&line) {
            Some(row) => {
                println!("  {} {} {}", row.name, row.value, row.unit);
                rows.push(row);
            }
            None => println!("{line}"),
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("cargo bench -p {name}: {status}");
    }
    Ok(rows)
}

fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
    let [name, value, unit, target] = cells.as_slice() else { return None };
    let verdict = verdict(value.parse().ok()?, target);
    let [name, value, unit, target] = [name, value, unit, target].map(|cell| (*cell).to_owned());
    Some(Row { name, value, unit, target, verdict })
}

/// `ok`, `short`, or nothing when there is no target that can be read.
fn verdict(value: f64, target: &str) -> &'static str {
    let number = |text: &str| -> Option<f64> {
        let text = text.trim().replace(['_', ','], "");
        text.split_whitespace().next()?.parse().ok()
    };
    let after = |signs: &[&str]| signs.iter().find_map(|sign| target.strip_prefix(sign));
    let met = match (after(&[">=", "≥", ">"]), after(&["<=", "≤", "<"])) {
        (Some(least), _) => number(least).map(|least| value >= least),
        (_, Some(most)) => number(most).map(|most| value <= most),
        _ => None,
    };
    match met {
        Some(true) => "ok",
        Some(false) => "short",
        None => "",
    }
}

fn table(rows: &[Row]) -> String {
    let width = |cell: fn(&Row) -> &str, least: usize| {
        rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or(0).max(least)
    };
    let name = width(|row| &row.name, 4);
    let value = width(|row| &row.value, 5);
    let unit = width(|row| &row.unit, 4);
    let target = width(|row| &row.target, 6);
    let line = |cells: [&str; 5]| {
        let [a, b, c, d, e] = cells;
        format!("{a:<name$}  {b:>value$}  {c:<unit$}  {d:>target$}  {e}").trim_end().to_owned()
    };
    let mut lines = vec![line(["name", "value", "unit", "target", ""])];
    lines.extend(
        rows.iter().map(|row| line([&row.name, &row.value, &row.unit, &row.target, row.verdict])),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_judged_in_their_direction() {
        for (value, target, expected) in [
            (250.0, ">= 250", "ok"),
            (249.0, ">=250", "short"),
            (1.1, "<= 1", "short"),
            (0.9, "≤ 1", "ok"),
            (600_000.0, ">= 500,000", "ok"),
            (1.0, "-", ""),
            (1.0, "", ""),
        ] {
            assert_eq!(verdict(value, target), expected, "{value} {target}");
        }
    }

    #[test]
    fn words_go_to_the_main_benchmark_alone() {
        assert_eq!(told("bailee-vault", &[]), ["bench", "-p", "bailee-vault", "--benches"]);
        let with = told("bailee-vault", &["prune", "7"]).join(" ");
        assert_eq!(with, "bench -p bailee-vault --bench vault -- prune 7");
    }

    #[test]
    fn only_lines_of_four_cells_with_a_number_are_rows() {
        assert_eq!(row("running 3 tests"), None);
        assert_eq!(row("a\tfast\tMB/s\t-"), None);
        let row = row("restore\t512.5\tMB/s\t>= 400").unwrap();
        assert_eq!((row.name.as_str(), row.verdict), ("restore", "ok"));
        assert_eq!(table(&[row]), "name     value  unit  target\nrestore  512.5  MB/s  >= 400  ok");
    }
}
