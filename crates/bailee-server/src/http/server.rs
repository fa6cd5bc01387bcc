//! The service: runs the table of routes, settles in the background, ends in peace.
//!
//! Invariants
//! 1. Requests in work and their bodies are bounded, as connections are (listen.rs); beyond a bound
//!    the answer is `busy`, never a queue without end.
//! 2. The house is synchronous and is only touched on blocking threads.
//! 3. End (SIGTERM, SIGINT, or [`Stop`]): no new connections, and data that is coming in is broken
//!    off -> requests in work are finished, for at most [`GRACE`] -> settler, prober and pruner end
//!    -> settle once more -> the house is dropped, which waits for its last answer and checkpoint.
//!    What a killed process leaves, the next start carries on.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use axum::routing::{MethodFilter, on};
use tokio::sync::{Semaphore, watch};

use crate::api::Problem;
use crate::clock;
use crate::house::House;
use crate::http::body::Read;
use crate::http::handlers::{Ask, Shared};
use crate::http::incoming::Flow;
use crate::http::listen::{self, GRACE, ServeError, Stop, system};
use crate::http::metrics::Metrics;
use crate::http::places::Places;
use crate::http::reply::{Reply, problem};
use crate::http::routes::{Method, ROUTES, Route, filled_in};
use crate::http::transfers::GIVEN;
use crate::http::{auth, body, parameters};
use crate::probing::Prober;
use crate::pruning::Pruner;

/// Requests in work at once.
const IN_WORK: usize = 256;
/// Bodies above a megabyte in memory at once.
const LARGE_BODIES: usize = 8;
/// Threads for the house.
const THREADS: usize = 128;
/// Longest pause between two looks at what is due.
const SETTLE: Duration = Duration::from_millis(250);

/// Serves until SIGTERM or SIGINT. `ready` gets the address that is listened on (with the port the
/// system chose, if 0 was asked for).
///
/// # Errors
/// The address cannot be listened on, or the machine gives no threads or signals.
pub fn serve(
    house: House,
    listen: SocketAddr,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    serve_until(house, listen, &Stop::default(), ready)
}

/// As [`serve`], and also until `stop` says so. Whoever keeps a share of the house closes it.
///
/// # Errors
/// As [`serve`].
pub fn serve_until(
    house: impl Into<Arc<House>>,
    listen: SocketAddr,
    stop: &Stop,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let runtime = listen::runtime(THREADS)?;
    let (nudge, nudged) = sync_channel(1);
    let house: Arc<House> = house.into();
    if let Ok(Some(remark)) = clock::remark(&house) {
        tracing::warn!("{remark}");
    }
    let shared = Arc::new(Shared {
        house: house.clone(),
        metrics: Metrics::new(house.config().serving.patience()),
        nudge,
        upkeep: Places::new(1),
        preserving: Places::new(1),
        giving: Places::new(GIVEN),
        handing_in: Semaphore::new(LARGE_BODIES),
        bundles: Arc::default(),
        ending: stop.subscribe(),
    });
    let for_settler = shared.clone();
    let settling = Stop::default();
    let until = settling.subscribe();
    let settler = std::thread::Builder::new()
        .name("settler".into())
        .spawn(move || settle(&for_settler, &nudged, &until))
        .map_err(system("start the settling thread"))?;
    let prober = Prober::start(&house).map_err(system("start the probing thread"))?;
    let pruner = Pruner::start(&house).map_err(system("start the pruning thread"))?;
    let connections = &shared.metrics.connections;
    let served = listen::accept(router(&shared), connections, listen, stop, ready);
    let outcome = runtime.block_on(served);
    // Blocking threads in work are waited for: an answer that is being recorded is recorded.
    runtime.shutdown_timeout(GRACE);
    settling.now();
    _ = shared.nudge.try_send(());
    _ = settler.join();
    prober.end(GRACE);
    pruner.end(GRACE);
    for error in house.settle() {
        tracing::warn!(%error, "left undone at the end; the next start goes on with it");
    }
    tracing::info!("ended");
    outcome
}

