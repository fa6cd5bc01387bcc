//! The embedded journal: one SQLite database in WAL mode.
//!
//! Invariants
//! 1. One writer connection behind a mutex; `BEGIN IMMEDIATE` takes the database's write lock
//!    before the head is read, so the compare-and-set holds across processes too.
//! 2. `synchronous=FULL`: a commit returns after the WAL is synced. An error of the commit itself
//!    may mean either outcome, as the trait says.
//! 3. Readers are connections of their own. In WAL mode they see the last commit and never wait.
//! 4. Nothing of an erased byte stays. `secure_delete` zeroes freed cells and pages, but not what
//!    a page split leaves behind; so rows of `entry` and `exhibit` are only ever added at the end
//!    or shrunk in place, which moves no other row; and the index of exhibits, which is split
//!    anywhere, is written anew. The erasure ends with a checkpoint that empties the WAL, and a
//!    sync of the emptied WAL.
//!
//! Order of writes of an erasure: transaction, checkpoint (WAL synced, database written and
//! synced, WAL truncated), sync of the WAL. A crash in between leaves the rows erased and old
//! pages in the WAL; the trait says "on return", and calling again finishes it.
//! Out of scope: grouping of commits (the runner), and copies that a file system keeps by itself.

mod errors;
mod schema;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use crate::{
    Batch, Digest, Entry, Exhibit, Journal, JournalError, Section, Unwritable, digest, hex,
    verify_exhibits, verify_sections,
};
use errors::{count, damaged, failed, seq_error};

pub use errors::OpenError;

/// Reader connections kept open between reads; more are opened when more threads read at once.
const IDLE_READERS: usize = 4;

/// Entries and exhibits in one SQLite database.
pub struct SqliteJournal {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// Why nothing can be written, if it was opened so.
    still: Option<Unwritable>,
}

impl std::fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteJournal").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteJournal {
    /// Opens the database at `path`, creating it (mode 0600, parents 0700) if it is not there.
    ///
    /// Refuses a database that is not a journal of Bailee, and one written by a newer version.
    pub fn open(path: &Path) -> Result<SqliteJournal, OpenError> {
        let (path, writer) = schema::open(path)?;
        Ok(SqliteJournal::of(path, writer, None))
    }

    /// Opens a journal on a medium that takes no more, for the reason `why`: it is read, with what
    /// its write-ahead log has, and not a byte is written. The caller has it to itself.
    pub fn open_still(path: &Path, why: Unwritable) -> Result<SqliteJournal, OpenError> {
        let io = |e: std::io::Error| OpenError::Io { path: path.into(), detail: e.to_string() };
        let path = std::path::absolute(path).map_err(io)?;
        File::open(&path).map_err(io)?;
        let reader = schema::still(&path)?;
        Ok(SqliteJournal::of(path, reader, Some(why)))
    }

    fn of(path: PathBuf, writer: Connection, still: Option<Unwritable>) -> SqliteJournal {
        SqliteJournal { path, writer: Mutex::new(writer), readers: Mutex::default(), still }
    }

    fn may_write(&self, doing: &str) -> Result<(), JournalError> {
        let doing = doing.to_owned();
        match self.still {
            None => Ok(()),
            Some(Unwritable::Full) => Err(JournalError::Full { doing }),
            Some(Unwritable::ReadOnly) => Err(JournalError::ReadOnly { doing }),
        }
    }

    /// Reads everything and says what does not fit: pages, indexes, density, exhibits' digests.
    /// Takes as long as reading the database does. (The ledger verifies leaves and sections.)
    pub fn check(&self) -> Result<(), JournalError> {
        self.reading(|reader| {
            let quick = "PRAGMA quick_check(1)";
            let found: String =
                reader.query_row(quick, [], |row| row.get(0)).map_err(failed("check itself"))?;
            if found != "ok" {
                return Err(damaged(&self.path.display().to_string(), &found));
            }
            check_density(reader)?;
            check_exhibits(reader)
        })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        // A panic in between has rolled its transaction back when the guard was dropped.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reading<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let idle = self.idle().pop();
        let reader = match idle {
            Some(reader) => reader,
            None if self.still.is_some() => {
                schema::still(&self.path).map_err(|error| match error {
                    OpenError::Journal(error) => error,
                    other => damaged(&self.path.display().to_string(), &other.to_string()),
                })?
            }
            None => schema::reader(&self.path).map_err(failed("open a reader"))?,
        };
        let answer = ask(&reader)?;
        let mut idle = self.idle();
        if idle.len() < IDLE_READERS {
            idle.push(reader);
        }
        Ok(answer)
    }

    /// Empties the WAL, so that no old page is left in it.
    fn empty_wal(&self, writer: &Connection) -> Result<(), JournalError> {
        let doing = "empty its write-ahead log";
        let busy: i64 = writer
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(failed(doing))?;
        if busy != 0 {
            return Err(JournalError::Io {
                doing: doing.to_owned(),
                detail: "another process is reading; the rows are erased, but old pages are left \
                         in the log: erase again"
                    .to_owned(),
            });
        }
        let mut wal = self.path.clone().into_os_string();
        wal.push("-wal");
        let synced = File::open(&wal).and_then(|file| file.sync_all());
        synced.map_err(|error| JournalError::Io {
            doing: doing.to_owned(),
            detail: error.to_string(),
        })
    }
}

