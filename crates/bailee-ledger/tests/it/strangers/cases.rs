//! Damage of every kind: each case has a name, and is a bundle in the one encoding of its archive,
//! listed and signed by the log as far as the case says. What the answer should be is ours to say
//! (`bundle.rs`, `dishonest.rs`, `hostile.rs`); here others have to say the same.

use bailee_ledger::{Checkpoint, Signer, TlogProof};

use super::bag::Bag;
use super::log::{
    ENTRY, PROOF, SEEN, closed, cosignature, cosigned, forged, forged_by, plain, post_quantum,
    witnessed,
};
use crate::common::{ORIGIN, checkpoint, leaf, log_signer, sections, tree, witness};

/// A damaged bundle, and what was done to it.
pub(super) type Case = (String, Bag);

const CHECKPOINT: &str = "data/checkpoint";
const POLICY: &str = "data/policy.tlog-policy";

/// All cases but the flipped bytes.
pub(super) fn all() -> Vec<Case> {
    let groups = [valid(), proofs(), checkpoints(), notes(), policies(), lists(), entries()];
    groups.into_iter().flatten().chain(lengths()).collect()
}

fn named(cases: Vec<(&str, Bag)>) -> Vec<Case> {
    cases.into_iter().map(|(name, bag)| (name.to_owned(), bag)).collect()
}

fn issued(bag: Bag) -> Bag {
    bag.listed().signed()
}

/// Another checkpoint file, in its own place and behind the path of the proof.
fn under(bag: Bag, note: impl Into<Vec<u8>>) -> Bag {
    let note = note.into();
    let proof = bag.get(PROOF).to_vec();
    let head = proof.windows(2).position(|pair| pair == b"\n\n").unwrap() + 2;
    let proof = [&proof[..head], &note].concat();
    issued(bag.set(CHECKPOINT, note).set(PROOF, proof))
}

fn valid() -> Vec<Case> {
    named(vec![
        ("valid, nobody asked to cosign", plain()),
        ("valid, two of three witnesses", witnessed()),
        ("valid, ML-DSA-44 by the log and a witness", post_quantum()),
        ("valid, no entry", closed(0)),
        ("valid, all seven entries, none opened", closed(7)),
        ("valid, a text for people", issued(witnessed().set("data/notes.txt", "read me"))),
        ("valid, with the verifiers for people", Bag::of(&crate::common::receipt())),
        (
            "valid, the exhibit as certificate too",
            issued(witnessed().set("data/certificate.json", crate::common::EXHIBIT)),
        ),
    ])
}

fn proofs() -> Vec<Case> {
    let bag = witnessed;
    let with = |from: &str, to: &str| issued(bag().replace(PROOF, from, to));
    let text = bag().text(PROOF);
    let lines: Vec<&str> = text.lines().collect();
    let (first, second) = (lines[2], lines[3]);
    let elsewhere = TlogProof::of(&tree(), 3, &cosigned()).unwrap().to_string();
    let many = format!("{first}\n").repeat(62);
    named(vec![
        ("proof: one hash more", with("\n\n", &format!("\n{first}\n\n"))),
        ("proof: one hash less", with(&format!("{second}\n"), "")),
        (
            "proof: two hashes swapped",
            with(&format!("{first}\n{second}"), &format!("{second}\n{first}")),
        ),
        ("proof: 65 hashes", with("\n\n", &format!("\n{many}\n"))),
        ("proof: wrong index", with("index 2", "index 3")),
        ("proof: index with a zero", with("index 2", "index 02")),
        ("proof: index out of the tree", with("index 2", "index 9")),
        ("proof: no index", with("index 2\n", "")),
        ("proof: of another leaf", issued(bag().set(PROOF, elsewhere))),
        ("proof: an extra line", with("\nindex", "\nextra AAAA\nindex")),
        ("proof: an empty extra line", with("\nindex", "\nextra \nindex")),
        ("proof: extra with spare bits", with("\nindex", "\nextra AB==\nindex")),
        ("proof: two extra lines", with("\nindex", "\nextra AAAA\nextra AAAA\nindex")),
        ("proof: CR LF", with("\nindex", "\r\nindex")),
        ("proof: another header", with("@v1", "@v2")),
        ("proof: a space after a hash", with(first, &format!("{first} "))),
        (
            "proof: a hash of 33 bytes",
            with(first, &format!("{}AAA=", &first[..43].replace('=', "A"))),
        ),
    ])
}

