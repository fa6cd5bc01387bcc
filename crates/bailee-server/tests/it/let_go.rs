//! Letting go, the whole way: a file that stands for a drive, a snapshot in the vault, tokens.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bailee_core::asset::Fate;
use bailee_core::disposition::{ClearanceStatus, DispositionKind};
use bailee_core::id::{AccountId, AssetId, ClearanceId, DispositionId};
use bailee_core::{Action, By, Policy, check};
use bailee_ledger::clearance::Act;
use bailee_sanitize::{Identity, NEVER, Particulars, Phase};
use bailee_server::letting_go::{self, LetGoError, Order};
use bailee_server::{House, keeping, receipt};
use bailee_vault::{Source, Unchanged};

use crate::common::{
    People, act, because, bound, demand, letter_with, make_ready, next_asset, no, on_disk,
    pass_days, people, register_account, take, verified, yes,
};

/// A house with a drive (a file full of somebody's data) of an account that has ended.
struct Stage {
    house: House,
    people: People,
    drive: PathBuf,
    asset: AssetId,
    dir: tempfile::TempDir,
}

fn stage(size: usize) -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let drive = dir.path().join("drive.img");
    let old: Vec<u8> = (0..size).map(|n| (n * 31 + n / 4096) as u8).collect();
    std::fs::write(&drive, old).unwrap();
    std::fs::File::open(&drive).unwrap().sync_all().unwrap();
    stage_on(dir, drive)
}

fn stage_on(dir: tempfile::TempDir, drive: PathBuf) -> Stage {
    let house = on_disk(&dir.path().join("house"));
    let people = people(&house);
    register_account(&house, &people);
    let identity = Identity::of_path(&drive).unwrap();
    let asset = next_asset(&house);
    yes(&house, people.ada, Action::RegisterAsset(bound(&identity)));
    yes(&house, people.ada, Action::TerminateAccount { account: AccountId(1) });
    pass_days(&house, 2);
    Stage { house, people, drive, asset, dir }
}

impl Stage {
    fn propose(&self, kind: DispositionKind, asset: AssetId) -> DispositionId {
        let id = self.house.with_state(|s| s.dispositions.next()).unwrap();
        let (assets, reason) = (vec![asset], because());
        let action = Action::ProposeDisposition { kind, assets, to: None, reason };
        yes(&self.house, self.people.ada, action);
        make_ready(&self.house, &self.people, id);
        id
    }

    fn order<'a>(&'a self, disposition: DispositionId, log: &'a Path) -> Order<'a> {
        Order {
            disposition,
            asset: self.asset,
            device: &self.drive,
            log,
            by: self.people.ada,
            particulars: Particulars::default(),
            interrupt: &NEVER,
        }
    }

    /// Copies of a tree, whose one film has each of these bytes in turn.
    fn filmed<const N: usize>(&self, bytes: [u8; N]) -> [keeping::Kept; N] {
        let tree = self.dir.path().join("files");
        std::fs::create_dir(&tree).unwrap();
        bytes.map(|byte| {
            std::fs::write(tree.join("film"), vec![byte; 3 << 20]).unwrap();
            let (source, ada) = (Source::Tree(tree.clone()), self.people.ada);
            let (house, asset) = (&self.house, self.asset);
            keeping::preserve(house, asset, source, Unchanged::Skip, ada, &mut ()).unwrap()
        })
    }

    fn subject(&self) -> [u8; 32] {
        Identity::of_path(&self.drive).unwrap().digest()
    }
}

#[test]
fn a_drive_is_overwritten_under_a_clearance_and_certified() {
    let stage = stage(8 << 20);
    let house = &stage.house;
    let disposition = stage.propose(DispositionKind::Sanitize, stage.asset);
    let old = std::fs::read(&stage.drive).unwrap();
    let log = stage.dir.path().join("run.log");
    let done = letting_go::sanitize(house, stage.order(disposition, &log), &mut |_| ()).unwrap();
    let new = std::fs::read(&stage.drive).unwrap();
    assert_eq!(new.len(), old.len());
    let same = old.chunks(4096).zip(new.chunks(4096)).filter(|(old, new)| old == new).count();
    assert_eq!(same, 0, "{same} pages of the old data are there still");
    assert!(done.certificate.is_verified_clear());
    let mut bundle = Vec::new();
    receipt::certificate(house, done.clearance, &mut bundle).unwrap();
    let report = verified(house, &bundle);
    assert_eq!(report.kind, bailee_ledger::bundle::Kind::Certificate);
    let fate = house.with_state(|s| s.assets.get(stage.asset).unwrap().fate.clone()).unwrap();
    assert_eq!(fate, Fate::Destroyed(done.clearance));
    assert_eq!(house.with_state(check).unwrap(), []);
    let (asset, subject) = (stage.asset, stage.subject());
    let again = no(house, stage.people.ada, Action::Reserve { disposition, asset, subject });
    assert_eq!(again, "disposition_closed");
}

