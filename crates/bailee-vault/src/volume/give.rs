//! Giving back what volumes hold: into a directory, or to nobody, to see that it is whole.
//!
//! Order: every volume is checked and what is wrong is named; then the archive is read once, and a
//! second time if a name was asked for whose file was not.
//!
//! Invariants
//! 1. A file that has a lost byte, or does not give its SHA-256, is named with the ranges that are
//!    lost and is not left in the directory.
//! 2. What is behind a gap is given: each frame says where the next member starts.
//! 3. Nothing outside of the directory is touched: paths are checked as those of any archive, and
//!    the directory is the one of `restore`. A member that lies below what is no directory, or
//!    whose name is taken, is named, and the others come back.
//! 4. What cannot be read of an archive whose bytes are all there is named with where it lies, down
//!    to where reading goes on: nothing is passed over in silence.

mod given;
mod links;

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use given::Given;

use super::content::Content;
use super::inspect::inspect;
use super::read::{Place, verify};
use super::shelf::{Shelf, select};
use super::stream::{Loss, Stream};
use super::{VolumeFacts, VolumeProblem, VolumesReport};
use crate::error::VaultError;
use crate::key::Kek;
use crate::manifest::{self, Meta, Node, parent, unreadable};
use crate::pattern::Pattern;
use crate::preserve::{path_below, path_of};
use crate::progress::Progress;
use crate::proof::Proof;
use crate::restore::{Target, apply};
use crate::tar::{Archive, Body, Member};
use crate::verify::Problem;

/// Reads volumes and everything in them. Without a key: their headers and each file's SHA-256.
///
/// # Errors
/// A path that leads to nothing; [`VaultError::WhichSet`]. All else is in the report.
pub fn check_volumes<'a>(
    shelf: impl Into<Shelf<'a>>,
    key: Option<&Kek>,
    progress: &mut dyn Progress,
) -> Result<Given, VaultError> {
    let shelf = shelf.into();
    let Some(key) = key else {
        return Ok(Given { volumes: inspect(shelf, progress)?, ..Given::default() });
    };
    let (volumes, places) = verify(shelf, key, progress)?;
    let mut giver = Giver::new(volumes, None, progress);
    giver.run(&places, key, (&|path| Some(path.to_vec()), &|_| true))?;
    giver.finish()
}

/// Restores what volumes hold, or the part that `only` matches, into a new or empty directory. Each
/// snapshot is in a directory of its name; patterns are relative to that.
///
/// # Errors
/// [`VaultError::Destination`]; a path that leads to nothing; [`VaultError::WhichSet`]. What is
/// damaged is in the report.
pub fn restore_volumes<'a>(
    shelf: impl Into<Shelf<'a>>,
    key: &Kek,
    (into, only): (&Path, Option<&Pattern>),
    progress: &mut dyn Progress,
) -> Result<Given, VaultError> {
    let shelf = shelf.into();
    select(shelf, Some(key))?; // before anything is made
    let mut target = Target::open(into)?;
    let (volumes, places) = verify(shelf, key, progress)?;
    target.mark(&|_| false)?;
    let mut giver = Giver::new(volumes, Some(target), progress);
    let below = |path: &[u8]| {
        let slash = path.iter().position(|c| *c == b'/');
        slash.map(|at| path[at + 1..].to_vec()).unwrap_or_default()
    };
    let choose =
        |path: &[u8]| only.is_none_or(|only| only.matches(&below(path))).then(|| path.to_vec());
    let misses = |path: &[u8]| {
        only.is_none_or(|only| only.matches(&below(path)) || only.reaches_below(&below(path)))
    };
    giver.run(&places, key, (&choose, &misses))?;
    giver.stand_ins(&places, key)?;
    giver.finish()
}

/// Where a member of that path goes, if anywhere.
type Choose<'a> = dyn Fn(&[u8]) -> Option<Vec<u8>> + 'a;
/// Whether a name that was never read matters.
type Misses<'a> = dyn Fn(&[u8]) -> bool + 'a;

/// Why members end.
enum End {
    /// The archive has its end.
    Whole,
    /// What comes next is lost.
    Lost,
    /// It is there, and cannot be read: why not.
    Strange(String),
}

pub(super) struct Giver<'a> {
    given: Given,
    target: Option<Target>,
    progress: &'a mut dyn Progress,
    /// Directories with their metadata, parents first.
    directories: Vec<(Vec<u8>, Option<Meta>)>,
    made: HashSet<Vec<u8>>,
    /// Files that were given whole.
    whole: HashSet<Vec<u8>>,
    /// What else than files and directories was given.
    others: HashSet<Vec<u8>>,
    /// Links whose file was not given: the file, and the links.
    links: HashMap<Vec<u8>, Vec<Vec<u8>>>,
    loss: Rc<Cell<Loss>>,
    /// Members that were read.
    pub(super) members: u64,
    /// The volumes that were read from start to end.
    pub(super) read: Vec<VolumeFacts>,
}

