//! The command tree: what can be typed, in the words of the domain.
//!
//! Invariants: a noun's file says what each verb asks of the API and nothing else; what is typed on
//! a directory and what is typed against a server is the same request. Secrets never come in as
//! arguments: a token is a file or an environment variable. Every command has an example, which
//! the tests type.

pub(crate) mod access;
pub(crate) mod account;
mod alone;
pub(crate) mod ask;
pub(crate) mod asset;
pub(crate) mod clearance;
pub(crate) mod demand;
pub(crate) mod disposition;
pub(crate) mod hold;
pub(crate) mod keep;
pub(crate) mod keys;
mod late;
pub(crate) mod matter;
pub(crate) mod notice;
pub(crate) mod party;
pub(crate) mod prove;
pub(crate) mod rule;
pub(crate) mod run;
pub(crate) mod volumes;
pub(crate) mod witness;

#[cfg(test)]
mod doc;

use std::path::PathBuf;
use std::time::Duration;

use bailee_server::store::Patience;
use clap::{Args, Parser, Subcommand};

pub(crate) use late::Late;

use crate::print;

/// What was typed.
#[derive(Debug, Parser)]
#[command(
    name = "bailee",
    version,
    about = "Keeps data that somebody asked to keep, and lets go of it only by the book",
    long_about = "Bailee runs between the people who ask for data to be kept and the machinery \
                  that would destroy it. Every request is fixed in a tamper-evident log when it \
                  arrives, freezes the data before a human reads it, and is answered with a \
                  receipt that anybody can verify offline.\n\nExit codes: 0 yes; 1 refused, \
                  blocked or not verified; 2 wrong use; 3 failure.",
    after_long_help = "EXAMPLE\n  bailee gate check A-12",
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the house is, and who is speaking.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Reach {
    /// Data directory of the house
    #[arg(
        id = "house", // commands have a directory of their own
        long = "dir",
        global = true,
        env = "BAILEE_DIR",
        default_value = "bailee-data",
        value_name = "DIR"
    )]
    pub(crate) dir: PathBuf,
    /// Speak to a running `bailee serve` instead of a directory
    #[arg(long, global = true, env = "BAILEE_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// File with the token for --server; otherwise $BAILEE_TOKEN
    #[arg(long, global = true, env = "BAILEE_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificates (PEM) that --server is trusted by, instead of the public ones
    #[arg(long, global = true, env = "BAILEE_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Speak http:// to another machine too: token and data can be read on the way
    #[arg(
        long,
        global = true,
        env = "BAILEE_INSECURE_HTTP",
        value_parser = clap::builder::FalseyValueParser::new()
    )]
    pub(crate) insecure_http: bool,
    /// Who is speaking, on a directory; with --server the token says it
    #[arg(long = "as", global = true, env = "BAILEE_AS", value_name = "P-1")]
    pub(crate) speaker: Option<String>,
    /// Seconds to wait for another command that works in the directory; 0: not at all
    #[arg(long, global = true, env = "BAILEE_WAIT", default_value_t = 10, value_name = "SECONDS")]
    pub(crate) wait: u32,
    /// Answer in JSON, errors too; a remark is a line of JSON on standard error then
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Reach {
    /// How long to wait for another command on the directory.
    pub(crate) fn patience(&self) -> Patience {
        let most = Duration::from_secs(self.wait.into());
        let told = |pid: Option<u32>| {
            let whose = pid.map_or("another process".to_owned(), |pid| format!("process {pid}"));
            print::remark(&format!("waiting for {whose}, which works in the directory"));
        };
        Patience { most, told }
    }
}

