//! Prove: the files that others take away, verified, and shown to break when one byte is flipped.

use std::fs::{self, File};
use std::io::Cursor;

use anyhow::{Context, Result, ensure};
use bailee_ledger::{Trust, verify_bundle};
use bailee_server::core::check;
use bailee_server::core::disclosure::Audience;
use bailee_server::{matter, receipt};
use serde_json::json;

use super::stage::Stage;
use super::story::{Case, Ended};
use crate::print::{self, Style};

/// Writes receipts, bundle and certificate; verifies each; checks the house.
pub(super) fn prove(stage: &mut Stage, case: &Case, ended: &Ended) -> Result<()> {
    stage.act("PROVE");
    stage.settle()?;
    let violations = stage.house.with_state(check)?;
    ensure!(violations.is_empty(), "{violations:?}");
    let mut names = Vec::new();
    for demand in case.demands {
        let name = format!("receipt-{demand}.bailee.zip");
        receipt::demand(&stage.house, demand, &mut File::create(stage.proofs.join(&name))?)?;
        names.push(name);
    }
    let name = format!("matter-{}.bailee.zip", case.matter);
    let mut out = File::create(stage.proofs.join(&name))?;
    matter::bundle(&stage.house, case.matter, Audience::Counsel, &mut out)?;
    names.push(name);
    let name = format!("certificate-{}.bailee.zip", ended.clearance);
    receipt::certificate(
        &stage.house,
        ended.clearance,
        &mut File::create(stage.proofs.join(&name))?,
    )?;
    names.push(name);
    let vkey = stage.house.log_key()?.to_vkey();
    fs::write(stage.proofs.join("log.vkey"), format!("{vkey}\n"))?;
    let trust = Trust::pinned_key(&vkey)?;
    let mut proofs = Vec::new();
    for name in names {
        let proof = verify(stage, name, &trust)?;
        stage.say("", &proof.in_words());
        proofs.push(proof);
    }
    let (head, notices) = stage.house.with_state(|s| (s.head, s.notices.len()))?;
    stage.say("", &format!("check: no rule is broken ({head} entries, {notices} notices)."));
    match stage.style {
        Style::Words => close(stage, &proofs),
        Style::Json => tell(stage, &proofs, (head, notices))?,
    }
    Ok(())
}

/// A file that verifies, and does not with one byte flipped.
struct Proof {
    name: String,
    entries: usize,
    bytes: usize,
    flipped: usize,
    noticed: String,
}

impl Proof {
    fn in_words(&self) -> String {
        let Proof { name, entries, bytes, flipped, noticed } = self;
        let size = bytes >> 10;
        let noticed = format!("one bit flipped at byte {flipped} is noticed ({noticed})");
        format!("{name}: verified, {entries} entries, {size} KiB; {noticed}")
    }
}

/// Verifies a file, and that it does not verify with one byte flipped.
fn verify(stage: &Stage, name: String, trust: &Trust) -> Result<Proof> {
    let bytes = fs::read(stage.proofs.join(&name))?;
    let report = verify_bundle(Cursor::new(&bytes), trust)?;
    ensure!(!report.failed(), "{report}");
    let mut broken = bytes.clone();
    let flipped = broken.len() / 2;
    broken[flipped] ^= 1;
    let noticed = match verify_bundle(Cursor::new(&broken), trust) {
        Err(error) => error.to_string(),
        Ok(report) => {
            let problem = report.problems.first().context("a flipped byte was not noticed")?;
            format!("{}: {}", problem.member, problem.what)
        }
    };
    Ok(Proof { name, entries: report.entries.len(), bytes: bytes.len(), flipped, noticed })
}

fn close(stage: &Stage, proofs: &[Proof]) {
    stage.say("", "");
    stage.say("", &format!("Done in {:.1} s. Check it yourself:", stage.seconds()));
    stage.say("", &format!("cd {}", stage.proofs.display()));
    for Proof { name, .. } in proofs {
        stage.say("", &format!("bailee verify --key \"$(cat log.vkey)\" {name}"));
    }
    let house = stage.dir.join("house");
    stage.say("", &format!("bailee check --dir {}", house.display()));
}

/// What was proved, for programs.
fn tell(stage: &Stage, proofs: &[Proof], (entries, notices): (u64, usize)) -> Result<()> {
    let files = proofs.iter().map(|proof| {
        json!({
            "file": stage.proofs.join(&proof.name),
            "verified": true,
            "entries": proof.entries,
            "bytes": proof.bytes,
            "flipped_byte": proof.flipped,
            "noticed": proof.noticed,
        })
    });
    let value = json!({
        "house": stage.dir.join("house"),
        "key": stage.proofs.join("log.vkey"),
        "files": files.collect::<Vec<_>>(),
        "rules_broken": 0,
        "entries": entries,
        "notices": notices,
        "seconds": stage.seconds(),
    });
    Ok(print::json(&value)?)
}
