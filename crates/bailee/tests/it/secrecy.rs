//! Memory with keys in it is not left on a disk: no core dumps, and swap in clear is told.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::room::{BAILEE, Room};

/// A service that was allowed to leave a core, and ends as if it had a fault.
#[test]
fn a_service_that_dies_leaves_no_core_whatever_its_shell_allowed() {
    let room = Room::with_house();
    let script = "ulimit -S -c \"$(ulimit -H -c)\" && exec \"$0\" serve --listen 127.0.0.1:0";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, BAILEE]).env_clear().env("BAILEE_DIR", room.house());
    command.current_dir(room.path("")).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("http://"))), "it answers");
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("its limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a line");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    kill_process(Pid::from_child(&child), Signal::ABORT).expect("it is there");
    let status = child.wait().expect("it ends");
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false), "{status:?}");
}

#[test]
fn the_status_names_swap_in_clear_and_warns_of_each() {
    let room = Room::with_house();
    let said = room.run(&["--json", "status"]);
    let areas = said.json()["swap_in_clear"].as_array().expect("a list").len();
    let listed = fs::read_to_string("/proc/swaps").map_or(0, |text| text.lines().count());
    assert!(areas <= listed.saturating_sub(1), "{said:?}");
    let warned = room.run(&["status"]).err.lines().filter(|l| l.contains("WARNING: swap")).count();
    assert_eq!(warned, areas);
}
