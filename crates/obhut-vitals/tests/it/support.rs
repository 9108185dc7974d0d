//! A small ward and short words for what happens in it. Times are seconds.

use obhut_model::{BedId, Code, DeviceId, DeviceTime, PersonId, Quality, RequestId, ServerTime, Subject};
use obhut_vitals::Seconds;
use obhut_vitals::alarm::*;

pub(crate) const HR: Code = Code::ECG_HEART_RATE;
pub(crate) const SPO2: Code = Code::PULS_OXIM_SAT_O2;
pub(crate) const SBP: Code = Code::PRESS_BLD_ART_ABP_SYS;

pub(crate) fn rule_id(text: &str) -> RuleId {
    RuleId::new(text).unwrap()
}

pub(crate) fn bed(text: &str) -> BedId {
    BedId::new(text).unwrap()
}

pub(crate) fn person(n: u8) -> PersonId {
    PersonId::from_random([n; 16])
}

pub(crate) fn subject(n: u8) -> Subject {
    Subject::from_random([n; 16])
}

pub(crate) fn at(seconds: f64) -> ServerTime {
    ServerTime::from_micros((seconds * 1e6) as i64)
}

pub(crate) fn signal(priority: Priority, delay: u32, latching: bool) -> Signalling {
    Signalling { priority, delays: Delays { condition: Seconds(delay), signal: Seconds(0) }, latching }
}

pub(crate) fn step(limit: f64, priority: Priority, delay: u32, latching: bool) -> Step {
    Step { limit, signal: signal(priority, delay, latching) }
}

/// High heart rate in two steps, low saturation, a fall of saturation, shock, asystole, and every technical condition.
pub(crate) fn profile() -> Profile {
    let limit = |id: &str, code, side, hysteresis, steps| Rule {
        id: rule_id(id),
        condition: Condition::Limit { code, side, hysteresis, steps },
        settable: Some(Bounds { from: 20.0, to: 250.0 }),
    };
    let mut rules = vec![
        limit(
            "hr-high",
            HR,
            Side::High,
            2.0,
            vec![step(120.0, Priority::Medium, 10, false), step(150.0, Priority::High, 5, true)],
        ),
        limit("spo2-low", SPO2, Side::Low, 1.0, vec![step(90.0, Priority::Medium, 3, false)]),
        Rule {
            id: rule_id("spo2-falls"),
            condition: Condition::Trend {
                code: SPO2,
                side: Side::Low,
                over: Seconds(120),
                hysteresis: 0.0,
                steps: vec![step(8.0, Priority::Low, 0, false)],
            },
            settable: None,
        },
        Rule {
            id: rule_id("shock"),
            condition: Condition::Combined {
                terms: vec![
                    Term { code: HR, side: Side::High, limit: 110.0 },
                    Term { code: SBP, side: Side::Low, limit: 90.0 },
                ],
                at_least: 2,
                signal: signal(Priority::High, 2, false),
            },
            settable: None,
        },
        Rule {
            id: rule_id("asystole"),
            condition: Condition::Finding { finding: FindingKind::Asystole, signal: signal(Priority::High, 0, true) },
            settable: None,
        },
    ];
    for kind in TechnicalKind::ALL {
        let delay = match kind {
            TechnicalKind::StandbyValues => 20,
            TechnicalKind::DeviceLost | TechnicalKind::LinkLost => 2,
            _ => 0,
        };
        rules.push(Rule {
            id: rule_id(kind.word()),
            condition: Condition::Technical { kind: *kind, signal: signal(Priority::Medium, delay, false) },
            settable: None,
        });
    }
    let watched = |code| Watched { code, stale_after: Seconds(4), expect: Expect::OnceSeen };
    Profile {
        id: ProfileId::new("ward").unwrap(),
        version: "v1".to_owned(),
        rules,
        watched: vec![watched(HR), watched(SPO2), watched(SBP)],
        pauses: Pauses {
            audio_max: Seconds(120),
            alarm_max: Seconds(180),
            broken_by: Breaks::MoreUrgent,
            audio_off_allowed: true,
        },
        escalation: [Priority::High, Priority::Medium]
            .into_iter()
            .map(|priority| Escalation {
                priority,
                steps: vec![
                    Call { to: Callee::Responsible, answer_within: Seconds(30) },
                    Call { to: Callee::Role(RoleId::new("nurse").unwrap()), answer_within: Seconds(60) },
                    Call { to: Callee::Role(RoleId::new("physician").unwrap()), answer_within: Seconds(60) },
                ],
            })
            .collect(),
        update_every: Seconds(10),
        score: None,
    }
}

