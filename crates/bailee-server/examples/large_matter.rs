//! Builds a matter with many documents, writes its bundle, verifies it, and prints what each took.
//!
//! `cargo run --release -p bailee-server --example large_matter -- DIR 10000 2` makes 10,000
//! documents of 2 MiB that cannot be compressed, in a new house in DIR (which must not exist), and
//! the bundle beside it. Twice the size of the documents is needed on disk. Memory is the peak of
//! the process's resident set while the bundle is written, as Linux counts it.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use bailee_core::demand::Exhibit as Paper;
use bailee_core::disclosure::Audience;
use bailee_core::id::{MatterId, PartyId};
use bailee_core::party::{Role, Who};
use bailee_core::{Action, Command, Reason};
use bailee_ledger::{Trust, verify_bundle};
use bailee_server::{Clock, Config, House, matter};
use bailee_store::{Exhibit, digest};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let mut words = std::env::args().skip(1);
    let (Some(dir), Some(count), Some(mebibytes)) = (words.next(), words.next(), words.next())
    else {
        return Err("say DIR, number of documents, MiB of each".into());
    };
    let dir = Path::new(&dir);
    let (count, size) = (count.parse::<u64>()?, mebibytes.parse::<usize>()? << 20);
    let house = House::create(dir, &Config::for_origin("log.example.org/large"), Clock::Wall)?;
    let start = Instant::now();
    fill(&house, count, size)?;
    drop(house);
    told("filled", start, count * size as u64)?;
    let house = House::open(dir, Clock::Wall)?;
    forget_peak()?;
    let start = Instant::now();
    let path = dir.with_extension("bailee.zip");
    let mut out = BufWriter::new(File::create(&path)?);
    matter::bundle(&house, MatterId(1), Audience::Counsel, &mut out)?;
    out.flush()?;
    drop(out);
    told("bundle written", start, path.metadata()?.len())?;
    forget_peak()?;
    let start = Instant::now();
    let trust = Trust::pinned_key(&house.log_key()?.to_vkey())?;
    let report = verify_bundle(BufReader::new(File::open(&path)?), &trust)?;
    if report.failed() || report.exhibits.len() as u64 != count {
        return Err(format!("does not verify: {report}").into());
    }
    told("bundle verified", start, path.metadata()?.len())
}

/// A matter with a letter for each document.
fn fill(house: &House, count: u64, size: usize) -> Outcome {
    let who = Who { name: "Cora".into(), channels: Vec::new() };
    let roles = vec![Role::Counsel];
    let register = Action::RegisterParty { who, roles, same_person_as: None };
    house.submit(Command::system(register), Vec::new())?;
    let by = |action| Command::by(PartyId(1), action);
    house.submit(by(Action::OpenMatter { title: "large".into() }), Vec::new())?;
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    for n in 0..count {
        let mut bytes = Vec::with_capacity(size);
        while bytes.len() < size {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            bytes.extend_from_slice(&noise.to_le_bytes());
        }
        let exhibit = Exhibit { digest: digest(&bytes), bytes };
        let paper = Paper {
            digest: exhibit.digest,
            size: exhibit.bytes.len() as u64,
            media: "application/octet-stream".into(),
            name: format!("document {n}"),
        };
        let reason = Reason { note: format!("letter {n}"), exhibits: vec![paper] };
        let (matter, from) = (MatterId(1), PartyId(1));
        let file = Action::FileCorrespondence { matter, from, reason };
        house.submit(by(file), vec![exhibit])?;
    }
    Ok(())
}

/// One line of what something took.
fn told(what: &str, start: Instant, bytes: u64) -> Outcome {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?");
    let seconds = start.elapsed().as_secs_f64();
    let line = format!("{what}: {bytes} bytes, {seconds:.1} s, peak memory {}\n", peak.trim());
    Ok(std::io::stdout().write_all(line.as_bytes())?)
}

/// The peak counts from here on (Linux: proc(5), clear_refs).
fn forget_peak() -> Outcome {
    Ok(std::fs::write("/proc/self/clear_refs", "5")?)
}
