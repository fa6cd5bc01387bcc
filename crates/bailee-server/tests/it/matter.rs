//! Bundles of a matter: each party takes away its own part, everything in it verifies, and nothing
//! in any file of it is somebody else's.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use bailee_core::demand::Exhibit as Paper;
use bailee_core::disclosure::Audience;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::{
    AccountId, AssetId, EntityId, HoldId, MatterId, NoticeId, ObjectionId, PartyId,
};
use bailee_core::notice::Evidence;
use bailee_core::party::{Channel, ChannelKind, Role, Who};
use bailee_core::{Action, By, Command as Order, NewAsset, Reason, Triage};
use bailee_ledger::zip::Archive;
use bailee_server::api::words::TokenScope;
use bailee_server::intake::{self, Cover};
use bailee_server::matter;
use bailee_server::receipt::{self, ReceiptError};
use bailee_server::{House, HouseError};
use bailee_store::{Exhibit, digest};

use crate::common::{People, because, letter_with, on_disk, people, take, verified, yes};
use crate::http::{Served, token};

const M1: MatterId = MatterId(1);
/// The owner's name has characters of three scripts, one of which the font of the papers lacks.
const OWNER: &str = "Dána Βος 張三";
const LABEL: &str = "Photography of Nijmegen";
const ORDER: &str = "Order 77, which nobody may speak of";

struct Case {
    house: House,
    people: People,
    owner: PartyId,
    requester: PartyId,
    authority: PartyId,
    dir: tempfile::TempDir,
}

fn reason(note: &str) -> Reason {
    Reason { note: note.into(), exhibits: Vec::new() }
}

/// Files a document from a party in the matter.
fn file(house: &House, by: PartyId, from: PartyId, bytes: Vec<u8>) {
    let (reason, exhibit) = enclosed("enclosed", bytes);
    let action = Action::FileCorrespondence { matter: M1, from, reason };
    house.submit(Order::by(by, action), vec![exhibit]).unwrap();
}

/// A note with a document.
fn enclosed(note: &str, bytes: Vec<u8>) -> (Reason, Exhibit) {
    let exhibit = Exhibit { digest: digest(&bytes), bytes };
    let paper = Paper {
        digest: exhibit.digest,
        size: exhibit.bytes.len() as u64,
        media: "application/octet-stream".into(),
        name: "enclosure.bin".into(),
    };
    (Reason { note: note.into(), exhibits: vec![paper] }, exhibit)
}

