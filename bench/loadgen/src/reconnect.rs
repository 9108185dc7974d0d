//! Opens many connections, prints `up`, waits until the server is restarted under them, and says how long it took until the last one had a
//! reading acknowledged again.

use crate::cli::Reconnect;
use crate::link::{Configs, Res, STOP, Shared, Stream, open_mqtt, rt, sleep, spawn_threads, topic, version};
use crate::payload::{Rng, Template};
use crate::{mqtt, stats};
use rustls::ClientConfig;
use serde_json::json;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::LocalSet;

#[derive(Default)]
struct Progress {
    shared: Shared,
    first_lost: OnceLock<Instant>,
    lost: AtomicUsize,
    back: AtomicUsize,
    attempts: AtomicUsize,
    times: Mutex<Vec<Instant>>,
}

pub fn run(p: &Reconnect) -> Res<()> {
    let progress = Arc::new(Progress::default());
    let configs = Arc::new(Configs::load(&p.c, p.conns, false)?);
    let template = Arc::new(Template::parse(&p.payload)?);
    let (p2, progress2) = (p.clone(), progress.clone());
    let threads = spawn_threads(p.c.threads, move |t| {
        let set = LocalSet::new();
        let gate = Rc::new(tokio::sync::Semaphore::new((p2.concurrency / p2.c.threads).max(1)));
        for i in (t..p2.conns).step_by(p2.c.threads) {
            set.spawn_local(device(p2.clone(), i, configs.get(i), template.clone(), progress2.clone(), gate.clone()));
        }
        rt().block_on(set);
    });
    let wait = |what: &str, counter: &AtomicUsize| -> Res<()> {
        let began = Instant::now();
        while counter.load(Relaxed) < p.conns {
            if began.elapsed().as_secs_f64() > p.max {
                let error = progress.shared.last_error.lock().unwrap().clone();
                return Err(format!(
                    "{what}: {} of {} after {} s; last error: {error}",
                    counter.load(Relaxed),
                    p.conns,
                    p.max
                )
                .into());
            }
            sleep(0.01);
        }
        Ok(())
    };
    let outcome = wait("up", &progress.shared.connected).and_then(|()| {
        println!("up");
        wait("back", &progress.back)
    });
    progress.shared.phase.store(STOP, Relaxed);
    for thread in threads {
        let _ = thread.join();
    }
    outcome?;
    let from = *progress.first_lost.get().ok_or("no connection was lost")?;
    let mut seconds: Vec<f64> = progress.times.lock().unwrap().iter().map(|at| (*at - from).as_secs_f64()).collect();
    seconds.sort_by(f64::total_cmp);
    let at = |share: f64| seconds[((seconds.len() - 1) as f64 * share) as usize];
    println!(
        "{}",
        json!({
            "mode": "reconnect", "conns": p.conns, "lost": progress.lost.load(Relaxed), "attempts": progress.attempts.load(Relaxed),
            "half_back_s": at(0.5), "p99_back_s": at(0.99), "all_back_s": at(1.0), "nacked": progress.shared.nacked.load(Relaxed),
            "reasons": progress.shared.reasons(), "gen_cpu_s": stats::self_cpu(), "last_error": *progress.shared.last_error.lock().unwrap(),
        })
    );
    Ok(())
}

async fn device(
    p: Reconnect,
    i: usize,
    config: Arc<ClientConfig>,
    template: Arc<Template>,
    progress: Arc<Progress>,
    gate: Rc<tokio::sync::Semaphore>,
) {
    let shared = &progress.shared;
    let mut rng = Rng(0x9e37_79b9 ^ ((i as u64 + 1) << 20));
    let mut seen_up = false;
    while shared.phase() != STOP {
        let permit = gate.acquire().await;
        progress.attempts.fetch_add(1, Relaxed);
        let opened =
            tokio::time::timeout(Duration::from_secs(20), come_up(&p, i, config.clone(), &template, shared, &mut rng))
                .await;
        drop(permit);
        match opened {
            Ok(Ok(mut stream)) => {
                if seen_up {
                    progress.back.fetch_add(1, Relaxed);
                    progress.times.lock().unwrap().push(Instant::now());
                } else {
                    seen_up = true;
                    shared.connected.fetch_add(1, Relaxed);
                }
                hold(&mut stream, shared).await;
                if shared.phase() == STOP {
                    return;
                }
                progress.first_lost.get_or_init(Instant::now);
                progress.lost.fetch_add(1, Relaxed);
            }
            Ok(Err(error)) => shared.error(error),
            Err(_) => shared.error("timed out"),
        }
        // Full jitter, as a device does it, so that ten thousand do not come in the same instant.
        let share = (rng.next() >> 11) as f64 / (1u64 << 53) as f64;
        tokio::time::sleep(Duration::from_secs_f64(p.jitter * share)).await;
    }
}

/// Connects, sends one reading and waits for its acknowledgement.
async fn come_up(
    p: &Reconnect,
    i: usize,
    config: Arc<ClientConfig>,
    template: &Template,
    shared: &Shared,
    rng: &mut Rng,
) -> io::Result<Stream> {
    let (mut stream, _) = open_mqtt(&p.c, config, i).await?;
    let packet = mqtt::publish(version(p.c.mqtt), &topic(&p.topic, &p.c, i), 1, &template.bytes);
    let mut bytes = packet.bytes;
    if let Some(at) = packet.pid_at {
        bytes[at + 1] = 1;
    }
    template.patch(&mut bytes[packet.payload_at..], i as u64, 1, rng);
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    let mut buffer = Vec::new();
    loop {
        if let Some((packet, _)) = mqtt::next_packet(&buffer, 0)? {
            if packet.kind != mqtt::PUBACK {
                return Err(io::Error::other(format!("packet kind {} instead of PUBACK", packet.kind)));
            }
            shared.answered(&buffer[packet.body]);
            return Ok(stream);
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::Error::other("closed before PUBACK"));
        }
    }
}

/// Until the connection ends or the run is over.
async fn hold(stream: &mut Stream, shared: &Shared) {
    let mut buffer = [0u8; 64];
    while shared.phase() != STOP {
        match tokio::time::timeout(Duration::from_secs(1), stream.read(&mut buffer)).await {
            Ok(Ok(n)) if n > 0 => {}
            Ok(_) => return,
            Err(_) => {}
        }
    }
}
