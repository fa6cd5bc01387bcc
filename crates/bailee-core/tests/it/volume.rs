//! Archive volumes in the log: all of a set, in entries that fit.

use bailee_core::disposition::DispositionKind;
use bailee_core::id::{AssetId, SnapshotId};
use bailee_core::volume::{MOST, Shelved, Written};
use bailee_core::{Action, Code, Event, apply, custody};

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

#[test]
fn the_sets_of_a_unit_are_known_whole_also_of_snapshots_that_are_gone() {
    let mut house = House::new();
    let servers = [house.server(1), house.server(2)];
    house.end_accounts();
    let [one, two, other] = [0, 0, 1].map(|n: usize| house.snapshot(servers[n]));
    let asset = |house: &House, id| house.state.snapshots.get(id).unwrap().asset;
    let leave = |house: &mut House, snapshot, name: u8, count| {
        let (position, at) = (house.state.head, house.now);
        let (set, all) = ([name; 16], volumes(count));
        let bytes = all.iter().map(|volume| volume.size).sum();
        house.system(Action::RecordVolumes { snapshot, set, volumes: all });
        (snapshot, Shelved { set, position, at, volumes: count as u32, bytes })
    };
    let first = leave(&mut house, one, 1, 2 * MOST + 3);
    let second = leave(&mut house, two, 2, 1);
    let apart = leave(&mut house, other, 3, 4);
    let third = leave(&mut house, one, 4, 5);
    let of = |house: &House, id| custody::shelved(&house.state, asset(house, id));
    assert_eq!(of(&house, one), [first, third, second]);
    assert_eq!(of(&house, two), [first, third, second]);
    assert_eq!(of(&house, other), [apart]);
    assert_eq!(custody::shelved(&house.state, servers[0]), [], "the source is no snapshot");
    // The first is let go of; its tapes are where they were.
    let gone = asset(&house, one);
    let x = house.ready(DispositionKind::Expire, &[gone]);
    let subject = house.state.snapshots.get(one).unwrap().root;
    let clearance = house.state.clearances.next();
    house.system(Action::Reserve { disposition: x, asset: gone, subject });
    house.system(Action::Begin { clearance });
    house.finish(clearance);
    assert!(!house.state.assets.get(gone).unwrap().fate.is_here());
    assert_eq!(of(&house, two), [first, third, second]);
    assert!(replay(&house.records, |_, _| false) == house.state);
}

#[test]
fn a_forged_entry_does_not_go_on_where_no_set_ended() {
    let mut house = House::new();
    house.yes(STAFF, Action::RegisterAsset(new_asset(1)));
    let snapshot = house.snapshot(AssetId(1));
    let action = Action::RecordVolumes { snapshot, set: [7; 16], volumes: volumes(MOST + 1) };
    let records = house.system(action);
    let last = records.last().unwrap();
    for (other, number) in [([7; 16], 1), ([7; 16], MOST as u32 + 1), ([8; 16], 258)] {
        let mut forged = last.clone();
        forged.seq = house.state.head;
        let Event::VolumesWritten { set, first, .. } = &mut forged.fact.event else {
            panic!("{forged:?}")
        };
        (*set, *first) = (other.into(), number);
        let mut state = house.state.clone();
        let misfit = apply(&mut state, &forged);
        match number {
            1 => assert_eq!(misfit, Ok(()), "a set begins anew"),
            _ => assert!(misfit.unwrap_err().detail.contains("does not follow"), "{number}"),
        }
    }
}
