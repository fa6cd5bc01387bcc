//! What keeps a house from being opened or from working, as problems: each with its own code and
//! its own next step, because other people do something else about each.
//!
//! Invariant: no advice here takes anything away that is needed: keys and the file `checkpoint`
//! are put back, never removed.

use bailee_store::{JournalError, LockError, OpenError, Unwritable};

use super::problem::Problem;
use crate::house::HouseError;
use crate::projection::ReplayError;

const NO_CHECKPOINT: &str = "put the newest checkpoint that was published there as `checkpoint`: \
     from whoever has it (/checkpoint of a mirror or monitor, a copy kept elsewhere, a witness); \
     or restore the whole directory from its newest copy. No option overrides this";

const NO_SETTINGS: &str = "bring bailee.toml back from a copy, or write it by hand: origin = the \
     name of the log, mail_from, operations, and under [keys] every key that is not a file \
     (docs/operating.md, When bailee.toml is lost). Keep keys/ as it is: nothing else opens what \
     is kept. For a new house choose another directory";

impl Problem {
    /// The medium takes no more.
    pub(crate) fn unwritable(why: Unwritable, words: impl Into<String>) -> Problem {
        let (code, change) = match why {
            Unwritable::Full => (
                "disk_full",
                "free space there (`df` shows it; `bailee prune` gives back what nothing needs), \
                 then ask again: what was recorded is recognised and not recorded twice",
            ),
            Unwritable::ReadOnly => (
                "read_only",
                "look why (`dmesg`, `findmnt`): after an error of the disk copy everything off it \
                 first; then mount it to be written and ask again. Reading works meanwhile",
            ),
        };
        Problem::new(503, code, "the data directory", words, change)
    }
}

impl From<HouseError> for Problem {
    fn from(error: HouseError) -> Problem {
        let detail = error.to_string();
        if let Some(why) = error.unwritable() {
            return Problem::unwritable(why, detail);
        }
        if error.is_damage() {
            let change = "keep the damaged files, restore journal.sqlite from its newest copy, \
                          and leave `checkpoint` as it is (docs/operating.md, Backup and restore)";
            return Problem::new(500, "journal_damaged", "the journal", detail, change);
        }
        match error {
            HouseError::Command(failure) => failure.into(),
            HouseError::Key(error) => {
                let (status, code, change) = error.told();
                Problem::new(status, code, "a key of this house", detail, change)
            }
            HouseError::Lock(error) => locked(&error, detail),
            other => match told(&other) {
                Some((status, code, about, change)) => {
                    Problem::new(status, code, about, detail, change)
                }
                None => Problem::failure("house_failed", "the house", detail),
            },
        }
    }
}

fn locked(error: &LockError, detail: String) -> Problem {
    let change = match error {
        LockError::Held { serves: true, .. } => {
            "give the command to it with --server URL, or stop it first"
        }
        LockError::Held { serves: false, .. } => {
            "try again when it has ended; --wait SECONDS waits longer for it"
        }
        LockError::Io { .. } => {
            let change = "look at path and permissions: the directory and what is in it belong to \
                          who runs bailee";
            return Problem::new(500, "lock_failed", "this directory", detail, change);
        }
    };
    Problem::new(503, "house_in_use", "this directory", detail, change)
}

/// Status, code, thing and next step of what is not told by a part of the house.
fn told(error: &HouseError) -> Option<(u16, &'static str, &'static str, &'static str)> {
    Some(match error {
        HouseError::NotAHouse(_) => {
            (404, "not_a_house", "this directory", "`bailee init` makes one")
        }
        HouseError::NoSettings { .. } => (409, "settings_missing", "this directory", NO_SETTINGS),
        HouseError::AlreadyAHouse(_) => {
            let change = "nothing: it is so already; choose another directory for a new one";
            (409, "already_a_house", "this directory", change)
        }
        HouseError::Config { .. } => (422, "bad_settings", "bailee.toml", "correct the file"),
        HouseError::UnreadableSettings { .. } => {
            let change = "run it as the user whose house it is, or give the file to that user";
            (500, "settings_unreadable", "bailee.toml", change)
        }
        HouseError::OtherOrigin { .. } => {
            let change = "write the log's own name into the settings; a log goes on under another \
                          one by `bailee keys continue` only";
            (409, "wrong_origin", "bailee.toml", change)
        }
        HouseError::Restored { .. } | HouseError::Forked { .. } => {
            let change = "restore the newest copy of the directory; nothing is signed on this";
            (500, "log_contradicts_checkpoint", "the log", change)
        }
        HouseError::NoCheckpoint { .. } => (500, "checkpoint_missing", "the log", NO_CHECKPOINT),
        HouseError::BadCheckpoint { .. } => {
            let change = "put the newest checkpoint that was published in its place: from \
                          /checkpoint of a mirror or monitor, or a copy kept elsewhere";
            (500, "checkpoint_damaged", "the log", change)
        }
        HouseError::Open(OpenError::Newer { .. }) => {
            (500, "newer_format", "the journal", "use the version that wrote it, or a newer one")
        }
        HouseError::Journal(JournalError::Io { .. })
        | HouseError::Open(OpenError::Io { .. } | OpenError::Journal(JournalError::Io { .. }))
        | HouseError::Replay(ReplayError::Journal(JournalError::Io { .. })) => {
            let change = "look at the medium (`dmesg`, `smartctl`) and at the files' permissions; \
                          if it is failing, copy everything off it before anything else";
            (500, "medium_failed", "the journal", change)
        }
        HouseError::Slot(_) | HouseError::Io { .. } => {
            let change = "look at path, permissions and medium, then ask again";
            (500, "io_failed", "the data directory", change)
        }
        HouseError::Object(_) => {
            let change = "look at the medium (`dmesg`) and at permissions, then `bailee scrub`";
            (500, "objects_failed", "the objects", change)
        }
        HouseError::Engine { .. } => {
            let change = "start it, or correct [vault] in bailee.toml, then ask again; letters are \
                          still taken in";
            (503, "engine_failed", "what keeps the packs", change)
        }
        _ => return None,
    })
}
