//! Duties, tokens, policy and instruments: requests that need a look first, or a file.
//!
//! Invariant: `policy set` changes what was named and keeps the rest as it is in the house.

use bailee_server::api::Request;
use bailee_server::api::parts::Policy;
use serde_json::Value;

use crate::act::{ordinary, page};
use crate::cli::Reach;
use crate::cli::ask::{Ask, read};
use crate::cli::rule::{DutyVerb, InstrumentVerb, PolicyVerb, TokenVerb};
use crate::door::Door;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// `bailee duty`.
pub(crate) fn duty(verb: DutyVerb, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let ask = match verb {
        DutyVerb::List { part, all } => {
            let rows = page("duties", &part);
            let what = match (all, rows.contains('?')) {
                (true, _) => rows,
                (false, true) => format!("{rows}&open=true"),
                (false, false) => format!("{rows}?open=true"),
            };
            return print::list(&Door::open(reach)?.show(&what)?, style);
        }
        DutyVerb::Show { duty } => Ask::Show(duty),
        DutyVerb::Discharge { duty, reason } => {
            Request::DischargeDuty { duty, reason: reason.read()? }.into()
        }
    };
    ordinary(ask, reach, style)
}

/// `bailee token`.
pub(crate) fn token(verb: TokenVerb, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let ask = match verb {
        TokenVerb::List(part) => Ask::List("tokens", part),
        TokenVerb::Revoke { token } => Request::RevokeToken { token }.into(),
        TokenVerb::Issue { party, scope } => Request::IssueToken { party, scope }.into(),
    };
    ordinary(ask, reach, style)
}

/// `bailee policy`.
pub(crate) fn policy(verb: &PolicyVerb, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let changes = match verb {
        PolicyVerb::Show => return ordinary(Ask::Show("policy".into()), reach, style),
        PolicyVerb::Set(args) => args.changes(),
    };
    let door = Door::open(reach)?;
    let mut value = door.show("policy")?;
    for (name, number) in changes {
        value[name] = number.into();
    }
    let policy: Policy = serde_json::from_value(value).map_err(|e| {
        Trouble::failed("unknown_policy", "the policy of the house", e, "use the same version")
    })?;
    print::answer(&door.perform(Request::SetPolicy { policy })?, style)
}

/// `bailee instruments`.
pub(crate) fn instruments(
    verb: InstrumentVerb,
    reach: &Reach,
    style: Style,
) -> Result<(), Trouble> {
    let file = match verb {
        InstrumentVerb::Load { file } => file,
        InstrumentVerb::List => {
            let value = Door::open(reach)?.show("instruments")?;
            return match (style, value.get("instruments").and_then(Value::as_array)) {
                (Style::Words, Some(items)) => print::table(items),
                _ => print::thing(&value, style),
            };
        }
    };
    let toml = String::from_utf8(read(&file)?).map_err(|_| {
        Trouble::usage(file.display(), "is not UTF-8 text", "give a catalogue in TOML")
    })?;
    ordinary(Request::LoadInstruments { toml }.into(), reach, style).map_err(
        |trouble| match trouble {
            Trouble::Problem(mut problem) if problem.about == "toml" => {
                problem.about = file.display().to_string();
                Trouble::Problem(problem)
            }
            other => other,
        },
    )
}
