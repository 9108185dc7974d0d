//! The desk every request for stored or naming data passes: question, decision, ledger entry, permit.
//!
//! For: joining what the register knows of a person and what the store knows of a patient into a question for `obhut-access`, having the answer
//! recorded, and handing out the permit. Not for: rules (the charter has them) and not for data (they open with the permit, elsewhere).
//!
//! INVARIANT: a [`Permit`] leaves here only after its ledger entry is durable, or spooled where a bedside or an emergency cannot wait; a denial is
//! recorded, too. A caller who goes away does not undo the entry.

use crate::api::{ApiError, blocking};
use crate::state::{CharterInForce, real_now};
use crate::who::{Asker, Who};
use arc_swap::ArcSwap;
use obhut_access::{
    AccessRules, Action, Circumstances, Decision, Grant, Leave, Patient, Permit, Person, PersonKind, Question,
    Resource, RoleGrant, Sealed, Stay,
};
use obhut_gateway::Clock;
use obhut_ledger::{Event, Recorded};
use obhut_model::{BedId, CaseId, Code, PersonId, RequestId, ServerTime, Subject, WardId};
use obhut_register::Register;
use obhut_register::people::{Grant as RoleHeld, Kind};
use obhut_scribe::{LedgerState, Scribe};
use obhut_store::Records;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

tokio::task_local! {
    /// What the handler of the current request has been permitted, for the check behind every route.
    pub static ASKED: Asked;
}

/// Actions a request was given permits for, each with the request its entry names.
#[derive(Debug, Clone, Default)]
pub struct Asked(Arc<Mutex<Vec<(Action, RequestId)>>>);

impl Asked {
    /// Whether a permit for `action` was given.
    #[must_use]
    pub fn granted(&self, action: Action) -> bool {
        self.entry(action).is_some()
    }

    /// What the entry of the first permit for `action` is called.
    #[must_use]
    pub fn entry(&self, action: Action) -> Option<RequestId> {
        self.0.lock().iter().find(|(given, _)| *given == action).map(|(_, request)| *request)
    }

    fn note(action: Action, request: RequestId) {
        // Outside a request of a person (timers) nobody looks.
        let _ = ASKED.try_with(|asked| asked.0.lock().push((action, request)));
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// What is to be done.
    pub action: Action,
    /// With what.
    pub resource: Resource,
    /// What for; the role's own purpose if `None`.
    pub purpose: Option<&'a str>,
    /// Which kinds of data: identifiers of the charter's data, or `identity`, `consent`, ….
    pub categories: Vec<Arc<str>>,
    /// Words that belong to the entry, sealed with it.
    pub note: Option<String>,
    /// The case it belongs to.
    pub case: Option<CaseId>,
}

impl<'a> Ask<'a> {
    /// An action on a resource for the role's own purpose.
    #[must_use]
    pub fn new(action: Action, resource: Resource) -> Self {
        Self { action, resource, purpose: None, categories: Vec::new(), note: None, case: None }
    }

    /// The same about these kinds of data.
    #[must_use]
    pub fn about(mut self, categories: &[&str]) -> Self {
        self.categories = categories.iter().map(|category| Arc::from(*category)).collect();
        self
    }

    /// The same for this purpose of the charter.
    #[must_use]
    pub fn purpose(mut self, purpose: &'a str) -> Self {
        self.purpose = Some(purpose);
        self
    }

