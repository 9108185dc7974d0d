//! What goes wrong between a device and the door, drawn from a seed.
//!
//! Faults act on whole messages (decision 0033). [`Plan::draw`] is worse than any protocol: messages vanish, double and overtake. [`Plan::draw_connected`]
//! keeps what TCP promises within a connection and breaks the connection instead.

use crate::rng::Rng;
use std::collections::BTreeMap;

/// How bad it is for one device. Times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Share of messages that vanish, each way.
    pub drop: f64,
    /// Share of messages that arrive twice.
    pub duplicate: f64,
    /// Share of messages that are held back, so that later ones overtake them.
    pub reorder: f64,
    /// Shortest and longest time on the way.
    pub delay: (i64, i64),
    /// Longest a held message is held.
    pub hold_max: i64,
    /// Nothing overtakes anything, as on one TCP connection; only losing the connection loses messages.
    pub ordered: bool,
    /// The link goes down now and then.
    pub disconnect: Option<Outage>,
    /// The device loses power now and then.
    pub power_loss: Option<Outage>,
    /// How the device's clock goes wrong.
    pub clock: ClockPlan,
}

/// Something that stops now and then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outage {
    /// Mean time between outages.
    pub mean_between: i64,
    /// Shortest and longest outage.
    pub length: (i64, i64),
}

/// A clock that is not right.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ClockPlan {
    /// Wrong from the beginning by this much.
    pub offset: i64,
    /// Too fast by this many parts in a million.
    pub skew_ppm: f64,
    /// Now and then it jumps: mean time between, farthest either way.
    pub jump: Option<(i64, i64)>,
}

impl Plan {
    /// Nothing goes wrong; a message takes a millisecond.
    pub const NONE: Self = Self {
        drop: 0.0,
        duplicate: 0.0,
        reorder: 0.0,
        delay: (1_000, 1_000),
        hold_max: 0,
        ordered: true,
        disconnect: None,
        power_loss: None,
        clock: ClockPlan { offset: 0, skew_ppm: 0.0, jump: None },
    };

    /// A bad day: some of everything, the amounts drawn from `rng`. The clock stays right; see [`ClockPlan::draw`].
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        let outage = |rng: &mut Rng, mean: f64| {
            let length = (500_000, rng.whole(1_000_000, 30_000_000));
            rng.chance(0.7).then(|| Outage { mean_between: (rng.between(0.3, 2.0) * mean) as i64, length })
        };
        Self {
            drop: rng.between(0.0, 0.1),
            duplicate: rng.between(0.0, 0.1),
            reorder: rng.between(0.0, 0.2),
            delay: (200, rng.whole(1_000, 300_000)),
            hold_max: rng.whole(0, 3_000_000),
            ordered: false,
            disconnect: outage(rng, 40e6),
            power_loss: outage(rng, 90e6),
            clock: ClockPlan::default(),
        }
    }

    /// A bad day on TCP: connections break, power fails, everything is slow, but within a connection nothing is lost, doubled or overtaken.
    #[must_use]
    pub fn draw_connected(rng: &mut Rng) -> Self {
        Self { drop: 0.0, duplicate: 0.0, reorder: 0.0, ordered: true, ..Self::draw(rng) }
    }
}

impl ClockPlan {
    /// A clock that is off, drifts and jumps.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        Self {
            offset: rng.whole(-2_000_000, 2_000_000),
            skew_ppm: rng.between(-100.0, 100.0),
            jump: rng.chance(0.5).then_some((60_000_000, 5_000_000)),
        }
    }
}

/// Turns something on and off as an [`Outage`] says.
#[derive(Debug, Clone)]
pub struct Switch {
    outage: Option<Outage>,
    rng: Rng,
    on: bool,
    next: i64,
}

impl Switch {
    /// On at `now`.
    #[must_use]
    pub fn new(outage: Option<Outage>, mut rng: Rng, now: i64) -> Self {
        let next =
            outage.map_or(i64::MAX, |outage| now.saturating_add(rng.exponential(outage.mean_between as f64) as i64));
        Self { outage, rng, on: true, next }
    }

    /// Whether it is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// When it changes next.
    #[must_use]
    pub fn next_due(&self) -> i64 {
        self.next
    }

    /// Lets time pass; whether it changed.
    pub fn advance(&mut self, now: i64) -> bool {
        let Some(outage) = self.outage.filter(|_| now >= self.next) else { return false };
        self.on = !self.on;
        let length = if self.on {
            self.rng.exponential(outage.mean_between as f64) as i64
        } else {
            self.rng.whole(outage.length.0, outage.length.1)
        };
        self.next = now.saturating_add(length.max(1));
        true
    }

    /// On, and never off again.
    pub fn mend(&mut self) {
        self.on = true;
        self.outage = None;
        self.next = i64::MAX;
    }
}

/// What a device believes the time is.
#[derive(Debug, Clone)]
pub struct DeviceClock {
    plan: ClockPlan,
    rng: Rng,
    start: i64,
    jumped: i64,
    next_jump: i64,
}

