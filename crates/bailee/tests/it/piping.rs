//! Data that comes through a pipe: a stream, and an archive that real tar wrote.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::room::{Room, Said, text};
use crate::wire::{Server, token};

fn piped(room: &Room, args: &[&str], input: &[u8]) -> Said {
    Said::of(room.pipe(&[&["--as", "P-2", "--json", "preserve", "A-1"], args].concat(), input))
}

#[test]
fn what_is_piped_in_comes_back() {
    let room = Room::with_house();
    room.furnish();
    let said = piped(&room, &["-", "--stdin-name", "vos.sql"], b"insert into letters");
    assert_eq!((said.code, &said.json()["files"]), (0, &1.into()), "{said:?}");
    assert_eq!(said.json()["verified"], true);
    assert_eq!(room.run(&["cat", "S-1", "vos.sql"]).ok(), "insert into letters");

    fs::create_dir_all(room.path("data/photos")).unwrap();
    room.file("data/photos/a.raw", b"light");
    fs::hard_link(room.path("data/photos/a.raw"), room.path("data/again")).unwrap();
    let mut tar = Command::new("tar");
    let made = tar.args(["-c", "-C"]).arg(room.path("data")).arg(".").output().unwrap();
    let said = piped(&room, &["-", "--tar"], &made.stdout);
    assert_eq!((said.code, said.json()["snapshot"].as_str()), (0, Some("S-2")), "{said:?}");
    room.run(&["restore", "S-2", text(&room.path("back"))]).ok();
    for name in ["photos/a.raw", "again"] {
        assert_eq!(fs::read(room.path("back").join(name)).unwrap(), b"light");
    }
    room.file("data.tar", &made.stdout);
    let said = room.run_as("P-2", &["--json", "preserve", "A-1", "data.tar", "--tar"]);
    assert_eq!((said.code, &said.json()["files"]), (0, &1.into()), "{said:?}");
}

#[test]
fn an_archive_cut_short_is_refused_and_not_in_the_log() {
    let room = Room::with_house();
    room.furnish();
    room.file("letters", &[b'x'; 5000]);
    let mut tar = Command::new("tar");
    let made = tar.args(["-c", "-C"]).arg(room.path(".")).arg("letters").output().unwrap();
    let said = piped(&room, &["-", "--tar", "--stdin-name", "vos.tar"], &made.stdout[..3000]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.err.contains("archive vos.tar: at byte 3000: it ends within a member"),
        "{said:?}"
    );
    assert_eq!(room.run(&["snapshot", "show", "S-1"]).code, 1);
    let said = piped(&room, &["-", "--device"], b"");
    assert_eq!(said.code, 2, "{said:?}");
}

#[test]
fn nothing_at_all_is_kept_only_if_it_is_asked_for() {
    let room = Room::with_house();
    room.furnish();
    let none = piped(&room, &["-", "--stdin-name", "vos.sql"], b"");
    assert!(none.code == 1 && none.err.contains("empty_stream"), "{none:?}");
    assert!(none.err.contains("vos.sql") && none.err.contains("--allow-empty"), "{none:?}");
    assert_eq!(room.run(&["snapshot", "show", "S-1"]).code, 1, "nothing was recorded");
    let empty = piped(&room, &["-", "--allow-empty"], b"");
    assert_eq!((empty.code, &empty.json()["bytes"]), (0, &0.into()), "{empty:?}");

    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    let none = server.run(&operator, &["preserve", "A-1", "-"]);
    assert!(none.code == 1 && none.err.contains("empty_stream"), "{none:?}");
    let empty = server.run(&operator, &["--json", "preserve", "A-1", "-", "--allow-empty"]);
    assert_eq!((empty.code, &empty.json()["bytes"]), (0, &0.into()), "{empty:?}");
}

#[test]
fn a_pipe_with_a_name_a_socket_and_a_snapshot_are_no_sources() {
    let room = Room::with_house();
    room.furnish();
    let made = Command::new("mkfifo").arg(room.path("fifo")).status().unwrap();
    assert!(made.success());
    let _socket = UnixListener::bind(room.path("socket")).unwrap();
    for (name, what) in [("fifo", "is a pipe"), ("socket", "is a socket")] {
        for more in [&[][..], &["--device"]] {
            let said = room.run_as("P-2", &[&["preserve", "A-1", name], more].concat());
            assert!(said.code == 2 && said.err.contains(what), "{said:?}");
            assert!(said.err.contains(name), "{said:?}");
        }
    }
    let data = room.file("data", b"letters");
    room.run_as("P-2", &["preserve", "A-1", text(&data)]).ok();
    let copy = room.run_as("P-2", &["preserve", "A-2", text(&data)]);
    assert!(copy.code == 1 && copy.err.contains("wrong_kind"), "{copy:?}");
    assert!(copy.err.contains("A-2") && copy.err.contains("S-1, a snapshot of A-1"), "{copy:?}");
    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    let there = server.run(&operator, &["preserve", "A-2", text(&data)]);
    assert!(there.code == 1 && there.err.contains("wrong_kind"), "{there:?}");
}
