//! What every object store must do. One function per promise of the trait.
//!
//! Each promise starts on a fresh store, so that their order does not matter.
//! Out of scope: speed, permissions of files.

use std::io::{self, Read};
use std::thread;

use super::{OpenObjects, must, refused};
use crate::direct::Room;
use crate::{MAX_NAME, MAX_SEGMENT, ObjectError, Put};

/// Runs every promise on a fresh store from `make`.
pub fn objects(make: &dyn Fn() -> OpenObjects) {
    starts_empty(&make());
    gives_back_what_was_put(&make());
    puts_once(&make());
    refuses_bad_names(&make());
    a_name_is_not_also_a_folder(&make());
    reads_ranges(&make());
    lists_by_prefix(&make());
    deletes(&make());
    a_broken_stream_leaves_nothing(&make());
    survives_a_restart(&make());
    a_race_stores_once(&make());
}

fn starts_empty(open: &OpenObjects) {
    let objects = open();
    assert!(must(objects.list(""), "list").is_empty());
    refused!(objects.get("a"), ObjectError::NotFound { name } if name == "a");
    refused!(objects.size("a/b"), ObjectError::NotFound { .. });
    refused!(objects.get_range("a", 0..0), ObjectError::NotFound { .. });
    assert!(matches!(objects.open("a"), Err(ObjectError::NotFound { .. })));
}

fn gives_back_what_was_put(open: &OpenObjects) {
    let objects = open();
    let large: Vec<u8> = (0u32..700_000).flat_map(u32::to_le_bytes).collect();
    let samples: [(&str, &[u8]); 3] = [("empty", b""), ("a/b/c.d_e-F", b"small"), ("l", &large)];
    for (name, bytes) in samples {
        assert_eq!(must(objects.put(name, bytes), name), Put::Stored);
        let streamed = format!("streamed/{name}");
        assert_eq!(must(objects.put_stream(&streamed, &mut &*bytes), name), Put::Stored);
        for name in [name, &streamed] {
            assert!(must(objects.get(name), name) == bytes, "get {name}");
            assert_eq!(must(objects.size(name), name), bytes.len() as u64);
            let mut read = Vec::new();
            must(must(objects.open(name), name).read_to_end(&mut read), name);
            assert!(read == bytes, "open {name}");
        }
    }
}

fn puts_once(open: &OpenObjects) {
    let objects = open();
    assert_eq!(must(objects.put("a", b"first"), "put"), Put::Stored);
    assert_eq!(must(objects.put("a", b"second"), "put"), Put::AlreadyThere);
    assert_eq!(must(objects.put_stream("a", &mut &b"third"[..]), "put"), Put::AlreadyThere);
    assert_eq!(must(open().put("a", b"fourth"), "put elsewhere"), Put::AlreadyThere);
    assert_eq!(must(objects.get("a"), "get"), b"first");
}

fn refuses_bad_names(open: &OpenObjects) {
    let objects = open();
    let too_long = "a/".repeat(MAX_NAME / 2) + "b";
    let segment_too_long = "a".repeat(MAX_SEGMENT + 1);
    let bad = [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "./a",
        "a b",
        "ä",
        "a\\b",
        "a\0b",
        "~part/x",
        "a\nb",
        "a:b",
        &too_long,
        &segment_too_long,
    ];
    for name in bad {
        refused!(objects.put(name, b"x"), ObjectError::BadName { .. });
        refused!(objects.put_stream(name, &mut &b"x"[..]), ObjectError::BadName { .. });
        refused!(objects.get(name), ObjectError::BadName { .. });
        refused!(objects.get_range(name, 0..0), ObjectError::BadName { .. });
        refused!(objects.size(name), ObjectError::BadName { .. });
        refused!(objects.delete(name), ObjectError::BadName { .. });
        assert!(matches!(objects.open(name), Err(ObjectError::BadName { .. })), "{name:?}");
    }
    assert!(must(objects.list(""), "list").is_empty());
    let longest = format!("{}/{}", "a".repeat(MAX_SEGMENT), "b".repeat(MAX_SEGMENT));
    for good in [".a", "...", "a..b", "-", "_", &longest] {
        assert_eq!(must(objects.put(good, b"x"), good), Put::Stored);
        assert_eq!(must(objects.get(good), good), b"x");
    }
}

fn a_name_is_not_also_a_folder(open: &OpenObjects) {
    let objects = open();
    must(objects.put("a/b/c", b"x"), "put");
    for folder in ["a", "a/b"] {
        refused!(objects.put(folder, b"y"), ObjectError::BadName { .. });
        refused!(objects.put_stream(folder, &mut &b"y"[..]), ObjectError::BadName { .. });
        refused!(objects.get(folder), ObjectError::NotFound { .. });
        must(objects.delete(folder), "delete what is no object");
    }
    for below in ["a/b/c/d", "a/b/c/d/e"] {
        refused!(objects.put(below, b"y"), ObjectError::BadName { .. });
        refused!(objects.get(below), ObjectError::NotFound { .. });
        must(objects.delete(below), "delete what is no object");
    }
    assert_eq!(must(objects.list(""), "list"), ["a/b/c"]);
    must(objects.delete("a/b/c"), "empty the folder");
    refused!(objects.put("a/b", b"y"), ObjectError::BadName { .. });
    assert_eq!(must(objects.put("a/b/c/d", b"y"), "the object's name is free"), Put::Stored);
}

