//! A transfer of bytes that are no tree: what a pipe gives, an archive.
//!
//! Invariants: a reader comes to its end only after the end frame; a cut is an error before that.
//! What is said behind the bytes is not looked at before the end, and nothing else follows it.

use std::io::{self, Read, Write};

use super::frame::{FrameWriter, Frames, Kind, MOST};
use crate::error::VaultError;

/// The most bytes of what is said behind them.
const MOST_REPORT: usize = 1 << 30;

/// The bytes that a transfer carries.
pub struct Plain<R> {
    frames: Frames<R>,
    held: Vec<u8>,
    /// How much of it was given.
    given: usize,
    report: Vec<u8>,
    ended: bool,
}

impl<R: Read> Plain<R> {
    /// `name`: what people call what comes.
    pub fn new(from: R, name: &str) -> Self {
        let frames = Frames::new(from, name);
        Self { frames, held: Vec::new(), given: 0, report: Vec::new(), ended: false }
    }

    /// What was said at its end.
    ///
    /// # Errors
    /// [`VaultError::Transfer`] if it was not read to its end.
    pub fn report(self) -> Result<Vec<u8>, VaultError> {
        if self.ended {
            Ok(self.report)
        } else {
            Err(self.frames.flaw("it was not read to its end"))
        }
    }

    fn more(&mut self) -> Result<(), VaultError> {
        let (kind, bytes) = self.frames.next()?;
        if !self.report.is_empty() && !matches!(kind, Kind::Report | Kind::End) {
            return Err(self
                .frames
                .flaw(format!("a frame {kind:?} behind what is said at its end")));
        }
        match kind {
            Kind::Data => {
                self.held.clear();
                self.held.extend_from_slice(bytes);
                self.given = 0;
                Ok(())
            }
            Kind::Zeros => {
                let n = self.frames.number()?;
                let n = usize::try_from(n).ok().filter(|n| *n <= MOST);
                let n = n.ok_or_else(|| self.frames.flaw("more zeros than one frame can have"))?;
                self.held.clear();
                self.held.resize(n, 0);
                self.given = 0;
                Ok(())
            }
            Kind::Report if self.report.len() + bytes.len() <= MOST_REPORT => {
                self.report.extend_from_slice(bytes);
                Ok(())
            }
            Kind::Report => Err(self.frames.flaw("more is said at its end than can be taken")),
            Kind::End => {
                self.ended = true;
                Ok(())
            }
            other => Err(self.frames.flaw(format!("a frame {other:?} among plain bytes"))),
        }
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while self.given == self.held.len() && !self.ended {
            self.more().map_err(io::Error::other)?;
        }
        let rest = &self.held[self.given..];
        let n = rest.len().min(room.len());
        room[..n].copy_from_slice(&rest[..n]);
        self.given += n;
        Ok(n)
    }
}

/// Bytes on their way into a transfer.
pub struct PlainWriter<'a>(FrameWriter<'a>);

impl<'a> PlainWriter<'a> {
    /// Frames go to `out`.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self(FrameWriter::new(out))
    }

    /// Ends it, with something to say.
    ///
    /// # Errors
    /// Nobody takes it any more.
    pub fn end(mut self, report: &[u8]) -> io::Result<()> {
        report.chunks(MOST).try_for_each(|piece| self.0.put(Kind::Report, piece))?;
        self.0.end()
    }
}

impl Write for PlainWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.content(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_bytes_come_with_their_report_and_a_cut_is_never_their_end() {
        let bytes: Vec<u8> = (0..300_000u32).map(|n| (n / 7000) as u8).collect();
        let mut out = Vec::new();
        let mut writer = PlainWriter::new(&mut out);
        writer.write_all(&bytes).unwrap();
        writer.write_all(&[0; 5000]).unwrap();
        writer.end(b"said").unwrap();
        let (mut plain, mut came) = (Plain::new(out.as_slice(), "t"), Vec::new());
        plain.read_to_end(&mut came).unwrap();
        assert_eq!(came, [bytes, vec![0; 5000]].concat());
        assert_eq!(plain.report().unwrap(), b"said");
        for cut in [0, 10, 18, 1000, out.len() - 1, out.len() - 13, out.len() - 22] {
            let mut plain = Plain::new(&out[..cut], "t");
            let broken = plain.read_to_end(&mut Vec::new()).unwrap_err();
            assert!(broken.to_string().contains("cut off"), "{cut}: {broken}");
            assert!(plain.report().is_err());
        }
    }
}
