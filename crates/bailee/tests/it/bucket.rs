//! A house whose vault keeps its packs in a bucket of a real S3 engine, typed at like any other.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use bailee_server::store::Objects;
use bailee_server::store::s3::{ObjectLock, S3Objects, S3Settings};

use serde_json::json;

use crate::radosgw::{ID, RadosGw, SECRET};
use crate::room::{LETTER, Room, Said, text};

/// Writes `[vault]` and its credentials.
pub(crate) fn attach(room: &Room, settings: &S3Settings) {
    let path = room.path("house/bailee.toml");
    let before = fs::read_to_string(&path).expect("settings");
    let section = format!(
        "\n[vault]\nobjects = \"s3\"\nendpoint = {:?}\nbucket = {:?}\nprefix = {:?}\n\
         credentials = \"keys/s3.toml\"\n",
        settings.endpoint, settings.bucket, settings.prefix
    );
    fs::write(path, before + &section).expect("settings are written");
    let secrets = format!("access_key_id = \"{ID}\"\nsecret_access_key = \"{SECRET}\"\n");
    let path = room.file("house/keys/s3.toml", secrets.as_bytes());
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("closed");
}

/// Nothing it said has the secret.
fn discreet(said: Said) -> Said {
    assert!(!said.out.contains(SECRET) && !said.err.contains(SECRET), "{said:?}");
    said
}

#[test]
fn a_house_keeps_its_packs_in_a_bucket() {
    let mut engine = RadosGw::start();
    let mut settings = engine.bucket("kept", ObjectLock::Off);
    settings.prefix = "house-1".into();
    let room = Room::with_house();
    room.furnish();
    attach(&room, &settings);
    fs::create_dir_all(room.path("data")).expect("it works");
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    room.file("data/a.raw", &bytes);
    room.file("data/b.raw", b"short");
    let run = |args: &[&str]| discreet(room.run_as("P-2", args));
    run(&["preserve", "A-1", text(&room.path("data"))]).ok();
    run(&["snapshot", "verify", "S-1"]).ok();
    let scrubbed = run(&["--json", "scrub"]).json();
    assert!(scrubbed["packs"].as_u64().expect("a number") >= 2, "{scrubbed}");
    assert_eq!(scrubbed["problems"], json!([]));
    // Packs are in the bucket, keys are not; in the directory it is the other way round.
    let bucket = S3Objects::open(&settings).expect("it works").list("").expect("it works");
    assert!(bucket.iter().any(|name| name.contains("/data/")), "{bucket:?}");
    assert!(!bucket.iter().any(|name| name.contains("/key/") || name.contains("/kek/")));
    let own =
        Command::new("find").arg(room.path("house/objects/vault")).output().expect("it works");
    let own = String::from_utf8(own.stdout).expect("it works");
    assert!(own.contains("/key/") && !own.contains("/data/"), "{own}");
    let back = room.path("back");
    run(&["restore", "S-1", text(&back)]).ok();
    assert!(fs::read(back.join("a.raw")).expect("it works") == bytes);
    let part = room.pipe(&["cat", "S-1", "a.raw", "--range", "999999-1000010"], b"");
    assert!(part.status.success() && part.stdout == bytes[999_999..=1_000_010]);
    run(&["check"]).ok();
    let probed = run(&["--json", "probe"]);
    let items = probed.json()["items"].as_array().expect("findings").clone();
    assert_eq!((probed.code, items.len()), (0, 6), "{probed:?}");
    assert_eq!(items[4]["outcome"], "absent", "no lock was promised: {items:?}");
    promises_that_do_not_hold_are_an_alarm(&engine);
    damage_is_found_and_put_right(&room, &settings);
    another_house_is_kept_out(&settings);
    a_letter_is_taken_while_the_engine_is_away(&mut engine, &room);
}

fn damage_is_found_and_put_right(room: &Room, settings: &S3Settings) {
    let bucket = S3Objects::open(settings).expect("it works");
    let packs = bucket.list("").expect("it works");
    let pack = packs.iter().find(|name| name.contains("/data/")).expect("it works");
    let sound = bucket.get(pack).expect("it works");
    let copy = room.path("copy/objects").join(pack);
    fs::create_dir_all(copy.parent().expect("it works")).expect("it works");
    fs::write(&copy, &sound).expect("it works");
    let mut damaged = sound.clone();
    damaged[200] ^= 1;
    bucket.delete(pack).expect("it works");
    bucket.put(pack, &damaged).expect("it works");
    let found = discreet(room.run(&["--json", "scrub"]));
    assert_eq!((found.code, found.json()["problems"].as_array().expect("it works").len()), (1, 1));
    let mended = room.run(&["--json", "scrub", "--repair-from", text(&room.path("copy"))]);
    assert_eq!((mended.code, &mended.json()["repaired"]["packs"]), (0, &1.into()), "{mended:?}");
    assert!(bucket.get(pack).expect("it works") == sound);
}

