//! Archive volumes: written, read back here and by a program in Python that shares no code, and
//! damaged in every way a shelf of tapes can be.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bailee_vault::{
    Kek, SetId, SetReport, SnapshotId, Source, Vault, VaultError, VolumeProblem, read_volumes,
};

use crate::export::tree;
use crate::support::{describe, kek, memory_vault, noise};

pub(crate) const MOST: u64 = 300_000;
pub(crate) const ORIGIN: &str = "example.org/log";

/// A set of several volumes, its tree, and a key file.
pub(crate) struct Shelf {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) vault: Vault,
    pub(crate) snapshot: SnapshotId,
    pub(crate) key: Kek,
    pub(crate) report: SetReport,
}

impl Shelf {
    pub(crate) fn new(fill: fn(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (from, out) = (dir.path().join("from"), dir.path().join("out"));
        std::fs::create_dir(&from).unwrap();
        fill(&from);
        let (_, vault) = memory_vault();
        let snapshot = vault.preserve("t", "A-1", &Source::Tree(from), &mut ()).unwrap().id;
        let key = Kek::generate_file(&dir.path().join("key")).unwrap();
        let report = vault
            .export_volumes(("t", &[snapshot]), (ORIGIN, &key), (&out, MOST), &mut ())
            .unwrap();
        Self { dir, vault, snapshot, key, report }
    }

    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.report.volumes.iter().map(|v| v.path.clone()).collect()
    }

    pub(crate) fn problems(&self, paths: &[PathBuf]) -> Vec<VolumeProblem> {
        read_volumes(paths, &self.key, None).unwrap().problems
    }

    /// The reader in Python restores to `to`.
    pub(crate) fn python(&self, to: &str, paths: &[PathBuf]) -> (Option<i32>, String) {
        self.python_of(None, to, paths)
    }

    /// The same, of one set among others.
    pub(crate) fn python_of(
        &self,
        set: Option<SetId>,
        to: &str,
        paths: &[PathBuf],
    ) -> (Option<i32>, String) {
        let key = self.dir.path().join("key");
        let (to, reader) = (self.dir.path().join(to), reader());
        let mut run = Command::new(interpreter());
        run.arg(reader).arg(key);
        if let Some(set) = set {
            run.arg("--set").arg(set.to_string());
        }
        run.arg("--to").arg(to).args(paths);
        let Output { status, stderr, .. } = run.output().unwrap();
        (status.code(), String::from_utf8(stderr).unwrap())
    }

    pub(crate) fn restored(&self, to: &str) -> PathBuf {
        self.dir.path().join(to).join(self.snapshot.to_string())
    }
}

pub(crate) fn reader() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/read-volumes.py")
}

/// The interpreter with the packages that `cargo xtask setup` installed.
pub(crate) fn interpreter() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("tools/python/bin/python");
    assert!(python.exists(), "no {}: run `cargo xtask setup`", python.display());
    python
}

/// Files of which each lies in one or two volumes.
pub(crate) fn letters(root: &Path) {
    for n in 0..12 {
        std::fs::write(root.join(format!("letter-{n:02}")), noise(n + 1, 70_000)).unwrap();
    }
}

pub(crate) fn flip(path: &Path, at: u64) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = usize::try_from(at).unwrap() % bytes.len();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Forty directories, one in the other: `go` is told each before it is opened.
fn deep(root: &Path, go: &dyn Fn(&std::fs::File, &str)) -> std::fs::File {
    use rustix::fs::{Mode, OFlags, openat};
    let mut here = std::fs::File::open(root).unwrap();
    for n in 0..40 {
        let name = format!("{n:02}{}", "d".repeat(120));
        go(&here, &name);
        here = openat(&here, &name, OFlags::DIRECTORY, Mode::empty()).unwrap().into();
    }
    here
}

