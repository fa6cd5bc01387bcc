//! The player: runs clocks, submits commands, asks questions, writes the transcript.
//!
//! Order of a sentence: clocks that fall due up to its date, one tick per due time; then its
//! commands, each step ended by its first refusal; then its expectation. Why it is safe: the player
//! sees the house only through `House`, so that what it plays is what the house would do anyhow.

use super::form::{Answer, Meaning, Memory, Scene, Step, Unclear};
use super::forms;
use super::names::Names;
use super::tell;
use super::{House, Line, Part, Scenario, ScenarioFailure, Transcript};
use crate::command::{Action, Command};
use crate::event::{Event, Record};
use crate::instrument::Catalogue;
use crate::refusal::{Code, Refusal};
use crate::time::Time;

/// Plays a story in a house; `standard` is what `instruments standard` loads.
///
/// # Errors
/// The first sentence whose outcome is not the one it says, with the transcript up to it.
pub fn play(
    scenario: &Scenario,
    house: &mut impl House,
    standard: &Catalogue,
) -> Result<Transcript, ScenarioFailure> {
    let mut player = Player {
        house,
        standard,
        names: Names::default(),
        memory: Memory::default(),
        out: Transcript::default(),
    };
    let mut last = 0;
    for part in &scenario.parts {
        match part {
            Part::Prose(text) => player.out.lines.push(text.clone()),
            Part::Line(line) => {
                last = line.number;
                if let Err(unclear) = player.sentence(line) {
                    return Err(player.failed(line.number, unclear));
                }
            }
        }
    }
    let end = scenario.parts.iter().rev().find_map(|part| match part {
        Part::Line(line) => Some(line.form.pattern),
        Part::Prose(_) => None,
    });
    if end == Some("check") {
        return Ok(player.out);
    }
    player.out.lines.push("check".to_owned());
    let answer = player.house.with_state(forms::check);
    let now = player.house.with_state(|state| state.now(Time(0)));
    match player.answered(answer, now) {
        Ok(()) => Ok(player.out),
        Err(unclear) => Err(player.failed(last, unclear)),
    }
}

struct Player<'a, H> {
    house: &'a mut H,
    standard: &'a Catalogue,
    names: Names,
    memory: Memory,
    out: Transcript,
}

/// What came of one step.
struct Outcome {
    records: Vec<Record>,
    refusal: Option<Refusal>,
}

