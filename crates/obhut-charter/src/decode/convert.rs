//! From one TOML value to one typed value. Each says what it wants when it does not get it.

use super::fields::{Refusal, Value, nearest};
use crate::law::LegalGround;
use crate::limits::{LABEL_CHARS_MAX, PERIOD_YEARS_MAX, TEXT_CHARS_MAX};
use crate::problem::{ProblemCode, shown, steers};
use crate::schema::{Id, Text, Word};
use crate::{Date, Period, Rate};
use obhut_model::decimal::DecimalError;
use obhut_model::{Code, Decimal};
use std::ops::RangeInclusive;
use toml::de::DeValue;

fn string<'a>(value: Value<'a>, like: &str) -> Result<&'a str, Refusal> {
    value.get_ref().as_str().ok_or_else(|| {
        let says = format!("must be a text, not {}", kind(value.get_ref()));
        Refusal::new(ProblemCode::WrongType, says, format!("write it in quotes, for example {like}"))
    })
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn bad(says: impl Into<String>, hint: impl Into<String>) -> Refusal {
    Refusal::new(ProblemCode::BadValue, says, hint)
}

fn checked_text(text: &str, chars_max: usize) -> Result<String, Refusal> {
    if text.trim().is_empty() {
        return Err(bad("is empty", "say it in words; if there is nothing to say, the entry does not belong here"));
    }
    if text.chars().count() > chars_max {
        return Err(bad(format!("has more than {chars_max} characters"), "say it shorter"));
    }
    if text.contains('\n') {
        return Err(bad(
            "has more than one line",
            "write it in one line; a backslash at the end of a line joins it to the next inside \"\"\"",
        ));
    }
    if let Some(control) = text.chars().find(|c| steers(*c)) {
        return Err(bad(format!("contains the invisible character {}", control.escape_unicode()), "remove it"));
    }
    Ok(text.to_owned())
}

/// One line of text.
pub(super) fn line(value: Value<'_>) -> Result<String, Refusal> {
    checked_text(string(value, "\"Klinikum Musterstadt\"")?, TEXT_CHARS_MAX)
}

/// A bed label.
pub(super) fn label(value: Value<'_>) -> Result<String, Refusal> {
    checked_text(string(value, "\"3.01-1\"")?, LABEL_CHARS_MAX)
}

/// A sentence in both languages, or one for both.
pub(super) fn text(value: Value<'_>) -> Result<Text, Refusal> {
    const HINT: &str = "write { de = \"…\", en = \"…\" }";
    if let Some(text) = value.get_ref().as_str() {
        let text = checked_text(text, TEXT_CHARS_MAX)?;
        return Ok(Text { de: text.clone(), en: text });
    }
    let Some(table) = value.get_ref().as_table() else {
        return Err(Refusal::new(ProblemCode::WrongType, "must be a text, or one in each language", HINT));
    };
    if let Some(key) = table.keys().find(|key| !["de", "en"].contains(&key.get_ref().as_ref())) {
        let says = format!("has no language `{}`", shown(key.get_ref()));
        return Err(Refusal { span: Some(key.span()), ..Refusal::new(ProblemCode::UnknownKey, says, HINT) });
    }
    let side = |lang: &str| match table.get(lang) {
        Some(text) => {
            let inner = string(text, "\"…\"").and_then(|text| checked_text(text, TEXT_CHARS_MAX));
            inner.map_err(|refusal| Refusal { span: Some(text.span()), ..refusal })
        }
        None => Err(Refusal::new(ProblemCode::MissingKey, format!("has no `{lang}`"), HINT)),
    };
    Ok(Text { de: side("de")?, en: side("en")? })
}

/// A mail address, checked only for what a slip would break.
pub(super) fn email(value: Value<'_>) -> Result<String, Refusal> {
    let text = line(value)?;
    let good =
        text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.')) && !text.contains(' ');
    if good { Ok(text) } else { Err(bad("is not a mail address", "write name@example.org")) }
}

