//! The store against a few maps: any order of sending, repeating, reopening, erasing.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Step {
    /// Device, subject, number, first sample on a 4 ms grid, samples, and whether a numeric comes along.
    Send {
        device: u8,
        subject: u8,
        number: u64,
        start: i64,
        count: usize,
        numeric: bool,
    },
    /// Stop without tidying and open again.
    Crash,
    /// Close and open again.
    Close,
    Rotate,
    Erase {
        subject: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let send = (0u8..3, 0u8..3, 1u64..30, 0i64..3000, 0usize..40, any::<bool>());
    prop_oneof![
        20 => send.prop_map(|(device, subject, number, start, count, numeric)| Step::Send { device, subject, number, start, count, numeric }),
        2 => Just(Step::Crash),
        2 => Just(Step::Close),
        3 => Just(Step::Rotate),
        1 => (0u8..3).prop_map(|subject| Step::Erase { subject }),
    ]
}

type Values = Vec<(i64, Option<i32>)>;

#[derive(Default)]
struct Model {
    values: BTreeMap<(Subject, Code), Values>,
    seen: std::collections::BTreeSet<(u8, Subject, u64)>,
}

/// A grid point near the end of an hour, so that chunks are cut there.
fn time(grid: i64) -> i64 {
    3_600_000_000 * 5 - 6_000_000 + grid * 4000
}

fn run(steps: &[Step]) {
    let dir = tempdir();
    let mut store = open_with(dir.path(), Options { rotate_after: Duration::from_secs(3600), ..options() });
    let mut subjects: Vec<Subject> = (0..3).map(|n| bind(&store, n)).collect();
    let mut model = Model::default();
    for (turn, step) in steps.iter().enumerate() {
        match step {
            Step::Send { device, subject, number, start, count, numeric } => {
                let subject = subjects[usize::from(*subject)];
                send(&store, &mut model, (*device, subject, *number), (*start, *count, *numeric), turn);
            }
            Step::Crash => {
                drop(store);
                store = open(dir.path());
            }
            Step::Close => {
                store.close().unwrap();
                drop(store);
                store = open(dir.path());
            }
            // Every message is followed by a new journal until the next opening.
            Step::Rotate => {
                drop(store);
                store = open_with(dir.path(), Options { rotate_after: Duration::ZERO, ..options() });
            }
            Step::Erase { subject } => {
                let gone = subjects[usize::from(*subject)];
                store.erase(gone).unwrap();
                model.values.retain(|(subject, _), _| *subject != gone);
                assert!(matches!(store.runs(gone, Code::RESP, TimeRange::ALL), Err(StoreError::Unknown(_))));
                subjects[usize::from(*subject)] = bind(&store, u32::from(*subject));
                assert_ne!(subjects[usize::from(*subject)], gone);
            }
        }
        compare(&store, &subjects, &mut model);
    }
}

fn send(
    store: &EmbeddedStore,
    model: &mut Model,
    (monitor, subject, number): (u8, Subject, u64),
    (start, count, with): (i64, usize, bool),
    turn: usize,
) {
    let samples: Vec<i16> = (0..count).map(|i| (i * 7 + turn) as i16).collect();
    let raw = bytes(&samples);
    let id = device(&format!("mon-{monitor}"));
    let numerics = [numeric(Code::TEMP, time(start), (!turn.is_multiple_of(5)).then_some(turn as i32))];
    let waves = [wave(Code::RESP, time(start), &raw)];
    let new = model.seen.insert((monitor, subject, number));
    let appended =
        put(store, &message(&id, subject, number, &numerics[..usize::from(with)], &waves[..usize::from(count > 0)]));
    assert_eq!(matches!(appended, Appended::At(_)), new);
    if new && with {
        model.values.entry((subject, Code::TEMP)).or_default().push((time(start), numerics[0].0.steps));
    }
    if new {
        let samples = (0i64..).zip(&samples).map(|(i, sample)| (time(start + i), Some(i32::from(*sample))));
        model.values.entry((subject, Code::RESP)).or_default().extend(samples);
    }
}

fn compare(store: &EmbeddedStore, subjects: &[Subject], model: &mut Model) {
    for subject in subjects {
        for code in [Code::TEMP, Code::RESP] {
            let want = model.values.entry((*subject, code)).or_default();
            want.sort_unstable();
            assert_eq!(&values(store, *subject, code), want);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn the_store_is_a_map_that_survives(steps in proptest::collection::vec(step(), 1..24)) {
        run(&steps);
    }
}
