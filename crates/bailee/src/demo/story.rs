//! The story: ask, refuse, let go. Dates and claims as in the founding case; all letters are
//! written for this demo.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bailee_server::core::asset::{AssetKind, Identifier, IdentifierKind, Lifecycle};
use bailee_server::core::demand::Flag;
use bailee_server::core::disposition::DispositionKind;
use bailee_server::core::gate::{self, Verb};
use bailee_server::core::id::{
    AccountId, AssetId, ClearanceId, DemandId, DispositionId, HoldId, MatterId, NoticeId, PartyId,
};
use bailee_server::core::party::{Channel, ChannelKind, Role, Who};
use bailee_server::core::{Action, Code, Event, NewAsset, Triage};
use bailee_server::intake::Taken;
use bailee_server::letting_go::{self, Order};
use bailee_server::sanitize::{Identity, NEVER, Particulars};

use super::data::Medium;
use super::keep::Safe;
use super::stage::Stage;

const COUNSEL_LETTER: &[u8] = include_bytes!("../../../../fixtures/mail/counsel-2012-03-01.eml");
const EFF_LETTER: &[u8] = include_bytes!("../../../../fixtures/mail/eff-2012-04-03.eml");
const OFFER: &[u8] = include_bytes!("letters/offer-2012-04-20.eml");

/// Servers of the customer.
const SERVERS: u32 = 630;

/// Who and what the case is about.
pub(super) struct Case {
    pub(super) ada: PartyId,
    pub(super) ben: PartyId,
    pub(super) cora: PartyId,
    pub(super) matter: MatterId,
    pub(super) demands: [DemandId; 2],
    pub(super) holds: Vec<HoldId>,
    pub(super) servers: Vec<AssetId>,
}

/// How it ended.
pub(super) struct Ended {
    pub(super) clearance: ClearanceId,
}

/// Ask: the house, the customer, two letters, 630 frozen servers.
pub(super) fn ask(stage: &mut Stage) -> Result<Case> {
    stage.act("ASK");
    let ada = stage.party("Ada, operations", "ada@host.example", &[Role::Staff])?;
    let ben = stage.party("Ben, trust and safety", "ben@host.example", &[Role::Staff])?;
    let cora = stage.party("Cora, counsel", "cora@host.example", &[Role::Counsel])?;
    let (account, servers) = customer(stage, ada)?;
    stage.turn("2012-02-28")?;
    stage.act_as(Some(ada), Action::TerminateAccount { account })?;
    stage.say("2012-02-28", "The customer's account is terminated: 630 servers to be re-used.");

    stage.turn("2012-03-01 15:42")?;
    let (first, ms) = stage.letter(COUNSEL_LETTER)?;
    let first = demand(first)?;
    let frozen = blocked(stage, &servers)?;
    ensure!(frozen == servers.len(), "only {frozen} servers are frozen");
    stage
        .say("2012-03-01", "Counsel's letter asks to keep everything. Nobody has read it yet, but");
    stage.say("", &format!("  {first} is in the log and signed {ms:.0} ms after it arrived;"));
    stage.say("", &format!("  the gate says BLOCKED for {frozen} of {SERVERS} servers."));
    stage.settle()?;

    stage.turn("2012-03-29")?;
    for server in &servers {
        let (lifecycle, place) = (Lifecycle::Stored, "warehouse 4".into());
        stage.act_as(Some(ada), Action::MoveAsset { asset: *server, lifecycle, place })?;
    }
    let frozen = blocked(stage, &servers)?;
    ensure!(frozen == servers.len(), "moving servers changed {frozen}");
    stage.say("2012-03-29", &format!("Unracked and stored: still BLOCKED, {frozen} of {SERVERS}."));

    stage.turn("2012-04-03 23:05")?;
    let second = demand(stage.letter(EFF_LETTER)?.0)?;
    let flags = stage.house.with_state(|s| s.demands.get(second).map(|d| d.flags.clone()))?;
    ensure!(flags.context("no demand")?.contains(&Flag::WrongEntity), "not flagged");
    stage
        .say("2012-04-03", &format!("For one user, a letter to the US company: {second}, frozen,"));
    stage.say("", "  receipted, and flagged wrong_entity for a human.");
    let case = open_matter(stage, (ada, ben, cora), [first, second], servers)?;
    Ok(case)
}

