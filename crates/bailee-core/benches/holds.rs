//! One hold over a million objects: how long placing it takes, how long its entry is, and how fast
//! the gate says no to each of them.
//!
//! Prints `name<TAB>value<TAB>unit<TAB>target` per line. The house: one account with ten thousand
//! servers, a hundred snapshots of each. A hold pins the root (here the account), so the time and
//! the bytes must be those of a hold on one object. Alone: `cargo bench -p bailee-core --bench
//! holds`.

#![allow(clippy::print_stdout, reason = "the lines printed are the result")]

mod common;

use std::time::Instant;

use bailee_core::asset::AssetKind;
use bailee_core::demand::{Exhibit, Medium, Scope};
use bailee_core::gate::{self, Verb};
use bailee_core::id::{AccountId, AssetId, EntityId, MatterId, PartyId, SnapshotId};
use bailee_core::party::Role;
use bailee_core::{Action, NewAsset, NewDemand, Reason, Record, State, Time, wire};
use common::{catalogue, must, who};

/// As the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SERVERS: u32 = 10_000;
const EACH: u32 = 100;
/// Holds placed one after the other; each reaches all.
const HOLDS: u32 = 20;

fn main() {
    let now = Time::from_unix(1_788_264_000);
    let mut state = house(now);
    assert_eq!(state.snapshots.len(), (SERVERS * EACH) as usize);
    let hold = |_| Action::PlaceHold {
        scope: Scope { accounts: vec![AccountId(1)], ..Scope::default() },
        instrument: "letter".into(),
        matter: Some(MatterId(1)),
        silent: None,
        reason: Reason::default(),
    };
    place(&mut state, "hold-1M-objects", now, hold);
    place(&mut state, "letter-1M-objects", now, |n| Action::ReceiveDemand(letter(n)));
    refused(&state, now);
}

/// Places holds, and says how long the slowest took and how long its entry is.
fn place(state: &mut State, name: &str, now: Time, action: impl Fn(u32) -> Action) {
    let (mut millis, mut bytes) = (Vec::new(), 0);
    for n in 0..HOLDS {
        let action = action(n);
        let start = Instant::now();
        let records = must(state, action, now);
        millis.push(start.elapsed().as_secs_f64() * 1e3);
        bytes = bytes.max(length(&records));
    }
    millis.sort_by(f64::total_cmp);
    line(&format!("{name}-p50"), millis[millis.len() / 2], "ms", "<=5");
    line(&format!("{name}-slowest"), millis[millis.len() - 1], "ms", "<=5");
    line(&format!("{name}-entries"), bytes as f64, "bytes", "<=1000");
}

/// Every hundredth object is asked about, and none is clear.
fn refused(state: &State, now: Time) {
    let mut micros = Vec::new();
    for snapshot in (1..=SERVERS * EACH).step_by(101) {
        let asset = state.snapshots.get(SnapshotId(snapshot)).map(|found| found.asset);
        let asset = asset.unwrap_or_else(|| panic!("S-{snapshot} is there"));
        let start = Instant::now();
        let verdict = gate::verdict(state, asset, Verb::LetGo, now, None);
        micros.push(start.elapsed().as_secs_f64() * 1e6);
        let reasons = verdict.map_or(0, |verdict| verdict.reasons.len());
        assert!(reasons >= (2 * HOLDS) as usize, "{asset} has {reasons} reasons");
    }
    micros.sort_by(f64::total_cmp);
    line("gate-under-40-holds-p99", micros[micros.len() * 99 / 100], "us", "-");
}

fn house(now: Time) -> State {
    let mut state = State::default();
    for action in furnish() {
        must(&mut state, action, now);
    }
    for n in 0..SERVERS {
        let source = AssetId(n * (EACH + 1) + 1);
        must(&mut state, Action::RegisterAsset(server(n)), now);
        for copy in 0..EACH {
            let (root, vault_id) = ([1; 32], format!("{n:08x}{copy:08x}"));
            let (bytes, unreadable, changed, taken) = (1 << 30, 0, 0, now);
            let action = Action::RecordSnapshot {
                source,
                root,
                vault_id,
                bytes,
                unreadable,
                changed,
                taken,
            };
            must(&mut state, action, now);
        }
    }
    state
}

fn length(records: &[Record]) -> usize {
    let sections = records.iter().flat_map(|r| wire::encode(r.at, r.by, &r.fact));
    sections.flatten().map(|section| section.len()).sum()
}

fn line(name: &str, value: f64, unit: &str, target: &str) {
    println!("{name}\t{value:.3}\t{unit}\t{target}");
}

fn furnish() -> [Action; 5] {
    let roles = vec![Role::Owner];
    [
        Action::LoadInstruments(catalogue()),
        Action::RegisterParty { who: who("owner"), roles, same_person_as: None },
        Action::RegisterEntity { name: "Example Host".into(), country: "NL".into() },
        Action::OpenMatter { title: "a matter".into() },
        Action::RegisterAccount {
            owner: PartyId(1),
            entity: EntityId(1),
            label: "mega store".into(),
            law: "NL".into(),
            retention_days: 30,
        },
    ]
}

fn server(n: u32) -> NewAsset {
    NewAsset {
        kind: AssetKind::Server,
        label: format!("srv-{n:06}"),
        accounts: vec![AccountId(1)],
        identifiers: Vec::new(),
        part_of: None,
        copy_of: Vec::new(),
        place: "rack 14".into(),
        bytes: 4 << 40,
    }
}

fn letter(n: u32) -> NewDemand {
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&n.to_be_bytes());
    NewDemand {
        from: who("counsel"),
        entity: None,
        instrument: None,
        medium: Medium::Email,
        scope: Scope::default(),
        text: format!("Dear Sirs, matter {n}: please keep everything of mega store."),
        exhibits: vec![Exhibit {
            digest,
            size: 1000,
            media: "message/rfc822".into(),
            name: "letter.eml".into(),
        }],
        silent: None,
        damaged: false,
        unread: false,
        automatic: false,
    }
}