fn checkpoints() -> Vec<Case> {
    let bag = witnessed;
    let note = cosigned().to_string();
    let text = cosigned().text().to_owned();
    let own = checkpoint().to_string();
    let root = text.lines().nth(2).unwrap().to_owned();
    let signatures: Vec<&str> = note.lines().skip(4).collect();
    let cut = |from: usize| {
        let line = signatures[from];
        let at = line.len() - 8;
        let other = if &line[at..=at] == "A" { "B" } else { "A" };
        format!("{}{other}{}", &line[..at], &line[at + 1..])
    };
    let stranger = Signer::from_seed(ORIGIN, &[9; 32]).unwrap();
    let unknown = Checkpoint::of(ORIGIN, &tree()).sign(&stranger).unwrap().to_string();
    let by_two = |more: &str| under(bag(), note.clone() + more);
    let forge = |text: &str| under(bag(), forged(text.as_bytes()));
    let old = |size: u64| {
        let root = tree().root_at(size).unwrap();
        let old = Checkpoint { origin: ORIGIN.to_owned(), size, root, extensions: vec![] };
        old.sign(&log_signer()).unwrap().sign(&witness(1), SEEN).sign(&witness(2), SEEN)
    };
    let replayed = TlogProof::of(&tree(), 2, &old(5)).unwrap().to_string();
    let mut cases = named(vec![
        (
            "checkpoint: quorum not reached",
            under(bag(), checkpoint().sign(&witness(1), 1).to_string()),
        ),
        ("checkpoint: nobody cosigned", under(bag(), own.clone())),
        (
            "checkpoint: one witness twice",
            under(bag(), checkpoint().sign(&witness(1), 1).sign(&witness(1), 2).to_string()),
        ),
        ("checkpoint: one line twice", by_two(&format!("{}\n", signatures[2]))),
        ("checkpoint: unknown keys only", under(bag(), unknown)),
        (
            "checkpoint: unknown witnesses only",
            under(bag(), checkpoint().sign(&witness(7), 1).to_string()),
        ),
        ("checkpoint: an unknown signature more", by_two("— someone AAAAAAAA\n")),
        ("checkpoint: an empty signature more", by_two("— someone AAAAAA==\n")),
        ("checkpoint: a signature that is no base64", by_two("— someone AAAAAA*=\n")),
        ("checkpoint: a signature with spare bits", by_two("— someone AAAAAAB=\n")),
        ("checkpoint: a signer without name", by_two("—  AAAAAAAA\n")),
        ("checkpoint: a signer with a plus", by_two("— a+b AAAAAAAA\n")),
        ("checkpoint: a hyphen for a dash", by_two("- someone AAAAAAAA\n")),
        ("checkpoint: an empty line at the end", by_two("\n")),
        (
            "checkpoint: a cosignature that fails",
            under(bag(), note.replace(signatures[2], &cut(2))),
        ),
        ("checkpoint: a second cosignature that fails", by_two(&format!("{}\n", cut(2)))),
        ("checkpoint: a second signature of the log that fails", by_two(&format!("{}\n", cut(0)))),
        ("checkpoint: a hundred signatures", by_two(&"— someone AAAAAAAA\n".repeat(97))),
        ("checkpoint: a hundred and one", by_two(&"— someone AAAAAAAA\n".repeat(98))),
        ("checkpoint: replayed, old, with the new proof", under(bag(), old(5).to_string())),
        (
            "checkpoint: replayed, old, with its proof",
            issued(bag().set(CHECKPOINT, old(5).to_string()).set(PROOF, replayed)),
        ),
        ("checkpoint: older than the leaf", under(bag(), old(2).to_string())),
        ("checkpoint: of the empty tree", under(bag(), old(0).to_string())),
        ("checkpoint: an extension line", forge(&format!("{text}more\n"))),
        ("checkpoint: an empty extension line", forge(&format!("{text}\nmore\n"))),
        ("checkpoint: size with a zero", forge(&text.replace("\n7\n", "\n07\n"))),
        ("checkpoint: size with a sign", forge(&text.replace("\n7\n", "\n+7\n"))),
        ("checkpoint: root with spare bits", forge(&text.replace(&root, &spare(&root)))),
        ("checkpoint: without root", forge(&text.replace(&format!("{root}\n"), ""))),
        ("checkpoint: a tab in it", forge(&format!("{text}a\tb\n"))),
        ("checkpoint: U+0085 in it", forge(&format!("{text}a\u{85}b\n"))),
        ("checkpoint: DEL in it", forge(&format!("{text}a\u{7f}b\n"))),
        ("checkpoint: no UTF-8", under(bag(), forged(&[text.as_bytes(), b"\xff\n"].concat()))),
        (
            "checkpoint: another origin, by the log",
            forge(&text.replace(ORIGIN, "log.example/other")),
        ),
        (
            "checkpoint: another origin, by its log",
            under(
                bag(),
                forged_by(
                    "log.example/other",
                    1,
                    &[5; 32],
                    text.replace(ORIGIN, "log.example/other").as_bytes(),
                ),
            ),
        ),
        ("checkpoint: a time past the end", by_two(&cosignature(2, 1 << 63, &text))),
        (
            "checkpoint: a time of zero",
            under(bag(), own + &cosignature(1, 0, &text) + &cosignature(2, 5, &text)),
        ),
        (
            "checkpoint: other than in the proof",
            issued(bag().set(CHECKPOINT, checkpoint().to_string())),
        ),
    ]);
    cases.push(("proof: holds another checkpoint".to_owned(), {
        let proof = TlogProof::of(&tree(), 2, &checkpoint()).unwrap().to_string();
        issued(bag().set(PROOF, proof))
    }));
    cases
}

