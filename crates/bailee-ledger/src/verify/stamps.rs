//! What timestamp authorities say about the checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

use super::Check;
use crate::bundle::{TimestampFile, roots_name, token_name};
use crate::report::{Claim, ClaimState, timestamped};

/// One authority's files.
#[derive(Default)]
struct Files {
    tokens: BTreeSet<usize>,
    roots: bool,
}

impl<R: Read + Seek> Check<R> {
    /// Claim 4.
    pub(super) fn timestamps(&mut self) -> Claim {
        let mut authorities: BTreeMap<String, Files> = BTreeMap::new();
        for member in self.archive.members() {
            match TimestampFile::of(&member.name) {
                Some(TimestampFile::Token(authority, number)) => {
                    authorities.entry(authority.to_owned()).or_default().tokens.insert(number);
                }
                Some(TimestampFile::Roots(authority)) => {
                    authorities.entry(authority.to_owned()).or_default().roots = true;
                }
                None => {}
            }
        }
        for (authority, files) in &authorities {
            let missing = (0..).find(|number| !files.tokens.contains(number)).unwrap_or_default();
            if files.tokens.is_empty() || files.tokens.last().is_some_and(|last| missing < *last) {
                self.problem(&token_name(authority, missing), "a token of a chain is missing");
            }
            if !files.roots {
                self.problem(&roots_name(authority), "tokens without the roots they lead to");
            }
        }
        let unchecked: Vec<&str> = authorities.keys().map(String::as_str).collect();
        match unchecked.is_empty() {
            true => timestamped(),
            false => Claim {
                title: "timestamp",
                state: ClaimState::NotShown,
                text: format!(
                    "this bundle carries tokens of {} that this version does not check",
                    unchecked.join(", ")
                ),
            },
        }
    }
}
