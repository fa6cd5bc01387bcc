//! A snapshot as a file system: mounted by the kernel, compared with its source by walking both.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, SeekFrom, XattrFlags, fsetxattr, lgetxattr, llistxattr, seek};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::room::{Room, text};

/// A mount that is gone when dropped, whatever the test came to.
struct Mounted {
    child: Child,
    on: PathBuf,
    said: PathBuf,
}

impl Mounted {
    /// Mounts S-1 of the room's house; fails with the program's own words if it cannot.
    fn new(room: &Room) -> Mounted {
        let (on, said) = (room.path("look"), room.path("mount.err"));
        fs::create_dir_all(&on).expect("a directory");
        let mut child = room
            .command(&["mount", "S-1", text(&on)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&said).expect("a file"))
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("mounted")));
        let mounted = Mounted { child, on, said };
        assert!(line.is_some(), "this test needs /dev/fuse: {}", mounted.said());
        assert!(mounted.is_there());
        thread::spawn(move || lines.count()); // whatever else it says, the pipe stays open
        mounted
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.said).expect("text")
    }

    /// The line of the table of mounts, if it has one.
    fn row(&self) -> Option<String> {
        let table = fs::read_to_string("/proc/self/mounts").expect("the table of mounts");
        table.lines().find(|line| line.contains(text(&self.on))).map(ToOwned::to_owned)
    }

    fn is_there(&self) -> bool {
        self.row().is_some()
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process"), signal).expect("it is running");
    }

    /// Its exit code, within half a minute.
    fn ended(&mut self) -> Option<i32> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(30) {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end: {}", self.said());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        if self.is_there() {
            drop(Command::new("umount").arg("-l").arg(&self.on).status());
        }
    }
}

/// Bytes that do not repeat.
fn noise(len: usize) -> Vec<u8> {
    let mut seed = 7_u32;
    let next = |_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed.to_be_bytes()[0]
    };
    (0..len).map(next).collect()
}

/// A house with S-1 of `data`: files, a hole, links, attributes, a pipe, an owner and times.
fn preserved() -> Room {
    let room = Room::with_house();
    room.furnish();
    let data = room.path("data");
    fs::create_dir_all(data.join("photos/2026")).expect("the machine does it");
    room.file("data/photos/2026/a.raw", &noise(5_000_000));
    room.file("data/notes.txt", b"hello");
    room.file("data/photos-old", b"sorted after what is in photos");
    room.file("data/empty", b"");
    fs::hard_link(data.join("notes.txt"), data.join("photos/same.txt"))
        .expect("the machine does it");
    symlink("../nowhere at all", data.join("photos/link")).expect("the machine does it");
    let sparse = File::create(data.join("sparse")).expect("the machine does it");
    sparse.write_all_at(b"begin", 0).expect("the machine does it");
    sparse.write_all_at(b"end", 40 << 20).expect("the machine does it");
    let note = File::open(data.join("notes.txt")).expect("the machine does it");
    fsetxattr(&note, "user.note", b"kept\0too", XattrFlags::empty()).expect("the machine does it");
    let past = std::time::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    OpenOptions::new()
        .append(true)
        .open(data.join("notes.txt"))
        .expect("the machine does it")
        .set_modified(past)
        .expect("the machine does it");
    fs::set_permissions(data.join("notes.txt"), fs::Permissions::from_mode(0o4640))
        .expect("the machine does it");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::lchown(data.join("empty"), Some(1234), Some(5678))
            .expect("the machine does it");
    }
    rustix::fs::mkfifoat(rustix::fs::CWD, data.join("pipe"), Mode::from_raw_mode(0o600))
        .expect("the machine does it");
    for n in 0..1500 {
        room.file(&format!("data/photos/2026/small-{n:04}-{}", "x".repeat(60)), &[n as u8; 9]);
    }
    room.run_as("P-2", &["preserve", "A-1", text(&data)]).ok();
    room
}

