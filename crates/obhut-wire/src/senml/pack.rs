//! The pack: JSON is read by `serde_json` straight into the fields of one record at a time, with the base values carried along.

use super::number::{Number, is_relative};
use super::{PackError, RecordError, resolve, unit};
use crate::frame::RawNumeric;
use crate::limits::{SENML_BYTES_MAX, SENML_RECORDS_MAX, TIME_MICROS_MAX, TIME_MICROS_MIN};
use obhut_model::{DeviceId, DeviceTime, Quality};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Reads a pack and hands every record, in order, to `each`.
///
/// `now`: the time records without one get, and from which relative times count; in practice when the server received the pack.
/// Returns how many records were handed over. On `Err` the pack is refused as a whole and what `each` was given must be forgotten.
///
/// # Errors
/// [`PackError`]. A record's own fault is not one: it goes to `each`.
pub fn decode(
    payload: &[u8],
    device: &DeviceId,
    now: DeviceTime,
    each: impl FnMut(Result<RawNumeric, RecordError>),
) -> Result<usize, PackError> {
    if payload.len() > SENML_BYTES_MAX {
        return Err(PackError::TooLong);
    }
    let text = std::str::from_utf8(payload).map_err(|_| PackError::Syntax { line: 0, column: 0 })?;
    let mut pack = Pack { device, now, each, base: Base::default(), fatal: None, records: 0, handed: 0 };
    let mut input = serde_json::Deserializer::from_str(text);
    let read = PackSeed(&mut pack).deserialize(&mut input).and_then(|()| input.end());
    match (pack.fatal, read) {
        (Some(fatal), _) => Err(fatal),
        (None, Err(error)) => Err(PackError::Syntax { line: error.line(), column: error.column() }),
        (None, Ok(())) if pack.records == 0 => Err(PackError::Empty),
        (None, Ok(())) => Ok(pack.handed),
    }
}

struct Pack<'s, 'de, F> {
    device: &'s DeviceId,
    now: DeviceTime,
    each: F,
    base: Base<'de>,
    /// What is wrong when it is not the JSON; the reader's own error type cannot carry it.
    fatal: Option<PackError>,
    records: usize,
    handed: usize,
}

/// What RFC 8428, section 4.1, carries from record to record.
struct Base<'de> {
    name: Cow<'de, str>,
    unit: Option<Cow<'de, str>>,
    time: Option<i64>,
    value: Option<Number>,
    sum: bool,
}

impl Default for Base<'_> {
    fn default() -> Self {
        Self { name: Cow::Borrowed(""), unit: None, time: Some(0), value: None, sum: false }
    }
}

impl<'de, F: FnMut(Result<RawNumeric, RecordError>)> Pack<'_, 'de, F> {
    fn fail<E: serde::de::Error>(&mut self, why: PackError) -> E {
        self.fatal = Some(why);
        E::custom("refused")
    }

    fn take(&mut self, record: Record<'de>) {
        let Record { seen, base_name, base_unit, base_time, base_value, .. } = record;
        if let Some(name) = base_name {
            self.base.name = name;
        }
        if let Some(unit) = base_unit {
            self.base.unit = Some(unit);
        }
        if let Some(time) = base_time {
            self.base.time = time.to_micros();
        }
        if base_value.is_some() {
            self.base.value = base_value;
        }
        self.base.sum |= seen & Field::BaseSum.bit() != 0;
        if seen & !Field::BASE != 0 {
            let resolved = self.resolve(seen, record.name, record.unit, record.value, record.time);
            self.handed += 1;
            (self.each)(resolved);
        }
    }

    fn resolve(
        &self,
        seen: u16,
        name: Option<Cow<'de, str>>,
        own_unit: Option<Cow<'de, str>>,
        value: Option<Number>,
        time: Option<Number>,
    ) -> Result<RawNumeric, RecordError> {
        let info = resolve::code(&self.base.name, name.as_deref().unwrap_or_default(), self.device)?;
        let unit = own_unit.as_deref().or(self.base.unit.as_deref()).ok_or(RecordError::UnitMissing)?;
        if !unit::same(info.ucum, unit) {
            return Err(RecordError::Unit);
        }
        if seen & Field::NOT_A_NUMBER != 0 || self.base.sum {
            return Err(RecordError::NoNumber);
        }
        // Without a value of its own a record has none, base value or not: a base alone would be a reading nobody took.
        let value = value.ok_or(RecordError::NoNumber)?;
        let value = value
            .plus(self.base.value.unwrap_or(Number::ZERO))
            .and_then(Number::to_decimal)
            .ok_or(RecordError::Value)?;
        let taken_at = self.time(time).ok_or(RecordError::Time)?;
        Ok(RawNumeric { code: info.code, taken_at, value: Some(value), quality: Quality::GOOD })
    }

    fn time(&self, own: Option<Number>) -> Option<DeviceTime> {
        let micros = self.base.time?.checked_add(own.map_or(Some(0), Number::to_micros)?)?;
        let micros = if is_relative(micros) { self.now.micros().checked_add(micros)? } else { micros };
        (TIME_MICROS_MIN..=TIME_MICROS_MAX).contains(&micros).then(|| DeviceTime::from_micros(micros))
    }
}

