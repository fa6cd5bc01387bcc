//! `bailee witness`: makes, shows and serves a witness of other people's logs.
//!
//! Invariants: the private key is on disk and nowhere else; what is printed is public. Exit 1 from
//! `status` means that a log has signed two trees, and prints the proof.

use std::path::Path;

use bailee_server::core::Time;
use bailee_server::core::counted;
use bailee_server::witness::{self, Init, OnRecord, Witness, WitnessError};
use serde_json::{Value, json};

use crate::cli::witness::{InitArgs, WitnessVerb};
use crate::log;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// Does what was typed.
pub(crate) fn witness(verb: &WitnessVerb, style: Style) -> Result<(), Trouble> {
    match verb {
        WitnessVerb::Init(args) => init(args, style),
        WitnessVerb::Watch { dir, vkey } => {
            Witness::watch(dir, vkey).map_err(|error| trouble(dir, &error))?;
            status(dir, style)
        }
        WitnessVerb::Serve { dir, listen } => {
            log::to_standard_error();
            let witness = Witness::open(dir).map_err(|error| trouble(dir, &error))?;
            let name = witness.keys()[0].name().to_owned();
            let count = witness.origins().len();
            let ready = move |address| {
                let logs = counted(count, "log");
                print::remark(&format!(
                    "{name} watches {logs} and answers on http://{address}; SIGTERM or ^C stops it"
                ));
            };
            witness::serve(witness, *listen, ready).map_err(|e| {
                let change = "look whether the address is free and belongs to this machine";
                Trouble::failed("serve_failed", listen, e, change)
            })
        }
        WitnessVerb::Status { dir } => status(dir, style),
    }
}

fn init(args: &InitArgs, style: Style) -> Result<(), Trouble> {
    let with = if args.ml_dsa { Init::WithMlDsa } else { Init::Ed25519 };
    let made = Witness::init(&args.dir, &args.name, with);
    let made = made.map_err(|error| trouble(&args.dir, &error))?;
    let keys: Vec<String> = made.keys().iter().map(|key| key.to_vkey()).collect();
    let lines = policy_lines(&args.name, &keys);
    if style == Style::Json {
        return print::json(&json!({ "dir": args.dir, "keys": keys, "policy": lines }));
    }
    let mut text = format!("witness in {}\n", args.dir.display());
    keys.iter().for_each(|key| text.push_str(&format!("key      {key}\n")));
    text.push_str(
        "\nFor the policy of a log that asks this witness, with the URL it can be asked at:\n",
    );
    lines.iter().for_each(|line| text.push_str(&format!("{line}\n")));
    text.push_str("\nThen watch the log's key: bailee witness watch DIR VKEY\n");
    print::out(&text)
}

/// A policy line for each key.
fn policy_lines(name: &str, keys: &[String]) -> Vec<String> {
    let suffixed = |n: usize| if n == 0 { name.to_owned() } else { format!("{name}/ml-dsa") };
    let lines = keys.iter().enumerate();
    lines.map(|(n, key)| format!("witness {} {key} https://URL", suffixed(n))).collect()
}

fn status(dir: &Path, style: Style) -> Result<(), Trouble> {
    let failed = |error: &WitnessError| trouble(dir, error);
    let witness = Witness::open(dir).map_err(|error| failed(&error))?;
    let records: Result<Vec<OnRecord>, WitnessError> =
        witness.origins().into_iter().map(|origin| witness.on_record(origin)).collect();
    let records = records.map_err(|error| failed(&error))?;
    let keys: Vec<String> = witness.keys().iter().map(|key| key.to_vkey()).collect();
    let forked = records.iter().any(|record| record.fork.is_some());
    match style {
        Style::Json => {
            let logs: Vec<Value> = records.iter().map(as_json).collect();
            print::json(&json!({ "keys": keys, "logs": logs }))?;
        }
        Style::Words => {
            let mut text = String::new();
            keys.iter().for_each(|key| text.push_str(&format!("key   {key}\n")));
            records.iter().for_each(|record| text.push_str(&in_words(record)));
            print::out(&text)?;
        }
    }
    if forked { Err(Trouble::Said(1)) } else { Ok(()) }
}

fn as_json(record: &OnRecord) -> Value {
    let OnRecord { origin, note, size, time, fork } = record;
    let note = note.as_ref().map(ToString::to_string);
    json!({ "origin": origin, "size": size, "cosigned_at": time, "checkpoint": note, "fork": fork })
}

fn in_words(record: &OnRecord) -> String {
    let OnRecord { origin, size, time, fork, .. } = record;
    let mut text = match record.note {
        None => format!("log   {origin}: nothing cosigned yet\n"),
        Some(_) => {
            let time = Time::from_unix(i64::try_from(*time).unwrap_or(i64::MAX));
            format!("log   {origin}: size {size} cosigned, at {time}\n")
        }
    };
    if let Some(proof) = fork {
        text.push_str("FORKED: it has signed both of these\n");
        proof.lines().for_each(|line| text.push_str(&format!("  {}\n", print::safe(line))));
    }
    text
}

fn trouble(dir: &Path, error: &WitnessError) -> Trouble {
    let about = dir.display();
    match error {
        WitnessError::AlreadyAWitness(_) => {
            Trouble::refused("already_a_witness", about, error, "choose another directory")
        }
        WitnessError::NotAWitness(_) => {
            Trouble::usage(about, error, "name the directory that `bailee witness init` made")
        }
        WitnessError::NoRecords(_) => {
            let change = "make a new witness, and tell the logs that asked this one";
            Trouble::refused("no_records", about, error, change)
        }
        WitnessError::Key(_) | WitnessError::Logs { .. } => {
            Trouble::usage(about, error, "correct it and try again")
        }
        _ => Trouble::failed("witness_failed", about, error, "look at the directory and the disk"),
    }
}
