//! A way to a server that breaks on command: connections go through it, and some are refused as
//! by a busy engine, some come back with a byte changed.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// What happens on the way.
#[derive(Default)]
pub(crate) struct Trouble {
    /// So many connections are answered 503, and nothing reaches the server.
    pub(crate) busy: AtomicU32,
    /// In so many answers this text is changed.
    pub(crate) change: AtomicU32,
    /// Connections seen.
    pub(crate) seen: AtomicU32,
    /// What is changed: its first byte.
    pub(crate) what: Vec<u8>,
}

impl Trouble {
    fn take(counter: &AtomicU32) -> bool {
        counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
    }
}

/// Listens, and leads to `port`. One question a connection, so that each meets its fate alone.
pub(crate) fn open(port: u16, trouble: Arc<Trouble>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let trouble = Arc::clone(&trouble);
            thread::spawn(move || lead(client.unwrap(), port, &trouble));
        }
    });
    own
}

fn lead(mut client: TcpStream, port: u16, trouble: &Trouble) {
    trouble.seen.fetch_add(1, Ordering::SeqCst);
    let Some(request) = read_whole(&mut client) else { return };
    if Trouble::take(&trouble.busy) {
        let busy = "HTTP/1.1 503 Slow Down\r\ncontent-length: 41\r\nconnection: close\r\n\r\n\
                    <Error><Code>SlowDown</Code></Error>\n    ";
        _ = client.write_all(busy.as_bytes());
        return;
    }
    let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
    server.write_all(&request).unwrap();
    // The server is told that this is the last question, so the answer ends with the connection.
    server.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    _ = server.read_to_end(&mut answer);
    let at = answer.windows(trouble.what.len().max(1)).position(|w| w == trouble.what);
    if let Some(at) = at.filter(|_| Trouble::take(&trouble.change)) {
        answer[at] ^= 1;
    }
    _ = client.write_all(&answer);
}

/// A request with its body.
pub(crate) fn read_whole(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut some = [0; 65_536];
    loop {
        let end = all.windows(4).position(|w| w == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if all.len() >= end + 4 + length {
                return Some(all);
            }
        }
        match client.read(&mut some).ok()? {
            0 => return None,
            n => all.extend_from_slice(&some[..n]),
        }
    }
}
