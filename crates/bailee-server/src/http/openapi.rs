//! The OpenAPI document, made from the table of routes and the types that are read and written.
//!
//! Invariant: `docs/openapi.json` is this document; a test fails when they differ, so that a change
//! of the interface is seen in review.

use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use crate::api;
use crate::http::routes::{Need, ROUTES, Route};
use crate::http::{clearances, parameters};

#[derive(OpenApi)]
#[openapi(components(schemas(
    api::Request,
    api::Answer,
    api::Recorded,
    api::Received,
    api::problem::Form,
    api::parts::Upload,
    api::parts::Reason,
    api::parts::Scope,
    api::parts::Channel,
    api::parts::Who,
    api::parts::Identifier,
    api::parts::Policy,
    api::words::Role,
    api::words::ChannelKind,
    api::words::AssetKind,
    api::words::Lifecycle,
    api::words::IdentifierKind,
    api::words::Evidence,
    api::words::DispositionKind,
    api::words::TokenScope,
    api::words::Triage,
    clearances::Reserve,
    clearances::Reserved,
    clearances::Begin,
    clearances::Leased,
    clearances::Finish,
    clearances::Abort,
    api::erased::Erase,
    api::erased::DestroyedKey,
    api::erased::Erased,
    api::erased::VolumesLeft,
    api::CheckReport,
    api::upkeep::Scrub,
    api::expired::Expire,
    api::expired::Expired,
    api::expired::Prune,
    api::expired::Settled,
)))]
struct Schemas;

/// The document, indented, with a newline at its end.
pub fn document() -> String {
    let schemas = serde_json::to_value(Schemas::openapi()).unwrap_or_default();
    let mut paths = Map::new();
    for route in ROUTES {
        // A path of several segments is one parameter in OpenAPI.
        let path = route.path.replace("{*", "{");
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[route.method.name().to_lowercase()] = operation(route);
    }
    let mut components = schemas["components"].clone();
    components["securitySchemes"] = json!({
        "token": { "type": "http", "scheme": "bearer", "bearerFormat": "bailee_<base64url>" },
    });
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bailee",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Demands, holds, clearances and proofs. See docs/api.md.",
            "license": { "name": "Apache-2.0 OR MIT" },
        },
        "paths": paths,
        "components": components,
    });
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn operation(route: &Route) -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let (media, schema) = route.gives;
    let content = match (media, schema) {
        (_, Some(name)) => json!({ media: { "schema": reference(name) } }),
        ("application/json", None) => json!({ media: { "schema": { "type": "object" } } }),
        (_, None) => json!({ media: {} }),
    };
    let problem = json!({ "application/problem+json": { "schema": reference("Problem") } });
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.about,
        "responses": {
            "2XX": { "description": "Done", "content": content },
            "default": { "description": "Why not", "content": problem },
        },
    });
    let parameters: Vec<Value> = parameters(route);
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if let Some(name) = route.reads {
        let content = json!({ "application/json": { "schema": reference(name) } });
        operation["requestBody"] = json!({ "required": true, "content": content });
    } else if route.flows() {
        let content = json!({ "application/octet-stream": {} });
        operation["requestBody"] = json!({ "required": true, "content": content });
    } else if route.path == "/v1/intake" {
        let content = json!({ "message/rfc822": {}, "application/octet-stream": {} });
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    let (scopes, of_house) = match route.need {
        Need::Nothing => return operation,
        Need::Party(scopes) => (scopes, false),
        Need::House(scopes) => (scopes, true),
    };
    let scopes: Vec<&str> =
        scopes.iter().map(|s| api::words::TokenScope::from(*s).word()).collect();
    let whose = if of_house { ", of staff or counsel" } else { "" };
    operation["security"] = json!([{ "token": [] }]);
    operation["description"] = json!(format!("Token scopes: {}{whose}.", scopes.join(", ")));
    operation
}

fn operation_id(route: &Route) -> String {
    let words = route.path.split('/').filter(|word| !word.is_empty() && *word != "v1");
    let words = words.map(|word| word.trim_matches(['{', '}', '*']).replace('.', "-"));
    let words: Vec<String> = words.collect();
    format!("{}-{}", route.method.name().to_lowercase(), words.join("-"))
}

fn parameters(route: &Route) -> Vec<Value> {
    let inside = |word: &str| word.trim_matches(['{', '}', '*']).to_owned();
    let path = route.path.split('/').filter(|word| word.starts_with('{')).map(|word| {
        json!({
            "name": inside(word), "in": "path", "required": true, "schema": { "type": "string" },
        })
    });
    let query = parameters::of(route).iter().map(|(name, _, about)| {
        let schema = json!({ "type": "string" });
        json!({ "name": name, "in": "query", "description": about, "schema": schema })
    });
    path.chain(query).collect()
}
