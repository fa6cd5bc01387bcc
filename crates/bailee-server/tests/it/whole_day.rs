//! The fault matrix of the one loop: every single call of a whole day x {fails, fails but
//! persisted, crash}, over memory; over SQLite, every call of the day that changes the journal.
//!
//! The day: a letter; a drive let go of, from the reservation to the certificate; a large letter; a
//! drive given back half-way; a person forgotten, with a large exhibit; a last letter; receipts
//! settled in between. Calls are counted on a day without faults, then each is made to fail:
//!
//! | arrow                                | call that fails |
//! |--------------------------------------|-----------------|
//! | decide -> append (-> apply, answer)  | `append`, of reserve, begin, renew, finish, abort too |
//! | append failed -> replay              | `append`, then the `read` of the replay |
//! | start -> replay                      | `head`, `read`, `cell` of opening |
//! | tree -> checkpoint cell -> file      | `swap_cell`, `replace` |
//! | large letter -> objects              | `put`           |
//! | receipt -> exhibit                   | `exhibit`, `read` |
//! | plan -> intent -> outbox -> report   | `append` in settle |
//! | plan -> erasure                      | `delete` of the objects, `erase` of the journal |
//!
//! Invariant of the matrix: a fault that is planned has happened when its cell is judged.
//! After each: the same house goes on, a new process opens the same stores and lives the same day
//! again, and time passes. Then `judge` says that nothing acknowledged is lost, and the log that no
//! clearance was honoured twice, and that what nobody finished is unknown, never done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use bailee_core::asset::{AssetKind, Fate, Identifier, IdentifierKind};
use bailee_core::demand::Exhibit as Paper;
use bailee_core::disposition::{ClearanceStatus, DispositionKind};
use bailee_core::id::{AssetId, ClearanceId, DispositionId, PartyId};
use bailee_core::{
    Action, By, Code, Command, Event, Intent, NewAsset, Reason, Record, Time, Triage, wire,
};
use bailee_ledger::clearance::Act;
use bailee_server::house::Parts;
use bailee_server::{Clock, Failure, House, letting_go};
use bailee_store::{
    DiskSlot, Exhibit, Fault, Journal, MemoryJournal, MemoryObjects, Objects, Slot, SqliteJournal,
    digest,
};

use crate::arrows::{Arrows, CALLS, Call};
use crate::common::{
    because, demand, judge, letter, letter_with, load, make_ready, next_asset, parts, pass_days,
    people, sqlite, start, take, yes,
};
use crate::faults::{FAULTS, one_root_per_size, send};

/// Who is forgotten in the course of the day; the name is nowhere else.
const ZOE: &str = "Zoe Quillfeather";

/// The day's clock, after everything that had to wait.
fn morning() -> Time {
    start().plus_days(100)
}

fn private(n: usize, times: usize) -> Vec<u8> {
    let text = "Keep my stamps.\r\n".repeat(times);
    let raw = String::from_utf8(letter_with(n, &text)).unwrap();
    raw.replace(&format!("Requester {n} <requester-{n}@"), &format!("{ZOE} <zoe@")).into_bytes()
}

/// Zoe's letters: a small one, which rides in the commit, and one for the objects.
fn of_zoe() -> [Vec<u8>; 2] {
    [private(90, 1), private(91, 20_000)]
}

fn subject(asset: AssetId) -> [u8; 32] {
    [asset.0 as u8; 32]
}

/// What the day begins with: Zoe has asked and was refused, two drives wait for their clearance.
struct Cast {
    zoe: PartyId,
    drives: [(DispositionId, AssetId); 2],
    counsel: PartyId,
}

