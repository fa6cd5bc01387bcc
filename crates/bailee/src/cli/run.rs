//! `bailee init`, `bailee serve`, `bailee scenario` and the commands about the program itself.

use std::net::SocketAddr;
use std::path::PathBuf;

use bailee_server::keys::Source;
use clap::{Args, Subcommand};
use clap_complete::Shell;

/// A new house.
#[derive(Debug, Args)]
#[command(
    long_about = "Makes a new house in --dir: settings, keys, journal, the standard instruments, \
                  the legal entity and the first people. Release and destruction need three \
                  persons, counsel among them.",
    after_long_help = "EXAMPLE\n  bailee init --origin log.example.org/2026 --entity 'Example \
                       Host B.V.' --country NL \\\n    --counsel 'Cora Maas <cora@example.org>' \
                       --staff 'Ada Smit <ada@example.org>' \\\n    --staff 'Ben Kok \
                       <ben@example.org>'"
)]
pub(crate) struct InitArgs {
    /// Name of the log: in every checkpoint, for ever
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: String,
    /// Legal entity that runs it
    #[arg(long, value_name = "NAME")]
    pub(crate) entity: String,
    /// Its country
    #[arg(long, value_name = "NL")]
    pub(crate) country: String,
    /// Counsel; may be repeated
    #[arg(long, value_name = "NAME <EMAIL>", required = true)]
    pub(crate) counsel: Vec<String>,
    /// Staff; may be repeated
    #[arg(long, value_name = "NAME <EMAIL>")]
    pub(crate) staff: Vec<String>,
    /// Where the log's key is: file, agent:SHA256:… or pkcs11:…
    #[arg(long, value_name = "SOURCE", default_value = "file")]
    pub(crate) log_key: Source,
    /// What opens the file of the vault's key: file or pkcs11:…
    #[arg(long, value_name = "SOURCE", default_value = "file")]
    pub(crate) vault_key: Source,
    /// Put the key files under a passphrase: asked for, or from --passphrase-file
    #[arg(long)]
    pub(crate) protect: bool,
    /// File with the passphrase
    #[arg(long, value_name = "FILE", requires = "protect")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// Where to listen.
#[derive(Debug, Args)]
#[command(
    long_about = "Answers over HTTP until it is told to stop (SIGTERM, SIGINT). It speaks no TLS: \
                  put a proxy that does in front of it.",
    after_long_help = "EXAMPLE\n  bailee serve --listen 127.0.0.1:8480"
)]
pub(crate) struct ServeArgs {
    /// Address and port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8480")]
    pub(crate) listen: SocketAddr,
}

/// Verbs of scenarios.
#[derive(Debug, Subcommand)]
pub(crate) enum ScenarioVerb {
    /// Play a story and print its transcript; exit 1 where it comes out differently
    #[command(after_long_help = "EXAMPLE\n  bailee scenario run scenarios/leaseweb-2013.txt")]
    Run {
        /// The story; `-` is standard input
        file: PathBuf,
        /// Play it through journal, log and signatures instead of the core alone
        #[arg(long)]
        through_runner: bool,
    },
    /// Show every sentence that is understood
    #[command(after_long_help = "EXAMPLE\n  bailee scenario sentences")]
    Sentences,
}

/// For which shell.
#[derive(Debug, Args)]
#[command(after_long_help = "EXAMPLE\n  bailee completions bash")]
pub(crate) struct CompletionsArgs {
    /// Shell
    pub(crate) shell: Shell,
}

/// Where manual pages go.
#[derive(Debug, Args)]
#[command(after_long_help = "EXAMPLE\n  bailee man man1")]
pub(crate) struct ManArgs {
    /// Directory; made if absent
    pub(crate) dir: PathBuf,
}
