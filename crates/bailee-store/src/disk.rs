//! Objects as files below one directory. A name is its path, so a published prefix can be served
//! by any web server.
//!
//! Invariants
//! 1. A file outside `~part/` is a whole object. Names cannot contain `~`.
//! 2. Order of writes of a put: temporary file in `~part/`, `fdatasync`, folders, durable,
//!    `rename` without replacing, `fsync` of the folder. Only then `Stored`.
//! 3. `AlreadyThere` syncs the folder too: the first writer may have died before it did, or not
//!    have come to it yet.
//! 4. Temporary files left by a crash are swept at open, by whoever finds nobody else there:
//!    every handle holds a shared lock on `~part/lock`, the sweeper needs it alone.
//! 5. A folder's name is durable before anything in it is acknowledged: whatever made it, this
//!    handle has synced what it lies in, up to the root.
//!
//! Directories have mode 0700, files 0600. Folders are never removed, so a folder once known to
//! be durable stays so. Out of scope: encryption (the vault), quotas.

mod part;

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use part::{PART, Part, lock_part};

use crate::direct::{Reader, Room, Writer, write_stream};
use crate::durable::{Kernel, Moves, Placed, create_fleeting_dirs, durable_private_dir};
use crate::objects::{bad_range, check_name, name_is_folder};
use crate::{ObjectError, Objects, Put, Ranges};

thread_local! {
    /// Memory of `put_stream`: fresh memory costs page faults.
    static ROOM: Cell<Room> = Cell::default();
}

/// Objects in a directory of their own. `M` makes the moves that must survive power loss.
#[derive(Debug)]
pub struct DiskObjects<M: Moves = Kernel> {
    moves: M,
    root: PathBuf,
    part: PathBuf,
    /// Folders whose names, up to the root's, this process knows to be durable.
    durable: Mutex<HashSet<PathBuf>>,
    /// Keeps sweepers away from our temporary files while this handle lives; none: only read.
    lock: Option<File>,
}

impl DiskObjects {
    /// Opens the directory, creating it if it is not there, and sweeps leftovers of a crash.
    pub fn open(root: &Path) -> Result<DiskObjects, ObjectError> {
        DiskObjects::open_with(root, Kernel)
    }

    /// Opens a directory that is there, to read only: nothing in it is created, locked or swept, so
    /// that it may be a copy on a medium that takes nothing. What would write is an error.
    pub fn read_only(root: &Path) -> Result<DiskObjects, ObjectError> {
        let failed = |error| io_error("open the directory of", &root.display().to_string(), &error);
        drop(fs::read_dir(root).map_err(failed)?);
        let (part, durable) = (root.join(PART), Mutex::default());
        Ok(DiskObjects { moves: Kernel, root: root.to_owned(), part, durable, lock: None })
    }
}

impl<M: Moves> DiskObjects<M> {
    /// As [`DiskObjects::open`], with other moves: a recorder of them, in tests.
    ///
    /// # Errors
    /// The medium's.
    pub fn open_with(root: &Path, moves: M) -> Result<DiskObjects<M>, ObjectError> {
        let failed = |error| io_error("open the directory of", &root.display().to_string(), &error);
        let part = root.join(PART);
        durable_private_dir(&moves, root).map_err(failed)?;
        durable_private_dir(&moves, &part).map_err(failed)?;
        let lock = Some(lock_part(&moves, &part).map_err(failed)?);
        let durable = Mutex::new(HashSet::from([root.to_owned()]));
        Ok(DiskObjects { moves, root: root.to_owned(), part, durable, lock })
    }

    fn may_write(&self, doing: &'static str, name: &str) -> Result<(), ObjectError> {
        let refused = || io_error(doing, name, &rustix::io::Errno::ROFS.into());
        self.lock.as_ref().map(drop).ok_or_else(refused)
    }

    fn path(&self, name: &str) -> Result<PathBuf, ObjectError> {
        check_name(name)?;
        Ok(self.root.join(name))
    }

    /// Creates a folder and makes it durable: its name, and those of the folders it lies in, up to
    /// the first that is known to be. Once per folder and handle.
    fn make_durable(&self, folder: &Path) -> io::Result<()> {
        let known = || self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<PathBuf> = {
            let known = known();
            let new = folder.ancestors().take_while(|dir| !known.contains(*dir));
            new.take_while(|dir| dir.starts_with(&self.root)).map(Path::to_owned).collect()
        };
        if new.is_empty() {
            return Ok(());
        }
        create_fleeting_dirs(&self.moves, folder)?;
        for dir in new.iter().filter_map(|dir| dir.parent()) {
            self.moves.sync_dir(dir)?;
        }
        known().extend(new);
        Ok(())
    }

