//! Volumes on a shelf: checked and restored by somebody who has no house.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::room::{Room, Said, text};
use crate::wire::{Server, token};

/// A room with volumes of one snapshot in `tape` and their key in `shelf.key`.
fn shelf() -> (Room, Vec<PathBuf>) {
    let room = Room::with_house();
    room.furnish();
    for dir in ["data/photos", "tape"] {
        fs::create_dir_all(room.path(dir)).expect("a directory");
    }
    let bytes: Vec<u8> = (0..200_000u32).map(|n| (n % 241) as u8).collect();
    room.file("data/photos/a.raw", &bytes);
    room.file("data/letter", b"Keep this.");
    room.run_as("P-2", &["preserve", "A-1", text(&room.path("data"))]).ok();
    let (to, key) = (room.path("tape"), room.path("shelf.key"));
    let args = ["export", "S-1", "--form", "volumes", "--to", text(&to), "--key", text(&key)];
    let said = room.run_as("P-2", &[&["--json"][..], &args, &["--size", "70000"]].concat());
    let json = said.json();
    let volumes = json["volumes"].as_array().expect("a list").iter();
    let paths = volumes.map(|v| PathBuf::from(v["file"].as_str().expect("a path"))).collect();
    // Whoever restores has the tapes and the key, and no data directory.
    fs::rename(room.house(), room.path("elsewhere")).expect("it can be moved");
    (room, paths)
}

fn volumes(room: &Room, verb: &str, paths: &[&str], more: &[&str]) -> Said {
    room.run(&[&["--json", "volumes", verb][..], paths, more].concat())
}

#[test]
fn volumes_are_checked_and_restored_without_a_house() {
    let (room, paths) = shelf();
    let (tape, key) = (room.path("tape"), room.path("shelf.key"));
    let with = ["--key", text(&key)];
    let said = volumes(&room, "check", &[text(&tape)], &with);
    let json = said.json();
    assert_eq!((said.code, &json["complete"], &json["authentic"]), (0, &true.into(), &true.into()));
    assert_eq!((&json["files"], &json["bytes"]), (&2.into(), &200_010.into()), "{json}");
    let keyless = volumes(&room, "check", &[text(&tape)], &[]);
    assert_eq!((keyless.code, &keyless.json()["authentic"]), (0, &false.into()));
    assert_eq!(keyless.json()["volumes"], json["volumes"]);
    let remark: serde_json::Value = serde_json::from_str(&keyless.err).expect("one line of JSON");
    let words = "without a key nothing is authentic: these are what the headers say";
    assert_eq!(remark, serde_json::json!({ "remark": words }));
    let in_words = room.run(&["volumes", "check", text(&tape)]);
    assert_eq!((in_words.code, in_words.err.trim_end()), (0, words));

    let into = room.path("back");
    let args = [&with[..], &["--into", text(&into), "--only", "photos/**"]].concat();
    let said = volumes(&room, "restore", &[text(&tape)], &args);
    assert_eq!((said.code, &said.json()["files"]), (0, &1.into()), "{said:?}");
    let root = fs::read_dir(&into).unwrap().next().unwrap().unwrap().path();
    assert!(fs::read(root.join("photos/a.raw")).unwrap().len() == 200_000);
    assert!(!root.join("letter").exists());
    assert_eq!(paths.len(), 3);
}

#[test]
fn what_is_in_the_way_of_volumes_is_named_with_what_to_do() {
    let room = Room::with_house();
    room.furnish();
    let (file, key) = (room.file("file", b"is no directory"), room.path("shelf.key"));
    room.run_as("P-2", &["preserve", "A-1", text(&file)]).ok();
    let (tape, operator) = (room.path("tape"), token(&room, "P-2", "operator"));
    let export = |to: &std::path::Path| {
        let args = ["export", "S-1", "--form", "volumes", "--to", text(to), "--key", text(&key)];
        room.run_as("P-2", &args)
    };
    let server = Server::start(&room);
    let held = export(&tape);
    assert!(held.code == 3 && held.err.contains("house_in_use"), "{held:?}");
    assert!(held.err.contains(text(&room.house())), "{held:?}");
    // What cannot be done through a server is not sent there.
    assert!(held.err.contains("stop it") && held.err.contains("not through --server"), "{held:?}");
    let other = room.run_as("P-2", &["snapshot", "list"]);
    assert!(other.err.contains("give the command to it with --server"), "{other:?}");
    server.run(&operator, &["snapshot", "list"]).ok();
    drop(server);
    let wrong = export(&file);
    assert!(wrong.code != 0 && wrong.err.contains(text(&file)), "{wrong:?}");
    assert!(wrong.err.contains("name a new or empty directory"), "{wrong:?}");
    export(&tape).ok();
}