/// The same bytes in base64 with a spare bit set, which is another spelling.
fn spare(hash: &str) -> String {
    let mut text = hash.to_owned().into_bytes();
    let at = text.len() - 2;
    text[at] += 1;
    String::from_utf8(text).unwrap()
}

fn notes() -> Vec<Case> {
    let bag = witnessed;
    let note = bag().text("bundle.note");
    let (text, signature) = note.split_once("\n\n").unwrap();
    let other = Signer::from_seed("log.example/other", &[5; 32]).unwrap();
    let with = |bytes: Vec<u8>| bag().set("bundle.note", bytes);
    let forge = |from: &str, to: &str| with(forged(note_text(text, from, to).as_bytes()));
    let two = format!("log {}\n", other.verifier().to_vkey());
    let lists_two = || bag().set(POLICY, two.clone() + &bag().text(POLICY));
    named(vec![
        ("note: two signatures", with(format!("{note}{signature}").into_bytes())),
        (
            "note: an unknown signature more",
            with(format!("{note}— someone AAAAAAAA\n").into_bytes()),
        ),
        (
            "note: unknown keys only",
            with(forged_by(ORIGIN, 1, &[9; 32], format!("{text}\n").as_bytes())),
        ),
        ("note: another kind", forge("receipt", "invoice")),
        ("note: matter", forge("receipt", "matter")),
        ("note: another version", forge("/v1", "/v2")),
        ("note: another origin", forge(ORIGIN, "log.example/other")),
        ("note: a line more", with(forged(format!("{text}\nmore\n").as_bytes()))),
        ("note: CR LF", with(note.replace('\n', "\r\n").into_bytes())),
        ("note: by another log that the policy lists", lists_two().listed().signed_by(&other)),
        ("note: by the log, another log listed too", issued(lists_two())),
    ])
}

fn note_text(text: &str, from: &str, to: &str) -> String {
    text.replace(from, to) + "\n"
}

