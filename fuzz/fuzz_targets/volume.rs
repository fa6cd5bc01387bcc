//! Damage to an archive volume: whatever is done to one, reading never panics, and a set without
//! problems gives the archive that was written. A check of the files in it agrees, and so does one
//! without a key in what it can see.
//!
//! Input: which volume (u8), what to do with it (u8: flip, cut, replace, insert), where in it
//! (big-endian u32), then bytes to do it with. The set is the format fixture of version 1.
#![no_main]

use bailee_vault::{Kek, VaultError, check_volumes, read_volumes};
use libfuzzer_sys::fuzz_target;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The key of the fixture is no secret.
const KEY: [u8; 32] = *b"the key of a shelf, no secret..!";

static PATHS: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/formats/v1/volumes");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root)
        .expect("the fixture can be listed")
        .map(|item| item.expect("the fixture can be listed").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "bvol"))
        .collect();
    paths.sort();
    paths
});

static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| stream(&PATHS).expect("the fixture is whole"));

/// The archive, if nothing is wrong.
fn stream(paths: &[PathBuf]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let report = read_volumes(paths, &Kek::from_bytes(KEY), Some(&mut out));
    let report = report.expect("files and memory do not fail");
    report.problems.is_empty().then_some(out)
}

fuzz_target!(|bytes: &[u8]| {
    let [which, act, a, b, c, d, rest @ ..] = bytes else { return };
    let mut paths = PATHS.clone();
    let which = usize::from(*which) % paths.len();
    let mut content = std::fs::read(&paths[which]).expect("the fixture can be read");
    let at = u32::from_be_bytes([*a, *b, *c, *d]) as usize % content.len();
    match act % 4 {
        0 => content.iter_mut().skip(at).zip(rest).for_each(|(byte, change)| *byte ^= change),
        1 => content.truncate(at),
        2 => content = rest.to_vec(),
        _ => content.splice(at..at, rest.iter().copied()).for_each(drop),
    }
    let name = format!("bailee-fuzz-volume-{}", std::process::id());
    let damaged = std::env::temp_dir().join(name);
    std::fs::write(&damaged, content).expect("a temporary file can be written");
    paths[which] = damaged;
    let checked = check_volumes(&paths, Some(&Kek::from_bytes(KEY)), &mut ());
    let complete = checked.expect("files and memory do not fail").is_complete();
    assert_eq!(complete, stream(&paths).is_some(), "both find the same");
    let seen = match check_volumes(&paths, None, &mut ()) {
        Err(VaultError::WhichSet { .. }) => {
            return assert!(!complete, "a volume that says another set is not of this one");
        }
        seen => seen.expect("files and memory do not fail").volumes,
    };
    assert!(seen.problems.len() <= 3 * paths.len(), "a header alone takes no memory");
    assert!(seen.volumes.len() <= paths.len());
    if let Some(archive) = stream(&paths) {
        assert_eq!(seen.problems, [], "what a key shows to be whole has no problem without one");
        assert!(archive == *WHOLE, "what has no problem is what was written");
    }
});
