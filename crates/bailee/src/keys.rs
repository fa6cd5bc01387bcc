//! Keys: shown, protected, rotated, given up.
//!
//! Order of a lost key: the entry that says where the old log ended is durable -> the house is
//! opened -> what was left pending is carried out -> the answer.

use std::path::PathBuf;

use bailee_server::api::words::KeyEnd;
use bailee_server::api::{Answer, Request};
use bailee_server::core::counted;
use bailee_server::keys::escrow::Recipient;
use bailee_server::keys::{self, Secrets, lost, rotate};
use bailee_server::store::DirLock;
use bailee_server::{Clock, House, HouseError};
use serde_json::{Value, json};

use crate::act::ordinary;
use crate::cli::Reach;
use crate::cli::ask::{self, ReasonArgs};
use crate::cli::keys::{ContinueArgs, KeysVerb, VaultKeyVerb};
use crate::cli::prove::OutArgs;
use crate::door::{Bundle, Door, read_id};
use crate::print::{self, Style};
use crate::save::save;
use crate::trouble::Trouble;
use crate::verify::read_key;

/// `bailee keys`.
pub(crate) fn keys(verb: KeysVerb, reach: &Reach, style: Style) -> Result<(), Trouble> {
    match verb {
        KeysVerb::Show => show(reach, style),
        KeysVerb::Protect { passphrase_file } => protect(passphrase_file, reach, style),
        KeysVerb::Rotate { overlap_days, reason } => propose(overlap_days, reason, reach, style),
        KeysVerb::Approve { rotation } => {
            ordinary(Request::ApproveRotation { rotation }.into(), reach, style)
        }
        KeysVerb::Retire { rotation, stolen, reason } => {
            let why = if stolen { KeyEnd::Stolen } else { KeyEnd::Retired };
            let reason = reason.read()?;
            ordinary(Request::EndRotation { rotation, why, reason }.into(), reach, style)
        }
        KeysVerb::Cancel { rotation, reason } => {
            let reason = reason.read()?;
            ordinary(Request::CancelRotation { rotation, reason }.into(), reach, style)
        }
        KeysVerb::Policy => policy(reach, style),
        KeysVerb::Announce { change, out } => announce(&change, &out, reach, style),
        KeysVerb::Continue(args) => go_on(args, reach, style),
        KeysVerb::Vault(verb) => vault_key(verb, reach, style),
    }
}

fn show(reach: &Reach, style: Style) -> Result<(), Trouble> {
    let value = Door::open(reach)?.show("keys")?;
    if style == Style::Json {
        return print::json(&value);
    }
    let rows = |name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let (mut table, mut vkeys) = (Vec::new(), String::new());
    for mut row in rows("keys") {
        if let Some(Value::String(vkey)) = row.get("vkey") {
            vkeys.push_str(&format!("{}\n", shortened(vkey)));
        }
        row.as_object_mut().map(|row| row.remove("vkey"));
        table.push(row);
    }
    print::table(&table)?;
    print::out(&vkeys)?;
    if !rows("rotations").is_empty() {
        print::table(&rows("rotations"))?;
    }
    if !rows("continued").is_empty() {
        print::table(&rows("continued"))?;
    }
    for remark in rows("remarks") {
        print::remark(&format!("remark: {}", remark.as_str().unwrap_or_default()));
    }
    Ok(())
}

/// A vkey as people compare it. That of ML-DSA has two kilobytes: `--json` and the policy have it.
fn shortened(vkey: &str) -> String {
    match vkey.char_indices().nth(120) {
        None => vkey.to_owned(),
        Some((at, _)) => format!("{}…", &vkey[..at]),
    }
}

fn protect(file: Option<PathBuf>, reach: &Reach, style: Style) -> Result<(), Trouble> {
    local("`keys protect`", reach)?;
    let _lock = DirLock::acquire_within(&reach.dir, reach.patience()).map_err(HouseError::from)?;
    let new = keys::new_passphrase(file.as_deref())?;
    let done = keys::protect(&reach.dir, &Secrets::from_environment(), &new)?;
    match style {
        Style::Json => print::json(&json!({ "protected": done })),
        Style::Words => print::out(&format!("under the passphrase: {}\n", done.join(", "))),
    }
}

