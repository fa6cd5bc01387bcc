//! Clearances, for whatever tests or measures letting go.

use bailee_ledger::Signer;
use bailee_ledger::clearance::{self, Act, Clearance, Expect, Terms};

/// A clearance as the gate would grant it.
pub(crate) fn clear(asset: u32, act: Act, subject: [u8; 32]) -> Clearance {
    let signer = Signer::from_seed("example.org/log/clearance", &[7; 32]).unwrap();
    let terms = Terms {
        origin: "example.org/log".to_owned(),
        clearance: 1,
        disposition: 1,
        asset,
        act,
        subject,
        position: 5,
        not_after: 2_000_000_000,
    };
    let token = clearance::sign(&terms, &signer).unwrap();
    let expect = Expect { asset, act, subject };
    clearance::verify(token.as_bytes(), signer.verifier(), &expect, 1_900_000_000).unwrap()
}
