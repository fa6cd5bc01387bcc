//! Notes, keys, checkpoints and proof files: published vectors and refused spellings.

use bailee_ledger::note::MAX_SIGNATURES;
use bailee_ledger::verify::{verify_checkpoint, verify_tlog_proof};
use bailee_ledger::{Checkpoint, Error, KeyKind, Note, PqSigner, Signer, TlogProof, Verifier};
use proptest::prelude::*;

use crate::common::{ORIGIN, checkpoint, leaf, log_signer, plain_policy, tree, witness};

// The example keys and note of golang.org/x/mod/sumdb/note's documentation.
const PETER_SKEY: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETER_VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
     then you don't know what your problem is.\n\n\
     \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZIn\
     NIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn go_sumdb_example_is_read_and_made_the_same() {
    let signer = Signer::parse(PETER_SKEY).unwrap();
    assert_eq!(signer.verifier().to_vkey(), PETER_VKEY);
    assert_eq!(signer.to_skey().as_str(), PETER_SKEY);
    let note = Note::parse(PETER_NOTE.as_bytes()).unwrap();
    let key = Verifier::parse(PETER_VKEY).unwrap();
    assert_eq!(note.verify(&[key]).unwrap().len(), 1);
    let again = Note::new(note.text().to_owned()).unwrap().sign(&signer, 0);
    assert_eq!(again.to_string(), PETER_NOTE);
}

#[test]
fn signers_do_not_show_their_seed() {
    let signer = Signer::parse(PETER_SKEY).unwrap();
    assert_eq!(format!("{signer:?}"), "Signer(PeterNeumann)");
}

#[test]
fn keys_are_strict() {
    let ok = log_signer().verifier().to_vkey();
    assert_eq!(Verifier::parse(&ok).unwrap(), *log_signer().verifier());
    let (name, rest) = ok.split_once('+').unwrap();
    let (id, key) = rest.split_once('+').unwrap();
    let upper = id.to_ascii_uppercase();
    let bad = [
        String::new(),
        format!("+{id}+{key}"),
        format!("a b+{id}+{key}"),
        format!("{name}+{id}"),
        format!("{name}+{upper}x+{key}"),
        format!("{name}+00000000+{key}"),
        format!("{name}+{id}+{key}\n"),
        format!("{name}+{id}+"),
        format!("{name}+{id}+Bg=="),
        format!("other+{id}+{key}"),
    ];
    for vkey in bad {
        assert!(Verifier::parse(&vkey).is_err(), "{vkey:?}");
    }
    // The neutral element verifies anything; it must not be a key.
    let mut neutral = [0u8; 32];
    neutral[0] = 1;
    assert!(Verifier::new("weak", KeyKind::Note, &neutral).is_err());
    for name in ["", "a b", "a+b", "a\nb", "a\u{a0}b", "a\u{2028}b"] {
        assert!(Signer::from_seed(name, &[3; 32]).is_err(), "{name:?}");
    }
}

#[test]
fn parse_and_display_are_inverses_and_strict() {
    let good = checkpoint().to_string();
    assert_eq!(Note::parse(good.as_bytes()).unwrap().to_string(), good);
    let signature = good.lines().last().unwrap().to_owned();
    let bad = [
        "".to_owned(),
        "\n\n".to_owned(),
        "text\n".to_owned(),
        "text\n\n".to_owned(),
        good.replace('\n', "\r\n"),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good}{signature} \n"),
        format!("{good}\u{2014} name\n"),
        format!("{good}\u{2014} name \n"),
        format!("{good}\u{2014} name AAAAAA==\n"),
        format!("{good}\u{2014} na+me AAAAAAA=\n"),
        format!("{good}- name AAAAAAA=\n"),
        good.replace("log", "l\tog"),
        good.replace("log", "l\u{7f}og"),
        good.replace("log", "l\u{9b}og"),
    ];
    for text in bad {
        assert!(Note::parse(text.as_bytes()).is_err(), "{text:?}");
    }
    assert!(Note::parse(b"\xff\n\n").is_err());
    let many = format!("{good}{}", format!("{signature}\n").repeat(MAX_SIGNATURES));
    assert!(Note::parse(many.as_bytes()).is_err());
}

