//! A charter as a flat list of things with fields, each field in words and, where more and less mean something, with a weight.

use super::{Concern, Effect};
use crate::check::Checked;
use crate::law::LegalGround;
use crate::schema::{
    Access, Alarm, Alarms, ConsentForm, Contact, Data, DeviceModel, Entries, Flow, Gate, Interface, Kpi, Project,
    Purpose, Recipient, Retention, Role, Scope,
};
use crate::speech::Speech;
use crate::{At, Date, Period};
use obhut_model::Decimal;
use std::collections::BTreeSet;

/// One entry of a charter.
pub(super) struct Thing {
    pub(super) section: &'static str,
    pub(super) id: String,
    pub(super) title: String,
    pub(super) concern: Concern,
    /// What it means that such a thing comes.
    pub(super) added: Effect,
    pub(super) fields: Vec<Field>,
}

/// One key of an entry.
pub(super) struct Field {
    pub(super) key: &'static str,
    /// The list item it belongs to, if the key stands in one.
    pub(super) of: Option<String>,
    pub(super) value: Value,
}

/// What a key says.
pub(super) enum Value {
    /// One value, the same as another when `compared` is; a greater weight allows more.
    One { shown: Option<String>, compared: Option<String>, weight: Option<f64> },
    /// Several; `grows` is what it means that one more comes.
    Set { items: BTreeSet<String>, grows: Effect },
}

/// Everything `checked` declares.
pub(super) fn of(checked: &Checked, speech: &Speech) -> Vec<Thing> {
    Maker { checked, entries: &checked.charter().entries, s: speech }.all()
}

struct Maker<'a> {
    checked: &'a Checked,
    entries: &'a Entries,
    s: &'a Speech,
}

fn maybe(key: &'static str, shown: Option<String>) -> Field {
    Field { key, of: None, value: Value::One { compared: shown.clone(), shown, weight: None } }
}

fn one(key: &'static str, shown: impl Into<String>) -> Field {
    maybe(key, Some(shown.into()))
}

fn maybe_weighed(key: &'static str, shown: Option<String>, weight: f64) -> Field {
    Field { key, of: None, value: Value::One { compared: shown.clone(), shown, weight: Some(weight) } }
}

fn weighed(key: &'static str, shown: impl Into<String>, weight: f64) -> Field {
    maybe_weighed(key, Some(shown.into()), weight)
}

fn set(key: &'static str, items: impl Iterator<Item = String>, grows: Effect) -> Field {
    Field { key, of: None, value: Value::Set { items: items.collect(), grows } }
}

fn days(date: Date) -> f64 {
    Date::new(2000, 1, 1).map_or(0.0, |start| i32::try_from(date.days_since(start)).map_or(0.0, f64::from))
}

fn seconds(period: Period) -> f64 {
    // At most 50 years: exact.
    u32::try_from(period.seconds()).map_or(f64::INFINITY, f64::from)
}

fn truth(yes: bool) -> f64 {
    if yes { 1.0 } else { 0.0 }
}

