//! What is known about one condition over time: a short list of stretches in which it held or did not.
//!
//! Not a state machine fed in order but a set of facts: a late fact goes where it belongs and a second copy changes nothing, so that what
//! comes out does not depend on the order of arrival (REQ-ALM-015). Where a late fact falls inside a stretch whose single values are no
//! longer known, the doubt goes towards the alarm: a breach keeps its length, a calm stretch keeps only its ends.
//! Times are microseconds; a value stands until the next one, at most `hold`.

use crate::limits::SEGMENTS_MAX;
use serde::{Deserialize, Serialize};

/// What one fact says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The condition holds.
    Breach,
    /// It does not.
    Clear,
    /// Between limit and hysteresis: as before.
    Between,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Segment {
    breach: bool,
    from: i64,
    to: i64,
    /// The alarm raised for it.
    raised: Option<Raised>,
}

/// An alarm and the onset it was reported with: should the run turn out to be two, the part with that instant keeps the alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Raised {
    number: u32,
    onset: i64,
}

/// One stretch in which the condition held without a break that anybody knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) from: i64,
    /// Until when it is known to hold: its end, or now if it may still hold.
    pub(crate) until: i64,
    /// Last value that said so.
    pub(crate) seen: i64,
    pub(crate) raised: Option<u32>,
    /// Whether nothing newer says that it is over.
    pub(crate) current: bool,
}

/// How long after the fact time alone is looked at, at the latest: engines are ticked once a second.
const TICK: i64 = 1_000_000;

impl Run {
    /// Whether it lasted `delay`. A run that is over counts if its own values say so, or if it stood long enough for a tick to have seen it:
    /// a value that came back just in time must not make an alarm of what was none.
    pub(crate) fn lasted(&self, delay: i64) -> bool {
        let stood = self.until.saturating_sub(self.from);
        if self.current {
            stood >= delay
        } else {
            self.seen.saturating_sub(self.from) >= delay || stood >= delay.saturating_add(TICK)
        }
    }
}

/// Facts about one condition from one source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Track {
    segments: Vec<Segment>,
    /// Facts up to here were forgotten; what arrives about that time says nothing any more.
    floor: Option<i64>,
}

impl Track {
    /// Takes a fact in. `hold`: facts no further apart than this that say the same are kept as one stretch.
    pub(crate) fn note(&mut self, at: i64, class: Class, hold: i64) {
        if self.floor.is_some_and(|floor| at <= floor) {
            return;
        }
        let next = self.segments.partition_point(|segment| segment.from <= at);
        let before = next.checked_sub(1).and_then(|i| self.segments.get(i)).copied();
        let breach = match class {
            Class::Breach => true,
            Class::Clear => false,
            Class::Between => before.is_some_and(|segment| segment.breach),
        };
        match before {
            Some(inside) if at <= inside.to => self.inside(next - 1, inside, at, breach),
            _ => self.beside(next, before, at, breach, hold),
        }
        if !breach {
            self.part(at);
        }
        self.forget();
    }

    /// A calm fact made two runs of one: each gets an alarm of its own, as it would have in order.
    fn part(&mut self, at: i64) {
        let calm = self.segments.partition_point(|segment| segment.from <= at).saturating_sub(1);
        let left = calm.checked_sub(1).and_then(|index| self.segments.get(index)).filter(|segment| segment.breach);
        let right = self.segments.get(calm + 1).filter(|segment| segment.breach);
        if left.is_none() || right.is_none() {
            return;
        }
        let start = self.segments.iter().take(calm).rposition(|segment| !segment.breach).map_or(0, |index| index + 1);
        for (index, segment) in self.segments.iter_mut().enumerate().skip(start) {
            if !segment.breach && index != calm {
                break;
            }
            let elsewhere = |raised: Raised| (raised.onset < at) != (index < calm);
            segment.raised = segment.raised.filter(|raised| !elsewhere(*raised));
        }
    }

