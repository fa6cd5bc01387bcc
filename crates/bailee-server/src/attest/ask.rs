//! One question to one witness (c2sp.org/tlog-witness): the request, and what the answer means.
//!
//! Invariants: an answer is bounded in bytes and time; a cosignature counts only if it is by a key
//! that the policy lists, verifies over exactly the text that was asked about, and states a time
//! that is not absurd; signatures by other keys are ignored. No answer changes what is asked next
//! but the size from which the proof begins.

use std::time::Duration;

use bailee_ledger::note::NoteSignature;
use bailee_ledger::policy::PolicyWitness;
use bailee_ledger::witness::{AddCheckpoint, SIZE_MEDIA, parse_size};
use bailee_ledger::{Checkpoint, Note};

use crate::attest::watch::Lapse;
use crate::web::{Answer, Web, WebError};

/// Largest answer read: a hundred ML-DSA signatures would not fit, nobody sends ten.
const ANSWER: u64 = 64 << 10;
/// Seconds by which a witness's clock may differ from ours.
const CLOCKS: u64 = 24 * 3_600;

/// What a witness answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Signature lines, not verified yet.
    Signed(Vec<NoteSignature>),
    /// It has cosigned a tree of this size last, and wants a proof from there.
    From(u64),
}

/// Asks for a cosignature.
pub(crate) fn ask(
    web: &Web,
    url: &str,
    request: &AddCheckpoint,
    within: Duration,
) -> Result<Reply, Lapse> {
    let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
    let body = request.to_string();
    let answer = web.post(&url, "text/plain; charset=utf-8", body.as_bytes(), ANSWER, within);
    match answer {
        Ok(answer) => read(&answer),
        Err(WebError::Late(_)) => Err(Lapse::Late),
        Err(large @ WebError::Large(_)) => Err(Lapse::Wrong(large.to_string())),
        Err(other) => Err(Lapse::Unreachable(other.to_string())),
    }
}

fn read(answer: &Answer) -> Result<Reply, Lapse> {
    let refused = |why| Err(Lapse::Refused { status: answer.status, why });
    match answer.status {
        200 => {
            let text = std::str::from_utf8(&answer.body).ok();
            let lines = text.and_then(|text| Note::parse_signature_lines(text).ok());
            lines.map(Reply::Signed).ok_or(Lapse::Wrong("not signature lines".into()))
        }
        409 if answer.media == SIZE_MEDIA => {
            let size = parse_size(&answer.body).map(Reply::From);
            size.ok_or(Lapse::Wrong("a conflict without a size".into()))
        }
        409 => Err(Lapse::Contradicts("it has cosigned another tree of this size".into())),
        422 => Err(Lapse::Contradicts("our proof does not extend what it has cosigned".into())),
        400 => refused("it does not understand the request"),
        403 => refused("it knows another key of this log"),
        404 => refused("it does not watch this log, or the URL is wrong"),
        429 | 503 => refused("it is busy"),
        _ => refused("see its log"),
    }
}

/// The cosignature by this witness among `lines`, verified, and the Unix seconds it states. `now`:
/// Unix seconds, if our clock is a real one.
pub(crate) fn cosignature(
    witness: &PolicyWitness,
    note: &Note,
    lines: &[NoteSignature],
    now: Option<u64>,
) -> Result<(NoteSignature, u64), Lapse> {
    let key = &witness.key;
    let own = |line: &&NoteSignature| line.name == key.name() && line.key_id == key.id();
    let missing = || Lapse::Wrong(format!("no signature by its key {:08x}", key.id()));
    let line = lines.iter().find(own).ok_or_else(missing)?;
    let time = key.verify(note.text(), &line.bytes);
    let time = time.map_err(|error| Lapse::Wrong(error.to_string()))?.unwrap_or(0);
    let absurd = now.is_some_and(|now| now.abs_diff(time) > CLOCKS);
    if time == 0 || absurd {
        return Err(Lapse::Wrong(format!("it states the time {time}, more than a day from ours")));
    }
    Ok((line.clone(), time))
}

/// What an answered size means beside what is known; the size to prove from, if there is one.
pub(crate) fn weigh(from: u64, sent: u64, about: &Checkpoint) -> Result<u64, Lapse> {
    if from > about.size {
        let why = format!("it has cosigned {from} leaves, this log has signed {}", about.size);
        return Err(Lapse::Contradicts(why));
    }
    if from == sent {
        return Err(Lapse::Wrong(format!("it asks for a proof from {from} and has been sent it")));
    }
    Ok(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, media: &str, body: &[u8]) -> Result<Reply, Lapse> {
        read(&Answer { status, media: media.into(), body: body.to_vec() })
    }

    #[test]
    fn each_status_means_one_thing() {
        assert_eq!(answer(409, SIZE_MEDIA, b"42\n"), Ok(Reply::From(42)));
        for bad in [&b"42"[..], b"042\n", b"-1\n", b"\n", b"18446744073709551616\n"] {
            assert!(matches!(answer(409, SIZE_MEDIA, bad), Err(Lapse::Wrong(_))), "{bad:?}");
        }
        assert!(matches!(answer(409, "text/plain", b"42\n"), Err(Lapse::Contradicts(_))));
        assert!(matches!(answer(422, "", b""), Err(Lapse::Contradicts(_))));
        for status in [301, 400, 403, 404, 429, 500, 503] {
            let refused = answer(status, "", b"");
            assert!(matches!(refused, Err(Lapse::Refused { status: s, .. }) if s == status));
        }
        for bad in [&b""[..], b"\xff\n", b"ok\n", b"\xe2\x80\x94 w AAAA\n"] {
            assert!(matches!(answer(200, "", bad), Err(Lapse::Wrong(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_size_is_weighed_against_the_tree() {
        let about =
            Checkpoint { origin: "l".into(), size: 9, root: [0; 32], extensions: Vec::new() };
        assert_eq!(weigh(5, 0, &about), Ok(5));
        assert_eq!(weigh(9, 5, &about), Ok(9));
        assert!(matches!(weigh(10, 9, &about), Err(Lapse::Contradicts(_))));
        assert!(matches!(weigh(5, 5, &about), Err(Lapse::Wrong(_))));
    }
}