fn reads_ranges(open: &OpenObjects) {
    let objects = open();
    must(objects.put("r", b"0123456789"), "put");
    for (range, wanted) in [(0..10, "0123456789"), (3..5, "34"), (0..0, ""), (10..10, "")] {
        assert_eq!(must(objects.get_range("r", range), "get_range"), wanted.as_bytes());
    }
    #[expect(clippy::reversed_empty_ranges, reason = "a caller's mistake, to be refused")]
    for range in [0..11, 11..11, 10..u64::MAX, u64::MAX..u64::MAX, 5..4] {
        let asked = range.clone();
        refused!(
            objects.get_range("r", range),
            ObjectError::BadRange { size: 10, start, end, .. }
                if start == asked.start && end == asked.end
        );
    }
    if let Some(opened) = must(objects.ranges("r"), "ranges") {
        let mut room = Room::default();
        for (range, wanted) in [(0..10, "0123456789"), (3..5, "34"), (10..10, "")] {
            assert_eq!(must(opened.read(range, &mut room), "read"), wanted.as_bytes());
        }
        #[expect(clippy::reversed_empty_ranges, reason = "a caller's mistake, to be refused")]
        for range in [0..11, 11..11, 10..u64::MAX, 5..4] {
            refused!(opened.read(range, &mut room), ObjectError::BadRange { size: 10, .. });
        }
    }
    if let Ok(Some(absent)) = objects.ranges("absent") {
        refused!(absent.read(0..1, &mut Room::default()), ObjectError::NotFound { .. });
    }
}

fn lists_by_prefix(open: &OpenObjects) {
    let objects = open();
    for name in ["b", "a/2", "a/10", "a/x/y", "ab", "a.b", "B"] {
        must(objects.put(name, b""), "put");
    }
    let all = ["B", "a.b", "a/10", "a/2", "a/x/y", "ab", "b"];
    for (prefix, wanted) in [
        ("", &all[..]),
        ("a", &all[1..6]),
        ("a/", &all[2..5]),
        ("a/1", &all[2..3]),
        ("a/x", &all[4..5]),
        ("a/x/y", &all[4..5]),
        ("a/x/y/", &[]),
        ("c", &[]),
        ("no/such/folder", &[]),
        ("../", &[]),
        ("/", &[]),
        ("a//", &[]),
    ] {
        assert_eq!(must(objects.list(prefix), "list"), wanted, "prefix {prefix:?}");
    }
}

fn deletes(open: &OpenObjects) {
    let objects = open();
    must(objects.put("a/b", b"first"), "put");
    must(objects.put("a/c", b"other"), "put");
    for time in ["delete", "delete again"] {
        must(objects.delete("a/b"), time);
        refused!(objects.get("a/b"), ObjectError::NotFound { .. });
    }
    must(objects.delete("never/there"), "delete what never was");
    assert_eq!(must(objects.list(""), "list"), ["a/c"]);
    assert_eq!(must(objects.put("a/b", b"second"), "put"), Put::Stored);
    assert_eq!(must(objects.get("a/b"), "get"), b"second");
    must(objects.put("d", b"third"), "put");
    let several = ["a/b", "never/there", "d", "a/b"].map(str::to_owned);
    must(objects.delete_all(&several), "delete several");
    assert_eq!(must(objects.list(""), "list"), ["a/c"]);
    must(objects.delete_all(&[]), "delete none");
    refused!(objects.delete_all(&["a/c".to_owned(), "..".to_owned()]), ObjectError::BadName { .. });
}

/// Gives some bytes, then an error.
struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the line went dead"));
        }
        let given = self.0.min(buffer.len());
        buffer.get_mut(..given).unwrap_or(&mut []).fill(1);
        self.0 -= given;
        Ok(given)
    }
}

fn a_broken_stream_leaves_nothing(open: &OpenObjects) {
    let objects = open();
    for length in [0, 1, 1 << 20] {
        match objects.put_stream("s/t", &mut Broken(length)) {
            Err(ObjectError::Io { name, detail, .. }) => {
                assert_eq!(name, "s/t");
                assert!(detail.contains("the line went dead"), "{detail}");
            }
            other => panic!("after {length} bytes: {other:?}"),
        }
        refused!(objects.get("s/t"), ObjectError::NotFound { .. });
        assert!(must(objects.list(""), "list").is_empty());
    }
    assert_eq!(must(objects.put_stream("s/t", &mut &b"whole"[..]), "put"), Put::Stored);
    assert_eq!(must(objects.get("s/t"), "get"), b"whole");
}

fn survives_a_restart(open: &OpenObjects) {
    let objects = open();
    must(objects.put("a/b", b"kept"), "put");
    // One handle stays, for stores that live no longer than their handles.
    let restarted = open();
    drop(objects);
    assert_eq!(must(restarted.get("a/b"), "get"), b"kept");
    assert_eq!(must(restarted.put("a/b", b"new"), "put"), Put::AlreadyThere);
}

/// Two handles put the same name: one stores, and both see the winner's bytes, whole.
fn a_race_stores_once(open: &OpenObjects) {
    let handles = [open(), open()];
    for round in 0..10 {
        let name = &format!("race/{round}");
        let stored: usize = thread::scope(|scope| {
            let racers: Vec<_> = (0u8..)
                .zip(&handles)
                .map(|(mark, objects)| scope.spawn(move || objects.put(name, &[mark; 100_000])))
                .collect();
            let answers = racers.into_iter().map(|racer| match racer.join() {
                Ok(answer) => must(answer, name),
                Err(_) => panic!("{name}: a racer panicked"),
            });
            answers.filter(|put| *put == Put::Stored).count()
        });
        assert_eq!(stored, 1, "{name}");
        let bytes = must(handles[0].get(name), name);
        assert_eq!(bytes.len(), 100_000);
        assert!(bytes.iter().all(|byte| Some(byte) == bytes.first()), "{name} is one writer's");
        assert!(must(handles[1].get(name), name) == bytes);
    }
}
