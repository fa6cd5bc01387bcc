//! A round: every witness that is not resting is asked about one checkpoint, all at once.
//!
//! Invariants
//! 1. A round ends: when all have answered, when its time is over, or half of that time after the
//!    quorum is reached, so that the slowest delays nobody for long.
//! 2. A witness that does not answer rests, twice as long each time, up to [`LONGEST_REST`]; one
//!    that is cut off does not. So a dead witness costs a round now and then, not every one.
//! 3. A question runs on a thread of its own, which holds nothing of the house: a house that closes
//!    waits for none of them. Its answer, however late, says how far that witness is.
//! 4. A witness is asked from the size it cosigned last; if it says another, it gets the proof from
//!    there, at most [`QUESTIONS`] times a round. That is how one that lagged, or was restored from
//!    an old copy, catches up.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use bailee_ledger::note::NoteSignature;
use bailee_ledger::policy::PolicyWitness;
use bailee_ledger::witness::AddCheckpoint;
use bailee_ledger::{Checkpoint, Note, Policy};

use crate::attest::ask::{self, Reply};
use crate::attest::watch::{Lapse, Watched};
use crate::house::Inner;
use crate::web::Web;

/// First rest of a witness that did not answer.
const FIRST_REST: Duration = Duration::from_secs(1);
/// Longest rest.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// Questions to one witness in one round.
const QUESTIONS: u32 = 3;

/// What the thread that asks is told.
#[derive(Debug)]
pub(crate) enum Tell {
    /// The log has signed more, or somebody waits.
    Look,
    /// A witness has answered, or has not.
    Answered(Answered),
    /// The house closes.
    Close,
}

/// The end of a question.
#[derive(Debug)]
pub(crate) struct Answered {
    seat: usize,
    sent: u64,
    about: Checkpoint,
    reply: Result<Reply, Lapse>,
}

/// One address, and the policy's witnesses that answer there (one for each of its keys).
struct Seat {
    url: String,
    witnesses: Vec<usize>,
    /// Size it cosigned last, as far as is known.
    from: u64,
    /// A question is on its way.
    busy: bool,
    failures: u32,
    rests_until: Option<Instant>,
}

/// A checkpoint and the cosignatures it has.
#[derive(Clone, Debug)]
pub(crate) struct Gathered {
    pub(crate) about: Checkpoint,
    pub(crate) note: Note,
    /// Who of the policy's witnesses cosigned, and the Unix seconds they state.
    pub(crate) cosigned: Vec<(usize, u64)>,
}

impl Gathered {
    /// A note that the log signed, with whatever is on it.
    pub(crate) fn of(note: Note, policy: &Policy) -> Result<Gathered, bailee_ledger::Error> {
        let (_, about) = policy.open_log(&note)?;
        let cosigned = policy.cosignatures(&note)?;
        Ok(Gathered { about, note, cosigned })
    }

    /// Is the quorum reached, or did anybody cosign if the policy asks for nobody?
    pub(crate) fn satisfies(&self, policy: &Policy) -> bool {
        match policy.quorum_name() {
            "none" => !self.cosigned.is_empty(),
            _ => policy.quorum_by(&self.cosigned).is_some(),
        }
    }

    /// The cosignatures in the order of the policy, whoever answered first.
    fn put_in_order(&mut self, policy: &Policy) {
        let place = |line: &NoteSignature| {
            let ours = |one: &PolicyWitness| one.key.id() == line.key_id;
            // The log's own signatures come first, as they were.
            policy.witnesses().iter().position(ours).map_or(0, |index| index + 1)
        };
        let Ok(mut note) = Note::new(self.note.text().to_owned()) else { return };
        let mut lines = self.note.signatures().to_vec();
        lines.sort_by_key(place);
        note.add_signatures(lines);
        self.note = note;
        self.cosigned.sort_unstable();
    }

    fn lacks(&self, seat: &Seat) -> bool {
        let missing = |index: &usize| self.cosigned.iter().all(|(witness, _)| witness != index);
        seat.witnesses.iter().any(missing)
    }
}

