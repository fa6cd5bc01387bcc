//! Claim 4, with tokens of a real authority: what is proven, not shown, failed, and what a builder
//! refuses to issue.

use std::io::Cursor;

use bailee_ledger::bundle::{BundleBuilder, BundleError, CHECKPOINT};
use bailee_ledger::hash::sha256;
use bailee_ledger::report::ClaimState::{Failed, NotShown, Proven};
use bailee_ledger::timestamp::{Request, Roots};
use bailee_ledger::{Report, Trust, verify_bundle};

use crate::authority::{Authority, Key, Stamping};
use crate::common::{builder, checkpoint, log_signer, plain_policy, receipt};
use crate::issuer::{self, Members, relisted, sealed, set};

const DIR: &str = "bag/data/timestamps";

/// A token over bytes.
fn token(authority: &Authority, over: &[u8]) -> Vec<u8> {
    let request = Request::new(sha256(over), 0x8000_0000_0000_0001);
    authority.stamp(&request.to_der(), &Stamping::default())
}

/// A token over the checkpoint, and a renewal of it.
fn tokens(authority: &Authority) -> Vec<Vec<u8>> {
    let first = token(authority, checkpoint().to_string().as_bytes());
    let renewal = token(authority, &first);
    vec![first, renewal]
}

fn roots(authority: &Authority) -> Vec<u8> {
    authority.pem(&["root"])
}

fn stamped(authority: &Authority) -> BundleBuilder<'static> {
    let builder = builder(&checkpoint(), &plain_policy());
    builder.stamp("tsa.example", roots(authority), tokens(authority)).unwrap()
}

fn written(builder: BundleBuilder<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    builder.write(&log_signer(), &mut out).unwrap();
    out
}

fn report(bundle: &[u8], trust: &Trust) -> Report {
    verify_bundle(Cursor::new(bundle), trust).unwrap()
}

fn trust() -> Trust {
    Trust::pinned(plain_policy())
}

#[test]
fn an_authority_says_when_and_whose_roots_count_is_said() {
    let authority = Authority::with_signer(Key::P256);
    let bundle = written(stamped(&authority));
    let offered = report(&bundle, &trust());
    assert_eq!(offered.claims[3].state, Proven, "{offered}");
    assert!(!offered.failed(), "{offered}");
    let text = &offered.claims[3].text;
    let [stamp] = offered.stamps.as_slice() else { panic!("{offered}") };
    assert_eq!((stamp.name.as_str(), stamp.tokens.len()), ("tsa.example", 2));
    let said = format!("{} says that the checkpoint existed at 20", stamp.tokens[0].authority);
    assert!(text.starts_with(&said) && said.contains("tsa"), "{offered}");
    assert!(text.contains("renewals: 1, the last"), "{offered}");
    assert!(text.ends_with("(roots read from this bundle, NOT pinned)"), "{offered}");

    let pinned = trust().with_roots(Roots::from_pem(&roots(&authority)).unwrap());
    let pinned = report(&bundle, &pinned);
    assert_eq!(pinned.claims[3].state, Proven, "{pinned}");
    assert!(pinned.claims[3].text.ends_with("(roots pinned by you)"), "{pinned}");

    // Another's roots: nothing contradicts the bundle, and nothing is shown.
    let other = Authority::with_signer(Key::P256);
    let other = report(&bundle, &trust().with_roots(Roots::from_pem(&roots(&other)).unwrap()));
    assert_eq!(other.claims[3].state, NotShown, "{other}");
    assert_eq!(other.claims[3].text, "tsa.example's tokens lead to none of the roots you pinned");
    assert!(!other.failed() && other.stamps[0].tokens.is_empty(), "{other}");
}

#[test]
fn a_certificate_that_has_expired_since_is_told() {
    let authority = Authority::with_signer(Key::P256);
    let bundle = written(stamped(&authority));
    let (before, after) = (2_366_841_599, 2_366_841_601); // its last second is 2045-01-01T00:00:00Z
    for (now, expired) in [(before, false), (after, true)] {
        let report = report(&bundle, &trust().at(now));
        assert_eq!(report.claims[3].state, Proven, "{report}");
        let told = report.claims[3].text.contains("expired at 2045-01-01T00:00:00Z");
        assert_eq!(told, expired, "{report}");
    }
    assert!(!report(&bundle, &trust()).claims[3].text.contains("expired"));
}

#[test]
fn one_of_two_authorities_is_enough_and_both_are_told_of() {
    let (first, second) = (Authority::with_signer(Key::P256), Authority::with_signer(Key::P384));
    let over = checkpoint().to_string();
    let single = vec![token(&second, over.as_bytes())];
    let bundle = written(stamped(&first).stamp("b", roots(&second), single).unwrap());
    let both = report(&bundle, &trust());
    assert_eq!(both.claims[3].state, Proven, "{both}");
    assert_eq!(both.claims[3].text.matches("says that the checkpoint existed").count(), 2);
    let pinned = trust().with_roots(Roots::from_pem(&roots(&second)).unwrap());
    let one = report(&bundle, &pinned);
    assert_eq!(one.stamps.iter().map(|s| s.state).collect::<Vec<_>>(), [Proven, NotShown]);
    assert_eq!(one.claims[3].state, Proven, "{one}");
    assert!(one.claims[3].text.contains("tsa.example's tokens lead to none"), "{one}");
}

