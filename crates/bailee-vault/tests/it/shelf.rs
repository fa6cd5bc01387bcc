//! Volumes read back by this program: whole, in part, and past every kind of damage.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bailee_vault::{Given, Kek, Pattern, VolumeProblem, check_volumes, restore_volumes};

use crate::export::tree;
use crate::support::{describe, noise};
use crate::volumes::{Shelf, flip, letters};

fn check(shelf: &Shelf, paths: &[PathBuf]) -> Given {
    check_volumes(paths, Some(&shelf.key), &mut ()).unwrap()
}

fn restore(shelf: &Shelf, paths: &[PathBuf], to: &str, only: Option<&str>) -> Given {
    let only = only.map(|text| Pattern::new(text).unwrap());
    let into = shelf.dir.path().join(to);
    restore_volumes(paths, &shelf.key, (&into, only.as_ref()), &mut ()).unwrap()
}

fn from(shelf: &Shelf) -> PathBuf {
    shelf.dir.path().join("from")
}

/// Names of what is damaged, below the snapshot.
fn damaged(shelf: &Shelf, given: &Given) -> Vec<String> {
    let root = shelf.snapshot.to_string();
    let name = |p: &Path| p.strip_prefix(&root).unwrap().display().to_string();
    given.damaged.iter().map(|p| name(&p.path)).collect()
}

#[test]
fn a_whole_set_is_checked_and_restored() {
    let shelf = Shelf::new(tree);
    let paths = shelf.paths();
    let given = check(&shelf, &paths);
    assert!(given.is_complete(), "{given:?}");
    let export = &shelf.report.export;
    assert_eq!((given.files, given.bytes), (export.files, export.bytes));
    assert_eq!(given.by_frames, [] as [PathBuf; 0], "each file's SHA-256 was compared");
    assert_eq!(given.volumes.snapshots, [shelf.snapshot]);
    let given = restore(&shelf, &paths, "back", None);
    assert!(given.is_complete() && given.not_restored.is_empty(), "{given:?}");
    assert_eq!(describe(&shelf.restored("back")), describe(&from(&shelf)));
    use std::os::unix::fs::MetadataExt;
    let sparse = shelf.restored("back").join("sparse").metadata().unwrap();
    assert!(sparse.blocks() * 512 < sparse.size() / 2, "its holes are holes again");
    let again =
        restore_volumes(&paths, &shelf.key, (&shelf.dir.path().join("back"), None), &mut ());
    assert!(again.unwrap_err().to_string().contains("not empty"));
}

#[test]
fn a_part_is_restored_and_a_link_stands_for_a_file_that_was_not_asked_for() {
    let shelf = Shelf::new(|root| {
        for name in ["a", "b", "c"] {
            std::fs::create_dir(root.join(name)).unwrap();
            std::fs::write(root.join(name).join("own"), noise(9, 90_000)).unwrap();
        }
        for link in ["b/link", "c/link", "c/more"] {
            std::fs::hard_link(root.join("a/own"), root.join(link)).unwrap();
        }
    });
    let given = restore(&shelf, &shelf.paths(), "part", Some("c"));
    assert!(given.is_complete(), "{given:?}");
    assert_eq!(describe(&shelf.restored("part").join("c")), describe(&from(&shelf).join("c")));
    assert!(!shelf.restored("part").join("a").exists());
    let given = restore(&shelf, &shelf.paths(), "none", Some("x"));
    assert_eq!((given.files, given.is_complete()), (0, true));
}

#[test]
fn a_damaged_frame_is_named_by_volume_file_and_bytes() {
    let shelf = Shelf::new(letters);
    let paths = shelf.paths();
    flip(&paths[1], 150_000);
    let given = check(&shelf, &paths);
    let [VolumeProblem::Frame { volume, frame: 1, start, end }] = &given.volumes.problems[..]
    else {
        panic!("{given:?}")
    };
    assert!(volume == &paths[1] && (*start..*end).contains(&150_000));
    // The archive's bytes of a frame are 256 KiB: parts of at most five letters of 70,000 bytes.
    let names = damaged(&shelf, &given);
    assert!(!names.is_empty() && names.len() <= 5, "{names:?}");
    let lost: Vec<&str> = given.damaged.iter().map(|p| &*p.what).collect();
    assert!(lost.iter().all(|what| what.starts_with("of its 70000 bytes ")), "{lost:?}");
    let given = restore(&shelf, &paths, "back", None);
    assert_eq!(damaged(&shelf, &given), names);
    let (all, back) = (describe(&from(&shelf)), describe(&shelf.restored("back")));
    let whole: BTreeMap<_, _> = back.iter().filter(|(name, _)| !name.is_empty()).collect();
    assert!(
        whole.iter().all(|(name, seen)| all.get(*name) == Some(*seen)),
        "what is there is whole"
    );
    assert!(names.iter().all(|name| !shelf.restored("back").join(name).exists()));
    assert!(given.files >= 7, "{given:?}");
}