#[test]
fn the_log_knows_each_volume_that_was_written() {
    let (room, paths) = shelf();
    fs::rename(room.path("elsewhere"), room.house()).unwrap();
    let (tape, key) = (room.path("tape"), room.path("shelf.key"));
    let check = |more: &[&str]| volumes(&room, "check", &[text(&tape), "--log"], more);
    let said = check(&["--key", text(&key)]);
    let log = said.json()["log"].clone();
    assert_eq!((said.code, &log["snapshot"], &log["volumes"]), (0, &"S-1".into(), &3.into()));
    assert_eq!(log["differences"], serde_json::json!([]));
    assert_eq!(check(&[]).code, 0, "for the log no key is needed");
    let entry = log["entry"].to_string();
    let told = room.run(&["--json", "entry", "show", &entry]);
    assert!(!told.out.contains("tape"), "no path of this machine is in the log: {told:?}");
    // A volume that was changed, one that is gone, and a set that no entry names.
    let whole = fs::read(&paths[2]).unwrap();
    let mut bytes = whole.clone();
    bytes[200] ^= 1;
    fs::write(&paths[2], bytes).unwrap();
    let said = check(&[]);
    assert!(said.code == 1 && said.out.contains("is not the one in the log"), "{said:?}");
    fs::write(&paths[2], [&whole[..], b"more"].concat()).unwrap();
    let said = check(&[]);
    assert!(said.code == 1 && said.out.contains("the log says"), "{said:?}");
    fs::remove_file(&paths[2]).unwrap();
    let said = check(&[]);
    assert!(said.code == 1 && said.out.contains("volume 3 of the set was not given"), "{said:?}");
    for path in &paths[..2] {
        let mut bytes = fs::read(path).unwrap();
        bytes[16] ^= 1; // the set
        fs::write(path, bytes).unwrap();
    }
    let said = check(&[]);
    assert!(said.code == 1 && said.out.contains("the log does not know this set"), "{said:?}");
    assert!(room.run(&["check"]).ok().contains("every rule and every proof holds"));
}

#[test]
fn what_is_wrong_on_the_shelf_is_named_with_its_exit_code() {
    let (room, paths) = shelf();
    let (tape, key) = (room.path("tape"), room.path("shelf.key"));
    let with = ["--key", text(&key)];
    let check = |paths: &[&str]| volumes(&room, "check", paths, &with);
    // Any order is right.
    let mut shuffled: Vec<&str> = paths.iter().map(|path| text(path)).collect();
    shuffled.reverse();
    assert_eq!(check(&shuffled).code, 0);
    // One of three is missing.
    let said = check(&[shuffled[0], shuffled[2]]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("volume 2 of the set is missing: find it"), "{said:?}");
    assert!(said.out.contains("are lost"), "the file is named: {said:?}");
    // Something that is no volume, a directory without one, and none at all.
    let stranger = room.file("tape/stranger.bvol", b"something else");
    let said = check(&[text(&tape)]);
    assert!(said.code == 1 && said.out.contains("does not start as an archive volume"), "{said:?}");
    fs::remove_file(stranger).unwrap();
    assert_eq!(check(&[text(&room.path("data"))]).code, 2);
    assert_eq!(check(&[text(&room.path("nowhere"))]).code, 3);
    assert_eq!(check(&[]).code, 2);
    // A byte turned.
    let mut bytes = fs::read(&paths[1]).unwrap();
    bytes[30_000] ^= 1;
    fs::write(&paths[1], bytes).unwrap();
    let into = room.path("back");
    let said =
        volumes(&room, "restore", &[text(&tape)], &[&with[..], &["--into", text(&into)]].concat());
    assert_eq!((said.code, &said.json()["files"]), (1, &1.into()), "{said:?}");
    assert!(said.out.contains("(frame 1) are damaged: get a copy of this volume"), "{said:?}");
    assert!(said.json()["damaged"][0]["path"].as_str().unwrap().ends_with("photos/a.raw"));
    // The wrong key.
    let wrong = room.file("wrong.key", format!("{}\n", "09".repeat(32)).as_bytes());
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    let said = volumes(&room, "check", &[text(&tape)], &["--key", text(&wrong)]);
    assert!(said.code == 1 && said.out.contains("sealed with another key"), "{said:?}");
}

#[test]
fn of_several_sets_the_whole_one_is_read_or_the_one_that_is_named() {
    let (room, paths) = shelf();
    fs::rename(room.path("elsewhere"), room.house()).unwrap();
    let (tape, key) = (room.path("tape"), room.path("shelf.key"));
    let args = ["export", "S-1", "--form", "volumes", "--to", text(&tape), "--key", text(&key)];
    let second = room.run_as("P-2", &[&["--json"][..], &args, &["--size", "70000"]].concat());
    let (first, second) = (paths, second.json());
    let check = |more: &[&str]| volumes(&room, "check", &[text(&tape), "--key", text(&key)], more);
    let both = check(&[]);
    let problem: serde_json::Value = serde_json::from_str(&both.err).expect("a problem");
    assert_eq!((both.code, &problem["code"]), (2, &"which_set".into()), "{both:?}");
    let name = second["set"].as_str().unwrap();
    assert!(problem["detail"].as_str().unwrap().contains(name), "{both:?}");
    let said = check(&["--set", name]);
    assert_eq!((said.code, &said.json()["set"]), (0, &name.into()), "{said:?}");
    assert_eq!(said.json()["ignored"][0]["volumes"].as_array().unwrap().len(), 3, "{said:?}");
    assert_eq!(check(&["--set", "first"]).code, 2);
    // Killed in its last volume: it is named, and in nobody's way.
    let last = second["volumes"][2]["file"].as_str().unwrap();
    fs::write(last, &fs::read(last).unwrap()[..40_000]).unwrap();
    let said = check(&["--log"]);
    assert_eq!((said.code, &said.json()["complete"]), (0, &true.into()), "{said:?}");
    assert_eq!(said.json()["ignored"][0]["set"], name);
    let args = ["--key", text(&key), "--into", "back"];
    let back = volumes(&room, "restore", &[text(&tape)], &args);
    assert_eq!((back.code, &back.json()["files"]), (0, &2.into()), "{back:?}");
    assert_eq!(back.json()["volumes"].as_array().unwrap().len(), first.len());
}
