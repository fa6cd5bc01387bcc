//! Timestamps against a real authority: what `openssl ts` answers is accepted in all its forms, and
//! everything that is not such an answer is refused by name.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use bailee_ledger::hash::sha256;
use bailee_ledger::timestamp::{
    MAX_CLOCK_DIFFERENCE, Request, Roots, TimestampError, Token, accept, verify, verify_series,
};
use bailee_ledger::{Hash, to_hex};

use crate::authority::{
    Authority, ISSUES, Issue, Key, OTHER_POLICY, POLICY, STAMPS, Stamping, element, info, sequence,
};

const FILE: &[u8] = b"a signed checkpoint, cosigned";
const NONCE: u64 = 0x8000_0000_0000_0001;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn request() -> Request {
    Request::new(sha256(FILE), NONCE)
}

fn roots(authority: &Authority) -> Roots {
    Roots::from_pem(&authority.pem(&["root"])).unwrap()
}

fn check(authority: &Authority, response: &[u8]) -> Result<Token, TimestampError> {
    verify(response, &sha256(FILE), &roots(authority), 0)
}

/// The name of the check that refused.
fn refusal(result: Result<Token, TimestampError>) -> String {
    let error = format!("{:?}", result.unwrap_err());
    error.split([' ', '(']).next().unwrap_or_default().to_owned()
}

/// `openssl ts -verify`, the second opinion.
fn openssl_accepts(authority: &Authority, response: &[u8]) -> Result<(), String> {
    authority.write("file", FILE);
    authority.write("response", response);
    let arguments = ["ts", "-verify", "-data", "file", "-in", "response", "-CAfile", "root.pem"];
    authority.try_openssl(&arguments).map(drop)
}

/// The third opinion: `rfc3161-client` of PyPI, in the environment that `cargo xtask setup` makes.
fn rfc3161_client_accepts(authority: &Authority, responses: &[Vec<u8>]) {
    const PROGRAM: &str = r#"
import hashlib, sys
from cryptography.x509 import load_pem_x509_certificate
from rfc3161_client import VerifierBuilder, decode_timestamp_response
root = load_pem_x509_certificate(open("root.pem", "rb").read())
verifier = VerifierBuilder().add_root_certificate(root).nonce(int(sys.argv[1])).build()
for number in range(int(sys.argv[2])):
    response = decode_timestamp_response(open(f"response-{number}", "rb").read())
    assert verifier.verify_message(response, open("file", "rb").read())
    print("accepted", number)
"#;
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("tools/python/bin/python");
    assert!(python.exists(), "no {}: run `cargo xtask setup`", python.display());
    authority.write("file", FILE);
    for (number, response) in responses.iter().enumerate() {
        authority.write(&format!("response-{number}"), response);
    }
    let count = responses.len().to_string();
    let mut command = Command::new(python);
    command.args(["-c", PROGRAM, &NONCE.to_string(), &count]).current_dir(authority.path("."));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.lines().count(), responses.len(), "{said}{failed}");
}

/// What is accepted as the answer to [`request`], by us and by OpenSSL.
fn accepted(authority: &Authority, how: &Stamping, all: &mut Vec<Vec<u8>>) -> Token {
    let response = authority.stamp(&request().to_der(), how);
    openssl_accepts(authority, &response).unwrap();
    all.push(response.clone());
    let token = accept(&response, &request(), &roots(authority), now()).unwrap();
    assert_eq!(verify(&response, &sha256(FILE), &roots(authority), 0).as_ref(), Ok(&token));
    assert_eq!(token.policy, POLICY);
    assert!(token.time.abs_diff(now()) < MAX_CLOCK_DIFFERENCE, "{token:?}");
    token
}

/// A token by `openssl cms` with its signer and these further arguments.
fn signed(authority: &Authority, signer: &str, more: &[&str]) -> Vec<u8> {
    let (pem, key) = (format!("{signer}.pem"), format!("{signer}.key"));
    let own = ["-cades", "-md", "sha256", "-signer", &pem, "-inkey", &key];
    authority.sign(&info(&sha256(FILE), "20261001120000Z"), &[&own[..], more].concat())
}

