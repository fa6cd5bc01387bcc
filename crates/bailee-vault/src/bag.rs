//! The way out as a BagIt 1.0 bag (RFC 8493), for archives that take those.
//!
//! Invariants
//! 1. The payload manifest has the SHA-256 that was fixed when the snapshot was taken; a file is
//!    listed only after what was written gave it.
//! 2. `bagit.txt` is written last: what has it is whole. A directory without it is no bag.
//! 3. Nothing is lost in silence: `entries.jsonl` has every entry with what a bag cannot carry
//!    (modes, owners, times, attributes, links, special files, what was never read).
//! 4. Payload names hold no byte that readers of manifests disagree on (`name.rs`).
//!
//! Order: payload, manifest, tag files, tag manifest, sync, `bagit.txt`, sync. Out of scope:
//! giving attributes back to the payload; `restore` and the archive do.

mod name;

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::{Value, json};

use crate::chunk::Desk;
use crate::damage::read_out;
use crate::error::VaultError;
use crate::export::ExportReport;
use crate::manifest::{Content, Meta, Node, Stored, unreadable};
use crate::names::SnapshotId;
use crate::preserve::path_of;
use crate::progress::Progress;
use crate::proof::Proof;
use crate::read::{Bytes, Fetch, TOGETHER, Take};
use crate::restore::Arriving;
use crate::vault::{Absent, Vault};
use crate::verify::Problem;
use bailee_ledger::to_hex;
use name::{escaped, fits, plain_name};

const DECLARATION: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

fn failed(path: &Path, doing: &'static str) -> impl Fn(std::io::Error) -> VaultError {
    let path = path.display().to_string();
    move |e| VaultError::Destination { path: path.clone(), doing, detail: e.to_string() }
}

impl Vault {
    /// Writes a snapshot to the new or empty directory `dest` as a bag. `origin` is its
    /// `Source-Organization`.
    ///
    /// # Errors
    /// [`VaultError::UnknownSnapshot`]; damage; [`VaultError::Occupied`] and
    /// [`VaultError::Destination`]. After an error the
    /// directory is not a bag.
    pub fn export_bag(
        &self,
        tenant: &str,
        id: &SnapshotId,
        (origin, dest): (&str, &Path),
        progress: &mut dyn Progress,
    ) -> Result<ExportReport, VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (unit, snapshot) = self.snapshot(&tenant, id)?;
        let _stay = unit.enter();
        let (entries, table) = (unit.manifest(&snapshot)?, unit.table());
        fits(dest, &entries)?;
        let mut bag = Bag::create(dest)?;
        progress.begin("writing the bag", snapshot.info.bytes);
        let mut desk = Desk::default();
        let threads = 2 * std::thread::available_parallelism().map_or(2, usize::from);
        let mut read = |stored: &Stored, content: &Content, take: &mut Take<'_>| {
            let fetch =
                if content.size > TOGETHER { Fetch::Together(threads) } else { Fetch::Alone };
            let file = (stored, content, Proof::Sha256);
            Ok(read_out((&unit, &table), file, (fetch, &mut desk), take)?)
        };
        bag.fill(&entries, &mut read, progress)?;
        bag.finish(origin, id)
    }
}

/// Writes what [`Vault::give`] gave whole to the new or empty directory `dest` as a bag. `name`:
/// what people call the other side.
///
/// # Errors
/// [`VaultError::Transfer`] if the stream is cut or not in form; damage;
/// [`VaultError::Destination`]. After an error the directory is not a bag.
pub fn receive_bag(
    (from, name): (&mut (dyn Read + Send), &str),
    dest: &Path,
    progress: &mut dyn Progress,
) -> Result<ExportReport, VaultError> {
    let mut arriving = Arriving::begin(from, name)?;
    let entries = std::mem::take(&mut arriving.entries);
    fits(dest, &entries)?;
    let mut bag = Bag::create(dest)?;
    let contents = entries.iter().filter_map(|stored| stored.entry.content());
    let bytes = contents.fold(0u64, |sum, content| sum.saturating_add(content.size));
    progress.begin("writing the bag", bytes);
    let mut read = |stored: &Stored, content: &Content, take: &mut Take<'_>| {
        let (path, mut broke) = (&stored.entry.path, None);
        let came = arriving.file((path, content), &mut broke, take);
        came.map_err(|what| match broke {
            Some(what) => {
                let path = String::from_utf8_lossy(path);
                arriving.frames.flaw(format!("{what}, in {path:?}; the bag is not whole"))
            }
            None => {
                let path = path_of(path).display().to_string();
                VaultError::Lost { path, detail: what }
            }
        })
    };
    bag.fill(&entries, &mut read, progress)?;
    arriving.end()?;
    bag.finish(&arriving.origin, &arriving.id)
}

