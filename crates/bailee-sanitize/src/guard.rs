//! Whether anything alive depends on the device.
//!
//! Invariants
//! 1. A question without an answer refuses.
//! 2. Nothing here writes, and nothing here opens the device for writing.
//! 3. The kernel's own claim (O_EXCL on block devices) is asked too, by whoever opens; it also sees
//!    mounts of other namespaces and members of btrfs or md. This file adds names to the refusal
//!    and the cases the claim does not see (two loop devices on one file, several paths).
//!
//! Order: the house itself, partition, read-only, stacked, held, mounted, swap, system disk,
//! reachable otherwise.
//!
//! Out of scope: SAS dual-port expanders and clustered file systems on other hosts cannot be seen
//! from here; fabrics (iSCSI, FC, NVMe-oF) are refused altogether.

use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{FlockOperation, fcntl_lock};

use crate::error::SanitizeError;
use crate::footing;
use crate::host::{Host, attribute, names, number, partitions};
use crate::identity::{Backing, DeviceNumber, Identity, Kind, backing_path, wwn};
use crate::loopctl;

/// Refuses unless the open device is idle as far as can be told, and nothing of `house`.
pub(crate) fn check(
    host: &Host,
    file: &File,
    identity: &Identity,
    house: Option<&Path>,
) -> Result<(), SanitizeError> {
    if let Some(house) = house {
        footing::check(host, file, identity, house)?;
    }
    match (identity.kind, &identity.backing) {
        (Kind::File, Some(backing)) => check_file(host, backing),
        (Kind::File, None) => Err(SanitizeError::undeterminable("its inode", "not in identity")),
        (Kind::Loop | Kind::Block, _) => {
            let meta = file.metadata().map_err(|e| SanitizeError::undeterminable("its kind", e))?;
            check_disk(host, DeviceNumber::from_raw(meta.rdev()), identity)
        }
    }
}

/// Takes the record lock that QEMU and others hold on images they use. It is this process's, and
/// lasts until this process closes any descriptor of the file.
pub(crate) fn claim_file(file: &File, path: &Path) -> Result<(), SanitizeError> {
    fcntl_lock(file, FlockOperation::NonBlockingLockExclusive).map_err(|_| SanitizeError::Busy {
        path: path.into(),
        detail: "it holds a record lock on the file",
    })
}

fn check_file(host: &Host, backing: &Backing) -> Result<(), SanitizeError> {
    let target = format!("file {}/{}", backing.device, backing.inode);
    for entry in host.swaps()? {
        let meta = swap_meta(&entry)?;
        if meta.is_file() && is_same(&meta, backing) {
            return Err(SanitizeError::Swap { target, entry });
        }
    }
    match loop_on(host, None, |behind| behind.file == (backing.device, backing.inode))? {
        Some(other) => Err(SanitizeError::Shared { target, other, detail: "loop device" }),
        None => Ok(()),
    }
}

fn check_disk(host: &Host, disk: DeviceNumber, identity: &Identity) -> Result<(), SanitizeError> {
    let dir = host.block(disk)?;
    if dir.join("partition").exists() {
        return Err(SanitizeError::Partition { number: disk });
    }
    if attribute(&dir, "ro")?.as_deref() != Some("0") {
        return Err(SanitizeError::ReadOnly { number: disk });
    }
    let below = names(&dir.join("slaves"))?;
    if !below.is_empty() {
        return Err(SanitizeError::Stacked { number: disk, below: below.join(", ") });
    }
    let parts = partitions(&dir)?;
    let mut family = vec![disk];
    for (part_dir, part) in [(dir.clone(), disk)].iter().chain(&parts) {
        let holders = names(&part_dir.join("holders"))?;
        if !holders.is_empty() {
            return Err(SanitizeError::Held { device: *part, holders: holders.join(", ") });
        }
        family.push(*part);
    }
    check_mounts(host, &family)?;
    check_swaps(host, &family)?;
    if system_devices(host)?.iter().any(|d| family.contains(d)) {
        return Err(SanitizeError::SystemDisk { number: disk });
    }
    let same = identity.backing.map(|b| (b.device, b.inode));
    let shared = loop_on(host, Some(disk), |behind| {
        Some(behind.file) == same || behind.block.is_some_and(|b| family.contains(&b))
    })?;
    if let Some(other) = shared {
        let target = format!("device {disk}");
        return Err(SanitizeError::Shared { target, other, detail: "loop device" });
    }
    if identity.kind == Kind::Block { check_paths(host, &dir, disk) } else { Ok(()) }
}

fn check_mounts(host: &Host, family: &[DeviceNumber]) -> Result<(), SanitizeError> {
    for mount in host.mounts()? {
        let by_number = family.iter().find(|d| **d == mount.device).copied();
        let by_source = device_at(&mount.source).filter(|d| family.contains(d));
        if let Some(device) = by_number.or(by_source) {
            return Err(SanitizeError::Mounted { device, at: mount.at });
        }
    }
    Ok(())
}

fn check_swaps(host: &Host, family: &[DeviceNumber]) -> Result<(), SanitizeError> {
    for entry in host.swaps()? {
        let meta = swap_meta(&entry)?;
        let device = DeviceNumber::from_raw(meta.rdev());
        if meta.file_type().is_block_device() && family.contains(&device) {
            return Err(SanitizeError::Swap { target: format!("device {device}"), entry });
        }
    }
    Ok(())
}

fn swap_meta(entry: &str) -> Result<fs::Metadata, SanitizeError> {
    fs::metadata(entry)
        .map_err(|e| SanitizeError::undeterminable(format!("what swap area {entry} is"), e))
}