impl Maker<'_> {
    fn all(&self) -> Vec<Thing> {
        let e = self.entries;
        let mut out = self.house();
        out.extend(e.purposes.iter().map(|x| self.purpose(x)));
        out.extend(e.data.iter().map(|x| self.data(x)));
        out.extend(e.retention.iter().map(|x| self.retention(x)));
        out.extend(e.models.iter().map(|x| self.model(x)));
        out.extend(e.zones.iter().map(|x| {
            let fields = vec![one("text", self.s.text(&x.text)), one("vlan", x.vlan.to_string())];
            self.thing("zone", &x.id, Concern::Network, Effect::Other, fields)
        }));
        out.extend(e.flows.iter().map(|x| self.flow(x)));
        out.extend(e.roles.iter().map(|x| self.role(x)));
        out.extend(e.recipients.iter().map(|x| self.recipient(x)));
        out.extend(e.interfaces.iter().map(|x| self.interface(x)));
        out.extend(e.alarms.iter().map(|x| self.alarm(x)));
        out.extend(self.checked.alarm_rules().map(|x| self.alarm_rules(x)));
        out.extend(e.gates.iter().map(|x| self.gate(x)));
        out.extend(e.kpis.iter().map(|x| self.kpi(x)));
        out.push(self.access(self.checked.access()));
        out.extend(e.consent_forms.iter().map(|x| self.consent_form(x)));
        out.extend(e.projects.iter().map(|x| self.project(x)));
        out.extend(e.notices.iter().map(|x| {
            let fields = vec![one("version", x.version.as_str()), one("text", self.s.text(&x.text))];
            self.thing("notice", &x.id, Concern::Patients, Effect::Other, fields)
        }));
        out
    }

    fn thing(
        &self,
        section: &'static str,
        id: &dyn std::fmt::Display,
        concern: Concern,
        added: Effect,
        fields: Vec<Field>,
    ) -> Thing {
        let id = id.to_string();
        let title = self.s.say(&format!("thing-{section}"), &[("id", (&id).into())]);
        Thing { section, id, title, concern, added, fields }
    }

    fn house(&self) -> Vec<Thing> {
        let (controller, ward) = (self.checked.controller(), self.checked.ward());
        let contact = |contact: &Contact| match &contact.phone {
            Some(phone) => format!("{}, {}, {phone}", contact.name, contact.email),
            None => format!("{}, {}", contact.name, contact.email),
        };
        let single = |section, fields| self.thing(section, &"", Concern::House, Effect::Other, fields);
        let mut out = vec![
            single("charter", vec![one("name", self.checked.name())]),
            single(
                "controller",
                vec![
                    one("name", controller.name.as_str()),
                    one("regime", self.s.word(&format!("regime-{}", controller.regime.as_str()))),
                    maybe("authority", controller.authority.as_ref().map(ToString::to_string)),
                    one("dpo", contact(&controller.dpo)),
                    one("security_officer", contact(&controller.security_officer)),
                    one("device_safety_officer", contact(&controller.device_safety_officer)),
                ],
            ),
            single("ward", vec![one("name", ward.name.as_str())]),
        ];
        out.extend(ward.beds.iter().map(|bed| {
            self.thing("bed", &bed.id, Concern::House, Effect::Other, vec![one("label", bed.label.as_str())])
        }));
        out
    }

    fn purpose(&self, x: &Purpose) -> Thing {
        let grounds = |grounds: &[At<&'static LegalGround>]| {
            grounds.iter().map(|g| self.s.pick(g.cite_de, g.cite_en).to_owned()).collect::<Vec<_>>()
        };
        let fields = vec![
            one("text", self.s.text(&x.text)),
            set("basis", grounds(&x.basis).into_iter(), Effect::Other),
            set("exception", grounds(&x.exception).into_iter(), Effect::Other),
            set("law", x.law.iter().map(ToString::to_string), Effect::Other),
            maybe("secrecy", x.secrecy.as_ref().map(ToString::to_string)),
            weighed("health_data", self.s.yes_no(*x.health_data), truth(*x.health_data)),
            weighed("needs_consent", self.s.yes_no(*x.needs_consent), -truth(*x.needs_consent)),
            maybe_weighed(
                "raw_max",
                x.raw_max.as_ref().map(|period| self.s.period(**period)),
                x.raw_max.as_ref().map_or(0.0, |period| seconds(**period)),
            ),
        ];
        self.thing("purpose", &x.id, Concern::Patients, Effect::More, fields)
    }

    fn data(&self, x: &Data) -> Thing {
        let class = self.entries.retention.iter().find(|class| *class.id == *x.retention);
        let kept = class.map_or_else(String::new, |class| format!("{} ({})", self.s.period(*class.period), *class.id));
        let fields = vec![
            one("code", x.code.to_string()),
            one("purpose", x.purpose.as_str()),
            one("necessity", self.s.text(&x.necessity)),
            weighed("rate_max", self.s.rate(*x.rate_max), x.rate_max.sample_rate().hertz()),
            maybe("due", x.period.as_ref().map(|period| self.s.period(**period))),
            // The finer the step, the more is known.
            weighed("resolution", self.s.quantity(*x.resolution, x.code.info()), -x.resolution.to_f64()),
            // Compared by the class's name: when only its period changes, the class says so once, with all its data.
            Field {
                key: "retention",
                of: None,
                value: Value::One {
                    shown: Some(kept),
                    compared: Some(x.retention.to_string()),
                    weight: class.map(|class| seconds(*class.period)),
                },
            },
            weighed("needs_patient", self.s.yes_no(*x.needs_patient), -truth(*x.needs_patient)),
        ];
        self.thing("data", &x.id, Concern::Patients, Effect::More, fields)
    }

    fn retention(&self, x: &Retention) -> Thing {
        let fields = vec![
            one("start", self.s.word(&format!("start-{}", x.start.as_str()))),
            weighed("period", self.s.period(*x.period), seconds(*x.period)),
            one("basis", self.s.text(&x.basis)),
            set(
                "covers",
                x.covers.iter().map(|covers| self.s.word(&format!("covers-{}", covers.as_str()))),
                Effect::Other,
            ),
        ];
        let mut thing = self.thing("retention", &x.id, Concern::Patients, Effect::Other, fields);
        let data: Vec<&str> =
            self.entries.data.iter().filter(|data| *data.retention == *x.id).map(|data| data.id.as_str()).collect();
        if !data.is_empty() {
            thing.title = format!("{} ({})", thing.title, data.join(", "));
        }
        thing
    }

    fn model(&self, x: &DeviceModel) -> Thing {
        let firmware = x.firmware.as_ref().map(|firmware| {
            let minimum = firmware.minimum.as_ref().map(|version| format!(" ≥ {version}")).unwrap_or_default();
            let in_use = if firmware.while_in_use { ", while_in_use" } else { "" };
            format!("{}{minimum}{in_use}", firmware.update.as_str())
        });
        let mut fields = vec![
            one("maker", x.maker.as_str()),
            one("name", x.name.as_str()),
            one("kind", self.s.word(&format!("device-{}", x.kind.as_str()))),
            set("sends", x.sends.iter().map(|send| send.data.to_string()), Effect::More),
            weighed(
                "messages_per_second_max",
                self.s.count(u64::from(*x.messages_per_second_max)),
                f64::from(*x.messages_per_second_max),
            ),
            weighed(
                "payload_bytes_max",
                self.s.count(u64::from(*x.payload_bytes_max)),
                f64::from(*x.payload_bytes_max),
            ),
            maybe("firmware", firmware),
            maybe("attestation", x.attestation.as_ref().map(|attestation| attestation.as_str().to_owned())),
            one("life_supporting", self.s.yes_no(*x.life_supporting)),
        ];
        for send in &x.sends {
            let shown = send.rate_max.as_ref().map(|rate| self.s.rate(**rate));
            // Without a rate of its own, only the data's holds: dropping it allows more.
            let weight = send.rate_max.as_ref().map_or(f64::INFINITY, |rate| rate.sample_rate().hertz());
            fields.push(Field { of: Some(send.data.to_string()), ..maybe_weighed("sends-rate", shown, weight) });
            let due = send.period.as_ref().map(|period| self.s.period(**period));
            fields.push(Field { of: Some(send.data.to_string()), ..maybe("due", due) });
        }
        self.thing("device_model", &x.id, Concern::Devices, Effect::More, fields)
    }

    fn flow(&self, x: &Flow) -> Thing {
        let fields = vec![
            one("from", x.from.as_str()),
            one("to", x.to.as_str()),
            one("port", x.port.to_string()),
            one("protocol", x.protocol.as_str()),
            one("purpose", x.purpose.as_str()),
            one("owner", x.owner.as_str()),
            weighed("expiry", self.s.date(*x.expiry), days(*x.expiry)),
        ];
        self.thing("flow", &x.id, Concern::Network, Effect::More, fields)
    }

    /// `all` stands for everything this charter declares, so that new data show up at everyone who sees them.
    fn scope(&self, scope: &Scope) -> Field {
        let all = self.entries.data.iter().map(|data| data.id.to_string());
        match scope {
            Scope::All => set("data", all, Effect::More),
            Scope::Only(ids) => set("data", ids.iter().map(ToString::to_string), Effect::More),
        }
    }

    fn role(&self, x: &Role) -> Thing {
        let training =
            x.training.as_ref().map(|training| format!("{} ({})", self.s.text(&training.text), training.months));
        let fields = vec![
            one("text", self.s.text(&x.text)),
            set(
                "permissions",
                x.permissions.iter().map(|may| self.s.word(&format!("permission-{}", may.as_str()))),
                Effect::More,
            ),
            one("relation", self.s.word(&format!("role-relation-{}", x.relation.as_str()))),
            set("purposes", x.purposes.iter().map(ToString::to_string), Effect::More),
            self.scope(&x.data),
            maybe("training", training),
            maybe("recipient", x.recipient.as_ref().map(ToString::to_string)),
        ];
        self.thing("role", &x.id, Concern::Staff, Effect::More, fields)
    }

    fn recipient(&self, x: &Recipient) -> Thing {
        let kind = self.s.word(&format!("contract-{}", x.contract.kind.as_str()));
        let pledge =
            x.secrecy_pledge.as_ref().map(|pledge| format!("{}, {}", pledge.reference, self.s.date(pledge.expiry)));
        let fields = vec![
            one("name", x.name.as_str()),
            one("country", x.country.as_str()),
            one("purpose", x.purpose.as_str()),
            self.scope(&x.data),
            weighed(
                "contract",
                format!("{kind}, {}, {}", x.contract.reference, self.s.date(x.contract.expiry)),
                days(x.contract.expiry),
            ),
            maybe("secrecy_pledge", pledge),
            maybe("guarantee", x.guarantee.as_ref().map(ToString::to_string)),
        ];
        self.thing("recipient", &x.id, Concern::Outside, Effect::More, fields)
    }

    fn interface(&self, x: &Interface) -> Thing {
        let a = &x.assessment;
        let assessment =
            format!("{}, {}, {}, {}", a.reference, a.signed_by, self.s.date(a.signed_on), self.s.date(a.expiry));
        let fields = vec![
            one("kind", self.s.word(&format!("kind-{}", x.kind.as_str()))),
            one("text", self.s.text(&x.text)),
            one("direction", self.s.word(&format!("direction-{}", x.direction.as_str()))),
            one("purpose", x.purpose.as_str()),
            self.scope(&x.data),
            maybe("recipient", x.recipient.as_ref().map(ToString::to_string)),
            weighed("assessment", assessment, days(a.expiry)),
        ];
        self.thing("interface", &x.id, Concern::Outside, Effect::More, fields)
    }

    fn alarm(&self, x: &Alarm) -> Thing {
        let info = self.checked.data(&x.data).and_then(|data| data.code.info());
        let limit = |limit: &Option<At<Decimal>>| limit.as_ref().map(|limit| self.s.quantity(**limit, info));
        let settable = |x: &At<crate::schema::Settable>| {
            format!("{} – {}", self.s.quantity(x.from, info), self.s.quantity(x.to, info))
        };
        let fields = vec![
            maybe("below", limit(&x.below)),
            maybe("above", limit(&x.above)),
            maybe("falls", limit(&x.falls)),
            maybe("rises", limit(&x.rises)),
            maybe("over", x.over.as_ref().map(|over| self.s.period(**over))),
            maybe("hysteresis", limit(&x.hysteresis)),
            one("delay", self.s.period(*x.delay)),
            one("signal_delay", self.s.period(*x.signal_delay)),
            one("latching", self.s.yes_no(*x.latching)),
            maybe("settable", x.settable.as_ref().map(settable)),
        ];
        let shown = format!("{}, {}", *x.data, self.s.word(&format!("priority-{}", x.priority.as_str())));
        let thing = self.thing("alarm", &shown, Concern::Staff, Effect::Other, fields);
        let sort = if x.is_trend() { "/change" } else { "" };
        Thing { id: format!("{}/{}{sort}", *x.data, x.priority.as_str()), ..thing }
    }

    fn alarm_rules(&self, x: &Alarms) -> Thing {
        let speech = crate::explain::AlarmWords { s: self.s, checked: self.checked };
        let fields = vec![
            one("audio_pause_max", self.s.period(*x.audio_pause_max)),
            one("alarm_pause_max", self.s.period(*x.alarm_pause_max)),
            one("audio_pause_broken_by", self.s.word(&format!("break-{}", x.audio_pause_broken_by.as_str()))),
            one("audio_off", self.s.yes_no(*x.audio_off)),
            one("update_every", self.s.period(*x.update_every)),
            set("always", x.always.iter().map(ToString::to_string), Effect::Other),
            maybe("score", x.score.as_ref().map(ToString::to_string)),
            maybe("score_every", x.score_every.as_ref().map(|every| self.s.period(**every))),
            set(
                "technical",
                x.technical.iter().map(|part| speech.part(part.kind.as_str(), &part.signal)),
                Effect::Other,
            ),
            set("finding", x.finding.iter().map(|part| speech.part(part.kind.as_str(), &part.signal)), Effect::Other),
            set("combined", x.combined.iter().map(|combined| speech.combined(combined)), Effect::Other),
            set("escalation", x.escalation.iter().map(|escalation| speech.escalation(escalation)), Effect::Other),
        ];
        self.thing("alarms", &"", Concern::Staff, Effect::Other, fields)
    }

    fn gate(&self, x: &Gate) -> Thing {
        // The more a gate asks for, the less passes.
        let fields = vec![
            one("text", self.s.text(&x.text)),
            one("stage", self.s.word(&format!("stage-{}", x.stage.as_str()))),
            set("kpis", x.kpis.iter().map(ToString::to_string), Effect::Less),
            set("evidence", x.evidence.iter().map(ToString::to_string), Effect::Less),
            set(
                "approvers",
                x.approvers.iter().map(|who| self.s.word(&format!("approver-{}", who.as_str()))),
                Effect::Less,
            ),
        ];
        self.thing("gate", &x.id, Concern::House, Effect::Less, fields)
    }

    fn access(&self, x: &Access) -> Thing {
        let period = |key, period: &At<Period>| weighed(key, self.s.period(**period), seconds(**period));
        let fields = vec![
            period("after_discharge", &x.after_discharge),
            period("session_max", &x.session_max),
            period("idle_lock", &x.idle_lock),
            period("break_glass_max", &x.break_glass_max),
            period("review_within", &x.review_within),
            set(
                "break_glass_reason",
                x.break_glass_reasons.iter().map(|reason| self.s.text(&reason.text).to_owned()),
                Effect::Other,
            ),
            // The more stays apart, the less one person may.
            set("apart", x.apart.iter().map(|pair| format!("{} / {}", pair.one, pair.other)), Effect::Less),
            maybe_weighed("console", x.console.as_ref().map(ToString::to_string), truth(x.console.is_some())),
        ];
        self.thing("access", &"", Concern::Staff, Effect::Other, fields)
    }

    fn consent_form(&self, x: &ConsentForm) -> Thing {
        let fields = vec![
            one("purpose", x.purpose.as_str()),
            one("version", x.version.as_str()),
            one("text", self.s.text(&x.text)),
            weighed("valid", self.s.period(*x.valid), seconds(*x.valid)),
        ];
        self.thing("consent_form", &x.id, Concern::Patients, Effect::More, fields)
    }

    fn project(&self, x: &Project) -> Thing {
        let fields = vec![
            one("text", self.s.text(&x.text)),
            one("purpose", x.purpose.as_str()),
            maybe("recipient", x.recipient.as_ref().map(ToString::to_string)),
            self.scope(&x.data),
            // The more must look alike, the less is known of each.
            weighed("k_min", self.s.count(u64::from(*x.k_min)), -f64::from(*x.k_min)),
            weighed("expiry", self.s.date(*x.expiry), days(*x.expiry)),
        ];
        self.thing("project", &x.id, Concern::Patients, Effect::More, fields)
    }

    fn kpi(&self, x: &Kpi) -> Thing {
        let value = |value: &Option<At<Decimal>>| value.as_ref().map(|value| self.s.decimal(**value));
        let fields = vec![
            one("text", self.s.text(&x.text)),
            one("unit", x.unit.as_str()),
            maybe("at_least", value(&x.at_least)),
            maybe("at_most", value(&x.at_most)),
            one("over", self.s.period(*x.over)),
        ];
        self.thing("kpi", &x.id, Concern::House, Effect::Other, fields)
    }
}
