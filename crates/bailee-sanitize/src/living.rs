//! Whether a block device is written to while somebody reads it: what rests on it is mounted.
//!
//! Invariants: the device itself, its partitions, and whatever is stacked on them (LVM, dm-crypt,
//! md) are looked at; a question without an answer is an error. A read-only mount writes nothing.
//!
//! Out of scope: mounts of other namespaces, and programs that write to the device itself.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::error::SanitizeError;
use crate::guard::device_at;
use crate::host::{Host, names, number, partitions};
use crate::identity::DeviceNumber;

/// Where a file system on the block device `path` is mounted writable; `None` if nowhere, or if it
/// is no block device.
///
/// # Errors
/// [`SanitizeError`] if that cannot be told.
pub fn mounted_writable(path: &Path) -> Result<Option<String>, SanitizeError> {
    let meta = fs::metadata(path).map_err(|e| SanitizeError::undeterminable("its kind", e))?;
    if !meta.file_type().is_block_device() {
        return Ok(None);
    }
    mounted(&Host::here(), DeviceNumber::from_raw(meta.rdev()))
}

fn mounted(host: &Host, device: DeviceNumber) -> Result<Option<String>, SanitizeError> {
    let family = family(host, device)?;
    let on = |d: Option<DeviceNumber>| d.is_some_and(|d| family.contains(&d));
    let of_family = |source: &str, device| on(Some(device)) || on(device_at(source));
    let mounts = host.mounts()?;
    let found = mounts.into_iter().find(|m| m.writable && of_family(&m.source, m.device));
    Ok(found.map(|mount| mount.at))
}

/// The device, its partitions, and all that is stacked on them.
fn family(host: &Host, device: DeviceNumber) -> Result<Vec<DeviceNumber>, SanitizeError> {
    let mut all = vec![device];
    let mut at = 0;
    while at < all.len() {
        let dir = host.block(all[at])?;
        let mut above: Vec<_> = partitions(&dir)?.into_iter().map(|(_, part)| part).collect();
        for holder in names(&dir.join("holders"))? {
            let held = fs::canonicalize(dir.join("holders").join(holder));
            let held = held.map_err(|e| SanitizeError::undeterminable("what is on it", e))?;
            above.push(number(&held)?);
        }
        above.retain(|device| !all.contains(device));
        all.extend(above);
        at += 1;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with a partition, a mapping on that, and what is mounted.
    fn machine(root: &Path, mounts: &str) -> Host {
        let block = root.join("sys/block");
        for dir in ["sda/holders", "sda/sda1/holders", "dm-0/holders"] {
            fs::create_dir_all(block.join(dir)).unwrap();
        }
        let devices = [("sda", "8:0"), ("sda/sda1", "8:1"), ("dm-0", "253:0")];
        fs::create_dir_all(root.join("sys/dev/block")).unwrap();
        for (dir, number) in devices {
            fs::write(block.join(dir).join("dev"), format!("{number}\n")).unwrap();
            let link = root.join("sys/dev/block").join(number);
            std::os::unix::fs::symlink(block.join(dir), link).unwrap();
        }
        fs::write(block.join("sda/sda1/partition"), "1\n").unwrap();
        let holder = block.join("sda/sda1/holders/dm-0");
        std::os::unix::fs::symlink(block.join("dm-0"), holder).unwrap();
        fs::create_dir_all(root.join("proc/self")).unwrap();
        fs::write(root.join("proc/self/mountinfo"), mounts).unwrap();
        Host::at(root)
    }

    #[test]
    fn a_file_system_on_it_or_on_what_is_stacked_on_it_is_found() {
        let line = |device, how| format!("9 8 {device} / /srv/a rw - ext4 none {how}\n");
        for (mounts, found) in [
            (line("8:0", "rw"), true),
            (line("8:1", "rw"), true),
            (line("253:0", "rw,noatime"), true),
            (line("253:0", "ro"), false),
            (line("8:16", "rw"), false),
        ] {
            let root = tempfile::tempdir().unwrap();
            let host = machine(root.path(), &mounts);
            let disk = mounted(&host, "8:0".parse().unwrap()).unwrap();
            assert_eq!(disk, found.then(|| "/srv/a".to_owned()), "{mounts}");
        }
        let root = tempfile::tempdir().unwrap();
        let host = machine(root.path(), &line("8:0", "rw"));
        assert_eq!(mounted(&host, "8:1".parse().unwrap()).unwrap(), None, "the disk is not of it");
        assert!(mounted(&host, "9:9".parse().unwrap()).is_err(), "what nobody knows is no no");
    }
}
