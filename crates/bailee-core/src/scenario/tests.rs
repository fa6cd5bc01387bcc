//! Tests of the scenario language, and the play of every story in `scenarios/`.
//!
//! Invariants: a transcript that differs fails, unless `BAILEE_BLESS` is set; the handbook, the
//! examples and the stories know every sentence. Out of scope: what the rules should be; the
//! stories say that.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use super::*;
use crate::instrument::{Catalogue, Ends, Instrument, Privacy};
use crate::time::{DayRule, Until, Weekend};
use crate::wire;

/// `instruments.toml`, as far as it is lines of `key = value`.
fn standard() -> Catalogue {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("instruments.toml");
    let text = fs::read_to_string(path).unwrap();
    let mut blocks = text.split("[[instrument]]").map(fields);
    let version = blocks.next().unwrap()["version"].clone();
    let catalogue = Catalogue { version, instruments: blocks.map(|f| instrument(&f)).collect() };
    assert_eq!(catalogue.fault(), None);
    catalogue
}

fn fields(block: &str) -> BTreeMap<String, String> {
    let pairs = block.lines().filter(|line| !line.starts_with('#'));
    let pairs = pairs.filter_map(|line| line.split_once(" = "));
    pairs.map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned())).collect()
}

fn instrument(fields: &BTreeMap<String, String>) -> Instrument {
    let text = |key: &str| fields.get(key).map(String::as_str).unwrap_or_default();
    let days = |key: &str| fields.get(key).map(|days| days.parse().unwrap());
    Instrument {
        code: text("code").into(),
        title: text("title").into(),
        citation: text("citation").into(),
        days: days("days"),
        extension_days: days("extension_days"),
        max_extensions: days("max_extensions").map_or(0, |most| u8::try_from(most).unwrap()),
        gag_days: days("gag_days"),
        keeps: fields.get("keeps").map(|keeps| keeps.parse().unwrap()),
        ends: if text("ends") == "ceiling" { Ends::Ceiling } else { Ends::Floor },
        privacy: if text("privacy") == "silent" { Privacy::Silent } else { Privacy::Open },
        rule: DayRule {
            zone: fields.get("zone").map_or("UTC", String::as_str).into(),
            until: if text("until") == "end-of-day" { Until::EndOfDay } else { Until::SameTime },
            weekend: Weekend::Counts,
        },
        duties: text("duties").into(),
    }
}

/// A house behind a lock that keeps its log as bytes, and can start again from it.
#[derive(Default)]
struct Walled {
    state: Mutex<State>,
    log: Vec<wire::Sections<Vec<u8>>>,
}

impl House for Walled {
    fn submit(&mut self, command: &Command, now: Time) -> Result<Vec<Record>, Refusal> {
        let records = crate::run(&mut self.state.lock().unwrap(), command, now)?;
        for record in &records {
            self.log.push(wire::encode(record.at, record.by, &record.fact));
        }
        Ok(records)
    }

    fn with_state<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.state.lock().unwrap())
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn playing(text: &str) -> Result<Transcript, ScenarioFailure> {
    play(&parse(text).unwrap(), &mut InMemory::default(), &standard())
}

const HOUSE: &str = "\
2026-01-01 instruments standard
entity \"Host B.V.\" in NL
staff Ada and Ben
counsel Cora
owner Shop <shop@example.org>
Ada registers account Shop of Shop with \"Host B.V.\" under NL law, retention 30 days
Ada registers 5 servers \"srv-{n}\" on account Shop, 1 TB each
";

