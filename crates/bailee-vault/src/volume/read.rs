//! Checking volumes: every byte of a set is read, and what is wrong is named.
//!
//! Invariants
//! 1. File names mean nothing: set and ordinal come from authentic headers.
//! 2. Every problem names the volume, and the frame where there is one; a problem of one volume
//!    keeps no other from being checked.
//!
//! Out of scope: what is in them, see `stream.rs` and `give.rs`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use super::layout::{Cipher, Description, END, END_FRAME, Ending, Follows, Head};
use super::shelf::{Selected, Shelf, select, spare_stubs};
use super::{SetId, VolumeFacts, VolumeProblem, VolumesReport};
use crate::error::VaultError;
use crate::key::Kek;
use crate::names::SnapshotId;
use crate::progress::Progress;
use crate::root::finish;
use crate::seal::TAG;

/// What a data frame has before its bytes of the stream.
pub(super) const LEAD: usize = 4;

/// A volume that the key opens.
pub(super) struct Volume {
    path: PathBuf,
    /// Unless some of it could not be read.
    facts: Option<VolumeFacts>,
    head: Head,
    description: Option<Description>,
    ending: Option<Ending>,
    /// Nothing is wrong with it.
    whole: bool,
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> VaultError {
    let path = path.display().to_string();
    move |e| VaultError::Source { path: path.clone(), doing: "read it", detail: e.to_string() }
}

/// Takes a frame's number, where it lies in the file, and its plain bytes if it is authentic.
type Each<'a> = dyn FnMut(u64, Range<u64>, Frame<'_>) -> Result<(), VaultError> + 'a;

/// The plain bytes of a frame, or why there are none: `None` if it is damaged.
type Frame<'a> = Result<&'a [u8], Option<VaultError>>;

/// A volume file read front to back, hashed on the way.
pub(super) struct Tape<'a> {
    path: &'a Path,
    file: File,
    sha256: Context,
    pub(super) size: u64,
    pub(super) left: u64,
    /// Bytes that could not be read, or were passed over.
    unread: u64,
}

impl<'a> Tape<'a> {
    pub(super) fn open(path: &'a Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path, file, sha256: Context::new(&SHA256), size, left: size, unread: size })
    }

    /// As [`Tape::open`]; what is there and cannot be opened is a problem of that volume.
    ///
    /// # Errors
    /// A path that leads to nothing.
    pub(super) fn find(
        path: &'a Path,
        problems: &mut Vec<VolumeProblem>,
    ) -> Result<Option<Self>, VaultError> {
        match Self::open(path) {
            Ok(tape) => Ok(Some(tape)),
            Err(e) if e.kind() == ErrorKind::NotFound => Err(failed(path)(e)),
            Err(e) => {
                let (volume, why) = (path.to_path_buf(), e.to_string());
                problems.push(VolumeProblem::Closed { volume, why });
                Ok(None)
            }
        }
    }

    /// The next `most` bytes, or fewer at the end. After a failure the bytes after them are next.
    pub(super) fn take(&mut self, most: usize, into: &mut Vec<u8>) -> Result<(), VaultError> {
        let most = usize::try_from(self.left).map_or(most, |left| left.min(most));
        into.resize(most, 0);
        let at = self.at();
        self.left -= most as u64;
        self.file.read_exact_at(into, at).map_err(failed(self.path))?;
        self.unread -= most as u64;
        self.sha256.update(into);
        Ok(())
    }

    /// What was read, as the log has it; `None` if that is not all.
    pub(super) fn facts(self, head: &Head) -> Option<VolumeFacts> {
        if self.unread > 0 {
            return None;
        }
        let (path, size) = (self.path.to_path_buf(), self.size);
        Some(VolumeFacts { path, ordinal: head.ordinal, size, sha256: finish(self.sha256) })
    }

    /// How far it was read.
    fn at(&self) -> u64 {
        self.size - self.left
    }

