//! A volume sealed over whatever somebody puts into it, for `crate::fuzzing`.
//!
//! Input: length of the description (big-endian u16), ordinal (u32), frame length (u32), the end's
//! 25 plain bytes, the description's plain bytes, then the plain bytes of data frames.

use super::layout::{Cipher, Description, END, END_FRAME, Ending, Head};
use crate::key::Kek;
use crate::wire::Reader;

/// The volume, if its header is one that is read; what is decoded is written again as it was.
pub(crate) fn seal(input: &[u8], key: [u8; 32]) -> Option<Vec<u8>> {
    let mut r = Reader(input);
    let (description, ordinal, frame) = (r.u16().ok()?, r.u32().ok()?, r.u32().ok()?);
    let (ending, described) = (r.raw(END).ok()?, r.raw(description.into()).ok()?);
    if let Ok(read) = Description::parse(described) {
        assert_eq!(read.encode(), described, "one encoding");
    }
    if let Ok(read) = Ending::parse(ending) {
        assert_eq!(read.encode(), ending, "one encoding");
    }
    let key = Kek::from_bytes(key);
    let head = Head {
        set: [1; 16],
        ordinal,
        frame,
        key: key.id(),
        salt: [2; 32],
        description: description.into(),
        origin: "example.org/log".to_owned(),
    };
    let (cipher, commitment) = Cipher::of(&key, &head).ok()?;
    let mut out = [&head.encode()[..], &commitment].concat();
    assert!(
        Head::parse(&out).is_ok_and(|(read, said, len)| {
            (read, said, len) == (head.clone(), commitment, out.len())
        }) || Head::parse(&out).is_err()
    );
    let data = r.0.chunks((frame as usize).max(1));
    let frames = [(0, described)].into_iter().chain((1..).zip(data)).chain([(END_FRAME, ending)]);
    for (number, plain) in frames {
        let mut sealed = plain.to_vec();
        cipher.seal(number, &mut sealed).ok()?;
        out.extend_from_slice(&sealed);
    }
    Some(out)
}

/// The input of a set of one volume with this stream.
#[cfg(test)]
pub(crate) fn seed(stream: &[u8]) -> Vec<u8> {
    let mut w = crate::wire::Writer::default();
    let (tenant, unit) = ("tenant".to_owned(), "unit".to_owned());
    let description = Description { start: 0, tenant, unit, snapshots: vec![[3; 16]] }.encode();
    w.u16(u16::try_from(description.len()).unwrap());
    w.u32(1);
    w.u32(super::layout::FRAME as u32);
    let (follows, end) = (super::layout::Follows::Nothing, stream.len() as u64);
    w.raw(&Ending { follows, start: 0, end, frames: 1 }.encode());
    w.raw(&description);
    w.u32(0);
    w.raw(stream);
    w.0
}
