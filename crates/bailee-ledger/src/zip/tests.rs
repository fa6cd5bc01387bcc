//! ZIP64 in small: with lower limits for what fits, archives of a few bytes hold every form.
#![allow(clippy::unwrap_used)] // a test that cannot go on should stop right there

use std::io::Cursor;
use std::process::Command;

use super::header::{END_64_LENGTH, END_LENGTH};
use super::write::write_with;
use super::{Archive, Fit, Input, ZipError};
use crate::policy::Policy;
use crate::verify::{Trust, verify_archive};

const RECEIPT: &[u8] = include_bytes!("../../../../fixtures/formats/v1/ledger/receipt.bailee.zip");
const POLICY: &[u8] = include_bytes!("../../../../fixtures/formats/v1/ledger/policy.tlog-policy");

type Contents = Vec<(String, Vec<u8>)>;

/// Everything wide; sizes and offsets from some value on; offsets and count; only the count.
fn limits() -> [Fit; 4] {
    [Fit::below(0, 0), Fit::below(40, 0xffff), Fit::below(100, 3), Fit::below(0xffff_ffff, 2)]
}

fn contents(bytes: &[u8], fit: Fit) -> Result<Contents, ZipError> {
    let mut archive = Archive::open_with(Cursor::new(bytes), fit)?;
    let names: Vec<String> = archive.members().iter().map(|m| m.name.clone()).collect();
    names.into_iter().map(|name| Ok((name.clone(), archive.read(&name, 1 << 20)?))).collect()
}

fn encoded(contents: &Contents, fit: Fit) -> Vec<u8> {
    let inputs = contents.iter().map(|(name, bytes)| Input::from_bytes(name, bytes));
    let mut out = Vec::new();
    let length = write_with(&mut out, inputs.collect(), fit).unwrap();
    assert_eq!(length, out.len() as u64);
    out
}

fn small() -> Contents {
    let content = |size: usize| vec![b'x'; size];
    let named = |name: &str, size| (name.to_owned(), content(size));
    vec![named("a", 39), named("b/c", 40), named("b/d", 0), named("e", 41)]
}

#[test]
fn every_form_is_read_back_and_is_the_only_one() {
    let forms: Vec<Vec<u8>> = limits().iter().map(|fit| encoded(&small(), *fit)).collect();
    let classic = encoded(&small(), Fit::ZIP);
    let more: Vec<usize> = forms.iter().map(|form| form.len() - classic.len()).collect();
    let end = END_64_LENGTH - END_LENGTH;
    // Everything; sizes of b/c and e, offsets of all but the first; offsets of the last two; end.
    let sizes_and_offsets = 2 * 20 + (28 + 12 + 28);
    assert_eq!(more, [4 * (20 + 28) + end, sizes_and_offsets + end, 2 * 12 + end, end]);
    for (fit, form) in limits().iter().zip(&forms) {
        assert_eq!(contents(form, *fit).unwrap(), small());
        // Values that fit, in ZIP64 fields: the second spelling.
        let refused = contents(form, Fit::ZIP).unwrap_err();
        assert!(matches!(refused, ZipError::NotCanonical { .. }), "{refused}");
        let refused = contents(&classic, *fit).unwrap_err();
        assert!(matches!(refused, ZipError::NotCanonical { .. }), "{refused}");
    }
}

#[test]
fn no_flipped_bit_and_no_cut_passes_in_any_form() {
    for fit in limits() {
        let good = encoded(&small(), fit);
        for position in 0..good.len() {
            for bit in 0..8 {
                let mut altered = good.clone();
                altered[position] ^= 1 << bit;
                assert!(contents(&altered, fit).is_err(), "bit {bit} of {position} in {fit:?}");
            }
            assert!(contents(&good[..position], fit).is_err(), "cut to {position} in {fit:?}");
        }
        assert!(contents(&[&good[..], b"\0"].concat(), fit).is_err());
        assert!(contents(&[b"\0", &good[..]].concat(), fit).is_err());
    }
}

/// Every byte, but of the long verifiers for people only each 16th.
fn places(bytes: &[u8], fit: Fit) -> impl Iterator<Item = usize> + use<> {
    let archive = Archive::open_with(Cursor::new(bytes), fit).unwrap();
    let guides = archive.members().iter().filter(|member| {
        ["bag/VERIFY.md", "bag/verify.html", "bag/verify.py"].contains(&member.name.as_str())
    });
    let guides: Vec<_> = guides.map(|member| member.start..member.start + member.size).collect();
    let skipped = move |place: &usize| {
        !place.is_multiple_of(16) && guides.iter().any(|guide| guide.contains(&(*place as u64)))
    };
    (0..bytes.len()).filter(move |place| !skipped(place))
}

#[test]
fn no_flipped_bit_of_a_receipt_passes_in_zip64() {
    let trust = Trust::pinned(Policy::parse(POLICY).unwrap());
    let holds = |bytes: &[u8], fit| {
        let archive = Archive::open_with(Cursor::new(bytes), fit).ok()?;
        verify_archive(archive, &trust).ok().filter(|report| !report.failed())
    };
    let parts = contents(RECEIPT, Fit::ZIP).unwrap();
    let fit = Fit::below(0, 0);
    let mut wide = encoded(&parts, fit);
    assert!(holds(&wide, fit).is_some());
    for position in places(&wide, fit) {
        wide[position] ^= 1 << (position % 8);
        assert!(holds(&wide, fit).is_none(), "flip at {position} passes");
        wide[position] ^= 1 << (position % 8);
    }
}

