//! Every kind of object, and of source, that was ever written is among the fixtures, and is read.
//!
//! Invariant: the lists are the code's own; a kind that is added without a fixture fails here.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bailee_ledger::clearance::Act;
use bailee_store::{DiskObjects, MemoryObjects, Objects};

use super::previous::Draft;
use super::{Input, Source, Vault};
use crate::seal::Kind;
use crate::snapshot::SourceKind;
use crate::vault::Absent;
use crate::{Kek, VaultError};

#[path = "../../tests/it/clear.rs"]
mod clear;

const TENANT: &str = "tenant-1";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/v1/vault")
}

/// The first key, and the one that the vault was being changed to. No secrets.
fn keys() -> [Kek; 2] {
    [*b"the key of a fixture, no secret.", *b"a second key of it, no secret..."]
        .map(Kek::from_bytes)
}

/// The kind after this one. A kind that is added must be told here, and be in a fixture.
fn after(kind: Kind) -> Option<Kind> {
    match kind {
        Kind::Config => Some(Kind::TenantKey),
        Kind::TenantKey => Some(Kind::UnitKey),
        Kind::UnitKey => Some(Kind::DataPack),
        Kind::DataPack => Some(Kind::MetaPack),
        Kind::MetaPack => Some(Kind::Index),
        Kind::Index => Some(Kind::Snapshot),
        Kind::Snapshot => Some(Kind::Tombstone),
        Kind::Tombstone => Some(Kind::Draft),
        Kind::Draft => Some(Kind::Sorted),
        Kind::Sorted => None,
    }
}

/// Every object in the fixtures: its name below the fixture, and its bytes.
fn objects(below: &Path, out: &mut Vec<(PathBuf, Vec<u8>)>) {
    for item in fs::read_dir(below).unwrap() {
        let path = item.unwrap().path();
        match path.is_dir() {
            true => objects(&path, out),
            false => out.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
}

fn load(root: &Path) -> Arc<MemoryObjects> {
    let (store, mut found) = (Arc::new(MemoryObjects::new()), Vec::new());
    objects(root, &mut found);
    for (path, bytes) in found {
        store.put(path.strip_prefix(root).unwrap().to_str().unwrap(), &bytes).unwrap();
    }
    store
}

/// One unit of each kind of source, an interrupted preservation, an erased unit, two keys.
fn make(store: Arc<dyn Objects>, dir: &Path) {
    let [first, second] = keys();
    let vault = Vault::create(store, &first).unwrap();
    let tree = dir.join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("letter.txt"), "Keep this. ".repeat(40)).unwrap();
    let (letter, archive) = (tree.join("letter.txt"), dir.join("tree.tar"));
    let mut tar = std::process::Command::new("tar");
    tar.arg("-cf").arg(&archive).arg("-C").arg(&tree).arg(".");
    assert!(tar.status().unwrap().success());
    let input = |path| Input::new("input", File::open(path).unwrap());
    let sources = [
        Source::Tree(tree.clone()),
        Source::File(letter.clone()),
        Source::Device(letter.clone()),
        Source::Stream(input(&letter)),
        Source::Tar(input(&archive)),
        Source::File(letter.clone()),
    ];
    for (n, source) in (1u32..).zip(&sources) {
        vault.preserve(TENANT, &format!("A-{n}"), source, &mut ()).unwrap();
    }
    let subject = vault.erase_subject(TENANT, "A-6").unwrap();
    let clearance = clear::clear(6, Act::Erase, subject);
    vault.erase_unit(TENANT, "A-6", clearance, &|_| None).unwrap();
    let tenant = vault.tenant(TENANT, Absent::Refuse).unwrap();
    let (unit, snapshot) = vault.snapshot(&tenant, &vault.list(TENANT).unwrap()[0].id).unwrap();
    let entries = unit.manifest(&snapshot).unwrap();
    let source = "/srv/interrupted".to_owned();
    Draft { kind: SourceKind::Tree, source, taken_at: 1, entries }.put(&unit).unwrap();
    vault.add_kek(&second).unwrap();
}

/// Writes the fixture where there is none: once per format version, by hand.
#[test]
fn the_fixture_of_every_kind_can_be_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let out = std::env::var_os("BAILEE_NEW_FIXTURE_OF_KINDS").map(PathBuf::from);
    let store = Arc::new(DiskObjects::open(&out.unwrap_or(dir.path().join("store"))).unwrap());
    make(store.clone(), dir.path());
    assert!(store.list("").unwrap().len() > 20);
}

#[test]
fn every_kind_of_object_has_a_fixture() {
    let mut found = Vec::new();
    objects(&fixtures(), &mut found);
    // A header is eight bytes, the version in two, the kind in one.
    let kinds: BTreeSet<u8> =
        found.iter().filter_map(|(_, bytes)| bytes.get(10).copied()).collect();
    let all = std::iter::successors(Some(Kind::Config), |kind| after(*kind));
    let without: Vec<Kind> = all.filter(|kind| !kinds.contains(&(*kind as u8))).collect();
    assert_eq!(without, [], "give them a fixture that this file reads");
}

#[test]
fn every_kind_is_read_with_either_key() {
    let store = load(&fixtures().join("kinds"));
    for key in keys() {
        let vault = Vault::open(store.clone(), &key).unwrap();
        let infos = vault.list(TENANT).unwrap();
        let sources: BTreeSet<u8> = infos.iter().map(|info| info.kind as u8).collect();
        let all: BTreeSet<u8> = (0..=u8::MAX).filter(|n| SourceKind::read(*n).is_ok()).collect();
        assert_eq!(sources, all, "a kind of source has no fixture");
        for info in &infos {
            assert!(vault.verify(TENANT, &info.id).unwrap().is_intact(), "{info:?}");
        }
        let tenant = vault.tenant(TENANT, Absent::Refuse).unwrap();
        let erased = vault.unit(&tenant, "A-6", Absent::Refuse).err();
        assert!(matches!(erased, Some(VaultError::UnitErased { .. })), "{erased:?}");
        let drafted = infos.iter().find_map(|info| {
            let (unit, _) = vault.snapshot(&tenant, &info.id).ok()?;
            let names = unit.objects.list(&unit.prefix(Kind::Draft)).unwrap();
            names.first().map(|name| Draft::open(&unit, name).unwrap())
        });
        let draft = drafted.expect("the fixture has a draft");
        assert_eq!((draft.source.as_str(), draft.taken_at), ("/srv/interrupted", 1));
        assert!(draft.entries.iter().any(|stored| stored.entry.path == b"letter.txt"));
        assert_eq!(vault.keks().unwrap().len(), 2);
    }
}
