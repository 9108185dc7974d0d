//! Erasing one patient: refused while something forbids it; then the key, the copies, the bytes, the proof.
//!
//! What is decided stands in the register before anything is destroyed, so a program that is killed goes on at its next start ([`Retention::resume`]).
//! Order: mark in the list of erasures → key → running backups → register → bytes → key epoch → search → copies elsewhere → ledger → certificate.
//!
//! INVARIANT: there is a certificate only after the search found nothing, and its entry in the ledger is durable.

use crate::certificate::{self, Body, CopyOfKeys, DestroyedKind, Draft};
use crate::error::RetentionError;
use crate::kinds::StoredKind;
use crate::room::{Periods, Progress, Retention, end_of, real_now, record_class};
use crate::text::{hex, random};
use obhut_charter::Checked;
use obhut_ledger::{Actor, EventKind, ResourceRef};
use obhut_model::{CaseId, DeviceTime, ServerTime, Subject};
use obhut_register::{By, keeping};
use obhut_store::{Keys as _, Records as _, Removal as _, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// Why a patient may not be erased now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forbidden {
    /// Not known, or erased already.
    Unknown,
    /// Still a patient: lies in this bed.
    InBed(String),
    /// A legal hold stands.
    Held,
    /// The treatment record must be kept (§ 630f(3) BGB) until then, and nobody stated that it is kept elsewhere.
    TreatmentRecord {
        /// Until when.
        until: ServerTime,
        /// The charter's words for it, German and English.
        basis: (String, String),
    },
}

/// What is ordered.
#[derive(Debug, Clone)]
pub struct Order {
    /// Drawn by the caller.
    pub case: CaseId,
    /// Whom.
    pub subject: Subject,
    /// Why, as a word.
    pub reason: Arc<str>,
    /// The request it follows from.
    pub request: Option<CaseId>,
    /// Who decided.
    pub by: By,
    /// Whether somebody stated that the treatment record is kept elsewhere.
    pub record_elsewhere: bool,
}

/// What an erasure did.
#[derive(Debug, Clone)]
pub struct Done {
    /// Which.
    pub case: CaseId,
    /// How long until the key was gone; `None` if that was before a restart.
    pub key_destroyed_in: Option<Duration>,
    /// How long it all took.
    pub took: Duration,
    /// What the certificate says.
    pub body: Body,
    /// The certificate.
    pub certificate: String,
}

const ELSEWHERE: &str = "record-kept-elsewhere";
const KEY_DESTROYED: &str = "key-destroyed";

impl Retention {
    /// Whether `subject` may be erased, and if not, why.
    ///
    /// # Errors
    /// [`RetentionError`] if that cannot be told; then not.
    pub fn may_erase(
        &self,
        charter: &Checked,
        subject: Subject,
        ward_now: DeviceTime,
        record_elsewhere: bool,
    ) -> Result<Option<Forbidden>, RetentionError> {
        let now = real_now();
        if !self.store.subjects()?.contains(&subject) {
            return Ok(Some(Forbidden::Unknown));
        }
        let stays = self.store.stays(subject)?;
        let lies = stays.iter().find(|stay| stay.to.is_none_or(|to| to > ward_now));
        if let Some(stay) = lies {
            return Ok(Some(Forbidden::InBed(stay.bed.to_string())));
        }
        if self.register.read(|state| state.held(subject, now)) {
            return Ok(Some(Forbidden::Held));
        }
        let ended = stays.iter().filter_map(|stay| stay.to).max();
        if let (Some(class), Some(ended), false) = (record_class(charter), ended, record_elsewhere) {
            let until = end_of(class, ended.micros());
            if until > now.micros() {
                let basis = (class.basis.de.clone(), class.basis.en.clone());
                return Ok(Some(Forbidden::TreatmentRecord { until: ServerTime::from_micros(until), basis }));
            }
        }
        Ok(None)
    }

    /// Erases a patient for whom [`Retention::may_erase`] found nothing in the way. Waits for the disk; call from a thread that may.
    ///
    /// # Errors
    /// [`RetentionError`]; what was begun is ended by [`Retention::resume`].
    pub fn erase(&self, charter: &Checked, order: &Order) -> Result<Done, RetentionError> {
        let decide = keeping::Command::DecideErasure {
            case: order.case,
            subject: order.subject,
            reason: order.reason.clone(),
            request: order.request,
        };
        self.register.execute(order.by, real_now(), decide).map_err(RetentionError::Register)?;
        if order.record_elsewhere {
            self.step(order.case, ELSEWHERE)?;
        }
        self.carry_out(charter, order.case)
    }

    /// Ends erasures that were decided and not proved: the program was killed, or the ledger was away. Answers how many.
    ///
    /// # Errors
    /// [`RetentionError`] of the first that could not be ended.
    pub fn resume(&self, charter: &Checked) -> Result<u64, RetentionError> {
        let open: Vec<CaseId> = self.register.read(|state| {
            state.erasures().filter(|found| found.certificate.is_none()).map(|found| found.case).collect()
        });
        for case in &open {
            self.carry_out(charter, *case)?;
            tracing::warn!(%case, "an erasure that was interrupted is done");
        }
        Ok(open.len() as u64)
    }

    fn step(&self, case: CaseId, step: &str) -> Result<(), RetentionError> {
        let command = keeping::Command::StepErasure { case, step: step.into() };
        self.register.execute(By::System, real_now(), command).map(|_| ()).map_err(RetentionError::Register)
    }

