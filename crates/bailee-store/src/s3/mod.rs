//! Objects in a bucket of an S3 engine.
//!
//! Invariants
//! 1. A put is one PUT of the whole object, whose SHA-256 is signed and sent along, and then a GET
//!    of all of it: `Stored` means that the engine gave back the very bytes. What came back
//!    different is deleted and an error.
//! 2. Put-once does not rest on the engine's preconditions, which some take and ignore: of several
//!    puts of one name in this process one goes first (`claim.rs`), and looks first. Other
//!    processes are kept away by the lock of the data directory, other houses by what
//!    `Vault::create` finds.
//! 3. A folder is marked by an empty object `<folder>/~` before the first object in it. Names
//!    cannot contain `~`, so markers are never listed.
//! 4. Ranges read through a handle may come from a block fetched before (`ahead.rs`), which ends
//!    with the handle.
//! 5. What an engine keeps after a delete (old versions) is its own affair.
//!
//! | a crash after … | leaves |
//! |---|---|
//! | markers put | empty folders, as on a disk |
//! | PUT | the object, whole, or nothing: S3 has no halves |
//! | read back | the object; whoever puts it again is told that it is there |
//!
//! Keys are `<prefix>/<name>`. Out of scope: multipart uploads, signed URLs, virtual-host buckets.

mod ahead;
mod claim;
mod client;
mod error;
pub mod listing;
mod probe;
mod settings;
mod sign;

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::objects::{bad_range, check_name, folders, name_is_folder, read_all};
use crate::{MAX_NAME, ObjectError, Objects, Put, Ranges};
use ahead::{Ahead, Handle};
use claim::Claim;
use client::{Call, Client, Reply};
pub use error::S3Error;
use listing::read_page;
pub use probe::{Finding, LOCKING, Locks, Outcome};
pub use settings::{Credentials, S3Settings};

/// The longest object, and the most that a stream may bring: each is put in one request.
pub const MOST: u64 = 1 << 30;
/// Bytes fetched at a time by a reader.
const STEP: u64 = 8 << 20;
/// What ends the name of a folder's marker.
const MARKER: &str = "/~";

/// Objects of one prefix of one bucket. Clones share everything.
#[derive(Clone)]
pub struct S3Objects {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    /// Endpoint, bucket and prefix: what tells this store from others in this process.
    place: String,
    prefix: String,
    /// Folders whose markers are there.
    marked: Mutex<HashSet<String>>,
    /// What is fetched before it is asked for.
    ahead: Ahead,
}

impl fmt::Debug for S3Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Objects").field("place", &self.inner.place).finish_non_exhaustive()
    }
}

impl S3Objects {
    /// Opens a bucket that is there; one question is asked.
    ///
    /// # Errors
    /// Unfit settings; no bucket of that name; credentials that the engine does not take.
    pub fn open(settings: &S3Settings) -> Result<S3Objects, S3Error> {
        let S3Settings { endpoint, bucket, prefix, .. } = settings;
        let inner = Inner {
            client: Client::new(settings)?,
            place: format!("{}/{bucket}/{prefix}", endpoint.trim_end_matches('/')),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            marked: Mutex::default(),
            ahead: Ahead::default(),
        };
        let objects = S3Objects { inner: Arc::new(inner) };
        objects.page("", "", "1")?;
        Ok(objects)
    }

    /// Makes the bucket of these settings, with object lock if `lock` says so. The engine decides
    /// who may.
    ///
    /// # Errors
    /// Unfit settings; what the engine says.
    pub fn create_bucket(settings: &S3Settings, lock: ObjectLock) -> Result<(), S3Error> {
        let client = Client::new(settings)?;
        let with: &[(&str, &str)] = match lock {
            ObjectLock::Off => &[],
            ObjectLock::On => &[("x-amz-bucket-object-lock-enabled", "true")],
        };
        let reply = client.ask(&Call { method: "PUT", headers: with, ..Call::default() })?;
        if reply.is_good() { Ok(()) } else { Err(reply.refusal()) }
    }

    fn key(&self, name: &str) -> Result<String, ObjectError> {
        check_name(name)?;
        let key = format!("{}{name}", self.inner.prefix);
        // A marker of the same folder must fit too.
        if key.len() > MAX_NAME - MARKER.len() {
            let detail = "with the prefix it is longer than the keys of S3";
            return Err(ObjectError::BadName { name: name.to_owned(), detail });
        }
        Ok(key)
    }

    fn ask(&self, call: &Call<'_>) -> Result<Reply, S3Error> {
        self.inner.client.ask(call)
    }

