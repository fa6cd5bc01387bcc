//! The door: a house in a directory of this machine, or one behind `bailee serve`. The same
//! requests, the same answers.
//!
//! Invariants: who speaks is named before anything is recorded: by `--as` on a directory, whose
//! files only its keepers can open; by the token at a server. What follows from a command (clocks,
//! receipts, notices) is carried out before the program ends, and what could not be is remarked.
//! Clocks that fell due while a directory was closed are applied before anything is shown or asked.

use std::fs::File;
use std::io::Write;

use bailee_server::api::parts::Who;
use bailee_server::api::{self, Answer, CheckReport, Problem, Received, Request};
use bailee_server::core::By;
use bailee_server::core::disclosure::Audience;
use bailee_server::core::id::PartyId;
use bailee_server::intake::{self, Cover};
use bailee_server::keys::Secrets;
use bailee_server::{Clock, House, documents, matter, receipt};
use serde_json::Value;

use crate::cli::Reach;
use crate::client::{Client, encoded};
use crate::letter::Letter;
use crate::print;
use crate::trouble::Trouble;

/// A way to a house.
pub(crate) enum Door {
    /// A directory of this machine.
    Here(Box<Here>),
    /// A server.
    There(Client),
}

/// A house of this machine.
pub(crate) struct Here {
    /// It.
    pub(crate) house: House,
    by: Option<PartyId>,
}

/// A bundle somebody takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bundle {
    /// Of a demand.
    Receipt,
    /// Of a matter: one party's part, or everything.
    Matter(Option<PartyId>),
    /// Of a clearance.
    Certificate,
    /// Of a change of the log's keys: a rotation, or `log`.
    Keys,
}

impl Door {
    /// Opens what `reach` names.
    pub(crate) fn open(reach: &Reach) -> Result<Door, Trouble> {
        match &reach.server {
            Some(url) => Ok(Door::There(Client::new(url, reach)?)),
            None => Ok(Door::Here(Box::new(Here::open(reach)?))),
        }
    }

    /// Opens the house itself, for what only works where it is and while nothing serves it.
    pub(crate) fn open_here(reach: &Reach, what: &str) -> Result<Door, Trouble> {
        let door = Door::open(reach).map_err(|trouble| trouble.only_here(what))?;
        door.here(what)?;
        Ok(door)
    }

    /// Records a request.
    pub(crate) fn perform(&self, request: Request) -> Result<Answer, Trouble> {
        for (digest, path) in request.ahead()? {
            let failed = |e| Trouble::io(format!("read {}", path.display()), &e);
            let mut file = File::open(&path).map_err(failed)?;
            match self {
                Door::Here(here) => {
                    let by = here.speaker()?;
                    let taken = documents::hand_in(&here.house, by, &digest, &mut file);
                    taken.map_err(Problem::from)?;
                }
                Door::There(client) => client.hand_in_document(&digest, file)?,
            }
        }
        match self {
            Door::Here(here) => {
                let answer = api::perform(&here.house, request, By::Party(here.speaker()?))?;
                here.settle();
                Ok(answer)
            }
            Door::There(client) => client.perform(&request),
        }
    }

    /// One thing, or a list with its parameters (`assets?limit=5`).
    pub(crate) fn show(&self, what: &str) -> Result<Value, Trouble> {
        match self {
            Door::Here(here) => Ok(api::show(&here.house, what)?),
            Door::There(client) => {
                let (name, query) = what.split_once('?').unwrap_or((what, ""));
                client.get(&format!("/v1/{}?{query}", encoded(name)))
            }
        }
    }

    /// What whoever speaks may see as an owner.
    pub(crate) fn mine(&self) -> Result<Value, Trouble> {
        match self {
            Door::Here(here) => {
                let by = here.by.ok_or_else(|| {
                    let detail = "does not say whose";
                    Trouble::usage("mine", detail, "say who is looking: --as P-4, or $BAILEE_AS")
                })?;
                Ok(api::mine(&here.house, by)?)
            }
            Door::There(client) => client.get("/v1/mine"),
        }
    }

    /// The gate's verdict.
    pub(crate) fn gate(&self, asset: &str, verb: api::words::Verb) -> Result<Value, Trouble> {
        match self {
            Door::Here(here) => Ok(api::gate(&here.house, asset, verb)?),
            Door::There(client) => client.get(&format!("/v1/gate/{}?verb={verb}", encoded(asset))),
        }
    }

