//! The closed lists of the schema: every word a charter may use where it has to choose.

/// A closed list of words.
pub trait Word: Copy + 'static {
    /// All of them, in the order a reader expects.
    const ALL: &'static [(&'static str, Self)];

    /// The one written `text`.
    #[must_use]
    fn from_word(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// As it is written in a charter.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl Word for $name {
            const ALL: &'static [(&'static str, Self)] = &[$(($word, Self::$variant),)*];
        }
    )*};
}

words! {
    /// Which data-protection law applies to the controller.
    Regime {
        /// Regulation (EU) 2016/679.
        Gdpr = "gdpr",
        /// Gesetz über den Kirchlichen Datenschutz (Catholic dioceses).
        Kdg = "kdg",
        /// Datenschutzgesetz der Evangelischen Kirche in Deutschland.
        DsgEkd = "dsg-ekd",
    }

    /// What sort of device.
    DeviceKind {
        /// Bedside monitor.
        Monitor = "monitor",
        /// Infusion or syringe pump.
        InfusionPump = "infusion-pump",
        /// Senses movement or presence in bed.
        MovementSensor = "movement-sensor",
        /// Pulse oximeter.
        PulseOximeter = "pulse-oximeter",
        /// Thermometer.
        Thermometer = "thermometer",
        /// Cuff.
        BloodPressure = "blood-pressure",
        /// Ventilator.
        Ventilator = "ventilator",
        /// Brings the values of several devices.
        Gateway = "gateway",
        /// Only for tests and measurements, never at a patient.
        TestEquipment = "test-equipment",
    }

    /// On which way firmware may change.
    UpdatePath {
        /// Signed, in rings, with a way back: through Obhut.
        Staged = "staged",
        /// By the maker's technician at the device.
        Manufacturer = "manufacturer",
        /// Not at all.
        Never = "never",
    }

    /// Whether a device must show that its hardware and software are genuine.
    Attestation {
        /// No evidence, no connection.
        Required = "required",
        /// Evidence is asked for and its absence shown.
        Preferred = "preferred",
        /// Not asked for.
        None = "none",
    }

    /// Transport of a flow.
    Protocol {
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
    }

    /// What a role may do.
    Permission {
        /// See live values of beds.
        LiveView = "live-view",
        /// See stored values.
        HistoryView = "history-view",
        /// See who the patient is.
        IdentityView = "identity-view",
        /// Bind a patient to a bed, and end it.
        Bind = "bind",
        /// Acknowledge and pause alarms.
        AlarmAcknowledge = "alarm-acknowledge",
        /// Set a bed's alarm limits.
        AlarmLimits = "alarm-limits",
        /// Take values out of the system.
        Export = "export",
        /// Look at a patient outside the treatment relation in an emergency.
        BreakGlass = "break-glass",
        /// Judge such looks afterwards.
        BreakGlassReview = "break-glass-review",
        /// See devices, their state and signal quality, without values.
        DeviceView = "device-view",
        /// Enrol and revoke devices.
        DeviceManage = "device-manage",
        /// Maintain devices: updates, logs, tests.
        DeviceMaintain = "device-maintain",
        /// Read the ledger.
        LedgerView = "ledger-view",
        /// Read evidence, documents and figures.
        EvidenceView = "evidence-view",
        /// Put another charter in force.
        CharterManage = "charter-manage",
        /// Answer requests of patients: access, correction, erasure.
        RequestManage = "request-manage",
        /// Erase a patient.
        Erase = "erase",
        /// Run incidents and exercises.
        IncidentManage = "incident-manage",
        /// Invite people, give and take roles, record trainings, end sessions.
        PeopleManage = "people-manage",
        /// Take and withdraw consents for a patient.
        ConsentManage = "consent-manage",
        /// As a patient: own values, own notices, own consents and requests, and who saw what.
        OwnView = "own-view",
        /// Take a project's pseudonymised set, after the k-check.
        ResearchExport = "research-export",
        /// Ask, or agree as the second person, which patient a pseudonym belongs to.
        Crosswalk = "crosswalk",
        /// See the state of the system: storage, ledger, backups, configuration; no values, no names.
        SystemView = "system-view",
        /// Open and close tickets for people of other firms.
        TicketManage = "ticket-manage",
        /// Set and release legal holds.
        HoldManage = "hold-manage",
        /// Run the deletion job.
        RetentionManage = "retention-manage",
        /// Make, check and restore backups.
        BackupManage = "backup-manage",
        /// Turn over keys.
        KeyManage = "key-manage",
    }

    /// Whose data a role reaches, and through what.
    Relation {
        /// Patients who lie on a ward the role was given for.
        Ward = "ward",
        /// Patients for whom the person is responsible.
        Case = "case",
        /// The patient himself.
        Own = "own",
        /// What an open ticket names.
        Ticket = "ticket",
        /// No patient.
        None = "none",
    }

    /// When a retention period begins. DIN 66398 knows three sorts: collection, end of a process, end of a relation.
    RetentionStart {
        /// When the value was measured.
        Measurement = "measurement",
        /// When the record was made.
        Creation = "creation",
        /// When the stay on the ward ended.
        EndOfStay = "end-of-stay",
        /// When the treatment ended.
        EndOfTreatment = "end-of-treatment",
        /// When a consent was withdrawn or ran out.
        EndOfConsent = "end-of-consent",
        /// When the device was taken out of use.
        Decommissioning = "decommissioning",
        /// When something newer took its place.
        Supersession = "supersession",
        /// When the case was closed: a request answered, an emergency access reviewed, a hold released.
        Closing = "closing",
        /// When the person left.
        Departure = "departure",
    }

    /// What a retention class covers besides measured values.
    Covers {
        /// Who looked at what.
        AccessLog = "access-log",
        /// Technical and security events.
        SecurityLog = "security-log",
        /// The charted part of the treatment record.
        TreatmentRecord = "treatment-record",
        /// Bindings of devices, beds and patients.
        Binding = "binding",
        /// Consents and withdrawals.
        Consent = "consent",
        /// Incidents, assessments, versions of the charter.
        Accountability = "accountability",
        /// Technical data of devices.
        DeviceTelemetry = "device-telemetry",
        /// Maintenance and life of a device.
        DeviceFile = "device-file",
        /// Backups.
        Backup = "backup",
        /// Names, birth dates and record numbers.
        Identity = "identity",
        /// Requests of patients and what became of them.
        Request = "request",
        /// Emergency accesses and their reviews.
        BreakGlass = "break-glass",
        /// The register of people: names, roles, trainings, passkeys, sessions.
        People = "people",
        /// Tickets of people from other firms.
        Ticket = "ticket",
        /// Legal holds.
        Hold = "hold",
        /// Certificates of erasure, which hold no content.
        ErasureCertificate = "erasure-certificate",
        /// Which export a project was given, and who asked behind a pseudonym.
        Disclosure = "disclosure",
    }

    /// What a contract with a recipient makes of it.
    ContractKind {
        /// Works on instructions (Art. 28 GDPR).
        Processor = "processor",
        /// Decides together with the hospital (Art. 26 GDPR).
        JointController = "joint-controller",
        /// Decides alone.
        Controller = "controller",
    }

    /// The standard an interface speaks.
    InterfaceKind {
        /// HL7 FHIR R4.
        Fhir = "fhir",
        /// HL7 version 2.
        Hl7 = "hl7",
        /// ISO/IEEE 11073 SDC.
        Sdc = "sdc",
    }

    /// Which way data go, seen from Obhut.
    Direction {
        /// In.
        In = "in",
        /// Out.
        Out = "out",
        /// Both ways.
        Both = "both",
    }

    /// How urgent an alarm is (IEC 60601-1-8).
    Priority {
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
    }

    /// What can go wrong with equipment, links and signals, and is an alarm.
    AlarmPart {
        /// A sensor or electrode is off.
        LeadOff = "lead-off",
        /// A watched value is missing or stale.
        NoSignal = "no-signal",
        /// The device or a detector doubts the value.
        SuspectData = "suspect-data",
        /// A device is gone.
        DeviceLost = "device-lost",
        /// The link to a bed is gone.
        LinkLost = "link-lost",
        /// A battery is low.
        LowBattery = "low-battery",
        /// A device's clock is off.
        ClockOff = "clock-off",
        /// Values arrive from a bed in standby.
        StandbyValues = "standby-values",
        /// Nobody answered to the end of the escalation.
        Unanswered = "unanswered",
        /// A gateway is gone.
        GatewayLost = "gateway-lost",
        /// A server is gone.
        ServerLost = "server-lost",
        /// The store does not store.
        StoreLost = "store-lost",
        /// The ledger does not record.
        LedgerLost = "ledger-lost",
        /// A display of the ward does not answer.
        DisplayLost = "display-lost",
    }

    /// What detectors find, and is an alarm where it is declared.
    AlarmFinding {
        /// No heart beat.
        Asystole = "asystole",
        /// Ventricular fibrillation or flutter.
        VentricularFibrillation = "ventricular-fibrillation",
        /// Ventricular tachycardia.
        VentricularTachycardia = "ventricular-tachycardia",
        /// Extremely slow.
        ExtremeBradycardia = "extreme-bradycardia",
        /// Extremely fast.
        ExtremeTachycardia = "extreme-tachycardia",
        /// No breath.
        Apnoea = "apnoea",
        /// The patient left a bed that is watched.
        BedExit = "bed-exit",
        /// A fall.
        Fall = "fall",
        /// Time to turn the patient.
        RepositioningDue = "repositioning-due",
        /// An infusion ends soon.
        InfusionNearEnd = "infusion-near-end",
        /// An infusion has ended.
        InfusionEnded = "infusion-ended",
    }

    /// Which new alarm ends an audio pause.
    PauseBreak {
        /// One more urgent than all that were there when the pause began.
        MoreUrgent = "more-urgent",
        /// Any.
        Any = "any",
    }

    /// Which step a gate opens.
    Stage {
        /// The pilot.
        Pilot = "pilot",
        /// The roll-out.
        Rollout = "rollout",
    }

    /// Who may sign a gate.
    Approver {
        /// Data-protection officer.
        Dpo = "dpo",
        /// Information-security officer.
        SecurityOfficer = "security-officer",
        /// Medical-device safety officer.
        DeviceSafetyOfficer = "device-safety-officer",
        /// The ward's medical lead.
        MedicalLead = "medical-lead",
        /// The ward's nursing lead.
        NursingLead = "nursing-lead",
        /// Management of the hospital.
        Management = "management",
    }
}

