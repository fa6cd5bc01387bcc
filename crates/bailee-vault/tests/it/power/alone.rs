//! Files that lie alone: a slot that is replaced, and a file with the vault's key. The power fails
//! after every move, and every line that syncs is left out once.

use std::path::Path;

use bailee_store::{DiskSlot, Slot};
use bailee_vault::Kek;

use super::tape::{Recorder, Tape};
use crate::support::noise;

/// Disks that chance makes of each failure.
const DISKS: u64 = 24;

/// How many moves there were when a file had this content for sure.
type Said = Vec<(usize, Vec<u8>)>;

fn slot(base: &Path) -> (Recorder, Said) {
    let recorder = Recorder::new(base);
    let slot = DiskSlot::with(base, "file", recorder.clone());
    let mut said = Said::new();
    for n in 0..4 {
        let bytes = noise(n, 3000);
        slot.replace(&bytes).unwrap();
        said.push((recorder.now(), bytes));
    }
    (recorder, said)
}

fn key(base: &Path) -> (Recorder, Said) {
    let (recorder, path) = (Recorder::new(base), base.join("file"));
    Kek::generate_file_with(&path, &recorder).unwrap();
    let said = vec![(recorder.now(), std::fs::read(path).unwrap())];
    (recorder, said)
}

/// Whether the file is what was said, or what was to be said next.
fn is_good(count: usize, disk: &Path, said: &Said) -> bool {
    let left = std::fs::read(disk.join("file")).ok();
    let sure = said.iter().rposition(|(at, _)| *at <= count);
    let is = |n: usize| said.get(n).is_some_and(|(_, bytes)| Some(bytes) == left.as_ref());
    match sure {
        Some(n) => is(n) || is(n + 1),
        // Whoever makes a key in vain makes another; half a slot is never seen.
        None => left.is_none() || said.len() == 1 || is(0),
    }
}

#[test]
fn slots_and_key_files_are_whole_and_every_line_that_syncs_them_is_missed() {
    for record in [slot as fn(&Path) -> _, key] {
        let base = tempfile::tempdir().unwrap();
        let (recorder, said): (Recorder, Said) = record(base.path());
        let loss = |tape: &Tape| tape.first_loss(DISKS, &|count, disk| is_good(count, disk, &said));
        recorder.tape().every_sync_is_missed(2, &loss); // content and name
        assert!(!said.is_empty(), "something was acknowledged");
    }
}