#[test]
fn answers_of_every_kind_of_key_and_digest_are_accepted() {
    for key in [Key::Rsa(2048), Key::P256, Key::P384] {
        let (authority, mut all) = (Authority::with_signer(key), Vec::new());
        for digest in ["sha256", "sha384", "sha512"] {
            for ess in ["sha1", "sha256", "sha512"] {
                let how = Stamping { digest, ess, ..Stamping::default() };
                let token = accepted(&authority, &how, &mut all);
                assert_eq!(
                    token.authority, "C=NL, O=Bailee tests, CN=tsa",
                    "{key:?} {digest} {ess}"
                );
                assert_eq!((token.expires, token.chain_expires), (2_366_841_600, 2_366_841_600));
                assert_eq!(token.accuracy_micros, None);
            }
        }
        rfc3161_client_accepts(&authority, &all);
        let weak = Stamping { digest: "sha1", ..Stamping::default() };
        let response = authority.stamp(&request().to_der(), &weak);
        assert_eq!(refusal(check(&authority, &response)), "UnsupportedAlgorithm", "{key:?}");
    }
}

#[test]
fn certificates_come_in_any_order_and_number() {
    let (authority, mut all) = (Authority::new(), Vec::new());
    let ca = Issue { extensions: ISSUES, until: "20400101000000Z", ..Issue::default() };
    authority.issue("upper", &ca);
    authority.issue("lower", &Issue { issuer: "upper", key: Key::Rsa(2048), ..ca });
    authority.issue("tsa", &Issue { issuer: "lower", ..Issue::default() });
    for certs in [
        &["lower", "upper"][..],
        &["upper", "lower"],
        &["root", "upper", "lower"],
        &["lower", "root", "upper"],
    ] {
        for more in ["", "ess_cert_id_chain=yes\n"] {
            let how = Stamping { certs, more, ..Stamping::default() };
            let token = accepted(&authority, &how, &mut all);
            assert_eq!(token.expires, 2_366_841_600);
            assert_eq!(token.chain_expires, 2_208_988_800, "the shortest of the chain");
        }
    }
    let ders: Vec<_> = ["tsa", "lower", "upper", "root"].map(|name| authority.der(name)).into();
    let sorted: Vec<_> = all.iter().map(|response| sorted(response, &ders)).collect();
    assert!(sorted.iter().all(|response| check(&authority, response).is_ok()));
    assert_ne!(sorted, all, "OpenSSL sends them unsorted");
    // It reads sorted sets only; the order is under no signature.
    rfc3161_client_accepts(&authority, &sorted);
    let response = authority.stamp(&request().to_der(), &Stamping::default());
    assert_eq!(refusal(check(&authority, &response)), "NoChain", "the chain is not sent");
    let pem = authority.pem(&["upper", "root", "lower"]);
    let helped = Roots::from_pem(&pem).unwrap();
    assert_eq!(helped.len(), 1, "those that are not self-signed are no roots");
    assert!(verify(&response, &sha256(FILE), &helped, 0).is_ok());
}

/// The response with its certificates, which follow one another, in the order of a DER set.
fn sorted(response: &[u8], ders: &[Vec<u8>]) -> Vec<u8> {
    let place = |der: &Vec<u8>| response.windows(der.len()).position(|part| part == der);
    let start = ders.iter().filter_map(place).min().unwrap();
    let mut there: Vec<&Vec<u8>> = ders.iter().filter(|der| place(der).is_some()).collect();
    there.sort();
    let certificates = there.iter().map(|der| der.as_slice()).collect::<Vec<_>>().concat();
    let end = start + certificates.len();
    [&response[..start], &certificates, &response[end..]].concat()
}

