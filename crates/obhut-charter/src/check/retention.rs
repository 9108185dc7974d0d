//! Retention: one class each, an end each, raw not longer than allowed, and not below what the law demands.

use super::Check;
use crate::law::PERIOD_MINIMA;
use crate::problem::ProblemCode::{
    RawKeptTooLong, RawOutlivesNumerics, RetentionBelowComingLaw, RetentionBelowLaw, RetentionCoveredTwice,
    RetentionMissing, RetentionNotFromMeasurement, RetentionUnused, RetentionZero,
};
use crate::schema::{Covers, Data, Retention, RetentionStart, Word as _};
use obhut_model::Kind;
use std::collections::HashMap;
use std::ops::Range;

pub(super) fn check(check: &mut Check<'_>) {
    let mut covered: HashMap<Covers, (&Retention, Range<usize>)> = HashMap::new();
    for class in &check.entries.retention {
        if class.period.seconds() == 0 {
            let message = format!("retention class `{}` keeps nothing", *class.id);
            let hint = "write how long; what must not be stored at all is not declared";
            check.found(RetentionZero, class.period.span(), message, "zero", hint);
        }
        minimum(check, class);
        for covers in &class.covers {
            let first = covered.insert(**covers, (class, covers.span()));
            // Twice in one class is a repeated item, reported as such.
            if let Some((_, first)) = first.filter(|(other, _)| !std::ptr::eq(*other, class)) {
                let message = format!("`{}` is covered by two retention classes", covers.as_str());
                let hint = "one kind of record has one class (DIN 66398): keep it in one of them";
                check.found_with(
                    RetentionCoveredTwice,
                    covers.span(),
                    message,
                    "again here",
                    hint,
                    (first, "first here"),
                );
            }
        }
        if class.covers.is_empty() && !check.entries.data.iter().any(|data| *data.retention == *class.id) {
            let message = format!("nothing is in retention class `{}`", *class.id);
            check.found(RetentionUnused, class.id.span(), message, "unused", "remove it, or name it where it belongs");
        }
    }
    stored(check, &covered);
    for data in &check.entries.data {
        if let Some(class) = check.retention(&data.retention) {
            of_data(check, data, class);
        }
    }
}

/// Everything this program stores has one rule (DIN 66398): what nobody gave an end would stay for ever.
fn stored(check: &mut Check<'_>, covered: &HashMap<Covers, (&Retention, Range<usize>)>) {
    let left_out = check.draft.broken.iter().any(|(section, _)| *section == "retention");
    let missing: Vec<&str> = Covers::ALL
        .iter()
        .filter(|(_, covers)| covers.is_stored() && !covered.contains_key(covers))
        .map(|(word, _)| *word)
        .collect();
    let Some(ward) = check.draft.ward.as_ref().filter(|_| !left_out && !missing.is_empty()) else { return };
    let message = format!("no retention class covers {}", missing.join(", "));
    let hint = "add them to `covers` of a `[[retention]]`; `charters/minimal.toml` shows a short way";
    check.found(RetentionMissing, ward.id.span(), message, "kept without an end", hint);
}

fn minimum(check: &mut Check<'_>, class: &Retention) {
    for minimum in PERIOD_MINIMA.iter().filter(|minimum| class.covers.iter().any(|covers| **covers == minimum.covers)) {
        // Years count 366 days on both sides, so "10 y" is enough and 3650 days, which may be two days short, are not.
        if *class.period >= minimum.period {
            continue;
        }
        let message = format!(
            "retention class `{}` keeps `{}` for {}, below {}",
            *class.id,
            minimum.covers.as_str(),
            *class.period,
            minimum.source
        );
        let hint = format!("write `period = \"{}\"` or longer", minimum.period);
        let code = if minimum.in_force(check.today) { RetentionBelowLaw } else { RetentionBelowComingLaw };
        check.found(code, class.period.span(), message, "too short", hint);
    }
}

fn of_data(check: &mut Check<'_>, data: &Data, class: &Retention) {
    if *class.start != RetentionStart::Measurement {
        let message = format!(
            "data `{}` are measured values, but retention class `{}` begins at `{}`",
            *data.id,
            *class.id,
            class.start.as_str()
        );
        let hint = "values are deleted counting from their measurement; what belongs into the treatment record is charted and kept there";
        let related = (class.start.span(), "begins here");
        check.found_with(
            RetentionNotFromMeasurement,
            data.retention.span(),
            message,
            "cannot be counted",
            hint,
            related,
        );
    }
    if data.code.info().is_none_or(|info| info.kind != Kind::Waveform) {
        return;
    }
    if let Some(purpose) = check.purpose(&data.purpose) {
        match &purpose.raw_max {
            Some(longest) if *class.period > **longest => {
                let message = format!(
                    "waveform `{}` is kept for {}, longer than the {} its purpose allows",
                    *data.id, *class.period, **longest
                );
                let hint = format!(
                    "choose a class of {} or less, or raise `raw_max` of purpose `{}` with a reason",
                    **longest, *purpose.id
                );
                check.found_with(
                    RawKeptTooLong,
                    data.retention.span(),
                    message,
                    "raw waveform",
                    hint,
                    (longest.span(), "longest allowed"),
                );
            }
            None => {
                let message =
                    format!("waveform `{}` is kept for a purpose that does not allow raw waveforms", *data.id);
                let hint =
                    format!("add `raw_max = \"72 h\"` to purpose `{}`, or do not declare the waveform", *purpose.id);
                check.found_with(
                    RawKeptTooLong,
                    data.retention.span(),
                    message,
                    "raw waveform",
                    hint,
                    (purpose.id.span(), "no `raw_max`"),
                );
            }
            Some(_) => {}
        }
    }
    outlives(check, data, class);
}

fn outlives(check: &mut Check<'_>, wave: &Data, class: &Retention) {
    let numerics = check.entries.data.iter().filter(|data| *data.purpose == *wave.purpose);
    let shortest = numerics
        .filter(|data| *data.needs_patient && data.code.info().is_some_and(|info| info.kind == Kind::Numeric))
        .filter_map(|data| check.retention(&data.retention))
        .min_by_key(|class| *class.period);
    if let Some(shortest) = shortest.filter(|shortest| *class.period > *shortest.period) {
        let message = format!(
            "waveform `{}` is kept for {}, longer than numerics of the same purpose ({})",
            *wave.id, *class.period, *shortest.period
        );
        let hint = "the raw curve says more about a person than the number taken from it: keep it no longer";
        let related = (shortest.period.span(), "numerics");
        check.found_with(
            RawOutlivesNumerics,
            wave.retention.span(),
            message,
            "raw outlives the numbers",
            hint,
            related,
        );
    }
}
