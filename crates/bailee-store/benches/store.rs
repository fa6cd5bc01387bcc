//! How fast the embedded stores are on this machine, beside the one thing that limits them: how
//! long a sync of the disk takes. Lines are `name<TAB>value<TAB>unit<TAB>target`.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a program that prints, and may stop

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use bailee_store::{
    Batch, DiskObjects, Entry, Exhibit, Journal, Objects, Section, SqliteJournal, digest,
};

/// Entries of one group commit.
const GROUP: u64 = 32;

fn entry(number: u64) -> Entry {
    let section = |length| {
        let mut bytes = vec![0; length];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Some(Section { salt: digest(&bytes), bytes })
    };
    Entry { leaf: vec![7; 128], sections: [section(200), section(80), section(40)] }
}

fn print(name: &str, value: f64, unit: &str, target: &str) {
    println!("{name}\t{value:.2}\t{unit}\t{target}");
}

/// Runs `step` for about `length` and returns how long each call took, sorted.
fn times(length: Duration, mut step: impl FnMut()) -> Vec<Duration> {
    let begun = Instant::now();
    let mut times = Vec::new();
    while begun.elapsed() < length {
        let start = Instant::now();
        step();
        times.push(start.elapsed());
    }
    times.sort_unstable();
    times
}

fn percentile(times: &[Duration], percent: usize) -> f64 {
    times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3
}

fn rate(times: &[Duration]) -> f64 {
    times.len() as f64 / times.iter().sum::<Duration>().as_secs_f64()
}

fn main() {
    let dir =
        tempfile::tempdir_in(std::env::var("BAILEE_BENCH_DIR").unwrap_or(".".into())).unwrap();
    fdatasync(dir.path());
    appends(dir.path());
    reads(dir.path());
    objects(dir.path());
}

/// The floor: 4 KiB written in place and synced.
fn fdatasync(dir: &Path) {
    let mut file = File::create(dir.join("raw")).unwrap();
    file.write_all(&vec![0; 1 << 20]).unwrap();
    file.sync_all().unwrap();
    let times = times(Duration::from_secs(2), || {
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(&[1; 4096]).unwrap();
        file.sync_data().unwrap();
    });
    print("disk.fdatasync.p50", percentile(&times, 50), "ms", "");
    print("disk.fdatasync.p99", percentile(&times, 99), "ms", "");
}

fn appends(dir: &Path) {
    let journal = SqliteJournal::open(&dir.join("journal")).unwrap();
    let mut head = 0u64;
    let letter = vec![5; 4096];
    let single = times(Duration::from_secs(3), || {
        let mut bytes = letter.clone();
        bytes[..8].copy_from_slice(&head.to_be_bytes());
        let exhibits = vec![Exhibit { digest: digest(&bytes), bytes }];
        head = journal.append(head, &Batch { entries: vec![entry(head)], exhibits }).unwrap();
    });
    print("journal.append.single", rate(&single), "1/s", "");
    print("journal.append.single.p50", percentile(&single, 50), "ms", "<= 10");
    print("journal.append.single.p99", percentile(&single, 99), "ms", "<= 25");
    let group = times(Duration::from_secs(3), || {
        let entries = (head..head + GROUP).map(entry).collect();
        head = journal.append(head, &Batch { entries, exhibits: Vec::new() }).unwrap();
    });
    print("journal.append.group32", rate(&group) * GROUP as f64, "entries/s", ">= 5000");
    print("journal.append.group32.p50", percentile(&group, 50), "ms", "");
    print("journal.append.group32.p99", percentile(&group, 99), "ms", "<= 25");
}

fn reads(dir: &Path) {
    let journal = SqliteJournal::open(&dir.join("replay")).unwrap();
    let mut head = 0;
    while head < 300_000 {
        let entries = (head..head + 10_000).map(entry).collect();
        head = journal.append(head, &Batch { entries, exhibits: Vec::new() }).unwrap();
    }
    let start = Instant::now();
    let mut from = 0;
    while from < head {
        from += journal.read(from, 4_096).unwrap().len() as u64;
    }
    let seconds = start.elapsed().as_secs_f64();
    print("journal.read", head as f64 / seconds, "entries/s", ">= 500000");
    let start = Instant::now();
    journal.erase(&[(head / 2, 1)], &[]).unwrap();
    print("journal.erase.one", start.elapsed().as_secs_f64() * 1e3, "ms", "");
}

fn objects(dir: &Path) {
    let objects = DiskObjects::open(&dir.join("objects")).unwrap();
    let mut number = 0u64;
    let mut put = |bytes: &[u8], length| {
        times(length, || {
            number += 1;
            objects.put(&format!("packs/{:02}/{number}", number % 16), bytes).unwrap();
        })
    };
    let small = put(&[3; 4096], Duration::from_secs(2));
    print("objects.put.4KiB.p50", percentile(&small, 50), "ms", "");
    let large = put(&vec![3; 16 << 20], Duration::from_secs(3));
    print("objects.put.16MiB", rate(&large) * 16.0, "MiB/s", "");
}
