//! Timestamps as a person sees them: settings, receipts, the list, what is missing.

use crate::authority::Key;
use crate::room::{LETTER, Room};
use crate::tsa::{Mode, Tsa};

fn with_authorities(authorities: &[&Tsa]) -> Room {
    let room = Room::with_house();
    let settings = room.house().join("bailee.toml");
    let mut text = std::fs::read_to_string(&settings).expect("a house has settings");
    for tsa in authorities {
        let section = tsa.section();
        let (name, url, roots) = (section.name, section.url, section.roots);
        text += &format!("\n[[timestamp]]\nname = {name:?}\nurl = {url:?}\nroots = {roots:?}\n");
    }
    text += "\n[stamping]\npause_s = 0\nreceipt_ms = 60000\n";
    std::fs::write(settings, text).expect("the room can be written");
    room
}

#[test]
fn a_receipt_carries_tokens_and_the_list_shows_what_is_missing() {
    let (one, two) = (Tsa::start("tsa-a", Key::P256), Tsa::start("tsa-b", Key::P384));
    let room = with_authorities(&[&one, &two]);
    room.file("letter.eml", LETTER.as_bytes());
    room.run(&["intake", "letter.eml", "--receipt", "letter.bailee.zip"]).ok();
    let verified = room.run(&["verify", "letter.bailee.zip"]).ok();
    assert!(verified.contains("PROVEN    timestamp"), "{verified}");
    assert_eq!(verified.matches("says that the checkpoint existed at").count(), 2, "{verified}");
    assert!(room.run(&["settle"]).ok().contains("nothing is left"));
    let list = room.run(&["timestamps"]).ok();
    assert!(list.contains("tsa-a") && list.contains("tsa-b") && list.contains("good"), "{list}");
    assert!(!list.contains("missing"), "{list}");
    let check = room.run(&["--json", "check"]).json();
    assert!(check["timestamps"].as_u64() >= Some(2), "{check}");

    two.set(Mode::Status(500));
    let another = LETTER.replace("<1@example.com>", "<2@example.com>");
    room.file("another.eml", another.as_bytes());
    room.run(&["intake", "another.eml"]).ok();
    let said = room.run(&["settle"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("tsa-b") && said.err.contains("500"), "{said:?}");
    let list = room.run(&["timestamps"]).ok();
    assert!(list.contains("missing  tsa-b has not stamped the entries"), "{list}");
    let json = room.run(&["--json", "timestamps", "--limit", "1"]).json();
    assert_eq!(json["authorities"][1]["name"], "tsa-b");
    assert!(room.run(&["check"]).ok().contains("every rule and every proof holds"));
}

#[test]
fn without_an_authority_that_is_said() {
    let room = Room::with_house();
    let list = room.run(&["timestamps"]).ok();
    assert!(list.contains("none") && list.contains("no timestamp authority"), "{list}");
    let room = with_authorities(&[]);
    std::fs::write(room.house().join("bailee.toml"), "[[timestamp]]\n").unwrap();
    let said = room.run(&["timestamps"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
    assert!(said.err.contains("timestamp"), "{said:?}");
}
