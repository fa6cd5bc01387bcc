//! Letters: what comes in, what goes out, and what mail systems say became of it.
//!
//! | module | does |
//! |---|---|
//! | [`letter`] | reads any bytes as a letter; never fails, and says what it could not read |
//! | [`compose`] | writes receipts and notices, byte for byte the same for the same input |
//! | [`dsn`] | reads delivery reports: delivered, delayed, relayed, failed |
//! | [`outbox`] | keeps letters to be sent, durably, once per idempotency key |
//!
//! Nothing here decides. The raw bytes are the exhibit; what is read out of them is an aid for
//! people and for matching. Nothing here is proof of who wrote a letter: a sender's name, a
//! `Date`, a delivery report can all be forged (see each module's head).
//! Out of scope: the network, DKIM/SPF/DMARC, keys.

mod block;
pub mod compose;
pub mod dsn;
pub mod letter;
mod mime;
pub mod outbox;
mod text;
mod transfer;

pub use compose::{ComposeError, Head, Mailbox, notice, receipt};
pub use dsn::{Action, RecipientStatus, Report};
pub use letter::{Address, Attachment, Letter};
pub use outbox::{Outbox, OutboxError, Put};
