//! Opening: who may be opened, how it is set up, and what the tables are (format 1).
//!
//! Why it is safe: a file is recognised (application id, version) before a single byte of it is
//! changed. The schema is created in one transaction with its version, so a crash leaves an empty
//! database or a whole one, and two processes that create it at once end up with the same one.
//! Out of scope: migration; format 1 is the first.

use std::fs::OpenOptions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::OpenError;
use super::errors::failed;
use crate::durable::{Kernel, Moves, create_private_dirs};

/// "Bail" in the database header, so that `file` and we know what it is.
pub(super) const APPLICATION_ID: i64 = 0x4261_696c;
/// The format this version writes, and the newest it reads.
pub(super) const FORMAT: i64 = 1;
/// How long to wait for another process's write lock.
const BUSY: Duration = Duration::from_secs(10);

/// `entry` and `exhibit` are only appended to, and shrunk by erasure (invariant 4 of `sqlite`):
/// hence the rowid of `exhibit`, and an index that forgets erased rows.
const SCHEMA: &str = "
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY,
    leaf BLOB NOT NULL,
    what BLOB, what_salt BLOB,
    who BLOB, who_salt BLOB,
    papers BLOB, papers_salt BLOB
) STRICT;
CREATE TABLE exhibit (id INTEGER PRIMARY KEY, digest BLOB NOT NULL, bytes BLOB) STRICT;
CREATE UNIQUE INDEX exhibit_digest ON exhibit (digest) WHERE bytes IS NOT NULL;
CREATE TABLE cell (name TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
";

/// Opens or creates; returns the absolute path and the writer connection.
pub(super) fn open(path: &Path) -> Result<(PathBuf, Connection), OpenError> {
    let io =
        |error: std::io::Error| OpenError::Io { path: path.to_owned(), detail: error.to_string() };
    // Absolute: a path that begins with "file:" would be read as a URI.
    let path = std::path::absolute(path).map_err(io)?;
    let parent = path.parent().unwrap_or(Path::new("/")).to_owned();
    create_private_dirs(&Kernel, &parent).map_err(io)?;
    // Created here, because SQLite would give it (and then the WAL) the mode of the umask.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io)?;
    let mut writer = connect(&path).map_err(failed("open"))?;
    // What is refused here stays as it is: no checkpoint when the connection closes.
    let keep = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    writer.set_db_config(keep, true).map_err(failed("open"))?;
    create_if_empty(&mut writer, &path)?;
    recognise(&writer, &path)?;
    writer.set_db_config(keep, false).map_err(failed("open"))?;
    set_up_writer(&writer, &path)?;
    Kernel.sync_dir(&parent).map_err(io)?;
    Ok((path, writer))
}

/// A connection that only reads. It is opened for writing all the same: after a crash the first
/// one to come must be able to recover the WAL.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let reader = connect(path)?;
    reader.pragma_update(None, "query_only", true)?;
    Ok(reader)
}

/// A connection that writes nothing at all, for a medium that takes nothing, while nobody else has
/// the journal: without a write-ahead log the file is as good as immutable; with one, its index is
/// made in memory, by a connection that takes no lock and shares none of it.
pub(super) fn still(path: &Path) -> Result<Connection, OpenError> {
    let opened = still_connection(path).map_err(failed("open"))?;
    recognise(&opened, path)?;
    Ok(opened)
}

fn still_connection(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut wal = path.to_owned().into_os_string();
    wal.push("-wal");
    let logged = std::fs::metadata(wal).is_ok_and(|wal| wal.len() > 0);
    let connection = match logged {
        false => {
            let bytes = path.as_os_str().as_bytes();
            let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/._-~".contains(b);
            let quoted = bytes.iter().map(|b| match plain(b) {
                true => char::from(*b).to_string(),
                false => format!("%{b:02x}"),
            });
            let uri = format!("file:{}?immutable=1", quoted.collect::<String>());
            Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?
        }
        true => {
            let connection = Connection::open_with_flags_and_vfs(path, flags, c"unix-none")?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
            connection
        }
    };
    careful(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    careful(&connection)?;
    Ok(connection)
}

fn careful(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // No page of ours in a temporary file that nobody erases.
    connection.pragma_update(None, "temp_store", "MEMORY")
}

/// Creates the schema in a database without any table.
fn create_if_empty(writer: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let name = |error| not_a_database(path, error);
    if !is_empty(writer).map_err(name)? {
        return Ok(());
    }
    let doing = "create its tables";
    let change =
        writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(doing))?;
    // Again, now under the lock: another process may have been faster.
    if is_empty(&change).map_err(name)? {
        change.execute_batch(SCHEMA).map_err(failed(doing))?;
        change.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed(doing))?;
        change.pragma_update(None, "user_version", FORMAT).map_err(failed(doing))?;
    }
    change.commit().map_err(failed(doing))?;
    Ok(())
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && number(connection, "application_id")? == 0)
}

fn recognise(writer: &Connection, path: &Path) -> Result<(), OpenError> {
    let id = number(writer, "application_id").map_err(failed("read its header"))?;
    let found = number(writer, "user_version").map_err(failed("read its header"))?;
    let path = path.to_owned();
    if id != APPLICATION_ID {
        let detail = format!("an SQLite database with application id {id:#x}");
        return Err(OpenError::NotAJournal { path, detail });
    }
    if found > FORMAT {
        return Err(OpenError::Newer { path, found, known: FORMAT });
    }
    if found < 1 {
        let detail = format!("format {found} was never written");
        return Err(OpenError::NotAJournal { path, detail });
    }
    Ok(())
}

fn set_up_writer(writer: &Connection, path: &Path) -> Result<(), OpenError> {
    let doing = "set itself up";
    let mode: String = writer
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(failed(doing))?;
    if mode != "wal" {
        let detail = format!("the file system allows no write-ahead log (mode is {mode})");
        return Err(OpenError::Io { path: path.to_owned(), detail });
    }
    writer.pragma_update(None, "synchronous", "FULL").map_err(failed(doing))?;
    writer
        .pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))
        .map_err(failed(doing))?;
    Ok(())
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

fn not_a_database(path: &Path, error: rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotAJournal {
            path: path.to_owned(),
            detail: "not an SQLite database, or one whose header is damaged".to_owned(),
        },
        _ => failed("read its schema")(error).into(),
    }
}
