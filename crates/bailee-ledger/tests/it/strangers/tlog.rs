//! The Go program on single files: what `sumdb/note` and `sumdb/tlog` say of our checkpoints,
//! inclusion and consistency proofs, tiles and entry bundles.

use std::path::Path;

use bailee_ledger::tile::{TileKind, encode_entries, hash_tile};
use bailee_ledger::{Checkpoint, Signer, TileId, TlogProof, Tree};
use base64::Engine as _;

use super::go::go;
use super::said;
use crate::common::{ORIGIN, log_signer};

/// Leaves in the log: more than two levels of tiles, and no round number.
const LEAVES: u64 = 66_051;

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn tree(size: u64) -> Tree {
    let mut tree = Tree::new();
    for index in 0..size {
        tree.push(&entry(index));
    }
    tree
}

fn signed(tree: &Tree, size: u64) -> String {
    let (origin, root) = (ORIGIN.to_owned(), tree.root_at(size).unwrap());
    let checkpoint = Checkpoint { origin, size, root, extensions: Vec::new() };
    checkpoint.sign(&log_signer()).unwrap().to_string()
}

fn vkey() -> String {
    log_signer().verifier().to_vkey()
}

/// A request to a witness: what a consistency proof travels in (c2sp.org/tlog-witness).
fn request(tree: &Tree, old: u64, new: u64) -> String {
    let mut text = format!("old {old}\n");
    for hash in tree.consistency(old, new).unwrap() {
        text += &base64::engine::general_purpose::STANDARD.encode(hash);
        text += "\n";
    }
    text + "\n" + &signed(tree, new)
}

/// Does the program accept these files?
fn accepts(directory: &Path, command: &str, vkey: &str, files: &[&[u8]]) -> Result<String, String> {
    let names: Vec<String> = (0..files.len()).map(|number| format!("file{number}")).collect();
    for (name, bytes) in names.iter().zip(files) {
        std::fs::write(directory.join(name), bytes).unwrap();
    }
    let mut arguments = vec![command, vkey];
    arguments.extend(names.iter().map(String::as_str));
    let output = go(directory, &arguments);
    match output.status.code() {
        Some(0) => Ok(String::from_utf8(output.stdout).unwrap()),
        Some(1) => Err(said(&output)),
        other => panic!("{other:?}: {}", said(&output)),
    }
}

#[test]
fn checkpoints_open_under_the_right_key_only() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(7);
    let note = signed(&tree, 7);
    let say =
        |vkey: &str, note: &str| accepts(directory.path(), "checkpoint", vkey, &[note.as_bytes()]);
    let root = base64::engine::general_purpose::STANDARD.encode(tree.root());
    assert_eq!(say(&vkey(), &note), Ok(format!("{ORIGIN}\n7\n{root}\n")));
    let other = Signer::from_seed(ORIGIN, &[9; 32]).unwrap().verifier().to_vkey();
    assert!(say(&other, &note).is_err());
    assert!(say(&vkey().replace("+A", "+B"), &note).is_err());
    for at in (0..note.len()).step_by(7) {
        let mut damaged = note.clone().into_bytes();
        damaged[at] ^= 1;
        let damaged = String::from_utf8_lossy(&damaged);
        assert!(say(&vkey(), &damaged).is_err(), "byte {at}");
    }
}

#[test]
fn inclusion_proofs_of_every_shape_are_accepted_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(70);
    let say = |proof: &str, leaf: &[u8]| {
        accepts(directory.path(), "inclusion", &vkey(), &[proof.as_bytes(), leaf])
    };
    for size in [1, 2, 3, 7, 8, 64, 70] {
        let note = bailee_ledger::checkpoint::parse_note(signed(&tree, size).as_bytes()).unwrap();
        for index in [0, 1, size / 2, size - 1].into_iter().filter(|index| *index < size) {
            let proof = TlogProof::of(&tree, index, &note).unwrap().to_string();
            let wanted = format!("leaf {index} is in the tree of {size}\n");
            assert_eq!(say(&proof, &entry(index)), Ok(wanted));
            assert!(say(&proof, &entry(index + 1)).is_err());
            let extra = proof.replacen("\n\n", &format!("\n{}\n\n", "A".repeat(43) + "="), 1);
            assert!(say(&extra, &entry(index)).is_err(), "a hash more, {index} of {size}");
            let wrong =
                proof.replacen(&format!("index {index}"), &format!("index {}", index + 1), 1);
            assert!(say(&wrong, &entry(index)).is_err(), "wrong index, {index} of {size}");
        }
    }
}

