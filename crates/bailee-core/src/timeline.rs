//! Timelines: what was known, to whom, when. One line an entry, in words. Pure.
//!
//! Invariants: a line is made from the sections that are opened and from nothing else, so that a
//! timeline tells its reader no more than the bundle it lies in proves; a closed entry is told by
//! its kind and hour, which its leaf shows in the clear; "known" is claimed of the house, of who
//! acted, of who wrote, and of a recipient only when delivery is proven (rule 6).
//!
//! Long runs of one kind about one thing (renewals of a lease, daily costs) are one line with the
//! number of entries and the first and last of them: nothing is left out, much is shortened.

use std::collections::BTreeMap;

use crate::disclosure::Shown;
use crate::event::{By, Event, Fact, Record};
use crate::id::{DemandId, NoticeId, PartyId};
use crate::notice::{About, Evidence};
use crate::party::Who;
use crate::scenario::told;
use crate::time::Time;

const HOUR: i64 = 3_600;

/// When, as exactly as what is opened says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At this moment, by the house's clock.
    At(Time),
    /// In the hour that begins here: all that a leaf says.
    InHour(Time),
}

/// Who knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The house.
    House,
    /// A party.
    Party(PartyId),
}

/// How it is known that somebody knew, or did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The house recorded it.
    Recorded,
    /// The party did it.
    Acted,
    /// The party wrote it.
    Wrote,
    /// It was sent to the party; that proves nothing about its knowing.
    Sent,
    /// Delivery is proven.
    Proven(Evidence),
    /// Delivery is not proven.
    NotProven(Evidence),
}

impl How {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            How::Recorded => "recorded it",
            How::Acted => "acted",
            How::Wrote => "wrote it",
            How::Sent => "was sent it; not proven",
            How::Proven(evidence) | How::NotProven(evidence) => match evidence {
                Evidence::Delivered => "delivery proven: delivered",
                Evidence::Opened => "delivery proven: opened",
                Evidence::Acknowledged => "delivery proven: acknowledged",
                Evidence::Served => "delivery proven: served",
                Evidence::Relayed => "not proven: a mail system took it",
                Evidence::Bounced => "not told: it came back",
                Evidence::Silence => "not proven: no answer in the time allowed",
            },
        }
    }
}

/// A document that an entry rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paper {
    /// SHA-256 of its bytes, under which it lies in the bundle.
    pub digest: [u8; 32],
    /// Bytes.
    pub size: u64,
    /// Media type, as its sender says.
    pub media: String,
    /// Name, as its sender says.
    pub name: String,
}

/// How much of the entry is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Openness {
    /// What happened is shown.
    Open,
    /// Only the documents are shown.
    PapersOnly,
    /// Nothing is shown but that there is such an entry.
    Closed,
}

/// One line: an entry, or a run of like ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Position of its first entry.
    pub first: u64,
    /// Position of its last entry: the same, if it is one entry.
    pub last: u64,
    /// Number of entries.
    pub count: u64,
    /// When the first was recorded.
    pub at: When,
    /// When the last was.
    pub until: When,
    /// What was recorded, in words.
    pub said: String,
    /// Who knew of it, and how.
    pub knew: Vec<(Whom, How)>,
    /// Documents.
    pub papers: Vec<Paper>,
    /// Reasons and remarks.
    pub note: String,
    /// How much of it is shown.
    pub openness: Openness,
    /// What makes a run: the kind and the thing.
    run: Option<(u16, String)>,
}

/// Makes lines of entries, in log order.
#[derive(Debug, Default)]
pub struct Teller {
    notices: BTreeMap<NoticeId, PartyId>,
    senders: BTreeMap<DemandId, PartyId>,
    own: Option<PartyId>,
    held: Option<Line>,
}

impl Teller {
    /// For counsel, or for the party that reads.
    pub fn of(audience: crate::disclosure::Audience) -> Teller {
        let own = match audience {
            crate::disclosure::Audience::Counsel => None,
            crate::disclosure::Audience::Party(party) => Some(party),
        };
        Teller { own, ..Teller::default() }
    }

    /// Takes the next entry; gives the line before it, when that is complete.
    pub fn tell(&mut self, record: &Record, shown: Shown) -> Option<Line> {
        let line = self.line(record, shown);
        match &mut self.held {
            Some(held) if held.run.is_some() && held.run == line.run => {
                (held.last, held.until, held.count) = (line.last, line.at, held.count + 1);
                None
            }
            _ => self.held.replace(line),
        }
    }

