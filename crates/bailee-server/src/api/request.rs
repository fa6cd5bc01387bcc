//! Requests: what a person or program may ask for, one variant per action of the core.
//!
//! Invariants: field names are those of the core's actions, so that a field renamed there does not
//! compile here; an unknown field is an error, never ignored; nothing is decided here. Demands
//! come in by their own door (`intake`), because their bytes are the evidence; what Bailee tells
//! itself (clock ticks, receipts sent) is not a request at all.

use std::path::PathBuf;

use bailee_core as core;
use bailee_core::{Action, By, Command};
use bailee_store::{Digest, Exhibit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::parts::{Desk, Edge, Identifier, Policy, Reason, Scope, Who};
use crate::api::problem::Problem;
use crate::api::secret;
use crate::api::words::{
    AssetKind, DispositionKind, Evidence, KeyEnd, Lifecycle, Medium, Role, TokenScope, Triage,
};
use crate::catalogue;

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$attr:meta])* $field:ident: $type:ty),* $(,)?
    } $([$by:path])?)*) => {
        /// What is asked for; `do` names it.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
        #[allow(missing_docs, reason = "fields are the words of the domain, see bailee-core")]
        pub enum Request {
            $($(#[$doc])* $name { $($(#[$attr])* $field: $type),* },)*
        }

        impl Request {
            fn action(self, desk: &mut Desk) -> Result<Action, Problem> {
                match self {
                    $(Request::$name { $($field),* } => {
                        requests!(@action desk $name { $($field)* } $([$by])?)
                    })*
                }
            }
        }
    };
    (@action $desk:ident $name:ident { $($field:ident)* }) => {
        Ok(Action::$name { $($field: $field.core($desk, stringify!($field))?),* })
    };
    (@action $desk:ident $name:ident { $($field:ident)* } [$by:path]) => {
        $by($desk, $($field),*)
    };
}

requests! {
    /// Sets waiting times and limits. Counsel.
    SetPolicy { policy: Policy } [set_policy]
    /// Loads another catalogue of instruments, as TOML. Counsel.
    LoadInstruments { toml: String } [load_instruments]
    /// Registers a person or organisation.
    RegisterParty {
        who: Who,
        roles: Vec<Role>,
        #[serde(default)] same_person_as: Option<String>,
    }
    /// Replaces a party's name and channels.
    ChangeParty { party: String, who: Who }
    /// Destroys a party's details and papers. Counsel.
    EraseDetails { party: String }
    /// Registers a legal entity of the provider.
    RegisterEntity { name: String, country: String }
    /// Registers a customer relationship.
    RegisterAccount {
        owner: String,
        entity: String,
        label: String,
        law: String,
        retention_days: u32,
    }
    /// Ends a customer relationship; its retention starts.
    TerminateAccount { account: String }
    /// Registers something that holds data.
    RegisterAsset {
        kind: AssetKind,
        label: String,
        #[serde(default)] accounts: Vec<String>,
        #[serde(default)] identifiers: Vec<Identifier>,
        #[serde(default)] part_of: Option<String>,
        #[serde(default)] copy_of: Vec<String>,
        #[serde(default)] place: String,
        #[serde(default)] bytes: u64,
    } [register_asset]
    /// Records where an asset is now. Changes no coverage.
    MoveAsset { asset: String, lifecycle: Lifecycle, place: String }
    /// Gives an asset another label or further identifiers.
    RelabelAsset {
        asset: String,
        label: String,
        #[serde(default)] identifiers: Vec<Identifier>,
        /// Size of the device it is bound to; what is known already does not become less.
        #[serde(default)] bytes: Option<u64>,
    }
    /// Records that data of a further account is on an asset.
    AssignAsset { asset: String, account: String }
    /// Records that data of `source` is on an asset too.
    CopyAsset { asset: String, source: String }
    /// Says what an existing demand means here.
    MatchDemand { demand: String, scope: Scope }
    /// Says how a demand came in, where that was recorded wrongly.
    CorrectMedium { demand: String, medium: Medium, #[serde(default)] reason: Reason }
    /// Decides a demand; a refusal takes counsel.
    DecideDemand {
        demand: String,
        triage: Triage,
        /// The matter an accepted demand is filed in.
        #[serde(default)] matter: Option<String>,
        #[serde(default)] reason: Reason,
    } [decide_demand]
    /// Opens a matter.
    OpenMatter { title: String }
    /// Closes a matter without holds in force.
    CloseMatter { matter: String }
    /// Files a letter that asks for nothing to be kept.
    FileCorrespondence { matter: String, from: String, #[serde(default)] reason: Reason }
    /// Places a hold without a demand.
    PlaceHold {
        scope: Scope,
        instrument: String,
        #[serde(default)] matter: Option<String>,
        #[serde(default)] silent: Option<bool>,
        /// Why; for the house and its counsel.
        #[serde(default)] reason: Reason,
    }
    /// Adds a legal basis with its clock.
    AddBasis { hold: String, instrument: String, #[serde(default)] reason: Reason }
    /// Extends the clock of a basis, numbered from 0.
    ExtendBasis { hold: String, basis: u8, #[serde(default)] reason: Reason }
    /// Ends a basis, numbered from 0. The hold still blocks.
    EndBasis { hold: String, basis: u8, #[serde(default)] reason: Reason }
    /// Lets a verified copy satisfy a hold. Counsel.
    AllowCopy { hold: String, #[serde(default)] reason: Reason }
    /// Sets until when a hold is silent; absent ends the silence now. Counsel.
    SetGag {
        hold: String,
        #[serde(default)] until: Option<String>,
        #[serde(default)] reason: Reason,
    }
    /// Proposes to release a hold.
    ProposeRelease { hold: String, #[serde(default)] reason: Reason }
    /// Approves a proposed release.
    ApproveRelease { hold: String }
    /// Refused as `done_by_the_vault`: `/v1/transfers` preserves and records.
    RecordSnapshot {
        source: String,
        root: String,
        vault_id: String,
        bytes: u64,
        unreadable: u32,
        #[serde(default)] changed: u32,
        taken: String,
    }
    /// Refused as `done_by_the_vault`: reading back records what it showed.
    VerifySnapshot { snapshot: String, intact: bool }
    /// Proposes to end the keeping of assets.
    ProposeDisposition {
        kind: DispositionKind,
        assets: Vec<String>,
        #[serde(default)] to: Option<String>,
        #[serde(default)] reason: Reason,
    }
    /// Queues a notice to everyone owed one.
    QueueNotices { disposition: String }
    /// Approves a disposition for its blast radius.
    ApproveDisposition { disposition: String }
    /// Takes a disposition back.
    CancelDisposition { disposition: String, #[serde(default)] reason: Reason }
    /// Accepts a hold by name, as the transferee.
    AcceptHold { disposition: String, hold: String }
    /// Records what became of an attempt to deliver.
    RecordEvidence {
        notice: String,
        attempt: u8,
        evidence: Evidence,
        #[serde(default)] reason: Reason,
    }
    /// Objects to a disposition.
    FileObjection { disposition: String, by: String, #[serde(default)] reason: Reason }
    /// Decides an objection in writing. Counsel.
    DecideObjection { objection: String, upheld: bool, #[serde(default)] reason: Reason }
    /// Reserves a clearance; the answer has its signed token.
    Reserve {
        disposition: String,
        asset: String,
        subject: String,
        /// Of a device, all by which it is known again; none may be another asset's.
        #[serde(default)] media: Vec<String>,
    } [reserve]
    /// The point of no return: begins under a lease.
    Begin { clearance: String }
    /// Renews a lease.
    Renew { clearance: String }
    /// Finishes, with the certificate as an exhibit.
    Finish { clearance: String, verified: bool, #[serde(default)] reason: Reason }
    /// Gives a clearance back; `gone` bytes were already destroyed.
    Abort { clearance: String, gone: u64, #[serde(default)] reason: Reason }
    /// Asks for an owner's own data.
    RequestAccess { owner: String, asset: String, #[serde(default)] reason: Reason }
    /// Grants or denies access.
    DecideAccess { access: String, granted: bool, #[serde(default)] reason: Reason }
    /// Records that the files were handed over.
    FulfilAccess { access: String, #[serde(default)] reason: Reason }
    /// Starts a running cost; `daily` is in the currency's minor unit.
    StartMeter { matter: String, what: String, units: u32, daily: u64, currency: String }
    /// Stops a running cost.
    StopMeter { meter: String }
    /// Books a single cost.
    BookCost {
        matter: String,
        what: String,
        milli_units: u64,
        amount: u64,
        currency: String,
    }
    /// Records how a human acted on a duty.
    DischargeDuty { duty: String, #[serde(default)] reason: Reason }
    /// Makes an access token; the answer shows it once.
    IssueToken { party: String, scope: TokenScope } [issue_token]
    /// Makes a token void.
    RevokeToken { token: String }
    /// Approves new keys for the log; both pairs sign from then on.
    ApproveRotation { rotation: String }
    /// Ends the old keys of the log.
    EndRotation { rotation: String, why: KeyEnd, #[serde(default)] reason: Reason }
    /// Drops the new keys of the log.
    CancelRotation { rotation: String, #[serde(default)] reason: Reason }
}

impl Request {
    /// The command it is, with its documents. For a token that is to be made, the token's text is
    /// lost by this way; [`perform`](crate::api::perform) answers with it.
    ///
    /// # Errors
    /// `bad_request`, naming the field that does not read.
    pub fn into_command(self, by: By) -> Result<(Command, Vec<Exhibit>), Problem> {
        let (command, desk) = self.read(by)?;
        Ok((command, desk.only_bytes()?))
    }

    /// Files of this machine that it names by their SHA-256 and that are to be handed in first.
    ///
    /// # Errors
    /// As [`Request::into_command`].
    pub fn ahead(&self) -> Result<Vec<(Digest, PathBuf)>, Problem> {
        Ok(self.clone().read(By::System)?.1.ahead)
    }

    /// The command, and what was collected while reading it.
    pub(crate) fn read(self, by: By) -> Result<(Command, Desk), Problem> {
        let mut desk = Desk::default();
        let action = self.action(&mut desk)?;
        Ok((Command { by, action }, desk))
    }
}

fn set_policy(desk: &mut Desk, policy: Policy) -> Result<Action, Problem> {
    Ok(Action::SetPolicy(policy.core(desk, "policy")?))
}

fn load_instruments(_: &mut Desk, toml: String) -> Result<Action, Problem> {
    let catalogue = catalogue::parse(&toml).map_err(|e| Problem::bad_request("toml", e))?;
    Ok(Action::LoadInstruments(catalogue))
}

#[allow(clippy::too_many_arguments, reason = "the fields of a new asset, in their order")]
fn register_asset(
    desk: &mut Desk,
    kind: AssetKind,
    label: String,
    accounts: Vec<String>,
    identifiers: Vec<Identifier>,
    part_of: Option<String>,
    copy_of: Vec<String>,
    place: String,
    bytes: u64,
) -> Result<Action, Problem> {
    Ok(Action::RegisterAsset(core::NewAsset {
        kind: kind.core(desk, "kind")?,
        label,
        accounts: accounts.core(desk, "accounts")?,
        identifiers: identifiers.core(desk, "identifiers")?,
        part_of: part_of.core(desk, "part_of")?,
        copy_of: copy_of.core(desk, "copy_of")?,
        place,
        bytes,
    }))
}

fn reserve(
    desk: &mut Desk,
    disposition: String,
    asset: String,
    subject: String,
    media: Vec<String>,
) -> Result<Action, Problem> {
    let disposition = disposition.core(desk, "disposition")?;
    let asset = asset.core(desk, "asset")?;
    let subject = subject.core(desk, "subject")?;
    Ok(match media.is_empty() {
        true => Action::Reserve { disposition, asset, subject },
        false => Action::ReserveDevice { disposition, asset, subject, media },
    })
}

fn decide_demand(
    desk: &mut Desk,
    demand: String,
    triage: Triage,
    matter: Option<String>,
    reason: Reason,
) -> Result<Action, Problem> {
    let matter = matter.core(desk, "matter")?;
    let triage = match triage {
        Triage::Accept => core::Triage::Accept(matter),
        Triage::Clarify | Triage::Refuse if matter.is_some() => {
            let detail = "only an accepted demand is filed in a matter";
            return Err(Problem::bad_request("matter", detail));
        }
        Triage::Clarify => core::Triage::Clarify,
        Triage::Refuse => core::Triage::Refuse,
    };
    let demand = demand.core(desk, "demand")?;
    Ok(Action::DecideDemand { demand, triage, reason: reason.core(desk, "reason")? })
}

fn issue_token(desk: &mut Desk, party: String, scope: TokenScope) -> Result<Action, Problem> {
    let party = party.core(desk, "party")?;
    let (text, hash) = secret::make()?;
    desk.token = Some(text);
    Ok(Action::IssueToken { party, scope: scope.core(desk, "scope")?, hash })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailee_core::id::{AssetId, HoldId};

    fn read(json: &str) -> Result<(Command, Vec<Exhibit>), String> {
        let request: Request = serde_json::from_str(json).map_err(|e| e.to_string())?;
        request.into_command(By::System).map_err(|e| e.to_string())
    }

    #[test]
    fn a_request_is_the_action_of_its_name() {
        let (command, _) = read(r#"{"do":"copy-asset","asset":"A-2","source":"A-1"}"#).unwrap();
        let expected = Action::CopyAsset { asset: AssetId(2), source: AssetId(1) };
        assert_eq!(command.action, expected);
        let (command, _) = read(r#"{"do":"set-gag","hold":"H-1"}"#).unwrap();
        let Action::SetGag { hold: HoldId(1), until: None, .. } = command.action else {
            panic!("{:?}", command.action);
        };
    }

    #[test]
    fn documents_are_named_by_what_they_are() {
        let json = r#"{"do":"allow-copy","hold":"H-1","reason":{"note":"read",
            "exhibits":[{"name":"a.txt","media":"text/plain","base64":"aGk="}]}}"#;
        let (command, exhibits) = read(json).unwrap();
        assert_eq!(exhibits[0].bytes, b"hi");
        let Action::AllowCopy { reason, .. } = command.action else { panic!() };
        assert_eq!(reason.exhibits[0].digest, digest_of(b"hi"));
        assert_eq!((reason.note.as_str(), reason.exhibits[0].size), ("read", 2));
    }

    fn digest_of(bytes: &[u8]) -> [u8; 32] {
        bailee_store::digest(bytes)
    }

    #[test]
    fn what_does_not_read_is_named() {
        let wrong = read(r#"{"do":"approve-release","hold":"A-1"}"#).unwrap_err();
        assert!(wrong.contains("hold") && wrong.contains("H-1"), "{wrong}");
        let wrong = read(r#"{"do":"approve-release","hold":"H-1","force":true}"#).unwrap_err();
        assert!(wrong.contains("force"), "{wrong}");
        let wrong = read(r#"{"do":"wipe-everything"}"#).unwrap_err();
        assert!(wrong.contains("wipe-everything"), "{wrong}");
        let wrong = read(r#"{"do":"reserve","disposition":"X-1","asset":"A-1","subject":"00ff"}"#);
        assert!(wrong.unwrap_err().contains("64 lower-case hex"));
        let wrong = read(r#"{"do":"set-gag","hold":"H-1","until":"soon"}"#).unwrap_err();
        assert!(wrong.contains("soon"), "{wrong}");
    }

    #[test]
    fn a_request_reads_back_from_its_json() {
        let request = Request::IssueToken { party: "P-1".into(), scope: TokenScope::Agent };
        let json = serde_json::to_string(&request).unwrap();
        assert_eq!(json, r#"{"do":"issue-token","party":"P-1","scope":"agent"}"#);
        assert_eq!(serde_json::from_str::<Request>(&json).unwrap(), request);
    }
}
