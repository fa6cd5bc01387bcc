//! Damage to a vault: whatever is done to one of its objects, reading never panics, and never
//! calls a snapshot intact whose bytes are not the ones preserved.
//!
//! Input: which object (u8), what to do with it (u8: flip, cut, replace, insert, empty), where in
//! it (big-endian u16), then bytes to do it with. The vault is the format fixture of version 1.
#![no_main]

use bailee_store::{MemoryObjects, Objects};
use bailee_vault::{Kek, SnapshotId, Vault, VaultError, scrub_packs};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// The key and tenant of the fixture are no secrets.
const KEK: [u8; 32] = *b"the key of a fixture, no secret.";
const TENANT: &str = "tenant-1";

type Files = BTreeMap<String, Vec<u8>>;

static FILES: LazyLock<Files> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/formats/v1/vault/tiny");
    let mut files = Files::new();
    read(&root, "", &mut files);
    assert!(!files.is_empty(), "the fixture is there");
    files
});

/// What the fixture says when nothing is damaged.
static WHOLE: LazyLock<Vec<(SnapshotId, [u8; 32])>> =
    LazyLock::new(|| intact(&FILES).expect("the fixture opens with its key"));

fn read(directory: &Path, prefix: &str, files: &mut Files) {
    for entry in std::fs::read_dir(directory).expect("the fixture can be listed") {
        let entry = entry.expect("the fixture can be listed");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            read(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name, std::fs::read(entry.path()).expect("the fixture can be read"));
        }
    }
}

/// Snapshots that verify, with their roots.
fn intact(files: &Files) -> Result<Vec<(SnapshotId, [u8; 32])>, VaultError> {
    let objects = MemoryObjects::new();
    for (name, bytes) in files {
        objects.put(name, bytes)?;
    }
    let _ = scrub_packs(&objects);
    let vault = Vault::open(Arc::new(objects), &Kek::from_bytes(KEK))?;
    let mut whole = Vec::new();
    for snapshot in vault.list(TENANT)? {
        let report = vault.verify(TENANT, &snapshot.id)?;
        if report.is_intact() {
            whole.push((snapshot.id, report.root));
        }
    }
    Ok(whole)
}

fuzz_target!(|bytes: &[u8]| {
    let [object, act, high, low, rest @ ..] = bytes else { return };
    let mut files = FILES.clone();
    let names: Vec<String> = files.keys().cloned().collect();
    let name = &names[usize::from(*object) % names.len()];
    let Some(mut content) = files.remove(name) else { return };
    let at = usize::from(u16::from_be_bytes([*high, *low])) % content.len();
    match act % 5 {
        0 => content.iter_mut().skip(at).zip(rest).for_each(|(byte, change)| *byte ^= change),
        1 => content.truncate(at),
        2 => content = rest.to_vec(),
        3 => content.splice(at..at, rest.iter().copied()).for_each(drop),
        _ => content.clear(),
    }
    files.insert(name.clone(), content);
    if let Ok(found) = intact(&files) {
        for snapshot in found {
            assert!(WHOLE.contains(&snapshot), "what is intact is what was preserved");
        }
    }
});
