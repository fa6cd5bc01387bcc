//! The agent: overwrites a device of this machine under a clearance of a gate on another.
//!
//! Order (rule 5): identity read -> reserved at the gate -> token verified under the key given
//! beforehand -> begun -> overwritten under a lease renewed over the wire -> read back -> finished
//! with the certificate (ending.rs), or aborted with what is gone. What a crash leaves is in
//! `bailee_sanitize`'s run; at the gate the lease lapses and the asset is `unknown`.
//!
//! Invariants: without --clearance-key nothing is begun, so that a false server cannot order a
//! wipe; an answer that is no clear yes stops the run; a lease counts from before it was asked for.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bailee_ledger::clearance::{self, Act, Clearance, Expect};
use bailee_ledger::{Verifier, to_hex};
use bailee_server::api::Request;
use bailee_server::api::parts::{Reason, Upload};
use bailee_server::binding;
use bailee_server::core::id::AssetId;
use bailee_server::sanitize::{
    self, Certificate, Clock, Lease, Options, Outcome, Particulars, Progress, Record, Stop,
    SystemClock, Until, Verified,
};

use crate::client::Client;
use crate::ending::{self, insist, is_no};
use crate::let_go::{self, token_of};
use crate::print;
use crate::trouble::Trouble;

/// What is to be overwritten.
pub(crate) struct Order<'a> {
    /// `X-n`.
    pub(crate) disposition: &'a str,
    /// The asset.
    pub(crate) asset: AssetId,
    /// The device that is the asset.
    pub(crate) device: &'a Path,
    /// Where the run's log goes.
    pub(crate) log: &'a Path,
    /// The clearance key, as its house published it.
    pub(crate) key: Option<&'a str>,
    /// What people add to the certificate.
    pub(crate) particulars: Particulars,
    /// Set once it is to stop.
    pub(crate) interrupt: &'a AtomicBool,
}

/// Reserves, overwrites, reads back, certifies; the clearance's id and its certificate.
pub(crate) fn sanitize(
    client: &Client,
    order: Order<'_>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(String, Certificate), Trouble> {
    let key = read_key(order.key)?;
    let device = let_go::binding(order.device)?;
    let subject = device.identity.digest();
    if let Some(done) = ending::take_up(client, &order, &subject)? {
        print::remark("an earlier run is finished: its certificate was handed in, nothing written");
        return Ok(done);
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| {
        let change = "look at the machine's source of randomness";
        Trouble::failed("no_randomness", "this machine", e, change)
    })?;
    let answer = client.perform(&Request::Reserve {
        disposition: order.disposition.to_owned(),
        asset: order.asset.to_string(),
        subject: to_hex(&subject),
        media: binding::media(&device),
    })?;
    let (id, token) = token_of(&answer).ok_or_else(|| {
        let change = "use the same version on both sides";
        Trouble::failed("no_token", "the server", "granted a clearance without token", change)
    })?;
    let expect = Expect { asset: order.asset.0, act: Act::Sanitize, subject };
    let opened = clearance::verify(token.as_bytes(), &key, &expect, SystemClock.unix());
    let granted = opened.map_err(|e| {
        give_back(client, &id, &e.to_string());
        let change = "compare --clearance-key with `bailee status` on the server's machine";
        Trouble::refused("token_refused", &id, e, change)
    })?;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut options = Options::new(order.asset.0, seed, order.log);
    options.agent = "bailee";
    options.host = host.trim();
    options.interrupt = order.interrupt;
    let mut lease = Wire { client, id: &id, token: &token, until: Instant::now() };
    match sanitize::sanitize(order.device, granted, &mut lease, &options, progress) {
        Ok(record) => {
            let certificate = Certificate::issue(&record, order.particulars);
            end(client, &id, &record, &certificate, (order.log, lease.until))?;
            Ok((id, certificate))
        }
        Err(error) => {
            give_back(client, &id, &error.to_string());
            Err(Trouble::device(order.device.display(), &error))
        }
    }
}

fn read_key(key: Option<&str>) -> Result<Verifier, Trouble> {
    let change = "give --clearance-key (or $BAILEE_CLEARANCE_KEY), from `bailee status` on the \
                  server's machine";
    let key = key.ok_or_else(|| {
        let detail = "an agent destroys only what is signed with a key it was given beforehand";
        Trouble::usage("--clearance-key", detail, change)
    })?;
    Verifier::parse(key).map_err(|e| Trouble::usage("--clearance-key", e, change))
}

/// Tells the gate how the run ended: finished, or what is gone.
fn end(
    client: &Client,
    id: &str,
    record: &Record,
    certificate: &Certificate,
    (log, lease): (&Path, Instant),
) -> Result<(), Trouble> {
    let gone = record.gone();
    let mut detail = format!("{}; {gone} bytes are gone", record.ending());
    let json = certificate.to_json();
    let paper = Upload::of("record.json", "application/json", json.as_bytes());
    let reason = Reason { note: detail.clone(), exhibits: vec![paper] };
    let abort = Request::Abort { clearance: id.to_owned(), gone, reason };
    if record.outcome == Outcome::Complete && record.verified == Verified::Whole {
        let told = ending::finish(client, id, certificate, log, lease);
        // Given up or aborted meanwhile: it is no finish any more, and the data are gone.
        if told.as_ref().is_err_and(ending::is_refused) {
            _ = client.perform(&abort);
        }
        return told;
    }
    // What is gone is said here, whether the gate could be told or not.
    if let Err(unheard) = insist(lease, || client.perform(&abort)) {
        detail.push_str(&format!(
            "; and the gate did not record it: {unheard} (it can be told: `bailee clearance abort \
             {id} --gone {gone}`)"
        ));
    }
    Err(Trouble::failed("unfinished", id, detail, record.next()))
}

/// Nothing was written: the clearance is given back. If the gate cannot be told, it expires there.
fn give_back(client: &Client, id: &str, note: &str) {
    let reason = Reason { note: note.to_owned(), exhibits: Vec::new() };
    let abort = Request::Abort { clearance: id.to_owned(), gone: 0, reason };
    if let Err(trouble) = client.perform(&abort) {
        print::remark(&format!("{id} could not be given back and will expire: {trouble}"));
    }
}

/// The line to the gate, over the wire.
struct Wire<'a> {
    client: &'a Client,
    id: &'a str,
    token: &'a str,
    /// End of the lease that was given last.
    until: Instant,
}

impl Wire<'_> {
    /// A named no stops; anything else that is no lease is silence.
    fn answered(
        &mut self,
        asked: Instant,
        answer: Result<Duration, Trouble>,
    ) -> Result<Until, Stop> {
        match answer {
            Ok(length) => {
                self.until = asked + length;
                Ok(Until::after(length))
            }
            Err(trouble) if is_no(&trouble) => Err(Stop::Refused { reason: trouble.to_string() }),
            Err(trouble) => Err(Stop::Unreachable { detail: trouble.to_string() }),
        }
    }
}

impl Lease for Wire<'_> {
    fn begin(&mut self, _: &Clearance) -> Result<Until, Stop> {
        let asked = Instant::now();
        let answer = self.client.begin(self.id, self.token);
        self.answered(asked, answer)
    }

    fn renew(&mut self) -> Result<Until, Stop> {
        let asked = Instant::now();
        let answer = self.client.renew(self.id);
        self.answered(asked, answer)
    }
}
