//! Which command runs where: the table of docs/operating.md, held against the program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::room::{Room, Said, text};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Rows of the table: commands, and where they run.
fn table() -> Vec<(Vec<String>, String)> {
    let page = std::fs::read_to_string(root().join("docs/operating.md")).expect("the page");
    let (_, after) = page.split_once("\n## Which command runs where\n").expect("the section");
    let section = after.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let commands = cells.next().unwrap_or_default().split(", ");
        let commands = commands.map(|one| one.trim_matches('`').to_owned()).collect();
        (commands, cells.next().unwrap_or_default().to_owned())
    };
    rows.map(row).collect()
}

/// Names that the program gives when it says that something works on the directory alone.
fn named_in_source() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut below = vec![root().join("crates/bailee/src")];
    while let Some(dir) = below.pop() {
        for path in std::fs::read_dir(dir).expect("sources").map(|entry| entry.expect("one").path())
        {
            if path.is_dir() {
                below.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("text");
            for call in [".here(\"`", "local(\"`"] {
                let after = source.split(call).skip(1);
                names.extend(after.filter_map(|rest| Some(rest.split_once('`')?.0.to_owned())));
            }
        }
    }
    names
}

/// What is typed for a row that needs the directory.
fn typed(command: &str, room: &Room) -> Vec<String> {
    let file = room.file("some.file", b"{}");
    let dir = room.path("some-dir");
    std::fs::create_dir_all(&dir).expect("a directory");
    let (file, dir) = (text(&file), text(&dir));
    let rest = match command {
        "mount" => vec!["S-1", dir],
        "export --form volumes" => vec!["S-1", "--to", dir, "--key", file],
        "scrub --repair-from" => vec![file],
        "snapshot adopt" => vec!["A-1"],
        "volumes check --log" => vec![file],
        "keys vault" => vec!["rotate"],
        "keys continue" => vec!["--origin", "new.example/log", file],
        _ => Vec::new(),
    };
    command.split(' ').chain(rest).map(ToOwned::to_owned).collect()
}

#[test]
fn the_table_names_what_the_source_keeps_to_the_directory_and_nothing_else() {
    let rows = table();
    let of = |place: &str| -> BTreeSet<String> {
        let rows = rows.iter().filter(|(_, at)| at == place);
        rows.flat_map(|(commands, _)| commands.clone()).collect()
    };
    assert_eq!(of("directory"), named_in_source());
    assert!(of("no house").len() > 5 && of("nowhere else").contains("init"), "{rows:?}");
}

#[test]
fn what_needs_the_directory_says_so_at_a_server_and_what_to_do() {
    let room = Room::with_house();
    // Nobody answers there, and nobody is asked.
    let at = |args: &[String]| -> Said {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let head = ["--server", "http://127.0.0.1:9", "--as", "P-1"];
        room.run(&[&head[..], &args].concat())
    };
    let rows = table();
    let directory = rows.iter().filter(|(_, place)| place == "directory");
    let mut seen = 0;
    for command in directory.flat_map(|(commands, _)| commands) {
        // Volumes are read before the log is asked about them; that there is none of these comes
        // first.
        if command == "volumes check --log" {
            continue;
        }
        let said = at(&typed(command, &room));
        assert_eq!(said.code, 2, "{command}: {said:?}");
        assert!(said.err.contains("data directory") && said.err.contains("next:"), "{said:?}");
        seen += 1;
    }
    assert!(seen > 7, "only {seen} rows");
}

#[test]
fn what_the_service_does_is_asked_there() {
    let room = Room::with_house();
    for line in [
        "expire A-2 --disposition X-1",
        "erase A-2 --disposition X-1",
        "prune --dry-run",
        "settle",
        "check",
        "scrub",
        "probe",
        "snapshot verify S-1",
        "snapshot files S-1",
        "snapshot map S-1 a",
        "restore S-1 given-back",
        "cat S-1 a --range 0-9",
        "export S-1 --form tar --to given.tar",
        "preserve A-1 /etc/hostname",
        "gate check A-1",
        "asset list",
        "keys show",
        "keys policy",
        "keys announce R-1",
        "status",
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let said = room.run(&[&["--server", "http://127.0.0.1:9"][..], &args].concat());
        assert!(said.code == 3 && said.err.contains("server_unreachable"), "{line}: {said:?}");
    }
}
