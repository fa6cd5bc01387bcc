//! Slots: what a form takes from a line, read and checked while parsing.
//!
//! Invariant: a slot that was read is well-formed; whether the thing it names exists is a matter of
//! the play, because names come into being as the story goes.

use super::token::Token;
use crate::money::minor;
use crate::party::{Channel, ChannelKind};
use crate::refusal::Code;
use crate::time::Time;

/// What kind of words a slot takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word or quoted text that names a thing.
    Name,
    /// Names with commas or `and` between them; `srv-1..630` is a range.
    Names,
    /// Quoted text.
    Text,
    /// A whole number.
    Number,
    /// `4 TB`.
    Size,
    /// `EUR 1.25`.
    Money,
    /// `2012-03-01` or `"2012-03-01 09:14"`.
    Time,
    /// One or more addresses.
    Channels,
    /// Gate reasons: a code and what it is about, with commas between them.
    Reasons,
    /// One of these words, separated by `/`.
    Choice(&'static str),
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Name(String),
    Names(Vec<String>),
    Text(String),
    Number(u64),
    Money(u64, String),
    Time(Time),
    Channels(Vec<Channel>),
    Reasons(Vec<(Code, String)>),
}

/// What a line gave, by the names of its form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slots(pub(super) Vec<(&'static str, Slot)>);

impl Slots {
    fn get(&self, key: &str) -> Option<&Slot> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, slot)| slot)
    }

    /// True if the line has it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A name, choice or text; empty if the line has none.
    pub(super) fn name(&self, key: &str) -> &str {
        match self.get(key) {
            Some(Slot::Name(text) | Slot::Text(text)) => text,
            _ => "",
        }
    }

    /// Names, ranges not expanded.
    pub(super) fn names(&self, key: &str) -> &[String] {
        match self.get(key) {
            Some(Slot::Names(names)) => names,
            _ => &[],
        }
    }

    /// A number; a size is its bytes.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        match self.get(key) {
            Some(Slot::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// A number that fits in 32 bits; larger ones become the largest.
    pub(super) fn small(&self, key: &str) -> Option<u32> {
        self.number(key).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// Minor units and currency.
    pub(super) fn money(&self, key: &str) -> (u64, String) {
        match self.get(key) {
            Some(Slot::Money(amount, currency)) => (*amount, currency.clone()),
            _ => (0, String::new()),
        }
    }

    /// An instant.
    pub(super) fn time(&self, key: &str) -> Option<Time> {
        match self.get(key) {
            Some(Slot::Time(time)) => Some(*time),
            _ => None,
        }
    }

    /// Addresses, best first.
    pub(super) fn channels(&self, key: &str) -> Vec<Channel> {
        match self.get(key) {
            Some(Slot::Channels(channels)) => channels.clone(),
            _ => Vec::new(),
        }
    }

    /// Gate reasons.
    pub(super) fn reasons(&self, key: &str) -> &[(Code, String)] {
        match self.get(key) {
            Some(Slot::Reasons(reasons)) => reasons,
            _ => &[],
        }
    }
}

impl Kind {
    /// What the slot takes, for people.
    pub(super) fn wanted(self, name: &str) -> String {
        match self {
            Kind::Name => format!("{name} (a name)"),
            Kind::Names => format!("{name} (names)"),
            Kind::Text => format!("{name} (\"text in quotes\")"),
            Kind::Number => format!("{name} (a number)"),
            Kind::Size => format!("{name} (a size like 4 TB)"),
            Kind::Money => format!("{name} (an amount like EUR 1.25)"),
            Kind::Time => format!("{name} (a date like 2012-03-01)"),
            Kind::Channels => "an address like <ops@example.org>".to_owned(),
            Kind::Reasons => "reasons like hold_provisional H-1".to_owned(),
            Kind::Choice(options) => options.replace('/', " or "),
        }
    }

    /// Reads the slot from the front of the tokens: what it is, and how many tokens it took.
    pub(super) fn read(self, tokens: &[Token]) -> Option<(Slot, usize)> {
        match self {
            Kind::Name => Some((Slot::Name(name(tokens.first()?)?.to_owned()), 1)),
            Kind::Names => names(tokens),
            Kind::Text => match tokens.first()? {
                Token::Text(text) => Some((Slot::Text(text.clone()), 1)),
                _ => None,
            },
            Kind::Number => Some((Slot::Number(word(tokens.first()?)?.parse().ok()?), 1)),
            Kind::Size => size(word(tokens.first()?)?, word(tokens.get(1)?)?).map(|s| (s, 2)),
            Kind::Money => money(word(tokens.first()?)?, word(tokens.get(1)?)?).map(|m| (m, 2)),
            Kind::Time => Some((Slot::Time(Time::parse(name(tokens.first()?)?)?), 1)),
            Kind::Channels => channels(tokens),
            Kind::Reasons => reasons(tokens),
            Kind::Choice(options) => {
                let word = word(tokens.first()?)?;
                let known = options.split('/').any(|option| option == word);
                known.then(|| (Slot::Name(word.to_owned()), 1))
            }
        }
    }
}

fn word(token: &Token) -> Option<&str> {
    match token {
        Token::Word(word) => Some(word),
        _ => None,
    }
}

fn name(token: &Token) -> Option<&str> {
    match token {
        Token::Word(word) => Some(word),
        Token::Text(text) => Some(text),
        _ => None,
    }
}

fn names(tokens: &[Token]) -> Option<(Slot, usize)> {
    let mut found = vec![name(tokens.first()?)?.to_owned()];
    let mut taken = 1;
    while let Some(next) = tokens.get(taken) {
        let separates = *next == Token::Mark(',') || word(next) == Some("and");
        let Some(one) = tokens.get(taken + 1).filter(|_| separates).and_then(name) else { break };
        found.push(one.to_owned());
        taken += 2;
    }
    Some((Slot::Names(found), taken))
}

fn size(number: &str, unit: &str) -> Option<Slot> {
    let power = ["B", "KB", "MB", "GB", "TB", "PB"].iter().position(|known| *known == unit)?;
    let bytes = 1000u64.checked_pow(u32::try_from(power).ok()?)?;
    Some(Slot::Number(number.parse::<u64>().ok()?.checked_mul(bytes)?))
}

fn money(currency: &str, amount: &str) -> Option<Slot> {
    if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return None;
    }
    Some(Slot::Money(minor(amount, currency)?, currency.to_owned()))
}

