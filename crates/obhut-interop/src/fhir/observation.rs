//! Readings as Observations. A single number is a `valueQuantity`; what is evenly spaced is `SampledData` in the stored whole numbers.

use super::{Entries, MDC, MDC_PRIVATE, QUALITY, SAMPLES, STEP, UCUM};
use crate::number::{exact, millis};
use crate::time::utc;
use crate::{CopyError, Stretch, limits};
use obhut_model::{Code, Decimal, DeviceTime, NO_VALUE, Quality};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::fmt::Write as _;

type Value1 = (DeviceTime, Option<i32>, Quality);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Observation<'a> {
    resource_type: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extension: Vec<Value>,
    status: &'static str,
    category: &'a Value,
    code: &'a Value,
    subject: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_date_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_period: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_quantity: Option<Quantity<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_sampled_data: Option<SampledData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_absent_reason: Option<Value>,
}

#[derive(Serialize)]
struct Quantity<'a> {
    value: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

#[derive(Serialize)]
struct SampledData<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extension: Vec<Extension>,
    origin: Quantity<'a>,
    period: Box<RawValue>,
    factor: Box<RawValue>,
    dimensions: u32,
    data: String,
}

#[derive(Serialize)]
struct Extension {
    url: &'static str,
    #[serde(rename = "valueDecimal", skip_serializing_if = "Option::is_none")]
    decimal: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extension: Vec<Extension>,
}

impl Extension {
    fn decimal(url: &'static str, text: String) -> Result<Self, CopyError> {
        Ok(Self { url, decimal: Some(number(text)?), extension: Vec::new() })
    }
}

/// What all Observations of one code share.
struct Frame<'a> {
    code: Code,
    category: Value,
    coding: Value,
    subject: Value,
    unit: Option<(&'a str, &'a str)>,
}

impl<'a> Frame<'a> {
    fn quantity(&self, value: String) -> Result<Quantity<'a>, CopyError> {
        Ok(Quantity {
            value: number(value)?,
            unit: self.unit.map(|(shown, _)| shown),
            system: self.unit.map(|_| UCUM),
            code: self.unit.map(|(_, ucum)| ucum),
        })
    }

    fn observation<'b>(&'b self, id: &'b str, quality: Quality) -> Observation<'b>
    where
        'a: 'b,
    {
        Observation {
            resource_type: "Observation",
            id,
            extension: flags(quality).map(|flag| json!({"url": QUALITY, "valueCode": flag})).collect(),
            status: "final",
            category: &self.category,
            code: &self.coding,
            subject: &self.subject,
            effective_date_time: None,
            effective_period: None,
            value_quantity: None,
            value_sampled_data: None,
            data_absent_reason: None,
        }
    }
}

/// A number as JSON text. Digits are ours; that they are JSON is checked all the same.
fn number(text: String) -> Result<Box<RawValue>, CopyError> {
    RawValue::from_string(text).map_err(|error| CopyError::Write(error.into()))
}

/// The words of the flags.
fn flags(quality: Quality) -> impl Iterator<Item = &'static str> {
    [
        (Quality::QUESTIONABLE, "questionable"),
        (Quality::INVALID, "invalid"),
        (Quality::SENSOR_OFF, "sensor-off"),
        (Quality::CALIBRATING, "calibrating"),
        (Quality::TEST, "test"),
        (Quality::CLOCK_SUSPECT, "clock-suspect"),
        (Quality::LATE, "late"),
    ]
    .into_iter()
    .filter(move |(flag, _)| quality.has(*flag))
    .map(|(_, word)| word)
}

