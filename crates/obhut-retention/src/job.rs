//! The deletion job: what is kept by which rule, what is past it, what is held back, and removing what is due. By a timer, by hand, or as a dry run.
//!
//! Holds are honoured: what is about a patient or a class under a hold stays and is counted as held. The ledger's entries cannot be told apart by patient
//! without opening each; while any patient is held, none of them goes.
//!
//! INVARIANT: what the dry run counts is what the run removes, decided by the same lines.

use crate::erasure::Order;
use crate::error::RetentionError;
use crate::kinds::{Rule, StoredKind, of_record};
use crate::room::{Periods, Progress, Retention, end_of, over_since, real_now};
use crate::survey::survey;
use obhut_charter::Checked;
use obhut_charter::schema::{Covers, Retention as Class};
use obhut_ledger::{Actor, EventKind, ResourceRef};
use obhut_model::{CaseId, ServerTime, Subject};
use obhut_register::{By, Key};
use obhut_store::{Held, Removal as _, Rows};
use serde::Serialize;
use std::collections::BTreeMap;

/// How long something may be past its time before it counts as overdue: a day, in which the job runs almost three hundred times. Control D12 allows 7.
const TOLERANCE_MICROS: i64 = 86_400_000_000;

/// Why something is kept so long, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Basis {
    /// German.
    pub de: String,
    /// English.
    pub en: String,
}

/// Where one kind of data, by one class, stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Kind of data.
    pub kind: &'static str,
    /// Retention class of the charter; `None` for what goes with something else or holds nothing of a person.
    pub class: Option<String>,
    /// What it goes with.
    pub with: Option<&'static str>,
    /// When the period begins.
    pub start: Option<&'static str>,
    /// How long, as the charter writes it.
    pub period: Option<String>,
    /// Why, German and English.
    pub basis: Option<Basis>,
    /// Objects there are; `None` where they are not counted apart.
    pub kept: Option<u64>,
    /// Their bytes, where known.
    pub bytes: Option<u64>,
    /// Past their time and free to go.
    pub due: u64,
    /// Past their time and held.
    pub held: u64,
    /// Past their time for longer than they should be, or without a rule in the charter in force.
    pub overdue: u64,
    /// Removed by this run.
    pub removed: u64,
}

/// What a run, or a dry run, found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// When, microseconds since 1970.
    pub at: i64,
    /// Whether nothing was removed.
    pub dry: bool,
    /// Line by line.
    pub lines: Vec<Line>,
    /// Files and tables that belong to no kind.
    pub unknown: Vec<String>,
    /// How long it took, microseconds.
    pub took: i64,
}

impl Report {
    /// Objects past their time for too long. 0 expected.
    #[must_use]
    pub fn overdue(&self) -> u64 {
        self.lines.iter().map(|line| line.overdue).sum::<u64>() + self.unknown.len() as u64
    }

    /// Objects that would go, or went.
    #[must_use]
    pub fn due(&self) -> u64 {
        self.lines.iter().map(|line| line.due).sum()
    }

    /// Objects that went.
    #[must_use]
    pub fn removed(&self) -> u64 {
        self.lines.iter().map(|line| line.removed).sum()
    }
}

/// One walk through all kinds.
struct Walk<'a> {
    room: &'a Retention,
    charter: &'a Checked,
    /// The ward's time, for readings and stays.
    ward: ServerTime,
    /// The real time, for everything else.
    now: ServerTime,
    held: Held,
    dry: bool,
}

impl Retention {
    /// Walks through everything that is kept, and removes what is due unless it is a `dry` run. Waits for the disk.
    ///
    /// # Errors
    /// [`RetentionError`]; what went before stays gone.
    pub fn run(&self, charter: &Checked, ward: ServerTime, dry: bool) -> Result<Report, RetentionError> {
        let now = real_now();
        let before = (!dry).then(|| *self.progress.lock());
        if before.is_some() {
            *self.progress.lock() = Progress { since: Some(now), what: "retention", done: 0, total: 0 };
        }
        let walk = Walk { room: self, charter, ward, now, held: self.held(now), dry };
        let lines = walk.lines();
        if before.is_some() {
            *self.progress.lock() = Progress::default();
        }
        let report = Report {
            at: now.micros(),
            dry,
            lines: lines?,
            unknown: survey(&self.data)?.unknown,
            took: real_now().micros() - now.micros(),
        };
        if !dry {
            // What went is on record, in counts; nothing to record if nothing went.
            if report.removed() > 0 {
                let resource = ResourceRef::new("retention", None);
                if let Some(mut event) = self.event(EventKind::Retention, Actor::System, "expire", resource) {
                    event.note = Some(format!("{} objects", report.removed()));
                    self.record(event)?;
                }
            }
            *self.last.lock() = Some(report.clone());
        }
        Ok(report)
    }