/// A file that can be opened for writing and takes no write: sealed memory.
fn sealed(size: usize) -> std::os::fd::OwnedFd {
    let fd = rustix::fs::memfd_create(c"drive", rustix::fs::MemfdFlags::ALLOW_SEALING).unwrap();
    let mut file = std::fs::File::from(fd);
    std::io::Write::write_all(&mut file, &vec![0xA5; size]).unwrap();
    rustix::fs::fcntl_add_seals(&file, rustix::fs::SealFlags::WRITE).unwrap();
    file.into()
}

#[test]
fn a_drive_that_fails_at_the_first_write_is_not_recorded_as_kept() {
    use std::os::fd::AsRawFd;
    let drive = sealed(4 << 20);
    let path = PathBuf::from(format!("/proc/self/fd/{}", drive.as_raw_fd()));
    let stage = stage_on(tempfile::tempdir().unwrap(), path);
    let house = &stage.house;
    let disposition = stage.propose(DispositionKind::Sanitize, stage.asset);
    let log = stage.dir.path().join("run.log");
    let result = letting_go::sanitize(house, stage.order(disposition, &log), &mut |_| ());
    let Err(LetGoError::Unfinished { clearance, gone, detail, .. }) = result else {
        panic!("a drive that takes no write was overwritten: {result:?}");
    };
    assert!(gone > 0 && gone <= 4 << 20, "{gone} bytes are gone: {detail}");
    let (fate, explain) = house
        .with_state(|s| {
            let kind = bailee_core::DutyKind::ExplainLoss(clearance);
            let explain = s.duties.iter().any(|(_, duty)| duty.kind == kind);
            (s.assets.get(stage.asset).unwrap().fate.clone(), explain)
        })
        .unwrap();
    assert_eq!((fate, explain), (Fate::Partial(clearance), true));
    assert_eq!(house.with_state(check).unwrap(), []);
}

