//! The way out to tape: sealed archive volumes of a given size.
//!
//! A set holds snapshots of one custody unit as one pax archive, cut into frames under
//! AES-256-GCM, cut into volumes. Format: docs/vault-format.md, section 8; the reader that shares
//! no code with this is docs/read-volumes.py.
//!
//! Invariants
//! 1. A set is sealed with a key file of its own, never the vault's: erasing a custody unit would
//!    mean nothing while the key that everybody needs opens its tapes too. Destroying that file
//!    erases the set.
//! 2. Success is said only after every volume was synced, read back, opened frame by frame and
//!    found to have the SHA-256 that was written, and the archive in them to have every file, as it
//!    will be read when nothing else is left.
//! 3. Constant memory, whatever the size.
//!
//! Out of scope: moving tapes, the log entry that takes the report.

mod back;
mod content;
pub(crate) mod fuzzing;
mod give;
#[cfg(test)]
mod hostile;
mod inspect;
mod layout;
#[cfg(test)]
mod made;
#[cfg(test)]
mod never;
mod read;
mod shelf;
mod stream;
#[cfg(test)]
mod terabyte;
mod write;

use std::path::{Path, PathBuf};

use crate::error::VaultError;
use crate::export::{END, ExportReport, Take};
use crate::key::{Kek, random};
use crate::names::SnapshotId;
use crate::progress::Progress;
use crate::vault::{Absent, Vault};
use bailee_ledger::{from_hex, to_hex};
use bailee_store::{Kernel, Moves};
pub use give::{Given, check_volumes, restore_volumes};
use layout::{Description, Follows};
pub use shelf::{Ignored, Shelf};
use stream::Stream;

/// A set of volumes: 16 random bytes, shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId(pub(crate) [u8; 16]);

impl SetId {
    /// The bytes themselves, for the log.
    pub fn bytes(&self) -> [u8; 16] {
        self.0
    }
}

impl std::str::FromStr for SetId {
    type Err = VaultError;
    fn from_str(text: &str) -> Result<Self, VaultError> {
        from_hex(text).map(Self).ok_or_else(|| VaultError::BadName {
            what: "set of volumes",
            name: text.to_owned(),
            detail: "it has 32 lower-case hexadecimal digits",
        })
    }
}

impl std::fmt::Display for SetId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl std::fmt::Debug for SetId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SetId({self})")
    }
}

/// One volume, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeFacts {
    /// Where it lies.
    pub path: PathBuf,
    /// Its place in the set, from 1.
    pub ordinal: u32,
    /// Its bytes.
    pub size: u64,
    /// Of the whole file, as `sha256sum` gives it.
    pub sha256: [u8; 32],
}

/// What writing a set did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetReport {
    /// The new set.
    pub set: SetId,
    /// Its volumes, in order, each read back.
    pub volumes: Vec<VolumeFacts>,
    /// What is in the archive and what is not.
    pub export: ExportReport,
}

/// What reading a set found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumesReport {
    /// The set, if any volume opened.
    pub set: Option<SetId>,
    /// Who wrote it.
    pub origin: String,
    /// Whose data it is.
    pub tenant: String,
    /// The custody unit.
    pub unit: String,
    /// The snapshots in it.
    pub snapshots: Vec<SnapshotId>,
    /// Length of the archive, if its last volume is there.
    pub bytes: u64,
    /// The volumes of the set that were read from start to end, in order.
    pub volumes: Vec<VolumeFacts>,
    /// What is wrong. Empty: every byte is there and authentic.
    pub problems: Vec<VolumeProblem>,
    /// What was given, is of no use to this set, and was not read.
    pub ignored: Vec<Ignored>,
}

