//! What of this process's memory could come to lie on a disk in clear: core dumps, which are turned
//! off, and swap, which only the administrator can encrypt.
//!
//! Invariants
//! 1. After [`no_dumps`] no core of this process is written, to a file or to a collector, and the
//!    programs it starts inherit the limit.
//! 2. A swap area counts as encrypted only where the system shows that every device below it is
//!    under dm-crypt; whatever cannot be seen counts as in clear.
//!
//! Why keys are not locked into memory: the plain bytes of chunks go through the same memory, as
//! many as there are threads, so locking 32 bytes would promise what it does not keep. Out of
//! scope: images of hibernation, memory of a virtual machine that its host writes to a disk.

use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Devices below devices are followed so deep.
const DEEP: u32 = 16;

/// No core of this process is ever written.
///
/// # Errors
/// The system's own.
pub fn no_dumps() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // The limit is not asked where a collector takes cores from a pipe.
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Swap areas of this machine that are not seen to be encrypted. Memory that was swapped out lies
/// there for as long as nothing is written over it, keys and plain bytes among it.
///
/// # Errors
/// The list of swap areas is there and cannot be read.
pub fn swap_in_clear() -> io::Result<Vec<String>> {
    in_clear(Path::new("/"))
}

fn in_clear(root: &Path) -> io::Result<Vec<String>> {
    let listed = match std::fs::read(root.join("proc/swaps")) {
        Ok(listed) => String::from_utf8_lossy(&listed).into_owned(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let area = |line: &str| {
        let mut words = line.split_whitespace();
        Some((plain(words.next()?), words.next()? == "file"))
    };
    let areas = listed.lines().skip(1).filter_map(area);
    let open = areas.filter(|(path, is_file)| {
        let device = if *is_file { below_file(root, path) } else { below_area(root, path) };
        !device.is_some_and(|device| is_sealed(&device, DEEP))
    });
    Ok(open.map(|(path, _)| path).collect())
}

/// The device that a swap area is, as the system shows it.
fn below_area(root: &Path, path: &str) -> Option<PathBuf> {
    std::fs::canonicalize(root.join("sys/class/block").join(Path::new(path).file_name()?)).ok()
}

/// The device on which a swap file lies.
fn below_file(root: &Path, path: &str) -> Option<PathBuf> {
    let device = rustix::fs::stat(root.join(path.trim_start_matches('/'))).ok()?.st_dev;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    std::fs::canonicalize(root.join(format!("sys/dev/block/{major}:{minor}"))).ok()
}

/// Whether whatever is written to a device is encrypted, or never leaves memory.
fn is_sealed(device: &Path, deep: u32) -> bool {
    let says = |name: &str| std::fs::read_to_string(device.join(name)).unwrap_or_default();
    if says("dm/uuid").starts_with("CRYPT-") {
        return true;
    }
    let name = device.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with("zram") {
        return matches!(says("backing_dev").trim(), "" | "none");
    }
    if deep == 0 {
        return false;
    }
    if device.join("partition").exists() {
        return device.parent().is_some_and(|disk| is_sealed(disk, deep - 1));
    }
    let below = std::fs::read_dir(device.join("slaves")).into_iter().flatten().flatten();
    let mut below = below.map(|entry| std::fs::canonicalize(entry.path())).peekable();
    below.peek().is_some() && below.all(|one| one.is_ok_and(|one| is_sealed(&one, deep - 1)))
}

/// A path of the list, whose blanks are written in octal.
fn plain(word: &str) -> String {
    let mut parts = word.split('\\');
    let mut path = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => path.extend([char::from(code)].into_iter().chain(part[3..].chars())),
            None => path.extend(['\\'].into_iter().chain(part.chars())),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const HEAD: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

    /// Its path, files with their text, and what it lies on.
    type Device<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

    /// A machine with these swap areas and devices.
    fn machine(swaps: &str, devices: &[Device<'_>]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for dir in ["proc", "sys/class/block", "sys/dev/block", "sys/devices"] {
            fs::create_dir_all(path(dir)).unwrap();
        }
        fs::write(path("proc/swaps"), format!("{HEAD}{swaps}")).unwrap();
        for (device, files, below) in devices {
            let name = device.rsplit('/').next().unwrap();
            let dir = path("sys/devices").join(device);
            fs::create_dir_all(dir.join("dm")).unwrap();
            files.iter().for_each(|(file, text)| fs::write(dir.join(file), text).unwrap());
            symlink(&dir, path("sys/class/block").join(name)).unwrap();
            fs::create_dir_all(dir.join("slaves")).unwrap();
            for one in *below {
                symlink(path("sys/devices").join(one), dir.join("slaves").join(one)).unwrap();
            }
        }
        root
    }

    #[test]
    fn an_area_is_in_clear_unless_all_below_it_is_seen_to_be_encrypted() {
        let swaps = "/dev/sda2 partition 1 0 -2\n/dev/dm-1 partition 1 0 -3\n\
                     /dev/dm-2 partition 1 0 -3\n/dev/dm-3 partition 1 0 -3\n\
                     /dev/zram0 partition 1 0 100\n/dev/zram1 partition 1 0 100\n\
                     /dev/dm-4p1 partition 1 0 -4\n/dev/gone partition 1 0 -4\n";
        let crypt: &[(&str, &str)] = &[("dm/uuid", "CRYPT-PLAIN-swap\n")];
        let lvm: &[(&str, &str)] = &[("dm/uuid", "LVM-abc\n")];
        let root = machine(
            swaps,
            &[
                ("sda", &[], &[]),
                ("sda/sda2", &[("partition", "2\n")], &[]),
                ("dm-0", crypt, &["sda"]),
                ("dm-1", crypt, &["sda"]),
                ("dm-2", lvm, &["dm-0"]),
                ("dm-3", lvm, &["dm-0", "sda"]),
                ("zram0", &[("backing_dev", "none\n")], &[]),
                ("zram1", &[("backing_dev", "/dev/sda3\n")], &[]),
                ("dm-4", crypt, &["sda"]),
                ("dm-4/dm-4p1", &[("partition", "1\n")], &[]),
            ],
        );
        let open = in_clear(root.path()).unwrap();
        assert_eq!(open, ["/dev/sda2", "/dev/dm-3", "/dev/zram1", "/dev/gone"]);
    }

    #[test]
    fn a_file_is_as_its_file_system_and_a_machine_without_swap_has_none_in_clear() {
        let root = machine("/swap\\040file file 1 0 -2\n", &[("dm-7", &[], &[])]);
        fs::write(root.path().join("swap file"), b"").unwrap();
        assert_eq!(in_clear(root.path()).unwrap(), ["/swap file"]);
        let device = rustix::fs::stat(root.path().join("swap file")).unwrap().st_dev;
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let dir = root.path().join("sys/devices/dm-7");
        symlink(&dir, root.path().join(format!("sys/dev/block/{major}:{minor}"))).unwrap();
        assert_eq!(in_clear(root.path()).unwrap(), ["/swap file"]);
        fs::write(dir.join("dm/uuid"), "CRYPT-LUKS2-abc\n").unwrap();
        assert!(in_clear(root.path()).unwrap().is_empty());
        assert!(in_clear(machine("", &[]).path()).unwrap().is_empty());
        assert!(in_clear(&root.path().join("nowhere")).unwrap().is_empty());
        let listed = fs::read_to_string("/proc/swaps").map_or(0, |text| text.lines().count());
        assert!(swap_in_clear().unwrap().len() <= listed.saturating_sub(1));
    }

    #[test]
    fn a_loop_of_devices_ends() {
        let root = machine("/dev/dm-1 partition 1 0 -2\n", &[("dm-1", &[], &["dm-1"])]);
        assert_eq!(in_clear(root.path()).unwrap(), ["/dev/dm-1"]);
    }

    #[test]
    fn blanks_are_read_and_what_is_no_code_stays() {
        assert_eq!(plain("/a\\040b\\134c\\9"), "/a b\\c\\9");
    }

    #[test]
    fn no_core_is_left() {
        no_dumps().unwrap();
        let limit = rustix::process::getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        let now = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(now, DumpableBehavior::NotDumpable);
    }
}