    /// The same with words for the entry.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The same as part of a case.
    #[must_use]
    pub fn case(mut self, case: CaseId) -> Self {
        self.case = Some(case);
        self
    }
}

/// What the desk needs of the charter beside the rules.
#[derive(Debug, Clone)]
pub struct Ward {
    /// The ward.
    pub id: WardId,
    /// Its beds.
    pub beds: Vec<BedId>,
    /// Which data of the charter a code is.
    pub categories: HashMap<Code, Arc<str>>,
}

impl Ward {
    /// From the charter in force.
    #[must_use]
    pub fn of(charter: &CharterInForce) -> Self {
        Self {
            id: (*charter.checked.ward().id).clone(),
            beds: charter.beds.iter().map(|(bed, _)| bed.clone()).collect(),
            categories: charter
                .checked
                .all_data()
                .iter()
                .map(|data| (*data.code, Arc::from(data.id.as_str())))
                .collect(),
        }
    }
}

/// The desk.
pub struct Desk {
    /// Rules in force.
    pub rules: ArcSwap<AccessRules>,
    /// Writes the ledger.
    pub scribe: Arc<Scribe>,
    /// People, consents, cases.
    pub register: Arc<Register>,
    ward: ArcSwap<Ward>,
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    /// Joins the parts.
    #[must_use]
    pub fn new(
        rules: Arc<AccessRules>,
        ward: Ward,
        scribe: Arc<Scribe>,
        register: Arc<Register>,
        records: Arc<dyn Records>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            rules: ArcSwap::from(rules),
            scribe,
            register,
            ward: ArcSwap::from_pointee(ward),
            records,
            clock,
        })
    }

    /// Puts other rules in force.
    pub fn set_rules(&self, rules: Arc<AccessRules>, ward: Ward) {
        self.rules.store(rules);
        self.ward.store(Arc::new(ward));
    }

    /// Asks, has the answer recorded, and gives the permit.
    ///
    /// # Errors
    /// 403 for a denial, whatever its reason; 503 if it cannot be recorded.
    pub async fn permit(&self, who: &Who, ask: Ask<'_>) -> Result<Permit, ApiError> {
        #[cfg(feature = "test-bypass")]
        if bypass::is_on() {
            return Ok(bypass::permit(self, &ask));
        }
        let (action, (grant, recorded)) = (ask.action, self.ask(who, ask, Grant::may_spool).await?);
        let request = recorded.request();
        let permit = grant.complete(recorded).map_err(|_| ApiError::ledger_unavailable())?;
        Asked::note(action, request);
        Ok(permit)
    }

    /// The same for what only takes away: a consent, a right, a device's way in. Its record may wait in the spool, for whoever withdraws must not
    /// wait for a disk; and it opens no data (decision 0126). Answer with nothing that was stored.
    ///
    /// # Errors
    /// 403 for a denial, whatever its reason; 503 if neither ledger nor spool take the record.
    pub async fn leave(&self, who: &Who, ask: Ask<'_>) -> Result<Leave, ApiError> {
        let (action, (grant, recorded)) = (ask.action, self.ask(who, ask, Grant::may_spool_leave).await?);
        let request = recorded.request();
        let leave = grant.leave(recorded).map_err(|_| ApiError::ledger_unavailable())?;
        Asked::note(action, request);
        Ok(leave)
    }

    /// Asks and has the answer recorded: durably, or in the spool where `urgent` says so.
    async fn ask(&self, who: &Who, ask: Ask<'_>, urgent: fn(&Grant) -> bool) -> Result<(Grant, Recorded), ApiError> {
        let action = ask.action;
        match self.decide(who, &ask) {
            (Decision::Granted(grant), request) => {
                let event = grant.event(request, real_now(), who.origin.clone(), ask.note);
                let event = Event { case: ask.case.or(event.case), actor: who.actor(), ..event };
                let recorded = self.record(event, urgent(&grant)).await?;
                Ok((grant, recorded))
            }
            (Decision::Denied(denial), request) => {
                let event = denial.event(request, real_now(), who.origin.clone(), ask.note);
                let event = Event { case: ask.case.or(event.case), actor: who.actor(), ..event };
                tracing::info!(request = %request, action = action.as_str(), reason = denial.reason().word(), "refused");
                // A denial gives nothing away, so it may wait for the ledger's return in the spool.
                let _ = self.record(event, true).await;
                Err(ApiError::refused())
            }
        }
    }

    /// Whether it would be granted, without a record: for building menus and for watching a running stream, never for opening data.
    #[must_use]
    pub fn would_permit(&self, who: &Who, ask: &Ask<'_>) -> bool {
        #[cfg(feature = "test-bypass")]
        if bypass::is_on() {
            return true;
        }
        matches!(self.decide(who, ask), (Decision::Granted(_), _))
    }

    /// The answer, whoever asks: somebody unknown or disabled has no role, and a question without a purpose has none, and both end in a denial that
    /// is recorded like any other.
    fn decide(&self, who: &Who, ask: &Ask<'_>) -> (Decision, RequestId) {
        let now = real_now();
        let rules = self.rules.load();
        let person = self.person(who, now).unwrap_or_else(|| nobody(who));
        let purpose = match ask.purpose {
            Some(purpose) => Arc::from(purpose),
            None => rules.default_purpose(&person, ask.action, now).unwrap_or_default(),
        };
        let circumstances = self.circumstances(who, &ask.resource, &purpose, now);
        let question = Question {
            person: &person,
            action: ask.action,
            resource: &ask.resource,
            purpose: &purpose,
            categories: &ask.categories,
            circumstances: &circumstances,
        };
        (rules.decide(&question), self.new_request())
    }

    /// Has an entry written that belongs to no permit: a sign-in, a change of the register, an act of the system.
    ///
    /// # Errors
    /// 503 if it cannot be recorded.
    pub async fn note(&self, event: Event) -> Result<(), ApiError> {
        self.record(event, false).await.map(drop)
    }

    /// Has an entry written without waiting for it: for what has happened already and cannot be refused any more.
    pub fn tell(&self, event: Event) {
        let scribe = self.scribe.clone();
        tokio::spawn(async move {
            if scribe.record_or_spool(event).await.is_err() {
                tracing::error!("an entry could be written neither to the ledger nor to its spool");
            }
        });
    }

    async fn record(&self, event: Event, urgent: bool) -> Result<Recorded, ApiError> {
        let recorded = if urgent { self.scribe.record_or_spool(event).await } else { self.scribe.record(event).await };
        recorded.map_err(|_| ApiError::ledger_unavailable())
    }

    /// A name for a request and its entry.
    #[must_use]
    pub fn new_request(&self) -> RequestId {
        RequestId::from_random(random())
    }

    /// A name for a new case.
    #[must_use]
    pub fn new_case(&self) -> CaseId {
        CaseId::from_random(random())
    }

    /// The asker as the rules see them; `None` for somebody unknown or disabled.
    #[must_use]
    pub fn person(&self, who: &Who, now: ServerTime) -> Option<Person> {
        match who.asker {
            Asker::Person(person) => self.access_person(person, who.assurance, now),
            Asker::Console(_) => {
                let role = self.rules.load().console_role()?;
                let ward = self.ward.load().id.clone();
                let grant = RoleGrant { role, wards: vec![ward], until: None, trained_until: Some(now.plus_micros(1)) };
                Some(Person { grants: vec![grant], ..nobody(who) })
            }
        }
    }

    fn access_person(&self, person: PersonId, assurance: obhut_access::Assurance, now: ServerTime) -> Option<Person> {
        self.register.read(|state| {
            let person = state.person(person).filter(|person| person.disabled.is_none())?;
            // A training counts for the role it was noted for, and for no other.
            let grant = |grant: &RoleHeld| RoleGrant {
                role: grant.role.clone(),
                wards: grant.wards.clone(),
                until: grant.until,
                trained_until: person.trainings.get(&grant.role).map(|training| training.until),
            };
            Some(Person {
                id: person.id,
                kind: match &person.kind {
                    Kind::Staff => PersonKind::Staff,
                    Kind::External(_) => PersonKind::External,
                    Kind::Patient(subject) => PersonKind::Patient(*subject),
                },
                grants: person.roles(now).map(grant).collect(),
                assurance,
            })
        })
    }

    fn circumstances(&self, who: &Who, resource: &Resource, purpose: &str, now: ServerTime) -> Circumstances {
        let person = who.person();
        self.register.read(|state| {
            let subject = match resource {
                Resource::Patient(patient) => Some(patient.subject),
                _ => None,
            };
            let device = match resource {
                Resource::Device(device) => Some(&device.id),
                _ => None,
            };
            Circumstances {
                now,
                consent: subject.is_some_and(|subject| state.consent(subject, purpose, now)),
                emergency: person
                    .zip(subject)
                    .and_then(|(person, subject)| state.emergency_of(person, subject, now))
                    .map(|emergency| emergency.case),
                ticket: person
                    .zip(device)
                    .and_then(|(person, device)| state.ticket(person, device, now))
                    .map(|ticket| ticket.case),
                pledged: person.is_some_and(|person| state.pledged(person, now)),
            }
        })
    }

    /// What the rules need to know of a patient.
    ///
    /// # Errors
    /// If the records cannot be read. A pseudonym nobody has is a patient without stays, so that asking for one is refused like any other.
    pub async fn patient(&self, subject: Subject) -> Result<Patient, ApiError> {
        let records = self.records.clone();
        let stays = blocking(move || Ok(records.stays(subject)?)).await?;
        Ok(self.patient_with(subject, &stays))
    }

    fn patient_with(&self, subject: Subject, stays: &[obhut_store::SubjectInBed]) -> Patient {
        let ward = self.ward.load();
        // Stays are in ward time, which runs apart from the real time of rights in a demonstration only.
        let shift = real_now().micros().saturating_sub(self.clock.now().micros());
        let server = |at: obhut_model::DeviceTime| ServerTime::from_micros(at.micros().saturating_add(shift));
        let stays = stays
            .iter()
            .filter(|stay| ward.beds.contains(&stay.bed))
            .map(|stay| Stay { ward: ward.id.clone(), from: server(stay.from), to: stay.to.map(server) })
            .collect();
        let (cases, restricted) = self.register.read(|state| (state.cases_of(subject), state.restricted(subject)));
        Patient { subject, stays, cases, restricted }
    }

    /// The ward as a resource.
    #[must_use]
    pub fn ward(&self) -> Resource {
        Resource::Ward(self.ward.load().id.clone())
    }

    /// Which data of the charter a code is; `None` if it is not declared.
    #[must_use]
    pub fn category(&self, code: Code) -> Option<Arc<str>> {
        self.ward.load().categories.get(&code).cloned()
    }

    /// Opens what the store gave with the permit that was given for it.
    ///
    /// # Errors
    /// 403 if the permit is not for this.
    pub fn open<T>(&self, sealed: Sealed<T>, permit: &Permit) -> Result<T, ApiError> {
        #[cfg(feature = "test-bypass")]
        if bypass::is_on() {
            return Ok(sealed.open_unchecked());
        }
        sealed.open(permit, real_now()).map_err(|_| {
            tracing::error!("data were asked for with a permit that is not for them; nothing was given");
            ApiError::refused()
        })
    }

    /// How the ledger is, in a word.
    #[must_use]
    pub fn ledger_word(&self) -> &'static str {
        match self.scribe.state() {
            LedgerState::Good => "good",
            LedgerState::Spooling { .. } => "spooling",
            LedgerState::Down => "down",
        }
    }
}

