//! CPU, memory and machine-noise readings from /proc, and histogram output.
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::fs;

pub fn hist() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 120_000_000_000, 3).unwrap()
}

/// Percentiles in microseconds of a histogram in nanoseconds.
pub fn percentiles(h: &Histogram<u64>) -> Value {
    let us = |v: u64| (v as f64 / 100.0).round() / 10.0;
    json!({
        "n": h.len(), "min_us": us(h.min()), "p50_us": us(h.value_at_quantile(0.5)),
        "p90_us": us(h.value_at_quantile(0.9)), "p99_us": us(h.value_at_quantile(0.99)),
        "p999_us": us(h.value_at_quantile(0.999)), "max_us": us(h.max()),
        "mean_us": (h.mean() / 100.0).round() / 10.0,
    })
}

fn tick() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// CPU seconds (user and system) of a process with all its threads, in clock ticks as /proc/PID/stat counts them.
pub fn proc_cpu(pid: u32) -> f64 {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return 0.0 };
    let Some((_, rest)) = stat.rsplit_once(") ") else { return 0.0 };
    let fields: Vec<f64> = rest.split(' ').skip(11).take(2).filter_map(|v| v.parse().ok()).collect();
    fields.iter().sum::<f64>() / tick()
}

pub fn self_cpu() -> f64 {
    proc_cpu(std::process::id())
}

/// (RSS, PSS) of a process in KiB.
pub fn proc_mem(pid: u32) -> (u64, u64) {
    let mut rss = 0;
    let mut pss = 0;
    if let Ok(s) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
        for l in s.lines() {
            let n = || l.split_whitespace().nth(1).and_then(|v| v.parse().ok()).unwrap_or(0);
            if l.starts_with("Rss:") {
                rss = n();
            } else if l.starts_with("Pss:") {
                pss = n();
            }
        }
    }
    (rss, pss)
}

/// Kernel slab in KiB and free memory in KiB: what sockets cost outside any process.
pub fn kernel_mem() -> (u64, u64) {
    let mut slab = 0;
    let mut avail = 0;
    if let Ok(s) = fs::read_to_string("/proc/meminfo") {
        for l in s.lines() {
            let n = || l.split_whitespace().nth(1).and_then(|v| v.parse().ok()).unwrap_or(0);
            if l.starts_with("Slab:") {
                slab = n();
            } else if l.starts_with("MemAvailable:") {
                avail = n();
            }
        }
    }
    (slab, avail)
}

/// Whole-machine (busy, steal, total) CPU seconds over all cores.
pub fn machine_cpu() -> (f64, f64, f64) {
    let s = fs::read_to_string("/proc/stat").unwrap_or_default();
    let f: Vec<f64> =
        s.lines().next().unwrap_or("").split_whitespace().skip(1).map(|v| v.parse().unwrap_or(0.0)).collect();
    if f.len() < 8 {
        return (0.0, 0.0, 0.0);
    }
    let total: f64 = f[..8].iter().sum();
    let idle = f[3] + f[4];
    ((total - idle - f[7]) / tick(), f[7] / tick(), total / tick())
}

/// A reading of all the clocks at one moment.
#[derive(Clone)]
pub struct Snap {
    pub at: std::time::Instant,
    own: f64,
    servers: Vec<(u32, f64, u64)>,
    machine: (f64, f64, f64),
}

impl Snap {
    pub fn take(pids: &[u32]) -> Snap {
        Snap {
            at: std::time::Instant::now(),
            own: self_cpu(),
            servers: pids.iter().map(|&p| (p, proc_cpu(p), proc_mem(p).0)).collect(),
            machine: machine_cpu(),
        }
    }

    /// What happened since `before`, with CPU microseconds per message where `msgs` > 0.
    pub fn since(&self, before: &Snap, msgs: u64) -> Value {
        let wall = (self.at - before.at).as_secs_f64();
        let own = self.own - before.own;
        let srv: Vec<f64> = self.servers.iter().zip(&before.servers).map(|(a, b)| a.1 - b.1).collect();
        let srv_sum: f64 = srv.iter().sum();
        let busy = self.machine.0 - before.machine.0;
        let per = |c: f64| if msgs > 0 { c * 1e6 / msgs as f64 } else { 0.0 };
        json!({
            "wall_s": wall, "gen_cpu_s": own, "server_cpu_s": srv,
            "gen_cpu_us_per_msg": per(own), "server_cpu_us_per_msg": per(srv_sum),
            "others_cpu_cores": ((busy - own - srv_sum) / wall).max(0.0),
            "steal_cores": (self.machine.1 - before.machine.1) / wall,
            "server_rss_kib": self.servers.iter().map(|s| s.2).collect::<Vec<_>>(),
        })
    }
}
