//! What a charter allows, in plain words: what may happen to whose data and why, for how long, who sees it, what each device may send.
//!
//! Generated from the checked charter alone, so it cannot say anything else than what is enforced. Every legal sentence names its source,
//! and every section that is empty says that nothing is allowed there.

use crate::At;
use crate::check::Checked;
use crate::law::LegalGround;
use crate::schema::{Contact, Data, DeviceModel, Gate, Purpose, Retention, RetentionStart, Role, Scope, UpdatePath};
use crate::speech::{Lang, Speech, list};

mod alarms;
mod network;
mod people;
pub(crate) use alarms::AlarmWords;

/// The whole charter in plain words; plain text of at most a few pages, lines not wrapped.
#[must_use]
pub fn explain(checked: &Checked, lang: Lang) -> String {
    let mut page = Page { checked, speech: Speech::new(lang), out: String::new() };
    page.opening();
    page.purposes();
    page.data();
    page.roles();
    page.access();
    page.consent_forms();
    page.projects();
    page.notices();
    page.recipients();
    page.interfaces();
    page.models();
    page.retention();
    page.network();
    page.alarms();
    page.gates();
    page.out
}

struct Page<'a> {
    checked: &'a Checked,
    speech: Speech,
    out: String,
}

impl Page<'_> {
    fn line(&mut self, indent: usize, text: &str) {
        self.out.push_str(&"  ".repeat(indent));
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn item(&mut self, text: &str) {
        self.line(0, &format!("• {text}"));
    }

    fn heading(&mut self, key: &str) {
        let heading = self.speech.word(key);
        let rule = "─".repeat(heading.chars().count());
        self.out.push('\n');
        self.line(0, &heading);
        self.line(0, &rule);
    }

    fn none(&mut self, key: &str) {
        let none = self.speech.word(key);
        self.line(0, &none);
    }

    fn opening(&mut self) {
        let controller = self.checked.controller();
        let ward = self.checked.ward();
        let s = &self.speech;
        let mut lines = vec![
            s.say("title", &[("name", self.checked.name().into())]),
            s.say("fingerprint", &[("fingerprint", self.checked.fingerprint().into())]),
            String::new(),
            s.word("promise"),
            s.word("enforced"),
            s.word("disclaimer"),
        ];
        let heading_at = lines.len();
        let regime = s.word(&format!("regime-{}", controller.regime.as_str()));
        lines.push(s.say("controller", &[("name", controller.name.as_str().into()), ("regime", (&regime).into())]));
        if let Some(authority) = &controller.authority {
            lines.push(s.say("authority", &[("name", authority.as_str().into())]));
        }
        lines.push(contact(s, "contact-dpo", &controller.dpo));
        lines.push(contact(s, "contact-security", &controller.security_officer));
        lines.push(contact(s, "contact-device-safety", &controller.device_safety_officer));
        let label = |bed: Option<&crate::schema::Bed>| bed.map_or_else(String::new, |bed| bed.label.to_string());
        let (first, last) = (label(ward.beds.first()), label(ward.beds.last()));
        let beds = ward.beds.len();
        let count = s.count(beds as u64);
        lines.push(s.say(
            "ward",
            &[
                ("name", ward.name.as_str().into()),
                ("n", beds.into()),
                ("count", (&count).into()),
                ("first", (&first).into()),
                ("last", (&last).into()),
            ],
        ));
        for (at, line) in lines.iter().enumerate() {
            if at == heading_at {
                self.heading("heading-controller");
            }
            self.line(0, line);
        }
    }

    fn purposes(&mut self) {
        self.heading("heading-purposes");
        for purpose in &self.checked.charter().entries.purposes {
            let title = format!("{} ({})", self.speech.text(&purpose.text), *purpose.id);
            self.item(&title);
            for line in self.purpose(purpose) {
                self.line(1, &line);
            }
        }
    }

    fn purpose(&self, purpose: &Purpose) -> Vec<String> {
        let s = &self.speech;
        let grounds = |grounds: &[At<&'static LegalGround>]| {
            let cite = |ground: &At<&'static LegalGround>| {
                let (gist, cite) = (s.pick(ground.gist_de, ground.gist_en), s.pick(ground.cite_de, ground.cite_en));
                s.say("ground", &[("gist", gist.into()), ("cite", cite.into())])
            };
            grounds.iter().map(cite).collect::<Vec<_>>().join(", ")
        };
        let mut lines = vec![s.say("purpose-basis", &[("list", (&grounds(&purpose.basis)).into())])];
        if *purpose.health_data {
            lines.push(s.say("purpose-exception", &[("list", (&grounds(&purpose.exception)).into())]));
        } else {
            lines.push(s.word("purpose-no-health"));
        }
        if !purpose.law.is_empty() {
            lines.push(s.say("purpose-law", &[("list", (&list(&purpose.law, "; ")).into())]));
        }
        if let Some(source) = &purpose.secrecy {
            lines.push(s.say("purpose-secrecy", &[("source", source.as_str().into())]));
        }
        lines.push(s.word(if *purpose.needs_consent { "purpose-consent" } else { "purpose-no-consent" }));
        if *purpose.health_data {
            lines.push(match &purpose.raw_max {
                Some(longest) => s.say("purpose-raw", &[("period", (&s.period(**longest)).into())]),
                None => s.word("purpose-no-raw"),
            });
        }
        lines
    }

    fn data(&mut self) {
        self.heading("heading-data");
        let entries = &self.checked.charter().entries;
        if entries.data.is_empty() {
            return self.none("none-data");
        }
        for purpose in &entries.purposes {
            let mut first = true;
            for data in entries.data.iter().filter(|data| *data.purpose == *purpose.id) {
                if std::mem::take(&mut first) {
                    let text = self.speech.text(&purpose.text).to_owned();
                    let line = self.speech.say("data-for", &[("purpose", (&text).into())]);
                    self.line(0, &line);
                }
                let info = data.code.info();
                let title = format!("{} ({}, {})", self.speech.name(info), *data.id, *data.code);
                self.item(&title);
                for line in self.one_data(data) {
                    self.line(1, &line);
                }
            }
        }
    }

    fn one_data(&self, data: &Data) -> Vec<String> {
        let s = &self.speech;
        let resolution = s.quantity(*data.resolution, data.code.info());
        let mut lines = vec![
            s.say("data-why", &[("why", s.text(&data.necessity).into())]),
            s.say("data-how", &[("rate", (&s.rate(*data.rate_max)).into()), ("resolution", (&resolution).into())]),
        ];
        if let Some(period) = &data.period {
            lines.push(s.say("data-period", &[("period", (&s.period(**period)).into())]));
        }
        if let Some(class) = self.checked.charter().entries.retention.iter().find(|class| *class.id == *data.retention)
        {
            let start = self.start(class);
            let period = s.period(*class.period);
            lines.push(s.say(
                "data-kept",
                &[("period", (&period).into()), ("start", (&start).into()), ("class", class.id.as_str().into())],
            ));
        }
        lines.push(s.word(if *data.needs_patient { "data-patient" } else { "data-no-patient" }));
        lines
    }

    fn start(&self, class: &Retention) -> String {
        self.speech.word(&format!("start-{}", class.start.as_str()))
    }

    /// The names of data, as a sentence lists them.
    fn scope(&self, scope: &Scope, listed: &str, all: &str, none: &str) -> String {
        match scope {
            Scope::All => self.speech.word(all),
            Scope::Only(ids) if ids.is_empty() => self.speech.word(none),
            Scope::Only(ids) => {
                let names: Vec<String> = ids.iter().map(|id| self.data_name(id)).collect();
                self.speech.say(listed, &[("list", (&names.join(", ")).into())])
            }
        }
    }

    fn data_name(&self, id: &crate::schema::Id) -> String {
        let info = self.checked.data(id).and_then(|data| data.code.info());
        format!("{} ({id})", self.speech.name(info))
    }

    fn roles(&mut self) {
        self.heading("heading-roles");
        let roles = &self.checked.charter().entries.roles;
        if roles.is_empty() {
            return self.none("none-roles");
        }
        for role in roles {
            let title = format!("{} ({})", self.speech.text(&role.text), *role.id);
            self.item(&title);
            for line in self.role(role) {
                self.line(1, &line);
            }
        }
    }

    fn role(&self, role: &Role) -> Vec<String> {
        let s = &self.speech;
        let may = s.words("permission", role.permissions.iter().map(|permission| permission.as_str()));
        let mut lines = vec![if role.permissions.is_empty() {
            s.word("role-may-nothing")
        } else {
            s.say("role-may", &[("list", (&may).into())])
        }];
        lines.push(s.word(&format!("role-relation-{}", role.relation.as_str())));
        lines.push(if role.purposes.is_empty() {
            s.word("role-purposes-none")
        } else {
            let purposes: Vec<String> = role.purposes.iter().map(|purpose| self.purpose_text(purpose)).collect();
            s.say("role-purposes", &[("list", (&purposes.join("; ")).into())])
        });
        lines.push(self.scope(&role.data, "role-data", "role-data-all", "role-data-none"));
        lines.push(match &role.training {
            Some(training) => {
                let months = usize::from(training.months);
                let count = months.to_string();
                s.say(
                    "role-training",
                    &[("text", s.text(&training.text).into()), ("n", months.into()), ("count", (&count).into())],
                )
            }
            None => s.word("role-no-training"),
        });
        if let Some(recipient) = &role.recipient {
            lines.push(s.say("role-external", &[("recipient", recipient.as_str().into())]));
        }
        lines
    }

    fn models(&mut self) {
        self.heading("heading-models");
        if self.checked.models().is_empty() {
            return self.none("none-models");
        }
        for model in self.checked.models() {
            let s = &self.speech;
            let kind = s.word(&format!("device-{}", model.kind.as_str()));
            let title = s.say(
                "model-title",
                &[
                    ("name", model.name.as_str().into()),
                    ("maker", model.maker.as_str().into()),
                    ("id", model.id.as_str().into()),
                    ("kind", (&kind).into()),
                ],
            );
            self.item(&title);
            for line in self.model(model) {
                self.line(1, &line);
            }
        }
    }

    fn model(&self, model: &DeviceModel) -> Vec<String> {
        let s = &self.speech;
        let mut lines = Vec::new();
        let names: Vec<String> = model
            .sends
            .iter()
            .map(|send| match &send.rate_max {
                Some(rate) => {
                    let name = s.name(self.checked.data(&send.data).and_then(|data| data.code.info()));
                    let rate = s.rate(**rate);
                    s.say(
                        "model-slower",
                        &[("name", name.into()), ("id", send.data.as_str().into()), ("rate", (&rate).into())],
                    )
                }
                None => self.data_name(&send.data),
            })
            .collect();
        lines.push(if names.is_empty() {
            s.word("model-sends-nothing")
        } else {
            s.say("model-sends", &[("list", (&names.join(", ")).into())])
        });
        let (messages, bytes) =
            (s.count(u64::from(*model.messages_per_second_max)), s.count(u64::from(*model.payload_bytes_max)));
        lines.push(s.say("model-limits", &[("messages", (&messages).into()), ("bytes", (&bytes).into())]));
        lines.push(firmware(s, model));
        let attestation = model.attestation.as_ref().map_or("none", |attestation| attestation.as_str());
        lines.push(s.word(&format!("model-attestation-{attestation}")));
        if *model.life_supporting {
            lines.push(s.word("model-life"));
        }
        lines
    }

    fn retention(&mut self) {
        self.heading("heading-retention");
        let classes = &self.checked.charter().entries.retention;
        let mut lines = Vec::new();
        for class in classes {
            let s = &self.speech;
            let (start, period) = (self.start(class), s.period(*class.period));
            let basis = s.text(&class.basis);
            if !class.covers.is_empty() {
                let covers = s.words("covers", class.covers.iter().map(|covers| covers.as_str()));
                lines.push(s.say(
                    "retention-line",
                    &[
                        ("covers", (&covers).into()),
                        ("period", (&period).into()),
                        ("start", (&start).into()),
                        ("basis", basis.into()),
                    ],
                ));
            }
            if *class.start == RetentionStart::Measurement {
                lines.push(s.say(
                    "retention-data",
                    &[
                        ("class", class.id.as_str().into()),
                        ("period", (&period).into()),
                        ("start", (&start).into()),
                        ("basis", basis.into()),
                    ],
                ));
            }
        }
        if lines.is_empty() {
            return self.none("none-retention");
        }
        lines.iter().for_each(|line| self.item(line));
    }

    fn gates(&mut self) {
        self.heading("heading-gates");
        let gates = &self.checked.charter().entries.gates;
        if gates.is_empty() {
            return self.none("none-gates");
        }
        for gate in gates {
            let stage = self.speech.word(&format!("stage-{}", gate.stage.as_str()));
            let title = format!("{stage}: {} ({})", self.speech.text(&gate.text), *gate.id);
            self.item(&title);
            for line in self.gate(gate) {
                self.line(1, &line);
            }
        }
    }

    fn gate(&self, gate: &Gate) -> Vec<String> {
        let s = &self.speech;
        let kpis = &self.checked.charter().entries.kpis;
        let mut lines = Vec::new();
        for kpi in kpis.iter().filter(|kpi| gate.kpis.iter().any(|id| **id == *kpi.id)) {
            let unit = if kpi.unit.as_str() == "1" { String::new() } else { format!(" {}", *kpi.unit) };
            let target = |key: &str, value: &Option<At<obhut_model::Decimal>>| {
                value.as_ref().map(|value| s.say(key, &[("value", (&format!("{}{unit}", s.decimal(**value))).into())]))
            };
            let targets: Vec<String> = target("gate-at-least", &kpi.at_least)
                .into_iter()
                .chain(target("gate-at-most", &kpi.at_most))
                .collect();
            let (over, target) = (s.period(*kpi.over), targets.join(", "));
            lines.push(s.say(
                "gate-kpi",
                &[("text", s.text(&kpi.text).into()), ("target", (&target).into()), ("over", (&over).into())],
            ));
        }
        if !gate.evidence.is_empty() {
            lines.push(s.say("gate-evidence", &[("list", (&list(&gate.evidence, "; ")).into())]));
        }
        let approvers = s.words("approver", gate.approvers.iter().map(|approver| approver.as_str()));
        lines.push(s.say("gate-approvers", &[("list", (&approvers).into())]));
        lines
    }
}

