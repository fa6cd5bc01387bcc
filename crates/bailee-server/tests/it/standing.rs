//! Witnesses that stand beside the tests: real ones over HTTP, and false ones that answer whatever
//! they are told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};

use bailee_ledger::{Signer, Verifier};
use bailee_server::attest::Witnesses;
use bailee_server::house::Parts;
use bailee_server::http::{ServeError, Stop};
use bailee_server::witness::{Init, Witness, serve_until};
use bailee_store::{Journal, Objects};

use crate::common::{log_verifier, parts};

/// Name of the policy file in a house's directory.
pub(crate) const POLICY: &str = "witnesses.tlog-policy";

/// A real witness in a directory of its own, on an address of its own.
pub(crate) struct Standing {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    keys: Vec<String>,
    serving: Option<(Stop, JoinHandle<Result<(), ServeError>>)>,
}

impl Standing {
    /// A new witness that watches the tests' log and serves.
    pub(crate) fn new(name: &str, with: Init) -> Standing {
        Standing::watching(name, with, &log_verifier())
    }

    pub(crate) fn watching(name: &str, with: Init, log: &Verifier) -> Standing {
        let dir = tempfile::tempdir().unwrap();
        let made = Witness::init(dir.path(), name, with).unwrap();
        Witness::watch(dir.path(), &log.to_vkey()).unwrap();
        let keys = made.keys().iter().map(|key| key.to_vkey()).collect();
        let address = "127.0.0.1:0".parse().unwrap();
        let mut standing = Standing { dir, name: name.to_owned(), address, keys, serving: None };
        standing.begin();
        standing
    }

    /// Serves, on the address it had before if it had one.
    pub(crate) fn begin(&mut self) {
        let (stop, (tell, told)) = (Stop::default(), mpsc::channel());
        let (witness, until, listen) = (self.open(), stop.clone(), self.address);
        let thread = thread::spawn(move || {
            serve_until(witness, listen, &until, |address| tell.send(address).unwrap())
        });
        self.address = told.recv().unwrap();
        self.serving = Some((stop, thread));
    }

    /// Ends serving, in peace.
    pub(crate) fn end(&mut self) {
        if let Some((stop, thread)) = self.serving.take() {
            stop.now();
            thread.join().unwrap().unwrap();
        }
    }

    /// The witness behind, to be looked at.
    pub(crate) fn open(&self) -> Witness {
        Witness::open(self.dir.path()).unwrap()
    }

    /// Leaves of the tree on record.
    pub(crate) fn on_record(&self) -> u64 {
        self.open().on_record(crate::common::ORIGIN).unwrap().size
    }

    /// Its lines in a policy, one for each key.
    pub(crate) fn lines(&self) -> String {
        let numbered = self.keys.iter().enumerate();
        let line = |(n, key): (usize, &String)| {
            let name = if n == 0 { self.name.clone() } else { format!("{}-pq", self.name) };
            format!("witness {name} {key} http://{}/\n", self.address)
        };
        numbered.map(line).collect()
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.end();
    }
}

/// A policy whose quorum is all of these names.
pub(crate) fn all_of(lines: &[String], names: &str) -> String {
    format!("{}group q all {names}\nquorum q\n", lines.concat())
}

/// Parts of a house whose directory has this policy; a round takes at most `timeout_ms`.
pub(crate) fn witnessed(
    dir: &Path,
    policy: &str,
    timeout_ms: u64,
    journal: Arc<dyn Journal>,
    objects: Arc<dyn Objects>,
) -> Parts {
    std::fs::write(dir.join(POLICY), policy).unwrap();
    let mut parts = parts(Some(dir), journal, objects);
    parts.config.witnesses = Some(Witnesses { policy: POLICY.into(), timeout_ms });
    parts
}

/// A false witness: it answers each request as it is told.
pub(crate) struct False {
    pub(crate) address: SocketAddr,
    /// Bodies it was asked with.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
}

impl False {
    pub(crate) fn new(answer: impl Fn(&mut TcpStream, &str) + Send + Sync + 'static) -> False {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, ended) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (heard, over, answer) = (asked.clone(), ended.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (heard, answer) = (heard.clone(), answer.clone());
                thread::spawn(move || {
                    let mut stream = stream;
                    let Some(body) = body(&mut stream) else { return };
                    heard.lock().unwrap().push(body.clone());
                    answer(&mut stream, &body);
                });
            }
        });
        False { address, asked, ended }
    }

    /// Its line in a policy, under this key.
    pub(crate) fn line(&self, name: &str, key: &Signer) -> String {
        format!("witness {name} {} http://{}\n", key.verifier().to_vkey(), self.address)
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for False {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        _ = TcpStream::connect(self.address);
    }
}

/// The body of a request with a length.
fn body(stream: &mut TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

/// An answer; a client that is gone needs none.
pub(crate) fn reply(stream: &mut TcpStream, status: u16, media: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}
