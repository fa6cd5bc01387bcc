//! Large reads and writes that leave the page cache alone.
//!
//! Why: where a hypervisor takes unused memory back, the first touch of a page costs 3 ns a byte,
//! ten times the copy into it and more than sealing the byte. Packs and restored files are touched
//! once. Bytes that are cached already are taken from the cache.
//!
//! Invariants
//! 1. What is read and written is the same as through the cache; a file system that refuses
//!    direct transfers gets ordinary calls.
//! 2. Memory for transfers is aligned to [`BLOCK`], allocated once and used again.
//! 3. Nothing here syncs: whoever writes says `fdatasync` afterwards, as ever.
//!
//! A file with gaps, or by several threads: `stretch.rs`. Out of scope: what to read ahead.

mod stretch;

use std::fs::{File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rustix::fs::{Advice, OFlags, SeekFrom, fadvise, fcntl_getfl, fcntl_setfl, seek};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
pub use stretch::{Shared, Stretch};

/// Alignment of offsets, lengths and memory of a direct transfer.
pub const BLOCK: usize = 4096;
/// Bytes of one direct write.
const WRITE: usize = 1024 * 1024;
/// Files below this size are written through the cache: a direct write waits for the device.
const WORTH: u64 = 256 * 1024;
/// Reads past the cache after one that it did not have: asking makes the system read ahead into it,
/// and the disk gives the same bytes twice.
const AWAY: u32 = 15;

/// Aligned memory, kept between uses.
#[derive(Debug, Default)]
pub struct Room(Vec<u8>);

impl Room {
    /// `len` aligned bytes of whatever was there before.
    pub fn bytes(&mut self, len: usize) -> &mut [u8] {
        if self.0.len() < len + BLOCK {
            self.0.resize((len + BLOCK).next_power_of_two(), 0);
        }
        let lead = self.0.as_ptr().align_offset(BLOCK);
        &mut self.0[lead..lead + len]
    }
}

/// A file to read from at offsets, by any number of threads.
#[derive(Debug)]
pub struct Reader {
    file: File,
    /// The same file without cache, opened when the cache first lacks something.
    direct: OnceLock<Option<File>>,
    /// Reads that need not ask the cache.
    away: AtomicU32,
    /// The cache lacked what it was last asked for.
    cold: AtomicBool,
    /// Not asked for holes.
    solid: bool,
}

impl Reader {
    /// Takes an open file.
    pub fn new(file: File) -> Self {
        Self {
            file,
            direct: OnceLock::new(),
            away: AtomicU32::new(0),
            cold: AtomicBool::new(false),
            solid: false,
        }
    }

    /// Takes an open file of `size` bytes, for which the file system keeps `allocated`, that is
    /// going to be read whole, and soon: a small one the system fetches meanwhile, into the cache.
    /// One that has as many bytes as it needs is not asked for holes.
    pub fn soon(file: File, size: u64, allocated: u64) -> Self {
        let solid = allocated >= size;
        if size >= WORTH {
            return Self { solid, ..Self::new(file) };
        }
        // Advice: what does not take it reads as before.
        _ = fadvise(&file, 0, None, Advice::WillNeed);
        Self { direct: OnceLock::from(None), solid, ..Self::new(file) }
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        &self.file
    }

    fn direct(&self) -> Option<&File> {
        let open = || past_the_cache(&self.file, File::options().read(true));
        self.direct.get_or_init(open).as_ref()
    }

    /// Up to `len` bytes from `offset` on, in `room`; fewer only at the end of the file.
    ///
    /// # Errors
    /// The medium's.
    pub fn read_at<'r>(
        &self,
        offset: u64,
        len: usize,
        room: &'r mut Room,
    ) -> io::Result<&'r mut [u8]> {
        let lead = usize::try_from(offset % BLOCK as u64).unwrap_or(0);
        self.read(offset, len, room.bytes((lead + len).next_multiple_of(BLOCK)))
    }

    /// The first `len` bytes, or fewer if it has no more, into aligned memory of that many bytes
    /// and the rest of the last block.
    ///
    /// # Errors
    /// The medium's.
    pub fn read_start<'r>(&self, len: usize, bytes: &'r mut [u8]) -> io::Result<&'r mut [u8]> {
        self.read(0, len, bytes)
    }

    /// Reads into whole blocks around the range.
    fn read<'r>(&self, offset: u64, len: usize, bytes: &'r mut [u8]) -> io::Result<&'r mut [u8]> {
        let lead = usize::try_from(offset % BLOCK as u64).unwrap_or(0);
        let cached = self.cached(offset, &mut bytes[lead..lead + len]);
        let mut done = cached.unwrap_or(0);
        if done < len {
            done = self.uncached(offset, lead, len, done, bytes)?;
            if cached == Some(0) && done > 0 {
                self.away.store(AWAY, Ordering::Relaxed);
            }
        }
        if let Some(cached) = cached {
            self.cold.store(cached < done, Ordering::Relaxed);
        }
        Ok(&mut bytes[lead..lead + done])
    }

    /// Whether the page cache lacked some of what it was last asked for.
    pub fn is_cold(&self) -> bool {
        self.cold.load(Ordering::Relaxed)
    }

    /// Where the next bytes begin that were ever written: what lies from `offset` to there is a
    /// hole and reads as zeros. The end of the file if nothing follows; `offset` itself at and past
    /// the end, and where the file system does not tell.
    pub fn next_data(&self, offset: u64) -> u64 {
        if self.solid {
            return offset;
        }
        match seek(&self.file, SeekFrom::Data(offset)) {
            Ok(at) => at,
            Err(Errno::NXIO) => {
                let end = seek(&self.file, SeekFrom::End(0));
                end.map_or(offset, |end| end.max(offset))
            }
            Err(_) => offset,
        }
    }

    /// What the page cache has of it; zero also where the system cannot say. It is not asked soon
    /// after it had nothing. Threads may miscount: the same bytes come from elsewhere then.
    fn cached(&self, offset: u64, into: &mut [u8]) -> Option<usize> {
        let away = self.away.load(Ordering::Relaxed);
        if away > 0 {
            self.away.store(away - 1, Ordering::Relaxed);
            return None;
        }
        let parts = &mut [IoSliceMut::new(into)];
        Some(preadv2(&self.file, parts, offset, ReadWriteFlags::NOWAIT).unwrap_or(0))
    }

    /// Reads on from `done`, from whole blocks on. Gives how many of the `len` bytes there are.
    fn uncached(
        &self,
        offset: u64,
        lead: usize,
        len: usize,
        done: usize,
        bytes: &mut [u8],
    ) -> io::Result<usize> {
        let mut at = (lead + done) / BLOCK * BLOCK;
        let start = offset - lead as u64;
        let mut file = self.direct().unwrap_or(&self.file);
        while at < bytes.len() {
            match file.read_at(&mut bytes[at..], start + at as u64) {
                Ok(0) => break,
                Ok(n) => {
                    at += n;
                    if !at.is_multiple_of(BLOCK) {
                        break; // only the end of a file is not a whole block
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if !std::ptr::eq(file, &raw const self.file) && refused(&e) => {
                    file = &self.file;
                }
                Err(_) if at > lead + done => break, // what came before the error is good
                Err(e) => return Err(e),
            }
        }
        if std::ptr::eq(file, &raw const self.file) && at < lead + len {
            at = fill(file, start, at, &mut bytes[..lead + len])?;
        }
        Ok(at.clamp(lead, lead + len) - lead)
    }
}

/// Ordinary reads until the end of `bytes` or of the file.
fn fill(file: &File, start: u64, mut at: usize, bytes: &mut [u8]) -> io::Result<usize> {
    let from = at;
    while at < bytes.len() {
        match file.read_at(&mut bytes[at..], start + at as u64) {
            Ok(0) => break,
            Ok(n) => at += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if at > from => break,
            Err(e) => return Err(e),
        }
    }
    Ok(at)
}

/// The same file once more, without cache, where the file system knows that.
fn past_the_cache(file: &File, options: &mut OpenOptions) -> Option<File> {
    let flags = OFlags::DIRECT | OFlags::NONBLOCK | OFlags::NOATIME;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let mut open = |flags: OFlags| options.custom_flags(flags.bits().cast_signed()).open(&path);
    open(flags).or_else(|_| open(flags - OFlags::NOATIME)).ok()
}

/// Whether a direct transfer may begin at these bytes.
fn aligned(bytes: &[u8]) -> bool {
    bytes.as_ptr().align_offset(BLOCK) == 0
}

/// Whether the file system does not know direct transfers.
fn refused(e: &io::Error) -> bool {
    Errno::from_io_error(e) == Some(Errno::INVAL)
}

/// Writes one new file from its start to its end.
pub struct Writer<'f> {
    file: &'f File,
    room: Room,
    /// Bytes waiting in `room`.
    filled: usize,
    /// Where they go.
    at: u64,
    direct: bool,
}

