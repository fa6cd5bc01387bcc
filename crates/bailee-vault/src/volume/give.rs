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
//!    the directory is the one of `restore`.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use aws_lc_rs::digest::{Context, SHA256};

use super::VolumesReport;
use super::read::{Place, inspect, verify};
use super::stream::Stream;
use crate::error::VaultError;
use crate::key::Kek;
use crate::manifest::{Meta, Node, parent};
use crate::pattern::Pattern;
use crate::preserve::{Progress, hash_zeros, path_in_tree, path_of};
use crate::proof::Proof;
use crate::restore::{Target, apply};
use crate::root::finish;
use crate::tar::{Archive, Body, Flaw, Member};
use crate::verify::Problem;

/// What was read of volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The volumes themselves.
    pub volumes: VolumesReport,
    /// Files that are whole.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are not, with what of them is lost.
    pub damaged: Vec<Problem>,
    /// Metadata and special nodes that this system or user could not restore.
    pub not_restored: Vec<Problem>,
    /// Whole files that were proven by authentic frames, not by a SHA-256: they are nearly all
    /// holes, or their volumes were written before files had one there.
    pub by_frames: Vec<PathBuf>,
}

impl Given {
    /// Every volume is there, every byte authentic, every file whole.
    pub fn is_complete(&self) -> bool {
        self.volumes.problems.is_empty() && self.damaged.is_empty()
    }
}

/// Reads volumes and everything in them. Without a key: their headers and each file's SHA-256.
///
/// # Errors
/// A volume that cannot be opened. All else is in the report.
pub fn check_volumes(
    paths: &[PathBuf],
    key: Option<&Kek>,
    progress: &mut dyn Progress,
) -> Result<Given, VaultError> {
    let Some(key) = key else {
        return Ok(Given { volumes: inspect(paths, progress)?, ..Given::default() });
    };
    let (volumes, places) = verify(paths, key, progress)?;
    let mut giver = Giver::new(volumes, None, progress);
    giver.run(&places, key, &|path| Some(path.to_vec()))?;
    giver.finish()
}

/// Restores what volumes hold, or the part that `only` matches, into a new or empty directory. Each
/// snapshot is in a directory of its name; patterns are relative to that.
///
/// # Errors
/// [`VaultError::Destination`]; a volume that cannot be opened. What is damaged is in the report.
pub fn restore_volumes(
    paths: &[PathBuf],
    key: &Kek,
    (into, only): (&Path, Option<&Pattern>),
    progress: &mut dyn Progress,
) -> Result<Given, VaultError> {
    let target = Target::open(into)?;
    let (volumes, places) = verify(paths, key, progress)?;
    let mut giver = Giver::new(volumes, Some(target), progress);
    giver.run(&places, key, &|path| {
        let below = path.iter().position(|c| *c == b'/').map_or(&b""[..], |at| &path[at + 1..]);
        only.is_none_or(|only| only.matches(below)).then(|| path.to_vec())
    })?;
    giver.stand_ins(&places, key)?;
    giver.finish()
}

/// Where a member of that path goes, if anywhere.
type Choose<'a> = dyn Fn(&[u8]) -> Option<Vec<u8>> + 'a;

struct Giver<'a> {
    given: Given,
    target: Option<Target>,
    progress: &'a mut dyn Progress,
    /// Directories with their metadata, parents first.
    directories: Vec<(Vec<u8>, Option<Meta>)>,
    made: HashSet<Vec<u8>>,
    /// Files that were given whole.
    whole: HashSet<Vec<u8>>,
    /// Links whose file was not given: the file, and the links.
    links: HashMap<Vec<u8>, Vec<Vec<u8>>>,
    lost: Rc<Cell<bool>>,
}

impl<'a> Giver<'a> {
    fn new(volumes: VolumesReport, target: Option<Target>, progress: &'a mut dyn Progress) -> Self {
        Self {
            given: Given { volumes, ..Given::default() },
            target,
            progress,
            directories: Vec::new(),
            made: HashSet::from([Vec::new()]),
            whole: HashSet::new(),
            links: HashMap::new(),
            lost: Rc::default(),
        }
    }

