//! Reading volumes: all of a set is checked first, then its stream leaves, up to the first gap.
//!
//! Invariants
//! 1. File names mean nothing: set and ordinal come from authentic headers.
//! 2. Every problem names the volume, and the frame where there is one; a problem of one volume
//!    keeps no other from being checked.
//! 3. Each frame is authenticated before its bytes leave, in the second pass too.
//!
//! Out of scope: what is whole behind a gap; docs/read-volumes.py brings that back.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use super::layout::{Cipher, Description, END, END_FRAME, Ending, Follows, Head};
use super::{SetId, VolumeFacts, VolumeProblem, VolumesReport};
use crate::error::VaultError;
use crate::key::Kek;
use crate::seal::TAG;

/// What a data frame has before its bytes of the stream.
const LEAD: usize = 4;

/// A volume that the key opens.
struct Volume {
    facts: VolumeFacts,
    head: Head,
    description: Option<Description>,
    ending: Option<Ending>,
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> VaultError {
    let path = path.display().to_string();
    move |e| VaultError::Source { path: path.clone(), doing: "read it", detail: e.to_string() }
}

/// Takes a frame's number, and its plain bytes if it is authentic.
type Each<'a> = dyn FnMut(u64, Option<&[u8]>) -> Result<(), VaultError> + 'a;

/// A volume file read front to back, hashed on the way.
struct Tape<'a> {
    path: &'a Path,
    file: File,
    sha256: Context,
    left: u64,
}

impl<'a> Tape<'a> {
    fn open(path: &'a Path) -> Result<Self, VaultError> {
        let file = File::open(path).map_err(failed(path))?;
        let left = file.metadata().map_err(failed(path))?.len();
        Ok(Self { path, file, sha256: Context::new(&SHA256), left })
    }

    /// The next `most` bytes, or fewer at the end.
    fn take(&mut self, most: usize, into: &mut Vec<u8>) -> Result<(), VaultError> {
        let most = usize::try_from(self.left).map_or(most, |left| left.min(most));
        into.resize(most, 0);
        self.file.read_exact(into).map_err(failed(self.path))?;
        self.sha256.update(into);
        self.left -= most as u64;
        Ok(())
    }

