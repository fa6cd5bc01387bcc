//! What the sender of an upload says beyond the letter: in the query, where a form puts its fields.
//!
//! Invariant: what is said and does not read is refused by its name before anything is recorded,
//! so that the sender can say it again; nothing said is dropped in silence. What is misspelt does
//! not come this far (parameters.rs).

use axum::http::header::CONTENT_TYPE;
use bailee_core::TokenScope;
use bailee_core::demand::Medium;

use crate::api::Problem;
use crate::api::parts::{Channel, Scope, Who};
use crate::api::words;
use crate::http::handlers::{Ask, Shared};
use crate::intake::{self, Cover};

/// A sender that is named is believed as a letter's is. A letter names its sender itself, however
/// it came in (`medium`, else by what it is); for any other upload it is the party whose token it
/// came with.
pub(crate) fn cover(shared: &Shared, ask: &Ask) -> Result<Cover, Problem> {
    let silent = match ask.said("silent", "bailee-silent").as_deref() {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(other) => {
            let detail = format!("{other:?} is neither true nor false");
            return Err(Problem::bad_request("silent", detail));
        }
    };
    let media = ask.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
    let letter = media.is_none_or(|media| media.starts_with("message/rfc822"));
    let told = ask.said("medium", "bailee-medium").map(|word| word.parse::<words::Medium>());
    let told = told.transpose().map_err(|e| Problem::bad_request("medium", e.to_string()))?;
    let by_itself = if letter { Medium::Email } else { Medium::Portal };
    let mut cover = Cover {
        instrument: ask.said("instrument", "bailee-instrument"),
        silent,
        medium: Some(told.map_or(by_itself, Into::into)),
        from: sender(ask)?,
        scope: scope(ask)?.into_core()?,
    };
    if ask.caller.is_some_and(|caller| caller.scope == TokenScope::Operator) {
        intake::check_form(&shared.house, &cover.scope)?;
    }
    if let (None, false, Some(caller)) = (&cover.from, letter, ask.caller) {
        let party = |s: &bailee_core::State| s.parties.get(caller.party)?.who.clone();
        cover.from = shared.house.with_state(party)?;
    }
    Ok(cover)
}

/// The sender, with the ways to reach it, best first.
fn sender(ask: &Ask) -> Result<Option<bailee_core::party::Who>, Problem> {
    let kinds = [
        ("sender-email", words::ChannelKind::Email),
        ("sender-post", words::ChannelKind::Post),
        ("sender-phone", words::ChannelKind::Phone),
    ];
    let channels = kinds
        .into_iter()
        .flat_map(|(name, kind)| ask.all_said(name).map(move |address| Channel { kind, address }));
    let channels: Vec<Channel> = channels.collect();
    let name = ask.all_said("sender").next();
    match (name, channels.is_empty()) {
        (None, true) => Ok(None),
        (None, false) => {
            Err(Problem::bad_request("sender", "is missing: an address needs somebody's name"))
        }
        (Some(name), _) => Who { name, channels }.sender().map(Some),
    }
}

/// What a form names; each list has its parameter as often as it needs.
fn scope(ask: &Ask) -> Result<Scope, Problem> {
    let all = |name: &str| ask.all_said(name).collect::<Vec<String>>();
    let one = |name: &'static str| match &all(name)[..] {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        _ => Err(Problem::bad_request(name, "is there more than once")),
    };
    Ok(Scope {
        accounts: all("account"),
        assets: all("asset"),
        identifiers: all("identifier"),
        categories: all("category"),
        from: one("from")?,
        to: one("to")?,
    })
}
