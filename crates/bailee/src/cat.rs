//! `bailee cat`: a file of a snapshot, or a range of it, to standard output.
//!
//! Invariants: every byte is authentic before it is written. The exit code is 0 only if every byte
//! asked for was written: a reader that leaves before (`| head`) ends it quietly with 3. Damage,
//! and what the medium never gave, end the output there and say the range, in the same words here
//! and through a service; an answer that is cut is an error. Out of scope: the file's SHA-256
//! (`snapshot verify`).

use std::os::unix::ffi::OsStrExt;

use bailee_server::core::id::SnapshotId;
use bailee_server::keeping::{self, KeepError};
use bailee_server::span::{self, Halt, Span};

use crate::cli::Reach;
use crate::cli::keep::CatArgs;
use crate::door::{Door, read_id};
use crate::print::Product;
use crate::transfer;
use crate::trouble::Trouble;

/// Writes what was asked for.
pub(crate) fn cat(args: &CatArgs, reach: &Reach) -> Result<(), Trouble> {
    let span = args.range.as_deref().map(str::parse).transpose().map_err(wrong)?;
    let span = span.unwrap_or(Span::WHOLE);
    let (door, mut out) = (Door::open(reach)?, Product::open());
    match &door {
        Door::Here(here) => {
            let snapshot: SnapshotId = read_id(&args.snapshot)?;
            let mut file = keeping::open_file(&here.house, snapshot, args.path.as_bytes())?;
            let range = span.within(file.content().size).map_err(wrong)?;
            let written = span::write(&mut file, range, &mut out);
            written.map_err(|halt| match halt {
                Halt::Vault(error) => KeepError::from(error).into(),
                Halt::Out(error) => Trouble::unread(&error),
            })?;
        }
        Door::There(client) => {
            transfer::cat(client, (&args.snapshot, args.path.as_bytes(), span), &mut out)?;
        }
    }
    out.end()
}

fn wrong(detail: String) -> Trouble {
    let change = "write --range 0-499 (the first 500 bytes), 500- (all after) or -500 (last)";
    Trouble::usage("--range", detail, change)
}
