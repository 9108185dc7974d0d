//! Stays: devices at beds and subjects in beds, each half-open in time. The texts name beds and devices, never a person.

use crate::api::{DeviceAtBed, DeviceState, StoreError, SubjectInBed};
use crate::records::{damaged, devices, one};
use obhut_model::{BedId, DeviceId, DeviceTime, Subject};
use rusqlite::{Connection, Transaction};

fn database(error: rusqlite::Error) -> StoreError {
    StoreError::Database(error)
}

pub(crate) fn place_device(
    tx: &Transaction<'_>,
    device: &DeviceId,
    bed: &BedId,
    from: DeviceTime,
) -> Result<(), StoreError> {
    let known = devices::get(tx, device)?.ok_or(StoreError::Unknown("the device"))?;
    if known.state == DeviceState::Revoked {
        return Err(StoreError::Conflict(format!("device `{device}` was revoked; it stands at no bed")));
    }
    let overlap: Option<(String, bool)> = one(tx.query_row(
        "SELECT bed, start <= ?2 AND stop IS NULL FROM device_stays WHERE device = ?1 AND (stop IS NULL OR stop > ?2) ORDER BY start LIMIT 1",
        (device.as_str(), from.micros()),
        |row| Ok((row.get(0)?, row.get(1)?)),
    ))?;
    match overlap {
        Some((there, true)) if there == bed.as_str() => return Ok(()),
        Some((there, _)) => {
            return Err(StoreError::Conflict(format!(
                "device `{device}` stands at bed `{there}` at that time or later; remove it there first"
            )));
        }
        None => {}
    }
    tx.execute(
        "INSERT INTO device_stays (device, bed, start) VALUES (?1, ?2, ?3)",
        (device.as_str(), bed.as_str(), from.micros()),
    )
    .map_err(database)?;
    Ok(())
}