/// Everything below a directory, by name.
fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut names: Vec<OsString> = fs::read_dir(dir)
        .expect("the machine does it")
        .map(|entry| entry.expect("the machine does it").file_name())
        .collect();
    names.sort();
    let mut all = Vec::new();
    for path in names.into_iter().map(|name| dir.join(name)) {
        all.push(path.clone());
        if path.symlink_metadata().expect("the machine does it").is_dir() {
            all.extend(walk(&path));
        }
    }
    all
}

fn attributes(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut names = vec![0; 4096];
    let len = llistxattr(path, &mut names).expect("the machine does it");
    let each = names[..len].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let pair = |name: &[u8]| {
        let mut value = vec![0; 4096];
        let len = lgetxattr(path, name, &mut value).expect("the machine does it");
        (String::from_utf8_lossy(name).into_owned(), value[..len].to_vec())
    };
    each.map(pair).collect()
}

fn same(source: &Path, copy: &Path) {
    let (was, is) = (
        source.symlink_metadata().expect("the machine does it"),
        copy.symlink_metadata().expect("the machine does it"),
    );
    let facts = |m: &fs::Metadata| {
        let size = if m.is_dir() { 0 } else { m.size() };
        (m.mode(), m.uid(), m.gid(), m.mtime(), m.mtime_nsec(), m.nlink(), size)
    };
    if was.is_dir() {
        // How many names a directory has is the file system's own affair.
        assert_eq!(
            (is.mode(), is.mtime(), is.mtime_nsec()),
            (was.mode(), was.mtime(), was.mtime_nsec())
        );
    } else {
        assert_eq!(facts(&is), facts(&was), "{}", copy.display());
    }
    assert_eq!(attributes(copy), attributes(source), "{}", copy.display());
    if was.is_symlink() {
        assert_eq!(
            fs::read_link(copy).expect("the machine does it"),
            fs::read_link(source).expect("the machine does it")
        );
    } else if was.is_file() {
        assert!(
            fs::read(copy).expect("the machine does it")
                == fs::read(source).expect("the machine does it"),
            "{}",
            copy.display()
        );
    }
}

#[test]
fn a_mounted_snapshot_is_its_source_and_nothing_stays_mounted() {
    let room = preserved();
    let mut mount = Mounted::new(&room);
    let (data, look) = (room.path("data"), mount.on.clone());
    let (sources, copies) = (walk(&data), walk(&look));
    let below = |all: &[PathBuf], dir: &Path| -> Vec<PathBuf> {
        all.iter().map(|path| path.strip_prefix(dir).unwrap().to_owned()).collect()
    };
    assert!(sources.len() > 1500);
    assert_eq!(below(&copies, &look), below(&sources, &data));
    for (source, copy) in sources.iter().zip(&copies) {
        same(source, copy);
    }
    same(&data, &look);
    let row = mount.row().unwrap();
    for option in ["bailee:S-1", "ro,", "nosuid", "nodev", "noexec"] {
        assert!(row.contains(option), "{row}");
    }
    let write = fs::write(look.join("new"), "x").unwrap_err();
    assert_eq!(write.raw_os_error(), Some(Errno::ROFS.raw_os_error()));
    let busy = room.run(&["cat", "S-1", "notes.txt"]);
    assert!(busy.code != 0 && busy.err.contains("in use"), "the house is locked: {busy:?}");
    mount.signal(Signal::TERM);
    assert_eq!((mount.ended(), mount.is_there()), (Some(0), false), "{}", mount.said());
    assert_eq!((fs::read_dir(&look).unwrap().count(), mount.said()), (0, String::new()));
    room.run(&["cat", "S-1", "notes.txt"]).ok();
}