impl<'f> Writer<'f> {
    /// For a file that is going to have about `size` bytes.
    pub fn new(file: &'f File, size: u64) -> Self {
        Self::with_room(file, size, Room::default())
    }

    /// The same, with memory that was used before.
    pub fn with_room(file: &'f File, size: u64, room: Room) -> Self {
        let direct = size >= WORTH && set_direct(file, OFlags::DIRECT).is_ok();
        Self { file, room, filled: 0, at: 0, direct }
    }

    /// Appends.
    ///
    /// # Errors
    /// The medium's.
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if !self.direct {
            self.file.write_all_at(bytes, self.at)?;
            self.at += bytes.len() as u64;
            return Ok(());
        }
        while !bytes.is_empty() {
            if self.filled == 0 && bytes.len() >= WRITE && aligned(bytes) {
                bytes = self.straight(bytes)?;
                continue;
            }
            let (head, tail) = bytes.split_at(bytes.len().min(WRITE - self.filled));
            self.room.bytes(WRITE)[self.filled..][..head.len()].copy_from_slice(head);
            self.filled += head.len();
            bytes = tail;
            if self.filled == WRITE {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes all whole blocks from where they are; gives the rest.
    fn straight<'b>(&mut self, bytes: &'b [u8]) -> io::Result<&'b [u8]> {
        let (blocks, rest) = bytes.split_at(bytes.len() / BLOCK * BLOCK);
        match self.file.write_all_at(blocks, self.at) {
            Err(e) if self.direct && refused(&e) => {
                self.give_up()?;
                self.file.write_all_at(blocks, self.at)?;
            }
            outcome => outcome?,
        }
        self.at += blocks.len() as u64;
        Ok(rest)
    }