    /// Reads the archive from start to end.
    fn run(&mut self, places: &[Place], key: &Kek, choose: &Choose<'_>) -> Result<(), VaultError> {
        let size: u64 = self.given.volumes.volumes.iter().map(|v| v.size).sum();
        self.progress.begin("reading files", size);
        let mut stream = Stream::new(places, key);
        self.lost = stream.lost();
        let mut done = 0;
        loop {
            let mut archive = Archive::new(&mut stream);
            loop {
                let skipped = archive.skip();
                self.lost.set(false);
                match skipped.and_then(|()| archive.next()) {
                    Ok(_) if self.lost.get() => break, // part of what it says is lost
                    Ok(None) => return Ok(()),
                    Ok(Some(member)) => {
                        let stored = member.body.data();
                        self.member(&mut archive, member, choose)?;
                        done += stored;
                        self.progress.advance(self.given.files, done);
                    }
                    Err(_) => break,
                }
            }
            drop(archive);
            if !stream.resync() {
                return self.breaks_off();
            }
        }
    }

    /// The archive has no end: that must be for a reason that was named.
    fn breaks_off(&mut self) -> Result<(), VaultError> {
        if self.given.volumes.problems.is_empty() {
            let what = "the archive in the volumes is not whole".to_owned();
            self.given.damaged.push(Problem { path: PathBuf::new(), what });
        }
        Ok(())
    }

    fn member(
        &mut self,
        archive: &mut Archive<&mut Stream<'_>>,
        member: Member,
        choose: &Choose<'_>,
    ) -> Result<(), VaultError> {
        let path = match path_in_tree(&member.path) {
            Ok(path) => path,
            Err(why) => {
                let what = format!("{why}: it was not restored");
                self.given.damaged.push(Problem { path: path_of(&member.path), what });
                return Ok(());
            }
        };
        let Some(path) = choose(&path) else { return Ok(()) };
        self.parents(&path)?;
        match member.node {
            Node::Directory { meta } => self.directory(path, Some(meta)),
            Node::File { meta, .. } => {
                self.file(archive, (path, &meta), (member.body, member.sha256))
            }
            Node::HardLink { target } => self.link(&path, &target),
            node => {
                let Some(target) = &mut self.target else { return Ok(()) };
                let missed = &mut self.given.not_restored;
                target.special(&path, &node, &mut |what| missed.push(problem(&path, what)))
            }
        }
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
        (path, meta): (Vec<u8>, &Meta),
        (body, said): (Body, Option<[u8; 32]>),
    ) -> Result<(), VaultError> {
        let file = self.target.as_mut().map(|target| target.file(&path)).transpose()?;
        let (size, data) = (body.size, body.data());
        let hash = Proof::of_lengths(size.saturating_sub(data), data) == Proof::Sha256;
        let said = said.filter(|_| hash);
        let content = Content { path: &path, file: file.as_ref(), lost: &self.lost };
        let (sha256, lost) = content.copy(archive, body, said.is_some())?;
        let what = match (&lost[..], said) {
            ([], Some(said)) if said != sha256 => "it does not give its SHA-256".to_owned(),
            ([], _) => {
                let missed = &mut self.given.not_restored;
                if let Some(file) = &file {
                    apply(file, meta, &mut |what| missed.push(problem(&path, what)));
                }
                if said.is_none() {
                    self.given.by_frames.push(path_of(&path));
                }
                self.given.files += 1;
                self.given.bytes += size;
                self.whole.insert(path);
                return Ok(());
            }
            (ranges, _) => {
                let ranges: Vec<String> =
                    ranges.iter().map(|r| format!("{}..{}", r.start, r.end)).collect();
                format!("of its {size} bytes {} are lost", ranges.join(", "))
            }
        };
        if let Some(target) = &mut self.target {
            target.remove(&path)?;
        }
        self.given.damaged.push(problem(&path, &what));
        Ok(())
    }

    fn link(&mut self, path: &[u8], first: &[u8]) -> Result<(), VaultError> {
        let first = path_in_tree(first).unwrap_or_default();
        match &mut self.target {
            Some(target) if self.whole.contains(&first) => target.link(&first, path),
            None if self.whole.contains(&first) => Ok(()),
            _ => {
                self.links.entry(first).or_default().push(path.to_vec());
                Ok(())
            }
        }
    }

