//! The part of the explanation that leads out of the ward: recipients, interfaces, connections.

use super::Page;

impl Page<'_> {
    pub(super) fn recipients(&mut self) {
        self.heading("heading-recipients");
        let recipients = &self.checked.charter().entries.recipients;
        if recipients.is_empty() {
            return self.none("none-recipients");
        }
        for recipient in recipients {
            let s = &self.speech;
            let purpose = self.purpose_text(&recipient.purpose);
            let kind = s.word(&format!("contract-{}", recipient.contract.kind.as_str()));
            let expiry = s.date(recipient.contract.expiry);
            let mut lines = vec![
                s.say("recipient-purpose", &[("purpose", (&purpose).into())]),
                self.scope(&recipient.data, "recipient-data", "recipient-data-all", "recipient-data-none"),
                s.say(
                    "recipient-contract",
                    &[
                        ("kind", (&kind).into()),
                        ("reference", (&recipient.contract.reference).into()),
                        ("expiry", (&expiry).into()),
                    ],
                ),
            ];
            if let Some(pledge) = &recipient.secrecy_pledge {
                let expiry = s.date(pledge.expiry);
                lines.push(s.say(
                    "recipient-pledge",
                    &[("reference", (&pledge.reference).into()), ("expiry", (&expiry).into())],
                ));
            }
            if let Some(guarantee) = &recipient.guarantee {
                lines.push(s.say("recipient-guarantee", &[("guarantee", guarantee.as_str().into())]));
            }
            self.item(&format!("{}, {} ({})", *recipient.name, *recipient.country, *recipient.id));
            lines.iter().for_each(|line| self.line(1, line));
        }
    }

    pub(super) fn interfaces(&mut self) {
        self.heading("heading-interfaces");
        let interfaces = &self.checked.charter().entries.interfaces;
        if interfaces.is_empty() {
            return self.none("none-interfaces");
        }
        for interface in interfaces {
            let s = &self.speech;
            let (kind, direction) = (
                s.word(&format!("kind-{}", interface.kind.as_str())),
                s.word(&format!("direction-{}", interface.direction.as_str())),
            );
            let text = format!("{} ({})", s.text(&interface.text), *interface.id);
            let title = s.say(
                "interface-line",
                &[("kind", (&kind).into()), ("direction", (&direction).into()), ("text", (&text).into())],
            );
            let purpose = self.purpose_text(&interface.purpose);
            let assessment = &interface.assessment;
            let (on, expiry) = (s.date(assessment.signed_on), s.date(assessment.expiry));
            let mut lines = vec![
                s.say("recipient-purpose", &[("purpose", (&purpose).into())]),
                self.scope(&interface.data, "interface-data", "interface-data-all", "interface-data-none"),
                s.say(
                    "interface-assessment",
                    &[
                        ("reference", (&assessment.reference).into()),
                        ("by", (&assessment.signed_by).into()),
                        ("on", (&on).into()),
                        ("expiry", (&expiry).into()),
                    ],
                ),
            ];
            if let Some(recipient) = &interface.recipient {
                lines.push(s.say("interface-recipient", &[("recipient", recipient.as_str().into())]));
            }
            self.item(&title);
            lines.iter().for_each(|line| self.line(1, line));
        }
    }

    pub(super) fn network(&mut self) {
        self.heading("heading-network");
        let entries = &self.checked.charter().entries;
        if entries.flows.is_empty() {
            return self.none("none-network");
        }
        for flow in &entries.flows {
            let s = &self.speech;
            let zone = |id: &crate::schema::Id| {
                entries
                    .zones
                    .iter()
                    .find(|zone| *zone.id == *id)
                    .map_or_else(|| id.to_string(), |zone| s.text(&zone.text).to_owned())
            };
            let purpose = self.purpose_text(&flow.purpose);
            let protocol = flow.protocol.as_str().to_uppercase();
            let line = s.say(
                "flow-line",
                &[
                    ("from", (&zone(&flow.from)).into()),
                    ("to", (&zone(&flow.to)).into()),
                    ("protocol", (&protocol).into()),
                    ("port", (&flow.port.to_string()).into()),
                    ("purpose", (&purpose).into()),
                    ("owner", flow.owner.as_str().into()),
                    ("expiry", (&s.date(*flow.expiry)).into()),
                ],
            );
            self.item(&line);
        }
    }

    pub(super) fn purpose_text(&self, id: &crate::schema::Id) -> String {
        let purposes = &self.checked.charter().entries.purposes;
        let text = |purpose: &crate::schema::Purpose| self.speech.text(&purpose.text).to_owned();
        purposes.iter().find(|purpose| *purpose.id == *id).map_or_else(|| id.to_string(), text)
    }
}