fn customer(stage: &Stage, ada: PartyId) -> Result<(AccountId, Vec<AssetId>)> {
    let entities = [("Host B.V.", "NL"), ("Host USA Inc.", "US")];
    for (name, country) in entities {
        let (name, country) = (name.into(), country.into());
        stage.act_as(None, Action::RegisterEntity { name, country })?;
    }
    let owner = stage.party("Megaupload Ltd", "ops@mega.example", &[Role::Owner])?;
    let entity = "E-1".parse()?;
    let (label, law) = ("Megaupload".into(), "NL".into());
    let action = Action::RegisterAccount { owner, entity, label, law, retention_days: 30 };
    let records = stage.act_as(Some(ada), action)?;
    let account = records.iter().find_map(|record| match record.fact.event {
        Event::AccountRegistered { account, .. } => Some(account),
        _ => None,
    });
    let account = account.context("no account")?;
    let mut servers = Vec::new();
    for n in 1..=SERVERS {
        let kind = IdentifierKind::Serial;
        let identifiers = vec![Identifier { kind, value: format!("HB-2005-{n:04}") }];
        let server = NewAsset {
            kind: AssetKind::Server,
            label: format!("srv-{n:04}"),
            accounts: vec![account],
            identifiers,
            part_of: None,
            copy_of: Vec::new(),
            place: "hall 2".into(),
            bytes: 4 << 40,
        };
        servers.push(register(stage, ada, server)?);
    }
    Ok((account, servers))
}

pub(super) fn register(stage: &Stage, by: PartyId, asset: NewAsset) -> Result<AssetId> {
    let records = stage.act_as(Some(by), Action::RegisterAsset(asset))?;
    let asset = records.iter().find_map(|record| match record.fact.event {
        Event::AssetRegistered { asset, .. } => Some(asset),
        _ => None,
    });
    asset.context("the asset was not registered")
}

fn demand(taken: Taken) -> Result<DemandId> {
    match taken {
        Taken::Demand { demand, .. } => Ok(demand),
        other => anyhow::bail!("taken for a report: {other:?}"),
    }
}

/// How many of the assets the gate blocks.
fn blocked(stage: &Stage, assets: &[AssetId]) -> Result<usize> {
    let now = stage.house.clock().now();
    let verdict =
        |id: &AssetId| stage.house.with_state(|s| gate::verdict(s, *id, Verb::LetGo, now, None));
    let mut count = 0;
    for asset in assets {
        let verdict = verdict(asset)?.context("no such asset")?;
        count += usize::from(!verdict.is_clear());
    }
    Ok(count)
}

/// People decide: a matter, both demands accepted, an offer to buy filed, costs counted.
fn open_matter(
    stage: &Stage,
    (ada, ben, cora): (PartyId, PartyId, PartyId),
    demands: [DemandId; 2],
    servers: Vec<AssetId>,
) -> Result<Case> {
    let title = "Users' files after the takedown".into();
    stage.act_as(Some(cora), Action::OpenMatter { title })?;
    let matter: MatterId = "M-1".parse()?;
    let mut holds = Vec::new();
    for demand in demands {
        let (triage, reason) = (Triage::Accept(Some(matter)), Stage::reason("plausible"));
        stage.act_as(Some(cora), Action::DecideDemand { demand, triage, reason })?;
        holds.extend(stage.house.with_state(|s| s.demands.get(demand).map(|d| d.hold))?);
    }
    stage.turn("2012-04-20")?;
    let from = stage.party("A registrar", "sales@registrar.example", &[Role::Transferee])?;
    stage.act_with(ada, OFFER, "offer to buy the servers", |reason| {
        Action::FileCorrespondence { matter, from, reason }
    })?;
    let (what, currency) = ("server-days in storage".into(), "EUR".into());
    let meter = Action::StartMeter { matter, what, units: SERVERS, daily: 15, currency };
    stage.act_as(Some(ada), meter)?;
    stage.say("2012-04-20", "Counsel accepts both; an offer to buy is filed; a cost meter runs.");
    stage.settle()?;
    Ok(Case { ada, ben, cora, matter, demands, holds, servers })
}

