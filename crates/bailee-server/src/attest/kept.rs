//! What others have said of checkpoints, kept for ever among the objects, put once.
//!
//! | object | content |
//! |---|---|
//! | `attested/<size, 20 digits>/note` | checkpoint with cosignatures: what tokens cover |
//! | `attested/<size>/<authority>/<n>.tsr` | token n: 0 over the note, n over token n-1 |
//! | `attested/<size>/<authority>/roots.pem` | the certificates offered as anchors |
//! | `attested/<size>/<authority>/<n>.pem` | others, where token n was given under other roots |
//!
//! Invariants
//! 1. One size has one attested note; who comes second takes over the first's. So a token is always
//!    over the bytes that are there.
//! 2. Order: note, durable -> tokens. A crash in between leaves a note without tokens, which is
//!    what a receipt then says.
//! 3. What is read is verified under the log's keys and is of the size that its name says; anything
//!    else is an error with the object's name.
//!
//! The index is read from the store when it is first needed, not when a house opens.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use bailee_ledger::checkpoint::parse_note;
use bailee_ledger::{Note, Policy};
use bailee_store::{ObjectError, Objects, Put};

use crate::attest::{Attested, Stamp};
use crate::house::HouseError;
use crate::stamping::Desk;

const ROOT: &str = "attested/";
const NOTE: &str = "note";
const ROOTS: &str = "roots.pem";

/// The attested checkpoints of a log.
pub(crate) struct Kept {
    objects: Arc<dyn Objects>,
    /// Names the log's keys.
    policy: Policy,
    /// Sizes that have a note; `None` until somebody looks.
    sizes: Mutex<Option<BTreeSet<u64>>>,
}

impl Kept {
    pub(crate) fn new(objects: Arc<dyn Objects>, policy: Policy) -> Kept {
        Kept { objects, policy, sizes: Mutex::new(None) }
    }

    /// Makes `note` the attested one of its size, unless there is one, and gives the one that is.
    pub(crate) fn put(&self, size: u64, note: &Note) -> Result<Attested, HouseError> {
        self.objects.put(&note_name(size), note.to_string().as_bytes())?;
        self.sizes(|sizes| sizes.insert(size))?;
        self.load(size)
    }

    /// Keeps token `n` of an authority over the note of this size.
    pub(crate) fn put_token(
        &self,
        size: u64,
        authority: &str,
        n: usize,
        token: &[u8],
    ) -> Result<(), HouseError> {
        self.objects.put(&format!("{}{authority}/{n}.tsr", dir(size)), token)?;
        Ok(())
    }

    /// Keeps token `n` of an authority with the roots it was verified under. Order: roots, durable
    /// -> token, so that no token is without them.
    pub(crate) fn put_stamp(
        &self,
        size: u64,
        desk: &Desk,
        n: usize,
        token: &[u8],
    ) -> Result<Put, HouseError> {
        let dir = format!("{}{}", dir(size), desk.name);
        self.objects.put(&format!("{dir}/{ROOTS}"), &desk.pem)?;
        let known = self.roots(&dir)?;
        if !known.windows(desk.pem.len()).any(|part| part == desk.pem) {
            self.objects.put(&format!("{dir}/{n}.pem"), &desk.pem)?;
        }
        Ok(self.objects.put(&format!("{dir}/{n}.tsr"), token)?)
    }

    /// Every size and authority with a token, ascending.
    pub(crate) fn stamped(&self) -> Result<BTreeSet<(u64, String)>, HouseError> {
        let names = self.objects.list(ROOT)?;
        let first = |name: &String| {
            let (size, rest) = name.strip_prefix(ROOT)?.split_once('/')?;
            let authority = rest.strip_suffix("/0.tsr")?;
            Some((size_of(&format!("{ROOT}{size}/{NOTE}"))?, authority.to_owned()))
        };
        Ok(names.iter().filter_map(first).collect())
    }

    /// The certificates kept in an authority's directory: those of the first token, then others.
    fn roots(&self, dir: &str) -> Result<Vec<u8>, HouseError> {
        let mut roots = self.found(&format!("{dir}/{ROOTS}"))?.unwrap_or_default();
        for name in self.objects.list(&format!("{dir}/"))? {
            let is_number = |stem: &str| stem.bytes().all(|byte| byte.is_ascii_digit());
            let file = name.rsplit('/').next().and_then(|file| file.strip_suffix(".pem"));
            if file.is_some_and(is_number) {
                roots.push(b'\n');
                roots.extend(self.objects.get(&name)?);
            }
        }
        Ok(roots)
    }

    /// Keeps the certificates that an authority's tokens of this size are offered with.
    pub(crate) fn put_roots(
        &self,
        size: u64,
        authority: &str,
        pem: &[u8],
    ) -> Result<(), HouseError> {
        self.objects.put(&format!("{}{authority}/{ROOTS}", dir(size)), pem)?;
        Ok(())
    }

    /// Sizes from `size` on that have an attested note, ascending, at most so many.
    pub(crate) fn from(&self, size: u64, most: usize) -> Result<Vec<u64>, HouseError> {
        self.sizes(|sizes| sizes.range(size..).take(most).copied().collect())
    }

    /// The largest size that has one.
    pub(crate) fn newest(&self) -> Result<Option<u64>, HouseError> {
        self.sizes(|sizes| sizes.last().copied())
    }