#[test]
fn paths_longer_than_the_system_takes_come_back() {
    use rustix::fs::{Mode, OFlags, linkat, openat, symlinkat};
    let shelf = Shelf::new(|from| {
        let bottom = deep(from, &|here, name| {
            rustix::fs::mkdirat(here, name, Mode::from_raw_mode(0o750)).unwrap();
        });
        let flags = OFlags::CREATE | OFlags::WRONLY;
        let file = openat(&bottom, "letter", flags, Mode::from_raw_mode(0o640)).unwrap();
        rustix::io::write(&file, b"from the bottom").unwrap();
        rustix::fs::fsetxattr(&file, "user.note", b"kept", rustix::fs::XattrFlags::empty())
            .unwrap();
        linkat(&bottom, "letter", &bottom, "other", rustix::fs::AtFlags::empty()).unwrap();
        symlinkat("x".repeat(4000), &bottom, "link").unwrap();
    });
    assert_eq!(shelf.python("python", &shelf.paths()), (Some(0), String::new()));
    let bottom = deep(&shelf.restored("python"), &|here, name| {
        let stat = rustix::fs::statat(here, name, rustix::fs::AtFlags::empty()).unwrap();
        assert_eq!(stat.st_mode & 0o7777, 0o750);
    });
    let open = |name: &str| openat(&bottom, name, OFlags::RDONLY, Mode::empty()).unwrap();
    let (mut bytes, mut value) = ([0; 99], [0; 99]);
    let n = rustix::io::read(open("letter"), &mut bytes).unwrap();
    assert_eq!(&bytes[..n], b"from the bottom");
    let n = rustix::fs::fgetxattr(open("other"), "user.note", &mut value).unwrap();
    assert_eq!(&value[..n], b"kept", "another name of the same file");
    let stat = rustix::fs::fstat(open("letter")).unwrap();
    assert_eq!((stat.st_mode & 0o7777, stat.st_nlink), (0o640, 2));
    assert_eq!(rustix::fs::readlinkat(&bottom, "link", Vec::new()).unwrap().as_bytes().len(), 4000);
}

#[test]
fn volumes_give_back_what_was_preserved() {
    let shelf = Shelf::new(tree);
    let (from, paths) = (describe(&shelf.dir.path().join("from")), shelf.paths());
    assert!(paths.len() > 2, "{paths:?}");
    assert!(shelf.report.volumes.iter().all(|v| v.size <= MOST));
    for (volume, ordinal) in shelf.report.volumes.iter().zip(1..) {
        let said = Command::new("sha256sum").arg(&volume.path).output().unwrap().stdout;
        let hex = bailee_ledger::to_hex(&volume.sha256);
        assert!(String::from_utf8(said).unwrap().starts_with(&hex));
        assert_eq!(volume.ordinal, ordinal);
        let names = std::fs::read(&volume.path).unwrap();
        assert!(names.windows(15).any(|w| w == ORIGIN.as_bytes()), "whom to bring it to");
    }
    let mut shuffled = paths.clone();
    shuffled.reverse();
    let said = shelf.python("python", &shuffled);
    assert_eq!(said, (Some(0), String::new()));
    assert_eq!(describe(&shelf.restored("python")), from);
    let sparse = shelf.restored("python").join("sparse").metadata().unwrap();
    assert!(sparse.blocks() * 512 < sparse.size() / 2, "its holes are holes again");

    let to = shelf.dir.path().join("tar");
    std::fs::create_dir(&to).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["-xp", "--xattrs", "--xattrs-include=*", "-f", "-", "-C"]).arg(&to);
    let mut tar = tar.stdin(Stdio::piped()).spawn().unwrap();
    let report = read_volumes(&shuffled, &shelf.key, tar.stdin.as_mut().map(|s| s as _)).unwrap();
    drop(tar.stdin.take());
    assert!(tar.wait().unwrap().success());
    assert_eq!(report.problems, []);
    assert_eq!(report.volumes, shelf.report.volumes);
    assert_eq!((&*report.origin, &*report.tenant, &*report.unit), (ORIGIN, "t", "A-1"));
    assert_eq!(describe(&shelf.restored("tar")), from);
}

