//! Real data for the demo: users' files in a tree, and an ext4 image, on a loop device where the
//! machine allows it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::stage::Stage;

/// Bytes of the disk.
const DISK: u64 = 64 << 20;
/// Films: data that does not compress.
const FILMS: usize = 12;
const FILM: usize = 6 << 20;
/// Letters and logs: data that does.
const TEXTS: usize = 600;
const TEXT: usize = 48 << 10;

/// What lies on the customer's servers.
pub(super) struct Medium {
    /// The users' files.
    pub(super) tree: PathBuf,
    /// The disk: a loop device, or the image file itself.
    pub(super) disk: PathBuf,
    /// What it is, in words.
    pub(super) what: String,
    looped: Option<PathBuf>,
}

impl Drop for Medium {
    fn drop(&mut self) {
        if let Some(device) = &self.looped {
            // Nothing is lost if it stays: the image is in the demo's directory.
            _ = Command::new("losetup").arg("-d").arg(device).status();
        }
    }
}

/// Makes the data.
pub(super) fn make(dir: &Path, stage: &Stage) -> Result<Medium> {
    let tree = dir.join("users-files");
    films_and_texts(&tree)?;
    let image = dir.join("disk.img");
    let filesystem = disk_image(&image, &tree)?;
    let looped = loop_device(&image);
    let disk = looped.clone().unwrap_or_else(|| image.clone());
    let on = match &looped {
        Some(device) => format!("on the loop device {}", device.display()),
        None => "in a file (no loop device here)".into(),
    };
    let what = format!("{} MiB {filesystem} {on}", DISK >> 20);
    let count = FILMS + TEXTS;
    let size = (FILMS * FILM + TEXTS * TEXT) >> 20;
    stage.say("", &format!("Real data: {count} files of users, {size} MiB; a disk, {what}"));
    Ok(Medium { tree, disk, what, looped })
}

fn films_and_texts(tree: &Path) -> Result<()> {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for n in 0..FILMS {
        let dir = tree.join(format!("user-{:03}/films", n % 5));
        fs::create_dir_all(&dir)?;
        let mut film = vec![0; FILM];
        noise.fill(&mut film);
        fs::write(dir.join(format!("game-{n:02}.mov")), film)?;
    }
    for n in 0..TEXTS {
        let dir = tree.join(format!("user-{:03}/letters", n % 40));
        fs::create_dir_all(&dir)?;
        let mut file = File::create(dir.join(format!("letter-{n:04}.txt")))?;
        let mut text = String::with_capacity(TEXT);
        while text.len() < TEXT {
            let number = noise.next() % 100_000;
            text.push_str(&format!("Line {number}: kept for its owner, whoever asks.\n"));
        }
        file.write_all(text.as_bytes())?;
    }
    std::os::unix::fs::symlink("user-000", tree.join("newest"))?;
    Ok(())
}

/// An ext4 image with a part of the files, if the machine can make one; else noise.
fn disk_image(image: &Path, tree: &Path) -> Result<&'static str> {
    File::create(image)?.set_len(DISK)?;
    let small = tree.join("user-001");
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-F", "-d"])
        .arg(&small)
        .arg(image)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if made.is_ok_and(|status| status.success()) {
        return Ok("ext4");
    }
    let mut bytes = vec![0; usize::try_from(DISK / 4).context("the disk is too large")?];
    Noise(7).fill(&mut bytes);
    let mut file = File::options().write(true).open(image)?;
    file.write_all(&bytes)?;
    Ok("raw (no mkfs.ext4 here)")
}

/// A loop device over the image, where the user may have one.
fn loop_device(image: &Path) -> Option<PathBuf> {
    let out = Command::new("losetup").args(["-f", "--show"]).arg(image).output().ok()?;
    let name = String::from_utf8(out.stdout).ok()?;
    let name = name.trim();
    (out.status.success() && name.starts_with("/dev/")).then(|| PathBuf::from(name))
}

/// A small generator: the same data at every run (xorshift64*).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for eight in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            eight.copy_from_slice(&word[..eight.len()]);
        }
    }
}
