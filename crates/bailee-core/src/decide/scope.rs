//! Scopes: what a letter, a form or a command means of what is here.
//!
//! Invariants (rules 1, 3): whatever names something of ours means it: an id, a label, a hard
//! identifier, an owner. What cannot be read means the widest that is plausible. What names nothing
//! yet is wanted, and means whatever comes to be called so (`late.rs`).

use super::answer;
use super::ids::Ids;
use crate::asset::normal;
use crate::command::NewDemand;
use crate::coverage;
use crate::demand::{Flag, Scope};
use crate::id::PartyId;
use crate::matching;
use crate::owner;
use crate::range::Ranges;
use crate::refusal::{Code, Refusal};
use crate::state::State;

/// A letter's text, read once.
pub(super) struct Letter {
    pub(super) words: String,
    pub(super) ids: Ids,
    ranges: Ranges,
}

impl Letter {
    pub(super) fn read(s: &State, text: &str) -> Letter {
        let (words, ids) = (matching::letter(text), Ids::read([text]));
        Letter { words, ids, ranges: Ranges::read(s, [text]) }
    }

    /// What it is filed under, so that it means what comes to be called so: its words, and the
    /// names in its ranges one by one.
    pub(super) fn filed(&self) -> String {
        [&*self.words, &self.ranges.written_out].concat()
    }

    /// Whether there may be more in it than was read.
    fn is_uncertain(&self) -> bool {
        let cut = self.words.len() >= matching::LONGEST_LETTER - 4;
        cut || self.ids.cut || self.ranges.uncertain
    }
}

/// What the demand means here. A form that names what is not there counts as one that cannot be
/// read: a slip of the pen must not let go. If it names nothing that is known, the sender's own
/// accounts are the widest plausible scope; if it has none, the demand is unmatched.
pub(super) fn read_scope(
    s: &State,
    new: &NewDemand,
    from: PartyId,
    letter: &Letter,
    flags: &mut Vec<Flag>,
) -> Scope {
    let (mut scope, form) = understood(s, &new.scope);
    scope.widen(&matching::named(s, &letter.words));
    scope.widen(&answer::named(s, &letter.ids, from));
    let unknown = names_something(s, &new.scope).is_err();
    scope.widen(&letter.ranges.scope);
    if answer::probes(s, &letter.ids, from) {
        let accounts = owner::accounts(s, from);
        scope.widen(&Scope { accounts, ..Scope::default() });
        flags.push(Flag::ScopeUnreadable);
    }
    let unreadable =
        letter.is_uncertain() || form == Form::Uncertain || new.damaged || new.unread || unknown;
    if unreadable || scope.matches_nothing() {
        let accounts_before = scope.accounts.len();
        widen_to_accounts(s, &mut scope, from);
        let wider = unreadable || scope.accounts.len() > accounts_before;
        if wider && !flags.contains(&Flag::ScopeUnreadable) {
            flags.push(Flag::ScopeUnreadable);
        }
    }
    if scope.matches_nothing() {
        flags.push(Flag::Unmatched);
    }
    scope
}

/// Freezes the accounts of everything named, and those of the sender, by whichever login.
fn widen_to_accounts(s: &State, scope: &mut Scope, from: PartyId) {
    let named = scope.assets.iter().flat_map(|asset| coverage::accounts(s, *asset).into_keys());
    let accounts = named.chain(owner::accounts(s, from)).collect();
    scope.widen(&Scope { accounts, ..Scope::default() });
}

/// Refuses, by its name, what somebody who can say it again names and nothing can be: a free id, an
/// identifier too short to be anybody's. A demand is never refused for it (`read_scope`).
pub fn names_something(s: &State, scope: &Scope) -> Result<(), Refusal> {
    if let Some(account) = scope.accounts.iter().find(|id| s.accounts.get(**id).is_none()) {
        return Err(Refusal::not_found(account));
    }
    if let Some(asset) = scope.assets.iter().find(|id| s.assets.get(**id).is_none()) {
        return Err(Refusal::not_found(asset));
    }
    if scope.from.zip(scope.to).is_some_and(|(from, to)| from > to) {
        return Err(Refusal::new(Code::BadValue, "the time range", "ends before it begins"));
    }
    match scope.identifiers.iter().find(|value| normal(value).len() < matching::SHORTEST_LABEL) {
        None => Ok(()),
        Some(value) => {
            let text = "has fewer than three letters and digits, and would never match anything";
            let refusal = Refusal::new(Code::BadValue, format!("identifier {value:?}"), text);
            Err(refusal.with_change(
                "correct the value; what has an id here, such as A-1 or AC-1, is named by that id",
            ))
        }
    }
}

/// Keeps what exists. An identifier is also wanted from now on, whatever it is the name of today:
/// a label or identifier of something that is here, or all accounts of whose name it is. Another
/// thing may come to have it.
pub(super) fn resolve(s: &State, asked: &Scope) -> Scope {
    understood(s, asked).0
}

/// Whether all that a form says was read for certain.
#[derive(PartialEq, Eq)]
enum Form {
    Certain,
    Uncertain,
}

fn understood(s: &State, asked: &Scope) -> (Scope, Form) {
    let mut scope = Scope {
        categories: asked.categories.clone(),
        from: asked.from,
        to: asked.to,
        ..Scope::default()
    };
    let accounts = asked.accounts.iter().copied().filter(|id| s.accounts.get(*id).is_some());
    let assets = asked.assets.iter().copied().filter(|id| s.assets.get(*id).is_some());
    let forms = asked.identifiers.iter().map(|value| normal(value));
    let mut identifiers: Vec<String> = forms.filter(|form| !form.is_empty()).collect();
    let (accounts, assets) = (accounts.collect(), assets.collect());
    scope.widen(&Scope { accounts, assets, ..Scope::default() });
    for form in &identifiers {
        scope.widen(&matching::called(s, form));
    }
    let values = || asked.identifiers.iter().map(String::as_str);
    let (ranges, ids) = (Ranges::read(s, values()), Ids::read(values()));
    scope.widen(&ranges.scope);
    scope.widen(&answer::things(s, &ids));
    let names = ranges.names().map(normal);
    identifiers.extend(names.filter(|form| form.len() >= matching::SHORTEST_LABEL));
    scope.widen(&Scope { identifiers, ..Scope::default() });
    let certain = !ranges.uncertain && !ids.cut;
    (scope, if certain { Form::Certain } else { Form::Uncertain })
}
