//! What a service says while it runs: one line for each event, on standard error.
//!
//! Invariants: levels down to information, of our own crates only; a value with a control character
//! is shown escaped, so that nothing from outside steers a terminal or makes a second line.
//!
//! Out of scope: spans, filters, files; whoever starts the service keeps standard error.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// From now on events go to standard error.
pub(crate) fn to_standard_error() {
    // Somebody who set another one before is left alone.
    _ = tracing::subscriber::set_global_default(StandardError);
}

struct StandardError;

impl Subscriber for StandardError {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO && metadata.target().starts_with("bailee")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!("{:<5} {}{}\n", event.metadata().level(), line.message, line.fields);
        // A closed standard error takes no remarks.
        _ = io::stderr().write_all(text.as_bytes());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let shown: String = format!("{value:?}")
            .chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect();
        match field.name() {
            "message" => self.message = shown,
            name => _ = write!(self.fields, " {name}={shown}"),
        }
    }
}
