//! The real binary, typed at like a person or a script does.

mod asking;
#[allow(dead_code, clippy::unwrap_used, reason = "the ledger's tests use all of it")]
#[path = "../../../bailee-ledger/tests/it/authority.rs"]
mod authority;
mod keys;
mod letting_go;
mod piping;
mod room;
mod runbook;
mod shell;
mod stamping;
mod stories;
#[allow(dead_code, clippy::unwrap_used, reason = "the server's tests use all of it")]
#[path = "../../../bailee-server/tests/it/tsa.rs"]
mod tsa;
mod vault_keys;
mod wire;
mod witnessing;
