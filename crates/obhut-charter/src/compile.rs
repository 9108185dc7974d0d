//! From a checked charter to the tables in force. Deterministic: the same text makes the same tables.

use crate::check::{Checked, period_of, rate_of};
use crate::rules::{ModelRules, PurposeRule, RetentionRule, Rules, StreamRule};
use crate::schema::{Data, DeviceModel, Id, Send};
use obhut_model::Kind;
use std::sync::Arc;

impl Checked {
    /// The rules this charter puts in force.
    #[must_use]
    pub fn compile(&self) -> Rules {
        let entries = &self.charter().entries;
        let models =
            entries.models.iter().map(|model| ((*model.id).clone(), Arc::new(self.model_rules(model)))).collect();
        let retention = entries
            .retention
            .iter()
            .map(|class| RetentionRule { id: class.id.to_string(), seconds: class.period.seconds() })
            .collect();
        let purposes = entries
            .purposes
            .iter()
            .map(|purpose| PurposeRule { id: purpose.id.to_string(), needs_consent: *purpose.needs_consent })
            .collect();
        Rules { fingerprint: self.fingerprint().to_owned(), models, retention, purposes }
    }

    fn model_rules(&self, model: &DeviceModel) -> ModelRules {
        // A stream whose parts are not all found is left out, and so refused. The check has made sure that there is none.
        let mut streams: Vec<StreamRule> =
            model.sends.iter().filter_map(|send| self.stream_rule(self.data(&send.data)?, send)).collect();
        streams.sort_by_key(|stream| stream.code);
        ModelRules {
            model: (*model.id).clone(),
            streams,
            messages_per_second_max: *model.messages_per_second_max,
            payload_bytes_max: *model.payload_bytes_max,
            life_supporting: *model.life_supporting,
        }
    }

    fn stream_rule(&self, data: &Data, send: &Send) -> Option<StreamRule> {
        let entries = &self.charter().entries;
        let rate = rate_of(data, send);
        let period_micros = match period_of(data, send) {
            Some(period) => i64::try_from(period.seconds()).ok()?.checked_mul(1_000_000)?,
            None => rate.period_micros(),
        };
        Some(StreamRule {
            code: *data.code,
            kind: data.code.info().map(|info| info.kind).unwrap_or(Kind::Numeric),
            rate_max: rate.sample_rate(),
            period_micros,
            resolution: *data.resolution,
            needs_patient: *data.needs_patient,
            retention: index(entries.retention.iter().map(|class| &*class.id), &data.retention)?,
            purpose: index(entries.purposes.iter().map(|purpose| &*purpose.id), &data.purpose)?,
        })
    }
}

/// Sections hold at most [`crate::limits::ENTRIES_MAX`] entries, so the position always fits.
fn index<'a>(mut ids: impl Iterator<Item = &'a Id>, wanted: &Id) -> Option<u16> {
    ids.position(|id| id == wanted).and_then(|at| u16::try_from(at).ok())
}
