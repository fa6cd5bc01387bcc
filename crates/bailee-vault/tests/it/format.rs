//! The first format, as it was written once and must be readable for ever.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bailee_store::{MemoryObjects, Objects};
use bailee_vault::{Kek, Source, Vault, scrub_packs};

/// `tiny` has an index of kind 5, `sorted` one of kind 9, `waypoints` a file that has some, `kinds`
/// whatever else there is.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/v1/vault")
}

fn load(objects: &MemoryObjects, root: &Path, below: &Path) {
    for item in std::fs::read_dir(below).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            load(objects, root, &path);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            objects.put(&name, &std::fs::read(&path).unwrap()).unwrap();
        }
    }
}

/// The key of the fixture is no secret.
fn key() -> Kek {
    Kek::from_bytes(*b"the key of a fixture, no secret.")
}

/// Each folder of formats, what is in it, and the source of the tests that read it.
const READ: [(&str, &[&str], &str); 13] = [
    (
        "",
        &["certificate", "keys", "ledger", "monitor", "vault", "volumes", "wire", "witness"],
        "crates/bailee-vault/tests/it/format.rs",
    ),
    (
        "certificate",
        &["erasure-volumes.json", "erasure.json"],
        "crates/bailee-sanitize/src/certificate/erasure.rs",
    ),
    ("keys", &["in-token.key", "protected.key"], "crates/bailee-server/src/keys/in_token.rs"),
    ("keys", &["in-token.key", "protected.key"], "crates/bailee-server/src/keys/protected.rs"),
    (
        "ledger",
        &[
            ".gitattributes",
            "checkpoint",
            "checkpoint-ml-dsa",
            "clearance",
            "leaf.bin",
            "policy.tlog-policy",
            "proof.tlog-proof",
            "receipt.bailee.zip",
            "receipt.report.txt",
        ],
        "crates/bailee-ledger/tests/it/formats.rs",
    ),
    ("monitor", &["seen.json"], "crates/bailee-server/tests/it/formats.rs"),
    (
        "vault",
        &[
            "cuts.txt",
            "kinds",
            "sorted",
            "sorted.txt",
            "tiny",
            "tiny.txt",
            "waypoints",
            "waypoints.txt",
        ],
        "crates/bailee-vault/src/chunker/mod.rs",
    ),
    (
        "volumes",
        &[
            "9ceb067a68b2df0b55c6c3be7560f154-000001.bvol",
            "9ceb067a68b2df0b55c6c3be7560f154-000002.bvol",
            "archive.tar.sha256",
            "missing",
            "never-read",
            "sparse",
        ],
        "crates/bailee-vault/tests/it/volumes.rs",
    ),
    (
        "volumes/missing",
        &["03030303030303030303030303030303-000001.bvol"],
        "crates/bailee-vault/src/volume/never.rs",
    ),
    (
        "volumes/never-read",
        &["03030303030303030303030303030303-000001.bvol"],
        "crates/bailee-vault/src/volume/never.rs",
    ),
    (
        "volumes/sparse",
        &[
            "ea4395d8fb0484493fa3e936619b752b-000001.bvol",
            "ea4395d8fb0484493fa3e936619b752b-000002.bvol",
            "ea4395d8fb0484493fa3e936619b752b-000003.bvol",
            "ea4395d8fb0484493fa3e936619b752b-000004.bvol",
        ],
        "crates/bailee-vault/tests/it/holes.rs",
    ),
    ("wire", &["events.txt"], "crates/bailee-core/tests/it/wire.rs"),
    (
        "witness",
        &["cosign.key", "logs.tlog-policy", "ml-dsa.key", "record"],
        "crates/bailee-server/tests/it/formats.rs",
    ),
];

