//! The conformance suite and what is special about S3, on real engines: Debian's radosgw, started
//! here; Garage, where the machine has it; and whatever engine `BAILEE_TEST_S3_ENDPOINT` names.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use bailee_store::direct::Room;
use bailee_store::s3::{
    Credentials, LOCKING, Locks, ObjectLock, Outcome, S3Error, S3Objects, S3Settings,
};
use bailee_store::{ObjectError, Objects, Put, conformance};

use crate::garage::Garage;
use crate::radosgw::{ID, RadosGw, SECRET};
use crate::way::{self, Trouble};

/// One engine for all of it: it takes ten seconds to start.
#[test]
fn s3_objects_on_radosgw() {
    let mut engine = RadosGw::start();
    let settings = engine.bucket("kept", ObjectLock::Off);
    let empty = S3Objects::open(&settings).unwrap().list("").unwrap();
    assert!(empty.is_empty(), "{empty:?}");
    the_probe_tells_what_it_does(&engine);
    conforms(&settings);
    prefixes_are_stores_of_their_own(&settings);
    lists_more_than_a_page(&settings);
    what_is_wrong_is_named(&engine, &settings);
    a_busy_engine_is_asked_again(&engine, &settings);
    tls_is_spoken_with_its_authority_and_no_other(&engine, &settings);
    who_reads_on_is_read_for_ahead_and_who_does_not_is_not(&engine, &settings);
    bytes_changed_on_the_way_are_not_stored(&engine, &settings);
    nothing_acknowledged_is_lost_with_the_gateway(&mut engine, &settings);
}

/// A second opinion on what S3 is. Its probe is where engines differ.
#[test]
fn s3_objects_on_garage() {
    let Some(engine) = Garage::start() else {
        println!(
            "NOT RUN on garage: cargo install garage --no-default-features -F bundled-libs,sqlite"
        );
        return;
    };
    let settings = engine.bucket("kept");
    let found = S3Objects::open(&settings).unwrap().probe("1", Locks::Try).unwrap();
    let outcome = |what: &str| found.iter().find(|f| f.what.starts_with(what)).unwrap().outcome;
    assert_eq!((outcome("read"), outcome("list")), (Outcome::Holds, Outcome::Holds));
    assert_eq!(outcome("checksum"), Outcome::Holds);
    assert_eq!(outcome("put once"), Outcome::Broken, "2.5 takes the header and writes over");
    assert_eq!(outcome("legal hold"), Outcome::Broken, "2.5 takes the header and deletes");
    conforms(&settings);
    prefixes_are_stores_of_their_own(&settings);
    lists_more_than_a_page(&settings);
}

/// Any other engine, as its owner names it.
#[test]
fn s3_objects_on_the_engine_of_the_environment() {
    let told = |name: &str| std::env::var(format!("BAILEE_TEST_S3_{name}")).ok();
    let Some(endpoint) = told("ENDPOINT") else {
        println!(
            "NOT RUN on a second engine: set BAILEE_TEST_S3_ENDPOINT, _BUCKET, _REGION, _ID and \
             _SECRET to an empty bucket of one"
        );
        assert!(told("BUCKET").is_none(), "BAILEE_TEST_S3_BUCKET without _ENDPOINT");
        return;
    };
    let need = |name: &str| told(name).unwrap_or_else(|| panic!("BAILEE_TEST_S3_{name} too"));
    let settings = S3Settings {
        endpoint,
        bucket: need("BUCKET"),
        region: need("REGION"),
        prefix: format!("test-{}", std::process::id()),
        credentials: Credentials::new(&need("ID"), &need("SECRET"), None),
        roots: None,
        patience: None,
    };
    conforms(&settings);
    let objects = S3Objects::open(&settings).unwrap();
    for name in objects.list("").unwrap() {
        objects.delete(&name).unwrap();
    }
}

