//! Trust policies (c2sp.org/tlog-policy): which log, which witnesses, which quorum.
//!
//! Invariants: a group names only what stands above it and each name is a member of at most one
//! group, so evaluation is a walk over a forest and every witness counts once; exactly one quorum
//! line; a key appears once. Limits: 64 logs, witnesses and groups each, 256 KiB.
//!
//! A cosignature that states no time (ML-DSA allows that) counts for nothing: a quorum says "by t".
//!
//! A witness line whose key has the name of a log in the policy holds that log's own second key.
//! It is evidence about the log ([`Policy::second_key`]) and never of others: it is in no group and
//! no quorum, and not among [`Seen::cosigned`].
//!
//! Out of scope: URLs (kept, never used here); logs without an Ed25519 key.

mod seen;

use std::fmt;

pub use seen::{Quorum, SecondKey, Seen};

use crate::encoding::decimal;
use crate::error::Error;
use crate::key::{KeyKind, Verifier};

const WHAT: &str = "tlog-policy";
/// Largest policy read, in bytes.
pub const MAX_POLICY: usize = 256 << 10;
/// Most logs, witnesses or groups read.
pub const MAX_ITEMS: usize = 64;

/// A log whose checkpoints are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLog {
    /// Its key; the name is the origin.
    pub key: Verifier,
    /// Where it is served; not used for verification.
    pub url: Option<String>,
}

/// A witness that may count towards the quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWitness {
    /// Its name inside this policy.
    pub name: String,
    /// Its cosigning key.
    pub key: Verifier,
    /// Where it takes checkpoints; not used for verification.
    pub url: Option<String>,
}

/// `threshold` of `members` make the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name inside this policy.
    pub name: String,
    /// How many members are needed, `1..=members.len()`.
    pub threshold: usize,
    /// Witnesses and groups defined earlier.
    pub members: Vec<Member>,
}

/// What a group or the quorum refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// Index into the witnesses.
    Witness(usize),
    /// Index into the groups.
    Group(usize),
}

/// A parsed policy.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    /// `None` is `quorum none`.
    quorum: Option<Member>,
}

/// Why a line is refused that would let a log cosign itself.
const OWN_KEY: &str = "a log's own second key cannot be its witness";

impl Policy {
    /// A policy that trusts one log key and asks for no witness.
    pub fn for_log(key: Verifier) -> Result<Self, Error> {
        let mut policy = Self::default();
        policy.add_log(key, None).map_err(|why| Error::malformed(WHAT, why))?;
        Ok(policy)
    }

    /// Logs in order.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// Witnesses in order.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// The same policy without addresses, as it is given to people who verify offline.
    pub fn without_urls(mut self) -> Self {
        self.logs.iter_mut().for_each(|log| log.url = None);
        self.witnesses.iter_mut().for_each(|witness| witness.url = None);
        self
    }

    /// Name of the quorum, `none` when no witness is asked for.
    pub fn quorum_name(&self) -> &str {
        self.quorum.map_or("none", |member| self.member_name(member))
    }

