//! Erasure: which copies of a custody unit's key there were, and that each is gone.
//!
//! Invariants
//! 1. A copy counts as destroyed when the store said so *and* then does not have it any more.
//! 2. A unit's key is random and wrapped by its tenant's root only; what lies above (the root, the
//!    KEK, a copy of the KEK with counsel) does not derive it. So nothing that is left anywhere but
//!    an older copy of the key *object* brings it back, and the SHA-256 here tells such a copy.
//!
//! Out of scope: copies of the key store that others made; blocks under the file system.

use serde_json::{Value, json};

use crate::error::VaultError;
use crate::expire::ExpireReport;
use crate::names::{self, Tag};
use crate::root::sha256;
use crate::seal::{Kind, open_whole};
use crate::vault::{Absent, Tenant, Vault, get};
use crate::wire::{Malformed, Reader, Writer};
use bailee_ledger::to_hex;

/// A wrapped copy of a unit's key that is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestroyedKey {
    /// The object's name in the key store.
    pub object: String,
    /// SHA-256 of the wrapped bytes: a copy of them found elsewhere is known by it, and is to be
    /// destroyed too.
    pub sha256: [u8; 32],
}

/// An erased custody unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The tenant.
    pub tenant: String,
    /// The unit.
    pub unit: String,
    /// What the clearance was for.
    pub subject: [u8; 32],
    /// Every wrapped copy of its key that there was.
    pub keys: Vec<DestroyedKey>,
    /// What was deleted besides.
    pub let_go: ExpireReport,
}

impl Erasure {
    /// The statement for a certificate: JSON, `bailee/erasure/v1`.
    pub fn to_json(&self) -> Value {
        let key =
            |key: &DestroyedKey| json!({ "object": key.object, "sha256": to_hex(&key.sha256) });
        json!({
            "format": "bailee/erasure/v1",
            "tenant": self.tenant,
            "unit": self.unit,
            "subject": to_hex(&self.subject),
            "keys_destroyed": self.keys.iter().map(key).collect::<Vec<_>>(),
            "snapshots": self.let_go.snapshots,
            "packs": self.let_go.packs,
            "freed_bytes": self.let_go.freed_bytes,
            "escrow": ESCROW,
            "beyond": BEYOND,
        })
    }
}

impl Erasure {
    /// What is beyond reach, for whoever certifies: copies with counsel, copies that others made,
    /// archive volumes. Which of those there are, a log knows.
    pub fn not_reached() -> Vec<String> {
        vec![ESCROW.to_owned(), BEYOND.to_owned()]
    }
}

const ESCROW: &str = "Copies of the vault's key that counsel holds were not destroyed and open \
    nothing of this unit: its key was random, and they hold only a key above it.";
const BEYOND: &str = "Not known here: copies that others made of the listed key objects before, \
    such as backups of the key store or blocks of its disk. With one of them, the vault's key and \
    a copy of the packs, the unit can be read; each is known by its SHA-256. Nor archive volumes, \
    which a key of their own opens: the vault does not remember what left in them.";

/// What a tombstone has after the unit's name.
pub(crate) fn write(w: &mut Writer, keys: &[DestroyedKey]) {
    w.count(keys.len());
    for DestroyedKey { object, sha256 } in keys {
        w.bytes(object.as_bytes());
        w.raw(sha256);
    }
}

/// What a tombstone says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tombstone {
    /// The unit's name.
    pub(crate) unit: String,
    /// The copies of its key that were to go.
    pub(crate) keys: Vec<DestroyedKey>,
}

/// A tombstone's name and list. The first tombstones had nothing after the name.
pub(crate) fn read(plain: &[u8]) -> Result<Tombstone, Malformed> {
    let mut r = Reader(plain);
    let (unit, mut keys) = (r.text()?, Vec::new());
    if r.end().is_ok() {
        return Ok(Tombstone { unit, keys });
    }
    for _ in 0..r.count(4 + 32)? {
        keys.push(DestroyedKey { object: r.text()?, sha256: r.array()? });
    }
    r.end().map(|()| Tombstone { unit, keys })
}

impl Vault {
    /// The wrapped copies of a unit's key that are there.
    pub(crate) fn key_copies(
        &self,
        tenant: &Tenant,
        unit: Tag,
    ) -> Result<Vec<DestroyedKey>, VaultError> {
        let mut copies = Vec::new();
        for object in self.keys.list(&names::of_kind(&tenant.tag, &unit, Kind::UnitKey))? {
            let sha256 = sha256(&[&self.keys.get(&object)?]);
            copies.push(DestroyedKey { object, sha256 });
        }
        Ok(copies)
    }