    fn inside(&mut self, index: usize, inside: Segment, at: i64, breach: bool) {
        if inside.breach == breach {
            return;
        }
        let fact = Segment { breach, from: at, to: at, raised: None };
        let mut pieces = Vec::with_capacity(3);
        if inside.breach {
            // Two values of one instant that disagree: the breach counts.
            if at == inside.from || at == inside.to {
                return;
            }
            pieces.push(Segment { to: at - 1, ..inside });
            pieces.push(fact);
            pieces.push(Segment { from: at + 1, ..inside });
        } else {
            if inside.from < at {
                pieces.push(Segment { to: inside.from, ..inside });
            }
            pieces.push(fact);
            if at < inside.to {
                pieces.push(Segment { from: inside.to, ..inside });
            }
        }
        self.segments.splice(index..=index, pieces);
        self.join(index);
    }

    fn beside(&mut self, next: usize, before: Option<Segment>, at: i64, breach: bool, hold: i64) {
        let after = self.segments.get(next).copied();
        let near_before = before.is_some_and(|s| s.breach == breach && at.saturating_sub(s.to) <= hold);
        let near_after = after.is_some_and(|s| s.breach == breach && s.from.saturating_sub(at) <= hold);
        match (near_before, near_after) {
            (true, true) => {
                if let (Some(to), Some(raised)) = (after.map(|s| s.to), after.map(|s| s.raised)) {
                    if let Some(segment) = self.segments.get_mut(next - 1) {
                        segment.to = to;
                        segment.raised = raised.or(segment.raised);
                    }
                    self.segments.remove(next);
                }
            }
            (true, false) => {
                if let Some(segment) = self.segments.get_mut(next - 1) {
                    segment.to = at;
                }
            }
            (false, true) => {
                if let Some(segment) = self.segments.get_mut(next) {
                    segment.from = at;
                }
            }
            (false, false) => self.segments.insert(next, Segment { breach, from: at, to: at, raised: None }),
        }
    }

    /// Joins a breach that was put between two values of a calm stretch to a breach right before it.
    fn join(&mut self, index: usize) {
        let Some(first) = index.checked_sub(1) else { return };
        let (Some(a), Some(b)) = (self.segments.get(first).copied(), self.segments.get(index).copied()) else { return };
        if a.breach && b.breach {
            if let Some(segment) = self.segments.get_mut(first) {
                segment.to = b.to;
                segment.raised = b.raised.or(a.raised);
            }
            self.segments.remove(index);
        }
    }

    fn forget(&mut self) {
        while self.segments.len() > SEGMENTS_MAX {
            let gone = self.segments.remove(0);
            self.floor = Some(gone.to);
        }
    }