#[test]
fn ranges_holes_and_readers_at_the_same_time() {
    let room = preserved();
    let mut mount = Mounted::new(&room);
    let whole = noise(5_000_000);
    let path = mount.on.join("photos/2026/a.raw");
    thread::scope(|scope| {
        for start in [0_usize, 333] {
            let (path, whole) = (&path, &whole);
            scope.spawn(move || {
                let file = File::open(path).unwrap();
                let mut at = (start * 7919) % whole.len();
                for _ in 0..60 {
                    let mut part = vec![0; 70_001.min(whole.len() - at)];
                    file.read_exact_at(&mut part, at as u64).unwrap();
                    assert!(part == whole[at..at + part.len()], "{at}");
                    at = (at + 1_234_567) % whole.len();
                }
            });
        }
    });
    let mut end = Vec::new();
    let file = File::open(&path).unwrap();
    assert_eq!(file.read_at(&mut [0; 9], 5_000_000).unwrap(), 0, "nothing after the end");
    (&file).read_to_end(&mut end).unwrap();
    assert!(end == whole);
    let sparse = File::open(mount.on.join("sparse")).unwrap();
    let facts = sparse.metadata().unwrap();
    assert!(facts.blocks() * 512 < facts.size() / 10, "the hole shows: {facts:?}");
    let hole = seek(&sparse, SeekFrom::Hole(0)).unwrap();
    let data = seek(&sparse, SeekFrom::Data(hole)).unwrap();
    assert!(hole < 2 << 20 && data > 38 << 20 && data <= 40 << 20, "{hole} {data}");
    drop((file, sparse));
    let umount = Command::new("umount").arg(&mount.on).status().unwrap();
    assert!(umount.success(), "it can be unmounted from outside");
    assert_eq!(mount.ended(), Some(0));
    assert!(mount.said().contains("was unmounted"), "{}", mount.said());
}

#[test]
fn damage_is_an_error_of_its_range_alone_and_is_said() {
    let room = preserved();
    let path = "photos/2026/a.raw";
    let packs = packs_below(&room.house().join("objects"));
    let pack = packs.iter().max_by_key(|pack| fs::metadata(pack).unwrap().len()).unwrap();
    let file = OpenOptions::new().write(true).read(true).open(pack).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
    let mut mount = Mounted::new(&room);
    let whole = noise(5_000_000);
    let copy = File::open(mount.on.join(path)).unwrap();
    let mut bad = Vec::new();
    for at in (0..whole.len()).step_by(4096) {
        let mut part = vec![0; 4096.min(whole.len() - at)];
        match copy.read_exact_at(&mut part, at as u64) {
            Ok(()) => assert!(part == whole[at..at + part.len()], "other bytes at {at}"),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(Errno::IO.raw_os_error()), "{error}");
                bad.push(at);
            }
        }
    }
    assert!(!bad.is_empty(), "the turned byte is in this file");
    let span = bad[bad.len() - 1] - bad[0] + 4096;
    assert!(span <= (1 << 20) + 8192 && span == 4096 * bad.len(), "one chunk: {span}");
    let said = mount.said();
    assert!(said.contains(path) && said.contains("cannot be served"), "{said}");
    assert_eq!(said.matches("cannot be served").count(), 1, "said once: {said}");
    assert_eq!(fs::read(mount.on.join("notes.txt")).unwrap(), b"hello", "the rest is served");
    // A file is still open: the signal ends it all the same, and nothing stays mounted.
    mount.signal(Signal::INT);
    assert_eq!((mount.ended(), mount.is_there()), (Some(1), false), "{}", mount.said());
    assert!(mount.said().contains("still open"), "{}", mount.said());
    assert!(copy.read_at(&mut [0; 9], bad[0] as u64).is_err(), "its reader is told");
}

#[test]
fn only_an_empty_directory_is_mounted_on() {
    let room = preserved();
    let full = room.path("data");
    for (on, why) in [(full, "is not empty"), (room.path("absent"), "no directory")] {
        let said = room.run(&["mount", "S-1", text(&on)]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(text(&on)) && said.err.contains(why), "{said:?}");
    }
    fs::create_dir(room.path("look")).unwrap();
    let unknown = room.run(&["mount", "S-9", text(&room.path("look"))]);
    assert!(unknown.code == 1 && unknown.err.contains("S-9"), "{unknown:?}");
}

/// Packs of the vault.
fn packs_below(dir: &Path) -> Vec<PathBuf> {
    let is_pack = |path: &PathBuf| path.parent().is_some_and(|above| above.ends_with("data"));
    walk(dir).into_iter().filter(|path| path.is_file() && is_pack(path)).collect()
}