impl Journal for SqliteJournal {
    fn head(&self) -> Result<u64, JournalError> {
        self.reading(head)
    }

    fn append(&self, expected: u64, batch: &Batch) -> Result<u64, JournalError> {
        let doing = "append";
        self.may_write(doing)?;
        let mut writer = self.writer();
        let change = begin(&mut writer, doing)?;
        let head = head(&change)?;
        if head != expected {
            return Err(JournalError::Conflict { expected, head });
        }
        verify_exhibits(&batch.exhibits)?;
        let new = insert_entries(&change, head, &batch.entries)?;
        insert_exhibits(&change, &batch.exhibits)?;
        change.commit().map_err(failed(doing))?;
        Ok(new)
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        let Ok(first) = i64::try_from(from) else { return Ok(Vec::new()) };
        self.reading(|reader| {
            let sql = "SELECT seq, leaf, what, what_salt, who, who_salt, papers, papers_salt \
                       FROM entry WHERE seq >= ?1 ORDER BY seq LIMIT ?2";
            let mut statement = reader.prepare_cached(sql).map_err(failed("read entries"))?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows =
                statement.query(params![first, limit]).map_err(failed("read entries"))?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next().map_err(failed("read entries"))? {
                entries.push(entry(row, from + entries.len() as u64)?);
            }
            Ok(entries)
        })
    }

    fn erase(&self, sections: &[(u64, usize)], exhibits: &[Digest]) -> Result<(), JournalError> {
        let doing = "erase";
        self.may_write(doing)?;
        let mut writer = self.writer();
        let change = begin(&mut writer, doing)?;
        verify_sections(sections, head(&change)?)?;
        for (seq, section) in sections {
            // The salt goes with the bytes: without it the commitment says nothing about them.
            let sql = match section {
                0 => "UPDATE entry SET what = NULL, what_salt = NULL WHERE seq = ?1",
                1 => "UPDATE entry SET who = NULL, who_salt = NULL WHERE seq = ?1",
                _ => "UPDATE entry SET papers = NULL, papers_salt = NULL WHERE seq = ?1",
            };
            let mut statement = change.prepare_cached(sql).map_err(failed(doing))?;
            statement.execute([seq_value(*seq)?]).map_err(failed(doing))?;
        }
        for digest in exhibits {
            // The row stays, empty: removing rows merges pages, and merging moves other rows.
            let sql = "UPDATE exhibit SET digest = x'', bytes = NULL \
                       WHERE digest = ?1 AND bytes IS NOT NULL";
            let mut statement = change.prepare_cached(sql).map_err(failed(doing))?;
            statement.execute([digest]).map_err(failed(doing))?;
        }
        if !exhibits.is_empty() {
            // Digests that page splits left behind in the index: it is written anew.
            change.execute_batch("REINDEX exhibit_digest").map_err(failed(doing))?;
        }
        change.commit().map_err(failed(doing))?;
        self.empty_wal(&writer)
    }

    fn exhibit(&self, digest: &Digest) -> Result<Option<Vec<u8>>, JournalError> {
        self.reading(|reader| {
            let sql = "SELECT bytes FROM exhibit WHERE digest = ?1 AND bytes IS NOT NULL";
            let bytes: Option<Vec<u8>> = reader
                .prepare_cached(sql)
                .and_then(|mut statement| {
                    statement.query_row([digest], |row| row.get(0)).optional()
                })
                .map_err(failed("read an exhibit"))?;
            bytes.map(|bytes| verified(digest, bytes)).transpose()
        })
    }

    fn cell(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.reading(|reader| cell(reader, name))
    }

    fn swap_cell(
        &self,
        name: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<(), JournalError> {
        let doing = "swap a cell";
        self.may_write(doing)?;
        let mut writer = self.writer();
        let change = begin(&mut writer, doing)?;
        if cell(&change, name)?.as_deref() != expected {
            return Err(JournalError::CellConflict { name: name.to_owned() });
        }
        let sql = "INSERT INTO cell (name, bytes) VALUES (?1, ?2) \
                   ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes";
        change.execute(sql, params![name, new]).map_err(failed(doing))?;
        change.commit().map_err(failed(doing))
    }
}

/// Takes the write lock before anything is read (invariant 1).
fn begin<'c>(
    writer: &'c mut Connection,
    doing: &'static str,
) -> Result<Transaction<'c>, JournalError> {
    writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(doing))
}