fn prepare(house: &House) -> Cast {
    load(house).unwrap();
    let people = people(house);
    let demands = of_zoe().map(|raw| demand(take(house, &raw).unwrap()).0);
    for demand in demands {
        let (triage, reason) = (Triage::Refuse, because());
        yes(house, people.cora, Action::DecideDemand { demand, triage, reason });
    }
    pass_days(house, 15);
    let zoe = house.with_state(|s| s.party_at("zoe@law.example")).unwrap().unwrap();
    let drives = [1, 2].map(|n| {
        let asset = next_asset(house);
        let hex = bailee_ledger::to_hex(&subject(asset));
        yes(house, people.ada, Action::RegisterAsset(drive(n, hex)));
        let disposition = house.with_state(|s| s.dispositions.next()).unwrap();
        let (kind, assets, reason) = (DispositionKind::Sanitize, vec![asset], because());
        yes(house, people.ada, Action::ProposeDisposition { kind, assets, to: None, reason });
        make_ready(house, &people, disposition);
        (disposition, asset)
    });
    while house.clock().now() < morning() {
        pass_days(house, 1);
    }
    assert!(house.settle().is_empty());
    house.checkpoint_over(house.with_state(|s| s.head).unwrap()).unwrap();
    Cast { zoe, drives, counsel: people.cora }
}

fn drive(n: u32, identity: String) -> NewAsset {
    NewAsset {
        kind: AssetKind::Drive,
        label: format!("drive {n}"),
        accounts: Vec::new(),
        identifiers: vec![Identifier { kind: IdentifierKind::Identity, value: identity }],
        part_of: None,
        copy_of: Vec::new(),
        place: "rack 1".into(),
        bytes: 1 << 20,
    }
}

/// How a run on a drive ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Finished,
    /// With this many bytes gone.
    Aborted(u64),
}

/// What those who lived the day were told.
#[derive(Default)]
struct Diary {
    letters: BTreeMap<Vec<u8>, u64>,
    /// How often `begin` of a clearance was answered with yes.
    begun: BTreeMap<ClearanceId, u32>,
    /// Ends that were answered with yes.
    ended: BTreeSet<ClearanceId>,
}

/// Asks until there is an answer, as an agent or a person does; `None` if the house is dead.
fn ask(
    house: &House,
    by: By,
    action: &Action,
    with: &[Exhibit],
) -> Option<Result<Vec<Record>, Code>> {
    for _ in 0..4 {
        match house.submit(Command { by, action: action.clone() }, with.to_vec()) {
            Ok(done) => return Some(Ok(done.records)),
            Err(Failure::Refused(refusal)) => return Some(Err(refusal.code)),
            Err(failure @ Failure::Unseen(_)) => panic!("no copy is relied on here: {failure}"),
            Err(Failure::Unknown(_) | Failure::Unavailable(_) | Failure::Unwritable(..)) => {}
        }
    }
    None
}

impl Diary {
    fn day(&mut self, house: &House, cast: &Cast) {
        let large = letter_with(2, &"keep the large one. ".repeat(16 << 10));
        self.write(house, letter(0));
        self.let_go(house, cast.drives[0], End::Finished);
        self.write(house, large);
        self.let_go(house, cast.drives[1], End::Aborted(5));
        let forget = Action::EraseDetails { party: cast.zoe };
        ask(house, By::Party(cast.counsel), &forget, &[]);
        // Errors are named and stay pending; the next round does it.
        house.settle();
        self.write(house, letter(1));
    }

    fn write(&mut self, house: &House, raw: Vec<u8>) {
        if let Some(position) = send(house, &raw) {
            let before = self.letters.insert(raw, position);
            assert!(before.is_none_or(|before| before == position), "moved");
        }
        house.settle();
    }

