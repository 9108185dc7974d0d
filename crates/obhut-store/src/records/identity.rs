//! The identity vault: who a pseudonym is, and what he is called elsewhere. In a database of its own.
//!
//! Each patient's identity and pseudonyms are sealed under a key of his own, which lies with the other keys and is destroyed with them. He is found by
//! keyed hashes, one kind for each domain of look-up, which are of no use without the vault's key, even for guessing. Rows lie in the order of such hashes,
//! so that their order says nothing of who came when.
//!
//! INVARIANT: nothing here is written for a subject without a key; a correction adds a version and takes none away.

use crate::api::StoreError;
use crate::bytes::{Reader, put_varint};
use crate::patient::{Identity, IdentityVersion, Sex};
use crate::records::keys::KeyStore;
use crate::records::{self, one, write};
use obhut_model::{ServerTime, Subject};
use obhut_vault::{Domain, IdentityKey, KeyProvider, NonceSource, PersonalKey, Pseudonym, Random, SealContext};
use parking_lot::Mutex;
use rusqlite::{Connection, Transaction};
use std::path::Path;
use zeroize::Zeroizing;

const STEPS: [&str; 2] = [
    "
CREATE TABLE vault_key (id INTEGER PRIMARY KEY CHECK (id = 1), wrapped BLOB NOT NULL);
CREATE TABLE identities (blind BLOB PRIMARY KEY, subject BLOB NOT NULL UNIQUE, sealed BLOB NOT NULL) WITHOUT ROWID;
",
    // `identities` is emptied by `bring_over` and stays for the sake of older programs' error messages.
    "
CREATE TABLE versions (subject BLOB NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, sealed BLOB NOT NULL,
  PRIMARY KEY (subject, version)) WITHOUT ROWID;
CREATE TABLE lookups (blind BLOB PRIMARY KEY, subject BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX lookups_by_subject ON lookups (subject);
CREATE TABLE pseudonyms (forward BLOB PRIMARY KEY, back BLOB NOT NULL UNIQUE, subject BLOB NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX pseudonyms_by_subject ON pseudonyms (subject);
",
];

/// What an identity is looked up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookUp {
    RecordNumber,
    InsuranceNumber,
}

impl LookUp {
    fn domain(self) -> &'static str {
        match self {
            Self::RecordNumber => "look-up/record-number",
            Self::InsuranceNumber => "look-up/insurance-number",
        }
    }
}

/// Identities by record number and by pseudonym.
pub(crate) struct IdentityVault {
    connection: Mutex<Connection>,
    key: IdentityKey,
}

/// What the vault needs of its neighbours to write.
#[derive(Clone, Copy)]
pub(crate) struct With<'a> {
    pub(crate) keys: &'a KeyStore,
    pub(crate) nonces: &'a NonceSource,
    pub(crate) random: &'a dyn Random,
    pub(crate) now: ServerTime,
}

fn database(error: rusqlite::Error) -> StoreError {
    StoreError::Database(error)
}

fn sealed<E>(_: E) -> StoreError {
    StoreError::Key
}

impl IdentityVault {
    pub(crate) fn open(path: &Path, provider: &dyn KeyProvider, with: With<'_>) -> Result<Self, StoreError> {
        let mut connection = records::open(path, &STEPS)?;
        let key = write(&mut connection, |tx| {
            records::wrapped_key(tx, "vault_key", IdentityKey::CONTEXT, provider, with.random)
        })?;
        let vault = Self { connection: Mutex::new(connection), key: IdentityKey::new(&key).map_err(sealed)? };
        vault.bring_over(with)?;
        Ok(vault)
    }

    /// Whose number this is, with the identity.
    pub(crate) fn find(
        &self,
        by: LookUp,
        number: &str,
        keys: &KeyStore,
    ) -> Result<Option<(Subject, Identity)>, StoreError> {
        let blind = self.key.blind(by.domain(), number.trim().as_bytes());
        let found = {
            let connection = self.connection.lock();
            let sql = "SELECT subject FROM lookups WHERE blind = ?1";
            one(connection.query_row(sql, [blind.as_slice()], |row| row.get(0).map(Subject::from_random)))?
        };
        let Some(subject) = found else { return Ok(None) };
        Ok(self.versions(subject, keys)?.pop().map(|newest| (subject, newest.identity)))
    }

    /// Every version of an identity, the first one first; empty if there is none.
    pub(crate) fn versions(&self, subject: Subject, keys: &KeyStore) -> Result<Vec<IdentityVersion>, StoreError> {
        let Some(Some(key)) = keys.personal(&[subject])?.pop() else { return Ok(Vec::new()) };
        let connection = self.connection.lock();
        read_versions(&connection, subject, &key)
    }

