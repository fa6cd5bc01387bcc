//! Damage at every place: no altered or cut bundle passes, none panics, each names where it is.

use std::io::Cursor;
use std::ops::Range;

use bailee_ledger::bundle::{BAG_INFO, BagInfo, GUIDES, List, Manifest, NOTE, Statement};
use bailee_ledger::zip::{Archive, Input, write};
use bailee_ledger::{Leaf, Note, Policy, TileId, TlogProof, Trust, Verifier, verify_bundle};
use proptest::prelude::*;

use crate::common::{plain_policy, receipt};

/// `Some(members named)` when refused, `None` when it passes.
fn refused(bytes: &[u8], trust: &Trust) -> Option<Vec<String>> {
    match verify_bundle(Cursor::new(bytes), trust) {
        Err(error) => Some(vec![error.member().to_owned()]),
        Ok(report) if report.failed() => {
            Some(report.problems.into_iter().map(|problem| problem.member).collect())
        }
        Ok(_) => None,
    }
}

/// Where each member's local header and content lie.
fn layout(bytes: &[u8]) -> Vec<(String, Range<usize>)> {
    let archive = Archive::open(Cursor::new(bytes)).unwrap();
    let mut start = 0;
    let mut places = Vec::new();
    for member in archive.members() {
        let end = start + 30 + member.name.len() + member.size as usize;
        places.push((member.name.clone(), start..end));
        start = end;
    }
    places
}

fn contents(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = Archive::open(Cursor::new(bytes)).unwrap();
    let names: Vec<String> = archive.members().iter().map(|m| m.name.clone()).collect();
    names.into_iter().map(|name| (name.clone(), archive.read(&name, 1 << 20).unwrap())).collect()
}

fn rebuild(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let inputs = members.iter().map(|(name, bytes)| Input::from_bytes(name, bytes.clone()));
    let mut out = Vec::new();
    write(&mut out, inputs.collect()).unwrap();
    out
}

#[test]
fn a_flipped_bit_anywhere_is_found_and_its_member_named() {
    let good = receipt();
    let pinned = Trust::pinned(plain_policy());
    let places = layout(&good);
    assert_eq!(refused(&good, &pinned), None);
    // The long verifiers for people prove nothing: of them each 16th byte will do.
    let guides =
        places.iter().filter(|(name, _)| GUIDES.iter().any(|(path, _)| name.ends_with(path)));
    let guides: Vec<Range<usize>> = guides.map(|(_, range)| range.clone()).collect();
    let skipped =
        |at: &usize| !at.is_multiple_of(16) && guides.iter().any(|guide| guide.contains(at));
    for position in (0..good.len()).filter(|position| !skipped(position)) {
        let mut altered = good.clone();
        altered[position] ^= 1 << (position % 8);
        let trust = if position % 2 == 0 { &pinned } else { &Trust::from_bundle() };
        let named = refused(&altered, trust);
        let named = named.unwrap_or_else(|| panic!("flip at {position} passes"));
        match places.iter().find(|(_, range)| range.contains(&position)) {
            Some((member, _)) => assert!(named.contains(member), "{position}: {named:?}"),
            None => assert!(!named[0].is_empty(), "{position}: {named:?}"),
        }
    }
}

#[test]
fn every_truncation_and_every_growth_is_found() {
    let good = receipt();
    let pinned = Trust::pinned(plain_policy());
    for length in 0..good.len() {
        assert!(refused(&good[..length], &pinned).is_some(), "cut to {length} passes");
    }
    let longer = [good.as_slice(), b"\0"].concat();
    assert!(refused(&longer, &pinned).is_some());
    let prefixed = [b"\0", good.as_slice()].concat();
    assert!(refused(&prefixed, &pinned).is_some());
}

#[test]
fn there_is_no_room_to_hide_bytes_in() {
    let good = receipt();
    let end = good.len() - 22;
    let directory = u32::from_le_bytes(good[end + 16..end + 20].try_into().unwrap());
    let set = |bytes: &mut [u8], at: usize, value: u32| {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    };
    // Before the directory, with the end record telling where it went.
    let mut gap = good.clone();
    gap.splice(directory as usize..directory as usize, *b"hidden");
    set(&mut gap, end + 6 + 16, directory + 6);
    // After the directory, counted into it.
    let mut tail = good.clone();
    tail.splice(end..end, *b"hidden");
    set(&mut tail, end + 6 + 12, (end as u32 - directory) + 6);
    // A comment, with its length.
    let mut comment = good.clone();
    comment.extend_from_slice(b"hidden");
    comment[end + 20] = 6;
    // In front of everything, as self-extracting archives do.
    let front = [b"hidden", good.as_slice()].concat();
    for (place, bytes) in [gap, tail, comment, front].into_iter().enumerate() {
        assert!(Archive::open(Cursor::new(bytes)).is_err(), "{place}");
    }
}