#[test]
fn unknown_signatures_are_ignored_and_a_known_failing_one_rejects() {
    let key = log_signer().verifier().clone();
    let stranger = Signer::from_seed(ORIGIN, &[77; 32]).unwrap();
    let both = checkpoint().sign(&stranger, 0);
    assert_eq!(both.verify(std::slice::from_ref(&key)).unwrap().len(), 1);
    let only = Note::new(both.text().to_owned()).unwrap().sign(&stranger, 0);
    let refused = only.verify(std::slice::from_ref(&key));
    assert!(matches!(refused, Err(Error::NoKnownSignature { .. })));

    let mut forged = checkpoint().signatures()[0].clone();
    forged.bytes[10] ^= 1;
    let mut note = checkpoint();
    note.add_signatures([forged]);
    assert_eq!(note.signatures().len(), 2);
    let refused = note.verify(std::slice::from_ref(&key));
    assert_eq!(refused, Err(Error::BadSignature { name: ORIGIN.to_owned() }));
}

#[test]
fn an_embedded_signature_block_is_text_and_counts_for_nothing() {
    let inner = checkpoint();
    assert!(Note::new(inner.to_string()).is_err(), "we do not sign notes inside notes");
    // A stranger signs our whole note as a text: our signature inside must not count.
    let stranger = Signer::from_seed("stranger", &[77; 32]).unwrap();
    let donor = Note::new("x\n".to_owned()).unwrap().sign(&stranger, 0);
    let line = donor.to_string();
    let outer = format!("{inner}\n{}", line.split_once("\n\n").unwrap().1);
    let parsed = Note::parse(outer.as_bytes()).unwrap();
    assert_eq!(parsed.text(), inner.to_string());
    assert!(parsed.verify(&[log_signer().verifier().clone()]).is_err());
    assert!(Checkpoint::parse(parsed.text()).is_err());
}

#[test]
fn cosignatures_state_a_time_and_bind_it() {
    let witness = witness(1);
    let note = checkpoint().sign(&witness, 1_800_000_000);
    let keys = [witness.verifier().clone()];
    assert_eq!(note.verify(&keys).unwrap()[0].time, Some(1_800_000_000));
    let mut altered = note.signatures()[1].clone();
    altered.bytes[7] ^= 1;
    let mut other = checkpoint();
    other.add_signatures([altered]);
    assert!(other.verify(&keys).is_err());
    let lines = Note::parse_signature_lines(note.to_string().split_once("\n\n").unwrap().1);
    assert_eq!(lines.unwrap(), note.signatures());
}

#[test]
fn checkpoints_have_one_spelling() {
    let good = checkpoint();
    let parsed = Checkpoint::parse(good.text()).unwrap();
    assert_eq!(parsed.to_text().unwrap(), good.text());
    let key = log_signer().verifier().clone();
    assert_eq!(Checkpoint::open(good.to_string().as_bytes(), &key).unwrap().0, parsed);
    let extended = format!("{}extension 1\n", good.text());
    assert_eq!(Checkpoint::parse(&extended).unwrap().to_text().unwrap(), extended);
    let root = good.text().lines().nth(2).unwrap();
    for bad in [
        String::new(),
        "\n".to_owned(),
        format!("{ORIGIN}\n7\n{root}"),
        format!("{ORIGIN}\n07\n{root}\n"),
        format!("{ORIGIN}\n+7\n{root}\n"),
        format!("{ORIGIN}\n18446744073709551616\n{root}\n"),
        format!("\n7\n{root}\n"),
        format!("a b\n7\n{root}\n"),
        format!("{ORIGIN}\n7\n{}\n", &root[..40]),
        format!("{ORIGIN}\n7\n{root}\n\n"),
        format!("{ORIGIN}\n7\n{root}\n\nextension\n"),
    ] {
        assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
    }
    let newline = Checkpoint { origin: "a\nb".to_owned(), ..parsed.clone() };
    assert!(newline.to_text().is_err());
    let other = Checkpoint { origin: "elsewhere.example".to_owned(), ..parsed };
    assert!(matches!(other.sign(&log_signer()), Err(Error::WrongOrigin { .. })));
}

