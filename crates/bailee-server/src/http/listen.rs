//! Listening: connections in, requests to a router, and an end in peace. Whose router it is does
//! not matter: a house's and a witness's are listened for in the same way.
//!
//! Invariants
//! 1. Connections, header bytes and the time for a header are bounded; beyond the bound a
//!    connection is turned away and counted.
//! 2. A client that takes nothing of what waits for it, for as long as it may, is cut off and
//!    counted, and whatever makes its answer ends: it holds no place of others. The kernel has the
//!    clock, because only it knows what the other side acknowledged; a slow client takes something.
//! 3. End (SIGTERM, SIGINT, or [`Stop`]): no new connections -> requests in work are finished, for
//!    at most [`GRACE`].

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};

/// Longest wait for requests in work when the service ends.
pub const GRACE: Duration = Duration::from_secs(30);
/// Connections at once.
const CONNECTIONS: usize = 1024;
/// Largest header, bytes.
const HEADER: usize = 16 << 10;
/// Longest time for which a client may take nothing, unless the settings say otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Longest wait for a request's header, and for the next request on a connection.
const HEADER_PATIENCE: Duration = Duration::from_secs(15);

/// What is counted of connections, and how long one may stand still.
#[derive(Debug)]
pub(crate) struct Connections {
    /// Requests turned away before they had a route.
    pub(crate) turned_away: AtomicU64,
    /// Those cut off because their client took nothing.
    pub(crate) stalled: AtomicU64,
    patience: Duration,
}

impl Connections {
    /// `patience`: how long a client may take nothing of what waits for it.
    pub(crate) fn new(patience: Duration) -> Connections {
        Connections { turned_away: AtomicU64::new(0), stalled: AtomicU64::new(0), patience }
    }

    /// Has the kernel end a connection whose client takes nothing for too long.
    fn watch(&self, stream: &TcpStream) -> std::io::Result<()> {
        SockRef::from(stream).set_tcp_user_timeout(Some(self.patience))
    }

    /// A connection ended so. An error is its client's, who is gone or speaks no HTTP; but a place
    /// that one held by taking nothing is to be explained.
    fn ended(&self, peer: SocketAddr, error: &hyper::Error) {
        let mut causes = std::iter::successors(error.source(), |cause| (*cause).source());
        let io = causes.find_map(|cause| cause.downcast_ref::<std::io::Error>());
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut) {
            self.stalled.fetch_add(1, Ordering::Relaxed);
            let seconds = self.patience.as_secs();
            tracing::warn!(%peer, seconds, "client_stalled: it took nothing and was cut off");
        }
    }
}

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {detail}; choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's words.
        detail: String,
    },
    /// The machine gives no threads, signals or sockets.
    #[error("could not {doing}: {detail}")]
    System {
        /// The operation.
        doing: &'static str,
        /// The system's words.
        detail: String,
    },
}

pub(crate) fn system(doing: &'static str) -> impl FnOnce(std::io::Error) -> ServeError {
    move |error| ServeError::System { doing, detail: error.to_string() }
}

/// Ends a service from within the process. Dropping it without `now` ends nothing.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

impl Default for Stop {
    fn default() -> Stop {
        Stop(watch::Sender::new(false))
    }
}

impl Stop {
    /// Ends it, in peace.
    pub fn now(&self) {
        self.0.send_replace(true);
    }

    /// Tells when it has been said.
    pub(crate) fn subscribe(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}

/// Threads for a service: two that speak HTTP, and at most so many that may wait.
pub(crate) fn runtime(blocking: usize) -> Result<Runtime, ServeError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .max_blocking_threads(blocking)
        .thread_name("http")
        .build()
        .map_err(system("start the service's threads"))
}

/// Listens and accepts until a signal or `stop`; then waits for what is in work.
pub(crate) async fn accept(
    router: Router,
    connections: &Arc<Connections>,
    listen: SocketAddr,
    stop: &Stop,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let failed = |e: std::io::Error| ServeError::Listen { address: listen, detail: e.to_string() };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let mut ended = std::pin::pin!(end(stop)?);
    tracing::info!(%address, "listening");
    ready(address);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut ended => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of descriptors, most likely: those in work will give some back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            connections.turned_away.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        if let Err(error) = connections.watch(&stream) {
            // It is gone already, or its clock cannot be set: then it may not hold a place.
            tracing::warn!(%peer, %error, "a connection was not taken");
            continue;
        }
        let connections = connections.clone();
        let connection = graceful.watch(connection(stream, router.clone()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                connections.ended(peer, &error);
            }
            drop(place);
        });
    }
    drop(listener);
    stop.now(); // whoever waits for data waits no more
    tracing::info!("ending: finishing requests in work");
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were not finished in time and are cut off");
    }
    Ok(())
}

/// Ends with the first signal, or when `stop` says so.
fn end(stop: &Stop) -> Result<impl Future<Output = ()> + use<>, ServeError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(system("wait for signals"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("wait for signals"))?;
    let mut told = stop.0.subscribe();
    let told = async move {
        if told.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = told => {}
        }
    })
}

type Served = http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>>;

fn connection(stream: TcpStream, router: Router) -> Served {
    // Small answers leave at once; a client that cannot be told so is served all the same.
    _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .max_buf_size(HEADER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}
