//! The way out as a bag: valid to the Library of Congress's own program, and complete.

use std::path::{Path, PathBuf};
use std::process::Command;

use bailee_store::Objects;
use bailee_vault::{Source, Vault, VaultError};
use serde_json::{Value, json};

use crate::export::tree;
use crate::support::{describe, kek, memory_vault, noise};

/// The interpreter with the packages that `cargo xtask setup` installed.
fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("tools/python/bin/python");
    assert!(python.exists(), "no {}: run `cargo xtask setup`", python.display());
    python
}

/// What the package says, and what it reads.
fn validated(bag: &Path) -> Result<String, String> {
    let script = "import bagit, json, sys\n\
                  bag = bagit.Bag(sys.argv[1])\n\
                  bag.validate()\n\
                  lines = [json.loads(l) for l in open(sys.argv[1] + '/entries.jsonl')]\n\
                  print(bag.version, bag.info['Source-Organization'], bag.info['Payload-Oxum'],\n\
                  len(bag.payload_entries()), *[l['kind'] for l in lines])";
    let output = Command::new(python()).args(["-c", script]).arg(bag).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn a_snapshot_is_a_valid_bag() {
    let dir = tempfile::tempdir().unwrap();
    let (from, bag) = (dir.path().join("from"), dir.path().join("bag"));
    std::fs::create_dir(&from).unwrap();
    tree(&from);
    std::fs::write(from.join("100%25.txt"), "percent").unwrap();
    std::fs::write(from.join("odd=FF=0Aname"), "looks escaped").unwrap();
    std::fs::write(from.join("Gr\u{fc}\u{df}e"), "greetings").unwrap();
    // What Python takes away from the end of a line, or ends one at.
    for blank in [
        '\t', '\n', '\u{b}', '\u{1c}', ' ', '\u{85}', '\u{a0}', '\u{1680}', '\u{2000}', '\u{2028}',
        '\u{2029}', '\u{202f}', '\u{205f}', '\u{3000}', '\u{200b}', '\u{feff}',
    ] {
        std::fs::create_dir(from.join(format!("in{blank}"))).unwrap();
        std::fs::write(from.join(format!("in{blank}/a{blank}b")), "between").unwrap();
        std::fs::write(from.join(format!("in{blank}/end{blank}")), "at the end").unwrap();
    }
    let (_, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(from.clone()), &mut ()).unwrap();
    let report = vault.export_bag("t", &kept.id, ("example.org/log", &bag), &mut ()).unwrap();
    assert_eq!((report.files, report.bytes), (kept.files, kept.bytes));
    let without: Vec<_> = report.left_out.iter().map(|p| p.path.display().to_string()).collect();
    assert_eq!(without, ["pipe", "symlink"]);
    let (files, octets) = (kept.files + 1, kept.bytes + 700_001); // a second name is a second file
    let said = validated(&bag).unwrap();
    let wanted = format!("1.0 example.org/log {octets}.{files} {files} directory ");
    assert!(said.starts_with(&wanted), "{said}");
    let entries = std::fs::read_to_string(bag.join("entries.jsonl")).unwrap();
    let all = entries.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let all: Vec<Value> = all.collect();
    let has = |what: &dyn Fn(&Value) -> bool| assert!(all.iter().any(what), "{entries}");
    has(&|e| e["path"] == "odd=FF=0Aname" && e["kind"] == "file" && e["size"] == 3);
    has(&|e| e["mode"] == "4750");
    has(&|e| e["mtime"] == json!([-5, 999_999_999]));
    has(&|e| e["xattrs"] == json!([["user.note", "kept=00too"]]));
    let leads = |e: &Value, to: &str| e["target"].as_str().is_some_and(|t| t.starts_with(to));
    has(&|e| e["path"] == "link" && e["kind"] == "hardlink" && leads(e, "aaaa"));
    has(&|e| e["path"] == "symlink" && e["kind"] == "symlink" && leads(e, "xxxx"));
    let sparse = std::fs::read(bag.join("data/sparse")).unwrap();
    assert!(sparse == std::fs::read(from.join("sparse")).unwrap(), "the content is the same");
    assert_eq!(entries.lines().count(), describe(&from).len());
    std::fs::write(bag.join("data/empty"), "x").unwrap();
    assert!(validated(&bag).unwrap_err().contains("Oxum"), "damage is found there");
}

#[test]
fn a_damaged_snapshot_gives_no_bag_and_a_full_directory_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (from, bag) = (dir.path().join("from"), dir.path().join("bag"));
    std::fs::create_dir(&from).unwrap();
    std::fs::write(from.join("f"), noise(3, 400_000)).unwrap();
    let (objects, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(from.clone()), &mut ()).unwrap();
    let refused = vault.export_bag("t", &kept.id, ("o", &from), &mut ());
    assert!(matches!(refused, Err(VaultError::Occupied { .. })), "{refused:?}");
    assert_eq!(std::fs::read_dir(&from).unwrap().count(), 1);
    let pack = objects.list("").unwrap().into_iter().find(|n| n.contains("/data/")).unwrap();
    let mut bytes = objects.get(&pack).unwrap();
    bytes[5000] ^= 1;
    objects.delete(&pack).unwrap();
    objects.put(&pack, &bytes).unwrap();
    let vault = Vault::open(objects, &kek()).unwrap();
    let refused = vault.export_bag("t", &kept.id, ("o", &bag), &mut ());
    assert!(matches!(refused, Err(VaultError::Lost { .. })), "{refused:?}");
    assert!(!bag.join("bagit.txt").exists());
}

#[test]
fn what_no_reader_of_a_bag_could_name_is_refused_by_its_path_before_anything_is_written() {
    let (from, at) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let bag = at.path().join("bag");
    let deep = vec!["d".repeat(200); 30];
    let mut here = std::fs::File::open(from.path()).unwrap();
    for name in &deep {
        rustix::fs::mkdirat(&here, name, rustix::fs::Mode::RWXU).unwrap();
        let flags = rustix::fs::OFlags::DIRECTORY;
        here = rustix::fs::openat(&here, name, flags, rustix::fs::Mode::empty()).unwrap().into();
    }
    let awkward = tempfile::tempdir().unwrap();
    std::fs::write(awkward.path().join("%".repeat(90)), "x").unwrap();
    let (_, vault) = memory_vault();
    for (unit, source, named) in [("A-1", &from, "dddd"), ("A-2", &awkward, "%%%%")] {
        let source = Source::Tree(source.path().to_owned());
        let kept = vault.preserve("t", unit, &source, &mut ()).unwrap();
        let no = vault.export_bag("t", &kept.id, ("example.org/log", &bag), &mut ()).unwrap_err();
        let words = no.to_string();
        assert!(matches!(no, VaultError::BadName { .. }), "{words}");
        assert!(words.contains(named) && words.contains("--form tar"), "{words}");
        assert!(words.len() < 800 && !bag.exists(), "{words}");
    }
}
