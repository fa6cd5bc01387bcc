//! A running service and a client of our own, down to the bytes: what the HTTP tests share.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;

use bailee_core::By;
use bailee_core::id::PartyId;
use bailee_server::House;
use bailee_server::api::words::TokenScope;
use bailee_server::api::{Request, perform};
use bailee_server::http::{ServeError, Stop, serve_until};
use serde_json::Value;

/// A service on a port of its own; ends with the test.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    stop: Stop,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
}

impl Served {
    pub(crate) fn start(house: House) -> Served {
        let (stop, (tell, told)) = (Stop::default(), mpsc::channel());
        let until = stop.clone();
        let thread = std::thread::spawn(move || {
            let listen = "127.0.0.1:0".parse().unwrap();
            serve_until(house, listen, &until, |address| tell.send(address).unwrap())
        });
        Served { address: told.recv().unwrap(), stop, thread: Some(thread) }
    }

    /// Ends it; the house is closed afterwards.
    pub(crate) fn end(mut self) {
        self.stop.now();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Answered {
        send(self.address, &head("GET", path, token, &[]), b"")
    }

    pub(crate) fn post(&self, path: &str, token: &str, body: &[u8]) -> Answered {
        self.post_with(path, token, &[], body)
    }

    pub(crate) fn post_with(
        &self,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answered {
        let length = body.len().to_string();
        let headers = [headers, &[("content-length", length.as_str())]].concat();
        send(self.address, &head("POST", path, token, &headers), body)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.now();
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

/// A request's head; no token if it is empty.
pub(crate) fn head(method: &str, path: &str, token: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    if !token.is_empty() {
        head += &format!("authorization: Bearer {token}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

/// Sends these very bytes and reads to the end. A no may come before all of them are taken.
pub(crate) fn send(address: SocketAddr, head: &str, body: &[u8]) -> Answered {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let sent = stream.write_all(body).map_err(|e| e.kind());
    assert!(matches!(sent, Ok(()) | Err(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)));
    Answered::read(stream)
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answered {
    pub(crate) fn read(mut stream: TcpStream) -> Answered {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answered { status, head, body: bytes[end + 4..].to_vec() }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    /// Head and body as they came, without the second they were sent.
    pub(crate) fn raw(&self) -> String {
        let head = self.head.lines().filter(|line| !line.starts_with("date: "));
        head.collect::<Vec<_>>().join("\n") + "\n\n" + &self.text()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of a problem; it must be one in form too.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert!(!problem["change"].as_str().unwrap().is_empty());
        problem["code"].as_str().unwrap().to_owned()
    }
}

/// An access token for the party.
pub(crate) fn token(house: &House, party: PartyId, scope: TokenScope) -> String {
    let request = Request::IssueToken { party: party.to_string(), scope };
    perform(house, request, By::System).unwrap().token.unwrap()
}

/// After the service has ended: everything is as it must be.
#[track_caller]
pub(crate) fn checked(dir: &Path, clock: bailee_server::Clock) -> House {
    let house = House::open(dir, clock).unwrap();
    house.checkpoint_over(house.with_state(|s| s.head).unwrap()).unwrap();
    let report = bailee_server::api::check(&house, &mut |_| ()).unwrap();
    assert!(report.good, "{report:?}");
    assert!(report.entries > 0 && report.checkpoint.is_some());
    house
}
