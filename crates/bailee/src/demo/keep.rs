//! Keep: real data into the vault, read back, given back, compared.

use anyhow::{Result, ensure};
use bailee_server::binding;
use bailee_server::core::asset::AssetKind;
use bailee_server::core::id::AssetId;
use bailee_server::core::{Action, NewAsset};
use bailee_server::keeping::{self, Kept};
use bailee_server::sanitize::Binding;
use bailee_server::vault::{Source, Unchanged};

use super::data::Medium;
use super::stage::Stage;
use super::story::{Case, register};

/// What is safe in the vault.
pub(super) struct Safe {
    pub(super) files: Kept,
    pub(super) disk: Kept,
    pub(super) drive: AssetId,
}

/// Keep: the files and the disk go to the vault, are read back, and count for the holds.
pub(super) fn keep(stage: &mut Stage, case: &Case, medium: &Medium) -> Result<Safe> {
    stage.act("KEEP");
    stage.turn("2013-02-04 09:00")?;
    let device = Binding::of_path(&medium.disk)?;
    let drive = NewAsset {
        kind: AssetKind::Drive,
        label: "drive 0 of srv-0001".into(),
        accounts: Vec::new(),
        identifiers: binding::identifiers(&device),
        part_of: Some(case.servers[0]),
        copy_of: Vec::new(),
        place: "warehouse 4".into(),
        bytes: device.identity.size,
    };
    let drive = register(stage, case.ada, drive)?;
    let tree = Source::Tree(medium.tree.clone());
    let files =
        keeping::preserve(&stage.house, case.servers[1], tree, Unchanged::Skip, case.ada, &mut ())?;
    tell_kept(stage, "The users' files", &files)?;
    let image = Source::Device(medium.disk.clone());
    let disk = keeping::preserve(
        &stage.house,
        case.servers[0],
        image,
        Unchanged::Skip,
        case.ada,
        &mut (),
    )?;
    tell_kept(stage, "The whole disk", &disk)?;
    let back = stage.dir.join("restored");
    let restored = keeping::restore(&stage.house, files.snapshot, &back, None, &mut ())?;
    ensure!(restored.is_complete(), "{:?}", restored.damaged);
    same(&medium.tree, &back)?;
    let rate = restored.bytes as f64 / restored.seconds / 1e6;
    stage.say("", &format!("Restored at {rate:.0} MB/s and compared: every byte is the same."));
    for hold in &case.holds {
        let reason = Stage::reason("a verified copy serves the purpose of the letter");
        stage.act_as(Some(case.cora), Action::AllowCopy { hold: *hold, reason })?;
    }
    stage.say("2013-02-04", "Counsel decides, hold by hold, that a verified copy satisfies it.");
    Ok(Safe { files, disk, drive })
}

fn tell_kept(stage: &Stage, what: &str, kept: &Kept) -> Result<()> {
    ensure!(kept.verified.is_intact(), "{:?}", kept.verified.problems);
    let report = &kept.preserved;
    let rate = |bytes: u64, seconds: f64| bytes as f64 / seconds / 1e6;
    let (bytes, stored) = (report.bytes >> 20, report.stored_bytes >> 20);
    let wrote = rate(report.bytes, report.seconds);
    let read = rate(kept.verified.bytes, kept.verified.seconds);
    let line = format!(
        "{what}: {bytes} MiB in {stored} MiB, encrypted, {wrote:.0} MB/s; read back, {read:.0} MB/s"
    );
    stage.say("2013-02-04", &format!("{line} ({})", kept.snapshot));
    Ok(())
}

/// Two trees have the same files with the same bytes.
fn same(a: &std::path::Path, b: &std::path::Path) -> Result<()> {
    for entry in std::fs::read_dir(a)? {
        let entry = entry?;
        let other = b.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            same(&entry.path(), &other)?;
        } else if kind.is_symlink() {
            ensure!(std::fs::read_link(entry.path())? == std::fs::read_link(&other)?);
        } else {
            let equal = std::fs::read(entry.path())? == std::fs::read(&other)?;
            ensure!(equal, "{} differs", other.display());
        }
    }
    Ok(())
}
