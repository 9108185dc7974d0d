//! Every kind of data this program stores, and which rule of the charter it has: exactly one (DIN 66398).
//!
//! INVARIANT: every table and every file of a data directory belongs to one kind ([`kind_of_table`], [`kind_of_file`]); the survey and a test walk a real
//! directory and name what belongs to none. Whoever stores something new adds it here, and then has to say how long.

use obhut_charter::schema::Covers;
use obhut_ledger::EventKind;
use obhut_register::Record;

/// How a kind of data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// By the retention class each reading's rule names.
    ByClass,
    /// By the class that covers this.
    Covered(Covers),
    /// With the data it serves and not a moment later: it means nothing without them.
    With(StoredKind),
    /// It holds nothing of a person and goes with the installation.
    Technical,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $rule:expr;)*) => {
        /// A kind of stored data.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum StoredKind { $($(#[$doc])* $variant,)* }

        impl StoredKind {
            /// All of them, in the order of the concept.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its word in answers and files.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Its rule.
            #[must_use]
            pub const fn rule(self) -> Rule {
                match self { $(Self::$variant => $rule),* }
            }
        }
    };
}

kinds! {
    /// Measured values, sealed, in journal and segments.
    Readings = "readings", Rule::ByClass;
    /// What the ward's alarms remember: values that passed limits, limits set, who acknowledged.
    Alarms = "alarms", Rule::With(StoredKind::Readings);
    /// Where values lie, and which messages were seen.
    Index = "index", Rule::With(StoredKind::Readings);
    /// Who lay where, which device stood where.
    Bindings = "bindings", Rule::Covered(Covers::Binding);
    /// Names, birth dates, record numbers, and their earlier versions.
    Identities = "identities", Rule::Covered(Covers::Identity);
    /// Pseudonyms for each domain and the keyed hashes identities are found by.
    Pseudonyms = "pseudonyms", Rule::With(StoredKind::Identities);
    /// Wrapped keys of patients.
    PatientKeys = "patient-keys", Rule::With(StoredKind::Identities);
    /// Consents and withdrawals.
    Consents = "consents", Rule::Covered(Covers::Consent);
    /// Requests of patients, corrections and restrictions.
    Requests = "requests", Rule::Covered(Covers::Request);
    /// Emergency accesses and their reviews.
    BreakGlass = "break-glass", Rule::Covered(Covers::BreakGlass);
    /// Physicians' cases.
    Care = "care", Rule::Covered(Covers::Binding);
    /// People, roles, trainings, passkeys, invitations.
    People = "people", Rule::Covered(Covers::People);
    /// Tickets of other firms.
    Tickets = "tickets", Rule::Covered(Covers::Ticket);
    /// Legal holds.
    Holds = "holds", Rule::Covered(Covers::Hold);
    /// Sets handed out, looks behind a pseudonym.
    Disclosures = "disclosures", Rule::Covered(Covers::Disclosure);
    /// Who did what, with its salt; the commitments in the tree say nothing once these are gone.
    AccessLog = "access-log", Rule::Covered(Covers::AccessLog);
    /// Commitments, tiles, checkpoints: no personal data.
    LedgerTree = "ledger-tree", Rule::Technical;
    /// Erasures: the list of marks, and certificates without content.
    ErasureCertificates = "erasure-certificates", Rule::Covered(Covers::ErasureCertificate);
    /// Devices, their certificates and invitations.
    DeviceFiles = "device-files", Rule::Covered(Covers::DeviceFile);
    /// Archives at the places backups are kept.
    Backups = "backups", Rule::Covered(Covers::Backup);
    /// The charter in force.
    Charter = "charter", Rule::Covered(Covers::Accountability);
    /// Keys, certificates and configuration of the installation itself.
    Installation = "installation", Rule::Technical;
    /// Locks, reserves, sockets, counters, schema notes.
    Housekeeping = "housekeeping", Rule::Technical;
}

use StoredKind as K;

