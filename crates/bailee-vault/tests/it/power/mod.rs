//! The power fails after moves of a store on disk that chance picks, and the disk keeps of what was
//! not synced whatever chance leaves: the vault opens, all it has verifies and restores, nothing
//! that was acknowledged is lost, and what was let go of stays gone once that was acknowledged.

mod alone;
mod shelf;
mod tape;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bailee_ledger::clearance::Act;
use bailee_store::{DiskObjects, Objects};
use bailee_vault::{
    Kek, SnapshotId, Source, Unchanged, Vault, VaultError, no_catalogue, scrub_packs,
};

use crate::support::{Seen, clear, describe, disk_vault, kek, noise, sweep};
use tape::{Chance, Move, Recorder, Tape};

/// Failures that are played, each after any number of moves.
const FAILURES: u64 = 320;

/// The unit that is erased.
const ERASED: &str = "A-2";

fn next() -> Kek {
    Kek::from_bytes([43; 32])
}

/// What was said of one snapshot, and after how many moves.
struct Promise {
    id: SnapshotId,
    unit: String,
    tree: BTreeMap<Vec<u8>, Seen>,
    kept: usize,
    /// From here on nobody is promised that it is there.
    leaving: usize,
    /// From here on it is promised that it is not.
    gone: usize,
}

/// What was said of the vault as a whole.
struct Story {
    promises: Vec<Promise>,
    created: usize,
    /// The new KEK opens everything from here on.
    added: usize,
    /// The old one need not open anything from here on.
    retiring: usize,
    /// And opens nothing from here on.
    retired: usize,
}

/// Those who work in the recorded store.
struct Play {
    recorder: Recorder,
    objects: Arc<dyn Objects>,
    tree: tempfile::TempDir,
    story: Story,
}

impl Play {
    fn begin(base: &Path) -> (Self, Vault) {
        let recorder = Recorder::new(base);
        let disk = DiskObjects::open_with(&base.join("store"), recorder.clone()).unwrap();
        let objects = Arc::new(disk) as Arc<dyn Objects>;
        let vault = Vault::create(Arc::clone(&objects), &kek()).unwrap();
        let (never, created) = (usize::MAX, recorder.now());
        let promises = Vec::new();
        let story = Story { promises, created, added: never, retiring: never, retired: never };
        (Self { recorder, objects, tree: tempfile::tempdir().unwrap(), story }, vault)
    }

    fn preserve(&mut self, vault: &Vault, round: u64) {
        self.preserve_in("A-1", vault, round);
    }

    /// Preserves what is there after some files were replaced.
    fn preserve_in(&mut self, unit: &str, vault: &Vault, round: u64) {
        let files = if round == 0 { 0..8 } else { round..round + 2 };
        for n in files {
            let file = self.tree.path().join(format!("f{}", n % 8));
            std::fs::write(file, noise(round * 100 + n, 4000)).unwrap();
        }
        let source = Source::Tree(self.tree.path().to_owned());
        let kept = vault.preserve_with("t", unit, &source, Unchanged::Rehash, &mut ()).unwrap();
        let (tree, kept_at) = (describe(self.tree.path()), self.recorder.now());
        let (leaving, gone) = (usize::MAX, usize::MAX);
        let (id, unit, kept) = (kept.id, unit.to_owned(), kept_at);
        self.story.promises.push(Promise { id, unit, tree, kept, leaving, gone });
    }

    /// Lets the snapshot of a round go.
    fn expire(&mut self, vault: &Vault, round: usize) {
        let id = self.story.promises[round].id;
        let root = vault.list("t").unwrap().into_iter().find(|i| i.id == id).unwrap().root;
        self.story.promises[round].leaving = self.recorder.now();
        let done =
            vault.expire("t", &id, clear(1, Act::Expire, root), &|_| None, &no_catalogue).unwrap();
        self.story.promises[round].gone = self.recorder.now();
        assert_eq!(done.snapshots, 1);
    }
}

/// Keeps a snapshot in a unit of its own, and erases the unit.
fn erase(play: &mut Play, vault: &Vault) {
    play.preserve_in(ERASED, vault, 20);
    let subject = vault.erase_subject("t", ERASED).unwrap();
    let at = play.story.promises.len() - 1;
    play.story.promises[at].leaving = play.recorder.now();
    let done = vault.erase_unit("t", ERASED, clear(2, Act::Erase, subject), &|_| None).unwrap();
    play.story.promises[at].gone = play.recorder.now();
    assert_eq!((done.keys.len(), done.let_go.snapshots), (1, 1));
}

