//! Clients that take nothing of what they asked for, over real sockets.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::room::{Room, text};
use crate::seen::noise;
use crate::wire::{Server, token};

/// A client that asked for all of a snapshot, and read the beginning of it.
fn asked(server: &Server<'_>, token: &str) -> TcpStream {
    let address = server.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("it listens");
    let head = "GET /v1/snapshots/S-1/content HTTP/1.1\r\nhost: x\r\nauthorization: Bearer";
    write!(stream, "{head} {}\r\n\r\n", token.trim()).expect("it listens");
    stream.read_exact(&mut [0; 1000]).expect("it answers");
    stream
}

/// A counter of the service.
fn counted(server: &Server<'_>, token: &str, name: &str) -> u64 {
    let asked = ureq::get(format!("{}/metrics", server.url()));
    let asked = asked.header("authorization", format!("Bearer {}", token.trim()));
    let text = asked.call().and_then(|mut answer| answer.body_mut().read_to_string());
    let text = text.expect("metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.expect("the counter").parse().expect("a number")
}

#[test]
fn who_takes_nothing_is_cut_off_and_counted_and_frees_the_place() {
    let room = Room::with_house();
    room.furnish();
    // More than sockets and queues hold.
    let bytes = noise(1, 48 << 20);
    let big = room.file("big", &bytes);
    room.run_as("P-2", &["preserve", "A-1", text(&big)]).ok();
    let settings = OpenOptions::new().append(true).open(room.path("house/bailee.toml"));
    settings.unwrap().write_all(b"\n[serving]\nstalled_s = 1\n").unwrap();
    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    let mut stuck: Vec<TcpStream> = (0..4).map(|_| asked(&server, &operator)).collect();
    let cat = ["cat", "S-1", "big", "--range", "0-9"];
    let ask = || server.command(server.url(), &operator, &cat).stdin(Stdio::null()).output();
    let until = Instant::now() + Duration::from_secs(60);
    while !ask().unwrap().status.success() {
        assert!(Instant::now() < until, "no place is free");
        thread::sleep(Duration::from_millis(100));
    }
    while counted(&server, &operator, "bailee_http_stalled_total") < 4 {
        assert!(Instant::now() < until, "not all were cut off");
        thread::sleep(Duration::from_millis(100));
    }
    // What they find when they read on is no whole answer.
    for client in &mut stuck {
        let mut rest = Vec::new();
        let read = client.read_to_end(&mut rest);
        assert!(rest.len() < 40 << 20, "{read:?}: {} bytes", rest.len());
    }
}

#[test]
fn who_is_slow_gets_everything() {
    let room = Room::with_house();
    room.furnish();
    let bytes = noise(2, 32 << 20);
    let big = room.file("big", &bytes);
    room.run_as("P-2", &["preserve", "A-1", text(&big)]).ok();
    let settings = OpenOptions::new().append(true).open(room.path("house/bailee.toml"));
    settings.unwrap().write_all(b"\n[serving]\nstalled_s = 2\n").unwrap();
    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    let command = server.command(server.url(), &operator, &["cat", "S-1", "big"]);
    let mut command = command;
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let (mut came, mut room_for) = (Vec::new(), vec![0; 2 << 20]);
    // Slower than it is allowed to stand still, in all.
    for _ in 0..8 {
        thread::sleep(Duration::from_millis(500));
        out.read_exact(&mut room_for).unwrap();
        came.extend_from_slice(&room_for);
    }
    out.read_to_end(&mut came).unwrap();
    assert!(came == bytes && child.wait().unwrap().success());
    assert_eq!(counted(&server, &operator, "bailee_http_stalled_total"), 0);
}