    /// Size of what is under a key; `None`: nothing.
    fn look(&self, key: &str) -> Result<Option<u64>, S3Error> {
        let reply = self.ask(&Call { method: "HEAD", key, ..Call::default() })?;
        match reply.status {
            404 => Ok(None),
            _ if !reply.is_good() => Err(reply.refusal()),
            _ => {
                let size = reply.header("content-length").and_then(|size| size.parse().ok());
                size.map(Some).ok_or(S3Error::Strange("an object without a length"))
            }
        }
    }

    /// One PUT.
    fn send(&self, key: &str, bytes: &[u8]) -> Result<(), S3Error> {
        let sum = STANDARD.encode(Sha256::digest(bytes));
        let headers = [("x-amz-checksum-sha256", sum.as_str())];
        let reply = self.ask(&Call {
            method: "PUT",
            key,
            headers: &headers,
            body: bytes,
            ..Call::default()
        })?;
        if reply.is_good() { Ok(()) } else { Err(reply.refusal()) }
    }

    fn remove(&self, key: &str) -> Result<(), S3Error> {
        let reply = self.ask(&Call { method: "DELETE", key, ..Call::default() })?;
        match reply.status {
            404 => Ok(()),
            _ if reply.is_good() => Ok(()),
            _ => Err(reply.refusal()),
        }
    }

    fn page(&self, prefix: &str, after: &str, most: &str) -> Result<listing::Page, S3Error> {
        let key = format!("{}{prefix}", self.inner.prefix);
        let mut query = vec![("list-type", "2"), ("prefix", key.as_str()), ("max-keys", most)];
        if !after.is_empty() {
            query.push(("start-after", after));
        }
        let reply = self.ask(&Call { method: "GET", query: &query, ..Call::default() })?;
        if !reply.is_good() {
            return Err(reply.refusal());
        }
        read_page(&reply.body).map_err(S3Error::Strange)
    }

    /// Invariant 3, for all folders of a name; refused where one of them is an object.
    fn mark_folders(&self, name: &str) -> Result<(), ObjectError> {
        let marked = || self.inner.marked.lock().unwrap_or_else(PoisonError::into_inner);
        for folder in folders(name) {
            if marked().contains(folder) {
                continue;
            }
            let at = |e: S3Error| e.at("look for", folder);
            let key = format!("{}{folder}", self.inner.prefix);
            if self.look(&key).map_err(at)?.is_some() {
                return Err(name_is_folder(name));
            }
            let marker = format!("{key}{MARKER}");
            if self.look(&marker).map_err(at)?.is_none() {
                self.send(&marker, b"").map_err(|e| e.at("mark folder", folder))?;
            }
            marked().insert(folder.to_owned());
        }
        Ok(())
    }

    /// The engine gives back what was put.
    fn read_back(&self, key: &str, bytes: &[u8]) -> Result<(), S3Error> {
        let most = Some(bytes.len() as u64);
        let read = self.ask(&Call { method: "GET", key, most, ..Call::default() });
        match read {
            Ok(reply) if reply.is_good() && reply.body == bytes => Ok(()),
            Ok(reply) if !reply.is_good() => Err(reply.refusal()),
            Ok(_) | Err(S3Error::Large { .. }) => {
                self.remove(key)?;
                Err(S3Error::Altered)
            }
            Err(error) => Err(error),
        }
    }

    /// The bytes of a range, and the size of all of the object.
    fn bytes_and_size(
        &self,
        name: &str,
        range: &Range<u64>,
    ) -> Result<(Vec<u8>, u64), ObjectError> {
        let key = self.key(name)?;
        let fits = |size: u64| match range.start <= range.end && range.end <= size {
            true => Ok(()),
            false => Err(bad_range(name, size, range)),
        };
        if range.start >= range.end {
            let size = self.size(name)?;
            return fits(size).map(|()| (Vec::new(), size));
        }
        let asked = format!("bytes={}-{}", range.start, range.end - 1);
        let headers = [("range", asked.as_str())];
        let most = Some((range.end - range.start).min(MOST));
        let call = Call { method: "GET", key: &key, headers: &headers, most, ..Call::default() };
        let at = |e: S3Error| e.at("read", name);
        let reply = self.ask(&call).map_err(at)?;
        match reply.status {
            404 => return Err(absent(&reply, name)),
            416 => {
                fits(self.size(name)?)?;
                return Err(at(S3Error::Strange("a range refused that is there")));
            }
            206 => {}
            200..300 => return Err(at(S3Error::Strange("all of an object instead of a range"))),
            _ => return Err(at(reply.refusal())),
        }
        let total = reply.header("content-range").and_then(|r| r.rsplit_once('/'));
        let total = total.and_then(|(_, total)| total.parse().ok());
        let total = total.ok_or_else(|| at(S3Error::Strange("a range without its place")))?;
        fits(total)?;
        match reply.body.len() as u64 == range.end - range.start {
            true => Ok((reply.body, total)),
            false => Err(at(S3Error::Strange("another range than was asked for"))),
        }
    }
}