/// The asker without a single role.
fn nobody(who: &Who) -> Person {
    Person {
        id: who.person().unwrap_or(PersonId::from_random([0; 16])),
        kind: if who.person().is_some() { PersonKind::Staff } else { PersonKind::Console },
        grants: Vec::new(),
        assurance: who.assurance,
    }
}

/// The same program without decisions and records, to measure what they cost, side by side in one run (`bench/`).
///
/// SECURITY: nothing but a build with the feature `test-bypass` has this, and that build does it only where its environment says so.
#[cfg(feature = "test-bypass")]
pub mod bypass {
    use super::{Ask, Asked, Desk, Permit, Resource, real_now};
    use std::sync::OnceLock;

    /// Whether this process goes around the desk: `OBHUT_DANGER_BYPASS=1`.
    pub fn is_on() -> bool {
        static ON: OnceLock<bool> = OnceLock::new();
        *ON.get_or_init(|| {
            let on = std::env::var_os("OBHUT_DANGER_BYPASS").is_some_and(|value| value == "1");
            if on {
                tracing::error!("DANGER: this server decides nothing and records nothing; it is for measuring only");
            }
            on
        })
    }

    pub(super) fn permit(desk: &Desk, ask: &Ask<'_>) -> Permit {
        Asked::note(ask.action, desk.new_request());
        let subject = match &ask.resource {
            Resource::Patient(patient) => Some(patient.subject),
            _ => None,
        };
        let purpose = ask.purpose.unwrap_or("unchecked").into();
        Permit::unchecked(ask.action, subject, ask.categories.clone(), purpose, real_now().plus_micros(60_000_000))
    }
}

/// Bytes for a name that means nothing. The kernel's source does not fail once it is up; if it ever does, a request without a name must not run.
pub(crate) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        tracing::error!("the random source of this machine failed; the program ends");
        std::process::abort();
    }
    bytes
}
