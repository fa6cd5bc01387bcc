//! An agent whose line to the gate is bad, and one whose disk is: what was done is told, and
//! nothing is called kept or destroyed that is not.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::room::{Room, Said, text};
use crate::wire::{Server, token};

/// What becomes of the n-th finish or abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It never arrives.
    Lost,
    /// It arrives, and its answer does not.
    Unanswered,
}

/// A line to a server, on which finishes and aborts have their fate; those beyond the list go
/// through.
struct Line {
    url: String,
    finishes: Arc<AtomicUsize>,
}

fn line(server: &str, fates: Vec<Fate>) -> Line {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let behind = server.trim_start_matches("http://").to_owned();
    let finishes = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&finishes);
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            // One request a connection; whatever breaks, breaks the connection.
            _ = pass(near, &behind, &fates, &seen);
        }
    });
    Line { url, finishes }
}

fn pass(
    mut near: TcpStream,
    behind: &str,
    fates: &[Fate],
    seen: &AtomicUsize,
) -> std::io::Result<()> {
    let request = request(&mut near)?;
    let is = |step: &[u8]| request.windows(step.len()).any(|bytes| bytes == step);
    let fate = match is(b"/finish ") || is(b"/abort ") {
        true => fates.get(seen.fetch_add(1, Ordering::SeqCst)),
        false => None,
    };
    if fate == Some(&Fate::Lost) {
        return Ok(());
    }
    let mut far = TcpStream::connect(behind)?;
    far.write_all(&request)?;
    let mut answer = Vec::new();
    far.read_to_end(&mut answer)?;
    match fate {
        Some(_) => Ok(()),
        None => near.write_all(&answer),
    }
}

/// Head and body, with the wish that the connection ends with the answer.
fn request(near: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        near.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let words = String::from_utf8_lossy(&head).to_lowercase();
    let length = words.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    near.read_exact(&mut body)?;
    head.truncate(head.len() - 2);
    head.extend(b"connection: close\r\n\r\n");
    head.extend(body);
    Ok(head)
}

/// A house whose A-1 is bound to a disk, with X-1 approved, and what its agent needs.
struct Stage {
    room: Room,
    disk: PathBuf,
    agent: String,
    operator: String,
    key: String,
}

fn stage(disk: Option<&Path>, lease: &str) -> Stage {
    let room = Room::with_house();
    let made = room.file("disk.img", &vec![0xA5; 4 << 20]);
    let disk = disk.map_or(made, Path::to_owned);
    room.run_as("P-2", &["asset", "add", "spare", "--kind", "drive", "--device", text(&disk)]).ok();
    let propose = ["disposition", "propose", "sanitize", "A-1", "--note", "Out of use"];
    room.run_as("P-2", &propose).ok();
    room.run_as("P-3", &["disposition", "approve", "X-1"]).ok();
    room.run_as("P-1", &["disposition", "approve", "X-1"]).ok();
    room.run_as("P-1", &["policy", "set", "--lease-seconds", lease]).ok();
    let status = room.run(&["--json", "status"]).json();
    let key = status["clearance_key"].as_str().expect("a key").to_owned();
    let (agent, operator) = (token(&room, "P-2", "agent"), token(&room, "P-2", "operator"));
    Stage { room, disk, agent, operator, key }
}

impl Stage {
    fn order(&self, url: &str) -> Vec<String> {
        let token = self.room.file("agent.token", self.agent.as_bytes());
        let log = self.room.path("run.log");
        let words = ["--server", url, "--token-file", text(&token), "--json", "sanitize", "A-1"];
        let more = ["--device", text(&self.disk), "--disposition", "X-1", "--log", text(&log)];
        let key = ["--clearance-key", &self.key];
        words.iter().chain(&more).chain(&key).map(|word| (*word).to_owned()).collect()
    }

    fn sanitize(&self, url: &str) -> Said {
        let order = self.order(url);
        self.room.run(&order.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn fate(&self, server: &Server<'_>) -> serde_json::Value {
        let asset = server.run(&self.operator, &["--json", "asset", "show", "A-1"]).json();
        serde_json::json!({ "is": asset["fate"]["is"], "under": asset["fate"]["under"] })
    }

    fn kept(&self) -> PathBuf {
        self.room.path("run.certificate.json")
    }
}

fn destroyed() -> serde_json::Value {
    serde_json::json!({ "is": "destroyed", "under": "C-1" })
}

#[test]
fn a_finish_that_is_not_heard_is_told_again() {
    let stage = stage(None, "60");
    let server = Server::start(&stage.room);
    let line = line(server.url(), vec![Fate::Lost, Fate::Unanswered, Fate::Lost]);
    let said = stage.sanitize(&line.url);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.json()["clearance"], "C-1");
    assert_eq!(line.finishes.load(Ordering::SeqCst), 4, "three were not heard");
    assert_eq!(stage.fate(&server), destroyed());
    let kept = fs::read_to_string(stage.kept()).expect("the certificate is kept");
    assert!(kept.contains("\"clearance\": \"C-1\""), "{kept}");
}

#[test]
fn a_killed_agent_hands_in_its_certificate_with_the_same_command() {
    let stage = stage(None, "60");
    let server = Server::start(&stage.room);
    let line = line(server.url(), vec![Fate::Lost; 1000]);
    let order = stage.order(&line.url);
    let words: Vec<&str> = order.iter().map(String::as_str).collect();
    let mut agent = stage.room.command(&words).stderr(Stdio::null()).spawn().expect("it starts");
    let began = Instant::now();
    while line.finishes.load(Ordering::SeqCst) == 0 {
        assert!(began.elapsed() < Duration::from_secs(50), "it never finished");
        std::thread::sleep(Duration::from_millis(20));
    }
    agent.kill().expect("it runs");
    agent.wait().expect("it ends");
    assert_ne!(stage.fate(&server), destroyed());
    let wiped = fs::read(&stage.disk).expect("the disk");
    let said = stage.sanitize(server.url());
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.json()["clearance"], "C-1", "no other was reserved");
    assert!(said.err.contains("nothing written"), "{said:?}");
    assert!(fs::read(&stage.disk).expect("the disk") == wiped);
    assert_eq!(stage.fate(&server), destroyed());
    // And once more: it is so already.
    assert_eq!(stage.sanitize(server.url()).code, 0);
}

