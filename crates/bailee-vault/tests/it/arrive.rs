//! What comes once: streams, and archives as real tar writes them.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use bailee_vault::{Input, Node, Source, SourceKind, Vault, VaultError, tar_members};

use crate::export::tree;
use crate::member::member;
use crate::support::{describe, memory_vault, noise};

fn tar(args: &[&str], dir: &Path) {
    let done = Command::new("tar").args(args).current_dir(dir).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

fn archive(bytes: &[u8]) -> Source {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    Source::Tar(Input::new("a.tar", file))
}

/// Keeps an archive that must not be kept; says why it was not.
fn refusal(bytes: &[u8]) -> String {
    let (_, vault) = memory_vault();
    let refused = vault.preserve("t", "A-1", &archive(bytes), &mut ()).unwrap_err();
    assert!(matches!(refused, VaultError::Archive { .. }), "{refused}");
    assert_eq!(vault.list("t").unwrap(), [], "{refused}");
    refused.to_string()
}

fn restored(vault: &Vault, bytes: &[u8], to: &Path) {
    let kept = vault.preserve("t", "A-1", &archive(bytes), &mut ()).unwrap();
    assert!(vault.verify("t", &kept.id).unwrap().is_intact());
    assert!(vault.restore("t", &kept.id, to, None).unwrap().is_complete());
}

#[test]
fn an_archive_comes_back_as_tar_would_unpack_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    ["rich", "plain"].iter().for_each(|name| std::fs::create_dir(at(name)).unwrap());
    tree(&at("rich"));
    std::fs::create_dir_all(at("plain").join("x".repeat(90)).join("y".repeat(60))).unwrap();
    std::fs::write(at("plain/b"), noise(9, 9_000_000)).unwrap();
    std::fs::hard_link(at("plain/b"), at("plain/a")).unwrap();
    symlink("../b", at("plain/link")).unwrap();
    std::fs::set_permissions(at("plain/b"), PermissionsExt::from_mode(0o4711)).unwrap();
    let pax = ["--format=posix", "--xattrs", "--xattrs-include=*"];
    let sparse = |version| [&pax[..], &["--sparse", version]].concat();
    let forms: [(&str, Vec<&str>); 7] = [
        ("plain", vec!["--format=v7", "--exclude=x*"]),
        ("plain", vec!["--format=ustar"]),
        ("rich", vec!["--format=gnu"]),
        ("rich", vec!["--format=gnu", "--sparse"]),
        ("rich", sparse("--sparse-version=0.0")),
        ("rich", sparse("--sparse-version=0.1")),
        ("rich", sparse("--sparse-version=1.0")),
    ];
    let (_, vault) = memory_vault();
    for (n, (from, form)) in forms.iter().enumerate() {
        let (file, by_tar, by_us) = (at(&format!("{n}.tar")), format!("tar{n}"), format!("us{n}"));
        let path = file.to_str().unwrap();
        tar(&[&["-cf", path, "-C", from][..], form, &["."]].concat(), dir.path());
        std::fs::create_dir(at(&by_tar)).unwrap();
        let include = "--xattrs-include=*";
        tar(&["-xpf", path, "--xattrs", include, "-C", &by_tar], dir.path());
        restored(&vault, &std::fs::read(&file).unwrap(), &at(&by_us));
        assert!(describe(&at(&by_us)) == describe(&at(&by_tar)), "{form:?}");
        if form.len() > 3 {
            assert!(describe(&at(&by_us)) == describe(&at(from)), "{form:?}");
        }
    }
    let kinds: Vec<SourceKind> = vault.list("t").unwrap().iter().map(|info| info.kind).collect();
    assert_eq!(kinds, [SourceKind::Tar; 7]);
}

fn whole(members: &[Vec<u8>]) -> Vec<u8> {
    [members.concat(), vec![0; 1024]].concat()
}

