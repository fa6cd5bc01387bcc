//! From one machine to another: sources that are sent in, snapshots that are sent out.

use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use bailee_vault::{
    Input, Node, Pattern, Plain, PlainWriter, RestoreReport, SnapshotId, SnapshotReport, Source,
    SourceKind, Unchanged, Vault, VaultError, receive, receive_bag, send,
};

use crate::support::{describe, memory_vault, noise};

/// The bytes that a source is sent as.
pub(crate) fn sent(source: &Source) -> Vec<u8> {
    let mut out = Vec::new();
    send(source, &mut out, &mut ()).unwrap();
    out
}

pub(crate) fn take_in(
    vault: &Vault,
    bytes: Vec<u8>,
    kind: SourceKind,
) -> Result<SnapshotReport, VaultError> {
    let source = Source::Sent(kind, Input::new("/srv/there", std::io::Cursor::new(bytes)));
    vault.preserve_with("t", "A-1", &source, Unchanged::Skip, &mut ())
}

/// Sends a source, and preserves what comes.
pub(crate) fn arrive(vault: &Vault, source: &Source, kind: SourceKind) -> SnapshotReport {
    take_in(vault, sent(source), kind).unwrap()
}

pub(crate) fn given(vault: &Vault, id: &SnapshotId, filter: Option<&Pattern>) -> Vec<u8> {
    let mut out = Vec::new();
    vault.give("t", id, filter, ("example.org", &mut out)).unwrap();
    out
}

/// Sends a snapshot, and restores what comes.
pub(crate) fn depart(
    vault: &Vault,
    id: &SnapshotId,
    to: &Path,
) -> Result<RestoreReport, VaultError> {
    let bytes = given(vault, id, None);
    receive((&mut bytes.as_slice(), "the service"), to, None, &mut ())
}

/// A tree with what tar has no form for.
fn furnish(from: &Path) {
    std::fs::create_dir_all(from.join("a/deep")).unwrap();
    std::fs::write(from.join("a/deep/letter"), noise(1, 3 << 20)).unwrap();
    std::fs::hard_link(from.join("a/deep/letter"), from.join("z-again")).unwrap();
    symlink("../outside", from.join("a/link")).unwrap();
    UnixListener::bind(from.join("socket")).unwrap();
    std::fs::write(from.join("empty"), b"").unwrap();
    let sparse = std::fs::File::create(from.join("sparse")).unwrap();
    sparse.write_all_at(b"start", 3).unwrap();
    sparse.write_all_at(&noise(2, 3_000_000), 100_000_123).unwrap();
    sparse.set_len(300 << 20).unwrap();
    let mode = std::fs::Permissions::from_mode(0o4711);
    std::fs::set_permissions(from.join("empty"), mode).unwrap();
}

#[test]
fn a_tree_that_is_sent_is_kept_as_one_that_is_read_here() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    furnish(&from);
    let (_, vault) = memory_vault();
    let source = Source::Tree(from.clone());
    let here = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
    let bytes = sent(&source);
    assert!(bytes.len() < 8 << 20, "holes do not travel: {}", bytes.len());
    let there = arrive(&vault, &source, SourceKind::Tree);
    let manifest = |id| vault.manifest("t", id).unwrap();
    assert_eq!(manifest(&there.id), manifest(&here.id), "names, times, sockets, all of it");
    assert!(there.stored_bytes < 20_000, "each chunk is there already: {}", there.stored_bytes);
    let listed = vault.list("t").unwrap();
    let info = listed.iter().find(|info| info.id == there.id).unwrap();
    assert_eq!((info.kind, info.source.as_str()), (SourceKind::Tree, "/srv/there"));
    let taken = depart(&vault, &there.id, &to).unwrap();
    assert!(taken.is_complete() && taken.not_restored.is_empty(), "{taken:?}");
    assert_eq!(describe(&to), describe(&from));
    let blocks = |at: &Path| std::fs::metadata(at.join("sparse")).unwrap().blocks();
    assert!(blocks(&to) * 512 < 8 << 20, "holes are holes: {} blocks", blocks(&to));
}

/// Somebody who works on a file while it is sent.
struct Meddler<'a> {
    sent: Vec<u8>,
    file: &'a Path,
    becomes: Option<u64>,
}

