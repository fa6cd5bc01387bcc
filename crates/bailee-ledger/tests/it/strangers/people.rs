//! What people are given: the programs as they call them, the page as they use it, its size, and
//! that other programs open the archive.

use std::path::Path;
use std::process::Command;

use bailee_ledger::hash::sha256;
use bailee_ledger::to_hex;
use base64::Engine as _;
use serde_json::json;

use super::answer::Whose;
use super::bag::Bag;
use super::by_hand;
use super::{go, page, python, run, said, stranger};
use crate::common::{EXHIBIT, ORIGIN, log_signer, receipt};

/// What every receipt carries for people, in bytes: it should not outweigh the evidence by much.
const MOST: [(&str, usize); 3] =
    [("VERIFY.md", 18_000), ("verify.html", 60_000), ("verify.py", 19_500)];

#[test]
fn the_files_for_people_stay_small() {
    for (name, most) in MOST {
        let bytes = std::fs::read(stranger(name)).unwrap().len();
        assert!(bytes <= most, "{name} has {bytes} bytes, allowed {most}");
    }
    let lines = std::fs::read_to_string(stranger("verify.py")).unwrap().lines().count();
    assert!(lines <= 200, "verify.py has {lines} lines, allowed 200");
}

fn bundle_in(directory: &Path) {
    std::fs::write(directory.join("good.bailee.zip"), receipt()).unwrap();
    let bad = Bag::of(&receipt()).flip("data/README.txt", 0, 1).pack();
    std::fs::write(directory.join("bad.bailee.zip"), bad).unwrap();
    std::fs::write(directory.join("none.bailee.zip"), "nothing").unwrap();
}

#[test]
fn programs_answer_people_and_scripts() {
    let directory = tempfile::tempdir().unwrap();
    bundle_in(directory.path());
    let own = format!("log {}\nquorum none\n", log_signer().verifier().to_vkey());
    std::fs::write(directory.path().join("own.policy"), own).unwrap();
    for (file, code, words) in [
        ("good.bailee.zip", 0, "proven"),
        ("bad.bailee.zip", 1, "data/README.txt"),
        ("none.bailee.zip", 1, "refused"),
    ] {
        for output in [
            go::go(directory.path(), &["bundle", file]),
            go::go(directory.path(), &["bundle", "-policy", "own.policy", file]),
            python::verify(directory.path(), &[file]),
            python::verify(directory.path(), &["--policy", "own.policy", file]),
        ] {
            assert_eq!(output.status.code(), Some(code), "{file}: {}", said(&output));
            assert!(
                said(&output).to_lowercase().contains(&words.to_lowercase()),
                "{}",
                said(&output)
            );
        }
    }
    let whose = |arguments: &[&str]| said(&python::verify(directory.path(), arguments));
    assert!(whose(&["good.bailee.zip"]).contains("THE BUNDLES SAY, not you"));
    assert!(whose(&["--policy", "own.policy", "good.bailee.zip"]).contains("your policy says"));
    assert_eq!(go::go(directory.path(), &["bundle"]).status.code(), Some(2));

    // The bag as unpacked, too.
    Bag::of(&receipt()).unpack(directory.path());
    for place in [".", "bag"] {
        let output = go::go(directory.path(), &["bundle", "-brief", place]);
        assert_eq!(said(&output), format!("{place} proven proven not-shown not-shown true\n"));
    }
}

#[test]
fn the_steps_by_hand_tell_each_claim() {
    let output = by_hand::run_steps(&Bag::of(&receipt()), Whose::Bundle);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    for words in [
        "data/entries/000000002/opened/what.cbor is what the leaf commits to",
        "data/entries/000000002/opened/papers.cbor is what the leaf commits to",
        "is named in papers",
        "leaf 2 is in the tree of 7 leaves",
        "CLAIM documents: proven",
        "CLAIM log: proven",
        "CLAIM witnesses: not shown (the policy asks for none)",
        "CLAIM timestamp: not shown",
        "all steps hold",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let damaged = Bag::of(&receipt()).flip("data/checkpoint", 3, 1);
    let output = by_hand::run_steps(&damaged, Whose::Bundle);
    assert!(!output.status.success() && said(&output).contains("DOES NOT HOLD: "));
}

#[test]
fn other_zip_programs_open_the_archive() {
    let directory = tempfile::tempdir().unwrap();
    bundle_in(directory.path());
    let mut command = Command::new("python3");
    command.args(["-m", "zipfile", "-t", "good.bailee.zip"]).current_dir(directory.path());
    let output = run(&mut command);
    assert!(output.status.success() && said(&output).contains("Done testing"), "{}", said(&output));
    let unzip = Command::new("unzip")
        .args(["-t", "good.bailee.zip"])
        .current_dir(directory.path())
        .output();
    match unzip {
        Ok(output) => assert!(output.status.success(), "{}", said(&output)),
        Err(_) => eprintln!("DID NOT RUN: unzip is not installed here"),
    }
}

/// The text between two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).unwrap() + from.len();
    &text[start..start + text[start..].find(to).unwrap()]
}

#[test]
fn the_page_allows_only_itself_to_run() {
    let page = std::fs::read_to_string(stranger("verify.html")).unwrap();
    let digest = |element: &str| {
        let text = between(&page, &format!("<{element}>"), &format!("</{element}>"));
        let hash = base64::engine::general_purpose::STANDARD.encode(sha256(text.as_bytes()));
        format!("'sha256-{hash}'")
    };
    let wanted = format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src {}; script-src {}",
        digest("style"),
        digest("script")
    );
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
    assert_eq!(policy, wanted, "the page has changed: put these digests into it");
    for forbidden in [" onclick", " onload", "innerHTML", "eval(", "http://", "https://", "src="] {
        assert!(!page.contains(forbidden), "verify.html holds {forbidden}");
    }
    assert_eq!(page.matches("<script").count(), 1);
}

