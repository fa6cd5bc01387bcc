//! Large files in segments, each from one waypoint to the next, by any thread.
//!
//! Invariants
//! 1. The segments of a file are its extents in order, each in one of them.
//! 2. A segment is good if its chunks are authentic and SHA-256, gone on with from its first
//!    waypoint, arrives at its last. If all are, the file has its digest: the first begins where
//!    every SHA-256 begins, the last ends with the digest, and each begins where one ended.
//! 3. A file without waypoints is one segment.
//! 4. A wide gap is a segment of its own. Whoever writes a file has nothing to write there and so
//!    nothing to prove, and takes it that the chain leads over it as the manifest says; whoever
//!    verifies a snapshot walks over it.
//!
//! Why: one SHA-256 takes half a nanosecond a byte on one core, which is what restoring a large
//! image waited for while the other core was idle (docs/decisions/0064).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::chunk::Desk;
use crate::error::VaultError;
use crate::flat::{Flat, Waypoint};
use crate::index::Table;
use crate::manifest::{Content, Extent, Stored};
use crate::proof::Proof;
use crate::read::{Bytes, Take};
use crate::unit::Unit;

/// Bytes from one waypoint to the next, at least: a waypoint costs about 70 bytes of manifest.
pub(crate) const STRETCH: u64 = 16 * 1024 * 1024;

/// Bytes of a gap that has a waypoint at each end.
pub(crate) const WIDE: u64 = 1024 * 1024;

/// A stretch of a file that is read and proven on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment<'e> {
    /// Where it begins in the file.
    pub(crate) start: u64,
    extents: &'e [Extent],
    from: Option<&'e Waypoint>,
    /// `None`: the file ends there.
    to: Option<&'e Waypoint>,
}

impl<'e> Segment<'e> {
    /// All of a file.
    pub(crate) fn whole(extents: &'e [Extent]) -> Self {
        Self { start: 0, extents, from: None, to: None }
    }

    /// The length of a gap from one waypoint to the next, and nothing else.
    pub(crate) fn gap(&self) -> Option<u64> {
        let gap = |extent: &Extent| match extent {
            Extent::Data(..) => None,
            extent => Some(extent.len()),
        };
        self.to?;
        self.extents.iter().try_fold(0u64, |sum, extent| sum.checked_add(gap(extent)?))
    }

    /// Whether a hash that read it is where it has to be.
    fn is_reached(&self, flat: Flat, content: &Content) -> bool {
        match self.to {
            Some(waypoint) => flat.waypoint() == *waypoint,
            None => flat.finish() == content.sha256,
        }
    }
}

/// The segments of a file.
pub(crate) fn segments(extents: &[Extent]) -> Vec<Segment<'_>> {
    let (mut all, mut first, mut rest) = (Vec::new(), Segment::whole(extents), extents);
    let mut at = 0;
    while let Some((extent, behind)) = rest.split_first() {
        at += extent.len();
        rest = behind;
        if let Extent::Waypoint(waypoint) = extent {
            let inside = &first.extents[..first.extents.len() - behind.len()];
            all.push(Segment { extents: inside, to: Some(waypoint), ..first });
            first = Segment { start: at, extents: behind, from: Some(waypoint), to: None };
        }
    }
    all.push(first);
    all
}

/// Hands out the bytes of a segment in order, then checks them as `proof` says. What was handed
/// out before an error is the caller's to discard.
pub(crate) fn read_segment(
    (unit, table): (&Unit, &Table),
    (stored, content, proof): (&Stored, &Content, Proof),
    segment: &Segment<'_>,
    desk: &mut Desk,
    take: &mut Take<'_>,
) -> Result<(), VaultError> {
    let mut flat = segment.from.map_or_else(Flat::default, |w| Flat::from(w, segment.start));
    for extent in segment.extents {
        match extent {
            Extent::Data(id, len) => {
                unit.chunk(table, id, *len, desk)?;
                flat.update(&desk.plain);
                take(Bytes::Data(&desk.plain))?;
            }
            Extent::Zeros(n) | Extent::Unreadable(n) => {
                if proof == Proof::Sha256 {
                    flat.zeros(*n);
                }
                take(Bytes::Gap(*n))?;
            }
            Extent::Identity(..) | Extent::Waypoint(_) => {}
        }
    }
    if proof == Proof::Chunks || segment.is_reached(flat, content) {
        Ok(())
    } else {
        Err(not_its_digest(stored))
    }
}

/// Every chunk of a file is authentic, and together they are not the file.
pub(crate) fn not_its_digest(stored: &Stored) -> VaultError {
    let path = String::from_utf8_lossy(&stored.entry.path);
    VaultError::damaged(&path, "its content does not give its recorded SHA-256")
}

