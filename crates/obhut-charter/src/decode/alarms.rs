//! The keys of `[[alarm]]` and `[alarms]`.
//!
//! Every key is read before the first `?`, so that all mistakes of an entry are found together.

use super::convert::{boolean, decimal, id, number, period, some_period, word};
use super::fields::{Fields, Refusal, Value};
use crate::problem::ProblemCode;
use crate::schema::{Alarm, Alarms, CallStep, Combined, Escalation, Part, PauseBreak, Settable, Signal, Word};
use crate::{Period, PeriodUnit};

const NONE: Period = Period::new(0, PeriodUnit::Second);

pub(super) fn alarm(f: &mut Fields<'_, '_>) -> Option<Alarm> {
    let data = f.required("data", id);
    let below = f.optional("below", decimal);
    let above = f.optional("above", decimal);
    let falls = f.optional("falls", decimal);
    let rises = f.optional("rises", decimal);
    let over = f.optional("over", some_period);
    let hysteresis = f.optional("hysteresis", decimal);
    let signal = signal(f);
    let settable = f.optional_table("settable", |f| {
        let from = f.required("from", decimal);
        let to = f.required("to", decimal);
        Some(Settable { from: *from?, to: *to? })
    });
    let Signal { priority, delay, signal_delay, latching } = signal?;
    Some(Alarm {
        data: data?,
        priority,
        below: below?,
        above: above?,
        falls: falls?,
        rises: rises?,
        over: over?,
        hysteresis: hysteresis?,
        delay,
        signal_delay,
        latching,
        settable: settable?,
    })
}

fn signal(f: &mut Fields<'_, '_>) -> Option<Signal> {
    let priority = f.required("priority", word);
    let delay = f.or("delay", NONE, period);
    let signal_delay = f.or("signal_delay", NONE, period);
    let latching = f.or("latching", false, boolean);
    Some(Signal { priority: priority?, delay: delay?, signal_delay: signal_delay?, latching: latching? })
}

fn part<K: Word>(f: &mut Fields<'_, '_>) -> Option<Part<K>> {
    let kind = f.required("kind", word);
    let signal = signal(f);
    Some(Part { kind: kind?, signal: signal? })
}

pub(super) fn alarms(f: &mut Fields<'_, '_>) -> Option<Alarms> {
    let audio_pause_max = f.required("audio_pause_max", some_period);
    let alarm_pause_max = f.required("alarm_pause_max", some_period);
    let audio_pause_broken_by = f.or("audio_pause_broken_by", PauseBreak::Any, word);
    let audio_off = f.or("audio_off", false, boolean);
    let update_every = f.required("update_every", some_period);
    let always = f.list("always", id);
    let score = f.optional("score", id);
    let score_every = f.optional("score_every", some_period);
    let technical = f.tables("technical", |_| Err(table("{ kind = \"lead-off\", priority = \"medium\" }")), part);
    let finding = f.tables("finding", |_| Err(table("{ kind = \"asystole\", priority = \"high\" }")), part);
    let combined =
        f.tables("combined", |_| Err(table("{ id = \"shock\", limits = [ … ], priority = \"high\" }")), combined);
    let escalation =
        f.tables("escalation", |_| Err(table("{ priority = \"high\", steps = [{ within = \"30 s\" }] }")), escalation);
    Some(Alarms {
        audio_pause_max: audio_pause_max?,
        alarm_pause_max: alarm_pause_max?,
        audio_pause_broken_by: audio_pause_broken_by?,
        audio_off: audio_off?,
        update_every: update_every?,
        always: always?,
        score: score?,
        score_every: score_every?,
        technical: technical?,
        finding: finding?,
        combined: combined?,
        escalation: escalation?,
    })
}

fn table(like: &str) -> Refusal {
    Refusal::new(ProblemCode::WrongType, "must hold tables", format!("write {like}"))
}

fn combined(f: &mut Fields<'_, '_>) -> Option<Combined> {
    let id_ = f.required("id", id);
    let limits = f.tables(
        "limits",
        |_: Value<'_>| Err(table("{ data = \"heart-rate\", above = 110 }")),
        |f| {
            let data = f.required("data", id);
            let below = f.optional("below", decimal);
            let above = f.optional("above", decimal);
            Some((data?, below?, above?))
        },
    );
    let at_least = f.optional("at_least", number(1..=8));
    let signal = signal(f);
    Some(Combined { id: id_?, limits: limits?, at_least: at_least?, signal: signal? })
}

fn escalation(f: &mut Fields<'_, '_>) -> Option<Escalation> {
    let priority = f.required("priority", word);
    let steps = f.tables(
        "steps",
        |_| Err(table("{ role = \"nurse\", within = \"60 s\" }")),
        |f| {
            let role = f.optional("role", id);
            let within = f.required("within", some_period);
            Some(CallStep { role: role?, within: within? })
        },
    );
    Some(Escalation { priority: priority?, steps: steps? })
}
