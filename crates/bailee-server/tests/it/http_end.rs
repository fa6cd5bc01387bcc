//! The end of a service: a signal comes while a letter is half sent.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};

use bailee_server::api::words::TokenScope;
use bailee_server::http::serve;
use bailee_server::{Clock, House};

use crate::common::{letter, on_disk, people, start};
use crate::http::{Answered, checked, head, token};

/// Names the directory that a child of this test serves.
const CHILD: &str = "BAILEE_TEST_SERVES";
const THIS: &str = "http_end::a_signal_ends_the_service_after_the_letter_in_work";

#[test]
fn a_signal_ends_the_service_after_the_letter_in_work() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return be_the_service(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let operator = token(&house, people(&house).ada, TokenScope::Operator);
    drop(house);
    for (n, signal) in ["TERM", "INT"].into_iter().enumerate() {
        let (mut child, address) = spawn(dir.path());
        let raw = letter(n);
        let length = raw.len().to_string();
        let headers = [("content-length", length.as_str()), ("expect", "100-continue")];
        let mut stream = TcpStream::connect(&address).unwrap();
        let request = head("POST", "/v1/intake", &operator, &headers);
        stream.write_all(request.as_bytes()).unwrap();
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let (first, rest) = raw.split_at(40);
        stream.write_all(first).unwrap();
        // The letter goes on only after the service has stopped listening.
        while TcpStream::connect(&address).is_ok() {
            std::thread::yield_now();
        }
        stream.write_all(rest).unwrap();
        let answer = Answered::read(stream);
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(answer.json()["demand"], format!("D-{}", n + 1));
        assert!(child.wait().unwrap().success(), "{signal}");
        let house = checked(dir.path(), Clock::told(start()));
        assert_eq!(house.with_state(|s| s.demands.len()).unwrap(), n + 1);
    }
}

fn spawn(dir: &Path) -> (Child, String) {
    let address = dir.join("address");
    _ = std::fs::remove_file(&address);
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program).args(["--exact", THIS]).env(CHILD, dir).spawn().unwrap();
    loop {
        if let Ok(text) = std::fs::read_to_string(&address) {
            return (child, text);
        }
        if let Some(status) = child.try_wait().unwrap() {
            panic!("the service ended before it listened: {status}");
        }
        std::thread::yield_now();
    }
}

/// What the child does.
fn be_the_service(dir: &Path) {
    let house = House::open(dir, Clock::told(start())).unwrap();
    let ready = |address: std::net::SocketAddr| {
        let aside = dir.join("address.new");
        std::fs::write(&aside, address.to_string()).unwrap();
        std::fs::rename(aside, dir.join("address")).unwrap();
    };
    let served = serve(house, "127.0.0.1:0".parse().unwrap(), ready);
    assert!(served.is_ok(), "{served:?}");
}
