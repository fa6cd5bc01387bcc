//! Questions of a story, put at the door: gate, lists, one thing, an owner's own view.

use bailee_core::party::Role;
use bailee_core::scenario::Question;
use bailee_server::api::words::TokenScope;
use serde_json::{Value, json};

use super::player::Player;

impl Player {
    pub(super) fn at_the_door(&mut self, question: &Question) -> Result<(), String> {
        let (path, expected): (String, Value) = match question {
            Question::Gate(verb, verdict) => {
                let verb = bailee_server::api::words::Verb::from(*verb);
                let reasons: Vec<Value> = verdict.reasons.iter().map(reason).collect();
                let path = format!("/v1/gate/{}?verb={}", verdict.asset, verb.word());
                (path, json!({ "clear": verdict.is_clear(), "reasons": reasons }))
            }
            Question::Thing(id, _) => (format!("/v1/{id}"), Value::Null),
            Question::Count(list, count) => (format!("/v1/{list}"), json!(count)),
            Question::Owner(owner, view) => {
                let texts = |ids: Vec<String>| json!(ids);
                let expected = json!({
                    "accounts": texts(view.accounts.iter().map(ToString::to_string).collect()),
                    "assets": texts(view.assets.iter().map(ToString::to_string).collect()),
                    "parts": texts(view.parts.iter().map(ToString::to_string).collect()),
                    "copies": texts(view.copies.iter().map(ToString::to_string).collect()),
                    "holds": texts(view.holds.iter().map(ToString::to_string).collect()),
                    "notices": texts(view.notices.iter().map(ToString::to_string).collect()),
                });
                let token = self.token(*owner, TokenScope::Reader);
                let got = self.door.get("/v1/mine", &token).json();
                let id = |thing: &Value| thing["id"].clone();
                let ids = |list: &str| -> Vec<Value> {
                    got[list].as_array().unwrap().iter().map(id).collect()
                };
                let got = json!({
                    "accounts": got["accounts"], "assets": ids("assets"), "parts": ids("parts"),
                    "copies": ids("copies"), "holds": got["holds"], "notices": got["notices"],
                });
                return same(&expected, &got);
            }
        };
        let reader = self.reader();
        let got = match question {
            Question::Count(..) => json!(self.count(&path, &reader)),
            Question::Gate(..) => {
                let got = self.door.get(&path, &reader).json();
                let bare = |reason: &Value| {
                    let mut reason = reason.clone();
                    reason.as_object_mut().unwrap().remove("rests_on");
                    reason
                };
                let reasons: Vec<Value> =
                    got["reasons"].as_array().unwrap().iter().map(bare).collect();
                json!({ "clear": got["clear"], "reasons": reasons })
            }
            _ => self.door.get(&path, &reader).json(),
        };
        match question {
            Question::Thing(id, words) => known(id, words, &got),
            _ => same(&expected, &got),
        }
    }

    fn reader(&mut self) -> String {
        let person = [Role::Staff].into_iter().find_map(|role| self.person(role));
        self.token(person.expect("a story asks when there is somebody"), TokenScope::Reader)
    }

    /// Rows of a list, page by page.
    fn count(&mut self, path: &str, token: &str) -> usize {
        let (mut rows, mut after) = (0, String::new());
        loop {
            let page = self.door.get(&format!("{path}?limit=1000{after}"), token).json();
            rows += page["items"].as_array().unwrap().len();
            match page["next"].as_str() {
                None => return rows,
                Some(next) => after = format!("&after={next}"),
            }
        }
    }
}

fn reason(reason: &bailee_core::gate::Reason) -> Value {
    json!({
        "code": reason.code.as_str(), "about": reason.about, "text": reason.text,
        "through": reason.through.to_string(), "change": reason.change,
    })
}

fn same(expected: &Value, got: &Value) -> Result<(), String> {
    if expected == got { Ok(()) } else { Err(got.to_string()) }
}

/// What the service shows of the thing says one of the words that are true of it.
fn known(id: &str, words: &[&str], got: &Value) -> Result<(), String> {
    let says = [&got["status"], &got["fate"]["is"]].into_iter().find_map(Value::as_str);
    // A story speaks of a snapshot as a copy, and of its fate by the asset that it is.
    let says = says.filter(|_| got["vault_id"].is_null());
    let fits = got["id"] == id && says.is_none_or(|says| words.contains(&says));
    if fits { Ok(()) } else { Err(got.to_string()) }
}
