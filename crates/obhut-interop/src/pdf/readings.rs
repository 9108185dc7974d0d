//! Readings summed up by periods: how many, the lowest, the highest and the last, each a stored value.

use super::Press;
use crate::number::exact;
use crate::source::for_each_stretch;
use crate::{CopyError, Source, Stretch, Summary, limits};
use obhut_model::{Code, DeviceTime, NO_VALUE, SampleRate};

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Periods readings are summed up by; the shortest that keeps the table within its bound is taken.
const PERIODS: [i64; 8] = [15 * MINUTE, 60 * MINUTE, 360 * MINUTE, DAY, 7 * DAY, 30 * DAY, 365 * DAY, 3_650 * DAY];

/// The shortest period with which all codes together stay within the bound.
fn period(codes: &[(Code, DeviceTime, DeviceTime)]) -> i64 {
    let rows = |period: i64| -> i64 {
        codes.iter().map(|(_, first, last)| last.since(*first) / period + 1).fold(0, i64::saturating_add)
    };
    let most = i64::try_from(limits::PDF_ROWS_MAX).unwrap_or(i64::MAX);
    PERIODS.into_iter().find(|period| rows(*period) <= most).unwrap_or(3_650 * DAY)
}

/// One row of numbers.
#[derive(Default)]
struct Numbers {
    count: u64,
    absent: u64,
    doubtful: u64,
    lowest: Option<(f64, String)>,
    highest: Option<(f64, String)>,
    last: Option<String>,
}

/// One row of a waveform.
struct Curve {
    first: i64,
    last: i64,
    samples: u64,
    absent: u64,
    rate: SampleRate,
}

pub(super) fn write(press: &mut Press<'_>, source: &mut dyn Source, summary: &mut Summary) -> Result<(), CopyError> {
    let words = press.words;
    let codes = source.codes()?;
    let period = period(&codes);
    press.sheet.heading(2, words.readings)?;
    press.sheet.paragraph(if codes.is_empty() { words.no_readings } else { words.readings_text })?;
    for part in codes {
        let info = part.0.info();
        let name = info.map_or_else(
            || part.0.to_string(),
            |info| format!("{} ({})", press.dossier.language.pick(info.name_de, info.name_en), info.unit_shown),
        );
        let (mut numbers, mut curves) = (Vec::<(i64, Numbers)>::new(), Vec::<(i64, Curve)>::new());
        for_each_stretch(source, part, &mut |stretch| {
            summary.count(&stretch);
            match stretch {
                Stretch::Numerics { .. } => add_numbers(&mut numbers, period, &stretch),
                Stretch::Waveform { .. } => add_curve(&mut curves, period.max(DAY), &stretch),
            }
            Ok(())
        })?;
        press.sheet.heading(3, &name)?;
        let rows: Vec<Vec<String>> = numbers
            .into_iter()
            .map(|(from, row)| {
                let text = |value: Option<(f64, String)>| value.map_or_else(|| "–".to_owned(), |(_, text)| text);
                vec![
                    press.moment(from),
                    row.count.to_string(),
                    text(row.lowest),
                    text(row.highest),
                    row.last.unwrap_or_else(|| "–".to_owned()),
                    row.doubtful.to_string(),
                    row.absent.to_string(),
                ]
            })
            .collect();
        if !rows.is_empty() {
            let columns = [
                (words.from, 0.23),
                (words.count, 0.11),
                (words.lowest, 0.15),
                (words.highest, 0.13),
                (words.last, 0.12),
                (words.doubtful, 0.13),
                (words.absent, 0.13),
            ];
            press.sheet.table(&columns, &rows)?;
        }
        let rows: Vec<Vec<String>> = curves
            .into_iter()
            .map(|(_, row)| {
                vec![
                    press.moment(row.first),
                    press.moment(row.last),
                    row.samples.to_string(),
                    row.rate.to_string(),
                    row.absent.to_string(),
                ]
            })
            .collect();
        if !rows.is_empty() {
            let columns =
                [(words.from, 0.25), (words.to, 0.25), (words.samples, 0.2), (words.rate, 0.15), (words.absent, 0.15)];
            press.sheet.table(&columns, &rows)?;
        }
    }
    Ok(())
}

fn add_numbers(rows: &mut Vec<(i64, Numbers)>, period: i64, stretch: &Stretch) {
    let Stretch::Numerics { step, values } = stretch else { return };
    for (at, steps, quality) in values {
        let from = at.micros().div_euclid(period).saturating_mul(period);
        if rows.last().is_none_or(|(last, _)| *last != from) {
            rows.push((from, Numbers::default()));
        }
        let Some((_, row)) = rows.last_mut() else { continue };
        row.count += 1;
        row.doubtful += u64::from(!quality.is_trusted());
        let Some(steps) = steps else {
            row.absent += 1;
            continue;
        };
        let (value, text) = (step.to_f64() * f64::from(*steps), exact(*step, *steps));
        if row.lowest.as_ref().is_none_or(|(lowest, _)| value < *lowest) {
            row.lowest = Some((value, text.clone()));
        }
        if row.highest.as_ref().is_none_or(|(highest, _)| value > *highest) {
            row.highest = Some((value, text.clone()));
        }
        row.last = Some(text);
    }
}

fn add_curve(rows: &mut Vec<(i64, Curve)>, period: i64, stretch: &Stretch) {
    let Stretch::Waveform { start, rate, samples, .. } = stretch else { return };
    let from = start.micros().div_euclid(period).saturating_mul(period);
    let end = start.plus_micros(rate.offset_micros(samples.len().saturating_sub(1) as u64)).micros();
    let absent = samples.iter().filter(|sample| **sample == NO_VALUE).count() as u64;
    match rows.last_mut() {
        Some((known, row)) if *known == from && row.rate == *rate => {
            row.last = end;
            row.samples += samples.len() as u64;
            row.absent += absent;
        }
        _ => rows.push((
            from,
            Curve { first: start.micros(), last: end, samples: samples.len() as u64, absent, rate: *rate },
        )),
    }
}
