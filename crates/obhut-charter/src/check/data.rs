//! Data: needed, coarse enough, seldom enough, once.

use super::Check;
use crate::limits::{NUMERIC_MICROHERTZ_MAX, NUMERIC_MICROHERTZ_USUAL, WAVEFORM_MICROHERTZ_MAX};
use crate::problem::ProblemCode::{
    DataTwice, DataUnused, HealthDataUndeclared, PeriodBelowRate, RateBeyondSense, RateUnusual, ResolutionNotPositive,
    TwoRetentionClasses,
};
use crate::schema::Data;
use obhut_model::{Kind, SampleRate};

pub(super) fn check(check: &mut Check<'_>) {
    for (at, data) in check.entries.data.iter().enumerate() {
        bounds(check, data);
        if let Some(purpose) = check.purpose(&data.purpose).filter(|purpose| !*purpose.health_data) {
            let message =
                format!("data `{}` are health data, but purpose `{}` says it has none", *data.id, *purpose.id);
            let hint = "give the purpose an `exception` and remove `health_data = false`, or choose another purpose";
            let related = (purpose.health_data.span(), "no health data");
            check.found_with(HealthDataUndeclared, data.purpose.span(), message, "a value of a patient", hint, related);
        }
        twice(check, data, check.entries.data.get(..at).unwrap_or_default());
        let sent = check.entries.models.iter().flat_map(|model| &model.sends).any(|send| *send.data == *data.id);
        if !sent {
            let message = format!("no device model sends data `{}`", *data.id);
            check.found(
                DataUnused,
                data.id.span(),
                message,
                "unused",
                "remove it, or list it in the `sends` of a model",
            );
        }
    }
}

fn bounds(check: &mut Check<'_>, data: &Data) {
    if data.resolution.mantissa() <= 0 {
        let message = format!("the resolution of data `{}` is not more than zero", *data.id);
        let hint =
            "write the finest step that may be known, in the code's unit: 1 for a heart rate, 0.1 for a temperature";
        check.found(ResolutionNotPositive, data.resolution.span(), message, "finest step", hint);
    }
    let kind = data.code.info().map_or(Kind::Numeric, |info| info.kind);
    let bound = match kind {
        Kind::Waveform => WAVEFORM_MICROHERTZ_MAX,
        Kind::Numeric => NUMERIC_MICROHERTZ_MAX,
    };
    let rate = data.rate_max.sample_rate();
    if rate.microhertz() > bound {
        let bound = SampleRate::from_microhertz(bound).map_or(0.0, SampleRate::hertz);
        let message = format!(
            "data `{}` may come {} times, more than the {bound} a second any {} needs",
            *data.id,
            *data.rate_max,
            word(kind)
        );
        check.found(
            RateBeyondSense,
            data.rate_max.span(),
            message,
            "beyond any need",
            "write the rate that is needed, not the one the device can do",
        );
    } else if kind == Kind::Numeric && rate.microhertz() > NUMERIC_MICROHERTZ_USUAL {
        let message = format!("data `{}` may come {}, more often than a person can read", *data.id, *data.rate_max);
        check.found(
            RateUnusual,
            data.rate_max.span(),
            message,
            "unusually often",
            "one value a second is enough for every score and alarm known here",
        );
    }
    if let Some(period) = &data.period {
        period_fits(check, &data.id, period, *data.rate_max);
    }
}

/// Reports a period that is shorter than `rate` lets values come.
pub(super) fn period_fits(
    check: &mut Check<'_>,
    id: &crate::schema::Id,
    period: &crate::At<crate::Period>,
    rate: crate::Rate,
) {
    let shortest = rate.period_micros();
    if i128::from(period.seconds()) * 1_000_000 < i128::from(shortest) {
        let message = format!("data `{id}` are due every {} but may come only {rate}", **period);
        check.found(
            PeriodBelowRate,
            period.span(),
            message,
            "due sooner than allowed",
            "write a longer period or a higher rate",
        );
    }
}

fn twice(check: &mut Check<'_>, data: &Data, before: &[Data]) {
    let Some(first) = before.iter().find(|other| *other.code == *data.code) else { return };
    if *first.retention != *data.retention {
        let message = format!(
            "`{}` would be kept by two retention classes, `{}` and `{}`",
            *data.code, *first.retention, *data.retention
        );
        let hint = "one kind of data has one class (DIN 66398): use one, or one entry";
        check.found_with(
            TwoRetentionClasses,
            data.retention.span(),
            message,
            "another class",
            hint,
            (first.retention.span(), "first class"),
        );
    } else if *first.purpose == *data.purpose {
        let message = format!("`{}` is declared twice for purpose `{}`", *data.code, *data.purpose);
        check.found_with(
            DataTwice,
            data.code.span(),
            message,
            "again here",
            "keep one of them",
            (first.code.span(), "first here"),
        );
    }
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Numeric => "numeric",
        Kind::Waveform => "waveform",
    }
}
