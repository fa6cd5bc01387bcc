//! Expiring a snapshot: the vault forgets it under a clearance, and the log gets a certificate.
//!
//! Order: reserve -> token -> begin -> the vault holds what it has against what the log has as
//! kept, asks the gate once more, forgets the snapshot and prunes, the lease renewed beside it ->
//! finish. A crash before the vault forgot it leaves everything; after it, the lease lapses, the
//! snapshot is `unknown`, and expiring it again under a new clearance finishes what was begun.
//! Invariants: what cannot be seen any more after an error is reported as gone, so that it counts
//! as nobody's copy; a snapshot that is not in the vault is finished only if an expiry of it began,
//! and its certificate says so; an expiry that is asked for again under the same disposition is
//! told from its certificate, and nothing is recorded.

use bailee_core::asset::Fate;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::{AssetId, ClearanceId, DispositionId, PartyId, SnapshotId};
use bailee_core::{Action, By, Code, Command, State, decide};
use bailee_ledger::clearance::{Act, Clearance};
use bailee_sanitize::ShelvedSet;
use bailee_vault::{ExpireReport, SnapshotId as VaultId, Vault, VaultError};
use serde::Deserialize;

use super::lease::Leased;
use super::{LetGoError, abort, certificate, finished, open_token, reserve, shelved};
use crate::house::{House, HouseError};
use crate::keeping::{self, KeepError, UnitPlace};
use crate::pruning;
use crate::receipt;

type Expired = (ClearanceId, ExpireReport);

/// Expires a snapshot from the vault under a clearance, and certifies it. `begun` is called when
/// the log has the beginning; the lease is renewed from before that until the vault has pruned.
pub fn expire(
    house: &House,
    disposition: DispositionId,
    asset: AssetId,
    by: PartyId,
    begun: &mut dyn FnMut(),
) -> Result<Expired, LetGoError> {
    let by = By::Party(by);
    let missing = || LetGoError::NotFound(format!("a snapshot {asset}"));
    let found = house.with_state(|s| {
        let snapshot = s.assets.get(asset)?.snapshot?;
        let found = s.snapshots.get(snapshot)?;
        Some((snapshot, found.root, found.bytes))
    })?;
    let (snapshot, root, bytes) = found.ok_or_else(missing)?;
    if let Some(done) = done_before(house, disposition, asset, root, by)? {
        return Ok(done);
    }
    // Whatever can fail without touching anything fails before there is a clearance.
    let (tenant, id) = keeping::locate(house, snapshot)?;
    let (place, vault) = (keeping::unit_place(house, asset)?, keeping::vault(house)?);
    keeping::stands(house, &vault, &place)?;
    let UnitPlace { unit, .. } = place;
    let resumed = began(house, asset)? && !vault.has_snapshot(&tenant, &id).map_err(in_vault)?;
    let left = house.with_state(|s| shelved::of_snapshot(s, snapshot))?;
    let reserved = reserve(house, disposition, asset, root, by)?;
    let token = open_token(house, reserved.token.as_bytes(), asset, Act::Expire, root)?;
    let copy = Copy { tenant, unit, id, asset, snapshot, root, bytes, resumed };
    let run = Run { lease: Leased { house, id: reserved.clearance, by }, vault: &vault, copy };
    let report = run.carry_out(token, begun)?;
    let left = house.with_state(|s| shelved::of_snapshot(s, snapshot)).unwrap_or(left);
    let (reason, exhibit) = certificate(run.certificate(&report, &left));
    finished(house, reserved.clearance, by, reason, exhibit)?;
    Ok((reserved.clearance, report))
}

fn in_vault(error: VaultError) -> LetGoError {
    KeepError::from(error).into()
}

/// True if an expiry of the snapshot began, and its end was never heard of or was a failure.
fn began(house: &House, asset: AssetId) -> Result<bool, LetGoError> {
    let began = |s: &State| {
        let (Fate::Unknown(id) | Fate::Partial(id)) = s.assets.get(asset)?.fate else {
            return None;
        };
        let disposition = s.clearances.get(id)?.disposition;
        Some(s.dispositions.get(disposition)?.kind == DispositionKind::Expire)
    };
    Ok(house.with_state(|s| began(s) == Some(true))?)
}

/// What is to go.
struct Copy {
    tenant: String,
    unit: String,
    id: VaultId,
    asset: AssetId,
    snapshot: SnapshotId,
    root: [u8; 32],
    bytes: u64,
    /// The vault forgot it before; its packs are left.
    resumed: bool,
}

