//! How fast the core decides, replays and answers, and how much memory a large house takes.
//!
//! Prints `name<TAB>value<TAB>unit<TAB>target` per line. The house: a million assets (servers with
//! nine drives each) of ten thousand accounts, a hundred thousand holds by account, asset,
//! identifier and letter. Rates are per second of processor time, so that a busy machine measures
//! the same; memory is that of the house alone, before anything else was built. Run alone: `cargo
//! bench -p bailee-core`.

#![allow(clippy::print_stdout, reason = "the lines printed are the result")]

mod common;

use std::hint::black_box;
use std::time::Instant;

use bailee_core::asset::{AssetKind, Identifier, IdentifierKind, Lifecycle};
use bailee_core::demand::{Exhibit, Medium, Scope};
use bailee_core::gate::{self, Verb};
use bailee_core::id::{AccountId, AssetId, EntityId, MatterId, PartyId};
use bailee_core::party::Role;
use bailee_core::{
    Action, Command, NewAsset, NewDemand, Reason, Record, Replay, State, Time, decide, run, wire,
};
use common::{catalogue, must, who};

/// As the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ASSETS: u32 = 1_000_000;
const ACCOUNTS: u32 = 10_000;
const HOLDS: u32 = 100_000;
/// Records decoded at once.
const PAGE: usize = 4096;

fn main() {
    let now = Time::from_unix(1_788_264_000);
    let state = decide_and_apply(now);
    verdicts(&state, now);
    hostile_letter(&state, now);
    if let Some(rss) = resident() {
        line("rss-1M-assets-100k-holds", rss, "GB", "<=1.5");
    }
    drop(state);
    replay(&encoded(now));
}

/// The house, built command by command.
fn decide_and_apply(now: Time) -> State {
    let mut state = State::default();
    for action in furnish() {
        must(&mut state, action, now);
    }
    let (mut commands, mut spent) = (0, 0.0);
    let mut mix = mix().map(Command::system);
    loop {
        // Built in slices: what asks is not what is measured, and does not stay in memory.
        let slice: Vec<Command> = mix.by_ref().take(10_000).collect();
        if slice.is_empty() {
            break;
        }
        let start = clock();
        for command in &slice {
            if let Err(refusal) = run(&mut state, command, now) {
                panic!("{refusal}");
            }
        }
        spent += clock() - start;
        commands += slice.len();
    }
    line("decide-apply", commands as f64 / spent, "commands/s", ">=200000");
    state
}

/// Seconds of processor time this thread has spent; wall time where the system does not tell it.
fn clock() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|told| told.split_whitespace().next()?.parse::<f64>().ok());
    nanos.map_or_else(
        || std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0.0, |since| since.as_secs_f64()),
        |nanos| nanos / 1e9,
    )
}

fn line(name: &str, value: f64, unit: &str, target: &str) {
    println!("{name}\t{value:.2}\t{unit}\t{target}");
}

/// Catalogue, parties, accounts.
fn furnish() -> impl Iterator<Item = Action> {
    let owners = (0..ACCOUNTS).map(|n| Action::RegisterParty {
        who: who(&format!("owner-{n}")),
        roles: vec![Role::Owner],
        same_person_as: None,
    });
    let entity = Action::RegisterEntity { name: "Example Host".into(), country: "NL".into() };
    let accounts = (0..ACCOUNTS).map(|n| Action::RegisterAccount {
        owner: PartyId(n + 1),
        entity: EntityId(1),
        label: format!("customer {n}"),
        law: "NL".into(),
        retention_days: 30,
    });
    let matter = Action::OpenMatter { title: "a matter".into() };
    std::iter::once(Action::LoadInstruments(catalogue()))
        .chain(owners)
        .chain([entity, matter])
        .chain(accounts)
}

/// Registrations, moves, holds, letters and costs as a house sees them.
fn mix() -> impl Iterator<Item = Action> {
    (0..ASSETS).flat_map(|n| {
        let mut actions = vec![Action::RegisterAsset(asset(n))];
        if n % 10 == 9 {
            actions.push(match n % 4 {
                1 => Action::PlaceHold {
                    scope: scope(n),
                    instrument: "letter".into(),
                    matter: Some(MatterId(1)),
                    silent: None,
                    reason: Reason::default(),
                },
                _ => Action::ReceiveDemand(letter(n)),
            });
            actions.push(Action::MoveAsset {
                asset: AssetId(n),
                lifecycle: Lifecycle::Stored,
                place: "hall 2".into(),
            });
        }
        actions
    })
}

fn asset(n: u32) -> NewAsset {
    let server = n - n % 10;
    NewAsset {
        kind: if n == server { AssetKind::Server } else { AssetKind::Drive },
        label: format!("srv-{server:07}-{}", n - server),
        accounts: vec![AccountId(server % ACCOUNTS + 1)],
        identifiers: vec![Identifier { kind: IdentifierKind::Serial, value: format!("WD{n:010}") }],
        part_of: (n != server).then_some(AssetId(server + 1)),
        copy_of: Vec::new(),
        place: "rack 14".into(),
        bytes: 4 << 40,
    }
}