pub(crate) fn remove_device(tx: &Transaction<'_>, device: &DeviceId, to: DeviceTime) -> Result<(), StoreError> {
    let open = tx.query_row(
        "SELECT rowid, start FROM device_stays WHERE device = ?1 AND stop IS NULL",
        [device.as_str()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    );
    let (row, start): (i64, i64) = one(open)?.ok_or(StoreError::Unknown("the device's bed"))?;
    end(tx, "device_stays", row, start, to)
}

/// Ends a stay; one that would last no time is removed.
fn end(tx: &Transaction<'_>, table: &str, row: i64, start: i64, to: DeviceTime) -> Result<(), StoreError> {
    if to.micros() < start {
        return Err(StoreError::Conflict("a stay cannot end before it began".into()));
    }
    let sql = if to.micros() == start {
        format!("DELETE FROM {table} WHERE rowid = ?1 AND ?2 = start")
    } else {
        format!("UPDATE {table} SET stop = ?2 WHERE rowid = ?1")
    };
    tx.execute(&sql, (row, to.micros())).map_err(database)?;
    Ok(())
}

/// Whether `subject` may lie in `bed` from `from` on; `None` stands for a patient not known yet. `Ok(true)`: lies there already.
pub(crate) fn check_bed(
    connection: &Connection,
    subject: Option<Subject>,
    bed: &BedId,
    from: DeviceTime,
) -> Result<bool, StoreError> {
    let in_bed = connection.query_row(
        "SELECT subject, start <= ?2 AND stop IS NULL FROM subject_stays WHERE bed = ?1 AND (stop IS NULL OR stop > ?2) ORDER BY start LIMIT 1",
        (bed.as_str(), from.micros()),
        |row| Ok((row.get(0).map(Subject::from_random)?, row.get(1)?)),
    );
    match one(in_bed)? {
        Some((there, true)) if Some(there) == subject => return Ok(true),
        Some(_) => {
            return Err(StoreError::Conflict(format!(
                "bed `{bed}` is taken at that time or later; end that stay first"
            )));
        }
        None => {}
    }
    let Some(subject) = subject else { return Ok(false) };
    let elsewhere: Option<String> = one(connection.query_row(
        "SELECT bed FROM subject_stays WHERE subject = ?1 AND (stop IS NULL OR stop > ?2) ORDER BY start LIMIT 1",
        (subject.as_bytes().as_slice(), from.micros()),
        |row| row.get(0),
    ))?;
    match elsewhere {
        Some(other) => Err(StoreError::Conflict(format!(
            "this patient lies in bed `{other}` at that time or later; end that stay first"
        ))),
        None => Ok(false),
    }
}

pub(crate) fn put_in_bed(
    tx: &Transaction<'_>,
    subject: Subject,
    bed: &BedId,
    from: DeviceTime,
) -> Result<(), StoreError> {
    if check_bed(tx, Some(subject), bed, from)? {
        return Ok(());
    }
    let row = (bed.as_str(), subject.as_bytes().as_slice(), from.micros());
    tx.execute("INSERT INTO subject_stays (bed, subject, start) VALUES (?1, ?2, ?3)", row).map_err(database)?;
    Ok(())
}

pub(crate) fn unbind(tx: &Transaction<'_>, bed: &BedId, to: DeviceTime) -> Result<Subject, StoreError> {
    let open = tx.query_row(
        "SELECT rowid, start, subject FROM subject_stays WHERE bed = ?1 AND stop IS NULL",
        [bed.as_str()],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    );
    let (row, start, subject): (i64, i64, [u8; 16]) = one(open)?.ok_or(StoreError::Unknown("a patient in that bed"))?;
    end(tx, "subject_stays", row, start, to)?;
    Ok(Subject::from_random(subject))
}

/// Stays that are open or ended after `since`.
pub(crate) fn since(connection: &Connection, since: i64) -> Result<(Vec<DeviceAtBed>, Vec<SubjectInBed>), StoreError> {
    let time = DeviceTime::from_micros;
    let sql = "SELECT device, bed, start, stop FROM device_stays WHERE stop IS NULL OR stop > ?1 ORDER BY start, rowid";
    let mut statement = connection.prepare_cached(sql).map_err(database)?;
    let rows = statement.query_map([since], |row| {
        let (device, bed): (String, String) = (row.get(0)?, row.get(1)?);
        let (Ok(device), Ok(bed)) = (DeviceId::new(&device), BedId::new(&bed)) else { return Ok(None) };
        Ok(Some(DeviceAtBed { device, bed, from: time(row.get(2)?), to: row.get::<_, Option<i64>>(3)?.map(time) }))
    });
    let devices: Result<Vec<_>, _> =
        rows.map_err(database)?.map(|row| row.map_err(database)?.ok_or_else(damaged)).collect();
    let sql =
        "SELECT bed, subject, start, stop FROM subject_stays WHERE stop IS NULL OR stop > ?1 ORDER BY start, rowid";
    let mut statement = connection.prepare_cached(sql).map_err(database)?;
    let rows = statement.query_map([since], |row| {
        let Ok(bed) = BedId::new(&row.get::<_, String>(0)?) else { return Ok(None) };
        let subject = Subject::from_random(row.get(1)?);
        Ok(Some(SubjectInBed { bed, subject, from: time(row.get(2)?), to: row.get::<_, Option<i64>>(3)?.map(time) }))
    });
    let subjects: Result<Vec<_>, _> =
        rows.map_err(database)?.map(|row| row.map_err(database)?.ok_or_else(damaged)).collect();
    Ok((devices?, subjects?))
}

/// Every stay of one subject, oldest first.
pub(crate) fn of(connection: &Connection, subject: Subject) -> Result<Vec<SubjectInBed>, StoreError> {
    let sql = "SELECT bed, start, stop FROM subject_stays WHERE subject = ?1 ORDER BY start, rowid";
    let mut statement = connection.prepare_cached(sql).map_err(database)?;
    let time = DeviceTime::from_micros;
    let rows = statement.query_map([subject.as_bytes().as_slice()], |row| {
        let Ok(bed) = BedId::new(&row.get::<_, String>(0)?) else { return Ok(None) };
        Ok(Some(SubjectInBed { bed, subject, from: time(row.get(1)?), to: row.get::<_, Option<i64>>(2)?.map(time) }))
    });
    rows.map_err(database)?.map(|row| row.map_err(database)?.ok_or_else(damaged)).collect()
}
