//! What is in an image, taken apart to the last field: a new field that is not named here does not
//! compile.
//!
//! Invariant: what events are made of is written as in the log (minicbor); the rest field by field.

use minicbor::{Decoder, Encode};

use super::codec::Image;
use crate::asset::{Account, Asset, AssetKind, Entity, Fate, Identifier, Lifecycle, Snapshot};
use crate::demand::{
    Access, AccessStatus, CostItem, Demand, DemandStatus, Flag, Matter, Medium, Meter, Papers,
    Scope,
};
use crate::disposition::{
    Approval, Clearance, ClearanceStatus, Disposition, DispositionKind, Objection, Radius,
};
use crate::engine::{Canaries, Finding, Outcome, Trial};
use crate::event::By;
use crate::hold::{Basis, EndReason, Hold, HoldStatus, Release};
use crate::id::{
    AccessId, AccountId, AssetId, ClearanceId, DemandId, DispositionId, DutyId, EntityId, HoldId,
    Id, MatterId, MeterId, NoticeId, ObjectionId, PartyId, RotationId, SnapshotId, TokenId,
};
use crate::instrument::Catalogue;
use crate::leap::Leap;
use crate::notice::{About, Attempt, Evidence, Notice};
use crate::party::{Party, Role, Who};
use crate::plan::Intent;
use crate::policy::{Duty, DutyKind, Policy, Token, TokenScope};
use crate::refused::{Asked, Refusals, Refused, Thing};
use crate::rotation::{Continuation, KeyEnd, LogKeys, Ring, Rotation, RotationStatus};
use crate::state::{Due, Named, State};
use crate::table::Table;
use crate::time::Time;
use crate::volume::Shelved;

macro_rules! ids {
    ($($type:ty)*) => {$(
        impl Image for $type {
            fn put(&self, out: &mut Vec<u8>) {
                self.number().put(out);
            }
            fn get(from: &mut &[u8]) -> Option<Self> {
                u32::get(from).map(<$type>::nth)
            }
        }
    )*};
}

ids! {
    AccessId AccountId AssetId ClearanceId DemandId DispositionId DutyId EntityId HoldId MatterId
    MeterId NoticeId ObjectionId PartyId RotationId SnapshotId TokenId
}

macro_rules! as_in_the_log {
    ($($type:ty)*) => {$(
        impl Image for $type {
            fn put(&self, out: &mut Vec<u8>) {
                match self.encode(&mut minicbor::Encoder::new(out), &mut ()) {
                    Ok(()) => {}
                    Err(error) => unreachable!("a vector takes every byte: {error}"),
                }
            }
            fn get(from: &mut &[u8]) -> Option<Self> {
                let mut decoder = Decoder::new(from);
                let value = decoder.decode().ok()?;
                *from = from.get(decoder.position()..)?;
                Some(value)
            }
        }
    )*};
}

as_in_the_log! {
    About AccessStatus Asked AssetKind By Canaries Catalogue DemandStatus DispositionKind DutyKind
    EndReason Evidence Flag Identifier KeyEnd Lifecycle LogKeys Medium Outcome Papers Policy
    Radius Role Scope Thing TokenScope Trial
    Who
}

impl Image for Time {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn get(from: &mut &[u8]) -> Option<Time> {
        i64::get(from).map(Time)
    }
}

impl<I: Id, T: Image> Image for Table<I, T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        self.iter().for_each(|(_, row)| row.put(out));
    }
    fn get(from: &mut &[u8]) -> Option<Table<I, T>> {
        let length =
            usize::try_from(u64::get(from)?).ok().filter(|length| *length <= from.len())?;
        (0..length).map(|_| T::get(from)).collect()
    }
}

macro_rules! variants {
    ($($type:ident { $($n:literal $name:ident $(($($part:ident),*))?),* $(,)? })*) => {$(
        impl Image for $type {
            fn put(&self, out: &mut Vec<u8>) {
                match self {$(
                    $type::$name $(($($part),*))? => {
                        out.push($n);
                        $($($part.put(out);)*)?
                    }
                )*}
            }
            fn get(from: &mut &[u8]) -> Option<Self> {
                match u8::get(from)? {
                    $($n => Some($type::$name $(($({
                        let $part = Image::get(from)?;
                        $part
                    }),*))?),)*
                    _ => None,
                }
            }
        }
    )*};
}