#[test]
fn what_comes_out_of_order_stands_where_tar_would_put_it() {
    let bytes = whole(&[
        member(b"z/deep/b", b'0', b"", b"one"),
        member(b"a", b'1', b"./z/deep/b", b""),
        member(b"c", b'1', b"z/deep/b", b""),
        member(b"./z/deep/b", b'0', b"", b"two"),
        member(b"z/deep/", b'5', b"", b""),
        member(b"empty", b'0', b"", b""),
    ]);
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join("us").join(name);
    let (_, vault) = memory_vault();
    restored(&vault, &bytes, &dir.path().join("us"));
    let read = |name: &str| String::from_utf8(std::fs::read(at(name)).unwrap()).unwrap();
    assert_eq!(["a", "c", "z/deep/b", "empty"].map(read), ["one", "one", "two", ""]);
    let mode = |name: &str| std::fs::metadata(at(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("z"), mode("z/deep")), (0o755, 0o644), "one implied, one said");
}

#[test]
fn what_a_later_member_replaces_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = |content: &[u8]| member(b"d/ledger", b'0', b"", content);
    let again = member(b"d", b'5', b"", b"");
    let (_, vault) = memory_vault();
    let twice = whole(&[again.clone(), file(b"first"), again, file(b"second")]);
    let kept = vault.preserve("t", "A-1", &archive(&twice), &mut ()).unwrap();
    assert_eq!((kept.replaced, kept.files), (vec!["d/ledger".into()], 1));
    restored(&vault, &whole(&[file(b"once")]), &dir.path().join("once"));
    let once = vault.preserve("t", "A-1", &archive(&whole(&[file(b"once")])), &mut ()).unwrap();
    assert_eq!(once.replaced, Vec::<std::path::PathBuf>::new());
}

#[test]
fn what_would_leave_its_directory_or_be_lost_is_refused_by_name() {
    let file = |name: &[u8]| member(name, b'0', b"", b"x");
    let acl = b"41 SCHILY.acl.access=user::rw-,group::--\n";
    let hostile = [
        (vec![file(b"/etc/passwd")], "\"/etc/passwd\" has an absolute path"),
        (vec![file(b"a/../../x")], "\"a/../../x\" would leave its directory"),
        (vec![member(b"d", b'2', b"..", b""), file(b"d/x")], "\"d/x\" lies below"),
        (vec![file(b"d"), file(b"d/x")], "\"d/x\" lies below what is no directory"),
        (vec![member(b"h", b'1', b"../kept", b"")], "\"h\" is a link to what is no file"),
        (
            vec![member(b"d", b'5', b"", b""), member(b"h", b'1', b"d", b"")],
            "\"h\" is a link to what is no file that came before it",
        ),
        (vec![member(b"s", b'2', b"", b"")], "\"s\" is a link to nothing"),
        (vec![file(b".")], "lies below what is no directory"),
        (vec![member(b"m", b'M', b"", b"")], "\"m\" goes on from another volume"),
        (vec![member(b"q", b'Q', b"", b"")], "\"q\" is of a type the vault does not know"),
        (vec![member(b"p", b'5', b"", b"data")], "\"p\" has content although it is no file"),
        (vec![member(b"x", b'x', b"", acl), file(b"f")], "\"f\" has an access list as text"),
        (vec![member(b"x", b'x', b"", b"9 path=xy\n"), file(b"f")], "is malformed"),
        (vec![member(b"x", b'x', b"", b"9 path=x\n")], "a member is missing after its names"),
        (vec![vec![0; 1024], file(b"hidden")], "something follows its end"),
    ];
    for (members, why) in hostile {
        let said = refusal(&whole(&members));
        assert!(said.contains(why), "{said} should say {why}");
    }
}

/// A member of old GNU form with one piece of data at its beginning and a hole up to `size`.
fn gnu_sparse(name: &[u8], size: u64) -> Vec<u8> {
    let mut all = member(name, b'S', b"", &[7; 512]);
    let block = &mut all[..512];
    block[257..265].copy_from_slice(b"ustar  \0");
    block[386..410].copy_from_slice(b"00000000000\x0000000001000\0");
    // Base 256, for what twelve octal digits cannot say.
    block[483] = 0x80;
    block[487..495].copy_from_slice(&size.to_be_bytes());
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    all
}

