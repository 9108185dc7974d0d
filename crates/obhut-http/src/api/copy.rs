//! What a patient's complete copy is made of, gathered from store, register, charter and ledger; and the words in which a patient is told who looked.
//!
//! For: `requests` (staff) and `own` (the patient). Not for deciding: whoever calls holds a permit, and every piece of readings opens with it.
//!
//! INVARIANT: a copy is read piece by piece, each piece with a permit that is still in force and recorded; when the permit ends, a new one is asked
//! for, and a refusal then ends the copy.

use super::ApiError;
use crate::desk::Ask;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use obhut_access::{Action, Permit, Resource};
use obhut_charter::schema::{Regime, Text};
use obhut_interop::{
    Access, Civil, Consent, ConsentState, Correction, Dossier, Flow, Format, Ground, House, Language, Local, Notice,
    Purpose, Request, RequestState, Rights, Source, SourceError, Stay, Stretch,
};
use obhut_ledger::{Actor, Channel, Event, Names, Outcome};
use obhut_model::{Code, DeviceTime, PersonId, ServerTime, Subject, TimeRange};
use obhut_register::Refusal;
use obhut_register::consents::{Signer, Standing};
use obhut_register::requests::{self, Kind};
use obhut_scribe::Query;
use obhut_store::{Domain, Identity, IdentityVersion, Pseudonym, Run, Sex};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Entries of the ledger asked for at once.
const PAGE: usize = 200;
/// A permit that ends sooner than this is renewed before it is used, microseconds.
const RENEW_MICROS: i64 = 5_000_000;

/// The house's own time, as the machine keeps it.
#[derive(Debug, Clone)]
pub(super) struct HouseTime(jiff::tz::TimeZone);

impl HouseTime {
    pub(super) fn here() -> Self {
        Self(jiff::tz::TimeZone::system())
    }

    #[cfg(test)]
    pub(super) fn of(name: &str) -> Option<Self> {
        jiff::tz::TimeZone::get(name).ok().map(Self)
    }

    fn zoned(&self, micros: i64) -> jiff::Zoned {
        jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(self.0.clone())
    }
}

impl Local for HouseTime {
    fn civil(&self, micros: i64) -> Civil {
        let at = self.zoned(micros);
        let small = |n: i8| u8::try_from(n).unwrap_or(0);
        Civil {
            year: at.year(),
            month: small(at.month()),
            day: small(at.day()),
            hour: small(at.hour()),
            minute: small(at.minute()),
            second: small(at.second()),
            offset: i16::try_from(at.offset().seconds() / 60).unwrap_or(0),
        }
    }
}

impl obhut_register::calendar::Calendar for HouseTime {
    fn day_of(&self, at: ServerTime) -> obhut_charter::Date {
        let at = self.zoned(at.micros());
        let small = |n: i8| u8::try_from(n).unwrap_or(1);
        date(u16::try_from(at.year()).unwrap_or(1970), small(at.month()), small(at.day()))
    }

    fn end_of(&self, day: obhut_charter::Date) -> ServerTime {
        let number = |n: u8| i8::try_from(n).unwrap_or(1);
        let year = i16::try_from(day.year()).unwrap_or(9_999);
        let end = jiff::civil::Date::new(year, number(day.month()), number(day.day()))
            .and_then(|day| day.tomorrow())
            .and_then(|next| next.to_zoned(self.0.clone()));
        ServerTime::from_micros(end.map_or(i64::MAX, |end| end.timestamp().as_microsecond()))
    }

    /// Holidays differ by Land and are not known here; without them a due date may come early, never late.
    fn is_holiday(&self, _: obhut_charter::Date) -> bool {
        false
    }
}

fn date(year: u16, month: u8, day: u8) -> obhut_charter::Date {
    obhut_charter::Date::new(year, month, day).or_else(|_| obhut_charter::Date::new(year, month, 1)).unwrap_or(FIRST)
}

