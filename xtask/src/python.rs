//! Other people's Python packages, in an environment of their own below the target directory.
//!
//! Tests ask programs that we did not write for a second opinion; some of them are on PyPI.
//!
//! Invariants: versions are pinned here and nowhere else; `setup` makes the environment and tests
//! only use it, at [`PLACE`] below the target directory; the list of what was installed is written
//! last, so that an interrupted installation, or one of other versions, is made anew from nothing.
//! The person's own Python packages are neither read nor changed.
//!
//! Out of scope: Python itself, which `setup` takes from the distribution.

use crate::run::{answers, visibly};
use crate::tree::Tree;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the environment is, below the target directory. Tests know this place too.
pub(crate) const PLACE: &str = "tools/python";

/// Package, version, why.
const PACKAGES: &[(&str, &str, &str)] = &[
    ("cryptography", "50.0.2", "verify.py: Ed25519 and ML-DSA-44 (since 47)"),
    ("rfc3161-client", "1.0.9", "timestamp tokens, a second opinion"),
    ("bagit", "1.9.0", "bundles are valid BagIt bags"),
];

/// Lists what was installed; written last.
const STAMP: &str = "installed.txt";

/// The environment, made if it is not there as listed.
pub(crate) fn venv(tree: &Tree) -> Result<PathBuf> {
    let place = tree.target()?.join(PLACE);
    let wanted = stamp();
    if is_complete(&place, &wanted) {
        println!("present  Python packages ({})", place.display());
        return Ok(place);
    }
    for (package, version, why) in PACKAGES {
        println!("missing  {package} {version}: {why}");
    }
    visibly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
    let mut install = Command::new(place.join("bin/python"));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    visibly(install.args(wanted.lines()))?;
    std::fs::write(place.join(STAMP), wanted)
        .with_context(|| format!("write {STAMP} in {}", place.display()))?;
    Ok(place)
}

/// `package==version`, one a line.
fn stamp() -> String {
    PACKAGES.iter().map(|(package, version, _)| format!("{package}=={version}\n")).collect()
}

/// The list is the wanted one, and the interpreter still starts (its base may have been removed).
fn is_complete(place: &Path, wanted: &str) -> bool {
    let found = std::fs::read_to_string(place.join(STAMP));
    found.is_ok_and(|found| found == wanted)
        && answers(Command::new(place.join("bin/python")).arg("--version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_counts_only_with_its_list_and_a_working_interpreter() {
        let place = tempfile::tempdir().unwrap();
        let wanted = stamp();
        assert!(wanted.contains("cryptography=="), "{wanted}");
        assert!(!is_complete(place.path(), &wanted));
        std::fs::write(place.path().join(STAMP), &wanted).unwrap();
        assert!(!is_complete(place.path(), &wanted), "there is no interpreter");
        std::fs::create_dir(place.path().join("bin")).unwrap();
        std::os::unix::fs::symlink("/bin/true", place.path().join("bin/python")).unwrap();
        assert!(is_complete(place.path(), &wanted));
        assert!(!is_complete(place.path(), "cryptography==1\n"));
    }
}
