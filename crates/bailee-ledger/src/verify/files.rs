//! Every file against its list, and the bag as a bag.

use std::io::{Read, Seek};

use super::Check;
use super::chain::Chain;
use crate::bundle::{
    BAG_INFO, BAGIT, BagInfo, DECLARATION, List, MAX_BAG_INFO, Manifest, NOTE, Part, ROOT,
    is_payload, path_in_bag,
};

impl<R: Read + Seek> Check<'_, R> {
    /// Compares every member with its list, every list with the members, and checks the bag.
    pub(super) fn files(&mut self, chain: &Chain) {
        let names: Vec<String> = self.archive.members().iter().map(|m| m.name.clone()).collect();
        let (mut octets, mut files) = (0u64, 0u64);
        for name in &names {
            if Part::of(name).is_none() {
                self.problem(name, "a bundle has no such file");
            }
            let list = if is_payload(name) { &chain.payload } else { &chain.tags };
            let size = self.file(name, list);
            if is_payload(name) {
                octets = octets.saturating_add(size);
                files += 1;
            }
        }
        self.all_there(&chain.tags);
        self.all_there(&chain.payload);
        self.bag(&chain.statement.origin, octets, files);
    }

    /// Reads one member in full; answers its size.
    fn file(&mut self, name: &str, list: &Manifest) -> u64 {
        // The chain has seen to these two.
        let listed = list.get(path_in_bag(name));
        if listed.is_none() && name != NOTE && name != List::Tags.member() {
            self.problem(name, "it is on no signed list");
        }
        match self.archive.copy(name, &mut std::io::sink()) {
            Err(error) => {
                self.problem(name, error);
                0
            }
            Ok(found) => {
                if listed.is_some_and(|listed| *listed != found.sha256) {
                    self.problem(name, "its content is not the one on the signed list");
                }
                self.digests.insert(name.to_owned(), found.sha256);
                found.size
            }
        }
    }

    fn all_there(&mut self, list: &Manifest) {
        for listed in list.files() {
            let name = format!("{ROOT}{}", listed.path);
            if self.archive.member(&name).is_none() {
                self.problem(&name, "it is on the signed list but not in the bundle");
            }
        }
    }

    /// What other people's tools go by.
    fn bag(&mut self, origin: &str, octets: u64, files: u64) {
        let declaration = self.read(BAGIT, MAX_BAG_INFO);
        if declaration.is_some_and(|bytes| bytes != DECLARATION.as_bytes()) {
            self.problem(BAGIT, "it does not declare a bag of version 1.0");
        }
        let Some(bytes) = self.read(BAG_INFO, MAX_BAG_INFO) else { return };
        match BagInfo::parse(&bytes) {
            Err(error) => self.problem(BAG_INFO, error),
            Ok(info) if info.origin != origin => {
                self.problem(BAG_INFO, format!("it names {}, not {origin}", info.origin));
            }
            Ok(info) if (info.octets, info.files) != (octets, files) => {
                let stated = format!("{}.{}", info.octets, info.files);
                let what = format!("Payload-Oxum says {stated}, there is {octets}.{files}");
                self.problem(BAG_INFO, what);
            }
            Ok(_) => {}
        }
    }
}
