//! By what a device is known again when its size, its window or its model has changed.
//!
//! Invariants
//! 1. Two ways to the same bytes have a key in common: a file and every loop device over it,
//!    whatever window and size; a disk and itself by serial, WWN or UUID.
//! 2. Keys only ever refuse. What a clearance is for stays the digest of the whole identity.
//!
//! A file has a key by the number of its file system's device, one by the file system's own id
//! (device numbers change with a restart), and the digests that it had as a whole file and as a
//! loop device over all of it: by those it was bound before there were keys.
//!
//! Out of scope: a file seen through an overlay or a network, reflinks, and file systems without
//! an id of their own after their device got another number.

use std::fs::File;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxFlags, fstatvfs, statvfs, statx};
use sha2::{Digest, Sha256};

use crate::error::SanitizeError;
use crate::host::{Host, attribute, number};
use crate::identity::{
    Backing, DeviceNumber, Identity, Kind, backing_path, birth, born_text, identify, nameless,
    open_to_look, serial, wwn,
};

/// What an asset is bound to, and by what else that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The device itself.
    pub identity: Identity,
    /// Its serial number, unless another disk of this machine has the same: namespaces of one
    /// controller do.
    pub serial: Option<String>,
    /// Keys that stay when size and window change: SHA-256 in hex.
    pub media: Vec<String>,
}

impl Binding {
    /// Opens `path` for reading only, and reads what it is.
    ///
    /// # Errors
    /// As [`Identity::of_path`].
    pub fn of_path(path: &Path) -> Result<Binding, SanitizeError> {
        let host = Host::here();
        let file = open_to_look(path)?;
        let identity = identify(&host, &file, path)?;
        let media = match identity.backing {
            None => Vec::new(),
            Some(backing) => place(&host, &file, &backing)?.keys(),
        };
        let serial = match &identity.serial {
            Some(serial) if is_shared(&host, &file, serial)? => None,
            serial => serial.clone(),
        };
        Ok(Binding { identity, serial, media })
    }
}

/// A file, without a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) device: DeviceNumber,
    pub(crate) inode: u64,
    pub(crate) born: Option<(i64, u32)>,
    /// The id of its file system, if that has one.
    pub(crate) system: Option<u64>,
    pub(crate) size: u64,
}

impl Place {
    /// The file `path` leads to, links followed.
    pub(crate) fn at(path: &Path) -> std::io::Result<Place> {
        let wanted = StatxFlags::INO | StatxFlags::SIZE | StatxFlags::BTIME;
        let seen = statx(CWD, path, AtFlags::empty(), wanted)?;
        Ok(Place::of(&seen, statvfs(path)?.f_fsid))
    }

    fn of(seen: &rustix::fs::Statx, system: u64) -> Place {
        Place {
            device: DeviceNumber { major: seen.stx_dev_major, minor: seen.stx_dev_minor },
            inode: seen.stx_ino,
            born: birth(seen),
            system: Some(system).filter(|system| *system != 0),
            size: seen.stx_size,
        }
    }

    /// The keys of the file, and of whatever is a window on it.
    pub(crate) fn keys(&self) -> Vec<String> {
        let (inode, born) = (self.inode, born_text(self.born));
        let mut keys = vec![key(&format!("file {} {inode} born {born}", self.device))];
        if let Some(system) = self.system {
            keys.push(key(&format!("file-system {system:016x} {inode} born {born}")));
        }
        let (device, born) = (self.device, self.born);
        let backing = Some(Backing { device, inode, born, offset: 0, limit: 0 });
        for (kind, size) in [(Kind::File, self.size), (Kind::Loop, self.size / 512 * 512)] {
            if size > 0 {
                let whole = Identity { backing, ..nameless(kind, size) };
                keys.push(bailee_ledger::to_hex(&whole.digest()));
            }
        }
        keys
    }
}

fn key(line: &str) -> String {
    let text = format!("bailee/device-medium/v1\n{line}\n");
    bailee_ledger::to_hex(&<[u8; 32]>::from(Sha256::digest(text.as_bytes())))
}

