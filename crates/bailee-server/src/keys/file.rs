//! Key files: 32 secret bytes in `keys/`, plain, under a passphrase (protected.rs), or for a token
//! (in_token.rs).
//!
//! Invariants: a key file is created new, durable, readable by its owner only, and never
//! overwritten with another key; one that others can read is refused; protecting replaces a file
//! by one that keeps the same seed: written aside, synced, read back, renamed, directory synced, so
//! that a crash leaves the old file or the new one. What a plain file leaves on the disk that it
//! was on is out of reach.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::error::KeyError;
use super::in_token::{self, InToken};
use super::protected::{LONGEST, Lock, Protected, Seed, draw};
use super::secrets::{Secret, Secrets, What};
use super::source::{Source, TokenUri};
use super::token;

/// How a key file keeps its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// As it is: whoever can read the file has the key.
    Plain,
    /// Under a passphrase.
    Protected,
    /// Under a key in a token.
    Token,
}

impl Kept {
    /// For people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kept::Plain => "plain file, mode 0600",
            Kept::Protected => "file under a passphrase",
            Kept::Token => "file that a token opens",
        }
    }
}

/// Which key a file keeps. The name of a file that is to take over has `next` in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyFile {
    /// Signs the log: Ed25519.
    Log,
    /// Signs the log too: ML-DSA-44.
    Second,
    /// Signs clearances.
    Clearance,
    /// Wraps the keys in the vault.
    Vault,
    /// Is to sign the log.
    NextLog,
    /// Is to sign the log too.
    NextSecond,
    /// Is to wrap the keys in the vault.
    NextVault,
}

impl KeyFile {
    pub(crate) const ALL: [KeyFile; 7] = [
        KeyFile::Log,
        KeyFile::Second,
        KeyFile::Clearance,
        KeyFile::Vault,
        KeyFile::NextLog,
        KeyFile::NextSecond,
        KeyFile::NextVault,
    ];

    /// Its name in `keys/`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            KeyFile::Log => "log.key",
            KeyFile::Second => "log-ml-dsa.key",
            KeyFile::Clearance => "clearance.key",
            KeyFile::Vault => "vault.key",
            KeyFile::NextLog => "log.next.key",
            KeyFile::NextSecond => "log-ml-dsa.next.key",
            KeyFile::NextVault => "vault.next.key",
        }
    }

    /// What the key in it is for, as a protected file says it.
    fn purpose(self) -> &'static str {
        match self {
            KeyFile::Log | KeyFile::NextLog => "log",
            KeyFile::Second | KeyFile::NextSecond => "log-ml-dsa",
            KeyFile::Clearance => "clearance",
            KeyFile::Vault | KeyFile::NextVault => "vault",
        }
    }
}

/// The directory `keys/`, with whoever opens what is protected in it.
pub(crate) struct KeyDir<'a> {
    dir: PathBuf,
    secrets: &'a Secrets,
    said: RefCell<Option<Secret>>,
    /// The PIN of a token, and which: asked for once.
    pin: RefCell<Option<(String, Secret)>>,
    /// Tried where the other passphrase does not open: files that a crash left under the new one.
    spare: Option<Secret>,
    /// What the last protected file took; the others have the same salt, as a rule.
    lock: RefCell<Option<Arc<Lock>>>,
}