impl DeviceClock {
    /// A clock that was right, apart from its offset, at `start`.
    #[must_use]
    pub fn new(plan: ClockPlan, mut rng: Rng, start: i64) -> Self {
        let next_jump =
            plan.jump.map_or(i64::MAX, |(mean, _)| start.saturating_add(rng.exponential(mean as f64) as i64));
        Self { plan, rng, start, jumped: 0, next_jump }
    }

    /// By how much it is wrong at true time `now`; call with times that do not go back.
    pub fn error_at(&mut self, now: i64) -> i64 {
        while let Some((mean, farthest)) = self.plan.jump
            && now >= self.next_jump
        {
            self.jumped = self.jumped.saturating_add(self.rng.whole(-farthest, farthest));
            self.next_jump = self.next_jump.saturating_add(self.rng.exponential(mean as f64) as i64 + 1);
        }
        let drift = now.saturating_sub(self.start) as f64 * self.plan.skew_ppm / 1e6;
        self.plan.offset.saturating_add(self.jumped).saturating_add(drift as i64)
    }
}

/// A link that loses, doubles, delays and reorders.
#[derive(Debug, Clone)]
pub struct Link<M> {
    plan: Plan,
    rng: Rng,
    /// By time of arrival, then in order of sending.
    flying: BTreeMap<(i64, u64), M>,
    sent: u64,
    /// When the last one arrives.
    latest: i64,
}

impl<M: Clone> Link<M> {
    /// An idle link.
    #[must_use]
    pub fn new(plan: Plan, rng: Rng) -> Self {
        Self { plan, rng, flying: BTreeMap::new(), sent: 0, latest: i64::MIN }
    }

    /// Sends `message` at `now`.
    pub fn send(&mut self, now: i64, message: M) {
        if self.rng.chance(self.plan.duplicate) {
            self.launch(now, message.clone());
        }
        if !self.rng.chance(self.plan.drop) {
            self.launch(now, message);
        }
    }

    fn launch(&mut self, now: i64, message: M) {
        let mut delay = self.rng.whole(self.plan.delay.0, self.plan.delay.1);
        if self.rng.chance(self.plan.reorder) {
            delay = delay.saturating_add(self.rng.whole(0, self.plan.hold_max));
        }
        let mut arrival = now.saturating_add(delay);
        if self.plan.ordered {
            arrival = arrival.max(self.latest);
        }
        self.sent += 1;
        self.latest = self.latest.max(arrival);
        self.flying.insert((arrival, self.sent), message);
    }

    /// When something arrives next.
    #[must_use]
    pub fn next_due(&self) -> i64 {
        self.flying.first_key_value().map_or(i64::MAX, |(key, _)| key.0)
    }

    /// The next message that has arrived by `now`.
    pub fn receive(&mut self, now: i64) -> Option<M> {
        let first = self.flying.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }

    /// The link goes down: what is on the way is lost.
    pub fn cut(&mut self) {
        self.latest = i64::MIN;
        self.flying.clear();
    }

    /// From now on nothing goes wrong any more.
    pub fn mend(&mut self) {
        self.plan = Plan::NONE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(plan: Plan, seed: u64) -> Vec<i32> {
        let mut link = Link::new(plan, Rng::new(seed));
        (0..1000).for_each(|n| link.send(i64::from(n) * 10_000, n));
        std::iter::from_fn(|| link.receive(i64::MAX)).collect()
    }

    #[test]
    fn a_good_link_is_a_pipe() {
        assert_eq!(through(Plan::NONE, 1), (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_bad_link_loses_doubles_and_reorders_the_same_way_each_time() {
        let plan = Plan { drop: 0.1, duplicate: 0.1, reorder: 0.2, hold_max: 1_000_000, ordered: false, ..Plan::NONE };
        let got = through(plan, 1);
        let mut distinct = got.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert!((820..980).contains(&distinct.len()) && got.len() > distinct.len());
        assert!(got.windows(2).any(|pair| pair[0] > pair[1]));
        assert_eq!(got, through(plan, 1));
        assert_ne!(got, through(plan, 2));
    }

    #[test]
    fn a_switch_goes_off_and_on() {
        let outage = Outage { mean_between: 1000, length: (100, 200) };
        let mut switch = Switch::new(Some(outage), Rng::new(1), 0);
        let changes = (0..100_000).filter(|&now| switch.advance(now)).count();
        assert!((100..300).contains(&changes), "{changes}");
        switch.mend();
        assert!(switch.is_on() && !switch.advance(i64::MAX - 1));
    }

    #[test]
    fn a_clock_drifts_and_jumps() {
        let mut drifting = DeviceClock::new(ClockPlan { offset: 5, skew_ppm: 100.0, jump: None }, Rng::new(1), 0);
        assert_eq!(drifting.error_at(1_000_000_000), 100_005);
        let mut jumping =
            DeviceClock::new(ClockPlan { jump: Some((1000, 50)), ..ClockPlan::default() }, Rng::new(1), 0);
        let errors: std::collections::BTreeSet<i64> = (0..100_000).map(|now| jumping.error_at(now)).collect();
        assert!(errors.len() > 20);
    }
}
