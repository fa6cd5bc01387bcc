//! What stands in one entry: proof, leaf, sections, exhibits.

use bailee_ledger::hash::sha256;
use bailee_ledger::{TlogProof, to_hex};

use super::{Case, issued, named};
use crate::common::{EXHIBIT, leaf, sections as committed, tree};
use crate::strangers::log::{ENTRY, PROOF, cosigned, witnessed};

pub(super) fn proofs() -> Vec<Case> {
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

pub(super) fn sections() -> Vec<Case> {
    let bag = witnessed;
    let file = |name: &str| format!("{ENTRY}/{name}");
    let set = |name: &str, bytes: Vec<u8>| issued(bag().set(&file(name), bytes));
    let encoded = leaf(2).encode();
    let long: Vec<u8> = [&encoded[..2], &[0x18], &encoded[2..]].concat();
    let [what, who, papers] = committed(2);
    let late = b"written afterwards".to_vec();
    let digest = to_hex(&sha256(&late));
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
            issued(bag().remove(&exhibit).set(&renamed, EXHIBIT)),
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
