//! Clearances, leases, clocks and images for the tests.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bailee_ledger::Signer;
use bailee_ledger::clearance::{self, Act, Clearance, Expect, Terms};
use bailee_sanitize::{
    Clock, Identity, Lease, Moment, Options, Record, SanitizeError, Stop, Until, sanitize,
};
use tempfile::TempDir;

pub(crate) const ORIGIN: &str = "log.example/bailee";
pub(crate) const ASSET: u32 = 9;
pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const SEED: [u8; 32] = [7; 32];

/// A directory on a file system that writes in place.
pub(crate) fn workdir() -> TempDir {
    let magic = |dir: &Path| rustix::fs::statfs(dir).unwrap().f_type;
    let usual = std::env::temp_dir();
    match [0xEF53, 0x0102_1994].contains(&magic(&usual)) {
        true => tempfile::tempdir().unwrap(),
        false => tempfile::tempdir_in("/dev/shm").unwrap(),
    }
}

/// An image full of other people's data, and room for a log.
pub(crate) struct Image {
    pub(crate) dir: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) old: Vec<u8>,
}

pub(crate) fn image(size: usize) -> Image {
    let dir = workdir();
    let path = dir.path().join("disk.img");
    let old: Vec<u8> = (0..size).map(|i| (i * 31 + i / 4096) as u8).collect();
    fs::write(&path, &old).unwrap();
    File::open(&path).unwrap().sync_all().unwrap();
    Image { dir, path, old }
}

impl Image {
    pub(crate) fn log(&self) -> PathBuf {
        self.dir.path().join("run.log")
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    #[track_caller]
    pub(crate) fn assert_untouched(&self) {
        assert!(self.bytes() == self.old, "bytes of the image changed");
    }

    pub(crate) fn events(&self) -> Vec<String> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let event = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["event"].as_str().unwrap().to_string()
        };
        text.lines().map(event).collect()
    }
}

pub(crate) fn terms(subject: [u8; 32]) -> Terms {
    Terms {
        origin: ORIGIN.into(),
        clearance: 7,
        disposition: 3,
        asset: ASSET,
        act: Act::Sanitize,
        subject,
        position: 4711,
        not_after: NOW + 300,
    }
}

pub(crate) fn signer() -> Signer {
    Signer::from_seed(&clearance::key_name(ORIGIN), &[3; 32]).unwrap()
}

/// Signs `terms` and verifies the token, as an agent does.
pub(crate) fn cleared(terms: &Terms) -> Clearance {
    let token = clearance::sign(terms, &signer()).unwrap();
    let expect = Expect { asset: terms.asset, act: terms.act, subject: terms.subject };
    clearance::verify(token.as_bytes(), signer().verifier(), &expect, NOW).unwrap()
}

pub(crate) fn clearance_of(path: &Path) -> Clearance {
    cleared(&terms(Identity::of_path(path).unwrap().digest()))
}

/// A wall clock that stands, a boot clock that moves when looked at.
pub(crate) struct TestClock {
    looks: AtomicU64,
    millis_per_look: u64,
}

pub(crate) fn clock(millis_per_look: u64) -> TestClock {
    TestClock { looks: AtomicU64::new(0), millis_per_look }
}

impl Clock for TestClock {
    fn moment(&self) -> Moment {
        let looks = self.looks.fetch_add(1, Ordering::SeqCst);
        Moment::at(Duration::from_millis(looks * self.millis_per_look))
    }
    fn unix(&self) -> i64 {
        NOW
    }
}

/// Grants a minute each time, until the renewal it refuses.
pub(crate) struct Granting {
    pub(crate) refuse_at: Option<u64>,
    pub(crate) renewals: u64,
    pub(crate) at_begin: Box<dyn FnMut() + Send>,
}

pub(crate) fn granting() -> Granting {
    Granting { refuse_at: None, renewals: 0, at_begin: Box::new(|| {}) }
}

pub(crate) fn refusal() -> Stop {
    Stop::Refused { reason: "D-9 arrived".into() }
}

impl Lease for Granting {
    fn begin(&mut self, _: &Clearance) -> Result<Until, Stop> {
        (self.at_begin)();
        match self.refuse_at {
            Some(0) => Err(refusal()),
            _ => Ok(Until::after(Duration::from_secs(60))),
        }
    }
    fn renew(&mut self) -> Result<Until, Stop> {
        self.renewals += 1;
        match self.refuse_at {
            Some(n) if self.renewals >= n => Err(refusal()),
            _ => Ok(Until::after(Duration::from_secs(60))),
        }
    }
}

/// One run with small buffers.
pub(crate) fn run(
    path: &Path,
    clearance: Clearance,
    log: &Path,
    change: impl FnOnce(&mut Options<'_>),
) -> Result<Record, SanitizeError> {
    let clock = clock(0);
    let mut options = Options { buffer: 1 << 20, clock: &clock, ..Options::new(ASSET, SEED, log) };
    change(&mut options);
    sanitize(path, clearance, &mut granting(), &options, &mut |_| {})
}

/// The code of a refusal.
#[track_caller]
pub(crate) fn code(result: Result<Record, SanitizeError>) -> &'static str {
    result.map(|r| r.outcome).expect_err("a refusal").code()
}