/// Refuse: a notice that bounced starts nothing; the gate blocks every wipe.
pub(super) fn refuse(stage: &mut Stage, case: &Case) -> Result<()> {
    stage.act("REFUSE");
    stage.turn("2013-01-07")?;
    let disposition = propose(stage, case.ada, vec![case.servers[0]], "re-provisioning")?;
    stage.settle()?;
    let notices = notices(stage, disposition)?;
    let bounced = notice_to(stage, &notices, "counsel@lawfirm.example")?;
    report(stage, bounced, "failed")?;
    stage.settle()?;
    let parties = notices.len();
    stage.say(
        "2013-01-07",
        &format!("Re-provisioning is announced to all parties owed it: {parties}."),
    );
    stage.say(
        "",
        &format!("  {bounced}, to counsel, bounced: no proof, no wait, a human is paged."),
    );

    stage.turn("2013-02-01")?;
    let frozen = blocked(stage, &case.servers)?;
    ensure!(frozen == case.servers.len(), "{frozen} servers are blocked");
    let (asset, subject) = (case.servers[0], [0; 32]);
    let wipe = Action::Reserve { disposition, asset, subject };
    let why = stage.refused(Some(case.ada), wipe, Code::HoldInForce)?;
    stage
        .say("2013-02-01", &format!("The wipe of each server is REFUSED ({frozen} of {SERVERS}):"));
    stage.say("", &format!("  {why}"));
    let reason = Stage::reason("superseded by preserving first");
    stage.act_as(Some(case.ada), Action::CancelDisposition { disposition, reason })?;
    Ok(())
}

fn propose(stage: &Stage, by: PartyId, assets: Vec<AssetId>, why: &str) -> Result<DispositionId> {
    let (kind, reason) = (DispositionKind::Sanitize, Stage::reason(why));
    let action = Action::ProposeDisposition { kind, assets, to: None, reason };
    let records = stage.act_as(Some(by), action)?;
    let found = records.iter().find_map(|record| match record.fact.event {
        Event::DispositionProposed { disposition, .. } => Some(disposition),
        _ => None,
    });
    found.context("nothing was proposed")
}

fn notices(stage: &Stage, disposition: DispositionId) -> Result<Vec<NoticeId>> {
    let found =
        stage.house.with_state(|s| s.dispositions.get(disposition).map(|d| d.notices.clone()));
    found?.context("no such disposition")
}

fn notice_to(stage: &Stage, notices: &[NoticeId], address: &str) -> Result<NoticeId> {
    let found = stage.house.with_state(|s| {
        let party = s.party_at(address)?;
        notices.iter().copied().find(|id| s.notices.get(*id).is_some_and(|n| n.to == party))
    })?;
    found.with_context(|| format!("no notice to {address}"))
}

/// What the recipient's mail system reports about a notice: a real RFC 3464 message.
fn report(stage: &Stage, notice: NoticeId, action: &str) -> Result<()> {
    let attempts =
        stage.house.with_state(|s| s.notices.get(notice).map_or(0, |n| n.attempts.len()))?;
    let name = format!("outbox/notice-{notice}-{}.eml", attempts.saturating_sub(1));
    let sent = std::fs::read_to_string(stage.dir.join("house").join(name))?;
    let header = |name: &str| {
        let mut lines = sent.lines().take_while(|line| !line.is_empty());
        lines.find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default().to_owned()
    };
    let (id, to) = (header("Message-ID:"), header("To:"));
    let to = to.rsplit('<').next().unwrap_or_default().trim_end_matches('>').to_owned();
    let status = if action == "failed" { "5.1.1" } else { "2.0.0" };
    let raw = format!(
        "From: MAILER-DAEMON@mx.example\r\nTo: custody@log.host.example\r\nSubject: report\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; \
         boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nReport.\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
         Final-Recipient: rfc822; {to}\r\nAction: {action}\r\nStatus: {status}\r\n\r\n--b\r\n\
         Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: {id}\r\n\r\n--b--\r\n"
    );
    match stage.letter(raw.as_bytes())?.0 {
        Taken::Report { .. } => Ok(()),
        other => anyhow::bail!("the report on {notice} became {other:?}"),
    }
}

