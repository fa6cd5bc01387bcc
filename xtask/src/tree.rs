//! Where the checkout and its build directory are, and which files belong to it.
//!
//! Files are found by walking, not by asking git, so that a release archive can be checked too.
//! Build output, fuzz corpora and hidden directories (except `.ci` and `.cargo`) are left out.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A checkout.
pub(crate) struct Tree {
    /// The directory of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
}

/// Directories that hold nothing a person wrote.
const SKIPPED: &[&str] = &["target", "node_modules", "corpus", "corpus-run", "artifacts"];

/// Hidden directories that do belong to the project.
const HIDDEN: &[&str] = &[".ci", ".cargo"];

impl Tree {
    /// The checkout around this crate, or else around the current directory.
    pub(crate) fn find() -> Result<Self> {
        let start = match std::env::var_os("CARGO_MANIFEST_DIR") {
            Some(directory) => PathBuf::from(directory),
            None => std::env::current_dir().context("the current directory cannot be read")?,
        };
        for directory in start.ancestors() {
            if directory.join("xtask/Cargo.toml").is_file() {
                return Ok(Self { root: directory.to_path_buf() });
            }
        }
        bail!("no checkout around {}: run this inside one", start.display())
    }

    /// Relative `/`-separated paths of all files, sorted.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        walk(&self.root, "", &mut found)?;
        found.sort();
        Ok(found)
    }

    /// The text of a file, or `None` when it is not UTF-8.
    pub(crate) fn text(&self, path: &str) -> Result<Option<String>> {
        let bytes = std::fs::read(self.root.join(path)).with_context(|| format!("read {path}"))?;
        Ok(String::from_utf8(bytes).ok())
    }

    /// What `cargo metadata` says of the workspace, without its dependencies' own entries.
    pub(crate) fn metadata(&self) -> Result<Value> {
        let output = Command::new("cargo")
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .current_dir(&self.root)
            .output()
            .context("cargo metadata does not start")?;
        if !output.status.success() {
            bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")
    }

    /// The build directory, wherever cargo is told to put it.
    pub(crate) fn target(&self) -> Result<PathBuf> {
        let metadata = self.metadata()?;
        let directory = metadata["target_directory"].as_str();
        Ok(PathBuf::from(directory.context("cargo metadata names no target directory")?))
    }

    /// Where `setup` installs tools, apart from the person's own.
    pub(crate) fn tools(&self) -> Result<PathBuf> {
        Ok(self.target()?.join("tools"))
    }
}

fn walk(directory: &Path, prefix: &str, found: &mut Vec<String>) -> Result<()> {
    let entries = std::fs::read_dir(directory)
        .with_context(|| format!("list {}", directory.display()))?
        .collect::<Result<Vec<_>, _>>()?;
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        // Somebody may be building here: what vanished between two calls is not a file of ours.
        let Ok(kind) = entry.file_type() else { continue };
        let hidden = name.starts_with('.') && !HIDDEN.contains(&name.as_str());
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) && !hidden {
            walk(&entry.path(), &format!("{path}/"), found)?;
        } else if kind.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_output_and_corpora_are_not_files_of_the_project() {
        let directory = tempfile::tempdir().unwrap();
        for path in ["target/a", "fuzz/corpus/x/1", ".git/config", ".ci/run", "src/lib.rs"] {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let tree = Tree { root: directory.path().to_path_buf() };
        assert_eq!(tree.files().unwrap(), [".ci/run", "src/lib.rs"]);
    }
}
