//! What a device is, apart from what it is called.
//!
//! Invariants
//! 1. Everything is read from one open descriptor, or from sysfs by the number that descriptor has.
//! 2. The canonical text names every part, present or not, quotes what the device says and escapes
//!    all but printable ASCII: no serial can imitate another line. Its SHA-256 is the `subject`
//!    a clearance is signed over.
//! 3. Names (`/dev/sdb`, loop3), kernel numbers and attach counters are not identity and are not in
//!    the text. The attach counter (`diskseq`) is compared while the device is held open.
//!
//! A file is its inode and birth time (inode numbers are used again); a loop device is the file
//! behind it and the window on it. A block device without serial, WWN and UUID is refused.
//!
//! Out of scope: firmware level, hidden areas (HPA, DCO), partitions and stacked devices.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{AtFlags, CWD, OFlags, SeekFrom, StatxFlags, major, minor, seek, statx};
use sha2::{Digest, Sha256};

use crate::error::SanitizeError;
use crate::host::{Host, attribute, attribute_bytes};
use crate::loopctl;

/// A kernel device number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceNumber {
    /// Driver.
    pub major: u32,
    /// Unit.
    pub minor: u32,
}

impl DeviceNumber {
    pub(crate) fn from_raw(raw: u64) -> DeviceNumber {
        DeviceNumber { major: major(raw), minor: minor(raw) }
    }
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl FromStr for DeviceNumber {
    type Err = ();
    fn from_str(text: &str) -> Result<DeviceNumber, ()> {
        let (major, minor) = text.split_once(':').ok_or(())?;
        let part = |t: &str| t.parse().map_err(|_| ());
        Ok(DeviceNumber { major: part(major)?, minor: part(minor)? })
    }
}

/// What sort of thing holds the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file (a disk image).
    File,
    /// A loop device over a regular file.
    Loop,
    /// Any other whole disk.
    Block,
}

impl Kind {
    /// The word in canonical text and certificates.
    pub fn word(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Loop => "loop",
            Kind::Block => "block",
        }
    }
}

/// The file whose bytes are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backing {
    /// Device of its file system.
    pub device: DeviceNumber,
    /// Inode number there.
    pub inode: u64,
    /// Birth time (seconds, nanoseconds), where the file system keeps one.
    pub born: Option<(i64, u32)>,
    /// First byte used (loop devices; 0 for files).
    pub offset: u64,
    /// Bytes used at most, 0 for all.
    pub limit: u64,
}

/// What tells this device from every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// File, loop device or other disk.
    pub kind: Kind,
    /// Bytes that can be addressed.
    pub size: u64,
    /// Manufacturer's model, as the device says it.
    pub model: Option<String>,
    /// Serial number, as the device says it.
    pub serial: Option<String>,
    /// World wide name, EUI-64 or NGUID, as the kernel prints it.
    pub wwn: Option<String>,
    /// Namespace UUID.
    pub uuid: Option<String>,
    /// The file meant, for files and loop devices.
    pub backing: Option<Backing>,
    /// Count of attachments since boot (`diskseq`). Not part of the digest.
    pub attachment: Option<u64>,
}

impl Identity {
    /// Reads the identity of an open file or block device.
    ///
    /// Errors: not a device, empty, a partition, nothing that identifies it, or not determinable.
    pub fn read(file: &File) -> Result<Identity, SanitizeError> {
        identify(&Host::here(), file, Path::new("the descriptor"))
    }

    /// Opens `path` for reading only, and reads the identity. What a clearance is asked for with.
    pub fn of_path(path: &Path) -> Result<Identity, SanitizeError> {
        let file = open_to_look(path)?;
        identify(&Host::here(), &file, path)
    }

    /// The canonical lines, LF after each.
    pub fn canonical(&self) -> String {
        let mut text =
            format!("bailee/device-identity/v1\nkind {}\nsize {}\n", self.kind.word(), self.size);
        let named = [
            ("model", &self.model),
            ("serial", &self.serial),
            ("wwn", &self.wwn),
            ("uuid", &self.uuid),
        ];
        for (name, value) in named {
            text.push_str(&format!("{name} {}\n", value.as_deref().map_or("-".into(), quoted)));
        }
        match &self.backing {
            None => text.push_str("backing -\n"),
            Some(b) => {
                let born = born_text(b.born);
                text.push_str(&format!(
                    "backing {} {} born {born} window {} {}\n",
                    b.device, b.inode, b.offset, b.limit
                ));
            }
        }
        text
    }

