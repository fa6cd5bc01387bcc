//! Objects that are lost, or that a list leaves out: whatever it is, letting go takes nothing that
//! is kept with it. Either it is refused by name, or what is kept is whole once the object is back.

use std::sync::Arc;

use bailee_ledger::clearance::Act;
use bailee_store::{LaggingObjects, MemoryObjects, Objects};
use bailee_vault::{
    ExpireReport, Living, SnapshotReport, Source, Sweep, Unchanged, Vault, VaultError,
    no_catalogue, scrub_packs,
};

use crate::support::{clear, kek, memory_vault, noise, sweep, sweep_by};

fn free(_: &bailee_vault::SnapshotId) -> Option<String> {
    None
}

/// A vault with two snapshots that share a file, each with one of its own.
struct Stage {
    objects: MemoryObjects,
    gone: SnapshotReport,
    kept: SnapshotReport,
    /// Objects that came with the second.
    since: Vec<String>,
}

fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, seed, len| std::fs::write(dir.path().join(name), noise(seed, len));
    let (objects, vault) = memory_vault();
    let preserve = || {
        let source = Source::Tree(dir.path().to_owned());
        vault.preserve_with("t", "A-1", &source, Unchanged::Rehash, &mut ()).unwrap()
    };
    write("both", 1, 300_000).unwrap();
    write("first", 2, 500_000).unwrap();
    let gone = preserve();
    let before = objects.list("").unwrap();
    std::fs::remove_file(dir.path().join("first")).unwrap();
    write("second", 3, 300_000).unwrap();
    let kept = preserve();
    let since = objects.list("").unwrap().into_iter().filter(|n| !before.contains(n)).collect();
    Stage { objects: objects.copied(), gone, kept, since }
}

impl Stage {
    fn again(&self) -> Stage {
        let (gone, kept) = (self.gone.clone(), self.kept.clone());
        Stage { objects: self.objects.copied(), gone, kept, since: self.since.clone() }
    }

    fn open(&self) -> Vault {
        Vault::open(Arc::new(self.objects.clone()), &kek()).unwrap()
    }

    /// As the log has it.
    fn living(&self) -> impl Fn(&str, &str) -> Result<Living, String> + '_ {
        |tenant, unit| {
            assert_eq!((tenant, unit), ("t", "A-1"));
            let kept = [self.kept.id].into();
            Ok(Living { kept, unsure: [self.gone.id].into(), ..Living::default() })
        }
    }

    fn expire(&self, vault: &Vault) -> Result<ExpireReport, VaultError> {
        let clearance = clear(1, Act::Expire, self.gone.root);
        vault.expire("t", &self.gone.id, clearance, &free, &self.living())
    }

    fn named(&self, part: &str) -> Vec<String> {
        self.since.iter().filter(|name| name.contains(part)).cloned().collect()
    }

    fn take_away(&self, names: &[String]) -> Vec<(String, Vec<u8>)> {
        let take = |name: &String| {
            let bytes = self.objects.get(name).unwrap();
            self.objects.delete(name).unwrap();
            (name.clone(), bytes)
        };
        names.iter().map(take).collect()
    }

    fn bring_back(&self, taken: &[(String, Vec<u8>)]) {
        taken.iter().for_each(|(name, bytes)| assert!(self.objects.put(name, bytes).is_ok()));
    }

    #[track_caller]
    fn is_whole(&self, context: &str) {
        let verified = self.open().verify("t", &self.kept.id);
        assert!(verified.as_ref().is_ok_and(|v| v.is_intact()), "{context}: {verified:?}");
        assert_eq!(scrub_packs(&self.objects).unwrap().problems, [], "{context}");
    }
}

