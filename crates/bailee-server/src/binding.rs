//! Devices as identifiers of assets.
//!
//! Invariant: what an asset is bound with and what is asked before its device is overwritten is one
//! list, made here: the digest of the whole identity, what the device calls itself, and the keys
//! that stay when its size or window changes (`bailee_sanitize::Binding`).

use std::collections::BTreeSet;
use std::path::Path;

use bailee_core::Action;
use bailee_core::asset::{Identifier, IdentifierKind, normal};
use bailee_ledger::to_hex;
use bailee_sanitize::{Binding, SanitizeError, keep_apart};

/// Letters and digits that identify anything, at the least and at the most.
const USUAL: std::ops::RangeInclusive<usize> = 3..=256;

/// A device as identifiers of the asset that it is, the digest first. A name that identifies
/// nothing is left to the digest, of which it is a part.
pub fn identifiers(binding: &Binding) -> Vec<Identifier> {
    let identity = &binding.identity;
    let whole = to_hex(&identity.digest());
    let mut all = vec![Identifier { kind: IdentifierKind::Identity, value: whole }];
    let named = [
        (IdentifierKind::Serial, &binding.serial),
        (IdentifierKind::Wwn, &identity.wwn),
        (IdentifierKind::Uuid, &identity.uuid),
    ];
    let named = named.into_iter().filter_map(|(kind, value)| Some((kind, value.as_ref()?)));
    let media = binding.media.iter().map(|key| (IdentifierKind::Medium, key));
    for (kind, value) in named.chain(media) {
        let form = normal(value);
        let plain = USUAL.contains(&form.len()) && value.len() <= 1024;
        let odd = value.contains(['\n', '\r', '\0']);
        if plain && !odd && all.iter().all(|known| known.normal() != form) {
            all.push(Identifier { kind, value: value.clone() });
        }
    }
    all
}

/// All by which the device is known again, as a reservation names it.
pub fn media(binding: &Binding) -> Vec<String> {
    identifiers(binding).into_iter().map(|identifier| identifier.value).collect()
}

/// By what a command knows a device.
pub(crate) struct Keys {
    forms: BTreeSet<String>,
    of_file: bool,
}

/// Those of a command that binds a device or is to destroy one.
pub(crate) fn keys(action: &Action) -> Option<Keys> {
    let (forms, of_file): (BTreeSet<String>, bool) = match action {
        Action::RegisterAsset(new) => of(&new.identifiers)?,
        Action::RelabelAsset { identifiers, .. } => of(identifiers)?,
        Action::ReserveDevice { media, .. } => {
            (media.iter().map(|value| normal(value)).collect(), true)
        }
        _ => return None,
    };
    Some(Keys { forms, of_file })
}

fn of(identifiers: &[Identifier]) -> Option<(BTreeSet<String>, bool)> {
    let has = |kind| identifiers.iter().any(|identifier| identifier.kind == kind);
    let of_file = has(IdentifierKind::Medium);
    let forms = || identifiers.iter().map(Identifier::normal).collect();
    (of_file || has(IdentifierKind::Identity)).then(|| (forms(), of_file))
}

impl Keys {
    /// Refuses them if they are of the house in `dir`, or of what carries it.
    pub(crate) fn keep_apart(&self, dir: &Path) -> Result<(), SanitizeError> {
        keep_apart(dir, self.of_file, &|key| self.forms.contains(&normal(key)))
    }
}

#[cfg(test)]
mod tests {
    use bailee_sanitize::{Identity, Kind};

    use super::*;

    /// A block device that says these names.
    fn saying(serial: &str, wwn: &str) -> Identity {
        let text = |value: &str| Some(value.to_owned());
        Identity {
            kind: Kind::Block,
            size: 1 << 20,
            model: text("M"),
            serial: text(serial),
            wwn: text(wwn),
            uuid: text("-0"),
            backing: None,
            attachment: None,
        }
    }

    #[test]
    fn a_device_is_named_by_itself_once_each_and_by_nothing_that_identifies_nothing() {
        let identity = saying("WD-WX 42", "wd-wx42");
        let whole = to_hex(&identity.digest());
        let serial = identity.serial.clone();
        let binding = Binding { identity, serial, media: vec!["5a".repeat(32)] };
        let found = identifiers(&binding);
        let expected = [
            (IdentifierKind::Identity, whole.as_str()),
            (IdentifierKind::Serial, "WD-WX 42"),
            (IdentifierKind::Medium, &"5a".repeat(32)),
        ];
        let found: Vec<_> = found.iter().map(|found| (found.kind, found.value.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_device_that_says_its_name_in_two_spellings_has_it_once() {
        let identity = saying("5000c500a1b2c3d4", "naa.5000C500A1B2C3D4");
        let serial = identity.serial.clone();
        let binding = Binding { identity, serial, media: vec![] };
        assert_eq!(media(&binding)[1..], ["5000c500a1b2c3d4"]);
        // What was typed for it by udev's name is what the house's own disk is held against.
        let value = "wwn-0x5000c500a1b2c3d4".to_owned();
        let (kind, named) = (IdentifierKind::Identity, IdentifierKind::Wwn);
        let whole = Identifier { kind, value: "5a".repeat(32) };
        let (forms, _) = of(&[whole, Identifier { kind: named, value }]).unwrap();
        assert!(forms.contains(&normal("naa.5000c500a1b2c3d4")));
    }
}