const FIRST: obhut_charter::Date = match obhut_charter::Date::new(1970, 1, 1) {
    Ok(date) => date,
    Err(_) => unreachable!(),
};

/// The one of a charter's two texts.
pub(super) fn pick(language: Language, text: &Text) -> String {
    language.pick(&text.de, &text.en).to_owned()
}

/// Whether patients are told names of staff, by regime. By default role and organisation are told: that answers who, when and why without exposing
/// the staff (CJEU C-579/21, para. 83; Art. 9 EHDS asks for the person only where national law does).
const fn names_staff(regime: Regime) -> bool {
    match regime {
        Regime::Gdpr | Regime::Kdg | Regime::DsgEkd => false,
    }
}

/// What a permission is called when it was used on somebody's data: German, English.
fn deed(action: &str) -> (&'static str, &'static str) {
    match action {
        "live-view" => ("Aktuelle Werte am Bett angesehen", "Looked at current values at the bed"),
        "history-view" => ("Gespeicherte Werte angesehen", "Looked at stored values"),
        "identity-view" => ("Name und Geburtsdatum angesehen", "Looked at name and date of birth"),
        "bind" => ("Ihrem Bett zugeordnet oder entlassen", "Assigned to a bed or discharged"),
        "alarm-acknowledge" => ("Alarm quittiert", "Acknowledged an alarm"),
        "alarm-limits" => ("Alarmgrenzen eingestellt", "Set alarm limits"),
        "export" => ("Werte aus dem System entnommen", "Took values out of the system"),
        "break-glass" => ("Notfallzugriff", "Emergency access"),
        "break-glass-review" => ("Notfallzugriff geprüft", "Reviewed an emergency access"),
        "ledger-view" => ("Protokoll angesehen", "Looked at the ledger"),
        "request-manage" => ("Ihren Antrag bearbeitet", "Worked on your request"),
        "erase" => ("Daten gelöscht", "Erased data"),
        "consent-manage" => ("Einwilligung aufgenommen oder angesehen", "Took or looked at a consent"),
        "own-view" => ("Von Ihnen selbst angesehen", "Looked at by yourself"),
        "research-export" => (
            "Unter Decknamen für ein Forschungsvorhaben ausgegeben",
            "Given out under a pseudonym for a research project",
        ),
        "crosswalk" => ("Deckname aufgelöst", "Traced a pseudonym back"),
        "hold-manage" => ("Löschung aufgeschoben oder freigegeben", "Put a hold on erasing, or released it"),
        _ => ("Bearbeitet", "Worked on"),
    }
}

/// What a category is called.
fn category(state: &AppState, language: Language, id: &str) -> String {
    let known = match id {
        "identity" => Some(("Name und Geburtsdatum", "name and date of birth")),
        "binding" => Some(("Bettenzuordnung", "bed assignment")),
        "consent" => Some(("Einwilligungen", "consents")),
        "access-log" => Some(("Zugriffsprotokoll", "access log")),
        "request" => Some(("Anträge", "requests")),
        "notice" => Some(("Hinweise", "notices")),
        _ => None,
    };
    if let Some((de, en)) = known {
        return language.pick(de, en).to_owned();
    }
    let charter = state.charter.load();
    let data = charter.checked.all_data().iter().find(|data| data.id.as_str() == id);
    data.and_then(|data| data.code.info())
        .map_or_else(|| id.to_owned(), |info| language.pick(info.name_de, info.name_en).to_owned())
}

