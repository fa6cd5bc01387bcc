//! `bailee verify`: checks what somebody was given, offline, without a data directory.
//!
//! Invariants: the claims are told apart, none is summed up as "valid"; keys and roots that came
//! out of the bundle itself are named as such; every file is told of, also after one that does not
//! hold or cannot be read; exit 3 if one could not be read, else 1 if anything contradicts any,
//! else 2 if one is nothing that can be verified, or not without a key. A ZIP is taken for a
//! bundle: one that is none does not hold. What was one and is damaged, at its beginning too, does
//! not hold either: damage is no wrong use, whatever else may be read in the file.

use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use bailee_ledger::checkpoint::parse_note;
use bailee_ledger::clearance::{self, Terms};
use bailee_ledger::report::{ClaimState, Source, StampReport};
use bailee_ledger::timestamp::{Roots, Token};
use bailee_ledger::{
    Checkpoint, Policy, Report, SecondKey, Trust, Verifier, to_hex, verify_bundle,
};
use serde_json::{Value, json};

use crate::cli::ask;
use crate::cli::prove::VerifyArgs;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// Begin of every ZIP file.
const ZIP: &[u8] = b"PK";
/// Begin of what every ZIP file ends with, and how much of a file may follow on it.
const ZIP_END: &[u8] = b"PK\x05\x06";
const ZIP_TAIL: usize = 18 + 0xffff;
/// Begin of a clearance token.
const TOKEN: &[u8] = b"bailee/clearance/";
/// Begin of the lines that sign a checkpoint, with the empty line before them.
const SIGNATURE: &[u8] = "\n\n\u{2014} ".as_bytes();
/// Longest file that is read at once, bytes: a matter of letters is, one with its films is not.
const IN_MEMORY: u64 = 16 << 20;

/// What one file turned out to be.
struct Verdict {
    words: String,
    json: Value,
    /// Nothing contradicts it.
    holds: bool,
}

/// Verifies every file.
pub(crate) fn verify(args: &VerifyArgs, style: Style) -> Result<(), Trouble> {
    let reader = Reader::of(args)?;
    let mut all = Vec::new();
    let (mut hold, mut unread, mut wrong) = (true, false, false);
    for path in &args.files {
        let name = print::safe(&path.display().to_string());
        let verdict = match file(path, &reader) {
            Ok(verdict) => verdict,
            Err(trouble) => {
                trouble.tell(style == Style::Json);
                match trouble.is_wrong_use() {
                    true => wrong = true,
                    false => unread = true,
                }
                all.push(json!({ "file": name, "holds": null, "report": null }));
                continue;
            }
        };
        hold &= verdict.holds;
        match style {
            Style::Words => print::out(&format!("{name}\n{}\n", indented(&verdict.words)))?,
            Style::Json => all.push(json!({
                "file": name, "holds": verdict.holds, "report": verdict.json,
            })),
        }
    }
    if style == Style::Json {
        print::json(&Value::Array(all))?;
    }
    match (unread, hold, wrong) {
        (true, ..) => Err(Trouble::Said(3)),
        (false, false, _) => Err(Trouble::Said(1)),
        (false, true, true) => Err(Trouble::Said(2)),
        (false, true, false) => Ok(()),
    }
}

pub(crate) fn read_key(vkey: &str) -> Result<Verifier, Trouble> {
    Verifier::parse(vkey).map_err(|e| {
        let change = "give the key as its log publishes it: name+hash+base64";
        Trouble::usage("--key", e, change)
    })
}

/// What the reader brought along.
struct Reader {
    key: Option<Verifier>,
    trust: Trust,
}

impl Reader {
    fn of(args: &VerifyArgs) -> Result<Self, Trouble> {
        let key = args.key.as_deref().map(read_key).transpose()?;
        let mut trust = match (&key, &args.policy) {
            (Some(key), _) => Trust::pinned_key(&key.to_vkey())
                .map_err(|e| Trouble::usage("--key", e, "give the key of the log itself"))?,
            (None, Some(path)) => {
                let policy = Policy::parse(&ask::read(path)?);
                let change = "give a tlog-policy: lines log, witness, group, quorum";
                Trust::pinned(policy.map_err(|e| Trouble::usage("--policy", e, change))?)
            }
            (None, None) => Trust::from_bundle(),
        };
        if let Some(path) = &args.roots {
            let roots = Roots::from_pem(&ask::read(path)?);
            let change = "give a file of PEM certificates, self-signed ones among them";
            trust = trust.with_roots(roots.map_err(|e| Trouble::usage("--roots", e, change))?);
        }
        if let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) {
            trust = trust.at(now.as_secs());
        }
        Ok(Self { key, trust })
    }
}

