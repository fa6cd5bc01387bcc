//! `TSTInfo` (RFC 3161 2.4.2): what an authority says, and signs.
//!
//! Invariant: all fields are read, also those that nothing here uses, so that a token is either
//! understood or refused; a critical extension is refused, for nobody here knows what it means.

use super::der::{
    Der, Flag, GENERALIZED_TIME, INTEGER, OCTET_STRING, SEQUENCE, field, plain_field,
};
use super::digest::Algorithm;
use super::error::TimestampError;
use super::{oid, time};
use crate::hash::Hash;
use crate::to_hex;

const WHAT: &str = "timestamp";

/// What the authority says.
pub(super) struct TokenInfo<'a> {
    /// Its policy, as it is encoded.
    pub(super) policy: &'a [u8],
    imprint_algorithm: Algorithm<'a>,
    imprint: &'a [u8],
    /// Serial number of the token, two's complement.
    pub(super) serial: &'a [u8],
    /// genTime, Unix seconds.
    pub(super) time: u64,
    /// How far the true time may be from `time`, in microseconds.
    pub(super) accuracy_micros: Option<u64>,
    /// The request's nonce, two's complement.
    pub(super) nonce: Option<&'a [u8]>,
}

impl<'a> TokenInfo<'a> {
    /// Reads the contents of a token.
    pub(super) fn parse(content: &'a [u8]) -> Result<Self, TimestampError> {
        let mut info = Der::only(content, SEQUENCE, WHAT)?;
        if info.unsigned(INTEGER)? != 1 {
            return Err(info.wrong("its version is not 1"));
        }
        let policy = info.oid()?;
        let mut message = info.inside(SEQUENCE)?;
        let imprint_algorithm = Algorithm::read(&mut message)?;
        let imprint = message.value(OCTET_STRING)?;
        message.end()?;
        let serial = info.integer()?;
        let time = time::of_token(info.value(GENERALIZED_TIME)?, &info)?;
        let accuracy_micros = match info.optional_inside(SEQUENCE)? {
            None => None,
            Some(mut accuracy) => Some(read_accuracy(&mut accuracy)?),
        };
        // Whether its tokens are in order is the authority's affair: ours are chained.
        info.flag()?;
        let nonce = if info.next_is(INTEGER) { Some(info.integer()?) } else { None };
        // The name under which the authority speaks; its certificate is what counts.
        if let Some(mut name) = info.optional_inside(field(0))? {
            name.any()?;
            name.end()?;
        }
        if let Some(mut extensions) = info.optional_inside(field(1))? {
            refuse_critical(&mut extensions)?;
        }
        info.end()?;
        Ok(Self { policy, imprint_algorithm, imprint, serial, time, accuracy_micros, nonce })
    }

    /// Is it about what has this SHA-256?
    pub(super) fn is_over(&self, wanted: &Hash) -> Result<(), TimestampError> {
        if self.imprint_algorithm.oid != oid::SHA256 || !self.imprint_algorithm.is_plain() {
            return Err(self.imprint_algorithm.unsupported("digest of the stamped file"));
        }
        if self.imprint != wanted {
            let (found, wanted) = (to_hex(self.imprint), to_hex(wanted));
            let found = super::name::shortened(&found);
            return Err(TimestampError::WrongImprint { found, wanted });
        }
        Ok(())
    }
}

/// `Accuracy`: seconds, [0] millis and [1] micros, each optional.
fn read_accuracy(accuracy: &mut Der) -> Result<u64, TimestampError> {
    let mut micros: u64 = 0;
    for (tag, unit, most) in
        [(INTEGER, 1_000_000, u64::MAX), (plain_field(0), 1_000, 999), (plain_field(1), 1, 999)]
    {
        if accuracy.next_is(tag) {
            let number = accuracy.unsigned(tag)?;
            if number > most {
                return Err(accuracy.wrong("its accuracy is out of range"));
            }
            micros = micros.saturating_add(number.saturating_mul(unit));
        }
    }
    accuracy.end()?;
    Ok(micros)
}

fn refuse_critical(extensions: &mut Der) -> Result<(), TimestampError> {
    while !extensions.is_empty() {
        let mut extension = extensions.inside(SEQUENCE)?;
        let name = extension.oid()?;
        let critical = extension.flag()?;
        extension.value(OCTET_STRING)?;
        extension.end()?;
        if critical == Flag::Yes {
            let (what, oid) = ("critical extension", oid::to_text(name));
            return Err(TimestampError::UnsupportedAlgorithm { what, oid });
        }
    }
    Ok(())
}