    /// Keeps `identity` as the subject's newest version, unless it says nothing new. Returns the version's number.
    pub(crate) fn put(&self, subject: Subject, identity: &Identity, with: With<'_>) -> Result<u32, StoreError> {
        let key = personal(subject, with.keys)?;
        write(&mut self.connection.lock(), |tx| {
            alive(subject, with.keys)?;
            let kept = read_versions(tx, subject, &key)?;
            let last = kept.last();
            if last.is_some_and(|last| last.identity == *identity) {
                return Ok(last.map_or(0, |last| last.version));
            }
            let version = last.map_or(1, |last| last.version + 1);
            self.put_version(
                tx,
                subject,
                &IdentityVersion { version, at: with.now, identity: identity.clone() },
                &key,
                with,
            )?;
            Ok(version)
        })
    }

    fn put_version(
        &self,
        tx: &Transaction<'_>,
        subject: Subject,
        version: &IdentityVersion,
        key: &PersonalKey,
        with: With<'_>,
    ) -> Result<(), StoreError> {
        let IdentityVersion { version, at, identity } = version;
        let context = SealContext::identity_version(subject, *version, *at);
        let sealed_bytes =
            key.seal(with.nonces.next().map_err(sealed)?, &context, &encode(identity)).map_err(sealed)?;
        let row = (subject.as_bytes().as_slice(), version, at.micros(), sealed_bytes);
        tx.execute("INSERT INTO versions VALUES (?1, ?2, ?3, ?4)", row).map_err(database)?;
        // Found by what is right now: a wrong number must not lead to him any more.
        tx.execute("DELETE FROM lookups WHERE subject = ?1", [subject.as_bytes().as_slice()]).map_err(database)?;
        let insurance = identity.insurance_number.as_deref().unwrap_or_default();
        for (by, number) in [(LookUp::RecordNumber, &*identity.record_number), (LookUp::InsuranceNumber, insurance)] {
            if number.trim().is_empty() {
                continue;
            }
            let blind = self.key.blind(by.domain(), number.trim().as_bytes());
            let sql = "INSERT OR IGNORE INTO lookups VALUES (?1, ?2)";
            let row = (blind.as_slice(), subject.as_bytes().as_slice());
            if tx.execute(sql, row).map_err(database)? == 0 {
                return Err(StoreError::Conflict(
                    "the record number or insurance number belongs to another patient; compare both with the wristband"
                        .into(),
                ));
            }
        }
        Ok(())
    }

    /// What these patients are called in `domain`, in their order; drawn now for whom it was never asked.
    pub(crate) fn pseudonyms(
        &self,
        domain: &Domain,
        subjects: &[Subject],
        with: With<'_>,
    ) -> Result<Vec<Pseudonym>, StoreError> {
        if *domain == Domain::Care {
            return subjects.iter().map(|s| alive(*s, with.keys).map(|()| Pseudonym::in_care(*s))).collect();
        }
        let keys = with.keys.personal(subjects)?;
        write(&mut self.connection.lock(), |tx| {
            let one = |(subject, key): (&Subject, Option<PersonalKey>)| {
                alive(*subject, with.keys)?;
                self.pseudonym(tx, domain, *subject, &key.ok_or(StoreError::Unknown("the subject"))?, with)
            };
            subjects.iter().zip(keys).map(one).collect()
        })
    }