#[test]
fn a_demand_that_arrives_during_the_overwrite_stops_it() {
    let stage = stage(64 << 20);
    let house = &stage.house;
    let policy = Policy { lease_seconds: 1, ..Policy::default() };
    yes(house, stage.people.cora, Action::SetPolicy(policy));
    let disposition = stage.propose(DispositionKind::Sanitize, stage.asset);
    let log = stage.dir.path().join("run.log");
    let mut asked = None;
    let mut progress = |progress: bailee_sanitize::Progress| {
        if progress.phase == Phase::Writing {
            let letter = letter_with(1, "Keep everything of otto store, drive 1.\r\n");
            asked.get_or_insert_with(|| demand(take(house, &letter).unwrap()));
            // A slow drive: the lease has to be renewed before a tenth of it is written.
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    let result = letting_go::sanitize(house, stage.order(disposition, &log), &mut progress);
    let Err(LetGoError::Unfinished { clearance, gone, detail, next }) = result else {
        panic!("not stopped: {result:?}");
    };
    assert!(detail.contains("lease_refused") && detail.contains("clearance_revoked"), "{detail}");
    assert!(next.contains("gate check") && !next.contains("propose"), "{next}");
    assert!(gone > 0 && gone < 64 << 20, "{gone} bytes are gone: {detail}");
    let (status, fate) = house
        .with_state(|s| {
            let asset = s.assets.get(stage.asset).unwrap();
            (s.clearances.get(clearance).unwrap().status, asset.fate.clone())
        })
        .unwrap();
    assert_eq!((status, fate), (ClearanceStatus::Aborted, Fate::Partial(clearance)));
    let explain = house
        .with_state(|s| {
            let kind = bailee_core::DutyKind::ExplainLoss(clearance);
            s.duties.iter().any(|(_, duty)| duty.kind == kind)
        })
        .unwrap();
    assert!(explain, "nobody has to tell the sender what is gone");
    assert_eq!(house.with_state(check).unwrap(), []);
    // What is left of the data is left: the end of the drive is as it was.
    let end = std::fs::read(&stage.drive).unwrap();
    let n = end.len() - 1;
    assert_eq!(end[n], (n * 31 + n / 4096) as u8);
}

#[test]
fn a_run_that_is_told_to_stop_reports_what_is_gone_while_it_writes_and_while_it_reads() {
    for phase in [Phase::Writing, Phase::Reading] {
        let stage = stage(64 << 20);
        let house = &stage.house;
        let disposition = stage.propose(DispositionKind::Sanitize, stage.asset);
        let log = stage.dir.path().join("run.log");
        let told = AtomicBool::new(false);
        let order = Order { interrupt: &told, ..stage.order(disposition, &log) };
        let mut progress = |progress: bailee_sanitize::Progress| {
            told.fetch_or(progress.phase == phase, Ordering::Relaxed);
        };
        let result = letting_go::sanitize(house, order, &mut progress);
        let Err(LetGoError::Unfinished { clearance, gone, detail, .. }) = result else {
            panic!("not stopped: {result:?}");
        };
        let fate = house.with_state(|s| s.assets.get(stage.asset).unwrap().fate.clone()).unwrap();
        assert_eq!(fate, Fate::Partial(clearance), "{detail}");
        match phase {
            Phase::Writing => {
                assert!(detail.contains("interrupted") && gone > 0 && gone < 64 << 20, "{detail}");
            }
            Phase::Reading => assert_eq!(gone, 64 << 20, "{detail}"),
        }
        assert_eq!(house.with_state(check).unwrap(), []);
    }
}

#[test]
fn a_demand_before_the_beginning_means_not_one_byte() {
    let stage = stage(1 << 20);
    let house = &stage.house;
    let disposition = stage.propose(DispositionKind::Sanitize, stage.asset);
    let by = By::Party(stage.people.ada);
    let reserved =
        letting_go::reserve(house, disposition, stage.asset, stage.subject(), by).unwrap();
    take(house, &letter_with(1, "Keep everything of otto store, drive 1.\r\n")).unwrap();
    let clearance = reserved.clearance;
    assert_eq!(no(house, stage.people.ada, Action::Begin { clearance }), "clearance_revoked");
    let old = std::fs::read(&stage.drive).unwrap();
    let log = stage.dir.path().join("run.log");
    let result = letting_go::sanitize(house, stage.order(disposition, &log), &mut |_| ());
    assert!(matches!(result, Err(LetGoError::Command(_))), "{result:?}");
    assert!(std::fs::read(&stage.drive).unwrap() == old, "bytes changed");
}

#[test]
fn a_token_is_good_for_one_asset_one_act_one_time() {
    let stage = stage(1 << 20);
    let house = &stage.house;
    let disposition = stage.propose(DispositionKind::Sanitize, stage.asset);
    let (by, subject, asset) = (By::Party(stage.people.ada), stage.subject(), stage.asset);
    let reserved = letting_go::reserve(house, disposition, asset, subject, by).unwrap();
    let token = reserved.token.as_bytes();
    let open = |token: &[u8], asset, act, subject| {
        letting_go::open_token(house, token, asset, act, subject).map(|_| ())
    };
    open(token, asset, Act::Sanitize, subject).unwrap();
    assert_eq!(letting_go::token(house, reserved.clearance).unwrap(), reserved.token);
    assert!(open(token, AssetId(asset.0 + 1), Act::Sanitize, subject).is_err());
    assert!(open(token, asset, Act::Expire, subject).is_err());
    assert!(open(token, asset, Act::Sanitize, [0; 32]).is_err());
    for n in 0..token.len() {
        let mut altered = token.to_vec();
        altered[n] ^= 1;
        assert!(open(&altered, asset, Act::Sanitize, subject).is_err(), "byte {n} does not matter");
    }
    for cut in [0, 1, token.len() / 2, token.len() - 1] {
        assert!(open(&token[..cut], asset, Act::Sanitize, subject).is_err(), "cut at {cut}");
    }
    // Replayed: begun once, and never again.
    let clearance = reserved.clearance;
    yes(house, stage.people.ada, Action::Begin { clearance });
    assert_eq!(no(house, stage.people.ada, Action::Begin { clearance }), "clearance_used");
    // Out of date.
    house.clock().tell(house.clock().now().plus_days(1));
    assert!(open(token, asset, Act::Sanitize, subject).is_err(), "an old token opens");
    assert_eq!(no(house, stage.people.ada, Action::Renew { clearance }), "lease_lapsed");
}

#[test]
fn a_snapshot_expires_from_the_vault_and_no_other_does() {
    let stage = stage(1 << 20);
    let (house, ada) = (&stage.house, stage.people.ada);
    let kept = stage.filmed([0, 1]);
    assert!(kept.iter().all(|kept| kept.verified.is_intact()));
    let copy = kept[0].asset;
    let shelf = stage.dir.path().join("shelf");
    std::fs::create_dir(&shelf).unwrap();
    let (key, to) = (bailee_vault::Kek::from_bytes([3; 32]), (shelf.as_path(), 1 << 20));
    let left = kept.iter().map(|kept| (kept.snapshot, ada));
    let left = left.map(|of| bailee_server::volumes::export(house, of, &key, to, &mut ()).unwrap());
    let sets: Vec<String> = left.map(|set| bailee_ledger::to_hex(&set.set.bytes())).collect();
    let disposition = stage.propose(DispositionKind::Expire, copy);
    let (clearance, report) =
        letting_go::expire(house, disposition, copy, ada, &mut || ()).unwrap();
    assert_eq!((clearance, report.snapshots), (ClearanceId(1), 1));
    let mut bundle = Vec::new();
    receipt::certificate(house, clearance, &mut bundle).unwrap();
    verified(house, &bundle);
    let named = |set: &String| bundle.windows(32).any(|text| text == set.as_bytes());
    assert!(named(&sets[0]) && !named(&sets[1]), "the certificate names what left before");
    let fate = house.with_state(|s| s.assets.get(copy).unwrap().fate.clone()).unwrap();
    assert_eq!(fate, Fate::Destroyed(clearance));
    let (gone, there) = (stage.dir.path().join("gone"), stage.dir.path().join("there"));
    assert!(keeping::restore(house, kept[0].snapshot, &gone, None, &mut ()).is_err());
    let restored = keeping::restore(house, kept[1].snapshot, &there, None, &mut ()).unwrap();
    assert!(restored.is_complete());
    assert_eq!(std::fs::read(there.join("film")).unwrap(), vec![1; 3 << 20]);
    assert_eq!(house.with_state(check).unwrap(), []);
}

#[test]
fn the_lease_of_an_expiry_is_renewed_while_the_vault_works() {
    let stage = stage(1 << 20);
    let (house, ada) = (&stage.house, stage.people.ada);
    let policy = Policy { lease_seconds: 1, ..Policy::default() };
    yes(house, stage.people.cora, Action::SetPolicy(policy));
    let [kept] = stage.filmed([7]);
    let disposition = stage.propose(DispositionKind::Expire, kept.asset);
    let entries = || house.entries(0, 10_000).unwrap().len();
    let (mut renewed, started) = (0, std::time::Instant::now());
    let (clearance, _) = letting_go::expire(house, disposition, kept.asset, ada, &mut || {
        let before = entries();
        // A slow store: nothing but renewals is recorded meanwhile.
        while renewed < 2 && started.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(50));
            renewed = entries() - before;
        }
    })
    .unwrap();
    assert!(renewed >= 2, "the lease was left to lapse");
    let fate = house.with_state(|s| s.assets.get(kept.asset).unwrap().fate.clone()).unwrap();
    assert_eq!(fate, Fate::Destroyed(clearance));
}

