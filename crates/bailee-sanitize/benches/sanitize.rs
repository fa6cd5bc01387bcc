//! How fast the pattern is made, written and read back, beside `dd` (zeros in, reading out).
//!
//! Prints `name<TAB>value<TAB>unit<TAB>target`. Works on a file of 1 GiB in the temporary
//! directory (TMPDIR); writing and dd take turns, the best of three counts for each, because the
//! disk is shared with whatever else runs.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bailee_ledger::Signer;
use bailee_ledger::clearance::{self, Act, Clearance, Expect, Terms};
use bailee_sanitize::{
    Check, Identity, Lease, Options, Pattern, Stop, Until, Verified, reverify, sanitize,
};

const SIZE: u64 = 1 << 30;
const ROUNDS: usize = 3;
const SEED: [u8; 32] = [7; 32];

struct Granting;
impl Lease for Granting {
    fn begin(&mut self, _: &Clearance) -> Result<Until, Stop> {
        Ok(Until::after(Duration::from_secs(60)))
    }
    fn renew(&mut self) -> Result<Until, Stop> {
        Ok(Until::after(Duration::from_secs(60)))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    keystream();
    let dir = tempfile::tempdir()?;
    let (image, log) = (dir.path().join("image"), dir.path().join("log"));
    File::create(&image)?.set_len(SIZE)?;
    dd(&image)?; // allocates the blocks, for both sides
    let [mut wrote, mut zeros, mut read, mut dd_read] = [Duration::MAX; 4];
    for _ in 0..ROUNDS {
        zeros = zeros.min(dd(&image)?);
        wrote = wrote.min(overwrite(&image, &log)?);
        read = read.min(read_back(&image)?);
        dd_read = dd_read.min(dd_out(&image)?);
    }
    let mb = |time: Duration| SIZE as f64 / 1e6 / time.as_secs_f64();
    println!("sanitize_overwrite\t{:.0}\tMB/s\t-", mb(wrote));
    println!("sanitize_dd_zero\t{:.0}\tMB/s\t-", mb(zeros));
    println!("sanitize_overwrite_to_dd\t{:.2}\tratio\t>=0.90", mb(wrote) / mb(zeros));
    println!("sanitize_verify\t{:.0}\tMB/s\t-", mb(read));
    println!("sanitize_dd_read\t{:.0}\tMB/s\t-", mb(dd_read));
    println!("sanitize_verify_to_dd\t{:.2}\tratio\t>=0.90", mb(read) / mb(dd_read));
    Ok(())
}

fn keystream() {
    let (pattern, mut buffer) = (Pattern::from_seed(SEED), vec![0u8; 2 << 20]);
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for chunk in 0..128u64 {
            pattern.fill(chunk * buffer.len() as u64, &mut buffer);
            std::hint::black_box(&buffer);
        }
        best = best.min(start.elapsed());
    }
    let gb = 128.0 * buffer.len() as f64 / 1e9 / best.as_secs_f64();
    println!("sanitize_keystream\t{gb:.2}\tGB/s\t>=3");
}

fn dd(image: &Path) -> Result<Duration, Box<dyn Error>> {
    let to = format!("of={}", image.display());
    run_dd(&["if=/dev/zero", &to, "count=512", "oflag=direct", "conv=notrunc,fdatasync"])
}

fn dd_out(image: &Path) -> Result<Duration, Box<dyn Error>> {
    run_dd(&[&format!("if={}", image.display()), "of=/dev/null", "iflag=direct"])
}

fn run_dd(args: &[&str]) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    let out = Command::new("dd").arg("bs=2M").args(args).output()?;
    match out.status.success() {
        true => Ok(start.elapsed()),
        false => Err(String::from_utf8_lossy(&out.stderr).into()),
    }
}

fn overwrite(image: &Path, log: &Path) -> Result<Duration, Box<dyn Error>> {
    let clearance = clearance_of(image)?;
    let options = Options { check: Check::Skip, ..Options::new(9, SEED, log) };
    let start = Instant::now();
    let record = sanitize(image, clearance, &mut Granting, &options, &mut |_| {})?;
    let took = start.elapsed();
    assert_eq!(record.verified, Verified::NotDone);
    assert_eq!(record.written.total(), SIZE);
    Ok(took)
}

fn read_back(image: &Path) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    let (_, found) = reverify(image, SEED)?;
    assert!(found.is_whole(SIZE));
    Ok(start.elapsed())
}

fn clearance_of(image: &Path) -> Result<Clearance, Box<dyn Error>> {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let subject = Identity::of_path(image)?.digest();
    let origin = "log.example/bench".to_string();
    let signer = Signer::from_seed(&clearance::key_name(&origin), &[3; 32])?;
    let terms = Terms {
        origin,
        clearance: 1,
        disposition: 1,
        asset: 9,
        act: Act::Sanitize,
        subject,
        position: 1,
        not_after: now + 600,
    };
    let token = clearance::sign(&terms, &signer)?;
    let expect = Expect { asset: 9, act: Act::Sanitize, subject };
    Ok(clearance::verify(token.as_bytes(), signer.verifier(), &expect, now)?)
}