fn head(connection: &Connection) -> Result<u64, JournalError> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(seq) FROM entry")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(failed("read its head"))?;
    last.map_or(Ok(0), |last| count(last).map(|last| last + 1))
}

fn insert_entries(
    change: &Transaction<'_>,
    head: u64,
    entries: &[Entry],
) -> Result<u64, JournalError> {
    let doing = "append";
    let sql = "INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut statement = change.prepare_cached(sql).map_err(failed(doing))?;
    let mut seq = head;
    for entry in entries {
        let [what, who, papers] = &entry.sections;
        let bytes = |section: &Option<Section>| section.as_ref().map(|s| s.bytes.clone());
        let salt = |section: &Option<Section>| section.as_ref().map(|s| s.salt);
        statement
            .execute(params![
                seq_value(seq)?,
                entry.leaf,
                bytes(what),
                salt(what),
                bytes(who),
                salt(who),
                bytes(papers),
                salt(papers),
            ])
            .map_err(failed(doing))?;
        seq += 1;
    }
    Ok(seq)
}

fn insert_exhibits(change: &Transaction<'_>, exhibits: &[Exhibit]) -> Result<(), JournalError> {
    let doing = "append an exhibit";
    let sql = "INSERT INTO exhibit (digest, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    let mut statement = change.prepare_cached(sql).map_err(failed(doing))?;
    for exhibit in exhibits {
        statement.execute(params![exhibit.digest, exhibit.bytes]).map_err(failed(doing))?;
    }
    Ok(())
}

/// One row, which must have the sequence number that follows the row before.
fn entry(row: &Row<'_>, expected: u64) -> Result<Entry, JournalError> {
    let place = || format!("entry {expected}");
    let seq = row.get::<_, i64>(0).map_err(failed("read entries")).and_then(count)?;
    if seq != expected {
        return Err(damaged(&place(), &format!("the next row has number {seq}")));
    }
    let bytes = |column| {
        let value = row.get_ref(column).map_err(failed("read entries"))?;
        value.as_blob_or_null().map_err(|error| damaged(&place(), &error.to_string()))
    };
    let section = |column: usize| match (bytes(column)?, bytes(column + 1)?) {
        (None, None) => Ok(None),
        (Some(bytes), Some(salt)) => match <[u8; 32]>::try_from(salt) {
            Ok(salt) => Ok(Some(Section { salt, bytes: bytes.to_vec() })),
            Err(_) => Err(damaged(&place(), &format!("a salt has {} bytes, not 32", salt.len()))),
        },
        _ => Err(damaged(&place(), "a section has bytes or a salt, but not both")),
    };
    let leaf = bytes(1)?.ok_or_else(|| damaged(&place(), "the leaf is missing"))?;
    Ok(Entry { leaf: leaf.to_vec(), sections: [section(2)?, section(4)?, section(6)?] })
}

fn cell(connection: &Connection, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
    connection
        .prepare_cached("SELECT bytes FROM cell WHERE name = ?1")
        .and_then(|mut statement| statement.query_row([name], |row| row.get(0)).optional())
        .map_err(failed("read a cell"))
}

fn verified(named: &[u8], bytes: Vec<u8>) -> Result<Vec<u8>, JournalError> {
    if digest(&bytes) != named {
        let place = format!("exhibit {}", hex(named));
        return Err(damaged(&place, "its bytes have another digest"));
    }
    Ok(bytes)
}

fn check_density(reader: &Connection) -> Result<(), JournalError> {
    let sql = "SELECT count(*), coalesce(min(seq), 0), coalesce(max(seq) + 1, 0) FROM entry";
    let (rows, first, head): (i64, i64, i64) = reader
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .map_err(failed("check its numbers"))?;
    if first != 0 || rows != head {
        let detail = format!("{rows} entries, numbered from {first} to below {head}");
        return Err(damaged("its sequence numbers", &detail));
    }
    Ok(())
}

fn check_exhibits(reader: &Connection) -> Result<(), JournalError> {
    let doing = "check its exhibits";
    let sql = "SELECT digest, bytes FROM exhibit WHERE bytes IS NOT NULL";
    let mut statement = reader.prepare(sql).map_err(failed(doing))?;
    let mut rows = statement.query([]).map_err(failed(doing))?;
    while let Some(row) = rows.next().map_err(failed(doing))? {
        let named: Vec<u8> = row.get(0).map_err(failed(doing))?;
        verified(&named, row.get(1).map_err(failed(doing))?)?;
    }
    Ok(())
}

fn seq_value(seq: u64) -> Result<i64, JournalError> {
    i64::try_from(seq).map_err(|_| seq_error(seq))
}

#[cfg(test)]
mod tests;