/// One entry of the ledger in words for the patient.
pub(super) fn access(state: &AppState, language: Language, subject: Subject, index: u64, event: &Event) -> Access {
    let charter = state.charter.load();
    let checked = &charter.checked;
    let own = state.desk.register.read(|register| match event.actor {
        Actor::Person(person) => register.person(person).is_some_and(|person| person.subject() == Some(subject)),
        _ => false,
    });
    let role = event
        .role
        .as_deref()
        .and_then(|role| checked.role(role))
        .map_or_else(|| language.pick("System", "system").to_owned(), |role| pick(language, &role.text));
    let firm = event.organisation.as_deref().and_then(|id| checked.recipient(id)).map(|firm| (*firm.name).clone());
    let organisation = firm.unwrap_or_else(|| (*checked.controller().name).clone());
    let name = match event.actor {
        Actor::Person(person) if names_staff(*checked.controller().regime) => Staff(state).person(person),
        _ => None,
    };
    let who = match (own, name) {
        (true, _) => language.pick("Sie selbst", "You yourself").to_owned(),
        (false, Some(name)) => format!("{name}, {role}, {organisation}"),
        (false, None) => format!("{role}, {organisation}"),
    };
    let emergency = event.purpose.as_deref() == Some("btg") || event.action.as_ref() == "break-glass";
    let why = if emergency {
        language.pick("Notfall", "emergency").to_owned()
    } else {
        event.purpose.as_deref().and_then(|id| checked.purpose(id)).map_or_else(
            || language.pick("Betrieb und Ihre Rechte", "operation and your rights").to_owned(),
            |purpose| pick(language, &purpose.text),
        )
    };
    let (de, en) = deed(&event.action);
    let origin = match event.origin.channel {
        Channel::Web => language.pick("Bildschirm", "screen"),
        Channel::Console => language.pick("Konsole des Servers", "console of the server"),
        Channel::Device => language.pick("Gerät", "device"),
        Channel::Internal => language.pick("Server", "server"),
    };
    Access {
        index,
        at: event.at,
        who,
        what: language.pick(de, en).to_owned(),
        why,
        categories: event.categories.iter().map(|id| category(state, language, id)).collect(),
        origin: origin.to_owned(),
        emergency,
        refused: !matches!(event.outcome, Outcome::Success),
        event: event.to_fhir(&Patient(state)),
    }
}

/// A page of entries about `subject`, newest first.
pub(super) fn accesses(
    state: &AppState,
    language: Language,
    subject: Subject,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Access>, SourceError> {
    let query = Query { subject: Some(subject), person: None, kinds: Vec::new(), from: None, to: None, before, limit };
    let found = state.desk.scribe.find(&query).map_err(|error| SourceError(error.to_string()))?;
    Ok(found.iter().map(|entry| access(state, language, subject, entry.index, &entry.event)).collect())
}

/// Names of staff as the register has them.
struct Staff<'a>(&'a AppState);

impl Staff<'_> {
    fn person(&self, person: PersonId) -> Option<String> {
        self.0.desk.register.read(|register| {
            register.person(person).map(|person| person.name.as_str().to_owned()).filter(|name| !name.is_empty())
        })
    }
}

/// Names for an AuditEvent that goes to a patient.
struct Patient<'a>(&'a AppState);

impl Names for Patient<'_> {
    fn person(&self, person: PersonId) -> Option<String> {
        let told = names_staff(*self.0.charter.load().checked.controller().regime);
        if told { Staff(self.0).person(person) } else { None }
    }

    fn controller(&self) -> String {
        (*self.0.charter.load().checked.controller().name).clone()
    }

    fn base(&self) -> String {
        self.0.address()
    }
}

/// What a kind of request is called, with its article.
pub(super) fn kind_text(language: Language, kind: Kind) -> &'static str {
    match kind {
        Kind::Access => language.pick("Auskunft und Kopie (Art. 15 DSGVO)", "access and a copy (Art. 15 GDPR)"),
        Kind::Rectification => language.pick("Berichtigung (Art. 16 DSGVO)", "correction (Art. 16 GDPR)"),
        Kind::Erasure => language.pick("Löschung (Art. 17 DSGVO)", "erasure (Art. 17 GDPR)"),
        Kind::Restriction => language.pick("Einschränkung (Art. 18 DSGVO)", "restriction (Art. 18 GDPR)"),
        Kind::Portability => language.pick("Übertragung (Art. 20 DSGVO)", "portability (Art. 20 GDPR)"),
        Kind::Objection => language.pick("Widerspruch (Art. 21 DSGVO)", "objection (Art. 21 GDPR)"),
        Kind::TreatmentFile => language.pick("Behandlungsakte (§ 630g BGB)", "treatment file (§ 630g BGB)"),
    }
}

