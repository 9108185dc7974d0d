//! Devices, their invitations and their certificates.

use crate::api::{DeviceRecord, DeviceState, StoreError};
use crate::records::{damaged, one};
use obhut_model::{DeviceId, ModelId, ServerTime};
use rusqlite::{Connection, Row, Transaction};

const COLUMNS: &str = "id, model, serial, state, invited_at, enrolled_at, certificate, certificate_ends";

fn database(error: rusqlite::Error) -> StoreError {
    StoreError::Database(error)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Option<DeviceRecord>> {
    let (id, model): (String, String) = (row.get(0)?, row.get(1)?);
    let state = match row.get(3)? {
        0 => DeviceState::Invited,
        1 => DeviceState::Enrolled,
        2 => DeviceState::Revoked,
        _ => return Ok(None),
    };
    let (Ok(id), Ok(model)) = (DeviceId::new(&id), ModelId::new(&model)) else { return Ok(None) };
    let time = |at: usize| row.get::<_, Option<i64>>(at).map(|t| t.map(ServerTime::from_micros));
    Ok(Some(DeviceRecord {
        id,
        model,
        serial: row.get(2)?,
        state,
        invited_at: ServerTime::from_micros(row.get(4)?),
        enrolled_at: time(5)?,
        certificate: row.get(6)?,
        certificate_ends: time(7)?,
    }))
}

pub(crate) fn all(connection: &Connection) -> Result<Vec<DeviceRecord>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM devices ORDER BY id")).map_err(database)?;
    let rows = statement.query_map([], from_row).map_err(database)?;
    rows.map(|row| row.map_err(database)?.ok_or_else(damaged)).collect()
}

pub(crate) fn get(connection: &Connection, id: &DeviceId) -> Result<Option<DeviceRecord>, StoreError> {
    let row = connection.query_row(&format!("SELECT {COLUMNS} FROM devices WHERE id = ?1"), [id.as_str()], from_row);
    one(row)?.map(|device| device.ok_or_else(damaged)).transpose()
}

pub(crate) fn invite(
    tx: &Transaction<'_>,
    device: &DeviceRecord,
    token_hash: [u8; 32],
    expires: ServerTime,
) -> Result<(), StoreError> {
    let id = device.id.as_str();
    let known = get(tx, &device.id)?;
    // A device that was switched off until its certificate ran out comes back under its own name, with a new invitation.
    let ran_out =
        known.as_ref().is_some_and(|known| known.certificate_ends.is_some_and(|ends| ends <= device.invited_at));
    match known.map(|known| known.state) {
        Some(DeviceState::Enrolled) if !ran_out => {
            return Err(StoreError::Conflict(format!(
                "device `{id}` is enrolled already and its certificate is in force; revoke it and invite under a new name"
            )));
        }
        Some(DeviceState::Revoked) => {
            return Err(StoreError::Conflict(format!("device `{id}` was revoked; invite it under a new name")));
        }
        Some(DeviceState::Enrolled | DeviceState::Invited) | None => {}
    }
    let taken: Option<String> = one(tx.query_row(
        "SELECT id FROM devices WHERE serial = ?1 AND id <> ?2 AND state <> 2",
        (&device.serial, id),
        |row| row.get(0),
    ))?;
    if let Some(other) = taken {
        return Err(StoreError::Conflict(format!(
            "serial number `{}` belongs to device `{other}`; revoke that first",
            device.serial
        )));
    }
    tx.execute(
        "INSERT INTO devices (id, model, serial, state, invited_at) VALUES (?1, ?2, ?3, 0, ?4)
         ON CONFLICT (id) DO UPDATE SET model = ?2, serial = ?3, state = 0, invited_at = ?4, certificate = NULL, certificate_ends = NULL",
        (id, device.model.as_str(), &device.serial, device.invited_at.micros()),
    )
    .map_err(database)?;
    tx.execute("DELETE FROM tokens WHERE device = ?1", [id]).map_err(database)?;
    tx.execute(
        "INSERT INTO tokens (hash, device, expires) VALUES (?1, ?2, ?3)",
        (token_hash.as_slice(), id, expires.micros()),
    )
    .map_err(database)?;
    Ok(())
}

pub(crate) fn redeem(
    tx: &Transaction<'_>,
    token_hash: [u8; 32],
    serial: &str,
    now: ServerTime,
) -> Result<Option<DeviceRecord>, StoreError> {
    // One statement decides and uses up, so that two attempts at once cannot both win.
    let device: Option<String> = one(tx.query_row(
        "DELETE FROM tokens WHERE hash = ?1 AND expires > ?2
         AND device IN (SELECT id FROM devices WHERE serial = ?3 AND state = 0) RETURNING device",
        (token_hash.as_slice(), now.micros(), serial),
        |row| row.get(0),
    ))?;
    let Some(device) = device else { return Ok(None) };
    get(tx, &DeviceId::new(&device).map_err(|_| damaged())?)
}

pub(crate) fn certificate_issued(
    tx: &Transaction<'_>,
    id: &DeviceId,
    certificate: &str,
    ends: ServerTime,
    now: ServerTime,
) -> Result<(), StoreError> {
    let device = get(tx, id)?.ok_or(StoreError::Unknown("the device"))?;
    if device.state == DeviceState::Revoked {
        return Err(StoreError::Conflict(format!("device `{id}` was revoked; it gets no certificate")));
    }
    tx.execute(
        "UPDATE devices SET state = 1, enrolled_at = coalesce(enrolled_at, ?2), certificate = ?3, certificate_ends = ?4 WHERE id = ?1",
        (id.as_str(), now.micros(), certificate, ends.micros()),
    )
    .map_err(database)?;
    tx.execute(
        "INSERT OR REPLACE INTO certificates (serial, device, ends) VALUES (?1, ?2, ?3)",
        (certificate, id.as_str(), ends.micros()),
    )
    .map_err(database)?;
    tx.execute("DELETE FROM certificates WHERE ends < ?1", [now.micros()]).map_err(database)?;
    Ok(())
}

pub(crate) fn revoke(tx: &Transaction<'_>, id: &DeviceId, reason: &str, now: ServerTime) -> Result<(), StoreError> {
    // The first revocation stands; a second one changes neither its time nor its reason.
    let changed = tx
        .execute(
            "UPDATE devices SET state = 2, revoked_at = coalesce(revoked_at, ?2), revoke_reason = coalesce(revoke_reason, ?3) WHERE id = ?1",
            (id.as_str(), now.micros(), reason),
        )
        .map_err(database)?;
    if changed == 0 {
        return Err(StoreError::Unknown("the device"));
    }
    tx.execute("DELETE FROM tokens WHERE device = ?1", [id.as_str()]).map_err(database)?;
    Ok(())
}

pub(crate) fn revoked_certificates(connection: &Connection, now: ServerTime) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT certificates.serial FROM certificates JOIN devices ON devices.id = device WHERE state = 2 AND ends > ?1 ORDER BY 1";
    let mut statement = connection.prepare_cached(sql).map_err(database)?;
    let rows = statement.query_map([now.micros()], |row| row.get(0)).map_err(database)?;
    rows.collect::<Result<_, _>>().map_err(database)
}
