//! What the houses of all benches here begin with.

use bailee_core::instrument::{Catalogue, Ends, Instrument, Privacy};
use bailee_core::party::{Channel, ChannelKind, Who};
use bailee_core::{Action, Command, DayRule, Record, State, Time, run};

/// A catalogue of the letter alone.
pub(crate) fn catalogue() -> Catalogue {
    let letter = Instrument {
        code: "letter".into(),
        title: "Letter".into(),
        citation: "none".into(),
        days: None,
        extension_days: None,
        max_extensions: 0,
        gag_days: None,
        keeps: None,
        ends: Ends::Floor,
        privacy: Privacy::Open,
        rule: DayRule::plain(),
        duties: String::new(),
    };
    Catalogue { version: "bench".into(), instruments: vec![letter] }
}

/// Somebody with an address.
pub(crate) fn who(name: &str) -> Who {
    let address = format!("{name}@example.org");
    Who { name: name.into(), channels: vec![Channel { kind: ChannelKind::Email, address }] }
}

/// Runs what is never refused.
pub(crate) fn must(state: &mut State, action: Action, now: Time) -> Vec<Record> {
    match run(state, &Command::system(action), now) {
        Ok(records) => records,
        Err(refusal) => panic!("{refusal}"),
    }
}
