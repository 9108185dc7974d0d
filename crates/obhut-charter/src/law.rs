//! The law a charter may lean on: legal grounds, minimum periods and countries, as data with their source.
//!
//! Not legal advice, and not the place where a period becomes a rule: the charter declares, this table lets the check see a contradiction.
//! Each row names where it stands. The rows of Art. 6 and Art. 9 GDPR follow Regulation (EU) 2016/679. The rows of KDG (2018) and DSG-EKD
//! (2018, amended 2025) follow the numbering known to us; they have not been compared with the promulgated text, and the check says so
//! ([`crate::ProblemCode::RegimeUnverified`]).

use crate::schema::{Covers, Regime};
use crate::{Date, Period, PeriodUnit};

/// One lawful ground for processing.
#[derive(Debug, PartialEq, Eq)]
pub struct LegalGround {
    /// As a charter writes it.
    pub written: &'static str,
    /// The law it belongs to.
    pub regime: Regime,
    /// Whether it lifts the ban on health data (true) or makes processing lawful at all (false).
    pub exception: bool,
    /// As a German lawyer cites it.
    pub cite_de: &'static str,
    /// As it is cited in English.
    pub cite_en: &'static str,
    /// In a few words, German.
    pub gist_de: &'static str,
    /// In a few words, English.
    pub gist_en: &'static str,
    /// What it drags along.
    pub needs: Needs,
}

/// What a legal ground needs beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing more that a file could show.
    Nothing,
    /// The patient's consent.
    Consent,
    /// A law of the Union, the state or the church that lays it down (Art. 6(3), Art. 9(2)(b)(g)(i)(j) GDPR).
    Law,
    /// Persons under a duty of secrecy, and a law or a treatment contract (Art. 9(3) GDPR).
    Secrecy,
}

impl LegalGround {
    /// The ground written `text`, whatever the regime.
    #[must_use]
    pub fn find(text: &str) -> Option<&'static Self> {
        GROUNDS.iter().find(|ground| ground.written == text)
    }

    /// What a charter of `regime` may write, for a basis or for an exception.
    pub fn of(regime: Regime, exception: bool) -> impl Iterator<Item = &'static Self> {
        GROUNDS.iter().filter(move |ground| ground.regime == regime && ground.exception == exception)
    }
}

macro_rules! grounds {
    ($($regime:ident $exception:literal: $($written:literal $needs:ident $de:literal $en:literal $gist_de:literal $gist_en:literal;)*)*) => {
        /// Every ground known.
        pub static GROUNDS: &[LegalGround] = &[$($(LegalGround {
            written: $written, regime: Regime::$regime, exception: $exception, cite_de: $de, cite_en: $en, gist_de: $gist_de,
            gist_en: $gist_en, needs: Needs::$needs,
        },)*)*];
    };
}