#[test]
fn what_an_authority_may_add_is_read() {
    let authority = Authority::with_signer(Key::P256);
    let more = "accuracy=secs:1, millisecs:500, microsecs:100\nordering=yes\ntsa_name=yes\n\
                clock_precision_digits=6\n";
    let mut all = Vec::new();
    let token = accepted(&authority, &Stamping { more, ..Stamping::default() }, &mut all);
    rfc3161_client_accepts(&authority, &all);
    assert_eq!(token.accuracy_micros, Some(1_500_100));
    let asked = request().under(OTHER_POLICY).unwrap();
    let response = authority.stamp(&asked.to_der(), &Stamping::default());
    let token = accept(&response, &asked, &roots(&authority), now()).unwrap();
    assert_eq!(token.policy, OTHER_POLICY);
    assert!(!token.serial.is_empty());
}

#[test]
fn pss_and_key_identifiers_are_accepted() {
    let authority = Authority::with_signer(Key::Rsa(2048));
    for digest in ["sha256", "sha384", "sha512"] {
        let salt = "rsa_pss_saltlen:-1";
        let pss = ["-keyopt", "rsa_padding_mode:pss", "-keyopt", salt, "-md", digest];
        let response = signed(&authority, "tsa", &pss);
        assert_eq!(check(&authority, &response).unwrap().time, 1_790_856_000, "{digest}");
        // `openssl ts` cannot read PSS; `openssl cms` can.
        authority.write("token", &response[9..]);
        let file = ["-in", "token", "-out", "content", "-CAfile", "root.pem"];
        let verify = ["cms", "-verify", "-binary", "-inform", "DER", "-purpose", "timestampsign"];
        authority.openssl(&[&verify[..], &file].concat());
    }
    let long = ["-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:20"];
    assert_eq!(
        refusal(check(&authority, &signed(&authority, "tsa", &long))),
        "UnsupportedAlgorithm"
    );
    let by_key = signed(&authority, "tsa", &["-keyid"]);
    assert!(check(&authority, &by_key).is_ok(), "{:?}", check(&authority, &by_key));
}

#[test]
fn an_answer_to_another_question_is_refused() {
    let authority = Authority::with_signer(Key::P256);
    let response = authority.stamp(&request().to_der(), &Stamping::default());
    let answer =
        |request: &Request, at| refusal(accept(&response, request, &roots(&authority), at));
    assert_eq!(answer(&Request::new(sha256(b"other"), NONCE), now()), "WrongImprint");
    assert_eq!(answer(&Request::new(sha256(FILE), NONCE + 1), now()), "WrongNonce");
    let other_policy = request().under(OTHER_POLICY).unwrap();
    assert_eq!(answer(&other_policy, now()), "WrongPolicy");
    assert_eq!(answer(&request(), now() + 2 * MAX_CLOCK_DIFFERENCE), "ClocksApart");
    assert_eq!(answer(&request(), now() - 2 * MAX_CLOCK_DIFFERENCE), "ClocksApart");
    let without = signed(&authority, "tsa", &[]);
    let wrong = accept(&without, &request(), &roots(&authority), now());
    assert_eq!(refusal(wrong), "WrongNonce", "an answer without a nonce may be an old one");
    let refused = request().under("2.999.9").unwrap();
    let response = authority.stamp(&refused.to_der(), &Stamping::default());
    let error = accept(&response, &refused, &roots(&authority), now()).unwrap_err();
    assert!(error.to_string().contains("policy not supported"), "{error}");
    assert!(Request::new(sha256(FILE), 1).under("policy").is_err());
    let mut granted = authority.stamp(&request().to_der(), &Stamping::default());
    let status = granted.windows(3).position(|three| three == [0x02, 0x01, 0x00]).unwrap() + 2;
    granted[status] = 1;
    assert_eq!(refusal(check(&authority, &granted)), "Refused", "granted with modifications");
}

/// Every octet, every bit: nothing of an answer can change unnoticed.
#[test]
fn an_altered_bit_anywhere_is_noticed() {
    let authority = Authority::new();
    authority.issue("ca", &Issue { extensions: ISSUES, ..Issue::default() });
    authority.issue("tsa", &Issue { issuer: "ca", ..Issue::default() });
    let more = "accuracy=secs:1\nordering=yes\ntsa_name=yes\n";
    let how = Stamping { certs: &["ca"], more, ..Stamping::default() };
    let response = authority.stamp(&request().to_der(), &how);
    let roots = roots(&authority);
    assert!(verify(&response, &sha256(FILE), &roots, 0).is_ok());
    for at in 0..response.len() {
        for bit in 0..8 {
            let mut altered = response.clone();
            altered[at] ^= 1 << bit;
            let result = verify(&altered, &sha256(FILE), &roots, 0);
            assert!(result.is_err(), "octet {at} of {}, bit {bit}", response.len());
        }
    }
}