impl<'a> Giver<'a> {
    pub(super) fn new(
        volumes: VolumesReport,
        target: Option<Target>,
        progress: &'a mut dyn Progress,
    ) -> Self {
        Self {
            given: Given { volumes, ..Given::default() },
            target,
            progress,
            directories: Vec::new(),
            made: HashSet::from([Vec::new()]),
            whole: HashSet::new(),
            others: HashSet::new(),
            links: HashMap::new(),
            loss: Rc::new(Cell::new(Loss::Nothing)),
            members: 0,
            read: Vec::new(),
        }
    }

    /// Reads the archive from start to end.
    pub(super) fn run(
        &mut self,
        places: &[Place],
        key: &Kek,
        asked: (&Choose<'_>, &Misses<'_>),
    ) -> Result<(), VaultError> {
        let size: u64 = self.given.volumes.volumes.iter().map(|v| v.size).sum();
        self.progress.begin("reading files", size);
        let mut stream = Stream::new(places, key);
        self.loss = stream.loss();
        let mut done = 0;
        loop {
            let end = self.members(&mut Archive::authentic(&mut stream), &mut done, asked)?;
            let (from, over) = (stream.position(), stream.is_over());
            let more = match end {
                End::Whole => break,
                End::Lost => stream.resync(),
                End::Strange(why) => {
                    let more = stream.resync();
                    if !(over && self.has_no_end()) {
                        self.strange(from..stream.position(), &why);
                    }
                    more
                }
            };
            if !more {
                self.breaks_off();
                break;
            }
        }
        self.read = stream.into_read();
        Ok(())
    }

    /// Reads members up to the end of the archive, or to what cannot be read.
    fn members(
        &mut self,
        archive: &mut Archive<&mut Stream<'_>>,
        done: &mut u64,
        asked: (&Choose<'_>, &Misses<'_>),
    ) -> Result<End, VaultError> {
        loop {
            if self.loss.get() == Loss::Place {
                return Ok(End::Lost);
            }
            let skipped = archive.skip();
            if self.loss.get() == Loss::Place {
                return Ok(End::Lost);
            }
            self.loss.set(Loss::Nothing);
            let next = skipped.and_then(|()| archive.next());
            if self.loss.get() != Loss::Nothing {
                return Ok(End::Lost); // part of what it says
            }
            match next {
                Ok(None) => return Ok(End::Whole),
                Ok(Some(member)) => {
                    let stored = member.body.data();
                    self.members += 1;
                    self.member(archive, member, asked)?;
                    *done += stored;
                    self.progress.advance(self.given.files, *done);
                }
                Err(flaw) => return Ok(End::Strange(flaw.to_string())),
            }
        }
    }

    /// Whether the archive's last part was not given, which is named by then.
    fn has_no_end(&self) -> bool {
        let (last, problems) = (self.given.volumes.volumes.last(), &self.given.volumes.problems);
        let last = last.map_or(0, |last| last.ordinal);
        problems.iter().any(|problem| match problem {
            VolumeProblem::Missing { first, .. } => *first > last,
            VolumeProblem::Twice { .. } | VolumeProblem::Foreign { .. } => false,
            _ => true,
        })
    }

    fn strange(&mut self, at: Range<u64>, why: &str) {
        let what = format!(
            "bytes {}..{} of the archive are not understood, and what is in them is not given: \
             {why}",
            at.start, at.end
        );
        self.given.damaged.push(Problem { path: PathBuf::new(), what });
    }

    /// The archive has no end: that must be for a reason that was named.
    fn breaks_off(&mut self) {
        if self.given.is_as_written() {
            let what = "the archive in the volumes is not whole".to_owned();
            self.given.damaged.push(Problem { path: PathBuf::new(), what });
        }
    }

