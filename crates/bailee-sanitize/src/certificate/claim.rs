//! What a certificate has to say before anybody believes that a device is destroyed.
//!
//! Invariants: it is of the very clearance, asset and device; its lines of identity hash to the
//! subject, so that serial and size in it are those the clearance was granted for; what it counts
//! and what it concludes agree; anything short of *clear* that was read back whole is no.
//!
//! Out of scope: whether it is true. It is the agent's word, committed to in the log; anybody who
//! has the device can read it back with the seed.

use bailee_ledger::to_hex;
use sha2::{Digest, Sha256};

use super::Certificate;
use crate::span::Span;

/// For what a certificate is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Name of the log that granted the clearance.
    pub origin: String,
    /// `C-n`.
    pub clearance: u32,
    /// `X-n`.
    pub disposition: u32,
    /// `A-n`.
    pub asset: u32,
    /// Log position of the reservation.
    pub position: u64,
    /// SHA-256 of the device's identity.
    pub subject: [u8; 32],
}

/// Why a certificate does not prove a claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is about something else.
    #[error("its {what} is {says}, and {wanted} is the one to be proven")]
    Other {
        /// Which line.
        what: &'static str,
        /// What stands there.
        says: String,
        /// What should.
        wanted: String,
    },
    /// Its lines contradict each other.
    #[error("it contradicts itself: {0}")]
    Contradiction(&'static str),
    /// The device is not destroyed by its own account.
    #[error("it says achieved: {achieved}, verified: {verified}, outcome: {outcome}")]
    NotVerified {
        /// What was reached.
        achieved: String,
        /// What reading back said.
        verified: String,
        /// How the pass ended.
        outcome: String,
    },
}

impl Certificate {
    /// Whether it proves that the device of this claim was overwritten and read back whole.
    ///
    /// # Errors
    /// The first line that does not fit, by name.
    pub fn proves(&self, claim: &Claim) -> Result<(), Unfit> {
        self.is_of(claim)?;
        self.identifies()?;
        let whole = self.is_verified_clear() && self.result.outcome == "complete";
        if !whole {
            let (achieved, verified) = (self.method.achieved.clone(), self.method.verified.clone());
            let outcome = self.result.outcome.clone();
            return Err(Unfit::NotVerified { achieved, verified, outcome });
        }
        self.counts()
    }

    /// Log, clearance, disposition, asset, position, device.
    fn is_of(&self, claim: &Claim) -> Result<(), Unfit> {
        let authority = &self.authority;
        let position = authority.holds_checked_at_position.to_string();
        let lines = [
            ("log", &authority.origin, claim.origin.clone()),
            ("clearance", &authority.clearance, format!("C-{}", claim.clearance)),
            ("disposition", &authority.disposition, format!("X-{}", claim.disposition)),
            ("asset", &authority.asset, format!("A-{}", claim.asset)),
            ("position", &position, claim.position.to_string()),
            ("device identity", &self.device.identity_sha256, to_hex(&claim.subject)),
        ];
        match lines.into_iter().find(|(_, says, wanted)| *says != wanted) {
            None => Ok(()),
            Some((what, says, wanted)) => Err(Unfit::Other { what, says: says.clone(), wanted }),
        }
    }

    /// The lines of identity are what was hashed, and what the other lines about the device say.
    fn identifies(&self) -> Result<(), Unfit> {
        let device = &self.device;
        let text: String = device.identity.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        if to_hex(&Sha256::digest(text.as_bytes())) != device.identity_sha256 {
            return Err(Unfit::Contradiction("the lines of identity do not hash to its digest"));
        }
        let said = |name: &str| {
            let mut lines = device.identity.iter();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        };
        let quoted = |value: &Option<String>| match value {
            None => "-".to_owned(),
            Some(value) => crate::identity::quoted(value),
        };
        let lines = [
            ("kind", device.kind.clone()),
            ("size", device.capacity_bytes.to_string()),
            ("model", quoted(&device.model)),
            ("serial", quoted(&device.serial)),
            ("wwn", quoted(&device.wwn)),
            ("uuid", quoted(&device.uuid)),
        ];
        match lines.iter().all(|(name, value)| said(name) == Some(value.as_str())) {
            true => Ok(()),
            false => Err(Unfit::Contradiction("the device is not the one its identity describes")),
        }
    }

    /// Every byte written, none refused, different or unread.
    fn counts(&self) -> Result<(), Unfit> {
        let all = [Span { start: 0, end: self.device.capacity_bytes }];
        let result = &self.result;
        let bad = [&result.unwritable, &result.mismatched, &result.unreadable];
        match result.written == all && bad.iter().all(|spans| spans.is_empty()) {
            true => Ok(()),
            false => Err(Unfit::Contradiction("verified whole, and not all of it is counted")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{particulars, record};
    use super::{Certificate, Claim, Unfit};
    use crate::record::{Outcome, Verified};
    use crate::span::{Span, Spans};

    fn claim() -> Claim {
        let terms = record().terms;
        let subject = record().identity.digest();
        Claim {
            origin: terms.origin,
            clearance: terms.clearance,
            disposition: terms.disposition,
            asset: terms.asset,
            position: terms.position,
            subject,
        }
    }

    fn issued() -> Certificate {
        Certificate::issue(&record(), particulars())
    }

    #[test]
    fn of_a_whole_run_it_proves_that_run_and_no_other() {
        assert_eq!(issued().proves(&claim()), Ok(()));
        let others = [
            ("log", Claim { origin: "other.example".into(), ..claim() }),
            ("clearance", Claim { clearance: 8, ..claim() }),
            ("disposition", Claim { disposition: 8, ..claim() }),
            ("asset", Claim { asset: 8, ..claim() }),
            ("position", Claim { position: 8, ..claim() }),
            ("device identity", Claim { subject: [8; 32], ..claim() }),
        ];
        for (name, claim) in others {
            match issued().proves(&claim) {
                Err(Unfit::Other { what, .. }) => assert_eq!(what, name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn of_less_than_a_whole_run_it_proves_nothing() {
        let bytes = Span { start: 0, end: 512 };
        let mut failed = record();
        failed.verified = Verified::Failed;
        let mut unread = record();
        unread.verified = Verified::NotDone;
        let mut partial = record();
        partial.outcome = Outcome::Incomplete;
        for record in [failed, unread, partial] {
            let said = Certificate::issue(&record, particulars()).proves(&claim());
            assert!(matches!(said, Err(Unfit::NotVerified { .. })), "{said:?}");
        }
        let mut fewer = issued();
        fewer.result.written = vec![Span { start: 512, end: 4096 }];
        let mut refused = issued();
        refused.result.unwritable = vec![bytes];
        let mut different = issued();
        different.result.mismatched = vec![bytes];
        let mut unread = issued();
        unread.result.unreadable = vec![bytes];
        for certificate in [fewer, refused, different, unread] {
            let said = certificate.proves(&claim());
            assert!(matches!(said, Err(Unfit::Contradiction(_))), "{said:?}");
        }
        assert_eq!(record().written, Spans::whole(4096), "what the others fall short of");
    }

    #[test]
    fn another_serial_or_size_than_the_identity_has_is_a_contradiction() {
        let mut serial = issued();
        serial.device.serial = Some("S-78".into());
        let mut size = issued();
        size.device.capacity_bytes = 512;
        let mut lines = issued();
        lines.device.identity[4] = "serial \"S-78\"".into();
        for certificate in [serial, size, lines] {
            let said = certificate.proves(&claim());
            assert!(matches!(said, Err(Unfit::Contradiction(_))), "{said:?}");
        }
    }
}
