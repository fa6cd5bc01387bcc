//! Corpora, each with a second version: a source-like tree, incompressible media with shifted
//! duplicates, a file-system image.

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const TEXT_FILES: usize = 12_000;
const MEDIA_FILES: usize = 12;
const MEDIA_BYTES: usize = 25_000_000;
const WORDS: &str = "fn let match return self vault chunk offset buffer result error index length \
                     count string option vector struct impl public module because whether \
                     invariant";

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

fn prose(state: &mut u64, len: usize) -> Vec<u8> {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let mut out = Vec::with_capacity(len + 64);
    while out.len() < len {
        let r = next(state);
        let word = words[usize::try_from(r % words.len() as u64).unwrap()];
        match r >> 32 & 15 {
            0 => out.extend_from_slice(b"\n    "),
            1 => write!(out, "{word}_{:x} ", r >> 48).unwrap(),
            2 => write!(out, "{word}({}); ", r >> 54).unwrap(),
            _ => write!(out, "{word} ").unwrap(),
        }
    }
    out
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

fn source(root: &Path, n: usize) -> PathBuf {
    root.join(format!("src/{:03}/file{n}.rs", n / 60))
}

fn text(root: &Path) {
    let mut state = 0x1234_5678_9abc_def1;
    for n in 0..TEXT_FILES {
        let path = source(root, n);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let len = 2000 + usize::try_from(next(&mut state) % 46_000).unwrap();
        std::fs::write(path, prose(&mut state, len)).unwrap();
    }
}

fn mix(root: &Path) {
    text(root);
    media(root, 6);
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

fn mix_again(root: &Path) {
    let mut state = 99;
    for n in (0..TEXT_FILES).step_by(20) {
        let mut content = std::fs::read(source(root, n)).unwrap();
        let at = content.len() / 2;
        content.splice(at..at, prose(&mut state, 200));
        std::fs::write(source(root, n), content).unwrap();
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
    text(&tree);
    media(&tree, 4);
    let image = root.join("disk.img");
    let file = std::fs::File::create(&image).unwrap();
    file.set_len(1 << 30).unwrap();
    let make = Command::new("mkfs.ext4").args(["-q", "-F", "-d"]).arg(&tree).arg(&image).output();
    if !make.is_ok_and(|made| made.status.success()) {
        std::fs::remove_file(image).unwrap();
    }
    std::fs::remove_dir_all(tree).unwrap();
}

/// Blocks here and there are written, as a database does.
fn image_again(root: &Path) {
    let file = std::fs::File::options().write(true).open(root.join("disk.img")).unwrap();
    for n in 0..200u64 {
        file.write_all_at(&noise(n + 1, 4096), (n * 1237 + 40_000) * 4096 % (1 << 29)).unwrap();
    }
}
