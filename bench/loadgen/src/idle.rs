//! Opens many connections and holds them: what one costs the server in memory.

use crate::cli::Idle;
use crate::link::{Configs, Res, STOP, Shared, await_connected, open_mqtt, rt, sleep, spawn_threads, topic, version};
use crate::payload::{self, Template};
use crate::{mqtt, stats};
use serde_json::{Value, json};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::LocalSet;

fn sockstat() -> Value {
    let s = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    json!(s.lines().find(|l| l.starts_with("TCP:")).unwrap_or(""))
}

pub fn run(p: Idle) -> Res<()> {
    let sh = Arc::new(Shared::default());
    let cfgs = Arc::new(Configs::load(&p.c, p.conns, false)?);
    let mem = |pids: &[u32]| -> Vec<(u64, u64)> { pids.iter().map(|&p| stats::proc_mem(p)).collect() };
    let own0 = stats::proc_mem(std::process::id());
    let (m0, k0, before) = (mem(&p.c.server_pid), stats::kernel_mem(), stats::Snap::take(&p.c.server_pid));
    let t0 = Instant::now();
    let touch = p.touch.as_deref().map(Template::parse).transpose()?.map(Arc::new);
    let (pp, s2) = (p.clone(), sh.clone());
    let threads = spawn_threads(p.c.threads, move |t| {
        let (p, sh) = (&pp, &s2);
        let set = LocalSet::new();
        let gate = Rc::new(tokio::sync::Semaphore::new((p.concurrency / p.c.threads).max(1)));
        for i in (t..p.conns).step_by(p.c.threads) {
            let (p, sh, cfg, gate) = (p.clone(), sh.clone(), cfgs.get(i), gate.clone());
            let touch = touch.clone();
            set.spawn_local(async move {
                let permit = gate.acquire().await.unwrap();
                let r = async {
                    let (mut s, _) = open_mqtt(&p.c, cfg, i).await?;
                    if let Some(t) = &touch {
                        let pk = mqtt::publish(version(p.c.mqtt), &topic(&p.topic, &p.c, i), 1, &t.bytes);
                        let mut b = pk.bytes;
                        b[pk.pid_at.unwrap() + 1] = 1;
                        t.patch(&mut b[pk.payload_at..], i as u64, 0, &mut payload::Rng(7));
                        s.write_all(&b).await?;
                        let mut buf = Vec::new();
                        while mqtt::next_packet(&buf, 0)?.is_none() {
                            if s.read_buf(&mut buf).await? == 0 {
                                return Err(io::Error::other("closed"));
                            }
                        }
                    }
                    io::Result::Ok(s)
                }
                .await;
                drop(permit);
                match r {
                    Ok(mut s) => {
                        sh.connected.fetch_add(1, Relaxed);
                        let mut b = [0u8; 64];
                        while sh.phase() != STOP {
                            // wakes once a second to see whether to stop; detects a lost connection
                            if let Ok(r) = tokio::time::timeout(Duration::from_secs(1), s.read(&mut b)).await {
                                if !matches!(r, Ok(n) if n > 0) {
                                    sh.lost.fetch_add(1, Relaxed);
                                    return;
                                }
                            }
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
    });
    let up = await_connected(&sh, p.conns, 240.0);
    let connect_s = t0.elapsed().as_secs_f64();
    let mid = stats::Snap::take(&p.c.server_pid);
    sleep(p.hold);
    let (m1, k1, after) = (mem(&p.c.server_pid), stats::kernel_mem(), stats::Snap::take(&p.c.server_pid));
    let own1 = stats::proc_mem(std::process::id());
    let n = sh.connected.load(Relaxed);
    let sockets = sockstat();
    sh.phase.store(STOP, Relaxed);
    for t in threads {
        let _ = t.join();
    }
    let per: Vec<f64> = m0.iter().zip(&m1).map(|(a, b)| (b.0 as f64 - a.0 as f64) / n.max(1) as f64).collect();
    println!(
        "{}",
        json!({
            "mode": "idle", "label": p.c.label, "conns": p.conns, "connected": n, "all_up": up,
            "failed": sh.failed.load(Relaxed), "lost": sh.lost.load(Relaxed), "cert": p.c.cert,
            "connect_s": connect_s, "conns_per_s": (n as f64 / connect_s).round(),
            "server_rss_before_kib": m0.iter().map(|m| m.0).collect::<Vec<_>>(),
            "server_rss_after_kib": m1.iter().map(|m| m.0).collect::<Vec<_>>(),
            "server_rss_kib_per_conn": per,
            "gen_rss_kib_per_conn": (own1.0 as f64 - own0.0 as f64) / n.max(1) as f64,
            "slab_kib_per_conn_both_ends": (k1.0 as f64 - k0.0 as f64) / n.max(1) as f64,
            "avail_kib_per_conn_both_ends": (k0.1 as f64 - k1.1 as f64) / n.max(1) as f64,
            "sockstat": sockets,
            "opening": mid.since(&before, n as u64), "holding": after.since(&mid, 0),
            "last_error": *sh.last_error.lock().unwrap(),
        })
    );
    Ok(())
}