    /// Header and cipher; why not, if the key does not open it.
    pub(super) fn head(
        &mut self,
        key: &Kek,
    ) -> Result<Result<(Head, Cipher), VolumeProblem>, VaultError> {
        let volume = || self.path.to_path_buf();
        let mut start = vec![0; Head::MOST];
        let n = usize::try_from(self.left).map_or(Head::MOST, |left| left.min(Head::MOST));
        self.file.read_exact_at(&mut start[..n], 0).map_err(failed(self.path))?;
        let (head, commitment, len) = match Head::parse(&start[..n]) {
            Ok(parsed) => parsed,
            Err(_) if Head::is_begun(&start[..n]) => {
                return Ok(Err(VolumeProblem::Stub { volume: volume() }));
            }
            Err(why) => return Ok(Err(VolumeProblem::NotAVolume { volume: volume(), why })),
        };
        if head.key != key.id() {
            return Ok(Err(VolumeProblem::OtherKey { volume: volume() }));
        }
        let (cipher, wanted) = Cipher::of(key, &head)?;
        if wanted != commitment {
            return Ok(Err(VolumeProblem::Header { volume: volume() }));
        }
        self.take(len, &mut start)?;
        Ok(Ok((head, cipher)))
    }

    /// The header, without a key.
    pub(super) fn plain_head(&self) -> Option<Head> {
        let mut start =
            vec![0; usize::try_from(self.size).map_or(Head::MOST, |n| n.min(Head::MOST))];
        self.file.read_exact_at(&mut start, 0).ok()?;
        Some(Head::parse(&start).ok()?.0)
    }

    /// What the end says, wherever reading is.
    pub(super) fn ending(&self, cipher: &Cipher) -> Option<Ending> {
        let mut sealed = [0; END + TAG];
        self.file.read_exact_at(&mut sealed, self.size.checked_sub((END + TAG) as u64)?).ok()?;
        Ending::parse(cipher.open(END_FRAME, &mut sealed)?).ok()
    }

    /// All frames in order: description, data, end.
    fn frames(
        &mut self,
        (head, cipher): (&Head, &Cipher),
        each: &mut Each<'_>,
    ) -> Result<(), VaultError> {
        let mut buffer = Vec::new();
        let description = head.description as usize + TAG;
        self.frame((0, description), cipher, &mut buffer, each)?;
        let end = (END + TAG) as u64;
        let mut number = 0;
        while self.left > end {
            let room = usize::try_from(self.left - end).unwrap_or(usize::MAX);
            number += 1;
            let len = room.min(head.frame as usize + TAG);
            self.frame((number, len), cipher, &mut buffer, each)?;
        }
        self.frame((END_FRAME, END + TAG), cipher, &mut buffer, each)
    }

    fn frame(
        &mut self,
        (number, len): (u64, usize),
        cipher: &Cipher,
        buffer: &mut Vec<u8>,
        each: &mut Each<'_>,
    ) -> Result<(), VaultError> {
        let start = self.at();
        let read = self.take(len, buffer);
        let range = start..self.at();
        if let Err(e) = read {
            return each(number, range, Err(Some(e)));
        }
        let data = number != 0 && number != END_FRAME;
        let plain = cipher.open(number, buffer).filter(|plain| !data || plain.len() > LEAD);
        each(number, range, plain.ok_or(None))
    }
}

/// Reads all of one volume.
fn check(
    path: &Path,
    key: &Kek,
    problems: &mut Vec<VolumeProblem>,
    progress: &mut dyn FnMut(u64),
) -> Result<Option<Volume>, VaultError> {
    let before = problems.len();
    let Some(mut tape) = Tape::find(path, problems)? else { return Ok(None) };
    let volume = || path.to_path_buf();
    let opened = tape.head(key).unwrap_or_else(|e| {
        let (start, end, why) = (0, Head::MOST as u64, e.to_string());
        Err(VolumeProblem::Unreadable { volume: volume(), start, end, why })
    });
    let (head, cipher) = match opened {
        Ok(opened) => opened,
        Err(problem) => {
            problems.push(problem);
            return Ok(None);
        }
    };
    let (mut description, mut ending, mut frames, mut stream) = (None, None, 0, 0);
    tape.frames((&head, &cipher), &mut |number, range, frame| {
        match number {
            0 => description = frame.as_ref().ok().and_then(|p| Description::parse(p).ok()),
            END_FRAME => ending = frame.as_ref().ok().and_then(|p| Ending::parse(p).ok()),
            _ => {
                frames = number;
                stream += (range.end - range.start).saturating_sub((TAG + LEAD) as u64);
            }
        }
        progress(range.end - range.start);
        let Range { start, end } = range;
        match frame {
            Err(Some(why)) => problems.push(VolumeProblem::Unreadable {
                volume: volume(),
                start,
                end,
                why: why.to_string(),
            }),
            Err(None) if number != END_FRAME => {
                problems.push(VolumeProblem::Frame { volume: volume(), frame: number, start, end });
            }
            _ => {}
        }
        Ok(())
    })?;
    let fits = |e: &Ending| e.frames == frames && e.start.checked_add(stream) == Some(e.end);
    if !ending.as_ref().is_some_and(fits) {
        ending = None;
        problems.push(VolumeProblem::Cut { volume: volume() });
    }
    let (facts, whole) = (tape.facts(&head), problems.len() == before);
    Ok(Some(Volume { path: volume(), facts, head, description, ending, whole }))
}

