//! The whole way of a reading under virtual time, with the cores that run in a hospital: world → frame → the agent's sealed buffer and MQTT →
//! bytes on a link that breaks → the gateway's session and admission → the sealed store on a disk that loses power and runs full.
//!
//! What was acknowledged must be there afterwards, exactly, once; what was said by a device that kept its power must arrive in the end.

mod bedside;
mod flash;
mod server;

use crate::{START, at};
use bedside::Bedside;
use obhut_model::{Code, DeviceId, DeviceTime, ModelId, NO_VALUE, ServerTime, TimeRange};
use obhut_sim::device::{Device, Monitor, Nameplate, PumpDevice, Report, Setup};
use obhut_sim::faults::Plan;
use obhut_sim::rng::Rng;
use obhut_sim::simtest::for_seeds;
use obhut_sim::world::{Course, Patient, Person};
use obhut_store::{Readings, Run};
use server::{Reply, Server};
use std::collections::BTreeMap;

struct Chain {
    now: i64,
    rng: Rng,
    server: Server,
    beds: Vec<Bedside>,
    threat_at: i64,
    crash_at: i64,
    /// Whether the disk also runs full.
    full: bool,
}

impl Chain {
    fn new(seed: u64, full: bool) -> Self {
        let rng = Rng::new(seed);
        let mut plans = rng.fork("plans");
        let nameplate = |id: &str, model: &str| Nameplate {
            id: DeviceId::new(id).unwrap(),
            model: ModelId::new(model).unwrap(),
            serial: String::new(),
        };
        let monitor = |id: &str, seed: u64| -> Box<dyn Device> {
            let patient = Patient::new(seed, Person::draw(&mut Rng::new(seed)), Course::Everyday, at(0));
            Box::new(Monitor::new(nameplate(id, "monitor-m1"), patient, Setup::default(), at(0)))
        };
        let steady = Plan { power_loss: None, ..Plan::draw_connected(&mut plans) };
        let shaky = Plan::draw_connected(&mut plans);
        let pump = Plan { power_loss: None, ..Plan::draw_connected(&mut plans) };
        let beds: Vec<Bedside> = vec![
            Bedside::new(monitor("mon-01", seed), steady, &rng, START),
            Bedside::new(monitor("mon-02", seed + 1), shaky, &rng, START),
            Bedside::new(Box::new(PumpDevice::new(nameplate("pump-03", "pump-p1"), seed, at(0))), pump, &rng, START),
        ];
        let devices: Vec<(DeviceId, ModelId)> =
            beds.iter().map(|bed| (bed.id().clone(), bed.device.nameplate().model.clone())).collect();
        let server = Server::new(seed, &devices, at(-60_000_000));
        Self {
            now: START,
            rng: rng.fork("crash"),
            server,
            beds,
            threat_at: START + 5_000_000,
            crash_at: i64::MAX,
            full,
        }
    }

    fn next_due(&self) -> i64 {
        let beds = self.beds.iter().map(Bedside::next_due).min().unwrap_or(i64::MAX);
        beds.min(self.server.next_due()).min(self.threat_at).min(self.crash_at)
    }

    fn run(&mut self, until: i64, is_done: impl Fn(&Self) -> bool) -> bool {
        let mut idle = 0;
        while !is_done(self) {
            let due = self.next_due();
            if due > until {
                return false;
            }
            idle = if due > self.now { 0 } else { idle + 1 };
            assert!(idle < 10_000, "time stands still");
            self.now = self.now.max(due);
            self.step();
        }
        true
    }

    fn step(&mut self) {
        let now = self.now;
        let server_now = ServerTime::from_micros(now);
        if self.threat_at <= now {
            self.server.threaten(&mut self.rng, self.full);
            self.threat_at = now + self.rng.whole(2_000_000, 25_000_000);
            self.crash_at = self.crash_at.min(now + self.rng.whole(100_000, 20_000_000));
        }
        if self.crash_at <= now {
            self.crash();
        }
        for bed in &mut self.beds {
            if let Some(broken) = bed.switch(now) {
                self.server.lose(broken);
            }
            if bed.act(now) {
                let connection = self.server.accept(&bed.id().clone());
                bed.opened(now, connection);
            }
            while let Some((connection, bytes)) = bed.up.receive(now) {
                match bytes {
                    Some(bytes) => {
                        if let Some(reply) = self.server.receive(server_now, connection, &bytes) {
                            send(bed, now, reply);
                        }
                    }
                    None => self.server.lose(connection),
                }
            }
            while let Some(piece) = bed.down.receive(now) {
                bed.received(now, piece);
            }
        }
        match self.server.tick(server_now) {
            Some(replies) => {
                for reply in replies {
                    if let Some(bed) = self.beds.iter_mut().find(|bed| bed.connection() == Some(reply.connection)) {
                        send(bed, now, reply);
                    }
                }
            }
            None => self.crash(),
        }
    }

    fn crash(&mut self) {
        self.crash_at = i64::MAX;
        self.server.crash();
        for bed in &mut self.beds {
            bed.lose(self.now);
        }
    }
}

fn send(bed: &mut Bedside, now: i64, reply: Reply) {
    if !reply.bytes.is_empty() {
        bed.down.send(now, (reply.connection, Some(reply.bytes)));
    }
    if reply.is_over {
        bed.down.send(now, (reply.connection, None));
    }
}

/// What the store holds of one code: by time, a sample or steps.
type Held = BTreeMap<DeviceTime, i32>;
const NOTHING: i32 = i32::MIN;