/// Preserves, lets go, prunes, merges segments and changes the KEK.
fn record(base: &Path) -> (Story, Recorder) {
    let (mut play, vault) = Play::begin(base);
    (0..4).for_each(|round| play.preserve(&vault, round));
    play.expire(&vault, 0);
    play.expire(&vault, 1);
    (4..7).for_each(|round| play.preserve(&vault, round));
    sweep(&vault).unwrap();
    erase(&mut play, &vault);
    vault.add_kek(&next()).unwrap();
    play.story.added = play.recorder.now();
    let vault = Vault::open(Arc::clone(&play.objects), &next()).unwrap();
    play.story.retiring = play.recorder.now();
    assert_eq!(vault.retire_other_keks().unwrap().destroyed.len(), 2);
    play.story.retired = play.recorder.now();
    (7..12).for_each(|round| play.preserve(&vault, round));
    play.expire(&vault, 3);
    play.expire(&vault, 9);
    (play.story, play.recorder)
}

/// Opens the store with each KEK that must open it.
fn open(store: &Path, story: &Story, count: usize) -> Option<Vault> {
    let objects: Arc<dyn Objects> = Arc::new(DiskObjects::open(store).unwrap());
    if count < story.created {
        return None;
    }
    let old = Vault::open(Arc::clone(&objects), &kek());
    let new = Vault::open(objects, &next());
    if count >= story.retired {
        assert!(matches!(old, Err(VaultError::WrongKek)), "the old KEK is back");
    }
    match () {
        () if count < story.added => Some(old.unwrap()),
        () if count < story.retiring => Some(old.and(new).unwrap()),
        () => Some(new.unwrap()),
    }
}

/// All that is there is whole, and all that must be there is.
fn check(vault: &Vault, store: &Path, story: &Story, count: usize) {
    let known = count >= story.promises[0].kept;
    let listed = match vault.list("t") {
        Err(VaultError::UnknownTenant { .. }) if !known => return,
        listed => listed.unwrap(),
    };
    for info in &listed {
        let verified = vault.verify("t", &info.id).unwrap();
        assert!(verified.is_intact(), "{}: {:?}", info.id, verified.problems);
    }
    for promise in &story.promises {
        let (id, there) = (promise.id, listed.iter().any(|i| i.id == promise.id));
        assert!(there || count < promise.kept || count >= promise.leaving, "{id} is lost");
        assert!(!there || count < promise.gone, "{id} is back");
        if there {
            let back = tempfile::tempdir().unwrap();
            let restored = vault.restore("t", &id, back.path(), None).unwrap();
            assert!(restored.is_complete(), "{id}: {:?}", restored.damaged);
            assert!(describe(back.path()) == promise.tree, "{id} is another tree");
        }
    }
    let scrubbed = scrub_packs(&DiskObjects::read_only(store).unwrap()).unwrap();
    assert_eq!(scrubbed.problems, []);
}

/// One failure, and what follows it: the vault is checked, pruned, used, and checked again.
fn fail(story: &Story, tape: &Tape, count: usize, seed: u64) {
    let disk = tempfile::tempdir().unwrap();
    tape.play(count, &mut Chance::new(seed), disk.path());
    let store = disk.path().join("store");
    let Some(vault) = open(&store, story, count) else {
        drop(disk_vault(&store)); // creating it again goes on where the power failed
        return;
    };
    check(&vault, &store, story, count);
    if count < story.promises[0].kept {
        return;
    }
    if let Some(subject) = vault.buried_subject("t", ERASED).unwrap() {
        // From the tombstone on nothing brings it back, and what is left can be finished.
        let rest = vault.finish_erased("t", ERASED, clear(2, Act::Erase, subject)).unwrap();
        assert_eq!(rest.keys.len(), 1);
        let objects = DiskObjects::read_only(&store).unwrap();
        assert!(objects.get(&rest.keys[0].object).is_err(), "the key is back");
    } else {
        let erased = story.promises.iter().any(|p| p.gone <= count && p.unit == ERASED);
        assert!(!erased, "the tombstone is lost");
    }
    sweep(&vault).unwrap();
    let source = tempfile::tempdir().unwrap();
    std::fs::write(source.path().join("after"), noise(seed, 5000)).unwrap();
    let source = Source::Tree(source.path().to_owned());
    let after = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
    assert!(vault.verify("t", &after.id).unwrap().is_intact());
    check(&vault, &store, story, count);
}

