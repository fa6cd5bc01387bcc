//! Running other programs where everybody can see it: each command is printed before it runs,
//! and its output goes straight to the terminal.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The command as a person would type it.
pub(crate) fn words(command: &Command) -> String {
    let word = |word: &OsStr| word.to_string_lossy().into_owned();
    let mut line = vec![word(command.get_program())];
    line.extend(command.get_args().map(word));
    line.join(" ")
}

/// Prints and runs a command; anything but success is an error that names it.
pub(crate) fn visibly(command: &mut Command) -> Result<()> {
    let line = words(command);
    println!("$ {line}");
    let status = command.status().with_context(|| format!("{line}: does not start"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

/// Whether a program answers `--version`-like arguments at all.
pub(crate) fn answers(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// How long each step took; printed as a table.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(&'static str, Duration, String)>,
}

impl Steps {
    /// Runs one step under a heading; `work` may answer with a remark for the table.
    pub(crate) fn step(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<String>,
    ) -> Result<()> {
        println!("\n== {name}");
        let started = Instant::now();
        let remark = work().with_context(|| format!("step '{name}' failed"))?;
        self.done.push((name, started.elapsed(), remark));
        Ok(())
    }

    /// The table, one line per step and the sum.
    pub(crate) fn table(&self) -> String {
        let mut lines = String::from("\nstep                     seconds  remark\n");
        let mut sum = Duration::ZERO;
        for (name, took, remark) in &self.done {
            sum += *took;
            lines.push_str(&format!("{name:<24} {:>7.1}  {remark}\n", took.as_secs_f64()));
        }
        lines.push_str(&format!("{:<24} {:>7.1}\n", "sum so far", sum.as_secs_f64()));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named() {
        let error = visibly(Command::new("false").arg("x")).unwrap_err();
        assert!(error.to_string().starts_with("false x: exit status: 1"), "{error}");
        let error = visibly(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(error.to_string().contains("no-such-program-here: does not start"), "{error}");
    }

    #[test]
    fn a_failing_step_stops_and_is_not_in_the_table() {
        let mut steps = Steps::default();
        steps.step("good", || Ok("fine".into())).unwrap();
        assert!(steps.step("bad", || bail!("broken")).is_err());
        let table = steps.table();
        assert!(table.contains("good") && table.contains("fine") && !table.contains("bad"));
    }
}
