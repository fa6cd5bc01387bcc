//! Waiting for the end of a mount, and making it.
//!
//! Invariants: signals are listened for before there is a mount. Whatever ends it, nothing is
//! mounted afterwards: if files are open, the mount is detached and its connection closed, so that
//! their readers get errors instead of waiting for ever.

use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use fuser::{Filesystem, Session, SessionUnmounter};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::{Ended, MountError, Said, system};

/// How long the threads that serve may take to end after an unmount.
const PATIENCE: Duration = Duration::from_secs(5);

/// The signals that end a mount.
pub(crate) struct Signals {
    runtime: Runtime,
    all: [Signal; 3],
}

impl Signals {
    /// From now on they no longer end the process by themselves.
    pub(crate) fn listen() -> io::Result<Signals> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let all = {
            let _inside = runtime.enter();
            [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            ]
        };
        Ok(Signals { runtime, all })
    }
}

/// Serves until the end.
pub(crate) fn until_ended(
    mut session: Session<impl Filesystem>,
    signals: Signals,
    dir: &Path,
    say: &(dyn Fn(Said<'_>) + Send + Sync),
) -> Result<Ended, MountError> {
    let mut unmounter = session.unmount_callable();
    let (tell, mut told) = oneshot::channel();
    let serving = thread::Builder::new().name("mount".into()).spawn(move || {
        // If nobody listens, the process is ending.
        _ = tell.send(session.run());
    });
    serving.map_err(system("start a thread"))?;
    say(Said::Mounted);
    let Signals { runtime, all: [mut interrupt, mut terminate, mut hangup] } = signals;
    let ended = runtime.block_on(async {
        tokio::select! {
            served = &mut told => Some(served),
            _ = interrupt.recv() => None,
            _ = terminate.recv() => None,
            _ = hangup.recv() => None,
        }
    });
    take_down(&mut unmounter, dir, say)?;
    match ended {
        Some(Ok(served)) => served.map(|()| Ended::Unmounted).map_err(system("serve the kernel")),
        Some(Err(_)) => Err(system("serve the kernel")(io::Error::other("its thread panicked"))),
        None => {
            // A copy of the mount in another namespace may keep it alive: not waited for.
            _ = runtime.block_on(async { tokio::time::timeout(PATIENCE, told).await });
            Ok(Ended::Signal)
        }
    }
}

/// Unmounts, if that has not happened yet; with files open, takes the name away from them.
fn take_down(
    unmounter: &mut SessionUnmounter,
    dir: &Path,
    say: &(dyn Fn(Said<'_>) + Send + Sync),
) -> Result<(), MountError> {
    if unmounter.unmount().is_ok() {
        return Ok(());
    }
    match unmount(dir, UnmountFlags::DETACH) {
        Ok(()) => say(Said::StillOpen),
        Err(Errno::INVAL) => {} // somebody has taken the name away before
        Err(e) => return Err(system(format!("unmount {}", dir.display()))(e.into())),
    }
    Ok(())
}