/// One wide member, `a`: where its fields lie.
const EXTRA: usize = 30 + 1;
const CENTRAL: usize = EXTRA + 20 + 39;

#[test]
fn hostile_zip64_fields_are_named_errors() {
    let fit = Fit::below(0, 0);
    let good = encoded(&small()[..1].to_vec(), fit);
    assert_eq!(good.len(), CENTRAL + 46 + 1 + 28 + END_64_LENGTH);
    assert_eq!(good[EXTRA..EXTRA + 4], [1, 0, 16, 0]);
    let end = good.len() - END_64_LENGTH;
    let set = |places: &[usize], value: u64| {
        let mut bytes = good.clone();
        for place in places {
            bytes[*place..place + 8].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    };
    let extra = CENTRAL + 46 + 1;
    for value in [0, 38, 40, 1 << 32, i64::MAX as u64, u64::MAX - 90, u64::MAX - 1, u64::MAX] {
        // Both copies of the size in both headers; the offset; count, length and offset of the end.
        let sizes = [EXTRA + 4, EXTRA + 12, extra + 4, extra + 12];
        for places in [&sizes[..], &[extra + 20], &[end + 24, end + 32], &[end + 40], &[end + 48]] {
            if value == 0 && places == [extra + 20] {
                continue; // the offset it has
            }
            let refused = contents(&set(places, value), fit);
            assert!(refused.is_err(), "{value} at {places:?}");
        }
        // Length and offset that sum up to the right place by overflow.
        let mut bytes = set(&[end + 40], value);
        let rest = (end as u64).wrapping_sub(value).to_le_bytes();
        bytes[end + 48..end + 56].copy_from_slice(&rest);
        assert!(contents(&bytes, fit).is_err(), "{value}");
    }
    let many = set(&[end + 24, end + 32], 1 << 21);
    assert!(matches!(contents(&many, fit), Err(ZipError::TooMany(n)) if n == 1 << 21));
}

#[test]
fn cut_and_stretched_extra_fields_are_refused() {
    let fit = Fit::below(0, 0);
    let good = encoded(&small()[..1].to_vec(), fit);
    let end = good.len() - END_64_LENGTH;
    let extra = CENTRAL + 46 + 1;
    for length in [0u16, 3, 4, 8, 11, 12, 16, 20, 24, 27, 29, 32, 400, 0xffff] {
        // The record says another length of its extra field, with or without the bytes to fit.
        let mut stated = good.clone();
        stated[CENTRAL + 30..CENTRAL + 32].copy_from_slice(&length.to_le_bytes());
        assert!(contents(&stated, fit).is_err(), "{length}");
        let mut fitted = stated[..extra].to_vec();
        fitted.extend(good[extra..end].iter().chain(&[0; 400]).take(usize::from(length)));
        let size = (fitted.len() - CENTRAL) as u64;
        let at = fitted.len() as u64;
        fitted.extend_from_slice(&good[end..]);
        let tail = fitted.len() - END_64_LENGTH;
        fitted[tail + 40..tail + 48].copy_from_slice(&size.to_le_bytes());
        fitted[tail + 64..tail + 72].copy_from_slice(&at.to_le_bytes());
        let refused = contents(&fitted, fit).unwrap_err();
        assert!(matches!(refused, ZipError::NotCanonical { .. }), "{length}: {refused}");
    }
}

#[test]
fn other_programs_read_zip64_as_we_write_it() {
    let dir = tempfile::tempdir().unwrap();
    for (number, fit) in limits().into_iter().enumerate() {
        let path = dir.path().join(format!("{number}.zip"));
        std::fs::write(&path, encoded(&small(), fit)).unwrap();
        let read = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n\
                    print([(i.filename, i.file_size) for i in z.infolist()], z.testzip())";
        let output = Command::new("python3").args(["-c", read]).arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let wanted = "[('a', 39), ('b/c', 40), ('b/d', 0), ('e', 41)] None\n";
        assert_eq!(said, wanted, "{}", String::from_utf8_lossy(&output.stderr));
    }
}

proptest::proptest! {
    /// Contents of any size in any form, then bytes changed anywhere: what still opens and reads is
    /// the one encoding of what it reads as.
    #[test]
    fn what_is_read_is_written_again_as_the_same_bytes(
        sizes in proptest::collection::vec(0usize..60, 0..5),
        (long, short) in (0u64..200, 0u64..6),
        changes in proptest::collection::vec((proptest::prelude::any::<usize>(), 0u8..4), 0..4),
    ) {
        let fit = Fit::below(long, short);
        let named = |(number, size): (usize, &usize)| (format!("f{number}"), vec![b'x'; *size]);
        let made: Contents = sizes.iter().enumerate().map(named).collect();
        let mut bytes = encoded(&made, fit);
        proptest::prop_assert_eq!(&contents(&bytes, fit).unwrap(), &made);
        for (place, value) in &changes {
            let place = place % bytes.len();
            bytes[place] = [0, 1, 0x7f, 0xff][usize::from(*value)];
        }
        if let Ok(read) = contents(&bytes, fit) {
            proptest::prop_assert_eq!(encoded(&read, fit), bytes);
        }
    }
}
