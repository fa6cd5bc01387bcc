//! A witness over HTTP (c2sp.org/tlog-witness).
//!
//! | route | answer |
//! |---|---|
//! | `POST /add-checkpoint` | 200 signature lines; 400, 403, 404, 409, 422 as in the document |
//! | `GET /<hex SHA-256 of the origin>/checkpoint` | what was cosigned last, for monitors |
//! | `GET /` | name, keys, logs |
//! | `GET /livez`, `/readyz`, `/metrics` | as a house's |
//!
//! Invariants: nobody needs a token, because nothing here is secret and a checkpoint carries its
//! own proof; bodies, requests in work and connections are bounded; the records are only touched on
//! threads that may wait. Out of scope: TLS, and limits per sender (a proxy has both).

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{Request, Response};
use axum::routing::{get, post};
use bailee_ledger::witness::{MAX_REQUEST, Refusal, SIZE_MEDIA};
use tokio::sync::Semaphore;

use super::{NotCosigned, Witness, WitnessError};
use crate::api::Problem;
use crate::http::body;
use crate::http::listen::{self, Connections, GRACE, ServeError, Stop};
use crate::http::metrics::label;
use crate::http::reply::{Reply, TEXT, problem};

/// Requests in work at once.
const IN_WORK: usize = 64;
/// Threads for the records.
const THREADS: usize = 64;
/// Media type of metrics.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Statuses that are counted.
const COUNTED: [u16; 9] = [200, 400, 403, 404, 408, 409, 413, 422, 500];

struct Shared {
    witness: Witness,
    in_work: Semaphore,
    large_bodies: Arc<Semaphore>,
    /// Answers to `add-checkpoint`, by [`COUNTED`].
    answers: [AtomicU64; COUNTED.len()],
    connections: Arc<Connections>,
}

/// Serves until SIGTERM or SIGINT; `ready` gets the address that is listened on.
///
/// # Errors
/// The address cannot be listened on, or the machine gives no threads or signals.
pub fn serve(
    witness: Witness,
    listen: SocketAddr,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    serve_until(witness, listen, &Stop::default(), ready)
}

/// As [`serve`], and also until `stop` says so.
///
/// # Errors
/// As [`serve`].
pub fn serve_until(
    witness: Witness,
    listen: SocketAddr,
    stop: &Stop,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let runtime = listen::runtime(THREADS)?;
    let shared = Arc::new(Shared {
        witness,
        in_work: Semaphore::new(IN_WORK),
        // A request is smaller than what a body may have without a place.
        large_bodies: Arc::new(Semaphore::new(0)),
        answers: Default::default(),
        connections: Arc::new(Connections::new(listen::PATIENCE)),
    });
    let served = listen::accept(router(&shared), &shared.connections, listen, stop, ready);
    let outcome = runtime.block_on(served);
    runtime.shutdown_timeout(GRACE);
    tracing::info!("ended");
    outcome
}

fn router(shared: &Arc<Shared>) -> Router {
    let with = |answer: fn(&Shared) -> Reply| {
        let shared = shared.clone();
        get(move || async move { waiting(shared, move |shared| Ok(answer(shared))).await })
    };
    let (for_add, for_checkpoint) = (shared.clone(), shared.clone());
    let add = post(move |request| add_checkpoint(for_add, request));
    let checkpoint = get(move |Path(hash): Path<String>| async move {
        waiting(for_checkpoint, move |shared| cosigned(shared, &hash)).await
    });
    Router::new()
        .route("/add-checkpoint", add)
        .route("/{hash}/checkpoint", checkpoint)
        .route("/", with(about))
        .route("/livez", with(|_| Reply::bytes(TEXT, b"alive\n".to_vec())))
        .route("/readyz", with(readyz))
        .route("/metrics", with(metrics))
        .method_not_allowed_fallback(|| async { problem(&no_route(405)) })
        .fallback(|| async { problem(&no_route(404)) })
}

fn no_route(status: u16) -> Problem {
    let change = "see c2sp.org/tlog-witness for what a witness is asked";
    Problem::new(status, "no_route", "this path", "leads nowhere with this method", change)
}

/// Answers on a thread that may wait.
async fn waiting(
    shared: Arc<Shared>,
    work: impl FnOnce(&Shared) -> Result<Reply, Problem> + Send + 'static,
) -> Response<Body> {
    let Ok(_in_work) = shared.in_work.try_acquire() else {
        shared.connections.turned_away.fetch_add(1, Ordering::Relaxed);
        return problem(&body::busy());
    };
    let on_thread = shared.clone();
    let done = tokio::task::spawn_blocking(move || work(&on_thread)).await;
    let detail = "stopped before it was done";
    let done = done.unwrap_or_else(|_| Err(Problem::failure("failed", "the answer", detail)));
    done.map_or_else(|refused| problem(&refused), Response::from)
}

async fn add_checkpoint(shared: Arc<Shared>, request: Request<Body>) -> Response<Body> {
    let (head, content) = request.into_parts();
    let read = body::read(&head.headers, content, MAX_REQUEST, &shared.large_bodies).await;
    let answer = match read {
        Ok(read) => waiting(shared.clone(), move |shared| answer(shared, &read.bytes)).await,
        Err(refused) => problem(&refused),
    };
    let status = answer.status().as_u16();
    let index = COUNTED.iter().position(|counted| *counted == status);
    shared.answers[index.unwrap_or(COUNTED.len() - 1)].fetch_add(1, Ordering::Relaxed);
    answer
}