fn policies() -> Vec<Case> {
    let text = witnessed().text(POLICY);
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        issued(witnessed().set(POLICY, text.replacen(from, to, 1)))
    };
    let lines: Vec<&str> = text.lines().collect();
    let own = bailee_ledger::PqSigner::from_seed(ORIGIN, &[7; 32]).unwrap().verifier().to_vkey();
    let second = format!("witness own {own}\ngroup");
    let quorum = |words: &str| with("group two 2 w1 w2 w3\nquorum two\n", words);
    named(vec![
        (
            "policy: comments, tabs, blank lines",
            with("\nwitness w1", "\n# comment é\n\n \twitness\t w1"),
        ),
        ("policy: URLs", with("\nwitness w1", " https://a.example/\nwitness w1")),
        (
            "policy: two URLs",
            with("\nwitness w1", " https://a.example/ https://b.example/\nwitness w1"),
        ),
        ("policy: no newline at its end", with("quorum two\n", "quorum two")),
        ("policy: CR LF", with("quorum two\n", "quorum two\r\n")),
        ("policy: an unknown word", with("quorum", "quora x\nquorum")),
        ("policy: a second quorum line", with("quorum two\n", "quorum two\nquorum two\n")),
        ("policy: no quorum line", with("quorum two\n", "")),
        ("policy: quorum none", with("quorum two", "quorum none")),
        ("policy: quorum of nobody", with("quorum two", "quorum three")),
        ("policy: quorum is a witness", with("quorum two", "quorum w3")),
        ("policy: quorum is the witness that did not", with("quorum two", "quorum w2")),
        ("policy: any", quorum("group g any w2 w3\nquorum g\n")),
        ("policy: all", quorum("group g all w1 w3\nquorum g\n")),
        ("policy: all, one missing", quorum("group g all w1 w2 w3\nquorum g\n")),
        (
            "policy: groups of groups",
            quorum("group a any w1 w2\ngroup b 1 w3\ngroup g all a b\nquorum g\n"),
        ),
        ("policy: threshold 0", quorum("group g 0 w1\nquorum g\n")),
        ("policy: threshold too large", quorum("group g 3 w1 w2\nquorum g\n")),
        ("policy: threshold with a zero", quorum("group g 01 w1 w2\nquorum g\n")),
        ("policy: threshold of words", quorum("group g most w1 w2\nquorum g\n")),
        ("policy: a member twice", quorum("group g 2 w1 w1\nquorum g\n")),
        ("policy: a member of two groups", quorum("group a any w1\ngroup b any w1\nquorum a\n")),
        ("policy: a member not defined", quorum("group g any w9\nquorum g\n")),
        ("policy: a member called none", quorum("group g any none\nquorum g\n")),
        ("policy: a group without members", quorum("group g any\nquorum g\n")),
        ("policy: a name twice", with("witness w2", "witness w1")),
        ("policy: a witness called none", with("witness w2", "witness none")),
        ("policy: a key twice", with(lines[2], &lines[1].replace("w1 ", "w2 "))),
        ("policy: the log twice", with(lines[0], &format!("{}\n{}", lines[0], lines[0]))),
        (
            "policy: a witness's key as the log's",
            with("\nwitness w1", &format!("\nlog {}\nwitness w1", &lines[1][11..])),
        ),
        (
            "policy: a log's key as a witness's",
            with(lines[1], &format!("witness w1 {}", &lines[0][4..])),
        ),
        ("policy: without the log", with(lines[0], "#")),
        ("policy: the log's second key", with("group", &second)),
        (
            "policy: the log's second key counts",
            with("group two 2 w1", &second.replace("group", "group two 2 own")),
        ),
        ("policy: another id of a key", with("witness1.example/w+", "witness1.example/w+0")),
        ("policy: id in capitals", with(lines[0], &capital_id(lines[0]))),
        ("policy: DEL", with("\nwitness w1", "\n#\u{7f}\nwitness w1")),
        ("policy: U+0085 in a comment", with("\nwitness w1", "\n#\u{85}\nwitness w1")),
        ("policy: U+0085 in a name", with("witness w2", "witness w\u{85}2")),
        (
            "policy: no UTF-8",
            issued(witnessed().set(POLICY, [b"#\xff\n", text.as_bytes()].concat())),
        ),
        ("policy: empty", issued(witnessed().set(POLICY, ""))),
    ])
}

/// The same file twice, once outside of the bag.
fn outside() -> Bag {
    let mut bag = witnessed();
    let checkpoint = bag.get(CHECKPOINT).to_vec();
    bag.0.insert(CHECKPOINT.to_owned(), checkpoint);
    bag
}

