//! One device, from the clearance to the record.
//!
//! Order, and what a crash after each step leaves
//! | step | a crash after it leaves |
//! |---|---|
//! | clearance, options looked at | nothing |
//! | device opened (O_EXCL), identity = subject, guards | nothing; the kernel drops the claim |
//! | log `intent` durable | a log that says something was meant |
//! | lease begun | the gate knows it began: `unknown`; not one byte written |
//! | identity and guards again, log `begun` durable | the same |
//! | writes, `synced` lines | a log that names the least that is gone |
//! | read back, `finished` durable | everything but the certificate |
//!
//! Invariant: `Err` means not one byte was written. After the first write only a [`Record`] leaves.
//!
//! Out of scope: telling the gate the end (the caller does, with the certificate).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use bailee_ledger::clearance::{Act, Clearance, Terms};
use bailee_ledger::to_hex;
use rustix::fs::OFlags;

use crate::carry_out::Run;
use crate::clock::{Clock, SystemClock};
use crate::device::{BlockDevice, OpenDevice, PAGE};
use crate::error::SanitizeError;
use crate::guard;
use crate::host::Host;
use crate::identity::{DeviceNumber, Identity, identify, must_be_device, open_to_look};
use crate::keystream::Pattern;
use crate::lease::{Gate, Lease, NEVER, Stop};
use crate::log::{Event, Log};
use crate::medium::{self, Medium};
use crate::overwrite::Shape;
use crate::readback::readback;
use crate::record::{Level, Readback, Record};

/// Name and version that records carry.
pub(crate) const TOOL: &str = concat!("bailee-sanitize ", env!("CARGO_PKG_VERSION"));

/// Whether the medium is read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// All of it.
    Whole,
    /// Not at all; the record then says `NotDone`.
    Skip,
}

/// What the caller decides.
#[derive(Clone)]
pub struct Options<'a> {
    /// Level asked for; anything beyond clear is refused, not lowered.
    pub requested: Level,
    /// `A-n` the caller means; must be the clearance's.
    pub asset: u32,
    /// 32 random bytes for this run only. Not secret, goes into the certificate.
    pub seed: [u8; 32],
    /// File the log is appended to; never on the device.
    pub log: &'a Path,
    /// Whether to read back.
    pub check: Check,
    /// Bytes per transfer: a multiple of 4096, at most 16 MiB.
    pub buffer: usize,
    /// Transfers in flight, 1 to 32.
    pub queue: usize,
    /// Bytes after which written data is made durable and logged.
    pub sync_every: u64,
    /// Blocks the medium may refuse before the run is stopped.
    pub bad_block_limit: u64,
    /// Name of this machine, for the record.
    pub host: &'a str,
    /// Name of this agent, for the record.
    pub agent: &'a str,
    /// Data directory of a house on this machine: neither it nor what carries it is overwritten.
    pub house: Option<&'a Path>,
    /// Where time comes from.
    pub clock: &'a dyn Clock,
    /// Set by whoever wants the run stopped: no further write is issued, and nothing read back.
    pub interrupt: &'a AtomicBool,
}

