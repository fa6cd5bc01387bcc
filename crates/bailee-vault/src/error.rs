//! Why the vault said no or could not do it.
//!
//! Invariant: every error names the object, path or thing it is about and what to do next; none
//! carries key material or file content. Out of scope: refusals of the domain (they belong to the
//! core), except the two a vault must make by itself: [`VaultError::Pinned`] and
//! [`VaultError::WrongClearance`].

use bailee_store::ObjectError;

/// Objects that cannot be read, as part of a sentence; nothing if there are none.
fn cannot_be_read(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" ({} is damaged)", names.join(", ")) }
}

/// Everything that can go wrong in a vault.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The store holds no vault yet.
    #[error("there is no vault in this store: create one first")]
    NoVault,
    /// The store holds a vault already.
    #[error("this store holds a vault already: open it with its key instead of creating one")]
    AlreadyAVault,
    /// The key does not open this vault.
    #[error("this key-encryption key does not open the vault: give the key it was created with")]
    WrongKek,
    /// The key file cannot be used.
    #[error("key file {path}: {detail}")]
    KekFile {
        /// Its path.
        path: String,
        /// What is wrong and what to do.
        detail: String,
    },
    /// A tenant, unit, path or pattern that cannot be one.
    #[error("{what} {name:?} cannot be used: {detail}")]
    BadName {
        /// Tenant, unit, snapshot id, pattern.
        what: &'static str,
        /// As given.
        name: String,
        /// Which rule it breaks.
        detail: &'static str,
    },
    /// Nothing was ever preserved for this tenant.
    #[error("the vault keeps nothing for tenant {tenant:?}: check the name")]
    UnknownTenant {
        /// As given.
        tenant: String,
    },
    /// No such custody unit.
    #[error("the vault keeps nothing of {unit:?} for tenant {tenant:?}: check the names")]
    UnknownUnit {
        /// The tenant.
        tenant: String,
        /// As given.
        unit: String,
    },
    /// No such snapshot under this tenant.
    #[error("tenant {tenant:?} has no snapshot {id}: list the snapshots to see what is kept")]
    UnknownSnapshot {
        /// The tenant.
        tenant: String,
        /// The id asked for.
        id: String,
    },
    /// No such path in the snapshot, or it is not a regular file.
    #[error(
        "snapshot {id} holds no regular file {path:?}: `bailee snapshot files` lists what it holds"
    )]
    UnknownPath {
        /// The snapshot.
        id: String,
        /// The path asked for.
        path: String,
    },
    /// The range reaches past the end of the file.
    #[error("{path:?} has {size} bytes, asked for {start}..{end}")]
    BadRange {
        /// The path.
        path: String,
        /// Its size, bytes.
        size: u64,
        /// First byte asked for.
        start: u64,
        /// One past the last.
        end: u64,
    },
    /// The medium did not give these bytes when the snapshot was taken.
    #[error("{path:?} was unreadable at offset {offset} when it was preserved: there is no copy")]
    NeverRead {
        /// The path.
        path: String,
        /// The first such byte asked for.
        offset: u64,
    },
    /// The unit was erased for good under a clearance.
    #[error("custody unit {unit:?} was erased: preserve under a new unit name")]
    UnitErased {
        /// Its name.
        unit: String,
    },
    /// Objects of the unit exist and its key does not.
    #[error(
        "the key of custody unit {unit:?} is missing although its packs are there: \
         restore the key object {object} from a copy; nothing was changed"
    )]
    KeyMissing {
        /// Its name.
        unit: String,
        /// The object that should hold the key.
        object: String,
    },
    /// Stored bytes are not what was written, or contradict themselves.
    #[error("object {object} is damaged or was tampered with: {detail}; nothing of it was served")]
    Damaged {
        /// The object's name.
        object: String,
        /// What does not fit.
        detail: String,
    },
    /// A file of a snapshot is not there as it was kept.
    #[error("{path:?} is not whole: {detail}; nothing of that was served")]
    Lost {
        /// The file.
        path: String,
        /// Which bytes of it, and why.
        detail: String,
    },
    /// Written by a newer program.
    #[error("object {object} has format version {version}, this program reads 1: update it")]
    UnknownFormat {
        /// The object's name.
        object: String,
        /// As stored.
        version: u16,
    },
    /// A snapshot needs a chunk that no index names.
    #[error(
        "chunk {chunk} is in no readable index of {unit:?}{}: reindex the tenant, then verify",
        cannot_be_read(.unread)
    )]
    MissingChunk {
        /// Chunk id, hex.
        chunk: String,
        /// The custody unit.
        unit: String,
        /// Index objects of the unit that are damaged: it may be in them.
        unread: Vec<String>,
    },
    /// The source as a whole cannot be read.
    #[error("source {path}: could not {doing}: {detail}")]
    Source {
        /// The path.
        path: String,
        /// The operation, as a verb.
        doing: &'static str,
        /// The system's own words.
        detail: String,
    },
    /// The destination of a restore cannot be used or written.
    #[error("destination {path}: could not {doing}: {detail}")]
    Destination {
        /// The path.
        path: String,
        /// The operation, as a verb.
        doing: &'static str,
        /// The system's own words.
        detail: String,
    },
    /// Something is there where a new or empty directory is needed.
    #[error("{path} is not empty, or no directory: name a new or empty directory")]
    Occupied {
        /// The path.
        path: String,
    },
    /// A restore into this directory was cut off.
    #[error(
        "{path} is what an interrupted restore left, not all of it: empty it and restore again"
    )]
    CutOff {
        /// The path.
        path: String,
    },
    /// A hold pins the snapshot.
    #[error("snapshot {id} must be kept: {reason}")]
    Pinned {
        /// The snapshot.
        id: String,
        /// Which holds, in the words of whoever keeps them.
        reason: String,
    },
    /// The clearance is for something else.
    #[error("the clearance does not permit this: {detail}; ask for one that names this subject")]
    WrongClearance {
        /// Which term differs.
        detail: String,
    },
    /// The system has no randomness, or a cipher refused its input.
    #[error("could not {doing}: the cryptographic library refused")]
    Crypto {
        /// The operation, as a verb.
        doing: &'static str,
    },
    /// The object store did not answer.
    #[error(transparent)]
    Store(#[from] ObjectError),
    /// A KEK was to be added that is the vault's own.
    #[error("this key-encryption key opens the vault already: make a new one to rotate to")]
    SameKek,
    /// The store says that it deleted a key or a tombstone, and still has it.
    #[error("{object} is still in the store after it was deleted: give the same command again")]
    KeyKept {
        /// The object.
        object: String,
    },
    /// Where a scrub stopped could not be read or kept.
    #[error("the place of the scrub: {detail}; what was checked will be checked again")]
    Place {
        /// The slot's own words.
        detail: String,
    },
    /// Part of a file cannot be served: its chunk is damaged or gone.
    #[error("bytes {start}..{end} of {path:?} cannot be served: {why}; restore them from a copy")]
    DamagedRange {
        /// The file's path in the snapshot.
        path: String,
        /// First byte of the chunk.
        start: u64,
        /// One past its last.
        end: u64,
        /// What is wrong.
        why: Box<VaultError>,
    },
    /// Archive volumes cannot be written or read as asked.
    #[error("volume {volume}: {detail}")]
    Volume {
        /// The file, or the set.
        volume: String,
        /// What is wrong and what to do.
        detail: String,
    },
    /// Archive volumes of several sets were given, and none of them is meant for sure.
    #[error(
        "{}: there is {}",
        wanted.as_ref().map_or("volumes of several sets were given".to_owned(), |set| {
            format!("no volume of set {set} was given")
        }),
        if there.is_empty() { "none".to_owned() } else { there.join(", ") }
    )]
    WhichSet {
        /// The set that was asked for.
        wanted: Option<String>,
        /// The sets there are, with how many volumes of each there are, and whether it is whole.
        there: Vec<String>,
    },
    /// A tar archive is not whole, or has what cannot be kept as it means it.
    #[error("archive {name}: at byte {at}: {detail}; no snapshot was recorded")]
    Archive {
        /// What the caller calls it.
        name: String,
        /// How far it was read.
        at: u64,
        /// What is wrong.
        detail: String,
    },
    /// What came from another machine is not whole, or not what is read here.
    #[error("transfer {name}: at byte {at}: {detail}")]
    Transfer {
        /// What people call what came.
        name: String,
        /// How far it was read.
        at: u64,
        /// What is wrong.
        detail: String,
    },
    /// An erasure that nobody began cannot be finished.
    #[error("custody unit {unit:?} has no tombstone; erase it first")]
    NotErased {
        /// The unit.
        unit: String,
    },
    /// An erasure was begun on a unit and did not come to its end.
    #[error("custody unit {unit:?} is half erased: {detail}; nothing was let go")]
    HalfErased {
        /// The unit.
        unit: String,
        /// How far it came, and what to do.
        detail: &'static str,
    },
    /// The catalogue has a snapshot as kept that is not in the store.
    #[error(
        "snapshot {id} of custody unit {unit:?} is kept, by the log, and is not in the store: \
         bring {object} back from a copy; nothing was let go"
    )]
    SnapshotMissing {
        /// The snapshot.
        id: String,
        /// The unit.
        unit: String,
        /// The object that should be it.
        object: String,
    },
    /// Chunks that snapshots need may be in packs that no index names.
    #[error(
        "custody unit {unit:?}: no index names {packs} of its packs, such as {pack}, nor {chunks} \
         of the chunks that its snapshots need: run `bailee reindex`, then try again; nothing \
         was let go"
    )]
    NotIndexed {
        /// The unit.
        unit: String,
        /// How many chunks.
        chunks: u64,
        /// How many packs.
        packs: u64,
        /// One of them.
        pack: String,
    },
    /// Whoever keeps the catalogue does not say what is kept.
    #[error(
        "custody unit {unit:?}: what is kept of it is not known ({detail}); nothing was let go"
    )]
    NoCatalogue {
        /// The unit.
        unit: String,
        /// Why.
        detail: String,
    },
}

