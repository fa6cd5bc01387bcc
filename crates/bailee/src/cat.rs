//! `bailee cat`: a file of a snapshot, or a range of it, to standard output.
//!
//! Invariants: every byte is authentic before it is written. The exit code is 0 only if every byte
//! asked for was written, or nobody reads any more. Damage, and what the medium never gave, end
//! the output there and say the range. Out of scope: the file's SHA-256 (`snapshot verify`).

use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

use bailee_server::core::id::SnapshotId;
use bailee_server::keeping::{self, KeepError};

use crate::cli::Reach;
use crate::cli::keep::CatArgs;
use crate::door::{Door, read_id};
use crate::trouble::Trouble;

/// Bytes on their way at a time.
const STEP: u64 = 1 << 20;

/// Writes what was asked for.
pub(crate) fn cat(args: &CatArgs, reach: &Reach) -> Result<(), Trouble> {
    let door = Door::open(reach)?;
    let here = door.here("`cat`")?;
    let snapshot: SnapshotId = read_id(&args.snapshot)?;
    let mut file = keeping::open_file(&here.house, snapshot, args.path.as_bytes())?;
    let size = file.content().size;
    let range = args.range.as_deref().map_or(Ok(0..size), |text| range(text, size))?;
    let mut out = io::stdout().lock();
    let mut at = range.start;
    while at < range.end {
        let len = usize::try_from(STEP.min(range.end - at)).unwrap_or(usize::MAX);
        let bytes = file.read_at(at, len).map_err(KeepError::from)?;
        out.write_all(&bytes).map_err(|e| Trouble::unread(&e))?;
        at += bytes.len() as u64;
    }
    out.flush().map_err(|e| Trouble::unread(&e))
}

/// `A-B` with both ends included, `A-`, `-N`.
fn range(text: &str, size: u64) -> Result<Range<u64>, Trouble> {
    let wrong = |detail: String| {
        let change = "write --range 0-499 (the first 500 bytes), 500- (all after) or -500 (last)";
        Trouble::usage("--range", detail, change)
    };
    let number = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u64>().ok().filter(|_| digits)
    };
    let (first, last) = text.split_once('-').unwrap_or(("", ""));
    let (start, end) = match (number(first), number(last)) {
        (Some(start), Some(last)) if start <= last => (start, last.saturating_add(1)),
        (Some(start), None) if last.is_empty() => (start, size),
        (None, Some(count)) if first.is_empty() => (size.saturating_sub(count), size),
        _ => return Err(wrong(format!("{text:?} is no range of bytes"))),
    };
    if start > end || end > size {
        return Err(wrong(format!("the file has {size} bytes, asked for {text}")));
    }
    Ok(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_mean_what_http_means_by_them() {
        let read = |text| range(text, 100).ok();
        assert_eq!(read("0-0"), Some(0..1));
        assert_eq!(read("10-99"), Some(10..100));
        assert_eq!(read("10-"), Some(10..100));
        assert_eq!(read("100-"), Some(100..100));
        assert_eq!(read("-10"), Some(90..100));
        assert_eq!(read("-1000"), Some(0..100));
        for bad in ["", "-", "5", "7-6", "0-100", "101-", "a-b", "+1-2", "1-2-3", " 1-2"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
