use super::{good, parse, shipped};
use obhut_charter::ProblemCode;
use obhut_model::{Code, Kind, ModelId};

#[test]
fn the_shipped_charters_are_good() {
    for name in ["demo", "minimal"] {
        let checked = parse(name, &shipped(name)).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        assert!(checked.warnings().is_empty(), "{}", checked.warnings().render(false));
    }
    let bench = good("bench", &shipped("bench"));
    assert!(
        bench.warnings().list().iter().all(|warning| warning.code == ProblemCode::RateUnusual),
        "{}",
        bench.warnings().render(false)
    );
    assert_eq!(bench.beds().len(), 500);
}

#[test]
fn the_demo_ward_is_what_the_demo_needs() {
    let checked = good("demo", &shipped("demo"));
    let rules = checked.compile();
    assert_eq!(checked.beds().len(), 32);
    assert_eq!(checked.bed(&"bed-01".parse().unwrap()).unwrap().label.as_str(), "3.01-1");
    let monitor = &rules.models[&ModelId::new("monitor-m1").unwrap()];
    let ecg = monitor.stream(Code::ECG_LEAD_II).unwrap();
    assert_eq!((ecg.kind, ecg.rate_max.hertz(), ecg.needs_patient), (Kind::Waveform, 500.0, true));
    assert_eq!(rules.retention[usize::from(ecg.retention)].seconds, 72 * 3600);
    let cuff = monitor.stream(Code::PRESS_BLD_NONINV_SYS).unwrap();
    assert_eq!((cuff.rate_max.microhertz(), cuff.period_micros), (16_667, 15 * 60 * 1_000_000));
    assert!(monitor.stream(Code::FLOW_FLUID_PUMP).is_none());
    let sensor = &rules.models[&ModelId::new("movement-s1").unwrap()];
    assert!(!sensor.stream(Code::BED_OCCUPIED).unwrap().needs_patient);
    assert!(rules.models[&ModelId::new("pump-p1").unwrap()].life_supporting);
    assert_eq!(rules.fingerprint.len(), 64);
    for model in rules.models.values() {
        assert!(model.streams.windows(2).all(|pair| pair[0].code < pair[1].code));
    }
}
