//! Answers: a letter that names one of our ids means what has that id here; one that names a
//! notice, or the proposal it tells of, is about the data that is to go.
//!
//! Why: each notice says how to object: by a letter that names `N-3 (X-1)`, and each decision how
//! to ask on, naming `D-1`. Whoever does so names no server of ours, and may not know one.
//!
//! Invariants (rules 1, 6): what is to go under a proposal that is still open is frozen by the
//! letter that names it, whoever wrote that; if the writer is owed a notice of it, the letter is an
//! objection too, in the same append. A machine's answer freezes, and objects to nothing. Nobody
//! sees in what becomes of such a letter whether something secret has the id that it names.

use std::collections::BTreeSet;

use super::ids::Ids;
use super::{disposition, owed};
use crate::asset::AssetKind;
use crate::command::NewDemand;
use crate::custody;
use crate::demand::{Papers, Scope};
use crate::disposition::Disposition;
use crate::event::{Event, Fact};
use crate::id::{
    AccountId, AssetId, DemandId, DispositionId, HoldId, Id, NoticeId, ObjectionId, PartyId,
};
use crate::matching;
use crate::notice::About;
use crate::owner;
use crate::party::person;
use crate::state::State;
use crate::table::Table;

/// Open proposals that the text names, by their own ids or by those of notices of them.
pub(super) fn answered(s: &State, ids: &Ids) -> Vec<DispositionId> {
    let named = ids.iter().filter_map(|(kind, number)| proposal(s, kind, number));
    let open: BTreeSet<_> = named.filter(|id| disposition::open(s, *id).is_ok()).collect();
    open.into_iter().collect()
}

/// The proposal that an id is of, or is about.
fn proposal(s: &State, kind: &str, number: u32) -> Option<DispositionId> {
    let objected_to = |id| s.objections.get(id).map(|found| found.disposition);
    match kind {
        "x" => known(&s.dispositions, number),
        "o" => objected_to(ObjectionId::nth(number)),
        "n" => match s.notices.get(NoticeId::nth(number))?.about {
            About::Disposition(id) => Some(id),
            About::Objection(id) => objected_to(id),
            About::Decision(_) => None,
        },
        _ => None,
    }
}

/// True of a letter that may answer one of ours, by the text alone: whether what it names is there,
/// and is secret, must not show in what becomes of it (rule 9). Who answers may have asked in
/// secret, so its hold is silent until a person decides otherwise; not an owner's, who asks for its
/// own.
pub(super) fn is_in_confidence(s: &State, ids: &Ids, from: PartyId) -> bool {
    let ours = |kind| matches!(kind, "d" | "h" | "n" | "o" | "x");
    ids.iter().any(|(kind, _)| ours(kind)) && owner::accounts(s, from).is_empty()
}

/// True if an owner names an id of which nothing that they are shown tells what it is of. It means
/// their own accounts, too: if what is secret, or nothing, froze them, and what is another's did
/// not, that would tell which it is (rule 9).
pub(super) fn probes(s: &State, ids: &Ids, from: PartyId) -> bool {
    let accounts = owner::accounts(s, from);
    let human = person(&s.parties, from);
    let theirs = |party: PartyId| person(&s.parties, party) == human;
    let asked = |id: DemandId| s.demands.get(id).is_some_and(|found| theirs(found.from));
    let owed = |id: DispositionId| {
        s.dispositions.get(id).is_some_and(|found| owed_one(s, found, from).is_some())
    };
    let knows = |kind: &str, number: u32| match kind {
        "ac" => accounts.contains(&AccountId::nth(number)),
        "a" => s.assets.get(AssetId::nth(number)).is_some_and(|asset| {
            let own = asset.accounts.iter().any(|id| accounts.contains(id));
            own && asset.kind != AssetKind::Snapshot
        }),
        "d" => asked(DemandId::nth(number)),
        "h" => s
            .holds
            .get(HoldId::nth(number))
            .is_some_and(|hold| hold.demands.iter().copied().any(asked)),
        "n" => s.notices.get(NoticeId::nth(number)).is_some_and(|notice| theirs(notice.to)),
        "o" => s.objections.get(ObjectionId::nth(number)).is_some_and(|found| theirs(found.by)),
        "x" => owed(DispositionId::nth(number)),
        _ => false,
    };
    !accounts.is_empty() && ids.iter().any(|(kind, number)| !knows(kind, number))
}

/// What the text names by ids of ours, as our own letters have them: accounts and assets, and what
/// a demand or hold reaches, by its own id or that of the notice of its decision. A silent hold
/// only to who asked for it: to anybody else it is not there (rule 9).
pub(super) fn named(s: &State, ids: &Ids, from: PartyId) -> Scope {
    let mut scope = Scope::default();
    let (mut holds, mut proposed) = (Vec::new(), Vec::new());
    for (kind, number) in ids.iter() {
        match kind {
            "h" => holds.extend(known(&s.holds, number)),
            "d" => holds.extend(s.demands.get(DemandId::nth(number)).map(|found| found.hold)),
            "n" => holds.extend(decided_by(s, NoticeId::nth(number))),
            _ => {}
        }
        proposed.extend(proposal(s, kind, number));
    }
    scope.widen(&things(s, ids));
    // One that was taken back may have been proposed again under another number.
    scope.widen(&going(s, &proposed));
    let human = person(&s.parties, from);
    let asked = |id: &DemandId| {
        s.demands.get(*id).is_some_and(|found| person(&s.parties, found.from) == human)
    };
    let found = holds.into_iter().filter_map(|id| s.holds.get(id));
    for hold in found.filter(|hold| !hold.silent || hold.demands.iter().any(asked)) {
        let Scope { accounts, assets, identifiers, .. } = hold.scope.clone();
        scope.widen(&Scope { accounts, assets, identifiers, ..Scope::default() });
    }
    scope
}

