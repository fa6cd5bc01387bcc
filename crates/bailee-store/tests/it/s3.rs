//! The conformance suite and what is special about S3, on real engines: Debian's radosgw, started
//! here; and whatever engine `BAILEE_TEST_S3_ENDPOINT` names.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use bailee_store::s3::{Credentials, ObjectLock, Outcome, S3Error, S3Objects, S3Settings};
use bailee_store::{ObjectError, Objects, Put, conformance};

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
    bytes_changed_on_the_way_are_not_stored(&engine, &settings);
    nothing_acknowledged_is_lost_with_the_gateway(&mut engine, &settings);
}

/// Any other engine, as its owner names it.
#[test]
fn s3_objects_on_the_engine_of_the_environment() {
    let told = |name: &str| std::env::var(format!("BAILEE_TEST_S3_{name}")).ok();
    let Some(endpoint) = told("ENDPOINT") else {
        println!(
            "NOT RUN on a second engine: set BAILEE_TEST_S3_ENDPOINT, _BUCKET, _REGION, _ID and \
             _SECRET to an empty bucket of one, such as garage"
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
        let found = objects.probe("1").unwrap();
        let outcome = |what: &str| found.iter().find(|f| f.what.starts_with(what)).unwrap().outcome;
        assert_eq!((outcome("read"), outcome("list")), (Outcome::Holds, Outcome::Holds));
        assert_eq!(outcome("checksum"), Outcome::Absent, "16.2 does not know the header");
        let held = if lock == ObjectLock::On { Outcome::Holds } else { Outcome::Absent };
        assert_eq!(outcome("legal hold"), held);
        let far = if lock == ObjectLock::On { Outcome::Broken } else { Outcome::Absent };
        assert_eq!(outcome("retention"), far, "16.2 wraps dates past 2106");
        assert_eq!(objects.list("").unwrap(), Vec::<String>::new(), "canaries are no objects");
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
    assert_eq!(trouble.seen.load(Ordering::SeqCst) - before, 7, "times asked");
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
