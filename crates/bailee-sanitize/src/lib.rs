//! Sanitize: one device is bound by identity, overwritten under a lease, read back and certified.
//!
//! Invariants
//! 1. Writing needs a [`Clearance`](bailee_ledger::clearance::Clearance), taken by value.
//! 2. [`sanitize`] answers `Err` only if not one byte was written; once the first write was
//!    issued, the answer is always a [`Record`] that says which ranges are gone.
//! 3. The device is known by what it is (serial, WWN, inode), never by its name, and is looked at
//!    again through the same descriptor right before the first write.
//! 4. No write is issued after the lease ran out or its renewal was refused.
//! 5. What cannot be determined refuses (`SanitizeError::Undeterminable`).
//! 6. Level asked for, level achieved and verification are three fields; overwriting by the host
//!    can only ever achieve *clear* (NIST SP 800-88r2), and the type has no word beyond it.
//!
//! Order of writes: log line `intent` (durable) -> lease begun -> identity and guards again ->
//! log line `begun` (durable) -> overwrite -> `synced` lines -> read back -> `finished` (durable).
//!
//! Out of scope: purge and destroy, who may grant a clearance, what a crash means to the gate
//! (the log of this crate says only how far it came).

mod binding;
mod carry_out;
mod certificate;
mod clock;
mod device;
mod error;
mod footing;
mod guard;
mod host;
mod identity;
mod keystream;
mod lease;
mod living;
mod log;
mod loopctl;
mod medium;
mod mounts;
mod overwrite;
mod readback;
mod record;
mod run;
mod span;

pub use binding::Binding;
pub use certificate::{
    Certificate, Claim, Erased, ErasureCertificate, GoneCopy, GoneKey, Particulars, Person,
    ShelvedSet, Unfit,
};
pub use clock::{Clock, Moment, SystemClock};
pub use device::BlockDevice;
pub use error::SanitizeError;
pub use footing::keep_apart;
pub use identity::{Backing, DeviceNumber, Identity, Kind};
pub use keystream::Pattern;
pub use lease::{LONGEST_LEASE, Lease, NEVER, Stop, Until};
pub use living::written_to;
pub use record::{Achieved, IoPath, Level, Outcome, Readback, Record, Verified};
pub use run::{Check, Options, Phase, Progress, reverify, sanitize};
pub use span::{Span, Spans};
