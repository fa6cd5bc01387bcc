//! Writing volumes: an archive stream cut into files of at most a given size.
//!
//! Order per volume: header, description, data frames, end; fsync of the file, then of the
//! directory; only then the next one begins. Files are created new and only appended to, as tape
//! wants it. A volume without its end is one whose writing was cut off. Files and directories go by
//! [`Moves`], so that a test plays power failures.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use bailee_store::Moves;

use super::layout::{
    Cipher, Description, END, END_FRAME, Ending, FRAME, Follows, Head, MOST_VOLUMES, NONE_STARTS,
    salt,
};
use super::{SetId, VolumeFacts};
use crate::error::VaultError;
use crate::export::Take;
use crate::key::Kek;
use crate::seal::TAG;

/// The least a volume may hold.
pub(super) const LEAST: u64 = 64 << 10;
/// What a data frame has before its bytes of the stream.
const LEAD: usize = 4;

/// Writes one set.
pub(super) struct Set<'a, M: Moves> {
    pub(super) moves: &'a M,
    pub(super) directory: &'a Path,
    pub(super) key: &'a Kek,
    pub(super) most: u64,
    pub(super) id: SetId,
    pub(super) origin: &'a str,
    pub(super) description: Description,
    pub(super) written: Vec<VolumeFacts>,
    /// Members that were begun.
    pub(super) members: u64,
    pub(super) open: Option<Open>,
}

/// The volume being written.
pub(super) struct Open {
    path: PathBuf,
    file: File,
    sha256: Context,
    cipher: Cipher,
    size: u64,
    frames: u64,
    frame: Vec<u8>,
    /// Longest the present frame may become.
    limit: usize,
    position: u64,
}

fn failed(path: &Path, doing: &'static str) -> impl Fn(std::io::Error) -> VaultError {
    let path = path.display().to_string();
    move |e| VaultError::Destination { path: path.clone(), doing, detail: e.to_string() }
}

/// Makes the directory if it is not there yet. Its own entry is durable on return, also if whoever
/// made it died before it was.
pub(super) fn shelf(moves: &impl Moves, directory: &Path) -> Result<(), VaultError> {
    let there = match moves.create_dir(directory) {
        Ok(()) => false,
        Err(e) if e.kind() == ErrorKind::AlreadyExists && directory.is_dir() => true,
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            return Err(VaultError::Occupied { path: directory.display().to_string() });
        }
        Err(e) => return Err(failed(directory, "create it")(e)),
    };
    let above = directory.parent().filter(|above| !above.as_os_str().is_empty());
    match moves.sync_dir(above.unwrap_or(Path::new("."))) {
        // Who may not open what it is in has not made it there.
        Err(e) if there && e.kind() == ErrorKind::PermissionDenied => Ok(()),
        synced => synced.map_err(failed(directory, "sync what it is in")),
    }
}

impl Open {
    fn put(&mut self, bytes: &[u8]) -> Result<(), VaultError> {
        self.sha256.update(bytes);
        self.size += bytes.len() as u64;
        self.file.write_all(bytes).map_err(failed(&self.path, "write it"))
    }

    /// Begins a frame if the volume has room for one.
    fn begin_frame(&mut self, most: u64) -> bool {
        let taken = self.size + (END + 2 * TAG) as u64;
        let room = usize::try_from(most.saturating_sub(taken)).unwrap_or(usize::MAX);
        self.limit = room.min(FRAME);
        self.frame.clear();
        self.frame.extend_from_slice(&NONE_STARTS.to_be_bytes());
        self.limit > LEAD
    }

    fn end_frame(&mut self) -> Result<(), VaultError> {
        if self.frame.len() > LEAD {
            self.frames += 1;
            let mut frame = std::mem::take(&mut self.frame);
            self.cipher.seal(self.frames, &mut frame)?;
            self.put(&frame)?;
            self.frame = frame;
        }
        self.frame.clear();
        Ok(())
    }
}

