//! Letting go on a real S3 engine: expire, prune, reindex, erase; with a list that lags, and with
//! objects that are lost for a while.

use std::path::Path;
use std::sync::Arc;

use bailee_ledger::clearance::Act;
use bailee_store::s3::{ObjectLock, S3Objects};
use bailee_store::{LaggingObjects, MemoryObjects, Objects};
use bailee_vault::{
    Living, SnapshotId, SnapshotReport, Source, Unchanged, Vault, VaultError, scrub_packs,
};

use crate::radosgw::RadosGw;
use crate::support::{clear, kek, noise, sweep_by};

fn free(_: &SnapshotId) -> Option<String> {
    None
}

/// Packs in the bucket, keys elsewhere.
struct Stage {
    bucket: Arc<LaggingObjects<S3Objects>>,
    keys: Arc<MemoryObjects>,
    kept: Vec<SnapshotReport>,
}

impl Stage {
    fn open(&self) -> Vault {
        Vault::open_with_keys(self.bucket.clone(), self.keys.clone(), &kek()).unwrap()
    }

    fn names(&self, part: &str) -> Vec<String> {
        let all = self.bucket.inner().list("").unwrap();
        all.into_iter().filter(|name| name.contains(part)).collect()
    }

    fn preserve(&mut self, vault: &Vault, dir: &Path) {
        let source = Source::Tree(dir.to_owned());
        let kept = vault.preserve_with("t", "A-1", &source, Unchanged::Rehash, &mut ());
        self.kept.push(kept.unwrap());
    }

    /// As a log has it, of all but the first.
    fn living(&self) -> impl Fn(&str, &str) -> Result<Living, String> + '_ {
        |_, _| {
            let kept = self.kept[1..].iter().map(|one| one.id).collect();
            Ok(Living { kept, unsure: [self.kept[0].id].into(), ..Living::default() })
        }
    }

    fn expire_first(&self, vault: &Vault) -> Result<bailee_vault::ExpireReport, VaultError> {
        let gone = &self.kept[0];
        let clearance = clear(1, Act::Expire, gone.root);
        vault.expire("t", &gone.id, clearance, &free, &self.living())
    }

    #[track_caller]
    fn is_whole(&self, context: &str) {
        let vault = self.open();
        for one in &self.kept[1..] {
            let verified = vault.verify("t", &one.id);
            assert!(verified.as_ref().is_ok_and(|v| v.is_intact()), "{context}: {verified:?}");
        }
        assert_eq!(scrub_packs(self.bucket.inner()).unwrap().problems, [], "{context}");
    }
}

