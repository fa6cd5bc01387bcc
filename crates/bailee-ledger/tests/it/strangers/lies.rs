//! Archives whose ZIP64 records lie, or say a thing twice and differently.

use std::io::{Read, Seek, SeekFrom};

use super::bag::Bag;
use crate::holes::Holes;

const FULL: u32 = u32::MAX;
/// ZIP64's end, its locator, the classic end.
const ENDS: u64 = 56 + 20 + 22;

/// Bytes for a place.
type Patch = (u64, Vec<u8>);

/// Where the wide fields of a bundle with one large file lie.
struct Places {
    /// The large file's local header, its record, and the record that follows, whose place is wide.
    local: u64,
    record: u64,
    next: u64,
    /// Length of the two files' names.
    name: u64,
    next_name: u64,
    /// The directory, and what follows it.
    directory: u64,
    end: u64,
}

fn number<const N: usize>(bundle: &Holes, at: u64) -> u64 {
    let mut bytes = [0; 8];
    let mut reader = bundle.clone();
    reader.seek(SeekFrom::Start(at)).unwrap();
    reader.read_exact(&mut bytes[..N]).unwrap();
    u64::from_le_bytes(bytes)
}

impl Places {
    fn of(bundle: &Holes) -> Places {
        let end = bundle.length - ENDS;
        let directory = number::<8>(bundle, end + 48);
        let mut record = directory;
        let mut name = number::<2>(bundle, record + 28);
        while number::<4>(bundle, record + 24) != u64::from(FULL) {
            record += 46 + name + number::<2>(bundle, record + 30);
            name = number::<2>(bundle, record + 28);
        }
        let next = record + 46 + name + number::<2>(bundle, record + 30);
        let (local, next_name) = (number::<4>(bundle, record + 42), number::<2>(bundle, next + 28));
        Places { local, record, next, name, next_name, directory, end }
    }

    /// Places of one value each in ZIP64 fields, some of them together.
    fn wide(&self) -> Vec<(&'static str, Vec<u64>)> {
        let local = self.local + 30 + self.name + 4;
        let record = self.record + 46 + self.name + 4;
        let next = self.next + 46 + self.next_name + 4;
        vec![
            ("both sizes everywhere", vec![local, local + 8, record, record + 8]),
            ("both sizes before the file", vec![local, local + 8]),
            ("both sizes in the directory", vec![record, record + 8]),
            ("packed size before the file", vec![local]),
            ("packed size in the directory", vec![record]),
            ("size in the directory", vec![record + 8]),
            ("place in the directory", vec![next]),
            ("files of the end", vec![self.end + 24, self.end + 32]),
            ("files of this disk", vec![self.end + 24]),
            ("length of the directory", vec![self.end + 40]),
            ("place of the directory", vec![self.end + 48]),
            ("place of ZIP64's end", vec![self.end + 64]),
        ]
    }

    /// Values in fields of two and four bytes: the other form, or what a field is for.
    fn narrow(&self) -> Vec<(&'static str, Vec<Patch>)> {
        let (five, full) = (5u32.to_le_bytes().to_vec(), FULL.to_le_bytes().to_vec());
        let short = |value: u16| value.to_le_bytes().to_vec();
        let extra = self.record + 46 + self.name;
        let local_extra = self.local + 30 + self.name;
        vec![
            ("classic size before the file", vec![(self.local + 22, five.clone())]),
            ("classic sizes before", vec![(self.local + 18, [&five[..], &five].concat())]),
            ("classic size in the directory", vec![(self.record + 24, five.clone())]),
            ("classic sizes there", vec![(self.record + 20, [&five[..], &five].concat())]),
            ("classic place", vec![(self.next + 42, five.clone())]),
            ("classic place, full", vec![(self.record + 42, full)]),
            ("classic place of the directory", vec![(self.end + 92, five.clone())]),
            ("classic length of the directory", vec![(self.end + 88, five)]),
            ("classic files", vec![(self.end + 84, [short(3), short(3)].concat())]),
            ("classic files, full", vec![(self.end + 84, [short(0xffff), short(0xffff)].concat())]),
            ("version before the file", vec![(self.local + 4, short(10))]),
            ("version in the directory", vec![(self.record + 6, short(10))]),
            ("versions of the end", vec![(self.end + 12, [short(20), short(20)].concat())]),
            ("kind of field before", vec![(local_extra, short(2))]),
            ("kind of field", vec![(extra, short(2))]),
            ("field of 8", vec![(extra + 2, short(8))]),
            ("field of 15", vec![(extra + 2, short(15))]),
            ("field of 24", vec![(extra + 2, short(24))]),
            ("field of none", vec![(extra + 2, short(0))]),
            ("field before of 8", vec![(local_extra + 2, short(8))]),
            ("end of 0", vec![(self.end + 4, vec![0; 8])]),
            ("end of all", vec![(self.end + 4, vec![0xff; 8])]),
            ("another disk", vec![(self.end + 16, vec![1])]),
            ("two disks", vec![(self.end + 72, vec![2])]),
        ]
    }
}

