//! The program itself: serving, completions, manual pages, version.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use bailee_server::core::counted;
use bailee_server::keys::Secrets;
use bailee_server::{Clock, House, http};
use clap::CommandFactory;
use serde_json::json;

use crate::cli::run::{CompletionsArgs, ManArgs, ServeArgs};
use crate::cli::{Cli, Reach};
use crate::log;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// Answers over HTTP until it is told to stop.
pub(crate) fn serve(args: &ServeArgs, reach: &Reach) -> Result<(), Trouble> {
    log::to_standard_error();
    let secrets = Secrets::from_environment();
    let house = House::open_within(&reach.dir, Clock::Wall, &secrets, reach.patience())?;
    house.serves();
    let origin = house.config().origin.clone();
    let swap = bailee_server::secrecy::swap_in_clear();
    let swap = swap.map_err(|e| Trouble::io("read the list of swap areas", &e))?;
    swap.iter().for_each(|area| print::remark(&print::swap(area)));
    if !args.listen.ip().is_loopback() {
        print::remark(&format!(
            "WARNING: it listens on {} without TLS: whoever is on the way can read tokens, letters \
             and data. Listen on 127.0.0.1 behind a proxy with TLS, or only inside a network that \
             nobody else is in",
            args.listen
        ));
    }
    let ready = move |address| {
        print::remark(&format!("{origin} answers on http://{address}; SIGTERM or ^C stops it"));
    };
    http::serve(house, args.listen, ready).map_err(|e| {
        let change = "look whether the address is free and belongs to this machine";
        Trouble::failed("serve_failed", args.listen, e, change)
    })
}

/// Completions of a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bailee", &mut script);
    print::product(&String::from_utf8_lossy(&script))
}

/// One manual page for each command.
pub(crate) fn man(args: &ManArgs, style: Style) -> Result<(), Trouble> {
    let io =
        |e: io::Error| Trouble::io(format!("write manual pages to {}", args.dir.display()), &e);
    std::fs::create_dir_all(&args.dir).map_err(io)?;
    clap_mangen::generate_to(Cli::command(), &args.dir).map_err(io)?;
    let page = |path: &Path| path.extension() == Some(OsStr::new("1"));
    let entries = std::fs::read_dir(&args.dir).map_err(io)?;
    let pages = entries.flatten().filter(|entry| page(&entry.path())).count();
    match style {
        Style::Json => print::json(&json!({ "pages": pages, "dir": args.dir })),
        Style::Words => {
            print::out(&format!("{} in {}\n", counted(pages, "page"), args.dir.display()))
        }
    }
}

/// Versions of the program and of what it writes.
pub(crate) fn version(style: Style) -> Result<(), Trouble> {
    let version = env!("CARGO_PKG_VERSION");
    let formats = ["log entry v1", "bundle v1", "clearance token v1", "certificate v1", "vault v1"];
    match style {
        Style::Json => print::json(&json!({ "bailee": version, "writes": formats })),
        Style::Words => print::out(&format!("bailee {version}\nwrites {}\n", formats.join(", "))),
    }
}

/// What the demo says went wrong.
pub(crate) fn broken(error: anyhow::Error) -> Trouble {
    let change = "run it again with --keep DIR and look into the directory";
    Trouble::failed("demo_failed", "the demo", format!("{error:#}"), change)
}