#[test]
fn a_snapshot_under_a_demand_stays() {
    let stage = stage(1 << 20);
    let (house, ada) = (&stage.house, stage.people.ada);
    let tree = stage.dir.path().join("files");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("film"), vec![7; 1 << 20]).unwrap();
    let kept =
        keeping::preserve(house, stage.asset, Source::Tree(tree), Unchanged::Skip, ada, &mut ())
            .unwrap();
    let disposition = stage.propose(DispositionKind::Expire, kept.asset);
    take(house, &letter_with(1, "Keep everything of otto store, drive 1.\r\n")).unwrap();
    let result = letting_go::expire(house, disposition, kept.asset, ada, &mut || ());
    assert!(matches!(result, Err(LetGoError::Command(_))), "{result:?}");
    let there = stage.dir.path().join("there");
    assert!(keeping::restore(house, kept.snapshot, &there, None, &mut ()).unwrap().is_complete());
    act(house, By::System, Action::Tick).unwrap();
}

#[test]
fn an_expiry_that_was_killed_once_its_snapshot_was_gone_is_finished_under_a_new_clearance() {
    let stage = stage(1 << 20);
    let (house, ada) = (&stage.house, stage.people.ada);
    let kept = stage.filmed([7, 8]);
    let copy = kept[0].asset;
    let x = stage.propose(DispositionKind::Expire, copy);
    let (root, vault_id) = house
        .with_state(|s| s.snapshots.get(kept[0].snapshot).map(|s| (s.root, s.vault_id.clone())))
        .unwrap()
        .unwrap();
    let killed = letting_go::reserve(house, x, copy, root, By::Party(ada)).unwrap().clearance;
    yes(house, ada, Action::Begin { clearance: killed });
    let object = find(&stage.dir.path().join("house"), &vault_id).unwrap();
    std::fs::remove_file(&object).unwrap();
    let expire = || letting_go::expire(house, x, copy, ada, &mut || ());
    assert!(expire().is_err(), "it may be running still");
    house.clock().tell(house.clock().now().plus_seconds(61));
    house.tick().unwrap();
    let fate = || house.with_state(|s| s.assets.get(copy).unwrap().fate.clone()).unwrap();
    assert_eq!(fate(), Fate::Unknown(killed));

    let (clearance, report) = expire().unwrap();
    assert_eq!(fate(), Fate::Destroyed(clearance));
    assert_eq!((report.snapshots, report.packs > 0, report.lost), (0, true, 0), "{report:?}");
    let mut bundle = Vec::new();
    receipt::certificate(house, clearance, &mut bundle).unwrap();
    verified(house, &bundle);
    let said = |what: &str| bundle.windows(what.len()).any(|text| text == what.as_bytes());
    assert!(said("\"resumed\":true"), "the certificate says how it came to its end");
    assert_eq!(expire().unwrap().0, clearance, "asked again, told again");
    let there = stage.dir.path().join("there");
    assert!(
        keeping::restore(house, kept[1].snapshot, &there, None, &mut ()).unwrap().is_complete()
    );
    assert_eq!(house.with_state(check).unwrap(), []);
}

