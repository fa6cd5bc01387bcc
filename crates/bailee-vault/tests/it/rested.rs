//! What is taken over unread is what is there, whatever the clock said and whatever it lies on.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use bailee_vault::Source;
use rustix::fs::statfs;

use crate::support::disk_vault;

/// Tells the child process where its store and its source are.
const AHEAD: &str = "BAILEE_VAULT_TEST_AHEAD";

/// A program that keeps `f` mapped: it stores what it is told, and says when it has.
struct Mapped {
    child: Child,
    ask: Option<ChildStdin>,
}

impl Mapped {
    fn new(file: &Path) -> Self {
        let script = "import mmap, sys\n\
            f = open(sys.argv[1], 'r+b'); m = mmap.mmap(f.fileno(), 0)\n\
            for line in sys.stdin:\n    m[0:8] = line[:8].encode(); print('done', flush=True)";
        let mut python = Command::new("python3");
        python.args(["-c", script]).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().expect("python3 is missing");
        let ask = child.stdin.take();
        Self { child, ask }
    }

    fn store(&mut self, what: &str) {
        writeln!(self.ask.as_mut().unwrap(), "{what}").unwrap();
        // It says one line for each: a buffer takes no more than that.
        let mut said = String::new();
        BufReader::new(self.child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "done\n");
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        drop(self.ask.take()); // its end
        drop(self.child.wait());
    }
}

/// Copies `dir/source` where the clock is an hour ahead.
fn copy_ahead(store: &Path, source: &Path) {
    let me = std::env::current_exe().unwrap();
    let test = "rested::a_store_through_a_mapping_is_seen_though_the_clock_was_ahead";
    let both = std::env::join_paths([store, source]).unwrap();
    let child = Command::new("faketime")
        .args(["--exclude-monotonic", "-f", "+1h"])
        .arg(me)
        .args(["--exact", test])
        .env(AHEAD, both)
        .env("NO_FAKE_STAT", "1")
        .output();
    let child = child.expect("faketime is missing: apt-get install -y faketime");
    assert!(child.status.success(), "{child:?}");
}

#[test]
fn a_store_through_a_mapping_is_seen_though_the_clock_was_ahead() {
    if let Some(both) = std::env::var_os(AHEAD) {
        let both: Vec<PathBuf> = std::env::split_paths(&both).collect();
        let (_, vault) = disk_vault(&both[0]);
        vault.preserve("t", "A-1", &Source::Tree(both[1].clone()), &mut ()).unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().join("source");
    std::fs::create_dir(&here).unwrap();
    let shm = tempfile::tempdir_in("/dev/shm").unwrap();
    for (n, source) in [here.as_path(), shm.path()].into_iter().enumerate() {
        let store = dir.path().join(format!("store-{n}"));
        disk_vault(&store);
        let file = source.join("f");
        std::fs::write(&file, vec![b'.'; 300_000]).unwrap();
        std::fs::write(source.join("still"), "nobody writes here").unwrap();
        let mut mapped = Mapped::new(&file);
        mapped.store("VERSION1");
        copy_ahead(&store, source);
        mapped.store("VERSION2");
        let (_, vault) = disk_vault(&store);
        let source_of = Source::Tree(source.to_owned());
        let second = vault.preserve("t", "A-1", &source_of, &mut ()).unwrap();
        let kept = vault.read_range("t", &second.id, b"f", 0..8).unwrap();
        assert_eq!(String::from_utf8(kept).unwrap(), "VERSION2", "{}", source.display());
        // tmpfs moves the times at the first store into a page and at no other.
        let kept = statfs(source).unwrap().f_type != 0x0102_1994;
        let (taken, read) = if kept { (1, 0) } else { (0, 2) };
        assert_eq!((second.unchanged.0, second.unkept.0), (taken, read), "{}", source.display());
    }
}