/// Carries out what is due at once after growth, and else four times a second.
fn settle(shared: &Shared, nudged: &Receiver<()>, until: &watch::Receiver<bool>) {
    let mut told = Vec::new();
    while !*until.borrow() {
        let errors: Vec<String> = shared.house.settle().iter().map(ToString::to_string).collect();
        if !errors.is_empty() {
            shared.metrics.unsettled.fetch_add(1, Ordering::Relaxed);
        }
        for error in errors.iter().filter(|error| !told.contains(*error)) {
            tracing::warn!(%error, "left undone; it stays pending");
        }
        told = errors;
        match nudged.recv_timeout(SETTLE) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// What requests compete for.
struct Room {
    in_work: Semaphore,
    large_bodies: Arc<Semaphore>,
}

fn router(shared: &Arc<Shared>) -> Router {
    let large_bodies = Arc::new(Semaphore::new(LARGE_BODIES));
    let room = Arc::new(Room { in_work: Semaphore::new(IN_WORK), large_bodies });
    let mut router = Router::new();
    for (index, route) in ROUTES.iter().enumerate() {
        let (shared, room) = (shared.clone(), room.clone());
        let answer = move |request: Request<Body>| async move {
            let start = Instant::now();
            let response = answer(&shared, &room, route, request).await;
            let status = response.status().as_u16();
            shared.metrics.answered(index, status, start.elapsed());
            tracing::debug!(route = route.path, status, "answered");
            Ok::<_, Infallible>(response)
        };
        let method = match route.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
        };
        let answer = move |request| {
            let answer = answer.clone();
            async move { answer(request).await }
        };
        router = router.route(route.path, on(method, answer));
    }
    router.method_not_allowed_fallback(no_method).fallback(no_route)
}

async fn no_route() -> Response<Body> {
    let change = "see /openapi.json for what there is";
    problem(&Problem::new(404, "no_route", "this path", "leads nowhere", change))
}

async fn no_method() -> Response<Body> {
    let change = "see /openapi.json for what there is";
    problem(&Problem::new(405, "no_method", "this path", "does not take this method", change))
}

async fn answer(
    shared: &Arc<Shared>,
    room: &Room,
    route: &'static Route,
    request: Request<Body>,
) -> Response<Body> {
    let Ok(_in_work) = room.in_work.try_acquire() else {
        shared.metrics.connections.turned_away.fetch_add(1, Ordering::Relaxed);
        return problem(&body::busy());
    };
    match steps(shared, room, route, request).await {
        Ok(reply) => {
            if route.method == Method::Post {
                // Full means that the settler is told already.
                _ = shared.nudge.try_send(());
            }
            reply.into()
        }
        Err(error) => {
            if error.status >= 500 {
                tracing::error!(
                    route = route.path,
                    code = error.code,
                    detail = error.detail,
                    "failed"
                );
            }
            problem(&error)
        }
    }
}

/// Who -> body -> is all that is said read here -> answer, in this order: whoever is refused after
/// it has sent its body hears why.
async fn steps(
    shared: &Arc<Shared>,
    room: &Room,
    route: &'static Route,
    request: Request<Body>,
) -> Result<Reply, Problem> {
    let (head, content) = request.into_parts();
    let (for_auth, headers) = (shared.clone(), head.headers.clone());
    let admitted = blocking(move || auth::admit(&for_auth.house, route.need, &headers)).await;
    let caller = admitted.inspect_err(|no| shared.metrics.not_admitted(&no.code))?;
    let (read, flow) = if route.flows() {
        (Read::default(), Some(Flow::new(content, shared.ending.clone())))
    } else {
        (body::read(&head.headers, content, route.most, &room.large_bodies).await?, None)
    };
    let query = head.uri.query().unwrap_or_default();
    parameters::check(route, query, &head.headers)?;
    let ask = Ask {
        caller,
        path: head.uri.path().to_owned(),
        query: query.to_owned(),
        param: filled_in(route.path, head.uri.path()),
        headers: head.headers,
        body: Cell::new(read.bytes),
        flow: Cell::new(flow),
    };
    let shared = shared.clone();
    let reply = blocking(move || (route.handler)(&shared, &ask)).await;
    drop(read.place);
    reply
}

/// Runs on a thread that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        let detail = format!("stopped before it was done: {error}");
        Err(Problem::failure("answer_failed", "the answer", detail))
    })
}
