//! NEWS2 a second time: written down from the chart of the Royal College of Physicians (2017) as plain conditions, by hand and apart from
//! the tables, and compared with the table engine everywhere.

use crate::support::person;
use obhut_model::{Decimal, DeviceId, DeviceTime, Quality, ServerTime};
use obhut_vitals::score::*;

fn respiration(rate: i32) -> u8 {
    if rate <= 8 {
        3
    } else if rate <= 11 {
        1
    } else if rate <= 20 {
        0
    } else if rate <= 24 {
        2
    } else {
        3
    }
}

fn saturation_1(percent: i32) -> u8 {
    if percent >= 96 {
        0
    } else if percent >= 94 {
        1
    } else if percent >= 92 {
        2
    } else {
        3
    }
}

fn saturation_2(percent: i32, oxygen: bool) -> u8 {
    if percent <= 83 {
        return 3;
    }
    if percent == 84 || percent == 85 {
        return 2;
    }
    if percent == 86 || percent == 87 {
        return 1;
    }
    if percent <= 92 || !oxygen {
        return 0;
    }
    match percent {
        93 | 94 => 1,
        95 | 96 => 2,
        _ => 3,
    }
}

fn systolic(pressure: i32) -> u8 {
    if pressure >= 220 || pressure <= 90 {
        3
    } else if pressure <= 100 {
        2
    } else if pressure <= 110 {
        1
    } else {
        0
    }
}

fn pulse(rate: i32) -> u8 {
    if rate >= 131 || rate <= 40 {
        return 3;
    }
    if rate >= 111 {
        return 2;
    }
    if rate >= 91 || rate <= 50 { 1 } else { 0 }
}

fn temperature(tenths: i32) -> u8 {
    if tenths <= 350 {
        3
    } else if tenths >= 391 {
        2
    } else if tenths <= 360 || tenths >= 381 {
        1
    } else {
        0
    }
}

/// One whole chart.
#[derive(Clone, Copy, Debug)]
struct Chart {
    rr: i32,
    spo2: i32,
    two: bool,
    oxygen: bool,
    sbp: i32,
    pulse: i32,
    level: Consciousness,
    tenths: i32,
}

fn oracle(chart: Chart) -> (u8, bool, &'static str) {
    let parts = [
        respiration(chart.rr),
        if chart.two { saturation_2(chart.spo2, chart.oxygen) } else { saturation_1(chart.spo2) },
        if chart.oxygen { 2 } else { 0 },
        systolic(chart.sbp),
        pulse(chart.pulse),
        if chart.level == Consciousness::Alert { 0 } else { 3 },
        temperature(chart.tenths),
    ];
    let total: u8 = parts.iter().sum();
    let three = parts.contains(&3);
    let band = if total >= 7 {
        "score.news2.high"
    } else if total >= 5 {
        "score.news2.medium"
    } else if three {
        "score.news2.single"
    } else if total >= 1 {
        "score.news2.low"
    } else {
        "score.news2.none"
    };
    (total, three, band)
}

fn number(value: i32, exponent: i8) -> Observed {
    observed(Observation::Number(Decimal::new(value, exponent).unwrap()))
}

fn observed(what: Observation) -> Observed {
    let by = Origin::Device(DeviceId::new("mon-1").unwrap());
    Observed { what, at: DeviceTime::from_micros(0), by, quality: Quality::GOOD }
}

/// What the engine is asked with; built once and changed in place, for there are many.
struct Asked {
    table: Table,
    inputs: Inputs,
    two: Scale,
}

impl Asked {
    fn new() -> Self {
        let table = tables::news2();
        let two = Scale::Two(ClinicianChoice { who: person(1), at: ServerTime::from_micros(0) });
        Self { table, inputs: Inputs::new(), two }
    }

    fn agree(&mut self, chart: Chart) {
        let breathing = if chart.oxygen { Breathing::Oxygen } else { Breathing::Air };
        for (parameter, observed) in [
            (Parameter::RespirationRate, number(chart.rr, 0)),
            (Parameter::OxygenSaturation, number(chart.spo2, 0)),
            (Parameter::Breathing, observed(Observation::Breathing(breathing))),
            (Parameter::SystolicPressure, number(chart.sbp, 0)),
            (Parameter::Pulse, number(chart.pulse, 0)),
            (Parameter::Consciousness, observed(Observation::Consciousness(chart.level))),
            (Parameter::Temperature, number(chart.tenths, -1)),
        ] {
            self.inputs.insert(parameter, observed);
        }
        let scale = if chart.two { &self.two } else { &Scale::One };
        let person = Person { age: Some(70), pregnancy: Pregnancy::No };
        let score = score(&self.table, &self.inputs, scale, person, ServerTime::from_micros(0));
        let (total, three, band) = oracle(chart);
        match &score.outcome {
            Outcome::Complete { total: t, single, band: b } => {
                assert_eq!((*t, *single, b.key.as_str()), (total, three, band), "{chart:?}");
            }
            other => panic!("{chart:?}: {other:?}"),
        }
    }
}

const LEVELS: [Consciousness; 5] = [
    Consciousness::Alert,
    Consciousness::Confused,
    Consciousness::Voice,
    Consciousness::Pain,
    Consciousness::Unresponsive,
];

const NORMAL: Chart =
    Chart { rr: 16, spo2: 90, two: true, oxygen: false, sbp: 120, pulse: 70, level: Consciousness::Alert, tenths: 370 };

// REQ-ALM-030 REQ-ALM-036
#[test]
fn every_integer_of_every_parameter_on_both_scales_with_every_level_agrees() {
    let mut asked = Asked::new();
    let mut charts = 0u32;
    for (two, oxygen, level) in [false, true]
        .into_iter()
        .flat_map(|two| [false, true].map(|oxygen| (two, oxygen)))
        .flat_map(|(two, oxygen)| LEVELS.map(|level| (two, oxygen, level)))
    {
        let base = Chart { two, oxygen, level, ..NORMAL };
        let each = (0..=100)
            .map(|rr| Chart { rr, ..base })
            .chain((0..=100).map(|spo2| Chart { spo2, ..base }))
            .chain((0..=350).map(|sbp| Chart { sbp, ..base }))
            .chain((0..=350).map(|pulse| Chart { pulse, ..base }))
            .chain((200..=450).map(|tenths| Chart { tenths, ..base }));
        for chart in each {
            asked.agree(chart);
            charts += 1;
        }
    }
    assert_eq!(charts, 20 * (101 + 101 + 351 + 351 + 251));
}

// REQ-ALM-030 REQ-ALM-036
#[test]
fn every_combination_of_the_edges_of_all_bands_agrees() {
    let mut asked = Asked::new();
    let mut charts = 0u32;
    for rr in [8, 9, 11, 12, 20, 21, 24, 25] {
        for sbp in [90, 91, 100, 101, 110, 111, 219, 220] {
            for pulse in [40, 41, 50, 51, 90, 91, 110, 111, 130, 131] {
                for tenths in [350, 351, 360, 361, 380, 381, 390, 391] {
                    for spo2 in [83, 84, 86, 88, 93, 95, 97] {
                        for flags in 0..8u8 {
                            let level = if flags & 4 == 0 { Consciousness::Alert } else { Consciousness::Voice };
                            let (two, oxygen) = (flags & 1 != 0, flags & 2 != 0);
                            asked.agree(Chart { rr, spo2, two, oxygen, sbp, pulse, level, tenths });
                            charts += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(charts, 286_720);
}
