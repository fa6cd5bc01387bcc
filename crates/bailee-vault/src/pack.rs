//! Packs: up to 16 MiB of sealed chunks, a sealed directory, a trailer.
//!
//! ```text
//! header 128 | ciphertext, tag | ciphertext, tag | … | directory, tag | trailer 16
//! directory: per record  id 24 | plain length u32 | stored length u32 | codec u8
//! trailer:   sealed directory's length u32 | records u32 | "BAILPEND"
//! ```
//!
//! Invariants: a pack is built by one thread, so ordinals need no agreement; it is put once, whole;
//! a pack can be read with its unit key alone, without any index. Codec 1 is used only where zstd
//! saves at least 3 %. A plain length never exceeds [`MAX_PLAIN`], checked before memory is taken.
//! Out of scope: which pack holds a chunk (`index.rs`).

use std::cell::RefCell;

use crate::chunker::MAX as MAX_PLAIN;
use crate::error::VaultError;
use crate::key::Secret;
use crate::packer::Packer;
use crate::seal::{HEADER, Place, RecordInfo, Seal, TAG};
use crate::wire::{Malformed, Reader, Writer};

/// A pack is closed once it holds this many bytes.
pub(crate) const PACK_TARGET: usize = 16 * 1024 * 1024;
const END: &[u8; 8] = b"BAILPEND";
pub(crate) const TRAILER: usize = 16;
const RECORD: usize = 33;

/// A chunk's keyed BLAKE3, truncated to 192 bits.
pub(crate) type ChunkId = [u8; 24];

/// How a chunk is stored. The numbers are stored.
pub(crate) const RAW: u8 = 0;
/// One zstd frame (RFC 8878).
pub(crate) const ZSTD: u8 = 1;

/// Where a chunk lies in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// From the start of the pack.
    pub(crate) offset: u32,
    pub(crate) info: RecordInfo,
}

impl Slot {
    /// The bytes of ciphertext and tag within the pack.
    pub(crate) fn range(&self) -> std::ops::Range<u64> {
        let start = u64::from(self.offset);
        start..start + u64::from(self.info.stored_len) + TAG as u64
    }
}

/// A finished pack and what is in it.
pub(crate) struct Pack {
    pub(crate) place: Place,
    /// All of it, but for what [`PackBuilder::part_with`] has given away.
    pub(crate) bytes: Vec<u8>,
    pub(crate) slots: Vec<Slot>,
}

/// A pack under construction.
pub(crate) struct PackBuilder {
    place: Place,
    seal: Seal,
    bytes: Vec<u8>,
    /// Length of what came before `bytes` and was given away.
    given: usize,
    slots: Vec<Slot>,
}

impl PackBuilder {
    /// Starts a pack in `bytes`, which is empty and has the room a full pack needs.
    pub(crate) fn new(master: &Secret, place: Place, bytes: Vec<u8>) -> Result<Self, VaultError> {
        let seal = Seal::create(master, &place)?;
        let mut pack = Self { place, seal, bytes, given: 0, slots: Vec::new() };
        pack.bytes.extend_from_slice(&pack.seal.header);
        Ok(pack)
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.given + self.bytes.len()
    }

    /// Bytes so far that nobody has yet.
    pub(crate) fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// Gives the bytes so far away and goes on in `empty`.
    pub(crate) fn part_with(&mut self, empty: Vec<u8>) -> Vec<u8> {
        self.given += self.bytes.len();
        std::mem::replace(&mut self.bytes, empty)
    }

    /// Compresses if it pays, seals, appends.
    pub(crate) fn add(
        &mut self,
        packer: &mut Packer,
        level: i32,
        id: ChunkId,
        plain: &[u8],
    ) -> Result<(), VaultError> {
        let (codec, stored) = packer.shrink(plain, level)?;
        let info = RecordInfo {
            ordinal: self.slots.len() as u64,
            id,
            plain_len: length(plain.len())?,
            stored_len: length(stored.len())?,
            codec,
        };
        let (offset, start) = (length(self.len())?, self.bytes.len());
        self.bytes.extend_from_slice(stored);
        let tag = self.seal.seal(&info, &[], &mut self.bytes[start..])?;
        self.bytes.extend_from_slice(&tag);
        self.slots.push(Slot { offset, info });
        Ok(())
    }

    /// Appends directory and trailer.
    pub(crate) fn finish(mut self) -> Result<Pack, VaultError> {
        let mut directory = Writer(Vec::with_capacity(self.slots.len() * RECORD));
        for Slot { info, .. } in &self.slots {
            directory.raw(&info.id);
            directory.u32(info.plain_len);
            directory.u32(info.stored_len);
            directory.u8(info.codec);
        }
        let mut directory = directory.0;
        let trailer = trailer(directory.len() + TAG, self.slots.len())?;
        let tag = self.seal.seal(&directory_info(directory.len())?, &trailer, &mut directory)?;
        self.bytes.extend_from_slice(&directory);
        self.bytes.extend_from_slice(&tag);
        self.bytes.extend_from_slice(&trailer);
        Ok(Pack { place: self.place, bytes: self.bytes, slots: self.slots })
    }
}

