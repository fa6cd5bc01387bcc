//! Sentences about asking and holding: letters, decisions, matters, holds, bases, releases.

use super::super::form::{Form, Meaning::Act, Scene, Step, Unclear, one};
use super::super::names::{Thing, expand, id};
use super::super::slot::Slots;
use super::{actor, exhibit, reason};
use crate::command::{Action, NewDemand, Reason, Triage};
use crate::demand::{Medium, Scope};
use crate::event::By;
use crate::id::{HoldId, MatterId};
use crate::party::Who;

pub(super) const FORMS: &[Form] = &[
    Form {
        pattern: "{sort=letter/order/request} from {sender:name} [{channels}] [to {entity:name}] \
                  [by {medium=email/post/portal/fax/word}] [as {instrument:name}] [for {names}] \
                  [identifier {identifier:names}] [in {silent=silence}] [{damaged=damaged}] {text}",
        example: "letter from \"Counsel for Megaupload\" <counsel@example.org> to \"Host B.V.\": \
                  \"Please keep all data of Megaupload\"",
        meaning: Act(letter),
    },
    Form {
        pattern: "{who} matches {demand:name} to {names}",
        example: "Ada matches D-1 to srv-1",
        meaning: Act(|scene, slots| {
            let demand = id(slots.name("demand"), "a demand like D-1")?;
            let scope = scope(scene, slots.names("names"))?;
            one(actor(scene, slots)?, Action::MatchDemand { demand, scope })
        }),
    },
    Form {
        pattern: "{who} corrects {demand:name} as having come by \
                  {medium=email/post/portal/fax/word} [{text}]",
        example: "Ada corrects D-1 as having come by post: \"The envelope is in the file.\"",
        meaning: Act(|scene, slots| {
            let demand = id(slots.name("demand"), "a demand like D-1")?;
            let (medium, reason) = (medium(slots), reason(slots));
            one(actor(scene, slots)?, Action::CorrectMedium { demand, medium, reason })
        }),
    },
    Form {
        pattern: "{who} accepts {demand:name} [in matter {matter:name}]",
        example: "Cora accepts D-1 in matter \"Megaupload\"",
        meaning: Act(|scene, slots| decide(scene, slots, Triage::Accept(matter(scene, slots)?))),
    },
    Form {
        pattern: "{who} asks to clarify {demand:name} {text}",
        example: "Ada asks to clarify D-1: \"Which of your accounts do you mean?\"",
        meaning: Act(|scene, slots| decide(scene, slots, Triage::Clarify)),
    },
    Form {
        pattern: "{who} refuses {demand:name} [{text}]",
        example: "Cora refuses D-1: \"We host nothing of this description.\"",
        meaning: Act(|scene, slots| decide(scene, slots, Triage::Refuse)),
    },
    Form {
        pattern: "{who} opens matter {title:name}",
        example: "Ada opens matter \"Megaupload\"",
        meaning: Act(|scene, slots| {
            let title = slots.name("title").to_owned();
            one(actor(scene, slots)?, Action::OpenMatter { title })
        }),
    },
    Form {
        pattern: "{who} closes matter {matter:name}",
        example: "Ada closes matter \"Megaupload\"",
        meaning: Act(|scene, slots| {
            let matter = scene.names.matter(slots.name("matter"))?;
            one(actor(scene, slots)?, Action::CloseMatter { matter })
        }),
    },
    Form {
        pattern: "{who} files a letter of {party:name} in matter {matter:name} {text}",
        example: "Ada files a letter of Registrar in matter \"Megaupload\": \
                  \"We offer to buy them.\"",
        meaning: Act(file),
    },
    Form {
        pattern: "{who} holds {names} as {instrument:name} [in matter {matter:name}] \
                  [in {silent=silence}] [{text}]",
        example: "Cora holds Megaupload as internal in matter \"Megaupload\"",
        meaning: Act(|scene, slots| {
            let scope = scope(scene, slots.names("names"))?;
            place(scene, slots, scope)
        }),
    },
    Form {
        pattern: "{who} holds identifier {identifier:names} as {instrument:name} \
                  [in matter {matter:name}] [{text}]",
        example: "Cora holds identifier WD-1234 as internal",
        meaning: Act(|scene, slots| {
            let identifiers = expand(slots.names("identifier"))?;
            place(scene, slots, Scope { identifiers, ..Scope::default() })
        }),
    },
    Form {
        pattern: "{who} adds basis {instrument:name} to {hold:name} [{text}]",
        example: "Cora adds basis civil-hold to H-1: \"Proceedings are announced.\"",
        meaning: Act(|scene, slots| {
            let hold = hold(slots)?;
            let instrument = slots.name("instrument").to_owned();
            let reason = reason(slots);
            one(actor(scene, slots)?, Action::AddBasis { hold, instrument, reason })
        }),
    },
    Form {
        pattern: "{who} extends basis {instrument:name} of {hold:name} [{text}]",
        example: "Cora extends basis epoc-pr of H-1: \"Form of Annex VI received.\"",
        meaning: Act(|scene, slots| {
            let (hold, basis) = basis(scene, slots)?;
            let reason = reason(slots);
            one(actor(scene, slots)?, Action::ExtendBasis { hold, basis, reason })
        }),
    },
    Form {
        pattern: "{who} ends basis {instrument:name} of {hold:name} [{text}]",
        example: "Cora ends basis epoc-pr of H-1: \"The authority took its order back.\"",
        meaning: Act(|scene, slots| {
            let (hold, basis) = basis(scene, slots)?;
            let reason = reason(slots);
            one(actor(scene, slots)?, Action::EndBasis { hold, basis, reason })
        }),
    },
    Form {
        pattern: "{who} lets a verified copy satisfy {hold:name} [{text}]",
        example: "Cora lets a verified copy satisfy H-1: \"Counsel agrees to a forensic image.\"",
        meaning: Act(|scene, slots| {
            let (hold, reason) = (hold(slots)?, reason(slots));
            one(actor(scene, slots)?, Action::AllowCopy { hold, reason })
        }),
    },
    Form {
        pattern: "{who} proposes to release {hold:name} [{text}]",
        example: "Ada proposes to release H-1: \"The dispute is settled.\"",
        meaning: Act(|scene, slots| {
            let (hold, reason) = (hold(slots)?, reason(slots));
            one(actor(scene, slots)?, Action::ProposeRelease { hold, reason })
        }),
    },
    Form {
        pattern: "{who} approves the release of {hold:name}",
        example: "Cora approves the release of H-1",
        meaning: Act(|scene, slots| {
            let hold = hold(slots)?;
            one(actor(scene, slots)?, Action::ApproveRelease { hold })
        }),
    },
];

