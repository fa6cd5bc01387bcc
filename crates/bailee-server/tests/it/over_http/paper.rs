//! Devices of a story as they would describe themselves, and certificates of runs over them.

use std::collections::BTreeMap;

use bailee_core::disposition::DispositionKind;
use bailee_core::id::ClearanceId;
use bailee_ledger::clearance::{Act, Terms};
use bailee_sanitize::{Certificate, Identity, Kind, Particulars};
use bailee_server::House;

use crate::http_clearance::record;

pub(super) fn device(label: &str, bytes: u64) -> Identity {
    Identity {
        kind: Kind::Block,
        size: bytes.max(4096),
        model: Some("Model 1".into()),
        serial: Some(label.to_owned()),
        wwn: None,
        uuid: None,
        backing: None,
        attachment: None,
    }
}

/// The certificate of a whole run under this clearance; for what is handed over, a paper.
pub(super) fn certificate(
    house: &House,
    id: ClearanceId,
    devices: &BTreeMap<[u8; 32], Identity>,
) -> String {
    let found = house.with_state(|s| {
        let clearance = s.clearances.get(id)?;
        let kind = s.dispositions.get(clearance.disposition)?.kind;
        Some((clearance.clone(), kind))
    });
    let (clearance, kind) = found.unwrap().expect("a clearance that was reserved");
    if kind != DispositionKind::Sanitize {
        return format!("{{\"handed_over\": \"{}\"}}\n", clearance.asset);
    }
    let identity = devices[&clearance.subject].clone();
    let terms = Terms {
        origin: house.config().origin.clone(),
        clearance: id.0,
        disposition: clearance.disposition.0,
        asset: clearance.asset.0,
        act: Act::Sanitize,
        subject: clearance.subject,
        position: clearance.position,
        not_after: i64::MAX,
    };
    let record = record(terms, identity);
    Certificate::issue(&record, Particulars::default()).to_json()
}