/// The id of a key in capital letters: another spelling.
fn capital_id(line: &str) -> String {
    let (name, rest) = line.split_once('+').unwrap();
    let (id, key) = rest.split_once('+').unwrap();
    format!("{name}+{}+{key}", id.to_uppercase())
}

fn lists() -> Vec<Case> {
    let bag = witnessed;
    let list = bag().text("manifest-sha256.txt");
    let tags = bag().text("tagmanifest-sha256.txt");
    let lines: Vec<&str> = list.lines().collect();
    let payload = |text: String| bag().set("manifest-sha256.txt", text).signed();
    let swapped = list.replacen(
        &format!("{}\n{}\n", lines[0], lines[1]),
        &format!("{}\n{}\n", lines[1], lines[0]),
        1,
    );
    let sign_tags = |text: String| {
        let digest = bailee_ledger::to_hex(&bailee_ledger::hash::sha256(text.as_bytes()));
        let statement = format!("bailee/bundle/v1\nreceipt\n{ORIGIN}\n{digest}\n");
        bag().set("tagmanifest-sha256.txt", text).set("bundle.note", forged(statement.as_bytes()))
    };
    let unlisted: String =
        tags.lines().filter(|l| !l.ends_with("  bagit.txt")).map(|l| format!("{l}\n")).collect();
    let no_manifest: String = tags
        .lines()
        .filter(|l| !l.ends_with("  manifest-sha256.txt"))
        .map(|l| format!("{l}\n"))
        .collect();
    let zeros = "0".repeat(64);
    named(vec![
        (
            "manifest: capitals",
            payload(list.replacen(&lines[0][..64], &lines[0][..64].to_uppercase(), 1)),
        ),
        ("manifest: out of order", payload(swapped)),
        ("manifest: a line twice", payload(format!("{}\n{list}", lines[0]))),
        ("manifest: one space", payload(list.replacen("  ", " ", 1))),
        ("manifest: a star", payload(list.replacen("  ", " *", 1))),
        ("manifest: a file that is missing", payload(format!("{list}{zeros}  data/zero.txt\n"))),
        ("manifest: a file outside", payload(format!("{list}{zeros}  data/../x\n"))),
        ("manifest: a tag file", payload(format!("{zeros}  bagit.txt\n{list}"))),
        ("manifest: an empty line", payload(format!("{list}\n"))),
        ("manifest: a line less", payload(list.replacen(&format!("{}\n", lines[1]), "", 1))),
        ("manifest: no newline at its end", payload(list.trim_end().to_owned())),
        ("manifest: another digest for a text", payload(list.replacen(&lines[0][..64], &zeros, 1))),
        ("manifest: empty", payload(String::new())),
        ("tag manifest: a file not listed", sign_tags(unlisted)),
        ("tag manifest: the manifest not listed", sign_tags(no_manifest)),
        (
            "tag manifest: lists itself",
            sign_tags(format!("{tags}{zeros}  tagmanifest-sha256.txt\n")),
        ),
        ("tag manifest: lists the payload", sign_tags(format!("{tags}{zeros}  verify/x\n"))),
        ("bag: another version", bag().replace("bagit.txt", "1.0", "0.97").signed()),
        (
            "bag: another payload",
            bag().replace("bag-info.txt", "Payload-Oxum: ", "Payload-Oxum: 1").signed(),
        ),
        (
            "bag: another origin",
            bag().replace("bag-info.txt", ORIGIN, "log.example/other").signed(),
        ),
        ("bag: a line more", bag().replace("bag-info.txt", "Bag-", "X: y\nBag-").signed()),
        (
            "bag: a value with a space before it",
            bag().replace("bag-info.txt", "Agent: ", "Agent:  ").signed(),
        ),
        ("name: a file outside of the bag", outside()),
        ("name: a file of no kind", issued(bag().set("data/other.bin", "x"))),
        ("name: a tag file of no kind", bag().set("other.txt", "x").signed()),
        (
            "name: an index without zeros",
            issued(bag().set("data/entries/2/leaf.bin", leaf(2).encode())),
        ),
        ("name: an authority in capitals", issued(bag().set("data/timestamps/A/0.tsr", "x"))),
        ("name: a section of no kind", issued(bag().set(&format!("{ENTRY}/opened/why.cbor"), "x"))),
    ])
}