    /// SHA-256 of the canonical lines: the `subject` of a clearance.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.canonical().as_bytes()).into()
    }
}

/// As a time of birth stands in canonical lines.
pub(crate) fn born_text(born: Option<(i64, u32)>) -> String {
    born.map_or("-".into(), |(s, n)| format!("{s}.{n:09}"))
}

/// As a value stands in canonical lines.
pub(crate) fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', byte as char]),
            b' '..=b'~' => out.push(byte as char),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// Opens without any right to write, and never a thing that acts on being opened.
pub(crate) fn open_to_look(path: &Path) -> Result<File, SanitizeError> {
    must_be_device(path)?;
    let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC).bits() as i32;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(|source| SanitizeError::Open { path: path.into(), source })
}

/// Refuses what is neither a regular file nor a block device, before it is opened.
pub(crate) fn must_be_device(path: &Path) -> Result<(), SanitizeError> {
    let meta =
        fs::metadata(path).map_err(|source| SanitizeError::Open { path: path.into(), source })?;
    let kind = meta.file_type();
    if kind.is_file() || kind.is_block_device() {
        return Ok(());
    }
    Err(SanitizeError::NotADevice { path: path.into() })
}

/// The identity of an open descriptor; `path` is for messages only.
pub(crate) fn identify(host: &Host, file: &File, path: &Path) -> Result<Identity, SanitizeError> {
    let meta = file.metadata().map_err(|e| SanitizeError::undeterminable("its kind", e))?;
    let identity = if meta.is_file() {
        of_file(file, &meta)?
    } else if meta.file_type().is_block_device() {
        of_block(host, file, DeviceNumber::from_raw(meta.rdev()), path)?
    } else {
        return Err(SanitizeError::NotADevice { path: path.into() });
    };
    match identity.size {
        0 => Err(SanitizeError::Empty { path: path.into() }),
        _ => Ok(identity),
    }
}

pub(crate) fn nameless(kind: Kind, size: u64) -> Identity {
    Identity {
        kind,
        size,
        model: None,
        serial: None,
        wwn: None,
        uuid: None,
        backing: None,
        attachment: None,
    }
}

fn of_file(file: &File, meta: &fs::Metadata) -> Result<Identity, SanitizeError> {
    let seen = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::BTIME)
        .map_err(|e| SanitizeError::undeterminable("when the file was born", e))?;
    let mut identity = nameless(Kind::File, meta.size());
    identity.backing = Some(Backing {
        device: DeviceNumber::from_raw(meta.dev()),
        inode: meta.ino(),
        born: birth(&seen),
        offset: 0,
        limit: 0,
    });
    Ok(identity)
}

pub(crate) fn birth(seen: &rustix::fs::Statx) -> Option<(i64, u32)> {
    let known = StatxFlags::from_bits_retain(seen.stx_mask).contains(StatxFlags::BTIME);
    known.then_some((seen.stx_btime.tv_sec, seen.stx_btime.tv_nsec))
}

fn of_block(
    host: &Host,
    file: &File,
    number: DeviceNumber,
    path: &Path,
) -> Result<Identity, SanitizeError> {
    let dir = host.block(number)?;
    if dir.join("partition").exists() {
        return Err(SanitizeError::Partition { number });
    }
    let size =
        seek(file, SeekFrom::End(0)).map_err(|e| SanitizeError::undeterminable("its size", e))?;
    let sectors: Option<u64> = attribute(&dir, "size")?.and_then(|t| t.parse().ok());
    if sectors.and_then(|s| s.checked_mul(512)) != Some(size) {
        let detail = format!("descriptor says {size} bytes, sysfs {sectors:?} sectors of 512");
        return Err(SanitizeError::undeterminable("its size", detail));
    }
    if size == 0 {
        return Err(SanitizeError::Empty { path: path.into() });
    }
    let attachment = attribute(&dir, "diskseq")?.and_then(|t| t.parse().ok());
    if dir.join("loop").is_dir() {
        let backing = Some(behind_loop(file, &dir, number)?);
        return Ok(Identity { backing, attachment, ..nameless(Kind::Loop, size) });
    }
    let identity = Identity {
        model: attribute(&dir, "device/model")?,
        serial: serial(&dir)?,
        wwn: wwn(&dir)?,
        uuid: attribute(&dir, "uuid")?,
        attachment,
        ..nameless(Kind::Block, size)
    };
    match (&identity.serial, &identity.wwn, &identity.uuid) {
        (None, None, None) => Err(SanitizeError::Unidentifiable { number }),
        _ => Ok(identity),
    }
}

