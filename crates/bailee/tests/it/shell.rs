//! What scripts rely on: exit codes, standard output apart from standard error, pipes, JSON.

use std::io::Read;
use std::process::Stdio;

use crate::room::{Room, text};
use crate::wire::Server;

#[test]
fn a_house_is_made_once() {
    let room = Room::with_house();
    let args = [
        "init",
        "--origin",
        "a.example",
        "--entity",
        "B",
        "--country",
        "NL",
        "--counsel",
        "C <c@a.example>",
    ];
    let again = room.run(&args);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.err.contains("nothing was changed"), "{again:?}");
    let status = room.run(&["--json", "status"]).json();
    assert_eq!(status["origin"], "log.example.org/2026");
}

#[test]
fn a_name_without_an_address_makes_no_house() {
    let room = Room::empty();
    let args =
        ["init", "--origin", "a.example", "--entity", "B", "--country", "NL", "--counsel", "C"];
    let said = room.run(&args);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(!room.house().exists());
}

#[test]
fn wrong_use_is_two_and_says_what_would_be_right() {
    let room = Room::with_house();
    let said = room.run(&["gate", "check", "H-1"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("A-1"), "{said:?}");
    let said = room.run(&["asset", "add", "x", "--kind", "spaceship"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("server, drive"), "{said:?}");
    let said = room.run(&["matter", "open", "Without a speaker"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("--as"), "{said:?}");
}

#[test]
fn what_is_no_id_is_answered_with_what_lists_them() {
    let room = Room::with_house();
    for (line, list) in [
        (&["--as", "Ada", "matter", "open", "x"][..], "write an id like P-1 (bailee party list)"),
        (&["gate", "check", "X-77"], "write an id like A-1 (bailee asset list)"),
        (&["receipt", "M-1"], "write an id like D-1 (bailee demand list)"),
    ] {
        let said = room.run(line);
        assert!(said.code == 2 && said.err.contains(list), "{said:?}");
        assert!(!said.err.contains("openapi"), "{said:?}");
    }
}

#[test]
fn a_house_in_use_is_no_refusal_and_nobody_there_has_recorded_nothing() {
    let room = Room::with_house();
    let server = Server::start(&room);
    let busy = room.run(&["check"]);
    assert!(busy.code == 3 && busy.err.contains("house_in_use"), "{busy:?}");
    assert!(busy.err.contains("which serves it") && busy.err.contains("--server"), "{busy:?}");
    let none = server.run("", &["party", "list"]);
    assert!(none.code == 1 && none.err.contains("--token-file FILE"), "{none:?}");
    assert!(none.err.contains("$BAILEE_TOKEN") && !none.err.contains("Bearer"), "{none:?}");
    let url = server.url().to_owned();
    drop(server);
    let (read, write) = (&["party", "list"][..], &["matter", "open", "x"][..]);
    for line in [read, write] {
        let said = room.run(&[&["--server", &url], line].concat());
        assert!(said.code == 3 && said.err.contains("server_unreachable"), "{said:?}");
        assert!(!said.err.contains("unknown"), "{said:?}");
    }
    assert!(room.run(&[&["--server", &url], write].concat()).err.contains("nothing was sent"));
}

#[test]
fn what_is_there_already_is_not_written_over_and_nothing_is_no_part() {
    let room = Room::with_house();
    room.furnish();
    let data = room.file("data", b"letters");
    room.run_as("P-2", &["preserve", "A-1", text(&data)]).ok();
    std::fs::create_dir(room.path("full")).unwrap();
    room.file("full/mine", b"mine");
    for line in [
        &["restore", "S-1", "full"][..],
        &["restore", "S-1", "data"],
        &["export", "S-1", "--form", "bag", "--to", "full"],
        &["export", "S-1", "--form", "bag", "--to", "data"],
        &["export", "S-1", "--form", "tar", "--to", "data"],
        &["export", "S-1", "--form", "tar", "--to", "full"],
    ] {
        let said = room.run(line);
        assert!(said.code == 2 && said.err.contains("name a new"), "{line:?}: {said:?}");
    }
    assert_eq!(std::fs::read(&data).unwrap(), b"letters");
    let none = room.run(&["restore", "S-1", "part", "--only", "nomatch*"]);
    assert!(none.code == 1 && none.err.contains("nothing_matched"), "{none:?}");
    assert!(none.out.is_empty() && none.err.contains("nomatch*"), "{none:?}");
    room.run(&["restore", "S-1", "some", "--only", "da*"]).ok();
}

#[test]
fn errors_are_json_too_and_leave_standard_output_alone() {
    let room = Room::with_house();
    let said = room.run_as("P-2", &["--json", "hold", "approve-release", "H-9"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
    let problem: serde_json::Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(problem["code"], "not_found");
    assert_eq!(problem["about"], "H-9");
}

#[test]
fn no_house_and_a_house_in_use_are_named() {
    let room = Room::empty();
    let said = room.run(&["party", "list"]);
    assert_ne!(said.code, 0);
    assert!(said.err.contains("bailee init"), "{said:?}");
}

#[test]
fn lists_are_tables_and_pages() {
    let room = Room::with_house();
    let all = room.run(&["party", "list"]).ok();
    assert!(all.starts_with("ID "), "{all}");
    assert!(all.contains("P-1  ") && all.contains("Cora Maas"), "{all}");
    let page = room.run(&["party", "list", "--after", "P-1", "--limit", "1"]);
    assert!(page.out.contains("P-2") && !page.out.contains("P-3"), "{page:?}");
    assert!(page.err.contains("--after P-2"), "{page:?}");
    let json = room.run(&["--json", "party", "list"]).json();
    assert_eq!(json["items"].as_array().unwrap().len(), 3);
}

#[test]
fn a_token_is_alone_on_standard_output() {
    let room = Room::with_house();
    let said = room.run_as("P-1", &["token", "issue", "P-2", "--scope", "agent"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.starts_with("bailee_") && said.out.lines().count() == 1, "{said:?}");
    assert!(!said.err.contains("bailee_"), "{said:?}");
    let list = room.run(&["token", "list"]).ok();
    assert!(list.contains("T-1") && !list.contains("bailee_"), "{list}");
}

#[test]
fn policy_changes_what_was_named_and_keeps_the_rest() {
    let room = Room::with_house();
    room.run_as("P-1", &["policy", "set", "--waiting-days", "14"]).ok();
    let policy = room.run(&["--json", "policy", "show"]).json();
    assert_eq!((&policy["waiting_days"], &policy["cooling_days"]), (&14.into(), &14.into()));
    let said = room.run_as("P-1", &["policy", "set", "--lease-seconds", "61"]);
    assert_eq!(said.code, 1, "{said:?}");
    let said = room.run_as("P-2", &["policy", "set", "--waiting-days", "1"]);
    assert!(said.err.contains("not_permitted"), "{said:?}");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let room = Room::empty();
    let mut command = room.command(&["scenario", "sentences"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn completions_manual_pages_and_version_come_without_a_house() {
    let room = Room::empty();
    let script = room.run(&["completions", "bash"]).ok();
    assert!(script.contains("_bailee"), "{script}");
    let man = room.path("man1");
    room.run(&["man", text(&man)]).ok();
    let page = std::fs::read_to_string(man.join("bailee-gate-check.1")).unwrap();
    assert!(page.contains("EXAMPLE") || page.contains("clear (exit 0)"), "{page}");
    let pages = room.run(&["--json", "man", text(&man)]).json();
    assert!(pages["pages"].as_u64() > Some(50), "{pages}");
    assert!(room.run(&["version"]).ok().starts_with("bailee "));
}

#[test]
fn with_json_wrong_use_is_a_problem_too() {
    let room = Room::empty();
    let lines: [&[&str]; 4] = [
        &["--json", "gate", "check"],
        &["demand", "refuse", "D-1", "--nonsense", "--json"],
        &["--json", "asset", "add", "x", "--kind", "spaceship"],
        &["--json"],
    ];
    for line in lines {
        let said = room.run(line);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{said:?}");
        let problem: serde_json::Value = serde_json::from_str(&said.err).expect("one problem");
        assert_eq!(problem["code"], "wrong_use", "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
    let named = room.run(lines[1]).err;
    assert!(named.contains("--nonsense") && !named.contains("Usage"), "{named}");
    // What comes after `--` is no option; help and version are answers.
    let said = room.run(&["gate", "check", "A-1", "A-2", "--", "--json"]);
    assert!(said.code == 2 && said.err.starts_with("error: "), "{said:?}");
    assert!(room.run(&["--json", "--version"]).ok().starts_with("bailee "));
}

#[test]
fn the_demo_answers_a_program_with_one_object() {
    let room = Room::empty();
    let dir = room.path("demo");
    let said = room.run(&["--json", "demo", "--keep", text(&dir)]);
    assert_eq!(said.code, 0, "{said:?}");
    let proved = said.json();
    let files = proved["files"].as_array().expect("files");
    assert_eq!(files.len(), 4, "{proved}");
    let key = std::fs::read_to_string(proved["key"].as_str().expect("a path")).expect("a key");
    for file in files {
        let path = file["file"].as_str().expect("a path");
        assert!(!file["noticed"].as_str().expect("words").is_empty(), "{file}");
        room.run(&["verify", path, "--key", key.trim()]).ok();
    }
}