/// The same in pax form 0.1 or 1.0.
fn pax_sparse(name: &str, size: u64, minor: bool) -> Vec<u8> {
    let mut records = vec![("GNU.sparse.realsize", size.to_string())];
    let mut content = vec![7; 512];
    if minor {
        records.extend([("GNU.sparse.major", "1".into()), ("GNU.sparse.minor", "0".into())]);
        let mut map = b"1\n0\n512\n".to_vec();
        map.resize(512, 0);
        content = [map, content].concat();
    } else {
        records.push(("GNU.sparse.map", "0,512".into()));
    }
    let line = |(key, value): &(&str, String)| {
        let rest = format!(" {key}={value}\n");
        let digits = (rest.len() + 2).to_string().len();
        format!("{}{rest}", rest.len() + digits)
    };
    let records: String = records.iter().map(line).collect();
    [member(b"x", b'x', b"", records.as_bytes()), member(name.as_bytes(), b'0', b"", &content)]
        .concat()
}

#[test]
fn holes_without_end_are_refused_by_name_before_they_cost_anything() {
    let began = std::time::Instant::now();
    for size in [(16 << 40) + 513, 1 << 60, i64::MAX as u64] {
        for one in [gnu_sparse(b"huge", size), pax_sparse("huge", size, false)] {
            let said = refusal(&whole(&[one]));
            assert!(said.contains("\"huge\" has holes that make more than 16 TiB"), "{said}");
        }
        let said = refusal(&whole(&[pax_sparse("huge", size, true)]));
        assert!(said.contains("more than 16 TiB"), "{said}");
    }
    // Many that are each within it, counted without reading one.
    let many: Vec<Vec<u8>> = (0..18).map(|n| pax_sparse(&format!("{n}"), 1 << 40, true)).collect();
    let refused = tar_members("a.tar", &mut &whole(&many)[..]).unwrap_err().to_string();
    assert!(refused.contains("\"16\" has holes"), "{refused}");
    assert!(began.elapsed().as_secs() < 60, "a hole was read");
    // What people have is taken: a hole of 64 MiB in each form.
    let (_, vault) = memory_vault();
    let size = 64 << 20;
    for one in [gnu_sparse(b"s", size), pax_sparse("s", size, false), pax_sparse("s", size, true)] {
        let kept = vault.preserve("t", "A-1", &archive(&whole(&[one])), &mut ()).unwrap();
        assert_eq!(kept.bytes, size);
    }
}

#[test]
fn names_never_read_are_bounded_and_no_global_record_speaks_of_them() {
    let missing = |kind, value: &[u8]| {
        let rest = [b" BAILEE.missing=", value, b"\n"].concat();
        let length = (1..9).map(|digits| (rest.len() + digits).to_string());
        let length = length.enumerate().find(|(n, length)| length.len() == n + 1).unwrap().1;
        member(b"x", kind, b"", &[length.as_bytes(), &rest].concat())
    };
    let dir = |name: &str| member(name.as_bytes(), b'5', b"", b"");
    let many = b"a\0\0".repeat(600_000);
    let said = refusal(&whole(&[missing(b'x', &many), dir("d")]));
    assert!(said.contains("\"d\" has names never read that take more than 64 MiB"), "{said}");
    let some = b"a\0\0".repeat(300_000);
    let twice = [missing(b'x', &some), dir("d"), missing(b'x', &some), dir("e")];
    let said = refusal(&whole(&twice));
    assert!(said.contains("\"e\" has names"), "counted with those before: {said}");
    // Of one directory as many may come as of all, which is more than other records may take.
    let long: String = (0..120_000).map(|n| format!("{n:n<200}\0denied\0")).collect();
    assert!(long.len() > 20 << 20);
    let (_, vault) = memory_vault();
    let kept = vault.preserve(
        "t",
        "A-1",
        &archive(&whole(&[missing(b'x', long.as_bytes()), dir("d")])),
        &mut (),
    );
    assert_eq!(kept.unwrap().unreadable.len(), 120_000);
    let said = refusal(&whole(&[missing(b'x', &b"a\0\0".repeat(30_000_000)), dir("d")]));
    assert!(said.contains("names of "), "{said}");
    let said = refusal(&whole(&[missing(b'x', b"../out\0why\0"), dir("d")]));
    assert!(said.contains("\"d\" has a record of names never read that is malformed"), "{said}");
    let (_, vault) = memory_vault();
    let global = [missing(b'g', b"a\0why\0"), dir("d"), dir("e")];
    let kept = vault.preserve("t", "A-1", &archive(&whole(&global)), &mut ()).unwrap();
    assert_eq!((kept.unreadable, kept.files), (vec![], 0));
}

