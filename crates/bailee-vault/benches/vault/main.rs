//! How fast the vault keeps, proves and gives back, beside restic, borg and rustic on the same
//! corpora, each a process of its own with a store on disk and real syncs. Each line: name, value,
//! unit, target (`-` if there is none). Processor time is printed beside the rates: it says what
//! the code costs when the machine has other work. Before each run memory is touched by another
//! process, so that no tool pays for pages which the machine had given back.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // it prints, and may stop

#[path = "../../tests/it/clear.rs"]
mod clear;
mod corpus;
mod index;
mod measure;
mod peers;
mod prune;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bailee_ledger::clearance::Act as Permit;
use bailee_store::{DiskObjects, Objects};
use bailee_vault::{Kek, Source, Stage, Vault};
use corpus::Corpus;
use measure::{Run, TOUCH, cool, line, run, size, touch, touch_here};
use peers::{Act, Tool};

/// As the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Files written within this many seconds before a copy are read again by the next.
const REST: Duration = Duration::from_secs(62);

/// A disk that many share takes a burst and holds up whoever comes after it.
const PAUSE: Duration = Duration::from_secs(2);

/// What our own process does; a peer is a program, so we are one, too.
fn act(args: &[String]) {
    let [act, store, corpus, back] = args else { panic!("--act ACT STORE CORPUS BACK") };
    let objects: Arc<dyn Objects> = Arc::new(DiskObjects::open(Path::new(store)).unwrap());
    let kek = Kek::from_bytes([1; 32]);
    if act == "Init" {
        Vault::create(objects, &kek).unwrap();
        return;
    }
    let vault = Vault::open(objects, &kek).unwrap();
    if act == "Index" {
        return index::open(&vault);
    }
    if act == "Keep" {
        let kept = vault.preserve("t", "A-1", &Source::Tree(corpus.into()), &mut ()).unwrap();
        for stage in Stage::ALL {
            println!("{stage:?} {}", kept.costs.of(stage));
        }
        return;
    }
    let last = vault.list("t").unwrap().pop().unwrap();
    if act == "LetGo" {
        let clearance = clear::clear(1, Permit::Expire, last.root);
        vault.expire("t", &last.id, clearance, &|_| None, &bailee_vault::no_catalogue).unwrap();
    } else if act == "Restore" {
        let restored = vault.restore("t", &last.id, Path::new(back), None).unwrap();
        assert!(restored.is_complete());
    } else {
        assert!(vault.verify("t", &last.id).unwrap().is_intact());
    }
}

fn report(what: &str, tool: &Tool, bytes: u64, done: &Run) {
    let name = format!("{what} {}", tool.name);
    line(&name, bytes as f64 / 1e6 / done.seconds, "MB/s", "-");
    line(&format!("{name}, processor time"), done.cpu * 1e9 / bytes as f64, "ns/B", "-");
    let most = if tool.name == "bailee" { "<=400" } else { "-" };
    line(&format!("{name}, peak memory"), done.peak, "MB", most);
}

const KEEP: (Act, Cache) = (Act::Keep, Cache::AsItIs);
/// What the bench takes besides the name of a corpus.
const PRUNE: &str = "prune";
const INDEX: &str = "index";

/// Whether what a tool reads may be in memory already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cache {
    AsItIs,
    Empty,
}

/// Runs one act with every tool.
fn once(tools: &[Tool], corpus: &Corpus, (act, cache): (Act, Cache)) -> Vec<Run> {
    let one = |tool: &Tool| {
        // Not every tool syncs what it restores, and who syncs would pay for the one before.
        rustix::fs::sync();
        std::thread::sleep(PAUSE);
        if cache == Cache::Empty {
            cool();
        }
        touch();
        // Not deleted before the next: ext4 searches long for an inode after many were freed.
        let back = tempfile::tempdir_in(tool.store.parent().unwrap()).unwrap().keep();
        run(&mut tool.command(act, &corpus.path, &back))
    };
    tools.iter().map(one).collect()
}

/// Runs one act with every tool and compares ours with the fastest of the others.
fn round(what: &str, tools: &[Tool], corpus: &Corpus, act: (Act, Cache), targets: [&str; 2]) {
    let bytes = corpus.bytes();
    let mut runs = once(tools, corpus, act);
    if act.0 != Act::Keep {
        // What changes nothing is done twice, in turns, and the better counts.
        let again = once(tools, corpus, act);
        let better = |(a, b): (Run, Run)| if b.seconds < a.seconds { b } else { a };
        runs = runs.into_iter().zip(again).map(better).collect();
    }
    for (tool, done) in tools.iter().zip(&runs) {
        report(what, tool, bytes, done);
    }
    let Some((ours, others)) = runs.split_first() else { return };
    for stage in ours.output.lines().filter_map(|l| l.split_once(' ')) {
        let nanos: f64 = stage.1.parse().unwrap_or(0.0);
        let name = format!("{what} bailee, {}", stage.0);
        line(&name, nanos / bytes as f64, "ns/B", "-");
        if nanos > 0.0 {
            line(&format!("{name}, per core"), bytes as f64 * 1e3 / nanos, "MB/s", "-");
        }
    }
    line(&format!("{what}, rate"), bytes as f64 / 1e6 / ours.seconds, "MB/s", targets[0]);
    let least = |of: fn(&Run) -> f64| others.iter().map(of).fold(f64::INFINITY, f64::min);
    if !others.is_empty() {
        let (time, cpu) = (least(|r| r.seconds), least(|r| r.cpu));
        line(&format!("{what}, over the fastest peer"), time / ours.seconds, "x", targets[1]);
        line(&format!("{what}, processor time over"), cpu / ours.cpu.max(0.01), "x", "-");
    }
}

