//! `bailee init`: a new house with its first people.
//!
//! Order: what was typed is read in full -> directory, keys, journal, instruments -> entity and
//! people -> answer. A crash in between leaves a house without all of its people: `bailee party
//! add` adds them. An existing house is refused and left as it is.

use bailee_server::api::parts::{Channel, Who};
use bailee_server::api::words::{ChannelKind, Role};
use bailee_server::api::{self, Request};
use bailee_server::core::By;
use bailee_server::keys::Source;
use bailee_server::{Clock, Config, House, keys};
use serde_json::{Value, json};

use crate::cli::Reach;
use crate::cli::run::InitArgs;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// Makes the house.
pub(crate) fn init(args: &InitArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    if reach.server.is_some() {
        let change = "run it on the server's machine with --dir";
        return Err(Trouble::usage("`init`", "makes a directory on this machine", change));
    }
    let counsel = args.counsel.iter().map(|text| Ok((person(text)?, Role::Counsel)));
    let staff = args.staff.iter().map(|text| Ok((person(text)?, Role::Staff)));
    let people: Result<Vec<(Who, Role)>, Trouble> = counsel.chain(staff).collect();
    let people = people?;
    let mut config = Config::for_origin(&args.origin);
    config.keys.log = args.log_key.clone();
    if let Source::Agent(_) = args.vault_key {
        let change = "use file, or a key in a token: pkcs11:…";
        return Err(Trouble::usage("--vault-key", "an agent signs and opens nothing", change));
    }
    config.keys.vault = args.vault_key.clone();
    let passphrase = match args.protect {
        true => Some(keys::new_passphrase(args.passphrase_file.as_deref())?),
        false => None,
    };
    let house = House::create_protected(&reach.dir, &config, Clock::Wall, passphrase.as_ref())?;
    let (name, country) = (args.entity.clone(), args.country.clone());
    let entity = made(&house, Request::RegisterEntity { name, country })?;
    let mut ids = Vec::new();
    for (who, role) in people {
        let name = who.name.clone();
        let request = Request::RegisterParty { who, roles: vec![role], same_person_as: None };
        ids.push((made(&house, request)?, role, name));
    }
    for error in house.settle() {
        print::remark(&format!("still pending: {error}"));
    }
    let status = api::show(&house, "status")?;
    told(&status, &entity, &ids, args, reach, style)
}

fn made(house: &House, request: Request) -> Result<String, Trouble> {
    let answer = api::perform(house, request, By::System)?;
    Ok(answer.new.into_iter().next().unwrap_or_default())
}

fn told(
    status: &Value,
    entity: &str,
    people: &[(String, Role, String)],
    args: &InitArgs,
    reach: &Reach,
    style: Style,
) -> Result<(), Trouble> {
    let rows: Vec<Value> = people
        .iter()
        .map(|(id, role, name)| json!({ "id": id, "role": role, "name": name }))
        .collect();
    let (log, clearance) = (&status["log_key"], &status["clearance_key"]);
    if style == Style::Json {
        return print::json(&json!({
            "dir": reach.dir, "origin": args.origin, "log_key": log,
            "clearance_key": clearance, "entity": entity, "parties": rows,
        }));
    }
    let mut text = format!("house in {}\n", reach.dir.display());
    text.push_str(&format!("{entity:<6} {}, {}\n", print::safe(&args.entity), args.country));
    for (id, role, name) in people {
        text.push_str(&format!("{id:<6} {}, {role}\n", print::safe(name)));
    }
    text.push_str(&format!(
        "log key        {}\nclearance key  {}\nPublish the log key where others find it without \
         you: receipts are verified with it.\n",
        log.as_str().unwrap_or_default(),
        clearance.as_str().unwrap_or_default()
    ));
    print::out(&text)
}

/// `Cora Maas <cora@example.org>`.
fn person(text: &str) -> Result<Who, Trouble> {
    let parts = text.trim().strip_suffix('>').and_then(|text| text.split_once('<'));
    let (name, address) = parts.map(|(name, address)| (name.trim(), address.trim())).unzip();
    match (name.filter(|name| !name.is_empty()), address.filter(|it| it.contains('@'))) {
        (Some(name), Some(address)) => {
            let channel = Channel { kind: ChannelKind::Email, address: address.to_owned() };
            Ok(Who { name: name.to_owned(), channels: vec![channel] })
        }
        _ => {
            let change = "write it like 'Cora Maas <cora@example.org>'";
            Err(Trouble::usage(format!("{text:?}"), "is not a name with an address", change))
        }
    }
}
