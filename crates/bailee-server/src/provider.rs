//! Who writes to somebody: the legal entities of the provider, and where an answer reaches them.
//!
//! Invariants
//! 1. A letter to somebody outside the house ends with who wrote it and where an answer goes; what
//!    can be objected to says how, and until when.
//! 2. An entity is named to its own customers, and to whoever wrote to it; to others only if there
//!    is no other. Which entity has data of somebody else is nobody's to learn from a letter.
//! 3. Nothing is made up: names are those of the register, addresses those of the settings.
//!
//! Out of scope: what the letters themselves say (notices.rs), pages to operations (pages.rs).

use std::collections::BTreeSet;

use bailee_core::id::{EntityId, PartyId};
use bailee_core::{State, counted};
use bailee_post::Mailbox;

use crate::config::Config;

/// Whoever writes to one reader.
pub(crate) struct Provider {
    /// Registered names with their countries.
    names: Vec<String>,
    /// Where an answer reaches them.
    contact: String,
    origin: String,
}

impl Provider {
    /// Who writes to somebody who wrote to that entity, if to one by name. Looks nothing through:
    /// each letter that comes in has a receipt.
    pub(crate) fn addressed(s: &State, config: &Config, entity: Option<EntityId>) -> Provider {
        let named = entity.filter(|id| s.entities.get(*id).is_some()).or_else(|| only(s));
        Provider::named(s, config, &named.into_iter().collect())
    }

    /// Who writes to that party: the entities that it is a customer of, or has written to.
    pub(crate) fn of(s: &State, config: &Config, reader: PartyId) -> Provider {
        let own = s.accounts.iter().filter(|(_, account)| account.owner == reader);
        let own: BTreeSet<EntityId> = own.map(|(_, account)| account.entity).collect();
        let asked = s.demands.iter().filter(|(_, demand)| demand.from == reader);
        let asked: BTreeSet<EntityId> = asked.filter_map(|(_, demand)| demand.entity).collect();
        let known = [own, asked].into_iter().find(|known| !known.is_empty());
        Provider::named(s, config, &known.unwrap_or_else(|| only(s).into_iter().collect()))
    }

    fn named(s: &State, config: &Config, entities: &BTreeSet<EntityId>) -> Provider {
        let name = |id: &EntityId| {
            let found = s.entities.get(*id)?;
            Some(plain(&format!("{} ({})", found.name, found.country)))
        };
        let mut own = config.entities.iter().filter(|(_, entity)| {
            entity.parse().is_ok_and(|entity: EntityId| entities.contains(&entity))
        });
        let contact = match (own.next(), entities.len()) {
            (Some((address, _)), 1) => address.clone(),
            _ => config.mail_from.clone(),
        };
        let names = entities.iter().filter_map(name).collect();
        Provider { names, contact, origin: config.origin.clone() }
    }

    /// Where answers go, if not to the sender of the letter.
    pub(crate) fn reply_to(&self, config: &Config) -> Option<Mailbox> {
        let apart = self.contact != config.mail_from;
        apart.then(|| Mailbox { name: None, email: self.contact.clone() })
    }

    /// The last lines of a letter. `reference`: what an answer has to name.
    pub(crate) fn signature(&self, reference: &str) -> String {
        let mut lines: Vec<String> = self.names.clone();
        lines.push(format!("Log: {}", plain(&self.origin)));
        lines.push(format!("Answers: {}, naming {reference}", self.contact));
        format!("\n{}\n", lines.join("\n"))
    }

    /// How to object to what `reference` names, and until when.
    pub(crate) fn objections(&self, reference: &str, days: u32) -> String {
        let days = match days {
            0 => "Write at once: there is no waiting period after the delivery".to_owned(),
            days => format!("You have {} at least from its delivery", counted(days, "day")),
        };
        format!(
            "You may object, with reasons: reply to this letter or write to {}, naming \
             {reference}. {days}; an objection to what is done already comes too late. An \
             objection stops it until it is decided in writing.",
            self.contact
        )
    }
}

/// The entity of the house, if it has one only.
fn only(s: &State) -> Option<EntityId> {
    let mut all = s.entities.iter().map(|(id, _)| id);
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

/// On one line, without control characters.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
