//! Names the sources this crate is built from, so that an image of a state is taken only by the
//! very program that made it (src/image). FNV-1a: a name, not a secret; images are authenticated by
//! who stores them.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=src");
    let mut hash = 0xcbf2_9ce4_8422_2325;
    visit(Path::new("src"), &mut hash);
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    println!("cargo::rustc-env=BAILEE_CORE_SOURCES={version}-{hash:016x}");
}

/// Every file below, in the order of names.
fn visit(dir: &Path, hash: &mut u64) {
    let entries = fs::read_dir(dir).expect("the sources are there");
    let mut paths: Vec<_> =
        entries.map(|entry| entry.expect("a source has a name").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            visit(&path, hash);
            continue;
        }
        let name = path.to_string_lossy().into_owned().into_bytes();
        for byte in name.into_iter().chain(fs::read(&path).expect("a source can be read")) {
            *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