/// `<a@b>` is electronic mail; `<post: …>`, `<portal: …>`, `<service: …>` and `<phone: …>` say
/// what they are.
fn channels(tokens: &[Token]) -> Option<(Slot, usize)> {
    let mut found = Vec::new();
    for token in tokens {
        let Token::Address(text) = token else { break };
        let (kind, address) = match text.split_once(':') {
            Some(("post", address)) => (ChannelKind::Post, address),
            Some(("portal", address)) => (ChannelKind::Portal, address),
            Some(("service", address)) => (ChannelKind::Service, address),
            Some(("phone", number)) => (ChannelKind::Phone, number),
            Some(("mailto", address)) => (ChannelKind::Email, address),
            Some(_) => return None,
            None => (ChannelKind::Email, text.as_str()),
        };
        found.push(Channel { kind, address: address.trim().to_owned() });
    }
    let taken = found.len();
    (taken > 0).then_some((Slot::Channels(found), taken))
}

fn reasons(tokens: &[Token]) -> Option<(Slot, usize)> {
    let mut found = Vec::new();
    let mut taken = 0;
    loop {
        let code = code(word(tokens.get(taken)?)?)?;
        let about = name(tokens.get(taken + 1)?)?.to_owned();
        found.push((code, about));
        taken += 2;
        if tokens.get(taken) != Some(&Token::Mark(',')) {
            return Some((Slot::Reasons(found), taken));
        }
        taken += 1;
    }
}

/// The refusal code of that text.
pub(super) fn code(text: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.as_str() == text)
}
