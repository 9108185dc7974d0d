//! What the document says, German and English side by side.

use crate::dossier::Language;
use crate::rights::Right;

macro_rules! words {
    ($($name:ident: $de:literal, $en:literal;)*) => {
        /// The sentences and column heads of one language.
        pub(super) struct Words {
            $(pub(super) $name: &'static str,)*
        }

        static DE: Words = Words { $($name: $de,)* };
        static EN: Words = Words { $($name: $en,)* };
    };
}

words! {
    title: "Kopie Ihrer Daten", "Copy of your data";
    page: "Seite", "page";
    made_under: "Diese Kopie erhalten Sie nach", "You receive this copy under";
    how_to_read: "Sie ist für Sie kostenfrei. Sie sagt, welche Daten gespeichert sind, wozu, wie lange, und wer sie angesehen hat. Jeder einzelne Messwert und jede Kurve steht in den beiden anderen Fassungen dieser Kopie: als Tabellen (CSV) und für andere Systeme (FHIR).", "It is free of charge. It says which data are stored, what for, for how long, and who looked at them. Every single value and every waveform stands in the other two forms of this copy: as tables (CSV) and for other systems (FHIR).";
    family: "Familienname", "Family name";
    given: "Vorname", "Given name";
    birth_date: "Geburtsdatum", "Date of birth";
    record_number: "Aktenzeichen", "Record number";
    pseudonym: "Pseudonym Ihrer Werte", "Pseudonym of your values";
    insurance_number: "Versichertennummer", "Insurance number";
    other_name: "Weiteres Pseudonym", "Another pseudonym";
    controller: "Verantwortlich", "Controller";
    made_at: "Erstellt am", "Made on";
    restricted_since: "Verarbeitung eingeschränkt seit", "Processing restricted since";
    stays: "Aufenthalte", "Stays";
    no_stays: "Kein Aufenthalt ist gespeichert.", "No stay is stored.";
    ward: "Station", "Ward";
    bed: "Bett", "Bed";
    from: "Von", "From";
    to: "Bis", "To";
    lasting: "dauert an", "continuing";
    readings: "Messwerte", "Readings";
    readings_text: "Zusammengefasst nach Zeiträumen. Niedrigster, höchster und letzter Wert sind gespeicherte Werte, keine Mittelwerte. Ein Strich heißt: kein Wert, nicht null. Fraglich sind Werte, an denen das Gerät selbst zweifelte.", "Summed up by periods. Lowest, highest and last are stored values, not means. A dash means: no value, not zero. Questionable are values the device itself doubted.";
    no_readings: "Es sind keine Messwerte gespeichert.", "No readings are stored.";
    count: "Anzahl", "Count";
    lowest: "Niedrigster", "Lowest";
    highest: "Höchster", "Highest";
    last: "Letzter", "Last";
    doubtful: "Fraglich", "Questionable";
    absent: "Ohne Wert", "No value";
    samples: "Abtastwerte", "Samples";
    rate: "Rate", "Rate";
    accesses: "Wer Ihre Daten angesehen hat", "Who looked at your data";
    no_accesses: "Kein Zugriff ist verzeichnet.", "No access is recorded.";
    older_accesses: "ältere Zugriffe stehen in den beiden anderen Fassungen dieser Kopie.", "older accesses stand in the other two forms of this copy.";
    when: "Wann", "When";
    who: "Wer", "Who";
    what: "Was", "What";
    why: "Warum", "Why";
    emergency: "Notfallzugriff", "Emergency access";
    refused: "Abgelehnt, nichts wurde gesehen", "Refused, nothing was seen";
    consents: "Einwilligungen", "Consents";
    no_consents: "Sie haben über keine Einwilligung entschieden. Ihre Behandlung braucht keine.", "You have decided on no consent. Your treatment needs none.";
    purpose: "Zweck", "Purpose";
    form: "Formular", "Form";
    state: "Stand", "State";
    consented: "erteilt", "given";
    until: "bis", "until";
    declined: "abgelehnt", "declined";
    withdrawn: "widerrufen am", "withdrawn on";
    expired: "abgelaufen", "expired";
    notices: "Hinweise zum Datenschutz", "Privacy notices";
    no_notices: "Kein Hinweis ist verzeichnet.", "No notice is recorded.";
    notice: "Hinweis", "Notice";
    acknowledged: "Bestätigt", "Acknowledged";
    not_yet: "noch nicht", "not yet";
    requests: "Ihre Anträge", "Your requests";
    no_requests: "Kein Antrag ist verzeichnet.", "No request is recorded.";
    request: "Antrag", "Request";
    received: "Eingang", "Received";
    due: "Fällig", "Due";
    extended: "verlängert:", "extended:";
    open: "in Arbeit", "being worked on";
    fulfilled: "erfüllt am", "fulfilled on";
    was_refused: "abgelehnt am", "refused on";
    corrections: "Berichtigungen", "Corrections";
    no_corrections: "Nichts wurde berichtigt.", "Nothing was corrected.";
    original: "Ursprünglich", "Original";
    corrected: "Jetzt", "Now";
    reason: "Grund", "Reason";
    purposes: "Wozu Ihre Daten verarbeitet werden", "What your data are processed for";
    grounds: "Rechtsgrundlage", "Legal grounds";
    your_rights: "Ihre Rechte hierzu", "Your rights here";
    data: "Daten", "Data";
    kept: "Aufbewahrt", "Kept";
    recipients: "Empfänger", "Recipients";
    no_recipients: "Ihre Daten gehen an niemanden außerhalb des Hauses.", "Your data go to nobody outside the house.";
    recipient: "Wer", "Who";
    country: "Land", "Country";
    further: "Fragen und Beschwerde", "Questions and complaint";
    rights_text: "Ihre Daten stammen von den Geräten an Ihrem Bett und von dem, was bei der Aufnahme angegeben wurde. Entscheidungen, die allein ein Rechner trifft, gibt es hier nicht. Wenden Sie sich mit Fragen an die Stelle für Datenschutz des Hauses. Sie können sich jederzeit bei der Aufsichtsbehörde beschweren (Art. 77 DSGVO).", "Your data come from the devices at your bed and from what was stated on admission. There are no decisions taken by a machine alone. Ask the data-protection office of the house. You may complain to the supervisory authority at any time (Art. 77 GDPR).";
    dpo: "Datenschutz", "Data protection";
    authority: "Aufsichtsbehörde", "Supervisory authority";
    disclaimer: "Erstellt von Obhut, einem verteilten Informationssystem; kein zugelassenes Medizinprodukt und keine Rechtsberatung.", "Made by Obhut, a distributed information system; not a certified medical device and not legal advice.";
}

impl Words {
    pub(super) const fn of(language: Language) -> &'static Self {
        match language {
            Language::De => &DE,
            Language::En => &EN,
        }
    }

    pub(super) fn right(&self, right: Right) -> &'static str {
        let german = std::ptr::eq(self, &raw const DE);
        let (de, en) = match right {
            Right::Access => ("Auskunft", "access"),
            Right::Correction => ("Berichtigung", "correction"),
            Right::Erasure => {
                ("Löschung, soweit keine Aufbewahrungspflicht besteht", "erasure, unless the law demands keeping")
            }
            Right::Restriction => ("Einschränkung", "restriction"),
            Right::Portability => ("Übertragbarkeit", "portability"),
            Right::Objection => ("Widerspruch", "objection"),
            Right::Withdrawal => ("Widerruf der Einwilligung", "withdrawal of consent"),
        };
        if german { de } else { en }
    }
}