/// Has threads work on segments, one after the other, until all are done or one has failed: what
/// failed first. Each thread keeps a `D` between segments.
pub(crate) fn apart<D: Default, E: Send + Sync>(
    segments: &[Segment<'_>],
    threads: usize,
    work: impl Fn(&Segment<'_>, &mut D) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let (next, failed) = (AtomicUsize::new(0), OnceLock::new());
    let one = || {
        let mut kept = D::default();
        while failed.get().is_none()
            && let Some(segment) = segments.get(next.fetch_add(1, Ordering::Relaxed))
        {
            if let Err(e) = work(segment, &mut kept) {
                drop(failed.set(e)); // the first one is told
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads.min(segments.len()) {
            scope.spawn(one);
        }
    });
    failed.into_inner().map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bailee_store::MemoryObjects;

    use super::*;
    use crate::vault::{Absent, Vault};
    use crate::{Kek, Source};

    const DATA: Extent = Extent::Data([0; 24], 70);

    fn waypoint(tail: usize) -> Extent {
        Extent::Waypoint(Waypoint { tail: vec![1; tail], ..Waypoint::default() }.into())
    }

    #[test]
    fn every_extent_is_in_one_segment() {
        let extents = [Extent::Identity(1, 2), DATA, waypoint(6), Extent::Zeros(58), DATA];
        let found = segments(&extents);
        assert_eq!(found.iter().map(|s| s.start).collect::<Vec<_>>(), [0, 70]);
        assert_eq!((found[0].from, found[1].to), (None, None));
        assert_eq!(found[0].to, found[1].from);
        assert_eq!([found[0].extents, found[1].extents].concat(), extents);
        assert_eq!(segments(&[DATA]), [Segment::whole(&[DATA])]);
        assert_eq!(segments(&[]), [Segment::whole(&[])]);
        let gaps = [DATA, waypoint(6), Extent::Zeros(58), waypoint(0), Extent::Zeros(9)];
        let of = |extents| segments(extents).iter().map(Segment::gap).collect::<Vec<_>>();
        assert_eq!(of(&gaps), [None, Some(58), None], "the last has the digest to arrive at");
        assert_eq!(of(&gaps[2..]), [Some(58), None], "a file may begin with one");
        let last = [DATA, waypoint(6)];
        assert_eq!(segments(&last).len(), 2, "the end of a file is a segment, too");
    }

    #[test]
    fn all_segments_are_worked_on_until_one_fails() {
        let extents: Vec<Extent> = (0..9).flat_map(|_| [DATA, waypoint(6)]).collect();
        let all = segments(&extents);
        let seen = std::sync::Mutex::new(Vec::new());
        let work = |segment: &Segment<'_>, n: &mut u32| {
            *n += 1;
            seen.lock().unwrap().push(segment.start);
            if segment.start == 140 { Err(*n) } else { Ok(()) }
        };
        assert!(apart(&all, 1, work).is_err());
        assert_eq!(seen.lock().unwrap().split_off(0), [0, 70, 140]);
        assert_eq!(apart(&all[3..], 4, work), Ok(()));
        let mut rest = seen.into_inner().unwrap();
        rest.sort_unstable();
        assert_eq!(rest, all[3..].iter().map(|s| s.start).collect::<Vec<_>>());
    }

    #[test]
    fn a_waypoint_that_is_wrong_fails_the_segments_that_meet_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let content: Vec<u8> =
            (0..40u32 << 18).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
        std::fs::write(&path, &content).unwrap();
        let vault = Vault::create(Arc::new(MemoryObjects::new()), &Kek::from_bytes([1; 32]));
        let vault = vault.unwrap();
        let kept = vault.preserve("t", "u", &Source::File(path), &mut ()).unwrap();
        let tenant = vault.tenant("t", Absent::Refuse).unwrap();
        let (unit, snapshot) = vault.snapshot(&tenant, &kept.id).unwrap();
        let (mut entries, table) = (unit.manifest(&snapshot).unwrap(), unit.table());
        let outcome = |stored: &Stored| -> Vec<bool> {
            let file = (stored, stored.entry.content().unwrap(), Proof::Sha256);
            let good = |segment: &Segment<'_>| {
                let desk = &mut Desk::default();
                read_segment((&unit, &table), file, segment, desk, &mut |_| Ok(())).is_ok()
            };
            segments(&stored.extents).iter().map(good).collect()
        };
        assert_eq!(outcome(&entries[0]), [true, true, true]);
        let waypoints = entries[0].extents.iter_mut().filter_map(|extent| match extent {
            Extent::Waypoint(waypoint) => Some(waypoint),
            _ => None,
        });
        waypoints.last().unwrap().state[3] ^= 1;
        assert_eq!(outcome(&entries[0]), [true, false, false]);
        entries[0].extents.retain(|extent| !matches!(extent, Extent::Waypoint(_)));
        assert_eq!(outcome(&entries[0]), [true], "as before there were any");
    }
}