/// What is wrong with a set of volumes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VolumeProblem {
    /// It is something else.
    #[error("{}: {why}", volume.display())]
    NotAVolume {
        /// The file.
        volume: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// It ends within its header.
    #[error("{}: it ends within its header: get a copy of this volume", volume.display())]
    Stub {
        /// The file.
        volume: PathBuf,
    },
    /// The key is for another set.
    #[error("{}: it was sealed with another key: give that one", volume.display())]
    OtherKey {
        /// The file.
        volume: PathBuf,
    },
    /// The header was changed.
    #[error("{}: its header is damaged: get a copy of this volume", volume.display())]
    Header {
        /// The file.
        volume: PathBuf,
    },
    /// A frame is not as it was written.
    #[error(
        "{}: bytes {start}..{end} (frame {frame}) are damaged: get a copy of this volume",
        volume.display()
    )]
    Frame {
        /// The file.
        volume: PathBuf,
        /// 0: the description; data frames count from 1.
        frame: u64,
        /// Its first byte in the file.
        start: u64,
        /// One past its last.
        end: u64,
    },
    /// The medium does not give it.
    #[error("{}: bytes {start}..{end}: {why}; get a copy of this volume", volume.display())]
    Unreadable {
        /// The file.
        volume: PathBuf,
        /// First byte asked for.
        start: u64,
        /// One past the last.
        end: u64,
        /// The system's own words.
        why: String,
    },
    /// The system does not open it.
    #[error("{}: it cannot be opened: {why}", volume.display())]
    Closed {
        /// The file.
        volume: PathBuf,
        /// The system's own words.
        why: String,
    },
    /// The end is not there.
    #[error("{}: it is cut off, or its end is damaged: get a copy", volume.display())]
    Cut {
        /// The file.
        volume: PathBuf,
    },
    /// It is of another set.
    #[error("{}: it belongs to set {set}: leave it out", volume.display())]
    Foreign {
        /// The file.
        volume: PathBuf,
        /// That set.
        set: SetId,
    },
    /// Another file has the same ordinal. The other is read: it is whole, or this is not.
    #[error("{}: volume {ordinal} was given already: leave this one out", volume.display())]
    Twice {
        /// The file.
        volume: PathBuf,
        /// Its ordinal.
        ordinal: u32,
    },
    /// It does not continue the volume before.
    #[error("{}: it does not continue the volume before it", volume.display())]
    DoesNotJoin {
        /// The file.
        volume: PathBuf,
    },
    /// Volumes were not given.
    #[error("{}", missing(*first, *last))]
    Missing {
        /// The ordinal of the first of them.
        first: u32,
        /// Of the last of them; as the first, if it is not known how many follow.
        last: u32,
    },
}

fn missing(first: u32, last: u32) -> String {
    if first == last {
        return format!("volume {first} of the set is missing: find it");
    }
    format!("volumes {first} to {last} of the set are missing: find them")
}

impl VolumeProblem {
    /// The file it is about.
    pub fn volume(&self) -> Option<&Path> {
        match self {
            Self::NotAVolume { volume, .. }
            | Self::Stub { volume }
            | Self::OtherKey { volume }
            | Self::Header { volume }
            | Self::Frame { volume, .. }
            | Self::Unreadable { volume, .. }
            | Self::Closed { volume, .. }
            | Self::Cut { volume }
            | Self::Foreign { volume, .. }
            | Self::Twice { volume, .. }
            | Self::DoesNotJoin { volume } => Some(volume),
            Self::Missing { .. } => None,
        }
    }
}

impl Vault {
    /// Writes snapshots of one custody unit to volumes of at most `most` bytes in `directory` (made
    /// if it is not there), sealed with a key of their own, and reads them back. Each snapshot's
    /// paths begin with its id. `origin` stands in clear in each volume: whom to bring a lost tape
    /// to.
    ///
    /// # Errors
    /// [`VaultError::Volume`] if the key is the vault's, the size too small, a snapshot named twice
    /// or of another unit, or what is read back differs; damage; [`VaultError::Destination`].
    /// What was written by then is a set without an end.
    pub fn export_volumes(
        &self,
        (tenant, snapshots): (&str, &[SnapshotId]),
        (origin, key): (&str, &Kek),
        to: (&Path, u64),
        progress: &mut dyn Progress,
    ) -> Result<SetReport, VaultError> {
        self.export_volumes_with((tenant, snapshots), (origin, key), to, progress, &Kernel)
    }