fn scope(n: u32) -> Scope {
    let mut scope = Scope::default();
    match n % 12 {
        1 => scope.accounts.push(AccountId(n % ACCOUNTS + 1)),
        5 => scope.assets.push(AssetId(n / 2 + 1)),
        _ => scope.identifiers.push(format!("XX{n:010}")),
    }
    scope
}

fn letter(n: u32) -> NewDemand {
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&n.to_be_bytes());
    let (a, b) = (n / 3, n / 2 + 3);
    NewDemand {
        from: who(&format!("counsel-{}", n % 500)),
        entity: None,
        instrument: None,
        medium: Medium::Email,
        scope: Scope::default(),
        text: format!(
            "Dear Sirs, we act for a party to pending proceedings. Kindly preserve drive \
             WD{a:010} and server srv-{:07}-0 until further notice, and confirm receipt.",
            b - b % 10
        ),
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

/// The sections of every entry of the house.
fn encoded(now: Time) -> Vec<wire::Sections<Vec<u8>>> {
    let (mut state, mut all, mut spent) = (State::default(), Vec::new(), 0.0);
    let actions = furnish().chain(mix());
    for action in actions {
        all.extend(must(&mut state, action, now));
    }
    let start = clock();
    let encoded = all.iter().map(|r| wire::encode(r.at, r.by, &r.fact)).collect();
    spent += clock() - start;
    line("encode", all.len() as f64 / spent, "events/s", "");
    encoded
}

/// Bytes to records to state, as a house starts: one thread decodes ahead of the one that applies,
/// and takes half of the filing at the end.
fn replay(encoded: &[wire::Sections<Vec<u8>>]) {
    let (send, decoded) = std::sync::mpsc::sync_channel::<Vec<Record>>(4);
    let begun = Instant::now();
    let (state, ahead, applying) = std::thread::scope(|scope| {
        let decoding = scope.spawn(move || {
            let start = clock();
            for (n, page) in encoded.chunks(PAGE).enumerate() {
                assert!(send.send(decode(n, page)).is_ok(), "the other thread applies them all");
            }
            clock() - start
        });
        let start = clock();
        let mut replay = Replay::new();
        for record in decoded.iter().flatten() {
            replay.apply(record).unwrap_or_else(|misfit| panic!("{misfit}"));
        }
        let mut filing = 0.0;
        let state = replay.finish_with(|names, letters| {
            std::thread::scope(|scope| {
                let half = scope.spawn(move || {
                    let start = clock();
                    names();
                    clock() - start
                });
                letters();
                filing = half.join().unwrap_or_default();
            });
        });
        (state, decoding.join().unwrap_or_default() + filing, clock() - start)
    });
    let took = begun.elapsed().as_secs_f64();
    assert_eq!(black_box(state).head, encoded.len() as u64);
    let events = encoded.len() as f64;
    line("replay", events / took, "events/s", ">=1000000");
    line("replay-slower-thread", events / ahead.max(applying), "events/s of processor", "");
    line("replay-both-threads", events / (ahead + applying), "events/s of processor", "");
}

fn decode(n: usize, page: &[wire::Sections<Vec<u8>>]) -> Vec<Record> {
    let first = (n * PAGE) as u64;
    let sections = page.iter().map(|[what, who, papers]| [what, who, papers].map(Option::as_deref));
    let records = sections.zip(first..).map(|(sections, seq)| wire::decode(seq, sections));
    records.map(|record| record.unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// A letter that makes a reader of ranges look for as much as it may.
fn hostile_letter(state: &State, now: Time) {
    let text = "srv-1 1 1 1 to 2, srv-1 to srv-99999999, 1 1 1 - 9 ".repeat(2_000);
    let letter = NewDemand { text, ..letter(1) };
    let start = clock();
    let decided = decide(state, &Command::system(Action::ReceiveDemand(letter)), now);
    assert!(decided.is_ok_and(|facts| !facts.is_empty()));
    line("hostile-letter", (clock() - start) * 1e3, "ms", "<=100");
}

/// The gate, asked about assets all over the house.
fn verdicts(state: &State, now: Time) {
    assert!(state.holds.len() >= HOLDS as usize && state.assets.len() == ASSETS as usize);
    let mut micros = Vec::new();
    let mut n = 1;
    for _ in 0..200_000 {
        // A full cycle of a linear congruence: no asset twice, no pattern of the cache.
        n = (n * 7_621 + 1) % 1_000_003;
        let id = AssetId(n as u32 % ASSETS + 1);
        let start = Instant::now();
        black_box(gate::verdict(state, black_box(id), Verb::LetGo, now, None));
        micros.push(start.elapsed().as_secs_f64() * 1e6);
    }
    micros.sort_by(f64::total_cmp);
    line("gate-verdict-p50", micros[micros.len() / 2], "us", "<=50");
    line("gate-verdict-p99", micros[micros.len() * 99 / 100], "us", "<=50");
}

/// Resident memory now, where the system tells it.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1e6)
}