impl<'a> KeyDir<'a> {
    pub(crate) fn new(dir: &Path, secrets: &'a Secrets, lock: Option<Arc<Lock>>) -> KeyDir<'a> {
        let (said, lock) = (RefCell::new(None), RefCell::new(lock));
        let pin = RefCell::new(None);
        KeyDir { dir: dir.to_owned(), secrets, said, pin, spare: None, lock }
    }

    /// With a second passphrase that some files may be under.
    pub(crate) fn or(mut self, spare: &Secret) -> KeyDir<'a> {
        self.spare = Some(spare.clone());
        self
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        self.secrets
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn path(&self, file: KeyFile) -> PathBuf {
        self.dir.join(file.name())
    }

    /// The seed in a file.
    pub(crate) fn read(&self, file: KeyFile) -> Result<(Seed, Kept), KeyError> {
        let path = self.path(file);
        let bytes = read(&path)?;
        if let Ok(seed) = <&[u8; 32]>::try_from(bytes.as_slice()) {
            return Ok((Zeroizing::new(*seed), Kept::Plain));
        }
        let unfit = |why: &str| KeyError::Unfit { path: path.clone(), why: why.to_owned() };
        let text = std::str::from_utf8(&bytes).map_err(|_| unfit("it does not have 32 bytes"))?;
        if text.starts_with(in_token::HEADER) {
            let parsed = InToken::parse(text).map_err(unfit)?;
            if parsed.purpose() != file.purpose() {
                return Err(unfit("the key in it is for something else; files were swapped"));
            }
            return Ok((parsed.open(&self.pin(&parsed.uri)?, &path)?, Kept::Token));
        }
        if !text.starts_with("bailee/key/") {
            return Err(unfit("it does not have 32 bytes"));
        }
        let parsed = Protected::parse(text).map_err(unfit)?;
        if parsed.purpose() != file.purpose() {
            return Err(unfit("the key in it is for something else; files were swapped"));
        }
        Ok((self.open(&parsed, &path)?, Kept::Protected))
    }

    /// The PIN of a token.
    fn pin(&self, uri: &TokenUri) -> Result<Secret, KeyError> {
        let token = token::name(uri);
        if let Some((_, pin)) = self.pin.borrow().as_ref().filter(|(known, _)| *known == token) {
            return Ok(pin.clone());
        }
        let pin = token::pin(uri, self.secrets)?;
        self.pin.replace(Some((token, pin.clone())));
        Ok(pin)
    }

    /// True if the file is there and a token is to open it.
    pub(crate) fn is_in_token(&self, file: KeyFile) -> bool {
        read(&self.path(file)).is_ok_and(|bytes| bytes.starts_with(in_token::HEADER.as_bytes()))
    }

    /// The seed in a file, or `None` if there is no such file.
    pub(crate) fn find(&self, file: KeyFile) -> Result<Option<(Seed, Kept)>, KeyError> {
        match self.read(file) {
            Err(KeyError::Missing(_)) => Ok(None),
            other => other.map(Some),
        }
    }

    fn open(&self, file: &Protected, path: &Path) -> Result<Seed, KeyError> {
        if let Some(lock) = self.lock().filter(|lock| lock.fits(file)) {
            return file.open(&lock, path);
        }
        let said = self.said.borrow().clone();
        let passphrase = match said {
            Some(passphrase) => passphrase,
            None => self.secrets.say(What::Passphrase, &self.dir.display().to_string())?,
        };
        let mut lock = file.lock(&passphrase)?;
        let mut opened = file.open(&lock, path);
        if let Some(spare) = self.spare.as_ref().filter(|_| opened.is_err()) {
            lock = file.lock(spare)?;
            opened = file.open(&lock, path);
        }
        let seed = opened?;
        self.said.replace(Some(passphrase));
        self.lock.replace(Some(Arc::new(lock)));
        Ok(seed)
    }

    /// What opened the protected files, to protect further ones; `None` if all are plain.
    pub(crate) fn lock(&self) -> Option<Arc<Lock>> {
        self.lock.borrow().clone()
    }

    /// Makes a key and its file, under the lock there is.
    pub(crate) fn create(&self, file: KeyFile) -> Result<Seed, KeyError> {
        self.create_in(file, &Source::File)
    }

    /// Makes a key and its file, as its source says: under the lock there is, or for a token.
    pub(crate) fn create_in(&self, file: KeyFile, source: &Source) -> Result<Seed, KeyError> {
        let mut seed = Seed::default();
        draw(&mut *seed)?;
        let bytes = match source {
            Source::Token(uri) => {
                let text = in_token::seal(file.purpose(), &seed, uri, &self.pin(uri)?)?;
                Zeroizing::new(text.into_bytes())
            }
            Source::File | Source::Agent(_) => kept(file, &seed, self.lock().as_deref())?,
        };
        write_new(&self.path(file), &bytes)?;
        sync_dir(&self.dir)?;
        Ok(seed)
    }

    /// Removes a key's file, if it is there.
    pub(crate) fn remove(&self, file: KeyFile) -> Result<(), KeyError> {
        remove(&self.path(file))
    }

    /// Puts every file under `lock` that no token opens; the names of those there are.
    pub(crate) fn protect(&self, lock: &Lock) -> Result<Vec<&'static str>, KeyError> {
        let mut done = Vec::new();
        for file in KeyFile::ALL {
            if self.is_in_token(file) {
                continue;
            }
            let Some((seed, _)) = self.find(file)? else { continue };
            self.replace(file, &seed, lock)?;
            done.push(file.name());
        }
        Ok(done)
    }

    fn replace(&self, file: KeyFile, seed: &Seed, lock: &Lock) -> Result<(), KeyError> {
        let path = self.path(file);
        let aside = self.dir.join(format!("{}.part", file.name()));
        // Left by a crash: the file beside it is whole.
        remove(&aside)?;
        write_new(&aside, &kept(file, seed, Some(lock))?)?;
        let again = read(&aside)?;
        let text = String::from_utf8_lossy(&again);
        let reads = Protected::parse(&text).is_ok_and(|parsed| {
            parsed.open(lock, &aside).is_ok_and(|read_back| read_back == *seed)
        });
        if !reads {
            let path = aside.clone();
            return Err(KeyError::Unfit { path, why: "it does not read back".into() });
        }
        rename(&aside, &path)?;
        sync_dir(&self.dir)
    }
}

fn kept(file: KeyFile, seed: &Seed, lock: Option<&Lock>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    Ok(Zeroizing::new(match lock {
        None => seed.to_vec(),
        Some(lock) => lock.seal(file.purpose(), seed)?.into_bytes(),
    }))
}

pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let io = |e| KeyError::io(format!("create the key {}", path.display()), e);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io)
}

