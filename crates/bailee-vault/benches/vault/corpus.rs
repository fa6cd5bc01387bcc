//! Corpora, each with a second version: a source tree with media beside it, incompressible media
//! with shifted duplicates, a file-system image of both.
//!
//! The source tree is that of every crate the workspace locks, as it was published: the same for
//! everybody who has the same `Cargo.lock`. Text made of random words was measured before; it takes
//! a compressor half as long again as what people write, and no tool is for it.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Of the mix, half of it: about as much as the source tree has.
const MIX_MEDIA_FILES: usize = 9;
const MEDIA_FILES: usize = 12;
const MEDIA_BYTES: usize = 25_000_000;
/// Crates that other systems need are left out: what is measured is the same there.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Something to preserve, below a directory of its own.
pub(crate) struct Corpus {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    second: fn(&Path),
}

impl Corpus {
    /// Builds all of them. An image needs `mkfs.ext4`, and is left out by name without.
    pub(crate) fn all(dir: &Path) -> Vec<Self> {
        let make = |name, first: fn(&Path), second| {
            let path = dir.join(name);
            std::fs::create_dir_all(&path).unwrap();
            first(&path);
            Self { name, path, second }
        };
        let mut all = vec![
            make("mix", mix, mix_again),
            make("media", |p| media(p, MEDIA_FILES), media_again),
        ];
        let image = make("image", image, image_again);
        if image.path.join("disk.img").exists() {
            all.push(image);
        } else {
            println!("vault/image: not measured, mkfs.ext4 is missing (package e2fsprogs)");
        }
        all
    }

    /// Changes it in place, as time does.
    pub(crate) fn age(&self) {
        (self.second)(&self.path);
    }

    /// Bytes of its files.
    pub(crate) fn bytes(&self) -> u64 {
        fn below(path: &Path) -> u64 {
            let meta = std::fs::symlink_metadata(path).unwrap();
            if !meta.is_dir() {
                return meta.len();
            }
            std::fs::read_dir(path).unwrap().map(|e| below(&e.unwrap().path())).sum()
        }
        below(&self.path)
    }
}

fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let (mut state, mut out) = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, Vec::new());
    out.reserve(len + 8);
    while out.len() < len {
        out.extend_from_slice(&next(&mut state).to_le_bytes());
    }
    out.truncate(len);
    out
}

/// Where each crate's source is: name and version, directory.
fn crates() -> Vec<(String, PathBuf)> {
    let mut metadata = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    metadata.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    let out = metadata.args(["--filter-platform", PLATFORM]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "the source tree is that of the crates: {said}; cargo fetch");
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let published = |package: &&serde_json::Value| package["source"].is_string();
    let mut crates: Vec<_> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(published)
        .map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str().unwrap());
            let directory = manifest.parent().unwrap().to_owned();
            (directory.file_name().unwrap().to_str().unwrap().to_owned(), directory)
        })
        .collect();
    crates.sort();
    crates
}

/// Copies what is below a directory; links and the like are left out.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let (kind, to) = (item.file_type().unwrap(), to.join(item.file_name()));
        if kind.is_dir() {
            copy(&item.path(), &to);
        } else if kind.is_file() {
            std::fs::write(to, std::fs::read(item.path()).unwrap()).unwrap();
        }
    }
}

fn source(root: &Path) {
    for (name, directory) in crates() {
        copy(&directory, &root.join("src").join(name));
    }
}

/// Every file below, in order of its path.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(root).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn mix(root: &Path) {
    source(root);
    media(root, MIX_MEDIA_FILES);
}

/// Every fourth file is the one before, shifted by a few bytes.
fn media(root: &Path, files: usize) {
    std::fs::create_dir_all(root.join("media")).unwrap();
    for n in 0..files {
        let shifted = n % 4 == 3;
        let mut bytes = noise(77 + (n - usize::from(shifted)) as u64, MEDIA_BYTES);
        if shifted {
            bytes.splice(0..0, *b"another header");
        }
        std::fs::write(root.join(format!("media/clip{n}.mp4")), bytes).unwrap();
    }
}

/// A change in every twentieth file, and one more to keep.
fn mix_again(root: &Path) {
    for path in files(&root.join("src")).iter().step_by(20) {
        let mut content = std::fs::read(path).unwrap();
        let (at, line) = (content.len() / 2, content[..content.len().min(200)].to_vec());
        content.splice(at..at, line);
        std::fs::write(path, content).unwrap();
    }
    std::fs::write(root.join("media/new.mp4"), noise(5, MEDIA_BYTES)).unwrap();
}

fn media_again(root: &Path) {
    let first = root.join("media/clip0.mp4");
    let mut bytes = std::fs::read(&first).unwrap();
    bytes.splice(1_000_000..1_000_000, *b"a scene more");
    std::fs::write(first, bytes).unwrap();
    std::fs::write(root.join("media/new.mp4"), noise(6, MEDIA_BYTES)).unwrap();
}

fn image(root: &Path) {
    let tree = root.with_file_name("tree");
    std::fs::create_dir_all(&tree).unwrap();
    source(&tree);
    media(&tree, 4);
    let image = root.join("disk.img");
    let file = std::fs::File::create(&image).unwrap();
    file.set_len(1 << 30).unwrap();
    let make = Command::new("mkfs.ext4").args(["-q", "-F", "-d"]).arg(&tree).arg(&image).output();
    if !make.is_ok_and(|made| made.status.success()) {
        std::fs::remove_file(image).unwrap();
    }
    // The tree stays: who makes files after many were removed waits for the file system.
}

/// Blocks here and there are written, as a database does.
fn image_again(root: &Path) {
    let file = std::fs::File::options().write(true).open(root.join("disk.img")).unwrap();
    for n in 0..200u64 {
        file.write_all_at(&noise(n + 1, 4096), (n * 1237 + 40_000) * 4096 % (1 << 29)).unwrap();
    }
}
