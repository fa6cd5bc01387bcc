//! Pages to operations: a person can act on one without knowing the program's insides.

use bailee_core::id::{DemandId, DutyId};
use bailee_core::{Action, Reason, Triage};
use bailee_post::Letter;
use bailee_server::House;

use crate::common::{demand, letter_with, on_disk, people, register_account, take, yes};

fn page(house: &House, duty: DutyId) -> Letter {
    assert!(house.settle().is_empty());
    let path = house.dir().unwrap().join(format!("outbox/page-{duty}.eml"));
    Letter::read(&std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

#[test]
fn a_page_says_what_is_frozen_and_what_to_type_and_names_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(&dir.path().join("house"));
    let people = people(&house);
    register_account(&house, &people);
    take(&house, &letter_with(1, "Keep everything of account otto store.\r\n")).unwrap();
    let told = page(&house, DutyId(1));
    assert_eq!(told.subject, "Y-1: decide on D-1");
    for words in [
        "Frozen by its hold H-1: AC-1.",
        "bailee demand accept D-1",
        "bailee demand clarify D-1",
        "bailee demand refuse D-1",
        "That discharges Y-1.",
        "bailee duty discharge Y-1",
    ] {
        assert!(told.text.contains(words), "{words:?} is not in {}", told.text);
    }
    for name in ["Requester", "law.example", "Otto", "otto store", "Triage", "DemandId"] {
        assert!(!told.text.contains(name), "{name:?} is in {}", told.text);
    }

    take(&house, &letter_with(2, "Keep what I once wrote.\r\n")).unwrap();
    let told = page(&house, DutyId(2));
    assert_eq!(told.subject, "Y-2: find out what D-2 means");
    assert!(told.text.contains("bailee demand match D-2"), "{}", told.text);
    assert!(told.text.contains("freezes nothing that is here yet"), "{}", told.text);

    // Nobody can be answered whose address is on a scan only.
    assert!(!told.text.contains("party change"), "{}", told.text);
    let scan = take(&house, b"%PDF-1.7 a scan of otto store").unwrap();
    let from = house.with_state(|s| s.demands.get(demand(scan).0).unwrap().from).unwrap();
    let told = page(&house, DutyId(3));
    assert!(told.text.contains(&format!("bailee party change {from} NAME")), "{}", told.text);

    // Decided before the page left: it says that nothing is left to do.
    take(&house, &letter_with(3, "Keep everything of account otto store.\r\n")).unwrap();
    let reason = Reason { note: "seen".into(), exhibits: Vec::new() };
    let triage = Triage::Accept(None);
    yes(&house, people.cora, Action::DecideDemand { demand: DemandId(4), triage, reason });
    let told = page(&house, DutyId(4));
    assert!(told.text.contains("Y-4 is discharged already"), "{}", told.text);
}
