//! The engine beside a reference of thirty lines that knows one rule, one value a second and what people press. After every second both must
//! say the same, and what must always hold is asked of the engine alone.

use crate::support::*;
use obhut_model::Quality;
use obhut_vitals::Seconds;
use obhut_vitals::alarm::*;
use proptest::prelude::*;

const DELAY: i64 = 3;
const STALE: i64 = 4;

/// What happens in one second.
#[derive(Debug, Clone, Copy)]
enum Event {
    Value(f64),
    Doubtful(f64),
    NoNumber,
    Nothing,
    Acknowledge,
    PauseAudio(u32),
    PauseAlarms(u32),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let value = prop_oneof![Just(97.0), Just(90.5), Just(85.0), Just(85.0)];
    let event = prop_oneof![
        12 => value.clone().prop_map(Event::Value),
        2 => value.prop_map(Event::Doubtful),
        1 => Just(Event::NoNumber),
        3 => Just(Event::Nothing),
        2 => Just(Event::Acknowledge),
        1 => (1u32..20).prop_map(Event::PauseAudio),
        1 => (1u32..20).prop_map(Event::PauseAlarms),
    ];
    // Conditions that last are as likely as ones that flicker.
    prop::collection::vec((event, 1usize..6), 5..60)
        .prop_map(|runs| runs.into_iter().flat_map(|(event, times)| std::iter::repeat_n(event, times)).collect())
}

/// The reference: limit 90, hysteresis 1, delay 3 s, a value stands for 4 s.
#[derive(Debug, Default)]
struct Reference {
    onset: Option<i64>,
    last: i64,
    active: bool,
    latched: bool,
    acknowledged: bool,
}

impl Reference {
    fn value(&mut self, now: i64, value: f64, trusted: bool, latching: bool) {
        if value < 90.0 {
            self.onset = self.onset.or(Some(now));
            self.last = now;
        } else if trusted && value < 91.0 {
            if self.onset.is_some() {
                self.last = now;
            }
        } else if trusted {
            self.onset = None;
            if self.active {
                self.active = false;
                self.latched = latching && !self.acknowledged;
                self.acknowledged = false;
            }
        }
    }

    fn elapse(&mut self, now: i64) {
        if let Some(onset) = self.onset
            && !self.active
            && now.min(self.last + STALE) - onset >= DELAY
        {
            *self = Self { active: true, latched: false, acknowledged: false, ..*self };
        }
    }

    fn acknowledge(&mut self) {
        self.acknowledged = self.active;
        self.latched = false;
    }
}

fn ward(latching: bool) -> Ward {
    let mut profile = profile();
    for rule in &mut profile.rules {
        if let (true, Condition::Limit { steps, .. }) = (rule.id.as_str() == "spo2-low", &mut rule.condition) {
            steps[0].signal.latching = latching;
        }
    }
    Ward::with(profile)
}