#[test]
fn a_snapshot_that_only_vanished_is_not_certified_as_expired() {
    let stage = stage(1 << 20);
    let (house, ada) = (&stage.house, stage.people.ada);
    let [kept] = stage.filmed([7]);
    let x = stage.propose(DispositionKind::Expire, kept.asset);
    let vault_id = house.with_state(|s| s.snapshots.get(kept.snapshot).unwrap().vault_id.clone());
    let object = find(&stage.dir.path().join("house"), &vault_id.unwrap()).unwrap();
    std::fs::remove_file(&object).unwrap();
    assert!(letting_go::expire(house, x, kept.asset, ada, &mut || ()).is_err());
    let fate = house.with_state(|s| s.assets.get(kept.asset).unwrap().fate.clone()).unwrap();
    assert!(!matches!(fate, Fate::Destroyed(_)), "{fate:?}");
    assert_eq!(house.with_state(check).unwrap(), []);
}

/// The file in or below a directory whose name has that in it.
fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    std::fs::read_dir(dir).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        let named = path.file_name().is_some_and(|is| is.to_string_lossy().contains(name));
        if path.is_dir() { find(&path, name) } else { named.then_some(path) }
    })
}

#[test]
fn a_snapshot_that_was_expired_and_comes_back_with_a_copy_of_the_store_goes_again() {
    let stage = stage(1 << 20);
    let (house, ada) = (&stage.house, stage.people.ada);
    let kept = stage.filmed([7, 8]);
    let copy = kept[0].asset;
    let store = stage.dir.path().join("house/objects");
    let before = files(&store);
    let x = stage.propose(DispositionKind::Expire, copy);
    letting_go::expire(house, x, copy, ada, &mut || ()).unwrap();
    let after = files(&store);
    for (path, bytes) in &before {
        if !path.exists() {
            std::fs::write(path, bytes).unwrap();
        }
    }
    let came_back = files(&store).len();
    assert!(came_back > after.len());
    let prune = || {
        bailee_server::pruning::prune(house, bailee_vault::Sweep::Now, &mut |_, _, _| ()).unwrap();
    };
    // Somebody wants it now: it is there, and stays.
    take(house, &letter_with(1, "Keep everything of otto store, drive 1.\r\n")).unwrap();
    prune();
    assert_eq!(files(&store).len(), came_back);
    let hold = bailee_core::id::HoldId(1);
    let (triage, reason) = (bailee_core::Triage::Refuse, because());
    let demand = bailee_core::id::DemandId(1);
    yes(house, stage.people.cora, Action::DecideDemand { demand, triage, reason });
    pass_days(house, 15);
    assert!(!house.with_state(|s| s.holds.get(hold).unwrap().in_force()).unwrap());
    prune();
    assert_eq!(find(&store, &vault_id(house, &kept[0])), None);
    let there = stage.dir.path().join("there");
    assert!(
        keeping::restore(house, kept[1].snapshot, &there, None, &mut ()).unwrap().is_complete()
    );
}

fn vault_id(house: &House, kept: &keeping::Kept) -> String {
    house.with_state(|s| s.snapshots.get(kept.snapshot).unwrap().vault_id.clone()).unwrap()
}

/// Every file below a directory.
fn files(dir: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}
