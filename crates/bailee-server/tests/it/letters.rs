//! What leaves: receipts that a person has to hand over, decisions with their reasons, proposals
//! that say what becomes of the data.

use std::path::Path;

use bailee_core::asset::{Identifier, IdentifierKind};
use bailee_core::demand::Scope;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::{
    AccountId, AssetId, DemandId, DispositionId, HoldId, NoticeId, ObjectionId, PartyId,
};
use bailee_core::party::Role;
use bailee_core::{Action, By, Reason, Triage};
use bailee_post::Letter;
use bailee_server::intake::{self, Cover};
use bailee_server::{House, api, keeping};
use bailee_store::{Exhibit, digest};
use bailee_vault::{Source, Unchanged};
use serde_json::json;

use crate::common::{
    People, because, demand, drive, letter_with, on_disk, party, people, register_account, take,
    verified, yes,
};

const ASKED: &str = "Keep everything of otto store, drive 1.\r\n";

/// A house with a drive of Otto's, and a demand of a requester over it.
struct Stage {
    house: House,
    people: People,
    owner: PartyId,
    dir: tempfile::TempDir,
}

fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(&dir.path().join("house"));
    let people = people(&house);
    register_account(&house, &people);
    let serial = Identifier { kind: IdentifierKind::Serial, value: "SN-0001".into() };
    let identity = Identifier { kind: IdentifierKind::Identity, value: "5a".repeat(32) };
    let drive = drive(1, vec![AccountId(1)], vec![serial, identity]);
    yes(&house, people.ada, Action::RegisterAsset(drive));
    let owner = house.with_state(|s| s.party_at("otto@people.example")).unwrap().unwrap();
    Stage { house, people, owner, dir }
}

impl Stage {
    fn asked(&self) -> DemandId {
        demand(take(&self.house, &letter_with(1, ASKED)).unwrap()).0
    }

    fn decide(&self, by: PartyId, demand: DemandId, triage: Triage, note: &str) {
        let reason = Reason { note: note.into(), exhibits: Vec::new() };
        yes(&self.house, by, Action::DecideDemand { demand, triage, reason });
    }

    fn propose(&self, kind: DispositionKind, asset: AssetId, to: Option<PartyId>) -> DispositionId {
        let id = self.house.with_state(|s| s.dispositions.next()).unwrap();
        let (assets, reason) = (vec![asset], because());
        yes(&self.house, self.people.ada, Action::ProposeDisposition { kind, assets, to, reason });
        id
    }

    /// The notice of a disposition to a party, as it left.
    fn told(&self, disposition: DispositionId, to: PartyId) -> Letter {
        assert!(self.house.settle().is_empty());
        let notice = self.house.with_state(|s| {
            let notices = s.dispositions.get(disposition).unwrap().notices.clone();
            notices.into_iter().find(|id| s.notices.get(*id).unwrap().to == to).unwrap()
        });
        self.notice(notice.unwrap())
    }

    fn notice(&self, id: NoticeId) -> Letter {
        self.letter(&format!("notice-{id}-0"))
    }

    fn letter(&self, key: &str) -> Letter {
        assert!(self.house.settle().is_empty());
        sent(&self.dir.path().join("house"), key)
    }

    fn operations(&self) -> String {
        self.house.config().operations.clone()
    }
}

fn sent(house: &Path, key: &str) -> Letter {
    let path = house.join(format!("outbox/{key}.eml"));
    let raw = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Letter::read(&raw)
}

fn to(letter: &Letter) -> &str {
    &letter.to[0].email
}

