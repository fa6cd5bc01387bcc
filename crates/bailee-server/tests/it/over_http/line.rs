//! One connection that is kept, as a program that sends many requests keeps it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

/// A connection and what is known of its other end.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
    /// Requests sent.
    pub(crate) sent: u64,
}

/// An answer.
pub(crate) struct Said {
    pub(crate) status: u16,
    media: String,
    body: Vec<u8>,
}

fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    BufReader::new(stream)
}

impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Connection {
        Connection { address, stream: connect(address), sent: 0 }
    }

    pub(crate) fn get(&mut self, path: &str, token: &str) -> Said {
        self.ask("GET", path, token, None)
    }

    pub(crate) fn post(&mut self, path: &str, token: &str, media: &str, body: &[u8]) -> Said {
        self.ask("POST", path, token, Some((media, body)))
    }

    fn ask(&mut self, method: &str, path: &str, token: &str, body: Option<(&str, &[u8])>) -> Said {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: house\r\n");
        if !token.is_empty() {
            request += &format!("authorization: Bearer {token}\r\n");
        }
        if let Some((media, body)) = body {
            request += &format!("content-type: {media}\r\ncontent-length: {}\r\n", body.len());
        }
        request += "\r\n";
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body.map_or(&[][..], |(_, body)| body));
        self.sent += 1;
        self.stream.get_mut().write_all(&bytes).unwrap();
        self.read()
    }

    fn read(&mut self) -> Said {
        let line = |stream: &mut BufReader<TcpStream>| {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            line.trim_end().to_lowercase()
        };
        let first = line(&mut self.stream);
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer: {first:?}"));
        let (mut length, mut media, mut closes) = (0, String::new(), false);
        loop {
            let header = line(&mut self.stream);
            match header.split_once(": ") {
                None => break,
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("content-type", value)) => media = value.to_owned(),
                Some(("connection", value)) => closes = value == "close",
                Some(_) => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        if closes {
            self.stream = connect(self.address);
        }
        Said { status, media, body }
    }
}

impl Said {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    /// True for an answer that is no problem; a problem has to be one in form.
    pub(crate) fn is_good(&self) -> bool {
        let good = (200..300).contains(&self.status);
        if !good {
            assert_eq!(self.media, "application/problem+json", "{}", self.json());
            assert_eq!(self.json()["status"], self.status);
        }
        good
    }
}