/// An owner with a server; counsel of somebody asks to keep it, openly; an authority asks, in
/// silence; a wipe is proposed, told, objected to and given up.
fn case() -> Case {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(&dir.path().join("house"));
    let people = people(&house);
    let address = "dana@vos.example".to_owned();
    let channels = vec![Channel { kind: ChannelKind::Email, address }];
    let who = Who { name: OWNER.into(), channels };
    let owner = house.with_state(|s| s.parties.next()).unwrap();
    let register = Action::RegisterParty { who, roles: vec![Role::Owner], same_person_as: None };
    yes(&house, people.ada, register);
    yes(&house, people.ada, Action::RegisterEntity { name: "Host".into(), country: "NL".into() });
    let (entity, label, law) = (EntityId(1), LABEL.into(), "NL".into());
    let account = Action::RegisterAccount { owner, entity, label, law, retention_days: 1 };
    yes(&house, people.ada, account);
    yes(
        &house,
        people.ada,
        Action::RegisterAsset(NewAsset {
            kind: bailee_core::asset::AssetKind::Server,
            label: "srv-77".into(),
            accounts: vec![AccountId(1)],
            identifiers: Vec::new(),
            part_of: None,
            copy_of: Vec::new(),
            place: "rack 1".into(),
            bytes: 1,
        }),
    );
    yes(&house, people.cora, Action::OpenMatter { title: "Requester against Vos".into() });
    let raw = letter_with(1, "Please keep srv-77, and the parrot.\r\n");
    take(&house, &raw).unwrap();
    let order = letter_with(2, &format!("{ORDER}: keep srv-77.\r\n"));
    let cover =
        Cover { instrument: Some("epoc-pr".into()), silent: Some(true), ..Cover::default() };
    intake::take(&house, order, cover, By::System).unwrap();
    for demand in [1, 2].map(bailee_core::id::DemandId) {
        let triage = Triage::Accept(Some(M1));
        yes(
            &house,
            people.cora,
            Action::DecideDemand { demand, triage, reason: reason("Granted.") },
        );
    }
    let from = |n| house.with_state(|s| s.demands.get(bailee_core::id::DemandId(n)).unwrap().from);
    let (requester, authority) = (from(1).unwrap(), from(2).unwrap());
    file(&house, people.ada, requester, vec![7; 400_000]);
    let (kind, assets) = (DispositionKind::Sanitize, vec![AssetId(1)]);
    let propose = Action::ProposeDisposition { kind, assets, to: None, reason: because() };
    yes(&house, people.ada, propose);
    assert!(house.settle().is_empty());
    let disposition = bailee_core::id::DispositionId(1);
    let to_owner =
        |id: &NoticeId| house.with_state(|s| s.notices.get(*id).unwrap().to == owner).unwrap();
    let notices = house.with_state(|s| s.dispositions.get(disposition).unwrap().notices.clone());
    let notice = notices.unwrap().into_iter().find(to_owner).unwrap();
    let (attempt, evidence) = (0, Evidence::Acknowledged);
    let (reason_of, exhibit) = enclosed("She said so.", b"I have your notice.".to_vec());
    let evidence = Action::RecordEvidence { notice, attempt, evidence, reason: reason_of };
    house.submit(Order::by(people.ada, evidence), vec![exhibit]).unwrap();
    let object =
        Action::FileObjection { disposition, by: owner, reason: reason("My life's work!") };
    yes(&house, people.ada, object);
    let (objection, upheld) = (ObjectionId(1), true);
    let decide = Action::DecideObjection { objection, upheld, reason: reason("It is kept.") };
    yes(&house, people.cora, decide);
    Case { house, people, owner, requester, authority, dir }
}

fn bundle(house: &House, audience: Audience) -> Vec<u8> {
    let mut out = Vec::new();
    matter::bundle(house, M1, audience, &mut out).unwrap();
    out
}

/// Members of the archive below `bag/data/`, and the papers of it.
fn members(bundle: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = Archive::open(Cursor::new(bundle)).unwrap();
    let names: Vec<String> = archive.members().iter().map(|member| member.name.clone()).collect();
    let read = |name: String| {
        let bytes = archive.read(&name, 1 << 24).unwrap();
        (name.trim_start_matches("bag/data/").to_owned(), bytes)
    };
    names.into_iter().map(read).collect()
}

/// The text of a PDF, read by somebody else's program.
fn pdf_text(dir: &Path, pdf: &[u8]) -> String {
    let path = dir.join("paper.pdf");
    std::fs::write(&path, pdf).unwrap();
    let output = Command::new("pdftotext").arg("-layout").arg(&path).arg("-").output();
    let output = output.expect("pdftotext is there (`cargo xtask setup` installs it)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn has(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[test]
fn each_party_gets_its_own_part_and_nothing_of_others_is_in_any_byte() {
    let case = case();
    let Case { house, owner, requester, authority, .. } = &case;
    let letters = ["and the parrot", "requester-1@law.example", "Requester 1"];
    let secrets = [ORDER, "requester-2@law.example", "epoc-pr", "H-2", "D-2"];
    let owners = [OWNER, "dana@vos.example", LABEL, "My life's work"];
    for (party, own, others) in [
        (*requester, &letters[..], [&secrets[..], &owners].concat()),
        (*authority, &secrets[..2], [&letters[..], &owners].concat()),
        (*owner, &owners[..], [&secrets[..], &letters].concat()),
    ] {
        let bytes = bundle(house, Audience::Party(party));
        let report = verified(house, &bytes);
        assert!(report.entries.len() > 4, "{party}: {report}");
        let mut all = bytes.clone();
        for (name, pdf) in members(&bytes) {
            // What is packed inside of a PDF is looked at too.
            if name.ends_with(".pdf") {
                all.extend(pdf_text(case.dir.path(), &pdf).into_bytes());
            }
        }
        for needle in own {
            assert!(has(&all, needle), "{party} lacks {needle:?}");
        }
        for needle in others {
            assert!(!has(&all, needle), "{party} reads {needle:?}");
        }
    }
    let whole = bundle(house, Audience::Counsel);
    let report = verified(house, &whole);
    assert_eq!(report.exhibits.len(), 4, "two letters, an enclosure and an answer");
    for needle in [&letters[..], &secrets, &owners].concat() {
        assert!(has(&whole, needle), "counsel lacks {needle:?}");
    }
}

/// A word that stands by itself: `A-2` is in no `A-20` and in no `SHA-256`.
fn has_word(text: &str, word: &str) -> bool {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-');
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + word.len()..].chars());
        !inside(before) && !inside(after.clone().next())
    })
}

