//! The charter as it was written, section by section, every value already parsed into its own type.
//!
//! Not the rules (see [`crate::rules`]): this is what explains, documents and compares. Types here are made only by the decoder; that
//! their references hold and their numbers agree is what [`crate::check`] adds.

use crate::law::LegalGround;
use crate::{At, Date, Period, Rate};
use obhut_model::{BedId, Code, Decimal, ModelId, WardId};
use std::fmt;
use std::sync::Arc;

mod alarms;
mod words;
pub use alarms::{Alarm, Alarms, CallStep, Combined, Escalation, Part, Settable, Signal};
pub use words::{
    AlarmFinding, AlarmPart, Approver, Attestation, ContractKind, Covers, DeviceKind, Direction, InterfaceKind,
    PauseBreak, Permission, Priority, Protocol, Regime, Relation, RetentionStart, Stage, UpdatePath, Word,
};

/// A whole charter. [`Charter::parse`] is the only way to get one.
#[derive(Debug, Clone, PartialEq)]
pub struct Charter {
    /// What it is called, shown on pages and in records.
    pub name: At<String>,
    /// Who answers for it.
    pub controller: Controller,
    /// Where it holds.
    pub ward: Ward,
    /// How long access lasts, and what must stay apart.
    pub access: Access,
    /// How alarms are signalled; absent: the ward has none.
    pub alarms: Option<Alarms>,
    /// Everything declared.
    pub entries: Entries,
}

/// All sections that list entries. What is not listed is not allowed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entries {
    /// `[[purpose]]`
    pub purposes: Vec<Purpose>,
    /// `[[data]]`
    pub data: Vec<Data>,
    /// `[[device_model]]`
    pub models: Vec<DeviceModel>,
    /// `[[zone]]`
    pub zones: Vec<Zone>,
    /// `[[flow]]`
    pub flows: Vec<Flow>,
    /// `[[role]]`
    pub roles: Vec<Role>,
    /// `[[retention]]`
    pub retention: Vec<Retention>,
    /// `[[recipient]]`
    pub recipients: Vec<Recipient>,
    /// `[[interface]]`
    pub interfaces: Vec<Interface>,
    /// `[[alarm]]`
    pub alarms: Vec<Alarm>,
    /// `[[gate]]`
    pub gates: Vec<Gate>,
    /// `[[kpi]]`
    pub kpis: Vec<Kpi>,
    /// `[[consent_form]]`
    pub consent_forms: Vec<ConsentForm>,
    /// `[[project]]`
    pub projects: Vec<Project>,
    /// `[[notice]]`
    pub notices: Vec<Notice>,
}

/// The name of an entry inside the charter: `[a-z0-9][a-z0-9-]*`, like every other identifier of the house.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Arc<str>);

impl Id {
    /// # Errors
    /// [`obhut_model::IdError`], saying which character or length is wrong.
    pub fn new(text: &str) -> Result<Self, obhut_model::IdError> {
        // One alphabet for all identifiers; the model type knows it.
        ModelId::new(text).map(|id| Self(Arc::from(id.as_str())))
    }

    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A sentence in both languages. A plain string in the file stands for both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// German.
    pub de: String,
    /// English.
    pub en: String,
}

/// `[controller]`: who decides on purposes and means (Art. 4(7) GDPR), and whom to ask.
#[derive(Debug, Clone, PartialEq)]
pub struct Controller {
    /// Legal name.
    pub name: At<String>,
    /// Which data-protection law applies.
    pub regime: At<Regime>,
    /// The supervisory authority for complaints (Art. 13(2)(d) GDPR).
    pub authority: Option<At<String>>,
    /// Data-protection officer.
    pub dpo: At<Contact>,
    /// Information-security officer.
    pub security_officer: At<Contact>,
    /// Medical-device safety officer (MPBetreibV).
    pub device_safety_officer: At<Contact>,
}

/// A function in the house and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Name of the person or, better, of the function.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Telephone.
    pub phone: Option<String>,
}