    fn pseudonym(
        &self,
        tx: &Transaction<'_>,
        domain: &Domain,
        subject: Subject,
        key: &PersonalKey,
        with: With<'_>,
    ) -> Result<Pseudonym, StoreError> {
        let name = domain.to_string();
        let forward = self.key.blind(&format!("forward/{name}"), subject.as_bytes());
        let found = tx
            .prepare_cached("SELECT sealed FROM pseudonyms WHERE forward = ?1")
            .and_then(|mut select| select.query_row([forward.as_slice()], |row| row.get::<_, Vec<u8>>(0)));
        if let Some(kept) = one(found)? {
            return open_pseudonym(&kept, subject, key).map(|(_, pseudonym)| pseudonym);
        }
        let mut bytes = [0; 16];
        with.random.fill(&mut bytes).map_err(sealed)?;
        let pseudonym = Pseudonym::from_random(bytes);
        let back = self.key.blind(&format!("back/{name}"), pseudonym.as_bytes());
        let plain = Zeroizing::new([bytes.as_slice(), name.as_bytes()].concat());
        let nonce = with.nonces.next().map_err(sealed)?;
        let kept = key.seal(nonce, &SealContext::pseudonym(subject), &plain).map_err(sealed)?;
        let row = (forward.as_slice(), back.as_slice(), subject.as_bytes().as_slice(), kept);
        tx.prepare_cached("INSERT INTO pseudonyms VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut insert| insert.execute(row))
            .map_err(database)?;
        Ok(pseudonym)
    }

    /// Who is called so in `domain`.
    pub(crate) fn subject_of(
        &self,
        domain: &Domain,
        pseudonym: Pseudonym,
        keys: &KeyStore,
    ) -> Result<Option<Subject>, StoreError> {
        if *domain == Domain::Care {
            let subject = Subject::from_random(*pseudonym.as_bytes());
            return Ok(keys.get(subject).map(|_| subject));
        }
        let back = self.key.blind(&format!("back/{domain}"), pseudonym.as_bytes());
        let connection = self.connection.lock();
        let sql = "SELECT subject FROM pseudonyms WHERE back = ?1";
        one(connection.query_row(sql, [back.as_slice()], |row| row.get(0).map(Subject::from_random)))
    }

    /// Everything the patient is called outside care.
    pub(crate) fn names_of(&self, subject: Subject, keys: &KeyStore) -> Result<Vec<(Domain, Pseudonym)>, StoreError> {
        let key = personal(subject, keys)?;
        let connection = self.connection.lock();
        let sql = "SELECT sealed FROM pseudonyms WHERE subject = ?1";
        let mut statement = connection.prepare_cached(sql).map_err(database)?;
        let rows =
            statement.query_map([subject.as_bytes().as_slice()], |row| row.get::<_, Vec<u8>>(0)).map_err(database)?;
        let mut names: Vec<(Domain, Pseudonym)> =
            rows.map(|row| open_pseudonym(&row.map_err(database)?, subject, &key)).collect::<Result<_, _>>()?;
        names.sort();
        Ok(names)
    }

    /// Removes the subject's identity and pseudonyms from the database and its log.
    pub(crate) fn erase(&self, subject: Subject) -> Result<(), StoreError> {
        let mut connection = self.connection.lock();
        write(&mut connection, |tx| {
            for table in ["versions", "lookups", "pseudonyms", "identities"] {
                let sql = format!("DELETE FROM {table} WHERE subject = ?1");
                tx.execute(&sql, [subject.as_bytes().as_slice()]).map_err(database)?;
            }
            Ok(())
        })?;
        records::truncate_log(&connection)
    }

    /// Subjects that are named anywhere in this database.
    pub(crate) fn subjects(&self) -> Result<Vec<Subject>, StoreError> {
        let connection = self.connection.lock();
        let sql = "SELECT subject FROM versions UNION SELECT subject FROM lookups UNION SELECT subject FROM pseudonyms UNION SELECT subject FROM identities";
        let mut statement = connection.prepare(sql).map_err(database)?;
        let rows = statement.query_map([], |row| row.get(0).map(Subject::from_random)).map_err(database)?;
        rows.collect::<Result<_, _>>().map_err(database)
    }

    /// Wraps the vault's key anew, when the top key is replaced.
    pub(crate) fn rewrap(&self, provider: &dyn KeyProvider) -> Result<(), StoreError> {
        let mut connection = self.connection.lock();
        write(&mut connection, |tx| records::rewrap_key(tx, "vault_key", IdentityKey::CONTEXT, provider))?;
        records::truncate_log(&connection)
    }

    /// Moves identities from before patients had keys of their own for them.
    fn bring_over(&self, with: With<'_>) -> Result<(), StoreError> {
        let mut connection = self.connection.lock();
        let old: Vec<(Subject, Vec<u8>)> = {
            let mut statement = connection.prepare("SELECT subject, sealed FROM identities").map_err(database)?;
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0).map(Subject::from_random)?, row.get(1)?));
            let rows = statement.query_map([], row).map_err(database)?;
            rows.collect::<Result<_, _>>().map_err(database)?
        };
        if old.is_empty() {
            return Ok(());
        }
        write(&mut connection, |tx| {
            for (subject, kept) in &old {
                // No key: erased, and interrupted before the name went. Whoever opens the store removes it.
                let Some(Some(key)) = with.keys.personal(&[*subject])?.pop() else { continue };
                let plain = self.key.open(*subject, kept).map_err(sealed)?;
                let identity = decode_old(&plain).ok_or(StoreError::Key)?;
                let version = IdentityVersion { version: 1, at: with.now, identity };
                self.put_version(tx, *subject, &version, &key, with)?;
                tx.execute("DELETE FROM identities WHERE subject = ?1", [subject.as_bytes().as_slice()])
                    .map_err(database)?;
            }
            Ok(())
        })?;
        tracing::info!(patients = old.len(), "identities were sealed anew, each under a key of its own");
        records::truncate_log(&connection)
    }

    /// The rows as they lie there, for tests that try to link them.
    #[cfg(test)]
    pub(crate) fn raw_pseudonyms(&self) -> Result<Vec<[Vec<u8>; 4]>, StoreError> {
        let connection = self.connection.lock();
        let mut statement =
            connection.prepare("SELECT forward, back, subject, sealed FROM pseudonyms").map_err(database)?;
        let rows = statement
            .query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))
            .map_err(database)?;
        rows.collect::<Result<_, _>>().map_err(database)
    }
}