/// Plays failures until one loses something; says which.
fn first_loss(story: &Story, tape: &Tape) -> Option<String> {
    let half = |first: u64| {
        (first..FAILURES).step_by(2).find_map(|seed| {
            let count = Chance::new(seed).below(tape.moves.len() + 1);
            let one = std::panic::AssertUnwindSafe(|| fail(story, tape, count, seed));
            let last = &tape.moves[count.saturating_sub(8)..count];
            let told = || format!("seed {seed}, after {count} moves, the last of them {last:#?}");
            std::panic::catch_unwind(one).err().map(|_| told())
        })
    };
    std::thread::scope(|s| {
        let other = s.spawn(|| half(1));
        half(0).or(other.join().unwrap())
    })
}

#[test]
fn whatever_the_power_leaves_nothing_acknowledged_is_lost() {
    let base = tempfile::tempdir().unwrap();
    let (story, recorder) = record(base.path());
    let tape = recorder.tape();
    let removed = tape.moves.iter().filter(|m| matches!(m, Move::Remove(_))).count();
    assert!(removed > 10, "only {removed} files were removed");
    assert_eq!(first_loss(&story, &tape), None);
}

/// The play would see it: without any one of these syncs something is lost.
#[test]
fn without_a_sync_the_power_takes_something() {
    let base = tempfile::tempdir().unwrap();
    let (story, recorder) = record(base.path());
    let mut tape = recorder.tape();
    type Left = fn(&Move, &Move) -> bool;
    let syncs: [(&str, Left); 4] = [
        ("of files", |_, m| matches!(m, Move::SyncFile(_))),
        ("of folders", |_, m| matches!(m, Move::SyncDir(_))),
        ("of new names", |b, m| matches!((b, m), (Move::Place(..), Move::SyncDir(_)))),
        ("of removals", |b, m| matches!((b, m), (Move::Remove(_), Move::SyncDir(_)))),
    ];
    let moves = tape.moves.clone();
    for (which, left_out) in syncs {
        tape.moves.clone_from(&moves);
        for (pair, at) in moves.windows(2).zip(1..) {
            if left_out(&pair[0], &pair[1]) {
                tape.moves[at] = Move::SyncDir("elsewhere".into());
            }
        }
        assert!(first_loss(&story, &tape).is_some(), "syncs {which} are not missed");
    }
}

/// Lines whose syncs others make too in this play (it does not come to the last at all): none of
/// them is missed alone, in all of its failures. And when each counts.
const COVERED: [(&str, &str); 3] = [
    (
        "durable.rs: create_dirs(moves, dir, &|parent| moves.sync_dir(parent))",
        "a chain of directories of which a part is there",
    ),
    ("durable.rs: moves.sync_dir(above(dir))", "a directory whose maker died before its sync"),
    ("disk.rs: self.moves.sync_dir(folder).map_err(failed)?;", "a name whose maker died likewise"),
];

/// Each line of the program that syncs is needed: without it alone, or without those that cover for
/// each other, something is lost.
#[test]
fn every_line_that_syncs_is_missed() {
    let base = tempfile::tempdir().unwrap();
    let (story, recorder) = record(base.path());
    let mut tape = recorder.tape();
    let (sources, moves) = (tape.sources(), tape.moves.clone());
    let covered: Vec<String> = COVERED.iter().map(|(line, _)| (*line).to_owned()).collect();
    let alone = sources.iter().filter(|line| !covered.contains(line));
    let mut groups: Vec<Vec<String>> = alone.map(|line| vec![line.clone()]).collect();
    assert_eq!(groups.len(), 4, "content, folders, new names, removals: {sources:#?}");
    groups.push(covered);
    for lines in groups {
        tape.moves.clone_from(&moves);
        let syncs = tape.syncs_of(&lines);
        tape.without(&syncs);
        assert!(first_loss(&story, &tape).is_some(), "{lines:#?} are not missed");
    }
}
