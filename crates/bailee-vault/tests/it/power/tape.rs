//! What a disk store did, in order, and what a disk may show of it once the power has failed.
//!
//! Invariants
//! 1. What was synced before the failure is there. Of everything else any part may be there, in any
//!    order: this allows more than a journalling file system does.
//! 2. A rename is done or not done. It is safe once the folder of its new name was synced.
//! 3. A folder whose creation was lost takes with it what was in it, synced or not.
//! 4. The tape does not sync: nothing cuts the power of the directory it records.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use bailee_store::{Kernel, Moves, Placed};

/// One move; files by their number, paths below the recorded directory.
#[derive(Clone, Debug)]
pub(crate) enum Move {
    CreateDir(PathBuf),
    Create(PathBuf, usize),
    SyncFile(usize),
    Place(PathBuf, PathBuf, usize),
    Remove(PathBuf),
    SyncDir(PathBuf),
}

impl Move {
    /// The folder that must be synced for it to be safe; `None` for what is no change of names.
    fn folder(&self) -> Option<&Path> {
        match self {
            Move::CreateDir(path)
            | Move::Create(path, _)
            | Move::Place(_, path, _)
            | Move::Remove(path) => path.parent(),
            Move::SyncFile(_) | Move::SyncDir(_) => None,
        }
    }
}

/// What was done so far.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    pub(crate) moves: Vec<Move>,
    /// What was written to each file in the end. A file is written once.
    contents: Vec<Vec<u8>>,
    /// Which line asked for a sync, by the sync's place on the tape.
    pub(crate) lines: BTreeMap<usize, &'static Location<'static>>,
    names: BTreeMap<PathBuf, usize>,
}

/// Makes the moves below a directory, and keeps them on a tape.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    base: PathBuf,
    tape: Arc<Mutex<Tape>>,
}

impl Recorder {
    pub(crate) fn new(base: &Path) -> Self {
        Self { base: base.to_owned(), tape: Arc::default() }
    }

    /// Held while a move is made, so that the tape has the order in which they happened.
    pub(crate) fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap()
    }

    /// How many moves were made: a failure after so many has all that was acknowledged until now.
    pub(crate) fn now(&self) -> usize {
        self.tape().moves.len()
    }

    fn below(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.base).unwrap().to_owned()
    }
}

impl Tape {
    fn created(&mut self, name: PathBuf) {
        let file = self.contents.len();
        self.contents.push(Vec::new());
        self.names.insert(name.clone(), file);
        self.moves.push(Move::Create(name, file));
    }

    fn placed(&mut self, from: PathBuf, to: PathBuf, file: usize) {
        self.names.remove(&from);
        self.names.insert(to.clone(), file);
        self.moves.push(Move::Place(from, to, file));
    }

    /// The syncs of one line, or of several, by what stands in them.
    pub(crate) fn syncs_of(&self, lines: &[String]) -> Vec<usize> {
        let asked = self.lines.iter().filter(|(_, line)| lines.contains(&source(line)));
        asked.map(|(at, _)| *at).collect()
    }

    /// What stands in each line that asked for a sync.
    pub(crate) fn sources(&self) -> BTreeSet<String> {
        self.lines.values().map(|line| source(line)).collect()
    }

    /// Leaves syncs out, as if their line had been deleted.
    pub(crate) fn without(&mut self, syncs: &[usize]) {
        for at in syncs {
            self.moves[*at] = Move::SyncDir("elsewhere".into());
        }
    }

    /// Fails after every move, `disks` times each. The first disk on which `good`, which is told
    /// after how many moves it failed, does not find what has to be there.
    pub(crate) fn first_loss(
        &self,
        disks: u64,
        good: &dyn Fn(usize, &Path) -> bool,
    ) -> Option<String> {
        for count in 0..=self.moves.len() {
            for seed in 0..disks {
                let disk = tempfile::tempdir().unwrap();
                self.play(count, &mut Chance::new(seed * 1000 + count as u64), disk.path());
                if !good(count, disk.path()) {
                    return Some(format!("after {count} moves, seed {seed}: {:#?}", self.moves));
                }
            }
        }
        None
    }

    /// Nothing is lost; and something is without any one of the `lines` lines that sync.
    pub(crate) fn every_sync_is_missed(
        &mut self,
        lines: usize,
        loss: &dyn Fn(&Tape) -> Option<String>,
    ) {
        assert_eq!(loss(self), None);
        let (sources, moves) = (self.sources(), self.moves.clone());
        assert_eq!(sources.len(), lines, "{sources:#?}");
        for line in sources {
            self.moves.clone_from(&moves);
            let syncs = self.syncs_of(std::slice::from_ref(&line));
            self.without(&syncs);
            assert!(loss(self).is_some(), "{line} is not missed");
        }
    }

    fn sync(&mut self, done: Move, line: &'static Location<'static>) {
        self.lines.insert(self.moves.len(), line);
        self.moves.push(done);
    }

    /// Takes down what is in a file, before it moves.
    fn read(&mut self, path: &Path, name: &Path) -> Option<usize> {
        let file = *self.names.get(name)?;
        self.contents[file] = std::fs::read(path).unwrap();
        Some(file)
    }
}