fn indented(words: &str) -> String {
    words.lines().map(|line| format!("  {}\n", print::safe(line))).collect()
}

fn file(path: &Path, reader: &Reader) -> Result<Verdict, Trouble> {
    if let Some(large) = large(path)? {
        return Ok(bundle(large, &reader.trust));
    }
    let bytes = ask::read(path)?;
    Ok(match is_bundle(path, &bytes) {
        true => bundle(Cursor::new(bytes), &reader.trust),
        false => signed_text(path, &bytes, reader.key.as_ref())?,
    })
}

/// The file, if it is too large to be held in memory; only a bundle may be.
fn large(path: &Path) -> Result<Option<File>, Trouble> {
    if path == Path::new("-") {
        return Ok(None);
    }
    let io = |e: std::io::Error| Trouble::io(format!("read {}", path.display()), &e);
    let opened = File::open(path).map_err(io)?;
    let size = opened.metadata().map_err(io)?.len();
    Ok((size > IN_MEMORY).then_some(opened))
}

/// A ZIP by its beginning, by its end or by its name.
fn is_bundle(path: &Path, bytes: &[u8]) -> bool {
    let named = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("zip"));
    let tail = &bytes[bytes.len().saturating_sub(ZIP_END.len() + ZIP_TAIL)..];
    named || bytes.starts_with(ZIP) || tail.windows(ZIP_END.len()).any(|at| at == ZIP_END)
}

fn bundle(mut reader: impl Read + Seek, trust: &Trust) -> Verdict {
    let mut begin = [0; ZIP.len()];
    let begins = reader.read_exact(&mut begin).is_ok() && begin == ZIP;
    match verify_bundle(reader, trust) {
        Ok(report) => {
            let words = report.to_string();
            Verdict { words, json: as_json(&report), holds: !report.failed() }
        }
        Err(error) if begins => fails(error.member(), error.to_string()),
        Err(error) => {
            let what = "the file is no bundle, or is damaged at its beginning";
            fails(error.member(), format!("{what}; {error}"))
        }
    }
}

fn fails(member: &str, what: String) -> Verdict {
    let json = json!({ "problems": [{ "member": member, "what": what }] });
    Verdict { words: format!("FAILED    {what}"), json, holds: false }
}

/// A checkpoint or a clearance token: nothing in it says which key to believe.
fn signed_text(path: &Path, bytes: &[u8], key: Option<&Verifier>) -> Result<Verdict, Trouble> {
    // The first byte may be the one that is damaged.
    let token = bytes.get(1..).is_some_and(|rest| rest.starts_with(&TOKEN[1..]));
    let wrong = |detail, change| Err(Trouble::usage(path.display(), detail, change));
    if token && !bytes.starts_with(TOKEN) {
        let what = "the file is no clearance token, or is damaged at its beginning";
        return Ok(fails("(token)", what.to_owned()));
    }
    if !token && !is_note(bytes) {
        let change = "give a receipt, bundle or certificate (*.bailee.zip), a signed checkpoint \
                      or a clearance token; a document that is in a bundle is verified with it";
        return wrong("is nothing that can be verified: no bundle, and nobody signed it", change);
    }
    let Some(key) = key else {
        if let Some(what) = damage(bytes).filter(|_| !token) {
            return Ok(fails("(checkpoint)", what));
        }
        return match token {
            true => wrong(
                "is a clearance token, and nothing in it says which key to believe",
                "give the clearance key with --key",
            ),
            false => wrong(
                "is a signed checkpoint, and nothing in it says which key to believe",
                "give the log's key with --key",
            ),
        };
    };
    Ok(match token {
        true => match clearance::open(bytes, key) {
            Ok(terms) => token_holds(&terms, key),
            Err(error) => fails("(token)", error.to_string()),
        },
        false => match Checkpoint::open(bytes, key) {
            Ok((checkpoint, _)) => checkpoint_holds(&checkpoint, key),
            Err(error) => fails("(checkpoint)", error.to_string()),
        },
    })
}

/// True for what somebody signed, damaged or not: a letter may end with a dash and a name as well.
fn is_note(bytes: &[u8]) -> bool {
    let size = bytes.split(|byte| *byte == b'\n').nth(1).unwrap_or_default();
    let sized = !size.is_empty() && size.iter().all(u8::is_ascii_digit);
    let signed = bytes.windows(SIGNATURE.len()).any(|window| window == SIGNATURE);
    signed && (sized || parse_note(bytes).is_ok())
}

