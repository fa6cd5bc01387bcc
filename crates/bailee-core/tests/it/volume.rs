//! Archive volumes in the log: all of a set, in entries that fit.

use bailee_core::id::{AssetId, SnapshotId};
use bailee_core::volume::{MOST, Written};
use bailee_core::{Action, Code, Event};

use crate::house::*;

fn volumes(count: usize) -> Vec<Written> {
    let one = |n: usize| Written { size: n as u64 + 1, sha256: [n as u8; 32].into() };
    (0..count).map(one).collect()
}

#[test]
fn a_set_is_in_the_log_whole_whatever_its_size() {
    let mut house = House::new();
    house.yes(STAFF, Action::RegisterAsset(new_asset(1)));
    let snapshot = house.snapshot(AssetId(1));
    for (n, count) in [1, MOST, MOST + 1, 3 * MOST].into_iter().enumerate() {
        let all = volumes(count);
        let set = [n as u8; 16];
        let records = house.system(Action::RecordVolumes { snapshot, set, volumes: all.clone() });
        let (mut back, mut ends) = (Vec::new(), Vec::new());
        for record in &records {
            let Event::VolumesWritten { snapshot: of, set: named, first, last, volumes } =
                &record.fact.event
            else {
                panic!("{record:?}")
            };
            assert_eq!((*of, **named, *first as usize), (snapshot, set, back.len() + 1));
            assert!(volumes.len() <= MOST);
            back.extend(volumes.iter().copied());
            ends.push(*last);
        }
        assert_eq!(back, all);
        assert!(ends.pop() == Some(true) && !ends.contains(&true), "only the last says so");
    }
}

/// Whoever could say it again could put other hashes in the place of the first.
#[test]
fn a_set_is_in_the_log_once() {
    let mut house = House::new();
    house.yes(STAFF, Action::RegisterAsset(new_asset(1)));
    let snapshot = house.snapshot(AssetId(1));
    let record = |set, count| Action::RecordVolumes { snapshot, set, volumes: volumes(count) };
    assert_eq!(house.system(record([7; 16], MOST + 1)).len(), 2);
    for count in [1, MOST + 1] {
        assert_eq!(house.no(STAFF, record([7; 16], count)), Code::AlreadyDone);
    }
    assert_eq!(house.system(record([8; 16], 1)).len(), 1);
}

#[test]
fn volumes_of_nothing_are_refused() {
    let mut house = House::new();
    house.yes(STAFF, Action::RegisterAsset(new_asset(1)));
    let snapshot = house.snapshot(AssetId(1));
    let empty = vec![Written { size: 0, sha256: [0; 32].into() }];
    for (snapshot, volumes) in [(snapshot, vec![]), (snapshot, empty), (SnapshotId(99), volumes(1))]
    {
        let set = [7; 16];
        let code = house.no(STAFF, Action::RecordVolumes { snapshot, set, volumes });
        assert!(matches!(code, Code::BadValue | Code::NotFound), "{code:?}");
    }
}
