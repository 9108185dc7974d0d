//! The identity vault: who a pseudonym is. Sealed under its own key, found by a keyed hash of the record number, in a database of its own.

use crate::api::{Identity, StoreError};
use crate::bytes::{Reader, put_varint};
use crate::records;
use obhut_model::Subject;
use obhut_vault::{IdentityKey, KeyBytes, KeyProvider, NonceSource, Random};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::path::Path;
use zeroize::Zeroizing;

const SCHEMA: &str = "
CREATE TABLE vault_key (id INTEGER PRIMARY KEY CHECK (id = 1), wrapped BLOB NOT NULL);
CREATE TABLE identities (blind BLOB PRIMARY KEY, subject BLOB NOT NULL UNIQUE, sealed BLOB NOT NULL) WITHOUT ROWID;
";

/// Identities by record number and by pseudonym.
pub(crate) struct IdentityVault {
    connection: Mutex<Connection>,
    key: IdentityKey,
}

impl IdentityVault {
    pub(crate) fn open(path: &Path, provider: &dyn KeyProvider, random: &dyn Random) -> Result<Self, StoreError> {
        let mut connection = records::open(path, 1, SCHEMA)?;
        let key = records::write(&mut connection, |tx| {
            let found: Option<Vec<u8>> =
                records::one(tx.query_row("SELECT wrapped FROM vault_key", [], |row| row.get(0)))?;
            if let Some(wrapped) = found {
                return KeyBytes::unwrap(provider, IdentityKey::CONTEXT, &wrapped).map_err(|_| StoreError::Key);
            }
            let key = KeyBytes::generate(random).map_err(|_| StoreError::Key)?;
            let wrapped = key.wrap(provider, IdentityKey::CONTEXT).map_err(|_| StoreError::Key)?;
            tx.execute("INSERT INTO vault_key VALUES (1, ?1)", [wrapped]).map_err(StoreError::Database)?;
            Ok(key)
        })?;
        Ok(Self { connection: Mutex::new(connection), key: IdentityKey::new(&key).map_err(|_| StoreError::Key)? })
    }

    /// Whose record number this is, with the identity.
    pub(crate) fn find(&self, record_number: &str) -> Result<Option<(Subject, Identity)>, StoreError> {
        let blind = self.key.blind(record_number.trim());
        let connection = self.connection.lock();
        let row = connection.query_row(
            "SELECT subject, sealed FROM identities WHERE blind = ?1",
            [blind.as_slice()],
            |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, Vec<u8>>(1)?)),
        );
        let Some((subject, sealed)) = records::one(row)? else { return Ok(None) };
        let subject = Subject::from_random(subject);
        let plain = self.key.open(subject, &sealed).map_err(|_| StoreError::Key)?;
        Ok(Some((subject, decode(&plain).ok_or(StoreError::Key)?)))
    }

    /// Keeps an identity, in place of what was kept for the subject.
    pub(crate) fn put(&self, subject: Subject, identity: &Identity, nonces: &NonceSource) -> Result<(), StoreError> {
        let nonce = nonces.next().map_err(|_| StoreError::Key)?;
        let sealed = self.key.seal(nonce, subject, &encode(identity)).map_err(|_| StoreError::Key)?;
        let blind = self.key.blind(identity.record_number.trim());
        records::write(&mut self.connection.lock(), |tx| {
            let row = (blind.as_slice(), subject.as_bytes().as_slice(), sealed);
            tx.execute("INSERT OR REPLACE INTO identities VALUES (?1, ?2, ?3)", row).map_err(StoreError::Database)
        })?;
        Ok(())
    }

    /// Removes the subject's identity from the database and its log.
    pub(crate) fn erase(&self, subject: Subject) -> Result<(), StoreError> {
        let mut connection = self.connection.lock();
        records::write(&mut connection, |tx| {
            tx.execute("DELETE FROM identities WHERE subject = ?1", [subject.as_bytes().as_slice()])
                .map_err(StoreError::Database)
        })?;
        records::truncate_log(&connection)
    }

    pub(crate) fn subjects(&self) -> Result<Vec<Subject>, StoreError> {
        let connection = self.connection.lock();
        let mut statement = connection.prepare("SELECT subject FROM identities").map_err(StoreError::Database)?;
        let rows = statement.query_map([], |row| row.get(0).map(Subject::from_random)).map_err(StoreError::Database)?;
        rows.collect::<Result<_, _>>().map_err(StoreError::Database)
    }
}

fn encode(identity: &Identity) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::new());
    for text in [&identity.name, &identity.birth_date, &identity.record_number] {
        put_varint(&mut out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    out
}

fn decode(bytes: &[u8]) -> Option<Identity> {
    let mut reader = Reader(bytes);
    let mut text = || {
        let length = reader.length()?;
        String::from_utf8(reader.take(length)?.to_vec()).ok()
    };
    Some(Identity { name: text()?, birth_date: text()?, record_number: text()? })
}
