//! Whether a device is written to while somebody reads it: what rests on it is mounted, or is swap.
//!
//! Invariants
//! 1. The device itself, its partitions, whatever is stacked on them (LVM, dm-crypt, md), loop
//!    devices over any of these, and other loop devices over the same image are looked at.
//! 2. Mounts of other namespaces count where they can be read. Where they cannot, the kernel's own
//!    claim tells: one that nothing read-only explains is of somebody who writes.
//! 3. A question without an answer is an error. A read-only mount writes nothing.
//!
//! Out of scope: programs that write to the device itself, and other machines.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::error::SanitizeError;
use crate::guard::{behind, device_at};
use crate::host::{Host, names, number, partitions};
use crate::identity::{DeviceNumber, backing_path};

/// What writes to the block device or image `path`, in words; `None` if nothing is seen to.
///
/// # Errors
/// [`SanitizeError`] if that cannot be told.
pub fn written_to(path: &Path) -> Result<Option<String>, SanitizeError> {
    let meta = fs::metadata(path).map_err(|e| SanitizeError::undeterminable("its kind", e))?;
    written(&Host::here(), &meta)
}

fn written(host: &Host, meta: &Metadata) -> Result<Option<String>, SanitizeError> {
    let all = match meta.file_type().is_block_device() {
        true => vec![DeviceNumber::from_raw(meta.rdev())],
        false => loops_over(host, (DeviceNumber::from_raw(meta.dev()), meta.ino()))?,
    };
    match in_use(host, &family(host, all)?)? {
        None if !meta.file_type().is_block_device() => is_swap(host, |swap| {
            swap.is_file() && (swap.dev(), swap.ino()) == (meta.dev(), meta.ino())
        }),
        found => Ok(found),
    }
}

fn in_use(host: &Host, family: &[DeviceNumber]) -> Result<Option<String>, SanitizeError> {
    let mounts = host.mounts_everywhere()?;
    let of = |mount: &crate::mounts::Mount, device: &DeviceNumber| {
        mount.device == *device || device_at(&mount.source) == Some(*device)
    };
    let writes = |m: &&crate::mounts::Mount| m.writable && family.iter().any(|d| of(m, d));
    if let Some(mount) = mounts.iter().find(writes) {
        return Ok(Some(format!("is mounted writable at {}", mount.at)));
    }
    let block = |meta: &Metadata| {
        let is_one = meta.file_type().is_block_device();
        is_one && family.contains(&DeviceNumber::from_raw(meta.rdev()))
    };
    if let Some(swap) = is_swap(host, block)? {
        return Ok(Some(swap));
    }
    for device in family {
        let dir = host.block(*device)?;
        let held = !names(&dir.join("holders"))?.is_empty();
        if held || mounts.iter().any(|mount| of(mount, device)) {
            continue; // what holds it is of the family; what is mounted is read-only
        }
        if host.is_claimed(&dir)? == Some(true) && !parts_claimed(host, &dir)? {
            let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(Some(format!(
                "is in use ({name} is mounted in another namespace, or is part of something)"
            )));
        }
    }
    Ok(None)
}

