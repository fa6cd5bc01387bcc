//! SIGINT, SIGTERM and SIGHUP where work has to be brought to an end first.
//!
//! Invariant: the first one asks the work to stop and report what it did; the second ends the
//! process at once, as it would have without this: nobody is held up by a report that hangs.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::trouble::Trouble;

/// True once the process was told to stop.
pub(crate) fn listen() -> Result<Arc<AtomicBool>, Trouble> {
    let told = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let listening = flag::register_conditional_shutdown(signal, 128 + signal, told.clone())
            .and_then(|_| flag::register(signal, told.clone()));
        listening.map_err(|e| Trouble::io("listen for signals", &e))?;
    }
    Ok(told)
}
