//! What an engine really does, not what it says: objects of a few bytes are put, locked, deleted.
//!
//! Invariants: nothing here is relied on by the store; keys of a probe have a `~` in them, so they
//! are never listed as objects; what a lock does not let go is named, not hidden. **Broken** is
//! what an engine took with a success and then did not do; **absent** is what it refused or did not
//! know. An engine that is busy to the last has answered nothing, so the probe fails and accuses it
//! of nothing.

use super::client::{Call, Reply};
use super::{Client, S3Error, S3Objects};

/// How an engine did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does it.
    Holds,
    /// It does not say that it does.
    Absent,
    /// It said so, and does not.
    Broken,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// What was seen.
    pub saw: String,
}

/// Which trials are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locks {
    /// All.
    Try,
    /// Those that lock are not: whoever asks may not be allowed to take their objects away again.
    Leave,
}

/// What the trials that lock are called.
pub const LOCKING: [&str; 2] = ["legal hold", "retention until 2107"];

/// A date that does not fit into 32 bits of seconds.
const FAR: &str = "2107-01-01T00:00:00Z";

impl S3Objects {
    /// Tries what is to be tried, under keys that begin with `~probe/` and `mark`, and cleans up.
    ///
    /// # Errors
    /// The engine does not answer, or not as S3. What it does wrong is in the findings.
    pub fn probe(&self, mark: &str, locks: Locks) -> Result<Vec<Finding>, S3Error> {
        let base = format!("{}~probe/{mark}", self.inner.prefix);
        let plain = format!("{base}-plain");
        let tried = self.tries_plain(&plain);
        let removed = self.remove(&plain);
        let mut all = tried?;
        removed?;
        all.push(self.checks_sums(&format!("{base}-sum"))?);
        if locks == Locks::Leave {
            return Ok(all);
        }
        let [held, kept] = LOCKING;
        let hold = ("x-amz-object-lock-legal-hold", "ON");
        all.push(self.keeps_locked(&format!("{base}-held"), held, &[hold])?);
        let until = [
            ("x-amz-object-lock-mode", "GOVERNANCE"),
            ("x-amz-object-lock-retain-until-date", FAR),
        ];
        all.push(self.keeps_locked(&format!("{base}-kept"), kept, &until)?);
        Ok(all)
    }

    fn client(&self) -> &Client {
        &self.inner.client
    }

    /// Asks. Busy to the last is no answer.
    fn answer(&self, call: &Call<'_>) -> Result<Reply, S3Error> {
        let reply = self.client().ask(call)?;
        if reply.is_good() {
            return Ok(reply);
        }
        let refusal = reply.refusal();
        if refusal.is_no_answer() { Err(refusal) } else { Ok(reply) }
    }

    fn tries_plain(&self, key: &str) -> Result<Vec<Finding>, S3Error> {
        Ok(vec![self.reads_back(key)?, self.lists(key)?, self.keeps_first(key)?])
    }

    fn reads_back(&self, key: &str) -> Result<Finding, S3Error> {
        self.send(key, b"first")?;
        let (outcome, saw) = match self.read_back(key, b"first") {
            Ok(()) => (Outcome::Holds, "the very bytes".to_owned()),
            Err(error) if error.is_no_answer() => return Err(error),
            Err(error) => (Outcome::Broken, error.to_string()),
        };
        Ok(Finding { what: "read after write", outcome, saw })
    }

    fn lists(&self, key: &str) -> Result<Finding, S3Error> {
        let name = key.strip_prefix(&self.inner.prefix).unwrap_or(key);
        let listed = self.page(name, "", "10")?.keys.iter().any(|listed| listed == key);
        let outcome = if listed { Outcome::Holds } else { Outcome::Broken };
        let saw = if listed { "it is listed" } else { "it is not listed" }.to_owned();
        Ok(Finding { what: "list after write", outcome, saw })
    }

