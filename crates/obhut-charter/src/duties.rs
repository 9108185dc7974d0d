//! Separation of duties: permissions that must not meet in one role, nor in one person, and why.
//!
//! Source: SDM building block 51 (measures P35, S12), BSI Grundschutz ORP.4; each row says its own reason. A row is one fact about the
//! work of a hospital, not a technical limit: whoever wants to change one changes this table and its test.

use crate::schema::Permission::{self, *};

/// Pairs that must not meet, and why, in English and in German.
pub const TOXIC: &[(Permission, Permission, &str, &str)] = &[
    (
        BreakGlass,
        BreakGlassReview,
        "nobody reviews their own emergency access",
        "niemand prüft den eigenen Notfallzugriff",
    ),
    (
        PeopleManage,
        BreakGlassReview,
        "who hands out roles does not judge how they were used",
        "wer Rollen vergibt, beurteilt nicht, wie sie genutzt wurden",
    ),
    (
        ConsentManage,
        LedgerView,
        "who takes consents does not audit how they were used",
        "wer Einwilligungen aufnimmt, prüft nicht, wie sie genutzt wurden",
    ),
    (
        DeviceMaintain,
        IdentityView,
        "who maintains devices does not need to know whose they are",
        "wer Geräte wartet, muss nicht wissen, wem sie gelten",
    ),
    (
        CharterManage,
        HistoryView,
        "who writes the rules does not read the values",
        "wer die Regeln schreibt, liest die Werte nicht",
    ),
    (
        CharterManage,
        Export,
        "who writes the rules does not take values out",
        "wer die Regeln schreibt, gibt keine Werte heraus",
    ),
    (
        CharterManage,
        IdentityView,
        "who writes the rules does not see who the patients are",
        "wer die Regeln schreibt, sieht nicht, wer die Patienten sind",
    ),
    (
        CharterManage,
        PeopleManage,
        "who writes the rules does not hand out the roles in them",
        "wer die Regeln schreibt, vergibt nicht die Rollen darin",
    ),
    (CharterManage, Erase, "who writes the rules does not erase", "wer die Regeln schreibt, löscht nicht"),
    (
        CharterManage,
        LedgerView,
        "who writes the rules does not judge whether they were kept",
        "wer die Regeln schreibt, urteilt nicht, ob sie eingehalten wurden",
    ),
    (
        LedgerView,
        Erase,
        "who reads the proof does not erase what it is about",
        "wer den Nachweis liest, löscht nicht, wovon er handelt",
    ),
    (
        LedgerView,
        RetentionManage,
        "who reads the proof does not run the job that removes it",
        "wer den Nachweis liest, bedient nicht den Lauf, der ihn entfernt",
    ),
    (
        LedgerView,
        KeyManage,
        "who reads the proof does not hold the keys it is sealed with",
        "wer den Nachweis liest, hält nicht die Schlüssel, mit denen er versiegelt ist",
    ),
    (
        LedgerView,
        PeopleManage,
        "who hands out roles does not audit what was done with them",
        "wer Rollen vergibt, prüft nicht, was damit getan wurde",
    ),
    (
        KeyManage,
        Erase,
        "who holds the keys could keep the one that erasing destroys",
        "wer die Schlüssel hält, könnte den behalten, den das Löschen vernichtet",
    ),
    (
        KeyManage,
        BackupManage,
        "a copy and its keys in one hand are the whole archive",
        "Sicherung und Schlüssel in einer Hand sind das ganze Archiv",
    ),
    (
        KeyManage,
        HistoryView,
        "who holds the keys does not read the values",
        "wer die Schlüssel hält, liest die Werte nicht",
    ),
    (
        KeyManage,
        Export,
        "who holds the keys does not take values out",
        "wer die Schlüssel hält, gibt keine Werte heraus",
    ),
    (
        KeyManage,
        IdentityView,
        "who holds the keys does not see who the patients are",
        "wer die Schlüssel hält, sieht nicht, wer die Patienten sind",
    ),
    (
        Crosswalk,
        ResearchExport,
        "who holds a pseudonymised set does not look behind its pseudonyms",
        "wer eine pseudonymisierte Menge hat, sieht nicht hinter ihre Decknamen",
    ),
    (
        Crosswalk,
        LedgerView,
        "who looks behind pseudonyms does not audit that",
        "wer hinter Decknamen sieht, prüft das nicht selbst",
    ),
    (
        Crosswalk,
        KeyManage,
        "who looks behind pseudonyms does not hold the keys they are made with",
        "wer hinter Decknamen sieht, hält nicht die Schlüssel, aus denen sie entstehen",
    ),
    (
        ResearchExport,
        IdentityView,
        "who works with a pseudonymised set does not see who the patients are",
        "wer mit einer pseudonymisierten Menge arbeitet, sieht nicht, wer die Patienten sind",
    ),
];

/// Why two permissions must not meet; `None` if they may.
#[must_use]
pub fn toxic(one: Permission, other: Permission) -> Option<&'static str> {
    TOXIC.iter().find(|(a, b, ..)| (*a, *b) == (one, other) || (*b, *a) == (one, other)).map(|(_, _, why, _)| *why)
}
