//! Who lies where: the records' stays told to the engine as admissions, transfers and discharges, so that limits, alarms and history follow the patient.
//!
//! Two patients who changed beds at once cannot be told as two transfers, for each finds the other's bed taken; one of them then leaves and comes again, which keeps limits and history and ends
//! alarms that come again with the next value.

use super::Watching;
use obhut_model::{BedId, ServerTime, Subject};
use obhut_vitals::alarm::{Input, Move};
use std::collections::BTreeMap;

impl Watching {
    /// Takes in who lies where now.
    pub(super) fn lie(&mut self, wanted: &BTreeMap<BedId, Subject>, now: ServerTime) {
        if self.engine.is_none() || self.lying == *wanted {
            return;
        }
        for way in moves(&self.lying, wanted) {
            self.step(Input::Move(way), now);
        }
        let changed: Vec<BedId> = self
            .labels
            .iter()
            .map(|(bed, _)| bed)
            .filter(|bed| self.lying.get(*bed) != wanted.get(*bed))
            .cloned()
            .collect();
        for bed in changed {
            self.unkept.sheet(&bed);
            self.untold.insert(bed);
        }
        self.lying.clone_from(wanted);
        self.sheets.retain(|subject, _| wanted.values().any(|lies| lies == subject));
    }
}

/// The fewest steps from one to the other that the engine takes, in an order in which no bed is taken.
fn moves(before: &BTreeMap<BedId, Subject>, after: &BTreeMap<BedId, Subject>) -> Vec<Move> {
    let bed_in = |stays: &BTreeMap<BedId, Subject>, subject: Subject| {
        stays.iter().find(|(_, lies)| **lies == subject).map(|(bed, _)| bed.clone())
    };
    let mut now = before.clone();
    let mut steps = Vec::new();
    for (bed, subject) in before {
        if bed_in(after, *subject).is_none() {
            now.remove(bed);
            steps.push(Move::Discharge { subject: *subject });
        }
    }
    loop {
        let waiting: Vec<(BedId, Subject, BedId)> = now
            .iter()
            .filter_map(|(bed, subject)| Some((bed.clone(), *subject, bed_in(after, *subject)?)))
            .filter(|(from, _, to)| from != to)
            .collect();
        let Some(first) = waiting.first() else { break };
        match waiting.iter().find(|(_, _, to)| !now.contains_key(to)) {
            Some((from, subject, to)) => {
                now.remove(from);
                now.insert(to.clone(), *subject);
                steps.push(Move::Transfer { subject: *subject, to: to.clone() });
            }
            // A circle: one of them steps aside and comes in again at the end.
            None => {
                now.remove(&first.0);
                steps.push(Move::Discharge { subject: first.1 });
            }
        }
    }
    for (bed, subject) in after {
        if now.get(bed) != Some(subject) {
            steps.push(Move::Admit { subject: *subject, bed: bed.clone() });
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stays(list: &[(u8, u8)]) -> BTreeMap<BedId, Subject> {
        list.iter()
            .map(|(bed, who)| (BedId::new(&format!("bed-{bed:02}")).unwrap(), Subject::from_random([*who; 16])))
            .collect()
    }

    /// Does the steps as the engine would: a bed that is taken refuses.
    fn played(before: &BTreeMap<BedId, Subject>, steps: &[Move]) -> BTreeMap<BedId, Subject> {
        let mut now = before.clone();
        for step in steps {
            match step {
                Move::Admit { subject, bed } => {
                    assert!(!now.values().any(|lies| lies == subject));
                    assert_eq!(now.insert(bed.clone(), *subject), None);
                }
                Move::Transfer { subject, to } => {
                    now.retain(|_, lies| lies != subject);
                    assert_eq!(now.insert(to.clone(), *subject), None);
                }
                Move::Discharge { subject } => now.retain(|_, lies| lies != subject),
            }
        }
        now
    }

    #[test]
    fn every_change_of_places_is_told_in_an_order_that_works() {
        let before = stays(&[(1, 1), (2, 2), (3, 3), (4, 4)]);
        for after in [
            stays(&[]),
            stays(&[(1, 2), (2, 1), (3, 3), (4, 4)]),
            stays(&[(2, 1), (3, 2), (4, 3), (5, 4)]),
            stays(&[(2, 1), (3, 2), (1, 3), (4, 9)]),
            stays(&[(1, 4), (7, 1)]),
        ] {
            assert_eq!(played(&before, &moves(&before, &after)), after, "{after:?}");
        }
        let chain = moves(&before, &stays(&[(2, 1), (3, 2), (4, 3), (5, 4)]));
        assert!(chain.iter().all(|step| matches!(step, Move::Transfer { .. })), "nobody leaves: {chain:?}");
    }
}
