//! Prove: the files that others take away, verified, and shown to break when one byte is flipped.

use std::fs::{self, File};
use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use bailee_ledger::{Trust, verify_bundle};
use bailee_server::core::check;
use bailee_server::core::disclosure::Audience;
use bailee_server::{matter, receipt};

use super::stage::Stage;
use super::story::{Case, Ended};

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
    for name in &names {
        let said = verify(&stage.proofs.join(name), &trust)?;
        stage.say("", &said);
    }
    let (head, entries) = stage.house.with_state(|s| (s.head, s.notices.len()))?;
    stage.say("", &format!("check: no rule is broken ({head} entries, {entries} notices)."));
    close(stage, &names);
    Ok(())
}

/// Verifies a file, and that it does not verify with one byte flipped.
fn verify(path: &Path, trust: &Trust) -> Result<String> {
    let bytes = fs::read(path)?;
    let report = verify_bundle(Cursor::new(&bytes), trust)?;
    ensure!(!report.failed(), "{report}");
    let mut broken = bytes.clone();
    let at = broken.len() / 2;
    broken[at] ^= 1;
    let why = match verify_bundle(Cursor::new(&broken), trust) {
        Err(error) => error.to_string(),
        Ok(report) => {
            let problem = report.problems.first().context("a flipped byte was not noticed")?;
            format!("{}: {}", problem.member, problem.what)
        }
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let entries = report.entries.len();
    let size = bytes.len() >> 10;
    let noticed = format!("one bit flipped at byte {at} is noticed ({why})");
    Ok(format!("{name}: verified, {entries} entries, {size} KiB; {noticed}"))
}

fn close(stage: &Stage, names: &[String]) {
    let proofs = stage.proofs.display();
    stage.say("", "");
    stage.say("", &format!("Done in {:.1} s. Check it yourself:", stage.seconds()));
    stage.say("", &format!("cd {proofs}"));
    for name in names {
        stage.say("", &format!("bailee verify --key \"$(cat log.vkey)\" {name}"));
    }
    let house = stage.dir.join("house");
    stage.say("", &format!("bailee check --dir {}", house.display()));
}