/// `[ward]`
#[derive(Debug, Clone, PartialEq)]
pub struct Ward {
    /// Key.
    pub id: At<WardId>,
    /// As people say it.
    pub name: At<String>,
    /// Its beds, in the order of the screen.
    pub beds: Vec<Bed>,
}

/// One bed: `{ id = "bed-01", label = "3.01-1" }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Bed {
    /// Key.
    pub id: At<BedId>,
    /// What stands on the wall and on the screen.
    pub label: At<String>,
}

/// `[[purpose]]`: what for, and by which right.
#[derive(Debug, Clone, PartialEq)]
pub struct Purpose {
    /// Key.
    pub id: At<Id>,
    /// What for, in words.
    pub text: At<Text>,
    /// Lawfulness: Art. 6(1) GDPR, § 6 KDG or § 6 DSG-EKD. At least one.
    pub basis: Vec<At<&'static LegalGround>>,
    /// Exception for health data: Art. 9(2) GDPR, § 11(2) KDG or § 13(2) DSG-EKD.
    pub exception: Vec<At<&'static LegalGround>>,
    /// The national law behind them, as a lawyer cites it.
    pub law: Vec<At<String>>,
    /// The duty of secrecy of those who process (Art. 9(3) GDPR).
    pub secrecy: Option<At<String>>,
    /// Whether health data are processed for it. True unless said otherwise.
    pub health_data: At<bool>,
    /// Whether nothing may happen without the patient's consent.
    pub needs_consent: At<bool>,
    /// How long raw waveforms may be kept for it at most; absent: not at all.
    pub raw_max: Option<At<Period>>,
}

/// `[[data]]`: one kind of value and why it is needed.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// Key.
    pub id: At<Id>,
    /// What is measured.
    pub code: At<Code>,
    /// What for.
    pub purpose: At<Id>,
    /// Why that purpose cannot do without it (Art. 5(1)(c) GDPR).
    pub necessity: At<Text>,
    /// How often at most.
    pub rate_max: At<Rate>,
    /// How long after one value the next is due; one over `rate_max` if not given.
    pub period: Option<At<Period>>,
    /// Finest step that may be known.
    pub resolution: At<Decimal>,
    /// How long.
    pub retention: At<Id>,
    /// Whether a value needs a bound patient. True unless said otherwise.
    pub needs_patient: At<bool>,
}

/// `[[device_model]]`: what devices of one model may do.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceModel {
    /// Key.
    pub id: At<ModelId>,
    /// Maker.
    pub maker: At<String>,
    /// The maker's name for it.
    pub name: At<String>,
    /// What sort of device.
    pub kind: At<DeviceKind>,
    /// What it may send.
    pub sends: Vec<Send>,
    /// Most messages a second over ten seconds.
    pub messages_per_second_max: At<u32>,
    /// Largest payload, bytes.
    pub payload_bytes_max: At<u32>,
    /// How its firmware may change; absent: not at all.
    pub firmware: Option<At<Firmware>>,
    /// Whether it must show that its hardware and software are genuine.
    pub attestation: Option<At<Attestation>>,
    /// Whether a life hangs on it.
    pub life_supporting: At<bool>,
}

/// One item of `sends`: a data id, or `{ data = "…", rate_max = "…", period = "…" }` for less than the data allow.
#[derive(Debug, Clone, PartialEq)]
pub struct Send {
    /// Which data.
    pub data: At<Id>,
    /// A lower rate than the data's.
    pub rate_max: Option<At<Rate>>,
    /// Another period than the data's.
    pub period: Option<At<Period>>,
}

/// How firmware may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firmware {
    /// On which way.
    pub update: UpdatePath,
    /// Oldest version that may connect.
    pub minimum: Option<String>,
    /// Whether it may change while a patient is bound.
    pub while_in_use: bool,
}

/// `[[zone]]`: a part of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// Key.
    pub id: At<Id>,
    /// What stands in it.
    pub text: At<Text>,
    /// VLAN, 1 to 4094.
    pub vlan: At<u16>,
}

