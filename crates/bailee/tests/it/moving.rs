//! Data into the vault and out of it while `bailee serve` runs.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, XattrFlags};
use serde_json::{Value, json};

use crate::letting_go::packs_below;
use crate::room::{Room, Said, text};
use crate::seen::{describe, noise};
use crate::wire::{Server, token};

/// Every kind of thing that a directory has.
fn furnished(room: &Room) -> PathBuf {
    let from = room.path("data");
    fs::create_dir_all(from.join("photos/deep")).expect("a test can");
    fs::write(from.join("photos/deep/a.raw"), noise(1, 9_000_000)).expect("a test can");
    fs::hard_link(from.join("photos/deep/a.raw"), from.join("again")).expect("a test can");
    symlink("../../etc/passwd", from.join("photos/link")).expect("a test can");
    UnixListener::bind(from.join("socket")).expect("a test can");
    fs::write(from.join("odd\u{e9} name\n"), b"short").expect("a test can");
    let sparse = File::create(from.join("sparse")).expect("a test can");
    sparse.write_all_at(&noise(2, 100_000), 40_000_123).expect("a test can");
    sparse.set_len(100 << 20).expect("a test can");
    let (name, flags) = (&b"user.origin"[..], XattrFlags::empty());
    rustix::fs::fsetxattr(&sparse, name, b"camera\0 7", flags).expect("a test can");
    fs::set_permissions(from.join("photos"), fs::Permissions::from_mode(0o2750))
        .expect("a test can");
    fs::set_permissions(from.join("again"), fs::Permissions::from_mode(0o4711))
        .expect("a test can");
    for (n, path) in ["again", "photos/link", "sparse", "photos/deep", "photos"].iter().enumerate()
    {
        let time = Timespec { tv_sec: 1_000_000_000 + n as i64, tv_nsec: 123_456_789 };
        let times = Timestamps { last_access: time, last_modification: time };
        let path = from.join(path);
        rustix::fs::utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("a test can");
    }
    from
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().expect("a test can").keys().cloned().collect()
}

#[test]
fn a_directory_goes_in_and_comes_back_as_it_does_on_the_data_directory() {
    let room = Room::with_house();
    room.furnish();
    let from = furnished(&room);
    let local = room.run_as("P-2", &["--json", "preserve", "A-1", text(&from)]);
    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    let ask = |args: &[&str]| server.run(&operator, &[&["--json"], args].concat());

    let kept = ask(&["preserve", "A-1", text(&from), "--rehash"]);
    assert_eq!((kept.code, &kept.json()["snapshot"]), (0, &json!("S-2")), "{kept:?}");
    assert_eq!(keys(&kept.json()), keys(&local.json()));
    for part in ["files", "bytes", "verified", "problems"] {
        assert_eq!(kept.json()[part], local.json()[part], "{part}");
    }
    assert!(kept.json()["stored_bytes"].as_u64().unwrap() < 50_000, "all of it is there: {kept:?}");
    let [there, part, bag, tar] = ["there", "part", "bag", "a.tar"].map(|name| room.path(name));
    let back = ask(&["restore", "S-2", text(&there)]);
    assert_eq!((back.code, &back.json()["complete"]), (0, &json!(true)), "{back:?}");
    assert_eq!(describe(&there), describe(&from), "entry by entry");
    let some = ask(&["restore", "S-2", text(&part), "--only", "photos/**"]);
    assert_eq!((some.code, &some.json()["files"]), (0, &json!(1)), "{some:?}");
    let map = |said: &dyn Fn(&[&str]) -> Said, name| said(&["snapshot", "map", "S-2", name]).ok();
    let remote = |args: &[&str]| server.run(&operator, args);
    let mapped = ["photos/deep/a.raw", "odd\u{e9} name\n"].map(|name| map(&remote, name));
    assert_eq!(remote(&["snapshot", "map", "S-2", "none"]).code, 1);
    let again = ask(&["restore", "S-2", text(&there)]);
    assert_eq!(again.code, 2, "it is not empty: {again:?}");
    let bagged = ask(&["export", "S-2", "--form", "bag", "--to", text(&bag)]);
    assert_eq!(bagged.code, 0, "{bagged:?}");
    let written = ask(&["export", "S-2", "--form", "tar", "--to", text(&tar)]);
    assert_eq!(written.code, 0, "{written:?}");
    let key = room.path("k");
    let sealed = ["export", "S-2", "--form", "volumes", "--to", "x", "--key", text(&key)];
    let sealed = server.run(&operator, &sealed);
    assert!(sealed.code == 2 && sealed.err.contains("data directory"), "{sealed:?}");
    drop(server);

    let local = |args: &[&str]| room.run(args);
    let names = ["photos/deep/a.raw", "odd\u{e9} name\n"];
    assert_eq!(mapped, names.map(|name| map(&local, name)));
    let [here, other, same] = ["here", "other-bag", "b.tar"].map(|name| room.path(name));
    let gone = room.run(&["--json", "restore", "S-2", text(&here)]);
    assert_eq!(keys(&gone.json()), keys(&back.json()));
    assert_eq!(describe(&there), describe(&here));
    let said = room.run(&["--json", "export", "S-2", "--form", "tar", "--to", text(&same)]);
    assert_eq!(keys(&said.json()), keys(&written.json()));
    assert_eq!(said.json()["left_out"], written.json()["left_out"]);
    assert!(fs::read(&same).unwrap() == fs::read(&tar).unwrap(), "the same archive");
    room.run(&["export", "S-2", "--form", "bag", "--to", text(&other)]).ok();
    assert_eq!(
        describe(&other).keys().collect::<Vec<_>>(),
        describe(&bag).keys().collect::<Vec<_>>()
    );
    for name in ["tagmanifest-sha256.txt", "manifest-sha256.txt", "entries.jsonl"] {
        assert!(fs::read(other.join(name)).unwrap() == fs::read(bag.join(name)).unwrap(), "{name}");
    }
}

