//! Who lay where a device stood, at any time: one flat, immutable list of stays per device, made anew at each change.
//!
//! A reading belongs to whoever was bound when it was measured (not when it came), so look-ups are by device time.
//! What always holds: stays of a device do not overlap; where two records contradict each other, nobody is bound.

use obhut_model::{BedId, DeviceId, DeviceTime, Subject};
use obhut_store::{DeviceAtBed, SubjectInBed};
use std::collections::HashMap;
use std::sync::Arc;

/// A device at one bed with one subject, or none, from `from` until just before `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// First instant.
    pub from: DeviceTime,
    /// First instant after.
    pub to: DeviceTime,
    /// Where.
    pub bed: BedId,
    /// Who, if anybody.
    pub subject: Option<Subject>,
}

/// All stays. Share it as `Arc<BindingTable>`.
#[derive(Debug, Default)]
pub struct BindingTable {
    stays: HashMap<DeviceId, Arc<[Stay]>>,
}

const END: DeviceTime = DeviceTime::from_micros(i64::MAX);

impl BindingTable {
    /// From the records. Where stays overlap, the device is at no bed, or the bed has no subject, for as long as they do.
    #[must_use]
    pub fn new(devices: &[DeviceAtBed], subjects: &[SubjectInBed]) -> Self {
        let mut by_device: HashMap<DeviceId, Vec<&DeviceAtBed>> = HashMap::new();
        for stay in devices {
            by_device.entry(stay.device.clone()).or_default().push(stay);
        }
        let stays = by_device.into_iter().map(|(device, at)| (device, flatten(&at, subjects))).collect();
        Self { stays }
    }

    /// The stays of `device`, by time; empty if it stands nowhere.
    #[must_use]
    pub fn stays(&self, device: &DeviceId) -> Arc<[Stay]> {
        self.stays.get(device).cloned().unwrap_or_else(|| Arc::from([]))
    }
}

fn flatten(at: &[&DeviceAtBed], subjects: &[SubjectInBed]) -> Arc<[Stay]> {
    let mut edges: Vec<DeviceTime> = Vec::new();
    for stay in at {
        edges.extend([stay.from, stay.to.unwrap_or(END)]);
        for subject in subjects.iter().filter(|subject| subject.bed == stay.bed) {
            edges.extend([subject.from, subject.to.unwrap_or(END)]);
        }
    }
    edges.sort_unstable();
    edges.dedup();
    let mut stays: Vec<Stay> = Vec::new();
    for (from, to) in edges.iter().copied().zip(edges.iter().copied().skip(1)) {
        let covers = |start: DeviceTime, end: Option<DeviceTime>| start <= from && from < end.unwrap_or(END);
        let Some(place) = only(at.iter().filter(|stay| covers(stay.from, stay.to))) else { continue };
        let subject =
            only(subjects.iter().filter(|subject| subject.bed == place.bed && covers(subject.from, subject.to)));
        let (bed, subject) = (&place.bed, subject.map(|subject| subject.subject));
        match stays.last_mut() {
            Some(last) if last.to == from && last.bed == *bed && last.subject == subject => last.to = to,
            _ => stays.push(Stay { from, to, bed: bed.clone(), subject }),
        }
    }
    stays.into()
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    if items.next().is_some() { None } else { Some(first) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> DeviceTime {
        DeviceTime::from_micros(micros)
    }

    fn device(bed: &str, from: i64, to: Option<i64>) -> DeviceAtBed {
        DeviceAtBed {
            device: DeviceId::new("mon-01").unwrap(),
            bed: BedId::new(bed).unwrap(),
            from: at(from),
            to: to.map(at),
        }
    }

    fn subject(bed: &str, who: u8, from: i64, to: Option<i64>) -> SubjectInBed {
        SubjectInBed {
            bed: BedId::new(bed).unwrap(),
            subject: Subject::from_random([who; 16]),
            from: at(from),
            to: to.map(at),
        }
    }

    fn check(devices: &[DeviceAtBed], subjects: &[SubjectInBed], expected: &[(i64, i64, &str, Option<u8>)]) {
        let table = BindingTable::new(devices, subjects);
        let stays = table.stays(&DeviceId::new("mon-01").unwrap());
        let got: Vec<_> = stays
            .iter()
            .map(|stay| {
                (stay.from.micros(), stay.to.micros(), stay.bed.as_str(), stay.subject.map(|who| who.as_bytes()[0]))
            })
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn stays_follow_device_and_patient() {
        check(&[], &[subject("a", 1, 0, None)], &[]);
        check(&[device("a", 10, None)], &[], &[(10, i64::MAX, "a", None)]);
        check(
            &[device("a", 10, Some(50)), device("b", 60, None)],
            &[subject("a", 1, 0, Some(20)), subject("a", 2, 30, None), subject("b", 3, 0, Some(70))],
            &[
                (10, 20, "a", Some(1)),
                (20, 30, "a", None),
                (30, 50, "a", Some(2)),
                (60, 70, "b", Some(3)),
                (70, i64::MAX, "b", None),
            ],
        );
    }

    #[test]
    fn a_contradiction_binds_nobody() {
        check(
            &[device("a", 0, Some(100))],
            &[subject("a", 1, 0, Some(60)), subject("a", 2, 40, Some(100))],
            &[(0, 40, "a", Some(1)), (40, 60, "a", None), (60, 100, "a", Some(2))],
        );
        check(
            &[device("a", 0, Some(60)), device("b", 40, Some(100))],
            &[],
            &[(0, 40, "a", None), (60, 100, "b", None)],
        );
    }
}
