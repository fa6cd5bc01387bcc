//! Answers to notices, by mail: an objection is on record, a delivery report that asks is a demand.

use bailee_core::disposition::DispositionKind;
use bailee_core::id::{AccountId, AssetId, DispositionId, HoldId, NoticeId, ObjectionId, PartyId};
use bailee_core::notice::Evidence;
use bailee_core::{Action, Code, Reason, Triage, gate};
use bailee_post::Letter;
use bailee_server::House;
use bailee_server::intake::Taken;

use crate::common::{
    People, because, demand, drive, letter_with, on_disk, pass_days, people, register_account,
    take, verified, yes,
};

const NOTICE: NoticeId = NoticeId(3);
const X: DispositionId = DispositionId(1);

/// A drive of Otto's, once asked for by a requester who was refused, and proposed to be wiped: the
/// house, and the message id of the notice to the requester.
fn proposed(dir: &std::path::Path) -> (House, People, String) {
    let house = on_disk(dir);
    let people = people(&house);
    register_account(&house, &people);
    yes(&house, people.ada, Action::RegisterAsset(drive(1, vec![AccountId(1)], Vec::new())));
    let asked = demand(take(&house, &letter_with(1, "Keep drive 1.\r\n")).unwrap()).0;
    let reason = Reason { note: "not a party".into(), exhibits: Vec::new() };
    let refuse = Action::DecideDemand { demand: asked, triage: Triage::Refuse, reason };
    yes(&house, people.cora, refuse);
    yes(&house, people.ada, Action::TerminateAccount { account: AccountId(1) });
    pass_days(&house, 15);
    let (kind, assets) = (DispositionKind::Sanitize, vec![AssetId(1)]);
    let propose = Action::ProposeDisposition { kind, assets, to: None, reason: because() };
    yes(&house, people.ada, propose);
    assert!(house.settle().is_empty());
    let told = house.with_state(|s| s.notices.get(NOTICE).unwrap().to).unwrap();
    assert_eq!(told, requester(&house));
    let id = sent(dir, &format!("notice-{NOTICE}-0")).message_id.unwrap();
    (house, people, id)
}

fn requester(house: &House) -> PartyId {
    house.with_state(|s| s.party_at("requester-1@law.example")).unwrap().unwrap()
}

fn sent(dir: &std::path::Path, key: &str) -> Letter {
    Letter::read(&std::fs::read(dir.join(format!("outbox/{key}.eml"))).unwrap())
}

/// The page about the newest duty.
fn page(house: &House, dir: &std::path::Path) -> String {
    let duty = house.with_state(|s| s.duties.iter().last().unwrap().0).unwrap();
    assert!(house.settle().is_empty());
    sent(dir, &format!("page-{duty}")).text
}

fn reply(n: usize, head: &str, text: &str) -> Vec<u8> {
    format!(
        "From: Requester 1 <requester-1@law.example>\r\nTo: custody@log.example.org\r\n\
         Subject: your letter\r\nMessage-ID: <reply-{n}@law.example>\r\n{head}\r\n{text}\r\n"
    )
    .into_bytes()
}

fn objections(house: &House) -> Vec<PartyId> {
    house.with_state(|s| s.objections.iter().map(|(_, one)| one.by).collect()).unwrap()
}

fn held(house: &House) -> Vec<HoldId> {
    let reached = house.with_state(|s| {
        let all = bailee_core::coverage::holds(s, AssetId(1)).into_keys();
        all.filter(|id| s.holds.get(*id).unwrap().in_force()).collect()
    });
    reached.unwrap()
}

#[test]
fn a_reply_to_a_notice_as_it_tells_is_an_objection_and_stops_the_wipe() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("house");
    let (house, people, id) = proposed(&path);
    assert_eq!(held(&house), []);
    let by_name = reply(1, "", "I object to X-1 (N-3): we need these data as evidence.");
    // A mail program says what it answers; the writer may not.
    let by_thread = reply(2, &format!("In-Reply-To: <{id}>\r\n"), "We object. The data is ours.");
    let by_thread_2 = reply(3, &format!("References: <x@y>\r\n <{id}>\r\n"), "And once more.");
    for (n, raw) in [by_name, by_thread, by_thread_2].iter().enumerate() {
        let (answer, _) = demand(take(&house, raw).unwrap());
        assert_eq!(objections(&house), vec![requester(&house); n + 1]);
        assert_eq!(held(&house).len(), n + 1);
        let flags = house.with_state(|s| s.demands.get(answer).unwrap().flags.clone()).unwrap();
        assert_eq!(flags, []);
        let page = page(&house, &path);
        let of = format!("answers {NOTICE} of {X}");
        let on_record = format!("on record as O-{}", n + 1);
        for words in [of.as_str(), &on_record, "bailee objection uphold"] {
            assert!(page.contains(words), "{words:?} is not in {page}");
        }
        // The receipt tells nothing of what it was taken for.
        let receipt = sent(&path, &format!("receipt-{answer}"));
        verified(&house, &receipt.attachments[0].bytes);
        for word in ["A-1", "O-1", "X-1", "drive", "objection", "object "] {
            assert!(!receipt.text.contains(word), "{word:?} is in {}", receipt.text);
        }
    }
    let again =
        take(&house, &reply(1, "", "I object to X-1 (N-3): we need these data as evidence."));
    assert!(matches!(again, Ok(Taken::Demand { again: true, .. })), "{again:?}");
    assert_eq!(objections(&house).len(), 3);
    for n in 1..=3 {
        let objection = ObjectionId(n);
        let decide = Action::DecideObjection { objection, upheld: n == 3, reason: because() };
        yes(&house, people.cora, decide);
    }
    assert!(house.with_state(|s| s.dispositions.get(X).unwrap().cancelled).unwrap());
}

