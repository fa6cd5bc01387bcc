//! Doors: tokens, the whole table of scopes, sizes, hostile paths, the public log.

use std::io::Write;
use std::net::TcpStream;

use bailee_core::By;
use bailee_core::id::PartyId;
use bailee_core::party::Role;
use bailee_ledger::tile::decode_entries;
use bailee_ledger::{Checkpoint, Note, Tree, hash};
use bailee_server::api::words::TokenScope;
use bailee_server::api::{Request, perform};
use bailee_server::documents::Documents;
use bailee_server::http::openapi;
use bailee_server::http::routes::{Method, Need, ROUTES, Route};
use bailee_server::{Clock, House};
use serde_json::json;

use crate::common::{letter, on_disk, party, people, take};
use crate::http::{Answered, Served, head, send, token};

/// A route's path with something in it.
fn path(route: &Route) -> String {
    let id = if route.path.contains("demands") { "D-9" } else { "C-9" };
    let path = route.path.replace("{id}", id).replace("{asset}", "A-9");
    let path = path.replace("{sha256}", &"0".repeat(64)).replace("{change}", "R-9");
    path.replace("{what}", "policy").replace("{*path}", "0/000")
}

fn ask(served: &Served, route: &Route, token: &str) -> Answered {
    match route.method {
        Method::Get => served.get(&path(route), token),
        Method::Post => served.post(&path(route), token, b"{}"),
    }
}

#[test]
fn every_route_lets_in_whom_the_table_names_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let staff = people(&house).ada;
    let outsider = party(&house, "Otto", Role::Owner);
    let tokens = |party: PartyId| {
        TokenScope::ALL.iter().map(|scope| (*scope, token(&house, party, *scope))).collect()
    };
    let (of_staff, of_outsider): (Vec<_>, Vec<_>) = (tokens(staff), tokens(outsider));
    let served = Served::start(house);
    for route in ROUTES {
        let nobody = ask(&served, route, "");
        let (scopes, house_only) = match route.need {
            Need::Nothing => {
                assert!(![401, 403].contains(&nobody.status), "{}", route.path);
                continue;
            }
            Need::Party(scopes) => (scopes, false),
            Need::House(scopes) => (scopes, true),
        };
        assert_eq!((nobody.status, nobody.code().as_str()), (401, "token_missing"));
        assert!(nobody.header("www-authenticate").starts_with("bearer"));
        for (of_house, tokens) in [(true, &of_staff), (false, &of_outsider)] {
            for (scope, token) in tokens {
                let answer = ask(&served, route, token);
                let told = format!("{} {} {scope}: {}", route.path, answer.status, answer.text());
                if !scopes.contains(&(*scope).into()) {
                    assert_eq!(
                        (answer.status, answer.code().as_str()),
                        (403, "scope_missing"),
                        "{told}"
                    );
                } else if house_only && !of_house {
                    assert_eq!(
                        (answer.status, answer.code().as_str()),
                        (403, "not_permitted"),
                        "{told}"
                    );
                } else {
                    assert!(![401, 403].contains(&answer.status), "{told}");
                }
            }
        }
    }
}

#[test]
fn a_token_that_is_wrong_or_void_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let staff = people(&house).ada;
    let good = token(&house, staff, TokenScope::Operator);
    let void = token(&house, staff, TokenScope::Operator);
    let revoke = Request::RevokeToken { token: "T-2".into() };
    perform(&house, revoke, By::Party(staff)).unwrap();
    let served = Served::start(house);
    assert_eq!(served.get("/v1/policy", &good).status, 200);
    let mut other = good.clone();
    let last = if other.pop() == Some('A') { 'B' } else { 'A' };
    other.push(last);
    let long = "bailee_".to_owned() + &"x".repeat(4000);
    for wrong in [&void, &other, &good.to_uppercase(), &good[..20].to_owned(), &long] {
        let answer = served.get("/v1/policy", wrong);
        assert_eq!((answer.status, answer.code().as_str()), (401, "token_unknown"));
        assert!(!answer.text().contains(wrong.as_str()), "the answer shows the token");
    }
    let basic = head("GET", "/v1/policy", "", &[("authorization", &format!("Basic {good}"))]);
    assert_eq!(send(served.address, &basic, b"").code(), "token_unknown");
    let listed = served.get("/v1/tokens", &good);
    assert_eq!(listed.json()["items"][1]["revoked"], true);
    assert!(!listed.text().contains("hash"));
}

#[test]
fn staff_make_no_token_that_acts_as_a_colleague() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    let sender = party(&house, "Rae", Role::Requester);
    let operator = token(&house, people.ada, TokenScope::Operator);
    let served = Served::start(house);
    let make = |party: PartyId, scope: &str| {
        let body = json!({ "do": "issue-token", "party": party.to_string(), "scope": scope });
        served.post("/v1/commands", &operator, body.to_string().as_bytes())
    };
    for colleague in [people.ben, people.cora] {
        let answer = make(colleague, "operator");
        assert_eq!((answer.status, answer.code().as_str()), (403, "not_permitted"));
    }
    let own = make(people.ada, "operator");
    assert_eq!(own.status, 201, "{}", own.text());
    let own = own.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(served.get("/v1/policy", &own).status, 200);
    assert_eq!(make(sender, "intake").status, 201);
}