/// What a PDF holds: as it is, and in any of its streams, unpacked.
fn inside_of_pdf(pdf: &[u8]) -> String {
    let mut all = String::from_utf8_lossy(pdf).into_owned();
    let (mut rest, mut streams) = (pdf, 0);
    while let Some(at) = rest.windows(8).position(|window| window == b"\nstream\n") {
        rest = &rest[at + 8..];
        let end = rest.windows(10).position(|window| window == b"\nendstream").unwrap();
        // Pages and font are packed, the table of characters is not.
        let unpacked = miniz_oxide::inflate::decompress_to_vec_zlib(&rest[..end]);
        all += &String::from_utf8_lossy(&unpacked.unwrap_or_else(|_| rest[..end].to_vec()));
        rest = &rest[end..];
        streams += 1;
    }
    assert!(streams >= 3, "the streams of the PDF are not found");
    all
}

/// A second owner in the matter, with a drive that a letter names beside the first one's server.
fn with_bea(case: &Case) -> PartyId {
    let Case { house, people, .. } = case;
    let address = "bea@vanberg.example".to_owned();
    let channels = vec![Channel { kind: ChannelKind::Email, address }];
    let who = Who { name: "Bea van Berg".into(), channels };
    let other = house.with_state(|s| s.parties.next()).unwrap();
    let register = Action::RegisterParty { who, roles: vec![Role::Owner], same_person_as: None };
    yes(house, people.ada, register);
    let (entity, label, law) = (EntityId(1), "Archive of Bergen".into(), "NL".into());
    let account = Action::RegisterAccount { owner: other, entity, label, law, retention_days: 1 };
    yes(house, people.ada, account);
    let drive = NewAsset {
        kind: bailee_core::asset::AssetKind::Drive,
        label: "drive-of-bergen".into(),
        accounts: vec![AccountId(2)],
        identifiers: Vec::new(),
        part_of: None,
        copy_of: Vec::new(),
        place: "rack 9".into(),
        bytes: 1,
    };
    yes(house, people.ada, Action::RegisterAsset(drive));
    let both = letter_with(1, "Keep srv-77 and the drive-of-bergen, says the letter.\r\n");
    take(house, &both).unwrap();
    let third = bailee_core::id::DemandId(3);
    let triage = Triage::Accept(Some(M1));
    let decide = Action::DecideDemand { demand: third, triage, reason: reason("Granted.") };
    yes(house, people.cora, decide);
    for note in ["A word from Bergen", "Bergen once more"] {
        let owner = other;
        let ask = Action::RequestAccess { owner, asset: AssetId(2), reason: reason(note) };
        yes(house, other, ask);
    }
    let (kind, assets) = (DispositionKind::Sanitize, vec![AssetId(2)]);
    let propose = Action::ProposeDisposition { kind, assets, to: None, reason: because() };
    yes(house, people.ada, propose);
    assert!(house.settle().is_empty());
    other
}