fn conforms(settings: &S3Settings) {
    let made = Cell::new(0);
    conformance::objects(&|| {
        made.set(made.get() + 1);
        let mut settings = settings.clone();
        settings.prefix = format!("{}suite-{}", settings.prefix, made.get());
        Box::new(move || Box::new(S3Objects::open(&settings).unwrap()))
    });
    assert!(made.get() > 5, "the suite ran");
}

fn the_probe_tells_what_it_does(engine: &RadosGw) {
    for (bucket, lock) in [("plain", ObjectLock::Off), ("locked", ObjectLock::On)] {
        let settings = engine.bucket(bucket, lock);
        let objects = S3Objects::open(&settings).unwrap();
        let found = objects.probe("1", Locks::Try).unwrap();
        let outcome = |what: &str| found.iter().find(|f| f.what.starts_with(what)).unwrap().outcome;
        assert_eq!((outcome("read"), outcome("list")), (Outcome::Holds, Outcome::Holds));
        assert_eq!(outcome("checksum"), Outcome::Absent, "16.2 does not know the header");
        let held = if lock == ObjectLock::On { Outcome::Holds } else { Outcome::Absent };
        assert_eq!(outcome("legal hold"), held);
        let far = if lock == ObjectLock::On { Outcome::Broken } else { Outcome::Absent };
        assert_eq!(outcome("retention"), far, "16.2 wraps dates past 2106");
        assert_eq!(objects.list("").unwrap(), Vec::<String>::new(), "canaries are no objects");
        let (locking, others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|f| LOCKING.contains(&f.what));
        assert_eq!((locking.len(), others.len()), (2, 4));
        assert_eq!(objects.probe("2", Locks::Leave).unwrap(), others);
    }
}

fn within(settings: &S3Settings, prefix: &str) -> S3Settings {
    S3Settings { prefix: prefix.to_owned(), ..settings.clone() }
}

fn prefixes_are_stores_of_their_own(settings: &S3Settings) {
    let [a, b] = ["pre/a", "pre/ab"].map(|p| S3Objects::open(&within(settings, p)).unwrap());
    a.put("x", b"of a").unwrap();
    b.put("x", b"of b").unwrap();
    assert_eq!((a.get("x").unwrap(), b.get("x").unwrap()), (b"of a".to_vec(), b"of b".to_vec()));
    assert_eq!((a.list("").unwrap(), b.list("").unwrap()), (vec!["x".into()], vec!["x".into()]));
    let long =
        format!("{}/{}/{}/{}", "a".repeat(255), "b".repeat(255), "c".repeat(255), "d".repeat(254));
    assert!(
        matches!(a.put(&long, b""), Err(ObjectError::BadName { .. })),
        "no room for the prefix"
    );
}

fn lists_more_than_a_page(settings: &S3Settings) {
    let objects = S3Objects::open(&within(settings, "pages")).unwrap();
    let names: Vec<String> = (0..1_003).map(|n| format!("many/{n:04}")).collect();
    thread::scope(|scope| {
        for some in names.chunks(names.len().div_ceil(8)) {
            let objects = &objects;
            scope.spawn(move || some.iter().for_each(|n| _ = objects.put(n, b"x").unwrap()));
        }
    });
    assert!(objects.list("").unwrap() == names);
    assert_eq!(objects.list("many/100").unwrap().len(), 3);
}

fn what_is_wrong_is_named(engine: &RadosGw, settings: &S3Settings) {
    let refused = |settings: &S3Settings| match S3Objects::open(settings) {
        Err(S3Error::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&engine.settings("no-such-bucket")), "NoSuchBucket");
    let mut stranger = settings.clone();
    stranger.credentials = Credentials::new("nobody", SECRET, None);
    assert_eq!(refused(&stranger), "InvalidAccessKeyId");
    stranger.credentials = Credentials::new(ID, "another-secret", None);
    assert_eq!(refused(&stranger), "SignatureDoesNotMatch");
    let shown = S3Objects::open(&stranger).unwrap_err().to_string();
    assert!(!shown.contains("another-secret") && !shown.contains("AWS4"), "{shown}");
}

