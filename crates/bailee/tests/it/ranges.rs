//! A file of a snapshot, or a range of it, through `bailee serve`: as on the data directory.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bailee_server::vault::{Source, send};

use crate::letting_go::packs_below;
use crate::moving::cut_off;
use crate::room::{Room, text};
use crate::seen::noise;
use crate::wire::{Server, token};

/// What a line writes, whatever bytes those are.
fn typed(server: &Server<'_>, url: &str, token: &str, args: &[&str]) -> Output {
    server.command(url, token, args).stdin(Stdio::null()).output().expect("it runs")
}

/// Exit code, standard output, standard error.
fn outcome(output: Output) -> (Option<i32>, Vec<u8>, String) {
    let err = String::from_utf8(output.stderr).expect("remarks are text");
    (output.status.code(), output.stdout, err)
}

/// The same lines on the directory and through the service, in this order.
fn both(room: &Room, operator: &str, lines: &[&[&str]]) -> Vec<(Option<i32>, Vec<u8>, String)> {
    let local: Vec<_> = lines.iter().map(|args| outcome(room.pipe(args, b""))).collect();
    let server = Server::start(room);
    for (args, here) in lines.iter().zip(&local) {
        let there = outcome(typed(&server, server.url(), operator, args));
        assert_eq!((there.0, there.1.len()), (here.0, here.1.len()), "{args:?}: {}", there.2);
        assert!(there.1 == here.1, "{args:?}: other bytes");
        if here.0 != Some(2) {
            assert_eq!(there.2, here.2, "{args:?}");
        }
    }
    local
}

