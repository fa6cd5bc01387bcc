//! The gate, clearances step by step, and the three acts that go through all of them.
//!
//! Invariants: `gate check` is 0 only for clear; nothing here decides. Sanitizing on a directory is
//! [`letting_go::sanitize`]; against a server it is [`agent::sanitize`](crate::agent), with the
//! device here and the gate there.

use std::path::{Path, PathBuf};

use bailee_ledger::to_hex;
use bailee_server::api::erased::Erased;
use bailee_server::api::expired::Expired;
use bailee_server::api::words::Verb;
use bailee_server::api::{Answer, Request};
use bailee_server::binding;
use bailee_server::core::asset::identifier_subject;
use bailee_server::core::counted;
use bailee_server::letting_go::{self, Order};
use bailee_server::sanitize::{Binding, Particulars, Phase, Progress};
use serde_json::{Value, json};

use crate::act::ordinary;
use crate::agent;
use crate::cli::Reach;
use crate::cli::ask::Ask;
use crate::cli::clearance::{
    ClearanceVerb, EraseArgs, ExpireArgs, ParticularArgs, ReserveArgs, SanitizeArgs, SubjectArgs,
};
use crate::door::{Door, read_id};
use crate::interrupt;
use crate::print::progress::Bar;
use crate::print::{self, Style};
use crate::save::save;
use crate::trouble::Trouble;

/// Asks the gate; blocked is exit 1.
pub(crate) fn gate(asset: &str, verb: Verb, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let verdict = Door::open(reach)?.gate(asset, verb)?;
    let clear = verdict["clear"] == Value::Bool(true);
    match style {
        Style::Json => print::json(&verdict)?,
        Style::Words => print::out(&in_words(asset, clear, &verdict))?,
    }
    if clear { Ok(()) } else { Err(Trouble::Said(1)) }
}

fn in_words(asset: &str, clear: bool, verdict: &Value) -> String {
    let text = |value: &Value| print::safe(value.as_str().unwrap_or_default());
    let none = Vec::new();
    let reasons = verdict["reasons"].as_array().unwrap_or(&none);
    let count = reasons.len();
    let position = &verdict["position"];
    let mut lines = match clear {
        true => format!("{asset} is CLEAR, as of position {position}\n"),
        false => format!(
            "{asset} is BLOCKED for {}, as of position {position}\n",
            counted(count, "reason")
        ),
    };
    for reason in reasons {
        let (code, about) = (text(&reason["code"]), text(&reason["about"]));
        lines.push_str(&format!("  {code}  {about} {}\n", text(&reason["text"])));
        let through = text(&reason["through"]);
        if through != asset {
            lines.push_str(&format!("      through   {through}\n"));
        }
        let documents = reason["rests_on"].as_array().unwrap_or(&none);
        for digest in documents.iter().filter_map(Value::as_str) {
            lines.push_str(&format!("      rests on  {digest}\n"));
        }
        lines.push_str(&format!("      to change {}\n", text(&reason["change"])));
    }
    for copy in verdict["satisfied"].as_array().unwrap_or(&none) {
        let (hold, by) = (text(&copy["hold"]), text(&copy["by"]));
        lines.push_str(&format!("  {hold} is satisfied by the verified copy {by}\n"));
    }
    lines
}

/// A step of a clearance, or a look at one.
pub(crate) fn clearance(verb: ClearanceVerb, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let ask: Ask = match verb {
        ClearanceVerb::List(part) => Ask::List("clearances", part),
        ClearanceVerb::Show { clearance } => Ask::Show(clearance),
        ClearanceVerb::Token { clearance } => {
            let token = match Door::open(reach)? {
                Door::Here(here) => letting_go::token(&here.house, read_id(&clearance)?)?,
                Door::There(client) => client.token(&clearance)?,
            };
            return print::product(&token);
        }
        ClearanceVerb::Reserve(ReserveArgs { disposition, asset, subject }) => {
            let (subject, media) = read_subject(&subject)?;
            Request::Reserve { disposition, asset, subject, media }.into()
        }
        ClearanceVerb::Begin(step) => Request::Begin { clearance: step.clearance }.into(),
        ClearanceVerb::Renew(step) => Request::Renew { clearance: step.clearance }.into(),
        ClearanceVerb::Finish { clearance, reason } => {
            Request::Finish { clearance, verified: true, reason: reason.read_whole()? }.into()
        }
        ClearanceVerb::Abort { clearance, gone, reason } => {
            Request::Abort { clearance, gone, reason: reason.read()? }.into()
        }
    };
    ordinary(ask, reach, style)
}

