//! What a verifier says of a bundle, and when two verifiers say the same.

use std::io::{Cursor, Read, Seek};

use bailee_ledger::report::ClaimState;
use bailee_ledger::{Policy, Trust, verify_bundle};

/// What is said of one claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Proven,
    NotShown,
    Failed,
    /// The verifier says that it cannot tell, or has stopped before.
    NotChecked,
}

impl State {
    pub(super) fn parse(word: &str) -> State {
        match word {
            "proven" => State::Proven,
            "not-shown" => State::NotShown,
            "failed" => State::Failed,
            "not-checked" => State::NotChecked,
            other => panic!("a verifier says `{other}` of a claim"),
        }
    }
}

/// Is there anything that contradicts the bundle?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Holds,
    Contradicted,
}

/// The whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// There is nothing to believe: no claim is looked at.
    Refused,
    Claims([State; 4], Verdict),
}

impl Answer {
    /// Reads `refused`, or four states and `true` (it holds) or `false`.
    pub(super) fn parse(line: &str) -> Answer {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["refused"] => Answer::Refused,
            [a, b, c, d, "true"] => {
                Answer::Claims([a, b, c, d].map(|w| State::parse(w)), Verdict::Holds)
            }
            [a, b, c, d, "false"] => {
                Answer::Claims([a, b, c, d].map(|w| State::parse(w)), Verdict::Contradicted)
            }
            _ => panic!("not an answer: {line}"),
        }
    }

    /// Ours.
    pub(super) fn ours(bytes: &[u8], trust: &Trust) -> Answer {
        Answer::of(Cursor::new(bytes), trust)
    }

    /// Ours of a bundle that is not held in memory.
    pub(super) fn of(bundle: impl Read + Seek, trust: &Trust) -> Answer {
        let Ok(report) = verify_bundle(bundle, trust) else { return Answer::Refused };
        let states = report.claims.each_ref().map(|claim| match claim.state {
            ClaimState::Proven => State::Proven,
            ClaimState::NotShown => State::NotShown,
            ClaimState::Failed => State::Failed,
        });
        let verdict = if report.failed() { Verdict::Contradicted } else { Verdict::Holds };
        Answer::Claims(states, verdict)
    }

    fn verdict(&self) -> Verdict {
        match self {
            Answer::Refused => Verdict::Contradicted,
            Answer::Claims(_, verdict) => *verdict,
        }
    }

    /// Does a stranger say what we say? Claims that it does not check are left out; a stranger that
    /// checks them all must come to our verdict, too.
    pub(super) fn agrees(&self, stranger: &Answer) -> bool {
        match (self, stranger) {
            (Answer::Claims(ours, verdict), Answer::Claims(theirs, theirs_verdict)) => {
                let same =
                    |(our, their): (&State, &State)| our == their || *their == State::NotChecked;
                let all = theirs.iter().all(|their| *their != State::NotChecked);
                let touched = ours
                    .iter()
                    .zip(theirs)
                    .any(|(our, their)| *their == State::NotChecked && *our == State::Failed);
                let verdicts = verdict == theirs_verdict || !all && touched;
                ours.iter().zip(theirs).all(same) && verdicts
            }
            _ => self.verdict() == stranger.verdict(),
        }
    }
}

/// Whose keys count, for every verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose<'a> {
    /// Those in the bundle.
    Bundle,
    /// This key, and no witness.
    Key(&'a str),
    /// Those of this policy.
    Policy(&'a str),
}

impl Whose<'_> {
    pub(super) fn trust(self) -> Trust {
        match self {
            Whose::Bundle => Trust::from_bundle(),
            Whose::Key(vkey) => Trust::pinned_key(vkey).unwrap(),
            Whose::Policy(text) => Trust::pinned(Policy::parse(text.as_bytes()).unwrap()),
        }
    }
}

#[test]
fn agreement_is_per_claim_and_of_the_whole() {
    let say = Answer::parse;
    let ours = say("proven failed failed not-shown false");
    for (line, agrees) in [
        ("proven failed failed not-shown false", true),
        ("proven failed not-checked not-checked false", true),
        ("proven failed not-checked not-checked true", true),
        ("refused", true),
        ("proven failed failed not-shown true", false),
        ("proven proven failed not-shown false", false),
        ("not-shown failed failed not-shown false", false),
    ] {
        assert_eq!(ours.agrees(&say(line)), agrees, "{line}");
    }
    let good = say("proven proven not-shown not-shown true");
    assert!(!good.agrees(&Answer::Refused) && Answer::Refused.agrees(&Answer::Refused));
    assert!(!good.agrees(&say("proven proven not-checked not-checked false")));
    assert!(!Answer::Refused.agrees(&good));
}