    /// What the last run found.
    #[must_use]
    pub fn last_run(&self) -> Option<Report> {
        self.last.lock().clone()
    }
}

impl Walk<'_> {
    fn lines(&self) -> Result<Vec<Line>, RetentionError> {
        let mut out = self.readings()?;
        let mut records = self.records()?;
        for kind in StoredKind::ALL.iter().copied().filter(|kind| *kind != StoredKind::Readings) {
            let mut line = self.describe(kind);
            match kind {
                StoredKind::Bindings => self.bindings(&mut line)?,
                StoredKind::Identities => self.identities(&mut line)?,
                StoredKind::DeviceFiles => self.devices(&mut line)?,
                StoredKind::AccessLog => self.log(&mut line, &others())?,
                StoredKind::ErasureCertificates => self.certificates(&mut line)?,
                StoredKind::Backups => self.backups(&mut line)?,
                _ => {}
            }
            if let Some(of_register) = records.remove(&kind) {
                line.due += of_register.due;
                line.held += of_register.held;
                line.overdue += of_register.overdue;
                line.removed += of_register.removed;
                line.kept = Some(line.kept.unwrap_or(0) + of_register.kept.unwrap_or(0));
            }
            out.push(line);
        }
        Ok(out)
    }

    fn class(&self, kind: StoredKind) -> Option<&Class> {
        match kind.rule() {
            Rule::Covered(covers) => self.charter.retention_of(covers),
            Rule::ByClass | Rule::With(_) | Rule::Technical => None,
        }
    }

    fn describe(&self, kind: StoredKind) -> Line {
        let mut line = Line { kind: kind.word(), ..Line::default() };
        match (kind.rule(), self.class(kind)) {
            (Rule::With(other), _) => line.with = Some(other.word()),
            (_, Some(class)) => fill(&mut line, class),
            _ => {}
        }
        line
    }

    fn is_over(&self, class: &Class, start: i64, now: ServerTime) -> (bool, bool) {
        let end = end_of(class, start);
        (end <= now.micros(), end.saturating_add(TOLERANCE_MICROS) <= now.micros())
    }

    fn readings(&self) -> Result<Vec<Line>, RetentionError> {
        let removal = &*self.room.store;
        let late = ServerTime::from_micros(self.ward.micros().saturating_sub(TOLERANCE_MICROS));
        let due = removal.due(self.ward, &self.held)?;
        if !self.dry && due.iter().any(|due| due.objects > 0) {
            removal.expire(self.ward, &self.held, &mut |done, total| {
                let mut progress = self.room.progress.lock();
                (progress.done, progress.total) = (done, total);
            })?;
        }
        // What is overdue is what a run did not get rid of.
        let overdue = removal.due(late, &self.held)?;
        let mut out = Vec::new();
        for class in self.charter.charter().entries.retention.iter().filter(|class| self.keeps_readings(class)) {
            let mut line = Line { kind: StoredKind::Readings.word(), ..Line::default() };
            fill(&mut line, class);
            (line.kept, line.bytes) = (Some(0), Some(0));
            if let Some(found) = due.iter().find(|found| found.what == class.id.to_string()) {
                (line.kept, line.bytes) = (Some(found.kept), Some(found.kept_bytes));
                (line.due, line.held) = (found.objects, found.held);
                line.removed = if self.dry { 0 } else { found.objects };
            }
            line.overdue = overdue.iter().find(|o| o.what == class.id.to_string()).map_or(0, |found| found.objects);
            out.push(line);
        }
        // Classes the charter in force does not know: kept, and shown until it does.
        for found in due.iter().filter(|found| found.without_rule > 0) {
            out.push(Line {
                kind: StoredKind::Readings.word(),
                class: Some(found.what.clone()),
                kept: Some(found.kept),
                bytes: Some(found.kept_bytes),
                overdue: found.without_rule,
                ..Line::default()
            });
        }
        Ok(out)
    }

    fn keeps_readings(&self, class: &Class) -> bool {
        self.charter.all_data().iter().any(|data| *data.retention == *class.id)
    }

    /// Patients whose treatment ended longer ago than the rule allows: they go whole, with a certificate. Where devices stood goes by row.
    fn bindings(&self, line: &mut Line) -> Result<(), RetentionError> {
        let Some(class) = self.class(StoredKind::Bindings) else { return Ok(()) };
        let removal = &*self.room.store;
        let before = over_since(class, self.ward);
        let rows = removal.rows_before(Rows::DeviceStays, before)?;
        line.kept = Some(removal.rows(Rows::DeviceStays)?);
        line.due += rows;
        if !self.dry {
            line.removed += removal.remove_rows(Rows::DeviceStays, before)?;
        }
        for ended in removal.ended()? {
            let (over, late) = match ended.at {
                Some(at) => self.is_over(class, at.micros(), self.ward),
                // A binding that was taken back at once: there never was a treatment.
                None => (true, false),
            };
            if !over || ended.newest.is_some() {
                line.overdue += u64::from(late);
                continue;
            }
            if self.held.subjects.contains(&ended.subject) || self.class_held(class) {
                line.held += 1;
                continue;
            }
            line.due += 1;
            if self.dry {
                line.overdue += u64::from(late);
            } else {
                self.erase(ended.subject)?;
                line.removed += 1;
            }
        }
        Ok(())
    }

    fn erase(&self, subject: Subject) -> Result<(), RetentionError> {
        let case = crate::text::random().map(CaseId::from_random);
        let case = case.map_err(|error| RetentionError::io("draw a name for", &self.room.data, error))?;
        let order =
            Order { case, subject, reason: "retention".into(), request: None, by: By::System, record_elsewhere: false };
        self.room.erase(self.charter, &order).map(|_| ())
    }

    /// Names may have to go earlier than bindings; then only they do.
    fn identities(&self, line: &mut Line) -> Result<(), RetentionError> {
        let (Some(class), Some(bindings)) = (self.class(StoredKind::Identities), self.class(StoredKind::Bindings))
        else {
            return Ok(());
        };
        line.kept = Some(obhut_store::Records::subjects(&*self.room.store)?.len() as u64);
        if class.period.seconds() >= bindings.period.seconds() {
            return Ok(());
        }
        for ended in self.room.store.ended()? {
            let Some(at) = ended.at else { continue };
            if !self.is_over(class, at.micros(), self.ward).0 {
                continue;
            }
            if self.held.subjects.contains(&ended.subject) || self.class_held(class) {
                line.held += 1;
            } else if !self.dry {
                self.room.store.forget_identity(ended.subject)?;
            }
        }
        Ok(())
    }

    fn devices(&self, line: &mut Line) -> Result<(), RetentionError> {
        let Some(class) = self.class(StoredKind::DeviceFiles) else { return Ok(()) };
        let removal = &*self.room.store;
        let mut kept = 0;
        // An invitation that ran out opens nothing and proves nothing; the device's own record has what is to be kept of it.
        let rows = [
            (Rows::Invitations, self.now),
            (Rows::Certificates, over_since(class, self.now)),
            (Rows::Devices, over_since(class, self.now)),
        ];
        for (rows, before) in rows {
            kept += removal.rows(rows)?;
            let due = removal.rows_before(rows, before)?;
            line.due += due;
            if self.class_held(class) {
                line.held += due;
                line.due -= due;
            } else if !self.dry {
                line.removed += removal.remove_rows(rows, before)?;
            }
        }
        line.kept = Some(kept);
        Ok(())
    }

    fn class_held(&self, class: &Class) -> bool {
        self.held.classes.contains(&class.id.to_string())
    }

    /// Records of the register that ended, by kind.
    fn records(&self) -> Result<BTreeMap<StoredKind, Line>, RetentionError> {
        let ended = self.room.register.read(|state| state.ended(self.now));
        let mut lines: BTreeMap<StoredKind, Line> = BTreeMap::new();
        let mut going: BTreeMap<StoredKind, Vec<Key>> = BTreeMap::new();
        for found in ended {
            let kind = of_record(found.record);
            let Some(class) = self.class(kind) else { continue };
            let line = lines.entry(kind).or_insert_with(|| Line { kept: Some(0), ..Line::default() });
            line.kept = line.kept.map(|kept| kept + 1);
            let (over, late) = self.is_over(class, found.at.micros(), self.now);
            if !over {
                continue;
            }
            if found.about.is_some_and(|about| self.held.subjects.contains(&about)) || self.class_held(class) {
                line.held += 1;
                continue;
            }
            line.due += 1;
            line.overdue += u64::from(late && self.dry);
            going.entry(kind).or_default().push(found.key);
        }
        if !self.dry {
            for (kind, keys) in going {
                self.room.register.remove(&keys).map_err(|_| RetentionError::RegisterLog)?;
                if let Some(line) = lines.get_mut(&kind) {
                    line.removed = keys.len() as u64;
                }
            }
        }
        Ok(lines)
    }

    fn log(&self, line: &mut Line, kinds: &[EventKind]) -> Result<(), RetentionError> {
        let covers = if kinds.contains(&EventKind::Erasure) { Covers::ErasureCertificate } else { Covers::AccessLog };
        let Some(class) = self.charter.retention_of(covers) else { return Ok(()) };
        let before = over_since(class, self.now);
        let late = ServerTime::from_micros(before.micros().saturating_sub(TOLERANCE_MICROS));
        let count = |before| self.room.scribe.count_before(before, kinds).map_err(|_| RetentionError::LedgerDown);
        line.kept = Some(line.kept.unwrap_or(0) + count(self.now)?);
        let due = count(before)?;
        if due > 0 && (!self.held.subjects.is_empty() || self.class_held(class)) {
            line.held += due;
            return Ok(());
        }
        line.due += due;
        if !self.dry && due > 0 {
            line.removed += self.room.scribe.remove_events(before, kinds).map_err(|_| RetentionError::LedgerDown)?;
        }
        line.overdue += count(late)?;
        Ok(())
    }

    fn certificates(&self, line: &mut Line) -> Result<(), RetentionError> {
        self.log(line, &[EventKind::Erasure])?;
        let Some(class) = self.class(StoredKind::ErasureCertificates) else { return Ok(()) };
        let (mut over, mut kept) = (Vec::new(), 0);
        self.room.register.read(|state| {
            for erasure in state.erasures() {
                kept += 1;
                if erasure.certificate.is_some() && self.is_over(class, erasure.decided.micros(), self.now).0 {
                    over.push(Key::Case(erasure.case));
                }
            }
        });
        line.kept = Some(line.kept.unwrap_or(0) + kept);
        line.due += over.len() as u64;
        if !self.dry && !over.is_empty() {
            self.room.register.remove(&over).map_err(|_| RetentionError::RegisterLog)?;
            line.removed += over.len() as u64;
        }
        Ok(())
    }

    fn backups(&self, line: &mut Line) -> Result<(), RetentionError> {
        let Some(copies) = self.room.copies.get() else {
            line.kept = Some(0);
            return Ok(());
        };
        let (kept, due) = copies.count(self.now);
        (line.kept, line.due) = (Some(kept), due);
        let last = self.room.list.lock().entries().last().map(|entry| ServerTime::from_micros(entry.at));
        if let (false, Some(periods), Some(_)) =
            (self.dry, Periods::of(self.charter), last.filter(|last| copies.is_behind(*last)))
        {
            let list = self.room.signed_list(self.now)?;
            copies.renew(&list, periods).map_err(RetentionError::Copies)?;
        }
        if !self.dry && due > 0 {
            line.removed = copies.expire(self.now).map_err(RetentionError::Copies)?;
        }
        line.overdue = copies.count(ServerTime::from_micros(self.now.micros().saturating_sub(TOLERANCE_MICROS))).1;
        Ok(())
    }
}

fn fill(line: &mut Line, class: &Class) {
    line.class = Some(class.id.to_string());
    line.start = Some(class.start.as_str());
    line.period = Some(class.period.to_string());
    line.basis = Some(Basis { de: class.basis.de.clone(), en: class.basis.en.clone() });
}

/// Every kind of event but proofs of erasing.
fn others() -> Vec<EventKind> {
    EventKind::ALL.iter().copied().filter(|kind| *kind != EventKind::Erasure).collect()
}