    /// Parses a policy file; strict.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_POLICY {
            let (limit, got) = (MAX_POLICY as u64, bytes.len() as u64);
            return Err(Error::TooLarge { what: WHAT, limit, got });
        }
        let text =
            std::str::from_utf8(bytes).map_err(|_| Error::malformed(WHAT, "it is not UTF-8"))?;
        if text.bytes().any(|byte| (byte < 0x20 && byte != b'\t' && byte != b'\n') || byte == 0x7f)
        {
            return Err(Error::malformed(WHAT, "it holds a control character"));
        }
        let mut policy = Self::default();
        let mut quorum_line = None;
        let body =
            text.strip_suffix('\n').ok_or(Error::malformed(WHAT, "no newline at the end"))?;
        for (number, line) in body.split('\n').enumerate() {
            let at = |why| Error::Line { what: WHAT, line: number + 1, why };
            let words: Vec<&str> = line.split([' ', '\t']).filter(|w| !w.is_empty()).collect();
            match words.as_slice() {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                ["log", vkey] => policy.add_log(Verifier::parse(vkey)?, None).map_err(at)?,
                ["log", vkey, url] => {
                    policy.add_log(Verifier::parse(vkey)?, Some(url)).map_err(at)?;
                }
                ["witness", name, vkey, url @ ..] if url.len() < 2 => {
                    let key = Verifier::parse(vkey)?;
                    policy.add_witness(name, key, url.first().copied()).map_err(at)?;
                }
                ["group", name, threshold, members @ ..] => {
                    policy.add_group(name, threshold, members).map_err(at)?;
                }
                ["quorum", _] if quorum_line.is_some() => return Err(at("a second quorum line")),
                ["quorum", name] => {
                    quorum_line = Some(number);
                    policy.set_quorum(name).map_err(at)?;
                }
                _ => return Err(at("not a log, witness, group or quorum line")),
            }
        }
        quorum_line.ok_or(Error::malformed(WHAT, "there is no quorum line"))?;
        Ok(policy)
    }

    /// Adds a log. Errors: a duplicate, a witness key, too many.
    pub fn add_log(&mut self, key: Verifier, url: Option<&str>) -> Result<(), &'static str> {
        if key.kind() != KeyKind::Note {
            return Err("a log key has signature type 0x01");
        }
        if self.logs.iter().any(|log| log.key.public() == key.public()) {
            return Err("this log key stands above already");
        }
        if self.logs.len() == MAX_ITEMS {
            return Err("more than 64 logs");
        }
        let named = |member: Member| self.key_name(member) == Some(key.name());
        let mut counted = self.groups.iter().flat_map(|group| &group.members).chain(&self.quorum);
        if counted.any(|member| named(*member)) {
            return Err(OWN_KEY);
        }
        self.logs.push(PolicyLog { key, url: check_url(url)? });
        Ok(())
    }

    /// Adds a witness. Errors: a duplicate key or name, a log key, too many.
    pub fn add_witness(
        &mut self,
        name: &str,
        key: Verifier,
        url: Option<&str>,
    ) -> Result<(), &'static str> {
        if key.kind() == KeyKind::Note {
            return Err("a witness key has signature type 0x04 or 0x06");
        }
        if self.witnesses.iter().any(|witness| witness.key.public() == key.public()) {
            return Err("this witness key stands above already");
        }
        if self.witnesses.len() == MAX_ITEMS {
            return Err("more than 64 witnesses");
        }
        self.check_new_name(name)?;
        let url = check_url(url)?;
        self.witnesses.push(PolicyWitness { name: name.to_owned(), key, url });
        Ok(())
    }

    /// Adds a group; `threshold` is `any`, `all` or a number.
    pub fn add_group(
        &mut self,
        name: &str,
        threshold: &str,
        members: &[&str],
    ) -> Result<(), &'static str> {
        self.check_new_name(name)?;
        if self.groups.len() == MAX_ITEMS {
            return Err("more than 64 groups");
        }
        let mut found = Vec::with_capacity(members.len());
        for member in members {
            let member = self.member(member).ok_or("a member is not defined above")?;
            self.check_counts(member)?;
            let taken = |group: &Group| group.members.contains(&member);
            if found.contains(&member) || self.groups.iter().any(taken) {
                return Err("a name can be a member only once");
            }
            found.push(member);
        }
        let needed = match threshold {
            "any" => Some(1),
            "all" => Some(found.len()),
            number => decimal(number).and_then(|number| usize::try_from(number).ok()),
        };
        let needed = needed
            .filter(|needed| (1..=found.len()).contains(needed))
            .ok_or("the threshold is not between 1 and the number of members")?;
        self.groups.push(Group { name: name.to_owned(), threshold: needed, members: found });
        Ok(())
    }

    /// Sets the quorum to a witness, a group or `none`.
    pub fn set_quorum(&mut self, name: &str) -> Result<(), &'static str> {
        self.quorum = match name {
            "none" => None,
            name => {
                let member = self.member(name).ok_or("the quorum is not defined above")?;
                self.check_counts(member)?;
                Some(member)
            }
        };
        Ok(())
    }

    /// Refuses a log's own second key where others are counted.
    fn check_counts(&self, member: Member) -> Result<(), &'static str> {
        let own = |name| self.logs.iter().any(|log| log.key.name() == name);
        if self.key_name(member).is_some_and(own) { Err(OWN_KEY) } else { Ok(()) }
    }

    fn key_name(&self, member: Member) -> Option<&str> {
        match member {
            Member::Witness(index) => Some(self.witnesses[index].key.name()),
            Member::Group(_) => None,
        }
    }

    fn member(&self, name: &str) -> Option<Member> {
        let witness = self.witnesses.iter().position(|w| w.name == name).map(Member::Witness);
        witness.or_else(|| self.groups.iter().position(|g| g.name == name).map(Member::Group))
    }

    fn member_name(&self, member: Member) -> &str {
        match member {
            Member::Witness(index) => &self.witnesses[index].name,
            Member::Group(index) => &self.groups[index].name,
        }
    }

    fn check_new_name(&self, name: &str) -> Result<(), &'static str> {
        let unfit = |c: char| c == ' ' || c == '\t' || c.is_control();
        if name.is_empty() || name == "none" || name.contains(unfit) {
            return Err("not a usable name");
        }
        if self.member(name).is_some() { Err("this name stands above already") } else { Ok(()) }
    }
}

/// A URL is one word of its line, whatever it means.
fn check_url(url: Option<&str>) -> Result<Option<String>, &'static str> {
    let unfit = |url: &str| url.is_empty() || url.contains([' ', '\t', '\n', '\r']);
    if url.is_some_and(unfit) { Err("not a usable URL") } else { Ok(url.map(str::to_owned)) }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = |url: &Option<String>| url.as_ref().map_or(String::new(), |u| format!(" {u}"));
        for log in &self.logs {
            writeln!(f, "log {}{}", log.key.to_vkey(), url(&log.url))?;
        }
        for witness in &self.witnesses {
            let PolicyWitness { name, key, url: at } = witness;
            writeln!(f, "witness {name} {}{}", key.to_vkey(), url(at))?;
        }
        for group in &self.groups {
            write!(f, "group {} {}", group.name, group.threshold)?;
            for member in &group.members {
                write!(f, " {}", self.member_name(*member))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "quorum {}", self.quorum_name())
    }
}