/// Everybody who is asked.
pub(crate) struct Table {
    policy: Policy,
    timeout: Duration,
    seats: Vec<Seat>,
    web: Web,
    tell: Sender<Tell>,
    /// By the policy's witnesses; the log's own second key stands among them and is not asked.
    watched: Vec<Watched>,
}

impl Table {
    pub(crate) fn new(policy: Policy, timeout: Duration, tell: Sender<Tell>) -> Table {
        let mut seats: Vec<Seat> = Vec::new();
        for (index, witness) in policy.witnesses().iter().enumerate() {
            let Some(url) = &witness.url else { continue };
            match seats.iter_mut().find(|seat| seat.url == *url) {
                Some(seat) => seat.witnesses.push(index),
                None => seats.push(Seat {
                    url: url.clone(),
                    witnesses: vec![index],
                    from: 0,
                    busy: false,
                    failures: 0,
                    rests_until: None,
                }),
            }
        }
        let watched = policy.witnesses().iter().map(|w| Watched::named(&w.name)).collect();
        Table { policy, timeout, seats, web: Web::default(), tell, watched }
    }

    /// What is known of everybody who is asked.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        let asked = |index: &usize| self.seats.iter().any(|seat| seat.witnesses.contains(index));
        let all = self.watched.iter().enumerate();
        all.filter(|(index, _)| asked(index)).map(|(_, one)| one.clone()).collect()
    }

    /// Whoever cosigned this earlier note has come as far as it.
    pub(crate) fn resume(&mut self, earlier: &Gathered) {
        for (index, _) in &earlier.cosigned {
            self.watched[*index].size = earlier.about.size;
            let seat = self.seats.iter_mut().find(|seat| seat.witnesses.contains(index));
            seat.into_iter().for_each(|seat| seat.from = earlier.about.size);
        }
    }

    /// When the next of those that are missing has rested, if one is missing.
    pub(crate) fn next_try(&self, gathered: &Gathered) -> Option<Instant> {
        let missing = self.seats.iter().filter(|seat| !seat.busy && gathered.lacks(seat));
        missing.map(|seat| seat.rests_until.unwrap_or_else(Instant::now)).min()
    }

    /// Asks everybody whose cosignature is missing.
    pub(crate) fn round(&mut self, house: &Inner, gathered: &mut Gathered, told: &Receiver<Tell>) {
        let begun = Instant::now();
        let mut end = begun + self.timeout;
        let mut asked = vec![0; self.seats.len()];
        for (number, asked) in asked.iter_mut().enumerate() {
            let seat = &self.seats[number];
            let rested = seat.rests_until.is_none_or(|until| until <= begun);
            if rested && !seat.busy && gathered.lacks(seat) {
                self.put(house, number, gathered);
                *asked = 1;
            }
        }
        while asked.iter().zip(&self.seats).any(|(asked, seat)| *asked > 0 && seat.busy) {
            let answered = match told.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(Tell::Answered(answered)) => answered,
                Ok(Tell::Look) => continue,
                Ok(Tell::Close) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => break,
            };
            let seat = answered.seat;
            if self.take(house, answered, Some(gathered)) && asked[seat] > 0 {
                self.again(house, seat, &mut asked[seat], gathered);
            }
            if gathered.satisfies(&self.policy) {
                end = end.min(Instant::now() + self.timeout / 2);
            }
        }
        for (seat, _) in self.seats.iter().zip(asked).filter(|(seat, n)| *n > 0 && seat.busy) {
            seat.witnesses.iter().for_each(|index| self.watched[*index].lapsed(Lapse::Late));
        }
        gathered.put_in_order(&self.policy);
    }

    /// Takes an answer that came between rounds.
    pub(crate) fn late(&mut self, house: &Inner, answered: Answered) {
        self.take(house, answered, None);
    }

    /// Puts a question on its way.
    fn put(&mut self, house: &Inner, seat: usize, gathered: &Gathered) {
        let Gathered { about, note, .. } = gathered;
        let Seat { url, from, .. } = &self.seats[seat];
        let sent = (*from).min(about.size);
        let Ok(Ok(proof)) = house.read(|p| p.tree.consistency(sent, about.size)) else { return };
        let request = AddCheckpoint { old: sent, proof, note: note.clone() };
        let (web, url, within) = (self.web.clone(), url.clone(), self.timeout);
        let (tell, about) = (self.tell.clone(), about.clone());
        let question = move || {
            let reply = ask::ask(&web, &url, &request, within);
            // Nobody listens any more when the house has closed.
            _ = tell.send(Tell::Answered(Answered { seat, sent, about, reply }));
        };
        let begun = thread::Builder::new().name("witness".into()).spawn(question);
        self.seats[seat].busy = begun.is_ok();
    }

    /// Puts the question again, from the size that was answered, but not for ever.
    fn again(&mut self, house: &Inner, seat: usize, asked: &mut u32, gathered: &Gathered) {
        if *asked < QUESTIONS {
            *asked += 1;
            self.put(house, seat, gathered);
        } else {
            self.lapsed(seat, &Lapse::Wrong("asks for one proof after the other".into()));
        }
    }

    /// Takes an answer, and its cosignatures if they are about what is gathered. True: ask again.
    fn take(&mut self, house: &Inner, answered: Answered, into: Option<&mut Gathered>) -> bool {
        let Answered { seat: number, sent, about, reply } = answered;
        self.seats[number].busy = false;
        let from = match reply {
            Err(lapse) => Err(lapse),
            Ok(Reply::From(from)) => ask::weigh(from, sent, &about),
            Ok(Reply::Signed(lines)) => {
                match into.filter(|gathered| gathered.about == about) {
                    Some(gathered) => self.sign(house, number, gathered, &lines),
                    // Not looked at, so not believed; the next proof starts there all the same.
                    None => self.seats[number].from = about.size,
                }
                return false;
            }
        };
        match from {
            Ok(from) => {
                let was = std::mem::replace(&mut self.seats[number].from, from);
                if from < was {
                    self.note(number, &Lapse::SetBack { was, now: from });
                }
                true
            }
            Err(lapse) => {
                self.lapsed(number, &lapse);
                false
            }
        }
    }

    /// Puts the cosignatures of a seat's witnesses on the note, each verified.
    fn sign(
        &mut self,
        house: &Inner,
        seat: usize,
        gathered: &mut Gathered,
        lines: &[NoteSignature],
    ) {
        let now = house.clock.unix_if_real();
        let mut lapsed = None;
        for index in self.seats[seat].witnesses.clone() {
            let witness = &self.policy.witnesses()[index];
            match ask::cosignature(witness, &gathered.note, lines, now) {
                Ok((line, time)) => {
                    gathered.note.add_signatures([line]);
                    gathered.cosigned.push((index, time));
                    self.watched[index].cosigned(gathered.about.size);
                }
                Err(lapse) => {
                    self.watched[index].lapsed(lapse.clone());
                    lapsed = Some(lapse);
                }
            }
        }
        let seat = &mut self.seats[seat];
        match lapsed {
            Some(_) => seat.rest(),
            None => {
                (seat.failures, seat.rests_until) = (0, None);
                seat.from = gathered.about.size;
            }
        }
    }

    /// Notes a lapse of everybody at this address, and lets it rest.
    fn lapsed(&mut self, seat: usize, lapse: &Lapse) {
        self.seats[seat].rest();
        self.note(seat, lapse);
    }

    fn note(&mut self, seat: usize, lapse: &Lapse) {
        let witnesses = self.seats[seat].witnesses.iter();
        witnesses.for_each(|index| self.watched[*index].lapsed(lapse.clone()));
    }
}

impl Seat {
    fn rest(&mut self) {
        let rest = FIRST_REST.saturating_mul(1 << self.failures.min(8)).min(LONGEST_REST);
        self.failures = self.failures.saturating_add(1);
        self.rests_until = Some(Instant::now() + rest);
    }
}
