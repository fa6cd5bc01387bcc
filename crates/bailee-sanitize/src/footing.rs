//! What a house stands on: the files of its data directory, and the devices and images that carry
//! those. Neither is overwritten: with the house its keys and packs would be gone.
//!
//! Invariants
//! 1. A file is known by device and inode: links, hard links, bind mounts and loop devices over it
//!    are the same file. Links in the directory are followed.
//! 2. A file that is there and cannot be looked at is an error; one that went away is not.
//! 3. What carries the directory is told as far as the kernel tells: partitions and their disk,
//!    members of stacked devices, files behind loop devices. Where it tells nothing (an overlay,
//!    ZFS, a network), the exclusive claim of the run remains: it has every disk that is mounted.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::binding::Place;
use crate::error::SanitizeError;
use crate::guard::{device_at, directly_below};
use crate::host::{Host, attribute};
use crate::identity::{DeviceNumber, Identity, backing_path, serial, wwn};

/// Refuses an open device that is of the house at `house`, or carries it.
pub(crate) fn check(
    host: &Host,
    file: &File,
    identity: &Identity,
    house: &Path,
) -> Result<(), SanitizeError> {
    let meta = file.metadata().map_err(|e| SanitizeError::undeterminable("its kind", e))?;
    let number = meta.file_type().is_block_device().then(|| DeviceNumber::from_raw(meta.rdev()));
    let wanted = identity.backing.map(|backing| (backing.device, backing.inode));
    let target = match (number, wanted) {
        (None, Some((device, inode))) => format!("file {device}/{inode}"),
        (number, _) => format!("device {}", number.map(|n| n.to_string()).unwrap_or_default()),
    };
    let mut own = None;
    let look = wanted.is_some();
    let systems = walk(house, look, &mut |path, meta| {
        if wanted == Some((DeviceNumber::from_raw(meta.dev()), meta.ino())) {
            own.get_or_insert_with(|| path.to_owned());
        }
        Ok(())
    })?;
    if let Some(path) = own {
        return Err(SanitizeError::InDataDirectory { target, path });
    }
    let ground = ground(host, &systems)?;
    let carries = number.is_some_and(|number| ground.devices.contains(&number))
        || ground.images.iter().any(|(at, _)| Some(*at) == wanted);
    match carries {
        true => Err(SanitizeError::CarriesDataDirectory { target, path: house.into() }),
        false => Ok(()),
    }
}

/// Refuses what `is_it` knows by a key ([`Binding`](crate::Binding)) and is of the house at
/// `house`, or carries it. `with_files`: whether the keys can be those of a file.
///
/// # Errors
/// [`SanitizeError::InDataDirectory`], [`SanitizeError::CarriesDataDirectory`], or that it cannot
/// be told.
pub fn keep_apart(
    house: &Path,
    with_files: bool,
    is_it: &dyn Fn(&str) -> bool,
) -> Result<(), SanitizeError> {
    let host = Host::here();
    let target = "the device".to_owned();
    let any = |place: &Place| place.keys().iter().any(|key| is_it(key));
    let mut own = None;
    let systems = walk(house, with_files, &mut |path, _| {
        if own.is_none() && place(path)?.is_some_and(|place| any(&place)) {
            own = Some(path.to_owned());
        }
        Ok(())
    })?;
    if let Some(path) = own {
        return Err(SanitizeError::InDataDirectory { target, path });
    }
    let ground = ground(&host, &systems)?;
    let mut carries = false;
    for (_, path) in &ground.images {
        carries |= place(path)?.is_some_and(|place| any(&place));
    }
    for device in ground.devices {
        let Ok(dir) = host.block(device) else { continue };
        let named = [serial(&dir)?, wwn(&dir)?, attribute(&dir, "uuid")?];
        carries |= named.into_iter().flatten().any(|name| is_it(&name));
    }
    match carries {
        true => Err(SanitizeError::CarriesDataDirectory { target, path: house.into() }),
        false => Ok(()),
    }
}

fn place(path: &Path) -> Result<Option<Place>, SanitizeError> {
    match Place::at(path) {
        Ok(place) => Ok(Some(place)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unseen(path, &e)),
    }
}

fn unseen(path: &Path, e: &std::io::Error) -> SanitizeError {
    let what = "whether it is of the house's data directory";
    SanitizeError::undeterminable(what, format!("{}: {e}", path.display()))
}

type See<'a> = &'a mut dyn FnMut(&Path, &Metadata) -> Result<(), SanitizeError>;

/// Shows every file below `dir`, if files are wanted; the numbers of the file systems they are in.
fn walk(dir: &Path, files: bool, see: See<'_>) -> Result<BTreeSet<u64>, SanitizeError> {
    let (mut systems, mut been) = (BTreeSet::new(), BTreeSet::new());
    let mut open = vec![dir.to_owned()];
    while let Some(at) = open.pop() {
        let Some(meta) = there(&at, fs::metadata(&at))? else { continue };
        systems.insert(meta.dev());
        if !been.insert((meta.dev(), meta.ino())) {
            continue;
        }
        let Some(entries) = there(&at, fs::read_dir(&at))? else { continue };
        for entry in entries {
            let entry = entry.map_err(|e| unseen(&at, &e))?;
            let Some(kind) = there(&at, entry.file_type())? else { continue };
            if kind.is_file() && !files {
                continue;
            }
            let path = entry.path();
            let Some(meta) = there(&path, fs::metadata(&path))? else { continue };
            if meta.is_dir() {
                open.push(path);
            } else if meta.is_file() {
                systems.insert(meta.dev());
                if files {
                    see(&path, &meta)?;
                }
            }
        }
    }
    Ok(systems)
}

/// `None` for what went away meanwhile, or is a link to nothing.
fn there<T>(path: &Path, found: std::io::Result<T>) -> Result<Option<T>, SanitizeError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unseen(path, &e)),
    }
}

/// What carries file systems.
#[derive(Default)]
struct Ground {
    devices: Vec<DeviceNumber>,
    images: Vec<((DeviceNumber, u64), PathBuf)>,
}

fn ground(host: &Host, systems: &BTreeSet<u64>) -> Result<Ground, SanitizeError> {
    let mut ground = Ground::default();
    for system in systems {
        let number = DeviceNumber::from_raw(*system);
        match number.major {
            0 => ground.devices.extend(source_of(host, number)?),
            _ => ground.devices.push(number),
        }
    }
    let mut next = 0;
    while let Some(device) = ground.devices.get(next).copied() {
        next += 1;
        // What sysfs does not list has nothing below it that this machine could overwrite.
        let Ok(dir) = host.block(device) else { continue };
        if let Some(path) = backing_path(&dir)? {
            let meta = fs::metadata(&path).map_err(|e| unseen(&path, &e))?;
            ground.images.push(((DeviceNumber::from_raw(meta.dev()), meta.ino()), path));
        }
        for below in directly_below(host, device)? {
            if !ground.devices.contains(&below) {
                ground.devices.push(below);
            }
        }
    }
    Ok(ground)
}

/// The device that a file system without a number of a device was mounted from.
fn source_of(host: &Host, system: DeviceNumber) -> Result<Option<DeviceNumber>, SanitizeError> {
    let mounts = host.mounts()?;
    Ok(mounts.iter().filter(|m| m.device == system).find_map(|m| device_at(&m.source)))
}