    /// All runs, oldest first. Stretches of breach with nothing calm between them are one run, however long nothing was known in between.
    pub(crate) fn runs(&self, now: i64, hold: i64) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut open = false;
        for (index, segment) in self.segments.iter().enumerate() {
            if !segment.breach {
                open = false;
                continue;
            }
            let next = self.segments.get(index + 1);
            let holds_until = segment.to.saturating_add(hold);
            let until = match next {
                Some(next) => holds_until.min(next.from),
                None => segment.to.max(now.min(holds_until)),
            };
            let current = next.is_none();
            match runs.last_mut().filter(|_| open) {
                Some(run) => {
                    run.until = until;
                    run.seen = segment.to;
                    run.raised = segment.raised.map(|raised| raised.number).or(run.raised);
                    run.current = current;
                }
                None => {
                    let raised = segment.raised.map(|raised| raised.number);
                    runs.push(Run { from: segment.from, until, seen: segment.to, raised, current });
                }
            }
            open = true;
        }
        runs
    }

    /// The run that may still hold.
    pub(crate) fn current(&self, now: i64, hold: i64) -> Option<Run> {
        // Cheap for the ordinary case of a calm end.
        if self.segments.last().is_none_or(|last| !last.breach) {
            return None;
        }
        self.runs(now, hold).pop()
    }

    /// Whether any run has no alarm yet.
    pub(crate) fn has_unraised(&self) -> bool {
        self.segments.iter().any(|segment| segment.breach && segment.raised.is_none())
    }

    /// When the last fact was, and whether it was calm.
    pub(crate) fn last(&self) -> Option<(i64, bool)> {
        self.segments.last().map(|segment| (segment.to, !segment.breach))
    }

    /// Remembers that `run` has alarm `number`, reported with this onset.
    pub(crate) fn mark(&mut self, run: Run, number: u32, onset: i64) {
        for segment in &mut self.segments {
            if segment.breach && segment.from >= run.from && segment.to <= run.seen {
                segment.raised = Some(Raised { number, onset });
            }
        }
    }

    /// Begins anew at `at`: what may still hold holds from then on, without an alarm; everything else is forgotten.
    pub(crate) fn restart(&mut self, at: i64) {
        let last = self.segments.pop();
        self.forget_until(at);
        if let Some(last) = last {
            let from = last.to.max(at);
            self.segments.push(Segment { breach: last.breach, from, to: from, raised: None });
        }
    }

    /// Forgets everything up to `at`; older facts say nothing any more.
    pub(crate) fn forget_until(&mut self, at: i64) {
        self.segments.clear();
        self.floor = Some(self.floor.map_or(at, |floor| floor.max(at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn track(facts: &[(i64, Class)]) -> Track {
        let mut track = Track::default();
        for (at, class) in facts {
            track.note(*at, *class, 5);
        }
        track
    }

    fn spans(track: &Track) -> Vec<(i64, i64, bool)> {
        track.runs(1_000, 5).iter().map(|run| (run.from, run.until, run.current)).collect()
    }

    #[test]
    fn a_run_lasts_until_the_next_calm_value_and_no_longer_than_a_value_stands() {
        use Class::{Between, Breach, Clear};
        assert_eq!(spans(&track(&[(1, Clear), (2, Breach), (3, Breach), (4, Clear)])), [(2, 4, false)]);
        assert_eq!(spans(&track(&[(2, Breach), (20, Clear)])), [(2, 7, false)]);
        assert_eq!(spans(&track(&[(2, Breach), (3, Between)])), [(2, 8, true)]);
        assert_eq!(spans(&track(&[(2, Clear), (3, Between)])), []);
        // Nothing known in between is not calm.
        assert_eq!(spans(&track(&[(2, Breach), (50, Breach)])), [(2, 55, true)]);
        assert_eq!(spans(&track(&[(2, Breach), (50, Breach), (30, Clear)])), [(2, 7, false), (50, 55, true)]);
    }

    // REQ-ALM-015
    proptest! {
        #[test]
        fn order_and_copies_of_facts_lose_no_run(
            facts in prop::collection::vec((0i64..60, prop::bool::ANY), 1..40),
            order in prop::collection::vec(0usize..1000, 1..80),
        ) {
            // One value for one instant.
            let facts: std::collections::BTreeMap<i64, bool> = facts.into_iter().collect();
            let facts: Vec<(i64, Class)> =
                facts.into_iter().map(|(at, b)| (at, if b { Class::Breach } else { Class::Clear })).collect();
            let in_order = track(&facts);
            let mut shuffled: Vec<(i64, Class)> =
                order.iter().filter_map(|pick| facts.get(pick % facts.len()).copied()).collect();
            shuffled.extend(facts.iter().rev().copied());
            let other = track(&shuffled);
            for run in in_order.runs(1_000, 5) {
                let covered = other.runs(1_000, 5).iter().any(|o| o.from <= run.from && o.until >= run.seen);
                prop_assert!(covered, "{run:?} not in {:?}", other.runs(1_000, 5));
            }
            // Nothing that was called a breach lies outside all runs, however the rest arrived.
            for (at, _) in facts.iter().filter(|(_, class)| *class == Class::Breach) {
                prop_assert!(other.runs(1_000, 5).iter().any(|o| o.from <= *at && *at <= o.seen), "{at} lost");
            }
        }
    }
}
