//! From a letter to a blocked gate and a receipt that anybody can verify.

use std::fs;
use std::io::Write;

use crate::room::{LETTER, Room, Said, text};
use crate::wire::{Server, token};

#[test]
fn a_letter_blocks_the_gate_and_its_receipt_verifies_until_a_byte_changes() {
    let room = Room::with_house();
    room.furnish();
    room.run_as("P-2", &["account", "terminate", "AC-1"]).ok();
    let letter = room.file("letter.eml", LETTER.as_bytes());
    let receipt = room.path("letter.bailee.zip");
    let said = room.run(&["intake", text(&letter), "--receipt", text(&receipt)]).ok();
    assert!(said.starts_with("D-1 ") && said.contains("frozen"), "{said}");

    let gate = room.run(&["gate", "check", "A-1"]);
    assert_eq!(gate.code, 1, "{gate:?}");
    assert!(gate.out.contains("hold_provisional  H-1"), "{gate:?}");
    assert!(gate.out.contains("to change decide on the demand"), "{gate:?}");

    let status = room.run(&["--json", "status"]).json();
    let key = status["log_key"].as_str().unwrap().to_owned();
    let verified = room.run(&["verify", text(&receipt), "--key", &key]);
    assert_eq!(verified.code, 0, "{verified:?}");
    assert!(verified.out.contains("PROVEN    log"), "{verified:?}");
    assert!(verified.out.contains("pinned by you"), "{verified:?}");
    let unpinned = room.run(&["verify", text(&receipt)]);
    assert!(unpinned.out.contains("NOT pinned"), "{unpinned:?}");

    let mut bytes = fs::read(&receipt).unwrap();
    let words = b"Receipt of D-1";
    let place = bytes.windows(words.len()).position(|window| window == words).unwrap();
    bytes[place] ^= 1;
    let forged = room.file("forged.bailee.zip", &bytes);
    let said = room.run(&["verify", text(&forged), text(&receipt)]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("PROBLEM   bag/data/receipt.txt"), "{said:?}");
    assert!(said.out.contains("PROVEN    log"), "the good one is told of too: {said:?}");
    let said = room.run(&["verify", "nofile", text(&receipt)]);
    assert!(said.code == 3 && said.err.contains("nofile"), "{said:?}");
    assert!(said.out.contains("PROVEN    log"), "the good one is told of too: {said:?}");
}

#[test]
fn what_was_recorded_is_said_before_its_receipt_fails() {
    let room = Room::with_house();
    let letter = room.file("letter.eml", LETTER.as_bytes());
    let nowhere = room.path("no/such/place.zip");
    let said = room.run(&["intake", text(&letter), "--receipt", text(&nowhere)]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.out.starts_with("D-1  recorded at entry "), "{said:?}");
    assert!(said.err.contains("place.zip"), "{said:?}");
    let again = ["--json", "intake", text(&letter), "--receipt", text(&nowhere)];
    let said = room.run(&again);
    assert!(said.code == 3 && said.out.contains("\"demand\": \"D-1\""), "{said:?}");
}

