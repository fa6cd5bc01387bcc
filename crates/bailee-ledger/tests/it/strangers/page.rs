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

/// The page with files in the input `cases`.
pub(super) fn with(paths: &[String]) -> Browser {
    let mut browser = open();
    browser.evaluate(INPUT);
    browser.choose("cases", paths);
    browser
}

/// What the page says of the timestamps of a bundle, under the reader's own roots.
pub(super) fn timestamp_under(bundle: &Path, roots: &[u8]) -> String {
    let mut browser = with(&[bundle.to_string_lossy().into_owned()]);
    let roots = json!(String::from_utf8(roots.to_vec()).unwrap());
    let ask = format!("verifyBundle(cases.files[0], {{ roots: {roots} }})");
    let said = browser.evaluate(&format!("{ask}.then(found => found.claims[3].state)"));
    said.as_str().unwrap().to_owned()
}

/// An input that is not on the page, for bundles to be checked by its function alone.
const INPUT: &str = "globalThis.cases = Object.assign(document.createElement('input'), \
                     { type: 'file', multiple: true }); true";

/// One answer for each of these files.
pub(super) fn answers(directory: &Path, names: &[String], whose: Whose) -> Vec<Answer> {
    let policy = match whose {
        Whose::Bundle => "",
        Whose::Key(text) | Whose::Policy(text) => text,
    };
    let paths: Vec<String> =
        names.iter().map(|name| directory.join(name).to_string_lossy().into_owned()).collect();
    let mut browser = with(&paths);
    let said = browser.evaluate(&format!("{MANY}({})", json!({ "policy": policy })));
    let answers: Vec<Answer> = said.as_str().unwrap().lines().map(Answer::parse).collect();
    assert_eq!(answers.len(), names.len());
    answers
}