fn held(server: &Server, device: &DeviceId, code: Code) -> Held {
    let mut out = Held::new();
    let mut put = |time, value| assert_eq!(out.insert(time, value), None, "{device} {code} {time:?} is there twice");
    for run in server.store().read(server.subject(device), code, TimeRange::ALL).unwrap().open_unchecked() {
        match run {
            Run::Numerics { values, .. } => {
                values.into_iter().for_each(|(time, steps, _)| put(time, steps.unwrap_or(NOTHING)))
            }
            Run::Waveform { start, rate, samples, .. } => {
                for (index, sample) in samples.into_iter().enumerate() {
                    let time = start.plus_micros(rate.offset_micros(index as u64));
                    put(time, if sample == NO_VALUE { NOTHING } else { i32::from(sample) });
                }
            }
        }
    }
    out
}

/// Takes out what lies within two microseconds of `time`: runs that were joined round their times once, blocks each for itself.
fn take(held: &mut Held, time: DeviceTime) -> Option<i32> {
    let key = *held.range(time.plus_micros(-2)..=time.plus_micros(2)).next()?.0;
    held.remove(&key)
}

struct Stored<'a> {
    server: &'a Server,
    device: DeviceId,
    codes: BTreeMap<Code, Held>,
}

impl Stored<'_> {
    fn of(&mut self, code: Code) -> &mut Held {
        let (server, device) = (self.server, &self.device);
        self.codes.entry(code).or_insert_with(|| held(server, device, code))
    }

    /// Takes everything of `report` out; false if nothing of it was there. Half a report is an error, unless it is not `strict` and as much
    /// was refused.
    fn take(&mut self, report: &Report, strict: bool) -> bool {
        let mut found = Vec::new();
        for numeric in &report.numerics {
            let rule = self.server.rules(&self.device).stream(numeric.code).unwrap();
            let steps = numeric.value.map_or(NOTHING, |value| value.in_steps_of(rule.resolution).unwrap());
            let there = take(self.of(numeric.code), numeric.taken_at);
            assert!(
                there.is_none_or(|there| there == steps),
                "{} {:?}: {there:?} instead of {steps}",
                self.device,
                numeric
            );
            found.push((numeric.code, numeric.taken_at, there.is_some()));
        }
        for wave in &report.waves {
            for (index, sample) in wave.samples().iter().enumerate() {
                let time = wave.start.plus_micros(wave.rate.offset_micros(index as u64));
                let sample = if sample == NO_VALUE { NOTHING } else { i32::from(sample) };
                let there = take(self.of(wave.code), time);
                assert!(
                    there.is_none_or(|there| there == sample),
                    "{} {} {time:?}: {there:?} instead of {sample}",
                    self.device,
                    wave.code
                );
                found.push((wave.code, time, there.is_some()));
            }
        }
        let missing: Vec<_> = found.iter().filter(|(.., there)| !there).map(|(code, time, _)| (*code, *time)).collect();
        let refused_blocks: u64 = self.server.refused.values().sum();
        assert!(
            missing.is_empty() || missing.len() == found.len() || (!strict && refused_blocks > 0),
            "{}: of {} values due {:?} there are missing {missing:?}; refused {:?}",
            self.device,
            found.len(),
            report.due,
            self.server.refused
        );
        missing.len() < found.len()
    }
}

fn check(chain: &Chain, strict: bool) -> usize {
    let mut arrived = 0;
    for bed in &chain.beds {
        let mut stored = Stored { server: &chain.server, device: bed.id().clone(), codes: BTreeMap::new() };
        for (&(run, number), report) in &bed.said {
            let sequence = obhut_store::Sequence { run, number };
            let promised =
                chain.server.acknowledged.iter().any(|(device, known)| device == bed.id() && *known == sequence);
            let there = stored.take(report, strict);
            arrived += usize::from(there);
            assert!(there || !promised, "{}: frame {number} was acknowledged and is gone", bed.id());
            assert!(there || bed.may_lose || !strict, "{}: frame {number} never arrived", bed.id());
        }
        for (code, rest) in stored.codes {
            assert!(rest.is_empty(), "{}: {} values of {code} nobody said", bed.id(), rest.len());
        }
    }
    arrived
}

/// Two bad minutes, then nothing goes wrong any more and everything that is still kept is delivered.
fn bad_minutes(seed: u64, full: bool) {
    let mut chain = Chain::new(seed, full);
    chain.run(START + 120_000_000, |_| false);
    chain.threat_at = i64::MAX;
    chain.crash_at = i64::MAX;
    chain.server.mend();
    let now = chain.now;
    chain.beds.iter_mut().for_each(|bed| bed.mend(now));
    let settled = chain.run(now + 900_000_000, |chain| chain.beds.iter().all(|bed| bed.pending() == 0));
    assert!(settled, "not everything was delivered: {:?}", chain.server.refused);
    chain.crash();
    let arrived = check(&chain, true);
    // Those two never lost their power, so nothing they said may be missing.
    for bed in [&chain.beds[0], &chain.beds[2]] {
        assert!(bed.given_up() == 0, "{}", bed.id());
    }
    let said: usize = chain.beds.iter().map(|bed| bed.said.len()).sum();
    eprintln!(
        "seed {seed}: {said} frames said, {arrived} stored, {} acknowledged, {} crashes, {} times full, refused {:?}",
        chain.server.acknowledged.len(),
        chain.server.crashes,
        chain.server.full,
        chain.server.refused
    );
}

#[test]
fn what_was_acknowledged_is_there_after_power_cuts() {
    for_seeds("what_was_acknowledged_is_there_after_power_cuts", 4, |seed| bad_minutes(seed, false));
}

#[test]
fn what_was_acknowledged_is_there_after_full_disks() {
    for_seeds("what_was_acknowledged_is_there_after_full_disks", 4, |seed| bad_minutes(seed, true));
}