#[test]
fn proof_files_verify_for_their_leaf_only() {
    let proof = TlogProof::of(&tree(), 5, &checkpoint()).unwrap();
    let text = proof.to_string();
    assert_eq!(TlogProof::parse(text.as_bytes()).unwrap(), proof);
    let (index, seen) =
        verify_tlog_proof(text.as_bytes(), &leaf(5).encode(), &plain_policy()).unwrap();
    assert_eq!((index, seen.checkpoint.size), (5, 7));
    assert!(verify_tlog_proof(text.as_bytes(), &leaf(4).encode(), &plain_policy()).is_err());
    let moved = text.replace("index 5", "index 4");
    assert!(verify_tlog_proof(moved.as_bytes(), &leaf(5).encode(), &plain_policy()).is_err());
    let extra = TlogProof { extra: Some(b"context".to_vec()), ..proof };
    assert_eq!(TlogProof::parse(extra.to_string().as_bytes()).unwrap(), extra);
    for bad in [
        text.replace("@v1", "@v2"),
        text.replace("index 5", "index 05"),
        text.replace("index 5\n", ""),
        text.replace("index 5", "extra \nindex 5"),
        text.replace("index 5\n", "index 5\nAAAA\n"),
        text.replace('\n', "\r\n"),
    ] {
        assert!(TlogProof::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert!(verify_checkpoint(checkpoint().to_string().as_bytes(), &plain_policy()).is_ok());
}

#[test]
fn ml_dsa_cosignatures_bind_origin_size_root_time_and_name() {
    let signer = PqSigner::from_seed("witness.example/pq", &[42; 32]).unwrap();
    let parsed = Checkpoint::parse(checkpoint().text()).unwrap();
    let signature = signer.cosign(&parsed, 1_800_000_000).unwrap();
    assert_eq!(signature.bytes.len(), 8 + 2_420);
    let mut note = checkpoint();
    note.add_signatures([signature.clone()]);
    let note = Note::parse(note.to_string().as_bytes()).unwrap();
    let keys = [signer.verifier().clone()];
    assert_eq!(note.verify(&keys).unwrap()[0].time, Some(1_800_000_000));
    // The message as the specification lays it out, put together by hand.
    let message = [
        b"subtree/v1\n\0\x12witness.example/pq".as_slice(),
        &1_800_000_000u64.to_be_bytes(),
        &[ORIGIN.len() as u8],
        ORIGIN.as_bytes(),
        &[0; 8],
        &7u64.to_be_bytes(),
        &tree().root(),
    ]
    .concat();
    let public =
        ml_dsa::VerifyingKey::<ml_dsa::MlDsa44>::decode(keys[0].public().try_into().unwrap());
    let bytes = ml_dsa::Signature::try_from(&signature.bytes[8..]).unwrap();
    ml_dsa::Verifier::verify(&public, &message, &bytes).unwrap();

    for place in [0, 7, 8, 1_000, 8 + 2_419] {
        let mut altered = signature.clone();
        altered.bytes[place] ^= 1;
        let mut other = checkpoint();
        other.add_signatures([altered]);
        let refused = other.verify(&keys).unwrap_err();
        assert!(matches!(refused, Error::BadSignature { .. }), "{place}");
    }
    let mut smaller = Checkpoint { size: 6, ..parsed };
    let mut other = smaller.sign(&log_signer()).unwrap();
    other.add_signatures([signature.clone()]);
    assert!(other.verify(&keys).is_err());
    smaller.origin = "a b".to_owned();
    assert!(signer.cosign(&smaller, 1).is_err());
    let mut text = Note::new("not a checkpoint\n".to_owned()).unwrap();
    text.add_signatures([signature]);
    assert!(text.verify(&keys).is_err());
}

#[test]
fn ml_dsa_keys_have_one_spelling_and_stay_private() {
    let signer = PqSigner::from_seed("witness.example/pq", &[42; 32]).unwrap();
    let skey = signer.to_skey();
    let again = PqSigner::parse(&skey).unwrap();
    assert_eq!(again.verifier(), signer.verifier());
    assert_eq!(format!("{again:?}"), "PqSigner(witness.example/pq)");
    assert_eq!(Verifier::parse(&signer.verifier().to_vkey()).unwrap(), *signer.verifier());
    assert!(matches!(Signer::parse(&skey), Err(Error::UnknownKeyType { kind: 6, .. })));
    assert!(matches!(PqSigner::parse(PETER_SKEY), Err(Error::UnknownKeyType { kind: 1, .. })));
    let renamed = skey.replace("witness.example", "other.example");
    assert!(matches!(PqSigner::parse(&renamed), Err(Error::KeyIdMismatch { .. })));
    assert!(Verifier::new("x", KeyKind::MlDsa44, &[0; 1_311]).is_err());
}

proptest! {
    #[test]
    fn a_note_that_parses_prints_as_it_was(
        text in "[ -~\n—é]{0,200}", tail in "[ -~\n—=]{0,60}",
    ) {
        for input in [format!("{text}\n\n\u{2014} {tail}\n"), format!("{text}{tail}")] {
            if let Ok(note) = Note::parse(input.as_bytes()) {
                prop_assert_eq!(note.to_string(), input);
            }
        }
        let _ = Checkpoint::parse(&text).map(|checkpoint| {
            assert_eq!(checkpoint.to_text().unwrap(), text);
        });
    }
}
