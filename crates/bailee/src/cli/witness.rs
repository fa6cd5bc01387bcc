//! `bailee witness` and `bailee monitor`: what somebody runs who watches a log of others.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

/// Verbs of a witness.
#[derive(Debug, Subcommand)]
pub(crate) enum WitnessVerb {
    /// Make a new witness: directory, key, records
    #[command(
        after_long_help = "EXAMPLE\n  bailee witness init witness --name witness.example.org"
    )]
    Init(InitArgs),
    /// Watch a log: its checkpoints are cosigned from the next start on
    #[command(after_long_help = "EXAMPLE\n  bailee witness watch witness log.example+349ad522+AS…")]
    Watch {
        /// Directory of the witness
        dir: PathBuf,
        /// The log's key, as its operator publishes it
        vkey: String,
    },
    /// Cosign over HTTP
    #[command(
        long_about = "Answers add-checkpoint (c2sp.org/tlog-witness) until it is told to stop \
                      (SIGTERM, SIGINT). It speaks no TLS: put a proxy that does in front of it.",
        after_long_help = "EXAMPLE\n  bailee witness serve witness --listen 127.0.0.1:8481"
    )]
    Serve {
        /// Directory of the witness
        dir: PathBuf,
        /// Address and port
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8481")]
        listen: SocketAddr,
    },
    /// What is on record of each log; exit 1 if one has forked
    #[command(after_long_help = "EXAMPLE\n  bailee witness status witness")]
    Status {
        /// Directory of the witness
        dir: PathBuf,
    },
}

/// A new witness.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Its directory; made if absent
    pub(crate) dir: PathBuf,
    /// Its name: in every cosignature, for ever
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// Cosign with ML-DSA-44 as well, which outlives Ed25519
    #[arg(long)]
    pub(crate) ml_dsa: bool,
}

/// Which log, and what to do about what it does.
#[derive(Debug, Args)]
#[command(
    long_about = "Follows a log from its checkpoint and tiles: checks its signature, recomputes \
                  the signed root from the entries, compares with what was seen before and with \
                  what witnesses have cosigned. Raises an alarm on a fork, a rollback, a split \
                  view, wrong files, a wrong signature, a missing quorum, and on silence.\n\nExit \
                  codes with --once: 0 nothing is wrong; 1 an alarm; 3 the log could not be read.",
    after_long_help = "EXAMPLE\n  bailee monitor https://log.example.org --policy log.tlog-policy \
                       --state seen --once"
)]
#[command(group(ArgGroup::new("which").required(true).args(["key", "policy"])))]
pub(crate) struct MonitorArgs {
    /// Where the log is served: /checkpoint and /tile are below it
    pub(crate) url: String,
    /// The log's key, as its operator publishes it; asks for no witness
    #[arg(long, value_name = "VKEY")]
    pub(crate) key: Option<String>,
    /// Policy with the log's key, its witnesses (with URLs, to compare) and the quorum
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Directory for what was seen, and for proofs
    #[arg(long, value_name = "DIR", default_value = "bailee-monitor")]
    pub(crate) state: PathBuf,
    /// Raise an alarm when nothing new is signed for so long, like 90m or 2d
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) silence: Option<u64>,
    /// Time between two looks, like 30s or 5m
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = seconds)]
    pub(crate) every: u64,
    /// Look once and end: for cron
    #[arg(long)]
    pub(crate) once: bool,
    /// Shell command to run at an alarm that was not told before; $BAILEE_ALARM has its word,
    /// standard input the JSON line
    #[arg(long, value_name = "COMMAND")]
    pub(crate) on_alarm: Option<String>,
}

/// `90s`, `15m`, `2h`, `1d` as seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let unit = text.chars().last().and_then(|unit| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3_600),
        'd' => Some(86_400),
        _ => None,
    });
    let number = unit.and_then(|_| text[..text.len() - 1].parse::<u64>().ok());
    let seconds = number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
    seconds
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| "write it like 90s, 15m, 2h or 1d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("15m"), Ok(900));
        assert_eq!(seconds("2h"), Ok(7_200));
        assert_eq!(seconds("1d"), Ok(86_400));
        for bad in ["", "s", "90", "0s", "-1s", "1.5h", "1w", "99999999999999999999s", "1é"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
