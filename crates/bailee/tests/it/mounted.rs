//! A device on which a file system is mounted writable is no source that stands still.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

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

/// A loop device more.
struct Loop(String);

impl Drop for Loop {
    fn drop(&mut self) {
        done("losetup", &["-d", &self.0]);
    }
}

/// The same, mounted where nobody else sees it.
struct Elsewhere(Child);

impl Elsewhere {
    fn mount(of: &Mounted) -> Elsewhere {
        let script = "mount \"$0\" \"$1\" && echo up && read end";
        let mut shell = Command::new("unshare");
        shell.args(["--mount", "--propagation", "private", "sh", "-c", script]);
        shell.args([&of.device, &of.at]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = shell.spawn().expect("unshare");
        let mut said = String::new();
        let out = child.stdout.as_mut().expect("its output");
        BufReader::new(out).read_line(&mut said).expect("a line");
        assert_eq!(said, "up\n");
        Elsewhere(child)
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        drop(self.0.stdin.take()); // its end
        drop(self.0.wait());
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
    // Another loop device over the same image, and a window over the device.
    for mut of in [vec![text(&image)], vec!["--offset", "4096", &mounted.device]] {
        of.splice(0..0, ["--find", "--show", "--read-only"]);
        let other = Loop(done("losetup", &of).expect("another loop device"));
        let said = room.run_as("P-2", &["--json", "preserve", "A-1", &other.0]);
        assert!(said.code == 1 && said.err.contains("device_mounted"), "{of:?}: {said:?}");
        assert!(said.err.contains(&mounted.at), "{said:?}");
    }
    let said = room.run_as("P-2", &["preserve", "A-1", text(&image), "--device"]);
    assert!(said.code == 1 && said.err.contains("device_mounted"), "the image itself: {said:?}");
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
    done("umount", &[&mounted.at]).expect("it is mounted nowhere");
    let elsewhere = Elsewhere::mount(&mounted);
    let said = room.run_as("P-2", &preserve);
    assert!(said.code == 1 && said.err.contains("device_mounted"), "{said:?}");
    drop(elsewhere);
    assert_eq!(room.run_as("P-2", &preserve).code, 0, "nobody writes to it any more");
    done("mkswap", &[&mounted.device]).expect("a swap area");
    if done("swapon", &[&mounted.device]).is_some() {
        let said = room.run_as("P-2", &preserve);
        done("swapoff", &[&mounted.device]).expect("no swap any more");
        assert!(said.code == 1 && said.err.contains("is swap"), "{said:?}");
    }
}
