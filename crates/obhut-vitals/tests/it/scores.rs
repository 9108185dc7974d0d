//! Scores: rounding, what is missing, who it is for, other tables.

use crate::support::person;
use obhut_model::{DeviceId, DeviceTime, Quality, ServerTime};
use obhut_vitals::score::*;

const ADULT: Person = Person { age: Some(70), pregnancy: Pregnancy::No };
const HOUR: i64 = 3_600_000_000;

fn now() -> ServerTime {
    ServerTime::from_micros(10 * HOUR)
}

fn seen(what: Observation, hours_ago: f64) -> Observed {
    let at = DeviceTime::from_micros(10 * HOUR - (hours_ago * HOUR as f64) as i64);
    Observed { what, at, by: Origin::Device(DeviceId::new("mon-1").unwrap()), quality: Quality::GOOD }
}

fn number(text: &str) -> Observed {
    seen(Observation::Number(text.parse().unwrap()), 0.1)
}

fn well() -> Inputs {
    Inputs::from([
        (Parameter::RespirationRate, number("16")),
        (Parameter::OxygenSaturation, number("97")),
        (Parameter::Breathing, seen(Observation::Breathing(Breathing::Air), 1.0)),
        (Parameter::SystolicPressure, number("120")),
        (Parameter::Pulse, number("70")),
        (Parameter::Consciousness, seen(Observation::Consciousness(Consciousness::Alert), 1.0)),
        (Parameter::Temperature, number("37.0")),
    ])
}

fn news2(inputs: &Inputs) -> Score {
    score(&tables::news2(), inputs, &Scale::One, ADULT, now())
}

fn total(score: &Score) -> Option<u8> {
    match &score.outcome {
        Outcome::Complete { total, .. } => Some(*total),
        _ => None,
    }
}

// REQ-ALM-035
#[test]
fn values_are_rounded_before_they_are_scored() {
    for (spo2, points) in [("91.4", 3), ("91.5", 2), ("91.6", 2), ("93.49", 2), ("95.5", 0), ("100", 0)] {
        let inputs = Inputs::from_iter(well().into_iter().chain([(Parameter::OxygenSaturation, number(spo2))]));
        assert_eq!(total(&news2(&inputs)), Some(points), "{spo2}");
    }
    for (temperature, points) in [("35.04", 3), ("35.05", 1), ("36.05", 0), ("38.04", 0), ("38.05", 1), ("39.05", 2)] {
        let inputs = Inputs::from_iter(well().into_iter().chain([(Parameter::Temperature, number(temperature))]));
        assert_eq!(total(&news2(&inputs)), Some(points), "{temperature}");
    }
}

// REQ-ALM-032
#[test]
fn what_is_missing_or_stale_is_named_and_never_scores_nothing() {
    for parameter in well().keys().copied().collect::<Vec<_>>() {
        let mut inputs = well();
        let whole = inputs.remove(&parameter).unwrap();
        let missing = news2(&inputs);
        assert!(matches!(&missing.outcome, Outcome::Incomplete { missing, partial: 0, .. } if *missing == [parameter]));
        let part = missing.parts.iter().find(|part| part.parameter == parameter).unwrap();
        assert_eq!(part.state, PartState::Missing);

        inputs.insert(parameter, seen(whole.what, 5.0));
        let stale = news2(&inputs);
        let part = stale.parts.iter().find(|part| part.parameter == parameter).unwrap();
        assert_eq!((part.state, part.age.unwrap().0), (PartState::Stale, 5 * 3_600));
        assert_eq!(total(&stale), None);

        inputs.insert(parameter, Observed { quality: Quality::QUESTIONABLE, ..whole });
        assert_eq!(total(&news2(&inputs)), None);
    }
}

// REQ-ALM-032
#[test]
fn an_incomplete_score_is_a_lower_bound_that_already_calls() {
    let mut inputs = well();
    inputs.remove(&Parameter::Temperature);
    inputs.insert(Parameter::RespirationRate, number("30"));
    let score = news2(&inputs);
    let Outcome::Incomplete { partial, single, at_least, .. } = score.outcome else { panic!("{score:?}") };
    assert_eq!((partial, single, at_least.key.as_str()), (3, true, "score.news2.single"));
}