    fn keeps_first(&self, key: &str) -> Result<Finding, S3Error> {
        let once = [("if-none-match", "*")];
        let (method, body) = ("PUT", &b"second"[..]);
        let put = self.answer(&Call { method, key, headers: &once, body, ..Call::default() })?;
        let now = self.answer(&Call { method: "GET", key, ..Call::default() })?;
        let (outcome, what) = match (put.is_good(), now.body == b"first") {
            (false, true) => (Outcome::Holds, "kept the first"),
            (true, _) => (Outcome::Broken, "took the header and wrote over the first"),
            (false, false) => (Outcome::Broken, "refused, and the first is not there any more"),
        };
        let saw = format!("{} to a second put: {what}", put.status);
        Ok(Finding { what: "put once (If-None-Match)", outcome, saw })
    }

    fn checks_sums(&self, key: &str) -> Result<Finding, S3Error> {
        let other = [("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")];
        let (method, body) = ("PUT", &b"not nothing"[..]);
        let put = self.answer(&Call { method, key, headers: &other, body, ..Call::default() })?;
        let (outcome, what) = match put.is_good() {
            false => (Outcome::Holds, "refused a body that is not what its checksum says"),
            true => (Outcome::Absent, "does not look at the checksum, only at what is signed"),
        };
        self.remove(key)?;
        let saw = format!("{}: {what}", put.status);
        Ok(Finding { what: "checksum header", outcome, saw })
    }

    /// Puts under a lock, then tries to delete that very version.
    fn keeps_locked(
        &self,
        key: &str,
        what: &'static str,
        lock: &[(&str, &str)],
    ) -> Result<Finding, S3Error> {
        let (method, body) = ("PUT", &b"locked"[..]);
        let put = self.answer(&Call { method, key, headers: lock, body, ..Call::default() })?;
        if !put.is_good() {
            let saw = format!("refused: {}", put.refusal());
            return Ok(Finding { what, outcome: Outcome::Absent, saw });
        }
        let version = put.header("x-amz-version-id").map(str::to_owned);
        let query: Vec<_> = version.iter().map(|v| ("versionId", v.as_str())).collect();
        let is_dated = lock.iter().any(|(name, _)| name.ends_with("until-date"));
        let tried = self.deletes_locked(key, &query, is_dated);
        // Whatever was seen, or not: it does not stay there for that.
        let left = self.unlock(key, &query);
        let (outcome, saw) = tried?;
        Ok(Finding { what, outcome, saw: format!("{saw}{}", left?) })
    }

    /// Tries to delete what is locked.
    fn deletes_locked(
        &self,
        key: &str,
        query: &[(&str, &str)],
        is_dated: bool,
    ) -> Result<(Outcome, String), S3Error> {
        let head = Call { method: "HEAD", key, query, ..Call::default() };
        let first = self.answer(&head)?;
        let date = first.header("x-amz-object-lock-retain-until-date").unwrap_or_default();
        let deleted = self.answer(&Call { method: "DELETE", key, query, ..Call::default() })?;
        let now = self.answer(&head)?;
        Ok(match (now.is_good(), is_dated) {
            (false, _) => (Outcome::Broken, format!("{}: locked, and deleted", deleted.status)),
            (true, true) if !date.starts_with("2107-01-01T00:00:00") => {
                (Outcome::Broken, format!("took 2107-01-01, and says {date:?}"))
            }
            (true, _) => (Outcome::Holds, format!("{}: not deleted", deleted.status)),
        })
    }

    /// Takes a canary away again; says so if it cannot.
    fn unlock(&self, key: &str, query: &[(&str, &str)]) -> Result<&'static str, S3Error> {
        let off =
            b"<LegalHold xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>OFF</Status>\
                    </LegalHold>";
        let with: Vec<_> = [("legal-hold", "")].iter().chain(query).copied().collect();
        let call = Call { method: "PUT", key, query: &with, body: off, ..Call::default() };
        _ = self.client().ask(&call)?;
        let bypass = [("x-amz-bypass-governance-retention", "true")];
        let call = Call { method: "DELETE", key, query, headers: &bypass, ..Call::default() };
        _ = self.client().ask(&call)?;
        let call = Call { method: "HEAD", key, query, ..Call::default() };
        Ok(if self.answer(&call)?.is_good() { "; it stays there" } else { "" })
    }
}