#[test]
fn an_archive_that_is_cut_or_damaged_leaves_no_snapshot() {
    let bytes = whole(&[
        member(b"L", b'L', b"", &[b'n'; 250]),
        member(b"cut", b'0', b"", &noise(4, 2000)),
        member(b"x", b'x', b"", b"9 path=x\n"),
        member(b"last", b'0', b"", b"x"),
    ]);
    assert_eq!(tar_members("a.tar", &mut &bytes[..]).unwrap().len(), 2);
    for cut in 0..bytes.len() {
        let refused = tar_members("a.tar", &mut &bytes[..cut]);
        assert!(matches!(refused, Err(VaultError::Archive { .. })), "{cut}");
    }
    for at in (0..512).filter(|at| !(148..156).contains(at)) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(tar_members("a.tar", &mut &damaged[..]).is_err(), "{at}");
    }
    for cut in [0, 700, 1024, 2500, bytes.len() - 1024, bytes.len() - 512] {
        let said = refusal(&bytes[..cut]);
        assert!(said.contains("ends") || said.contains("cut short"), "{said}");
    }
}

#[test]
fn a_stream_is_kept_as_one_file_and_a_failed_one_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = noise(5, 20_000_001);
    bytes[3_000_000..9_000_000].fill(0);
    let (read, mut write) = std::io::pipe().unwrap();
    let (_, vault) = memory_vault();
    let copy = bytes.clone();
    let writer = std::thread::spawn(move || write.write_all(&copy).unwrap());
    let input = Input::new("dump.sql", File::from(std::os::fd::OwnedFd::from(read)));
    let kept = vault.preserve("t", "A-1", &Source::Stream(input), &mut ()).unwrap();
    writer.join().unwrap();
    assert_eq!((kept.files, kept.bytes), (1, 20_000_001));
    let entries = vault.manifest("t", &kept.id).unwrap();
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    let Node::File { content, meta } = &entry.node else { panic!("{entry:?}") };
    assert_eq!((entry.path.as_slice(), meta.mode), (&b"dump.sql"[..], 0o600));
    let flat = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    assert_eq!(content.sha256, flat.as_ref());
    assert!(vault.restore("t", &kept.id, &dir.path().join("to"), None).unwrap().is_complete());
    assert!(std::fs::read(dir.path().join("to/dump.sql")).unwrap() == bytes);
    assert_eq!(vault.list("t").unwrap()[0].kind, SourceKind::Stream);

    let no_stream = || File::open(dir.path()).unwrap();
    let refused = [
        (Source::Stream(Input::new("d", no_stream())), "read it to its end"),
        (Source::Tar(Input::new("d", no_stream())), "read it to its end"),
        (Source::Stream(Input::new("a/b", no_stream())), "contains a slash"),
        (Source::Stream(Input::new("..", no_stream())), "would leave its directory"),
    ];
    for (source, why) in refused {
        let said = vault.preserve("t", "A-1", &source, &mut ()).unwrap_err().to_string();
        assert!(said.contains(why), "{said} should say {why}");
    }
    assert_eq!(vault.list("t").unwrap().len(), 1, "what failed left nothing");
}