#[test]
fn what_is_let_go_of_in_a_bucket_takes_nothing_else_with_it() {
    let engine = RadosGw::start();
    let settings = engine.bucket("kept", ObjectLock::Off);
    let bucket = Arc::new(LaggingObjects::new(S3Objects::open(&settings).unwrap()));
    let mut stage = Stage { bucket, keys: Arc::default(), kept: Vec::new() };
    Vault::create_with_keys(stage.bucket.clone(), stage.keys.clone(), &kek()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let vault = stage.open();
    for n in 0..3u64 {
        for file in 0..20 {
            let path = dir.path().join(format!("f{file}"));
            if n == 0 || file % 5 > 0 {
                std::fs::write(path, noise(n * 100 + file, 20_000)).unwrap();
            }
        }
        stage.preserve(&vault, dir.path());
    }
    an_index_object_is_lost(&stage);
    a_snapshot_is_not_listed_and_then_not_there(&stage);
    let vault = stage.open();
    let report = stage.expire_first(&vault).unwrap();
    assert!(report.moved_bytes > 0 && report.freed_bytes > 300_000, "{report:?}");
    stage.is_whole("the first is let go of");
    stage.kept.remove(0);
    the_list_is_behind(&mut stage);
    // A preservation that came to no snapshot.
    let vault = stage.open();
    std::fs::write(dir.path().join("large"), noise(9, 3_000_000)).unwrap();
    stage.preserve(&vault, dir.path());
    let dead = stage.kept.pop().unwrap();
    let name = stage.names(&format!("/s/{}", dead.id)).remove(0);
    stage.bucket.delete(&name).unwrap();
    let swept = sweep_by(&stage.open(), &no_log).unwrap();
    assert!(swept.freed_bytes > 3_000_000, "{swept:?}");
    all_of_the_unit_is_erased(&stage);
}

fn no_log(_: &str, _: &str) -> Result<Living, String> {
    Ok(Living::default())
}

fn an_index_object_is_lost(stage: &Stage) {
    let all = stage.names("/sorted/");
    assert!(all.len() >= 6, "{all:?}");
    let before = stage.names("");
    for name in all.into_iter().step_by(2) {
        let bytes = stage.bucket.get(&name).unwrap();
        stage.bucket.delete(&name).unwrap();
        let vault = stage.open();
        // Those of the first alone are no loss to the others; then it is the order that refuses.
        let pinned = |_: &SnapshotId| Some("H-1".to_owned());
        let clearance = clear(1, Act::Expire, stage.kept[0].root);
        let id = &stage.kept[0].id;
        let said = vault.expire("t", id, clearance, &pinned, &stage.living()).unwrap_err();
        let by_name = matches!(
            said,
            VaultError::NotIndexed { .. }
                | VaultError::MissingChunk { .. }
                | VaultError::Pinned { .. }
        );
        assert!(by_name, "{said}");
        assert!(stage.open().reindex("t").unwrap().packs > 0);
        stage.is_whole(&name);
        for made in stage.names("/sorted/").iter().filter(|made| !before.contains(made)) {
            stage.bucket.delete(made).unwrap();
        }
        stage.bucket.put(&name, &bytes).unwrap();
    }
    assert_eq!(stage.names(""), before);
    stage.is_whole("as it was");
}

fn a_snapshot_is_not_listed_and_then_not_there(stage: &Stage) {
    let name = stage.names(&format!("/s/{}", stage.kept[2].id)).remove(0);
    stage.bucket.lag(std::slice::from_ref(&name)).unwrap();
    sweep_by(&stage.open(), &stage.living()).unwrap();
    stage.bucket.catch_up();
    stage.is_whole("only the list had lost it");
    let bytes = stage.bucket.get(&name).unwrap();
    stage.bucket.delete(&name).unwrap();
    let before = stage.names("");
    for said in [
        stage.expire_first(&stage.open()).unwrap_err(),
        sweep_by(&stage.open(), &stage.living()).unwrap_err(),
    ] {
        assert!(matches!(said, VaultError::SnapshotMissing { .. }), "{said}");
    }
    assert_eq!(stage.names(""), before, "not one object went");
    stage.bucket.put(&name, &bytes).unwrap();
    stage.is_whole("brought back");
}

/// What was deleted is listed still, what was put is not yet, and the next is let go of.
fn the_list_is_behind(stage: &mut Stage) {
    stage.bucket.lag(&[]).unwrap();
    let vault = stage.open();
    assert_eq!(stage.expire_first(&vault).unwrap().snapshots, 1);
    drop(sweep_by(&vault, &stage.living())); // refused, or nothing to do
    drop(sweep_by(&stage.open(), &stage.living()));
    stage.bucket.catch_up();
    stage.is_whole("the list was behind");
    sweep_by(&stage.open(), &stage.living()).unwrap();
    stage.is_whole("the list has caught up");
}

fn all_of_the_unit_is_erased(stage: &Stage) {
    let vault = stage.open();
    let subject = vault.erase_subject("t", "A-1").unwrap();
    let done = vault.erase_unit("t", "A-1", clear(1, Act::Erase, subject), &free).unwrap();
    assert!(done.keys.len() == 1 && done.let_go.packs > 0, "{done:?}");
    assert_eq!(stage.names(""), Vec::<String>::new(), "nothing is left in the bucket");
    assert!(vault.list("t").unwrap().is_empty());
}
