//! Complaints: what could not be served, said once.
//!
//! Invariant: the kernel asks again for each page of a damaged range, and readers try again; the
//! same words are said once, as long as they are among the last [`REMEMBERED`]. Memory is bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Said;

/// Complaints that are known again.
const REMEMBERED: usize = 256;

/// Where it is said.
pub(crate) type Voice = Arc<dyn Fn(Said<'_>) + Send + Sync>;

pub(crate) struct Complaints {
    voice: Voice,
    last: Mutex<VecDeque<String>>,
}

impl Complaints {
    pub(crate) fn new(say: impl Fn(Said<'_>) + Send + Sync + 'static) -> Complaints {
        Complaints { voice: Arc::new(say), last: Mutex::default() }
    }

    pub(crate) fn voice(&self) -> Voice {
        Arc::clone(&self.voice)
    }

    /// Says it, if it is new.
    pub(crate) fn tell(&self, what: String) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.contains(&what) {
            return;
        }
        (self.voice)(Said::NotServed(&what));
        if last.len() == REMEMBERED {
            last.pop_front();
        }
        last.push_back(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_and_memory_is_bounded() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        let complaints = Complaints::new(move |said| ear.lock().unwrap().push(format!("{said:?}")));
        for _ in 0..3 {
            complaints.tell("a: gone".into());
            complaints.tell("b: gone".into());
        }
        assert_eq!(*heard.lock().unwrap(), ["NotServed(\"a: gone\")", "NotServed(\"b: gone\")"]);
        for n in 0..1000 {
            complaints.tell(n.to_string());
        }
        assert_eq!(heard.lock().unwrap().len(), 1002);
        assert_eq!(complaints.last.lock().unwrap().len(), REMEMBERED);
    }
}
