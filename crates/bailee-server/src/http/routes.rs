//! The table of routes: method, path, who may, how much is read, which function answers.
//!
//! Invariants: a route that is not in this table does not exist; a route cannot be added without
//! saying who may use it; the tests walk the whole table with every scope. The most particular
//! need is written down: `Intake` opens one route and no other.

use bailee_core::TokenScope;
use bailee_core::TokenScope::{Agent, Intake, Operator, Reader};

use crate::api::Problem;
use crate::http::handlers::{self, Ask, Shared};
use crate::http::reply::Reply;
use crate::http::{clearances, erasures, exhibits, expiries, keys, tiles, transfers, upkeep};
use crate::intake::LARGEST_MESSAGE;

/// Largest JSON request: a command with a document of about 40 MiB in it.
const COMMAND: usize = 64 << 20;
/// Largest body of a step of a clearance; a certificate fits.
const STEP: usize = 4 << 20;

/// Instead of a largest body: it is worked on as it comes, and has no size.
const FLOWS: usize = usize::MAX;

/// What somebody must have to use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the log is public, and so is whether the service lives.
    Nothing,
    /// A token of one of these scopes.
    Party(&'static [TokenScope]),
    /// A token of one of these scopes, of staff or counsel.
    House(&'static [TokenScope]),
}

/// GET or POST; there is no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the methods of HTTP")]
pub enum Method {
    Get,
    Post,
}

impl Method {
    /// As in a request line.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }
}

pub(crate) type Handler = fn(&Shared, &Ask) -> Result<Reply, Problem>;

/// One route.
pub struct Route {
    /// GET or POST.
    pub method: Method,
    /// Path with `{…}` where something is filled in.
    pub path: &'static str,
    /// Who may use it.
    pub need: Need,
    /// Largest body, bytes; 0 for none; the largest number there is: without a bound.
    pub most: usize,
    /// What it does, one line.
    pub about: &'static str,
    /// Name of the schema it reads, if it is JSON.
    pub reads: Option<&'static str>,
    /// Media type and, for JSON, schema of the answer.
    pub gives: (&'static str, Option<&'static str>),
    pub(crate) handler: Handler,
}

impl Route {
    /// Whether its body is worked on as it comes, whatever its size.
    pub fn flows(&self) -> bool {
        self.most == FLOWS
    }
}

macro_rules! routes {
    ($($method:ident $path:literal $need:expr, $most:expr, $reads:expr =>
        $media:literal $schema:expr, $handler:path, $about:literal;)*) => {
        /// Every route there is.
        pub static ROUTES: &[Route] = &[$(Route {
            method: Method::$method,
            path: $path,
            need: $need,
            most: $most,
            about: $about,
            reads: $reads,
            gives: ($media, $schema),
            handler: $handler,
        }),*];
    };
}

routes! {
    Post "/v1/intake" Need::Party(&[Intake, Operator]), LARGEST_MESSAGE, None
        => "application/json" Some("Received"), handlers::take_in,
        "Hand in a letter, as its exact bytes; the answer is its place in the log, or its receipt";
    Post "/v1/commands" Need::Party(&[Operator]), COMMAND, Some("Request")
        => "application/json" Some("Answer"), handlers::commands,
        "Ask for something to be done";
    Post "/v1/exhibits/{sha256}" Need::House(&[Operator]), FLOWS, None
        => "application/json" None, exhibits::hand_in,
        "Hand a large document in, as its exact bytes, ahead of the command that names it";
    Get "/v1/mine" Need::Party(&[Operator, Reader]), 0, None
        => "application/json" None, handlers::mine,
        "What a data owner may see of the house";
    Get "/v1/gate/{asset}" Need::House(&[Agent, Operator, Reader]), 0, None
        => "application/json" None, handlers::gate,
        "May this asset be let go of? With every reason why not";
    Post "/v1/clearances" Need::House(&[Agent, Operator]), STEP, Some("Reserve")
        => "application/json" Some("Reserved"), clearances::reserve,
        "Reserve a clearance for one asset";
    Get "/v1/clearances" Need::House(&[Operator, Reader]), 0, None
        => "application/json" None, handlers::show_clearances,
        "The clearances there are";
    Get "/v1/clearances/{id}/token" Need::House(&[Agent, Operator]), 0, None
        => "application/json" Some("Reserved"), clearances::token,
        "The signed token of a reservation, again";
    Post "/v1/clearances/{id}/begin" Need::House(&[Agent, Operator]), STEP, Some("Begin")
        => "application/json" Some("Leased"), clearances::begin,
        "The point of no return: begin under a lease";
    Post "/v1/clearances/{id}/renew" Need::House(&[Agent, Operator]), STEP, None
        => "application/json" Some("Leased"), clearances::renew,
        "Renew the lease; anything but yes means stop";
    Post "/v1/clearances/{id}/finish" Need::House(&[Agent, Operator]), STEP, Some("Finish")
        => "application/json" Some("Answer"), clearances::finish,
        "Finish, with the certificate";
    Post "/v1/clearances/{id}/abort" Need::House(&[Agent, Operator]), STEP, Some("Abort")
        => "application/json" Some("Answer"), clearances::abort,
        "Give a clearance back, saying what is gone";
    Get "/v1/clearances/{id}/certificate" Need::House(&[Agent, Operator, Reader]), 0, None
        => "application/zip" None, handlers::certificate,
        "The certificate bundle of a finished clearance";
    Post "/v1/erasures" Need::House(&[Operator]), STEP, Some("Erase")
        => "application/json" Some("Erased"), erasures::erase,
        "Erase the custody unit of a snapshot cryptographically, under a clearance";
    Post "/v1/expiries" Need::House(&[Operator]), STEP, Some("Expire")
        => "application/json" Some("Expired"), expiries::expire,
        "Expire a snapshot from the vault under a clearance; repeated, it answers the same";
    Post "/v1/prunes" Need::House(&[Operator]), STEP, Some("Prune")
        => "application/json" None, expiries::prune,
        "Free the space in the vault that nothing needs any more";
    Post "/v1/settlements" Need::House(&[Operator]), STEP, None
        => "application/json" Some("Settled"), expiries::settle,
        "Carry out now what is due: clocks, receipts, notices, pages, timestamps";
    Post "/v1/checks" Need::House(&[Operator]), STEP, None
        => "application/json" Some("CheckReport"), upkeep::check,
        "Check everything: every rule, every proof, every exhibit";
    Post "/v1/scrubs" Need::House(&[Operator]), STEP, Some("Scrub")
        => "application/json" None, upkeep::scrub,
        "Hash packs of the vault, going on where the last scrub stopped";
    Post "/v1/snapshots/{id}/verify" Need::House(&[Operator]), STEP, None
        => "application/json" None, upkeep::verify,
        "Read a snapshot back whole and record what that showed";
    Post "/v1/assets/{asset}/snapshots" Need::House(&[Operator]), FLOWS, None
        => "application/json" None, transfers::preserve,
        "Preserve a source of this asset as it comes (docs/transfer.md), and read it back";
    Get "/v1/snapshots/{id}/content" Need::House(&[Operator]), 0, None
        => "application/octet-stream" None, transfers::content,
        "The content of a snapshot, or what is asked for of it, as a transfer (docs/transfer.md)";
    Get "/v1/snapshots/{id}/files" Need::House(&[Operator]), 0, None
        => "application/json" None, transfers::files,
        "What is in a snapshot, as its manifest has it";
    Get "/v1/snapshots/{id}/file" Need::House(&[Operator]), 0, None
        => "application/octet-stream" None, transfers::file,
        "One file of a snapshot, or a range of its bytes, as a transfer (docs/transfer.md)";
    Get "/v1/snapshots/{id}/map" Need::House(&[Operator]), 0, None
        => "application/json" None, transfers::map,
        "Which bytes of a file or device the medium did not give";
    Post "/v1/probes" Need::House(&[Operator]), STEP, None
        => "application/json" None, upkeep::probe,
        "Try out what keeps the packs, and record the finding";
    Get "/v1/demands/{id}/receipt" Need::Party(&[Operator, Reader]), 0, None
        => "application/zip" None, handlers::receipt_of,
        "The receipt bundle of a demand, for its sender and the house";
    Get "/v1/keys/policy" Need::House(&[Operator, Reader]), 0, None
        => "text/plain" None, keys::policy,
        "The policy to publish: which keys of the log, which witnesses count now";
    Get "/v1/keys/{change}/announcement" Need::House(&[Operator, Reader]), 0, None
        => "application/zip" None, keys::announcement,
        "The proof of a change of the log's keys: of a rotation (R-1), or `log` for a continuation";
    Get "/v1/matters/{id}/bundle" Need::Party(&[Operator, Reader]), 0, None
        => "application/zip" None, handlers::matter_bundle,
        "What somebody may see of a matter: a party its own part; the house everything, or with \
         `?for=P-1` that party's part";
    Get "/v1/{what}" Need::House(&[Operator, Reader]), 0, None
        => "application/json" None, handlers::show,
        "A list by name, or one thing by id";
    Get "/checkpoint" Need::Nothing, 0, None
        => "text/plain" None, tiles::checkpoint,
        "The newest signed checkpoint (c2sp.org/tlog-checkpoint)";
    Get "/tile/{*path}" Need::Nothing, 0, None
        => "application/octet-stream" None, tiles::tile,
        "A tile of the log (c2sp.org/tlog-tiles)";
    Get "/livez" Need::Nothing, 0, None
        => "text/plain" None, handlers::livez, "The process answers";
    Get "/readyz" Need::Nothing, 0, None
        => "text/plain" None, handlers::readyz, "The house answers and has signed";
    Get "/metrics" Need::House(&[Operator, Reader]), 0, None
        => "text/plain" None, handlers::metrics, "Numbers for Prometheus";
    Get "/openapi.json" Need::Nothing, 0, None
        => "application/json" None, handlers::openapi, "This description";
}

/// The last thing filled in: what a path has where its route has `{…}`.
pub(crate) fn filled_in(route: &str, path: &str) -> String {
    let pairs = route.split('/').zip(path.split('/'));
    let filled = pairs.filter(|(pattern, _)| pattern.starts_with('{')).last();
    filled.map_or_else(String::new, |(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scopes of a route, in words: the whole permission table, written down once more by hand.
    #[test]
    fn the_table_of_scopes_is_this_one() {
        let told: Vec<String> = ROUTES
            .iter()
            .map(|route| {
                let (who, scopes) = match route.need {
                    Need::Nothing => ("all", &[][..]),
                    Need::Party(scopes) => ("party", scopes),
                    Need::House(scopes) => ("house", scopes),
                };
                let letter = |(scope, letter)| if scopes.contains(&scope) { letter } else { '-' };
                let all = [(Intake, 'i'), (Agent, 'a'), (Operator, 'o'), (Reader, 'r')];
                let scopes: String = all.into_iter().map(letter).collect();
                format!("{scopes} {who} {} {}", route.method.name(), route.path)
            })
            .collect();
        let expected = [
            "i-o- party POST /v1/intake",
            "--o- party POST /v1/commands",
            "--o- house POST /v1/exhibits/{sha256}",
            "--or party GET /v1/mine",
            "-aor house GET /v1/gate/{asset}",
            "-ao- house POST /v1/clearances",
            "--or house GET /v1/clearances",
            "-ao- house GET /v1/clearances/{id}/token",
            "-ao- house POST /v1/clearances/{id}/begin",
            "-ao- house POST /v1/clearances/{id}/renew",
            "-ao- house POST /v1/clearances/{id}/finish",
            "-ao- house POST /v1/clearances/{id}/abort",
            "-aor house GET /v1/clearances/{id}/certificate",
            "--o- house POST /v1/erasures",
            "--o- house POST /v1/expiries",
            "--o- house POST /v1/prunes",
            "--o- house POST /v1/settlements",
            "--o- house POST /v1/checks",
            "--o- house POST /v1/scrubs",
            "--o- house POST /v1/snapshots/{id}/verify",
            "--o- house POST /v1/assets/{asset}/snapshots",
            "--o- house GET /v1/snapshots/{id}/content",
            "--o- house GET /v1/snapshots/{id}/files",
            "--o- house GET /v1/snapshots/{id}/file",
            "--o- house GET /v1/snapshots/{id}/map",
            "--o- house POST /v1/probes",
            "--or party GET /v1/demands/{id}/receipt",
            "--or house GET /v1/keys/policy",
            "--or house GET /v1/keys/{change}/announcement",
            "--or party GET /v1/matters/{id}/bundle",
            "--or house GET /v1/{what}",
            "---- all GET /checkpoint",
            "---- all GET /tile/{*path}",
            "---- all GET /livez",
            "---- all GET /readyz",
            "--or house GET /metrics",
            "---- all GET /openapi.json",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_a_path_fills_in_is_found() {
        assert_eq!(filled_in("/v1/clearances/{id}/begin", "/v1/clearances/C-1/begin"), "C-1");
        assert_eq!(filled_in("/v1/{what}", "/v1/assets"), "assets");
        assert_eq!(filled_in("/livez", "/livez"), "");
    }
}
