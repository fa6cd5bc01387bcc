//! The real binary, typed at like a person or a script does.

mod agents;
mod ailing;
mod asking;
#[allow(dead_code, clippy::unwrap_used, reason = "the ledger's tests use all of it")]
#[path = "../../../bailee-ledger/tests/it/authority.rs"]
mod authority;
mod binding;
mod bucket;
mod clear;
mod drill;
mod erasing;
mod keys;
mod leaving;
mod letting_go;
#[path = "../../../bailee-vault/tests/it/member.rs"]
mod member;
mod mount;
mod mounted;
mod moving;
mod piping;
mod places;
mod pruning;
#[allow(dead_code, reason = "the store's tests use all of it")]
#[path = "../../../bailee-store/tests/it/radosgw.rs"]
mod radosgw;
mod ranges;
mod room;
mod runbook;
mod secrecy;
#[allow(dead_code, clippy::unwrap_used, reason = "the vault's tests use all of it")]
#[path = "../../../bailee-vault/tests/it/seen.rs"]
mod seen;
mod shelf;
mod shell;
mod stalling;
mod stamping;
mod stories;
mod tls;
#[allow(dead_code, clippy::unwrap_used, reason = "the server's tests use all of it")]
#[path = "../../../bailee-server/tests/it/tsa.rs"]
mod tsa;
mod unread;
mod vault_keys;
mod vault_token;
mod wire;
mod witnessing;

use bailee_server::store;