#[test]
fn every_scenario_plays_to_its_transcript() {
    let bless = std::env::var_os("BAILEE_BLESS").is_some();
    let mut played = 0;
    let mut differ = Vec::new();
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "txt")) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(file).unwrap();
        let story = parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let told = match play(&story, &mut InMemory::default(), &standard()) {
            Ok(told) => told.to_string(),
            Err(failure) => {
                let played = &failure.transcript.lines;
                let tail = played[played.len().saturating_sub(12)..].join("\n");
                differ.push(format!("{name}: {failure}, after\n{tail}\n"));
                continue;
            }
        };
        let golden = file.with_extension("out");
        if bless {
            fs::write(&golden, &told).unwrap();
        } else if fs::read_to_string(&golden).ok().as_deref() != Some(&told) {
            differ.push(format!("{name} differs from its .out\n"));
        }
        played += 1;
    }
    assert!(differ.is_empty(), "BAILEE_BLESS=1 rewrites transcripts\n{}", differ.concat());
    assert!(played >= 14, "only {played} scenarios found");
    let transcripts = files.iter().filter(|file| file.extension().is_some_and(|e| e == "out"));
    assert!(bless || transcripts.count() == played, "a transcript has no scenario");
}

#[test]
fn a_house_that_starts_again_from_its_log_is_where_it_was() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        // The founding case is large; the others reach every kind of entry it reaches.
        let large = path.file_stem().is_some_and(|stem| stem == "leaseweb-2013");
        if large || path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let story = parse(&fs::read_to_string(&path).unwrap()).unwrap();
        let mut house = Walled::default();
        let told = play(&story, &mut house, &standard()).unwrap();
        let alone = play(&story, &mut InMemory::default(), &standard()).unwrap();
        assert_eq!(told, alone, "{path:?} in another house");
        let mut again = State::default();
        for (seq, entry) in house.log.iter().enumerate() {
            let sections = entry.each_ref().map(|section| section.as_deref());
            crate::apply(&mut again, &wire::decode(seq as u64, sections).unwrap()).unwrap();
        }
        assert!(again == *house.state.lock().unwrap(), "{path:?} replayed is another state");
    }
}

/// A house that forgets which asset has which identifier.
#[derive(Default)]
struct Forgetful(InMemory);

impl House for Forgetful {
    fn submit(&mut self, command: &Command, now: Time) -> Result<Vec<Record>, Refusal> {
        let records = self.0.submit(command, now);
        self.0.state.identifiers.clear();
        records
    }

    fn with_state<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        self.0.with_state(look)
    }
}

#[test]
fn a_house_that_breaks_a_rule_fails_at_the_end_of_every_play() {
    let story = parse(HOUSE).unwrap();
    let failure = play(&story, &mut Forgetful::default(), &standard()).unwrap_err();
    assert_eq!(failure.expected, "every rule holds");
    assert!(failure.got.contains("rule 0: the index of identifiers"), "{failure}");
}

#[test]
fn every_example_is_understood_by_its_own_form_and_no_other() {
    for form in forms::all() {
        let (_, rest) = date(form.example).unwrap();
        let tokens = token::tokens(rest).unwrap();
        for other in forms::all() {
            let mut furthest = Furthest::default();
            let mut reading = Reading {
                tokens: &tokens,
                example: "",
                slots: Vec::new(),
                furthest: &mut furthest,
            };
            let items = form::items(other.pattern);
            let understood = reading.takes(&items, &[], 0);
            let own = form.pattern == other.pattern;
            assert_eq!(understood, own, "{:?} by {:?}", form.example, other.pattern);
        }
    }
}

#[test]
fn the_handbook_lists_every_form() {
    let path = folder().join("../docs/scenarios.md");
    let handbook = fs::read_to_string(path).unwrap();
    for (pattern, example) in sentences() {
        assert!(handbook.contains(&format!("`{pattern}`")), "docs/scenarios.md lacks `{pattern}`");
        assert!(handbook.contains(example), "docs/scenarios.md lacks the example {example}");
    }
}

#[test]
fn every_sentence_is_used_in_a_scenario() {
    let mut used = std::collections::BTreeSet::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            for part in parse(&fs::read_to_string(path).unwrap()).unwrap().parts {
                if let Part::Line(line) = part {
                    used.insert(line.form.pattern);
                }
            }
        }
    }
    let unused: Vec<&str> =
        sentences().map(|(pattern, _)| pattern).filter(|pattern| !used.contains(pattern)).collect();
    assert!(unused.is_empty(), "no scenario shows {unused:#?}");
}