impl std::io::Write for Meddler<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.sent.extend_from_slice(bytes);
        if self.sent.len() > 1 << 20
            && let Some(len) = self.becomes.take()
        {
            std::fs::File::options().write(true).open(self.file)?.set_len(len)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_kept_as_changed() {
    let (_, vault) = memory_vault();
    for (becomes, kept) in [(5 << 20, 4 << 20), (2 << 20, 2 << 20)] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("growing");
        std::fs::write(&file, noise(7, 4 << 20)).unwrap();
        std::fs::write(dir.path().join("still"), b"x").unwrap();
        let mut meddler = Meddler { sent: Vec::new(), file: &file, becomes: Some(becomes) };
        send(&Source::Tree(dir.path().to_owned()), &mut meddler, &mut ()).unwrap();
        let report = take_in(&vault, meddler.sent, SourceKind::Tree).unwrap();
        assert_eq!(report.changed, [Path::new("growing")]);
        let manifest = vault.manifest("t", &report.id).unwrap();
        let content = manifest.iter().find(|e| e.path == b"growing").unwrap().content().unwrap();
        assert_eq!((content.size, content.changed), (kept, true), "what was read, and no zeros");
    }
}

#[test]
fn a_part_of_a_snapshot_is_taken_by_its_pattern_with_links_to_what_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    furnish(&from);
    let (_, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(from), &mut ()).unwrap();
    for pattern in ["z-*", "a/**", "empty"] {
        let pattern = Pattern::new(pattern).unwrap();
        let [here, there] = ["here", "there"].map(|n| dir.path().join(format!("{n}-{pattern:?}")));
        let local = vault.restore("t", &kept.id, &here, Some(&pattern)).unwrap();
        let bytes = given(&vault, &kept.id, Some(&pattern));
        let from = (&mut bytes.as_slice() as &mut (dyn std::io::Read + Send), "the service");
        let taken = receive(from, &there, Some(&pattern), &mut ()).unwrap();
        assert_eq!((taken.files, taken.bytes), (local.files, local.bytes));
        assert_eq!(describe(&there), describe(&here), "{pattern:?}");
    }
}

#[test]
fn a_stream_that_is_cut_is_no_snapshot_wherever_it_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), noise(3, 200_000)).unwrap();
    std::fs::write(dir.path().join("b"), b"short").unwrap();
    let (_, vault) = memory_vault();
    let bytes = sent(&Source::Tree(dir.path().to_owned()));
    let cuts = (0..bytes.len()).step_by(9973).chain(bytes.len() - 60..bytes.len());
    for cut in cuts {
        let refused = take_in(&vault, bytes[..cut].to_vec(), SourceKind::Tree);
        assert!(matches!(refused, Err(VaultError::Transfer { .. })), "{cut}: {refused:?}");
    }
    assert_eq!(vault.list("t").unwrap(), []);
    let whole = take_in(&vault, bytes, SourceKind::Tree).unwrap();
    assert!(vault.verify("t", &whole.id).unwrap().is_intact());
}

#[test]
fn what_is_no_tree_is_refused_before_there_is_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("d")).unwrap();
    std::fs::write(dir.path().join("d/file-of-ours"), b"x").unwrap();
    let (_, vault) = memory_vault();
    let good = sent(&Source::Tree(dir.path().to_owned()));
    let name = b"d/file-of-ours";
    let at = good.windows(name.len()).position(|window| window == name).unwrap();
    for hostile in [&b"../outside-her"[..], b"/etc/passwd/xy", b"d//ile-of-ours", b"e/file-of-ours"]
    {
        let mut bytes = good.clone();
        bytes[at..at + name.len()].copy_from_slice(hostile);
        let refused = take_in(&vault, bytes, SourceKind::Tree);
        assert!(matches!(refused, Err(VaultError::Transfer { .. })), "{hostile:?}: {refused:?}");
    }
    let refused = take_in(&vault, good, SourceKind::File);
    assert!(matches!(refused, Err(VaultError::Transfer { .. })), "a tree is no file: {refused:?}");
    assert_eq!(vault.list("t").unwrap(), []);
}

#[test]
fn a_snapshot_that_is_cut_names_what_is_not_there_and_leaves_no_half_file() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    std::fs::create_dir(&from).unwrap();
    for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
        std::fs::write(from.join(name), noise(n as u64, 300_000)).unwrap();
    }
    let (_, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(from), &mut ()).unwrap();
    let whole = given(&vault, &kept.id, None);
    let take = |bytes: &[u8], to: &Path| receive((&mut &*bytes, "the service"), to, None, &mut ());
    let to = dir.path().join("to");
    let cut = take(&whole[..500_000], &to).unwrap_err().to_string();
    assert!(cut.contains("\"b\"") && cut.contains("2 of 3 files"), "{cut}");
    let names = std::fs::read_dir(&to).unwrap().map(|e| e.unwrap().file_name());
    let names: Vec<_> = names.filter(|name| name != ".bailee-restore-incomplete").collect();
    assert_eq!(names, ["a"], "what came whole stays, what did not is removed");
    let bag = dir.path().join("bag");
    let torn = receive_bag((&mut &whole[..500_000], "the service"), &bag, &mut ()).unwrap_err();
    assert!(torn.to_string().contains("the bag is not whole"), "{torn}");
    assert!(!bag.join("bagit.txt").exists());
    let last = dir.path().join("last");
    let cut = take(&whole[..whole.len() - 1], &last).unwrap_err();
    assert!(matches!(cut, VaultError::Transfer { .. }), "without its end it is not whole: {cut}");
    // A byte that turns on the way: the file it is in is removed and named, the others stay.
    let mut turned = whole.clone();
    turned[500_000] ^= 1;
    let odd = dir.path().join("odd");
    let report = take(&turned, &odd).unwrap();
    assert_eq!((report.files, report.damaged.len()), (2, 1), "{report:?}");
    assert_eq!(report.damaged[0].path, Path::new("b"));
    assert!(!odd.join("b").exists() && odd.join("c").exists());
}