/// Whether a new bucket can hold objects against deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectLock {
    /// It cannot.
    Off,
    /// It can, the engine says.
    On,
}

/// 404 to a GET: no such object, unless the bucket is what is not there.
fn absent(reply: &Reply, name: &str) -> ObjectError {
    match reply.refusal() {
        S3Error::Refused { code, .. } if code != "NoSuchBucket" => {
            ObjectError::NotFound { name: name.to_owned() }
        }
        refused => refused.at("read", name),
    }
}

impl Objects for S3Objects {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<Put, ObjectError> {
        let key = self.key(name)?;
        if bytes.len() as u64 > MOST {
            return Err(S3Error::Large { most: MOST }.at("store", name));
        }
        let _mine = Claim::of(&self.inner.place, name);
        let at = |e: S3Error| e.at("look for", name);
        if self.look(&key).map_err(at)?.is_some() {
            return Ok(Put::AlreadyThere);
        }
        if self.look(&format!("{key}{MARKER}")).map_err(at)?.is_some() {
            return Err(name_is_folder(name));
        }
        self.mark_folders(name)?;
        self.send(&key, bytes).map_err(|e| e.at("store", name))?;
        self.read_back(&key, bytes).map_err(|e| e.at("read back", name))?;
        Ok(Put::Stored)
    }

    fn put_stream(&self, name: &str, from: &mut dyn Read) -> Result<Put, ObjectError> {
        let key = self.key(name)?;
        if self.look(&key).map_err(|e| e.at("look for", name))?.is_some() {
            return Ok(Put::AlreadyThere);
        }
        self.put(name, &read_all(name, &mut from.take(MOST + 1))?)
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, ObjectError> {
        let key = self.key(name)?;
        let call = Call { method: "GET", key: &key, most: Some(MOST), ..Call::default() };
        let reply = self.ask(&call).map_err(|e| e.at("read", name))?;
        match reply.status {
            404 => Err(absent(&reply, name)),
            _ if !reply.is_good() => Err(reply.refusal().at("read", name)),
            _ => Ok(reply.body),
        }
    }

    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        Ok(self.bytes_and_size(name, &range)?.0)
    }

    fn ranges(&self, name: &str) -> Result<Option<Box<dyn Ranges>>, ObjectError> {
        self.key(name)?;
        Ok(Some(Box::new(Handle::open(self, name))))
    }

    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ObjectError> {
        let size = self.size(name)?;
        let (objects, name) = (self.clone(), name.to_owned());
        Ok(Box::new(Reading { objects, name, size, at: 0, have: io::Cursor::default() }))
    }

    fn size(&self, name: &str) -> Result<u64, ObjectError> {
        let key = self.key(name)?;
        let found = self.look(&key).map_err(|e| e.at("look for", name))?;
        found.ok_or_else(|| ObjectError::NotFound { name: name.to_owned() })
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let mut names = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.page(prefix, &after, "1000").map_err(|e| e.at("list below", prefix))?;
            let last = page.keys.last().cloned().unwrap_or_default();
            if page.more && last <= after {
                let strange = S3Error::Strange("a listing that does not go on");
                return Err(strange.at("list below", prefix));
            }
            let name = |key: &String| Some(key.strip_prefix(&self.inner.prefix)?.to_owned());
            let ours = page.keys.iter().filter_map(name);
            names.extend(ours.filter(|name| name.starts_with(prefix) && check_name(name).is_ok()));
            if !page.more {
                names.sort_unstable();
                return Ok(names);
            }
            after = last;
        }
    }

    fn delete(&self, name: &str) -> Result<(), ObjectError> {
        let key = self.key(name)?;
        self.remove(&key).map_err(|e| e.at("delete", name))
    }
}

/// Reads an object in steps, each of which is asked for again if it fails.
struct Reading {
    objects: S3Objects,
    name: String,
    size: u64,
    at: u64,
    have: io::Cursor<Vec<u8>>,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.have.read(buffer)?;
        if read > 0 || buffer.is_empty() || self.at == self.size {
            return Ok(read);
        }
        let end = self.size.min(self.at + STEP);
        let bytes = self.objects.get_range(&self.name, self.at..end).map_err(io::Error::other)?;
        (self.at, self.have) = (end, io::Cursor::new(bytes));
        self.have.read(buffer)
    }
}
