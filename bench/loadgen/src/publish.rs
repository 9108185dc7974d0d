//! Publishes QoS 1 with a window over many connections, flat out or paced, and measures the time to each acknowledgement.

use crate::cli::Pub;
use crate::link::{
    Configs, MEASURE, Res, STOP, Shared, Stream, WAIT, WARM, await_connected, open_mqtt, rt, sleep, spawn_threads,
    topic, version,
};
use crate::payload::{self, Template};
use crate::{mqtt, stats};
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::LocalSet;

struct Local {
    ack: RefCell<hdrhistogram::Histogram<u64>>,
    intended: RefCell<hdrhistogram::Histogram<u64>>,
    acked: Cell<u64>,
}

pub fn run(p: Pub) -> Res<()> {
    let sh = Arc::new(Shared::default());
    let cfgs = Arc::new(Configs::load(&p.c, p.conns, false)?);
    let tmpl = Arc::new(Template::parse(&p.payload)?);
    let t0 = Instant::now();
    let (pp, s2) = (p.clone(), sh.clone());
    let threads = spawn_threads(p.c.threads, move |t| {
        let (p, sh) = (&pp, &s2);
        let local = Rc::new(Local {
            ack: RefCell::new(stats::hist()),
            intended: RefCell::new(stats::hist()),
            acked: Cell::new(0),
        });
        let set = LocalSet::new();
        let gate = Rc::new(tokio::sync::Semaphore::new((p.connect_concurrency / p.c.threads).max(1)));
        for i in (t..p.conns).step_by(p.c.threads) {
            let (p, sh, local, tmpl, cfg, gate) =
                (p.clone(), sh.clone(), local.clone(), tmpl.clone(), cfgs.get(i), gate.clone());
            set.spawn_local(async move {
                let permit = gate.acquire().await.unwrap();
                let r = open_mqtt(&p.c, cfg, i).await;
                drop(permit);
                match r {
                    Ok((s, rm)) => {
                        sh.connected.fetch_add(1, Relaxed);
                        if let Err(e) = publisher(&p, i, s, rm, &tmpl, &sh, &local).await {
                            sh.lost.fetch_add(1, Relaxed);
                            sh.error(e);
                        }
                    }
                    Err(e) => {
                        sh.failed.fetch_add(1, Relaxed);
                        sh.error(e);
                    }
                }
            });
        }
        rt().block_on(set);
        let r = (local.ack.borrow().clone(), local.intended.borrow().clone(), local.acked.get());
        r
    });

    let up = await_connected(&sh, p.conns, 60.0);
    let connect_s = t0.elapsed().as_secs_f64();
    if !up || sh.connected.load(Relaxed) == 0 {
        println!(
            "{}",
            json!({"mode":"pub","label":p.c.label,"error":"not connected",
            "connected":sh.connected.load(Relaxed),"last_error":*sh.last_error.lock().unwrap()})
        );
        std::process::exit(1);
    }
    sh.phase.store(WARM, Relaxed);
    sleep(p.warmup);
    let before = stats::Snap::take(&p.c.server_pid);
    let a0 = sh.acked.load(Relaxed);
    sh.phase.store(MEASURE, Relaxed);
    let m0 = Instant::now();
    while m0.elapsed().as_secs_f64() < p.duration && (p.max_msgs == 0 || sh.acked.load(Relaxed) - a0 < p.max_msgs) {
        sleep((p.duration - m0.elapsed().as_secs_f64()).clamp(0.0, 0.02));
    }
    let a1 = sh.acked.load(Relaxed);
    let after = stats::Snap::take(&p.c.server_pid);
    sh.phase.store(STOP, Relaxed);
    let (mut ack, mut intended, mut n) = (stats::hist(), stats::hist(), 0);
    for t in threads {
        let (a, i, k) = t.join().map_err(|_| "a worker thread panicked")?;
        ack.add(a)?;
        intended.add(i)?;
        n += k;
    }
    let msgs = a1 - a0;
    let wall = (after.at - before.at).as_secs_f64();
    let mut out = json!({
        "mode": "pub", "label": p.c.label, "conns": p.conns, "threads": p.c.threads,
        "payload": p.payload, "inflight": p.inflight, "rate": p.rate, "mqtt": p.c.mqtt,
        "kx": p.c.kx, "cert": p.c.cert,
        "connect_s": connect_s, "failed": sh.failed.load(Relaxed), "lost": sh.lost.load(Relaxed),
        "acked": msgs, "nacked": sh.nacked.load(Relaxed), "reasons": sh.reasons(), "hist_n": n,
        "msgs_per_s": (msgs as f64 / wall).round(),
        "ack": stats::percentiles(&ack),
        "clocks": after.since(&before, msgs),
        "last_error": *sh.last_error.lock().unwrap(),
    });
    if p.rate > 0.0 {
        out["ack_from_intended"] = stats::percentiles(&intended);
    }
    println!("{out}");
    Ok(())
}

