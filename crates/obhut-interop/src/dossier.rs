//! What a copy holds besides readings and accesses: who, where, consents, notices, requests, corrections, and what Art. 15(1) GDPR asks to be told.
//!
//! Texts come in worded in the language of the copy: they are the charter's, and the charter has both.

use crate::rights::Rights;
use obhut_model::{CaseId, ServerTime, Subject};

/// The language of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// German.
    #[default]
    De,
    /// English.
    En,
}

impl Language {
    /// The language of this tag, by its first two letters.
    #[must_use]
    pub fn of(tag: &str) -> Option<Self> {
        match tag.get(..2).map(str::to_ascii_lowercase).as_deref() {
            Some("de") => Some(Self::De),
            Some("en") => Some(Self::En),
            _ => None,
        }
    }

    /// Its BCP 47 tag.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::En => "en",
        }
    }

    /// The one of two texts in this language.
    #[must_use]
    pub const fn pick<'a>(self, de: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::De => de,
            Self::En => en,
        }
    }
}

/// Everything about a copy but its readings and accesses. `Debug` prints nothing of it.
#[derive(Clone, PartialEq)]
pub struct Dossier {
    /// When the copy is made.
    pub made_at: ServerTime,
    /// In which language.
    pub language: Language,
    /// Who is responsible.
    pub house: House,
    /// Whose copy it is.
    pub person: Person,
    /// Where the person lay, oldest first.
    pub stays: Vec<Stay>,
    /// Consents, oldest first.
    pub consents: Vec<Consent>,
    /// Notices shown to the person.
    pub notices: Vec<Notice>,
    /// Requests the person made.
    pub requests: Vec<Request>,
    /// Corrections: what was written and what is written now. The original stays (§ 630f(1) BGB).
    pub corrections: Vec<Correction>,
    /// Since when processing is restricted (Art. 18), if it is.
    pub restricted_since: Option<ServerTime>,
    /// Purposes, with what is processed for each (Art. 15(1)(a), (b), (d)).
    pub purposes: Vec<Purpose>,
    /// Who receives data (Art. 15(1)(c)), in words.
    pub recipients: Vec<Flow>,
}

impl std::fmt::Debug for Dossier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dossier(<redacted>)")
    }
}

/// Who is responsible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct House {
    /// Name of the controller.
    pub name: String,
    /// How to reach the data-protection officer.
    pub dpo: String,
    /// The authority to complain to.
    pub authority: String,
    /// The law a copy is made under, as it is cited, for example `Art. 15 Abs. 3 DSGVO und § 630g BGB`.
    pub law: String,
}

/// Whose copy it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// The pseudonym values are kept under.
    pub subject: Subject,
    /// Family name.
    pub family: String,
    /// Given names.
    pub given: String,
    /// ISO 8601.
    pub birth_date: String,
    /// The house's record number.
    pub record_number: String,
    /// Administrative sex in FHIR's words (`male`, `female`, `other`, `unknown`), if it is kept.
    pub sex: Option<&'static str>,
    /// Number of the health insurance, if it is kept.
    pub insurance_number: Option<String>,
    /// What the person is called outside care: domain and pseudonym.
    pub pseudonyms: Vec<(String, String)>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person(<redacted>)")
    }
}

/// A stay in a bed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// Ward, as the charter names it.
    pub ward: String,
    /// Bed label.
    pub bed: String,
    /// From when.
    pub from: ServerTime,
    /// Until when; `None` while it lasts.
    pub to: Option<ServerTime>,
}

/// How a consent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentState {
    /// In force.
    Given,
    /// The person said no.
    Declined,
    /// Withdrawn.
    Withdrawn(ServerTime),
    /// Its time has run out.
    Expired,
}

/// A consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Its identifier in the register.
    pub case: CaseId,
    /// For what, in words.
    pub purpose: String,
    /// Whether the purpose is research; FHIR tells the two apart.
    pub research: bool,
    /// Form and version.
    pub form: String,
    /// SHA-256 of the form's text, hexadecimal.
    pub form_hash: String,
    /// Language tag of the form that was read.
    pub language: String,
    /// Who signed: the person, or a representative in words.
    pub signer: String,
    /// On which way.
    pub channel: String,
    /// When.
    pub at: ServerTime,
    /// Until when it lasts.
    pub until: Option<ServerTime>,
    /// How it stands.
    pub state: ConsentState,
}

/// A notice (Art. 13, 14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Which one and which version.
    pub notice: String,
    /// When the person acknowledged it; `None` if deferred or not yet.
    pub acknowledged: Option<ServerTime>,
}

/// How a request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestState {
    /// Being worked on.
    Open,
    /// Done.
    Fulfilled(ServerTime),
    /// Refused, with the reason given.
    Refused(ServerTime, String),
    /// Taken back by the person.
    Withdrawn(ServerTime),
}

/// A request of the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its identifier in the register.
    pub case: CaseId,
    /// What was asked for, in words, with the article.
    pub what: String,
    /// When it came in.
    pub at: ServerTime,
    /// When it is due.
    pub due: ServerTime,
    /// Why the due date was moved, if it was.
    pub extended: Option<String>,
    /// How it stands.
    pub state: RequestState,
}

/// A correction (Art. 16): a new version beside the original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// When.
    pub at: ServerTime,
    /// What was corrected, in words.
    pub what: String,
    /// What was written.
    pub original: String,
    /// What is written now.
    pub corrected: String,
    /// Why.
    pub reason: String,
}

/// A purpose as Art. 15(1) GDPR wants it told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    /// In words.
    pub text: String,
    /// Legal grounds as they are cited.
    pub grounds: Vec<String>,
    /// What is processed and how long it is kept, in words.
    pub data: Vec<(String, String)>,
    /// Which rights there are for it.
    pub rights: Rights,
}

/// Someone who receives data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Who.
    pub recipient: String,
    /// What for, in words.
    pub purpose: String,
    /// In which country.
    pub country: String,
}