#[test]
fn a_listing_is_the_same_here_and_there() {
    let room = Room::with_house();
    room.furnish();
    let operator = token(&room, "P-2", "operator");
    let from = furnished(&room);
    room.run_as("P-2", &["preserve", "A-1", text(&from)]).ok();
    let listing = |said: &dyn Fn(&[&str]) -> Said| {
        let all = said(&["snapshot", "files", "S-1"]).ok();
        let json = said(&["--json", "snapshot", "files", "S-1"]).json();
        let one = said(&["snapshot", "files", "S-1", "--only", "photos/*/a.raw"]).ok();
        assert!(one.lines().count() == 1 && one.contains("photos/deep/a.raw -> "), "{one}");
        let none = said(&["snapshot", "files", "S-1", "--only", "nobody"]);
        assert_eq!((none.code, none.out.as_str()), (1, ""), "{none:?}");
        assert_eq!(said(&["snapshot", "files", "S-99"]).code, 1);
        (all, json)
    };
    let server = Server::start(&room);
    let there = listing(&|args| server.run(&operator, args));
    drop(server);
    assert_eq!(listing(&|args| room.run(args)), there);
    assert_eq!(there.0.lines().count(), describe(&from).len() - 1, "{}", there.0);
    let raw = fs::read(from.join("photos/deep/a.raw")).unwrap();
    let hash = json!(bailee_ledger::to_hex(&bailee_ledger::hash::sha256(&raw)));
    let items = there.1["items"].as_array().unwrap();
    assert!(items.iter().any(|item| item["kind"] == "file" && item["sha256"] == hash), "{items:?}");
}

