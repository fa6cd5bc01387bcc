//! Files in a bundle for people: how to check it without this program, and what it is.
//!
//! The steps of `VERIFY.md` are run by a test exactly as they stand, so they cannot rot.

use super::Kind;

/// `VERIFY.md`: steps for a shell with openssl, sha256sum and base64.
pub const VERIFY_MD: &str = include_str!("stranger/VERIFY.md");

/// Verifiers that are not ours to trust, by their path in the bag. All of `stranger/` goes into
/// every bundle.
pub const GUIDES: &[(&str, &str)] = &[
    ("VERIFY.md", VERIFY_MD),
    ("verify.html", include_str!("stranger/verify.html")),
    ("verify.py", include_str!("stranger/verify.py")),
];

/// `README.txt` when the issuer gives none.
pub(crate) fn readme(kind: Kind, origin: &str) -> String {
    let what = match kind {
        Kind::Receipt => "a receipt: it shows that one message or decision was recorded",
        Kind::Matter => "the record of a matter, as far as its holder may see it",
        Kind::Certificate => "a certificate: it shows that a deletion or handover was recorded",
    };
    format!(
        "This is {what},\nin the log {origin}.\n\n\
         Keep the file exactly as you received it; it can be checked without asking anybody:\n\
         with `bailee verify FILE`; without our software, with verify.html in a browser, with\n\
         verify.py in Python, or by hand with the steps in VERIFY.md.\n\n\
         data/entries/     what the log committed to, with proofs, and the parts opened to you\n\
         data/exhibits/    exact copies of documents, named by their SHA-256\n\
         data/timestamps/  what independent authorities say about the time of the checkpoint\n\
         data/checkpoint   the log's signed state; policy.tlog-policy says whose keys count\n\
         bundle.note       the log's signature over all files, through the lists beside it\n\n\
         The texts for people in this bundle explain; what proves is listed above.\n"
    )
}
