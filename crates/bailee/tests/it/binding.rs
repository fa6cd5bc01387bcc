//! What is the same medium is one asset's only, and what the house stands on is nobody's: real
//! files and loop devices, registered before this was so and after.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;

use bailee_ledger::to_hex;
use bailee_server::core::asset::{AssetKind, Identifier, IdentifierKind};
use bailee_server::core::id::PartyId;
use bailee_server::core::{Action, By, Command as Order, NewAsset};
use bailee_server::sanitize::Identity;
use bailee_server::{Clock, House};

use crate::room::{Room, Said, text};
use crate::wire::{Server, token};

const SIZE: usize = 4 << 20;

/// A loop device over a file, until dropped; `None`, said plainly, where none can be had.
struct Loop(PathBuf);

impl Loop {
    fn over(file: &Path, more: &[&str]) -> Option<Loop> {
        if !rustix::process::geteuid().is_root() {
            _ = std::io::Write::write_all(&mut std::io::stderr(), b"NOT RUN: needs root\n");
            return None;
        }
        let out = Command::new("losetup").args(["-f", "--show"]).args(more).arg(file).output();
        let out = out.expect("losetup");
        assert!(out.status.success(), "{out:?}");
        Some(Loop(String::from_utf8(out.stdout).expect("a path").trim().into()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        _ = Command::new("losetup").arg("-d").arg(&self.0).status();
        // The kernel lets go of it once nobody has it open: whoever looks at all devices has, for
        // a moment.
        let name = self.0.file_name().expect("a device");
        let behind = Path::new("/sys/block").join(name).join("loop/backing_file");
        let began = std::time::Instant::now();
        while behind.exists() && began.elapsed() < std::time::Duration::from_secs(10) {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

fn add(room: &Room, label: &str, device: &Path) -> Said {
    let args = ["asset", "add", label, "--kind", "drive", "--device", text(device)];
    room.run_as("P-2", &args)
}

#[track_caller]
fn is_taken(said: &Said, by: &str) {
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("identifier_taken") && said.err.contains(by), "{said:?}");
}

/// Proposes to sanitize the asset, which nobody is to be told of, and approves it.
fn approve(room: &Room, asset: &str, disposition: &str) {
    room.run_as("P-2", &["disposition", "propose", "sanitize", asset, "--note", "end"]).ok();
    room.run_as("P-3", &["disposition", "approve", disposition]).ok();
    room.run_as("P-1", &["disposition", "approve", disposition]).ok();
}

fn sanitize(room: &Room, asset: &str, disposition: &str, device: &Path) -> Said {
    let log = room.path("run.log");
    let args = ["sanitize", asset, "--device", text(device), "--disposition", disposition];
    room.run_as("P-2", &[&args[..], &["--log", text(&log)]].concat())
}

#[test]
fn a_device_of_another_asset_is_refused_whatever_its_size_or_window() {
    let room = Room::with_house();
    let disk = room.file("disk.img", &vec![0xA5; SIZE]);
    let other = room.file("other.img", &vec![0x5A; SIZE]);
    add(&room, "vm-1", &disk).ok();
    add(&room, "vm-2", &other).ok();
    for more in [&[][..], &["-o", "4096"], &["-o", "8192", "--sizelimit", "4096"]] {
        let Some(device) = Loop::over(&disk, more) else { continue };
        is_taken(&add(&room, "again", &device.0), "A-1");
        let moved = ["asset", "relabel", "A-2", "vm-2", "--device", text(&device.0)];
        is_taken(&room.run_as("P-2", &moved), "A-1");
    }
    let grow = OpenOptions::new().write(true).open(&disk).expect("a file");
    grow.set_len(SIZE as u64 + 4096).expect("room");
    is_taken(&add(&room, "grown", &disk), "A-1");
    // Its own asset takes the device that grew, and lets go of it.
    let own = ["asset", "relabel", "A-1", "vm-1", "--device", text(&disk)];
    room.run_as("P-2", &own).ok();
    approve(&room, "A-1", "X-1");
    let done = sanitize(&room, "A-1", "X-1", &disk);
    assert_eq!(done.code, 0, "{done:?}");
    // What is destroyed is used again, under another number.
    add(&room, "again", &disk).ok();
    assert_eq!(room.run(&["check"]).code, 0);
}

/// Two assets as houses before this had them: bound by nothing but the digest.
fn bound_before(room: &Room, devices: &[&Path]) {
    let house = House::open(&room.house(), Clock::Wall).expect("the house");
    for (n, device) in devices.iter().enumerate() {
        let identity = Identity::of_path(device).expect("a device");
        let value = to_hex(&identity.digest());
        let new = NewAsset {
            kind: AssetKind::Drive,
            label: format!("old-{n}"),
            accounts: Vec::new(),
            identifiers: vec![Identifier { kind: IdentifierKind::Identity, value }],
            part_of: None,
            copy_of: Vec::new(),
            place: String::new(),
            bytes: identity.size,
        };
        let order = Order { by: By::Party(PartyId(2)), action: Action::RegisterAsset(new) };
        house.submit(order, Vec::new()).expect("registered");
    }
}

#[test]
fn assets_that_had_one_device_between_them_before_are_not_overwritten() {
    let room = Room::with_house();
    let disk = room.file("disk.img", &vec![0xA5; SIZE]);
    let Some(window) = Loop::over(&disk, &["-o", "4096"]) else { return };
    bound_before(&room, &[&disk, &window.0]);
    let place = ["hold", "place", "--asset", "A-1", "--instrument", "letter", "--note", "Keep"];
    room.run_as("P-2", &place).ok();
    approve(&room, "A-2", "X-1");
    is_taken(&sanitize(&room, "A-2", "X-1", &window.0), "A-1");
    let reserve = ["clearance", "reserve", "X-1", "A-2", "--device", text(&window.0)];
    is_taken(&room.run_as("P-2", &reserve), "A-1");

    let status = room.run(&["--json", "status"]).json();
    let key = status["clearance_key"].as_str().expect("a key").to_owned();
    let agent = token(&room, "P-2", "agent");
    let server = Server::start(&room);
    let device = text(&window.0);
    let order = ["sanitize", "A-2", "--device", device, "--disposition", "X-1"];
    let keyed = [&order[..], &["--clearance-key", &key]].concat();
    is_taken(&server.run(&agent, &keyed), "A-1");
    assert_eq!(fs::read(&disk).expect("the disk"), vec![0xA5; SIZE], "not one byte was written");
}

#[test]
fn what_the_house_stands_on_is_neither_bound_nor_overwritten() {
    let room = Room::with_house();
    let key = room.house().join("keys/vault.key");
    let (bytes, hard) = (fs::read(&key).expect("a key"), room.path("hard"));
    fs::hard_link(&key, &hard).expect("a link");
    for name in [&key, &hard] {
        let said = add(&room, "keyfile", name);
        assert!(said.code == 1 && said.err.contains("in_data_directory"), "{said:?}");
    }
    bound_before(&room, &[&hard]);
    approve(&room, "A-1", "X-1");
    let said = sanitize(&room, "A-1", "X-1", &hard);
    assert!(said.code == 1 && said.err.contains("in_data_directory"), "{said:?}");

    let (agent, operator) = (token(&room, "P-2", "agent"), token(&room, "P-2", "operator"));
    let status = room.run(&["--json", "status"]).json();
    let clearance_key = status["clearance_key"].as_str().expect("a key").to_owned();
    let server = Server::start(&room);
    // One that no asset was bound to before.
    let journal = room.house().join("journal.sqlite");
    let again = ["asset", "add", "again", "--kind", "drive", "--device", text(&journal)];
    let said = server.run(&operator, &again);
    assert!(said.code == 1 && said.err.contains("in_data_directory"), "{said:?}");
    let order = ["sanitize", "A-1", "--device", text(&hard), "--disposition", "X-1"];
    let said = server.run(&agent, &[&order[..], &["--clearance-key", &clearance_key]].concat());
    assert!(said.code == 1 && said.err.contains("in_data_directory"), "{said:?}");
    assert_eq!(fs::read(&key).expect("the key"), bytes);
}

#[test]
fn a_copy_of_another_device_does_not_speak_for_the_one_that_is_bound() {
    let room = Room::with_house();
    let disk = room.file("disk.img", &vec![0xA5; SIZE]);
    let other = room.file("other.img", &vec![0x5A; SIZE]);
    add(&room, "vm-1", &disk).ok();
    let keep = |device: &Path| room.run_as("P-2", &["preserve", "A-1", text(device), "--device"]);
    let said = keep(&other);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("wrong_subject") && said.err.contains("A-1"), "{said:?}");
    keep(&disk).ok();
    if let Some(window) = Loop::over(&disk, &["-o", "4096"]) {
        let said = keep(&window.0);
        assert!(said.code == 1 && said.err.contains("wrong_subject"), "{said:?}");
    }
    // Neither a name nor a typed number makes another device this one.
    let rebind = ["asset", "relabel", "A-1", "vm-1", "--name", "spare", "--serial", "SN-77"];
    for more in [&[][..], &["--device", text(&other)]] {
        let said = room.run_as("P-2", &[&rebind[..], more].concat());
        let bound = !more.is_empty();
        assert_eq!(said.code, i32::from(bound), "{said:?}");
        assert_eq!(said.err.contains("device_bound"), bound, "{said:?}");
    }
}
