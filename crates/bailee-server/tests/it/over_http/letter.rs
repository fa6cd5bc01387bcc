//! A letter of a story as the bytes that would arrive, and what stands beside it in the query.

use bailee_core::NewDemand;
use bailee_core::demand::Medium;
use bailee_core::party::ChannelKind;

/// The host that letters go to; each legal entity has an address here.
pub(super) const HOST: &str = "host.example";

/// The sender's address for mail.
pub(super) fn address(new: &NewDemand) -> Option<&str> {
    let mut channels = new.from.channels.iter();
    let mail = channels.find(|channel| channel.kind == ChannelKind::Email)?;
    Some(&mail.address)
}

pub(super) fn of(new: &NewDemand) -> Vec<u8> {
    let to = new.entity.map_or("legal".to_owned(), |entity| entity.to_string().to_lowercase());
    let from = address(new).unwrap_or("nobody@nowhere.example");
    let name = new.from.name.replace('"', "");
    let text = &new.text;
    let coding = match new.damaged {
        true => "x-torn",
        false => "8bit",
    };
    format!(
        "From: \"{name}\" <{from}>\r\nTo: {to}@{HOST}\r\nDate: Thu, 1 Mar 2012 09:14:00 +0000\r\n\
         Message-ID: <{}@letters.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {coding}\r\n\r\n\
         {text}\r\n",
        bailee_ledger::to_hex(&bailee_store::digest(text.as_bytes()))
    )
    .into_bytes()
}

pub(super) fn query(new: &NewDemand) -> String {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    pairs.extend(new.instrument.iter().map(|code| ("instrument", code.clone())));
    pairs.extend(new.silent.map(|silent| ("silent", silent.to_string())));
    let medium = match new.medium {
        Medium::Email => None,
        Medium::Post => Some("post"),
        Medium::Portal => Some("portal"),
        Medium::Oral => Some("oral"),
        Medium::Fax => Some("fax"),
    };
    pairs.extend(medium.map(|medium| ("medium", medium.to_owned())));
    pairs.extend(new.scope.accounts.iter().map(|id| ("account", id.to_string())));
    pairs.extend(new.scope.assets.iter().map(|id| ("asset", id.to_string())));
    pairs.extend(new.scope.identifiers.iter().map(|text| ("identifier", text.clone())));
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}
