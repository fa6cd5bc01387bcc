//! Metrics in Prometheus' text form (version 0.0.4): what an operator watches.
//!
//! Invariant: numbers only, no names or ids but those of witnesses. They count holds, silent ones
//! too, so they are shown to the house alone (routes.rs); a data owner must not learn of a hold
//! from a count.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bailee_core::plan;
use bailee_ledger::Checkpoint;

use crate::api::Problem;
use crate::attest::Watched;
use crate::clock;
use crate::house::House;
use crate::http::listen::Connections;
use crate::http::places::{self, Places};
use crate::http::routes::ROUTES;

/// Pending intents counted.
const COUNTED: usize = 10_000;

/// Codes by which nobody is let in.
const NOT_ADMITTED: [&str; 4] =
    ["token_missing", "token_unknown", "scope_missing", "not_permitted"];

/// Counters since the start of the service.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Per route and first digit of the status, 1 to 5.
    answers: Vec<[AtomicU64; 5]>,
    /// Per route, microseconds.
    spent: Vec<AtomicU64>,
    /// Of connections.
    pub(crate) connections: Arc<Connections>,
    /// Requests whose token does not open the route, by code.
    not_admitted: [AtomicU64; NOT_ADMITTED.len()],
    /// Attempts to settle that left something undone.
    pub(crate) unsettled: AtomicU64,
}

impl Metrics {
    /// `patience`: how long a client may take nothing.
    pub(crate) fn new(patience: Duration) -> Metrics {
        Metrics {
            answers: ROUTES.iter().map(|_| Default::default()).collect(),
            spent: ROUTES.iter().map(|_| AtomicU64::new(0)).collect(),
            connections: Arc::new(Connections::new(patience)),
            not_admitted: Default::default(),
            unsettled: AtomicU64::new(0),
        }
    }

    /// Counts a request that was not let in.
    pub(crate) fn not_admitted(&self, code: &str) {
        if let Some(place) = NOT_ADMITTED.iter().position(|known| *known == code) {
            self.not_admitted[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts an answer of the route with that index.
    pub(crate) fn answered(&self, route: usize, status: u16, took: Duration) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        self.answers[route][class].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.spent[route].fetch_add(micros, Ordering::Relaxed);
    }

    /// Everything as text. `kinds`: the places of what takes long.
    pub(crate) fn text(&self, house: &House, kinds: &[(&str, &Places)]) -> Result<String, Problem> {
        let mut out = String::new();
        self.write_requests(&mut out);
        places::write_metrics(&mut out, kinds);
        let signed = house.checkpoint().and_then(|note| Checkpoint::parse(note.text()).ok());
        let signed = signed.map_or(0, |checkpoint| checkpoint.size);
        let ahead = clock::ahead(house)?;
        let gauges = house.with_state(|s| {
            let open = |count: usize| count as u64;
            [
                ("bailee_log_entries", "Entries in the log", s.head),
                ("bailee_log_signed", "Entries under the published checkpoint", signed),
                (
                    "bailee_log_ahead_seconds",
                    "Seconds by which the last entry is ahead of the clock",
                    ahead,
                ),
                ("bailee_pending", "Intents not carried out", plan(s, COUNTED).len() as u64),
                ("bailee_assets", "Assets on record", s.assets.len() as u64),
                (
                    "bailee_demands_open",
                    "Demands nobody has decided",
                    open(s.demands.iter().filter(|(_, one)| one.is_open()).count()),
                ),
                (
                    "bailee_holds_in_force",
                    "Holds that block",
                    open(s.holds.iter().filter(|(_, one)| one.in_force()).count()),
                ),
                ("bailee_duties_open", "Things a human has to do", open(s.open_duties().len())),
                (
                    "bailee_clearances_open",
                    "Clearances reserved or begun",
                    open(s.clearances.iter().filter(|(_, one)| one.is_open()).count()),
                ),
            ]
        })?;
        for (name, help, value) in gauges {
            _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
        write_witnesses(&mut out, &house.watched());
        crate::stamping::write_metrics(house, &mut out);
        crate::probing::write_metrics(house, &mut out)?;
        crate::pruning::write_metrics(house, &mut out)?;
        Ok(out)
    }

    fn write_requests(&self, out: &mut String) {
        let name = "bailee_http_requests_total";
        _ = writeln!(out, "# HELP {name} Requests answered\n# TYPE {name} counter");
        for (route, answers) in ROUTES.iter().zip(&self.answers) {
            for (class, count) in answers.iter().enumerate() {
                let (count, class) = (count.load(Ordering::Relaxed), class + 1);
                let (method, path) = (route.method.name(), route.path);
                if count > 0 {
                    let labels =
                        format!("method=\"{method}\",route=\"{path}\",class=\"{class}xx\"");
                    _ = writeln!(out, "{name}{{{labels}}} {count}");
                }
            }
        }
        let name = "bailee_http_not_admitted_total";
        _ = writeln!(out, "# HELP {name} Requests without the right token\n# TYPE {name} counter");
        for (code, count) in NOT_ADMITTED.iter().zip(&self.not_admitted) {
            let count = count.load(Ordering::Relaxed);
            _ = writeln!(out, "{name}{{code=\"{code}\"}} {count}");
        }
        let name = "bailee_http_seconds_total";
        _ = writeln!(out, "# HELP {name} Time spent on answers\n# TYPE {name} counter");
        for (route, spent) in ROUTES.iter().zip(&self.spent) {
            let seconds = Duration::from_micros(spent.load(Ordering::Relaxed)).as_secs_f64();
            if seconds > 0.0 {
                let (method, path) = (route.method.name(), route.path);
                _ = writeln!(out, "{name}{{method=\"{method}\",route=\"{path}\"}} {seconds}");
            }
        }
        let Connections { turned_away, stalled, .. } = &*self.connections;
        for (name, help, value) in [
            ("bailee_http_turned_away_total", "Requests without room", turned_away),
            ("bailee_http_stalled_total", "Clients cut off that took nothing", stalled),
            ("bailee_unsettled_total", "Rounds that left something undone", &self.unsettled),
        ] {
            let value = value.load(Ordering::Relaxed);
            _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
        }
    }
}

/// How far each witness has come, and what it did wrong.
fn write_witnesses(out: &mut String, watched: &[Watched]) {
    let about = [
        (
            "bailee_witness_size",
            "gauge",
            "Entries of the largest tree it is known to have cosigned",
        ),
        ("bailee_witness_contradicts", "gauge", "1 if it has said that it saw another tree"),
        ("bailee_witness_cosignatures_total", "counter", "Cosignatures that verified"),
    ];
    for (name, kind, help) in about {
        for (n, one) in watched.iter().enumerate() {
            if n == 0 {
                _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            }
            let value = match name {
                "bailee_witness_size" => one.size,
                "bailee_witness_contradicts" => u64::from(one.contradicts()),
                _ => one.cosigned,
            };
            _ = writeln!(out, "{name}{{witness=\"{}\"}} {value}", label(&one.name));
        }
    }
    let name = "bailee_witness_lapses_total";
    if !watched.is_empty() {
        _ = writeln!(out, "# HELP {name} Questions without a cosignature\n# TYPE {name} counter");
    }
    for one in watched {
        for (word, count) in &one.lapses {
            let labels = format!("witness=\"{}\",what=\"{word}\"", label(&one.name));
            _ = writeln!(out, "{name}{{{labels}}} {count}");
        }
    }
}

/// A value of a label: backslash and quote escaped. Names have no control characters.
pub(crate) fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