#[test]
fn what_is_not_understood_is_an_error_with_its_line_and_what_would_be() {
    let wrong = |text: &str, line: usize, words: &[&str]| {
        let error = parse(text).unwrap_err();
        assert_eq!(error.line, line, "{error}");
        for word in words {
            assert!(error.to_string().contains(word), "{error} lacks {word:?}");
        }
    };
    wrong("2026-01-01 Ada regsters account Shop", 1, &["regsters", "\"registers\"", "for example"]);
    wrong("staff Ada", 1, &["needs a date"]);
    wrong("2026-01-01 staff Ada\n2025-12-31 staff Ben", 2, &["is before"]);
    wrong("2026-13-01 staff Ada", 1, &["is not a date"]);
    wrong("# prose\n\n2026-01-01 letter from \"Ada", 3, &["is missing"]);
    wrong("2026-01-01 check -> refused no_such_code", 1, &["no_such_code"]);
    wrong("2026-01-01 check -> denied", 1, &["wanted `-> refused"]);
    wrong("2026-01-01 Ada begins C-1 -> refused not_found after x", 1, &["\"x\""]);
    wrong(" staff Ada", 1, &["continues nothing"]);
    wrong("2026-01-01 gate srv-1: blocked by nonsense H-1", 1, &["hold_provisional H-1"]);
    wrong("2026-01-01 Ada starts", 1, &["ends too early", "\"a\""]);
    wrong("2026-01-01 check twice", 1, &["the end of the line"]);
}

#[test]
fn a_mark_of_an_editor_at_the_head_is_no_part_of_the_story() {
    let marked = playing(&format!("\u{feff}{HOUSE}")).unwrap();
    assert_eq!(marked, playing(HOUSE).unwrap());
    assert_eq!(parse("2026-01-01 \u{feff}staff Ada").unwrap_err().line, 1);
}

/// A house whose door answers nothing.
#[derive(Default)]
struct Deaf(InMemory);

impl House for Deaf {
    fn submit(&mut self, command: &Command, now: Time) -> Result<Vec<Record>, Refusal> {
        self.0.submit(command, now)
    }

    fn with_state<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        self.0.with_state(look)
    }

    fn asked(&mut self, _: &Question, _: Time) -> Result<(), String> {
        Err("silence".to_owned())
    }
}

#[test]
fn a_question_is_told_in_words() {
    let story = parse(&format!("{HOUSE}gate srv-1: clear\n")).unwrap();
    let failure = play(&story, &mut Deaf::default(), &standard()).unwrap_err();
    assert_eq!(failure.expected, "at the door too: A-1 may not be let go of: account_active AC-1");
    for (question, words) in [
        (Question::Thing("H-1".into(), vec!["active", "silent"]), "H-1 is active, silent"),
        (Question::Count("demands".into(), 2), "2 in the list of demands"),
    ] {
        assert_eq!(question.to_string(), words);
    }
}