#[test]
fn what_contradicts_a_token_fails_the_claim_and_no_other() {
    let authority = Authority::with_signer(Key::P256);
    let good = issuer::members(&written(stamped(&authority)));
    let name = |file: &str| format!("{DIR}/tsa.example/{file}");
    let without = |file: &str| {
        let mut members = good.clone();
        members.retain(|(member, _)| *member != name(file));
        members
    };
    let with = |file: &str, bytes: Vec<u8>| {
        let mut members = good.clone();
        set(&mut members, &name(file), bytes);
        members
    };
    let only = |bytes: Vec<u8>| {
        let mut members = with("0.tsr", bytes);
        members.retain(|(member, _)| *member != name("1.tsr"));
        members
    };
    let stranger = Authority::with_signer(Key::P256);
    let elsewhere = token(&authority, b"another checkpoint");
    let cases: Vec<(Members, &str, &str)> = vec![
        (only(elsewhere.clone()), "0.tsr", "the token is over another file"),
        (only(b"not DER".to_vec()), "0.tsr", "malformed"),
        // Seen from the renewal, it is the one before that is another.
        (with("0.tsr", elsewhere.clone()), "1.tsr", "the token is over another file"),
        (with("1.tsr", elsewhere), "1.tsr", "the token is over another file"),
        (with("0.tsr", vec![0; 300 << 10]), "0.tsr", "larger than anything of its kind"),
        (without("0.tsr"), "0.tsr", "is missing"),
        (with("3.tsr", tokens(&authority).remove(0)), "2.tsr", "is missing"),
        (without("roots.pem"), "roots.pem", "is missing"),
        (with("roots.pem", b"no certificates".to_vec()), "roots.pem", "no self-signed"),
        (with("roots.pem", roots(&stranger)), "1.tsr", "no chain of certificates"),
    ];
    for (members, file, why) in cases {
        let report = report(&sealed(relisted(members)), &trust());
        assert_eq!(report.claims[3].state, Failed, "{report}");
        assert_eq!(report.claims[1].state, Proven, "{report}");
        let found = report.problems.iter().find(|problem| problem.member.ends_with(file));
        let found = found.unwrap_or_else(|| panic!("{file}: {report}"));
        assert!(found.what.contains(why), "{why}: {report}");
    }
    let mut alone = good.clone();
    alone.retain(|(member, _)| !member.ends_with(".tsr"));
    let report = report(&sealed(relisted(alone)), &trust());
    assert_eq!(report.claims[3].state, Failed, "{report}");
}

#[test]
fn a_token_over_a_checkpoint_that_does_not_hold_proves_nothing() {
    let authority = Authority::with_signer(Key::P256);
    let forged = checkpoint().to_string().replace("\n7\n", "\n8\n");
    let mut members = issuer::members(&receipt());
    let first = token(&authority, forged.as_bytes());
    set(&mut members, CHECKPOINT, forged.into_bytes());
    set(&mut members, &format!("{DIR}/t/0.tsr"), first);
    set(&mut members, &format!("{DIR}/t/roots.pem"), roots(&authority));
    let report = report(&sealed(relisted(members)), &trust());
    assert_eq!(report.claims[3].state, Failed, "{report}");
    assert_eq!(report.claims[1].state, Failed, "{report}");
}

#[test]
fn a_builder_stamps_only_with_what_holds() {
    let authority = Authority::with_signer(Key::P256);
    let (pem, good) = (roots(&authority), tokens(&authority));
    let new = || builder(&checkpoint(), &plain_policy());
    let backwards = vec![good[1].clone(), good[0].clone()];
    let stranger = roots(&Authority::with_signer(Key::P256));
    for (name, roots, tokens, why) in [
        ("TSA", &pem, good.clone(), "1 to 64 of a-z"),
        ("../a", &pem, good.clone(), "1 to 64 of a-z"),
        ("", &pem, good.clone(), "1 to 64 of a-z"),
        ("a", &pem, vec![], "0 tokens"),
        ("a", &pem, vec![vec![]; 101], "101 tokens"),
        ("a", &pem, vec![good[1].clone()], "over another file"),
        ("a", &pem, backwards, "over another file"),
        ("a", &stranger, good.clone(), "no chain of certificates"),
        ("a", &Vec::new(), good.clone(), "no self-signed certificate"),
    ] {
        let refused = new().stamp(name, roots.clone(), tokens).err().unwrap();
        assert!(matches!(refused, BundleError::UnfitStamp { .. }), "{refused}");
        assert!(refused.to_string().contains(why), "{why}: {refused}");
    }
    let twice = stamped(&authority).stamp("tsa.example", pem, good).err().unwrap();
    assert!(twice.to_string().contains("added before"), "{twice}");
}
