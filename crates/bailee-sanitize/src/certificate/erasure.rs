//! The certificate of a cryptographic erase: which copies of a custody unit's key were destroyed,
//! what of the log's snapshots they opened, and what is beyond reach.
//!
//! Invariants
//! 1. The JSON is deterministic, as the other certificate's: its SHA-256 is committed in the log,
//!    and a reader refuses every other spelling.
//! 2. It never says more than was seen: each key object was deleted, and then was not there when it
//!    was asked for again. What nobody here can see is in `not_reached`, and is never empty. What
//!    left in archive volumes, which another key opens, is named set by set, as the log has it.
//! 3. Certificates without the list of such sets, as the first were, are read and spelled alike.
//!
//! Out of scope: signing (the log does, by committing to these bytes); destroying (the vault).

use bailee_ledger::clearance::Terms;
use bailee_ledger::to_hex;
use serde::{Deserialize, Serialize};

use super::{Authority, authority};

/// Format line of the JSON.
const FORMAT: &str = "bailee/certificate-of-erasure/v1";
/// The field's term, and where it is from.
const TECHNIQUE: &str = "cryptographic erase (NIST SP 800-88): destroying every copy of the key";
const CIPHER: &str = "AES-256-GCM under keys derived from a random 256-bit key of the custody \
                      unit, which was wrapped by its tenant's key only";
const VERIFICATION: &str = "each key object was deleted, then asked for again by name and looked \
                            for in the listing: not there";
/// Longest certificate read, in bytes: 100,000 snapshots fit, each of which left in volumes.
const LONGEST: usize = 64 << 20;

/// A copy of the unit's key that was destroyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoneKey {
    /// The object's name in the key store.
    pub object: String,
    /// SHA-256 of the wrapped bytes: whoever finds a copy of them knows it by this.
    pub sha256: String,
}

/// A snapshot of the log that nobody can read any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoneCopy {
    /// `S-n`.
    pub snapshot: String,
    /// `A-n`, the snapshot as an asset.
    pub asset: String,
    /// Its manifest root.
    pub root: String,
    /// Bytes of data.
    pub bytes: u64,
}

/// A set of archive volumes in which data of the unit left, and which the erasure does not reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShelvedSet {
    /// The set's name, hexadecimal, as its volumes bear it.
    pub set: String,
    /// `S-n`, what left in it; it may have been let go of before.
    pub snapshot: String,
    /// The entry of the log that has size and SHA-256 of its volumes, or the first of them.
    pub position: u64,
    /// When the log heard of it: Unix seconds.
    pub logged_unix: i64,
    /// How many volumes it has.
    pub volumes: u32,
    /// Their bytes.
    pub bytes: u64,
}

/// What was erased, as the vault and the log tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Under which clearance.
    pub terms: Terms,
    /// The tenant in the vault.
    pub tenant: String,
    /// The custody unit.
    pub unit: String,
    /// `A-n`, what its snapshots were taken of.
    pub source: String,
    /// Every copy of its key that there was.
    pub keys: Vec<GoneKey>,
    /// Every snapshot of it in the log.
    pub copies: Vec<GoneCopy>,
    /// Objects with snapshots that were deleted in this run.
    pub snapshots: u64,
    /// Packs that were deleted in this run.
    pub packs: u64,
    /// Bytes of them.
    pub freed_bytes: u64,
    /// True if a run before this one had begun to destroy and did not come to its end.
    pub resumed: bool,
    /// What is beyond reach, in words.
    pub not_reached: Vec<String>,
    /// Every set of archive volumes with data of it that the log knows.
    pub shelved: Vec<ShelvedSet>,
    /// Unix seconds.
    pub started: i64,
    /// Unix seconds.
    pub finished: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitLines {
    tenant: String,
    unit: String,
    source: String,
    subject_sha256: String,
    copies: Vec<GoneCopy>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Method {
    technique: String,
    cipher: String,
    verification_method: String,
    tool: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ending {
    resumed: bool,
    started_unix: i64,
    finished_unix: i64,
    snapshots_deleted: u64,
    packs_deleted: u64,
    freed_bytes: u64,
}

/// A certificate of erasure. Build with [`ErasureCertificate::issue`], read with
/// [`ErasureCertificate::from_json`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureCertificate {
    format: String,
    authority: Authority,
    unit: UnitLines,
    method: Method,
    keys_destroyed: Vec<GoneKey>,
    result: Ending,
    not_reached: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    volumes_not_reached: Vec<ShelvedSet>,
}

impl ErasureCertificate {
    /// Fills a certificate.
    pub fn issue(erased: Erased) -> ErasureCertificate {
        let Erased { terms, tenant, unit, source, keys, copies, .. } = erased;
        ErasureCertificate {
            format: FORMAT.into(),
            authority: authority(&terms),
            unit: UnitLines {
                tenant,
                unit,
                source,
                subject_sha256: to_hex(&terms.subject),
                copies,
            },
            method: Method {
                technique: TECHNIQUE.into(),
                cipher: CIPHER.into(),
                verification_method: VERIFICATION.into(),
                tool: concat!("bailee-vault ", env!("CARGO_PKG_VERSION")).into(),
            },
            keys_destroyed: keys,
            result: Ending {
                resumed: erased.resumed,
                started_unix: erased.started,
                finished_unix: erased.finished,
                snapshots_deleted: erased.snapshots,
                packs_deleted: erased.packs,
                freed_bytes: erased.freed_bytes,
            },
            not_reached: erased.not_reached,
            volumes_not_reached: erased.shelved,
        }
    }

    /// The canonical JSON.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self)
            .expect("strings, numbers and lists always have a JSON form");
        json.push('\n');
        json
    }

    /// Reads canonical JSON. Errors: too long, not JSON, other members, another format, another
    /// spelling, nothing said of what is beyond reach.
    pub fn from_json(json: &str) -> Result<ErasureCertificate, String> {
        if json.len() > LONGEST {
            return Err(format!("longer than {LONGEST} bytes"));
        }
        let read: ErasureCertificate = serde_json::from_str(json).map_err(|e| e.to_string())?;
        if read.format != FORMAT {
            return Err(format!("format is {}, this program reads {FORMAT}", read.format));
        }
        if read.not_reached.is_empty() {
            return Err("does not say what is beyond reach".into());
        }
        match read.to_json() == json {
            true => Ok(read),
            false => Err("not the canonical spelling of a certificate".into()),
        }
    }

    /// The copies of the key that were destroyed.
    pub fn keys_destroyed(&self) -> &[GoneKey] {
        &self.keys_destroyed
    }

    /// The snapshots of the log that were in the unit.
    pub fn copies(&self) -> &[GoneCopy] {
        &self.unit.copies
    }

    /// What is beyond reach, in words.
    pub fn not_reached(&self) -> &[String] {
        &self.not_reached
    }

    /// The sets of archive volumes that the erasure did not reach.
    pub fn shelved(&self) -> &[ShelvedSet] {
        &self.volumes_not_reached
    }
}

