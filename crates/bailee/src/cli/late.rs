//! A part of the command tree that is made when it is typed.
//!
//! Why: the whole tree is half of what a command that answers in milliseconds costs, and a megabyte
//! of memory. Help, completions, manual pages and the tests make all of it, as before.
//!
//! Invariant: what a variant says of its command stands; its arguments' own words fill the rest.

use clap::{ArgMatches, Args, Command, Error, FromArgMatches, Subcommand};

/// Arguments or verbs of a command.
#[derive(Debug)]
pub(crate) struct Late<T>(pub(crate) T);

/// Fills in a command, and lets what it said of itself before stand.
fn fill(command: Command, with: impl FnOnce(Command) -> Command) -> Command {
    let about = command.get_about().cloned();
    let (long, after) = (command.get_long_about().cloned(), command.get_after_long_help().cloned());
    let filled = with(command);
    let filled = match about {
        Some(about) => filled.about(about),
        None => filled,
    };
    let filled = match long {
        Some(long) => filled.long_about(long),
        None => filled,
    };
    match after {
        Some(after) => filled.after_long_help(after),
        None => filled,
    }
}

impl<T: Args> Args for Late<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| fill(command, T::augment_args))
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(|command| fill(command, T::augment_args_for_update))
    }
}

impl<T: Subcommand> Subcommand for Late<T> {
    fn augment_subcommands(command: Command) -> Command {
        command.defer(|command| fill(command, T::augment_subcommands))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        command.defer(|command| fill(command, T::augment_subcommands_for_update))
    }

    fn has_subcommand(name: &str) -> bool {
        T::has_subcommand(name)
    }
}

impl<T: FromArgMatches> FromArgMatches for Late<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}
