//! A monitor beside a log: a real one as it grows, and a false one that serves whatever files are
//! in a directory.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bailee_ledger::monitor::Alarm;
use bailee_ledger::tile::{TileKind, encode_entries, hash_tile};
use bailee_ledger::{Checkpoint, Policy, Signer, TileId, Tree};
use bailee_server::monitor::{Look, Monitor, MonitorError, Watch};
use bailee_server::web::Web;
use bailee_server::witness::Init;
use bailee_server::{Clock, Config, House};

use crate::common::{ORIGIN, in_memory, letter, log_signer, log_verifier, reopened, start, take};
use crate::http::Served;
use crate::standing::Standing;

fn key() -> Policy {
    Policy::for_log(log_verifier()).unwrap()
}

fn opened(
    address: SocketAddr,
    policy: &Policy,
    dir: &Path,
    now: u64,
) -> Result<Monitor, MonitorError> {
    let watch = Watch {
        url: format!("http://{address}/"),
        policy: policy.clone(),
        dir: dir.to_owned(),
        silence: Some(100),
        patience: Duration::from_secs(60),
    };
    Monitor::open(watch, Web::default(), now)
}

/// One look of a process of its own, as cron does it.
#[track_caller]
fn look(address: SocketAddr, dir: &Path, now: u64) -> Look {
    opened(address, &key(), dir, now).unwrap().look(now).unwrap()
}

#[test]
fn a_log_that_grows_is_followed_and_its_silence_is_told() {
    let house = in_memory();
    let served = Served::start(house);
    let dir = tempfile::tempdir().unwrap();
    let first = look(served.address, dir.path(), 1_000);
    assert_eq!((first.size, first.before, first.alarms.len()), (1, 0, 0));
    let quiet = look(served.address, dir.path(), 1_100);
    assert_eq!((quiet.size, quiet.alarms.len()), (1, 0), "exactly the time that is allowed");
    let silent = look(served.address, dir.path(), 1_101);
    assert_eq!(silent.alarms, [Alarm::Silence { seconds: 101 }]);
    drop(served);

    // More than a tile, so that hashes above the leaves are held against theirs.
    let house = in_memory();
    for n in 0..70 {
        take(&house, &letter(n)).unwrap();
    }
    let head = house.with_state(|s| s.head).unwrap();
    assert!(head > 256, "{head}");
    house.checkpoint_over(head).unwrap();
    let served = Served::start(house);
    let other = tempfile::tempdir().unwrap();
    let grown = look(served.address, other.path(), 2_000);
    // Receipts and pages are sent meanwhile, so it may have grown further.
    assert!(grown.size >= head && grown.alarms.is_empty(), "{grown:?}");
    // The directory has seen another log of that name: the instruments have other salts.
    let forked = look(served.address, dir.path(), 2_000);
    let fork = matches!(forked.alarms[0], Alarm::Fork { seen: 1, shown } if shown >= head);
    assert!(fork && forked.size == 1, "{forked:?}");
}