#[test]
fn a_lost_segment_stops_all_letting_go_until_the_packs_are_indexed_again() {
    let stage = stage();
    let sorted = stage.named("/sorted/");
    assert_eq!(sorted.len(), 2, "one for the data, one for the manifest: {:?}", stage.since);
    for lost in [&sorted[..1], &sorted[1..], &sorted[..]] {
        let stage = stage.again();
        let taken = stage.take_away(lost);
        let names = stage.objects.list("").unwrap();
        let vault = stage.open();
        for refused in [
            stage.expire(&vault),
            sweep_by(&vault, &stage.living()),
            vault.expire(
                "t",
                &stage.gone.id,
                clear(1, Act::Expire, stage.gone.root),
                &free,
                &no_catalogue,
            ),
            sweep(&vault),
        ] {
            let said = refused.unwrap_err();
            let by_name =
                matches!(&said, VaultError::NotIndexed { .. } | VaultError::MissingChunk { .. });
            assert!(by_name && said.to_string().contains("reindex"), "{said}");
        }
        assert_eq!(stage.objects.list("").unwrap(), names, "not one object went");
        // Either way out will do: the segment comes back, or it is made again.
        let other = stage.again();
        other.bring_back(&taken);
        other.is_whole("brought back");
        assert_eq!(other.expire(&other.open()).unwrap().lost, 0);
        other.is_whole("brought back, and the other let go");
        assert!(vault.reindex("t").unwrap().packs > 0);
        stage.is_whole("indexed again");
        assert_eq!(stage.expire(&vault).unwrap().snapshots, 1);
        stage.is_whole("indexed again, and the other let go");
        stage.bring_back(&taken);
        sweep(&stage.open()).unwrap();
        stage.is_whole("and the old segment is there as well");
    }
}

#[test]
fn a_kept_snapshot_that_is_not_listed_is_asked_for_by_name() {
    let stage = stage();
    let snapshot = stage.named("/s/");
    assert_eq!(snapshot.len(), 1);
    // There, and not in the list.
    let lagging = Arc::new(LaggingObjects::new(stage.objects.clone()));
    let vault = Vault::open(lagging.clone(), &kek()).unwrap();
    lagging.lag(&snapshot).unwrap();
    assert_eq!(vault.list("t").unwrap().len(), 1, "it is not listed");
    assert!(stage.expire(&vault).unwrap().freed_bytes > 300_000);
    lagging.lag(&snapshot).unwrap();
    sweep_by(&vault, &stage.living()).unwrap();
    lagging.catch_up();
    stage.is_whole("only the list had lost it");
    // Not there at all.
    let taken = stage.take_away(&snapshot);
    let names = stage.objects.list("").unwrap();
    let vault = stage.open();
    let said = sweep_by(&vault, &stage.living()).unwrap_err();
    assert!(matches!(said, VaultError::SnapshotMissing { .. }), "{said}");
    assert!(said.to_string().contains(&snapshot[0]), "{said}");
    assert_eq!(stage.objects.list("").unwrap(), names, "not one object went");
    stage.bring_back(&taken);
    stage.is_whole("brought back");
}

#[test]
fn an_expiry_is_refused_while_another_kept_snapshot_is_missing() {
    let stage = stage();
    let taken = stage.take_away(&stage.named("/s/"));
    let names = stage.objects.list("").unwrap();
    let said = stage.expire(&stage.open()).unwrap_err();
    assert!(matches!(said, VaultError::SnapshotMissing { .. }), "{said}");
    assert!(stage.open().has_snapshot("t", &stage.gone.id).unwrap(), "nothing was let go");
    assert_eq!(stage.objects.list("").unwrap(), names);
    stage.bring_back(&taken);
    stage.expire(&stage.open()).unwrap();
    stage.is_whole("brought back, and the other let go");
}

#[test]
fn without_an_answer_of_the_catalogue_nothing_is_let_go() {
    let stage = stage();
    let (vault, names) = (stage.open(), stage.objects.list("").unwrap());
    let silent = |_: &str, _: &str| Err("the log is closed".to_owned());
    let clearance = clear(1, Act::Expire, stage.gone.root);
    let expired = vault.expire("t", &stage.gone.id, clearance, &free, &silent);
    for said in [expired.unwrap_err(), sweep_by(&vault, &silent).unwrap_err()] {
        assert!(matches!(said, VaultError::NoCatalogue { .. }), "{said}");
        assert!(said.to_string().contains("the log is closed"), "{said}");
    }
    assert_eq!(stage.objects.list("").unwrap(), names);
}

/// Each object of the second snapshot is lost, or left out of the list, while the first expires.
#[test]
fn whatever_object_is_away_what_is_kept_is_whole_when_it_is_back() {
    let (mut refused, mut done) = (0, 0);
    let base = stage();
    for name in &base.since {
        for lists_only in [false, true] {
            let stage = base.again();
            let lagging = Arc::new(LaggingObjects::new(stage.objects.clone()));
            let taken = match lists_only {
                true => {
                    lagging.lag(std::slice::from_ref(name)).unwrap();
                    Vec::new()
                }
                false => stage.take_away(std::slice::from_ref(name)),
            };
            let vault = Vault::open(lagging.clone(), &kek()).unwrap();
            match stage.expire(&vault) {
                Ok(_) => done += 1,
                Err(_) => refused += 1,
            }
            lagging.catch_up();
            stage.bring_back(&taken);
            stage.is_whole(&format!("{name}, in lists only: {lists_only}"));
            sweep_by(&stage.open(), &stage.living()).unwrap();
            stage.is_whole(&format!("{name}, in lists only: {lists_only}, swept"));
        }
    }
    assert!(refused >= 4 && done >= 4, "{refused} refused, {done} done");
}

