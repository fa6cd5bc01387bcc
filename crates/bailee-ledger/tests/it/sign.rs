//! Log keys that live elsewhere: their answers are verified before they are believed, and what they
//! say instead of an answer reaches whoever asked.

use std::sync::Arc;

use bailee_ledger::bundle::{BundleBuilder, BundleError, Kind};
use bailee_ledger::{Checkpoint, Error, Note, Sign, SignError, Signer, Verifier};

use crate::common::*;

/// Shows one key and signs as `Err` says, or with another key.
struct Elsewhere {
    shown: Verifier,
    answer: Result<Signer, SignError>,
}

impl Sign for Elsewhere {
    fn verifier(&self) -> &Verifier {
        &self.shown
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        self.answer.as_ref().map_err(SignError::clone)?.sign(message)
    }
}

fn elsewhere(answer: Result<Signer, SignError>) -> Elsewhere {
    Elsewhere { shown: log_signer().verifier().clone(), answer }
}

#[test]
fn a_key_that_lives_elsewhere_signs_the_same_bytes() {
    let there: Arc<dyn Sign> = Arc::new(elsewhere(Ok(log_signer())));
    let signed = Checkpoint::of(ORIGIN, &tree()).sign(&there).unwrap();
    assert_eq!(signed, checkpoint());
    let builder = || BundleBuilder::new(Kind::Receipt, &signed, &plain_policy()).unwrap();
    let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
    builder().write(&log_signer(), &mut here).unwrap();
    builder().write(&there, &mut elsewhere).unwrap();
    assert_eq!(here, elsewhere);
}

#[test]
fn an_answer_by_another_key_signs_nothing() {
    let swapped = elsewhere(Ok(Signer::from_seed(ORIGIN, &[9; 32]).unwrap()));
    let refused = Checkpoint::of(ORIGIN, &tree()).sign(&swapped).unwrap_err();
    assert!(matches!(refused, Error::NotSigned(SignError::WrongSignature { .. })), "{refused}");
    let builder = BundleBuilder::new(Kind::Receipt, &checkpoint(), &plain_policy()).unwrap();
    let mut out = Vec::new();
    let refused = builder.write(&swapped, &mut out).unwrap_err();
    assert!(matches!(refused, BundleError::Unfit(Error::NotSigned(_))), "{refused}");
    assert_eq!(out, b"");
}

#[test]
fn what_a_holder_says_reaches_whoever_asked() {
    let locked = SignError::Locked { holder: "the agent".into() };
    let holder = elsewhere(Err(locked.clone()));
    let refused = Checkpoint::of(ORIGIN, &tree()).sign(&holder).unwrap_err();
    assert_eq!(refused, Error::NotSigned(locked));
    assert!(refused.to_string().contains("the agent is locked"), "{refused}");
}

#[test]
fn a_witness_key_makes_no_plain_signature() {
    let refused = Note::new("x\n".into()).unwrap().sign_by(&witness(1)).unwrap_err();
    assert!(matches!(refused, Error::UnknownKeyType { kind: 0x04, .. }), "{refused}");
}