/// Settings that lead over a way with trouble on it.
fn over(settings: &S3Settings, engine: &RadosGw, trouble: &Arc<Trouble>) -> S3Settings {
    let port = way::open(engine.port(), Arc::clone(trouble));
    S3Settings { endpoint: format!("http://127.0.0.1:{port}"), ..settings.clone() }
}

fn a_busy_engine_is_asked_again(engine: &RadosGw, settings: &S3Settings) {
    let trouble = Arc::new(Trouble::default());
    let troubled = over(&within(settings, "busy"), engine, &trouble);
    let objects = S3Objects::open(&troubled).unwrap();
    trouble.busy.store(3, Ordering::SeqCst);
    assert_eq!(objects.put("a", b"bytes").unwrap(), Put::Stored);
    assert_eq!(trouble.busy.load(Ordering::SeqCst), 0, "it was not busy at all");
    trouble.busy.store(u32::MAX, Ordering::SeqCst);
    let before = trouble.seen.load(Ordering::SeqCst);
    let gave_up = objects.get("a").unwrap_err().to_string();
    assert!(gave_up.contains("503 SlowDown"), "{gave_up}");
    // Seven times, the first of them perhaps on a connection that the way has closed by then.
    let asked = trouble.seen.load(Ordering::SeqCst) - before;
    assert!((6..=7).contains(&asked), "asked {asked} times");
}

/// What a house says to an engine that it does not believe: `bailee`'s test of TLS listens.
fn tls_is_spoken_with_its_authority_and_no_other(engine: &RadosGw, at: &S3Settings) {
    let endpoint = format!("https://127.0.0.1:{}", engine.tls_port());
    let with = |roots| S3Settings { endpoint: endpoint.clone(), roots, ..within(at, "tls") };
    let objects = S3Objects::open(&with(Some(engine.authority()))).unwrap();
    assert_eq!(objects.put("a", b"bytes").unwrap(), Put::Stored);
    assert_eq!(objects.get("a").unwrap(), b"bytes");
    let refused = S3Objects::open(&with(None)).unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}

/// An answer changed on the way is caught by the reading back; a body, by what is signed.
fn bytes_changed_on_the_way_are_not_stored(engine: &RadosGw, settings: &S3Settings) {
    let what = b"a phrase that is looked for".to_vec();
    let trouble = Arc::new(Trouble { what: what.clone(), ..Trouble::default() });
    let settings = within(settings, "changed");
    let objects = S3Objects::open(&over(&settings, engine, &trouble)).unwrap();
    trouble.change.store(1, Ordering::SeqCst);
    let refused = objects.put("a", &what).unwrap_err().to_string();
    assert!(refused.contains("other bytes than were put"), "{refused}");
    let direct = S3Objects::open(&settings).unwrap();
    assert!(matches!(direct.get("a"), Err(ObjectError::NotFound { .. })), "it is still there");
    assert_eq!(objects.put("a", &what).unwrap(), Put::Stored);
    assert_eq!(direct.get("a").unwrap(), what);
}

fn nothing_acknowledged_is_lost_with_the_gateway(engine: &mut RadosGw, settings: &S3Settings) {
    let mut settings = within(settings, "restart");
    settings.patience = Some(Duration::from_secs(2));
    let objects = S3Objects::open(&settings).unwrap();
    let (acknowledged, stop) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0u32.. {
                let put = objects.put(&format!("p/{n}"), &[n.to_be_bytes()[3]; 100_000]);
                assert_eq!(put.unwrap(), Put::Stored, "object {n}, with the gateway gone a while");
                acknowledged.store(n + 1, Ordering::SeqCst);
                if stop.load(Ordering::SeqCst) > 0 {
                    return;
                }
            }
        });
        while acknowledged.load(Ordering::SeqCst) < 5 {
            thread::sleep(Duration::from_millis(5));
        }
        engine.kill_gateway();
        engine.start_gateway();
        stop.store(1, Ordering::SeqCst);
    });
    let objects = S3Objects::open(&settings).unwrap();
    for n in 0..acknowledged.into_inner() {
        let bytes = objects.get(&format!("p/{n}")).unwrap();
        assert_eq!(bytes, [n.to_be_bytes()[3]; 100_000], "object {n}");
    }
}