/// The block device a path names, if it names one.
pub(crate) fn device_at(path: &str) -> Option<DeviceNumber> {
    let meta = fs::metadata(path).ok().filter(|_| path.starts_with('/'))?;
    meta.file_type().is_block_device().then(|| DeviceNumber::from_raw(meta.rdev()))
}

/// Root file systems that lie in memory or on another machine: no disk here carries the system.
const DISKLESS: [&str; 5] = ["tmpfs", "ramfs", "rootfs", "nfs", "nfs4"];

/// Every device the root file system rests on, down to whole disks.
fn system_devices(host: &Host) -> Result<Vec<DeviceNumber>, SanitizeError> {
    let what = "which disk carries the running system";
    let mounts = host.mounts()?;
    let root = mounts
        .iter()
        .rfind(|m| m.at == "/")
        .ok_or_else(|| SanitizeError::undeterminable(what, "nothing is mounted at /"))?;
    if DISKLESS.contains(&root.fstype.as_str()) {
        return Ok(Vec::new());
    }
    let start = match root.device.major {
        0 => device_at(&root.source).ok_or_else(|| {
            let detail = format!("/ is {} on {}, not a device", root.fstype, root.source);
            SanitizeError::undeterminable(what, detail)
        })?,
        _ => root.device,
    };
    let mut found = vec![start];
    let mut next = 0;
    while let Some(device) = found.get(next).copied() {
        next += 1;
        for below in directly_below(host, device)? {
            if !found.contains(&below) {
                found.push(below);
            }
        }
    }
    Ok(found)
}

/// Disk of a partition, members of a stacked device, file system under a loop device.
pub(crate) fn directly_below(
    host: &Host,
    device: DeviceNumber,
) -> Result<Vec<DeviceNumber>, SanitizeError> {
    let dir = host.block(device)?;
    let mut below = Vec::new();
    if dir.join("partition").exists()
        && let Some(disk) = dir.parent()
    {
        below.push(number(disk)?);
    }
    for name in names(&dir.join("slaves"))? {
        below.push(number(&dir.join("slaves").join(name))?);
    }
    if let Some(path) = backing_path(&dir)? {
        let meta = fs::metadata(&path).map_err(|e| {
            SanitizeError::undeterminable(format!("where {} lies", path.display()), e)
        })?;
        let holder = match meta.file_type().is_block_device() {
            true => meta.rdev(),
            false => meta.dev(),
        };
        let holder = DeviceNumber::from_raw(holder);
        if holder.major != 0 {
            below.push(holder);
        }
    }
    Ok(below)
}

fn is_same(meta: &fs::Metadata, backing: &Backing) -> bool {
    DeviceNumber::from_raw(meta.dev()) == backing.device && meta.ino() == backing.inode
}

/// What lies behind a loop device.
pub(crate) struct Behind {
    /// File system and inode of what it is over.
    pub(crate) file: (DeviceNumber, u64),
    /// The block device that is, if it is one.
    pub(crate) block: Option<DeviceNumber>,
}

/// The name of a loop device (other than `except`) over what `is_it` describes.
fn loop_on(
    host: &Host,
    except: Option<DeviceNumber>,
    is_it: impl Fn(&Behind) -> bool,
) -> Result<Option<String>, SanitizeError> {
    for dir in host.disks()? {
        if backing_path(&dir)?.is_none() || Some(number(&dir)?) == except {
            continue;
        }
        if behind(host, &dir)?.is_some_and(|b| is_it(&b)) {
            return Ok(dir.file_name().map(|n| n.to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

/// Asks the kernel by ioctl where the device node is readable, else believes the path in sysfs.
/// `None` if the loop device was detached meanwhile.
pub(crate) fn behind(host: &Host, dir: &Path) -> Result<Option<Behind>, SanitizeError> {
    if let Some(node) = host.open_node(dir)?
        && let Ok(status) = loopctl::status(&node)
    {
        let file = (status.device, status.inode);
        return Ok(Some(Behind { file, block: status.over_block }));
    }
    let Some(path) = backing_path(dir)? else { return Ok(None) };
    let meta = fs::metadata(&path)
        .map_err(|e| SanitizeError::undeterminable(format!("what {} lies on", dir.display()), e))?;
    let is_block = meta.file_type().is_block_device();
    Ok(Some(Behind {
        file: (DeviceNumber::from_raw(meta.dev()), meta.ino()),
        block: is_block.then(|| DeviceNumber::from_raw(meta.rdev())),
    }))
}

/// Refuses media that another path or another machine may reach.
fn check_paths(host: &Host, dir: &Path, disk: DeviceNumber) -> Result<(), SanitizeError> {
    let target = format!("device {disk}");
    let place = dir.to_string_lossy();
    let transport = attribute(dir, "device/transport")?;
    let fabric = place.contains("/rport-")
        || place.contains("/session")
        || transport.as_deref().is_some_and(|t| t != "pcie");
    if fabric {
        let other = transport.unwrap_or_else(|| "iSCSI or Fibre Channel".into());
        return Err(SanitizeError::Shared { target, other, detail: "medium behind a fabric" });
    }
    let Some(mine) = wwn(dir)? else { return Ok(()) };
    let mut hidden_paths = 0;
    for other_dir in host.disks()? {
        if other_dir == dir || wwn(&other_dir)?.as_ref() != Some(&mine) {
            continue;
        }
        // NVMe shows one hidden node per controller path beside the visible disk.
        hidden_paths += 1;
        let hidden = attribute(&other_dir, "hidden")?.as_deref() == Some("1");
        if !hidden || hidden_paths > 1 {
            let other = other_dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(SanitizeError::Shared { target, other, detail: "same WWN" });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