/// An engine and everything it has said.
pub(crate) struct Ward {
    pub(crate) engine: Engine,
    pub(crate) said: Vec<Output>,
    pub(crate) now: f64,
    pub(crate) acts: u64,
}

impl Ward {
    pub(crate) fn new() -> Self {
        Self::with(profile())
    }

    pub(crate) fn with(profile: Profile) -> Self {
        let id = profile.id.clone();
        let engine = Engine::new(["bed-1", "bed-2"].map(bed), vec![profile], id, at(0.0)).unwrap();
        Self { engine, said: Vec::new(), now: 0.0, acts: 0 }
    }

    pub(crate) fn feed(&mut self, input: Input) -> Vec<Output> {
        let out = self.engine.step(input, at(self.now));
        self.said.extend(out.clone());
        out
    }

    /// A good value of bed 1 taken now.
    pub(crate) fn value(&mut self, code: Code, value: f64) -> Vec<Output> {
        self.feed(Input::Reading(reading(code, self.now, Some(value))))
    }

    /// One value a second for `seconds`, then a tick; time ends at the last.
    pub(crate) fn hold(&mut self, code: Code, value: f64, seconds: u32) -> Vec<Output> {
        let mut out = Vec::new();
        for _ in 0..seconds {
            self.now += 1.0;
            out.extend(self.value(code, value));
            out.extend(self.feed(Input::Tick));
        }
        out
    }

    /// Only time for `seconds`, a tick each.
    pub(crate) fn wait(&mut self, seconds: u32) -> Vec<Output> {
        let mut out = Vec::new();
        for _ in 0..seconds {
            self.now += 1.0;
            out.extend(self.feed(Input::Tick));
        }
        out
    }

    pub(crate) fn act(&mut self, what: Deed) -> Vec<Output> {
        self.act_by(1, what)
    }

    pub(crate) fn act_by(&mut self, who: u8, what: Deed) -> Vec<Output> {
        self.acts += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.acts.to_be_bytes());
        self.feed(Input::Act(Act { id: RequestId::from_random(id), who: person(who), what }))
    }

    pub(crate) fn technical(&mut self, place: Place, kind: TechnicalKind, source: &str, present: bool) -> Vec<Output> {
        self.feed(Input::Technical(Technical {
            place,
            kind,
            code: None,
            source: Some(DeviceId::new(source).unwrap()),
            at: at(self.now).stand_in_for_device(),
            present,
        }))
    }

    /// The alarm of a rule at bed 1.
    pub(crate) fn alarm(&self, rule: &str) -> Option<Alarm> {
        let view = self.engine.bed(&bed("bed-1")).unwrap();
        view.alarms.into_iter().find(|alarm| alarm.id.rule().as_str() == rule).cloned()
    }

    pub(crate) fn id(&self, rule: &str) -> AlarmId {
        self.alarm(rule).unwrap_or_else(|| panic!("no alarm `{rule}`")).id
    }

    /// Phases of a rule's alarms, in order.
    pub(crate) fn phases(&self, rule: &str) -> Vec<Phase> {
        phases(&self.said, rule)
    }
}

pub(crate) fn phases(said: &[Output], rule: &str) -> Vec<Phase> {
    said.iter()
        .filter_map(|output| match &output.what {
            What::Alarm { phase, alarm, .. } if alarm.id.rule().as_str() == rule => Some(*phase),
            _ => None,
        })
        .collect()
}

pub(crate) fn reading(code: Code, seconds: f64, value: Option<f64>) -> Reading {
    Reading {
        bed: bed("bed-1"),
        subject: None,
        code,
        taken_at: DeviceTime::from_micros((seconds * 1e6) as i64),
        value,
        quality: Quality::GOOD,
        source: DeviceId::new("mon-1").unwrap(),
    }
}

pub(crate) fn finding(kind: FindingKind, seconds: f64, present: bool, opinion: SecondOpinion) -> Input {
    Input::Finding(Finding {
        bed: bed("bed-1"),
        subject: None,
        kind,
        at: DeviceTime::from_micros((seconds * 1e6) as i64),
        present,
        opinion,
        source: DeviceId::new("mon-1").unwrap(),
        quality: Quality::GOOD,
    })
}

pub(crate) fn refused(out: &[Output]) -> Option<Refusal> {
    out.iter().find_map(|output| match &output.what {
        What::Refused { why, .. } => Some(why.clone()),
        _ => None,
    })
}