fn play(ward: &mut Ward, event: Event) -> Vec<Output> {
    ward.now += 1.0;
    let now = ward.now;
    let mut out = match event {
        Event::Value(value) => ward.value(SPO2, value),
        Event::Doubtful(value) => {
            let quality = Quality::QUESTIONABLE;
            ward.feed(Input::Reading(Reading { quality, ..reading(SPO2, now, Some(value)) }))
        }
        Event::NoNumber => ward.feed(Input::Reading(reading(SPO2, now, None))),
        Event::Nothing => Vec::new(),
        Event::Acknowledge => match ward.alarm("spo2-low") {
            Some(alarm) => ward.act(Deed::Acknowledge { alarm: alarm.id, judged: None }),
            None => Vec::new(),
        },
        Event::PauseAudio(seconds) => ward.act(Deed::PauseAudio { bed: bed("bed-1"), length: Seconds(seconds) }),
        Event::PauseAlarms(seconds) => {
            let reason = "care".to_owned();
            ward.act(Deed::PauseAlarms { bed: bed("bed-1"), length: Seconds(seconds), reason })
        }
    };
    out.extend(ward.feed(Input::Tick));
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    // REQ-ALM-001 REQ-ALM-002 REQ-ALM-005 REQ-ALM-006 REQ-ALM-007
    #[test]
    fn the_engine_says_what_the_reference_says(events in events(), latching in any::<bool>()) {
        let mut ward = ward(latching);
        let mut reference = Reference::default();
        let mut last_number = None;
        for event in events {
            let before = ward.alarm("spo2-low");
            let out = play(&mut ward, event);
            let now = ward.now as i64;
            match event {
                Event::Value(value) => reference.value(now, value, true, latching),
                Event::Doubtful(value) => reference.value(now, value, false, latching),
                Event::Acknowledge if before.is_some() => reference.acknowledge(),
                _ => {}
            }
            reference.elapse(now);
            if matches!(event, Event::Value(_) | Event::Doubtful(_)) {
                last_number = Some(now);
            }
            let alarm = ward.alarm("spo2-low");
            let state = alarm.as_ref().map(|alarm| (alarm.state, alarm.acknowledged.is_some()));
            let expected = match (&reference.active, &reference.latched) {
                (true, _) => Some((State::Active, reference.acknowledged)),
                (false, true) => Some((State::Latched, false)),
                (false, false) => None,
            };
            prop_assert_eq!(state, expected, "second {}, {:?}", now, event);
            // Acknowledging never ends what is true.
            if let (Event::Acknowledge, Some(before)) = (event, &before) {
                prop_assert!(before.state == State::Latched || alarm.is_some());
            }
            // Only a good value that is back inside ends an active alarm.
            if before.is_some_and(|alarm| alarm.state == State::Active) && alarm.as_ref().is_none_or(|a| a.state != State::Active) {
                prop_assert!(matches!(event, Event::Value(value) if value >= 91.0), "{:?}", event);
            }
            // Silence of a value that was there is an alarm.
            let silent = last_number.is_some_and(|at| now - at > STALE);
            prop_assert_eq!(ward.alarm("no-signal").is_some(), silent);
            // What is silenced says by what, and only if somebody asked for it.
            let view = ward.engine.bed(&bed("bed-1")).unwrap();
            let paused = (view.alarms_paused.is_some(), view.audio_paused.is_some());
            for alarm in &view.alarms {
                let expected = match (alarm.acknowledged.is_some(), alarm.kind, paused) {
                    (true, ..) => Inactivation::Acknowledged,
                    (false, AlarmType::Physiological, (true, _)) => Inactivation::AlarmPaused,
                    (false, _, (_, true)) => Inactivation::AudioPaused,
                    _ => Inactivation::Enabled,
                };
                prop_assert_eq!(alarm.inactivation, expected);
            }
            // Whatever changed was said: the newest record of the alarm is the alarm.
            let newest = out.iter().rev().find_map(|output| match &output.what {
                What::Alarm { alarm, .. } if alarm.id.rule().as_str() == "spo2-low" => Some((**alarm).clone()),
                _ => None,
            });
            if let Some(newest) = newest.filter(|alarm| alarm.state != State::Inactive) {
                let here = ward.alarm("spo2-low").map(|alarm| (alarm.id, alarm.state, alarm.inactivation, alarm.evidence));
                prop_assert_eq!(here, Some((newest.id, newest.state, newest.inactivation, newest.evidence)));
            }
        }
        let starts = ward.phases("spo2-low").iter().filter(|phase| **phase == Phase::Start).count();
        let ends = ward.phases("spo2-low").iter().filter(|phase| **phase == Phase::End).count();
        prop_assert!(starts == ends || starts == ends + 1, "every start has at most one end");
    }

    // REQ-ALM-017
    #[test]
    fn an_engine_that_was_restored_goes_on_as_if_it_had_never_stopped(
        events in events(), cuts in prop::collection::vec(0usize..120, 1..4), latching in any::<bool>(),
    ) {
        let mut never = ward(latching);
        let mut stopped = ward(latching);
        for (index, event) in events.into_iter().enumerate() {
            if cuts.contains(&index) {
                let text = serde_json::to_string(&stopped.engine.snapshot()).unwrap();
                let alive = stopped.engine.alarms().count();
                let (engine, out) = Engine::restore(serde_json::from_str(&text).unwrap(), at(stopped.now)).unwrap();
                let again = out.iter().filter(|o| matches!(o.what, What::Alarm { phase: Phase::Continue, .. })).count();
                prop_assert_eq!(again, alive);
                stopped.engine = engine;
            }
            let what = |out: Vec<Output>| out.into_iter().map(|output| output.what).collect::<Vec<_>>();
            prop_assert_eq!(what(play(&mut never, event)), what(play(&mut stopped, event)));
        }
        let alarms = |ward: &Ward| ward.engine.alarms().map(|(_, alarm)| alarm.clone()).collect::<Vec<_>>();
        prop_assert_eq!(alarms(&never), alarms(&stopped));
    }

    // REQ-ALM-015
    #[test]
    fn copies_change_nothing(events in events()) {
        let mut once = ward(true);
        let mut twice = ward(true);
        for event in events {
            play(&mut once, event);
            play(&mut twice, event);
            if let Event::Value(value) = event {
                let now = twice.now;
                let out = twice.feed(Input::Reading(reading(SPO2, now, Some(value))));
                prop_assert!(out.is_empty(), "{:?}", out);
            }
        }
        prop_assert_eq!(once.phases("spo2-low"), twice.phases("spo2-low"));
    }
}
