//! The chain of certificates from the signer to a root, by rustls-webpki.
//!
//! Invariants: every certificate of the chain, its root included, is valid at the moment asked
//! about; every issuer is one (basic constraints, key usage) and may issue for timestamps; weak
//! algorithms (SHA-1, short RSA) do not count. The order in which certificates come is irrelevant.
//! The search is short: few certificates, and few of one name, so that nobody can make it long.
//!
//! Out of scope: revocation. What an authority's key signed before it was revoked may still be
//! true; a token beside it by a second authority, and the witnesses, are the answer to that here.

use std::collections::BTreeMap;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{
    EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, VerifiedPath,
};

use super::certificate::Certificate;
use super::error::TimestampError;
use super::oid;
use super::roots::Roots;

/// Most certificates of one name among those that a chain is built of: keys are rolled over, but
/// each further one multiplies the ways to try.
const MAX_NAMESAKES: usize = 4;

/// Searches a chain from `signer` through `carried` certificates to one of `roots`, valid `at` Unix
/// seconds. Returns the last second at which all of it is valid.
pub(super) fn check(
    signer: &Certificate,
    carried: &[&[u8]],
    roots: &Roots,
    at: u64,
) -> Result<u64, TimestampError> {
    let der = CertificateDer::from(signer.der);
    let authority = signer.subject_text()?;
    let explain = |error| explained(error, &authority, at);
    let end = EndEntityCert::try_from(&der).map_err(explain)?;
    let own = carried.iter().filter(|other| **other != signer.der);
    let helpers: Vec<CertificateDer> = own
        .map(|other| CertificateDer::from(*other))
        .chain(roots.helpers.iter().cloned())
        .collect();
    refuse_namesakes(&helpers, &authority)?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(at));
    let more = |path: &VerifiedPath| further(path, roots, time);
    let path = end
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &roots.anchors,
            &helpers,
            time,
            ForTimestamps,
            None,
            Some(&more),
        )
        .map_err(explain)?;
    let root = root_of(&path, roots).map_err(explain)?;
    let mut until = signer.until.min(root.until);
    for issuer in path.intermediate_certificates() {
        until = until.min(Certificate::parse(&issuer.der())?.until);
    }
    Ok(until)
}

fn refuse_namesakes(helpers: &[CertificateDer], authority: &str) -> Result<(), TimestampError> {
    let mut names = BTreeMap::new();
    for helper in helpers {
        let count = names.entry(Certificate::parse(helper)?.subject).or_insert(0);
        *count += 1;
        if *count > MAX_NAMESAKES {
            let why = "more than 4 certificates are of one name".to_owned();
            return Err(TimestampError::NoChain { authority: authority.to_owned(), why });
        }
    }
    Ok(())
}

/// What rustls-webpki leaves to its caller: validity of the root, key usage of the issuers.
fn further(path: &VerifiedPath, roots: &Roots, time: UnixTime) -> Result<(), Error> {
    let root = root_of(path, roots)?;
    if time.as_secs() > root.until {
        let not_after = UnixTime::since_unix_epoch(Duration::from_secs(root.until));
        return Err(Error::CertExpired { time, not_after });
    }
    if time.as_secs() < root.from {
        let not_before = UnixTime::since_unix_epoch(Duration::from_secs(root.from));
        return Err(Error::CertNotValidYet { time, not_before });
    }
    let may_issue = |der: &[u8]| Certificate::parse(der).is_ok_and(|it| it.may_issue());
    let issuers = path.intermediate_certificates().map(|issuer| issuer.der());
    let fit = issuers.chain([root.der.clone()]).all(|issuer| may_issue(&issuer));
    if fit { Ok(()) } else { Err(Error::EndEntityUsedAsCa) }
}

fn root_of<'r>(path: &VerifiedPath, roots: &'r Roots) -> Result<&'r super::roots::Root, Error> {
    let anchors = roots.anchors.iter().zip(&roots.known);
    let mut here = anchors.filter(|(anchor, _)| std::ptr::eq(*anchor, path.anchor()));
    here.next().map(|(_, root)| root).ok_or(Error::UnknownIssuer)
}

/// Extended key usage along the chain: none, any, or timestamps. That the signer's is exactly
/// timestamps is checked apart ([`Certificate::may_stamp`]).
struct ForTimestamps;

impl ExtendedKeyUsageValidator for ForTimestamps {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        let fit = [KeyPurposeId::new(oid::TIME_STAMPING), KeyPurposeId::new(oid::ANY_PURPOSE)];
        let mut restricted = false;
        for purpose in purposes {
            restricted = true;
            if fit.contains(&purpose?) {
                return Ok(());
            }
        }
        if restricted { Err(Error::EndEntityUsedAsCa) } else { Ok(()) }
    }
}

fn explained(error: Error, authority: &str, at: u64) -> TimestampError {
    let authority = authority.to_owned();
    let why = match error {
        Error::CertExpired { not_after, .. } => {
            return TimestampError::Expired { authority, at, until: not_after.as_secs() };
        }
        Error::CertNotValidYet { not_before, .. } => {
            return TimestampError::NotYetValid { authority, at, from: not_before.as_secs() };
        }
        Error::UnknownIssuer => "an issuer is neither in the answer nor a root".to_owned(),
        Error::InvalidSignatureForPublicKey => "a certificate was altered".to_owned(),
        Error::EndEntityUsedAsCa => "an issuer may not issue such certificates".to_owned(),
        Error::CaUsedAsEndEntity => "the signer is itself an issuer".to_owned(),
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "a certificate is signed with an algorithm that is too weak or unknown".to_owned()
        }
        other => super::name::shortened(&other.to_string()),
    };
    TimestampError::NoChain { authority, why }
}