fn sizes(corpus: &Corpus, tools: &[Tool]) {
    let sizes: Vec<f64> = tools.iter().map(|t| size(&t.store)).collect();
    for (tool, size) in tools.iter().zip(&sizes) {
        line(&format!("vault/{} v1+v2 stored {}", corpus.name, tool.name), *size, "MB", "-");
    }
    let least = sizes[1..].iter().copied().fold(f64::INFINITY, f64::min);
    if least.is_finite() {
        let name = format!("vault/{} stored over the smallest peer", corpus.name);
        line(&name, sizes[0] / least, "x", "<=1.02");
    }
}

fn baseline(corpus: &Corpus, scratch: &Path) {
    let to = scratch.join("copy"); // stays, as what is restored: see `once`
    let script = "cp -r \"$1\" \"$2\" && sync -f \"$2\"";
    touch();
    let done = run(Command::new("sh").args(["-c", script, "sh"]).arg(&corpus.path).arg(&to));
    let bytes = corpus.bytes();
    let name = format!("vault/{} baseline cp -r and sync", corpus.name);
    line(&name, bytes as f64 / 1e6 / done.seconds, "MB/s", "-");
    line(&format!("{name}, processor time"), done.cpu * 1e9 / bytes as f64, "ns/B", "-");
}

/// The same with nothing in the page cache: reading it back, and keeping it in new stores.
fn cold(tools: &[Tool], corpus: &Corpus, scratch: &Path) {
    let what = |of: &str| format!("vault/{} {of} cold", corpus.name);
    if !cool() {
        println!("vault/{}: cold not measured, the page cache is not ours to drop", corpus.name);
        return;
    }
    round(&what("restore"), tools, corpus, (Act::Restore, Cache::Empty), ["-", ">=2"]);
    round(&what("check"), tools, corpus, (Act::Check, Cache::Empty), ["-", ">=1.5"]);
    let scratch = scratch.join("cold");
    std::fs::create_dir_all(&scratch).unwrap();
    let tools = Tool::all(&scratch);
    for tool in &tools {
        run(&mut tool.command(Act::Init, &corpus.path, &scratch));
    }
    round(&what("keep"), &tools, corpus, (Act::Keep, Cache::Empty), ["-", ">=4"]);
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|a| a == "--act") {
        return act(&args[1..]);
    }
    if let [word, bytes] = &args[..]
        && word == TOUCH
    {
        return touch_here(bytes);
    }
    let only = args.iter().find(|a| !a.starts_with('-'));
    let chunks = args.iter().find_map(|a| a.parse().ok());
    if only.is_some_and(|only| only == INDEX) {
        return index::measure(chunks.unwrap_or(index::CHUNKS));
    }
    peers::install();
    if only.is_some_and(|only| only == PRUNE) {
        let chunks = chunks.unwrap_or(prune::CHUNKS);
        prune::measure(chunks);
        return prune::beside_peers(chunks.min(prune::PEERS));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut corpora = Corpus::all(&dir.path().join("corpus"));
    corpora.retain(|c| only.is_none_or(|only| c.name == only));
    std::thread::sleep(REST);
    for corpus in &corpora {
        let scratch = dir.path().join(format!("{}-stores", corpus.name));
        std::fs::create_dir_all(&scratch).unwrap();
        let tools = Tool::all(&scratch);
        for tool in &tools {
            run(&mut tool.command(Act::Init, &corpus.path, &scratch));
        }
        line(&format!("vault/{} corpus", corpus.name), corpus.bytes() as f64 / 1e6, "MB", "-");
        baseline(corpus, &scratch);
        let what = |of: &str| format!("vault/{} {of}", corpus.name);
        round(&what("keep"), &tools, corpus, KEEP, [">=250", ">=4"]);
        round(&what("keep unchanged"), &tools, corpus, KEEP, ["-", ">=1"]);
        corpus.age();
        round(&what("keep v2"), &tools, corpus, KEEP, ["-", ">=1"]);
        sizes(corpus, &tools);
        round(&what("restore"), &tools, corpus, (Act::Restore, Cache::AsItIs), [">=400", ">=2"]);
        round(&what("check"), &tools, corpus, (Act::Check, Cache::AsItIs), [">=400", ">=1.5"]);
        cold(&tools, corpus, &scratch);
        std::fs::remove_dir_all(&scratch).unwrap();
    }
    if only.is_none() {
        prune::measure(prune::CHUNKS);
        prune::beside_peers(prune::PEERS);
        index::measure(index::CHUNKS);
    }
}