    /// As an agent does: any answer but yes, and it stops.
    fn let_go(&mut self, house: &House, of: (DispositionId, AssetId), end: End) -> Option<()> {
        let (disposition, asset) = of;
        let reserve = Action::Reserve { disposition, asset, subject: subject(asset) };
        _ = ask(house, By::System, &reserve, &[])?;
        // The answer to a reservation may have been lost: its token is asked for again.
        let clearance = house.with_state(|s| s.assets.get(asset)?.clearance).ok()??;
        let token = letting_go::token(house, clearance).ok()?;
        letting_go::open_token(house, token.as_bytes(), asset, Act::Sanitize, subject(asset))
            .unwrap();
        ask(house, By::System, &Action::Begin { clearance }, &[])?.ok()?;
        *self.begun.entry(clearance).or_default() += 1;
        ask(house, By::System, &Action::Renew { clearance }, &[])?.ok()?;
        let told = match end {
            End::Aborted(gone) => {
                let action = Action::Abort { clearance, gone, reason: because() };
                ask(house, By::System, &action, &[])?
            }
            End::Finished => {
                let bytes = b"certificate".to_vec();
                let exhibit = Exhibit { digest: digest(&bytes), bytes };
                let paper = Paper {
                    digest: exhibit.digest,
                    size: 11,
                    media: "application/json".into(),
                    name: "certificate.json".into(),
                };
                let reason = Reason { note: String::new(), exhibits: vec![paper] };
                let action = Action::Finish { clearance, verified: true, reason };
                ask(house, By::System, &action, &[exhibit])?
            }
        };
        if told.is_ok() {
            self.ended.insert(clearance);
        }
        Some(())
    }
}

/// What the log says of one clearance.
#[derive(Debug, Default)]
struct Course {
    reserved: u32,
    begun: u32,
    ends: Vec<&'static str>,
}

fn courses(house: &House) -> BTreeMap<ClearanceId, Course> {
    let mut all = BTreeMap::<ClearanceId, Course>::new();
    for (seq, entry) in house.entries(0, 100_000).unwrap().iter().enumerate() {
        let sections = [0, 1, 2].map(|n: usize| Some(entry.sections[n].as_ref()?.bytes.as_slice()));
        let event = wire::decode(seq as u64, sections).unwrap().fact.event;
        let name = event.name();
        match event {
            Event::ClearanceReserved { clearance, .. } => {
                all.entry(clearance).or_default().reserved += 1;
            }
            Event::ClearanceBegun { clearance, .. } => all.entry(clearance).or_default().begun += 1,
            Event::ClearanceFinished { clearance, .. }
            | Event::ClearanceAborted { clearance, .. }
            | Event::ClearanceRevoked { clearance, .. }
            | Event::ClearanceExpired { clearance }
            | Event::ClearanceLost { clearance } => {
                all.entry(clearance).or_default().ends.push(name);
            }
            _ => {}
        }
    }
    all
}

/// A day later: each clearance was honoured once at most and is over, and the fate of its drive is
/// what its course says.
fn judge_clearances(house: &House, diary: &Diary, what: &str) {
    pass_days(house, 1);
    let courses = courses(house);
    for (clearance, course) in &courses {
        let told = diary.begun.get(clearance).copied().unwrap_or_default();
        assert!(course.reserved == 1 && course.begun <= 1, "{what}: {clearance} {course:?}");
        assert!(told <= course.begun, "{what}: {clearance} was honoured {told} times: {course:?}");
        assert_eq!(course.ends.len(), 1, "{what}: {clearance} {course:?}");
        let over = course.ends[0];
        let (status, fate) = match (over, course.begun) {
            ("ClearanceFinished", 1) => (ClearanceStatus::Finished, Fate::Destroyed(*clearance)),
            ("ClearanceAborted", 1) => (ClearanceStatus::Aborted, Fate::Partial(*clearance)),
            ("ClearanceLost", 1) => (ClearanceStatus::Lost, Fate::Unknown(*clearance)),
            ("ClearanceExpired", 0) => (ClearanceStatus::Expired, Fate::Kept),
            _ => panic!("{what}: {clearance} {course:?}"),
        };
        house
            .with_state(|s| {
                let found = s.clearances.get(*clearance).unwrap();
                assert_eq!(found.status, status, "{what}: {clearance}");
                // What was given back may have been reserved again: the last one counts.
                let mut later = s.clearances.iter().filter(|(id, _)| id > clearance);
                let last = later.all(|(_, other)| other.asset != found.asset);
                let left = &s.assets.get(found.asset).unwrap().fate;
                assert!(!last || *left == fate, "{what}: {clearance} left {left:?}");
            })
            .unwrap();
        let acknowledged = diary.ended.contains(clearance);
        assert!(
            !acknowledged || ["ClearanceFinished", "ClearanceAborted"].contains(&over),
            "{what}: {clearance} was acknowledged as ended and is {over}"
        );
        for action in
            [Action::Begin { clearance: *clearance }, Action::Renew { clearance: *clearance }]
        {
            let again = ask(house, By::System, &action, &[]).unwrap();
            assert!(again.is_err(), "{what}: {clearance} was honoured again");
        }
    }
    assert!(!courses.is_empty(), "{what}: no clearance was ever reserved");
}

