//! Reading back a set that was just written.
//!
//! Invariant: it is read as it will be when nothing else is left: the files of the set and its key,
//! each frame opened, the archive in them parsed, each file compared with its SHA-256. What comes
//! out is what went in, by SHA-256 of each volume and by number of members, files, bytes, and bytes
//! that were never read.

use std::path::PathBuf;

use super::give::Giver;
use super::read::{Place, verify};
use super::shelf::Shelf;
use super::{VolumeFacts, VolumesReport};
use crate::error::VaultError;
use crate::export::ExportReport;
use crate::key::Kek;
use crate::progress::Progress;

/// How what is read of volumes differs from what was written to them, in words; `None`: in nothing.
/// `members`: how many the archive was given.
pub(super) fn difference(
    (written, key): (&[VolumeFacts], &Kek),
    (export, members): (&ExportReport, u64),
    progress: &mut dyn Progress,
) -> Result<Option<String>, VaultError> {
    let place = |v: &VolumeFacts| Place { path: v.path.clone(), ordinal: v.ordinal, start: None };
    let places: Vec<Place> = written.iter().map(place).collect();
    let report = VolumesReport { volumes: written.to_vec(), ..VolumesReport::default() };
    let mut giver = Giver::new(report, None, progress);
    giver.run(&places, key, (&|path| Some(path.to_vec()), &|_| true))?;
    let (read, found) = (std::mem::take(&mut giver.read), giver.members);
    let given = giver.finish()?;
    if read != written {
        let paths: Vec<PathBuf> = places.into_iter().map(|place| place.path).collect();
        let (report, _) = verify(Shelf::from(&paths), key, &mut ())?;
        let what = report.problems.first().map_or_else(
            || "it has another SHA-256: use another medium".to_owned(),
            ToString::to_string,
        );
        return Ok(Some(format!("what was read back differs: {what}")));
    }
    if let Some(problem) = given.damaged.first() {
        let path = problem.path.display();
        return Ok(Some(format!("what was read back is not whole: {path}: {}", problem.what)));
    }
    let never = (given.never_read, given.unreadable);
    if never != (export.never_read, export.unreadable) {
        let (bytes, names) = never;
        let (all_bytes, all_names) = (export.never_read, export.unreadable);
        return Ok(Some(format!(
            "{bytes} bytes and {names} names were read back as never read, of {all_bytes} and \
             {all_names}"
        )));
    }
    let (back, out) = ((found, given.files, given.bytes), (members, export.files, export.bytes));
    let told = |(members, files, bytes): (u64, u64, u64)| {
        format!("{members} members, {files} files, {bytes} bytes")
    };
    let what = || format!("{} were read back of {}", told(back), told(out));
    Ok((back != out).then(what))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::preserve::Source;
    use crate::vault::Vault;
    use bailee_store::MemoryObjects;

    #[test]
    fn what_is_read_back_is_what_was_exported_or_is_told_to_differ() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("letter"), "Keep this.").unwrap();
        std::os::unix::fs::symlink("letter", dir.path().join("link")).unwrap();
        let objects = Arc::new(MemoryObjects::new());
        let vault = Vault::create(objects, &Kek::from_bytes([7; 32])).unwrap();
        let source = Source::Tree(dir.path().to_owned());
        let kept = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
        let (out, key) = (tempfile::tempdir().unwrap(), Kek::from_bytes([9; 32]));
        let (named, to) = (("t", &[kept.id][..]), (out.path(), 1 << 20));
        let set = vault.export_volumes(named, ("example.org", &key), to, &mut ()).unwrap();
        let told = |export: &ExportReport, members| {
            difference((&set.volumes, &key), (export, members), &mut ()).unwrap()
        };
        assert_eq!(told(&set.export, 3), None, "the root, a file and a link");
        let less = "3 members, 1 files, 10 bytes were read back of 4 members, 1 files, 10 bytes";
        assert_eq!(told(&set.export, 4).unwrap(), less);
        let more = ExportReport { files: 2, ..set.export.clone() };
        assert!(told(&more, 3).unwrap().ends_with("of 3 members, 2 files, 10 bytes"));
        let path = &set.volumes[0].path;
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
        let what = told(&set.export, 3).unwrap();
        assert!(what.starts_with("what was read back differs") && what.contains("(frame 1)"));
    }
}
