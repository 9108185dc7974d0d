//! Whatever a folder holds, reading it ends.

use obhut_wfdb::{ReadError, read};
use proptest::prelude::*;

fn read_of(header: &str, data: Vec<u8>) -> Result<obhut_wfdb::Record, ReadError> {
    read(&|name: &str| if name == "r.hea" { Some(header.as_bytes().to_vec()) } else { Some(data.clone()) }, "r")
}

#[test]
fn what_does_not_fit_is_refused() {
    assert!(matches!(read_of("r 1 250 10\na.dat 16", vec![0; 19]), Err(ReadError::Short { .. })));
    assert!(matches!(read_of("r 1 250 10\na.dat 16+30", vec![0; 20]), Err(ReadError::Short { .. })));
    assert!(matches!(
        read_of("r 1 250 2\na.dat 16 200 0 0 5", vec![0; 4]),
        Err(ReadError::Initial { stated: 5, found: 0, .. })
    ));
    assert!(matches!(read_of("r 1 250 60000000\na.dat 16x10000", vec![0; 4]), Err(ReadError::TooMuch { .. })));
    assert!(matches!(read_of("r 1 250 2\n~ 0", vec![0; 4]), Err(ReadError::Segment { .. })));
    // A record that names itself as its segment.
    assert!(matches!(read_of("r/2 1 250 10\nr 5\nr 5", vec![]), Err(ReadError::Segment { .. })));
    assert!(matches!(read(&|_: &str| None, "../r"), Err(ReadError::Segment { .. })));
    assert!(matches!(read(&|_: &str| None, "r"), Err(ReadError::Source { .. })));
}

#[test]
fn skew_is_undone() {
    let record = read_of(
        "r 2 250 3\na.dat 16 200 0 0\na.dat 16:1 200 0 0",
        [1, 2, 3, 4, 5, 6].iter().flat_map(|n: &i16| n.to_le_bytes()).collect(),
    );
    let channels = record.unwrap().channels;
    assert_eq!(channels[0].pieces[0].samples, [1, 3, 5]);
    assert_eq!(channels[1].pieces[0].samples, [4, 6, obhut_wfdb::ABSENT]);
}

proptest! {
    #[test]
    fn nothing_panics(
        header in "r(/2)? [0-4] (250|0\\.5) [0-9]{1,3}\n(((a\\.dat|~|r) (16|80|212|516|24|32)(x[1-3])?(:[0-9])?(\\+[0-9])?( [0-9.]{1,3}(\\(-?[0-9]\\))?(/mV)?( 12 0 0 0)?)?|~ 5|r 5)\n){0,4}",
        data in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = read_of(&header, data);
    }
}
