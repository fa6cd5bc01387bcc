//! Problem: every "no" and every failure at the edge, as RFC 9457 problem details.
//!
//! Invariants: `code` is stable and the same as in letters and in the log's refusals; `detail`
//! names the thing and `change` says what would change the answer; nothing secret is in any of
//! them: no token, no key, no content of a document. A refusal keeps its own words; a failure of
//! the medium is told as it is, so that the operator can act.

use bailee_core::id::SnapshotId;
use bailee_core::{Code, Refusal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::house::HouseError;
use crate::keeping::{KeepError, Why};
use crate::keys::KeyError;
use crate::letting_go::LetGoError;
use crate::receipt::ReceiptError;
use crate::runner::Failure;

/// Media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why the answer is no (RFC 9457). `type` and `title` are made from the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{about} {detail} ({code}); {change}")]
#[serde(from = "Form", into = "Form")]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// Stable code, e.g. `hold_in_force`.
    pub code: String,
    /// The thing it is about, e.g. `H-17`.
    pub about: String,
    /// What is so, in words.
    pub detail: String,
    /// What would change the answer.
    pub change: String,
    /// Seconds after which it may be another, for `Retry-After`; the words say it too.
    pub after: Option<u32>,
}

/// A problem as it is written.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Form {
    /// `urn:bailee:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The code in words.
    title: String,
    /// HTTP status.
    status: u16,
    /// Stable code, e.g. `hold_in_force`.
    code: String,
    /// The thing it is about, e.g. `H-17`.
    about: String,
    /// What is so, in words.
    detail: String,
    /// What would change the answer.
    change: String,
}

impl From<Form> for Problem {
    fn from(Form { status, code, about, detail, change, .. }: Form) -> Problem {
        Problem { status, code, about, detail, change, after: None }
    }
}

impl From<Problem> for Form {
    fn from(Problem { status, code, about, detail, change, .. }: Problem) -> Form {
        let (kind, title) = (format!("urn:bailee:problem:{code}"), code.replace('_', " "));
        Form { kind, title, status, code, about, detail, change }
    }
}

impl Problem {
    /// Builds one. `status` is the HTTP status, `code` the stable code.
    pub fn new(
        status: u16,
        code: &str,
        about: impl Into<String>,
        detail: impl Into<String>,
        change: &str,
    ) -> Problem {
        Problem {
            status,
            code: code.to_owned(),
            about: about.into(),
            detail: detail.into(),
            change: change.to_owned(),
            after: None,
        }
    }

    /// The request itself is not understood.
    pub fn bad_request(about: impl Into<String>, detail: impl Into<String>) -> Problem {
        let change = "correct the request; docs/api.md and /openapi.json describe it";
        Problem::new(400, "bad_request", about, detail, change)
    }

    /// There is no such thing.
    pub fn not_found(about: impl Into<String>) -> Problem {
        let change = Code::NotFound.change();
        Problem::new(404, Code::NotFound.as_str(), about, "does not exist", change)
    }

    /// Something broke; nothing is wrong with the request.
    pub fn failure(code: &str, about: impl Into<String>, detail: impl Into<String>) -> Problem {
        let change = "ask again; if it stays so, look into the log of the service";
        Problem::new(500, code, about, detail, change)
    }

    /// Exit code of a program that got it: 1 refused, 2 not understood, 3 failed.
    pub fn exit_code(&self) -> u8 {
        match self.status {
            400 | 405 | 406 | 411 | 413..=415 | 431 => 2,
            401..=404 | 409 | 410 | 422 | 429 => 1,
            _ => 3,
        }
    }
}

/// HTTP status of a refusal.
fn status(code: Code) -> u16 {
    match code {
        Code::NotPermitted | Code::NotYourData | Code::NotOwed => 403,
        Code::NotFound => 404,
        Code::BadValue
        | Code::ReasonTooLong
        | Code::LineageCycle
        | Code::WrongKind
        | Code::NoSubject
        | Code::WrongSubject
        | Code::NotVerified
        | Code::CertificateMissing => 422,
        Code::RateLimited => 429,
        _ => 409,
    }
}

