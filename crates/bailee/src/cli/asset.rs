//! `bailee asset`: what holds data and can be destroyed.
//!
//! Invariant: `--device` binds an asset to what the device itself says it is, read here and now,
//! not to its name, with its serial, WWN and UUID and the keys by which it is known again; only a
//! bound asset can ever be sanitized.

use std::path::PathBuf;

use bailee_server::api::Request;
use bailee_server::api::parts::Identifier;
use bailee_server::api::words::{AssetKind, IdentifierKind, Lifecycle};
use bailee_server::binding;
use bailee_server::core::asset::normal;
use clap::{Args, Subcommand};

use super::ask::{Ask, ListArgs};
use crate::trouble::Trouble;
use crate::{let_go, print};

/// Verbs of an asset.
#[derive(Debug, Subcommand)]
pub(crate) enum AssetVerb {
    /// Register an asset
    #[command(after_long_help = "EXAMPLE\n  bailee asset add srv-12 --kind server --account AC-1 \
                                 --serial WD-WX42 --place 'Rack 14'")]
    Add(Box<AddArgs>),
    /// List them
    #[command(after_long_help = "EXAMPLE\n  bailee asset list --limit 20")]
    List(ListArgs),
    /// Show one, with the holds over it
    #[command(after_long_help = "EXAMPLE\n  bailee asset show A-1")]
    Show {
        /// Which
        #[arg(value_name = "A-1")]
        asset: String,
    },
    /// Say where it is; changes no hold
    #[command(after_long_help = "EXAMPLE\n  bailee asset move A-1 --to stored --place 'Store 2'")]
    Move {
        /// Which
        #[arg(value_name = "A-1")]
        asset: String,
        /// racked, stored, moved or retired
        #[arg(long, value_name = "LIFECYCLE")]
        to: Lifecycle,
        /// Where in the world
        #[arg(long, value_name = "TEXT", default_value = "")]
        place: String,
    },
    /// Give it another label, or further identifiers
    #[command(after_long_help = "EXAMPLE\n  bailee asset relabel A-1 spare-7 --serial WD-WX42")]
    Relabel {
        /// Which
        #[arg(value_name = "A-1")]
        asset: String,
        /// The new label
        label: String,
        #[command(flatten)]
        identifiers: IdentifierArgs,
    },
    /// Say that data of a further account is on it
    #[command(after_long_help = "EXAMPLE\n  bailee asset assign A-1 AC-2")]
    Assign {
        /// Which
        #[arg(value_name = "A-1")]
        asset: String,
        /// Whose data
        #[arg(value_name = "AC-1")]
        account: String,
    },
    /// Say that it holds a copy of another asset's data
    #[command(after_long_help = "EXAMPLE\n  bailee asset copy A-2 --of A-1")]
    Copy {
        /// The copy
        #[arg(value_name = "A-1")]
        asset: String,
        /// What it is a copy of
        #[arg(long, value_name = "A-1")]
        of: String,
    },
}

/// An asset as it is registered.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// What people call it; letters that name it match it
    label: String,
    /// server, drive, volume, bucket, mailbox, dataset or archive
    #[arg(long, value_name = "KIND")]
    kind: AssetKind,
    /// An account whose data may be on it; may be repeated
    #[arg(long = "account", value_name = "AC-1")]
    accounts: Vec<String>,
    #[command(flatten)]
    identifiers: IdentifierArgs,
    /// What it is a part of
    #[arg(long, value_name = "A-1")]
    part_of: Option<String>,
    /// What it holds a copy of; may be repeated
    #[arg(long = "copy-of", value_name = "A-1")]
    copy_of: Vec<String>,
    /// Where in the world
    #[arg(long, value_name = "TEXT", default_value = "")]
    place: String,
    /// Bytes of data, as far as known; at least those of the devices
    #[arg(long, value_name = "N", default_value_t = 0)]
    bytes: u64,
}

/// Hard identifiers.
#[derive(Debug, Args)]
pub(crate) struct IdentifierArgs {
    /// Serial number; may be repeated
    #[arg(long = "serial", value_name = "TEXT")]
    serials: Vec<String>,
    /// World wide name, EUI-64 or NGUID; may be repeated
    #[arg(long = "wwn", value_name = "TEXT")]
    wwns: Vec<String>,
    /// UUID; may be repeated
    #[arg(long = "uuid", value_name = "TEXT")]
    uuids: Vec<String>,
    /// Name of a bucket or mailbox; may be repeated
    #[arg(long = "name", value_name = "TEXT")]
    names: Vec<String>,
    /// A device (or image file) of this machine: binds the asset to what it says it is
    #[arg(long = "device", value_name = "PATH")]
    devices: Vec<PathBuf>,
}

impl IdentifierArgs {
    /// With the bytes of the devices together, if there are any.
    fn read(self) -> Result<(Vec<Identifier>, Option<u64>), Trouble> {
        let typed = [
            (IdentifierKind::Serial, self.serials),
            (IdentifierKind::Wwn, self.wwns),
            (IdentifierKind::Uuid, self.uuids),
            (IdentifierKind::Name, self.names),
        ];
        let mut all: Vec<Identifier> = Vec::new();
        for (kind, values) in typed {
            all.extend(values.into_iter().map(|value| Identifier { kind, value }));
        }
        let mut bytes = None;
        for device in &self.devices {
            let device = let_go::binding(device)?;
            bytes = Some(bytes.unwrap_or(0u64).saturating_add(device.identity.size));
            for found in binding::identifiers(&device) {
                let known = |one: &Identifier| normal(&one.value) == found.normal();
                let kind = IdentifierKind::from(found.kind);
                // What was typed already is not there twice for being read from the device too.
                if kind == IdentifierKind::Identity || !all.iter().any(known) {
                    all.push(Identifier { kind, value: found.value });
                }
            }
        }
        Ok((all, bytes))
    }
}

impl AssetVerb {
    /// What it asks.
    pub(crate) fn ask(self) -> Result<Ask, Trouble> {
        Ok(match self {
            AssetVerb::Add(new) => {
                let (identifiers, bytes) = new.identifiers.read()?;
                print::short_label(&new.label);
                Request::RegisterAsset {
                    kind: new.kind,
                    label: new.label,
                    accounts: new.accounts,
                    identifiers,
                    part_of: new.part_of,
                    copy_of: new.copy_of,
                    place: new.place,
                    bytes: new.bytes.max(bytes.unwrap_or(0)),
                }
                .into()
            }
            AssetVerb::List(part) => Ask::List("assets", part),
            AssetVerb::Show { asset } => Ask::Show(asset),
            AssetVerb::Move { asset, to, place } => {
                Request::MoveAsset { asset, lifecycle: to, place }.into()
            }
            AssetVerb::Relabel { asset, label, identifiers } => {
                let (identifiers, bytes) = identifiers.read()?;
                print::short_label(&label);
                Request::RelabelAsset { asset, label, identifiers, bytes }.into()
            }
            AssetVerb::Assign { asset, account } => Request::AssignAsset { asset, account }.into(),
            AssetVerb::Copy { asset, of } => Request::CopyAsset { asset, source: of }.into(),
        })
    }
}