    /// The last line.
    pub fn end(self) -> Option<Line> {
        self.held
    }

    fn line(&mut self, record: &Record, shown: Shown) -> Line {
        let Record { seq, at, by, fact } = record;
        let when = match shown.what {
            true => When::At(*at),
            false => When::InHour(Time::from_unix(at.unix().div_euclid(HOUR) * HOUR)),
        };
        let papers = fact.papers.as_ref().filter(|_| shown.papers);
        let openness = match (shown.what, papers.is_some()) {
            (true, _) => Openness::Open,
            (false, true) => Openness::PapersOnly,
            (false, false) => Openness::Closed,
        };
        Line {
            first: *seq,
            last: *seq,
            count: 1,
            at: when,
            until: when,
            said: said(fact, shown, openness),
            knew: self.knew(*by, &fact.event, openness),
            papers: papers
                .map_or_else(Vec::new, |papers| papers.exhibits.iter().map(Paper::from).collect()),
            note: papers.map_or_else(String::new, |papers| papers.note.clone()),
            openness,
            run: run(&fact.event).filter(|_| shown.what && papers.is_none()),
        }
    }

    /// Who knew of it from then on. Of a closed entry only the house is said to have known.
    fn knew(&mut self, by: By, event: &Event, openness: Openness) -> Vec<(Whom, How)> {
        let mut knew = vec![(Whom::House, How::Recorded)];
        if openness == Openness::PapersOnly {
            // Only what the reader sent itself is shown like this.
            knew.extend(self.own.map(|own| (Whom::Party(own), How::Wrote)));
            return knew;
        }
        if openness == Openness::Closed {
            return knew;
        }
        if let By::Party(by) = by {
            knew.push((Whom::Party(by), How::Acted));
        }
        if let Some((whom, how)) = self.other(event) {
            knew.retain(|(known, _)| *known != Whom::Party(whom));
            knew.push((Whom::Party(whom), how));
        }
        knew
    }

    /// The party besides the actor that comes to know, or is not proven to.
    fn other(&mut self, event: &Event) -> Option<(PartyId, How)> {
        match event {
            Event::DemandReceived { demand, from, .. } => {
                self.senders.insert(*demand, *from);
                Some((*from, How::Wrote))
            }
            Event::ReceiptSent { demand } => {
                Some((self.senders.get(demand).copied().or(self.own)?, How::Sent))
            }
            Event::CorrespondenceFiled { from, .. } => Some((*from, How::Wrote)),
            Event::ObjectionFiled { by, .. } => Some((*by, How::Wrote)),
            Event::AccessRequested { owner, .. } => Some((*owner, How::Wrote)),
            Event::NoticeQueued { notice, to, about } => {
                self.notices.insert(*notice, *to);
                if let About::Decision(demand) = about {
                    self.senders.entry(*demand).or_insert(*to);
                }
                None
            }
            Event::NoticeSent { notice, .. } => Some((*self.notices.get(notice)?, How::Sent)),
            Event::NoticeEvidence { notice, evidence, .. } => {
                let how = match evidence.proves() {
                    true => How::Proven(*evidence),
                    false => How::NotProven(*evidence),
                };
                Some((*self.notices.get(notice)?, how))
            }
            _ => None,
        }
    }
}

impl From<&crate::demand::Exhibit> for Paper {
    fn from(exhibit: &crate::demand::Exhibit) -> Paper {
        let crate::demand::Exhibit { digest, size, media, name } = exhibit;
        Paper { digest: *digest, size: *size, media: media.clone(), name: name.clone() }
    }
}

/// The entry in words, as far as it is shown.
fn said(fact: &Fact, shown: Shown, openness: Openness) -> String {
    let kind = kind(fact.event.name());
    match openness {
        Openness::PapersOnly => {
            return format!("{kind}: the documents are shown, the rest of the entry is closed");
        }
        Openness::Closed => return format!("{kind}: this entry is closed"),
        Openness::Open => {}
    }
    let hidden = Who { name: "(name not shown)".into(), channels: Vec::new() };
    let named = |who: &Who| if shown.who { who.clone() } else { hidden.clone() };
    let about_one = matches!(
        fact.event,
        Event::PartyRegistered { .. }
            | Event::PartyChanged { .. }
            | Event::AccountRegistered { .. }
    );
    let erased = Who { name: "(name erased)".into(), channels: Vec::new() };
    let who = fact.who.as_ref().map(named).or(about_one.then_some(erased));
    sentence(told(&Fact { event: fact.event.clone(), who, papers: None }))
}

