//! A small charter, a store in memory, and an intake that does as it is told.

use obhut_charter::rules::{ModelRules, StreamRule};
use obhut_gateway::Refusal;
use obhut_gateway::session::{Intake, Taken};
use obhut_model::{Code, DeviceId, Kind, ModelId, SampleRate};
use obhut_store::Position;
use obhut_wire::Topic;
use std::sync::Arc;

pub(crate) fn device(id: &str) -> DeviceId {
    DeviceId::new(id).unwrap()
}

/// Heart rate bound at 1 Hz in whole beats, temperature live only in tenths, ECG II at 250 Hz in hundredths of a millivolt.
pub(crate) fn model_rules() -> Arc<ModelRules> {
    let rule = |code, kind, hertz, resolution: &str, needs_patient| StreamRule {
        code,
        kind,
        rate_max: SampleRate::from_hertz(hertz).unwrap(),
        period_micros: 1_000_000 / i64::from(hertz),
        resolution: resolution.parse().unwrap(),
        needs_patient,
        retention: 1,
        purpose: 0,
    };
    let mut streams = vec![
        rule(Code::ECG_LEAD_II, Kind::Waveform, 250, "0.01", true),
        rule(Code::ECG_HEART_RATE, Kind::Numeric, 1, "1", true),
        rule(Code::TEMP, Kind::Numeric, 1, "0.1", false),
    ];
    streams.sort_by_key(|rule| rule.code);
    Arc::new(ModelRules {
        model: ModelId::new("monitor-m1").unwrap(),
        streams,
        messages_per_second_max: 100,
        payload_bytes_max: 32 * 1024,
        life_supporting: false,
    })
}

/// Answers every publish with `answer`, or, if it is `None`, with the next position.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) answer: Option<Taken>,
    pub(crate) published: Vec<(Topic, Vec<u8>)>,
    pub(crate) refused: Vec<Refusal>,
    pub(crate) control: Option<Refusal>,
}

impl Intake for Told {
    fn publish(&mut self, topic: Topic, payload: &[u8]) -> Taken {
        self.published.push((topic, payload.to_vec()));
        self.answer.unwrap_or(Taken::At(Position(self.published.len() as u64)))
    }

    fn control(&mut self) -> Result<(), Refusal> {
        self.control.map_or(Ok(()), Err)
    }

    fn refused(&mut self, why: Refusal) {
        self.refused.push(why);
    }
}