#[cfg(test)]
mod tests {
    use bailee_ledger::clearance::Act;

    use super::*;

    fn certificate(shelved: Vec<ShelvedSet>) -> ErasureCertificate {
        let terms = Terms {
            origin: "example.org/log".into(),
            clearance: 3,
            disposition: 2,
            asset: 9,
            act: Act::Erase,
            subject: [7; 32],
            position: 41,
            not_after: 2_000_000_000,
        };
        let key = GoneKey { object: "vault/t/key".into(), sha256: "ab".repeat(32) };
        let copy = GoneCopy {
            snapshot: "S-1".into(),
            asset: "A-9".into(),
            root: "cd".repeat(32),
            bytes: 4096,
        };
        ErasureCertificate::issue(Erased {
            terms,
            tenant: "AC-1".into(),
            unit: "data-A-7".into(),
            source: "A-7".into(),
            keys: vec![key],
            copies: vec![copy],
            snapshots: 1,
            packs: 2,
            freed_bytes: 8192,
            resumed: false,
            not_reached: vec!["backups of the key store".into()],
            shelved,
            started: 1,
            finished: 2,
        })
    }

    fn set() -> ShelvedSet {
        ShelvedSet {
            set: "0a".repeat(16),
            snapshot: "S-1".into(),
            position: 30,
            logged_unix: 1_800_000_000,
            volumes: 3,
            bytes: 70_000,
        }
    }

    #[test]
    fn it_is_read_back_and_in_no_other_spelling() {
        let made = certificate(vec![set()]);
        let (json, bare) = (made.to_json(), certificate(vec![]).to_json());
        assert_eq!(ErasureCertificate::from_json(&json).unwrap(), made);
        assert_eq!(made.keys_destroyed().len() + made.copies().len(), 2);
        assert_eq!(made.shelved(), [set()]);
        for other in [
            json.replace("  ", " "),
            json.replace("/v1", "/v2"),
            json.replace("\"resumed\"", "\"renamed\""),
            json.replace("\"logged_unix\"", "\"written_unix\""),
            bare.replacen("]\n}\n", "],\n  \"volumes_not_reached\": []\n}\n", 1),
            json.replacen("[\n    \"backups of the key store\"\n  ]", "[]", 1),
            format!("{json} "),
        ] {
            assert_ne!(other, json);
            assert_ne!(other, bare);
            assert!(ErasureCertificate::from_json(&other).is_err(), "{other}");
        }
    }

    #[test]
    fn the_frozen_certificates_are_read() {
        let frozen = [
            include_str!("../../../../fixtures/formats/v1/certificate/erasure.json"),
            include_str!("../../../../fixtures/formats/v1/certificate/erasure-volumes.json"),
        ];
        for (frozen, shelved) in frozen.into_iter().zip([vec![], vec![set()]]) {
            let read = ErasureCertificate::from_json(frozen).unwrap();
            let made = certificate(shelved);
            assert_eq!(read.keys_destroyed(), made.keys_destroyed());
            assert_eq!(read.copies(), made.copies());
            assert_eq!(read.not_reached(), made.not_reached());
            assert_eq!(read.shelved(), made.shelved());
        }
    }
}