variants! {
    Fate { 0 Kept, 1 Unknown(by), 2 Partial(by), 3 Destroyed(by), 4 HandedOver(by, to) }
    HoldStatus { 0 Provisional, 1 Active, 2 Cooling(until), 3 Released }
    ClearanceStatus {
        0 Reserved(until), 1 Begun(until), 2 Finished, 3 Aborted, 4 Stopping(until), 5 Revoked,
        6 Expired, 7 Lost,
    }
    Named { 0 Account(id), 1 Asset(id), 2 Owner(id) }
    Due { 0 Clearance(id), 1 Basis(id, n), 2 Cooling(id), 3 Gag(id), 4 Notice(id, n), 5 Meter(id) }
    Intent { 0 Erase(seq), 1 SendReceipt(id), 2 SendNotice(id, n), 3 PageHuman(id) }
}

impl Image for RotationStatus {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            RotationStatus::Proposed => out.push(0),
            RotationStatus::Overlap { since, until } => {
                out.push(1);
                (*since, *until).put(out);
            }
            RotationStatus::Ended { since, why } => {
                out.push(2);
                (*since, *why).put(out);
            }
            RotationStatus::Cancelled => out.push(3),
        }
    }

    fn get(from: &mut &[u8]) -> Option<RotationStatus> {
        Some(match u8::get(from)? {
            0 => RotationStatus::Proposed,
            1 => {
                let (since, until) = Image::get(from)?;
                RotationStatus::Overlap { since, until }
            }
            2 => {
                let (since, why) = Image::get(from)?;
                RotationStatus::Ended { since, why }
            }
            3 => RotationStatus::Cancelled,
            _ => return None,
        })
    }
}

macro_rules! rows {
    ($($type:ident { $($field:ident)* })*) => {$(
        impl Image for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let $type { $($field),* } = self;
                $($field.put(out);)*
            }
            fn get(from: &mut &[u8]) -> Option<Self> {
                Some($type { $($field: Image::get(from)?),* })
            }
        }
    )*};
}

rows! {
    Party { roles same_person_as who before accounts logins entries papers erased }
    Entity { name country }
    Account { owner entity label law retention_days terminated holds }
    Asset {
        kind label accounts identifiers part_of parts copy_of lifecycle place bytes fate snapshots
        snapshot holds clearance grown joined came bound
    }
    Leap { before entry to watched told }
    Snapshot {
        source asset root vault_id bytes unreadable changed taken verified unit position shelved
    }
    Shelved { set position at volumes bytes }
    Matter { title demands costs correspondence closed }
    CostItem { what milli_units amount currency at }
    Meter { matter what units daily currency until running }
    Access { owner asset status terms granted_of }
    Demand {
        from entity instrument medium corrected hold flags status received position papers
        receipted decided
    }
    Basis { instrument since due extensions ended document }
    Release { proposer approvals }
    Approval { by at radius position }
    Hold {
        matter demands scope bases status silent gag_until copy_allowed position placed release
    }
    Attempt { channel at sent due evidence }
    Notice { to about rests_on attempts proven escalated }
    Objection { disposition by upheld decided }
    Disposition {
        kind assets proposer to notices told objections approvals accepted done waiting_days
        cancelled
    }
    Clearance {
        disposition asset subject status position reserved begun against untold certificate ended
        gone report
    }
    Duty { kind paged discharged }
    Token { party scope hash revoked }
    Rotation { from to overlap_days proposer approver status }
    Continuation { position origin keys before key size root note }
    Ring { rotations continued current }
    Refused { asked asset disposition hold thing codes }
    Refusals { day kept }
    Finding { position at trials canaries worse known }
}

macro_rules! state {
    ($($field:ident)*) => {
        impl Image for State {
            fn put(&self, out: &mut Vec<u8>) {
                // Notes of a replay are none in every state anybody sees.
                let State { filing: _, $($field),* } = self;
                $($field.put(out);)*
            }
            fn get(from: &mut &[u8]) -> Option<State> {
                Some(State { filing: None, $($field: Image::get(from)?),* })
            }
        }
    };
}

state! {
    head clock leap policy catalogue parties entities accounts assets matters demands holds notices
    objections dispositions clearances snapshots accesses meters duties tokens ring engines
    refusals
    identifiers wanted addresses former phrases first_words letters waiting
    agenda pending open_clearances open_duties let_go token_hashes volume_sets
}
