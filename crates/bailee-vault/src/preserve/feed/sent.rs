//! What another machine read: entries in tree order, and the content of files as it was read there.
//!
//! Invariants: a stream that is cut, or not in form, stops everything, so that there is no
//! snapshot; size, hash and what was never read are of what came, whatever an entry says; zeros
//! and content are cut as they would be if they were read here.

use std::io::Read;

use super::{Feeder, Input, Tally};
use crate::manifest::{Content, Entry, Node, read_evidence};
use crate::preserve::{Event, Stop};
use crate::split::{Runs, split_runs, zeros_at};
use crate::transfer::{Frames, Kind};

impl Feeder<'_> {
    /// Keeps what comes.
    pub(super) fn sent(&mut self, input: &Input) -> Result<(), Stop> {
        let mut frames = Frames::new(input.read(), input.name());
        let mut index = 0;
        loop {
            let (kind, bytes) = frames.next()?;
            match kind {
                Kind::End => return Ok(()),
                Kind::Entry => {
                    let read = read_evidence(bytes);
                    let entry = blank(read.map_err(|why| frames.flaw(why))?);
                    let is_file = entry.content().is_some();
                    self.events.send(Event::Found { index, entries: vec![entry] })?;
                    if is_file {
                        self.content(index, &mut frames)?;
                    }
                    index += 1;
                }
                other => return Err(frames.flaw(format!("a frame {other:?} and no entry")).into()),
            }
        }
    }

    fn content<R: Read>(&mut self, index: usize, frames: &mut Frames<R>) -> Result<(), Stop> {
        let (changed, tally) =
            self.slicers[0].cut(index, Tally::nameless(), |cutter, _, sink| {
                split_runs(cutter, sink, |to| runs_of(frames, to))
            })?;
        self.slicers[0].streamed(index, tally, changed)
    }
}

/// An entry without what is not known before its content came.
fn blank(mut entry: Entry) -> Entry {
    if let Node::File { content, .. } = &mut entry.node {
        *content = Content::default();
    }
    entry
}

/// The content of one file; gives whether it changed while it was read.
fn runs_of<R: Read>(frames: &mut Frames<R>, to: &mut dyn Runs<Stop>) -> Result<bool, Stop> {
    let mut at = 0u64;
    loop {
        let (kind, bytes) = frames.next()?;
        let len = match kind {
            Kind::Data => {
                to.data(bytes)?;
                bytes.len() as u64
            }
            Kind::Zeros | Kind::Unreadable => frames.number()?,
            Kind::Done => match bytes {
                [changed @ (0 | 1)] => return Ok(*changed == 1),
                _ => return Err(frames.flaw("the end of a file is malformed").into()),
            },
            other => return Err(frames.flaw(format!("a frame {other:?} within a file")).into()),
        };
        // As large as a file can be: an offset is a signed number to the system.
        let next = at.checked_add(len).filter(|next| i64::try_from(*next).is_ok());
        let next = next.ok_or_else(|| frames.flaw("a file is larger than one can be"))?;
        match kind {
            Kind::Zeros => zeros_at(at, len, to)?,
            Kind::Unreadable => to.unreadable(len)?,
            _ => {}
        }
        at = next;
    }
}
