//! Separation of duties: permissions that must not meet in one role, nor in one person, and why.
//!
//! Source: SDM building block 51 (measures P35, S12), BSI Grundschutz ORP.4; each row says its own reason. A row is one fact about the
//! work of a hospital, not a technical limit: whoever wants to change one changes this table and its test.

use crate::schema::Permission::{self, *};

/// Pairs that must not meet, and why.
pub const TOXIC: &[(Permission, Permission, &str)] = &[
    (BreakGlass, BreakGlassReview, "nobody reviews their own emergency access"),
    (PeopleManage, BreakGlassReview, "who hands out roles does not judge how they were used"),
    (ConsentManage, LedgerView, "who takes consents does not audit how they were used"),
    (DeviceMaintain, IdentityView, "who maintains devices does not need to know whose they are"),
    (CharterManage, HistoryView, "who writes the rules does not read the values"),
    (CharterManage, Export, "who writes the rules does not take values out"),
    (CharterManage, IdentityView, "who writes the rules does not see who the patients are"),
    (CharterManage, PeopleManage, "who writes the rules does not hand out the roles in them"),
    (CharterManage, Erase, "who writes the rules does not erase"),
    (CharterManage, LedgerView, "who writes the rules does not judge whether they were kept"),
    (LedgerView, Erase, "who reads the proof does not erase what it is about"),
    (LedgerView, RetentionManage, "who reads the proof does not run the job that removes it"),
    (LedgerView, KeyManage, "who reads the proof does not hold the keys it is sealed with"),
    (LedgerView, PeopleManage, "who hands out roles does not audit what was done with them"),
    (KeyManage, Erase, "who holds the keys could keep the one that erasing destroys"),
    (KeyManage, BackupManage, "a copy and its keys in one hand are the whole archive"),
    (KeyManage, HistoryView, "who holds the keys does not read the values"),
    (KeyManage, Export, "who holds the keys does not take values out"),
    (KeyManage, IdentityView, "who holds the keys does not see who the patients are"),
    (Crosswalk, ResearchExport, "who holds a pseudonymised set does not look behind its pseudonyms"),
    (Crosswalk, LedgerView, "who looks behind pseudonyms does not audit that"),
    (Crosswalk, KeyManage, "who looks behind pseudonyms does not hold the keys they are made with"),
    (ResearchExport, IdentityView, "who works with a pseudonymised set does not see who the patients are"),
];

/// Why two permissions must not meet; `None` if they may.
#[must_use]
pub fn toxic(one: Permission, other: Permission) -> Option<&'static str> {
    TOXIC.iter().find(|(a, b, _)| (*a, *b) == (one, other) || (*b, *a) == (one, other)).map(|(_, _, why)| *why)
}