/// The one place that nothing covers: a certificate that the chain does not need, here the root
/// that is pinned anyway. Authorities send such certificates, so they cannot be refused.
#[test]
fn only_a_certificate_that_no_chain_needs_can_be_altered() {
    let authority = Authority::with_signer(Key::Rsa(2048));
    let how = Stamping { certs: &["root"], ..Stamping::default() };
    let response = authority.stamp(&request().to_der(), &how);
    let root = authority.der("root");
    let start = response.windows(root.len()).position(|part| part == root).unwrap();
    let roots = roots(&authority);
    let mut unnoticed = 0;
    for at in 0..response.len() {
        let mut altered = response.clone();
        altered[at] ^= 0x01;
        if verify(&altered, &sha256(FILE), &roots, 0).is_ok() {
            assert!((start..start + root.len()).contains(&at), "octet {at}");
            unnoticed += 1;
        }
    }
    assert!(unnoticed > 0 && unnoticed < root.len(), "{unnoticed}");
}

#[test]
fn a_piece_of_an_answer_and_more_than_one_are_refused() {
    let authority = Authority::with_signer(Key::P256);
    let response = authority.stamp(&request().to_der(), &Stamping::default());
    for length in 0..response.len() {
        assert_eq!(refusal(check(&authority, &response[..length])), "Malformed", "{length}");
    }
    let longer = [&response[..], &[0]].concat();
    assert_eq!(refusal(check(&authority, &longer)), "Malformed");
    let nested = sequence(&[&sequence(&[&[0x02, 0x01, 0x00]]), &response]);
    assert!(check(&authority, &nested).is_err());
}

#[test]
fn garbage_and_bombs_are_refused() {
    let authority = Authority::with_signer(Key::P256);
    assert_eq!(refusal(check(&authority, &vec![0x30; 10 << 20])), "TooLarge");
    let mut bomb = vec![0x30, 0x00];
    while bomb.len() < 200_000 {
        bomb = element([0x30, 0x31, 0xa0, 0x24][bomb.len() % 4], &[&bomb]);
    }
    assert_eq!(refusal(check(&authority, &bomb)), "Malformed");
    let status = sequence(&[&[0x02, 0x01, 0x00]]);
    for tag in [0x30, 0x31, 0xa0, 0x04] {
        let inner = element(tag, &[&bomb]);
        assert_eq!(refusal(check(&authority, &sequence(&[&status, &inner]))), "Malformed");
    }
    for open in [[0x30, 0x80], [0x30, 0x84]] {
        assert_eq!(refusal(check(&authority, &open.repeat(1_000))), "Malformed");
    }
    let many = vec![authority.pem(&["tsa"]); 9].concat();
    assert!(Roots::from_pem(&[authority.pem(&["root"]), many].concat()).is_err());
    let empty = Roots::from_pem(b"").unwrap_err();
    assert!(matches!(empty, TimestampError::BadRoots(_)), "{empty}");
    assert!(Roots::from_pem(&authority.pem(&["tsa"])).is_err(), "nothing self-signed");
    assert!(Roots::from_pem(&vec![b'\n'; 2 << 20]).is_err());
}

