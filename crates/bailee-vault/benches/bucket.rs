//! Restoring from a bucket: with and without reading ahead, near and over a way of some length.
//!
//! The engine is Debian's radosgw with its store in memory; the way is a forwarder that keeps each
//! byte back for half of a round trip and slows nothing else down. Lines are
//! `name<TAB>value<TAB>unit<TAB>target`.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)] // prints, and may stop

#[allow(dead_code, reason = "the store's tests use all of it")]
#[path = "../../bailee-store/tests/it/radosgw.rs"]
mod radosgw;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use bailee_store as store;
use bailee_store::s3::{ObjectLock, S3Objects, S3Settings};
use bailee_store::{MemoryObjects, ObjectError, Objects, Put};
use bailee_vault::{Kek, SnapshotId, Source, Vault};

use radosgw::RadosGw;

/// Bytes of the large file.
const LARGE: usize = 128 << 20;
/// Small files, of 48 KiB.
const SMALL: u64 = 600;
/// Round trips that are measured.
const TRIPS: [Duration; 2] = [Duration::ZERO, Duration::from_millis(20)];
/// Objects that are asked for and listed.
const NAMES: u32 = 1000;

fn main() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|dir| dir.join("radosgw").is_file()) {
        println!("bucket: NOT RUN, there is no radosgw: cargo xtask setup");
        return;
    }
    let engine = RadosGw::start();
    let settings = engine.bucket("bench", ObjectLock::Off);
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    let bytes = corpus(&tree);
    let (keys, kek) = (Arc::new(MemoryObjects::new()), Kek::from_bytes([5; 32]));
    let near = Arc::new(S3Objects::open(&settings).unwrap());
    let vault = Vault::create_with_keys(near, keys.clone(), &kek).unwrap();
    let id = vault.preserve("t", "u", &Source::Tree(tree), &mut ()).unwrap().id;
    for trip in TRIPS {
        let endpoint = format!("http://127.0.0.1:{}", way(engine.port(), trip / 2));
        let far = S3Objects::open(&S3Settings { endpoint, ..settings.clone() }).unwrap();
        let stores: [(&str, Arc<dyn Objects>); 2] =
            [("single", Arc::new(Single(far.clone()))), ("ahead", Arc::new(far.clone()))];
        let trip = trip.as_millis();
        for (how, packs) in stores {
            let vault = Vault::open_with_keys(packs, keys.clone(), &kek).unwrap();
            let rate = bytes as f64 / restore(&vault, &id, dir.path()).as_secs_f64() / 1e6;
            println!("bucket.restore.{how}.trip-{trip}ms\t{rate:.1}\tMB/s\t-");
        }
        names(&far, trip);
    }
}

/// Noise: one large file and many small ones. Gives its bytes.
fn corpus(tree: &Path) -> u64 {
    std::fs::create_dir_all(tree.join("small")).unwrap();
    let noise = |seed: u64, len: usize| {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    };
    std::fs::write(tree.join("large"), noise(0, LARGE)).unwrap();
    for n in 0..SMALL {
        std::fs::write(tree.join(format!("small/{n}")), noise(n + 1, 48 << 10)).unwrap();
    }
    LARGE as u64 + SMALL * (48 << 10)
}

fn restore(vault: &Vault, id: &SnapshotId, dir: &Path) -> Duration {
    let (dest, start) = (dir.join("dest"), Instant::now());
    let report = vault.restore("t", id, &dest, None).unwrap();
    assert!(report.is_complete(), "{report:?}");
    let took = start.elapsed();
    std::fs::remove_dir_all(dest).unwrap();
    took
}

/// What it costs to know which of a thousand objects are there.
fn names(objects: &S3Objects, trip: u128) {
    let name = |n: u32| format!("names/{n:04}");
    for n in 0..NAMES {
        objects.put(&name(n), b"").unwrap();
        if trip > 0 {
            break; // They are there from the first round.
        }
    }
    let start = Instant::now();
    let some = NAMES / 10;
    (0..some).for_each(|n| assert_eq!(objects.size(&name(n)).unwrap(), 0));
    let each = start.elapsed().as_secs_f64() * 1e3 / f64::from(some);
    println!("bucket.head.trip-{trip}ms\t{:.0}\tms/1000 objects\t-", each * f64::from(NAMES));
    let start = Instant::now();
    assert_eq!(objects.list("names/").unwrap().len(), NAMES as usize);
    println!("bucket.list.trip-{trip}ms\t{:.0}\tms/1000 objects\t-", start.elapsed().as_millis());
}

/// A way to a port that takes so long in each direction.
fn way(port: u16, delay: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) =
                (client.unwrap(), TcpStream::connect(("127.0.0.1", port)).unwrap());
            for one in [&client, &server] {
                one.set_nodelay(true).unwrap();
            }
            let (back, there) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            lead(server, back, delay);
            lead(client, there, delay);
        }
    });
    own
}

/// Each piece leaves so long after it came.
fn lead(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (sender, pieces) = sync_channel::<(Instant, Vec<u8>)>(1024);
    thread::spawn(move || {
        let mut some = vec![0; 65_536];
        while let Ok(n @ 1..) = from.read(&mut some) {
            if sender.send((Instant::now() + delay, some[..n].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, piece) in pieces {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&piece).is_err() {
                return;
            }
        }
        _ = to.shutdown(std::net::Shutdown::Write);
    });
}

/// The bucket as it was read before: one question a range.
struct Single(S3Objects);

impl Objects for Single {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<Put, ObjectError> {
        self.0.put(name, bytes)
    }
    fn put_stream(&self, name: &str, from: &mut dyn Read) -> Result<Put, ObjectError> {
        self.0.put_stream(name, from)
    }
    fn get(&self, name: &str) -> Result<Vec<u8>, ObjectError> {
        self.0.get(name)
    }
    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        self.0.get_range(name, range)
    }
    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ObjectError> {
        self.0.open(name)
    }
    fn size(&self, name: &str) -> Result<u64, ObjectError> {
        self.0.size(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        self.0.list(prefix)
    }
    fn delete(&self, name: &str) -> Result<(), ObjectError> {
        self.0.delete(name)
    }
}