/// `[[flow]]`: one permitted connection; all others are refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// Key.
    pub id: At<Id>,
    /// The zone that opens the connection.
    pub from: At<Id>,
    /// The zone that accepts it.
    pub to: At<Id>,
    /// Port.
    pub port: At<u16>,
    /// Transport.
    pub protocol: At<Protocol>,
    /// What for.
    pub purpose: At<Id>,
    /// Who answers for it.
    pub owner: At<String>,
    /// Last day it is allowed.
    pub expiry: At<Date>,
}

/// Which data: all that are declared, or those listed.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    /// `"all"`
    All,
    /// `["hr", "spo2"]`; empty means none.
    Only(Vec<At<Id>>),
}

/// `[[role]]`: what people of one kind may do and see.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// Key.
    pub id: At<Id>,
    /// As people say it.
    pub text: At<Text>,
    /// What they may do.
    pub permissions: Vec<At<Permission>>,
    /// Through what they reach a patient or a device. Through nothing unless said otherwise.
    pub relation: At<Relation>,
    /// What for; the first is meant where nobody says. At least one for a role that may do anything.
    pub purposes: Vec<At<Id>>,
    /// Whose values they may see.
    pub data: At<Scope>,
    /// What they must have learnt; the role sleeps without it.
    pub training: Option<At<Training>>,
    /// The recipient they work for, if not the hospital.
    pub recipient: Option<At<Id>>,
}

/// What must have been learnt, and how long that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Training {
    /// What.
    pub text: Text,
    /// How many months until it must be repeated.
    pub months: u16,
}

/// `[[retention]]`: a deletion class after DIN 66398: start, period, basis.
#[derive(Debug, Clone, PartialEq)]
pub struct Retention {
    /// Key.
    pub id: At<Id>,
    /// When the period begins.
    pub start: At<RetentionStart>,
    /// How long.
    pub period: At<Period>,
    /// Which law or reason says so.
    pub basis: At<Text>,
    /// What it covers besides the data that name it.
    pub covers: Vec<At<Covers>>,
}

/// `[[recipient]]`: someone outside who gets data or access.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipient {
    /// Key.
    pub id: At<Id>,
    /// Legal name.
    pub name: At<String>,
    /// ISO 3166-1 alpha-2.
    pub country: At<String>,
    /// What for.
    pub purpose: At<Id>,
    /// Which data.
    pub data: At<Scope>,
    /// The contract it rests on.
    pub contract: At<Contract>,
    /// The pledge of secrecy (§ 203(4) StGB); a paper of its own beside the contract.
    pub secrecy_pledge: Option<At<Pledge>>,
    /// What makes a transfer to a third country lawful (Art. 44–49 GDPR), as a lawyer cites it.
    pub guarantee: Option<At<String>>,
}

/// A contract with a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Of which sort.
    pub kind: ContractKind,
    /// Where to find it.
    pub reference: String,
    /// Last day.
    pub expiry: Date,
}

/// A signed pledge of secrecy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pledge {
    /// Where to find it.
    pub reference: String,
    /// Last day.
    pub expiry: Date,
}

/// `[[interface]]`: a door to another system.
#[derive(Debug, Clone, PartialEq)]
pub struct Interface {
    /// Key.
    pub id: At<Id>,
    /// Which standard.
    pub kind: At<InterfaceKind>,
    /// What is at the other end.
    pub text: At<Text>,
    /// Which way data go, seen from Obhut.
    pub direction: At<Direction>,
    /// What for.
    pub purpose: At<Id>,
    /// Which data.
    pub data: At<Scope>,
    /// The recipient at the other end, if it is not the hospital itself.
    pub recipient: Option<At<Id>>,
    /// The signed assessment.
    pub assessment: At<Assessment>,
}

/// Who looked at an interface, when, and until when that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// Where to find it.
    pub reference: String,
    /// Who signed.
    pub signed_by: String,
    /// When.
    pub signed_on: Date,
    /// Last day it counts.
    pub expiry: Date,
}