    /// As [`Vault::export_volumes`], with other moves: a recorder of them, in tests.
    ///
    /// # Errors
    /// As [`Vault::export_volumes`].
    pub fn export_volumes_with(
        &self,
        (tenant, snapshots): (&str, &[SnapshotId]),
        (origin, key): (&str, &Kek),
        (directory, most): (&Path, u64),
        progress: &mut dyn Progress,
        moves: &impl Moves,
    ) -> Result<SetReport, VaultError> {
        let id = SetId(random()?);
        let refuse = |detail: &str| {
            let (volume, detail) = (format!("set {id}"), detail.to_owned());
            Err(VaultError::Volume { volume, detail })
        };
        if self.has_key(key) {
            return refuse("this is the vault's own key: make a key file for the volumes");
        }
        if most < write::LEAST {
            return refuse("a volume of under 65536 bytes was asked for: give more");
        }
        if origin.len() > 256 || snapshots.is_empty() {
            return refuse("give one or more snapshots, and an origin of at most 256 bytes");
        }
        if (1..snapshots.len()).any(|n| snapshots[n..].contains(&snapshots[n - 1])) {
            return refuse("a snapshot is named twice: name it once");
        }
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let unit = self.snapshot(&tenant, &snapshots[0])?.0.name.clone();
        let mut bytes = 0;
        for snapshot in snapshots {
            let (of, snapshot) = self.snapshot(&tenant, snapshot)?;
            bytes += snapshot.info.bytes;
            if of.name != unit {
                return refuse("the snapshots are of different custody units: write a set each");
            }
        }
        write::shelf(moves, directory)?;
        let ids = snapshots.iter().map(|s| s.0).collect();
        let description =
            Description { start: 0, tenant: tenant.name.clone(), unit, snapshots: ids };
        let (written, open) = (Vec::new(), None);
        let members = 0;
        let mut set = write::Set {
            moves,
            directory,
            key,
            most,
            id,
            origin,
            description,
            written,
            members,
            open,
        };
        let mut export = ExportReport::default();
        progress.begin("writing volumes", bytes);
        for snapshot in snapshots {
            let prefix = format!("{snapshot}/");
            let prefix = prefix.as_bytes();
            self.export_members(&tenant, snapshot, prefix, (&mut set, &mut export, progress))?;
        }
        let members = set.members;
        set.member()?;
        set.write(&END)?;
        set.end(Follows::Nothing)?;
        let volumes = set.written;
        match back::difference((&volumes, key), (&export, members), progress)? {
            Some(what) => refuse(&what),
            None => Ok(SetReport { set: id, volumes, export }),
        }
    }
}

/// Checks every byte of a set of volumes, given in any order and under any names. Then its
/// archive goes to `out`, up to the first gap.
///
/// # Errors
/// A path that leads to nothing, an output that cannot be written, [`VaultError::WhichSet`]. All
/// else is in the report.
pub fn read_volumes<'a>(
    shelf: impl Into<Shelf<'a>>,
    key: &Kek,
    out: Option<&mut dyn std::io::Write>,
) -> Result<VolumesReport, VaultError> {
    let (report, places) = read::verify(shelf.into(), key, &mut ())?;
    let Some(out) = out else { return Ok(report) };
    let sent = Stream::new(&places, key).send(out);
    let sent = sent.map_err(|e| VaultError::Destination {
        path: "(archive)".to_owned(),
        doing: "write it",
        detail: e.to_string(),
    })?;
    if report.problems.is_empty() && sent != report.bytes {
        let volume = report.set.map_or_else(String::new, |set| format!("set {set}"));
        let detail = "it changed while it was read: what left so far is authentic, go again";
        return Err(VaultError::Volume { volume, detail: detail.to_owned() });
    }
    Ok(report)
}