grounds! {
    Gdpr false:
    "Art. 6(1)(a)" Consent "Art. 6 Abs. 1 Buchst. a DSGVO" "Art. 6(1)(a) GDPR" "Einwilligung" "consent";
    "Art. 6(1)(b)" Nothing "Art. 6 Abs. 1 Buchst. b DSGVO" "Art. 6(1)(b) GDPR" "Behandlungsvertrag" "contract of treatment";
    "Art. 6(1)(c)" Law "Art. 6 Abs. 1 Buchst. c DSGVO" "Art. 6(1)(c) GDPR" "rechtliche Verpflichtung" "legal obligation";
    "Art. 6(1)(d)" Nothing "Art. 6 Abs. 1 Buchst. d DSGVO" "Art. 6(1)(d) GDPR" "lebenswichtige Interessen" "vital interests";
    "Art. 6(1)(e)" Law "Art. 6 Abs. 1 Buchst. e DSGVO" "Art. 6(1)(e) GDPR" "Aufgabe im öffentlichen Interesse" "task in the public interest";
    "Art. 6(1)(f)" Nothing "Art. 6 Abs. 1 Buchst. f DSGVO" "Art. 6(1)(f) GDPR" "berechtigtes Interesse" "legitimate interest";
    Gdpr true:
    "Art. 9(2)(a)" Consent "Art. 9 Abs. 2 Buchst. a DSGVO" "Art. 9(2)(a) GDPR" "ausdrückliche Einwilligung" "explicit consent";
    "Art. 9(2)(b)" Law "Art. 9 Abs. 2 Buchst. b DSGVO" "Art. 9(2)(b) GDPR" "Arbeits- und Sozialrecht" "employment and social law";
    "Art. 9(2)(c)" Nothing "Art. 9 Abs. 2 Buchst. c DSGVO" "Art. 9(2)(c) GDPR" "lebenswichtige Interessen" "vital interests";
    "Art. 9(2)(d)" Nothing "Art. 9 Abs. 2 Buchst. d DSGVO" "Art. 9(2)(d) GDPR" "Vereinigungen ohne Gewinnabsicht" "not-for-profit bodies";
    "Art. 9(2)(e)" Nothing "Art. 9 Abs. 2 Buchst. e DSGVO" "Art. 9(2)(e) GDPR" "öffentlich gemachte Daten" "data made public";
    "Art. 9(2)(f)" Nothing "Art. 9 Abs. 2 Buchst. f DSGVO" "Art. 9(2)(f) GDPR" "Rechtsansprüche" "legal claims";
    "Art. 9(2)(g)" Law "Art. 9 Abs. 2 Buchst. g DSGVO" "Art. 9(2)(g) GDPR" "erhebliches öffentliches Interesse" "substantial public interest";
    "Art. 9(2)(h)" Secrecy "Art. 9 Abs. 2 Buchst. h DSGVO" "Art. 9(2)(h) GDPR" "Gesundheitsversorgung" "health care";
    "Art. 9(2)(i)" Law "Art. 9 Abs. 2 Buchst. i DSGVO" "Art. 9(2)(i) GDPR" "öffentliche Gesundheit" "public health";
    "Art. 9(2)(j)" Law "Art. 9 Abs. 2 Buchst. j DSGVO" "Art. 9(2)(j) GDPR" "Archiv, Forschung, Statistik" "archiving, research, statistics";

    Kdg false:
    "§ 6(1)(a)" Law "§ 6 Abs. 1 Buchst. a KDG" "§ 6(1)(a) KDG" "Rechtsvorschrift" "provision of law";
    "§ 6(1)(b)" Consent "§ 6 Abs. 1 Buchst. b KDG" "§ 6(1)(b) KDG" "Einwilligung" "consent";
    "§ 6(1)(c)" Nothing "§ 6 Abs. 1 Buchst. c KDG" "§ 6(1)(c) KDG" "Behandlungsvertrag" "contract of treatment";
    "§ 6(1)(d)" Law "§ 6 Abs. 1 Buchst. d KDG" "§ 6(1)(d) KDG" "rechtliche Verpflichtung" "legal obligation";
    "§ 6(1)(e)" Nothing "§ 6 Abs. 1 Buchst. e KDG" "§ 6(1)(e) KDG" "lebenswichtige Interessen" "vital interests";
    "§ 6(1)(f)" Law "§ 6 Abs. 1 Buchst. f KDG" "§ 6(1)(f) KDG" "Aufgabe im kirchlichen Interesse" "task in the interest of the church";
    "§ 6(1)(g)" Nothing "§ 6 Abs. 1 Buchst. g KDG" "§ 6(1)(g) KDG" "berechtigtes Interesse" "legitimate interest";
    Kdg true:
    "§ 11(2)(a)" Consent "§ 11 Abs. 2 Buchst. a KDG" "§ 11(2)(a) KDG" "ausdrückliche Einwilligung" "explicit consent";
    "§ 11(2)(b)" Law "§ 11 Abs. 2 Buchst. b KDG" "§ 11(2)(b) KDG" "Arbeits- und Sozialrecht" "employment and social law";
    "§ 11(2)(c)" Nothing "§ 11 Abs. 2 Buchst. c KDG" "§ 11(2)(c) KDG" "lebenswichtige Interessen" "vital interests";
    "§ 11(2)(f)" Nothing "§ 11 Abs. 2 Buchst. f KDG" "§ 11(2)(f) KDG" "Rechtsansprüche" "legal claims";
    "§ 11(2)(g)" Law "§ 11 Abs. 2 Buchst. g KDG" "§ 11(2)(g) KDG" "erhebliches kirchliches Interesse" "substantial interest of the church";
    "§ 11(2)(h)" Secrecy "§ 11 Abs. 2 Buchst. h KDG" "§ 11(2)(h) KDG" "Gesundheitsversorgung" "health care";
    "§ 11(2)(i)" Law "§ 11 Abs. 2 Buchst. i KDG" "§ 11(2)(i) KDG" "öffentliche Gesundheit" "public health";
    "§ 11(2)(j)" Law "§ 11 Abs. 2 Buchst. j KDG" "§ 11(2)(j) KDG" "Archiv, Forschung, Statistik" "archiving, research, statistics";

    DsgEkd false:
    "§ 6 Nr. 1" Law "§ 6 Nr. 1 DSG-EKD" "§ 6 no. 1 DSG-EKD" "Rechtsvorschrift" "provision of law";
    "§ 6 Nr. 2" Consent "§ 6 Nr. 2 DSG-EKD" "§ 6 no. 2 DSG-EKD" "Einwilligung" "consent";
    "§ 6 Nr. 3" Law "§ 6 Nr. 3 DSG-EKD" "§ 6 no. 3 DSG-EKD" "Aufgabe der verantwortlichen Stelle" "task of the body";
    "§ 6 Nr. 4" Law "§ 6 Nr. 4 DSG-EKD" "§ 6 no. 4 DSG-EKD" "Aufgabe im kirchlichen Interesse" "task in the interest of the church";
    "§ 6 Nr. 5" Nothing "§ 6 Nr. 5 DSG-EKD" "§ 6 no. 5 DSG-EKD" "Behandlungsvertrag" "contract of treatment";
    "§ 6 Nr. 6" Law "§ 6 Nr. 6 DSG-EKD" "§ 6 no. 6 DSG-EKD" "rechtliche Verpflichtung" "legal obligation";
    "§ 6 Nr. 7" Nothing "§ 6 Nr. 7 DSG-EKD" "§ 6 no. 7 DSG-EKD" "lebenswichtige Interessen" "vital interests";
    "§ 6 Nr. 8" Nothing "§ 6 Nr. 8 DSG-EKD" "§ 6 no. 8 DSG-EKD" "berechtigtes Interesse" "legitimate interest";
    DsgEkd true:
    "§ 13(2) Nr. 1" Consent "§ 13 Abs. 2 Nr. 1 DSG-EKD" "§ 13(2) no. 1 DSG-EKD" "ausdrückliche Einwilligung" "explicit consent";
    "§ 13(2) Nr. 2" Law "§ 13 Abs. 2 Nr. 2 DSG-EKD" "§ 13(2) no. 2 DSG-EKD" "Arbeits- und Sozialrecht" "employment and social law";
    "§ 13(2) Nr. 3" Nothing "§ 13 Abs. 2 Nr. 3 DSG-EKD" "§ 13(2) no. 3 DSG-EKD" "lebenswichtige Interessen" "vital interests";
    "§ 13(2) Nr. 6" Nothing "§ 13 Abs. 2 Nr. 6 DSG-EKD" "§ 13(2) no. 6 DSG-EKD" "Rechtsansprüche" "legal claims";
    "§ 13(2) Nr. 7" Law "§ 13 Abs. 2 Nr. 7 DSG-EKD" "§ 13(2) no. 7 DSG-EKD" "erhebliches kirchliches Interesse" "substantial interest of the church";
    "§ 13(2) Nr. 8" Secrecy "§ 13 Abs. 2 Nr. 8 DSG-EKD" "§ 13(2) no. 8 DSG-EKD" "Gesundheitsversorgung" "health care";
    "§ 13(2) Nr. 9" Law "§ 13 Abs. 2 Nr. 9 DSG-EKD" "§ 13(2) no. 9 DSG-EKD" "öffentliche Gesundheit" "public health";
    "§ 13(2) Nr. 10" Law "§ 13 Abs. 2 Nr. 10 DSG-EKD" "§ 13(2) no. 10 DSG-EKD" "Archiv, Forschung, Statistik" "archiving, research, statistics";
}

