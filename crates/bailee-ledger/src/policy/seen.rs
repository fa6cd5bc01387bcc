//! What a policy finds on a checkpoint: the log's signatures, the witnesses', the quorum.

use super::{Member, Policy};
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::key::{KeyKind, Verifier};
use crate::note::Note;

/// What a policy found on a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The checkpoint, verified under the log key.
    pub checkpoint: Checkpoint,
    /// Index of the log in the policy.
    pub log: usize,
    /// Witnesses (never the log itself) whose cosignatures verified, with the Unix seconds each
    /// states.
    pub cosigned: Vec<(usize, u64)>,
    /// The quorum's answer.
    pub quorum: Quorum,
}

/// Did the quorum see the tree?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// The policy asks for no witness, so nothing is shown.
    NotAsked,
    /// Reached; by the cosignatures' own words no later than this time (Unix seconds).
    Reached {
        /// Smallest time by which enough cosignatures existed.
        by: u64,
    },
}

/// Did the log sign with its second key (ML-DSA-44) too?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondKey {
    /// The policy lists no such key of this log, so nothing is known.
    NotListed,
    /// Listed, and no signature by it is on the checkpoint.
    Absent,
    /// Listed, and its signature verified.
    Signed,
}

impl Policy {
    /// Checks a signed checkpoint: one of the logs signed it, and the quorum cosigned it.
    pub fn evaluate(&self, note: &Note) -> Result<Seen, Error> {
        let (log, checkpoint) = self.open_log(note)?;
        self.second_key(note, &checkpoint.origin)?;
        self.witnessed(note, log, checkpoint)
    }

    /// The rest of [`Policy::evaluate`] for whoever has looked at both of the log's keys: each
    /// signature is verified once, and ML-DSA is dear.
    pub fn witnessed(
        &self,
        note: &Note,
        log: usize,
        checkpoint: Checkpoint,
    ) -> Result<Seen, Error> {
        let cosigned = self.cosigned_by(note, |key| !is_second(key, &checkpoint.origin))?;
        let quorum = match self.quorum {
            None => Quorum::NotAsked,
            Some(_) => {
                let by = self.quorum_by(&cosigned).ok_or(Error::QuorumNotReached {
                    quorum: self.quorum_name().to_owned(),
                    have: cosigned.len(),
                })?;
                Quorum::Reached { by }
            }
        };
        Ok(Seen { checkpoint, log, cosigned, quorum })
    }

    /// The time by which these cosignatures reach the quorum; `None` if they do not, or if the
    /// policy asks for none.
    pub fn quorum_by(&self, cosigned: &[(usize, u64)]) -> Option<u64> {
        self.reached_by(self.quorum?, cosigned)
    }

    /// Verifies the log's signature alone: which log, and what it signed.
    pub fn open_log(&self, note: &Note) -> Result<(usize, Checkpoint), Error> {
        let checkpoint = Checkpoint::parse(note.text())?;
        let keys: Vec<Verifier> = self.logs.iter().map(|log| log.key.clone()).collect();
        let signed = note.verify(&keys)?;
        let fits = |key: usize| keys[key].name() == checkpoint.origin;
        let log = signed.iter().map(|found| found.key).find(|key| fits(*key)).ok_or_else(|| {
            let wanted = keys[signed[0].key].name().to_owned();
            Error::WrongOrigin { found: checkpoint.origin.clone(), wanted }
        })?;
        Ok((log, checkpoint))
    }

    /// Did the log of this origin sign with its second key? Error: it did, and that does not
    /// verify.
    pub fn second_key(&self, note: &Note, origin: &str) -> Result<SecondKey, Error> {
        let keys = self.witnesses.iter().map(|witness| witness.key.clone());
        let keys: Vec<Verifier> = keys.filter(|key| is_second(key, origin)).collect();
        match note.verify(&keys) {
            _ if keys.is_empty() => Ok(SecondKey::NotListed),
            Ok(_) => Ok(SecondKey::Signed),
            Err(Error::NoKnownSignature { .. }) => Ok(SecondKey::Absent),
            Err(error) => Err(error),
        }
    }

    /// The witnesses whose cosignatures on `note` verify, each with the Unix seconds it states.
    /// Error: a known witness's signature that fails.
    pub fn cosignatures(&self, note: &Note) -> Result<Vec<(usize, u64)>, Error> {
        self.cosigned_by(note, |_| true)
    }

    fn cosigned_by(
        &self,
        note: &Note,
        asked: impl Fn(&Verifier) -> bool,
    ) -> Result<Vec<(usize, u64)>, Error> {
        let witnesses = self.witnesses.iter().enumerate().filter(|(_, w)| asked(&w.key));
        let (places, keys): (Vec<usize>, Vec<Verifier>) =
            witnesses.map(|(place, witness)| (place, witness.key.clone())).unzip();
        let counts = |place: usize| self.check_counts(Member::Witness(place)).is_ok();
        match note.verify(&keys) {
            Ok(found) => Ok(found
                .iter()
                .filter(|verified| counts(places[verified.key]))
                .filter_map(|verified| Some((places[verified.key], verified.time?)))
                .collect()),
            Err(Error::NoKnownSignature { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Earliest time by which `member` had seen the tree: for a group, the threshold-th smallest of
    /// its members' times.
    fn reached_by(&self, member: Member, cosigned: &[(usize, u64)]) -> Option<u64> {
        match member {
            Member::Witness(index) => {
                cosigned.iter().find(|(witness, _)| *witness == index).map(|(_, time)| *time)
            }
            Member::Group(index) => {
                let group = &self.groups[index];
                let reach = |member: &Member| self.reached_by(*member, cosigned);
                let mut times: Vec<u64> = group.members.iter().filter_map(reach).collect();
                times.sort_unstable();
                times.get(group.threshold - 1).copied()
            }
        }
    }
}

/// Is this the second key of the log of this origin, which is no witness?
fn is_second(key: &Verifier, origin: &str) -> bool {
    key.kind() == KeyKind::MlDsa44 && key.name() == origin
}
