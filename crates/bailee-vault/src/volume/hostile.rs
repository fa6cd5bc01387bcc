//! Archives in volumes that this program would not write, under the right key: nothing outside of
//! the directory is touched, nothing is passed over in silence, and the rest comes back.

use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "../../tests/it/member.rs"]
mod member;

use super::made::{interpreter, key, key_file, reader, seal};
use super::{Given, check_volumes, restore_volumes};
use crate::export::Take;
use member::member;

fn volumes(dir: &Path, members: &[Vec<u8>]) -> Vec<PathBuf> {
    seal(dir, |set| {
        for bytes in members {
            set.member().unwrap();
            set.write(bytes).unwrap();
        }
    })
}

/// What the reader in Python says of them; 1 is its exit code.
fn python(dir: &Path, to: &str, paths: &[PathBuf]) -> String {
    let mut run = Command::new(interpreter());
    run.arg(reader()).arg(key_file(dir)).arg("--to").arg(dir.join(to)).args(paths);
    let said = run.output().unwrap();
    let told = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1), "{told}");
    assert!(!told.contains("Traceback"), "{told}");
    told
}

fn names(given: &Given) -> Vec<&str> {
    given.damaged.iter().map(|p| p.path.to_str().unwrap()).collect()
}

#[test]
fn what_would_leave_the_directory_is_named_and_the_rest_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let victim = dir.path().join("victim");
    std::fs::create_dir(&victim).unwrap();
    std::fs::write(victim.join("own"), "x").unwrap();
    let away = victim.to_str().unwrap();
    let own = format!("{away}/own");
    let paths = volumes(
        dir.path(),
        &[
            member("S/before", b'0', "", b"one"),
            member("S/a", b'2', away, b""),
            member("S/a/planted", b'0', "", b"two"),
            member("S/a/b/planted", b'0', "", b"two"),
            member("S/a/", b'5', "", b""),
            member("S/a", b'0', "", b"two"),
            member("S/h", b'1', &own, b""),
            member("S/i", b'1', "S/a/own", b""),
            member("S/before/x", b'0', "", b"two"),
            member("../up", b'0', "", b"two"),
            member("S/after", b'0', "", b"three"),
        ],
    );
    let checked = check_volumes(&paths, Some(&key()), &mut ()).unwrap();
    let into = dir.path().join("rust");
    let given = restore_volumes(&paths, &key(), (&into, None), &mut ()).unwrap();
    assert_eq!(given.damaged, checked.damaged, "a check says what restoring would");
    let refused = ["../up", "S/a", "S/a/b/planted", "S/a/planted", "S/before/x", "S/h", "S/i"];
    assert_eq!(names(&given), refused);
    assert_eq!((given.files, checked.files), (2, 2));
    let told = python(dir.path(), "python", &paths);
    assert_eq!(told.lines().count(), refused.len() + 1, "S/a is there twice: {told}");
    for name in refused {
        assert!(told.contains(&format!("{name}: ")), "{name} is not named: {told}");
    }
    for back in ["rust", "python"] {
        let read = |name: &str| std::fs::read_to_string(dir.path().join(back).join(name)).unwrap();
        assert_eq!((&*read("S/before"), &*read("S/after")), ("one", "three"));
    }
    let left: Vec<_> = std::fs::read_dir(&victim).unwrap().map(|i| i.unwrap().path()).collect();
    assert_eq!(left, [victim.join("own")], "nothing was planted");
    use std::os::unix::fs::MetadataExt;
    assert_eq!(left[0].metadata().unwrap().nlink(), 1, "and nothing linked");
}

/// What a reader does not understand is a loss with a name, though every frame is authentic and
/// members follow.
#[test]
fn what_is_not_understood_is_named_with_where_it_lies() {
    let dir = tempfile::tempdir().unwrap();
    let mut broken = member("S/broken", b'0', "", b"lost");
    broken[3] ^= 1; // its sum does not match
    let large = vec![7; 400_000];
    let paths = volumes(
        dir.path(),
        &[
            member("S/first", b'0', "", &large),
            broken,
            member("S/in its frame", b'0', "", b"lost"),
            member("S/second", b'0', "", &large),
            member("S/third", b'0', "", &large),
        ],
    );
    let given = check_volumes(&paths, Some(&key()), &mut ()).unwrap();
    assert_eq!(given.volumes.problems, []);
    assert!(!given.is_complete(), "{given:?}");
    let [problem] = &given.damaged[..] else { panic!("{given:?}") };
    assert!(problem.what.starts_with("bytes 401408.."), "{problem:?}");
    assert!(problem.what.contains("not understood") && problem.what.contains("sum is wrong"));
    assert_eq!(given.files, 2, "S/first, and S/third, behind the next start: {given:?}");
    let told = python(dir.path(), "python", &paths);
    assert!(told.contains("up to where the next member starts nothing is restored"), "{told}");
    let back = dir.path().join("python/S");
    let left = std::fs::read_dir(back).unwrap().count();
    assert_eq!(left, 2, "{told}");
}