/// A period the law does not let anyone go below.
#[derive(Debug)]
pub struct PeriodMinimum {
    /// Of what.
    pub covers: Covers,
    /// How long.
    pub period: Period,
    /// Since when, as year, month, day.
    pub since: (u16, u8, u8),
    /// Where it stands.
    pub source: &'static str,
}

impl PeriodMinimum {
    /// Whether it binds on `today`; before, the check only warns of it.
    #[must_use]
    pub fn in_force(&self, today: Date) -> bool {
        (today.year(), today.month(), today.day()) >= self.since
    }
}

/// Minimum periods.
pub static PERIOD_MINIMA: &[PeriodMinimum] = &[
    PeriodMinimum {
        covers: Covers::TreatmentRecord,
        period: Period::new(10, PeriodUnit::Year),
        since: (2013, 2, 26),
        source: "§ 630f(3) BGB: ten years after the end of treatment",
    },
    PeriodMinimum {
        covers: Covers::AccessLog,
        period: Period::new(3, PeriodUnit::Year),
        since: (2029, 3, 26),
        source: "Art. 9(2) Regulation (EU) 2025/327 (EHDS): at least three years after each access",
    },
];

/// The European Economic Area: the 27 member states, Iceland, Liechtenstein and Norway. Elsewhere is a third country (Art. 44 GDPR).
pub static EEA: &[&str] = &[
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT",
    "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];
