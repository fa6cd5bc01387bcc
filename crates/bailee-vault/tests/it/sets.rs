//! Volumes of several sets in one place: what a killed export left is named and in nobody's way,
//! and between whole sets nobody guesses. Both readers do the same.

use std::fs;
use std::path::PathBuf;

use bailee_vault::{Given, SetId, Shelf as Files, VaultError, check_volumes, restore_volumes};

use crate::support::describe;
use crate::volumes::{Shelf, another, letters};

fn check(shelf: &Shelf, paths: &[PathBuf], set: Option<SetId>) -> Result<Given, VaultError> {
    check_volumes(Files { paths, set }, Some(&shelf.key), &mut ())
}

/// Both readers give the snapshot, and say what they left.
fn read_by_both(shelf: &Shelf, paths: &[PathBuf], set: Option<SetId>, to: &str) -> Given {
    let checked = check(shelf, paths, set).unwrap();
    assert!(checked.is_complete(), "{checked:?}");
    let into = shelf.dir.path().join(to);
    let files = Files { paths, set };
    let given = restore_volumes(files, &shelf.key, (&into, None), &mut ()).unwrap();
    assert!(given.is_complete(), "{given:?}");
    assert_eq!(given.volumes.ignored, checked.volumes.ignored);
    let from = describe(&shelf.dir.path().join("from"));
    assert_eq!(describe(&shelf.restored(to)), from);
    let python = format!("{to} by python");
    let (code, said) = shelf.python_of(set, &python, paths);
    assert_eq!((code, said.lines().count()), (Some(0), left(&given).len()), "{said}");
    for path in left(&given) {
        assert!(said.contains(path.to_str().unwrap()), "{path:?} in {said}");
    }
    assert_eq!(describe(&shelf.restored(&python)), from);
    given
}

fn left(given: &Given) -> Vec<PathBuf> {
    given.volumes.ignored.iter().flat_map(|one| one.volumes.clone()).collect()
}

#[test]
fn what_a_killed_export_left_is_named_and_in_nobody_s_way() {
    let shelf = Shelf::new(letters);
    let killed = another(&shelf, "killed");
    let (whole, volumes) = (shelf.paths(), &killed.volumes);
    assert!(volumes.len() > 2);
    // Killed between two volumes, in one at each of its parts, and before the first was begun.
    let size = fs::metadata(&volumes[1].path).unwrap().len();
    for (n, len) in [size, size - 1, 100_000, 200, 150, 100, 60, 5, 0].into_iter().enumerate() {
        let part = shelf.dir.path().join(format!("part-{n}.bvol"));
        fs::write(&part, &fs::read(&volumes[1].path).unwrap()[..len as usize]).unwrap();
        let left_there = vec![volumes[0].path.clone(), part.clone()];
        for paths in [[&whole[..], &left_there].concat(), [&left_there[..], &whole].concat()] {
            let to = format!("{n}{}", paths[0] == whole[0]);
            let given = read_by_both(&shelf, &paths, None, &to);
            assert_eq!(left(&given).len(), 2, "{len}: {given:?}");
            assert_eq!(given.volumes.set, Some(shelf.report.set));
            assert!(
                given.volumes.ignored.iter().all(|one| one.set.is_none_or(|s| s == killed.set))
            );
        }
        let paths = [&whole[..], &[part]].concat();
        if len < 100 {
            assert_eq!(left(&read_by_both(&shelf, &paths, None, &format!("{n}"))).len(), 1);
        }
    }
    // Alone it is what it was: not whole.
    let alone = check(&shelf, &[volumes[0].path.clone()], None).unwrap();
    assert!(!alone.is_complete() && alone.volumes.ignored.is_empty(), "{alone:?}");
}

/// What is left of a volume is no remainder of another export if that very volume is missing.
#[test]
fn a_stub_beside_a_set_that_lacks_a_volume_is_a_problem() {
    let shelf = Shelf::new(letters);
    let paths = shelf.paths();
    fs::write(&paths[1], b"BAILVOL1").unwrap();
    let given = check(&shelf, &paths, None).unwrap();
    assert_eq!(given.volumes.problems.len(), 2, "it, and that volume 2 is missing: {given:?}");
    let (code, said) = shelf.python("python", &paths);
    assert!(code == Some(1) && said.contains("it ends within its header"), "{said}");
}

#[test]
fn between_whole_sets_nobody_guesses() {
    let shelf = Shelf::new(letters);
    let second = another(&shelf, "second");
    let of_second: Vec<PathBuf> = second.volumes.iter().map(|v| v.path.clone()).collect();
    let both = [shelf.paths(), of_second.clone()].concat();
    let (first, second) = (shelf.report.set, second.set);
    let refused = |paths: &[PathBuf], set, said: &[String]| {
        let error = check(&shelf, paths, set).unwrap_err();
        let into = shelf.dir.path().join("refused");
        let files = Files { paths, set };
        let too = restore_volumes(files, &shelf.key, (&into, None), &mut ()).unwrap_err();
        assert!(matches!(error, VaultError::WhichSet { .. }), "{error}");
        assert_eq!(error.to_string(), too.to_string());
        let (code, told) = shelf.python_of(set, "refused", paths);
        assert_eq!(code, Some(2), "{told}");
        for part in said {
            assert!(error.to_string().contains(part), "{part} in {error}");
            assert!(told.contains(part), "{part} in {told}");
        }
        assert!(!into.exists(), "nothing was made");
    };
    let named = |set: SetId, of: &[PathBuf]| format!("{set} (volumes: {}, whole)", of.len());
    refused(&both, None, &[named(first, &shelf.paths()), named(second, &of_second)]);
    for (set, other) in [(first, &of_second), (second, &shelf.paths())] {
        let given = read_by_both(&shelf, &both, Some(set), &set.to_string());
        assert_eq!((given.volumes.set, left(&given)), (Some(set), other.clone()));
    }
    // Neither is whole, or the one that was asked for is not there.
    let parts = [&shelf.paths()[1..], &of_second[..1]].concat();
    let many = shelf.paths().len() - 1;
    refused(
        &parts,
        None,
        &[format!("{first} (volumes: {many})"), format!("{second} (volumes: 1)")],
    );
    let strange: SetId = "00112233445566778899aabbccddeeff".parse().unwrap();
    refused(&both, Some(strange), &[named(first, &shelf.paths())]);
    assert!(!check(&shelf, &parts, Some(first)).unwrap().is_complete());
    // Without the key nobody can tell which is whole.
    let keyless = check_volumes(&both, None, &mut ()).unwrap_err();
    assert!(keyless.to_string().contains(&format!("{second} (")), "{keyless}");
    let keyless = check_volumes(Files { paths: &both, set: Some(second) }, None, &mut ()).unwrap();
    assert_eq!((keyless.volumes.set, left(&keyless)), (Some(second), shelf.paths()));
}
