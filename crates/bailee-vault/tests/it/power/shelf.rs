//! Volumes on a shelf: the power fails after every move, and each line that syncs is left out once.

use std::path::{Path, PathBuf};

use bailee_vault::{Kek, Source, check_volumes};

use super::tape::{Chance, Recorder, Tape};
use crate::support::{memory_vault, noise};

/// Disks that chance makes of each failure.
const DISKS: u64 = 12;

fn key() -> Kek {
    Kek::from_bytes([5; 32])
}

/// Sets that were acknowledged: after how many moves, and their volumes below the directory.
type Said = Vec<(usize, Vec<PathBuf>)>;

/// Two sets in a directory of which nothing was there.
fn record(base: &Path) -> (Recorder, Said) {
    let (recorder, from) = (Recorder::new(base), tempfile::tempdir().unwrap());
    (0..3)
        .for_each(|n| std::fs::write(from.path().join(format!("f{n}")), noise(n, 60_000)).unwrap());
    let (_, vault) = memory_vault();
    let source = Source::Tree(from.path().to_owned());
    let kept = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
    let mut said = Said::new();
    for _ in 0..2 {
        let (of, key, shelf) = (("t", &[kept.id][..]), key(), base.join("shelf"));
        let (sealed, to) = (("example.org", &key), (&*shelf, 100_000));
        let set = vault.export_volumes_with(of, sealed, to, &mut (), &recorder).unwrap();
        let below = |path: &Path| path.strip_prefix(base).unwrap().to_owned();
        let paths = set.volumes.iter().map(|v| below(&v.path)).collect();
        said.push((recorder.now(), paths));
    }
    (recorder, said)
}

/// The first failure after which a set that was acknowledged is not whole.
fn first_loss(tape: &Tape, said: &Said) -> Option<String> {
    for count in 0..=tape.moves.len() {
        for seed in 0..DISKS {
            let disk = tempfile::tempdir().unwrap();
            tape.play(count, &mut Chance::new(seed * 1000 + count as u64), disk.path());
            for (at, volumes) in said {
                let there = volumes.iter().map(|volume| disk.path().join(volume));
                let there: Vec<PathBuf> = there.filter(|path| path.exists()).collect();
                let given = check_volumes(&there, Some(&key()), &mut ()).unwrap();
                if given.is_complete() {
                    assert_eq!((given.files, there.len()), (3, volumes.len()), "it is all there");
                } else if *at <= count {
                    return Some(format!("after {count} moves, seed {seed}: {:#?}", tape.moves));
                }
            }
        }
    }
    None
}

#[test]
fn volumes_are_whole_once_they_are_acknowledged_and_every_line_that_syncs_is_missed() {
    let base = tempfile::tempdir().unwrap();
    let (recorder, said) = record(base.path());
    let mut tape = recorder.tape();
    assert_eq!(first_loss(&tape, &said), None);
    let (sources, moves) = (tape.sources(), tape.moves.clone());
    assert_eq!(sources.len(), 3, "content, names, the directory itself: {sources:#?}");
    for line in sources {
        tape.moves.clone_from(&moves);
        let syncs = tape.syncs_of(std::slice::from_ref(&line));
        tape.without(&syncs);
        assert!(first_loss(&tape, &said).is_some(), "{line} is not missed");
    }
}
