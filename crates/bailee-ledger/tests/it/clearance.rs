//! Clearance tokens: only the exact thing, only in time, only by the right key.

use bailee_ledger::clearance::{Act, ClearanceError, Expect, Terms, key_name, open, sign, verify};
use bailee_ledger::{Error, Note, Signer};
use proptest::prelude::*;

use crate::common::{NOON, ORIGIN};

pub(crate) fn signer() -> Signer {
    Signer::from_seed(&key_name(ORIGIN), &[2; 32]).unwrap()
}

pub(crate) fn terms() -> Terms {
    Terms {
        origin: ORIGIN.to_owned(),
        clearance: 7,
        disposition: 3,
        asset: 12,
        act: Act::Sanitize,
        subject: [0xab; 32],
        position: 991,
        not_after: NOON,
    }
}

fn expect() -> Expect {
    Expect { asset: 12, act: Act::Sanitize, subject: [0xab; 32] }
}

#[test]
fn a_good_token_is_accepted_until_its_last_second() {
    let token = sign(&terms(), &signer()).unwrap();
    let key = signer().verifier().clone();
    let clearance = verify(token.as_bytes(), &key, &expect(), NOON).unwrap();
    assert_eq!(*clearance.terms(), terms());
    assert_eq!(open(token.as_bytes(), &key).unwrap(), terms());
    let late = verify(token.as_bytes(), &key, &expect(), NOON + 1).unwrap_err();
    assert_eq!(late, ClearanceError::Expired { clearance: 7, not_after: NOON, now: NOON + 1 });
}

#[test]
fn every_field_is_compared() {
    let token = sign(&terms(), &signer()).unwrap();
    let key = signer().verifier().clone();
    let refuse = |expect: Expect| verify(token.as_bytes(), &key, &expect, NOON).unwrap_err();
    let wrong = refuse(Expect { asset: 13, ..expect() });
    assert_eq!(wrong, ClearanceError::WrongAsset { clearance: 7, found: 12, wanted: 13 });
    let wrong = refuse(Expect { act: Act::Expire, ..expect() });
    assert!(wrong.to_string().contains("permits to sanitize, not to expire"), "{wrong}");
    let wrong = refuse(Expect { subject: [0xac; 32], ..expect() });
    assert_eq!(wrong, ClearanceError::WrongSubject { clearance: 7, found: [0xab; 32] });
}

#[test]
fn other_keys_and_other_notes_do_not_clear() {
    let key = signer().verifier().clone();
    let log = Signer::from_seed(ORIGIN, &[2; 32]).unwrap();
    assert!(matches!(sign(&terms(), &log), Err(ClearanceError::WrongKey { .. })));
    let token = sign(&terms(), &signer()).unwrap();
    let refused = verify(token.as_bytes(), log.verifier(), &expect(), NOON).unwrap_err();
    assert!(matches!(refused, ClearanceError::Note(Error::NoKnownSignature { .. })));

    // The clearance key of another log, whose terms say ours.
    let other = Signer::from_seed(&key_name("other.example"), &[2; 32]).unwrap();
    let text = Note::parse(token.as_bytes()).unwrap().text().to_owned();
    let forged = Note::new(text.clone()).unwrap().sign(&other, 0).to_string();
    let refused = verify(forged.as_bytes(), other.verifier(), &expect(), NOON).unwrap_err();
    assert!(matches!(refused, ClearanceError::WrongKey { .. }));

    let resign = |text: &str| {
        let note = Note::new(text.to_owned()).unwrap().sign(&signer(), 0).to_string();
        verify(note.as_bytes(), &key, &expect(), NOON).map(|_| ())
    };
    assert_eq!(resign(&text), Ok(()));
    for bad in [
        text.replace("v1", "v2"),
        text.replace("asset 12", "asset 012"),
        text.replace("asset 12", "asset 4294967308"),
        text.replace("asset 12", "asset  12"),
        text.replace("act sanitize", "act Sanitize"),
        text.replace("abab", "ABAB"),
        format!("{text}more 1\n"),
        text.replace("position 991\n", ""),
    ] {
        assert!(matches!(resign(&bad), Err(ClearanceError::Malformed(_))), "{bad}");
    }
    let two = Note::parse(token.as_bytes()).unwrap().sign(&other, 0).to_string();
    let refused = verify(two.as_bytes(), &key, &expect(), NOON).unwrap_err();
    assert!(matches!(refused, ClearanceError::Malformed(_)));
}

#[test]
fn no_flipped_or_cut_token_clears() {
    let token = sign(&terms(), &signer()).unwrap().into_bytes();
    let key = signer().verifier().clone();
    for position in 0..token.len() {
        for bit in 0..8 {
            let mut altered = token.clone();
            altered[position] ^= 1 << bit;
            assert!(verify(&altered, &key, &expect(), NOON).is_err(), "{position} {bit}");
        }
        assert!(verify(&token[..position], &key, &expect(), NOON).is_err(), "{position}");
    }
}

proptest! {
    #[test]
    fn all_terms_round_trip(
        clearance: u32, disposition: u32, asset: u32, act in 0usize..5, subject: [u8; 32],
        position: u64, not_after: i64,
    ) {
        let act = [Act::Sanitize, Act::Expire, Act::Return, Act::Transfer, Act::Erase][act];
        let origin = ORIGIN.to_owned();
        let terms =
            Terms { origin, clearance, disposition, asset, act, subject, position, not_after };
        let token = sign(&terms, &signer()).unwrap();
        prop_assert_eq!(open(token.as_bytes(), signer().verifier()).unwrap(), terms);
    }
}
