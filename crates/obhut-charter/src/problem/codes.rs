//! The stable codes of everything a check can find. A code never changes its meaning; a new finding gets a new code.

use std::fmt;

/// Whether a charter with it can come in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but someone should look.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($severity:ident: $($(#[$doc:meta])+ $name:ident = $text:literal,)+)+) => {
        /// What was found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ProblemCode { $($($(#[$doc])+ $name,)+)+ }

        impl ProblemCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$($(Self::$name,)+)+];

            /// The code as it is printed and documented, `charter::…`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($(Self::$name => concat!("charter::", $text),)+)+ }
            }

            /// Error or warning.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $($(Self::$name => Severity::$severity,)+)+ }
            }
        }
    };
}

codes! {
    Error:
    /// Not TOML.
    Syntax = "syntax",
    /// Not UTF-8.
    NotUtf8 = "not_utf8",
    /// The file is larger than allowed.
    TooLarge = "too_large",
    /// More entries or items than allowed.
    TooMany = "too_many",
    /// A key the schema does not have.
    UnknownKey = "unknown_key",
    /// A key that must be there is not.
    MissingKey = "missing_key",
    /// A value of another type than the schema wants.
    WrongType = "wrong_type",
    /// A value that cannot be read: rate, period, date, number, identifier.
    BadValue = "bad_value",
    /// A word that is not in the closed list.
    UnknownWord = "unknown_word",
    /// A number outside its bounds.
    OutOfBounds = "out_of_bounds",
    /// A schema version this program does not know.
    UnknownSchema = "unknown_schema",
    /// Two entries of one section with one name.
    DuplicateId = "duplicate_id",
    /// The same item twice in one list.
    RepeatedItem = "repeated_item",
    /// A name that nothing declares.
    DanglingReference = "dangling_reference",
    /// A purpose with no ground that makes it lawful.
    PurposeWithoutBasis = "purpose_without_basis",
    /// Health data for a purpose with no exception that allows them.
    PurposeWithoutException = "purpose_without_exception",
    /// A ground of another law than the controller's, or in the wrong list.
    GroundOfOtherKind = "ground_of_other_kind",
    /// A ground that needs a law beside it, and none is named.
    GroundWithoutLaw = "ground_without_law",
    /// The health-care exception without a duty of secrecy.
    GroundWithoutSecrecy = "ground_without_secrecy",
    /// Consent asked for without a ground that is consent, or the other way round.
    ConsentContradiction = "consent_contradiction",
    /// Health data under a purpose that says it has none.
    HealthDataUndeclared = "health_data_undeclared",
    /// Data without a reason.
    DataWithoutNecessity = "data_without_necessity",
    /// Data without a retention class.
    DataWithoutRetention = "data_without_retention",
    /// A code the table does not know.
    UnknownCode = "unknown_code",
    /// A resolution of zero or less.
    ResolutionNotPositive = "resolution_not_positive",
    /// A rate beyond what any signal of its kind needs.
    RateBeyondSense = "rate_beyond_sense",
    /// A period shorter than the rate allows.
    PeriodBelowRate = "period_below_rate",
    /// One code for one purpose declared twice.
    DataTwice = "data_twice",
    /// One code in two retention classes.
    TwoRetentionClasses = "two_retention_classes",
    /// A model that may send more often than the data need.
    RateAboveNeed = "rate_above_need",
    /// A model that sends one code under two data entries.
    CodeSentTwice = "code_sent_twice",
    /// A model whose limits do not let it send what it may.
    ModelCannotSend = "model_cannot_send",
    /// A life-supporting model without a firmware policy.
    LifeSupportingWithoutFirmware = "life_supporting_without_firmware",
    /// A life-supporting model without an attestation policy.
    LifeSupportingWithoutAttestation = "life_supporting_without_attestation",
    /// A life-supporting model that may be updated at the patient.
    LifeSupportingUpdateInUse = "life_supporting_update_in_use",
    /// Two zones in one VLAN.
    VlanShared = "vlan_shared",
    /// A flow nobody answers for.
    FlowWithoutOwner = "flow_without_owner",
    /// A flow without an end.
    FlowWithoutExpiry = "flow_without_expiry",
    /// A flow that has ended.
    FlowExpired = "flow_expired",
    /// The same connection declared twice.
    FlowTwice = "flow_twice",
    /// A role that shows values without saying which.
    RoleWithoutData = "role_without_data",
    /// Permissions that must not meet in one role.
    ToxicPermissions = "toxic_permissions",
    /// A role that may do something, but for no purpose.
    RoleWithoutPurpose = "role_without_purpose",
    /// A role that may do something to patients, but reaches none.
    RoleWithoutRelation = "role_without_relation",
    /// A patient's role that may do what staff do, or the other way round.
    OwnAndStaff = "own_and_staff",
    /// People of another firm who would come in without a ticket.
    ExternalWithoutTicket = "external_without_ticket",
    /// Nobody who may read the ledger and the evidence.
    NobodyOversees = "nobody_oversees",
    /// Emergency access without a reason to choose.
    NoEmergencyReason = "no_emergency_reason",
    /// A role kept apart from itself, or the same pair twice.
    ApartFromItself = "apart_from_itself",
    /// A role for the machine's own socket that belongs to patients or to another firm.
    ConsoleNotStaff = "console_not_staff",
    /// A consent form for a purpose that needs no consent.
    FormWithoutNeed = "form_without_need",
    /// A project without data.
    ProjectWithoutData = "project_without_data",
    /// A project that gives its recipient what the recipient is not declared to get.
    ProjectBeyondRecipient = "project_beyond_recipient",
    /// A project that has ended.
    ProjectExpired = "project_expired",
    /// Something this program stores that no retention class covers.
    RetentionMissing = "retention_missing",
    /// People of another firm who would see who the patient is.
    ExternalSeesIdentity = "external_sees_identity",
    /// A retention period of zero.
    RetentionZero = "retention_zero",
    /// Measured values under a class that does not begin at measurement.
    RetentionNotFromMeasurement = "retention_not_from_measurement",
    /// Raw waveforms kept longer than their purpose allows.
    RawKeptTooLong = "raw_kept_too_long",
    /// Raw waveforms kept longer than the numerics of the same purpose.
    RawOutlivesNumerics = "raw_outlives_numerics",
    /// A period below the law's minimum.
    RetentionBelowLaw = "retention_below_law",
    /// Two classes for one kind of record.
    RetentionCoveredTwice = "retention_covered_twice",
    /// A contract that has ended.
    ContractExpired = "contract_expired",
    /// An external recipient without a pledge of secrecy.
    RecipientWithoutPledge = "recipient_without_pledge",
    /// A pledge of secrecy that has ended.
    PledgeExpired = "pledge_expired",
    /// A third country without a guarantee.
    ThirdCountryWithoutGuarantee = "third_country_without_guarantee",
    /// An interface nobody assessed and signed.
    InterfaceUnsigned = "interface_unsigned",
    /// An assessment that has ended or lies in the future.
    AssessmentNotValid = "assessment_not_valid",
    /// An alarm without a limit.
    AlarmWithoutLimit = "alarm_without_limit",
    /// A lower limit not below the upper one.
    AlarmLimitsCrossed = "alarm_limits_crossed",
    /// An alarm limit on a waveform.
    AlarmOnWaveform = "alarm_on_waveform",
    /// The same value and priority twice.
    AlarmTwice = "alarm_twice",
    /// A more urgent limit inside a less urgent one.
    AlarmPriorityReversed = "alarm_priority_reversed",
    /// Alarms that are not whole: something is missing, contradicts itself or could never sound.
    AlarmIncomplete = "alarm_incomplete",
    /// The loss of a part signalled too late.
    AlarmTooLate = "alarm_too_late",
    /// A gate nobody signs.
    GateWithoutApprover = "gate_without_approver",
    /// A figure without a target, or with two that exclude each other.
    KpiWithoutTarget = "kpi_without_target",

    Warning:
    /// The articles of this regime have not been compared with the promulgated text.
    RegimeUnverified = "regime_unverified",
    /// A ward without beds shows nothing.
    WardWithoutBeds = "ward_without_beds",
    /// A purpose nothing serves.
    PurposeUnused = "purpose_unused",
    /// Data no model sends.
    DataUnused = "data_unused",
    /// A retention class nothing is in.
    RetentionUnused = "retention_unused",
    /// A figure no gate asks for.
    KpiUnused = "kpi_unused",
    /// A numeric more often than a person can read.
    RateUnusual = "rate_unusual",
    /// A model that may send nothing.
    ModelSendsNothing = "model_sends_nothing",
    /// A flow inside one zone, which no rule between zones sees.
    FlowWithinZone = "flow_within_zone",
    /// Something that ends within a month.
    ExpiresSoon = "expires_soon",
    /// A purpose that needs consent, and nothing to ask the patient with.
    ConsentWithoutForm = "consent_without_form",
    /// A role that lists data but may not see values.
    RoleDataUnused = "role_data_unused",
    /// A role that reaches patients without training.
    RoleWithoutTraining = "role_without_training",
    /// A period below a minimum that the law has announced.
    RetentionBelowComingLaw = "retention_below_coming_law",
    /// An alarm limit finer than the value is known.
    AlarmLimitTooFine = "alarm_limit_too_fine",
    /// A gate without a figure.
    GateWithoutKpi = "gate_without_kpi",
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
