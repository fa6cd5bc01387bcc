//! Money in words: amounts are integers of a currency's minor unit, people read `EUR 12.50`.
//!
//! Invariant: nothing is rounded; how many decimals a currency has is ISO 4217's.

/// Currencies without a minor unit.
const WHOLE: &[&str] = &[
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
];

/// Currencies of a thousand minor units.
const THOUSANDS: &[&str] = &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

fn decimals(currency: &str) -> usize {
    match currency {
        whole if WHOLE.contains(&whole) => 0,
        thousands if THOUSANDS.contains(&thousands) => 3,
        _ => 2,
    }
}

/// `EUR 12.50` of 1250 cents.
pub fn money(minor: u64, currency: &str) -> String {
    let width = decimals(currency);
    let unit = 10u64.pow(u32::try_from(width).unwrap_or(0));
    let (major, rest) = (minor / unit, minor % unit);
    if width == 0 {
        format!("{currency} {major}")
    } else {
        format!("{currency} {major}.{rest:0width$}")
    }
}

/// 1250 cents of `12.50` or `12` euros; `None` if it is no amount of that currency.
pub(crate) fn minor(amount: &str, currency: &str) -> Option<u64> {
    let width = decimals(currency);
    let (whole, rest) = amount.split_once('.').map_or((amount, None), |(a, b)| (a, Some(b)));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if rest.is_some_and(|rest| rest.is_empty() || rest.len() != width) || !digits(whole) {
        return None;
    }
    let rest = rest.unwrap_or("0");
    let unit = 10u64.pow(u32::try_from(width).ok()?);
    let rest = if digits(rest) { rest.parse().ok()? } else { return None };
    whole.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_its_currency_and_the_decimals_of_it() {
        assert_eq!(money(19_905, "EUR"), "EUR 199.05");
        assert_eq!(money(7, "USD"), "USD 0.07");
        assert_eq!(money(1_200, "JPY"), "JPY 1200");
        assert_eq!(money(1_200, "KWD"), "KWD 1.200");
        assert_eq!(money(u64::MAX, "EUR"), "EUR 184467440737095516.15");
    }

    #[test]
    fn what_is_written_is_read_and_no_other_number_of_decimals() {
        for (amount, currency, wanted) in [
            ("199.05", "EUR", Some(19_905)),
            ("199", "EUR", Some(19_900)),
            ("1200", "JPY", Some(1_200)),
            ("1.200", "KWD", Some(1_200)),
            ("1.2", "EUR", None),
            ("1.", "JPY", None),
            ("1.00", "JPY", None),
            ("1.+5", "EUR", None),
            ("+1", "EUR", None),
            ("184467440737095516.16", "EUR", None),
        ] {
            assert_eq!(minor(amount, currency), wanted, "{currency} {amount}");
        }
    }
}