#[test]
fn a_letter_by_a_program_has_its_receipt_handed_over_by_a_person() {
    let stage = stage();
    let plain = letter_with(1, ASKED);
    stage.asked();
    assert_eq!(to(&stage.letter("receipt-D-1")), "requester-1@law.example");
    let heads = ["Auto-Submitted: auto-generated", "Precedence: bulk", "Precedence: list"];
    for (n, head) in heads.into_iter().enumerate() {
        let text = String::from_utf8(plain.clone()).unwrap();
        let raw = format!("{head}\r\n{}", text.replace("requester-1@", &format!("robot-{n}@")));
        let (id, _) = demand(take(&stage.house, raw.as_bytes()).unwrap());
        let receipt = stage.letter(&format!("receipt-{id}"));
        assert_eq!(to(&receipt), stage.operations(), "{head}");
        assert!(receipt.text.contains("hand over"), "{}", receipt.text);
        assert!(receipt.text.contains(&format!("robot-{n}@law.example")), "{}", receipt.text);
        verified(&stage.house, &receipt.attachments[0].bytes);
        let receipted = stage.house.with_state(|s| s.demands.get(id).unwrap().receipted).unwrap();
        assert!(receipted);
    }
}

#[test]
fn a_question_and_a_refusal_go_to_the_sender_word_for_word() {
    let stage = stage();
    let id = stage.asked();
    stage.decide(stage.people.ada, id, Triage::Clarify, "Which of your accounts do you mean?");
    let paper = b"%PDF-1.7 the long reasons".to_vec();
    let named = bailee_core::demand::Exhibit {
        digest: digest(&paper),
        size: paper.len() as u64,
        media: "application/pdf".into(),
        name: "reasons.pdf".into(),
    };
    let reason = Reason { note: "No such duty exists.".into(), exhibits: vec![named] };
    let triage = Triage::Refuse;
    let action = Action::DecideDemand { demand: id, triage, reason };
    let exhibit = Exhibit { digest: digest(&paper), bytes: paper.clone() };
    let by = By::Party(stage.people.cora);
    stage.house.submit(bailee_core::Command { by, action }, vec![exhibit]).unwrap();

    // Both leave only now: each tells of its own decision.
    let question = stage.notice(NoticeId(1));
    assert_eq!(to(&question), "requester-1@law.example");
    assert!(question.text.contains("not clear to us"), "{}", question.text);
    assert!(question.text.contains("Which of your accounts do you mean?"), "{}", question.text);
    let refusal = stage.notice(NoticeId(2));
    assert_eq!(to(&refusal), "requester-1@law.example");
    for words in ["D-1 is refused", "No such duty exists.", "stays frozen until"] {
        assert!(refusal.text.contains(words), "{words}: {}", refusal.text);
    }
    assert_eq!(refusal.attachments[0].bytes, paper);
    assert_eq!(refusal.attachments[0].name.as_deref(), Some("reasons.pdf"));
}

#[test]
fn reasons_that_tell_of_others_or_of_a_silent_hold_are_in_no_letter() {
    let stage = stage();
    let silent = Cover { silent: Some(true), ..Cover::default() };
    let raw = letter_with(9, ASKED);
    demand(intake::take(&stage.house, raw, silent, By::System).unwrap());
    let telling = [
        "H-1 covers it already.",
        "Requester 9 has asked for the same.",
        "See d-1.",
        "Write to requester-9@law.example",
        "otto store is not yours.",
    ];
    for (n, note) in telling.into_iter().enumerate() {
        let letter = letter_with(20 + n, "Keep the films.\r\n");
        let (id, _) = demand(take(&stage.house, &letter).unwrap());
        let notice = stage.house.with_state(|s| s.notices.next()).unwrap();
        stage.decide(stage.people.cora, id, Triage::Refuse, note);
        let refusal = stage.notice(notice);
        assert_eq!(to(&refusal), stage.operations(), "{note}");
        assert!(!refusal.text.contains(note), "{}", refusal.text);
        assert!(refusal.text.contains("add reasons written for its reader"), "{}", refusal.text);
        assert!(refusal.text.contains(&format!("requester-{}@law.example", 20 + n)));
    }
    // The note of an acceptance is the house's own.
    let id = stage.asked();
    let notice = stage.house.with_state(|s| s.notices.next()).unwrap();
    stage.decide(stage.people.ada, id, Triage::Accept(None), "Looks plausible to me.");
    let accepted = stage.notice(notice);
    assert_eq!(to(&accepted), "requester-1@law.example");
    assert!(accepted.text.contains("accepted") && !accepted.text.contains("plausible"));
}

