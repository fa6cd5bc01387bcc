//! What each command does: one line each, down to the file that does it.

use std::path::PathBuf;
use std::process::ExitCode;

use bailee_server::api::expired::Settled;
use bailee_server::api::words::Verb;
use bailee_server::settling;
use serde_json::json;

use crate::cli::ask::{Ask, ListArgs};
use crate::cli::clearance::GateVerb;
use crate::cli::prove::OutArgs;
use crate::cli::{Cli, Command, Late, Reach};
use crate::client::encoded;
use crate::door::{Bundle, Door, read_id};
use crate::print::{self, Style};
use crate::save::save;
use crate::trouble::Trouble;
use crate::{
    about, cat, demo, export, init, intake, keep, keys, let_go, monitor, mount, probe, prune,
    reindex, rule, scenario, scrub, stamps, verify, volumes, witness,
};

/// Does what was typed.
pub(crate) fn act(cli: Cli) -> Result<ExitCode, Trouble> {
    let Cli { reach, command } = cli;
    let style = if reach.json { Style::Json } else { Style::Words };
    let ask = match command {
        Command::Party(Late(verb)) => verb.ask(),
        Command::Entity(Late(verb)) => verb.ask(),
        Command::Account(Late(verb)) => verb.ask(),
        Command::Asset(Late(verb)) => verb.ask()?,
        Command::Demand(Late(verb)) => verb.ask()?,
        Command::Hold(Late(verb)) => verb.ask()?,
        Command::Matter(Late(verb)) => verb.ask()?,
        Command::Cost(Late(verb)) => verb.ask(),
        Command::Notice(Late(verb)) => verb.ask()?,
        Command::Objection(Late(verb)) => verb.ask()?,
        Command::Disposition(Late(verb)) => verb.ask()?,
        Command::Access(Late(verb)) => verb.ask()?,
        Command::Demo(Late(args)) => return demo::run(&args, style).map_err(about::broken),
        other => return special(other, &reach, style).map(|()| ExitCode::SUCCESS),
    };
    ordinary(ask, &reach, style).map(|()| ExitCode::SUCCESS)
}

/// A request, a thing or a list.
pub(crate) fn ordinary(ask: Ask, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = Door::open(reach)?;
    match ask {
        Ask::Do(request) => print::answer(&door.perform(*request)?, style),
        Ask::Show(id) => print::thing(&door.show(&id)?, style),
        Ask::List(name, part) => print::list(&door.show(&page(name, &part))?, style),
    }
}

pub(crate) fn page(name: &str, part: &ListArgs) -> String {
    let after = part.after.as_ref().map(|after| format!("after={}", encoded(after)));
    let limit = part.limit.map(|limit| format!("limit={limit}"));
    let query: Vec<String> = after.into_iter().chain(limit).collect();
    if query.is_empty() { name.to_owned() } else { format!("{name}?{}", query.join("&")) }
}

