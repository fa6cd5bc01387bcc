//! Doubts: packs that gave wrong bytes, so that nothing new is counted on in them.
//!
//! A doubt is an object beside the pack's, of its id: `…/doubt/<id>`, with a line that says why.
//! Whoever reads a chunk and finds damage puts it, and so does a scrub, which has no key.
//!
//! Invariants
//! 1. A doubt makes what the pack has be stored again, be read elsewhere first, and be copied
//!    forward by a prune. It keeps nothing from being read and lets nothing go, so whoever plants
//!    one in the store costs it space, and nobody a byte.
//! 2. It goes with the pack, or when a scrub finds the pack whole again.
//! 3. One that cannot be written down counts for this process: damage is told all the same.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use bailee_store::{ObjectError, Objects};

use crate::error::VaultError;
use crate::names::{self, Tag};
use crate::stay::lock;

/// The doubted packs of a unit, as one process knows them.
#[derive(Clone, Default)]
pub(crate) struct Doubts(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    all: HashSet<Tag>,
    /// Those of them that the store did not take.
    unwritten: HashSet<Tag>,
}

impl Doubts {
    pub(crate) fn has(&self, pack: &Tag) -> bool {
        lock(&self.0).all.contains(pack)
    }

    /// Takes what the store has: somebody else may have cleared one.
    pub(crate) fn load(&self, objects: &dyn Objects, folder: &str) -> Result<(), ObjectError> {
        let names = objects.list(folder)?;
        let mut known = lock(&self.0);
        known.all = names.iter().filter_map(|name| names::last_id(name)).collect();
        let Known { all, unwritten } = &mut *known;
        all.extend(&*unwritten);
        Ok(())
    }

    /// Doubts a pack, of this object name.
    pub(crate) fn add(&self, objects: &dyn Objects, (pack, name): (Tag, &str), why: &VaultError) {
        if lock(&self.0).all.insert(pack) && put(objects, name, &why.to_string()).is_err() {
            lock(&self.0).unwritten.insert(pack);
        }
    }

    /// The pack is gone.
    pub(crate) fn forget(
        &self,
        objects: &dyn Objects,
        (pack, name): (Tag, &str),
    ) -> Result<(), ObjectError> {
        let mut known = lock(&self.0);
        known.unwritten.remove(&pack);
        if known.all.remove(&pack) { clear(objects, name) } else { Ok(()) }
    }
}

/// Whether a failure to read a chunk is one of the pack, which another pack may not have.
pub(crate) fn is_of_pack(e: &VaultError) -> bool {
    use ObjectError::{BadRange, NotFound};
    matches!(e, VaultError::Damaged { .. } | VaultError::Store(BadRange { .. } | NotFound { .. }))
}

/// Where the doubt of a pack is, by the pack's name.
fn beside(pack: &str) -> Option<String> {
    let (folder, id) = pack.rsplit_once('/')?;
    let (unit, _) = folder.rsplit_once('/')?;
    Some(format!("{unit}/{}/{id}", names::DOUBT))
}

/// Writes down that the pack of this name is doubted.
pub(crate) fn put(objects: &dyn Objects, pack: &str, why: &str) -> Result<(), ObjectError> {
    let name = beside(pack);
    name.map_or(Ok(()), |name| objects.put(&name, format!("{why}\n").as_bytes()).map(drop))
}

/// The pack of this name is whole, or gone.
pub(crate) fn clear(objects: &dyn Objects, pack: &str) -> Result<(), ObjectError> {
    beside(pack).map_or(Ok(()), |name| objects.delete(&name))
}
