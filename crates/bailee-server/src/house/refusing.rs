//! Refusals on their way into the log, before they are answered.
//!
//! What is kept, and how often, is the core's to say (`bailee_core::refused`). A no stays a no if
//! it cannot be recorded; then the service's log has it.

use bailee_core::id::PartyId;
use bailee_core::{Action, Command, Refusal, refused};

use super::House;
use crate::runner::Failure;

impl House {
    /// What the core refuses is in the log, if it is of a kind that is kept, before it is answered.
    pub(crate) fn refused(&self, command: &Command, refusal: Refusal) -> Refusal {
        if refused::is_kept(&command.action) {
            self.keep_refusal(command, &refusal);
        }
        refusal
    }

    fn keep_refusal(&self, command: &Command, refusal: &Refusal) {
        let now = self.clock().now();
        let record = self.with_state(|s| refused::to_record(s, command, refusal, now));
        self.keep_no(record, &refusal.to_string());
    }

    /// Somebody who is known came with a token that does not open the door: an entry a day.
    pub(crate) fn not_admitted(&self, by: PartyId, code: &str) {
        let now = self.clock().now();
        let record = self.with_state(|s| refused::at_the_door(s, by, code, now));
        self.keep_no(record, code);
    }

    /// A no stays a no if it cannot be recorded; then the service's log has it.
    fn keep_no(&self, record: Result<Option<Action>, Failure>, refusal: &str) {
        let recorded = record.and_then(|action| match action {
            Some(action) => self.ask(None, Command::system(action), Vec::new()).map(drop),
            None => Ok(()),
        });
        if let Err(failure) = recorded {
            tracing::warn!(%refusal, %failure, "a refusal could not be recorded");
        }
    }
}
