//! Beds at their natural pace: every device sends a CBOR frame with its waveforms and its share of ten numerics every `--frame-ms`.
//!
//! 500 beds with ECG at 500 Hz, pleth and pressure at 250 Hz and respiration at 125 Hz make 562,500 samples and 5,000 numerics a second. Latency counts from when a frame was due, so that stalls of the
//! server are not hidden by a generator that waits for it.

use crate::cli::Wave;
use crate::link::{
    Configs, MEASURE, Res, STOP, Shared, Stream as Link, WAIT, WARM, await_connected, open_mqtt, rt, sleep,
    spawn_threads, topic, version,
};
use crate::payload::{Rng, now_us};
use crate::signal::Signals;
use crate::{mqtt, stats};
use obhut_model::{Code, Decimal, DeviceTime, Quality, SampleRate, Samples, Scale};
use obhut_wire::{Clock, Header, RawNumeric, RawWave};
use serde_json::json;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::LocalSet;

/// A waveform of every bed: its code, how often it is sampled, what a sample means.
#[derive(Debug, Clone, Copy)]
struct Stream {
    code: Code,
    rate: SampleRate,
    gain: f64,
}

/// Reads `CODE:HERTZ,CODE:HERTZ,…`.
fn streams(text: &str) -> Res<Vec<Stream>> {
    let one = |part: &str| {
        let (code, hertz) = part.split_once(':')?;
        let code = Code::new(code.parse().ok()?);
        // Coarser than the charter's resolution, so that what is kept is what was sent.
        let gain = if code == Code::PRESS_BLD_ART_ABP { 20.0 } else { 200.0 };
        Some(Stream { code, rate: SampleRate::from_hertz(hertz.parse().ok()?)?, gain })
    };
    text.split(',').map(|part| one(part).ok_or_else(|| format!("`{part}` is not CODE:HERTZ").into())).collect()
}

/// Each once a second, in whole units.
const NUMERICS: [(Code, i32); 10] = [
    (Code::ECG_HEART_RATE, 72),
    (Code::PULS_OXIM_SAT_O2, 97),
    (Code::PULS_OXIM_PULS_RATE, 72),
    (Code::RESP_RATE, 15),
    (Code::PRESS_BLD_ART_ABP_SYS, 118),
    (Code::PRESS_BLD_ART_ABP_DIA, 78),
    (Code::PRESS_BLD_ART_ABP_MEAN, 91),
    (Code::TEMP, 37),
    (Code::PRESS_BLD_NONINV_SYS, 121),
    (Code::PRESS_BLD_NONINV_DIA, 79),
];

#[derive(Default)]
struct Totals {
    shared: Shared,
    frames: AtomicU64,
    samples: AtomicU64,
    numerics: AtomicU64,
    unanswered: AtomicU64,
}

