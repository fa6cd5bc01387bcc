//! /proc/self/mountinfo and /proc/swaps, read strictly.
//!
//! Invariant: a line that cannot be understood is an error, never skipped; a mount that is not seen
//! is a file system that gets destroyed.
//!
//! Source: proc_pid_mountinfo(5), proc_swaps(5). Out of scope: other mount namespaces (`host.rs`
//! reads those it may); a mount there shows as the kernel's exclusive claim on the device.

use crate::identity::DeviceNumber;

/// One line of mountinfo.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Device of the file system; major 0 for those without one.
    pub(crate) device: DeviceNumber,
    /// Where it is mounted.
    pub(crate) at: String,
    /// File system type.
    pub(crate) fstype: String,
    /// What was mounted, as given to mount.
    pub(crate) source: String,
    /// Whether the file system may be written to, here or at another place.
    pub(crate) writable: bool,
}

/// All mounts, in the kernel's order. Errors: the line that is not one.
pub(crate) fn parse_mountinfo(text: &str) -> Result<Vec<Mount>, String> {
    text.lines().map(|line| parse_mount(line).ok_or_else(|| format!("odd line: {line}"))).collect()
}

fn parse_mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(2);
    let device = fields.next()?.parse().ok()?;
    let at = unescape(fields.nth(1)?)?;
    let mut tail = after.split(' ');
    let fstype = tail.next()?.to_string();
    let source = unescape(tail.next()?)?;
    let writable = tail.next().is_none_or(|options| options.split(',').all(|o| o != "ro"));
    Some(Mount { device, at, fstype, source, writable })
}

/// Paths of all swap areas. Errors: the line that is not one.
pub(crate) fn parse_swaps(text: &str) -> Result<Vec<String>, String> {
    let areas = text.lines().skip(1).filter(|l| !l.trim().is_empty());
    areas
        .map(|line| {
            let path = line.split([' ', '\t']).next().unwrap_or("");
            unescape(path).filter(|p| p.starts_with('/')).ok_or_else(|| format!("odd line: {line}"))
        })
        .collect()
}

/// Undoes `\ooo` escapes.
fn unescape(field: &str) -> Option<String> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'\\' {
            out.push(byte);
            rest = tail;
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..3)?).ok()?;
        out.push(u8::from_str_radix(digits, 8).ok()?);
        rest = &tail[3..];
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::{parse_mountinfo, parse_swaps};

    #[test]
    fn reads_optional_fields_and_escapes() {
        let text = "36 35 98:0 /mnt1 /a\\040b rw,noatime master:1 shared:7 - ext3 /dev/root rw\n\
                    27 1 254:0 / / rw - ext4 /dev/vda rw\n";
        let mounts = parse_mountinfo(text).unwrap();
        assert_eq!(mounts[0].at, "/a b");
        assert_eq!(mounts[0].source, "/dev/root");
        assert_eq!(mounts[0].device.to_string(), "98:0");
        assert_eq!(mounts[1].fstype, "ext4");
        assert!(mounts[0].writable);
        let text =
            "36 35 98:0 / /a rw - ext4 /dev/a ro,errors=x\n9 8 98:1 / /b ro - xfs /dev/b rw\n";
        let writable = parse_mountinfo(text).unwrap().into_iter().map(|mount| mount.writable);
        assert_eq!(writable.collect::<Vec<_>>(), [false, true], "the file system's word counts");
    }

    #[test]
    fn a_line_that_is_not_one_is_an_error() {
        for bad in ["", "x", "36 35 98:0 / /a rw ext4", "36 35 98 / /a rw - ext4 /dev/a rw"] {
            assert!(parse_mountinfo(&format!("{bad}\n")).is_err(), "{bad:?}");
        }
        assert!(parse_swaps("Filename Type\nnonsense 1 2\n").is_err());
    }

    #[test]
    fn reads_swap_areas() {
        let text = "Filename\tType\tSize\n/dev/sda2   partition 1 2 -2\n/my\\040file file 1 2 -3\n";
        assert_eq!(parse_swaps(text).unwrap(), ["/dev/sda2", "/my file"]);
        assert!(parse_swaps("Filename\tType\n").unwrap().is_empty());
    }
}
