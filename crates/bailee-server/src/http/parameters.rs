//! What a request may say in its query and in headers of ours, and that it says nothing else.
//!
//! Invariants
//! 1. A route reads no parameter and no `Bailee-…` header that is not in this table: the
//!    description (openapi.rs) and the check are made from it.
//! 2. Whatever else is said is refused by its name before anything is recorded: whoever misspells
//!    `silent` would take an open hold for a silent one.
//! 3. What is meant once is said once, in the query or in its header.
//!
//! Out of scope: what a value means (whoever reads it refuses it by name), and what stands in the
//! queries of routes that are public: caches add what they like to those.

use axum::http::HeaderMap;

use crate::api::Problem;
use crate::http::routes::Route;

/// How often and where a parameter may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Once, in the query.
    Once,
    /// Once, in the query or in the header `Bailee-…` of its name.
    OrHeader,
    /// As often as needed, in the query.
    Often,
}

/// Name, how it is said, what it is.
pub(crate) type Parameter = (&'static str, Said, &'static str);

/// Begin of the names of headers that are ours.
const OURS: &str = "bailee-";

const PAGE: &[Parameter] = &[
    ("after", Said::Once, "Lists go on after this id"),
    ("limit", Said::Once, "Rows, 1 to 1000; 100 if absent"),
    ("open", Said::Once, "true: of duties, only those that nobody has discharged"),
];

/// What the route reads.
pub(crate) fn of(route: &Route) -> &'static [Parameter] {
    use Said::{Often, Once, OrHeader};
    match route.path {
        "/v1/intake" => &[
            (
                "instrument",
                OrHeader,
                "Code of the instrument it claims to be; or header Bailee-Instrument",
            ),
            (
                "medium",
                OrHeader,
                "How it came in: email, post, fax, portal, oral; or header Bailee-Medium",
            ),
            ("silent", OrHeader, "true: the owner must not learn of it; or header Bailee-Silent"),
            (
                "sender",
                Once,
                "Who sent it, if the document does not say it so that a program reads it",
            ),
            ("sender-email", Often, "Where its sender is reached by mail; may be repeated"),
            ("sender-post", Often, "Where its sender is reached by post; may be repeated"),
            ("sender-phone", Often, "Its sender's telephone or fax; may be repeated"),
            ("account", Often, "Everything of this account (AC-1); may be repeated"),
            ("asset", Often, "This asset (A-1), its parts and copies; may be repeated"),
            ("identifier", Often, "A hard identifier, known here or not yet; may be repeated"),
            ("category", Often, "A category of data in words, recorded only; may be repeated"),
            ("from", Once, "Begin of the time range, RFC 3339, recorded only"),
            ("to", Once, "End of the time range, RFC 3339, recorded only"),
        ],
        "/v1/assets/{asset}/snapshots" => &[
            ("kind", Once, "What it is: tree, file, device, stream or tar"),
            ("name", Once, "What it was taken of; a stream is kept as a file of this name"),
            ("rehash", Once, "true: do not take over what an earlier snapshot has"),
        ],
        "/v1/snapshots/{id}/content" => &[
            ("form", Once, "tree (if absent), or tar: a pax archive, in one transfer"),
            ("only", Once, "Only what this pattern matches, of a tree"),
        ],
        "/v1/snapshots/{id}/files" => &[("only", Once, "Only what this pattern matches")],
        "/v1/snapshots/{id}/file" => &[
            ("path", Once, "A file in it, percent-encoded byte by byte"),
            ("range", Once, "Only bytes A-B, both included, A- (to the end) or -N (the last N)"),
        ],
        "/v1/snapshots/{id}/map" => &[("path", Once, "A file in it, percent-encoded byte by byte")],
        "/v1/gate/{asset}" => &[("verb", OrHeader, "let-go (if absent) or transfer")],
        "/v1/matters/{id}/bundle" => {
            &[("for", OrHeader, "The party whose part it is (P-1); or header Bailee-For")]
        }
        "/v1/{what}" | "/v1/clearances" => PAGE,
        _ => &[],
    }
}

