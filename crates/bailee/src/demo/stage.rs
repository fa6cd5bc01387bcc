//! The stage: the house of the demo, its clock, and its voice.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bailee_server::core::demand::Exhibit as Paper;
use bailee_server::core::id::PartyId;
use bailee_server::core::party::{Channel, ChannelKind, Role, Who};
use bailee_server::core::{Action, By, Code, Command, Event, Reason, Record, Time};
use bailee_server::intake::{self, Cover, Taken};
use bailee_server::store::{Exhibit, digest};
use bailee_server::{Clock, Config, Failure, House};

use crate::print::Style;

/// House, clock, folder of results.
pub(super) struct Stage {
    pub(super) house: House,
    pub(super) dir: PathBuf,
    pub(super) proofs: PathBuf,
    pub(super) style: Style,
    began: Instant,
}

impl Stage {
    /// Sets up the house of a host in the year 2012.
    pub(super) fn open(dir: &Path, style: Style) -> Result<Stage> {
        let began = Instant::now();
        let mut config = Config::for_origin("log.host.example/2012");
        config.entities.insert("legal@host.example".into(), "E-1".into());
        config.entities.insert("legal@us.host.example".into(), "E-2".into());
        let clock = Clock::told(Time::parse("2012-01-02 08:00").unwrap_or_default());
        let house = House::create(&dir.join("house"), &config, clock)?;
        let proofs = dir.join("proofs");
        std::fs::create_dir(&proofs)?;
        let stage = Stage { house, dir: dir.to_owned(), proofs, style, began };
        stage.say("", "Bailee holds other people's data in trust. This is the case it comes from.");
        stage.say("", &format!("Everything happens in {}", dir.display()));
        Ok(stage)
    }

    /// One line for people: a date or nothing, and what happened.
    pub(super) fn say(&self, when: &str, what: &str) {
        if self.style == Style::Json {
            return;
        }
        let mut out = std::io::stdout().lock();
        // A closed pipe ends the demo's words, not its work.
        _ = writeln!(out, "{when:<10}  {what}");
    }

    /// A heading.
    pub(super) fn act(&self, title: &str) {
        self.say("", "");
        self.say("", title);
    }

    /// Turns the clock to a date and lets everything happen that is due until then.
    pub(super) fn turn(&self, date: &str) -> Result<()> {
        let time = Time::parse(date).with_context(|| format!("{date} is no date"))?;
        // Each clock on the way rings at its own time, and the log sees each day.
        loop {
            let due = self.house.with_state(|s| s.next_tick())?.filter(|due| *due <= time);
            self.house.clock().tell(due.unwrap_or(time));
            self.settle()?;
            if due.is_none() {
                return Ok(());
            }
        }
    }

    /// Carries out what is due and pending.
    pub(super) fn settle(&self) -> Result<()> {
        match self.house.settle().into_iter().next() {
            None => Ok(()),
            Some(error) => Err(error.into()),
        }
    }

    /// Does something that must be done.
    pub(super) fn act_as(&self, by: Option<PartyId>, action: Action) -> Result<Vec<Record>> {
        let by = by.map_or(By::System, By::Party);
        Ok(self.house.submit(Command { by, action }, Vec::new())?.records)
    }

    /// Does something that must be refused, and says why it was.
    pub(super) fn refused(
        &self,
        by: Option<PartyId>,
        action: Action,
        code: Code,
    ) -> Result<String> {
        let by = by.map_or(By::System, By::Party);
        match self.house.submit(Command { by, action }, Vec::new()) {
            Err(Failure::Refused(refusal)) if refusal.code == code => Ok(refusal.to_string()),
            Err(other) => bail!("expected {}, got: {other}", code.as_str()),
            Ok(_) => bail!("expected {}, but it was done", code.as_str()),
        }
    }

    /// Registers a person or organisation.
    pub(super) fn party(&self, name: &str, address: &str, roles: &[Role]) -> Result<PartyId> {
        let channels = vec![Channel { kind: ChannelKind::Email, address: address.into() }];
        let who = Who { name: name.into(), channels };
        let roles = roles.to_vec();
        let action = Action::RegisterParty { who, roles, same_person_as: None };
        let records = self.act_as(None, action)?;
        let party = records.iter().find_map(|record| match record.fact.event {
            Event::PartyRegistered { party, .. } => Some(party),
            _ => None,
        });
        party.context("the party was not registered")
    }

    /// Takes a letter at the door, and says how fast.
    pub(super) fn letter(&self, raw: &[u8]) -> Result<(Taken, f64)> {
        let began = Instant::now();
        let taken = intake::take(&self.house, raw.to_vec(), Cover::default(), By::System)?;
        if let Taken::Demand { position, .. } = taken {
            self.house.checkpoint_over(position + 1)?;
        }
        Ok((taken, began.elapsed().as_secs_f64() * 1000.0))
    }

    /// A document of the house as an exhibit, with the words that go with it.
    pub(super) fn reason(note: &str) -> Reason {
        Reason { note: note.into(), exhibits: Vec::new() }
    }

    /// Submits an action that names a document.
    pub(super) fn act_with(
        &self,
        by: PartyId,
        bytes: &[u8],
        name: &str,
        action: impl FnOnce(Reason) -> Action,
    ) -> Result<Vec<Record>> {
        let exhibit = Exhibit { digest: digest(bytes), bytes: bytes.to_vec() };
        let paper = Paper {
            digest: exhibit.digest,
            size: bytes.len() as u64,
            media: "message/rfc822".into(),
            name: name.into(),
        };
        let action = action(Reason { note: name.into(), exhibits: vec![paper] });
        Ok(self.house.submit(Command::by(by, action), vec![exhibit])?.records)
    }

    /// Seconds since the curtain rose.
    pub(super) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}