impl From<Refusal> for Problem {
    fn from(Refusal { code, about, text, change }: Refusal) -> Problem {
        Problem::new(status(code), code.as_str(), about, text, change)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Unknown(why) => {
                let change = "ask again: what was recorded is recognised and not recorded twice";
                let detail = format!("could not be written ({why}); the outcome is unknown");
                Problem::new(503, "outcome_unknown", "the log", detail, change)
            }
            Failure::Unavailable(why) => {
                let change = "ask again later; nothing was recorded";
                Problem::new(503, "unavailable", "the log", why, change)
            }
            Failure::Unseen(why) => Problem::new(503, "copy_unseen", "the copy", why, UNSEEN),
            Failure::Unwritable(why, words) => Problem::unwritable(why, words),
        }
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Problem {
        HouseError::Key(error).into()
    }
}

impl From<ReceiptError> for Problem {
    fn from(error: ReceiptError) -> Problem {
        match error {
            ReceiptError::NotFound(about) => Problem::not_found(about),
            ReceiptError::NothingToSee { party, matter } => {
                let change =
                    "check the ids; a bundle of a matter is for its parties and for counsel";
                let detail = format!("has no part in {matter} that it may see");
                Problem::new(404, "nothing_to_see", party.to_string(), detail, change)
            }
            ReceiptError::NoCertificate(id) => {
                let change = "finish it first; an aborted or lost clearance never has one";
                Problem::new(409, "no_certificate", id.to_string(), "has no certificate", change)
            }
            ReceiptError::House(error) => error.into(),
            ReceiptError::State(failure) => failure.into(),
            error @ (ReceiptError::Bundle(_) | ReceiptError::Entry(_)) => {
                Problem::failure("bundle_failed", "the bundle", error.to_string())
            }
        }
    }
}

impl From<KeepError> for Problem {
    fn from(error: KeepError) -> Problem {
        match error {
            KeepError::NotFound(about) => Problem::not_found(about),
            KeepError::Command(failure) => failure.into(),
            KeepError::House(error) => error.into(),
            KeepError::Vault(error) => error.into(),
            KeepError::LetGo { snapshot, how, clearance } => {
                let detail = format!("was {how} under {clearance}");
                let change = format!("nothing: `bailee certificate {clearance}` says more");
                let code = Code::AlreadyGone.as_str();
                Problem::new(409, code, snapshot.to_string(), detail, &change)
            }
            KeepError::IsSnapshot { asset, snapshot, of } => {
                let change = "preserve the asset it was taken of; what is kept does not change";
                let detail = format!("is {snapshot}, a snapshot of {of}");
                Problem::new(422, Code::WrongKind.as_str(), asset.to_string(), detail, change)
            }
            KeepError::Unread { snapshot, why, error } => unread(snapshot, why, *error),
            KeepError::VaultAway { .. } => {
                Problem::new(409, "vault_away", "the vault", error.to_string(), AWAY)
            }
            KeepError::Unrecorded { source_asset, .. } => {
                let change = format!(
                    "`bailee snapshot adopt {source_asset}` first: then the log has them, holds \
                     are asked about them, and the certificate names them"
                );
                let about = source_asset.to_string();
                Problem::new(409, "snapshot_unrecorded", about, error.to_string(), &change)
            }
            KeepError::NoVault => {
                let change = "use a house with a directory";
                Problem::new(409, "no_vault", "this house", "has no vault", change)
            }
        }
    }
}

/// A snapshot that was not read: what is the matter, and what of it is in the way.
fn unread(snapshot: SnapshotId, why: Why, error: KeepError) -> Problem {
    let away = is_away(&error);
    let inner = Problem::from(error);
    let detail = format!("{why}: {}", inner.detail);
    match why {
        Why::NotLooked => {
            let detail = format!("{}; {snapshot} {why}", inner.detail);
            Problem { detail, ..inner }
        }
        Why::Lost | Why::Gone if away => {
            Problem::new(500, "snapshot_lost", snapshot.to_string(), detail, AWAY)
        }
        Why::Lost | Why::Gone if inner.status == 404 => {
            Problem::new(500, "snapshot_lost", snapshot.to_string(), detail, LOST)
        }
        Why::Lost | Why::Gone => {
            Problem::new(500, "snapshot_lost", snapshot.to_string(), detail, &inner.change)
        }
    }
}

