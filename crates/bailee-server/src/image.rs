//! Image: state and leaf hashes as files, so that a large house starts in seconds.
//!
//! `image/state` (bailee-core says what is in it), `image/leaves` (32 bytes a leaf), `image/seal`
//! (text: origin, size, root, SHA-256 of the state, a MAC over these). A copy of what the journal
//! says, nothing more: without it, or with one that does not fit, the journal is replayed.
//!
//! Invariants
//! 1. Nothing is believed but under a MAC by a secret of this house, over the digest of all of it.
//! 2. Order of writes: the old seal goes -> state, leaves, each synced -> seal, renamed into place,
//!    directory synced. A crash anywhere leaves no seal, or one that fits.
//! 3. An image that is older than an erasure goes before the erasure is carried out: it holds
//!    personal data. Files are for their owner only.
//! 4. What was signed is held against the tree as ever (publish.rs). Bytes of the journal before
//!    the image that were altered are found when they are shown, and by `bailee check`, not here.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use bailee_core::{State, from_image, to_image};
use bailee_ledger::hash::sha256;
use bailee_ledger::{Hash, Tree, hash_from_hex, to_hex};
use bailee_store::Journal;
use subtle::ConstantTimeEq;

use crate::house::HouseError;
use crate::keys::sync_dir;
use crate::projection::Projection;

/// Entries that a start may replay before an image is worth its writing: a second or so.
const WORTH: u64 = 100_000;
const DIRECTORY: &str = "image";
const HEADER: &str = "bailee/image/v1";

/// Where the image is, and whose it is.
pub(crate) struct Image<'a> {
    dir: PathBuf,
    origin: &'a str,
    secret: &'a [u8; 32],
}

/// State and tree as the journal has them now, from an image if one fits. A journal that is older
/// than its image was restored: it is replayed, and then told from what was signed.
pub(crate) fn project(journal: &dyn Journal, image: &Image<'_>) -> Result<Projection, HouseError> {
    let head = journal.head()?;
    let loaded = image.load().filter(|loaded| loaded.state.head <= head);
    let from = loaded.as_ref().map_or(0, |loaded| loaded.state.head);
    let projection = match loaded {
        None => Projection::replay(journal)?,
        Some(mut projection) => {
            projection.catch_up(journal)?;
            projection
        }
    };
    image.keep(from, &projection);
    Ok(projection)
}

/// What the seal says.
struct Seal {
    size: u64,
    root: Hash,
    state: Hash,
}