/// A clearance, and what it is for.
struct Run<'a> {
    lease: Leased<'a>,
    vault: &'a Vault,
    copy: Copy,
}

impl Run<'_> {
    /// Begins, and lets the vault forget and prune while the lease is renewed.
    fn carry_out(
        &self,
        token: Clearance,
        begun: &mut dyn FnMut(),
    ) -> Result<ExpireReport, LetGoError> {
        let Leased { house, id, by } = self.lease;
        let Copy { tenant, unit, root, bytes, resumed, .. } = &self.copy;
        house.submit(Command { by, action: Action::Begin { clearance: id } }, Vec::new())?;
        let pins = |_: &VaultId| self.lease.renew().err().map(|no| no.to_string());
        let catalogue = pruning::catalogue(house);
        let expired = self.lease.during(|| {
            begun();
            match resumed {
                true => {
                    let gone = (&self.copy.id, root);
                    self.vault.finish_expired(tenant, unit, gone, token, &catalogue)
                }
                false => self.vault.expire(tenant, &self.copy.id, token, &pins, &catalogue),
            }
        });
        expired.or_else(|error| {
            // What cannot be seen any more must not count as a copy: it is reported as gone.
            let there = self.vault.has_snapshot(tenant, &self.copy.id);
            let gone = if there.unwrap_or(false) { 0 } else { (*bytes).max(1) };
            abort(house, id, gone, error.to_string(), by)?;
            Err(in_vault(error))
        })
    }

    fn certificate(&self, report: &ExpireReport, left: &[ShelvedSet]) -> Vec<u8> {
        let Copy { asset, snapshot, root, resumed, .. } = &self.copy;
        let json = format!(
            "{{\"format\":\"bailee/expiry/v1\",\"clearance\":\"{}\",\"asset\":\"{asset}\",\
             \"snapshot\":\"{snapshot}\",\"root\":\"{}\",\"packs\":{},\"freed_bytes\":{},\
             \"lost_chunks\":{},\"resumed\":{resumed},\"volumes_not_reached\":{}}}\n",
            self.lease.id,
            bailee_ledger::to_hex(root),
            report.packs,
            report.freed_bytes,
            report.lost,
            serde_json::json!(left)
        );
        json.into_bytes()
    }
}

/// Of a certificate, what is told again. It has more.
#[derive(Deserialize)]
struct Certified {
    packs: u64,
    freed_bytes: u64,
    /// Absent from the first certificates.
    #[serde(default)]
    lost_chunks: u64,
}

/// What the same expiry came to before, for whoever might ask for it now.
fn done_before(
    house: &House,
    disposition: DispositionId,
    asset: AssetId,
    subject: [u8; 32],
    by: By,
) -> Result<Option<Expired>, LetGoError> {
    let command = Command { by, action: Action::Reserve { disposition, asset, subject } };
    let now = house.clock().now();
    let found = house.with_state(|s| {
        let refused = decide(s, &command, now).err().map(|refusal| refusal.code);
        match refused {
            None | Some(Code::NotPermitted) => None,
            Some(_) => finished_under(s, disposition, asset),
        }
    })?;
    let Some((id, position)) = found else { return Ok(None) };
    let lost = || LetGoError::NotFound(format!("the certificate of {id}"));
    let entry = house.entries(position, 1)?.pop().ok_or_else(lost)?;
    let unread = |e: String| HouseError::Io { doing: format!("read {id}"), detail: e };
    let record = receipt::read(position, &entry).map_err(|e| unread(e.to_string()))?;
    let paper = record.fact.papers.and_then(|papers| papers.exhibits.into_iter().next());
    let bytes = paper.map(|paper| house.exhibit(&paper.digest)).transpose()?.flatten();
    let said: Certified = serde_json::from_slice(&bytes.ok_or_else(lost)?)
        .map_err(|e| unread(format!("its certificate does not read: {e}")))?;
    let (packs, freed_bytes, lost) = (said.packs, said.freed_bytes, said.lost_chunks);
    let report = ExpireReport { snapshots: 1, packs, freed_bytes, lost, ..Default::default() };
    Ok(Some((id, report)))
}

/// The clearance under which this very expiry ended, and where its certificate is.
fn finished_under(
    s: &State,
    disposition: DispositionId,
    asset: AssetId,
) -> Option<(ClearanceId, u64)> {
    let Fate::Destroyed(id) = s.assets.get(asset)?.fate else { return None };
    let clearance = s.clearances.get(id).filter(|found| found.disposition == disposition)?;
    let kind = s.dispositions.get(disposition)?.kind;
    Some((id, clearance.certificate.filter(|_| kind == DispositionKind::Expire)?))
}