#[test]
fn whoever_repairs_the_crc_is_still_found() {
    let good = contents(&receipt());
    let pinned = Trust::pinned(plain_policy());
    assert_eq!(refused(&rebuild(&good), &pinned), None);
    for (number, (name, bytes)) in good.iter().enumerate() {
        let step = if bytes.len() > 1_000 { 97 } else { 1 };
        for position in (0..bytes.len()).step_by(step) {
            let mut altered = good.clone();
            altered[number].1[position] ^= 1 << (position % 8);
            let altered = rebuild(&altered);
            for trust in [&pinned, &Trust::from_bundle()] {
                let named = refused(&altered, trust);
                let named = named.unwrap_or_else(|| panic!("{name} flipped at {position} passes"));
                // Under the bundle's own policy, its key can become another than the list's.
                let listed = named.contains(name) || named == ["bag/bundle.note"];
                assert!(listed, "{name} at {position}: {named:?}");
            }
        }
    }
}

#[test]
fn a_claim_fails_with_the_members_it_rests_on_and_no_other() {
    use bailee_ledger::report::ClaimState::{Failed, NotShown, Proven};
    let good = contents(&receipt());
    // Without these there is no report at all.
    let chain = [NOTE, List::Tags.member(), List::Payload.member()];
    let others = good.iter().enumerate().filter(|(_, (name, _))| !chain.contains(&name.as_str()));
    for (number, (name, _)) in others {
        let expected = match name.rsplit('/').next().unwrap() {
            "leaf.bin" => [Failed, Failed, NotShown],
            // The papers of a leaf that is not proven tie nothing.
            "proof.tlog-proof" => [Failed, Failed, NotShown],
            "checkpoint" => [Failed, Failed, Failed],
            file if file.ends_with(".cbor") || file.ends_with(".salt") => {
                [Failed, Proven, NotShown]
            }
            _ if name.starts_with("bag/data/exhibits/") => [Failed, Proven, NotShown],
            _ => [Proven, Proven, NotShown],
        };
        let mut altered = good.clone();
        altered[number].1[0] ^= 1;
        let mut without = good.clone();
        without.remove(number);
        for members in [altered, without] {
            let trust = Trust::pinned(plain_policy());
            let report = verify_bundle(Cursor::new(rebuild(&members)), &trust).unwrap();
            let states = [0, 1, 2].map(|claim| report.claims[claim].state);
            assert_eq!(states, expected, "{name}: {report}");
            assert!(report.failed(), "{name}");
        }
    }
}

#[test]
fn removed_added_and_renamed_members_are_found() {
    let good = contents(&receipt());
    let pinned = Trust::pinned(plain_policy());
    for number in 0..good.len() {
        let mut fewer = good.clone();
        let (name, bytes) = fewer.remove(number);
        let named = refused(&rebuild(&fewer), &pinned).unwrap();
        assert!(named.contains(&name), "without {name}: {named:?}");
        fewer.push(("zzz.txt".to_owned(), bytes));
        let named = refused(&rebuild(&fewer), &pinned).unwrap();
        assert!(named.contains(&name), "{name} renamed: {named:?}");
    }
    for name in ["zzz.txt", "evil.exe", "entries/2/leaf.bin", "entries/000000003/leaf.bin"] {
        let mut more = good.clone();
        more.push((name.to_owned(), b"x".to_vec()));
        let named = refused(&rebuild(&more), &pinned).unwrap();
        assert!(named.contains(&name.to_owned()), "{name} added: {named:?}");
    }
}

#[test]
fn a_second_signature_on_the_list_is_not_accepted() {
    let mut altered = contents(&receipt());
    let note = altered.iter_mut().find(|(name, _)| name == "bag/bundle.note").unwrap();
    let line = "\u{2014} other.example AAAAAAA=\n";
    note.1.extend_from_slice(line.as_bytes());
    let named = refused(&rebuild(&altered), &Trust::pinned(plain_policy()));
    assert_eq!(named, Some(vec!["bag/bundle.note".to_owned()]));
}

/// What to put into a text.
const ODD: &[&str] =
    &["", "a", "A", "0", " ", "  ", "\n", "\r\n", ".", "..", "/", "\t", "\u{85}", "é"];