    /// The name is there: make sure that it also survives power loss.
    fn already_there(&self, name: &str, path: &Path) -> Result<Put, ObjectError> {
        let failed = |error| io_error("make durable", name, &error);
        let folder = path.parent().unwrap_or(&self.root);
        self.make_durable(folder).map_err(failed)?;
        self.moves.sync_dir(folder).map_err(failed)?;
        Ok(Put::AlreadyThere)
    }

    /// Runs invariant 2 around `fill`, and takes the temporary file away whatever happens.
    fn store(
        &self,
        name: &str,
        fill: &mut dyn FnMut(&mut File) -> Result<(), ObjectError>,
    ) -> Result<Put, ObjectError> {
        self.may_write("store", name)?;
        let path = self.path(name)?;
        match look(&path) {
            Ok(Found::Object(_)) => return self.already_there(name, &path),
            Ok(Found::Folder) => return Err(name_is_folder(name)),
            Ok(Found::Nothing) => {}
            Err(error) => return Err(io_error("look for", name, &error)),
        }
        let part =
            Part::new(&self.moves, &self.part).map_err(|error| io_error("begin", name, &error))?;
        fill(&mut part.file()?)?;
        self.finish(name, &path, &part)
    }

    fn finish(&self, name: &str, path: &Path, part: &Part<'_, M>) -> Result<Put, ObjectError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => name_is_folder(name),
            _ => io_error("store", name, &error),
        };
        self.moves.sync_file(&part.path, &part.file).map_err(failed)?;
        let folder = path.parent().unwrap_or(&self.root);
        self.make_durable(folder).map_err(failed)?;
        match self.moves.place(&part.path, path).map_err(failed)? {
            Placed::Now => self.moves.sync_dir(folder).map_err(failed).map(|()| Put::Stored),
            Placed::Taken if path.is_dir() => Err(name_is_folder(name)),
            Placed::Taken => self.already_there(name, path),
        }
    }

    /// Removes a file; gives the folder to sync, also if somebody else may have removed it without
    /// coming to that.
    fn remove(&self, name: &str) -> Result<Option<PathBuf>, ObjectError> {
        let failed = |error: io::Error| io_error("delete", name, &error);
        let path = self.path(name)?;
        match look(&path).map_err(failed)? {
            Found::Object(_) => match self.moves.remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            },
            Found::Folder => return Ok(None),
            Found::Nothing => {}
        }
        Ok(Some(path.parent().unwrap_or(&self.root).to_owned()))
    }

    fn object(&self, name: &str) -> Result<(File, u64), ObjectError> {
        let path = self.path(name)?;
        match look(&path) {
            Ok(Found::Object(size)) => {
                let file = File::open(&path).map_err(|error| io_error("open", name, &error))?;
                Ok((file, size))
            }
            Ok(_) => Err(ObjectError::NotFound { name: name.to_owned() }),
            Err(error) => Err(io_error("look for", name, &error)),
        }
    }
}

impl<M: Moves> Objects for DiskObjects<M> {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<Put, ObjectError> {
        self.store(name, &mut |file| {
            let mut to = Writer::new(file, bytes.len() as u64);
            let written = to.write(bytes).and_then(|()| to.finish());
            written.map(drop).map_err(|error| io_error("write", name, &error))
        })
    }

    fn put_stream(&self, name: &str, from: &mut dyn Read) -> Result<Put, ObjectError> {
        self.store(name, &mut |file| copy(name, from, file))
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, ObjectError> {
        let (mut file, size) = self.object(name)?;
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.read_to_end(&mut bytes).map_err(|error| io_error("read", name, &error))?;
        Ok(bytes)
    }

    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        let (file, size) = self.object(name)?;
        if range.start > range.end || range.end > size {
            return Err(bad_range(name, size, &range));
        }
        let length = usize::try_from(range.end - range.start);
        let mut bytes = vec![0; length.map_err(|_| bad_range(name, size, &range))?];
        file.read_exact_at(&mut bytes, range.start)
            .map_err(|error| io_error("read", name, &error))?;
        Ok(bytes)
    }

    fn ranges(&self, name: &str) -> Result<Option<Box<dyn Ranges>>, ObjectError> {
        let (file, size) = self.object(name)?;
        let object = OpenObject { name: name.to_owned(), size, reader: Reader::new(file) };
        Ok(Some(Box::new(object)))
    }

    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ObjectError> {
        Ok(Box::new(self.object(name)?.0))
    }