    /// Note and tokens of a size.
    pub(crate) fn load(&self, size: u64) -> Result<Attested, HouseError> {
        let name = note_name(size);
        let damaged = |why: String| HouseError::Published(format!("{name}: {why}"));
        let bytes = self.objects.get(&name)?;
        let note = parse_note(&bytes).map_err(|e| damaged(e.to_string()))?;
        let (_, checkpoint) = self.policy.open_log(&note).map_err(|e| damaged(e.to_string()))?;
        if checkpoint.size != size {
            return Err(damaged(format!("is over {} leaves", checkpoint.size)));
        }
        Ok(Attested { size, note, stamps: self.stamps(size)? })
    }

    fn stamps(&self, size: u64) -> Result<Vec<Stamp>, HouseError> {
        let dir = dir(size);
        let names = self.objects.list(&dir)?;
        let inside = names.iter().filter_map(|name| name.strip_prefix(&dir)?.split_once('/'));
        let authorities: BTreeSet<&str> = inside.map(|(authority, _)| authority).collect();
        let mut stamps = Vec::new();
        for authority in authorities {
            let mut tokens = Vec::new();
            while let Some(token) = self.found(&format!("{dir}{authority}/{}.tsr", tokens.len()))? {
                tokens.push(token);
            }
            let roots = self.roots(&format!("{dir}{authority}"))?;
            if !tokens.is_empty() {
                stamps.push(Stamp { authority: authority.to_owned(), roots, tokens });
            }
        }
        Ok(stamps)
    }

    fn found(&self, name: &str) -> Result<Option<Vec<u8>>, HouseError> {
        match self.objects.get(name) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ObjectError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks at the sizes, which are read from the store first if nobody has.
    fn sizes<R>(&self, look: impl FnOnce(&mut BTreeSet<u64>) -> R) -> Result<R, HouseError> {
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        if sizes.is_none() {
            let names = self.objects.list(ROOT)?;
            *sizes = Some(names.iter().filter_map(|name| size_of(name)).collect());
        }
        Ok(look(sizes.get_or_insert_default()))
    }
}

/// `attested/00000000000000000042/`.
fn dir(size: u64) -> String {
    format!("{ROOT}{size:020}/")
}

fn note_name(size: u64) -> String {
    format!("{}{NOTE}", dir(size))
}

/// The size of a name that is a note's.
fn size_of(name: &str) -> Option<u64> {
    let size = name.strip_prefix(ROOT)?.strip_suffix(NOTE)?.strip_suffix('/')?;
    let size: u64 = size.parse().ok()?;
    (note_name(size) == name).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailee_ledger::{Checkpoint, Signer, Tree};
    use bailee_store::MemoryObjects;

    const ORIGIN: &str = "log.example.org/2026";

    fn kept(objects: &MemoryObjects) -> (Kept, Note) {
        let signer = Signer::from_seed(ORIGIN, &[1; 32]).unwrap();
        let mut tree = Tree::new();
        tree.push(b"leaf");
        let note = Checkpoint::of(ORIGIN, &tree).sign(&signer).unwrap();
        let policy = Policy::for_log(signer.verifier().clone()).unwrap();
        (Kept::new(Arc::new(objects.clone()), policy), note)
    }

    #[test]
    fn the_first_note_of_a_size_stays_and_tokens_are_found_with_it() {
        let objects = MemoryObjects::new();
        let (kept, note) = kept(&objects);
        let other = Signer::witness_from_seed("w", &[2; 32]).unwrap();
        let cosigned = note.clone().sign(&other, 7);
        assert_eq!(kept.put(1, &cosigned).unwrap().note, cosigned);
        assert_eq!(kept.put(1, &note).unwrap().note, cosigned, "replaced");
        kept.put_token(1, "tsa-b", 0, b"b0").unwrap();
        kept.put_token(1, "tsa-a", 0, b"a0").unwrap();
        kept.put_token(1, "tsa-a", 1, b"a1").unwrap();
        kept.put_roots(1, "tsa-a", b"pem").unwrap();
        let (again, _) = self::kept(&objects);
        let found = again.load(1).unwrap();
        let told: Vec<_> = found
            .stamps
            .iter()
            .map(|s| (s.authority.as_str(), s.tokens.len(), s.roots.len()))
            .collect();
        assert_eq!(told, [("tsa-a", 2, 3), ("tsa-b", 1, 0)]);
        assert_eq!((again.newest().unwrap(), again.from(2, 9).unwrap()), (Some(1), vec![]));
    }

    #[test]
    fn what_is_not_the_log_s_or_of_another_size_is_named() {
        let objects = MemoryObjects::new();
        let (kept, note) = kept(&objects);
        for (name, bytes) in [
            ("attested/00000000000000000009/note", note.to_string().into_bytes()),
            ("attested/00000000000000000008/note", b"nonsense\n\n".to_vec()),
            ("attested/7/note", note.to_string().into_bytes()),
        ] {
            assert_eq!(objects.put(name, &bytes).unwrap(), Put::Stored);
        }
        assert_eq!(kept.from(0, 9).unwrap(), [8, 9], "a name has one spelling");
        for size in [8, 9] {
            let error = kept.load(size).unwrap_err().to_string();
            assert!(error.contains("attested/0000000000000000000"), "{error}");
        }
    }
}