pub fn run(p: &Wave) -> Res<()> {
    let totals = Arc::new(Totals::default());
    let configs = Arc::new(Configs::load(&p.c, p.beds, false)?);
    let signals = Arc::new(match &p.samples {
        Some(file) => Signals::recorded(file)?,
        None => Signals::synthetic(),
    });
    let waves: Arc<[Stream]> = streams(&p.waves)?.into();
    let (p2, totals2) = (p.clone(), totals.clone());
    let threads = spawn_threads(p.c.threads, move |t| {
        let latency = Rc::new(RefCell::new(stats::hist()));
        let set = LocalSet::new();
        let gate = Rc::new(tokio::sync::Semaphore::new((p2.connect_concurrency / p2.c.threads).max(1)));
        for i in (t..p2.beds).step_by(p2.c.threads) {
            let (p, totals, config) = (p2.clone(), totals2.clone(), configs.get(i));
            let (signals, waves) = (signals.clone(), waves.clone());
            let (latency, gate) = (latency.clone(), gate.clone());
            set.spawn_local(async move {
                let permit = gate.acquire().await;
                let opened = open_mqtt(&p.c, config, i).await;
                drop(permit);
                match opened {
                    Ok((stream, _)) => {
                        totals.shared.connected.fetch_add(1, Relaxed);
                        if let Err(error) = bed(&p, i, stream, &signals, &waves, &totals, &latency).await {
                            totals.shared.lost.fetch_add(1, Relaxed);
                            totals.shared.error(error);
                        }
                    }
                    Err(error) => {
                        totals.shared.failed.fetch_add(1, Relaxed);
                        totals.shared.error(error);
                    }
                }
            });
        }
        rt().block_on(set);
        latency.borrow().clone()
    });
    let shared = &totals.shared;
    if !await_connected(shared, p.beds, 120.0) || shared.failed.load(Relaxed) > 0 {
        let error = shared.last_error.lock().unwrap().clone();
        println!(
            "{}",
            json!({"mode": "wave", "error": "not connected", "connected": shared.connected.load(Relaxed), "last_error": error})
        );
        std::process::exit(1);
    }
    shared.phase.store(WARM, Relaxed);
    sleep(p.warmup);
    let pids = &p.c.server_pid;
    let before = stats::Snap::take(pids);
    let counted = || [&totals.frames, &totals.samples, &totals.numerics].map(|c| c.load(Relaxed));
    let zero = counted();
    shared.phase.store(MEASURE, Relaxed);
    let began = Instant::now();
    let mut rss_max = 0;
    while began.elapsed().as_secs_f64() < p.duration {
        sleep((p.duration - began.elapsed().as_secs_f64()).clamp(0.0, 1.0));
        rss_max = rss_max.max(pids.iter().map(|pid| stats::proc_mem(*pid).0).sum::<u64>());
    }
    let done = counted();
    let after = stats::Snap::take(pids);
    shared.phase.store(STOP, Relaxed);
    let mut latency = stats::hist();
    for thread in threads {
        latency.add(thread.join().map_err(|_| "a worker thread panicked")?)?;
    }
    let seconds = (after.at - before.at).as_secs_f64();
    let [frames, samples, numerics] = [0, 1, 2].map(|k| done[k] - zero[k]);
    println!(
        "{}",
        json!({
            "mode": "wave", "label": p.c.label, "beds": p.beds, "seconds": seconds, "frames": frames,
            "samples_per_s": samples as f64 / seconds, "numerics_per_s": numerics as f64 / seconds,
            "frames_total": totals.frames.load(Relaxed), "samples_total": totals.samples.load(Relaxed),
            "unanswered": totals.unanswered.load(Relaxed), "nacked": shared.nacked.load(Relaxed), "reasons": shared.reasons(),
            "lost": shared.lost.load(Relaxed), "ack_from_due": stats::percentiles(&latency), "server_rss_max_kib": rss_max,
            "clocks": after.since(&before, frames), "last_error": *shared.last_error.lock().unwrap(),
        })
    );
    Ok(())
}

/// Makes the frames of one bed.
struct Maker<'a> {
    signals: &'a Signals,
    /// Where in the signals this bed begins.
    shift: usize,
    run: u32,
    number: u64,
    begin_us: i64,
    waves: &'a [Stream],
    /// Samples sent so far, of each waveform, and the bytes of those in the next frame.
    sent: Vec<(u64, Vec<u8>)>,
    numerics_sent: usize,
    no_numerics: bool,
    rng: Rng,
}

impl Maker<'_> {
    /// The next frame, `micros` long; how many samples and numerics are in it. A sample belongs to the frame in which it was due.
    fn next(&mut self, micros: u64, out: &mut Vec<u8>) -> io::Result<(u64, u64)> {
        let until = (self.number + 1) * micros;
        let mut samples = 0;
        for (wave, (stream, (sent, bytes))) in self.waves.iter().zip(&mut self.sent).enumerate() {
            let due = until * u64::from(stream.rate.microhertz()) / 1_000_000_000_000;
            bytes.clear();
            self.signals.cut(wave, stream.rate.hertz(), self.shift + *sent as usize, (due - *sent) as usize, bytes);
            samples += due - *sent;
        }
        let begin = DeviceTime::from_micros(self.begin_us);
        let waves: Vec<RawWave<'_>> = self
            .waves
            .iter()
            .zip(&self.sent)
            .filter_map(|(stream, (sent, bytes))| {
                let start = begin.plus_micros(stream.rate.offset_micros(*sent));
                let scale = Scale { gain: stream.gain, baseline: 0 };
                let samples = Samples::from_le_bytes(bytes).filter(|samples| !samples.is_empty())?;
                Some(RawWave { code: stream.code, start, rate: stream.rate, scale, quality: Quality::GOOD, samples })
            })
            .collect();
        let due = if self.no_numerics { 0 } else { (until as usize * NUMERICS.len()) / 1_000_000 };
        let numerics: Vec<RawNumeric> = (self.numerics_sent..due)
            .filter_map(|k| {
                let (code, usual) = NUMERICS[k % NUMERICS.len()];
                let value = Decimal::new(usual + (self.rng.next() % 5) as i32 - 2, 0).ok();
                let second = (k / NUMERICS.len()) as i64;
                let taken_at = DeviceTime::from_micros(self.begin_us + second * 1_000_000);
                value.is_some().then_some(RawNumeric { code, taken_at, value, quality: Quality::GOOD })
            })
            .collect();
        let base = begin.plus_micros((until - micros) as i64);
        let header = Header { run: self.run, number: self.number + 1, base, clock: Clock::Synchronised };
        obhut_wire::encode(&header, &numerics, &waves, out).map_err(io::Error::other)?;
        self.numerics_sent = due;
        self.number += 1;
        for (sent, bytes) in &mut self.sent {
            *sent += (bytes.len() / 2) as u64;
        }
        Ok((samples, numerics.len() as u64))
    }
}