/// What is wrong with a checkpoint, whoever signed it: a log signs under the name it begins with.
fn damage(bytes: &[u8]) -> Option<String> {
    match parse_note(bytes).and_then(|note| Ok((Checkpoint::parse(note.text())?, note))) {
        Err(error) => Some(error.to_string()),
        Ok((checkpoint, note)) => {
            let own = note.signatures().iter().any(|one| one.name == checkpoint.origin);
            let what = "no signature has the name that the checkpoint begins with: it is damaged \
                        at its beginning, or was altered";
            (!own).then(|| what.to_owned())
        }
    }
}

fn checkpoint_holds(checkpoint: &Checkpoint, key: &Verifier) -> Verdict {
    let Checkpoint { origin, size, root, .. } = checkpoint;
    let root = to_hex(root);
    let words = format!(
        "checkpoint of log {origin}\nkey {:08x}, pinned by you\nPROVEN    log: a tree of {size} \
         entries with root {root} is signed by the key you pinned\n",
        key.id()
    );
    let json = json!({ "kind": "checkpoint", "origin": origin, "size": size, "root": root });
    Verdict { words, json, holds: true }
}

fn token_holds(terms: &Terms, key: &Verifier) -> Verdict {
    let Terms { origin, clearance, disposition, asset, act, subject, position, not_after } = terms;
    let (act, subject) = (act.name(), to_hex(subject));
    let words = format!(
        "clearance C-{clearance} of log {origin}\nkey {:08x}, pinned by you\nPROVEN    signed: \
         permits to {act} asset A-{asset} under X-{disposition}, subject {subject}, granted at \
         position {position}, until {not_after} (Unix seconds)\nNOT SHOWN whether it was used or \
         revoked since: only the gate knows\n",
        key.id()
    );
    let json = json!({
        "kind": "clearance", "origin": origin, "clearance": format!("C-{clearance}"),
        "disposition": format!("X-{disposition}"), "asset": format!("A-{asset}"), "act": act,
        "subject": subject, "position": position, "not_after": not_after,
    });
    Verdict { words, json, holds: true }
}

fn as_json(report: &Report) -> Value {
    let claims = report.claims.iter().map(
        |claim| json!({ "claim": claim.title, "state": state(claim.state), "text": claim.text }),
    );
    let entries = report.entries.iter().map(|entry| {
        json!({
            "index": entry.index, "type": entry.type_code, "hour": entry.hours,
            "included": entry.included, "opened": entry.opened,
        })
    });
    let problems = report.problems.iter().map(|p| json!({ "member": p.member, "what": p.what }));
    let tree = report.tree.as_ref();
    let tree = tree.map(|(size, root)| json!({ "size": size, "root": to_hex(root) }));
    json!({
        "kind": report.kind.name(),
        "origin": report.origin,
        "key": format!("{:08x}", report.key_id),
        "key_source": match report.key_source {
            Source::Pinned => "pinned",
            Source::Bundle => "bundle",
        },
        "tree": tree,
        "ml_dsa_44": report.second_key.map(|second| match second {
            SecondKey::Signed => "signed",
            SecondKey::Absent => "absent",
            SecondKey::NotListed => "not-listed",
        }),
        "entries": entries.collect::<Vec<_>>(),
        "exhibits": report.exhibits.iter().map(|digest| to_hex(digest)).collect::<Vec<_>>(),
        "timestamps": report.stamps.iter().map(stamp).collect::<Vec<_>>(),
        "claims": claims.collect::<Vec<_>>(),
        "problems": problems.collect::<Vec<_>>(),
    })
}

fn state(state: ClaimState) -> &'static str {
    match state {
        ClaimState::Proven => "proven",
        ClaimState::NotShown => "not-shown",
        ClaimState::Failed => "failed",
    }
}

/// What one timestamp authority says; times are Unix seconds.
fn stamp(stamp: &StampReport) -> Value {
    let token = |token: &Token| {
        json!({
            "authority": token.authority, "time": token.time, "policy": token.policy,
            "serial": token.serial, "expires": token.expires,
        })
    };
    json!({
        "name": stamp.name, "state": state(stamp.state), "text": stamp.text,
        "tokens": stamp.tokens.iter().map(token).collect::<Vec<_>>(),
    })
}