/// The bytes of a file that only its owner can read.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let io = |e| KeyError::io(format!("read the key {}", path.display()), e);
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(KeyError::Missing(path.to_owned()));
        }
        opened => opened.map_err(io)?,
    };
    if file.metadata().map_err(io)?.mode() & 0o077 != 0 {
        return Err(KeyError::Readable(path.to_owned()));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST as usize));
    file.take(LONGEST).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

fn remove(path: &Path) -> Result<(), KeyError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|e| KeyError::io(format!("remove {}", path.display()), e)),
    }
}

/// Renames within `keys/`; durable after [`sync_dir`].
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), KeyError> {
    let doing = || format!("rename {} to {}", from.display(), to.display());
    fs::rename(from, to).map_err(|e| KeyError::io(doing(), e))
}

/// Makes new names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), KeyError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|e| KeyError::io(format!("sync {}", dir.display()), e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn seeds(dir: &Path, secrets: &Secrets) -> Result<Vec<(Seed, Kept)>, KeyError> {
        let keys = KeyDir::new(dir, secrets, None);
        [KeyFile::Log, KeyFile::Vault].into_iter().map(|file| keys.read(file)).collect()
    }

    #[test]
    fn protecting_keeps_the_keys_and_asks_for_the_passphrase_from_then_on() {
        let dir = tempfile::tempdir().unwrap();
        let nobody = Secrets::unattended();
        let keys = KeyDir::new(dir.path(), &nobody, None);
        keys.create(KeyFile::Log).unwrap();
        keys.create(KeyFile::Vault).unwrap();
        let before = seeds(dir.path(), &nobody).unwrap();
        assert!(before.iter().all(|(_, kept)| *kept == Kept::Plain));
        // A crash of an earlier attempt left half a file.
        fs::write(dir.path().join("log.key.part"), "half").unwrap();
        let lock = Lock::new(b"open sesame").unwrap();
        assert_eq!(keys.protect(&lock).unwrap(), ["log.key", "vault.key"]);
        let after = seeds(dir.path(), &Secrets::told(b"open sesame")).unwrap();
        assert!(after.iter().all(|(_, kept)| *kept == Kept::Protected));
        assert!(before.iter().zip(&after).all(|(a, b)| a.0 == b.0));
        for name in ["log.key", "vault.key"] {
            let path = dir.path().join(name);
            let bytes = fs::read(&path).unwrap();
            assert!(
                before.iter().all(|(seed, _)| !bytes.windows(32).any(|w| w == seed.as_slice()))
            );
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let wrong = seeds(dir.path(), &Secrets::told(b"wrong")).unwrap_err();
        assert_eq!(wrong, KeyError::WrongPassphrase(dir.path().join("log.key")));
        // A crash between two files of a change: both passphrases are needed, and both are there.
        let (old, new) = (Secrets::told(b"open sesame"), b"close sesame".to_vec().into());
        let first = fs::read(dir.path().join("log.key")).unwrap();
        let change = |new: &Secret| {
            KeyDir::new(dir.path(), &old, None).or(new).protect(&Lock::new(new).unwrap())
        };
        change(&new).unwrap();
        fs::write(dir.path().join("log.key"), first).unwrap();
        change(&new).unwrap();
        let changed = seeds(dir.path(), &Secrets::told(b"close sesame")).unwrap();
        assert!(before.iter().zip(&changed).all(|(a, b)| a.0 == b.0));
        change(&b"open sesame".to_vec().into()).unwrap_err();
        let swapped = fs::read(dir.path().join("vault.key")).unwrap();
        fs::write(dir.path().join("log.key"), swapped).unwrap();
        let swapped = seeds(dir.path(), &Secrets::told(b"close sesame")).unwrap_err().to_string();
        assert!(swapped.contains("swapped"), "{swapped}");
    }

    #[test]
    fn what_is_no_key_file_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let nobody = Secrets::unattended();
        let keys = KeyDir::new(dir.path(), &nobody, None);
        let path = keys.path(KeyFile::Log);
        assert_eq!(keys.read(KeyFile::Log).unwrap_err(), KeyError::Missing(path.clone()));
        assert_eq!(keys.find(KeyFile::Log), Ok(None));
        keys.create(KeyFile::Log).unwrap();
        assert!(keys.create(KeyFile::Log).is_err(), "a key is never overwritten");
        let mode = |mode| fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        mode(0o644);
        assert_eq!(keys.read(KeyFile::Log).unwrap_err(), KeyError::Readable(path.clone()));
        mode(0o600);
        for (bytes, why) in [
            (vec![7; 31], "32 bytes"),
            (b"bailee/key/v2\nlog\n".to_vec(), "four lines"),
            (vec![0xff; 300], "32 bytes"),
        ] {
            fs::write(&path, bytes).unwrap();
            let refused = keys.read(KeyFile::Log).unwrap_err().to_string();
            assert!(refused.contains(why) && refused.contains("log.key"), "{refused}");
        }
    }
}