fn names(folder: &Path) -> Vec<String> {
    let items = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Whatever was ever written and frozen is in the list, and each in the list has its reader.
#[test]
fn the_list_of_what_was_frozen_is_complete() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let all = home.join("fixtures/formats/v1");
    for (folder, wanted, reader) in READ {
        assert_eq!(names(&all.join(folder)), wanted, "{folder}: what is new is read by a test");
        let source = std::fs::read_to_string(home.join(reader)).unwrap();
        assert!(source.contains("formats/v1"), "{reader} reads no fixture");
        let folders = names(&all.join(folder)).into_iter();
        for below in folders.filter(|name| all.join(folder).join(name).is_dir()) {
            let path = if folder.is_empty() { below } else { format!("{folder}/{below}") };
            let listed = READ.iter().any(|(name, ..)| *name == path);
            assert!(listed || folder == "vault", "{path} is not in the list");
        }
    }
}

#[test]
fn version_1_is_read() {
    let mut names: Vec<String> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .filter(|name| fixtures().join(name).is_dir())
        .collect();
    names.sort();
    let wanted = ["kinds", "sorted", "tiny", "waypoints"];
    assert_eq!(names, wanted, "each fixture is read by a test");
    wanted[1..].iter().for_each(|name| is_read(name)); // kinds: src/preserve/fixtures.rs
}

fn is_read(name: &str) {
    let fixture = fixtures().join(name);
    let objects = Arc::new(MemoryObjects::new());
    load(&objects, &fixture, &fixture);
    assert_eq!(scrub_packs(&*objects).unwrap().problems, []);
    let vault = Vault::open(objects, &key()).unwrap();
    let infos = vault.list("tenant-1").unwrap();
    let wanted = std::fs::read_to_string(fixture.with_extension("txt")).unwrap();
    let mut got = String::new();
    for info in &infos {
        assert!(vault.verify("tenant-1", &info.id).unwrap().is_intact());
        got += &format!("{} {} {} {}\n", info.id, info.unit, info.files, info.bytes);
        for entry in vault.manifest("tenant-1", &info.id).unwrap() {
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            let sha = entry.content().map(|c| bailee_ledger::to_hex(&c.sha256));
            got += &format!("  {path:?} {}\n", sha.unwrap_or_default());
        }
    }
    assert_eq!(got, wanted, "{name}");
    let back = tempfile::tempdir().unwrap();
    let restored = vault.restore("tenant-1", &infos[0].id, back.path(), None).unwrap();
    assert!(restored.is_complete(), "{restored:?}");
    let read = vault.read_range("tenant-1", &infos[0].id, b"dir/letter.txt", 0..4).unwrap();
    assert_eq!(read, b"Keep");
}

/// Writes the fixture where there is none: once per format version, by hand.
#[test]
fn the_fixture_can_be_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir_all(tree.join("dir")).unwrap();
    std::fs::write(tree.join("dir/letter.txt"), "Keep this. ".repeat(40)).unwrap();
    std::fs::write(tree.join("empty"), "").unwrap();
    std::fs::write(tree.join("zeros"), vec![0; 70_000]).unwrap();
    std::fs::hard_link(tree.join("empty"), tree.join("empty-too")).unwrap();
    std::os::unix::fs::symlink("dir/letter.txt", tree.join("link")).unwrap();
    let gaps = std::fs::File::create(tree.join("gaps")).unwrap();
    gaps.set_len(40 << 20).unwrap();
    gaps.write_all_at(b"between two gaps", (20 << 20) + 5).unwrap();
    let out = std::env::var_os("BAILEE_NEW_FIXTURE").map(PathBuf::from);
    let store = out.unwrap_or_else(|| dir.path().join("store"));
    let objects = Arc::new(bailee_store::DiskObjects::open(&store).unwrap());
    let vault = Vault::create(objects, &key()).unwrap();
    let report = vault.preserve("tenant-1", "A-1", &Source::Tree(tree), &mut ()).unwrap();
    assert_eq!((report.files, report.bytes), (4, 70_440 + (40 << 20)));
}