/// With a capital at its beginning.
fn sentence(text: String) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// `DemandReceived` as `Demand received`.
pub fn kind(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
            words.push(c.to_ascii_lowercase());
        } else {
            words.push(c);
        }
    }
    words
}

/// Entries that come in long runs, by kind and thing.
fn run(event: &Event) -> Option<(u16, String)> {
    let thing = match event {
        Event::ClearanceRenewed { clearance, .. } => clearance.to_string(),
        Event::CostAccrued { meter, .. } => meter.to_string(),
        _ => return None,
    };
    Some((event.code(), thing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclosure::Audience;
    use crate::id::{ClearanceId, DispositionId};

    fn record(seq: u64, event: Event) -> Record {
        let at = Time::parse("2026-09-01 12:34").unwrap().plus_seconds(seq as u32);
        Record { seq, at, by: By::System, fact: event.into() }
    }

    fn lines(records: &[(Event, Shown)]) -> Vec<Line> {
        let mut teller = Teller::of(Audience::Party(PartyId(6)));
        let mut lines: Vec<Line> = Vec::new();
        for (seq, (event, shown)) in records.iter().enumerate() {
            lines.extend(teller.tell(&record(seq as u64, event.clone()), *shown));
        }
        lines.extend(teller.end());
        lines
    }

    #[test]
    fn a_recipient_knows_when_delivery_is_proven_and_not_before() {
        let (notice, attempt) = (NoticeId(1), 0);
        let evidence = |evidence| Event::NoticeEvidence { notice, attempt, evidence };
        let about = About::Disposition(DispositionId(1));
        let told = lines(&[
            (Event::NoticeQueued { notice, to: PartyId(6), about }, Shown::WHAT),
            (Event::NoticeSent { notice, attempt }, Shown::WHAT),
            (evidence(Evidence::Bounced), Shown::WHAT),
            (evidence(Evidence::Served), Shown::WHAT),
        ]);
        let party = Whom::Party(PartyId(6));
        let knew: Vec<_> = told.iter().map(|line| line.knew.get(1).copied()).collect();
        let expected = [
            None,
            Some((party, How::Sent)),
            Some((party, How::NotProven(Evidence::Bounced))),
            Some((party, How::Proven(Evidence::Served))),
        ];
        assert_eq!(knew, expected);
    }

    #[test]
    fn a_closed_entry_is_told_by_kind_and_hour_alone() {
        let lease = Time::parse("2027-01-01").unwrap();
        let event = Event::ClearanceBegun { clearance: ClearanceId(7), lease };
        let told = lines(&[(event, Shown::CLOSED)]);
        assert_eq!(told[0].said, "Clearance begun: this entry is closed");
        assert_eq!(told[0].at, When::InHour(Time::parse("2026-09-01 12:00").unwrap()));
        assert_eq!(told[0].openness, Openness::Closed);
    }

    #[test]
    fn runs_are_one_line_and_name_their_ends() {
        let lease = Time::parse("2027-01-01").unwrap();
        let renewed = |n| Event::ClearanceRenewed { clearance: ClearanceId(n), lease };
        let events: Vec<_> = [1, 1, 1, 2].into_iter().map(|n| (renewed(n), Shown::WHAT)).collect();
        let told = lines(&events);
        let ends: Vec<_> = told.iter().map(|line| (line.first, line.last, line.count)).collect();
        assert_eq!(ends, [(0, 2, 3), (3, 3, 1)]);
        assert_eq!(told[0].until, When::At(Time::parse("2026-09-01 12:34:02").unwrap()));
    }

    #[test]
    fn every_kind_has_words() {
        for (_, name) in Event::ALL {
            let words = kind(name);
            assert!(words.contains(' ') && words.is_ascii(), "{words}");
        }
        assert_eq!(kind("DemandReceived"), "Demand received");
    }
}
