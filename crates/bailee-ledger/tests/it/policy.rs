//! Policies: what is refused, and who makes a quorum.

use bailee_ledger::policy::Quorum;
use bailee_ledger::{Checkpoint, Error, Policy, PqSigner, SecondKey};

use crate::common::{ORIGIN, checkpoint, log_signer, witness, witness_policy};

fn keys() -> (String, [String; 3]) {
    let w = [1, 2, 3].map(|n| witness(n).verifier().to_vkey());
    (log_signer().verifier().to_vkey(), w)
}

#[test]
fn groups_of_groups_evaluate_like_the_specification_says() {
    let (log, [w1, w2, w3]) = keys();
    let text = format!(
        "# comment\n\n  log\t{log} https://log.example/\nwitness a {w1}\nwitness b {w2} https://b/\n\
         witness c {w3}\ngroup ab any a b\ngroup all all ab c\nquorum all\n"
    );
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let again = Policy::parse(policy.to_string().as_bytes()).unwrap();
    assert_eq!(again, policy);
    let note = checkpoint();
    let refused = policy.evaluate(&note);
    assert!(matches!(refused, Err(Error::QuorumNotReached { have: 0, .. })), "{refused:?}");
    let one = note.sign(&witness(2), 50);
    assert!(policy.evaluate(&one).is_err());
    let two = one.sign(&witness(3), 40);
    let seen = policy.evaluate(&two).unwrap();
    assert_eq!(seen.quorum, Quorum::Reached { by: 50 });
    assert_eq!(seen.cosigned, [(1, 50), (2, 40)]);
    let early = two.sign(&witness(1), 30);
    assert_eq!(policy.evaluate(&early).unwrap().quorum, Quorum::Reached { by: 40 });
}

#[test]
fn a_witness_that_fails_rejects_and_a_stranger_counts_for_nothing() {
    let policy = witness_policy();
    let stranger = checkpoint().sign(&witness(1), 9).sign(&witness(9), 9);
    assert!(matches!(policy.evaluate(&stranger), Err(Error::QuorumNotReached { have: 1, .. })));
    let twice = checkpoint().sign(&witness(1), 9).sign(&witness(1), 10);
    assert!(matches!(policy.evaluate(&twice), Err(Error::QuorumNotReached { have: 1, .. })));
    let mut twice = witness_policy();
    assert!(twice.add_log(log_signer().verifier().clone(), None).is_err());
    let refused =
        Policy::default().add_log(log_signer().verifier().clone(), Some("a\nquorum none"));
    assert!(refused.is_err(), "a URL must not add lines");
    let good = checkpoint().sign(&witness(1), 9).sign(&witness(2), 9);
    let mut bad = good.signatures()[2].clone();
    bad.bytes[20] ^= 1;
    let mut note = checkpoint().sign(&witness(1), 9);
    note.add_signatures([bad]);
    assert!(matches!(policy.evaluate(&note), Err(Error::BadSignature { .. })));
}

