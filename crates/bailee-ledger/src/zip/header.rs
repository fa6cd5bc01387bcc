//! The only encoding of local headers, directory records and the end of the archive.
//!
//! Invariant: a value stands in its classic field when it fits there, and else in a ZIP64 field
//! while the classic one holds its largest value. So every name, size, CRC and offset has exactly
//! one encoding, whatever the size of the archive; nothing here ever parses, readers rebuild.

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
/// The extra field with the values that do not fit.
const EXTRA_64: u16 = 0x0001;
/// Fixed part of a directory record.
pub(super) const CENTRAL_LENGTH: usize = 46;
/// The end record.
pub(super) const END_LENGTH: usize = 22;
/// ZIP64 end record, its locator and the end record.
pub(super) const END_64_LENGTH: usize = 56 + 20 + END_LENGTH;
/// Id, length, and at most three values.
pub(super) const MAX_EXTRA: usize = 4 + 3 * 8;
/// "1.0": stored files need nothing newer.
const VERSION: u16 = 10;
/// "4.5": has ZIP64.
const VERSION_64: u16 = 45;
/// 1980-01-01, the first day MS-DOS knows: a bundle says when in its contents, not in its headers.
const DATE: u16 = 0x0021;

/// Which values fit the classic fields: those below these limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fit {
    /// Limit of fields of four bytes.
    long: u64,
    /// Limit of fields of two bytes.
    short: u64,
}

impl Fit {
    /// The format's own: the largest value of a field says that the value is elsewhere.
    pub(crate) const ZIP: Fit = Fit { long: 0xffff_ffff, short: 0xffff };

    /// Lower limits, so that tests see ZIP64 in archives of a few bytes.
    #[cfg(test)]
    pub(super) fn below(long: u64, short: u64) -> Self {
        Fit { long, short }
    }

    fn long(self, value: u64) -> u32 {
        if value < self.long { value as u32 } else { u32::MAX }
    }

    fn short(self, value: u64) -> u16 {
        if value < self.short { value as u16 } else { u16::MAX }
    }

    /// The extra field for those of `values` that do not fit; empty when all do.
    fn extra(self, values: &[u64]) -> Vec<u8> {
        let wide: Vec<u8> = values
            .iter()
            .filter(|value| **value >= self.long)
            .flat_map(|value| value.to_le_bytes())
            .collect();
        if wide.is_empty() {
            return wide;
        }
        let mut extra = EXTRA_64.to_le_bytes().to_vec();
        extra.extend_from_slice(&(wide.len() as u16).to_le_bytes());
        extra.extend_from_slice(&wide);
        extra
    }
}

/// What determines a member's headers.
pub(super) struct Header<'a> {
    pub(super) name: &'a str,
    pub(super) size: u64,
    pub(super) crc: u32,
    pub(super) offset: u64,
}

impl Header<'_> {
    /// What stands before the content.
    pub(super) fn local(&self, fit: Fit) -> Vec<u8> {
        let extra = fit.extra(&[self.size, self.size]);
        let mut out = LOCAL.to_le_bytes().to_vec();
        self.common(fit, &extra, &mut out);
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(&extra);
        out
    }

    /// The record in the directory.
    pub(super) fn central(&self, fit: Fit) -> Vec<u8> {
        let extra = fit.extra(&[self.size, self.size, self.offset]);
        let mut out = CENTRAL.to_le_bytes().to_vec();
        out.extend_from_slice(&version(&extra).to_le_bytes());
        self.common(fit, &extra, &mut out);
        // comment length, disk, internal attributes: u16 each; external attributes: u32
        out.extend_from_slice(&[0u8; 10]);
        out.extend_from_slice(&fit.long(self.offset).to_le_bytes());
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(&extra);
        out
    }

    fn common(&self, fit: Fit, extra: &[u8], out: &mut Vec<u8>) {
        // version needed, flags, method (stored), time, date
        for field in [version(extra), 0, 0, 0, DATE] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        for field in [self.crc, fit.long(self.size), fit.long(self.size)] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        // Names are checked to have at most 255 bytes.
        for length in [self.name.len(), extra.len()] {
            out.extend_from_slice(&(length as u16).to_le_bytes());
        }
    }
}

fn version(extra: &[u8]) -> u16 {
    if extra.is_empty() { VERSION } else { VERSION_64 }
}

/// What determines the end of an archive.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) members: u64,
    /// Bytes of the directory.
    pub(super) size: u64,
    /// Where the directory starts.
    pub(super) offset: u64,
}

impl End {
    /// Everything after the directory.
    pub(super) fn encode(&self, fit: Fit) -> Vec<u8> {
        let End { members, size, offset } = *self;
        let mut out = Vec::with_capacity(END_64_LENGTH);
        if members >= fit.short || size >= fit.long || offset >= fit.long {
            out.extend_from_slice(&END_64.to_le_bytes());
            // length of the rest of the record
            out.extend_from_slice(&44u64.to_le_bytes());
            for made_by_and_needed in [VERSION_64; 2] {
                out.extend_from_slice(&made_by_and_needed.to_le_bytes());
            }
            // this disk, disk of the directory: u32 each
            out.extend_from_slice(&[0u8; 8]);
            for field in [members, members, size, offset] {
                out.extend_from_slice(&field.to_le_bytes());
            }
            out.extend_from_slice(&LOCATOR_64.to_le_bytes());
            // disk of the record above
            out.extend_from_slice(&[0u8; 4]);
            out.extend_from_slice(&offset.wrapping_add(size).to_le_bytes());
            out.extend_from_slice(&1u32.to_le_bytes());
        }
        out.extend_from_slice(&END.to_le_bytes());
        // this disk, disk of the directory: u16 each
        out.extend_from_slice(&[0u8; 4]);
        for field in [fit.short(members); 2] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        for field in [fit.long(size), fit.long(offset)] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        // comment length
        out.extend_from_slice(&[0u8; 2]);
        out
    }
}