#[test]
fn commands_are_done_or_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let operator = token(&house, people(&house).ada, TokenScope::Operator);
    let served = Served::start(house);
    let post = |body: serde_json::Value| {
        served.post("/v1/commands", &operator, body.to_string().as_bytes())
    };
    let made = post(json!({ "do": "register-entity", "name": "Host B.V.", "country": "NL" }));
    assert_eq!((made.status, made.json()["new"][0].as_str()), (201, Some("E-1")));
    assert_eq!(made.json()["entries"][0]["event"], "EntityRegistered");
    let gone = post(json!({ "do": "approve-release", "hold": "H-7" }));
    assert_eq!((gone.status, gone.code().as_str()), (404, "not_found"));
    let not_counsel = post(json!({ "do": "allow-copy", "hold": "H-7" }));
    assert_eq!((not_counsel.status, not_counsel.code().as_str()), (403, "not_permitted"));
    let more = post(json!({ "do": "approve-release", "hold": "H-7", "force": true }));
    assert_eq!((more.status, more.code().as_str()), (400, "bad_request"));
    let broken = served.post("/v1/commands", &operator, b"{\"do\":");
    assert_eq!((broken.status, broken.code().as_str()), (400, "bad_request"));
    assert_eq!(served.get("/v1/E-1", &operator).json()["name"], "Host B.V.");
    let page = served.get("/v1/parties?limit=2", &operator).json();
    assert_eq!((page["items"].as_array().unwrap().len(), page["next"].as_str()), (2, Some("P-2")));
    let rest = served.get("/v1/parties?after=P-2&limit=2", &operator).json();
    assert_eq!((rest["items"][0]["id"].as_str(), rest["next"].as_str()), (Some("P-3"), None));
    for (path, code) in [
        ("/v1/E-2", "not_found"),
        ("/v1/E-x", "bad_request"),
        ("/v1/secrets", "bad_request"),
        ("/v1/parties?limit=0", "bad_request"),
        ("/v1/parties?after=A-1", "bad_request"),
        ("/v1/gate/P-1", "bad_request"),
        ("/v1/gate/A-1?verb=wipe", "bad_request"),
        ("/nowhere", "no_route"),
        ("/v1/commands", "no_method"),
    ] {
        assert_eq!(served.get(path, &operator).code(), code, "{path}");
    }
}

#[test]
fn bodies_and_headers_beyond_their_limits_are_refused_unread() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let staff = people(&house).ada;
    let operator = token(&house, staff, TokenScope::Operator);
    let served = Served::start(house);
    let bounded = |route: &&Route| route.method == Method::Post && !route.flows();
    let limits = ROUTES.iter().filter(bounded).map(|route| (route, route.most as u64));
    let exhibits = ROUTES.iter().find(|route| route.path.starts_with("/v1/exhibits/")).unwrap();
    for (route, most) in limits.chain([(exhibits, Documents::default().largest_bytes)]) {
        let length = (most + 1).to_string();
        let head = head("POST", &path(route), &operator, &[("content-length", &length)]);
        let answer = send(served.address, &head, b"");
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (413, "body_too_large"),
            "{}",
            route.path
        );
    }
    let chunked = head("GET", "/v1/policy", &operator, &[("transfer-encoding", "chunked")]);
    let answer = send(served.address, &chunked, b"3\r\nabc\r\n0\r\n\r\n");
    assert_eq!(answer.code(), "body_too_large");
    let unknown = head("POST", "/v1/commands", "bailee_x", &[("content-length", "9999999999")]);
    assert_eq!(send(served.address, &unknown, b"").code(), "token_unknown");
    let wide = head("GET", "/livez", "", &[("x", &"y".repeat(64 << 10))]);
    let mut stream = TcpStream::connect(served.address).unwrap();
    // The service may hang up before all of it is written.
    _ = stream.write_all(wide.as_bytes());
    let mut answer = Vec::new();
    _ = std::io::Read::read_to_end(&mut stream, &mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "a header of 64 KiB was read");
    assert_eq!(served.get("/livez", "").status, 200);
}

#[test]
fn hostile_paths_are_not_found_and_harm_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    // Before the first checkpoint is signed every tile is "not yet".
    let size = house.with_state(|s| s.head).unwrap();
    house.checkpoint_over(size).unwrap();
    let served = Served::start(house);
    for path in [
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/0/000.p/99999999999999999999",
        "/tile/0/x000/000",
        "/tile/00/000",
        "/tile/-1/000",
        "/tile/64/000",
        "/tile/63/000.p/1",
        "/tile/8/000.p/1",
        "/tile/7/000.p/1",
        "/tile/0/x999/x999/x999/x999/x999/x999/999",
        "/tile/0/18446744073709551615",
        "/tile/entries/x072/x057/x594/x037/x927/935",
        "/tile/0/..%2f..%2fkeys%2flog.key",
        "/tile/../keys/log.key",
        "/tile/entries/../../keys/log.key",
        "/tile/data/000",
        "/tile/0/000%00",
        "/tile/0/",
        "/tile//",
        "/tile/0/000",
    ] {
        let answer = served.get(path, "");
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        answer.code();
    }
    for target in ["*", "http://[", "/%", "//", "/v1/../../etc/passwd"] {
        let answer = send(served.address, &head("GET", target, "", &[]), b"");
        assert!((400..500).contains(&answer.status), "{target}: {}", answer.status);
    }
    assert_eq!(served.get("/readyz", "").status, 200);
}