#[test]
fn a_certificate_that_may_not_stamp_is_refused() {
    let authority = Authority::new();
    let base = "basicConstraints=critical,CA:false\n";
    for (name, extensions, wanted) in [
        ("none", base.to_owned(), "WrongPurpose"),
        ("soft", format!("{base}extendedKeyUsage=timeStamping\n"), "WrongPurpose"),
        ("tls", format!("{base}extendedKeyUsage=critical,serverAuth\n"), "WrongPurpose"),
        (
            "two",
            format!("{base}extendedKeyUsage=critical,timeStamping,codeSigning\n"),
            "WrongPurpose",
        ),
        ("cipher", STAMPS.replace("digitalSignature", "keyEncipherment"), "WrongPurpose"),
        (
            "both",
            STAMPS.replace("digitalSignature", "digitalSignature,keyAgreement"),
            "WrongPurpose",
        ),
        ("issuer", STAMPS.replace("CA:false", "CA:true"), "NoChain"),
    ] {
        authority.issue(name, &Issue { extensions: &extensions, ..Issue::default() });
        let response = signed(&authority, name, &[]);
        assert_eq!(refusal(check(&authority, &response)), wanted, "{name}");
        assert!(openssl_accepts(&authority, &response).is_err() || name == "issuer", "{name}");
    }
    authority.issue("tsa", &Issue::default());
    let honest = signed(&authority, "tsa", &[]);
    assert!(check(&authority, &honest).is_ok(), "{:?}", check(&authority, &honest));
    openssl_accepts(&authority, &honest).unwrap();
}

#[test]
fn a_chain_must_lead_to_a_given_root_and_be_valid_then() {
    let authority = Authority::new();
    authority.issue("old", &Issue { until: "20250101000000Z", ..Issue::default() });
    authority.issue("new", &Issue { from: "20300101000000Z", ..Issue::default() });
    authority.issue("tsa", &Issue { until: "20270101000000Z", ..Issue::default() });
    let made_for = |signer: &str| check(&authority, &signed(&authority, signer, &[]));
    assert_eq!(refusal(made_for("old")), "Expired");
    assert_eq!(refusal(made_for("new")), "NotYetValid");
    let response = signed(&authority, "tsa", &[]);
    let at = |moment| verify(&response, &sha256(FILE), &roots(&authority), moment);
    assert_eq!(at(0).unwrap().expires, 1_798_761_600);
    assert!(at(1_798_761_600).is_ok(), "the last second counts");
    assert_eq!(refusal(at(1_798_761_601)), "Expired");

    let stranger = Authority::with_signer(Key::P256);
    let own =
        stranger.stamp(&request().to_der(), &Stamping { certs: &["root"], ..Stamping::default() });
    assert_eq!(refusal(check(&authority, &own)), "NoChain", "a self-made chain");
    assert!(check(&stranger, &own).is_ok());

    let own_root = Issue { issuer: "short", extensions: ISSUES, ..Issue::default() };
    authority.issue("short", &Issue { until: "20260901000000Z", ..own_root });
    authority.issue("late", &Issue { issuer: "short", ..Issue::default() });
    let late = signed(&authority, "late", &[]);
    let pinned = Roots::from_pem(&authority.pem(&["short"])).unwrap();
    assert_eq!(refusal(verify(&late, &sha256(FILE), &pinned, 0)), "Expired", "the root itself");
}

#[test]
fn an_issuer_must_be_one() {
    let authority = Authority::new();
    let ca = Issue { extensions: ISSUES, ..Issue::default() };
    for (name, extensions) in [
        ("leaf", STAMPS.to_owned()),
        ("mute", ISSUES.replace("keyCertSign,", "")),
        ("tls", format!("{ISSUES}extendedKeyUsage=serverAuth\n")),
    ] {
        authority.issue(name, &Issue { extensions: &extensions, ..ca });
        let signer = format!("by-{name}");
        authority.issue(&signer, &Issue { issuer: name, ..Issue::default() });
        let response = signed(&authority, &signer, &["-certfile", &format!("{name}.pem")]);
        assert_eq!(refusal(check(&authority, &response)), "NoChain", "{name}");
    }
    authority.issue(
        "ca",
        &Issue { extensions: &format!("{ISSUES}extendedKeyUsage=timeStamping\n"), ..ca },
    );
    authority.issue("tsa", &Issue { issuer: "ca", ..Issue::default() });
    let response = signed(&authority, "tsa", &["-certfile", "ca.pem"]);
    assert!(check(&authority, &response).is_ok());
}

