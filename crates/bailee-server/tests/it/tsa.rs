//! A timestamp authority behind HTTP on this machine: real answers by OpenSSL, and on request the
//! answers of one that is broken, old, or lies.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bailee_server::{Clock, stamping};

use crate::authority::{Authority, Key, Stamping, info, sequence};

/// What it does with a question.
#[derive(Clone)]
pub(crate) enum Mode {
    /// `openssl ts`, at the time of this machine.
    Honest,
    /// The same at the time of this clock, signed by this signer.
    Told(Clock, &'static str),
    /// A status and nothing else.
    Status(u16),
    /// These bytes, as if they were an answer.
    Bytes(Vec<u8>),
    /// The honest answer to the question before.
    Stale,
    /// No answer, and the line stays open.
    Silent,
}

struct Shared {
    authority: Authority,
    mode: Mutex<Mode>,
    asked: AtomicUsize,
    closed: AtomicBool,
    before: Mutex<Vec<u8>>,
    open: Mutex<Vec<TcpStream>>,
}

/// The authority.
pub(crate) struct Tsa {
    name: &'static str,
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Tsa {
    /// Starts one with a signer `tsa`.
    pub(crate) fn start(name: &'static str, key: Key) -> Tsa {
        Tsa::of(name, Authority::with_signer(key))
    }

    /// Starts one that has these keys and certificates.
    pub(crate) fn of(name: &'static str, authority: Authority) -> Tsa {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            authority,
            mode: Mutex::new(Mode::Honest),
            asked: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            before: Mutex::default(),
            open: Mutex::default(),
        });
        let for_thread = shared.clone();
        let serve = move || {
            for stream in listener.incoming() {
                if for_thread.closed.load(Ordering::SeqCst) {
                    return;
                }
                for_thread.serve(stream.unwrap());
            }
        };
        Tsa { name, address, shared, thread: Some(std::thread::spawn(serve)) }
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.shared.authority
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    /// How many questions came.
    pub(crate) fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Its section in the settings.
    pub(crate) fn section(&self) -> stamping::Authority {
        stamping::Authority {
            name: self.name.into(),
            url: format!("http://{}/tsr", self.address),
            roots: self.authority().path("root.pem"),
            policy: None,
        }
    }
}

impl Drop for Tsa {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // The thread wakes for one more connection.
        _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let Some(query) = read_body(&mut stream) else { return };
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mode = self.mode.lock().unwrap().clone();
        let (status, body) = match mode {
            Mode::Honest => {
                let answer = self.authority.stamp(&query, &Stamping::default());
                *self.before.lock().unwrap() = answer.clone();
                (200, answer)
            }
            Mode::Told(clock, signer) => {
                let digits = |c: &char| c.is_ascii_digit();
                let time: String = clock.now().to_string().chars().filter(digits).collect();
                let content = answer_to(&query, &format!("{time}Z"));
                let (pem, key) = (format!("{signer}.pem"), format!("{signer}.key"));
                let signer = ["-cades", "-signer", &pem, "-inkey", &key];
                (200, self.authority.sign(&content, &signer))
            }
            Mode::Status(status) => (status, Vec::new()),
            Mode::Bytes(bytes) => (200, bytes),
            Mode::Stale => (200, self.before.lock().unwrap().clone()),
            Mode::Silent => return self.open.lock().unwrap().push(stream),
        };
        let head = format!(
            "HTTP/1.1 {status} Said\r\nContent-Type: application/timestamp-reply\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        // Whoever asked may have gone away.
        _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
    }
}

/// The body of a request; `None` if there is none.
fn read_body(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            assert!(head.contains("content-type: application/timestamp-query"), "{head}");
            let length = head.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
            let body = &bytes[end + 4..];
            if body.len() >= length {
                return Some(body[..length].to_vec());
            }
        }
        match stream.read(&mut part).ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&part[..count]),
        }
    }
}

/// A `TSTInfo` that answers a query of ours, made at `time`.
fn answer_to(query: &[u8], time: &str) -> Vec<u8> {
    let start = query.windows(2).position(|pair| pair == [0x04, 0x20]).unwrap() + 2;
    let imprint = &query[start..start + 32];
    let mut rest = &query[start + 32..];
    if rest[0] == 0x06 {
        rest = &rest[2 + usize::from(rest[1])..];
    }
    let nonce = &rest[..2 + usize::from(rest[1])];
    let plain = info(imprint, time);
    sequence(&[&plain[plain.len() - usize::from(plain[1])..], nonce])
}