/// Lies about a bundle with a file of more than 4 GiB.
pub(super) fn about_large(bundle: &Holes) -> Vec<(String, Holes)> {
    let places = Places::of(bundle);
    let mut lies = Vec::new();
    for (what, fields) in places.wide() {
        let truth = number::<8>(bundle, fields[0]);
        let values = [0, 5, truth - 1, truth + 1, truth ^ 1 << 32, FULL.into(), 1 << 63, u64::MAX];
        for value in values.into_iter().filter(|value| *value != truth) {
            let patch = |lie: Holes, at: &u64| lie.patched(*at, &value.to_le_bytes());
            lies.push((format!("{what}: {value}"), fields.iter().fold(bundle.clone(), patch)));
        }
    }
    for (what, patches) in places.narrow() {
        let patch = |lie: Holes, (at, bytes): &Patch| lie.patched(*at, bytes);
        lies.push((what.to_owned(), patches.iter().fold(bundle.clone(), patch)));
    }
    let tail = bundle.tail(places.directory);
    let (records, ends) = tail.split_at((places.end - places.directory) as usize);
    let (wide, rest) = ends.split_at(56);
    let longer = [&wide[..4], &52u64.to_le_bytes(), &wide[12..], &[0; 8]].concat();
    for (what, end) in [
        ("no ZIP64 end", rest[20..].to_vec()),
        ("no locator", [wide, &rest[20..]].concat()),
        ("two ZIP64 ends", [wide, wide, rest].concat()),
        ("a ZIP64 end with more in it", [&longer, rest].concat()),
        ("the end twice", [ends, ends].concat()),
        ("cut", ends[..ends.len() - 1].to_vec()),
        ("cut to ZIP64's end", wide.to_vec()),
    ] {
        let tail = [records, &end].concat();
        lies.push((what.to_owned(), bundle.clone().ending(places.directory, &tail)));
    }
    lies
}

/// One of the two headers of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Header {
    Local,
    Directory,
}

/// What stands in it, as far as it may lie.
struct Fields {
    version: u16,
    sizes: u32,
    place: u32,
    extra: Vec<u8>,
}

/// What is true of a file.
#[derive(Clone, Copy)]
struct Truth {
    size: u64,
    place: u64,
}

fn field(values: &[u64]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    [&[1, 0][..], &(bytes.len() as u16).to_le_bytes(), &bytes].concat()
}

impl Fields {
    /// Everything in ZIP64's field, with these values.
    fn widen(&mut self, header: Header, size: u64, place: u64) {
        (self.version, self.sizes) = (45, FULL);
        self.extra = match header {
            Header::Local => field(&[size, size]),
            Header::Directory => field(&[size, size, place]),
        };
        if header == Header::Directory {
            self.place = FULL;
        }
    }
}

type Headers = fn(Header, Truth, &mut Fields);
/// Count of files, length and place of the directory: what follows it.
type End = fn(u64, u64, u64) -> Vec<u8>;