async fn bed(
    p: &Wave,
    i: usize,
    mut stream: Link,
    signals: &Signals,
    waves: &[Stream],
    totals: &Totals,
    latency: &RefCell<hdrhistogram::Histogram<u64>>,
) -> io::Result<()> {
    let shared = &totals.shared;
    while shared.phase() == WAIT {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let gap = Duration::from_millis(p.frame_ms);
    // Beds do not tick together: the first frames are spread over one interval.
    let mut due = Instant::now() + gap.mul_f64(1.0 + i as f64 / p.beds as f64);
    let begin_us = now_us() as i64 + (gap.as_micros() as f64 * i as f64 / p.beds as f64) as i64;
    let seed = now_us() ^ (i as u64) << 40;
    let mut maker = Maker {
        signals,
        shift: i * 7919,
        run: (seed ^ seed >> 32) as u32,
        number: 0,
        begin_us,
        waves,
        sent: vec![(0, Vec::new()); waves.len()],
        numerics_sent: 0,
        no_numerics: p.no_numerics,
        rng: Rng(seed | 1),
    };
    let topic = topic(&p.topic, &p.c, i);
    let mut waiting: HashMap<u16, (Instant, u64, u64)> = HashMap::new();
    let (mut packet_id, mut payload, mut inb) = (0u16, Vec::new(), Vec::with_capacity(256));
    let mut stopped: Option<Instant> = None;
    loop {
        let stopping = shared.phase() == STOP;
        if stopping
            && (waiting.is_empty() || stopped.get_or_insert_with(Instant::now).elapsed() > Duration::from_secs(10))
        {
            break;
        }
        let now = Instant::now();
        if !stopping && now >= due {
            payload.clear();
            let (samples, numerics) = maker.next(p.frame_ms * 1000, &mut payload)?;
            packet_id = packet_id % 60_000 + 1;
            let packet = mqtt::publish(version(p.c.mqtt), &topic, 1, &payload);
            let mut bytes = packet.bytes;
            if let Some(at) = packet.pid_at {
                bytes[at..at + 2].copy_from_slice(&packet_id.to_be_bytes());
            }
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            waiting.insert(packet_id, (due, samples, numerics));
            due += gap;
            continue;
        }
        let wake = if stopping { now + Duration::from_millis(100) } else { due };
        let got = tokio::select! {
            r = stream.read_buf(&mut inb) => Some(r?),
            () = tokio::time::sleep_until(wake.into()) => None,
        };
        if got == Some(0) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "server closed"));
        }
        let now = Instant::now();
        let mut at = 0;
        while let Some((packet, end)) = mqtt::next_packet(&inb, at)? {
            let body = &inb[packet.body.clone()];
            match packet.kind {
                mqtt::PUBACK => {
                    shared.answered(body);
                    if let Some((due, samples, numerics)) = waiting.remove(&u16::from_be_bytes([body[0], body[1]])) {
                        totals.frames.fetch_add(1, Relaxed);
                        totals.samples.fetch_add(samples, Relaxed);
                        totals.numerics.fetch_add(numerics, Relaxed);
                        if shared.phase() == MEASURE {
                            latency
                                .borrow_mut()
                                .saturating_record(now.saturating_duration_since(due).as_nanos() as u64);
                        }
                    }
                }
                mqtt::DISCONNECT => return Err(io::Error::other(format!("DISCONNECT {body:02x?}"))),
                _ => {}
            }
            at = end;
        }
        inb.drain(..at);
    }
    totals.unanswered.fetch_add(waiting.len() as u64, Relaxed);
    let _ = stream.write_all(&mqtt::BYE).await;
    let _ = stream.shutdown().await;
    Ok(())
}
