//! Strict text encodings shared by the formats: lower-case hex, RFC 4648 base64, plain decimals.
//!
//! Invariant: each value has exactly one accepted spelling (padding required, no spare bits, no
//! leading zeros, no sign), so a changed character can never mean the same thing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Lower-case hex.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

/// `N` bytes from exactly `2 N` lower-case hex digits; anything else is `None`.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = text.as_bytes();
    if bytes.len() != 2 * N {
        return None;
    }
    let mut out = [0; N];
    for (slot, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        *slot = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(out)
}

/// A digest: exactly 64 lower-case hex digits; anything else is `None`.
pub fn hash_from_hex(text: &str) -> Option<[u8; 32]> {
    from_hex(text)
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// Exactly 8 lower-case hex digits.
pub(crate) fn u32_from_hex(text: &str) -> Option<u32> {
    from_hex(text).map(u32::from_be_bytes)
}

/// Standard base64 with padding.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Standard base64; padding is required and spare bits must be zero.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Base64 of exactly 32 bytes.
pub(crate) fn hash_from_base64(text: &str) -> Option<[u8; 32]> {
    from_base64(text)?.try_into().ok()
}

/// ASCII decimal without sign or leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { text.parse().ok() } else { None }
}

/// ASCII decimal with an optional minus sign, no leading zeros, no `-0`.
pub(crate) fn signed_decimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if decimal(digits).is_none() && digits != "9223372036854775808" || text == "-0" {
        return None;
    }
    text.parse().ok()
}

/// `2026-11-22T06:00:00Z` for Unix seconds (proleptic Gregorian calendar), for people to read.
pub(crate) fn utc(unix_seconds: u64) -> String {
    let (days, second) = (unix_seconds / 86_400, unix_seconds % 86_400);
    // Days since 0000-03-01, in 400-year eras (146,097 days): leap days fall at the end of a year.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_per_value() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "18446744073709551616", "1e3"] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
        assert_eq!(signed_decimal("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(signed_decimal("-7"), Some(-7));
        for bad in ["-0", "--1", "9223372036854775808", "+1", "-", "-01"] {
            assert_eq!(signed_decimal(bad), None, "{bad}");
        }
        assert_eq!(from_base64("AA=="), Some(vec![0]));
        for bad in ["AB==", "AA", "AA=", "AA==\n", "A A="] {
            assert_eq!(from_base64(bad), None, "{bad}");
        }
        assert_eq!(hash_from_hex(&"A0".repeat(32)), None);
        assert_eq!(hash_from_hex(&"a0".repeat(32)), Some([0xa0; 32]));
        assert_eq!(u32_from_hex("+0000001"), None);
    }

    #[test]
    fn calendar() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_709_251_200), "2024-03-01T00:00:00Z");
        assert_eq!(utc(1_767_225_599), "2025-12-31T23:59:59Z");
    }
}