#[test]
fn two_owners_in_one_matter_find_nothing_of_each_other_in_any_member() {
    let case = case();
    let other = with_bea(&case);
    let Case { house, owner, dir, .. } = &case;
    let bergen = ["Bea van Berg", "bea@vanberg.example", "Archive of Bergen", "drive-of-bergen"];
    let bergens_ids = [other.to_string(), "AC-2".into(), "A-2".into(), "X-2".into()];
    let vos = ["Dána", "dana@vos.example", LABEL, "srv-77", "My life"];
    let voss_ids = [owner.to_string(), "AC-1".into(), "A-1".into(), "X-1".into(), "O-1".into()];
    let hidden = [ORDER, "requester-2@law.example", "epoc-pr"];
    let hidden_ids = ["H-2".to_owned(), "D-2".into()];
    for (reader, own, others, ids) in [
        (
            *owner,
            &vos[..],
            [&bergen[..], &["Bergen"]].concat(),
            [&bergens_ids[..], &hidden_ids].concat(),
        ),
        (other, &bergen[..], vos.to_vec(), [&voss_ids[..], &hidden_ids].concat()),
    ] {
        let bytes = bundle(house, Audience::Party(reader));
        verified(house, &bytes);
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        let (mut seen, mut everything, mut papers) = (String::new(), String::new(), 0);
        for (name, member) in members(&bytes) {
            let text = match name.ends_with(".pdf") {
                true => pdf_text(dir.path(), &member),
                false => String::from_utf8_lossy(&member).into_owned(),
            };
            let mut all = squeezed(&text);
            if name.ends_with(".pdf") {
                all += &squeezed(&inside_of_pdf(&member));
                papers += 1;
            }
            for needle in others.iter().chain(&hidden) {
                // A line of a paper may end within a name.
                let there = all.contains(&squeezed(needle)) || name.contains(needle);
                assert!(!there, "{reader} reads {needle:?} in {name}");
            }
            // What is for programs has ids as numbers, and the core's own test reads them; base64
            // has anything.
            let by_people = [".html", ".pdf", ".txt", ".md", ".py"];
            for id in ids.iter().filter(|_| by_people.iter().any(|end| name.ends_with(end))) {
                assert!(!has_word(&text, id), "{reader} reads {id} in {name}");
            }
            everything += &all;
            if name == "timeline.pdf" {
                seen = text;
            }
        }
        assert_eq!(papers, 2);
        assert!(squeezed(&seen).contains(&squeezed(own[0])), "{reader} is not in timeline.pdf");
        for needle in own {
            assert!(everything.contains(&squeezed(needle)), "{reader} does not find {needle:?}");
        }
    }
}