    fn size(&self, name: &str) -> Result<u64, ObjectError> {
        Ok(self.object(name)?.1)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !folder.is_empty() && check_name(folder).is_err() {
            return Ok(Vec::new()); // no object has such a name
        }
        let mut names = Vec::new();
        list_below(&self.root, folder, &mut names)
            .map_err(|error| io_error("list below", prefix, &error))?;
        names.retain(|name| name.starts_with(prefix));
        names.sort_unstable();
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<(), ObjectError> {
        self.delete_all(&[name.to_owned()])
    }

    fn delete_all(&self, names: &[String]) -> Result<(), ObjectError> {
        let mut folders: HashMap<PathBuf, &str> = HashMap::new();
        for name in names {
            self.may_write("delete", name)?;
            if let Some(folder) = self.remove(name)? {
                folders.insert(folder, name);
            }
        }
        for (folder, name) in folders {
            match self.moves.sync_dir(&folder) {
                Err(error) if !is_absence(&error) => return Err(io_error("delete", name, &error)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// An object whose file is open.
struct OpenObject {
    name: String,
    size: u64,
    reader: Reader,
}

impl Ranges for OpenObject {
    fn read<'r>(&self, range: Range<u64>, room: &'r mut Room) -> Result<&'r mut [u8], ObjectError> {
        let bad = || bad_range(&self.name, self.size, &range);
        let len = range.end.checked_sub(range.start).filter(|_| range.end <= self.size);
        let len = len.and_then(|len| usize::try_from(len).ok()).ok_or_else(bad)?;
        let bytes = self.reader.read_at(range.start, len, room);
        match bytes.map_err(|error| io_error("read", &self.name, &error))? {
            bytes if bytes.len() == len => Ok(bytes),
            bytes => {
                // A medium gives what comes before a bad sector; asked for that alone it says so.
                let (at, rest) = (range.start + bytes.len() as u64, len - bytes.len());
                match self.reader.read_at(at, rest, &mut Room::default()) {
                    Err(error) => Err(io_error("read", &self.name, &error)),
                    Ok(_) => Err(bad()), // the file was cut behind our back
                }
            }
        }
    }
}

/// What stands at a path.
enum Found {
    Object(u64),
    Folder,
    Nothing,
}

fn look(path: &Path) -> io::Result<Found> {
    match fs::symlink_metadata(path) {
        Ok(data) if data.is_file() => Ok(Found::Object(data.len())),
        Ok(data) if data.is_dir() => Ok(Found::Folder),
        Ok(_) => Err(io::Error::other("something else than a file stands there")),
        Err(error) if is_absence(&error) => Ok(Found::Nothing),
        Err(error) => Err(error),
    }
}

/// Nothing there, or an object where a folder would have to be.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn list_below(root: &Path, folder: &str, names: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(root.join(folder)) {
        Err(error) if is_absence(&error) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let Ok(segment) = entry.file_name().into_string() else { continue };
        let name = if folder.is_empty() { segment } else { format!("{folder}/{segment}") };
        if check_name(&name).is_err() {
            continue; // `~part`, or somebody else's file
        }
        match entry.file_type()? {
            kind if kind.is_dir() => list_below(root, &name, names)?,
            kind if kind.is_file() => names.push(name),
            _ => {}
        }
    }
    Ok(())
}

/// Small objects go through the page cache, which knows how to wait; large ones past it.
fn copy(name: &str, from: &mut dyn Read, to: &File) -> Result<(), ObjectError> {
    let room = ROOM.take();
    let mut fill = |buffer: &mut [u8]| fill(name, from, buffer);
    let room = write_stream(to, room, &mut fill, &|error| io_error("write", name, &error))?;
    ROOM.set(room);
    Ok(())
}

/// Reads until the buffer is full or there is no more.
fn fill(name: &str, from: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, ObjectError> {
    let mut done = 0;
    while done < buffer.len() {
        match from.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io_error("read what was to be stored as", name, &error)),
        }
    }
    Ok(done)
}

fn io_error(doing: &'static str, name: &str, error: &io::Error) -> ObjectError {
    let name = name.to_owned();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ObjectError::Full { doing, name }
        }
        _ => ObjectError::Io { doing, name, detail: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::os::unix::fs::PermissionsExt;

    fn parts(dir: &Path) -> usize {
        fs::read_dir(dir.join(PART)).unwrap().count() - 1
    }

    #[test]
    fn leftovers_are_swept_only_by_the_one_who_is_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = DiskObjects::open(dir.path()).unwrap();
        fs::write(dir.path().join("~part/4711-0"), "half").unwrap();
        let second = DiskObjects::open(dir.path()).unwrap();
        assert_eq!(parts(dir.path()), 1, "the first handle may be writing it");
        drop((first, second));
        let alone = DiskObjects::open(dir.path()).unwrap();
        assert_eq!(parts(dir.path()), 0);
        assert_eq!(alone.list("").unwrap(), Vec::<String>::new());
    }