impl Covers {
    /// Whether this program stores it, so that a charter must say how long.
    #[must_use]
    pub const fn is_stored(self) -> bool {
        !matches!(self, Self::TreatmentRecord | Self::SecurityLog | Self::DeviceTelemetry)
    }
}

impl AlarmPart {
    /// Whether it is the loss of a part of the system, which has to be signalled soon.
    #[must_use]
    pub const fn is_loss(self) -> bool {
        matches!(
            self,
            Self::DeviceLost
                | Self::LinkLost
                | Self::GatewayLost
                | Self::ServerLost
                | Self::StoreLost
                | Self::LedgerLost
                | Self::DisplayLost
        )
    }
}

impl Relation {
    /// Whether it is a relation to patients: through a ward, a case, or being the patient.
    #[must_use]
    pub const fn reaches_patients(self) -> bool {
        matches!(self, Self::Ward | Self::Case | Self::Own)
    }
}

impl Permission {
    /// Whether it shows values of patients, so that a role with it has to say which.
    #[must_use]
    pub const fn shows_values(self) -> bool {
        matches!(self, Self::LiveView | Self::HistoryView | Self::Export | Self::BreakGlass | Self::OwnView)
    }

    /// Whether it is part of treatment (or of being the patient) and so needs a relation to that patient. Emergency access is what there is without one.
    #[must_use]
    pub const fn needs_relation(self) -> bool {
        matches!(
            self,
            Self::LiveView
                | Self::HistoryView
                | Self::IdentityView
                | Self::Bind
                | Self::AlarmAcknowledge
                | Self::AlarmLimits
                | Self::Export
                | Self::ConsentManage
                | Self::OwnView
        )
    }

    /// Whether it reaches data of patients at all, so that a role with it has to be trained.
    #[must_use]
    pub const fn reaches_patients(self) -> bool {
        self.shows_values()
            || matches!(
                self,
                Self::IdentityView
                    | Self::Bind
                    | Self::AlarmLimits
                    | Self::RequestManage
                    | Self::Erase
                    | Self::ConsentManage
                    | Self::ResearchExport
                    | Self::Crosswalk
                    | Self::HoldManage
            )
    }
}
