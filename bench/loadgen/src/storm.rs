//! Connects, completes TLS and MQTT CONNECT, closes, over and over: what a full handshake costs the server.

use crate::cli::Storm;
use crate::link::{Configs, MEASURE, Res, STOP, Shared, WARM, mqtt_connect, open_tls, rt, sleep, spawn_threads};
use crate::{mqtt, stats};
use serde_json::json;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::LocalSet;

pub fn run(p: Storm) -> Res<()> {
    let sh = Arc::new(Shared::default());
    let cfgs = Arc::new(Configs::load(&p.c, p.concurrency, p.resume)?);
    let (pp, s2) = (p.clone(), sh.clone());
    let resumed = Arc::new(AtomicU64::new(0));
    let res2 = resumed.clone();
    let suite = Arc::new(Mutex::new(String::new()));
    let suite2 = suite.clone();
    sh.phase.store(WARM, Relaxed);
    let threads = spawn_threads(p.c.threads, move |t| {
        let (p, sh) = (&pp, &s2);
        let hs = Rc::new(RefCell::new(stats::hist()));
        let full = Rc::new(RefCell::new(stats::hist()));
        let set = LocalSet::new();
        for slot in (t..p.concurrency).step_by(p.c.threads) {
            let (p, sh, hs, full, cfg) = (p.clone(), sh.clone(), hs.clone(), full.clone(), cfgs.get(slot));
            let (resumed, suite) = (res2.clone(), suite2.clone());
            set.spawn_local(async move {
                let mut k = 0usize;
                while sh.phase() != STOP {
                    k += 1;
                    let t = Instant::now();
                    let one = async {
                        let mut s = open_tls(&p.c, cfg.clone(), slot + k).await?;
                        let tls_ns = t.elapsed().as_nanos() as u64;
                        if s.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
                            resumed.fetch_add(1, Relaxed);
                        }
                        if k == 1 {
                            *suite.lock().unwrap() = format!(
                                "{:?} {:?}",
                                s.get_ref().1.negotiated_cipher_suite().map(|c| c.suite()),
                                s.get_ref().1.negotiated_key_exchange_group().map(|g| g.name())
                            );
                        }
                        if p.tls_only {
                            // TLS 1.3: the server has not answered yet; force one exchange
                            let _ = s.shutdown().await;
                            let mut b = [0u8; 64];
                            while s.read(&mut b).await.unwrap_or(0) > 0 {}
                        } else {
                            let id = format!("{}-{slot:06}", p.c.client_prefix);
                            mqtt_connect(&p.c, &mut s, &id).await?;
                        }
                        let all_ns = t.elapsed().as_nanos() as u64;
                        let _ = s.write_all(&mqtt::BYE).await;
                        let _ = s.shutdown().await;
                        io::Result::Ok((tls_ns, all_ns))
                    };
                    match tokio::time::timeout(Duration::from_secs(20), one).await {
                        Ok(Ok((a, b))) => {
                            sh.acked.fetch_add(1, Relaxed);
                            if sh.phase() == MEASURE {
                                hs.borrow_mut().saturating_record(a);
                                full.borrow_mut().saturating_record(b);
                            }
                        }
                        Ok(Err(e)) => {
                            sh.failed.fetch_add(1, Relaxed);
                            sh.error(e);
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                        Err(_) => {
                            sh.failed.fetch_add(1, Relaxed);
                            sh.error("timed out");
                        }
                    }
                }
            });
        }
        rt().block_on(set);
        let r = (hs.borrow().clone(), full.borrow().clone());
        r
    });
    sleep(p.warmup);
    let before = stats::Snap::take(&p.c.server_pid);
    let (a0, r0) = (sh.acked.load(Relaxed), resumed.load(Relaxed));
    sh.phase.store(MEASURE, Relaxed);
    sleep(p.duration);
    let (a1, r1) = (sh.acked.load(Relaxed), resumed.load(Relaxed));
    let after = stats::Snap::take(&p.c.server_pid);
    sh.phase.store(STOP, Relaxed);
    let (mut hs, mut full) = (stats::hist(), stats::hist());
    for t in threads {
        let (a, b) = t.join().map_err(|_| "a worker thread panicked")?;
        hs.add(a)?;
        full.add(b)?;
    }
    let wall = (after.at - before.at).as_secs_f64();
    println!(
        "{}",
        json!({
            "mode": "storm", "label": p.c.label, "concurrency": p.concurrency,
            "threads": p.c.threads, "kx": p.c.kx, "cert": p.c.cert, "tls_only": p.tls_only,
            "suite": *suite.lock().unwrap(),
            "conns": a1 - a0, "resumed": r1 - r0, "failed": sh.failed.load(Relaxed),
            "conns_per_s": ((a1 - a0) as f64 / wall * 10.0).round() / 10.0,
            "tls": stats::percentiles(&hs), "to_connack": stats::percentiles(&full),
            "clocks": after.since(&before, a1 - a0),
            "last_error": *sh.last_error.lock().unwrap(),
        })
    );
    Ok(())
}
