//! Refusals and failures before the first write, each by name.
//!
//! Invariant: whoever gets a [`SanitizeError`] from [`sanitize`](crate::sanitize()) may rely on
//! every byte of the device being as it was. What goes wrong later is in the
//! [`Record`](crate::Record).
//!
//! Every message names the thing and says what to do next.

use std::io;
use std::path::PathBuf;

use crate::identity::DeviceNumber;
use crate::lease::Stop;
use crate::record::Level;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum SanitizeError {
    /// The clearance allows something else.
    #[error("clearance C-{clearance} does not permit sanitizing; ask for one that does")]
    WrongAct {
        /// `C-n`.
        clearance: u32,
    },
    /// The clearance is for another asset.
    #[error("clearance C-{clearance} is for A-{granted}, not for A-{asset}; nothing was written")]
    WrongAsset {
        /// `C-n`.
        clearance: u32,
        /// Asset the clearance names.
        granted: u32,
        /// Asset the caller means.
        asset: u32,
    },
    /// The clearance's time is over.
    #[error("clearance C-{clearance} ended at Unix time {not_after}, now is {now}; reserve anew")]
    Expired {
        /// `C-n`.
        clearance: u32,
        /// End, Unix seconds.
        not_after: i64,
        /// Wall clock here, Unix seconds.
        now: i64,
    },
    /// The device is not the one that was cleared.
    #[error("{path} is not the cleared device: cleared {cleared}, found {found} =\n{identity}")]
    WrongSubject {
        /// As opened.
        path: PathBuf,
        /// Subject of the clearance, hex.
        cleared: String,
        /// Digest found, hex.
        found: String,
        /// The identity found, canonical lines.
        identity: String,
    },
    /// Between the first look and the first write the device became another one.
    #[error("{path} changed while it was held open: was\n{before}\nis\n{after}\nfind out why")]
    IdentityChanged {
        /// As opened.
        path: PathBuf,
        /// First look, canonical lines.
        before: String,
        /// Second look, canonical lines.
        after: String,
    },
    /// This crate has no technique of that level.
    #[error("{requested} was asked for, host overwrite achieves clear at most; use another tool")]
    LevelNotSupported {
        /// As asked.
        requested: Level,
    },
    /// An option makes no sense.
    #[error("option {option}: {detail}")]
    BadOption {
        /// Its name.
        option: &'static str,
        /// What is allowed.
        detail: String,
    },
    /// The gate did not let the act begin.
    #[error("the gate did not grant a lease: {0}; nothing was written")]
    LeaseRefused(#[source] Stop),
    /// Neither a file nor a block device.
    #[error("{path} is neither a regular file nor a block device; name the device itself")]
    NotADevice {
        /// As given.
        path: PathBuf,
    },
    /// It has no bytes.
    #[error("{path} has size 0; attach the medium or check the name")]
    Empty {
        /// As given.
        path: PathBuf,
    },
    /// The path could not be opened.
    #[error("could not open {path}: {source}")]
    Open {
        /// As given.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The device says nothing that tells it from others.
    #[error(
        "device {number} has neither serial, WWN nor UUID and cannot be bound; destroy it by hand"
    )]
    Unidentifiable {
        /// Kernel number.
        number: DeviceNumber,
    },
    /// It is a part of a disk.
    #[error("device {number} is a partition; name the whole disk")]
    Partition {
        /// Kernel number.
        number: DeviceNumber,
    },
    /// It is made of other devices.
    #[error("device {number} lies on {below}; sanitize those instead")]
    Stacked {
        /// Kernel number.
        number: DeviceNumber,
        /// Names of the devices below.
        below: String,
    },
    /// The kernel or its owner has it read-only.
    #[error("device {number} is read-only; lift the write protection first")]
    ReadOnly {
        /// Kernel number.
        number: DeviceNumber,
    },
    /// A file system on it is in use.
    #[error("{device} is mounted at {at}; unmount it first")]
    Mounted {
        /// Kernel number of the disk or partition.
        device: DeviceNumber,
        /// Mount point.
        at: String,
    },
    /// Another device is built on it.
    #[error("{device} is in use by {holders}; take those apart first")]
    Held {
        /// Kernel number of the disk or partition.
        device: DeviceNumber,
        /// Names of the holders.
        holders: String,
    },
    /// The kernel pages to it.
    #[error("{target} is in use as swap ({entry}); swapoff first")]
    Swap {
        /// Disk, partition or file.
        target: String,
        /// Line of /proc/swaps.
        entry: String,
    },
    /// The running system lives on it.
    #[error("device {number} carries the running system; start from another medium")]
    SystemDisk {
        /// Kernel number.
        number: DeviceNumber,
    },
    /// It is one of the house's own files.
    #[error("{target} is {path}, which is in the data directory of the house; take another device")]
    InDataDirectory {
        /// What was asked for.
        target: String,
        /// The file of the house.
        path: PathBuf,
    },
    /// The house lies on it.
    #[error("{target} carries the data directory {path}; move the house to another disk first")]
    CarriesDataDirectory {
        /// What was asked for.
        target: String,
        /// The data directory.
        path: PathBuf,
    },
    /// Somebody else claims it.
    #[error("{path} is claimed by another program ({detail}); stop that program first")]
    Busy {
        /// As given.
        path: PathBuf,
        /// How it shows.
        detail: &'static str,
    },
    /// The same bytes can be reached in another way at this moment.
    #[error("the bytes of {target} are also reachable as {other} ({detail}); detach that first")]
    Shared {
        /// What was asked for.
        target: String,
        /// The other way.
        other: String,
        /// How it was found.
        detail: &'static str,
    },
    /// A question that must be answered could not be.
    #[error("could not determine {what}: {detail}; refused, because it might be in use")]
    Undeterminable {
        /// The question.
        what: String,
        /// Why there is no answer.
        detail: String,
    },
    /// The log of the run could not be made durable.
    #[error("could not write the log {path}: {source}; without it nothing is destroyed")]
    Log {
        /// Its path.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The log would be destroyed by the run it records.
    #[error("the log {path} is the very thing to be overwritten; put it elsewhere")]
    LogOnDevice {
        /// Its path.
        path: PathBuf,
    },
}

impl SanitizeError {
    /// Stable code for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongAct { .. } => "wrong_act",
            Self::WrongAsset { .. } => "wrong_asset",
            Self::Expired { .. } => "clearance_expired",
            Self::WrongSubject { .. } => "wrong_subject",
            Self::IdentityChanged { .. } => "identity_changed",
            Self::LevelNotSupported { .. } => "level_not_supported",
            Self::BadOption { .. } => "bad_option",
            Self::LeaseRefused(_) => "lease_refused",
            Self::NotADevice { .. } => "not_a_device",
            Self::Empty { .. } => "empty_device",
            Self::Open { .. } => "cannot_open",
            Self::Unidentifiable { .. } => "unidentifiable",
            Self::Partition { .. } => "is_partition",
            Self::Stacked { .. } => "stacked_device",
            Self::ReadOnly { .. } => "read_only",
            Self::Mounted { .. } => "mounted",
            Self::Held { .. } => "has_holders",
            Self::Swap { .. } => "in_use_as_swap",
            Self::SystemDisk { .. } => "system_disk",
            Self::InDataDirectory { .. } => "in_data_directory",
            Self::CarriesDataDirectory { .. } => "carries_data_directory",
            Self::Busy { .. } => "busy",
            Self::Shared { .. } => "shared",
            Self::Undeterminable { .. } => "undeterminable",
            Self::Log { .. } => "log_unavailable",
            Self::LogOnDevice { .. } => "log_on_device",
        }
    }

    pub(crate) fn undeterminable(what: impl Into<String>, detail: impl ToString) -> SanitizeError {
        SanitizeError::Undeterminable { what: what.into(), detail: detail.to_string() }
    }
}