#[test]
fn a_person_drops_bundles_and_reads_four_answers() {
    let directory = tempfile::tempdir().unwrap();
    bundle_in(directory.path());
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let mut browser = page::open();
    // Chosen by keyboard: the field is labelled.
    let label = "document.querySelector('label[for=files]').innerText";
    assert!(browser.evaluate(label).as_str().unwrap().contains("choose"));
    browser.choose("byId('files')", &[path("good.bailee.zip")]);
    browser.wait_for("byId('busy').textContent.startsWith('Done')");
    let text = browser.evaluate("byId('reports').innerText");
    let text = text.as_str().unwrap();
    let digest = to_hex(&sha256(EXHIBIT));
    for words in [
        "good.bailee.zip",
        &to_hex(&sha256(&receipt())),
        &format!("A receipt of the log {ORIGIN}"),
        "taken out of this bundle, not given by you",
        "■ PROVEN\nThe documents",
        "■ PROVEN\nThe log",
        "□ NOT SHOWN\nThe witnesses",
        "□ NOT SHOWN\nThe time",
        "2026-11-17T14:00:00Z",
        "what, papers",
        digest.as_str(),
        "entry 2",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("FAILED") && !text.contains("does not fit"), "{text}");
    // The heading of the answer has the focus: a screen reader goes on from there.
    assert_eq!(browser.evaluate("document.activeElement.textContent"), json!("good.bailee.zip"));

    // The key given: the same bundle is asked again.
    let key = log_signer().verifier().to_vkey();
    let give = format!(
        "byId('busy').textContent = ''; byId('key').value = {}; \
         byId('key').dispatchEvent(new Event('change')); true",
        json!(key)
    );
    browser.evaluate(&give);
    browser.wait_for("byId('busy').textContent.startsWith('Done')");
    let text = browser.evaluate("byId('reports').innerText");
    assert!(text.as_str().unwrap().contains("the key you gave."), "{text}");

    // Dropped: two damaged files.
    browser.evaluate("byId('busy').textContent = ''");
    let files = [path("bad.bailee.zip"), path("none.bailee.zip")];
    let data = json!({ "items": [], "files": files, "dragOperationsMask": 1 });
    for kind in ["dragEnter", "dragOver", "drop"] {
        let event = json!({ "type": kind, "x": 200, "y": 300, "data": data });
        browser.call("Input.dispatchDragEvent", event);
    }
    browser.wait_for("byId('busy').textContent.startsWith('Done: 2')");
    let text = browser.evaluate("byId('reports').innerText");
    let text = text.as_str().unwrap();
    for words in [
        "✕ What does not fit\nbag/data/README.txt: its content is not the one on the signed list",
        "✕ Refused: there is nothing to believe in this file",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }

    // What can be saved.
    let saved = "verifyBundle(byId('files').files[0], {}).then(found => asText('n', 'h', found))";
    let saved = browser.evaluate(saved);
    assert!(saved.as_str().unwrap().contains("NOT SHOWN   timestamp: "), "{saved}");
    // Not one request, not one error.
    let alien = |message: &&serde_json::Value| {
        message["method"] != "Network.requestWillBeSent"
            || !message["params"]["request"]["url"].as_str().unwrap().starts_with("file://")
    };
    let said: Vec<_> = browser.console.iter().filter(alien).collect();
    assert!(said.is_empty(), "{said:?}");
}

/// What the browser itself cannot read (here: a file changed since it was chosen) says nothing
/// about the bundle; it is told by name, and what to do.
#[test]
fn what_a_browser_cannot_read_is_no_verdict() {
    let directory = tempfile::tempdir().unwrap();
    bundle_in(directory.path());
    let path = directory.path().join("good.bailee.zip");
    let mut browser = page::open();
    browser.choose("byId('files')", &[path.to_string_lossy().into_owned()]);
    browser.wait_for("byId('busy').textContent.startsWith('Done')");
    std::fs::write(&path, [&receipt()[..], b"more"].concat()).unwrap();
    browser.evaluate("byId('busy').textContent = ''; again(); true");
    browser.wait_for("byId('busy').textContent.startsWith('Done')");
    let text = browser.evaluate("byId('reports').innerText");
    let text = text.as_str().unwrap();
    for words in [
        "□ Not checked: this says nothing about the file",
        "this browser cannot read good.bailee.zip",
        "check it with verify.py",
        "bailee verify",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("Refused") && !text.contains("altered"), "{text}");
}

/// SHA-256 of files that do not fit into memory is the page's own: it must be right.
#[test]
fn the_pages_own_digest_is_sha_256() {
    let mut browser = page::open();
    for length in [0usize, 1, 55, 56, 63, 64, 65, 119, 120, 1_000_000] {
        let expression = format!(
            "(() => {{ const sha = new Sha256(), bytes = new Uint8Array({length}).fill(97); \
             for (let at = 0; at < bytes.length; at += 977) \
               sha.update(bytes.subarray(at, at + 977)); \
             return hex(sha.finish()); }})()"
        );
        let wanted = to_hex(&sha256(&vec![b'a'; length]));
        assert_eq!(browser.evaluate(&expression), json!(wanted), "{length}");
    }
}
