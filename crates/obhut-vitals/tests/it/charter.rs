//! The shipped charter gives a profile that an engine takes and that does what it says.

use obhut_charter::schema::{AlarmFinding, AlarmPart, Word};
use obhut_charter::{Charter, Checked, Date};
use obhut_model::Code;
use obhut_vitals::Seconds;
use obhut_vitals::alarm::*;
use obhut_vitals::from_charter::{FromCharterError, profile};

fn charter(name: &str) -> Checked {
    let path = format!("{}/../../charters/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    Charter::parse(name, &text, Date::new(2026, 11, 20).unwrap()).unwrap_or_else(|p| panic!("{}", p.render(false)))
}

// REQ-ALM-020
#[test]
fn the_demonstration_s_charter_compiles_to_the_rules_it_declares() {
    let demo = charter("demo");
    let profile = profile(&demo).unwrap();
    assert_eq!(profile.version, demo.fingerprint());
    let high = profile.rule(&RuleId::new("heart-rate-high").unwrap()).unwrap();
    let Condition::Limit { code, side, hysteresis, steps } = &high.condition else { panic!("{high:?}") };
    assert_eq!((*code, *side, *hysteresis, steps.len()), (Code::ECG_HEART_RATE, Side::High, 2.0, 2));
    assert_eq!(
        (steps[0].limit, steps[0].signal.priority, steps[0].signal.delays.total()),
        (120.0, Priority::Medium, Seconds(10))
    );
    assert_eq!((steps[1].limit, steps[1].signal.latching), (150.0, true));
    assert_eq!(high.settable, Some(Bounds { from: 30.0, to: 200.0 }));
    let falls = profile.rule(&RuleId::new("spo2-falls").unwrap()).unwrap();
    assert!(matches!(&falls.condition, Condition::Trend { side: Side::Low, over: Seconds(600), .. }));
    assert_eq!(profile.stale_after(Code::ECG_HEART_RATE), Some(Seconds(2)));
    assert_eq!(profile.stale_after(Code::PRESS_BLD_NONINV_SYS), Some(Seconds(30 * 60)));
    assert_eq!(profile.score.as_ref().unwrap().table, "news2");
    assert_eq!(profile.escalation[0].steps[0].to, Callee::Responsible);
    let id = profile.id.clone();
    assert!(
        Engine::new(demo.beds().iter().map(|bed| (*bed.id).clone()), vec![profile], id, crate::support::at(0.0))
            .is_ok()
    );
}

#[test]
fn a_charter_without_alarms_gives_none() {
    assert_eq!(profile(&charter("minimal")), Err(FromCharterError::NoAlarms));
}

#[test]
fn charter_and_engine_know_the_same_words() {
    let of_engine: Vec<&str> = TechnicalKind::ALL.iter().map(|kind| kind.word()).collect();
    let of_charter: Vec<&str> = AlarmPart::ALL.iter().map(|(word, _)| *word).collect();
    assert_eq!(of_engine, of_charter);
    for (word, part) in AlarmPart::ALL {
        assert_eq!(TechnicalKind::from_word(word).unwrap().is_loss(), part.is_loss(), "{word}");
    }
    let of_engine: Vec<&str> = FindingKind::ALL.iter().map(|kind| kind.word()).collect();
    let of_charter: Vec<&str> = AlarmFinding::ALL.iter().map(|(word, _)| *word).collect();
    assert_eq!(of_engine, of_charter);
    assert_eq!(u64::from(obhut_vitals::limits::LOSS_SIGNAL_MAX), obhut_charter::limits::LOSS_SIGNAL_SECONDS_MAX);
}
