//! An issuer who puts together what they like and signs it with the true log key.

use std::io::Cursor;

use bailee_ledger::Note;
use bailee_ledger::bundle::{BAG_INFO, BagInfo, Kind, List, Listed, Manifest, NOTE, Statement};
use bailee_ledger::hash::sha256;
use bailee_ledger::zip::{Archive, Input, write};

use crate::common::{ORIGIN, log_signer};

pub(crate) type Members = Vec<(String, Vec<u8>)>;

/// Everything in a bundle.
pub(crate) fn members(bundle: &[u8]) -> Members {
    let mut archive = Archive::open(Cursor::new(bundle)).unwrap();
    let names: Vec<String> = archive.members().iter().map(|m| m.name.clone()).collect();
    names.into_iter().map(|name| (name.clone(), archive.read(&name, 1 << 20).unwrap())).collect()
}

pub(crate) fn set(members: &mut Members, name: &str, bytes: Vec<u8>) {
    members.retain(|(other, _)| other != name);
    members.push((name.to_owned(), bytes));
}

/// Makes `bag-info.txt` and the list of the payload fit the members.
pub(crate) fn relisted(mut members: Members) -> Members {
    let payload = members.iter().filter(|(name, _)| name.starts_with("bag/data/"));
    let octets = payload.clone().map(|(_, bytes)| bytes.len() as u64).sum();
    let files = payload.clone().count() as u64;
    let listed = payload.map(|(name, bytes)| listed(name, bytes)).collect();
    let payload = Manifest::new(List::Payload, listed).unwrap().to_text();
    let (identifier, agent) = ("a".to_owned(), "b".to_owned());
    let info = BagInfo { origin: ORIGIN.to_owned(), identifier, agent, octets, files };
    set(&mut members, BAG_INFO, info.to_text().unwrap().into_bytes());
    set(&mut members, List::Payload.member(), payload.into_bytes());
    members
}

fn listed(name: &str, bytes: &[u8]) -> Listed {
    Listed { path: name.strip_prefix("bag/").unwrap().to_owned(), sha256: sha256(bytes) }
}

/// Lists the bag's own files as they are, and signs with the true log key.
pub(crate) fn sealed(mut members: Members) -> Vec<u8> {
    let not_listed = [NOTE, List::Tags.member()];
    let tags = members.iter().filter(|(name, _)| !name.starts_with("bag/data/"));
    let tags = tags.filter(|(name, _)| !not_listed.contains(&name.as_str()));
    let tags = tags.map(|(name, bytes)| listed(name, bytes)).collect();
    let tags = Manifest::new(List::Tags, tags).unwrap().to_text().into_bytes();
    let (kind, tagmanifest) = (Kind::Receipt, sha256(&tags));
    set(&mut members, List::Tags.member(), tags);
    let statement = Statement { kind, origin: ORIGIN.to_owned(), tagmanifest };
    let note = Note::new(statement.to_text()).unwrap().sign(&log_signer(), 0).to_string();
    set(&mut members, NOTE, note.into_bytes());
    let inputs = members.iter().map(|(name, bytes)| Input::from_bytes(name, bytes));
    let mut out = Vec::new();
    write(&mut out, inputs.collect()).unwrap();
    out
}