/// `[[gate]]`: what must be shown before the next step.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// Key.
    pub id: At<Id>,
    /// What it opens, in words.
    pub text: At<Text>,
    /// Which step it opens.
    pub stage: At<Stage>,
    /// Figures that must be met.
    pub kpis: Vec<At<Id>>,
    /// Papers that must be there.
    pub evidence: Vec<At<String>>,
    /// Who must sign. At least one.
    pub approvers: Vec<At<Approver>>,
}

/// `[[kpi]]`: a figure that is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Kpi {
    /// Key.
    pub id: At<Id>,
    /// What is measured, in words.
    pub text: At<Text>,
    /// Unit.
    pub unit: At<String>,
    /// Met when at least this.
    pub at_least: Option<At<Decimal>>,
    /// Met when at most this.
    pub at_most: Option<At<Decimal>>,
    /// Over which period.
    pub over: At<Period>,
}

/// `[access]`: how long access lasts, and what must stay apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// How long those who treated a patient still reach his data after the stay or the case.
    pub after_discharge: At<Period>,
    /// How long one may stay signed in.
    pub session_max: At<Period>,
    /// After how long without a touch a screen locks.
    pub idle_lock: At<Period>,
    /// How long one emergency access lasts.
    pub break_glass_max: At<Period>,
    /// Until when a second person must have judged it.
    pub review_within: At<Period>,
    /// Reasons for an emergency access, in the order of the screen.
    pub break_glass_reasons: Vec<Reason>,
    /// Pairs of roles that one person must not hold together.
    pub apart: Vec<At<Apart>>,
    /// The role of whoever works on the machine itself; absent: that way allows nothing.
    pub console: Option<At<Id>>,
}

/// A reason one may choose: `{ id = "…", text = { de = "…", en = "…" } }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Key.
    pub id: At<Id>,
    /// As people say it.
    pub text: At<Text>,
}

/// Two roles that one person must not hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apart {
    /// One.
    pub one: Id,
    /// The other.
    pub other: Id,
}

/// `[[consent_form]]`: what a patient is asked to agree to, word for word.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsentForm {
    /// Key.
    pub id: At<Id>,
    /// For which purpose; one that needs consent.
    pub purpose: At<Id>,
    /// Which version of the wording.
    pub version: At<String>,
    /// The wording.
    pub text: At<Text>,
    /// How long a consent given on it counts.
    pub valid: At<Period>,
}

impl ConsentForm {
    /// SHA-256 of the wording a patient saw, lower-case hexadecimal: what a consent is a consent to. `lang` is `de` or `en`.
    ///
    /// Over `obhut consent form`, identifier, version and language, each ended by a zero byte, then the text.
    #[must_use]
    pub fn hash(&self, lang: crate::Lang) -> String {
        let text = match lang {
            crate::Lang::De => &self.text.de,
            crate::Lang::En => &self.text.en,
        };
        let parts = ["obhut consent form", self.id.as_str(), self.version.as_str(), lang.as_str(), text.as_str()];
        crate::check::fingerprint(parts.join("\0").as_bytes())
    }
}

/// `[[project]]`: a pseudonymised set that someone may take.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// Key; also the domain of the project's pseudonyms.
    pub id: At<Id>,
    /// What it is about.
    pub text: At<Text>,
    /// What for.
    pub purpose: At<Id>,
    /// Who gets it, if not the hospital itself.
    pub recipient: Option<At<Id>>,
    /// Which data.
    pub data: At<Scope>,
    /// How many patients must at least look alike.
    pub k_min: At<u16>,
    /// Last day.
    pub expiry: At<Date>,
}

/// `[[notice]]`: what patients are told (Art. 13 and 14 GDPR), word for word.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Key.
    pub id: At<Id>,
    /// Which version of the wording.
    pub version: At<String>,
    /// The wording.
    pub text: At<Text>,
}
