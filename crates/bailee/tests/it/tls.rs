//! A house that speaks TLS to its engine: with the authority that its settings name and no other,
//! and with nothing on the wire that a listener could use.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use bailee_server::store::s3::{ObjectLock, S3Settings};
use serde_json::json;

use crate::bucket::attach;
use crate::radosgw::{ID, RadosGw, SECRET, certify};
use crate::room::{Room, Said, text};

/// What was sent on the way to a port, by whoever went this way.
struct Wiretap {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Wiretap {
    fn on_the_way_to(port: u16) -> Wiretap {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("its number").port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&heard);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, all) = (client.expect("a connection"), Arc::clone(&all));
                let server = TcpStream::connect(("127.0.0.1", port)).expect("the engine");
                let (back, to) = (client.try_clone().expect("both"), server.try_clone());
                let to = to.expect("both");
                thread::spawn(move || lead(server, back, |_| ()));
                thread::spawn(move || lead(client, to, |b| all.lock().expect("heard").extend(b)));
            }
        });
        Wiretap { port: own, heard }
    }

    /// Whether these bytes went by.
    fn heard(&self, what: &str) -> bool {
        let heard = self.heard.lock().expect("heard");
        heard.windows(what.len()).any(|window| window == what.as_bytes())
    }

    fn bytes(&self) -> usize {
        self.heard.lock().expect("heard").len()
    }
}

/// From one to the other until the end.
fn lead(mut from: TcpStream, mut to: TcpStream, mut hear: impl FnMut(&[u8])) {
    let mut some = [0; 65_536];
    while let Ok(n @ 1..) = from.read(&mut some) {
        hear(&some[..n]);
        if to.write_all(&some[..n]).is_err() {
            break;
        }
    }
    // One end is gone; so is the other soon.
    _ = to.shutdown(Shutdown::Both);
}

/// A room whose packs are in that bucket, with these certificates trusted.
fn room(settings: &S3Settings, roots: Option<&[u8]>) -> Room {
    let room = Room::with_house();
    room.furnish();
    attach(&room, settings);
    if let Some(pem) = roots {
        room.file("house/keys/s3-ca.pem", pem);
        let path = room.path("house/bailee.toml");
        let before = fs::read_to_string(&path).expect("settings");
        fs::write(path, before + "roots = \"keys/s3-ca.pem\"\n").expect("settings are written");
    }
    room
}

fn preserve(room: &Room) -> Said {
    room.file("x", b"what is kept");
    let said = room.run_as("P-2", &["preserve", "A-1", text(&room.path("x"))]);
    assert!(!said.out.contains(SECRET) && !said.err.contains(SECRET), "{said:?}");
    said
}

#[test]
fn tls_is_spoken_with_our_authority_and_nobody_else_is_told_anything() {
    let engine = RadosGw::start();
    let plain = engine.bucket("kept", ObjectLock::Off);
    let tap = Wiretap::on_the_way_to(engine.tls_port());
    let endpoint = format!("https://127.0.0.1:{}", tap.port);
    let at = |prefix: &str| S3Settings {
        endpoint: endpoint.clone(),
        prefix: prefix.to_owned(),
        ..plain.clone()
    };
    // The authority of the settings: all of it works, and the wire has neither name nor secret.
    let ours = room(&at("ours"), Some(&engine.authority()));
    preserve(&ours).ok();
    ours.run_as("P-2", &["snapshot", "verify", "S-1"]).ok();
    let probed = ours.run(&["--json", "probe"]);
    assert_eq!((probed.code, &probed.json()["bad"]), (0, &json!([])), "{probed:?}");
    assert!(tap.bytes() > 10_000, "it went this way");
    for secret in [ID, SECRET, "AWS4-HMAC-SHA256", "what is kept"] {
        assert!(!tap.heard(secret), "{secret} was on the wire");
    }
    // Another authority, and the public ones: the engine is not believed, and is told nothing.
    let dir = tempfile::tempdir().expect("a directory");
    certify(dir.path());
    let other = fs::read(dir.path().join("ca.pem")).expect("a certificate");
    for roots in [Some(other.as_slice()), None] {
        let stranger = room(&at("strange"), roots);
        let refused = preserve(&stranger);
        assert!(refused.code == 3 && refused.err.contains("certificate"), "{refused:?}");
        let probed = stranger.run(&["--json", "probe"]);
        let first = &probed.json()["items"][0];
        assert_eq!((probed.code, &first["outcome"]), (1, &json!("silent")), "{probed:?}");
        assert!(first["saw"].as_str().expect("text").contains("certificate"), "{first}");
    }
    assert!(!tap.heard(ID) && !tap.heard("AWS4-HMAC-SHA256"));
    // The ear works: without TLS the name is heard, and the secret is not sent even then.
    let tap = Wiretap::on_the_way_to(engine.port());
    let endpoint = format!("http://127.0.0.1:{}", tap.port);
    preserve(&room(&S3Settings { endpoint, prefix: "open".into(), ..plain }, None)).ok();
    assert!(tap.heard(ID) && !tap.heard(SECRET));
}
