//! What witnesses and monitors have ever written, as files in `fixtures/formats/v1`: read, and gone
//! on with. The list of files is complete.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bailee_ledger::{Policy, PqSigner, Signer};
use bailee_server::monitor::{Monitor, Watch};
use bailee_server::web::Web;
use bailee_server::witness::{Cosigner, Init, Witness};
use bailee_store::{Journal, MemoryJournal, SqliteJournal};

use crate::common::{ORIGIN, log_verifier};
use crate::witness_server::{request, tree};

fn fixtures(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/v1").join(of)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_witness_of_the_first_version_goes_on() {
    let fixtures = fixtures("witness");
    assert_eq!(names(&fixtures), ["cosign.key", "logs.tlog-policy", "ml-dsa.key", "record"]);
    let room = tempfile::tempdir().unwrap();
    let dir = room.path();
    std::fs::create_dir(dir.join("keys")).unwrap();
    for (from, to) in [
        ("cosign.key", "keys/cosign.key"),
        ("ml-dsa.key", "keys/ml-dsa.key"),
        ("logs.tlog-policy", "logs.tlog-policy"),
    ] {
        std::fs::copy(fixtures.join(from), dir.join(to)).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(dir.join(to), mode).unwrap();
    }
    let record = std::fs::read(fixtures.join("record")).unwrap();
    let records = SqliteJournal::open(&dir.join("witness.sqlite")).unwrap();
    records.swap_cell(&format!("witness/{ORIGIN}"), None, &record).unwrap();
    drop(records);
    let witness = Witness::open(dir).unwrap();
    let on_record = witness.on_record(ORIGIN).unwrap();
    assert_eq!((on_record.size, on_record.time), (5, 1_800_000_000));
    // The same keys make the same record, and it goes on from there and from nowhere else.
    let seed = [7; 32];
    let cosigner = Cosigner {
        key: Signer::witness_from_seed("witness.example", &seed).unwrap(),
        pq: Some(PqSigner::from_seed("witness.example", &seed).unwrap()),
    };
    let store = Arc::new(MemoryJournal::new());
    let again = Witness::of(cosigner, vec![log_verifier()], store.clone());
    again.add_checkpoint(request(&tree(5, "a"), 0).as_bytes(), 1_800_000_000).unwrap();
    assert_eq!(store.cell(&format!("witness/{ORIGIN}")).unwrap(), Some(record));
    assert!(witness.add_checkpoint(request(&tree(9, "b"), 5).as_bytes(), 9).is_err());
    witness.add_checkpoint(request(&tree(9, "a"), 5).as_bytes(), 1_800_000_001).unwrap();
    assert!(matches!(Witness::init(dir, "other.example", Init::Ed25519), Err(_)), "made anew");
}

#[test]
fn a_monitor_of_the_first_version_goes_on() {
    let fixtures = fixtures("monitor");
    assert_eq!(names(&fixtures), ["seen.json"]);
    let room = tempfile::tempdir().unwrap();
    std::fs::copy(fixtures.join("seen.json"), room.path().join("seen.json")).unwrap();
    let watch = Watch {
        url: "http://127.0.0.1:9".to_owned(),
        policy: Policy::for_log(log_verifier()).unwrap(),
        dir: room.path().to_owned(),
        silence: Some(10),
        patience: Duration::from_secs(1),
    };
    let mut monitor = Monitor::open(watch, Web::default(), 1).unwrap();
    assert_eq!((monitor.seen().size(), monitor.seen().grown_at), (5, 1_800_000_000));
    assert_eq!(monitor.tell(&["fork".to_owned()]).unwrap(), [] as [&str; 0], "told before");
    // Written again, it is the same.
    monitor.seen().write(room.path()).unwrap();
    let [first, again] =
        [&fixtures, room.path()].map(|dir| std::fs::read_to_string(dir.join("seen.json")).unwrap());
    assert_eq!(first.trim_end(), again.trim_end());
}