#[test]
fn a_missing_volume_is_named_and_the_rest_comes_back() {
    let shelf = Shelf::new(letters);
    let paths = shelf.paths();
    let from = describe(&shelf.dir.path().join("from"));
    for gone in 0..paths.len() {
        let mut left = paths.clone();
        left.remove(gone);
        let ordinal = u32::try_from(gone + 1).unwrap();
        assert_eq!(
            shelf.problems(&left),
            [VolumeProblem::Missing { first: ordinal, last: ordinal }]
        );
        let to = format!("without-{ordinal}");
        let (code, said) = shelf.python(&to, &left);
        assert_eq!(code, Some(1));
        assert!(said.contains(&format!("volume {ordinal} of the set is missing")), "{said}");
        let found = describe(&shelf.restored(&to));
        let files = found.iter().filter(|(name, _)| !name.is_empty());
        let whole = files.clone().filter(|(name, seen)| from.get(*name) == Some(*seen)).count();
        assert_eq!(whole, files.count(), "what is there is whole");
        assert!(whole >= 6, "of 12 letters, a volume of four touches at most six: {whole}\n{said}");
    }
}

#[test]
fn a_flipped_byte_costs_the_files_of_one_frame() {
    let shelf = Shelf::new(letters);
    let paths = shelf.paths();
    for at in (0..20).map(|n| n * 14_983) {
        flip(&paths[1], at);
        let problems = shelf.problems(&paths);
        let damaged = problems.iter().any(|p| p.volume() == Some(&paths[1]));
        assert!(damaged && problems.len() <= 2, "byte {at}: {problems:?}");
        flip(&paths[1], at);
    }
    assert_eq!(shelf.problems(&paths), []);
    flip(&paths[1], 270_000); // in the second, short frame
    let (code, said) = shelf.python("flipped", &paths);
    assert_eq!(code, Some(1));
    assert!(said.contains(": frame 2 is damaged"), "{said}");
    assert_eq!(said.matches("it is not whole").count(), 1, "{said}");
    assert!(describe(&shelf.restored("flipped")).len() >= 11, "{said}");
}

/// A second set of the same snapshot under the same key.
pub(crate) fn another(shelf: &Shelf, to: &str) -> SetReport {
    let out = shelf.dir.path().join(to);
    let to = ((ORIGIN, &shelf.key), (&*out, MOST));
    shelf.vault.export_volumes(("t", &[shelf.snapshot]), to.0, to.1, &mut ()).unwrap()
}

#[test]
fn swapped_foreign_and_cut_volumes_are_named() {
    let (shelf, other) = (Shelf::new(letters), Shelf::new(letters));
    let paths = shelf.paths();
    // Renamed files are no damage: what they are stands in them.
    let aside = shelf.dir.path().join("aside");
    std::fs::rename(&paths[0], &aside).unwrap();
    std::fs::rename(&paths[1], &paths[0]).unwrap();
    std::fs::rename(&aside, &paths[1]).unwrap();
    assert_eq!(shelf.problems(&paths), []);
    // One twice; one of another key; one of another set under the same key.
    let twice = [paths.clone(), vec![paths[0].clone()]].concat();
    assert!(matches!(shelf.problems(&twice)[..], [VolumeProblem::Twice { ordinal: 2, .. }]));
    let mixed = [paths.clone(), vec![other.paths()[0].clone()]].concat();
    assert!(matches!(shelf.problems(&mixed)[..], [VolumeProblem::OtherKey { .. }]));
    let second = another(&shelf, "second");
    let foreign = second.volumes[1].path.clone();
    let mixed = [paths.clone(), vec![foreign]].concat();
    assert!(matches!(shelf.problems(&mixed)[..], [VolumeProblem::Foreign { .. }]));
    let (code, said) = shelf.python("mixed", &mixed);
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("belongs to set {}", second.set)), "{said}");
    assert_eq!(describe(&shelf.restored("mixed")), describe(&shelf.dir.path().join("from")));
    // Cut anywhere.
    let whole = std::fs::read(&paths[2]).unwrap();
    for len in [0, 7, 87, 100, 140, 200, 5_000, whole.len() - 42, whole.len() - 1] {
        std::fs::write(&paths[2], &whole[..len]).unwrap();
        let problems = shelf.problems(&paths);
        assert!(problems.iter().any(|p| p.volume() == Some(&paths[2])), "{len}: {problems:?}");
    }
    std::fs::write(&paths[2], [&whole[..], b"more"].concat()).unwrap();
    let cut = VolumeProblem::Cut { volume: paths[2].clone() };
    assert!(shelf.problems(&paths).contains(&cut));
}