fn personal(subject: Subject, keys: &KeyStore) -> Result<PersonalKey, StoreError> {
    keys.personal(&[subject])?.pop().flatten().ok_or(StoreError::Unknown("the subject"))
}

/// Looked at under the database's lock: whoever erases destroys the key first and then comes here.
fn alive(subject: Subject, keys: &KeyStore) -> Result<(), StoreError> {
    keys.get(subject).map(drop).ok_or(StoreError::Unknown("the subject"))
}

fn read_versions(
    connection: &Connection,
    subject: Subject,
    key: &PersonalKey,
) -> Result<Vec<IdentityVersion>, StoreError> {
    let sql = "SELECT version, at, sealed FROM versions WHERE subject = ?1 ORDER BY version";
    let mut statement = connection.prepare_cached(sql).map_err(database)?;
    let mut rows = statement.query([subject.as_bytes().as_slice()]).map_err(database)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(database)? {
        let (version, at) = (row.get(0).map_err(database)?, ServerTime::from_micros(row.get(1).map_err(database)?));
        let kept: Vec<u8> = row.get(2).map_err(database)?;
        let plain = key.open(&SealContext::identity_version(subject, version, at), &kept).map_err(sealed)?;
        out.push(IdentityVersion { version, at, identity: decode(&plain).ok_or(StoreError::Key)? });
    }
    Ok(out)
}

fn open_pseudonym(kept: &[u8], subject: Subject, key: &PersonalKey) -> Result<(Domain, Pseudonym), StoreError> {
    let plain = key.open(&SealContext::pseudonym(subject), kept).map_err(sealed)?;
    let (bytes, name) = plain.split_first_chunk::<16>().ok_or(StoreError::Key)?;
    let domain = std::str::from_utf8(name).ok().and_then(|name| name.parse().ok()).ok_or(StoreError::Key)?;
    Ok((domain, Pseudonym::from_random(*bytes)))
}

const FORMAT: u8 = 1;

fn encode(identity: &Identity) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(vec![FORMAT]);
    let mut put = |text: &str| {
        put_varint(&mut out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    };
    put(&identity.family);
    put(&identity.birth_date);
    put(&identity.record_number);
    put(identity.insurance_number.as_deref().unwrap_or_default());
    put(identity.sex.map_or("", Sex::as_str));
    identity.given.iter().for_each(|name| put(name));
    out
}

fn text(reader: &mut Reader<'_>) -> Option<String> {
    let length = reader.length()?;
    String::from_utf8(reader.take(length)?.to_vec()).ok()
}

fn decode(bytes: &[u8]) -> Option<Identity> {
    let mut reader = Reader(bytes);
    if reader.u8()? != FORMAT {
        return None;
    }
    let mut next = || text(&mut reader);
    let (family, birth_date, record_number, insurance, sex) = (next()?, next()?, next()?, next()?, next()?);
    let mut given = Vec::new();
    while !reader.0.is_empty() {
        given.push(text(&mut reader)?);
    }
    Some(Identity {
        family,
        given,
        birth_date,
        sex: Sex::parse(&sex),
        record_number,
        insurance_number: (!insurance.is_empty()).then_some(insurance),
    })
}

/// Name in one piece, birth date, record number.
fn decode_old(bytes: &[u8]) -> Option<Identity> {
    let mut reader = Reader(bytes);
    let mut next = || text(&mut reader);
    let (name, birth_date, record_number) = (next()?, next()?, next()?);
    Some(Identity::of(&name, &birth_date, &record_number))
}
