//! Which entries are stamped as soon as they are signed: those of which somebody outside holds, or
//! will be shown, a paper.
//!
//! A demand and the decision on it; a letter on file; a notice that left, and the proof that it
//! arrived; an objection and the decision on it; the end of a hold; a clearance's certificate, or
//! what was gone when it was given back; the answer to an owner; an erasure. Everything else is
//! stamped within the hour, and any later token covers it too.

/// Type codes of the entries, in ascending order (docs/wire.md).
const CODES: &[u16] = &[5, 20, 22, 26, 38, 56, 57, 59, 60, 73, 74, 81];

/// Is an entry of this type stamped at once?
pub(crate) fn is_stamped_at_once(code: u16) -> bool {
    CODES.binary_search(&code).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailee_core::Event;

    #[test]
    fn the_table_names_what_people_hold_papers_of() {
        let named = Event::ALL.iter().filter(|(code, _)| is_stamped_at_once(*code));
        let named: Vec<&str> = named.map(|(_, name)| *name).collect();
        assert_eq!(
            named,
            [
                "DetailsErased",
                "DemandReceived",
                "DemandDecided",
                "CorrespondenceFiled",
                "HoldReleased",
                "NoticeSent",
                "NoticeEvidence",
                "ObjectionFiled",
                "ObjectionDecided",
                "ClearanceFinished",
                "ClearanceAborted",
                "AccessDecided",
            ]
        );
        assert_eq!(named.len(), CODES.len(), "a code that no event has");
    }
}
