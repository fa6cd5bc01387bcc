//! Parts of requests: documents, scopes, people, as JSON writes them, and how each becomes the
//! core's own value.
//!
//! Invariants: ids are text like `A-1`, times RFC 3339, digests 64 hex digits, document bytes
//! base64; what does not read is named with its field. An uploaded document's digest is computed
//! here, from its bytes: nobody is believed about it.

use std::path::PathBuf;

use bailee_core as core;
use bailee_core::id;
use bailee_ledger::{hash_from_hex, to_hex};
use bailee_store::{Digest, Exhibit, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::problem::Problem;
use crate::api::words;
use crate::documents::Stored;

/// Longest name of a document or its media type, bytes.
const LONGEST_NAME: usize = 1024;

/// A document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// File name or description.
    pub name: String,
    /// Media type, e.g. `application/pdf`.
    pub media: String,
    /// Its exact bytes, standard base64 with padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// In place of its bytes: the SHA-256, hex, under which it was handed in before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// With `sha256`: how many bytes it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// A file of this machine from which it is still to be handed in.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

impl Upload {
    /// An upload of these bytes.
    pub fn of(name: impl Into<String>, media: impl Into<String>, bytes: &[u8]) -> Upload {
        let (name, media, base64) = (name.into(), media.into(), Some(STANDARD.encode(bytes)));
        Upload { name, media, base64, sha256: None, size: None, file: None }
    }

    /// One that is handed in by itself.
    pub fn handed_in(
        name: impl Into<String>,
        media: impl Into<String>,
        digest: &Digest,
        size: u64,
    ) -> Upload {
        let (name, media, sha256) = (name.into(), media.into(), Some(to_hex(digest)));
        Upload { name, media, base64: None, sha256, size: Some(size), file: None }
    }
}

/// Free text and documents that go with an act of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reason {
    /// In words.
    pub note: String,
    /// The documents.
    pub exhibits: Vec<Upload>,
}

impl Reason {
    /// As the core takes it, with the documents it names.
    ///
    /// # Errors
    /// `bad_request` for a document that does not read.
    pub fn into_core(self) -> Result<(core::Reason, Vec<Exhibit>), Problem> {
        let mut desk = Desk::default();
        let reason = self.core(&mut desk, "reason")?;
        Ok((reason, desk.only_bytes()?))
    }
}

/// Which data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Everything of these accounts (`AC-1`).
    pub accounts: Vec<String>,
    /// These assets (`A-1`), their parts and copies.
    pub assets: Vec<String>,
    /// Hard identifiers, known here or not yet.
    pub identifiers: Vec<String>,
    /// Data categories in words; recorded, never narrow the hold.
    pub categories: Vec<String>,
    /// Start of the time range, RFC 3339; recorded, never narrows the hold.
    pub from: Option<String>,
    /// End of the time range.
    pub to: Option<String>,
}

impl Scope {
    /// As the core takes it.
    ///
    /// # Errors
    /// `bad_request` for an id or a time that does not read, with its field.
    pub fn into_core(self) -> Result<core::demand::Scope, Problem> {
        self.core(&mut Desk::default(), "scope")
    }
}

/// A way to reach somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Which way.
    pub kind: words::ChannelKind,
    /// Where to.
    pub address: String,
}

/// Name and channels of a party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Who {
    /// Name of the person or organisation.
    pub name: String,
    /// How to reach it, best first.
    #[serde(default)]
    pub channels: Vec<Channel>,
}

impl Who {
    /// As the sender of a demand: everything on one line, nothing empty.
    ///
    /// # Errors
    /// `bad_request` for a name or an address with nothing in it, or with control characters.
    pub fn sender(self) -> Result<core::party::Who, Problem> {
        let addresses = self.channels.iter().map(|channel| &channel.address);
        for text in std::iter::once(&self.name).chain(addresses) {
            let wrong = text.trim().is_empty() || text.contains(char::is_control);
            if wrong || text.len() > LONGEST_NAME {
                let detail = format!(
                    "{text:?} is no name or address: on one line, of at most {LONGEST_NAME} bytes"
                );
                return Err(Problem::bad_request("sender", detail));
            }
        }
        self.core(&mut Desk::default(), "sender")
    }
}