impl<'a> Options<'a> {
    /// Clear, read back whole, 2 MiB transfers, 4 in flight, sync every GiB, 4096 bad blocks.
    pub fn new(asset: u32, seed: [u8; 32], log: &'a Path) -> Options<'a> {
        Options {
            requested: Level::Clear,
            asset,
            seed,
            log,
            check: Check::Whole,
            buffer: 2 << 20,
            queue: 4,
            sync_every: 1 << 30,
            bad_block_limit: 4096,
            host: "",
            agent: "",
            house: None,
            clock: &SystemClock,
            interrupt: &NEVER,
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape {
            buffer: self.buffer,
            queue: self.queue,
            sync_every: self.sync_every,
            bad_block_limit: self.bad_block_limit,
        }
    }

    fn check(&self) -> Result<(), SanitizeError> {
        let bad = |option, detail: &str| {
            Err(SanitizeError::BadOption { option, detail: detail.to_string() })
        };
        if self.requested != Level::Clear {
            return Err(SanitizeError::LevelNotSupported { requested: self.requested });
        }
        if self.buffer == 0 || !self.buffer.is_multiple_of(PAGE) || self.buffer > 16 << 20 {
            return bad("buffer", "a multiple of 4096, at most 16 MiB");
        }
        if !(1..=32).contains(&self.queue) {
            return bad("queue", "1 to 32 transfers in flight");
        }
        if self.sync_every == 0 {
            return bad("sync_every", "at least one byte");
        }
        if self.seed == [0; 32] {
            return bad("seed", "32 random bytes, not zeros");
        }
        Ok(())
    }
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Overwriting.
    Writing,
    /// Reading back.
    Reading,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Overwriting or reading back.
    pub phase: Phase,
    /// Bytes dealt with in this phase.
    pub done: u64,
    /// Bytes of them that failed.
    pub bad: u64,
    /// Bytes of the device.
    pub total: u64,
}

/// Overwrites the device at `path`, reads it back and says what was done.
///
/// `clearance` is used up whatever happens. `progress` is called after each transfer, by any
/// thread, one at a time; it must be short.
///
/// Errors: every refusal of [`SanitizeError`]; with each of them not one byte was written.
pub fn sanitize(
    path: &Path,
    clearance: Clearance,
    lease: &mut dyn Lease,
    options: &Options<'_>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Record, SanitizeError> {
    options.check()?;
    check_terms(clearance.terms(), options)?;
    let host = Host::here();
    let (file, identity) = open_claimed(&host, path, options.house)?;
    check_subject(path, clearance.terms(), &identity)?;
    guard::check(&host, &file, &identity, options.house)?;
    let mut log = Log::open(options.log)?;
    keep_log_apart(&log, &file, options.log)?;
    let again = file.try_clone();
    let again = again.map_err(|e| SanitizeError::undeterminable("what it is at the end", e))?;
    let terms = clearance.terms().clone();
    log.append_first(options.clock.unix(), &intent(&terms, &identity, path, options))?;
    let gate = Gate::begin((options.clock, options.interrupt), lease, &clearance);
    let gate = gate.map_err(SanitizeError::LeaseRefused);
    let ready = gate
        .and_then(|gate| Ok((gate, look_again(&host, &file, (path, options.house), &identity)?)));
    let (gate, medium) = match ready {
        Ok(ready) => ready,
        Err(error) => return Err(abandon(&mut log, options, error)),
    };
    let device = OpenDevice::new(file, identity.size, identity.kind);
    log.append_first(options.clock.unix(), &Event::Begun { io: device.io_path().to_string() })?;
    let before = identity.clone();
    let still = || is_still(&host, &again, path, &before);
    let run = Run { terms, identity, medium, options, log, still: &still };
    Ok(run.carry_out(&device, &gate, progress))
}

/// Reads a device back against the seed of an earlier record; writes nothing, needs no clearance.
///
/// Errors: the device cannot be opened or identified. Progress is not reported.
pub fn reverify(path: &Path, seed: [u8; 32]) -> Result<(Identity, Readback), SanitizeError> {
    let file = open_to_look(path)?;
    let identity = identify(&Host::here(), &file, path)?;
    let device = OpenDevice::new(file, identity.size, identity.kind);
    let what = |e| SanitizeError::undeterminable("what the medium holds beneath the cache", e);
    device.drop_cache().map_err(what)?;
    let shape = Shape { buffer: 2 << 20, queue: 4, sync_every: u64::MAX, bad_block_limit: 0 };
    let found = readback(&device, &Pattern::from_seed(seed), shape, (&|_, _| {}, &NEVER));
    Ok((identity, found))
}

fn check_terms(terms: &Terms, options: &Options<'_>) -> Result<(), SanitizeError> {
    let clearance = terms.clearance;
    if terms.act != Act::Sanitize {
        return Err(SanitizeError::WrongAct { clearance });
    }
    if terms.asset != options.asset {
        let (granted, asset) = (terms.asset, options.asset);
        return Err(SanitizeError::WrongAsset { clearance, granted, asset });
    }
    let (now, not_after) = (options.clock.unix(), terms.not_after);
    match now > not_after {
        true => Err(SanitizeError::Expired { clearance, not_after, now }),
        false => Ok(()),
    }
}

fn check_subject(path: &Path, terms: &Terms, identity: &Identity) -> Result<(), SanitizeError> {
    match identity.digest() == terms.subject {
        true => Ok(()),
        false => Err(SanitizeError::WrongSubject {
            path: path.into(),
            cleared: to_hex(&terms.subject),
            found: to_hex(&identity.digest()),
            identity: identity.canonical(),
        }),
    }
}

/// Opens for writing with an exclusive claim; when the claim is refused, says who has it.
fn open_claimed(
    host: &Host,
    path: &Path,
    house: Option<&Path>,
) -> Result<(File, Identity), SanitizeError> {
    must_be_device(path)?;
    let flags = (OFlags::EXCL | OFlags::NONBLOCK | OFlags::CLOEXEC).bits() as i32;
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
    let file = file.map_err(|e| why_not_open(host, path, house, e))?;
    let identity = identify(host, &file, path)?;
    let meta = file.metadata().map_err(|e| SanitizeError::undeterminable("its kind", e))?;
    if !meta.file_type().is_block_device() {
        guard::claim_file(&file, path)?;
    }
    Ok((file, identity))
}

/// The reason by name, if looking at the device gives one.
fn why_not_open(
    host: &Host,
    path: &Path,
    house: Option<&Path>,
    source: io::Error,
) -> SanitizeError {
    let look = || {
        let file = open_to_look(path)?;
        guard::check(host, &file, &identify(host, &file, path)?, house)
    };
    match (look(), source.kind()) {
        (Err(SanitizeError::Open { .. }), _) => SanitizeError::Open { path: path.into(), source },
        (Err(reason), _) => reason,
        (Ok(()), io::ErrorKind::ResourceBusy) => {
            let detail = "the kernel grants no exclusive claim";
            SanitizeError::Busy { path: path.into(), detail }
        }
        (Ok(()), _) => SanitizeError::Open { path: path.into(), source },
    }
}

fn keep_log_apart(log: &Log, device: &File, path: &Path) -> Result<(), SanitizeError> {
    let what = |e: io::Error| SanitizeError::undeterminable("where the log lies", e);
    let (log, device) = (log.file().metadata().map_err(what)?, device.metadata().map_err(what)?);
    match (log.dev(), log.ino()) == (device.dev(), device.ino()) {
        true => Err(SanitizeError::LogOnDevice { path: path.into() }),
        false => Ok(()),
    }
}

fn look_again(
    host: &Host,
    file: &File,
    (path, house): (&Path, Option<&Path>),
    before: &Identity,
) -> Result<Medium, SanitizeError> {
    let after = identify(host, file, path)?;
    if after != *before {
        return Err(SanitizeError::IdentityChanged {
            path: path.into(),
            before: before.canonical(),
            after: after.canonical(),
        });
    }
    guard::check(host, file, &after, house)?;
    let meta = file.metadata().map_err(|e| SanitizeError::undeterminable("its number", e))?;
    medium::look(host, file, DeviceNumber::from_raw(meta.rdev()), &after)
}

/// What was written over is the whole of the device only as long as it is that device: a file may
/// have grown.
fn is_still(host: &Host, file: &File, path: &Path, before: &Identity) -> Result<(), Stop> {
    let detail = match identify(host, file, path) {
        Ok(now) if now == *before => return Ok(()),
        Ok(now) if now.size != before.size => {
            format!("it had {} bytes and has {} now", before.size, now.size)
        }
        Ok(now) => format!("it was\n{}and is\n{}now", before.canonical(), now.canonical()),
        Err(e) => e.to_string(),
    };
    Err(Stop::DeviceChanged { detail })
}

fn intent(terms: &Terms, identity: &Identity, path: &Path, options: &Options<'_>) -> Event {
    Event::Intent {
        clearance: terms.clearance,
        disposition: terms.disposition,
        asset: terms.asset,
        origin: terms.origin.clone(),
        subject: to_hex(&terms.subject),
        identity: identity.canonical(),
        path: path.display().to_string(),
        seed: to_hex(&options.seed),
        tool: TOOL,
    }
}

/// Logs that nothing was written. A log that fails here changes nothing about that.
fn abandon(log: &mut Log, options: &Options<'_>, error: SanitizeError) -> SanitizeError {
    let event = Event::Abandoned { code: error.code(), detail: error.to_string() };
    let _ = log.append(options.clock.unix(), &event);
    error
}
