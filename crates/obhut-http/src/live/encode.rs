//! The bytes of the live stream, as `docs/live-stream.md` describes them.

use super::SystemState;
use super::plan::{LiveDevice, Plan};
use bytes::{BufMut, Bytes, BytesMut};
use obhut_charter::rules::Rules;
use obhut_model::{Code, DeviceId, Numeric, ServerTime, Wave};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

const LAYOUT: u8 = 1;
const WAVES: u8 = 2;
const NUMBERS: u8 = 3;
const TICK: u8 = 4;
const VERSION: u8 = 1;
/// Bytes before the samples of a block: stream, count, quality, reserved, start.
const BLOCK_HEADER_BYTES: usize = 2 + 2 + 1 + 1 + 8;

/// A stream in the layout.
#[derive(Debug)]
pub(super) struct StreamView {
    pub(super) index: u16,
    pub(super) code: Code,
    pub(super) wave: Option<(u32, f64, i32)>,
    pub(super) places: usize,
    pub(super) period_micros: i64,
}

/// Wave blocks that wait for the next flush, already encoded.
#[derive(Debug, Default)]
pub(super) struct WaveBatch {
    bytes: BytesMut,
    blocks: u16,
}

impl WaveBatch {
    /// Adds a block; when `bytes_max` is passed everything older goes, which a page shows as a gap.
    pub(super) fn push(&mut self, stream: u16, wave: &Wave<'_>, bytes_max: usize) {
        let needed = BLOCK_HEADER_BYTES + wave.samples.as_le_bytes().len();
        if self.bytes.len() + needed > bytes_max || self.blocks == u16::MAX {
            self.bytes.clear();
            self.blocks = 0;
        }
        let Ok(count) = u16::try_from(wave.samples.len()) else { return };
        self.bytes.put_u16_le(stream);
        self.bytes.put_u16_le(count);
        self.bytes.put_u8(wave.quality.bits());
        self.bytes.put_u8(0);
        #[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 fit 53 bits until the year 2255")]
        self.bytes.put_f64_le(wave.start.micros() as f64);
        self.bytes.put_slice(wave.samples.as_le_bytes());
        self.blocks += 1;
    }

    /// Moves everything out of `other`.
    pub(super) fn take_from(&mut self, other: &mut Self) {
        if let Some(blocks) = self.blocks.checked_add(other.blocks) {
            self.blocks = blocks;
            self.bytes.extend_from_slice(&other.bytes);
        }
        other.bytes.clear();
        other.blocks = 0;
    }

    /// The whole message, or `None` when there is nothing.
    pub(super) fn into_message(self) -> Option<Bytes> {
        if self.blocks == 0 {
            return None;
        }
        let mut message = BytesMut::with_capacity(4 + self.bytes.len());
        message.put_u8(WAVES);
        message.put_u8(VERSION);
        message.put_u16_le(self.blocks);
        message.put_slice(&self.bytes);
        Some(message.freeze())
    }
}

fn tagged(tag: u8, value: &Value) -> Bytes {
    let mut message = vec![tag];
    message.extend_from_slice(value.to_string().as_bytes());
    Bytes::from(message)
}

/// Numbers, newest of each stream.
pub(super) fn numbers(now: ServerTime, values: &[(u16, Numeric)]) -> Bytes {
    let rows: Vec<Value> = values
        .iter()
        .map(|(stream, numeric)| json!([stream, numeric.taken_at.micros(), numeric.value(), numeric.quality.bits()]))
        .collect();
    tagged(NUMBERS, &json!({"t": now.micros(), "n": rows}))
}

/// The tick.
pub(super) fn tick(
    now: ServerTime,
    devices: &[(DeviceId, &'static str, u64)],
    system: &SystemState,
    clients: usize,
) -> Bytes {
    let rows: Vec<Value> =
        devices.iter().map(|(id, state, heard)| json!([id.as_str(), state, (*heard > 0).then_some(heard)])).collect();
    let refused: Map<String, Value> =
        system.refused.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
    tagged(
        TICK,
        &json!({"t": now.micros(), "store": system.store, "charter": system.charter, "devices": rows, "refused": refused,
                "frames": system.frames, "clients": clients}),
    )
}

/// The layout.
pub(super) fn layout(
    plan: &Plan,
    rules: &Rules,
    streams: &HashMap<DeviceId, Vec<StreamView>>,
    now: ServerTime,
    speed: f64,
) -> Bytes {
    let beds: Vec<Value> = plan
        .beds
        .iter()
        .map(|bed| {
            let here: Vec<&LiveDevice> = plan.devices.iter().filter(|device| device.bed.as_ref() == Some(&bed.id)).collect();
            let devices: Vec<Value> = here
                .iter()
                .map(|d| json!({"id": d.id.as_str(), "model": d.model.as_str(), "kind": d.kind, "life_supporting": d.life_supporting}))
                .collect();
            let streams: Vec<Value> = here
                .iter()
                .flat_map(|device| streams.get(&device.id).into_iter().flatten().map(|view| stream(device, view)))
                .collect();
            json!({"id": bed.id.as_str(), "label": bed.label, "occupied": bed.occupied, "since": bed.since.map(|at| at.micros()), "devices": devices, "streams": streams})
        })
        .collect();
    tagged(
        LAYOUT,
        &json!({"version": 1, "ward": {"id": plan.ward, "name": plan.name}, "server_time": now.micros(), "speed": speed,
                "charter": {"fingerprint": rules.fingerprint, "name": plan.charter}, "beds": beds}),
    )
}

fn stream(device: &LiveDevice, view: &StreamView) -> Value {
    let info = view.code.info();
    let mut row = json!({
        "i": view.index, "device": device.id.as_str(), "code": view.code.number(),
        "ref": info.map_or_else(|| view.code.to_string(), |i| i.reference_id.to_owned()),
        "label": info.map_or("?", |i| i.label),
        "name": {"de": info.map_or("?", |i| i.name_de), "en": info.map_or("?", |i| i.name_en)},
        "unit": info.map_or("", |i| i.unit_shown),
    });
    let Some(fields) = row.as_object_mut() else { return row };
    if let Some((rate, gain, baseline)) = view.wave {
        fields.insert("kind".into(), json!("waveform"));
        fields.insert("rate".into(), json!(f64::from(rate) / 1e6));
        fields.insert("gain".into(), json!(gain));
        fields.insert("baseline".into(), json!(baseline));
    } else {
        #[expect(clippy::cast_precision_loss, reason = "a period in microseconds")]
        let period = view.period_micros as f64 / 1e6;
        fields.insert("kind".into(), json!("numeric"));
        fields.insert("places".into(), json!(view.places));
        fields.insert("period".into(), json!(period));
    }
    row
}
