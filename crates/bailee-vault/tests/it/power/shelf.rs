//! Volumes on a shelf: the power fails after every move, and each line that syncs is left out once.

use std::path::{Path, PathBuf};

use bailee_vault::{Kek, Source, check_volumes};

use super::tape::{Recorder, Tape};
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

/// Whether every set that was acknowledged is whole.
fn is_good(count: usize, disk: &Path, said: &Said) -> bool {
    said.iter().all(|(at, volumes)| {
        let there = volumes.iter().map(|volume| disk.join(volume));
        let there: Vec<PathBuf> = there.filter(|path| path.exists()).collect();
        let given = check_volumes(&there, Some(&key()), &mut ()).unwrap();
        if given.is_complete() {
            assert_eq!((given.files, there.len()), (3, volumes.len()), "it is all there");
        }
        given.is_complete() || *at > count
    })
}

#[test]
fn volumes_are_whole_once_they_are_acknowledged_and_every_line_that_syncs_is_missed() {
    let base = tempfile::tempdir().unwrap();
    let (recorder, said) = record(base.path());
    let loss = |tape: &Tape| tape.first_loss(DISKS, &|count, disk| is_good(count, disk, &said));
    recorder.tape().every_sync_is_missed(3, &loss); // content, names, the directory itself
    assert_eq!(said.len(), 2, "both sets were acknowledged");
}
