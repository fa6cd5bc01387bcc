//! The manifests, the bag's own files, and names.

use bailee_ledger::hash::sha256;
use bailee_ledger::to_hex;

use super::{CHECKPOINT, Case, issued, named};
use crate::common::{ORIGIN, leaf};
use crate::strangers::bag::Bag;
use crate::strangers::log::{ENTRY, forged, witnessed};

/// The payload's manifest as this text, listed and signed.
fn listing(text: impl Into<String>) -> Bag {
    witnessed().set("manifest-sha256.txt", text.into()).signed()
}

/// The tag manifest as this text, signed.
fn stating(text: &str) -> Bag {
    let digest = to_hex(&sha256(text.as_bytes()));
    let statement = format!("bailee/bundle/v1\nreceipt\n{ORIGIN}\n{digest}\n");
    let bag = witnessed().set("tagmanifest-sha256.txt", text);
    bag.set("bundle.note", forged(statement.as_bytes()))
}

pub(super) fn payload() -> Vec<Case> {
    let list = witnessed().text("manifest-sha256.txt");
    let lines: Vec<&str> = list.lines().collect();
    let (first, second, zeros) = (lines[0], lines[1], "0".repeat(64));
    let swapped =
        list.replacen(&format!("{first}\n{second}\n"), &format!("{second}\n{first}\n"), 1);
    named(vec![
        (
            "manifest: capitals",
            listing(list.replacen(&first[..64], &first[..64].to_uppercase(), 1)),
        ),
        ("manifest: out of order", listing(swapped)),
        ("manifest: a line twice", listing(format!("{first}\n{list}"))),
        ("manifest: one space", listing(list.replacen("  ", " ", 1))),
        ("manifest: a star", listing(list.replacen("  ", " *", 1))),
        ("manifest: a file that is missing", listing(format!("{list}{zeros}  data/zero.txt\n"))),
        ("manifest: a file outside", listing(format!("{list}{zeros}  data/../x\n"))),
        ("manifest: a tag file", listing(format!("{zeros}  bagit.txt\n{list}"))),
        ("manifest: an empty line", listing(format!("{list}\n"))),
        ("manifest: a line less", listing(list.replacen(&format!("{second}\n"), "", 1))),
        ("manifest: no newline at its end", listing(list.trim_end().to_owned())),
        ("manifest: another digest for a text", listing(list.replacen(&first[..64], &zeros, 1))),
        ("manifest: empty", listing(String::new())),
    ])
}

pub(super) fn tags() -> Vec<Case> {
    let (bag, zeros) = (witnessed, "0".repeat(64));
    let tags = bag().text("tagmanifest-sha256.txt");
    let without = |name: &str| {
        let kept = tags.lines().filter(|line| !line.ends_with(&format!("  {name}")));
        kept.fold(String::new(), |text, line| text + line + "\n")
    };
    named(vec![
        ("tag manifest: a file not listed", stating(&without("bagit.txt"))),
        ("tag manifest: the manifest not listed", stating(&without("manifest-sha256.txt"))),
        (
            "tag manifest: lists itself",
            stating(&format!("{tags}{zeros}  tagmanifest-sha256.txt\n")),
        ),
        ("tag manifest: lists the payload", stating(&format!("{tags}{zeros}  verify/x\n"))),
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
    ])
}

pub(super) fn names() -> Vec<Case> {
    let bag = witnessed;
    named(vec![
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

/// The same file twice, once outside of the bag.
fn outside() -> Bag {
    let mut bag = witnessed();
    let checkpoint = bag.get(CHECKPOINT).to_vec();
    bag.0.insert(CHECKPOINT.to_owned(), checkpoint);
    bag
}
