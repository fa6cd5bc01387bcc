//! Check: is everything as it must be? For `bailee check`, restores, and audits.
//!
//! Looked at, in this order: the domain's rules on the state; the log entry by entry (each section
//! opens its commitment, each entry follows from those before it, the replay is the state we
//! answer from); the published checkpoint, and every kept one with what others said of it (each
//! root is the root of these entries); every exhibit that an entry names (there, and what its
//! digest says, unless it was erased); what the engine that keeps the packs was last seen to do;
//! every timestamp.
//!
//! Invariants: reading only; a finding is a line in the report, never an abort; while others
//! write, what is compared is one moment. Out of scope: the vault's packs (`snapshot verify`).

use std::collections::{BTreeMap, BTreeSet};

use bailee_core::{Event, State};
use bailee_ledger::{Checkpoint, Leaf, Tree, to_hex};
use bailee_store::{Digest, Entry};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::problem::Problem;
use crate::documents;
use crate::house::House;
use crate::{clock, keeping, keys, probing, receipt, stamping};

/// Entries read at once.
const PAGE: usize = 4096;
/// Findings after which the rest is only counted.
const TOLD: usize = 1000;

/// What was looked at and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckReport {
    /// True if nothing was found.
    pub good: bool,
    /// Entries read.
    pub entries: u64,
    /// Sections opened against their commitments.
    pub sections: u64,
    /// Sections that were erased.
    pub erased_sections: u64,
    /// Exhibits read and hashed.
    pub exhibits: u64,
    /// Exhibits erased on record.
    pub erased_exhibits: u64,
    /// Timestamp tokens verified.
    pub timestamps: u64,
    /// Size of the published checkpoint that was compared.
    pub checkpoint: Option<u64>,
    /// Kept checkpoints with what others said of them, compared.
    #[serde(default)]
    pub attested: u64,
    /// What is wrong, at most a thousand lines.
    pub findings: Vec<String>,
    /// What is missing without being wrong: tokens that an authority has not given.
    pub missing: Vec<String>,
    /// Further findings that are not told.
    pub more_findings: u64,
    /// What an operator should know of the keys; breaks no rule.
    pub keys: Vec<String>,
    /// What an operator should know of the machine's clock; breaks no rule.
    #[serde(default)]
    pub clock: Option<String>,
}

impl CheckReport {
    fn find(&mut self, finding: String) {
        if self.findings.len() < TOLD {
            self.findings.push(finding);
        } else {
            self.more_findings += 1;
        }
    }
}

/// What is being done, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Entries read, of how many.
    Entries(u64, u64),
    /// Exhibits read, of how many.
    Exhibits(u64, u64),
}

/// Checks everything. `progress` is called now and then.
///
/// # Errors
/// Only if the house does not answer; what is wrong with it is in the report.
pub fn check(house: &House, progress: &mut dyn FnMut(Step)) -> Result<CheckReport, Problem> {
    let mut report = CheckReport::default();
    // The checkpoint first: the log only grows, so it must be a prefix of what is read after.
    let note = house.checkpoint();
    let live = house.with_state(State::clone)?;
    for violation in bailee_core::check(&live) {
        report.find(violation.to_string());
    }
    let mut walk = Walk::default();
    walk.entries(house, live.head, &mut report, progress)?;
    if walk.broken.is_none() && walk.state != live {
        report.find("the replay of the log is not the state in memory: restart".into());
    }
    if let Some(note) = note {
        checkpoint(&walk, &note, house, &mut report);
    }
    walk.attested(house, &mut report)?;
    walk.exhibits(house, &mut report, progress)?;
    vault(house, &mut report);
    probing::bad(house)?.into_iter().for_each(|line| report.find(line));
    let mut missing = Vec::new();
    let find = &mut |finding| report.find(finding);
    let timestamps = stamping::find_faults(house, find, &mut |line| missing.push(line))?;
    (report.timestamps, report.missing) = (timestamps, missing);
    report.keys = keys::show::remarks(house)?;
    report.clock = clock::remark(house)?;
    report.good = report.findings.is_empty();
    Ok(report)
}

#[derive(Default)]
struct Walk {
    state: State,
    tree: Tree,
    /// First entry that does not follow; the state stands still from there.
    broken: Option<u64>,
    /// Exhibit -> first entry that names it.
    named: BTreeMap<Digest, u64>,
    /// Entries whose papers an erasure names.
    erased: BTreeSet<u64>,
    /// Entries without papers that had some.
    gone: BTreeSet<u64>,
}

impl Walk {
    fn entries(
        &mut self,
        house: &House,
        head: u64,
        report: &mut CheckReport,
        progress: &mut dyn FnMut(Step),
    ) -> Result<(), Problem> {
        let mut from = 0;
        while from < head {
            let most = usize::try_from(head - from).unwrap_or(PAGE).min(PAGE);
            let page = house.entries(from, most)?;
            if page.is_empty() {
                report.find(format!("the journal ends at {from}, the state at {head}"));
                break;
            }
            for (n, entry) in page.iter().enumerate() {
                self.entry(from + n as u64, entry, report);
            }
            from += page.len() as u64;
            progress(Step::Entries(from, head));
        }
        for entry in self.gone.difference(&self.erased) {
            report.find(format!("entry {entry}: a section is missing and no erasure names it"));
        }
        Ok(())
    }