fn answer(shared: &Shared, body: &[u8]) -> Result<Reply, Problem> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if now == 0 {
        let detail = "stands before 1970: set it, a cosignature states the time";
        return Err(Problem::failure("no_time", "the clock", detail));
    }
    match shared.witness.add_checkpoint(body, now) {
        Ok(lines) => Ok(Reply::bytes(TEXT, lines.into_bytes())),
        Err(NotCosigned::Refused(Refusal::Stale { last })) => {
            let size = Reply::bytes(SIZE_MEDIA, format!("{last}\n").into_bytes());
            Ok(Reply { status: 409, ..size })
        }
        Err(NotCosigned::Refused(refusal)) => {
            let (status, detail) = (refusal.status(), refusal.to_string());
            Err(Problem::new(status, word(&refusal), "the checkpoint", detail, change(&refusal)))
        }
        Err(NotCosigned::Malformed(error)) => {
            let change = "send it as c2sp.org/tlog-witness says";
            Err(Problem::new(400, "malformed", "the request", error.to_string(), change))
        }
        Err(NotCosigned::Failed(error)) => Err(failed(&error)),
    }
}

fn failed(error: &WitnessError) -> Problem {
    tracing::error!(%error, "the records do not answer");
    Problem::failure("records_failed", "the witness", error.to_string())
}

fn word(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NoCheckpoint(_) => "no_checkpoint",
        Refusal::UnknownLog { .. } => "unknown_log",
        Refusal::NotSigned(_) => "not_signed",
        Refusal::Backwards { .. } => "backwards",
        Refusal::Stale { .. } => "stale",
        Refusal::Forked { .. } => "forked",
        Refusal::BadProof(_) => "bad_proof",
    }
}

fn change(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownLog { .. } => "ask whoever runs this witness to watch the log",
        Refusal::NotSigned(_) => "sign it with a key that this witness knows of the log",
        Refusal::Forked { .. } => "nothing: the log has signed two trees, and this is the proof",
        _ => "send it as c2sp.org/tlog-witness says",
    }
}

fn cosigned(shared: &Shared, hash: &str) -> Result<Reply, Problem> {
    let missing = || Problem::not_found("a checkpoint of this log");
    let origin = shared.witness.by_hash(hash).ok_or_else(missing)?;
    let record = shared.witness.on_record(origin).map_err(|e| failed(&e))?;
    let note = record.note.ok_or_else(missing)?;
    Ok(Reply::bytes(TEXT, note.to_string().into_bytes()))
}

fn about(shared: &Shared) -> Reply {
    let mut text = String::from("A witness (c2sp.org/tlog-witness). POST /add-checkpoint\n");
    for key in shared.witness.keys() {
        _ = writeln!(text, "key {}", key.to_vkey());
    }
    for origin in shared.witness.origins() {
        _ = writeln!(text, "log {origin}");
    }
    Reply::bytes(TEXT, text.into_bytes())
}

/// Ready if every record can be read; a log that has forked is named.
fn readyz(shared: &Shared) -> Reply {
    let (mut text, mut status) = (String::new(), 200);
    for origin in shared.witness.origins() {
        match shared.witness.on_record(origin) {
            Ok(record) if record.fork.is_some() => _ = writeln!(text, "{origin} HAS FORKED"),
            Ok(_) => {}
            Err(error) => {
                status = 503;
                _ = writeln!(text, "{error}");
            }
        }
    }
    text.insert_str(0, if status == 200 { "ready\n" } else { "not ready\n" });
    Reply { status, ..Reply::bytes(TEXT, text.into_bytes()) }
}

fn metrics(shared: &Shared) -> Reply {
    let mut text = String::new();
    let name = "bailee_witness_answers_total";
    _ = writeln!(text, "# HELP {name} Answers to add-checkpoint\n# TYPE {name} counter");
    for (status, count) in COUNTED.iter().zip(&shared.answers) {
        let count = count.load(Ordering::Relaxed);
        _ = writeln!(text, "{name}{{status=\"{status}\"}} {count}");
    }
    let records: Vec<_> =
        shared.witness.origins().iter().filter_map(|o| shared.witness.on_record(o).ok()).collect();
    for (name, help) in [
        ("bailee_witness_log_size", "Leaves of the tree cosigned last"),
        ("bailee_witness_log_time", "Unix seconds at which it was cosigned"),
        ("bailee_witness_log_forked", "1 if the log has signed two trees of one size"),
    ] {
        _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for record in &records {
            let value = match name {
                "bailee_witness_log_size" => record.size,
                "bailee_witness_log_time" => record.time,
                _ => u64::from(record.fork.is_some()),
            };
            _ = writeln!(text, "{name}{{log=\"{}\"}} {value}", label(&record.origin));
        }
    }
    for (name, help, count) in [
        ("bailee_witness_turned_away_total", "Without room", &shared.connections.turned_away),
        ("bailee_witness_stalled_total", "Cut off, took nothing", &shared.connections.stalled),
    ] {
        let count = count.load(Ordering::Relaxed);
        _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {count}");
    }
    Reply::bytes(METRICS, text.into_bytes())
}
