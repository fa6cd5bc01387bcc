//! What the kernel says about devices: sysfs, proc and device nodes, behind one root.
//!
//! Invariant: an attribute that is not there is `None`; one that is there and cannot be read is an
//! error. The two are never mixed, because the first may be fine and the second must refuse.
//!
//! The root is a parameter so that tests can show a machine that does not exist.
//! Out of scope: udev.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::error::SanitizeError;
use crate::identity::{DeviceNumber, open_to_look};
use crate::mounts::{Mount, parse_mountinfo, parse_swaps};

/// The machine looked at.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    sys: PathBuf,
    proc: PathBuf,
    dev: PathBuf,
}

impl Host {
    /// The machine we run on.
    pub(crate) fn here() -> Host {
        Host::at(Path::new("/"))
    }

    /// A machine described by the directories `sys`, `proc` and `dev` under `root`.
    pub(crate) fn at(root: &Path) -> Host {
        Host { sys: root.join("sys"), proc: root.join("proc"), dev: root.join("dev") }
    }

    /// The device node of a disk, open for looking; `None` when it is not there, not ours to read,
    /// or the node of something else.
    pub(crate) fn open_node(&self, dir: &Path) -> Result<Option<File>, SanitizeError> {
        let Some(name) = dir.file_name() else { return Ok(None) };
        let node = self.dev.join(name);
        let wanted = number(dir)?;
        let is_it = |rdev| DeviceNumber::from_raw(rdev) == wanted;
        match fs::metadata(&node) {
            Ok(m) if m.file_type().is_block_device() && is_it(m.rdev()) => {}
            _ => return Ok(None),
        }
        let file = open_to_look(&node).ok();
        Ok(file.filter(|f| f.metadata().is_ok_and(|m| is_it(m.rdev()))))
    }

    /// The sysfs directory of a block device, links resolved.
    pub(crate) fn block(&self, number: DeviceNumber) -> Result<PathBuf, SanitizeError> {
        let link = self.sys.join("dev/block").join(number.to_string());
        fs::canonicalize(&link)
            .map_err(|e| undeterminable(format!("what device {number} is"), &link, &e))
    }

    /// Sysfs directories of all disks, in order of name.
    pub(crate) fn disks(&self) -> Result<Vec<PathBuf>, SanitizeError> {
        let dir = self.sys.join("block");
        let mut disks = Vec::new();
        for name in names(&dir)? {
            let link = dir.join(name);
            match fs::canonicalize(&link) {
                Ok(disk) => disks.push(disk),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(undeterminable("the list of disks", &link, &e)),
            }
        }
        Ok(disks)
    }

    /// All mounts.
    pub(crate) fn mounts(&self) -> Result<Vec<Mount>, SanitizeError> {
        let text = self.text("self/mountinfo")?;
        parse_mountinfo(&text).map_err(|e| SanitizeError::undeterminable("what is mounted", e))
    }

    /// Mounts of all namespaces that this process may look into, its own first. Those it may not
    /// are no error: whoever rests on this asks the kernel for its claims, too.
    pub(crate) fn mounts_everywhere(&self) -> Result<Vec<Mount>, SanitizeError> {
        let (mut all, mut seen) = (self.mounts()?, HashSet::new());
        seen.extend(fs::read_link(self.proc.join("self/ns/mnt")));
        let other = |name: &String| name.bytes().all(|b| b.is_ascii_digit());
        for process in names(&self.proc)?.into_iter().filter(other) {
            let dir = self.proc.join(process);
            let Ok(space) = fs::read_link(dir.join("ns/mnt")) else { continue };
            if seen.contains(&space) {
                continue;
            }
            let text = fs::read_to_string(dir.join("mountinfo")).ok();
            if let Some(Ok(more)) = text.map(|text| parse_mountinfo(&text)) {
                seen.insert(space);
                all.extend(more);
            }
        }
        Ok(all)
    }

    /// Whether somebody has the device for themselves: it is mounted, swap, or part of something,
    /// here or in another namespace. `None`: there is no node to ask by.
    pub(crate) fn is_claimed(&self, dir: &Path) -> Result<Option<bool>, SanitizeError> {
        let Some(node) = self.open_node(dir)? else { return Ok(None) };
        let path = format!("/proc/self/fd/{}", node.as_raw_fd());
        let flags = (OFlags::EXCL | OFlags::NONBLOCK | OFlags::CLOEXEC).bits() as i32;
        match OpenOptions::new().read(true).custom_flags(flags).open(&path) {
            Ok(_) => Ok(Some(false)),
            Err(e) if e.kind() == ErrorKind::ResourceBusy => Ok(Some(true)),
            Err(e) => Err(undeterminable("whether it is in use", dir, &e)),
        }
    }

    /// Paths of all swap areas.
    pub(crate) fn swaps(&self) -> Result<Vec<String>, SanitizeError> {
        let text = match fs::read_to_string(self.proc.join("swaps")) {
            // A kernel built without swap.
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            _ => self.text("swaps")?,
        };
        parse_swaps(&text).map_err(|e| SanitizeError::undeterminable("what is swap", e))
    }

    fn text(&self, name: &str) -> Result<String, SanitizeError> {
        let path = self.proc.join(name);
        fs::read_to_string(&path).map_err(|e| undeterminable("what is in use", &path, &e))
    }
}

/// An attribute's text without surrounding space; `None` when absent, empty or not supported.
pub(crate) fn attribute(dir: &Path, name: &str) -> Result<Option<String>, SanitizeError> {
    let bytes = attribute_bytes(dir, name)?;
    Ok(bytes.and_then(|b| {
        let text = String::from_utf8_lossy(&b);
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        (!text.is_empty()).then(|| text.to_string())
    }))
}

/// An attribute's bytes; `None` when absent or not supported by the device.
pub(crate) fn attribute_bytes(dir: &Path, name: &str) -> Result<Option<Vec<u8>>, SanitizeError> {
    let path = dir.join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if is_absent(&e) => Ok(None),
        Err(e) => Err(undeterminable(format!("attribute {name}"), &path, &e)),
    }
}

/// Names in a directory, sorted; none when the directory is absent.
pub(crate) fn names(dir: &Path) -> Result<Vec<String>, SanitizeError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(undeterminable("its neighbours", dir, &e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| undeterminable("its neighbours", dir, &e))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The device number in a sysfs directory's `dev`.
pub(crate) fn number(dir: &Path) -> Result<DeviceNumber, SanitizeError> {
    let what = || format!("the number of {}", dir.display());
    let text = attribute(dir, "dev")?
        .ok_or_else(|| SanitizeError::undeterminable(what(), "no attribute dev"))?;
    text.parse().map_err(|()| SanitizeError::undeterminable(what(), text))
}

/// Partitions of a disk: (directory, number).
pub(crate) fn partitions(disk: &Path) -> Result<Vec<(PathBuf, DeviceNumber)>, SanitizeError> {
    let mut found = Vec::new();
    for name in names(disk)? {
        let dir = disk.join(name);
        if dir.join("partition").exists() {
            let number = number(&dir)?;
            found.push((dir, number));
        }
    }
    Ok(found)
}

fn is_absent(e: &io::Error) -> bool {
    let unsupported = [Errno::NXIO, Errno::INVAL, Errno::OPNOTSUPP, Errno::NODATA];
    matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        || unsupported.iter().any(|x| e.raw_os_error() == Some(x.raw_os_error()))
}

fn undeterminable(what: impl Into<String>, path: &Path, e: &io::Error) -> SanitizeError {
    SanitizeError::undeterminable(what, format!("{}: {e}", path.display()))
}