/// radosgw 16.2 takes a retention until 2107 and deletes all the same.
fn promises_that_do_not_hold_are_an_alarm(engine: &RadosGw) {
    let room = Room::with_house();
    attach(&room, &S3Settings { prefix: "h".into(), ..engine.bucket("locked", ObjectLock::On) });
    let probed = room.run(&["probe"]);
    assert!(probed.code == 1 && probed.out.contains("broken"), "{probed:?}");
}

/// A second house with the same bucket and prefix finds a vault there that is not its own.
fn another_house_is_kept_out(settings: &S3Settings) {
    let room = Room::with_house();
    room.furnish();
    attach(&room, settings);
    room.file("x", b"x");
    let refused = room.run_as("P-2", &["preserve", "A-1", text(&room.path("x"))]);
    assert!(refused.code != 0 && refused.err.contains("already"), "{refused:?}");
}

/// Ask first: what a demand needs is the log, not the packs.
fn a_letter_is_taken_while_the_engine_is_away(engine: &mut RadosGw, room: &Room) {
    engine.kill_gateway();
    let letter = room.file("letter.eml", LETTER.as_bytes());
    discreet(room.run_as("P-2", &["intake", text(&letter)])).ok();
    assert_eq!(room.run(&["gate", "check", "A-1"]).code, 1, "blocked by the letter");
    let away = discreet(room.run_as("P-2", &["snapshot", "verify", "S-1"]));
    assert!(away.code == 3 && away.err.contains("did not answer"), "{away:?}");
    let silent = discreet(room.run(&["--json", "probe"]));
    assert_eq!((silent.code, &silent.json()["items"][0]["outcome"]), (1, &"silent".into()));
    engine.start_gateway();
    discreet(room.run_as("P-2", &["snapshot", "verify", "S-1"])).ok();
    // The letter holds the snapshot: its packs are drawn, and come back.
    let probed = discreet(room.run(&["--json", "probe"]));
    let found = probed.json();
    assert_eq!((probed.code, &found["bad"], &found["lost"]), (0, &json!([]), &json!([])));
    assert!(found["read_back"].as_u64().expect("a number") >= 3, "{found}");
    assert_eq!(room.run(&["--json", "status"]).json()["engine_bad"], json!([]));
}

#[test]
fn settings_of_a_bucket_that_cannot_be_used_are_named() {
    let room = Room::with_house();
    room.furnish();
    room.file("x", b"x");
    let settings = room.path("house/bailee.toml");
    let before = fs::read_to_string(&settings).expect("it works");
    let s3 = "[vault]\nobjects = \"s3\"\nendpoint = \"http://127.0.0.1:1\"\nbucket = \"kept\"\n";
    let preserve = |section: &str| {
        fs::write(&settings, format!("{before}\n{section}")).expect("it works");
        room.run_as("P-2", &["preserve", "A-1", text(&room.path("x"))])
    };
    for (section, named) in [
        ("[vault]\nobject = \"s3\"\n", "object"),
        ("[vault]\nobjects = \"s3\"\n", "needs endpoint"),
        (s3, "AWS_ACCESS_KEY_ID"),
        (&format!("{s3}credentials = \"none\"\n"), "none"),
    ] {
        let refused = preserve(section);
        assert!(refused.code != 0 && refused.err.contains(named), "{named}: {refused:?}");
    }
    preserve("").ok();
    let disk = room.run(&["--json", "probe"]);
    let kept = disk.json()["items"].as_array().expect("findings").clone();
    assert!(disk.code == 0 && kept.iter().all(|f| f["outcome"] == "holds"), "{disk:?}");
    let open =
        room.file("house/keys/s3.toml", b"access_key_id = \"a\"\nsecret_access_key = \"b\"\n");
    fs::set_permissions(open, fs::Permissions::from_mode(0o644)).expect("it works");
    let refused = preserve(&format!("{s3}credentials = \"keys/s3.toml\"\n"));
    assert!(refused.code != 0 && refused.err.contains("chmod 600"), "{refused:?}");
}
