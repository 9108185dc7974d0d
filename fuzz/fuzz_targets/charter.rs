//! Any bytes are refused with a place and a reason, or are a charter that compiles, explains itself and is the same as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use obhut_charter::{Charter, Date, Lang, diff, explain};

fuzz_target!(|bytes: &[u8]| {
    let today = Date::new(2026, 11, 1).expect("a date");
    match Charter::parse_bytes("fuzzed.toml", bytes, today) {
        Ok(checked) => {
            assert_eq!(checked.compile().fingerprint.len(), 64);
            assert!(!explain(&checked, Lang::De).is_empty() && !explain(&checked, Lang::En).is_empty());
            assert!(diff(&checked, &checked, Lang::En).is_empty());
        }
        Err(problems) => assert!(!problems.to_string().is_empty()),
    }
});