#[test]
fn a_monitor_that_comes_late_follows_what_is_pruned_by_its_hashes_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::for_origin(ORIGIN);
    config.serving.entries_days = Some(10);
    let house = House::create(dir.path(), &config, Clock::told(start())).unwrap();
    let clock = house.clock().clone();
    (0..70).for_each(|n| _ = take(&house, &letter(n)).unwrap());
    let old = house.with_state(|s| s.head).unwrap();
    assert!(old > 256 && !old.is_multiple_of(256), "{old}");
    house.checkpoint_over(old).unwrap();
    let key = Policy::for_log(house.log_key().unwrap()).unwrap();
    let follow = |served: &Served, dir: &Path| {
        opened(served.address, &key, dir, 1_000).unwrap().look(1_000).unwrap()
    };
    let (followed, lagging) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let served = Served::start(house);
    let first = follow(&served, followed.path());
    assert!(first.size >= old && first.unread == 0 && first.alarms.is_empty(), "{first:?}");
    std::fs::copy(followed.path().join("seen.json"), lagging.path().join("seen.json")).unwrap();
    served.end();

    // Eleven days later nothing of it is served, and some of what is new.
    clock.tell(start().plus_days(11));
    let house = reopened(dir.path(), start().plus_days(11)).unwrap();
    (70..140).for_each(|n| _ = take(&house, &letter(n)).unwrap());
    let now = house.with_state(|s| s.head).unwrap();
    house.checkpoint_over(now).unwrap();
    let served = Served::start(house);
    let fresh = tempfile::tempdir().unwrap();
    let late = follow(&served, fresh.path());
    // What shares a bundle with something new is served with it.
    assert_eq!(late.unread, old / 256 * 256, "{late:?}");
    assert!(late.size >= now && late.alarms.is_empty(), "{late:?}");
    let on_time = follow(&served, followed.path());
    assert!(on_time.size >= now && on_time.unread == 0, "{on_time:?}");
    assert_eq!(on_time.alarms, []);
    served.end();

    // One that lagged for longer than entries are served goes on all the same.
    let house = reopened(dir.path(), start().plus_days(30)).unwrap();
    let served = Served::start(house);
    let behind = follow(&served, lagging.path());
    assert!(behind.before == first.size && behind.size >= now, "{behind:?}");
    assert!(behind.unread > 0 && behind.alarms.is_empty(), "{behind:?}");
}

/// The files of a log, served as they are.
struct Files {
    address: SocketAddr,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Files {
    fn new() -> Files {
        let files: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
        let (listener, shared) =
            (std::net::TcpListener::bind("127.0.0.1:0").unwrap(), files.clone());
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut request = [0; 4096];
                let n = std::io::Read::read(&mut stream, &mut request).unwrap_or(0);
                let line = String::from_utf8_lossy(&request[..n]).into_owned();
                let path = line.split(' ').nth(1).unwrap_or_default().trim_matches('/').to_owned();
                let body = shared.lock().unwrap().get(&path).cloned();
                let gone = shared.lock().unwrap().contains_key(&format!("gone/{path}"));
                let status = if gone { 410 } else { [404, 200][usize::from(body.is_some())] };
                let body = body.unwrap_or_default();
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            }
        });
        Files { address, files }
    }

    /// Puts all files of this log, signed by `signer`.
    fn publish(&self, leaves: &[Vec<u8>], signer: &Signer) {
        let mut tree = Tree::new();
        leaves.iter().for_each(|leaf| _ = tree.push(leaf));
        let mut files = self.files.lock().unwrap();
        files.clear();
        for tile in TileId::grown(0, tree.size()) {
            let bytes = match tile.kind {
                TileKind::Hashes { .. } => hash_tile(&tree, &tile).unwrap(),
                TileKind::Entries => {
                    let range = tile.range().unwrap();
                    let leaves = &leaves[range.start as usize..range.end as usize];
                    encode_entries(leaves.iter().map(Vec::as_slice)).unwrap()
                }
            };
            files.insert(tile.to_string(), bytes);
        }
        let note = Checkpoint::of(ORIGIN, &tree).sign(signer).unwrap();
        files.insert("checkpoint".to_owned(), note.to_string().into_bytes());
    }

    /// Serves a file no more, and says so.
    fn deny(&self, path: &str) {
        self.files.lock().unwrap().insert(format!("gone/{path}"), Vec::new());
    }

    fn change(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.files.lock().unwrap().get_mut(path).unwrap());
    }
}

fn leaves(count: usize, word: &str) -> Vec<Vec<u8>> {
    (0..count).map(|n| format!("{word} {n}").into_bytes()).collect()
}