/// Whether all of the vault, of a tenant or of a unit is away: nothing is preserved there then.
fn is_away(error: &KeepError) -> bool {
    use bailee_vault::VaultError::{NoVault, UnknownTenant, UnknownUnit};
    matches!(
        error,
        KeepError::Vault(NoVault | UnknownTenant { .. } | UnknownUnit { .. })
            | KeepError::VaultAway { .. }
    )
}

const AWAY: &str = "mount what objects/ of the data directory lies on, or bring objects/vault back \
     from a copy of it, then `bailee scrub` and `bailee snapshot verify`; nothing is preserved \
     before: a new key would have the name of the one that is away, and one of the two be lost";
const LOST: &str = "bring its objects back from a copy of the data directory, then `bailee \
     snapshot verify` it, or preserve the source again; `bailee scrub` names what is missing";
const UNSEEN: &str = "see that the vault's engine and key answer (`bailee probe`), and ask again; \
     a hold is satisfied by that copy, so nothing goes before it was looked for";

impl From<LetGoError> for Problem {
    fn from(error: LetGoError) -> Problem {
        let detail = error.to_string();
        match error {
            LetGoError::Command(failure) => failure.into(),
            LetGoError::House(error) => error.into(),
            LetGoError::Keep(error) => error.into(),
            LetGoError::NotFound(about) => Problem::not_found(about),
            LetGoError::Token(_) => {
                Problem::new(403, "token_refused", "the clearance", detail, "reserve again")
            }
            LetGoError::Sanitize(error) => {
                let change = "remove the cause and reserve again; nothing was written";
                Problem::new(409, error.code(), "the device", detail, change)
            }
            LetGoError::Unfinished { clearance, next, .. } => {
                Problem::new(500, "unfinished", clearance.to_string(), detail, next)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailee_vault::VaultError;

    #[test]
    fn every_refusal_is_a_no_with_its_own_code() {
        for code in Code::ALL {
            let problem = Problem::from(Refusal::new(*code, "A-1", "is so"));
            assert_eq!(
                (problem.code.as_str(), problem.exit_code()),
                (code.as_str(), 1),
                "{code:?}"
            );
            assert_eq!(problem.change, code.change());
            assert!((400..500).contains(&problem.status));
        }
    }

    #[test]
    fn what_is_not_understood_and_what_fails_have_other_exit_codes() {
        assert_eq!(Problem::bad_request("hold", "\"X\" is not an id").exit_code(), 2);
        assert_eq!(Problem::from(Failure::Unknown("disk".into())).exit_code(), 3);
        let occupied = VaultError::Occupied { path: "out".into() };
        assert_eq!(Problem::from(KeepError::from(occupied)).exit_code(), 2);
        let cut_off = VaultError::CutOff { path: "out".into() };
        assert_eq!(Problem::from(KeepError::from(cut_off)).exit_code(), 2);
        let (path, detail) = ("out/film".to_owned(), "No space left on device".to_owned());
        let full = VaultError::Destination { path, doing: "write it", detail };
        let full = Problem::from(KeepError::from(full));
        assert_eq!((full.exit_code(), full.code.as_str()), (3, "io_failed"));
        assert!(full.detail.contains("out/film"), "{full}");
        assert_eq!(Problem::from(Failure::Unavailable("closing".into())).exit_code(), 3);
    }

    #[test]
    fn a_problem_reads_back_from_its_json() {
        let problem = Problem::not_found("A-9");
        let json = serde_json::to_string(&problem).unwrap();
        assert!(json.contains("\"type\":\"urn:bailee:problem:not_found\""), "{json}");
        assert_eq!(serde_json::from_str::<Problem>(&json).unwrap(), problem);
    }
}