/// A hard identifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Identifier {
    /// Which.
    pub kind: words::IdentifierKind,
    /// As written; compared by letters and digits only.
    pub value: String,
}

/// Waiting times and limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Days between proven delivery to the last party and the first clearance.
    pub waiting_days: u32,
    /// Days a refused or released hold still blocks.
    pub cooling_days: u32,
    /// Days without proof before the next channel is tried.
    pub silence_days: u32,
    /// Assets that may be let go of per day.
    pub daily_limit: u32,
    /// Of them, per owner.
    pub daily_limit_per_owner: u32,
    /// Seconds a reservation stands before it is begun.
    pub reservation_seconds: u32,
    /// Seconds of a lease; at most 60.
    pub lease_seconds: u32,
}

impl From<&core::Policy> for Policy {
    fn from(policy: &core::Policy) -> Policy {
        Policy {
            waiting_days: policy.waiting_days,
            cooling_days: policy.cooling_days,
            silence_days: policy.silence_days,
            daily_limit: policy.daily_limit,
            daily_limit_per_owner: policy.daily_limit_per_owner,
            reservation_seconds: policy.reservation_seconds,
            lease_seconds: policy.lease_seconds,
        }
    }
}

/// What is collected while a request is read: its documents, and a token if one is made.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) exhibits: Vec<Exhibit>,
    /// Documents that were handed in by themselves.
    pub(crate) stored: Vec<Stored>,
    /// Those of them that are files here, still to be handed in.
    pub(crate) ahead: Vec<(Digest, PathBuf)>,
    pub(crate) token: Option<String>,
}

impl Desk {
    /// Its documents, where all have to be there with their bytes.
    pub(crate) fn only_bytes(self) -> Result<Vec<Exhibit>, Problem> {
        match self.stored.is_empty() {
            true => Ok(self.exhibits),
            false => {
                let detail = "has to be there with its bytes here, not by its SHA-256";
                Err(Problem::bad_request("the document", detail))
            }
        }
    }
}

