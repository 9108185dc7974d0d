//! Alarms in plain words.

use super::Page;
use crate::schema::{Alarm, Combined, Escalation, Signal};
use crate::speech::Speech;
use crate::{At, Checked, Period};
use obhut_model::Decimal;

/// The words for alarms, used by the explanation and the comparison alike.
pub(crate) struct AlarmWords<'a> {
    pub(crate) s: &'a Speech,
    pub(crate) checked: &'a Checked,
}

impl AlarmWords<'_> {
    fn alarm(&self, alarm: &Alarm) -> String {
        let s = self.s;
        let info = self.checked.data(&alarm.data).and_then(|data| data.code.info());
        let over = alarm.over.as_ref().map_or_else(String::new, |over| s.period(**over));
        let limit = |key: &str, limit: &Option<At<Decimal>>| {
            limit
                .as_ref()
                .map(|limit| s.say(key, &[("limit", (&s.quantity(**limit, info)).into()), ("over", (&over).into())]))
        };
        let limits: Vec<String> = [
            limit("alarm-below", &alarm.below),
            limit("alarm-above", &alarm.above),
            limit("alarm-falls", &alarm.falls),
            limit("alarm-rises", &alarm.rises),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut extra = self.delays(*alarm.delay, *alarm.signal_delay, *alarm.latching);
        if let Some(hysteresis) = &alarm.hysteresis {
            extra.push_str(&s.say("alarm-hysteresis", &[("limit", (&s.quantity(**hysteresis, info)).into())]));
        }
        if let Some(bounds) = &alarm.settable {
            let (from, to) = (s.quantity(bounds.from, info), s.quantity(bounds.to, info));
            extra.push_str(&s.say("alarm-settable", &[("from", (&from).into()), ("to", (&to).into())]));
        }
        s.say(
            "alarm-line",
            &[
                ("name", s.name(info).into()),
                ("id", alarm.data.as_str().into()),
                ("priority", (&s.word(&format!("priority-{}", alarm.priority.as_str()))).into()),
                ("limits", (&limits.join(", ")).into()),
                ("delay", (&extra).into()),
                ("latching", "".into()),
            ],
        )
    }

    fn delays(&self, delay: Period, signal: Period, latching: bool) -> String {
        let mut out = String::new();
        for (key, period) in [("alarm-delay", delay), ("alarm-signal-delay", signal)] {
            if period.seconds() > 0 {
                out.push_str(&self.s.say(key, &[("seconds", (&self.s.count(period.seconds())).into())]));
            }
        }
        if latching {
            out.push_str(&self.s.word("alarm-latching"));
        }
        out
    }

    fn signal(&self, signal: &Signal) -> String {
        let priority = self.s.word(&format!("priority-{}", signal.priority.as_str()));
        format!("{priority}{}", self.delays(*signal.delay, *signal.signal_delay, *signal.latching))
    }

    /// `device lost: high, after 2 s`
    pub(crate) fn part(&self, kind: &str, signal: &Signal) -> String {
        format!("{}: {}", self.s.word(&format!("part-{kind}")), self.signal(signal))
    }

    /// `shock: 2 of heart-rate above 110 /min, abp-sys below 90 mmHg: high`
    pub(crate) fn combined(&self, combined: &Combined) -> String {
        let s = self.s;
        let parts: Vec<String> = combined
            .limits
            .iter()
            .map(|(id, below, above)| {
                let info = self.checked.data(id).and_then(|data| data.code.info());
                let (key, limit) = if below.is_some() { ("alarm-below", below) } else { ("alarm-above", above) };
                let limit = limit.as_ref().map_or_else(String::new, |limit| s.quantity(**limit, info));
                format!("{} {}", **id, s.say(key, &[("limit", (&limit).into()), ("over", "".into())]))
            })
            .collect();
        let at_least = combined.at_least.as_ref().map_or(parts.len(), |n| usize::from(**n));
        let count = s.count(u64::try_from(at_least).unwrap_or(u64::MAX));
        let parts = parts.join(", ");
        let id = combined.id.as_str();
        let signal = self.signal(&combined.signal);
        s.say(
            "alarm-combined",
            &[("id", id.into()), ("count", (&count).into()), ("parts", (&parts).into()), ("signal", (&signal).into())],
        )
    }

    /// `high: the person responsible for the bed (30 s), nurse (60 s)`
    pub(crate) fn escalation(&self, escalation: &Escalation) -> String {
        let steps: Vec<String> = escalation
            .steps
            .iter()
            .map(|step| {
                let who = match &step.role {
                    Some(role) => role.to_string(),
                    None => self.s.word("alarm-responsible"),
                };
                format!("{who} ({})", self.s.period(*step.within))
            })
            .collect();
        format!("{}: {}", self.s.word(&format!("priority-{}", escalation.priority.as_str())), steps.join(" → "))
    }
}

impl Page<'_> {
    pub(super) fn alarms(&mut self) {
        self.heading("heading-alarms");
        let words = AlarmWords { s: &self.speech, checked: self.checked };
        let lines: Vec<String> = self.checked.alarms().iter().map(|alarm| words.alarm(alarm)).collect();
        if lines.is_empty() {
            self.none("none-alarms");
        }
        lines.iter().for_each(|line| self.item(line));
        let lines = self.alarm_rules();
        self.heading("heading-alarm-rules");
        if lines.is_empty() {
            return self.none("none-alarm-rules");
        }
        lines.iter().for_each(|line| self.item(line));
    }

    fn alarm_rules(&self) -> Vec<String> {
        let s = &self.speech;
        let words = AlarmWords { s, checked: self.checked };
        let Some(rules) = self.checked.alarm_rules() else { return Vec::new() };
        let list = |key: &str, items: Vec<String>| {
            let items = if items.is_empty() { s.word("alarm-nothing") } else { items.join("; ") };
            s.say(key, &[("list", (&items).into())])
        };
        let pauses = s.say(
            "alarm-pauses",
            &[
                ("audio", (&s.period(*rules.audio_pause_max)).into()),
                ("alarm", (&s.period(*rules.alarm_pause_max)).into()),
                ("break", (&s.word(&format!("break-{}", rules.audio_pause_broken_by.as_str()))).into()),
                ("off", (&s.yes_no(*rules.audio_off)).into()),
                ("update", (&s.period(*rules.update_every)).into()),
            ],
        );
        let mut lines = vec![
            pauses,
            list("alarm-technical", rules.technical.iter().map(|p| words.part(p.kind.as_str(), &p.signal)).collect()),
            list("alarm-finding", rules.finding.iter().map(|p| words.part(p.kind.as_str(), &p.signal)).collect()),
            list("alarm-combinations", rules.combined.iter().map(|combined| words.combined(combined)).collect()),
            list("alarm-escalation", rules.escalation.iter().map(|e| words.escalation(e)).collect()),
            list("alarm-always", rules.always.iter().map(ToString::to_string).collect()),
        ];
        if let (Some(score), Some(every)) = (&rules.score, &rules.score_every) {
            let every = s.period(**every);
            lines.push(s.say("alarm-score", &[("score", score.as_str().into()), ("every", (&every).into())]));
        }
        lines
    }
}