struct Window {
    free: Vec<u16>,
    sent: Vec<(Instant, Instant)>,
    size: usize,
}

impl Window {
    fn new(size: usize) -> Window {
        let now = Instant::now();
        Window { free: (1..=size as u16).rev().collect(), sent: vec![(now, now); size + 1], size }
    }
    fn inflight(&self) -> usize {
        self.size - self.free.len()
    }
}

async fn publisher(
    p: &Pub,
    i: usize,
    mut s: Stream,
    rm: u16,
    tmpl: &Template,
    sh: &Shared,
    local: &Local,
) -> io::Result<()> {
    let topic = topic(&p.topic, &p.c, i);
    let pk = mqtt::publish(version(p.c.mqtt), &topic, 1, &tmpl.bytes);
    let pid_at = pk.pid_at.unwrap();
    let mut w = Window::new(p.inflight.min(rm as usize).max(1));
    let mut rng = payload::Rng(0x1234_5678_9abc_def1 ^ (i as u64 + 1));
    let (mut out, mut inb) = (Vec::with_capacity(64 << 10), Vec::with_capacity(16 << 10));
    let mut seq = 0u64;
    let gap = if p.rate > 0.0 { Duration::from_secs_f64(p.conns as f64 / p.rate) } else { Duration::ZERO };
    while sh.phase() == WAIT {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // spread the first sends evenly over one interval
    let mut next = Instant::now() + gap.mul_f64(i as f64 / p.conns as f64);
    let mut push = |out: &mut Vec<u8>, w: &mut Window, intended: Instant, now: Instant| {
        let pid = w.free.pop().unwrap();
        let at = out.len();
        out.extend_from_slice(&pk.bytes);
        out[at + pid_at..at + pid_at + 2].copy_from_slice(&pid.to_be_bytes());
        tmpl.patch(&mut out[at + pk.payload_at..], i as u64, seq, &mut rng);
        seq += 1;
        w.sent[pid as usize] = (now, intended);
    };
    let mut stop_at: Option<Instant> = None;
    loop {
        let stopping = sh.phase() == STOP;
        if stopping {
            let t = *stop_at.get_or_insert_with(Instant::now);
            if w.inflight() == 0 || t.elapsed() > Duration::from_secs(3) {
                break;
            }
        }
        let got;
        if p.rate > 0.0 {
            let now = Instant::now();
            while !stopping && next <= now && !w.free.is_empty() && out.len() < 60 << 10 {
                push(&mut out, &mut w, next, now);
                next += gap;
            }
            if !out.is_empty() {
                s.write_all(&out).await?;
                s.flush().await?;
                out.clear();
            }
            let wake = if w.free.is_empty() || stopping { now + Duration::from_millis(200) } else { next };
            got = tokio::select! {
                r = s.read_buf(&mut inb) => Some(r?),
                _ = tokio::time::sleep_until(wake.into()) => None,
            };
        } else {
            if !stopping && !w.free.is_empty() {
                let now = Instant::now();
                while !w.free.is_empty() && out.len() < 60 << 10 {
                    push(&mut out, &mut w, now, now);
                }
                s.write_all(&out).await?;
                s.flush().await?;
                out.clear();
            }
            got = tokio::time::timeout(Duration::from_secs(5), s.read_buf(&mut inb)).await.ok().transpose()?;
            if got.is_none() && stopping {
                break;
            }
        }
        match got {
            None => continue,
            Some(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "server closed")),
            Some(_) => {}
        }
        let now = Instant::now();
        let measuring = sh.phase() == MEASURE;
        let (mut at, mut n) = (0, 0);
        while let Some((pkt, end)) = mqtt::next_packet(&inb, at)? {
            let b = &inb[pkt.body.clone()];
            match pkt.kind {
                mqtt::PUBACK => {
                    let pid = u16::from_be_bytes([b[0], b[1]]);
                    sh.answered(b);
                    let (t, want) = w.sent[pid as usize];
                    w.free.push(pid);
                    n += 1;
                    if measuring {
                        let ns = |t: Instant| now.saturating_duration_since(t).as_nanos() as u64;
                        local.ack.borrow_mut().saturating_record(ns(t));
                        if p.rate > 0.0 {
                            local.intended.borrow_mut().saturating_record(ns(want));
                        }
                    }
                }
                mqtt::DISCONNECT => {
                    return Err(io::Error::other(format!("DISCONNECT {b:02x?}")));
                }
                _ => {}
            }
            at = end;
        }
        inb.drain(..at);
        if n > 0 {
            sh.acked.fetch_add(n, Relaxed);
            if measuring {
                local.acked.set(local.acked.get() + n);
            }
        }
    }
    let _ = s.write_all(&mqtt::BYE).await;
    let _ = s.shutdown().await;
    Ok(())
}
