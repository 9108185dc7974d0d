//! The `Records` side: devices, stays, identities.

use crate::api::{DeviceAtBed, DeviceRecord, Keys, Records, StoreError, SubjectInBed};
use crate::embedded::EmbeddedStore;
use crate::limits::LATENESS_MICROS;
use crate::patient::{Identity, IdentityVersion};
use crate::records::identity::LookUp;
use crate::records::index::{self, LAST_KEY};
use crate::records::keys::{KeyStatus, Rotated};
use crate::records::{devices, stays, write};
use obhut_access::{Action, Sealed};
use obhut_model::{BedId, DeviceId, DeviceTime, ServerTime, Subject};
use obhut_vault::{Domain, Pseudonym};

/// What opens who somebody is. A break-glass look shows it too, and so does a request of the patient that is being answered.
const SEES_IDENTITY: &[Action] = &[
    Action::IdentityView,
    Action::Bind,
    Action::RequestManage,
    Action::OwnView,
    Action::BreakGlass,
    Action::Export,
    Action::ResearchExport,
];
/// What opens a list of pseudonyms of one domain.
const SEES_PSEUDONYMS: &[Action] = &[Action::ResearchExport, Action::Export];
/// What opens everything one patient is called: a complete copy, and the crosswalk.
const SEES_NAMES: &[Action] = &[Action::RequestManage, Action::OwnView, Action::Crosswalk];
/// What opens the way back.
const CROSSES: &[Action] = &[Action::Crosswalk];

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
        let known = inner.identities.find(LookUp::RecordNumber, &identity.record_number, &inner.keys)?;
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
                if identity.has_name() {
                    inner.identities.put(*subject, &completed(identity, kept), inner.with())?;
                }
                *subject
            }
            None => {
                let subject = inner.keys.create(&*inner.options.random, &inner.nonces)?;
                inner.identities.put(subject, &trimmed(identity), inner.with())?;
                subject
            }
        };
        let last = u64::from(inner.keys.last_number()?);
        write(&mut inner.records.lock(), |tx| {
            index::set_meta(tx, LAST_KEY, last)?;
            stays::put_in_bed(tx, subject, bed, from)
        })?;
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
        let known = self.inner.identities.find(LookUp::RecordNumber, record_number, &self.inner.keys)?;
        Ok(known.filter(|(_, kept)| kept.birth_date.trim() == birth_date.trim()).map(|(subject, _)| subject))
    }

    fn identity(&self, subject: Subject) -> Result<Option<Sealed<Identity>>, StoreError> {
        let newest = self.inner.identities.versions(subject, &self.inner.keys)?.pop();
        Ok(newest.map(|newest| Sealed::about(Some(subject), SEES_IDENTITY, newest.identity)))
    }

    fn identity_versions(&self, subject: Subject) -> Result<Sealed<Vec<IdentityVersion>>, StoreError> {
        let versions = self.inner.identities.versions(subject, &self.inner.keys)?;
        Ok(Sealed::about(Some(subject), SEES_IDENTITY, versions))
    }

    fn correct_identity(&self, subject: Subject, identity: &Identity) -> Result<u32, StoreError> {
        if identity.record_number.trim().is_empty() || identity.birth_date.trim().is_empty() {
            return Err(StoreError::Conflict("an identity without record number or birth date names nobody".into()));
        }
        let _one = self.inner.binding.lock();
        self.inner.identities.put(subject, &trimmed(identity), self.inner.with())
    }

    fn pseudonyms(&self, domain: &Domain, subjects: &[Subject]) -> Result<Sealed<Vec<Pseudonym>>, StoreError> {
        let names = self.inner.identities.pseudonyms(domain, subjects, self.inner.with())?;
        Ok(Sealed::about(None, SEES_PSEUDONYMS, names))
    }

    fn names_of(&self, subject: Subject) -> Result<Sealed<Vec<(Domain, Pseudonym)>>, StoreError> {
        let names = self.inner.identities.names_of(subject, &self.inner.keys)?;
        Ok(Sealed::about(Some(subject), SEES_NAMES, names))
    }

    fn crosswalk(&self, domain: &Domain, pseudonym: Pseudonym) -> Result<Sealed<Option<Subject>>, StoreError> {
        let found = self.inner.identities.subject_of(domain, pseudonym, &self.inner.keys)?;
        Ok(Sealed::about(None, CROSSES, found))
    }
}

impl Keys for EmbeddedStore {
    fn key_status(&self) -> Result<KeyStatus, StoreError> {
        self.inner.keys.status()
    }

    fn rotate_keys(&self) -> Result<Rotated, StoreError> {
        self.inner.keys.rotate(&self.inner.tools())
    }

    fn rewrap_keys(&self) -> Result<(), StoreError> {
        let (inner, provider) = (&*self.inner, &*self.inner.provider);
        inner.keys.rewrap(provider)?;
        inner.identities.rewrap(provider)?;
        inner.changes.rewrap(provider)?;
        inner.alarms.rewrap(provider)
    }
}

fn trimmed(identity: &Identity) -> Identity {
    let trim = |text: &String| text.trim().to_owned();
    Identity {
        family: trim(&identity.family),
        given: identity.given.iter().map(trim).filter(|name| !name.is_empty()).collect(),
        birth_date: trim(&identity.birth_date),
        sex: identity.sex,
        record_number: trim(&identity.record_number),
        insurance_number: identity.insurance_number.as_ref().map(trim).filter(|number| !number.is_empty()),
    }
}

/// What was read off the wristband now; what does not stand there stays as it was kept.
fn completed(now: &Identity, kept: &Identity) -> Identity {
    let now = trimmed(now);
    Identity {
        sex: now.sex.or(kept.sex),
        insurance_number: now.insurance_number.clone().or_else(|| kept.insurance_number.clone()),
        ..now
    }
}
