//! All sentences of the scenario language, by the flow they belong to.
//!
//! Invariant: a builder only reads the state and gives commands; nothing is decided here.

mod ask;
mod expect;
mod house;
mod keep;
mod let_go;
mod status;

use super::form::{Form, Scene, Unclear};
use super::slot::Slots;
use crate::command::Reason;
use crate::demand::Exhibit;
use crate::event::By;

/// Every form.
pub(super) fn all() -> impl Iterator<Item = &'static Form> {
    let acts = house::FORMS.iter().chain(ask::FORMS).chain(keep::FORMS).chain(let_go::FORMS);
    acts.chain(expect::FORMS)
}

/// Who acts in the line.
fn actor(scene: &Scene<'_>, slots: &Slots) -> Result<By, Unclear> {
    scene.names.by(slots.name("who"))
}

/// The text of the line as a reason in words.
fn reason(slots: &Slots) -> Reason {
    Reason { note: slots.name("text").to_owned(), exhibits: Vec::new() }
}

/// A document that exists only in the story.
fn exhibit(name: &str, text: &str) -> Exhibit {
    let digest = super::names::stand_in(text);
    let media = "text/plain".to_owned();
    Exhibit { digest, size: text.len() as u64, media, name: name.to_owned() }
}

/// Every rule of custody holds.
pub(super) fn check(state: &crate::State) -> super::form::Answer {
    expect::check(state)
}