#[test]
fn files_archives_and_pipes_go_in() {
    let room = Room::with_house();
    room.furnish();
    let operator = token(&room, "P-2", "operator");
    let (image, bytes) = (room.path("disk.img"), noise(3, 3_000_000));
    fs::write(&image, &bytes).unwrap();
    let mut tar = std::process::Command::new("tar");
    let made = tar.args(["-c", "-C"]).arg(room.path(".")).arg("disk.img").output().unwrap().stdout;
    room.file("data.tar", &made);
    let server = Server::start(&room);
    let piped = |args: &[&str], input: &[u8]| {
        let args = [&["--json", "preserve", "A-1"], args].concat();
        let mut command = server.command(server.url(), &operator, &args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A refusal may come before all of it is read.
        _ = child.stdin.take().unwrap().write_all(input);
        Said::of(child.wait_with_output().unwrap())
    };
    for (n, args) in [&["disk.img", "--device"][..], &["disk.img"], &["data.tar", "--tar"]]
        .into_iter()
        .enumerate()
    {
        let said = piped(args, b"");
        assert_eq!((said.code, &said.json()["bytes"]), (0, &json!(3_000_000)), "{said:?}");
        let to = room.path(&format!("to-{n}"));
        let id = said.json()["snapshot"].as_str().unwrap().to_owned();
        server.run(&operator, &["restore", &id, text(&to)]).ok();
        assert!(fs::read(to.join("disk.img")).unwrap() == bytes, "{args:?}");
    }
    let said = piped(&["-", "--stdin-name", "vos.sql"], b"insert into letters");
    assert_eq!((said.code, &said.json()["files"]), (0, &json!(1)), "{said:?}");
    let said = piped(&["-", "--tar", "--stdin-name", "vos.tar"], &made);
    assert_eq!((said.code, &said.json()["files"]), (0, &json!(1)), "{said:?}");

    // What is no whole archive is told by name, though its bytes all came.
    let cut = piped(&["-", "--tar", "--stdin-name", "vos.tar"], &made[..1_000_000]);
    assert_eq!(cut.code, 1, "{cut:?}");
    assert!(
        cut.err.contains("archive vos.tar: at byte 1000000: it ends within a member"),
        "{cut:?}"
    );
    let odd = piped(&["-", "--stdin-name", "a/b"], b"x");
    assert!(odd.code == 3 && odd.err.contains("contains a slash"), "{odd:?}");
    let none = piped(&["no-such-file"], b"");
    assert!(none.code == 3 && none.err.contains("no-such-file"), "{none:?}");
    let nobody = server.run(&operator, &["preserve", "A-9", "disk.img"]);
    assert!(nobody.code == 1 && nobody.err.contains("A-9"), "{nobody:?}");
    let listed = server.run(&operator, &["--json", "snapshot", "list"]);
    assert_eq!(listed.json()["items"].as_array().unwrap().len(), 5, "{listed:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_rest_is_kept() {
    let room = Room::with_house();
    room.furnish();
    let operator = token(&room, "P-2", "operator");
    let from = room.path("data");
    // Deeper than the descriptors of a process: what lies there cannot be read by anybody.
    let mut deep = from.clone();
    (0..40).for_each(|_| deep.push("d"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(from.join("a"), b"a").unwrap();
    let server = Server::start(&room);
    let args = ["--json", "preserve", "A-1", text(&from)];
    let command = server.command(server.url(), &operator, &args);
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -n 32; exec \"$@\"", "sh"]).arg(command.get_program());
    limited.args(command.get_args()).current_dir(room.path(".")).env_clear();
    let said = Said::of(limited.output().unwrap());
    assert_eq!((said.code, &said.json()["verified"]), (1, &json!(true)), "{said:?}");
    let problems = said.json()["problems"].clone();
    let named = problems[0]["path"].as_str().unwrap().starts_with("d/d/d");
    assert!(named && problems[0]["what"].as_str().unwrap().contains("open files"), "{problems}");
}

#[test]
fn who_may_not_is_refused_before_a_byte_moves() {
    let room = Room::with_house();
    room.furnish();
    let from = room.file("a", b"a");
    room.run_as("P-2", &["preserve", "A-1", text(&from)]).ok();
    let reader = token(&room, "P-2", "reader");
    let owner = token(&room, "P-4", "operator");
    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    let to = room.path("to");
    for args in [
        &["preserve", "A-1", text(&from)][..],
        &["restore", "S-1", text(&to)],
        &["cat", "S-1", "a"],
        &["export", "S-1", "--form", "tar", "--to", "-"],
    ] {
        let scope = server.run(&reader, args);
        assert!(scope.code == 1 && scope.err.contains("scope_missing"), "{scope:?}");
        let role = server.run(&owner, args);
        assert!(role.code == 1 && role.err.contains("not_permitted"), "{role:?}");
    }
    assert!(!to.exists(), "nothing was made for it");
    let none = server.run(&operator, &["restore", "S-9", text(&to)]);
    assert!(none.code == 1 && none.err.contains("S-9"), "{none:?}");
}

/// A client that was given so much of its input and waits for more.
fn half_way(server: &Server<'_>, token: &str, args: &[&str], input: &[u8]) -> Child {
    let mut command = server.command(server.url(), token, args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a test can");
    // It comes back when all but what pipes and sockets hold was taken.
    child.stdin.as_mut().expect("a test can").write_all(input).expect("a test can");
    child
}

fn signal(id: u32, name: &str) {
    let sent = std::process::Command::new("kill").args(["-s", name, &id.to_string()]).status();
    assert!(sent.expect("a test can").success());
}

fn snapshots(said: &Said) -> usize {
    said.json()["items"].as_array().expect("a test can").len()
}

#[test]
fn a_client_that_is_killed_leaves_no_snapshot_and_the_service_answers_meanwhile() {
    let room = Room::with_house();
    room.furnish();
    let operator = token(&room, "P-2", "operator");
    let mut tar = std::process::Command::new("tar");
    room.file("a", &noise(4, 20_000_000));
    let made = tar.args(["-c", "-C"]).arg(room.path(".")).arg("a").output().unwrap().stdout;
    let server = Server::start(&room);
    let letter = room.file("letter.eml", crate::room::LETTER.as_bytes());
    for (args, input) in [
        (&["preserve", "A-1", "-"][..], &noise(5, 20_000_000)),
        (&["preserve", "A-1", "-", "--tar"], &made),
    ] {
        let mut client = half_way(&server, &operator, args, &input[..16_000_000]);
        let busy = server.run(&operator, &["preserve", "A-1", "a"]);
        assert!(busy.code == 3 && busy.err.contains("preserves another source"), "{busy:?}");
        let began = Instant::now();
        server.run(&operator, &["intake", text(&letter)]).ok();
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        client.kill().unwrap();
        client.wait().unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        let next = loop {
            let next = server.run(&operator, &["--json", "preserve", "A-1", "letter.eml"]);
            if next.code == 0 || Instant::now() > until {
                break next;
            }
            assert!(next.err.contains("busy"), "{next:?}");
            thread::sleep(Duration::from_millis(50));
        };
        assert_eq!(next.code, 0, "the place is free again: {next:?}");
    }
    let listed = server.run(&operator, &["--json", "snapshot", "list"]);
    assert_eq!(snapshots(&listed), 2, "the two small ones only: {listed:?}");
    let checked = server.run(&operator, &["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
}

#[test]
fn a_service_that_is_ended_in_the_middle_ends_in_peace_and_what_came_is_not_stored_twice() {
    let room = Room::with_house();
    room.furnish();
    let operator = token(&room, "P-2", "operator");
    // So much that one of the workers (one for each core) has a pack of 16 MiB full, beside what
    // pipes, sockets and queues hold.
    let cores = thread::available_parallelism().unwrap().get();
    let data = noise(6, 40_000_000 + cores * 20_000_000);
    let mut server = Server::start(&room);
    let args = ["--json", "preserve", "A-1", "-", "--stdin-name", "dump"];
    let client = half_way(&server, &operator, &args, &data);
    let until = Instant::now() + Duration::from_secs(60);
    let large = |pack: &PathBuf| fs::metadata(pack).is_ok_and(|pack| pack.len() > 15_000_000);
    while !packs_below(&room.path("house/objects")).iter().any(large) && Instant::now() < until {
        thread::sleep(Duration::from_millis(100));
    }
    thread::sleep(Duration::from_secs(2)); // until it is told to those who wait for it
    let began = Instant::now();
    signal(server.id(), "TERM");
    assert!(server.ended().success(), "it ends with 0");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let said = Said::of(client.wait_with_output().unwrap());
    assert_eq!(said.code, 3, "{said:?}");
    drop(server);
    assert_eq!(snapshots(&room.run(&["--json", "snapshot", "list"])), 0);

    let server = Server::start(&room);
    let mut again = half_way(&server, &operator, &args, &data);
    drop(again.stdin.take());
    let said = Said::of(again.wait_with_output().unwrap());
    assert_eq!((said.code, &said.json()["verified"]), (0, &json!(true)), "{said:?}");
    let stored = said.json()["stored_bytes"].as_u64().unwrap();
    let saved = (data.len() as u64).saturating_sub(stored);
    assert!(saved > 14_000_000, "what was durable is not stored again: {stored}");
}

/// A way to a server that ends after so many bytes of answers.
pub(crate) fn cut_off(url: &str, most: u64) -> String {
    let (listener, to) =
        (TcpListener::bind("127.0.0.1:0").expect("a test can"), url.replace("http://", ""));
    let address = listener.local_addr().expect("a test can");
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(&to).expect("a test can");
            let (mut from, mut into) =
                (client.try_clone().expect("a test can"), server.try_clone().expect("a test can"));
            thread::spawn(move || std::io::copy(&mut from, &mut into));
            _ = std::io::copy(&mut server.take(most), &mut &client);
            _ = client.shutdown(Shutdown::Both);
        }
    });
    format!("http://{address}")
}

#[test]
fn an_answer_that_is_cut_off_is_a_failure_that_says_what_is_missing() {
    let room = Room::with_house();
    room.furnish();
    let operator = token(&room, "P-2", "operator");
    let from = room.path("data");
    fs::create_dir(&from).unwrap();
    for name in ["a", "b", "c"] {
        fs::write(from.join(name), noise(name.len() as u64, 2_000_000)).unwrap();
    }
    room.run_as("P-2", &["preserve", "A-1", text(&from)]).ok();
    let server = Server::start(&room);
    let url = cut_off(server.url(), 3_000_000);
    let run = |args: &[&str]| {
        let mut command = server.command(&url, &operator, args);
        Said::of(command.stdin(Stdio::null()).output().unwrap())
    };
    let to = room.path("to");
    let cut = run(&["restore", "S-1", text(&to)]);
    assert_eq!(cut.code, 3, "{cut:?}");
    assert!(cut.err.contains("\"b\"") && cut.err.contains("2 of 3 files"), "{cut:?}");
    assert!(to.join("a").exists() && !to.join("b").exists() && !to.join("c").exists());
    let tar = room.path("a.tar");
    let cut = run(&["export", "S-1", "--form", "tar", "--to", text(&tar)]);
    assert!(cut.code == 3 && !tar.exists(), "{cut:?}");
    let bag = room.path("bag");
    let cut = run(&["export", "S-1", "--form", "bag", "--to", text(&bag)]);
    assert!(cut.code == 3 && !bag.join("bagit.txt").exists(), "{cut:?}");
}

#[test]
fn damage_is_named_as_it_is_on_the_data_directory() {
    let room = Room::with_house();
    room.furnish();
    let operator = token(&room, "P-2", "operator");
    let from = room.path("data");
    fs::create_dir(&from).unwrap();
    fs::write(from.join("a"), noise(8, 3_000_000)).unwrap();
    fs::write(from.join("b"), b"whole").unwrap();
    room.run_as("P-2", &["preserve", "A-1", text(&from)]).ok();
    let size = |pack: &PathBuf| fs::metadata(pack).unwrap().len();
    let pack = packs_below(&room.path("house/objects")).into_iter().max_by_key(size).unwrap();
    let mut damaged = fs::read(&pack).unwrap();
    damaged[1_000_000] ^= 1;
    fs::set_permissions(&pack, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&pack, damaged).unwrap();
    let local = room.run(&["--json", "restore", "S-1", text(&room.path("here"))]);
    assert_eq!(local.code, 1, "{local:?}");
    let server = Server::start(&room);
    let there = server.run(&operator, &["--json", "restore", "S-1", text(&room.path("there"))]);
    assert_eq!(there.code, 1, "{there:?}");
    for part in ["files", "bytes", "complete", "damaged", "not_restored"] {
        assert_eq!(there.json()[part], local.json()[part], "{part}");
    }
    let left = |name: &str| describe(&room.path(name)).into_keys().collect::<Vec<_>>();
    assert_eq!(left("there"), left("here"));
    let exists = |path: &Path| path.exists();
    assert!(exists(&room.path("there/b")) && !exists(&room.path("there/a")));
}
