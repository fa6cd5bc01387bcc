//! The content of one file on its way out of volumes.
//!
//! Invariant: what of it is lost is known to the piece, and to the end where nobody knows how much
//! is lost; nothing lost is written.

use std::cell::Cell;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::stream::{Loss, Stream};
use crate::error::VaultError;
use crate::flat::Flat;
use crate::preserve::path_of;
use crate::tar::{Archive, Body, Flaw};

/// The content of one file on its way.
pub(super) struct Content<'a> {
    pub(super) path: &'a [u8],
    pub(super) file: Option<&'a File>,
    pub(super) loss: &'a Cell<Loss>,
}

/// Bytes copied at once; a loss is known to this.
const PIECE: usize = 64 << 10;

impl Content<'_> {
    /// Copies it. Its SHA-256, if that was asked for, and what of it is lost.
    pub(super) fn copy(
        &self,
        archive: &mut Archive<&mut Stream<'_>>,
        mut body: Body,
        hash: bool,
    ) -> Result<([u8; 32], Vec<Range<u64>>), VaultError> {
        let (mut sha256, mut lost) = (Flat::default(), Vec::<Range<u64>>::new());
        let (mut at, size, mut room) = (0, body.size, vec![0; PIECE]);
        self.loss.set(Loss::Nothing);
        while at < size {
            let hole = body.skip_hole();
            if hash {
                sha256.zeros(hole);
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
            if self.loss.get() == Loss::Place {
                lost.push(at..size);
                break;
            }
            if self.loss.replace(Loss::Nothing) == Loss::Bytes {
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
        Ok((sha256.finish(), lost))
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
