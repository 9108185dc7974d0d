//! Emergency access: step by step, and against a small model under every order of events.

use super::{at, case, person, register, same_after_replay, subject};
use crate::consents;
use crate::emergencies::{Command, Due, Limits, Verdict};
use crate::*;
use proptest::prelude::*;
use std::sync::Arc;

fn limits() -> Limits {
    Limits {
        micros_max: 100_000_000,
        review_micros: 700_000_000,
        reasons: vec!["danger".into()],
        remind_micros: vec![350_000_000, 600_000_000],
    }
}

fn open(n: u8, who: u8, whose: u8) -> Command {
    Command::Open {
        case: case(n),
        person: person(who),
        subject: subject(whose),
        bed: None,
        reason: "danger".into(),
        text: "".into(),
        limits: limits(),
    }
}

fn judge(n: u8, verdict: Verdict, text: &str) -> Command {
    Command::Review { case: case(n), verdict, text: text.into() }
}

#[test]
fn one_person_one_patient_a_reason_a_few_hours_and_a_second_person_after() {
    let (log, register) = register();
    let (me, other) = (By::Person(person(1)), By::Person(person(2)));
    let unknown = Command::Open {
        case: case(1),
        person: person(1),
        subject: subject(1),
        bed: None,
        reason: "curious".into(),
        text: "".into(),
        limits: limits(),
    };
    assert_eq!(register.execute(me, at(0), unknown), Err(Refusal::UnknownReason));
    register.execute(me, at(0), open(1, 1, 1)).unwrap();
    assert_eq!(register.execute(me, at(1), open(2, 1, 1)), Err(Refusal::AlreadyOpen));
    register.read(|state| {
        assert!(state.emergency_of(person(1), subject(1), at(99)).is_some());
        assert!(state.emergency_of(person(1), subject(1), at(100)).is_none(), "it ends by itself");
        assert!(state.emergency_of(person(1), subject(2), at(1)).is_none(), "one patient");
        assert!(state.emergency_of(person(2), subject(1), at(1)).is_none(), "one person");
        assert_eq!(state.reviews_due().len(), 1, "in the queue from the first moment");
    });
    assert_eq!(register.execute(other, at(50), judge(1, Verdict::Justified, "")), Err(Refusal::StillRunning));
    register.execute(me, at(60), Command::Stop { case: case(1) }).unwrap();
    assert_eq!(register.execute(me, at(61), Command::Stop { case: case(1) }), Err(Refusal::NotRunning));
    assert_eq!(
        register.execute(other, at(62), Command::Explain { case: case(1), text: "x".into() }),
        Err(Refusal::NotYours)
    );
    register.execute(me, at(62), Command::Explain { case: case(1), text: "found on the floor".into() }).unwrap();
    for by in [me, By::Console(0), By::System] {
        assert_eq!(register.execute(by, at(63), judge(1, Verdict::Justified, "")), Err(Refusal::SecondPerson));
    }
    assert!(matches!(register.execute(other, at(63), judge(1, Verdict::NotJustified, " ")), Err(Refusal::Empty(_))));
    register.execute(other, at(63), judge(1, Verdict::NotJustified, "no danger")).unwrap();
    assert_eq!(register.execute(other, at(64), judge(1, Verdict::Justified, "")), Err(Refusal::AlreadyReviewed));
    register.read(|state| assert!(state.reviews_due().is_empty() && state.emergency_steps(at(9_000)).is_empty()));
    same_after_replay(&log, &register);
}

#[test]
fn reviewers_are_reminded_and_then_it_is_escalated_once() {
    let (log, register) = register();
    register.execute(By::Person(person(1)), at(0), open(1, 1, 1)).unwrap();
    for (when, wanted) in [
        (349, None),
        (350, Some(Due::Remind(case(1)))),
        (599, None),
        (600, Some(Due::Remind(case(1)))),
        (699, None),
        (700, Some(Due::Escalate(case(1)))),
        (9_000, None),
    ] {
        let steps = register.read(|state| state.emergency_steps(at(when)));
        assert_eq!(steps.first().copied(), wanted, "after {when} s");
        match wanted {
            Some(Due::Remind(case)) => drop(register.execute(By::System, at(when), Command::Remind { case }).unwrap()),
            Some(Due::Escalate(case)) => {
                drop(register.execute(By::System, at(when), Command::Escalate { case }).unwrap())
            }
            None => {}
        }
    }
    register.read(|state| assert_eq!(state.reviews_due().len(), 1, "it stays until somebody judges it"));
    same_after_replay(&log, &register);
}

