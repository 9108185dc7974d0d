//! Profiles that are wrong are refused with everything that is wrong.

use crate::support::*;
use obhut_vitals::Seconds;
use obhut_vitals::alarm::*;

fn wrong(change: impl FnOnce(&mut Profile)) -> Vec<ProfileError> {
    let mut profile = profile();
    change(&mut profile);
    profile.check().err().map(|errors| errors.errors).unwrap_or_default()
}

// REQ-ALM-020
#[test]
fn the_profile_of_these_tests_is_good_and_survives_its_form() {
    let profile = profile();
    assert_eq!(profile.check(), Ok(()));
    let text = serde_json::to_string(&profile).unwrap();
    assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), profile);
}

// REQ-ALM-020
#[test]
fn each_mistake_is_named() {
    type Wanted = fn(&ProfileError) -> bool;
    let cases: Vec<(Box<dyn FnOnce(&mut Profile)>, Wanted)> = vec![
        (Box::new(|p| p.rules.push(p.rules[0].clone())), |e| matches!(e, ProfileError::RuleTwice { .. })),
        (Box::new(|p| limit_steps(p).clear()), |e| matches!(e, ProfileError::NoStep { .. })),
        (Box::new(|p| limit_steps(p)[0].limit = f64::NAN), |e| matches!(e, ProfileError::NotANumber { .. })),
        (Box::new(|p| limit_steps(p).reverse()), |e| matches!(e, ProfileError::StepOrder { .. })),
        (Box::new(|p| limit_steps(p)[0].signal.priority = Priority::None), |e| {
            matches!(e, ProfileError::NoPriority { .. })
        }),
        (
            Box::new(|p| p.watched.retain(|watched| watched.code != SBP)),
            |e| matches!(e, ProfileError::NotWatched { code, .. } if *code == SBP),
        ),
        (Box::new(|p| p.watched[0].stale_after = Seconds(0)), |e| matches!(e, ProfileError::BadWatch { .. })),
        (
            Box::new(|p| {
                p.rules.iter_mut().for_each(|rule| {
                    if let Condition::Combined { at_least, .. } = &mut rule.condition {
                        *at_least = 3;
                    }
                });
            }),
            |e| matches!(e, ProfileError::Combination { at_least: 3, terms: 2, .. }),
        ),
        (Box::new(|p| p.rules[0].settable = Some(Bounds { from: 125.0, to: 140.0 })), |e| {
            matches!(e, ProfileError::Settable { .. })
        }),
        (
            Box::new(|p| {
                p.rules.retain(|rule| rule.id.as_str() != "no-signal");
            }),
            |e| matches!(e, ProfileError::TechnicalMissing { kind: "no-signal" }),
        ),
        (Box::new(|p| p.pauses.audio_max = Seconds(0)), |e| matches!(e, ProfileError::Pause { .. })),
        (Box::new(|p| p.escalation[0].steps.clear()), |e| matches!(e, ProfileError::BadEscalation { .. })),
        (
            Box::new(|p| {
                let low = Condition::Limit {
                    code: HR,
                    side: Side::Low,
                    hysteresis: 0.0,
                    steps: vec![step(130.0, Priority::Medium, 1, false)],
                };
                p.rules.push(Rule { id: rule_id("hr-low"), condition: low, settable: None });
            }),
            |e| matches!(e, ProfileError::Crossed { .. }),
        ),
    ];
    for (change, wanted) in cases {
        let errors = wrong(change);
        assert!(errors.iter().any(wanted), "{errors:?}");
    }
}

fn limit_steps(profile: &mut Profile) -> &mut Vec<Step> {
    match &mut profile.rules[0].condition {
        Condition::Limit { steps, .. } => steps,
        other => panic!("{other:?}"),
    }
}