    fn flush(&mut self) -> io::Result<()> {
        let filled = std::mem::take(&mut self.filled);
        if filled == 0 {
            return Ok(());
        }
        let whole = filled / BLOCK * BLOCK;
        let mut done = 0;
        if self.direct && whole > 0 {
            match self.file.write_all_at(&self.room.bytes(WRITE)[..whole], self.at) {
                Ok(()) => done = whole,
                Err(e) if refused(&e) => {}
                Err(e) => return Err(e),
            }
        }
        if done < filled {
            self.give_up()?;
            let rest = &self.room.bytes(WRITE)[done..filled];
            self.file.write_all_at(rest, self.at + done as u64)?;
        }
        self.at += filled as u64;
        Ok(())
    }

    /// From here on through the cache.
    fn give_up(&mut self) -> io::Result<()> {
        if self.direct {
            self.direct = false;
            set_direct(self.file, OFlags::empty())?;
        }
        Ok(())
    }

    /// Writes what is waiting; gives the memory back.
    ///
    /// # Errors
    /// The medium's.
    pub fn finish(mut self) -> io::Result<Room> {
        self.flush()?;
        self.give_up()?;
        Ok(std::mem::take(&mut self.room))
    }
}

/// Writes a new file from a stream. `fill` gives less than it was asked for only at the end; what
/// the file refuses is told by `failed`. Gives the memory back.
///
/// # Errors
/// Those of `fill`, and the medium's.
pub fn write_stream<E>(
    file: &File,
    room: Room,
    fill: &mut dyn FnMut(&mut [u8]) -> Result<usize, E>,
    failed: &dyn Fn(io::Error) -> E,
) -> Result<Room, E> {
    let mut to = Writer::with_room(file, 0, room);
    loop {
        to.filled = fill(to.room.bytes(WRITE))?;
        let last = to.filled < WRITE;
        if !last && to.at == 0 {
            to.direct = set_direct(file, OFlags::DIRECT).is_ok();
        }
        to.flush().map_err(failed)?;
        if last {
            return to.finish().map_err(failed);
        }
    }
}

