//! What the files of a bag are called.
//!
//! Invariants: payload names hold no byte that readers of manifests disagree on. RFC 8493 has `%`
//! written as `%25`, the usual reader does not undo it, and ends a line, or takes from its end,
//! what Unicode calls white space; so awkward names are written with `=XX`. What is too long for a
//! reader is refused by its path before anything is written.

use std::fmt::Write as _;
use std::path::Path;

use super::failed;
use crate::error::VaultError;
use crate::manifest::Stored;
use crate::preserve::path_of;

/// Bytes that a system takes as a path, its end included, and as a name.
const PATH: usize = 4096;
const NAME: usize = 255;
/// So much of a path that is too long is shown.
const SHOWN: usize = 200;
const TOO_LONG: &str = "in a bag a name has at most 255 bytes, =XX counted as three, and a path \
    with the bag's own 4095: export the snapshot as an archive (--form tar) or as volumes, which \
    have no such end, or to a shorter directory; nothing was written";

/// That every path of the bag is one that its readers can name: they have no descriptors to go by.
pub(super) fn fits(dest: &Path, entries: &[Stored]) -> Result<(), VaultError> {
    let before = std::path::absolute(dest).map_err(failed(dest, "find it"))?;
    let before = before.as_os_str().len() + "/data/".len();
    for Stored { entry, .. } in entries {
        let plain = plain_name(&entry.path);
        let path = before + plain.len() < PATH;
        if path && plain.split('/').all(|name| name.len() <= NAME) {
            continue;
        }
        let whole = path_of(&entry.path).display().to_string();
        let mut shown: String = whole.chars().take(SHOWN).collect();
        if shown.len() < whole.len() {
            shown.push('\u{2026}');
        }
        return Err(VaultError::BadName { what: "path", name: shown, detail: TOO_LONG });
    }
    Ok(())
}

/// A path as the payload has it: each awkward component with `=XX` for bytes that are. No two
/// paths become one, since a component that looks escaped is awkward too.
pub(super) fn plain_name(path: &[u8]) -> String {
    let components = path.split(|b| *b == b'/').map(|component| {
        let text = std::str::from_utf8(component).ok();
        match text.filter(|t| !t.contains(divides) && !t.ends_with(' ')) {
            Some(text) if !looks_escaped(component) => text.to_owned(),
            _ => {
                let mut plain = escaped(component, b"%=");
                if plain.ends_with(' ') {
                    plain.truncate(plain.len() - 1);
                    plain += "=20";
                }
                plain
            }
        }
    });
    components.collect::<Vec<_>>().join("/")
}

/// What some reader of a manifest undoes, ends a line at, or takes away from the end of one. White
/// space beyond ASCII is all of that to the one that is used most, and a space only at the end.
fn divides(c: char) -> bool {
    c == '%' || c.is_control() || c != ' ' && c.is_whitespace()
}

fn looks_escaped(component: &[u8]) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
    component.windows(3).any(|w| w[0] == b'=' && digit(w[1]) && digit(w[2]))
}

/// Printable ASCII but for `also`; the rest as `=XX`.
pub(super) fn escaped(bytes: &[u8], also: &[u8]) -> String {
    let mut out = String::new();
    for b in bytes {
        if (b' '..=b'~').contains(b) && !also.contains(b) {
            out.push(char::from(*b));
        } else {
            let _ = write!(out, "={b:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_plain_and_stay_different() {
        let names: [(&[u8], &str); 13] = [
            (b"photos/a=b.jpg", "photos/a=b.jpg"),
            ("Gr\u{fc}\u{df}e".as_bytes(), "Gr\u{fc}\u{df}e"),
            (b"100%/x", "100=25/x"),
            (b"odd\xff\nname", "odd=FF=0Aname"),
            (b"odd=FF=0Aname", "odd=3DFF=3D0Aname"),
            (b"a=ff", "a=ff"),
            (b"\r", "=0D"),
            (b"in between", "in between"),
            (b"end /of ", "end=20/of=20"),
            (b"end=20", "end=3D20"),
            (b"two  ", "two =20"),
            ("no\u{a0}break".as_bytes(), "no=C2=A0break"),
            ("a\u{2028}b\u{85}".as_bytes(), "a=E2=80=A8b=C2=85"),
        ];
        for (name, wanted) in names {
            assert_eq!(plain_name(name), wanted);
        }
    }
}