#[test]
fn a_missing_volume_costs_what_lies_on_it() {
    let shelf = Shelf::new(letters);
    let paths = shelf.paths();
    let all = describe(&from(&shelf));
    for gone in 0..paths.len() {
        let mut left = paths.clone();
        left.remove(gone);
        left.reverse();
        let to = format!("without-{gone}");
        let given = restore(&shelf, &left, &to, None);
        let ordinal = u32::try_from(gone + 1).unwrap();
        assert_eq!(
            given.volumes.problems,
            [VolumeProblem::Missing { first: ordinal, last: ordinal }]
        );
        let back = describe(&shelf.restored(&to));
        let files: Vec<_> = back.iter().filter(|(name, _)| !name.is_empty()).collect();
        assert!(files.iter().all(|(name, seen)| all.get(*name) == Some(*seen)));
        assert!(files.len() >= 6 && files.len() as u64 == given.files, "{gone}: {given:?}");
    }
}

#[test]
fn a_large_file_across_volumes_is_told_what_of_it_is_lost() {
    let shelf = Shelf::new(|root| {
        std::fs::write(root.join("film"), noise(3, 1_500_000)).unwrap();
        std::fs::write(root.join("later"), noise(4, 1000)).unwrap();
    });
    let mut paths = shelf.paths();
    assert!(paths.len() >= 5, "{paths:?}");
    let lost = paths.remove(2);
    let given = restore(&shelf, &paths, "back", None);
    assert_eq!(damaged(&shelf, &given), ["film"], "{given:?} without {lost:?}");
    let what = &given.damaged[0].what;
    let range =
        what.strip_prefix("of its 1500000 bytes ").and_then(|w| w.strip_suffix(" are lost"));
    let (start, end) = range.unwrap().split_once("..").unwrap();
    let (start, end): (u64, u64) = (start.parse().unwrap(), end.parse().unwrap());
    assert!(start > 500_000 && end < 1_000_000 && end - start >= 290_000, "{what}");
    assert_eq!(describe(&shelf.restored("back")).len(), 2, "the root and what came later");
}

#[test]
fn every_flipped_byte_is_found_and_nothing_false_is_left() {
    let shelf = Shelf::new(letters);
    let paths = shelf.paths();
    let all = describe(&from(&shelf));
    let size = std::fs::metadata(&paths[0]).unwrap().len();
    for (n, at) in [3, 20, 40, 90, 110, 200, 5_000, 262_300, size - 50, size - 1].iter().enumerate()
    {
        flip(&paths[0], *at);
        let given = restore(&shelf, &paths, &format!("flip-{n}"), None);
        assert!(!given.volumes.problems.is_empty(), "byte {at}");
        if shelf.restored(&format!("flip-{n}")).exists() {
            let back = describe(&shelf.restored(&format!("flip-{n}")));
            let mut files = back.iter().filter(|(name, _)| !name.is_empty());
            assert!(files.all(|(name, seen)| all.get(name) == Some(seen)), "byte {at}");
        }
        assert!(given.files >= 6, "byte {at}: {given:?}");
        flip(&paths[0], *at);
    }
}

/// A damaged volume and its good copy, in any order, are as good as the copy.
#[test]
fn of_two_copies_the_whole_one_counts() {
    let shelf = Shelf::new(letters);
    let (mut paths, all) = (shelf.paths(), describe(&from(&shelf)));
    let (bad, copy) = (paths[1].clone(), shelf.dir.path().join("copy"));
    std::fs::copy(&bad, &copy).unwrap();
    flip(&bad, 150_000);
    paths.push(copy.clone());
    for to in ["bad one first", "copy first"] {
        let given = restore(&shelf, &paths, to, None);
        assert_eq!(given.damaged, []);
        assert_eq!(describe(&shelf.restored(to)), all);
        let problems = &given.volumes.problems;
        let spare = VolumeProblem::Twice { volume: bad.clone(), ordinal: 2 };
        assert!(problems.contains(&spare), "{problems:?}");
        assert!(problems.iter().all(|p| p.volume() == Some(&bad)), "{problems:?}");
        assert!(given.volumes.volumes.iter().any(|facts| facts.path == copy));
        let seen = check_volumes(&paths, None, &mut ()).unwrap().volumes;
        assert!(matches!(seen.problems[..], [VolumeProblem::Twice { ordinal: 2, .. }]));
        paths.reverse();
    }
    // The reader in Python takes each frame from the copy that has it: of neither all is whole.
    flip(&copy, 270_000);
    let (code, said) = shelf.python("python", &paths);
    assert_eq!(code, Some(1));
    assert!(said.contains("was given already") && said.contains("frame 1 is damaged"), "{said}");
    assert!(!said.contains("not whole"), "{said}");
    assert_eq!(describe(&shelf.restored("python")), all);
}

#[test]
fn without_a_key_headers_tell_what_is_there() {
    let shelf = Shelf::new(letters);
    let mut paths = shelf.paths();
    let given = check_volumes(&paths, None, &mut ()).unwrap();
    assert_eq!((given.volumes.problems, given.files), (vec![], 0));
    assert_eq!(given.volumes.volumes, shelf.report.volumes, "with each SHA-256");
    let stranger = shelf.dir.path().join("key");
    paths.remove(1);
    paths.push(stranger.clone());
    let given = check_volumes(&paths, None, &mut ()).unwrap();
    let problems = &given.volumes.problems;
    assert!(problems.contains(&VolumeProblem::Missing { first: 2, last: 2 }), "{problems:?}");
    assert!(problems.iter().any(|p| p.volume() == Some(&stranger)), "{problems:?}");
    let wrong = Kek::from_bytes([1; 32]);
    let given = restore_volumes(&paths, &wrong, (&shelf.dir.path().join("no"), None), &mut ());
    assert_eq!((given.as_ref().unwrap().files, given.unwrap().is_complete()), (0, false));
}