/// The set of volumes that are all of one, for [`select`] leaves no others without saying which.
pub(super) fn only(mut sets: impl Iterator<Item = [u8; 16]>) -> Option<[u8; 16]> {
    sets.next()
}

/// The volumes from `next` on that are missing before `ordinal`: one range, whatever a header says.
pub(super) fn missing(next: u32, ordinal: u32) -> Option<VolumeProblem> {
    (next < ordinal).then(|| VolumeProblem::Missing { first: next, last: ordinal - 1 })
}

/// What is missing in a sequence, or does not join.
fn gaps(volumes: &BTreeMap<u32, Volume>, problems: &mut Vec<VolumeProblem>) {
    let mut next = 1;
    let mut end = Some(0);
    for (ordinal, volume) in volumes {
        problems.extend(missing(next, *ordinal));
        let start = volume.description.as_ref().map(|d| d.start);
        let joins = next != *ordinal || end.is_none() || start.is_none() || start == end;
        let agrees = volume.ending.is_none() || start.is_none_or(|s| volume.starts_at(s));
        if !joins || !agrees {
            problems.push(VolumeProblem::DoesNotJoin { volume: volume.path.clone() });
        }
        end = volume.ending.map(|e| e.end);
        next = ordinal.saturating_add(1);
    }
    let last = volumes.values().next_back().and_then(|v| v.ending);
    if last.is_none_or(|e| e.follows == Follows::More) {
        problems.push(VolumeProblem::Missing { first: next, last: next });
    }
}

/// Where a volume of a set lies, and where in the archive it starts.
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) ordinal: u32,
    pub(super) start: Option<u64>,
}

/// Where each volume lies, and where in the archive it starts: its description says it, or its end,
/// or the end of the one before.
fn places(volumes: &BTreeMap<u32, Volume>) -> Vec<Place> {
    let (mut next, mut end) = (1, Some(0));
    let mut place = |(ordinal, volume): (&u32, &Volume)| {
        let start = volume.description.as_ref().map(|d| d.start);
        let start = start.or(volume.ending.map(|e| e.start));
        let start = start.or(end.filter(|_| *ordinal == next));
        (next, end) = (ordinal.saturating_add(1), volume.ending.map(|e| e.end));
        Place { path: volume.path.clone(), ordinal: *ordinal, start }
    };
    volumes.iter().map(&mut place).collect()
}

impl Volume {
    fn starts_at(&self, start: u64) -> bool {
        self.ending.is_some_and(|e| e.start == start)
    }
}