/// The list is as it was before each step, for as long as the step takes.
#[test]
fn a_list_that_is_one_step_behind_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let source = Source::Tree(dir.path().to_owned());
    let lagging = Arc::new(LaggingObjects::new(MemoryObjects::new()));
    let vault = Vault::create(lagging.clone(), &kek()).unwrap();
    let (mut kept, mut behind) = (Vec::<SnapshotReport>::new(), 0);
    for round in 0..12u64 {
        std::fs::write(dir.path().join((round % 3).to_string()), noise(round, 60_000)).unwrap();
        let new = vault.preserve_with("t", "A-1", &source, Unchanged::Rehash, &mut ()).unwrap();
        kept.push(new);
        if kept.len() < 3 {
            continue;
        }
        // What this preservation has put is not listed, what the last expiry deleted is.
        let newest = kept.last().unwrap().id.to_string();
        lagging.lag(&[format!("{}{newest}", snapshots(&lagging))]).unwrap();
        let gone = kept.remove(0);
        let living = |_: &str, _: &str| {
            Ok(Living { kept: kept.iter().map(|one| one.id).collect(), ..Living::default() })
        };
        let clearance = clear(1, Act::Expire, gone.root);
        behind += vault.expire("t", &gone.id, clearance, &free, &living).unwrap().packs;
        drop(sweep_by(&vault, &living));
        drop(sweep(&vault)); // what this process has put it knows without a catalogue
        lagging.catch_up();
        for one in &kept {
            let verified = vault.verify("t", &one.id).unwrap();
            assert!(verified.is_intact(), "round {round}: {:?}", verified.problems);
        }
    }
    assert!(behind > 5, "{behind} packs went");
}

/// The prefix of the names of the one tenant's snapshots.
fn snapshots(objects: &LaggingObjects<MemoryObjects>) -> String {
    let all = objects.inner().list("vault/t/").unwrap();
    let one = all.iter().find(|name| name.contains("/s/")).unwrap();
    one[..=one.rfind('/').unwrap()].to_owned()
}

#[test]
fn damage_that_cannot_be_put_right_does_not_keep_the_dead() {
    let stage = stage();
    // The pack with the file that both need is gone for good; no pack is out of the index.
    let both = stage.objects.list("").unwrap().into_iter();
    let both = both.filter(|name| name.contains("/data/") && !stage.since.contains(name));
    for name in both {
        stage.objects.delete(&name).unwrap();
    }
    let vault = stage.open();
    let report = stage.expire(&vault).unwrap();
    assert!(report.lost > 0 && report.packs > 0, "{report:?}");
    let verified = vault.verify("t", &stage.kept.id).unwrap();
    assert_eq!(verified.problems.len(), 1, "the damage is named still: {:?}", verified.problems);
    assert!(sweep_by(&vault, &stage.living()).unwrap().lost > 0);
}

#[test]
fn a_rehearsal_says_what_a_sweep_frees_and_changes_nothing() {
    let stage = stage();
    let vault = stage.open();
    // A preservation that was killed: packs that no segment names and nobody writes.
    let dead = stage.take_away(&stage.named("/s/"));
    let names = stage.objects.list("").unwrap();
    let rehearse = |vault: &Vault| {
        let mut all = Vec::new();
        vault
            .sweep("t", Sweep::Rehearse, &no_catalogue, &mut |swept, many| {
                assert_eq!((swept.unit.as_str(), many), ("A-1", 1));
                all.push(swept.outcome.unwrap());
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        all.remove(0)
    };
    let foreseen = rehearse(&vault);
    assert_eq!(stage.objects.list("").unwrap(), names, "not one object went");
    let done = sweep(&vault).unwrap();
    assert_eq!((foreseen.packs, foreseen.freed_bytes), (done.packs, done.freed_bytes));
    assert!(done.freed_bytes > 300_000 && !dead.is_empty(), "{done:?}");
    assert_eq!(rehearse(&vault), ExpireReport::default(), "a second time there is nothing");
    assert_eq!(sweep(&vault).unwrap(), ExpireReport::default());
    assert_eq!(vault.tenants().unwrap(), ["t".to_owned()].into());
}
