//! The end of an agent's run: told to the gate until it is heard.
//!
//! Order: the certificate is saved, durably -> told, again and again while the lease runs -> heard.
//! A crash or a dead line in between leaves the file, and the same command hands it in: hours of
//! work are not to end as `unknown` because a network was down for a second.
//!
//! Invariants: only the certificate of a whole run is kept there; what is taken up is of the very
//! disposition, asset and device of the command; the gate decides whether it still counts, and
//! recognises one that it heard before.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bailee_ledger::to_hex;
use bailee_server::api::parts::{Reason, Upload};
use bailee_server::api::{Problem, Request};
use bailee_server::sanitize::Certificate;

use crate::agent::Order;
use crate::client::Client;
use crate::save::save;
use crate::trouble::Trouble;

/// Between the first two attempts; doubled each time up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// The gate has said no to a certificate.
const NOT_TAKEN: &str = "certificate_not_taken";
/// Longest certificate read, bytes.
const LONGEST: u64 = 16 << 20;

/// Where the certificate of a run is kept until it is handed in, and afterwards: beside its log.
pub(crate) fn kept_at(log: &Path) -> PathBuf {
    log.with_extension("certificate.json")
}

/// Saves the certificate and tells the gate that the run is finished, until the lease is over.
pub(crate) fn finish(
    client: &Client,
    id: &str,
    certificate: &Certificate,
    log: &Path,
    lease: Instant,
) -> Result<(), Trouble> {
    let kept = kept_at(log);
    let json = certificate.to_json();
    let saved = save(&kept, |out| {
        out.write_all(json.as_bytes()).map_err(|e| Trouble::io("write the certificate", &e))
    });
    // A full disk here is no reason to be silent there.
    let told = hand_in(client, id, certificate, lease);
    match (told, saved) {
        (Ok(()), saved) => saved.map(|_| ()),
        (Err(trouble), Ok(_)) => Err(unheard(id, &trouble, &kept)),
        (Err(trouble), Err(lost)) => {
            let detail = format!("{trouble}; and the certificate could not be kept: {lost}");
            let change = "keep the run's log: it says what was done";
            Err(Trouble::failed("certificate_not_handed_in", id, detail, change))
        }
    }
}

/// Hands in what an earlier run of the same command left; `None` if it left nothing.
pub(crate) fn take_up(
    client: &Client,
    order: &Order<'_>,
    subject: &[u8; 32],
) -> Result<Option<(String, Certificate)>, Trouble> {
    let kept = kept_at(order.log);
    let Some(certificate) = read(&kept)? else { return Ok(None) };
    let of_this = certificate.asset() == order.asset.to_string()
        && certificate.disposition() == order.disposition
        && certificate.subject() == to_hex(subject);
    if !of_this {
        return Ok(None);
    }
    let id = certificate.clearance().to_owned();
    // How long its lease still runs, the gate knows.
    let told = hand_in(client, &id, &certificate, Instant::now() + 4 * LONGEST_PAUSE);
    told.map_err(|trouble| unheard(&id, &trouble, &kept))?;
    Ok(Some((id, certificate)))
}

fn read(kept: &Path) -> Result<Option<Certificate>, Trouble> {
    let what = format!("read {}", kept.display());
    let strange = |detail: String| {
        let change = "move the file away, and keep it";
        Trouble::refused("strange_certificate", kept.display(), detail, change)
    };
    match std::fs::metadata(kept) {
        Ok(meta) if meta.len() > LONGEST => {
            return Err(strange(format!("has {} bytes and is no certificate", meta.len())));
        }
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Trouble::io(what, &e)),
    }
    let text = std::fs::read_to_string(kept).map_err(|e| Trouble::io(what, &e))?;
    Certificate::from_json(&text).map(Some).map_err(strange)
}

fn hand_in(
    client: &Client,
    id: &str,
    certificate: &Certificate,
    until: Instant,
) -> Result<(), Trouble> {
    let json = certificate.to_json();
    let paper = Upload::of("certificate.json", "application/json", json.as_bytes());
    let reason = Reason { note: String::new(), exhibits: vec![paper] };
    let finish = Request::Finish { clearance: id.to_owned(), verified: true, reason };
    insist(until, || client.perform(&finish)).map(|_| ())
}

/// Tells it until there is an answer, or the time is over; once in any case.
pub(crate) fn insist<T>(
    until: Instant,
    mut tell: impl FnMut() -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let mut pause = FIRST_PAUSE;
    loop {
        match tell() {
            Err(trouble) if !is_no(&trouble) && Instant::now() + pause < until => {
                std::thread::sleep(pause);
            }
            answer => return answer,
        }
        pause = LONGEST_PAUSE.min(2 * pause);
    }
}

/// A named no; anything else that is no yes is silence, and may be asked again.
pub(crate) fn is_no(trouble: &Trouble) -> bool {
    let named = |problem: &Problem| {
        (400..500).contains(&problem.status) && problem.status != 429 && problem.status != 408
    };
    matches!(trouble, Trouble::Problem(problem) if named(problem))
}

/// The device is overwritten, and the gate did not take its certificate.
fn unheard(id: &str, trouble: &Trouble, kept: &Path) -> Trouble {
    let kept = kept.display();
    let detail = format!(
        "the device is overwritten and read back whole, and the gate did not record it: {trouble}; \
         the certificate is in {kept}"
    );
    match is_no(trouble) {
        true => {
            let change = "give the certificate to whoever inspects the asset, and move the file \
                          away before the device is overwritten again";
            Trouble::refused(NOT_TAKEN, id, detail, change)
        }
        false => {
            let change = "give the same command again, as long as the lease runs: it hands in the \
                          certificate and writes nothing";
            Trouble::failed("certificate_not_handed_in", id, detail, change)
        }
    }
}

/// Whether the gate has said no for good, and not only nothing.
pub(crate) fn is_refused(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Problem(problem) if problem.code == NOT_TAKEN)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{insist, kept_at};
    use crate::trouble::Trouble;

    fn silence() -> Trouble {
        Trouble::failed("server_unreachable", "the server", "no answer", "look")
    }

    #[test]
    fn silence_is_asked_again_until_the_time_is_over_and_a_no_is_an_answer() {
        let mut asked = 0;
        let heard = insist(Instant::now() + Duration::from_secs(60), || {
            asked += 1;
            if asked < 3 { Err(silence()) } else { Ok(asked) }
        });
        assert_eq!(heard.ok(), Some(3));
        let mut asked = 0;
        let refused: Result<(), _> = insist(Instant::now() + Duration::from_secs(60), || {
            asked += 1;
            Err(Trouble::refused("lease_lapsed", "C-1", "was not renewed", "stop"))
        });
        assert!(refused.is_err() && asked == 1, "{asked}");
        let mut asked = 0;
        let over: Result<(), _> = insist(Instant::now(), || {
            asked += 1;
            Err(silence())
        });
        assert!(over.is_err() && asked == 1, "{asked}");
    }

    #[test]
    fn the_certificate_lies_beside_the_log() {
        let kept = kept_at("runs/sanitize-A-1.log".as_ref());
        assert_eq!(kept.to_str(), Some("runs/sanitize-A-1.certificate.json"));
    }
}