    fn carry_out(&self, charter: &Checked, case: CaseId) -> Result<Done, RetentionError> {
        let _one = self.one.lock();
        *self.progress.lock() = Progress { since: Some(real_now()), what: "erasure", done: 0, total: 0 };
        let done = self.carry_out_alone(charter, case);
        *self.progress.lock() = Progress::default();
        done
    }

    fn carry_out_alone(&self, charter: &Checked, case: CaseId) -> Result<Done, RetentionError> {
        let began = real_now();
        let erasure = self.register.read(|state| state.erasure(case).cloned()).ok_or(RetentionError::NoSuchErasure)?;
        let subject = erasure.subject;
        let certificate = case.to_string();
        // Before the key: should we die right after it, a restored backup still knows.
        self.change_list(|list| {
            let mark = list.mark(subject);
            list.add(mark, erasure.decided, &certificate);
        })?;
        let destroyed = match self.store.destroy_key(subject) {
            Ok(destroyed) => Some(destroyed),
            // Gone before a restart; the opening of the store has removed what it sealed.
            Err(StoreError::Unknown(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let key_gone = destroyed.as_ref().map(|destroyed| (destroyed.took, real_now()));
        if key_gone.is_some() {
            self.step(case, KEY_DESTROYED)?;
        }
        if let Some(copies) = self.copies.get() {
            copies.stop().map_err(RetentionError::Copies)?;
        }
        let register_rows = self.register.forget(subject).map_err(|_| RetentionError::RegisterLog)?;
        let erased = match destroyed {
            Some(destroyed) => self.store.erase_bytes(destroyed, &mut |done, total| {
                let mut progress = self.progress.lock();
                (progress.done, progress.total) = (done, total);
            })?,
            None => obhut_store::Erased::default(),
        };
        let notes = self.scribe.remove_notes(subject).map_err(|_| RetentionError::LedgerDown)?;
        let epoch = self.store.rotate_keys()?.epoch;
        let found = self.store.residue(subject)?;
        if !found.is_empty() {
            return Err(RetentionError::Residue(found.join(", ")));
        }
        let list = self.signed_list(real_now())?;
        let copies = match (self.copies.get(), Periods::of(charter)) {
            (Some(copies), Some(periods)) => copies.renew(&list, periods).map_err(RetentionError::Copies)?,
            _ => Vec::new(),
        };
        let salt: [u8; 32] = random().map_err(|_| RetentionError::List("cannot be salted"))?;
        let before_restart = || {
            let of = |step: &&(ServerTime, Arc<str>)| &*step.1 == KEY_DESTROYED;
            erasure.steps.iter().find(of).map_or(erasure.decided, |step| step.0)
        };
        let count = |kind: StoredKind, objects: u64| DestroyedKind { kind: kind.word().to_owned(), objects };
        let body = Body {
            format: Body::format(),
            certificate: certificate.clone(),
            installation: self.installation.id().to_owned(),
            charter: charter.fingerprint().to_owned(),
            salt: hex(&salt),
            patient: certificate::commitment(&salt, subject),
            reason: erasure.reason.to_string(),
            record_kept_elsewhere: self
                .register
                .read(|s| s.erasure(case).is_some_and(|e| e.steps.iter().any(|step| &*step.1 == ELSEWHERE))),
            decided_at: erasure.decided.micros(),
            key_destroyed_at: key_gone.map_or_else(before_restart, |gone| gone.1).micros(),
            key_destroyed_in: key_gone.and_then(|gone| u64::try_from(gone.0.as_micros()).ok()),
            finished_at: real_now().micros(),
            key_epoch: epoch.into(),
            destroyed: vec![
                count(StoredKind::PatientKeys, 2),
                count(StoredKind::Readings, erased.objects),
                count(StoredKind::Bindings, erased.rows),
                count(StoredKind::Identities, 1),
                count(StoredKind::Requests, register_rows + erased.changes),
                count(StoredKind::AccessLog, notes),
            ],
            bytes_overwritten: erased.bytes,
            found_afterwards: 0,
            copies: copies
                .iter()
                .map(|copy| CopyOfKeys { reached: copy.reached, until: copy.until.map(ServerTime::micros) })
                .collect(),
            stays: vec![StoredKind::AccessLog.word().to_owned(), StoredKind::ErasureCertificates.word().to_owned()],
        };
        let certificate = self.prove(&body, case)?;
        let keep = keeping::Command::CertifyErasure { case, certificate: certificate.clone() };
        self.register.execute(By::System, real_now(), keep).map_err(RetentionError::Register)?;
        let took = u64::try_from(real_now().micros().saturating_sub(began.micros())).unwrap_or(0);
        let key_destroyed_in = key_gone.map(|gone| gone.0);
        tracing::info!(%case, objects = erased.objects, "a patient was erased");
        Ok(Done { case, key_destroyed_in, took: Duration::from_micros(took), body, certificate })
    }

    /// Enters the body's digest in the ledger and builds the certificate around its proof.
    fn prove(&self, body: &Body, case: CaseId) -> Result<String, RetentionError> {
        let unwritten = || RetentionError::List("has no certificate: it cannot be written");
        let draft = Draft::new(body).ok_or_else(unwritten)?;
        let resource = ResourceRef::new(certificate::RESOURCE, Some(&draft.digest()));
        let mut event =
            self.event(EventKind::Erasure, Actor::System, certificate::ACTION, resource).ok_or_else(unwritten)?;
        event.case = Some(case);
        let index = self.record(event)?.ok_or(RetentionError::LedgerDown)?;
        let line = self.scribe.line(index).map_err(|_| RetentionError::LedgerDown)?;
        let proof = self.scribe.prove(index).map_err(|_| RetentionError::LedgerDown)?;
        draft.finish(&line, &proof).ok_or_else(unwritten)
    }
}