/// Writes the Observations of one stretch.
pub(super) fn write(entries: &mut Entries<'_>, patient: &str, code: Code, stretch: &Stretch) -> Result<(), CopyError> {
    let info = code.info();
    let frame = Frame {
        code,
        category: json!([{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": if info.is_some_and(|info| info.loinc.is_some()) { "vital-signs" } else { "procedure" }}]}]),
        coding: coding(code),
        subject: json!({"reference": format!("urn:uuid:{patient}")}),
        unit: info.map(|info| (info.unit_shown, info.ucum)),
    };
    match stretch {
        Stretch::Numerics { step, values } => {
            let mut rest = values.as_slice();
            while !rest.is_empty() {
                let even = evenly(rest);
                if even >= limits::EVEN_MIN {
                    let (group, after) = rest.split_at(even.min(limits::SAMPLES_PER_OBSERVATION_MAX));
                    series(entries, &frame, *step, group)?;
                    rest = after;
                } else {
                    // The last of these may begin an even group of its own.
                    let (group, after) = rest.split_at(even.saturating_sub(1).max(1));
                    group.iter().try_for_each(|value| single(entries, &frame, *step, value))?;
                    rest = after;
                }
            }
            Ok(())
        }
        Stretch::Waveform { .. } => waveform(entries, &frame, stretch),
    }
}

/// MDC first, LOINC where one is agreed.
fn coding(code: Code) -> Value {
    let info = code.info();
    let private = info.is_some_and(|info| info.reference_id.starts_with("OBHUT_"));
    json!({
        "coding": std::iter::once(json!({
            "system": if private { MDC_PRIVATE } else { MDC }, "code": code.number().to_string(),
            "display": code.to_string(),
        }))
        .chain(info.and_then(|info| info.loinc).map(|loinc| json!({"system": "http://loinc.org", "code": loinc})))
        .collect::<Vec<_>>(),
        "text": info.map_or_else(|| code.to_string(), |info| info.name_en.to_owned()),
    })
}

/// How many values at the head are at one distance and of one quality; at least one.
fn evenly(values: &[Value1]) -> usize {
    let [first, second, ..] = values else { return values.len() };
    let distance = second.0.since(first.0);
    if distance <= 0 {
        return 1;
    }
    1 + values
        .windows(2)
        .take_while(|pair| match pair {
            [a, b] => b.0.since(a.0) == distance && b.2 == a.2,
            _ => false,
        })
        .count()
}

fn single(
    entries: &mut Entries<'_>,
    frame: &Frame<'_>,
    step: Decimal,
    (at, steps, quality): &Value1,
) -> Result<(), CopyError> {
    let id = entries.ids.next();
    let mut observation = frame.observation(&id, *quality);
    observation.effective_date_time = Some(utc(at.micros()));
    match steps {
        Some(steps) => observation.value_quantity = Some(frame.quantity(exact(step, *steps))?),
        None => {
            let reason = if quality.has(Quality::INVALID) {
                "error"
            } else if quality.has(Quality::SENSOR_OFF) {
                "not-performed"
            } else {
                "unknown"
            };
            observation.data_absent_reason = Some(json!({"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": reason,
            }]}));
        }
    }
    entries.push(&id, &observation)
}

/// Numbers at one distance.
fn series(entries: &mut Entries<'_>, frame: &Frame<'_>, step: Decimal, values: &[Value1]) -> Result<(), CopyError> {
    let (Some(first), Some(second), Some(last)) = (values.first(), values.get(1), values.last()) else {
        return values.iter().try_for_each(|value| single(entries, frame, step, value));
    };
    let mut data = String::with_capacity(values.len() * 4);
    for (_, steps, _) in values {
        push_sample(&mut data, steps.as_ref());
    }
    let id = entries.ids.next();
    let mut observation = frame.observation(&id, first.2);
    observation.effective_period = Some(json!({"start": utc(first.0.micros()), "end": utc(last.0.micros())}));
    observation.value_sampled_data = Some(SampledData {
        extension: vec![Extension::decimal(STEP, step.to_string())?],
        origin: frame.quantity("0".to_owned())?,
        period: number(millis(second.0.since(first.0)))?,
        factor: number(step.to_string())?,
        dimensions: 1,
        data,
    });
    entries.push(&id, &observation)
}

fn push_sample(data: &mut String, sample: Option<&impl std::fmt::Display>) {
    if !data.is_empty() {
        data.push(' ');
    }
    match sample {
        // Writing into a string cannot fail.
        Some(sample) => {
            let _ = write!(data, "{sample}");
        }
        None => data.push('E'),
    }
}

fn waveform(entries: &mut Entries<'_>, frame: &Frame<'_>, stretch: &Stretch) -> Result<(), CopyError> {
    let Stretch::Waveform { start, rate, scale, quality, samples } = stretch else { return Ok(()) };
    if !scale.is_usable() {
        return Err(CopyError::Scale(frame.code));
    }
    let length = piece_length(rate.microhertz());
    for (piece, samples) in samples.chunks(length).enumerate() {
        let first = (piece * length) as u64;
        let from = start.plus_micros(rate.offset_micros(first));
        let last = start.plus_micros(rate.offset_micros(first + samples.len().saturating_sub(1) as u64));
        let mut data = String::with_capacity(samples.len() * 5);
        for sample in samples {
            push_sample(&mut data, Some(sample).filter(|sample| **sample != NO_VALUE));
        }
        let id = entries.ids.next();
        let mut observation = frame.observation(&id, *quality);
        observation.effective_period = Some(json!({"start": utc(from.micros()), "end": utc(last.micros())}));
        observation.value_sampled_data = Some(SampledData {
            // Factor and origin are what R4 asks for and may be rounded in the last digit; these three are exact.
            extension: vec![Extension {
                url: SAMPLES,
                decimal: None,
                extension: vec![
                    Extension::decimal("gain", float(scale.gain))?,
                    Extension::decimal("baseline", scale.baseline.to_string())?,
                    Extension::decimal("hertz", hertz(rate.microhertz()))?,
                ],
            }],
            origin: frame.quantity(float(-f64::from(scale.baseline) / scale.gain))?,
            period: number(float(1e9 / f64::from(rate.microhertz())))?,
            factor: number(float(1.0 / scale.gain))?,
            dimensions: 1,
            data,
        });
        entries.push(&id, &observation)?;
    }
    Ok(())
}

/// How many samples one Observation holds: as many as allowed, ending where the next sample falls on a whole microsecond, so that no time of the
/// next piece is rounded twice. A rate for which that never happens within the limit is off by less than a microsecond.
fn piece_length(microhertz: u32) -> usize {
    let (mut a, mut b) = (1_000_000_000_000_u64, u64::from(microhertz));
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let whole = usize::try_from(u64::from(microhertz) / a.max(1)).unwrap_or(usize::MAX).max(1);
    let most = limits::SAMPLES_PER_OBSERVATION_MAX;
    if whole <= most { most / whole * whole } else { most }
}

/// The shortest decimal that reads back as the same float; always a JSON number, for the scale is finite.
fn float(value: f64) -> String {
    // Minus zero is zero.
    serde_json::Number::from_f64(value + 0.0).map_or_else(|| "0".to_owned(), |number| number.to_string())
}

/// Microhertz as hertz, exact.
fn hertz(microhertz: u32) -> String {
    format!("{}.{:06}", microhertz / 1_000_000, microhertz % 1_000_000)
}
