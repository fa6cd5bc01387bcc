//! Saving what is taken away: whole or not at all.
//!
//! Order: written beside its place under another name, made durable, renamed, and the directory
//! made durable. A crash leaves the old file, or none, and at worst one named `….part`. `-` is
//! standard output, as it comes.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use crate::print::Product;
use crate::trouble::Trouble;

/// Writes a file through `fill`; says where it is, `None` for standard output.
pub(crate) fn save(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), Trouble>,
) -> Result<Option<PathBuf>, Trouble> {
    if path == Path::new("-") {
        // Held back until it is whole: a refusal must not leave half of it in a pipe. In a file
        // without a name, because it may be larger than memory.
        let io = |e: io::Error| Trouble::io("keep the output until it is whole", &e);
        let mut whole = BufWriter::new(tempfile::tempfile().map_err(io)?);
        fill(&mut whole)?;
        let mut whole = whole.into_inner().map_err(|e| io(e.into_error()))?;
        whole.rewind().map_err(io)?;
        let mut out = Product::open();
        io::copy(&mut whole, &mut out).map_err(|e| Trouble::unread(&e))?;
        return out.end().map(|()| None);
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let aside = path.with_file_name(name);
    let io = |e: io::Error| Trouble::io(format!("write {}", path.display()), &e);
    let mut out = BufWriter::new(File::create(&aside).map_err(io)?);
    let written = fill(&mut out).and_then(|()| {
        let file = out.into_inner().map_err(|e| io(e.into_error()))?;
        file.sync_all().map_err(io)
    });
    let renamed = written.and_then(|()| fs::rename(&aside, path).map_err(io));
    let done = renamed.and_then(|()| sync_directory(path).map_err(io));
    if done.is_err() {
        // Nothing that was asked for is in it.
        _ = fs::remove_file(&aside);
    }
    done.map(|()| Some(path.to_owned()))
}

/// The new name survives a loss of power.
fn sync_directory(path: &Path) -> io::Result<()> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    File::open(above.unwrap_or(Path::new(".")))?.sync_all()
}
