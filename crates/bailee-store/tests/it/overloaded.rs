//! An engine that answers, and at one thing only that it is busy: the probe fails and accuses it of
//! nothing.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;

use bailee_store::s3::{Credentials, Locks, Outcome, S3Error, S3Objects, S3Settings};

use crate::way::read_whole;

/// True for a request, head and body, that is answered 503.
type Busy = fn(&str) -> bool;

/// What is kept: under each key the bytes, and the date of a lock, empty for a legal hold.
type Kept = BTreeMap<String, (String, Option<String>)>;

/// Listens and does all that a probe tries, one question a connection.
fn engine(busy: Busy) -> S3Objects {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = S3Settings {
        endpoint: format!("http://{}", listener.local_addr().unwrap()),
        bucket: "kept".into(),
        region: "here".into(),
        prefix: String::new(),
        credentials: Credentials::new("a", "b", None),
        roots: None,
        patience: None,
    };
    thread::spawn(move || {
        let mut kept = Kept::new();
        for client in listener.incoming() {
            answer(client.unwrap(), busy, &mut kept);
        }
    });
    S3Objects::open(&settings).unwrap()
}

fn answer(mut client: TcpStream, busy: Busy, kept: &mut Kept) {
    let Some(request) = read_whole(&mut client) else { return };
    let request = String::from_utf8(request).unwrap();
    let (status, headers, body) = match busy(&request) {
        true => (503, String::new(), "<Error><Code>SlowDown</Code></Error>".to_owned()),
        false => act(&request, kept),
    };
    let length = body.len();
    let body = if request.starts_with("HEAD") { "" } else { &body };
    let head = format!("HTTP/1.1 {status} so\r\ncontent-length: {length}\r\n{headers}");
    _ = client.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes());
}

fn act(request: &str, kept: &mut Kept) -> (u16, String, String) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    let mut words = head.split(' ');
    let (method, url) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let key = path.strip_prefix("/kept").unwrap().trim_start_matches('/').to_owned();
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
    };
    let none = || (404, String::new(), String::new());
    let good = |headers: String, body: String| (200, headers, body);
    match (method, kept.get(&key).cloned()) {
        ("get", _) if key.is_empty() => {
            let all = kept.keys().map(|key| format!("<Contents><Key>{key}</Key></Contents>"));
            let all: String = all.collect();
            let end = "<IsTruncated>false</IsTruncated></ListBucketResult>";
            good(String::new(), format!("<ListBucketResult>{all}{end}"))
        }
        ("put", _) if query.contains("legal-hold") => good(String::new(), String::new()),
        ("put", Some(_)) if header("if-none-match").is_some() => {
            (412, String::new(), String::new())
        }
        ("put", _) if body == "not nothing" => (400, String::new(), String::new()),
        ("put", _) => {
            let held = header("x-amz-object-lock-legal-hold").map(|_| String::new());
            let lock = header("x-amz-object-lock-retain-until-date").or(held);
            kept.insert(key, (body.to_owned(), lock));
            good("x-amz-version-id: 1\r\n".into(), String::new())
        }
        ("get" | "head", Some((bytes, lock))) => {
            let lock = lock.unwrap_or_default().to_uppercase();
            good(format!("x-amz-object-lock-retain-until-date: {lock}\r\n"), bytes)
        }
        ("delete", Some((_, Some(_)))) if header("x-amz-bypass-governance-retention").is_none() => {
            (403, String::new(), String::new())
        }
        ("delete", Some(_)) => {
            kept.remove(&key);
            good(String::new(), String::new())
        }
        _ => none(),
    }
}

#[test]
fn an_engine_that_is_busy_is_accused_of_nothing() {
    let found = engine(|_| false).probe("1", Locks::Try).unwrap();
    let (what, all): (Vec<_>, Vec<_>) = found.into_iter().map(|f| (f.what, f.outcome)).unzip();
    assert_eq!(all, [Outcome::Holds; 6], "{what:?}");
    let busy: [(&str, Busy); 5] = [
        ("HEAD", |r| r.starts_with("HEAD")),
        ("a put under a lock", |r| r.contains("object-lock-legal-hold: ON")),
        ("a second put", |r| r.contains("if-none-match")),
        ("a wrong checksum", |r| r.ends_with("not nothing")),
        ("GET", |r| r.starts_with("GET /kept/")),
    ];
    let asked =
        busy.map(|(what, busy)| (what, thread::spawn(move || engine(busy).probe("1", Locks::Try))));
    for (what, asked) in asked {
        let error = asked.join().unwrap().expect_err(what);
        assert!(matches!(error, S3Error::Refused { status: 503, .. }), "{what}: {error}");
    }
}