fn set_direct(file: &File, direct: OFlags) -> io::Result<()> {
    let flags = fcntl_getfl(file)? - OFlags::DIRECT;
    Ok(fcntl_setfl(file, flags | direct)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
    }

    #[test]
    fn every_division_writes_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        for len in [0, 1, 4095, 4096, 300_000, WRITE, WRITE + 1, 3 * WRITE + 4097] {
            for step in [1000, 4096, 70_000, 2 * WRITE] {
                let (path, bytes) = (dir.path().join(format!("{len}-{step}")), pattern(len));
                let file = File::create(&path).unwrap();
                let mut writer = Writer::new(&file, len as u64);
                bytes.chunks(step).for_each(|part| writer.write(part).unwrap());
                writer.finish().unwrap();
                assert!(std::fs::read(&path).unwrap() == bytes, "{len} by {step}");
            }
        }
    }

    #[test]
    fn aligned_bytes_are_written_from_where_they_are() {
        let dir = tempfile::tempdir().unwrap();
        for len in [WRITE - 1, WRITE, WRITE + 4095, 5 * WRITE + 12_345] {
            for lead in [0, 10] {
                let (path, bytes) = (dir.path().join(format!("{len}-{lead}")), pattern(len));
                let mut room = Room::default();
                room.bytes(len).copy_from_slice(&bytes);
                let file = File::create(&path).unwrap();
                let mut writer = Writer::new(&file, len as u64);
                writer.write(&bytes[..lead]).unwrap();
                let straight = &room.bytes(len)[..];
                assert!(aligned(straight));
                writer.write(straight).unwrap();
                writer.write(&bytes[..lead]).unwrap();
                writer.finish().unwrap();
                let wanted = [&bytes[..lead], &bytes, &bytes[..lead]].concat();
                assert!(std::fs::read(&path).unwrap() == wanted, "{len} after {lead}");
            }
        }
    }

    #[test]
    fn holes_are_found_and_what_follows_them() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 20).unwrap();
        file.write_all_at(b"something", 300_000).unwrap();
        let reader = Reader::new(file);
        let found = [0, 299_008, 300_005, 400_000, 1 << 20, 5 << 20].map(|o| reader.next_data(o));
        assert_eq!(found, [299_008, 299_008, 300_005, 1 << 20, 1 << 20, 5 << 20]);
    }

    #[test]
    fn reads_agree_cached_and_not() {
        let dir = tempfile::tempdir().unwrap();
        let (path, bytes) = (dir.path().join("f"), pattern(3_000_001));
        let file = File::create(&path).unwrap();
        let mut writer = Writer::new(&file, bytes.len() as u64);
        writer.write(&bytes).unwrap();
        writer.finish().unwrap();
        file.sync_all().unwrap();
        let open = || File::open(&path).unwrap();
        let readers =
            [Reader::new(open()), Reader::soon(open(), 1, 0), Reader::soon(open(), WORTH, WORTH)];
        let cases =
            readers.iter().flat_map(|reader| [0, 1_000_000, bytes.len()].map(|n| (reader, n)));
        for (reader, cached) in cases {
            fadvise(&file, 0, None, Advice::DontNeed).unwrap();
            let mut warm = vec![0; cached];
            reader.file().read_exact_at(&mut warm, 0).unwrap();
            let mut room = Room::default();
            for (at, len) in [(0, 10), (4095, 2), (1, 2_000_000), (2_999_999, 900), (3_000_001, 5)]
            {
                let end = (at + len).min(bytes.len());
                let got = reader.read_at(at as u64, len, &mut room).unwrap();
                assert!(got == &bytes[at..end], "{at}, {len} with {cached} cached");
            }
        }
    }

    #[test]
    fn memory_is_aligned() {
        let mut room = Room::default();
        for len in [1, 4096, 1 << 20] {
            let bytes = room.bytes(len);
            assert_eq!((bytes.len(), bytes.as_ptr().align_offset(BLOCK)), (len, 0));
        }
    }
}