    /// Takes a letter in.
    pub(crate) fn intake(&self, letter: &Letter) -> Result<Received, Trouble> {
        match self {
            Door::Here(here) => {
                let by = here.by.map_or(By::System, By::Party);
                let (instrument, silent) = (letter.instrument.clone(), letter.silent);
                let scope = letter.scope.clone().into_core()?;
                intake::check_form(&here.house, &scope)?;
                let from = letter.sender.clone().map(Who::sender).transpose()?;
                let medium = letter.medium.map(Into::into);
                let cover = Cover { instrument, silent, medium, from, scope };
                let taken = intake::take(&here.house, letter.raw.clone(), cover, by)?;
                here.settle();
                Ok(Received::from(&taken))
            }
            Door::There(client) => client.intake(letter),
        }
    }

    /// Writes the receipt of a letter that was taken in as `demand`.
    pub(crate) fn receipt(
        &self,
        letter: &Letter,
        demand: &str,
        out: &mut dyn Write,
    ) -> Result<(), Trouble> {
        match self {
            Door::Here(_) => self.bundle(Bundle::Receipt, demand, out),
            Door::There(client) => client.receipt(letter, out),
        }
    }

    /// Writes a bundle.
    pub(crate) fn bundle(
        &self,
        kind: Bundle,
        id: &str,
        out: &mut dyn Write,
    ) -> Result<(), Trouble> {
        let here = match self {
            Door::There(client) => return client.bundle(kind, id, out),
            Door::Here(here) => here,
        };
        let house = &here.house;
        match kind {
            Bundle::Receipt => receipt::demand(house, read_id(id)?, out)?,
            Bundle::Matter(reader) => {
                let audience = match reader {
                    None => Audience::Counsel,
                    Some(party) => house.with_state(|s| Audience::of(s, party))?,
                };
                matter::bundle(house, read_id(id)?, audience, out)?;
            }
            Bundle::Certificate => receipt::certificate(house, read_id(id)?, out)?,
            Bundle::Keys => receipt::key_change(house, read_id(id)?, out)?,
        }
        Ok(())
    }

    /// The policy that others pin.
    pub(crate) fn policy(&self) -> Result<String, Trouble> {
        match self {
            Door::Here(here) => Ok(here.house.policy()?.to_string()),
            Door::There(client) => client.text("/v1/keys/policy"),
        }
    }

    /// The house itself, for what only works where it is.
    pub(crate) fn here(&self, what: &str) -> Result<&Here, Trouble> {
        match self {
            Door::Here(here) => Ok(here),
            Door::There(_) => Err(Trouble::usage(
                what,
                "works on the data directory itself and not through --server",
                "run it on the server's machine with --dir, while `bailee serve` is stopped",
            )),
        }
    }
}

impl Here {
    fn open(reach: &Reach) -> Result<Here, Trouble> {
        let by = reach.speaker.as_deref().map(read_id).transpose()?;
        let secrets = Secrets::from_environment();
        let house = House::open_within(&reach.dir, Clock::Wall, &secrets, reach.patience())?;
        // Nobody ticked while the house was closed. A log that cannot be written may be read.
        if let Err(failure) = house.tick() {
            print::remark(&format!("shown as of the last entry: {failure}"));
        }
        Ok(Here { house, by })
    }

    /// Who is speaking.
    pub(crate) fn speaker(&self) -> Result<PartyId, Trouble> {
        self.by.ok_or_else(|| {
            let detail = "everything that is recorded names who asked for it";
            Trouble::usage("--as", detail, "say who is speaking: --as P-1, or $BAILEE_AS")
        })
    }

    /// Carries out what is due; remarks what could not be. The number of those.
    pub(crate) fn settle(&self) -> usize {
        let failed = self.house.settle();
        for error in &failed {
            print::remark(&format!("still pending: {error}"));
        }
        failed.len()
    }

    /// Checks everything.
    pub(crate) fn check(&self) -> Result<CheckReport, Trouble> {
        let mut bar = print::progress::Bar::new();
        let mut tell = |step| match step {
            api::check::Step::Entries(done, total) => bar.count("entries", done, total),
            api::check::Step::Exhibits(done, total) => bar.count("exhibits", done, total),
        };
        Ok(api::check(&self.house, &mut tell)?)
    }
}

/// Reads an id like `D-3`.
pub(crate) fn read_id<I>(text: &str) -> Result<I, Trouble>
where
    I: std::str::FromStr<Err = bailee_server::core::id::BadId>,
{
    text.parse().map_err(|e: bailee_server::core::id::BadId| {
        Problem::bad_request("the id", e.to_string()).into()
    })
}