/// Checks every byte of a set of volumes.
pub(super) fn verify(
    shelf: Shelf<'_>,
    key: &Kek,
    progress: &mut dyn Progress,
) -> Result<(VolumesReport, Vec<Place>), VaultError> {
    let Selected { set, paths, mut ignored } = select(shelf, Some(key))?;
    let (mut problems, mut opened, mut done) = (Vec::new(), Vec::new(), 0);
    progress.begin("checking volumes", total(&paths));
    for path in &paths {
        let mut count = |bytes| {
            done += bytes;
            progress.advance(0, done);
        };
        opened.extend(check(path, key, &mut problems, &mut count)?);
    }
    let set = set.or_else(|| only(opened.iter().map(|v| v.head.set)));
    let volumes = sort(opened, set, |v| (&v.head, &v.path, v.whole), &mut problems);
    gaps(&volumes, &mut problems);
    spare_stubs(&mut problems, &mut ignored);
    let bytes = volumes.values().next_back().and_then(|v| v.ending).map_or(0, |e| e.end);
    let first = volumes.values().find_map(|v| v.description.clone());
    let origin = volumes.values().next().map(|v| v.head.origin.clone()).unwrap_or_default();
    let snapshots = first.iter().flat_map(|d| &d.snapshots).map(|id| SnapshotId(*id)).collect();
    let (tenant, unit) = first.map(|d| (d.tenant, d.unit)).unwrap_or_default();
    let places = places(&volumes);
    let volumes = volumes.into_values().filter_map(|v| v.facts).collect();
    let set = set.map(SetId);
    let report =
        VolumesReport { set, origin, tenant, unit, snapshots, bytes, volumes, problems, ignored };
    Ok((report, places))
}

/// Bytes of all files; one that cannot be asked fails later, by name.
pub(super) fn total(paths: &[PathBuf]) -> u64 {
    paths.iter().filter_map(|path| path.metadata().ok()).map(|meta| meta.len()).sum()
}

/// The volumes of `set` by ordinal; the others are problems. Of two copies of one, the first that
/// is whole counts, or the first. `of` gives a volume's header, path, and whether it is whole.
pub(super) fn sort<V>(
    opened: Vec<V>,
    set: Option<[u8; 16]>,
    of: impl Fn(&V) -> (&Head, &PathBuf, bool),
    problems: &mut Vec<VolumeProblem>,
) -> BTreeMap<u32, V> {
    let mut volumes: BTreeMap<u32, V> = BTreeMap::new();
    for volume in opened {
        let (head, path, whole) = of(&volume);
        let (other, ordinal) = (SetId(head.set), head.ordinal);
        if Some(head.set) != set {
            problems.push(VolumeProblem::Foreign { volume: path.clone(), set: other });
            continue;
        }
        match volumes.entry(ordinal) {
            Entry::Vacant(place) => drop(place.insert(volume)),
            Entry::Occupied(mut place) => {
                let better = whole && !of(place.get()).2;
                let spare = if better { place.insert(volume) } else { volume };
                let volume = of(&spare).1.clone();
                problems.push(VolumeProblem::Twice { volume, ordinal });
            }
        }
    }
    volumes
}

#[cfg(test)]
mod tests {
    use super::super::inspect::inspect;
    use super::*;
    use crate::volume::layout::MOST_VOLUMES;
    use crate::volume::made::{key, seal};

    /// A set of three volumes of which the last says another ordinal. No key is needed to say so.
    #[test]
    fn a_header_that_claims_many_volumes_costs_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = seal(dir.path(), |set| {
            use crate::export::Take;
            set.write(&vec![0; 700_000]).unwrap();
        });
        assert_eq!(inspect(Shelf::from(&paths), &mut ()).unwrap().problems, []);
        paths.truncate(2);
        let mut bytes = std::fs::read(&paths[1]).unwrap();
        bytes[32..36].copy_from_slice(&MOST_VOLUMES.to_be_bytes());
        std::fs::write(&paths[1], bytes).unwrap();
        let report = inspect(Shelf::from(&paths), &mut ()).unwrap();
        let range = VolumeProblem::Missing { first: 2, last: MOST_VOLUMES - 1 };
        assert_eq!(report.problems, std::slice::from_ref(&range));
        assert_eq!(range.to_string(), "volumes 2 to 999998 of the set are missing: find them");
        // With a key, somebody who has it may say the same.
        let (mut problems, mut volumes) = (Vec::new(), BTreeMap::new());
        let mut volume = check(&paths[0], &key(), &mut problems, &mut |_| ()).unwrap().unwrap();
        volume.head.ordinal = u32::MAX;
        volumes.insert(u32::MAX, volume);
        gaps(&volumes, &mut problems);
        let first = VolumeProblem::Missing { first: 1, last: u32::MAX - 1 };
        let next = VolumeProblem::Missing { first: u32::MAX, last: u32::MAX };
        assert_eq!(problems, [first, next]);
    }
}