/// With all by which a device is known again.
fn read_subject(subject: &SubjectArgs) -> Result<(String, Vec<String>), Trouble> {
    match (&subject.device, &subject.subject, &subject.identifier) {
        (Some(device), _, _) => {
            let device = binding(device)?;
            Ok((to_hex(&device.identity.digest()), binding::media(&device)))
        }
        (None, Some(hex), _) => Ok((hex.to_lowercase(), Vec::new())),
        (None, None, Some(value)) => Ok((to_hex(&identifier_subject(value)), Vec::new())),
        (None, None, None) => {
            let change = "give --device, --subject or --identifier";
            Err(Trouble::usage("the clearance", "does not say for what thing it is", change))
        }
    }
}

/// What a device says it is, and by what else it is known.
pub(crate) fn binding(device: &Path) -> Result<Binding, Trouble> {
    Binding::of_path(device).map_err(|e| Trouble::device(device.display(), &e))
}

impl ParticularArgs {
    fn read(self) -> Particulars {
        Particulars {
            manufacturer: self.manufacturer,
            property_number: self.property_number,
            media_type: self.media_type,
            media_source: self.media_source,
            confidentiality: self.confidentiality,
            ..Particulars::default()
        }
    }
}

/// Overwrites a device under a clearance.
pub(crate) fn sanitize(args: SanitizeArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = Door::open(reach)?;
    let log = args.log.clone().unwrap_or_else(|| format!("sanitize-{}.log", args.asset).into());
    let particulars = args.particulars.read();
    let interrupt = interrupt::listen()?;
    let interrupt = &*interrupt;
    let mut bar = Bar::new();
    let mut progress = |at: Progress| {
        let doing = match at.phase {
            Phase::Writing => "overwriting",
            Phase::Reading => "reading back",
        };
        bar.bytes(doing, at.done, at.total);
    };
    let (clearance, certificate) = match &door {
        Door::Here(here) => {
            let order = Order {
                disposition: read_id(&args.disposition)?,
                asset: read_id(&args.asset)?,
                device: &args.device,
                log: &log,
                by: here.speaker()?,
                particulars,
                interrupt,
            };
            let done = letting_go::sanitize(&here.house, order, &mut progress)?;
            here.settle();
            (done.clearance.to_string(), done.certificate)
        }
        Door::There(client) => {
            let order = agent::Order {
                disposition: &args.disposition,
                asset: read_id(&args.asset)?,
                device: &args.device,
                log: &log,
                key: args.clearance_key.as_deref(),
                particulars,
                interrupt,
            };
            agent::sanitize(client, order, &mut progress)?
        }
    };
    drop(bar);
    let text = certificate.to_json();
    let saved: Option<PathBuf> = match &args.certificate {
        None => None,
        Some(path) => save(path, |out| {
            out.write_all(text.as_bytes()).map_err(|e| Trouble::io("write the certificate", &e))
        })?,
    };
    let value = json!({
        "asset": args.asset, "clearance": clearance, "finished": true, "log": log,
        "certificate": saved,
    });
    print::thing(&value, style)
}

/// Expires a snapshot under a clearance.
pub(crate) fn expire(args: &ExpireArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let value = match Door::open(reach)? {
        Door::Here(here) => {
            let (disposition, asset) = (read_id(&args.disposition)?, read_id(&args.asset)?);
            let (house, by) = (&here.house, here.speaker()?);
            let (clearance, report) =
                letting_go::expire(house, disposition, asset, by, &mut || ())?;
            here.settle();
            json!(Expired::of(&args.asset, clearance, &report))
        }
        Door::There(client) => {
            let order = json!({ "disposition": args.disposition, "asset": args.asset });
            client.expire(&order)?
        }
    };
    print::thing(&value, style)
}

/// Erases a custody unit under a clearance.
pub(crate) fn erase(args: &EraseArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let value = match Door::open(reach)? {
        Door::Here(here) => {
            let (disposition, asset) = (read_id(&args.disposition)?, read_id(&args.asset)?);
            let by = here.speaker()?;
            let done = letting_go::erase(&here.house, disposition, asset, by, &mut |_| ())?;
            here.settle();
            json!(Erased::from(&done))
        }
        Door::There(client) => {
            let order = json!({ "disposition": args.disposition, "asset": args.asset });
            client.erase(&order)?
        }
    };
    print::thing(&value, style)
}

/// The token in an answer to a reservation.
pub(crate) fn token_of(answer: &Answer) -> Option<(String, String)> {
    let clearance = answer.new.iter().find(|id| id.starts_with("C-"))?;
    Some((clearance.clone(), answer.token.clone()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_on_a_thing_is_what_the_clearance_is_for() {
        let said = |subject: Option<&str>, identifier: Option<&str>| {
            let (subject, identifier) = (subject.map(Into::into), identifier.map(Into::into));
            read_subject(&SubjectArgs { device: None, subject, identifier })
        };
        let tape = said(None, Some("lto 0042")).ok();
        assert_eq!(tape, Some((to_hex(&identifier_subject("LTO-0042")), vec![])));
        assert_eq!(said(Some("00AB"), None).ok(), Some(("00ab".to_owned(), vec![])));
        assert!(said(None, None).is_err());
    }
}
