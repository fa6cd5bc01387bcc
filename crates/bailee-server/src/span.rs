//! A span of one file of a snapshot, on its way out: to a terminal here, or through the service.
//!
//! Invariants: of the vault only the chunks that hold bytes of the span are read, and each byte is
//! authentic before it leaves; a piece of [`STEP`] bytes is in memory, never the file. What ends
//! it (damage, bytes the medium never gave) is told apart from whoever takes no more.

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;
use std::str::FromStr;

use bailee_vault::{FileReader, VaultError};

/// Bytes on their way at a time.
const STEP: u64 = 1 << 20;

/// Which bytes of a file: `A-B` with both ends included, `A-`, or `-N`, as HTTP means them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// From the first to the last, both included.
    Between(u64, u64),
    /// From this one to the end.
    From(u64),
    /// So many at the end, or all if there are fewer.
    Last(u64),
}

impl Span {
    /// All of a file.
    pub const WHOLE: Span = Span::From(0);

    /// Where it lies in a file of so many bytes.
    ///
    /// # Errors
    /// The file does not have all of it, in words.
    pub fn within(self, size: u64) -> Result<Range<u64>, String> {
        let range = match self {
            Span::Between(first, last) => first..last.saturating_add(1),
            Span::From(first) => first..size,
            Span::Last(count) => size.saturating_sub(count)..size,
        };
        if range.start > range.end || range.end > size {
            return Err(format!("the file has {size} bytes, asked for {self}"));
        }
        Ok(range)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            part.parse::<u64>().ok().filter(|_| digits)
        };
        let (first, last) = text.split_once('-').unwrap_or(("", ""));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Span::Between(first, last)),
            (Some(first), None) if last.is_empty() => Ok(Span::From(first)),
            (None, Some(count)) if first.is_empty() => Ok(Span::Last(count)),
            _ => Err(format!("{text:?} is no range of bytes")),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Span::Between(first, last) => write!(f, "{first}-{last}"),
            Span::From(first) => write!(f, "{first}-"),
            Span::Last(count) => write!(f, "-{count}"),
        }
    }
}

/// Why not all of a span was written.
#[derive(Debug)]
pub enum Halt {
    /// The vault does not give the next bytes; those before were written.
    Vault(VaultError),
    /// They are not taken.
    Out(io::Error),
}

/// Writes bytes of a file to `out`, in order.
///
/// # Errors
/// [`Halt`]; what was written before it is what the file has there.
pub fn write(file: &mut FileReader, range: Range<u64>, out: &mut dyn Write) -> Result<(), Halt> {
    let mut at = range.start;
    while at < range.end {
        let len = usize::try_from(STEP.min(range.end - at)).unwrap_or(usize::MAX);
        let bytes = file.read_at(at, len).map_err(Halt::Vault)?;
        out.write_all(&bytes).map_err(Halt::Out)?;
        at += bytes.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_mean_what_http_means_by_them() {
        let read = |text: &str| text.parse::<Span>().and_then(|span| span.within(100)).ok();
        assert_eq!(read("0-0"), Some(0..1));
        assert_eq!(read("10-99"), Some(10..100));
        assert_eq!(read("10-"), Some(10..100));
        assert_eq!(read("100-"), Some(100..100));
        assert_eq!(read("-10"), Some(90..100));
        assert_eq!(read("-1000"), Some(0..100));
        let bad = ["", "-", "5", "7-6", "0-100", "101-", "a-b", "+1-2", "1-2-3", " 1-2"];
        for bad in bad.into_iter().chain(["0-18446744073709551615", "18446744073709551616-"]) {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(Span::WHOLE.within(0), Ok(0..0));
        for text in ["3-9", "3-", "-9"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
    }
}
