//! The record databases: who and what there is, never values. Five files, so that names, keys, decisions and everything else never lie together.
//!
//! `records.db`: devices, invitations, stays, retention classes, index of chunks, seen sequence numbers. `keys.db`: wrapped keys of patients.
//! `identity/identity.db`: sealed identities. `register.db`: sealed changes of the register. `alarms.db`: what the ward's alarms remember, sealed. Each has one connection; every change is durable when the call returns (WAL, synchronous FULL), and
//! what is deleted is overwritten (secure_delete).

pub(crate) mod devices;
pub(crate) mod epoch;
pub(crate) mod expiry;
pub(crate) mod identity;
pub(crate) mod index;
pub(crate) mod keys;
pub(crate) mod stays;

use crate::api::StoreError;
use obhut_vault::{KeyBytes, KeyProvider, Random};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};
use std::path::Path;

/// Opens a database and brings it up to date: `steps` lead from each version to the next, the first one from nothing.
pub(crate) fn open(path: &Path, steps: &[&str]) -> Result<Connection, StoreError> {
    create_private(path)?;
    let mut connection = Connection::open(path).map_err(StoreError::Database)?;
    let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;";
    connection.execute_batch(pragmas).map_err(StoreError::Database)?;
    connection.set_prepared_statement_cache_capacity(64);
    write(&mut connection, |tx| {
        let found: u16 = tx.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(StoreError::Database)?;
        let version = u16::try_from(steps.len()).unwrap_or(u16::MAX);
        if found > version {
            let text = format!(
                "the record database is of version {found}, this program knows up to {version}; use the newer program"
            );
            return Err(StoreError::Conflict(text));
        }
        for step in steps.iter().skip(usize::from(found)) {
            tx.execute_batch(step).map_err(StoreError::Database)?;
        }
        if found < version {
            tx.pragma_update(None, "user_version", version).map_err(StoreError::Database)?;
        }
        Ok(())
    })?;
    Ok(connection)
}

/// The key that lies wrapped in the one row of `table`; made if there is none.
pub(crate) fn wrapped_key(
    tx: &Transaction<'_>,
    table: &str,
    context: &[u8],
    provider: &dyn KeyProvider,
    random: &dyn Random,
) -> Result<KeyBytes, StoreError> {
    let found = tx.query_row(&format!("SELECT wrapped FROM {table}"), [], |row| row.get::<_, Vec<u8>>(0));
    if let Some(wrapped) = one(found)? {
        return KeyBytes::unwrap(provider, context, &wrapped).map_err(|_| StoreError::Key);
    }
    let key = KeyBytes::generate(random).map_err(|_| StoreError::Key)?;
    let wrapped = key.wrap(provider, context).map_err(|_| StoreError::Key)?;
    tx.execute(&format!("INSERT INTO {table} VALUES (1, ?1)"), [wrapped]).map_err(StoreError::Database)?;
    Ok(key)
}

/// Wraps the key in the one row of `table` anew, when the top key is replaced.
pub(crate) fn rewrap_key(
    tx: &Transaction<'_>,
    table: &str,
    context: &[u8],
    provider: &dyn KeyProvider,
) -> Result<(), StoreError> {
    let wrapped: Vec<u8> =
        tx.query_row(&format!("SELECT wrapped FROM {table}"), [], |row| row.get(0)).map_err(StoreError::Database)?;
    let key = KeyBytes::unwrap(provider, context, &wrapped).map_err(|_| StoreError::Key)?;
    let wrapped = key.wrap(provider, context).map_err(|_| StoreError::Key)?;
    tx.execute(&format!("UPDATE {table} SET wrapped = ?1"), [wrapped]).map_err(StoreError::Database)?;
    Ok(())
}

/// SQLite makes files readable for the group; these are for their owner only, and its WAL takes the same rights.
fn create_private(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    file.map(drop).map_err(StoreError::Io)
}

/// Runs `with` in one transaction; commits only if it succeeds.
pub(crate) fn write<T>(
    connection: &mut Connection,
    with: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::Database)?;
    let out = with(&tx)?;
    tx.commit().map_err(StoreError::Database)?;
    Ok(out)
}

/// Moves everything from the write-ahead log into the database and empties it, so that what was deleted is in neither.
pub(crate) fn truncate_log(connection: &Connection) -> Result<(), StoreError> {
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(StoreError::Database)?;
    if busy == 0 {
        Ok(())
    } else {
        Err(StoreError::Conflict("the record database is in use by another program; stop it and try again".into()))
    }
}

pub(crate) fn is_full(error: &StoreError) -> bool {
    match error {
        StoreError::Database(error) => error.sqlite_error_code() == Some(ErrorCode::DiskFull),
        StoreError::Io(error) => crate::disk::is_full(error),
        _ => false,
    }
}

/// One row or none.
pub(crate) fn one<T>(result: rusqlite::Result<T>) -> Result<Option<T>, StoreError> {
    result.optional().map_err(StoreError::Database)
}

/// The stored text is not what this program writes.
pub(crate) fn damaged() -> StoreError {
    StoreError::Damaged { file: "records.db".into(), offset: 0 }
}