#[test]
fn a_wrong_expectation_fails_at_its_line_with_both_sides() {
    let wrong = |line: &str, expected: &str, got: &str| {
        let failure = playing(&format!("{HOUSE}{line}\n")).unwrap_err();
        assert_eq!(failure.line, 8, "{line}: {failure}");
        assert!(failure.expected.contains(expected), "{line}: {failure}");
        assert!(failure.got.contains(got), "{line}: {failure}");
        assert!(failure.transcript.to_string().contains("A-5 is the server srv-5"));
    };
    wrong("gate srv-1..5: clear", "clear", "srv-1: blocked by account_active AC-1");
    wrong("gate srv-2: blocked by account_active srv-9", "srv-9", "AC-1");
    wrong("gate srv-6: clear", "an asset", "\"srv-6\" is not known yet");
    wrong("expect 2 demands", "2 demands", "0 demands");
    wrong("expect srv-1 is destroyed", "destroyed", "srv-1: kept, blocked");
    wrong("expect H-1 is active", "exists", "H-1: no such thing");
    wrong("Ada ends account Shop -> refused already_done", "refused already_done", "no refusal");
    wrong("Ben accepts D-1", "no refusal", "not_found");
    wrong("Ada begins C-1 -> refused not_found after 1", "no refusal", "not_found");
    wrong("check -> refused bad_value", "an act", "a question");
    wrong("expect Shop sees H-1", "H-1", "no holds");
    wrong("expect Shop sees the same as before", "remember", "none");
    wrong("Ada moves srv-1..9999999999 to storage", "a range", "srv-1..9999999999");
    wrong("Ada moves srv-5..1 to storage", "goes up", "srv-5..1");
    wrong("expect no duty nonsense about D-1", "one of triage", "nonsense");
    wrong("Ada registers 2 servers \"srv\"", "{n}", "\"srv\"");
    wrong("staff Dan and Eve <eve@example.org>", "one name", "Dan, Eve");
    wrong("Ada moves srv-1 to storage -> refused not_found after 1", "after 1 steps", "1 steps");
}

#[test]
fn clocks_run_in_order_before_the_sentence_that_comes_after_them() {
    let told = playing(&format!(
        "{HOUSE}letter from Court <court@example.org> as epoc-pr for Shop: \"Keep the data.\"
Cora holds Shop as us-2703f
2026-12-01 time passes
"
    ))
    .unwrap()
    .to_string();
    let first = told.find("basis 0 of H-1 lapsed").unwrap();
    let second = told.find("basis 0 of H-2 lapsed").unwrap();
    assert!(first < second && second < told.find("2026-12-01 time passes").unwrap(), "{told}");
}

#[test]
fn the_check_comes_last_even_if_nobody_wrote_it() {
    let told = playing(HOUSE).unwrap();
    let last: Vec<&str> = told.lines.iter().rev().take(2).map(String::as_str).collect();
    assert_eq!(last, ["    every rule holds", "check"]);
}

#[test]
fn continued_lines_and_prose_are_kept_apart() {
    let told = playing("# Prose\n\n2026-01-01 staff\n   Ada and\n   Ben\n").unwrap();
    assert_eq!(told.lines[..3], ["# Prose", "", "2026-01-01 staff Ada and Ben"]);
}

proptest::proptest! {
    /// Any text is a story or a named error.
    #[test]
    fn parse_never_panics(text in "[ -~\n\"<>é…#0-9:,]{0,400}") {
        if let Err(error) = parse(&text) {
            proptest::prop_assert!(error.line >= 1 && !error.what.is_empty());
        }
    }

    /// Any shuffle of known words parses or is named, and what parses plays or fails with a line.
    #[test]
    fn any_sentence_of_known_words_plays_or_is_named(
        picks in proptest::collection::vec(0usize..10_000, 1..12)
    ) {
        let words: Vec<&str> = sentences().flat_map(|(_, example)| example.split(' ')).collect();
        let line: Vec<&str> = picks.iter().map(|n| words[n % words.len()]).collect();
        if let Ok(story) = parse(&format!("{HOUSE}2026-02-01 {}\n", line.join(" "))) {
            let played = play(&story, &mut InMemory::default(), &standard());
            proptest::prop_assert!(played.err().is_none_or(|failure| failure.line == 8));
        }
    }

    /// Every example, against a house where little exists, is played or fails by name.
    #[test]
    fn examples_never_panic_whatever_exists(
        picks in proptest::collection::vec(0usize..10_000, 1..8)
    ) {
        let examples: Vec<&str> = sentences().map(|(_, example)| example).collect();
        let mut text = HOUSE.to_owned();
        for pick in picks {
            let (_, rest) = date(examples[pick % examples.len()]).unwrap();
            text.push_str(&format!("2026-02-01 {rest}\n"));
        }
        let played = play(&parse(&text).unwrap(), &mut InMemory::default(), &standard());
        proptest::prop_assert!(played.err().is_none_or(|failure| failure.line >= 8));
    }
}