#[test]
fn who_objected_is_told_the_decision_and_why() {
    let stage = stage();
    let disposition = stage.propose(DispositionKind::Sanitize, AssetId(1), None);
    for (n, upheld) in [(1, false), (2, true)] {
        let (by, reason) = (stage.owner, because());
        yes(&stage.house, stage.owner, Action::FileObjection { disposition, by, reason });
        let notice = stage.house.with_state(|s| s.notices.next()).unwrap();
        let reason = Reason { note: format!("Reason {n}: drive 1 is empty."), exhibits: vec![] };
        let objection = ObjectionId(n);
        let decide = Action::DecideObjection { objection, upheld, reason };
        yes(&stage.house, stage.people.cora, decide);
        let told = stage.notice(notice);
        assert_eq!(to(&told), "otto@people.example");
        let word = if upheld { "upheld" } else { "dismissed" };
        for words in [&format!("O-{n} against X-1 is {word}"), &format!("Reason {n}: drive 1")] {
            assert!(told.text.contains(words.as_str()), "{words}: {}", told.text);
        }
    }
}

#[test]
fn a_proposal_says_what_becomes_of_the_data_and_nothing_of_a_copy_that_is_not_known() {
    let stage = stage();
    stage.asked();
    let requester =
        stage.house.with_state(|s| s.party_at("requester-1@law.example")).unwrap().unwrap();
    let wipe = stage.propose(DispositionKind::Sanitize, AssetId(1), None);
    for reader in [stage.owner, requester] {
        let told = stage.told(wipe, reader);
        assert!(told.text.contains("is to be wiped"), "{}", told.text);
    }
    let back = stage.propose(DispositionKind::Return, AssetId(1), Some(stage.owner));
    assert!(stage.told(back, stage.owner).text.contains("returned to you"));
    let told = stage.told(back, requester);
    assert!(told.text.contains("returned to its owner") && !told.text.contains("Otto"));

    let tree = stage.dir.path().join("files");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("film"), b"a film").unwrap();
    let (source, by) = (Source::Tree(tree), stage.people.ada);
    let kept =
        keeping::preserve(&stage.house, AssetId(1), source, Unchanged::Skip, by, &mut ()).unwrap();
    for (kind, word) in [(DispositionKind::Expire, "expired"), (DispositionKind::Erase, "erased")] {
        let gone = stage.propose(kind, kept.asset, None);
        let told = stage.told(gone, requester);
        assert!(told.text.contains(word), "{}", told.text);
        let told = stage.told(gone, stage.owner).text;
        assert!(told.contains("is to be destroyed"), "{told}");
        let telling = ["copy", "copies", "preserved", "expire", "erase", "key", "snapshot"];
        assert!(telling.iter().all(|word| !told.contains(word)), "{told}");
    }
}

#[test]
fn a_proposal_names_the_transferee_until_that_one_is_erased() {
    let stage = stage();
    let tess = party(&stage.house, "Tess Taker", Role::Transferee);
    let sale = stage.propose(DispositionKind::Transfer, AssetId(1), Some(tess));
    let told = stage.told(sale, stage.owner);
    assert!(told.text.contains("transferred to Tess Taker"), "{}", told.text);
    let reason = because();
    yes(&stage.house, stage.people.ada, Action::CancelDisposition { disposition: sale, reason });
    yes(&stage.house, stage.people.cora, Action::EraseDetails { party: tess });
    assert!(stage.house.settle().is_empty());
    let outbox = stage.dir.path().join("house/outbox");
    for entry in std::fs::read_dir(outbox).unwrap() {
        let letter = Letter::read(&std::fs::read(entry.unwrap().path()).unwrap());
        assert!(!letter.text.contains("Tess"), "{}", letter.text);
    }
    assert!(stage.house.with_state(|s| s.holds.get(HoldId(1)).is_none()).unwrap());
}