#[test]
fn consistency_proofs_of_every_shape_are_accepted_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(70);
    let say = |old: &str, request: &str| {
        accepts(directory.path(), "consistency", &vkey(), &[old.as_bytes(), request.as_bytes()])
    };
    for (old, new) in [(1, 2), (3, 7), (4, 8), (6, 8), (7, 7), (32, 70), (33, 70), (64, 70), (0, 5)]
    {
        let asked = request(&tree, old, new);
        let wanted = format!("the tree of {new} begins with the tree of {old}\n");
        assert_eq!(say(&signed(&tree, old), &asked), Ok(wanted));
        let extra = asked.replacen("\n\n", &format!("\n{}\n\n", "A".repeat(43) + "="), 1);
        assert!(say(&signed(&tree, old), &extra).is_err(), "a hash more, {old} to {new}");
    }
    // Two histories: the same sizes, one leaf different.
    let mut forked = Tree::new();
    for index in 0..70 {
        forked.push(&entry(if index == 2 { 1_000 } else { index }));
    }
    assert!(say(&signed(&forked, 33), &request(&tree, 33, 70)).is_err());
    assert!(say(&signed(&tree, 33), &request(&tree, 32, 70)).is_err());
}

/// All tiles and entry bundles of a tree, as files.
fn publish(tree: &Tree, directory: &Path) {
    for tile in TileId::grown(0, tree.size()) {
        let bytes = match tile.kind {
            TileKind::Hashes { .. } => hash_tile(tree, &tile).unwrap(),
            TileKind::Entries => {
                let entries: Vec<Vec<u8>> = tile.range().unwrap().map(entry).collect();
                encode_entries(entries.iter().map(Vec::as_slice)).unwrap()
            }
        };
        let path = directory.join(tile.to_string());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

#[test]
fn tiles_lead_to_the_signed_root_and_damaged_ones_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(LEAVES);
    publish(&tree, directory.path());
    std::fs::write(directory.path().join("checkpoint"), signed(&tree, LEAVES)).unwrap();
    let check = || go(directory.path(), &["tiles", &vkey(), "checkpoint", "."]);
    let output = check();
    assert!(output.status.success(), "{}", said(&output));
    // 258 full tiles of leaves and one of 3, two of their hashes, one of those; as many of entries.
    let files = 259 + 2 + 1 + 259;
    let wanted = format!("{LEAVES} leaves and {files} files lead to the signed root\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), wanted);

    for name in [
        "tile/0/000",
        "tile/0/258.p/3",
        "tile/1/000",
        "tile/1/001.p/2",
        "tile/2/000.p/1",
        "tile/entries/017",
        "tile/entries/258.p/3",
    ] {
        let path = directory.path().join(name);
        let good = std::fs::read(&path).unwrap();
        for at in [0, good.len() - 1] {
            let mut damaged = good.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(check().status.code(), Some(1), "{name}, byte {at}");
        }
        std::fs::write(&path, [&good[..], &good].concat()).unwrap();
        assert_eq!(check().status.code(), Some(1), "{name}, twice as long");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(check().status.code(), Some(1), "{name}, gone");
        std::fs::write(&path, good).unwrap();
    }
    std::fs::create_dir(directory.path().join("tile/0/259.p")).unwrap();
    std::fs::write(directory.path().join("tile/0/259.p/1"), [0; 32]).unwrap();
    assert_eq!(check().status.code(), Some(1), "a tile that is not of this tree");
}