/// Counted by connections, one a question; each byte compared with what was put.
fn who_reads_on_is_read_for_ahead_and_who_does_not_is_not(engine: &RadosGw, at: &S3Settings) {
    const STEP: u64 = 200_000;
    let bytes: Vec<u8> = (0..20_000_001_u32).map(|n| (n.wrapping_mul(n) >> 9) as u8).collect();
    let size = bytes.len() as u64;
    let slice = |from: u64, to: u64| &bytes[from as usize..to as usize];
    S3Objects::open(at).unwrap().put("ahead/long", &bytes).unwrap();
    let trouble = Arc::new(Trouble::default());
    let port = way::open(engine.port(), Arc::clone(&trouble));
    let endpoint = format!("http://127.0.0.1:{port}");
    let objects = S3Objects::open(&S3Settings { endpoint, ..at.clone() }).unwrap();
    let asked = || trouble.seen.swap(0, Ordering::SeqCst);
    let handle = || objects.ranges("ahead/long").unwrap().unwrap();
    let (mut room, _) = (Room::default(), asked());
    let long = handle();
    assert_eq!(asked(), 0, "opening asks nothing");
    let mut from = 0;
    while from < size {
        let to = size.min(from + STEP);
        assert!(long.read(from..to, &mut room).unwrap() == slice(from, to), "{from}");
        from = to;
    }
    let reads = asked();
    assert!((10..=12).contains(&reads), "{reads} questions for 101 reads of 10 blocks");
    assert!(long.read(size..size + 1, &mut room).is_err());
    _ = asked();
    // A header and one chunk somewhere, and chunks far from each other: as many questions as reads.
    let one = handle();
    for from in [0, 9_000_000, 100, 15_000_000, 4_500_000] {
        let read = one.read(from..from + 100, &mut room).unwrap();
        assert!(read == slice(from, from + 100));
    }
    assert_eq!(asked(), 5);
    // Threads that share a reader, each with every fourth piece.
    let shared = handle();
    thread::scope(|scope| {
        for lane in 0..4 {
            let (shared, slice) = (&shared, &slice);
            scope.spawn(move || {
                let mut room = Room::default();
                for from in (lane * STEP..size).step_by(4 * STEP as usize) {
                    let to = size.min(from + STEP);
                    assert!(shared.read(from..to, &mut room).unwrap() == slice(from, to));
                }
            });
        }
    });
    let reads = asked();
    assert!(reads < 40, "{reads} questions for 101 reads by four threads");
    // A handle opened anew reads anew, also what the engine lost meanwhile.
    objects.delete("ahead/long").unwrap();
    let gone = handle().read(0..1, &mut room).map(|read| read.len());
    assert!(matches!(gone, Err(ObjectError::NotFound { .. })), "{gone:?}");
    more_handles_than_memory(&objects);
}

/// All of them read on at once, and nobody waits for room or gets other bytes.
fn more_handles_than_memory(objects: &S3Objects) {
    let bytes: Vec<u8> = (0..5_000_000_u32).map(|n| (n >> 4) as u8).collect();
    objects.put("ahead/each", &bytes).unwrap();
    let open = |_| objects.ranges("ahead/each").unwrap().unwrap();
    let handles: Vec<_> = (0..48).map(open).collect();
    let mut room = Room::default();
    for from in (0..4_900_000).step_by(700_000) {
        for handle in &handles {
            let range = from as u64..from as u64 + 100_000;
            assert!(handle.read(range, &mut room).unwrap() == &bytes[from..from + 100_000]);
        }
    }
}