fn wide_end(files: [u64; 2], length: u64, place: u64) -> Vec<u8> {
    let mut out = b"PK\x06\x06".to_vec();
    out.extend(44u64.to_le_bytes());
    out.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend([files[0], files[1], length, place].iter().flat_map(|value| value.to_le_bytes()));
    out
}

fn locator(place: u64, disks: u32) -> Vec<u8> {
    [b"PK\x06\x07\0\0\0\0", &place.to_le_bytes()[..], &disks.to_le_bytes()].concat()
}

fn classic(files: u16, length: u32, place: u32) -> Vec<u8> {
    let files = files.to_le_bytes();
    let start = [b"PK\x05\x06\0\0\0\0", &files[..], &files].concat();
    [&start, &length.to_le_bytes()[..], &place.to_le_bytes(), &[0; 2]].concat()
}

fn plain(files: u64, length: u64, place: u64) -> Vec<u8> {
    classic(files as u16, length as u32, place as u32)
}

/// The archive with its headers and end as they are given.
fn pack(bag: &Bag, headers: Headers, end: End) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in &bag.0 {
        let truth = Truth { size: bytes.len() as u64, place: out.len() as u64 };
        for header in [Header::Local, Header::Directory] {
            let (sizes, place) = (truth.size as u32, truth.place as u32);
            let mut fields = Fields { version: 10, sizes, place, extra: Vec::new() };
            if name.starts_with("bag/data/") {
                headers(header, truth, &mut fields);
            }
            let version = fields.version.to_le_bytes();
            let into = if header == Header::Local { &mut out } else { &mut directory };
            match header {
                Header::Local => into.extend(b"PK\x03\x04"),
                Header::Directory => into.extend([&b"PK\x01\x02"[..], &version].concat()),
            }
            into.extend([&version[..], &[0; 6], &[0x21, 0]].concat());
            into.extend(crc32fast::hash(bytes).to_le_bytes());
            into.extend([fields.sizes.to_le_bytes(), fields.sizes.to_le_bytes()].concat());
            into.extend((name.len() as u16).to_le_bytes());
            into.extend((fields.extra.len() as u16).to_le_bytes());
            if header == Header::Directory {
                into.extend([&[0; 10][..], &fields.place.to_le_bytes()].concat());
            }
            into.extend([name.as_bytes(), &fields.extra].concat());
        }
        out.extend(bytes);
    }
    let (length, place) = (directory.len() as u64, out.len() as u64);
    [out, directory, end(bag.0.len() as u64, length, place)].concat()
}

const HEADERS: [(&str, Headers); 17] = [
    ("all in ZIP64", |header, truth, fields| fields.widen(header, truth.size, truth.place)),
    ("before the files in ZIP64", |header, truth, fields| {
        if header == Header::Local {
            fields.widen(header, truth.size, truth.place);
        }
    }),
    ("in the directory in ZIP64", |header, truth, fields| {
        if header == Header::Directory {
            fields.widen(header, truth.size, truth.place);
        }
    }),
    ("classic and ZIP64, both true", |_, truth, fields| fields.extra = field(&[truth.size; 2])),
    ("classic true, ZIP64 a byte more", |_, truth, fields| {
        fields.extra = field(&[truth.size + 1; 2]);
    }),
    ("classic a byte more, ZIP64 true", |header, truth, fields| {
        fields.widen(header, truth.size, truth.place);
        fields.sizes = truth.size as u32 + 1;
    }),
    ("a byte less", |header, truth, fields| fields.widen(header, truth.size - 1, truth.place)),
    ("2^63 bytes", |header, truth, fields| fields.widen(header, 1 << 63, truth.place)),
    ("2^64 - 1 bytes", |header, truth, fields| fields.widen(header, u64::MAX, truth.place)),
    ("a byte more in the directory", |header, truth, fields| {
        fields.widen(header, truth.size + u64::from(header == Header::Directory), truth.place);
    }),
    ("all at the start", |header, truth, fields| fields.widen(header, truth.size, 0)),
    ("all at 2^63", |header, truth, fields| fields.widen(header, truth.size, 1 << 63)),
    ("a field of another kind", |_, truth, fields| {
        fields.extra = field(&[truth.size; 2]);
        fields.extra[0] = 0x55;
    }),
    ("cut to one value", |header, truth, fields| {
        fields.widen(header, truth.size, truth.place);
        fields.extra = field(&[truth.size]);
    }),
    ("longer than it is", |header, truth, fields| {
        fields.widen(header, truth.size, truth.place);
        fields.extra[2..4].copy_from_slice(&[0xff; 2]);
    }),
    ("twice, the second lies", |header, truth, fields| {
        fields.widen(header, truth.size, truth.place);
        fields.extra.extend(field(&[1, 1, 1]));
    }),
    ("twice, the first lies", |header, truth, fields| {
        fields.widen(header, truth.size, truth.place);
        fields.extra = [field(&[1, 1, 1]), fields.extra.clone()].concat();
    }),
];

