//! AWS Signature Version 4 in a header, as every S3 engine checks it.
//!
//! Invariants: the body's SHA-256 is always part of what is signed, so that an engine that checks
//! signatures checks what arrived; the secret is only ever the key of an HMAC; nothing of a
//! signature is put in a URL, which proxies and logs keep.
//!
//! Pure: the moment is given. Out of scope: signed URLs, chunked bodies, Signature Version 2.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Credentials;
use crate::hex;

/// The algorithm's name.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request as it is signed.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// Absolute path, encoded.
    pub(super) path: &'a str,
    /// Encoded `name=value` pairs, sorted, joined by `&`.
    pub(super) query: &'a str,
    /// All headers to sign: lower-case names, sorted, trimmed values; `host`, `x-amz-date` and
    /// `x-amz-content-sha256` among them.
    pub(super) headers: &'a [(String, String)],
    /// SHA-256 of the body in hexadecimal.
    pub(super) body: &'a str,
    /// The moment, `20130524T000000Z`.
    pub(super) date: &'a str,
}

/// The value of the header `authorization`.
pub(super) fn authorization(request: &Request<'_>, who: &Credentials, region: &str) -> String {
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let mut canonical = format!("{}\n{}\n{}\n", request.method, request.path, request.query);
    for (name, value) in request.headers {
        _ = writeln!(canonical, "{name}:{value}");
    }
    _ = write!(canonical, "\n{names}\n{}", request.body);
    let day = request.date.get(..8).unwrap_or_default();
    let scope = format!("{day}/{region}/s3/aws4_request");
    let digest = hex(&Sha256::digest(canonical.as_bytes()));
    let text = format!("{ALGORITHM}\n{}\n{scope}\n{digest}", request.date);
    let secret = Zeroizing::new(format!("AWS4{}", who.secret()));
    let steps = [day, region, "s3", "aws4_request"];
    let first = Zeroizing::new(secret.as_bytes().to_vec());
    let key = steps.iter().fold(first, |key, step| Zeroizing::new(mac(&key, step.as_bytes())));
    let signature = hex(&mac(&key, text.as_bytes()));
    let id = who.id();
    format!("{ALGORITHM} Credential={id}/{scope},SignedHeaders={names},Signature={signature}")
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key is taken");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// `20130524T000000Z` for seconds since 1970.
pub(super) fn amz_date(unix: u64) -> String {
    let (year, month, day) = civil(unix / 86_400);
    let (hour, minute, second) = (unix / 3_600 % 24, unix / 60 % 60, unix % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Year, month and day of a number of days since 1970 (Hinnant's algorithm, years from March).
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of AWS's own documentation of Signature Version 4 for S3.
    #[test]
    fn signs_as_the_documentation_does() {
        let who = Credentials::new(
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            None,
        );
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let welcome = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
        let date = ("date", "Fri, 24 May 2013 00:00:00 GMT");
        let class = ("x-amz-storage-class", "REDUCED_REDUNDANCY");
        for (method, path, query, extra, body, signature) in [
            (
                "GET",
                "/test.txt",
                "",
                vec![("range", "bytes=0-9")],
                empty,
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "PUT",
                "/test%24file.text",
                "",
                vec![date, class],
                welcome,
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
            (
                "GET",
                "/",
                "lifecycle=",
                vec![],
                empty,
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "GET",
                "/",
                "max-keys=2&prefix=J",
                vec![],
                empty,
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let mut headers: Vec<(String, String)> = extra
                .into_iter()
                .chain([
                    ("host", "examplebucket.s3.amazonaws.com"),
                    ("x-amz-content-sha256", body),
                    ("x-amz-date", "20130524T000000Z"),
                ])
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            headers.sort();
            let date = "20130524T000000Z";
            let request = Request { method, path, query, headers: &headers, body, date };
            let value = authorization(&request, &who, "us-east-1");
            assert!(value.ends_with(&format!("Signature={signature}")), "{path}{query}: {value}");
            assert!(!value.contains(who.secret()), "{value}");
        }
    }

    #[test]
    fn moments_are_written_as_the_protocol_wants() {
        for (unix, wanted) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_369_353_600, "20130524T000000Z"),
            (4_102_444_799, "20991231T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(amz_date(unix), wanted);
        }
    }
}
