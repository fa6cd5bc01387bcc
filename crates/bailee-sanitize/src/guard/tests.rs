//! Machines that do not exist, described by directories.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{check_disk, check_file};
use crate::error::SanitizeError;
use crate::host::Host;
use crate::identity::{Backing, DeviceNumber, Identity, Kind};

const TMPFS_ROOT: &str = "20 1 0:21 / / rw - tmpfs none rw\n";

struct Machine {
    root: TempDir,
}

impl Machine {
    /// A diskless machine with nothing mounted and no swap.
    fn new() -> Machine {
        let machine = Machine { root: tempfile::tempdir().unwrap() };
        for dir in ["sys/dev/block", "sys/block", "sys/devices", "proc/self", "dev"] {
            fs::create_dir_all(machine.path(dir)).unwrap();
        }
        machine.put("proc/self/mountinfo", TMPFS_ROOT);
        machine.put("proc/swaps", "Filename\n");
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A disk at `sys/devices/<place>`.
    fn disk(self, place: &str, number: &str) -> Machine {
        self.part(place, number);
        let name = place.rsplit('/').next().unwrap();
        symlink(
            self.path(&format!("sys/devices/{place}")),
            self.path(&format!("sys/block/{name}")),
        )
        .unwrap();
        self
    }

    fn part(&self, place: &str, number: &str) {
        self.put(&format!("sys/devices/{place}/dev"), number);
        self.put(&format!("sys/devices/{place}/ro"), "0\n");
        for dir in ["holders", "slaves"] {
            fs::create_dir_all(self.path(&format!("sys/devices/{place}/{dir}"))).unwrap();
        }
        let target = self.path(&format!("sys/devices/{place}"));
        symlink(target, self.path(&format!("sys/dev/block/{number}"))).unwrap();
    }

    fn with(self, name: &str, text: &str) -> Machine {
        self.put(name, text);
        self
    }

    fn check(&self, number: &str) -> Result<(), SanitizeError> {
        let identity = Identity {
            kind: Kind::Block,
            size: 1,
            model: None,
            serial: Some("S".into()),
            wwn: None,
            uuid: None,
            backing: None,
            attachment: None,
        };
        check_disk(&Host::at(self.root.path()), number.parse().unwrap(), &identity)
    }

    fn code(&self, number: &str) -> &'static str {
        self.check(number).map_or_else(|e| e.code(), |()| "idle")
    }
}

fn sda() -> Machine {
    let machine = Machine::new().disk("ata1/sda", "8:0");
    machine.part("ata1/sda/sda1", "8:1");
    machine.with("sys/devices/ata1/sda/sda1/partition", "1\n")
}

fn mounted(line: &str) -> String {
    format!("{TMPFS_ROOT}{line}\n")
}

#[test]
fn an_idle_disk_passes() {
    assert_eq!(sda().code("8:0"), "idle");
}

#[test]
fn each_use_is_refused_by_name() {
    let mount =
        |dev: &str, source: &str| mounted(&format!("36 20 {dev} / /mnt rw - x {source} rw"));
    let link = |machine: Machine, name: &str| machine.with(name, "");
    assert_eq!(sda().code("8:1"), "is_partition");
    assert_eq!(sda().with("sys/devices/ata1/sda/ro", "1\n").code("8:0"), "read_only");
    assert_eq!(link(sda(), "sys/devices/ata1/sda/slaves/sdb").code("8:0"), "stacked_device");
    assert_eq!(link(sda(), "sys/devices/ata1/sda/holders/md0").code("8:0"), "has_holders");
    assert_eq!(link(sda(), "sys/devices/ata1/sda/sda1/holders/dm-0").code("8:0"), "has_holders");
    for dev in ["8:0", "8:1"] {
        let machine = sda().with("proc/self/mountinfo", &mount(dev, "/dev/none"));
        assert_eq!(machine.code("8:0"), "mounted", "{dev}");
    }
    let elsewhere = sda().with("proc/self/mountinfo", &mount("8:16", "/dev/none"));
    assert_eq!(elsewhere.code("8:0"), "idle");
}

