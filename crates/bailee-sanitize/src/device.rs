//! The seam to the medium: bytes at offsets, and what happens when they do not come.
//!
//! Invariants
//! 1. One descriptor from first look to last read; it is never opened again by name.
//! 2. O_DIRECT is tried by F_SETFL on that descriptor; when file system, size or driver do not
//!    bear it, the fallback goes through the page cache and is recorded, never silent.
//!
//! [`BlockDevice`] is small so that a failing medium can be played in tests. It gives no right to
//! write by itself: only the pass started by `sanitize` calls `write_at`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{
    Advice, OFlags, fadvise, fcntl_getfl, fcntl_setfl, fdatasync, ioctl_blkpbszget, ioctl_blksszget,
};
use rustix::io::Errno;

use crate::identity::Kind;
use crate::record::IoPath;

/// Alignment of every buffer and of every direct transfer, bytes.
pub(crate) const PAGE: usize = 4096;

/// A medium of fixed size. Offsets and lengths handed in are multiples of [`granule`]
/// (but the end of the device), so a short answer is a fault of the medium.
///
/// [`granule`]: BlockDevice::granule
pub trait BlockDevice: Sync {
    /// Size, bytes.
    fn size(&self) -> u64;
    /// The smallest unit that fails alone, bytes.
    fn granule(&self) -> u64;
    /// Reads at `offset`; may answer short.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
    /// Writes at `offset`; may answer short.
    fn write_at(&self, offset: u64, from: &[u8]) -> io::Result<usize>;
    /// Returns when what was written survives power loss.
    fn sync(&self) -> io::Result<()>;
    /// Throws away cached pages, so that reading back asks the medium.
    fn drop_cache(&self) -> io::Result<()>;
    /// How bytes travel, as of now.
    fn io_path(&self) -> IoPath;
}

/// An open file or block device.
pub(crate) struct OpenDevice {
    file: File,
    size: u64,
    granule: u64,
    direct: AtomicBool,
    fallback: OnceLock<String>,
}

impl OpenDevice {
    /// Wraps an identified descriptor and switches it to direct transfers if possible.
    pub(crate) fn new(file: File, size: u64, kind: Kind) -> OpenDevice {
        let logical = match kind {
            Kind::File => PAGE as u64,
            Kind::Loop | Kind::Block => ioctl_blksszget(&file).map_or(512, u64::from),
        };
        let physical = match kind {
            Kind::File => logical,
            Kind::Loop | Kind::Block => ioctl_blkpbszget(&file).map_or(logical, u64::from),
        };
        let device = OpenDevice {
            file,
            size,
            granule: physical.clamp(512, PAGE as u64),
            direct: AtomicBool::new(false),
            fallback: OnceLock::new(),
        };
        match size % logical {
            0 => match device.set_direct(true) {
                Ok(()) => device.direct.store(true, Ordering::Relaxed),
                Err(e) => device.note(format!("O_DIRECT refused: {e}")),
            },
            rest => device.note(format!("size leaves {rest} bytes over the last full block")),
        }
        device
    }

    fn note(&self, reason: String) {
        // Only the first reason is kept: it is the one that changed the path.
        let _ = self.fallback.set(reason);
    }

    fn set_direct(&self, on: bool) -> io::Result<()> {
        let flags = fcntl_getfl(&self.file)?;
        let wanted = if on { flags | OFlags::DIRECT } else { flags - OFlags::DIRECT };
        Ok(fcntl_setfl(&self.file, wanted)?)
    }

    /// Runs `transfer`; if direct transfers turn out impossible, leaves them and runs it again.
    fn transfer(&self, mut transfer: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
        let first = transfer();
        let einval = Some(Errno::INVAL.raw_os_error());
        match &first {
            Err(e) if e.raw_os_error() == einval && self.direct.load(Ordering::Relaxed) => {
                self.set_direct(false)?;
                self.note("direct transfer answered EINVAL".into());
                self.direct.store(false, Ordering::Relaxed);
                transfer()
            }
            _ => first,
        }
    }
}

impl BlockDevice for OpenDevice {
    fn size(&self) -> u64 {
        self.size
    }

    fn granule(&self) -> u64 {
        self.granule
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.transfer(|| self.file.read_at(into, offset))
    }

    fn write_at(&self, offset: u64, from: &[u8]) -> io::Result<usize> {
        self.transfer(|| self.file.write_at(from, offset))
    }

    fn sync(&self) -> io::Result<()> {
        Ok(fdatasync(&self.file)?)
    }

    fn drop_cache(&self) -> io::Result<()> {
        match self.direct.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Ok(fadvise(&self.file, 0, None, Advice::DontNeed)?),
        }
    }

    fn io_path(&self) -> IoPath {
        match self.direct.load(Ordering::Relaxed) {
            true => IoPath::Direct,
            false => {
                let reason = self.fallback.get().cloned().unwrap_or_default();
                IoPath::Buffered { reason }
            }
        }
    }
}

/// A buffer that starts on a page, as direct transfers need it.
pub(crate) struct AlignedBuffer {
    storage: Vec<u8>,
    start: usize,
    len: usize,
}

impl AlignedBuffer {
    /// `len` zero bytes.
    pub(crate) fn new(len: usize) -> AlignedBuffer {
        let storage = vec![0; len + PAGE];
        let start = storage.as_ptr().align_offset(PAGE);
        AlignedBuffer { storage, start, len }
    }

    /// The first `len` bytes.
    pub(crate) fn first(&mut self, len: usize) -> &mut [u8] {
        &mut self.storage[self.start..self.start + len.min(self.len)]
    }
}

#[cfg(test)]
mod tests {
    use super::{AlignedBuffer, PAGE};

    #[test]
    fn buffers_start_on_a_page() {
        for len in [512, 4096, 1 << 20] {
            let mut buffer = AlignedBuffer::new(len);
            assert_eq!(buffer.first(len).as_ptr() as usize % PAGE, 0);
            assert_eq!(buffer.first(usize::MAX).len(), len);
        }
    }
}