const ENDINGS: [(&str, End); 17] = [
    ("end in both", |n, l, p| [wide_end([n, n], l, p), locator(p + l, 1), plain(n, l, p)].concat()),
    ("end in ZIP64", |n, l, p| full(wide_end([n, n], l, p), p + l)),
    ("a file less in ZIP64", |n, l, p| {
        [wide_end([n - 1, n - 1], l, p), locator(p + l, 1), plain(n, l, p)].concat()
    }),
    ("a file less in the classic end", |n, l, p| {
        [wide_end([n, n], l, p), locator(p + l, 1), plain(n - 1, l, p)].concat()
    }),
    ("a file less, classic end full", |n, l, p| full(wide_end([n - 1, n - 1], l, p), p + l)),
    ("counts that differ", |n, l, p| full(wide_end([n, n + 1], l, p), p + l)),
    ("2^64 - 1 files", |_, l, p| full(wide_end([u64::MAX; 2], l, p), p + l)),
    ("a longer directory", |n, l, p| full(wide_end([n, n], l + 1, p - 1), p + l)),
    ("a directory of 2^63", |n, _, p| full(wide_end([n, n], 1 << 63, p), p)),
    ("a directory at 2^64 - 1", |n, l, p| full(wide_end([n, n], l, u64::MAX), p + l)),
    ("a locator to the start", |n, l, p| full(wide_end([n, n], l, p), 0)),
    ("a locator beyond", |n, l, p| full(wide_end([n, n], l, p), 1 << 63)),
    ("two disks", |n, l, p| {
        [wide_end([n, n], l, p), locator(p + l, 2), classic(0xffff, FULL, FULL)].concat()
    }),
    ("no locator", |n, l, p| [wide_end([n, n], l, p), classic(0xffff, FULL, FULL)].concat()),
    ("a locator alone", |n, l, p| [locator(p, 1), plain(n, l, p)].concat()),
    ("a full end alone", |_, _, _| classic(0xffff, FULL, FULL)),
    ("two ZIP64 ends", |n, l, p| {
        [wide_end([1, 1], l, p), full(wide_end([n, n], l, p), p + l + 56)].concat()
    }),
];

/// With a locator, and a classic end that says nothing.
fn full(wide: Vec<u8>, place: u64) -> Vec<u8> {
    [wide, locator(place, 1), classic(0xffff, FULL, FULL)].concat()
}

/// Lies about a bag that needs no ZIP64 at all.
pub(super) fn about_small(bag: &Bag) -> Vec<(String, Vec<u8>)> {
    assert_eq!(pack(bag, |_, _, _| {}, plain), bag.pack(), "what does not lie is the bundle");
    let headers = HEADERS.map(|(what, headers)| (what.to_owned(), pack(bag, headers, plain)));
    let ends = ENDINGS.map(|(what, end)| (what.to_owned(), pack(bag, |_, _, _| {}, end)));
    headers.into_iter().chain(ends).collect()
}