proptest! {
    #[test]
    fn parsers_take_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Note::parse(&bytes);
        let _ = Policy::parse(&bytes);
        let _ = TlogProof::parse(&bytes);
        let _ = bailee_ledger::tile::decode_entries(&bytes, 256);
        if let Ok(leaf) = Leaf::decode(&bytes) {
            prop_assert_eq!(leaf.encode(), bytes.clone());
        }
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = Verifier::parse(text);
            let _ = TileId::parse(text);
        }
        prop_assert!(verify_bundle(Cursor::new(&bytes), &Trust::from_bundle()).is_err());
    }

    #[test]
    fn lists_that_parse_print_as_they_were(
        which in 0usize..4, at: prop::sample::Index, more in prop::sample::select(ODD),
        cut in 0usize..3,
    ) {
        let files = [BAG_INFO, List::Payload.member(), List::Tags.member(), NOTE];
        let mut archive = Archive::open(Cursor::new(receipt())).unwrap();
        let mut bytes = archive.read(files[which], 1 << 20).unwrap();
        let at = at.index(bytes.len());
        bytes.splice(at..bytes.len().min(at + cut), more.bytes());
        if let Ok(info) = BagInfo::parse(&bytes) {
            prop_assert_eq!(info.to_text().unwrap().into_bytes(), bytes.clone());
        }
        for list in [List::Payload, List::Tags] {
            if let Ok(manifest) = Manifest::parse(list, &bytes) {
                prop_assert_eq!(manifest.to_text().into_bytes(), bytes.clone());
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let text = text.split("\n\n").next().unwrap_or_default().to_owned() + "\n";
        if let Ok(statement) = Statement::parse(&text) {
            prop_assert_eq!(statement.to_text(), text);
        }
    }

    #[test]
    fn any_headers_behind_a_plausible_end_are_survived(
        mut body in prop::collection::vec(any::<u8>(), 0..300), count in 0u16..9, size in 0u32..400,
    ) {
        let offset = (body.len() as u32).saturating_sub(size);
        let length = body.len() as u32 - offset;
        body.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        body.extend_from_slice(&count.to_le_bytes());
        body.extend_from_slice(&count.to_le_bytes());
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(&offset.to_le_bytes());
        body.extend_from_slice(&[0, 0]);
        let opened = Archive::open(Cursor::new(&body));
        prop_assert!(opened.is_err() || count == 0);
    }

    #[test]
    fn leaves_round_trip(type_code: u16, hours: u32, sections: [Option<[u8; 32]>; 3]) {
        let leaf = Leaf { type_code, hours, commitments: sections };
        prop_assert_eq!(Leaf::decode(&leaf.encode()).unwrap(), leaf.clone());
        let mut longer = leaf.encode();
        longer.push(0);
        prop_assert!(Leaf::decode(&longer).is_err());
    }

    #[test]
    fn a_section_opens_with_its_own_bytes_salt_and_number_only(
        bytes in prop::collection::vec(any::<u8>(), 0..50), salt: [u8; 32], section in 0usize..3,
        bit in 0usize..256,
    ) {
        let mut sections = [None; 3];
        sections[section] = Some((bytes.as_slice(), &salt));
        let leaf = Leaf::commit(1, 0, sections);
        let mut other = salt;
        other[bit / 8] ^= 1 << (bit % 8);
        for number in 0..4 {
            prop_assert_eq!(leaf.opens(number, &bytes, &salt), number == section);
            prop_assert!(!leaf.opens(number, &bytes, &other));
            prop_assert!(!leaf.opens(number, &[&bytes[..], b"x"].concat(), &salt));
        }
    }
}

#[test]
fn leaves_with_another_spelling_are_refused() {
    let good = Leaf { type_code: 5, hours: 100_000, commitments: [Some([1; 32]), None, None] };
    let bytes = good.encode();
    let spelled = |from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        [&bytes[..at], to, &bytes[at + from.len()..]].concat()
    };
    for bad in [
        spelled(&[0x84, 0x01, 0x05], &[0x84, 0x02, 0x05]),
        spelled(&[0x84, 0x01, 0x05], &[0x84, 0x01, 0x18, 0x05]),
        spelled(&[0x84, 0x01, 0x05], &[0x84, 0x01, 0x19, 0x00, 0x05]),
        spelled(&[0x84, 0x01, 0x05], &[0x84, 0x01, 0x25]),
        spelled(&[0x83, 0x58, 0x20], &[0x84, 0x58, 0x20]),
        spelled(&[0x83, 0x58, 0x20], &[0x83, 0x59, 0x00, 0x20]),
        spelled(&[0x83, 0x58, 0x20], &[0x83, 0x78, 0x20]),
        spelled(&[0xf6, 0xf6], &[0xf6, 0xf7]),
        spelled(&[0xf6, 0xf6], &[0xf6, 0x40]),
    ] {
        assert!(Leaf::decode(&bad).is_err(), "{bad:02x?}");
    }
}