/// Let go: notices proven, the wait over, three persons, one clearance, one certificate.
pub(super) fn let_go(
    stage: &mut Stage,
    case: &Case,
    safe: &Safe,
    medium: &Medium,
) -> Result<Ended> {
    stage.act("LET GO");
    let drive = safe.drive;
    let disposition = propose(stage, case.ada, vec![drive], "the drive is preserved; re-use it")?;
    stage.settle()?;
    let all = notices(stage, disposition)?;
    new_address(stage, case)?;
    for notice in &all {
        report(stage, *notice, "delivered")?;
    }
    stage.say(
        "2013-02-04",
        &format!("{disposition}: delivery to all parties ({}) is proven.", all.len()),
    );
    approvals(stage, case, disposition)?;
    let subject = Identity::of_path(&medium.disk)?.digest();
    let reserve = || Action::Reserve { disposition, asset: drive, subject };
    let why = stage.refused(Some(case.ada), reserve(), Code::WaitingPeriod)?;
    stage.say("", &format!("Too early is REFUSED: {why}"));

    stage.turn("2013-03-08 10:00")?;
    let began = Instant::now();
    let log = stage.proofs.join("sanitize.log");
    let order = Order {
        disposition,
        asset: drive,
        device: &medium.disk,
        log: &log,
        by: case.ada,
        particulars: Particulars::default(),
        interrupt: &NEVER,
    };
    let done = letting_go::sanitize(&stage.house, order, &mut |_| ())?;
    let seconds = began.elapsed().as_secs_f64();
    let id = done.clearance;
    stage.say(
        "2013-03-08",
        &format!("{id}: {} overwritten and read back in {seconds:.1} s;", medium.what),
    );
    stage.say("", &format!("  achieved: clear; verified: {}.", done.record.verified.word()));
    let again = Action::Reserve { disposition, asset: drive, subject };
    let why = stage.refused(Some(case.ada), again, Code::DispositionClosed)?;
    stage.say("", &format!("A second time is REFUSED: {why}"));
    for copy in [safe.disk.asset, safe.files.asset] {
        let frozen = blocked(stage, &[copy])?;
        ensure!(frozen == 1, "the copy {copy} is not protected");
    }
    stage.say("", "The copies in the vault are BLOCKED by the same holds: they are the data now.");
    Ok(Ended { clearance: id })
}

/// Counsel's old address bounced; a human found another.
fn new_address(stage: &Stage, case: &Case) -> Result<()> {
    let party = stage.house.with_state(|s| s.party_at("counsel@lawfirm.example"))?;
    let party = party.context("counsel is not known")?;
    let channel = |kind, address: &str| Channel { kind, address: address.into() };
    let channels = vec![
        channel(ChannelKind::Email, "counsel@lawfirm.example"),
        channel(ChannelKind::Post, "R. Counsel, 1 Court Street"),
    ];
    let who = Who { name: "R. Counsel".into(), channels };
    stage.act_as(Some(case.ben), Action::ChangeParty { party, who })?;
    Ok(())
}

fn approvals(stage: &Stage, case: &Case, disposition: DispositionId) -> Result<()> {
    let approve = || Action::ApproveDisposition { disposition };
    let why = stage.refused(Some(case.ada), approve(), Code::ApproverIsProposer)?;
    stage.say("", &format!("Ada approves her own proposal: REFUSED ({why})"));
    stage.act_as(Some(case.ben), approve())?;
    stage.act_as(Some(case.cora), approve())?;
    stage.say("", "Ada proposed; Ben and Cora (counsel) approve the same blast radius.");
    Ok(())
}
