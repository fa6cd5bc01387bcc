//! The two spellings of a moment in certificates and tokens, as Unix seconds.
//!
//! Invariant: UTC with seconds and a final `Z`, as RFC 5280 4.1.2.5 and RFC 3161 2.4.2 ask; a
//! moment before 1970 counts as 1970, a leap second is not a moment.

use super::der::{Der, GENERALIZED_TIME, UTC_TIME};
use super::error::TimestampError;

/// `GeneralizedTime` of a token, whose fraction of a second is dropped: the second it lies in.
pub(super) fn of_token(value: &[u8], der: &Der) -> Result<u64, TimestampError> {
    let text = value.strip_suffix(b"Z").ok_or_else(|| der.wrong("its time is not in UTC"))?;
    let whole = match text.iter().position(|octet| *octet == b'.') {
        None => text,
        Some(point) => {
            let fraction = &text[point + 1..];
            let digits = !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit);
            if !digits || fraction.ends_with(b"0") {
                return Err(der.wrong("the fraction of its time is not in the shortest form"));
            }
            &text[..point]
        }
    };
    let [c1, c2, rest @ ..] = whole else { return Err(der.wrong("its time is no time")) };
    seconds(&[*c1, *c2], rest).ok_or_else(|| der.wrong("its time is no time"))
}

/// The next element of a certificate's validity.
pub(super) fn of_certificate(der: &mut Der) -> Result<u64, TimestampError> {
    let value = der.any()?;
    let text = value.value.strip_suffix(b"Z").ok_or_else(|| der.wrong("a time is not in UTC"))?;
    let moment = match (value.tag, text) {
        (UTC_TIME, [y1, ..]) => seconds(if *y1 >= b'5' { b"19" } else { b"20" }, text),
        (GENERALIZED_TIME, [c1, c2, rest @ ..]) => seconds(&[*c1, *c2], rest),
        _ => None,
    };
    moment.ok_or_else(|| der.wrong("a time is no time"))
}

/// Century and `YYMMDDhhmmss`.
fn seconds(century: &[u8; 2], text: &[u8]) -> Option<u64> {
    let text: &[u8; 12] = text.try_into().ok()?;
    let pair = |tens: u8, ones: u8| {
        let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        digits.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let year = pair(century[0], century[1])? * 100 + pair(text[0], text[1])?;
    let (month, day) = (pair(text[2], text[3])?, pair(text[4], text[5])?);
    let (hour, minute, second) =
        (pair(text[6], text[7])?, pair(text[8], text[9])?, pair(text[10], text[11])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_before(year, month) + day - 1;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(u64::try_from(seconds).unwrap_or(0))
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first of a month (proleptic Gregorian; years begin in March).
fn days_before(year: i64, month: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leaps + (153 * month + 2) / 5 - 719_468
}

#[cfg(test)]
mod tests {
    use super::super::der::encode;
    use super::*;
    use crate::encoding::utc;

    fn token(text: &str) -> Option<String> {
        of_token(text.as_bytes(), &Der::new(&[], "test")).ok().map(utc)
    }

    fn certificate(tag: u8, text: &str) -> Option<String> {
        let bytes = encode(tag, &[text.as_bytes()]);
        of_certificate(&mut Der::new(&bytes, "test")).ok().map(utc)
    }

    #[test]
    fn times_agree_with_the_calendar_that_prints_them() {
        for text in ["19700101000000Z", "20000228235959Z", "20240229120000Z", "21001231235959Z"] {
            let printed = token(text).unwrap();
            let digits: String = printed.chars().filter(char::is_ascii_digit).collect();
            assert_eq!(format!("{digits}Z"), text);
            assert_eq!(certificate(GENERALIZED_TIME, text), Some(printed));
        }
        assert_eq!(token("20261122070000.25Z").as_deref(), Some("2026-11-22T07:00:00Z"));
        assert_eq!(certificate(UTC_TIME, "490101000000Z").unwrap(), "2049-01-01T00:00:00Z");
        assert_eq!(certificate(UTC_TIME, "991231235959Z").unwrap(), "1999-12-31T23:59:59Z");
        assert_eq!(certificate(UTC_TIME, "500101000000Z").unwrap(), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for bad in [
            "",
            "Z",
            "20261122070000",
            "20261122070000+0100",
            "202611220700Z",
            "20261122070000.Z",
            "20261122070000.50Z",
            "20261122070000,5Z",
            "20261322070000Z",
            "20260229070000Z",
            "20260631000000Z",
            "20260600000000Z",
            "20261122240000Z",
            "20261122236000Z",
            "20261122235960Z",
            "2026112207000aZ",
            "20261122070000.5.5Z",
            "x0261122070000Z",
        ] {
            assert_eq!(token(bad), None, "{bad}");
        }
        for bad in ["4901010000Z", "490101000000", "19490101000000Z", "490001000000Z"] {
            assert_eq!(certificate(UTC_TIME, bad), None, "{bad}");
        }
        assert_eq!(certificate(GENERALIZED_TIME, "20490101000000.5Z"), None);
        assert_eq!(certificate(0x04, "490101000000Z"), None);
    }
}