#[test]
fn the_wrong_key_opens_nothing_and_the_vault_s_key_is_refused() {
    let shelf = Shelf::new(letters);
    let paths = shelf.paths();
    let mut out = Vec::new();
    let wrong = Kek::from_bytes([9; 32]);
    let report = read_volumes(&paths, &wrong, Some(&mut out)).unwrap();
    assert_eq!((report.set, out.len(), report.problems.len()), (None, 0, paths.len() + 1));
    let key = shelf.dir.path().join("key");
    std::fs::write(key, format!("{}\n", "09".repeat(32))).unwrap();
    let (code, said) = shelf.python("wrong", &paths);
    assert_eq!(code, Some(1));
    assert!(said.contains("another key sealed it"), "{said}");
    let out = shelf.dir.path().join("out");
    let with = |key: &Kek, most| {
        let to = ((ORIGIN, key), (&*out, most));
        shelf.vault.export_volumes(("t", &[shelf.snapshot]), to.0, to.1, &mut ())
    };
    for (refused, why) in [
        (with(&kek(), MOST), "the vault's own key"),
        (with(&shelf.key, 65_535), "65536"),
        (
            shelf.vault.export_volumes(("t", &[]), (ORIGIN, &wrong), (&out, MOST), &mut ()),
            "snapshots",
        ),
    ] {
        let Err(VaultError::Volume { detail, .. }) = refused else { panic!("{refused:?}") };
        assert!(detail.contains(why), "{detail}");
    }
}

#[test]
fn several_snapshots_are_one_archive() {
    let shelf = Shelf::new(letters);
    let from = shelf.dir.path().join("from");
    let first = describe(&from);
    std::fs::write(from.join("later"), noise(77, 10_000)).unwrap();
    let preserve = |unit| shelf.vault.preserve("t", unit, &Source::Tree(from.clone()), &mut ());
    let (second, foreign) = (preserve("A-1").unwrap().id, preserve("A-2").unwrap().id);
    let out = shelf.dir.path().join("both");
    std::fs::create_dir(&out).unwrap();
    let export = |ids: &[SnapshotId]| {
        shelf.vault.export_volumes(("t", ids), (ORIGIN, &shelf.key), (&out, 1 << 20), &mut ())
    };
    assert!(matches!(export(&[second, foreign]), Err(VaultError::Volume { .. })));
    let both = export(&[shelf.snapshot, second]).unwrap();
    let paths: Vec<PathBuf> = both.volumes.iter().map(|v| v.path.clone()).collect();
    assert_eq!(shelf.python("back", &paths), (Some(0), String::new()));
    let below = |id: SnapshotId| describe(&shelf.dir.path().join("back").join(id.to_string()));
    assert_eq!((below(shelf.snapshot).len(), below(second)), (first.len(), describe(&from)));
}

/// Version 1, as it was written once and must be readable for ever.
fn frozen() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/v1/volumes")
}

fn frozen_key() -> Kek {
    Kek::from_bytes(*b"the key of a shelf, no secret..!")
}

#[test]
fn volumes_of_version_1_are_read() {
    let files = std::fs::read_dir(frozen()).unwrap().map(|item| item.unwrap().path());
    let mut paths: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|kind| kind == "bvol")).collect();
    paths.sort();
    let mut archive = Vec::new();
    let report = read_volumes(&paths, &frozen_key(), Some(&mut archive)).unwrap();
    assert_eq!((report.volumes.len(), report.problems), (2, vec![]));
    let wanted = std::fs::read(frozen().join("archive.tar.sha256")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (tar, key, to) = (dir.path().join("tar"), dir.path().join("key"), dir.path().join("to"));
    std::fs::write(&tar, archive).unwrap();
    let said = Command::new("sha256sum").stdin(std::fs::File::open(tar).unwrap()).output();
    assert_eq!(String::from_utf8(said.unwrap().stdout), String::from_utf8(wanted));
    let hex = bailee_ledger::to_hex(b"the key of a shelf, no secret..!");
    std::fs::write(&key, format!("{hex}\n")).unwrap();
    let mut run = Command::new(interpreter());
    let run = run.arg(reader()).arg(key).arg("--to").arg(&to).args(paths).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let snapshot = std::fs::read_dir(to).unwrap().next().unwrap().unwrap().path();
    let letter = std::fs::read_to_string(snapshot.join("dir/letter.txt")).unwrap();
    assert_eq!(letter, "Keep this. ".repeat(40));
}