#[test]
fn a_letter_sent_twice_is_one_demand() {
    let room = Room::with_house();
    let letter = room.file("letter.eml", LETTER.as_bytes());
    let first = room.run(&["--json", "intake", text(&letter)]).json();
    let again = room.run(&["--json", "intake", text(&letter)]).json();
    assert_eq!(first["received"]["demand"], "D-1");
    assert_eq!(first["received"]["again"], false);
    assert_eq!(again["received"]["demand"], "D-1");
    assert_eq!(again["received"]["again"], true);
    let demands = room.run(&["--json", "demand", "list"]).json();
    assert_eq!(demands["items"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_said_to_be_frozen_is_frozen_and_whether_it_is_is_for_staff() {
    let room = Room::with_house();
    room.furnish();
    let letters = ["a", "b", "c", "d", "e"].map(|name| {
        let text = match name {
            "a" | "b" | "c" => LETTER.replace("Vos Photography", "somebody unknown"),
            _ => LETTER.to_owned(),
        };
        room.file(name, text.replace("<1@", &format!("<{name}@")).as_bytes())
    });
    let [unknown, of_staff, of_intake, known, matched] = letters.each_ref().map(|l| text(l));
    let said = room.run(&["intake", unknown]).ok();
    assert!(said.contains("nothing is frozen") && said.contains("demand match D-1"), "{said}");
    let (operator, intake) = (token(&room, "P-2", "operator"), token(&room, "P-2", "intake"));
    let server = Server::start(&room);
    let said = server.run(&operator, &["intake", of_staff]).ok();
    assert!(said.contains("nothing is frozen") && said.contains("demand match D-2"), "{said}");
    let said = server.run(&operator, &["intake", known]).ok();
    assert!(said.contains("frozen until a person has decided"), "{said}");
    let plain = |letter| {
        let said = server.run(&intake, &["intake", letter]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
        said.out
            .split_once(" at entry ")
            .map(|(_, rest)| rest.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned())
    };
    let (none, some) = (plain(of_intake), plain(matched));
    assert_eq!(none, some, "who may only hand in cannot tell them apart");
    assert!(none.is_some_and(|words| words.starts_with("; receipt: ")));
}

#[test]
fn a_letter_larger_than_any_house_takes_is_refused_before_it_is_sent() {
    let room = Room::with_house();
    let huge = room.path("huge.eml");
    fs::File::create(&huge).unwrap().set_len((128 << 20) + 1).unwrap();
    let here = room.run(&["intake", text(&huge)]);
    let there = room.run(&["--server", "http://127.0.0.1:9", "intake", text(&huge)]);
    for said in [here, there] {
        assert!(said.code == 2 && said.err.contains("body_too_large"), "{said:?}");
        assert!(said.err.contains("huge.eml") && said.err.contains("--exhibit"), "{said:?}");
    }
}

#[test]
fn a_letter_comes_in_by_a_pipe_and_its_receipt_goes_out_by_one() {
    let room = Room::with_house();
    let out = room.pipe(&["intake", "-", "--receipt", "-"], LETTER.as_bytes());
    assert!(out.status.success(), "{out:?}");
    assert!(out.stdout.starts_with(b"PK"), "only the receipt is on standard output");
    assert!(String::from_utf8_lossy(&out.stderr).contains("D-1"));
    let verified = room.pipe(&["--json", "verify", "-"], &out.stdout);
    assert!(verified.status.success(), "{verified:?}");
    let report: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(report[0]["holds"], true);
    assert_eq!(report[0]["report"]["claims"][0]["state"], "proven");
    assert_eq!(report[0]["report"]["key_source"], "bundle");
}

#[test]
fn a_checkpoint_is_verified_under_a_pinned_key_only() {
    let room = Room::with_house();
    let status = room.run(&["--json", "status"]).json();
    let key = status["log_key"].as_str().unwrap().to_owned();
    let checkpoint = room.house().join("checkpoint");
    let verified = room.run(&["verify", text(&checkpoint), "--key", &key]);
    assert_eq!(verified.code, 0, "{verified:?}");
    assert!(verified.out.contains("checkpoint of log log.example.org/2026"), "{verified:?}");
    let blind = room.run(&["verify", text(&checkpoint)]);
    assert!(blind.code == 2 && blind.err.contains("--key"), "{blind:?}");
    let wrong = status["clearance_key"].as_str().unwrap().to_owned();
    assert_eq!(room.run(&["verify", text(&checkpoint), "--key", &wrong]).code, 1);
}

#[test]
fn a_reader_brings_their_own_policy_and_roots() {
    let room = Room::with_house();
    let receipt = room.path("letter.bailee.zip");
    let letter = room.file("letter.eml", LETTER.as_bytes());
    room.run(&["intake", text(&letter), "--receipt", text(&receipt)]).ok();
    let status = room.run(&["--json", "status"]).json();
    let key = status["log_key"].as_str().unwrap();
    let policy = room.file("mine.tlog-policy", format!("log {key}\nquorum none\n").as_bytes());
    let verify = |more: &[&str]| room.run(&[&["verify", text(&receipt)], more].concat());

    let said = verify(&["--policy", text(&policy)]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("pinned by you"), "{said:?}");
    let report = room.run(&["--json", "verify", text(&receipt), "--policy", text(&policy)]).json();
    assert_eq!(report[0]["report"]["key_source"], "pinned");
    assert_eq!(report[0]["report"]["ml_dsa_44"], "not-listed");
    assert_eq!(report[0]["report"]["timestamps"].as_array().unwrap().len(), 0);

    // A key that signed none of it.
    let clearance = status["clearance_key"].as_str().unwrap();
    let other = format!("log {clearance}\nquorum none\n");
    let other = room.file("other.tlog-policy", other.as_bytes());
    let said = verify(&["--policy", text(&other)]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("no signature by a known key"), "{said:?}");

    for (flag, words) in [("--policy", "tlog-policy"), ("--roots", "no self-signed certificate")] {
        let said = verify(&[flag, text(&letter)]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(flag) && said.err.contains(words), "{said:?}");
    }
    assert_eq!(verify(&["--policy", text(&policy), "--key", key]).code, 2);
}

#[test]
fn a_matter_goes_out_as_a_bundle_and_everything_checks() {
    let room = Room::with_house();
    room.furnish();
    let letter = room.file("letter.eml", LETTER.as_bytes());
    room.run(&["intake", text(&letter)]).ok();
    room.run_as("P-2", &["matter", "open", "Vos v. Example Host"]).ok();
    room.run_as("P-2", &["demand", "accept", "D-1", "--matter", "M-1", "--note", "Clear"]).ok();
    let bundle = room.path("m.zip");
    room.run(&["bundle", "M-1", "-o", text(&bundle)]).ok();
    room.run(&["verify", text(&bundle)]).ok();
    let checked = room.run(&["--json", "check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert_eq!(checked.json()["good"], true);
    assert!(room.run(&["settle"]).ok().contains("nothing is left"));
}

#[test]
fn a_large_exhibit_is_handed_in_by_itself_here_and_through_the_server() {
    let room = Room::with_house();
    room.furnish();
    room.run_as("P-2", &["matter", "open", "Vos v. Example Host"]).ok();
    // More than any request may have, and more than the service may use for it.
    let piece: Vec<u8> = (0..1u32 << 20).map(|n| (n.wrapping_mul(n) >> 9) as u8).collect();
    let scan = room.path("scan.tif");
    let mut file = fs::File::create(&scan).unwrap();
    (0..96).for_each(|_| file.write_all(&piece).unwrap());
    drop(file);
    let small = room.file("small.txt", b"a page");
    let args = ["--json", "matter", "file", "M-1", "--from", "P-4", "--exhibit", text(&scan)];
    let args = [&args[..], &["--exhibit", text(&small)]].concat();
    room.run_as("P-2", &args).ok();
    let (operator, own) = (token(&room, "P-2", "operator"), token(&room, "P-4", "operator"));
    let server = Server::start(&room);
    let before = server.peak();
    assert_eq!(server.run(&operator, &args).code, 0);
    let grown = server.peak().saturating_sub(before);
    assert!(grown < 48 << 10, "{grown} KiB for a document of 98304");
    let outside = server.run(&own, &args);
    assert!(outside.code == 1 && outside.err.contains("not_permitted"), "{outside:?}");
    let bundle = room.path("M-1.bailee.zip");
    assert_eq!(server.run(&operator, &["bundle", "M-1", "-o", text(&bundle)]).code, 0);
    assert!(server.peak().saturating_sub(before) < 64 << 10, "the bundle was in memory");
    assert!(fs::metadata(&bundle).unwrap().len() > 96 << 20);
    let checked = server.run(&operator, &["--json", "check"]);
    assert_eq!((checked.code, &checked.json()["exhibits"]), (0, &2.into()), "{checked:?}");
    assert!(server.peak().saturating_sub(before) < 64 << 10, "the check had it in memory");
    drop(server);
    room.run(&["verify", text(&bundle)]).ok();
    assert_eq!(room.run(&["--json", "prune"]).json()["unnamed_documents"], 0);
}

#[test]
fn a_scan_has_a_medium_and_a_sender_who_is_answered_by_post() {
    let room = Room::with_house();
    room.furnish();
    let scan = b"%PDF-1.7 a scan of a letter on paper";
    let here = room.file("here.pdf", scan);
    let there = room.file("there.pdf", b"%PDF-1.7 a fax");
    let by_post = ["--sender", "R. Counsel", "--sender-post", "Court Street 1, Delft"];
    let by_fax = ["--sender", "F. Lawyer", "--sender-phone", "+31 15 555 0100"];
    let line = |file, medium, sender: [&'static str; 4]| {
        let args = ["--json", "intake", file, "--medium", medium, "--account", "AC-1"];
        args.into_iter().chain(sender).map(str::to_owned).collect::<Vec<_>>()
    };
    let typed = line(text(&here), "post", by_post);
    let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
    let told = room.run(&typed).json();
    assert_eq!(told["received"]["demand"], "D-1", "{told}");
    let nobody = room.run(&["intake", text(&here), "--sender-post", "Court Street 1"]);
    assert!(nobody.code == 2 && nobody.err.contains("--sender"), "{nobody:?}");
    let empty = room.run(&["intake", text(&here), "--sender", " "]);
    assert!(empty.code == 2 && empty.err.contains("no name"), "{empty:?}");

    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    let typed = line(text(&there), "fax", by_fax);
    let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
    assert_eq!(server.run(&operator, &typed).json()["received"]["demand"], "D-2");
    drop(server);
    room.run(&["settle"]).ok();

    let shown = |what: &str, id: &str| room.run(&["--json", what, "show", id]).json();
    for (id, medium, kind, address) in [
        ("D-1", "post", "post", "Court Street 1, Delft"),
        ("D-2", "fax", "phone", "+31 15 555 0100"),
    ] {
        let demand = shown("demand", id);
        assert_eq!(demand["medium"], medium, "{demand}");
        assert_eq!(demand["flags"], serde_json::json!(["scope-unreadable", "attachment-unread"]));
        assert_eq!(demand["exhibits"][0]["media"], "application/pdf", "{demand}");
        let sender = shown("party", demand["from"].as_str().unwrap());
        let channel = serde_json::json!([{ "kind": kind, "address": address }]);
        assert_eq!(sender["channels"], channel, "{sender}");
        let receipt = room.path(&format!("house/outbox/receipt-{id}.eml"));
        let receipt = fs::read_to_string(receipt).unwrap();
        assert!(receipt.contains("For a person to hand over"), "{receipt}");
        assert!(receipt.contains(address), "{receipt}");
    }
}

#[test]
fn what_is_no_proof_is_wrong_use_and_what_contradicts_one_is_a_no() {
    let room = Room::with_house();
    let letter = room.file("letter.eml", LETTER.as_bytes());
    let receipt = room.path("letter.bailee.zip");
    room.run(&["intake", text(&letter), "--receipt", text(&receipt)]).ok();
    let said = room.run(&["verify", text(&letter)]);
    assert!(said.code == 2 && said.err.contains("letter.eml"), "{said:?}");
    assert!(said.err.contains("is nothing that can be verified"), "{said:?}");
    assert!(said.err.contains("*.bailee.zip"), "{said:?}");
    let both = room.run(&["--json", "verify", text(&letter), text(&receipt)]);
    assert_eq!((both.code, both.json()[1]["holds"].as_bool()), (2, Some(true)), "{both:?}");
    let mut bytes = fs::read(&receipt).unwrap();
    let middle = bytes.len() / 2;
    bytes.truncate(middle);
    let cut = room.file("cut.bailee.zip", &bytes);
    assert_eq!(room.run(&["verify", text(&letter), text(&cut)]).code, 1);
    assert_eq!(room.run(&["verify", "nofile", text(&letter), text(&cut)]).code, 3);
}

#[test]
fn what_is_damaged_at_its_beginning_is_a_no_with_a_key_and_without() {
    let room = Room::with_house();
    let key = room.run(&["--json", "status"]).json()["log_key"].as_str().unwrap().to_owned();
    let letter = room.file("letter.eml", LETTER.as_bytes());
    let receipt = room.path("letter.bailee.zip");
    room.run(&["intake", text(&letter), "--receipt", text(&receipt)]).ok();
    let refused = |said: Said, what: &str| {
        assert!(said.code == 1 && said.err.is_empty() && said.out.contains(what), "{said:?}");
    };
    let whole = fs::read(&receipt).unwrap();
    for at in 0..4 {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        let what = if at < 2 { "is damaged at its beginning" } else { "altered or cut" };
        for name in ["damaged.bailee.zip", "damaged.ZIP", "damaged"] {
            let path = room.file(name, &bytes);
            refused(room.run(&["verify", text(&path)]), what);
            refused(room.run(&["verify", text(&path), "--key", &key]), what);
        }
        refused(Said::of(room.pipe(&["verify", "-"], &bytes)), what);
    }
    // Cut as well, it is known by its name; and what is no ZIP at all is none by any name.
    let cut = room.file("cut.zip", &whole[2..whole.len() / 2]);
    refused(room.run(&["verify", text(&cut)]), "no bundle, or is damaged at its beginning");
    refused(room.run(&["verify", text(&room.file("no.zip", b""))]), "no bundle");

    let mut bytes = fs::read(room.house().join("checkpoint")).unwrap();
    bytes[0] ^= 0x20;
    let checkpoint = room.file("checkpoint", &bytes);
    refused(room.run(&["verify", text(&checkpoint)]), "no signature has the name");
    assert_eq!(room.run(&["verify", text(&checkpoint), "--key", &key]).code, 1);
    let token =
        room.file("token", b"Bailee/clearance/v1\norigin log.example\n\n\xe2\x80\x94 x AA==\n");
    refused(room.run(&["verify", text(&token)]), "no clearance token, or is damaged");
    refused(room.run(&["verify", text(&token), "--key", &key]), "no clearance token");
    // A letter that ends with a dash and a name is no checkpoint.
    let letter = room.file("dear.txt", "Dear host,\n2 disks\n\n\u{2014} Jan Bos\n".as_bytes());
    let said = room.run(&["verify", text(&letter)]);
    assert!(said.code == 2 && said.err.contains("nothing that can be verified"), "{said:?}");
}

#[test]
fn why_a_hold_was_placed_is_kept_in_the_log_and_shown_with_it() {
    let room = Room::with_house();
    room.furnish();
    let (note, later) = ("Proceedings are announced", "The bailiff called");
    room.run_as("P-2", &["hold", "place", "--account", "AC-1", "--note", note]).ok();
    room.run_as("P-2", &["hold", "place", "--account", "AC-1"]).ok();
    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    server.run(&operator, &["hold", "place", "--asset", "A-1", "--note", later]).ok();
    for (hold, said) in [("H-1", note), ("H-3", later)] {
        let shown = server.run(&operator, &["--json", "hold", "show", hold]).json();
        assert_eq!(shown["note"], said, "{shown}");
    }
    drop(server);
    let words = room.run(&["hold", "show", "H-1"]).ok();
    assert!(words.contains(note), "{words}");
    assert!(room.run(&["--json", "hold", "show", "H-2"]).json()["note"].is_null());
    let long = "x".repeat(64 * 1024 + 1);
    let refused = room.run_as("P-2", &["hold", "place", "--account", "AC-1", "--note", &long]);
    assert!(refused.code == 1 && refused.err.contains("reason_too_long"), "{refused:?}");
}

#[test]
fn what_is_typed_and_names_nothing_is_named_and_what_comes_from_outside_is_a_demand() {
    let room = Room::with_house();
    room.furnish();
    let form = room.file("form.pdf", b"%PDF-1.7 a form");
    let (operator, intake) = (token(&room, "P-2", "operator"), token(&room, "P-2", "intake"));
    let lines = [
        &["hold", "place", "--account", "AC-99"][..],
        &["intake", text(&form), "--account", "AC-1", "--account", "AC-99"],
    ];
    let check = |said: crate::room::Said| {
        assert!(said.code == 1 && said.err.contains("AC-99: does not exist"), "{said:?}");
        assert!(said.err.contains("bailee account list"), "{said:?}");
    };
    for line in lines {
        check(room.run_as("P-2", line));
    }
    let bare = ["hold", "place", "--identifier", " - "];
    let said = room.run_as("P-2", &bare);
    assert!(
        said.code == 1 && said.err.contains("has fewer than three letters and digits"),
        "{said:?}"
    );
    let server = Server::start(&room);
    for line in lines {
        check(server.run(&operator, line));
    }
    server.run(&intake, lines[1]).ok();
    let demands = server.run(&operator, &["--json", "demand", "list"]).json();
    let flags = serde_json::json!(["scope-unreadable", "attachment-unread"]);
    assert_eq!(demands["items"][0]["flags"], flags, "{demands}");
    assert_eq!(demands["items"].as_array().unwrap().len(), 1, "{demands}");
}

#[test]
fn money_has_its_currency_for_people_and_is_whole_minor_units_for_programs() {
    let room = Room::with_house();
    room.furnish();
    room.run_as("P-2", &["matter", "open", "Vos"]).ok();
    let words = room.run(&["cost", "show", "M-1"]).ok();
    assert!(words.lines().any(|l| l.starts_with("costs ") && l.ends_with(" none")), "{words}");
    let json = room.run(&["--json", "cost", "show", "M-1"]).json();
    assert_eq!(json["costs_minor"], serde_json::json!({}), "{json}");
    assert_eq!(json["cost_items"], serde_json::json!([]), "{json}");
    let book = |amount, currency| {
        let args = ["cost", "book", "M-1", "--what", "media", "--amount", amount];
        room.run_as("P-2", &[&args[..], &["--currency", currency]].concat()).ok();
    };
    book("19905", "EUR");
    book("700", "JPY");
    let start = ["cost", "start", "M-1", "--what", "servers", "--units", "3", "--daily", "50"];
    room.run_as("P-2", &[&start[..], &["--currency", "EUR"]].concat()).ok();
    let words = room.run(&["cost", "show", "M-1"]).ok();
    assert!(words.contains("EUR 199.05, JPY 700"), "{words}");
    let json = room.run(&["--json", "cost", "show", "M-1"]).json();
    assert_eq!(json["costs_minor"], serde_json::json!({ "EUR": 19_905, "JPY": 700 }), "{json}");
    assert_eq!(json["cost_items"][0]["amount_minor"], 19_905, "{json}");
    let meters = room.run(&["cost", "list"]).ok();
    assert!(meters.contains("EUR 0.50") && !meters.contains("MINOR"), "{meters}");
    let json = room.run(&["--json", "cost", "list"]).json();
    assert_eq!(json["items"][0]["daily_minor"], 50, "{json}");
}

#[test]
fn the_note_of_a_call_is_read_whole_and_freezes_what_it_names() {
    let room = Room::with_house();
    room.furnish();
    let said = "Caller: Officer Smit\nasks that Vos Photography be kept, a warrant follows.\n";
    let note = room.file("call.txt", said.as_bytes());
    let by = ["--medium", "oral", "--sender", "B. Smit", "--sender-phone", "+31 15 555 0199"];
    room.run(&[&["intake", text(&note)][..], &by].concat()).ok();
    let demand = room.run(&["--json", "demand", "show", "D-1"]).json();
    assert_eq!(demand["exhibits"][0]["media"], "text/plain", "{demand}");
    assert_eq!(demand["flags"], serde_json::json!([]), "{demand}");
    let hold = room.run(&["--json", "hold", "show", "H-1"]).json();
    assert_eq!(hold["scope"]["accounts"], serde_json::json!(["AC-1"]), "{hold}");
    // As mail it is damaged: whatever it asks for more may be lost.
    let mail = room.file("mail.txt", format!("{said}again\n").as_bytes());
    room.run(&["intake", text(&mail)]).ok();
    let demand = room.run(&["--json", "demand", "show", "D-2"]).json();
    assert!(demand["flags"].as_array().unwrap().contains(&"damaged".into()), "{demand}");
}

#[test]
fn an_owner_sees_its_own_with_parts_and_copies_here_and_through_a_server() {
    let room = Room::with_house();
    room.furnish();
    let drive = ["asset", "add", "disk-1", "--kind", "drive", "--part-of", "A-1"];
    room.run_as("P-2", &drive).ok();
    let data = room.file("data.txt", b"photographs");
    let place = ["hold", "place", "--asset", "A-1", "--instrument", "letter", "--note", "asked"];
    room.run_as("P-1", &place).ok();
    room.run_as("P-1", &["hold", "allow-copy", "H-1", "--note", "an image will do"]).ok();
    room.run_as("P-2", &["preserve", "A-1", text(&data)]).ok();
    let nobody = room.run(&["mine"]);
    assert!(nobody.code == 2 && nobody.err.contains("--as P-4"), "{nobody:?}");
    let owner = room.run(&["--json", "account", "show", "AC-1"]).json()["owner"].clone();
    let owner = owner.as_str().unwrap();
    let mine = room.run_as(owner, &["--json", "mine"]).json();
    assert_eq!(mine["parts"][0]["part_of"], "A-1");
    assert_eq!(
        (&mine["parts"][0]["held"], &mine["assets"][0]["held"]),
        (&true.into(), &true.into())
    );
    assert_eq!(
        (&mine["copies"][0]["id"], &mine["copies"][0]["copy_of"]),
        (&"S-1".into(), &"A-1".into())
    );
    let told = room.run_as(owner, &["mine"]).ok();
    assert!(told.contains("disk-1") && told.contains("S-1"), "{told}");
    let reader = token(&room, owner, "reader");
    let server = Server::start(&room);
    let there = server.run(&reader, &["--json", "mine"]).json();
    assert_eq!(there, mine);
}

#[test]
fn how_a_demand_came_is_corrected_and_shown_with_what_was_typed_first() {
    let room = Room::with_house();
    let letter = room.file("letter.eml", LETTER.as_bytes());
    let receipt = room.path("before.bailee.zip");
    room.run(&["intake", text(&letter), "--receipt", text(&receipt)]).ok();
    let correct = ["demand", "correct", "D-1", "--medium", "post"];
    let bare = room.run_as("P-2", &correct);
    assert!(bare.code == 1 && bare.err.contains("how it is known"), "{bare:?}");
    let why = [&correct[..], &["--note", "It came in an envelope"]].concat();
    room.run_as("P-2", &why).ok();
    let again = room.run_as("P-3", &why);
    assert!(again.code == 1 && again.err.contains("already_done"), "{again:?}");
    let shown = room.run(&["--json", "demand", "show", "D-1"]).json();
    assert_eq!(shown["medium"], "post");
    assert_eq!(shown["medium_recorded_at_first"], "email");
    assert!(shown["medium_corrected"].is_string(), "{shown}");
    let status = room.run(&["--json", "status"]).json();
    let key = status["log_key"].as_str().unwrap().to_owned();
    let after = room.path("after.bailee.zip");
    room.run(&["receipt", "D-1", "-o", text(&after)]).ok();
    for receipt in [receipt, after] {
        assert_eq!(room.run(&["verify", text(&receipt), "--key", &key]).code, 0);
    }
}

#[test]
fn what_is_bound_to_no_device_goes_back_by_what_stands_on_it() {
    let room = Room::with_house();
    room.furnish();
    let ada = |args: &[&str]| room.run_as("P-2", args);
    let propose = ["disposition", "propose", "return", "A-1", "--to", "P-4", "--note", "Ended"];
    ada(&propose).ok();
    // Not approved and not told yet: what is compared at last is asked by the core's own tests.
    let reserve = |value| ada(&["clearance", "reserve", "X-1", "A-1", "--identifier", value]);
    let refused = reserve("WX42-9");
    assert!(refused.code == 1 && refused.err.contains("account_active"), "{refused:?}");
    let twice =
        ada(&["clearance", "reserve", "X-1", "A-1", "--identifier", "x", "--subject", "00"]);
    assert!(twice.code == 2, "{twice:?}");
}

#[test]
fn a_label_that_no_letter_can_name_is_remarked_on() {
    let room = Room::with_house();
    room.furnish();
    let add = |label| {
        let args = ["asset", "add", label, "--kind", "server", "--account", "AC-1"];
        room.run_as("P-2", &args)
    };
    let short = add("s1");
    assert_eq!(short.code, 0, "{short:?}");
    assert!(short.err.contains("\"s1\" are not matched") && !short.out.contains("WARNING"));
    assert!(!add("server s1").err.contains("not matched"));
}
