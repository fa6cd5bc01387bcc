//! Rotation by overlap: new keys beside the old ones, until readers had time to learn of them.
//!
//! | a crash after …               | leaves                                                      |
//! |-------------------------------|-------------------------------------------------------------|
//! | new key files made            | files that no entry names; the next proposal makes new ones |
//! | `RotationProposed`            | the proposal; nobody signs with the new keys                |
//! | `RotationBegun`               | both sign from the next checkpoint on, as the log says      |
//! | `RotationEnded`               | only the new ones sign; the file names are old              |
//! | files renamed                 | nothing: the next start does the rest                       |
//!
//! Invariants: which keys sign is what the log says and not what files are called, so that no
//! moment in between signs with the wrong ones; approval and end are refused while the new keys do
//! not sign here; an old key that the log has retired is destroyed.

use bailee_core::demand::Exhibit as Paper;
use bailee_core::id::{PartyId, RotationId};
use bailee_core::rotation::{LogKeys, Ring};
use bailee_core::{Action, Code, Command, Reason, Record as Entry, Refusal};
use bailee_ledger::hash::sha256;
use bailee_ledger::{Note, PqSigner, Signer};
use bailee_store::{Exhibit, digest};
use zeroize::Zeroizing;

use super::error::KeyError;
use super::file::{KeyDir, KeyFile, rename, sync_dir};
use super::policies::Record;
use super::ring::Pair;
use super::secrets::Secrets;
use super::source::Source;
use super::{DIR, holder, policies};
use crate::config::Config;
use crate::house::{House, HouseError};
use crate::runner::Failure;

/// Makes the new pair and proposes it. The new Ed25519 key is where the settings say under
/// `keys.next`; for `file` it is made here, like the new ML-DSA key.
///
/// # Errors
/// The core's refusal, also for a rotation that is not over; a holder that does not answer.
pub fn propose(
    house: &House,
    by: PartyId,
    overlap_days: u32,
    reason: &Reason,
    mut exhibits: Vec<Exhibit>,
) -> Result<Vec<Entry>, HouseError> {
    let log = house.with_state(|s| s.ring.clone())?;
    let keys = house.keys();
    let from = keys.ring.public(&log)?.swap_remove(0);
    if let Some((open, _)) = log.open() {
        // Before any file is made: those of that rotation are there.
        let refusal = Refusal::new(Code::RotationOpen, open, "is not over");
        return Err(Failure::from(refusal).into());
    }
    let dir = house.dir().ok_or_else(|| KeyError::io("make new keys", "no directory"))?;
    let nobody = Secrets::unattended();
    let files = KeyDir::new(&dir.join(DIR), &nobody, keys.lock.clone());
    settle(&files, &log)?;
    let Config { origin, keys: settings, .. } = house.config();
    let to = make(&files, origin, &settings.next)?;
    let text = policies::policy(&[from.clone(), to.clone()])?.to_string().into_bytes();
    let mut reason = reason.clone();
    let (digest, size) = (digest(&text), text.len() as u64);
    let (media, name) = ("text/plain".to_owned(), "policy.tlog-policy".to_owned());
    reason.exhibits.push(Paper { digest, size, media, name });
    // As the log has it, even if one of the two is lost.
    let from = log.current().cloned().unwrap_or_else(|| public(&from));
    let to = public(&to);
    let action = Action::ProposeRotation { from, to, overlap_days, reason };
    exhibits.push(Exhibit { digest, bytes: text });
    Ok(house.submit(Command::by(by, action), exhibits)?.records)
}

/// The public halves as the log tells of them.
pub(crate) fn public(pair: &Record) -> LogKeys {
    let mut ed25519 = [0; 32];
    ed25519.copy_from_slice(pair.log.public());
    let ml_dsa = pair.second.as_ref().map(|key| sha256(key.public()).into());
    LogKeys { ed25519: ed25519.into(), ml_dsa }
}

/// The new pair, its files made.
pub(crate) fn make(files: &KeyDir<'_>, origin: &str, next: &Source) -> Result<Record, KeyError> {
    // What lies there is of a rotation that never was, or was cancelled.
    files.remove(KeyFile::NextLog)?;
    files.remove(KeyFile::NextSecond)?;
    let ed25519 = match next {
        Source::File => {
            let seed = files.create(KeyFile::NextLog)?;
            Signer::from_seed(origin, &seed)?.verifier().clone()
        }
        elsewhere => holder::ask(origin, elsewhere)?,
    };
    let seed = files.create(KeyFile::NextSecond)?;
    let second = Some(PqSigner::from_seed(origin, &seed)?.verifier().clone());
    Ok(Record { log: ed25519, second })
}

/// Do the new keys of a rotation sign here? Asked before it is approved and before it ends.
pub(crate) fn ready(house: &House, rotation: RotationId) -> Result<(), HouseError> {
    let log = house.with_state(|s| s.ring.clone())?;
    // That there is no such rotation is for the core to say.
    let Some(found) = log.rotations.get(rotation) else { return Ok(()) };
    let not =
        |why: KeyError| KeyError::NotReady { rotation: rotation.to_string(), why: why.to_string() };
    let Pair { first, second } = house.keys().ring.pair(&log, &found.to);
    second.map_err(not)?;
    let text = format!("bailee/key-check/v1\n{}\n", house.config().origin);
    let tried = first.and_then(|key| Ok(Note::new(text)?.sign_by(&key)?));
    tried.map_err(not)?;
    Ok(())
}

/// Gives files the names that fit what the log says, and destroys what it has retired.
pub(crate) fn settle(files: &KeyDir<'_>, log: &Ring) -> Result<(), KeyError> {
    let Some(current) = log.current() else { return Ok(()) };
    let taken_over = |file| Ok::<_, KeyError>(ed25519(files, file)? == Some(*current.ed25519));
    if taken_over(KeyFile::NextLog)? {
        rename(&files.path(KeyFile::NextLog), &files.path(KeyFile::Log))?;
    } else if let Some(old) = ed25519(files, KeyFile::Log)?
        && old != *current.ed25519
        && log.retired(&old)
    {
        // The key in force lives elsewhere.
        files.remove(KeyFile::Log)?;
    }
    let second = |file| {
        let seed = files.find(file)?;
        let key = seed.map(|(seed, _)| PqSigner::from_seed("log", &seed)).transpose()?;
        Ok::<_, KeyError>(key.map(|key| sha256(key.verifier().public())))
    };
    if let Some(wanted) = &current.ml_dsa
        && second(KeyFile::NextSecond)? == Some(**wanted)
    {
        rename(&files.path(KeyFile::NextSecond), &files.path(KeyFile::Second))?;
    }
    sync_dir(files.dir())
}

fn ed25519(files: &KeyDir<'_>, file: KeyFile) -> Result<Option<[u8; 32]>, KeyError> {
    let seed: Option<Zeroizing<[u8; 32]>> = files.find(file)?.map(|(seed, _)| seed);
    let key = seed.map(|seed| Signer::from_seed("log", &seed)).transpose()?;
    Ok(key.map(|key| {
        let mut public = [0; 32];
        public.copy_from_slice(key.verifier().public());
        public
    }))
}