/// Hands out the content of a file.
type ReadContent<'a> = dyn FnMut(&Stored, &Content, &mut Take<'_>) -> Result<(), VaultError> + 'a;

/// A bag being written.
struct Bag<'a> {
    dest: &'a Path,
    manifest: Tag,
    entries: Tag,
    octets: u64,
    files: u64,
    report: ExportReport,
}

/// A tag file, hashed as it is written.
struct Tag {
    path: PathBuf,
    out: BufWriter<File>,
    sha256: Context,
}

impl Tag {
    fn create(dest: &Path, name: &str) -> Result<Self, VaultError> {
        let path = dest.join(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let out = BufWriter::new(file.map_err(failed(&path, "create it"))?);
        Ok(Self { path, out, sha256: Context::new(&SHA256) })
    }

    fn put(&mut self, text: &[u8]) -> Result<(), VaultError> {
        self.sha256.update(text);
        self.out.write_all(text).map_err(failed(&self.path, "write it"))
    }

    /// Its line in the tag manifest.
    fn finish(mut self) -> Result<String, VaultError> {
        self.out.flush().map_err(failed(&self.path, "write it"))?;
        self.out.get_ref().sync_all().map_err(failed(&self.path, "sync it"))?;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(format!("{}  {name}\n", to_hex(self.sha256.finish().as_ref())))
    }
}

impl<'a> Bag<'a> {
    fn create(dest: &'a Path) -> Result<Self, VaultError> {
        let occupied = || VaultError::Occupied { path: dest.display().to_string() };
        if dest.exists() && !dest.is_dir() {
            return Err(occupied());
        }
        std::fs::create_dir_all(dest).map_err(failed(dest, "create it"))?;
        let mut items = std::fs::read_dir(dest).map_err(failed(dest, "list it"))?;
        if items.next().is_some() {
            return Err(occupied());
        }
        let data = dest.join("data");
        std::fs::create_dir(&data).map_err(failed(&data, "create it"))?;
        let manifest = Tag::create(dest, "manifest-sha256.txt")?;
        let entries = Tag::create(dest, "entries.jsonl")?;
        let report = ExportReport::default();
        Ok(Self { dest, manifest, entries, octets: 0, files: 0, report })
    }

    /// Writes the payload and says what each entry is.
    fn fill(
        &mut self,
        entries: &[Stored],
        read: &mut ReadContent<'_>,
        progress: &mut dyn Progress,
    ) -> Result<(), VaultError> {
        for stored in entries {
            self.note(stored)?;
            let Some((mut file, path)) = self.place(stored)? else { continue };
            let Some(content) = stored.entry.content() else { continue };
            let (files, mut done) = (self.report.files, self.report.bytes);
            let mut take = |bytes: Bytes<'_>| {
                let len = match bytes {
                    Bytes::Data(data) => {
                        file.write_all(data).map_err(failed(&path, "write it"))?;
                        data.len() as u64
                    }
                    Bytes::Gap(n) => {
                        let over = SeekFrom::Current(i64::try_from(n).unwrap_or(i64::MAX));
                        file.seek(over).map_err(failed(&path, "write it"))?;
                        n
                    }
                };
                done += len;
                progress.advance(files, done);
                Ok(())
            };
            read(stored, content, &mut take)?;
            file.set_len(content.size).map_err(failed(&path, "extend it"))?;
            self.list(&stored.entry.path, &content.sha256)?;
            self.octets += content.size;
            self.report.file(&stored.entry.path, content);
        }
        Ok(())
    }

    fn path(&self, path: &[u8]) -> PathBuf {
        match path {
            b"" => self.dest.join("data"),
            _ => self.dest.join("data").join(plain_name(path)),
        }
    }

    /// Makes what has a place in the payload. A file waits for its content.
    fn place(&mut self, stored: &Stored) -> Result<Option<(File, PathBuf)>, VaultError> {
        let name = &stored.entry.path;
        let path = self.path(name);
        match &stored.entry.node {
            Node::Directory { .. } if name.is_empty() => Ok(None),
            Node::Directory { .. } => {
                std::fs::create_dir(&path).map(|()| None).map_err(failed(&path, "create it"))
            }
            Node::File { .. } => {
                let file = OpenOptions::new().write(true).create_new(true).open(&path);
                Ok(Some((file.map_err(failed(&path, "create it"))?, path)))
            }
            Node::HardLink { target } => {
                let first = self.path(target);
                std::fs::hard_link(&first, &path).map_err(failed(&path, "link it"))?;
                self.octets += path.metadata().map_err(failed(&path, "read it"))?.len();
                let sha256 = sha256_of(&path)?;
                self.list(name, &sha256).map(|()| None)
            }
            Node::Symlink { .. }
            | Node::Fifo { .. }
            | Node::Socket { .. }
            | Node::Device { .. } => {
                self.leave_out(name, "a bag has no form for it: it is in entries.jsonl".to_owned())
            }
            Node::Unreadable { reason } => {
                self.report.unreadable += 1;
                self.leave_out(name, unreadable(reason))
            }
        }
    }