/// The rights for a purpose of the charter.
pub(super) fn rights_of(purpose: &obhut_charter::schema::Purpose) -> Rights {
    Rights::of(purpose.basis.iter().chain(&purpose.exception).map(|ground| Ground::of(ground.written)))
}

/// Purposes patients' data are processed for: those of the data, and those that can be agreed to.
pub(super) fn purposes_of(state: &AppState) -> Vec<String> {
    let charter = state.charter.load();
    let data = charter.checked.all_data().iter().map(|data| data.purpose.as_str().to_owned());
    let forms = charter.checked.consent_forms().iter().map(|form| form.purpose.as_str().to_owned());
    data.chain(forms).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Everything of a copy but readings and accesses. The identity was opened with a permit.
pub(super) fn dossier(
    state: &AppState,
    language: Language,
    subject: Subject,
    versions: &[IdentityVersion],
    names: &[(Domain, Pseudonym)],
) -> Result<Dossier, ApiError> {
    let identity = versions.last().map(|version| &version.identity).cloned().unwrap_or_default();
    let charter = state.charter.load_full();
    let (checked, now) = (&charter.checked, real_now());
    let controller = checked.controller();
    let stays = state.records.stays(subject)?;
    let label = |bed: &obhut_model::BedId| {
        charter.beds.iter().find(|(id, _)| id == bed).map_or_else(|| bed.to_string(), |(_, label)| label.clone())
    };
    let time = |at: DeviceTime| ServerTime::from_micros(at.micros());
    let (consents, notices, requests, mut corrections, restricted_since) = state.desk.register.read(|register| {
        (
            register.consents_of(subject).map(|each| consent(state, language, each, now)).collect::<Vec<_>>(),
            register
                .notices_of(subject)
                .map(|each| Notice {
                    notice: notice_text(state, language, &each.notice, &each.version),
                    acknowledged: each.shown,
                })
                .collect::<Vec<_>>(),
            register
                .requests()
                .into_iter()
                .filter(|each| each.subject == subject)
                .map(|each| request(language, each))
                .collect::<Vec<_>>(),
            register.corrections_of(subject).flat_map(correction).collect::<Vec<_>>(),
            register.restrictions_of(subject).filter(|each| each.lifted.is_none()).map(|each| each.from).min(),
        )
    });
    corrections.extend(versions.windows(2).filter_map(|pair| match pair {
        [before, after] => Some(Correction {
            at: after.at,
            what: language.pick("Angaben zur Person", "personal details").to_owned(),
            original: line(&before.identity),
            corrected: line(&after.identity),
            reason: language.pick("Berichtigung", "correction").to_owned(),
        }),
        _ => None,
    }));
    let purposes = purposes_of(state)
        .iter()
        .filter_map(|id| checked.purpose(id))
        .map(|purpose| Purpose {
            text: pick(language, &purpose.text),
            grounds: purpose
                .basis
                .iter()
                .chain(&purpose.exception)
                .map(|ground| language.pick(ground.cite_de, ground.cite_en).to_owned())
                .collect(),
            data: checked
                .all_data()
                .iter()
                .filter(|data| data.purpose.as_str() == purpose.id.as_str())
                .map(|data| {
                    let name = category(state, language, data.id.as_str());
                    let kept = charter.rules.retention.iter().find(|rule| rule.id == data.retention.as_str());
                    (name, kept.map_or_else(String::new, |rule| duration(language, rule.seconds)))
                })
                .collect(),
            rights: rights_of(purpose),
        })
        .collect();
    let recipients = checked
        .recipients()
        .iter()
        .map(|firm| Flow {
            recipient: (*firm.name).clone(),
            purpose: checked.purpose(firm.purpose.as_str()).map_or_else(String::new, |p| pick(language, &p.text)),
            country: (*firm.country).clone(),
        })
        .collect();
    Ok(Dossier {
        made_at: now,
        language,
        house: House {
            name: (*controller.name).clone(),
            dpo: [Some(controller.dpo.name.clone()), Some(controller.dpo.email.clone()), controller.dpo.phone.clone()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(", "),
            authority: controller.authority.as_ref().map_or_else(String::new, |authority| (**authority).clone()),
            law: match *controller.regime {
                Regime::Gdpr => language.pick("Art. 15 Abs. 3 DSGVO und § 630g BGB", "Art. 15(3) GDPR and § 630g BGB"),
                Regime::Kdg => language.pick("§ 17 Abs. 3 KDG und § 630g BGB", "§ 17(3) KDG and § 630g BGB"),
                Regime::DsgEkd => language.pick("§ 19 DSG-EKD und § 630g BGB", "§ 19 DSG-EKD and § 630g BGB"),
            }
            .to_owned(),
        },
        person: obhut_interop::Person {
            subject,
            family: identity.family.clone(),
            given: identity.given.join(" "),
            birth_date: identity.birth_date.clone(),
            record_number: identity.record_number.clone(),
            sex: identity.sex.map(|sex| match sex {
                Sex::Male => "male",
                Sex::Female => "female",
                Sex::Other => "other",
                Sex::Unknown => "unknown",
            }),
            insurance_number: identity.insurance_number.clone(),
            pseudonyms: names.iter().map(|(domain, name)| (domain.to_string(), name.to_string())).collect(),
        },
        stays: stays
            .iter()
            .map(|stay| Stay {
                ward: charter.ward.1.clone(),
                bed: label(&stay.bed),
                from: time(stay.from),
                to: stay.to.map(time),
            })
            .collect(),
        consents,
        notices,
        requests,
        corrections,
        restricted_since,
        purposes,
        recipients,
    })
}

fn line(identity: &Identity) -> String {
    format!("{}, {}, {}, {}", identity.family, identity.given.join(" "), identity.birth_date, identity.record_number)
}

fn duration(language: Language, seconds: u64) -> String {
    match (seconds / 86_400, seconds % 86_400) {
        (0, _) => format!("{} {}", seconds / 3_600, language.pick("Stunden", "hours")),
        (days, 0) if days >= 365 && days % 365 < days / 365 + 1 => {
            format!("{} {}", days / 365, language.pick("Jahre", "years"))
        }
        (days, _) => format!("{days} {}", language.pick("Tage", "days")),
    }
}

/// The words of a notice in the version that was shown, or its name if the charter has another version now.
pub(super) fn notice_text(state: &AppState, language: Language, id: &str, version: &str) -> String {
    let charter = state.charter.load();
    let same = |notice: &&obhut_charter::schema::Notice| notice.id.as_str() == id && notice.version.as_str() == version;
    charter.checked.notices().iter().find(same).map_or_else(
        || format!("{id}, {version}"),
        |notice| format!("{id}, {version}: {}", pick(language, &notice.text)),
    )
}

fn consent(
    state: &AppState,
    language: Language,
    consent: &obhut_register::consents::Consent,
    now: ServerTime,
) -> Consent {
    let charter = state.charter.load();
    let purpose = charter.checked.purpose(&consent.purpose);
    let research = charter.checked.projects().iter().any(|project| project.purpose.as_str() == &*consent.purpose);
    use obhut_register::consents::Channel as Way;
    Consent {
        case: consent.case,
        purpose: purpose.map_or_else(|| consent.purpose.to_string(), |purpose| pick(language, &purpose.text)),
        research,
        form: format!("{}, {}", consent.form, consent.version),
        form_hash: consent.text.to_string(),
        language: consent.language.to_string(),
        signer: match &consent.signer {
            Signer::Patient => language.pick("Patient", "patient").to_owned(),
            Signer::Representative(name) => {
                format!("{} {}", language.pick("vertreten durch", "represented by"), name.as_str())
            }
        },
        channel: match consent.channel {
            Way::Paper => language.pick("Papier", "paper"),
            Way::Screen => language.pick("Bildschirm auf Station", "screen on the ward"),
            Way::Spoken => language.pick("mündlich", "spoken"),
            Way::Own => language.pick("eigene Seite", "own page"),
        }
        .to_owned(),
        at: consent.signed,
        until: Some(consent.expires),
        state: match (consent.standing(now), consent.withdrawn, consent.replaced) {
            (Standing::InForce | Standing::NotYet, ..) => ConsentState::Given,
            (Standing::Refused, ..) => ConsentState::Declined,
            (Standing::Withdrawn, Some((at, _)), _) | (Standing::Replaced, _, Some((at, _))) => {
                ConsentState::Withdrawn(at)
            }
            _ => ConsentState::Expired,
        },
    }
}

fn request(language: Language, request: &requests::Request) -> Request {
    Request {
        case: request.case,
        what: kind_text(language, request.kind).to_owned(),
        at: request.received,
        due: request.due,
        extended: request.extension.as_ref().map(|extension| extension.reason.as_str().to_owned()),
        state: match &request.outcome {
            None => RequestState::Open,
            Some(requests::Outcome::Fulfilled { at, .. }) => RequestState::Fulfilled(*at),
            Some(requests::Outcome::Refused { at, text, .. }) => RequestState::Refused(*at, text.as_str().to_owned()),
            Some(requests::Outcome::Withdrawn { at }) => RequestState::Withdrawn(*at),
        },
    }
}

/// One line for each version, each with what stood there before.
fn correction(found: &obhut_register::rights::Correction) -> Vec<Correction> {
    let mut before = found.original.as_str().to_owned();
    found
        .versions
        .iter()
        .map(|version| {
            let original = std::mem::replace(&mut before, version.value.as_str().to_owned());
            Correction {
                at: version.at,
                what: found.target.to_string(),
                original,
                corrected: version.value.as_str().to_owned(),
                reason: version.reason.as_str().to_owned(),
            }
        })
        .collect()
}

/// Readings and accesses of one patient for whoever was permitted. Used on a thread that may wait.
pub(super) struct Opened {
    pub(super) state: Arc<AppState>,
    pub(super) who: Who,
    pub(super) action: Action,
    pub(super) subject: Subject,
    pub(super) permit: Permit,
    pub(super) language: Language,
    /// Which codes go out; all if `None`.
    pub(super) only: Option<BTreeSet<Code>>,
    pub(super) runtime: tokio::runtime::Handle,
}

/// The question whose permit opens a whole copy.
pub(super) fn whole<'a>(state: &AppState, action: Action, patient: obhut_access::Patient) -> Ask<'a> {
    let charter = state.charter.load();
    let mut categories = vec!["identity", "consent", "notice", "request", "access-log", "binding"];
    categories.extend(charter.checked.all_data().iter().map(|data| data.id.as_str()));
    Ask::new(action, Resource::Patient(patient)).about(&categories)
}

impl Opened {
    /// A permit that will not end while the next piece is read.
    fn renewed(&mut self) -> Result<&Permit, SourceError> {
        if self.permit.until() <= real_now().plus_micros(RENEW_MICROS) {
            let refused = |error: ApiError| SourceError(error.to_string());
            let state = self.state.clone();
            let (who, action, subject) = (self.who.clone(), self.action, self.subject);
            self.permit = self
                .runtime
                .block_on(async move {
                    let patient = state.desk.patient(subject).await?;
                    state.desk.permit(&who, whole(&state, action, patient)).await
                })
                .map_err(refused)?;
        }
        Ok(&self.permit)
    }
}

impl Source for Opened {
    fn codes(&mut self) -> Result<Vec<(Code, DeviceTime, DeviceTime)>, SourceError> {
        let all = self.state.readings.codes(self.subject).map_err(|error| SourceError(error.to_string()))?;
        Ok(all.into_iter().filter(|(code, ..)| self.only.as_ref().is_none_or(|only| only.contains(code))).collect())
    }

    fn readings(&mut self, code: Code, range: TimeRange) -> Result<Vec<Stretch>, SourceError> {
        let sealed =
            self.state.readings.read(self.subject, code, range).map_err(|error| SourceError(error.to_string()))?;
        let runs = sealed.open(self.renewed()?, real_now()).map_err(|error| SourceError(error.to_string()))?;
        Ok(runs.into_iter().map(stretch).collect())
    }

    fn accesses(&mut self, before: Option<u64>) -> Result<Vec<Access>, SourceError> {
        self.renewed()?;
        accesses(&self.state, self.language, self.subject, before, PAGE)
    }
}

fn stretch(run: Run) -> Stretch {
    match run {
        Run::Numerics { step, values } => Stretch::Numerics { step, values },
        Run::Waveform { start, rate, scale, quality, samples } => {
            Stretch::Waveform { start, rate, scale, quality, samples }
        }
    }
}

/// What a copy is asked as.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// `fhir`, `csv` or `pdf`.
    format: String,
    /// `de` or `en`.
    lang: Option<String>,
}

/// Pieces of a copy that wait for the reader at most.
const PIECES_WAITING_MAX: usize = 8;
/// Bytes of one piece.
const PIECE_BYTES: usize = 1 << 16;

/// Gathers and hands out a copy. `permit` opens it; `only` narrows the readings to what may be taken along (Art. 20).
pub(super) async fn hand_out(
    state: Arc<AppState>,
    who: Who,
    permit: Permit,
    subject: Subject,
    wanted: &Wanted,
    only: Option<BTreeSet<Code>>,
) -> Result<Response, ApiError> {
    let format = Format::of(&wanted.format)
        .ok_or_else(|| ApiError::bad("format", "there is no such format", "ask for fhir, csv or pdf"))?;
    let language = wanted.lang.as_deref().and_then(Language::of).unwrap_or_default();
    let seed = random()?;
    let action = permit.action();
    let (dossier, permit) = {
        let state = state.clone();
        super::blocking(move || {
            let versions = state.desk.open(state.records.identity_versions(subject)?, &permit)?;
            let names = state.desk.open(state.records.names_of(subject)?, &permit)?;
            Ok((dossier(&state, language, subject, &versions, &names)?, permit))
        })
        .await?
    };
    let runtime = tokio::runtime::Handle::current();
    let mut source = Opened { state, who, action, subject, permit, language, only, runtime };
    let (sender, mut receiver) = tokio::sync::mpsc::channel(PIECES_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let mut out = std::io::BufWriter::with_capacity(PIECE_BYTES, Pieces(sender.clone()));
        let result = obhut_interop::write(format, &dossier, &mut source, &HouseTime::here(), seed, &mut out);
        drop(out);
        if let Err(error) = result {
            tracing::warn!(error = &error as &dyn std::error::Error, "a copy was not finished");
            // The reader must see that it is not whole.
            let _ = sender.blocking_send(Err(std::io::Error::other("the copy was not finished")));
        }
    });
    let stream = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    let name = format!("obhut-{}.{}", language.pick("kopie", "copy"), format.extension());
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}