#[test]
fn each_thing_a_log_must_not_do_has_its_alarm() {
    let (files, dir, log) = (Files::new(), tempfile::tempdir().unwrap(), log_signer());
    files.publish(&leaves(300, "leaf"), &log);
    assert_eq!(look(files.address, dir.path(), 10).alarms, []);
    let alarms = |change: &dyn Fn()| {
        change();
        let look = look(files.address, dir.path(), 20);
        assert_eq!(look.size, 300, "what was seen was given up");
        look.alarms.into_iter().map(|alarm| alarm.to_string()).collect::<Vec<_>>().join("\n")
    };
    let words = [
        (alarms(&|| files.publish(&leaves(299, "leaf"), &log)), "ROLLBACK: the log shows 299"),
        (alarms(&|| files.publish(&leaves(300, "other"), &log)), "FORK: the signed tree of 300"),
        (alarms(&|| files.publish(&leaves(600, "other"), &log)), "FORK: the signed tree of 600"),
        (
            alarms(&|| {
                let stranger = Signer::from_seed(ORIGIN, &[9; 32]).unwrap();
                files.publish(&leaves(600, "leaf"), &stranger);
            }),
            "not what the log signs",
        ),
        (
            alarms(&|| {
                files.publish(&leaves(600, "leaf"), &log);
                files.change("tile/entries/001", |bytes| bytes[1005] ^= 1);
            }),
            "is not the one that was signed",
        ),
        (
            alarms(&|| {
                files.publish(&leaves(600, "leaf"), &log);
                files.change("tile/0/001", |bytes| bytes[32 * 100] ^= 1);
            }),
            "the hash tile is wrong at leaf 356",
        ),
        (
            alarms(&|| {
                files.publish(&leaves(600, "leaf"), &log);
                files.change("tile/1/000.p/2", |bytes| bytes[40] ^= 1);
            }),
            "tile/1/000.p/2 is not of the signed tree",
        ),
        (
            alarms(&|| {
                files.publish(&leaves(600, "leaf"), &log);
                files.change("tile/entries/002.p/88", |bytes| bytes.truncate(50));
            }),
            "no entry bundle of its width",
        ),
    ];
    for (told, part) in words {
        assert!(told.contains(part), "{told:?} does not say {part:?}");
    }
    let proofs = std::fs::read_dir(dir.path()).unwrap().filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("proof-fork")
    });
    assert_eq!(proofs.count(), 2);
    files.publish(&leaves(600, "leaf"), &log);
    assert_eq!(look(files.address, dir.path(), 30).size, 600, "an honest log is followed again");
}

#[test]
fn entries_that_are_denied_are_followed_by_their_hashes_or_have_their_alarm() {
    let (files, dir, log) = (Files::new(), tempfile::tempdir().unwrap(), log_signer());
    files.publish(&leaves(300, "leaf"), &log);
    assert_eq!(look(files.address, dir.path(), 10).alarms, []);
    let newest = "tile/entries/002.p/88";
    for (denied, hashes, part) in [
        (newest, None, "entries from 512 on are denied, and older ones served"),
        ("tile/entries/001", Some("tile/0/001"), "FORK: the signed tree of 600"),
    ] {
        files.publish(&leaves(600, "leaf"), &log);
        files.deny(denied);
        hashes.iter().for_each(|path| files.change(path, |bytes| bytes[32 * 100] ^= 1));
        let looked = look(files.address, dir.path(), 20);
        assert_eq!((looked.size, looked.unread), (300, 0), "what was seen was given up");
        assert!(looked.alarms[0].to_string().contains(part), "{looked:?}");
    }
    files.publish(&leaves(600, "leaf"), &log);
    ["tile/entries/001", newest].iter().for_each(|path| files.deny(path));
    let looked = look(files.address, dir.path(), 30);
    assert_eq!((looked.size, looked.unread, looked.alarms), (600, 300, vec![]));
}

