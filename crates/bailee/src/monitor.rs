//! `bailee monitor`: looks at somebody's log, once or for ever, and says what is wrong.
//!
//! Invariants: one line for each look, on standard output, as words or as JSON; an alarm that was
//! told before is printed again and not told again to `--on-alarm`; what comes from the log reaches
//! the command only through its environment and standard input, never its words. Exit codes with
//! `--once`: 0, 1 for an alarm, 3 for a log that could not be read and is not silent yet. Without
//! it, a reader of the lines that left ends it with 3, after the alarm of that look was raised.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bailee_ledger::monitor::Alarm;
use bailee_ledger::{Policy, Verifier};
use bailee_server::monitor::{Look, Monitor, MonitorError, Watch};
use bailee_server::web::Web;
use serde_json::{Value, json};

use crate::cli::Reach;
use crate::cli::witness::MonitorArgs;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// Longest wait for one answer of the log.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks, once or until it is stopped.
pub(crate) fn monitor(args: &MonitorArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let web = match &reach.ca {
        None => Web::default(),
        Some(path) => {
            let read = std::fs::read(path);
            let pem = read.map_err(|e| Trouble::io(format!("read {}", path.display()), &e))?;
            let change = "give a file with -----BEGIN CERTIFICATE-----";
            Web::trusting(&pem).map_err(|e| Trouble::usage(path.display(), e, change))?
        }
    };
    let watch = Watch {
        url: args.url.clone(),
        policy: policy(args)?,
        dir: args.state.clone(),
        silence: args.silence,
        patience: PATIENCE,
    };
    let opened = Monitor::open(watch, web, now());
    let mut monitor = opened.map_err(|error| trouble(args, &error))?;
    loop {
        let code = look(&mut monitor, args, style)?;
        if args.once {
            return if code == 0 { Ok(()) } else { Err(Trouble::Said(code)) };
        }
        thread::sleep(Duration::from_secs(args.every));
    }
}

fn policy(args: &MonitorArgs) -> Result<Policy, Trouble> {
    let change = "give the key as its log publishes it: name+hash+base64";
    if let Some(vkey) = &args.key {
        let key = Verifier::parse(vkey).and_then(Policy::for_log);
        return key.map_err(|e| Trouble::usage("--key", e, change));
    }
    let path = args.policy.clone().unwrap_or_default();
    let bytes = std::fs::read(&path)
        .map_err(|e| Trouble::io(format!("read the policy {}", path.display()), &e))?;
    let change = "see c2sp.org/tlog-policy, and docs/witnessing.md";
    Policy::parse(&bytes).map_err(|e| Trouble::usage(path.display(), e, change))
}

/// One look; gives its exit code.
fn look(monitor: &mut Monitor, args: &MonitorArgs, style: Style) -> Result<u8, Trouble> {
    let at = now();
    let (line, words, code) = match monitor.look(at) {
        Ok(look) => {
            let code = u8::from(!look.alarms.is_empty());
            (looked(monitor, &look, at), words(&look.alarms), code)
        }
        Err(error) => {
            let silent: Vec<Alarm> = monitor.silent(at).into_iter().collect();
            let code = if silent.is_empty() { 3 } else { 1 };
            let mut line = json!({ "at": at, "url": args.url, "failed": error.to_string() });
            line["alarms"] = told(&silent);
            // What was wrong before is not right again because nobody answers.
            let before = monitor.seen().told.iter().filter(|word| *word != "silence").cloned();
            (line, before.chain(words(&silent)).collect(), code)
        }
    };
    let text = match style {
        Style::Json => format!("{line}\n"),
        Style::Words => in_words(&line),
    };
    // One look has an exit code. For ever, the lines are all there is.
    let heard = if args.once { print::out(&text) } else { print::product(&text) };
    raise(monitor, args, &words, &line).map_err(|error| trouble(args, &error))?;
    heard.map(|()| code)
}

fn looked(monitor: &Monitor, look: &Look, at: u64) -> Value {
    json!({
        "at": at, "log": monitor.seen().origin, "size": look.size, "before": look.before,
        "unread": look.unread, "witnesses": look.compared, "alarms": told(&look.alarms),
    })
}

fn words(alarms: &[Alarm]) -> Vec<String> {
    alarms.iter().map(|alarm| alarm.word().to_owned()).collect()
}

fn told(alarms: &[Alarm]) -> Value {
    let one = |alarm: &Alarm| json!({ "alarm": alarm.word(), "text": alarm.to_string() });
    alarms.iter().map(one).collect()
}

fn in_words(line: &Value) -> String {
    let text = |value: &Value| print::safe(value.as_str().unwrap_or_default());
    let mut words = match &line["failed"] {
        Value::Null => format!(
            "{}: size {} ({} before), compared with witnesses: {}\n",
            text(&line["log"]),
            line["size"],
            line["before"],
            line["witnesses"]
        ),
        why => format!("{} could not be read: {}\n", text(&line["url"]), text(why)),
    };
    if let Some(unread @ 1..) = line["unread"].as_u64() {
        words.push_str(&format!(
            "  {unread} of them are served no more (pruned): that they extend the log is proven by \
             their hashes, what they say was not seen\n"
        ));
    }
    for alarm in line["alarms"].as_array().into_iter().flatten() {
        words.push_str(&format!("ALARM {}: {}\n", text(&alarm["alarm"]), text(&alarm["text"])));
    }
    words
}

/// Runs the command for alarms that are new, and remembers which are told.
fn raise(
    monitor: &mut Monitor,
    args: &MonitorArgs,
    words: &[String],
    line: &Value,
) -> Result<(), MonitorError> {
    let fresh = monitor.tell(words)?;
    let Some(command) = args.on_alarm.as_ref().filter(|_| !fresh.is_empty()) else {
        return Ok(());
    };
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).env("BAILEE_ALARM", fresh.join(" "));
    let ran = shell.stdin(Stdio::piped()).spawn().and_then(|mut child| {
        if let Some(mut input) = child.stdin.take() {
            // A command that does not read its input is none the worse for it.
            _ = writeln!(input, "{line}");
        }
        child.wait()
    });
    match ran {
        Ok(status) if status.success() => {}
        Ok(status) => print::remark(&format!("--on-alarm ended with {status}")),
        Err(error) => print::remark(&format!("--on-alarm could not be run: {error}")),
    }
    Ok(())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn trouble(args: &MonitorArgs, error: &MonitorError) -> Trouble {
    match error {
        MonitorError::WhichLog(_) => {
            Trouble::usage("--policy", error, "keep the log line of the one to follow")
        }
        MonitorError::State { .. } => {
            let change = "name another directory with --state, and keep this one as it is";
            Trouble::refused("state_unfit", args.state.display(), error, change)
        }
        _ => {
            let change = "look at the URL, the network, and the directory";
            Trouble::failed("monitor_failed", &args.url, error, change)
        }
    }
}