fn random() -> Result<[u8; 16], ApiError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| ApiError::internal("the random source of this machine failed"))?;
    Ok(bytes)
}

/// Hands pieces to the answer, and waits while the reader is slow.
struct Pieces(tokio::sync::mpsc::Sender<Result<Bytes, std::io::Error>>);

impl std::io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        self.0.blocking_send(Ok(piece)).map_err(|_| std::io::Error::from(std::io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A register's refusal, as the API says it.
pub(super) fn refused(refusal: &Refusal) -> ApiError {
    let status = match refusal {
        Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::NoSuchPerson | Refusal::NoSuchCase => StatusCode::NOT_FOUND,
        _ => StatusCode::CONFLICT,
    };
    ApiError::new(status, refusal.code(), refusal.to_string(), "look at the request again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use obhut_interop::rights::request_clock;
    use obhut_model::CaseId;
    use obhut_register::calendar::Calendar as _;
    use obhut_register::requests::{Channel as Way, Command, Requester};
    use obhut_register::{By, MemoryLog, Private, Register};

    fn micros(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    fn at(text: &str) -> ServerTime {
        ServerTime::from_micros(micros(text))
    }

    /// When a request that came in at `received` is due in Berlin, without and with the extension.
    fn due(received: &str) -> (String, String) {
        let here = HouseTime::of("Europe/Berlin").expect("the zone is known");
        let register = Register::open(Arc::new(MemoryLog::default())).unwrap();
        let (case, clock) = (CaseId::from_random([1; 16]), request_clock(at(received)));
        let receive = Command::Receive {
            case,
            subject: Subject::from_random([2; 16]),
            kind: Kind::Access,
            channel: Way::Letter,
            requester: Requester::Patient,
            text: Private::from(""),
            received: at(received),
            months: clock.months,
            alert_days: clock.alert_days.to_vec(),
            calendar: Arc::new(here.clone()),
        };
        register.execute(By::Console(0), at(received), receive).unwrap();
        let shown = |register: &Register| {
            let due = register.read(|state| state.request(case).unwrap().due);
            here.zoned(due.micros()).strftime("%F %R").to_string()
        };
        let first = shown(&register);
        let extend = || Command::Extend {
            case,
            reason: Private::from("many wards"),
            months: clock.months_extended,
            calendar: Arc::new(here.clone()),
        };
        register.execute(By::Console(0), at(received).plus_micros(86_400_000_000), extend()).unwrap();
        let twice = register.execute(By::Console(0), at(received).plus_micros(86_400_000_001), extend());
        assert!(twice.is_err(), "there is one extension");
        (first, shown(&register))
    }

    /// The end of the last day, in the house's time: months of different length, leap years, weekends, and the nights clocks change.
    #[test]
    fn clocks_run_by_the_calendar_of_the_house() {
        let check = |received: &str, first: &str, extended: &str| {
            assert_eq!(due(received), (first.to_owned(), extended.to_owned()), "{received}");
        };
        // 31 January: February has no 31st. 2027-02-28 is a Sunday; 2027-04-30 a Friday.
        check("2027-01-31T10:00:00Z", "2027-03-02 00:00", "2027-05-01 00:00");
        // A leap year: 29 February 2028 is a Tuesday. 30 April 2028 is a Sunday.
        check("2028-01-31T10:00:00Z", "2028-03-01 00:00", "2028-05-02 00:00");
        // Across the spring night: 5 March to 5 April 2027 (Monday) is due at midnight of the wall, not an hour beside it. 5 June 2027 is a Saturday.
        check("2027-03-05T10:00:00Z", "2027-04-06 00:00", "2027-06-08 00:00");
        // Received at 23:30 UTC, which in Berlin is the next day.
        check("2027-06-09T23:30:00Z", "2027-07-13 00:00", "2027-09-11 00:00");
    }

    #[test]
    fn a_day_has_twenty_three_to_twenty_five_hours() {
        let here = HouseTime::of("Europe/Berlin").expect("the zone is known");
        let length = |day: (u16, u8, u8), before: (u16, u8, u8)| {
            let end = |d: (u16, u8, u8)| here.end_of(date(d.0, d.1, d.2)).micros();
            (end(day) - end(before)) / 3_600_000_000
        };
        assert_eq!(length((2027, 3, 28), (2027, 3, 27)), 23);
        assert_eq!(length((2027, 10, 31), (2027, 10, 30)), 25);
        assert_eq!(length((2028, 2, 29), (2028, 2, 28)), 24);
    }
}