impl<M: Moves> Set<'_, M> {
    fn volume(&mut self) -> Result<&mut Open, VaultError> {
        if self.open.is_none() {
            self.open = Some(self.begin()?);
        }
        self.open.as_mut().ok_or(VaultError::Crypto { doing: "begin a volume" })
    }

    /// The open volume, with room in its frame: in another frame or volume, if need be.
    fn room(&mut self) -> Result<&mut Open, VaultError> {
        let most = self.most;
        loop {
            let open = self.volume()?;
            if open.frame.len() < open.limit {
                break;
            }
            open.end_frame()?;
            if open.begin_frame(most) {
                break;
            }
            self.end(Follows::More)?;
        }
        self.volume()
    }

    fn begin(&self) -> Result<Open, VaultError> {
        let description = self.description.encode();
        let ordinal = u32::try_from(self.written.len() + 1).unwrap_or(u32::MAX);
        if ordinal > MOST_VOLUMES {
            let detail = format!("it would have over {MOST_VOLUMES} volumes: make them larger");
            return Err(VaultError::Volume { volume: self.id.to_string(), detail });
        }
        let head = Head {
            set: self.id.0,
            ordinal,
            frame: FRAME as u32,
            key: self.key.id(),
            salt: salt()?,
            description: u32::try_from(description.len()).unwrap_or(u32::MAX),
            origin: self.origin.to_owned(),
        };
        let (cipher, commitment) = Cipher::of(self.key, &head)?;
        let path = self.directory.join(format!("{}-{ordinal:06}.bvol", self.id));
        let file = self.moves.create_file(&path).map_err(failed(&path, "create it"))?;
        let mut open = Open {
            path,
            file,
            sha256: Context::new(&SHA256),
            cipher,
            size: 0,
            frames: 0,
            frame: Vec::with_capacity(FRAME + TAG),
            limit: 0,
            position: self.description.start,
        };
        open.put(&head.encode())?;
        open.put(&commitment)?;
        let mut sealed = description;
        open.cipher.seal(0, &mut sealed)?;
        open.put(&sealed)?;
        if open.begin_frame(self.most) { Ok(open) } else { Err(self.too_small()) }
    }

    fn too_small(&self) -> VaultError {
        let detail = format!("{} bytes a volume leave no room: give more", self.most);
        VaultError::Volume { volume: self.id.to_string(), detail }
    }

    /// Ends the open volume, durably.
    pub(super) fn end(&mut self, follows: Follows) -> Result<(), VaultError> {
        self.volume()?;
        let Some(mut open) = self.open.take() else { return Ok(()) };
        open.end_frame()?;
        let (start, end) = (self.description.start, open.position);
        let mut sealed = Ending { follows, start, end, frames: open.frames }.encode();
        open.cipher.seal(END_FRAME, &mut sealed)?;
        open.put(&sealed)?;
        self.moves.sync_file(&open.path, &open.file).map_err(failed(&open.path, "sync it"))?;
        self.moves.sync_dir(self.directory).map_err(failed(self.directory, "sync it"))?;
        // Read back from the medium, not from memory. Advice: refusing it changes no result.
        let _ = rustix::fs::fadvise(&open.file, 0, None, rustix::fs::Advice::DontNeed);
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(open.sha256.finish().as_ref());
        let ordinal = u32::try_from(self.written.len() + 1).unwrap_or(u32::MAX);
        self.written.push(VolumeFacts { path: open.path, ordinal, size: open.size, sha256 });
        self.description.start = end;
        Ok(())
    }
}

impl<M: Moves> Take for Set<'_, M> {
    fn write(&mut self, mut bytes: &[u8]) -> Result<(), VaultError> {
        while !bytes.is_empty() {
            let open = self.room()?;
            let step = bytes.len().min(open.limit - open.frame.len());
            open.frame.extend_from_slice(&bytes[..step]);
            open.position += step as u64;
            bytes = &bytes[step..];
        }
        Ok(())
    }

    fn member(&mut self) -> Result<(), VaultError> {
        let open = self.room()?;
        if open.frame.first_chunk() == Some(&NONE_STARTS.to_be_bytes()) {
            let at = u32::try_from(open.frame.len() - LEAD).unwrap_or(NONE_STARTS);
            open.frame[..LEAD].copy_from_slice(&at.to_be_bytes());
        }
        self.members += 1;
        Ok(())
    }
}
