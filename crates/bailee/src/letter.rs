//! A letter as it is handed in: its bytes, and what is said of it beyond them.
//!
//! Invariant: a directory and a server are told the very same.

use bailee_server::api::parts::{Scope, Who};
use bailee_server::api::words::{ChannelKind, Medium};

use crate::client::encoded;

/// A letter and what its sender says about it.
pub(crate) struct Letter {
    /// Its exact bytes.
    pub(crate) raw: Vec<u8>,
    /// The legal form it claims to be.
    pub(crate) instrument: Option<String>,
    /// Whether the owner may learn of it.
    pub(crate) silent: Option<bool>,
    /// How it came in.
    pub(crate) medium: Option<Medium>,
    /// Who sent it, if it does not say so itself.
    pub(crate) sender: Option<Who>,
    /// What it names, as filled in a form.
    pub(crate) scope: Scope,
}

impl Letter {
    /// What is said of it, as the query of `POST /v1/intake`; empty if nothing is.
    pub(crate) fn query(&self) -> String {
        let mut said: Vec<(&str, String)> = Vec::new();
        let mut each = |name, all: &[String]| {
            said.extend(all.iter().map(|one| (name, one.clone())));
        };
        each("instrument", self.instrument.as_slice());
        each("account", &self.scope.accounts);
        each("asset", &self.scope.assets);
        each("identifier", &self.scope.identifiers);
        each("category", &self.scope.categories);
        each("from", self.scope.from.as_slice());
        each("to", self.scope.to.as_slice());
        said.extend(self.silent.map(|silent| ("silent", silent.to_string())));
        said.extend(self.medium.map(|medium| ("medium", medium.to_string())));
        said.extend(self.sender.iter().flat_map(sender));
        let pairs = said.into_iter().map(|(name, value)| format!("{name}={}", encoded(&value)));
        pairs.collect::<Vec<String>>().join("&")
    }
}

fn sender(who: &Who) -> Vec<(&'static str, String)> {
    let channels = who.channels.iter().map(|channel| {
        let name = match channel.kind {
            ChannelKind::Email => "sender-email",
            ChannelKind::Phone => "sender-phone",
            ChannelKind::Post | ChannelKind::Portal | ChannelKind::Service => "sender-post",
        };
        (name, channel.address.clone())
    });
    std::iter::once(("sender", who.name.clone())).chain(channels).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailee_server::api::parts::Channel;

    #[test]
    fn what_is_said_of_a_letter_is_its_query() {
        let (raw, scope) = (Vec::new(), Scope::default());
        let plain =
            Letter { raw, instrument: None, silent: None, medium: None, sender: None, scope };
        assert_eq!(plain.query(), "");
        let by_post = Channel { kind: ChannelKind::Post, address: "Court Street 1".into() };
        let sender = Some(Who { name: "R & Co".into(), channels: vec![by_post] });
        let scope = Scope { accounts: vec!["AC-1".into(), "AC-2".into()], ..Scope::default() };
        let scan = Letter { silent: Some(true), medium: Some(Medium::Fax), sender, scope, ..plain };
        let said = "account=AC-1&account=AC-2&silent=true&medium=fax&sender=R%20%26%20Co&\
                    sender-post=Court%20Street%201";
        assert_eq!(scan.query(), said);
    }
}
