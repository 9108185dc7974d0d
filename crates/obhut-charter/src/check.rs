//! From the schema to a charter that holds together: references, duplicates, law, need, retention, network, people, time.
//!
//! Not for the form of single values (see `decode`) and not for what happens at run time. Today comes in as an argument.
//! What always holds: all checks run, whatever the earlier ones found; a charter with an error never becomes [`Checked`].

mod access;
mod alarms;
mod care;
mod data;
mod model;
mod network;
mod outside;
mod purpose;
mod references;
mod retention;
mod role;

use crate::decode::{Draft, decode};
use crate::problem::{Problem, ProblemCode, Problems, Severity};
use crate::schema::{
    Access, Alarm, Alarms, Bed, Charter, ConsentForm, Controller, Covers, Data, DeviceKind, DeviceModel, Entries, Id,
    Notice, Project, Purpose, Recipient, Regime, Retention, Role, Send, Ward,
};
use crate::{At, Date, Period, Rate};
use aws_lc_rs::digest;
use obhut_model::{BedId, ModelId};
use std::fmt::Write as _;
use std::ops::Range;

impl Charter {
    /// Reads and checks a charter. `file_name` is only shown; `today` decides what has ended.
    ///
    /// # Errors
    /// [`Problems`] with everything that is wrong, if any of it is an error. Warnings alone are kept in [`Checked::warnings`].
    pub fn parse(file_name: &str, text: &str, today: Date) -> Result<Checked, Problems> {
        let mut list = Vec::new();
        let draft = decode(text, &mut list);
        let form_is_good = list.is_empty();
        // A text that is not TOML, or too large, says nothing that could be checked further.
        if draft.readable {
            list.extend(semantic(&draft, today));
        }
        let dangling = list.iter().any(|problem| problem.code == ProblemCode::DanglingReference);
        if !form_is_good || dangling {
            // What a broken entry or a misspelt name would have used may look unused: no warnings then.
            list.retain(|problem| problem.severity() == Severity::Error);
        }
        let problems = Problems::new(file_name, text, list);
        let Draft {
            name: Some(name),
            controller: Some(controller),
            ward: Some(ward),
            access: Some(access),
            alarms,
            entries,
            ..
        } = draft
        else {
            return Err(problems);
        };
        if problems.has_errors() {
            return Err(problems);
        }
        Ok(Checked {
            charter: Self { name, controller, ward, access, alarms: alarms.map(At::into_inner), entries },
            warnings: problems,
            fingerprint: fingerprint(text.as_bytes()),
        })
    }

    /// Like [`Charter::parse`], for bytes that have not been shown to be text yet.
    ///
    /// # Errors
    /// As [`Charter::parse`], and [`ProblemCode::NotUtf8`].
    pub fn parse_bytes(file_name: &str, bytes: &[u8], today: Date) -> Result<Checked, Problems> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(file_name, text, today),
            Err(error) => {
                let (good, _) = bytes.split_at(error.valid_up_to());
                let text = String::from_utf8_lossy(good);
                let problem =
                    Problem::new(ProblemCode::NotUtf8, text.len()..text.len(), "the file is not UTF-8 from here on")
                        .hint("save it as UTF-8; umlauts of an older encoding are the usual cause");
                Err(Problems::new(file_name, &text, vec![problem]))
            }
        }
    }
}

pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().fold(String::with_capacity(64), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn semantic(draft: &Draft, today: Date) -> Vec<Problem> {
    let mut check = Check { draft, entries: &draft.entries, today, problems: Vec::new() };
    references::check(&mut check);
    purpose::check(&mut check);
    data::check(&mut check);
    model::check(&mut check);
    retention::check(&mut check);
    network::check(&mut check);
    role::check(&mut check);
    outside::check(&mut check);
    alarms::check(&mut check);
    care::check(&mut check);
    access::check(&mut check);
    check.problems
}

/// What all checks share.
struct Check<'a> {
    draft: &'a Draft,
    entries: &'a Entries,
    today: Date,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    fn found(
        &mut self,
        code: ProblemCode,
        span: Range<usize>,
        message: impl Into<String>,
        label: &str,
        hint: impl Into<String>,
    ) {
        self.problems.push(Problem::new(code, span, message).label(label).hint(hint));
    }

    fn found_with(
        &mut self,
        code: ProblemCode,
        span: Range<usize>,
        message: impl Into<String>,
        label: &str,
        hint: impl Into<String>,
        related: (Range<usize>, &str),
    ) {
        self.problems.push(Problem::new(code, span, message).label(label).hint(hint).related(related.0, related.1));
    }

    fn regime(&self) -> Option<Regime> {
        self.draft.controller.as_ref().map(|controller| *controller.regime)
    }

    fn purpose(&self, id: &Id) -> Option<&'a Purpose> {
        self.entries.purposes.iter().find(|purpose| *purpose.id == *id)
    }

    fn data(&self, id: &Id) -> Option<&'a Data> {
        self.entries.data.iter().find(|data| *data.id == *id)
    }

    fn retention(&self, id: &Id) -> Option<&'a Retention> {
        self.entries.retention.iter().find(|retention| *retention.id == *id)
    }

    /// An error when `expiry` lies before today, a warning when it is near. `what` like "flow `x`".
    fn expiry(&mut self, code: ProblemCode, span: Range<usize>, what: &str, expiry: Date) {
        let left = expiry.days_since(self.today);
        if left < 0 {
            let message = format!("{what} ended on {expiry}");
            self.found(code, span, message, "has ended", "look at it again and set a new end, or remove it");
        } else if left <= crate::limits::EXPIRY_WARNING_DAYS {
            let message = format!("{what} ends on {expiry}, in {left} days");
            let hint = "renew it in time: after that day this charter is refused when it is loaded";
            self.found(ProblemCode::ExpiresSoon, span, message, "ends soon", hint);
        }
    }
}

