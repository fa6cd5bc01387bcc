//! Policy files: which keys of the log count, as text to publish (C2SP tlog-policy).
//!
//! `policies/<size, 20 digits>.tlog-policy` holds from the tree of that size on. Files are put
//! once: what readers were told at a time stays what they were told. After a rotation the newest
//! one names the new keys only; receipts of before verify under the one of their time.
//!
//! The first one has a second use: it is what a house that never rotated knows of its own keys, so
//! that a key file that was exchanged by hand is noticed.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use bailee_ledger::{Policy, Verifier};

use super::error::KeyError;
use super::file::sync_dir;

const DIR: &str = "policies";

/// The public halves of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Ed25519.
    pub(crate) log: Verifier,
    /// ML-DSA-44.
    pub(crate) second: Option<Verifier>,
}

/// The policy that names these pairs and asks for no witness.
pub(crate) fn policy(pairs: &[Record]) -> Result<Policy, KeyError> {
    with(Policy::default(), pairs)
}

/// A policy of witnesses with the lines of the log itself.
pub(crate) fn with(mut policy: Policy, pairs: &[Record]) -> Result<Policy, KeyError> {
    let unfit = |why: &'static str| KeyError::io("make a policy", why);
    for pair in pairs {
        policy.add_log(pair.log.clone(), None).map_err(unfit)?;
    }
    for second in pairs.iter().filter_map(|pair| pair.second.as_ref()) {
        let name = format!("own-ml-dsa-44-{:08x}", second.id());
        policy.add_witness(&name, second.clone(), None).map_err(unfit)?;
    }
    Ok(policy)
}

/// Where the policy is that holds from the tree of `size` on.
pub(crate) fn path(house: &Path, size: u64) -> PathBuf {
    house.join(DIR).join(format!("{size:020}.tlog-policy"))
}

/// Puts the policy that holds from the tree of `size` on, if it is not there.
pub(crate) fn put(house: &Path, size: u64, policy: &Policy) -> Result<(), KeyError> {
    let path = path(house, size);
    if path.exists() {
        return Ok(());
    }
    let io = |e| KeyError::io(format!("write {}", path.display()), e);
    let dir = house.join(DIR);
    fs::create_dir_all(&dir).map_err(io)?;
    let aside = path.with_extension("part");
    let mut file = File::create(&aside).map_err(io)?;
    file.write_all(policy.to_string().as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&aside, &path).map_err(io)?;
    sync_dir(&dir)?;
    sync_dir(house)
}

/// The keys in the first policy, if it is of this log.
pub(crate) fn first(house: &Path, origin: &str) -> Result<Option<Record>, KeyError> {
    let path = path(house, 0);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|e| KeyError::io(format!("read {}", path.display()), e))?,
    };
    let policy = Policy::parse(&bytes)?;
    let named = |key: &&Verifier| key.name() == origin;
    let log = policy.logs().iter().map(|log| &log.key).find(named).cloned();
    let second = policy.witnesses().iter().map(|witness| &witness.key).find(named).cloned();
    Ok(log.map(|log| Record { log, second }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailee_ledger::{PqSigner, Signer};

    #[test]
    fn what_readers_were_told_stays_what_they_were_told() {
        let dir = tempfile::tempdir().unwrap();
        let pair = |n: u8| Record {
            log: Signer::from_seed("a.example", &[n; 32]).unwrap().verifier().clone(),
            second: Some(PqSigner::from_seed("a.example", &[n; 32]).unwrap().verifier().clone()),
        };
        assert_eq!(first(dir.path(), "a.example"), Ok(None));
        put(dir.path(), 0, &policy(&[pair(1)]).unwrap()).unwrap();
        put(dir.path(), 0, &policy(&[pair(2)]).unwrap()).unwrap();
        assert_eq!(first(dir.path(), "a.example"), Ok(Some(pair(1))));
        assert_eq!(first(dir.path(), "b.example"), Ok(None), "of another log");
        let both = policy(&[pair(1), pair(2)]).unwrap();
        assert_eq!((both.logs().len(), both.witnesses().len(), both.quorum_name()), (2, 2, "none"));
    }
}