#[test]
fn bad_policies_name_the_line() {
    let (log, [w1, w2, _]) = keys();
    let head = format!("log {log}\nwitness a {w1}\nwitness b {w2}\n");
    for tail in [
        "quorum x\n",
        "quorum a\nquorum b\n",
        "group g 0 a\nquorum g\n",
        "group g 3 a b\nquorum g\n",
        "group g 01 a\nquorum g\n",
        "group g any\nquorum g\n",
        "group g all\nquorum g\n",
        "group g any a a\nquorum g\n",
        "group g any a\ngroup h any a\nquorum h\n",
        "group g any none\nquorum g\n",
        "group g any g\nquorum g\n",
        "group a any b\nquorum a\n",
        "group none any a\nquorum none\n",
        "quorum\n",
        "quorum a b\n",
        "nonsense\nquorum a\n",
        &format!("log {log}\nquorum a\n"),
        &format!("witness c {w1}\nquorum a\n"),
        &format!("witness c {log}\nquorum a\n"),
        &format!("log {w1}\nquorum a\n"),
    ] {
        let refused = Policy::parse(format!("{head}{tail}").as_bytes());
        assert!(
            matches!(refused, Err(Error::Line { line, .. }) if line > 3),
            "{tail}: {refused:?}"
        );
    }
    for bad in [head.clone(), format!("{head}quorum a"), format!("{head}\rquorum a\n")] {
        assert!(Policy::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
    let ecdsa = "witness m m+00000000+AgAA\nquorum none\n";
    assert!(matches!(Policy::parse(ecdsa.as_bytes()), Err(Error::UnknownKeyType { .. })));
}

#[test]
fn an_ml_dsa_cosigner_counts_when_it_states_a_time() {
    let (log, [w1, ..]) = keys();
    let pq = PqSigner::from_seed("witness.example/pq", &[42; 32]).unwrap();
    let vkey = pq.verifier().to_vkey();
    let text =
        format!("log {log}\nwitness a {w1}\nwitness b {vkey}\ngroup both all a b\nquorum both\n");
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let tree = Checkpoint::parse(checkpoint().text()).unwrap();
    let mut note = checkpoint().sign(&witness(1), 50);
    assert!(policy.evaluate(&note).is_err());
    let mut timeless = note.clone();
    timeless.add_signatures([pq.cosign(&tree, 0).unwrap()]);
    assert!(matches!(policy.evaluate(&timeless), Err(Error::QuorumNotReached { have: 1, .. })));
    note.add_signatures([pq.cosign(&tree, 60).unwrap()]);
    assert_eq!(policy.evaluate(&note).unwrap().quorum, Quorum::Reached { by: 60 });
}

#[test]
fn a_logs_second_key_speaks_for_the_log_and_never_as_a_witness() {
    let (log, [w1, ..]) = keys();
    let pq = PqSigner::from_seed(ORIGIN, &[42; 32]).unwrap();
    let own = pq.verifier().to_vkey();
    let head = format!("log {log}\nwitness own {own}\nwitness a {w1}\n");
    for tail in ["quorum own\n", "group g any a own\nquorum a\n", "group g all own\nquorum none\n"]
    {
        let refused = Policy::parse(format!("{head}{tail}").as_bytes()).unwrap_err().to_string();
        assert!(
            refused.contains("line 4: a log's own second key cannot be its witness"),
            "{refused}"
        );
    }
    // Also when its log is named last.
    for tail in ["quorum own\n", "group g any own\nquorum none\n"] {
        let text = format!("witness own {own}\n{tail}log {log}\n");
        let refused = Policy::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(refused.contains(": a log's own second key"), "{text}: {refused}");
    }
    // Whose log is not in the policy is anybody.
    assert!(Policy::parse(format!("witness own {own}\nquorum own\n").as_bytes()).is_ok());

    let policy = Policy::parse(format!("{head}quorum a\n").as_bytes()).unwrap();
    let tree = Checkpoint::parse(checkpoint().text()).unwrap();
    let alone = checkpoint();
    assert_eq!(policy.second_key(&alone, ORIGIN).unwrap(), SecondKey::Absent);
    let mut both = alone.clone();
    both.add_signatures([pq.cosign(&tree, 60).unwrap()]);
    assert_eq!(policy.second_key(&both, ORIGIN).unwrap(), SecondKey::Signed);
    assert_eq!(policy.second_key(&both, "other.example").unwrap(), SecondKey::NotListed);
    let plain = Policy::for_log(log_signer().verifier().clone()).unwrap();
    assert_eq!(plain.second_key(&both, ORIGIN).unwrap(), SecondKey::NotListed);
    let refused = policy.evaluate(&both);
    assert!(matches!(refused, Err(Error::QuorumNotReached { have: 0, .. })), "{refused:?}");
    let seen = policy.evaluate(&both.clone().sign(&witness(1), 70)).unwrap();
    assert_eq!((seen.cosigned, seen.quorum), (vec![(1, 70)], Quorum::Reached { by: 70 }));
    // Without a time it still says that the log signed.
    let mut timeless = alone.clone();
    timeless.add_signatures([pq.cosign(&tree, 0).unwrap()]);
    assert_eq!(policy.second_key(&timeless, ORIGIN).unwrap(), SecondKey::Signed);
    let mut bad = both.signatures()[1].clone();
    bad.bytes[100] ^= 1;
    let mut forged = alone;
    forged.add_signatures([bad]);
    let refused = policy.second_key(&forged, ORIGIN);
    assert!(matches!(refused, Err(Error::BadSignature { .. })), "{refused:?}");
}
