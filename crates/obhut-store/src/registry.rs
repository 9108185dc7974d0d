//! The `Records` side: devices, stays, identities.

use crate::api::{DeviceAtBed, DeviceRecord, Identity, Records, StoreError, SubjectInBed};
use crate::embedded::EmbeddedStore;
use crate::limits::LATENESS_MICROS;
use crate::records::{devices, stays, write};
use obhut_model::{BedId, DeviceId, DeviceTime, ServerTime, Subject};

impl Records for EmbeddedStore {
    fn devices(&self) -> Result<Vec<DeviceRecord>, StoreError> {
        devices::all(&self.inner.reader.lock())
    }

    fn device(&self, id: &DeviceId) -> Result<Option<DeviceRecord>, StoreError> {
        devices::get(&self.inner.reader.lock(), id)
    }

    fn invite(&self, device: &DeviceRecord, token_hash: [u8; 32], expires: ServerTime) -> Result<(), StoreError> {
        write(&mut self.inner.records.lock(), |tx| devices::invite(tx, device, token_hash, expires))
    }

    fn redeem(&self, token_hash: [u8; 32], serial: &str, now: ServerTime) -> Result<Option<DeviceRecord>, StoreError> {
        write(&mut self.inner.records.lock(), |tx| devices::redeem(tx, token_hash, serial, now))
    }

    fn certificate_issued(
        &self,
        id: &DeviceId,
        certificate: &str,
        ends: ServerTime,
        now: ServerTime,
    ) -> Result<(), StoreError> {
        write(&mut self.inner.records.lock(), |tx| devices::certificate_issued(tx, id, certificate, ends, now))
    }

    fn revoke(&self, id: &DeviceId, reason: &str, now: ServerTime) -> Result<(), StoreError> {
        write(&mut self.inner.records.lock(), |tx| devices::revoke(tx, id, reason, now))
    }

    fn revoked_certificates(&self) -> Result<Vec<String>, StoreError> {
        devices::revoked_certificates(&self.inner.reader.lock(), (self.inner.options.now)())
    }

    fn place_device(&self, device: &DeviceId, bed: &BedId, from: DeviceTime) -> Result<(), StoreError> {
        write(&mut self.inner.records.lock(), |tx| stays::place_device(tx, device, bed, from))
    }

    fn remove_device(&self, device: &DeviceId, to: DeviceTime) -> Result<(), StoreError> {
        write(&mut self.inner.records.lock(), |tx| stays::remove_device(tx, device, to))
    }

    fn bind_patient(&self, identity: &Identity, bed: &BedId, from: DeviceTime) -> Result<Subject, StoreError> {
        if identity.record_number.trim().is_empty() || identity.birth_date.trim().is_empty() {
            return Err(StoreError::Conflict(
                "both the record number and the birth date are needed to bind a patient".into(),
            ));
        }
        let inner = &*self.inner;
        // One patient at a time, so that two nurses binding the same new patient do not make two pseudonyms.
        let _one = inner.binding.lock();
        let known = inner.identities.find(&identity.record_number)?;
        if known.as_ref().is_some_and(|(_, kept)| kept.birth_date.trim() != identity.birth_date.trim()) {
            return Err(StoreError::Conflict(
                "the record number is known with another birth date; compare both with the wristband".into(),
            ));
        }
        // Looked at before a key is made, so that a refused binding leaves nothing behind.
        let subject = known.as_ref().map(|(subject, _)| *subject);
        stays::check_bed(&inner.records.lock(), subject, bed, from)?;
        let subject = match &known {
            Some((subject, kept)) => {
                if !identity.name.is_empty() && kept.name != identity.name {
                    inner.identities.put(*subject, identity, &inner.nonces)?;
                }
                *subject
            }
            None => {
                let subject = inner.keys.create(&*inner.options.random, &inner.nonces)?;
                inner.identities.put(subject, identity, &inner.nonces)?;
                subject
            }
        };
        write(&mut inner.records.lock(), |tx| stays::put_in_bed(tx, subject, bed, from))?;
        Ok(subject)
    }

    fn unbind_patient(&self, bed: &BedId, to: DeviceTime) -> Result<Subject, StoreError> {
        write(&mut self.inner.records.lock(), |tx| stays::unbind(tx, bed, to))
    }

    fn bindings(&self) -> Result<(Vec<DeviceAtBed>, Vec<SubjectInBed>), StoreError> {
        let since = (self.inner.options.now)().micros().saturating_sub(LATENESS_MICROS);
        stays::since(&self.inner.reader.lock(), since)
    }

    fn stays(&self, subject: Subject) -> Result<Vec<SubjectInBed>, StoreError> {
        stays::of(&self.inner.reader.lock(), subject)
    }

    fn subjects(&self) -> Result<Vec<Subject>, StoreError> {
        let mut subjects: Vec<Subject> = self.inner.keys.map().keys().copied().collect();
        subjects.sort_unstable();
        Ok(subjects)
    }

    fn find_subject(&self, record_number: &str, birth_date: &str) -> Result<Option<Subject>, StoreError> {
        let known = self.inner.identities.find(record_number)?;
        Ok(known.filter(|(_, kept)| kept.birth_date.trim() == birth_date.trim()).map(|(subject, _)| subject))
    }
}