/// The lines of a letter as one, however its mail wrapped them.
fn flat(letter: &Letter) -> String {
    letter.text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_letter_says_who_wrote_it_and_a_proposal_how_to_object_and_until_when() {
    let stage = stage();
    let demand = stage.asked();
    let contact = stage.house.config().mail_from.clone();
    let name = stage.house.with_state(|s| s.entities.iter().next().unwrap().1.name.clone());
    let signed = format!("{} (NL) Log: {}", name.unwrap(), stage.house.config().origin);
    let receipt = flat(&stage.letter("receipt-D-1"));
    assert!(receipt.contains(&signed), "{receipt}");
    assert!(receipt.contains(&format!("Answers: {contact}, naming D-1")), "{receipt}");

    let notice = stage.house.with_state(|s| s.notices.next()).unwrap();
    stage.decide(stage.people.cora, demand, Triage::Refuse, "No such duty exists.");
    let refusal = flat(&stage.notice(notice));
    assert!(refusal.contains(&signed), "{refusal}");
    let answers = format!("Answers: {contact}, naming {notice} (D-1)");
    assert!(refusal.contains(&answers), "{refusal}");

    let gone = stage.propose(DispositionKind::Sanitize, AssetId(1), None);
    let told = flat(&stage.told(gone, stage.owner));
    assert!(told.contains(&signed), "{told}");
    let days = stage.house.with_state(|s| s.policy.waiting_days).unwrap();
    let how = format!("reply to this letter or write to {contact}, naming N-2 ({gone})");
    assert!(told.contains(&how), "{told}");
    assert!(told.contains(&format!("You have {days} days at least from its delivery")), "{told}");
}

#[test]
fn an_entity_is_named_to_those_who_deal_with_it_and_has_its_own_address() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("house");
    drop(on_disk(&path));
    let file = path.join("bailee.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    let own = "[entities]\n\"us@host.example\" = \"E-2\"\n";
    std::fs::write(&file, settings.replace("[entities]\n", own)).unwrap();
    let house = House::open(&path, bailee_server::Clock::Wall).unwrap();
    let people = people(&house);
    register_account(&house, &people);
    let entity = Action::RegisterEntity { name: "Host Inc.".into(), country: "US".into() };
    yes(&house, people.ada, entity);

    let raw = String::from_utf8(letter_with(1, ASKED)).unwrap();
    let head = raw.find("To: ").unwrap();
    let end = head + raw[head..].find("\r\n").unwrap();
    let to_us = format!("{}To: us@host.example{}", &raw[..head], &raw[end..]);
    demand(take(&house, to_us.as_bytes()).unwrap());
    demand(take(&house, &letter_with(2, ASKED)).unwrap());
    assert!(house.settle().is_empty());

    let to_one = sent(&path, "receipt-D-1");
    assert!(flat(&to_one).contains("Host Inc. (US)"), "{}", to_one.text);
    assert!(flat(&to_one).contains("Answers: us@host.example, naming D-1"), "{}", to_one.text);
    let raw = std::fs::read_to_string(path.join("outbox/receipt-D-1.eml")).unwrap();
    assert!(raw.contains("Reply-To: <us@host.example>"), "{raw}");
    // Whose data it is, is nobody's to learn from a letter.
    let to_none = sent(&path, "receipt-D-2");
    assert!(!to_none.text.contains("Host"), "{}", to_none.text);
    assert!(to_none.text.contains(&house.config().mail_from), "{}", to_none.text);

    let (kind, assets, reason) = (DispositionKind::Sanitize, vec![AssetId(1)], because());
    yes(&house, people.ada, Action::RegisterAsset(drive(1, vec![AccountId(1)], Vec::new())));
    let propose = Action::ProposeDisposition { kind, assets, to: None, reason };
    yes(&house, people.ada, propose);
    let owner = house.with_state(|s| s.party_at("otto@people.example")).unwrap().unwrap();
    assert!(house.settle().is_empty());
    let notices = house.with_state(|s| {
        let all = s.notices.iter().filter(|(_, notice)| notice.to == owner);
        all.map(|(id, _)| id).collect::<Vec<_>>()
    });
    let told = sent(&path, &format!("notice-{}-0", notices.unwrap()[0]));
    let text = flat(&told);
    assert!(!text.contains("Host Inc.") && text.contains("(NL)"), "{text}");
}

#[test]
fn a_transferee_is_told_each_hold_that_comes_along_and_the_owner_none_that_is_silent() {
    let stage = stage();
    let (ada, house) = (stage.people.ada, &stage.house);
    let tess = party(house, "Tess Taker", Role::Transferee);
    for silent in [None, Some(true)] {
        let scope = Scope { assets: vec![AssetId(1)], ..Scope::default() };
        let instrument = "letter".into();
        let reason = because();
        yes(house, ada, Action::PlaceHold { scope, instrument, matter: None, silent, reason });
    }
    let sale = stage.propose(DispositionKind::Transfer, AssetId(1), Some(tess));
    let told = stage.told(sale, tess);
    assert_eq!(to(&told), "tess.taker@people.example");
    let holds: Vec<&str> = told.text.lines().filter(|line| line.starts_with("H-")).collect();
    assert_eq!(holds, ["H-1", "H-2"], "{}", told.text);
    assert!(told.text.contains("A-1  ") && told.text.contains("accept-hold X-1"), "{}", told.text);
    assert!(!told.text.contains("silent"), "{}", told.text);
    let mine = |who| api::mine(house, who).unwrap()["transfers"].take();
    let shown = mine(tess);
    assert_eq!(
        (&shown[0]["disposition"], &shown[0]["holds"]),
        (&"X-1".into(), &json!(["H-1", "H-2"]))
    );
    assert_eq!(mine(stage.owner), json!([]));
    assert!(!stage.told(sale, stage.owner).text.contains("H-"), "the owner's letter names no hold");
    yes(house, tess, Action::AcceptHold { disposition: sale, hold: HoldId(2) });
    assert_eq!(mine(tess)[0]["accepted"], json!(["H-2"]));
}

#[test]
fn a_hold_that_comes_after_the_notice_of_a_transfer_gets_a_notice_of_its_own() {
    let stage = stage();
    let (ada, house) = (stage.people.ada, &stage.house);
    let tess = party(house, "Tess Taker", Role::Transferee);
    let sale = stage.propose(DispositionKind::Transfer, AssetId(1), Some(tess));
    let first = stage.told(sale, tess);
    assert!(first.text.contains("No hold comes with it"), "{}", first.text);
    let demand = stage.asked();
    let not_told = || api::show(house, "X-1").unwrap()["not_told"].take();
    let asked = house.with_state(|s| s.demands.get(demand).unwrap().from).unwrap();
    assert_eq!(not_told(), json!([tess.to_string(), asked.to_string()]));
    let page = stage.letter("page-Y-1");
    assert!(page.text.contains("bailee disposition notify X-1"), "{}", page.text);
    let notices = house.with_state(|s| s.notices.next()).unwrap();
    yes(house, ada, Action::QueueNotices { disposition: sale });
    assert_eq!(not_told(), json!([]));
    let second = stage.notice(notices);
    assert_eq!(to(&second), "tess.taker@people.example");
    assert!(second.text.contains("takes the place of N-2"), "{}", second.text);
    assert!(second.text.lines().any(|line| line == "H-1"), "{}", second.text);
    let other = stage.told(sale, asked);
    assert!(
        !other.text.contains("takes the place") && !other.text.contains("H-1"),
        "{}",
        other.text
    );
}
