//! One header block of a tar archive.
//!
//! Invariants: a block whose sum does not match is refused, and so is a number that is none, or
//! does not fit; fields keep their raw bytes.

pub(super) const BLOCK: usize = 512;
pub(super) type Block = [u8; BLOCK];

/// The fields of a block.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) size: u64,
    pub(super) mtime: i64,
    /// Major and minor; needed by device nodes only.
    pub(super) device: Result<(u32, u32), &'static str>,
}

impl Header {
    pub(super) fn read(block: &Block) -> Result<Self, &'static str> {
        let said = positive(&block[148..156])?;
        let unsigned = |bytes: &[u8]| bytes.iter().map(|b| i64::from(*b)).sum::<i64>();
        // The earliest writers summed signed characters.
        let signed = |bytes: &[u8]| bytes.iter().map(|b| i64::from(b.cast_signed())).sum::<i64>();
        let spaces = 8 * i64::from(b' ');
        let sums = [
            unsigned(&block[..148]) + spaces + unsigned(&block[156..]),
            signed(&block[..148]) + spaces + signed(&block[156..]),
        ];
        if !sums.iter().any(|sum| u64::try_from(*sum) == Ok(said)) {
            return Err("a header's sum is wrong: it is damaged, or this is no tar archive");
        }
        let field = |from: usize, len: usize| text(&block[from..from + len]).to_vec();
        let mut name = field(0, 100);
        // GNU's own format has other things where ustar has a prefix.
        if &block[257..263] == b"ustar\0" && block[345] != 0 {
            name = [text(&block[345..500]), b"/", &name].concat();
        }
        let small = |from: usize| {
            let n = positive(&block[from..from + 8])?;
            u32::try_from(n).map_err(|_| "has a device number that is none")
        };
        let mode = positive(&block[100..108])? & 0o7777;
        Ok(Self {
            kind: block[156],
            name,
            link: field(157, 100),
            mode: u32::try_from(mode).unwrap_or(0),
            uid: positive(&block[108..116])?,
            gid: positive(&block[116..124])?,
            size: positive(&block[124..136])?,
            mtime: number(&block[136..148])?,
            device: small(329).and_then(|major| Ok((major, small(337)?))),
        })
    }
}

/// Up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

pub(super) fn positive(field: &[u8]) -> Result<u64, &'static str> {
    u64::try_from(number(field)?).map_err(|_| "a header has a negative number")
}

/// Octal digits, or GNU's two's complement with the top bit set.
fn number(field: &[u8]) -> Result<i64, &'static str> {
    const NONE: &str =
        "a header has a number that is none: it is damaged, or this is no tar archive";
    let first = *field.first().ok_or(NONE)?;
    if first & 0x80 != 0 {
        let negative = first & 0x40 != 0;
        let start =
            if negative { i128::from(first.cast_signed()) } else { i128::from(first & 0x7f) };
        let mut n = start;
        for byte in &field[1..] {
            n = n.checked_mul(256).ok_or(NONE)? + i128::from(*byte);
        }
        return i64::try_from(n).map_err(|_| NONE);
    }
    let digits = text(field).trim_ascii();
    digits.iter().try_fold(0i64, |n, digit| match digit {
        b'0'..=b'7' => {
            n.checked_mul(8).and_then(|n| n.checked_add(i64::from(digit - b'0'))).ok_or(NONE)
        }
        _ => Err(NONE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(number(b"0000644\0"), Ok(0o644));
        assert_eq!(number(b"   644 \0"), Ok(0o644));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Ok(0));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 1, 2]), Ok(258));
        assert_eq!(number(&[0xff; 12]), Ok(-1));
        assert!(number(b"0000x44\0").is_err());
        assert!(number(&[0xbf; 12]).is_err(), "does not fit");
        assert!(positive(&[0xff; 8]).is_err());
    }

    #[test]
    fn a_block_of_noise_is_no_header() {
        assert!(Header::read(&[7; BLOCK]).is_err());
        assert!(Header::read(&[b'1'; BLOCK]).is_err());
    }
}