#[test]
fn the_log_can_be_rebuilt_from_its_tiles_by_anybody() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    for n in 0..100 {
        take(&house, &letter(n)).unwrap();
    }
    assert!(house.settle().is_empty());
    let size = house.with_state(|s| s.head).unwrap();
    assert!(size > 300, "one full tile and one partial: {size}");
    house.checkpoint_over(size).unwrap();
    let key = house.log_key().unwrap();
    let served = Served::start(house);
    let note = served.get("/checkpoint", "");
    assert_eq!((note.status, note.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert_eq!(note.header("cache-control"), "no-store");
    let (checkpoint, _) = Checkpoint::open(&note.body, &key).unwrap();
    let mut tree = Tree::new();
    for index in 0..checkpoint.size.div_ceil(256) {
        let width = (checkpoint.size - index * 256).min(256) as u16;
        let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
        let entries = served.get(&format!("/tile/entries/{index:03}{partial}"), "");
        assert_eq!(
            (entries.status, entries.header("content-type")),
            (200, "application/octet-stream")
        );
        assert_eq!(entries.header("cache-control"), "public, max-age=31536000, immutable");
        let leaves = decode_entries(&entries.body, width).unwrap();
        let hashes: Vec<u8> = leaves.iter().flat_map(|leaf| hash::leaf_hash(leaf)).collect();
        assert_eq!(served.get(&format!("/tile/0/{index:03}{partial}"), "").body, hashes);
        leaves.iter().for_each(|leaf| _ = tree.push(leaf));
    }
    assert_eq!(tree.root(), checkpoint.root);
    let above = served.get("/tile/1/000.p/1", "");
    assert_eq!(above.body, tree.subtree(8, 0).unwrap());
    assert_eq!(served.get("/tile/1/000.p/9", "").status, 404, "a tile nobody signed");
}

#[test]
fn entries_older_than_what_is_served_are_denied_and_every_proof_stays() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    for n in 0..100 {
        take(&house, &letter(n)).unwrap();
    }
    let size = house.with_state(|s| s.head).unwrap();
    house.checkpoint_over(size).unwrap();
    let now = house.clock().now();
    drop(house);
    let settings = dir.path().join("bailee.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text + "\n[serving]\nentries_days = 30\n").unwrap();
    let house = House::open(dir.path(), Clock::told(now)).unwrap();
    let clock = house.clock().clone();
    let served = Served::start(house);
    let root = Checkpoint::parse(Note::parse(&served.get("/checkpoint", "").body).unwrap().text());
    assert_eq!(served.get("/tile/entries/000", "").status, 200);
    let hashes = served.get("/tile/0/000", "").body;
    clock.tell(now.plus_days(32));
    let pruned = served.get("/tile/entries/000", "");
    assert_eq!((pruned.status, pruned.code()), (410, "pruned".into()));
    assert_eq!(served.get("/tile/0/000", "").body, hashes);
    let rest = served.get(&format!("/tile/0/001.p/{}", size - 256), "").body;
    let all: Vec<_> = [hashes, rest].concat().chunks(32).map(|h| h.try_into().unwrap()).collect();
    assert_eq!(Tree::from_leaf_hashes(all).root(), root.unwrap().root);
}

#[test]
fn the_committed_description_is_the_one_that_is_served() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, openapi::document()).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let same = committed == openapi::document();
    assert!(same, "docs/openapi.json is old: BLESS=1 cargo test -p bailee-server committed_desc");
    let document: serde_json::Value = serde_json::from_str(&committed).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations: usize = paths.map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(operations, ROUTES.len());
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for reference in committed.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is named and not described");
    }
}

#[test]
fn numbers_for_prometheus_are_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let operator = token(&house, people(&house).ada, TokenScope::Operator);
    let served = Served::start(house);
    served.get("/livez", "");
    let text = served.get("/metrics", &operator).text();
    let answered = "bailee_http_requests_total{method=\"GET\",route=\"/livez\",class=\"2xx\"} 1";
    assert!(text.lines().any(|line| line == answered), "{text}");
    assert!(text.contains("\nbailee_holds_in_force 0\n"), "{text}");
    for what in ["giving", "preserving", "upkeep"] {
        for name in ["under_way", "under_way_oldest_seconds", "turned_away_total"] {
            let line = format!("\nbailee_{name}{{what=\"{what}\"}} 0\n");
            assert!(text.contains(&line), "{line}: {text}");
        }
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}
