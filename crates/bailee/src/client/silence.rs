//! Data from a server that may vanish without a word.
//!
//! Invariant: between two bytes of what a server has begun to send there is an end to waiting, and
//! what comes of it says whose silence it was.

use std::io::{self, Read};
use std::time::Duration;

use super::LOOK;

/// How long a server may send nothing of the data it has begun to send, or take nothing of what it
/// is sent: a machine that vanished says no more, not even that.
pub(super) const SILENCE: Duration = Duration::from_secs(600);

/// Data as it comes; a server that falls silent is an error that says so.
pub(super) struct Heard<R> {
    pub(super) body: R,
    pub(super) silence: Duration,
}

impl<R: Read> Read for Heard<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.body.read(room).map_err(|e| {
            let why = e.get_ref().and_then(|why| why.downcast_ref::<ureq::Error>());
            if !matches!(why, Some(ureq::Error::Timeout(_))) {
                return e;
            }
            let seconds = self.silence.as_secs();
            let detail = format!("the server has sent nothing for {seconds} seconds; {LOOK}");
            io::Error::new(io::ErrorKind::TimedOut, detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;

    use bailee_server::store::https;
    use ureq::tls::RootCerts;

    use super::super::Client;
    use super::*;

    /// A server that sends this and falls silent; the connection stays.
    fn silent_after(said: &'static [u8]) -> (String, thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 4096];
            assert!(stream.read(&mut asked).unwrap() > 0);
            stream.write_all(said).unwrap();
            // Until the client hangs up.
            while stream.read(&mut asked).unwrap_or(0) > 0 {}
        });
        (url, server)
    }

    fn client(base: String) -> Client {
        let agent = https::asking(RootCerts::WebPki).build().new_agent();
        Client { agent, base, authorization: None, silence: Duration::from_millis(300) }
    }

    #[test]
    fn a_server_that_falls_silent_within_its_data_is_not_waited_for() {
        let said = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc";
        let (url, server) = silent_after(said);
        let mut got = Vec::new();
        let heard = client(url).take("/v1/x").unwrap().read_to_end(&mut got);
        assert_eq!(got, b"abc");
        let error = heard.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().starts_with("the server has sent nothing for 0 s"), "{error}");
        server.join().unwrap();
    }
}