    fn entry(&mut self, position: u64, entry: &Entry, report: &mut CheckReport) {
        report.entries += 1;
        self.tree.push(&entry.leaf);
        match Leaf::decode(&entry.leaf) {
            Ok(leaf) => self.open(position, entry, &leaf, report),
            Err(error) => report.find(format!("entry {position}: {error}")),
        }
        let record = match receipt::read(position, entry) {
            Ok(record) => record,
            Err(error) => {
                self.broken.get_or_insert(position);
                return report.find(error.to_string());
            }
        };
        if let Event::DetailsErased { positions, papers, .. } = &record.fact.event {
            self.erased.extend(positions.iter().chain(papers));
        }
        for exhibit in record.fact.papers.iter().flat_map(|papers| &papers.exhibits) {
            self.named.entry(exhibit.digest).or_insert(position);
        }
        if self.broken.is_none()
            && let Err(misfit) = bailee_core::apply(&mut self.state, &record)
        {
            self.broken = Some(position);
            report.find(misfit.to_string());
        }
    }

    /// Each section against what the leaf committed to.
    fn open(&mut self, position: u64, entry: &Entry, leaf: &Leaf, report: &mut CheckReport) {
        for (n, section) in entry.sections.iter().enumerate() {
            let name = bailee_ledger::leaf::SECTION_NAMES[n];
            match (section, leaf.commitments[n]) {
                (Some(section), Some(_)) => {
                    report.sections += 1;
                    if !leaf.opens(n, &section.bytes, &section.salt) {
                        report.find(format!("entry {position}: `{name}` is not what was recorded"));
                    }
                }
                (Some(_), None) => {
                    report.find(format!("entry {position}: `{name}` was never recorded"));
                }
                (None, Some(_)) => {
                    report.erased_sections += 1;
                    self.gone.insert(position);
                }
                (None, None) => {}
            }
        }
    }

    /// Each attested checkpoint against the entries that it was signed over.
    fn attested(&self, house: &House, report: &mut CheckReport) -> Result<(), Problem> {
        let mut from = 0;
        loop {
            let sizes = house.attested_sizes(from, PAGE)?;
            for size in &sizes {
                match self.attested_at(house, *size) {
                    Ok(()) => report.attested += 1,
                    Err(why) => report.find(format!("the checkpoint kept for {size}: {why}")),
                }
            }
            let Some(last) = sizes.last().filter(|_| sizes.len() == PAGE) else { return Ok(()) };
            from = last + 1;
        }
    }

    fn attested_at(&self, house: &House, size: u64) -> Result<(), String> {
        let kept = house.attested_at(size).map_err(|e| e.to_string())?;
        let said = Checkpoint::parse(kept.note.text()).map_err(|e| e.to_string())?;
        let root = self.tree.root_at(size).map_err(|e| e.to_string())?;
        let other = || "it was signed over other entries than these".to_owned();
        (said.root == root).then_some(()).ok_or_else(other)
    }

    /// Each exhibit against its digest. Erased papers name none, so what is named must be there,
    /// unless the erasure is on record and only the bytes went first.
    fn exhibits(
        &self,
        house: &House,
        report: &mut CheckReport,
        progress: &mut dyn FnMut(Step),
    ) -> Result<(), Problem> {
        let total = self.named.len() as u64;
        for (n, (digest, position)) in self.named.iter().enumerate() {
            let hex = to_hex(digest);
            match documents::is_itself(house, digest) {
                Ok(Some(true)) => report.exhibits += 1,
                Ok(Some(false)) => report.find(format!("exhibit {hex} is not what its name says")),
                Ok(None) if self.erased.contains(position) => report.erased_exhibits += 1,
                Ok(None) => {
                    report.find(format!("exhibit {hex} of entry {position} is not there"));
                }
                Err(error) => report.find(format!("exhibit {hex} of entry {position}: {error}")),
            }
            progress(Step::Exhibits(n as u64 + 1, total));
        }
        Ok(())
    }
}

/// What the log has as kept against what the store has, by name: nothing of it is read.
fn vault(house: &House, report: &mut CheckReport) {
    let told = keeping::wanting(house).and_then(|all| {
        Ok(house.with_state(|s| {
            let satisfied = |id| keeping::satisfied_by(s, id);
            let lines = all.into_iter().map(|(id, wanting)| {
                let holds = if wanting.is_loss() { satisfied(id) } else { Vec::new() };
                let holds: Vec<String> = holds.iter().map(ToString::to_string).collect();
                let rests = match holds.is_empty() {
                    true => String::new(),
                    false => format!(
                        "; the gate takes {} for satisfied by it until `bailee snapshot verify \
                         {id}` or `bailee scrub` records that it is not",
                        holds.join(", ")
                    ),
                };
                format!("{id}: {}{rests}", keeping::words(&wanting))
            });
            lines.collect::<Vec<_>>()
        })?)
    });
    match told {
        Ok(lines) => lines.into_iter().for_each(|line| report.find(line)),
        Err(error) => report.find(format!("what is kept cannot be listed: {error}")),
    }
}

fn checkpoint(walk: &Walk, note: &bailee_ledger::Note, house: &House, report: &mut CheckReport) {
    let published = match house.own_checkpoint(note) {
        Ok(published) => published,
        Err(error) => return report.find(format!("the published checkpoint: {error}")),
    };
    report.checkpoint = Some(published.size);
    match walk.tree.root_at(published.size) {
        Ok(root) if root == published.root => {}
        Ok(_) => report.find(format!(
            "entries below {} are not those that the published checkpoint was signed over",
            published.size
        )),
        Err(error) => report.find(format!("the published checkpoint: {error}")),
    }
}