impl VaultError {
    /// Whether it says that something the vault itself has to have is gone or damaged. A store
    /// that does not answer, a full disk, a key that is not the vault's say nothing of that.
    pub fn is_loss(&self) -> bool {
        match self {
            Self::NoVault
            | Self::UnknownTenant { .. }
            | Self::UnknownUnit { .. }
            | Self::UnknownSnapshot { .. }
            | Self::UnitErased { .. }
            | Self::KeyMissing { .. }
            | Self::Damaged { .. }
            // Or two bytes of it are damaged: by this program it is not read.
            | Self::UnknownFormat { .. }
            | Self::Lost { .. }
            | Self::MissingChunk { .. }
            | Self::DamagedRange { .. }
            | Self::SnapshotMissing { .. }
            | Self::Store(ObjectError::NotFound { .. } | ObjectError::BadRange { .. }) => true,
            // The disk answers that it cannot give these bytes.
            Self::Store(ObjectError::Io { detail, .. }) => detail.contains("(os error 5)"),
            _ => false,
        }
    }

    pub(crate) fn half_erased(unit: &str, detail: &'static str) -> Self {
        Self::HalfErased { unit: unit.to_owned(), detail }
    }

    pub(crate) fn damaged(object: &str, detail: impl Into<String>) -> Self {
        Self::Damaged { object: object.to_owned(), detail: detail.into() }
    }
}