/// Accounts and assets that the text names by their ids.
pub(super) fn things(s: &State, ids: &Ids) -> Scope {
    let (mut scope, mut found) = (Scope::default(), Scope::default());
    for (kind, number) in ids.iter() {
        match kind {
            "a" => found.assets.extend(known(&s.assets, number)),
            "ac" => found.accounts.extend(known(&s.accounts, number)),
            _ => {}
        }
    }
    scope.widen(&found);
    scope
}

fn known<I: Id, T>(table: &Table<I, T>, number: u32) -> Option<I> {
    Some(I::nth(number)).filter(|id| table.get(*id).is_some())
}

/// The hold of the demand that a notice tells the decision on.
fn decided_by(s: &State, id: NoticeId) -> Option<HoldId> {
    match s.notices.get(id)?.about {
        About::Decision(demand) => s.demands.get(demand).map(|found| found.hold),
        About::Disposition(_) | About::Objection(_) => None,
    }
}

/// What is to go under these.
pub(super) fn going(s: &State, answered: &[DispositionId]) -> Scope {
    let found = answered.iter().filter_map(|id| s.dispositions.get(*id));
    let assets = found.flat_map(|found| custody::going(s, found.kind, &found.assets)).collect();
    let mut scope = Scope::default();
    scope.widen(&Scope { assets, ..Scope::default() });
    scope
}

/// The objections that the letter is: of a sender who is owed a notice, by one login or another.
pub(super) fn objections(
    s: &State,
    answered: &[DispositionId],
    new: &NewDemand,
    from: PartyId,
) -> Vec<Fact> {
    let mut facts = Vec::new();
    if answered.is_empty() || new.automatic || s.parties.get(from).is_none() {
        return facts;
    }
    for id in answered {
        let Some(found) = s.dispositions.get(*id) else { continue };
        let Some(by) = owed_one(s, found, from) else { continue };
        let objection = s.objections.next_after(facts.len());
        let papers = Papers { exhibits: new.exhibits.clone(), ..Papers::default() };
        let event = Event::ObjectionFiled { objection, disposition: *id, by };
        facts.push(Fact::of(event).with_papers(papers));
    }
    facts
}

/// The login of the person that is owed a notice of it, and not for a silent hold only: numbers of
/// objections are the whole house's, and would tell who forges its address. A person files that
/// one, as the page says.
fn owed_one(s: &State, found: &Disposition, from: PartyId) -> Option<PartyId> {
    let owed = owed::owed_openly(s, found);
    if owed.contains(&from) {
        return Some(from);
    }
    let human = person(&s.parties, from);
    owed.into_iter().find(|party| person(&s.parties, *party) == human)
}

/// What a demand answers, as far as its letter tells: for whoever has to decide on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The proposal, which is still open.
    pub disposition: DispositionId,
    /// The notice of it to the sender, if there is one.
    pub notice: Option<NoticeId>,
    /// An objection of the sender's that nobody has decided.
    pub objection: Option<ObjectionId>,
}

/// Open proposals that the demand's letter names and whose assets its hold has.
pub fn answers(s: &State, demand: DemandId) -> Vec<Answered> {
    let Some(found) = s.demands.get(demand) else { return Vec::new() };
    let (Some(hold), Some(papers)) = (s.holds.get(found.hold), &found.papers) else {
        return Vec::new();
    };
    let named = |words: String| matching::contains(&papers.words, &words);
    let sender = |party: PartyId| person(&s.parties, party) == person(&s.parties, found.from);
    let mut all = Vec::new();
    for (disposition, open) in s.dispositions.iter() {
        let held = disposition::open(s, disposition).is_ok()
            && going(s, &[disposition]).assets.iter().all(|id| hold.scope.assets.contains(id));
        let by_notice = |id: &NoticeId| named(format!("n {}", id.number()));
        let said = || named(format!("x {}", disposition.number()));
        if !held || !said() && !open.notices.iter().any(by_notice) {
            continue;
        }
        let to = |id: &NoticeId| s.notices.get(*id).is_some_and(|notice| sender(notice.to));
        let undecided = |id: &ObjectionId| {
            s.objections.get(*id).is_some_and(|one| sender(one.by) && one.upheld.is_none())
        };
        all.push(Answered {
            disposition,
            notice: open.notices.iter().copied().find(to),
            objection: open.objections.iter().copied().rfind(undecided),
        });
    }
    all
}