/// Everything that can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a new house: directory, keys, people
    Init(Late<run::InitArgs>),
    /// Take a letter in; it freezes what it asks for, and is answered with a receipt
    Intake(Late<prove::IntakeArgs>),
    /// Persons and organisations
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee party list")]
    Party(Late<party::PartyVerb>),
    /// Legal entities of the provider
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee entity list")]
    Entity(Late<party::EntityVerb>),
    /// Customer relationships
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee account list")]
    Account(Late<account::AccountVerb>),
    /// What holds data and can be destroyed
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee asset show A-1")]
    Asset(Late<asset::AssetVerb>),
    /// What others ask to be kept
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee demand list")]
    Demand(Late<demand::DemandVerb>),
    /// What suspends letting go
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee hold show H-1")]
    Hold(Late<hold::HoldVerb>),
    /// Disputes, investigations, proceedings
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee matter list")]
    Matter(Late<matter::MatterVerb>),
    /// What keeping has cost
    #[command(
        subcommand,
        after_long_help = "EXAMPLE\n  bailee cost book M-1 --what media --milli-units 2000 \
                           --amount 19900 --currency EUR"
    )]
    Cost(Late<matter::CostVerb>),
    /// Formal messages out, and the proof that they arrived
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee notice list")]
    Notice(Late<notice::NoticeVerb>),
    /// Reasoned answers to a notice
    #[command(
        subcommand,
        after_long_help = "EXAMPLE\n  bailee objection file X-1 --by P-4 --note 'We need it'"
    )]
    Objection(Late<notice::ObjectionVerb>),
    /// Proposals to end the keeping of assets
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee disposition show X-1")]
    Disposition(Late<disposition::DispositionVerb>),
    /// Preserved copies in the vault
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee snapshot verify S-1")]
    Snapshot(Late<keep::SnapshotVerb>),
    /// Owners who ask for their own data
    #[command(
        subcommand,
        after_long_help = "EXAMPLE\n  bailee access request A-1 --owner P-4 --note 'My files'"
    )]
    Access(Late<access::AccessVerb>),
    /// What a data owner, or who takes custody over, may see: its own
    #[command(
        long_about = "Shows what is the speaker's own: accounts, assets with their parts and \
                      preserved copies, the holds that it may know of, its notices, and what it \
                      is to take over with every hold to accept. `held` speaks of those holds \
                      only; of a silent one there is no trace. With --server it is what the \
                      token's party sees (`GET /v1/mine`); staff sees what an owner sees with \
                      --as P-4 on the directory.",
        after_long_help = "EXAMPLE\n  bailee --as P-4 mine"
    )]
    Mine,
    /// What a human has to do
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee duty list")]
    Duty(Late<rule::DutyVerb>),
    /// Tokens for programs and people who speak to `bailee serve`
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee token list")]
    Token(Late<rule::TokenVerb>),
    /// What signs the log: kept, rotated, lost
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee keys show")]
    Keys(Late<keys::KeysVerb>),
    /// Waiting times and limits
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee policy show")]
    Policy(Late<rule::PolicyVerb>),
    /// Legal forms of demands, with their clocks
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee instruments list")]
    Instruments(Late<rule::InstrumentVerb>),
    /// May this be let go of?
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee gate check A-1")]
    Gate(Late<clearance::GateVerb>),
    /// Single-use permissions, step by step: for agents
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee clearance show C-1")]
    Clearance(Late<clearance::ClearanceVerb>),
    /// Copy an asset's data into the vault and read it back
    Preserve(Late<keep::PreserveArgs>),
    /// Give data back from the vault
    Restore(Late<keep::RestoreArgs>),
    /// Write a file of a snapshot, or a range of it, to standard output
    Cat(Late<keep::CatArgs>),
    /// Show a snapshot as a read-only file system while this runs
    Mount(Late<keep::MountArgs>),
    /// Write a snapshot in a form that needs no vault: archive, bag, tape volumes
    Export(Late<keep::ExportArgs>),
    /// Check sealed archive volumes, or restore from them alone
    #[command(
        subcommand,
        after_long_help = "EXAMPLE\n  bailee volumes check /mnt/tape --key /srv/shelf.key"
    )]
    Volumes(Late<volumes::VolumesVerb>),
    /// Are the vault's packs still what was put? A part of them at a time, without a key
    Scrub(Late<keep::ScrubArgs>),
    /// Try out what keeps the vault's packs: what does it really do?
    #[command(
        long_about = "Writes, reads back, lists, writes again, locks and deletes objects of a few \
                      bytes where the packs are, reads some packs under hold back, and records \
                      what was seen. Exit code 1: something was promised (a lock taken, a \
                      condition accepted) and does not hold, held data is missing or damaged, or \
                      nothing answers. `bailee serve` does the same at its start and each day.",
        after_long_help = "EXAMPLE\n  bailee probe"
    )]
    Probe,
    /// Make the vault's index again from the packs' own directories
    #[command(
        long_about = "Indexes every pack that no readable index names, and takes damaged index \
                      objects away. Packs and snapshots are the truth; the index is only where \
                      things are. Verify the snapshots afterwards.",
        after_long_help = "EXAMPLE\n  bailee reindex"
    )]
    Reindex,
    /// Free the space in the vault that nothing needs any more
    Prune(Late<keep::PruneArgs>),
    /// Overwrite a device under a clearance, read it back, certify
    Sanitize(Late<clearance::SanitizeArgs>),
    /// Expire a snapshot from the vault under a clearance
    Expire(Late<clearance::ExpireArgs>),
    /// Erase the custody unit of a snapshot under a clearance: destroy its key, certify
    Erase(Late<clearance::EraseArgs>),
    /// Write the receipt of a demand
    Receipt(Late<prove::ReceiptArgs>),
    /// Write what a party may see of a matter, or everything for the house's counsel
    Bundle(Late<prove::BundleArgs>),
    /// Write the certificate of a finished clearance
    Certificate(Late<prove::CertificateArgs>),
    /// Verify receipts, bundles and certificates offline
    Verify(Late<prove::VerifyArgs>),
    /// Check every rule and every proof of the house
    #[command(after_long_help = "EXAMPLE\n  bailee check")]
    Check,
    /// Carry out what is due: clocks, receipts, notices, pages
    #[command(after_long_help = "EXAMPLE\n  bailee settle")]
    Settle,
    /// What timestamp authorities have stamped, until when, and what is missing
    #[command(
        long_about = "Lists the checkpoints under a token of an independent timestamp authority \
                      (RFC 3161): when it was given, until when its chain of certificates lasts, \
                      how often it was renewed. Then how each authority of the settings stands, \
                      and what is not stamped yet.",
        after_long_help = "EXAMPLE\n  bailee timestamps"
    )]
    Timestamps(Late<ask::ListArgs>),
    /// Name, size and keys of the log
    #[command(after_long_help = "EXAMPLE\n  bailee status")]
    Status,
    /// Answer over HTTP
    Serve(Late<run::ServeArgs>),
    /// Cosign the checkpoints of other people's logs
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee witness status witness")]
    Witness(Late<witness::WitnessVerb>),
    /// Follow somebody's log, and raise an alarm on what it must not do
    Monitor(Late<witness::MonitorArgs>),
    /// Play a story of custody
    #[command(
        subcommand,
        after_long_help = "EXAMPLE\n  bailee scenario run scenarios/leaseweb-2013.txt"
    )]
    Scenario(Late<run::ScenarioVerb>),
    /// Show the founding case from letter to certificate; with --json, only what it proved
    #[command(after_long_help = "EXAMPLE\n  bailee demo")]
    Demo(Late<crate::demo::DemoArgs>),
    /// Write completions for a shell to standard output
    Completions(Late<run::CompletionsArgs>),
    /// Write manual pages into a directory
    Man(Late<run::ManArgs>),
    /// Version of program and formats
    #[command(after_long_help = "EXAMPLE\n  bailee version")]
    Version,
}
