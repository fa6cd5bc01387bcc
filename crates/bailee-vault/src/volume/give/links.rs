//! Several names of one file.
//!
//! Invariant: a link whose file is not given is given in its place, or named.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::{Giver, problem};
use crate::error::VaultError;
use crate::key::Kek;
use crate::preserve::{path_below, path_of};
use crate::volume::read::Place;

impl Giver<'_> {
    pub(super) fn link(&mut self, path: &[u8], first: &[u8]) -> Result<(), VaultError> {
        let first = path_below(first).unwrap_or_default();
        if !self.whole.contains(&first) {
            self.links.entry(first).or_default().push(path.to_vec());
            return Ok(());
        }
        self.others.insert(path.to_vec());
        self.target.as_mut().map_or(Ok(()), |target| target.link(&first, path))
    }

    /// Links whose file was not asked for: the first of them becomes the file.
    pub(super) fn stand_ins(&mut self, places: &[Place], key: &Kek) -> Result<(), VaultError> {
        let damaged: HashSet<PathBuf> = self.given.damaged.iter().map(|p| p.path.clone()).collect();
        let links = std::mem::take(&mut self.links);
        let (lost, wanted): (HashMap<_, _>, HashMap<_, _>) =
            links.into_iter().partition(|(first, _)| damaged.contains(&path_of(first)));
        self.links = lost;
        if wanted.is_empty() {
            return Ok(());
        }
        let choose = |path: &[u8]| wanted.get(path).map(|links| links[0].clone());
        self.run(places, key, (&choose, &|_| false))?; // names were told the first time
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

    pub(super) fn name_links(&mut self) {
        let known: HashSet<PathBuf> = self.given.damaged.iter().map(|p| p.path.clone()).collect();
        for link in self.links.values().flatten().filter(|link| !known.contains(&path_of(link))) {
            let what = "it is another name of a file that is damaged or lost";
            self.given.damaged.push(problem(link, what));
        }
        self.given.damaged.sort_by(|a, b| (&a.path, &a.what).cmp(&(&b.path, &b.what)));
        self.given.damaged.dedup(); // the archive may have been read twice
        self.given.not_restored.sort_by(|a, b| a.path.cmp(&b.path));
    }
}