/// Each further issuer of the same name multiplies the ways to try: five are refused, four
/// searched.
#[test]
fn certificates_of_one_name_are_few() {
    let authority = Authority::new();
    let ca = Issue { extensions: ISSUES, ..Issue::default() };
    for number in 0..5 {
        authority.issue("ca", &ca);
        authority.write(&format!("ca{number}.pem"), &authority.pem(&["ca"]));
        authority.write(&format!("ca{number}.key"), &authority.read("ca.key"));
        std::fs::remove_file(authority.path("ca.key")).unwrap();
    }
    authority.issue("tsa", &Issue { issuer: "ca3", ..Issue::default() });
    let with = |names: &[&str]| {
        authority.write("more.pem", &authority.pem(names));
        check(&authority, &signed(&authority, "tsa", &["-certfile", "more.pem"]))
    };
    assert!(with(&["ca0", "ca1", "ca2", "ca3"]).is_ok());
    let error = with(&["ca0", "ca1", "ca2", "ca3", "ca4"]).unwrap_err();
    assert!(error.to_string().contains("of one name"), "{error}");
    assert_eq!(refusal(with(&["ca0", "ca1"])), "NoChain");
}

#[test]
fn signer_and_certificate_must_be_one_and_the_same() {
    let authority = Authority::with_signer(Key::P256);
    authority.issue("second", &Issue::default());
    let two = signed(&authority, "tsa", &["-signer", "second.pem", "-inkey", "second.key"]);
    assert_eq!(refusal(check(&authority, &two)), "Signers");
    let bare = signed(&authority, "tsa", &["-nocerts"]);
    assert_eq!(refusal(check(&authority, &bare)), "MissingCertificate");
    let other = signed(&authority, "tsa", &["-nocerts", "-certfile", "second.pem"]);
    assert_eq!(refusal(check(&authority, &other)), "MissingCertificate");
    let unnamed = ["-md", "sha256", "-signer", "tsa.pem", "-inkey", "tsa.key"];
    let unnamed = authority.sign(&info(&sha256(FILE), "20261001120000Z"), &unnamed);
    assert_eq!(refusal(check(&authority, &unnamed)), "UnnamedCertificate");

    // The same key, certified twice under one serial number: only ESSCertID tells them apart.
    let response = authority.stamp(&request().to_der(), &Stamping::default());
    let old = authority.der("tsa");
    let serial = authority.openssl(&["x509", "-in", "tsa.pem", "-noout", "-serial"]);
    let serial = String::from_utf8(serial).unwrap().trim().replace("serial=", "0x");
    authority.openssl(&[
        "x509",
        "-req",
        "-in",
        "tsa.csr",
        "-CA",
        "root.pem",
        "-CAkey",
        "root.key",
        "-set_serial",
        &serial,
        "-extfile",
        "tsa.ext",
        "-days",
        "400",
        "-out",
        "tsa.pem",
    ]);
    let new = authority.der("tsa");
    assert_ne!(new, old);
    let swapped = replaced(&response, last_of(&response, &old), &old, &new);
    assert_eq!(refusal(check(&authority, &swapped)), "OtherCertificate");
}

fn last_of(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).rposition(|here| here == part).unwrap()
}

/// The response with the element `old` that begins at `at` replaced: all lengths around it are
/// written anew.
fn replaced(bytes: &[u8], at: usize, old: &[u8], new: &[u8]) -> Vec<u8> {
    if at == 0 && bytes == old {
        return new.to_vec();
    }
    let header = |bytes: &[u8]| match bytes[1] {
        short @ 0..0x80 => (2, usize::from(short)),
        long => {
            let octets = &bytes[2..2 + usize::from(long & 0x7f)];
            let length = octets.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet));
            (2 + octets.len(), length)
        }
    };
    let mut place = header(bytes).0;
    let mut parts = Vec::new();
    while place < bytes.len() {
        let (start, length) = header(&bytes[place..]);
        let part = &bytes[place..place + start + length];
        let inside = (place..place + part.len()).contains(&at);
        parts.push(if inside { replaced(part, at - place, old, new) } else { part.to_vec() });
        place += part.len();
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    element(bytes[0], &parts)
}

