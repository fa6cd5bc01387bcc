//! What comes once: a stream is one file, an archive is the tree its members make.
//!
//! Invariants: a stream that fails, and an archive with a flaw, stop everything, so that there is
//! no snapshot; entries of an archive are sent in the order they come and arranged at its end; what
//! an archive of this program says was never read, or changed, is kept as such.

use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{getgid, getuid};

use super::{Feeder, Input, Tally};
use crate::error::VaultError;
use crate::manifest::{Content, Entry, Meta, Node, check_path};
use crate::preserve::archive::{Tree, implied, path_in_tree};
use crate::preserve::input::{MemberBytes, Once};
use crate::preserve::{Event, Stop};
use crate::split::split_runs;
use crate::tar::{Archive, Flaw, Member, unread};

/// The input, if a file can have its name.
pub(super) fn named(input: &Input) -> Result<Input, VaultError> {
    let name = input.name().as_bytes();
    let refused = if name.contains(&b'/') { Err("contains a slash") } else { check_path(name) };
    refused.map(|()| input.clone()).map_err(|why| VaultError::Source {
        path: input.name().to_owned(),
        doing: "keep a file of this name",
        detail: format!("the name {why}"),
    })
}

/// What a file would have that the input had been written to now, by nobody else to be read.
fn meta_of_stream() -> Meta {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mtime = (i64::try_from(now.as_secs()).unwrap_or(i64::MAX), now.subsec_nanos());
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    Meta { mode: 0o600, uid, gid, mtime, ctime: mtime, xattrs: Vec::new() }
}

fn flawed(input: &Input, flaw: Flaw) -> Stop {
    Stop::Failed(flaw.of(input.name()))
}

impl Feeder<'_> {
    /// Keeps a stream as one file.
    pub(super) fn input(&mut self, input: &Input) -> Result<(), Stop> {
        let node = Node::File { meta: meta_of_stream(), content: Content::default() };
        let entry = Entry { path: input.name().as_bytes().to_vec(), node };
        self.events.send(Event::Found { index: 0, entries: vec![entry] })?;
        let once = Once::new(input.read());
        let (_, tally) = self.slicers[0].pieces(0, &once, u64::MAX, Tally::nameless())?;
        if let Some(e) = once.failure() {
            return Err(unread(input.name(), &e).into());
        }
        self.slicers[0].streamed(0, tally, false)
    }

    /// Keeps what an archive contains.
    pub(super) fn tar(&mut self, input: &Input) -> Result<(), Stop> {
        let mut archive = Archive::new(input.read());
        let (mut tree, mut count) = (Tree::default(), 0);
        while let Some(member) = archive.next().map_err(|flaw| flawed(input, flaw))? {
            let placed = self.member(&mut archive, member, count, &mut tree);
            count += placed.map_err(|stop| match stop {
                Bad::Flaw(flaw) => flawed(input, flaw),
                Bad::Stop(stop) => stop,
            })?;
        }
        let below = |path: &[u8]| archive.flaw(refused(path, "lies below what is no directory"));
        for path in tree.missing().map_err(|path| flawed(input, below(&path)))? {
            tree.place(path.clone(), count, true);
            self.events.send(Event::Found { index: count, entries: vec![implied(path)] })?;
            count += 1;
        }
        Ok(self.events.send(Event::Arranged(tree))?)
    }

    /// Takes one member; gives how many entries it made.
    fn member<R: Read>(
        &mut self,
        archive: &mut Archive<R>,
        Member { path, node, body, missing, .. }: Member,
        index: usize,
        tree: &mut Tree,
    ) -> Result<usize, Bad> {
        let flaw = |why| archive.flaw(refused(&path, why));
        let place = path_in_tree(&path).map_err(flaw)?;
        match node {
            Node::HardLink { target } => {
                let target = path_in_tree(&target).ok().and_then(|target| tree.at(&target));
                let there = target
                    .ok_or_else(|| flaw("is a link to what is no file that came before it"))?;
                tree.place(place, there, false);
                return Ok(0);
            }
            Node::Symlink { target, .. } if target.is_empty() || target.contains(&0) => {
                return Err(flaw("is a link to nothing").into());
            }
            Node::File { meta, content: said } => {
                let content = Content { size: body.size, ..Content::default() };
                tree.place(place.clone(), index, false);
                let entries = vec![Entry { path: place, node: Node::File { meta, content } }];
                self.events.send(Event::Found { index, entries })?;
                let bytes = MemberBytes::new(archive, body);
                let ((), tally) =
                    self.slicers[0].cut(index, Tally::nameless(), |cutter, room, sink| {
                        split_runs(cutter, sink, |to| bytes.runs(&said, room, to))
                    })?;
                if let Some(flaw) = bytes.flaw() {
                    return Err(flaw.into());
                }
                self.slicers[0].streamed(index, tally, said.changed)?;
            }
            node => {
                let directory = matches!(node, Node::Directory { .. });
                let lead = if place.is_empty() { Vec::new() } else { [&place, &b"/"[..]].concat() };
                let mut entries = vec![Entry { path: place, node }];
                for (name, reason) in missing {
                    let path = path_in_tree(&[lead.as_slice(), &name].concat()).map_err(flaw)?;
                    entries.push(Entry { path, node: Node::Unreadable { reason } });
                }
                for (n, entry) in entries.iter().enumerate() {
                    tree.place(entry.path.clone(), index + n, directory && n == 0);
                }
                let made = entries.len();
                self.events.send(Event::Found { index, entries })?;
                return Ok(made);
            }
        }
        Ok(1)
    }
}

fn refused(path: &[u8], why: &str) -> String {
    format!("{:?} {why}", String::from_utf8_lossy(path))
}

/// Why a member is not taken.
enum Bad {
    Flaw(Flaw),
    Stop(Stop),
}

impl From<Flaw> for Bad {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

impl<T> From<T> for Bad
where
    Stop: From<T>,
{
    fn from(stop: T) -> Self {
        Self::Stop(stop.into())
    }
}