/// Serial: virtio-blk, then NVMe and MMC, then SCSI (VPD page 0x80, four bytes of head).
pub(crate) fn serial(dir: &Path) -> Result<Option<String>, SanitizeError> {
    for name in ["serial", "device/serial"] {
        if let Some(found) = attribute(dir, name)? {
            return Ok(Some(found));
        }
    }
    let page = attribute_bytes(dir, "device/vpd_pg80")?.unwrap_or_default();
    let text = String::from_utf8_lossy(page.get(4..).unwrap_or_default()).trim().to_string();
    Ok((!text.is_empty()).then_some(text))
}

/// World wide name: NVMe has it on the disk, SCSI on the device.
pub(crate) fn wwn(dir: &Path) -> Result<Option<String>, SanitizeError> {
    match attribute(dir, "wwid")? {
        Some(found) => Ok(Some(found)),
        None => attribute(dir, "device/wwid"),
    }
}

/// The path sysfs gives for a loop device's backing file.
pub(crate) fn backing_path(dir: &Path) -> Result<Option<PathBuf>, SanitizeError> {
    Ok(attribute_bytes(dir, "loop/backing_file")?.map(|bytes| {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes).to_vec();
        PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes))
    }))
}

fn behind_loop(file: &File, dir: &Path, number: DeviceNumber) -> Result<Backing, SanitizeError> {
    let what = "the file behind the loop device";
    let status = loopctl::status(file).map_err(|e| SanitizeError::undeterminable(what, e))?;
    if let Some(below) = status.over_block {
        return Err(SanitizeError::Stacked { number, below: below.to_string() });
    }
    let path = backing_path(dir)?
        .ok_or_else(|| SanitizeError::undeterminable(what, "nothing is attached"))?;
    let seen = statx(CWD, &path, AtFlags::empty(), StatxFlags::INO | StatxFlags::BTIME)
        .map_err(|e| SanitizeError::undeterminable(what, format!("{}: {e}", path.display())))?;
    let device = DeviceNumber { major: seen.stx_dev_major, minor: seen.stx_dev_minor };
    if (device, seen.stx_ino) != (status.device, status.inode) {
        let detail = format!(
            "{} is {device}/{}, the kernel writes to {}/{}",
            path.display(),
            seen.stx_ino,
            status.device,
            status.inode
        );
        return Err(SanitizeError::undeterminable(what, detail));
    }
    Ok(Backing {
        device,
        inode: status.inode,
        born: birth(&seen),
        offset: status.offset,
        limit: status.size_limit,
    })
}

#[cfg(test)]
mod tests {
    use super::{Backing, DeviceNumber, Identity, Kind, nameless};

    fn disk(serial: Option<&str>) -> Identity {
        Identity { serial: serial.map(Into::into), ..nameless(Kind::Block, 1 << 20) }
    }

    #[test]
    fn canonical_text_is_frozen() {
        let mut identity = disk(Some("S1 \"x\"\n\u{e4}"));
        identity.backing = Some(Backing {
            device: DeviceNumber { major: 254, minor: 0 },
            inode: 77,
            born: Some((5, 6)),
            offset: 512,
            limit: 0,
        });
        assert_eq!(
            identity.canonical(),
            "bailee/device-identity/v1\nkind block\nsize 1048576\nmodel -\n\
             serial \"S1 \\\"x\\\"\\x0a\\xc3\\xa4\"\nwwn -\nuuid -\n\
             backing 254:0 77 born 5.000000006 window 512 0\n"
        );
    }

    #[test]
    fn a_dash_is_not_an_absent_serial_and_no_serial_forges_a_line() {
        assert_ne!(disk(Some("-")).digest(), disk(None).digest());
        let forged = disk(Some("A\"\nwwn \"B"));
        assert_eq!(forged.canonical().lines().count(), disk(None).canonical().lines().count());
    }

    #[test]
    fn attachment_count_is_not_identity() {
        let first = Identity { attachment: Some(1), ..disk(Some("S")) };
        let again = Identity { attachment: Some(2), ..disk(Some("S")) };
        assert_eq!(first.digest(), again.digest());
        assert_ne!(first, again);
    }
}