#[test]
fn the_three_places_for_an_algorithm_must_agree() {
    let authority = Authority::with_signer(Key::P256);
    let response = authority.stamp(&request().to_der(), &Stamping::default());
    let sha256_oid = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
    let ecdsa = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let places = |oid: &[u8]| {
        let all = response.windows(oid.len()).enumerate();
        all.filter(|(_, part)| *part == oid).map(|(at, _)| at + oid.len() - 1).collect::<Vec<_>>()
    };
    let digests = places(&sha256_oid);
    let altered = |at: usize, last: u8| {
        let mut altered = response.clone();
        altered[at] = last;
        check(&authority, &altered).unwrap_err()
    };
    let list = TimestampError::AlgorithmMismatch { slot: "list of digests" };
    let signature = TimestampError::AlgorithmMismatch { slot: "signature algorithm" };
    let (first, last) = (digests[0], digests[digests.len() - 1]);
    assert_eq!(altered(first, 2), list, "digestAlgorithms");
    assert_eq!(altered(last, 2), list, "the signer's digest");
    assert_eq!(altered(places(&ecdsa).pop().unwrap(), 3), signature, "the signature's");
    assert!(matches!(altered(first, 4), TimestampError::UnsupportedAlgorithm { .. }));
    let mut both = response.clone();
    (both[first], both[last]) = (3, 3);
    assert_eq!(check(&authority, &both).unwrap_err(), signature);

    // A signature algorithm for keys of another kind than the certificate's.
    let rsa = Authority::with_signer(Key::Rsa(2048));
    let made = rsa.stamp(&request().to_der(), &Stamping::default());
    let plain = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    let plain = sequence(&[&element(0x06, &[&plain]), &[0x05, 0x00]]);
    let ecdsa = sequence(&[&element(0x06, &[&ecdsa])]);
    let swapped = replaced(&made, last_of(&made, &plain), &plain, &ecdsa);
    let key = TimestampError::AlgorithmMismatch { slot: "key of the signing certificate" };
    assert_eq!(check(&rsa, &swapped).unwrap_err(), key);
}

#[test]
fn what_is_signed_must_be_a_timestamp() {
    let authority = Authority::with_signer(Key::P256);
    let own = ["-cades", "-signer", "tsa.pem", "-inkey", "tsa.key"];
    let sign = |content: &[u8]| check(&authority, &authority.sign(content, &own));
    let good = info(&sha256(FILE), "20261001120000Z");
    assert!(sign(&good).is_ok());
    let mail = authority.sign_as("1.2.840.113549.1.7.1", &good, &own);
    assert_eq!(refusal(check(&authority, &mail)), "Malformed", "version 1 is plain data");
    let receipt = authority.sign_as("1.2.840.113549.1.9.16.1.1", &good, &own);
    let error = check(&authority, &receipt).unwrap_err();
    assert_eq!(error, TimestampError::NotATimestamp("1.2.840.113549.1.9.16.1.1".to_owned()));
    for (bad, why) in [
        (info(&sha256(FILE), "20261001120000"), "no zone"),
        (info(&sha256(FILE), "20261301120000Z"), "no month"),
        ([&good[..], &[0]].concat(), "trailing"),
        (good[..good.len() - 1].to_vec(), "truncated"),
        (b"hello".to_vec(), "no structure"),
    ] {
        assert_eq!(refusal(sign(&bad)), "Malformed", "{why}");
    }
    assert_eq!(refusal(sign(&info(&sha256(b"x"), "20261001120000Z"))), "WrongImprint");
    assert_eq!(refusal(sign(&info(&[7; 20], "20261001120000Z"))), "WrongImprint");
    let extension = |critical: &[u8]| {
        let one = sequence(&[&[0x06, 0x02, 0x2a, 0x03], critical, &[0x04, 0x00]]);
        let fields = &good[good.len() - usize::from(good[1])..];
        sequence(&[fields, &element(0xa1, &[&one])])
    };
    assert!(sign(&extension(&[])).is_ok());
    assert_eq!(refusal(sign(&extension(&[0x01, 0x01, 0xff]))), "UnsupportedAlgorithm");
}

