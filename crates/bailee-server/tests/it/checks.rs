//! `bailee check` finds what is wrong, and nothing where nothing is.

use std::sync::Arc;
use std::time::Duration;

use bailee_core::party::Role;
use bailee_core::{Action, By};
use bailee_ledger::{Checkpoint, Tree, to_hex};
use bailee_server::House;
use bailee_server::api::check::{CheckReport, Step};
use bailee_server::attest::Attested;
use bailee_server::house::SMALL_EXHIBIT;
use bailee_store::{Journal, MemoryJournal, MemoryObjects, digest};

use crate::common::{ORIGIN, act, letter_with, load, log_signer, parts, party, people, take};

fn checked(house: &House) -> CheckReport {
    house.checkpoint_over(house.with_state(|s| s.head).unwrap()).unwrap();
    bailee_server::api::check(house, &mut |_| ()).unwrap()
}

fn house() -> (House, Arc<MemoryJournal>) {
    let journal = Arc::new(MemoryJournal::new());
    let house = House::of(parts(None, journal.clone(), Arc::new(MemoryObjects::new()))).unwrap();
    load(&house).unwrap();
    (house, journal)
}

#[test]
fn a_sound_house_is_good_and_all_of_it_was_looked_at() {
    let (house, journal) = house();
    let counsel = people(&house).cora;
    let otto = party(&house, "Otto", Role::Owner);
    take(&house, &letter_with(1, "Keep the account otto store.")).unwrap();
    act(&house, By::Party(counsel), Action::EraseDetails { party: otto }).unwrap();
    assert!(house.settle().is_empty());
    house.checkpoint_over(house.with_state(|s| s.head).unwrap()).unwrap();
    let mut steps = Vec::new();
    let report = bailee_server::api::check(&house, &mut |step| steps.push(step)).unwrap();
    let head = journal.head().unwrap();
    assert!(report.good, "{report:?}");
    assert_eq!((report.entries, report.checkpoint), (head, Some(head)));
    assert_eq!((report.exhibits, report.erased_sections), (1, 1));
    assert_eq!(steps, [Step::Entries(head, head), Step::Exhibits(1, 1)]);
}

#[test]
fn a_letter_whose_bytes_are_gone_is_named() {
    let (house, _) = house();
    let raw = letter_with(1, &"keep ".repeat(SMALL_EXHIBIT));
    take(&house, &raw).unwrap();
    assert!(checked(&house).good);
    let hex = to_hex(&digest(&raw));
    house.objects().delete(&format!("exhibits/{}/{hex}", &hex[..2])).unwrap();
    let report = checked(&house);
    assert!(!report.good);
    assert!(report.findings[0].contains(&hex), "{report:?}");
}

#[test]
fn a_kept_checkpoint_over_other_entries_is_named() {
    let (house, _) = house();
    let size = house.with_state(|s| s.head).unwrap();
    house.checkpoint_over(size).unwrap();
    let honest = house.attested_over(size, Duration::ZERO).unwrap();
    house.keep(&honest).unwrap();
    let report = checked(&house);
    assert!(report.good, "{report:?}");
    assert_eq!(report.attested, 1);
    // The log's own key, over entries that are not in this journal.
    party(&house, "Otto", Role::Owner);
    let size = house.with_state(|s| s.head).unwrap();
    let mut tree = Tree::new();
    (0..size).for_each(|n| _ = tree.push(&n.to_be_bytes()));
    let note = Checkpoint::of(ORIGIN, &tree).sign(&log_signer()).unwrap();
    house.keep(&Attested { size, note, stamps: Vec::new() }).unwrap();
    let report = checked(&house);
    let found =
        format!("the checkpoint kept for {size}: it was signed over other entries than these");
    assert_eq!((report.attested, report.findings), (1, vec![found]));
}

#[test]
fn a_section_that_went_without_an_erasure_on_record_is_named() {
    let (house, journal) = house();
    let position = house.with_state(|s| s.head).unwrap();
    party(&house, "Otto", Role::Owner);
    journal.erase(&[(position, 1)], &[]).unwrap();
    let report = checked(&house);
    assert!(!report.good);
    let found = format!("entry {position}: a section is missing and no erasure names it");
    assert!(report.findings.contains(&found), "{report:?}");
    assert!(report.findings.iter().any(|finding| finding.contains("replay")), "{report:?}");
}
