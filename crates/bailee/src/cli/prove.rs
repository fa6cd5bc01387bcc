//! `bailee intake`, `bailee receipt`, `bailee bundle`, `bailee certificate`, `bailee verify`: what
//! comes in, what is given out, and how anybody checks it.

use std::path::PathBuf;

use bailee_server::api::parts::{Channel, Who};
use bailee_server::api::words::{ChannelKind, Medium};
use clap::{ArgAction, Args};

use super::ask::ScopeArgs;

/// A letter and what its sender says about it.
#[derive(Debug, Args)]
#[command(
    after_long_help = "EXAMPLES\n  bailee intake letter.eml --receipt letter.bailee.zip\n  bailee \
                       intake form.pdf --account AC-1 --identifier WD-12345 --category photos\n  \
                       bailee intake scan.pdf --medium post --sender 'R. Counsel' --sender-post \
                       'Court Street 1, Delft'"
)]
pub(crate) struct IntakeArgs {
    /// The raw message as it came (or any other document); `-` is standard input
    pub(crate) file: PathBuf,
    /// The legal form it claims to be (see `bailee instruments list`)
    #[arg(long, value_name = "CODE")]
    pub(crate) instrument: Option<String>,
    /// The owner must not learn of it; with `=false` the owner may, whatever the instrument says
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub(crate) silent: Option<bool>,
    /// How it came in: email, post, fax, portal (a form), oral (on the telephone too)
    #[arg(long, value_name = "MEDIUM")]
    pub(crate) medium: Option<Medium>,
    #[command(flatten)]
    pub(crate) sender: SenderArgs,
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    /// Write the receipt here; `-` is standard output
    #[arg(long, value_name = "OUT.bailee.zip")]
    pub(crate) receipt: Option<PathBuf>,
}

/// Who sent it, where the document does not say it so that a program reads it.
#[derive(Debug, Args)]
pub(crate) struct SenderArgs {
    /// Who sent it, if it is no mail: a scan, a fax, the note of a call
    #[arg(long = "sender", value_name = "NAME")]
    name: Option<String>,
    /// Where its sender is reached by mail; may be repeated
    #[arg(long = "sender-email", value_name = "ADDRESS", requires = "name")]
    emails: Vec<String>,
    /// Where its sender is reached by post; may be repeated
    #[arg(long = "sender-post", value_name = "ADDRESS", requires = "name")]
    posts: Vec<String>,
    /// Its sender's telephone or fax; may be repeated
    #[arg(long = "sender-phone", value_name = "NUMBER", requires = "name")]
    phones: Vec<String>,
}

impl SenderArgs {
    /// Name and channels, best first.
    pub(crate) fn who(self) -> Option<Who> {
        let kinds = [
            (ChannelKind::Email, self.emails),
            (ChannelKind::Post, self.posts),
            (ChannelKind::Phone, self.phones),
        ];
        let each = kinds.into_iter().flat_map(|(kind, addresses)| {
            addresses.into_iter().map(move |address| Channel { kind, address })
        });
        let channels = each.collect();
        self.name.map(|name| Who { name, channels })
    }
}

/// Whose receipt.
#[derive(Debug, Args)]
#[command(after_long_help = "EXAMPLE\n  bailee receipt D-1 -o D-1.bailee.zip")]
pub(crate) struct ReceiptArgs {
    /// Which demand
    #[arg(value_name = "D-1")]
    pub(crate) demand: String,
    #[command(flatten)]
    pub(crate) out: OutArgs,
}

/// Which matter, and for whom.
#[derive(Debug, Args)]
#[command(
    long_about = "Writes what somebody may see of a matter: entries with proofs, the sections that \
                  are theirs, documents, a timeline as HTML and PDF, and a certification form for \
                  a person to sign. With --for it is the part of one party: a requester's own \
                  letters and what became of them, an owner's own data, a transferee's what it \
                  accepted. Without --for it is everything, for the house's counsel.",
    after_long_help = "EXAMPLE\n  bailee bundle M-1 --for P-5 -o M-1-P-5.bailee.zip"
)]
pub(crate) struct BundleArgs {
    /// Which matter
    #[arg(value_name = "M-1")]
    pub(crate) matter: String,
    /// Only what this party may see
    #[arg(long = "for", value_name = "P-5")]
    pub(crate) reader: Option<String>,
    #[command(flatten)]
    pub(crate) out: OutArgs,
}

/// Which clearance.
#[derive(Debug, Args)]
#[command(after_long_help = "EXAMPLE\n  bailee certificate C-1 -o C-1.bailee.zip")]
pub(crate) struct CertificateArgs {
    /// Which clearance
    #[arg(value_name = "C-1")]
    pub(crate) clearance: String,
    #[command(flatten)]
    pub(crate) out: OutArgs,
}

/// Where a bundle goes.
#[derive(Debug, Args)]
pub(crate) struct OutArgs {
    /// Where to; `ID.bailee.zip` here, if not said; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// What to verify.
#[derive(Debug, Args)]
#[command(
    long_about = "Verifies receipts, bundles and certificates offline, without a data directory. \
                  Four claims are stated apart: the documents are what the log committed to; the \
                  log signed the entries; a quorum of witnesses saw the tree; an independent \
                  authority stamped the time. A signed checkpoint alone is checked too; it needs \
                  --key.\n\nWithout --key or --policy the key comes out of the bundle itself, and \
                  that is said: compare it with the one the log publishes. The same goes for the \
                  certificates of timestamp authorities without --roots.",
    after_long_help = "EXAMPLE\n  bailee verify letter.bailee.zip\n  \
                       bailee verify --policy mine.tlog-policy --roots tsa.pem letter.bailee.zip"
)]
pub(crate) struct VerifyArgs {
    /// Bundles or signed checkpoints; `-` is standard input
    #[arg(required = true, action = ArgAction::Append)]
    pub(crate) files: Vec<PathBuf>,
    /// The log's key, as it publishes it
    #[arg(long, value_name = "VKEY")]
    pub(crate) key: Option<String>,
    /// Your own policy: which logs, which witnesses, which quorum
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub(crate) policy: Option<PathBuf>,
    /// Certificates (PEM) of the timestamp authorities you trust
    #[arg(long, value_name = "FILE")]
    pub(crate) roots: Option<PathBuf>,
}