#[derive(Default)]
struct Record<'de> {
    seen: u16,
    base_name: Option<Cow<'de, str>>,
    base_unit: Option<Cow<'de, str>>,
    base_time: Option<Number>,
    base_value: Option<Number>,
    name: Option<Cow<'de, str>>,
    unit: Option<Cow<'de, str>>,
    value: Option<Number>,
    time: Option<Number>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    BaseName,
    BaseTime,
    BaseUnit,
    BaseValue,
    BaseSum,
    BaseVersion,
    Name,
    Unit,
    Value,
    Text,
    Boolean,
    Data,
    Sum,
    Time,
    UpdateTime,
    Unknown,
    MustUnderstand,
}

impl Field {
    const BASE: u16 = 0b11_1111;
    const NOT_A_NUMBER: u16 = Self::Text.bit() | Self::Boolean.bit() | Self::Data.bit() | Self::Sum.bit();

    const fn bit(self) -> u16 {
        match self {
            Self::Unknown | Self::MustUnderstand => 0,
            _ => 1 << self as u16,
        }
    }

    fn of(label: &str) -> Self {
        match label {
            "bn" => Self::BaseName,
            "bt" => Self::BaseTime,
            "bu" => Self::BaseUnit,
            "bv" => Self::BaseValue,
            "bs" => Self::BaseSum,
            "bver" => Self::BaseVersion,
            "n" => Self::Name,
            "u" => Self::Unit,
            "v" => Self::Value,
            "vs" => Self::Text,
            "vb" => Self::Boolean,
            "vd" => Self::Data,
            "s" => Self::Sum,
            "t" => Self::Time,
            "ut" => Self::UpdateTime,
            other if other.ends_with('_') => Self::MustUnderstand,
            _ => Self::Unknown,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::BaseName => "bn",
            Self::BaseTime => "bt",
            Self::BaseUnit => "bu",
            Self::BaseValue => "bv",
            Self::BaseSum => "bs",
            Self::BaseVersion => "bver",
            Self::Name => "n",
            Self::Unit => "u",
            Self::Value => "v",
            Self::Text => "vs",
            Self::Boolean => "vb",
            Self::Data => "vd",
            Self::Sum => "s",
            Self::Time => "t",
            Self::UpdateTime => "ut",
            Self::Unknown | Self::MustUnderstand => "",
        }
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Label;
        impl Visitor<'_> for Label {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a label")
            }

            fn visit_str<E>(self, label: &str) -> Result<Field, E> {
                Ok(Field::of(label))
            }
        }
        input.deserialize_identifier(Label)
    }
}

/// A string, borrowed unless it holds escapes.
struct Text<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        input.deserialize_str(Borrow)
    }
}

struct PackSeed<'p, 's, 'de, F>(&'p mut Pack<'s, 'de, F>);

impl<'de, F: FnMut(Result<RawNumeric, RecordError>)> DeserializeSeed<'de> for PackSeed<'_, '_, 'de, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Result<RawNumeric, RecordError>)> Visitor<'de> for PackSeed<'_, '_, 'de, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<(), A::Error> {
        while let Some(record) = records.next_element_seed(RecordSeed(self.0))? {
            if self.0.records == SENML_RECORDS_MAX {
                return Err(self.0.fail(PackError::TooMany));
            }
            self.0.records += 1;
            self.0.take(record);
        }
        Ok(())
    }
}

struct RecordSeed<'p, 's, 'de, F>(&'p mut Pack<'s, 'de, F>);

impl<'de, F: FnMut(Result<RawNumeric, RecordError>)> DeserializeSeed<'de> for RecordSeed<'_, '_, 'de, F> {
    type Value = Record<'de>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Record<'de>, D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de, F: FnMut(Result<RawNumeric, RecordError>)> Visitor<'de> for RecordSeed<'_, '_, 'de, F> {
    type Value = Record<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Record<'de>, A::Error> {
        let mut record = Record::default();
        while let Some(field) = fields.next_key::<Field>()? {
            if record.seen & field.bit() != 0 {
                return Err(self.0.fail(PackError::Duplicate { field: field.label() }));
            }
            record.seen |= field.bit();
            match field {
                Field::BaseName => record.base_name = Some(fields.next_value::<Text<'de>>()?.0),
                Field::BaseUnit => record.base_unit = Some(fields.next_value::<Text<'de>>()?.0),
                Field::Name => record.name = Some(fields.next_value::<Text<'de>>()?.0),
                Field::Unit => record.unit = Some(fields.next_value::<Text<'de>>()?.0),
                Field::BaseTime => record.base_time = Some(number(&mut fields)?),
                Field::BaseValue => record.base_value = Some(number(&mut fields)?),
                Field::Value => record.value = Some(number(&mut fields)?),
                Field::Time => record.time = Some(number(&mut fields)?),
                Field::BaseVersion if fields.next_value::<u64>()? != 10 => return Err(self.0.fail(PackError::Version)),
                Field::MustUnderstand => return Err(self.0.fail(PackError::MustUnderstand)),
                Field::BaseVersion => {}
                Field::BaseSum
                | Field::Text
                | Field::Boolean
                | Field::Data
                | Field::Sum
                | Field::UpdateTime
                | Field::Unknown => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(record)
    }
}

fn number<'de, A: MapAccess<'de>>(fields: &mut A) -> Result<Number, A::Error> {
    Number::parse(fields.next_value::<&'de RawValue>()?.get()).ok_or_else(|| A::Error::custom("not a number"))
}