impl<'a> Image<'a> {
    /// The image of the house in `house`.
    pub(crate) fn of(house: &Path, origin: &'a str, secret: &'a [u8; 32]) -> Image<'a> {
        Image { dir: house.join(DIRECTORY), origin, secret }
    }

    /// Entries that the image covers; 0 without one that is sealed.
    pub(crate) fn size(&self) -> u64 {
        self.seal().map_or(0, |seal| seal.size)
    }

    /// The projection of the image; `None` without one that fits, for whatever reason.
    fn load(&self) -> Option<Projection> {
        let seal = self.seal()?;
        let (state, tree) = thread::scope(|scope| {
            let tree = scope.spawn(|| self.tree(&seal));
            (self.state(&seal), tree.join().ok().flatten())
        });
        Some(Projection::of(state?, tree?))
    }

    fn state(&self, seal: &Seal) -> Option<State> {
        let bytes = fs::read(self.dir.join("state")).ok()?;
        if sha256(&bytes) != seal.state {
            return None;
        }
        from_image(&bytes).ok().filter(|state| state.head == seal.size)
    }

    fn tree(&self, seal: &Seal) -> Option<Tree> {
        let mut file = File::open(self.dir.join("leaves")).ok()?;
        let length = seal.size.checked_mul(32)?;
        if file.metadata().ok()?.len() != length {
            return None;
        }
        let mut leaves = vec![Hash::default(); usize::try_from(seal.size).ok()?];
        file.read_exact(leaves.as_flattened_mut()).ok()?;
        let tree = Tree::from_leaf_hashes(leaves);
        (tree.root() == seal.root).then_some(tree)
    }

    /// Leaves an image for the next start if this one, from `from` on, was long. Without an image
    /// a start is slow and as good, so a failure is only told.
    pub(crate) fn keep(&self, from: u64, projection: &Projection) {
        if projection.state.head.saturating_sub(from) < WORTH {
            return;
        }
        if let Err(error) = self.store(projection) {
            tracing::warn!(%error, "the image of the state could not be written; starts stay slow");
        }
    }

    /// Writes the image of a projection that is durable in the journal.
    fn store(&self, projection: &Projection) -> std::io::Result<()> {
        let house = self.dir.parent().unwrap_or(&self.dir);
        match fs::create_dir(&self.dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        fs::set_permissions(&self.dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        self.discard()?;
        let state = to_image(&projection.state);
        self.write("state", &state)?;
        self.write("leaves", projection.tree.leaf_hashes().as_flattened())?;
        let (size, root) = (projection.tree.size(), projection.tree.root());
        let seal = self.sealed(&Seal { size, root, state: sha256(&state) });
        self.write("seal.new", seal.as_bytes())?;
        fs::rename(self.dir.join("seal.new"), self.dir.join("seal"))?;
        sync_dir(&self.dir).and_then(|()| sync_dir(house)).map_err(std::io::Error::other)
    }

    /// Takes the image away; one that is not there is as good. The seal goes first.
    pub(crate) fn discard(&self) -> std::io::Result<()> {
        for name in ["seal", "seal.new", "state", "leaves"] {
            match fs::remove_file(self.dir.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match File::open(&self.dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            opened => opened?.sync_all(),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(self.dir.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn seal(&self) -> Option<Seal> {
        let text = fs::read_to_string(self.dir.join("seal")).ok()?;
        let mut lines = text.lines().skip(2);
        let size = lines.next()?.parse().ok()?;
        let (root, state) = (hash_from_hex(lines.next()?)?, hash_from_hex(lines.next()?)?);
        let seal = Seal { size, root, state };
        let same: bool = self.sealed(&seal).as_bytes().ct_eq(text.as_bytes()).into();
        same.then_some(seal)
    }

    /// The text of a seal, its MAC last.
    fn sealed(&self, seal: &Seal) -> String {
        let Seal { size, root, state } = seal;
        let origin = self.origin;
        let text = format!("{HEADER}\n{origin}\n{size}\n{}\n{}\n", to_hex(root), to_hex(state));
        let inner = sha256(&[self.secret.as_slice(), text.as_bytes()].concat());
        let mac = sha256(&[self.secret.as_slice(), &inner].concat());
        format!("{text}{}\n", to_hex(&mac))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailee_core::{Action, Command, Time, run};

    const SECRET: [u8; 32] = [7; 32];

    fn projection() -> Projection {
        let (mut state, mut tree) = (State::default(), Tree::new());
        for n in 0..5 {
            let name = format!("House {n}");
            let action = Action::RegisterEntity { name, country: "NL".into() };
            run(&mut state, &Command::system(action), Time::from_unix(n)).unwrap();
            tree.push(&[n as u8]);
        }
        Projection::of(state, tree)
    }

    fn stored(dir: &Path) -> Image<'static> {
        let image = Image::of(dir, "log.example.org", &SECRET);
        image.store(&projection()).unwrap();
        image
    }

    #[test]
    fn what_is_stored_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let image = stored(dir.path());
        let loaded = image.load().unwrap();
        assert!(loaded.state == projection().state);
        assert_eq!((loaded.tree.root(), image.size()), (projection().tree.root(), 5));
    }

    #[test]
    fn every_altered_byte_and_every_other_house_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let image = stored(dir.path());
        for name in ["seal", "state", "leaves"] {
            let path = dir.path().join("image").join(name);
            let good = fs::read(&path).unwrap();
            for at in 0..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 0x20;
                fs::write(&path, &bad).unwrap();
                assert!(image.load().is_none(), "{name} altered at {at}");
            }
            fs::write(&path, &good[..good.len() - 1]).unwrap();
            assert!(image.load().is_none(), "{name} cut");
            fs::write(&path, &good).unwrap();
        }
        assert!(image.load().is_some());
        assert!(Image::of(dir.path(), "log.example.org", &[8; 32]).load().is_none());
        assert!(Image::of(dir.path(), "other.example.org", &SECRET).load().is_none());
    }

    #[test]
    fn a_crash_between_any_two_writes_leaves_no_image() {
        for missing in ["seal", "state", "leaves"] {
            let dir = tempfile::tempdir().unwrap();
            let image = stored(dir.path());
            fs::remove_file(dir.path().join("image").join(missing)).unwrap();
            assert!(image.load().is_none(), "without {missing}");
        }
    }

    #[test]
    fn what_is_discarded_leaves_no_byte_and_can_be_discarded_again() {
        let dir = tempfile::tempdir().unwrap();
        let image = stored(dir.path());
        image.discard().and_then(|()| image.discard()).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("image")).unwrap().count(), 0);
        let nowhere = dir.path().join("nowhere");
        assert!(Image::of(&nowhere, "log.example.org", &SECRET).discard().is_ok());
    }
}