fn contact(s: &Speech, role: &str, contact: &Contact) -> String {
    let role = s.word(role);
    let mut arguments =
        vec![("role", (&role).into()), ("name", (&contact.name).into()), ("email", (&contact.email).into())];
    match &contact.phone {
        Some(phone) => {
            arguments.push(("phone", phone.into()));
            s.say("contact-phone", &arguments)
        }
        None => s.say("contact", &arguments),
    }
}

fn firmware(s: &Speech, model: &DeviceModel) -> String {
    let Some(firmware) = &model.firmware else { return s.word("model-firmware-none") };
    let mut sentences = vec![s.word(&format!("model-firmware-{}", firmware.update.as_str()))];
    if firmware.update != UpdatePath::Never {
        sentences.push(s.word(if firmware.while_in_use {
            "model-firmware-in-use"
        } else {
            "model-firmware-not-in-use"
        }));
    }
    if let Some(version) = &firmware.minimum {
        sentences.push(s.say("model-firmware-minimum", &[("version", version.into())]));
    }
    sentences.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Word;

    #[test]
    fn every_path_and_need_has_a_sentence() {
        let speech = Speech::new(Lang::De);
        for (word, _) in UpdatePath::ALL {
            assert!(!speech.word(&format!("model-firmware-{word}")).contains('⟨'));
        }
        for (word, _) in crate::schema::Attestation::ALL {
            assert!(!speech.word(&format!("model-attestation-{word}")).contains('⟨'));
        }
    }
}