#[test]
fn a_stranger_who_names_a_proposal_freezes_it_and_a_person_is_told_how_to_object() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("house");
    let (house, _, _) = proposed(&path);
    let (answer, _) = demand(take(&house, &letter_with(7, "Stop x-1, please.\r\n")).unwrap());
    assert_eq!((objections(&house), held(&house).len()), (vec![], 1));
    let page = page(&house, &path);
    let from = house.with_state(|s| s.demands.get(answer).unwrap().from).unwrap();
    let file = format!("bailee objection file X-1 --by {from}");
    assert!(page.contains(&file), "{page}");
    let verdict = house.with_state(|s| {
        gate::verdict(s, AssetId(1), gate::Verb::LetGo, house.clock().now(), None).unwrap()
    });
    let codes: Vec<Code> = verdict.unwrap().reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(codes, [Code::HoldProvisional]);
    // Out of office is no opinion; what it names is frozen all the same.
    let away = reply(9, "Auto-Submitted: auto-replied\r\n", "I am away. Your letter: N-3.");
    demand(take(&house, &away).unwrap());
    assert_eq!((objections(&house), held(&house).len()), (vec![], 2));
}

fn report(from: &str, head: &str, said: &str, id: &str) -> Vec<u8> {
    format!(
        "From: {from}\r\nTo: custody@log.example.org\r\nSubject: Delivery report\r\n{head}\
         MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; \
         boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n{said}\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.law.example\r\n\r\n\
         Final-Recipient: rfc822; requester-1@law.example\r\nAction: relayed\r\nStatus: 2.0.0\r\n\
         \r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{id}>\r\n\
         Subject: about otto store\r\n\r\nKeep otto store.\r\n--b--\r\n"
    )
    .into_bytes()
}

#[test]
fn a_delivery_report_that_asks_or_that_a_person_wrote_is_a_demand_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let (house, _, id) = proposed(&dir.path().join("house"));
    let evidence = |house: &House| {
        let notice = house.with_state(|s| s.notices.get(NOTICE).unwrap().clone()).unwrap();
        notice.attempts[0].evidence.len()
    };
    let daemon = "MAILER-DAEMON@mx.law.example";
    let asks = "Please keep all data of Otto Store until the court has decided.";
    // Of what the notice names itself; and his program says that nobody wrote it.
    let own = "I object to X-1 (N-3): drive 1 must not be wiped. Jan";
    let mut known = 0;
    for (n, raw) in [
        report(daemon, "", asks, &id),
        report("Jan <jan@law.example>", "", "Delivered.", &id),
        report("<>", "", "<p>keep otto@people.example</p>", &id),
        report("Jan <jan@law.example>", "Auto-Submitted: auto-generated\r\n", own, &id),
    ]
    .iter()
    .enumerate()
    {
        let taken = take(&house, raw).unwrap();
        assert!(matches!(taken, Taken::Demand { again: false, .. }), "{n}: {taken:?}");
        known += 1;
        assert_eq!(evidence(&house), known, "{n}: and it is evidence");
    }
    // Of what a person wrote, the letter that it returns is read too.
    let frozen = held(&house);
    assert_eq!(frozen.len(), known, "{frozen:?}");
    // What a mail system writes about our own letter asks for nothing, whatever it quotes.
    let postfix = "This is the mail system at host mx.law.example.\r\n\r\nYour message was \
                   successfully relayed: <requester-1@law.example>: relay=law.example, N-3 \
                   (proposal X-1), drive 1";
    let exchange = "Microsoft Outlook: Delivery to these recipients is complete, but no \
                    notification was sent: requester-1@law.example Subject: N-3: proposal X-1";
    let microsoft = "Microsoft Outlook <MicrosoftExchange329e71ec88ae@law.example>";
    for raw in [
        report(daemon, "", postfix, &id),
        report("postmaster@law.example", "", exchange, &id),
        report(microsoft, "Auto-Submitted: auto-replied\r\n", exchange, &id),
        report("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "", "Relayed.", &id),
        report("<>", "", "Relayed.", &id),
    ] {
        let taken = take(&house, &raw).unwrap();
        assert_eq!(taken, Taken::Report { notice: NOTICE, evidence: Evidence::Relayed });
    }
    assert_eq!(held(&house), frozen);
}
