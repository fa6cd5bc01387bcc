//! A witness: cosigns checkpoints of logs it watches, if they extend what it has cosigned before.
//! Counsel or an NGO runs one from the same binary, apart from every house.
//!
//! Order: request read -> record of the origin read -> decided (bailee-ledger `witness`) ->
//! cosigned in memory -> record swapped for the new one, only if it is still what was decided on,
//! durable -> answered. So a cosignature leaves only after its tree is on record, and two requests
//! at once never get two trees cosigned: one of them finds the other's record and is decided again.
//!
//! | a crash after … | leaves                                                               |
//! |-----------------|----------------------------------------------------------------------|
//! | cosigned        | nothing: the signature dies with the process                         |
//! | record swapped  | the record; the log asks again from its size and gets the cosignature |
//!
//! Out of scope: a records file restored from an old copy. A witness whose records are lost or old
//! can be made to cosign a second tree; it is to be given up, with its key (docs/witnessing.md).

mod dir;
mod service;

pub use dir::Init;
pub use service::{serve, serve_until};

use std::path::PathBuf;
use std::sync::Arc;

use bailee_ledger::hash::sha256;
use bailee_ledger::key::Verifier;
use bailee_ledger::witness::{self as decision, AddCheckpoint, Record, Refusal};
use bailee_ledger::{Checkpoint, Note, PqSigner, Signer, to_hex};
use bailee_store::{Journal, JournalError};

/// How often a request is decided again after another one changed the record.
const RETRIES: usize = 8;

