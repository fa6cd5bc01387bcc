//! How every question of ours to another machine is asked: of engines, servers, witnesses and logs.
//!
//! Invariants: TLS is rustls over aws-lc, with the public roots or those that somebody gave
//! instead, never both; redirects are not followed, so that what is signed, and a token, reach whom
//! they were made for; a status is an answer, whose meaning is the caller's.
//!
//! It is in this crate because a store of objects asks too, and the arrows lead here. Out of scope:
//! how long to wait, and whether to ask again.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::typestate::AgentScope;

/// What all agents have in common; the caller adds how long it waits.
pub fn asking(roots: RootCerts) -> ConfigBuilder<AgentScope> {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .root_certs(roots)
        .build();
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("bailee/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
}

/// The certificates in a PEM file, to trust instead of the public ones; `None`: it has none.
pub fn roots(pem: &[u8]) -> Option<RootCerts> {
    let certificate = |item| match item {
        Ok(PemItem::Certificate(one)) => Some(one),
        _ => None,
    };
    let found: Vec<Certificate<'static>> = parse_pem(pem).filter_map(certificate).collect();
    (!found.is_empty()).then(|| RootCerts::from(found))
}

/// Percent-encodes all but ASCII letters, digits and the bytes of `plain` (RFC 3986, 2.1).
pub fn encoded(text: impl AsRef<[u8]>, plain: &[u8]) -> String {
    let text = text.as_ref();
    let mut out = String::with_capacity(text.len());
    for &byte in text {
        match byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_gives_no_roots() {
        let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(roots(key).is_none() && roots(b"").is_none());
        assert!(roots(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_some());
    }
}
