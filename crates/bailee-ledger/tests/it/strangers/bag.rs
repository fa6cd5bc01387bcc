//! A bundle as files that a test may change: packed again in the one encoding, listed and signed
//! again as far as the test says.

use std::collections::BTreeMap;
use std::path::Path;

use bailee_ledger::bundle::{GUIDES, Kind, List, Listed, Manifest, NOTE, Statement};
use bailee_ledger::hash::sha256;
use bailee_ledger::zip::{Input, write};
use bailee_ledger::{Note, Signer};

use crate::common::log_signer;
use crate::issuer;

/// Files by member name.
#[derive(Clone)]
pub(super) struct Bag(pub(super) BTreeMap<String, Vec<u8>>);

impl Bag {
    pub(super) fn of(bundle: &[u8]) -> Bag {
        Bag(issuer::members(bundle).into_iter().collect())
    }

    /// Without the verifiers for people: smaller, and as good.
    pub(super) fn without_guides(mut self) -> Bag {
        self.0.retain(|name, _| GUIDES.iter().all(|(path, _)| *name != format!("bag/{path}")));
        self.listed().signed()
    }

    pub(super) fn get(&self, path: &str) -> &[u8] {
        &self.0[&format!("bag/{path}")]
    }

    pub(super) fn text(&self, path: &str) -> String {
        String::from_utf8(self.get(path).to_vec()).unwrap()
    }

    pub(super) fn set(mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Bag {
        self.0.insert(format!("bag/{path}"), bytes.into());
        self
    }

    pub(super) fn remove(mut self, path: &str) -> Bag {
        self.0.remove(&format!("bag/{path}")).unwrap();
        self
    }

    /// One bit of one byte changed.
    pub(super) fn flip(mut self, path: &str, at: usize, mask: u8) -> Bag {
        self.0.get_mut(&format!("bag/{path}")).unwrap()[at] ^= mask;
        self
    }

    /// A text in a file replaced, once.
    pub(super) fn replace(self, path: &str, from: &str, to: &str) -> Bag {
        let text = self.text(path);
        assert!(text.contains(from), "{path} holds no {from:?}");
        self.set(path, text.replacen(from, to, 1))
    }

    /// `bag-info.txt` and the payload's manifest made anew.
    pub(super) fn listed(self) -> Bag {
        Bag(issuer::relisted(self.0.into_iter().collect()).into_iter().collect())
    }

    /// The tag manifest made anew, and signed with the log's key.
    pub(super) fn signed(self) -> Bag {
        self.signed_by(&log_signer())
    }

    /// The same with another key, whose name becomes the origin.
    pub(super) fn signed_by(self, signer: &Signer) -> Bag {
        let not_listed = [NOTE, List::Tags.member()];
        let tags = self.0.iter().filter(|(name, _)| !name.starts_with("bag/data/"));
        let tags = tags.filter(|(name, _)| !not_listed.contains(&name.as_str()));
        let lines = tags.map(|(name, bytes)| line(name, bytes)).collect();
        let tags = Manifest::new(List::Tags, lines).unwrap().to_text();
        let tagmanifest = sha256(tags.as_bytes());
        let statement =
            Statement { kind: Kind::Receipt, origin: signer.name().to_owned(), tagmanifest };
        let note = Note::new(statement.to_text()).unwrap().sign(signer, 0).to_string();
        self.set("tagmanifest-sha256.txt", tags).set("bundle.note", note)
    }

    /// The archive.
    pub(super) fn pack(&self) -> Vec<u8> {
        let inputs = self.0.iter().map(|(name, bytes)| Input::from_bytes(name, bytes));
        let mut out = Vec::new();
        write(&mut out, inputs.collect()).unwrap();
        out
    }

    /// The files in a directory.
    pub(super) fn unpack(&self, into: &Path) {
        for (name, bytes) in &self.0 {
            let path = into.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
    /// What is there of files below a directory.
    pub(super) fn unpacked(root: &Path) -> Bag {
        let (mut bag, mut left) = (Bag(BTreeMap::new()), vec![root.to_owned()]);
        while let Some(directory) = left.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                    continue;
                }
                // A damaged archive may name its files by bytes that are no text.
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                bag.0.insert(name, std::fs::read(&path).unwrap());
            }
        }
        bag
    }
}

fn line(name: &str, bytes: &[u8]) -> Listed {
    Listed { path: name.strip_prefix("bag/").unwrap().to_owned(), sha256: sha256(bytes) }
}

#[test]
fn a_bag_packed_again_is_the_same_bundle() {
    let bundle = crate::common::receipt();
    assert_eq!(Bag::of(&bundle).pack(), bundle);
    let again = Bag::of(&bundle).signed();
    assert_eq!(again.get("bundle.note"), Bag::of(&bundle).get("bundle.note"));
}