fn entries() -> Vec<Case> {
    let bag = witnessed;
    let file = |name: &str| format!("{ENTRY}/{name}");
    let set = |name: &str, bytes: Vec<u8>| issued(bag().set(&file(name), bytes));
    let encoded = leaf(2).encode();
    let long: Vec<u8> = [&encoded[..2], &[0x18], &encoded[2..]].concat();
    let [what, who, papers] = sections(2);
    let late = b"written afterwards".to_vec();
    let digest = bailee_ledger::to_hex(&bailee_ledger::hash::sha256(&late));
    let exhibit =
        bag().0.keys().find(|name| name.contains("/exhibits/")).unwrap()["bag/".len()..].to_owned();
    let renamed = format!("data/exhibits/{}", "0".repeat(64));
    named(vec![
        ("leaf: another", set("leaf.bin", leaf(3).encode())),
        ("leaf: a longer integer", set("leaf.bin", long)),
        ("leaf: a byte more", set("leaf.bin", [&encoded[..], &[0]].concat())),
        ("section: other bytes", set("opened/what.cbor", vec![0x80])),
        (
            "section: the papers as what",
            issued(
                bag()
                    .set(&file("opened/what.cbor"), papers.bytes.clone())
                    .set(&file("opened/what.salt"), papers.salt),
            ),
        ),
        (
            "section: who, opened later",
            issued(
                bag()
                    .set(&file("opened/who.cbor"), who.bytes)
                    .set(&file("opened/who.salt"), who.salt),
            ),
        ),
        ("section: salt of 31 bytes", set("opened/what.salt", vec![what.salt[0]; 31])),
        ("section: salt of 33 bytes", set("opened/what.salt", vec![what.salt[0]; 33])),
        ("section: without salt", issued(bag().remove(&file("opened/what.salt")))),
        ("section: salt alone", issued(bag().remove(&file("opened/what.cbor")))),
        (
            "exhibit: named nowhere",
            issued(bag().set(&format!("data/exhibits/{digest}"), late.clone())),
        ),
        (
            "exhibit: named nowhere, as a certificate",
            issued(bag().set("data/certificate.json", late.clone())),
        ),
        ("exhibit: under the name of another", issued(bag().set(&exhibit, late))),
        (
            "exhibit: under no name of its own",
            issued(bag().remove(&exhibit).set(&renamed, crate::common::EXHIBIT)),
        ),
        (
            "exhibit: papers closed",
            issued(bag().remove(&file("opened/papers.cbor")).remove(&file("opened/papers.salt"))),
        ),
        ("entry: without leaf", issued(bag().remove(&file("leaf.bin")))),
        ("entry: without proof", issued(bag().remove(PROOF))),
        (
            "entry: none, but an exhibit",
            issued(
                bag()
                    .remove(PROOF)
                    .remove(&file("leaf.bin"))
                    .remove(&file("opened/what.cbor"))
                    .remove(&file("opened/what.salt"))
                    .remove(&file("opened/papers.cbor"))
                    .remove(&file("opened/papers.salt")),
            ),
        ),
    ])
}

/// Every file cut by a byte, longer by a byte, emptied, and gone, listed and signed again.
fn lengths() -> Vec<Case> {
    let bag = witnessed();
    let mut cases = Vec::new();
    for (name, bytes) in &bag.0 {
        let path = &name["bag/".len()..];
        let again = |bag: Bag| match path {
            "bundle.note" | "tagmanifest-sha256.txt" => bag,
            path if path.starts_with("data/") => issued(bag),
            _ => bag.signed(),
        };
        let cut = bytes[..bytes.len() - 1].to_vec();
        let longer = [&bytes[..], b"\n"].concat();
        for (what, changed) in [("cut", cut), ("longer", longer), ("emptied", Vec::new())] {
            cases.push((format!("{path}: {what}"), again(bag.clone().set(path, changed))));
        }
        cases.push((format!("{path}: gone"), again(bag.clone().remove(path))));
    }
    cases
}
