//! Why a house cannot be opened or does not work: each error names the thing and what to do next.
//!
//! Invariant: no secret and no byte of a letter is in any of them.

use std::path::PathBuf;

use bailee_store::{JournalError, LockError, ObjectError, OpenError, SlotError, Unwritable};

use crate::keys::KeyError;
use crate::projection::ReplayError;
use crate::runner::Failure;

/// Why a house cannot be opened or does not work.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// There is no house in this directory.
    #[error("{0} is not a Bailee directory; `bailee init` makes one")]
    NotAHouse(PathBuf),
    /// There was one: what it keeps is here, and its settings are not.
    #[error("{dir} has {what} of a house, and its bailee.toml is not there{origin}")]
    NoSettings {
        /// The directory.
        dir: PathBuf,
        /// What of a house is there.
        what: String,
        /// What the checkpoint says the log is called, as part of a sentence.
        origin: String,
    },
    /// There is one already.
    #[error("{0} is a Bailee directory already; nothing was changed")]
    AlreadyAHouse(PathBuf),
    /// The settings are wrong.
    #[error("{path}: {detail}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The settings are there and cannot be read.
    #[error("could not read {path}: {detail}")]
    UnreadableSettings {
        /// The file.
        path: PathBuf,
        /// The system's words.
        detail: String,
    },
    /// A key is missing or unfit, or does not sign.
    #[error("key: {0}")]
    Key(#[from] KeyError),
    /// The journal is older than what was signed.
    #[error(
        "the journal has {have} entries but a checkpoint over {signed} was published: an old copy \
         was restored; restore the newest one, nothing is signed on this one"
    )]
    Restored {
        /// Entries there.
        have: u64,
        /// Entries signed.
        signed: u64,
    },
    /// The journal contradicts what was signed.
    #[error("entry bytes below {size} differ from what was signed: the log was altered or forked")]
    Forked {
        /// Size of the signed tree.
        size: u64,
    },
    /// The file with the last signed checkpoint was taken away.
    #[error(
        "the journal has {have} entries, and the file `checkpoint` is not there: nothing says \
         whether this is the newest journal or an old copy, so nothing is signed on it"
    )]
    NoCheckpoint {
        /// Entries there.
        have: u64,
    },
    /// The file with the last signed checkpoint is not whole.
    #[error("the file `checkpoint` is damaged: {detail}")]
    BadCheckpoint {
        /// What is wrong with it.
        detail: String,
    },
    /// What the journal has as the last signed checkpoint is not whole.
    #[error("the last checkpoint in the journal is damaged: {detail}")]
    BadCell {
        /// What is wrong with it.
        detail: String,
    },
    /// The settings name another log than the one that is here.
    #[error("{path} says origin = {settings:?}, and the log here is {log:?}")]
    OtherOrigin {
        /// The settings.
        path: PathBuf,
        /// What they say.
        settings: String,
        /// The log's own name.
        log: String,
    },
    /// The published checkpoint is unfit.
    #[error("published checkpoint: {0}")]
    Published(String),
    /// A note, key or proof is unfit.
    #[error(transparent)]
    Ledger(#[from] bailee_ledger::Error),
    /// Another process has the directory.
    #[error(transparent)]
    Lock(#[from] bailee_store::LockError),
    /// The journal cannot be opened.
    #[error(transparent)]
    Open(#[from] bailee_store::OpenError),
    /// The journal does not answer.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The objects do not answer.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// What keeps the packs does not answer, or cannot be used.
    #[error("the vault's objects: {detail}")]
    Engine {
        /// What is wrong.
        detail: String,
    },
    /// The checkpoint file does not answer.
    #[error(transparent)]
    Slot(#[from] bailee_store::SlotError),
    /// The journal cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A command of the setup failed.
    #[error(transparent)]
    Command(#[from] Failure),
    /// The file system says no.
    #[error("could not {doing}: {detail}")]
    Io {
        /// The operation.
        doing: String,
        /// The system's words.
        detail: String,
    },
}

impl HouseError {
    /// The medium takes no more.
    pub fn unwritable(&self) -> Option<Unwritable> {
        match self {
            HouseError::Lock(LockError::Io { unwritable, .. }) => *unwritable,
            HouseError::Journal(error)
            | HouseError::Open(OpenError::Journal(error))
            | HouseError::Replay(ReplayError::Journal(error)) => error.unwritable(),
            HouseError::Object(error) => error.unwritable(),
            HouseError::Command(Failure::Unwritable(why, _)) => Some(*why),
            HouseError::Slot(SlotError { detail, .. })
            | HouseError::Open(OpenError::Io { detail, .. })
            | HouseError::Key(KeyError::Io { detail, .. })
            | HouseError::Io { detail, .. } => Unwritable::said(detail),
            _ => None,
        }
    }

    /// Stored entries contradict themselves or their leaves, or the file is no journal.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            HouseError::BadCell { .. } | HouseError::Open(OpenError::NotAJournal { .. }) => true,
            HouseError::Journal(error)
            | HouseError::Open(OpenError::Journal(error))
            | HouseError::Replay(ReplayError::Journal(error)) => {
                matches!(error, JournalError::Damaged { .. })
            }
            HouseError::Replay(_) => true,
            _ => false,
        }
    }

    pub(crate) fn io(doing: impl Into<String>, error: &std::io::Error) -> HouseError {
        HouseError::Io { doing: doing.into(), detail: error.to_string() }
    }
}
