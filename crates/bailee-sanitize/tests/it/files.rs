//! Disk images in files: whole runs, refusals that leave every byte, stops that tell the truth.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use bailee_ledger::clearance::{self, Act, ClearanceError, Expect, Terms};
use bailee_sanitize::{
    Achieved, Certificate, Check, Identity, IoPath, Level, Options, Outcome, Particulars, Pattern,
    Phase, Progress, Span, Spans, Verified, reverify, sanitize,
};

use crate::common::{
    ASSET, Image, NOW, SEED, clearance_of, cleared, clock, code, granting, image, refusal, run,
    signer, terms,
};

const SIZE: usize = 8 << 20;

fn pattern(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Pattern::from_seed(SEED).fill(0, &mut bytes);
    bytes
}

#[test]
fn overwritten_whole_read_back_and_certified() {
    for size in [SIZE, SIZE + 12_345, 100] {
        let image = image(size);
        let record = run(&image.path, clearance_of(&image.path), &image.log(), |_| {}).unwrap();
        assert!(image.bytes() == pattern(size), "size {size}");
        assert_eq!(record.outcome, Outcome::Complete);
        assert_eq!((record.achieved, record.verified), (Achieved::Clear, Verified::Whole));
        assert_eq!(record.synced, Spans::whole(size as u64));
        let is_direct = record.io_path == IoPath::Direct;
        assert_eq!(is_direct, !record.limits.iter().any(|l| l.contains("page cache")));
        assert!(!is_direct || size % 4096 == 0, "an odd size cannot go past the cache");
        let certificate = Certificate::issue(&record, Particulars::default());
        assert!(certificate.is_verified_clear());
        assert_eq!(Certificate::from_json(&certificate.to_json()), Ok(certificate));
        let events = image.events();
        assert_eq!(events[..2], ["intent", "begun"]);
        assert_eq!(events.last().unwrap(), "finished");
    }
}

#[test]
fn anyone_can_read_back_later_with_the_seed_and_one_flipped_byte_shows() {
    let image = image(SIZE);
    run(&image.path, clearance_of(&image.path), &image.log(), |_| {}).unwrap();
    let (identity, found) = reverify(&image.path, SEED).unwrap();
    assert_eq!(identity, Identity::of_path(&image.path).unwrap());
    assert!(found.is_whole(SIZE as u64));
    let file = OpenOptions::new().write(true).open(&image.path).unwrap();
    file.write_all_at(&[image.bytes()[5_000_000] ^ 1], 5_000_000).unwrap();
    file.sync_all().unwrap();
    let (_, found) = reverify(&image.path, SEED).unwrap();
    let block = Span { start: 5_000_000 / 4096 * 4096, end: 5_000_000 / 4096 * 4096 + 4096 };
    assert_eq!(found.mismatched.as_slice(), [block]);
}

#[test]
fn the_intent_is_in_the_log_and_no_byte_is_changed_when_the_gate_is_asked() {
    let image = image(SIZE);
    let (path, log, old) = (image.path.clone(), image.log(), image.old.clone());
    let mut lease = granting();
    lease.at_begin = Box::new(move || {
        assert!(fs::read(&path).unwrap() == old);
        let text = fs::read_to_string(&log).unwrap();
        assert!(text.contains("\"event\":\"intent\"") && !text.contains("begun"), "{text}");
    });
    let (clock, log) = (clock(0), image.log());
    let options = Options { clock: &clock, ..Options::new(ASSET, SEED, &log) };
    let mut phases = Vec::new();
    let clearance = clearance_of(&image.path);
    let record =
        sanitize(&image.path, clearance, &mut lease, &options, &mut |p| phases.push(p.phase));
    assert_eq!(record.unwrap().verified, Verified::Whole);
    assert_eq!((phases.first(), phases.last()), (Some(&Phase::Writing), Some(&Phase::Reading)));
}