    /// Syncs of directories.
    #[derive(Debug, Default)]
    struct Syncs(Mutex<Vec<PathBuf>>);

    impl Moves for std::sync::Arc<Syncs> {
        fn sync_dir(&self, dir: &Path) -> io::Result<()> {
            self.0.lock().unwrap().push(dir.to_owned());
            Kernel.sync_dir(dir)
        }
    }

    #[test]
    fn the_root_is_durable_whoever_made_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("objects");
        fs::create_dir_all(root.join(PART)).unwrap(); // and died before a sync
        let syncs = std::sync::Arc::new(Syncs::default());
        drop(DiskObjects::open_with(&root, syncs.clone()).unwrap());
        assert_eq!(*syncs.0.lock().unwrap(), [dir.path().to_owned(), root]);
    }

    /// Each costs a commit of the file system's journal.
    #[test]
    fn folders_are_synced_once_and_removals_together() {
        let dir = tempfile::tempdir().unwrap();
        let syncs = std::sync::Arc::new(Syncs::default());
        let objects = DiskObjects::open_with(dir.path(), syncs.clone()).unwrap();
        let synced = || std::mem::take(&mut *syncs.0.lock().unwrap());
        let at = |folders: &[&str]| -> Vec<PathBuf> {
            folders.iter().map(|folder| dir.path().join(folder)).collect()
        };
        drop(synced());
        objects.put("a/b/1", b"x").unwrap();
        assert_eq!(synced(), at(&["a", "", "a/b"]), "names of a/b and a, and of the object");
        objects.put("a/b/2", b"x").unwrap();
        assert_eq!(synced(), at(&["a/b"]));
        objects.put("a/c/1", b"x").unwrap();
        assert_eq!(synced(), at(&["a", "a/c"]), "that of a is durable already");
        objects.delete_all(&["a/b/1", "a/b/2", "a/b/3"].map(str::to_owned)).unwrap();
        assert_eq!(synced(), at(&["a/b"]));
    }

    #[test]
    fn a_copy_that_is_only_read_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        DiskObjects::open(dir.path()).unwrap().put("a/b", b"x").unwrap();
        fs::write(dir.path().join("~part/4711-0"), "half").unwrap();
        let copy = DiskObjects::read_only(dir.path()).unwrap();
        assert_eq!((copy.get("a/b").unwrap(), copy.list("").unwrap().len()), (b"x".to_vec(), 1));
        let read_only = Some(crate::Unwritable::ReadOnly);
        assert_eq!(copy.put("c", b"y").unwrap_err().unwritable(), read_only);
        assert_eq!(copy.delete("a/b").unwrap_err().unwritable(), read_only);
        assert_eq!((parts(dir.path()), copy.size("a/b").unwrap()), (1, 1), "swept, or deleted");
        fs::remove_dir_all(dir.path().join(PART)).unwrap();
        drop(DiskObjects::read_only(dir.path()).unwrap());
        assert!(!dir.path().join(PART).exists());
        assert!(DiskObjects::read_only(&dir.path().join("absent")).is_err());
    }

    #[test]
    fn files_and_folders_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("objects");
        let objects = DiskObjects::open(&root).unwrap();
        objects.put("a/b", b"x").unwrap();
        for (path, mode) in [("", 0o700), ("a", 0o700), ("~part", 0o700), ("a/b", 0o600)] {
            let found = fs::metadata(root.join(path)).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode, "{path:?}");
        }
        assert_eq!(parts(&root), 0);
    }

    #[test]
    fn strangers_in_the_directory_are_not_objects() {
        let dir = tempfile::tempdir().unwrap();
        let objects = DiskObjects::open(dir.path()).unwrap();
        fs::write(dir.path().join("with space"), "x").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("link")).unwrap();
        assert_eq!(objects.list("").unwrap(), Vec::<String>::new());
        let refused = objects.get("link").unwrap_err();
        assert!(refused.to_string().contains("something else than a file"), "{refused}");
        assert!(objects.put("link", b"x").is_err());
    }

    #[test]
    fn a_full_disk_is_named() {
        let full = io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        let named = io_error("write", "packs/1", &full);
        assert!(matches!(named, ObjectError::Full { .. }), "{named}");
        // A real one: the device that is always full takes the place of the temporary file.
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let refused = copy("packs/1", &mut &b"bytes"[..], &full).unwrap_err();
        assert!(matches!(refused, ObjectError::Full { .. }), "{refused}");
    }
}
