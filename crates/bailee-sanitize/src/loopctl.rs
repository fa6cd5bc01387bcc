//! One ioctl: which inode is behind a loop device (LOOP_GET_STATUS64, linux/loop.h).
//!
//! Why unsafe, and only here: sysfs tells the *path* of the backing file, and a path can be renamed
//! or replaced while the loop device is attached. The kernel tells device and inode of the file it
//! really writes to through this ioctl only, and no safe wrapper exists.
//!
//! Why it is safe: the opcode only fills the structure given; `LoopInfo64` is `repr(C)`, has the
//! kernel's layout (232 bytes, asserted at compile time), and every bit pattern is valid for it.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem::size_of;

use rustix::ioctl::{Getter, Opcode, ioctl};

use crate::identity::DeviceNumber;

const LOOP_GET_STATUS64: Opcode = 0x4C05;

#[repr(C)]
struct LoopInfo64 {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

const _: () = assert!(size_of::<LoopInfo64>() == 232);

/// What the kernel says is behind a loop device.
pub(crate) struct LoopStatus {
    /// Device of the file system that holds the backing file.
    pub(crate) device: DeviceNumber,
    /// Inode of the backing file.
    pub(crate) inode: u64,
    /// The backing thing is a block device itself.
    pub(crate) over_block: Option<DeviceNumber>,
    /// First byte of the backing file used.
    pub(crate) offset: u64,
    /// Bytes used, 0 for all.
    pub(crate) size_limit: u64,
}

/// Asks the kernel. Errors: `ENXIO` when nothing is attached.
pub(crate) fn status(file: &File) -> io::Result<LoopStatus> {
    // SAFETY: see the head of the file.
    let info: LoopInfo64 = unsafe { ioctl(file, Getter::<LOOP_GET_STATUS64, LoopInfo64>::new()) }?;
    let device = DeviceNumber::from_raw(info.device);
    let rdevice = DeviceNumber::from_raw(info.rdevice);
    // Over a regular file the kernel answers 0:0 here, or (older ones) the file system's device.
    let plain = [DeviceNumber { major: 0, minor: 0 }, device];
    Ok(LoopStatus {
        device,
        inode: info.inode,
        over_block: (!plain.contains(&rdevice)).then_some(rdevice),
        offset: info.offset,
        size_limit: info.size_limit,
    })
}