fn letter(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let name = slots.name("sender").to_owned();
    let mut channels = slots.channels("channels");
    if channels.is_empty() {
        let known = scene.names.party(&name).ok().and_then(|id| scene.state.parties.get(id));
        channels = known.map(|party| party.channels().to_vec()).unwrap_or_default();
    }
    let entity = match slots.has("entity") {
        true => Some(scene.names.entity(slots.name("entity"))?),
        false => None,
    };
    let mut wanted = scope(scene, slots.names("names"))?;
    wanted.identifiers = expand(slots.names("identifier"))?;
    let text = slots.name("text").to_owned();
    let demand = NewDemand {
        from: Who { name, channels },
        entity,
        instrument: slots.has("instrument").then(|| slots.name("instrument").to_owned()),
        medium: medium(slots),
        scope: wanted,
        exhibits: vec![exhibit(slots.name("sort"), &text)],
        text,
        silent: slots.has("silent").then_some(true),
        damaged: slots.has("damaged"),
        unread: false,
        automatic: false,
    };
    one(By::System, Action::ReceiveDemand(demand))
}

fn medium(slots: &Slots) -> Medium {
    match slots.name("medium") {
        "post" => Medium::Post,
        "portal" => Medium::Portal,
        "word" => Medium::Oral,
        "fax" => Medium::Fax,
        _ => Medium::Email,
    }
}

/// Accounts and assets by name; an account goes before an asset of the same name.
fn scope(scene: &Scene<'_>, names: &[String]) -> Result<Scope, Unclear> {
    let mut scope = Scope::default();
    for name in expand(names)? {
        match scene.names.account(&name) {
            Ok(account) => scope.accounts.push(account),
            Err(_) => scope.assets.push(scene.names.asset(scene.state, &name).map_err(|_| {
                Unclear::new("an account or asset that is known", format!("{name:?}"))
            })?),
        }
    }
    Ok(scope)
}

fn hold(slots: &Slots) -> Result<HoldId, Unclear> {
    id(slots.name("hold"), "a hold like H-1")
}

fn matter(scene: &Scene<'_>, slots: &Slots) -> Result<Option<MatterId>, Unclear> {
    match slots.has("matter") {
        true => scene.names.matter(slots.name("matter")).map(Some),
        false => Ok(None),
    }
}

fn decide(scene: &Scene<'_>, slots: &Slots, triage: Triage) -> Result<Vec<Step>, Unclear> {
    let demand = id(slots.name("demand"), "a demand like D-1")?;
    let reason = reason(slots);
    one(actor(scene, slots)?, Action::DecideDemand { demand, triage, reason })
}

fn file(scene: &Scene<'_>, slots: &Slots) -> Result<Vec<Step>, Unclear> {
    let matter = scene.names.matter(slots.name("matter"))?;
    let from = scene.names.party(slots.name("party"))?;
    let exhibits = vec![exhibit("letter", slots.name("text"))];
    let reason = Reason { note: String::new(), exhibits };
    one(actor(scene, slots)?, Action::FileCorrespondence { matter, from, reason })
}

fn place(scene: &Scene<'_>, slots: &Slots, scope: Scope) -> Result<Vec<Step>, Unclear> {
    let instrument = slots.name("instrument").to_owned();
    let silent = slots.has("silent").then_some(true);
    let matter = matter(scene, slots)?;
    let reason = reason(slots);
    one(actor(scene, slots)?, Action::PlaceHold { scope, instrument, matter, silent, reason })
}

/// The last basis of the hold that rests on the instrument.
fn basis(scene: &Scene<'_>, slots: &Slots) -> Result<(HoldId, u8), Unclear> {
    let hold = hold(slots)?;
    let instrument = slots.name("instrument");
    let n = last_basis(scene, Thing::Hold(hold), instrument)?;
    let n = u8::try_from(n).map_err(|_| Unclear::new("at most 255 bases", n.to_string()))?;
    Ok((hold, n))
}

pub(super) fn last_basis(
    scene: &Scene<'_>,
    thing: Thing,
    instrument: &str,
) -> Result<usize, Unclear> {
    let Thing::Hold(id) = thing else {
        return Err(Unclear::new("a hold like H-1", "something else"));
    };
    let bases = scene.state.holds.get(id).map_or(&[][..], |hold| &hold.bases);
    bases.iter().rposition(|basis| basis.instrument == instrument).ok_or_else(|| {
        let known: Vec<&str> = bases.iter().map(|basis| basis.instrument.as_str()).collect();
        Unclear::new(format!("a basis {instrument} of {id}"), format!("it has {known:?}"))
    })
}