/// Opens one record into `plain`: authenticates, then decompresses to exactly the length promised.
pub(crate) fn open_record(
    seal: &Seal,
    name: &str,
    info: &RecordInfo,
    sealed: &mut [u8],
    plain: &mut Vec<u8>,
) -> Result<(), VaultError> {
    plain.clear();
    let len = info.plain_len as usize;
    if len > MAX_PLAIN {
        return Err(VaultError::damaged(name, "a chunk is larger than any chunk may be"));
    }
    let stored = seal.unseal(name, info, &[], sealed)?;
    match info.codec {
        RAW => plain.extend_from_slice(stored),
        ZSTD => inflate(stored, len, plain)
            .map_err(|_| VaultError::damaged(name, "a chunk does not decompress"))?,
        _ => return Err(VaultError::damaged(name, "a chunk has an unknown codec")),
    }
    if plain.len() == len {
        Ok(())
    } else {
        Err(VaultError::damaged(name, "a chunk has another length than recorded"))
    }
}

type Inflater = zstd::bulk::Decompressor<'static>;

thread_local! {
    /// A decompression context is 150 KiB: one per thread, not one per chunk.
    static INFLATER: RefCell<Option<Inflater>> = const { RefCell::new(None) };
}

fn inflate(stored: &[u8], len: usize, plain: &mut Vec<u8>) -> std::io::Result<()> {
    plain.reserve(len);
    INFLATER.with_borrow_mut(|slot| {
        let mut inflater = match slot.take() {
            Some(ready) => ready,
            None => Inflater::new()?,
        };
        let done = inflater.decompress_to_buffer(stored, plain);
        *slot = Some(inflater);
        done.map(drop)
    })
}

/// Reads a whole pack's directory with the unit key alone.
pub(crate) fn read_directory(
    master: &Secret,
    place: &Place,
    name: &str,
    pack: &[u8],
) -> Result<Vec<Slot>, VaultError> {
    let bad = |detail| VaultError::damaged(name, detail);
    let seal = Seal::open(master, place, name, pack)?;
    let body_end = pack.len().checked_sub(TRAILER).ok_or_else(|| bad("it has no trailer"))?;
    let trailer = &pack[body_end..];
    let at = directory_at(trailer, pack.len() as u64).map_err(bad)?;
    let start = usize::try_from(at).map_err(|_| bad("its directory does not fit"))?;
    open_directory(&seal, name, (at, pack[start..body_end].to_vec()), trailer)
}

/// Where the directory of a pack of that size begins, by its trailer.
pub(crate) fn directory_at(trailer: &[u8], size: u64) -> Result<u64, Malformed> {
    let mut r = Reader(trailer);
    let (sealed_len, count) = (r.u32()? as usize, r.u32()? as usize);
    if r.0 != END || sealed_len != count.saturating_mul(RECORD) + TAG {
        return Err("its trailer does not fit");
    }
    let start = size.checked_sub((TRAILER + sealed_len) as u64);
    start.filter(|start| *start >= HEADER as u64).ok_or("its directory does not fit")
}

/// Opens the directory that begins at `start`.
pub(crate) fn open_directory(
    seal: &Seal,
    name: &str,
    (start, mut sealed): (u64, Vec<u8>),
    trailer: &[u8],
) -> Result<Vec<Slot>, VaultError> {
    let bad = |detail| VaultError::damaged(name, detail);
    let len = sealed.len().checked_sub(TAG).ok_or_else(|| bad("its directory does not fit"))?;
    let plain = seal.unseal(name, &directory_info(len)?, trailer, &mut sealed)?;
    read_slots(plain, start).map_err(bad)
}

/// The records of a directory, which fill the pack up to `start`.
pub(crate) fn read_slots(plain: &[u8], start: u64) -> Result<Vec<Slot>, Malformed> {
    let mut r = Reader(plain);
    let (mut slots, mut offset) = (Vec::with_capacity(plain.len() / RECORD), HEADER as u64);
    while !r.0.is_empty() {
        let info = RecordInfo {
            ordinal: slots.len() as u64,
            id: r.array()?,
            plain_len: r.u32()?,
            stored_len: r.u32()?,
            codec: r.u8()?,
        };
        let at = u32::try_from(offset).map_err(|_| "its directory does not fit")?;
        slots.push(Slot { offset: at, info });
        offset += u64::from(info.stored_len) + TAG as u64;
    }
    if offset == start { Ok(slots) } else { Err("its records do not fill it") }
}

fn directory_info(len: usize) -> Result<RecordInfo, VaultError> {
    let len = length(len)?;
    Ok(RecordInfo { ordinal: u64::MAX, id: [0; 24], plain_len: len, stored_len: len, codec: RAW })
}

fn trailer(sealed_len: usize, count: usize) -> Result<Vec<u8>, VaultError> {
    let mut w = Writer::default();
    w.u32(length(sealed_len)?);
    w.u32(length(count)?);
    w.raw(END);
    Ok(w.0)
}

fn length(len: usize) -> Result<u32, VaultError> {
    u32::try_from(len).map_err(|_| VaultError::Crypto { doing: "seal over 4 GiB" })
}
