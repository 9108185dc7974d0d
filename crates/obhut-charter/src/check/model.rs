//! Device models: no more than the data need, no less than they must be able to send, and careful where a life hangs on them.

use super::{Check, data::period_fits, rate_of};
use crate::problem::ProblemCode::{
    CodeSentTwice, LifeSupportingUpdateInUse, LifeSupportingWithoutAttestation, LifeSupportingWithoutFirmware,
    ModelCannotSend, ModelSendsNothing, RateAboveNeed,
};
use crate::schema::{Attestation, Data, DeviceModel};
use obhut_model::Kind;

pub(super) fn check(check: &mut Check<'_>) {
    for model in &check.entries.models {
        if model.sends.is_empty() {
            let message = format!("model `{}` may send nothing", *model.id);
            check.found(
                ModelSendsNothing,
                model.id.span(),
                message,
                "sends nothing",
                "list data ids in `sends`, or remove the model",
            );
        }
        sends(check, model);
        capacity(check, model);
        if *model.life_supporting {
            life_supporting(check, model);
        }
    }
}

fn sends(check: &mut Check<'_>, model: &DeviceModel) {
    let mut seen: Vec<(&Data, std::ops::Range<usize>)> = Vec::new();
    for send in &model.sends {
        let Some(data) = check.data(&send.data) else { continue };
        match seen.iter().find(|(other, _)| *other.code == *data.code) {
            // The same entry twice is a repeated item, reported as such.
            Some((other, _)) if *other.id == *data.id => {}
            Some((_, first)) => {
                let message = format!("model `{}` sends `{}` under two data entries", *model.id, *data.code);
                let hint = "a reading carries its code, not its purpose: let the model send one of them";
                check.found_with(
                    CodeSentTwice,
                    send.data.span(),
                    message,
                    "same code",
                    hint,
                    (first.clone(), "first here"),
                );
            }
            None => seen.push((data, send.data.span())),
        }
        if let Some(rate) = send.rate_max.as_ref().filter(|rate| rate.sample_rate() > data.rate_max.sample_rate()) {
            let message = format!(
                "model `{}` may send `{}` {}, above the need of {}",
                *model.id, *data.id, **rate, *data.rate_max
            );
            let hint = format!(
                "lower it to `{}` or less, or raise `rate_max` of data `{}` with a reason",
                *data.rate_max, *data.id
            );
            check.found_with(
                RateAboveNeed,
                rate.span(),
                message,
                "above the need",
                hint,
                (data.rate_max.span(), "the need"),
            );
        }
        if let Some(period) = &send.period {
            period_fits(check, &data.id, period, rate_of(data, send));
        }
    }
}

/// Bytes a second the declared streams produce at least: two a sample, and eight a numeric with its code, time and quality packed tightest.
fn capacity(check: &mut Check<'_>, model: &DeviceModel) {
    let bytes: f64 = model
        .sends
        .iter()
        .filter_map(|send| check.data(&send.data).map(|data| (data, send)))
        .map(|(data, send)| {
            let size = if data.code.info().is_some_and(|info| info.kind == Kind::Waveform) { 2.0 } else { 8.0 };
            rate_of(data, send).sample_rate().hertz() * size
        })
        .sum();
    let room = f64::from(*model.messages_per_second_max) * f64::from(*model.payload_bytes_max);
    if bytes > room {
        let message = format!(
            "model `{}` may send {bytes:.0} bytes of values a second, but its messages hold {room:.0}",
            *model.id
        );
        let hint = "raise `messages_per_second_max` or `payload_bytes_max`, or lower the rates";
        let related = (model.payload_bytes_max.span(), "bytes each");
        check.found_with(
            ModelCannotSend,
            model.messages_per_second_max.span(),
            message,
            "messages a second",
            hint,
            related,
        );
    }
}

fn life_supporting(check: &mut Check<'_>, model: &DeviceModel) {
    let place = || (model.life_supporting.span(), "life-supporting");
    match &model.firmware {
        None => {
            let message = format!("model `{}` is life-supporting and has no firmware policy", *model.id);
            let hint = "add `firmware = { update = \"staged\", while_in_use = false }`, or `update = \"never\"` if that is the decision";
            check.found_with(
                LifeSupportingWithoutFirmware,
                model.id.span(),
                message,
                "how may its firmware change?",
                hint,
                place(),
            );
        }
        Some(firmware) if firmware.while_in_use => {
            let message =
                format!("model `{}` is life-supporting and may be updated while a patient is bound", *model.id);
            let hint = "write `while_in_use = false`";
            check.found_with(LifeSupportingUpdateInUse, firmware.span(), message, "at the patient", hint, place());
        }
        Some(_) => {}
    }
    if model.attestation.as_ref().is_none_or(|attestation| **attestation == Attestation::None) {
        let span = model.attestation.as_ref().map_or_else(|| model.id.span(), crate::At::span);
        let message = format!("model `{}` is life-supporting and need not show that it is genuine", *model.id);
        let hint = "add `attestation = \"required\"`, or \"preferred\" as long as the maker offers no evidence";
        check.found_with(LifeSupportingWithoutAttestation, span, message, "genuine?", hint, place());
    }
}
