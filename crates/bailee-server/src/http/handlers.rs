//! What each route does, synchronously: a question and the house give an answer.
//!
//! Invariants: whoever comes this far is admitted; a handler that needs to know whose something is
//! asks here and nowhere else. A demand that was recorded is never answered with an error, even if
//! its receipt cannot be made at once: the sender would think it was not received.

use std::cell::Cell;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use bailee_core::By;
use bailee_core::disclosure::Audience;
use bailee_core::id::{BadId, ClearanceId, DemandId, MatterId, PartyId};
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, watch};

use crate::api::words::{self, Verb};
use crate::api::{
    Problem, Received, Request, gate as ask_gate, mine as show_mine, perform, show as show_thing,
};
use crate::clock;
use crate::house::House;
use crate::http::auth::{Caller, is_own};
use crate::http::bundles::Askers;
use crate::http::cover::cover;
use crate::http::incoming::Flow;
use crate::http::metrics::Metrics;
use crate::http::openapi;
use crate::http::places::Places;
use crate::http::reply::{JSON, Reply, TEXT, ZIP};
use crate::http::stream::Stream;
use crate::intake::{self, Taken};
use crate::matter;
use crate::probing;
use crate::receipt::{self, ReceiptError};
use crate::room::Trouble;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) house: Arc<House>,
    pub(crate) metrics: Metrics,
    /// Wakes the thread that settles.
    pub(crate) nudge: SyncSender<()>,
    /// Held by the one request that reads the whole log or vault.
    pub(crate) upkeep: Arc<Places>,
    /// Held by the one request that brings a source.
    pub(crate) preserving: Arc<Places>,
    /// Places for those that take a snapshot.
    pub(crate) giving: Arc<Places>,
    /// Places for those that hand a document in.
    pub(crate) handing_in: Semaphore,
    /// Who has asked for bundles.
    pub(crate) bundles: Arc<Askers>,
    /// Whether the service was told to end.
    pub(crate) ending: watch::Receiver<bool>,
}

/// One question.
pub(crate) struct Ask {
    pub(crate) caller: Option<Caller>,
    /// The path, as it was sent.
    pub(crate) path: String,
    pub(crate) query: String,
    /// The last `{…}` of the route.
    pub(crate) param: String,
    pub(crate) headers: HeaderMap,
    /// Taken by whoever reads it: a large letter is in memory once.
    pub(crate) body: Cell<Vec<u8>>,
    /// Where the body is worked on as it comes: it.
    pub(crate) flow: Cell<Option<Flow>>,
}

impl Ask {
    /// In whose name: the token's party.
    pub(crate) fn by(&self) -> By {
        self.caller.map_or(By::System, |caller| By::Party(caller.party))
    }

    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let read = serde_json::from_slice(&self.body.take());
        read.map_err(|e| Problem::bad_request("the body", format!("is not what is read here: {e}")))
    }

    /// The id in the path.
    pub(crate) fn id<I: FromStr<Err = BadId>>(&self) -> Result<I, Problem> {
        self.param.parse().map_err(|e: BadId| Problem::bad_request("the path", e.to_string()))
    }

    /// A parameter of the query, or else a header, if one of them is there.
    pub(crate) fn said(&self, name: &str, header: &str) -> Option<String> {
        let first = self.all_said(name).next();
        first.or_else(|| Some(self.headers.get(header)?.to_str().ok()?.to_owned()))
    }

    /// Every value of a parameter of the query, in order.
    pub(crate) fn all_said(&self, name: &str) -> impl Iterator<Item = String> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(move |(key, _)| *key == name).map(|(_, value)| decoded(value))
    }

    /// The first value of a parameter, as the bytes it was sent as: a path may be no text.
    pub(crate) fn bytes_said(&self, name: &str) -> Option<Vec<u8>> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| undone(value))
    }

    fn accepts(&self, media: &str) -> bool {
        let accept = self.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
        accept.is_some_and(|accept| {
            accept.split(',').any(|one| one.split(';').next().unwrap_or_default().trim() == media)
        })
    }
}

/// A value of a query without its percent signs; what is no UTF-8 is replaced, and then unknown.
fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&undone(text)).into_owned()
}

