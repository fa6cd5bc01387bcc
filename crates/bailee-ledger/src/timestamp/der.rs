//! DER, as much of it as a timestamp needs: tag, length, value, and nothing twice.
//!
//! Invariants: a length has one encoding (shortest, definite), so BER is refused; a reader never
//! goes past what it was handed; it does not recurse, so that nesting costs nothing: each level is
//! asked for by the code that knows what belongs there.
//!
//! Out of scope: tag numbers above 30 and lengths above 32 bits, which no timestamp has.

use super::error::TimestampError;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Tag of a context-specific constructed field, `[n]`.
pub(super) const fn field(number: u8) -> u8 {
    0xa0 | number
}

/// Tag of a context-specific primitive field, `[n] IMPLICIT` of a simple type.
pub(super) const fn plain_field(number: u8) -> u8 {
    0x80 | number
}

/// What is left to read of a structure.
#[derive(Clone, Copy)]
pub(super) struct Der<'a> {
    rest: &'a [u8],
    what: &'static str,
}

/// One tag, length, value.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    /// The identifier octet.
    pub(super) tag: u8,
    /// The contents.
    pub(super) value: &'a [u8],
    /// All three, as they were encoded.
    pub(super) whole: &'a [u8],
}

impl<'a> Der<'a> {
    /// Reads the elements in `bytes`; `what` names the structure in errors.
    pub(super) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    /// The inside of the one element that `bytes` must be.
    pub(super) fn only(
        bytes: &'a [u8],
        tag: u8,
        what: &'static str,
    ) -> Result<Self, TimestampError> {
        let mut outer = Self::new(bytes, what);
        let inside = outer.inside(tag)?;
        outer.end()?;
        Ok(inside)
    }

    /// A named error about this structure.
    pub(super) fn wrong(&self, why: &'static str) -> TimestampError {
        TimestampError::Malformed { what: self.what, why }
    }

    /// Is everything read?
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), TimestampError> {
        if self.is_empty() { Ok(()) } else { Err(self.wrong("something follows its last field")) }
    }

    /// Is an element with this tag next?
    pub(super) fn next_is(&self, tag: u8) -> bool {
        self.rest.first() == Some(&tag)
    }

    /// The next element, whatever it is.
    pub(super) fn any(&mut self) -> Result<Element<'a>, TimestampError> {
        let [tag, first, tail @ ..] = self.rest else {
            return Err(self.wrong("it ends before its last field"));
        };
        if tag & 0x1f == 0x1f {
            return Err(self.wrong("it has a tag number above 30"));
        }
        let (length, octets) = self.length(*first, tail)?;
        let start = 2 + octets;
        let whole = start
            .checked_add(length)
            .and_then(|end| self.rest.get(..end))
            .ok_or_else(|| self.wrong("a field is longer than what contains it"))?;
        self.rest = &self.rest[whole.len()..];
        Ok(Element { tag: *tag, value: &whole[start..], whole })
    }

    /// The length, and in how many octets after the first it is written.
    fn length(&self, first: u8, tail: &[u8]) -> Result<(usize, usize), TimestampError> {
        let count = match first {
            0..=0x7f => return Ok((usize::from(first), 0)),
            0x80 => return Err(self.wrong("a length is indefinite: this is BER, not DER")),
            0x81..=0x84 => usize::from(first & 0x7f),
            _ => return Err(self.wrong("a length has more than four octets")),
        };
        let octets = tail.get(..count).ok_or_else(|| self.wrong("it ends inside a length"))?;
        let length = octets.iter().fold(0u32, |sum, octet| sum << 8 | u32::from(*octet));
        if octets[0] == 0 || length < 0x80 {
            return Err(self.wrong("a length is not written in the shortest way"));
        }
        let length = usize::try_from(length).map_err(|_| self.wrong("a length is too large"))?;
        Ok((length, count))
    }

    /// The next element, which must have this tag.
    pub(super) fn element(&mut self, tag: u8) -> Result<Element<'a>, TimestampError> {
        if !self.next_is(tag) && !self.is_empty() {
            return Err(self.wrong("a field is missing or has another type than the standard's"));
        }
        self.any()
    }

    /// The value of the next element, which must have this tag.
    pub(super) fn value(&mut self, tag: u8) -> Result<&'a [u8], TimestampError> {
        Ok(self.element(tag)?.value)
    }

    /// The value of the next element, if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, TimestampError> {
        if self.next_is(tag) { self.value(tag).map(Some) } else { Ok(None) }
    }

    /// The elements inside the next one, which must have this tag.
    pub(super) fn inside(&mut self, tag: u8) -> Result<Self, TimestampError> {
        Ok(Self { rest: self.value(tag)?, what: self.what })
    }

    /// The elements inside the next one, if it has this tag.
    pub(super) fn optional_inside(&mut self, tag: u8) -> Result<Option<Self>, TimestampError> {
        if self.next_is(tag) { self.inside(tag).map(Some) } else { Ok(None) }
    }

    /// An object identifier, as it is encoded.
    pub(super) fn oid(&mut self) -> Result<&'a [u8], TimestampError> {
        self.value(OID)
    }

    /// An integer in its shortest form, as it is encoded (two's complement).
    pub(super) fn integer(&mut self) -> Result<&'a [u8], TimestampError> {
        let value = self.value(INTEGER)?;
        self.shortest(value)?;
        Ok(value)
    }

    fn shortest(&self, value: &[u8]) -> Result<(), TimestampError> {
        match value {
            [] => Err(self.wrong("a number has no octets")),
            [0x00, next, ..] if next & 0x80 == 0 => Err(self.wrong("a number has a needless zero")),
            [0xff, next, ..] if next & 0x80 != 0 => Err(self.wrong("a number has a needless sign")),
            _ => Ok(()),
        }
    }

    /// A number from 0 up to 64 bits, with the tag it has here.
    pub(super) fn unsigned(&mut self, tag: u8) -> Result<u64, TimestampError> {
        let value = self.value(tag)?;
        self.shortest(value)?;
        let digits = value.strip_prefix(&[0]).unwrap_or(value);
        if value[0] & 0x80 != 0 || digits.len() > 8 {
            return Err(self.wrong("a number is negative or too large"));
        }
        Ok(digits.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet)))
    }

    /// `BOOLEAN DEFAULT FALSE`. A false written out is not DER, but real authorities write it.
    pub(super) fn flag(&mut self) -> Result<Flag, TimestampError> {
        match self.optional(BOOLEAN)? {
            None | Some([0x00]) => Ok(Flag::No),
            Some([0xff]) => Ok(Flag::Yes),
            Some(_) => Err(self.wrong("a truth value is neither true nor false")),
        }
    }

    /// A bit string of whole octets.
    pub(super) fn octets_of_bits(&mut self) -> Result<&'a [u8], TimestampError> {
        match self.value(BIT_STRING)? {
            [0, octets @ ..] => Ok(octets),
            _ => Err(self.wrong("a bit string does not have whole octets")),
        }
    }
}