    fn leave_out<T>(&mut self, name: &[u8], what: String) -> Result<Option<T>, VaultError> {
        self.report.left_out.push(Problem { path: path_of(name), what });
        Ok(None)
    }

    fn list(&mut self, path: &[u8], sha256: &[u8; 32]) -> Result<(), VaultError> {
        self.files += 1;
        self.manifest.put(format!("{}  data/{}\n", to_hex(sha256), plain_name(path)).as_bytes())
    }

    /// One line of `entries.jsonl`.
    fn note(&mut self, stored: &Stored) -> Result<(), VaultError> {
        self.entries.put(format!("{}\n", json_of(stored)).as_bytes())
    }

    fn finish(mut self, origin: &str, id: &SnapshotId) -> Result<ExportReport, VaultError> {
        let mut info = Tag::create(self.dest, "bag-info.txt")?;
        let organization = origin.replace(char::is_control, " ");
        let octets = format!("{}.{}", self.octets, self.files);
        info.put(format!("Source-Organization: {organization}\n").as_bytes())?;
        info.put(format!("External-Identifier: {id}\nPayload-Oxum: {octets}\n").as_bytes())?;
        let declared = to_hex(aws_lc_rs::digest::digest(&SHA256, DECLARATION.as_bytes()).as_ref());
        let mut lines = info.finish()? + &format!("{declared}  bagit.txt\n");
        lines += &self.entries.finish()?;
        lines += &self.manifest.finish()?;
        let mut tags = Tag::create(self.dest, "tagmanifest-sha256.txt")?;
        tags.put(lines.as_bytes())?;
        tags.finish()?;
        sync(self.dest)?;
        let mut declaration = Tag::create(self.dest, "bagit.txt")?;
        declaration.put(DECLARATION.as_bytes())?;
        declaration.finish()?;
        sync(self.dest)?;
        self.report.left_out.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(self.report)
    }
}

/// Tells the file system to make all of it durable.
fn sync(dest: &Path) -> Result<(), VaultError> {
    let directory = File::open(dest).map_err(failed(dest, "open it"))?;
    rustix::fs::syncfs(&directory).map_err(|e| failed(dest, "sync it")(e.into()))
}

fn sha256_of(path: &Path) -> Result<[u8; 32], VaultError> {
    let mut file = File::open(path).map_err(failed(path, "read it"))?;
    let (mut sha256, mut buffer) = (Context::new(&SHA256), vec![0; 1 << 20]);
    loop {
        let n = std::io::Read::read(&mut file, &mut buffer).map_err(failed(path, "read it"))?;
        if n == 0 {
            break;
        }
        sha256.update(&buffer[..n]);
    }
    let mut out = [0; 32];
    out.copy_from_slice(sha256.finish().as_ref());
    Ok(out)
}

/// An entry in JSON. Every name and value has `=XX` for what is not plain ASCII, `=`, `"`, `\`.
fn json_of(stored: &Stored) -> Value {
    let text = |bytes: &[u8]| escaped(bytes, b"=\"\\");
    let entry = &stored.entry;
    let mut value = json!({ "path": text(&entry.path), "kind": entry.node.kind() });
    match &entry.node {
        Node::HardLink { target } | Node::Symlink { target, .. } => {
            value["target"] = json!(text(target));
        }
        Node::Device { major, minor, .. } => {
            value["major"] = json!(major);
            value["minor"] = json!(minor);
        }
        Node::Unreadable { reason } => value["reason"] = json!(text(reason.as_bytes())),
        Node::File { .. } | Node::Directory { .. } | Node::Fifo { .. } | Node::Socket { .. } => {}
    }
    if let Some(content) = entry.content() {
        value["size"] = json!(content.size);
        value["sha256"] = json!(to_hex(&content.sha256));
        value["never_read"] = json!(content.unreadable);
        value["changed"] = json!(content.changed);
    }
    if let Some(Meta { mode, uid, gid, mtime, ctime, xattrs }) = entry.meta() {
        value["mode"] = json!(format!("{:04o}", mode & 0o7777));
        value["uid"] = json!(uid);
        value["gid"] = json!(gid);
        value["mtime"] = json!(mtime);
        value["ctime"] = json!(ctime);
        let pairs = xattrs.iter().map(|(name, value)| (text(name), text(value)));
        value["xattrs"] = json!(pairs.collect::<Vec<_>>());
    }
    value
}
