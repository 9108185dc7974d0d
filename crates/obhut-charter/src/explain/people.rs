//! The part of the explanation about people: how long access lasts, what patients are asked and told, what projects get.

use super::Page;
use crate::schema::Id;

impl Page<'_> {
    pub(super) fn access(&mut self) {
        self.heading("heading-access");
        let access = self.checked.access();
        let s = &self.speech;
        let period = |period: crate::Period| s.period(period);
        let mut lines = vec![
            s.say("access-after-discharge", &[("period", (&period(*access.after_discharge)).into())]),
            s.say(
                "access-session",
                &[("period", (&period(*access.session_max)).into()), ("idle", (&period(*access.idle_lock)).into())],
            ),
            s.say(
                "access-break-glass",
                &[
                    ("period", (&period(*access.break_glass_max)).into()),
                    ("review", (&period(*access.review_within)).into()),
                ],
            ),
        ];
        let reasons: Vec<&str> = access.break_glass_reasons.iter().map(|reason| s.text(&reason.text)).collect();
        lines.push(if reasons.is_empty() {
            s.word("access-reasons-none")
        } else {
            s.say("access-reasons", &[("list", (&reasons.join("; ")).into())])
        });
        for pair in &access.apart {
            let (one, other) = (self.role_text(&pair.one), self.role_text(&pair.other));
            lines.push(s.say("access-apart", &[("one", (&one).into()), ("other", (&other).into())]));
        }
        lines.push(match &access.console {
            Some(role) => s.say("access-console", &[("role", (&self.role_text(role)).into())]),
            None => s.word("access-console-none"),
        });
        lines.iter().for_each(|line| self.item(line));
    }

    fn role_text(&self, id: &Id) -> String {
        self.checked
            .role(id.as_str())
            .map_or_else(|| id.to_string(), |role| format!("{} ({id})", self.speech.text(&role.text)))
    }

    pub(super) fn consent_forms(&mut self) {
        self.heading("heading-consent");
        if self.checked.consent_forms().is_empty() {
            return self.none("none-consent");
        }
        for form in self.checked.consent_forms() {
            let s = &self.speech;
            let purpose = self.purpose_text(&form.purpose);
            let lines = [
                s.say("consent-purpose", &[("purpose", (&purpose).into())]),
                s.say("consent-text", &[("text", s.text(&form.text).into())]),
                s.say("consent-valid", &[("period", (&s.period(*form.valid)).into())]),
                s.say("consent-hash", &[("hash", (&form.hash(s.lang())).into())]),
            ];
            self.item(&format!("{}, {}", *form.id, *form.version));
            lines.iter().for_each(|line| self.line(1, line));
        }
    }

    pub(super) fn projects(&mut self) {
        self.heading("heading-projects");
        let projects = &self.checked.charter().entries.projects;
        if projects.is_empty() {
            return self.none("none-projects");
        }
        for project in projects {
            let s = &self.speech;
            let purpose = self.purpose_text(&project.purpose);
            let k = s.count(u64::from(*project.k_min));
            let lines = [
                s.say("project-purpose", &[("purpose", (&purpose).into())]),
                self.scope(&project.data, "project-data", "project-data-all", "project-data-none"),
                s.say("project-k", &[("k", (&k).into()), ("expiry", (&s.date(*project.expiry)).into())]),
                match &project.recipient {
                    Some(recipient) => s.say("project-recipient", &[("recipient", recipient.as_str().into())]),
                    None => s.word("project-house"),
                },
            ];
            self.item(&format!("{} ({})", s.text(&project.text), *project.id));
            lines.iter().for_each(|line| self.line(1, line));
        }
    }

    pub(super) fn notices(&mut self) {
        self.heading("heading-notices");
        if self.checked.notices().is_empty() {
            return self.none("none-notices");
        }
        for notice in self.checked.notices() {
            let s = &self.speech;
            let line = s.say(
                "notice-line",
                &[
                    ("id", notice.id.as_str().into()),
                    ("version", notice.version.as_str().into()),
                    ("text", s.text(&notice.text).into()),
                ],
            );
            self.item(&line);
        }
    }
}