    /// Destroys every wrapped copy of a unit's key, in memory and in the store.
    pub(crate) fn destroy_keys(&self, tenant: &Tenant, unit: Tag) -> Result<(), VaultError> {
        self.forget(tenant, unit);
        let prefix = names::of_kind(&tenant.tag, &unit, Kind::UnitKey);
        for object in self.keys.list(&prefix)? {
            self.keys.delete(&object)?;
            if get(&*self.keys, &object)?.is_some() {
                return Err(VaultError::KeyKept { object });
            }
        }
        match self.keys.list(&prefix)?.pop() {
            Some(object) => Err(VaultError::KeyKept { object }),
            None => Ok(()),
        }
    }

    /// The copies of an erased unit's key, as its tombstone lists them; `None` if there is no
    /// tombstone. After a crash it says what the erasure's answer would have; a [`Vault::sweep`] or
    /// [`Vault::finish_erased`] that ends well has destroyed them all.
    ///
    /// # Errors
    /// [`VaultError::UnknownTenant`]; damage; store failures.
    pub fn erased_keys(
        &self,
        tenant: &str,
        unit: &str,
    ) -> Result<Option<Vec<DestroyedKey>>, VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let unit = names::tag(&tenant.root, b"unit", unit);
        Ok(self.tombstone(&tenant, unit)?.map(|tombstone| tombstone.keys))
    }

    /// The tombstone on a unit, authentic; `None` if there is none.
    pub(crate) fn tombstone(
        &self,
        tenant: &Tenant,
        unit: Tag,
    ) -> Result<Option<Tombstone>, VaultError> {
        let name = names::object(&tenant.tag, &unit, Kind::Tombstone, &[0; 16]);
        let Some(sealed) = get(&*self.keys, &name)? else { return Ok(None) };
        let place = self.place(Kind::Tombstone, tenant.tag, unit, [0; 16]);
        let plain = open_whole(&tenant.root, &place, &name, sealed)?;
        read(&plain).map(Some).map_err(|e| VaultError::damaged(&name, e))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bailee_ledger::Signer;
    use bailee_ledger::clearance::{self, Act, Clearance, Expect, Terms};
    use bailee_store::{Fault, FaultPlan, FaultyObjects, MemoryObjects, Objects};

    use super::*;
    use crate::key::{Kek, Secret};
    use crate::seal::{Place, Seal};
    use crate::{SnapshotId, Source};

    fn clear(subject: [u8; 32]) -> Clearance {
        let signer = Signer::from_seed("example.org/log/clearance", &[7; 32]).unwrap();
        let terms = Terms {
            origin: "example.org/log".to_owned(),
            clearance: 1,
            disposition: 1,
            asset: 1,
            act: Act::Erase,
            subject,
            position: 5,
            not_after: 2_000_000_000,
        };
        let token = clearance::sign(&terms, &signer).unwrap();
        let expect = Expect { asset: 1, act: Act::Erase, subject };
        clearance::verify(token.as_bytes(), signer.verifier(), &expect, 1_900_000_000).unwrap()
    }

    fn free(_: &SnapshotId) -> Option<String> {
        None
    }

    const MARK: &[u8] = b"the letter that nobody may read again";

    /// A vault in which two units and another tenant keep the same bytes.
    fn filled() -> (Arc<MemoryObjects>, Vault) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("letter"), MARK.repeat(3)).unwrap();
        let noise: Vec<u8> = (0..40_000_u32).flat_map(|i| sha256(&[&i.to_be_bytes()])).collect();
        std::fs::write(dir.path().join("noise"), noise).unwrap();
        let objects = Arc::new(MemoryObjects::new());
        let vault =
            Vault::create(Arc::clone(&objects) as Arc<dyn Objects>, &Kek::from_bytes([1; 32]));
        let vault = vault.unwrap();
        let source = Source::Tree(dir.path().to_owned());
        for (tenant, unit) in [("P-1", "A-1"), ("P-1", "A-2"), ("P-2", "A-1")] {
            vault.preserve(tenant, unit, &source, &mut ()).unwrap();
        }
        (objects, vault)
    }

    /// Everything that the adversary can make a key of: all but the destroyed one.
    fn secrets(vault: &Vault) -> Vec<Secret> {
        let mut all = vec![vault.kek.secret().clone(), vault.naming.clone()];
        for (tenant, units) in [("P-1", vec!["A-2"]), ("P-2", vec!["A-1"])] {
            let tenant = vault.tenant(tenant, Absent::Refuse).unwrap();
            all.push(tenant.root.clone());
            for unit in units {
                all.push(vault.unit(&tenant, unit, Absent::Refuse).unwrap().key().clone());
            }
        }
        for label in [&b"bailee/vault/v1 cut key"[..], b"bailee/vault/v1 chunk id", b"unit", b""] {
            let derived: Vec<Secret> = all.iter().map(|key| key.derive(b"", &[label])).collect();
            all.extend(derived);
        }
        all
    }

    #[test]
    fn who_has_everything_but_the_destroyed_key_reads_nothing() {
        let (objects, vault) = filled();
        let tenant = vault.tenant("P-1", Absent::Refuse).unwrap();
        let unit = vault.unit(&tenant, "A-1", Absent::Refuse).unwrap();
        let dek = unit.key().clone();
        let before: Vec<(String, Vec<u8>)> = objects
            .list("")
            .unwrap()
            .into_iter()
            .map(|name| (name.clone(), objects.get(&name).unwrap()))
            .collect();
        let done = vault
            .erase_unit("P-1", "A-1", clear(vault.erase_subject("P-1", "A-1").unwrap()), &free)
            .unwrap();
        assert_eq!(done.keys.len(), 1);
        let destroyed = &done.keys[0];
        let (_, wrapped) = before.iter().find(|(name, _)| *name == destroyed.object).unwrap();
        assert_eq!(sha256(&[wrapped]), destroyed.sha256);

        // The adversary kept the packs, indexes, snapshots, has the KEK, and lifts the tombstone.
        let mine: Vec<&(String, Vec<u8>)> =
            before.iter().filter(|(name, _)| *name != destroyed.object).collect();
        for (name, bytes) in &mine {
            objects.put(name, bytes).unwrap();
        }
        let tombstone = objects.list("").unwrap().into_iter().find(|n| n.contains("/erased/"));
        objects.delete(&tombstone.unwrap()).unwrap();
        let everything: Vec<Vec<u8>> =
            objects.list("").unwrap().iter().map(|n| objects.get(n).unwrap()).collect();
        for bytes in &everything {
            assert!(!bytes.windows(MARK.len()).any(|w| w == MARK), "plaintext is left");
            assert!(!bytes.windows(32).any(|w| w == dek.expose()), "the key is left in clear");
        }
        let theirs = Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &vault.kek).unwrap();
        for outcome in [theirs.list("P-1").map(drop), theirs.erase_subject("P-1", "A-1").map(drop)]
        {
            assert!(matches!(outcome, Err(VaultError::KeyMissing { .. })), "{outcome:?}");
        }
        let tries = every_key_on_every_object(&theirs, &mine, unit.tag(), &dek);
        assert!(tries > 80, "{tries}");

        // Every wrapped key that is left, in the place of the one that is gone.
        for (_, wrapped) in mine.iter().filter(|(name, _)| name.contains("/key/")) {
            objects.put(&destroyed.object, wrapped).unwrap();
            let forged = Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &vault.kek).unwrap();
            assert!(matches!(forged.list("P-1"), Err(VaultError::Damaged { .. })));
            objects.delete(&destroyed.object).unwrap();
        }
        // The control: with the key object that was destroyed, all of it would be read.
        objects.put(&destroyed.object, wrapped).unwrap();
        let back = Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &vault.kek).unwrap();
        assert_eq!(back.list("P-1").unwrap().len(), 2, "the adversary had all but this");
    }

    /// Tries every secret on the unit's objects, and that the real key would have opened them.
    fn every_key_on_every_object(
        vault: &Vault,
        objects: &[&(String, Vec<u8>)],
        unit: Tag,
        dek: &Secret,
    ) -> usize {
        let mut tries = 0;
        for (name, bytes) in objects.iter().filter(|(_, bytes)| bytes[32..48] == unit) {
            let kind = [Kind::DataPack, Kind::MetaPack, Kind::Snapshot, Kind::Sorted]
                .into_iter()
                .find(|kind| *kind as u8 == bytes[10]);
            let at = |range: std::ops::Range<usize>| bytes[range].try_into().unwrap();
            let (tenant, object) = (at(16..32), at(48..64));
            let place = Place { kind: kind.unwrap(), vault: vault.id, tenant, unit, object };
            assert!(Seal::open(dek, &place, name, bytes).is_ok(), "{name}: the control");
            for secret in secrets(vault) {
                assert!(Seal::open(&secret, &place, name, bytes).is_err(), "{name}");
                tries += 1;
            }
        }
        tries
    }

    #[test]
    fn the_list_outlives_a_crash_at_every_call() {
        let (full, _) = filled();
        let kek = Kek::from_bytes([1; 32]);
        let (mut buried, mut untouched) = (0, 0);
        for call in 0.. {
            let plan = FaultPlan::new();
            let faulty = Arc::new(FaultyObjects::new(full.copied(), plan.clone()));
            let shared = Arc::clone(&faulty) as Arc<dyn Objects>;
            let vault = Vault::open(shared, &kek).unwrap();
            let clearance = clear(vault.erase_subject("P-1", "A-1").unwrap());
            plan.add(plan.calls() + call, Fault::Crash);
            let done = vault.erase_unit("P-1", "A-1", clearance, &free);
            let finished = !plan.crashed();
            let after = Arc::new(faulty.inner().copied());
            let vault = Vault::open(Arc::clone(&after) as Arc<dyn Objects>, &kek).unwrap();
            match vault.erased_keys("P-1", "A-1").unwrap() {
                Some(keys) => {
                    let subject = vault.buried_subject("P-1", "A-1").unwrap().unwrap();
                    let other = vault.finish_erased("P-1", "A-1", clear([9; 32]));
                    assert!(matches!(other, Err(VaultError::WrongClearance { .. })), "{other:?}");
                    let rest = vault.finish_erased("P-1", "A-1", clear(subject)).unwrap();
                    assert_eq!((&rest.keys, rest.subject), (&keys, subject), "call {call}");
                    let again = vault.finish_erased("P-1", "A-1", clear(subject)).unwrap();
                    assert_eq!((again.keys, again.let_go), (keys.clone(), ExpireReport::default()));
                    assert_eq!(keys.len(), 1, "call {call}");
                    assert!(keys.iter().all(|key| after.get(&key.object).is_err()));
                    assert!(!finished || done.unwrap().keys == keys);
                    buried += 1;
                }
                None => {
                    assert_eq!(vault.list("P-1").unwrap().len(), 2, "call {call}");
                    assert_eq!(vault.buried_subject("P-1", "A-1").unwrap(), None);
                    let early = vault.finish_erased("P-1", "A-1", clear([9; 32]));
                    assert!(matches!(early, Err(VaultError::NotErased { .. })), "{early:?}");
                    untouched += 1;
                }
            }
            if finished {
                break;
            }
        }
        assert!(buried > 5 && untouched > 3, "{buried} {untouched}");
    }

    #[test]
    fn a_tombstone_with_or_without_a_list_is_read_and_nothing_else() {
        let key = |n: u8| DestroyedKey { object: format!("vault/{n}"), sha256: [n; 32] };
        let mut w = Writer::default();
        w.bytes(b"A-1");
        let stone = |keys| Ok(Tombstone { unit: "A-1".to_owned(), keys });
        assert_eq!(read(&w.0), stone(Vec::new()), "as the first ones were");
        let name = w.0.len();
        write(&mut w, &[key(1), key(2)]);
        assert_eq!(read(&w.0), stone(vec![key(1), key(2)]));
        for cut in (0..w.0.len()).filter(|cut| *cut != name) {
            assert!(read(&w.0[..cut]).is_err(), "cut at {cut}");
        }
        w.u8(0);
        assert!(read(&w.0).is_err());
        assert!(read(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).is_err(), "a count without its list");
    }

    #[test]
    fn the_statement_names_each_copy_and_what_is_beyond_reach() {
        let (_, vault) = filled();
        let subject = vault.erase_subject("P-1", "A-1").unwrap();
        let done = vault.erase_unit("P-1", "A-1", clear(subject), &free).unwrap();
        let said = done.to_json();
        assert_eq!((&said["format"], &said["unit"]), (&json!("bailee/erasure/v1"), &json!("A-1")));
        assert_eq!(said["subject"], json!(to_hex(&subject)));
        let key = &done.keys[0];
        let copy = json!({ "object": key.object, "sha256": to_hex(&key.sha256) });
        assert_eq!(said["keys_destroyed"], json!([copy]));
        assert!(said["escrow"].as_str().unwrap().contains("counsel"));
        let beyond = said["beyond"].as_str().unwrap();
        assert!(beyond.contains("backups") && beyond.contains("archive volumes"), "{beyond}");
    }
}
