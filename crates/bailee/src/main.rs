//! Bailee: one binary, the door to a house in a directory or behind a server.
//!
//! Invariants: what is decided is decided in the core; here words become requests and answers
//! become words. Exit codes: 0 yes, 1 refused, 2 wrong use, 3 failure ([`trouble`]).
//!
//! Out of scope: standard input that is a terminal, configuration files of the command line.

mod about;
mod act;
mod agent;
mod cat;
mod cli;
mod client;
mod demo;
mod door;
mod ending;
mod export;
mod init;
mod intake;
mod interrupt;
mod keep;
mod keys;
mod let_go;
mod letter;
mod listing;
mod log;
mod monitor;
mod mount;
mod print;
mod probe;
mod prune;
mod reindex;
mod rule;
mod save;
mod scenario;
mod scrub;
mod stamps;
mod steps;
mod token;
mod transfer;
mod trouble;
mod verify;
mod volumes;
mod witness;

use std::process::ExitCode;

use crate::trouble::Trouble;

/// A house is millions of small things, made by one thread and let go of by another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::read(&std::env::args_os().collect::<Vec<_>>()) {
        Ok(cli) => cli,
        Err(error) => return trouble::misread(&error),
    };
    let json = cli.reach.json;
    if json {
        print::remark_in_json();
    }
    if let Err(e) = bailee_server::secrecy::no_dumps() {
        return Trouble::io("turn off core dumps, which could hold keys", &e).tell(json);
    }
    match act::act(cli) {
        Ok(code) => code,
        Err(trouble) => trouble.tell(json),
    }
}
