//! `bailee verify` without the rest of the command tree.
//!
//! Why: a stranger verifies one file after the other, each in a process of a few milliseconds; of
//! these the tree of all commands takes a tenth. Invariant: what is read here is what the whole
//! tree reads; what is not understood here, help and mistakes among it, is for the whole tree.

use std::ffi::OsString;

use clap::{Error, Parser};

use super::prove::VerifyArgs;
use super::{Cli, Command, Late, Reach};

#[derive(Debug, Parser)]
struct Verify {
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    args: VerifyArgs,
}

impl Cli {
    /// Reads what was typed, the program's name first.
    pub(crate) fn read(words: &[OsString]) -> Result<Cli, Error> {
        match words {
            [program, verb, rest @ ..] if verb == "verify" => {
                match Verify::try_parse_from([program].into_iter().chain(rest)) {
                    Ok(Verify { reach, args }) => {
                        Ok(Cli { reach, command: Command::Verify(Late(args)) })
                    }
                    Err(_) => Cli::try_parse_from(words),
                }
            }
            _ => Cli::try_parse_from(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn what_is_read_alone_is_what_the_tree_reads() {
        for line in [
            "bailee verify a.zip",
            "bailee verify a.zip b.zip --json",
            "bailee verify --json --key k+1+x a.zip",
            "bailee verify --policy p --roots r a.zip --dir d --as P-1",
            "bailee verify --server http://x --token-file t --ca c a.zip",
            "bailee verify -- --json",
            "bailee verify -",
            "bailee verify help",
            "bailee --json verify a.zip",
        ] {
            let (read, tree) = (Cli::read(&words(line)), Cli::try_parse_from(words(line)));
            assert_eq!(format!("{:?}", read.unwrap()), format!("{:?}", tree.unwrap()), "{line}");
        }
    }

    #[test]
    fn help_and_mistakes_are_the_trees() {
        for line in [
            "bailee verify",
            "bailee verify --help",
            "bailee verify -h",
            "bailee verify --version a.zip",
            "bailee verify --key k --policy p a.zip",
            "bailee verify --polcy p a.zip",
            "bailee verfy a.zip",
            "bailee",
        ] {
            let (read, tree) = (Cli::read(&words(line)), Cli::try_parse_from(words(line)));
            let (read, tree) = (read.unwrap_err(), tree.unwrap_err());
            assert_eq!((read.kind(), read.to_string()), (tree.kind(), tree.to_string()), "{line}");
        }
    }
}