    /// Header and cipher; why not, if the key does not open it.
    fn head(&mut self, key: &Kek) -> Result<Result<(Head, Cipher), VolumeProblem>, VaultError> {
        let volume = || self.path.to_path_buf();
        let mut start = vec![0; Head::MOST];
        let n = usize::try_from(self.left).map_or(Head::MOST, |left| left.min(Head::MOST));
        let peek = std::os::unix::fs::FileExt::read_exact_at(&self.file, &mut start[..n], 0);
        peek.map_err(failed(self.path))?;
        let (head, commitment, len) = match Head::parse(&start[..n]) {
            Ok(parsed) => parsed,
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

    /// All frames in order: description, data, end. `each` gets number and plain bytes, if
    /// authentic.
    fn frames(
        &mut self,
        (head, cipher): (&Head, &Cipher),
        each: &mut Each<'_>,
    ) -> Result<(), VaultError> {
        let mut buffer = Vec::new();
        self.take(head.description as usize + TAG, &mut buffer)?;
        each(0, cipher.open(0, &mut buffer))?;
        let end = (END + TAG) as u64;
        let mut number = 0;
        while self.left > end {
            let room = usize::try_from(self.left - end).unwrap_or(usize::MAX);
            number += 1;
            self.take(room.min(head.frame as usize + TAG), &mut buffer)?;
            let plain = cipher.open(number, &mut buffer).filter(|plain| plain.len() > LEAD);
            each(number, plain)?;
        }
        self.take(END + TAG, &mut buffer)?;
        each(END_FRAME, cipher.open(END_FRAME, &mut buffer))
    }
}

/// Reads all of one volume.
fn check(
    path: &Path,
    key: &Kek,
    problems: &mut Vec<VolumeProblem>,
) -> Result<Option<Volume>, VaultError> {
    let mut tape = Tape::open(path)?;
    let size = tape.left;
    let (head, cipher) = match tape.head(key)? {
        Ok(opened) => opened,
        Err(problem) => {
            problems.push(problem);
            return Ok(None);
        }
    };
    let volume = || path.to_path_buf();
    let (mut description, mut ending, mut frames) = (None, None, 0);
    let mut damaged = Vec::new();
    tape.frames((&head, &cipher), &mut |number, plain| {
        match number {
            0 => description = plain.and_then(|plain| Description::parse(plain).ok()),
            END_FRAME => ending = plain.and_then(|plain| Ending::parse(plain).ok()),
            _ => frames = number,
        }
        if plain.is_none() && number != END_FRAME {
            damaged.push(VolumeProblem::Frame { volume: volume(), frame: number });
        }
        Ok(())
    })?;
    problems.append(&mut damaged);
    if ending.is_none_or(|e| e.frames != frames) {
        ending = None;
        problems.push(VolumeProblem::Cut { volume: volume() });
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(tape.sha256.finish().as_ref());
    let facts = VolumeFacts { path: volume(), ordinal: head.ordinal, size, sha256 };
    Ok(Some(Volume { facts, head, description, ending }))
}

/// The set most volumes belong to.
fn most_frequent(volumes: &[Volume]) -> Option<[u8; 16]> {
    let mut count: BTreeMap<[u8; 16], usize> = BTreeMap::new();
    volumes.iter().for_each(|v| *count.entry(v.head.set).or_default() += 1);
    count.into_iter().max_by_key(|(_, n)| *n).map(|(set, _)| set)
}

/// What is missing in a sequence, or does not join.
fn gaps(volumes: &BTreeMap<u32, Volume>, problems: &mut Vec<VolumeProblem>) {
    let mut next = 1;
    let mut end = Some(0);
    for (ordinal, volume) in volumes {
        problems.extend((next..*ordinal).map(|ordinal| VolumeProblem::Missing { ordinal }));
        let start = volume.description.as_ref().map(|d| d.start);
        let joins = next != *ordinal || end.is_none() || start.is_none() || start == end;
        let agrees = volume.ending.is_none() || start.is_none_or(|s| volume.starts_at(s));
        if !joins || !agrees {
            problems.push(VolumeProblem::DoesNotJoin { volume: volume.facts.path.clone() });
        }
        end = volume.ending.map(|e| e.end);
        next = ordinal.saturating_add(1);
    }
    let last = volumes.values().next_back().and_then(|v| v.ending);
    if last.is_none_or(|e| e.follows == Follows::More) {
        problems.push(VolumeProblem::Missing { ordinal: next });
    }
}

impl Volume {
    fn starts_at(&self, start: u64) -> bool {
        self.ending.is_some_and(|e| e.start == start)
    }
}

/// Checks every byte of a set of volumes.
pub(super) fn verify(paths: &[PathBuf], key: &Kek) -> Result<VolumesReport, VaultError> {
    let mut problems = Vec::new();
    let mut opened = Vec::new();
    for path in paths {
        opened.extend(check(path, key, &mut problems)?);
    }
    let set = most_frequent(&opened);
    let mut volumes: BTreeMap<u32, Volume> = BTreeMap::new();
    for volume in opened {
        let (path, ordinal) = (volume.facts.path.clone(), volume.head.ordinal);
        if Some(volume.head.set) != set {
            let other = SetId(volume.head.set);
            problems.push(VolumeProblem::Foreign { volume: path, set: other });
        } else if let Entry::Vacant(place) = volumes.entry(ordinal) {
            place.insert(volume);
        } else {
            problems.push(VolumeProblem::Twice { volume: path, ordinal });
        }
    }
    gaps(&volumes, &mut problems);
    let bytes = volumes.values().next_back().and_then(|v| v.ending).map_or(0, |e| e.end);
    let first = volumes.values().find_map(|v| v.description.clone());
    let origin = volumes.values().next().map(|v| v.head.origin.clone()).unwrap_or_default();
    let (tenant, unit) = first.map(|d| (d.tenant, d.unit)).unwrap_or_default();
    let volumes = volumes.into_values().map(|v| v.facts).collect();
    Ok(VolumesReport { set: set.map(SetId), origin, tenant, unit, bytes, volumes, problems })
}

/// Sends the stream of a verified set to `out`, up to the first gap.
pub(super) fn stream(
    report: &VolumesReport,
    key: &Kek,
    out: &mut dyn Write,
) -> Result<(), VaultError> {
    for (volume, ordinal) in report.volumes.iter().zip(1..) {
        let bad = report.problems.iter().any(|p| p.volume() == Some(&volume.path));
        if volume.ordinal != ordinal || bad {
            return Ok(());
        }
        let changed = || VaultError::Volume {
            volume: volume.path.display().to_string(),
            detail: "it changed while it was read: what left so far is authentic, go again".into(),
        };
        let mut tape = Tape::open(&volume.path)?;
        let (head, cipher) = tape.head(key)?.map_err(|_| changed())?;
        if head.ordinal != ordinal || Some(SetId(head.set)) != report.set {
            return Err(changed());
        }
        tape.frames((&head, &cipher), &mut |number, plain| {
            let plain = plain.ok_or_else(changed)?;
            if number == 0 || number == END_FRAME {
                return Ok(());
            }
            out.write_all(&plain[LEAD..]).map_err(|e| VaultError::Destination {
                path: "(archive)".to_owned(),
                doing: "write it",
                detail: e.to_string(),
            })
        })?;
    }
    out.flush().map_err(failed(Path::new("(archive)")))
}