/// Zoe is forgotten: no document, no section.
fn judge_erasure(house: &House, cast: &Cast, what: &str) {
    for raw in of_zoe() {
        assert_eq!(house.exhibit(&digest(&raw)).unwrap(), None, "{what}: a document is left");
    }
    let who = house.with_state(|s| s.parties.get(cast.zoe).unwrap().who.clone()).unwrap();
    assert_eq!(who, None, "{what}: a name is left");
    let sections = house.entries(0, 100_000).unwrap();
    let sections = sections.iter().flat_map(|entry| entry.sections.iter().flatten());
    let named = sections.filter(|s| s.bytes.windows(ZOE.len()).any(|w| w == ZOE.as_bytes()));
    assert_eq!(named.count(), 0, "{what}: a section with her name is left");
}

/// Stores that outlive every house over them.
struct Stores {
    dir: tempfile::TempDir,
    journal: Arc<dyn Journal>,
    objects: MemoryObjects,
    cast: Cast,
}

impl Stores {
    fn in_memory() -> Stores {
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        Stores::over(tempfile::tempdir().unwrap(), journal)
    }

    fn over(dir: tempfile::TempDir, journal: Arc<dyn Journal>) -> Stores {
        let objects = MemoryObjects::new();
        let parts = parts(Some(dir.path()), journal.clone(), Arc::new(objects.clone()));
        let cast = prepare(&House::of(parts).unwrap());
        Stores { dir, journal, objects, cast }
    }

    fn file(&self) -> Arc<dyn Slot> {
        Arc::new(DiskSlot::new(self.dir.path(), "checkpoint"))
    }

    fn arrows(&self) -> Arrows {
        Arrows::new(self.journal.clone(), Arc::default())
    }

    /// A house whose every call goes through the arrows.
    fn open(&self, arrows: &Arrows) -> Result<House, bailee_server::HouseError> {
        let objects = arrows.objects(Arc::new(self.objects.clone()));
        let parts = parts(Some(self.dir.path()), Arc::new(arrows.clone()), objects);
        House::with_slot(Parts { clock: Clock::told(morning()), ..parts }, arrows.slot(self.file()))
    }

    /// How many calls of each kind a day without faults makes.
    fn count(&self) -> BTreeMap<Call, u64> {
        let arrows = self.arrows();
        let house = self.open(&arrows).unwrap();
        let calls = || CALLS.map(|call| (call, arrows.plans[&call].calls()));
        let before = BTreeMap::from(calls());
        let mut diary = Diary::default();
        diary.day(&house, &self.cast);
        house.checkpoint_over(house.with_state(|s| s.head).unwrap()).unwrap();
        assert_eq!((diary.letters.len(), diary.ended.len()), (3, 2), "a day without faults");
        judge_erasure(&house, &self.cast, "a day without faults");
        BTreeMap::from(calls().map(|(call, after)| (call, after - before[&call])))
    }

    /// Lives the day with a fault in it. What the publisher does depends on the moment: letters
    /// follow, large ones, until the call was made that is to fail.
    fn live(
        &self,
        house: House,
        arrows: &Arrows,
        has_failed: &dyn Fn() -> bool,
        diary: &mut Diary,
        what: &str,
    ) {
        diary.day(&house, &self.cast);
        for n in 10..60 {
            if has_failed() {
                break;
            }
            diary.write(&house, letter_with(n, &"keep this too. ".repeat(18 << 10)));
            _ = house.with_state(|s| s.head).map(|head| house.checkpoint_over(head));
        }
        assert!(has_failed(), "{what} never happened");
        if arrows.plans.values().any(|plan| plan.crashed()) {
            return;
        }
        // Who waits while an attempt to sign fails is told; the attempt that failed may just be
        // ending, and it is those after it that are judged.
        _ = house.with_state(|s| s.head).map(|head| house.checkpoint_over(head));
        // What could not be done is done in the next round.
        let left: Vec<_> = (0..3).map(|_| house.settle()).collect();
        assert!(left[2].is_empty(), "{what}: {left:?}");
        assert!(diary.letters.len() >= 3, "{what}: a letter was given up");
        judge_erasure(&house, &self.cast, what);
        judge(&house, &*self.journal, &diary.letters);
    }