#[test]
fn a_series_outlives_the_certificate_of_its_first_token() {
    let authority = Authority::new();
    authority.issue("first", &Issue { until: "20270101000000Z", ..Issue::default() });
    authority.issue("second", &Issue { until: "20290101000000Z", ..Issue::default() });
    let stamp = |signer: &str, over: &Hash, time: &str| {
        let (pem, key) = (format!("{signer}.pem"), format!("{signer}.key"));
        authority.sign(&info(over, time), &["-cades", "-signer", &pem, "-inkey", &key])
    };
    let roots = roots(&authority);
    let one = stamp("first", &sha256(FILE), "20261001120000Z");
    let two = stamp("second", &sha256(&one), "20261215120000Z");
    let three = stamp("second", &sha256(&two), "20280601120000Z");
    let series = |files: &[&Vec<u8>], at| verify_series(files, &sha256(FILE), &roots, at);
    let in_2028 = 1_840_000_000;
    assert!(matches!(series(&[&one], in_2028), Err(TimestampError::InSeries { number: 0, .. })));
    let tokens = series(&[&one, &two], in_2028).unwrap();
    assert_eq!((tokens[0].time, tokens[1].time), (1_790_856_000, 1_797_336_000));
    assert_eq!(series(&[&one, &two, &three], in_2028).unwrap().len(), 3);
    assert_eq!(series(&[], in_2028), Ok(Vec::new()));

    // A renewal that came too late, over something else, out of order, or before what it covers.
    let late = stamp("second", &sha256(&one), "20270601120000Z");
    let number = |result: Result<Vec<Token>, TimestampError>| match result.unwrap_err() {
        TimestampError::InSeries { number, error } => (number, format!("{error}")),
        other => panic!("{other}"),
    };
    let (at, why) = number(series(&[&one, &late], 0));
    assert!(at == 0 && why.contains("expired at 2027-01-01T00:00:00Z"), "{why}");
    assert_eq!(number(series(&[&one, &three], 0)).0, 1);
    assert_eq!(number(series(&[&two, &one], 0)).0, 1);
    let before = stamp("second", &sha256(&one), "20260901120000Z");
    assert_eq!(series(&[&one, &before], 0), Err(TimestampError::Backwards(1)));
    let mut altered = one.clone();
    let end = altered.len() - 1;
    altered[end] ^= 1;
    assert_eq!(number(series(&[&altered, &two], 0)).0, 1, "the renewal covers every octet");
}

#[test]
fn a_request_is_what_openssl_reads() {
    let authority = Authority::new();
    authority.write("query", &request().under(POLICY).unwrap().to_der());
    let text = authority.openssl(&["ts", "-query", "-in", "query", "-text"]);
    let text = String::from_utf8(text).unwrap();
    for line in [
        "Version: 1",
        "Hash Algorithm: sha256",
        "Policy OID: 2.999.1",
        "Nonce: 0x8000000000000001",
        "Certificate required: yes",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let digest = to_hex(&sha256(FILE));
    assert!(text.replace([' ', '-'], "").contains(&digest[..16]), "{text}");
}

/// Committed answers, so that what was accepted once stays accepted; the fuzz target begins there.
#[test]
fn the_seeds_of_the_fuzz_target_are_accepted() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let pem = std::fs::read(fuzz.join("timestamp-root.pem")).unwrap();
    let roots = Roots::from_pem(&pem).unwrap();
    let check = |name: &str| {
        let seed = std::fs::read(fuzz.join("corpus/timestamp").join(name)).unwrap();
        let (imprint, response) = seed.split_first_chunk::<32>().unwrap();
        verify(response, imprint, &roots, 0)
    };
    for (name, authority) in [
        ("ec", "O=Fuzz, CN=tsa"),
        ("ec-sha1-id", "O=Fuzz, CN=tsa"),
        ("rsa-chain", "O=Fuzz, CN=rsa"),
        ("rsa-unsorted", "O=Fuzz, CN=rsa"),
        ("pss", "O=Fuzz, CN=rsa"),
    ] {
        assert_eq!(check(name).unwrap().authority, authority, "{name}");
    }
    assert_eq!(refusal(check("refused")), "Refused");
}