/// Tables by database file (below the data directory) and name. The register keeps all its areas in one sealed table; its rows have the rule of their
/// record, see [`of_record`].
const TABLES: &[(&str, &str, StoredKind)] = &[
    ("store/records.db", "meta", K::Housekeeping),
    ("store/records.db", "classes", K::Housekeeping),
    ("store/records.db", "segments", K::Index),
    ("store/records.db", "chunks", K::Index),
    ("store/records.db", "seen", K::Index),
    ("store/records.db", "subject_stays", K::Bindings),
    ("store/records.db", "device_stays", K::Bindings),
    ("store/records.db", "devices", K::DeviceFiles),
    ("store/records.db", "tokens", K::DeviceFiles),
    ("store/records.db", "certificates", K::DeviceFiles),
    ("store/keys.db", "subject_keys", K::PatientKeys),
    ("store/keys.db", "epoch", K::PatientKeys),
    ("store/keys.db", "store_key", K::Installation),
    ("store/identity/identity.db", "vault_key", K::Installation),
    ("store/identity/identity.db", "identities", K::Identities),
    ("store/identity/identity.db", "versions", K::Identities),
    ("store/identity/identity.db", "lookups", K::Pseudonyms),
    ("store/identity/identity.db", "pseudonyms", K::Pseudonyms),
    ("store/register.db", "register_key", K::Installation),
    ("store/register.db", "changes", K::People),
    ("store/alarms.db", "alarm_key", K::Installation),
    ("store/alarms.db", "pieces", K::Alarms),
    ("store/alarms.db", "records", K::Alarms),
    ("ledger/events.db", "entries", K::AccessLog),
    ("ledger/events.db", "spools", K::Housekeeping),
];

/// Files by how their path below the data directory begins. The longest beginning counts.
const FILES: &[(&str, StoredKind)] = &[
    ("store/journal/", K::Readings),
    ("store/segments/", K::Readings),
    ("store/epoch", K::PatientKeys),
    ("store/lock", K::Housekeeping),
    ("store/reserve", K::Housekeeping),
    ("ledger/tile/", K::LedgerTree),
    ("ledger/checkpoint", K::LedgerTree),
    ("ledger/witness", K::LedgerTree),
    ("ledger/lock", K::Housekeeping),
    ("ledger/.new", K::Housekeeping),
    ("ledger.keys", K::Installation),
    ("spool/", K::AccessLog),
    ("erasures/", K::ErasureCertificates),
    ("erasures/installation.json", K::Installation),
    ("backup/places.json", K::Installation),
    ("backup/staging/", K::Backups),
    ("pki/", K::Installation),
    ("charter-in-force.", K::Charter),
    ("obhut.toml", K::Installation),
    ("top.key", K::Installation),
    ("admin.sock", K::Housekeeping),
    // What the simulated devices of a demonstration keep: their own keys and buffers, of invented patients.
    ("devices/", K::Housekeeping),
];

/// The kind a table belongs to; `None` if it has no rule.
#[must_use]
pub fn kind_of_table(database: &str, table: &str) -> Option<StoredKind> {
    TABLES.iter().find(|(file, name, _)| *file == database && *name == table).map(|found| found.2)
}

/// The kind a file belongs to; `None` if it has no rule. A database has one for each of its tables.
#[must_use]
pub fn kind_of_file(path: &str) -> Option<StoredKind> {
    FILES.iter().filter(|(begin, _)| path.starts_with(begin)).max_by_key(|(begin, _)| begin.len()).map(|found| found.1)
}

/// Databases there are.
pub(crate) fn is_database(path: &str) -> bool {
    TABLES.iter().any(|(file, _, _)| *file == path)
}

/// The kind a record of the register belongs to.
#[must_use]
pub const fn of_record(record: Record) -> StoredKind {
    match record {
        Record::Person | Record::Invitation => K::People,
        Record::Care => K::Care,
        Record::Consent => K::Consents,
        Record::Emergency => K::BreakGlass,
        Record::Request | Record::Restriction => K::Requests,
        Record::Hold => K::Holds,
        Record::Ticket => K::Tickets,
        Record::Approval | Record::Export => K::Disclosures,
    }
}

/// The kind an event of the ledger belongs to: all are the access log, but proofs of erasing, which live as long as their certificates.
#[must_use]
pub const fn of_event(kind: EventKind) -> StoredKind {
    match kind {
        EventKind::Erasure => K::ErasureCertificates,
        _ => K::AccessLog,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn nothing_stands_in_two_places_and_every_kind_ends_at_a_rule() {
        let tables: HashSet<_> = TABLES.iter().map(|(file, table, _)| (file, table)).collect();
        assert_eq!(tables.len(), TABLES.len());
        let files: HashSet<_> = FILES.iter().map(|(begin, _)| begin).collect();
        assert_eq!(files.len(), FILES.len());
        for kind in StoredKind::ALL {
            if let Rule::With(other) = kind.rule() {
                assert!(!matches!(other.rule(), Rule::With(_)), "{kind:?} goes with something that goes with another");
            }
        }
    }

    #[test]
    fn the_longest_beginning_counts_and_what_is_new_has_none() {
        assert_eq!(kind_of_file("erasures/installation.json"), Some(StoredKind::Installation));
        assert_eq!(kind_of_file("erasures/list.json"), Some(StoredKind::ErasureCertificates));
        assert_eq!(kind_of_file("store/something"), None);
        assert_eq!(kind_of_table("store/records.db", "something"), None);
    }
}