impl<H: House> Player<'_, H> {
    fn failed(self, line: usize, unclear: Unclear) -> ScenarioFailure {
        let Unclear { expected, got } = unclear;
        ScenarioFailure { line, expected, got, transcript: self.out }
    }

    fn say(&mut self, text: &str) {
        self.out.lines.push(format!("    {text}"));
    }

    fn sentence(&mut self, line: &Line) -> Result<(), Unclear> {
        self.clocks(line.at)?;
        self.out.lines.push(line.text.clone());
        match line.form.meaning {
            Meaning::Act(build) => {
                let steps = self.scene(line.at, |scene| build(scene, &line.slots))?;
                self.act(line, steps)
            }
            Meaning::Ask(ask) => {
                let answer = self.scene(line.at, |scene| ask(scene, &line.slots))?;
                if let Some(refused) = line.refused {
                    let expected = format!("an act that is refused {}", refused.code.as_str());
                    return Err(Unclear::new(expected, "a question, which is never refused"));
                }
                self.answered(answer, line.at)
            }
        }
    }

    fn scene<R>(&self, now: Time, look: impl FnOnce(&Scene<'_>) -> R) -> R {
        let (names, standard, memory) = (&self.names, self.standard, &self.memory);
        self.house.with_state(|state| {
            let now = state.now(now);
            look(&Scene { state, names, standard, now, memory })
        })
    }

    /// One tick at each due time up to `until`, in order, and on each day without one: a house in a
    /// story is served.
    fn clocks(&mut self, until: Time) -> Result<(), Unclear> {
        let mut told: Vec<(Time, Vec<String>)> = Vec::new();
        while let Some(due) = self.house.with_state(|state| state.next_tick()) {
            if due > until {
                break;
            }
            let at = self.house.with_state(|state| state.now(due));
            let outcome = self.step(&Step(vec![Command::system(Action::Tick)]), at);
            if let Some(refusal) = outcome.refusal {
                return Err(Unclear::new("clocks that run", refusal.to_string()));
            }
            if outcome.records.is_empty() {
                return Err(Unclear::new(format!("something at {due}"), "nothing fell due"));
            }
            let quiet = |record: &Record| matches!(record.fact.event, Event::TimePassed {});
            if !outcome.records.iter().all(quiet) {
                told.push((at, tell::records(&outcome.records)));
            }
        }
        for line in tell::ticks(&told) {
            self.say(&line);
        }
        Ok(())
    }

    fn step(&mut self, step: &Step, at: Time) -> Outcome {
        let mut outcome = Outcome { records: Vec::new(), refusal: None };
        for command in &step.0 {
            match self.house.submit(command, at) {
                Ok(records) => {
                    self.names.learn(command, &records);
                    self.notice_receipts(&records);
                    outcome.records.extend(records);
                }
                Err(refusal) => {
                    outcome.refusal = Some(refusal);
                    break;
                }
            }
        }
        outcome
    }

    fn notice_receipts(&mut self, records: &[Record]) {
        for record in records {
            if let Event::ReceiptSent { demand } = record.fact.event {
                self.memory.receipts.insert(demand, record.at);
            }
        }
    }

    fn act(&mut self, line: &Line, steps: Vec<Step>) -> Result<(), Unclear> {
        let mut told = Vec::new();
        let mut wrong = None;
        for (n, step) in steps.iter().enumerate() {
            let outcome = self.step(step, line.at);
            let mut lines = tell::records(&outcome.records);
            lines.extend(outcome.refusal.as_ref().map(|refusal| format!("refused {refusal}")));
            told.push(lines);
            let last = line.refused.is_some_and(|refused| refused.after == Some(n as u64));
            let always = line.refused.is_some_and(|refused| refused.after.is_none());
            let wanted = line.refused.filter(|_| last || always).map(|refused| refused.code);
            wrong = mismatch(wanted, outcome.refusal.as_ref());
            if wrong.is_some() || last {
                break;
            }
        }
        for line in tell::steps(&told) {
            self.say(&line);
        }
        let after = line.refused.and_then(|refused| refused.after);
        if let Some(after) = after.filter(|after| told.len() as u64 <= *after) {
            let expected = format!("a refusal after {after} steps");
            wrong = wrong.or(Some(Unclear::new(expected, format!("{} steps", steps.len()))));
        }
        wrong.map_or(Ok(()), Err)
    }

    fn answered(&mut self, answer: Answer, now: Time) -> Result<(), Unclear> {
        for question in &answer.asked {
            let outside = self.house.asked(question, now);
            outside.map_err(|got| Unclear::new(format!("at the door too: {question}"), got))?;
        }
        for line in answer.shown {
            self.say(&line);
        }
        self.memory.views.extend(answer.remember);
        match answer.expected == answer.got {
            true => Ok(()),
            false => Err(Unclear { expected: answer.expected, got: answer.got }),
        }
    }
}

fn mismatch(wanted: Option<Code>, refusal: Option<&Refusal>) -> Option<Unclear> {
    let expected = match wanted {
        None => "no refusal".to_owned(),
        Some(code) => format!("refused {}", code.as_str()),
    };
    match refusal {
        None => wanted.map(|_| Unclear::new(expected, "no refusal")),
        Some(refusal) if wanted == Some(refusal.code) => None,
        Some(refusal) => Some(Unclear::new(expected, format!("refused {refusal}"))),
    }
}
