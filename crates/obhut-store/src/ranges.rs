//! Which sequence numbers were seen: per device, run and subject, as stretches.
//!
//! The subject belongs to the name because a message that spans a change of patient arrives as two parts under one number.
//! INVARIANT: what is said to be seen was seen; what is forgotten under the bounds is only ever the oldest.

use crate::api::Sequence;
use crate::bytes::{Reader, put_varint};
use crate::limits::{RANGES_MAX, RUNS_PER_DEVICE_MAX};
use obhut_model::Subject;
use std::collections::HashMap;
use std::sync::Arc;

/// Stretches of numbers, both ends included, ascending, never touching.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RangeSet(Vec<(u64, u64)>);

impl RangeSet {
    pub(crate) fn contains(&self, number: u64) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < number);
        self.0.get(at).is_some_and(|(first, _)| *first <= number)
    }

    /// Adds a number; `false` if it was there.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        if let Some((_, last)) = self.0.last_mut()
            && last.checked_add(1) == Some(number)
        {
            *last = number;
            return true;
        }
        if self.contains(number) {
            return false;
        }
        self.add(number, number);
        true
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (first, last) in &other.0 {
            self.add(*first, *last);
        }
    }

    fn add(&mut self, first: u64, last: u64) {
        let from = self.0.partition_point(|range| range.1.saturating_add(1) < first);
        let to = self.0.partition_point(|range| range.0 <= last.saturating_add(1));
        let joined = self
            .0
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .fold((first, last), |all, range| (all.0.min(range.0), all.1.max(range.1)));
        self.0.splice(from..to.max(from), [joined]);
        let over = self.0.len().saturating_sub(RANGES_MAX);
        self.0.drain(..over);
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut before = 0;
        for (first, last) in &self.0 {
            put_varint(&mut out, first - before);
            put_varint(&mut out, last - first);
            before = *last;
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let mut out = Vec::new();
        let mut before = 0u64;
        while !reader.0.is_empty() {
            let first = before.checked_add(reader.varint()?)?;
            let last = first.checked_add(reader.varint()?)?;
            out.push((first, last));
            before = last;
        }
        Some(Self(out))
    }
}

#[derive(Debug)]
pub(crate) struct SeenRun {
    pub(crate) run: u32,
    pub(crate) subject: Subject,
    pub(crate) ranges: RangeSet,
}

/// Everything seen, by device.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    devices: HashMap<Arc<str>, Vec<SeenRun>>,
}

impl Seen {
    #[cfg(test)]
    pub(crate) fn contains(&self, device: &str, subject: Subject, sequence: Sequence) -> bool {
        let runs = self.devices.get(device).map(Vec::as_slice).unwrap_or_default();
        runs.iter().any(|run| run.run == sequence.run && run.subject == subject && run.ranges.contains(sequence.number))
    }

    /// Notes a message; `false` if it was seen before.
    pub(crate) fn insert(&mut self, device: &str, subject: Subject, sequence: Sequence) -> bool {
        self.run(device, subject, sequence.run, |ranges| ranges.insert(sequence.number))
    }

    pub(crate) fn merge(&mut self, device: &str, subject: Subject, run: u32, ranges: &RangeSet) {
        self.run(device, subject, run, |seen| seen.merge(ranges));
    }

    pub(crate) fn forget(&mut self, subject: Subject) {
        for runs in self.devices.values_mut() {
            runs.retain(|run| run.subject != subject);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &SeenRun)> {
        self.devices.iter().flat_map(|(device, runs)| runs.iter().map(|run| (&**device, run)))
    }

    /// The run is moved to the end, so that the first is always the one not heard for longest.
    fn run<T>(&mut self, device: &str, subject: Subject, run: u32, with: impl FnOnce(&mut RangeSet) -> T) -> T {
        let step = |runs: &mut Vec<SeenRun>| {
            let at = runs.iter().rposition(|seen| seen.run == run && seen.subject == subject);
            let mut seen = match at {
                Some(at) => runs.remove(at),
                None => {
                    let over = (runs.len() + 1).saturating_sub(RUNS_PER_DEVICE_MAX);
                    runs.drain(..over);
                    SeenRun { run, subject, ranges: RangeSet::default() }
                }
            };
            let answer = with(&mut seen.ranges);
            runs.push(seen);
            answer
        };
        match self.devices.get_mut(device) {
            Some(runs) => step(runs),
            None => step(self.devices.entry(Arc::from(device)).or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_range_set_is_a_set(numbers in proptest::collection::vec(0u64..200, 0..200), others in proptest::collection::vec(0u64..200, 0..50)) {
            let (mut ranges, mut model) = (RangeSet::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(ranges.insert(number), model.insert(number));
            }
            let mut more = RangeSet::default();
            others.iter().for_each(|number| { more.insert(*number); });
            ranges.merge(&more);
            model.extend(others);
            for number in 0..201 {
                prop_assert_eq!(ranges.contains(number), model.contains(&number));
            }
            prop_assert!(ranges.0.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            prop_assert_eq!(RangeSet::decode(&ranges.encode()), Some(ranges));
        }
    }

    #[test]
    fn the_oldest_is_forgotten_and_the_ends_of_the_numbers_hold() {
        let mut ranges = RangeSet::default();
        for number in 0..RANGES_MAX as u64 + 2 {
            assert!(ranges.insert(number * 2));
        }
        assert!(!ranges.contains(0) && !ranges.contains(2) && ranges.contains(4));
        assert!(ranges.insert(u64::MAX) && !ranges.insert(u64::MAX) && ranges.insert(u64::MAX - 1));
    }

    #[test]
    fn two_parts_of_one_message_are_two() {
        let (mut seen, sequence) = (Seen::default(), Sequence { run: 1, number: 1 });
        let [a, b] = [1, 2].map(|n| Subject::from_random([n; 16]));
        assert!(seen.insert("m", a, sequence) && seen.insert("m", b, sequence) && !seen.insert("m", a, sequence));
        assert!(seen.insert("n", a, sequence) && seen.insert("m", a, Sequence { run: 2, number: 1 }));
        for run in 10..10 + RUNS_PER_DEVICE_MAX as u32 {
            seen.insert("m", a, Sequence { run, number: 1 });
        }
        assert!(!seen.contains("m", b, sequence) && seen.contains("n", a, sequence));
        seen.forget(a);
        assert!(!seen.contains("n", a, sequence));
    }
}