#[test]
fn who_has_no_part_gets_the_answer_of_a_matter_that_is_not_there() {
    let case = case();
    let mut out = Vec::new();
    let mut no = |matter, party| {
        let audience = Audience::Party(party);
        match matter::bundle(&case.house, matter, audience, &mut out) {
            Err(ReceiptError::NothingToSee { .. }) => out.len(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(no(M1, case.people.ben), 0);
    assert_eq!(no(MatterId(9), case.owner), 0);
    // A matter of nothing but a silent hold is no matter to the owner.
    yes(&case.house, case.people.cora, Action::OpenMatter { title: "secret".into() });
    let scope = bailee_core::demand::Scope { assets: vec![AssetId(1)], ..Default::default() };
    let (instrument, matter, silent) = ("letter".into(), Some(MatterId(2)), Some(true));
    let reason = Reason::default();
    let place = Action::PlaceHold { scope, instrument, matter, silent, reason };
    yes(&case.house, case.people.cora, place);
    assert_eq!(no(MatterId(2), case.owner), 0);
    assert_eq!(no(MatterId(2), PartyId(99)), 0);
}

#[test]
fn the_papers_say_what_was_known_to_whom_and_lose_no_character() {
    let case = case();
    let parts = members(&bundle(&case.house, Audience::Party(case.owner)));
    let page = String::from_utf8(parts["timeline.html"].clone()).unwrap();
    assert!(page.contains(OWNER), "{page}");
    assert!(page.contains("delivery proven: acknowledged"), "{page}");
    assert!(page.contains("“My life&#39;s work!”"), "{page}");
    assert!(!page.contains("<script"));
    let text = pdf_text(case.dir.path(), &parts["timeline.pdf"]);
    assert!(text.contains("Dána Βος"), "{text}");
    assert!(text.contains("U+5F35 U+4E09") && text.contains("\u{fffd}"), "{text}");
    assert!(text.contains("page 1 of ") && text.contains("log.example.org/2026"), "{text}");
    // Every digest of a document that is shown stands in the paper, whole or broken over lines.
    let parts = members(&bundle(&case.house, Audience::Counsel));
    let text = pdf_text(case.dir.path(), &parts["timeline.pdf"]);
    let exhibits = parts.keys().filter_map(|name| name.strip_prefix("exhibits/"));
    for hex in exhibits {
        assert!(text.contains(&hex[..16]), "{hex} is not in {text}");
    }
}

#[test]
fn the_form_is_a_form_and_its_digests_can_be_made_again_by_hand() {
    let case = case();
    let parts = members(&bundle(&case.house, Audience::Counsel));
    let form = String::from_utf8(parts["certification-form.txt"].clone()).unwrap();
    assert!(form.contains("THIS IS A FORM AND NOT A CERTIFICATION"), "{form}");
    let words = form.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("Unsigned it certifies nothing") && words.contains("not legal advice"));
    let manifest = String::from_utf8(parts["bag/manifest-sha256.txt"].clone()).unwrap();
    let list: String = manifest
        .lines()
        .filter(|line| line.contains(" data/exhibits/"))
        .map(|line| format!("{line}\n"))
        .collect();
    for bytes in [list.as_bytes(), &parts["checkpoint"]] {
        assert!(form.contains(&bailee_ledger::to_hex(&digest(bytes))), "{form}");
    }
    let text = pdf_text(case.dir.path(), &parts["certification-form.pdf"]);
    assert!(text.contains("THIS IS A FORM") && text.contains("Signature"), "{text}");
}

/// The Python that `cargo xtask setup` makes below the target directory.
fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("tools/python/bin/python");
    assert!(python.exists(), "no {}: run `cargo xtask setup`", python.display());
    python
}

#[test]
fn the_library_of_congress_reads_them_as_bags() {
    let case = case();
    for audience in [Audience::Counsel, Audience::Party(case.requester)] {
        let bytes = bundle(&case.house, audience);
        verified(&case.house, &bytes);
        let dir = tempfile::tempdir().unwrap();
        std::fs::File::create(dir.path().join("x.zip")).unwrap().write_all(&bytes).unwrap();
        let validate = "import sys, zipfile, bagit\n\
                        zipfile.ZipFile(sys.argv[1] + '/x.zip').extractall(sys.argv[1])\n\
                        bag = bagit.Bag(sys.argv[1] + '/bag')\n\
                        bag.validate()\n\
                        print(len(bag.payload_entries()))\n";
        let mut command = Command::new(python());
        let output = command.args(["-c", validate]).arg(dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let payload: usize = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
        let files = members(&bytes).keys().filter(|name| !name.starts_with("bag/")).count();
        assert_eq!(payload, files);
    }
}

#[test]
fn over_http_a_party_gets_its_own_part_and_the_house_anybodys() {
    let case = case();
    let (owner, requester) = (case.owner, case.requester);
    let of = |party, scope| token(&case.house, party, scope);
    let of_owner = of(owner, TokenScope::Reader);
    let of_staff = of(case.people.ada, TokenScope::Reader);
    let key = case.house.log_key().unwrap().to_vkey();
    let served = Served::start(case.house);
    let checked = |body: &[u8]| {
        let trust = bailee_ledger::Trust::pinned_key(&key).unwrap();
        let report = bailee_ledger::verify_bundle(Cursor::new(body), &trust).unwrap();
        assert!(!report.failed(), "{report}");
    };
    let own = served.get("/v1/matters/M-1/bundle", &of_owner);
    assert_eq!((own.status, own.header("content-type")), (200, "application/zip"));
    let own = dechunked(&own);
    checked(&own);
    assert!(has(&own, LABEL) && !has(&own, "and the parrot"));
    let other = served.get(&format!("/v1/matters/M-1/bundle?for={requester}"), &of_owner);
    assert_eq!((other.status, other.code().as_str()), (404, "nothing_to_see"));
    let made = served.get(&format!("/v1/matters/M-1/bundle?for={requester}"), &of_staff);
    let made = dechunked(&made);
    checked(&made);
    assert!(has(&made, "and the parrot") && !has(&made, LABEL));
    let missing = served.get("/v1/matters/M-9/bundle", &of_owner);
    assert_eq!((missing.status, missing.code().as_str()), (404, "nothing_to_see"));
}

/// The body without its chunks' lengths (RFC 9112, 7.1).
pub(crate) fn dechunked(answer: &crate::http::Answered) -> Vec<u8> {
    assert_eq!(answer.header("transfer-encoding"), "chunked");
    let (mut rest, mut out) = (answer.body.as_slice(), Vec::new());
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return out;
        }
        out.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
}

/// A bundle that leaves out a document without a word would be taken for the whole.
#[test]
fn a_document_that_is_lost_stops_bundle_and_receipt_by_name() {
    let case = case();
    let lost = |bytes: &[u8]| {
        let hex = bailee_ledger::to_hex(&digest(bytes));
        let path = case.dir.path().join(format!("house/objects/exhibits/{}/{hex}", &hex[..2]));
        std::fs::remove_file(path).unwrap();
        hex
    };
    let stopped = |result: Result<(), ReceiptError>, hex: &str| match result {
        Err(ReceiptError::House(HouseError::Io { doing, detail })) => {
            assert!(doing.contains(hex) && detail.contains("bailee check"), "{doing}: {detail}");
        }
        other => panic!("{other:?}"),
    };
    let hex = lost(&vec![7; 400_000]);
    let mut out = Vec::new();
    stopped(matter::bundle(&case.house, M1, Audience::Counsel, &mut out), &hex);
    stopped(matter::bundle(&case.house, M1, Audience::Party(case.requester), &mut out), &hex);
    assert_eq!(out.len(), 0, "nothing was written");
    verified(&case.house, &bundle(&case.house, Audience::Party(case.owner)));

    let raw = letter_with(3, &"Keep srv-77, and all of this.\r\n".repeat(20_000));
    let demand = crate::common::demand(take(&case.house, &raw).unwrap()).0;
    receipt::demand(&case.house, demand, &mut Vec::new()).unwrap();
    let hex = lost(&raw);
    stopped(receipt::demand(&case.house, demand, &mut out), &hex);
    assert_eq!(out.len(), 0, "nothing was written");
}

#[test]
fn a_document_that_was_altered_in_the_store_stops_the_bundle() {
    let case = case();
    let hex = bailee_ledger::to_hex(&digest(&vec![7; 400_000]));
    let path = case.dir.path().join(format!("house/objects/exhibits/{}/{hex}", &hex[..2]));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[9] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let mut out = Vec::new();
    match matter::bundle(&case.house, M1, Audience::Counsel, &mut out) {
        Err(ReceiptError::House(HouseError::Io { doing, .. })) => {
            assert!(doing.contains(&hex), "{doing}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(out.len(), 0, "nothing was written");
    // Whoever is not shown it has nothing to do with it.
    verified(&case.house, &bundle(&case.house, Audience::Party(case.owner)));
    assert!(case.house.with_state(|s| s.holds.get(HoldId(2)).unwrap().silent).unwrap());
}
