//! Erasing: the bytes and salts that an erasure names are destroyed, in every place of the house.
//!
//! Order: an image of the state from before -> letters in the outbox that carry the party's
//! documents or address -> large exhibits in the objects -> sections, salts and small exhibits in
//! the journal, in one transaction. The journal's papers say which exhibits are meant, so they go
//! last: a crash before that finds all of it again. Invariants: exhibits that any other entry's
//! papers name stay; leaves, and with them all proofs, are not touched; doing it twice is harmless.
//!
//! Out of scope: letters that a mail system has taken from the outbox, receipts in others' hands,
//! backups, and copies that a file system keeps by itself.

use std::collections::BTreeSet;

use bailee_core::id::PartyId;
use bailee_core::notice::{About, Notice};
use bailee_core::{Event, Intent};
use bailee_store::Digest;

use crate::house::{House, HouseError, object_name};
use crate::projection::{PAPERS, WHO};
use crate::receipt;
use crate::steward::{outbox, post};

/// Entries read at once while papers are searched.
const PAGE: usize = 4096;

/// Carries out the erasure recorded at `position`.
pub(crate) fn erase(house: &House, position: u64) -> Result<(), HouseError> {
    let entry = house.entries(position, 1)?.pop();
    let record = entry.map(|entry| receipt::read(position, &entry)).transpose();
    let record = record.map_err(|e| post("read an erasure", &e))?;
    let Some(Event::DetailsErased { party, positions, papers }) = record.map(|r| r.fact.event)
    else {
        return Ok(());
    };
    house.forget_image_before(position)?;
    clear_outbox(house, party)?;
    let mut named = Named::by(&papers);
    named.read_on(house)?;
    // Nobody adds an exhibit from here on: what came meanwhile is looked at, then it is final.
    let _alone = house.no_new_exhibits();
    named.read_on(house)?;
    let exhibits = named.only_theirs();
    for digest in &exhibits {
        house.objects().delete(&object_name(digest))?;
    }
    let who = positions.iter().map(|seq| (*seq, WHO));
    let sections: Vec<_> = who.chain(papers.iter().map(|seq| (*seq, PAPERS))).collect();
    house.journal().erase(&sections, &exhibits)?;
    house.has_erased(position);
    Ok(())
}

/// For whoever found that a document an entry names is not there. Papers and documents go together,
/// so it is lost, unless the record says that the papers go and a crash came between the two.
///
/// # Errors
/// It is lost, and named.
pub(crate) fn excuse(house: &House, digest: &Digest, position: u64) -> Result<(), HouseError> {
    let mut next = position;
    loop {
        let page = house.entries(next, PAGE)?;
        for (seq, entry) in (next..).zip(page.iter()) {
            let record = receipt::read(seq, entry).map_err(|e| post("read an entry", &e))?;
            match record.fact.event {
                Event::DetailsErased { papers, .. } if papers.contains(&position) => return Ok(()),
                _ => {}
            }
        }
        if page.len() < PAGE {
            let doing = format!("read exhibit {}", bailee_ledger::to_hex(digest));
            let detail = format!(
                "entry {position} rests on it, and it is not there; `bailee check` names all \
                 that is missing"
            );
            return Err(HouseError::Io { doing, detail });
        }
        next += PAGE as u64;
    }
}

/// Receipts of the party's demands, notices to it and notices that name it leave the outbox.
fn clear_outbox(house: &House, party: PartyId) -> Result<(), HouseError> {
    let Some(outbox) = outbox(house)? else { return Ok(()) };
    let keys = house.with_state(|s| {
        let demands = s.demands.iter().filter(|(_, demand)| demand.from == party);
        let receipts = demands.map(|(id, _)| Intent::SendReceipt(id));
        // Proposals to hand something over to the party name it.
        let names = |about: About| match about {
            About::Disposition(id) => {
                s.dispositions.get(id).is_some_and(|found| found.to == Some(party))
            }
            About::Decision(_) | About::Objection(_) => false,
        };
        let theirs = |notice: &Notice| notice.to == party || names(notice.about);
        let notices = s.notices.iter().filter(|(_, notice)| theirs(notice));
        let attempts = notices.flat_map(|(id, notice)| {
            let count = u8::try_from(notice.attempts.len()).unwrap_or(u8::MAX);
            (0..count).map(move |n| Intent::SendNotice(id, n))
        });
        receipts.chain(attempts).map(|intent| intent.to_string()).collect::<Vec<_>>()
    })?;
    for key in keys {
        outbox.remove(&key).map_err(|e| post("take a letter out of the outbox", &e))?;
    }
    Ok(())
}

/// Which exhibits the papers to be erased name, and which all others do.
struct Named {
    erased: BTreeSet<u64>,
    theirs: BTreeSet<Digest>,
    others: BTreeSet<Digest>,
    next: u64,
}

impl Named {
    fn by(papers: &[u64]) -> Named {
        let erased = papers.iter().copied().collect();
        Named { erased, theirs: BTreeSet::new(), others: BTreeSet::new(), next: 0 }
    }

    /// Reads what the journal has beyond what was read.
    fn read_on(&mut self, house: &House) -> Result<(), HouseError> {
        loop {
            let page = house.entries(self.next, PAGE)?;
            for entry in page.iter() {
                let seq = self.next;
                self.next += 1;
                if entry.sections[PAPERS].is_none() {
                    continue;
                }
                let record = receipt::read(seq, entry).map_err(|e| post("read papers", &e))?;
                let digests = record.fact.papers.into_iter().flat_map(|papers| papers.exhibits);
                let digests = digests.map(|exhibit| exhibit.digest);
                match self.erased.contains(&seq) {
                    true => self.theirs.extend(digests),
                    false => self.others.extend(digests),
                }
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn only_theirs(&self) -> Vec<Digest> {
        self.theirs.difference(&self.others).copied().collect()
    }
}
