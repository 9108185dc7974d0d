//! Any bytes either are refused or make a frame that reads the same when written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use obhut_wire::limits::{NUMERICS_MAX, WAVES_MAX};
use obhut_wire::{Frame, encode};

fuzz_target!(|payload: &[u8]| {
    let Ok(frame) = Frame::decode(payload) else { return };
    let numerics: Vec<_> = frame.numerics().collect();
    let waves: Vec<_> = frame.waves().collect();
    assert!(numerics.len() == frame.numerics().len() && waves.len() == frame.waves().len());
    assert!(numerics.len() <= NUMERICS_MAX && waves.len() <= WAVES_MAX && numerics.len() + waves.len() > 0);
    let mut again = Vec::new();
    encode(frame.header(), &numerics, &waves, &mut again).expect("what was read can be written");
    assert!(again.len() <= payload.len(), "the shortest form is the shortest");
    let read = Frame::decode(&again).expect("what was written can be read");
    assert_eq!(read.header(), frame.header());
    assert!(read.numerics().eq(numerics) && read.waves().eq(waves));
});
