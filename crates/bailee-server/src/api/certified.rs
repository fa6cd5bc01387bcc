//! The certificate that a finish rests on: read and compared before anything is called destroyed.
//!
//! Invariants: a device counts as destroyed only on a certificate of sanitization of the clearance
//! at hand and the device it was granted for, overwritten and read back whole; a finish that is
//! told again with the very same certificate is recognised and recorded once. What is handed over
//! or returned has a paper of any form; what the vault destroys is not finished by hand at all.
//! The core is asked first, so that who may not finish learns nothing of the clearance.

use bailee_core::disposition::{ClearanceStatus, DispositionKind};
use bailee_core::id::ClearanceId;
use bailee_core::{Action, Code, Command, Reason, Record, decide};
use bailee_sanitize::{Certificate, Claim, Unfit};
use bailee_store::Exhibit;

use crate::api::problem::Problem;
use crate::house::House;
use crate::receipt;

/// Refuses a finish whose certificate does not prove it; gives what was recorded, if this very
/// finish was told before.
///
/// # Errors
/// `bad_certificate` for what does not read, `wrong_certificate` for one of something else,
/// `not_verified` for one of less than a whole run.
pub(super) fn check(
    house: &House,
    command: &Command,
    exhibits: &[Exhibit],
) -> Result<Option<Record>, Problem> {
    let Action::Finish { clearance, reason, .. } = &command.action else { return Ok(None) };
    let now = house.clock().now();
    let refused =
        house.with_state(|s| decide(s, command, now).err().map(|refusal| refusal.code))?;
    match refused {
        None => fits(house, *clearance, reason, exhibits).map(|()| None),
        Some(Code::ClearanceUsed) => recognised(house, *clearance, reason),
        // The runner says it, in its own words.
        Some(_) => Ok(None),
    }
}

fn fits(
    house: &House,
    clearance: ClearanceId,
    reason: &Reason,
    exhibits: &[Exhibit],
) -> Result<(), Problem> {
    let Some(claim) = claim(house, clearance)? else { return Ok(()) };
    // None at all is the core's to refuse.
    let Some(paper) = reason.exhibits.first() else { return Ok(()) };
    let found = exhibits.iter().find(|exhibit| exhibit.digest == paper.digest);
    let text = found.and_then(|exhibit| std::str::from_utf8(&exhibit.bytes).ok());
    let read = Certificate::from_json(text.unwrap_or_default());
    let about = clearance.to_string();
    let certificate = read.map_err(|why| {
        let detail = format!("the first document is no certificate of sanitization: {why}");
        let change = "hand in the certificate in the form of docs/sanitize.md";
        Problem::new(422, "bad_certificate", about.clone(), detail, change)
    })?;
    certificate.proves(&claim).map_err(|unfit| {
        let (code, change) = match unfit {
            Unfit::NotVerified { .. } => {
                ("not_verified", "abort it with what is gone: the device is not destroyed")
            }
            Unfit::Other { .. } | Unfit::Contradiction(_) => {
                ("wrong_certificate", "hand in the certificate of this very run")
            }
        };
        Problem::new(422, code, about, format!("the certificate does not fit: {unfit}"), change)
    })
}

/// For what the certificate is needed; `None` if the clearance is not there or not to sanitize.
fn claim(house: &House, id: ClearanceId) -> Result<Option<Claim>, Problem> {
    let found = house.with_state(|s| {
        let clearance = s.clearances.get(id)?;
        let kind = s.dispositions.get(clearance.disposition)?.kind;
        (kind == DispositionKind::Sanitize).then(|| clearance.clone())
    })?;
    Ok(found.map(|clearance| Claim {
        origin: house.config().origin.clone(),
        clearance: id.0,
        disposition: clearance.disposition.0,
        asset: clearance.asset.0,
        position: clearance.position,
        subject: clearance.subject,
    }))
}

/// What was recorded, if it rests on the same documents.
fn recognised(
    house: &House,
    clearance: ClearanceId,
    reason: &Reason,
) -> Result<Option<Record>, Problem> {
    let position = house.with_state(|s| {
        let found = s.clearances.get(clearance)?;
        found.certificate.filter(|_| found.status == ClearanceStatus::Finished)
    })?;
    let Some(position) = position else { return Ok(None) };
    let entry = house.entries(position, 1)?.pop();
    let record = entry.map(|entry| receipt::read(position, &entry)).transpose();
    let record = record.map_err(|e| Problem::failure("house_failed", "the log", e.to_string()))?;
    Ok(record.filter(|record| rests_on(record, reason)))
}

fn rests_on(record: &Record, reason: &Reason) -> bool {
    let digests = |papers: &[bailee_core::demand::Exhibit]| {
        papers.iter().map(|paper| paper.digest).collect::<Vec<_>>()
    };
    let recorded = record.fact.papers.as_ref().map(|papers| digests(&papers.exhibits));
    !reason.exhibits.is_empty() && recorded == Some(digests(&reason.exhibits))
}
