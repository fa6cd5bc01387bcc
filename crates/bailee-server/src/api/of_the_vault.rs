//! What the vault says, as problems: there is no such thing, no, or it broke; and what to do next.
//!
//! Invariant: each failure has its own next step, and none says that something is kept: that is
//! what reading it back says.

use bailee_core::Code;
use bailee_store::ObjectError;
use bailee_vault::VaultError;

use super::problem::Problem;
use bailee_store::Unwritable;

const DAMAGED: &str = "`bailee scrub` names what is damaged, and `bailee scrub --repair-from COPY` \
     puts it right from a copy of the data directory; without a copy preserve the source again";
const KEY_DAMAGED: &str = "`bailee scrub --repair-from COPY` puts it right from a copy of the data \
     directory; without one nothing that this key opens can be read again";
const ENGINE: &str = "look whether the engine answers at the endpoint that [vault] in bailee.toml \
     names, and type the same again; letters are still taken in";
const COMPRESSED: &str = "decompress it on the way in: zcat FILE | bailee preserve A-1 - --tar \
     --stdin-name NAME (zstdcat, xzcat and bzcat are alike)";

/// HTTP status and stable code.
fn answer(error: &VaultError) -> (u16, &'static str) {
    match error {
        VaultError::UnknownTenant { .. }
        | VaultError::UnknownUnit { .. }
        | VaultError::UnknownSnapshot { .. }
        | VaultError::UnknownPath { .. } => (404, Code::NotFound.as_str()),
        VaultError::Occupied { .. } | VaultError::CutOff { .. } => (400, "not_an_empty_directory"),
        VaultError::WhichSet { .. } => (400, "which_set"),
        VaultError::Destination { .. } => (500, "io_failed"),
        VaultError::BadName { .. }
        | VaultError::BadRange { .. }
        | VaultError::Volume { .. }
        | VaultError::Archive { .. } => (422, Code::BadValue.as_str()),
        VaultError::NeverRead { .. }
        | VaultError::UnitErased { .. }
        | VaultError::NotErased { .. }
        | VaultError::HalfErased { .. }
        | VaultError::Pinned { .. }
        | VaultError::WrongClearance { .. }
        | VaultError::SnapshotMissing { .. }
        | VaultError::NotIndexed { .. }
        | VaultError::SameKek => (409, "vault_refused"),
        _ => (500, "vault_failed"),
    }
}

/// What to do next.
fn next(error: &VaultError) -> &'static str {
    match error {
        VaultError::Occupied { .. } => "name a new or empty directory",
        VaultError::CutOff { .. } => "empty it, or name another, and restore again",
        VaultError::Damaged { object, .. } if bailee_vault::is_key(object) => KEY_DAMAGED,
        VaultError::Damaged { .. }
        | VaultError::DamagedRange { .. }
        | VaultError::Store(ObjectError::NotFound { .. } | ObjectError::BadRange { .. }) => DAMAGED,
        VaultError::MissingChunk { .. } => {
            "`bailee reindex`, then `bailee snapshot verify`; what is missing then comes back from \
             a copy of the data directory only"
        }
        VaultError::HalfErased { .. } => "do what it says; `bailee check` names what is hit",
        VaultError::KeyMissing { .. } => {
            "bring that object back from a copy of the data directory: without it the unit is lost"
        }
        VaultError::WrongKek | VaultError::KekFile { .. } => {
            "give the key that it was made with: keys/vault.key from a copy of keys/, the token \
             that [keys] names, or the key of the shelf for archive volumes"
        }
        VaultError::Destination { detail, .. } => match Unwritable::said(detail) {
            Some(Unwritable::Full) => {
                "free space there and empty the destination, or name one with more space, and type \
                 the same again; the vault was only read"
            }
            _ => {
                "look at path and permissions of the destination, empty it, and type the same \
                 again; the vault was only read"
            }
        },
        VaultError::Source { .. } => {
            "look at path and permissions; what a program or a pipe gives comes on standard input: \
             … | bailee preserve A-1 - --stdin-name NAME"
        }
        VaultError::Archive { detail, .. } if detail.contains("compressed") => COMPRESSED,
        VaultError::Archive { .. } => "make the archive again, and preserve that; nothing is kept",
        VaultError::WhichSet { .. } => {
            "`--set` and the set's 32 digits read that one and leave the others"
        }
        VaultError::Volume { .. } => {
            "name all volumes of the set, and the key they were sealed with"
        }
        VaultError::Transfer { .. } => "type the same again; nothing is kept before all has come",
        VaultError::UnknownFormat { .. } => "use the version that wrote it, or a newer one",
        VaultError::UnknownTenant { .. }
        | VaultError::UnknownUnit { .. }
        | VaultError::UnknownSnapshot { .. } => "`bailee snapshot list` shows what is kept",
        VaultError::UnknownPath { .. } => "`bailee snapshot files S-1` lists what is in it",
        VaultError::NoVault => "nothing is kept yet: the first `bailee preserve` makes the vault",
        VaultError::AlreadyAVault => {
            "bring objects/vault/kek/ back from a copy of the data directory: what else is there \
             is under that key"
        }
        VaultError::Place { .. } => "look at the permissions of the data directory",
        VaultError::Store(ObjectError::Io { detail, .. }) if is_engine(detail) => ENGINE,
        VaultError::Store(_) => {
            "look at what keeps the packs (`dmesg`, `bailee probe`), and type the same again"
        }
        _ => "do what it says, and type the same again; nothing was changed",
    }
}

/// What is in the way.
fn whose(error: &VaultError) -> &'static str {
    match error {
        VaultError::CutOff { .. } => "the destination",
        VaultError::Destination { .. } => "this machine",
        VaultError::WhichSet { .. } => "the volumes",
        _ => "the vault",
    }
}

/// Why the vault itself takes no more, if that is it.
fn unwritable(error: &VaultError) -> Option<Unwritable> {
    match error {
        VaultError::Store(store) => store.unwritable(),
        VaultError::Place { detail } => Unwritable::said(detail),
        _ => None,
    }
}

/// In words of the engine's, not of the disk's.
fn is_engine(detail: &str) -> bool {
    detail.starts_with("the engine ")
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Problem {
        let words = error.to_string();
        if let Some(why) = unwritable(&error) {
            return Problem::unwritable(why, words);
        }
        let (status, code) = answer(&error);
        Problem::new(status, code, whose(&error), words, next(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_own_next_step() {
        let (path, doing) = ("p".to_owned(), "write it");
        let full = std::io::Error::from_raw_os_error(28).to_string();
        let store = |detail: &str| {
            let (doing, name, detail) = ("get", "n".to_owned(), detail.to_owned());
            VaultError::Store(ObjectError::Io { doing, name, detail })
        };
        let told = [
            (VaultError::Damaged { object: "o".into(), detail: "d".into() }, "--repair-from"),
            (VaultError::WrongKek, "vault.key"),
            (VaultError::Destination { path, doing, detail: full.clone() }, "free space there"),
            (store(&full), "`df`"),
            (store("the engine did not answer, asked 4 times"), "letters are still taken"),
            (VaultError::NoVault, "the first `bailee preserve`"),
        ];
        for (error, next) in told {
            let problem = Problem::from(error);
            assert!(problem.change.contains(next), "{problem}");
        }
        assert_eq!(Problem::from(store(&full)).code, "disk_full");
    }
}
