//! What can go wrong between the store and an engine.
//!
//! Invariant: the engine's own words are in it by code and message only; no header, no signature,
//! no URL.

use crate::ObjectError;

/// What an engine, or the way to it, did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum S3Error {
    /// A setting is unfit.
    #[error("the S3 {what} {why}")]
    Settings {
        /// Which.
        what: &'static str,
        /// Why.
        why: &'static str,
    },
    /// No answer.
    #[error("the engine did not answer, asked {attempts} times; the last time: {last}")]
    Silent {
        /// How often it was asked.
        attempts: u32,
        /// What happened the last time.
        last: String,
    },
    /// An answer that is no success.
    #[error("the engine answered {status} {code} {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// S3's code.
        code: String,
        /// Its words.
        message: String,
    },
    /// More than is read.
    #[error("the engine's answer has more than {most} bytes")]
    Large {
        /// What is read at most.
        most: u64,
    },
    /// An answer that is none of the protocol.
    #[error("the engine answered what is not S3: {0}")]
    Strange(&'static str),
    /// Other bytes came back than were put.
    #[error("the engine gave back other bytes than were put; they were deleted")]
    Altered,
}

impl S3Error {
    /// True if it says nothing of what the engine does: it did not answer, or only that it is busy
    /// or broken. 501 is an answer: it does not know what was asked.
    pub(super) fn is_no_answer(&self) -> bool {
        match self {
            S3Error::Silent { .. } => true,
            S3Error::Refused { status, code, .. } => {
                matches!(status, 408 | 429 | 500 | 502..) || code == "RequestTimeout"
            }
            _ => false,
        }
    }

    /// As the trait says it.
    pub(super) fn at(self, doing: &'static str, name: &str) -> ObjectError {
        let name = name.to_owned();
        match &self {
            S3Error::Refused { status: 507, .. } => ObjectError::Full { doing, name },
            S3Error::Refused { code, .. } if code.starts_with("QuotaExceeded") => {
                ObjectError::Full { doing, name }
            }
            _ => ObjectError::Io { doing, name, detail: self.to_string() },
        }
    }
}
