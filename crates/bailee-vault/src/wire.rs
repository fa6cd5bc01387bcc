//! The one byte language of the vault's own records: fixed-width big-endian integers and
//! length-prefixed byte strings, in a fixed order.
//!
//! Invariants: there is exactly one encoding of a record; a reader never trusts a length beyond
//! the bytes it holds, never panics, and `end` refuses what is left over. Out of scope: meaning.

/// What a reader found wrong, in words for `VaultError::Damaged`.
pub(crate) type Malformed = &'static str;

/// Appends fields to a byte vector.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn u8(&mut self, v: u8) {
        self.0.push(v);
    }
    pub(crate) fn u16(&mut self, v: u16) {
        self.0.extend_from_slice(&v.to_be_bytes());
    }
    pub(crate) fn u32(&mut self, v: u32) {
        self.0.extend_from_slice(&v.to_be_bytes());
    }
    pub(crate) fn u64(&mut self, v: u64) {
        self.0.extend_from_slice(&v.to_be_bytes());
    }
    pub(crate) fn i64(&mut self, v: i64) {
        self.0.extend_from_slice(&v.to_be_bytes());
    }
    pub(crate) fn raw(&mut self, v: &[u8]) {
        self.0.extend_from_slice(v);
    }
    /// A `u32` length and the bytes.
    pub(crate) fn bytes(&mut self, v: &[u8]) {
        let len = u32::try_from(v.len()).expect("fields are far below 4 GiB: names and xattrs");
        self.u32(len);
        self.raw(v);
    }
    /// A `u32` count of what follows.
    pub(crate) fn count(&mut self, n: usize) {
        self.u32(u32::try_from(n).expect("counts are bounded by memory long before 2^32 records"));
    }
}

/// Reads fields off a slice.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn raw(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.0.split_at_checked(len).ok_or("a record ends too early")?;
        self.0 = tail;
        Ok(head)
    }
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.raw(N)?.try_into().map_err(|_| "a record ends too early")
    }
    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_be_bytes(self.array()?))
    }
    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }
    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }
    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }
    pub(crate) fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.array()?))
    }
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u32()?;
        self.raw(len as usize)
    }
    pub(crate) fn text(&mut self) -> Result<String, Malformed> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| "a text is not UTF-8")
    }
    /// A count of records that are each at least `least` bytes, so that it cannot ask for more
    /// memory than the input justifies.
    pub(crate) fn count(&mut self, least: usize) -> Result<usize, Malformed> {
        let n = self.u32()? as usize;
        if n.saturating_mul(least) > self.0.len() {
            return Err("a count is larger than the record");
        }
        Ok(n)
    }
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err("bytes are left over") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let mut w = Writer::default();
        w.u16(7);
        w.bytes(b"abc");
        let mut r = Reader(&w.0);
        assert_eq!(r.u16(), Ok(7));
        assert!(r.end().is_err());
        assert_eq!(r.bytes(), Ok(&b"abc"[..]));
        assert_eq!(r.end(), Ok(()));
        assert!(Reader(&[255, 255, 255, 255, 0]).bytes().is_err());
        assert!(Reader(&[255, 255, 255, 255, 0]).count(1).is_err());
    }
}