    /// A new process over the same stores lives the day again, and is judged.
    fn judge_after(&self, diary: &mut Diary, signed: &Mutex<Vec<Vec<u8>>>, what: &str) {
        let parts =
            parts(Some(self.dir.path()), self.journal.clone(), Arc::new(self.objects.clone()));
        let house = House::of(Parts { clock: Clock::told(morning()), ..parts }).unwrap();
        diary.day(&house, &self.cast);
        assert_eq!(house.settle().len(), 0, "{what}: not settled");
        judge_erasure(&house, &self.cast, what);
        judge_clearances(&house, diary, what);
        assert_eq!(house.settle().len(), 0, "{what}: not settled");
        judge(&house, &*self.journal, &diary.letters);
        let (demands, mut work) =
            house.with_state(|s| (s.demands.len(), bailee_core::plan(s, 9))).unwrap();
        // An erasure is looked after at every start, for ever.
        work.retain(|intent| !matches!(intent, Intent::Erase(_)));
        let known = diary.letters.len() + of_zoe().len();
        assert_eq!((demands, work), (known, vec![]), "{what}: another demand, or work left");
        signed.lock().unwrap().extend(self.file().read().unwrap());
        one_root_per_size(signed, &*self.journal);
    }
}

/// One cell: the `nth` call of the day fails.
fn check_cell(stores: &Stores, call: Call, nth: u64, fault: Fault) {
    let what = format!("{call:?} {nth} {fault:?}");
    let (signed, mut diary) = (Arc::new(Mutex::new(Vec::new())), Diary::default());
    let arrows = Arrows::new(stores.journal.clone(), signed.clone());
    let house = stores.open(&arrows).unwrap();
    let plan = arrows.plans[&call].clone();
    plan.add(plan.calls() + nth, fault);
    stores.live(house, &arrows, &|| plan.failed() > 0, &mut diary, &what);
    stores.judge_after(&mut diary, &signed, &what);
}

/// An append fails, and so does the read of the replay that follows.
fn check_double_cell(nth: u64, fault: Fault, then: Fault) {
    let what = format!("append {nth} {fault:?}, then read {then:?}");
    let stores = Stores::in_memory();
    let (signed, mut diary) = (Arc::new(Mutex::new(Vec::new())), Diary::default());
    let arrows = Arrows::new(stores.journal.clone(), signed.clone());
    let arrows = arrows.chained(Call::Append, nth, Call::Read, then);
    let [append, read] = [Call::Append, Call::Read].map(|call| arrows.plans[&call].clone());
    append.add(nth, fault);
    let both = || append.failed() > 0 && read.failed() > 0;
    let house = stores.open(&arrows).unwrap();
    stores.live(house, &arrows, &both, &mut diary, &what);
    stores.judge_after(&mut diary, &signed, &what);
}

/// Runs cells on two threads; each is told with its name if it fails.
fn run<T: Sync>(cells: &[T], one: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::SeqCst)) {
                    one(cell);
                }
            });
        }
    });
}

fn cells(counts: &BTreeMap<Call, u64>, of: &[Call]) -> Vec<(Call, u64, Fault)> {
    let of = counts.iter().filter(|(call, _)| of.contains(call));
    of.flat_map(|(call, count)| (0..*count).map(move |nth| (*call, nth)))
        .flat_map(|(call, nth)| FAULTS.map(|fault| (call, nth, fault)))
        .collect()
}

