//! Files that lie alone: a slot that is replaced, and a file with the vault's key. The power fails
//! after every move, and every line that syncs is left out once.

use std::path::Path;

use bailee_store::{DiskSlot, Slot};
use bailee_vault::Kek;

use super::tape::{Chance, Recorder, Tape};
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

/// The first failure after which the file is not what was said, nor what was to be said next.
fn first_loss(tape: &Tape, said: &Said) -> Option<String> {
    for count in 0..=tape.moves.len() {
        for seed in 0..DISKS {
            let disk = tempfile::tempdir().unwrap();
            tape.play(count, &mut Chance::new(seed * 1000 + count as u64), disk.path());
            let left = std::fs::read(disk.path().join("file")).ok();
            let sure = said.iter().rposition(|(at, _)| *at <= count);
            let is = |n: usize| said.get(n).is_some_and(|(_, bytes)| Some(bytes) == left.as_ref());
            let good = match sure {
                Some(n) => is(n) || is(n + 1),
                // Whoever makes a key in vain makes another; half a slot is never seen.
                None => left.is_none() || said.len() == 1 || is(0),
            };
            if !good {
                return Some(format!("after {count} moves, seed {seed}: {:#?}", tape.moves));
            }
        }
    }
    None
}

#[test]
fn slots_and_key_files_are_whole_and_every_line_that_syncs_them_is_missed() {
    for (which, record) in [("slot", slot as fn(&Path) -> _), ("key", key)] {
        let base = tempfile::tempdir().unwrap();
        let (recorder, said): (Recorder, Said) = record(base.path());
        let mut tape = recorder.tape();
        assert_eq!(first_loss(&tape, &said), None, "{which}");
        let (sources, moves) = (tape.sources(), tape.moves.clone());
        assert_eq!(sources.len(), 2, "content and name: {sources:#?}");
        for line in sources {
            tape.moves.clone_from(&moves);
            let syncs = tape.syncs_of(std::slice::from_ref(&line));
            tape.without(&syncs);
            assert!(first_loss(&tape, &said).is_some(), "{which}: {line} is not missed");
        }
    }
}