impl Moves for Recorder {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut tape = self.tape();
        Kernel.create_dir(dir)?;
        tape.moves.push(Move::CreateDir(self.below(dir)));
        Ok(())
    }

    fn create_file(&self, path: &Path) -> io::Result<File> {
        let mut tape = self.tape();
        let made = Kernel.create_file(path)?;
        tape.created(self.below(path));
        Ok(made)
    }

    fn create_over(&self, path: &Path) -> io::Result<File> {
        let mut tape = self.tape();
        let made = Kernel.create_over(path)?;
        tape.created(self.below(path));
        Ok(made)
    }

    fn replace(&self, temporary: &Path, name: &Path) -> io::Result<()> {
        let (mut tape, from, to) = (self.tape(), self.below(temporary), self.below(name));
        let file = tape.read(temporary, &from).unwrap();
        Kernel.replace(temporary, name)?;
        tape.placed(from, to, file);
        Ok(())
    }

    fn sync_file(&self, path: &Path, _file: &File) -> io::Result<()> {
        let (mut tape, name) = (self.tape(), self.below(path));
        let file = tape.read(path, &name).unwrap();
        tape.sync(Move::SyncFile(file), Location::caller());
        Ok(())
    }

    fn place(&self, temporary: &Path, name: &Path) -> io::Result<Placed> {
        let (mut tape, from, to) = (self.tape(), self.below(temporary), self.below(name));
        let file = tape.read(temporary, &from).unwrap();
        let placed = Kernel.place(temporary, name)?;
        if placed == Placed::Now {
            tape.placed(from, to, file);
        }
        Ok(placed)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let (mut tape, name) = (self.tape(), self.below(path));
        tape.read(path, &name);
        Kernel.remove_file(path)?;
        tape.names.remove(&name);
        tape.moves.push(Move::Remove(name));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut tape = self.tape();
        // The directory that holds the store is there before the tape begins.
        let Ok(dir) = dir.strip_prefix(&self.base) else { return Ok(()) };
        tape.sync(Move::SyncDir(dir.to_owned()), Location::caller());
        Ok(())
    }
}

/// A line of the program, as it stands there: its file's name, and the line.
fn source(line: &Location<'_>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(line.file());
    let text = std::fs::read_to_string(&path).unwrap();
    let stands = text.lines().nth(line.line() as usize - 1).unwrap().trim();
    format!("{}: {stands}", path.file_name().unwrap().to_string_lossy())
}

/// Chance that is the same every time.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Any number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 16) % (bound as u64).max(1)).unwrap()
    }
}

/// Which of the moves that nothing made safe have reached the disk.
enum Luck {
    None,
    All,
    /// As a journal has them: the first so many.
    First(usize),
    /// Each by chance.
    Some,
}

impl Tape {
    /// A disk as the power may leave it when it fails after `count` moves, in an empty directory.
    pub(crate) fn play(&self, count: usize, chance: &mut Chance, to: &Path) {
        let luck = match chance.below(5) {
            0 => Luck::None,
            1 => Luck::All,
            2 => Luck::First(chance.below(count)),
            _ => Luck::Some,
        };
        let moves = &self.moves[..count];
        let mut names = BTreeMap::new();
        for (at, done) in moves.iter().enumerate() {
            let Some(folder) = done.folder() else { continue };
            let safe = |m: &Move| matches!(m, Move::SyncDir(dir) if dir == folder);
            let reached = match luck {
                Luck::None => false,
                Luck::All => true,
                Luck::First(first) => at < first,
                Luck::Some => chance.below(2) == 0,
            };
            if reached || moves[at..].iter().any(safe) {
                apply(&mut names, done);
            }
        }
        for (name, file) in names {
            // Parents sort before what is in them.
            if !to.join(name.parent().unwrap()).is_dir() {
                continue;
            }
            match file {
                None => std::fs::create_dir(to.join(name)).unwrap(),
                Some(file) => {
                    let synced = |m: &Move| matches!(m, Move::SyncFile(f) if *f == file);
                    let whole = moves.iter().any(synced);
                    let bytes = &self.contents[file];
                    let left = if whole { bytes.clone() } else { torn(bytes, chance) };
                    std::fs::write(to.join(name), left).unwrap();
                }
            }
        }
    }
}

/// Names after a move: `None` is a folder.
fn apply(names: &mut BTreeMap<PathBuf, Option<usize>>, done: &Move) {
    match done {
        Move::CreateDir(path) => drop(names.insert(path.clone(), None)),
        Move::Create(path, file) => drop(names.insert(path.clone(), Some(*file))),
        Move::Place(from, to, file) => {
            names.remove(from);
            names.insert(to.clone(), Some(*file));
        }
        Move::Remove(path) => drop(names.remove(path)),
        Move::SyncFile(_) | Move::SyncDir(_) => {}
    }
}

/// What may be there of bytes that were not synced.
fn torn(bytes: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut left = bytes.to_vec();
    let cut = chance.below(bytes.len() + 1);
    match chance.below(5) {
        0 => left.clear(),
        1 => left.truncate(cut),
        2 => left.fill(0),
        3 => left[cut..].fill(0),
        _ => {}
    }
    left
}