// REQ-ALM-033
#[test]
fn scale_2_names_the_clinician_and_needs_to_know_the_oxygen() {
    let choice = ClinicianChoice { who: person(3), at: ServerTime::from_micros(HOUR) };
    let scale = Scale::Two(choice);
    let mut inputs = well();
    inputs.insert(Parameter::OxygenSaturation, number("90"));
    assert_eq!(total(&news2(&inputs)), Some(3), "scale 1 unless somebody chose");
    let two = score(&tables::news2(), &inputs, &scale, ADULT, now());
    assert_eq!((total(&two), &two.scale), (Some(0), &scale));
    inputs.remove(&Parameter::Breathing);
    let blind = score(&tables::news2(), &inputs, &scale, ADULT, now());
    let part = blind.parts.iter().find(|part| part.parameter == Parameter::OxygenSaturation).unwrap();
    assert_eq!(part.state, PartState::NeedsBreathing);
    assert_eq!(total(&blind), None);
}

// REQ-ALM-034
#[test]
fn it_is_not_for_children_or_in_pregnancy() {
    let for_whom = |age, pregnancy| score(&tables::news2(), &well(), &Scale::One, Person { age, pregnancy }, now());
    let why = |score: Score| match score.outcome {
        Outcome::NotApplicable(why) => Some(why),
        _ => None,
    };
    assert_eq!(why(for_whom(Some(15), Pregnancy::No)), Some(NotApplicable::TooYoung));
    assert_eq!(why(for_whom(None, Pregnancy::No)), Some(NotApplicable::AgeUnknown));
    assert_eq!(why(for_whom(Some(30), Pregnancy::Yes)), Some(NotApplicable::Pregnant));
    assert_eq!(for_whom(Some(30), Pregnancy::Unknown).caveats, [Caveat::NotPregnantAssumed]);
    assert_eq!(total(&for_whom(Some(16), Pregnancy::No)), Some(0));
}

// REQ-ALM-031
#[test]
fn shipped_tables_are_good_and_a_house_reads_its_own_as_data() {
    for table in tables::all() {
        assert_eq!(table.check(), Ok(()), "{}", table.id);
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<Table>(&text).unwrap(), table);
    }
    let mut house = tables::news2();
    house.approver.clear();
    if let Scoring::Number { ranges, .. } = &mut house.rows[0].scoring {
        ranges[2].from = Some(13);
    }
    house.rows.retain(|row| row.parameter != Parameter::Breathing);
    let errors = house.check().unwrap_err().errors;
    assert_eq!(
        errors,
        [
            TableError::Unsigned("approver"),
            TableError::Ranges { parameter: Parameter::RespirationRate },
            TableError::NoBreathing
        ]
    );
}

// REQ-ALM-031
#[test]
fn mews_and_qsofa_agree_with_their_papers() {
    fn mews(rr: i32, sbp: i32, hr: i32, tenths: i32) -> u8 {
        let rr = if rr < 9 {
            2
        } else if rr <= 14 {
            0
        } else if rr <= 20 {
            1
        } else if rr <= 29 {
            2
        } else {
            3
        };
        let sbp = if sbp <= 70 {
            3
        } else if sbp <= 80 {
            2
        } else if sbp <= 100 {
            1
        } else if sbp < 200 {
            0
        } else {
            2
        };
        let hr = match hr {
            i32::MIN..=40 => 2,
            41..=50 => 1,
            51..=100 => 0,
            101..=110 => 1,
            111..=129 => 2,
            _ => 3,
        };
        rr + sbp + hr + if (350..385).contains(&tenths) { 0 } else { 2 }
    }
    let text = |tenths: i32| format!("{}.{}", tenths / 10, tenths % 10);
    for n in 0..=250 {
        let (rr, sbp, hr, tenths) = (n % 60, n, 250 - n, 300 + n % 130);
        let mut inputs = well();
        inputs.insert(Parameter::RespirationRate, number(&rr.to_string()));
        inputs.insert(Parameter::SystolicPressure, number(&sbp.to_string()));
        inputs.insert(Parameter::Pulse, number(&hr.to_string()));
        inputs.insert(Parameter::Temperature, number(&text(tenths)));
        let result = score(&tables::mews(), &inputs, &Scale::One, ADULT, now());
        assert_eq!(total(&result), Some(mews(rr, sbp, hr, tenths)), "{rr} {sbp} {hr} {tenths}");
        let result = score(&tables::qsofa(), &inputs, &Scale::One, ADULT, now());
        assert_eq!(total(&result), Some(u8::from(rr >= 22) + u8::from(sbp <= 100)));
    }
    // AVPU knows no new confusion: no points are made up for it.
    let mut inputs = well();
    inputs.insert(Parameter::Consciousness, seen(Observation::Consciousness(Consciousness::Confused), 0.0));
    assert_eq!(total(&score(&tables::mews(), &inputs, &Scale::One, ADULT, now())), None);
    assert_eq!(total(&score(&tables::qsofa(), &inputs, &Scale::One, ADULT, now())), Some(1));
}