#[test]
fn every_call_of_a_whole_day_with_every_fault() {
    let counts = Stores::in_memory().count();
    // Twelve commands, their receipts and pages; an erasure is one call.
    assert!(counts[&Call::Append] >= 15 && counts[&Call::Erase] == 1, "{counts:?}");
    for call in [Call::Read, Call::Exhibit, Call::Swap, Call::Slot, Call::Object] {
        assert!(counts[&call] > 0, "{call:?} is never made: {counts:?}");
    }
    let all = cells(&counts, &CALLS);
    eprintln!("{} cells: {counts:?}", all.len());
    run(&all, |(call, nth, fault)| check_cell(&Stores::in_memory(), *call, *nth, *fault));
}

#[test]
fn a_replay_that_fails_after_an_append_that_failed() {
    let appends = Stores::in_memory().count()[&Call::Append];
    let failed = [Fault::Fail, Fault::FailButPersisted];
    let pairs = failed.into_iter().flat_map(|fault| FAULTS.map(|then| (fault, then)));
    let all: Vec<_> = pairs.flat_map(|pair| (0..appends).map(move |nth| (nth, pair))).collect();
    run(&all, |(nth, (fault, then))| check_double_cell(*nth, *fault, *then));
}

#[test]
fn a_start_that_fails_leaves_everything_to_the_next() {
    let stores = Stores::in_memory();
    let (signed, mut diary) = (Arc::new(Mutex::new(Vec::new())), Diary::default());
    let arrows = stores.arrows();
    drop(stores.open(&arrows).unwrap());
    let counts = [Call::Read, Call::Cell].map(|call| (call, arrows.plans[&call].calls()));
    assert!(counts.iter().all(|(_, count)| *count > 0), "{counts:?}");
    let (head, mut refused) = (stores.journal.head().unwrap(), BTreeSet::new());
    for (call, nth, fault) in cells(&BTreeMap::from(counts), &CALLS) {
        let arrows = Arrows::new(stores.journal.clone(), signed.clone());
        arrows.plans[&call].add(nth, fault);
        match stores.open(&arrows) {
            Err(_) => _ = refused.insert((call, nth)),
            // Read after it was open, by a thread of it.
            Ok(house) => assert_eq!(house.with_state(|s| s.head).unwrap(), head),
        }
    }
    let calls: BTreeSet<Call> = refused.iter().map(|(call, _)| *call).collect();
    assert_eq!(calls.into_iter().collect::<Vec<_>>(), [Call::Read, Call::Cell], "{refused:?}");
    stores.judge_after(&mut diary, &signed, "after starts that failed");
    assert_eq!((diary.letters.len(), diary.ended.len()), (3, 2));
}

/// The same files for every cell: the prepared house, copied.
fn copied(from: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
    }
    dir
}

#[test]
fn every_change_of_the_journal_with_every_fault_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let journal: Arc<SqliteJournal> = sqlite(dir.path());
    let Stores { dir, journal, objects, cast } = Stores::over(dir, journal);
    drop(journal);
    let kept: Vec<(String, Vec<u8>)> = {
        let names = objects.list("").unwrap();
        names.into_iter().map(|name| (name.clone(), objects.get(&name).unwrap())).collect()
    };
    let stores = || {
        let objects = MemoryObjects::new();
        kept.iter().for_each(|(name, bytes)| _ = objects.put(name, bytes).unwrap());
        let dir = copied(dir.path());
        let journal: Arc<dyn Journal> = sqlite(dir.path());
        let Cast { zoe, drives, counsel } = cast;
        Stores { dir, journal, objects, cast: Cast { zoe, drives, counsel } }
    };
    let counts = stores().count();
    let all = cells(&counts, &[Call::Append, Call::Erase, Call::Swap]);
    assert!(all.len() > 60, "{counts:?}");
    run(&all, |(call, nth, fault)| {
        let stores = stores();
        check_cell(&stores, *call, *nth, *fault);
        let needle = ZOE.as_bytes();
        for file in ["journal.sqlite", "journal.sqlite-wal"] {
            let bytes = std::fs::read(stores.dir.path().join(file)).unwrap_or_default();
            let left = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!left, "{call:?} {nth} {fault:?}: her name is left in {file}");
        }
    });
}
