//! Any bytes either are refused or make records within every bound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use obhut_model::{DeviceId, DeviceTime, Kind, Quality};
use obhut_wire::limits::{SENML_RECORDS_MAX, TIME_MICROS_MAX, TIME_MICROS_MIN};
use obhut_wire::senml;
use std::sync::LazyLock;

static DEVICE: LazyLock<DeviceId> = LazyLock::new(|| DeviceId::new("mon-01").expect("a device id"));

fuzz_target!(|payload: &[u8]| {
    let mut records = 0;
    let outcome = senml::decode(payload, &DEVICE, DeviceTime::from_micros(1_764_000_000_000_000), |record| {
        records += 1;
        if let Ok(numeric) = record {
            assert!((TIME_MICROS_MIN..=TIME_MICROS_MAX).contains(&numeric.taken_at.micros()));
            assert!(numeric.value.is_some() && numeric.quality == Quality::GOOD);
            assert!(numeric.code.info().is_some_and(|info| info.kind == Kind::Numeric));
        }
    });
    assert!(records <= SENML_RECORDS_MAX);
    if let Ok(count) = outcome {
        assert_eq!(count, records);
    }
});
