//! Where passphrases and PINs come from. Never from an argument or the value of a variable, which
//! others can see: `ps` shows one, `/proc` and crash reports show the other.
//!
//! Asked in this order, once for each: a descriptor named in `BAILEE_PASSPHRASE_FD`, a file named
//! in `BAILEE_PASSPHRASE_FILE`, the systemd credential `bailee.passphrase`, the terminal. For PINs
//! the same with `BAILEE_PIN_FD`, `BAILEE_PIN_FILE`, `bailee.pin`.
//!
//! Invariants: what was said is wiped from memory when it is dropped; one newline at its end is not
//! part of it; a file that others can read is refused; echo comes back whatever happens to the
//! line. Out of scope: a terminal that is left without echo by a signal (`stty echo` helps).

use std::env;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::error::KeyError;

/// Longest secret, bytes.
const LONGEST: u64 = 1024;

/// A passphrase or PIN.
pub type Secret = Zeroizing<Vec<u8>>;

/// Which secret is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Opens key files.
    Passphrase,
    /// Opens a token.
    Pin,
}

impl What {
    fn word(self) -> &'static str {
        match self {
            What::Passphrase => "passphrase",
            What::Pin => "PIN",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            What::Passphrase => "BAILEE_PASSPHRASE",
            What::Pin => "BAILEE_PIN",
        }
    }

    fn credential(self) -> &'static str {
        match self {
            What::Passphrase => "bailee.passphrase",
            What::Pin => "bailee.pin",
        }
    }
}

/// May a person be asked?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Terminal {
    Asked,
    LeftAlone,
}

/// Who knows the secrets.
#[derive(Debug)]
pub struct Secrets {
    told: Option<Secret>,
    terminal: Terminal,
}

impl Secrets {
    /// The environment: descriptors, files, credentials, and then the terminal.
    pub fn from_environment() -> Secrets {
        Secrets { told: None, terminal: Terminal::Asked }
    }

    /// As the environment has them, but nobody is asked: for threads in the background.
    pub(crate) fn unattended() -> Secrets {
        Secrets { told: None, terminal: Terminal::LeftAlone }
    }

    /// A passphrase that the program knows already.
    pub fn told(passphrase: &[u8]) -> Secrets {
        let told = Some(Zeroizing::new(passphrase.to_vec()));
        Secrets { told, terminal: Terminal::LeftAlone }
    }

    /// The secret for `about`.
    pub(crate) fn say(&self, what: What, about: &str) -> Result<Secret, KeyError> {
        if let Some(told) = self.told.as_ref().filter(|_| what == What::Passphrase) {
            return Ok(told.clone());
        }
        if let Some(descriptor) = env::var_os(format!("{}_FD", what.variable())) {
            let path = Path::new("/dev/fd").join(descriptor);
            return from_reader(what, File::open(&path).map_err(|e| unread(&path, &e))?);
        }
        if let Some(path) = env::var_os(format!("{}_FILE", what.variable())) {
            return from_file(what, Path::new(&path));
        }
        if let Some(path) = credential(what) {
            return from_reader(what, File::open(&path).map_err(|e| unread(&path, &e))?);
        }
        match (self.terminal, File::options().read(true).write(true).open("/dev/tty")) {
            (Terminal::Asked, Ok(terminal)) => ask(what, &terminal, &format!("{about}: ")),
            _ => Err(KeyError::Unsaid {
                about: about.to_owned(),
                what: what.word(),
                variable: what.variable(),
            }),
        }
    }
}

/// A new passphrase: from a file, or typed twice.
pub fn new_passphrase(file: Option<&Path>) -> Result<Secret, KeyError> {
    let what = What::Passphrase;
    if let Some(path) = file {
        return from_file(what, path);
    }
    let about = "the new passphrase".to_owned();
    let unsaid = |_| KeyError::Unusable {
        what: "new passphrase",
        why: "cannot be asked for without a terminal: give --passphrase-file FILE".into(),
    };
    let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(unsaid)?;
    let once = ask(what, &terminal, &format!("{about}: "))?;
    let again = ask(what, &terminal, &format!("{about}, again: "))?;
    if once != again {
        let why = "was typed differently the second time; nothing was changed".into();
        return Err(KeyError::Unusable { what: "new passphrase", why });
    }
    Ok(once)
}

