//! A lot: small files that one worker reads together.
//!
//! Why together: what is done with one file after the other leaves the processor waiting for one
//! chain of SHA-256; two files side by side do not.
//!
//! Invariants: the runs are in the order of the files; a file that is not one run of bytes, or was
//! not read as it was found, has none here.

use bailee_store::direct::Room;

use super::feed::Small;
use crate::split::{room_for, whole};

/// The files that are one run, each read whole.
pub(super) fn read<'r>(files: &[Small], room: &'r mut Room) -> Vec<Option<&'r [u8]>> {
    let size = |small: &Small| u64::try_from(small.stat.st_size).unwrap_or(0);
    let lens: Vec<Option<usize>> = files.iter().map(|small| room_for(size(small))).collect();
    let mut rest = room.bytes(lens.iter().flatten().sum());
    let mut runs = Vec::with_capacity(files.len());
    for (small, len) in files.iter().zip(lens) {
        let (bytes, behind) = rest.split_at_mut(len.unwrap_or(0));
        runs.push(if len.is_some() { whole(&small.file, size(small), bytes) } else { None });
        rest = behind;
    }
    runs
}