    fn member(
        &mut self,
        archive: &mut Archive<&mut Stream<'_>>,
        member: Member,
        (choose, misses): (&Choose<'_>, &Misses<'_>),
    ) -> Result<(), VaultError> {
        let path = match path_below(&member.path) {
            Ok(path) => path,
            Err(why) => return self.refuse(&member.path, why),
        };
        for (name, reason) in &member.missing {
            let path = [path.as_slice(), b"/", name].concat();
            if misses(&path) {
                self.given.not_restored.push(problem(&path, &unreadable(reason)));
                self.given.unreadable += 1;
            }
        }
        let Some(path) = choose(&path) else { return Ok(()) };
        let directory = matches!(member.node, Node::Directory { .. });
        if self.is_taken(&path) || !directory && self.made.contains(&path) {
            return self.refuse(&path, "its name is taken by what came before");
        }
        let mut above = parent(&path);
        while let Some(over) = above.filter(|over| !self.made.contains(*over)) {
            if self.is_taken(over) {
                return self.refuse(&path, "lies below what is no directory");
            }
            above = parent(over);
        }
        self.parents(&path)?;
        match member.node {
            Node::Directory { meta } => self.directory(path, Some(meta)),
            Node::File { meta, content } => {
                self.file(archive, (path, &meta, &content), (member.body, member.sha256))
            }
            Node::HardLink { target } => self.link(&path, &target),
            node => {
                self.others.insert(path.clone());
                let Some(target) = &mut self.target else { return Ok(()) };
                target.special(&path, &node, &mut |miss| self.given.miss(&path, miss))
            }
        }
    }

    /// Whether something that is no directory has this path.
    fn is_taken(&self, path: &[u8]) -> bool {
        let marker = self.target.as_ref().is_some_and(|target| target.is_marker(path));
        marker || self.whole.contains(path) || self.others.contains(path)
    }

    fn refuse(&mut self, path: &[u8], why: &str) -> Result<(), VaultError> {
        let what = format!("{why}: it was not restored");
        self.given.damaged.push(problem(path, &what));
        Ok(())
    }

    /// Directories that no member speaks of, or that were not asked for.
    fn parents(&mut self, path: &[u8]) -> Result<(), VaultError> {
        let mut missing = Vec::new();
        let mut above = parent(path);
        while let Some(path) = above.filter(|path| !self.made.contains(*path)) {
            missing.push(path.to_vec());
            above = parent(path);
        }
        missing.into_iter().rev().try_for_each(|path| self.directory(path, None))
    }

    fn directory(&mut self, path: Vec<u8>, meta: Option<Meta>) -> Result<(), VaultError> {
        if self.made.insert(path.clone())
            && let Some(target) = &mut self.target
        {
            target.directory(&path)?;
        }
        self.directories.push((path, meta));
        Ok(())
    }

    fn file(
        &mut self,
        archive: &mut Archive<&mut Stream<'_>>,
        (path, meta, known): (Vec<u8>, &Meta, &manifest::Content),
        (body, said): (Body, Option<[u8; 32]>),
    ) -> Result<(), VaultError> {
        let file = self.target.as_mut().map(|target| target.file(&path, meta)).transpose()?;
        let (size, data) = (body.size, body.data());
        let hash = Proof::of_lengths(size.saturating_sub(data), data) == Proof::Sha256;
        let said = said.filter(|_| hash);
        let content = Content { path: &path, file: file.as_ref(), loss: &self.loss };
        let copied = content.copy(archive, body, said.is_some());
        if let (Err(_), Some(target)) = (&copied, &mut self.target) {
            _ = target.remove(&path); // it takes no more: that is what is told
        }
        let (sha256, lost) = copied?;
        let what = match (&lost[..], said) {
            ([], Some(said)) if said != sha256 => "it does not give its SHA-256".to_owned(),
            ([], _) => {
                if let Some(file) = &file {
                    apply(file, meta, &mut |miss| self.given.miss(&path, miss));
                }
                if said.is_none() {
                    self.given.by_frames.push(path_of(&path));
                }
                let flaws = known.flaws().map(|what| problem(&path, &what));
                self.given.not_restored.extend(flaws);
                self.given.never_read = self.given.never_read.saturating_add(known.never_read());
                self.given.files += 1;
                self.given.bytes += size;
                self.whole.insert(path);
                return Ok(());
            }
            (ranges, _) => {
                let spans = ranges.iter().map(|r| format!("{}..{}", r.start, r.end));
                let spans: Vec<String> = spans.collect();
                format!("of its {size} bytes {} are lost", spans.join(", "))
            }
        };
        if let Some(target) = &mut self.target {
            target.remove(&path)?;
        }
        self.given.damaged.push(problem(&path, &what));
        Ok(())
    }

    /// Metadata of directories, links of what is lost, and onto the disk.
    pub(super) fn finish(mut self) -> Result<Given, VaultError> {
        self.name_links();
        if let Some(target) = &mut self.target {
            target.sync()?;
            target.unmark()?;
            for (path, meta) in self.directories.iter().rev() {
                let Some(meta) = meta else { continue };
                let directory = target.open_directory(path)?;
                apply(&directory, meta, &mut |miss| self.given.miss(path, miss));
            }
            target.sync()?;
        }
        self.given.missed.not_made.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(self.given)
    }
}

fn problem(path: &[u8], what: &str) -> Problem {
    Problem { path: path_of(path), what: what.to_owned() }
}
