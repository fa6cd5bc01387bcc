//! What lies behind the vault's seals: manifests, snapshots, directories, index pages, tombstones
//! and volumes that were sealed with the right key and say anything. `vault` and `volume` change
//! what is sealed, and are stopped by its tags; here decoders see every change.
//!
//! Input: `bailee_vault::fuzzing` says how it is read, and what must hold. A volume is read as
//! well: without problems it gives as many bytes as it says.
#![no_main]

use bailee_vault::{Kek, check_volumes, fuzzing, read_volumes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(volume) = fuzzing::read(bytes) else { return };
    let name = format!("bailee-fuzz-plain-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, volume).expect("a temporary file can be written");
    let paths = [path];
    let key = Kek::from_bytes(fuzzing::KEY);
    check_volumes(&paths, None, &mut ()).expect("files do not fail");
    let mut out = Vec::new();
    let report = read_volumes(&paths, &key, Some(&mut out)).expect("files and memory do not fail");
    if report.problems.is_empty() {
        assert_eq!(out.len() as u64, report.bytes, "all of it");
    }
});