/// Whether the claim on a disk is that of its partitions, each of which is looked at by itself.
fn parts_claimed(host: &Host, disk: &Path) -> Result<bool, SanitizeError> {
    for (part, _) in partitions(disk)? {
        if host.is_claimed(&part)? == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_swap(
    host: &Host,
    is_it: impl Fn(&Metadata) -> bool,
) -> Result<Option<String>, SanitizeError> {
    for entry in host.swaps()? {
        let meta = fs::metadata(&entry)
            .map_err(|e| SanitizeError::undeterminable(format!("what swap area {entry} is"), e))?;
        if is_it(&meta) {
            return Ok(Some(format!("is swap ({entry})")));
        }
    }
    Ok(None)
}

/// These devices, their partitions, all that is stacked on them, and what shares their bytes.
fn family(host: &Host, start: Vec<DeviceNumber>) -> Result<Vec<DeviceNumber>, SanitizeError> {
    let mut all = start;
    let mut at = 0;
    while at < all.len() {
        let dir = host.block(all[at])?;
        let mut more: Vec<_> = partitions(&dir)?.into_iter().map(|(_, part)| part).collect();
        for holder in names(&dir.join("holders"))? {
            let held = fs::canonicalize(dir.join("holders").join(holder));
            let held = held.map_err(|e| SanitizeError::undeterminable("what is on it", e))?;
            more.push(number(&held)?);
        }
        more.extend(loops(host, |over| over.block == Some(all[at]))?);
        if backing_path(&dir)?.is_some()
            && let Some(over) = behind(host, &dir)?
        {
            more.extend(over.block);
            more.extend(loops_over(host, over.file)?);
        }
        more.retain(|device| !all.contains(device));
        more.sort_unstable();
        more.dedup();
        all.extend(more);
        at += 1;
    }
    Ok(all)
}

fn loops_over(host: &Host, file: (DeviceNumber, u64)) -> Result<Vec<DeviceNumber>, SanitizeError> {
    loops(host, |over| over.file == file)
}

/// Loop devices over what `is_it` describes.
fn loops(
    host: &Host,
    is_it: impl Fn(&crate::guard::Behind) -> bool,
) -> Result<Vec<DeviceNumber>, SanitizeError> {
    let mut found = Vec::new();
    for dir in host.disks()? {
        if backing_path(&dir)?.is_some() && behind(host, &dir)?.is_some_and(|over| is_it(&over)) {
            found.push(number(&dir)?);
        }
    }
    Ok(found)
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
        fs::create_dir_all(root.join("dev")).unwrap();
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

    fn mounted(host: &Host, device: &str) -> Result<Option<String>, SanitizeError> {
        in_use(host, &family(host, vec![device.parse().unwrap()])?)
    }

    #[test]
    fn another_loop_over_the_same_image_and_another_namespace_are_found() {
        let root = tempfile::tempdir().unwrap();
        let host = machine(root.path(), "");
        let image = root.path().join("image");
        fs::write(&image, "image").unwrap();
        for (name, number) in [("loop0", "7:0"), ("loop1", "7:1")] {
            let dir = root.path().join("sys/block").join(name);
            fs::create_dir_all(dir.join("loop")).unwrap();
            fs::write(dir.join("dev"), number).unwrap();
            fs::write(dir.join("loop/backing_file"), image.as_os_str().as_encoded_bytes()).unwrap();
            let link = root.path().join("sys/dev/block").join(number);
            std::os::unix::fs::symlink(dir, link).unwrap();
        }
        let of_file = || written(&host, &fs::metadata(&image).unwrap()).unwrap();
        assert_eq!((mounted(&host, "7:1").unwrap(), of_file()), (None, None));
        let other = root.path().join("proc/77");
        fs::create_dir_all(other.join("ns")).unwrap();
        std::os::unix::fs::symlink("mnt:[77]", other.join("ns/mnt")).unwrap();
        fs::write(other.join("mountinfo"), "9 8 7:0 / /in rw - ext4 none rw\n").unwrap();
        let said = Some("is mounted writable at /in".to_owned());
        for loops in ["7:0", "7:1"] {
            assert_eq!(mounted(&host, loops).unwrap(), said);
        }
        assert_eq!(of_file(), said, "the image itself");
        assert_eq!(mounted(&host, "8:0").unwrap(), None);
        fs::write(other.join("mountinfo"), "9 8 7:0 / /in rw - ext4 none ro\n").unwrap();
        let swaps = format!("Filename Type\n{} file 1 2 -3\n", image.display());
        fs::write(root.path().join("proc/swaps"), swaps).unwrap();
        assert!(of_file().is_some_and(|said| said.starts_with("is swap")));
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
            let disk = mounted(&host, "8:0").unwrap();
            let said = "is mounted writable at /srv/a".to_owned();
            assert_eq!(disk, found.then_some(said), "{mounts}");
        }
        let root = tempfile::tempdir().unwrap();
        let host = machine(root.path(), &line("8:0", "rw"));
        assert_eq!(mounted(&host, "8:1").unwrap(), None, "the disk is not of it");
        assert!(mounted(&host, "9:9").is_err(), "what nobody knows is no no");
    }
}