/// A charter without errors. The only way to rules.
#[derive(Debug, Clone)]
pub struct Checked {
    charter: Charter,
    warnings: Problems,
    fingerprint: String,
}

impl Checked {
    /// Everything declared.
    #[must_use]
    pub const fn charter(&self) -> &Charter {
        &self.charter
    }

    /// What someone should look at, though it does not stand in the way.
    #[must_use]
    pub const fn warnings(&self) -> &Problems {
        &self.warnings
    }

    /// SHA-256 of the charter's bytes, lower-case hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// What the charter is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.charter.name
    }

    /// Who answers for it.
    #[must_use]
    pub const fn controller(&self) -> &Controller {
        &self.charter.controller
    }

    /// Where it holds.
    #[must_use]
    pub const fn ward(&self) -> &Ward {
        &self.charter.ward
    }

    /// The ward's beds, in the order of the screen.
    #[must_use]
    pub fn beds(&self) -> &[Bed] {
        &self.charter.ward.beds
    }

    /// One bed.
    #[must_use]
    pub fn bed(&self, id: &BedId) -> Option<&Bed> {
        self.beds().iter().find(|bed| *bed.id == *id)
    }

    /// The device models.
    #[must_use]
    pub fn models(&self) -> &[DeviceModel] {
        &self.charter.entries.models
    }

    /// One device model.
    #[must_use]
    pub fn model(&self, id: &ModelId) -> Option<&DeviceModel> {
        self.models().iter().find(|model| *model.id == *id)
    }

    /// What sort of device a model is.
    #[must_use]
    pub fn model_kind(&self, id: &ModelId) -> Option<DeviceKind> {
        self.model(id).map(|model| *model.kind)
    }

    /// The alarm limits a bed starts with.
    #[must_use]
    pub fn alarms(&self) -> &[Alarm] {
        &self.charter.entries.alarms
    }

    /// How alarms are signalled, paused and passed on; `None`: the ward has none.
    #[must_use]
    pub const fn alarm_rules(&self) -> Option<&Alarms> {
        self.charter.alarms.as_ref()
    }

    /// How long access lasts, and what must stay apart.
    #[must_use]
    pub const fn access(&self) -> &Access {
        &self.charter.access
    }

    /// One role.
    #[must_use]
    pub fn role(&self, id: &str) -> Option<&Role> {
        self.charter.entries.roles.iter().find(|role| role.id.as_str() == id)
    }

    /// Every role.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.charter.entries.roles
    }

    /// Every recipient.
    #[must_use]
    pub fn recipients(&self) -> &[Recipient] {
        &self.charter.entries.recipients
    }

    /// One purpose.
    #[must_use]
    pub fn purpose(&self, id: &str) -> Option<&Purpose> {
        self.charter.entries.purposes.iter().find(|purpose| purpose.id.as_str() == id)
    }

    /// One project.
    #[must_use]
    pub fn project(&self, id: &str) -> Option<&Project> {
        self.charter.entries.projects.iter().find(|project| project.id.as_str() == id)
    }

    /// Every project.
    #[must_use]
    pub fn projects(&self) -> &[Project] {
        &self.charter.entries.projects
    }

    /// One recipient.
    #[must_use]
    pub fn recipient(&self, id: &str) -> Option<&Recipient> {
        self.charter.entries.recipients.iter().find(|recipient| recipient.id.as_str() == id)
    }

    /// The forms on which patients are asked.
    #[must_use]
    pub fn consent_forms(&self) -> &[ConsentForm] {
        &self.charter.entries.consent_forms
    }

    /// One form.
    #[must_use]
    pub fn consent_form(&self, id: &str) -> Option<&ConsentForm> {
        self.consent_forms().iter().find(|form| form.id.as_str() == id)
    }

    /// What patients are told.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.charter.entries.notices
    }

    /// The one rule that says how long `what` is kept. For everything this program stores ([`Covers::is_stored`]) there is one.
    #[must_use]
    pub fn retention_of(&self, what: Covers) -> Option<&Retention> {
        self.charter.entries.retention.iter().find(|class| class.covers.iter().any(|covers| **covers == what))
    }

    /// Every kind of data.
    #[must_use]
    pub fn all_data(&self) -> &[Data] {
        &self.charter.entries.data
    }

    /// One kind of data.
    #[must_use]
    pub fn data(&self, id: &Id) -> Option<&Data> {
        self.charter.entries.data.iter().find(|data| *data.id == *id)
    }
}

/// The rate at which `send` may deliver `data`: its own, or the data's.
pub(crate) fn rate_of(data: &Data, send: &Send) -> Rate {
    send.rate_max.as_ref().map_or(*data.rate_max, |rate| **rate)
}

/// The period at which `send` delivers `data`, if the charter names one.
///
/// A model's own rate without a period of its own beats the data's period: the narrower declaration knows better when the next value is due.
pub(crate) fn period_of(data: &Data, send: &Send) -> Option<Period> {
    match (&send.period, &send.rate_max, &data.period) {
        (Some(period), ..) | (None, None, Some(period)) => Some(**period),
        (None, _, None) | (None, Some(_), Some(_)) => None,
    }
}