/// A truth value of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    /// True.
    Yes,
    /// False, or absent.
    No,
}

/// One element out of its contents.
pub(super) fn encode(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let octets = (length as u64).to_be_bytes();
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        out.push(0x80 | (octets.len() - zeros) as u8);
        out.extend_from_slice(&octets[zeros..]);
    }
    for part in contents {
        out.extend_from_slice(part);
    }
    out
}

/// An `INTEGER` from 0 up to 64 bits.
pub(super) fn encode_unsigned(number: u64) -> Vec<u8> {
    encode(INTEGER, &[&integer_octets(number)])
}

/// The shortest two's complement octets of a number from 0 up.
pub(super) fn integer_octets(number: u64) -> Vec<u8> {
    let mut octets = vec![0];
    octets.extend_from_slice(&number.to_be_bytes());
    let spare = octets.windows(2).take_while(|pair| pair[0] == 0 && pair[1] & 0x80 == 0).count();
    octets.split_off(spare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<(u8, usize)> {
        let mut der = Der::new(bytes, "test");
        let element = der.any().ok()?;
        der.end().ok()?;
        assert_eq!(element.whole, bytes);
        Some((element.tag, element.value.len()))
    }

    #[test]
    fn a_length_has_one_spelling() {
        assert_eq!(read(&[0x04, 0x00]), Some((0x04, 0)));
        let long = |length: usize| encode(OCTET_STRING, &[&vec![7; length]]);
        for length in [1, 127, 128, 255, 256, 65_535, 65_536, 70_000] {
            assert_eq!(read(&long(length)), Some((0x04, length)), "{length}");
        }
        for bad in [
            &[0x04][..],
            &[0x04, 0x01],
            &[0x04, 0x80, 0x00, 0x00],
            &[0x04, 0x81, 0x01, 0x00],
            &[0x04, 0x82, 0x00, 0x80],
            &[0x04, 0x81],
            &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x04, 0x85, 0x01, 0x00, 0x00, 0x00, 0x00],
            &[0x04, 0xff],
            &[0x1f, 0x01, 0x00],
            &[0x04, 0x00, 0x00],
        ] {
            assert_eq!(read(bad), None, "{bad:02x?}");
        }
    }

    #[test]
    fn numbers_are_shortest_and_bounded() {
        for number in [0, 1, 127, 128, 255, 256, 0x8000, u64::MAX >> 1, u64::MAX] {
            let bytes = encode_unsigned(number);
            assert_eq!(Der::new(&bytes, "test").unsigned(INTEGER), Ok(number));
            assert_eq!(Der::new(&bytes, "test").integer().unwrap(), integer_octets(number));
        }
        for bad in [
            &[0x02, 0x00][..],
            &[0x02, 0x01, 0x80],
            &[0x02, 0x02, 0x00, 0x7f],
            &[0x02, 0x02, 0xff, 0x80],
            &[0x02, 0x0a, 0x00, 0xff, 1, 2, 3, 4, 5, 6, 7, 8],
        ] {
            assert!(Der::new(bad, "test").unsigned(INTEGER).is_err(), "{bad:02x?}");
        }
    }

    #[test]
    fn a_reader_stays_inside() {
        let inner = encode(SEQUENCE, &[&[0x02, 0x01, 0x05]]);
        let outer = encode(SEQUENCE, &[&inner, &[0x01, 0x01, 0xff]]);
        let mut der = Der::only(&outer, SEQUENCE, "test").unwrap();
        let mut nested = der.inside(SEQUENCE).unwrap();
        assert_eq!(nested.unsigned(INTEGER), Ok(5));
        assert!(nested.any().is_err() && nested.is_empty());
        assert_eq!(der.flag(), Ok(Flag::Yes));
        assert_eq!(der.flag(), Ok(Flag::No));
        assert!(der.end().is_ok());
        assert!(Der::new(&[0x01, 0x01, 0x01], "test").flag().is_err());
        assert!(Der::new(&[0x03, 0x02, 0x01, 0x80], "test").octets_of_bits().is_err());
    }
}
