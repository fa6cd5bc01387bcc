//! Tests of the command tree: every command has help with an example that parses, and
//! `docs/cli.md` is what the tree says (`BAILEE_BLESS=1` writes it anew).

use std::fmt::Write as _;
use std::path::Path;

use clap::{Command, CommandFactory, Parser};

use super::Cli;

/// Calls `visit` with the full name and each command that can be typed.
fn walk(command: &Command, name: &str, visit: &mut dyn FnMut(&str, &Command)) {
    visit(name, command);
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        walk(sub, &format!("{name} {}", sub.get_name()), visit);
    }
}

fn tree() -> Command {
    let mut tree = Cli::command();
    tree.build();
    tree
}

/// The examples as they are typed, without what is piped into them.
fn examples(command: &Command) -> Vec<String> {
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let text = help.strip_prefix("EXAMPLES\n").or(help.strip_prefix("EXAMPLE\n"));
    let text = text.unwrap_or_default().replace("\\\n", " ");
    let piped = |line: &str| line.split_once("| bailee ").map(|(_, rest)| format!("bailee {rest}"));
    text.lines().map(|line| piped(line).unwrap_or_else(|| line.trim().to_owned())).collect()
}

/// Splits a line like a shell does, as far as the examples go.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    let ends = words.iter().position(|word| [">", "|", "&&"].contains(&word.as_str()));
    words.truncate(ends.unwrap_or(words.len()));
    words
}

#[test]
fn the_tree_is_consistent() {
    // Clap's own check panics on an inconsistent tree.
    Cli::command().debug_assert();
    assert_eq!(Cli::command().get_name(), "bailee");
}

#[test]
fn every_command_has_help_and_an_example_that_can_be_typed() {
    let mut seen = 0;
    walk(&tree(), "bailee", &mut |name, command| {
        seen += 1;
        assert!(command.get_about().is_some(), "{name} has no help");
        let examples = examples(command);
        assert!(!examples.is_empty(), "{name} has no example");
        for line in examples {
            assert!(line.starts_with("bailee "), "{name}: {line}");
            if let Err(error) = Cli::try_parse_from(words(&line)) {
                panic!("{name}: the example does not parse: {line}\n{error}");
            }
            let verb: Vec<&str> = name.split(' ').collect();
            let typed = words(&line);
            let named = verb.iter().all(|word| typed.iter().any(|other| other == word));
            let what = "the example shows another command";
            assert!(named || command.has_subcommands(), "{name}: {what}: {line}");
        }
        for arg in command.get_arguments() {
            assert!(arg.get_help().is_some(), "{name}: {} has no help", arg.get_id());
        }
    });
    assert!(seen > 80, "only {seen} commands were walked");
}

#[test]
fn no_argument_takes_a_secret() {
    walk(&tree(), "bailee", &mut |name, command| {
        for arg in command.get_arguments() {
            let long = arg.get_long().unwrap_or_default();
            assert!(!["token", "password", "secret"].contains(&long), "{name} --{long}");
        }
    });
}

fn page() -> String {
    let mut text = String::from(
        "# Commands\n\nWritten from the command tree by its own test; change the tree in\n\
         `crates/bailee/src/cli`, then run `BAILEE_BLESS=1 cargo test -p bailee cli`.\n\n\
         Exit codes: 0 yes; 1 refused, blocked or not verified; 2 wrong use; 3 failure.\n",
    );
    let tree = tree();
    text.push_str("\n## Everywhere\n\n");
    for arg in tree.get_arguments().filter(|arg| arg.is_global_set()) {
        option(&mut text, arg);
    }
    walk(&tree, "bailee", &mut |name, command| {
        if name == "bailee" {
            return;
        }
        let depth = "#".repeat(name.split(' ').count());
        let about = command.get_long_about().or(command.get_about());
        let about = about.map(ToString::to_string).unwrap_or_default();
        write!(text, "\n{depth} `{name}`\n\n{about}\n").unwrap();
        if command.has_subcommands() {
            return;
        }
        let own: Vec<_> =
            command.get_arguments().filter(|arg| !arg.is_global_set() && !built_in(arg)).collect();
        if !own.is_empty() {
            text.push('\n');
        }
        own.iter().for_each(|arg| option(&mut text, arg));
        let line = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
        let line = line
            .trim_start_matches("EXAMPLES\n")
            .trim_start_matches("EXAMPLE\n")
            .replace("\n    ", "\n      ");
        write!(text, "\n```sh\n{}\n```\n", line.replace("\n  ", "\n").trim()).unwrap();
    });
    text
}

fn built_in(arg: &clap::Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

fn option(text: &mut String, arg: &clap::Arg) {
    let value = arg.get_value_names().map(|names| names.join(" "));
    let value = value.filter(|_| arg.get_action().takes_values());
    let name = match (arg.get_long(), value) {
        (Some(long), Some(value)) => format!("--{long} {value}"),
        (Some(long), None) => format!("--{long}"),
        (None, value) => value.unwrap_or_else(|| arg.get_id().to_string()),
    };
    let need = if arg.is_required_set() && arg.get_long().is_some() { " (needed)" } else { "" };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    writeln!(text, "- `{name}`: {help}{need}").unwrap();
}

#[test]
fn the_page_says_what_the_tree_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let now = page();
    if std::env::var_os("BAILEE_BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == now, "docs/cli.md is old: BAILEE_BLESS=1 cargo test -p bailee cli writes it");
}
