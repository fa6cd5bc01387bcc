//! `bailee mount`: a snapshot as a read-only file system, while the command runs.
//!
//! Invariants: every byte is authentic before it leaves. The house stays locked as long as the
//! mount lasts: nothing is expired, pruned or erased under its readers, and no key of it outlives
//! its erasure in this process. What cannot be served is said by file and range; then the exit code
//! is 1 at the end. Out of scope: going to the background.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bailee_server::api::Problem;
use bailee_server::core::id::SnapshotId;
use bailee_server::keeping;
use bailee_server::mount::{self, Ended, MountError, Said};
use serde_json::json;

use crate::cli::Reach;
use crate::cli::keep::MountArgs;
use crate::door::{Door, read_id};
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// Mounts, and returns when nothing is mounted any more.
pub(crate) fn mount(args: &MountArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    mount::check(&args.on).map_err(|e| trouble(&args.on, &e))?;
    let door = Door::open_here(reach, "`mount`")?;
    let here = door.here("`mount`")?;
    let snapshot: SnapshotId = read_id(&args.snapshot)?;
    let opened = keeping::browse(&here.house, snapshot)?;
    let whole = Arc::new(AtomicBool::new(true));
    let mounted = json!({ "snapshot": args.snapshot, "mounted": args.on });
    let say = {
        let whole = Arc::clone(&whole);
        move |said: Said<'_>| match said {
            // A reader of the answer that went away does not end the mount.
            Said::Mounted => drop(print::thing(&mounted, style)),
            Said::NotServed(what) => {
                whole.store(false, Ordering::Relaxed);
                print::remark(&print::safe(what));
            }
            Said::StillOpen => {
                print::remark(
                    "files of it are still open: their readers get errors when this ends",
                );
            }
        }
    };
    let name = format!("bailee:{snapshot}");
    let ended = mount::mount(opened, &args.on, &name, say).map_err(|e| trouble(&args.on, &e))?;
    if ended == Ended::Unmounted {
        print::remark(&format!("{} was unmounted", args.on.display()));
    }
    if whole.load(Ordering::Relaxed) { Ok(()) } else { Err(Trouble::Said(1)) }
}

fn trouble(dir: &Path, error: &MountError) -> Trouble {
    let (about, change) = (dir.display(), "make an empty directory and mount on that");
    match error {
        MountError::NoDirectory(_) | MountError::NotEmpty(_) => {
            let (about, error) = (about.to_string(), error.to_string());
            Problem::new(400, "not_an_empty_directory", about, error, change).into()
        }
        MountError::System { .. } => {
            let change = "be root, or install fuse3; in a container, let it have /dev/fuse";
            Trouble::failed("mount_failed", about, error, change)
        }
    }
}
