//! HTTP: the house as a service. Doors, limits and words; no decisions.
//!
//! One table ([`routes::ROUTES`]) says for each route who may use it, how much it reads and which
//! function answers; the router, the permission test and the OpenAPI document are made from it.
//! The order for each request: is there room -> who is it -> may they -> read the body, no more
//! than allowed and no slower -> is anything said that is not read here -> answer on a thread of
//! its own, because the house is synchronous. A stranger's body is therefore never read before the
//! stranger is known.
//!
//! Every "no" is a problem document (RFC 9457), the router's own included.
//! Out of scope: TLS. A reverse proxy in front terminates it; without one, listen on loopback only.

mod auth;
pub(crate) mod body;
mod bundles;
mod clearances;
mod cover;
mod erasures;
mod exhibits;
mod expiries;
mod handlers;
mod incoming;
mod keys;
pub(crate) mod listen;
pub(crate) mod metrics;
pub mod openapi;
mod parameters;
mod places;
pub(crate) mod reply;
pub mod routes;
mod server;
mod stream;
mod tiles;
mod transfers;
mod upkeep;

pub use bundles::Bundles;
pub use listen::{GRACE, ServeError, Stop};
pub use server::{serve, serve_until};
pub use tiles::Serving;
