//! The policy in the bundle: spellings, quorums, keys.

use bailee_ledger::PqSigner;

use super::{Case, POLICY, issued, named};
use crate::common::{ORIGIN, witness_policy};
use crate::strangers::bag::Bag;
use crate::strangers::log::witnessed;

fn with(from: &str, to: &str) -> Bag {
    issued(witnessed().replace(POLICY, from, to))
}

pub(super) fn texts() -> Vec<Case> {
    let text = witness_policy().to_string();
    named(vec![
        (
            "policy: comments, tabs, blank lines",
            with("\nwitness w1", "\n# comment é\n\n \twitness\t w1"),
        ),
        ("policy: URLs", with("\nwitness w1", " https://a.example/\nwitness w1")),
        (
            "policy: two URLs",
            with("\nwitness w1", " https://a.example/ https://b.example/\nwitness w1"),
        ),
        ("policy: no newline at its end", with("quorum two\n", "quorum two")),
        ("policy: CR LF", with("quorum two\n", "quorum two\r\n")),
        ("policy: an unknown word", with("quorum", "quora x\nquorum")),
        ("policy: a second quorum line", with("quorum two\n", "quorum two\nquorum two\n")),
        ("policy: no quorum line", with("quorum two\n", "")),
        ("policy: a name twice", with("witness w2", "witness w1")),
        ("policy: a witness called none", with("witness w2", "witness none")),
        ("policy: DEL", with("\nwitness w1", "\n#\u{7f}\nwitness w1")),
        ("policy: U+0085 in a comment", with("\nwitness w1", "\n#\u{85}\nwitness w1")),
        ("policy: U+0085 in a name", with("witness w2", "witness w\u{85}2")),
        (
            "policy: no UTF-8",
            issued(witnessed().set(POLICY, [b"#\xff\n", text.as_bytes()].concat())),
        ),
        ("policy: empty", issued(witnessed().set(POLICY, ""))),
    ])
}

pub(super) fn quorums() -> Vec<Case> {
    let quorum = |words: &str| with("group two 2 w1 w2 w3\nquorum two\n", words);
    named(vec![
        ("policy: quorum none", with("quorum two", "quorum none")),
        ("policy: quorum of nobody", with("quorum two", "quorum three")),
        ("policy: quorum is a witness", with("quorum two", "quorum w3")),
        ("policy: quorum is the witness that did not", with("quorum two", "quorum w2")),
        ("policy: any", quorum("group g any w2 w3\nquorum g\n")),
        ("policy: all", quorum("group g all w1 w3\nquorum g\n")),
        ("policy: all, one missing", quorum("group g all w1 w2 w3\nquorum g\n")),
        (
            "policy: groups of groups",
            quorum("group a any w1 w2\ngroup b 1 w3\ngroup g all a b\nquorum g\n"),
        ),
        ("policy: threshold 0", quorum("group g 0 w1\nquorum g\n")),
        ("policy: threshold too large", quorum("group g 3 w1 w2\nquorum g\n")),
        ("policy: threshold with a zero", quorum("group g 01 w1 w2\nquorum g\n")),
        ("policy: threshold of words", quorum("group g most w1 w2\nquorum g\n")),
        ("policy: a member twice", quorum("group g 2 w1 w1\nquorum g\n")),
        ("policy: a member of two groups", quorum("group a any w1\ngroup b any w1\nquorum a\n")),
        ("policy: a member not defined", quorum("group g any w9\nquorum g\n")),
        ("policy: a member called none", quorum("group g any none\nquorum g\n")),
        ("policy: a group without members", quorum("group g any\nquorum g\n")),
    ])
}

pub(super) fn keys() -> Vec<Case> {
    let text = witness_policy().to_string();
    let lines: Vec<&str> = text.lines().collect();
    let own = PqSigner::from_seed(ORIGIN, &[7; 32]).unwrap().verifier().to_vkey();
    let second = format!("witness own {own}\ngroup");
    named(vec![
        ("policy: a key twice", with(lines[2], &lines[1].replace("w1 ", "w2 "))),
        ("policy: the log twice", with(lines[0], &format!("{}\n{}", lines[0], lines[0]))),
        (
            "policy: a witness's key as the log's",
            with("\nwitness w1", &format!("\nlog {}\nwitness w1", &lines[1][11..])),
        ),
        (
            "policy: a log's key as a witness's",
            with(lines[1], &format!("witness w1 {}", &lines[0][4..])),
        ),
        ("policy: without the log", with(lines[0], "#")),
        ("policy: the log's second key", with("group", &second)),
        (
            "policy: the log's second key counts",
            with("group two 2 w1", &second.replace("group", "group two 2 own")),
        ),
        ("policy: another id of a key", with("witness1.example/w+", "witness1.example/w+0")),
        ("policy: id in capitals", with(lines[0], &capital_id(lines[0]))),
    ])
}

/// The id of a key in capital letters: another spelling.
fn capital_id(line: &str) -> String {
    let (name, rest) = line.split_once('+').unwrap();
    let (id, key) = rest.split_once('+').unwrap();
    format!("{name}+{}+{key}", id.to_uppercase())
}