/// The file that is open, or that is behind the loop device that is open.
fn place(host: &Host, file: &File, backing: &Backing) -> Result<Place, SanitizeError> {
    let what = "what file system the file is in";
    let unknown = |e: std::io::Error| SanitizeError::undeterminable(what, e);
    let meta = file.metadata().map_err(unknown)?;
    let place = if meta.file_type().is_block_device() {
        let number = DeviceNumber::from_raw(meta.rdev());
        let path = backing_path(&host.block(number)?)?
            .ok_or_else(|| SanitizeError::undeterminable(what, "nothing is attached"))?;
        Place::at(&path).map_err(unknown)?
    } else {
        let wanted = StatxFlags::INO | StatxFlags::SIZE | StatxFlags::BTIME;
        let seen = statx(file, c"", AtFlags::EMPTY_PATH, wanted).map_err(|e| unknown(e.into()))?;
        Place::of(&seen, fstatvfs(file).map_err(|e| unknown(e.into()))?.f_fsid)
    };
    match (place.device, place.inode) == (backing.device, backing.inode) {
        true => Ok(place),
        false => Err(SanitizeError::undeterminable(what, "its path leads to another file now")),
    }
}

/// Whether another disk here says the same serial and is another one by its WWN.
fn is_shared(host: &Host, file: &File, mine: &str) -> Result<bool, SanitizeError> {
    let unknown = |e: std::io::Error| SanitizeError::undeterminable("its number", e);
    let meta = file.metadata().map_err(unknown)?;
    let own = DeviceNumber::from_raw(meta.rdev());
    shared(host, own, mine)
}

fn shared(host: &Host, own: DeviceNumber, mine: &str) -> Result<bool, SanitizeError> {
    let name = wwn(&host.block(own)?)?;
    for dir in host.disks()? {
        let hidden = attribute(&dir, "hidden")?.as_deref() == Some("1");
        if hidden || number(&dir)? == own || serial(&dir)?.as_deref() != Some(mine) {
            continue;
        }
        let other = wwn(&dir)?;
        if name.is_some() && other.is_some() && name != other {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        let device = DeviceNumber { major: 254, minor: 0 };
        Place { device, inode: 77, born: Some((5, 6)), system: Some(0xAB), size: 1000 }
    }

    #[test]
    fn keys_stay_when_the_file_grows_or_its_file_system_moves_and_are_frozen() {
        let keys = place().keys();
        assert_eq!(keys.len(), 4);
        assert_eq!(keys[0], key("file 254:0 77 born 5.000000006"));
        assert_eq!(keys[1], key("file-system 00000000000000ab 77 born 5.000000006"));
        let grown = Place { size: 2000, ..place() }.keys();
        assert_eq!(keys[..2], grown[..2]);
        assert!(keys[2..].iter().all(|key| !grown.contains(key)));
        let device = DeviceNumber { major: 7, minor: 1 };
        let moved = Place { device, ..place() }.keys();
        assert!(keys[0] != moved[0] && keys[1] == moved[1]);
        let again = Place { born: Some((5, 7)), ..place() }.keys();
        assert!(keys.iter().all(|key| !again.contains(key)), "an inode number used again");
        assert_eq!(Place { system: None, size: 100, ..place() }.keys().len(), 2);
    }

    #[test]
    fn the_serial_of_a_controller_is_no_namespaces_own() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::at(root.path());
        std::fs::create_dir_all(root.path().join("sys/dev/block")).unwrap();
        for (name, number, name_of_world) in
            [("nvme0n1", "259:0", "eui.1"), ("nvme0n2", "259:1", "eui.2"), ("sda", "8:0", "naa.1")]
        {
            let dir = root.path().join("sys/block").join(name);
            std::fs::create_dir_all(dir.join("device")).unwrap();
            std::fs::write(dir.join("dev"), number).unwrap();
            std::fs::write(dir.join("wwid"), name_of_world).unwrap();
            let serial = if name == "sda" { "WD-1" } else { "S4EV" };
            std::fs::write(dir.join("device/serial"), serial).unwrap();
            let link = root.path().join("sys/dev/block").join(number);
            std::os::unix::fs::symlink(dir, link).unwrap();
        }
        assert!(shared(&host, "259:0".parse().unwrap(), "S4EV").unwrap());
        assert!(!shared(&host, "8:0".parse().unwrap(), "WD-1").unwrap());
    }
}