/// An identifier of the charter.
pub(super) fn id(value: Value<'_>) -> Result<Id, Refusal> {
    Id::new(string(value, "\"heart-rate\"")?).map_err(bad_id)
}

/// An identifier of the model: bed, ward, device model.
pub(super) fn model_id<T: std::str::FromStr<Err = obhut_model::IdError>>(value: Value<'_>) -> Result<T, Refusal> {
    string(value, "\"monitor-m1\"")?.parse().map_err(bad_id)
}

fn bad_id(error: obhut_model::IdError) -> Refusal {
    bad(format!("is not an identifier: {error}"), "use a-z, 0-9 and `-`, at most 63 of them")
}

/// A word of a closed list.
pub(super) fn word<T: Word>(value: Value<'_>) -> Result<T, Refusal> {
    let words: Vec<&str> = T::ALL.iter().map(|(word, _)| *word).collect();
    let like = format!("\"{}\"", words.first().copied().unwrap_or_default());
    let text = string(value, &like)?;
    T::from_word(text).ok_or_else(|| {
        let hint = match nearest(text, &words) {
            Some(near) => format!("did you mean `{near}`? Possible: {}", words.join(", ")),
            None => format!("possible: {}", words.join(", ")),
        };
        Refusal::new(ProblemCode::UnknownWord, format!("is `{}`, which is not known here", shown(text)), hint)
    })
}

/// True or false.
pub(super) fn boolean(value: Value<'_>) -> Result<bool, Refusal> {
    let says = || format!("must be true or false, not {}", kind(value.get_ref()));
    value
        .get_ref()
        .as_bool()
        .ok_or_else(|| Refusal::new(ProblemCode::WrongType, says(), "write true or false, without quotes"))
}

/// A whole number inside `bounds`.
pub(super) fn integer(bounds: RangeInclusive<i64>) -> impl Fn(Value<'_>) -> Result<i64, Refusal> {
    move |value| {
        let Some(integer) = value.get_ref().as_integer() else {
            let says = format!("must be a whole number, not {}", kind(value.get_ref()));
            return Err(Refusal::new(ProblemCode::WrongType, says, "write it without quotes and without a point"));
        };
        let number =
            i64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| {
            let hint = format!("it must lie from {} to {}", bounds.start(), bounds.end());
            Refusal::new(ProblemCode::OutOfBounds, format!("is {}, outside its bounds", shown(integer.as_str())), hint)
        })
    }
}

/// A whole number inside `bounds`, in the type that holds them.
pub(super) fn number<T: TryFrom<i64>>(bounds: RangeInclusive<i64>) -> impl Fn(Value<'_>) -> Result<T, Refusal> {
    move |value| {
        let number = integer(bounds.clone())(value)?;
        T::try_from(number)
            .map_err(|_| Refusal::new(ProblemCode::OutOfBounds, "is outside its bounds", "write a smaller number"))
    }
}