/// Every refusal leaves every byte.
#[test]
fn refusals_by_name() {
    let image = image(SIZE);
    let subject = Identity::of_path(&image.path).unwrap().digest();
    let log = image.log();
    let other = terms([9; 32]);
    assert_eq!(code(run(&image.path, cleared(&other), &log, |_| {})), "wrong_subject");
    let returned = Terms { act: Act::Return, ..terms(subject) };
    assert_eq!(code(run(&image.path, cleared(&returned), &log, |_| {})), "wrong_act");
    let elsewhere = Terms { asset: 8, ..terms(subject) };
    assert_eq!(code(run(&image.path, cleared(&elsewhere), &log, |_| {})), "wrong_asset");
    let ended = Terms { not_after: NOW, ..terms(subject) };
    let refused = run(&image.path, cleared(&ended), &log, |o| o.clock = &LateClock);
    assert_eq!(code(refused), "clearance_expired");
    for requested in [Level::Purge, Level::Destroy] {
        let refused = run(&image.path, cleared(&terms(subject)), &log, |o| o.requested = requested);
        assert_eq!(code(refused), "level_not_supported");
    }
    let ours = || cleared(&terms(subject));
    assert_eq!(code(run(&image.path, ours(), &log, |o| o.buffer = 1000)), "bad_option");
    assert_eq!(code(run(&image.path, ours(), &log, |o| o.queue = 0)), "bad_option");
    assert_eq!(code(run(&image.path, ours(), &log, |o| o.seed = [0; 32])), "bad_option");
    assert_eq!(code(run(Path::new("/dev/null"), ours(), &log, |_| {})), "not_a_device");
    assert_eq!(code(run(image.dir.path(), ours(), &log, |_| {})), "not_a_device");
    assert_eq!(code(run(&image.dir.path().join("none"), ours(), &log, |_| {})), "cannot_open");
    assert!(!log.exists(), "nothing was meant, nothing is in the log");
    image.assert_untouched();
}

struct LateClock;
impl bailee_sanitize::Clock for LateClock {
    fn moment(&self) -> bailee_sanitize::Moment {
        bailee_sanitize::Moment::at(std::time::Duration::ZERO)
    }
    fn unix(&self) -> i64 {
        NOW + 1
    }
}

#[test]
fn a_token_for_another_asset_device_or_time_gives_no_clearance_at_all() {
    let image = image(4096);
    let subject = Identity::of_path(&image.path).unwrap().digest();
    let token = clearance::sign(&terms(subject), &signer()).unwrap();
    let expect = Expect { asset: ASSET, act: Act::Sanitize, subject };
    let verify = |expect: &Expect, now| {
        clearance::verify(token.as_bytes(), signer().verifier(), expect, now)
    };
    let asset = verify(&Expect { asset: 8, ..expect.clone() }, NOW);
    assert!(matches!(asset, Err(ClearanceError::WrongAsset { .. })));
    let device = verify(&Expect { subject: [1; 32], ..expect.clone() }, NOW);
    assert!(matches!(device, Err(ClearanceError::WrongSubject { .. })));
    let late = verify(&expect, NOW + 301);
    assert!(matches!(late, Err(ClearanceError::Expired { .. })));
    image.assert_untouched();
}

#[test]
fn a_file_put_in_the_place_of_the_cleared_one_is_refused() {
    let image = image(SIZE);
    let clearance = clearance_of(&image.path);
    let moved = image.dir.path().join("moved.img");
    fs::rename(&image.path, &moved).unwrap();
    fs::write(&image.path, &image.old).unwrap();
    assert_eq!(code(run(&image.path, clearance, &image.log(), |_| {})), "wrong_subject");
    image.assert_untouched();
    assert!(fs::read(&moved).unwrap() == image.old);
}

#[test]
fn a_file_that_changes_while_the_gate_is_asked_is_refused() {
    let image = image(SIZE);
    let clearance = clearance_of(&image.path);
    let path = image.path.clone();
    let mut lease = granting();
    lease.at_begin = Box::new(move || {
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"more").unwrap();
    });
    let (clock, log) = (clock(0), image.log());
    let options = Options { clock: &clock, ..Options::new(ASSET, SEED, &log) };
    let refused = sanitize(&image.path, clearance, &mut lease, &options, &mut |_| {});
    assert_eq!(code(refused), "identity_changed");
    assert_eq!(image.events(), ["intent", "abandoned"]);
    assert!(image.bytes() == [&image.old[..], b"more"].concat());
}

/// Between the second look and the end: all that was the device is overwritten, and it is more now.
#[test]
fn a_file_that_grows_while_it_is_overwritten_or_read_back_is_not_clear() {
    for (when, verified) in [(Phase::Writing, Verified::NotDone), (Phase::Reading, Verified::Whole)]
    {
        let image = image(SIZE);
        let (clock, log) = (clock(0), image.log());
        let options = Options { clock: &clock, ..Options::new(ASSET, SEED, &log) };
        let mut more = Some(&b"more"[..]);
        let mut grow = |at: Progress| {
            if let Some(more) = more.take_if(|_| at.phase == when) {
                OpenOptions::new().append(true).open(&image.path).unwrap().write_all(more).unwrap();
            }
        };
        let clearance = clearance_of(&image.path);
        let record =
            sanitize(&image.path, clearance, &mut granting(), &options, &mut grow).unwrap();
        let Outcome::Stopped { reason, .. } = &record.outcome else { panic!("{record:?}") };
        assert_eq!((reason.code(), record.verified), ("device_changed", verified));
        assert_eq!((record.achieved, record.gone()), (Achieved::Nothing, SIZE as u64));
        let said = record.ending();
        assert!(said.contains(&format!("had {SIZE} bytes and has {} now", SIZE + 4)), "{said}");
        assert_eq!(image.events().last().unwrap(), "stopped");
    }
}