#[test]
fn what_cannot_be_read_is_a_failure_and_no_alarm() {
    let (files, dir, log) = (Files::new(), tempfile::tempdir().unwrap(), log_signer());
    let opened = |now| opened(files.address, &key(), dir.path(), now);
    let error = opened(10).unwrap().look(10).unwrap_err();
    assert!(matches!(error, MonitorError::Log { .. }), "{error}");
    // A log that never answers is silent all the same, from the first look on.
    assert_eq!(opened(200).unwrap().silent(200), Some(Alarm::Silence { seconds: 190 }));
    files.publish(&leaves(300, "leaf"), &log);
    files.files.lock().unwrap().remove("tile/entries/000");
    assert!(opened(20).unwrap().look(20).is_err());
    assert_eq!(opened(20).unwrap().seen().size(), 0, "nothing half seen");
    // A size that no log has, signed by this one: nothing is made room for.
    let giant = Checkpoint { size: 1 << 62, ..Checkpoint::of(ORIGIN, &Tree::new()) };
    let note = giant.sign(&log).unwrap().to_string().into_bytes();
    files.publish(&leaves(300, "leaf"), &log);
    files.change("checkpoint", |bytes| *bytes = note);
    assert!(opened(20).unwrap().look(20).is_err());
    // A state that was touched, or is of another log.
    files.publish(&leaves(300, "leaf"), &log);
    opened(20).unwrap().look(20).unwrap();
    let state = dir.path().join("seen.json");
    let text = std::fs::read_to_string(&state).unwrap();
    std::fs::write(&state, text.replacen("300", "299", 1)).unwrap();
    assert!(matches!(opened(20), Err(MonitorError::State { .. })));
    std::fs::write(&state, text.replace(&format!("\"origin\": \"{ORIGIN}\""), "\"origin\": \"b\""))
        .unwrap();
    assert!(matches!(opened(20), Err(MonitorError::State { .. })));
}

#[test]
fn the_quorum_and_the_witnesses_own_checkpoints_are_looked_at() {
    let (files, dir, log) = (Files::new(), tempfile::tempdir().unwrap(), log_signer());
    let one = Standing::new("w1", Init::Ed25519);
    let text = format!("log {}\n{}quorum w1\n", log.verifier().to_vkey(), one.lines());
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let look = |now| opened(files.address, &policy, dir.path(), now).unwrap().look(now).unwrap();
    let offered = |size: usize, old: u64| {
        let mut tree = Tree::new();
        leaves(size, "leaf").iter().for_each(|leaf| _ = tree.push(leaf));
        let body = crate::witness_server::request(&tree, old);
        one.open().add_checkpoint(body.as_bytes(), 50).unwrap()
    };
    files.publish(&leaves(300, "leaf"), &log);
    let missing = look(10);
    assert_eq!(missing.alarms, [Alarm::Quorum { quorum: "w1".to_owned(), size: 300 }]);
    assert_eq!((missing.size, missing.compared), (300, 0), "the tree is seen all the same");
    let lines = offered(300, 0);
    files.change("checkpoint", |bytes| bytes.extend_from_slice(lines.as_bytes()));
    let good = look(20);
    assert_eq!((good.alarms.len(), good.compared), (0, 1));
    // The witness is ahead: once it may be a matter of moments, twice the log hides something.
    offered(400, 300);
    assert_eq!(look(30).alarms, []);
    let behind = Alarm::Behind { witness: "w1".to_owned(), size: 400, shown: 300 };
    assert_eq!(look(40).alarms, [behind]);
    files.publish(&leaves(600, "leaf"), &log);
    let quorum = Alarm::Quorum { quorum: "w1".to_owned(), size: 600 };
    assert_eq!(look(50).alarms, [quorum], "the witness's tree of 400 is part of the log's");
    // A known witness's signature that fails is not passed over.
    files.change("checkpoint", |bytes| {
        bytes.extend_from_slice(lines.as_bytes());
    });
    assert!(matches!(look(60).alarms[0], Alarm::Signature(_)));
}

#[test]
fn a_told_alarm_is_told_once() {
    let (files, dir, log) = (Files::new(), tempfile::tempdir().unwrap(), log_signer());
    files.publish(&leaves(3, "leaf"), &log);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let tell = |told: &[&str]| {
        opened(files.address, &key(), dir.path(), 10).unwrap().tell(&words(told)).unwrap()
    };
    assert_eq!(tell(&["silence"]), ["silence"]);
    assert_eq!(tell(&["silence", "fork"]), ["fork"]);
    assert_eq!(tell(&["silence"]), [] as [&str; 0]);
    assert_eq!(tell(&[]), [] as [&str; 0]);
    assert_eq!(tell(&["silence"]), ["silence"]);
}