/// Commands that are more than one request.
fn special(command: Command, reach: &Reach, style: Style) -> Result<(), Trouble> {
    match command {
        Command::Init(Late(args)) => init::init(&args, reach, style),
        Command::Intake(Late(args)) => intake::intake(args, reach, style),
        Command::Snapshot(Late(verb)) => keep::snapshot(verb, reach, style),
        Command::Duty(Late(verb)) => rule::duty(verb, reach, style),
        Command::Token(Late(verb)) => rule::token(verb, reach, style),
        Command::Keys(Late(verb)) => keys::keys(verb, reach, style),
        Command::Policy(Late(verb)) => rule::policy(&verb, reach, style),
        Command::Instruments(Late(verb)) => rule::instruments(verb, reach, style),
        Command::Gate(Late(GateVerb::Check { asset, transfer, erase })) => {
            let verb = match (transfer, erase) {
                (true, _) => Verb::Transfer,
                (_, true) => Verb::Erase,
                _ => Verb::LetGo,
            };
            let_go::gate(&asset, verb, reach, style)
        }
        Command::Clearance(Late(verb)) => let_go::clearance(verb, reach, style),
        Command::Preserve(Late(args)) => keep::preserve(&args, reach, style),
        Command::Restore(Late(args)) => keep::restore(&args, reach, style),
        Command::Cat(Late(args)) => cat::cat(&args, reach),
        Command::Mount(Late(args)) => mount::mount(&args, reach, style),
        Command::Export(Late(args)) => export::export(&args, reach, style),
        Command::Volumes(Late(verb)) => volumes::volumes(&verb, reach, style),
        Command::Scrub(Late(args)) => scrub::scrub(&args, reach, style),
        Command::Probe => probe::probe(reach, style),
        Command::Reindex => reindex::reindex(reach, style),
        Command::Prune(Late(args)) => prune::prune(&args, reach, style),
        Command::Sanitize(Late(args)) => let_go::sanitize(args, reach, style),
        Command::Expire(Late(args)) => let_go::expire(&args, reach, style),
        Command::Erase(Late(args)) => let_go::erase(&args, reach, style),
        Command::Receipt(Late(args)) => {
            take(Bundle::Receipt, &args.demand, &args.out, reach, style)
        }
        Command::Bundle(Late(args)) => {
            let reader = args.reader.as_deref().map(read_id).transpose()?;
            take(Bundle::Matter(reader), &args.matter, &args.out, reach, style)
        }
        Command::Certificate(Late(args)) => {
            take(Bundle::Certificate, &args.clearance, &args.out, reach, style)
        }
        Command::Verify(Late(args)) => verify::verify(&args, style),
        Command::Mine => print::thing(&Door::open(reach)?.mine()?, style),
        Command::Check => check(reach, style),
        Command::Settle => settle(reach, style),
        Command::Timestamps(Late(part)) => stamps::list(&part, reach, style),
        Command::Status => status(reach, style),
        Command::Serve(Late(args)) => about::serve(&args, reach),
        Command::Witness(Late(verb)) => witness::witness(&verb, style),
        Command::Monitor(Late(args)) => monitor::monitor(&args, reach, style),
        Command::Scenario(Late(verb)) => scenario::run(&verb, style),
        Command::Completions(Late(args)) => about::completions(&args),
        Command::Man(Late(args)) => about::man(&args, style),
        Command::Version => about::version(style),
        _ => unreachable!("`act` has done every other command"),
    }
}

/// The house as it stands. What puts its keys at risk is a remark, in whichever form it is shown.
fn status(reach: &Reach, style: Style) -> Result<(), Trouble> {
    let value = Door::open(reach)?.show("status")?;
    let swap = value["swap_in_clear"].as_array().map_or(&[][..], Vec::as_slice);
    for area in swap.iter().filter_map(|area| area.as_str()) {
        print::remark(&print::swap(area));
    }
    print::thing(&value, style)
}

fn take(kind: Bundle, id: &str, out: &OutArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = Door::open(reach)?;
    let name = match kind {
        Bundle::Matter(Some(reader)) => format!("{id}-{reader}.bailee.zip"),
        Bundle::Matter(None) | Bundle::Receipt | Bundle::Certificate | Bundle::Keys => {
            format!("{id}.bailee.zip")
        }
    };
    let path = out.out.clone().unwrap_or_else(|| PathBuf::from(name));
    let saved = save(&path, |out| door.bundle(kind, id, out))?;
    match (saved, style) {
        (None, _) => Ok(()),
        (Some(path), Style::Json) => print::json(&json!({ "saved": path })),
        (Some(path), Style::Words) => print::out(&format!("{}\n", path.display())),
    }
}

fn check(reach: &Reach, style: Style) -> Result<(), Trouble> {
    let report = match Door::open(reach)? {
        Door::Here(here) => here.check()?,
        Door::There(client) => client.wait("/v1/checks", &json!({}))?,
    };
    match style {
        Style::Json => print::json(&json!(report))?,
        Style::Words => {
            let good = report.good;
            print::thing(&json!(report), style)?;
            print::out(if good { "every rule and every proof holds\n" } else { "NOT GOOD\n" })?;
        }
    }
    if report.good { Ok(()) } else { Err(Trouble::Said(1)) }
}

fn settle(reach: &Reach, style: Style) -> Result<(), Trouble> {
    let settled: Settled = match Door::open(reach)? {
        Door::Here(here) => settling::settle(&here.house),
        Door::There(client) => client.wait("/v1/settlements", &json!({}))?,
    };
    for line in &settled.remarks {
        print::remark(&format!("still pending: {}", print::safe(line)));
    }
    let left = settled.still_pending;
    match style {
        Style::Json => print::json(&json!({ "still_pending": left }))?,
        Style::Words if left == 0 => print::out("nothing is left to do\n")?,
        Style::Words => {}
    }
    if left == 0 { Ok(()) } else { Err(Trouble::Said(3)) }
}