#[test]
fn a_file_and_every_range_of_it_come_as_they_do_on_the_directory() {
    let room = Room::with_house();
    room.furnish();
    fs::create_dir_all(room.path("data/sub")).unwrap();
    let bytes = noise(1, 5_000_000);
    room.file("data/sub/big", &bytes);
    fs::hard_link(room.path("data/sub/big"), room.path("data/z")).unwrap();
    room.file("data/odd & name\n", b"short");
    room.file("data/none", b"");
    let sparse = File::create(room.path("data/sparse")).unwrap();
    sparse.write_all_at(&noise(2, 100_000), 9_000_123).unwrap();
    sparse.set_len(12_000_000).unwrap();
    room.run_as("P-2", &["preserve", "A-1", text(&room.path("data"))]).ok();
    let operator = token(&room, "P-2", "operator");
    let lines: [&[&str]; 20] = [
        &["cat", "S-1", "sub/big"],
        &["cat", "S-1", "z"],
        &["cat", "S-1", "odd & name\n"],
        &["cat", "S-1", "none"],
        &["cat", "S-1", "sparse"],
        &["cat", "S-1", "sparse", "--range", "8999999-9000200"],
        &["cat", "S-1", "sub/big", "--range", "0-0"],
        &["cat", "S-1", "sub/big", "--range", "999999-3500000"],
        &["cat", "S-1", "sub/big", "--range", "4999990-"],
        &["cat", "S-1", "sub/big", "--range", "5000000-"],
        &["cat", "S-1", "sub/big", "--range", "-7"],
        &["cat", "S-1", "none", "--range", "-7"],
        // Refused, with the same words.
        &["cat", "S-1", "sub"],
        &["cat", "S-1", "no/such"],
        &["cat", "S-1", ""],
        &["cat", "S-9", "sub/big"],
        // Not understood.
        &["cat", "S-1", "sub/big", "--range", "5000001-"],
        &["cat", "S-1", "sub/big", "--range", "0-5000000"],
        &["cat", "S-1", "sub/big", "--range", "7-6"],
        &["cat", "A-1", "sub/big"],
    ];
    let said = both(&room, &operator, &lines);
    assert!(said[0].1 == bytes && said[1].1 == bytes && said[4].1.len() == 12_000_000);
    assert!(said[7].1 == bytes[999_999..=3_500_000]);
    let codes: Vec<i32> = said.iter().filter_map(|one| one.0).collect();
    assert_eq!(codes, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
    assert!(
        said[16].2.contains("the file has 5000000 bytes, asked for 5000001-"),
        "{}",
        said[16].2
    );
}

/// Turns a byte of the largest pack.
fn damage(room: &Room, at: usize) {
    let size = |pack: &PathBuf| fs::metadata(pack).expect("a test can").len();
    let pack =
        packs_below(&room.path("house/objects")).into_iter().max_by_key(size).expect("a test can");
    let mut damaged = fs::read(&pack).expect("a test can");
    damaged[at] ^= 1;
    fs::set_permissions(&pack, fs::Permissions::from_mode(0o600)).expect("a test can");
    fs::write(&pack, damaged).expect("a test can");
}

#[test]
fn damage_ends_it_with_file_and_range_and_only_what_is_asked_for_is_read() {
    let room = Room::with_house();
    room.furnish();
    let bytes = noise(3, 8_000_000);
    let from = room.file("big", &bytes);
    room.run_as("P-2", &["preserve", "A-1", text(&from)]).ok();
    let operator = token(&room, "P-2", "operator");
    damage(&room, 4_000_000);
    let whole = both(&room, &operator, &[&["cat", "S-1", "big"]]).remove(0);
    assert_eq!(whole.0, Some(3), "{whole:?}");
    assert!(whole.1.len() > 2 << 20 && bytes.starts_with(&whole.1), "what came before is right");
    let named = whole.2.split_once("bytes ").map(|(_, rest)| rest.split(' ').next().unwrap());
    let (start, end) = named.and_then(|range| range.split_once("..")).expect("a range");
    let number = |text: &str| text.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>();
    let (start, end) = (number(start).unwrap(), number(end).unwrap());
    assert!(whole.2.contains("big") && start < 4_000_000 && end > 3_900_000, "{}", whole.2);
    // One byte of the damaged chunk is too much; all others are given without it.
    let ranges = [
        format!("{}-{}", start - 70_000, start - 1),
        format!("{end}-"),
        format!("{}-{start}", start - 70_000),
        format!("{}-{}", end - 1, end),
    ];
    let lines: Vec<[&str; 5]> =
        ranges.iter().map(|range| ["cat", "S-1", "big", "--range", range]).collect();
    let lines: Vec<&[&str]> = lines.iter().map(|line| &line[..]).collect();
    let codes: Vec<_> = both(&room, &operator, &lines).into_iter().map(|one| one.0).collect();
    assert_eq!(codes, [Some(0), Some(0), Some(3), Some(3)]);
}

/// What a source is sent as, with so many bytes at the end of its one file that the medium did
/// not give.
fn with_a_bad_end(from: &Path, lost: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    send(&Source::File(from.to_owned()), &mut bytes, &mut ()).expect("a test can");
    let (done, end) = (bytes.len() - 13 - 6, bytes.len() - 8);
    let count = u64::from_be_bytes(bytes[end..].try_into().expect("a test can")) + 1;
    bytes[end..].copy_from_slice(&count.to_be_bytes());
    let mut unreadable = vec![7, 0, 0, 0, 8];
    unreadable.extend_from_slice(&lost.to_be_bytes());
    bytes.splice(done..done, unreadable);
    bytes
}

#[test]
fn what_the_medium_never_gave_is_refused_by_range() {
    let room = Room::with_house();
    room.furnish();
    let from = room.file("disk", &noise(4, 100_000));
    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    let url = format!("{}/v1/assets/A-1/snapshots?kind=file&name=disk", server.url());
    let request = ureq::post(url).header("authorization", format!("Bearer {}", operator.trim()));
    let answer = request.send(&with_a_bad_end(&from, 4096)).unwrap();
    assert_eq!(answer.status(), 201);
    drop(server);
    let lines: [&[&str]; 3] = [
        &["cat", "S-1", "disk"],
        &["cat", "S-1", "disk", "--range", "0-99999"],
        &["cat", "S-1", "disk", "--range", "-1"],
    ];
    let said = both(&room, &operator, &lines);
    let codes: Vec<_> = said.iter().map(|one| one.0).collect();
    assert_eq!(codes, [Some(1), Some(0), Some(1)], "{said:?}");
    assert!(said[0].2.contains("disk") && said[0].2.contains("100000"), "{}", said[0].2);
}

#[test]
fn an_answer_that_is_cut_is_never_a_short_file_and_a_range_moves_little() {
    let room = Room::with_house();
    room.furnish();
    let bytes = noise(5, 3_000_000);
    let from = room.file("big", &bytes);
    room.run_as("P-2", &["preserve", "A-1", text(&from)]).ok();
    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    let url = cut_off(server.url(), 10_000_000);
    let whole = outcome(typed(&server, &url, &operator, &["cat", "S-1", "big"]));
    assert!(whole.0 == Some(0) && whole.1 == bytes, "{}", whole.2);
    // Into the head, the first bytes, the middle, and the last frame.
    for most in [10, 400, 1_500_000, 3_000_200] {
        let cut = cut_off(server.url(), most);
        let said = outcome(typed(&server, &cut, &operator, &["cat", "S-1", "big"]));
        assert_eq!(said.0, Some(3), "{most}: {}", said.2);
        assert!(bytes.starts_with(&said.1) && said.2.contains("next:"), "{most}: {}", said.2);
    }
    let narrow = cut_off(server.url(), 2_000);
    let args = ["cat", "S-1", "big", "--range", "2000000-2000009"];
    let part = outcome(typed(&server, &narrow, &operator, &args));
    assert!(part.0 == Some(0) && part.1 == bytes[2_000_000..2_000_010], "{}", part.2);
}

/// A client that wrote something and whose reader reads no more of it.
fn stuck(server: &Server<'_>, token: &str) -> Child {
    let mut command = server.command(server.url(), token, &["cat", "S-1", "big"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the binary starts");
    child.stdout.as_mut().expect("piped").read_exact(&mut [0; 10]).expect("it begins");
    child
}

#[test]
fn whoever_reads_no_more_or_is_killed_frees_the_place_and_nobody_holds_the_file() {
    let room = Room::with_house();
    room.furnish();
    // More than pipes, sockets and queues hold.
    let big = File::create(room.path("big")).unwrap();
    big.write_all_at(&noise(6, 48 << 20), 0).unwrap();
    big.set_len(1 << 30).unwrap();
    room.run_as("P-2", &["preserve", "A-1", text(&room.path("big"))]).ok();
    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    let first = typed(&server, server.url(), &operator, &["cat", "S-1", "big", "--range", "0-9"]);
    assert!(first.status.success(), "{first:?}");
    let before = server.peak();
    let mut head = stuck(&server, &operator);
    drop(head.stdout.take());
    let gone = head.wait_with_output().unwrap();
    assert!(gone.status.code() == Some(3) && gone.stderr.is_empty(), "quiet, and no yes: {gone:?}");

    let mut clients: Vec<Child> = (0..4).map(|_| stuck(&server, &operator)).collect();
    let lines =
        [&["cat", "S-1", "big"][..], &["restore", "S-1", "to"], &["snapshot", "map", "S-1", "big"]];
    for args in lines {
        let busy = server.run(&operator, args);
        assert!(busy.code == 3 && busy.err.contains("gives out 4"), "{busy:?}");
    }
    clients[0].kill().unwrap();
    clients[0].wait().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let args = ["cat", "S-1", "big", "--range", "0-9"];
    while !typed(&server, server.url(), &operator, &args).status.success() {
        assert!(Instant::now() < until, "the place is not free");
        thread::sleep(Duration::from_millis(50));
    }
    // All of it through the last place: it is nowhere in memory.
    let all = format!("ulimit -v 600000; exec \"$@\" | tail -c +{} | wc -c", (48 << 20) + 1);
    let whole = server.command(server.url(), &operator, &["cat", "S-1", "big"]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &all, "sh"]).arg(whole.get_program()).args(whole.get_args());
    let counted = shell.current_dir(room.path(".")).output().unwrap();
    let rest = (1_usize << 30) - (48 << 20);
    assert_eq!(String::from_utf8_lossy(&counted.stdout).trim(), rest.to_string(), "{counted:?}");
    let grown = server.peak() - before;
    assert!(grown < 150_000, "the service grew by {grown} KiB");
    for mut client in clients {
        client.kill().unwrap();
        client.wait().unwrap();
    }
}

#[test]
fn an_archive_is_of_all_and_a_part_of_it_is_refused_by_name() {
    let room = Room::with_house();
    room.furnish();
    room.file("a", b"asked for");
    room.run_as("P-2", &["preserve", "A-1", text(&room.path("a"))]).ok();
    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    let ask = |query: &str| {
        let url = format!("{}/v1/snapshots/S-1/{query}", server.url());
        let agent: ureq::Agent =
            ureq::config::Config::builder().http_status_as_error(false).build().into();
        let asked = agent.get(url).header("authorization", format!("Bearer {}", operator.trim()));
        let mut answer = asked.call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_vec().unwrap())
    };
    assert_eq!(ask("content?form=tar").0, 200);
    assert_eq!(ask("content?only=b").0, 200);
    let (status, said) = ask("content?form=tar&only=b");
    assert_eq!(status, 400, "more than what was asked for");
    assert!(String::from_utf8(said).unwrap().contains("only"));
    for bad in ["file", "file?path=a&range=x", "file?path=a&range=0-99", "content?form=zip"] {
        assert_eq!(ask(bad).0, 400, "{bad}");
    }
}
