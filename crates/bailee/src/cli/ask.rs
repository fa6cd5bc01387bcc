//! What a verb comes down to: a request of the API, or a look at something; and the arguments that
//! several verbs share.
//!
//! Invariant: a request is the one that the API takes, so that a directory and a server are asked
//! the very same thing.

use std::path::{Path, PathBuf};

use bailee_ledger::zip;
use bailee_server::api::Request;
use bailee_server::api::parts::{Reason, Scope, Upload};
use bailee_server::house::SMALL_EXHIBIT;
use clap::Args;

use crate::trouble::Trouble;

/// What a verb comes down to.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A request that is recorded.
    Do(Box<Request>),
    /// One thing, by id or name.
    Show(String),
    /// A list.
    List(&'static str, ListArgs),
}

/// Which part of a list.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ListArgs {
    /// Begin after this id
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

/// Words and documents that go with an act.
#[derive(Debug, Default, Args)]
pub(crate) struct ReasonArgs {
    /// Why, in words
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// A document it rests on; may be repeated
    #[arg(long = "exhibit", value_name = "FILE")]
    pub(crate) exhibits: Vec<PathBuf>,
}

impl ReasonArgs {
    /// As the API takes it: documents read, large files measured, to be handed in by themselves.
    pub(crate) fn read(self) -> Result<Reason, Trouble> {
        self.each(|path| match std::fs::metadata(path) {
            Ok(meta) if meta.is_file() && meta.len() > SMALL_EXHIBIT as u64 => measured(path),
            _ => upload(path),
        })
    }

    /// The same with every document in it, for what takes them in no other way.
    pub(crate) fn read_whole(self) -> Result<Reason, Trouble> {
        self.each(upload)
    }

    fn each(self, of: fn(&Path) -> Result<Upload, Trouble>) -> Result<Reason, Trouble> {
        let exhibits: Result<Vec<Upload>, Trouble> =
            self.exhibits.iter().map(|path| of(path)).collect();
        Ok(Reason { note: self.note.unwrap_or_default(), exhibits: exhibits? })
    }
}

/// Which data.
#[derive(Debug, Default, Args)]
pub(crate) struct ScopeArgs {
    /// Everything of this account; may be repeated
    #[arg(long = "account", value_name = "AC-1")]
    pub(crate) accounts: Vec<String>,
    /// This asset, its parts and its copies; may be repeated
    #[arg(long = "asset", value_name = "A-1")]
    pub(crate) assets: Vec<String>,
    /// A serial number, WWN, UUID or name, known here or not yet; may be repeated
    #[arg(long = "identifier", value_name = "TEXT")]
    pub(crate) identifiers: Vec<String>,
    /// A category of data in words (recorded only); may be repeated
    #[arg(long = "category", value_name = "TEXT")]
    pub(crate) categories: Vec<String>,
    /// Begin of the time range (recorded only)
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// End of the time range (recorded only)
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
}

impl ScopeArgs {
    /// As the API takes it.
    pub(crate) fn scope(self) -> Scope {
        Scope {
            accounts: self.accounts,
            assets: self.assets,
            identifiers: self.identifiers,
            categories: self.categories,
            from: self.from,
            to: self.to,
        }
    }
}

/// A file as the API takes it. `-` is standard input.
pub(crate) fn upload(path: &Path) -> Result<Upload, Trouble> {
    let bytes = read(path)?;
    let name = match path.file_name() {
        Some(name) if path != Path::new("-") => name.to_string_lossy().into_owned(),
        _ => "standard input".to_owned(),
    };
    Ok(Upload::of(name, media(path), &bytes))
}

/// A file that is handed in by itself, read once for its SHA-256.
fn measured(path: &Path) -> Result<Upload, Trouble> {
    let failed = |e| Trouble::io(format!("read {}", path.display()), &e);
    let measure = zip::measure(std::fs::File::open(path).map_err(failed)?).map_err(failed)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let upload = Upload::handed_in(name, media(path), &measure.sha256, measure.size);
    Ok(Upload { file: Some(path.to_owned()), ..upload })
}

impl From<Request> for Ask {
    fn from(request: Request) -> Ask {
        Ask::Do(Box::new(request))
    }
}

/// The bytes of a file. `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        let read = std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes);
        read.map_err(|e| Trouble::io("read standard input", &e))?;
        return Ok(bytes);
    }
    std::fs::read(path).map_err(|e| Trouble::io(format!("read {}", path.display()), &e))
}

/// The media type, by the name's end.
fn media(path: &Path) -> &'static str {
    let end = path.extension().map(|end| end.to_string_lossy().to_lowercase());
    match end.as_deref() {
        Some("eml") => "message/rfc822",
        Some("pdf") => "application/pdf",
        Some("txt") => "text/plain",
        Some("json") => "application/json",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        _ => "application/octet-stream",
    }
}