/// A value of a query without its percent signs.
fn undone(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |n: usize| char::from(*tail.get(n)?).to_digit(16);
        match (*first, digit(0).zip(digit(1))) {
            (b'%', Some((high, low))) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

pub(crate) fn commands(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let request: Request = ask.json()?;
    let answer = perform(&shared.house, request, ask.by())?;
    Reply::json(if answer.new.is_empty() { 200 } else { 201 }, &answer)
}

pub(crate) fn take_in(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let raw = ask.body.take();
    if raw.is_empty() {
        return Err(Problem::bad_request("the body", "is empty: send the letter's exact bytes"));
    }
    let taken = intake::take(&shared.house, raw, cover(shared, ask)?, ask.by())?;
    let received = Received::from(&taken);
    let Taken::Demand { demand, position, again } = taken else {
        return Reply::json(200, &received);
    };
    let status = if again { 200 } else { 201 };
    let place = format!("/v1/demands/{demand}");
    // The receipt of a letter that was here before counts as one that is asked for by itself.
    let turn = again.then(|| shared.bundles.turn(&shared.house, ask.caller));
    let may = turn.as_ref().is_none_or(Result::is_ok);
    let mut bundle = Vec::new();
    if may && ask.accepts(ZIP) && receipt::demand(&shared.house, demand, &mut bundle).is_ok() {
        let reply = Reply { status, ..Reply::bytes(ZIP, bundle) };
        let reply = reply.with("location", place).with("bailee-demand", demand.to_string());
        return Ok(reply.with("bailee-position", position.to_string()));
    }
    Ok(Reply::json(status, &received)?.with("location", place))
}

pub(crate) fn show(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    show_named(shared, ask, &ask.param)
}

/// A list whose path is also one that is posted to: the router would not look further for it.
pub(crate) fn show_clearances(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    show_named(shared, ask, "clearances")
}

fn show_named(shared: &Shared, ask: &Ask, name: &str) -> Result<Reply, Problem> {
    let what = match ask.query.as_str() {
        "" => name.to_owned(),
        query => format!("{name}?{query}"),
    };
    Reply::json(200, &show_thing(&shared.house, &what)?)
}

pub(crate) fn mine(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let missing = || Problem::failure("house_failed", "the request", "came in without a caller");
    let caller = ask.caller.ok_or_else(missing)?;
    Reply::json(200, &show_mine(&shared.house, caller.party)?)
}

pub(crate) fn gate(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let verb = match ask.said("verb", "bailee-verb") {
        None => Verb::LetGo,
        Some(word) => {
            let read = word.parse();
            read.map_err(|e: words::BadWord| Problem::bad_request("verb", e.to_string()))?
        }
    };
    Reply::json(200, &ask_gate(&shared.house, &ask.param, verb)?)
}

/// For the house, and for the party whose demand it is. To anybody else no demand exists.
pub(crate) fn receipt_of(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let id = ask.id::<DemandId>()?;
    let missing = || Problem::not_found(id.to_string());
    let from =
        shared.house.with_state(|s| s.demands.get(id).map(|d| d.from))?.ok_or_else(missing)?;
    match ask.caller {
        Some(caller) if caller.of_house || is_own(&shared.house, caller, from)? => {}
        _ => return Err(missing()),
    }
    let _turn = shared.bundles.turn(&shared.house, ask.caller)?;
    let mut bundle = Vec::new();
    receipt::demand(&shared.house, id, &mut bundle)?;
    Ok(zip(bundle, &format!("{id}.bailee.zip")))
}

/// For the house, whoever it is made for; a party gets its own part and nobody else's.
pub(crate) fn matter_bundle(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let id = ask.id::<MatterId>()?;
    let missing = || Problem::failure("house_failed", "the request", "came in without a caller");
    let caller = ask.caller.ok_or_else(missing)?;
    let asked = ask.said("for", "bailee-for").map(|text| text.parse::<PartyId>()).transpose();
    let asked = asked.map_err(|e| Problem::bad_request("for", e.to_string()))?;
    let reader = match (asked, caller.of_house) {
        (None, true) => None,
        (None, false) => Some(caller.party),
        (Some(party), of_house) if of_house || party == caller.party => Some(party),
        (Some(party), _) => {
            return Err(ReceiptError::NothingToSee { party, matter: id }.into());
        }
    };
    let (name, audience) = match reader {
        None => (format!("{id}.bailee.zip"), Audience::Counsel),
        Some(party) => {
            let audience = shared.house.with_state(|s| Audience::of(s, party))?;
            (format!("{id}-{party}.bailee.zip"), audience)
        }
    };
    let turn = shared.bundles.turn(&shared.house, ask.caller)?;
    let house = shared.house.clone();
    let stream = Stream::begin(move |out| {
        let _turn = turn;
        Ok(matter::bundle(&house, id, audience, out)?)
    })?;
    Ok(named(Reply::stream(ZIP, stream), &name))
}

pub(crate) fn certificate(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let id = ask.id::<ClearanceId>()?;
    let mut bundle = Vec::new();
    receipt::certificate(&shared.house, id, &mut bundle)?;
    Ok(zip(bundle, &format!("{id}.bailee.zip")))
}

fn zip(bundle: Vec<u8>, name: &str) -> Reply {
    named(Reply::bytes(ZIP, bundle), name)
}

fn named(reply: Reply, name: &str) -> Reply {
    reply.with("content-disposition", format!("attachment; filename=\"{name}\""))
}

pub(crate) fn livez(_: &Shared, _: &Ask) -> Result<Reply, Problem> {
    Ok(Reply::bytes(TEXT, b"alive\n".to_vec()))
}

/// Ready: the state can be read, more can be recorded, and a checkpoint has been signed. What is
/// wrong with witnesses is told, and changes nothing: no witness may keep the house from taking
/// letters.
pub(crate) fn readyz(shared: &Shared, _: &Ask) -> Result<Reply, Problem> {
    shared.house.with_state(|s| s.head)?;
    if let Some(Trouble { why, words }) = shared.house.trouble() {
        return Err(match why {
            Some(why) => Problem::unwritable(why, words),
            None => {
                let change = "look into the log of the service and at the medium (`dmesg`)";
                Problem::new(503, "cannot_record", "the log", words, change)
            }
        });
    }
    match shared.house.checkpoint() {
        Some(_) => {
            let watched = shared.house.watched();
            let wrong = watched.iter().filter_map(|one| {
                let what = one.contradiction.as_ref().or(one.lapse.as_ref())?;
                Some(format!("witness {}: {}\n", one.name, what.word()))
            });
            let mut told: String = wrong.collect();
            let stands = shared.house.timestamp_authorities();
            let mute = stands.iter().filter(|stand| stand.trouble.is_some());
            told.extend(mute.map(|one| format!("timestamp authority {}: no tokens\n", one.name)));
            if !probing::bad(&shared.house)?.is_empty() {
                told.push_str("packs: what keeps them is not as it should be; `bailee status`\n");
            }
            if let Some(remark) = clock::remark(&shared.house)? {
                told.extend(["clock: ", &remark, "\n"]);
            }
            if !shared.house.signs() {
                told.push_str("signing: stopped; `bailee keys show` says why\n");
            }
            Ok(Reply::bytes(TEXT, format!("ready\n{told}").into_bytes()))
        }
        None => {
            let detail = "has not signed a checkpoint yet";
            Err(Problem::new(503, "nothing_signed", "the log", detail, "ask again in a second"))
        }
    }
}

pub(crate) fn metrics(shared: &Shared, _: &Ask) -> Result<Reply, Problem> {
    let kinds = [
        ("giving", &*shared.giving),
        ("preserving", &*shared.preserving),
        ("upkeep", &*shared.upkeep),
    ];
    let text = shared.metrics.text(&shared.house, &kinds)?;
    Ok(Reply::bytes("text/plain; version=0.0.4; charset=utf-8", text.into_bytes()))
}

pub(crate) fn openapi(_: &Shared, _: &Ask) -> Result<Reply, Problem> {
    Ok(Reply::bytes(JSON, openapi::document().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_are_read_and_never_read_past_the_end() {
        assert_eq!(decoded("epoc-pr"), "epoc-pr");
        assert_eq!(decoded("18%20USC%202703"), "18 USC 2703");
        assert_eq!(decoded("%"), "%");
        assert_eq!(decoded("a%2"), "a%2");
        assert_eq!(decoded("%zz%41"), "%zzA");
        assert_eq!(decoded("%ff"), "\u{fffd}");
        assert_eq!(undone("a%ff%2Fb"), b"a\xff/b");
    }
}
