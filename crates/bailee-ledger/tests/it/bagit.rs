//! Bundles are bags to others: `bagit` of the Library of Congress validates them unpacked, and
//! finds what was altered, removed and added.

use std::path::{Path, PathBuf};
use std::process::Command;

use bailee_ledger::bundle::{BundleBuilder, Kind};

use crate::common::{checkpoint, leaf, log_signer, plain_policy, receipt, tree};
use crate::issuer;

/// The interpreter with the packages that `cargo xtask setup` installed.
fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("tools/python/bin/python");
    assert!(python.exists(), "no {}: run `cargo xtask setup`", python.display());
    python
}

fn unpacked(bundle: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in issuer::members(bundle) {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    dir
}

/// What the package says, and what it reads of the metadata.
fn validated(dir: &Path) -> Result<String, String> {
    let script = "import bagit, sys\n\
                  bag = bagit.Bag(sys.argv[1])\n\
                  bag.validate()\n\
                  print(bag.version, sorted(bag.algorithms), bag.info['Source-Organization'],\n\
                  bag.info['External-Identifier'], bag.info['Payload-Oxum'],\n\
                  len(bag.payload_entries()))";
    let output = Command::new(python()).args(["-c", script]).arg(dir.join("bag")).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn a_receipt_is_a_valid_bag() {
    let dir = unpacked(&receipt());
    let said = validated(dir.path()).unwrap();
    let wanted = "1.0 ['sha256'] log.example/bailee log.example/bailee/receipt/7/2 ";
    assert!(said.starts_with(wanted), "{said}");
    let payload = issuer::members(&receipt());
    let payload: Vec<_> =
        payload.iter().filter(|(name, _)| name.starts_with("bag/data/")).collect();
    let octets: usize = payload.iter().map(|(_, bytes)| bytes.len()).sum();
    let (octets, files) = (octets, payload.len());
    assert!(said.ends_with(&format!(" {octets}.{files} {files}\n")), "{said}");
}

#[test]
fn a_bundle_without_entries_and_with_its_own_name_is_a_valid_bag_too() {
    let mut bytes = Vec::new();
    BundleBuilder::new(Kind::Matter, &checkpoint(), &plain_policy())
        .unwrap()
        .identifier("M-1 for counsel, 2026")
        .write(&log_signer(), &mut bytes)
        .unwrap();
    let said = validated(unpacked(&bytes).path()).unwrap();
    assert!(said.contains(" M-1 for counsel, 2026 "), "{said}");
    let unfit = BundleBuilder::new(Kind::Matter, &checkpoint(), &plain_policy())
        .unwrap()
        .entry_of(&tree(), 0, &leaf(0).encode(), [None, None, None])
        .unwrap()
        .identifier("M-1\nPayload-Oxum: 0.0")
        .write(&log_signer(), &mut Vec::new());
    assert!(unfit.is_err());
}

#[test]
fn damage_is_found_there_as_here() {
    let file = "bag/data/entries/000000002/leaf.bin";
    type Damage = fn(&Path);
    let damage: [(Damage, &str); 5] = [
        (|dir| std::fs::write(dir.join("bag/data/checkpoint"), "x").unwrap(), "Payload-Oxum"),
        (|dir| std::fs::remove_file(dir.join("bag/data/checkpoint")).unwrap(), "Payload-Oxum"),
        (|dir| std::fs::write(dir.join("bag/data/more.txt"), "x").unwrap(), "Payload-Oxum"),
        (|dir| std::fs::write(dir.join("bag/VERIFY.md"), "x").unwrap(), "VERIFY.md"),
        (|dir| std::fs::write(dir.join("bag/bag-info.txt"), "A: b\n").unwrap(), "bag-info.txt"),
    ];
    for (damage, why) in damage {
        let dir = unpacked(&receipt());
        damage(dir.path());
        let said = validated(dir.path()).unwrap_err();
        assert!(said.contains(why), "{why}: {said}");
    }
    // Of one length, so that only the digest tells.
    let dir = unpacked(&receipt());
    let mut bytes = std::fs::read(dir.path().join(file)).unwrap();
    bytes[20] ^= 1;
    std::fs::write(dir.path().join(file), bytes).unwrap();
    let said = validated(dir.path()).unwrap_err();
    assert!(said.contains("data/entries/000000002/leaf.bin"), "{said}");
}