    /// Links whose file was not asked for: the first of them becomes the file.
    fn stand_ins(&mut self, places: &[Place], key: &Kek) -> Result<(), VaultError> {
        let damaged: HashSet<PathBuf> = self.given.damaged.iter().map(|p| p.path.clone()).collect();
        let links = std::mem::take(&mut self.links);
        let (lost, wanted): (HashMap<_, _>, HashMap<_, _>) =
            links.into_iter().partition(|(first, _)| damaged.contains(&path_of(first)));
        self.links = lost;
        if wanted.is_empty() {
            return Ok(());
        }
        self.run(places, key, &|path| wanted.get(path).map(|links| links[0].clone()))?;
        for links in wanted.into_values() {
            for link in &links[1..] {
                self.link(link, &links[0])?;
            }
            if !self.whole.contains(&links[0]) {
                self.links.entry(links[0].clone()).or_default().push(links[0].clone());
            }
        }
        Ok(())
    }

    /// Metadata of directories, links of what is lost, and onto the disk.
    fn finish(mut self) -> Result<Given, VaultError> {
        self.name_links();
        if let Some(target) = &self.target {
            for (path, meta) in self.directories.iter().rev() {
                let Some(meta) = meta else { continue };
                let directory = target.open_directory(path)?;
                let missed = &mut self.given.not_restored;
                apply(&directory, meta, &mut |what| missed.push(problem(path, what)));
            }
            target.sync()?;
        }
        Ok(self.given)
    }

    fn name_links(&mut self) {
        let known: HashSet<PathBuf> = self.given.damaged.iter().map(|p| p.path.clone()).collect();
        for link in self.links.values().flatten().filter(|link| !known.contains(&path_of(link))) {
            let what = "it is another name of a file that is damaged or lost";
            self.given.damaged.push(problem(link, what));
        }
        self.given.damaged.sort_by(|a, b| a.path.cmp(&b.path));
    }
}

fn problem(path: &[u8], what: &str) -> Problem {
    Problem { path: path_of(path), what: what.to_owned() }
}

/// The content of one file on its way.
struct Content<'a> {
    path: &'a [u8],
    file: Option<&'a File>,
    lost: &'a Cell<bool>,
}

/// Bytes copied at once; a loss is known to this.
const PIECE: usize = 64 << 10;

impl Content<'_> {
    /// Copies it. Its SHA-256, if that was asked for, and what of it is lost.
    fn copy(
        &self,
        archive: &mut Archive<&mut Stream<'_>>,
        mut body: Body,
        hash: bool,
    ) -> Result<([u8; 32], Vec<Range<u64>>), VaultError> {
        let (mut sha256, mut lost) = (Context::new(&SHA256), Vec::<Range<u64>>::new());
        let (mut at, size, mut room) = (0, body.size, vec![0; PIECE]);
        self.lost.set(false);
        while at < size {
            let hole = body.skip_hole();
            if hash {
                hash_zeros(&mut sha256, hole);
            }
            at += hole;
            let n = usize::try_from(body.run()).map_or(PIECE, |run| run.min(PIECE));
            if n == 0 {
                continue;
            }
            let piece = &mut room[..n];
            let next = at + n as u64;
            if let Err(Flaw::Archive { .. } | Flaw::Read(_)) = body.read(archive, piece) {
                lost.push(at..size); // it ends here
                break;
            }
            if self.lost.replace(false) {
                match lost.last_mut() {
                    Some(last) if last.end == at => last.end = next,
                    _ => lost.push(at..next),
                }
            } else if piece.iter().any(|byte| *byte != 0) {
                self.put(piece, at)?;
            }
            sha256.update(piece);
            at = next;
        }
        if let Some(file) = self.file {
            file.set_len(size).map_err(self.failed("extend it"))?;
        }
        Ok((finish(sha256), lost))
    }

    fn put(&self, piece: &[u8], at: u64) -> Result<(), VaultError> {
        let Some(file) = self.file else { return Ok(()) };
        file.write_all_at(piece, at).map_err(self.failed("write it"))
    }

    fn failed(&self, doing: &'static str) -> impl Fn(std::io::Error) -> VaultError {
        let path = path_of(self.path).display().to_string();
        move |e| VaultError::Destination { path: path.clone(), doing, detail: e.to_string() }
    }
}
