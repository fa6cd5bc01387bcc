//! What headers of volumes say, and the SHA-256 of each file. Needs no key: nothing is authentic.
//!
//! Invariants
//! 1. Anybody may have written what is read: no number in a header takes memory or time.
//! 2. What one volume does not give keeps no other from being read.

use std::path::{Path, PathBuf};

use super::layout::{END, Head};
use super::read::{Tape, missing, only, sort, total};
use super::shelf::{Selected, Shelf, select};
use super::{SetId, VolumeFacts, VolumeProblem, VolumesReport};
use crate::error::VaultError;
use crate::progress::Progress;
use crate::seal::TAG;

/// Bytes read at once, after those that may be a header.
const STEP: usize = 256 << 10;

/// A volume that has a header.
struct Seen {
    path: PathBuf,
    head: Head,
    /// Unless some of it could not be read.
    facts: Option<VolumeFacts>,
    /// Nothing is wrong that can be seen.
    whole: bool,
}

/// Reads volumes without their key.
pub(super) fn inspect(
    shelf: Shelf<'_>,
    progress: &mut dyn Progress,
) -> Result<VolumesReport, VaultError> {
    let Selected { set, paths, ignored } = select(shelf, None)?;
    let (mut problems, mut opened, mut done) = (Vec::new(), Vec::new(), 0);
    progress.begin("reading volumes", total(&paths));
    for path in &paths {
        let mut count = |bytes| {
            done += bytes;
            progress.advance(0, done);
        };
        opened.extend(look(path, &mut problems, &mut count)?);
    }
    let set = set.or_else(|| only(opened.iter().map(|seen: &Seen| seen.head.set)));
    let volumes = sort(opened, set, |seen| (&seen.head, &seen.path, seen.whole), &mut problems);
    let mut next = 1;
    for ordinal in volumes.keys() {
        problems.extend(missing(next, *ordinal));
        next = ordinal.saturating_add(1);
    }
    let origin = volumes.values().next().map(|seen| seen.head.origin.clone()).unwrap_or_default();
    let volumes = volumes.into_values().filter_map(|seen| seen.facts).collect();
    let set = set.map(SetId);
    Ok(VolumesReport { set, origin, volumes, problems, ignored, ..VolumesReport::default() })
}

/// Reads one volume from start to end, past what the medium does not give.
fn look(
    path: &Path,
    problems: &mut Vec<VolumeProblem>,
    progress: &mut dyn FnMut(u64),
) -> Result<Option<Seen>, VaultError> {
    let before = problems.len();
    let Some(mut tape) = Tape::find(path, problems)? else { return Ok(None) };
    let (volume, mut buffer) = (path.to_path_buf(), Vec::new());
    let (mut parsed, mut begun) = (None, tape.size == 0);
    while tape.left > 0 {
        let start = tape.size - tape.left;
        let taken = tape.take(if start == 0 { Head::MOST } else { STEP }, &mut buffer);
        let end = tape.size - tape.left;
        progress(end - start);
        if let Err(e) = taken {
            let (volume, why) = (volume.clone(), e.to_string());
            problems.push(VolumeProblem::Unreadable { volume, start, end, why });
        } else if start == 0 {
            begun = Head::is_begun(&buffer);
            parsed = Some(Head::parse(&buffer));
        }
    }
    let (head, _, len) = match parsed {
        Some(Ok(parsed)) => parsed,
        Some(Err(_)) | None if begun => {
            problems.push(VolumeProblem::Stub { volume });
            return Ok(None);
        }
        Some(Err(why)) => {
            problems.push(VolumeProblem::NotAVolume { volume, why });
            return Ok(None);
        }
        None => return Ok(None), // its start could not be read, which was said
    };
    if tape.size < (len + head.description as usize + END + 2 * TAG) as u64 {
        problems.push(VolumeProblem::Cut { volume: volume.clone() });
    }
    let (facts, whole) = (tape.facts(&head), problems.len() == before);
    Ok(Some(Seen { path: volume, head, facts, whole }))
}