/// The systemd credential, if this service was given one.
fn credential(what: What) -> Option<PathBuf> {
    let dir = env::var_os("CREDENTIALS_DIRECTORY")?;
    Some(Path::new(&dir).join(what.credential())).filter(|path| path.is_file())
}

/// The secret in a file that nobody else can read.
pub(crate) fn from_file(what: What, path: &Path) -> Result<Secret, KeyError> {
    let file = File::open(path).map_err(|e| unread(path, &e))?;
    let meta = file.metadata().map_err(|e| unread(path, &e))?;
    if meta.is_file() && meta.mode() & 0o077 != 0 {
        return Err(KeyError::Readable(path.to_owned()));
    }
    from_reader(what, file)
}

fn unread(path: &Path, error: &std::io::Error) -> KeyError {
    KeyError::io(format!("read {}", path.display()), error)
}

fn from_reader(what: What, reader: impl Read) -> Result<Secret, KeyError> {
    // With room for all of it, so that no copy is left behind by growing.
    let mut secret = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 2));
    let read = reader.take(LONGEST + 2).read_to_end(&mut secret);
    read.map_err(|e| KeyError::io(format!("read the {}", what.word()), e))?;
    usable(what, secret)
}

fn usable(what: What, mut secret: Secret) -> Result<Secret, KeyError> {
    if secret.last() == Some(&b'\n') {
        secret.pop();
    }
    let unusable = |why: String| Err(KeyError::Unusable { what: what.word(), why });
    match secret.len() as u64 {
        0 => unusable("is empty".into()),
        n if n > LONGEST => unusable(format!("is longer than {LONGEST} bytes")),
        _ => Ok(secret),
    }
}

fn ask(what: What, terminal: &File, question: &str) -> Result<Secret, KeyError> {
    let said = |e: std::io::Error| KeyError::io(format!("ask for the {}", what.word()), e);
    let quiet = Quiet::new(terminal).map_err(said)?;
    let mut out = terminal;
    out.write_all(format!("{} of {question}", what.word()).as_bytes()).map_err(said)?;
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 2));
    let mut reader = BufReader::with_capacity(1, terminal.take(LONGEST + 2));
    let read = reader.read_until(b'\n', &mut line);
    drop(quiet);
    out.write_all(b"\n").map_err(said)?;
    read.map_err(said)?;
    usable(what, line)
}

/// A terminal without echo, until it is dropped.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl Quiet<'_> {
    fn new(terminal: &File) -> std::io::Result<Quiet<'_>> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Quiet { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // The terminal may be gone; then there is nothing left to restore.
        _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn one_newline_is_not_part_of_it() {
        let read = |bytes: &[u8]| from_reader(What::Pin, bytes).map(|secret| secret.to_vec());
        assert_eq!(read(b"12 34\n").unwrap(), b"12 34");
        assert_eq!(read(b"1234\n\n").unwrap(), b"1234\n");
        assert!(read(b"\n").unwrap_err().to_string().contains("PIN is empty"));
        assert!(read(&[b'x'; 1025]).unwrap_err().to_string().contains("longer"));
        assert_eq!(read(&[b'x'; 1024]).unwrap().len(), 1024);
    }

    #[test]
    fn a_file_that_others_can_read_is_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        std::fs::write(&path, "open sesame\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        mode(0o640);
        let refused = from_file(What::Passphrase, &path).unwrap_err();
        assert_eq!(refused, KeyError::Readable(path.clone()));
        mode(0o600);
        assert_eq!(*from_file(What::Passphrase, &path).unwrap(), b"open sesame");
    }
}
