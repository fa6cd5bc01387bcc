//! `bailee intake`: a letter goes in, and what became of it is said.
//!
//! Invariants: what is said to be frozen is frozen; what was recorded is said, also if its receipt
//! could not be saved. Whether a letter matches anything is for staff
//! only: whoever holds a token that opens intake and nothing else learns where it was recorded. A
//! letter that is larger than any house takes is refused before it is sent.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bailee_server::api::{Problem, Received};
use bailee_server::intake::LARGEST_MESSAGE;
use serde_json::{Value, json};

use crate::cli::Reach;
use crate::cli::prove::IntakeArgs;
use crate::door::Door;
use crate::letter::Letter;
use crate::print::{self, Style};
use crate::save::save;
use crate::trouble::Trouble;

/// Hands the letter in.
pub(crate) fn intake(args: IntakeArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let raw = read(&args.file)?;
    let (instrument, silent) = (args.instrument, args.silent);
    let (medium, sender) = (args.medium, args.sender.who());
    let letter = Letter { raw, instrument, silent, medium, sender, scope: args.scope.scope() };
    let door = Door::open(reach)?;
    let received = door.intake(&letter)?;
    let saved = match (&received, &args.receipt) {
        (Received::Demand { demand, .. }, Some(path)) => {
            save(path, |out| door.receipt(&letter, demand, out))
        }
        _ => Ok(None),
    };
    // The letter was taken, whatever became of the receipt: that is said first.
    let (saved, failed) = saved.map_or_else(|e| (None, Some(e)), |saved| (saved, None));
    // With the receipt on standard output, the answer is a remark.
    let to_pipe = args.receipt.is_some() && saved.is_none() && failed.is_none();
    let text = match style {
        Style::Json => format!("{:#}\n", json!({ "received": received, "saved": saved })),
        Style::Words => in_words(&received, saved.as_ref(), &door),
    };
    if to_pipe {
        print::aside(text.trim_end());
    } else {
        print::out(&text)?;
    }
    failed.map_or(Ok(()), Err)
}

/// The letter's bytes, no more than any house takes.
fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    let most = LARGEST_MESSAGE as u64;
    let failed = |e| Trouble::io(format!("read {}", path.display()), &e);
    let mut raw = Vec::new();
    let from: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(File::open(path).map_err(failed)?),
    };
    from.take(most + 1).read_to_end(&mut raw).map_err(failed)?;
    if raw.len() as u64 > most {
        let change = "hand in the letter without its attachments; then each of them as a document \
                      of its matter: bailee matter file M-1 --from P-4 --exhibit FILE";
        let detail = format!("has more than {most} bytes, the most a letter may have");
        let about = path.display().to_string();
        return Err(Problem::new(413, "body_too_large", about, detail, change).into());
    }
    Ok(raw)
}

fn in_words(received: &Received, saved: Option<&PathBuf>, door: &Door) -> String {
    let mut text = match received {
        Received::Demand { demand, position, again: true, .. } => {
            format!("{demand}  this very letter is on record already, at entry {position}\n")
        }
        Received::Demand { demand, position, .. } => {
            let became = match unmatched(demand, door) {
                Some(true) => format!(
                    "; nothing here matches it yet, so nothing is frozen; a person was called \
                     (bailee demand match {demand} …)"
                ),
                Some(false) => {
                    "; what it asks to keep is frozen until a person has decided".to_owned()
                }
                None if saved.is_some() => String::new(),
                None => "; receipt: the same command again, with --receipt FILE".to_owned(),
            };
            format!("{demand}  recorded at entry {position}{became}\n")
        }
        Received::Report { notice, evidence } => {
            format!("{notice}  a mail system reports: {evidence}\n")
        }
        Received::Page { duty } => format!("{duty}  a mail system reports on the page about it\n"),
    };
    if let Some(path) = saved {
        text.push_str(&format!("receipt  {}\n", path.display()));
    }
    text
}

/// True if the demand matches nothing of this house; `None` if whoever speaks may not know.
fn unmatched(demand: &str, door: &Door) -> Option<bool> {
    let shown = door.show(demand).ok()?;
    let flags = shown["flags"].as_array()?;
    Some(flags.iter().filter_map(Value::as_str).any(|flag| flag == "unmatched"))
}