fn with_refusal(image: &Image, refuse_at: u64) -> (Vec<String>, Result<Outcome, &'static str>) {
    let (clock, log) = (clock(10_000), image.log());
    let options =
        Options { buffer: 1 << 20, queue: 1, clock: &clock, ..Options::new(ASSET, SEED, &log) };
    let mut lease = granting();
    lease.refuse_at = Some(refuse_at);
    let clearance = clearance_of(&image.path);
    let result = sanitize(&image.path, clearance, &mut lease, &options, &mut |_| {});
    (image.events(), result.map(|r| r.outcome).map_err(|e| e.code()))
}

#[test]
fn a_lease_that_is_never_granted_leaves_every_byte() {
    let image = image(SIZE);
    let (events, result) = with_refusal(&image, 0);
    assert_eq!(result, Err("lease_refused"));
    assert_eq!(events, ["intent", "abandoned"]);
    image.assert_untouched();
}

/// The boot clock moves 10 s at each look: renewals come and are refused in the middle.
#[test]
fn a_lease_refused_midway_stops_and_the_rest_is_untouched() {
    let image = image(SIZE);
    let (events, result) = with_refusal(&image, 2);
    let Ok(Outcome::Stopped { written, reason }) = result else { panic!("{result:?}") };
    assert_eq!(reason, refusal());
    assert_eq!(written.len(), 1);
    let gone = written[0].end as usize;
    assert!(written[0].start == 0 && gone > 0 && gone < SIZE, "{written:?}");
    let bytes = image.bytes();
    assert!(bytes[..gone] == pattern(gone)[..], "what is said to be gone is gone");
    assert!(bytes[gone..] == image.old[gone..], "the rest is as it was");
    assert_eq!(events.last().unwrap(), "stopped");
}

#[test]
fn a_log_that_cannot_be_written_or_is_the_device_is_refused() {
    let image = image(SIZE);
    let full = run(&image.path, clearance_of(&image.path), Path::new("/dev/full"), |_| {});
    assert_eq!(code(full), "log_unavailable");
    let nowhere = image.dir.path().join("no/such/dir/log");
    let refused = run(&image.path, clearance_of(&image.path), &nowhere, |_| {});
    assert_eq!(code(refused), "log_unavailable");
    let itself = run(&image.path, clearance_of(&image.path), &image.path, |_| {});
    assert_eq!(code(itself), "log_on_device");
    image.assert_untouched();
}

/// Runs itself once more as the other program.
#[test]
fn a_file_locked_by_another_program_is_refused() {
    const VARIABLE: &str = "BAILEE_TEST_LOCK_THIS";
    if let Some(path) = std::env::var_os(VARIABLE) {
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
        println!("\nlocked");
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        assert!(line.is_empty(), "held until the other side closed");
        return;
    }
    let image = image(SIZE);
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "files::a_file_locked_by_another_program_is_refused", "--nocapture"])
        .env(VARIABLE, &image.path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.any(|l| l.unwrap() == "locked"));
    let refused = run(&image.path, clearance_of(&image.path), &image.log(), |_| {});
    drop(other.stdin.take());
    assert_eq!(code(refused), "busy");
    image.assert_untouched();
    lines.for_each(drop);
    assert!(other.wait().unwrap().success());
    let free = run(&image.path, clearance_of(&image.path), &image.log(), |_| {});
    assert_eq!(free.unwrap().verified, Verified::Whole);
}

#[test]
fn an_empty_file_is_refused_and_skipping_the_check_is_recorded() {
    let empty = image(4096);
    let clearance = clearance_of(&empty.path);
    File::create(&empty.path).unwrap();
    assert_eq!(code(run(&empty.path, clearance, &empty.log(), |_| {})), "empty_device");
    let image = image(SIZE);
    let clearance = clearance_of(&image.path);
    let record = run(&image.path, clearance, &image.log(), |o| o.check = Check::Skip).unwrap();
    assert_eq!((record.achieved, record.verified), (Achieved::Clear, Verified::NotDone));
}