/// Refuses whatever the route does not read.
pub(crate) fn check(route: &Route, query: &str, headers: &HeaderMap) -> Result<(), Problem> {
    if !route.path.starts_with("/v1/") {
        return Ok(());
    }
    let known = of(route);
    let mut said: Vec<&str> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').map_or((pair, None), |(n, v)| (n, Some(v)));
        if !known.iter().any(|(known, ..)| *known == name) {
            return Err(unknown(name, known));
        }
        if value.is_none() {
            return Err(Problem::bad_request(name, format!("has no value: write {name}=…")));
        }
        said.push(name);
    }
    for (header, value) in headers {
        let Some(name) = header.as_str().strip_prefix(OURS) else { continue };
        let read = |(known, how, _): &Parameter| *known == name && *how == Said::OrHeader;
        if !known.iter().any(read) {
            return Err(unknown(header.as_str(), known));
        }
        if value.to_str().is_err() {
            let detail = "is not plain ASCII; say it in the query, percent-encoded";
            return Err(Problem::bad_request(header.as_str(), detail));
        }
        said.push(name);
    }
    let mut once = known.iter().filter(|(_, how, _)| *how != Said::Often).map(|(name, ..)| *name);
    match once.find(|name| said.iter().filter(|one| *one == name).count() > 1) {
        Some(name) => Err(Problem::bad_request(name, "is there more than once")),
        None => Ok(()),
    }
}

fn unknown(said: &str, known: &[Parameter]) -> Problem {
    let names: Vec<&str> = known.iter().map(|(name, ..)| *name).collect();
    let detail = match names.is_empty() {
        true => "is not read here: nothing is asked by parameters".to_owned(),
        false => format!("is not read here; read are: {}", names.join(", ")),
    };
    Problem::bad_request(said, detail)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;
    use crate::http::routes::ROUTES;

    fn told(path: &str, query: &str, headers: &[(&str, &str)]) -> Option<String> {
        let route = ROUTES.iter().find(|route| route.path == path).unwrap();
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            all.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let refused = check(route, query, &all).err()?;
        assert_eq!((refused.status, refused.code.as_str()), (400, "bad_request"));
        Some(format!("{} {}", refused.about, refused.detail))
    }

    #[test]
    fn what_a_route_does_not_read_is_refused_by_its_name() {
        let no = |query: &str, headers: &[(&str, &str)]| told("/v1/intake", query, headers);
        for (query, about) in [
            ("acount=AC-1", "acount is not read"),
            ("account=AC-1&silnt=true", "silnt is not read"),
            ("Silent=true", "Silent is not read"),
            ("silent", "silent has no value"),
            ("account", "account has no value"),
            ("silent=true&silent=false", "silent is there more than once"),
            ("silent=true&=", " is not read"),
        ] {
            let said = no(query, &[]).unwrap();
            assert!(said.starts_with(about), "{query}: {said}");
        }
        let said = no("", &[("Bailee-Silnt", "true")]).unwrap();
        assert!(said.starts_with("bailee-silnt is not read"), "{said}");
        // A header that is there for another route, or that only the query has, is none here.
        assert!(no("", &[("bailee-for", "P-1")]).is_some());
        assert!(no("", &[("bailee-account", "AC-1")]).is_some());
        assert!(no("silent=true", &[("bailee-silent", "true")]).is_some());
        assert!(no("", &[("bailee-silent", "true"), ("bailee-silent", "false")]).is_some());
        assert!(no("", &[("bailee-instrument", "\u{e9}pr")]).unwrap().contains("ASCII"));
        assert!(told("/v1/mine", "all=true", &[]).unwrap().starts_with("all is not read"));
    }

    #[test]
    fn what_is_read_passes_as_often_as_it_may_be_said() {
        let yes = |path, query, headers: &[(&str, &str)]| {
            assert_eq!(told(path, query, headers), None, "{path} {query}");
        };
        yes("/v1/intake", "", &[("accept", "application/zip")]);
        yes("/v1/intake", "account=AC-1&account=AC-2&&silent=true", &[("bailee-medium", "post")]);
        yes("/v1/{what}", "after=D-1&limit=2", &[]);
        yes("/v1/matters/{id}/bundle", "for=P-1", &[]);
        // Whoever fetches what is public may go through a cache.
        yes("/checkpoint", "t=1700000000", &[("bailee-x", "y")]);
    }
}