/// Why a witness cannot be made, opened or asked.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// There is none in this directory.
    #[error("{0} is not a witness's directory; `bailee witness init` makes one")]
    NotAWitness(PathBuf),
    /// There is one already.
    #[error("{0} is a witness's directory already; nothing was changed")]
    AlreadyAWitness(PathBuf),
    /// Its records are gone.
    #[error(
        "{0} is missing: without its records this witness could cosign a second tree; give it up, \
         and make a new one with a new name"
    )]
    NoRecords(PathBuf),
    /// A key is missing or unfit.
    #[error("key: {0}")]
    Key(String),
    /// The list of watched logs is unfit.
    #[error("{path}: {detail}")]
    Logs {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The record of a log is not what this witness cosigned.
    #[error("the record of {origin} is damaged: {detail}; nothing more of that log is cosigned")]
    Damaged {
        /// The log.
        origin: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The records do not answer.
    #[error(transparent)]
    Store(#[from] JournalError),
    /// The records cannot be opened.
    #[error(transparent)]
    Open(#[from] bailee_store::OpenError),
    /// The file system says no.
    #[error("could not {doing}: {detail}")]
    Io {
        /// The operation.
        doing: String,
        /// The system's words.
        detail: String,
    },
}

/// Why a checkpoint was not cosigned.
#[derive(Debug, thiserror::Error)]
pub enum NotCosigned {
    /// The request cannot be read.
    #[error(transparent)]
    Malformed(bailee_ledger::Error),
    /// The decision is no.
    #[error(transparent)]
    Refused(Refusal),
    /// The witness does not work; whether the tree is on record is unknown, and it is not cosigned.
    #[error(transparent)]
    Failed(#[from] WitnessError),
}

/// The keys it cosigns with.
pub struct Cosigner {
    /// Ed25519.
    pub key: Signer,
    /// ML-DSA-44, if it has one.
    pub pq: Option<PqSigner>,
}

/// A witness, open.
pub struct Witness {
    cosigner: Cosigner,
    logs: Vec<Verifier>,
    records: Arc<dyn Journal>,
}

/// What is on record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnRecord {
    /// The log.
    pub origin: String,
    /// The checkpoint cosigned last, with its signatures.
    pub note: Option<Note>,
    /// Leaves in it.
    pub size: u64,
    /// Unix seconds at which it was cosigned.
    pub time: u64,
    /// Two checkpoints of one size that the log has signed: proof that it has forked.
    pub fork: Option<String>,
}

impl Witness {
    /// A witness of given parts; [`Witness::open`] takes them from a directory.
    pub fn of(cosigner: Cosigner, logs: Vec<Verifier>, records: Arc<dyn Journal>) -> Witness {
        Witness { cosigner, logs, records }
    }

    /// Its public keys: Ed25519, and ML-DSA-44 if it has one.
    pub fn keys(&self) -> Vec<&Verifier> {
        let pq = self.cosigner.pq.iter().map(PqSigner::verifier);
        std::iter::once(self.cosigner.key.verifier()).chain(pq).collect()
    }

    /// Keys of the logs it watches.
    pub fn logs(&self) -> &[Verifier] {
        &self.logs
    }

    /// Names of the logs it watches, each once.
    pub fn origins(&self) -> Vec<&str> {
        let mut origins: Vec<&str> = self.logs.iter().map(Verifier::name).collect();
        origins.sort_unstable();
        origins.dedup();
        origins
    }

    /// Cosigns a checkpoint, if it may be; the answer is signature lines. `now`: Unix seconds.
    ///
    /// # Errors
    /// It may not be, or the records do not answer.
    pub fn add_checkpoint(&self, body: &[u8], now: u64) -> Result<String, NotCosigned> {
        let request = AddCheckpoint::parse(body).map_err(NotCosigned::Malformed)?;
        let origin = decision::origin(&request);
        if !self.logs.iter().any(|key| key.name() == origin) {
            let origin = origin.to_owned();
            return Err(NotCosigned::Refused(Refusal::UnknownLog { origin }));
        }
        let name = record_name(origin);
        for _ in 0..RETRIES {
            let before = self.records.cell(&name).map_err(WitnessError::from)?;
            let (last, time) = self.record(origin, before.as_deref())?;
            let checkpoint = match decision::decide(&self.logs, &last, &request) {
                Ok(checkpoint) => checkpoint,
                Err(refusal) => {
                    if let (Refusal::Forked { .. }, Some(before)) = (&refusal, &before) {
                        self.keep_fork(origin, before, &request.note);
                    }
                    return Err(NotCosigned::Refused(refusal));
                }
            };
            // A clock that was set back states no earlier time for a later tree.
            let (note, lines) = self.cosign(&request.note, &checkpoint, now.max(time))?;
            let after = note.to_string();
            match self.records.swap_cell(&name, before.as_deref(), after.as_bytes()) {
                Ok(()) => return Ok(lines),
                Err(JournalError::CellConflict { .. }) => {}
                Err(error) => return Err(NotCosigned::Failed(error.into())),
            }
        }
        let detail = "others were faster each time".into();
        Err(NotCosigned::Failed(WitnessError::Io { doing: "record the checkpoint".into(), detail }))
    }

    /// The note with our cosignatures, and these as lines.
    fn cosign(
        &self,
        note: &Note,
        checkpoint: &Checkpoint,
        time: u64,
    ) -> Result<(Note, String), WitnessError> {
        let unfit = |e: bailee_ledger::Error| WitnessError::Key(e.to_string());
        // What was understood is signed, not what was sent: they are the same, or it fails safely.
        let text = checkpoint.to_text().map_err(unfit)?;
        let mut own = Note::new(text).map_err(unfit)?.sign(&self.cosigner.key, time);
        if let Some(pq) = &self.cosigner.pq {
            own.add_signatures([pq.cosign(checkpoint, time).map_err(unfit)?]);
        }
        let lines = own.signature_lines();
        let mut cosigned = note.clone();
        cosigned.add_signatures(own.signatures().to_vec());
        Ok((cosigned, lines))
    }

    /// The tree on record, and the time at which it was cosigned.
    fn record(&self, origin: &str, cell: Option<&[u8]>) -> Result<(Record, u64), WitnessError> {
        let Some(bytes) = cell else { return Ok((Record::default(), 0)) };
        let damaged = |detail: String| WitnessError::Damaged { origin: origin.to_owned(), detail };
        let note = Note::parse(bytes).map_err(|e| damaged(e.to_string()))?;
        let own = std::slice::from_ref(self.cosigner.key.verifier());
        let verified = note.verify(own).map_err(|e| damaged(e.to_string()))?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(|e| damaged(e.to_string()))?;
        if checkpoint.origin != origin {
            return Err(damaged(format!("it is about {}", checkpoint.origin)));
        }
        let time = verified.first().and_then(|found| found.time).unwrap_or(0);
        Ok((Record { size: checkpoint.size, root: checkpoint.root }, time))
    }

    /// Keeps the first proof of a fork: both checkpoints, each signed by the log.
    fn keep_fork(&self, origin: &str, recorded: &[u8], offered: &Note) {
        let proof = format!("{}\n{offered}", String::from_utf8_lossy(recorded));
        tracing::error!(log = origin, "two trees of one size are signed; the proof is kept");
        match self.records.swap_cell(&fork_name(origin), None, proof.as_bytes()) {
            Ok(()) | Err(JournalError::CellConflict { .. }) => {}
            Err(error) => tracing::error!(%error, log = origin, "the proof could not be kept"),
        }
    }

    /// What is on record of a log.
    ///
    /// # Errors
    /// The records do not answer, or are damaged.
    pub fn on_record(&self, origin: &str) -> Result<OnRecord, WitnessError> {
        let cell = self.records.cell(&record_name(origin))?;
        let (record, time) = self.record(origin, cell.as_deref())?;
        let note = cell.and_then(|bytes| Note::parse(&bytes).ok());
        let fork = self.records.cell(&fork_name(origin))?;
        let fork = fork.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(OnRecord { origin: origin.to_owned(), note, size: record.size, time, fork })
    }

    /// The watched log whose name has this SHA-256, lower-case hex.
    pub(crate) fn by_hash(&self, hex: &str) -> Option<&str> {
        self.origins().into_iter().find(|origin| to_hex(&sha256(origin.as_bytes())) == hex)
    }
}

fn record_name(origin: &str) -> String {
    format!("witness/{origin}")
}

fn fork_name(origin: &str) -> String {
    format!("fork/{origin}")
}