#[test]
fn an_agent_that_is_told_to_stop_says_what_is_gone() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = dir.path().join("large.img");
    let size = 8 << 30;
    fs::File::create(&disk).and_then(|file| file.set_len(size)).expect("a file of holes");
    let stage = stage(Some(&disk), "60");
    let server = Server::start(&stage.room);
    let order = stage.order(server.url());
    let words: Vec<&str> = order.iter().map(String::as_str).collect();
    let agent = stage.room.command(&words).stderr(Stdio::piped()).spawn().expect("it starts");
    let began = Instant::now();
    while fs::metadata(&disk).expect("the disk").blocks() == 0 {
        assert!(began.elapsed() < Duration::from_secs(50), "it never began");
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = agent.id().to_string();
    std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
    let said = agent.wait_with_output().expect("it ends");
    let err = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(3), "{err}");
    assert!(err.contains("interrupted") && err.contains("bytes are gone"), "{err}");
    let fate = stage.fate(&server);
    assert_eq!(fate, serde_json::json!({ "is": "partial", "under": "C-1" }), "{err}");
}

#[test]
fn a_certificate_that_comes_after_the_lease_is_kept_for_people_and_nothing_is_written() {
    let stage = stage(None, "6");
    let server = Server::start(&stage.room);
    let line = line(server.url(), vec![Fate::Lost; 1000]);
    let said = stage.sanitize(&line.url);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("certificate_not_handed_in"), "{said:?}");
    assert!(said.err.contains("run.certificate.json"), "{said:?}");
    std::thread::sleep(Duration::from_secs(7));
    let wiped = fs::read(&stage.disk).expect("the disk");
    let late = stage.sanitize(server.url());
    assert_eq!(late.code, 1, "{late:?}");
    let named = late.err.contains("certificate_not_taken") && late.err.contains("lease_lapsed");
    assert!(named, "{late:?}");
    assert!(fs::read(&stage.disk).expect("the disk") == wiped);
    assert_eq!(stage.fate(&server)["is"], "unknown");
}

#[test]
fn a_run_that_its_own_person_took_for_hung_says_what_is_gone() {
    let stage = stage(None, "60");
    let server = Server::start(&stage.room);
    let line = line(server.url(), vec![Fate::Lost; 5]);
    let said = std::thread::scope(|scope| {
        let agent = scope.spawn(|| stage.sanitize(&line.url));
        let began = Instant::now();
        while line.finishes.load(Ordering::SeqCst) == 0 {
            assert!(began.elapsed() < Duration::from_secs(50), "it never finished");
            std::thread::sleep(Duration::from_millis(10));
        }
        let abort = ["clearance", "abort", "C-1", "--gone", "0", "--note", "It hangs."];
        server.run(&stage.operator, &abort).ok();
        assert_eq!(stage.fate(&server)["is"], "kept", "so it seemed");
        agent.join().expect("the agent")
    });
    assert!(said.err.contains("certificate_not_taken"), "{said:?}");
    assert!(said.err.contains("clearance_used"), "{said:?}");
    assert_eq!(stage.fate(&server)["is"], "partial", "{said:?}");
}

/// Sealed memory: it opens for writing, and every write fails. Inherited by the agent.
fn sealed() -> fs::File {
    let fd = rustix::fs::memfd_create(c"disk", rustix::fs::MemfdFlags::ALLOW_SEALING);
    let mut memory = fs::File::from(fd.expect("memory"));
    memory.write_all(&vec![0xA5; 4 << 20]).expect("room");
    rustix::fs::fcntl_add_seals(&memory, rustix::fs::SealFlags::WRITE).expect("a seal");
    memory
}

#[test]
fn what_is_gone_is_said_though_the_gate_could_not_be_told() {
    let memory = sealed();
    let disk = PathBuf::from(format!("/proc/self/fd/{}", memory.as_raw_fd()));
    let stage = stage(Some(&disk), "1");
    let server = Server::start(&stage.room);
    let line = line(server.url(), vec![Fate::Lost; 100]);
    let said = stage.sanitize(&line.url);
    assert_eq!(said.code, 3, "{said:?}");
    for words in ["\"code\":\"unfinished\"", "device_gone", "bytes are gone", "did not record it"] {
        assert!(said.err.contains(words), "{words}: {said:?}");
    }
    assert!(said.err.contains("bailee clearance abort C-1 --gone"), "{said:?}");
}

#[test]
fn a_disk_that_takes_no_write_is_told_as_partly_gone() {
    let memory = sealed();
    let disk = PathBuf::from(format!("/proc/self/fd/{}", memory.as_raw_fd()));
    let stage = stage(Some(&disk), "60");
    let server = Server::start(&stage.room);
    let said = stage.sanitize(server.url());
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("\"code\":\"unfinished\""), "{said:?}");
    assert!(!said.err.contains(" 0 bytes are gone"), "{said:?}");
    assert_eq!(stage.fate(&server)["is"], "partial");
    let duties = server.run(&stage.operator, &["duty", "list"]).ok();
    assert!(duties.contains("explain-loss"), "{duties}");
    assert!(!stage.kept().exists(), "no certificate of success");
}
