//! The bytes of an image: numbers in LEB128, everything else in the order of its parts.
//!
//! Invariants: `get` takes exactly what `put` wrote; it answers `None` for what it cannot be; room
//! is made for no more elements than there are bytes left.

use std::collections::{BTreeMap, BTreeSet};

use crate::state::Key;

/// Something an image is made of.
pub(super) trait Image: Sized {
    /// Appends it.
    fn put(&self, out: &mut Vec<u8>);
    /// Takes it off the front.
    fn get(from: &mut &[u8]) -> Option<Self>;
}

impl Image for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }

    fn get(from: &mut &[u8]) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = from.split_first()?;
            *from = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

macro_rules! as_u64 {
    ($($type:ty)*) => {$(
        impl Image for $type {
            fn put(&self, out: &mut Vec<u8>) {
                u64::from(*self).put(out);
            }
            fn get(from: &mut &[u8]) -> Option<Self> {
                u64::get(from)?.try_into().ok()
            }
        }
    )*};
}

as_u64!(u8 u32);

impl Image for i64 {
    fn put(&self, out: &mut Vec<u8>) {
        // Zigzag: small numbers of either sign are short.
        (((self << 1) ^ (self >> 63)) as u64).put(out);
    }
    fn get(from: &mut &[u8]) -> Option<i64> {
        let folded = u64::get(from)?;
        Some((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }
}

impl Image for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn get(from: &mut &[u8]) -> Option<bool> {
        match u8::get(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl<const N: usize> Image for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn get(from: &mut &[u8]) -> Option<[u8; N]> {
        let (bytes, rest) = from.split_first_chunk::<N>()?;
        *from = rest;
        Some(*bytes)
    }
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    (text.len() as u64).put(out);
    out.extend_from_slice(text.as_bytes());
}

fn get_text<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(u64::get(from)?).ok()?;
    let (text, rest) = from.split_at_checked(length)?;
    *from = rest;
    std::str::from_utf8(text).ok()
}

macro_rules! as_text {
    ($($type:ty)*) => {$(
        impl Image for $type {
            fn put(&self, out: &mut Vec<u8>) {
                put_text(self, out);
            }
            fn get(from: &mut &[u8]) -> Option<Self> {
                get_text(from).map(Into::into)
            }
        }
    )*};
}

as_text!(String Box<str> Key);

impl<T: Image> Image for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn get(from: &mut &[u8]) -> Option<Option<T>> {
        match bool::get(from)? {
            true => T::get(from).map(Some),
            false => Some(None),
        }
    }
}

impl<A: Image, B: Image> Image for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn get(from: &mut &[u8]) -> Option<(A, B)> {
        Some((A::get(from)?, B::get(from)?))
    }
}

fn put_all<'a, T: Image + 'a>(items: impl ExactSizeIterator<Item = &'a T>, out: &mut Vec<u8>) {
    (items.len() as u64).put(out);
    items.for_each(|item| item.put(out));
}

impl<T: Image> Image for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.iter(), out);
    }
    fn get(from: &mut &[u8]) -> Option<Vec<T>> {
        let length =
            usize::try_from(u64::get(from)?).ok().filter(|length| *length <= from.len())?;
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(T::get(from)?);
        }
        Some(items)
    }
}

impl<T: Image + Ord> Image for BTreeSet<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.iter(), out);
    }
    fn get(from: &mut &[u8]) -> Option<BTreeSet<T>> {
        Some(Vec::get(from)?.into_iter().collect())
    }
}

impl<K: Image + Ord, V: Image> Image for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }
    fn get(from: &mut &[u8]) -> Option<BTreeMap<K, V>> {
        // Sorted as they were written, so this builds the tree without searching it.
        Some(Vec::<(K, V)>::get(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive() {
        let mut out = Vec::new();
        let numbers = [0, 1, 127, 128, u64::MAX >> 1, u64::MAX];
        let signed = [0, -1, 1, i64::MIN, i64::MAX];
        numbers.iter().for_each(|n| n.put(&mut out));
        signed.iter().for_each(|n| n.put(&mut out));
        let mut from = out.as_slice();
        assert!(numbers.iter().all(|n| u64::get(&mut from) == Some(*n)));
        assert!(signed.iter().all(|n| i64::get(&mut from) == Some(*n)));
        assert!(from.is_empty());
    }

    #[test]
    fn what_is_none_of_them_is_refused() {
        assert_eq!(u64::get(&mut [0x80; 10].as_slice()), None);
        assert_eq!(u8::get(&mut [0x80, 0x02].as_slice()), None);
        assert_eq!(bool::get(&mut [2].as_slice()), None);
        assert_eq!(String::get(&mut [2, b'a'].as_slice()), None);
        assert_eq!(String::get(&mut [1, 0xff].as_slice()), None);
        assert_eq!(Vec::<u8>::get(&mut [9, 1].as_slice()), None);
    }
}