#[test]
fn it_opens_and_stops_while_the_log_fails_and_is_written_afterwards_in_order() {
    let (log, register) = register();
    log.fail(true);
    let me = By::Person(person(1));
    register.put_into_force(me, at(0), open(1, 1, 1)).unwrap();
    assert_eq!(register.execute(me, at(1), open(2, 1, 2)).unwrap().kept, Kept::Pending);
    register.read(|state| assert_eq!(state.emergencies_of(person(1), at(2)).count(), 2));
    assert_eq!(
        register.execute(By::Person(person(2)), at(200), judge(1, Verdict::Justified, "")),
        Err(Refusal::Unavailable)
    );
    register.execute(me, at(3), Command::Stop { case: case(2) }).unwrap();
    assert_eq!(register.waiting(), 3);
    log.fail(false);
    // Whatever is written next takes the queue along, before itself.
    register.execute(By::Person(person(2)), at(200), judge(1, Verdict::Justified, "")).unwrap();
    assert_eq!(register.waiting(), 0);
    same_after_replay(&log, &register);
}

/// What may happen, in any order, by anybody, with the log failing or not.
#[derive(Debug, Clone)]
enum Happens {
    Open { who: u8, whose: u8 },
    Stop { which: u8 },
    Judge { which: u8, by: u8 },
    Withdraw,
    Fail(bool),
    Settle,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        (1u8..4, 1u8..3).prop_map(|(who, whose)| Happens::Open { who, whose }),
        (0u8..12).prop_map(|which| Happens::Stop { which }),
        ((0u8..12), (1u8..4)).prop_map(|(which, by)| Happens::Judge { which, by }),
        Just(Happens::Withdraw),
        any::<bool>().prop_map(Happens::Fail),
        Just(Happens::Settle),
    ]
}

/// The model: who opened whose data when, stopped when, judged by whom.
#[derive(Debug, Clone, Copy)]
struct Model {
    who: u8,
    whose: u8,
    opened: i64,
    stopped: Option<i64>,
    judged: bool,
}

impl Model {
    fn end(&self) -> i64 {
        self.stopped.unwrap_or(i64::MAX).min(self.opened + 100)
    }
}

proptest! {
    #[test]
    fn it_is_what_the_model_says_and_replays(events in proptest::collection::vec((happens(), 1i64..60), 1..60)) {
        let (log, register) = register();
        let (mut model, mut now, mut failing): (Vec<Model>, i64, bool) = (Vec::new(), 0, false);
        for (event, later) in events {
            now += later;
            match event {
                Happens::Open { who, whose } => {
                    let n = u8::try_from(model.len()).unwrap();
                    let running = model.iter().any(|m| m.who == who && m.whose == whose && now < m.end());
                    let done = register.execute(By::Person(person(who)), at(now), open(n, who, whose));
                    prop_assert_eq!(done.is_ok(), !running);
                    if !running { model.push(Model { who, whose, opened: now, stopped: None, judged: false }); }
                }
                Happens::Stop { which } => {
                    let done = register.execute(By::System, at(now), Command::Stop { case: case(which) });
                    let running = model.get_mut(usize::from(which)).filter(|m| now < m.end());
                    prop_assert_eq!(done.is_ok(), running.is_some());
                    if let Some(m) = running { m.stopped = Some(now); }
                }
                Happens::Judge { which, by } => {
                    let done = register.execute(By::Person(person(by)), at(now), judge(which, Verdict::Justified, ""));
                    let open = model.get_mut(usize::from(which)).filter(|m| !m.judged && now >= m.end() && m.who != by && !failing);
                    prop_assert_eq!(done.is_ok(), open.is_some());
                    if let Some(m) = open { m.judged = true; }
                }
                Happens::Withdraw => {
                    let command = consents::Command::Withdraw { case: case(200), channel: consents::Channel::Own };
                    prop_assert_eq!(register.execute(By::System, at(now), command), Err(Refusal::NoSuchCase));
                }
                Happens::Fail(fail) => { failing = fail; log.fail(fail); }
                Happens::Settle => prop_assert_eq!(register.settle().is_ok(), !failing || register.waiting() == 0),
            }
            for (who, whose) in [(1, 1), (2, 1), (3, 2)] {
                let runs = model.iter().any(|m| m.who == who && m.whose == whose && now < m.end());
                prop_assert_eq!(register.read(|state| state.emergency_of(person(who), subject(whose), at(now)).is_some()), runs);
            }
            prop_assert_eq!(register.read(|state| state.reviews_due().len()), model.iter().filter(|m| !m.judged).count());
        }
        log.fail(false);
        register.settle().unwrap();
        same_after_replay(&log, &register);
        let _: Arc<MemoryLog> = log;
    }
}
