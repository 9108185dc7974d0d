//! Which action can be done to which kind of thing. A pair that is not listed here exists for no role, whatever the charter says.

use crate::Action;

macro_rules! things {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $cedar:literal;)*) => {
        /// A kind of thing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Thing { $($(#[$doc])* $name,)* }

        impl Thing {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its word in the ledger.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Its entity type in the policies.
            #[must_use]
            pub const fn entity_type(self) -> &'static str {
                match self { $(Self::$name => $cedar,)* }
            }
        }
    };
}

things! {
    /// The system itself.
    System = "system", "System";
    /// A ward.
    Ward = "ward", "Ward";
    /// A patient.
    Patient = "patient", "Patient";
    /// A device.
    Device = "device", "Device";
    /// A person of the register.
    Person = "person", "Colleague";
    /// The register of people.
    People = "people", "People";
    /// The ledger.
    Ledger = "ledger", "Ledger";
    /// The register of cases.
    Register = "register", "Register";
    /// The deletion concept.
    Retention = "retention", "Retention";
    /// A project.
    Project = "project", "Project";
}

/// What `action` can be done to.
#[must_use]
pub const fn things_of(action: Action) -> &'static [Thing] {
    use Thing::{Device, Ledger, Patient, People, Person, Project, Register, Retention, System, Ward};
    match action {
        Action::LiveView | Action::Bind | Action::AlarmAcknowledge | Action::AlarmLimits => &[Ward, Patient],
        Action::HistoryView
        | Action::IdentityView
        | Action::Export
        | Action::ConsentManage
        | Action::OwnView
        | Action::Erase => &[Patient],
        Action::BreakGlass | Action::BreakGlassReview | Action::RequestManage => &[Patient, Register],
        Action::DeviceView => &[System, Ward, Device],
        Action::DeviceManage | Action::DeviceMaintain => &[System, Device],
        Action::LedgerView => &[Ledger, Patient, Person],
        // Oversight reads every register in full, but not what is measured.
        Action::EvidenceView => &[System, People, Person, Ledger, Register, Retention, Project],
        Action::CharterManage
        | Action::IncidentManage
        | Action::SystemView
        | Action::BackupManage
        | Action::KeyManage => &[System],
        Action::PeopleManage => &[People, Person],
        Action::ResearchExport => &[Project],
        Action::Crosswalk => &[Register, Project, Patient],
        Action::TicketManage => &[System, Device, Register],
        Action::HoldManage => &[Patient, Retention],
        Action::RetentionManage => &[Retention],
    }
}

/// What a running emergency access opens of what the role may do at all.
pub const EMERGENCY: &[Action] =
    &[Action::LiveView, Action::HistoryView, Action::IdentityView, Action::AlarmAcknowledge, Action::AlarmLimits];

/// What a restriction (Art. 18 GDPR) stops. Care at the bed, the patient's own rights and the handling of the restriction itself go on.
pub const RESTRICTED: &[Action] = &[Action::HistoryView, Action::Export, Action::Crosswalk];

/// What needs a passkey, or the machine itself: what could change who may do what, or unmake a proof.
pub const ADMINISTRATION: &[Action] = &[
    Action::PeopleManage,
    Action::CharterManage,
    Action::KeyManage,
    Action::BackupManage,
    Action::Erase,
    Action::Crosswalk,
];

/// What shows a patient to someone: the only actions a purpose that rests on consent can stand behind. Nobody is put into a bed, and no alarm is
/// acknowledged, for the sake of relatives or research.
pub const DISCLOSING: &[Action] =
    &[Action::LiveView, Action::HistoryView, Action::IdentityView, Action::Export, Action::ResearchExport];

/// What can take a right, a consent or a way in away from somebody. That act alone may go on with a record that waits in the spool: it opens nothing, and
/// whoever takes something back must not wait for a disk (decision 0126).
pub const PROTECTIVE: &[Action] =
    &[Action::ConsentManage, Action::OwnView, Action::PeopleManage, Action::TicketManage, Action::DeviceManage];

/// Actions that may name data of the charter without a list of their own in the role: a patient's copy and a patient's erasure are about all there is.
pub const WHOLE: &[Action] = &[Action::RequestManage, Action::Erase, Action::HoldManage];
