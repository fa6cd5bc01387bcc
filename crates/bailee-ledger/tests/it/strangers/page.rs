//! `verify.html` in Chromium: the page's own function for many bundles, and the page as a person
//! uses it.

use std::path::Path;

use serde_json::json;

use super::answer::{Answer, Whose};
use super::browser::Browser;
use super::stranger;

/// Checks every file of the input `cases`, one line each.
const MANY: &str = r#"
(async trust => {
  const said = [];
  for (const file of cases.files) {
    const found = await verifyBundle(file, trust);
    const states = found.claims.map(({ state }) => state.replace(" ", "-"));
    const holds = !found.problems.length && !states.includes("failed");
    said.push(found.refused ? "refused" : [...states, holds].join(" "));
  }
  return said.join("\n");
})
"#;

pub(super) fn open() -> Browser {
    Browser::open(&stranger("verify.html"))
}

/// One answer for each of these files.
pub(super) fn answers(directory: &Path, names: &[String], whose: Whose) -> Vec<Answer> {
    let policy = match whose {
        Whose::Bundle => "",
        Whose::Key(text) | Whose::Policy(text) => text,
    };
    let mut browser = open();
    browser.evaluate(
        "globalThis.cases = Object.assign(document.createElement('input'), \
         { type: 'file', multiple: true }); true",
    );
    let paths: Vec<String> =
        names.iter().map(|name| directory.join(name).to_string_lossy().into_owned()).collect();
    browser.choose("cases", &paths);
    let said = browser.evaluate(&format!("{MANY}({})", json!({ "policy": policy })));
    let answers: Vec<Answer> = said.as_str().unwrap().lines().map(Answer::parse).collect();
    assert_eq!(answers.len(), names.len());
    answers
}
