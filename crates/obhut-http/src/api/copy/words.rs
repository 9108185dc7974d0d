//! The words in which a patient is told who looked at what, when and why.

use crate::state::AppState;
use obhut_charter::schema::{Regime, Text};
use obhut_interop::{Access, Language, SourceError};
use obhut_ledger::{Actor, Channel, Event, Names, Outcome};
use obhut_model::{PersonId, Subject};
use obhut_register::requests::Kind;
use obhut_scribe::Query;

/// The one of a charter's two texts.
pub(in crate::api) fn pick(language: Language, text: &Text) -> String {
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
pub(super) fn category(state: &AppState, language: Language, id: &str) -> String {
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
pub(in crate::api) fn access(
    state: &AppState,
    language: Language,
    subject: Subject,
    index: u64,
    event: &Event,
) -> Access {
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
pub(in crate::api) fn accesses(
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
pub(in crate::api) fn kind_text(language: Language, kind: Kind) -> &'static str {
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
