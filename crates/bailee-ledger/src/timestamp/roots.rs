//! Certificates that a reader trusts to issue for timestamp authorities.
//!
//! Invariant: self-signed certificates are where a chain may end; others in the same file only
//! help to build it, for authorities that do not send theirs (as in OpenSSL's `-CAfile`).

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor};

use super::certificate::Certificate;
use super::error::TimestampError;

/// Largest file of roots, in bytes: a whole system's store fits.
pub const MAX_ROOTS: usize = 1 << 20;
/// Most intermediate certificates in it: they cost time in the search for a chain.
const MAX_HELPERS: usize = 8;

/// Where chains of certificates may end.
#[derive(Clone)]
pub struct Roots {
    /// Subject and key of each root.
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    /// What else is known of the root at the same index.
    pub(super) known: Vec<Root>,
    /// Certificates that are no roots.
    pub(super) helpers: Vec<CertificateDer<'static>>,
}

/// What a trust anchor does not say.
#[derive(Clone)]
pub(super) struct Root {
    pub(super) der: CertificateDer<'static>,
    pub(super) from: u64,
    pub(super) until: u64,
}

impl Roots {
    /// Reads PEM certificates; text around them is ignored. Error: nothing self-signed among them,
    /// one that cannot be read, more than 1 MiB, or more than 8 that are not self-signed.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TimestampError> {
        if pem.len() > MAX_ROOTS {
            let (what, got) = ("file of roots", pem.len());
            return Err(TimestampError::TooLarge { what, limit: MAX_ROOTS, got });
        }
        let mut roots = Self { anchors: Vec::new(), known: Vec::new(), helpers: Vec::new() };
        for der in CertificateDer::pem_slice_iter(pem) {
            let der = der.map_err(|_| TimestampError::BadRoots("the PEM is damaged"))?;
            roots.add(der)?;
        }
        if roots.anchors.is_empty() {
            return Err(TimestampError::BadRoots("no self-signed certificate is in the file"));
        }
        if roots.helpers.len() > MAX_HELPERS {
            return Err(TimestampError::BadRoots("more than 8 are not self-signed"));
        }
        Ok(roots)
    }

    fn add(&mut self, der: CertificateDer<'static>) -> Result<(), TimestampError> {
        let certificate = Certificate::parse(&der)?;
        if !certificate.is_self_issued() {
            self.helpers.push(der);
            return Ok(());
        }
        let anchor = webpki::anchor_from_trusted_cert(&der)
            .map_err(|_| TimestampError::BadRoots("a root is no X.509 certificate"))?
            .to_owned();
        let (from, until) = (certificate.from, certificate.until);
        self.anchors.push(anchor);
        self.known.push(Root { der, from, until });
        Ok(())
    }

    /// How many certificates end a chain.
    pub fn len(&self) -> usize {
        self.anchors.len()
    }

    /// Never: a value has at least one root.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// All certificates of the file, DER.
    pub(super) fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        let roots = self.known.iter().map(|root| root.der.as_ref());
        roots.chain(self.helpers.iter().map(AsRef::as_ref))
    }
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Roots({} roots, {} others)", self.anchors.len(), self.helpers.len())
    }
}
