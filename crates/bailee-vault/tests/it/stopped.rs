//! Reading a large file back, which many threads do together, ends when it cannot go on: damage,
//! and whoever takes the bytes and stops, end all of them.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use bailee_store::{MemoryObjects, Objects};
use bailee_vault::{SnapshotId, Source, Vault, VaultError};

use crate::support::{memory_vault, noise};

/// More than is read by one thread, and than all of them are ahead.
const LARGE: usize = 80 << 20;
/// Longer than any of it takes on a busy machine: without an answer by then there is none.
const EVER: Duration = Duration::from_secs(300);

fn kept() -> (Arc<MemoryObjects>, Vault, SnapshotId) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("film"), noise(1, LARGE)).unwrap();
    let (objects, vault) = memory_vault();
    let source = Source::Tree(dir.path().to_owned());
    let id = vault.preserve("t", "A-1", &source, &mut ()).unwrap().id;
    (objects, vault, id)
}

/// What `work` gives, which has to end.
fn ended<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, told) = channel();
    thread::spawn(move || done.send(work()));
    told.recv_timeout(EVER).expect("it ends")
}

/// Takes so many bytes and no more.
struct Leaves(usize);

impl Write for Leaves {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn damage_at_the_beginning_or_in_the_middle_ends_everything_that_reads_a_large_file() {
    for place in [|_| 5000, |size: usize| size / 2] {
        let (objects, vault, id) = kept();
        for name in objects.list("").unwrap().into_iter().filter(|name| name.contains("/data/")) {
            let mut bytes = objects.get(&name).unwrap();
            let at = place(bytes.len());
            bytes[at] ^= 1;
            objects.delete(&name).unwrap();
            objects.put(&name, &bytes).unwrap();
        }
        check_it_ends(Arc::new(vault), id);
    }
}

/// Everything that reads the film ends, and none of it takes the film for whole.
fn check_it_ends(vault: Arc<Vault>, id: SnapshotId) {
    let again = Arc::clone(&vault);
    assert!(!ended(move || again.verify("t", &id)).unwrap().is_intact());
    let again = Arc::clone(&vault);
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("back");
    let restored = ended(move || again.restore("t", &id, &dest, None)).unwrap();
    assert_eq!((restored.files, restored.damaged.len()), (0, 1));
    assert!(!dir.path().join("back/film").exists(), "half a file");
    let exported = ended(move || vault.export_tar("t", &id, &mut io::sink(), &mut ()));
    assert!(matches!(exported, Err(VaultError::Lost { .. })), "{exported:?}");
}

#[test]
fn whoever_takes_a_large_file_and_stops_ends_what_reads_it() {
    let (_, vault, id) = kept();
    let vault = Arc::new(vault);
    for after in [0, 1 << 20, 40 << 20] {
        let again = Arc::clone(&vault);
        let stopped = ended(move || again.export_tar("t", &id, &mut Leaves(after), &mut ()));
        assert!(stopped.is_err(), "{after}: {stopped:?}");
        let again = Arc::clone(&vault);
        let stopped = ended(move || again.give("t", &id, None, ("/x", &mut Leaves(after))));
        assert!(stopped.is_err(), "{after}");
    }
    let whole = ended(move || vault.verify("t", &id)).unwrap();
    assert!(whole.is_intact(), "and it is read after that");
}