#[test]
fn what_cannot_be_told_is_refused() {
    let torn = sda().with("proc/self/mountinfo", &format!("{TMPFS_ROOT}garbage\n"));
    assert_eq!(torn.code("8:0"), "undeterminable");
    let blind = sda();
    fs::remove_file(blind.path("proc/self/mountinfo")).unwrap();
    assert_eq!(blind.code("8:0"), "undeterminable");
    let swap = sda().with("proc/swaps", "Filename\n/gone\\040(deleted) file 1 2 -2\n");
    assert_eq!(swap.code("8:0"), "undeterminable");
    let overlay = "20 1 0:21 / / rw - overlay overlay rw\n";
    assert_eq!(sda().with("proc/self/mountinfo", overlay).code("8:0"), "undeterminable");
    assert_eq!(sda().with("proc/self/mountinfo", "").code("8:0"), "undeterminable");
    assert_eq!(sda().code("8:32"), "undeterminable");
    let no_ro = sda();
    fs::remove_file(no_ro.path("sys/devices/ata1/sda/ro")).unwrap();
    assert_eq!(no_ro.code("8:0"), "read_only");
}

/// / on dm-0 on sdb2 on sdb: sdb is found through all layers, sda is not it.
#[test]
fn the_system_disk_is_found_below_stacked_devices() {
    let machine = sda().disk("ata2/sdb", "8:16").disk("virtual/dm-0", "253:0");
    machine.part("ata2/sdb/sdb2", "8:18");
    machine.put("sys/devices/ata2/sdb/sdb2/partition", "2\n");
    let slaves = machine.path("sys/devices/virtual/dm-0/slaves/sdb2");
    symlink(machine.path("sys/devices/ata2/sdb/sdb2"), slaves).unwrap();
    let machine = machine.with("proc/self/mountinfo", "20 1 253:0 / / rw - ext4 /dev/none rw\n");
    assert_eq!(machine.code("8:16"), "system_disk");
    assert_eq!(machine.code("8:0"), "idle");
}

#[test]
fn a_medium_with_two_ways_to_it_is_refused() {
    let twin = sda()
        .disk("ata2/sdb", "8:16")
        .with("sys/devices/ata1/sda/device/wwid", "naa.5\n")
        .with("sys/devices/ata2/sdb/device/wwid", "naa.5\n");
    assert_eq!(twin.code("8:0"), "shared");
    let other = twin.with("sys/devices/ata2/sdb/device/wwid", "naa.6\n");
    assert_eq!(other.code("8:0"), "idle");
    let fabric = Machine::new().disk("host1/rport-1:0-0/sdc", "8:32");
    assert_eq!(fabric.code("8:32"), "shared");
    let far = Machine::new().disk("nvme1/nvme1n1", "259:0");
    let far = far.with("sys/devices/nvme1/nvme1n1/device/transport", "tcp\n");
    assert_eq!(far.code("259:0"), "shared");
    let near = far.with("sys/devices/nvme1/nvme1n1/device/transport", "pcie\n");
    assert_eq!(near.code("259:0"), "idle");
}

/// Native NVMe multipath shows one hidden node per controller.
#[test]
fn one_hidden_path_is_the_disk_itself_two_are_not() {
    let mut machine = Machine::new()
        .disk("nvme0/nvme0n1", "259:0")
        .with("sys/devices/nvme0/nvme0n1/wwid", "eui.1\n");
    for (node, number, expected) in
        [("nvme0c0n1", "259:1", "idle"), ("nvme0c1n1", "259:2", "shared")]
    {
        machine = machine
            .disk(&format!("nvme0/{node}"), number)
            .with(&format!("sys/devices/nvme0/{node}/wwid"), "eui.1\n")
            .with(&format!("sys/devices/nvme0/{node}/hidden"), "1\n");
        assert_eq!(machine.code("259:0"), expected);
    }
}

#[test]
fn a_file_used_as_swap_is_refused() {
    let machine = Machine::new();
    let file = machine.path("swapfile");
    fs::write(&file, "x").unwrap();
    let meta = fs::metadata(&file).unwrap();
    let backing = Backing {
        device: DeviceNumber::from_raw(std::os::unix::fs::MetadataExt::dev(&meta)),
        inode: std::os::unix::fs::MetadataExt::ino(&meta),
        born: None,
        offset: 0,
        limit: 0,
    };
    let host = Host::at(machine.root.path());
    assert!(check_file(&host, &backing).is_ok());
    machine.put("proc/swaps", &format!("Filename\n{} file 1 0 -2\n", file.display()));
    assert_eq!(check_file(&host, &backing).unwrap_err().code(), "in_use_as_swap");
}