/// A part of a request becomes a value of the core.
pub(crate) trait Edge<C> {
    /// Reads it. `field` is its name in the request.
    fn core(self, desk: &mut Desk, field: &'static str) -> Result<C, Problem>;
}

macro_rules! itself {
    ($($type:ty)*) => {$(
        impl Edge<$type> for $type {
            fn core(self, _: &mut Desk, _: &'static str) -> Result<$type, Problem> {
                Ok(self)
            }
        }
    )*};
}

macro_rules! ids {
    ($($name:ident)*) => {$(
        impl Edge<id::$name> for String {
            fn core(self, _: &mut Desk, field: &'static str) -> Result<id::$name, Problem> {
                self.parse().map_err(|e: id::BadId| Problem::bad_request(field, e.to_string()))
            }
        }
    )*};
}

macro_rules! from_word {
    ($($word:ident $core:ty)*) => {$(
        impl Edge<$core> for words::$word {
            fn core(self, _: &mut Desk, _: &'static str) -> Result<$core, Problem> {
                Ok(self.into())
            }
        }
    )*};
}

itself! { bool u8 u32 u64 String }

ids! {
    PartyId EntityId AccountId AssetId MatterId DemandId HoldId NoticeId ObjectionId
    DispositionId ClearanceId SnapshotId AccessId MeterId DutyId TokenId RotationId
}

from_word! {
    Role core::party::Role
    Medium core::demand::Medium
    AssetKind core::asset::AssetKind
    Lifecycle core::asset::Lifecycle
    DispositionKind core::disposition::DispositionKind
    Evidence core::notice::Evidence
    TokenScope core::TokenScope
    KeyEnd core::rotation::KeyEnd
}

impl<W: Edge<C>, C> Edge<Option<C>> for Option<W> {
    fn core(self, desk: &mut Desk, field: &'static str) -> Result<Option<C>, Problem> {
        self.map(|one| one.core(desk, field)).transpose()
    }
}

impl<W: Edge<C>, C> Edge<Vec<C>> for Vec<W> {
    fn core(self, desk: &mut Desk, field: &'static str) -> Result<Vec<C>, Problem> {
        self.into_iter().map(|one| one.core(desk, field)).collect()
    }
}

impl Edge<core::Time> for String {
    fn core(self, _: &mut Desk, field: &'static str) -> Result<core::Time, Problem> {
        core::Time::parse(&self).ok_or_else(|| {
            let detail = format!("{self:?} is not a time like 2026-08-18T09:00:00Z");
            Problem::bad_request(field, detail)
        })
    }
}

impl Edge<core::demand::Digest> for String {
    fn core(self, _: &mut Desk, field: &'static str) -> Result<core::demand::Digest, Problem> {
        hash_from_hex(&self).ok_or_else(|| {
            Problem::bad_request(field, format!("{self:?} is not 64 lower-case hex digits"))
        })
    }
}

impl Edge<core::demand::Exhibit> for Upload {
    fn core(self, desk: &mut Desk, field: &'static str) -> Result<core::demand::Exhibit, Problem> {
        if self.name.len() > LONGEST_NAME || self.media.len() > LONGEST_NAME {
            let detail = format!("a document's name has at most {LONGEST_NAME} bytes");
            return Err(Problem::bad_request(field, detail));
        }
        let base64 = match (self.base64, self.sha256, self.size) {
            (Some(base64), None, None) => base64,
            (None, Some(hex), Some(size)) => {
                let digest = hex.core(desk, "sha256")?;
                desk.ahead.extend(self.file.map(|file| (digest, file)));
                desk.stored.push(Stored { digest, size });
                let (media, name) = (self.media, self.name);
                return Ok(core::demand::Exhibit { digest, size, media, name });
            }
            _ => {
                let detail = format!(
                    "document {:?} has neither its bytes (base64) nor the sha256 and size of one \
                     that was handed in, or both",
                    self.name
                );
                return Err(Problem::bad_request(field, detail));
            }
        };
        let bytes = STANDARD.decode(&base64).map_err(|e| {
            Problem::bad_request(field, format!("document {:?} is not base64: {e}", self.name))
        })?;
        let digest = digest(&bytes);
        let size = bytes.len() as u64;
        desk.exhibits.push(Exhibit { digest, bytes });
        Ok(core::demand::Exhibit { digest, size, media: self.media, name: self.name })
    }
}

impl Edge<core::Reason> for Reason {
    fn core(self, desk: &mut Desk, field: &'static str) -> Result<core::Reason, Problem> {
        let exhibits = self.exhibits.core(desk, field)?;
        Ok(core::Reason { note: self.note, exhibits })
    }
}

impl Edge<core::demand::Scope> for Scope {
    fn core(self, desk: &mut Desk, _: &'static str) -> Result<core::demand::Scope, Problem> {
        Ok(core::demand::Scope {
            accounts: self.accounts.core(desk, "accounts")?,
            assets: self.assets.core(desk, "assets")?,
            identifiers: self.identifiers,
            categories: self.categories,
            from: self.from.core(desk, "from")?,
            to: self.to.core(desk, "to")?,
        })
    }
}

impl Edge<core::party::Who> for Who {
    fn core(self, _: &mut Desk, _: &'static str) -> Result<core::party::Who, Problem> {
        let channel =
            |Channel { kind, address }| core::party::Channel { kind: kind.into(), address };
        let channels = self.channels.into_iter().map(channel).collect();
        Ok(core::party::Who { name: self.name, channels })
    }
}

impl Edge<core::asset::Identifier> for Identifier {
    fn core(self, _: &mut Desk, _: &'static str) -> Result<core::asset::Identifier, Problem> {
        Ok(core::asset::Identifier { kind: self.kind.into(), value: self.value })
    }
}

impl Edge<core::Policy> for Policy {
    fn core(self, _: &mut Desk, _: &'static str) -> Result<core::Policy, Problem> {
        Ok(core::Policy {
            waiting_days: self.waiting_days,
            cooling_days: self.cooling_days,
            silence_days: self.silence_days,
            daily_limit: self.daily_limit,
            daily_limit_per_owner: self.daily_limit_per_owner,
            reservation_seconds: self.reservation_seconds,
            lease_seconds: self.lease_seconds,
        })
    }
}