/// An exact decimal, as a number or in quotes.
pub(super) fn decimal(value: Value<'_>) -> Result<Decimal, Refusal> {
    const HINT: &str = "write digits with at most one point, for example 0.1, and at most 9 digits";
    let text = match value.get_ref() {
        DeValue::String(text) => text.as_ref(),
        DeValue::Float(number) => number.as_str(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        other => {
            return Err(Refusal::new(ProblemCode::WrongType, format!("must be a number, not {}", kind(other)), HINT));
        }
    };
    text.strip_prefix('+').unwrap_or(text).parse().map_err(|error| match error {
        DecimalError::Syntax => bad(format!("is `{}`, not a decimal number", shown(text)), HINT),
        DecimalError::Range => bad(format!("is `{}`, beyond what is counted exactly", shown(text)), HINT),
    })
}

/// A rate.
pub(super) fn rate(value: Value<'_>) -> Result<Rate, Refusal> {
    const HINT: &str = "write \"500 Hz\", \"1/s\", \"4/min\", \"12/h\" or \"1/d\"";
    let text = string(value, "\"1/s\"")?;
    text.parse().map_err(|error| bad(format!("is `{}`: {error}", shown(text)), HINT))
}

/// A period.
pub(super) fn period(value: Value<'_>) -> Result<Period, Refusal> {
    const HINT: &str = "write a whole number, a blank and s, min, h, d, w or y: \"72 h\", \"30 d\", \"10 y\"";
    let text = string(value, "\"72 h\"")?;
    let period: Period = text.parse().map_err(|error| bad(format!("is `{}`: {error}", shown(text)), HINT))?;
    if period.seconds() > PERIOD_YEARS_MAX * crate::PeriodUnit::Year.seconds() {
        let says = format!("is `{period}`, longer than the {PERIOD_YEARS_MAX} years any duty asks for");
        return Err(Refusal::new(ProblemCode::OutOfBounds, says, "nothing may be kept for ever; name an end"));
    }
    Ok(period)
}

/// A period of more than nothing.
pub(super) fn some_period(value: Value<'_>) -> Result<Period, Refusal> {
    let period = period(value)?;
    if period.seconds() > 0 { Ok(period) } else { Err(bad("is zero", "write how long, or leave the key out")) }
}

/// A day.
pub(super) fn date(value: Value<'_>) -> Result<Date, Refusal> {
    const HINT: &str = "write a day without quotes and without a time: 2027-06-30";
    let date = value
        .get_ref()
        .as_datetime()
        .filter(|moment| moment.time.is_none() && moment.offset.is_none())
        .and_then(|moment| moment.date);
    let Some(date) = date else {
        return Err(Refusal::new(ProblemCode::WrongType, "must be a day", HINT));
    };
    Date::new(date.year, date.month, date.day).map_err(|error| bad(error.to_string(), HINT))
}

/// A code of the nomenclature, by its reference identifier.
pub(super) fn code(value: Value<'_>) -> Result<Code, Refusal> {
    let text = string(value, "\"MDC_ECG_HEART_RATE\"")?;
    Code::by_reference_id(text).ok_or_else(|| {
        let known: Vec<&str> = obhut_model::code::TABLE.iter().map(|row| row.reference_id).collect();
        let hint = match nearest(text, &known) {
            Some(near) => format!("did you mean `{near}`? `docs/charter.md` lists what is known"),
            None => "use a reference identifier of ISO/IEEE 11073-10101 that `docs/charter.md` lists".to_owned(),
        };
        Refusal::new(ProblemCode::UnknownCode, format!("is `{}`, a code the table does not know", shown(text)), hint)
    })
}

/// A legal ground, of whatever law.
pub(super) fn ground(value: Value<'_>) -> Result<&'static LegalGround, Refusal> {
    let text = string(value, "\"Art. 6(1)(e)\"")?;
    LegalGround::find(text).ok_or_else(|| {
        let known: Vec<&str> = crate::law::GROUNDS.iter().map(|ground| ground.written).collect();
        let hint = match nearest(text, &known) {
            Some(near) => format!("did you mean `{near}`? Write grounds like \"Art. 6(1)(e)\", \"§ 6(1)(f)\" (KDG) or \"§ 6 Nr. 4\" (DSG-EKD)"),
            None => "write grounds like \"Art. 6(1)(e)\", \"§ 6(1)(f)\" (KDG) or \"§ 6 Nr. 4\" (DSG-EKD)".to_owned(),
        };
        Refusal::new(ProblemCode::UnknownWord, format!("is `{}`, which is not a legal ground known here", shown(text)), hint)
    })
}

/// A country, ISO 3166-1 alpha-2.
pub(super) fn country(value: Value<'_>) -> Result<String, Refusal> {
    let text = string(value, "\"DE\"")?;
    let good = text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
    if good {
        Ok(text.to_owned())
    } else {
        Err(bad(format!("is `{}`, not a country code", shown(text)), "write two capital letters, ISO 3166-1"))
    }
}