fn vault_key(verb: VaultKeyVerb, reach: &Reach, style: Style) -> Result<(), Trouble> {
    local("`keys vault`", reach)?;
    let secrets = Secrets::from_environment();
    let read = |to: &str| -> Result<Recipient, Trouble> {
        let no = |why: &str| Trouble::usage("the recipient", why, "take what `age-keygen -y` says");
        Recipient::parse(to).map_err(|why| no(&why.to_string()))
    };
    let _lock = DirLock::acquire_within(&reach.dir, reach.patience()).map_err(HouseError::from)?;
    match verb {
        VaultKeyVerb::Escrow { to, out } => {
            keys::vault::escrow(&reach.dir, &secrets, &read(&to)?, &out)?;
            match style {
                Style::Json => print::json(&json!({ "saved": out })),
                Style::Words => print::out(&format!("{}\n", out.display())),
            }
        }
        VaultKeyVerb::Rotate { escrow_to, out } => {
            let to = escrow_to.as_deref().map(read).transpose()?;
            let done = keys::vault::rotate(&reach.dir, &secrets, to.as_ref().zip(out.as_deref()))?;
            let destroyed = done.destroyed.len();
            if style == Style::Json {
                let json = json!({
                    "kek": done.kek, "tenants": done.tenants, "destroyed": done.destroyed,
                });
                return print::json(&json);
            }
            print::out(&format!(
                "the vault's key is {}; it opens {} of tenants; destroyed: {} under other keys\n",
                done.kek,
                counted(done.tenants, "root"),
                counted(destroyed, "copy")
            ))?;
            if to.is_none() {
                print::remark("copies of the old key, counsel's too, open nothing any more");
            }
            Ok(())
        }
    }
}

fn propose(
    overlap_days: u32,
    reason: ReasonArgs,
    reach: &Reach,
    style: Style,
) -> Result<(), Trouble> {
    let door = Door::open_here(reach, "`keys rotate`")?;
    let here = door.here("`keys rotate`")?;
    let (reason, exhibits) = reason.read_whole()?.into_core()?;
    let by = here.speaker()?;
    let done = rotate::propose(&here.house, by, overlap_days, &reason, exhibits)?;
    here.settle();
    print::answer(&Answer::from(&done), style)
}

fn policy(reach: &Reach, style: Style) -> Result<(), Trouble> {
    let text = Door::open(reach)?.policy()?;
    match style {
        Style::Json => print::product(&format!("{:#}\n", json!({ "policy": text }))),
        Style::Words => print::product(&text),
    }
}

fn announce(change: &str, out: &OutArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let door = Door::open(reach)?;
    let path = out.out.clone().unwrap_or_else(|| PathBuf::from("keys.bailee.zip"));
    let saved = save(&path, |out| door.bundle(Bundle::Keys, change, out))?;
    match (saved, style) {
        (None, _) => Ok(()),
        (Some(path), Style::Json) => print::json(&json!({ "saved": path })),
        (Some(path), Style::Words) => print::out(&format!("{}\n", path.display())),
    }
}

fn go_on(args: ContinueArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    local("`keys continue`", reach)?;
    let by = reach.speaker.as_deref().map(read_id).transpose()?;
    let detail = "everything that is recorded names who asked for it";
    let unnamed = || Trouble::usage("--as", detail, "say who is speaking: --as P-1, or $BAILEE_AS");
    let (reason, exhibits) = args.reason.read_whole()?.into_core()?;
    let to = lost::GoOn {
        origin: &args.origin,
        checkpoint: &ask::read(&args.checkpoint)?,
        key: args.key.as_deref().map(read_key).transpose()?,
        by: by.ok_or_else(unnamed)?,
        reason,
        exhibits,
    };
    let done = lost::go_on(&reach.dir, to, &Clock::Wall, &Secrets::from_environment())?;
    let house = House::open(&reach.dir, Clock::Wall)?;
    for error in house.settle() {
        print::remark(&format!("still pending: {error}"));
    }
    print::answer(&Answer::from(&done), style)
}

fn local(what: &str, reach: &Reach) -> Result<(), Trouble> {
    match &reach.server {
        None => Ok(()),
        Some(_) => Err(Trouble::usage(
            what,
            "works on the data directory itself and not through --server",
            "run it on the server's machine with --dir, while `bailee serve` is stopped",
        )),
    }
}
