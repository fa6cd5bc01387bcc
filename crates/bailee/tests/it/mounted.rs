//! A device on which a file system is mounted writable is no source that stands still.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::room::{Room, text};
use crate::wire::{Server, token};

fn done(program: &str, args: &[&str]) -> Option<String> {
    let out = Command::new(program).args(args).output().ok().filter(|out| out.status.success())?;
    Some(String::from_utf8(out.stdout).expect("text").trim().to_owned())
}

/// A loop device with a file system that is mounted.
struct Mounted {
    device: String,
    at: String,
}

impl Mounted {
    fn new(image: &Path, at: &Path) -> Option<Mounted> {
        done("mke2fs", &["-q", "-F", text(image)])?;
        std::fs::create_dir(at).expect("a directory");
        let device = done("losetup", &["--find", "--show", text(image)])?;
        let mounted = Mounted { device, at: text(at).to_owned() };
        done("mount", &[&mounted.device, &mounted.at]).map(|_| mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        done("umount", &[&self.at]);
        done("losetup", &["-d", &self.device]);
    }
}

#[test]
#[allow(clippy::print_stderr)] // a check that was left out is said
fn a_device_that_is_mounted_writable_is_kept_only_as_one_that_changed() {
    let room = Room::with_house();
    room.furnish();
    let image = room.file("image", &vec![0; 1 << 20]);
    let Some(mounted) = Mounted::new(&image, &room.path("at")) else {
        eprintln!("no file system can be mounted here: a mounted device was not tried");
        return;
    };
    let no_device = room.run_as("P-2", &["preserve", "A-1", text(&image), "--while-mounted"]);
    assert!(no_device.code == 2 && no_device.err.contains("is no device"), "{no_device:?}");
    let preserve = ["--json", "preserve", "A-1", &mounted.device];
    let operator = token(&room, "P-2", "operator");
    for more in [&[][..], &["--device"]] {
        let said = room.run_as("P-2", &[&preserve, more].concat());
        assert!(said.code == 1 && said.err.contains("device_mounted"), "{said:?}");
        assert!(said.err.contains(&mounted.at) && said.err.contains("--while-mounted"), "{said:?}");
    }
    let kept = room.run_as("P-2", &[&preserve[..], &["--while-mounted"]].concat());
    let json = kept.json();
    assert_eq!((kept.code, &json["changed"], &json["unreadable"]), (1, &json!(1), &json!(0)));
    let shown = room.run(&["--json", "snapshot", "show", "S-1"]).json();
    assert_eq!((&shown["changed"], &shown["unreadable"]), (&json!(1), &json!(0)), "{shown}");
    let server = Server::start(&room);
    let said = server.run(&operator, &preserve);
    assert!(said.code == 1 && said.err.contains("device_mounted"), "{said:?}");
    let kept = server.run(&operator, &[&preserve[..], &["--while-mounted"]].concat());
    assert_eq!((kept.code, &kept.json()["changed"]), (1, &json!(1)), "{kept:?}");
    drop(server);
    done("mount", &["-o", "remount,ro", &mounted.at]).expect("it can be written to no more");
    let kept = room.run_as("P-2", &preserve);
    assert_eq!((kept.code, &kept.json()["changed"]), (0, &json!(0)), "{kept:?}");
}