#[test]
fn a_hostile_server_makes_nothing_outside_of_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    std::fs::create_dir(&from).unwrap();
    std::fs::write(from.join("file-of-ours"), b"x").unwrap();
    let (_, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(from), &mut ()).unwrap();
    let good = given(&vault, &kept.id, None);
    let name = b"file-of-ours";
    for hostile in [&b"../outside-h"[..], b"/etc/passwdx", b"a/../../xyzw"] {
        let mut bytes = good.clone();
        while let Some(at) = bytes.windows(name.len()).position(|window| window == name) {
            bytes[at..at + name.len()].copy_from_slice(hostile);
        }
        let to = dir.path().join("to");
        let refused = receive((&mut bytes.as_slice(), "the service"), &to, None, &mut ());
        assert!(matches!(refused, Err(VaultError::Transfer { .. })), "{hostile:?}: {refused:?}");
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), 0);
        let names = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 2, "from and to, and nothing else");
    }
    // Another file than the manifest says comes.
    let mut other = good;
    let at = other.windows(name.len()).rposition(|window| window == name).unwrap();
    other[at] = b'g';
    let to = dir.path().join("other");
    let refused = receive((&mut other.as_slice(), "the service"), &to, None, &mut ()).unwrap_err();
    assert!(refused.to_string().contains("another file"), "{refused}");
    assert!(!to.join("file-of-ours").exists());
}

#[test]
fn a_bag_that_is_made_there_is_the_bag_that_is_made_here() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    furnish(&from);
    let (_, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(from), &mut ()).unwrap();
    let [here, there] = ["here", "there"].map(|name| dir.path().join(name));
    let local = vault.export_bag("t", &kept.id, ("example.org", &here), &mut ()).unwrap();
    let bytes = given(&vault, &kept.id, None);
    let came = receive_bag((&mut bytes.as_slice(), "the service"), &there, &mut ()).unwrap();
    assert_eq!(came, local);
    for name in ["manifest-sha256.txt", "entries.jsonl", "tagmanifest-sha256.txt", "bagit.txt"] {
        let read = |bag: &Path| std::fs::read(bag.join(name)).unwrap();
        assert!(read(&there) == read(&here), "{name}");
    }
    assert!(
        std::fs::read(there.join("data/sparse")).unwrap()
            == std::fs::read(here.join("data/sparse")).unwrap()
    );
}

#[test]
fn an_archive_travels_whole_or_not_at_all() {
    let (_, vault) = memory_vault();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), noise(4, 100_000)).unwrap();
    let kept = vault.preserve("t", "A-1", &Source::Tree(dir.path().into()), &mut ()).unwrap();
    let (mut plain, mut wire) = (Vec::new(), Vec::new());
    vault.export_tar("t", &kept.id, &mut plain, &mut ()).unwrap();
    let mut writer = PlainWriter::new(&mut wire);
    std::io::Write::write_all(&mut writer, &plain).unwrap();
    writer.end(b"{}").unwrap();
    // In again as an archive: cut anywhere it is none, though its own end marker may have come.
    let take = |bytes: &[u8]| {
        let plain = Plain::new(std::io::Cursor::new(bytes.to_vec()), "a.tar");
        vault.preserve("t", "A-2", &Source::Tar(Input::new("a.tar", plain)), &mut ())
    };
    for cut in [1000, wire.len() - 1, wire.len() - 13, wire.len() - 20] {
        assert!(matches!(take(&wire[..cut]), Err(VaultError::Source { .. })), "{cut}");
    }
    let taken = take(&wire).unwrap();
    let manifest = vault.manifest("t", &taken.id).unwrap();
    assert!(manifest.iter().any(|e| e.path == b"a" && matches!(e.node, Node::File { .. })));
}
